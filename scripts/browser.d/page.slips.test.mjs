// Accidents: what one presses or types by mistake, or while something happens, costs nothing and is shown to nobody else.
import assert from "node:assert/strict";
import { test } from "node:test";
import { comeBack, enter, holds, lines, lost, notes, opened, picture, say, server, shows } from "./page.mjs";
import { Member, Proxy, until } from "./surroundings.mjs";

const hint = (page) => page.textContent("#hint");
const focus = (page) => page.evaluate(() => document.activeElement.id);
const texts = async (page) => (await lines(page)).map((line) => line.replace(/^\d+ /, ""));
const isIn = async (page, room) => (await page.locator("#rooms a", { hasText: room }).count()) > 0;
const toast = (page, text) => holds(page, (wanted) => document.querySelector("#toasts").textContent.includes(wanted), text);

for (const { act, more, expected } of [
	{ act: "kick", more: { reason: "be <b>kind</b>" }, expected: /^eve removed you from .club-kick.: be <b>kind<\/b>$/ },
	{ act: "ban", more: { reason: "enough", for_ms: 3_600_000 }, expected: /^eve banned you from .club-ban. until .*\d.*: enough$/ },
	{ act: "kick", more: {}, expected: /^eve removed you from .club-kick.\.$/ },
]) {
	test(`what is typed during a ${act}${more.reason ? "" : " without a reason"} is posted nowhere`, async () => {
		const room = `club-${act}`;
		const eve = await Member.connect(server.tcp, "eve");
		if ((await eve.reply("create", { room })).code !== 0) await eve.join(room);
		await eve.join("lobby");
		const kit = await enter("kit", "lobby");
		await kit.goto(`${server.url}#room=${room}`);
		await opened(kit, room);
		await eve.say(room, "said before");
		await shows(kit, "said before");
		await kit.locator("#text").pressSequentially("the first half, ");
		await eve.ask(act, { room, user: "kit", ...more });
		await until("the room to go", async () => !(await isIn(kit, room)));
		await kit.keyboard.type("and the second half");
		await kit.keyboard.press("Enter");
		assert.equal(await kit.textContent("#title"), room);
		assert.equal(await focus(kit), "text");
		assert.match(await hint(kit), /^You are not in .club-\w+. any more, so this was not sent\.$/);
		assert.equal(await kit.inputValue("#text"), "the first half, and the second half");
		// Nothing is left of the room but who ended it, and why.
		assert.deepEqual(await lines(kit), []);
		const shown = await notes(kit);
		assert.equal(shown.length, 1);
		assert.match(shown[0], expected);
		await picture(kit, `removed-${act}`);
		// The draft stays with its room: another one has its own.
		await kit.locator("#rooms a", { hasText: "lobby" }).click();
		await opened(kit, "lobby");
		assert.equal(await kit.inputValue("#text"), "");
		assert.equal(await hint(kit), "");
		await say(kit, "elsewhere");
		await shows(kit, "elsewhere");
		assert.ok(![...(await texts(kit)), ...(eve.lines.get("lobby") ?? []), ...eve.lines.get(room)].some((text) => /half/.test(text)));
		if (act === "ban") await eve.ask("unban", { room, user: "kit" });
		await kit.goto(`${server.url}#room=${room}`);
		await opened(kit, room);
		assert.equal(await kit.inputValue("#text"), "the first half, and the second half");
		await kit.press("#text", "Enter");
		await until("the message after all", () => eve.lines.get(room).some((text) => text.endsWith("the first half, and the second half")));
	});
}

