/** One entry of the log as a node: a message with its edits and reactions applied, or a notice. */
import { avatar, bdi, dayName, dayOf, drawName, el, endOf, hourOf, isolated, place, secondOf, setText } from "/dom.js";
import { formatted } from "/text.js";
import { t, tn } from "/words.js";

/** Messages of one author within this time stand under one name. */
const TOGETHER_MS = 300_000;
/** Different emoji shown on one message. */
const KINDS_MAX = 24;
/** Names listed for one reaction. */
const NAMES_MAX = 12;
/** Lines and characters from which on a text is folded. */
const LONG_LINES = 24;
const LONG = 2_000;
/** Characters shown of a message that is answered. */
const QUOTED_MAX = 120;

const nodes = new WeakMap();
const states = new WeakMap();
/** The text that a node of words shows. */
const shownTexts = new WeakMap();
/** What a message's node shows that has neither reactions nor anything else beside its words: most of them stay as they are. */
const shownPlain = new WeakMap();

/** What a message's node shows: the entry that {@link entryNode} was given last. */
export const stateOf = (node) => states.get(node);

/** Drops the node of a record. */
export const forget = (item) => nodes.delete(item);

/**
 * The node of an entry of the client's `present`, created or updated. `me` is the user of this page; `writeTo(name, ...children)`
 * makes the button of an author, `profileOf(name)` is what one says of oneself, `react(state, emoji)` adds or removes a reaction, `isBlocked(name)` says whose words are
 * not shown; `quoted(seq)` is the message that is answered, `goTo(seq)` leads there; `people` and `copy` are for `formatted`;
 * `files(box, item)` shows the files of a message; `answers(seq)` is how many messages of its thread are shown, `openThread(seq, mark)`
 * shows that, and `inThread` is whether it is shown already; `grows()` is called before an entry is unfolded.
 */
export function entryNode(state, { me, writeTo, profileOf, react, isBlocked, quoted, goTo, people, copy, files, answers, openThread, inThread, grows }) {
	const { item } = state;
	if (item.ev !== "message") return nodes.get(item) ?? keep(item, note(item));
	const node = nodes.get(item) ?? keep(item, message(item, me, writeTo));
	states.set(node, state);
	const profile = profileOf(item.from);
	const isHidden = !state.deleted && isBlocked(item.from);
	const isOfThread = item.thread && !inThread;
	const [meant, go] = isOfThread ? [item.thread, () => openThread(item.thread, item.seq)] : [item.reply_to, goTo];
	const count = !inThread && item.seq ? answers(item.seq) : 0;
	const before = shownPlain.get(node);
	const now = meant || count || state.reactions.size || item.data?.files ? null : [state.text, state.edited, state.deleted, state.mentions, isHidden, profile];
	shownPlain.set(node, now);
	if (now && before?.every((part, at) => part === now[at])) return node;
	const [who, words, reactions] = node.querySelectorAll(".who, .text, .reactions");
	drawName(who, item.from, profile);
	const text = state.deleted ? t("log.deleted") : isHidden ? t("log.hidden") : state.text;
	const isPlain = state.deleted || isHidden;
	const named = mentionsOf(state, me);
	// What we have just said ourselves has not come back from the server, which finds the names.
	const peopleIn = state.mentions || item.from !== me ? (name) => named.get(name) : people;
	const shown = `${isPlain} ${text}`;
	if (shownTexts.get(words) !== shown) {
		shownTexts.set(words, shown);
		words.replaceChildren(...(isPlain ? [text] : formatted(text, { people: peopleIn, copy })));
		node.classList.toggle("named", !isPlain && item.from !== me && [...named.values()].includes("me"));
	}
	words.classList.toggle("gone", isPlain);
	const isLong = !isPlain && (text.length > LONG || text.split("\n").length > LONG_LINES);
	if (isLong === !node.querySelector(".unfold")) drawFold(node, words, isLong, inThread ? () => {} : grows);
	if (meant) drawQuote(node, meant, quoted(meant), { isBlocked, go, isOfThread });
	if (!inThread && item.seq) drawAnswers(node, count, () => openThread(item.seq));
	const isEdited = words.classList.toggle("edited", state.edited !== undefined);
	if (isEdited) words.dataset.edited = t("log.edited");
	if (isEdited || words.title) words.title = isEdited ? t("log.editedAt", { when: secondOf(state.edited) }) : "";
	if (item.data?.files) drawFiles(node, item, !isPlain && files);
	const kinds = [...state.reactions].slice(0, KINDS_MAX);
	place(reactions, kinds.map(([emoji, users]) => reaction(reactions, node, emoji, users, { me, react })));
	return node;
}

