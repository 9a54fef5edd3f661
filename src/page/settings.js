/** The dialog of what the user prefers in this browser. */
import { $, bdi, el, endOf, setText } from "/dom.js";
import { mayNotify } from "/notices.js";
import { isArchived, isPinned, prefer, preferOf, preferences, setListed } from "/preferences.js";
import { t, tn } from "/words.js";

/**
 * `changed()` follows each change; `device(what, …)` has this device told while the page is closed; `blocked()` is whom the user has
 * blocked, and `unblock(name)` ends that; `chat()` is the client, `sentence(error)` puts a refusal into words, `toast(text)` says what was done. Returns the function that opens the dialog; `room` is the one that is open, `name` what it is called.
 */
export function settingsDialog({ changed, device, chat, sentence, toast, blocked, unblock }) {
	let open = null;
	let kept = {};
	const status = (text) => setText($("settings-status"), text);

	const push = el("input", { type: "checkbox", id: "settings-push" });
	$("settings-status").before(el("label", { className: "check" }, push, " ", el("span", null, t("settings.push"))));
	push.addEventListener("change", async () => {
		status(push.checked ? t("settings.asking") : "");
		push.disabled = true;
		const why = await device("set", push.checked);
		push.disabled = false;
		push.checked = await device("isOn");
		status(why || (push.checked ? t("settings.isTold") : ""));
	});

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
	// Everything that is shown is made anew.
	$("settings-language").addEventListener("change", ({ target }) => {
		prefer("language", target.value);
		location.reload();
	});

	for (const list of ["pinned", "archived"]) {
		$(`settings-${list}`).addEventListener("change", ({ target }) => {
			setListed(list, open, target.checked);
			changed();
		});
	}

	// --- What others see of the user

	async function drawProfile() {
		setText($("profile-error"), "");
		const own = (await chat().whois([chat().user]).catch(() => ({})))[chat().user] ?? {};
		$("profile-display").value = own.display ?? "";
		$("profile-text").value = own.text ?? "";
		$("profile-time").value = "";
		setText($("profile-time").options[0], own.until ? endOf(own.until) : t("profile.ever"));
		kept = own;
	}

	$("profile-form").addEventListener("submit", async (event) => {
		event.preventDefault();
		const [display, text, time] = ["display", "text", "time"].map((each) => $(`profile-${each}`).value.trim());
		// A text that stays as it is ends when it would have ended.
		const status = text === (kept.text ?? "") && !time ? {} : { text, for_ms: text && time ? Number(time) : undefined };
		try {
			await chat().profile({ display, ...status });
			await drawProfile();
			toast(t("profile.saved"));
		} catch (error) {
			setText($("profile-error"), sentence(error));
		}
	});

	function drawBlocked() {
		const names = [...blocked()].sort();
		$("settings-nobody").hidden = names.length > 0;
		$("settings-blocked").replaceChildren(...names.map((name) => {
			const onclick = () => unblock(name).then(() => {
				drawBlocked();
				// The button that was pressed is gone.
				$("settings-title").focus();
			}, () => {});
			return el("li", null, el("span", null, bdi(name)), el("button", { type: "button", ariaLabel: t("settings.unblock", { name }), onclick }, t("personal.unblock")));
		}));
	}

	$("settings-close").addEventListener("click", () => $("settings").close());

	async function askLeave() {
		if (preferences.notices === "off" && !$("settings-of").value) return;
		const may = await mayNotify();
		status(may ? "" : t("settings.denied"));
	}

	return (room, name) => {
		open = room;
		for (const field of document.querySelectorAll("#settings [name]")) {
			if (field.type === "checkbox") field.checked = preferences[field.name];
			else field.value = preferences[field.name];
		}
		device("isOn").then((isOn) => (push.checked = isOn));
		$("settings-room").hidden = !room;
		$("settings-room-name").replaceChildren(...tn("settings.of", { room: bdi(name ?? "") }));
		$("settings-language").value = preferences.language;
		$("settings-of").value = (room && preferences.rooms[room.name]) ?? "";
		if (room) [$("settings-pinned").checked, $("settings-archived").checked] = [isPinned(room), isArchived(room)];
		drawBlocked();
		drawProfile();
		status("");
		$("settings").showModal();
	};
}