test("one who was removed is not in again by a reload, but by a click", async () => {
	const eve = await Member.connect(server.tcp, "eve");
	await eve.ask("create", { room: "inn" });
	const kit = await enter("kit", "inn");
	await say(kit, "hello");
	await shows(kit, "hello");
	await kit.fill("#text", "a draft");
	await eve.ask("kick", { room: "inn", user: "kit" });
	await until("the room to go", async () => !(await isIn(kit, "inn")));
	await kit.click("#rejoin");
	await until("the room again", () => isIn(kit, "inn"));
	await shows(kit, "hello");
	assert.equal(await kit.locator("#gone").isVisible(), false);
	assert.equal(await kit.inputValue("#text"), "a draft");
	await eve.ask("kick", { room: "inn", user: "kit" });
	await until("the room to go", async () => !(await isIn(kit, "inn")));
	await kit.reload();
	await opened(kit, "lobby");
	assert.equal(await isIn(kit, "inn"), false);
	const { users } = await eve.ask("members", { room: "inn" });
	assert.deepEqual(users.map(([name]) => name), ["eve"]);
});

test("going back, or a reload, enters no room that one has left or was removed from", async () => {
	const proxy = await Proxy.start(server.web);
	const eve = await Member.connect(server.tcp, "eve");
	for (const room of ["past", "yard"]) await eve.ask("create", { room });
	const kit = await enter("kit", "past", proxy.url);
	await kit.goto(`${proxy.url}#room=yard`);
	await opened(kit, "yard");
	await eve.ask("kick", { room: "past", user: "kit" });
	await until("the room to go", async () => !(await isIn(kit, "past")));
	await kit.goBack();
	await toast(kit, "You are not in past any more.");
	assert.equal(await kit.textContent("#title"), "yard");
	proxy.closed = true;
	proxy.cut();
	await lost(kit);
	await eve.ask("kick", { room: "yard", user: "kit" });
	proxy.closed = false;
	await kit.reload();
	await opened(kit, "lobby");
	assert.equal(await isIn(kit, "yard"), false);
	for (const room of ["past", "yard"]) {
		const { users } = await eve.ask("members", { room });
		assert.deepEqual(users.map(([name]) => name), ["eve"], room);
	}
	// An address that one opens is another thing.
	await kit.goto(`${proxy.url}#room=yard`);
	await opened(kit, "yard");
});

test("signing out asks if messages have not been sent", async () => {
	const proxy = await Proxy.start(server.web);
	const kit = await enter("kit", "shed", proxy.url);
	// What asks is loaded behind all else, and cannot be without a connection.
	await holds(kit, () => performance.getEntriesByType("resource").some(({ name }) => name.endsWith("/asking.js")));
	proxy.closed = true;
	proxy.cut();
	await lost(kit);
	await say(kit, "still here");
	await kit.click("#sign-out");
	await kit.locator("#asking").waitFor();
	assert.equal(await kit.textContent("#asking-text"), "One message has not been sent yet, and would be lost.");
	await kit.keyboard.press("Enter");
	await kit.locator("#asking").waitFor({ state: "hidden" });
	proxy.closed = false;
	await comeBack(kit);
	await until("the message", async () => (await lines(kit)).join() === "1 still here");
	await kit.click("#sign-out");
	await kit.locator("#sign-in").waitFor();
});

test("a room that is entered late takes no field away from under the fingers", async () => {
	const kit = await enter("kit", "porch");
	await kit.evaluate(() => {
		// The answer takes its time.
		const { send } = WebSocket.prototype;
		WebSocket.prototype.send = function (text) {
			if (JSON.parse(text).op !== "join") return send.call(this, text);
			window.joinNow = () => send.call(this, text);
		};
	});
	await say(kit, "/join slow");
	await holds(kit, () => Boolean(window.joinNow));
	await kit.locator("#text").pressSequentially("half a sen");
	await kit.evaluate(() => window.joinNow());
	await toast(kit, "You are in slow now.");
	await kit.keyboard.type("tence");
	assert.equal(await kit.textContent("#title"), "porch");
	assert.equal(await kit.inputValue("#text"), "half a sentence");
	await kit.locator("#rooms a", { hasText: "slow" }).click();
	await opened(kit, "slow");
	assert.equal(await kit.inputValue("#text"), "");
	await kit.locator("#rooms a", { hasText: "porch" }).click();
	await opened(kit, "porch");
	assert.equal(await kit.inputValue("#text"), "half a sentence");
	await kit.reload();
	await opened(kit, "porch");
	assert.equal(await kit.inputValue("#text"), "half a sentence");
});

