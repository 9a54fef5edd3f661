#!/usr/bin/env bash
# Guess:   a replacement of `EventSource` that "retries" comes back when its stream ends, as `EventSource` does: servers end
#          streams at each restart, and proxies after their timeout.
# Truth:   a stream that ends in order is over: the promise resolves, and nobody comes back. One that breaks off, even one
#          byte before its end, is asked for again, with `Last-Event-ID`. What decides is how the HTTP body ended, which a
#          stream without a length or chunks (HTTP/1.0 style) has no way to say: each of its ends is in order.
# Version: @microsoft/fetch-event-source 2.0.1 (npm). Source: `create` in src/fetch.ts.
# So:      who uses it throws an error in `onclose`, and a server of event streams names it in its table of clients.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund @microsoft/fetch-event-source@2.0.1

cat >find.mjs <<'JAVASCRIPT'
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { createRequire } from "node:module";

// It wants a page: one that is visible.
globalThis.window = globalThis;
globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} };
const { fetchEventSource } = createRequire(import.meta.url)("@microsoft/fetch-event-source");

const EVENT = "retry: 100\nid: a:7\ndata: hello\n\n";
const HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
const CHUNK = `Transfer-Encoding: chunked\r\n\r\n${EVENT.length.toString(16)}\r\n${EVENT}\r\n`;

/** How often it asks within two seconds for a stream that is sent like this and then ends, and what became of it. */
async function asks(answer) {
	let requests = 0;
	const server = createServer((socket) => {
		socket.on("error", () => {});
		socket.once("data", () => {
			requests += 1;
			socket.end(HEAD + answer);
		});
	});
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	const abort = new AbortController();
	let state = "still there";
	fetchEventSource(`http://127.0.0.1:${server.address().port}/`, { signal: abort.signal }).then(() => (state = abort.signal.aborted ? state : "over"));
	await new Promise((resolve) => setTimeout(resolve, 2000));
	abort.abort();
	server.close();
	return [requests > 1 ? "asked again and again" : "asked once", state];
}

const seen = {
	"chunked, with its last chunk": await asks(`${CHUNK}0\r\n\r\n`),
	"chunked, broken off":          await asks(CHUNK),
	"until the connection ends":    await asks(`Connection: close\r\n\r\n${EVENT}`),
};
for (const [how, what] of Object.entries(seen)) console.log(`${how}: ${what.join(", ")}`);
const over = ["asked once", "over"];
assert.deepEqual(Object.values(seen), [over, ["asked again and again", "still there"], over], "it goes on in another way now");
process.exit();
JAVASCRIPT
node find.mjs
echo "as found: fetch-event-source 2.0.1 does not come back from a stream that has ended"
