/** The quick switcher: a few letters lead to any conversation. */
import { $, bdi, el } from "/dom.js";
import { t } from "/words.js";

/** Conversations shown. */
const FOUND_MAX = 12;

/**
 * Connects the dialog. `choices()` lists conversations as `{name, label, unread, about, called}`, those to come first first; `go(name)` opens
 * one. Returns the function that opens it.
 */
export function switcherDialog({ choices, go, fold }) {
	const [dialog, field, list] = [$("switcher"), $("switcher-find"), $("switcher-list")];
	let found = [];
	let at = 0;

	/** How well a label fits what was typed; Infinity if it does not. */
	function rank(label, wanted) {
		const index = label.toLowerCase().indexOf(wanted);
		if (index < 0) return Infinity;
		return index === 0 ? 0 : /[\p{L}\p{N}]/u.test(label[index - 1]) ? 2 : 1;
	}

	function search() {
		const wanted = fold(field.value).replace(/^[#@]/, "");
		const all = choices();
		found = all.map((each) => ({ each, rank: Math.min(rank(each.label, wanted), rank(fold(each.called ?? ""), wanted)) })).filter(({ rank }) => rank < Infinity)
			.sort((a, b) => a.rank - b.rank).slice(0, FOUND_MAX).map(({ each }) => each);
		const isNew = wanted && !all.some(({ label }) => label === wanted);
		if (isNew) {
			const isPerson = field.value.trim().startsWith("@");
			found.push({ name: isPerson ? `@${wanted}` : wanted, label: wanted, about: t(isPerson ? "switch.person" : "switch.room") });
		}
		at = 0;
		draw();
	}

	function draw() {
		list.replaceChildren(...found.map(({ label, name, unread, about, called }, index) => {
			const more = unread ? t("switch.new", { n: unread }) : (about ?? "");
			const words = [bdi(label), ...(called ? [" ", el("small", { className: "of" }, bdi(called))] : [])];
			const onclick = () => choose(index);
			const properties = { id: `switch-${index}`, role: "option", ariaSelected: String(index === at), onclick };
			return el("li", properties, el("span", { ariaHidden: "true" }, name.startsWith("@") ? "@" : "#"), el("span", null, ...words), el("small", null, more));
		}));
		field.setAttribute("aria-activedescendant", found.length ? `switch-${at}` : "");
	}

	function choose(index) {
		dialog.close();
		if (found[index]) go(found[index].name);
	}

	field.addEventListener("input", search);
	field.addEventListener("keydown", (event) => {
		const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
		if (!by || !found.length) return;
		event.preventDefault();
		at = (at + by + found.length) % found.length;
		draw();
	});
	$("switcher-form").addEventListener("submit", (event) => {
		event.preventDefault();
		choose(at);
	});
	$("switcher-close").addEventListener("click", () => dialog.close());
	return () => {
		$("switcher-form").reset();
		search();
		dialog.showModal();
	};
}