test("leaving asks before what could not be taken back, with the number of messages", async () => {
	const ann = await enter("ann", "hall");
	await ann.click("#add");
	await ann.fill("#join-name", "den");
	await ann.selectOption("#join-kind", "private");
	await ann.press("#join-name", "Enter");
	await opened(ann, "den");
	for (const text of ["one", "two", "three"]) await say(ann, text);
	await shows(ann, "three");
	await ann.click("#leave");
	await ann.locator("#asking").waitFor();
	assert.match(await ann.textContent("#asking-text"), /its 3 messages are deleted for good/);
	await picture(ann, "leaving");
	// The way back has the focus.
	await ann.keyboard.press("Enter");
	await ann.locator("#asking").waitFor({ state: "hidden" });
	assert.equal(await isIn(ann, "den"), true);
	await say(ann, "/invite bob");
	const bob = await Member.connect(server.tcp, "bob");
	await until("bob in the room", async () => (await bob.reply("join", { room: "den" })).code === 0);
	await ann.locator("#persons li", { hasText: "bob" }).waitFor();
	await say(ann, "/leave");
	await ann.locator("#asking").waitFor();
	assert.match(await ann.textContent("#asking-text"), /To come back you may need an invitation/);
	await ann.keyboard.press("Escape");
	assert.equal(await isIn(ann, "den"), true);
	await say(ann, "/kick bob");
	await until("bob to go", async () => (await notes(ann)).some((note) => note === "ann removed bob"));
	await ann.click("#leave");
	await ann.click("#asking-go");
	await opened(ann, "hall");
	await until("the room to go", async () => !(await isIn(ann, "den")));
	assert.equal((await bob.reply("create", { room: "den" })).code, 0, "the name is free again");
	// An open room is a click away, and left by one.
	await ann.goto(`${server.url}#room=lobby`);
	await opened(ann, "lobby");
	await ann.click("#leave");
	await until("the room to go", async () => !(await isIn(ann, "lobby")));
});

test("a double click deletes nothing and removes nobody", async () => {
	const ann = await enter("ann", "hall");
	await say(ann, "/create court");
	await opened(ann, "court");
	const bob = await Member.connect(server.tcp, "bob");
	await bob.join("court");
	await say(ann, "stays");
	await shows(ann, "stays");
	const message = ann.locator("#messages > .msg").last();
	await message.hover();
	await message.getByRole("button", { name: "Delete", exact: true }).dblclick();
	await message.getByRole("button", { name: "Delete for everyone?", exact: true }).waitFor();
	await ann.getByRole("button", { name: "Moderate bob", exact: true }).click();
	await ann.locator("#moderation").getByRole("button", { name: "Remove", exact: true }).dblclick();
	assert.equal(await ann.locator("#moderation").getByRole("button", { name: "Remove from the room?", exact: true }).count(), 1);
	await ann.keyboard.press("Escape");
	// Acts of one connection are told in their order: had there been others, they would be here.
	await say(ann, "after");
	await until("the next message", async () => (await lines(ann)).join() === "1 stays,2 after");
	assert.deepEqual(await notes(ann), []);
});

