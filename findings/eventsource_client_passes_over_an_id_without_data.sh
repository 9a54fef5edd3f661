#!/usr/bin/env bash
# Guess:   `id: 7` and an empty line, without data, moves the position of who reads an event stream: no event is
#          dispatched, but "the last event ID string" is set (HTML standard, 9.2.6), and the next request says
#          `Last-Event-ID: 7`. A server says so how far it has come past what this reader is not shown.
# Truth:   eventsource-client, npm's launchdarkly-eventsource and Python's of the same name come back to the last event that
#          had data: after each break all of what was passed over is asked for again. eventsource-parser, below the first of
#          them, tells its callers of no such id either. npm's eventsource, by the same authors, does as the standard says.
# Version: eventsource-client 1.2.0 with eventsource-parser 3.1.1, launchdarkly-eventsource 2.2.0, eventsource 5.1.5 (npm);
#          launchdarkly-eventsource 1.7.4 (PyPI). Source: the second request of each; `onEvent` of eventsource-client reads
#          `msg.id`.
# So:      a server that moves a reader's position does it by an event with data, which pages may pass over.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund eventsource-client@1.2.0 eventsource-parser@3.1.1 eventsource@5.1.5 \
  launchdarkly-eventsource@2.2.0
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check launchdarkly-eventsource==1.7.4

cat >read.py <<'PYTHON'
import sys
from ld_eventsource import SSEClient
from ld_eventsource.config import ErrorStrategy

for _ in SSEClient(sys.argv[1], error_strategy=ErrorStrategy.always_continue()).all:
    pass
PYTHON

cat >find.mjs <<'JAVASCRIPT'
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { EventSource } from "eventsource";
import { createEventSource } from "eventsource-client";
import LaunchDarkly from "launchdarkly-eventsource";

/** The position that the second request says, after a stream of an event 1 with data and an id 7 without. */
async function comesBackTo(read) {
	let requests = 0;
	const server = createServer((request, response) => {
		response.writeHead(200, { "Content-Type": "text/event-stream" });
		if (requests++ === 0) return response.end("retry: 100\n\nid: 1\ndata: hello\n\nid: 7\n\n");
		server.emit("again", request.headers["last-event-id"]);
	});
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	const end = read(`http://127.0.0.1:${server.address().port}/`);
	const [position] = await once(server, "again");
	end();
	server.closeAllConnections();
	server.close();
	return position;
}

const closes = (source) => () => source.close();
const readers = {
	"eventsource 5.1.5": ["7", (url) => closes(new EventSource(url))],
	"launchdarkly-eventsource 2.2.0 (npm)": ["1", (url) => closes(new LaunchDarkly.EventSource(url))],
	"eventsource-client 1.2.0": ["1", (url) => closes(createEventSource({ url }))],
	"launchdarkly-eventsource 1.7.4 (PyPI)": ["1", (url) => {
		const program = spawn("venv/bin/python", ["read.py", url], { stdio: "ignore" });
		return () => program.kill();
	}],
};
for (const [name, [expected, read]] of Object.entries(readers)) {
	const position = await comesBackTo(read);
	console.log(`${name}: after "id: 7" without data it comes back with Last-Event-ID: ${position}`);
	assert.equal(position, expected, `${name} is another matter now`);
}
process.exit();
JAVASCRIPT
timeout 60 node find.mjs
echo "as found: eventsource-client and launchdarkly-eventsource (npm, PyPI) stay at the last event that had data"
