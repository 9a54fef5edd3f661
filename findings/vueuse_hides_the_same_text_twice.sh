#!/usr/bin/env bash
# Guess:   who watches the `data` of VueUse's `useWebSocket`, as its page shows, hears of each message.
# Truth:   `data` is a value and not a stream: the same text once more is no change, and no watcher runs, also not with
#          `flush: "sync"`. Of "yo" and "yo" a chat shows one; of a feed of prices, the second of two that are equal is missing.
#          `useEventSource` is the same, also if the ids of the two events differ. `onMessage` hears all of them.
# Version: @vueuse/core 14.4.0, vue 3.5.45, ws 8.23.0, eventsource 5.1.5, jsdom 29.1.1 (npm), Node 24.9.0 (npm's node).
#          Source: `data.value = e.data` in the functions; what `watch` does with an equal value is Vue's.
# So:      messages are taken in `onMessage`, which both have.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund node@24.9.0 @vueuse/core@14.4.0 vue@3.5.45 ws@8.23.0 eventsource@5.1.5 \
  jsdom@29.1.1

cat >find.mjs <<'JAVASCRIPT'
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { EventSource } from "eventsource";
import { JSDOM } from "jsdom";
import { WebSocketServer } from "ws";

// VueUse opens nothing where there is no page.
const { window } = new JSDOM("", { url: "http://127.0.0.1/" });
const { document, Element, Node, SVGElement } = window;
Object.assign(globalThis, { window, document, Element, Node, SVGElement, EventSource });
const { effectScope, watch } = await import("vue");
const { useEventSource, useWebSocket } = await import("@vueuse/core");

const SAID = ["hello", "yo", "yo", "bye"];

/** Says all of it, far enough apart for each to be a matter of its own. */
async function say(how) {
	for (const [id, text] of SAID.entries()) {
		await pause(100);
		how(text, id);
	}
}

const chat = new WebSocketServer({ host: "127.0.0.1", port: 0 });
chat.on("connection", (line) => say((text) => line.send(text)));
await once(chat, "listening");
const stream = createServer((_, response) => {
	response.writeHead(200, { "Content-Type": "text/event-stream" });
	say((text, id) => response.write(`id: ${id}\ndata: ${text}\n\n`));
});
stream.listen(0, "127.0.0.1");
await once(stream, "listening");

const heard = { "useWebSocket, watched": [], "at once": [], "onMessage": [], "useEventSource, watched": [] };
const [watched, atOnce, all, events] = Object.values(heard);
effectScope().run(() => {
	const socket = useWebSocket(`ws://127.0.0.1:${chat.address().port}`, { onMessage: (_, event) => all.push(event.data) });
	watch(socket.data, (text) => watched.push(text));
	watch(socket.data, (text) => atOnce.push(text), { flush: "sync" });
	const source = useEventSource(`http://127.0.0.1:${stream.address().port}/`);
	watch(source.data, (text) => events.push(text));
});
await pause(2000);
for (const [name, texts] of Object.entries(heard)) console.log(`${name}: ${texts.join(", ")}`);
assert.deepEqual(all, SAID);
for (const some of [watched, atOnce, events]) assert.deepEqual(some, ["hello", "yo", "bye"], "others are heard now");
process.exit();
JAVASCRIPT
timeout 60 node_modules/.bin/node --no-warnings find.mjs
echo "as found: who watches what VueUse 14.4.0 has received does not hear the same text a second time"
