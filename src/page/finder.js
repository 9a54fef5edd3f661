/** The search: a dialog with what was found, from which one goes to its place in the log. */
import { $, bdi, dayName, el, hourOf } from "/dom.js";

/** Found at once. */
const PAGE = 20;

/** Makes the dialog work: `search(text, where)` asks, `label(room)` names, `go(item)` goes there; `fail(error)` is for refusals. */
export function serve({ search, label, go, fail }) {
	let asked = null;
	let room = null;

	/** Asks for the first page, or for what is `before`. */
	async function ask(before) {
		const token = (asked = {});
		const text = $("finder-text").value.trim();
		if (!before) $("found").replaceChildren();
		$("found-more").hidden = true;
		if (!text) return say("");
		say("Searching…");
		try {
			const where = { room: $("finder-here").checked ? room : undefined, before, limit: PAGE };
			const answer = await search(text, where);
			if (asked !== token) return;
			$("found").append(...answer.items.map(found));
			say($("found").childElementCount ? "" : "Nothing was found.");
			$("found-more").hidden = !answer.more;
			$("found-more").onclick = () => ask(answer.before);
		} catch (error) {
			if (asked !== token) return;
			say("");
			fail(error);
		}
	}

	function found(item) {
		const about = el("small", null, bdi(label(item.room)), " · ", bdi(item.from), ` · ${dayName(item.at)}, ${hourOf(item.at)}`);
		const onclick = () => {
			$("finder").close();
			go(item);
		};
		return el("li", null, el("button", { onclick }, about, el("span", { dir: "auto" }, item.text ?? "")));
	}

	const say = (text) => ($("found-none").textContent = text);
	$("finder-form").addEventListener("submit", (event) => {
		event.preventDefault();
		ask();
	});
	$("finder-close").addEventListener("click", () => $("finder").close());
	$("finder-here").addEventListener("change", () => ask());
	/** Opens the dialog over the room of this name, if one is open. */
	return (name) => {
		room = name;
		$("finder-only").hidden = !name;
		$("finder-here").checked = false;
		$("finder-room").textContent = name ? label(name) : "";
		$("finder").showModal();
		$("finder-text").select();
	};
}
