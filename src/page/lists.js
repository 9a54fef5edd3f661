/** The lists beside the log: conversations, invitations, people. */
import { $, avatar, bdi, cached, el, place, setText } from "/dom.js";
import { isMarked, preferences } from "/preferences.js";

export const count = (n) => (n > 99 ? "99+" : String(n || ""));
/** The address of a room, or of a message in it, of this epoch of the room. */
export const addressOf = (name, at, epoch) => `#room=${encodeURIComponent(name)}${at ? `&at=${at}&epoch=${epoch}` : ""}`;

/** Draws conversations: `label(room)` names one, `unreadIn(room)` is how many messages are unread there. */
export function roomList(label, unreadIn) {
	const nodes = new WeakMap();

	function node(room, isOpen) {
		const { name, direct, mentions } = room;
		const unread = unreadIn(room);
		const isMuted = preferences.rooms[name] === "none";
		const made = cached(nodes, room, () => {
			const mark = direct ? avatar(label(room)) : el("span", { className: "hash", ariaHidden: "true" }, "#");
			return el("li", null, el("a", { href: addressOf(name) }, mark, bdi(label(room)), el("span", { className: "badge" })));
		});
		const link = made.firstChild;
		link.ariaCurrent = isOpen ? "page" : null;
		link.classList.toggle("unread", (unread > 0 && !isMuted) || isMarked(room));
		link.classList.toggle("muted", isMuted);
		const badge = link.lastChild;
		badge.classList.toggle("at", mentions > 0);
		const words = mentions ? `@${count(mentions)}, ${count(unread)} new` : unread ? `${count(unread)} new` : isMarked(room) ? "unread" : "";
		setText(badge, words);
		badge.title = mentions ? `You are named ${mentions === 1 ? "once" : `${count(mentions)} times`}` : isMuted ? "Muted" : "";
		return made;
	}

	return (rooms, open) => {
		const sorted = [...rooms].sort((a, b) => label(a).localeCompare(label(b)));
		for (const [list, direct] of [["rooms", false], ["directs", true]]) {
			place($(list), sorted.filter((room) => room.direct === direct).map((room) => node(room, room === open)));
		}
	};
}

/** The invitations of the user. `decline(name)` resolves once the server has been told, `changed()` follows each change. */
export function invitationList({ decline, changed }) {
	/** `{room, by, reason}` by room. */
	const all = new Map();
	const nodes = new WeakMap();

	function set(list) {
		all.clear();
		for (const invitation of list) all.set(invitation.room, invitation);
		changed();
	}

	function forget(name) {
		if (all.delete(name)) changed();
	}

	function node(invitation) {
		const { room, by, reason } = invitation;
		return cached(nodes, invitation, () => {
			const from = el("small", null, ...(by ? ["from ", bdi(by)] : []), ...(reason ? [": ", bdi(reason)] : []));
			const onclick = () => decline(room).then(() => forget(room), () => {});
			const button = el("button", { className: "plain", ariaLabel: `Decline ${room}`, title: "Decline", onclick }, "×");
			const link = el("a", { href: addressOf(room), title: "Accept the invitation" }, el("span", { className: "hash", ariaHidden: "true" }, "+"), bdi(room), from);
			return el("li", null, link, button);
		});
	}

	return {
		set,
		forget,
		add: (invitation) => set([...all.values()].filter(({ room }) => room !== invitation.room).concat(invitation)),
		list: () => [...all.values()],
		draw: () => place($("invites"), [...all.values()].map(node)),
	};
}

/**
 * Draws people: `me()` is the user, `writeTo(name, ...children)` makes the button that begins a conversation, `mayModerate(name)`
 * and `moderate(name)` are about the button beside it, `about(name)` about the one to block or report.
 */
export function peopleList({ me, writeTo, mayModerate, moderate, about }) {
	const nodes = new Map();

	function node([name, status]) {
		const made = cached(nodes, name, () => {
			const onclick = () => moderate(name);
			const more = el("button", { className: "plain", ariaLabel: `Moderate ${name}`, title: "Moderate", onclick }, "⋯");
			const flag = el("button", { className: "plain", ariaLabel: `Block or report ${name}`, title: "Block or report", onclick: () => about(name) }, "⚑");
			return el("li", null, writeTo(name, avatar(name), bdi(name), el("small")), flag, more);
		});
		made.className = status;
		made.lastChild.hidden = !mayModerate(name);
		made.lastChild.previousSibling.hidden = name === me();
		setText(made.querySelector("small"), status === "away" ? "away" : name === me() ? "you" : "");
		return made;
	}

	const rank = ([name, status]) => (name === me() ? 0 : status === "away" ? 2 : 1);
	return {
		clear: () => nodes.clear(),
		draw: (presence) => {
			setText($("open-people"), presence?.count ? `${presence.count.toLocaleString("en")} online` : "People");
			setText($("crowd"), crowd(presence));
			const users = [...(presence?.users ?? [])].sort((a, b) => rank(a) - rank(b) || a[0].localeCompare(b[0]));
			if (nodes.size > 2 * users.length + 50) nodes.clear();
			place($("persons"), users.map(node));
		},
	};
}

/** How many are here. Names are missing where a room has many members, however few of them are here. */
export function crowd(presence) {
	if (!presence?.count) return "People";
	const total = `${presence.count.toLocaleString("en")} online`;
	if (presence.users) return total;
	if (presence.count === 1) return "Nobody else is online";
	return presence.count > NAMED_MAX ? `${total}, too many to list` : `${total}, not listed in a large room`;
}

/** Up to as many members the server names. */
const NAMED_MAX = 200;
