// The package as npm packs it, installed in a folder of its own: its files, its types, and a talk with a real server.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { WebSocket } from "ws";

const here = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "chinwag-npm-"));
const installed = join(folder, "node_modules", "chinwag");
let chinwag;
let packed;

before(async () => {
	[packed] = JSON.parse(execFileSync("npm", ["pack", "--json", "--pack-destination", folder], { cwd: here, encoding: "utf8" }));
	writeFileSync(join(folder, "package.json"), '{"private": true, "type": "module"}');
	execFileSync("npm", ["install", "--offline", "--no-audit", "--no-fund", "--silent", join(folder, packed.filename)], { cwd: folder });
	chinwag = await import(pathToFileURL(join(installed, "client.js")));
});

after(() => rmSync(folder, { recursive: true }));

test("it has the page's own client, and nothing that is not for its users", () => {
	const names = packed.files.map(({ path }) => path).sort();
	assert.deepEqual(names, ["README.md", "client.js", "index.d.ts", "package.json", "react.d.ts", "react.js"]);
	assert.equal(readFileSync(join(installed, "client.js"), "utf8"), readFileSync(join(here, "../../src/page/client.js"), "utf8"));
	assert.equal(existsSync(join(here, "client.js")), false, "no twin is left behind");
});

test("it is found by its name", () => {
	const script = 'import { Client, present } from "chinwag"; console.log(typeof Client, typeof present);';
	assert.equal(execFileSync("node", ["--input-type=module", "-e", script], { cwd: folder, encoding: "utf8" }), "function function\n");
});

test("a program in TypeScript compiles strictly, and its mistakes do not", () => {
	mkdirSync(join(folder, "node_modules/@types"), { recursive: true });
	for (const name of ["react", "@types/react", "csstype"]) symlinkSync(join(here, "node_modules", name), join(folder, "node_modules", name));
	cpSync(join(here, "test/use.ts"), join(folder, "use.ts"));
	const compilerOptions = { strict: true, noEmit: true, target: "es2022", module: "nodenext", lib: ["es2022", "dom"], types: [], exactOptionalPropertyTypes: true };
	writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["use.ts"] }));
	try {
		execFileSync(join(here, "node_modules/.bin/tsc"), ["-p", folder], { encoding: "utf8" });
	} catch (error) {
		assert.fail(error.stdout);
	}
});

test("the types name what there is, and all of it", () => {
	const types = readFileSync(join(installed, "index.d.ts"), "utf8");
	const body = (name) => types.match(new RegExp(`export class ${name} [^]*?\\n}`))[0];
	const declared = (name) => new Set([...body(name).matchAll(/^\t(?:readonly )?(\w+)[?(<:]/gm)].map(([, found]) => found));
	const exported = [...types.matchAll(/^export (?:class|function) (\w+)/gm)].map(([, name]) => name);
	assert.deepEqual(exported.sort(), Object.keys(chinwag).sort());
	const inherited = new Set(["addEventListener", "removeEventListener", "constructor"]);
	const members = (value) => [...Object.getOwnPropertyNames(Object.getPrototypeOf(value)), ...Object.getOwnPropertyNames(value)];
	const client = new chinwag.Client("ws://127.0.0.1/ws", { WebSocket });
	assert.deepEqual([...declared("Client")].filter((name) => !inherited.has(name)).sort(), members(client).filter((name) => !inherited.has(name)).sort());
	const room = new Set(members(new chinwag.Room("lobby")));
	assert.deepEqual([...declared("Room")].filter((name) => !room.has(name)), []);
	const documented = [...readFileSync(join(installed, "client.js"), "utf8").matchAll(/^ \* \| `(\w+)` \|/gm)].map(([, name]) => name);
	const events = types.match(/interface ClientEvents \{[^]*?\n\}/)[0];
	assert.deepEqual([...events.matchAll(/^\t(\w+):/gm)].map(([, name]) => name), documented);
});

/** A server on ports of the system's choice. */
async function server(folder) {
	const program = process.env.SERVER_BIN;
	const options = ["--listen", "127.0.0.1:0", "--tcp", "off", "--admin", "off", "--data", folder];
	const process_ = spawn(program, options, { stdio: ["ignore", "pipe", "ignore"] });
	for await (const line of createInterface(process_.stdout)) {
		const [, address] = line.match(/^listening http:\/\/(\S+)/) ?? [];
		if (address) return { process: process_, url: `ws://${address}/ws` };
	}
	throw new Error("the server has ended");
}

/** The first event of a kind that is looked for. */
const heard = (client, type, is = () => true) => new Promise((resolve) => {
	client.addEventListener(type, function listen({ detail }) {
		if (!is(detail)) return;
		client.removeEventListener(type, listen);
		resolve(detail);
	});
});

test("it talks with a server, and goes on after the connection was cut", { timeout: 30_000 }, async () => {
	const { process: running, url } = await server(join(folder, "data"));
	const sockets = [];
	class Cuttable extends WebSocket {
		constructor(...given) {
			super(...given);
			sockets.push(this);
		}
	}
	try {
		const clients = ["ann", "bob"].map((name) => new chinwag.Client(url, { name, WebSocket: name === "ann" ? Cuttable : WebSocket, random: () => 0 }));
		const [ann, bob] = clients;
		const ready = clients.map((client) => heard(client, "state", ({ state }) => state === "ready"));
		for (const client of clients) client.start();
		await Promise.all(ready);
		for (const client of clients) await client.join("lobby");

		const texts = [];
		ann.addEventListener("record", ({ detail: { item } }) => texts.push(item.text));
		const third = heard(ann, "record", ({ item }) => item.text === "three");
		const first = heard(ann, "record");
		bob.send("lobby", "one");
		await first;
		sockets[0].terminate();
		bob.send("lobby", "two");
		bob.send("lobby", "three");
		await third;
		assert.deepEqual(texts, ["one", "two", "three"]);
		assert.equal(sockets.length, 2, "the connection was made again");

		const direct = heard(bob, "record", ({ room }) => room.direct);
		ann.send(ann.open("bob").name, "psst");
		assert.equal((await direct).item.text, "psst");
		for (const client of clients) client.stop();
	} finally {
		running.kill();
		await once(running, "exit");
	}
	assert.equal(running.exitCode, 0);
});
