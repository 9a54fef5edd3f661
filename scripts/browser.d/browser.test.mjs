// The chat page in Chromium against the real server. Started by scripts/browser, which says where the binary is.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { PAYLOADS } from "./hostile.mjs";
import { Member, Proxy, Server, until } from "./surroundings.mjs";

const { CHINWAG_BIN, SCREENSHOTS } = process.env;
const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

let browser;
let server;
/** What no page may ever do: errors, dialogs, violations of the policy. */
const troubles = [];

before(async () => {
  await mkdir(SCREENSHOTS, { recursive: true });
  server = await Server.start(CHINWAG_BIN);
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
});

after(async () => {
  await browser?.close();
  await server?.stop("SIGKILL");
});

/** A page at the welcome form, in a profile of its own. */
async function visit(url = server.url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  page.on("dialog", (dialog) => {
    troubles.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("pageerror", (error) => troubles.push(`error: ${error.stack}`));
  page.on("console", (message) => {
    // A connection that fails is said on the console by the browser itself.
    if (["error", "warning"].includes(message.type()) && !/WebSocket|ERR_CONNECTION/.test(message.text())) {
      troubles.push(`console: ${message.text()}`);
    }
  });
  await page.exposeFunction("reportViolation", (text) => troubles.push(`policy: ${text}`));
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => window.reportViolation(`${event.violatedDirective} ${event.sample}`));
  });
  await page.goto(url);
  return page;
}

/** A page whose person has come in under `name` and opened `room`. */
async function enter(name, room, url, options) {
  const page = await visit(url, options);
  await page.goto(`${url ?? server.url}#room=${encodeURIComponent(room)}`);
  await page.fill("#name", name);
  await page.click("#enter .primary");
  await opened(page, room);
  return page;
}

const opened = (page, room) =>
  page.waitForFunction(
    (name) => document.querySelector("#title").textContent === name && document.querySelector("#app").dataset.line === "ready",
    room,
  );

async function say(page, text) {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
}

/** The messages shown, as `seq text`. */
const lines = (page) =>
  page.$$eval("#messages > .msg:not(.waiting)", (nodes) => nodes.map((node) => `${node.value} ${node.querySelector(".text").textContent}`));
const notes = (page) => page.$$eval("#messages > .note > p:last-child", (nodes) => nodes.map((node) => node.textContent));
const shows = (page, text) => page.waitForFunction((wanted) => document.querySelector("#log").textContent.includes(wanted), text);
const picture = (page, name) => page.screenshot({ path: `${SCREENSHOTS}/${name}.png` });
const atRest = () => assert.deepEqual(troubles.splice(0), []);
const close = (...pages) => Promise.all(pages.map((page) => page.context().close()));

/** The seqs of `seq text` lines have to rise by one. */
function assertDense(shown) {
  const seqs = shown.map((line) => Number.parseInt(line, 10));
  assert.deepEqual(seqs, seqs.map((_, index) => seqs[0] + index));
}

test("the page comes with a strict policy and under 60 KB in all", async () => {
  let total = 0;
  for (const path of ["", "style.css", "app.js", "client.js", "favicon.svg"]) {
    const response = await fetch(server.url + path);
    assert.equal(response.status, 200, path);
    total += (await response.arrayBuffer()).byteLength;
    if (path === "") {
      const policy = response.headers.get("content-security-policy");
      for (const rule of ["default-src 'none'", "script-src 'self'", "base-uri 'none'", "require-trusted-types-for 'script'"]) {
        assert.ok(policy.includes(rule), rule);
      }
      assert.doesNotMatch(policy, /unsafe|\*/);
    }
  }
  assert.ok(total < 60_000, `${total} bytes`);
});

test("two pages and a TCP client see each line once and in the same order", async () => {
  const [ann, bob] = await Promise.all([enter("ann", "tea"), enter("bob", "tea")]);
  const eve = await Member.connect(server.tcp, "eve");
  await eve.join("tea");
  const all = [];
  const tell = async (text, act) => {
    all.push(text);
    await act(text);
  };
  for (let round = 0; round < 8; round += 1) {
    await Promise.all([
      tell(`ann ${round}`, (text) => say(ann, text)),
      tell(`bob ${round}`, (text) => say(bob, text)),
      tell(`eve ${round}`, (text) => eve.say("tea", text)),
    ]);
  }
  await Promise.all([ann, bob].map((page) => until("24 lines", async () => (await lines(page)).length >= 24)));
  await until("24 lines over TCP", () => eve.lines.get("tea").length >= 24);
  const shown = await lines(ann);
  assertDense(shown);
  assert.deepEqual(await lines(bob), shown);
  assert.deepEqual(eve.lines.get("tea"), shown);
  assert.deepEqual(shown.map((line) => line.replace(/^\d+ /, "")).sort(), all.sort());
  await picture(ann, "conversation-light");
  eve.leave();
  await close(ann, bob);
  atRest();
});

