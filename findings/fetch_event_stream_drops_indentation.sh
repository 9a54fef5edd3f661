#!/usr/bin/env bash
# Guess:   of the value of a field in an event stream one space is removed, that behind the colon, and nothing else (HTML
#          standard, 9.2.6): `data:     return x` is a line that is indented by four.
# Truth:   fetch-event-stream removes all blanks that a value begins with, tabs too. Text that comes in several `data` lines
#          loses its indentation, and text that comes piece by piece the blanks between the pieces: the words of `data:  world`
#          stick to those before.
# Version: fetch-event-stream 0.1.6 (npm), beside eventsource-parser 4.1.3. Source: `split` in its utils, whose pattern for
#          what is between the colon and the value is `\s*`.
# So:      text goes in JSON, where blanks are inside quotation marks.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund fetch-event-stream@0.1.6 eventsource-parser@4.1.3

cat >find.mjs <<'JAVASCRIPT'
import assert from "node:assert/strict";
import { EventSourceParserStream } from "eventsource-parser/stream";
import { events } from "fetch-event-stream";

const STREAM = "data: def f(x):\ndata:     return x\n\ndata: Hello\n\ndata:  world\n\ndata: \tb\n\n";
const answer = () => new Response(STREAM, { headers: { "Content-Type": "text/event-stream" } });

async function all(stream) {
	const texts = [];
	for await (const { data } of stream) texts.push(data);
	return texts;
}

const other = answer().body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
const right = await all(other);
const read = await all(events(answer()));
console.log("eventsource-parser:", JSON.stringify(right));
console.log("fetch-event-stream:", JSON.stringify(read));
assert.deepEqual(right, ["def f(x):\n    return x", "Hello", " world", "\tb"], "the other one is wrong, too");
assert.deepEqual(read, ["def f(x):\nreturn x", "Hello", "world", "b"], "it is another matter now");
JAVASCRIPT
node find.mjs
echo "as found: fetch-event-stream removes all blanks that the data begins with"
