import assert from "node:assert/strict";
import { test } from "node:test";
import { assertAccessible, enter, holds, lines, lost, opened, picture, say, server, shows, visit } from "./page.mjs";
import { Member, Proxy, until } from "./surroundings.mjs";

test("everything is in reach of the keyboard", async () => {
	const page = await visit();
	assert.equal(await page.evaluate(() => document.activeElement.id), "name");
	await page.keyboard.type("Kay Smith");
	await page.keyboard.press("Enter");
	await opened(page, "lobby");
	assert.equal(await page.textContent("#me"), "kay-smith");
	assert.equal(await page.evaluate(() => document.activeElement.id), "text");
	await page.keyboard.type("first");
	await page.keyboard.press("Shift+Enter");
	await page.keyboard.type("second");
	await page.keyboard.press("Enter");
	await until("the message", async () => (await lines(page)).some((line) => line.endsWith("first\nsecond")));
	for (let line = 0; line < 12; line += 1) await say(page, `line ${line}`);
	// By Tab alone, past the end of the page to its beginning.
	const seen = [];
	while (seen.at(-1) !== "add" && seen.length < 40) {
		await page.keyboard.press("Tab");
		const focus = await page.evaluate(() => {
			const { activeElement: node } = document;
			const style = getComputedStyle(node);
			return { id: node.id || node.localName, outline: style.outlineStyle !== "none" && style.outlineWidth !== "0px" };
		});
		seen.push(focus.id);
		assert.ok(focus.outline || focus.id === "body", `${focus.id} shows its focus`);
	}
	assert.deepEqual(seen.slice(seen.indexOf("skip")), ["skip", "a", "open-switcher", "open-directory", "add"]);
	assert.ok(seen.length < 12, `${seen}`);
	await page.keyboard.press("Enter");
	await page.keyboard.press("Escape");
	await page.locator("#join").waitFor({ state: "hidden" });
	await page.keyboard.press("Enter");
	await page.keyboard.type("Garden");
	await picture(page, "dialog");
	await page.keyboard.press("Enter");
	await opened(page, "garden");
	await page.keyboard.press("Alt+ArrowDown");
	await opened(page, "lobby");
	await page.keyboard.press("Alt+ArrowUp");
	await opened(page, "garden");
	await page.focus("#skip");
	await page.keyboard.press("Enter");
	assert.equal(await page.evaluate(() => document.activeElement.id), "text");
});

test("a screen reader finds landmarks, a log, and a name for every control", async () => {
	const page = await enter("lea", "lobby");
	await say(page, "hello https://example.org/");
	await shows(page, "hello");
	const session = await page.context().newCDPSession(page);
	let shown;
	const count = (role) => shown.filter((node) => node.role === role).length;
	await until("the landmarks, once each", async () => {
		const { nodes } = await session.send("Accessibility.getFullAXTree");
		shown = nodes.filter((node) => !node.ignored).map((node) => ({ role: node.role?.value, name: node.name?.value?.trim() ?? "" }));
		return ["navigation", "main", "complementary", "log"].every((role) => count(role) === 1);
	});
	const controls = shown.filter((node) => ["button", "me-status", "textbox", "checkbox", "dialog", "list", "log", "navigation"].includes(node.role) && node.role !== "list");
	assert.ok(controls.length >= 8);
	assert.deepEqual(controls.filter((node) => !node.name), []);
	assert.equal(shown.filter((node) => node.role === "heading" && node.name === "lobby").length, 1);
});

