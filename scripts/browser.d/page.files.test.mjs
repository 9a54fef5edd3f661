import assert from "node:assert/strict";
import { test } from "node:test";
import { assertAccessible, enter, holds, picture, say, server, shows } from "./page.mjs";
import { Member, until } from "./surroundings.mjs";

/** Files that are chosen by the button. */
async function choose(page, files) {
	const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.click("#attach")]);
	await chooser.setFiles(files);
}

/** What the server has of a file that a message shows, asked for by this user. */
const stored = (page, user, room, seq, id) => page.evaluate(async ([as, name, at, file]) => {
	const answer = await fetch(`/rooms/${name}/messages/${at}/files/${file}?as=${as}`);
	return { type: answer.headers.get("Content-Type"), bytes: [...new Uint8Array(await answer.arrayBuffer())] };
}, [user, room, seq, id]);

/** The messages of a room as the server has them. */
const history = (page, user, room) => page.evaluate(async ([as, name]) => {
	const answer = await fetch(`/rooms/${name}/messages?after=0&as=${as}`);
	return (await answer.json()).items;
}, [user, room]);

/** A photograph of this width, which says where it was taken. */
async function photograph(page, width) {
	const url = await page.evaluate((side) => {
		const canvas = Object.assign(document.createElement("canvas"), { width: side, height: side / 2 });
		const context = canvas.getContext("2d");
		context.fillStyle = "teal";
		context.fillRect(0, 0, side, side / 4);
		return canvas.toDataURL("image/jpeg");
	}, width);
	const plain = Buffer.from(url.split(",")[1], "base64");
	const words = Buffer.from("Exif\0\0GPS 52.5163N 13.3777E");
	const length = Buffer.alloc(2);
	length.writeUInt16BE(words.length + 2);
	return Buffer.concat([plain.subarray(0, 2), Buffer.from([0xff, 0xe1]), length, words, plain.subarray(2)]);
}

test("a picture is sent without where it was taken, shown small to all, and opened large", async () => {
	const [ann, bob] = await Promise.all([enter("ann", "pictures"), enter("bob", "pictures")]);
	const photo = await photograph(ann, 1600);
	assert.ok(photo.includes("GPS"));
	await choose(ann, [{ name: "beach.JPEG", mimeType: "image/jpeg", buffer: photo }]);
	await holds(ann, () => document.querySelectorAll("#tray li").length === 1);
	await assertAccessible(ann, "the tray");
	await say(ann, "our beach");
	await shows(bob, "our beach");
	await holds(bob, () => document.querySelector(".files img")?.naturalWidth > 0);
	const shown = await bob.$eval(".files img", (image) => [image.alt, image.naturalWidth, image.width, image.src.startsWith("blob:")]);
	assert.deepEqual(shown, ["beach.jpg", 480, 320, true]);
	const [message] = await history(bob, "bob", "pictures");
	const [file] = message.data.files;
	assert.deepEqual([file.name, file.type, file.w, file.h], ["beach.jpg", "image/jpeg", 1600, 800]);
	for (const id of [file.id, file.thumb.id]) {
		const { type, bytes } = await stored(bob, "bob", "pictures", message.seq, id);
		assert.equal(type, "image/jpeg");
		assert.equal(Buffer.from(bytes).includes("GPS"), false);
	}
	await bob.click(".picture");
	await holds(bob, () => document.querySelector("#picture-image").naturalWidth === 1600);
	await assertAccessible(bob, "a large picture");
	await picture(bob, "picture-large");
	await bob.keyboard.press("Escape");
	assert.equal(await bob.locator("#picture").isVisible(), false);
	await holds(ann, () => document.querySelector(".files img")?.naturalWidth > 0);
	await picture(ann, "pictures");
	await assertAccessible(ann, "a message with a picture");

	// It goes with its message, for everybody.
	await ann.locator("#messages > .msg").last().hover();
	await ann.getByRole("button", { name: "Delete" }).click();
	await ann.getByRole("button", { name: /^Delete/ }).last().click().catch(() => {});
	await holds(bob, () => document.querySelectorAll(".files").length === 0);
});

test("what is dropped or pasted is sent with the next message, in its room", async () => {
	const page = await enter("cyd", "drops-in");
	const give = (type) => page.evaluate((kind) => {
		const data = new DataTransfer();
		data.items.add(new File([`by ${kind}`], `${kind}.txt`, { type: "text/plain" }));
		const event = kind === "paste" ? new ClipboardEvent(kind, { bubbles: true, cancelable: true, clipboardData: data }) : new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: data });
		document.querySelector("#text").dispatchEvent(event);
	}, type);
	await give("drop");
	await give("paste");
	await holds(page, () => document.querySelectorAll("#tray li").length === 2);
	await page.press("#text", "Enter");
	await shows(page, "drop.txt, paste.txt");
	await holds(page, () => document.querySelectorAll(".files .file").length === 2);
	assert.equal(await page.locator("#tray").isVisible(), false);
	const [download] = await Promise.all([page.waitForEvent("download"), page.locator(".files .file").first().click()]);
	assert.equal(download.suggestedFilename(), "drop.txt");
});

