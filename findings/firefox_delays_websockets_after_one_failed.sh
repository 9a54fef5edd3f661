#!/usr/bin/env bash
# Guess:   `new WebSocket(url)` connects at once. How long a page waits after an attempt that failed is the page's matter,
#          which is why every wrapper has a backoff of its own.
# Truth:   Firefox waits too, without a word: after each attempt that failed the next one to the same host, port and path
#          (whatever its query) stays in CONNECTING for a while before anything is sent, half as long again each time, up to
#          a minute. It waits also when the server is back, and on top of the page's own backoff. `fetch` to the same server
#          and a WebSocket of another path go at once. Chromium fails twelve times in well under a second.
# Version: Debian's firefox-esr 153.8.0, by playwright-core 1.64.1 over WebDriver BiDi. Source: seen, as printed below;
#          `nsWSAdmissionManager` and `FailDelay` in netwerk/protocol/websocket/WebSocketChannel.cpp.
# So:      a page asks by `fetch` whether the server is there before it opens a WebSocket again, and a deadline for
#          CONNECTING that is shorter than a minute ends attempts that were never made.
set -euo pipefail

firefox=${FIREFOX:-/usr/bin/firefox-esr}
[ -x "$firefox" ] && command -v npm >/dev/null || {
  echo "error: install firefox-esr, nodejs and npm of Debian 12" >&2
  exit 1
}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"$firefox" --version
npm install --silent --no-audit --no-fund playwright-core@1.64.1 >/dev/null

cat >find.mjs <<'JAVASCRIPT'
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { firefox } from "playwright-core";

const listen = async (answer) => {
	const server = createServer(answer);
	await new Promise((done) => server.listen(0, "127.0.0.1", done));
	return server;
};
const own = await listen((_, response) => response.writeHead(200, { "Content-Type": "text/html" }).end("<title>a page</title>"));
// It answers, and takes no WebSocket: each attempt fails, and nothing is broken.
const other = await listen((_, response) => response.writeHead(404, { "Access-Control-Allow-Origin": "*" }).end());
const browser = await firefox.launch({ channel: "moz-firefox", executablePath: process.argv[2] });
const page = await browser.newPage();
await page.goto(`http://127.0.0.1:${own.address().port}/`);
const seen = await page.evaluate(async (host) => {
	const time = async (run) => {
		const start = performance.now();
		await run();
		return Math.round(performance.now() - start);
	};
	const attempt = (path) => time(() => new Promise((done) => (new WebSocket(`ws://${host}${path}`).onclose = done)));
	const same = [];
	for (let times = 0; times < 8; times += 1) same.push(await attempt("/ws"));
	const fetched = await time(() => fetch(`http://${host}/ws`));
	return { same, fetched, elsewhere: await attempt("/other"), query: await attempt("/ws?again") };
}, `127.0.0.1:${other.address().port}`);
await browser.close();
own.close();
other.close();

console.log("eight attempts, ms:            ", seen.same.join(" "));
console.log("then a fetch of the same, ms:  ", seen.fetched);
console.log("a WebSocket of another path, ms:", seen.elsewhere);
console.log("the same path with a query, ms:", seen.query);
assert.ok(seen.same[7] > 2500 && seen.same[7] > 4 * seen.same[1], "Firefox delays less now");
assert.ok(seen.query > 2500, "a query makes it another path now");
assert.ok(seen.fetched < 1000 && seen.elsewhere < 1000, "others are delayed as well now");
JAVASCRIPT
node find.mjs "$firefox"
echo "as found: each WebSocket that fails makes Firefox delay the next one, silently"
