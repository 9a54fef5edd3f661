import assert from "node:assert/strict";
import { test } from "node:test";
import { bench, inLobby, message } from "./bench.mjs";
import { loadClient, settle } from "./fakes.mjs";

test("it offers the subprotocol, and its hello has the name and nothing to resume", async () => {
	const it = bench();
	it.client.start();
	assert.equal(it.socket.url, "ws://test/ws");
	assert.equal(it.socket.protocol, "chinwag.v1");
	const hello = await it.welcome();
	assert.equal(hello.name, "ann");
	assert.equal(hello.resume, undefined);
	assert.equal(it.client.state.state, "ready");
});

test("where there is no WebSocket, it says at once which one to pass", async () => {
	const { Client } = await loadClient();
	const own = globalThis.WebSocket;
	delete globalThis.WebSocket;
	try {
		const client = new Client("ws://test/ws");
		assert.throws(() => client.start(), /no WebSocket here: in Node 20 .* option WebSocket/);
		client.stop();
		await assert.rejects(client.login("ann", "a password"), /no WebSocket here/);
	} finally {
		if (own) globalThis.WebSocket = own;
	}
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

test("only 30 healthy seconds reset the backoff", async () => {
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

test("where a WebSocket has failed, none is opened before the server can be reached", async () => {
	let isThere = false;
	let asked = 0;
	const reachable = async () => {
		asked += 1;
		if (!isThere) throw new Error("nobody answers");
	};
	const it = bench({ random: () => 0.999999, reachable });
	it.client.start();
	it.socket.end(1006);
	await it.clock.advance(500);
	it.socket.end(1006);
	assert.deepEqual([it.sockets.length, asked], [2, 0]);
	await it.clock.advance(1000);
	assert.deepEqual([it.sockets.length, asked], [2, 1]);
	assert.deepEqual([it.client.state.state, it.client.state.close], ["waiting", 1006]);
	await it.clock.advance(60_000);
	assert.equal(it.sockets.length, 2);
	isThere = true;
	await it.clock.advance(20_000);
	assert.equal(it.sockets.length, 3);
	await it.welcome();
});

for (const [end, waits] of [["an answer that never comes", true], ["a stop meanwhile", false]]) {
	test(`${end} opens no WebSocket`, async () => {
		let answer;
		const it = bench({ random: () => 0.999999, reachable: () => new Promise((resolve) => { answer = resolve; }) });
		it.client.start();
		for (const wait of [500, 1000]) {
			it.socket.end(1006);
			await it.clock.advance(wait);
		}
		assert.ok(answer);
		if (waits) await it.clock.advance(15_000);
		else it.client.stop();
		assert.equal(it.client.state.state, waits ? "waiting" : "stopped");
		answer();
		await settle();
		assert.equal(it.sockets.length, 2);
	});
}

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

test("after a drain it reconnects at the announced time, with any close code", async () => {
	const it = await inLobby();
	it.socket.say({ ev: "drain", reconnect_after_ms: 7350, window_ms: 20_000, reason: "restart" });
	await it.clock.advance(350);
	it.socket.end(1006);
	assert.equal(it.client.state.retryAt - it.clock.now(), 7000);
	assert.ok(it.client.state.announced);
	it.client.wake();
	await it.clock.advance(6999);
	assert.equal(it.sockets.length, 1);
	await it.clock.advance(1);
	assert.equal(it.sockets.length, 2);
});

test("a refused hello stops it, unless the refusal has a retry_after_ms", async () => {
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

test("a quiet connection is pinged, and is dead after ping_ms + 10 s without a byte", async () => {
	const it = await inLobby();
	await it.clock.advance(25_000);
	assert.equal(it.socket.sent.filter((request) => request.op === "ping").length, 1);
	await it.clock.advance(9_999);
	assert.equal(it.client.state.state, "ready");
	await it.clock.advance(1);
	assert.equal(it.client.state.state, "waiting");
});

test("any byte keeps the connection alive", async () => {
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

test("after a machine's sleep a ping comes before the verdict that the connection is dead", async () => {
	const it = await inLobby();
	it.clock.sleep(3_600_000);
	await it.clock.advance(1);
	assert.equal(it.client.state.state, "ready");
	await it.socket.reply("ping");
	await it.clock.advance(10_000);
	assert.equal(it.client.state.state, "ready");
});

test("a connection without an answer to hello is abandoned", async () => {
	const it = bench();
	it.client.start();
	it.socket.accept();
	await it.clock.advance(15_000);
	assert.equal(it.client.state.state, "waiting");
});

test("start and wake end a wait; events of an abandoned socket are ignored", async () => {
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

test("stop leaves no timer and no pending request", async () => {
	const it = await inLobby();
	const asked = assert.rejects(it.client.history("lobby"), { slug: "offline" });
	await settle();
	it.client.read("lobby", 10);
	it.client.stop();
	await asked;
	assert.equal(it.clock.pending, 0);
	assert.equal(it.socket.closedWith, 1000);
});

test("each state is an event", async () => {
	const it = bench();
	const states = [];
	it.client.addEventListener("state", ({ detail }) => states.push(detail.state));
	it.client.addEventListener("welcome", ({ detail }) => states.push(`welcome ${detail.user}`));
	it.client.start();
	await it.welcome();
	it.socket.end(1006);
	it.client.stop();
	assert.deepEqual(states, ["connecting", "ready", "welcome ann", "waiting", "stopped"]);
	assert.equal(it.client.state.state, "stopped");
});

test("an earlier session is resumed, and a token replaces the name", async () => {
	const it = bench({ session: "s0", token: "jwt" });
	it.client.start();
	const hello = await it.welcome();
	assert.deepEqual(hello.resume, { session: "s0", rooms: {} });
	assert.deepEqual([hello.token, hello.name], ["jwt", undefined]);
});

test("a wait that was ended early does not connect a second time at its end", async () => {
	const it = bench();
	it.client.start();
	it.socket.end(1006);
	it.client.start();
	await it.welcome();
	await it.clock.advance(1000);
	assert.equal(it.sockets.length, 2);
	assert.equal(it.client.state.state, "ready");
});

test("a drain counts for one loss only", async () => {
	const it = await inLobby();
	it.socket.say({ ev: "drain", reconnect_after_ms: 5000 });
	it.socket.end(4201);
	await it.clock.advance(5000);
	it.socket.end(1006);
	assert.equal(it.client.state.announced, false);
	assert.ok(it.client.state.retryAt - it.clock.now() <= 500);
});

test("the backoff grows while nobody answers, even after a healthy connection", async () => {
	const it = bench({ random: () => 0.999999 });
	it.client.start();
	await it.welcome();
	it.clock.sleep(60_000);
	const waits = [];
	for (let attempt = 0; attempt < 4; attempt += 1) {
		it.socket.end(1006);
		waits.push(Math.round(it.client.state.retryAt - it.clock.now()));
		await it.clock.advance(waits.at(-1));
	}
	assert.deepEqual(waits, [500, 1000, 2000, 4000]);
});

test("a dead connection is closed, and its later events are ignored", async () => {
	const it = await inLobby();
	await it.clock.advance(35_000);
	const { socket } = it;
	assert.equal(socket.closedWith, 1000);
	const { state } = it.client;
	socket.end(4010);
	assert.equal(it.client.state, state);
});

test("a refused connection is closed", async () => {
	const it = bench();
	it.client.start();
	it.socket.accept();
	await it.socket.reply("hello", { error: "unauthorized" }, 2001, "no token");
	assert.equal(it.socket.closedWith, 1000);
});

test("waking pings a quiet connection at once", async () => {
	const it = await inLobby();
	it.client.wake();
	it.client.wake();
	assert.equal(it.socket.sent.filter((request) => request.op === "ping").length, 1);
});

test("what a client will say first is known to the one before it", async () => {
	for (const options of [{}, { token: "cwt_1" }, { session: "s0" }]) {
		const it = bench(options);
		it.client.start();
		await it.welcome({ user: "ann", session: "s1" });
		const first = it.client.firstWords;
		const next = bench({ ...options, name: "ann", session: "s1" });
		const texts = [];
		next.client.start();
		const { send } = next.socket;
		next.socket.send = function (text) {
			texts.push(text);
			send.call(this, text);
		};
		next.socket.accept();
		await settle();
		assert.deepEqual(texts, [first]);
	}
});
