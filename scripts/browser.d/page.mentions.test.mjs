import assert from "node:assert/strict";
import { test } from "node:test";
import { assertAccessible, enter, holds, notes, picture, say, server, shows } from "./page.mjs";
import { Member, until } from "./surroundings.mjs";

const named = (page) => page.locator("#messages > .named");
const badge = (page, room) => page.locator("#rooms a", { hasText: room }).locator(".badge");

test("who is named is told so in the log, the list of rooms and the title, apart from what is only unread", async () => {
	const ann = await enter("ann", "callers");
	const bob = await Member.connect(server.tcp, "bob");
	await bob.join("callers");
	await bob.join("elsewhere");
	await ann.goto(`${server.url}#room=elsewhere`);
	await holds(ann, () => document.querySelector("#title").textContent === "elsewhere");
	await bob.say("callers", "nothing for anybody");
	await holds(ann, () => /^[(]1[)] /.test(document.title));
	await bob.say("callers", "look at this, @ann; not at `@ann`");
	await bob.say("callers", "lunch, @room?");
	await until("the count", async () => (await badge(ann, "callers").textContent()) === "@2, 3 new");
	await holds(ann, () => /^[(]@2, 3[)] /.test(document.title));
	await picture(ann, "mentions-list");
	await assertAccessible(ann, "mentions in the list");

	await ann.locator("#rooms a", { hasText: "callers" }).click();
	await shows(ann, "lunch, @room?");
	assert.deepEqual(await named(ann).locator(".text").allTextContents(), ["look at this, @ann; not at @ann", "lunch, @room?"]);
	assert.deepEqual(await ann.locator(".mention.me").allTextContents(), ["@ann", "@room"]);
	await assertAccessible(ann, "mentions in the log");
	await picture(ann, "mentions");
	await until("nothing new", async () => (await badge(ann, "callers").textContent()) === "");

	// The text that is there now counts.
	await bob.ask("edit", { room: "callers", target: 2, text: "look at this, somebody" });
	await until("one mention less", async () => (await named(ann).count()) === 1);

	await say(ann, "/reply \"LUNCH\" at one");
	await holds(ann, () => [...document.querySelectorAll(".quoted")].at(-1)?.textContent === "\u2068bob\u2069lunch, @room?");
	await say(ann, "/reply cyd hm");
	await holds(ann, () => /No message that is shown here/.test(document.querySelector("#hint").textContent));
	await ann.fill("#text", "");
	await say(ann, "is @zoe here, @bob?");
	await holds(ann, () => [...document.querySelectorAll("#messages > .note")].some((node) => /zoe.* is not in .*callers.*, and does not see this/.test(node.textContent)));
	assert.equal((await notes(ann)).filter((text) => /bob/.test(text)).length, 0);
});

test("a message is marked as unread by its menu or a key, and all is marked as read at once", async () => {
	const ann = await enter("ann", "marked");
	const bob = await Member.connect(server.tcp, "bob");
	for (const room of ["marked", "more"]) await bob.join(room);
	await bob.say("marked", "one");
	await bob.say("marked", "two");
	await shows(ann, "two");
	await ann.locator("#messages > .msg").last().focus();
	await ann.keyboard.press("u");
	await until("the mark", async () => (await badge(ann, "marked").textContent()) === "unread");
	await ann.goto(`${server.url}#room=more`);
	await holds(ann, () => document.querySelector("#title").textContent === "more");
	await assertAccessible(ann, "a room that is marked");
	await picture(ann, "marked-unread");
	await ann.locator("#rooms a", { hasText: "marked" }).click();
	await holds(ann, () => document.querySelector("#messages > .new .text")?.textContent === "two");
	await until("no mark", async () => (await badge(ann, "marked").textContent()) === "");

	await bob.say("more", "here, too");
	await until("what is new", async () => (await badge(ann, "more").textContent()) === "1 new");
	await ann.getByRole("button", { name: "Mark all as read" }).click();
	await until("nothing new", async () => (await badge(ann, "more").textContent()) === "");
	assert.equal(await ann.locator("#read-all").isHidden(), true);
	const device = await Member.connect(server.tcp, "ann");
	await until("what the server knows", async () => (await device.ask("rooms", {})).rooms.every(({ unread }) => unread === 0));
});
