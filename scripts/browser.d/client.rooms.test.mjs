import assert from "node:assert/strict";
import { test } from "node:test";
import { ChinwagError, LIMITS, bench, inLobby, item, message } from "./bench.mjs";
import { settle } from "./fakes.mjs";

test("records arrive once and in order, although some are repeated", async () => {
	const it = await inLobby(10);
	for (const seq of [11, 12, 12, 11, 13]) it.socket.say(message(seq));
	assert.deepEqual(it.told(), ["lobby 11 m11", "lobby 12 m12", "lobby 13 m13"]);
});

test("a resume names each room's position and goes on after it", async () => {
	const it = await inLobby(10);
	it.socket.say(message(11));
	it.socket.end(1006);
	await it.clock.advance(500);
	it.told();
	const hello = await it.welcome({ resumed: true, rooms: { lobby: { from: 12, to: 14 } } });
	assert.deepEqual(hello.resume, { session: "s1", rooms: { lobby: ["e1", 11] } });
	assert.equal(it.client.rooms.get("lobby").state, "lagging");
	it.socket.say({ ev: "replay", room: "lobby", items: [item(12), item(13)], to: 13 });
	it.socket.say({ ev: "replay", room: "lobby", items: [item(13), item(14)], to: 14 });
	it.socket.say({ ev: "live", room: "lobby", seq: 14 });
	it.socket.say(message(15));
	assert.deepEqual(it.told(), ["lobby 12 m12", "lobby 13 m13", "lobby 14 m14", "lobby 15 m15"]);
	assert.equal(it.client.rooms.get("lobby").state, "live");
});

test("a room may have any name that the server allows", async () => {
	const it = bench();
	it.client.start();
	await it.welcome();
	for (const room of ["__proto__", "constructor"]) {
		it.client.join(room);
		await it.socket.reply("join", { room, epoch: "e1", seq: 1 });
	}
	it.socket.end(1006);
	await it.clock.advance(500);
	it.socket.accept();
	await settle();
	const { resume } = it.socket.sent.find((request) => request.op === "hello");
	assert.deepEqual(Object.keys(resume.rooms), ["__proto__", "constructor"]);
});

test("a gap arrives once, before the records after it", async () => {
	const it = await inLobby(10);
	it.socket.end(1006);
	await it.clock.advance(500);
	await it.welcome({ resumed: true, rooms: { lobby: { gap: [11, 40], why: "pruned", from: 41, to: 41 } } });
	it.socket.say({ ev: "gap", room: "lobby", from: 11, to: 40, why: "pruned" });
	it.socket.say({ ev: "replay", room: "lobby", items: [item(41)], to: 41 });
	it.socket.say({ ev: "live", room: "lobby", seq: 41 });
	assert.deepEqual(it.told(), ["lobby gap 11-40 pruned", "lobby 41 m41"]);
});

test("a reset starts again at the new head and forgets what was read", async () => {
	const it = await inLobby(10);
	it.client.read("lobby", 10);
	it.socket.end(1006);
	await it.clock.advance(500);
	await it.welcome({ resumed: false, rooms: { lobby: { reset: true, epoch: "e2", seq: 2 } } });
	it.socket.say(message(3));
	assert.deepEqual(it.told(), ["lobby reset 2", "lobby 3 m3"]);
	const room = it.client.rooms.get("lobby");
	assert.deepEqual([room.epoch, room.read, room.unread], ["e2", 0, 1]);
});

test("a room that is refused on return is left, and not joined again", async () => {
	for (const code of [3001, 3003, 3005]) {
		const it = await inLobby(10);
		it.socket.end(1006);
		await it.clock.advance(500);
		await it.welcome({ resumed: code === 3003, rooms: { lobby: { code, message: "no" } } });
		assert.equal(it.socket.sent.find((request) => request.op === "join"), undefined);
		assert.deepEqual(it.told(), ["lobby left refused"]);
		assert.equal(it.client.rooms.size, 0);
	}
});

test("a room that cannot be resumed at the old position is joined again", async () => {
	const it = await inLobby(10);
	it.socket.end(1006);
	await it.clock.advance(500);
	await it.welcome({ rooms: { lobby: { code: 4003, message: "not reached" } } });
	const join = await it.socket.reply("join", { room: "lobby", epoch: "e2", seq: 0, reset: true });
	assert.deepEqual([join.after, join.epoch], [10, "e1"]);
	assert.deepEqual(it.told(), ["lobby reset 0"]);
});

test("a missing record is fetched from the history while later ones wait", async () => {
	const it = await inLobby(10);
	it.socket.say(message(13));
	it.socket.say(message(14));
	assert.deepEqual(it.told(), []);
	const asked = await it.socket.reply("history", { items: [item(11), item(12), item(13)] });
	assert.deepEqual([asked.after, asked.epoch], [10, "e1"]);
	assert.deepEqual(it.told(), ["lobby 11 m11", "lobby 12 m12", "lobby 13 m13", "lobby 14 m14"]);
});