for (const [name, width, height, colorScheme] of [["phone-dark", 414, 800, "dark"], ["phone-middle-light", 360, 720, "light"], ["phone-small-light", 320, 560, "light"]]) {
	test(`it is usable on a phone: ${name}`, async () => {
		const mia = await Member.connect(server.tcp, "mia");
		await mia.join("lobby");
		await mia.say("lobby", "in the middle");
		await mia.say("lobby", `A long word: ${"o".repeat(200)} and an address: https://example.org/${"path/".repeat(30)}`);
		const options = { viewport: { width, height }, hasTouch: true, isMobile: true, deviceScaleFactor: 2, colorScheme };
		const page = await visit(server.url, options);
		await picture(page, `${name}-welcome`);
		await page.fill("#name", `ned-${width}`);
		await page.tap("#sign-in .primary");
		await opened(page, "lobby");
		await shows(page, "A long word");
		const wide = () => page.evaluate(() => [document.documentElement.scrollWidth, document.querySelector("#log").scrollWidth]);
		assert.deepEqual(await wide(), [width, width]);
		await picture(page, name);
		// A tap shows the actions on a message, in view and over nothing that is said.
		const short = page.locator("#messages > .msg", { hasText: "in the middle" }).last();
		await short.locator(".text").tap({ position: { x: 20, y: 10 } });
		await short.locator(".actions").waitFor();
		// All at one moment: what comes may scroll the log.
		const [bar, own, log, ...others] = await short.evaluate((node) => {
			const all = [node.querySelector(".actions"), node.querySelector(".text"), document.querySelector("#log"), ...document.querySelectorAll("#messages > .msg .text")];
			return all.map((part) => [part.getBoundingClientRect(), part.textContent]).map(([{ top, bottom }, text]) => ({ top, bottom, text }));
		});
		assert.ok(own.bottom <= bar.top && log.top <= own.top && bar.bottom <= log.bottom, JSON.stringify([own, bar, log]));
		for (const other of others) assert.ok(other.bottom <= bar.top || bar.bottom <= other.top, JSON.stringify([other, bar]));
		await picture(page, `${name}-acts-short`);
		// Another one hides them.
		const message = page.locator("#messages > .msg").last();
		await message.locator(".text").tap({ position: { x: 20, y: 10 } });
		await message.locator(".actions").waitFor();
		assert.deepEqual(await wide(), [width, width]);
		await picture(page, `${name}-acts`);
		await message.locator(".actions button").first().tap();
		await message.locator(".reaction").waitFor();
		await page.tap("#title");
		await message.locator(".actions").waitFor({ state: "detached" });
		const small = await page.$$eval("button, a", (nodes) => nodes
			.filter((node) => node.checkVisibility() && !node.closest("#messages") && node.id !== "skip")
			.map((node) => [node.id, node.getBoundingClientRect().height]).filter(([, height]) => height < 36));
		assert.deepEqual(small, []);
		assert.equal(await page.locator("#nav").isVisible(), false);
		await page.tap("#open-nav");
		await page.locator("#nav").waitFor();
		await picture(page, `${name}-rooms`);
		await page.touchscreen.tap(width - 10, height / 2);
		await page.locator("#nav").waitFor({ state: "hidden" });
		await page.tap("#open-people");
		await page.locator("#persons button", { hasText: "mia" }).tap();
		await opened(page, "mia");
		await page.fill("#text", "from a phone");
		await page.tap("#composer .primary");
		await shows(page, "from a phone");
		assert.deepEqual(await wide(), [width, width]);
	});
}

test("a tap on a reaction counts, though the toolbar that comes with it moves what is below", async () => {
	const robot = await Member.connect(server.tcp, "robot");
	await robot.join("taps");
	const { seq } = await robot.say("taps", "hello there");
	await robot.ask("react", { room: "taps", target: seq, emoji: "😂" });
	const phone = await enter("pia", "taps", undefined, { viewport: { width: 360, height: 720 }, hasTouch: true, isMobile: true });
	await phone.locator(".reaction").tap();
	await holds(phone, () => document.querySelector(".reaction").textContent === "😂 2");
	await phone.locator(".actions").waitFor();
});

