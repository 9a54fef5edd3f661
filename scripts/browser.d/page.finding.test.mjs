// Finding rooms, people and messages, and the order of one's own conversations.
import assert from "node:assert/strict";
import { test } from "node:test";
import { PAYLOADS } from "./hostile.mjs";
import { assertAccessible, configure, enter, holds, opened, picture, say, server, shows, visit } from "./page.mjs";
import { Member, until } from "./surroundings.mjs";

configure('[[room_policy]]\nmatch = "week"\nkeep_for = "7d"\nkeep_records = 5000\n');

/** The texts of what a list shows, each with its parts between bars. */
const listed = (page, list, parts = "bdi") => page.$$eval(`${list} > li`, (nodes, within) => nodes.map((node) => [...node.querySelectorAll(within)].map((part) => part.textContent).join("|")), parts);
const lists = (page, list, wanted) => until(`${wanted} in ${list}`, async () => (await listed(page, list)).join() === wanted);
const openDirectory = async (page) => {
	await page.click("#open-directory");
	await page.locator("#directory[open]").waitFor();
};

test("open rooms are found by name and topic and entered, private ones are not there", async () => {
	const eve = await Member.connect(server.tcp, "eve");
	for (const room of ["tea-house", "garden"]) await eve.join(room);
	await eve.ask("create", { room: "den", private: true });
	await eve.ask("topic", { room: "tea-house", text: "Darjeeling, see https://example.org/tea" });
	await eve.say("garden", "the roses are out");
	const ann = await enter("ann", "lobby");
	await openDirectory(ann);
	await lists(ann, "#directory-list", "garden,lobby,tea-house");
	const facts = await listed(ann, "#directory-list", "small");
	assert.match(facts[0], /^1 member, last word \d.*\|Join$/);
	assert.equal(facts[1], "1 member|You are in");
	assert.match(facts[2], /\|Darjeeling, see https:\/\/example.org\/tea\|Join$/);
	// As a command, with what is looked for.
	await ann.click("#directory-close");
	await say(ann, "/list darjeeling");
	await lists(ann, "#directory-list", "tea-house");
	await ann.click("#directory-close");
	await openDirectory(ann);
	await lists(ann, "#directory-list", "garden,lobby,tea-house");
	// Which a screen reader says.
	assert.equal(await ann.textContent("#directory-status"), "3 found.");
	await assertAccessible(ann, "the directory");
	await picture(ann, "directory");
	await ann.fill("#directory-find", "DARJ");
	await lists(ann, "#directory-list", "tea-house");
	await ann.fill("#directory-find", "no such thing");
	await holds(ann, () => /No such room/.test(document.querySelector("#directory-status")?.textContent));
	await ann.fill("#directory-find", "gard");
	await lists(ann, "#directory-list", "garden");
	// By the keyboard alone: what is found first is entered.
	await ann.press("#directory-find", "Enter");
	await opened(ann, "garden");
	await openDirectory(ann);
	await holds(ann, () => document.querySelectorAll("#directory-list li").length === 3);
	await ann.locator("#directory-list button", { hasText: "tea-house" }).click();
	await opened(ann, "tea-house");
	assert.equal(await ann.getAttribute("#topic a", "href"), "https://example.org/tea");
	// Whoever presses Enter before the server has been asked enters what was typed, not what the list begins with.
	await openDirectory(ann);
	await holds(ann, () => document.querySelectorAll("#directory-list li").length === 3);
	await ann.fill("#directory-find", "lobb");
	await ann.press("#directory-find", "Enter");
	await opened(ann, "lobby");
});

