/** The dialog about a person, perhaps because of a message: to block, or to report. */
import { $, bdi } from "/dom.js";

/**
 * Connects the dialog. `isBlocked(name)` and `block(name, on)` are about blocking; `report({name, item, reason})` reports the message
 * `item`, or else the person; `fail(error)` tells of a refusal. Returns the function that opens it about a person and perhaps a message.
 */
export function personalDialog({ isBlocked, block, report, fail }) {
	let about = "";
	let message = null;

	const close = () => $("personal").close();
	$("personal-close").addEventListener("click", close);
	$("personal-block").addEventListener("click", () => {
		close();
		block(about, !isBlocked(about)).catch(fail);
	});
	$("personal-form").addEventListener("submit", (event) => {
		event.preventDefault();
		close();
		report({ name: about, item: message, reason: $("personal-reason").value.trim() }).catch(fail);
	});

	return (name, item = null) => {
		[about, message] = [name, item];
		$("personal-form").reset();
		$("personal-title").replaceChildren(bdi(name));
		$("personal-help").textContent = isBlocked(name)
			? "You have blocked this person."
			: "Blocking hides this person from you: direct messages, invitations, and what they say in rooms. They are not told.";
		$("personal-block").textContent = isBlocked(name) ? "Unblock" : "Block";
		const keepers = "those who keep order here read it, with your name; the person does not learn of it.";
		$("report-help").textContent = item ? `Report this message: ${keepers}` : `Report this person: ${keepers}`;
		$("personal").showModal();
	};
}
