/** Two dialogs of who has an account: its devices, its data and its password, and links that let others in. */
import { $, bdi, el, endOf, setText } from "/dom.js";
import { t } from "/words.js";

const when = (at) => new Date(at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

/**
 * Connects the dialogs. `chat()` is the client; `sentence(error)` puts a refusal into words; `label(room)` names a room; `toast(text)`
 * says what was done. Returns the functions that open them.
 */
export function accountDialogs({ chat, sentence, label, toast }) {
	const told = (error) => {
		const seconds = Math.ceil(error.retryAfterMs / 1000);
		return seconds > 0 ? t("again", { text: sentence(error), s: seconds }) : sentence(error);
	};

	// --- Devices

	async function drawLogins() {
		let logins = [];
		try {
			logins = await chat().logins();
			setText($("logins-status"), "");
		} catch (error) {
			setText($("logins-status"), told(error));
		}
		const sorted = logins.sort((a, b) => b.current - a.current || b.used - a.used);
		$("logins").replaceChildren(...sorted.map(loginNode));
		$("logins-others").hidden = !sorted.some(({ current }) => !current);
	}

	function loginNode({ id, agent, at, used, current }) {
		const name = agent?.match(/^chinwag-page \((.+)\)$/)?.[1] ?? (agent || t("account.unknown"));
		const about = el("span", null, bdi(name), el("small", null, t(current ? "account.since" : "account.sinceUsed", { when: when(at), used: when(used) })));
		if (current) return el("li", null, about);
		const label = t("account.end", { name, when: when(at) });
		return el("li", null, about, el("button", { type: "button", ariaLabel: label, onclick: () => end(id) }, t("nav.signOut")));
	}

	async function end(which) {
		try {
			await chat().endLogin(which);
			setText($("logins-status"), t(which === "others" ? "account.othersEnded" : "account.ended"));
		} catch (error) {
			return setText($("logins-status"), told(error));
		}
		const said = $("logins-status").textContent;
		await drawLogins();
		if (!$("logins-status").textContent) setText($("logins-status"), said);
		// The button that was pressed is gone.
		$("account-title").focus();
	}

	// --- Data

	async function download() {
		$("export").disabled = true;
		const parts = [];
		try {
			for await (const part of chat().export()) parts.push(JSON.stringify(part));
		} catch (error) {
			return setText($("logins-status"), told(error));
		} finally {
			$("export").disabled = false;
		}
		const href = URL.createObjectURL(new Blob([`[\n${parts.join(",\n")}\n]\n`], { type: "application/json" }));
		el("a", { href, download: `${chat().user}.json` }).click();
		URL.revokeObjectURL(href);
		setText($("logins-status"), t("account.downloaded"));
	}

	// --- Password

	const FIELDS = ["old", "new"];

	function complain(field, text) {
		for (const each of FIELDS) {
			setText($(`${each}-password-error`), each === field ? text : "");
			$(`${each}-password`).ariaInvalid = each === field ? "true" : null;
		}
		if (field) $(`${field}-password`).focus();
	}

	async function changePassword() {
		const [old, password] = FIELDS.map((each) => $(`${each}-password`).value);
		complain();
		if (!old) return complain("old", t("account.needOld"));
		if (!password) return complain("new", t("account.needNew"));
		try {
			await chat().password(old, password);
		} catch (error) {
			const isOld = error.code === 2001 || error.code === 5001 || error.data.field === "old";
			return complain(isOld ? "old" : "new", error.code === 2001 ? t("account.wrong") : told(error));
		}
		$("password-form").reset();
		$("account").close();
		toast(t("account.changed"));
	}

	function account() {
		$("password-form").reset();
		complain();
		setText($("logins-status"), "");
		$("logins").replaceChildren();
		$("logins-others").hidden = true;
		$("account-name").value = chat().user;
		$("account").showModal();
		drawLogins();
	}

	// --- Invite links

	function inviteLink(room) {
		const rooms = [...chat().rooms.values()].filter((each) => !each.direct);
		const option = (each) => el("option", { value: each.name, selected: each === room }, label(each));
		$("inviting-form").reset();
		$("inviting-room").replaceChildren(el("option", { value: "" }, t("none")), ...rooms.map(option));
		for (const option of $("inviting-uses").options) option.textContent = t("link.people", { n: Number(option.value) });
		for (const option of $("inviting-time").options) option.textContent = t("link.days", { n: option.value / 86_400_000 });
		showLink(null);
		$("inviting").showModal();
	}

	function showLink(made) {
		setText($("inviting-error"), "");
		setText($("inviting-status"), made ? t("link.lets", { who: t("link.people", { n: made.uses }), until: endOf(made.until) }) : "");
		$("inviting-made").hidden = !made;
		$("inviting-link").value = made ? new URL(made.path, location.href).href : "";
		if (made) $("inviting-link").select();
		if (made) $("inviting-link").focus();
	}

	async function makeLink() {
		showLink(null);
		const room = $("inviting-room").value;
		const [uses, for_ms] = ["inviting-uses", "inviting-time"].map((id) => Number($(id).value));
		try {
			const made = await chat().inviteLink({ uses, for_ms, rooms: room ? [room] : undefined });
			showLink({ uses, until: Date.now() + for_ms, ...made });
		} catch (error) {
			setText($("inviting-error"), told(error));
		}
	}

	async function copyLink() {
		const link = $("inviting-link");
		link.select();
		// Without TLS there is no clipboard but the old way.
		const isCopied = await (navigator.clipboard?.writeText(link.value).then(() => true, () => false) ?? false);
		setText($("inviting-status"), t(isCopied || document.execCommand("copy") ? "link.copied" : "link.press"));
	}

	const on = (id, type, run) =>
		$(id).addEventListener(type, (event) => {
			event.preventDefault();
			run();
		});
	on("password-form", "submit", changePassword);
	on("export", "click", download);
	on("logins-others", "click", () => end("others"));
	on("account-close", "click", () => $("account").close());
	on("inviting-form", "submit", makeLink);
	on("inviting-copy", "click", copyLink);
	on("inviting-close", "click", () => $("inviting").close());
	$("account").addEventListener("close", () => $("password-form").reset());
	$("inviting").addEventListener("close", () => showLink(null));
	return { account, inviteLink };
}