test("on a page enlarged four times all is within reach, and the name of a button has the count that it shows", async () => {
	const room = "a-room-with-a-very-long-name.of3";
	const page = await enter("kim", room, undefined, { viewport: { width: 320, height: 256 } });
	const bob = await Member.connect(server.tcp, "bob");
	await bob.ask("send", { to: "kim", text: "hello" });
	await until("the count", async () => (await page.textContent("#nav-badge")) === "1");
	assert.equal(await page.getAttribute("#open-nav", "aria-label"), "Conversations, 1");
	await assertAccessible(page, "a count");
	await picture(page, "enlarged");
	// The name of the room stands in the field on one line.
	assert.ok((await page.locator("#text").boundingBox()).height < 60);
	const { width } = await page.locator("#title").boundingBox();
	assert.ok(width > 70, `${width} px for the name of the room`);
	await page.click("#open-nav");
	await page.locator("#directs a", { hasText: "bob" }).click({ trial: true });
	await page.click("#open-settings");
	await page.locator("#settings[open]").waitFor();
	await page.keyboard.press("Escape");
	await page.click("#open-people");
	await page.locator("#persons li", { hasText: "kim" }).hover();
	await page.click("#members-open");
	await page.locator("#members[open]").waitFor();
	await page.keyboard.press("Escape");
	await page.click("#open-nav");
	await page.locator("#directs a", { hasText: "bob" }).click();
	await opened(page, "bob");
	await until("no count", async () => (await page.getAttribute("#open-nav", "aria-label")) === "Conversations");
});

test("in forced colours the open conversation, and who is away, are told from the others", async () => {
	const page = await enter("kip", "shade", undefined, { forcedColors: "active" });
	const bob = await Member.connect(server.tcp, "bob");
	await bob.join("shade");
	await bob.ask("status", { status: "away" });
	await page.locator("#persons .away", { hasText: "bob" }).waitFor();
	await page.goto(`${server.url}#room=sun`);
	await opened(page, "sun");
	const outlines = await page.$$eval("#rooms a", (links) => links.map((link) => [link.textContent, getComputedStyle(link).outlineStyle]));
	assert.deepEqual(Object.fromEntries(outlines), { "#shade": "none", "#sun": "solid" });
	await page.goto(`${server.url}#room=shade`);
	await opened(page, "shade");
	await page.locator("#persons .away", { hasText: "bob" }).waitFor();
	const dots = await page.$$eval("#persons .avatar", (avatars) => avatars.map((avatar) => getComputedStyle(avatar, "::after").backgroundColor));
	assert.equal(new Set(dots).size, 2, `${dots}`);
	await assertAccessible(page, "forced colours");
	await picture(page, "forced-colours");
});

test("nothing moves for who wishes that", async () => {
	const moving = (page) => page.evaluate(() => {
		document.querySelector("#app").dataset.connection = "connecting";
		return document.getAnimations().filter(({ effect }) => effect.target.closest("#connection")).length;
	});
	assert.equal(await moving(await enter("kim", "still")), 1);
	assert.equal(await moving(await enter("kip", "still", undefined, { reducedMotion: "reduce" })), 0);
});

