// What a newcomer stumbles over: names, addresses, times, files, words that were searched for.
import assert from "node:assert/strict";
import { test } from "node:test";
import { enter, opened, picture, say, server, shows, visit } from "./page.mjs";
import { Member, until } from "./surroundings.mjs";


test("the name is there again on the next visit, and nothing secret is", async () => {
	const page = await enter("Kay Smith", "lobby");
	const kept = await page.evaluate(() => Object.entries(localStorage));
	assert.deepEqual(kept, [["name", '"kay-smith"']]);
	await page.evaluate(() => sessionStorage.clear());
	await page.goto("about:blank");
	await page.goto(server.url);
	assert.equal(await page.inputValue("#name"), "kay-smith");
	await page.press("#name", "Enter");
	await opened(page, "lobby");
	assert.equal(await page.textContent("#me"), "kay-smith");
});

test("an address is linked whole, without what belongs to the sentence", async () => {
	const eve = await Member.connect(server.tcp, "eve");
	await eve.join("links");
	const page = await enter("lin", "links");
	for (const [text, ...expected] of [
		["see https://example.org/wiki/Foo_(bar) now", "https://example.org/wiki/Foo_(bar)"],
		["(see https://example.org/wiki/Foo_(bar))", "https://example.org/wiki/Foo_(bar)"],
		["(https://example.org/a).", "https://example.org/a"],
		["[x](https://example.org/b_[c])!", "https://example.org/b_[c]"],
		["https://example.org/?q=(a)&b=c, and https://example.org/…", "https://example.org/?q=(a)&b=c", "https://example.org/"],
		["「https://example.org/d」。https://example.org/e。", "https://example.org/d", "https://example.org/e"],
		["**https://example.org/f/**", "https://example.org/f/"],
		[`https://example.org/${")".repeat(15_000)}`, "https://example.org/"],
		["http://) nothing"],
	]) {
		await eve.say("links", text);
		const shown = text.replaceAll("**", "");
		await shows(page, shown);
		const found = await page.locator("#messages > .msg").last().locator(".text a").evaluateAll((nodes) => nodes.map((node) => node.getAttribute("href")));
		assert.deepEqual(found, expected);
		assert.equal(await page.locator("#messages > .msg").last().locator(".text").textContent(), shown);
	}
});

test("each message shows its time, the first one of a day the day", async () => {
	const page = await enter("tim", "times");
	for (const text of ["one", "two"]) await say(page, text);
	await shows(page, "two");
	const second = page.locator("#messages > .msg").nth(1);
	assert.equal(await second.evaluate((node) => node.classList.contains("lead")), false);
	await second.hover();
	const seen = () => second.locator("time").evaluate((node) => {
		const { width, left } = node.getBoundingClientRect();
		return width > 10 && left >= 0 && getComputedStyle(node).opacity === "1";
	});
	await until("the time", seen);
	await page.mouse.move(0, 0);
	await until("no time", async () => !(await seen()));
	await page.focus("#log");
	await page.keyboard.press("ArrowUp");
	await until("the time by the keyboard", seen);
	await picture(page, "times");
	assert.deepEqual(await page.locator(".day").allTextContents(), ["Today"]);
	assert.equal(await page.locator("#messages > li").first().locator(".day").count(), 1);
	// Tomorrow the same line has another name.
	await page.evaluate(() => {
		const { now } = Date;
		Date.now = () => now() + 86_400_000;
		dispatchEvent(new Event("focus"));
	});
	await until("the day by its name", async () => /^\w+day, \w+ \d+, \d{4}$/.test(await page.locator(".day").first().textContent()));
	// A finger has nothing to hover with.
	const phone = await enter("pia", "times", server.url, { viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true });
	await shows(phone, "two");
	assert.equal(await phone.locator("#messages > .msg").nth(1).locator("time").evaluate((node) => getComputedStyle(node).opacity), "1");
});

