import assert from "node:assert/strict";
import { test } from "node:test";
import { inLobby } from "./bench.mjs";
import { loadClient } from "./fakes.mjs";

const { present } = await loadClient();

const message = (seq, text = `m${seq}`, more = {}) => ({ ev: "message", seq, at: seq, from: "bob", text, ...more });
const edit = (seq, target, text) => ({ ev: "edit", seq, at: seq, from: "bob", target, text });
const deletion = (seq, target) => ({ ev: "deletion", seq, at: seq, from: "bob", target });
const reaction = (seq, target, emoji, from = "eve", remove = undefined) => ({ ev: "reaction", seq, at: seq, from, target, emoji, remove });

/** The shown entries, as short words. */
const words = (items) =>
	present(items).map(({ item, text, edited, deleted, reactions }) => {
		if (item.ev !== "message") return item.ev;
		const all = [...reactions].map(([emoji, users]) => ` ${emoji}${[...users].join("+")}`).join("");
		return `${item.seq} ${deleted ? "deleted" : text}${edited === undefined ? "" : ` @${edited}`}${all}`;
	});

test("a message is shown with its changes applied, which are not shown themselves", () => {
	for (const [name, items, expected] of [
		["edited twice", [message(1), edit(2, 1, "x"), message(3), edit(4, 1, "y")], ["1 y @4", "3 m3"]],
		["deleted after an edit", [message(1), edit(2, 1, undefined), deletion(3, 1)], ["1 deleted"]],
		["edited after its deletion, which cannot be", [message(1), deletion(2, 1), edit(3, 1, "x")], ["1 deleted"]],
		["deleted in a page", [{ ...message(1), text: undefined, deleted: true }, reaction(2, 1, "x")], ["1 deleted"]],
		["a page has the present text", [message(1, "new", { edited: 9 }), edit(5, 1, "old")], ["1 new @9"]],
		["reactions", [message(1), reaction(2, 1, "x"), reaction(3, 1, "y"), reaction(4, 1, "x", "ann")], ["1 m1 xeve+ann yeve"]],
		["taken back", [message(1), reaction(2, 1, "x"), reaction(3, 1, "y"), reaction(4, 1, "x", "eve", true)], ["1 m1 yeve"]],
		["said again", [message(1), reaction(2, 1, "x"), reaction(3, 1, "x", "eve", true), reaction(2, 1, "x"), reaction(3, 1, "x", "eve", true)], ["1 m1"]],
		["its target is elsewhere", [edit(5, 1, "x"), deletion(6, 2), reaction(7, 3, "y"), message(8)], ["8 m8"]],
		["other records", [message(1), { ev: "topic", seq: 2, text: "t" }, { ev: "moderation", seq: 3, act: "kick", target: "eve" }], ["1 m1", "topic", "moderation"]],
		["another log", [message(1), { ev: "reset" }, edit(1, 1, "x"), message(2), reaction(3, 1, "y")], ["1 m1", "reset", "2 m2"]],
		["names of every object", [message(1), reaction(2, 1, "__proto__"), reaction(3, 1, "constructor")], ["1 m1 __proto__eve constructoreve"]],
	]) {
		assert.deepEqual(words(items), expected, name);
	}
});

test("the records are not modified", () => {
	const items = [message(1), edit(2, 1, "x"), reaction(3, 1, "y"), deletion(4, 1)];
	const before = JSON.stringify(items);
	present(items);
	assert.equal(JSON.stringify(items), before);
});

test("our own change of a message arrives as a record, once and in its place", async () => {
	const it = await inLobby(10);
	const records = [];
	it.client.addEventListener("record", ({ detail }) => records.push(detail.item));
	for (const [ask, op, fields, ev] of [
		[() => it.client.edit("lobby", 3, "new"), "edit", { target: 3, text: "new" }, "edit"],
		[() => it.client.react("lobby", 3, "👍"), "react", { target: 3, emoji: "👍" }, "reaction"],
		[() => it.client.react("lobby", 3, "👍", true), "react", { target: 3, emoji: "👍", remove: true }, "reaction"],
		[() => it.client.delete("lobby", 3), "delete", { target: 3 }, "deletion"],
	]) {
		const seq = 11 + records.length;
		const asked = ask();
		const { id: _, ...request } = await it.socket.reply(op, { room: "lobby", seq, at: 99, durable: "disk" });
		assert.deepEqual(request, { op, room: "lobby", ...fields });
		await asked;
		// The connection was lost in between: the record comes with the replay too.
		it.socket.say({ ev: "replay", room: "lobby", items: [{ ev, seq, at: 99, from: "ann", ...fields }], to: seq });
		assert.deepEqual(JSON.parse(JSON.stringify(records.at(-1))), { ev, seq, from: "ann", at: 99, ...fields });
		assert.equal(records.length, seq - 10);
	}
	const refused = assert.rejects(it.client.edit("lobby", 3, "late"), { code: 4006 });
	await it.socket.reply("edit", { error: "edit_window_over" }, 4006, "too late");
	await refused;
	await assert.rejects(it.client.edit("lobby", 3, "x".repeat(65)), { code: 4001 });
	it.socket.end();
	await assert.rejects(it.client.delete("lobby", 3), { slug: "offline" });
	assert.equal(records.length, 4);
});

test("an invitation, a search, and a new role", async () => {
	const it = await inLobby(10);
	const invited = [];
	it.client.addEventListener("invited", ({ detail }) => invited.push(detail));
	it.socket.say({ ev: "invited", room: "vip", from: "eve" });
	assert.deepEqual(invited, [{ room: "vip", from: "eve" }]);
	assert.equal(it.client.rooms.has("vip"), false);
	const searching = it.client.search("tea", { limit: 2 });
	const { id: _, ...request } = await it.socket.reply("search", { items: [], more: false });
	assert.deepEqual(request, { op: "search", text: "tea", limit: 2 });
	assert.deepEqual(await searching, { items: [], more: false });
	it.socket.say({ ev: "moderation", room: "lobby", seq: 11, from: "eve", at: 1, act: "role", target: "ann", role: "moderator" });
	it.socket.say({ ev: "moderation", room: "lobby", seq: 12, from: "eve", at: 1, act: "role", target: "bob", role: "owner" });
	assert.equal(it.client.rooms.get("lobby").role, "moderator");
});

test("invitations are withdrawn, and what holds in a room is listed", async () => {
	const it = await inLobby(10);
	const withdrawing = it.client.uninvite("lobby", "zoe");
	const { id: _, ...request } = await it.socket.reply("uninvite");
	assert.deepEqual(request, { op: "uninvite", room: "lobby", user: "zoe" });
	await withdrawing;
	const listing = it.client.restrictions("lobby", { limit: 2 });
	await it.socket.reply("restrictions", { room: "lobby", items: [], more: false });
	assert.deepEqual((await listing).items, []);
});
