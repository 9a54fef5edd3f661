// The hooks in components that React really renders, over the fakes of the client's own tests.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createElement } from "react";
import { act, create } from "react-test-renderer";
import { bench, message } from "../../../scripts/browser.d/bench.mjs";
import { settle } from "../../../scripts/browser.d/fakes.mjs";
import { usePresence, useRoom, useUnread } from "../react.js";

globalThis.IS_REACT_ACT_ENVIRONMENT = true;
// The renderer says that it is deprecated; it needs no document.
const said = console.error;
console.error = (...words) => String(words[0]).includes("react-test-renderer is deprecated") || said(...words);

/** A component that shows what `use` gives, as text; and how often it was rendered. */
async function shown(it, use) {
	let renders = 0;
	const Shown = () => {
		renders += 1;
		return use(it.client);
	};
	let root;
	await act(async () => {
		root = create(createElement(Shown));
		await settle();
	});
	return {
		text: () => root.toJSON(),
		renders: () => renders,
		end: () => act(async () => root.unmount()),
	};
}

async function connected() {
	const it = bench();
	it.client.start();
	await it.welcome();
	return it;
}

const joinLobby = (it) => act(() => it.socket.reply("join", { room: "lobby", epoch: "e1", seq: 10, durable: "memory", role: "member", topic: "tea" }));
const say = (it, event) => act(async () => it.socket.say(event));

test("useRoom joins, and shows the records as they come", async () => {
	const it = await connected();
	const page = await shown(it, (chat) => {
		const { state, topic, records } = useRoom(chat, "lobby");
		return `${state} ${topic} ${records.map(({ text }) => text)}`;
	});
	assert.equal(page.text(), "wanted  ");
	await joinLobby(it);
	await say(it, message(11));
	await say(it, message(12));
	assert.equal(page.text(), "live tea m11,m12");
	const before = page.renders();
	await say(it, { ev: "message", room: "other", seq: 1, from: "bob", at: 1, text: "elsewhere" });
	assert.equal(page.renders(), before, "another room's record renders nothing here");
	await page.end();
	await say(it, message(13));
	assert.equal(page.renders(), before);
});

test("useRoom sends, and two components of a room join once", async () => {
	const it = await connected();
	let send;
	const page = await shown(it, (chat) => {
		const one = useRoom(chat, "lobby");
		const two = useRoom(chat, "lobby");
		({ send } = one);
		return `${one.records === two.records}`;
	});
	assert.equal(it.socket.sent.filter(({ op }) => op === "join").length, 1);
	await joinLobby(it);
	await act(async () => send("hi"));
	await act(() => it.socket.reply("send", { room: "lobby", seq: 11, at: 11, durable: "memory" }));
	assert.equal(page.text(), "true");
	assert.deepEqual(it.told(), ["hi sent", "lobby 11 hi"]);
	await page.end();
});

test("useRoom stands a gap and a reset where records are missing", async () => {
	const it = await connected();
	const page = await shown(it, (chat) => useRoom(chat, "lobby").records.map(({ ev, seq }) => `${ev} ${seq}`).join());
	await joinLobby(it);
	await say(it, { ev: "gap", room: "lobby", from: 11, to: 14, why: "limit" });
	await say(it, message(15));
	assert.equal(page.text(), "gap 14,message 15");
	await page.end();
});

test("useRoom of a room that we were sent out of says so", async () => {
	const it = await connected();
	const page = await shown(it, (chat) => `${useRoom(chat, "lobby").room?.name}`);
	await joinLobby(it);
	assert.equal(page.text(), "lobby");
	await say(it, { ev: "left", room: "lobby", reason: "kicked" });
	assert.equal(page.text(), "undefined");
	await page.end();
});

test("usePresence asks once there is a room, and follows", async () => {
	const it = await connected();
	const page = await shown(it, (chat) => {
		useRoom(chat, "lobby");
		const here = usePresence(chat, "lobby");
		return here ? `${here.count} ${[...here.users.keys()]}` : "unknown";
	});
	assert.equal(page.text(), "unknown");
	await joinLobby(it);
	await act(() => it.socket.reply("presence", { v: 1, count: 1, users: [["ann", "online"]] }));
	assert.equal(page.text(), "1 ann");
	await say(it, { ev: "presence", room: "lobby", v: 2, on: ["bob"], count: 2 });
	assert.equal(page.text(), "2 ann,bob");
	await page.end();
});

test("useUnread counts in one room and in all, and goes down when something is read", async () => {
	const it = await connected();
	let read;
	const page = await shown(it, (chat) => {
		({ read } = useRoom(chat, "lobby"));
		return `${useUnread(chat, "lobby")} of ${useUnread(chat)}`;
	});
	await joinLobby(it);
	await say(it, message(11));
	await say(it, { ev: "joined", room: "@ann:bob", epoch: "z1", seq: 0 });
	await say(it, { ev: "message", room: "@ann:bob", seq: 1, from: "bob", at: 1, text: "psst" });
	assert.equal(page.text(), "1 of 2");
	await act(async () => read(11));
	assert.equal(page.text(), "0 of 1");
	await page.end();
	it.client.stop();
});
