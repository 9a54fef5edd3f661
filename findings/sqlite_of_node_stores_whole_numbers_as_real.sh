#!/usr/bin/env bash
# Guess:   a whole number that a program binds is INTEGER in SQLite, in each of JavaScript's bindings: `5` is 5 in
#          `json_object`, in a text that is joined with `||`, and in `5 / 2`, which is 2.
# Truth:   Node's own `node:sqlite`, Deno's of the same name and libsql bind each number as REAL: `{"seq":5.0}`, `room:5.0`,
#          2.5. Bun's `bun:sqlite` binds INTEGER, also beyond 32 bits; sql.js does within 32 bits, and binds a time in
#          milliseconds as REAL. A column that is declared INTEGER hides it, as its affinity makes 5.0 to 5; an expression,
#          a column without a type and one of JSON show it. A BigInt is INTEGER.
# Version: Node 24.9.0 (npm's node), deno 2.9.6, libsql 0.5.29, bun 1.4.4, sql.js 1.17.0 (npm). Source: seen, as printed.
# So:      a number that is not stored in a column of type INTEGER is bound as a BigInt, or says `cast(? as integer)`.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund node@24.9.0 deno@2.9.6 libsql@0.5.29 bun@1.4.4 sql.js@1.17.0

cat >find.mjs <<'JAVASCRIPT'
import assert from "node:assert/strict";
import process from "node:process";

const QUERY = "select typeof(?1), json_object('seq', ?1), 'room:' || ?1, ?1 / 2";
const TIME = 1_763_700_000_123;

/** A function that executes the query with one parameter, by the binding of that name. */
async function binding(name) {
	if (name === "bun") {
		const { Database } = await import("bun:sqlite");
		return (value) => Object.values(new Database(":memory:").query(QUERY).get(value));
	}
	if (name === "sql.js") {
		const { Database } = await (await import("sql.js")).default();
		return (value) => new Database().exec(QUERY, { "?1": value })[0].values[0];
	}
	if (name === "libsql") {
		const Database = (await import("libsql")).default;
		return (value) => new Database(":memory:").prepare(QUERY).raw().get(value);
	}
	const { DatabaseSync } = await import("node:sqlite");
	return (value) => Object.values(new DatabaseSync(":memory:").prepare(QUERY).get(value));
}

const real = ["real", '{"seq":5.0}', "room:5.0", 2.5];
const integer = ["integer", '{"seq":5}', "room:5", 2];
const expected = {
	node: [real, "real"],
	deno: [real, "real"],
	libsql: [real, "real"],
	bun: [integer, "integer"],
	"sql.js": [integer, "real"],
};
const name = process.argv[2];
const query = await binding(name);
const five = query(5);
const time = query(TIME)[0];
console.log(`${name.padEnd(8)} 5: ${five.join(" ").padEnd(34)} milliseconds: ${time}`);
assert.deepEqual([five, time], expected[name], `${name} binds otherwise now`);
if (name === "node" || name === "deno") assert.deepEqual(query(5n), integer, "a BigInt is another matter now");
JAVASCRIPT
for name in node libsql sql.js; do node_modules/.bin/node --no-warnings find.mjs "$name"; done
node_modules/.bin/deno run --quiet --allow-all find.mjs deno
node_modules/.bin/bun find.mjs bun
echo "as found: node:sqlite and libsql bind each number as REAL, bun:sqlite and sql.js do not"
