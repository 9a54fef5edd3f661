import assert from "node:assert/strict";
import { test } from "node:test";
import { inLobby, message } from "./bench.mjs";
import { loadClient } from "./fakes.mjs";

const { present } = await loadClient();

const edit = (seq, target, mentions) => ({ ev: "edit", room: "lobby", seq, from: "bob", at: seq, target, text: "other words", ...(mentions && { mentions }) });

test("messages that name us, or the room, are counted apart from what is unread", async () => {
	const it = await inLobby(10);
	const room = it.client.rooms.get("lobby");
	const counts = () => [room.unread, room.mentions];
	it.socket.say({ ...message(11), mentions: ["ann", "cat"] });
	it.socket.say({ ...message(12), mentions: ["cat"] });
	it.socket.say({ ...message(13), mentions: ["@room"] });
	it.socket.say(message(14));
	assert.deepEqual(counts(), [4, 2]);
	// An edit names somebody else, or us after all.
	it.socket.say(edit(15, 11, null));
	assert.deepEqual(counts(), [4, 1]);
	it.socket.say(edit(16, 12, ["ann"]));
	assert.deepEqual(counts(), [4, 2]);
	it.socket.say(edit(17, 12, ["ann"]));
	assert.deepEqual(counts(), [4, 2], "each message once");
	it.socket.say({ ev: "deletion", room: "lobby", seq: 18, from: "bob", at: 18, target: 13 });
	assert.deepEqual(counts(), [3, 1]);
	it.client.read("lobby", 11);
	assert.deepEqual(counts(), [2, 1]);
	it.client.read("lobby", 18);
	assert.deepEqual(counts(), [0, 0]);
	// What has been read is not counted again by what is done to it.
	it.socket.say(edit(19, 14, ["ann"]));
	assert.deepEqual(counts(), [0, 0]);
});

test("the inbox brings the mentions that the server has counted, and an edit of those has it count again", async () => {
	const it = await inLobby(10);
	const room = it.client.rooms.get("lobby");
	const row = { room: "lobby", epoch: "e1", seq: 10, read: 4, unread: 6, mentions: 2 };
	const synced = it.client.sync();
	await it.socket.reply("rooms", { rooms: [row], rev: 3 });
	await synced;
	assert.deepEqual([room.unread, room.mentions], [6, 2]);
	it.socket.say({ ...message(11), mentions: ["ann"] });
	assert.deepEqual([room.unread, room.mentions], [7, 3]);
	it.socket.say(edit(12, 6, ["ann"]));
	await it.clock.advance(100);
	await it.socket.reply("rooms", { rooms: [{ ...row, seq: 12, unread: 7, mentions: 4 }], rev: 4 });
	assert.deepEqual([room.unread, room.mentions], [7, 4]);
});

test("who is named and no member is told with the message that was sent", async () => {
	const it = await inLobby(10);
	const told = [];
	it.client.addEventListener("outbox", ({ detail }) => told.push([detail.status, detail.notMembers]));
	it.client.send("lobby", "for @zoe");
	await it.socket.reply("send", { room: "lobby", seq: 11, at: 11, not_members: ["zoe"] });
	assert.deepEqual(told, [["pending", undefined], ["sent", ["zoe"]]]);
});

test("a message names whom its present text names", () => {
	const said = { ev: "message", seq: 1, from: "bob", at: 1, text: "for @ann", mentions: ["ann"] };
	assert.deepEqual(present([said])[0].mentions, ["ann"]);
	assert.deepEqual(present([said, edit(2, 1, ["cat"])])[0].mentions, ["cat"]);
	assert.deepEqual(present([said, edit(2, 1, null)])[0].mentions, []);
});