test("a connection cut in mid-conversation resumes without losing or doubling a line", async () => {
  const proxy = await Proxy.start(server.web);
  const fay = await enter("fay", "cut", proxy.url);
  const eve = await Member.connect(server.tcp, "eve");
  await eve.join("cut");
  await say(fay, "before");
  await until("the first line", async () => (await lines(fay)).length === 1);

  // The server takes this one, but its answer is lost: only the cid keeps it from standing there twice.
  proxy.deaf = true;
  await say(fay, "taken, not answered");
  await until("the server's word", () => eve.lines.get("cut")?.length === 2);
  proxy.closed = true;
  proxy.cut();
  proxy.deaf = false;
  await fay.waitForSelector("#app:not([data-line=ready])");
  for (let line = 0; line < 5; line += 1) await eve.say("cut", `meanwhile ${line}`);
  await say(fay, "written offline 1");
  await say(fay, "written offline 2");
  assert.equal(await fay.locator("#messages > .waiting").count(), 3);
  assert.match(await fay.textContent("#line"), /Connection lost\. Reconnecting|Connecting/);
  await picture(fay, "connection-lost");

  proxy.closed = false;
  await opened(fay, "cut");
  await until("all lines", async () => (await lines(fay)).length >= 9);
  await eve.say("cut", "after");
  await until("the last line", async () => (await lines(fay)).length >= 10);
  const shown = await lines(fay);
  assertDense(shown);
  await until("the same over TCP", () => eve.lines.get("cut").length >= 10);
  assert.deepEqual(shown, eve.lines.get("cut"));
  assert.equal(await fay.locator("#messages > .waiting").count(), 0);
  proxy.stop();
  eve.leave();
  await close(fay);
  atRest();
});

test("many cuts at random moments lose and double nothing", async () => {
  const proxy = await Proxy.start(server.web);
  const gus = await enter("gus", "storm", proxy.url);
  const eve = await Member.connect(server.tcp, "eve");
  await eve.join("storm");
  for (let round = 0; round < 12; round += 1) {
    await say(gus, `gus ${round}`);
    await eve.say("storm", `eve ${round}`);
    if (round % 3 === 2) {
      proxy.cut();
      // Waiting out the backoff is not the point here.
      await gus.locator("#line-button").click({ timeout: 300 }).catch(() => {});
    }
  }
  await until("all lines", async () => (await lines(gus)).length >= 24, 30_000);
  await until("all lines over TCP", () => eve.lines.get("storm").length >= 24);
  const shown = await lines(gus);
  assertDense(shown);
  assert.deepEqual(shown, eve.lines.get("storm"));
  assert.deepEqual(
    shown.map((line) => line.replace(/^\d+ /, "")).filter((text) => text.startsWith("gus")),
    Array.from({ length: 12 }, (_, round) => `gus ${round}`),
  );
  proxy.stop();
  eve.leave();
  await close(gus);
  atRest();
});

test("what was pruned while the line was down is said at its place", async () => {
  const proxy = await Proxy.start(server.web);
  const hal = await enter("hal", "long", proxy.url);
  const eve = await Member.connect(server.tcp, "eve");
  await eve.join("long");
  await eve.say("long", "heard");
  await shows(hal, "heard");
  proxy.closed = true;
  proxy.cut();
  // More bytes than a room's recent ring holds.
  for (let line = 0; line < 24; line += 1) await eve.say("long", `${line} ${"x".repeat(4000)}`);
  proxy.closed = false;
  await until("the line that says so", async () => (await notes(hal)).some((note) => /^Messages 2–\d+ are no longer kept\.$/.test(note)), 30_000);
  await shows(hal, "23 xxx");
  const [gap] = await notes(hal);
  const last = Number(gap.match(/–(\d+)/)[1]);
  const shown = await lines(hal);
  assert.equal(Number.parseInt(shown[1], 10), last + 1);
  assertDense(shown.slice(1));
  await picture(hal, "gap");
  proxy.stop();
  eve.leave();
  await close(hal);
  atRest();
});

