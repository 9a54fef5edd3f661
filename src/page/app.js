/** The chat page: draws the state of a `Client`. Text reaches the document as text only. */
import { Client, otherIn, present } from "/client.js";
import { commandList, fold } from "/commands.js";
import { composer } from "/composer.js";
import { drawConnection } from "/connection.js";
import { $, avatar, bdi, cached, el, isolated, linked, place, says, setText, tint } from "/dom.js";
import { addressOf, count, invitationList, peopleList, roomList } from "/lists.js";
import { decorate, entryNode, forget, readBy, stateOf } from "/log-entry.js";
import { FIRST_PAGE, View, logWindows } from "/log-window.js";
import { isMarked, isPinned, markUnread, preferences, renamePreferences, setListed, takeMark } from "/preferences.js";
import { canModerate, roleName } from "/roles.js";
import { remembered, stored } from "/storage.js";
import { catchFiles, toast } from "/toasts.js";
import { secretInAddress, signInView } from "/welcome.js";
import { fill, has, t } from "/words.js";

const { Socket, takePage } = globalThis.early;
const AWAY_MS = 60_000;
const FIRST_ROOM = "lobby";
/** So many pixels above its end the log scrolls along with new messages: for a finger more than the toolbar takes that it brings. */
const NEAR_END = matchMedia("(hover: none)").matches ? 100 : 40;
/** Until what is used later is loaded, if nothing is shown. */
const LOAD_LATER_MS = 3_000;
/** Refusals of being shown as typing, because one is muted, a reader, or too quick: whoever then sends something is told. */
const UNASKED = new Set([3006, 3007, 5001]);
/** What became of our token, in words. */
const TOKEN_ENDS = { ended: "end.ended", expired: "end.expired", refused: "end.refused" };

/** An error as a sentence. */
function sentence(error) {
	if (!error.code) return t("error.offline");
	const message = error.message.charAt(0).toUpperCase() + error.message.slice(1).replace(/\.?$/, ".");
	const text = has(`error.${error.code}`) ? t(`error.${error.code}`, { message }) : message;
	const { hint, expected } = error.data;
	if (hint) return t("error.hint", { text, hint });
	return expected && error.code === 1003 ? t("error.expected", { text, expected }) : text;
}

let chat;
/** The login of an account by which we are in: `{user, token}`. */
let login = null;
/** Whether we are an administrator. */
let isAdmin = false;
/** An invitation to be accepted once we are in, by an account that there is already. */
let toAccept = null;
/** The rooms of the invitation by which we come: the first one is shown. */
let invitedTo = [];
/** The name that was asked for, to be remembered if the user gets it. */
let wished = null;
let open = null;
/** Counts what the user does, so that nothing that was asked for earlier takes the field, or the focus, away from under the fingers. */
let doings = 0;
const goOn = () => (doings += 1);

/** Begins what shows itself later, as soon as it is asked for. Returns what says then whether the user has not gone on meanwhile. */
function turn() {
	const mine = goOn();
	return () => mine === doings;
}

/** The same for what takes the focus and is left if the user has gone on, who is told. */
function focusTurn() {
	const isDue = turn();
	return () => isDue() || void toast(t("said.late"));
}

/** Whether the user wants to be shown as away. */
let isAway = false;
/** Of whom it was asked what they say of themselves, and when, and of whom it is to be. */
const [whoWasAsked, toAsk] = [new Map(), []];
/** For so long an answer is good: in rooms of many members nobody is told of changes. */
const ASKED_MS = 300_000;
/** What draws that in the dialogs that are open. */
const profileDraws = new Set();
const onProfiles = (run) => profileDraws.add(run);
/** Whether the log scrolls along with new messages. */
let following = true;
/** The message that a search has led to. */
let sought = 0;
const waitingStates = new WeakMap();

const label = (room) => (room.direct ? otherIn(room.name, chat.user) : room.name);
const watched = () => !document.hidden && document.hasFocus();

const refuse = (error) => toast(sentence(error));
/** Whether we are, or are to be, in this room; not if it was left meanwhile. */
const isMember = (room) => chat.rooms.get(room.name) === room;

/** The page of the room in which a reload has to end, which is asked for before it is known that we are still in it: `{room, page}`. */
let firstAsked = {};

const windows = logWindows({
	history: async (name, where) => {
		const page = name === firstAsked.room ? await firstAsked.page : null;
		firstAsked = {};
		// In between nothing may be missing.
		const isIt = page && page.epoch === chat.rooms.get(name)?.epoch && page.last === where.before - 1;
		return isIt ? page : chat.history(name, where);
	},
	me: () => chat.user,
	isOpen: (room) => room === open,
	isFollowing: () => following,
	isWatched: watched,
	draw,
	drawEntries,
	fail: refuse,
});
const { view, note } = windows;
/** What finds a message that is answered, once there is such an answer. */
let findQuote = null;
/** What says for how long a room keeps what is said, once there is one that forgets. */
let keptFor = null;

/** Whether there is such a person, as far as is known here; "me" if it is the user. */
const knownAs = (name) => (name === chat.user ? "me" : chat.rooms.has(directName(name)) || Boolean(open?.presence?.users?.has(name)) || authors().has(name));
/** Whether the user is to be told of a message: it is of somebody else, new, and not before the user's eyes. */
const isToldOf = ({ room, item }) => item.from !== chat.user && !isBlocked(item.from) && item.seq > room.read && !(watched() && room === open) && isFollowed(room, item) && !(isIdle && room.direct && remembered("push") === chat.user);
/** Whether a message is to be noticed as far as its thread goes: of one that is not followed only what names the user. */
const isFollowed = (room, { thread, ...item }) => !thread || room.direct || !threadParts?.keeps() || threadParts.follows(room, thread) || chat.namesUs(item);
const tell = later(async () => (await import("/notices.js")).notices({ isNamed: (item, room) => chat.namesUs(item) || Boolean(threadParts?.follows(room, item.thread)), label: (room) => label(room), go: (room) => show(room) }), never, never);
/** The part of the page for threads, once we are in. */
let threadParts = null;
/** What is unread in a room, but for what is counted in threads. */
const unreadIn = (room) => room.unread - (threadParts?.keeps() ? room.inThreads : 0);
/** The part of the page for files, once there are any. */
let fileParts = null;
const attached = (room) => Boolean(room && fileParts?.holds(room.name));
const directName = (name) => `@${[name, chat.user].sort().join(":")}`;
/** Who has said something in the window. */
const authors = () => new Set((open ? view(open).entries : []).map(({ from }) => from).filter(Boolean));

