import assert from "node:assert/strict";
import { createECDH, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { test } from "node:test";
import { decrypt } from "http_ece";
import { assertAccessible, comeBack, configure, enter, holds, lost, opened, picture, say, server, shows, startAgain, stopServer } from "./page.mjs";
import { Member, Proxy, closeLater, until } from "./surroundings.mjs";

configure('[push]\nhosts = ["127.0.0.1"]\n');

/** A push service: what arrives is opened with the keys of the device, by a library that nobody here wrote. */
async function pushService() {
	const [keys, secret] = [createECDH("prime256v1"), randomBytes(16)];
	keys.generateKeys();
	const told = [];
	const service = createServer(async (request, response) => {
		const chunks = [];
		for await (const chunk of request) chunks.push(chunk);
		const text = decrypt(Buffer.concat(chunks), { version: "aes128gcm", privateKey: keys, authSecret: secret.toString("base64url") });
		told.push(JSON.parse(text.toString()));
		response.writeHead(201).end();
	});
	await new Promise((resolve) => service.listen(0, "127.0.0.1", resolve));
	closeLater(() => {
		service.closeAllConnections();
		service.close();
	});
	const endpoint = `http://127.0.0.1:${service.address().port}/device`;
	return { told, subscription: { endpoint, keys: { p256dh: keys.getPublicKey("base64url"), auth: secret.toString("base64url") } } };
}

/** Lets the browser subscribe at this service, since none of its maker's can be reached. */
const subscribesAt = (page, subscription) => page.evaluate((subscription) => {
	window.asked = [];
	let made = null;
	PushManager.prototype.subscribe = async function (options) {
		window.asked.push(options);
		made = { ...subscription, options: {}, toJSON: () => subscription, unsubscribe: async () => Boolean((made = null)) || true };
		return made;
	};
	PushManager.prototype.getSubscription = async () => made;
}, subscription);

/** The worker of the page, once it has kept all files. */
const worker = (page) => until("the worker", () => page.evaluate(async () => {
	const { active } = (await navigator.serviceWorker.getRegistration()) ?? {};
	return active?.state === "activated" && Boolean(navigator.serviceWorker.controller);
}));

/** Delivers pushes to the page's worker, as the browser does for its service. */
async function deliveries(page) {
	const tools = await page.context().newCDPSession(page);
	let registration;
	tools.on("ServiceWorker.workerRegistrationUpdated", ({ registrations }) => {
		registration = registrations.find(({ isDeleted, scopeURL }) => !isDeleted && scopeURL === server.url) ?? registration;
	});
	await tools.send("ServiceWorker.enable");
	await until("the worker's registration", () => registration);
	return (data) => tools.send("ServiceWorker.deliverPushMessage", { origin: server.url.replace(/\/$/, ""), registrationId: registration.registrationId, data });
}

const notices = (page) => page.evaluate(async () => {
	const shown = await (await navigator.serviceWorker.getRegistration()).getNotifications();
	return shown.map(({ title, body, tag }) => `${tag} ${title}: ${body}`);
});

const status = (page, text) => holds(page, (text) => document.querySelector("#settings-status")?.textContent.includes(text), text);

test("the page opens without a connection, and goes on when there is one", async () => {
	const ann = await enter("ann", "offline");
	await worker(ann);
	await stopServer("SIGKILL");
	await ann.goto(`${server.url}?again#room=offline`);
	await lost(ann);
	await picture(ann, "offline");
	// Also what is loaded when it is used.
	await ann.click("#open-settings");
	await ann.locator("#settings[open]").waitFor();
	await ann.click("#settings-close");
	await startAgain();
	await comeBack(ann);
	await opened(ann, "offline");
	await say(ann, "here again");
	await shows(ann, "here again");
});

test("of a version that the worker has the document alone is asked for, and of another one every file", async () => {
	const proxy = await Proxy.start(server.web);
	const ann = await enter("ann", "again", proxy.url);
	await worker(ann);
	const versions = () => ann.evaluate(async () => {
		const cache = await caches.open("page");
		return Promise.all((await cache.keys()).map(async (key) => (await cache.match(key)).headers.get("Page-Version")));
	});
	await until("all files of one version", async () => new Set(await versions()).size === 1);
	const reload = async () => {
		proxy.asked.length = 0;
		await ann.reload();
		await opened(ann, "again");
		return proxy.asked.filter((path) => !["/ws", "/worker.js"].includes(path)).sort();
	};
	// What is loaded later may still have been on its way.
	await reload();
	assert.deepEqual(await reload(), ["/"]);
	// As if it had kept this one when the server was another.
	await ann.evaluate(async () => (await caches.open("page")).put("/roles.js", new Response("broken(", { headers: { "Content-Type": "text/javascript", "Page-Version": '"other"' } })));
	assert.deepEqual(await reload(), ["/", "/roles.js"]);
	assert.deepEqual(await reload(), ["/"]);
});

test("a worker that was started anew gives out parts of the version that is open, and the page offers the new one once", async () => {
	const proxy = await Proxy.start(server.web);
	const ann = await enter("ann", "newer", proxy.url);
	await worker(ann);
	const tools = await ann.context().newCDPSession(ann);
	await tools.send("ServiceWorker.enable");
	await until("the version", () => ann.evaluate(async () => Boolean(await caches.match("/search.js"))));
	await tools.send("ServiceWorker.stopAllWorkers");
	proxy.asked.length = 0;
	await ann.click("#open-search");
	await ann.locator("#search").waitFor();
	assert.deepEqual(proxy.asked.filter((path) => path !== "/ws"), []);
	await ann.press("#search-text", "Escape");
	// As if the server were another when the connection is back.
	const isPage = (url) => url.pathname === "/";
	await ann.route(isPage, (route) => route.fulfill({ headers: { "Page-Version": '"other"' } }));
	for (let time = 0; time < 2; time += 1) {
		const asked = ann.waitForResponse((response) => response.request().method() === "HEAD" && new URL(response.url()).pathname === "/");
		proxy.cut();
		await lost(ann);
		await comeBack(ann);
		await asked;
	}
	await ann.getByRole("button", { name: "Load it" }).waitFor();
	assert.deepEqual(await ann.locator(".toast", { hasText: "new version" }).count(), 1);
	await ann.unroute(isPage);
	await ann.getByRole("button", { name: "Load it" }).click();
	await ann.locator(".toast", { hasText: "new version" }).waitFor({ state: "detached" });
	await opened(ann, "newer");
});

test("an installed page has a name and icons", async () => {
	const ann = await enter("ann", "installed");
	const tools = await ann.context().newCDPSession(ann);
	const { errors, data } = await tools.send("Page.getAppManifest");
	assert.deepEqual(errors, []);
	const { name, display, icons } = JSON.parse(data);
	assert.deepEqual([name, display, icons.length], ["Chinwag", "standalone", 2]);
	await worker(ann);
	const { installabilityErrors } = await tools.send("Page.getInstallabilityErrors");
	assert.deepEqual(installabilityErrors.map(({ errorId }) => errorId).filter((id) => id !== "in-incognito"), []);
});

test("somebody who is away is told by the push service, and what was read is taken back", async () => {
	const ann = await enter("ann", "pushed");
	await ann.context().grantPermissions(["notifications"], { origin: server.url });
	await worker(ann);
	const deliver = await deliveries(ann);
	const { told, subscription } = await pushService();
	await subscribesAt(ann, subscription);
	await ann.click("#open-settings");
	await ann.locator("#settings[open]").waitFor();
	await ann.locator("#settings-push").click();
	await status(ann, "This device is told");
	await assertAccessible(ann, "settings with pushes");
	await picture(ann, "settings-push");
	const [{ userVisibleOnly, applicationServerKey }] = await ann.evaluate(() => window.asked);
	assert.deepEqual([userVisibleOnly, applicationServerKey.length], [true, 87]);
	await ann.click("#settings-close");
	await say(ann, "/away");
	await shows(ann, "You are shown as away");
	const eve = await Member.connect(server.tcp, "eve");
	await eve.ask("send", { to: "ann", text: "are you there?" });
	await until("the push", () => told.length === 1);
	const { room, seq, unread, from, ...more } = told[0];
	assert.deepEqual([room, seq, unread, from], ["@ann:eve", 1, 1, "eve"]);
	assert.ok(!JSON.stringify(more).includes("are you there"));
	// Delivered again if it was too early for the browser: the permission has to reach the worker, too.
	await until("the notice", async () => {
		await deliver(JSON.stringify(told[0]));
		return (await notices(ann)).join() === "@ann:eve eve: A new message";
	});
	await deliver(JSON.stringify({ ...told[0], seq: 2, unread: 2 }));
	await until("the next one in its place", async () => (await notices(ann)).join() === "@ann:eve eve: 2 new messages");
	await deliver("of another version");
	await until("a notice of what is not understood", async () => (await notices(ann)).includes(" Chinwag: A new message"));
	await deliver(JSON.stringify({ room: "den", seq: 4, unread: 1, from: "bob", why: "mention", text: "hi @ann", read: { "": 0, "@ann:eve": 2 } }));
	await until("what was read is gone", async () => {
		const shown = await notices(ann);
		return shown.includes("den bob in den: hi @ann") && !shown.some((line) => line.startsWith("@ann:eve"));
	});
	await deliver(JSON.stringify(told[0]));
	await until("the notice again", async () => (await notices(ann)).some((line) => line.startsWith("@ann:eve")));
	await say(ann, "/join @eve");
	await opened(ann, "eve");
	await until("the notice of what is read now is gone", async () => !(await notices(ann)).some((line) => line.startsWith("@ann:eve")));
	await ann.click("#open-settings");
	await ann.locator("#settings-push").click();
	await until("the end of the device", async () => {
		const { items } = await ann.evaluate(() => import("/client.js").then(({ Client }) => new Promise((resolve) => {
			const other = new Client(`${location.origin.replace("http", "ws")}/ws`, { name: "ann" });
			other.addEventListener("welcome", async () => {
				resolve(await other.pushSubscriptions());
				other.stop();
			});
			other.start();
		})));
		return items.length === 0;
	});
});

test("a browser that refuses is explained in words", async () => {
	const ann = await enter("bob", "refused");
	await worker(ann);
	await ann.click("#open-settings");
	await ann.locator("#settings[open]").waitFor();
	await ann.evaluate(() => (Notification.requestPermission = async () => "denied"));
	const tick = () => ann.locator("#settings-push").click();
	await tick();
	await status(ann, "does not let this page show notices");
	assert.equal(await ann.isChecked("#settings-push"), false);
	await ann.evaluate(() => {
		Notification.requestPermission = async () => "granted";
		PushManager.prototype.subscribe = async () => {
			throw new DOMException("Registration failed - push service error", "AbortError");
		};
	});
	await tick();
	await status(ann, "could not reach its push service");
	assert.equal(await ann.isChecked("#settings-push"), false);
});
