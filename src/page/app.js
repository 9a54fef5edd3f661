/** The chat page: draws what a {@link Client} tells. Text reaches the document as text only. */
import { Client, otherIn } from "/client.js";

/** Entries kept of the open room and of the others; the rest is fetched again. */
const SHOWN_MAX = 400;
const KEPT_MAX = 60;
const PAGE = 60;
/** Messages of one person within this time stand together. */
const TOGETHER_MS = 300_000;
const AWAY_MS = 60_000;
const TOAST_MS = 7_000;
const FIRST_ROOM = "lobby";

const $ = (id) => document.getElementById(id);

function el(tag, attributes, ...children) {
	const node = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes ?? {})) node.setAttribute(name, value);
	node.append(...children);
	return node;
}

const bdi = (text) => el("bdi", null, text);
/** What `bdi` does, as characters. */
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

/** The node that belongs to `key`, made once. */
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

const hour = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const day = new Intl.DateTimeFormat("en", { dateStyle: "full" });
const dayOf = (at) => (day.format(at) === day.format(Date.now()) ? "Today" : day.format(at));
const count = (n) => (n > 99 ? "99+" : String(n));
/** What a name is made into before the server sees it. */
const fold = (name) => name.normalize("NFKC").trim().toLowerCase().replace(/\s+/g, "-");

/** An error in words for a person. */
function words(error) {
	if (error.slug === "offline") return "Not connected just now. Try again in a moment.";
	const hint = error.data.hint ? ` Try “${error.data.hint}”.` : "";
	return error.message.charAt(0).toUpperCase() + error.message.slice(1).replace(/\.?$/, ".") + hint;
}

