/**
 * What is typed into the message field: a message, or a command by the name that it has at the terminal. A text that begins with
 * a slash is never a message, so that a slip of the finger tells nobody anything; `//` stands for a slash at the beginning.
 */

/** By name: what it takes (`?`: may be missing), an example, and what it does. */
const COMMANDS = {
	msg: ["user text?", "/msg bob hi", "writes to bob alone"],
	reply: ["meant text", "/reply bob yes", "answers bob's last message; /reply \"see you\" yes, the last with these words"],
	thread: ["meant text", "/thread bob yes", "says it in the thread of bob's last message"],
	me: ["text", "/me waves", "says what you do"],
	join: ["room", "/join tea", "enters a room, and makes it if there is none"],
	create: ["word text?", "/create den", "makes a room that is yours; /create den private, one by invitation only"],
	leave: ["room?", "/leave", "leaves the room"],
	who: ["room?", "/who", "lists who is online in the room"],
	members: ["", "/members", "lists all members, with their roles"],
	rooms: ["", "/rooms", "lists your rooms"],
	whois: ["user", "/whois bob", "says whether bob is online here"],
	search: ["text?", "/search tea", "finds messages"],
	history: ["", "/history", "shows older messages"],
	read: ["", "/read", "marks all rooms as read"],
	topic: ["text?", "/topic tea", "sets the topic; alone shows it, with - removes it"],
	invite: ["user", "/invite bob", "invites bob into the room"],
	uninvite: ["user", "/uninvite bob", "takes that back"],
	kick: ["user text?", "/kick bob spam", "removes bob, for a reason"],
	mute: ["user time? text?", "/mute bob 10m spam", "keeps bob from speaking"],
	unmute: ["user", "/unmute bob", "ends that"],
	ban: ["user time? text?", "/ban bob 1d spam", "keeps bob out"],
	unban: ["user", "/unban bob", "ends that"],
	bans: ["", "/bans", "shows who is kept out, muted or invited, to those who may end it"],
	role: ["user text", "/role bob moderator", "or owner, member, reader"],
	block: ["user", "/block bob", "hides bob from you; bob does not learn of it"],
	unblock: ["user", "/unblock bob", "ends that"],
	blocked: ["", "/blocked", "lists whom you have blocked"],
	report: ["user text?", "/report bob spam", "tells those who keep order; bob does not learn of it"],
	reports: ["", "/reports", "shows what was reported, to those who may settle it"],
	settle: ["word", "/settle 3", "ends a report"],
	nick: ["name", "/nick ann", "signs you in by another name"],
	account: ["", "/account", "shows your devices, and changes your password"],
	"invite-link": ["", "/invite-link", "makes a link that lets others in"],
	away: ["", "/away", "shows you as away"],
	back: ["", "/back", "ends that"],
	help: ["", "/help", "shows this"],
	quit: ["", "/quit", "signs you out"],
	say: ["text", "/say /hi", "says the rest, even if it begins with a slash"],
};
/** Names that they have elsewhere, the same as at the terminal. */
const OTHER_NAMES = {
	msg: "query m w whisper tell dm pm privmsg", reply: "re answer", join: "j", create: "new", leave: "part close", who: "names users here", rooms: "list channels unread inbox",
	whois: "whowas finger", search: "find grep", history: "log last", topic: "t", kick: "remove", mute: "silence quiet", unmute: "voice unsilence",
	role: "mode", account: "password passwd logins devices sessions endlogin end-login end_login", "invite-link": "invitelink invite_link", bans: "restrictions mutes banlist", nick: "name", away: "afk", back: "unaway", block: "ignore", unblock: "unignore", blocked: "ignored", help: "h ? commands", quit: "exit bye q logout disconnect",
};
const BY_NAME = new Map(Object.keys(COMMANDS).flatMap((command) => [command, ...(OTHER_NAMES[command]?.split(" ") ?? [])].map((name) => [name, command])));
/** Commands of other chats that there are none of here, and what to do instead. */
const ELSEWHERE = [
	["op deop halfop devoice", "Roles are given with /role bob moderator."],
	["notice ctcp", "Use /msg bob hi."],
	["edit delete react", "Point at a message, or tap it, to change it or react to it."],
	["register signup identify signin login pass", "You are in already. To come in by another name, /quit first; names and passwords are asked for at the door."],
	["export", "“Account and devices” downloads what is kept of you."],
	["accept", "Open the address of the invitation in this browser: it asks whether to join its rooms."],
	["server connect reconnect user clear", "This page has no such command. /help lists those that it has."],
];
const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000, y: 31_536_000_000 };
const TIME = /^(\d+) ?(s|m|h|d|w|y|sec(?:ond)?s?|min(?:ute)?s?|(?:hour|day|week|year)s?)(?=\s|$)/i;
const NOTHING_TO_SEE = /^[\s\p{Default_Ignorable_Code_Point}\p{Cc}\u2800]*$/u;

