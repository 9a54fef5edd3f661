import assert from "node:assert/strict";
import { test } from "node:test";
import { PAYLOADS } from "./hostile.mjs";
import { comeBack, enter, holds, lines, lost, notes, opened, picture, say, server, shows, startAgain, stopServer } from "./page.mjs";
import { Member, until } from "./surroundings.mjs";

/** The message with this text, addressed by its seq, since its text changes. */
const messageOf = async (page, text) => {
	const seq = await page.$$eval("#messages > .msg", (nodes, wanted) => nodes.find((node) => node.querySelector(".text").textContent === wanted)?.value, text);
	assert.ok(seq > 0, `no message ${text}`);
	return page.locator(`#messages > .msg[value="${seq}"]`);
};
/** Points at a message, and waits for its toolbar. */
const pointAt = async (message) => {
	await message.hover();
	await message.locator(".actions").waitFor();
};
const press = (message, name) => message.locator(".actions").getByRole("button", { name, exact: true }).click();
const reactions = (page) =>
	page.$$eval(".reaction", (nodes) => nodes.map((node) => `${node.textContent.replace(" ", "")} ${node.title}${node.ariaPressed === "true" ? " mine" : ""}`));

test("everyone sees edits, deletions and reactions, also after a restart", async () => {
	const room = "changes";
	const [ann, bob] = await Promise.all([enter("ann", room), enter("bob", room, server.url, { colorScheme: "dark" })]);
	for (const text of ["frist", "a mistake", "a joke"]) await say(ann, text);
	await Promise.all([ann, bob].map((page) => shows(page, "a joke")));

	const first = await messageOf(ann, "frist");
	await pointAt(first);
	await press(first, "Edit");
	assert.equal(await ann.inputValue("#text"), "frist");
	await ann.fill("#text", "first");
	await ann.press("#text", "Enter");
	const texts = (page) => lines(page).then((shown) => shown.map((line) => line.replace(/^\d+ /, "")));
	for (const page of [ann, bob]) await until("the new text", async () => (await texts(page))[0] === "first");
	await until("the empty field", async () => (await ann.inputValue("#text")) === "");
	assert.match(await bob.locator(".text.edited").getAttribute("title"), /^Edited /);

	const mistake = await messageOf(ann, "a mistake");
	await pointAt(mistake);
	await press(mistake, "Delete");
	await picture(ann, "changes-acts");
	await press(mistake, "Delete for everyone?");
	for (const page of [ann, bob]) await until("the deletion", async () => (await texts(page))[1] === "Message deleted");

	const joke = await messageOf(bob, "a joke");
	await pointAt(joke);
	assert.equal(await joke.getByRole("button", { name: "Edit", exact: true }).count(), 0);
	await press(joke, "Laugh");
	await until("the reaction", async () => (await reactions(bob)).join() === "😂1 bob mine");
	await until("the reaction at ann's", async () => (await reactions(ann)).join() === "😂1 bob");
	await ann.locator(".reaction").click();
	for (const [page, mine] of [[ann, " mine"], [bob, " mine"]]) {
		await until("two", async () => (await reactions(page)).join() === `😂2 bob, ann${mine}`);
	}
	await picture(ann, "changes-light");
	await picture(bob, "changes-dark");

	assert.equal(await stopServer("SIGKILL"), "SIGKILL");
	for (const page of [ann, bob]) await lost(page);
	await startAgain();
	const late = await enter("late", room);
	await until("the same after the crash", async () => (await texts(late)).join() === "first,Message deleted,a joke");
	await until("the reactions, too", async () => (await reactions(late)).join() === "😂2 bob, ann");
	for (const page of [ann, bob]) await comeBack(page);
	await bob.locator(".reaction").click();
	for (const page of [ann, late]) await until("one less", async () => /^😂1 ann/.test((await reactions(page)).join()));
	assert.deepEqual(await notes(ann), []);
});

