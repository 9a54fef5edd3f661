import assert from "node:assert/strict";
import { test } from "node:test";
import { inLobby, message } from "./bench.mjs";
import { load } from "./fakes.mjs";

const { Threads } = await load("threads.js");

const ROW = { room: "lobby", thread: 3, from: "ann", text: "cake?", seq: 8, read: 5, unread: 2 };

/** A client in a stored `lobby`, and its threads as the server has told them. */
async function following(items = [ROW]) {
	const it = await inLobby(10);
	it.client.rooms.get("lobby").durable = "disk";
	const threads = new Threads(it.client, { clock: it.clock });
	const asked = threads.refresh();
	await it.socket.reply("threads", { items });
	await asked;
	return { ...it, socket: it.socket, threads, unread: () => threads.list().map(({ thread, unread }) => [thread, unread]) };
}

const told = (it, op) => it.socket.sent.filter((request) => request.op === op).map(({ op: _, id: __, ...fields }) => fields);

test("what comes in a thread that is followed is counted, each message once, and no other", async () => {
	const it = await following();
	assert.deepEqual(it.unread(), [[3, 2]]);
	it.socket.say(message(11, "a", { thread: 3 }));
	it.socket.say(message(12, "b"));
	it.socket.say(message(13, "c", { thread: 7 }));
	it.socket.say({ ...message(11, "a", { thread: 3 }) });
	assert.deepEqual(it.unread(), [[3, 3]]);
	it.socket.say({ ev: "deletion", room: "lobby", seq: 14, from: "bob", at: 14, target: 11 });
	assert.deepEqual(it.unread(), [[3, 2]]);
	assert.equal(it.client.rooms.get("lobby").unread, 2);
	assert.equal(it.client.rooms.get("lobby").inThreads, 1);
});

test("a thread is read here, and the server is told once of all that was read in a moment", async () => {
	const it = await following();
	it.socket.say(message(11, "a", { thread: 3 }));
	it.threads.read("lobby", 3, 8);
	assert.deepEqual(it.unread(), [[3, 1]]);
	it.threads.read("lobby", 3, 11);
	it.threads.read("lobby", 3, 4);
	assert.deepEqual(it.unread(), [[3, 0]]);
	await it.clock.advance(300);
	assert.deepEqual(told(it, "ack"), [{ room: "lobby", thread: 3, epoch: "e1", read: 11 }]);
	// The list may be older than what was read.
	const asked = it.threads.refresh();
	await it.socket.reply("threads", { items: [{ ...ROW, seq: 11, unread: 3 }] });
	await asked;
	assert.deepEqual(it.unread(), [[3, 0]]);
});

/** The connection is there again, over another socket. */
async function comeBack(it) {
	const before = it.sockets.length;
	await it.clock.advance(2_000);
	assert.equal(it.sockets.length, before + 1);
	it.socket = it.sockets.at(-1);
	await it.welcome();
}

for (const [why, refuse] of [
	["the connection is lost", (it) => it.socket.end()],
	["the server cannot now", async (it) => (await it.socket.reply("ack", {}, 5004, "the disk is slow"), it.socket.end())],
]) {
	test(`what was read is told again at the next welcome if it could not be told: ${why}`, async () => {
		const it = await following();
		it.threads.read("lobby", 3, 8);
		await it.clock.advance(300);
		await refuse(it);
		await comeBack(it);
		assert.deepEqual(told(it, "ack"), [{ room: "lobby", thread: 3, epoch: "e1", read: 8 }]);
	});
}

test("what was read is not told again where it is refused for good, as that of an earlier epoch is", async () => {
	const it = await following();
	it.threads.read("lobby", 3, 8);
	await it.clock.advance(300);
	await it.socket.reply("ack", {}, 4004, "another epoch");
	it.socket.end();
	await comeBack(it);
	assert.deepEqual(told(it, "ack"), []);
});

test("all threads are read at once", async () => {
	const it = await following([ROW, { ...ROW, thread: 4, seq: 9 }]);
	it.socket.say(message(11, "a", { thread: 3 }));
	it.threads.readAll();
	assert.equal(it.threads.unread(), 0);
	await it.clock.advance(300);
	assert.deepEqual(told(it, "ack").map(({ thread, read }) => [thread, read]), [[3, 11], [4, 9]]);
});

test("a thread that was read in part is counted by the server", async () => {
	const it = await following();
	it.threads.read("lobby", 3, 7);
	await it.clock.advance(200);
	await it.socket.reply("threads", { items: [{ ...ROW, read: 7, unread: 1 }] });
	assert.deepEqual(it.unread(), [[3, 1]]);
});

test("an answer to a message of ours, and our own in a thread, has the server asked whether we follow it", async () => {
	const it = await following([]);
	it.socket.say(message(11, "ours", { from: "ann" }));
	it.socket.say(message(12, "of another thread", { thread: 4 }));
	await it.clock.advance(1_000);
	assert.deepEqual(told(it, "threads"), []);
	it.socket.say(message(13, "an answer", { thread: 11 }));
	await it.clock.advance(200);
	await it.socket.reply("threads", { items: [{ ...ROW, thread: 11, seq: 13, read: 11, unread: 1 }] });
	assert.deepEqual(it.unread(), [[11, 1]]);
	it.socket.say(message(14, "ours, too", { from: "ann", thread: 11 }));
	assert.deepEqual(it.unread(), [[11, 0]]);
});

test("what another of our clients does with a thread is done here", async () => {
	const it = await following();
	it.socket.say({ ev: "thread", room: "lobby", thread: 3, following: true, read: 8 });
	assert.deepEqual(it.unread(), [[3, 0]]);
	it.socket.say({ ev: "thread", room: "lobby", thread: 3, following: false });
	assert.deepEqual(it.unread(), []);
	it.socket.say({ ev: "thread", room: "lobby", thread: 3, following: true });
	await it.clock.advance(200);
	await it.socket.reply("threads", { items: [ROW] });
	assert.deepEqual(it.unread(), [[3, 2]]);
});

test("where the server keeps no threads nothing is asked again", async () => {
	const it = await following();
	const asked = it.threads.refresh();
	await it.socket.reply("threads", {}, 9002, "a cluster keeps no threads");
	await asked;
	assert.equal(it.threads.isSupported, false);
	assert.deepEqual(it.unread(), []);
	it.socket.say(message(11, "ours", { from: "ann" }));
	it.socket.say(message(12, "an answer", { thread: 11 }));
	await it.clock.advance(1_000);
	assert.deepEqual(told(it, "threads"), []);
});

test("the inbox brings how much of what is unread is in threads", async () => {
	const it = await inLobby(10);
	const room = it.client.rooms.get("lobby");
	const synced = it.client.sync();
	const row = { room: "lobby", epoch: "e1", seq: 10, read: 4, unread: 6, in_threads: 2 };
	await it.socket.reply("rooms", { rooms: [row], rev: 3 });
	await synced;
	assert.deepEqual([room.unread, room.inThreads], [6, 2]);
	it.client.read("lobby", 10);
	assert.deepEqual([room.unread, room.inThreads], [0, 0]);
	// In memory no thread has a mark.
	it.socket.say(message(11, "a", { thread: 3 }));
	assert.deepEqual([room.unread, room.inThreads], [1, 0]);
});
