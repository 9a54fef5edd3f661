import assert from "node:assert/strict";
import { test } from "node:test";
import { PAYLOADS } from "./hostile.mjs";
import { enter, holds, notes, opened, picture, say, server, shows } from "./page.mjs";
import { Member, until } from "./surroundings.mjs";

const PHONE = { viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2, colorScheme: "dark" };

/** Creates a room in the dialog for new conversations. */
const make = async (page, name, kind) => {
	await page.click("#add");
	await page.fill("#join-name", name);
	await page.selectOption("#join-kind", kind);
	await picture(page, `new-${name}`);
	await page.press("#join-name", "Enter");
	await opened(page, name);
};
/** The labels of the buttons in the moderation dialog. */
const offered = (page) => page.locator("#moderation [data-label]").allTextContents();
const press = (page, name) => page.locator("#moderation").getByRole("button", { name, exact: true }).click();
/** Opens the moderation dialog from the list of people. */
const fromPeople = async (page, name) => {
	await page.getByRole("button", { name: `Moderate ${name}`, exact: true }).click();
	await page.locator("#moderation").waitFor();
};
/** Opens the moderation dialog from the last message. */
const fromMessage = async (page) => {
	const message = page.locator("#messages > .msg").last();
	await message.hover();
	await message.getByRole("button", { name: "Moderate", exact: true }).click();
	await page.locator("#moderation").waitFor();
};
/** The longest allowed name, of the widest letter. */
const LONG = "w".repeat(32);
/** The contents of `part` are not wider than `part`. */
const fits = async (page, part) => {
	const over = await page.$eval(part, (node) => {
		const edges = [...node.querySelectorAll("button, a, small")].map((each) => each.getBoundingClientRect().right);
		return Math.max(node.scrollWidth - node.clientWidth, Math.max(...edges) - node.getBoundingClientRect().right);
	});
	assert.ok(over < 1, `${part} is too narrow by ${over}`);
};
const toast = (page, text) => holds(page, (wanted) => document.querySelector("#toasts").textContent.includes(wanted), text);
const there = (page, name) => page.locator("#persons li", { hasText: name }).waitFor();

test("a moderator acts from the list of people or a message; nobody else is offered it", async () => {
	const room = "guild";
	const ann = await enter("ann", "hall");
	await make(ann, room, "owned");
	const bob = await enter("bob", room);
	const kit = await Member.connect(server.tcp, "kit");
	await kit.join(room);
	await kit.say(room, "hello");
	for (const page of [ann, bob]) {
		await shows(page, "hello");
		await there(page, "kit");
		await there(page, "bob");
	}
	const own = ["Make read-only", "Make moderator", "Make owner"];
	const judge = ["Mute", "Unmute", "Remove", "Ban"];
	const strange = ["Ban", "Unban"];
	const acts = [
		{ from: fromPeople, offers: [...judge, ...own], press: ["Mute", "Mute for 10 minutes?"], reason: PAYLOADS[3], note: /^ann muted kit until .*\d.*: / },
		{ from: fromMessage, offers: [...judge, ...own], press: ["Unmute"], note: /^ann unmuted kit$/ },
		{ from: fromPeople, offers: [...judge, ...own], press: ["Mute", "Mute with no time limit?"], time: "No time limit", note: /^ann muted kit$/ },
		{ from: fromPeople, offers: [...judge, ...own], press: ["Make moderator", "Make moderator?"], note: /^ann made kit a moderator$/ },
		{ from: fromMessage, offers: [...judge, "Make read-only", "Make member", "Make owner"], press: ["Make read-only", "Make read-only?"], note: /^ann made kit read-only$/ },
		{ from: fromPeople, offers: [...judge, "Make member", "Make moderator", "Make owner"], press: ["Make member", "Make member?"], note: /^ann made kit a member$/ },
		{ from: fromPeople, offers: [...judge, ...own], press: ["Ban", "Ban for 1 day?"], time: "1 day", reason: "enough", note: /^ann banned kit until .*\d.*: enough$/ },
		{ from: fromMessage, offers: strange, press: ["Ban", "Ban with no time limit?"], time: "No time limit", note: /^ann banned kit$/ },
		{ from: fromMessage, offers: strange, press: ["Unban"], note: /^ann unbanned kit$/, then: () => kit.join(room) },
		{ from: fromMessage, offers: [...judge, ...own], press: ["Remove", "Remove from the room?"], reason: "bye", note: /^ann removed kit: bye$/ },
	];
	for (const [index, act] of acts.entries()) {
		await act.from(ann, "kit");
		assert.deepEqual(await offered(ann), act.offers, act.note);
		if (act.time) await ann.selectOption("#mod-time", { label: act.time });
		if (act.reason) await ann.fill("#mod-reason", act.reason);
		for (const name of act.press) await press(ann, name);
		await ann.locator("#moderation").waitFor({ state: "hidden" });
		for (const page of [ann, bob]) await until(`${act.note} at both`, async () => (await notes(page)).length === index + 1);
		assert.match((await notes(ann)).at(-1), act.note);
		await act.then?.();
	}
	assert.ok((await notes(ann))[0].endsWith(`: ${PAYLOADS[3]}`));
	// Everyone sees the same end of a ban as the moderator.
	assert.deepEqual(await notes(bob), await notes(ann));
	assert.deepEqual(kit.events.filter(({ ev }) => ev === "left").map(({ reason }) => reason), ["banned", "kicked"]);

	await there(bob, "ann");
	assert.equal(await bob.getByRole("button", { name: /^Moderate/ }).count(), 0);
	const message = bob.locator("#messages > .msg").last();
	await message.hover();
	await message.locator(".actions").waitFor();
	assert.equal(await bob.getByRole("button", { name: /^Moderate/ }).count(), 0);
});

