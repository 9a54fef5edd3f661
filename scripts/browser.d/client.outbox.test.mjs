import assert from "node:assert/strict";
import { test } from "node:test";
import { bench, directRoom, inLobby, item, message, otherIn, sends } from "./bench.mjs";

test("our own message is placed among the records by its reply", async () => {
	const it = await inLobby(10);
	it.client.send("lobby", "hi");
	it.socket.say(message(11));
	await it.socket.reply("send", { room: "lobby", seq: 12, at: 5 });
	it.socket.say(message(13));
	assert.deepEqual(it.told(), ["lobby 11 m11", "hi sent", "lobby 12 hi", "lobby 13 m13"]);
	assert.equal(it.client.rooms.get("lobby").unread, 2);
});

test("the messages of a room go one after another", async () => {
	const it = await inLobby(10);
	for (const text of ["a", "b", "c"]) it.client.send("lobby", text);
	assert.deepEqual(sends(it.socket), ["a"]);
	await it.socket.reply("send", { room: "lobby", seq: 11, at: 1 });
	assert.deepEqual(sends(it.socket), ["b"]);
	await it.socket.reply("send", { room: "lobby", seq: 12, at: 1 });
	assert.deepEqual(sends(it.socket), ["c"]);
});

test("an unanswered message is sent again with its cid, after the resume and in order", async () => {
	const it = await inLobby(10);
	it.client.send("lobby", "a");
	it.client.send("lobby", "b");
	const [{ cid }] = it.socket.sent.filter((request) => request.op === "send");
	it.socket.end(1006);
	it.client.send("lobby", "c");
	assert.deepEqual(it.client.outbox.map((entry) => entry.text), ["a", "b", "c"]);
	await it.clock.advance(500);
	await it.welcome({ resumed: true, rooms: { lobby: { from: 11, to: 10 } } });
	const again = await it.socket.reply("send", { room: "lobby", seq: 11, at: 1 });
	assert.equal(again.cid, cid);
	await it.socket.reply("send", { room: "lobby", seq: 12, at: 1 });
	await it.socket.reply("send", { room: "lobby", seq: 13, at: 1 });
	assert.deepEqual(it.told(), ["a sent", "lobby 11 a", "b sent", "lobby 12 b", "c sent", "lobby 13 c"]);
});

test("a message that had arrived is found in the replay and not sent again", async () => {
	const it = await inLobby(10);
	const { cid } = it.client.send("lobby", "a");
	it.socket.end(1006);
	await it.clock.advance(500);
	await it.welcome({ resumed: true, rooms: { lobby: { from: 11, to: 12 } } });
	assert.deepEqual(sends(it.socket), []);
	it.socket.say({ ev: "replay", room: "lobby", items: [item(11, { from: "ann", cid, text: "a" }), item(12)], to: 12 });
	it.socket.say({ ev: "live", room: "lobby", seq: 12 });
	assert.deepEqual(it.told(), ["a sent", "lobby 11 a", "lobby 12 m12"]);
	assert.deepEqual(sends(it.socket), []);
});

test("a repetition arrives once, by its reply or by the replay", async () => {
	const it = await inLobby(10);
	it.client.send("lobby", "a");
	it.socket.end(1006);
	await it.clock.advance(500);
	await it.welcome({ resumed: true, rooms: { lobby: { from: 11, to: 10 } } });
	it.socket.say(message(11, "a", { from: "ann" }));
	await it.socket.reply("send", { room: "lobby", seq: 11, at: 1, dup: true });
	it.socket.say(message(12));
	assert.deepEqual(it.told(), ["lobby 11 a", "a sent", "lobby 12 m12"]);
});

test("a rate limit is waited out without changing the order", async () => {
	const it = await inLobby(10);
	it.client.send("lobby", "a");
	it.client.send("lobby", "b");
	await it.socket.reply("send", { error: "rate_limited", retry_after_ms: 800 }, 5001, "slowly");
	assert.deepEqual(sends(it.socket), []);
	await it.clock.advance(799);
	assert.deepEqual(sends(it.socket), []);
	await it.clock.advance(1);
	assert.deepEqual(sends(it.socket), ["a"]);
});

test("a permanent refusal fails that message, and the next one is sent", async () => {
	const it = await inLobby(10);
	it.client.send("lobby", "a");
	it.client.send("lobby", "b");
	await it.socket.reply("send", { error: "read_only" }, 3007, "read only");
	await it.socket.reply("send", { room: "lobby", seq: 11, at: 1 });
	assert.deepEqual(it.told(), ["a failed", "b sent", "lobby 11 b"]);
});

test("a message that is too long is refused before it is sent", async () => {
	const it = await inLobby(10);
	assert.throws(() => it.client.send("lobby", "ü".repeat(33)), { code: 4001 });
	it.client.send("lobby", "ü".repeat(32));
	assert.equal(it.client.outbox.length, 1);
});

