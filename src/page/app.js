/** The chat page: draws the state of a `Client`. Text reaches the document as text only. */
import { messageToolbar } from "/actions.js";
import { Client, otherIn, present } from "/client.js";
import { $, avatar, bdi, cached, el, isolated, place, setText } from "/dom.js";
import { decorate, entryNode, forget, readBy, stateOf } from "/log-entry.js";
import { canModerate, moderationDialogs } from "/moderation.js";
import { searchDialog } from "/search.js";

/** Entries kept of the open room; others are fetched again. */
const SHOWN_MAX = 400;
/** Entries in one fetch, and kept of each other room. */
const PAGE = 60;
const AWAY_MS = 60_000;
const TOAST_MS = 7_000;
const FIRST_ROOM = "lobby";
/** Invitations kept; the oldest go first. */
const INVITES_MAX = 20;

/** A value that survives a reload of this tab, where the browser allows it. */
function stored(key, value) {
	try {
		if (value !== undefined) sessionStorage.setItem(key, JSON.stringify(value));
		return JSON.parse(sessionStorage.getItem(key));
	} catch {
		return null;
	}
}

const count = (n) => (n > 99 ? "99+" : String(n || ""));
/** Normalises a name as typed into one that the server accepts. */
const fold = (name) => name.normalize("NFKC").trim().toLowerCase().replace(/\s+/g, "-");

/** An error as a sentence. */
function sentence(error) {
	if (error.slug === "offline") return "Not connected. Try again in a moment.";
	const hint = error.data.hint ? ` Try “${error.data.hint}”.` : "";
	return error.message.charAt(0).toUpperCase() + error.message.slice(1).replace(/\.?$/, ".") + hint;
}

/** A window on the log of a room. `more`: there are older entries; `atHead`: it reaches to the newest. */
class View {
	entries = [];
	/** Edits, deletions and reactions that came after the end of the window. */
	later = [];
	more = true;
	atHead = true;
	loading = null;
	draft = "";
	newFrom = 0;
}

let chat;
let open = null;
/** The message that is being edited: `{room, seq, draft}`. */
let editing = null;
/** The senders of invitations, by the name of the room. */
const invites = new Map();
/** Whether the log scrolls along with new messages. */
let following = true;
const views = new WeakMap();
const roomNodes = new WeakMap();
const waitingStates = new WeakMap();
const inviteNodes = new Map();
const personNodes = new Map();

const view = (room) => cached(views, room, () => new View());
const label = (room) => (room.direct ? otherIn(room.name, chat.user) : room.name);
const watched = () => !document.hidden && document.hasFocus();

// --- The window on the log

function note(room, text, ev = "note") {
	view(room).entries.push({ ev, text, at: Date.now(), epoch: room.epoch });
	draw();
}

/** Cuts one end off a window that has grown too large. */
function trim(room, end) {
	const shown = view(room);
	const most = room === open ? SHOWN_MAX : PAGE;
	const over = shown.entries.length - most;
	if (over <= 0) return;
	if (end === "newest") {
		shown.entries.splice(most);
		shown.atHead = false;
	} else {
		shown.entries.splice(0, over);
		shown.more = shown.entries[0].epoch === room.epoch;
	}
}

function onRecord({ room, item }) {
	const shown = view(room);
	const away = room !== open || !following;
	// The window of a reader far above stays; newer entries are fetched on the way down.
	if (room === open && away && shown.entries.length >= SHOWN_MAX) shown.atHead = false;
	if (shown.atHead) {
		shown.entries.push({ ...item, epoch: room.epoch });
		trim(room, "oldest");
	} else if (item.ev !== "message" && item.target) {
		shown.later.push(item);
		if (shown.later.length > SHOWN_MAX) shown.later.shift();
	}
	if (!shown.newFrom && item.ev === "message" && item.from !== chat.user && (away || !watched())) shown.newFrom = item.seq;
	draw();
}

function onGap({ room, from, to, why }) {
	// Too many for a replay: the window restarts here.
	if (why === "limit") return Object.assign(view(room), new View(), { draft: view(room).draft });
	const what = from === to ? `Message ${from} is` : `Messages ${from}–${to} are`;
	note(room, `${what} ${why === "pruned" ? "no longer stored" : "missing"}.`);
}

