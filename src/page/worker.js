/**
 * The service worker: opens the page without a connection, and shows what the server pushes while no page is open. It keeps the
 * page's own files and nothing that anybody has said: the device may be in other hands.
 */
const CACHE = "page";
/** All files of the page; a test holds the list against those of the server. */
const FILES = [
	"/", "/style.css", "/account.js", "/actions.js", "/app.js", "/asking.js", "/audit.js", "/client.js", "/commands.js", "/complete.js",
	"/composer.js", "/connection.js", "/device.js", "/dialogs.html", "/directory.js", "/dom.js", "/early.js", "/emoji.js", "/en.js", "/files.css", "/files.js", "/kept.js", "/later.css", "/lists.js", "/log-entry.js", "/log-window.js",
	"/markdown.js", "/members.js", "/moderation.js", "/notices.js", "/personal.js", "/pictures.js", "/preferences.js", "/quotes.js", "/reports.js", "/roles.js",
	"/run-command.js", "/search.js", "/settings.js", "/storage.js", "/switcher.js", "/tab-icon.js", "/text.js", "/thread-view.js", "/threads.css", "/threads.js", "/toasts.js", "/transfer.js", "/welcome.js",
	"/words.js", "/zh.js",
	"/favicon.svg", "/icon.svg", "/manifest.json",
];
/** How long the server has to answer before the kept file is taken. */
const PATIENCE_MS = 4_000;

self.addEventListener("install", (event) => {
	self.skipWaiting();
	event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES)));
});
// The document is asked for while the worker starts.
self.addEventListener("activate", (event) => event.waitUntil(Promise.all([self.clients.claim(), self.registration.navigationPreload?.enable()])));

self.addEventListener("fetch", (event) => {
	const { origin, pathname } = new URL(event.request.url);
	if (event.request.method === "GET" && origin === location.origin && FILES.includes(pathname)) event.respondWith(file(event, pathname));
	else if (event.request.mode === "navigate") event.respondWith(asked(event));
});

/** The version of all files, as the document has it that was given out last; a worker that was started since looks at the kept one. */
let version = null;
const versionOf = (response) => response?.headers.get("Page-Version") ?? null;

/** Kept files that the document will ask for, by their paths: looked for while that is on its way. */
const looked = new Map();

async function lookAhead() {
	const text = (await (await caches.match("/"))?.text()) ?? "";
	for (const [, path] of text.matchAll(/(?:src|href)="(\/[\w-]+\.(?:js|css))"/g)) looked.set(path, caches.match(path));
}

/**
 * A file as the server has it, so that a new server never runs with an old page; as it was, where the server cannot be reached. Of the
 * version of the document that was opened last it is the kept one: where the way to the server is long, only the document is asked for.
 */
async function file(event, path) {
	if (path !== "/") {
		// Of one page: a response is read once.
		const ahead = looked.get(path);
		looked.delete(path);
		const [found, document] = await Promise.all([ahead ?? caches.match(path), version ? null : caches.match("/")]);
		version ??= versionOf(document);
		if (version && versionOf(found) === version) return found;
	} else lookAhead();
	const response = await fresh(event, path);
	if (path === "/") version = versionOf(response);
	return response;
}

/** The server's answer, of which a document has been asked for already. */
const asked = (event) => Promise.resolve(event.preloadResponse).then((early) => early ?? fetch(event.request));

async function fresh(event, path) {
	const answer = asked(event);
	event.waitUntil(answer.then((response) => keep(path, response)).catch(() => {}));
	const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
	const kept = () => caches.match(path);
	try {
		return (await Promise.race([answer, late.then(kept)])) ?? (await answer);
	} catch {
		return (await kept()) ?? Response.error();
	}
}

/** Keeps a file; it is given out meanwhile. */
async function keep(path, response) {
	if (!response.ok) return;
	const copy = response.clone();
	await (await caches.open(CACHE)).put(path, copy);
}

self.addEventListener("push", (event) => event.waitUntil(show(event.data)));

/** Shows a push. A browser wants each one to be shown, so that one that is not understood is, too. */
async function show(data) {
	let told = {};
	try {
		told = data.json();
	} catch {
		// Of another version of the server.
	}
	const { room = "", seq = 0, unread = 1, from = "Chinwag", why = "direct", text, read = {} } = told;
	await closeRead(read);
	const body = text ?? (unread > 1 ? `${unread} new messages` : "A new message");
	const title = why === "direct" ? from : `${from} in ${room}`;
	// One a room: it takes the place of the one before.
	await self.registration.showNotification(title, { body, tag: room, icon: "/favicon.svg", data: { room, seq } });
}

/** Closes notices of what the user has read: `read` has the last seq of each room. */
async function closeRead(read) {
	for (const notice of await self.registration.getNotifications()) {
		const { room, seq } = notice.data ?? {};
		if (seq <= (read[room] ?? 0)) notice.close();
	}
}

self.addEventListener("message", (event) => event.waitUntil(closeRead(event.data.read)));

self.addEventListener("notificationclick", (event) => {
	event.notification.close();
	event.waitUntil(open(event.notification.data?.room));
});

/** Shows a room: in the page that is open, or in a new one. */
async function open(room) {
	const [page] = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
	if (!page) return self.clients.openWindow(room ? `/#room=${encodeURIComponent(room)}` : "/");
	await page.focus();
	if (room) page.postMessage({ go: room });
}
