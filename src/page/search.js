/** The search dialog: a result leads to its place in the log. */
import { $, bdi, dayName, el, hourOf } from "/dom.js";
import { t, tn } from "/words.js";

/** Results a page. */
const PAGE = 20;
/** Characters shown before the first word that was found. */
const BEFORE = 30;
const WORD = /[\p{L}\p{M}\p{N}\p{Co}]+/gu;

/** Pages that are asked for at once where not all that is found is meant, and how many of such a page. */
const SIFTED_PAGES = 5;
const SIFTED_PAGE = 100;
const DAY = /^(\d{4})-(\d{1,2})-(\d{1,2})$/;

/**
 * Reads what was typed. `{text}` has the words for the server; `room` and the function `isMeant(item)` are what narrows them, `isSifted`
 * whether the latter does; `{hint}` says what is wrong. `me` is the user, `roomOf(name)` the room of that name or of `@name`.
 */
export function readQuery(typed, { me, roomOf }) {
	const [words, phrases, tests] = [[], [], []];
	const query = {};
	for (const { groups: { key, value, quoted, word } } of typed.matchAll(/(?<key>from|in|on|before|after):(?<value>\S*)|["“”„](?<quoted>[^"“”]*)["“”]?|(?<word>\S+)/giu)) {
		if (word !== undefined) words.push(word);
		else if (quoted !== undefined) phrases.push(quoted);
		else {
			const wrong = narrow(key.toLowerCase(), value.toLowerCase());
			if (wrong) return { hint: wrong };
		}
	}

	function narrow(key, value) {
		if (!value) return t("search.missing", { key });
		if (key === "in") query.room = roomOf(value.replace(/^#/, ""));
		else if (key === "from") {
			const name = value.replace(/^@/, "");
			tests.push(({ from }) => from === (name === "me" ? me : name));
		} else {
			const [, year, month, day] = value.match(DAY) ?? [];
			const [begin, end] = [0, 1].map((more) => new Date(year, month - 1, Number(day) + more).getTime());
			const isDay = year && new Date(begin).getDate() === Number(day) && new Date(begin).getMonth() === month - 1;
			if (!isDay) return t("search.noDay", { value });
			tests.push({ on: ({ at }) => at >= begin && at < end, before: ({ at }) => at < begin, after: ({ at }) => at >= end }[key]);
		}
		return "";
	}

	const inRow = (text) => ` ${(text.match(WORD) ?? []).map(plain).join(" ")} `;
	for (const phrase of phrases.filter((each) => inRow(each).trim())) tests.push(({ text }) => inRow(text ?? "").includes(inRow(phrase)));
	const text = [...phrases, ...words].join(" ").trim();
	if (typed.trim() && !(text.match(WORD) ?? []).length) return { hint: t("search.needWord") };
	return { ...query, text, isSifted: tests.length > 0, isMeant: (item) => tests.every((test) => test(item)) };
}

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
 * Connects the dialog. `search(text, where)` asks the server, `me()` is the user, `roomOf(name)` the room of that name or of `@name`; `label(room)` names a conversation, `go(item)` shows a result,
 * `fail(error)` reports a refusal. Returns the function that opens it.
 */
export function searchDialog({ search, me, roomOf, label, go, fail }) {
	/** The latest request: the answer to an earlier one is ignored. */
	let latest = null;
	let room = null;
	/** The words of the latest request. */
	let asked = "";

	/** Asks for the first page, or for the one `before`. */
	async function request(before) {
		const token = (latest = {});
		const query = readQuery($("search-text").value, { me: me(), roomOf });
		asked = query.text ?? "";
		if (!before) $("found").replaceChildren();
		$("found-more").hidden = true;
		if (!asked) return setStatus(query.hint ?? "");
		setStatus(t("search.searching"));
		try {
			const where = { room: query.room ?? ($("search-here").checked ? room : undefined), limit: query.isSifted ? SIFTED_PAGE : PAGE };
			let [answer, shown] = [{ more: true, before }, 0];
			// The server finds words; what else is asked for is looked for in what it finds.
			for (let pages = 0; answer.more && shown < PAGE && pages < (query.isSifted ? SIFTED_PAGES : 1); pages += 1) {
				answer = await search(asked, { ...where, before: answer.before });
				if (latest !== token) return;
				const meant = answer.items.filter(query.isMeant);
				$("found").append(...meant.map(found));
				shown += meant.length;
			}
			const n = $("found").childElementCount;
			setStatus(n ? t(answer.more ? "found.first" : "found", { n }) : t(answer.more ? "search.further" : "search.nothing"));
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
	const code = (text) => el("code", null, text);
	const examples = { from: code("from:ann"), in: code("in:tea"), on: code("on:2026-01-31"), before: code("before:"), after: code("after:") };
	$("search-help").replaceChildren(...tn("search.narrow", examples));
	$("search-close").addEventListener("click", () => $("search").close());
	$("search-here").addEventListener("change", () => request());
	/** Opens the dialog; `name` is the open room, if any. With `text` it asks at once. */
	return (name, text) => {
		room = name;
		$("search-only").hidden = !name;
		$("search-here").checked = false;
		$("search-room").replaceChildren(...(name ? tn("search.only", { room: bdi(label(name)) }) : []));
		$("search").showModal();
		if (text) $("search-text").value = text;
		$("search-text").select();
		if (text) request();
	};
}