/** Whom the server has found to be named: the names as they stand in the text, and "me" for those that mean us. */
const mentionsOf = ({ mentions = [] }, me) => new Map(mentions.map((name) => (name === "@room" ? ["room", "me"] : [name, name === me ? "me" : "other"])));

function keep(item, node) {
	nodes.set(item, node);
	return node;
}

/** With it a finger on words is not taken for one on the name above them; others need not hear that there is something to click. */
const aimed = matchMedia("(hover: none)").matches ? () => {} : null;

function message(item, me, writeTo) {
	const { from, at, waiting } = item;
	const time = el("time", { dateTime: new Date(at).toJSON(), onpointerenter: () => (time.title = secondOf(at)) }, hourOf(at));
	// Not a tab stop: the list of people has the same buttons.
	const who = Object.assign(writeTo(from, el("span", { className: "who" })), { tabIndex: -1 });
	const head = el("div", { className: "head" }, who, time);
	const words = el("div", { className: "text", dir: "auto", onclick: aimed });
	const under = waiting ? [el("small", null, t("log.waiting"))] : [];
	const body = el("div", null, head, words, ...under, el("div", { className: "reactions" }));
	const className = `msg ${from === me ? "mine" : ""} ${waiting ? "waiting" : ""}`;
	return el("li", { className, value: item.seq ?? 0, tabIndex: -1 }, avatar(from), body);
}

/** The message that this one answers, or the first of its thread: a few of its words, which lead to it. */
function drawQuote(node, seq, state, { isBlocked, go, isOfThread }) {
	const body = node.lastElementChild;
	const made = body.querySelector(".quoted") ?? el("button", { className: "quoted", tabIndex: -1, title: t(isOfThread ? "log.openThread" : "log.quote"), onclick: () => go(seq) }, el("b"), el("span", { dir: "auto" }));
	const [who, words] = made.children;
	const isHidden = state?.item && isBlocked(state.item.from);
	setText(who, `${isOfThread ? "↳ " : ""}${state?.item ? isolated(state.item.from) : ""}`);
	const missing = state ? t(state.deleted ? "log.quoteDeleted" : "log.quoteGone") : "…";
	const text = isHidden ? t("log.quoteHidden") : state?.item && !state.deleted ? state.text.slice(0, QUOTED_MAX).replace(/\s+/g, " ") : missing;
	setText(words, text);
	made.disabled = Boolean(state?.isGone && !isOfThread);
	if (!made.isConnected) body.querySelector(".text").before(made);
}

/** Folds a long text, of which a button shows the rest; unfolds one that is not long any more. */
function drawFold(node, words, isLong, grows) {
	words.classList.toggle("folded", isLong);
	if (!isLong) return node.querySelector(".unfold").remove();
	const turn = () => {
		grows();
		const isFolded = words.classList.toggle("folded");
		button.ariaExpanded = String(!isFolded);
		setText(button, t(isFolded ? "log.unfold" : "log.fold"));
	};
	const button = el("button", { className: "unfold plain", ariaExpanded: "false", onclick: turn }, t("log.unfold"));
	words.after(button);
}

/** What leads from the first message of a thread to the thread. */
function drawAnswers(node, count, onclick) {
	const made = node.querySelector(".answers");
	if (!count) return made?.remove();
	const button = made ?? el("button", { className: "answers plain", tabIndex: -1, title: t("log.openThread"), onclick });
	setText(button, t("log.answers", { n: count }));
	if (!made) node.querySelector(".reactions").before(button);
}

