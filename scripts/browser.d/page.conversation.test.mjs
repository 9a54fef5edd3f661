import assert from "node:assert/strict";
import { test } from "node:test";
import { assertDense, comeBack, enter, holds, lines, lost, notes, opened, picture, say, server, shows, startAgain, stopServer } from "./page.mjs";
import { Member, Proxy, closeLater, until } from "./surroundings.mjs";

test("two pages and a TCP client see each line once and in the same order", async () => {
	const dark = { colorScheme: "dark" };
	const [ann, bob] = await Promise.all([enter("ann", "tea"), enter("bob", "tea", server.url, dark)]);
	const eve = await Member.connect(server.tcp, "eve");
	await eve.join("tea");
	const all = [];
	const tell = async (text, act) => {
		all.push(text);
		await act(text);
	};
	for (let round = 0; round < 8; round += 1) {
		await Promise.all([
			tell(`ann ${round}`, (text) => say(ann, text)),
			tell(`bob ${round}`, (text) => say(bob, text)),
			tell(`eve ${round}`, (text) => eve.say("tea", text)),
		]);
	}
	await Promise.all([ann, bob].map((page) => until("24 lines", async () => (await lines(page)).length >= 24)));
	await until("24 lines over TCP", () => eve.lines.get("tea").length >= 24);
	const shown = await lines(ann);
	assertDense(shown);
	assert.deepEqual(await lines(bob), shown);
	assert.deepEqual(eve.lines.get("tea"), shown);
	assert.deepEqual(shown.map((line) => line.replace(/^\d+ /, "")).sort(), all.sort());
	await picture(ann, "conversation-light");
	await picture(bob, "conversation-dark");
});

test("a connection cut in mid-conversation resumes without losing or doubling a line", async () => {
	const proxy = await Proxy.start(server.web);
	const fay = await enter("fay", "cut", proxy.url);
	const eve = await Member.connect(server.tcp, "eve");
	await eve.join("cut");
	await say(fay, "before");
	await until("the first line", async () => (await lines(fay)).length === 1);

	// The server stores this one, but its answer is lost: only the cid prevents a duplicate.
	proxy.deaf = true;
	await say(fay, "taken, not answered");
	await until("the server's word", () => eve.lines.get("cut")?.length === 2);
	proxy.closed = true;
	proxy.cut();
	proxy.deaf = false;
	await lost(fay);
	for (let line = 0; line < 5; line += 1) await eve.say("cut", `meanwhile ${line}`);
	await say(fay, "written offline 1");
	await say(fay, "written offline 2");
	const waiting = () => fay.locator("#messages > .waiting").count();
	await until("three lines that wait", async () => (await waiting()) === 3);
	await holds(fay, () => document.querySelector("#connection").textContent.startsWith("Connection lost. Reconnecting"));
	await picture(fay, "connection-lost");

	proxy.closed = false;
	await comeBack(fay);
	await until("all lines", async () => (await lines(fay)).length >= 9);
	await eve.say("cut", "after");
	await until("the last line", async () => (await lines(fay)).length >= 10);
	const shown = await lines(fay);
	assertDense(shown);
	await until("the same over TCP", () => eve.lines.get("cut").length >= 10);
	assert.deepEqual(shown, eve.lines.get("cut"));
	await until("nothing that waits", async () => (await waiting()) === 0);
});

test("many cuts at random moments lose and double nothing", async () => {
	const proxy = await Proxy.start(server.web);
	const gus = await enter("gus", "storm", proxy.url);
	const eve = await Member.connect(server.tcp, "eve");
	await eve.join("storm");
	for (let round = 0; round < 12; round += 1) {
		await say(gus, `gus ${round}`);
		await eve.say("storm", `eve ${round}`);
		if (round % 3 === 2) {
			proxy.cut();
			// The backoff is not under test here.
			await comeBack(gus);
		}
	}
	await until("all lines", async () => {
		await comeBack(gus);
		return (await lines(gus)).length >= 24;
	});
	await until("all lines over TCP", () => eve.lines.get("storm").length >= 24);
	const shown = await lines(gus);
	assertDense(shown);
	assert.deepEqual(shown, eve.lines.get("storm"));
	assert.deepEqual(
		shown.map((line) => line.replace(/^\d+ /, "")).filter((text) => text.startsWith("gus")),
		Array.from({ length: 12 }, (_, round) => `gus ${round}`),
	);
});

