// npm `event-source-polyfill`, which says in the query where it was. See ../events.py for what it does.

import { readFileSync } from "node:fs";

globalThis.window = globalThis;
const { EventSourcePolyfill } = (await import("event-source-polyfill")).default;
const [url, count] = process.argv.slice(2);
const manifest = new URL("../node_modules/event-source-polyfill/package.json", import.meta.url);
let heard = 0;
let lost = 0;
const source = new EventSourcePolyfill(url);
source.onerror = ({ status }) => {
  if (status) throw new Error(`answered with ${status}`);
  lost += 1;
};
source.onmessage = ({ data, lastEventId }) => {
  const { seq, data: extra } = JSON.parse(data);
  if (!lastEventId.endsWith(`:${seq}`)) throw new Error(`${lastEventId} is not behind ${seq}`);
  console.log(JSON.stringify([seq, extra]));
  if (++heard < Number(count)) return;
  console.log(`npm event-source-polyfill ${JSON.parse(readFileSync(manifest)).version}, cut off ${lost} times`);
  source.close();
  process.exit();
};