/** The files of a message, drawn once; those of one that is not shown go. */
function drawFiles(node, item, files) {
	const made = node.querySelector(".files");
	if (!files) return made?.remove();
	if (made) return;
	const box = el("div", { className: "files" });
	node.querySelector(".reactions").before(box);
	files(box, item);
}

function reaction(list, node, emoji, users, { me, react }) {
	const found = [...list.children].find((button) => button.firstChild.textContent === emoji);
	const make = () => el("button", { className: "reaction", onclick: () => react(stateOf(node), emoji) }, bdi(emoji), " ", el("span"));
	const button = found ?? make();
	const some = [...users].slice(0, NAMES_MAX).join(", ");
	const names = users.size > NAMES_MAX ? t("log.names", { names: some, n: users.size - NAMES_MAX }) : some;
	setText(button.lastChild, String(users.size));
	Object.assign(button, { title: names, ariaLabel: t("log.reaction", { emoji: `${emoji} ${users.size}`, names }), ariaPressed: String(users.has(me)) });
	return button;
}

function note(item) {
	const { ev, from, text = "" } = item;
	const kinds = { topic: () => tn("log.topic", { from: bdi(from), text: bdi(text) }), rename: () => tn("log.rename", { from: bdi(from), was: bdi(item.was), name: bdi(item.name) }), moderation: () => moderated(item), ended: () => ended(item) };
	return el("li", { className: `note ${ev === "ended" ? ev : ""}` }, el("p", null, ...(kinds[ev]?.() ?? [text || `${from}: ${ev}`])));
}

/** What ended our membership, as a sentence. */
function ended({ act, from, until, reason, room, why }) {
	if (!from) return [why];
	const what = tn(act === "ban" ? "log.bannedYou" : "log.removedYou", { from: bdi(from), room: isolated(room), until: endOf(until) });
	return [...what, ...(reason ? tn("log.why", { reason: bdi(reason) }) : [t("log.end")])];
}

/** The sentences of acts, and of the roles that are given. */
const MODERATED = new Set(["kick", "ban", "unban", "mute", "unmute", "owner", "moderator", "member", "reader"].map((act) => `log.${act}`));

/** A moderation record as a sentence. */
function moderated({ act, from, target, until, role, reason }) {
	const key = `log.${act === "role" ? role : act}`;
	const what = tn(MODERATED.has(key) ? key : "log.act", { from: bdi(from), target: bdi(target), until: endOf(until), act });
	return [...what, ...(reason ? tn("log.why", { reason: bdi(reason) }) : [])];
}

/** Marks that depend on the previous entry: a new day, a new author, the first unread message. */
export function decorate(node, { from, at, seq, thread }, previous, newFrom) {
	const newDay = !previous || dayOf(previous.at) !== dayOf(at);
	node.classList.toggle("lead", newDay || previous.ev !== "message" || previous.from !== from || at - previous.at > TOGETHER_MS);
	node.classList.toggle("same-thread", thread > 0 && previous?.thread === thread);
	const isFirstNew = node.classList.toggle("new", newFrom > 0 && seq >= newFrom && !(previous?.seq >= newFrom));
	if (isFirstNew) node.dataset.new = t("log.new");
	const [shown] = node.getElementsByClassName("day");
	if (!newDay) return shown?.remove();
	const line = shown ?? el("p", { className: "day" });
	// “Today” is another day tomorrow.
	setText(line, dayName(at));
	if (!shown) node.prepend(line);
}

/** A sentence about who has read a message of `me`. */
export function readBy(item, receipts, me) {
	if (item?.from !== me) return "";
	const readers = [...receipts].filter(([user, seq]) => seq >= item.seq && user !== me);
	if (!readers.length) return "";
	if (readers.length > 3) return t("log.readByMany", { n: readers.length });
	return t("log.readBy", { names: readers.map(([user]) => isolated(user)).join(", ") });
}
