// What a program in TypeScript may write, compiled strictly against the installed package.
import { ChinwagError, Client, directRoom, otherIn, present, type Entry, type Item, type Room } from "chinwag";
import { usePresence, useRoom, useUnread } from "chinwag/react";

const chat = new Client("ws://127.0.0.1/ws", { name: "ann", token: async () => "t", random: () => 0.5 });
chat.addEventListener("record", ({ detail: { room, item } }) => {
	const seq: number = item.seq;
	const shown: string | undefined = present([item])[0]?.text;
	console.log(room.name, seq, shown);
});
chat.addEventListener("gap", (event) => event.detail.to - event.detail.from);
chat.addEventListener("state", ({ detail }) => detail.error instanceof ChinwagError && detail.error.retryAfterMs);
chat.addEventListener("something else", () => {});

export async function use(): Promise<Room> {
	chat.start();
	const room = await chat.join("lobby", { after: 0 });
	const entry: Entry = chat.send("lobby", "hi", { reply_to: 3, data: { any: 1 } });
	const page = await chat.history("lobby", { before: room.seq, limit: 50 });
	const items: Item[] = page.items;
	await chat.moderate("mute", "lobby", "bob", { for_ms: 1000 });
	const { display, color } = await chat.profile({ display: "Ann S", text: "tea", for_ms: 60_000, color: "teal" });
	console.log(display, color, (await chat.whois(["bob"]))["bob"]?.text, chat.profiles.get("bob")?.until);
	console.log(entry.cid, items.length, otherIn(directRoom("a", "b"), "a"));
	return room;
}

export function Lobby(): string {
	const { records, send, state } = useRoom(chat, "lobby");
	const count: number | undefined = usePresence(chat, "lobby")?.count;
	send(`${state} ${count} ${records.length}`);
	return String(useUnread(chat) + useUnread(chat, "lobby"));
}

// What is a mistake is said to be one.
// @ts-expect-error
chat.send("lobby", 1);
// @ts-expect-error
chat.moderate("slap", "lobby", "bob");
// @ts-expect-error
chat.addEventListener("record", ({ detail }) => detail.rooms);
// @ts-expect-error
new Client("ws://127.0.0.1/ws", { nmae: "ann" });
// @ts-expect-error
useRoom("lobby");
