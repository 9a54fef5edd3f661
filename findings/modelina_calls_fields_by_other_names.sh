#!/usr/bin/env bash
# Guess:   the types that Modelina, AsyncAPI's own generator, makes of a JSON Schema are those of the JSON: `reply_to` and
#          `text` are called so, and `JSON.stringify` of such an object is a message of the schema.
# Truth:   by default TypeScript gets classes with private fields: `text` is `reservedText`, `reply_to` is `replyTo`, and
#          `JSON.stringify` writes `_reservedText`. `modelType: "interface"` has the same other names, so that what comes from
#          `JSON.parse` is said to have the type and has none of its fields; the compiler says nothing, as they are
#          optional. Only with `rawPropertyNames: true` beside it are they the schema's.
# Version: @asyncapi/modelina 5.10.1 (npm), Node 24.9.0 (npm's node), which runs what was made. Source: what is generated, as
#          printed; the reserved words in Constants.js of its JavaScript generator, which has names of browsers, too.
# So:      `new TypeScriptGenerator({ modelType: "interface", rawPropertyNames: true })`.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund @asyncapi/modelina@5.10.1 node@24.9.0

cat >find.cjs <<'JAVASCRIPT'
const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const { writeFileSync } = require("node:fs");
const { TypeScriptGenerator } = require("@asyncapi/modelina");

const SCHEMA = {
	$schema: "http://json-schema.org/draft-07/schema#",
	title: "Send",
	type: "object",
	properties: { text: { type: "string" }, reply_to: { type: "integer" } },
	additionalProperties: false,
};

const make = async (options) => (await new TypeScriptGenerator(options).generate(SCHEMA))[0].result;

/** The names of the fields of an interface. */
const fields = (source) => [...source.matchAll(/^ +'?(\w+)'?\?:/gm)].map(([, name]) => name);

(async () => {
	const program = `${await make()}\nconsole.log(JSON.stringify(new Send({ reservedText: "hello", replyTo: 7 })));\n`;
	writeFileSync("send.ts", program);
	const written = execFileSync("node_modules/.bin/node", ["--no-warnings", "send.ts"], { encoding: "utf8" }).trim();
	const plain = fields(await make({ modelType: "interface" }));
	const raw = fields(await make({ modelType: "interface", rawPropertyNames: true }));
	console.log("the schema:                        text, reply_to");
	console.log("JSON of an object of the class:   ", written);
	console.log("fields of the interface:          ", plain.join(", "));
	console.log("the same with rawPropertyNames:   ", raw.join(", "));
	assert.equal(written, '{"_reservedText":"hello","_replyTo":7}', "the class is another matter now");
	assert.deepEqual(plain, ["reservedText", "replyTo"], "the interface has other names now");
	assert.deepEqual(raw, ["text", "reply_to"]);
})();
JAVASCRIPT
node find.cjs
echo "as found: Modelina 5.10.1 calls fields by other names than the JSON has"
