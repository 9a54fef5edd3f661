// The chat page in Chromium against the real server. Started by scripts/browser, which says where the binary is.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, afterEach, before, test } from "node:test";
import { chromium } from "playwright-core";
import { PAYLOADS } from "./hostile.mjs";
import { Member, Proxy, Server, clear, closeLater, until } from "./surroundings.mjs";

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

afterEach(async () => {
  await clear();
  assert.deepEqual(troubles.splice(0), []);
});

/** A page at the welcome form, in a profile of its own. */
async function visit(url = server.url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  closeLater(() => context.close());
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
/** Waits for a text in the log, other than in what is not sent yet. */
const shows = (page, text) =>
  page.waitForFunction((wanted) => {
    const parts = document.querySelectorAll("#log > p, #messages > :not(.waiting)");
    return [...parts].some((part) => part.textContent.includes(wanted));
  }, text);
const picture = (page, name) => page.screenshot({ path: `${SCREENSHOTS}/${name}.png` });

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
  const waiting = () => fay.locator("#messages > .waiting").count();
  await until("three lines that wait", async () => (await waiting()) === 3);
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
  assert.equal(await waiting(), 0);
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
      const text = document.querySelector("#messages .text");
      return { text: text.textContent, top: text.getBoundingClientRect().top, nodes: document.querySelectorAll("#messages > li").length };
    });
    await ivy.waitForFunction((nodes) => document.querySelectorAll("#messages > li").length > nodes, before.nodes);
    const top = await ivy.evaluate((wanted) => [...document.querySelectorAll("#messages .text")]
      .find((node) => node.textContent === wanted).getBoundingClientRect().top, before.text);
    assert.ok(Math.abs(top - before.top) < 3, `moved from ${before.top} to ${top}`);
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
});

test("a flood leaves the document bounded, and a reader far above in peace", async () => {
  const lou = await enter("lou", "flood");
  const nodes = () => lou.evaluate(() => document.querySelectorAll("#messages > li").length);
  const crowd = await Promise.all(Array.from({ length: 20 }, (_, number) => Member.connect(server.tcp, `loud${number}`)));
  await Promise.all(crowd.map((member) => member.join("flood")));
  const flood = (from) => Promise.all(crowd.map(async (member, number) => {
    for (let line = 0; line < 24; line += 1) await member.say("flood", `${from} ${number} ${line}`);
  }));
  const newest = () => Math.max(...crowd[0].lines.get("flood").map((line) => Number.parseInt(line, 10)));
  const last = async () => Number.parseInt((await lines(lou)).at(-1), 10);
  await flood("first");
  await until("the newest line", async () => (await last()) === newest());
  assert.ok((await nodes()) <= 400, `${await nodes()} nodes`);
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
  assert.ok((await nodes()) <= 400);
  // Going down fetches on until the newest is there.
  await until("the newest by scrolling", async () => {
    await lou.evaluate(() => (document.querySelector("#log").scrollTop = 1e9));
    return (await last()) === newest();
  });
  assertDense((await lines(lou)).slice(-200));
  assert.ok((await nodes()) <= 400);
});

test("what waits to be sent survives a reload, and is sent once", async () => {
  const proxy = await Proxy.start(server.web);
  const max = await enter("max", "reload", proxy.url);
  const eve = await Member.connect(server.tcp, "eve");
  await eve.join("reload");
  proxy.deaf = true;
  await say(max, "only once");
  await until("the server's word", () => eve.lines.get("reload")?.length === 1);
  proxy.cut();
  proxy.deaf = false;
  await max.reload();
  await opened(max, "reload");
  await until("the line", async () => (await lines(max)).length === 1);
  await say(max, "and on");
  await shows(max, "and on");
  assert.deepEqual(await lines(max), ["1 only once", "2 and on"]);
});