test("people are found in the rooms that one is in, and written to", async () => {
	for (const [name, room] of [["bob", "yard"], ["dora", "elsewhere"]]) await (await Member.connect(server.tcp, name)).join(room);
	const carl = await Member.connect(server.tcp, "carl");
	await carl.join("yard");
	const amy = await enter("amy", "yard");
	await openDirectory(amy);
	await amy.check("#directory input[value=people]");
	await lists(amy, "#directory-list", "bob|yard,carl|yard");
	await assertAccessible(amy, "people");
	await picture(amy, "directory-people");
	await amy.fill("#directory-find", "car");
	await lists(amy, "#directory-list", "carl|yard");
	// Also by what they are called besides.
	await carl.ask("profile", { display: "The Baker", color: "pink" });
	await amy.fill("#directory-find", "");
	await lists(amy, "#directory-list", "bob|yard,The Baker|carl|yard");
	await amy.fill("#directory-find", "baker");
	await lists(amy, "#directory-list", "The Baker|carl|yard");
	await assertAccessible(amy, "people with names of their own");
	await amy.press("#directory-find", "Enter");
	await opened(amy, "carl");
});

test("what others call their rooms and topics stays text", async () => {
	const mallory = await Member.connect(server.tcp, "mallory");
	// As many as one user may have rooms.
	const meant = PAYLOADS.filter((payload) => new TextEncoder().encode(payload).length <= 256).slice(0, 240);
	let made = 0;
	for (const payload of meant) {
		const { code } = await mallory.reply("create", { room: `x${String(made).padStart(3, "0")}`, topic: payload });
		assert.ok([0, 1003].includes(code), `${code} for ${payload}`);
		made += code === 0 ? 1 : 0;
	}
	assert.ok(made > 100, `${made} rooms`);
	const zoe = await enter("zoe", "lobby");
	await openDirectory(zoe);
	await holds(zoe, () => document.querySelectorAll("#directory-list li").length === 40);
	await until("all rooms", async () => {
		if (await zoe.locator("#directory-more").isVisible()) await zoe.click("#directory-more");
		return (await zoe.locator("#directory-list bdi", { hasText: /^x\d+$/ }).count()) === made;
	});
	const kinds = await zoe.$$eval("#directory-list *", (nodes) => [...new Set(nodes.map((node) => node.localName))].sort());
	assert.deepEqual(kinds, ["bdi", "button", "li", "small", "span"]);
	const attributes = await zoe.$$eval("#directory-list *", (nodes) => [...new Set(nodes.flatMap((node) => node.getAttributeNames()))].sort());
	assert.deepEqual(attributes, ["aria-hidden", "class", "dir", "type"]);
	await zoe.click("#directory-close");
	// The topic above the log has links, and they lead to the web alone.
	for (const payload of meant.filter((_, index) => index % 15 === 0)) {
		await mallory.reply("topic", { room: "x000", text: payload });
	}
	await say(zoe, "/join x000");
	await opened(zoe, "x000");
	const links = await zoe.$$eval("#topic *", (nodes) => nodes.map((node) => [node.localName, node.protocol]));
	for (const [kind, protocol] of links) assert.deepEqual([kind, /^https?:$/.test(protocol)], ["a", true]);
});

test("conversations stand in the order that was chosen, pinned ones first, archived ones apart until there is news", async () => {
	const eve = await Member.connect(server.tcp, "eva");
	const ann = await enter("anna", "alpha");
	for (const room of ["beta", "gamma", "delta"]) {
		await eve.join(room);
		await say(ann, `/join ${room}`);
		await opened(ann, room);
	}
	await say(ann, "/join alpha");
	await opened(ann, "alpha");
	await lists(ann, "#rooms", "alpha,beta,delta,gamma");
	await eve.say("gamma", "news");
	await lists(ann, "#rooms", "gamma,alpha,beta,delta");
	await say(ann, "/join delta");
	await opened(ann, "delta");
	await ann.click("#pin");
	await lists(ann, "#rooms", "delta,gamma,alpha,beta");
	assert.equal(await ann.getAttribute("#pin", "aria-pressed"), "true");
	await ann.click("#open-settings");
	await ann.selectOption("#settings-order", "name");
	await lists(ann, "#rooms", "delta,alpha,beta,gamma");
	await ann.click("#settings-close");
	await say(ann, "/join beta");
	await opened(ann, "beta");
	await ann.click("#open-settings");
	await ann.check("#settings-archived");
	await ann.click("#settings-close");
	await say(ann, "/join alpha");
	await opened(ann, "alpha");
	await lists(ann, "#rooms", "delta,alpha,gamma");
	await ann.click("#archived-title");
	await lists(ann, "#archived-rooms", "beta");
	await assertAccessible(ann, "pins and the archive");
	await picture(ann, "conversations");
	await ann.reload();
	await opened(ann, "alpha");
	await lists(ann, "#rooms", "delta,alpha,gamma");
	await eve.say("beta", "something new");
	await lists(ann, "#rooms", "delta,alpha,beta,gamma");
	// Direct messages stand above.
	await eve.ask("send", { to: "anna", text: "psst", cid: "psst" });
	await holds(ann, () => document.querySelector("#nav li bdi").textContent === "eva");
});

