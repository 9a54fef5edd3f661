/** The dialog with what was done over others in a room, or everywhere, for those who may see it. */
import { bdi, el, setText } from "/dom.js";
import { has, locale, t, tn } from "/words.js";

/** Acts on a page. */
const PAGE = 50;

/** The text for an act: that of the log where it has one. Acts of the operator's tools alone are told by their names. */
function keyOf(act, by, user) {
	// A room that nobody is in any more ends by itself; whose message was deleted may not be known.
	const name = { close: by ? "close" : "ended", delete: user ? "delete" : "deleted" }[act] ?? act.replace(/^role /, "");
	return [`audit.${name}`, `log.${name}`].find(has) ?? "log.act";
}

/** Makes the dialog. `ask(op, fields)` asks the server; `sentence(error)` puts a refusal into words. Returns the function that opens it about a room, or without one about all. */
export function auditDialog({ ask, sentence }) {
	const title = el("h2", { id: "audit-title", tabIndex: -1 });
	const list = el("ul", { id: "audit-list", className: "held", ariaLabel: t("audit.list") });
	const status = el("p", { id: "audit-status", className: "help", role: "status" });
	const more = el("button", { id: "audit-more", type: "button", hidden: true, onclick: () => page() }, t("more"));
	const close = el("button", { id: "audit-close", type: "button", onclick: () => dialog.close() }, t("close"));
	const dialog = el("dialog", { id: "audit" }, title, list, status, el("p", { className: "buttons" }, more, " ", close));
	dialog.setAttribute("aria-labelledby", "audit-title");
	document.body.append(dialog);
	let about = null;
	let last;
	/** The latest request: the answer to an earlier one is ignored. */
	let latest = null;

	function node({ by, act, user = "", room = "", at }) {
		const when = new Date(at).toLocaleString(locale, { dateStyle: "medium", timeStyle: "short" });
		const values = { from: by ? bdi(by) : t("audit.operator"), target: bdi(user), room: bdi(room), until: "", act };
		const place = room && !about ? [" — ", bdi(room)] : [];
		return el("li", null, el("span", null, ...tn(keyOf(act, by, user), values), ...place, el("small", null, when)));
	}

	/** Draws the next page. */
	async function page() {
		const token = (latest = {});
		try {
			const answer = await ask("audit", { room: about ?? undefined, before: last, limit: PAGE });
			if (latest !== token) return;
			list.append(...answer.items.map(node));
			last = answer.items.at(-1)?.id ?? last;
			more.hidden = !answer.more;
			setText(status, list.childElementCount ? "" : t("audit.none"));
		} catch (error) {
			if (latest === token) setText(status, sentence(error));
		}
	}

	return async (room) => {
		[about, last] = [room, undefined];
		list.replaceChildren();
		more.hidden = true;
		title.replaceChildren(...tn(room ? "audit.titleIn" : "audit.title", { room: room && bdi(room) }));
		setText(status, "");
		if (!dialog.open) dialog.showModal();
		title.focus();
		await page();
	};
}
