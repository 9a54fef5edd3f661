/** The quick switcher: a few letters lead to any conversation. */
import { $, bdi, el } from "/dom.js";
import { t } from "/words.js";

/** Conversations shown. */
const FOUND_MAX = 12;

/** Connects the dialog. `chat()` is the client, `here()` the open room, `label(room)` names one, `go(name)` opens one. Returns the function that opens it. */
export function switcherDialog({ chat, here, label, directName, go, fold }) {
	const [dialog, field, list] = [$("switcher"), $("switcher-find"), $("switcher-list")];
	let found = [];
	let at = 0;

	/** Where one can go: what is unread first, then the others by name, then people who are here. */
	function choices() {
		const { user, rooms, profiles } = chat();
		const called = (name) => profiles.get(name)?.display;
		const known = [...rooms.values()].filter((room) => room !== here()).map((room) => ({ name: room.name, label: label(room), unread: room.unread, called: room.direct ? called(label(room)) : "" }));
		const others = [...(here()?.presence?.users?.keys() ?? [])].filter((name) => name !== user && !rooms.has(directName(name)));
		const all = [...known, ...others.map((name) => ({ name: `@${name}`, label: name, unread: 0, called: called(name), about: t("switch.person") }))];
		return all.sort((a, b) => Number(b.unread > 0) - Number(a.unread > 0) || a.label.localeCompare(b.label));
	}

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