test("many conversations can be filtered", async () => {
	const page = await enter("fay", "room-00");
	for (let number = 1; number < 12; number += 1) {
		const room = `room-${String(number).padStart(2, "0")}`;
		await say(page, `/join ${room}`);
		// What is typed before that stays in the room before.
		await opened(page, room);
	}
	await page.fill("#nav-filter", "0");
	await holds(page, () => document.querySelectorAll("#rooms li").length === 11);
	await page.fill("#nav-filter", "11");
	await lists(page, "#rooms", "room-11");
	await page.fill("#nav-filter", "");
	await holds(page, () => document.querySelectorAll("#rooms li").length === 12);
});

test("members are listed with their roles, in pages, and roles stand beside those who are there", async () => {
	const own = await Member.connect(server.tcp, "own");
	await own.ask("create", { room: "crowd" });
	const others = await Promise.all(Array.from({ length: 60 }, (_, number) => Member.connect(server.tcp, `m${String(number).padStart(2, "0")}`)));
	await Promise.all(others.map((member) => member.join("crowd")));
	await own.ask("role", { room: "crowd", user: "m07", role: "moderator" });
	const ned = await enter("ned", "crowd");
	await holds(ned, () => [...document.querySelectorAll("#persons li")].some((node) => node.textContent.includes("m07") && node.querySelector("small").textContent === "moderator"));
	await own.ask("role", { room: "crowd", user: "m08", role: "moderator" });
	await holds(ned, () => [...document.querySelectorAll("#persons li")].some((node) => node.textContent.includes("m08") && node.querySelector("small").textContent === "moderator"));
	await ned.click("#members-open");
	await holds(ned, () => document.querySelectorAll("#members-list li").length === 50);
	assert.equal(await ned.textContent("#members-status"), "50 of 62");
	await assertAccessible(ned, "members");
	await picture(ned, "members");
	await ned.click("#members-more");
	await holds(ned, () => document.querySelectorAll("#members-list li").length === 62);
	assert.equal(await ned.textContent("#members-status"), "62 members");
	const rows = await listed(ned, "#members-list", "bdi:not(.says), small");
	assert.ok(rows.includes("m07|moderator") && rows.includes("own|owner") && rows.includes("ned|member, you"), rows.join());
	await ned.locator("#members-list button", { hasText: "Message" }).first().click();
	await opened(ned, "m00");
});

test("bans and mutes are listed in pages", async () => {
	const page = await enter("olga", "lobby");
	await say(page, "/create court");
	await opened(page, "court");
	const olga = await Member.connect(server.tcp, "olga");
	for (let number = 0; number < 55; number += 1) await olga.ask("ban", { room: "court", user: `bad${String(number).padStart(2, "0")}` });
	await page.click("#about-open");
	await holds(page, () => document.querySelectorAll("#about-held li").length === 50);
	await page.click("#about-more");
	await holds(page, () => document.querySelectorAll("#about-held li").length === 55);
	await page.locator("#about-held button").first().click();
	await holds(page, () => !document.querySelector("#about-held").textContent.includes("bad00"));
});

