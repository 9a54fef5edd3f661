/** The chat page: draws what a client tells. Text reaches the document as text only. */
import { Client, otherIn } from "/client.js";

/** Entries kept of the open room; the rest is fetched again. */
const SHOWN_MAX = 400;
/** Entries fetched at once, and kept of the other rooms. */
const PAGE = 60;
const TOGETHER_MS = 300_000;
const AWAY_MS = 60_000;
const TOAST_MS = 7_000;
const FIRST_ROOM = "lobby";

const $ = (id) => document.getElementById(id);

function el(tag, properties, ...children) {
	const node = Object.assign(document.createElement(tag), properties);
	node.append(...children);
	return node;
}

const bdi = (text) => el("bdi", null, text);
const isolated = (text) => `\u2068${text}\u2069`;

/** Only what differs is touched: a screen reader is not told twice. */
function setText(node, text) {
	if (node.textContent !== text) node.textContent = text;
}

function place(list, nodes) {
	const wanted = new Set(nodes);
	for (const child of [...list.children]) if (!wanted.has(child)) child.remove();
	let at = list.firstElementChild;
	for (const node of nodes) {
		if (node === at) at = at.nextElementSibling;
		else list.insertBefore(node, at);
	}
}

function kept(nodes, key, make) {
	if (!nodes.has(key)) nodes.set(key, make());
	return nodes.get(key);
}

/** What survives a reload of this tab, where the browser allows it. */
function stored(key, value) {
	try {
		if (value !== undefined) sessionStorage.setItem(key, JSON.stringify(value));
		return JSON.parse(sessionStorage.getItem(key));
	} catch {
		return null;
	}
}

const dayOf = (at) => new Date(at).toDateString();
const dayName = (at) => (dayOf(at) === dayOf(Date.now()) ? "Today" : new Date(at).toLocaleDateString("en", { dateStyle: "full" }));
const count = (n) => (n > 99 ? "99+" : String(n || ""));
/** What a name is made into before the server sees it. */
const fold = (name) => name.normalize("NFKC").trim().toLowerCase().replace(/\s+/g, "-");

/** An error in words for a person. */
function words(error) {
	if (error.slug === "offline") return "Not connected just now.";
	const hint = error.data.hint ? ` Try “${error.data.hint}”.` : "";
	return error.message.charAt(0).toUpperCase() + error.message.slice(1).replace(/\.?$/, ".") + hint;
}

function avatar(name) {
	const hash = [...name].reduce((sum, char) => (sum * 131 + char.codePointAt(0)) % 9973, 7);
	return el("span", { className: `avatar h${hash % 8}`, ariaHidden: "true" }, [...name][0].toUpperCase());
}

/** Text with its http and https addresses as links. */
function linked(text) {
	const nodes = [];
	let from = 0;
	for (const { 0: found, index } of text.matchAll(/\bhttps?:\/\/[^\s<>"'`]+/gi)) {
		const href = found.replace(/[.,;:!?)\]}*_]+$/, "");
		if (!URL.canParse(href)) continue;
		nodes.push(text.slice(from, index), el("a", { href, target: "_blank", rel: "noopener noreferrer" }, href));
		from = index + href.length;
	}
	return [...nodes, text.slice(from)];
}

/** What is shown of a room: a window on its log. `more`: there is older; `atHead`: it reaches to the newest. */
class View {
	entries = [];
	more = true;
	atHead = true;
	loading = null;
	draft = "";
	newFrom = 0;
}

let chat;
let open = null;
/** Whether the newest message is to stay in sight. */
let following = true;
const views = new WeakMap();
const roomNodes = new WeakMap();
const waitingEntries = new WeakMap();
const personNodes = new Map();

const view = (room) => kept(views, room, () => new View());
const label = (room) => (room.direct ? otherIn(room.name, chat.user) : room.name);
const watched = () => !document.hidden && document.hasFocus();

// --- The window on the log

function note(room, text, ev = "note") {
	view(room).entries.push({ ev, text, at: Date.now(), epoch: room.epoch });
	draw();
}

/** Lets go of one end of a window that has grown too large. */
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
	// Whoever reads far above keeps what is there; the new ones are fetched on the way down.
	if (room === open && away && shown.entries.length >= SHOWN_MAX) shown.atHead = false;
	if (shown.atHead) {
		shown.entries.push({ ...item, epoch: room.epoch });
		trim(room, "oldest");
	}
	if (!shown.newFrom && item.from !== chat.user && (away || !watched())) shown.newFrom = item.seq;
	draw();
}