test("commands that are typed are carried out, and said to nobody", async () => {
	const eve = await Member.connect(server.tcp, "eve");
	await eve.join("square");
	const ann = await enter("ann", "hall");
	await say(ann, "/join square");
	await opened(ann, "square");
	const bob = await Member.connect(server.tcp, "bob");
	await ann.click("#add");
	await ann.fill("#join-name", "guild");
	await ann.selectOption("#join-kind", "owned");
	await ann.press("#join-name", "Enter");
	await opened(ann, "guild");
	await bob.join("guild");
	await ann.locator("#persons li", { hasText: "bob" }).waitFor();
	const noted = (pattern) => until(`${pattern}`, async () => (await notes(ann)).some((note) => pattern.test(note)));
	for (const [typed, pattern] of [
		["/help", /\/msg bob hi – writes to bob alone/],
		["/who", /^2 online: .ann., .bob.$/],
		["/who hall", /^1 online: .ann.$/],
		["/members", /^2 members: .ann. \(owner\), .bob.$/],
		["/whois bob", /^.bob. is online here\.$/],
		["/rooms", /^Your conversations: .*guild.*square/],
		["/topic tea & cake", /^ann set the topic: tea & cake$/],
		["/topic", /^Topic: tea & cake$/],
		["/mute bob 10m too loud", /^ann muted bob until .*: too loud$/],
		["/unmute bob", /^ann unmuted bob$/],
		["/role bob moderator", /^ann made bob a moderator$/],
		["/kick @bob bye", /^ann removed bob: bye$/],
		["/ban bob 1d", /^ann banned bob until /],
		["/unban bob", /^ann unbanned bob$/],
		["/away", /^You are shown as away/],
		["/back", /^You are shown as online/],
	]) {
		await say(ann, typed);
		await noted(pattern);
		assert.equal(await ann.inputValue("#text"), "");
	}
	await picture(ann, "commands");
	await say(ann, "/msg bob psst");
	await noted(/^To .bob.: psst$/);
	await until("the whisper", () => bob.lines.get("@ann:bob")?.includes("1 psst"));
	await say(ann, "/kick nobody-here");
	await ann.locator(".toast").first().waitFor();
	await until("the command to come back", async () => (await ann.inputValue("#text")) === "/kick nobody-here");
	for (const [typed, expected] of [
		["/jion square", "There is no command /jion. Did you mean /join? To say it, begin with //."],
		["/ban bob 10 apples", "That is no length of time. For example: /ban bob 1d spam"],
		["   ", "There is nothing to see in this message, so it was not sent."],
	]) {
		await say(ann, typed);
		await until(expected, async () => (await hint(ann)) === expected);
		assert.equal(await ann.inputValue("#text"), typed, "what was refused stays to be mended");
	}
	await picture(ann, "hint");
	await ann.press("#text", "x");
	assert.equal(await hint(ann), "");
	assert.deepEqual(await texts(ann), []);
	await say(ann, "//me is a command");
	await say(ann, "/me waves");
	await until("both", async () => (await texts(ann)).length === 2);
	assert.deepEqual(await texts(ann), ["/me is a command", "waves"]);
	// What is edited keeps its slash, and is no command either.
	await ann.press("#text", "ArrowUp");
	await ann.press("#text", "Escape");
	await say(ann, "/create cellar private");
	await opened(ann, "cellar");
	assert.equal((await eve.reply("join", { room: "cellar" })).code, 3001);
	await say(ann, "/join square");
	await opened(ann, "square");
	await say(ann, "/leave");
	await until("the room to go", async () => !(await isIn(ann, "square")));
	await ann.goto(`${server.url}#room=square`);
	await opened(ann, "square");
	await say(ann, "/search tea");
	await ann.locator("#search").waitFor();
	assert.equal(await ann.inputValue("#search-text"), "tea");
	await ann.keyboard.press("Escape");
	await say(ann, "/nick Annie");
	await until("the name", async () => (await ann.textContent("#me")) === "annie");
	await opened(ann, "square");
	await say(ann, "/quit");
	await ann.locator("#sign-in").waitFor();
	assert.ok(!(eve.lines.get("square") ?? []).some((line) => /\//.test(line)));
});

test("who types what cannot be a name is told what can", async () => {
	const kit = await enter("kit", "lobby");
	await kit.fill("#text", "/join ***");
	await kit.press("#text", "Enter");
	await toast(kit, "This is not a name. Right would be: 1 to 32 bytes of lower-case letters");
});
