#!/usr/bin/env bash
# Guess:   what a CloudEvent says is the same in each of its two forms over HTTP: a `subject` of "Größe 5 €" is JSON in the
#          structured one, and percent-encoded in the header `ce-subject` of the binary one ("MUST", HTTP protocol binding
#          1.0.2, 3.1.3.2), where the SDK reads and writes it as it is.
# Truth:   npm's cloudevents and the `cloudevents.v1` of PyPI's do neither: who reads gets "Gr%C3%B6%C3%9Fe%205%20%E2%82%AC" as
#          the subject, and what they write is no header: `fetch` throws for the "€", and Python's http.client sends
#          Latin-1 or raises. The `cloudevents.core` beside it, new with 2.0, does as the binding says, so that the same
#          subject has two spellings within one package. ASCII without blanks, quotation marks and "%" is the same in all.
# Version: cloudevents 10.0.0 (npm), Node 24.9.0 (npm's node), cloudevents 2.2.0 (PyPI). Source: the parsers in npm's
#          message/http/headers.js; `_to_http` in v1/conversion.py, beside `_CE_SAFE_CHARS` in core/bindings/http.py.
# So:      events go in the structured form, or have nothing but ASCII in what becomes a header.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund node@24.9.0 cloudevents@10.0.0
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check cloudevents==2.2.0

cat >find.mjs <<'JAVASCRIPT'
import assert from "node:assert/strict";
import { CloudEvent, HTTP } from "cloudevents";

const SUBJECT = "Größe 5 €";
const headers = { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/chat", "ce-type": "said" };
const read = HTTP.toEvent({ headers: { ...headers, "ce-subject": encodeURIComponent(SUBJECT) }, body: "" }).subject;
const event = new CloudEvent({ type: "said", source: "/chat", subject: SUBJECT });
const written = HTTP.binary(event).headers;
let sent = "sent";
try {
	new Headers(written);
} catch (error) {
	sent = error.message;
}
const structured = HTTP.toEvent(HTTP.structured(event)).subject;
console.log(`npm, structured:      ${structured}`);
console.log(`npm, read:            ${read}`);
console.log(`npm, written:         ${written["ce-subject"]}: ${sent}`);
assert.equal(structured, SUBJECT);
assert.equal(read, encodeURIComponent(SUBJECT), "headers are decoded now");
assert.equal(written["ce-subject"], SUBJECT, "headers are encoded now");
assert.match(sent, /greater than 255/);
JAVASCRIPT

cat >find.py <<'PYTHON'
import warnings
from urllib.parse import quote
from cloudevents.core.bindings import http as core
from cloudevents.v1 import http as v1

warnings.simplefilter("ignore")
SUBJECT = "Größe 5 €"
PLAIN = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/chat", "ce-type": "said"}
headers = PLAIN | {"ce-subject": quote(SUBJECT)}

read = v1.from_http(headers, b"")["subject"]
written = v1.to_binary(v1.CloudEvent({"type": "said", "source": "/chat", "subject": SUBJECT}, b""))[0]["ce-subject"]
by_core = core.from_http_event(core.HTTPMessage(headers, b""))
again = core.to_binary_event(by_core).headers["ce-subject"]
print(f"PyPI's v1, read:      {read}\nPyPI's v1, written:   {written}")
print(f"PyPI's core, read:    {by_core.get_subject()}\nPyPI's core, written: {again}")
assert (read, written) == (quote(SUBJECT), SUBJECT), "cloudevents.v1 does as the binding says now"
assert by_core.get_subject() == SUBJECT and again == quote(SUBJECT), "cloudevents.core is another matter now"
PYTHON
timeout 60 node_modules/.bin/node --no-warnings find.mjs
timeout 60 venv/bin/python find.py
echo "as found: cloudevents 10.0.0 of npm and the v1 of PyPI's 2.2.0 leave percent-encoded headers as they are"