test("a private room has a lock, and a room says for how long it keeps what is said", async () => {
	const page = await enter("pia", "week");
	await shows(page, "What is said here is deleted after 7 days. Only the latest 5,000 messages and changes are kept.");
	await page.click("#about-open");
	await holds(page, () => document.querySelector("#about-kept")?.textContent.includes("after 7 days"));
	await page.click("#about-close");
	await say(page, "/join tmp/short");
	await opened(page, "tmp/short");
	await shows(page, "gone when the server restarts");
	await say(page, "/create vault private");
	await opened(page, "vault");
	await page.locator("#rooms .lock").waitFor();
	assert.equal(await page.locator("#rooms .lock").count(), 1);
	assert.equal(await page.getAttribute("#rooms a[aria-current]", "title"), "Private: by invitation only");
	await picture(page, "lock");
});

const find = async (page, text) => {
	if (!(await page.locator("#search[open]").isVisible())) await page.click("#open-search");
	await page.fill("#search-text", text);
	await page.press("#search-text", "Enter");
	await until("an answer", async () => (await page.textContent("#search-status")) !== "Searching…");
	return page.$$eval("#found li span", (nodes) => nodes.map((node) => node.textContent));
};

test("a search is narrowed by who, where and when, and by words that stand together", async () => {
	const [rob, sue] = await Promise.all(["rob", "sue"].map((name) => Member.connect(server.tcp, name)));
	for (const room of ["kitchen", "hall"]) {
		await rob.join(room);
		await sue.join(room);
	}
	await rob.say("kitchen", "green tea in the pot");
	await sue.say("kitchen", "tea, but not green");
	await rob.say("hall", "tea at five");
	const page = await enter("tom", "kitchen");
	await say(page, "/join hall");
	await opened(page, "hall");
	const finds = async (text, ...expect) => {
		await until(`${expect} by ${text}`, async () => JSON.stringify(await find(page, text)) === JSON.stringify(expect));
	};
	await finds("tea", "tea at five", "tea, but not green", "green tea in the pot");
	await finds("tea from:rob", "tea at five", "green tea in the pot");
	await finds("tea from:@sue", "tea, but not green");
	await finds("tea in:kitchen", "tea, but not green", "green tea in the pot");
	await finds('"green tea"', "green tea in the pot");
	await finds('in:#kitchen from:rob "GREEN  tea" pot', "green tea in the pot");
	const day = (more) => {
		const date = new Date(Date.now() + more * 86_400_000);
		return [date.getFullYear(), date.getMonth() + 1, date.getDate()].map((part) => String(part).padStart(2, "0")).join("-");
	};
	await finds(`tea from:rob on:${day(0)}`, "tea at five", "green tea in the pot");
	await finds(`tea before:${day(0)}`);
	await finds(`tea after:${day(-2)} in:hall`, "tea at five");
	await finds(`tea after:${day(0)}`);
	for (const [text, hint] of [["from:rob", /Type a word/], ["tea on:yesterday", /“yesterday” is no day/], ["tea on:2026-02-30", /is no day/], ["tea in:", /missing behind in:/]]) {
		assert.deepEqual(await find(page, text), []);
		assert.match(await page.textContent("#search-status"), hint);
	}
	await find(page, "tea from:sue");
	await assertAccessible(page, "the search");
	await picture(page, "search-narrowed");
	// The message that is gone to is marked.
	await page.locator("#found button").click();
	await opened(page, "kitchen");
	await page.locator(".sought", { hasText: "tea, but not green" }).waitFor();
});

test("whom one has blocked is listed in the settings, and can be unblocked there", async () => {
	await (await Member.connect(server.tcp, "nag")).join("quiet");
	const uma = await enter("uma", "quiet");
	await say(uma, "/block nag");
	await holds(uma, () => document.querySelector("#toasts").textContent.includes("blocked nag"));
	await uma.click("#open-settings");
	await lists(uma, "#settings-blocked", "nag");
	await assertAccessible(uma, "settings with somebody who is blocked");
	await picture(uma, "settings-blocked");
	await uma.locator("#settings-blocked button").click();
	await holds(uma, () => !document.querySelector("#settings-nobody").hidden);
	assert.equal(await uma.evaluate(() => document.activeElement.id), "settings-title");
});

