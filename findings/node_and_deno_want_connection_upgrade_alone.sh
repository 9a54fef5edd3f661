#!/usr/bin/env bash
# Guess:   `Connection` is a list (RFC 9110, 7.6.1), in which the answer to an upgrade has to have the token `Upgrade`
#          (RFC 6455, 4.1, and the Fetch Standard). `Connection: keep-alive, Upgrade`, as Firefox sends it in its own
#          request, is as good as `Connection: Upgrade`.
# Truth:   Node's `WebSocket` (and undici), Deno's, and npm's `websocket` compare the whole field: each other token, or a
#          second field `Connection`, fails the connection with 1006 (in Deno 0), and no word says why. ws and Bun read it
#          as a list.
# Version: Node 24.9.0 (npm's node), undici 8.12.4, Deno 2.9.6, websocket 1.0.35, ws 8.23.0, Bun 1.4.4, all of npm.
# Source:  `establishWebSocketConnection` in undici's connection.js, whose comment has the standard's words about a token.
# So:      a server, or a proxy that writes the answer anew, sends `Connection: Upgrade` and nothing else in it.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund node@24.9.0 undici@8.12.4 deno@2.9.6 bun@1.4.4 websocket@1.0.35 ws@8.23.0

cat >client.mjs <<'JAVASCRIPT'
import process from "node:process";

const [kind, url] = process.argv.slice(2);
const Client = {
	own: () => WebSocket,
	undici: async () => (await import("undici")).WebSocket,
	websocket: async () => (await import("websocket")).default.w3cwebsocket,
	ws: async () => (await import("ws")).WebSocket,
}[kind];
const client = new (await Client())(url);
client.onerror = () => {};
client.onopen = () => client.close(1000);
client.onclose = ({ code }) => {
	console.log(code);
	process.exit();
};
JAVASCRIPT

cat >find.mjs <<'JAVASCRIPT'
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { promisify } from "node:util";

const run = promisify(execFile);
const bin = (name) => `node_modules/.bin/${name}`;
const clients = {
	"Node 24.9.0": [bin("node"), "client.mjs", "own"],
	"undici 8.12.4": [bin("node"), "client.mjs", "undici"],
	"Deno 2.9.6": [bin("deno"), "run", "--quiet", "--allow-all", "client.mjs", "own"],
	"websocket 1.0.35": [bin("node"), "client.mjs", "websocket"],
	"Bun 1.4.4": [bin("bun"), "client.mjs", "own"],
	"ws 8.23.0": [bin("node"), "client.mjs", "ws"],
};

/** With which code a connection ends that the client closes with 1000, if it opened. */
async function ends(argv, connection) {
	const server = createServer((socket) => {
		socket.on("error", () => {});
		socket.once("data", (head) => {
			const key = /sec-websocket-key: *(\S+)/i.exec(head)[1];
			const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
			socket.write(
				`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n${connection}\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
			);
			socket.once("data", () => socket.end(Buffer.from("880203e8", "hex")));
		});
	});
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	const [command, ...rest] = argv;
	const { stdout } = await run(command, [...rest, `ws://127.0.0.1:${server.address().port}/`], { timeout: 20_000 });
	server.close();
	return Number(stdout);
}

const ALONE = "Connection: upgrade";
const LISTS = ["Connection: keep-alive, Upgrade", "Connection: keep-alive\r\nConnection: Upgrade"];
for (const [name, argv] of Object.entries(clients)) {
	assert.equal(await ends(argv, ALONE), 1000, `${name} does not even take "${ALONE}"`);
	const codes = [];
	for (const connection of LISTS) codes.push(await ends(argv, connection));
	console.log(`${name}: "${LISTS[0]}" ends with ${codes[0]}, two fields with ${codes[1]}`);
	const expected = name.startsWith("ws") || name.startsWith("Bun") ? 1000 : name.startsWith("Deno") ? 0 : 1006;
	assert.deepEqual(codes, [expected, expected], `${name} is another matter now`);
}
process.exit();
JAVASCRIPT
node find.mjs
echo "as found: Node's WebSocket, Deno's and that of npm's websocket take Connection: Upgrade alone"
