// The chat page in a browser, Chromium unless a file of tests asks for Firefox, against the real server; scripts/browser says where
// the binaries are. Each file of tests has its own.
import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { after, afterEach, before } from "node:test";
import { chromium, firefox } from "playwright-core";
import { LOOK_MS, PATIENCE_MS, Server, clear, closeLater, until } from "./surroundings.mjs";

const { SERVER_BIN, SCREENSHOTS } = process.env;
const FLAGS = [
	"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
	"--disable-component-update", "--disable-sync",
];

/** Debian's Firefox, by WebDriver BiDi: Playwright's own is another program. */
const FIREFOX = { channel: "moz-firefox", executablePath: process.env.FIREFOX ?? "/usr/bin/firefox-esr", timeout: PATIENCE_MS };
let isFirefox = false;
/** Has this file of tests run in Firefox. */
export const useFirefox = () => (isFirefox = true);

const AXE = await readFile(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8");

let browser;
export let server;
/** Errors, dialogs and policy violations, of which no page may have any. */
const troubles = [];

/** Settings of the server that a file of tests needs, in TOML. */
let settings = "";
export const configure = (toml) => (settings = toml);

before(async () => {
	await mkdir(SCREENSHOTS, { recursive: true });
	server = await Server.start(SERVER_BIN, { settings });
	const chrome = { executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS, timeout: PATIENCE_MS };
	browser = await (isFirefox ? firefox.launch(FIREFOX) : chromium.launch(chrome));
});

after(async () => {
	await browser?.close();
	await server?.stop("SIGKILL");
	await server?.remove();
});

afterEach(async () => {
	await clear();
	assert.deepEqual(troubles.splice(0), []);
});

/** Idle pages, by their options: a new one takes three times as long as reusing one. */
const spare = new Map();

/** A page at the sign-in form, in a profile of its own. */
export async function visit(url = server.url, options = {}) {
	const key = JSON.stringify(options);
	if (!spare.has(key)) spare.set(key, []);
	const page = spare.get(key).pop() ?? (await makePage(options));
	closeLater(async () => {
		await page.goto("about:blank");
		spare.get(key).push(page);
	});
	await visitAgain(page, url);
	return page;
}

/** Opens the sign-in form like a first visit. */
export async function visitAgain(page, url = server.url) {
	// A file of the same origin, where no script runs.
	await page.goto(`${url}favicon.svg`);
	await page.evaluate(() => [sessionStorage, localStorage].forEach((storage) => storage.clear()));
	await page.mouse.move(0, 0);
	await page.goto(url);
}

async function makePage(options) {
	const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
	const page = await context.newPage();
	page.setDefaultTimeout(PATIENCE_MS);
	page.on("dialog", (dialog) => {
		troubles.push(`dialog: ${dialog.message()}`);
		dialog.dismiss();
	});
	// A lost connection is an error of the page's to Firefox.
	page.on("pageerror", (error) => (isFirefox && /ws:\/\/127|YjaKGiklmzC6wjXA513HAMmzus8VE61XCOT/.test(error.message)) || troubles.push(`error: ${error.stack ?? error.message}`));
	page.on("console", (message) => {
		// The browser itself reports failed connections (the last one is that of a worker that was just fetched), and a
		// token that is refused, on the console.
		const own = /WebSocket|ws:\/\/127|ERR_(?:CONNECTION|SOCKET)|status of 401|when fetching the script/;
		if (["error", "warning"].includes(message.type()) && !own.test(message.text())) {
			troubles.push(`console: ${message.text()}`);
		}
	});
	// For a picture Playwright adds a style to Firefox, which the policy refuses; of any other one the console says the hash.
	await page.exposeFunction("reportViolation", (text) => (isFirefox && text === "style-src-elem ") || troubles.push(`policy: ${text}`));
	await page.addInitScript(() => {
		addEventListener("securitypolicyviolation", (event) => window.reportViolation(`${event.violatedDirective} ${event.sample}`));
	});
	return page;
}

/** A page that has signed in as `name` and opened `room`. */
export async function enter(name, room, url, options) {
	const page = await visit(url, options);
	await page.goto(`${url ?? server.url}#room=${encodeURIComponent(room)}`);
	await page.fill("#name", name);
	await page.click("#sign-in .primary");
	await opened(page, room);
	return page;
}

/** Waits until `probe` is true, polled in the page itself, so that nothing shown briefly is missed. */
export const holds = (page, probe, argument) => page.waitForFunction(probe, argument, { polling: LOOK_MS });

export const opened = (page, room) =>
	holds(page, (name) => document.querySelector("#title").textContent === name && document.querySelector("#app").dataset.connection === "ready", room);

/** Waits until the page knows that its connection is lost; nothing may restore it meanwhile. */
export const lost = (page) => holds(page, () => document.querySelector("#app").dataset.connection !== "ready");

/** Waits for the connection, ending the backoff by the button. */
export const comeBack = (page) =>
	until("the connection", () => page.evaluate(() => {
		const { connection } = document.querySelector("#app").dataset;
		if (connection === "waiting") document.querySelector("#connection-button").click();
		return connection === "ready";
	}));

export async function say(page, text) {
	await page.fill("#text", text);
	await page.press("#text", "Enter");
}

/** The messages shown, as `seq text`. */
export const lines = (page) =>
	page.$$eval("#messages > .msg:not(.waiting)", (nodes) => nodes.map((node) => `${node.value} ${node.querySelector(".text").textContent}`));
export const notes = (page) => page.$$eval("#messages > .note > p:last-child", (nodes) => nodes.map((node) => node.textContent));
/** Waits for a text in the log, except in unsent messages. */
export const shows = (page, text) =>
	holds(page, (wanted) => {
		const parts = document.querySelectorAll("#log > p, #messages > :not(.waiting)");
		return [...parts].some((part) => part.textContent.includes(wanted));
	}, text);
/** Asserts that axe-core finds nothing to complain about in what is shown. */
export async function assertAccessible(page, what) {
	// By the protocol of the browser's tools, which the page's policy does not bind.
	if (!(await page.evaluate(() => Boolean(window.axe)))) await page.evaluate(AXE);
	// Beforehand it would read style sheets and films for rules that are not tried here, and stumble over a sheet that is on its way.
	const { violations, passes } = await page.evaluate(() => window.axe.run({ preload: false }));
	assert.ok(passes.length > 5, what);
	assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html)}`), [], what);
}

export const picture = (page, name) => page.screenshot({ path: `${SCREENSHOTS}/${name}.png` });

/** The seqs of `seq text` lines must rise by one. */
export function assertDense(shown) {
	const seqs = shown.map((line) => Number.parseInt(line, 10));
	assert.deepEqual(seqs, seqs.map((_, index) => seqs[0] + index));
}

/** Ends the server by a signal; gives its exit code, or the signal if that killed it. */
export const stopServer = (signal) => server.stop(signal);

/** Starts a server in place of the one that has ended, on its data. */
export async function startAgain() {
	server = await Server.start(SERVER_BIN, server);
}
