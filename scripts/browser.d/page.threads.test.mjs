import assert from "node:assert/strict";
import { test } from "node:test";
import { PAYLOADS } from "./hostile.mjs";
import { assertAccessible, comeBack, enter, holds, lost, opened, picture, say, server, shows, visit } from "./page.mjs";
import { Member, Proxy, until } from "./surroundings.mjs";

const PHONE = { viewport: { width: 320, height: 640 }, hasTouch: true, isMobile: true };
const inThread = (page, text) => holds(page, (wanted) => [...document.querySelectorAll("#thread-messages > .msg:not(.waiting) .text")].some((node) => node.textContent === wanted), text);
const texts = (page) => page.$$eval("#thread-messages > .msg .text", (nodes) => nodes.map(({ textContent }) => textContent));
const entry = (page, text) => page.locator("#messages > .msg", { hasText: text }).first();

/** Opens the thread of a message by its menu. */
async function openThread(page, text) {
	await entry(page, text).hover();
	await page.getByRole("button", { name: "Thread", exact: true }).click();
	await page.locator("#thread:not([hidden])").waitFor();
}

async function sayInThread(page, text) {
	await page.fill("#thread-text", text);
	await page.press("#thread-text", "Enter");
	await inThread(page, text);
}

test("a thread opens beside the log, is followed by who writes in it, and counts for itself", async () => {
	const [ann, bob] = await Promise.all([enter("ann", "threads"), enter("bob", "threads")]);
	await say(ann, "who brings the cake?");
	await say(ann, "and who the tea?");
	await shows(bob, "and who the tea?");
	await openThread(bob, "who brings the cake?");
	await inThread(bob, "who brings the cake?");
	await holds(bob, () => document.querySelector("#thread-title").textContent === "Thread of \u2068ann\u2069");
	assert.equal(await bob.textContent("#thread-follow"), "Follow");
	await sayInThread(bob, "I do");
	await holds(bob, () => document.querySelector("#thread-follow").textContent === "Unfollow");
	// In the log it stands as well, and says where it belongs.
	await shows(bob, "I do");
	assert.equal(await bob.textContent("#messages .quoted"), "↳ \u2068ann\u2069who brings the cake?");
	assert.equal(await bob.textContent("#messages .answers"), "1 message in the thread");
	await assertAccessible(bob, "a thread");
	await picture(bob, "thread");

	// Whoever has begun it is told by the list, and not by the room.
	await holds(ann, () => document.querySelector("#threads li .badge")?.textContent === "1 new");
	await say(ann, "/join elsewhere");
	await opened(ann, "elsewhere");
	await sayInThread(bob, "with cherries");
	await holds(ann, () => document.querySelector("#threads li .badge")?.textContent === "2 new");
	await until("two in the title", async () => (await ann.title()).startsWith("(2) "));
	assert.equal(await ann.locator("#rooms a", { hasText: "threads" }).locator(".badge").textContent(), "");
	await picture(ann, "threads-list");
	await ann.locator("#threads button", { hasText: "who brings" }).click();
	await opened(ann, "threads");
	await inThread(ann, "with cherries");
	await holds(ann, () => document.querySelector("#threads li .badge")?.textContent === "");
	await until("no count in the title", async () => !(await ann.title()).startsWith("("));
	assert.deepEqual(await texts(ann), ["who brings the cake?", "I do", "with cherries"]);

	// All is read by one button, threads included.
	await ann.click("#thread-close");
	await sayInThread(bob, "and cream");
	await holds(ann, () => document.querySelector("#threads li .badge")?.textContent === "1 new");
	await ann.click("#read-all");
	await holds(ann, () => document.querySelector("#threads li .badge")?.textContent === "");
	await ann.locator("#threads button").click();
	await inThread(ann, "and cream");

	// What is done to its messages is done here, too.
	await say(ann, "x");
	await bob.locator("#thread-messages > .msg", { hasText: "I do" }).hover();
	await bob.locator("#thread").getByRole("button", { name: "Like" }).click();
	await holds(ann, () => document.querySelector("#thread-messages .reaction")?.textContent === "👍 1");
	assert.equal(await bob.locator("#thread .actions").getByRole("button", { name: "Thread", exact: true }).count(), 0);
	await bob.locator("#thread").getByRole("button", { name: "Delete" }).click();
	await bob.locator("#thread").getByRole("button", { name: "Delete for everyone?" }).click();
	await holds(ann, () => [...document.querySelectorAll("#thread-messages .text")].some((node) => node.textContent === "Message deleted"));

	// A reload keeps what is read, and who follows.
	await bob.click("#thread-close");
	assert.equal(await bob.locator("#thread").isHidden(), true);
	await sayInThread(ann, "one more");
	await holds(bob, () => document.querySelector("#threads li .badge")?.textContent === "1 new");
	await bob.reload();
	await opened(bob, "threads");
	await holds(bob, () => document.querySelector("#threads li .badge")?.textContent === "1 new");

	// Who follows it no more is not counted.
	await bob.locator("#threads button").click();
	await inThread(bob, "one more");
	await bob.click("#thread-follow");
	await holds(bob, () => document.querySelector("#thread-follow").textContent === "Follow");
	await bob.click("#thread-close");
	await sayInThread(ann, "the last");
	await shows(bob, "the last");
	assert.equal(await bob.locator("#threads li").count(), 0);
	assert.equal(await bob.locator("#threads-title").isHidden(), true);
});

