// A client on the fakes, and the messages that its tests use.
import { FakeClock, fakeSockets, loadClient } from "./fakes.mjs";

export const { Client, ChinwagError, directRoom, otherIn } = await loadClient();

export const LIMITS = { message_bytes: 64, ping_ms: 25_000, history_page: 200 };

/** A client with its fakes, and its events as short lines. */
export function bench(options = {}) {
	const clock = new FakeClock();
	const { sockets, FakeSocket } = fakeSockets();
	const client = new Client("ws://test/ws", { name: "ann", WebSocket: FakeSocket, clock, random: () => 0.5, ...options });
	const told = [];
	const tell = (type, line) => client.addEventListener(type, ({ detail }) => told.push(line(detail)));
	tell("record", ({ room, item }) => `${room.name} ${item.seq} ${item.text ?? item.ev}`);
	tell("gap", ({ room, from, to, why }) => `${room.name} gap ${from}-${to} ${why}`);
	tell("reset", ({ room, seq }) => `${room.name} reset ${seq}`);
	tell("renamed", ({ room, was }) => `${was} renamed ${room.name}`);
	tell("left", ({ room, reason }) => `${room.name} left ${reason}`);
	tell("outbox", ({ entry, status }) => status !== "pending" && `${entry.text} ${status}`);
	tell("problem", (error) => `problem ${error.code}`);
	return {
		client,
		clock,
		sockets,
		get socket() {
			return sockets.at(-1);
		},
		/** The events since the last call. */
		told: () => told.splice(0).filter(Boolean),
		async welcome(data = {}) {
			this.socket.accept();
			const hello = await this.socket.reply("hello", { user: "ann", session: "s1", resumed: false, limits: LIMITS, ...data });
			await this.socket.reply("rooms", { rooms: [], rev: 1 });
			return hello;
		},
	};
}

/** A client that is live in `lobby` at `seq`. */
export async function inLobby(seq = 10, options = {}) {
	const it = bench(options);
	it.client.start();
	await it.welcome();
	const joining = it.client.join("lobby");
	await it.socket.reply("join", { room: "lobby", epoch: "e1", seq, oldest: 1, durable: "memory", role: "member" });
	await joining;
	return it;
}

export const message = (seq, text = `m${seq}`, more = {}) => ({ ev: "message", room: "lobby", seq, from: "bob", at: seq, text, ...more });
export const item = (seq, more) => {
	const { room: _, ...rest } = message(seq, undefined, more);
	return rest;
};
export const sends = (socket) => socket.sent.filter((request) => request.op === "send").map((request) => request.text);