function onReset({ room, seq }) {
	Object.assign(view(room), { newFrom: 0, more: false, atHead: true, loading: null });
	const cause = room.durable === "memory" ? "The server restarted" : "The server went back to an earlier state";
	note(room, `${cause}. Messages above this line may no longer be stored.`, "reset");
	if (seq > 0) loadOlder(room, seq + 1);
}

/** Fetches the page before the window, after a reset the newest one. */
function loadOlder(room, before) {
	const shown = view(room);
	if (room.epoch === null || (before === undefined && !shown.more)) return;
	const first = shown.entries.find((entry) => entry.seq && entry.epoch === room.epoch)?.seq;
	load(room, { before: before ?? first ?? room.seq + 1 }, (items, more) => {
		const line = shown.entries.findLastIndex((entry) => entry.ev === "reset" && entry.epoch === room.epoch);
		// If the new log does not fit, its entries replace those from before the reset.
		if (more) shown.entries.splice(0, line);
		shown.entries.splice(more ? Math.min(line + 1, 1) : line + 1, 0, ...items);
		shown.more = more;
		trim(room, following ? "oldest" : "newest");
	});
}

function loadNewer(room) {
	const shown = view(room);
	const last = shown.entries.findLast((entry) => entry.seq)?.seq ?? room.seq;
	load(room, { after: last }, (items) => {
		shown.entries.push(...items);
		shown.atHead = (items.at(-1)?.seq ?? last) >= room.seq;
		if (shown.atHead) shown.later = [];
		trim(room, "oldest");
	});
}

async function load(room, where, apply) {
	const shown = view(room);
	if (shown.loading) return;
	const { epoch } = room;
	const token = (shown.loading = {});
	try {
		const { items, more, oldest } = await chat.history(room.name, { ...where, limit: PAGE });
		if (shown.loading === token && room.epoch === epoch) apply(items.map((item) => ({ ...item, epoch })), more, oldest);
	} catch (error) {
		if (error.code && error.code !== 4004) refuse(error);
	}
	if (shown.loading === token) shown.loading = null;
	draw();
}

/** Shows a message at its place in the log, in any room. */
async function goTo({ room: name, seq }) {
	await join(name);
	const room = open;
	if (room?.name !== name) return;
	const shown = view(room);
	following = false;
	if (!shown.entries.some((entry) => entry.seq === seq && entry.epoch === room.epoch)) {
		shown.loading = null;
		await load(room, { around: seq }, (items, _more, oldest) => {
			const atHead = (items.at(-1)?.seq ?? 0) >= room.seq;
			Object.assign(shown, { entries: items, later: [], more: items[0]?.seq > oldest, atHead });
		});
	}
	if (open !== room) return;
	drawNow();
	const node = [...$("messages").children].find((each) => each.value === seq);
	node?.scrollIntoView({ block: "center" });
	node?.focus({ preventScroll: true });
}

function toLatest() {
	const shown = view(open);
	if (!shown.atHead) Object.assign(shown, new View());
	following = true;
	draw();
}

// --- Drawing

let drawing = false;

/** Draws once a frame. A hidden tab has no frames, but its title still counts unread messages. */
function draw() {
	if (drawing) return;
	drawing = true;
	if (document.hidden) setTimeout(drawNow, 250);
	else requestAnimationFrame(drawNow);
}

function drawNow() {
	drawing = false;
	if (!chat?.user) return;
	drawRooms();
	drawFrame();
	drawPeople(open?.presence);
	drawLog();
}

function drawRooms() {
	const rooms = [...chat.rooms.values()].sort((a, b) => label(a).localeCompare(label(b)));
	place($("rooms"), rooms.filter((room) => !room.direct).map(roomNode));
	place($("directs"), rooms.filter((room) => room.direct).map(roomNode));
	for (const name of invites.keys()) if (chat.rooms.has(name)) forgetInvite(name);
	place($("invites"), [...invites].map(inviteNode));
	const unread = rooms.reduce((sum, room) => sum + room.unread, 0);
	setText($("nav-badge"), count(unread + invites.size));
	document.title = `${unread ? `(${count(unread)}) ` : ""}${open ? `${label(open)} · ` : ""}Chinwag`;
}

