/** The lists beside the log: conversations, invitations, people. */
import { $, avatar, bdi, cached, drawName, el, place, says, setText, tint } from "/dom.js";
import { isArchived, isMarked, isPinned, preferences } from "/preferences.js";
import { t, tn } from "/words.js";

/** Conversations from which on they can be filtered. */
const FILTERED_FROM = 12;
/** Rows from which on a list has only those in the document that are in view, and how many above and below them. */
const LONG_FROM = 100;
const ROWS_AROUND = 15;
/** How high a row is as long as there is none, in pixels. */
const ROW_HEIGHT = 40;

export const count = (n) => (n > 99 ? "99+" : String(n || ""));

/** The address of a room, or of a message in it, of this epoch of the room. */
export const addressOf = (name, at, epoch) => `#room=${encodeURIComponent(name)}${at ? `&at=${at}&epoch=${epoch}` : ""}`;

/** What the rows of long lists show, by their nodes. */
const rowsShown = new WeakMap();
let heightSeen = ROW_HEIGHT;
const rowHeight = (list) => (heightSeen = list.firstElementChild?.getBoundingClientRect().height || heightSeen);

/** Shows `rows` in `list`, of many those in view, the one with the focus and `opened`; `node(row)` makes one, all of the same height. */
function placeRows(list, rows, node, opened) {
	if (rows.length < LONG_FROM) {
		list.style.paddingBlock = "";
		return place(list, rows.map((row) => Object.assign(node(row), { ariaSetSize: null, ariaPosInSet: null })));
	}
	const height = rowHeight(list);
	const { top } = list.getBoundingClientRect();
	const within = (at) => Math.min(rows.length, Math.max(0, at));
	const first = within(Math.floor(-top / height) - ROWS_AROUND);
	const end = Math.max(first, within(Math.ceil((innerHeight - top) / height) + ROWS_AROUND));
	const focused = rows.indexOf(rowsShown.get([...list.children].find((child) => child.contains(document.activeElement))));
	const kept = [...new Set([focused, rows.indexOf(opened)])].filter((at) => at >= 0).sort((a, b) => a - b);
	const [above, below] = [kept.filter((at) => at < first), kept.filter((at) => at >= end)];
	const shown = [...above, ...Array.from({ length: end - first }, (_, at) => first + at), ...below];
	place(list, shown.map((at) => {
		const made = Object.assign(node(rows[at]), { ariaSetSize: String(rows.length), ariaPosInSet: String(at + 1) });
		rowsShown.set(made, rows[at]);
		return made;
	}));
	// The others leave their places empty.
	list.style.paddingBlock = `${(first - above.length) * height}px ${(rows.length - end - below.length) * height}px`;
}

/**
 * Draws conversations: `label(room)` names one, `unreadIn(room)` is how many messages are unread there, `profileOf(name)` is what a
 * person says of itself. Returns `draw(rooms, open)`, and `step(open, by)`, which brings the conversation into view that is shown so far
 * from the open one, and returns it.
 */