test("a search marks the words, and the message it leads to", async () => {
	const eve = await Member.connect(server.tcp, "eve");
	await eve.join("finds");
	await eve.say("finds", `${"long ".repeat(40)}before the Café opens at eight`);
	await eve.say("finds", "nothing else");
	const page = await enter("sue", "finds");
	await page.click("#open-search");
	await page.fill("#search-text", "cafe open");
	await until("what was found", async () => {
		await page.press("#search-text", "Enter");
		await until("an answer", async () => (await page.textContent("#search-status")) !== "Searching…");
		return (await page.locator("#found li").count()) === 1;
	});
	assert.deepEqual(await page.locator("#found mark").allTextContents(), ["Café", "opens"]);
	assert.match(await page.textContent("#found button > span"), /^….{0,30}before the Café opens at eight$/);
	await picture(page, "search-marked");
	await page.locator("#found button").click();
	const sought = () => page.$$eval(".sought .text", (nodes) => nodes.map((node) => node.textContent.slice(-5)));
	await until("the mark", async () => (await sought()).join() === "eight");
});

test("a dropped file is not opened in place of the page, but about to be sent", async () => {
	const page = await enter("dan", "drops");
	const drop = (target, type, kind) => page.evaluate(([selector, event, what]) => {
		const dataTransfer = new DataTransfer();
		if (what === "file") dataTransfer.items.add(new File(["x"], "x.txt"));
		else dataTransfer.setData("text/uri-list", "https://example.org/");
		const happens = new DragEvent(event, { bubbles: true, cancelable: true, dataTransfer });
		return document.querySelector(selector).dispatchEvent(happens);
	}, [target, type, kind]);
	for (const [target, kind, expected] of [["#log", "file", false], ["#text", "file", false], ["#log", "link", false], ["#text", "link", true]]) {
		for (const type of ["dragover", "drop"]) assert.equal(await drop(target, type, kind), expected, `${type} of a ${kind} on ${target}`);
	}
	await until("the tray", async () => (await page.locator("#tray li").count()) === 2);
	// At the door, too.
	const door = await visit();
	assert.equal(await door.evaluate(() => {
		const dataTransfer = new DataTransfer();
		dataTransfer.items.add(new File(["x"], "x.txt"));
		return document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer }));
	}), false);
});

test("the longest name leaves room for what stands beside it", async () => {
	const long = "w".repeat(32);
	for (const options of [{}, { viewport: { width: 320, height: 560 }, hasTouch: true, isMobile: true }]) {
		const page = await enter(long, "wide", server.url, options);
		if (options.viewport) await page.tap("#open-nav");
		const [name, button, nav] = await page.evaluate(() => ["#me", "#sign-out", "#nav"].map((id) => document.querySelector(id).getBoundingClientRect().right));
		const left = await page.$eval("#sign-out", (node) => node.getBoundingClientRect().left);
		assert.ok(name <= left && button <= nav, `${name} ${left} ${button} ${nav}`);
		await picture(page, options.viewport ? "long-name-phone" : "long-name");
	}
});

test("a large room with few people in it does not say that they are too many", async () => {
	const page = await enter("pip", "hangar");
	const named = [["pip", "online"]];
	for (const [presence, expected] of [
		[null, "People"],
		[{ count: 1, users: named }, "1 online"],
		[{ count: 1, users: null }, "Nobody else is online"],
		[{ count: 3, users: null }, "3 online, not listed in a large room"],
		[{ count: 5_000, users: null }, "5,000 online, too many to list"],
	]) {
		assert.equal(await page.evaluate(async (given) => (await import("/lists.js")).crowd(given), presence), expected);
	}
});

test("who is quicker than the answer what the server offers asks by no second question", async () => {
	const page = await visit();
	const asked = await page.evaluate(async () => {
		const { signInView } = await import("/welcome.js");
		let [questions, answer] = [0, null];
		const offers = () => new Promise((resolve) => {
			questions += 1;
			answer = resolve;
		});
		const entered = new Promise((resolve) => signInView({ offers, enter: async (...given) => resolve(given), sentence: String })());
		document.querySelector("#name").value = "quick";
		document.querySelector("#sign-in").requestSubmit();
		answer({ auth: ["none"], registration: "closed" });
		const [way, { name }] = await entered;
		return { questions, way, name };
	});
	assert.deepEqual(asked, { questions: 1, way: "name", name: "quick" });
});