function roomNode(room) {
	const { name, direct, unread } = room;
	const node = cached(roomNodes, room, () => {
		const mark = direct ? avatar(label(room)) : el("span", { className: "hash", ariaHidden: "true" }, "#");
		return el("li", null, el("a", { href: addressOf(name) }, mark, bdi(label(room)), el("span", { className: "badge" })));
	});
	const link = node.firstChild;
	link.ariaCurrent = room === open ? "page" : null;
	link.classList.toggle("unread", unread > 0);
	setText(link.lastChild, unread ? `${count(unread)} new` : "");
	return node;
}

function inviteNode([name, from]) {
	return cached(inviteNodes, `${name} ${from}`, () => {
		const by = el("small", null, "from ", bdi(from));
		const onclick = () => {
			forgetInvite(name);
			draw();
		};
		const decline = el("button", { className: "plain", ariaLabel: `Decline ${name}`, title: "Decline", onclick }, "×");
		return el("li", null, el("a", { href: addressOf(name) }, el("span", { className: "hash", ariaHidden: "true" }, "+"), bdi(name), by), decline);
	});
}

function drawFrame() {
	setText($("title"), open ? label(open) : "No conversation open");
	const about = open?.direct ? open.presence && (open.presence.users?.get(label(open)) ?? "offline") : open?.topic;
	setText($("topic"), about ?? "");
	$("app").classList.toggle("alone", !open || open.direct);
	$("chat").classList.toggle("bare", !open);
	$("text").placeholder = `Message ${open ? label(open) : ""}`;
	const names = open?.typing ?? [];
	const who = names.length > 2 ? "Several people" : names.map(isolated).join(" and ");
	setText($("typing"), names.length ? `${who} ${names.length > 1 ? "are" : "is"} typing…` : "");
}

function drawPeople(presence) {
	const total = presence?.count ? `${presence.count.toLocaleString("en")} online` : "People";
	setText($("open-people"), total);
	setText($("crowd"), presence && !presence.users ? `${total}, too many to list` : total);
	const rank = ([name, status]) => (name === chat.user ? 0 : status === "away" ? 2 : 1);
	const users = [...(presence?.users ?? [])].sort((a, b) => rank(a) - rank(b) || a[0].localeCompare(b[0]));
	if (personNodes.size > 2 * users.length + 50) personNodes.clear();
	place($("persons"), users.map(personNode));
}

function personNode([name, status]) {
	const node = cached(personNodes, name, () => {
		const onclick = () => moderatePerson(name);
		const moderate = el("button", { className: "plain", ariaLabel: `Moderate ${name}`, title: "Moderate", onclick }, "⋯");
		return el("li", null, writeButton(name, avatar(name), bdi(name), el("small")), moderate);
	});
	node.className = status;
	node.lastChild.hidden = !mayModerate(name);
	setText(node.querySelector("small"), status === "away" ? "away" : name === chat.user ? "you" : "");
	return node;
}

function writeButton(name, ...children) {
	const disabled = name === chat.user;
	const onclick = () => show(chat.open(name));
	return el("button", { title: "Send a direct message", disabled, onclick }, ...children);
}

function drawLog() {
	const log = $("log");
	const shown = open ? view(open) : new View();
	const waiting = open && shown.atHead ? chat.outbox.filter((entry) => entry.room === open.name).map(waitingState) : [];
	const topOf = (node) => node.getBoundingClientRect().top;
	const anchor = following ? null : [...log.querySelectorAll(".text, .note")].find((node) => topOf(node) >= topOf(log));
	const offset = anchor && topOf(anchor);
	let previous = null;
	const states = present([...shown.entries, ...shown.later]);
	const nodes = [...states, ...waiting].map((state) => {
		const node = entryNode(state, { me: chat.user, writeTo: writeButton, react });
		decorate(node, state.item, previous, shown.newFrom);
		previous = state.item;
		return node;
	});
	// A screen reader reads new messages aloud, but not a page of history.
	log.ariaLive = Math.abs(nodes.length - $("messages").childElementCount) > 5 ? "off" : "polite";
	place($("messages"), nodes);
	setText($("beginning"), beginning(shown));
	updateActions();
	setText($("read"), waiting.length || !open ? "" : readBy(states.at(-1)?.item, open.receipts, chat.user));
	if (following) log.scrollTop = log.scrollHeight;
	else if (anchor?.isConnected) log.scrollTop += topOf(anchor) - offset;
	$("latest").hidden = following && shown.atHead;
	setText($("latest"), open?.unread ? `${count(open.unread)} new ↓` : "Latest ↓");
	if (open?.state !== "live") return;
	if (following && shown.atHead && watched()) chat.read(open.name, open.seq);
	if (shown.more && log.scrollTop < 300) loadOlder(open);
}

