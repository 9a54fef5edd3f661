/** The actions on a message: one toolbar, shown at the message under the pointer or with the focus. */
import { el } from "/dom.js";
import { stateOf } from "/log-entry.js";
import { t } from "/words.js";

const QUICK = [["👍", t("act.like")], ["❤️", t("act.love")], ["😂", t("act.laugh")], ["🎉", t("act.celebrate")]];
const MESSAGE = ".msg:not(.waiting)";
/** So many pixels above its message the toolbar begins. */
const ABOVE = 24;
/**
 * Whether fingers are used: then the toolbar stands under its message and not at its upper edge, where it would hide the one before. It
 * also does if that edge is not in view; and where the lower one is not either, it is all of the lower edge of the log, so that no word is
 * under a part of it.
 */
const hasNoHover = matchMedia("(hover: none)");

/**
 * Adds the toolbar to the messages in `log`. `rights(state)` gives the allowed actions, `{edit, remove, moderate, about, thread, unread}`;
 * `react(state, emoji)`, `pick(state)` (another emoji), `answer(state)`, `thread(state)`, `link(state)` (copies one to it), `unread(state)`, `edit(state)`, `remove(state)`, and `moderate(state)` and `about(state)`, about the author, carry one out; `leave()` moves
 * the focus out of the log. Returns the function to call when messages have changed.
 */
export function messageToolbar(log, { rights, react, pick, answer, thread, link, unread, edit, remove, moderate, about, leave }) {
	const run = (act, ...more) => () => at && act(stateOf(at), ...more);
	const emoji = QUICK.map(([text, label]) => el("button", { ariaLabel: label, title: label, onclick: run(react, text) }, text));
	const other = el("button", { ariaLabel: t("act.other"), title: t("act.other"), onclick: run(pick) }, "☺");
	const reply = el("button", { title: t("act.answerTitle"), onclick: run(answer) }, t("act.answer"));
	const begin = el("button", { title: t("act.threadTitle"), onclick: run(thread) }, t("act.thread"));
	const address = el("button", { title: t("act.linkTitle"), onclick: run(link) }, t("act.link"));
	const again = el("button", { title: t("act.unreadTitle"), onclick: run(unread) }, t("act.unread"));
	const change = el("button", { onclick: run(edit) }, t("act.edit"));
	// The first press asks, so that a slip deletes nothing; the second deletes, unless both are one double click.
	const confirm = ({ detail }) => (!erase.dataset.armed ? arm(true) : detail < 2 && at && remove(stateOf(at)));
	const erase = el("button", { onclick: confirm });
	const more = el("button", { ariaLabel: t("members.moderate"), title: t("members.moderate"), onclick: run(moderate) }, "⋯");
	const flag = el("button", { ariaLabel: t("people.flag"), title: t("people.flag"), onclick: run(about) }, "⚑");
	const bar = el("div", { className: "actions", role: "toolbar", ariaLabel: t("act.bar"), ariaLive: "off" }, ...emoji, other, reply, begin, address, again, change, erase, flag, more);
	const shortcuts = {
		r: answer,
		l: link,
		t: (state) => rights(state).thread && thread(state),
		u: (state) => rights(state).unread && unread(state),
	};
	let at = null;
	let place = "";

	function arm(wanted) {
		if (wanted) erase.dataset.armed = "1";
		else delete erase.dataset.armed;
		erase.textContent = t(wanted ? "act.deleteAsk" : "act.delete");
	}

	function attach(node) {
		if (node && node === at && node.contains(bar)) return;
		at?.querySelectorAll(".reaction").forEach((button) => (button.tabIndex = -1));
		at = node;
		arm(false);
		const state = node && stateOf(node);
		if (!state || state.deleted) {
			bar.remove();
			return settle();
		}
		const may = rights(state);
		begin.hidden = !may.thread;
		again.hidden = !may.unread;
		change.hidden = !may.edit;
		erase.hidden = !may.remove;
		more.hidden = !may.moderate;
		flag.hidden = !may.about;
		node.querySelectorAll(".reaction").forEach((button) => (button.tabIndex = 0));
		node.lastElementChild.append(bar);
		settle();
	}

	/** Puts the toolbar at the edge of its message that is in view, and what else stands at the lower edge of the log above it. */
	function settle() {
		const [own, all] = [at?.lastElementChild ?? log, log].map((node) => node.getBoundingClientRect());
		const isLow = hasNoHover.matches || own.top < all.top + ABOVE;
		const isStrip = bar.isConnected && isLow && own.bottom > all.bottom;
		bar.classList.toggle("low", isLow);
		bar.classList.toggle("strip", isStrip);
		log.parentElement.style.setProperty("--strip", isStrip ? `${bar.offsetHeight}px` : "0px");
	}

	function step(node, by) {
		const all = [...log.querySelectorAll(MESSAGE)];
		const next = node ? all[all.indexOf(node) + by] : all.at(-1);
		next?.focus();
	}

	// Who has pressed a button of it with the mouse goes on to other messages; who walks by the keyboard is not disturbed.
	// What scrolls past a pointer that rests has not been pointed at.
	log.addEventListener("pointermove", (event) => {
		const before = place;
		place = `${event.screenX},${event.screenY}`;
		if (event.pointerType === "mouse" && place !== before && !bar.querySelector(":focus-visible")) attach(event.target.closest(MESSAGE));
	});
	log.addEventListener("pointerleave", (event) => {
		// A finger leaves at the end of each tap, when the toolbar has just appeared.
		if (event.pointerType === "mouse" && !bar.querySelector(":focus-visible")) attach(null);
	});
	// The toolbar moves what is under a finger: that gets its click before.
	const follow = () => {
		attach(document.activeElement.closest(`#${log.id} ${MESSAGE}`));
		// Under the message of a finger it has a place of its own, which is to be seen.
		if (hasNoHover.matches && at && at.offsetHeight <= log.clientHeight) at.scrollIntoView({ block: "nearest" });
	};
	log.addEventListener("focusin", ({ target }) => (target.matches(MESSAGE) && !hasNoHover.matches ? attach(target) : setTimeout(follow)));
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
	log.addEventListener("scroll", settle);
	return () => (at && (!at.isConnected || stateOf(at)?.deleted) ? attach(null) : settle());
}
