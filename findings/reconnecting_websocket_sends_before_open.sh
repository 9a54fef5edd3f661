#!/usr/bin/env bash
# Guess:   a wrapper that reconnects by itself tells `open` first; what the application says there (who it is, where it
#          goes on) reaches the server before anything that was queued while it was away.
# Truth:   what was queued is sent first, and then `open` is told: on each connection after a loss the server hears the
#          queued messages from a stranger, before the login that the application sends in its `open` handler.
# Version: reconnecting-websocket 4.4.0 and its successor partysocket 1.3.0, with ws 8.23.0 (npm).
# Source:  `_handleOpen` in both.
# So:      an application on these holds messages back until the server has greeted it, or limits the queue to nothing
#          (`maxEnqueuedMessages: 0`); the server answers what comes before `hello` with an error instead of hanging up.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-fund --no-audit reconnecting-websocket@4.4.0 partysocket@1.3.0 ws@8.23.0

cat >find.mjs <<'NODE'
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { WebSocket, WebSocketServer } from 'ws';

const require = createRequire(import.meta.url);
const wrappers = { 'reconnecting-websocket': require('reconnecting-websocket'), partysocket: require('partysocket/ws') };
for (const [name, wrapper] of Object.entries(wrappers)) {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const heard = [];
  let connections = 0;
  const all = new Promise((resolve) => server.on('connection', (socket) => {
    const connection = ++connections;
    socket.on('message', (data) => {
      heard.push(`${connection}: ${data}`);
      if (connection === 1) socket.terminate();
      else if (heard.length === 3) resolve();
    });
  }));
  const Wrapper = wrapper.default ?? wrapper;
  const client = new Wrapper(`ws://127.0.0.1:${server.address().port}`, [],
    { WebSocket, minReconnectionDelay: 50, maxReconnectionDelay: 100 });
  client.addEventListener('open', () => client.send('hello, I am ann'));
  client.addEventListener('close', () => client.send('written while away'), { once: true });
  await all;
  console.log(name, heard);
  assert.deepEqual(heard, ['1: hello, I am ann', '2: written while away', '2: hello, I am ann'], 'another order');
  client.close();
  server.close();
}
process.exit();
NODE
node find.mjs
echo "as found: both send what was queued before they tell of the open connection"
