// Accounts, their tokens, and what becomes of a client whose token is no longer good.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ChinwagError, bench } from "./bench.mjs";
import { settle } from "./fakes.mjs";

const TOKEN = `cwl_${"x".repeat(43)}`;

/** A client that is in by its token. */
async function signedIn(options = {}) {
	const it = bench({ name: undefined, token: TOKEN, ...options });
	it.client.start();
	await it.welcome();
	return it;
}

for (const [op, act, expected] of [
	["login", (client) => client.login("ann", "correct horse"), { name: "ann", password: "correct horse", agent: "client.js" }],
	["register", (client) => client.register("ann", "correct horse"), { name: "ann", password: "correct horse", agent: "client.js" }],
	["register", (client) => client.register("ann", "correct horse", { invite: "cwi_1" }), { name: "ann", password: "correct horse", agent: "client.js", invite: "cwi_1" }],
]) {
	test(`${op} comes before hello, and its token is that of each hello: ${Object.keys(expected)}`, async () => {
		const it = bench({ name: undefined });
		const done = act(it.client);
		it.socket.accept();
		const { id: _, op: asked, ...fields } = await it.socket.reply(op, { user: "ann", token: TOKEN });
		assert.equal(asked, op);
		assert.deepEqual(fields, expected);
		assert.deepEqual(await done, { user: "ann", token: TOKEN });
		assert.equal(it.sockets[0].closedWith, 1000);
		const hello = await it.welcome();
		assert.deepEqual([hello.token, hello.name, hello.password], [TOKEN, undefined, undefined]);
		it.socket.end(1006);
		await it.clock.advance(1000);
		assert.equal((await it.welcome()).token, TOKEN);
	});
}

test("a wrong password is told to who has asked, and nothing goes on", async () => {
	const it = bench({ name: undefined });
	const done = it.client.login("ann", "wrong horse");
	it.socket.accept();
	await it.socket.reply("login", { error: "unauthorized" }, 2001, "wrong name or password");
	await assert.rejects(done, (error) => error instanceof ChinwagError && error.code === 2001 && error.op === "login");
	assert.equal(it.client.state.state, "stopped");
	assert.equal(it.clock.pending, 0);
	assert.equal(it.sockets.length, 1);
	assert.doesNotMatch(JSON.stringify(await done.catch((error) => [error.message, error.data])), /horse/);
});

test("too many tries are told with the time to wait, and are not repeated", async () => {
	const it = bench({ name: undefined });
	const done = it.client.login("ann", "wrong horse");
	it.socket.accept();
	await it.socket.reply("login", { error: "rate_limited", retry_after_ms: 2000 }, 5001, "too many tries");
	await assert.rejects(done, { code: 5001, retryAfterMs: 2000 });
	await it.clock.advance(60_000);
	assert.equal(it.sockets.length, 1);
});

for (const [what, happens] of [
	["is lost", (it) => it.socket.end(1006)],
	["never opens", (it) => it.clock.advance(15_000)],
	["is silent", (it) => (it.socket.accept(), it.clock.advance(15_000))],
]) {
	test(`login is offline if the connection ${what}`, async () => {
		const it = bench({ name: undefined });
		const done = assert.rejects(it.client.login("ann", "correct horse"), { slug: "offline" });
		await happens(it);
		await done;
		assert.equal(it.clock.pending, 0);
	});
}

test("how people come in is asked before hello", async () => {
	const it = bench();
	const asked = it.client.offers();
	it.socket.accept();
	await it.socket.reply("help", { auth: ["accounts", "guests"], registration: "invite", ops: [] });
	assert.deepEqual(await asked, { auth: ["accounts", "guests"], registration: "invite" });
	const older = it.client.offers();
	it.socket.accept();
	await it.socket.reply("help", { error: "hello_first" }, 1004, "say hello first");
	assert.deepEqual(await older, { auth: ["none"], registration: "closed" });
	const lost = it.client.offers();
	it.socket.end(1006);
	await assert.rejects(lost, { slug: "offline" });
});

for (const [what, end, token] of [
	["a refused hello 2001", (it) => it.socket.reply("hello", { error: "unauthorized" }, 2001, "no longer good"), "refused"],
	["a refused hello 2002", (it) => it.socket.reply("hello", { error: "token_expired" }, 2002, "expired"), "expired"],
	["a refused hello 2003", (it) => it.socket.reply("hello", { error: "token_not_for_us" }, 2003, "not for us"), "refused"],
	["a refused hello 2004", (it) => it.socket.reply("hello", { error: "suspended" }, 2004, "suspended"), undefined],
	["close code 4000", (it) => it.socket.end(4000), "refused"],
	["close code 4006", (it) => it.socket.end(4006), "ended"],
	["close code 1008", (it) => it.socket.end(1008), "expired"],
	["close code 4010", (it) => it.socket.end(4010), undefined],
]) {
	test(`${what} ends the reconnecting, with what became of the token`, async () => {
		const it = bench({ name: undefined, token: TOKEN });
		it.client.start();
		it.socket.accept();
		await settle();
		await end(it);
		assert.equal(it.client.state.state, "stopped");
		assert.equal(it.client.state.token, token);
		await it.clock.advance(120_000);
		assert.equal(it.sockets.length, 1);
	});
}

test("without a token nothing is said of one", async () => {
	const it = bench();
	it.client.start();
	it.socket.accept();
	await it.socket.reply("hello", { error: "unauthorized" }, 2001, "say who you are");
	assert.equal(it.client.state.token, undefined);
});