test("history comes on scrolling up, keeps its place, and the document stays bounded", async () => {
  const eve = await Member.connect(server.tcp, "eve");
  await eve.join("past");
  for (let line = 1; line <= 150; line += 1) await eve.say("past", `line ${line}`);
  const ivy = await enter("ivy", "past");
  await shows(ivy, "line 150");
  const few = (await lines(ivy)).length;
  assert.ok(few < 150, `${few} lines at first`);
  for (let page = 0; page < 6 && (await lines(ivy)).length < 150; page += 1) {
    const before = await ivy.evaluate(() => {
      const log = document.querySelector("#log");
      log.scrollTop = 20;
      const first = document.querySelector("#messages > .msg");
      return { text: first.querySelector(".text").textContent, top: first.getBoundingClientRect().top, nodes: document.querySelectorAll("#messages > li").length };
    });
    await ivy.waitForFunction((nodes) => document.querySelectorAll("#messages > li").length > nodes, before.nodes);
    const top = await ivy.evaluate((text) => [...document.querySelectorAll("#messages > .msg")]
      .find((node) => node.querySelector(".text").textContent === text).querySelector(".text").getBoundingClientRect().top, before.text);
    assert.ok(Math.abs(top - before.top) < 60, `moved from ${before.top} to ${top}`);
  }
  const shown = await lines(ivy);
  assert.equal(shown.length, 150);
  assertDense(shown);
  await shows(ivy, "This is the beginning of past.");
  await ivy.click("#latest");
  await ivy.waitForFunction(() => {
    const log = document.querySelector("#log");
    return log.scrollHeight - log.scrollTop - log.clientHeight < 5;
  });
  eve.leave();
  await close(ivy);
  atRest();
});

test("direct messages, unread counts, typing and presence", async () => {
  const [ann, bob] = await Promise.all([enter("ann", "park"), enter("bob", "park")]);
  const person = ann.locator("#persons button", { hasText: "bob" });
  await person.waitFor();
  await person.click();
  await opened(ann, "bob");
  await say(ann, "psst");
  const badge = bob.locator("#directs a", { hasText: "ann" });
  await badge.waitFor();
  assert.match(await badge.textContent(), /1 new/);
  assert.match(await bob.title(), /^\(1\)/);
  await badge.click();
  await opened(bob, "ann");
  await shows(bob, "psst");
  await until("the count to vanish", async () => !(await bob.title()).startsWith("("));
  await bob.locator("#text").pressSequentially("well");
  await ann.waitForFunction(() => /bob.* is typing/.test(document.querySelector("#typing").textContent));
  await bob.press("#text", "Enter");
  await shows(ann, "well");
  await ann.waitForFunction(() => document.querySelector("#typing").textContent === "");
  await ann.waitForFunction(() => document.querySelector("#topic").textContent === "online");
  await until("the receipt", async () => /Read by/.test(await bob.textContent("#read")));
  await picture(bob, "direct");
  // A reload finds the same person, the same rooms, and what was said.
  await bob.reload();
  await opened(bob, "ann");
  await shows(bob, "psst");
  await bob.locator("#rooms a", { hasText: "park" }).waitFor();
  await close(ann, bob);
  atRest();
});

test("a room of many shows how many, not who", async () => {
  const crowd = await Promise.all(Array.from({ length: 201 }, (_, number) => Member.connect(server.tcp, `fan${number}`)));
  await Promise.all(crowd.map((member) => member.join("stadium")));
  const joy = await enter("joy", "stadium");
  await joy.waitForFunction(() => /^202 here, too many to name$/.test(document.querySelector("#crowd").textContent));
  assert.equal(await joy.locator("#persons li").count(), 0);
  for (const member of crowd) member.leave();
  await close(joy);
  atRest();
});

