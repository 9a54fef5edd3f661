#!/usr/bin/env bash
# Guess:   a program of Node that does nothing but read an `EventSource` runs until it closes it: while the stream is open,
#          and while the source waits to come back, which it does by itself (`readyState` is CONNECTING).
# Truth:   the timer of that wait does not keep the process. When the server ends the stream, as at each restart, or the
#          connection breaks, the program ends, with 0 and without a word, before the source has come back.
# Version: eventsource 5.1.5 (npm; 4.1.1 still comes back), undici 8.12.4 (npm), and Node's own in 24.9.0 (npm's node, with
#          --experimental-eventsource). Deno 2.9.6 comes back. Source: `unref()` behind `setTimeout` in EventSource.js of
#          eventsource, and in eventsource.js of undici.
# So:      a program that only reads holds itself by a timer of its own, `setInterval(() => {}, 2 ** 30)`.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund node@24.9.0 undici@8.12.4 deno@2.9.6 eventsource@5.1.5 \
  eventsource-before@npm:eventsource@4.1.1

cat >client.mjs <<'JAVASCRIPT'
import process from "node:process";

const [kind, url, held] = process.argv.slice(2);
const Source = kind === "own" ? EventSource : (await import(kind)).EventSource;
if (held) setInterval(() => {}, 2 ** 30);
new Source(url).onmessage = () => {};
JAVASCRIPT

cat >find.mjs <<'JAVASCRIPT'
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";

const node = ["node_modules/.bin/node", "--no-warnings", "--experimental-eventsource", "client.mjs"];
const deno = ["node_modules/.bin/deno", "run", "--quiet", "--allow-all", "client.mjs"];

/** Whether a program comes back when its stream has ended, or with which code it has ended itself. */
async function comesBack(argv, ...options) {
	let requests = 0;
	const server = createServer((request, response) => {
		response.writeHead(200, { "Content-Type": "text/event-stream" });
		if (requests++ === 0) return response.end("retry: 200\ndata: hello\n\n");
		server.emit("again");
	});
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	const [command, ...rest] = argv;
	const program = spawn(command, [...rest, `http://127.0.0.1:${server.address().port}/`, ...options], { stdio: "inherit" });
	const end = await Promise.race([once(server, "again").then(() => "comes back"), once(program, "exit").then(([code]) => code)]);
	program.kill();
	server.closeAllConnections();
	server.close();
	assert.ok(requests > 0, "it has asked for nothing");
	return end;
}

const programs = {
	"eventsource 5.1.5": [0, [...node, "eventsource"]],
	"eventsource 4.1.1": ["comes back", [...node, "eventsource-before"]],
	"undici 8.12.4": [0, [...node, "undici"]],
	"Node 24.9.0": [0, [...node, "own"]],
	"Deno 2.9.6": ["comes back", [...deno, "own"]],
};
for (const [name, [expected, argv]] of Object.entries(programs)) {
	const end = await comesBack(argv);
	console.log(`${name}: when the stream ends, the program ${end === "comes back" ? end : `ends with ${end}`}`);
	assert.equal(end, expected, `${name} is another matter now`);
	assert.equal(await comesBack(argv, "held"), "comes back", `${name} does not come back, held or not`);
}
process.exit();
JAVASCRIPT
timeout 100 node find.mjs
echo "as found: a program ends while its eventsource 5, or the EventSource of undici and Node, waits to come back"