test("an outbox of an earlier page is sent with its old cids", async () => {
	const it = bench({ outbox: [{ room: "lobby", text: "late", cid: "c1" }] });
	it.client.start();
	await it.welcome();
	it.client.join("lobby");
	assert.deepEqual(sends(it.socket), []);
	await it.socket.reply("join", { room: "lobby", epoch: "e1", seq: 3 });
	assert.equal((await it.socket.reply("send", { room: "lobby", seq: 4, at: 1 })).cid, "c1");
});

test("a direct conversation is named by the sorted bytes of both names", () => {
	assert.equal(directRoom("bob", "ann"), "@ann:bob");
	assert.equal(directRoom("ann-x", "ann"), "@ann:ann-x");
	assert.equal(directRoom("ﬀ", "𐐨"), "@ﬀ:𐐨");
	assert.equal(otherIn("@ann:bob", "ann"), "bob");
	assert.equal(otherIn("@ann:bob", "bob"), "ann");
	assert.equal(otherIn("@ann:ann", "ann"), "ann");
});

test("the first direct message opens the conversation", async () => {
	const it = await inLobby();
	const room = it.client.open("bob");
	it.client.send(room.name, "psst");
	it.socket.say({ ev: "joined", room: "@ann:bob", epoch: "d1", seq: 0 });
	const send = await it.socket.reply("send", { room: "@ann:bob", seq: 1, at: 1 });
	assert.deepEqual([send.to, send.room], ["bob", undefined]);
	it.socket.say({ ev: "message", room: "@ann:bob", seq: 2, from: "bob", at: 2, text: "yes?" });
	assert.deepEqual(it.told(), ["psst sent", "@ann:bob 1 psst", "@ann:bob 2 yes?"]);
});

test("a direct conversation that is refused on return is left, unless a message waits for it", async () => {
	for (const waits of [false, true]) {
		const it = await inLobby();
		it.socket.say({ ev: "joined", room: "@ann:bob", epoch: "d1", seq: 4 });
		it.socket.end(1006);
		if (waits) it.client.send("@ann:bob", "again");
		await it.clock.advance(500);
		await it.welcome({ rooms: { lobby: { from: 11, to: 10 }, "@ann:bob": { code: 3001, message: "no such room" } } });
		assert.equal(it.socket.sent.find((request) => request.op === "join"), undefined);
		assert.deepEqual(it.told(), [waits ? "@ann:bob reset 0" : "@ann:bob left refused"]);
		if (!waits) it.client.send("@ann:bob", "again");
		it.socket.say({ ev: "joined", room: "@ann:bob", epoch: "d2", seq: 0 });
		await it.socket.reply("send", { room: "@ann:bob", seq: 1, at: 1 });
		assert.deepEqual(it.told(), ["again sent", "@ann:bob 1 again"]);
	}
});

test("a direct message of an earlier page goes out without a join", async () => {
	const it = bench({ outbox: [{ room: "@ann:bob", text: "psst", cid: "c1", inFlight: true }] });
	it.client.start();
	await it.welcome();
	assert.equal((await it.socket.reply("send", { room: "@ann:bob", seq: 1, at: 1 })).to, "bob");
});

test("a lost direct conversation is not named in the next resume", async () => {
	const it = await inLobby();
	it.socket.say({ ev: "joined", room: "@ann:bob", epoch: "d1", seq: 4 });
	it.socket.end(1006);
	await it.clock.advance(500);
	await it.welcome({ rooms: { lobby: { from: 11, to: 10 } } });
	await it.socket.reply("join", { error: "no_such_room" }, 3001, "no such room");
	it.socket.end(1006);
	await it.clock.advance(1000);
	const hello = await it.welcome({ resumed: true, rooms: { lobby: { from: 11, to: 10 } } });
	assert.deepEqual(Object.keys(hello.resume.rooms), ["lobby"]);
});

test("a message that is in the replay and is answered too is resolved once, and the outbox goes on before live", async () => {
	const it = await inLobby(10);
	const { cid } = it.client.send("lobby", "a");
	it.client.send("lobby", "b");
	it.socket.end(1006);
	await it.clock.advance(500);
	await it.welcome({ resumed: true, rooms: { lobby: { from: 11, to: 11 } } });
	it.socket.say({ ev: "replay", room: "lobby", items: [item(11, { from: "ann", cid, text: "a" })], to: 11 });
	assert.deepEqual(sends(it.socket), ["b"]);
	const again = it.client.outbox[0].cid;
	it.socket.say(message(12, "b", { from: "ann", cid: again }));
	await it.socket.reply("send", { room: "lobby", seq: 12, at: 1, dup: true });
	assert.deepEqual(it.told(), ["a sent", "lobby 11 a", "b sent", "lobby 12 b"]);
});

test("a message is pending at once", async () => {
	const it = await inLobby(10);
	const statuses = [];
	it.client.addEventListener("outbox", ({ detail }) => statuses.push(detail.status));
	it.client.send("lobby", "a");
	assert.deepEqual(statuses, ["pending"]);
});
