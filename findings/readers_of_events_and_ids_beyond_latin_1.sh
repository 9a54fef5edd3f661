#!/usr/bin/env bash
# Guess:   the id of an event may be any text but NUL, and comes back in `Last-Event-ID` as UTF-8 (WHATWG HTML, 9.2.3:
#          "encoded as UTF-8"): a room's name may be in it.
# Truth:   readers that are built on `fetch` put the id into a header as a string of JavaScript, whose letters must be below
#          U+0100 there. "é" comes back as Latin-1, so that a server that reads UTF-8 finds no such place, and "日" makes
#          the request fail before it is sent: the reader has not come back after 6 s, nor said why. That is so in eventsource 4, eventsource-client, fetch-event-source and Node's own `EventSource`;
#          eventsource 5, undici 8 and Deno send UTF-8.
# Version: eventsource 4.1.1 and 5.1.5, eventsource-client 1.2.0, @microsoft/fetch-event-source 2.0.1, undici 8.12.4, deno 2.9.6
#          (npm), and Node 24.9.0 (npm's node) with --experimental-eventsource. Source: the second request of each.
# So:      ids of events are ASCII: a server writes everything else in them by percent-encoding.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund node@24.9.0 deno@2.9.6 undici@8.12.4 eventsource@5.1.5 \
  eventsource-before@npm:eventsource@4.1.1 eventsource-client@1.2.0 @microsoft/fetch-event-source@2.0.1

cat >client.mjs <<'JAVASCRIPT'
import process from "node:process";

const [kind, url] = process.argv.slice(2);
setInterval(() => {}, 2 ** 30);
if (kind === "eventsource-client") {
	const { createEventSource } = await import(kind);
	createEventSource({ url, onMessage() {} });
} else if (kind === "@microsoft/fetch-event-source") {
	globalThis.window = globalThis;
	globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} };
	const { fetchEventSource } = await import(kind);
	const onclose = () => {
		throw new Error("come back");
	};
	fetchEventSource(url, { onclose, onerror: () => 100 });
} else {
	const Source = kind === "own" ? EventSource : (await import(kind)).EventSource;
	new Source(url).onmessage = () => {};
}
JAVASCRIPT

cat >find.mjs <<'JAVASCRIPT'
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { setTimeout as pause } from "node:timers/promises";

const node = ["node_modules/.bin/node", "--no-warnings", "--experimental-eventsource", "client.mjs"];
const deno = ["node_modules/.bin/deno", "run", "--quiet", "--allow-all", "client.mjs"];

/** How the id is coded when a reader comes back, or that it has not within so many seconds. */
async function comesBack(argv, id) {
	let requests = 0;
	const server = createServer((request, response) => {
		response.writeHead(200, { "Content-Type": "text/event-stream" });
		if (requests++ === 0) return response.end(`retry: 100\nid: ${id}\ndata: hello\n\n`);
		server.emit("again", request.headers["last-event-id"]);
	});
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	const [command, ...rest] = argv;
	const program = spawn(command, [...rest, `http://127.0.0.1:${server.address().port}/`], { stdio: "inherit" });
	const again = once(server, "again").then(([header]) =>
		["utf8", "latin1"].find((coding) => Buffer.from(id, coding).equals(Buffer.from(header, "latin1"))),
	);
	const asked = once(server, "request").then(() => pause(6000, "does not come back"));
	const coding = await Promise.race([again, asked, once(program, "exit").then(() => "ends")]);
	program.kill();
	server.closeAllConnections();
	server.close();
	assert.ok(requests > 0, "it has asked for nothing");
	return coding;
}

const latin1 = ["latin1", "does not come back"];
const utf8 = ["utf8", "utf8"];
const readers = {
	"eventsource 4.1.1": [latin1, [...node, "eventsource-before"]],
	"eventsource 5.1.5": [utf8, [...node, "eventsource"]],
	"eventsource-client 1.2.0": [latin1, [...node, "eventsource-client"]],
	"fetch-event-source 2.0.1": [latin1, [...node, "@microsoft/fetch-event-source"]],
	"Node 24.9.0": [latin1, [...node, "own"]],
	"undici 8.12.4": [utf8, [...node, "undici"]],
	"Deno 2.9.6": [utf8, [...deno, "own"]],
};
for (const [name, [expected, argv]] of Object.entries(readers)) {
	const found = [await comesBack(argv, "salle-été:7"), await comesBack(argv, "日本:7")];
	console.log(`${name.padEnd(25)} id with "é": ${found[0].padEnd(7)} id with "日": ${found[1]}`);
	assert.deepEqual(found, expected, `${name} is another matter now`);
}
process.exit();
JAVASCRIPT
timeout 120 node find.mjs
echo "as found: four readers of events do not come back behind an id that is beyond Latin-1"