test("everything is in reach of the keyboard", async () => {
  const page = await visit();
  assert.equal(await page.evaluate(() => document.activeElement.id), "name");
  await page.keyboard.type("Kay Smith");
  await page.keyboard.press("Enter");
  await opened(page, "lobby");
  assert.equal(await page.textContent("#me"), "kay-smith");
  assert.equal(await page.evaluate(() => document.activeElement.id), "text");
  await page.keyboard.type("first");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("second");
  await page.keyboard.press("Enter");
  await until("the message", async () => (await lines(page)).some((line) => line.endsWith("first\nsecond")));
  // By Tab alone, over the end of the page to its beginning.
  const seen = [];
  while (seen.at(-1) !== "add" && seen.length < 40) {
    await page.keyboard.press("Tab");
    const focus = await page.evaluate(() => {
      const { activeElement: node } = document;
      const style = getComputedStyle(node);
      return { id: node.id || node.localName, outline: style.outlineStyle !== "none" && style.outlineWidth !== "0px" };
    });
    seen.push(focus.id);
    assert.ok(focus.outline || focus.id === "body", `${focus.id} shows its focus`);
  }
  assert.deepEqual(seen.slice(seen.indexOf("skip")), ["skip", "a", "add"]);
  await page.keyboard.press("Enter");
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("#join").isVisible(), false);
  await page.keyboard.press("Enter");
  await page.keyboard.type("Garden");
  await picture(page, "dialog");
  await page.keyboard.press("Enter");
  await opened(page, "garden");
  await page.keyboard.press("Alt+ArrowDown");
  await opened(page, "lobby");
  await page.keyboard.press("Alt+ArrowUp");
  await opened(page, "garden");
  await page.focus("#skip");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "text");
  await close(page);
  atRest();
});

test("a screen reader finds landmarks, a log, and a name for every control", async () => {
  const page = await enter("lea", "lobby");
  await say(page, "hello https://example.org/");
  await shows(page, "hello");
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send("Accessibility.getFullAXTree");
  const shown = nodes.filter((node) => !node.ignored).map((node) => ({ role: node.role?.value, name: node.name?.value?.trim() ?? "" }));
  for (const role of ["navigation", "main", "complementary", "log"]) {
    assert.equal(shown.filter((node) => node.role === role).length, 1, role);
  }
  const controls = shown.filter((node) => ["button", "link", "textbox", "checkbox", "dialog", "list", "log", "navigation"].includes(node.role) && node.role !== "list");
  assert.ok(controls.length >= 8);
  assert.deepEqual(controls.filter((node) => !node.name), []);
  assert.equal(shown.filter((node) => node.role === "heading" && node.name === "lobby").length, 1);
  await close(page);
  atRest();
});

for (const [name, width, height, colorScheme] of [["phone-dark", 390, 800, "dark"], ["phone-small-light", 320, 560, "light"]]) {
  test(`it is usable on a phone: ${name}`, async () => {
    const mia = await Member.connect(server.tcp, "mia");
    await mia.join("lobby");
    await mia.say("lobby", `A long word: ${"o".repeat(200)} and an address: https://example.org/${"path/".repeat(30)}`);
    const options = { viewport: { width, height }, hasTouch: true, isMobile: true, deviceScaleFactor: 2, colorScheme };
    const page = await visit(server.url, options);
    await picture(page, `${name}-welcome`);
    await page.fill("#name", `ned-${width}`);
    await page.tap("#enter .primary");
    await opened(page, "lobby");
    await shows(page, "A long word");
    const wide = () => page.evaluate(() => [document.documentElement.scrollWidth, document.querySelector("#log").scrollWidth]);
    assert.deepEqual(await wide(), [width, width]);
    await picture(page, name);
    const small = await page.$$eval("button, a", (nodes) => nodes
      .filter((node) => node.checkVisibility() && !node.closest("#messages") && node.id !== "skip")
      .map((node) => [node.id, node.getBoundingClientRect().height]).filter(([, height]) => height < 36));
    assert.deepEqual(small, []);
    assert.equal(await page.locator("#nav").isVisible(), false);
    await page.tap("#open-nav");
    await page.locator("#nav").waitFor();
    await picture(page, `${name}-rooms`);
    await page.touchscreen.tap(width - 10, height / 2);
    await page.locator("#nav").waitFor({ state: "hidden" });
    await page.tap("#open-people");
    await page.locator("#persons button", { hasText: "mia" }).tap();
    await opened(page, "mia");
    await page.fill("#text", "from a phone");
    await page.tap("#composer .primary");
    await shows(page, "from a phone");
    assert.deepEqual(await wide(), [width, width]);
    mia.leave();
    await close(page);
    atRest();
  });
}

