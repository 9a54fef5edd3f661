/**
 * A client for the protocol `chinwag.v1`, without dependencies and without a DOM: for pages, bots and tests.
 *
 *     import { Client } from "/client.js";
 *
 *     const chat = new Client("wss://chat.example/ws", { name: "ann" });
 *     const on = (type, run) => chat.addEventListener(type, (event) => run(event.detail));
 *     on("record", ({ room, item }) => {
 *       if (item.ev === "message") console.log(`${room.name} #${item.seq} ${item.from}: ${item.text}`);
 *     });
 *     on("state", ({ state, error }) => console.log(state, error?.message ?? ""));
 *     chat.start();
 *     await chat.join("lobby");
 *     chat.send("lobby", "hi");          // kept, and repeated until the server has answered
 *
 * Where the server has accounts, `await chat.login("ann", password)` stands for `start`; the `token` that it resolves to is for the
 * option `token` of later clients. Where tokens come from elsewhere, that option may be a function that fetches one:
 * for each connection, and a minute before the one of a living connection ends.
 *
 * Each record of a joined room arrives once and in the order of `seq`, also over lost connections; a `gap` or `reset` stands for
 * missing ones. Each `send` is stored once. {@link present} applies edits and reactions.
 *
 * | event | detail | when |
 * |---|---|---|
 * | `state` | {@link State} | the connection changed |
 * | `welcome` | data of the reply to `hello` | the server has accepted us |
 * | `record` | `{room, item}` | the next record of a room, also our own |
 * | `gap` | `{room, from, to, why}` | missing: `pruned`, `limit` (ask `history`) or `lost` |
 * | `reset` | `{room, seq}` | the room has a new log, now at `seq` |
 * | `live` | `{room}` | the room has caught up |
 * | `room` | `{room}` | unread, presence, typing or receipts changed |
 * | `renamed` | `{room, was}` | the room has another name: what is kept by the name `was` belongs to `room.name` |
 * | `gone` | `{room, from, reason}` | somebody has closed the room of this name; `left` follows |
 * | `left` | `{room, reason, error}` | we are no longer in the room: `left`, `kicked`, `banned`, `closed`, or `refused` with an `error` on return |
 * | `invited` | `{room, from, reason}` | a new invitation to `join` the room |
 * | `invitations` | `{invitations}` | the open invitations as the server lists them: `{room, by, at, reason}` |
 * | `blocked` | `{users}` | whom we have blocked, a set: as {@link Client.listBlocked} lists them, and as it changes |
 * | `profiles` | `{users}` | names of users whose {@link Client.profiles} have changed |
 * | `reported` | `{room}` | somebody has reported something that we may settle; without a room, in none |
 * | `thread` | `{room, thread, following, read}` | another of our clients follows a thread, follows it no more, or has read it up to `read` |
 * | `expires` | `{in_ms}` | our token ends soon: where the option `token` is a function it is asked for another one, else call `refresh` |
 * | `outbox` | `{entry, status, error}` | a message is `pending`, `sent` or `failed` |
 * | `problem` | {@link ChinwagError} | a refusal without a promise |
 */

const BACKOFF_BASE_MS = 500;
const BACKOFF_MAX_MS = 20_000;
const HEALTHY_MS = 30_000;
const HELLO_MS = 15_000;
const PING_MS_DEFAULT = 25_000;
const PONG_MS = 10_000;
const TYPING_SHOWN_MS = 6_000;
const TYPING_SENT_MS = 3_000;
const ACK_GATHER_MS = 300;
/** The longest `retry_after_ms` that is waited for. */
const RETRY_WAIT_MAX_MS = 30_000;
/** Before the server is asked to count again. */
const RECOUNT_MS = 100;
/** Codes of a room in which we are not: no such room, not a member, banned, by invitation. */
const NOT_OURS = new Set([3001, 3003, 3005, 3008]);
/** Records held back while others are fetched. */
const HELD_MAX = 1_000;

/** Stands where there is none, and says what to do. */
class NoWebSocket {
	constructor() {
		throw new TypeError("there is no WebSocket here: in Node 20 pass that of ws as the option WebSocket");
	}
}

/** A refusal by the server, or `offline`. */
export class ChinwagError extends Error {
	constructor(reply) {
		super(reply.message ?? "refused");
		this.name = "ChinwagError";
		/** The protocol's code; 0 when offline. */
		this.code = reply.code ?? 0;
		/** The code's name, such as `rate_limited`. */
		this.slug = reply.data?.error ?? (this.code ? "" : "offline");
		this.data = reply.data ?? {};
		this.op = reply.op;
		/** When the same request may succeed. */
		this.retryAfterMs = this.data.retry_after_ms ?? reply.retry_after_ms;
	}
}

const offline = () => new ChinwagError({ message: "not connected" });

/** What has become of a token, by the code of a refusal or of a close. */
const TOKEN_ENDS = { 2001: "refused", 2002: "expired", 2003: "refused", 4000: "refused", 4006: "ended", 1008: "expired" };

/** One room, or a `direct` conversation of two. All records up to `seq` have arrived. */
export class Room {
	epoch = null;
	seq = 0;
	oldest = 1;
	/** `wanted` (not joined yet), `lagging` (catching up), `live`. */
	state = "wanted";
	role = "member";
	durable = "";
	topic = "";
	/** Whether strangers do not learn that it exists. */
	private = false;
	/** Names that it had before, which lead to it still. */
	former = [];
	/** For how long what is said is kept, `{ms, records, bytes}`: each is undefined if it is no bound. */
	kept = {};
	read = 0;
	unread = 0;
	/** How many of the unread messages name us, or the room. */
	mentions = 0;
	/** How many of them belong to threads, which a program may count by themselves. */
	inThreads = 0;
	/** `{v, count, users}`; `users`, a map from name to status, is null in a room too large for names. */
	presence = null;
	typing = [];
	/** The seq up to which each user has read. */
	receipts = new Map();

	// For the client alone.
	after = undefined;
	catchUp = 0;
	counted = 0;
	/** Unread up to `counted`, as the server has counted them, and the seqs of those behind it. */
	unreadBefore = 0;
	unreadSince = [];
	/** Those that name us: as the server has counted them, and by seq since. */
	mentionsBefore = 0;
	mentionsSince = [];
	/** Likewise those of threads. */
	threadsBefore = 0;
	threadsSince = [];
	acked = 0;
	acking = 0;
	recounting = false;
	typingSentAt = -Infinity;
	heldBack = null;
	joining = null;
	asking = false;
	watching = false;

	constructor(name) {
		this.name = name;
	}

	get direct() {
		return this.name.startsWith("@");
	}
}

