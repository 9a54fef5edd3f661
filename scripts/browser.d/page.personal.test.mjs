import assert from "node:assert/strict";
import { test } from "node:test";
import { assertAccessible, comeBack, enter, holds, lost, picture, server, shows } from "./page.mjs";
import { Member, Proxy, until } from "./surroundings.mjs";

test("a person is blocked from a message, and what they say is hidden until they are not", async () => {
	const room = "quarrel";
	const ann = await enter("ann", room);
	const eve = await Member.connect(server.tcp, "eve");
	await eve.join(room);
	await eve.say(room, "something unkind");
	await shows(ann, "something unkind");
	const message = ann.locator("#messages > .msg").last();
	await message.hover();
	await message.getByRole("button", { name: "Block or report", exact: true }).click();
	await ann.locator("#personal-block").click();
	await shows(ann, "Hidden: you have blocked this person");
	await holds(ann, () => !document.querySelector("#persons").textContent.includes("eve"));
	assert.equal(await ann.getByText("something unkind").count(), 0);
	await ann.fill("#text", "/unblock eve");
	await ann.press("#text", "Enter");
	await shows(ann, "something unkind");
});

test("a message is reported from its menu, and who owns the room is told, reads it and settles it", async () => {
	const room = "den";
	const own = await Member.connect(server.tcp, "own");
	await own.ask("create", { room });
	const owner = await enter("own", room);
	const ann = await enter("ann", room);
	const eve = await Member.connect(server.tcp, "eve");
	await eve.join(room);
	await eve.say(room, "<b>something unkind</b>");
	await shows(ann, "something unkind");
	const message = ann.locator("#messages > .msg").last();
	await message.hover();
	await message.getByRole("button", { name: "Block or report", exact: true }).click();
	await assertAccessible(ann, "report");
	await ann.fill("#personal-reason", "she shouts");
	await ann.locator("#personal-report").click();
	await ann.getByText("It is reported to the moderators").waitFor();
	assert.equal(await ann.locator("#reports-open").isVisible(), false, "only for those who may settle");
	await owner.locator("#reports-open").click();
	await owner.locator("#reports").getByText("Reason: she shouts").waitFor();
	await owner.locator("#reports").getByText("<b>something unkind</b>").waitFor();
	await assertAccessible(owner, "reports");
	await owner.getByRole("button", { name: "Settle the report about eve" }).click();
	await owner.getByText("Nothing is reported.").waitFor();
	await holds(owner, () => document.querySelector("#reports-open").hidden);
});

test("who owns a room sees what was done there, and others are told that they may not", async () => {
	const room = "court";
	const own = await Member.connect(server.tcp, "judge");
	await own.ask("create", { room });
	const eve = await Member.connect(server.tcp, "eve");
	await eve.join(room);
	await own.ask("kick", { room, user: "eve" });
	const judge = await enter("judge", room);
	await judge.click("#about-open");
	await judge.click("#about-audit");
	await judge.locator("#audit-list").getByText("judge removed eve").waitFor();
	await assertAccessible(judge, "audit");
	await judge.click("#audit-close");
	await judge.fill("#text", "/audit all");
	await judge.press("#text", "Enter");
	await judge.locator("#audit-status").getByText("only administrators").waitFor();
	await judge.click("#audit-close");
	const ann = await enter("ann", room);
	await ann.click("#about-open");
	assert.equal(await ann.locator("#about-audit").isVisible(), false, "only for owners");
});

test("what was done is told in sentences, in either language, and what tools alone do by its name", async () => {
	const english = ["den ended by itself", "ann closed den", "The operator banned eve", "ann made bob a moderator", "ann deleted a message of eve", "ann deleted a message", "ann settled a report about eve", "ann made an invite link", "ann renamed the room", "The operator (end key) bot"];
	const chinese = ["den 已自行结束", "ann 关闭了 den", "服务器管理者 封禁了 eve", "ann 将 bob 设为管理员", "ann 删除了 eve 的一条消息", "ann 删除了一条消息", "ann 处理了关于 eve 的举报", "ann 创建了邀请链接", "ann 重命名了房间", "服务器管理者（end key）bot"];
	for (const [locale, expected] of [["en-GB", english], ["zh-CN", chinese]]) {
		const page = await enter("reader", "court", undefined, { locale });
		const shown = await page.evaluate(async () => {
			const { auditDialog } = await import("/audit.js");
			const by = "ann";
			const acts = [{ act: "close" }, { act: "close", by }, { act: "ban", user: "eve" }, { act: "role moderator", user: "bob", by }, { act: "delete", user: "eve", by }, { act: "delete", by }, { act: "settle report", user: "eve", by }, { act: "invite link", by }, { act: "rename", by }, { act: "end key", user: "bot" }];
			const items = acts.map((act, at) => ({ ...act, id: acts.length - at, room: "den", at: 0 }));
			await auditDialog({ ask: async () => ({ items, more: false }), sentence: String })("den");
			return [...document.querySelectorAll("#audit-list li > span")].map((node) => node.textContent.replace(/[\u2066-\u2069]/g, ""));
		});
		assert.equal(shown.length, expected.length);
		shown.forEach((line, at) => assert.ok(line.startsWith(expected[at]), line));
	}
});

