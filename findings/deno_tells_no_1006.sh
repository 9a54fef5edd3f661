#!/usr/bin/env bash
# Guess:   a WebSocket that ends without a Close, or never opened, is told with code 1006, as the WebSocket Standard
#          says for browsers and as RFC 6455 (7.1.5) does for libraries; `code === 1006` is how programs know it.
# Truth:   Deno tells it with code 0, whether it was refused, cut or ended; other codes arrive as they were sent, and
#          1005 stands for a Close without one.
# Version: deno 2.9.6 (npm), whose `WebSocket` is its own; ws 8.23.0 serves. Source: `close` events, as printed.
# So:      a client asks `wasClean`, or takes every code that it does not know for a lost connection.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund deno@2.9.6 ws@8.23.0

cat >client.mjs <<'JAVASCRIPT'
const socket = new WebSocket(Deno.args[0]);
socket.onerror = () => {};
socket.onclose = ({ code, wasClean }) => console.log(JSON.stringify({ code, wasClean }));
JAVASCRIPT

cat >find.mjs <<'JAVASCRIPT'
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import { WebSocketServer } from "ws";

const ends = {
	refused: undefined,
	cut: (socket) => socket.terminate(),
	"closed with no code": (socket) => socket.close(),
	"closed with 4000": (socket) => socket.close(4000),
};
const server = new WebSocketServer({
	host: "127.0.0.1",
	port: 0,
	verifyClient: ({ req }) => req.url !== "/refused",
});
await once(server, "listening");
server.on("connection", (socket, { url }) => ends[decodeURIComponent(url.slice(1))](socket));

const deno = ["node_modules/.bin/deno", "run", "--no-config", "--allow-net", "client.mjs"];
for (const [end, told] of [
	["refused", { code: 0, wasClean: false }],
	["cut", { code: 0, wasClean: false }],
	["closed with no code", { code: 1005, wasClean: true }],
	["closed with 4000", { code: 4000, wasClean: true }],
]) {
	const url = `ws://127.0.0.1:${server.address().port}/${encodeURIComponent(end)}`;
	const { stdout } = await promisify(execFile)(deno[0], [...deno.slice(1), url]);
	console.log(`${end}: ${stdout.trim()}`);
	assert.deepEqual(JSON.parse(stdout), told, `${end} is another matter now`);
}
process.exit();
JAVASCRIPT
node find.mjs
echo "as found: deno 2.9.6 tells a connection that was lost with code 0"