test("a confirmation is void when the duration changes, and Escape cancels it", async () => {
	const ann = await enter("ann", "hall");
	await make(ann, "quiz", "owned");
	const kit = await Member.connect(server.tcp, "kit");
	await kit.join("quiz");
	await kit.say("quiz", "hello");
	await shows(ann, "hello");
	// By the keyboard alone: from the message to its toolbar, and there to the last button.
	const focus = () => ann.evaluate(() => document.activeElement.ariaLabel ?? document.activeElement.textContent);
	await ann.focus("#log");
	for (const key of ["ArrowUp", "Enter"]) await ann.keyboard.press(key);
	for (let stop = 0; stop < 11; stop += 1) await ann.keyboard.press("Tab");
	assert.equal(await focus(), "Moderate");
	await ann.keyboard.press("Enter");
	await ann.locator("#moderation").waitFor();
	await press(ann, "Ban");
	await picture(ann, "moderation-light");
	await ann.selectOption("#mod-time", { label: "1 hour" });
	await press(ann, "Ban");
	assert.ok((await offered(ann)).includes("Ban for 1 hour?"));
	await press(ann, "Remove");
	assert.deepEqual((await offered(ann)).filter((name) => name.endsWith("?")), ["Remove from the room?"]);
	await ann.keyboard.press("Escape");
	await ann.locator("#moderation").waitFor({ state: "hidden" });
	assert.equal(await focus(), "Moderate");
	// An earlier confirmation is forgotten.
	await ann.keyboard.press("Enter");
	await ann.locator("#moderation").waitFor();
	assert.deepEqual((await offered(ann)).filter((name) => name.endsWith("?")), []);
	for (let stop = 0; stop < 4; stop += 1) await ann.keyboard.press("Tab");
	assert.equal(await focus(), "Remove");
	await ann.keyboard.press("Enter");
	await ann.keyboard.press("Enter");
	await until("the line", async () => (await notes(ann)).join() === "ann removed kit");
});

test("where a large room does not tell its members, a person has the role of the list", async () => {
	const page = await enter("rex", "crowd");
	// With the first dialog all are there.
	await page.click("#open-search");
	await page.locator("#search[open]").waitFor();
	await page.click("#search-close");
	const judge = ["Mute", "Unmute", "Remove", "Ban"];
	for (const [seen, more, offers] of [
		["moderator", true, [...judge, "Make read-only", "Make member", "Make owner"]],
		[undefined, true, [...judge, "Unban", "Make read-only", "Make member", "Make moderator", "Make owner"]],
		// These are all members: whoever was in the list has gone since.
		["member", false, ["Ban", "Unban"]],
	]) {
		await page.evaluate(async ([seen, more]) => {
			const { moderationDialogs } = await import("/moderation.js");
			await moderationDialogs({ ask: async () => ({ users: [], more }), turn: () => () => true }).person({ name: "crowd", role: "owner" }, "kit", seen);
		}, [seen, more]);
		assert.deepEqual(await offered(page), offers, seen);
		await page.click("#mod-close");
	}
});

