/** The dialog with what was reported, for those who may settle it. */
import { $, bdi, el, setText } from "/dom.js";
import { t, tn } from "/words.js";

/**
 * Connects the dialog. `chat()` is the client; `label(room)` names a room; `sentence(error)` puts a refusal into words. Returns the
 * function that opens it.
 */
export function reportsDialog({ chat, turn, label, sentence }) {
	let last = 0;
	/** The latest request: the answer to an earlier one is ignored. */
	let latest = null;

	function node({ id, by, user, room, text, reason, at }) {
		const when = new Date(at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
		const place = room ? tn("reports.in", { room: bdi(label(room)) }) : [];
		const about = el("span", null, bdi(user), ...place, el("small", null, ...tn("reports.by", { by: bdi(by), when })));
		for (const words of [text, reason && t("reports.why", { reason })]) if (words) about.append(el("small", { dir: "auto" }, words));
		const onclick = () => settle(id);
		return el("li", null, about, el("button", { type: "button", ariaLabel: t("reports.settleOf", { user }), onclick }, t("reports.settle")));
	}

	/** Draws the next page behind the report `after`. */
	async function page(after) {
		const token = (latest = {});
		try {
			const { items, more } = await chat().reports({ after });
			if (latest !== token) return;
			const nodes = items.map(node);
			if (after) $("reports-list").append(...nodes);
			else $("reports-list").replaceChildren(...nodes);
			last = items.at(-1)?.id ?? last;
			$("reports-more").hidden = !more;
			setText($("reports-status"), $("reports-list").childElementCount ? "" : t("reports.nothing"));
			$("reports-open").hidden = !$("reports-list").childElementCount;
		} catch (error) {
			if (latest === token) setText($("reports-status"), sentence(error));
		}
	}

	async function settle(id) {
		try {
			await chat().settle(id);
		} catch (error) {
			return setText($("reports-status"), sentence(error));
		}
		await page(0);
		// The button that was pressed is gone.
		$("reports-title").focus();
	}

	$("reports-more").addEventListener("click", () => page(last));
	$("reports-close").addEventListener("click", () => $("reports").close());

	return async () => {
		const isDue = turn();
		await page(0);
		if (isDue()) $("reports").showModal();
	};
}
