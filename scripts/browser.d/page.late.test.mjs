// What is asked for and comes late, since a part of the page has to be loaded or the server takes its time: it moves no focus and no
// draft of who has gone on meanwhile, and is done where it was asked for.
import assert from "node:assert/strict";
import { test } from "node:test";
import { holds, lines, opened, say, server, shows, visit } from "./page.mjs";
import { Member, until } from "./surroundings.mjs";

/** Pages that nothing else uses. */
const OPTIONS = { locale: "en-IE" };

/** A page that has signed in as `name` and opened `room`, without a worker, which would fetch the parts of the page itself. */
async function come(name, room) {
	const page = await visit(server.url, OPTIONS);
	await page.addInitScript(() => Object.defineProperty(navigator, "serviceWorker", { value: undefined }));
	await page.goto(`${server.url}#room=${room}`);
	await page.reload();
	await page.fill("#name", name);
	await page.click("#sign-in .primary");
	await opened(page, room);
	return page;
}

const toast = (page, text) => holds(page, (wanted) => document.querySelector("#toasts").textContent.includes(wanted), text);
const focus = (page) => page.evaluate(() => document.activeElement.id);
const isOpen = (page) => page.evaluate(() => Boolean(document.querySelector("dialog[open]")));
/** Takes away what is told, unless its time is over by then. */
const dismiss = (page) => page.evaluate(() => document.querySelectorAll(".toast button").forEach((button) => button.click()));
const LEFT = "You had gone on by the time this was ready";

/** Keeps a part of the page back: `asked` resolves when it is asked for, `release()` lets it come. */
async function hold(page, part) {
	let [note, release] = [];
	const asked = new Promise((resolve) => (note = resolve));
	const gate = new Promise((resolve) => (release = resolve));
	await page.route(`**/${part}`, async (route) => {
		note();
		await gate;
		await route.continue();
	});
	return { asked, release };
}

/** Keeps back what is asked of the server by one operation, until `window.letGo()`. */
const holdBack = (page, op) => page.evaluate((held) => {
	const { send } = WebSocket.prototype;
	WebSocket.prototype.send = function (text) {
		if (JSON.parse(text).op !== held) return send.call(this, text);
		window.letGo = () => {
			WebSocket.prototype.send = send;
			send.call(this, text);
		};
	};
}, op);

test("a room that a command enters takes no field from who types on while the command is loaded", async () => {
	const kit = await come("kit", "porch");
	const held = await hold(kit, "run-command.js");
	await say(kit, "/join slow");
	await held.asked;
	await kit.locator("#text").pressSequentially("half a sen");
	held.release();
	await toast(kit, "You are in slow now.");
	await kit.keyboard.type("tence");
	assert.equal(await kit.textContent("#title"), "porch");
	assert.equal(await focus(kit), "text");
	assert.equal(await kit.inputValue("#text"), "half a sentence");
	// Who waits is taken there.
	await say(kit, "/join slow");
	await opened(kit, "slow");
});

test("a command is carried out in the room in which it was typed, though another one is open when it is loaded", async () => {
	const eve = await Member.connect(server.tcp, "eve");
	for (const room of ["porch", "yard"]) await eve.join(room);
	const kit = await come("kat", "yard");
	await kit.goto(`${server.url}#room=porch`);
	await opened(kit, "porch");
	const held = await hold(kit, "run-command.js");
	await say(kit, "/me waves");
	await held.asked;
	await say(kit, "/topic cushions");
	await kit.locator("#rooms a", { hasText: "yard" }).click();
	await opened(kit, "yard");
	held.release();
	await until("the message", () => eve.lines.get("porch")?.some((line) => line.endsWith("*waves*")));
	await until("the topic", () => eve.events.some(({ ev, room }) => ev === "topic" && room === "porch"));
	await say(kit, "in the yard");
	await shows(kit, "in the yard");
	assert.deepEqual((await lines(kit)).map((line) => line.replace(/^\d+ /, "")), ["in the yard"]);
	assert.ok(!eve.events.some(({ ev, room }) => ev === "topic" && room === "yard"));
});

