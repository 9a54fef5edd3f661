// The main paths in Firefox, as Debian has it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertAccessible, assertDense, comeBack, enter, holds, lines, lost, opened, picture, say, server, shows, useFirefox } from "./page.mjs";
import { Member, Proxy, until } from "./surroundings.mjs";

useFirefox();

test("Firefox signs in, sends, and shows what others say, who is there and who is typing", async () => {
	const bob = await Member.connect(server.tcp, "bob");
	await bob.join("fox");
	const ann = await enter("ann", "fox");
	assert.match(await ann.evaluate(() => navigator.userAgent), /Firefox\//);
	await ann.fill("#text", "hello **from** Firefox");
	await ann.press("#text", "Enter");
	await shows(ann, "hello from Firefox");
	await until("the message at the other end", async () => bob.lines.get("fox")?.includes("1 hello **from** Firefox"));
	await bob.say("fox", "hello @ann, see https://example.org/");
	await ann.locator(".named", { hasText: "hello @ann" }).waitFor();
	await bob.ask("typing", { room: "fox" });
	await holds(ann, () => document.querySelector("#typing").textContent.includes("is typing"));
	await ann.locator("#persons li", { hasText: "bob" }).waitFor();
	await bob.ask("react", { room: "fox", target: 1, emoji: "+1" });
	await ann.locator(".reaction").waitFor();
	await assertAccessible(ann, "the log in Firefox");
	await picture(ann, "firefox");
	await ann.reload();
	await opened(ann, "fox");
	await shows(ann, "hello from Firefox");
});

test("Firefox goes on after a lost connection, with what was said meanwhile, once and in order", async () => {
	const proxy = await Proxy.start(server.web);
	const page = await enter("cat", "lost", proxy.url);
	const dan = await Member.connect(server.tcp, "dan");
	await dan.join("lost");
	await say(page, "before");
	await shows(page, "before");
	proxy.closed = true;
	proxy.cut();
	await lost(page);
	await say(page, "said while offline");
	await page.locator(".waiting").waitFor();
	for (let line = 0; line < 5; line += 1) await dan.say("lost", `missed ${line}`);
	await picture(page, "firefox-offline");
	// It looks whether the server is there by requests: WebSockets that fail would have Firefox delay the one that does not.
	for (let times = 0; times < 2; times += 1) await page.waitForRequest((request) => request.method() === "HEAD");
	proxy.closed = false;
	await comeBack(page);
	await shows(page, "said while offline");
	const shown = await lines(page);
	assert.deepEqual(shown, ["1 before", ...[0, 1, 2, 3, 4].map((line) => `${line + 2} missed ${line}`), "7 said while offline"]);
	assertDense(shown);
});

test("Firefox sends a picture, drawn anew, and shows it", async () => {
	const page = await enter("eve", "album");
	const url = await page.evaluate(() => {
		const canvas = Object.assign(document.createElement("canvas"), { width: 800, height: 400 });
		canvas.getContext("2d").fillRect(0, 0, 800, 200);
		return canvas.toDataURL("image/png");
	});
	const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.click("#attach")]);
	await chooser.setFiles([{ name: "plan.png", mimeType: "image/png", buffer: Buffer.from(url.split(",")[1], "base64") }]);
	await holds(page, () => document.querySelectorAll("#tray li").length === 1);
	await say(page, "the plan");
	await holds(page, () => document.querySelector(".files img")?.naturalWidth > 0);
	await picture(page, "firefox-files");
});

test("Firefox finds rooms and messages, and keeps what one prefers", async () => {
	const fox = await Member.connect(server.tcp, "fay");
	await fox.join("meadow");
	await fox.say("meadow", "clover is out");
	const page = await enter("gil", "lobby");
	await page.click("#open-directory");
	await page.fill("#directory-find", "mead");
	await holds(page, () => document.querySelector("#directory-list bdi")?.textContent === "meadow" && document.querySelectorAll("#directory-list li").length === 1);
	await page.press("#directory-find", "Enter");
	await opened(page, "meadow");
	await page.keyboard.press("Control+k");
	await page.fill("#switcher-find", "lob");
	await page.press("#switcher-find", "Enter");
	await opened(page, "lobby");
	await page.click("#open-search");
	await page.fill("#search-text", "clov from:fay");
	await until("the message", async () => {
		await page.press("#search-text", "Enter");
		return (await page.textContent("#found")).includes("clover is out");
	});
	await page.locator("#found button").click();
	await opened(page, "meadow");
	await page.locator(".sought").waitFor();
	await page.click("#open-settings");
	await page.selectOption("#settings-theme", "dark");
	await page.click("#settings-close");
	await page.reload();
	await opened(page, "meadow");
	assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
	await picture(page, "firefox-dark");
});

test("Firefox has the message field grow with its lines, and completes names", async () => {
	const page = await enter("hal", "lines");
	const height = () => page.evaluate(() => document.querySelector("#text").offsetHeight);
	const before = await height();
	await until("a field that has grown", async () => {
		await page.fill("#text", "one\ntwo\nthree\nfour");
		return (await height()) > 2 * before;
	});
	await page.press("#text", "Enter");
	await shows(page, "four");
	await until("a field of one line", async () => (await height()) === before);
	const bot = await Member.connect(server.tcp, "robot");
	await bot.join("lines");
	await page.locator("#persons li", { hasText: "robot" }).waitFor();
	await page.locator("#text").pressSequentially("well, @rob");
	await page.locator("#choices li", { hasText: "@robot" }).waitFor();
	await page.press("#text", "Tab");
	assert.equal(await page.inputValue("#text"), "well, @robot ");
});
