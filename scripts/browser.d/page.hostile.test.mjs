import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { test } from "node:test";
import { PAYLOADS } from "./hostile.mjs";
import { enter, lines, picture, server, shows, visit, visitAgain } from "./page.mjs";
import { Member, until } from "./surroundings.mjs";

test("the page comes with a strict policy and under 131 KB in all", async () => {
	let total = 0;
	const folder = new URL("../../src/page/", import.meta.url);
	const files = (await readdir(folder)).filter((name) => /\.(js|css|svg)$/.test(name));
	assert.ok(files.length > 10, `${files}`);
	for (const path of ["", ...files]) {
		const response = await fetch(server.url + path);
		assert.equal(response.status, 200, path);
		total += (await response.arrayBuffer()).byteLength;
		if (path === "") {
			const policy = response.headers.get("content-security-policy");
			for (const rule of ["default-src 'none'", "script-src 'self'", "base-uri 'none'", "require-trusted-types-for 'script'"]) {
				assert.ok(policy.includes(rule), rule);
			}
			assert.doesNotMatch(policy, /unsafe|\*/);
		}
	}
	assert.ok(total < 131_000, `${total} bytes`);
});

test("hostile input stays text, wherever it is shown", async () => {
	const page = await enter("zoe", "zoo");
	const mallory = await Member.connect(server.tcp, "mallory");
	await mallory.join("zoo");
	const kinds = () => page.evaluate(() => [...new Set([...document.querySelectorAll("*")].map((node) => node.localName))].sort());
	await mallory.say("zoo", "harmless https://example.org/");
	await mallory.ask("topic", { room: "zoo", text: "harmless" });
	await shows(page, "set the topic");
	const expected = await kinds();
	for (const payload of PAYLOADS) {
		await mallory.say("zoo", payload);
		const topic = await mallory.reply("topic", { room: "zoo", text: payload });
		assert.ok([0, 1003].includes(topic.code), JSON.stringify(topic));
		// A room's name is refused or accepted; a success in between keeps the server from closing for too many errors.
		const joined = await mallory.reply("join", { room: payload });
		assert.ok([0, 1003].includes(joined.code), JSON.stringify(joined));
	}
	await until("all payloads", async () => (await lines(page)).some((line) => line.endsWith(` ${PAYLOADS.at(-1)}`)));
	const texts = (await lines(page)).map((line) => line.replace(/^\d+ /, ""));
	for (const payload of PAYLOADS) assert.ok(texts.includes(payload.trim()), `${payload} is shown as it is`);
	assert.deepEqual(await kinds(), expected);
	const links = await page.$$eval("#messages a", (nodes) => nodes.map((node) => [node.protocol, node.rel]));
	for (const [protocol, rel] of links) {
		assert.match(protocol, /^https?:$/);
		assert.match(rel, /noopener/);
	}
	const handlers = await page.$$eval("#messages *", (nodes) => nodes.flatMap((node) => node.getAttributeNames()).filter((name) => name.startsWith("on") || name === "style"));
	assert.deepEqual(handlers, []);
	await page.locator("#messages > .msg").last().hover();
	await picture(page, "hostile");

	// Hostile input of our own: the name of a room in the address and in the dialog, and a user name.
	const door = await visit();
	for (const payload of PAYLOADS.filter((_, index) => index % 6 === 0)) {
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
