import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { test } from "node:test";
import { PAYLOADS } from "./hostile.mjs";
import { enter, lines, picture, server, shows, visit, visitAgain } from "./page.mjs";
import { Member, until } from "./surroundings.mjs";

test("the page comes with a strict policy and under 60 KB on the wire", async () => {
	let total = 0;
	const later = ["account.js", "actions.js", "asking.js", "audit.js", "complete.js", "device.js", "dialogs.html", "directory.js", "emoji.js", "files.css", "files.js", "icon.svg", "kept.js", "later.css", "members.js", "moderation.js", "notices.js", "personal.js", "pictures.js", "quotes.js", "reports.js", "run-command.js", "search.js", "settings.js", "switcher.js", "tab-icon.js", "thread-view.js", "threads.css", "threads.js", "transfer.js", "worker.js", "zh.js"];
	const folder = new URL("../../src/page/", import.meta.url);
	const files = (await readdir(folder)).filter((name) => /\.(js|css|svg)$/.test(name));
	assert.ok(files.length > 10, `${files}`);
	for (const path of ["", ...files]) {
		const response = await fetch(server.url + path);
		assert.equal(response.status, 200, path);
		total += later.includes(path) ? 0 : Number(response.headers.get("content-length"));
		assert.equal(response.headers.get("content-encoding"), "gzip", path);
		if (path === "") {
			const policy = response.headers.get("content-security-policy");
			for (const rule of ["default-src 'none'", "script-src 'self'", "base-uri 'none'", "require-trusted-types-for 'script'"]) {
				assert.ok(policy.includes(rule), rule);
			}
			assert.doesNotMatch(policy, /unsafe|\*/);
		}
	}
	assert.ok(total < 60_000, `${total} bytes`);
});

test("what was reported, and why, stays text", async () => {
	const own = await Member.connect(server.tcp, "own");
	await own.ask("create", { room: "court" });
	const page = await enter("own", "court");
	const mallory = await Member.connect(server.tcp, "mallory");
	await mallory.join("court");
	let filed = 0;
	// As many as one user may have open.
	for (let at = 0; at < PAYLOADS.length; at += 32) {
		const ann = await Member.connect(server.tcp, `ann-${at}`);
		await ann.join("court");
		for (const payload of PAYLOADS.slice(at, at + 32)) {
			const { seq } = await mallory.say("court", payload);
			const { code } = await ann.reply("report", { room: "court", target: seq, reason: payload });
			// As a reason, longer ones and control characters are refused.
			assert.ok([0, 1003, 4001].includes(code), `${code} for ${payload}`);
			if (code !== 0) await ann.ask("report", { room: "court", target: seq });
			filed += 1;
		}
	}
	await page.locator("#reports-open").click();
	await page.locator("#reports-more").waitFor();
	const shown = page.locator("#reports-list li");
	while (await page.locator("#reports-more").isVisible()) {
		const before = await shown.count();
		await page.click("#reports-more");
		await until("more of them", async () => (await shown.count()) > before);
	}
	assert.equal(await shown.count(), filed);
	const kinds = await page.$$eval("#reports-list *", (nodes) => [...new Set(nodes.map((node) => node.localName))].sort());
	assert.deepEqual(kinds, ["bdi", "button", "li", "small", "span"]);
	const attributes = await page.$$eval("#reports-list *", (nodes) => [...new Set(nodes.flatMap((node) => node.getAttributeNames()))].sort());
	assert.deepEqual(attributes, ["aria-label", "dir", "type"]);
	await picture(page, "hostile-reports");
	await page.click("#reports-close");
});