test("a moderator is offered less than an owner, and a refusal is shown", async () => {
	const eve = await Member.connect(server.tcp, "eve");
	await eve.ask("create", { room: "court" });
	const kit = await Member.connect(server.tcp, "kit");
	await kit.join("court");
	const long = await Member.connect(server.tcp, LONG);
	await long.join("court");
	const mia = await enter("mia", "court", server.url, PHONE);
	await eve.ask("role", { room: "court", user: "mia", role: "moderator" });
	await shows(mia, "made mia a moderator");
	const openPeople = () => mia.tap("#open-people");
	await openPeople();
	await there(mia, LONG);
	await fits(mia, "#persons");
	await picture(mia, "phone-dark-people");
	await fromPeople(mia, "kit");
	assert.deepEqual(await offered(mia), ["Mute", "Unmute", "Remove", "Ban"]);
	await press(mia, "Ban");
	await picture(mia, "moderation-phone-dark");
	await fits(mia, "#moderation");
	assert.equal(await mia.evaluate(() => document.documentElement.scrollWidth), 390);
	await mia.tap("#mod-close");
	await openPeople();
	await fromPeople(mia, "eve");
	assert.deepEqual(await offered(mia), []);
	assert.equal(await mia.textContent("#mod-help"), "Role: owner. Your role does not let you moderate this person.");
	await mia.tap("#mod-close");
	await openPeople();
	await fromPeople(mia, "kit");
	// The role is taken away while the dialog is open.
	await eve.ask("role", { room: "court", user: "mia", role: "member" });
	await until("the line", async () => (await notes(mia)).at(-1) === "eve made mia a member");
	await press(mia, "Remove");
	await Promise.all([toast(mia, "Only the owner and moderators may do this."), press(mia, "Remove from the room?")]);
	await openPeople();
	await until("nothing that is offered", async () => (await mia.getByRole("button", { name: /^Moderate/ }).count()) === 0);
});

test("a newcomer creates a private room, sets its topic, invites, and leaves", async () => {
	const ann = await enter("ann", "hall");
	await make(ann, "den", "private");
	await ann.click("#about-open");
	await ann.fill("#about-text", "tea <b>only</b>");
	await picture(ann, "about-light");
	await ann.press("#about-text", "Enter");
	await until("the topic", async () => (await ann.textContent("#topic")) === "tea <b>only</b>");
	assert.deepEqual(await notes(ann), ["ann set the topic: tea <b>only</b>"]);
	const ray = await enter("ray", "hall", server.url, { colorScheme: "dark" });
	await ann.click("#about-open");
	await ann.fill("#about-user", "@Ray");
	await Promise.all([toast(ann, "You invited ray to den."), ann.press("#about-user", "Enter")]);
	await ray.locator("#invites a").click();
	await opened(ray, "den");
	await until("the topic at the guest's", async () => (await ray.textContent("#topic")) === "tea <b>only</b>");
	// A plain member may neither set the topic nor invite.
	await ray.click("#about-open");
	await ray.locator("#about").waitFor();
	assert.equal(await ray.locator("#about-topic").isVisible(), false);
	await picture(ray, "about-dark");
	await ray.fill("#about-user", "kit");
	await Promise.all([toast(ray, "Only the owner and moderators may invite into this room."), ray.press("#about-user", "Enter")]);
	await ray.click("#leave");
	await ray.click("#asking-go");
	await opened(ray, "hall");
	await until("the room to go", async () => (await ray.locator("#rooms a", { hasText: "den" }).count()) === 0);
	// A name in use is refused; in a room without moderators everyone may set the topic.
	await ray.click("#add");
	await ray.fill("#join-name", "hall");
	await ray.selectOption("#join-kind", "owned");
	await Promise.all([toast(ray, "There is a room of this name already."), ray.press("#join-name", "Enter")]);
	await ray.click("#about-open");
	await ray.fill("#about-text", "open to all");
	await ray.press("#about-text", "Enter");
	await until("the topic of the hall", async () => (await ray.textContent("#topic")) === "open to all");
	await say(ray, "and on");
	await shows(ray, "and on");
});

test("an invitation stays over a reload until it is accepted, declined or refused", async () => {
	const eve = await Member.connect(server.tcp, "eve");
	const ray = await enter("ray", "porch");
	const names = () => ray.locator("#invites a > bdi").allTextContents();
	const rooms = ["inn-a", "inn-b", "inn-c"];
	for (const room of rooms) {
		await eve.ask("create", { room, private: true });
		await eve.ask("invite", { room, user: "ray" });
	}
	const reload = async (room, left) => {
		await ray.reload();
		await opened(ray, room);
		await until(`${left} to be left`, async () => (await names()).join() === left.join());
	};
	await until("all of them", async () => (await names()).join() === rooms.join());
	await reload("porch", rooms);
	// An invitation with the longest name still has room for its button.
	const long = await Member.connect(server.tcp, LONG);
	await long.ask("create", { room: `${LONG.slice(1)}z`, private: true });
	await long.ask("invite", { room: `${LONG.slice(1)}z`, user: "ray" });
	await ray.locator("#invites a", { hasText: LONG }).waitFor();
	await fits(ray, "#invites");
	await picture(ray, "invitations");
	await ray.getByRole("button", { name: `Decline ${LONG.slice(1)}z`, exact: true }).click();
	await until("it to go", async () => (await names()).join() === rooms.join());
	await ray.locator("#invites a", { hasText: "inn-a" }).click();
	await opened(ray, "inn-a");
	await reload("inn-a", ["inn-b", "inn-c"]);
	await ray.getByRole("button", { name: "Decline inn-b", exact: true }).click();
	await reload("inn-a", ["inn-c"]);
	await eve.ask("ban", { room: "inn-c", user: "ray" });
	await Promise.all([toast(ray, "inn-c: "), ray.locator("#invites a", { hasText: "inn-c" }).click()]);
	// A refused room does not stay in the address.
	await reload("inn-a", []);
	// The next user of this page does not get the invitations.
	await eve.ask("unban", { room: "inn-c", user: "ray" });
	await eve.ask("invite", { room: "inn-c", user: "ray" });
	await until("another", async () => (await names()).join() === "inn-c");
	await ray.click("#sign-out");
	await ray.fill("#name", "other");
	await ray.click("#sign-in .primary");
	await opened(ray, "lobby");
	assert.deepEqual(await names(), []);
});