function onGap({ room, from, to, why }) {
	// Too much to be told at once: the window begins anew here, and scrolling up fetches the rest.
	if (why === "limit") return Object.assign(view(room), new View(), { draft: view(room).draft });
	const what = from === to ? `Message ${from} is` : `Messages ${from}–${to} are`;
	note(room, `${what} ${why === "pruned" ? "no longer kept" : "missing"}.`);
}

function onReset({ room, seq }) {
	Object.assign(view(room), { newFrom: 0, more: false, atHead: true, loading: null });
	const cause = room.durable === "memory" ? "The server restarted" : "The log was restored";
	note(room, `${cause}; this room began anew.`, "reset");
	if (seq > 0) loadOlder(room, seq + 1);
}

/** Fetches the page before the window; after a reset, what is there of the new log. */
function loadOlder(room, before) {
	const shown = view(room);
	if (room.epoch === null || (before === undefined && !shown.more)) return;
	const first = shown.entries.find((entry) => entry.seq && entry.epoch === room.epoch)?.seq;
	load(room, { before: before ?? first ?? room.seq + 1 }, (items, more) => {
		const line = shown.entries.findLastIndex((entry) => entry.ev === "reset" && entry.epoch === room.epoch);
		// What was before the reset makes way for what was since, if that is not all here yet.
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
		trim(room, "oldest");
	});
}

async function load(room, where, apply) {
	const shown = view(room);
	if (shown.loading) return;
	const { epoch } = room;
	const token = (shown.loading = {});
	try {
		const { items, more } = await chat.history(room.name, { ...where, limit: PAGE });
		if (shown.loading === token && room.epoch === epoch) apply(items.map((item) => ({ ...item, epoch })), more);
	} catch (error) {
		if (error.code && error.code !== 4004) refuse(error);
	}
	if (shown.loading === token) shown.loading = null;
	draw();
}

function toLatest() {
	const shown = view(open);
	if (!shown.atHead) Object.assign(shown, new View());
	following = true;
	draw();
}

// --- Drawing

let drawing = false;

/** Draws once a frame. A hidden tab has no frames, but its title counts on. */
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
	const unread = rooms.reduce((sum, room) => sum + room.unread, 0);
	setText($("nav-badge"), count(unread));
	document.title = `${unread ? `(${count(unread)}) ` : ""}${open ? `${label(open)} · ` : ""}Chinwag`;
}

function roomNode(room) {
	const { name, direct, unread } = room;
	const node = kept(roomNodes, room, () => {
		const mark = direct ? avatar(label(room)) : el("span", { className: "hash", ariaHidden: "true" }, "#");
		return el("li", null, el("a", { href: addressOf(name) }, mark, bdi(label(room)), el("span", { className: "badge" })));
	});
	const link = node.firstChild;
	link.ariaCurrent = room === open ? "page" : null;
	link.classList.toggle("unread", unread > 0);
	setText(link.lastChild, unread ? `${count(unread)} new` : "");
	return node;
}

function drawFrame() {
	setText($("title"), open ? label(open) : "No room is open");
	const about = open?.direct ? open.presence && (open.presence.users?.get(label(open)) ?? "offline") : open?.topic;
	setText($("topic"), about ?? "");
	$("app").classList.toggle("alone", !open || open.direct);
	$("chat").classList.toggle("bare", !open);
	$("text").placeholder = `Write to ${open ? label(open) : ""}`;
	const names = open?.typing ?? [];
	const who = names.length > 2 ? "Several people" : names.map(isolated).join(" and ");
	setText($("typing"), names.length ? `${who} ${names.length > 1 ? "are" : "is"} typing…` : "");
}

function drawPeople(presence) {
	const total = presence?.count ? `${presence.count.toLocaleString("en")} here` : "People";
	setText($("open-people"), total);
	setText($("crowd"), presence && !presence.users ? `${total}, too many to name` : total);
	const rank = ([name, status]) => (name === chat.user ? 0 : status === "away" ? 2 : 1);
	const users = [...(presence?.users ?? [])].sort((a, b) => rank(a) - rank(b) || a[0].localeCompare(b[0]));
	if (personNodes.size > 2 * users.length + 50) personNodes.clear();
	place($("persons"), users.map(personNode));
}