function avatar(name) {
	const hash = [...name].reduce((sum, char) => (sum * 131 + char.codePointAt(0)) % 9973, 7);
	return el("span", { class: `avatar h${hash % 8}`, "aria-hidden": "true" }, [...name][0].toUpperCase());
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

/** What is shown of a room: a window on its log. `more`: there are older ones; `atHead`: it reaches to the newest. */
class View {
	entries = [];
	more = true;
	atHead = true;
	loading = null;
	draft = "";
	newFrom = 0;
}

let chat;
/** The name of the open room. */
let open = null;
/** Whether the newest message is to stay in sight. */
let following = true;
const views = new Map();
const roomNodes = new Map();
const personNodes = new Map();
const waitingNodes = new Map();

const view = (name) => kept(views, name, () => new View());
const label = (name) => (name.startsWith("@") ? otherIn(name, chat.user) : name);
const watched = () => !document.hidden && document.hasFocus();

// --- The window on the log

function note(room, text, ev = "note") {
	view(room.name).entries.push({ ev, text, at: Date.now(), epoch: room.epoch });
	draw();
}

/** Lets go of one end of a window that has grown too large. */
function trim(room, end) {
	const shown = view(room.name);
	const most = room.name === open ? SHOWN_MAX : KEPT_MAX;
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
	const shown = view(room.name);
	const away = room.name !== open || !following;
	// Whoever reads far above keeps what is there; the new ones are fetched on the way down.
	if (room.name === open && away && shown.entries.length >= SHOWN_MAX) shown.atHead = false;
	if (shown.atHead) {
		shown.entries.push({ ...item, epoch: room.epoch });
		trim(room, "oldest");
	}
	if (!shown.newFrom && item.from !== chat.user && (away || !watched())) shown.newFrom = item.seq;
	draw();
}

function onGap({ room, from, to, why }) {
	// Too much to be told at once: the window begins anew here, and scrolling up fetches the rest.
	if (why === "limit") Object.assign(view(room.name), { entries: [], more: true, atHead: true });
	const what = from === to ? `Message ${from} is` : `Messages ${from}–${to} are`;
	if (why !== "limit") note(room, `${what} ${why === "pruned" ? "no longer kept" : "missing and could not be fetched"}.`);
}

function onReset({ room, seq }) {
	Object.assign(view(room.name), { newFrom: 0, more: false, atHead: true, loading: null });
	const cause = ["disk", "os"].includes(room.durable) ? "The log was restored" : "The server restarted";
	note(room, `${cause}; this room began anew.`, "reset");
	if (seq > 0) loadOlder(room, seq + 1);
}

/** Fetches the page before the window; after a reset, what is there of the new log. */
function loadOlder(room, before) {
	const shown = view(room.name);
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
	const shown = view(room.name);
	const last = shown.entries.findLast((entry) => entry.seq)?.seq ?? room.seq;
	load(room, { after: last }, (items) => {
		shown.entries.push(...items);
		shown.atHead = (items.at(-1)?.seq ?? last) >= room.seq;
		trim(room, "oldest");
	});
}

async function load(room, where, apply) {
	const shown = view(room.name);
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
	const run = () => {
		drawing = false;
		if (!chat?.user) return;
		const room = chat.rooms.get(open);
		drawRooms();
		drawFrame(room);
		drawPeople(room);
		drawLog(room);
	};
	if (document.hidden) setTimeout(run, 250);
	else requestAnimationFrame(run);
}

function drawRooms() {
	const rooms = [...chat.rooms.values()].sort((a, b) => label(a.name).localeCompare(label(b.name)));
	const directs = rooms.filter((room) => room.direct);
	place($("rooms"), rooms.filter((room) => !room.direct).map(roomNode));
	place($("directs"), directs.map(roomNode));
	$("no-directs").hidden = directs.length > 0;
	const unread = rooms.reduce((sum, room) => sum + room.unread, 0);
	setText($("nav-badge"), count(unread));
	$("nav-badge").hidden = !unread;
	document.title = `${unread ? `(${count(unread)}) ` : ""}${open ? `${label(open)} · ` : ""}Chinwag`;
}

function roomNode({ name, direct, unread }) {
	const node = kept(roomNodes, name, () => {
		const mark = direct ? avatar(label(name)) : el("span", { class: "hash", "aria-hidden": "true" }, "#");
		const link = el("a", { href: addressOf(name) }, mark, bdi(label(name)), el("span", { class: "badge" }));
		return el("li", null, link);
	});
	const link = node.firstChild;
	const badge = link.lastChild;
	link.toggleAttribute("aria-current", name === open);
	link.classList.toggle("unread", unread > 0);
	badge.hidden = !unread;
	setText(badge, count(unread));
	badge.setAttribute("aria-label", `${unread} unread`);
	return node;
}

function drawFrame(room) {
	const presence = room?.presence;
	setText($("title"), room ? label(room.name) : "No room is open");
	const about = room?.direct ? (presence?.users?.get(label(room.name)) ?? "offline") : room?.topic;
	setText($("topic"), about ?? "");
	$("app").classList.toggle("alone", !room || room.direct);
	$("chat").classList.toggle("bare", !room);
	$("text").placeholder = `Write to ${room ? label(room.name) : ""}`;
	const names = room?.typing ?? [];
	const who = names.length > 2 ? "Several people" : names.map(isolated).join(" and ");
	setText($("typing"), names.length ? `${who} ${names.length > 1 ? "are" : "is"} typing…` : "");
}

function drawPeople(room) {
	const presence = room?.presence;
	const total = presence ? `${presence.count.toLocaleString("en")} here` : "People";
	setText($("open-people"), total);
	setText($("crowd"), presence && !presence.users ? `${total}, too many to name` : total);
	const users = [...(presence?.users ?? [])].sort(
		([a, x], [b, y]) => (b === chat.user) - (a === chat.user) || (x === "away") - (y === "away") || a.localeCompare(b),
	);
	for (const name of personNodes.keys()) if (!presence?.users?.has(name)) personNodes.delete(name);
	place($("persons"), users.map(personNode));
}

function personNode([name, status]) {
	const own = name === chat.user;
	const node = kept(personNodes, name, () => el("li", null, writeButton(name, avatar(name), bdi(name), el("small"))));
	node.className = status;
	setText(node.querySelector("small"), status === "away" ? "away" : own ? "you" : "");
	return node;
}

/** A button that opens the conversation with a person. */
function writeButton(name, ...children) {
	const button = el("button", { type: "button", title: "Write a direct message" }, ...children);
	button.disabled = name === chat.user;
	button.addEventListener("click", () => show(chat.open(name).name));
	return button;
}

function drawLog(room) {
	const log = $("log");
	const shown = room ? view(room.name) : new View();
	const waiting = room && shown.atHead ? waitingFor(room) : [];
	const top = log.getBoundingClientRect().top;
	const anchor = !following && [...$("messages").children].find((node) => node.getBoundingClientRect().bottom > top);
	const offset = anchor && anchor.getBoundingClientRect().top;
	let previous = null;
	const nodes = [...shown.entries, ...waiting].map((entry) => {
		entry.node ??= build(entry);
		decorate(entry, previous, shown.newFrom);
		previous = entry;
		return entry.node;
	});
	log.setAttribute("aria-busy", String(Boolean(shown.loading)));
	place($("messages"), nodes);
	setText($("beginning"), beginning(room, shown));
	setText($("read"), room ? readBy(room, shown.entries.at(-1), waiting.length) : "");
	if (following) log.scrollTop = log.scrollHeight;
	else if (anchor?.isConnected) log.scrollTop += anchor.getBoundingClientRect().top - offset;
	$("latest").hidden = following && shown.atHead;
	setText($("latest"), room?.unread ? `${count(room.unread)} new ↓` : "Latest ↓");
	if (room?.state !== "live") return;
	if (following && shown.atHead && watched()) chat.read(room.name, room.seq);
	if (shown.more && log.scrollTop < 300) loadOlder(room);
}

function beginning(room, shown) {
	if (!room) return "Join a room, or choose a person to write to.";
	if (room.epoch !== null && (shown.loading || shown.more)) return "Fetching messages…";
	return room.oldest > 1 ? "Earlier messages are no longer kept." : `This is the beginning of ${label(room.name)}.`;
}

function readBy(room, last, waiting) {
	if (waiting || last?.from !== chat.user) return "";
	const readers = [...room.receipts].filter(([user, seq]) => seq >= last.seq && user !== chat.user).map(([user]) => user);
	return readers.length > 3 ? `Read by ${readers.length} people` : readers.length ? `Read by ${readers.map(isolated).join(", ")}` : "";
}

/** The room's outbox as entries. */
function waitingFor(room) {
	const outbox = chat.outbox.filter((entry) => entry.room === room.name);
	for (const cid of waitingNodes.keys()) if (!outbox.some((entry) => entry.cid === cid)) waitingNodes.delete(cid);
	return outbox.map((entry) => kept(waitingNodes, entry.cid, () => ({ ...entry, ev: "message", from: chat.user, waiting: true })));
}

function build(entry) {
	const { ev, from, at, text = "", waiting } = entry;
	if (ev === "topic") return el("li", { class: "note" }, el("p", null, bdi(from), text ? " set the topic: " : " removed the topic", bdi(text)));
	if (ev !== "message") return el("li", { class: "note" }, el("p", null, text || `${from}: ${ev}`));
	const date = new Date(at);
	const time = el("time", { datetime: date.toISOString(), title: moment.format(date) }, hour.format(date));
	const head = el("div", { class: "head" }, writeButton(from, bdi(from)), time);
	const body = el("div", null, head, el("p", { class: "text", dir: "auto" }, ...linked(text)));
	if (waiting) body.append(el("small", null, "Not sent yet"));
	const own = from === chat.user ? "mine" : "";
	return el("li", { class: `msg ${own} ${waiting ? "waiting" : ""}`, "data-seq": entry.seq ?? "" }, avatar(from), body);
}

/** What depends on the entry before: the day, whether the name is said again, where the unread begin. */
function decorate({ node, ev, from, at, seq }, previous, newFrom) {
	const newDay = !previous || dayOf(previous.at) !== dayOf(at);
	node.classList.toggle("lead", newDay || previous.ev !== "message" || previous.from !== from || at - previous.at > TOGETHER_MS);
	node.classList.toggle("new", newFrom > 0 && seq >= newFrom && !(previous?.seq >= newFrom));
	const shown = node.querySelector(".day");
	if (!newDay) shown?.remove();
	else if (!shown) node.prepend(el("p", { class: "day" }, dayOf(at)));
}

// --- The connection

const STOPPED = { 4005: "You are banned from this server.", 4010: "You went on in another tab." };
let lineTimer;

function drawLine() {
	clearInterval(lineTimer);
	const { state, retryAt, told, close, error } = chat.state;
	const ready = state === "ready";
	const why = told ? "The server is restarting." : error ? words(error) : "Connection lost.";
	const stopped = STOPPED[close] ?? "The server asked this page not to come back.";
	$("app").dataset.line = state;
	setText($("link"), ready ? "Connected" : "Not connected");
	$("line").hidden = ready;
	$("line-button").hidden = state === "connecting";
	setText($("line-button"), close === 4010 ? "Go on here" : "Retry now");
	setText($("line-text"), { ready: "", connecting: "Connecting…", waiting: `${why} Reconnecting`, stopped }[state]);
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
		if (entry.room === open && !$("text").value) $("text").value = entry.text;
		else note({ name: entry.room }, `Not sent: ${entry.text}`);
	}
	draw();
}