test("a display name and a status text stand beside the name, for whoever is in the room", async () => {
	const room = "faces";
	const ann = await enter("ann", room);
	const bob = await enter("bob", room);
	await ann.fill("#text", "before");
	await ann.press("#text", "Enter");
	await shows(bob, "before");
	await ann.click("#open-settings");
	await ann.fill("#profile-display", "<b>Ann</b> \u05d0\u05d1");
	await ann.fill("#profile-text", "at lunch");
	await ann.selectOption("#profile-time", "3600000");
	await assertAccessible(ann, "profile");
	await ann.locator("#profile-form button").click();
	await ann.getByText("Others see it now.").waitFor();
	// Of what is shown already, and of the people beside it.
	await holds(bob, () => document.querySelector("#messages .who").textContent === "<b>Ann</b> \u05d0\u05d1 ann");
	await holds(bob, () => [...document.querySelectorAll("#persons li")].some((each) => each.textContent.includes("<b>Ann</b>") && each.textContent.includes("at lunch")));
	await bob.fill("#text", "/whois ann");
	await bob.press("#text", "Enter");
	await shows(bob, "at lunch");
	await ann.fill("#profile-display", "Bob");
	await ann.locator("#profile-form button").click();
	await ann.locator("#profile-error").getByText("looks like the name of another user").waitFor();
	await ann.fill("#profile-display", "");
	await ann.locator("#profile-form button").click();
	await holds(bob, () => document.querySelector("#messages .who").textContent === "ann");
});

test("a colour of one's own is that of the name and its avatar wherever they stand, and can be read", async () => {
	const room = "paints";
	const ann = await enter("ann", room);
	const bob = await enter("bob", room, server.url, { colorScheme: "dark" });
	const colors = ["red", "orange", "yellow", "green", "blue", "purple", "pink"];
	for (const color of colors) {
		const member = await called(`likes-${color}`, room, { color, ...(color === "red" ? { display: "Scarlet" } : {}) });
		await member.say(room, color);
	}
	await ann.click("#open-settings");
	await ann.getByRole("radio", { name: "Teal" }).check();
	await assertAccessible(ann, "colours to choose");
	await picture(ann, "colours");
	await ann.locator("#profile-form button").click();
	await ann.getByText("Others see it now.").waitFor();
	await ann.click("#settings-close");
	await ann.fill("#text", "in teal");
	await ann.press("#text", "Enter");
	for (const page of [ann, bob]) {
		await shows(page, "in teal");
		// Beside the message, in the list of people, and, of one's own, below.
		await holds(page, (all) => all.every((color) => ["#messages", "#persons"].every((list) => document.querySelector(`${list} [data-color=${color}] .called`))), [...colors, "teal"]);
		await page.mouse.move(0, 0);
		await assertAccessible(page, "names in colours");
	}
	const shades = await bob.$$eval("#messages .called", (nodes) => nodes.map((node) => getComputedStyle(node).color));
	assert.equal(new Set(shades).size, shades.length, `${shades}`);
	const [own, below] = await ann.evaluate(() => ["#messages > [data-color=teal] .avatar", "#me-avatar .avatar"].map((where) => getComputedStyle(document.querySelector(where)).backgroundColor));
	assert.equal(own, below);
	await picture(bob, "colours-dark");
	await ann.fill("#text", "/colour -");
	await ann.press("#text", "Enter");
	await holds(bob, () => !document.querySelector("[data-color=teal]"));
	// Also in the list of conversations, in no room of which one has been.
	const tim = await called("tim", "elsewhere", { color: "orange" });
	await tim.ask("send", { to: "bob", text: "psst" });
	await bob.locator("#directs [data-color=orange]", { hasText: "tim" }).waitFor();
	await ann.fill("#text", "/color mauve");
	await ann.press("#text", "Enter");
	await ann.getByText("mauve").first().waitFor();
});

/** A member in `room` who says this of itself. */
async function called(name, room, profile) {
	const member = await Member.connect(server.tcp, name);
	await member.join(room);
	await member.ask("profile", profile);
	return member;
}
const textOf = (page, selector) => page.locator(selector).evaluate((node) => node.textContent);
const becomes = (page, selector, text) => holds(page, ([where, wanted]) => document.querySelector(where)?.textContent === wanted, [selector, text]);
const aboutPerson = (page, name) => page.getByRole("button", { name: `Block or report ${name}` }).click();

test("the dialog about a person names that person, and what changes of it while it is open", async () => {
	const room = "mistaken";
	const ann = await enter("ann", room);
	await called("bob", room, {});
	const eve = await called("eve", room, {});
	for (const name of ["bob", "eve"]) {
		await aboutPerson(ann, name);
		await becomes(ann, "#personal-title", name);
		if (name === "bob") await ann.click("#personal-close");
	}
	await eve.ask("profile", { display: "Evelyn", text: "back soon" });
	await becomes(ann, "#personal-title", "Evelyn eve");
	await becomes(ann, "#personal-status", "back soon");
});