function personNode([name, status]) {
	const node = kept(personNodes, name, () => el("li", null, writeButton(name, avatar(name), bdi(name), el("small"))));
	node.className = status;
	setText(node.querySelector("small"), status === "away" ? "away" : name === chat.user ? "you" : "");
	return node;
}

function writeButton(name, ...children) {
	const disabled = name === chat.user;
	const onclick = () => show(chat.open(name));
	return el("button", { title: "Write a direct message", disabled, onclick }, ...children);
}

function drawLog() {
	const log = $("log");
	const shown = open ? view(open) : new View();
	const waiting = open && shown.atHead ? chat.outbox.filter((entry) => entry.room === open.name).map(waitingEntry) : [];
	const topOf = (node) => node.getBoundingClientRect().top;
	const anchor = following ? null : [...log.querySelectorAll(".text, .note")].find((node) => topOf(node) >= topOf(log));
	const offset = anchor && topOf(anchor);
	let previous = null;
	const nodes = [...shown.entries, ...waiting].map((entry) => {
		entry.node ??= build(entry);
		decorate(entry, previous, shown.newFrom);
		previous = entry;
		return entry.node;
	});
	// A page of history is not read aloud.
	log.ariaLive = Math.abs(nodes.length - $("messages").childElementCount) > 5 ? "off" : "polite";
	place($("messages"), nodes);
	setText($("beginning"), beginning(shown));
	setText($("read"), waiting.length ? "" : readBy(shown.entries.at(-1)));
	if (following) log.scrollTop = log.scrollHeight;
	else if (anchor?.isConnected) log.scrollTop += topOf(anchor) - offset;
	$("latest").hidden = following && shown.atHead;
	setText($("latest"), open?.unread ? `${count(open.unread)} new ↓` : "Latest ↓");
	if (open?.state !== "live") return;
	if (following && shown.atHead && watched()) chat.read(open.name, open.seq);
	if (shown.more && log.scrollTop < 300) loadOlder(open);
}

function beginning(shown) {
	if (!open) return "Join a room, or choose a person to write to.";
	if (open.epoch !== null && (shown.loading || shown.more)) return "Fetching messages…";
	return open.oldest > 1 ? "Earlier messages are no longer kept." : `This is the beginning of ${label(open)}.`;
}

function readBy(last) {
	if (last?.from !== chat.user) return "";
	const readers = [...open.receipts].filter(([user, seq]) => seq >= last.seq && user !== chat.user);
	const names = readers.length > 3 ? `${readers.length} people` : readers.map(([user]) => isolated(user)).join(", ");
	return names && `Read by ${names}`;
}

const waitingEntry = (entry) =>
	kept(waitingEntries, entry, () => ({ ...entry, ev: "message", from: chat.user, waiting: true }));

function build(entry) {
	const { ev, from, at, text = "", waiting } = entry;
	if (ev !== "message") {
		const what = ev === "topic" ? [bdi(from), " set the topic: ", bdi(text)] : [text || `${from}: ${ev}`];
		return el("li", { className: "note" }, el("p", null, ...what));
	}
	const date = new Date(at);
	const hour = date.toLocaleTimeString([], { timeStyle: "short" });
	const time = el("time", { dateTime: date.toJSON(), title: date.toLocaleString() }, hour);
	// Hundreds of names are no stops for the keyboard: the list of people has them, too.
	const who = Object.assign(writeButton(from, bdi(from)), { tabIndex: -1 });
	const head = el("div", { className: "head" }, who, time);
	const words = el("p", { className: "text", dir: "auto" }, ...linked(text));
	const body = el("div", null, head, words, ...(waiting ? [el("small", null, "Not sent yet")] : []));
	const className = `msg ${from === chat.user ? "mine" : ""} ${waiting ? "waiting" : ""}`;
	return el("li", { className, value: entry.seq ?? 0 }, avatar(from), body);
}

/** What depends on the entry before: the day, whether the name stands again, where the new begin. */
function decorate({ node, ev, from, at, seq }, previous, newFrom) {
	const newDay = !previous || dayOf(previous.at) !== dayOf(at);
	node.classList.toggle("lead", newDay || previous.ev !== "message" || previous.from !== from || at - previous.at > TOGETHER_MS);
	node.classList.toggle("new", newFrom > 0 && seq >= newFrom && !(previous?.seq >= newFrom));
	const shown = node.querySelector(".day");
	if (!newDay) shown?.remove();
	else if (!shown) node.prepend(el("p", { className: "day" }, dayName(at)));
}

// --- The connection

