// npm `eventsource`, which comes back by itself where it was. See ../events.py for what it does.

import { readFileSync } from "node:fs";
import { EventSource } from "eventsource";

const [url, count] = process.argv.slice(2);
const manifest = new URL("../node_modules/eventsource/package.json", import.meta.url);
let heard = 0;
let lost = 0;
const source = new EventSource(url);
source.onerror = ({ code, message }) => {
  if (code !== undefined) throw new Error(`${code} ${message}`);
  lost += 1;
};
source.onmessage = ({ data, lastEventId }) => {
  const { seq, data: extra } = JSON.parse(data);
  if (!lastEventId.endsWith(`:${seq}`)) throw new Error(`${lastEventId} is not behind ${seq}`);
  console.log(JSON.stringify([seq, extra]));
  if (++heard < Number(count)) return;
  console.log(`npm eventsource ${JSON.parse(readFileSync(manifest)).version}, cut off ${lost} times`);
  source.close();
};