async function copy(text) {
	await navigator.clipboard.writeText(text).then(() => toast(t("copy.done")), () => toast(t("copy.failed")));
}

/** Shows a message at its place in the log, in any room. */
async function goTo({ room: name, seq, epoch }) {
	const isDue = turn();
	// After a reload a conversation is not known yet.
	if (name.startsWith("@") && !chat.rooms.get(name)?.epoch) await chat.join(name).catch(() => {});
	await join(name, isDue);
	const room = open;
	if (room?.name !== name) return;
	if (epoch && epoch !== room.epoch) return toast(t("link.earlier"));
	following = false;
	await windows.around(room, seq);
	if (open !== room) return;
	sought = seq;
	drawNow();
	const node = [...$("messages").children].find((each) => each.value === seq);
	if (!node) toast(t("link.gone"));
	node?.scrollIntoView({ block: "center" });
	if (isDue()) node?.focus({ preventScroll: true });
}

function toLatest() {
	const shown = view(open);
	if (!shown.atHead) windows.restart(open);
	following = true;
	draw();
}

// --- Drawing

/** What a room has said is shown for the first time. */
let noteShown = null;
const firstShown = new Promise((resolve) => (noteShown = resolve));
/** Resolves then, or where nothing is to be shown after a while: until then nothing is loaded that would take the way from it. */
const whenShown = () => Promise.race([firstShown, new Promise((resolve) => setTimeout(resolve, LOAD_LATER_MS))]);

let drawing = false;
/** Whether the icon of the tab has said that something is new. */
let hasIcon = false;
/** Whether more has changed than what is in the log and where it stands, and whether the former has. */
let [hasChanged, hasEntries] = [false, false];

function draw() {
	hasChanged = true;
	drawSoon();
}

/** Draws the log alone: of many rooms the list takes as long. */
function drawEntries() {
	hasEntries = true;
	drawSoon();
}

/** Draws once a frame. A hidden tab has no frames, but its title still counts unread messages. */
function drawSoon() {
	if (drawing) return;
	drawing = true;
	if (document.hidden) setTimeout(drawDue, 250);
	else requestAnimationFrame(drawDue);
}

function drawDue() {
	drawing = false;
	if (hasChanged) drawNow();
	else if (chat?.user) (hasEntries ? drawEntriesOnly : drawPlace)();
}

function drawEntriesOnly() {
	drawLog();
	threadParts?.draw();
}

function drawNow() {
	hasChanged = false;
	if (!chat?.user) return;
	drawRooms();
	drawFrame();
	people.draw(open && !view(open).ended ? open.presence : null);
	drawLog();
	threadParts?.draw();
}

function drawRooms() {
	const rooms = [...chat.rooms.values()];
	conversationList.draw(rooms, open);
	for (const { room } of invitations.list()) if (chat.rooms.has(room)) invitations.forget(room);
	invitations.draw();
	const counted = rooms.filter((room) => preferences.rooms[room.name] !== "none");
	const sum = (of) => counted.reduce((total, room) => total + of(room), 0);
	const [unread, mentions] = [sum(unreadIn) + (threadParts?.unread() ?? 0), sum((room) => room.mentions)];
	const badge = mentions ? `@${count(mentions)}` : count(unread + invitations.list().length);
	setText($("nav-badge"), badge);
	$("open-nav").ariaLabel = badge ? `${t("nav.label")}, ${badge}` : t("nav.label");
	$("nav-badge").classList.toggle("at", mentions > 0);
	hasIcon ||= unread + mentions > 0;
	if (hasIcon) drawIcon(unread, mentions);
	$("read-all").hidden = !threadParts?.unread() && !rooms.some((room) => room.unread > 0 || isMarked(room));
	document.title = `${unread ? `(${mentions ? `@${count(mentions)}, ` : ""}${count(unread)}) ` : ""}${open ? `${label(open)} · ` : ""}Chinwag`;
}

function drawFrame() {
	setText($("title"), open ? label(open) : t("log.noRoom"));
	drawTopic();
	$("pin").hidden = !open;
	drawPin();
	tint($("me-avatar"), profileOf(chat.user));
	$("app").classList.toggle("alone", !open || open.direct);
	$("chat").classList.toggle("bare", !open);
	$("text").placeholder = t("log.messageTo", { room: open ? label(open) : "" });
	const ended = open && view(open).ended;
	for (const id of ["leave", "about-open", "members-open"]) $(id).hidden = Boolean(ended);
	$("gone").hidden = !ended;
	setText($("gone-text"), ended ? t("log.notIn", { room: isolated(label(open)) }) : "");
	const [a, b, c] = ((!ended && open?.typing) || []).map(isolated);
	setText($("typing"), !a ? "" : c ? t("log.typingMany") : b ? t("log.typingTwo", { a, b }) : t("log.typing", { who: a }));
}

/** What stands under the name of the open room: what it is about, or who the other one is, and does. */
function drawTopic() {
	const { display = "", text = "" } = (open?.direct && profileOf(label(open))) || {};
	const about = (open?.direct ? open.presence && t(open.presence.users?.get(label(open)) ?? "offline") : open?.topic) ?? "";
	const shown = [display, about, text].join("\n");
	// Links stay under the pointer.
	if ($("topic").dataset.shown === shown) return;
	$("topic").dataset.shown = shown;
	const parts = [...(display ? [[bdi(display)]] : []), ...(about ? [linked(about)] : []), ...(text ? [[says(text)]] : [])];
	$("topic").replaceChildren(...parts.flatMap((part, at) => (at ? [" · ", ...part] : part)));
}

function drawPin() {
	const isOn = Boolean(open) && isPinned(open);
	setText($("pin"), isOn ? "★" : "☆");
	$("pin").ariaPressed = String(isOn);
	$("pin").ariaLabel = $("pin").title = t("chat.pin");
}

/** What the members of the open room may do, by name, as far as it is known. */
const rolesOf = new WeakMap();
const roleOf = (name) => (rolesOf.get(open)?.get(name) ?? "member");

async function askRoles(room) {
	if (room.direct) return;
	const { users } = await chat.members(room.name).catch(() => ({ users: [] }));
	rolesOf.set(room, new Map(users.filter(([, role]) => role !== "member")));
	draw();
}