test("who is answered is told, though the part for threads was loaded after they had spoken", async () => {
	// With options that no other test has: a worker would have the part from an earlier visit.
	const ann = await visit(server.url, { locale: "en-IE" });
	let release;
	const held = new Promise((resolve) => (release = resolve));
	await ann.route("**/thread-view.js", async (route) => {
		await held;
		await route.continue();
	});
	await ann.goto(`${server.url}#room=answered-soon`);
	await ann.fill("#name", "ann");
	await ann.click("#sign-in .primary");
	await opened(ann, "answered-soon");
	await say(ann, "who is first?");
	await shows(ann, "who is first?");
	assert.equal(await ann.locator("#threads-title").count(), 0, "it is not there yet");
	release();
	await ann.locator("#threads-title").waitFor({ state: "attached" });
	const bob = await enter("bob", "answered-soon");
	await openThread(bob, "who is first?");
	await sayInThread(bob, "I am");
	await holds(ann, () => document.querySelector("#threads li .badge")?.textContent === "1 new");
	await ann.unroute("**/thread-view.js");
});

test("a thread is in reach of the keyboard alone", async () => {
	const ann = await enter("ann", "keys");
	await say(ann, "first");
	await shows(ann, "first");
	await entry(ann, "first").focus();
	await ann.keyboard.press("t");
	await holds(ann, () => document.activeElement.id === "thread-title");
	const seen = [];
	while (seen.at(-1) !== "thread-text" && seen.length < 12) {
		await ann.keyboard.press("Tab");
		seen.push(await ann.evaluate(() => document.activeElement.id || document.activeElement.localName));
	}
	assert.equal(seen.at(-1), "thread-text", `${seen}`);
	await ann.keyboard.type("second");
	await ann.keyboard.press("Enter");
	await inThread(ann, "second");
	// An answer within it, given up, and given.
	await ann.locator("#thread-messages > .msg").first().focus();
	await ann.keyboard.press("r");
	await holds(ann, () => /^Answering .ann.: first/.test(document.querySelector("#thread-hint").textContent));
	await ann.keyboard.press("Escape");
	assert.equal(await ann.locator("#thread-hint").isHidden(), true);
	await ann.keyboard.type("third");
	await ann.keyboard.press("Enter");
	await inThread(ann, "third");
	assert.equal(await ann.locator("#thread-messages .quoted").count(), 0);
	await ann.keyboard.press("Escape");
	assert.equal(await ann.locator("#thread").isHidden(), true);
	await holds(ann, () => document.activeElement.closest("#messages > .msg") !== null);
});