test("a moderator sees whom a room keeps out or has invited, and can end it", async () => {
	const ann = await enter("ann", "hall");
	await make(ann, "salon", "private");
	const [kit, bob] = await Promise.all(["kit", "bob"].map((name) => Member.connect(server.tcp, name)));
	for (const typed of ["/invite kit", "/invite bob", "/invite ray"]) {
		await ann.fill("#text", typed);
		await Promise.all([toast(ann, `You invited ${typed.slice(8)} to salon.`), ann.press("#text", "Enter")]);
	}
	for (const member of [kit, bob]) await member.join("salon");
	for (const [typed, note] of [[`/ban kit ${PAYLOADS[3]}`, /^ann banned kit/], ["/mute bob 1h", /^ann muted bob until/]]) {
		await ann.fill("#text", typed);
		await ann.press("#text", "Enter");
		await until(`${note}`, async () => note.test((await notes(ann)).at(-1)));
	}
	const held = () => ann.$$eval("#about-held li", (nodes) => nodes.map((node) => node.firstChild.textContent).sort());
	await ann.click("#about-open");
	await until("three", async () => (await held()).length === 3);
	const [first, second, third] = await held();
	assert.match(first, /^bob is muted until .*\d.*, by ann$/);
	assert.equal(second, `kit is banned, by ann: ${PAYLOADS[3]}`);
	assert.match(third, /^ray is invited until .*\d.*, by ann$/);
	await picture(ann, "held");
	for (const name of ["Withdraw ray", "Unmute bob", "Unban kit"]) {
		const before = (await held()).length;
		await ann.locator("#about-held").getByRole("button", { name, exact: true }).click();
		await until(`${name} to be done`, async () => (await held()).length === before - 1);
	}
	assert.deepEqual(await held(), []);
});

test("an owner gives a room another name, and drafts, address and the others' pages go along", async () => {
	const own = await enter("own", "hall");
	await make(own, "study", "private");
	const bob = await Member.connect(server.tcp, "bob");
	await own.fill("#text", "/invite bob");
	await Promise.all([toast(own, "You invited bob to study."), own.press("#text", "Enter")]);
	await bob.join("study");
	await say(own, "before");
	await own.fill("#text", "half a sen");
	await own.click("#about-open");
	await own.fill("#about-name", "library");
	await picture(own, "rename");
	await own.press("#about-name", "Enter");
	await opened(own, "library");
	await shows(own, "own renamed the room from study to library");
	await until("its name in the list", async () => (await own.textContent("#rooms a[aria-current]")) === "#library");
	assert.match(await own.getAttribute("#rooms a[aria-current]", "href"), /#room=library$/);
	assert.equal(await own.inputValue("#text"), "half a sen");
	assert.match(own.url(), /#room=library$/);
	await bob.ask("send", { room: "study", text: "by the name of before" });
	await shows(own, "by the name of before");
	// A link of before leads there, too.
	await own.goto(`${server.url}#room=study`);
	await own.reload();
	await opened(own, "library");
	await shows(own, "before");
});

test("an owner deletes a room for all, knowing what is lost, and those inside see by whom and why", async () => {
	const own = await enter("own", "hall");
	await make(own, "attic", "owned");
	const bob = await enter("bob", "attic");
	await say(own, "one");
	await shows(bob, "one");
	await own.click("#about-open");
	await own.fill("#about-why", PAYLOADS[3]);
	await own.getByRole("button", { name: "Delete for everybody", exact: true }).click();
	await own.locator("#asking").waitFor();
	assert.equal(await own.textContent("#asking-text"), "It is deleted for all its 2 members. Its only message is lost for good.");
	await picture(own, "delete-for-all");
	await Promise.all([toast(bob, `own deleted attic: ${PAYLOADS[3]}`), own.click("#asking-go")]);
	await shows(bob, "was deleted.");
	await shows(own, "was deleted.");
});