/** A text without what may be a mark of Markdown. */
const bare = (text) => text.replace(/^(?:>|[-*•]|\d+[.)])(?: |$)/gm, "").replace(/[`*_~\s]/g, "");

test("hostile input stays text, wherever it is shown", async () => {
	assert.ok(new Set(PAYLOADS).size >= 200, `${PAYLOADS.length}`);
	const page = await enter("zoe", "zoo");
	const mallory = await Member.connect(server.tcp, "mallory");
	await mallory.join("zoo");
	const kinds = () => page.evaluate(() => [...new Set([...document.querySelectorAll("*")].map((node) => node.localName))].sort());
	await mallory.say("zoo", "harmless https://example.org/ `c` **b** *i* ~~s~~\n> q\n- l\n1. l\n```\nc\n```");
	await mallory.ask("topic", { room: "zoo", text: "harmless" });
	await shows(page, "set the topic");
	const expected = await kinds();
	for (let at = 0; at < PAYLOADS.length; at += 50) {
		// The page keeps a window of the log.
		const some = PAYLOADS.slice(at, at + 50);
		for (const payload of some) {
			await mallory.say("zoo", payload);
			const topic = await mallory.reply("topic", { room: "zoo", text: payload });
			assert.ok([0, 1003].includes(topic.code), JSON.stringify(topic));
			// A room's name is refused or accepted; a success in between keeps the server from closing for too many errors.
			const joined = await mallory.reply("join", { room: payload });
			assert.ok([0, 1003].includes(joined.code), JSON.stringify(joined));
		}
		await mallory.say("zoo", `up to ${at}`);
		await until("some payloads", async () => (await lines(page)).some((line) => line.endsWith(` up to ${at}`)));
		const texts = (await lines(page)).map((line) => line.replace(/^\d+ /, ""));
		const shown = new Set(texts.map(bare));
		for (const payload of some) assert.ok(shown.has(bare(payload)), `${payload} is shown as it is`);
	}
	// Where little fits: as reactions, at most as many as one message has, and as the reason of an act of moderation.
	await mallory.ask("create", { room: "cage" });
	await mallory.ask("invite", { room: "cage", user: "zoe", reason: "<img src=x onerror=alert(1)>" });
	const small = PAYLOADS.filter((payload) => new TextEncoder().encode(payload).length <= 64 && payload === payload.trim());
	const { seq } = await mallory.say("zoo", "reactions");
	let reactions = 0;
	for (const emoji of small) reactions += (await mallory.reply("react", { room: "zoo", target: seq, emoji })).code === 0 ? 1 : 0;
	assert.ok(reactions > 0);
	await until("all payloads", async () => (await lines(page)).some((line) => line.endsWith(" reactions")));
	await until("the reactions", async () => (await page.locator(".reaction").count()) >= Math.min(reactions, 5));
	const harmless = ["small"];
	assert.deepEqual((await kinds()).filter((kind) => !harmless.includes(kind) && !expected.includes(kind)), []);
	const links = await page.$$eval("#messages a", (nodes) => nodes.map((node) => [node.protocol, node.rel]));
	for (const [protocol, rel] of links) {
		assert.match(protocol, /^https?:$/);
		assert.match(rel, /noopener/);
	}
	const handlers = await page.$$eval("#messages *", (nodes) => nodes.flatMap((node) => node.getAttributeNames()).filter((name) => name.startsWith("on") || name === "style"));
	assert.deepEqual(handlers, []);
	await page.locator("#messages > .msg").last().hover();
	await picture(page, "hostile");

	// What is searched for is marked where it is found.
	await page.click("#open-search");
	for (const payload of PAYLOADS.filter((_, index) => index % 20 === 0)) {
		await page.fill("#search-text", payload);
		await page.press("#search-text", "Enter");
		await until("an answer", async () => (await page.textContent("#search-status")) !== "Searching…");
	}
	await page.click("#search-close");

	// Hostile input of our own: the name of a room in the address and in the dialog, and a user name.
	const door = await visit();
	for (const payload of PAYLOADS.filter((_, index) => index % 12 === 0)) {
		await page.goto(`${server.url}#room=${encodeURIComponent(payload)}`);
		await page.click("#add");
		await page.fill("#join-name", payload);
		await page.press("#join-name", "Enter");
		await visitAgain(door);
		await door.fill("#name", payload);
		await door.press("#name", "Enter");
		await until("an answer at the door", async () => (await door.textContent("#name-error")) || (await door.getAttribute("#app", "data-connection")) === "ready");
	}
});
