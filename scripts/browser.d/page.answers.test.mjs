import assert from "node:assert/strict";
import { test } from "node:test";
import { assertAccessible, enter, holds, opened, picture, say, server, shows, visit } from "./page.mjs";
import { Member, until } from "./surroundings.mjs";

const last = (page) => page.locator("#messages > .msg").last();

test("a message is answered by its menu or by a key, and the line above the answer leads to it", async () => {
	const [ann, bob] = await Promise.all([enter("ann", "answers"), enter("bob", "answers")]);
	await say(ann, "who brings the cake?");
	await shows(bob, "who brings the cake?");
	await last(bob).hover();
	await bob.getByRole("button", { name: "Answer" }).click();
	await holds(bob, () => /^Answering .ann.: who brings/.test(document.querySelector("#editing-text").textContent));
	await say(bob, "I do");
	await shows(ann, "I do");
	await holds(ann, () => document.querySelector(".quoted")?.textContent === "\u2068ann\u2069who brings the cake?");
	assert.equal(await bob.locator("#editing").isHidden(), true);

	// By the key, and taken back by another.
	await last(ann).focus();
	await ann.keyboard.press("r");
	await holds(ann, () => /^Answering .bob.: I do/.test(document.querySelector("#editing-text").textContent));
	await ann.keyboard.press("Escape");
	await say(ann, "no answer");
	await shows(bob, "no answer");
	assert.equal(await last(bob).locator(".quoted").count(), 0);

	// What is answered has scrolled away, and is asked for by who comes now.
	const eve = await Member.connect(server.tcp, "eve");
	await eve.join("answers");
	for (let line = 0; line < 130; line += 1) await eve.say("answers", `line ${line}`);
	await eve.ask("send", { room: "answers", text: "late", reply_to: 1 });
	const cyd = await enter("cyd", "answers");
	await shows(cyd, "late");
	await holds(cyd, () => [...document.querySelectorAll(".quoted")].at(-1)?.textContent === "\u2068ann\u2069who brings the cake?");
	await last(cyd).locator(".quoted").click();
	await holds(cyd, () => document.querySelector("#messages .sought .text")?.textContent === "who brings the cake?");
	await assertAccessible(cyd, "answers");

	// A deleted message is not quoted.
	await ann.evaluate(() => document.querySelector("#log").scrollTo(0, 0));
	await until("the first message", async () => (await ann.locator("#messages > .msg", { hasText: "who brings" }).count()) > 0);
	const first = ann.locator("#messages > .msg").first();
	await first.focus();
	await first.hover();
	await ann.getByRole("button", { name: "Delete" }).click();
	await ann.getByRole("button", { name: "Delete for everyone?" }).click();
	await holds(cyd, () => [...document.querySelectorAll(".quoted")].some((node) => /that was deleted/.test(node.textContent)));
});

test("marks of Markdown are shown as what they mean, and code can be copied", async () => {
	const ann = await enter("ann", "marks");
	await say(ann, "**bold** and *slanted*, `a < b`, ~~old~~ https://example.org/a_b_c");
	await shows(ann, "bold and slanted");
	const html = await last(ann).locator(".text").innerHTML();
	assert.equal(html, '<span><strong>bold</strong> and <em>slanted</em>, <code>a &lt; b</code>, <s>old</s> <a href="https://example.org/a_b_c" target="_blank" rel="noopener noreferrer">https://example.org/a_b_c</a></span>');
	await say(ann, "> said before\nlook:\n- one\n- two\n3. three\n```js\nif (a < b) {\n\treturn;\n}\n```");
	await shows(ann, "return;");
	const text = last(ann).locator(".text");
	assert.deepEqual(await text.locator(":scope > *").evaluateAll((nodes) => nodes.map(({ tagName, textContent }) => `${tagName} ${textContent}`)), [
		"BLOCKQUOTE said before", "SPAN look:", "UL onetwo", "OL three", "DIV if (a < b) {\n\treturn;\n}Copy",
	]);
	assert.equal(await text.locator("ol").getAttribute("start"), "3");
	await ann.evaluate(() => Object.defineProperty(navigator, "clipboard", { value: { writeText: async (written) => (window.written = written) }, configurable: true }));
	await text.getByText("Copy", { exact: true }).click();
	await holds(ann, () => window.written === "if (a < b) {\n\treturn;\n}");
	await assertAccessible(ann, "Markdown");
	await picture(ann, "markdown");
});

test("names are completed, and who is named sees it", async () => {
	const [ann, bob] = await Promise.all([enter("ann", "names"), enter("bobby", "names")]);
	await ann.locator("#persons button", { hasText: "bobby" }).waitFor();
	await ann.locator("#text").pressSequentially("look @bo");
	await ann.locator("#choices li", { hasText: "@bobby" }).waitFor();
	await assertAccessible(ann, "completion");
	await picture(ann, "completion");
	await ann.keyboard.press("Tab");
	assert.equal(await ann.inputValue("#text"), "look @bobby ");
	await ann.locator("#text").pressSequentially(":tad");
	await ann.locator("#choices li", { hasText: "🎉" }).waitFor();
	await ann.keyboard.press("Enter");
	assert.equal(await ann.inputValue("#text"), "look @bobby 🎉 ");
	await ann.keyboard.press("Enter");
	await shows(bob, "look @bobby 🎉");
	await holds(bob, () => document.querySelector("#messages > .named .mention.me")?.textContent === "@bobby");
	assert.equal(await last(ann).locator(".mention").textContent(), "@bobby");
	assert.equal(await ann.locator(".named").count(), 0);

	await ann.locator("#text").pressSequentially("/to");
	await ann.locator("#choices li", { hasText: "/topic" }).waitFor();
	await ann.keyboard.press("Escape");
	assert.equal(await ann.locator("#choices").isHidden(), true);
	assert.equal(await ann.inputValue("#text"), "/to");
	// Sent as it is: the list is closed.
	await ann.fill("#text", "");
	await ann.click("#open-emoji");
	await ann.fill("#emoji-find", "cake");
	await assertAccessible(ann, "emoji");
	await ann.keyboard.press("Enter");
	assert.equal(await ann.inputValue("#text"), "🍰");
});

test("a few letters lead to any conversation", async () => {
	const ann = await enter("ann", "kitchen");
	await say(ann, "/join garden");
	await opened(ann, "garden");
	const eve = await Member.connect(server.tcp, "eve");
	await eve.join("garden");
	await ann.locator("#persons button", { hasText: "eve" }).waitFor();
	const go = async (typed, room) => {
		await ann.keyboard.press("Control+k");
		await ann.locator("#switcher[open]").waitFor();
		await ann.keyboard.type(typed);
		await ann.keyboard.press("Enter");
		await opened(ann, room);
	};
	await go("kit", "kitchen");
	await ann.keyboard.press("Control+k");
	await ann.locator("#switcher li", { hasText: "garden" }).waitFor();
	await assertAccessible(ann, "switcher");
	await picture(ann, "switcher");
	await ann.keyboard.press("Escape");
	await go("gar", "garden");
	await go("@eve", "eve");
	await go("cellar", "cellar");
	// Also by what somebody is called besides.
	await eve.ask("profile", { display: "Evelyn of the Hill", text: "in a meeting" });
	await holds(ann, () => document.querySelector("#directs a").title === "Evelyn of the Hill");
	await go("the hill", "eve");
	await holds(ann, () => document.querySelector("#topic").textContent === "Evelyn of the Hill · in a meeting");
	const other = await visit();
	await other.keyboard.press("Control+k");
	assert.equal(await other.locator("#switcher[open]").count(), 0);
});
