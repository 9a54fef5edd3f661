import assert from "node:assert/strict";
import { test } from "node:test";
import { LIMITS, bench, inLobby, item, message } from "./bench.mjs";
import { settle } from "./fakes.mjs";

test("the inbox brings rooms and unread counts, and nothing is counted twice", async () => {
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
	assert.equal(room.unread, 1);
	it.socket.say({ ...message(12), room: "tea" });
	it.client.read("tea", 12);
	assert.equal(room.unread, 0);
});

test("unread goes down as one reads here or elsewhere, and what only the server can count is asked", async () => {
	const it = await inLobby(10);
	const room = it.client.rooms.get("lobby");
	for (let seq = 11; seq <= 15; seq += 1) it.socket.say(message(seq));
	assert.equal(room.unread, 5);
	it.socket.say({ ev: "deletion", room: "lobby", seq: 16, from: "bob", at: 16, target: 12 });
	assert.equal(room.unread, 4);
	it.client.read("lobby", 13);
	assert.equal(room.unread, 2);
	// On another device of ours: that is known already, and is not told again.
	it.socket.say({ ev: "receipts", room: "lobby", read: { ann: 14 }, own: true });
	assert.deepEqual([room.read, room.unread], [14, 1]);
	it.socket.say({ ev: "receipts", room: "lobby", read: { ann: 12 }, own: true });
	assert.deepEqual([room.read, room.unread], [14, 1]);
	await it.clock.advance(300);
	assert.equal(it.socket.sent.some((request) => request.op === "rooms"), false);
	// A part of what the server has counted was read: it counts again, once it knows that.
	const row = (read, unread) => ({ rooms: [{ room: "lobby", epoch: "e1", seq: 20, read, unread }], rev: 3 });
	const synced = it.client.sync();
	await it.socket.reply("rooms", row(14, 6));
	await synced;
	assert.equal(room.unread, 6);
	it.client.read("lobby", 16);
	assert.equal(room.unread, 4);
	await it.clock.advance(300);
	const ack = it.socket.sent.findLast((request) => request.op === "ack");
	assert.equal(ack.read, 16);
	it.socket.sent.length = 0;
	it.socket.say({ id: ack.id, code: 0, data: { room: "lobby", recv: 16, read: 16 } });
	await it.clock.advance(100);
	await it.socket.reply("rooms", row(16, 3));
	assert.equal(room.unread, 3);
});

test("a room that is gone from the inbox is left, and one that was joined meanwhile is not", async () => {
	const it = await inLobby(10);
	let synced = it.client.sync();
	await it.socket.reply("rooms", { rooms: [], rev: 2, full: true });
	await synced;
	assert.deepEqual(it.told(), ["lobby left left"]);
	synced = it.client.sync();
	const joining = it.client.join("tea");
	await it.socket.reply("join", { room: "tea", epoch: "t1", seq: 0 });
	await joining;
	await it.socket.reply("rooms", { rooms: [], rev: 3, full: true });
	await synced;
	assert.deepEqual(it.told(), []);
	synced = it.client.sync();
	assert.equal((await it.socket.reply("rooms", { rooms: [], rev: 4, gone: ["tea", "other"] })).since, 3);
	await synced;
	assert.deepEqual(it.told(), ["tea left left"]);
});

test("others' marks come with a join and a resume", async () => {
	const it = await inLobby(10);
	const joining = it.client.join("tea");
	await it.socket.reply("join", { room: "tea", epoch: "t1", seq: 5, marks: { bob: 4 } });
	await joining;
	assert.deepEqual([...it.client.rooms.get("tea").receipts], [["bob", 4]]);
	it.socket.end(1006);
	await it.clock.advance(500);
	await it.welcome({ resumed: true, rooms: { lobby: { from: 11, to: 10, marks: { eve: 9 } }, tea: { from: 6, to: 5, marks: { bob: 5 } } } });
	assert.deepEqual([...it.client.rooms.get("lobby").receipts], [["eve", 9]]);
	assert.deepEqual([...it.client.rooms.get("tea").receipts], [["bob", 5]]);
});

