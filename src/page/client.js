/**
 * A client for the chat protocol `chinwag.v1`, without dependencies and without a DOM: for pages, bots and tests.
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
 *     chat.send("lobby", "hi");          // kept, and repeated until the server has answered it
 *
 * Each record of a joined room is told once and in the order of `seq`, over lost connections too; where that cannot be, a
 * `gap` or `reset` says so at its place. Each `send` exists once, however often the line breaks. Edits, deletions and reactions are
 * records, too: {@link present} makes of those that a program keeps what there is to be shown.
 *
 * | event | detail | when |
 * |---|---|---|
 * | `state` | {@link State} | the connection changed |
 * | `welcome` | data of the reply to `hello` | the server knows us |
 * | `record` | `{room, item}` | the next record of a room, also our own |
 * | `gap` | `{room, from, to, why}` | these will not come: `pruned`, `limit` (ask `history`), `lost` |
 * | `reset` | `{room, seq}` | the room has a new log with its head at `seq`; `history` has what is there |
 * | `live` | `{room}` | the room has caught up |
 * | `room` | `{room}` | its unread, presence, typing, receipts changed |
 * | `left` | `{room, reason, error}` | the room is no longer ours |
 * | `invited` | `{room, from}` | somebody lets us into the room of this name: `join` it, or do not |
 * | `outbox` | `{entry, status, error}` | a message is `pending`, `sent` or `failed` |
 * | `problem` | {@link ChinwagError} | a refusal that nobody waits for |
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
/** The longest `retry_after_ms` that is waited out. */
const RETRY_WAIT_MAX_MS = 30_000;
/** Records that wait for a missing one; those beyond are fetched again. */
const HELD_MAX = 1_000;

/** A refusal by the server, or `offline`. */
export class ChinwagError extends Error {
	constructor(reply) {
		super(reply.message ?? "refused");
		this.name = "ChinwagError";
		/** The protocol's code; 0 if the server was not reached. */
		this.code = reply.code ?? 0;
		/** The code's stable name, such as `rate_limited`. */
		this.slug = reply.data?.error ?? (this.code ? "" : "offline");
		this.data = reply.data ?? {};
		this.op = reply.op;
		/** When the same can succeed by itself, if ever. */
		this.retryAfterMs = this.data.retry_after_ms ?? reply.retry_after_ms;
	}
}

const offline = () => new ChinwagError({ message: "not connected" });

/** What is known of one room, which is `direct` if it is the conversation of two. All up to `seq` has been told. */
export class Room {
	epoch = null;
	seq = 0;
	oldest = 1;
	/** `wanted` (not joined yet), `behind` (catching up), `live`. */
	state = "wanted";
	role = "member";
	durable = "";
	topic = "";
	read = 0;
	unread = 0;
	/** `{v, count, users}`; `users`, a map from name to status, is null in a room too large for names. */
	presence = null;
	typing = [];
	/** Who has read up to where. */
	receipts = new Map();