test("a token may be fetched for each connection", async () => {
	let count = 0;
	const it = await signedIn({ token: async () => `jwt-${(count += 1)}` });
	it.socket.end(1006);
	await it.clock.advance(1000);
	it.socket.accept();
	const hello = await it.socket.reply("hello", { user: "ann", session: "s1", resumed: true });
	assert.equal(hello.token, "jwt-2");
});

test("a token that cannot be fetched is fetched again later", async () => {
	let count = 0;
	const it = bench({ token: () => ((count += 1) === 1 ? Promise.reject(new Error("no network")) : "jwt") });
	it.client.start();
	it.socket.accept();
	await settle();
	assert.equal(it.client.state.state, "waiting");
	await it.clock.advance(1000);
	assert.equal((await it.welcome()).token, "jwt");
});

test("before the token of a living connection ends another one is fetched and brought", async () => {
	let count = 0;
	const it = await signedIn({ token: async () => `jwt-${(count += 1)}` });
	const told = [];
	it.client.addEventListener("expires", ({ detail }) => told.push(detail));
	it.socket.say({ ev: "expires", in_ms: 60_000 });
	await settle();
	const refresh = await it.socket.reply("refresh", {});
	assert.equal(refresh.token, "jwt-2");
	assert.deepEqual(told, [{ in_ms: 60_000 }]);
	assert.equal(it.sockets.length, 1);
});

test("a token that cannot be fetched in time is fetched again, and then no more", async () => {
	let count = 0;
	const it = await signedIn({ token: async () => ((count += 1) === 1 ? "jwt-1" : Promise.reject(new Error("no network"))) });
	it.socket.say({ ev: "expires", in_ms: 20_000 });
	await settle();
	for (let quarter = 0; quarter < 8; quarter += 1) {
		await it.clock.advance(5_000);
		await settle();
	}
	assert.equal(count, 5, "once at the start, then every quarter of the time that is left");
});

test("a token of the application's own is told to end, and nobody is asked for another one", async () => {
	const it = await signedIn();
	const told = [];
	it.client.addEventListener("expires", ({ detail }) => told.push(detail));
	it.socket.say({ ev: "expires", in_ms: 60_000 });
	await settle();
	assert.deepEqual(told, [{ in_ms: 60_000 }]);
	assert.ok(!it.socket.sent.some(({ op }) => op === "refresh"));
});

test("a token that comes after its connection has ended is not sent", async () => {
	let give;
	const it = bench({ token: () => new Promise((resolve) => (give = resolve)) });
	it.client.start();
	it.socket.accept();
	await settle();
	it.client.stop();
	give("jwt");
	await settle();
	assert.deepEqual(it.socket.sent, []);
	assert.equal(it.client.state.state, "stopped");
});

test("the account's requests have their fields", async () => {
	const it = await signedIn();
	const ask = async (asking, op, data) => {
		const { id: _, op: __, ...fields } = await it.socket.reply(op, data);
		return [fields, await asking];
	};
	const logins = [{ id: "l1", agent: "chinwag-page", at: 1, used: 2, current: true }];
	assert.deepEqual(await ask(it.client.password("old horse", "new horse"), "password"), [{ old: "old horse", new: "new horse" }, undefined]);
	assert.deepEqual(await ask(it.client.logins(), "logins", { logins }), [{}, logins]);
	assert.deepEqual(await ask(it.client.endLogin("others"), "end_login"), [{ login: "others" }, undefined]);
	const link = { invite: "cwi_1", path: "/#invite=cwi_1", uses: 2, until: 9 };
	assert.deepEqual(await ask(it.client.inviteLink({ uses: 2, for_ms: 1000, rooms: ["tea"] }), "invite_link", link), [{ uses: 2, for_ms: 1000, rooms: ["tea"] }, link]);
	assert.deepEqual((await ask(it.client.accept("cwi_1"), "accept", { rooms: ["tea"] }))[1], { rooms: ["tea"] });
	await ask(it.client.refresh("cwl_2"), "refresh");
	it.socket.end(1006);
	await it.clock.advance(1000);
	assert.equal((await it.welcome()).token, "cwl_2");
});

test("a password that may not be tried now is not tried again by itself", async () => {
	const it = await signedIn();
	const changing = assert.rejects(it.client.password("a", "b"), { code: 5001 });
	await it.socket.reply("password", { error: "rate_limited", retry_after_ms: 10 }, 5001, "too many tries");
	await changing;
	await it.clock.advance(1000);
	assert.equal(it.socket.sent.filter(({ op }) => op === "password").length, 0);
});

test("logout ends the own login alone, whether the answer or the close comes first", async () => {
	for (const answer of [(it) => it.socket.reply("end_login"), (it) => it.socket.end(4006)]) {
		const it = await signedIn();
		const { socket } = it;
		const done = it.client.logout();
		await it.socket.reply("logins", { logins: [{ id: "l0", current: false }, { id: "l1", current: true }] });
		await settle();
		assert.equal(it.socket.sent.find(({ op }) => op === "end_login").login, "l1");
		await answer(it);
		await done;
		assert.equal(it.client.state.state, "stopped");
		assert.equal(socket.closedWith, 1000);
		await it.clock.advance(60_000);
		assert.equal(it.sockets.length, 1);
	}
	const it = await signedIn();
	it.socket.end(1006);
	await assert.rejects(it.client.logout(), { slug: "offline" });
	assert.equal(it.client.state.state, "stopped");
});
