/** The dialog about a person: to block, or to report. */
import { $, bdi } from "/dom.js";

/**
 * Connects the dialog. `isBlocked(name)` and `block(name, on)` are about blocking; `fail(error)` reports a refusal. Returns the function
 * that opens it about a person.
 */
export function personalDialog({ isBlocked, block, fail }) {
	let about = "";

	const close = () => $("personal").close();
	$("personal-close").addEventListener("click", close);
	$("personal-block").addEventListener("click", () => {
		close();
		block(about, !isBlocked(about)).catch(fail);
	});

	return (name) => {
		about = name;
		$("personal-title").replaceChildren(bdi(name));
		$("personal-help").textContent = isBlocked(name)
			? "You have blocked this person."
			: "Blocking hides this person from you: direct messages, invitations, and what they say in rooms. They are not told.";
		$("personal-block").textContent = isBlocked(name) ? "Unblock" : "Block";
		$("personal").showModal();
	};
}
