/** This device: the worker by which the page opens without a connection, and is told of messages while it is closed. */
import { remembered } from "/storage.js";
import { t } from "/words.js";

const WORKER = "/worker.js";
/** The page's policy lets scripts be loaded by an address that this gives out only. */
const scripts = globalThis.trustedTypes?.createPolicy("chinwag-worker", { createScriptURL: () => WORKER }) ?? { createScriptURL: () => WORKER };

/** `chat()` is the client, `sentence(error)` puts a refusal into words, `go(room)` shows a room, `toast` says something. */
export function thisDevice({ chat, sentence, go, toast }) {
	/** The version of the page's files, as the server had it when it was asked last. */
	let version = null;
	let registration = null;
	const watched = new WeakSet();
	const isOn = () => Boolean(chat()?.user) && remembered("push") === chat().user;
	const subscription = () => registration?.pushManager?.getSubscription() ?? null;

	navigator.serviceWorker?.addEventListener("message", ({ data }) => data?.go && go(data.go));

	/** Each time that the server has accepted us. Resolves once the worker is registered: a service of pushes may take its time. */
	async function begin() {
		lookForNew().catch(() => {});
		if (!navigator.serviceWorker) return;
		const client = chat();
		try {
			registration ??= await navigator.serviceWorker.register(scripts.createScriptURL(WORKER));
			if (!watched.has(client)) {
				watched.add(client);
				client.addEventListener("room", ({ detail }) => closeRead([detail.room]));
			}
			closeRead(client.rooms.values());
			// The server may have forgotten this device, or the browser may have made another subscription.
			if (isOn()) subscribe(client).catch(() => {});
		} catch {
			// The page works without: a browser may allow no worker, as in a private window.
		}
	}

	/** Offers, once, to load the page of another server than it came from: parts of it that are loaded later are of that one. */
	async function lookForNew() {
		const answer = await fetch("/", { method: "HEAD", cache: "no-store" });
		const [before, now] = [version, answer.headers.get("page-version")];
		version = now ?? before;
		if (before && now && now !== before) toast(t("said.newVersion"), { label: t("said.reload"), run: () => location.reload() });
	}

	/** Takes back notices of what was read, here or elsewhere. */
	async function closeRead(rooms) {
		if (globalThis.Notification?.permission !== "granted") return;
		const notices = (await registration?.getNotifications?.()) ?? [];
		if (!notices.length) return;
		const marks = new Map([...rooms].map(({ name, read }) => [name, read]));
		for (const notice of notices) if (notice.data?.seq <= (marks.get(notice.data.room) ?? 0)) notice.close();
	}

	async function subscribe(client) {
		const { key } = await client.pushSubscriptions();
		const old = await subscription();
		// With the key of another server, or of this one before its database was lost, nothing would arrive.
		const isGood = old && keyOf(old) === key;
		if (old && !isGood) await old.unsubscribe();
		const made = isGood ? old : await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
		await client.pushSubscribe(made);
	}

	/** Has this device told, or not any more. Resolves to why it is not, in words; empty if it is as wished. */
	async function set(wanted) {
		const client = chat();
		if (!wanted) {
			remembered("push", null);
			return end(client);
		}
		if (!registration) await begin();
		if (!registration?.pushManager) return `${t("push.unable")} ${/iPhone|iPad/.test(navigator.userAgent) ? t("push.apple") : isSecureContext ? "" : t("push.https")}`.trim();
		if ((await Notification.requestPermission()) !== "granted") return t("push.denied");
		try {
			await subscribe(client);
			remembered("push", client.user);
			return "";
		} catch (error) {
			if (error.code === 9002) return t("push.none");
			return error.slug === undefined ? t(error.name === "NotAllowedError" ? "push.denied" : "push.noService") : sentence(error);
		}
	}

	/** Ends the subscription of this browser: its service then knows it no more, and the server learns that at the next push. */
	async function end(client) {
		const known = await subscription();
		if (!known) return "";
		await client?.pushUnsubscribe(known.endpoint).catch(() => {});
		await known.unsubscribe();
		return "";
	}

	/** Whoever was signed in is not any more: nothing is shown of what they are told. */
	async function leave() {
		remembered("push", null);
		for (const notice of (await registration?.getNotifications?.()) ?? []) notice.close();
		await (await subscription())?.unsubscribe();
	}

	return { begin, isOn: async () => isOn(), set, leave };
}

function keyOf(subscription) {
	const bytes = new Uint8Array(subscription.options?.applicationServerKey ?? []);
	return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
