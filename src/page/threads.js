/**
 * The threads that we follow, and what is unread in them, beside any `Client`; without a DOM.
 *
 *     const threads = new Threads(chat);
 *     threads.addEventListener("change", () => console.log(threads.list()));
 *
 * The server keeps who follows which thread: whoever has begun it or writes in it, and whoever asks to. What comes later is counted
 * here, and the server is asked again where that cannot be known.
 */

/** Before the server is asked for the list again. */
const REFRESH_MS = 200;
/** Before what was read is told. */
const READ_MS = 300;
/** Our own messages of a room that are remembered: an answer to one of them begins a thread that we follow. */
const OWN_MAX = 500;
/** Code of what this server does not keep, and of an operation that it does not have. */
const NOT_SUPPORTED = new Set([9002, 1002]);
/** Codes of what the server does not do now and may do later. */
const CANNOT_NOW = new Set([5001, 5004, 5005, 5006]);

/** @typedef {{room: string, thread: number, from: string, text: string, seq: number, read: number, unread: number}} Thread */

export class Threads extends EventTarget {
	/** Whether the server keeps marks of threads. */
	isSupported = true;

	#client;
	#clock;
	#isOurs;
	/** By room and seq: the thread as the server has told it, with `counted`, up to which it has counted, and `since`, what came later. */
	#rows = new Map();
	/** The seqs of our own messages, by room. */
	#own = new Map();
	#timer = null;
	/** What was read and is to be told: the fields of `ack`, by the keys of `rows`. */
	#unsent = new Map();
	/** What could not be told, likewise, of rows only: it is told at the next welcome. */
	#untold = new Map();

