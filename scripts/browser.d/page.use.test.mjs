import assert from "node:assert/strict";
import { test } from "node:test";
import { assertAccessible, assertDense, enter, holds, lines, opened, picture, say, server, shows, visit } from "./page.mjs";
import { Member, clear, until } from "./surroundings.mjs";

test("history comes on scrolling up, keeps its place, and the document stays bounded", async () => {
	const eve = await Member.connect(server.tcp, "eve");
	await eve.join("past");
	for (let line = 1; line <= 150; line += 1) await eve.say("past", `line ${line}`);
	const ivy = await enter("ivy", "past");
	await shows(ivy, "line 150");
	const few = (await lines(ivy)).length;
	// Of an older page no frame gets more than a part, so that none takes long.
	await ivy.evaluate(() => {
		window.parts = [];
		new MutationObserver((changes) => window.parts.push(changes.reduce((sum, { addedNodes }) => sum + addedNodes.length, 0))).observe(document.querySelector("#messages"), { childList: true });
	});
	assert.ok(few < 150, `${few} lines at first`);
	for (let part = 0; part < 20 && (await lines(ivy)).length < 150; part += 1) {
		const before = await ivy.evaluate(() => {
			const log = document.querySelector("#log");
			log.scrollTop = 20;
			const text = document.querySelector("#messages .text");
			return { text: text.textContent, top: text.getBoundingClientRect().top, nodes: document.querySelectorAll("#messages > li").length };
		});
		// The last part may have come since they were counted.
		await holds(ivy, (nodes) => document.querySelectorAll("#messages > li").length > Math.min(nodes, 149), before.nodes);
		const top = await ivy.evaluate((wanted) => [...document.querySelectorAll("#messages .text")]
			.find((node) => node.textContent === wanted).getBoundingClientRect().top, before.text);
		assert.ok(Math.abs(top - before.top) < 3, `moved from ${before.top} to ${top}`);
	}
	const shown = await lines(ivy);
	assert.equal(shown.length, 150);
	assertDense(shown);
	const most = await ivy.evaluate(() => Math.max(...window.parts));
	assert.ok(most > 0 && most <= 10, `${most} in one frame`);
	await shows(ivy, "This is the beginning of past.");
	await ivy.click("#latest");
	await holds(ivy, () => {
		const log = document.querySelector("#log");
		return log.scrollHeight - log.scrollTop - log.clientHeight < 5;
	});
});

test("a message with hundreds of reactions is shown, and its history is fetched once", async () => {
	const eve = await Member.connect(server.tcp, "eve");
	await eve.join("applause");
	const { seq } = await eve.ask("send", { room: "applause", text: "it is done" });
	for (let time = 0; time < 200; time += 1) for (const remove of [false, true]) await eve.reply("react", { room: "applause", target: seq, emoji: "👍", remove });
	const page = await visit();
	await page.addInitScript(() => {
		const { send } = WebSocket.prototype;
		window.fetched = 0;
		WebSocket.prototype.send = function (said) {
			window.fetched += String(said).includes('"op":"history"');
			return send.call(this, said);
		};
	});
	await page.goto(`${server.url}#room=applause`);
	await page.reload();
	await page.fill("#name", "ugo");
	await page.click("#sign-in .primary");
	await opened(page, "applause");
	await shows(page, "it is done");
	const fetched = await page.evaluate(() => window.fetched);
	assert.ok(fetched <= 12, `${fetched} pages of 401 records`);
	// What comes then asks for nothing.
	await eve.say("applause", "thanks");
	await shows(page, "thanks");
	assert.equal(await page.evaluate(() => window.fetched), fetched);
});