/** Roles change by what is in the log. */
function noteRole({ room, item }) {
	if (item.act === "role") rolesOf.get(room)?.set(item.target, item.role);
	else if (item.act === "kick" || item.act === "ban") rolesOf.get(room)?.delete(item.target);
}

function writeButton(name, ...children) {
	const disabled = name === chat.user;
	const onclick = () => show(chat.open(name));
	return el("button", { title: t("log.direct"), disabled, onclick }, ...children);
}

function drawLog() {
	hasEntries = false;
	const log = $("log");
	const shown = open ? view(open) : new View();
	const waiting = open && shown.atHead ? chat.outbox.filter((entry) => entry.room === open.name).map(waitingState) : [];
	const topOf = (node) => node.getBoundingClientRect().top;
	const top = topOf(log);
	const anchor = following ? null : [...log.querySelectorAll(".text, .note")].find((node) => topOf(node) >= top);
	const offset = anchor && topOf(anchor);
	let previous = null;
	const states = present([...shown.entries, ...shown.later]);
	const bySeq = new Map(states.filter(({ item }) => item.ev === "message").map((state) => [state.item.seq, state]));
	const answers = new Map();
	for (const { item } of states) if (item.thread) answers.set(item.thread, (answers.get(item.thread) ?? 0) + 1);
	const context = { ...entryContext(bySeq), answers: (seq) => answers.get(seq) };
	const nodes = [...states, ...waiting].map((state) => {
		const node = entryNode(state, context);
		decorate(node, state.item, previous, shown.newFrom);
		node.classList.toggle("sought", sought > 0 && state.item.seq === sought);
		previous = state.item;
		return node;
	});
	// A screen reader reads new messages aloud, but not a page of history.
	log.ariaLive = Math.abs(nodes.length - $("messages").childElementCount) > 5 ? "off" : "polite";
	place($("messages"), nodes);
	setText($("beginning"), beginning(shown));
	if (nodes.length) updateActions();
	setText($("read"), waiting.length || !open ? "" : readBy(states.at(-1)?.item, open.receipts, chat.user));
	if (following) scrollToEnd();
	else if (anchor?.isConnected) log.scrollTop += topOf(anchor) - offset;
	drawPlace();
}

const scrollToEnd = () => ($("log").scrollTop = $("log").scrollHeight);

/** Shows the files of a message: before it is judged where the log stands, but for the first ones, which wait for their part of the page. */
async function showFiles(...given) {
	if (fileParts) return fileParts.show(...given);
	await tray("show", ...given);
	if (following) scrollToEnd();
}

/** What follows from where the log stands: what leads to its end, what has been read, what is to be fetched. */
function drawPlace() {
	const [log, shown] = [$("log"), open ? view(open) : new View()];
	$("latest").hidden = following && shown.atHead;
	setText($("latest"), open?.unread ? t("log.newBelow", { n: count(open.unread) }) : t("log.latest"));
	if (open?.state !== "live" || shown.ended) return;
	if (!shown.loading && (shown.entries.length || !shown.more)) noteShown();
	if (following && shown.atHead && watched()) chat.read(open.name, open.seq);
	if (shown.more && log.scrollTop < 300 && !(following && shown.isFull())) windows.older(open);
}

/** What an entry needs of the page; `bySeq` are the messages that are shown. */
function entryContext(bySeq = new Map()) {
	const named = authors();
	const shownName = open?.name;
	return {
		me: chat.user,
		writeTo: writeButton,
		profileOf,
		react,
		isBlocked,
		copy,
		people: (name) => (named.has(name) && name !== chat.user) || knownAs(name),
		quoted: (seq) => bySeq.get(seq) ?? (findQuote ? findQuote(open, seq, bySeq) : void loadQuotes()),
		goTo: (seq) => goTo({ room: open.name, seq }),
		files: (box, item) => !item.waiting && showFiles(box, item, shownName),
		openThread: (thread, mark) => threads("show", thread, mark),
		// Who unfolds a text reads it from its beginning.
		grows: () => {
			following = false;
			requestAnimationFrame(onScroll);
		},
	};
}

function beginning(shown) {
	if (!open) return t("log.empty");
	if (shown.ended) return "";
	if (open.epoch !== null && (shown.loading || shown.more)) return t("log.loading");
	const begins = open.oldest > 1 ? t("log.older") : t("log.beginning", { room: label(open) });
	const { ms, records, bytes } = open.kept;
	const kept = (ms || records || bytes || open.durable === "memory") && (keptFor ? keptFor(open) : void loadKept());
	return [begins, kept].filter(Boolean).join(" ");
}

/** A message of the outbox, as one of the log. */
const waitingState = (entry) =>
	cached(waitingStates, entry, () => {
		const item = { ...entry, ...entry.more, ev: "message", from: chat.user, waiting: true };
		return { item, text: entry.text, deleted: false, reactions: new Map() };
	});

// --- The connection

function onState({ state, error, token }) {
	drawConnection(chat.state, sentence);
	draw();
	if (state === "stopped" && token) return tokenEnded(token);
	// Who has been in stays: what is being typed belongs to nobody else.
	if (state === "stopped" && error && !chat.user) signOut(sentence(error));
}

/** Our token is no longer good. Nothing stays to be read: the device may be in other hands. */
function tokenEnded(token) {
	const [text, n] = [t(TOKEN_ENDS[token]), chat.outbox.length];
	signOut(n ? t("end.unsent", { text, n }) : text);
}

function onWelcome({ may_invite, admin = false }) {
	isAdmin = admin;
	// What has changed meanwhile was not told.
	whoWasAsked.clear();
	$("attach").hidden = !chat.limits.file_bytes;
	stored("me", { name: chat.user, session: chat.session, account: Boolean(login) });
	keepFirst();
	if (chat.user === wished || login) remembered("name", chat.user);
	$("account-open").hidden = !login;
	$("invite-friend").hidden = !(login && may_invite);
	setText($("me"), chat.user);
	$("me").title = chat.user;
	$("me-avatar").replaceChildren(avatar(chat.user));
	if (isAway) chat.status("away");
	if (toAccept) acceptInvitation(toAccept);
	else if (!open) route();
}

/** What is to be said first after a reload, before the scripts are there. */
function keepFirst() {
	const room = !inAddress("at") && inAddress("room");
	stored("first", [chat.firstWords, ...(room ? [JSON.stringify({ id: "page", op: "history", room, limit: FIRST_PAGE })] : [])]);
}