function beginning(shown) {
	if (!open) return "Join a room or choose a person to message.";
	if (open.epoch !== null && (shown.loading || shown.more)) return "Loading messages…";
	return open.oldest > 1 ? "Older messages are no longer stored." : `This is the beginning of ${label(open)}.`;
}

/** A message of the outbox, as one of the log. */
const waitingState = (entry) =>
	cached(waitingStates, entry, () => {
		const item = { ...entry, ev: "message", from: chat.user, waiting: true };
		return { item, text: entry.text, deleted: false, reactions: new Map() };
	});

// --- The connection

const STOPPED = { 4005: "You are banned from this server.", 4010: "This session continues in another tab." };
let retryTimer;

function drawConnection() {
	clearInterval(retryTimer);
	const { state, retryAt, announced, close, error } = chat.state;
	const why = announced ? "The server is restarting." : error ? sentence(error) : "Connection lost.";
	const stopped = STOPPED[close] ?? "The server closed this session.";
	$("app").dataset.connection = state;
	setText($("me-status"), state === "ready" ? "Connected" : "Offline");
	$("connection-button").hidden = state === "connecting";
	setText($("connection-button"), close === 4010 ? "Use this tab" : "Retry now");
	setText($("connection-text"), { connecting: "Connecting…", waiting: `${why} Reconnecting`, stopped }[state] ?? "");
	const tick = () => {
		const seconds = Math.ceil((retryAt - Date.now()) / 1000);
		setText($("connection-count"), retryAt ? (seconds > 0 ? `in ${seconds} s` : "now") : "");
	};
	tick();
	if (retryAt) retryTimer = setInterval(tick, 250);
}

function onState({ state, error }) {
	drawConnection();
	draw();
	if (state === "stopped" && error) signOut(sentence(error));
}

function onWelcome() {
	stored("me", { name: chat.user, session: chat.session });
	setText($("me"), chat.user);
	$("me-avatar").replaceChildren(avatar(chat.user));
	if (!open && !route()) join(FIRST_ROOM);
}

function onOutbox({ entry, status, error }) {
	stored("outbox", chat.outbox);
	if (status === "failed") {
		toast(`Not sent: ${sentence(error)}`);
		const room = chat.rooms.get(entry.room);
		if (room) note(room, `Not sent: ${entry.text}`);
	}
	draw();
}

function onLeft({ room, reason, error }) {
	forgetInvite(room.name);
	if (error) toast(`${room.name}: ${sentence(error)}`);
	else if (reason !== "left") toast(`You were ${reason === "kicked" ? "removed" : reason} from ${room.name}.`);
	if (open === room) show([...chat.rooms.values()][0] ?? null);
	draw();
}

function onInvited({ room, from }) {
	invites.delete(room);
	invites.set(room, from);
	if (invites.size > INVITES_MAX) invites.delete(invites.keys().next().value);
	stored("invites", [...invites]);
	toast(`${from} invited you to ${room}.`);
	draw();
}

function forgetInvite(name) {
	if (invites.delete(name)) stored("invites", [...invites]);
}

function signIn(name, session, outbox) {
	$("welcome").hidden = true;
	$("app").hidden = false;
	chat = new Client(`${location.origin.replace("http", "ws")}/ws`, { name, session, outbox, agent: "chinwag-page" });
	const on = (type, run) => chat.addEventListener(type, (event) => run(event.detail));
	on("state", onState);
	on("welcome", onWelcome);
	on("record", onRecord);
	on("gap", onGap);
	on("reset", onReset);
	on("left", onLeft);
	on("outbox", onOutbox);
	on("invited", onInvited);
	on("live", draw);
	on("room", draw);
	on("problem", (error) => error.code !== 5001 && refuse(error));
	chat.start();
}

function signOut(why = "") {
	stored("me", null);
	stored("outbox", null);
	stored("invites", null);
	setText($("name-error"), why);
	chat.user = null;
	chat.stop();
	personNodes.clear();
	invites.clear();
	inviteNodes.clear();
	open = editing = null;
	drawEditing();
	history.replaceState(null, "", "/");
	document.title = "Chinwag";
	$("app").hidden = true;
	$("welcome").hidden = false;
	$("name").focus();
}