test("what an attacker sends stays text, wherever it is shown", async () => {
  const page = await enter("zoe", "zoo");
  const mallory = await Member.connect(server.tcp, "mallory");
  await mallory.join("zoo");
  const kinds = () => page.evaluate(() => [...new Set([...document.querySelectorAll("*")].map((node) => node.localName))].sort());
  await mallory.say("zoo", "harmless https://example.org/");
  await mallory.ask("topic", { room: "zoo", text: "harmless" });
  await shows(page, "set the topic");
  const expected = await kinds();
  for (const payload of PAYLOADS) {
    await mallory.say("zoo", payload);
    const topic = await mallory.reply("topic", { room: "zoo", text: payload });
    assert.ok([0, 1003].includes(topic.code), JSON.stringify(topic));
    // Refused or taken, as a room's name and as a person's; a success in between keeps the server patient.
    const joined = await mallory.reply("join", { room: payload });
    assert.ok([0, 1003].includes(joined.code), JSON.stringify(joined));
  }
  const count = (await lines(page)).length;
  await until("all payloads", async () => (await lines(page)).some((line) => line.endsWith(` ${PAYLOADS.at(-1)}`)), 20_000);
  const texts = (await lines(page)).map((line) => line.replace(/^\d+ /, ""));
  for (const payload of PAYLOADS) assert.ok(texts.includes(payload.trim()), `${payload} is shown as it is (${count} lines)`);
  assert.deepEqual(await kinds(), expected);
  const links = await page.$$eval("#messages a", (nodes) => nodes.map((node) => [node.protocol, node.rel]));
  for (const [protocol, rel] of links) {
    assert.match(protocol, /^https?:$/);
    assert.match(rel, /noopener/);
  }
  const handlers = await page.$$eval("#messages *", (nodes) => nodes.flatMap((node) => node.getAttributeNames()).filter((name) => name.startsWith("on") || name === "style"));
  assert.deepEqual(handlers, []);
  await page.locator("#messages > .msg").last().hover();
  await picture(page, "hostile");

  // As one's own words: a room's name in the address and in the dialog, and a name at the door.
  for (const payload of PAYLOADS.filter((_, index) => index % 6 === 0)) {
    await page.goto(`${server.url}#room=${encodeURIComponent(payload)}`);
    await page.click("#add");
    await page.fill("#join-name", payload);
    await page.press("#join-name", "Enter");
    const door = await visit();
    await door.fill("#name", payload);
    await door.press("#name", "Enter");
    await until("an answer at the door", async () => (await door.textContent("#name-error")) || (await door.getAttribute("#app", "data-line")) === "ready");
    await close(door);
  }
  mallory.leave();
  await close(page);
  atRest();
});

test("after a crash and a restart the page says that the room began anew, and goes on", async () => {
  const [ann, bob] = await Promise.all([enter("ann", "tea"), enter("bob", "tea")]);
  await say(ann, "before the crash");
  await shows(bob, "before the crash");
  assert.equal(await server.stop("SIGKILL"), "SIGKILL");
  await ann.waitForSelector("[data-line=waiting]");
  await say(ann, "written while it was away");
  server = await Server.start(CHINWAG_BIN, server.web);
  for (const page of [ann, bob]) {
    await until("the honest line", async () => (await notes(page)).includes("The server restarted; this room began anew."), 30_000);
  }
  await until("the outbox", async () => (await lines(bob)).some((line) => line.endsWith("written while it was away")), 30_000);
  await say(bob, "and on we go");
  await shows(ann, "and on we go");
  const anew = (shown) => shown.slice(shown.findIndex((line) => line.endsWith("written while it was away")));
  await shows(bob, "and on we go");
  assert.deepEqual(anew(await lines(ann)), anew(await lines(bob)));
  await picture(ann, "began-anew");
  await close(ann, bob);
  atRest();
});

test("a server that stops says when to come back, and the page counts down to it", async () => {
  const ann = await enter("ann", "tea");
  const started = Date.now();
  assert.equal(await server.stop("SIGTERM"), 0);
  assert.ok(Date.now() - started < 5000);
  await ann.waitForFunction(() => /^The server is restarting\. Reconnecting (in \d+ s|now)/.test(document.querySelector("#line").textContent));
  await picture(ann, "restarting");
  server = await Server.start(CHINWAG_BIN, server.web);
  await ann.locator("#line-button").click();
  await opened(ann, "tea");
  await until("the honest line", async () => (await notes(ann)).includes("The server restarted; this room began anew."));
  await close(ann);
  atRest();
});
