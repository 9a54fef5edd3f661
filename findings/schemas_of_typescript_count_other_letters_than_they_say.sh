#!/usr/bin/env bash
# Guess:   a library that writes its types as JSON Schema means the same by them: what its own check takes, a validator takes
#          by the schema that it wrote. `maxLength` counts characters as JSON does (JSON Schema 2020-12, 6.3.1; RFC 8259), which
#          are code points: "👋👋👋" has three.
# Truth:   TypeBox 0.34, Valibot, ArkType and Zod until 4.1 count units of UTF-16, of which these are six, and write their
#          bound as `maxLength` unchanged: what a form on their side refuses, ajv and each server in another language take
#          by the very schema, and what their `minLength` takes is too short there. TypeBox 1 and Zod 4.6 count code points,
#          so that an update changes what is valid.
# Version: @sinclair/typebox 0.34.52, typebox 1.4.3, valibot 1.5.0 with @valibot/to-json-schema 1.8.0, arktype 2.2.10, zod 4.1.12
#          and 4.6.7, ajv 8.20.0 (npm), Node 24.9.0 (npm's node). Source: seen, as printed; `codePointLength` in Zod's util.js.
# So:      a bound that both sides have to agree on is checked by a validator of JSON Schema on both, or in bytes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund node@24.9.0 @sinclair/typebox@0.34.52 typebox@1.4.3 valibot@1.5.0 \
  @valibot/to-json-schema@1.8.0 arktype@2.2.10 zod41@npm:zod@4.1.12 zod46@npm:zod@4.6.7 ajv@8.20.0

cat >find.mjs <<'JAVASCRIPT'
import assert from "node:assert/strict";
import { Type as OldType } from "@sinclair/typebox";
import { Value as OldValue } from "@sinclair/typebox/value";
import { toJsonSchema } from "@valibot/to-json-schema";
import Ajv from "ajv/dist/2020.js";
import { type } from "arktype";
import { Type } from "typebox";
import { Value } from "typebox/value";
import * as valibot from "valibot";
import { z as z41 } from "zod41";
import { z as z46 } from "zod46";

const TEXT = "👋👋👋";
const old = OldType.String({ maxLength: 3 });
const current = Type.String({ maxLength: 3 });
const ofValibot = valibot.pipe(valibot.string(), valibot.maxLength(3));
const ofArkType = type("string <= 3");

/** What each of them says of a text, and the schema that it writes. */
const libraries = {
	"TypeBox 0.34": [(text) => OldValue.Check(old, text), old],
	Valibot: [(text) => valibot.is(ofValibot, text), toJsonSchema(ofValibot)],
	ArkType: [(text) => ofArkType.allows(text), ofArkType.toJsonSchema()],
	"Zod 4.1": [(text) => z41.string().max(3).safeParse(text).success, z41.toJSONSchema(z41.string().max(3))],
	"TypeBox 1": [(text) => Value.Check(current, text), current],
	"Zod 4.6": [(text) => z46.string().max(3).safeParse(text).success, z46.toJSONSchema(z46.string().max(3))],
};
const differ = [];
for (const [name, [check, { type: kind, maxLength }]] of Object.entries(libraries)) {
	assert.deepEqual([kind, maxLength], ["string", 3]);
	assert.ok(check("abc") && !check("abcd"));
	const byAjv = new Ajv().validate({ type: kind, maxLength }, TEXT);
	console.log(`${name.padEnd(13)} itself: ${String(check(TEXT)).padEnd(6)} ajv, by its maxLength ${maxLength}: ${byAjv}`);
	if (check(TEXT) !== byAjv) differ.push(name);
}
assert.deepEqual(differ, ["TypeBox 0.34", "Valibot", "ArkType", "Zod 4.1"], "others count otherwise now");
JAVASCRIPT
timeout 60 node_modules/.bin/node --no-warnings find.mjs
echo "as found: TypeBox 0.34, Valibot, ArkType and Zod 4.1 count units of UTF-16 and write them as maxLength"
