/** What can be done to a message: one toolbar, which goes to the message under the pointer or the focus. */
import { el } from "/dom.js";
import { stateOf } from "/entry.js";

const EMOJI = [["👍", "Like"], ["❤️", "Love"], ["😂", "Laugh"], ["🎉", "Celebrate"]];
const MESSAGE = ".msg:not(.waiting)";

/**
 * Serves the messages in `log`. `rights(state)` gives `{edit, remove, order}`; `react(state, emoji)`, `edit(state)`, `remove(state)`
 * and `order(state)`, about its author, do it; `leave()` is where the focus goes from here.
 */
export function serve(log, { rights, react, edit, remove, order, leave }) {
	const run = (act, ...more) => () => at && act(stateOf(at), ...more);
	const emoji = EMOJI.map(([text, label]) => el("button", { ariaLabel: label, title: label, onclick: run(react, text) }, text));
	const change = el("button", { onclick: run(edit) }, "Edit");
	// The second press does it.
	const sure = () => (erase.dataset.sure ? at && remove(stateOf(at)) : arm(true));
	const erase = el("button", { onclick: sure });
	const more = el("button", { ariaLabel: "Keep order", title: "Keep order", onclick: run(order) }, "⋯");
	const bar = el("div", { className: "acts", role: "toolbar", ariaLabel: "Message actions", ariaLive: "off" }, ...emoji, change, erase, more);
	let at = null;

	function arm(wanted) {
		if (wanted) erase.dataset.sure = "1";
		else delete erase.dataset.sure;
		erase.textContent = wanted ? "Delete for all?" : "Delete";
	}

	function attach(node) {
		if (node && node === at && node.contains(bar)) return;
		at?.querySelectorAll(".reaction").forEach((button) => (button.tabIndex = -1));
		at = node;
		arm(false);
		const state = node && stateOf(node);
		if (!state || state.deleted) return bar.remove();
		const may = rights(state);
		change.hidden = !may.edit;
		erase.hidden = !may.remove;
		more.hidden = !may.order;
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
		// A finger leaves with each tap.
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
		else return;
		event.preventDefault();
		event.stopPropagation();
	});
	/** The message has changed, or is gone. */
	return () => at && (!at.isConnected || stateOf(at)?.deleted) && attach(null);
}