test("the actions on a message are in reach of the keyboard", async () => {
	const page = await enter("kim", "keys");
	for (const text of ["one", "two"]) await say(page, text);
	await shows(page, "two");
	// The arrow in the empty field edits the last message; Escape restores the field.
	await page.press("#text", "ArrowUp");
	assert.equal(await page.inputValue("#text"), "two");
	assert.equal(await page.locator("#editing").isVisible(), true);
	await picture(page, "editing");
	await page.press("#text", "Escape");
	assert.equal(await page.inputValue("#text"), "");
	assert.equal(await page.locator("#editing").isVisible(), false);
	// From the log by arrows to a message, by Enter to its toolbar.
	await page.focus("#log");
	await page.keyboard.press("ArrowUp");
	await page.keyboard.press("ArrowUp");
	const focus = () => page.evaluate(() => document.activeElement.closest(".msg")?.querySelector(".text").textContent);
	assert.equal(await focus(), "one");
	await page.keyboard.press("Enter");
	await page.keyboard.press("Enter");
	await until("the reaction", async () => (await reactions(page)).join() === "👍1 kim mine");
	// The reaction is a tab stop of this message.
	await page.keyboard.press("Escape");
	await page.keyboard.press("Tab");
	assert.equal(await page.evaluate(() => document.activeElement.className), "reaction");
	await page.keyboard.press("Enter");
	await until("no reaction", async () => (await reactions(page)).length === 0);
	await page.focus("#log");
	for (const key of ["ArrowUp", "ArrowUp", "Enter"]) await page.keyboard.press(key);
	for (let stop = 0; stop < 10; stop += 1) await page.keyboard.press("Tab");
	assert.equal(await page.evaluate(() => document.activeElement.textContent), "Delete");
	await page.keyboard.press("Enter");
	await page.keyboard.press("Enter");
	await until("the deletion", async () => (await lines(page))[0] === "1 Message deleted");
	await page.focus("#log");
	await page.keyboard.press("ArrowUp");
	await page.keyboard.press("Escape");
	assert.equal(await page.evaluate(() => document.activeElement.id), "text");
});

test("a search finds an old message and leads to its place", async () => {
	const eve = await Member.connect(server.tcp, "eve");
	await Promise.all(["past-a", "past-b"].map((room) => eve.join(room)));
	await eve.say("past-a", "the needle is here");
	for (let line = 0; line < 150; line += 1) await eve.say("past-a", `hay ${line}`);
	await eve.say("past-b", "no needles there");
	const page = await enter("sam", "past-b");
	await page.goto(`${server.url}#room=past-a`);
	await opened(page, "past-a");
	await shows(page, "hay 149");
	const found = () => page.$$eval("#found li", (nodes) => nodes.map((node) => node.querySelector("button > span").textContent));
	const search = async (text, expected) => {
		await page.click("#open-search");
		await page.fill("#search-text", text);
		// The word index is filled in the background.
		await until(`what was found of ${text}`, async () => {
			await page.press("#search-text", "Enter");
			await until("an answer", async () => (await page.textContent("#search-status")) !== "Searching…");
			return (await found()).join() === expected.join();
		});
	};
	await search("needle", ["no needles there", "the needle is here"]);
	// Which a screen reader says.
	assert.equal(await page.textContent("#search-status"), "2 found.");
	await picture(page, "search");
	await page.check("#search-here");
	await until("only here", async () => (await found()).join() === "the needle is here");
	await page.locator("#found button").click();
	await holds(page, () => document.activeElement.querySelector?.(".text")?.textContent === "the needle is here");
	assert.equal((await lines(page))[0], "1 the needle is here");
	await picture(page, "search-found");
	// Scrolling down reaches the newest, without a hole.
	await until("the newest by scrolling", async () => {
		await page.evaluate(() => (document.querySelector("#log").scrollTop = 1e9));
		return (await lines(page)).at(-1) === "151 hay 149";
	});
	await search("nothing-like-this", []);
	await until("that nothing was found", async () => (await page.textContent("#search-status")) === "No messages found.");
	await page.press("#search-text", "Escape");
	await page.locator("#search").waitFor({ state: "hidden" });
});

test("a reader far above sees changes there", async () => {
	const eve = await Member.connect(server.tcp, "eve");
	await eve.join("far");
	for (let line = 1; line <= 500; line += 1) await eve.say("far", `line ${line}`);
	const page = await enter("tim", "far");
	await shows(page, "line 500");
	await until("a window that has left the newest", async () => {
		await page.evaluate(() => (document.querySelector("#log").scrollTop = 0));
		return Number.parseInt((await lines(page)).at(-1), 10) < 500;
	});
	const [top] = await lines(page);
	const target = Number.parseInt(top, 10) + 5;
	await eve.ask("edit", { room: "far", target, text: "changed" });
	await eve.ask("react", { room: "far", target, emoji: "🌻" });
	await until("the new text", async () => (await lines(page)).includes(`${target} changed`));
	await until("the reaction", async () => (await reactions(page)).join() === "🌻1 eve");
});

