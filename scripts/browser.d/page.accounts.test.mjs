// Accounts: two people who come by links, their devices, and what is said when something is wrong.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { assertAccessible, configure, holds, opened, picture, say, server, shows, visit } from "./page.mjs";
import { until } from "./surroundings.mjs";

configure('auth = ["accounts"]\naccounts.registration = "invite"\naccounts.invites = "anyone"\n');

const PASSWORD = "correct horse battery";
const kept = (page) => page.evaluate(() => JSON.parse(localStorage.getItem("login")));
const isShown = (page, selector) => page.locator(selector).waitFor();
const atDoor = (page) => holds(page, () => !document.querySelector("#welcome").hidden && document.querySelector("#door-go").checkVisibility({ visibilityProperty: true }));
const errors = (page) => page.$$eval("#sign-in [id$=-error]", (nodes) => Object.fromEntries(nodes.filter((node) => node.textContent && node.checkVisibility()).map((node) => [node.id.replace("-error", ""), node.textContent])));

async function fill(page, fields) {
	for (const [field, value] of Object.entries(fields)) await page.fill(`#${field}`, value);
	await page.click("#door-go");
}

async function register(page, path, name, password = PASSWORD) {
	await page.goto(new URL(path, server.url).href);
	// An address that differs in its fragment alone is not loaded anew.
	await page.reload();
	await holds(page, () => document.querySelector("#door-go").textContent === "Create account");
	await fill(page, { name, password });
}

async function signIn(name, { password = PASSWORD, room = "lobby", options } = {}) {
	const page = await visit(server.url, options);
	await isShown(page, "#password");
	await fill(page, { name, password });
	await opened(page, room);
	return page;
}

/** Makes an invite link by the page, and returns its path. */
async function invite(page, { room = "", uses = "1" } = {}) {
	await page.click("#invite-friend");
	await page.selectOption("#inviting-room", room);
	await page.selectOption("#inviting-uses", uses);
	await page.click("#inviting-form .primary");
	await isShown(page, "#inviting-made");
	const link = await page.inputValue("#inviting-link");
	assert.ok(link.startsWith(`${server.url}#invite=cwi_`), link);
	await picture(page, "invite-link");
	await page.click("#inviting-close");
	return link.slice(server.url.length - 1);
}

/** An account, made by an invitation of the administrator's. */
async function member(name, options) {
	const admin = await signIn("ann");
	const path = await invite(admin, options);
	const page = await visit();
	await register(page, path, name);
	await opened(page, options?.room || "lobby");
	return page;
}

test("the first administrator invites a friend by a link, and both talk from two browsers", async () => {
	const ann = await visit();
	await register(ann, `/#invite=${server.admin}`, "ann");
	await opened(ann, "lobby");
	assert.equal(new URL(ann.url()).hash, "#room=lobby");
	await ann.click("#add");
	await ann.fill("#join-name", "tea");
	await ann.selectOption("#join-kind", "owned");
	await ann.press("#join-name", "Enter");
	await opened(ann, "tea");
	const path = await invite(ann, { room: "tea" });
	const bob = await visit();
	await bob.goto(new URL(path, server.url).href);
	await bob.reload();
	await holds(bob, () => document.querySelector("#door-text").textContent.startsWith("You are invited."));
	assert.equal(await bob.evaluate(() => document.activeElement.id), "name");
	await assertAccessible(bob, "the form of an invitation");
	await picture(bob, "register");
	await fill(bob, { name: "bob", password: PASSWORD });
	await opened(bob, "tea");
	await say(bob, "hello ann");
	await shows(ann, "hello ann");
	await say(ann, "hello bob");
	await shows(bob, "hello bob");
	await picture(bob, "invited");
});