/** The room of two users: their names in the order of bytes. */
export function directRoom(a, b) {
	const key = (name) => String.fromCharCode(...new TextEncoder().encode(name));
	return `@${(key(a) < key(b) ? [a, b] : [b, a]).join(":")}`;
}

/** The other user of a direct conversation. */
export function otherIn(room, user) {
	const [a, b] = room.slice(1).split(":");
	return a === user ? b : a;
}

/**
 * Applies edits, deletions and reactions to `items`, records of one log in their order, and returns a list to show. An entry is
 * `{item}`, the record; of a message also its present `text`, `edited` (a time, if it was), `deleted`, and `reactions`, a map from
 * emoji to names. Edits, deletions and reactions themselves are left out. A record with `ev: "reset"` separates two logs.
 */
export function present(items) {
	const shown = [];
	const messages = new Map();
	for (const item of items) {
		const target = messages.get(item.target);
		if (item.ev === "edit") {
			// A page of history has the present text, which an earlier edit must not undo.
			if (target && !target.deleted && !(item.at < target.edited) && item.text !== undefined) {
				Object.assign(target, { text: item.text, edited: item.at });
				if (item.mentions || target.mentions) target.mentions = item.mentions ?? [];
			}
		} else if (item.ev === "deletion") {
			if (target) Object.assign(target, { text: "", deleted: true, edited: undefined, reactions: new Map() });
		} else if (item.ev === "reaction") {
			if (target && !target.deleted) react(target.reactions, item);
		} else {
			const { ev, text = "", edited, deleted = false } = item;
			shown.push(ev === "message" ? { item, text, edited, deleted, reactions: new Map() } : { item });
			if (item.mentions) shown.at(-1).mentions = item.mentions;
			if (ev === "message" && item.seq) messages.set(item.seq, shown.at(-1));
			if (ev === "reset") messages.clear();
		}
	}
	return shown;
}

function react(reactions, { emoji, from, remove }) {
	const users = reactions.get(emoji) ?? new Set();
	if (remove) users.delete(from);
	else users.add(from);
	if (users.size) reactions.set(emoji, users);
	else reactions.delete(emoji);
}

/**
 * `state` is `stopped`, `connecting`, `ready` or `waiting` until `retryAt`, with `announced` if the server named that time.
 * `token` says why it is `stopped` for good: ours is `refused`, has `expired`, or its login was `ended`.
 *
 * @typedef {{state: string, retryAt?: number, announced?: boolean, close?: number, error?: ChinwagError, token?: string}} State
 *
 * @typedef {{id: string, agent: string, at: number, used: number, current: boolean}} Login one device of an account: since when, last used
 */

export class Client extends EventTarget {
	/** Our name, once accepted. */
	user = null;
	/** The session to resume; null asks for a new one. */
	session = null;
	/** The server's limits. */
	limits = {};
	/** {@link Room}s by name. */
	rooms = new Map();
	/** Names of the users whom we have blocked. */
	blocked = new Set();
	/** By name what users say of themselves, as far as it was asked for or told: `{display, text, until, color}`, each of which may be missing. */
	profiles = new Map();
	/** A {@link State}. */
	state = { state: "stopped" };

	#url;
	#options;
	#clock;
	#socket = null;
	#attempt = 0;
	#readyAt = 0;
	#seenAt = 0;
	#pingAt = 0;
	#comeBackAt = 0;
	#nextId = 1;
	#pending = new Map();
	#queues = new Map();
	#sendAfter = 0;
	#timers = new Map();
	#rev;
	#syncing = null;

