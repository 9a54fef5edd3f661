/** The dialog about a person, perhaps because of a message: to block, or to report. */
import { $, drawName, setText } from "/dom.js";
import { t } from "/words.js";

/**
 * Connects the dialog. `isBlocked(name)` and `block(name, on)` are about blocking; `report({name, item, reason})` reports the message
 * `item`, or else the person; `fail(error)` tells of a refusal; `profileOf(name)` is what one says of oneself,
 * and `onProfiles(run)` has `run` called as that changes. Returns the function that opens it about a person and perhaps a message.
 */
export function personalDialog({ isBlocked, block, report, fail, profileOf, onProfiles }) {
	let about = "";
	let message = null;

	function drawPerson() {
		const profile = profileOf(about);
		drawName($("personal-title"), about, profile);
		setText($("personal-status"), profile?.text ?? "");
	}
	onProfiles(() => $("personal").open && drawPerson());

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
		drawPerson();
		$("personal-help").textContent = t(isBlocked(name) ? "personal.blocked" : "personal.about");
		$("personal-block").textContent = t(isBlocked(name) ? "personal.unblock" : "personal.block");
		$("report-help").textContent = t(item ? "personal.reportMessage" : "personal.reportPerson");
		$("personal").showModal();
	};
}