test("records that history no longer has become a gap in their place", async () => {
	const it = await inLobby(10);
	it.socket.say(message(15));
	await it.socket.reply("history", { items: [item(13)] });
	await it.socket.reply("history", { items: [] });
	assert.deepEqual(it.told(), ["lobby gap 11-12 lost", "lobby 13 m13", "lobby gap 14-14 lost", "lobby 15 m15"]);
});

test("a connection lost while fetching leaves the position for the resume", async () => {
	const it = await inLobby(10);
	it.socket.say(message(13));
	await settle();
	it.socket.end(1006);
	await it.clock.advance(500);
	const hello = await it.welcome({ resumed: true, rooms: { lobby: { from: 11, to: 13 } } });
	assert.deepEqual(hello.resume.rooms.lobby, ["e1", 10]);
	it.socket.say({ ev: "replay", room: "lobby", items: [item(11), item(12), item(13)], to: 13 });
	assert.deepEqual(it.told(), ["lobby 11 m11", "lobby 12 m12", "lobby 13 m13"]);
});

test("an epoch that changed under a history page ends in a reset", async () => {
	const it = await inLobby(10);
	const asked = assert.rejects(it.client.history("lobby", { before: 5 }), { code: 4004 });
	await it.socket.reply("history", { error: "epoch_changed" }, 4004, "changed");
	await asked;
	await it.socket.reply("join", { room: "lobby", epoch: "e2", seq: 1, reset: true });
	assert.deepEqual(it.told(), ["lobby reset 1"]);
});

test("records of other kinds count as positions, and a topic is kept", async () => {
	const it = await inLobby(10);
	it.socket.say({ ev: "topic", room: "lobby", seq: 11, from: "bob", at: 1, text: "tea" });
	it.socket.say({ ev: "moderation", room: "lobby", seq: 12, from: "bob", at: 1, target: "eve" });
	assert.deepEqual(it.told(), ["lobby 11 tea", "lobby 12 moderation"]);
	assert.equal(it.client.rooms.get("lobby").topic, "tea");
});

test("no record of a room arrives after it was left", async () => {
	const it = await inLobby(10);
	it.socket.say({ ev: "left", room: "lobby", reason: "kicked" });
	it.socket.say(message(11));
	assert.deepEqual(it.told(), ["lobby left kicked"]);
	it.socket.end(1006);
	await it.clock.advance(500);
	assert.equal((await it.welcome({ resumed: true })).resume.rooms.lobby, undefined);
});

test("a join with a position brings the records after it; offline it waits for the connection", async () => {
	const it = bench();
	await it.client.join("lobby", { after: 0 });
	it.client.start();
	it.socket.accept();
	await it.socket.reply("hello", { user: "ann", session: "s1", limits: LIMITS });
	const join = await it.socket.reply("join", { room: "lobby", epoch: "e1", seq: 2 });
	assert.equal(join.after, 0);
	it.socket.say({ ev: "replay", room: "lobby", items: [item(1), item(2)], to: 2 });
	assert.deepEqual(it.told(), ["lobby 1 m1", "lobby 2 m2"]);
});

test("a refused join rejects and removes the room", async () => {
	const it = bench();
	it.client.start();
	await it.welcome();
	const joining = assert.rejects(it.client.join("secret"), (error) => error instanceof ChinwagError && error.code === 3001);
	await it.socket.reply("join", { error: "no_such_room" }, 3001, "no such room");
	await joining;
	assert.equal(it.client.rooms.size, 0);
});

test("joining twice sends one request, and both get the answer", async () => {
	const it = bench();
	it.client.start();
	await it.welcome();
	const both = Promise.all([it.client.join("lobby"), it.client.join("lobby")]);
	const said = { epoch: "e1", seq: 3, oldest: 2, durable: "disk", role: "reader", topic: "tea" };
	await it.socket.reply("join", { room: "lobby", ...said });
	const [room, same] = await both;
	assert.equal(room, same);
	for (const [key, value] of Object.entries(said)) assert.equal(room[key], value, key);
	assert.equal(await it.client.join("lobby"), room);
	assert.equal(it.socket.sent.length, 0);
});

test("leaving asks the server, is one event, and fails the messages that wait there", async () => {
	const it = await inLobby(10);
	it.client.read("lobby", 10);
	it.client.send("lobby", "late");
	const leaving = it.client.leave("lobby");
	await settle();
	it.socket.say({ ev: "left", room: "lobby", reason: "left" });
	await it.socket.reply("leave");
	await leaving;
	assert.deepEqual(it.told(), ["late failed", "lobby left left"]);
	await it.clock.advance(1000);
	assert.deepEqual(it.socket.sent.filter((request) => request.op === "ack"), []);
});