for (const [name, options] of [["a pointer", {}], ["a finger", { viewport: { width: 360, height: 720 }, hasTouch: true, isMobile: true }]]) {
	test(`the toolbar of a message that is not all in view is over none of its words: ${name}`, async () => {
		const robot = await Member.connect(server.tcp, "robot");
		await robot.join("tall");
		await robot.say("tall", "before");
		const long = Array.from({ length: 80 }, (_, line) => `line ${line} ${"of many words ".repeat(12)}`).join("\n");
		await robot.say("tall", long);
		const page = await enter("pia", "tall", undefined, options);
		const message = page.locator("#messages > .msg", { hasText: "line 79" });
		await message.waitFor();
		await message.locator(".unfold").click();
		/** Scrolls, shows the toolbar where that is, and tells where all is. */
		const at = async (scroll) => {
			await page.evaluate((run) => {
				const log = document.querySelector("#log");
				log.scrollTop = { end: 1e9, middle: log.scrollHeight / 2 }[run] - (run === "end" ? 0 : log.clientHeight / 2);
			}, scroll);
			const { x, y, width, height } = await page.locator("#log").boundingBox();
			if (options.hasTouch) await page.touchscreen.tap(x + width / 2, y + height / 2);
			else {
				await page.mouse.move(x + width / 2, y + height / 2 - 1);
				await page.mouse.move(x + width / 2, y + height / 2);
			}
			await message.locator(".actions").waitFor();
			return message.evaluate((node) => [".actions", ".text"].map((part) => node.querySelector(part)).concat(document.querySelector("#log")).map((each) => each.getBoundingClientRect()).map(({ left, right, top, bottom }) => ({ left, right, top, bottom })));
		};
		// Neither end is in view: the lower edge of the log is the toolbar's from side to side.
		const [strip, words, log] = await at("middle");
		assert.ok(words.top < log.top && words.bottom > log.bottom, JSON.stringify([words, log]));
		assert.ok(strip.left <= words.left && strip.right >= words.right && Math.abs(strip.bottom - log.bottom) < 2, JSON.stringify([strip, words, log]));
		const latest = await page.locator("#latest").boundingBox();
		assert.ok(latest.y + latest.height <= strip.top && latest.y > log.top, JSON.stringify([latest, strip]));
		await picture(page, `toolbar-tall-${options.hasTouch ? "phone" : "laptop"}`);
		// Its end is: the toolbar is below it.
		const [bar, text, all] = await at("end");
		assert.ok(text.top < all.top && text.bottom <= bar.top + 1 && bar.bottom <= all.bottom + 1, JSON.stringify([bar, text, all]));
		await message.locator(".actions").getByRole("button", { name: "Like" }).click({ trial: true });
	});
}

test("a finger on the words of a message shows what can be done with it, close to the name of who said it, too", async () => {
	const robot = await Member.connect(server.tcp, "robot");
	await robot.join("close");
	await robot.say("close", `\`\`\`\nlet line = "${"of code that does not end soon ".repeat(5)}";\n\`\`\``);
	await robot.say("close", "and you, what do you think?");
	const eve = await Member.connect(server.tcp, "eve");
	await eve.join("close");
	await eve.say("close", "hello there");
	const phone = await enter("pia", "close", undefined, { viewport: { width: 320, height: 560 }, hasTouch: true, isMobile: true });
	const message = phone.locator("#messages > .msg", { hasText: "hello there" });
	await message.locator(".text").tap({ position: { x: 10, y: 5 } });
	await message.locator(".actions").waitFor();
	assert.equal(await phone.textContent("#title"), "close");
	await assertAccessible(phone, "long lines of code");
	await picture(phone, "close");
});

test("words from right to left stand at the right, with names and addresses as they are read", async () => {
	const robot = await Member.connect(server.tcp, "robot");
	await robot.join("right");
	const page = await enter("pia", "right");
	await robot.say("right", "\u05e9\u05dc\u05d5\u05dd @pia https://example.org/");
	await page.locator(".mention.me").waitFor();
	const [text, ...ends] = await page.evaluate(() => {
		const box = (node, from, to) => {
			const range = document.createRange();
			range.setStart(node, from);
			range.setEnd(node, to);
			return range.getBoundingClientRect();
		};
		const words = document.querySelector("#messages .text");
		const inside = (node) => [box(node, 0, 1).left, box(node, node.length - 1, node.length).left];
		const first = words.querySelector("span").firstChild;
		return [[box(first, 0, 1).right, words.getBoundingClientRect().right], ...[".mention", "a"].map((part) => inside(words.querySelector(part).firstChild))];
	});
	assert.ok(Math.abs(text[0] - text[1]) < 3, `begins at ${text}`);
	for (const [begin, end] of ends) assert.ok(begin < end, `${ends}`);
	await picture(page, "right-to-left");
});

test("what waits for the connection can be read", async () => {
	const proxy = await Proxy.start(server.web);
	const page = await enter("pia", "tunnel", proxy.url);
	proxy.closed = true;
	proxy.cut();
	await lost(page);
	await say(page, "said in a tunnel");
	await page.locator(".waiting").waitFor();
	await assertAccessible(page, "an unsent message");
});
