import assert from "node:assert/strict";
import { test } from "node:test";
import { assertAccessible, enter, holds, lines, opened, picture, say, shows } from "./page.mjs";
import { Member, until } from "./surroundings.mjs";
import { server } from "./page.mjs";

/** Notices that were shown, instead of those of a desktop. */
const listen = (page) => page.evaluate(() => {
	window.shown = [];
	window.Notification = class {
		static permission = "granted";
		constructor(title, { body, tag }) {
			window.shown.push({ title, body, tag });
		}
		close() {}
	};
});
const shown = (page) => page.evaluate(() => window.shown);
const choose = async (page, choices) => {
	await page.click("#open-settings");
	await page.locator("#settings[open]").waitFor();
	for (const [name, value] of Object.entries(choices)) await page.selectOption(`#settings-${name}`, value);
	await page.click("#settings-close");
};

test("who looks elsewhere is told as wished: of everything, of what names them, of nothing", async () => {
	const ann = await enter("ann", "here");
	await say(ann, "/join away");
	await opened(ann, "away");
	await say(ann, "/join here");
	await opened(ann, "here");
	await listen(ann);
	const eve = await Member.connect(server.tcp, "eve");
	await eve.join("away");
	const says = async (text, ...told) => {
		await ann.evaluate(() => window.shown.splice(0));
		await eve.say("away", text);
		// What follows the message has come with it, or not at all.
		await eve.join("here");
		await eve.say("here", `after ${text}`);
		await shows(ann, `after ${text}`);
		assert.deepEqual((await shown(ann)).map(({ title, body }) => `${title}: ${body}`), told);
	};
	await says("one");
	await choose(ann, { notices: "mentions" });
	await says("two");
	await says("three @ann", "eve in away: three @ann");
	await choose(ann, { notices: "all" });
	await says("four", "eve in away: four");
	await until("the count in the title", async () => /^\(@1, 4\)/.test(await ann.title()));
	const icon = async () => decodeURIComponent(await ann.getAttribute("#icon", "href"));
	await until("who names the user in the icon", async () => /^data:image\/svg\+xml,<svg .*>1<\/text><\/svg>$/.test(await icon()));
	await ann.locator("#icon").evaluate((link) => new Promise((resolve, reject) => Object.assign(new Image(), { onload: resolve, onerror: reject, src: link.href })));
	await say(ann, "/join away");
	await opened(ann, "away");
	await choose(ann, { of: "none" });
	await say(ann, "/join here");
	await opened(ann, "here");
	await says("five @ann");
	// What is on the screen is counted until the server knows that it was read.
	await until("no count in the title", async () => !(await ann.title()).startsWith("("));
	await until("the icon as it was", async () => (await icon()) === "/favicon.svg");
	await ann.click("#open-settings");
	await assertAccessible(ann, "settings");
	await picture(ann, "settings");
});

test("what is preferred holds at once, and on the next visit", async () => {
	const ann = await enter("ann", "tastes");
	await choose(ann, { theme: "dark", density: "dense", hours: "24", enter: "breaks" });
	const scheme = () => ann.evaluate(() => getComputedStyle(document.documentElement).colorScheme);
	assert.equal(await scheme(), "dark");
	await ann.fill("#text", "one");
	await ann.press("#text", "Enter");
	await ann.locator("#text").pressSequentially("two");
	await ann.press("#text", "Control+Enter");
	await until("both lines in one message", async () => (await lines(ann)).join() === "1 one\ntwo");
	await holds(ann, () => /^\d\d:\d\d$/.test(document.querySelector("#messages time").textContent));
	await ann.reload();
	await opened(ann, "tastes");
	assert.equal(await scheme(), "dark");
	assert.equal(await ann.evaluate(() => document.documentElement.dataset.density), "dense");
});

test("a sound is made, where it is wished, once for what comes together", async () => {
	const sue = await enter("sue", "quiet");
	await sue.evaluate(() => {
		window.tones = 0;
		const { start } = OscillatorNode.prototype;
		OscillatorNode.prototype.start = function (...given) {
			window.tones += 1;
			return start.apply(this, given);
		};
	});
	await choose(sue, { notices: "all" });
	const eve = await Member.connect(server.tcp, "eve");
	const says = async (text) => {
		await eve.ask("send", { to: "sue", text });
		await holds(sue, (n) => document.title.startsWith(`(${n})`), text);
	};
	await says("1");
	assert.equal(await sue.evaluate(() => window.tones), 0);
	await sue.click("#open-settings");
	await sue.check("#settings [name=sound]");
	await sue.click("#settings-close");
	await Promise.all(["2", "3"].map((text) => eve.ask("send", { to: "sue", text })));
	await holds(sue, () => document.title.startsWith("(3)"));
	await until("one sound", async () => (await sue.evaluate(() => window.tones)) === 1);
});
