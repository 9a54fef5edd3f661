#!/usr/bin/env bash
# Guess:   a polyfill of `EventSource` that comes back says where it was as `EventSource` does, in the header
#          `Last-Event-ID` (WHATWG HTML, 9.2.4).
# Truth:   it sends no such header: the id is in the query, `?lastEventId=…`, behind whatever the address has. A server that
#          reads the header only takes it for somebody new, and what was said meanwhile is lost, or all comes again.
# Version: event-source-polyfill 1.0.31 (npm), beside eventsource 4.1.1. Source: `requestURL` in src/eventsource.js;
#          the option `lastEventIdQueryParameterName`.
# So:      a server of event streams reads `lastEventId` of the query too, and before a position that the page gave itself.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund event-source-polyfill@1.0.31 eventsource@4.1.1

cat >find.mjs <<'JAVASCRIPT'
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import { EventSource } from "eventsource";

globalThis.window = globalThis;
const { EventSourcePolyfill } = (await import("event-source-polyfill")).default;

/** What the second request says of the place behind the first event, whose stream has ended. */
async function comesBack(Source) {
	const server = createServer((request, response) => {
		response.writeHead(200, { "Content-Type": "text/event-stream" });
		if (server.count++ === 0) return response.end("retry: 100\nid: a:7\ndata: hello\n\n");
		server.emit("again", request.url, request.headers["last-event-id"]);
	});
	server.count = 0;
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	const source = new Source(`http://127.0.0.1:${server.address().port}/stream?after=0`);
	const [url, header] = await once(server, "again");
	source.close();
	server.close();
	return { url, header };
}

const other = await comesBack(EventSource);
const polyfill = await comesBack(EventSourcePolyfill);
console.log("eventsource:          ", other);
console.log("event-source-polyfill:", polyfill);
assert.deepEqual(other, { url: "/stream?after=0", header: "a:7" });
assert.deepEqual(polyfill, { url: "/stream?after=0&lastEventId=a%3A7", header: undefined }, "it says its place elsewhere now");
process.exit();
JAVASCRIPT
node find.mjs
echo "as found: event-source-polyfill 1.0.31 says its place in the query, and not in Last-Event-ID"
