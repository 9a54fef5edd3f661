// One participant of scripts/clients: npm `ws`. See run.py for what a participant does.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import WebSocket from "ws";

const [url, room, name, count, peerList] = process.argv.slice(2);
const wanted = Number(count);
const peers = peerList.split(",");
const jsonPeers = peers.filter((peer) => peer !== "nc");

const fail = (why) => {
  console.error(`ws: ${why}`);
  process.exit(1);
};

const socket = new WebSocket(url, ["chinwag.v1"], { perMessageDeflate: { threshold: 0 } });
const replies = new Map(); // id → resolve
const heard = new Map(peers.map((peer) => [peer, 0])); // peer → how many messages, all in order
const present = new Set();
const typing = new Set();
let lastSeq = 0;
let nextId = 1;
let wake = () => {};

// Rule 7 of the protocol: on one connection a room's seqs, of events and replies together, only rise.
// Nobody is cut here, so none may be left out either.
const advance = (seq) => {
  if (seq !== lastSeq + 1) fail(`seq ${seq} came after ${lastSeq}`);
  lastSeq = seq;
};

const hear = ({ seq, from, text }) => {
  advance(seq);
  const said = /^(\w+) says (\d+)/.exec(text);
  if (!said || said[1] !== from) fail(`a strange message of ${from}: ${text.slice(0, 80)}`);
  if (Number(said[2]) !== heard.get(from)) fail(`${from} said ${said[2]}, expected ${heard.get(from)}`);
  heard.set(from, heard.get(from) + 1);
};

socket.on("message", (data, isBinary) => {
  if (isBinary) fail("a binary message");
  const message = JSON.parse(data);
  if ("ev" in message && "code" in message) fail(`both an event and a reply: ${data}`);
  if (message.code) fail(`refused: ${data}`);
  if ("id" in message) {
    if (message.data?.at !== undefined) advance(message.data.seq);
    replies.get(message.id)(message.data);
  } else if (message.ev === "message") {
    hear(message);
  } else if (message.ev === "replay") {
    // We send faster than we read, so we may be caught up: the same messages, several in one.
    message.items.forEach(hear);
  } else if (message.ev === "gap" || message.ev === "reset") {
    fail(`something was lost: ${data}`);
  } else if (message.ev === "presence") {
    // A change, or after a while behind the whole state.
    message.on?.forEach((user) => present.add(user));
    message.users?.forEach(([user]) => present.add(user));
  } else if (message.ev === "typing") {
    message.users.forEach((user) => typing.add(user));
  }
  wake();
});
socket.on("error", (error) => fail(error.message));
let ending = false;
socket.on("close", (code) => (ending && code === 1000 ? process.exit(0) : fail(`closed with ${code}`)));

const request = (op, fields) =>
  new Promise((resolve) => {
    const id = nextId++;
    replies.set(id, resolve);
    socket.send(JSON.stringify({ op, id, ...fields }));
  });

const until = async (condition) => {
  while (!condition()) await new Promise((resolve) => (wake = resolve));
};

const commands = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const command = async (expected) => {
  const { value } = await commands.next();
  if (value !== expected) fail(`told ${value} instead of ${expected}`);
};

await new Promise((resolve) => socket.once("open", resolve));
await request("hello", { name, agent: "ws" });
lastSeq = (await request("join", { room })).seq;
console.log("joined");

await command("type");
(await request("presence", { room })).users.forEach(([user]) => present.add(user));
socket.send(JSON.stringify({ op: "typing", room }));
await until(() => jsonPeers.every((peer) => typing.has(peer)) && peers.every((peer) => present.has(peer)));
console.log("typed");

await command("go");
const sent = [];
for (let n = 0; n < wanted; n++) {
  // Each tenth is long enough for either side to compress it.
  const text = `${name} says ${n}` + (n % 10 ? "" : " so".repeat(700));
  sent.push(request("send", { room, cid: `${name}-${n}`, text }));
}
await Promise.all(sent);
await until(() => peers.every((peer) => heard.get(peer) === wanted));

const manifest = createRequire(import.meta.url).resolve("ws/package.json");
console.log(
  JSON.stringify({
    library: `npm ws ${JSON.parse(readFileSync(manifest)).version}`,
    sent: wanted,
    heard: Object.fromEntries(heard),
    present: present.size,
    typing: typing.size,
    compressed: socket.extensions.includes("permessage-deflate"),
    subprotocol: socket.protocol,
  }),
);
await command("end");
ending = true;
socket.close(1000);
