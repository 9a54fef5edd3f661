// A page of another origin, in the browser of somebody who is signed in here, acts for nobody.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import { configure, holds, opened, say, server, shows, visit } from "./page.mjs";
import { closeLater } from "./surroundings.mjs";

configure('auth = ["accounts"]\naccounts.registration = "open"\n');

/** Every operation that does or tells anything. */
const VERBS = [
	{ op: "hello" }, { op: "rooms" }, { op: "join", room: "lobby" }, { op: "send", room: "lobby", text: "forged" }, { op: "history", room: "lobby" },
	{ op: "search", text: "private" }, { op: "edit", room: "lobby", target: 1, text: "forged" }, { op: "delete", room: "lobby", target: 1 },
	{ op: "react", room: "lobby", target: 1, emoji: "x" }, { op: "topic", room: "lobby", text: "forged" }, { op: "create", room: "forged" },
	{ op: "leave", room: "lobby" }, { op: "invite", room: "lobby", user: "eve" }, { op: "logins" }, { op: "end_login", login: "all" },
	{ op: "password", old: "correct horse battery", new: "forged forged" }, { op: "invite_link" }, { op: "accept", invite: "cwi_x" },
	{ op: "login", name: "ida", password: "correct horse battery" }, { op: "register", name: "forged", password: "forged forged" }, { op: "help" },
];

/** A site that serves an empty page on another port, which is another origin. */
async function elsewhere() {
	const site = createServer((_, response) => response.setHeader("Content-Type", "text/html").end("<!doctype html><title>elsewhere</title>"));
	site.listen(0, "127.0.0.1");
	await once(site, "listening");
	closeLater(() => {
		site.closeAllConnections();
		site.close();
	});
	return `http://localhost:${site.address().port}/`;
}

/** Runs in the foreign page: tries each way to the server, and returns what came of it. */
async function attack([target, verbs]) {
	const heard = {};
	const socket = (protocols) => new Promise((resolve) => {
		const got = [];
		const ws = new WebSocket(`${target.replace("http", "ws")}ws`, protocols);
		ws.onopen = () => verbs.forEach((verb, id) => ws.send(JSON.stringify({ id, ...verb })));
		ws.onmessage = ({ data }) => got.push(data);
		ws.onclose = () => resolve(got);
	});
	heard.socket = await socket([]);
	heard.subprotocol = await socket(["chinwag.v1"]);
	heard.bearer = await socket(["chinwag.v1", "bearer.cwl_x"]);
	const ask = (path, options) => fetch(target + path, options).then((response) => response.text(), (error) => error.name);
	heard.read = await ask("", { credentials: "include" });
	heard.post = await ask("ws", { method: "POST", credentials: "include", body: JSON.stringify(verbs[3]) });
	heard.opaque = await ask("ws", { mode: "no-cors", method: "POST", credentials: "include", body: "x" });
	const frame = Object.assign(document.createElement("iframe"), { src: target });
	const loaded = new Promise((resolve) => (frame.onload = resolve));
	document.body.append(frame);
	await loaded;
	try {
		heard.frame = frame.contentWindow.localStorage.getItem("login");
	} catch (error) {
		heard.frame = error.name;
	}
	frame.contentWindow.postMessage(verbs, "*");
	const script = Object.assign(document.createElement("script"), { src: `${target}app.js` });
	await new Promise((resolve) => {
		script.onload = () => resolve();
		script.onerror = () => resolve();
		document.body.append(script);
	});
	heard.client = await import(`${target}client.js`).then(() => "imported", (error) => error.name);
	const popup = window.open(target);
	try {
		heard.popup = popup?.localStorage.getItem("login") ?? null;
	} catch (error) {
		heard.popup = error.name;
	}
	heard.own = localStorage.getItem("login");
	return heard;
}

test("a page of another origin tries each verb, and nothing happens", async () => {
	const page = await visit();
		await page.locator("#password").waitFor();
	await page.click("text=Create an account");
	await page.fill("#name", "ida");
	await page.fill("#password", "correct horse battery");
	await page.click("#door-go");
	await opened(page, "lobby");
	await say(page, "a private thing");
	await shows(page, "a private thing");
	const context = page.context();
	const foreign = await context.newPage();
	closeLater(() => foreign.close());
	await foreign.goto(await elsewhere());
	const heard = await foreign.evaluate(attack, [server.url, VERBS]);
	// The connection is refused before it is one: not even `help` is answered.
	for (const way of ["socket", "subprotocol", "bearer"]) assert.deepEqual(heard[way], [], way);
	for (const way of ["read", "post", "opaque"]) assert.equal(heard[way], "TypeError", way);
	assert.equal(heard.frame, "SecurityError");
	assert.equal(heard.client, "TypeError");
	assert.equal(heard.own, null);
	// The page itself goes on as before.
	await say(page, "and on");
	await shows(page, "and on");
	const texts = await page.$$eval("#messages .text", (nodes) => nodes.map((node) => node.textContent));
	assert.deepEqual(texts, ["a private thing", "and on"]);
	assert.equal(await page.textContent("#topic"), "");
	await page.click("#account-open");
	await holds(page, () => document.querySelectorAll("#logins li").length > 0);
	assert.equal(await page.locator("#logins li").count(), 1);
	await page.click("#account-close");
	await page.reload();
	await opened(page, "lobby");
	assert.equal(await page.textContent("#me"), "ida");
});