function onOutbox({ entry, status, error, notMembers }) {
	stored("outbox", chat.outbox);
	if (notMembers) sayWhoIsNoMember(entry.room, notMembers);
	if (status === "failed") {
		toast(t("said.notSent", { text: sentence(error) }));
		const room = chat.rooms.get(entry.room) ?? (open?.name === entry.room ? open : null);
		if (room) note(room, t("said.notSent", { text: entry.text }), "unsent");
	}
	draw();
}

/** Who is named and no member does not see it. */
function sayWhoIsNoMember(name, users) {
	const room = chat.rooms.get(name);
	if (!room) return;
	const who = users.map((user) => isolated(user)).join(", ");
	note(room, t("said.notMember", { who, room: isolated(label(room)), n: users.length }));
}

/** What is kept here by the name that a room had belongs to the one that it has. */
function onRenamed({ room, was }) {
	field.rename(was, room.name);
	renamePreferences(was, room.name);
	threadParts?.rename(was, room.name);
	if (open === room && inAddress("room") === was) history.replaceState(null, "", addressOf(room.name));
	draw();
}

/** The view of a room that ends stays, with what was being typed: the next key must not go to another room. */
function onLeft({ room, reason, error }) {
	invitations.forget(room.name);
	const reads = $("messages").contains(document.activeElement);
	const { from, reason: words } = windows.end(room, { why: whyLeft(room, reason, error) });
	if (error) toast(t("said.left", { room: room.name, text: sentence(error) }));
	else if (reason !== "left" && reason !== "closed") {
		// Of the open room its view says more.
		const text = t(reason === "banned" ? "said.banned" : "said.removed", { room: room.name });
		toast(open === room || !from ? text : words ? t("said.byWhy", { text, by: from, reason: words }) : t("said.by", { text, by: from }));
	}
	draw();
	if (open !== room) return;
	// A reload must not enter the room again.
	history.replaceState(null, "", "/");
	if (reads) $("log").focus();
}

function whyLeft(room, reason, error) {
	if (error) return sentence(error);
	return t({ left: "said.youLeft", banned: "said.banned", closed: "said.closed" }[reason] ?? "said.removed", { room: isolated(label(room)) });
}

/** We are in a room again, whose view had ended. */
function onLive({ room }) {
	if (open && open !== room && open.name === room.name) {
		open = room;
		following = true;
		history.replaceState(null, "", addressOf(room.name));
		chat.watch(room.name);
	}
	draw();
}

function onInvited({ room, from, by = from, reason }) {
	// After a reload it may be told again.
	const isKnown = invitations.list().some((open) => open.room === room && open.by === by);
	invitations.add({ room, by, reason });
	if (!isKnown) toast(t("said.invited", { by, room }));
}

/** Rejects while the server, or what a proxy has behind it, does not answer. */
async function reachable() {
	const answer = await fetch("/", { method: "HEAD", cache: "no-store" });
	if (!answer.ok) throw answer;
}

/** Makes the client, which is not connected yet. */
function prepare(options) {
	chat = new Client(`${location.origin.replace("http", "ws")}/ws`, { agent: `chinwag-page (${browserName()})`, reachable, WebSocket: Socket, ...options });
	const client = chat;
	const on = (type, run) => chat.addEventListener(type, (event) => chat === client && run(event.detail));
	on("state", onState);
	on("welcome", onWelcome);
	on("welcome", () => client.listBlocked().catch(() => {}));
	on("welcome", lookForReports);
	// One behind the other: what keeps the page for when there is no connection comes first.
	on("welcome", () => whenShown().then(() => chat === client && device("begin").finally(() => threads("begin"))));
	// So that it is there without a connection, too.
	on("welcome", () => whenShown().then(() => Promise.all([laterStyle(), import("/asking.js")])).catch(() => {}));
	on("reported", lookForReports);
	on("blocked", draw);
	on("profiles", () => {
		draw();
		for (const run of profileDraws) run();
	});
	on("record", (detail) => {
		if (detail.item.ev === "moderation") noteRole(detail);
		windows.record(detail);
		if (detail.item.ev === "message" && isToldOf(detail)) tell(detail);
	});
	on("gap", windows.gap);
	on("reset", windows.reset);
	on("renamed", onRenamed);
	on("gone", ({ room, from, reason }) => from !== client.user && toast(t(reason ? "said.closedWhy" : "said.closedBy", { room, by: from, reason })));
	on("left", onLeft);
	on("invitations", (detail) => invitations.set(detail.invitations));
	on("outbox", onOutbox);
	on("invited", onInvited);
	on("live", onLive);
	on("room", draw);
	on("problem", (error) => !UNASKED.has(error.code) && refuse(error));
}

/** Whether anything is reported that we may settle. */
async function lookForReports() {
	const { items } = await chat.reports({ limit: 1 }).catch(() => ({ items: [] }));
	$("reports-open").hidden = !items.length;
}

/** What this browser is called, in the list of devices. */
function browserName() {
	const { userAgentData: data, userAgent, platform } = navigator;
	const [name] = userAgent.match(/Firefox|Edg|OPR|Chrome|Safari/) ?? [t("said.browser")];
	return `${{ Edg: "Edge", OPR: "Opera" }[name] ?? name}, ${data?.platform || platform || t("said.system")}`;
}

function showApp() {
	$("welcome").hidden = true;
	$("app").hidden = false;
}

/** Signs in by a name, or by the token of a login. */
function signIn(options) {
	prepare(options);
	showApp();
	chat.start();
}

/** Goes in as the form at the door says. */
async function enter(way, { name, password, invite }) {
	// Whoever comes in goes where the address leads, even if it was reloaded at the door.
	returns = false;
	if (way !== "login" && way !== "register") {
		wished = name;
		return signIn({ name });
	}
	prepare();
	const { user, token, rooms = [] } = await (way === "login" ? chat.login(name, password) : chat.register(name, password, { invite }));
	login = { user, token };
	remembered("login", login);
	toAccept = way === "login" && invite?.startsWith("cwi_") ? invite : null;
	invitedTo = rooms;
	if (invite) history.replaceState(null, "", "/");
	showApp();
}