test("moderation is shown as notices, and an invitation is one click", async () => {
	const eve = await Member.connect(server.tcp, "eve");
	await eve.ask("create", { room: "club", private: true });
	const page = await enter("ray", "lobby");
	await eve.ask("invite", { room: "club", user: "ray" });
	const invitation = page.locator("#invites a");
	await invitation.waitFor();
	assert.equal(await invitation.textContent(), "+clubfrom eve");
	await picture(page, "invitation");
	await invitation.click();
	await opened(page, "club");
	await until("the invitation to go", async () => (await page.locator("#invites a").count()) === 0);
	await eve.ask("role", { room: "club", user: "ray", role: "moderator" });
	const kit = await Member.connect(server.tcp, "kit");
	await eve.ask("invite", { room: "club", user: "kit" });
	await kit.join("club");
	await kit.say("club", "rude");
	await shows(page, "rude");
	// A moderator may delete messages of others, but not edit them.
	const rude = await messageOf(page, "rude");
	await pointAt(rude);
	assert.equal(await rude.getByRole("button", { name: "Edit", exact: true }).count(), 0);
	await press(rude, "Delete");
	await press(rude, "Delete for everyone?");
	await until("the deletion", async () => (await lines(page)).some((line) => line.endsWith("Message deleted")));
	await eve.ask("mute", { room: "club", user: "kit", for_ms: 3_600_000, reason: "be <b>kind</b>" });
	await eve.ask("mute", { room: "club", user: "kit", for_ms: 0 });
	await eve.ask("kick", { room: "club", user: "kit" });
	await eve.ask("ban", { room: "club", user: "kit", reason: PAYLOADS[3] });
	await eve.ask("unban", { room: "club", user: "kit" });
	await until("the lines", async () => (await notes(page)).length >= 6);
	const acts = await notes(page);
	assert.match(acts[1], /^eve muted kit until .*\d.*: be <b>kind<\/b>$/);
	assert.deepEqual(acts.toSpliced(1, 1), [
		"eve made ray a moderator", "eve unmuted kit", "eve removed kit", `eve banned kit: ${PAYLOADS[3]}`, "eve unbanned kit",
	]);
	await picture(page, "moderation");
	const told = holds(page, () => document.querySelector("#toasts").textContent.includes("You were banned from club."));
	await eve.ask("ban", { room: "club", user: "ray", reason: "enough" });
	// A toast disappears by itself, so the wait begins before.
	await told;
	await until("the room to go", async () => (await page.locator("#rooms a", { hasText: "club" }).count()) === 0);
});

test("who is muted is told once why a message was not sent, and not while it is typed", async () => {
	const eve = await Member.connect(server.tcp, "eve");
	await eve.ask("create", { room: "hush" });
	const kit = await enter("kit", "hush");
	await eve.ask("mute", { room: "hush", user: "kit" });
	await until("the line", async () => (await notes(kit)).includes("eve muted kit"));
	await kit.locator("#text").pressSequentially("may I?");
	await kit.press("#text", "Enter");
	await until("the refusal", async () => (await notes(kit)).some((note) => note.includes("may I?")));
	assert.equal(await kit.locator("#toasts .toast").count(), 1);
	assert.match(await kit.textContent("#toasts"), /^Not sent: .*muted/);
});

test("hostile reactions and edits stay text, and stay small", async () => {
	const page = await enter("zoe", "hostile-changes");
	const mallory = await Member.connect(server.tcp, "mallory");
	await mallory.join("hostile-changes");
	await mallory.say("hostile-changes", "target");
	await shows(page, "target");
	const short = PAYLOADS.filter((payload) => new TextEncoder().encode(payload).length <= 64);
	assert.ok(short.length > 30);
	const taken = [];
	for (const emoji of short) {
		const { code } = await mallory.reply("react", { room: "hostile-changes", target: 1, emoji });
		assert.ok([0, 1003].includes(code), `${code} ${emoji}`);
		if (code === 0) taken.push(emoji);
	}
	await until("the reactions", async () => (await reactions(page)).length >= Math.min(24, taken.length));
	for (const payload of PAYLOADS.slice(0, 30)) await mallory.ask("edit", { room: "hostile-changes", target: 1, text: payload });
	await until("the last text", async () => (await lines(page))[0] === `1 ${PAYLOADS[29]}`);
	assert.equal((await reactions(page)).length, Math.min(24, taken.length));
	const wide = await page.evaluate(() => document.querySelector("#log").scrollWidth <= document.querySelector("#log").clientWidth);
	assert.ok(wide, "no wider than the log");
	const names = await page.$$eval("#messages *", (nodes) => nodes.flatMap((node) => node.getAttributeNames()).filter((name) => name.startsWith("on") || name === "style"));
	assert.deepEqual(names, []);
	await page.locator("#messages > .msg").first().hover();
	await picture(page, "hostile-reactions");
	// Hostile search words, too.
	await page.click("#open-search");
	for (const payload of PAYLOADS.filter((_, index) => index % 9 === 0)) {
		await page.fill("#search-text", payload.slice(0, 200));
		await page.press("#search-text", "Enter");
		await until("an answer", async () => (await page.textContent("#search-status")) !== "Searching…");
	}
});