test("a room that was never joined is left without a request", async () => {
	const it = await inLobby(10);
	const { name } = it.client.open("bob");
	await it.client.leave(name);
	assert.deepEqual(it.told(), ["@ann:bob left left"]);
	assert.equal(it.socket.sent.length, 0);
});

test("a gap in the answer to hello needs no event", async () => {
	const it = await inLobby(10);
	it.socket.end(1006);
	await it.clock.advance(500);
	await it.welcome({ resumed: true, rooms: { lobby: { gap: [11, 40], why: "limit", from: 41, to: 41 } } });
	it.socket.say({ ev: "replay", room: "lobby", items: [item(41)], to: 41 });
	assert.deepEqual(it.told(), ["lobby gap 11-40 limit", "lobby 41 m41"]);
});

test("a room that is live at a later seq has its missing records fetched", async () => {
	const it = await inLobby(10);
	it.socket.say({ ev: "live", room: "lobby", seq: 11 });
	await it.socket.reply("history", { items: [item(11)] });
	assert.deepEqual(it.told(), ["lobby 11 m11"]);
});

test("a reset drops the receipts, requests presence, and lets the outbox go on", async () => {
	const it = await inLobby(10);
	it.client.watch("lobby");
	await it.socket.reply("presence", { v: 1, count: 1, users: [["ann", "online"]] });
	it.socket.say({ ev: "receipts", room: "lobby", read: { bob: 9 } });
	it.socket.end(1006);
	it.client.send("lobby", "again");
	await it.clock.advance(500);
	await it.welcome({ rooms: { lobby: { reset: true, epoch: "e2", seq: 0 } } });
	assert.equal(it.client.rooms.get("lobby").receipts.size, 0);
	await it.socket.reply("presence", { v: 1, count: 1, users: [["ann", "online"]] });
	await it.socket.reply("send", { room: "lobby", seq: 1, at: 1 });
	assert.deepEqual(it.told(), ["lobby reset 0", "again sent", "lobby 1 again"]);
});

test("our own topic or moderation becomes a record by its answer", async () => {
	const it = await inLobby(10);
	const records = [];
	it.client.addEventListener("record", ({ detail }) => records.push(detail.item));
	const keep = (...wish) => it.client.moderate(wish[0], "lobby", "eve", wish[1]);
	const rows = [
		[() => it.client.topic("lobby", "tea"), "topic", { text: "tea" }, { ev: "topic", text: "tea" }],
		[() => keep("kick", { reason: "rude" }), "kick", { user: "eve", reason: "rude" }, { act: "kick", reason: "rude" }],
		[() => keep("mute", { for_ms: 500 }), "mute", { user: "eve", for_ms: 500 }, { act: "mute", until: 507 }],
		[() => keep("mute"), "mute", { user: "eve" }, { act: "mute" }],
		[() => keep("mute", { for_ms: 0 }), "mute", { user: "eve", for_ms: 0 }, { act: "unmute" }],
		[() => keep("ban", { for_ms: 500, reason: "spam" }), "ban", { user: "eve", for_ms: 500, reason: "spam" }, { act: "ban", until: 507, reason: "spam" }],
		[() => keep("unban"), "unban", { user: "eve" }, { act: "unban" }],
		[() => keep("role", { role: "owner" }), "role", { user: "eve", role: "owner" }, { act: "role", role: "owner" }],
	];
	for (const [index, [ask, op, fields, expected]] of rows.entries()) {
		const asking = ask();
		const request = await it.socket.reply(op, { room: "lobby", seq: 11 + index, at: 7 });
		await asking;
		assert.deepEqual(request, { op, id: request.id, room: "lobby", ...fields });
		const told = JSON.parse(JSON.stringify(records.at(-1)));
		const about = op === "topic" ? {} : { ev: "moderation", target: "eve" };
		assert.deepEqual(told, { seq: 11 + index, from: "ann", at: 7, ...about, ...expected });
	}
	assert.equal(records.length, rows.length);
	assert.equal(it.client.rooms.get("lobby").topic, "tea");
	const refused = assert.rejects(keep("ban"), { code: 3004 });
	await it.socket.reply("ban", { error: "forbidden" }, 3004, "not allowed");
	await refused;
	assert.equal(records.length, rows.length);
});

test("a created room is ours at once; a refused one is not listed", async () => {
	const it = await inLobby(10);
	const making = it.client.create("den", { private: true });
	const request = await it.socket.reply("create", { room: "den", epoch: "d1", seq: 0, oldest: 1, durable: "disk", role: "owner" });
	const room = await making;
	assert.equal(request.private, true);
	assert.deepEqual([room.name, room.role, room.state], ["den", "owner", "live"]);
	assert.equal(it.client.rooms.get("den"), room);
	const refused = assert.rejects(it.client.create("hall"), { code: 3002 });
	await it.socket.reply("create", { error: "room_exists" }, 3002, "there is a room of this name already");
	await refused;
	assert.equal(it.client.rooms.has("hall"), false);
});