test("records pruned while offline become a notice in their place; a room on disk loses none", async () => {
	const proxy = await Proxy.start(server.web);
	const [hal, ida] = await Promise.all([enter("hal", "tmp/long", proxy.url), enter("ida", "long", proxy.url)]);
	const eve = await Member.connect(server.tcp, "eve");
	const zed = await Member.connect(server.tcp, "zed");
	await Promise.all([eve.join("tmp/long"), zed.join("long")]);
	await Promise.all([eve.say("tmp/long", "heard"), zed.say("long", "heard")]);
	await Promise.all([shows(hal, "heard"), shows(ida, "heard")]);
	proxy.closed = true;
	proxy.cut();
	await Promise.all([lost(hal), lost(ida)]);
	// More bytes than a room's recent ring holds.
	for (let line = 0; line < 24; line += 1) {
		const text = `${line} ${"x".repeat(4000)}`;
		await Promise.all([eve.say("tmp/long", text), zed.say("long", text)]);
	}
	proxy.closed = false;
	await Promise.all([comeBack(hal), comeBack(ida)]);
	await until("the line that says so", async () => (await notes(hal)).some((note) => /^Messages 2–\d+ are no longer stored\.$/.test(note)));
	await shows(hal, "23 xxx");
	const [gap] = await notes(hal);
	const last = Number(gap.match(/–(\d+)/)[1]);
	const shown = await lines(hal);
	assert.equal(Number.parseInt(shown[1], 10), last + 1);
	assertDense(shown.slice(1));
	await hal.locator("#messages > .note").scrollIntoViewIfNeeded();
	await picture(hal, "gap");
	await until("all that is on disk", async () => (await lines(ida)).length === 25);
	assert.deepEqual(await lines(ida), zed.lines.get("long"));
	assert.deepEqual(await notes(ida), []);
});

test("an unsent message survives a reload, and is sent once", async () => {
	const proxy = await Proxy.start(server.web);
	const max = await enter("max", "reload", proxy.url);
	const eve = await Member.connect(server.tcp, "eve");
	await eve.join("reload");
	proxy.deaf = true;
	await say(max, "only once");
	await until("the server's word", () => eve.lines.get("reload")?.length === 1);
	proxy.cut();
	proxy.deaf = false;
	await max.reload();
	await opened(max, "reload");
	await until("the line", async () => (await lines(max)).length === 1);
	await say(max, "and on");
	await shows(max, "and on");
	assert.deepEqual(await lines(max), ["1 only once", "2 and on"]);
});

test("a session that continues in another tab says so, and can be taken back", async () => {
	const first = await enter("pat", "tabs");
	const stored = await first.evaluate(() => sessionStorage.getItem("me"));
	const second = await first.context().newPage();
	closeLater(() => second.close());
	await second.addInitScript((me) => sessionStorage.setItem("me", me), stored);
	await second.goto(`${server.url}#room=tabs`);
	await opened(second, "tabs");
	await holds(first, () => document.querySelector("#connection").textContent.includes("This session continues in another tab."));
	await first.click("#connection-button");
	await opened(first, "tabs");
	await say(second, "from the second");
	await Promise.all([shows(first, "from the second"), shows(second, "from the second")]);
	await say(first, "from the first");
	await Promise.all([shows(first, "from the first"), shows(second, "from the first")]);
	assert.deepEqual(await lines(first), await lines(second));
	await first.click("#leave");
	await until("the room to go", async () => (await second.locator("#rooms a").count()) === 0);
});