function signOut(why = "") {
	goOn();
	for (const key of ["me", "first", "outbox", "invites"]) stored(key, null);
	// Another tab may have signed in anew.
	if (login && remembered("login")?.token === login.token) remembered("login", null);
	login = null;
	toAccept = null;
	invitedTo = [];
	device("leave");
	chat.user = null;
	chat.stop();
	invitations.set([]);
	people.clear();
	fileParts?.clear();
	threadParts?.clear();
	field.clear();
	open = null;
	isAway = false;
	document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close());
	$("messages").replaceChildren();
	history.replaceState(null, "", "/");
	document.title = "Chinwag";
	if (hasIcon) drawIcon(0, 0);
	$("app").hidden = true;
	$("welcome").hidden = false;
	showDoor(why);
}

/** Ends the login of this device, and goes. Without a connection it can only be forgotten here. */
async function endAndSignOut() {
	const client = chat;
	const isKept = login ? await client.logout().then(() => false, () => true) : false;
	// The end of the connection may have come first.
	if (chat !== client || !chat.user) return;
	signOut(isKept ? t("end.kept") : "");
}

/** Asks first if messages would be lost. */
function wishToSignOut() {
	const n = chat.outbox.length;
	if (!n) return endAndSignOut();
	ask([t("ask.signOut")], t("ask.unsent", { n }), t("nav.signOut"), endAndSignOut);
}

// --- Rooms

/** Whether the address was come to by going back and forth, or by a reload: that enters no room that we are not in. */
let returns = performance.getEntriesByType("navigation")[0]?.type !== "navigate";

const inAddress = (key) => new URLSearchParams(location.hash.slice(1)).get(key);

/** Opens the room that the address names, at the message that it names, if it does. */
async function route() {
	const given = chat?.user && secretInAddress();
	if (given) return offerInvitation(given);
	let name = inAddress("room");
	if (!chat?.user) return;
	if (/^@.+:/.test(name) && !name.slice(1).split(":").includes(chat.user)) {
		history.replaceState(null, "", open ? addressOf(open.name) : "/");
		toast(t("link.others"));
		return open || join(FIRST_ROOM);
	}
	const isReturn = returns;
	returns = false;
	// After a reload the rooms are not known yet.
	const synced = name && isReturn && !chat.rooms.has(name) && chat.sync().then(() => true, () => false);
	if (synced && !open && !inAddress("at") && (await goOnIn(name, synced))) return;
	if (synced && !name.startsWith("@") && !chat.rooms.has(name)) {
		const isKnown = Boolean(open) || (await synced);
		name = [...chat.rooms.values()].find((room) => room.former?.includes(name))?.name ?? name;
		if (isKnown && !chat.rooms.has(name)) {
			toast(t("said.notIn", { room: name }));
			if (open) return history.replaceState(null, "", isMember(open) ? addressOf(open.name) : "/");
			return join(FIRST_ROOM);
		}
	}
	const seq = Number(inAddress("at"));
	if (name && seq > 0) goTo({ room: name, seq, epoch: inAddress("epoch") });
	else if (name) join(name);
	else if (!open) enterRooms(invitedTo.splice(0));
}

/** Shows the room in which a reload has ended: with the page that was asked for before the scripts were there, even before we have joined it. */
async function goOnIn(name, synced) {
	const isDue = turn();
	const page = await takePage();
	const isIts = page?.room === name && page.last > 0;
	if (!isIts || chat.rooms.has(name)) {
		firstAsked = { room: name, page: isIts ? page : chat.history(name, { limit: FIRST_PAGE }).catch(() => null) };
		return false;
	}
	const room = chat.goOn(name, page);
	windows.begin(room, page);
	arrive(room, isDue);
	await synced;
	// Now it is known what is unread.
	if (open === room && room.unread) view(room).newFrom ||= room.read + 1;
	draw();
	return true;
}

/** Enters rooms, and shows the first; without any, the one that everybody comes to first. */
function enterRooms([first = FIRST_ROOM, ...others], isDue) {
	for (const name of others) chat.join(name).catch(() => {});
	join(first, isDue);
}

/** Who is in already has opened a link that lets others in. */
function offerInvitation({ kind, secret }) {
	history.replaceState(null, "", open && isMember(open) ? addressOf(open.name) : "/");
	if (!open) route();
	if (!login || kind === "admin") return toast(t("said.signOutFirst"));
	ask([t("ask.accept")], t("ask.acceptText", { user: chat.user }), t("ask.acceptGo"), () => acceptInvitation(secret));
}

async function acceptInvitation(secret) {
	const isDue = turn();
	toAccept = null;
	try {
		const { rooms = [] } = await chat.accept(secret);
		toast(t("said.accepted"));
		if (rooms.length || !open) enterRooms(rooms, isDue);
	} catch (error) {
		refuse(error);
		if (!open) route();
	}
}

/** Opens a room by its name, or by `@name` the conversation with a person. */
async function join(name, isDue = turn()) {
	const person = name.startsWith("@") && (name.includes(":") ? otherIn(name, chat.user) : name.slice(1));
	// The event `left` reports a refusal.
	const room = person ? chat.open(person) : await chat.join(name).catch(() => null);
	if (room) arrive(room, isDue);
	else if (open) history.replaceState(null, "", isMember(open) ? addressOf(open.name) : "/");
	else if (name !== FIRST_ROOM) join(FIRST_ROOM);
}

/** Shows a room that was asked for, unless the user has gone on meanwhile. */
function arrive(room, isDue) {
	if (!open || isDue()) show(room, true);
	else toast(t("said.isIn", { room: label(room) }));
}

/** Shows a room; unless it comes in its turn, nothing that was asked for before comes in its place. */
function show(room, isInTurn = false) {
	closeDrawers();
	if (!isInTurn) goOn();
	if (room === open) return field.focus();
	if (open) {
		field.keep(open.name);
		const [before, shown] = [open, view(open)];
		open = room;
		if (shown.atHead) windows.trim(before, "oldest");
		else windows.restart(before);
		shown.newFrom = 0;
		shown.entries.forEach(forget);
	}
	open = room;
	following = true;
	sought = 0;
	field.take(room?.name);
	fileParts?.drawTray(room?.name);
	if (room) {
		if (inAddress("room") !== room.name) history.pushState(null, "", addressOf(room.name));
		keepFirst();
		if (room.unread) view(room).newFrom = room.read + 1;
		const marked = takeMark(room);
		if (marked) view(room).newFrom = marked;
		chat.watch(room.name);
		askRoles(room);
	}
	drawNow();
	field.focus();
}

function step(by) {
	const room = conversationList.step(open, by);
	if (room) show(room);
}

// --- What the user does

const notHere = (room) => t("said.notSentHere", { room: isolated(label(room)) });