test("a lost connection is waited for, and what is taken out is not sent", async () => {
	const page = await enter("dee", "slowly");
	let tries = 0;
	await page.route("**/files?*", (route) => {
		if (route.request().method() !== "POST") return route.continue();
		tries += 1;
		return tries < 3 ? route.abort("connectionreset") : route.continue();
	});
	const text = { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("notes") };
	await choose(page, [text]);
	await say(page, "with notes");
	await shows(page, "with notes");
	assert.ok(tries >= 3, `${tries}`);
	await holds(page, () => document.querySelectorAll(".files .file").length === 1);
	await choose(page, [{ ...text, name: "not.txt" }]);
	await page.getByRole("button", { name: "Do not send not.txt" }).click();
	await say(page, "without");
	await shows(page, "without");
	assert.equal(await page.locator(".files").count(), 1);
	await page.unroute("**/files?*");
});

test("nothing in a file or its name runs", async () => {
	const [eve, page] = await Promise.all([enter("eve", "hostile-files"), enter("fay", "hostile-files")]);
	const names = ["<img src=x onerror=alert(1)>.html", "\"><script>alert(1)<\u2215script>.svg", "javascript:alert(1)", "\u202egnp.exe"];
	const bodies = ["<!doctype html><script>alert(document.domain)</script>", "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "GIF89a=1/*", "x"];
	await choose(eve, names.map((name, at) => ({ name, mimeType: ["text/html", "image/svg+xml", "text/javascript", "application/pdf"][at], buffer: Buffer.from(bodies[at].replace("GIF89a", "gif")) })));
	await say(eve, "look");
	await shows(page, "look");
	await until("the files", async () => (await page.locator(".files .file").count()) === names.length);
	assert.deepEqual(await page.$$eval(".files .file bdi", (nodes) => nodes.map((node) => node.textContent)), names);
	const [{ seq, data }] = await history(page, "fay", "hostile-files");
	for (const { id } of data.files) {
		const { type } = await stored(page, "fay", "hostile-files", seq, id);
		assert.equal(type, "text/plain; charset=utf-8");
	}
	// Opened as a document of its own, it has no origin and no script.
	const place = `rooms/hostile-files/messages/${seq}/files/${data.files[0].id}?as=fay`;
	const [download] = await Promise.all([
		page.waitForEvent("download"),
		page.evaluate((url) => window.open(url, "_self"), `${server.url}${place}`),
	]);
	assert.ok(download.suggestedFilename().endsWith(".html"));
	// What a message says of its files is anybody's word.
	const odd = [{ files: "x" }, { files: [{ id: "cwf_x" }, null, 7, { id: { toString: 1 } }] }, { files: [{ id: `cwf_${"a".repeat(32)}`, w: "9", h: {}, name: ["x"] }] }];
	const refusals = [];
	for (const given of odd.slice(0, 2)) {
		refusals.push(await page.evaluate(async ([body]) => (await fetch("/rooms/hostile-files/messages?as=fay", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) })).status, [{ text: "odd", data: given }]));
	}
	assert.deepEqual(refusals, [201, 201]);
	await until("the odd ones", async () => (await page.locator("#messages > .msg").count()) === 3);
	assert.equal(await page.locator(".files > *").count(), names.length);
});

test("the log stays at its end as the files of a message are shown, and a long name makes it no wider", async () => {
	const robot = await Member.connect(server.tcp, "robot");
	await robot.join("album");
	for (let line = 0; line < 40; line += 1) await robot.say("album", `line ${line}`);
	const [ann, pia] = await Promise.all([enter("ann", "album"), enter("pia", "album", undefined, { viewport: { width: 360, height: 720 }, hasTouch: true, isMobile: true })]);
	const photo = await photograph(ann, 800);
	for (const name of ["first", "second"]) {
		const files = [{ name: `${name}.jpg`, mimeType: "image/jpeg", buffer: photo }, { name: `${name} of ${"very long names ".repeat(8)}.txt`, mimeType: "text/plain", buffer: Buffer.from("text") }];
		await choose(ann, files);
		await holds(ann, () => document.querySelectorAll("#tray li").length === 2);
		await say(ann, `${name} files`);
		for (const page of [ann, pia]) {
			await shows(page, `${name} files`);
			await holds(page, () => document.querySelector("#messages > .msg:last-child .files .file"));
			await holds(page, () => {
				const log = document.querySelector("#log");
				return log.scrollHeight - log.scrollTop - log.clientHeight < 3;
			});
		}
	}
	assert.equal(await pia.evaluate(() => document.querySelector("#log").scrollWidth), 360);
	await picture(pia, "files-phone");
});