// --- Rooms

const addressOf = (name) => `#room=${encodeURIComponent(name)}`;

function route() {
	const name = new URLSearchParams(location.hash.slice(1)).get("room");
	if (name && chat?.user) join(name);
	return Boolean(name);
}

/** Opens a room by its name, or by `@name` the conversation with a person. */
async function join(name) {
	const person = name.startsWith("@") && (name.includes(":") ? otherIn(name, chat.user) : name.slice(1));
	// The event `left` reports a refusal.
	const room = person ? chat.open(person) : await chat.join(name).catch(() => null);
	if (room) show(room);
	else if (open) history.replaceState(null, "", addressOf(open.name));
}

function show(room) {
	closeDrawers();
	if (room === open) return focusText();
	endEdit();
	if (open) {
		const [before, shown] = [open, view(open)];
		open = room;
		if (shown.atHead) trim(before, "oldest");
		else Object.assign(shown, new View());
		Object.assign(shown, { draft: $("text").value, newFrom: 0 });
		shown.entries.forEach(forget);
	}
	open = room;
	following = true;
	$("text").value = room ? view(room).draft : "";
	if (room) {
		if (location.hash !== addressOf(room.name)) history.pushState(null, "", addressOf(room.name));
		if (room.unread) view(room).newFrom = room.read + 1;
		chat.watch(room.name);
	}
	drawNow();
	focusText();
}

function step(by) {
	const links = [...document.querySelectorAll("#nav li a")];
	const at = links.findIndex((link) => link.ariaCurrent);
	links.at((at + by) % links.length)?.click();
}

// --- What the user does

const refuse = (error) => toast(sentence(error));

function toast(text) {
	const remove = () => box.remove();
	const close = el("button", { className: "plain", ariaLabel: "Dismiss", onclick: remove }, "×");
	const box = el("div", { className: "toast" }, el("p", null, text), close);
	setTimeout(remove, TOAST_MS);
	$("toasts").append(box);
}

// On a touch screen focus would open the keyboard.
function focusText() {
	if (matchMedia("(hover: hover)").matches) $("text").focus();
}

function submitText() {
	const text = $("text").value.trim();
	if (!text) return;
	if (editing) return saveEdit(text);
	try {
		chat.send(open.name, text);
	} catch (error) {
		return refuse(error);
	}
	$("text").value = "";
	view(open).newFrom = 0;
	toLatest();
}

/** Puts a message's text into the field; the draft there comes back afterwards. */
function beginEdit({ item, text }) {
	endEdit();
	editing = { room: open.name, seq: item.seq, draft: $("text").value };
	$("text").value = text;
	drawEditing();
	$("text").focus();
}

async function saveEdit(text) {
	const edit = editing;
	try {
		await chat.edit(edit.room, edit.seq, text);
		if (editing === edit) endEdit();
	} catch (error) {
		refuse(error);
	}
}

function endEdit() {
	if (!editing) return;
	$("text").value = editing.draft;
	editing = null;
	drawEditing();
}

function drawEditing() {
	$("editing").hidden = !editing;
}

/** The user's last message in the window. */
function lastOwn() {
	const node = [...document.querySelectorAll("#messages > .mine:not(.waiting)")].findLast((each) => !stateOf(each).deleted);
	return node && stateOf(node);
}

/** Whether the user may moderate this person. */
const mayModerate = (name) => name !== chat.user && Boolean(open) && !open.direct && canModerate(open.role);
const rights = ({ item }) => ({ edit: item.from === chat.user, remove: item.from === chat.user || mayModerate(item.from), moderate: mayModerate(item.from) });

function moderatePerson(name) {
	closeDrawers();
	moderation.person(open, name);
}

const invite = (room, name) => {
	const user = fold(name).replace(/^@/, "");
	chat.request("invite", { room, user }).then(() => toast(`You invited ${user} to ${room}.`), refuse);
};

function react({ item, reactions }, emoji) {
	chat.react(open.name, item.seq, emoji, Boolean(reactions.get(emoji)?.has(chat.user))).catch(refuse);
}