test("on a phone a thread lies over the log, and earlier messages are asked for", async () => {
	const eve = await Member.connect(server.tcp, "eve");
	await eve.join("phone");
	await eve.say("phone", "the beginning");
	for (let line = 1; line <= 69; line += 1) await eve.ask("send", { room: "phone", text: `line ${line}`, thread: 1 });
	await eve.say("phone", "something else");
	await eve.ask("send", { room: "phone", text: "line 70", thread: 1 });
	const ann = await enter("ann", "phone", undefined, PHONE);
	await shows(ann, "line 70");
	await picture(ann, "phone-log");
	// One line for all that follow each other in one thread.
	await until("one line for those that follow each other", async () => {
		const shown = await ann.locator("#messages .quoted:visible").count();
		return shown > 0 && shown < 5;
	});
	await ann.locator("#messages .quoted:visible").last().click();
	await inThread(ann, "line 70");
	const box = await ann.locator("#thread").boundingBox();
	assert.deepEqual([box.x, box.y, box.width, box.height], [0, 0, 320, 640]);
	assert.equal(await ann.evaluate(() => document.querySelector("#chat").inert), true);
	assert.equal(await ann.evaluate(() => document.documentElement.scrollWidth), 320);
	await assertAccessible(ann, "a thread on a phone");
	await picture(ann, "thread-phone");
	assert.equal((await texts(ann)).includes("the beginning"), false);
	// Twice, as by a double click: the page comes once.
	await ann.$eval("#thread-earlier", (node) => {
		node.click();
		node.click();
	});
	await inThread(ann, "the beginning");
	assert.equal((await texts(ann)).length, 71);
	assert.equal(await ann.locator("#thread-earlier").isHidden(), true);
	await ann.click("#thread-close");
	assert.equal(await ann.evaluate(() => document.querySelector("#chat").inert), false);
});

test("on a phone a thread says that the connection is lost, and the log does again behind it", async () => {
	const proxy = await Proxy.start(server.web);
	const ann = await enter("ann", "away", proxy.url, PHONE);
	await say(ann, "where are you?");
	await openThread(ann, "where are you?");
	proxy.closed = true;
	proxy.cut();
	await lost(ann);
	await ann.locator("#thread #connection-text", { hasText: "Connection lost" }).waitFor();
	await assertAccessible(ann, "a thread without a connection");
	await picture(ann, "thread-phone-offline");
	proxy.closed = false;
	await comeBack(ann);
	await sayInThread(ann, "here again");
	await ann.click("#thread-close");
	assert.equal(await ann.locator("#chat > header + #connection").count(), 1);
});

test("a thread of a room in memory is shown, and has no marks", async () => {
	const ann = await enter("lea", "tmp/short");
	await say(ann, "first");
	await shows(ann, "first");
	await openThread(ann, "first");
	await sayInThread(ann, "second");
	assert.equal(await ann.locator("#thread-follow").isHidden(), true);
	assert.equal(await ann.locator("#threads li").count(), 0);
});

test("whoever signs in behind another finds nothing of their threads", async () => {
	const page = await enter("uma", "leftovers");
	await say(page, "first");
	await shows(page, "first");
	await openThread(page, "first");
	await sayInThread(page, "second");
	await holds(page, () => document.querySelectorAll("#threads li").length === 1);
	await page.fill("#thread-text", "meant for uma alone");
	await page.click("#sign-out");
	await page.locator("#welcome").waitFor();
	const left = await page.evaluate(() => [document.querySelector("#thread-text").value, document.querySelector("#thread-title").textContent, document.querySelectorAll("#threads li, #thread-messages li").length]);
	assert.deepEqual(left, ["", "", 0]);
	await page.fill("#name", "vic");
	await page.click("#sign-in .primary");
	await opened(page, "lobby");
	await say(page, "/join leftovers");
	await opened(page, "leftovers");
	await shows(page, "first");
	await openThread(page, "first");
	await inThread(page, "second");
	assert.equal(await page.inputValue("#thread-text"), "");
});

test("a thread closes when its room is left, and comes again with what was typed there", async () => {
	const room = "thread-club";
	const eve = await Member.connect(server.tcp, "eve");
	await eve.ask("create", { room });
	const page = await enter("nia", room);
	await eve.say(room, "first");
	await shows(page, "first");
	await openThread(page, "first");
	await inThread(page, "first");
	await page.fill("#thread-text", "half a sentence");
	await eve.ask("kick", { room, user: "nia" });
	await page.locator("#thread").waitFor({ state: "hidden" });
	assert.deepEqual(await texts(page), []);
	await page.keyboard.press("Enter");
	await page.click("#rejoin");
	await shows(page, "first");
	await openThread(page, "first");
	assert.equal(await page.inputValue("#thread-text"), "half a sentence");
	assert.ok(!eve.lines.get(room).some((text) => /half/.test(text)));
});