test("the directory, members and settings fit a small phone, with forced colours, and from right to left", async () => {
	await (await Member.connect(server.tcp, "wes")).join("pocket");
	const options = { viewport: { width: 320, height: 560 }, hasTouch: true, isMobile: true, forcedColors: "active", reducedMotion: "reduce" };
	const page = await visit(server.url, options);
	await page.goto(`${server.url}#room=pocket`);
	await page.fill("#name", "vera");
	await page.tap("#sign-in .primary");
	await opened(page, "pocket");
	const fits = async (what) => {
		assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 320, what);
		const wide = await page.$$eval("dialog[open], dialog[open] *", (nodes) => nodes.filter((node) => node.getBoundingClientRect().right > 321 || node.getBoundingClientRect().left < -1).map((node) => node.outerHTML.slice(0, 80)));
		assert.deepEqual(wide, [], what);
		await assertAccessible(page, what);
		await picture(page, `small-${what}`);
	};
	for (const dir of ["ltr", "rtl"]) {
		await page.evaluate((wanted) => (document.documentElement.dir = wanted), dir);
		for (const [drawer, button, dialog, close] of [["nav", "open-directory", "directory", "directory-close"], ["people", "members-open", "members", "members-close"], ["nav", "open-settings", "settings", "settings-close"]]) {
			await page.tap(`#open-${drawer}`);
			await page.tap(`#${button}`);
			await page.locator(`#${dialog}[open]`).waitFor();
			if (dialog !== "settings") await page.locator(`#${dialog} li`).first().waitFor();
			await fits(`${dialog}-${dir}`);
			await page.tap(`#${close}`);
		}
	}
});

test("of very many conversations those in view are in the document, and all are within reach", async () => {
	const names = Array.from({ length: 150 }, (_, number) => `shelf-${String(number).padStart(3, "0")}`);
	const before = await Member.connect(server.tcp, "lib");
	for (const name of names) await before.join(name);
	const page = await enter("lib", names[0]);
	const rows = () => page.$$eval("#rooms > li", (nodes) => nodes.map((node) => [node.ariaPosInSet, node.ariaSetSize, node.querySelector("bdi").textContent].join(" ")));
	await until("all of them", async () => (await rows())[0] === "1 150 shelf-000");
	assert.ok((await rows()).length < 75, `${(await rows()).length} rows`);
	await assertAccessible(page, "very many conversations");
	const height = await page.evaluate(() => document.querySelector("#rooms").offsetHeight / document.querySelector("#rooms > li").offsetHeight);
	assert.equal(Math.round(height), 150, "the others have their places");
	await page.hover("#rooms");
	await page.mouse.wheel(0, 1e6);
	const last = page.locator("#rooms a", { hasText: names[149] });
	await last.waitFor();
	assert.equal((await rows()).at(-1), "150 150 shelf-149");
	await last.click();
	await opened(page, names[149]);
	// By the keyboard: one after the other, and around.
	await page.keyboard.press("Alt+ArrowDown");
	await opened(page, names[0]);
	const inView = () => page.evaluate(() => {
		const [row, list] = ["#rooms a[aria-current]", "#nav .scroll"].map((part) => document.querySelector(part).getBoundingClientRect());
		return row.top >= list.top - 1 && row.bottom <= list.bottom + 1;
	});
	assert.ok(await inView());
	await page.keyboard.press("Alt+ArrowUp");
	await opened(page, names[149]);
	assert.ok(await inView());
	// Who has the focus keeps it, wherever the list is scrolled.
	await page.locator("#rooms a", { hasText: names[149] }).focus();
	await page.hover("#rooms");
	await page.mouse.wheel(0, -1e6);
	await page.locator("#rooms a", { hasText: names[0] }).waitFor();
	assert.match(await page.evaluate(() => document.activeElement.textContent), /shelf-149/);
	await page.fill("#nav-filter", "shelf-07");
	await until("the few that are meant", async () => (await rows()).map((row) => row.trim()).join() === names.slice(70, 80).join());
});
