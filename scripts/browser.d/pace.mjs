// How the page keeps up, in figures that depend on the machine: its first message on a slow phone, and frames and nodes in a conversation
// of 100,000 messages beside 1,000 rooms. Run by `scripts/browser pace`; MESSAGES and ROOMS ask for fewer of them.
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { chromium } from "playwright-core";
import { Member, Server, clear, until } from "./surroundings.mjs";

const MESSAGES = Number(process.env.MESSAGES ?? 100_000);
const ROOMS = Number(process.env.ROOMS ?? 1000);
/** How often each phone opens the page. */
const VISITS = 5;
/** The phone's processor is so many times slower, and its connection has so many bytes a second. */
const SLOWER = 4;
const BYTES_PER_S = 1_600_000 / 8;
const PIECE = 1_460;

const directory = await mkdtemp(join(tmpdir(), "chinwag-pace-"));
const server = await Server.start(process.env.SERVER_BIN, { directory, limits: `rooms = ${ROOMS + 10}\n` });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--headless", "--no-sandbox", "--disable-gpu"] });
const say = (name, figures) => console.log(`${name}: ${Object.entries(figures).map(([key, value]) => `${key} ${value}`).join(", ")}`);
const middle = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** One direction of all connections of the phone: bytes arrive one after the other, at its rate and `latency` milliseconds late. */
function lane(latency) {
	const waiting = [];
	let free = 0;
	let isRunning = false;
	async function run() {
		isRunning = true;
		for (let next; (next = waiting.shift()); ) {
			const ms = next.at - performance.now();
			if (ms > 1) await new Promise((resolve) => setTimeout(resolve, ms));
			if (!next.to.destroyed) next.to.write(next.bytes);
		}
		isRunning = false;
	}
	return (to, bytes) => {
		for (let from = 0; from < bytes.length; from += PIECE) {
			const piece = bytes.subarray(from, from + PIECE);
			free = Math.max(free, performance.now()) + (1000 * piece.length) / BYTES_PER_S;
			waiting.push({ to, bytes: piece, at: free + latency });
		}
		if (!isRunning) run();
	};
}

/** The way of the phone to the server, for what its worker asks for, too, which a browser's own tools leave as it is. */
async function slowWay(latency) {
	const [up, down] = [lane(latency), lane(latency)];
	const proxy = net.createServer((near) => {
		const far = net.connect(server.web, "127.0.0.1");
		for (const socket of [near, far]) socket.setNoDelay(true).on("error", () => {});
		near.on("data", (bytes) => up(far, bytes)).on("close", () => far.destroy());
		far.on("data", (bytes) => down(near, bytes)).on("close", () => near.destroy());
	});
	proxy.listen(0, "127.0.0.1");
	await once(proxy, "listening");
	return { url: `http://127.0.0.1:${proxy.address().port}/`, stop: () => proxy.close() };
}

/** Has the page note when its first message has been painted, by its own clock. */
const noteFirst = (page) => page.addInitScript(() => {
	new MutationObserver((_, observer) => {
		if (!document.querySelector("#messages > .msg")) return;
		observer.disconnect();
		requestAnimationFrame(() => setTimeout(() => (window.firstMessage = performance.now())));
	}).observe(document, { childList: true, subtree: true });
});
const first = async (page) => {
	await page.waitForFunction(() => window.firstMessage, null, { polling: 50 });
	return page.evaluate(() => window.firstMessage);
};