test("what is wrong is said beside its field, and costs nothing", async () => {
	const admin = await signIn("ann");
	const path = await invite(admin);
	const page = await visit();
	await isShown(page, "#password");
	assert.deepEqual(await page.$$eval("#name, #password", (nodes) => nodes.map((node) => node.autocomplete)), ["username", "current-password"]);
	await fill(page, {});
	await until("the name", async () => (await errors(page)).name === "Type your name.");
	await fill(page, { name: "ann" });
	await until("the password", async () => (await errors(page)).password === "Type your password.");
	for (const name of ["ann", "nobody-of-this-name"]) {
		await fill(page, { name, password: "wrong horse battery" });
		await until("the refusal", async () => (await errors(page)).password?.startsWith("The name or the password is wrong."));
		assert.equal(await page.evaluate(() => document.activeElement.id), "password");
		assert.equal(await page.getAttribute("#password", "aria-invalid"), "true");
	}
	await assertAccessible(page, "the refused form");
	await picture(page, "wrong-password");
	assert.equal(await kept(page), null);
	// Without an invitation.
	await page.click("text=I have an invitation");
	assert.equal(await page.getAttribute("#password", "autocomplete"), "new-password");
	await fill(page, { name: "cat", password: PASSWORD });
	await until("the invitation", async () => (await errors(page)).invite?.startsWith("Paste the link"));
	await fill(page, { invite: `https://elsewhere.example/#invite=cwi_${"z".repeat(43)}` });
	await until("a bad invitation", async () => (await errors(page)).invite);
	await fill(page, { invite: new URL(path, server.url).href, password: "short" });
	await until("a short password", async () => /short|8/.test((await errors(page)).password));
	await fill(page, { name: "ann", password: PASSWORD });
	await until("a taken name", async () => /taken|somebody/.test((await errors(page)).name));
	await fill(page, { name: "Cat" });
	await opened(page, "lobby");
	assert.equal(await page.textContent("#me"), "cat");
	// The link was for one.
	const late = await visit();
	await register(late, path, "dog");
	await until("the used link", async () => (await errors(late)).name);
});

test("who is signed in stays so until they sign out, which ends the login", async () => {
	const page = await member("dan");
	await say(page, "here I am");
	await shows(page, "here I am");
	await page.reload();
	await opened(page, "lobby");
	await page.evaluate(() => sessionStorage.clear());
	await page.goto("about:blank");
	await page.goto(server.url);
	await opened(page, "lobby");
	assert.equal(await page.textContent("#me"), "dan");
	const login = await kept(page);
	assert.match(login.token, /^cwl_[\w-]{43}$/);
	assert.ok(!(await page.content()).includes(login.token), "the secret is not in the document");
	await page.click("#sign-out");
	await atDoor(page);
	assert.equal(await page.textContent("#name-error"), "");
	assert.equal(await kept(page), null);
	assert.equal(await page.inputValue("#password"), "");
	assert.equal(await page.locator("#messages > *").count(), 0);
	// Who has copied the secret has nothing.
	await page.evaluate((stolen) => localStorage.setItem("login", JSON.stringify(stolen)), login);
	await page.reload();
	await until("the refusal", async () => (await page.textContent("#name-error")) === "Your sign-in is no longer valid. Sign in again.");
	assert.equal(await kept(page), null);
	await fill(page, { name: "dan", password: PASSWORD });
	await opened(page, "lobby");
});

test("another device is signed out, says so, and shows nothing any more", async () => {
	const here = await member("eva");
	const there = await signIn("eva");
	await say(here, "for eva's eyes");
	await shows(there, "for eva's eyes");
	await here.click("#account-open");
	await until("both devices", async () => (await here.locator("#logins li").count()) === 2);
	assert.match(await here.locator("#logins li").first().textContent(), /^Chrome, Linux.*this device$/);
	await assertAccessible(here, "the dialog of the account");
	await picture(here, "account");
	await here.locator("#logins button").click();
	await until("one device", async () => (await here.locator("#logins li").count()) === 1);
	await holds(there, () => document.querySelector("#name-error").textContent.startsWith("You were signed out: this login was ended on another device"));
	await atDoor(there);
	await picture(there, "signed-out");
	assert.ok(!(await there.content()).includes("for eva's eyes"));
	assert.equal(await kept(there), null);
	const downloaded = here.waitForEvent("download");
	await here.click("#export");
	const parts = JSON.parse(await readFile(await (await downloaded).path(), "utf8"));
	assert.deepEqual(parts.slice(0, 3).map(({ part }) => part), ["profile", "rooms", "reports"]);
	assert.ok(!JSON.stringify(parts).includes(PASSWORD));
	await here.click("#account-close");
	await say(here, "still here");
	await shows(here, "still here");
});

