/** The message field: what it holds for each room, edits, answers, and what is said beside it. */
import { readTyped } from "/commands.js";
import { $, isolated, setText } from "/dom.js";
import { preferences } from "/preferences.js";
import { stored } from "/storage.js";
import { t } from "/words.js";

/** Drafts kept; those of rooms left longest ago go first. */
const DRAFTS_MAX = 50;

/**
 * Connects the field. `say(text, more)` sends a message, with `reply_to` if it answers one, and returns why not, if it does not;
 * `attached()` is whether files go with it, and then it may have no text; `save(seq, text)` changes one;
 * `run(command)` carries out what was typed, and resolves to whether it could; `lastOwn()` is the message that an arrow edits;
 * `typing()` is called while a message is typed, `touched()` when the field gets another use; `fail(error)` reports a refusal.
 */
export function composer({ say, attached, save, run, lastOwn, typing, touched, fail }) {
	/** What stands in the field of other rooms, by their names. */
	let drafts = new Map();
	/** The message that is being edited: `{seq, draft}`. */
	let editing = null;
	/** The seq of the message that is being answered. */
	let answering = 0;
	/** How often the field has been given to a room. */
	let takes = 0;
	const field = $("text");

	function hint(text) {
		setText($("hint"), text);
		$("hint").hidden = !text;
	}

	// On a touch screen focus would open the keyboard.
	const focus = () => matchMedia("(hover: hover)").matches && field.focus();

	/** Keeps what stands in the field, for this room alone. */
	function keep(name) {
		drafts.delete(name);
		const text = editing ? editing.draft : field.value;
		if (text) drafts.set(name, text);
		if (drafts.size > DRAFTS_MAX) drafts.delete(drafts.keys().next().value);
		stored("drafts", [...drafts]);
	}

	/** Fills the field with what it held for a room. */
	function take(name) {
		takes += 1;
		endEdit();
		endAnswer();
		hint("");
		field.value = drafts.get(name) ?? "";
	}

	function submit() {
		const { value } = field;
		const typed = readTyped(value);
		hint(typed.hint ?? "");
		if (typed.command && editing) hint(t("field.first"));
		else if (typed.command) runTyped(typed, value);
		else if (typed.say !== undefined && editing) saveEdit(typed.say, value);
		else if (typed.say !== undefined || (attached() && !value.trim())) {
			const refusal = say(typed.say ?? "", answering ? { reply_to: answering } : {});
			if (refusal) return hint(refusal);
			field.value = "";
			endAnswer();
		}
	}

	/** What could not be carried out comes back to be mended, unless the field has another use by now. */
	async function runTyped(command, value) {
		const before = takes;
		field.value = "";
		if (!(await run(command)) && takes === before && !editing && !field.value) field.value = value;
	}

	/** The next message answers this one. */
	function answer({ item, text }) {
		touched();
		endEdit();
		answering = item.seq;
		const words = text.slice(0, 60).replace(/\s+/g, " ");
		setText($("editing-text"), t("field.answering", { name: isolated(item.from), words: words + (text.length > 60 ? "…" : "") }));
		$("editing").hidden = false;
		field.focus();
	}

	function endAnswer() {
		if (!answering) return;
		answering = 0;
		$("editing").hidden = true;
	}

	/** Puts a message's text into the field; the draft there comes back afterwards. */
	function edit({ item, text }) {
		touched();
		endEdit();
		endAnswer();
		setText($("editing-text"), t("field.editing"));
		editing = { seq: item.seq, draft: field.value };
		field.value = /^[/／]/.test(text) ? `/${text}` : text;
		hint("");
		$("editing").hidden = false;
		field.focus();
	}

	async function saveEdit(text, value) {
		const saved = editing;
		try {
			await save(saved.seq, text);
			// Who has typed on meanwhile goes on editing.
			if (editing === saved && field.value === value) endEdit();
		} catch (error) {
			fail(error);
		}
	}

	function endEdit() {
		if (!editing) return;
		field.value = editing.draft;
		editing = null;
		$("editing").hidden = true;
	}

	/** A room has another name: its draft goes along. */
	function rename(was, name) {
		if (!drafts.has(was)) return;
		drafts.set(name, drafts.get(was));
		drafts.delete(was);
		stored("drafts", [...drafts]);
	}

	/** Forgets everything, also what the browser keeps. */
	function clear() {
		endEdit();
		endAnswer();
		hint("");
		field.value = "";
		drafts.clear();
		stored("drafts", null);
	}

	$("composer").addEventListener("submit", (event) => {
		event.preventDefault();
		submit();
	});
	$("edit-cancel").addEventListener("click", () => {
		endEdit();
		endAnswer();
		focus();
	});
	field.addEventListener("input", () => {
		hint("");
		if (!editing && readTyped(field.value).say) typing();
	});
	field.addEventListener("keydown", (event) => {
		// Safari ends a composition before the key that ends it.
		if (event.isComposing || event.keyCode === 229) return;
		const last = event.key === "ArrowUp" && !field.value && lastOwn();
		if (event.key === "Escape") {
			endEdit();
			endAnswer();
		}
		const isSent = preferences.enter === "breaks" ? event.ctrlKey || event.metaKey : !event.shiftKey;
		if (event.key === "Enter" && isSent) submit();
		else if (last) edit(last);
		else return;
		event.preventDefault();
	});
	/** Puts a text where the cursor is. */
	function insert(text) {
		field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
		field.dispatchEvent(new Event("input"));
		field.focus();
	}

	return { hint, focus, keep, take, rename, edit, answer, insert, clear, restore: () => (drafts = new Map(stored("drafts"))) };
}
