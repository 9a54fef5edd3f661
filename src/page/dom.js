/** Helpers for the document. Text is inserted as text only, never as HTML. */
import { preferences } from "/preferences.js";
import { locale, t } from "/words.js";

export const $ = (id) => document.getElementById(id);

export function el(tag, properties, ...children) {
	const node = Object.assign(document.createElement(tag), properties);
	node.append(...children);
	return node;
}

/** So that a name from right to left does not reorder its surroundings. */
export const bdi = (text) => el("bdi", null, text);
export const isolated = (text) => `\u2068${text}\u2069`;

/** Has `node` and what is in it in the colour that a person has chosen for its name. */
export function tint(node, { color = "" } = {}) {
	if (node.dataset.color !== color) node.dataset.color = color;
}

/**
 * Shows in `box` what a person is called: the display name with the name behind it, or the name alone; the status text is its title. The
 * item of a list in which that is, with its avatar, gets the person's colour.
 */
export function drawName(box, name, profile = {}) {
	const { display = "", text = "", color = "" } = profile;
	const shown = JSON.stringify([name, display, text, color]);
	if (box.dataset.called === shown) return;
	box.dataset.called = shown;
	box.title = text;
	tint(box.closest("li") ?? box, profile);
	box.replaceChildren(Object.assign(bdi(display || name), { className: color && "called" }), ...(display ? [" ", el("small", { className: "of" }, bdi(name))] : []));
}

/** The place of words that a person says of itself, so that they are not taken for the page's own. */
export const says = (text = "") => el("bdi", { className: "says" }, text);

/** Changes only text that differs, so that a screen reader does not repeat it. */
export function setText(node, text) {
	if (node.textContent !== text) node.textContent = text;
}

/** Makes `nodes` the children of `list` without moving those in place. */
export function place(list, nodes) {
	const wanted = new Set(nodes);
	for (const child of [...list.children]) if (!wanted.has(child)) child.remove();
	let at = list.firstElementChild;
	for (const node of nodes) {
		if (node === at) at = at.nextElementSibling;
		else list.insertBefore(node, at);
	}
}

/** The node of `key`, made at the first call. */
export function cached(nodes, key, make) {
	if (!nodes.has(key)) nodes.set(key, make());
	return nodes.get(key);
}

export function avatar(name) {
	const hash = [...name].reduce((sum, char) => (sum * 131 + char.codePointAt(0)) % 9973, 7);
	return el("span", { className: `avatar h${hash % 8}`, ariaHidden: "true" }, [...name][0].toUpperCase());
}

const OPENING = { ")": "(", "]": "[", "}": "{", "）": "（" };

/** An address as found in a text, without what belongs to the sentence: punctuation, and brackets opened before it. */
function addressIn(found) {
	const counts = new Map();
	for (const char of found) counts.set(char, (counts.get(char) ?? 0) + 1);
	for (let end = found.length; end > 0; end -= 1) {
		const last = found[end - 1];
		const isOwn = last in OPENING ? counts.get(last) <= (counts.get(OPENING[last]) ?? 0) : "/#%&@-".includes(last) || !/\p{P}/u.test(last);
		if (isOwn) return found.slice(0, end);
		counts.set(last, counts.get(last) - 1);
	}
	return "";
}

/** Text with its http and https addresses as links. */
export function linked(text) {
	const nodes = [];
	let from = 0;
	for (const { 0: found, index } of text.matchAll(/\bhttps?:\/\/[^\s<>"'`。、，「」『』【】《》]+/gi)) {
		const href = addressIn(found);
		if (!URL.canParse(href)) continue;
		nodes.push(text.slice(from, index), el("a", { href, target: "_blank", rel: "noopener noreferrer" }, href));
		from = index + href.length;
	}
	return [...nodes, text.slice(from)];
}

/** Formats of times, each made once: to make one takes longer than to use it a hundred times. */
const formats = new Map();
const formatted = (at, tag, options) => cached(formats, JSON.stringify([tag, options]), () => new Intl.DateTimeFormat(tag, options)).format(at);
const SECOND = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" };
const MINUTE = { dateStyle: "medium", timeStyle: "short" };

/** The day for which it was asked last: entries of a log come in their order. */
let day = { from: 0, to: 0 };
/** When the local day began. */
export function dayOf(at) {
	if (at < day.from || at >= day.to) day = { from: new Date(at).setHours(0, 0, 0, 0), to: new Date(at).setHours(24, 0, 0, 0) };
	return day.from;
}
export const dayName = (at) => (dayOf(at) === dayOf(Date.now()) ? t("log.today") : formatted(at, locale, { dateStyle: "full" }));
export function hourOf(at) {
	const { hours } = preferences;
	return formatted(at, [], { timeStyle: "short", ...(hours === "system" ? {} : { hourCycle: hours === "12" ? "h12" : "h23" }) });
}
/** A time to the second. */
export const secondOf = (at) => formatted(at, [], SECOND);
export const endOf = (until) => (until ? t("log.until", { when: formatted(until, [], MINUTE) }) : "");
