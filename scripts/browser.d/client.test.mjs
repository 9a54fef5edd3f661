import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock, fakeSockets, loadClient, settle } from "./fakes.mjs";

const { Client, ChinwagError, directRoom, otherIn } = await loadClient();

const LIMITS = { message_bytes: 64, ping_ms: 25_000, history_page: 200 };

/** A client with its surroundings, and everything it tells, as short lines. */
function bench(options = {}) {
  const clock = new FakeClock();
  const { sockets, FakeSocket } = fakeSockets();
  const client = new Client("ws://test/ws", { name: "ann", WebSocket: FakeSocket, clock, random: () => 0.5, ...options });
  const told = [];
  const tell = (type, line) => client.addEventListener(type, ({ detail }) => told.push(line(detail)));
  tell("record", ({ room, item }) => `${room.name} ${item.seq} ${item.text ?? item.ev}`);
  tell("gap", ({ room, from, to, why }) => `${room.name} gap ${from}-${to} ${why}`);
  tell("reset", ({ room, seq }) => `${room.name} reset ${seq}`);
  tell("left", ({ room, reason }) => `${room.name} left ${reason}`);
  tell("outbox", ({ entry, status }) => status !== "pending" && `${entry.text} ${status}`);
  tell("problem", (error) => `problem ${error.code}`);
  return {
    client,
    clock,
    sockets,
    get socket() {
      return sockets.at(-1);
    },
    /** What was told since the last call. */
    told: () => told.splice(0).filter(Boolean),
    async welcome(data = {}) {
      this.socket.accept();
      const hello = await this.socket.reply("hello", { user: "ann", session: "s1", resumed: false, limits: LIMITS, ...data });
      await this.socket.reply("rooms", { rooms: [], rev: 1 });
      return hello;
    },
  };
}

/** A client that is live in `lobby` at `seq`. */
async function inLobby(seq = 10, options = {}) {
  const it = bench(options);
  it.client.start();
  await it.welcome();
  const joining = it.client.join("lobby");
  await it.socket.reply("join", { room: "lobby", epoch: "e1", seq, oldest: 1, durable: "memory", role: "member" });
  await joining;
  return it;
}

const message = (seq, text = `m${seq}`, more = {}) => ({ ev: "message", room: "lobby", seq, from: "bob", at: seq, text, ...more });
const item = (seq, more) => {
  const { room: _, ...rest } = message(seq, undefined, more);
  return rest;
};
const sends = (socket) => socket.sent.filter((request) => request.op === "send").map((request) => request.text);

// --- The connection -----------------------------------------------------------------------------------------------

test("it offers the subprotocol and says hello with its name, and nothing to resume", async () => {
  const it = bench();
  it.client.start();
  assert.equal(it.socket.protocol, "chinwag.v1");
  const hello = await it.welcome();
  assert.equal(hello.name, "ann");
  assert.equal(hello.resume, undefined);
  assert.equal(it.client.state.state, "ready");
});

test("the wait before attempt n is spread over min(20 s, 0.5 s * 2^n)", async () => {
  const it = bench({ random: () => 0.999999 });
  it.client.start();
  const waits = [];
  for (let attempt = 0; attempt < 8; attempt += 1) {
    it.socket.end(1006);
    waits.push(Math.round(it.client.state.retryAt - it.clock.now()));
    await it.clock.advance(waits.at(-1));
  }
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 16_000, 20_000, 20_000]);
});

test("only 30 healthy seconds begin the backoff anew", async () => {
  const it = bench({ random: () => 0.999999 });
  const wait = async (healthy) => {
    await it.welcome();
    it.clock.sleep(healthy);
    it.socket.end(1006);
    const ms = Math.round(it.client.state.retryAt - it.clock.now());
    await it.clock.advance(ms + 1);
    return ms;
  };
  it.client.start();
  assert.equal(await wait(29_000), 500);
  assert.equal(await wait(29_000), 1000);
  assert.equal(await wait(30_000), 500);
});

for (const [code, state] of [
  [4000, "stopped"], [4005, "stopped"], [4008, "stopped"], [4010, "stopped"], [1008, "stopped"],
  [4101, "waiting"], [4103, "waiting"], [4201, "waiting"], [1001, "waiting"], [1006, "waiting"], [1011, "waiting"],
]) {
  test(`close code ${code} leaves it ${state}`, async () => {
    const it = await inLobby();
    it.socket.end(code);
    assert.equal(it.client.state.state, state);
    assert.equal(it.client.state.close, code);
    await it.clock.advance(60_000);
    assert.equal(it.sockets.length > 1, state === "waiting");
  });
}

