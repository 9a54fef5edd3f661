// npm `undici`, whose WebSocket is that of Node 22 and later. See ../others.py for what it does.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { WebSocket } from "undici";

const [url, room, name, count] = process.argv.slice(2);
const line = new WebSocket(url, ["chinwag.v1"]);
const say = (request) => line.send(JSON.stringify(request));
const fail = (why) => {
  console.error(`undici: ${why}`);
  process.exit(1);
};
let said = 0;
line.onopen = () => say({ op: "hello", id: "h", name });
line.onerror = (event) => fail(event.message);
line.onclose = (event) => event.code === 1000 || fail(`closed with ${event.code}`);
line.onmessage = ({ data }) => {
  const message = JSON.parse(data);
  if (message.code) fail(data);
  if (message.id === "h") say({ op: "join", id: "j", room });
  else if (message.id && said < Number(count)) say({ op: "send", id: "s", room, text: `undici ${said++}` });
  else if (message.text === `good bye ${name}`) {
    const manifest = createRequire(import.meta.url).resolve("undici/package.json");
    console.log(`undici ${JSON.parse(readFileSync(manifest)).version}`);
    line.close(1000);
  }
};