for (const [how, signal, ended] of [["a crash", "SIGKILL", "SIGKILL"], ["a restart in good order", "SIGTERM", 0]]) {
	test(`after ${how} nothing is lost: the same lines, and unsent messages are sent once`, async () => {
		const room = `kept-${signal.toLowerCase()}`;
		const [ann, bob] = await Promise.all([enter("ann", room), enter("bob", room)]);
		for (let line = 0; line < 6; line += 1) await say(line % 2 ? bob : ann, `before ${line}`);
		await Promise.all([ann, bob].map((page) => until("six lines", async () => (await lines(page)).length === 6)));
		const before = await lines(ann);
		// In flight while the server ends: it may have been stored or not.
		await say(ann, "into the end");
		assert.equal(await stopServer(signal), ended);
		await Promise.all([lost(ann), lost(bob)]);
		await say(ann, "written while it was away");
		await say(bob, "so was this");
		await startAgain();
		await Promise.all([comeBack(ann), comeBack(bob)]);
		await Promise.all([ann, bob].map((page) => until("nine lines", async () => (await lines(page)).length >= 9)));
		await say(bob, "and on we go");
		await Promise.all([ann, bob].map((page) => shows(page, "and on we go")));
		const shown = await lines(ann);
		assertDense(shown);
		assert.deepEqual(await lines(bob), shown);
		assert.deepEqual(shown.slice(0, 6), before);
		const texts = shown.slice(6).map((line) => line.replace(/^\d+ /, ""));
		assert.deepEqual(texts.sort(), ["and on we go", "into the end", "so was this", "written while it was away"]);
		assert.deepEqual(await notes(ann), []);
		// A newcomer finds the same.
		const late = await enter("late", room);
		await until("the lines of before", async () => (await lines(late)).length === shown.length);
		assert.deepEqual(await lines(late), shown);
		await picture(ann, `kept-${signal.toLowerCase()}`);
	});
}

test("after a crash a room in memory says what is gone, and goes on", async () => {
	const [ann, bob] = await Promise.all([enter("ann", "tmp/tea"), enter("bob", "tmp/tea")]);
	await say(ann, "before the crash");
	await shows(bob, "before the crash");
	assert.equal(await stopServer("SIGKILL"), "SIGKILL");
	await Promise.all([lost(ann), lost(bob)]);
	await say(ann, "written while it was away");
	await startAgain();
	for (const page of [ann, bob]) {
		await comeBack(page);
		await until("the honest line", async () => (await notes(page)).includes("The server restarted. Messages above this line may no longer be stored."));
	}
	await until("the outbox", async () => (await lines(bob)).some((line) => line.endsWith("written while it was away")));
	await say(bob, "and on we go");
	await Promise.all([ann, bob].map((page) => shows(page, "and on we go")));
	const anew = (shown) => shown.slice(shown.findIndex((line) => line.endsWith("written while it was away")));
	assert.deepEqual(anew(await lines(ann)), anew(await lines(bob)));
	await picture(ann, "began-anew");
});

test("a server that stops says when to reconnect, and the page counts down", async () => {
	const ann = await enter("ann", "stopping");
	await say(ann, "before");
	await shows(ann, "before");
	// The wait begins before the stop, since the text is shown only briefly if the page is to reconnect soon.
	const told = holds(ann, () => /^The server is restarting\. Reconnecting (in 1 s|now)/.test(document.querySelector("#connection").textContent));
	assert.equal(await stopServer("SIGTERM"), 0);
	await told;
	await picture(ann, "restarting");
	await startAgain();
	await comeBack(ann);
	await say(ann, "after");
	await shows(ann, "after");
	assert.deepEqual(await lines(ann), ["1 before", "2 after"]);
	assert.deepEqual(await notes(ann), []);
});
