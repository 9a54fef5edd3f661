#!/usr/bin/env bash
# Guess:   `new Webhook(secret).verify(body, request.headers)` takes the headers of a request, whichever kind of request that
#          is: in Bun, Deno and Next.js they are the `Headers` of fetch, whose names are lower case already.
# Truth:   it takes only a plain object. Of `Headers`, whose fields are no properties, `Object.keys` finds none, and the
#          error says "Missing required headers" of a request that has them all. TypeScript sees it; JavaScript, and whoever
#          has written `as any` there, is sent to look at the sender. The headers of Node's own requests are an object.
# Version: standardwebhooks 1.1.1, svix 1.99.1 (npm), Node 24.9.0 (npm's node). Source: `verify` in dist/index.js.
# So:      `verify(body, Object.fromEntries(request.headers))`.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund node@24.9.0 standardwebhooks@1.1.1 svix@1.99.1

cat >find.mjs <<'JAVASCRIPT'
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import * as standard from "standardwebhooks";
import * as svix from "svix";

const SECRET = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;
const BODY = '{"text":"hello"}';
const now = new Date();
const signed = {
	"webhook-id": "msg_1",
	"webhook-timestamp": String(Math.floor(now / 1000)),
	"webhook-signature": new standard.Webhook(SECRET).sign("msg_1", now, BODY),
};
const request = new Request("http://127.0.0.1/", { method: "POST", body: BODY, headers: signed });
const server = createServer((incoming, response) => {
	server.emit("heard", incoming.headers);
	response.end();
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
fetch(`http://127.0.0.1:${server.address().port}/`, { method: "POST", body: BODY, headers: signed });
const [headers] = await once(server, "heard");
server.close();

const kinds = {
	"Headers of fetch": request.headers,
	"an object made of them": Object.fromEntries(request.headers),
	"headers of Node's request": headers,
};
for (const [library, { Webhook }] of Object.entries({ standardwebhooks: standard, svix })) {
	for (const [kind, given] of Object.entries(kinds)) {
		let end = "verified";
		try {
			new Webhook(SECRET).verify(BODY, given);
		} catch (error) {
			end = error.message;
		}
		console.log(`${library.padEnd(17)} ${kind.padEnd(26)} ${end}`);
		const expected = given instanceof Headers ? "Missing required headers" : "verified";
		assert.equal(end, expected, "it is another matter now");
	}
}
JAVASCRIPT
timeout 60 node_modules/.bin/node --no-warnings find.mjs
echo "as found: standardwebhooks 1.1.1 and svix 1.99.1 find nothing in the Headers of fetch"
