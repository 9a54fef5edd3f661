#!/usr/bin/env bash
# Guess:   a block of an event stream that has no `data` is no event (WHATWG HTML, 9.2.6: "If the data buffer is an empty
#          string, set the data buffer and the event type buffer to the empty string and return"): a comment and an empty
#          line keep a connection alive and reach no program.
# Truth:   fetch-event-source calls `onmessage` at each empty line, with "" as data: for a comment, for `retry:`, for an id
#          by itself. A handler that begins with `JSON.parse(event.data)` throws at the first keep-alive. extended-eventsource,
#          an `EventSource` on top of the same design, passes over comments, but tells `retry:` and an id so.
# Version: @microsoft/fetch-event-source 2.0.1, extended-eventsource 2.1.0, eventsource 5.1.5 (npm).
#          Source: `getMessages` in src/parse.ts ("empty line denotes end of message").
# So:      a program passes over "" before it parses; a server ends its comments by one end of line, not by two.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund node@24.9.0 @microsoft/fetch-event-source@2.0.1 extended-eventsource@2.1.0 \
  eventsource@5.1.5

cat >find.mjs <<'JAVASCRIPT'
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { fetchEventSource } from "@microsoft/fetch-event-source";
import { EventSource } from "eventsource";
import { EventSource as ExtendedEventSource } from "extended-eventsource";

globalThis.window = globalThis;
globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} };

/** The texts that a reader is told of a stream that has these blocks. */
async function reads(blocks, read) {
	const server = createServer((_, response) => {
		response.writeHead(200, { "Content-Type": "text/event-stream" });
		response.write(blocks.join(""));
	});
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	const texts = [];
	read(`http://127.0.0.1:${server.address().port}/`, (event) => texts.push(event.data));
	for (let waits = 0; waits < 200 && !texts.includes("hello"); waits += 1) await pause(50);
	await pause(200);
	server.close();
	return texts;
}

const readers = {
	"fetch-event-source": (url, onmessage) => void fetchEventSource(url, { onmessage }),
	"extended-eventsource": (url, onmessage) => void (new ExtendedEventSource(url).onmessage = onmessage),
	eventsource: (url, onmessage) => void (new EventSource(url).onmessage = onmessage),
};
const [none, empty] = [["hello"], ["", "hello"]];
const streams = {
	"a comment and an empty line": [": keep-alive\n\n", [empty, none, none]],
	"retry by itself": ["retry: 5000\n\n", [empty, empty, none]],
	"an id by itself": ["id: 7\n\n", [empty, empty, none]],
	"a comment without an empty line": [": keep-alive\n", [none, none, none]],
};
for (const [what, [block, expected]] of Object.entries(streams)) {
	const found = [];
	for (const [name, read] of Object.entries(readers)) {
		found.push(await reads([block, "data: hello\n\n"], read));
		console.log(`${what.padEnd(32)} ${name.padEnd(21)} ${JSON.stringify(found.at(-1))}`);
	}
	assert.deepEqual(found, expected, "it is another matter now");
}
process.exit();
JAVASCRIPT
timeout 60 node_modules/.bin/node --no-warnings find.mjs
echo "as found: fetch-event-source tells what has no data as an empty message, and extended-eventsource some of it"
