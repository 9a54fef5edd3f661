#!/usr/bin/env bash
# Guess:   a server says to a reader of events when to come back (`retry: 2000`, in a block of its own at the beginning, as most
#          send it), and whether: the answer to 204 is to stay away (WHATWG HTML, 9.2.2 and 9.2.6).
# Truth:   htmx 4's own extension for event streams hears neither. `retry` counts only in a block that has `data` or `event`,
#          so that one by itself is passed over. 204 has no body, which it takes for a stream that broke, and asks again
#          after half a second, without an end and without the longer and longer pauses that it makes after other answers
#          that are no stream. htmx 2's extension, which asks the browser's `EventSource`, and npm's eventsource do as the
#          standard says.
# Version: htmx.org 4.0.1, eventsource 5.1.5, jsdom 29.1.1 (npm), Node 24.9.0 (npm's node). Source: `parseSSE` in
#          dist/ext/hx-sse.js, which tells no such block, and `handleSSEResponse`, for which 204 is `ok`.
# So:      `retry` goes into the first block that has an event, and who is to stay away is sent an event that the page has as
#          `hx-sse:close`.
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

const PAUSE = 2000;

/** The times of the requests, in milliseconds since the first. */
let asked;
let answers;
const server = createServer((_, response) => {
	asked.push(Math.round(performance.now()));
	(answers[asked.length - 1] ?? answers.at(-1))(response);
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const address = `http://127.0.0.1:${server.address().port}/`;

const stream = (text) => (response) => response.writeHead(200, { "Content-Type": "text/event-stream" }).end(text);
const stayAway = (response) => response.writeHead(204).end();

/** A page with htmx and its extension, and how it is closed. */
async function openHtmx() {
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
	window.console = { error() {} };
	Object.assign(window, { TextDecoder });
	for (const script of ["htmx.js", "ext/hx-sse.js"]) {
		window.eval(readFileSync(`node_modules/htmx.org/dist/${script}`, "utf8"));
	}
	await once(window.document, "htmx:after:process");
	window.htmx.process(window.document.getElementById("chat"));
	return window;
}

/** When it asked, in milliseconds since it did first. */
async function timesOf(open, first) {
	[asked, answers] = [[], [stream(first), stayAway]];
	const reader = await open();
	await pause(6000);
	reader.close();
	return asked.map((time) => time - asked[0]);
}

const openers = { htmx: openHtmx, eventsource: () => new EventSource(address) };
for (const [name, open] of Object.entries(openers)) {
	for (const [what, first] of [["by itself", `retry: ${PAUSE}\n\n`], ["with data", `retry: ${PAUSE}\ndata: hello\n\n`]]) {
		const times = await timesOf(open, first);
		console.log(`${name.padEnd(11)} retry ${what}, then 204: asked at ${times.join(", ")} ms`);
		const waited = times[1] >= 0.6 * PAUSE;
		assert.equal(waited, name === "eventsource" || what === "with data", "retry is another matter now");
		assert.equal(times.length === 2, name === "eventsource", "204 is another matter now");
	}
}
process.exit();
JAVASCRIPT
timeout 60 node_modules/.bin/node --no-warnings find.mjs
echo "as found: htmx 4.0.1 passes over a retry by itself, and asks again after 204"