test("a changed password ends the other devices, and the old one is none any more", async () => {
	const here = await member("fay");
	const there = await signIn("fay");
	await here.click("#account-open");
	await here.locator("#account[open]").waitFor();
	assert.deepEqual(await here.$$eval("#password-form input", (nodes) => nodes.map((node) => node.autocomplete)), ["username", "current-password", "new-password"]);
	const change = async (old, password) => {
		await here.fill("#old-password", old);
		await here.fill("#new-password", password);
		await here.click("#password-form .primary");
	};
	await change("", "a new horse battery");
	await until("the empty field", async () => (await here.textContent("#old-password-error")) === "Type the password that you have now.");
	await change("not this one", "a new horse battery");
	await until("the wrong password", async () => (await here.textContent("#old-password-error")).startsWith("This is not your password."));
	await change(PASSWORD, "short");
	await until("the short one", async () => /short|8/.test(await here.textContent("#new-password-error")));
	await change(PASSWORD, "a new horse battery");
	await here.locator("#account").waitFor({ state: "hidden" });
	await holds(there, () => document.querySelector("#name-error").textContent.startsWith("You were signed out"));
	await atDoor(there);
	await fill(there, { name: "fay", password: PASSWORD });
	await until("the old one", async () => (await errors(there)).password?.startsWith("The name or the password is wrong."));
	await fill(there, { password: "a new horse battery" });
	await opened(there, "lobby");
	await here.click("#account-open");
	await here.click("#logins-others");
	await holds(there, () => document.querySelector("#name-error").textContent.startsWith("You were signed out"));
	await until("what was done", async () => (await here.textContent("#logins-status")) === "All other devices were signed out.");
	await here.click("#account-close");
	// At the field for messages a password is no message.
	await say(here, "/password secret secret");
	await here.locator("#account").waitFor();
	await here.keyboard.press("Escape");
	await say(here, "/login eve secret");
	await until("the hint", async () => /already/.test(await here.textContent("#hint")));
	assert.ok(!(await here.textContent("#messages")).includes("secret"));
});

test("who has an account is asked whether to accept an invitation", async () => {
	const admin = await signIn("ann");
	await admin.goto(`${server.url}#room=den`);
	await opened(admin, "den");
	const path = await invite(admin, { room: "den", uses: "5" });
	const page = await signIn("ann");
	await page.goto(new URL(path, server.url).href);
	await page.locator("#asking[open]").waitFor();
	assert.match(await page.textContent("#asking-text"), /signed in as ann/);
	assert.ok(!page.url().includes("cwi_"));
	await page.click("#asking-go");
	await opened(page, "den");
	// At the door, by the account that there is.
	const other = await visit();
	await other.goto(new URL(path, server.url).href);
	await other.reload();
	await holds(other, () => document.querySelector("#door-go").textContent === "Create account");
	await other.click("text=I have an account");
	await fill(other, { name: "ann", password: PASSWORD });
	await opened(other, "den");
	// The administrator's link makes an account alone.
	await other.goto(`${server.url}#invite=cwa_${"y".repeat(43)}`);
	await until("the toast", async () => (await other.textContent("#toasts")).includes("sign out first"));
});

test("two accounts in one browser keep their words apart", async () => {
	const page = await member("gus");
	await page.fill("#text", "gus has not sent this");
	const login = await kept(page);
	const other = await member("hal");
	const their = await kept(other);
	// In another tab of the same browser somebody else has signed in.
	await page.evaluate((theirs) => localStorage.setItem("login", JSON.stringify(theirs)), their);
	await page.reload();
	await opened(page, "lobby");
	assert.equal(await page.textContent("#me"), "hal");
	assert.equal(await page.inputValue("#text"), "");
	assert.notEqual(login.token, their.token);
	await page.click("#sign-out");
	await atDoor(page);
	await page.reload();
	await atDoor(page);
});

test("the views are usable on a phone and by the keyboard", async () => {
	const phone = await visit(server.url, { viewport: { width: 320, height: 560 }, hasTouch: true, isMobile: true });
	await isShown(phone, "#password");
	const wide = () => phone.evaluate(() => document.documentElement.scrollWidth);
	assert.equal(await wide(), 320);
	await assertAccessible(phone, "the form on a phone");
	await picture(phone, "sign-in-phone");
	await phone.fill("#name", "ann");
	await phone.press("#name", "Tab");
	assert.equal(await phone.evaluate(() => document.activeElement.id), "password");
	await phone.keyboard.type(PASSWORD);
	await phone.check("#password-show");
	assert.equal(await phone.getAttribute("#password", "type"), "text");
	await phone.press("#password", "Enter");
	await opened(phone, "lobby");
	await phone.tap("#open-nav");
	await phone.tap("#account-open");
	await until("the devices", async () => (await phone.locator("#logins li").count()) > 0);
	assert.equal(await wide(), 320);
	await picture(phone, "account-phone");
	await assertAccessible(phone, "the dialog of the account on a phone");
	await phone.keyboard.press("Escape");
	await phone.tap("#open-nav");
	await phone.tap("#invite-friend");
	await phone.locator("#inviting[open]").waitFor();
	assert.equal(await wide(), 320);
	await assertAccessible(phone, "the dialog of invite links");
});

test("no secret is in the server's log", async () => {
	assert.doesNotMatch(server.log, /horse|cwl_|cwi_|cwa_/);
});