test("a status text is apart from the role, and is drawn anew where it is shown", async () => {
	const room = "ranks";
	const amy = await enter("amy", room);
	const bob = await called("bob", room, { text: "moderator" });
	const person = "#persons li:has(.says:not(:empty))";
	await becomes(amy, `${person} .says`, "moderator");
	assert.equal(await textOf(amy, `${person} .doing`), "");
	await amy.click("#members-open");
	const row = "#members-list li:has(.says:not(:empty))";
	await becomes(amy, `${row} .says`, "moderator");
	assert.deepEqual(await amy.locator(`${row} small`).allTextContents(), ["member"]);
	await assertAccessible(amy, "members");
	await bob.ask("profile", { display: "Robert", text: "at lunch" });
	await becomes(amy, `${row} .says`, "at lunch");
	assert.match(await textOf(amy, row), /Robert bob/);
});

test("a long display name hides neither the name nor the role behind it", async () => {
	const room = "signs";
	const own = await called("owner-of-signs", room, { display: "W".repeat(64), text: "at lunch until somebody comes and asks me something" });
	const ann = await enter("ann", room);
	await becomes(ann, "#persons .of", own.name);
	const cut = await ann.evaluate(() => {
		const person = document.querySelector("#persons li:has(.of)");
		const edge = person.querySelector("button").getBoundingClientRect().right;
		return [...person.querySelectorAll(".of, .doing")].filter((node) => node.scrollWidth > node.clientWidth + 1 || node.getBoundingClientRect().right > edge + 1).map(({ className }) => className);
	});
	await picture(ann, "display-name");
	assert.deepEqual(cut, []);
	// And the longest name leaves the display name a line of its own.
	const long = await called("maximilian-alexander_von.der-hoh", room, { display: "Maximilian Alexander" });
	await ann.locator("#persons .of", { hasText: long.name }).waitFor();
	const widths = await ann.$$eval("#persons .who:has(.of) > bdi", (nodes) => nodes.map((node) => node.clientWidth));
	assert.ok(widths.length === 2 && widths.every((width) => width > 60), `${widths}`);
});

test("what is there of a profile is neither lost nor overwritten when the settings cannot fetch it", async () => {
	const room = "tunnel";
	const proxy = await Proxy.start(server.web);
	const ann = await enter("ann", room, proxy.url);
	const eve = await Member.connect(server.tcp, "eve");
	await eve.join(room);
	await ann.fill("#text", "/display Annie");
	await ann.press("#text", "Enter");
	await ann.getByText("Others see it now.").waitFor();
	// The dialog itself is there already.
	await ann.click("#open-settings");
	await ann.locator("#profile-form button:enabled").waitFor();
	await ann.click("#settings-close");
	proxy.deaf = true;
	await ann.click("#open-settings");
	await ann.locator("#settings[open]").waitFor();
	assert.equal(await ann.locator("#profile-form button").isDisabled(), true, "it is not known yet what there is");
	proxy.deaf = false;
	proxy.closed = true;
	proxy.cut();
	await lost(ann);
	await ann.locator("#profile-error").getByText("Not connected").waitFor();
	assert.equal(await ann.locator("#profile-form button").isDisabled(), true);
	await ann.click("#settings-close");
	proxy.closed = false;
	await comeBack(ann);
	await ann.click("#open-settings");
	await holds(ann, () => document.querySelector("#profile-display").value === "Annie");
	await ann.fill("#profile-text", "tea");
	await ann.press("#profile-text", "Enter");
	await until("the status text", async () => (await eve.ask("whois", { users: ["ann"] })).profiles.ann?.text === "tea");
	assert.equal((await eve.ask("whois", { users: ["ann"] })).profiles.ann.display, "Annie");
});

test("a status text ends when it would have, unless another time is chosen", async () => {
	const room = "clock";
	const ann = await enter("ann", room);
	const eve = await Member.connect(server.tcp, "eve");
	await eve.join(room);
	const profile = async () => (await eve.ask("whois", { users: ["ann"] })).profiles.ann ?? {};
	const save = async (fields, time) => {
		for (const [name, value] of Object.entries(fields)) await ann.fill(`#profile-${name}`, value);
		if (time !== undefined) await ann.selectOption("#profile-time", time);
		await ann.locator("#profile-form button").click();
		await ann.locator("#profile-form button:enabled").waitFor();
	};
	await ann.click("#open-settings");
	await save({ text: "tea" }, "3600000");
	const { until: end } = await profile();
	assert.ok(end > Date.now());
	await save({ text: "coffee" });
	const later = await profile();
	assert.equal(later.text, "coffee");
	assert.ok(Math.abs(later.until - end) < 60_000, `${later.until} instead of ${end}`);
	await save({ display: "Annie" });
	assert.deepEqual(await profile(), { ...later, display: "Annie" });
	await save({}, "");
	assert.deepEqual(await profile(), { display: "Annie", text: "coffee" });
});
