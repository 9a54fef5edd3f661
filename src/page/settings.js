/** The dialog of what the user prefers in this browser. */
import { $, bdi, el, endOf, setText } from "/dom.js";
import { mayNotify } from "/notices.js";
import { isArchived, isPinned, prefer, preferOf, preferences, setListed } from "/preferences.js";
import { t, tn } from "/words.js";

/** The colours that a name may have; the first is none. */
const COLORS = ["", "red", "orange", "yellow", "green", "teal", "blue", "purple", "pink"];
const PREFERENCES = "#settings [name]:not([type=radio])";

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

	const colors = COLORS.map((value) => {
		const label = el("label", { className: "check" }, el("input", { type: "radio", name: "profile-color", value }), " ", el("span", { className: value && "called" }, t(`color.${value}`)));
		// As `tint` does it: a tab of before an upgrade has a `dom.js` without it.
		label.dataset.color = value;
		return label;
	});
	$("profile-colors")?.append(...colors);

	for (const field of document.querySelectorAll(PREFERENCES)) {
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

	/** Counts the times that it was asked: an earlier answer says nothing any more. */
	let asked = 0;

	function enableProfile(isOn) {
		for (const field of $("profile-form").elements) field.disabled = !isOn;
	}

	function fillProfile(own) {
		kept = own;
		$("profile-display").value = own.display ?? "";
		$("profile-text").value = own.text ?? "";
		if ($("profile-colors")) $("profile-form").elements["profile-color"].value = own.color ?? "";
		const [asItIs] = $("profile-time").options;
		asItIs.hidden = asItIs.disabled = !own.until;
		setText(asItIs, t("profile.kept", { until: endOf(own.until) }));
		$("profile-time").value = own.until ? "kept" : "";
	}

	/** Nothing can be typed until it is known what there is, so that nothing is lost. */
	async function drawProfile() {
		const [client, turn] = [chat(), (asked += 1)];
		setText($("profile-error"), "");
		fillProfile({});
		enableProfile(false);
		try {
			const own = (await client.whois([client.user]))[client.user] ?? {};
			if (turn !== asked) return;
			fillProfile(own);
			enableProfile(true);
		} catch (error) {
			if (turn === asked) setText($("profile-error"), sentence(error));
		}
	}

	/** What differs from what there was. A text whose time stays as it is ends when it would have ended. */
	function profileChanges() {
		const [display, text, time] = ["display", "text", "time"].map((each) => $(`profile-${each}`).value.trim());
		const color = $("profile-form").elements["profile-color"]?.value ?? "";
		const isSameTime = !text || time === (kept.until ? "kept" : "");
		const for_ms = time === "kept" ? Math.max(1, kept.until - Date.now()) : Number(time);
		return {
			...(display === (kept.display ?? "") ? {} : { display }),
			...(color === (kept.color ?? "") ? {} : { color }),
			...(text === (kept.text ?? "") && isSameTime ? {} : { text, for_ms: text && time ? for_ms : undefined }),
		};
	}

	$("profile-form").addEventListener("submit", async (event) => {
		event.preventDefault();
		const [focused, turn, changes] = [document.activeElement, (asked += 1), profileChanges()];
		setText($("profile-error"), "");
		enableProfile(false);
		const [own, error] = await chat().profile(changes).then((own) => [own ?? {}], (error) => [null, error]);
		if (own) toast(t("profile.saved"));
		if (turn !== asked) return;
		enableProfile(true);
		// What is disabled loses the focus.
		if ([focused, document.body].includes(document.activeElement)) focused.focus();
		if (own) fillProfile(own);
		else setText($("profile-error"), sentence(error));
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
		for (const field of document.querySelectorAll(PREFERENCES)) {
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
