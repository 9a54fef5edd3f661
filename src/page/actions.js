/** The actions on a message: one toolbar, shown at the message under the pointer or with the focus. */
import { el } from "/dom.js";
import { stateOf } from "/log-entry.js";

const QUICK = [["👍", "Like"], ["❤️", "Love"], ["😂", "Laugh"], ["🎉", "Celebrate"]];
const MESSAGE = ".msg:not(.waiting)";

/**
 * Adds the toolbar to the messages in `log`. `rights(state)` gives the allowed actions, `{edit, remove, moderate, about, thread, unread}`;
 * `react(state, emoji)`, `pick(state)` (another emoji), `answer(state)`, `thread(state)`, `link(state)` (copies one to it), `unread(state)`, `edit(state)`, `remove(state)`, and `moderate(state)` and `about(state)`, about the author, carry one out; `leave()` moves
 * the focus out of the log. Returns the function to call when messages have changed.
 */
export function messageToolbar(log, { rights, react, pick, answer, thread, link, unread, edit, remove, moderate, about, leave }) {
	const run = (act, ...more) => () => at && act(stateOf(at), ...more);
	const emoji = QUICK.map(([text, label]) => el("button", { ariaLabel: label, title: label, onclick: run(react, text) }, text));
	const other = el("button", { ariaLabel: "Another reaction", title: "Another reaction", onclick: run(pick) }, "☺");
	const reply = el("button", { title: "Answer (R)", onclick: run(answer) }, "Answer");
	const begin = el("button", { title: "Open the thread (T)", onclick: run(thread) }, "Thread");
	const address = el("button", { title: "Copy a link to this message (L)", onclick: run(link) }, "Link");
	const again = el("button", { title: "Mark as unread from here (U)", onclick: run(unread) }, "Unread");
	const change = el("button", { onclick: run(edit) }, "Edit");
	// The first press asks, so that a slip deletes nothing; the second deletes, unless both are one double click.
	const confirm = ({ detail }) => (!erase.dataset.armed ? arm(true) : detail < 2 && at && remove(stateOf(at)));
	const erase = el("button", { onclick: confirm });
	const more = el("button", { ariaLabel: "Moderate", title: "Moderate", onclick: run(moderate) }, "⋯");
	const flag = el("button", { ariaLabel: "Block or report", title: "Block or report", onclick: run(about) }, "⚑");
	const bar = el("div", { className: "actions", role: "toolbar", ariaLabel: "Message actions", ariaLive: "off" }, ...emoji, other, reply, begin, address, again, change, erase, flag, more);
	const shortcuts = {
		r: answer,
		l: link,
		t: (state) => rights(state).thread && thread(state),
		u: (state) => rights(state).unread && unread(state),
	};
	let at = null;

	function arm(wanted) {
		if (wanted) erase.dataset.armed = "1";
		else delete erase.dataset.armed;
		erase.textContent = wanted ? "Delete for everyone?" : "Delete";
	}

	function attach(node) {
		if (node && node === at && node.contains(bar)) return;
		at?.querySelectorAll(".reaction").forEach((button) => (button.tabIndex = -1));
		at = node;
		arm(false);
		const state = node && stateOf(node);
		if (!state || state.deleted) return bar.remove();
		const may = rights(state);
		begin.hidden = !may.thread;
		again.hidden = !may.unread;
		change.hidden = !may.edit;
		erase.hidden = !may.remove;
		more.hidden = !may.moderate;
		flag.hidden = !may.about;
		node.querySelectorAll(".reaction").forEach((button) => (button.tabIndex = 0));
		node.lastElementChild.append(bar);
	}

	function step(node, by) {
		const all = [...log.querySelectorAll(MESSAGE)];
		const next = node ? all[all.indexOf(node) + by] : all.at(-1);
		next?.focus();
	}

	log.addEventListener("pointerover", (event) => {
		if (event.pointerType === "mouse" && !bar.contains(document.activeElement)) attach(event.target.closest(MESSAGE));
	});
	log.addEventListener("pointerleave", (event) => {
		// A finger leaves at the end of each tap, when the toolbar has just appeared.
		if (event.pointerType === "mouse" && !bar.contains(document.activeElement)) attach(null);
	});
	log.addEventListener("focusin", (event) => attach(event.target.closest(MESSAGE)));
	document.addEventListener("pointerdown", (event) => event.pointerType !== "mouse" && !log.contains(event.target) && attach(null));
	log.addEventListener("keydown", (event) => {
		const node = event.target.closest(MESSAGE);
		if (event.altKey || event.ctrlKey || event.metaKey || (event.target !== log && event.target !== node)) {
			if (event.key === "Escape") node?.focus();
			return;
		}
		const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
		if (by) step(node, by);
		else if (event.key === "Enter") bar.querySelector("button")?.focus();
		else if (event.key === "Escape") leave();
		else if (node && !stateOf(node).deleted && shortcuts[event.key.toLowerCase()]) shortcuts[event.key.toLowerCase()](stateOf(node));
		else return;
		event.preventDefault();
		event.stopPropagation();
	});
	return () => at && (!at.isConnected || stateOf(at)?.deleted) && attach(null);
}