	/**
	 * @param {string | URL} url the server's `/ws`
	 * @param {object} [options] `name` (without it the server gives one), `agent` (this program); `token`, which says who we are
	 *   (from `login` or `register`, or made elsewhere), or a function that gives one or a promise of it, called for each
	 *   connection; `session` and `outbox` of an earlier client, to go on where it ended; `reachable`, a function that rejects while
	 *   the server cannot be reached, called before a WebSocket is opened where one has failed: Firefox delays each one after that,
	 *   by up to a minute, also when the server is back; for tests `WebSocket`, `clock`, `random`
	 */
	constructor(url, options = {}) {
		super();
		this.#url = url;
		this.#options = { agent: "client.js", WebSocket: globalThis.WebSocket ?? NoWebSocket, random: Math.random, ...options };
		this.#clock = options.clock ?? {
			now: () => Date.now(),
			setTimeout: (run, ms) => setTimeout(run, ms),
			clearTimeout: (timer) => clearTimeout(timer),
		};
		this.session = options.session ?? null;
		for (const entry of options.outbox ?? []) this.#queueOf(entry.room).push({ ...entry, inFlight: false });
	}

	// --- The connection

	/** Connects, and reconnects until `stop` or until the server refuses for good. Ends a wait. */
	start() {
		if (this.state.state === "stopped" || this.state.state === "waiting") this.#connect();
	}

	/** Closes the connection; `start` goes on from here. */
	stop() {
		this.#closeSocket(1000);
		this.#setState({ state: "stopped" });
	}

	/** For when the network or machine is back: tests the connection, or ends a wait unless the server set it. */
	wake() {
		if (this.state.state === "waiting" && !this.state.announced) this.#connect();
		if (this.state.state === "ready" && !this.#pingAt) this.#ping();
	}

	#connect() {
		this.#closeSocket(1000);
		this.#comeBackAt = 0;
		this.#setState({ state: "connecting" });
		this.#arm("watch", HELLO_MS, () => this.#closed(1006));
		const { reachable } = this.#options;
		if (!reachable || this.#attempt < 2) return this.#open();
		// Stands for the socket, so that an abandoned question opens none.
		const question = { close() {} };
		this.#socket = question;
		const then = (next) => () => this.#socket === question && next();
		Promise.resolve().then(reachable).then(then(() => this.#open()), then(() => this.#closed(1006)));
	}

	#open() {
		const socket = new this.#options.WebSocket(this.#url, "chinwag.v1");
		this.#socket = socket;
		// An abandoned socket may still fire events.
		const present = (handle) => (event) => this.#socket === socket && handle(event);
		const { token } = this.#options;
		const failed = present(() => this.#closed(1006));
		const greet = present((given) => this.#hello(given || undefined));
		socket.onopen = typeof token === "function" ? () => Promise.resolve().then(token).then(greet, failed) : () => greet(token);
		socket.onmessage = present((event) => this.#receive(event.data));
		socket.onclose = present((event) => this.#closed(event.code));
	}

	#hello(token) {
		const joined = [...this.rooms.values()].filter((room) => room.state !== "wanted");
		const rooms = Object.fromEntries(joined.map((room) => [room.name, [room.epoch, room.seq]]));
		this.#ask("hello", this.#greeting(token, rooms), (data) => this.#welcome(data)).catch((error) => this.#refused(error));
	}

	#greeting(token, rooms) {
		const resume = this.session ? { session: this.session, rooms } : undefined;
		const name = (!token && (this.user ?? this.#options.name)) || undefined;
		return { name, token, agent: this.#options.agent, resume };
	}

	/** The text that a client will send first which goes on by our name, or token, and `session`; for where no function gives tokens. */
	get firstWords() {
		return JSON.stringify({ op: "hello", id: 1, ...this.#greeting(this.#options.token, {}) });
	}

	#welcome(data) {
		this.user = data.user;
		this.session = data.session;
		this.limits = data.limits ?? {};
		this.#readyAt = this.#clock.now();
		if (!data.resumed) this.#rev = undefined;
		this.#watch();
		this.#setState({ state: "ready" });
		this.#emit("welcome", data);
		// Of more than it has room for, `rooms` has all.
		if (data.invitations && !data.more_invitations) this.#emit("invitations", { invitations: data.invitations });
		for (const room of [...this.rooms.values()]) {
			const answer = data.rooms?.[room.name];
			if (answer?.room) this.#renamed(room.name, answer.room);
			if (this.rooms.get(room.name) !== room) continue;
			if (room.state !== "wanted") this.#resumeRoom(room, answer);
			if (this.rooms.get(room.name) !== room) continue;
			if (room.state === "wanted" && (!room.direct || room.epoch !== null)) this.#joinRoom(room).catch(() => {});
			else if (room.watching) this.#askPresence(room);
		}
		for (const name of this.#queues.keys()) this.#sendNext(name);
		this.sync().catch(() => {});
	}

	#resumeRoom(room, answer) {
		if (answer?.reset) this.#reset(room, answer);
		if (answer?.marks) this.#mergeReceipts(room, { read: answer.marks });
		if (answer?.reset) return;
		if (answer?.gap) this.#gap(room, { from: answer.gap[0], to: answer.gap[1], why: answer.why });
		if (answer?.gap || answer?.to !== undefined) return this.#catchUp(room, answer.to ?? room.seq);
		const error = answer?.code && new ChinwagError({ op: "hello", ...answer });
		// Never undone by a join: we have left it on another device, or were removed.
		if (error && NOT_OURS.has(error.code)) return this.#lost(room, error);
		room.state = "wanted";
	}

	/** A room is not ours any more. A direct conversation begins again with a message that waits for it. */
	#lost(room, error) {
		if (room.direct && this.#queueOf(room.name).length) return this.#reset(room, { epoch: null, seq: 0 });
		this.#removeRoom(room, "refused", error);
	}

	#refused(error) {
		if (!error.code) return;
		this.#closeSocket(1000);
		if (error.retryAfterMs === undefined) return this.#setState({ state: "stopped", error, token: this.#tokenEnd(error.code) });
		this.#wait(error.retryAfterMs + this.#backoff(), { error });
	}

	#closed(code) {
		this.#closeSocket(1000);
		if (this.#readyAt && this.#clock.now() - this.#readyAt >= HEALTHY_MS) this.#attempt = 0;
		this.#readyAt = 0;
		if ((code >= 4000 && code < 4100) || code === 1008) return this.#setState({ state: "stopped", close: code, token: this.#tokenEnd(code) });
		const announced = this.#comeBackAt > 0;
		this.#wait(announced ? this.#comeBackAt - this.#clock.now() : this.#backoff(), { close: code, announced });
	}

	#tokenEnd(code) {
		return this.#options.token ? TOKEN_ENDS[code] : undefined;
	}

	/** Full jitter, so that not all clients come back at once. */
	#backoff() {
		const most = Math.min(BACKOFF_MAX_MS, BACKOFF_BASE_MS * 2 ** this.#attempt);
		this.#attempt += 1;
		return this.#options.random() * most;
	}

	#wait(ms, more) {
		this.#setState({ state: "waiting", retryAt: this.#clock.now() + ms, ...more });
		this.#arm("retry", ms, () => this.#connect());
	}

	/** Abandons the socket; messages stay in the outbox. */
	#closeSocket(code) {
		const socket = this.#socket;
		this.#socket = null;
		for (const timer of this.#timers.values()) this.#clock.clearTimeout(timer);
		this.#timers.clear();
		socket?.close(code);
		for (const queue of this.#queues.values()) if (queue[0]) queue[0].inFlight = false;
		for (const room of this.rooms.values()) Object.assign(room, { typing: [], heldBack: null, joining: null, acking: 0 });
		const asked = [...this.#pending.values()];
		this.#pending.clear();
		for (const { reject } of asked) reject(offline());
	}

	/**
	 * A page does not see WebSocket pings, so it pings a quiet connection. Only an unanswered ping means that it is dead:
	 * silence alone may come from a machine's sleep or a throttled tab.
	 */
	#watch() {
		const now = this.#clock.now();
		if (this.#pingAt && now - this.#pingAt >= PONG_MS) return this.#closed(1006);
		const quietAt = this.#seenAt + (this.limits.ping_ms ?? PING_MS_DEFAULT);
		if (!this.#pingAt && now >= quietAt) return this.#ping();
		this.#arm("watch", (this.#pingAt ? this.#pingAt + PONG_MS : quietAt) - now, () => this.#watch());
	}

	#ping() {
		this.#pingAt = this.#clock.now();
		this.#transmit({ op: "ping", id: this.#nextId++ });
		this.#watch();
	}

	// --- Accounts

	/**
	 * How people come in: `{auth, registration}`. `auth` lists what the server believes: `none` (a name), `accounts`, `jwt`, `header`,
	 * `guests`; `registration` is `closed`, `invite` or `open`. Needs no session.
	 */
	async offers() {
		const { auth = ["none"], registration = "closed" } = await this.#askBefore("help", { of: "hello" }).catch((error) => {
			// Only who has said hello may ask: an older server.
			if (error.code === 1004) return {};
			throw error;
		});
		return { auth, registration };
	}

	/**
	 * Proves by a password who we are, and connects. Resolves to `{user, token}`: the `token` is a secret of this device, good until
	 * its login is ended. Rejects with 2001 for a wrong name or password, 5001 after too many tries. For a stopped client.
	 */
	login(name, password) {
		return this.#enter("login", { name, password });
	}

	/** Makes an account, and goes on as {@link login} does; `invite` is the secret of an invite link. Rejects with 2005 if the name is taken. */
	register(name, password, { invite } = {}) {
		return this.#enter("register", { name, password, invite });
	}

	/** Ends our own login, so that the token is no longer good, and stops. */
	async logout() {
		try {
			const own = (await this.logins()).find((login) => login.current);
			if (own) await this.endLogin(own.id);
		} catch (error) {
			// The end of the login is the end of the connection, which may come first.
			if (this.state.token !== "ended") throw error;
		} finally {
			this.stop();
		}
	}

	/** Changes our password. All our other logins end. */
	async password(old, password) {
		if (this.state.state !== "ready") throw offline();
		// Not repeated: who guesses has to wait, and is told so.
		await this.#ask("password", { old, new: password });
	}

	/** Our logins, a {@link Login} for each device. */
	async logins() {
		return (await this.request("logins")).logins;
	}

	/** Ends one login by its `id`, `others` than this one, or `all`: their tokens and connections. */
	async endLogin(login) {
		await this.request("end_login", { login });
	}

	/**
	 * Makes a link with which others can `register`: `uses` times, for `for_ms`; they become members of `rooms`. Resolves to
	 * `{invite, path, uses, until}`; `path` is that of the chat page.
	 */
	inviteLink({ uses, for_ms, rooms } = {}) {
		return this.request("invite_link", { uses, for_ms, rooms });
	}

	/** Takes an invite link with the account that we have: we become members of its rooms. */
	accept(invite) {
		return this.request("accept", { invite });
	}

	// --- People of whom we want to hear nothing

	/**
	 * Hears nothing of a user any more, who does not learn of it: no direct messages, invitations, typing, receipts and presence.
	 * Messages in common rooms still arrive; `blocked` says whose to hide. The conversation with the user is `left`.
	 */
	async block(user) {
		await this.request("block", { user });
		this.#setBlocked([...this.blocked, user]);
	}

	/** Ends that. The next message of either brings the conversation back. */
	async unblock(user) {
		await this.request("unblock", { user });
		this.#setBlocked([...this.blocked].filter((other) => other !== user));
	}

	/** Asks the server whom we have blocked: once, and again after each `welcome` if other clients of ours may change it. */
	async listBlocked() {
		const { users } = await this.request("blocked");
		this.#setBlocked(users.map(({ user }) => user));
	}

	// --- What people say of themselves

	/** Changes our `display` name, our status `text`, for how many milliseconds, `for_ms`, that holds, and the `color` of our name; empty: none. Resolves to all of it. */
	async profile(changes = {}) {
		const { profiles } = await this.request("profile", changes);
		this.#setProfiles(profiles);
		return profiles[this.user];
	}

	/** What users say of themselves, up to 50 at once, by name: those with whom we share a room. `profiles` has it, too. */
	async whois(users) {
		const { profiles } = await this.request("whois", { users });
		for (const user of users) if (!profiles[user]) this.profiles.delete(user);
		this.#setProfiles(profiles);
		return profiles;
	}

	#setProfiles(profiles) {
		const users = Object.keys(profiles);
		for (const user of users) this.profiles.set(user, profiles[user]);
		this.#emit("profiles", { users });
	}

	/** Nothing is to be seen any more of what these users say of themselves. */
	#setBlocked(users) {
		this.blocked = new Set(users);
		const gone = users.filter((user) => this.profiles.delete(user));
		if (gone.length) this.#emit("profiles", { users: gone });
		this.#emit("blocked", { users: this.blocked });
	}

	// --- Devices that are told while we are away

	/** `{key, items}`: our devices that are told of direct messages; the key is the `applicationServerKey` of another one's subscription. */
	pushSubscriptions() {
		return this.request("push_subscriptions");
	}

	/** Has a device told: `subscription` is what `pushManager.subscribe` of its browser has made. Resolves to `{id}`. */
	pushSubscribe(subscription) {
		const { endpoint, keys } = subscription.toJSON?.() ?? subscription;
		return this.request("push_subscribe", { endpoint, p256dh: keys.p256dh, auth: keys.auth, agent: this.#options.agent });
	}

	/** Ends that, by the endpoint of the subscription or by the id of one of the list. */
	async pushUnsubscribe(which) {
		await this.request("push_unsubscribe", { [typeof which === "number" ? "subscription" : "endpoint"]: which });
	}

	// --- Reports

	/** Tells the moderators or administrators of a message, `{room, target}`, or of a user, `{user, room}`; the reported learns nothing. */
	async report({ room, target, user, reason }) {
		await this.request("report", { room, target, user, reason });
	}

	/** A page of what was reported and we may settle: `{items: [{id, by, user, room, target, text, reason, at}], more}`. */
	reports({ room, limit, after } = {}) {
		return this.request("reports", { room, limit, after: after || undefined });
	}

	/** Ends a report, by its id. */
	async settle(report) {
		await this.request("settle", { report });
	}

	/** A page of what was done over others, latest first: `{items: [{id, at, by, act, user, room}], more}`; the next is `before` the last id. */
	audit({ room, before, limit } = {}) {
		return this.request("audit", { room, before, limit });
	}

	/** What is kept of us, part by part: `{user, part, …}`. */
	async *export() {
		for (let after, more = true; more; ) {
			const { after: next, more: isMore, ...part } = await this.request("export", { after });
			yield part;
			[after, more] = [next, isMore];
		}
	}

	/** Our token ends in `ms`: the function that gives tokens is asked for another one, and again if it fails, until it is too late. */
	async #renew(ms) {
		const { token } = this.#options;
		if (typeof token !== "function") return;
		const [socket, end] = [this.#socket, this.#clock.now() + ms];
		for (;;) {
			try {
				const fresh = await token();
				if (socket !== this.#socket || !fresh) return;
				await this.refresh(fresh);
				return;
			} catch (error) {
				if (socket !== this.#socket) return;
				const isRefused = error instanceof ChinwagError && error.code > 0 && error.retryAfterMs === undefined;
				if (isRefused) return this.#emit("problem", error);
			}
			if (this.#clock.now() + ms / 4 >= end) return;
			await new Promise((resolve) => this.#clock.setTimeout(resolve, ms / 4));
			if (socket !== this.#socket) return;
		}
	}

	/** Replaces the token by a newer one of the same user, without a new connection. */
	async refresh(token) {
		if (typeof this.#options.token !== "function") this.#options.token = token;
		if (this.state.state === "ready") await this.request("refresh", { token });
	}

	async #enter(op, fields) {
		const data = await this.#askBefore(op, { ...fields, agent: this.#options.agent });
		this.#options.token = data.token;
		this.start();
		return data;
	}

	/** Asks on a connection of its own, before any `hello`. */
	#askBefore(op, fields) {
		return new Promise((resolve, reject) => {
			const socket = new this.#options.WebSocket(this.#url, "chinwag.v1");
			const end = (settle, value) => {
				this.#clock.clearTimeout(timer);
				socket.onclose = null;
				socket.close(1000);
				settle(value);
			};
			const timer = this.#clock.setTimeout(() => end(reject, offline()), HELLO_MS);
			socket.onopen = () => socket.send(JSON.stringify({ op, id: 1, ...fields }));
			socket.onclose = () => end(reject, offline());
			socket.onmessage = (event) => {
				const reply = JSON.parse(event.data);
				if (reply.code === 0) end(resolve, reply.data ?? {});
				else if (reply.code) end(reject, new ChinwagError({ op, ...reply }));
			};
		});
	}

	// --- Requests

	/**
	 * Sends any request and resolves to the reply's `data`. Repeats it when the server asks for that soon (`retry_after_ms`).
	 * Rejects with a {@link ChinwagError}, `offline` without a connection.
	 */
	request(op, fields = {}) {
		return this.#request(op, fields);
	}

	async #request(op, fields, apply) {
		if (this.state.state !== "ready") throw offline();
		return this.#ask(op, fields, apply).catch(async (error) => {
			if (!(error.retryAfterMs <= RETRY_WAIT_MAX_MS)) throw error;
			await new Promise((resolve) => this.#clock.setTimeout(resolve, error.retryAfterMs));
			return this.#request(op, fields, apply);
		});
	}

	/** `apply` runs before the next frame is handled, which a promise's `then` may not. */
	#ask(op, fields, apply) {
		const id = this.#nextId++;
		return new Promise((resolve, reject) => {
			const fulfil = (data) => {
				apply?.(data);
				resolve(data);
			};
			this.#pending.set(id, { op, fulfil, reject });
			this.#transmit({ op, id, ...fields });
		});
	}

	#transmit(message) {
		if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(message));
	}

	#receive(text) {
		this.#seenAt = this.#clock.now();
		this.#pingAt = 0;
		let message;
		try {
			message = JSON.parse(text);
		} catch {
			return this.#closed(1007);
		}
		if (typeof message.ev === "string") return this.#event(message);
		const asked = this.#pending.get(message.id);
		this.#pending.delete(message.id);
		if (message.code === 0) return asked?.fulfil(message.data ?? {});
		const error = new ChinwagError({ op: asked?.op, ...message });
		if (asked) asked.reject(error);
		else this.#emit("problem", error);
	}

	#event(event) {
		if (event.ev === "drain") this.#comeBackAt = this.#clock.now() + event.reconnect_after_ms;
		if (event.ev === "joined") return this.#joined(this.#room(event.room), event);
		if (event.ev === "renamed") return this.#renamed(event.room, event.name);
		if (event.ev === "invited" || event.ev === "reported" || event.ev === "thread" || event.ev === "gone") {
			const { ev, ...news } = event;
			return this.#emit(ev, news);
		}
		if (event.ev === "profiles") return this.#setProfiles(event.profiles);
		if (event.ev === "expires") {
			this.#emit("expires", { in_ms: event.in_ms });
			this.#renew(event.in_ms);
			return;
		}
		const room = this.rooms.get(event.room);
		if (!room) return;
		switch (event.ev) {
			case "replay":
				for (const item of event.items) this.#record(room, item);
				return this.#sendNext(room.name);
			case "live":
				return this.#becomeLive(room, event.seq);
			case "gap":
				return this.#gap(room, event);
			case "left":
				return this.#removeRoom(room, event.reason);
			case "presence":
				return this.#mergePresence(room, event);
			case "typing":
				return this.#showTyping(room, event.users ?? []);
			case "receipts":
				return this.#mergeReceipts(room, event);
			default:
				if (event.seq) this.#record(room, event);
		}
	}

	// --- Rooms

	/**
	 * Joins a room, creating it if needed, and stays in it over reconnections; offline, once connected.
	 * With `after`, the records after that seq arrive too (0: all that are stored). Resolves to the {@link Room}.
	 */
	async join(name, { after } = {}) {
		const room = this.#room(name);
		if (room.state !== "wanted") return room;
		room.after = after;
		if (this.state.state === "ready") await this.#joinRoom(room);
		return this.rooms.get(room.name) ?? room;
	}

	/** Leaves a room for good. `close` deletes a private room with all its messages, of which we are the last member. */
	async leave(name, { close } = {}) {
		const room = this.rooms.get(name);
		if (room && room.state !== "wanted") await this.request("leave", { room: name, close });
		if (room && this.rooms.get(name) === room) this.#removeRoom(room, "left");
	}

	/** Creates a room with us as its owner: `more` may have a `topic`, and `private` for a room by invitation only. */
	async create(name, more = {}) {
		await this.#request("create", { room: name, ...more }, (data) => this.#joined(this.#room(name), data));
		return this.#room(name);
	}

	/** Gives a room that we own another name; the one of before leads to it still. */
	rename(was, name) {
		return this.#change("rename", was, "rename", { name }, () => ({ name, was }));
	}

	/**
	 * Ends a room that we own for all who are in it, with all that was said. Without `sure` it rejects with 3004, and its `data` has
	 * the numbers of `messages` and `members`.
	 */
	close(name, { sure, reason } = {}) {
		return this.request("close", { room: name, sure, reason });
	}

	/** A room in which we are, as a page of {@link history} says that reaches to its end: it is joined from there on with the next `sync`. */
	goOn(name, { epoch, last }) {
		return Object.assign(this.#room(name), { epoch, seq: last });
	}

	/** The direct conversation with a user. The server creates it at its first message. */
	open(user) {
		return this.#room(directRoom(this.user, user));
	}

	/** Fetches our rooms and their unread counts, as after each connection. Asked for at a `welcome`, it is the one that follows that. */
	sync() {
		if (!this.#syncing) {
			this.#syncing = this.#syncAll();
			queueMicrotask(() => (this.#syncing = null));
		}
		return this.#syncing;
	}

	async #syncAll() {
		const had = [...this.rooms.values()].filter((room) => room.state !== "wanted");
		const listed = new Set();
		let data;
		do data = await this.#syncSome(had, listed);
		while (data.more === true);
		// The whole was told: we are in no other room.
		const others = [...this.rooms.values()].filter((room) => room.state === "wanted" && room.epoch !== null);
		if (data.full) for (const room of [...had, ...others]) if (!listed.has(room.name)) this.#gone(room);
	}

	/** A room that we were in when we asked, and are not in any more. */
	#gone(room) {
		if (room && this.rooms.get(room.name) === room && !room.joining) this.#removeRoom(room, "left");
	}

	async #syncSome(had, listed) {
		const data = await this.request("rooms", { since: this.#rev });
		this.#rev = data.rev;
		for (const name of data.gone ?? []) this.#gone(had.find((room) => room.name === name));
		for (const { room } of data.rooms ?? []) listed.add(room);
		if (data.invitations) this.#emit("invitations", { invitations: data.invitations });
		for (const entry of data.rooms ?? []) {
			for (const was of entry.former ?? []) this.#renamed(was, entry.room);
			const room = this.#room(entry.room);
			room.former = entry.former ?? [];
			if (room.state === "wanted") this.#joinRoom(room).catch(() => {});
			// Another epoch: its `reset` is on the way.
			if (room.epoch !== null && entry.epoch !== room.epoch) continue;
			room.acked = entry.read;
			if (entry.read < room.read) {
				room.recounting = true;
				this.#armAck(room);
			} else if (entry.seq >= room.counted) {
				Object.assign(room, { read: entry.read, counted: entry.seq, unreadBefore: entry.unread, mentionsBefore: entry.mentions ?? 0, threadsBefore: entry.in_threads ?? 0, recounting: false });
				this.#count(room);
			}
			this.#emit("room", { room });
		}
		return data;
	}

	/** Counts what is unread: what the server has counted, and what came later. */
	#count(room) {
		room.unreadSince = room.unreadSince.filter((seq) => seq > Math.max(room.read, room.counted));
		room.unreadBefore = Math.min(room.unreadBefore, Math.max(0, room.counted - room.read));
		room.unread = room.unreadBefore + room.unreadSince.length;
		room.mentionsSince = room.mentionsSince.filter((seq) => room.unreadSince.includes(seq));
		room.mentionsBefore = Math.min(room.mentionsBefore, room.unreadBefore);
		room.mentions = room.mentionsBefore + room.mentionsSince.length;
		room.threadsSince = room.threadsSince.filter((seq) => room.unreadSince.includes(seq));
		room.threadsBefore = Math.min(room.threadsBefore, room.unreadBefore);
		room.inThreads = room.threadsBefore + room.threadsSince.length;
	}

	/** Whether a record names us, or the room in which we are. */
	namesUs({ mentions = [] }) {
		return mentions.includes(this.user) || mentions.includes("@room");
	}

	/** A message names us now, or does no more. */
	#countMention(room, seq, isNamed) {
		if (seq <= room.read) return;
		room.mentionsSince = room.mentionsSince.filter((each) => each !== seq);
		if (isNamed) room.mentionsSince.push(seq);
		this.#count(room);
	}

	/** Only the server can tell how much is unread: it is asked, once it knows what we have read. */
	#recount(room) {
		room.recounting = true;
		if (room.read <= room.acked) this.#arm("recount", RECOUNT_MS, () => this.sync().catch(() => {}));
	}

	/** All up to `seq` has been read, here or on another device. */
	#readUpTo(room, seq) {
		if (seq <= room.read) return;
		room.read = seq;
		this.#count(room);
		if (room.unreadBefore > 0) this.#recount(room);
		this.#emit("room", { room });
	}

	/** Withdraws an invitation. */
	async uninvite(name, user) {
		await this.request("uninvite", { room: name, user });
	}

	/**
	 * A page of a room's bans, mutes, readers and invitations, for those who may end them:
	 * `{items: [{user, kind, until, by, at, reason}], more}`. The next one is `after` the last user.
	 */
	restrictions(name, { limit, after } = {}) {
		return this.request("restrictions", { room: name, limit, after });
	}

	/**
	 * A page of the rooms that everybody may find, by name: `{items: [{room, members, at, topic, by_invitation}], after, more}`.
	 * `text` is a part of the name or topic; the next page is `after` that of the answer.
	 */
	directory({ text, after, limit } = {}) {
		return this.request("directory", { text, after, limit });
	}

	/** A page of a room's members, by name: `{count, users: [[name, role]], more}`. The next one is `after` the last name. */
	members(name, { limit, after } = {}) {
		return this.request("members", { room: name, limit, after });
	}

	#room(name) {
		let room = this.rooms.get(name);
		if (!room) {
			room = new Room(name);
			this.rooms.set(name, room);
			this.#emit("room", { room });
		}
		return room;
	}

	#joinRoom(room) {
		const known = room.epoch !== null;
		const fields = { room: room.name, after: known ? room.seq : room.after, epoch: room.epoch ?? undefined };
		room.joining ??= this.#request("join", fields, (data) => this.#joined(room, data)).catch((error) => {
			room.joining = null;
			if (error.code && (known || !room.direct)) this.#lost(room, error);
			throw error;
		});
		return room.joining;
	}

	/** A room has another name, and keeps everything else: its place, and what waits to be said there. Returns it. */
	#renamed(was, name) {
		const room = this.rooms.get(was);
		const other = this.rooms.get(name);
		if (!room || was === name) return other;
		for (const kind of ["ack", "typing", "send"]) this.#disarm(`${kind} ${was}`);
		this.rooms.delete(was);
		const waiting = [...this.#queueOf(was), ...this.#queueOf(name)];
		for (const entry of waiting) entry.room = name;
		this.#queues.delete(was);
		this.#queues.set(name, waiting);
		Object.assign(room, { name, typing: [] });
		// It was entered by its new name, too: that one has the place already.
		const kept = other && other.epoch !== null ? other : room;
		this.rooms.set(name, kept);
		this.#emit("renamed", { room: kept, was });
		if (kept.read > Math.max(kept.acked, kept.acking)) this.#armAck(kept);
		this.#sendNext(name);
		return kept;
	}

	/** We are in the room, by `join` or by another user's first direct message. */
	#joined(wanted, data) {
		wanted.joining = null;
		const room = data.room && data.room !== wanted.name ? this.#renamed(wanted.name, data.room) ?? wanted : wanted;
		for (const was of data.former ?? []) this.#renamed(was, room.name);
		room.former = data.former ?? [];
		for (const key of ["role", "durable", "oldest", "topic", "private"]) room[key] = data[key] ?? room[key];
		if (data.role) room.kept = { ms: data.keep_for_ms, records: data.keep_records, bytes: data.keep_bytes };
		if (room.epoch !== null && (data.reset || data.epoch !== room.epoch)) {
			this.#reset(room, data);
			return this.#mergeReceipts(room, { read: data.marks });
		}
		if (room.epoch === null) room.seq = Math.max(room.seq, room.after ?? data.seq);
		room.epoch = data.epoch;
		if (data.marks) this.#mergeReceipts(room, { read: data.marks });
		if (room.watching) this.#askPresence(room);
		this.#catchUp(room, data.seq);
	}

	#removeRoom(room, reason, error) {
		this.rooms.delete(room.name);
		this.#disarm(`ack ${room.name}`);
		for (const entry of [...this.#queueOf(room.name)]) {
			this.#resolve(entry, "failed", error ?? new ChinwagError({ code: 3003, message: "no longer a member" }));
		}
		this.#emit("left", { room, reason, error });
	}

	// --- Positions

	/** Records up to `seq` follow. The outbox waits: its messages may be among them. */
	#catchUp(room, seq) {
		room.catchUp = seq;
		room.state = "lagging";
		if (room.seq >= seq) this.#becomeLive(room, seq);
		else this.#emit("room", { room });
	}

	#becomeLive(room, seq) {
		if (seq > room.seq && !room.heldBack) this.#fetchMissing(room, seq, []);
		room.state = "live";
		if (room.read > Math.max(room.acked, room.acking)) this.#armAck(room);
		this.#emit("live", { room });
		this.#sendNext(room.name);
	}

	#record(room, item) {
		if (item.seq <= room.seq) return;
		if (room.heldBack) {
			if (room.heldBack.length < HELD_MAX) room.heldBack.push(item);
		} else if (item.seq > room.seq + 1) this.#fetchMissing(room, item.seq - 1, [item]);
		else this.#deliver(room, item);
	}

	#deliver(room, item) {
		room.seq = item.seq;
		const ours = item.from === this.user;
		if (ours && item.cid) {
			const entry = this.#queueOf(room.name).find((waiting) => waiting.cid === item.cid);
			if (entry) this.#resolve(entry, "sent");
		}
		if (item.ev === "topic") room.topic = item.text ?? item.topic ?? "";
		if (item.act === "role" && item.target === this.user) room.role = item.role;
		if (item.ev === "message") {
			room.typing = room.typing.filter((user) => user !== item.from);
			if (!ours && !item.deleted && item.seq > Math.max(room.read, room.counted)) {
				room.unreadSince.push(item.seq);
				if (item.thread && room.durable !== "memory") room.threadsSince.push(item.seq);
				this.#countMention(room, item.seq, this.namesUs(item));
			}
		}
		if (item.ev === "edit" && !ours && item.target > room.read) {
			// What it said before is not known.
			if (item.target <= room.counted) this.#recount(room);
			else this.#countMention(room, item.target, this.namesUs(item));
		}
		if (item.ev === "deletion" && item.target > room.read) {
			room.unreadSince = room.unreadSince.filter((seq) => seq !== item.target);
			this.#count(room);
			// Whose it was is not known.
			if (item.target <= room.counted) this.#recount(room);
		}
		this.#emit("record", { room, item });
	}

	/** Fetches missing records up to `last`; newer ones are held back. */
	async #fetchMissing(room, last, held) {
		room.heldBack = held;
		while (room.seq < last) {
			const from = room.seq;
			const page = await this.history(room.name, { after: from }).catch((error) => error);
			if (room.heldBack !== held) return;
			for (const item of page.items ?? []) {
				if (item.seq > room.seq + 1) this.#gap(room, { from: room.seq + 1, to: item.seq - 1, why: "lost" });
				if (item.seq > room.seq) this.#deliver(room, item);
			}
			if (room.seq === from) break;
		}
		this.#gap(room, { from: room.seq + 1, to: last, why: "lost" });
		room.heldBack = null;
		for (const item of held) this.#record(room, item);
		this.#sendNext(room.name);
	}

	#gap(room, { from, to, why }) {
		if (to <= room.seq) return;
		const detail = { room, from: Math.max(from, room.seq + 1), to, why };
		room.seq = to;
		if (to > room.counted) this.#recount(room);
		this.#emit("gap", detail);
	}

	#reset(room, { epoch, seq }) {
		Object.assign(room, { epoch, seq, oldest: 1, read: 0, acked: 0, counted: 0, unread: 0, unreadBefore: 0, unreadSince: [], mentions: 0, mentionsBefore: 0, mentionsSince: [], inThreads: 0, threadsBefore: 0, threadsSince: [], heldBack: null, presence: null });
		room.receipts.clear();
		this.#emit("reset", { room, seq });
		if (room.watching) this.#askPresence(room);
		if (epoch === null) room.state = "wanted";
		else this.#catchUp(room, seq);
	}

	/** A page of a log: `where` is `before`, `after` or `around` a seq, with a `limit`. Resolves to `{items, more, …}`. */
	history(name, where = {}) {
		const room = this.rooms.get(name);
		return this.request("history", { room: name, epoch: room?.epoch ?? undefined, ...where }).catch((error) => {
			// The answer to a join with the old position is a `reset`.
			if (error.code === 4004 && room) this.#joinRoom(room).catch(() => {});
			throw error;
		});
	}

	/**
	 * Searches our rooms, or one `room`, for messages with all these words; the last may be a prefix. Resolves to `{items, more}`,
	 * the latest first, each with its `room`; pass `before` of the answer for the next page.
	 */
	search(text, where = {}) {
		return this.request("search", { text, ...where });
	}

	// --- Messages

	/** Messages that the server has not answered yet. */
	get outbox() {
		return [...this.#queues.values()].flat();
	}

	/**
	 * Sends a message to a room, or to a user by the room from `open`. It is repeated after each lost connection until the
	 * server has answered; messages of one room go one after another. `more`: further fields, such as `reply_to`, or the `cid`
	 * of a failed message. Returns the entry of the outbox; throws 4001 if it is too long.
	 */
	send(name, text, { cid, ...more } = {}) {
		this.#checkLength(text + (JSON.stringify(more.data) ?? ""));
		const at = this.#clock.now();
		const unique = `${at.toString(36)}-${this.#nextId++}-${this.#options.random().toString(36).slice(2, 12)}`;
		const entry = { room: name, text, cid: cid ?? unique, at, more };
		this.#queueOf(name).push(entry);
		if (this.rooms.has(name)) this.rooms.get(name).typingSentAt = -Infinity;
		this.#emit("outbox", { entry, status: "pending" });
		this.#sendNext(name);
		return entry;
	}

	#checkLength(text) {
		const over = new TextEncoder().encode(text).length - this.limits.message_bytes;
		if (over > 0) throw new ChinwagError({ code: 4001, message: `too long by ${over} bytes`, data: { error: "too_large" } });
	}

	/** Changes the text of our message at `target`. Unlike `send` it is not repeated. */
	async edit(name, target, text) {
		this.#checkLength(text);
		return this.#change("edit", name, "edit", { target, text });
	}

	/** Deletes a message, ours or, as a moderator, another's: its text is erased. */
	delete(name, target) {
		return this.#change("delete", name, "deletion", { target });
	}

	/** Adds a reaction to a message, or removes it. */
	react(name, target, emoji, remove = false) {
		return this.#change("react", name, "reaction", { target, emoji, remove: remove || undefined });
	}

	/** Sets the topic of a room. */
	topic(name, text) {
		return this.#change("topic", name, "topic", { text });
	}

	/**
	 * Moderates: `act` is `kick`, `mute`, `ban`, `unban` or `role`. `more` may have a `reason`, `for_ms` (without it a mute or
	 * ban has no time limit; 0 ends a mute), and the `role`.
	 */
	moderate(act, name, user, { for_ms: ms, ...more } = {}) {
		const recorded = act === "mute" && ms === 0 ? "unmute" : act;
		const record = (at) => ({ act: recorded, target: user, until: ms ? at + ms : undefined, ...more });
		return this.#change(act, name, "moderation", { user, for_ms: ms, ...more }, record);
	}

	#change(op, name, ev, fields, record = () => fields) {
		// This connection gets the answer instead of the record. The room may have another name by then.
		const room = this.rooms.get(name);
		const note = ({ seq, at, dup }) => !dup && room && this.rooms.get(room.name) === room && this.#record(room, { ev, seq, from: this.user, at, ...record(at) });
		return this.#request(op, { room: name, ...fields }, note);
	}

	#queueOf(name) {
		if (!this.#queues.has(name)) this.#queues.set(name, []);
		return this.#queues.get(name);
	}

	#sendNext(name) {
		const entry = this.#queueOf(name)[0];
		if (!entry || entry.inFlight || this.state.state !== "ready") return;
		const direct = name.startsWith("@");
		const room = this.rooms.get(name);
		if (!direct && (!room || room.state === "wanted")) return;
		if (room && room.seq < room.catchUp) return;
		const wait = this.#sendAfter - this.#clock.now();
		if (wait > 0) return this.#arm(`send ${name}`, wait, () => this.#sendNext(name));
		entry.inFlight = true;
		const where = direct ? { to: otherIn(name, this.user) } : { room: name };
		const fields = { ...where, text: entry.text, cid: entry.cid, ...entry.more };
		this.#ask("send", fields, (data) => this.#sent(entry, data)).catch((error) => this.#sendFailed(entry, error));
	}

	#sent(entry, data) {
		this.#resolve(entry, "sent", undefined, data.not_members);
		const room = this.rooms.get(entry.room) ?? this.#room(data.room);
		const { text, cid, more } = entry;
		// The record of a repetition comes, or came, with the replay.
		if (!data.dup) this.#record(room, { ev: "message", seq: data.seq, from: this.user, at: data.at, text, cid, ...more });
		this.#sendNext(entry.room);
	}

	#sendFailed(entry, error) {
		if (!error.code) return;
		if (error.retryAfterMs <= RETRY_WAIT_MAX_MS) {
			entry.inFlight = false;
			this.#sendAfter = this.#clock.now() + error.retryAfterMs;
		} else this.#resolve(entry, "failed", error);
		this.#sendNext(entry.room);
	}

	#resolve(entry, status, error, notMembers) {
		const queue = this.#queueOf(entry.room);
		const at = queue.indexOf(entry);
		if (at < 0) return;
		queue.splice(at, 1);
		this.#emit("outbox", { entry, status, error, ...(notMembers && { notMembers }) });
	}

	// --- State without records: read, typing, presence

	/** Reports that all up to `seq` has been read. */
	read(name, seq) {
		const room = this.rooms.get(name);
		if (!room || seq <= room.read) return;
		this.#readUpTo(room, seq);
		this.#armAck(room);
	}

	#armAck(room) {
		if (this.#timers.has(`ack ${room.name}`) || room.state !== "live") return;
		this.#arm(`ack ${room.name}`, ACK_GATHER_MS, () => {
			const { read } = room;
			room.acking = read;
			this.request("ack", { room: room.name, read }).then((data) => {
				room.acked = Math.max(room.acked, data.read ?? read);
				if (room.recounting) this.#recount(room);
			}).catch(() => {});
		});
	}

	#mergeReceipts(room, { read = {}, own }) {
		if (own) {
			const seq = read[this.user] ?? 0;
			room.acked = Math.max(room.acked, seq);
			return this.#readUpTo(room, seq);
		}
		for (const [user, seq] of Object.entries(read)) room.receipts.set(user, Math.max(seq, room.receipts.get(user) ?? 0));
		this.#emit("room", { room });
	}

	/** Reports typing; call it on each key. */
	typing(name) {
		const room = this.rooms.get(name);
		const now = this.#clock.now();
		if (this.state.state !== "ready" || room?.state !== "live" || now - room.typingSentAt < TYPING_SENT_MS) return;
		room.typingSentAt = now;
		this.#transmit({ op: "typing", room: name });
	}

	#showTyping(room, users) {
		room.typing = users.filter((user) => user !== this.user);
		this.#emit("room", { room });
		if (room.typing.length) this.#arm(`typing ${room.name}`, TYPING_SHOWN_MS, () => this.#showTyping(room, []));
	}

	/** Sets our status: `online` or `away`. */
	status(status) {
		this.#transmit({ op: "status", status });
	}

	/** Keeps `room.presence` up to date from now on. */
	watch(name) {
		const room = this.rooms.get(name);
		if (!room || room.watching) return;
		room.watching = true;
		if (room.state !== "wanted") this.#askPresence(room);
	}

	#askPresence(room) {
		if (this.state.state !== "ready" || room.asking) return;
		room.asking = true;
		this.#request("presence", { room: room.name }, (data) => this.#setPresence(room, data))
			.catch(() => {})
			.finally(() => (room.asking = false));
	}

	#setPresence(room, { v, count, users }) {
		room.presence = { v, count, users: users ? new Map(users) : null };
		this.#emit("room", { room });
	}

	/** A delta applies only to the version before it. */
	#mergePresence(room, { v, count, users, on = [], away = [], off = [] }) {
		const known = room.presence;
		if (users) return this.#setPresence(room, { v, count, users });
		if (!known || v <= known.v) return;
		if (v !== known.v + 1) return this.#askPresence(room);
		Object.assign(known, { v, count: count ?? known.count });
		for (const user of on) known.users?.set(user, "online");
		for (const user of away) known.users?.set(user, "away");
		for (const user of off) known.users?.delete(user);
		this.#emit("room", { room });
	}

	// --- Plumbing

	#arm(key, ms, run) {
		this.#disarm(key);
		const fire = () => {
			this.#timers.delete(key);
			run();
		};
		this.#timers.set(key, this.#clock.setTimeout(fire, Math.max(0, ms)));
	}

	#disarm(key) {
		this.#clock.clearTimeout(this.#timers.get(key));
		this.#timers.delete(key);
	}

	#setState(state) {
		this.state = state;
		this.#emit("state", state);
	}

	#emit(type, detail) {
		this.dispatchEvent(new CustomEvent(type, { detail }));
	}
}
