import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./fakes.mjs";

const { blocks, inline } = await load("markdown.js");
const people = (name) => (name === "ann" ? "me" : ["bob", "o.k"].includes(name));
const strong = (...of) => ({ tag: "strong", of });
const em = (...of) => ({ tag: "em", of });

for (const [text, expect] of [
	["plain", ["plain"]],
	["**a** *b* _c_ ~~d~~", [strong("a"), " ", em("b"), " ", em("c"), " ", { tag: "s", of: ["d"] }]],
	["**a *b* c**", [strong("a ", em("b"), " c")]],
	["`a *b* @bob`", [{ code: "a *b* @bob" }]],
	["``a ` b``", [{ code: "a ` b" }]],
	// What is not closed, or stands inside a word, is what it is.
	["2 * 3 * 4", ["2 * 3 * 4"]],
	["snake_case_name", ["snake_case_name"]],
	["a_b *c* d_e", ["a_b ", em("c"), " d_e"]],
	["**open", ["**open"]],
	["* a*", ["* a*"]],
	["`open", ["`open"]],
	// Addresses keep their underscores and at-signs.
	["http://a.example/_b_ _c_", ["http://a.example/_b_ ", em("c")]],
	["https://m.example/@bob", ["https://m.example/@bob"]],
	["hi @bob, @Ann and @o.k.", ["hi ", { mention: "bob" }, ", ", { mention: "Ann" }, " and ", { mention: "o.k" }, "."]],
	["me@bob @carol", ["me@bob @carol"]],
	["**@bob**", [strong({ mention: "bob" })]],
	["<b>&amp;</b>", ["<b>&amp;</b>"]],
]) {
	test(`a line is read: ${text}`, () => assert.deepEqual(inline(text, people), expect));
}

for (const [text, expect] of [
	["a\n\nb", [["text", ["a", "", "b"]]]],
	["> a\n> b\nc", [["quote", ["a", "b"]], ["text", ["c"]]]],
	["- a\n- b\n1. c\n2) d", [["points", ["a", "b"]], ["numbers", ["c", "d"]]]],
	["```js\n*a*\n```\nb", [["code", "*a*"], ["text", ["b"]]]],
	["```\na", [["text", ["```", "a"]]]],
	["-a\n>b\n1.c", [["text", ["-a", ">b", "1.c"]]]],
]) {
	test(`a text is read into blocks: ${JSON.stringify(text)}`, () => {
		assert.deepEqual(blocks(text).map(({ kind, lines, text: code }) => [kind, lines ?? code]), expect);
	});
}

test("a text of marks alone has a bounded number of pieces, and nothing of it is lost", () => {
	for (const text of ["*a* ".repeat(4000), "`".repeat(16_000), "**".repeat(8000), "_a ".repeat(5000), "@bob ".repeat(3000), `*${"a".repeat(15_000)}`]) {
		const found = inline(text, people);
		assert.ok(found.length <= 1001, `${found.length} pieces`);
		const written = (part) => (typeof part === "string" ? part : part.code ? `\`${part.code}\`` : part.mention ? `@${part.mention}` : `*${part.of.map(written).join("")}*`);
		assert.equal(found.map(written).join("").replaceAll("*", ""), text.replaceAll("*", ""));
	}
});