test("a flood leaves the document bounded, and does not move a reader far above", async () => {
	const lou = await enter("lou", "flood");
	const nodes = () => lou.evaluate(() => document.querySelectorAll("#messages > li").length);
	const crowd = await Promise.all(Array.from({ length: 20 }, (_, number) => Member.connect(server.tcp, `loud${number}`)));
	await Promise.all(crowd.map((member) => member.join("flood")));
	const flood = (from) => Promise.all(crowd.map(async (member, number) => {
		for (let line = 0; line < 24; line += 1) await member.say("flood", `${from} ${number} ${line}`);
	}));
	const each = crowd.length * 24;
	const last = async () => Number.parseInt((await lines(lou)).at(-1), 10);
	await flood("first");
	await until("the newest line", async () => (await last()) === each);
	assert.ok((await nodes()) <= 160, `${await nodes()} nodes`);
	assertDense(await lines(lou));

	await lou.evaluate(() => (document.querySelector("#log").scrollTop = 3000));
	await lou.locator("#latest").waitFor();
	const place = () => lou.evaluate(() => {
		const top = document.querySelector("#log").getBoundingClientRect().top;
		const node = [...document.querySelectorAll("#messages > .msg")].find((each) => each.getBoundingClientRect().top > top);
		return [node.value, Math.round(node.getBoundingClientRect().top)];
	});
	const before = await place();
	await flood("second");
	await until("the count of what is new", async () => /\d+\+? new/.test(await lou.textContent("#latest")));
	assert.deepEqual(await place(), before);
	assert.ok((await nodes()) <= 160);
	// Scrolling down fetches until the newest is there.
	await until("the newest by scrolling", async () => {
		await lou.evaluate(() => (document.querySelector("#log").scrollTop = 1e9));
		return (await last()) === 2 * each;
	});
	assertDense((await lines(lou)).slice(-200));
	assert.ok((await nodes()) <= 160);
});

test("direct messages, unread counts, typing and presence", async () => {
	const [una, vic] = await Promise.all([enter("una", "park"), enter("vic", "park")]);
	const person = una.locator("#persons button", { hasText: "vic" });
	await person.waitFor();
	await person.click();
	await opened(una, "vic");
	await say(una, "psst");
	const badge = vic.locator("#directs a", { hasText: "una" });
	await badge.waitFor();
	// The conversation may be listed a moment before its message counts.
	await until("the count", async () => /1 new/.test(await badge.textContent()));
	await until("the count in the title", async () => /^\(1\)/.test(await vic.title()));
	await badge.click();
	await opened(vic, "una");
	await shows(vic, "psst");
	await until("the count to vanish", async () => !(await vic.title()).startsWith("("));
	await vic.locator("#text").pressSequentially("well");
	await holds(una, () => /vic.* is typing/.test(document.querySelector("#typing").textContent));
	await vic.press("#text", "Enter");
	await shows(una, "well");
	await holds(una, () => document.querySelector("#typing").textContent === "");
	await holds(una, () => document.querySelector("#topic").textContent === "online");
	await until("the receipt", async () => /Read by/.test(await vic.textContent("#read")));
	await picture(vic, "direct");
	// A reload keeps the user, the rooms, and the messages.
	await vic.reload();
	await opened(vic, "una");
	await shows(vic, "psst");
	await vic.locator("#rooms a", { hasText: "park" }).waitFor();
	await until("what una has read, still", async () => /Read by .una/.test(await vic.textContent("#read")));
});

test("who comes back is connected while the page is loaded, and asks for what is to be shown at once and once", async () => {
	// Without a worker, which would fetch the files itself.
	const options = { locale: "en-NZ" };
	await (await visit(server.url, options)).addInitScript(() => Object.defineProperty(navigator, "serviceWorker", { value: undefined }));
	await clear();
	const page = await enter("wes", "again", undefined, options);
	await say(page, "here I am");
	await shows(page, "here I am");
	const bot = await Member.connect(server.tcp, "robot");
	await bot.join("again");
	const sent = [];
	let sockets = 0;
	let answered;
	const answering = new Promise((resolve) => (answered = resolve));
	page.on("websocket", (socket) => {
		sockets += 1;
		socket.on("framesent", ({ payload }) => sent.push(JSON.parse(payload).op));
		socket.on("framereceived", ({ payload }) => JSON.parse(payload).id === "page" && answered());
	});
	// The script that draws the page arrives after the first page of messages is there, and after another message.
	await page.route("**/app.js", async (route) => {
		await answering;
		await bot.say("again", "said meanwhile");
		await route.continue();
	});
	await page.reload();
	await opened(page, "again");
	await shows(page, "said meanwhile");
	assert.deepEqual(await lines(page), ["1 here I am", "2 said meanwhile"]);
	assert.equal(sockets, 1);
	const asked = (op) => sent.filter((each) => each === op).length;
	assert.deepEqual(["hello", "rooms", "join", "history"].map(asked), [1, 1, 1, 1], `${sent}`);
	assert.deepEqual(sent.slice(0, 2), ["hello", "history"]);
	// Who leaves is not connected any more, nor is who opens the page then.
	await page.click("#sign-out");
	await page.locator("#welcome").waitFor();
	sent.length = 0;
	await page.reload();
	await page.locator("#door-go").waitFor();
	assert.equal(sent.includes("hello"), false, `${sent}`);
});

