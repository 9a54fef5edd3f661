/** Completion while a message is typed: names after `@`, emoji after `:`, commands after `/`. */
import { $, el, place, setText } from "/dom.js";
import { t } from "/words.js";

/** Choices shown. */
const CHOICES_MAX = 8;
/** What is completed: the beginning of the field's text, up to the cursor. */
const TYPED = /(?:^|[\s(])([@:])([\p{L}\p{M}\p{N}_.+-]{0,32})$|^(\/)([\p{L}-]{0,16})$/u;

/** `names()` lists people, `commands` each command as `[word, about]`; `isBusy()` is whether the keys have another use. */
export function completion(field, { names, commands }) {
	const list = $("choices");
	/** What stands in the list: `{text, label, about}`. */
	let choices = [];
	/** The emoji, once one is wanted. */
	let emoji = null;
	let at = 0;
	/** Where what is replaced begins. */
	let from = 0;

	function found(mark, typed) {
		const begins = (word) => word.toLowerCase().startsWith(typed.toLowerCase());
		if (mark === "@") return [...new Set(names())].filter(begins).map((name) => ({ text: `@${name} `, label: `@${name}`, about: "" }));
		if (mark === "/") return commands.filter(([word]) => begins(word)).map(([word, about]) => ({ text: `/${word} `, label: `/${word}`, about }));
		// A colon alone is no wish for an emoji.
		if (typed.length < 2) return [];
		emoji ??= import("/emoji.js").then(({ EMOJI }) => (emoji = EMOJI) && update(), () => (emoji = null));
		if (!Array.isArray(emoji)) return [];
		const matches = emoji.filter(([, words]) => words.split(" ").some(begins));
		return matches.map(([found, words]) => ({ text: `${found} `, label: found, about: `:${words.split(" ").find(begins)}:` }));
	}

	function update() {
		const { value, selectionStart: cursor, selectionEnd } = field;
		const match = cursor === selectionEnd && document.activeElement === field ? value.slice(0, cursor).match(TYPED) : null;
		const [mark, typed] = match ? [match[1] ?? match[3], match[2] ?? match[4]] : [];
		choices = mark ? found(mark, typed).slice(0, CHOICES_MAX) : [];
		// What is complete already needs no list.
		if (choices.length === 1 && choices[0].label === mark + typed) choices = [];
		from = cursor - (typed?.length ?? 0) - 1;
		at = 0;
		draw();
	}

	function draw() {
		list.hidden = !choices.length;
		place(list, choices.map(({ label, about }, index) => {
			const item = el("li", { id: `choice-${index}`, role: "option", ariaSelected: String(index === at) }, el("b", null, label), " ", el("small", null, about));
			// The field keeps the focus.
			item.addEventListener("pointerdown", (event) => {
				event.preventDefault();
				choose(index);
			});
			return item;
		}));
		if (choices.length) field.setAttribute("aria-activedescendant", `choice-${at}`);
		else field.removeAttribute("aria-activedescendant");
		setText($("choices-status"), choices.length ? t("field.suggestions", { n: choices.length, label: choices[at].label }) : "");
	}

	function choose(index) {
		const { text } = choices[index];
		field.setRangeText(text, from, field.selectionStart, "end");
		choices = [];
		draw();
		field.dispatchEvent(new Event("input"));
	}

	function onKey(event) {
		if (!choices.length || event.isComposing || event.altKey || event.ctrlKey || event.metaKey) return;
		const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
		// Enter sends a command that was typed as a whole.
		const takes = event.key === "Tab" || (event.key === "Enter" && !event.shiftKey && field.value !== choices[at].text.trim());
		if (by) at = (at + by + choices.length) % choices.length;
		else if (takes) return stop(event, () => choose(at));
		else if (event.key === "Escape") choices = [];
		else return;
		stop(event, draw);
	}

	function stop(event, run) {
		event.preventDefault();
		event.stopImmediatePropagation();
		run();
	}

	field.addEventListener("keydown", onKey, { capture: true });
	field.addEventListener("input", update);
	field.addEventListener("click", update);
	field.addEventListener("blur", () => {
		choices = [];
		draw();
	});
}