/** Sends a message. Returns why not, if it cannot be sent. */
function send(room, text, more) {
	if (view(room).ended) return notHere(room);
	try {
		chat.send(room.name, text, more);
	} catch (error) {
		return sentence(error);
	}
}

/** Sends a message, with the files that are to go with it. Returns why not, if it cannot be sent. */
function say(room, text, more) {
	if (attached(room) && !view(room).ended) return void tray("sendTray", text, more);
	const why = send(room, text, more);
	if (why) return why;
	view(room).newFrom = 0;
	if (room === open) toLatest();
}

/** Says why something could not be said in a room: at the field, if the room is still there. */
function sayWhy(room, why) {
	if (room === open) field.hint(why ?? "");
	else if (why) toast(why);
}

/** Everything is read, in all rooms. */
function readAll() {
	for (const room of chat.rooms.values()) {
		takeMark(room);
		if (room.unread) chat.read(room.name, room.seq);
	}
	threadParts?.readAll();
	draw();
	toast(t("said.allRead"));
}

/** A message and what follows are to be looked at again, on this device: what others are told of one's reading stays. */
function markAsUnread({ item }) {
	markUnread(open, item.seq);
	view(open).newFrom = item.seq;
	toast(t("said.unread", { room: isolated(label(open)) }));
	draw();
}

function setAway(wanted) {
	isAway = wanted;
	chat.status(wanted ? "away" : "online");
	note(open, t(wanted ? "said.away" : "said.back"));
}

/** Signs in by another name, in the same room. */
function rename(name) {
	if (name === chat.user) return;
	if (login) return field.hint(t("said.accountName"));
	if (chat.outbox.length) return field.hint(t("said.waitSent"));
	const [before, room] = [chat.user, open];
	signOut();
	if (!room.direct) history.replaceState(null, "", addressOf(room.name));
	wished = name;
	signIn({ name });
	toast(t("said.renamed", { name, before }));
}

/** The user's last message in the window. */
function lastOwn() {
	const node = [...document.querySelectorAll("#messages > .mine:not(.waiting)")].findLast((each) => !stateOf(each).deleted);
	return node && stateOf(node);
}

/** Whether the user may moderate this person: an administrator may in every room. */
const mayModerate = (name) => name !== chat.user && Boolean(open) && !open.direct && (isAdmin || canModerate(open.role));
const rights = ({ item }) => ({ edit: item.from === chat.user, remove: item.from === chat.user || mayModerate(item.from), moderate: mayModerate(item.from), about: item.from !== chat.user, thread: true, unread: true });

const isBlocked = (name) => chat.blocked.has(name);

/** What a person says of itself, as it holds now. Who is shown first is asked for, with all who are shown then. */
function profileOf(name) {
	if (!(Date.now() - whoWasAsked.get(name) < ASKED_MS)) {
		whoWasAsked.set(name, Date.now());
		if (!toAsk.length) setTimeout(askProfiles, 50);
		toAsk.push(name);
	}
	const profile = chat.profiles.get(name);
	return profile?.until < Date.now() ? { ...profile, text: undefined } : profile;
}

async function askProfiles() {
	const [client, names] = [chat, toAsk.splice(0, 50)];
	if (toAsk.length) setTimeout(askProfiles, 50);
	await client?.whois(names).catch(() => names.forEach((name) => whoWasAsked.delete(name)));
}

async function block(name, on) {
	await (on ? chat.block(name) : chat.unblock(name));
	whoWasAsked.delete(name);
	toast(t(on ? "said.blocked" : "said.unblocked", { name }));
}

async function report({ name, item, reason }, at = open) {
	const room = at?.name;
	await chat.report({ ...(item ? { room, target: item.seq } : { user: name, room: at?.direct ? undefined : room }), reason: reason || undefined });
	toast(t("said.reported"));
}

function aboutPerson(name, item) {
	closeDrawers();
	personal(name, item);
}

function moderatePerson(name, role = rolesOf.get(open)?.get(name)) {
	closeDrawers();
	moderation("person", isAdmin ? { name: open.name, role: "owner" } : open, name, role);
}

const invite = (room, name) => {
	const user = fold(name).replace(/^@/, "");
	chat.request("invite", { room, user }).then(() => toast(t("said.youInvited", { user, room })), refuse);
};

function react({ item, reactions }, emoji) {
	chat.react(open.name, item.seq, emoji, Boolean(reactions.get(emoji)?.has(chat.user))).catch(refuse);
}

function drawer(name, wanted) {
	if (wanted) goOn();
	$("app").classList.toggle(`${name}-open`, wanted);
	$(`open-${name}`).ariaExpanded = String(wanted);
	$("chat").inert = wanted;
	// What was hidden had no rows in view.
	if (wanted) drawNow();
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
	create(name, kind === "private").catch(refuse);
}

/** Makes a room that is the user's own. */
async function create(name, isPrivate, isDue = turn()) {
	arrive(await chat.create(name, { private: isPrivate }), isDue);
}

/** Where the log stood: going up ends that its end is followed, and not what grows there. */
let stood = 0;
function onScroll() {
	const log = $("log");
	following = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END || (following && log.scrollTop >= stood);
	stood = log.scrollTop;
	if (following && open && !view(open).atHead) {
		following = false;
		windows.newer(open);
	}
	drawSoon();
}

let awayTimer;
/** Nobody has looked at the page for a while: of direct messages the server tells this device, if that is wished. */
let isIdle = false;

function goIdle() {
	isIdle = true;
	chat.status("away");
}

function onVisibility() {
	clearTimeout(awayTimer);
	if (!chat?.user) return;
	isIdle = false;
	if (document.hidden) return (awayTimer = setTimeout(goIdle, AWAY_MS));
	chat.wake();
	if (!isAway) chat.status("online");
	chat.sync().catch(() => {});
}

