// What people do in a chat, each thing once, by a phone, a laptop and a program, with the phone's connection lost in the middle of it;
// files, which have their own loss of it in page.files.test.mjs, are not among them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertAccessible, comeBack, enter, holds, lost, opened, picture, say, server, shows } from "./page.mjs";
import { Member, Proxy, until } from "./surroundings.mjs";

const PHONE = { viewport: { width: 360, height: 720 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2, colorScheme: "dark" };
const ROOM = "commons";
const entry = (page, text) => page.locator("#messages > .msg", { has: page.locator(".text", { hasText: text }) }).last();
const textOf = (page, selector) => page.locator(selector).evaluate((node) => node.textContent);

/** Shows the actions on a message, by a finger or the pointer. */
async function actions(page, text) {
	const message = entry(page, text);
	await (page.isPhone ? message.locator(".text").tap({ position: { x: 10, y: 8 } }) : message.hover());
	await message.locator(".actions").waitFor();
	return message;
}
const act = async (page, text, name) => (await actions(page, text)).getByRole("button", { name, exact: true }).click();
const drawer = async (page, name) => page.isPhone && (await page.tap(name === "nav" ? "#open-nav" : "#open-people"));

test("a phone, a laptop and a program do everything once, and lost connections take nothing away", async () => {
	const proxy = await Proxy.start(server.web);
	// Without a sign-up: by a name alone.
	const [lap, phone] = await Promise.all([enter("lea", ROOM), enter("pia", ROOM, proxy.url, PHONE)]);
	phone.isPhone = true;
	const bot = await Member.connect(server.tcp, "robot");
	await bot.join(ROOM);

	const failed = [];
	/** One thing: `meanwhile` happens while the phone has no connection, `then` when it is back. */
	async function each(name, meanwhile, then) {
		try {
			proxy.closed = true;
			proxy.cut();
			await lost(phone);
			await meanwhile();
			proxy.closed = false;
			await comeBack(phone);
			await then();
		} catch (error) {
			// The others are tried all the same.
			failed.push(`${name}: ${error.stack.split("\n").filter((line) => /everything|^\w*Error/.test(line)).join(" ")}`);
			proxy.closed = false;
			await comeBack(phone);
		}
		await picture(phone, `everything-${name}-phone`);
		await picture(lap, `everything-${name}-laptop`);
	}

	await each("lost", async () => {
		await say(phone, "typed in a tunnel");
		await say(lap, "said meanwhile");
		await bot.say(ROOM, "told by a program");
	}, async () => {
		for (const page of [phone, lap]) for (const text of ["typed in a tunnel", "said meanwhile", "told by a program"]) await shows(page, text);
		const shown = await phone.$$eval("#messages > .msg .text", (nodes) => nodes.map((node) => node.textContent));
		assert.equal(new Set(shown).size, shown.length, "nothing twice");
	});
	await each("lines", async () => {
		await lap.fill("#text", "first line");
		await lap.press("#text", "Shift+Enter");
		await lap.locator("#text").pressSequentially("second line https://example.org/");
		await lap.press("#text", "Enter");
	}, async () => {
		await shows(phone, "first line\nsecond line");
		assert.equal(await entry(phone, "second line").locator("a").getAttribute("href"), "https://example.org/");
		assert.equal(await phone.locator("#messages .day").count(), 1, "the day stands above");
	});
	await each("edits", async () => {
		await act(lap, "said meanwhile", "Edit");
		await say(lap, "said in the meantime");
		await bot.ask("delete", { room: ROOM, target: (await bot.say(ROOM, "a slip")).seq });
	}, async () => {
		await shows(phone, "said in the meantime");
		await shows(phone, "Message deleted");
	});
	await each("reactions", async () => act(lap, "typed in a tunnel", "Laugh"), async () => {
		await entry(phone, "typed in a tunnel").locator(".reaction", { hasText: "😂" }).tap();
		await holds(lap, () => /2/.test(document.querySelector(".reaction")?.textContent));
	});
	await each("answers", async () => {
		await act(lap, "told by a program", "Answer");
		await say(lap, "thank you");
	}, async () => {
		await shows(phone, "thank you");
		await entry(phone, "thank you").locator(".quoted", { hasText: "told by a program" }).waitFor();
	});
	await each("threads", async () => {
		await act(lap, "typed in a tunnel", "Thread");
		await lap.fill("#thread-text", "which tunnel?");
		await lap.press("#thread-text", "Enter");
		await holds(lap, () => document.querySelectorAll("#thread-messages > .msg:not(.waiting)").length === 2);
	}, async () => {
		// Whoever has begun it follows it, and is told.
		await holds(phone, () => document.querySelector("#threads li .badge")?.textContent === "1 new");
		await entry(phone, "typed in a tunnel").locator(".answers").tap();
		await phone.locator("#thread-messages .text", { hasText: "which tunnel?" }).waitFor();
		await phone.tap("#thread-close");
		await lap.click("#thread-close");
	});
	await each("mentions", async () => bot.say(ROOM, "the train is late, @pia"), async () => {
		await shows(phone, "the train is late");
		await entry(phone, "the train is late").locator(".mention.me").waitFor();
		assert.equal(await phone.locator("#messages > .named").count(), 1);
	});
	await each("markdown", async () => say(lap, "**so** it goes:\n```\nlet a = 1;\n```\n- one\n- two"), async () => {
		await entry(phone, "let a = 1;").locator("pre").waitFor();
		assert.equal(await entry(phone, "let a = 1;").locator("strong, li").count(), 3);
	});
	await each("counts", async () => {
		await bot.ask("send", { to: "lea", text: "psst" });
		await bot.ask("send", { to: "pia", text: "psst" });
	}, async () => {
		for (const page of [lap, phone]) await until("the count in the title", async () => /^\(1\)/.test(await page.title()));
		await drawer(phone, "nav");
		await phone.locator("#directs a", { hasText: "robot" }).tap();
		await opened(phone, "robot");
		await holds(phone, () => !document.title.startsWith("("));
		await lap.locator("#directs a", { hasText: "robot" }).click();
		await opened(lap, "robot");
		await until("the receipt", async () => bot.events.some(({ ev, read }) => ev === "receipts" && read?.lea));
		for (const page of [lap, phone]) {
			await page.evaluate((room) => (location.hash = `#room=${room}`), ROOM);
			await opened(page, ROOM);
		}
	});
	await each("typing", async () => bot.ask("status", { status: "away" }), async () => {
		await phone.locator("#text").pressSequentially("hm");
		await holds(lap, () => /pia.* is typing/.test(document.querySelector("#typing").textContent));
		await holds(lap, () => document.querySelector("#persons .away")?.textContent.includes("robot"));
		await phone.fill("#text", "");
	});
	await each("rooms", async () => {
		await bot.ask("create", { room: "den", private: true });
		await bot.ask("topic", { room: "den", text: "quiet, please" });
		await bot.ask("invite", { room: "den", user: "pia" });
		await bot.join("garden");
	}, async () => {
		await drawer(phone, "nav");
		await phone.locator("#invites a", { hasText: "den" }).tap();
		await opened(phone, "den");
		assert.equal(await textOf(phone, "#topic"), "quiet, please");
		await phone.locator("#rooms .lock").first().waitFor({ state: "attached" });
	});
	await each("moderation", async () => bot.ask("mute", { room: "den", user: "pia", reason: "shouts" }), async () => {
		await holds(phone, () => [...document.querySelectorAll("#messages > .note")].some((node) => /muted/.test(node.textContent) && /shouts/.test(node.textContent)));
		await phone.evaluate((room) => (location.hash = `#room=${room}`), ROOM);
		await opened(phone, ROOM);
	});
	await each("directory", async () => {
		await lap.click("#open-directory");
		await lap.locator("#directory-list button", { hasText: "garden" }).click();
		await opened(lap, "garden");
	}, async () => {
		await drawer(phone, "nav");
		await phone.tap("#open-directory");
		await holds(phone, () => /garden/.test(document.querySelector("#directory-list")?.textContent));
		assert.doesNotMatch(await textOf(phone, "#directory-list"), /den\b(?<!garden)/, "a private room is not there");
		await assertAccessible(phone, "the directory of a phone");
		await phone.tap("#directory-close");
	});
	await each("search", async () => {
		await lap.evaluate((room) => (location.hash = `#room=${room}`), ROOM);
		await opened(lap, ROOM);
	}, async () => {
		await phone.evaluate(() => document.querySelector("#app").classList.remove("nav-open"));
		await say(phone, "/search tunnel from:pia");
		await phone.locator("#found button", { hasText: "typed in a tunnel" }).first().tap();
		await holds(phone, () => document.querySelector("#messages .sought .text")?.textContent === "typed in a tunnel");
	});
	await each("links", async () => {
		await lap.click("#pin");
		await holds(lap, () => document.querySelector("#rooms .pinned")?.textContent.includes("commons"));
	}, async () => {
		const at = await entry(lap, "thank you").evaluate((node) => node.value);
		const { epoch } = await bot.join(ROOM);
		await phone.evaluate(([room, seq, of]) => (location.hash = `#room=${room}&at=${seq}&epoch=${of}`), [ROOM, at, epoch]);
		await holds(phone, () => document.querySelector("#messages .sought .text")?.textContent === "thank you");
	});
	await each("oneself", async () => {
		await lap.click("#open-settings");
		await lap.fill("#profile-display", "Lea of the laptop");
		await lap.getByRole("radio", { name: "Purple" }).check();
		await lap.locator("#profile-form button").click();
		await lap.getByText("Others see it now.").waitFor();
		await lap.click("#settings-close");
	}, async () => {
		await entry(phone, "thank you").locator(".called", { hasText: "Lea of the laptop" }).waitFor();
		await say(phone, "/status 1h on the train");
		await holds(lap, () => /on the train/.test(document.querySelector("#persons").textContent));
		await assertAccessible(phone, "all of it, on a phone");
		await assertAccessible(lap, "all of it, on a laptop");
	});
	assert.deepEqual(failed, []);
	// By the keyboard alone, what was said last is the same for all.
	await lap.focus("#text");
	await lap.keyboard.type("good night");
	await lap.keyboard.press("Enter");
	await shows(phone, "good night");
	const texts = (page) => page.$$eval("#messages > .msg:not(.waiting) .text", (nodes) => nodes.map((node) => node.textContent).slice(-5));
	assert.deepEqual(await texts(phone), await texts(lap));
});
