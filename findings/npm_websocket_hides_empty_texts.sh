#!/usr/bin/env bash
# Guess:   the `w3cwebsocket` of npm's websocket tells what the interface of browsers tells: each message, also an empty
#          text; of a Close the code and the reason, 1005 where it has none, and 1006 only for a line that was lost.
# Truth:   an empty text is no message: it asks whether the text is true. A Close without a code is told as 1006, like a
#          lost line, and a reason of one byte as none.
# Version: websocket 1.0.35 (npm); ws 8.23.0 serves, and is the other client. Source: `onMessage` in W3CWebSocket.js,
#          CLOSE frames in WebSocketConnection.js.
# So:      a protocol on top has no message that is empty, and its Close has a code and words.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund websocket@1.0.35 ws@8.23.0

cat >find.mjs <<'JAVASCRIPT'
import assert from "node:assert/strict";
import { once } from "node:events";
import websocket from "websocket";
import { WebSocket as Ws, WebSocketServer } from "ws";

/** What a client tells of two texts, the first of which is empty, and of the Close. */
async function told(Client, ...close) {
	const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
	await once(server, "listening");
	server.on("connection", (socket) => {
		socket.send("");
		socket.send("text");
		socket.close(...close);
	});
	const client = new Client(`ws://127.0.0.1:${server.address().port}/`);
	const texts = [];
	client.onmessage = ({ data }) => texts.push(data);
	const { code, reason } = await new Promise((resolve) => (client.onclose = resolve));
	server.close();
	return { texts, code, reason };
}

for (const [close, texts, code, reason] of [
	[[], ["text"], 1006, "Connection dropped by remote peer."],
	[[4000, "x"], ["text"], 4000, ""],
	[[4000, "later"], ["text"], 4000, "later"],
]) {
	const right = await told(Ws, ...close);
	const found = await told(websocket.w3cwebsocket, ...close);
	console.log(`closed with ${JSON.stringify(close)}: ws tells ${JSON.stringify(right)}, websocket ${JSON.stringify(found)}`);
	assert.deepEqual(right, { texts: ["", "text"], code: close[0] ?? 1005, reason: close[1] ?? "" }, "the server is at fault");
	assert.deepEqual(found, { texts, code, reason }, "it is another matter now");
}
process.exit();
JAVASCRIPT
timeout 60 node find.mjs
echo "as found: npm's websocket tells of no empty text, and of a Close without a code as of a lost line"
