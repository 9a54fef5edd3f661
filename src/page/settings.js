/** The dialog of what the user prefers in this browser. */
import { $, setText } from "/dom.js";
import { mayNotify } from "/notices.js";
import { prefer, preferOf, preferences } from "/preferences.js";

/** `changed()` follows each change. Returns the function that opens the dialog; `room` is the one that is open, `name` what it is called. */
export function settingsDialog({ changed }) {
	let open = null;
	const status = (text) => setText($("settings-status"), text);

	for (const field of document.querySelectorAll("#settings [name]")) {
		field.addEventListener("change", async () => {
			status("");
			prefer(field.name, field.type === "checkbox" ? field.checked : field.value);
			if (field.name === "notices") askLeave();
			changed();
		});
	}
	$("settings-of").addEventListener("change", () => {
		preferOf(open.name, $("settings-of").value);
		if (["all", "mentions"].includes($("settings-of").value)) askLeave();
		changed();
	});
	$("settings-close").addEventListener("click", () => $("settings").close());

	async function askLeave() {
		if (preferences.notices === "off" && !$("settings-of").value) return;
		const may = await mayNotify();
		status(may ? "" : "This browser does not let this page show notices. Allow them in its settings of this site; the sound and the count in the title work without.");
	}

	return (room, name) => {
		open = room;
		for (const field of document.querySelectorAll("#settings [name]")) {
			if (field.type === "checkbox") field.checked = preferences[field.name];
			else field.value = preferences[field.name];
		}
		$("settings-room").hidden = !room;
		setText($("settings-room-name"), name ?? "");
		$("settings-of").value = (room && preferences.rooms[room.name]) ?? "";
		status("");
		$("settings").showModal();
	};
}
