/**
 * Hooks for React 18 and later. The client is the program's own: made once, outside of components, and started there.
 *
 * What they give is a copy that changes only when something has changed, so that React compares it by identity.
 */
import { useCallback, useEffect, useSyncExternalStore } from "react";

/** Records of a room that are kept for components. */
const RECORDS_MAX = 1_000;
/** What is kept for each client and each of its rooms: state that all components share. */
const stores = new WeakMap();

class RoomStore {
	#listeners = new Set();
	#users = 0;

	constructor(client, name) {
		Object.assign(this, { client, name });
		this.shown = { room: undefined, state: "wanted", unread: 0, topic: "", typing: [], presence: null, records: [] };
		client.addEventListener("record", ({ detail: { room, item } }) => room.name === name && this.#add(item));
		client.addEventListener("reset", ({ detail: { room, seq } }) => room.name === name && this.#add({ ev: "reset", seq }));
		client.addEventListener("gap", ({ detail: { room, from, to, why } }) => room.name === name && this.#add({ ev: "gap", seq: to, from_seq: from, why }));
		for (const type of ["room", "live", "left"]) client.addEventListener(type, ({ detail: { room } }) => room.name === name && this.#show());
		this.#show();
	}

	#add(item) {
		this.#show([...this.shown.records, item].slice(-RECORDS_MAX));
	}

	#show(records = this.shown.records) {
		const room = this.client.rooms.get(this.name);
		const { state = "wanted", unread = 0, topic = "", typing = [], presence } = room ?? {};
		const users = presence?.users && new Map(presence.users);
		this.shown = { room, state, unread, topic, typing, records, presence: presence ? { ...presence, users } : null };
		for (const run of this.#listeners) run();
	}

	subscribe = (run) => {
		this.#listeners.add(run);
		return () => this.#listeners.delete(run);
	};

	get = () => this.shown;

	/** Joins for the first component; a room stays joined when the last has gone, since membership is the user's. */
	use() {
		this.#users += 1;
		if (this.#users > 1 || this.name.startsWith("@")) return;
		this.client.join(this.name, { after: this.shown.records.at(-1)?.seq }).catch(() => {});
	}

	unuse() {
		this.#users -= 1;
	}
}

function storeOf(client, name) {
	if (!stores.has(client)) stores.set(client, new Map());
	const rooms = stores.get(client);
	if (!rooms.has(name)) rooms.set(name, new RoomStore(client, name));
	return rooms.get(name);
}

function useShown(client, name) {
	const store = storeOf(client, name);
	return useSyncExternalStore(store.subscribe, store.get, store.get);
}

/**
 * Joins a room and gives `{room, state, topic, typing, unread, records, send, read}`: the latest records since the first
 * component used it, for `present`. A record of `ev: "reset"` or `"gap"` stands for what is missing.
 */
export function useRoom(client, name) {
	const store = storeOf(client, name);
	useEffect(() => {
		store.use();
		return () => store.unuse();
	}, [store]);
	const shown = useShown(client, name);
	const send = useCallback((text, more) => client.send(name, text, more), [client, name]);
	const read = useCallback((seq) => client.read(name, seq), [client, name]);
	return { ...shown, send, read };
}

/** `{v, count, users}` of a room, kept up to date; null until it is known. */
export function usePresence(client, name) {
	const { room, presence } = useShown(client, name);
	useEffect(() => {
		if (room) client.watch(name);
	}, [client, name, room]);
	return presence;
}

/** The number of unread messages of one room, or of all. */
export function useUnread(client, name) {
	const subscribe = useCallback((run) => {
		const types = ["room", "record", "left", "live", "reset"];
		for (const type of types) client.addEventListener(type, run);
		return () => types.forEach((type) => client.removeEventListener(type, run));
	}, [client]);
	const get = () => {
		if (name !== undefined) return client.rooms.get(name)?.unread ?? 0;
		return [...client.rooms.values()].reduce((sum, room) => sum + room.unread, 0);
	};
	return useSyncExternalStore(subscribe, get, get);
}