test("a thread opens also while the browser takes its time with the worker", async () => {
	// With options that no other test has: the page is not used again.
	const page = await enter("pia", "early", undefined, { locale: "en-GB" });
	await say(page, "first");
	await shows(page, "first");
	await page.addInitScript(() => {
		// The script runs also where there are no workers.
		if (globalThis.ServiceWorkerContainer) ServiceWorkerContainer.prototype.register = () => new Promise(() => {});
	});
	await page.reload();
	await opened(page, "early");
	await shows(page, "first");
	await openThread(page, "first");
	await inThread(page, "first");
	await sayInThread(page, "second");
	assert.equal(await page.locator(".toast").count(), 0);
});

test("nothing that is said runs in a thread", async () => {
	const eve = await Member.connect(server.tcp, "eve");
	await eve.join("hostile-threads");
	const ann = await enter("mia", "hostile-threads");
	const kept = PAYLOADS.filter((payload) => payload.trim() && !/[\x00-\x08\x0b-\x1f]/.test(payload)).slice(0, 50);
	for (const [at, payload] of kept.entries()) {
		const root = await eve.reply("send", { room: "hostile-threads", text: payload });
		if (root.code !== 0) continue;
		if (at < 5) await ann.locator("#text").waitFor();
		await eve.reply("send", { room: "hostile-threads", text: payload, thread: root.data.seq });
	}
	const first = await eve.ask("send", { room: "hostile-threads", text: "root" });
	for (const payload of kept) await eve.reply("send", { room: "hostile-threads", text: payload, thread: first.seq });
	await shows(ann, "root");
	await ann.locator("#messages .answers").last().click();
	await until("the thread", async () => (await texts(ann)).length > 40);
	await ann.click("#thread-follow");
	await holds(ann, () => document.querySelectorAll("#threads li").length === 1);
	const kinds = await ann.$$eval("#threads *, #thread header *", (nodes) => [...new Set(nodes.map((node) => node.localName))].sort());
	assert.deepEqual(kinds, ["bdi", "button", "h2", "li", "span"]);
	assert.equal(await ann.locator("#thread-messages :is(script, img, iframe, svg, object)").count(), 0);
});

test("a link to a message opens it in another browser after the sign-in, and marks it", async () => {
	const ann = await enter("ann", "links");
	await say(ann, "this one");
	const eve = await Member.connect(server.tcp, "eve");
	await eve.join("links");
	for (let line = 0; line < 130; line += 1) await eve.say("links", `line ${line}`);
	await shows(ann, "line 129");
	// Lines scroll past a pointer that rests; they are not meant.
	await entry(ann, "line 129").hover();
	await ann.evaluate(() => Object.defineProperty(navigator, "clipboard", { value: { writeText: async (written) => (window.written = written) }, configurable: true }));
	await ann.evaluate(() => document.querySelector("#log").scrollTo(0, 0));
	await until("the first message", async () => (await entry(ann, "this one").count()) > 0);
	await entry(ann, "this one").focus();
	await ann.getByRole("button", { name: "Link", exact: true }).click();
	await holds(ann, () => Boolean(window.written));
	const link = await ann.evaluate(() => window.written);
	assert.match(link, /#room=links&at=1&epoch=\w+$/);

	const bob = await visit();
	await bob.goto(link);
	await bob.reload();
	await bob.fill("#name", "bob");
	await bob.click("#sign-in .primary");
	await opened(bob, "links");
	await holds(bob, () => document.querySelector("#messages .sought .text")?.textContent === "this one");
	await holds(bob, () => document.activeElement.classList.contains("sought"));
	await picture(bob, "permalink");
	// In a page that is open already.
	await say(bob, "/join elsewhere");
	await opened(bob, "elsewhere");
	await bob.evaluate((address) => (location.hash = address), new URL(link).hash);
	await opened(bob, "links");
	await holds(bob, () => document.querySelector("#messages .sought .text")?.textContent === "this one");

	// Of another epoch, of what is not there, and of others.
	for (const [hash, words] of [
		["#room=links&at=1&epoch=zz", /earlier state of the room/],
		["#room=links&at=9999", /no longer stored/],
		[`#room=${encodeURIComponent("@ann:eve")}&at=1`, /conversation of others/],
	]) {
		await bob.evaluate(() => document.querySelectorAll(".toast").forEach((toast) => toast.remove()));
		await bob.evaluate((address) => (location.hash = address), hash);
		await holds(bob, (source) => [...document.querySelectorAll(".toast")].some((toast) => new RegExp(source).test(toast.textContent)), words.source);
	}
	assert.equal(await bob.textContent("#title"), "links");
});