function onKey(event) {
	if (event.key === "Escape") closeDrawers();
	const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
	if (event.altKey && by) instead(() => step(by))(event);
	const isSwitch = (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k";
	if (isSwitch && chat?.user && !document.querySelector("dialog[open]")) instead(openSwitcher)(event);
}

let styled = null;
/** How that looks which is not there from the start. */
const laterStyle = () => (styled ??= new Promise((onload, onerror) => document.head.append(el("link", { rel: "stylesheet", href: "/later.css", onload, onerror }))).catch((error) => {
	styled = null;
	throw error;
}));

/** Those dialogs, in a document that the browser parses and in which nothing runs. */
const dialogs = () => new Promise((resolve, reject) => {
	const request = new XMLHttpRequest();
	request.responseType = "document";
	request.onload = () => {
		const found = [...(request.response?.querySelectorAll("dialog") ?? [])];
		document.body.append(...found);
		found.forEach(fill);
		if (found.length) resolve();
		else reject(new Error("no dialogs"));
	};
	request.onerror = reject;
	request.open("GET", "/dialogs.html");
	request.send();
});
let dialogsThere = null;

/** A part of the page that is loaded when it is used first, with the dialogs. */
const laterDialog = (load) => later(async () => {
	dialogsThere ??= laterStyle().then(dialogs).catch((error) => {
		dialogsThere = null;
		throw error;
	});
	await dialogsThere;
	return load();
}, () => true);

function never() {
	return false;
}

/**
 * A part of the page that is loaded when it is used first. `takesFocus(...given)` is whether this use of it is a matter of turns;
 * `isAsked(...given)` whether the user has asked for it, and is told if it cannot be loaded: all else is tried again.
 */
function later(load, takesFocus = never, isAsked = () => true) {
	let made = null;
	return async (...given) => {
		const isDue = takesFocus(...given) ? focusTurn() : () => true;
		made ??= load();
		const run = await made.catch(() => (made = null));
		if (!run) return isAsked(...given) ? toast(t("said.loadFailed")) : undefined;
		if (isDue()) return run(...given);
	};
}
const byName = (parts) => (name, ...given) => parts[name](...given);

const on = (id, type, run) => $(id).addEventListener(type, run);
const instead = (run) => (event) => {
	event.preventDefault();
	run();
};
on("open-search", "click", () => openSearch(open?.name));
on("join-form", "submit", instead(submitJoin));
on("open-switcher", "click", () => {
	closeDrawers();
	openSwitcher();
});
on("open-settings", "click", () => {
	closeDrawers();
	openSettings(open, open && label(open));
});
on("open-emoji", "click", () => pickEmoji(field.insert));
on("skip", "click", instead(() => $("text").focus()));
on("add", "click", () => {
	closeDrawers();
	$("join-form").reset();
	$("join").showModal();
});
on("read-all", "click", () => {
	closeDrawers();
	readAll();
	field.focus();
});
on("join-cancel", "click", () => $("join").close());
on("sign-out", "click", wishToSignOut);
on("account-open", "click", () => {
	closeDrawers();
	account("account");
});
on("invite-friend", "click", () => {
	closeDrawers();
	account("inviteLink", open);
});
on("open-directory", "click", () => {
	closeDrawers();
	directory();
});
on("members-open", "click", () => {
	closeDrawers();
	allMembers(open);
});
on("reports-open", "click", () => {
	closeDrawers();
	reports();
});
on("pin", "click", () => {
	setListed("pinned", open, !isPinned(open));
	draw();
});
on("nav-filter", "input", draw);
on("about-open", "click", () => {
	closeDrawers();
	moderation("aboutRoom", open);
});
on("leave", "click", () => {
	closeDrawers();
	leave(open, turn());
});
on("rejoin", "click", () => join(open.name));
on("latest", "click", toLatest);
on("open-nav", "click", () => drawer("nav", true));
on("open-people", "click", () => drawer("people", true));
on("close-people", "click", closeDrawers);
on("scrim", "click", closeDrawers);
on("connection-button", "click", () => {
	if (chat.state.close === 4010) chat.session = null;
	chat.start();
});
const field = composer({
	say: (text, more) => say(open, text, more),
	attached: () => attached(open),
	save: (seq, text) => chat.edit(open.name, seq, text),
	run: (command) => run(command, open, turn()),
	lastOwn,
	typing: () => !view(open).ended && chat.typing(open.name),
	touched: goOn,
	fail: refuse,
});
const loadCompletion = later(async () => {
	const { completion } = await import("/complete.js");
	completion($("text"), {
		names: () => [...(open?.presence?.users?.keys() ?? []), ...authors()].filter((name) => name !== chat.user).sort(),
		commands: commandList(),
	});
	return () => {};
}, never, never);
$("text").addEventListener("focus", () => loadCompletion());
const tray = later(async () => {
	fileParts = (await import("/files.js")).filesView({
		auth: () => (login ? { token: login.token } : { as: chat.user }),
		limits: () => chat.limits,
		send: (room, text, more) => {
			chat.send(room, text, more);
			if (open?.name === room) toLatest();
		},
		toast,
		sentence: (error) => (error.isOurs ? error.message : sentence({ data: {}, ...error, message: error.message })),
	});
	return (name, ...given) => fileParts[name](...given);
}, (name) => name === "choose");
/** Begins to send files in the open room. */
function attach(files) {
	if (open && !view(open).ended && files.length) tray("add", files, open.name);
}
on("attach", "click", () => tray("choose", attach));
const pickEmoji = laterDialog(async () => (await import("/emoji.js")).emojiDialog());
const openSwitcher = laterDialog(async () => (await import("/switcher.js")).switcherDialog({ chat: () => chat, here: () => open, label, directName, go: join, fold }));
/** What the toolbar of a message does. */
const deeds = {
	rights,
	react,
	pick: (state) => pickEmoji((emoji) => react(state, emoji)),
	answer: (state) => field.answer(state),
	thread: ({ item }) => threads("show", item.thread ?? item.seq),
	link: ({ item }) => copy(`${location.origin}/${addressOf(open.name, item.seq, open.epoch)}`),
	unread: markAsUnread,
	edit: (state) => field.edit(state),
	remove: ({ item }) => chat.delete(open.name, item.seq).catch(refuse),
	moderate: ({ item }) => moderatePerson(item.from),
	about: ({ item }) => aboutPerson(item.from, item),
	leave: () => $("text").focus(),
};
const updateActions = later(async () => (await import("/actions.js")).messageToolbar($("log"), deeds), never, never);
const isShow = (name) => name === "show";
const threads = later(async () => {
	threadParts = (await import("/thread-view.js")).threadsView({
		chat: () => chat,
		here: () => open,
		context: entryContext,
		changes: () => (open ? [...view(open).entries, ...view(open).later] : []),
		openIn: async (name, thread) => {
			const isDue = turn();
			await join(name, isDue);
			if (open?.name === name && isDue()) threadParts.show(thread);
		},
		say: send,
		deeds,
		watched,
		isMuted: (room) => preferences.rooms[room] === "none",
		changed: draw,
		fail: refuse,
	});
	return byName(threadParts);
}, isShow, isShow);
const moderation = laterDialog(async () => byName((await import("/moderation.js")).moderationDialogs({
	ask: (op, fields) => chat.request(op, fields),
	act: (...action) => chat.moderate(...action),
	setTopic: (room, text) => chat.topic(room, text),
	rename: (room, name) => chat.rename(room, fold(name)),
	confirm: (...given) => ask(...given),
	close: (room, more) => chat.close(room, more),
	invite,
	audit: (room) => audit(room),
	turn: focusTurn,
	fail: refuse,
})));
const audit = laterDialog(async () => (await import("/audit.js")).auditDialog({ ask: (op, fields) => chat.request(op, fields), sentence }));
const account = laterDialog(async () => byName((await import("/account.js")).accountDialogs({ chat: () => chat, sentence, label, toast })));
const conversationList = roomList(label, unreadIn, profileOf);
const invitations = invitationList({
	decline: (room) => chat.request("leave", { room }).catch((error) => {
		// It is gone, by whatever means.
		if (error.code) return;
		refuse(error);
		throw error;
	}),
	changed: () => {
		stored("invites", invitations.list());
		draw();
	},
});
const people = peopleList({ me: () => chat.user, writeTo: writeButton, mayModerate, moderate: moderatePerson, about: (name) => aboutPerson(name), roleOf: (name) => (roleOf(name) === "member" ? "" : roleName(roleOf(name))), profileOf });
const personal = laterDialog(async () => (await import("/personal.js")).personalDialog({ isBlocked, block, report, fail: refuse, profileOf, onProfiles }));
const reports = laterDialog(async () => (await import("/reports.js")).reportsDialog({ chat: () => chat, turn: focusTurn, label: (name) => (name.startsWith("@") ? t("reports.direct") : name), sentence }));
const directory = laterDialog(async () => (await import("/directory.js")).directoryDialog({ chat: () => chat, label, go: join, sentence, profileOf, onProfiles }));
const allMembers = laterDialog(async () => (await import("/members.js")).membersDialog({
	me: () => chat.user,
	members: (name, page) => chat.members(name, page),
	writeTo: (name) => show(chat.open(name)),
	mayModerate,
	moderate: moderatePerson,
	roleName,
	sentence,
	profileOf,
	onProfiles,
}));
const ask = later(async () => (await import("/asking.js")).ask, () => true);
const leave = later(async () => (await import("/asking.js")).leaving({
	members: ({ name }) => chat.request("members", { room: name }),
	leave: async ({ name }, isDue, more) => {
		await chat.leave(name, more);
		if (open?.name === name && view(open).ended && isDue()) show([...chat.rooms.values()][0] ?? null);
	},
	turn,
	late: () => toast(t("said.late")),
	me: () => chat.user,
	fail: refuse,
}));
const drawIcon = later(async () => (await import("/tab-icon.js")).drawIcon, never, never);
const loadKept = later(async () => {
	({ keptFor } = await import("/kept.js"));
	draw();
	return () => {};
}, never, never);
const loadQuotes = later(async () => {
	findQuote = (await import("/quotes.js")).quoteFinder({ history: (name, where) => chat.history(name, where), draw });
	draw();
	return () => {};
}, never, never);
const device = later(async () => byName((await import("/device.js")).thisDevice({ chat: () => chat, sentence, go: join, toast })), never, (name) => name === "set");
const openSettings = laterDialog(async () => (await import("/settings.js")).settingsDialog({ changed: draw, device, chat: () => chat, sentence, toast, blocked: () => chat.blocked, unblock: (name) => block(name, false).catch((error) => {
	refuse(error);
	throw error;
}) }));
const openSearch = laterDialog(async () => (await import("/search.js")).searchDialog({
	search: (text, where) => chat.search(text, where),
	me: () => chat.user,
	roomOf: (name) => (name.startsWith("@") ? directName(name.slice(1)) : name),
	label: (name) => (name.startsWith("@") ? otherIn(name, chat.user) : name),
	go: goTo,
	fail: refuse,
}));
const run = later(async () => (await import("/run-command.js")).commandRunner({
	chat: () => chat,
	note,
	toast,
	fail: refuse,
	say: (room, text, more) => sayWhy(room, say(room, text, more)),
	sayWhy,
	shown: (room) => view(room).entries,
	arrive,
	join,
	create,
	leave,
	closeRoom: (room) => moderation("closeRoom", room),
	invite,
	search: (room, text) => openSearch(room.name, text),
	directory,
	settings: (room) => openSettings(room, label(room)),
	about: (room) => moderation("aboutRoom", room),
	reports,
	rename,
	account: () => (login ? account("account") : toast(t("said.noAccount"))),
	audit,
	block,
	inviteLink: (room) => (login ? account("inviteLink", room) : toast(t("said.linkAccount"))),
	report,
	signOut: wishToSignOut,
	setAway,
	readAll,
}));
on("log", "scroll", onScroll);
// In whatever field.
document.addEventListener("input", goOn, true);
new ResizeObserver(draw).observe($("log"));
new ResizeObserver(() => following && scrollToEnd()).observe($("messages"));
document.addEventListener("keydown", onKey);
document.addEventListener("visibilitychange", onVisibility);
addEventListener("resize", closeDrawers);
globalThis.navigation?.addEventListener("navigate", ({ navigationType }) => (returns = navigationType === "traverse"));
addEventListener("popstate", route);
addEventListener("focus", draw);
addEventListener("online", () => chat?.wake());

addEventListener("pagehide", () => open && field.keep(open.name));
catchFiles(attach);

$("name").value = remembered("name") ?? "";
const showDoor = signInView({ offers: () => new Client(`${location.origin.replace("http", "ws")}/ws`).offers(), enter, sentence });

/** Goes on as who was in here before, if they still are. */
function begin() {
	login = remembered("login");
	const me = stored("me");
	const isSame = me && (login ? me.name === login.user : !me.account);
	if (me && !isSame) for (const key of ["me", "first", "outbox", "invites", "drafts"]) stored(key, null);
	if (isSame) {
		field.restore();
		invitations.set(stored("invites") ?? []);
	}
	if (login || isSame) return signIn({ name: me?.name, token: login?.token, session: isSame ? me.session : null, outbox: (isSame && stored("outbox")) || [] });
	showDoor();
}

begin();