test("who renames a room gets the answer under the new name, and the log has no hole", async () => {
	const it = await inLobby(10);
	const renaming = it.client.rename("lobby", "hall");
	it.socket.say({ ev: "renamed", room: "lobby", name: "hall" });
	await it.socket.reply("rename", { room: "hall", seq: 11, at: 11, durable: "disk" });
	await renaming;
	it.socket.say(message(12, "hi", { room: "hall" }));
	assert.deepEqual(it.told(), ["lobby renamed hall", "hall 11 rename", "hall 12 hi"]);
	assert.equal(it.socket.sent.filter(({ op }) => op === "history").length, 0, "nothing is missing");
});

test("an inbox that lists a room by its new name moves what is kept by the one of before", async () => {
	const it = await inLobby(10);
	const room = it.client.rooms.get("lobby");
	const syncing = it.client.sync();
	await it.socket.reply("rooms", { rooms: [{ room: "hall", former: ["den", "lobby"], epoch: "e1", seq: 10, read: 10, recv: 10, unread: 0, mentions: 0 }], full: true, rev: 2 });
	await syncing;
	assert.equal(it.client.rooms.get("hall"), room);
	assert.deepEqual([it.client.rooms.has("lobby"), it.told()], [false, ["lobby renamed hall"]]);
});

test("a room that is closed tells by whom and why before it is left", async () => {
	const it = await inLobby(10);
	const told = [];
	it.client.addEventListener("gone", ({ detail }) => told.push(detail));
	it.socket.say({ ev: "gone", room: "lobby", from: "bob", reason: "moved" });
	it.socket.say({ ev: "left", room: "lobby", reason: "closed" });
	assert.deepEqual(told, [{ room: "lobby", from: "bob", reason: "moved" }]);
	assert.deepEqual(it.told(), ["lobby left closed"]);
});

test("a room is closed once the server has said what is lost, and that is known", async () => {
	const it = await inLobby(10);
	const asking = it.client.close("lobby");
	await it.socket.reply("close", { error: "forbidden", messages: 3, members: 2 }, 3004, "what is lost");
	const { data } = await asking.catch((error) => error);
	assert.deepEqual([data.messages, data.members], [3, 2]);
	const closing = it.client.close("lobby", { sure: true, reason: "moved" });
	assert.deepEqual(it.socket.sent.filter(({ op }) => op === "close").at(-1), { op: "close", id: it.socket.sent.at(-1).id, room: "lobby", sure: true, reason: "moved" });
	await it.socket.reply("close", { room: "lobby" });
	await closing;
});

test("a room of which a page is there already is joined from its end on by the next sync", async () => {
	const it = bench();
	it.client.start();
	it.socket.accept();
	await it.socket.reply("hello", { user: "ann", session: "s1", resumed: false, limits: LIMITS });
	const room = it.client.goOn("lobby", { epoch: "e1", last: 10 });
	await it.socket.reply("rooms", { rev: 1, full: true, rooms: [{ room: "lobby", epoch: "e1", seq: 12, read: 9, unread: 3 }] });
	assert.equal(room.unread, 3);
	const join = await it.socket.reply("join", { room: "lobby", epoch: "e1", seq: 12, oldest: 1, role: "member" });
	assert.deepEqual([join.after, join.epoch], [10, "e1"]);
	it.socket.say({ ev: "replay", room: "lobby", items: [item(11), item(12)], to: 12 });
	it.socket.say({ ev: "live", room: "lobby", seq: 12 });
	assert.deepEqual(it.told(), ["lobby 11 m11", "lobby 12 m12"]);
	assert.deepEqual([room.state, room.unread], ["live", 3]);
});

test("a page of a log that is another by now is followed by a reset, and one of a room that is not ours by its end", async () => {
	for (const [rooms, replies, told] of [
		[[{ room: "lobby", epoch: "e2", seq: 4, read: 0, unread: 0 }], true, ["lobby reset 4"]],
		[[], false, ["lobby left left"]],
	]) {
		const it = bench();
		it.client.start();
		it.socket.accept();
		await it.socket.reply("hello", { user: "ann", session: "s1", resumed: false, limits: LIMITS });
		it.client.goOn("lobby", { epoch: "e1", last: 10 });
		await it.socket.reply("rooms", { rev: 1, full: true, rooms });
		if (replies) await it.socket.reply("join", { room: "lobby", epoch: "e2", seq: 4, oldest: 1, reset: true, role: "member" });
		assert.deepEqual(it.told(), told);
	}
});