function drawer(name, wanted) {
	$("app").classList.toggle(`${name}-open`, wanted);
	$(`open-${name}`).ariaExpanded = String(wanted);
	$("chat").inert = wanted;
	if (wanted) $(name).querySelector("a, button:enabled").focus();
}

function closeDrawers() {
	const name = ["nav", "people"].find((each) => $("app").classList.contains(`${each}-open`));
	if (!name) return;
	drawer(name, false);
	$(`open-${name}`).focus();
}

function submitJoin() {
	const name = fold($("join-name").value).replace(/^#/, "");
	const kind = $("join-kind").value;
	if (!name) return;
	$("join").close();
	if (!kind || name.startsWith("@")) return join(name);
	chat.create(name, { private: kind === "private" }).then(show).catch(refuse);
}

function onScroll() {
	const log = $("log");
	following = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
	if (following && open && !view(open).atHead) {
		following = false;
		loadNewer(open);
	}
	draw();
}

let awayTimer;

function onVisibility() {
	clearTimeout(awayTimer);
	if (!chat?.user) return;
	if (document.hidden) return (awayTimer = setTimeout(() => chat.status("away"), AWAY_MS));
	chat.wake();
	chat.status("online");
	chat.sync().catch(() => {});
}

function onKey(event) {
	if (event.key === "Escape") closeDrawers();
	const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
	if (event.altKey && by) instead(() => step(by))(event);
}

const on = (id, type, run) => $(id).addEventListener(type, run);
const instead = (run) => (event) => {
	event.preventDefault();
	run();
};
on("sign-in", "submit", instead(() => signIn(fold($("name").value))));
on("composer", "submit", instead(submitText));
on("edit-cancel", "click", () => {
	endEdit();
	focusText();
});
on("open-search", "click", () => openSearch(open?.name));
on("join-form", "submit", instead(submitJoin));
on("skip", "click", instead(() => $("text").focus()));
on("add", "click", () => {
	closeDrawers();
	$("join-form").reset();
	$("join").showModal();
});
on("join-cancel", "click", () => $("join").close());
on("sign-out", "click", () => signOut());
on("about-open", "click", () => {
	closeDrawers();
	moderation.aboutRoom(open);
});
on("leave", "click", () => chat.leave(open.name).catch(refuse));
on("latest", "click", toLatest);
on("open-nav", "click", () => drawer("nav", true));
on("open-people", "click", () => drawer("people", true));
on("close-people", "click", closeDrawers);
on("scrim", "click", closeDrawers);
on("connection-button", "click", () => {
	if (chat.state.close === 4010) chat.session = null;
	chat.start();
});
on("text", "input", () => !editing && $("text").value.trim() && chat.typing(open.name));
on("text", "keydown", (event) => {
	if (event.isComposing) return;
	if (event.key === "Enter" && !event.shiftKey) instead(submitText)(event);
	else if (event.key === "Escape") endEdit();
	else if (event.key === "ArrowUp" && !$("text").value && lastOwn()) instead(() => beginEdit(lastOwn()))(event);
});
const updateActions = messageToolbar($("log"), {
	rights,
	react,
	edit: beginEdit,
	remove: ({ item }) => chat.delete(open.name, item.seq).catch(refuse),
	moderate: ({ item }) => moderatePerson(item.from),
	leave: () => $("text").focus(),
});
const moderation = moderationDialogs({
	ask: (op, fields) => chat.request(op, fields),
	act: (...action) => chat.moderate(...action),
	setTopic: (room, text) => chat.topic(room, text),
	invite,
	fail: refuse,
});
const openSearch = searchDialog({
	search: (text, where) => chat.search(text, where),
	label: (name) => (name.startsWith("@") ? otherIn(name, chat.user) : name),
	go: goTo,
	fail: refuse,
});
on("log", "scroll", onScroll);
new ResizeObserver(draw).observe($("log"));
document.addEventListener("keydown", onKey);
document.addEventListener("visibilitychange", onVisibility);
addEventListener("resize", closeDrawers);
addEventListener("popstate", route);
addEventListener("focus", draw);
addEventListener("online", () => chat?.wake());

const me = stored("me");
for (const [room, from] of (me && stored("invites")) ?? []) invites.set(room, from);
if (me) signIn(me.name, me.session, stored("outbox") ?? []);
else $("name").focus();
