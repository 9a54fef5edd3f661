#!/usr/bin/env bash
# Guess:   a line of an event stream may end with CR LF (WHATWG HTML, 9.2.5), as sse-starlette's do, and how
#          the stream is cut on its way is nobody's matter: a chunk may end between the two.
# Truth:   htmx 4's own extension for event streams takes the LF that begins a chunk for a line of its own, and an empty line
#          ends an event. Of an event `say` with two lines of data the page hears `say` with the first one; the second
#          arrives as an event without a name, whose data is put into the page as HTML. When it happens depends on where
#          TCP, TLS and proxies cut. htmx 2's extension, which asks the browser's `EventSource`, and npm's eventsource read
#          it right.
# Version: htmx.org 4.0.1, eventsource 5.1.5, jsdom 29.1.1 (npm), Node 24.9.0 (npm's node). Source: `parseSSE` in
#          dist/ext/hx-sse.js, which splits what has arrived at `/\r\n|\r|\n/`.
# So:      a server of event streams ends its lines with LF alone; sse-starlette says `sep="\n"`.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund node@24.9.0 htmx.org@4.0.1 eventsource@5.1.5 jsdom@29.1.1

cat >find.mjs <<'JAVASCRIPT'
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { EventSource } from "eventsource";
import { JSDOM } from "jsdom";

const EVENT = "event: say\r\ndata: one\r\ndata: two\r\nid: 7\r\n\r\n";
const SEAM = EVENT.indexOf("\ndata: two");

let chunks;
const server = createServer(async (_, response) => {
	response.writeHead(200, { "Content-Type": "text/event-stream" });
	for (const chunk of chunks) {
		response.write(chunk);
		await pause(200);
	}
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const address = `http://127.0.0.1:${server.address().port}/`;

/** What a page with htmx and its extension hears of the stream. */
async function heardByHtmx() {
	const { window } = new JSDOM('<body><div id="chat" hx-sse:connect="/"></div></body>', {
		url: address,
		runScripts: "outside-only",
	});
	// What jsdom has not, and htmx asks for.
	const { evaluate } = window.XPathExpression.prototype;
	window.XPathExpression.prototype.evaluate = function (node) {
		return evaluate.call(this, node, 0, null);
	};
	window.CSS = { escape: (text) => text.replaceAll(":", "\\:") };
	window.fetch = (url, { method, headers }) => fetch(new URL(url, address), { method, headers });
	Object.assign(window, { TextDecoder });
	for (const script of ["htmx.js", "ext/hx-sse.js"]) {
		window.eval(readFileSync(`node_modules/htmx.org/dist/${script}`, "utf8"));
	}
	await once(window.document, "htmx:after:process");
	const heard = [];
	const element = window.document.getElementById("chat");
	element.addEventListener("htmx:sse:before:message", ({ detail: { message } }) => {
		heard.push([message.event || "message", message.data]);
	});
	window.htmx.process(element);
	await pause(1000);
	window.close();
	return heard;
}

/** What npm's eventsource hears of it. */
async function heardByEventSource() {
	const heard = [];
	const source = new EventSource(address);
	for (const name of ["say", "message"]) source.addEventListener(name, ({ data }) => heard.push([name, data]));
	await pause(1000);
	source.close();
	return heard;
}

const whole = [["say", "one\ntwo"]];
for (const [how, cut] of [["in one chunk", [EVENT]], ["cut between CR and LF", [EVENT.slice(0, SEAM), EVENT.slice(SEAM)]]]) {
	chunks = cut;
	const [byHtmx, bySource] = [await heardByHtmx(), await heardByEventSource()];
	console.log(`${how}: htmx ${JSON.stringify(byHtmx)}, eventsource ${JSON.stringify(bySource)}`);
	assert.deepEqual(bySource, whole);
	assert.deepEqual(byHtmx, cut.length === 1 ? whole : [["say", "one"], ["message", "two"]], "it is another matter now");
}
process.exit();
JAVASCRIPT
timeout 60 node_modules/.bin/node --no-warnings find.mjs
echo "as found: htmx 4.0.1 takes CR LF for two ends of line where a chunk ends between them"