function onLeft({ room, reason, error }) {
	views.delete(room.name);
	roomNodes.delete(room.name);
	if (error) toast(`${room.name}: ${words(error)}`);
	else if (reason !== "left") toast(`You were ${reason} from ${room.name}.`);
	if (open === room.name) show(chat.rooms.keys().next().value ?? null);
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
	on("problem", refuse);
	chat.start();
}

function signOut(why = "") {
	stored("me", null);
	stored("outbox", null);
	setText($("name-error"), why);
	chat.user = null;
	chat.stop();
	for (const map of [views, roomNodes, personNodes, waitingNodes]) map.clear();
	clearInterval(lineTimer);
	open = null;
	history.replaceState(null, "", "/");
	document.title = "Chinwag";
	$("app").hidden = true;
	$("welcome").hidden = false;
	$("name").focus();
}

// --- Rooms

const addressOf = (name) => (name ? `#room=${encodeURIComponent(name)}` : "/");

/** Shows the room that the address names. */
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
	if (room) show(room.name);
}

function show(name) {
	closeDrawers();
	if (name === open) return focusText();
	const before = chat.rooms.get(open);
	if (before) {
		const shown = view(open);
		Object.assign(shown, { draft: $("text").value, newFrom: 0 });
		open = name;
		if (shown.atHead) trim(before, "oldest");
		else Object.assign(shown, new View(), { draft: shown.draft });
		for (const entry of shown.entries) entry.node = null;
	}
	open = name;
	following = true;
	if (location.hash !== addressOf(name)) history.pushState(null, "", addressOf(name));
	const room = chat.rooms.get(name);
	if (room?.unread) view(name).newFrom = room.read + 1;
	chat.watch(name);
	$("text").value = name ? view(name).draft : "";
	focusText();
	draw();
}