	// The client's own notes.
	after = undefined;
	catchUp = 0;
	counted = 0;
	acked = 0;
	typedAt = -Infinity;
	held = null;
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

/** The other one in a direct conversation, or oneself. */
export function otherIn(room, user) {
	const [a, b] = room.slice(1).split(":");
	return a === user ? b : a;
}

/**
 * What the records of one log, in their order, amount to: a list of what there is to be shown. Each is `{item}`, the record itself;
 * of a message also its present `text`, when it was `edited` if it was, whether it is `deleted`, and `reactions`, a map from
 * emoji to the names of users. What edits, deletes or reacts is left out, whether or not its target is among the records. A
 * record whose `ev` is `reset` stands between two logs.
 */
export function present(items) {
	const shown = [];
	const messages = new Map();
	for (const item of items) {
		const target = messages.get(item.target);
		if (item.ev === "edit") {
			// A page of history has the present text already, which an earlier edit must not undo.
			if (target && !target.deleted && !(item.at < target.edited) && item.text !== undefined) Object.assign(target, { text: item.text, edited: item.at });
		} else if (item.ev === "deletion") {
			if (target) Object.assign(target, { text: "", deleted: true, edited: undefined, reactions: new Map() });
		} else if (item.ev === "reaction") {
			if (target && !target.deleted) react(target.reactions, item);
		} else {
			const { ev, text = "", edited, deleted = false } = item;
			shown.push(ev === "message" ? { item, text, edited, deleted, reactions: new Map() } : { item });
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
 * `state` is `stopped`, `connecting`, `ready` or `waiting`, this until `retryAt`, with `told` if the server named that moment.
 *
 * @typedef {{state: string, retryAt?: number, told?: boolean, close?: number, error?: ChinwagError}} State
 */

export class Client extends EventTarget {
	/** Who we are, once the server has said so. */
	user = null;
	/** The session to resume: keep it for after a reload; null asks for a new one. */
	session = null;
	/** The server's limits. */
	limits = {};
	/** {@link Room}s by name. */
	rooms = new Map();
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
	#drainUntil = 0;
	#nextId = 1;
	#asked = new Map();
	#queues = new Map();
	#quietUntil = 0;
	#timers = new Map();
	#rev;

	/**
	 * @param {string | URL} url the server's `/ws`
	 * @param {object} [options] `name` (the server gives one if there is none), `token` (a JWT), `agent` (this program); `session`
	 *   and `outbox` of an earlier client, to go on where it ended; for tests `WebSocket`, `clock`, `random`
	 */
	constructor(url, options = {}) {
		super();
		this.#url = url;
		this.#options = { agent: "client.js", WebSocket: globalThis.WebSocket, random: Math.random, ...options };
		this.#clock = options.clock ?? {
			now: () => Date.now(),
			setTimeout: (run, ms) => setTimeout(run, ms),
			clearTimeout: (timer) => clearTimeout(timer),
		};
		this.session = options.session ?? null;
		for (const entry of options.outbox ?? []) this.#queue(entry.room).push({ ...entry, flying: false });
	}

	// --- The connection

	/** Connects, at once if it waits; stays connected until `stop`, or until the server says not to come back. */
	start() {
		if (this.state.state === "stopped" || this.state.state === "waiting") this.#connect();
	}

	/** Ends the connection; all is kept for another `start`. */
	stop() {
		this.#drop(1000);
		this.#setState({ state: "stopped" });
	}

	/** The network or the machine came back: tests a living line, cuts a wait short unless the server named its end. */
	wake() {
		if (this.state.state === "waiting" && !this.state.told) this.#connect();
		if (this.state.state === "ready" && !this.#pingAt) this.#ping();
	}

	#connect() {
		this.#drop(1000);
		this.#drainUntil = 0;
		this.#setState({ state: "connecting" });
		const socket = new this.#options.WebSocket(this.#url, "chinwag.v1");
		this.#socket = socket;
		// A socket that was given up may still speak.
		const present = (handle) => (event) => this.#socket === socket && handle(event);
		socket.onopen = present(() => this.#hello());
		socket.onmessage = present((event) => this.#receive(event.data));
		socket.onclose = present((event) => this.#closed(event.code));
		this.#arm("line", HELLO_MS, () => this.#closed(1006));
	}

	#hello() {
		const joined = [...this.rooms.values()].filter((room) => room.state !== "wanted");
		const rooms = Object.fromEntries(joined.map((room) => [room.name, [room.epoch, room.seq]]));
		const resume = this.session ? { session: this.session, rooms } : undefined;
		const { token, agent } = this.#options;
		const name = (!token && (this.user ?? this.#options.name)) || undefined;
		const fields = { name, token, agent, resume };
		this.#ask("hello", fields, (data) => this.#welcome(data)).catch((error) => this.#refused(error));
	}

	#welcome(data) {
		this.user = data.user;
		this.session = data.session;
		this.limits = data.limits ?? {};
		this.#readyAt = this.#clock.now();
		if (!data.resumed) this.#rev = undefined;
		this.#watchLine();
		this.#setState({ state: "ready" });
		this.#emit("welcome", data);
		for (const room of [...this.rooms.values()]) {
			if (room.state !== "wanted") this.#resumeRoom(room, data.rooms?.[room.name]);
			if (room.state === "wanted" && (!room.direct || room.epoch !== null)) this.#joinRoom(room).catch(() => {});
			else if (room.watching) this.#askPresence(room);
		}
		for (const name of this.#queues.keys()) this.#pump(name);
		this.sync().catch(() => {});
	}

	#resumeRoom(room, answer) {
		if (answer?.reset) return this.#reset(room, answer);
		if (answer?.gap) this.#gap(room, { from: answer.gap[0], to: answer.gap[1], why: answer.why });
		if (answer?.gap || answer?.to !== undefined) return this.#approach(room, answer.to ?? room.seq);
		// The server does not know us there any more.
		room.state = "wanted";
	}

	#refused(error) {
		if (!error.code) return;
		this.#drop(1000);
		if (error.retryAfterMs === undefined) return this.#setState({ state: "stopped", error });
		this.#wait(error.retryAfterMs + this.#backoff(), { error });
	}

	#closed(code) {
		this.#drop(1000);
		if (this.#readyAt && this.#clock.now() - this.#readyAt >= HEALTHY_MS) this.#attempt = 0;
		this.#readyAt = 0;
		if ((code >= 4000 && code < 4100) || code === 1008) return this.#setState({ state: "stopped", close: code });
		const told = this.#drainUntil > 0;
		this.#wait(told ? this.#drainUntil - this.#clock.now() : this.#backoff(), { close: code, told });
	}

	/** Full jitter: many that lost the same server do not come back together. */
	#backoff() {
		const most = Math.min(BACKOFF_MAX_MS, BACKOFF_BASE_MS * 2 ** this.#attempt);
		this.#attempt += 1;
		return this.#options.random() * most;
	}

	#wait(ms, more) {
		this.#setState({ state: "waiting", retryAt: this.#clock.now() + ms, ...more });
		this.#arm("retry", ms, () => this.#connect());
	}

	/** Lets go of the socket; messages stay in the outbox. */
	#drop(code) {
		const socket = this.#socket;
		this.#socket = null;
		for (const timer of this.#timers.values()) this.#clock.clearTimeout(timer);
		this.#timers.clear();
		socket?.close(code);
		for (const queue of this.#queues.values()) if (queue[0]) queue[0].flying = false;
		for (const room of this.rooms.values()) Object.assign(room, { typing: [], held: null, joining: null });
		const asked = [...this.#asked.values()];
		this.#asked.clear();
		for (const { reject } of asked) reject(offline());
	}

	/**
	 * A page does not see WebSocket pings, so a quiet line is asked. It is dead only if it leaves that unanswered: after a
	 * machine's sleep, or in a throttled tab, silence alone means nothing.
	 */
	#watchLine() {
		const now = this.#clock.now();
		if (this.#pingAt && now - this.#pingAt >= PONG_MS) return this.#closed(1006);
		const quietAt = this.#seenAt + (this.limits.ping_ms ?? PING_MS_DEFAULT);
		if (!this.#pingAt && now >= quietAt) return this.#ping();
		this.#arm("line", (this.#pingAt ? this.#pingAt + PONG_MS : quietAt) - now, () => this.#watchLine());
	}

	#ping() {
		this.#pingAt = this.#clock.now();
		this.#transmit({ op: "ping", id: this.#nextId++ });
		this.#watchLine();
	}

	// --- Requests

	/**
	 * Asks the server anything and gives the reply's `data`. A refusal that will pass soon (`retry_after_ms`) is waited out.
	 * Rejects with a {@link ChinwagError}, `offline` if the line is or goes down.
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

	/** `apply` sees the data before the next frame is handled; a promise's `then` need not. */
	#ask(op, fields, apply) {
		const id = this.#nextId++;
		return new Promise((resolve, reject) => {
			const fulfil = (data) => {
				apply?.(data);
				resolve(data);
			};
			this.#asked.set(id, { op, fulfil, reject });
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
		const asked = this.#asked.get(message.id);
		this.#asked.delete(message.id);
		if (message.code === 0) return asked?.fulfil(message.data ?? {});
		const error = new ChinwagError({ op: asked?.op, ...message });
		if (asked) asked.reject(error);
		else this.#emit("problem", error);
	}

	#event(event) {
		if (event.ev === "drain") this.#drainUntil = this.#clock.now() + event.reconnect_after_ms;
		if (event.ev === "joined") return this.#begin(this.#room(event.room), event);
		if (event.ev === "invited") return this.#emit("invited", { room: event.room, from: event.from });
		const room = this.rooms.get(event.room);
		if (!room) return;
		switch (event.ev) {
			case "replay":
				for (const item of event.items) this.#record(room, item);
				return this.#pump(room.name);
			case "live":
				return this.#reach(room, event.seq);
			case "gap":
				return this.#gap(room, event);
			case "left":
				return this.#gone(room, event.reason);
			case "presence":
				return this.#mergePresence(room, event);
			case "typing":
				return this.#showTyping(room, event.users ?? []);
			case "receipts":
				return this.#mergeReceipts(room, event.read ?? {});
			default:
				if (event.seq) this.#record(room, event);
		}
	}

	// --- Rooms

	/**
	 * Joins a room, making it if it is not there, and stays in it over reconnections; offline, as soon as there is a line.
	 * With `after`, the records behind that seq are told too (0: all that are kept). Gives the {@link Room}.
	 */
	async join(name, { after } = {}) {
		const room = this.#room(name);
		if (room.state !== "wanted") return room;
		room.after = after;
		if (this.state.state === "ready") await this.#joinRoom(room);
		return room;
	}

	/** Leaves a room for good. */
	async leave(name) {
		const room = this.rooms.get(name);
		if (room && room.state !== "wanted") await this.request("leave", { room: name });
		if (room && this.rooms.get(name) === room) this.#gone(room, "left");
	}

	/** Makes a room with ourselves as its owner: `more` may have a `topic`, and `private`, which hides it from who is not invited. */
	async create(name, more = {}) {
		await this.#request("create", { room: name, ...more }, (data) => this.#begin(this.#room(name), data));
		return this.#room(name);
	}

	/** The direct conversation with a user; the server has it from its first message on. */
	open(user) {
		return this.#room(directRoom(this.user, user));
	}

	/** Asks which rooms are ours and what is unread there, as after each connection. */
	async sync() {
		const data = await this.request("rooms", { since: this.#rev });
		this.#rev = data.rev;
		for (const entry of data.rooms ?? []) {
			const room = this.#room(entry.room);
			// Of another epoch: its `reset` is on the way.
			if (room.epoch !== null && entry.epoch !== room.epoch) continue;
			room.counted = Math.max(room.counted, entry.seq);
			room.acked = entry.read;
			if (entry.read < room.read) this.#armAck(room);
			else Object.assign(room, { read: entry.read, unread: entry.unread });
			if (room.state === "wanted") this.#joinRoom(room).catch(() => {});
			this.#emit("room", { room });
		}
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
		room.joining ??= this.#request("join", fields, (data) => this.#begin(room, data)).catch((error) => {
			room.joining = null;
			// A direct conversation that the server has forgotten begins anew with its next message.
			if (error.code && !room.direct) this.#gone(room, "refused", error);
			else if (error.code && known) this.#reset(room, { epoch: null, seq: 0 });
			throw error;
		});
		return room.joining;
	}

	/** We are in the room, by `join` or by another's doing. */
	#begin(room, data) {
		room.joining = null;
		for (const key of ["role", "durable", "oldest", "topic"]) room[key] = data[key] ?? room[key];
		if (room.epoch !== null && (data.reset || data.epoch !== room.epoch)) return this.#reset(room, data);
		if (room.epoch === null) room.seq = Math.max(room.seq, room.after ?? data.seq);
		room.epoch = data.epoch;
		if (room.watching) this.#askPresence(room);
		this.#approach(room, data.seq);
	}

	#gone(room, reason, error) {
		this.rooms.delete(room.name);
		this.#disarm(`ack ${room.name}`);
		for (const entry of [...this.#queue(room.name)]) {
			this.#settle(entry, "failed", error ?? new ChinwagError({ code: 3003, message: "no longer a member" }));
		}
		this.#emit("left", { room, reason, error });
	}

	// --- Positions

	/** The server tells what there is up to `seq`; the outbox waits for it, since it may be among that. */
	#approach(room, seq) {
		room.catchUp = seq;
		room.state = "behind";
		if (room.seq >= seq) this.#reach(room, seq);
		else this.#emit("room", { room });
	}

	#reach(room, seq) {
		if (seq > room.seq && !room.held) this.#fill(room, seq, []);
		room.state = "live";
		if (room.read > room.acked) this.#armAck(room);
		this.#emit("live", { room });
		this.#pump(room.name);
	}

	#record(room, item) {
		if (item.seq <= room.seq) return;
		if (room.held) {
			if (room.held.length < HELD_MAX) room.held.push(item);
		} else if (item.seq > room.seq + 1) this.#fill(room, item.seq - 1, [item]);
		else this.#tell(room, item);
	}

	#tell(room, item) {
		room.seq = item.seq;
		const ours = item.from === this.user;
		if (ours && item.cid) {
			const entry = this.#queue(room.name).find((waiting) => waiting.cid === item.cid);
			if (entry) this.#settle(entry, "sent");
		}
		if (item.ev === "topic") room.topic = item.text ?? item.topic ?? "";
		if (item.act === "role" && item.target === this.user) room.role = item.role;
		if (item.ev === "message") {
			room.typing = room.typing.filter((user) => user !== item.from);
			if (!ours && !item.deleted && item.seq > Math.max(room.read, room.counted)) room.unread += 1;
		}
		this.#emit("record", { room, item });
	}

	/** Records are missing up to `last`: they are fetched, and what comes meanwhile is held. */
	async #fill(room, last, held) {
		room.held = held;
		while (room.seq < last) {
			const from = room.seq;
			const page = await this.history(room.name, { after: from }).catch((error) => error);
			if (room.held !== held) return;
			for (const item of page.items ?? []) {
				if (item.seq > room.seq + 1) this.#gap(room, { from: room.seq + 1, to: item.seq - 1, why: "lost" });
				if (item.seq > room.seq) this.#tell(room, item);
			}
			if (room.seq === from) break;
		}
		this.#gap(room, { from: room.seq + 1, to: last, why: "lost" });
		room.held = null;
		for (const item of held) this.#record(room, item);
		this.#pump(room.name);
	}