const STOPPED = { 4005: "You are banned from this server.", 4010: "You went on in another tab." };
let lineTimer;

function drawLine() {
	clearInterval(lineTimer);
	const { state, retryAt, told, close, error } = chat.state;
	const why = told ? "The server is restarting." : error ? words(error) : "Connection lost.";
	const stopped = STOPPED[close] ?? "The server closed this session.";
	$("app").dataset.line = state;
	setText($("link"), state === "ready" ? "Connected" : "Offline");
	$("line-button").hidden = state === "connecting";
	setText($("line-button"), close === 4010 ? "Go on here" : "Retry now");
	setText($("line-text"), { connecting: "Connecting…", waiting: `${why} Reconnecting`, stopped }[state] ?? "");
	const tick = () => {
		const seconds = Math.ceil((retryAt - Date.now()) / 1000);
		setText($("line-count"), retryAt ? (seconds > 0 ? `in ${seconds} s` : "now") : "");
	};
	tick();
	if (retryAt) lineTimer = setInterval(tick, 250);
}

function onState({ state, error }) {
	drawLine();
	draw();
	if (state === "stopped" && error) signOut(words(error));
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
		toast(`Not sent: ${words(error)}`);
		const room = chat.rooms.get(entry.room);
		if (room) note(room, `Not sent: ${entry.text}`);
	}
	draw();
}

function onLeft({ room, reason, error }) {
	if (error) toast(`${room.name}: ${words(error)}`);
	else if (reason !== "left") toast(`You were ${reason} from ${room.name}.`);
	if (open === room) show([...chat.rooms.values()][0] ?? null);
	draw();
}

function enter(name, session, outbox) {
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
	on("live", draw);
	on("room", draw);
	on("problem", (error) => error.code !== 5001 && refuse(error));
	chat.start();
}

function signOut(why = "") {
	stored("me", null);
	stored("outbox", null);
	setText($("name-error"), why);
	chat.user = null;
	chat.stop();
	personNodes.clear();
	open = null;
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
	// A refusal is told by the event `left`.
	const room = person ? chat.open(person) : await chat.join(name).catch(() => null);
	if (room) show(room);
}

function show(room) {
	closeDrawers();
	if (room === open) return focusText();
	if (open) {
		const [before, shown] = [open, view(open)];
		open = room;
		if (shown.atHead) trim(before, "oldest");
		else Object.assign(shown, new View());
		Object.assign(shown, { draft: $("text").value, newFrom: 0 });
		for (const entry of shown.entries) entry.node = null;
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

// --- What the person does

const refuse = (error) => toast(words(error));

function toast(text) {
	const remove = () => box.remove();
	const close = el("button", { className: "plain", ariaLabel: "Close this notice", onclick: remove }, "×");
	const box = el("div", { className: "toast" }, el("p", null, text), close);
	setTimeout(remove, TOAST_MS);
	$("toasts").append(box);
}

/** On a touch screen focus would raise the keyboard unasked. */
function focusText() {
	if (matchMedia("(hover: hover)").matches) $("text").focus();
}

function say() {
	const text = $("text").value.trim();
	if (!text) return;
	try {
		chat.send(open.name, text);
	} catch (error) {
		return refuse(error);
	}
	$("text").value = "";
	view(open).newFrom = 0;
	toLatest();
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
	if (!name) return;
	$("join").close();
	join(name);
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
on("enter", "submit", instead(() => enter(fold($("name").value))));
on("composer", "submit", instead(say));
on("join-form", "submit", instead(submitJoin));
on("skip", "click", instead(() => $("text").focus()));
on("add", "click", () => {
	closeDrawers();
	$("join-form").reset();
	$("join").showModal();
});
on("join-cancel", "click", () => $("join").close());
on("out", "click", () => signOut());
on("leave", "click", () => chat.leave(open.name).catch(refuse));
on("latest", "click", toLatest);
on("open-nav", "click", () => drawer("nav", true));
on("open-people", "click", () => drawer("people", true));
on("close-people", "click", closeDrawers);
on("scrim", "click", closeDrawers);
on("line-button", "click", () => {
	if (chat.state.close === 4010) chat.session = null;
	chat.start();
});
on("text", "input", () => $("text").value.trim() && chat.typing(open.name));
on("text", "keydown", (event) => {
	if (event.key === "Enter" && !event.shiftKey && !event.isComposing) instead(say)(event);
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
if (me) enter(me.name, me.session, stored("outbox") ?? []);
else $("name").focus();