test("a command that takes the focus, or the name, leaves who types on as they are", async () => {
	for (const typed of ["/nick other", "/quit", "/search tea", "/bans", "/status"]) {
		const kit = await come("kit", "porch");
		await say(kit, "something said");
		await shows(kit, "something said");
		const held = await hold(kit, "run-command.js");
		await say(kit, typed);
		await held.asked;
		await kit.locator("#text").pressSequentially("half a sen");
		held.release();
		await toast(kit, LEFT);
		await kit.keyboard.type("tence");
		assert.equal(await focus(kit), "text", typed);
		assert.equal(await isOpen(kit), false, typed);
		assert.equal(await kit.textContent("#me"), "kit", typed);
		assert.equal(await kit.inputValue("#text"), "half a sentence", typed);
	}
});

test("a dialog that is loaded late does not open over who types on, and opens when it is asked for again", async () => {
	const kit = await come("kit", "porch");
	for (const [part, ask] of [
		["settings.js", () => kit.click("#open-settings")],
		["directory.js", () => kit.click("#open-directory")],
		["members.js", () => kit.click("#members-open")],
		["moderation.js", () => kit.click("#about-open")],
		["emoji.js", () => kit.click("#open-emoji")],
		["search.js", () => kit.click("#open-search")],
		["switcher.js", () => kit.press("#text", "Control+k")],
	]) {
		const held = await hold(kit, part);
		await ask();
		await held.asked;
		await kit.fill("#text", "");
		await kit.locator("#text").pressSequentially("half a sen");
		held.release();
		await toast(kit, LEFT);
		await kit.keyboard.type("tence");
		assert.equal(await isOpen(kit), false, part);
		assert.equal(await kit.inputValue("#text"), "half a sentence", part);
		await dismiss(kit);
		await ask();
		await kit.locator("dialog[open]").waitFor();
		await kit.keyboard.press("Escape");
		await holds(kit, () => !document.querySelector("dialog[open]"));
	}
});

test("of a list that is opened again, or asked for more twice, nothing is shown twice", async () => {
	const crowd = await Promise.all(Array.from({ length: 60 }, (_, number) => Member.connect(server.tcp, `mate${number}`)));
	await Promise.all(crowd.map((mate) => mate.join("hall")));
	const kit = await come("kit", "hall");
	const names = () => kit.$$eval("#members-list > li", (nodes) => nodes.map((node) => node.textContent));
	await kit.click("#members-open");
	await kit.locator("#members-more").waitFor();
	await kit.click("#members-close");
	await holdBack(kit, "members");
	await kit.click("#members-open");
	await holds(kit, () => Boolean(window.letGo));
	await kit.click("#members-close");
	await kit.evaluate(() => {
		const first = window.letGo;
		document.querySelector("#members-open").click();
		// The first answer comes when the second has been asked for.
		first();
		window.letGo();
		delete window.letGo;
	});
	await kit.locator("#members-more").waitFor();
	assert.equal((await names()).length, 50);
	await kit.evaluate(() => [1, 2].forEach(() => document.querySelector("#members-more").click()));
	await holds(kit, () => document.querySelectorAll("#members-list > li").length > 50);
	await kit.locator("#members-more").waitFor({ state: "hidden" });
	const shown = await names();
	assert.deepEqual([shown.length, new Set(shown).size], [61, 61]);
});

test("what waits for the server's answer takes no focus from who types on", async () => {
	const kit = await come("kit", "porch");
	await say(kit, "/create den");
	await opened(kit, "den");
	const eve = await Member.connect(server.tcp, "eve");
	await eve.join("den");
	for (const ask of [() => kit.click("#about-open"), () => kit.click("#leave"), () => say(kit, "/leave"), () => kit.getByRole("button", { name: "Moderate eve", exact: true }).click()]) {
		await holdBack(kit, "members");
		await ask();
		await holds(kit, () => Boolean(window.letGo));
		await kit.fill("#text", "");
		await kit.locator("#text").pressSequentially("half a sen");
		await kit.evaluate(() => {
			window.letGo();
			delete window.letGo;
		});
		await toast(kit, LEFT);
		await kit.keyboard.type("tence");
		assert.equal(await isOpen(kit), false);
		assert.equal(await kit.textContent("#title"), "den");
		assert.equal(await kit.inputValue("#text"), "half a sentence");
		await dismiss(kit);
	}
});