	#gap(room, { from, to, why }) {
		if (to <= room.seq) return;
		const detail = { room, from: Math.max(from, room.seq + 1), to, why };
		room.seq = to;
		this.#emit("gap", detail);
	}

	#reset(room, { epoch, seq }) {
		Object.assign(room, { epoch, seq, oldest: 1, read: 0, acked: 0, counted: 0, unread: 0, held: null, presence: null });
		room.receipts.clear();
		this.#emit("reset", { room, seq });
		if (room.watching) this.#askPresence(room);
		if (epoch === null) room.state = "wanted";
		else this.#approach(room, seq);
	}

	/** A page of a room's log: `where` is `before`, `after` or `around` a seq, with a `limit`; gives `{items, more, …}`. */
	history(name, where = {}) {
		const room = this.rooms.get(name);
		return this.request("history", { room: name, epoch: room?.epoch ?? undefined, ...where }).catch((error) => {
			// Joining with the old position is what turns into a `reset`.
			if (error.code === 4004 && room) this.#joinRoom(room).catch(() => {});
			throw error;
		});
	}

	/**
	 * Searches what was said in our rooms, or in one `room`: words, of the last of which the beginning will do. Gives `{items, more}`,
	 * the latest first, each with its `room`; `before` of the answer asks for more.
	 */
	search(text, where = {}) {
		return this.request("search", { text, ...where });
	}

	// --- Messages

	/** What the server has not answered yet. */
	get outbox() {
		return [...this.#queues.values()].flat();
	}

	/**
	 * Says something in a room, or to a user by the room that `open` gave. It is kept until the server has answered, and
	 * repeated after each lost connection; a room's messages go one after another, so that none overtakes another.
	 * `more`: further fields, such as `reply_to`, or the `cid` of a failed message. Gives the outbox's entry; throws 4001.
	 */
	send(name, text, { cid, ...more } = {}) {
		this.#fit(text + (JSON.stringify(more.data) ?? ""));
		const at = this.#clock.now();
		const unique = `${at.toString(36)}-${this.#nextId++}-${this.#options.random().toString(36).slice(2, 12)}`;
		const entry = { room: name, text, cid: cid ?? unique, at, more };
		this.#queue(name).push(entry);
		if (this.rooms.has(name)) this.rooms.get(name).typedAt = -Infinity;
		this.#emit("outbox", { entry, status: "pending" });
		this.#pump(name);
		return entry;
	}

	#fit(text) {
		const over = new TextEncoder().encode(text).length - this.limits.message_bytes;
		if (over > 0) throw new ChinwagError({ code: 4001, message: `too long by ${over} bytes`, data: { error: "too_large" } });
	}

	/** Gives our own message at `target` another text. Unlike `send` this is not repeated: it rejects if the line is or goes down. */
	async edit(name, target, text) {
		this.#fit(text);
		return this.#touch("edit", name, "edit", { target, text });
	}

	/** Takes a message back, ours or, as a moderator, another's: its text is erased. */
	delete(name, target) {
		return this.#touch("delete", name, "deletion", { target });
	}

	/** Reacts to a message, or takes the reaction back. */
	react(name, target, emoji, remove = false) {
		return this.#touch("react", name, "reaction", { target, emoji, remove: remove || undefined });
	}

	/** Says what a room is about. */
	topic(name, text) {
		return this.#touch("topic", name, "topic", { text });
	}

	/**
	 * Keeps order: `act` is `kick`, `mute`, `ban`, `unban` or `role`. `more` may have a `reason`, `for_ms` (without it a mute or
	 * ban has no end; 0 ends a mute), and the `role`.
	 */
	moderate(act, name, user, { for_ms: ms, ...more } = {}) {
		const done = act === "mute" && ms === 0 ? "unmute" : act;
		const told = (at) => ({ act: done, target: user, until: ms ? at + ms : undefined, ...more });
		return this.#touch(act, name, "moderation", { user, for_ms: ms, ...more }, told);
	}

	#touch(op, name, ev, fields, told = () => fields) {
		// Who asks for a record gets the answer instead of it.
		const note = ({ seq, at }) => this.rooms.has(name) && this.#record(this.rooms.get(name), { ev, seq, from: this.user, at, ...told(at) });
		return this.#request(op, { room: name, ...fields }, note);
	}

	#queue(name) {
		if (!this.#queues.has(name)) this.#queues.set(name, []);
		return this.#queues.get(name);
	}

	#pump(name) {
		const entry = this.#queue(name)[0];
		if (!entry || entry.flying || this.state.state !== "ready") return;
		const direct = name.startsWith("@");
		const room = this.rooms.get(name);
		if (!direct && (!room || room.state === "wanted")) return;
		if (room && room.seq < room.catchUp) return;
		const wait = this.#quietUntil - this.#clock.now();
		if (wait > 0) return this.#arm(`send ${name}`, wait, () => this.#pump(name));
		entry.flying = true;
		const where = direct ? { to: otherIn(name, this.user) } : { room: name };
		const fields = { ...where, text: entry.text, cid: entry.cid, ...entry.more };
		this.#ask("send", fields, (data) => this.#sent(entry, data)).catch((error) => this.#unsent(entry, error));
	}

	#sent(entry, data) {
		this.#settle(entry, "sent");
		const room = this.#room(data.room);
		const { text, cid, more } = entry;
		// A repetition stands where it was logged first: it comes, or came, with the replay.
		if (!data.dup) this.#record(room, { ev: "message", seq: data.seq, from: this.user, at: data.at, text, cid, ...more });
		this.#pump(entry.room);
	}

	#unsent(entry, error) {
		if (!error.code) return;
		if (error.retryAfterMs <= RETRY_WAIT_MAX_MS) {
			entry.flying = false;
			this.#quietUntil = this.#clock.now() + error.retryAfterMs;
		} else this.#settle(entry, "failed", error);
		this.#pump(entry.room);
	}

	#settle(entry, status, error) {
		const queue = this.#queue(entry.room);
		const at = queue.indexOf(entry);
		if (at < 0) return;
		queue.splice(at, 1);
		this.#emit("outbox", { entry, status, error });
	}

	// --- What is only state: read, typing, presence

	/** All up to `seq` has been read by a person, or processed by a program. */
	read(name, seq) {
		const room = this.rooms.get(name);
		if (!room || seq <= room.read) return;
		room.read = seq;
		if (seq >= room.seq) room.unread = 0;
		this.#armAck(room);
		this.#emit("room", { room });
	}

	#armAck(room) {
		if (this.#timers.has(`ack ${room.name}`) || room.state !== "live") return;
		this.#arm(`ack ${room.name}`, ACK_GATHER_MS, () => {
			room.acked = room.read;
			this.#transmit({ op: "ack", room: room.name, read: room.read });
		});
	}

	#mergeReceipts(room, read) {
		for (const [user, seq] of Object.entries(read)) room.receipts.set(user, Math.max(seq, room.receipts.get(user) ?? 0));
		this.#emit("room", { room });
	}

	/** Call it on each key: the others are told every few seconds. */
	typing(name) {
		const room = this.rooms.get(name);
		const now = this.#clock.now();
		if (this.state.state !== "ready" || room?.state !== "live" || now - room.typedAt < TYPING_SENT_MS) return;
		room.typedAt = now;
		this.#transmit({ op: "typing", room: name });
	}

	#showTyping(room, users) {
		room.typing = users.filter((user) => user !== this.user);
		this.#emit("room", { room });
		if (room.typing.length) this.#arm(`typing ${room.name}`, TYPING_SHOWN_MS, () => this.#showTyping(room, []));
	}

	/** `online` or `away`. */
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

	/** A delta fits only onto the version before it; otherwise the whole is asked for. */
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
