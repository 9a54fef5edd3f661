import type { Client, Entry, Item, Presence, Room, SendMore } from "./index.js";

/** A room for a component. */
export interface UsedRoom {
	/** Undefined until it is wanted, and after it was left. */
	room: Room | undefined;
	state: Room["state"];
	topic: string;
	typing: string[];
	unread: number;
	/** The latest records, for `present`; `ev` is `"gap"` or `"reset"` where some are missing. */
	records: Item[];
	send(text: string, more?: SendMore): Entry;
	/** Reports that all up to `seq` has been read. */
	read(seq: number): void;
}

/** Joins a room and gives what is in it. */
export function useRoom(client: Client, name: string): UsedRoom;
/** Who is in a room; null until it is known. */
export function usePresence(client: Client, name: string): Presence | null;
/** How much is unread in one room, or in all. */
export function useUnread(client: Client, name?: string): number;
