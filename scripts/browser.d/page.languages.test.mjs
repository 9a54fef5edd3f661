// The languages of the page: each has one file, with the same keys, and no text of the page stands elsewhere.
import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { test } from "node:test";
import { assertAccessible, enter, holds, opened, picture, say, server, shows, visit } from "./page.mjs";
import { Member, until } from "./surroundings.mjs";

const FOLDER = new URL("../../src/page/", import.meta.url);
const read = (name) => readFile(new URL(name, FOLDER), "utf8");
const textsOf = async (language) => (await import(`data:text/javascript,${encodeURIComponent(await read(`${language}.js`))}`)).texts;

/** The places in a text, and `n` once for all of its forms. */
const places = (text) => [...new Set([text].flat().flatMap((form) => [...form.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)))].sort();

test("all languages have the same texts, with the same places in them", async () => {
	const [en, zh] = await Promise.all(["en", "zh"].map(textsOf));
	assert.deepEqual(Object.keys(zh), Object.keys(en));
	assert.ok(Object.keys(en).length > 400);
	for (const [key, text] of Object.entries(zh)) {
		assert.ok([text].flat().every(Boolean), `${key} has a text`);
		const known = [...places(en[key]), "n"];
		// A refusal may be told without the server's own words, which are English.
		for (const place of places(text)) assert.ok(known.includes(place), `${key}: {${place}}`);
		if (!key.startsWith("error.")) for (const place of places(en[key])) assert.ok(place === "n" || places(text).includes(place), `${key}: {${place}} is missing`);
		assert.match([text].flat().join(), key.startsWith("error.") ? /./ : /\p{Script=Han}|^[：，。]?\{|^[{}\s\w()：（）。@]*$/u, key);
	}
});

/** Scripts that speak to programs or have no words, and the worker, which no page has told of its language. */
const SPEAK_TO_NOBODY = ["client.js", "worker.js", "transfer.js", "markdown.js", "emoji.js", "en.js", "zh.js"];
/** What looks like words and is none, two at most in small letters: names of keys, kinds, browsers, fields and commands. */
const NO_WORDS = /^(?:[a-z-]+(?: [a-z?_-]+)?|Firefox|Edg|OPR|Chrome|Safari|Edge|Opera|Files|Enter|Escape|Tab|Arrow\w+|GET|POST|Notification|NotAllowedError|Chinwag|Copy|KB|MB)$/;

test("no text of the page stands elsewhere than in the files of the languages", async () => {
	const scripts = (await readdir(FOLDER)).filter((name) => name.endsWith(".js") && !SPEAK_TO_NOBODY.includes(name));
	assert.ok(scripts.length > 25);
	const found = [];
	for (const name of scripts) {
		// Without comments; texts with a blank between words, or that begin with a capital letter, would be read by people.
		const source = (await read(name)).replace(/^\s*\/\*\*[^]*?\*\/$/gm, "").replace(/^\s*\/\/.*$/gm, "").replace(/\s\/\/ .*$/gm, "");
		for (const [literal] of source.matchAll(/"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g)) {
			// The marks of a picture are no words.
			const text = literal.slice(1, -1).replace(/\$\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}/g, "").replace("Chinwag", "").replace(/<[^<>]*>/g, "");
			const isRead = /[a-z]{2,} [a-z]{2,}/i.test(text) || /^[^a-z]*[A-Z][a-z]+/.test(text);
			if (isRead && !NO_WORDS.test(text)) found.push(`${name}: ${literal}`);
		}
	}
	// The examples of commands, and what the terminal calls them, are no sentences.
	assert.deepEqual(found.filter((each) => !/^commands\.js: "(?:\/|[a-z_? -]+")/.test(each)), []);
	for (const name of ["index.html", "dialogs.html"]) {
		const html = (await read(name)).replace(/<(title|noscript|strong|h1)[^>]*>[^<]*<\/\1>/g, "");
		const texts = [...html.matchAll(/>([^<>]*[A-Za-z][^<>]*)</g)].map(([, text]) => text.trim());
		assert.deepEqual(texts, name === "dialogs.html" ? ["2:30 PM", "English"] : [], name);
		assert.deepEqual([...html.matchAll(/ (?:aria-label|title|placeholder)="[^"]*"/g)].map(String), [], name);
	}
	assert.deepEqual([...(await read("style.css")).matchAll(/content: "[^"]*[A-Za-z][^"]*"/g)].map(String), []);
});

test("each key that a script or the document asks for is there", async () => {
	const en = await textsOf("en");
	const names = (await readdir(FOLDER)).filter((name) => /\.(js|html)$/.test(name) && !["en.js", "zh.js"].includes(name));
	let asked = 0;
	for (const name of names) {
		const source = await read(name);
		for (const [, key] of source.matchAll(/(?<![\w.])tn?\("([^"]+)"|data-t(?:-[a-z-]+)?="([^"]+)"/g)) {
			if (key) assert.ok(key in en, `${name}: ${key}`);
		}
		for (const [, key] of source.matchAll(/data-t(?:-[a-z-]+)?="([^"]+)"/g)) {
			assert.ok(key in en, `${name}: ${key}`);
			asked += 1;
		}
	}
	assert.ok(asked > 100, `${asked}`);
	// And the other way round: nothing is translated that nobody reads.
	const all = (await Promise.all(names.map(read))).join("\n");
	const computed = /^(?:audit|error|cmd|role|log|held|door|act|color)\./;
	assert.deepEqual(Object.keys(en).filter((key) => !computed.test(key) && !all.includes(`"${key}"`)), []);
});

/** What is shown and has words of English, but for names. */
const english = (page) => page.evaluate(() => {
	const own = "#me, #title, bdi, code, time, b, #messages .text, [lang], option, kbd, strong, h1";
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	const found = [];
	while (walker.nextNode()) {
		const node = walker.currentNode.parentElement;
		const text = walker.currentNode.textContent;
		if (/[A-Za-z]{3,}/.test(text.replace(/Enter|Ctrl|Shift|JSON|Tab/g, "")) && node.checkVisibility() && !node.closest(own) && !node.closest(".avatar")) found.push(text);
	}
	for (const node of document.querySelectorAll("[aria-label], [title], [placeholder]")) {
		for (const name of ["aria-label", "title", "placeholder"]) {
			const text = node.getAttribute(name) ?? "";
			if (node.checkVisibility() && /[A-Za-z]{3,} [A-Za-z]{2,}/.test(text.replace(/Ctrl\+K|\d+\/\d+\/\d+.*/, ""))) found.push(`${name}: ${text}`);
		}
	}
	return found;
});

test("whoever chooses Chinese has all of the page in Chinese, also on the next visit, and others do not load it", async () => {
	const eve = await Member.connect(server.tcp, "eve");
	await eve.join("yuan");
	await eve.say("yuan", "hello");
	const page = await enter("ming", "yuan");
	await shows(page, "hello");
	const loaded = () => page.evaluate(() => performance.getEntriesByType("resource").map(({ name }) => name).filter((name) => /\/zh\.js$/.test(name)).length);
	assert.equal(await loaded(), 0);
	assert.equal(await page.getAttribute("html", "lang"), "en");
	await page.click("#open-settings");
	await page.selectOption("#settings-language", "zh");
	await holds(page, () => document.documentElement.lang === "zh-Hans");
	await opened(page, "yuan");
	await shows(page, "hello");
	assert.equal(await loaded(), 1);
	await eve.ask("topic", { room: "yuan", text: "茶" });
	await shows(page, "eve 设置了话题：茶");
	await page.locator("#messages > .msg").first().hover();
	assert.deepEqual(await english(page), []);
	await assertAccessible(page, "the page in Chinese");
	await picture(page, "chinese");
	for (const [button, dialog, close] of [["open-settings", "settings", "settings-close"], ["open-directory", "directory", "directory-close"], ["members-open", "members", "members-close"], ["about-open", "about", "about-close"], ["open-search", "search", "search-close"], ["open-switcher", "switcher", "switcher-close"], ["add", "join", "join-cancel"], ["open-emoji", "emoji", "emoji-close"]]) {
		await page.click(`#${button}`);
		await page.locator(`#${dialog}[open]`).waitFor();
		if (["directory", "members"].includes(dialog)) await page.locator(`#${dialog} li`).first().waitFor();
		assert.deepEqual((await english(page)).filter((text) => dialog !== "emoji" || !/^(title|aria-label)/.test(text)), [], dialog);
		await assertAccessible(page, `${dialog} in Chinese`);
		await picture(page, `chinese-${dialog}`);
		await page.click(`#${close}`);
	}
	await say(page, "/nothing");
	await holds(page, () => document.querySelector("#hint").textContent.includes("没有命令 /nothing"));
	await page.fill("#text", "");
	await say(page, "/topic 水");
	await shows(page, "ming 设置了话题：水");
	await say(page, "/kick eve");
	await until("the refusal", async () => /不允许这样做/.test(await page.textContent("#toasts")));
	await page.click("#sign-out");
	await page.locator("#welcome").waitFor();
	assert.deepEqual(await english(page), []);
	await picture(page, "chinese-door");
});

test("a browser that asks for Chinese gets it, one that asks for a language that there is none of gets English", async () => {
	const chinese = await visit(server.url, { locale: "zh-TW" });
	await holds(chinese, () => document.querySelector("#door-go").textContent === "加入");
	const french = await visit(server.url, { locale: "fr-FR" });
	await holds(french, () => document.querySelector("#door-go").textContent === "Join");
});