/** Normalises a name as typed into one that the server accepts. */
export const fold = (name) => name.normalize("NFKC").trim().toLowerCase().replace(/\s+/g, "-");

/** Each command with what it does, for completion. */
export const commandList = () => Object.entries(COMMANDS).map(([name, [, , about]]) => [name, about]);

/** Each command with what it does, a line each. */
export const helpText = () =>
	[...Object.values(COMMANDS).map(([, form, about]) => `${form} – ${about}`), "//hi – says /hi"].join("\n");

/**
 * Reads what was typed: `{say}` is a message, `{command, user, room, …}` a command, `{hint}` says why it is neither, and
 * nothing at all is `{}`.
 */
export function readTyped(typed) {
	// Control characters come with copied text, and mean nothing here.
	const text = typed.replace(/[^\P{Cc}\n\t]/gu, "").trim();
	// A keyboard for Chinese or Japanese has a wide slash; and what cannot be seen does not make it a message.
	const seen = text.replace(/^[\s\p{Default_Ignorable_Code_Point}]+/u, "");
	if (/^[/／]{2}/.test(seen)) return { say: seen.slice(1) };
	if (/^[/／]/.test(seen)) return readCommand(seen.slice(1));
	if (!NOTHING_TO_SEE.test(text)) return { say: text };
	return typed ? { hint: "There is nothing to see in this message, so it was not sent." } : {};
}

function readCommand(text) {
	const [, word, after] = text.match(/^(\S*)\s*([^]*)$/);
	const typed = word.toLowerCase();
	const command = BY_NAME.get(typed);
	if (!command) return { hint: ELSEWHERE.find(([names]) => names.split(" ").includes(typed))?.[1] ?? unknown(typed) };
	const [takes, form] = COMMANDS[command];
	if (command === "say") return after ? { say: after } : { hint: `This needs more. For example: ${COMMANDS.say[1]}` };
	const found = { command };
	let rest = after;
	for (const part of takes.split(" ").filter(Boolean)) {
		const kind = part.replace("?", "");
		let value;
		[value, rest] = READERS[kind](rest);
		if (value === undefined && (rest === null || part === kind)) return { hint: `${rest === null ? "That is no length of time." : "This needs more."} For example: ${form}` };
		found[kind] = value;
	}
	return found;
}

const named = (text, mark) => fold(text).replace(mark, "") || undefined;
const first = (mark) => (text) => {
	const [word, rest] = text.match(/^(\S*)\s*([^]*)$/).slice(1);
	return [named(word, mark), rest];
};
/** Each takes its part from the beginning of a text: `[value, rest]`; a rest of null is wrong. */
const READERS = {
	user: first(/^@/),
	word: first(/^#/),
	// Keyboards, and what is copied, have other quotation marks.
	meant: (text) => {
		const [whole, words] = text.match(/^["“”„]\s*([^"“”]*?)\s*["“”]\s*/) ?? [];
		if (whole) return [words ? { words } : undefined, text.slice(whole.length)];
		const [user, rest] = first(/^@/)(text);
		return [user && !/^["“”„]/.test(user) ? { user: user.replace(/[:,]+$/, "") } : undefined, rest];
	},
	room: (text) => [named(text, /^#/), ""],
	name: (text) => [named(text, /^@/), ""],
	text: (text) => [text || undefined, ""],
	time: (text) => {
		const [found, count, unit] = text.match(TIME) ?? [];
		if (found) return [Number(count) * UNITS[unit[0].toLowerCase()], text.slice(found.length).trimStart()];
		// What looks like a time and is none must not become a ban for ever.
		return [undefined, /^\d/.test(text) ? null : text];
	},
};

function unknown(typed) {
	// One letter is near to every other.
	const near = [...BY_NAME.keys()].find((each) => each.length > 1 && isNear(each, typed));
	const help = near ? `Did you mean /${near}?` : "/help lists the commands.";
	return `There is no command /${typed.slice(0, 32)}. ${help} To say it, begin with //.`;
}

/** Whether two words differ by one letter too many, missing, other, or in another place. */
function isNear(a, b) {
	const shorter = (each) => new Set([each, ...[...each].map((_, at) => each.slice(0, at) + each.slice(at + 1))]);
	const some = shorter(a);
	return b.length < 32 && [...shorter(b)].some((each) => some.has(each));
}