test("after a drain it comes back when told, whatever the close code", async () => {
  const it = await inLobby();
  it.socket.say({ ev: "drain", reconnect_after_ms: 7350, window_ms: 20_000, reason: "restart" });
  await it.clock.advance(350);
  it.socket.end(1006);
  assert.equal(it.client.state.retryAt - it.clock.now(), 7000);
  assert.ok(it.client.state.told);
  it.client.wake();
  await it.clock.advance(6999);
  assert.equal(it.sockets.length, 1);
  await it.clock.advance(1);
  assert.equal(it.sockets.length, 2);
});

test("a refused hello stops it, unless it is told when to ask again", async () => {
  const it = bench();
  it.client.start();
  it.socket.accept();
  await it.socket.reply("hello", { error: "name_taken" }, 2005, "the name is taken");
  assert.equal(it.client.state.state, "stopped");
  assert.equal(it.client.state.error.slug, "name_taken");

  it.client.start();
  it.socket.accept();
  await it.socket.reply("hello", { error: "busy", retry_after_ms: 3000 }, 5004, "busy");
  assert.equal(it.client.state.state, "waiting");
  assert.ok(it.client.state.retryAt - it.clock.now() >= 3000);
});

test("a quiet line is asked, and is dead after ping_ms + 10 s without a byte", async () => {
  const it = await inLobby();
  await it.clock.advance(25_000);
  assert.equal(it.socket.sent.filter((request) => request.op === "ping").length, 1);
  await it.clock.advance(9_999);
  assert.equal(it.client.state.state, "ready");
  await it.clock.advance(1);
  assert.equal(it.client.state.state, "waiting");
});

test("any byte keeps the line alive", async () => {
  const it = await inLobby(10);
  for (let seq = 11; seq < 20; seq += 1) {
    await it.clock.advance(20_000);
    it.socket.say(message(seq));
  }
  assert.equal(it.sockets.length, 1);
  await it.clock.advance(25_000);
  await it.socket.reply("ping", { time: 1 });
  await it.clock.advance(20_000);
  assert.equal(it.client.state.state, "ready");
});

test("a machine that slept asks before it calls the line dead", async () => {
  const it = await inLobby();
  it.clock.sleep(3_600_000);
  await it.clock.advance(1);
  assert.equal(it.client.state.state, "ready");
  await it.socket.reply("ping");
  await it.clock.advance(10_000);
  assert.equal(it.client.state.state, "ready");
});

test("a server that never answers hello is given up", async () => {
  const it = bench();
  it.client.start();
  it.socket.accept();
  await it.clock.advance(15_000);
  assert.equal(it.client.state.state, "waiting");
});

test("start and wake cut a wait short; a socket given up is not listened to", async () => {
  const it = bench({ random: () => 0.9 });
  it.client.start();
  const first = it.socket;
  first.end(1006);
  it.client.start();
  assert.equal(it.sockets.length, 2);
  first.end(4000);
  assert.equal(it.client.state.state, "connecting");
  it.socket.end(1006);
  it.client.wake();
  assert.equal(it.sockets.length, 3);
});

test("stop leaves no timer and no request behind", async () => {
  const it = await inLobby();
  const asked = assert.rejects(it.client.history("lobby"), { slug: "offline" });
  await settle();
  it.client.read("lobby", 10);
  it.client.stop();
  await asked;
  assert.equal(it.clock.pending, 0);
  assert.equal(it.socket.closedWith, 1000);
});

// --- Positions ----------------------------------------------------------------------------------------------------

test("records are told once and in order, whatever is repeated", async () => {
  const it = await inLobby(10);
  for (const seq of [11, 12, 12, 11, 13]) it.socket.say(message(seq));
  assert.deepEqual(it.told(), ["lobby 11 m11", "lobby 12 m12", "lobby 13 m13"]);
});