/** Opens the next or previous room of the list. */
function step(by) {
	const links = [...document.querySelectorAll("#nav li a")];
	const at = links.findIndex((link) => link.hasAttribute("aria-current"));
	links[(at + by + links.length) % links.length]?.click();
}

// --- What the person does

const refuse = (error) => toast(words(error));

function toast(text) {
	const close = el("button", { class: "plain", "aria-label": "Close this notice" }, "×");
	const box = el("div", { class: "toast" }, el("p", null, text), close);
	close.addEventListener("click", () => box.remove());
	setTimeout(() => box.remove(), TOAST_MS);
	$("toasts").append(box);
	if ($("toasts").children.length > 4) $("toasts").firstChild.remove();
}

/** On a touch screen focus would raise the keyboard unasked. */
function focusText() {
	if (matchMedia("(hover: hover)").matches) $("text").focus();
}

function say() {
	const text = $("text").value.trim();
	if (!text) return;
	try {
		chat.send(open, text);
	} catch (error) {
		return refuse(error);
	}
	$("text").value = "";
	view(open).newFrom = 0;
	toLatest();
}

function drawer(name, wanted) {
	$("app").classList.toggle(`${name}-open`, wanted);
	$(`open-${name}`).setAttribute("aria-expanded", String(wanted));
	$("chat").inert = wanted;
	if (wanted) $(name).querySelector("a, button:enabled").focus();
}

function closeDrawers() {
	for (const name of ["nav", "people"]) {
		if (!$("app").classList.contains(`${name}-open`)) continue;
		drawer(name, false);
		$(`open-${name}`).focus();
	}
}

function submitJoin() {
	const name = fold($("join-name").value).replace(/^#/, "");
	if (!name) return;
	$("join").close();
	join(name);
}

function onScroll() {
	const log = $("log");
	const room = chat?.rooms.get(open);
	following = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
	if (following && room && !view(open).atHead) {
		following = false;
		loadNewer(room);
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
/** In place of what the browser would do. */
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
on("leave", "click", () => chat.leave(open).catch(refuse));
on("latest", "click", toLatest);
on("open-nav", "click", () => drawer("nav", true));
on("open-people", "click", () => drawer("people", true));
on("close-people", "click", closeDrawers);
on("scrim", "click", closeDrawers);
on("line-button", "click", () => {
	if (chat.state.close === 4010) chat.session = null;
	chat.start();
});
on("text", "input", () => $("text").value.trim() && chat.typing(open));
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
