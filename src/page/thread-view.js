/** Threads on the page: one beside the log, and the list of those that we follow. Text reaches the document as text only. */
import { messageToolbar } from "/actions.js";
import { present } from "/client.js";
import { readTyped } from "/commands.js";
import { $, bdi, cached, el, isolated, place, setText } from "/dom.js";
import { count } from "/lists.js";
import { decorate, entryNode } from "/log-entry.js";
import { preferences } from "/preferences.js";
import { Threads } from "/threads.js";
import { t } from "/words.js";

/** Messages of a page, and the most that are shown: earlier ones are asked for, the latest stay. */
const PAGE = 60;
const SHOWN_MAX = 200;
/** Edits, deletions and reactions that are kept of them. */
const CHANGES_MAX = 2_000;
/** Threads in the list. */
const LISTED_MAX = 6;
/** Where the thread lies over the log instead of beside it. */
const narrow = matchMedia("(max-width: 56rem)");

document.head.append(el("link", { rel: "stylesheet", href: "/threads.css" }));

const title = el("h2", { id: "thread-title", tabIndex: -1 }, t("thread.thread"));
const follow = el("button", { id: "thread-follow", type: "button", className: "plain" });
const close = el("button", { id: "thread-close", type: "button", className: "plain", ariaLabel: t("thread.close") }, "×");
const earlier = el("button", { id: "thread-earlier", type: "button", hidden: true }, t("thread.earlier"));
const list = el("ol", { id: "thread-messages" });
const status = el("p", { id: "thread-status", className: "help", role: "status" });
const log = el("div", { id: "thread-log", role: "log", ariaLabel: t("thread.messages"), tabIndex: 0 }, earlier, list);
const hint = el("p", { id: "thread-hint", role: "alert", hidden: true });
const field = el("textarea", { id: "thread-text", rows: 1, dir: "auto", ariaLabel: t("thread.field"), placeholder: t("thread.write"), enterKeyHint: "send" });
field.setAttribute("aria-describedby", "thread-hint");
const send = el("button", { className: "primary", ariaLabel: t("thread.send"), title: t("thread.send") }, "↑");
const form = el("form", { id: "thread-form" }, field, send);
const aside = el("aside", { id: "thread", hidden: true }, el("header", null, title, follow, close), log, status, hint, form);
aside.setAttribute("aria-labelledby", "thread-title");
$("people").before(aside);

const heading = el("h2", { id: "threads-title", hidden: true }, t("thread.threads"));
const listed = el("ul", { id: "threads" });
listed.setAttribute("aria-labelledby", "threads-title");
$("directs-title").before(heading, listed);

/**
 * `chat()` is the client, `here()` the open room, `context()` what `entryNode` needs of the page, `changes()` the records of the open
 * room's window; `openIn(room, thread)` goes to a room and shows a thread there, `say(room, text, more)` sends a message and returns
 * why not, `deeds` is what the toolbar of a message does; `watched()` is whether the user looks at the page; `changed()` follows each change of what is unread, `fail(error)` a refusal. Returns the parts.
 */