test("a resume names each room's position and goes on behind it", async () => {
  const it = await inLobby(10);
  it.socket.say(message(11));
  it.socket.end(1006);
  await it.clock.advance(500);
  it.told();
  const hello = await it.welcome({ resumed: true, rooms: { lobby: { from: 12, to: 14 } } });
  assert.deepEqual(hello.resume, { session: "s1", rooms: { lobby: ["e1", 11] } });
  assert.equal(it.client.rooms.get("lobby").state, "behind");
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

test("a gap is told once, before what follows it", async () => {
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

test("a room that the server forgot is joined again with the old position", async () => {
  const it = await inLobby(10);
  it.socket.end(1006);
  await it.clock.advance(500);
  await it.welcome({ rooms: { lobby: { code: 3001, message: "no such room" } } });
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

test("what the history no longer has is told as a gap at its place", async () => {
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

test("nothing of a room is told after it was left", async () => {
  const it = await inLobby(10);
  it.socket.say({ ev: "left", room: "lobby", reason: "kicked" });
  it.socket.say(message(11));
  assert.deepEqual(it.told(), ["lobby left kicked"]);
  it.socket.end(1006);
  await it.clock.advance(500);
  assert.equal((await it.welcome({ resumed: true })).resume.rooms.lobby, undefined);
});

test("a join with a position tells what is behind it; offline it waits for the connection", async () => {
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

// --- The outbox ---------------------------------------------------------------------------------------------------

test("one's own message takes its place among the records by its reply", async () => {
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

test("a message that had arrived is recognised in the replay and not sent again", async () => {
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

test("a repetition that the server knew is told once, by whichever way it came", async () => {
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

test("a refusal for good fails that message and lets the next go", async () => {
  const it = await inLobby(10);
  it.client.send("lobby", "a");
  it.client.send("lobby", "b");
  await it.socket.reply("send", { error: "read_only" }, 3007, "read only");
  await it.socket.reply("send", { room: "lobby", seq: 11, at: 1 });
  assert.deepEqual(it.told(), ["a failed", "b sent", "lobby 11 b"]);
});

test("what is too long is refused before it is sent", async () => {
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
  await it.socket.reply("join", { room: "lobby", epoch: "e1", seq: 3 });
  assert.equal((await it.socket.reply("send", { room: "lobby", seq: 4, at: 1 })).cid, "c1");
});

// --- Direct conversations -----------------------------------------------------------------------------------------

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

test("a direct conversation that the server forgot says so and begins anew with the next message", async () => {
  const it = await inLobby();
  it.socket.say({ ev: "joined", room: "@ann:bob", epoch: "d1", seq: 4 });
  it.socket.end(1006);
  await it.clock.advance(500);
  await it.welcome({ rooms: { lobby: { from: 11, to: 10 }, "@ann:bob": { code: 3001, message: "no such room" } } });
  await it.socket.reply("join", { error: "no_such_room" }, 3001, "no such room");
  assert.deepEqual(it.told(), ["@ann:bob reset 0"]);
  it.client.send("@ann:bob", "again");
  it.socket.say({ ev: "joined", room: "@ann:bob", epoch: "d2", seq: 0 });
  await it.socket.reply("send", { room: "@ann:bob", seq: 1, at: 1 });
  assert.deepEqual(it.told(), ["again sent", "@ann:bob 1 again"]);
});

// --- What is only state -------------------------------------------------------------------------------------------

test("the inbox brings rooms and unread counts, and is not counted twice", async () => {
  const it = bench();
  it.client.start();
  it.socket.accept();
  await it.socket.reply("hello", { user: "ann", session: "s1", limits: LIMITS });
  const row = { room: "tea", epoch: "t1", seq: 9, recv: 5, read: 4, unread: 5 };
  assert.equal((await it.socket.reply("rooms", { rooms: [row], rev: 7 })).since, undefined);
  await it.socket.reply("join", { room: "tea", epoch: "t1", seq: 9 });
  const room = it.client.rooms.get("tea");
  assert.equal(room.unread, 5);
  it.socket.say({ ...message(10), room: "tea" });
  assert.equal(room.unread, 6);
  const synced = it.client.sync();
  assert.equal((await it.socket.reply("rooms", { rooms: [{ ...row, seq: 12, unread: 8 }], rev: 8 })).since, 7);
  await synced;
  it.socket.say({ ...message(11), room: "tea" });
  assert.equal(room.unread, 8);
  it.client.read("tea", 11);
  assert.equal(room.unread, 0);
});

test("reading is gathered into one ack, which survives a lost connection", async () => {
  const it = await inLobby(10);
  it.socket.say(message(11));
  it.client.read("lobby", 10);
  it.client.read("lobby", 11);
  it.client.read("lobby", 9);
  it.socket.end(1006);
  await it.clock.advance(500);
  await it.welcome({ resumed: true, rooms: { lobby: { from: 12, to: 11 } } });
  await it.clock.advance(300);
  const acks = it.socket.sent.filter((request) => request.op === "ack");
  assert.deepEqual(acks.map(({ room, read }) => [room, read]), [["lobby", 11]]);
});

test("presence deltas are merged by version, and a missed one is asked for", async () => {
  const it = await inLobby();
  const room = it.client.rooms.get("lobby");
  it.client.watch("lobby");
  await it.socket.reply("presence", { v: 4, count: 2, users: [["ann", "online"], ["bob", "away"]] });
  it.socket.say({ ev: "presence", room: "lobby", v: 5, on: ["dan"], away: ["ann"], off: ["bob"], count: 2 });
  assert.deepEqual([...room.presence.users], [["ann", "away"], ["dan", "online"]]);
  it.socket.say({ ev: "presence", room: "lobby", v: 5, on: ["eve"], away: [], off: [], count: 3 });
  assert.equal(room.presence.users.has("eve"), false);
  it.socket.say({ ev: "presence", room: "lobby", v: 7, on: ["eve"], away: [], off: [], count: 4 });
  await it.socket.reply("presence", { v: 7, count: 4, users: [["ann", "online"], ["dan", "online"], ["eve", "online"], ["fay", "online"]] });
  assert.equal(room.presence.users.size, 4);
});

test("in a large room presence is a count", async () => {
  const it = await inLobby();
  it.client.watch("lobby");
  await it.socket.reply("presence", { v: 4, count: 900 });
  it.socket.say({ ev: "presence", room: "lobby", v: 5, count: 901 });
  const { presence } = it.client.rooms.get("lobby");
  assert.deepEqual([presence.count, presence.users], [901, null]);
});

test("typing is shown for six seconds and sent at most every three", async () => {
  const it = await inLobby();
  const room = it.client.rooms.get("lobby");
  it.socket.say({ ev: "typing", room: "lobby", users: ["bob", "ann"] });
  assert.deepEqual(room.typing, ["bob"]);
  await it.clock.advance(6_000);
  assert.deepEqual(room.typing, []);
  for (let key = 0; key < 40; key += 1) {
    it.client.typing("lobby");
    await it.clock.advance(100);
  }
  assert.equal(it.socket.sent.filter((request) => request.op === "typing").length, 2);
});

test("who has spoken is typing no more", async () => {
  const it = await inLobby(10);
  it.socket.say({ ev: "typing", room: "lobby", users: ["bob", "eve"] });
  it.socket.say(message(11));
  assert.deepEqual(it.client.rooms.get("lobby").typing, ["eve"]);
});

test("receipts only rise", async () => {
  const it = await inLobby();
  it.socket.say({ ev: "receipts", room: "lobby", read: { bob: 9, eve: 10 } });
  it.socket.say({ ev: "receipts", room: "lobby", read: { bob: 7 } });
  assert.deepEqual([...it.client.rooms.get("lobby").receipts], [["bob", 9], ["eve", 10]]);
});

// --- Requests -----------------------------------------------------------------------------------------------------

test("a request waits out a short retry_after_ms and passes on a long one", async () => {
  const it = await inLobby();
  const page = it.client.history("lobby", { before: 5 });
  await it.socket.reply("history", { error: "busy", retry_after_ms: 1000 }, 5004, "busy");
  await it.clock.advance(1000);
  await it.socket.reply("history", { items: [item(4)] });
  assert.equal((await page).items.length, 1);
  const banned = assert.rejects(it.client.request("join", { room: "x" }), { code: 3005, retryAfterMs: 3_600_000 });
  await it.socket.reply("join", { error: "banned", retry_after_ms: 3_600_000 }, 3005, "banned");
  await banned;
});

test("an error that nobody waits for is told, and what is no JSON ends the line", async () => {
  const it = await inLobby();
  it.socket.say({ id: null, op: "ack", code: 3003, message: "not a member", data: { error: "not_member" } });
  assert.deepEqual(it.told(), ["problem 3003"]);
  it.socket.say("{");
  assert.equal(it.client.state.state, "waiting");
});

test("unknown events and rooms are passed over", async () => {
  const it = await inLobby(10);
  for (const ev of [{ ev: "news" }, { ev: "news", room: "lobby" }, { ...message(5), room: "elsewhere" }]) it.socket.say(ev);
  it.socket.say(message(11));
  assert.deepEqual(it.told(), ["lobby 11 m11"]);
});
