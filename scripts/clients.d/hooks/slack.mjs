// npm `@slack/webhook`. See ../hooks.py for what it does.

import { readFileSync } from "node:fs";
import { IncomingWebhook } from "@slack/webhook";

const hook = new IncomingWebhook(process.argv[2]);
const blocks = [{ type: "section", text: { type: "mrkdwn", text: "disk <https://a.example|sda1> & more" } }];
const { text } = await hook.send({ text: "npm @slack/webhook", username: "somebody", channel: "#elsewhere", blocks });
if (text !== "ok") throw new Error(`answered with ${text}`);
const refusal = await hook.send({}).catch((error) => error.message);
if (!`${refusal}`.includes("400")) throw new Error(`what says nothing is answered with ${refusal}`);
const manifest = new URL("../node_modules/@slack/webhook/package.json", import.meta.url);
console.log(`npm @slack/webhook ${JSON.parse(readFileSync(manifest)).version}`);
