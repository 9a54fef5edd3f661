// EventSource in the browser: a page of the server's own or a configured one reads rooms, and no other. And what programs
// post is on the page.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, test } from "node:test";
import { configure, enter, holds, lines, server, shows, startAgain, stopServer, visit } from "./page.mjs";
import { closeLater, until } from "./surroundings.mjs";

const sites = [];

/** A site that serves an empty page on another port, which is another origin. */
async function site() {
	const other = createServer((_, response) => response.setHeader("Content-Type", "text/html").end("<!doctype html><title>elsewhere</title>"));
	other.listen(0, "127.0.0.1");
	await once(other, "listening");
	sites.push(other);
	return `http://localhost:${other.address().port}`;
}

const [friend, stranger] = [await site(), await site()];
configure(`[http]\norigins = ["${friend}"]\n`);

after(() => {
	for (const other of sites) {
		other.closeAllConnections();
		other.close();
	}
});

/** Runs in the page: reads a stream, and keeps what comes of it. */
function listen(url) {
	const source = new EventSource(url);
	const heard = { seqs: [], edits: [], opened: 0, states: [] };
	Object.assign(window, { source, heard });
	source.onopen = () => (heard.opened += 1);
	source.onerror = () => heard.states.push(source.readyState);
	source.onmessage = ({ data, lastEventId }) => {
		const { room, seq } = JSON.parse(data);
		heard.seqs.push(`${room} ${seq}`);
		heard.id = lastEventId;
	};
	source.addEventListener("edit", ({ data }) => heard.edits.push(JSON.parse(data).text));
	source.addEventListener("live", () => (heard.live = true));
}

const heard = (page) => page.evaluate(() => window.heard);

const post = (page, room, text) =>
	page.evaluate(async ([path, body]) => {
		const response = await fetch(path, { method: "POST", body });
		if (!response.ok) throw new Error(await response.text());
	}, [`/rooms/${room}/messages?as=bob`, text]);

test("EventSource goes on where it was when the server was killed, in one room and in several", async () => {
	const [one, two] = [await visit(), await visit()];
	await post(one, "lobby", "1");
	await post(one, "attic", "1");
	await one.evaluate(listen, "/rooms/lobby/events?as=eve");
	await two.evaluate(listen, "/events?room=lobby&room=attic&as=eve");
	for (const page of [one, two]) await holds(page, () => window.heard.live);
	for (const text of ["2", "3"]) await post(one, "lobby", text);
	await post(one, "attic", "2");
	await holds(one, () => window.heard.seqs.length === 2);
	await holds(two, () => window.heard.seqs.length === 3);
	await stopServer("SIGKILL");
	await startAgain();
	const writer = await visit();
	for (const text of ["4", "5"]) await post(writer, "lobby", text);
	await post(writer, "attic", "3");
	await holds(one, () => window.heard.seqs.includes("lobby 5"));
	await holds(two, () => ["lobby 5", "attic 3"].every((seen) => window.heard.seqs.includes(seen)));
	const ofOne = await heard(one);
	assert.deepEqual(ofOne.seqs, ["lobby 2", "lobby 3", "lobby 4", "lobby 5"]);
	assert.ok(ofOne.opened >= 2 && ofOne.states.every((state) => state === 0), JSON.stringify(ofOne));
	const ofTwo = await heard(two);
	for (const [room, seqs] of [["lobby", [2, 3, 4, 5]], ["attic", [2, 3]]]) {
		assert.deepEqual(ofTwo.seqs.filter((seen) => seen.startsWith(room)), seqs.map((seq) => `${room} ${seq}`));
	}
	for (const page of [one, two]) await page.evaluate(() => window.source.close());
});

test("a page of a configured origin reads, one of another is refused, and so is who asks for what is not there", async () => {
	const page = await visit();
	await post(page, "lobby", "here");
	const foreign = await page.context().newPage();
	closeLater(() => foreign.close());
	const url = `${server.url}rooms/lobby/events?as=eve`;
	await foreign.goto(friend);
	await foreign.evaluate(listen, url);
	await holds(foreign, () => window.heard.live);
	await post(page, "lobby", "there");
	await holds(foreign, () => window.heard.seqs.length === 1);
	await foreign.goto(stranger);
	await foreign.evaluate(listen, url);
	// Closed for good: it does not come back.
	await holds(foreign, () => window.heard.states.includes(2));
	assert.equal((await heard(foreign)).opened, 0);
	await foreign.goto(friend);
	await foreign.evaluate(listen, `${server.url}rooms/nowhere/events?as=eve`);
	await holds(foreign, () => window.heard.states.includes(2));
});

test("what curl posts and what a hook is sent stands on the page", async () => {
	const ann = await enter("ann", "alerts");
	const form = { "Content-Type": "application/x-www-form-urlencoded" };
	await fetch(`${server.url}rooms/alerts/messages?as=monitor`, { method: "POST", body: "disk full", headers: form });
	await shows(ann, "disk full");
	const argv = ["--config", `${server.directory}/chinwag.toml`, "hook", "add", "alerts"];
	const [path] = execFileSync(process.env.SERVER_BIN, argv, { cwd: server.directory, env: {}, encoding: "utf8", stdio: "pipe" }).split("\n");
	const alert = { alerts: [{ status: "firing", labels: { alertname: "Disk" }, annotations: { summary: "sda1 at 97 %" } }] };
	const hook = () => fetch(server.url + path.slice(1), { method: "POST", body: JSON.stringify(alert), headers: { "Content-Type": "application/json" } });
	// A running server knows it within two seconds.
	let answered;
	await until("the hook", async () => (answered = (await hook()).status) !== 404);
	assert.equal(answered, 200);
	await shows(ann, "[FIRING] Disk: sda1 at 97 %");
	assert.deepEqual(await lines(ann), ["1 disk full", "2 [FIRING] Disk: sda1 at 97 %"]);
});
