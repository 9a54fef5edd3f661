// The operator's dashboard and the pages of the documentation.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertAccessible, configure, holds, picture, server, visit } from "./page.mjs";
import { Member, until } from "./surroundings.mjs";

const TOKEN = "0123456789abcdef-browser";
configure(`admin_token = "${TOKEN}"\n`);

async function at(path, options) {
	const page = await visit(`${server.operator}/`, options);
	await page.goto(`${server.operator}${path}`);
	return page;
}

async function open(options) {
	const page = await at("/admin", options);
	await page.fill("#token", TOKEN);
	await page.press("#token", "Enter");
	await holds(page, () => document.querySelectorAll("#charts figure svg[aria-label]").length === 9);
	return page;
}

const ask = (path, body) =>
	fetch(`${server.operator}/api/v1/${path}`, {
		method: body ? "POST" : "GET",
		headers: { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" },
		body: body && JSON.stringify(body),
	}).then((response) => response.json());

test("the dashboard asks for the token, keeps it for the tab and forgets it", async () => {
	const page = await at("/admin");
	await page.fill("#token", "not the token of this server");
	await page.press("#token", "Enter");
	await holds(page, () => document.querySelector("#token-error").textContent.includes("token"));
	await assertAccessible(page, "the door");
	await picture(page, "admin-door");
	assert.equal(await page.evaluate(() => sessionStorage.length), 0);
	await page.fill("#token", TOKEN);
	await page.press("#token", "Enter");
	await page.locator("#board").waitFor();
	await page.reload();
	await page.locator("#board").waitFor();
	assert.equal(await page.evaluate(() => document.cookie + Object.keys(localStorage).join()), "");
	assert.ok(!(await page.content()).includes(TOKEN));
	await page.click("#forget");
	await page.locator("#door").waitFor();
	assert.equal(await page.evaluate(() => sessionStorage.length), 0);
});

test("the charts follow what happens, and the lists name who lags and why connections end", async () => {
	const page = await open();
	const ann = await Member.connect(server.tcp, "ann");
	const bob = await Member.connect(server.tcp, "bob");
	await ann.ask("join", { room: "lobby" });
	for (let n = 0; n < 20; n += 1) await ann.ask("send", { room: "lobby", text: `line ${n}` });
	await ask("disconnect", { user: "ann" });
	await holds(page, () => document.querySelector("#closes").textContent.includes("rebalance"));
	await holds(page, () => document.querySelector("#rooms").textContent.includes("lobby"));
	await holds(page, () => document.querySelector("#ended").textContent.includes("ann"));
	assert.match(await page.textContent("#state"), /Ready/);
	// More than one sample: there are lines to be seen.
	await holds(page, () => [...document.querySelectorAll("#charts path.first")].some((path) => path.getAttribute("d").split("L").length > 3));
	await assertAccessible(page, "the dashboard");
	await page.setViewportSize({ width: 1280, height: 1300 });
	await picture(page, "admin");
	await page.emulateMedia({ colorScheme: "dark" });
	await assertAccessible(page, "the dashboard in the dark");
	await picture(page, "admin-dark");
	await page.emulateMedia({ colorScheme: "light" });
	await page.setViewportSize({ width: 1280, height: 800 });
	bob.socket.destroy();
});

test("on a phone everything is there and nothing sticks out", async () => {
	const page = await open({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
	await until("two samples", () => page.evaluate(() => document.querySelector("#charts path.first").getAttribute("d").length > 10));
	const width = await page.evaluate(() => document.documentElement.scrollWidth);
	assert.ok(width <= 360, `${width}`);
	await assertAccessible(page, "the dashboard on a phone");
	await picture(page, "admin-phone");
	await page.click("#forget");
});

test("the documentation is readable, wide and narrow, and has no script", async () => {
	const page = await at("/docs");
	await assertAccessible(page, "the list of chapters");
	const links = await page.$$eval("main li a", (all) => all.map((link) => link.getAttribute("href")));
	assert.ok(links.length > 20, `${links}`);
	for (const link of ["/docs/admin", "/docs/protocol", "/docs/configuration"]) {
		assert.ok(links.includes(link));
		await page.goto(`${server.operator}${link}`);
		assert.equal(await page.locator("script").count(), 0);
		await assertAccessible(page, link);
	}
	await page.setViewportSize({ width: 360, height: 740 });
	const width = await page.evaluate(() => document.documentElement.scrollWidth);
	assert.ok(width <= 360, `${width}`);
	await picture(page, "docs-phone");
	await page.setViewportSize({ width: 1280, height: 800 });
	await page.goto(`${server.operator}/docs/admin`);
	await picture(page, "docs");
});
