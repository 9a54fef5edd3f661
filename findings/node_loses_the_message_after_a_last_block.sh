#!/usr/bin/env bash
# Guess:   a WebSocket that has agreed on compression reads what RFC 7692 shows as its own examples, one message after the
#          other: "Hello" in a block that is the last of its stream (BFINAL, 7.2.3.4), and then "Hello" once more.
# Truth:   Node's `WebSocket` reads the first one. Each later compressed message arrives as an empty text, without an
#          error, until the connection ends: its one inflater takes nothing more after a last block, and says nothing.
#          `server_no_context_takeover` changes nothing. Messages that are not compressed still arrive.
# Version: Node 24.9.0 (npm's node), and undici 8.12.4 (npm), which newer ones have. ws 8.23.0 and Bun 1.4.4 read it right.
# Source:  `decompress` in undici's permessage-deflate.js; RFC 7692, 7.2.3.1 and 7.2.3.4, whose bytes are used below.
# So:      a server ends a compressed message by a sync flush and never by a last block, although it may.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund node@24.9.0 undici@8.12.4 ws@8.23.0

cat >find.mjs <<'JAVASCRIPT'
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { WebSocket as Undici } from "undici";
import { WebSocket as Ws } from "ws";

// "Hello" as in RFC 7692: by a flush (7.2.3.1), in a last block (7.2.3.4); and not compressed.
const flushed = "c107f248cdc9c90700";
const last = "c108f348cdc9c9070000";
const plain = "810548656c6c6f";
const end = "880203e8";

/** What a client hears of these frames. */
async function heard(Client, ...frames) {
	const server = createServer((socket) => {
		socket.once("data", (head) => {
			const key = /sec-websocket-key: *(\S+)/i.exec(head)[1];
			const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
			socket.write(
				"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
					`Sec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n\r\n`,
			);
			socket.write(Buffer.from([...frames, end].join(""), "hex"));
			socket.once("data", () => socket.end());
		});
		socket.on("error", () => {});
	});
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	const texts = [];
	const client = new Client(`ws://127.0.0.1:${server.address().port}/`);
	client.onmessage = ({ data }) => texts.push(data);
	const { code } = await new Promise((resolve) => (client.onclose = resolve));
	server.close();
	return [...texts, code];
}

const clients = { [`Node ${process.versions.node}`]: WebSocket, "undici 8.12.4": Undici, "ws 8.23.0": Ws };
for (const [name, Client] of Object.entries(clients)) {
	const right = Client === Ws;
	const said = await heard(Client, flushed, last, flushed, flushed, plain);
	console.log(`${name}: of five times "Hello", the second in a last block, it heard ${JSON.stringify(said)}`);
	assert.deepEqual(await heard(Client, flushed, flushed), ["Hello", "Hello", 1000], "not even flushed ones arrive");
	const later = right ? "Hello" : "";
	assert.deepEqual(said, ["Hello", "Hello", later, later, "Hello", 1000], "it is another matter now");
}
process.exit();
JAVASCRIPT
node_modules/.bin/node find.mjs
echo "as found: Node's WebSocket reads an empty text for each compressed message after one that ended with a last block"