test("open invitations are told as often as the server tells them", async () => {
	const it = bench();
	const told = [];
	it.client.addEventListener("invitations", ({ detail }) => told.push(detail.invitations.map(({ room, by }) => `${room} ${by}`).join()));
	it.client.addEventListener("invited", ({ detail }) => told.push(`news ${detail.room} ${detail.from} ${detail.reason}`));
	it.client.start();
	it.socket.accept();
	const den = { room: "den", by: "eve", at: 1 };
	await it.socket.reply("hello", { user: "ann", session: "s1", limits: LIMITS, invitations: [den] });
	await it.socket.reply("rooms", { rooms: [], invitations: [den, { ...den, room: "inn" }], rev: 7 });
	it.socket.say({ ev: "invited", room: "bar", from: "kit", reason: "tea" });
	const synced = it.client.sync();
	await it.socket.reply("rooms", { rooms: [], rev: 8 });
	await synced;
	const again = it.client.sync();
	await it.socket.reply("rooms", { rooms: [], invitations: [], rev: 9 });
	await again;
	assert.deepEqual(told, ["den eve", "den eve,inn eve", "news bar kit tea", ""]);
});

test("invitations of which the welcome has a part are told when all are known", async () => {
	const it = bench();
	const told = [];
	it.client.addEventListener("invitations", ({ detail }) => told.push(detail.invitations.length));
	it.client.start();
	it.socket.accept();
	const open = ["den", "inn"].map((room) => ({ room, by: "eve", at: 1 }));
	await it.socket.reply("hello", { user: "ann", session: "s1", limits: LIMITS, invitations: open.slice(1), more_invitations: true });
	await it.socket.reply("rooms", { rooms: [], invitations: open, rev: 7 });
	assert.deepEqual(told, [2]);
});