export function roomList(label, unreadIn, profileOf) {
	const nodes = new WeakMap();
	const isNew = (room) => (room.unread > 0 && preferences.rooms[room.name] !== "none") || isMarked(room);
	const rank = (room) => (isPinned(room) ? 0 : preferences.order === "unread" && isNew(room) ? 1 : 2);
	/** What is shown in each list. */
	let lists = { directs: [], rooms: [], "archived-rooms": [] };
	/** Their order of before: what is nearly in order is soon sorted. */
	let order = [];
	let opened = null;

	function node(room) {
		const { name, direct, mentions } = room;
		const unread = unreadIn(room);
		const isMuted = preferences.rooms[name] === "none";
		const made = cached(nodes, room, () => {
			const mark = direct ? avatar(label(room)) : el("span", { className: "hash", ariaHidden: "true" }, "#");
			return el("li", null, el("a", { href: addressOf(name) }, mark, bdi(label(room)), el("span", { className: "badge" })));
		});
		const profile = direct ? profileOf(label(room)) : null;
		if (direct) tint(made, profile);
		const link = made.firstChild;
		// A room may get another name.
		if (link.children[1].textContent !== label(room)) {
			setText(link.children[1], label(room));
			link.href = addressOf(room.name);
		}
		// What the server has said of the room comes after its name.
		link.firstChild.classList.toggle("lock", room.private);
		link.title = room.private ? t("list.private") : (profile?.display ?? "");
		link.classList.toggle("pinned", isPinned(room));
		link.ariaCurrent = room === opened ? "page" : null;
		link.classList.toggle("unread", isNew(room));
		link.classList.toggle("muted", isMuted);
		const badge = link.lastChild;
		badge.classList.toggle("at", mentions > 0);
		const n = count(unread);
		const words = mentions ? t("list.named", { m: count(mentions), n }) : unread ? t("list.new", { n }) : isMarked(room) ? t("list.unread") : "";
		setText(badge, words);
		badge.title = mentions ? t(mentions === 1 ? "list.once" : "list.times", { n: count(mentions) }) : isMuted ? t("list.muted") : "";
		return made;
	}

	const drawRows = () => Object.entries(lists).forEach(([id, rows]) => placeRows($(id), rows, node, opened));

	function draw(rooms, open) {
		opened = open;
		$("nav-filter").hidden = rooms.length < FILTERED_FROM;
		const wanted = $("nav-filter").hidden ? "" : $("nav-filter").value.trim().toLowerCase();
		const all = new Set(rooms);
		order = [...new Set([...order.filter((room) => all.has(room)), ...rooms])];
		order = order.map((room) => [rank(room), label(room), room]).sort(([a, b], [c, d]) => a - c || b.localeCompare(d)).map(([, , room]) => room);
		const sorted = wanted ? order.filter((room) => label(room).includes(wanted)) : order;
		// Who looks for a room finds it, wherever it is.
		const isAway = (room) => !wanted && room !== open && isArchived(room) && !isNew(room);
		const away = sorted.filter(isAway);
		const here = sorted.filter((room) => !isAway(room));
		lists = { directs: here.filter(({ direct }) => direct), rooms: here.filter(({ direct }) => !direct), "archived-rooms": away };
		drawRows();
		$("archived").hidden = !away.length;
		setText($("archived-title"), t("nav.archived", { n: away.length }));
	}

	function step(open, by) {
		const all = [...lists.directs, ...lists.rooms];
		const room = all.at((all.indexOf(open) + by) % all.length);
		if (!room) return null;
		const [id, rows] = Object.entries(lists).find(([, rows]) => rows.includes(room));
		const list = $(id);
		// Where it is not in the document, that is first of all scrolled to about there; on a low screen all beside it scrolls.
		for (const scroller of [list.closest(".scroll"), $("nav")]) {
			if (node(room).isConnected) break;
			scroller.scrollTop += list.getBoundingClientRect().top + rows.indexOf(room) * rowHeight(list) - scroller.getBoundingClientRect().top;
			drawRows();
		}
		node(room).scrollIntoView({ block: "nearest" });
		return room;
	}

	// It is the list that scrolls, or on a low screen all that is beside it.
	$("nav").addEventListener("scroll", () => Object.values(lists).some(({ length }) => length >= LONG_FROM) && requestAnimationFrame(drawRows), true);
	return { draw, step };
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
			const from = el("small", null, ...(by ? tn("list.from", { by: bdi(by) }) : []), ...(reason ? tn("list.why", { reason: bdi(reason) }) : []));
			const onclick = () => decline(room).then(() => forget(room), () => {});
			const button = el("button", { className: "plain", ariaLabel: t("list.declineRoom", { room }), title: t("list.decline"), onclick }, "×");
			const link = el("a", { href: addressOf(room), title: t("list.accept") }, el("span", { className: "hash", ariaHidden: "true" }, "+"), bdi(room), from);
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
 * and `moderate(name)` are about the button beside it, `about(name)` about the one to block or report; `roleOf(name)` is a role in words,
 * empty if it is nothing special; `profileOf(name)` is what one says of oneself.
 */
export function peopleList({ me, writeTo, mayModerate, moderate, about, roleOf, profileOf }) {
	const nodes = new Map();

	function node([name, status]) {
		const made = cached(nodes, name, () => {
			const onclick = () => moderate(name);
			const more = el("button", { className: "plain", ariaLabel: t("members.moderateWho", { name }), title: t("members.moderate"), onclick }, "⋯");
			const flag = el("button", { className: "plain", ariaLabel: t("people.flagWho", { name }), title: t("people.flag"), onclick: () => about(name) }, "⚑");
			return el("li", null, writeTo(name, avatar(name), el("span", { className: "person" }, el("span", { className: "who" }), el("small", null, el("span", { className: "doing" }), says()))), flag, more);
		});
		made.className = status;
		made.lastChild.hidden = !mayModerate(name);
		made.lastChild.previousSibling.hidden = name === me();
		const profile = profileOf(name);
		drawName(made.querySelector(".who"), name, profile);
		setText(made.querySelector(".doing"), [status === "away" ? t("away") : name === me() ? t("you") : "", roleOf(name)].filter(Boolean).join(", "));
		setText(made.querySelector(".says"), profile?.text ?? "");
		return made;
	}

	const rank = ([name, status]) => (name === me() ? 0 : status === "away" ? 2 : 1);
	return {
		clear: () => nodes.clear(),
		draw: (presence) => {
			setText($("open-people"), presence?.count ? t("people.online", { n: presence.count }) : t("chat.people"));
			setText($("crowd"), crowd(presence));
			const users = [...(presence?.users ?? [])].sort((a, b) => rank(a) - rank(b) || a[0].localeCompare(b[0]));
			if (nodes.size > 2 * users.length + 50) nodes.clear();
			place($("persons"), users.map(node));
		},
	};
}

/** How many are here. Names are missing where a room has many members, however few of them are here. */
export function crowd(presence) {
	if (!presence?.count) return t("chat.people");
	const n = presence.count;
	if (presence.users) return t("people.online", { n });
	if (n === 1) return t("people.alone");
	return t(n > NAMED_MAX ? "people.tooMany" : "people.large", { n });
}

/** Up to as many members the server names. */
const NAMED_MAX = 200;