async function slowPhone(bot, latency) {
	const figures = { "the form": [], "after the name": [], "on return": [] };
	const way = await slowWay(latency);
	for (let visit = 0; visit < VISITS; visit += 1) {
		const context = await browser.newContext({ viewport: { width: 390, height: 800 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 });
		const page = await context.newPage();
		await noteFirst(page);
		const tools = await context.newCDPSession(page);
		await tools.send("Emulation.setCPUThrottlingRate", { rate: SLOWER });
		await page.goto(`${way.url}#room=phone`);
		await page.waitForFunction(() => !document.querySelector("#sign-in").classList.contains("asking") && document.querySelector("#door-go").textContent);
		figures["the form"].push(await page.evaluate(() => Math.max(...performance.getEntriesByType("resource").map(({ responseEnd }) => responseEnd))));
		await page.fill("#name", `pia-${latency}-${visit}`);
		await page.evaluate(() => document.querySelector("#sign-in").addEventListener("submit", () => (window.entered = performance.now()), true));
		await page.press("#name", "Enter");
		figures["after the name"].push((await first(page)) - (await page.evaluate(() => window.entered)));
		await page.evaluate(() => navigator.serviceWorker.ready);
		// The second one has all files of the version from the worker.
		for (let load = 0; load < 2; load += 1) {
			await page.reload();
			await first(page);
			await new Promise((resolve) => setTimeout(resolve, 1_000));
		}
		await page.reload();
		figures["on return"].push(await first(page));
		await context.close();
	}
	way.stop();
	const shown = Object.entries(figures).map(([key, all]) => [key, `${Math.round(middle(all))} (${Math.round(Math.min(...all))} to ${Math.round(Math.max(...all))})`]);
	say(`a slow phone, ${2 * latency} ms there and back, in ms`, Object.fromEntries(shown));
}

/** Frames and nodes while `run` goes on in the page. */
async function watched(page, what, run) {
	await page.evaluate(() => {
		window.frames_ = [];
		window.most = [0, 0];
		let before = performance.now();
		const frame = (now) => {
			window.frames_.push(now - before);
			before = now;
			const entries = document.querySelectorAll("#messages > li, #nav li, #people li").length;
			window.most = [Math.max(window.most[0], entries), Math.max(window.most[1], document.querySelectorAll("body *").length)];
			window.watching = requestAnimationFrame(frame);
		};
		window.watching = requestAnimationFrame(frame);
	});
	await run();
	say(what, await page.evaluate(() => {
		cancelAnimationFrame(window.watching);
		const frames = window.frames_.slice(1).sort((a, b) => a - b);
		const at = (share) => (frames[Math.floor(share * (frames.length - 1))] ?? 0).toFixed(1);
		return { frames: frames.length, "median ms": at(0.5), "99 %": at(0.99), longest: at(1), "over 50 ms": frames.filter((each) => each > 50).length, "entries at most": window.most[0], "elements at most": window.most[1] };
	}));
}

async function long(bot) {
	const rooms = Array.from({ length: ROOMS }, (_, number) => `room-${number}`);
	const reader = await Member.connect(server.tcp, "ivy");
	for (const room of [...rooms, "long"]) await Promise.all([bot.join(room), reader.join(room)]);
	for (let sent = 0; sent < MESSAGES; ) {
		const some = Math.min(500, MESSAGES - sent);
		await Promise.all(Array.from({ length: some }, (_, number) => bot.say("long", `line ${sent + number} of a conversation that goes on and on, and says little`)));
		sent += some;
	}
	reader.socket.destroy();
	const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
	await page.goto(`${server.url}#room=long`);
	await page.fill("#name", "ivy");
	await page.press("#name", "Enter");
	await page.waitForFunction(() => document.querySelector("#messages > .msg"));
	await until("the rooms", () => page.evaluate((all) => Number(document.querySelector("#rooms > li")?.ariaSetSize) > all || document.querySelectorAll("#rooms > li").length > all, ROOMS));
	const scroll = (by, wanted) => page.evaluate(([by, wanted]) => new Promise((resolve) => {
		const log = document.querySelector("#log");
		const frame = () => {
			log.scrollTop += by;
			const all = document.querySelectorAll("#messages > .msg");
			if ([all[0]?.value, all[all.length - 1]?.value].includes(wanted)) return resolve();
			requestAnimationFrame(frame);
		};
		requestAnimationFrame(frame);
	}), [by, wanted]);
	await watched(page, "scrolled up", () => scroll(-1500, 1));
	await watched(page, "scrolled down", () => scroll(1500, MESSAGES));
	await page.click("#latest").catch(() => {});
	await watched(page, "while others talk", async () => {
		for (let line = 0; line < 1000; line += 10) await Promise.all(Array.from({ length: 10 }, (_, number) => bot.say(rooms[(line + number) % ROOMS], "news")));
		for (let line = 0; line < 200; line += 1) await bot.say("long", `late ${line}`);
	});
	await watched(page, "the rooms scrolled", () => page.evaluate(() => new Promise((resolve) => {
		const list = document.querySelector("#nav .scroll");
		const frame = () => {
			const before = list.scrollTop;
			list.scrollTop += 200;
			if (list.scrollTop === before) return resolve();
			requestAnimationFrame(frame);
		};
		requestAnimationFrame(frame);
	})));
	await watched(page, "the rooms filtered", () => page.locator("#nav-filter").pressSequentially("room-99"));
	await watched(page, "another room opened", async () => {
		await page.fill("#nav-filter", "");
		for (const name of rooms.slice(0, 20)) {
			await page.evaluate((room) => (location.hash = `#room=${room}`), name);
			await page.waitForFunction((room) => document.querySelector("#title").textContent === room, name);
		}
	});
}

try {
	const bot = await Member.connect(server.tcp, "robot");
	await bot.join("phone");
	for (let line = 0; line < 30; line += 1) await bot.say("phone", `line ${line}`);
	for (const latency of [0, 20, 75]) await slowPhone(bot, latency);
	await long(bot);
} finally {
	await browser.close();
	await clear();
	await server.stop("SIGKILL");
	await rm(directory, { recursive: true, force: true });
}