	/** `isOurs(room, seq)` is whether that message is known to be ours: what was said before this began is not seen here. */
	constructor(client, { clock = globalThis, isOurs = () => false } = {}) {
		super();
		this.#client = client;
		this.#clock = clock;
		this.#isOurs = isOurs;
		const on = (type, run) => client.addEventListener(type, (event) => run(event.detail));
		on("welcome", () => {
			this.#tellAgain();
			this.refresh();
		});
		on("record", ({ room, item }) => this.#record(room, item));
		on("thread", (mark) => this.#marked(mark));
		on("reset", ({ room }) => this.#drop(room.name));
		on("left", ({ room }) => this.#drop(room.name));
	}

	/** Asks the server for the threads. Rejects as `request` does. */
	async refresh() {
		let items = [];
		try {
			({ items } = await this.#client.request("threads"));
			this.isSupported = true;
		} catch (error) {
			if (!NOT_SUPPORTED.has(error.code)) return;
			this.isSupported = false;
		}
		const before = this.#rows;
		this.#rows = new Map();
		for (const row of items) {
			const key = keyOf(row.room, row.thread);
			const { since = [], read = 0 } = before.get(key) ?? {};
			// What has been read here may not have been told yet, and what came meanwhile was not counted.
			const counted = read >= row.seq ? 0 : row.unread;
			this.#rows.set(key, { ...row, read: Math.max(row.read, read), counted, since: since.filter((seq) => seq > row.seq) });
		}
		this.#changed();
	}

	/** A {@link Thread} that we follow. */
	find(room, thread) {
		const row = this.#rows.get(keyOf(room, thread));
		return row && shown(row);
	}

	/** All that we follow: the unread ones first, then those in which something was said last. */
	list() {
		const at = (row) => row.since.at(-1) ?? row.seq;
		return [...this.#rows.values()].map((row) => ({ ...shown(row), at: at(row) }))
			.sort((a, b) => Number(b.unread > 0) - Number(a.unread > 0) || b.at - a.at);
	}

	/** How many messages are unread in all of them; `isCounted(room)` is whether those of a room count. */
	unread(isCounted = () => true) {
		return this.list().reduce((sum, { room, unread }) => sum + (isCounted(room) ? unread : 0), 0);
	}

	/** A page of a thread: `{items, more, following, read, unread}`, the latest messages, or those before a seq. */
	page(room, thread, { before, limit } = {}) {
		return this.#client.request("thread", { room, thread, before, limit });
	}

	async follow(room, thread) {
		await this.#client.request("follow", { room, thread });
		await this.refresh();
	}

	async unfollow(room, thread) {
		await this.#client.request("unfollow", { room, thread });
		this.#rows.delete(keyOf(room, thread));
		this.#changed();
	}

	/** Reports that a thread has been read up to `seq`. */
	read(room, thread, seq) {
		const key = keyOf(room, thread);
		const row = this.#rows.get(key);
		if (!row || seq <= row.read) return;
		const isWaiting = this.#unsent.has(key);
		// A seq means something in its epoch only.
		this.#unsent.set(key, { room, thread, epoch: this.#client.rooms.get(room)?.epoch ?? undefined, read: seq });
		this.#readUpTo(row, seq);
		if (!isWaiting) this.#clock.setTimeout(() => this.#tell(key), READ_MS);
	}

	/** Reports that all of them have been read. */
	readAll() {
		for (const { room, thread, seq, since } of this.#rows.values()) this.read(room, thread, since.at(-1) ?? seq);
	}

	#tell(key) {
		const mark = this.#unsent.get(key);
		this.#unsent.delete(key);
		if (mark) this.#send(key, mark);
	}

	/** A mark never goes back, so that it does no harm to tell an earlier one behind a later one. */
	#send(key, mark) {
		this.#client.request("ack", mark).catch(({ code }) => {
			if (!code || CANNOT_NOW.has(code)) this.#untold.set(key, mark);
		});
	}

	#tellAgain() {
		const untold = [...this.#untold];
		this.#untold.clear();
		for (const [key, mark] of untold) this.#send(key, mark);
	}

	#readUpTo(row, seq) {
		row.read = seq;
		row.since = row.since.filter((each) => each > seq);
		if (seq >= row.seq) row.counted = 0;
		else if (row.counted > 0) this.#arm();
		this.#changed();
	}

	#record(room, item) {
		const ours = item.from === this.#client.user;
		if (item.ev === "deletion") return this.#deleted(room.name, item.target);
		if (item.ev !== "message" || item.deleted) return;
		if (ours) this.#remember(room.name, item.seq);
		if (!item.thread || room.durable === "memory") return;
		const row = this.#rows.get(keyOf(room.name, item.thread));
		if (row && ours) return this.#readUpTo(row, item.seq);
		if (row && item.seq > Math.max(row.read, row.seq)) {
			row.since.push(item.seq);
			return this.#changed();
		}
		// We follow it from now on, if we have not chosen otherwise.
		if (!row && (ours || this.#own.get(room.name)?.has(item.thread) || this.#isOurs(room.name, item.thread))) this.#arm();
	}

	/** A room has another name: what is followed there goes along. */
	rename(was, name) {
		for (const [key, row] of [...this.#rows]) {
			if (row.room !== was) continue;
			this.#rows.delete(key);
			row.room = name;
			this.#rows.set(keyOf(name, row.thread), row);
		}
		if (this.#own.has(was)) this.#own.set(name, this.#own.get(was));
		this.#own.delete(was);
		this.#changed();
	}

	#remember(name, seq) {
		if (!this.#own.has(name)) this.#own.set(name, new Set());
		const own = this.#own.get(name);
		own.add(seq);
		if (own.size > OWN_MAX) own.delete(own.values().next().value);
	}

	/** Of what the server has counted it alone knows what was in a thread. */
	#deleted(room, seq) {
		for (const row of this.#rows.values()) {
			if (row.room !== room) continue;
			if (row.thread === seq || (row.counted > 0 && seq > row.read && seq <= row.seq)) this.#arm();
			row.since = row.since.filter((each) => each !== seq);
		}
		this.#changed();
	}

	/** Another of our clients follows a thread, follows it no more, or has read it. */
	#marked({ room, thread, following, read }) {
		const row = this.#rows.get(keyOf(room, thread));
		if (!following) this.#rows.delete(keyOf(room, thread));
		else if (!row) return this.#arm();
		else if (read > row.read) this.#readUpTo(row, read);
		this.#changed();
	}

	#drop(room) {
		this.#own.delete(room);
		for (const [key, row] of this.#rows) if (row.room === room) this.#rows.delete(key);
		for (const marks of [this.#unsent, this.#untold]) for (const [key, mark] of marks) if (mark.room === room) marks.delete(key);
		this.#arm();
		this.#changed();
	}

	#arm() {
		if (!this.isSupported) return;
		this.#timer ??= this.#clock.setTimeout(() => {
			this.#timer = null;
			this.refresh();
		}, REFRESH_MS);
	}

	#changed() {
		this.dispatchEvent(new CustomEvent("change"));
	}
}

const keyOf = (room, thread) => `${thread} ${room}`;
const shown = ({ room, thread, from, text, seq, read, counted, since }) => ({ room, thread, from, text, seq, read, unread: counted + since.length });
