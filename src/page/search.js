/** The search dialog: a result leads to its place in the log. */
import { $, bdi, dayName, el, hourOf } from "/dom.js";

/** Results a page. */
const PAGE = 20;

/**
 * Connects the dialog. `search(text, where)` asks the server, `label(room)` names a conversation, `go(item)` shows a result,
 * `fail(error)` reports a refusal. Returns the function that opens it.
 */
export function searchDialog({ search, label, go, fail }) {
	/** The latest request: the answer to an earlier one is ignored. */
	let latest = null;
	let room = null;

	/** Asks for the first page, or for the one `before`. */
	async function request(before) {
		const token = (latest = {});
		const text = $("search-text").value.trim();
		if (!before) $("found").replaceChildren();
		$("found-more").hidden = true;
		if (!text) return setStatus("");
		setStatus("Searching…");
		try {
			const where = { room: $("search-here").checked ? room : undefined, before, limit: PAGE };
			const answer = await search(text, where);
			if (latest !== token) return;
			$("found").append(...answer.items.map(found));
			setStatus($("found").childElementCount ? "" : "No messages found.");
			$("found-more").hidden = !answer.more;
			$("found-more").onclick = () => request(answer.before);
		} catch (error) {
			if (latest !== token) return;
			setStatus("");
			fail(error);
		}
	}

	function found(item) {
		const about = el("small", null, bdi(label(item.room)), " · ", bdi(item.from), ` · ${dayName(item.at)}, ${hourOf(item.at)}`);
		const onclick = () => {
			$("search").close();
			go(item);
		};
		return el("li", null, el("button", { onclick }, about, el("span", { dir: "auto" }, item.text ?? "")));
	}

	const setStatus = (text) => ($("search-status").textContent = text);
	$("search-form").addEventListener("submit", (event) => {
		event.preventDefault();
		request();
	});
	$("search-close").addEventListener("click", () => $("search").close());
	$("search-here").addEventListener("change", () => request());
	/** Opens the dialog; `name` is the open room, if any. */
	return (name) => {
		room = name;
		$("search-only").hidden = !name;
		$("search-here").checked = false;
		$("search-room").textContent = name ? label(name) : "";
		$("search").showModal();
		$("search-text").select();
	};
}