test("how far others have read is known from the join and the return on", async () => {
	const it = bench();
	it.client.start();
	it.socket.accept();
	await it.socket.reply("hello", { user: "ann", session: "s1", limits: LIMITS });
	const joined = it.client.join("tea");
	await it.socket.reply("join", { room: "tea", epoch: "t1", seq: 9, marks: { bob: 7, eve: 9 } });
	const { receipts } = await joined;
	assert.deepEqual([...receipts], [["bob", 7], ["eve", 9]]);
	it.socket.end(1006);
	await it.clock.advance(500);
	await it.welcome({ resumed: true, rooms: { tea: { from: 10, to: 9, marks: { bob: 9, eve: 9 } } } });
	assert.deepEqual([...receipts], [["bob", 9], ["eve", 9]]);
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

test("presence deltas are merged by version, and after a missed one the whole is requested", async () => {
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

test("a message ends the typing of its author", async () => {
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

test("a short retry_after_ms is waited for, a long one rejects", async () => {
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

test("a refusal without a request is an event, and malformed JSON ends the connection", async () => {
	const it = await inLobby();
	it.socket.say({ id: null, op: "ack", code: 3003, message: "not a member", data: { error: "not_member" } });
	assert.deepEqual(it.told(), ["problem 3003"]);
	it.socket.say("{");
	assert.equal(it.client.state.state, "waiting");
});

test("unknown events and rooms are ignored", async () => {
	const it = await inLobby(10);
	for (const ev of [{ ev: "news" }, { ev: "news", room: "lobby" }, { ...message(5), room: "elsewhere" }]) it.socket.say(ev);
	it.socket.say(message(11));
	assert.deepEqual(it.told(), ["lobby 11 m11"]);
});

test("each change in a room is an event", async () => {
	const it = await inLobby(10);
	let told = 0;
	it.client.addEventListener("room", () => (told += 1));
	it.client.addEventListener("live", () => (told += 1));
	const tells = async (act) => {
		told = 0;
		await act();
		assert.ok(told > 0, String(act));
	};
	it.client.watch("lobby");
	await tells(() => it.socket.reply("presence", { v: 1, count: 1, users: [["ann", "online"]] }));
	await tells(() => it.socket.say({ ev: "presence", room: "lobby", v: 2, on: ["bob"], away: [], off: [], count: 2 }));
	await tells(() => it.socket.say({ ev: "typing", room: "lobby", users: ["bob"] }));
	await tells(() => it.socket.say({ ev: "receipts", room: "lobby", read: { bob: 9 } }));
	await tells(() => it.socket.say({ ev: "live", room: "lobby", seq: 10 }));
	await tells(() => it.client.read("lobby", 10));
	await tells(() => it.client.open("eve"));
	await tells(async () => {
		it.client.sync();
		await it.socket.reply("rooms", { rooms: [{ room: "lobby", epoch: "e1", seq: 10, read: 10, unread: 0 }], rev: 2 });
	});
});

test("acks are gathered, and each later one is sent too", async () => {
	const it = await inLobby(10);
	const acks = () => it.socket.sent.filter((request) => request.op === "ack").map((request) => request.read);
	it.client.read("lobby", 8);
	it.client.read("lobby", 9);
	await it.clock.advance(300);
	assert.deepEqual(acks(), [9]);
	it.client.read("lobby", 10);
	await it.clock.advance(300);
	assert.deepEqual(acks(), [9, 10]);
	it.socket.say({ ev: "live", room: "lobby", seq: 10 });
	await it.clock.advance(300);
	assert.deepEqual(acks(), [9, 10]);
});

test("an inbox with an older read position is corrected; one of another epoch is ignored", async () => {
	const it = await inLobby(10);
	const inbox = async (row) => {
		const synced = it.client.sync();
		await it.socket.reply("rooms", { rooms: [{ room: "lobby", epoch: "e1", seq: 10, ...row }], rev: 2 });
		await synced;
		await it.clock.advance(300);
	};
	it.client.read("lobby", 10);
	await it.clock.advance(300);
	it.socket.sent.length = 0;
	await inbox({ epoch: "e0", read: 50, unread: 9 });
	assert.equal(it.client.rooms.get("lobby").read, 10);
	await inbox({ read: 4, unread: 6 });
	assert.deepEqual(it.socket.sent.map(({ op, read }) => [op, read]), [["ack", 10]]);
	assert.equal(it.client.rooms.get("lobby").unread, 0);
});

test("who asks for the inbox at a welcome gets the one that is asked for then, and later another one", async () => {
	const it = bench();
	const rooms = () => it.socket.sent.filter(({ op }) => op === "rooms").length;
	let asked;
	it.client.addEventListener("welcome", () => (asked = it.client.sync()));
	it.client.start();
	it.socket.accept();
	await it.socket.reply("hello", { user: "ann", session: "s1", limits: LIMITS });
	assert.equal(rooms(), 1);
	it.client.sync();
	assert.equal(rooms(), 2, "what has changed since is not in the first");
	await it.socket.reply("rooms", { rooms: [], rev: 1 });
	await asked;
});

test("after a restart the whole inbox is requested", async () => {
	const it = await inLobby(10);
	it.socket.end(1006);
	await it.clock.advance(500);
	it.socket.accept();
	await it.socket.reply("hello", { user: "ann", session: "s2", resumed: false, limits: LIMITS });
	assert.equal((await it.socket.reply("rooms", { rooms: [], rev: 1 })).since, undefined);
});

test("presence is requested once at a time, again after each resume, and only in a joined room", async () => {
	const it = await inLobby(10);
	const asked = () => it.socket.sent.filter((request) => request.op === "presence").length;
	it.client.watch("lobby");
	it.client.watch("lobby");
	await settle();
	assert.equal(asked(), 1);
	await it.socket.reply("presence", { v: 4, count: 1, users: [["ann", "online"]] });
	it.socket.say({ ev: "presence", room: "lobby", v: 6, count: 1 });
	it.socket.say({ ev: "presence", room: "lobby", v: 7, count: 1 });
	await settle();
	assert.equal(asked(), 1);
	it.socket.end(1006);
	await it.clock.advance(500);
	await it.welcome({ resumed: true, rooms: { lobby: { from: 11, to: 10 } } });
	assert.equal(asked(), 1);
	it.client.watch(it.client.open("bob").name);
	await settle();
	assert.equal(asked(), 1);
	it.socket.say({ ev: "joined", room: "@ann:bob", epoch: "d1", seq: 0 });
	await settle();
	assert.equal(asked(), 2);
});

test("a whole presence replaces a delta", async () => {
	const it = await inLobby(10);
	it.socket.say({ ev: "presence", room: "lobby", v: 5, count: 1 });
	assert.equal(it.client.rooms.get("lobby").presence, null);
	it.socket.say({ ev: "presence", room: "lobby", v: 9, count: 1, users: [["bob", "away"]] });
	assert.deepEqual([...it.client.rooms.get("lobby").presence.users], [["bob", "away"]]);
});

test("a status is sent, and after a message typing is sent at once again", async () => {
	const it = await inLobby(10);
	it.client.status("away");
	it.client.typing("lobby");
	it.client.send("lobby", "done");
	it.client.typing("lobby");
	assert.deepEqual(it.socket.sent.map(({ op }) => op), ["status", "typing", "send", "typing"]);
});

test("whom we have blocked is listed when it is asked for, and as it changes", async () => {
	const it = await inLobby(10);
	const told = [];
	it.client.addEventListener("blocked", ({ detail }) => told.push([...detail.users]));
	const listed = it.client.listBlocked();
	await it.socket.reply("blocked", { users: [{ user: "eve", at: 1 }] });
	await listed;
	const blocked = it.client.block("bob");
	await it.socket.reply("block", {});
	await blocked;
	const ended = it.client.unblock("eve");
	await it.socket.reply("unblock", {});
	await ended;
	assert.deepEqual(told, [["eve"], ["eve", "bob"], ["bob"]]);
});

test("what somebody says of themselves goes as they are blocked", async () => {
	const it = await inLobby(10);
	it.socket.say({ ev: "profiles", room: "lobby", profiles: { bob: { display: "Bob S" }, eve: { text: "tea" } } });
	const told = [];
	it.client.addEventListener("profiles", ({ detail }) => told.push(detail.users));
	const done = it.client.block("bob");
	await it.socket.reply("block", {});
	await done;
	assert.deepEqual([...it.client.profiles.keys()], ["eve"]);
	assert.deepEqual(told, [["bob"]]);
});

test("what people say of themselves is kept as it was asked for and as it is told", async () => {
	const it = await inLobby(10);
	const told = [];
	it.client.addEventListener("profiles", ({ detail }) => told.push(detail.users));
	const own = it.client.profile({ display: "Ann S", for_ms: 5, text: "tea" });
	assert.deepEqual({ ...it.socket.sent.at(-1), id: 0 }, { op: "profile", id: 0, display: "Ann S", for_ms: 5, text: "tea" });
	await it.socket.reply("profile", { profiles: { [it.client.user]: { display: "Ann S", text: "tea", until: 9 } } });
	assert.equal((await own).until, 9);
	const asked = it.client.whois(["bob", "eve"]);
	await it.socket.reply("whois", { profiles: { bob: { text: "away" } } });
	assert.deepEqual(await asked, { bob: { text: "away" } });
	it.socket.say({ ev: "profiles", room: "lobby", profiles: { bob: {} } });
	assert.deepEqual(it.client.profiles.get("bob"), {});
	assert.equal(it.client.profiles.has("eve"), false);
	assert.deepEqual(told, [[it.client.user], ["bob"], ["bob"]]);
});
