import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { load } from "./fakes.mjs";

const { readTyped, helpText } = await load("commands.js");
const HOUR = 3_600_000;

test("what begins with a slash is a command or refused, and never a message", () => {
	const nothing = "There is nothing to see in this message, so it was not sent.";
	for (const [typed, expected] of [
		["hi", { say: "hi" }],
		["  hi /join \n", { say: "hi /join" }],
		["//join is a command", { say: "/join is a command" }],
		["// ", { say: "/" }],
		["and/or", { say: "and/or" }],
		["/msg @Bob hi there\nyou", { command: "msg", user: "bob", text: "hi there\nyou" }],
		["/reply @Bob: yes, please", { command: "reply", meant: { user: "bob" }, text: "yes, please" }],
		["/re \"see you\" yes", { command: "reply", meant: { words: "see you" }, text: "yes" }],
		["/reply „see you“ yes", { command: "reply", meant: { words: "see you" }, text: "yes" }],
		["  /MSG bob", { command: "msg", user: "bob", text: undefined }],
		["\u200b/msg bob psst", { command: "msg", user: "bob", text: "psst" }],
		["／msg bob psst", { command: "msg", user: "bob", text: "psst" }],
		["/join #Tea Time", { command: "join", room: "tea-time" }],
		["/create #Den private", { command: "create", word: "den", text: "private" }],
		["/create den-private", { command: "create", word: "den-private", text: undefined }],
		["/j tea", { command: "join", room: "tea" }],
		["/leave", { command: "leave", room: undefined }],
		["/mute bob 10m too loud", { command: "mute", user: "bob", time: HOUR / 6, text: "too loud" }],
		["/ban bob 2 hours", { command: "ban", user: "bob", time: 2 * HOUR, text: undefined }],
		["/ban bob 1w", { command: "ban", user: "bob", time: 168 * HOUR, text: undefined }],
		["/ban bob dull", { command: "ban", user: "bob", time: undefined, text: "dull" }],
		["/ban bob 10 apples", { hint: "That is no length of time. For example: /ban bob 1d spam" }],
		["/ban bob 0m", { hint: "That is no length of time. For example: /ban bob 1d spam" }],
		["/ban bob 99999999999999y", { command: "ban", user: "bob", time: Number.MAX_SAFE_INTEGER, text: undefined }],
		["/status 30d at sea", { command: "status", span: 720 * HOUR, text: "at sea" }],
		["/status 2y at sea", { hint: "A status lasts for up to a year. For example: /status 1h at lunch" }],
		["/status 2 of us", { command: "status", span: undefined, text: "2 of us" }],
		["/mute bob 1.5h", { hint: "That is no length of time. For example: /mute bob 10m spam" }],
		["/kick bob 3 times is enough", { command: "kick", user: "bob", text: "3 times is enough" }],
		["/kick", { hint: "This needs more. For example: /kick bob spam" }],
		["/me", { hint: "This needs more. For example: /me waves" }],
		["/role bob", { hint: "This needs more. For example: /role bob moderator" }],
		["/?", { command: "help" }],
		["/names", { command: "who", room: undefined }],
		["/SAY /hi", { say: "/hi" }],
		["/say", { hint: "This needs more. For example: /say /hi" }],
		["/op bob", { hint: "Roles are given with /role bob moderator." }],
		["/jion tea", { hint: "There is no command /jion. Did you mean /join? To say it, begin with //." }],
		["/constructor", { hint: "There is no command /constructor. /help lists the commands. To say it, begin with //." }],
		["/etc/passwd is a file", { hint: "There is no command /etc/passwd. /help lists the commands. To say it, begin with //." }],
		[`/${"x".repeat(9_000)}`, { hint: `There is no command /${"x".repeat(32)}. /help lists the commands. To say it, begin with //.` }],
		["/", { hint: "There is no command /. /help lists the commands. To say it, begin with //." }],
		["", {}],
		[" \n\t ", { hint: nothing }],
		["\u200b\u3164\u2800\u00ad", { hint: nothing }],
		["a\u0007b\u001b[0m\tc", { say: "ab[0m\tc" }],
	]) {
		assert.deepEqual(readTyped(typed), expected, JSON.stringify(typed.slice(0, 60)));
	}
});

test("each line of the help is a command that is understood", () => {
	const lines = helpText().split("\n").filter((line) => !line.startsWith("//"));
	assert.ok(lines.length > 20);
	for (const line of lines) {
		const { command, say } = readTyped(line.slice(0, line.indexOf(" – ")));
		assert.ok(command ?? say, line);
	}
});

test("every name that a command has at the terminal is the same command here", async () => {
	const source = await readFile(new URL("../../src/wire/text/commands.rs", import.meta.url), "utf8");
	const entries = [...source.matchAll(/\bentry\(\s*Verb::\w+,\s*&\[([^\]]+)\]/g)].map(([, names]) => names.match(/[\w?-]+/g));
	assert.ok(entries.length > 20, `${entries.length} commands`);
	for (const [first, ...others] of entries) {
		const read = (name) => readTyped(`/${name} bob moderator`);
		// Who is in already has nothing to log in for, and is told so.
		assert.ok(read(first).command ?? read(first).say ?? !/^There is no command/.test(read(first).hint), first);
		for (const name of others) assert.deepEqual(read(name), read(first), name);
	}
	const elsewhere = source.slice(source.indexOf("ELSEWHERE"), source.indexOf("enum Meaning")).match(/&\["[^\]]+\]/g).flatMap((names) => names.match(/\w+/g));
	for (const name of elsewhere) assert.doesNotMatch(readTyped(`/${name} bob`).hint ?? "", /^There is no command/, name);
});