export function threadsView({ chat, here, context, changes, openIn, say, deeds, watched, isMuted, changed, fail }) {
	let marks = null;
	let marksOf = null;
	/** The thread that is open: `{room, thread, mark, items, changes, more, loading}`; `loading` is the latest request. */
	let open = null;
	/** Where the focus goes when it is closed. */
	let before = null;
	/** The seq of the message that is being answered. */
	let answering = 0;
	/** What stands in the field of other threads. */
	const drafts = new Map();
	const rows = new Map();
	const waitingStates = new WeakMap();

	/** In a thread there is no other one, and nothing is marked as unread; what needs the field under the log goes there. */
	const outside = (run) => (state) => {
		if (narrow.matches) hide();
		run(state);
	};
	const updateActions = messageToolbar(log, {
		...deeds,
		rights: (state) => ({ ...deeds.rights(state), thread: false, unread: false }),
		answer: ({ item, text }) => {
			answering = item.seq;
			tell(t("thread.answering", { from: isolated(item.from), text: text.slice(0, 60).replace(/\s+/g, " ") }));
			field.focus();
		},
		edit: outside(deeds.edit),
		leave: () => field.focus(),
	});

	function tell(text) {
		setText(hint, text);
		hint.hidden = !text;
	}

	function endAnswer() {
		answering = 0;
		tell("");
	}

	/** Whether the message of this seq is ours, as far as the window of the open room says so. */
	const isOurs = (name, seq) => {
		const room = here();
		return room?.name === name && changes().some((item) => item.seq === seq && item.ev === "message" && item.from === chat().user && (item.epoch ?? room.epoch) === room.epoch);
	};

	/** Begins to follow the threads of a client, which has come in; nothing if that has begun. */
	function begin() {
		if (marksOf === chat()) return;
		marksOf = chat();
		const made = (marks = new Threads(marksOf, { isOurs }));
		made.addEventListener("change", () => {
			if (marks !== made) return;
			draw();
			changed();
		});
		marksOf.addEventListener("record", ({ detail }) => open?.room === detail.room && record(detail.item));
		marksOf.addEventListener("gap", ({ detail }) => open?.room === detail.room && load(open));
		marksOf.addEventListener("reset", ({ detail }) => open?.room === detail.room && restart());
		// What is kept of the room is not to be read any more, and nothing can be said there.
		marksOf.addEventListener("left", ({ detail }) => open?.room === detail.room && hide());
		made.refresh();
	}

	/** What is unread in threads, and those of a room that are unread nowhere else. */
	const unread = () => (marks?.isSupported ? marks.unread((room) => !isMuted(room)) : 0);
	const keeps = () => Boolean(marks?.isSupported);
	const follows = (room, thread) => Boolean(marks?.find(room.name, thread));

	function record(item) {
		if (item.ev === "message" && (item.thread === open.thread || item.seq === open.thread)) {
			open.items.push(item);
			if (open.items.length > SHOWN_MAX) {
				open.items.splice(0, open.items.length - SHOWN_MAX);
				open.more = true;
				forgetChanges();
			}
		} else if (item.target && (open.loading || open.items.some(({ seq }) => seq === item.target))) {
			open.changes.set(item.seq, item);
			if (open.changes.size > CHANGES_MAX) open.changes.delete(open.changes.keys().next().value);
		}
		draw();
	}

	/** Keeps of the changes those of messages that are shown: the others of the room would only grow. */
	function forgetChanges() {
		const own = new Set(open.items.map(({ seq }) => seq));
		for (const [seq, { target }] of open.changes) if (!own.has(target)) open.changes.delete(seq);
	}

	/** The room has another log: what was shown is not in it, and what was to be answered neither. */
	function restart() {
		Object.assign(open, { items: [], mark: 0, more: false });
		open.changes.clear();
		if (answering) endAnswer();
		if (open.room.epoch === null) hide();
		else load(open);
	}

	/** Shows a thread; `mark` is the seq of a message in it that is to be marked. */
	async function show(thread, mark = 0) {
		const room = here();
		if (!room) return;
		begin();
		if (aside.hidden) before = document.activeElement;
		keep();
		const shown = (open = { room, thread, mark, items: [], changes: new Map(), more: false, loading: null });
		field.value = drafts.get(keyOf(shown)) ?? "";
		endAnswer();
		aside.hidden = false;
		$("app").classList.add("threaded");
		cover(narrow.matches);
		draw();
		title.focus();
		await load(shown);
		if (open !== shown) return;
		drawThread();
		const node = mark && [...list.children].find(({ value }) => value === mark);
		if (node) node.scrollIntoView({ block: "center" });
		else log.scrollTop = log.scrollHeight;
	}

	/** Only the latest answer counts: one that was asked for earlier would be put where it does not belong. */
	async function load(shown, where = {}) {
		const token = (shown.loading = {});
		const isWanted = () => open === shown && shown.loading === token;
		setText(status, t("log.loading"));
		try {
			const page = await marks.page(shown.room.name, shown.thread, { limit: PAGE, ...where });
			if (!isWanted()) return;
			const later = where.before ? shown.items : shown.items.filter(({ seq }) => seq > (page.items.at(-1)?.seq ?? 0));
			Object.assign(shown, { items: [...page.items, ...later], more: page.more });
			forgetChanges();
			setText(status, page.items.length ? "" : t("thread.gone"));
		} catch (error) {
			if (!isWanted()) return;
			setText(status, "");
			fail(error);
		}
		shown.loading = null;
		draw();
	}

	function keep() {
		if (!open) return;
		if (field.value) drafts.set(keyOf(open), field.value);
		else drafts.delete(keyOf(open));
	}

	function hide() {
		if (!open) return;
		keep();
		const had = aside.contains(document.activeElement);
		open = null;
		aside.hidden = true;
		$("app").classList.remove("threaded");
		cover(false);
		list.replaceChildren();
		if (had) (before?.isConnected ? before : $("text")).focus();
	}

	/** Whether the thread lies over the log: then what became of the connection is said here. */
	function cover(over) {
		$("chat").inert = over;
		(over ? aside : $("chat")).querySelector("header").after($("connection"));
	}

	/** Whoever has been in is gone: nothing stays for the next one. */
	function clear() {
		hide();
		marks = marksOf = before = null;
		drafts.clear();
		rows.clear();
		field.value = "";
		endAnswer();
		for (const node of [title, status]) setText(node, "");
		drawList();
	}

	let drawing = false;
	function draw() {
		if (drawing) return;
		drawing = true;
		requestAnimationFrame(() => {
			drawing = false;
			drawList();
			if (open) drawThread();
		});
	}

	function drawThread() {
		const { room, thread, items, mark } = open;
		if (room !== here()) return hide();
		const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
		const own = new Set(items.map(({ seq }) => seq));
		const made = new Map(open.changes);
		// In the window what is from before a reset may stay.
		for (const item of changes()) if (item.seq && item.ev !== "message" && (item.epoch ?? room.epoch) === room.epoch) made.set(item.seq, item);
		const about = [...made.values()].filter(({ target }) => own.has(target));
		const states = present([...items, ...about].sort((a, b) => a.seq - b.seq));
		const waiting = chat().outbox.filter(({ room: name, more }) => name === room.name && more?.thread === thread).map(waitingState);
		const common = context();
		const leading = (run) => (...given) => {
			if (narrow.matches) hide();
			run(...given);
		};
		const shown = { ...common, goTo: leading(common.goTo), inThread: true };
		let previous = null;
		const nodes = [...states, ...waiting].map((state) => {
			const node = entryNode(state, shown);
			decorate(node, state.item, previous, 0);
			node.classList.toggle("sought", mark > 0 && state.item.seq === mark);
			node.classList.toggle("root", state.item.seq === thread);
			previous = state.item;
			return node;
		});
		place(list, nodes);
		updateActions();
		earlier.hidden = !open.more;
		const root = states.find(({ item }) => item.seq === thread);
		setText(title, root && !root.deleted ? t("thread.of", { from: isolated(root.item.from) }) : t("thread.thread"));
		const row = marks.find(room.name, thread);
		follow.hidden = !keeps() || room.durable === "memory";
		setText(follow, t(row ? "thread.unfollow" : "thread.follow"));
		follow.title = t(row ? "thread.unfollowTitle" : "thread.followTitle");
		if (isAtEnd && !mark) log.scrollTop = log.scrollHeight;
		const last = items.at(-1)?.seq ?? 0;
		if (row && watched() && log.scrollHeight - log.scrollTop - log.clientHeight < 40) marks.read(room.name, thread, last);
	}

	const waitingState = (entry) => cached(waitingStates, entry, () => {
		const item = { ...entry, ...entry.more, ev: "message", from: chat().user, waiting: true };
		return { item, text: entry.text, deleted: false, reactions: new Map() };
	});

	function drawList() {
		const all = keeps() ? marks.list().filter(({ unread: n }, at) => n > 0 || at < LISTED_MAX).slice(0, 4 * LISTED_MAX) : [];
		heading.hidden = all.length === 0;
		if (rows.size > 500) rows.clear();
		place(listed, all.map(row));
	}

	function row({ room, thread, from, text, unread: n }) {
		const node = cached(rows, `${thread} ${room}`, () => {
			const onclick = () => openIn(room, thread);
			const words = bdi("");
			return el("li", null, el("button", { type: "button", onclick }, el("span", { className: "hash", ariaHidden: "true" }, "↳"), words, el("span", { className: "badge" })));
		});
		const [button] = node.children;
		setText(button.children[1], text || t("log.quoteDeleted"));
		button.title = t("thread.in", { from, room });
		button.classList.toggle("unread", n > 0 && !isMuted(room));
		button.classList.toggle("muted", isMuted(room));
		setText(button.lastChild, n ? t("thread.new", { n: count(n) }) : "");
		return node;
	}

	follow.addEventListener("click", async () => {
		const { room, thread } = open;
		await (marks.find(room.name, thread) ? marks.unfollow(room.name, thread) : marks.follow(room.name, thread)).catch(fail);
		draw();
	});
	close.addEventListener("click", hide);
	earlier.addEventListener("click", async () => {
		// Of two clicks the second would ask for the same page.
		if (open.loading) return;
		const { scrollHeight } = log;
		await load(open, { before: open.items[0]?.seq });
		// Behind the drawing: what was in view stays there.
		requestAnimationFrame(() => (log.scrollTop += log.scrollHeight - scrollHeight));
	});
	log.addEventListener("scroll", draw);
	aside.addEventListener("keydown", (event) => {
		if (event.key !== "Escape") return;
		event.stopPropagation();
		if (event.target !== field || !answering) hide();
		else endAnswer();
	});
	form.addEventListener("submit", (event) => {
		event.preventDefault();
		submit();
	});
	field.addEventListener("keydown", (event) => {
		if (event.isComposing || event.keyCode === 229 || event.key !== "Enter") return;
		if (preferences.enter === "breaks" ? !(event.ctrlKey || event.metaKey) : event.shiftKey) return;
		event.preventDefault();
		submit();
	});
	narrow.addEventListener("change", () => open && cover(narrow.matches));

	function submit() {
		const typed = readTyped(field.value);
		const why = typed.command ? t("thread.commands") : typed.say === undefined ? typed.hint : say(open.room, typed.say, { thread: open.thread, ...(answering && { reply_to: answering }) });
		tell(why ?? "");
		if (why || typed.say === undefined) return;
		field.value = "";
		answering = 0;
		open.mark = 0;
		log.scrollTop = log.scrollHeight;
		draw();
	}

	return { begin, show, clear, draw, unread, readAll: () => marks?.readAll(), rename: (was, name) => marks?.rename(was, name), keeps, follows, isOpen: () => Boolean(open) };
}

const keyOf = ({ room, thread }) => `${thread} ${room.name}`;
