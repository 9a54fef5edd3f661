/** The search dialog: a result leads to its place in the log. */
import { $, bdi, dayName, el, hourOf } from "/dom.js";

/** Results a page. */
const PAGE = 20;
/** Characters shown before the first word that was found. */
const BEFORE = 30;
const WORD = /[\p{L}\p{M}\p{N}\p{Co}]+/gu;

/** A word without case and accents, as the server compares it. */
const plain = (word) => word.normalize("NFKD").replace(/\p{Mn}/gu, "").toLowerCase();

/** A text with the words of `asked` marked, from shortly before the first; the last may be a beginning. */
export function marked(text, asked) {
	const words = (asked.match(WORD) ?? []).map(plain);
	const wanted = new Set(words);
	const beginning = words.at(-1);
	const nodes = [];
	let from = 0;
	for (const { 0: found, index } of text.matchAll(WORD)) {
		const word = plain(found);
		if (!wanted.has(word) && !(beginning && word.startsWith(beginning))) continue;
		const between = text.slice(from, index);
		nodes.push(nodes.length || index <= 2 * BEFORE ? between : `…${between.slice(-BEFORE)}`, el("mark", null, found));
		from = index + found.length;
	}
	return [...nodes, text.slice(from)];
}

/**
 * Connects the dialog. `search(text, where)` asks the server, `label(room)` names a conversation, `go(item)` shows a result,
 * `fail(error)` reports a refusal. Returns the function that opens it.
 */
export function searchDialog({ search, label, go, fail }) {
	/** The latest request: the answer to an earlier one is ignored. */
	let latest = null;
	let room = null;
	/** The words of the latest request. */
	let asked = "";

	/** Asks for the first page, or for the one `before`. */
	async function request(before) {
		const token = (latest = {});
		const text = (asked = $("search-text").value.trim());
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
		return el("li", null, el("button", { onclick }, about, el("span", { dir: "auto" }, ...marked(item.text ?? "", asked))));
	}

	const setStatus = (text) => ($("search-status").textContent = text);
	$("search-form").addEventListener("submit", (event) => {
		event.preventDefault();
		request();
	});
	$("search-close").addEventListener("click", () => $("search").close());
	$("search-here").addEventListener("change", () => request());
	/** Opens the dialog; `name` is the open room, if any. With `text` it asks at once. */
	return (name, text) => {
		room = name;
		$("search-only").hidden = !name;
		$("search-here").checked = false;
		$("search-room").textContent = name ? label(name) : "";
		$("search").showModal();
		if (text) $("search-text").value = text;
		$("search-text").select();
		if (text) request();
	};
}
