#!/usr/bin/env bash
# Guess:   a wrapper whose purpose is to reconnect stays away after 1000, which ends a connection in order, and comes
#          back after 1001: "going away" is what a server says that is being restarted (RFC 6455, 7.4.1).
# Truth:   it stays away for good after 1000, 1001 and 1005 alike. 1005 is a Close without a code, which many servers
#          and proxies send when they stop. After any other code it comes back.
# Version: sockette 2.0.6 (npm), with ws 8.23.0 as the `WebSocket` of Node. Source: `onclose` in its only module.
# So:      a server that wants its clients back after a restart names a code of its own (4000–4999) or 1012.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund sockette@2.0.6 ws@8.23.0

cat >find.mjs <<'JAVASCRIPT'
import assert from "node:assert/strict";
import { once } from "node:events";
import { WebSocket, WebSocketServer } from "ws";

globalThis.WebSocket = WebSocket;
const { default: Sockette } = await import("sockette");

/** How often a client connects within two seconds to a server that closes each connection with `code`. */
async function connects(code) {
	let times = 0;
	const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
	await once(server, "listening");
	server.on("connection", (socket) => {
		times += 1;
		socket.close(code);
	});
	const client = new Sockette(`ws://127.0.0.1:${server.address().port}/`, { timeout: 100 });
	await new Promise((resolve) => setTimeout(resolve, 2000));
	client.close();
	server.close();
	return times;
}

for (const [code, comes] of [[1000, false], [1001, false], [undefined, false], [1011, true], [1012, true], [4000, true]]) {
	const times = await connects(code);
	console.log(`closed with ${code ?? "no code (1005)"}: connected ${times === 1 ? "once, and never again" : "again and again"}`);
	assert.equal(times > 1, comes, `${code} is another matter now`);
}
process.exit();
JAVASCRIPT
node find.mjs
echo "as found: sockette 2.0.6 does not come back from a server that says that it is going away"
