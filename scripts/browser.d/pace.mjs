// How the page keeps up, in figures: its first message on a slow phone, and frames and nodes in a conversation of 100,000 messages
// beside 1,000 rooms. Run by scripts/pace; what it says depends on the machine.
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { Member, Server, clear, until } from "./surroundings.mjs";

const MESSAGES = Number(process.env.MESSAGES ?? 100_000);
const ROOMS = Number(process.env.ROOMS ?? 1000);
/** As often is the phone's page opened. */
const VISITS = 5;
/** A phone of little power in a bad place. */
const SLOW = { cpu: 4, bytes_per_s: 1_600_000 / 8, latency_ms: Number(process.env.LATENCY_MS ?? 20) };

const server = await Server.start(process.env.SERVER_BIN, { settings: "", directory: await mkdtemp(join(tmpdir(), "chinwag-pace-")) });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--headless", "--no-sandbox", "--disable-gpu"] });
const say = (name, figures) => console.log(`${name}: ${Object.entries(figures).map(([key, value]) => `${key} ${value}`).join(", ")}`);
const middle = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
const shown = (page) => page.waitForFunction(() => document.querySelectorAll("#messages > .msg").length > 0, null, { polling: 16 });

/** Milliseconds from the beginning of the document to its first message, as the page's own clock has it. */
async function firstMessage(page) {
	await page.addInitScript(() => {
		new MutationObserver((_, observer) => {
			if (!document.querySelector("#messages > .msg")) return;
			observer.disconnect();
			requestAnimationFrame(() => requestAnimationFrame((now) => (window.firstMessage = now)));
		}).observe(document, { childList: true, subtree: true });
	});
}

async function slowPhone(bot) {
	for (let line = 0; line < 30; line += 1) await bot.say("phone", `line ${line}`);
	const figures = { "first visit": [], return: [] };
	for (let visit = 0; visit < VISITS; visit += 1) {
		const context = await browser.newContext({ viewport: { width: 390, height: 800 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 });
		const page = await context.newPage();
		await firstMessage(page);
		const tools = await context.newCDPSession(page);
		await tools.send("Network.enable");
		await tools.send("Emulation.setCPUThrottlingRate", { rate: SLOW.cpu });
		await tools.send("Network.emulateNetworkConditions", { offline: false, latency: SLOW.latency_ms, downloadThroughput: SLOW.bytes_per_s, uploadThroughput: SLOW.bytes_per_s });
		await page.goto(`${server.url}#room=phone`);
		await page.locator("#name").waitFor();
		const form = await page.evaluate(() => performance.now());
		await page.fill("#name", `pia-${visit}`);
		const from = await page.evaluate(() => performance.now());
		await page.press("#name", "Enter");
		await page.waitForFunction(() => window.firstMessage, null, { polling: 16 });
		// What a visitor waits for: the page, and what follows the name.
		figures["first visit"].push(Math.round(form + (await page.evaluate(() => window.firstMessage)) - from));
		await page.evaluate(() => navigator.serviceWorker?.ready);
		await page.reload();
		await page.waitForFunction(() => window.firstMessage, null, { polling: 16 });
		figures.return.push(Math.round(await page.evaluate(() => window.firstMessage)));
		await context.close();
	}
	say("first message on a slow phone, ms", Object.fromEntries(Object.entries(figures).map(([key, all]) => [key, `${middle(all)} (${Math.min(...all)} to ${Math.max(...all)})`])));
}

/** Frames and nodes while `run` goes on in the page. */
async function watched(page, run) {
	await page.evaluate(() => {
		window.frames_ = [];
		window.nodes_ = 0;
		let before = performance.now();
		const frame = (now) => {
			window.frames_.push(now - before);
			before = now;
			window.nodes_ = Math.max(window.nodes_, document.querySelectorAll("#messages > li").length);
			window.watching = requestAnimationFrame(frame);
		};
		window.watching = requestAnimationFrame(frame);
	});
	await run();
	return page.evaluate(() => {
		cancelAnimationFrame(window.watching);
		const frames = window.frames_.slice(1).sort((a, b) => a - b);
		const at = (share) => frames[Math.floor(share * (frames.length - 1))].toFixed(1);
		return { frames: frames.length, "median ms": at(0.5), "99 %": at(0.99), longest: at(1), "over 50 ms": frames.filter((each) => each > 50).length, "messages in the document at most": window.nodes_ };
	});
}

async function long(bot) {
	const rooms = Array.from({ length: ROOMS }, (_, number) => `room-${number}`);
	const reader = await Member.connect(server.tcp, "ivy");
	for (const room of rooms) await Promise.all([bot.join(room), reader.join(room)]);
	await reader.join("long");
	let sent = 0;
	while (sent < MESSAGES) {
		const some = Math.min(200, MESSAGES - sent);
		await Promise.all(Array.from({ length: some }, (_, number) => bot.say("long", `line ${sent + number} of a conversation that goes on and on, and says little`)));
		sent += some;
	}
	reader.socket.destroy();
	await once(reader.socket, "close");
	const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
	await page.goto(`${server.url}#room=long`);
	await page.fill("#name", "ivy");
	await page.press("#name", "Enter");
	await shown(page);
	await until("the rooms", async () => (await page.locator("#rooms li").count()) >= ROOMS);
	const scroll = (by, isThere) => page.evaluate(([step, wanted]) => new Promise((resolve) => {
		const log = document.querySelector("#log");
		const frame = () => {
			log.scrollTop += step;
			if (document.querySelector("#messages > .msg") && [...document.querySelectorAll("#messages > .msg")].some((node) => node.value === wanted)) return resolve();
			requestAnimationFrame(frame);
		};
		requestAnimationFrame(frame);
	}), [by, isThere]);
	say("scrolled up", await watched(page, () => scroll(-1500, 1)));
	say("and down", await watched(page, () => scroll(1500, MESSAGES)));
	say("beside what comes in", await watched(page, async () => {
		for (let line = 0; line < 1000; line += 10) await Promise.all(Array.from({ length: 10 }, (_, number) => bot.say(rooms[(line + number) % ROOMS], "news")));
		for (let line = 0; line < 200; line += 1) await bot.say("long", `late ${line}`);
	}));
	say("the list filtered", await watched(page, async () => page.locator("#nav-filter").pressSequentially("room-99")));
}

try {
	const bot = await Member.connect(server.tcp, "robot");
	await bot.join("phone");
	await slowPhone(bot);
	await bot.join("long");
	await long(bot);
} finally {
	await browser.close();
	await clear();
	await server.stop("SIGKILL");
	await rm(server.directory, { recursive: true, force: true });
}
