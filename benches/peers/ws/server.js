// The smallest room server on npm `ws`: `/room/N` joins, each message goes to everyone in the room.
//
//   node server.js [--port N]
//
// Node raises its descriptor limit to the hard one by itself.

import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { WebSocketServer } from "ws";

const { values } = parseArgs({ options: { port: { type: "string", default: "0" } } });
const http = createServer();
const server = new WebSocketServer({ server: http, perMessageDeflate: false, clientTracking: false });
const rooms = new Map();

server.on("connection", (socket, request) => {
  const name = request.url;
  const room = rooms.get(name) ?? new Set();
  rooms.set(name, room.add(socket));
  socket.on("message", (data, binary) => {
    for (const member of room) member.send(data, { binary });
  });
  socket.on("close", () => {
    room.delete(socket);
    if (room.size === 0 && rooms.get(name) === room) rooms.delete(name);
  });
  socket.on("error", () => socket.terminate());
});

http.listen({ port: Number(values.port), host: "127.0.0.1", backlog: 4096 }, () => {
  const { address, port } = http.address();
  console.log(`listening ${address}:${port}`);
});
process.on("SIGTERM", () => process.exit(0));
