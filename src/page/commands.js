/**
 * What is typed into the message field: a message, or a command by the name that it has at the terminal. A text that begins with
 * a slash is never a message, so that a slip of the finger tells nobody anything; `//` stands for a slash at the beginning.
 */
import { t } from "/words.js";

/** By name: what it takes (`?`: may be missing), and an example. What it does is a text of the page. */
const COMMANDS = {
	msg: ["user text?", "/msg bob hi"],
	reply: ["meant text", "/reply bob yes"],
	thread: ["meant text", "/thread bob yes"],
	me: ["text", "/me waves"],
	join: ["room", "/join tea"],
	create: ["word text?", "/create den"],
	leave: ["room?", "/leave"],
	who: ["room?", "/who"],
	members: ["", "/members"],
	rooms: ["", "/rooms"],
	list: ["text?", "/list tea"],
	whois: ["user", "/whois bob"],
	search: ["text?", "/search tea"],
	history: ["", "/history"],
	read: ["", "/read"],
	topic: ["text?", "/topic tea"],
	rename: ["room", "/rename tea"],
	end: ["", "/end"],
	invite: ["user", "/invite bob"],
	uninvite: ["user", "/uninvite bob"],
	kick: ["user text?", "/kick bob spam"],
	mute: ["user time? text?", "/mute bob 10m spam"],
	unmute: ["user", "/unmute bob"],
	ban: ["user time? text?", "/ban bob 1d spam"],
	unban: ["user", "/unban bob"],
	bans: ["", "/bans"],
	role: ["user text", "/role bob moderator"],
	block: ["user", "/block bob"],
	unblock: ["user", "/unblock bob"],
	blocked: ["", "/blocked"],
	report: ["user text?", "/report bob spam"],
	reports: ["", "/reports"],
	settle: ["word", "/settle 3"],
	audit: ["word?", "/audit"],
	nick: ["name", "/nick ann"],
	account: ["", "/account"],
	"invite-link": ["", "/invite-link"],
	display: ["text?", "/display Ann Smith"],
	status: ["span? text?", "/status 1h at lunch"],
	color: ["word?", "/color teal"],
	away: ["", "/away"],
	back: ["", "/back"],
	help: ["", "/help"],
	quit: ["", "/quit"],
	say: ["text", "/say /hi"],
};
/** Names that they have elsewhere, the same as at the terminal. */
const OTHER_NAMES = {
	msg: "query m w whisper tell dm pm privmsg", reply: "re answer", join: "j", create: "new", leave: "part close", who: "names users here", rooms: "channels unread inbox", list: "directory",
	whois: "whowas finger profile", display: "displayname realname", color: "colour", search: "find grep", history: "log last", topic: "t", kick: "remove", mute: "silence quiet", unmute: "voice unsilence",
	role: "mode", account: "password passwd logins devices sessions endlogin end-login end_login", "invite-link": "invitelink invite_link", bans: "restrictions mutes banlist", nick: "name", away: "afk", back: "unaway", block: "ignore", unblock: "unignore", blocked: "ignored", help: "h ? commands", quit: "exit bye q logout disconnect",
};
const BY_NAME = new Map(Object.keys(COMMANDS).flatMap((command) => [command, ...(OTHER_NAMES[command]?.split(" ") ?? [])].map((name) => [name, command])));
/** Commands of other chats that there are none of here, and what to do instead. */
const ELSEWHERE = [
	["op deop halfop devoice", "cmd.roles"],
	["notice ctcp", "cmd.useMsg"],
	["edit correct delete del unsend react", "cmd.point"],
	["register signup identify signin login pass", "cmd.inAlready"],
	["export", "cmd.exports"],
	["accept", "cmd.accepts"],
	["server connect reconnect user clear", "cmd.noSuch"],
];
const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000, y: 31_536_000_000 };
const TIME = /^(\d+) ?(s|m|h|d|w|y|sec(?:ond)?s?|min(?:ute)?s?|(?:hour|day|week|year)s?)(?=\s|$)/i;
const NOTHING_TO_SEE = /^[\s\p{Default_Ignorable_Code_Point}\p{Cc}\u2800]*$/u;

/** Normalises a name as typed into one that the server accepts. */
export const fold = (name) => name.normalize("NFKC").trim().toLowerCase().replace(/\s+/g, "-");

/** Each command with what it does, for completion. */
export const commandList = () => Object.keys(COMMANDS).map((name) => [name, t(`cmd.${name}`)]);

/** Each command with what it does, a line each. */
export const helpText = () =>
	[...Object.entries(COMMANDS).map(([name, [, form]]) => `${form} – ${t(`cmd.${name}`)}`), t("cmd.slash")].join("\n");

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
	return typed ? { hint: t("field.nothing") } : {};
}

function readCommand(text) {
	const [, word, after] = text.match(/^(\S*)\s*([^]*)$/);
	const typed = word.toLowerCase();
	const command = BY_NAME.get(typed);
	const elsewhere = ELSEWHERE.find(([names]) => names.split(" ").includes(typed))?.[1];
	if (!command) return { hint: elsewhere ? t(elsewhere) : unknown(typed) };
	const [takes, form] = COMMANDS[command];
	if (command === "say") return after ? { say: after } : { hint: t("cmd.needsMore", { form: COMMANDS.say[1] }) };
	const found = { command };
	let rest = after;
	for (const part of takes.split(" ").filter(Boolean)) {
		const kind = part.replace("?", "");
		let value;
		[value, rest] = READERS[kind](rest);
		if (value === undefined && (rest === null || part === kind)) return { hint: t(rest !== null ? "cmd.needsMore" : kind === "span" ? "cmd.noSpan" : "cmd.noTime", { form }) };
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
		const value = found && Math.min(Number(count) * UNITS[unit[0].toLowerCase()], Number.MAX_SAFE_INTEGER);
		if (value) return [value, text.slice(found.length).trimStart()];
		// What looks like a time and is none must not become a ban for ever.
		return [undefined, /^\d/.test(text) ? null : text];
	},
};

/** A time that may be missing, where any text may follow. */
READERS.span = (text) => {
	const [value, rest] = READERS.time(text);
	if (!rest) return [undefined, text];
	return value > UNITS.y ? [undefined, null] : [value, rest];
};

function unknown(typed) {
	// One letter is near to every other.
	const near = [...BY_NAME.keys()].find((each) => each.length > 1 && isNear(each, typed));
	const help = near ? t("cmd.near", { near }) : t("cmd.lists");
	return t("cmd.unknown", { typed: typed.slice(0, 32), help });
}

/** Whether two words differ by one letter too many, missing, other, or in another place. */
function isNear(a, b) {
	const shorter = (each) => new Set([each, ...[...each].map((_, at) => each.slice(0, at) + each.slice(at + 1))]);
	const some = shorter(a);
	return b.length < 32 && [...shorter(b)].some((each) => some.has(each));
}