test("a session that goes on elsewhere says so, and can be taken back", async () => {
  const first = await enter("pat", "tabs");
  const stored = await first.evaluate(() => sessionStorage.getItem("me"));
  const second = await first.context().newPage();
  await second.addInitScript((me) => sessionStorage.setItem("me", me), stored);
  await second.goto(`${server.url}#room=tabs`);
  await opened(second, "tabs");
  await first.waitForFunction(() => document.querySelector("#line").textContent.includes("You went on in another tab."));
  await first.click("#line-button");
  await opened(first, "tabs");
  await say(second, "from the second");
  await shows(first, "from the second");
  await say(first, "from the first");
  await Promise.all([shows(first, "from the first"), shows(second, "from the first")]);
  assert.deepEqual(await lines(first), await lines(second));
  await first.click("#leave");
  await until("the room to go", async () => (await second.locator("#rooms a").count()) === 0);
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
  assert.match(await badge.textContent(), /1 new/);
  assert.match(await vic.title(), /^\(1\)/);
  await badge.click();
  await opened(vic, "una");
  await shows(vic, "psst");
  await until("the count to vanish", async () => !(await vic.title()).startsWith("("));
  await vic.locator("#text").pressSequentially("well");
  await una.waitForFunction(() => /vic.* is typing/.test(document.querySelector("#typing").textContent));
  await vic.press("#text", "Enter");
  await shows(una, "well");
  await una.waitForFunction(() => document.querySelector("#typing").textContent === "");
  await una.waitForFunction(() => document.querySelector("#topic").textContent === "online");
  await until("the receipt", async () => /Read by/.test(await vic.textContent("#read")));
  await picture(vic, "direct");
  // A reload finds the same person, the same rooms, and what was said.
  await vic.reload();
  await opened(vic, "una");
  await shows(vic, "psst");
  await vic.locator("#rooms a", { hasText: "park" }).waitFor();
});

test("a room of many shows how many, not who", async () => {
  const crowd = await Promise.all(Array.from({ length: 201 }, (_, number) => Member.connect(server.tcp, `fan${number}`)));
  await Promise.all(crowd.map((member) => member.join("stadium")));
  const joy = await enter("joy", "stadium");
  await joy.waitForFunction(() => /^202 here, too many to name$/.test(document.querySelector("#crowd").textContent));
  assert.equal(await joy.locator("#persons li").count(), 0);
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
  });
}

test("what an attacker sends stays text, wherever it is shown", async () => {
  const page = await enter("zoe", "zoo");
  // Several, so that the rate limit does not hold them up.
  const gang = await Promise.all(Array.from({ length: 6 }, (_, number) => Member.connect(server.tcp, `mallory${number}`)));
  await Promise.all(gang.map((member) => member.join("zoo")));
  const [mallory] = gang;
  const kinds = () => page.evaluate(() => [...new Set([...document.querySelectorAll("*")].map((node) => node.localName))].sort());
  await mallory.say("zoo", "harmless https://example.org/");
  await mallory.ask("topic", { room: "zoo", text: "harmless" });
  await shows(page, "set the topic");
  const expected = await kinds();
  for (const [index, payload] of PAYLOADS.entries()) {
    const member = gang[index % gang.length];
    await member.say("zoo", payload);
    const topic = await member.reply("topic", { room: "zoo", text: payload });
    assert.ok([0, 1003].includes(topic.code), JSON.stringify(topic));
    // A room's name is refused or taken; a success in between keeps the server patient.
    const joined = await member.reply("join", { room: payload });
    assert.ok([0, 1003].includes(joined.code), JSON.stringify(joined));
  }
  await until("all payloads", async () => (await lines(page)).some((line) => line.endsWith(` ${PAYLOADS.at(-1)}`)), 20_000);
  const texts = (await lines(page)).map((line) => line.replace(/^\d+ /, ""));
  for (const payload of PAYLOADS) assert.ok(texts.includes(payload.trim()), `${payload} is shown as it is`);
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
    await door.context().close();
  }
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
  await Promise.all([ann, bob].map((page) => shows(page, "and on we go")));
  const anew = (shown) => shown.slice(shown.findIndex((line) => line.endsWith("written while it was away")));
  assert.deepEqual(anew(await lines(ann)), anew(await lines(bob)));
  await picture(ann, "began-anew");
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
});