test("who loads the page anew before it was there keeps the name, and what is new stands under its line", async () => {
	// Without a worker, which would fetch the files itself.
	const options = { locale: "en-SG" };
	await (await visit(server.url, options)).addInitScript(() => Object.defineProperty(navigator, "serviceWorker", { value: undefined }));
	await clear();
	const bot = await Member.connect(server.tcp, "robot");
	await bot.join("hasty");
	const page = await enter("ned", "hasty", undefined, options);
	await say(page, "here I am");
	await until("what is read", async () => bot.events.some(({ ev, read }) => ev === "receipts" && read?.ned));
	const answering = () => new Promise((resolve) => page.once("websocket", (socket) => socket.on("framereceived", ({ payload }) => JSON.parse(payload).id === "page" && resolve())));
	// Twice the script that draws the page does not come: the sessions that were begun meanwhile are known to none but the page.
	await page.route("**/app.js", (route) => route.fulfill({ contentType: "text/javascript", body: "" }));
	for (let load = 0; load < 2; load += 1) {
		const answered = answering();
		await page.reload();
		await answered;
	}
	await bot.say("hasty", "said meanwhile");
	await page.unroute("**/app.js");
	await page.reload();
	await opened(page, "hasty");
	await shows(page, "said meanwhile");
	assert.equal(await page.textContent("#me"), "ned");
	assert.deepEqual(await page.locator("#messages > .new .text").allTextContents(), ["said meanwhile"]);
	await say(page, "it is me");
	await shows(page, "it is me");
	assert.deepEqual(await lines(page), ["1 here I am", "2 said meanwhile", "3 it is me"]);
});

test("a long message is folded until one asks for all of it, and not any more when an edit has made it short", async () => {
	const bot = await Member.connect(server.tcp, "robot");
	await bot.join("novels");
	const long = Array.from({ length: 60 }, (_, line) => `line ${line}`).join("\n");
	const { seq } = await bot.say("novels", long);
	await bot.say("novels", long.split("\n").slice(0, 24).join("\n"));
	const page = await enter("rob", "novels");
	await shows(page, "line 59");
	assert.equal(await page.locator(".unfold").count(), 1);
	const height = () => page.locator("#messages > .msg .text").first().evaluate((node) => node.offsetHeight);
	const folded = await height();
	assert.ok(folded <= 320, `${folded}`);
	await assertAccessible(page, "a folded message");
	await picture(page, "folded");
	// By the keyboard, too.
	await page.locator(".unfold").press("Enter");
	await holds(page, () => document.querySelector(".unfold").ariaExpanded === "true");
	assert.ok((await height()) > 1000);
	// What is read stays where it is.
	await holds(page, () => !document.querySelector("#latest").hidden);
	await page.locator(".unfold").press("Enter");
	await until("the fold", async () => (await height()) === folded);
	// Who is at the end again follows it.
	await holds(page, () => document.querySelector("#latest").hidden);
	await bot.ask("edit", { room: "novels", target: seq, text: "in short" });
	await holds(page, () => document.querySelector("#messages > .msg .text").textContent === "in short");
	assert.equal(await page.locator(".unfold, .folded").count(), 0);
});

test("a room of many shows how many, not who", async () => {
	const crowd = await Promise.all(Array.from({ length: 201 }, (_, number) => Member.connect(server.tcp, `fan${number}`)));
	await Promise.all(crowd.map((member) => member.join("stadium")));
	const joy = await enter("joy", "stadium");
	await holds(joy, () => /^202 online, too many to list$/.test(document.querySelector("#crowd").textContent));
	await joy.locator("#persons li").first().waitFor({ state: "detached" });
	// Nobody is told of changes there: minutes later it is asked again.
	const [fan] = crowd;
	await fan.say("stadium", "one");
	await shows(joy, "one");
	await until("what is known of the fan", () => joy.evaluate(() => document.querySelector("#messages .who").dataset.called));
	await fan.ask("profile", { display: "First of all" });
	await joy.evaluate(() => {
		const now = Date.now;
		Date.now = () => now() + 600_000;
	});
	await fan.say("stadium", "two");
	await holds(joy, () => [...document.querySelectorAll("#messages .who")].every((each) => each.textContent === "First of all fan0"));
});
