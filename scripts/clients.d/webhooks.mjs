// Verifies webhooks with Standard Webhooks' library: [secret, headers, body] a line, true or false a line.
import { createInterface } from "node:readline";
import { Webhook } from "standardwebhooks";

for await (const line of createInterface({ input: process.stdin })) {
  const [secret, headers, body] = JSON.parse(line);
  let isTaken = true;
  try {
    new Webhook(secret).verify(body, headers);
  } catch {
    isTaken = false;
  }
  console.log(JSON.stringify(isTaken));
}
