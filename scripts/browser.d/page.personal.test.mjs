import assert from "node:assert/strict";
import { test } from "node:test";
import { enter, holds, server, shows } from "./page.mjs";
import { Member } from "./surroundings.mjs";

test("a person is blocked from a message, and what they say is hidden until they are not", async () => {
	const room = "quarrel";
	const ann = await enter("ann", room);
	const eve = await Member.connect(server.tcp, "eve");
	await eve.join(room);
	await eve.say(room, "something unkind");
	await shows(ann, "something unkind");
	const message = ann.locator("#messages > .msg").last();
	await message.hover();
	await message.getByRole("button", { name: "Block", exact: true }).click();
	await ann.locator("#personal-block").click();
	await shows(ann, "Hidden: you have blocked this person");
	await holds(ann, () => !document.querySelector("#persons").textContent.includes("eve"));
	assert.equal(await ann.getByText("something unkind").count(), 0);
	await ann.fill("#text", "/unblock eve");
	await ann.press("#text", "Enter");
	await shows(ann, "something unkind");
});
