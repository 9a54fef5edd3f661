// The surroundings of the page: the server, a client over TCP, and a proxy that loses connections.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** The longest wait, ample on a slow machine. Tests go on as soon as the awaited thing happens. */
export const PATIENCE_MS = 40_000;
/** Between two polls, which load the machine under test. */
export const LOOK_MS = 50;
/** Rooms below `tmp/` are in memory, all others on disk. The rate limit is off: waiting for it would take most of the time. */
const CONFIG = '[limits]\nrate_per_s = "off"\n[[room_policy]]\nmatch = "tmp/*"\ndurability = "memory"\n';

/** Functions that close what the current test has opened. */
const litter = [];

export const closeLater = (close) => litter.push(close);
export const clear = () => Promise.all(litter.splice(0).map((close) => close()));

/** Polls `probe` until it is true; rejects with `what` if it never is. */
export async function until(what, probe) {
	const end = Date.now() + PATIENCE_MS;
	for (;;) {
		const found = await probe();
		if (found) return found;
		if (Date.now() > end) throw new Error(`timed out waiting for: ${what}`);
		await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
	}
}

export class Server {
	/** Starts the server on free ports, or in place of an `earlier` one: on its port and its data, with its `settings` and `limits`. */
	static async start(binary, earlier) {
		const server = new Server();
		server.directory = earlier?.directory ?? (await mkdtemp(join(tmpdir(), "chinwag-browser-")));
		const config = join(server.directory, "chinwag.toml");
		server.settings = earlier?.settings ?? "";
		server.limits = earlier?.limits ?? "";
		await writeFile(config, server.settings + CONFIG.replace("[limits]\n", `[limits]\n${server.limits}`));
		const flags = ["--config", config, "--listen", `127.0.0.1:${earlier?.web ?? 0}`, "--tcp", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
		// The server refuses unknown variables with its prefix, such as the one that names its binary.
		const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("CHINWAG_")));
		server.child = spawn(binary, flags, { env, cwd: server.directory, stdio: ["ignore", "pipe", "pipe"] });
		server.exited = once(server.child, "exit");
		server.log = "";
		server.child.stderr.on("data", (bytes) => (server.log = (server.log + bytes).slice(-20_000)));
		const lines = createInterface(server.child.stdout);
		lines.on("line", (line) => {
			server.web ??= line.match(/^listening http:\/\/127\.0\.0\.1:(\d+) \(/)?.[1];
			server.admin ??= line.match(/#invite=(cwa_[\w-]+)/)?.[1];
			server.operator ??= line.match(/^listening admin (http:\/\/127\.0\.0\.1:\d+)/)?.[1];
			server.tcp ??= line.match(/^listening tcp:\/\/127\.0\.0\.1:(\d+)/)?.[1];
		});
		await Promise.race([
			until("the announced addresses", () => server.web && server.tcp && server.operator),
			server.exited.then(([code]) => Promise.reject(new Error(`the server exited with ${code}: ${server.log}`))),
		]);
		return server;
	}

	get url() {
		return `http://127.0.0.1:${this.web}/`;
	}

	/** Ends the server; gives its exit code, or the signal that killed it. Its data stays until `remove`. */
	async stop(signal = "SIGTERM") {
		this.child.kill(signal);
		await until("the end of the server", () => this.child.exitCode !== null || this.child.signalCode !== null);
		return this.child.exitCode ?? this.child.signalCode;
	}

	remove() {
		return rm(this.directory, { recursive: true, force: true });
	}
}

/** A member over TCP with JSON lines, which collects every record that it gets. */
export class Member {
	#next = 1;
	#asked = new Map();
	/** `seq text` of each message, by room. */
	lines = new Map();
	events = [];

	static async connect(port, name) {
		const member = new Member();
		member.name = name;
		member.socket = net.connect(port, "127.0.0.1");
		member.socket.setEncoding("utf8");
		let partial = "";
		member.socket.on("data", (text) => {
			const lines = (partial + text).split("\n");
			partial = lines.pop();
			for (const line of lines) member.#receive(JSON.parse(line));
		});
		member.socket.on("error", () => {});
		member.socket.on("close", () => member.#asked.forEach(({ ended }) => ended()));
		closeLater(() => member.socket.destroy());
		await member.ask("hello", { name });
		return member;
	}

	#receive(message) {
		if (message.ev === "message") this.#note(message.room, message.seq, message.text);
		else if (message.ev) this.events.push(message);
		const asked = this.#asked.get(message.id);
		this.#asked.delete(message.id);
		asked?.answered(message);
	}

	#note(room, seq, text) {
		if (!this.lines.has(room)) this.lines.set(room, []);
		this.lines.get(room).push(`${seq} ${text}`);
	}

	/** The whole reply, with any code. */
	reply(op, fields = {}) {
		const id = this.#next++;
		return new Promise((resolve, reject) => {
			const answered = (message) => {
				if (op === "send" && message.code === 0) this.#note(message.data.room, message.data.seq, fields.text);
				resolve(message);
			};
			this.#asked.set(id, { answered, ended: () => reject(new Error(`the connection of ${this.name} ended before the answer to ${op}`)) });
			this.socket.write(`${JSON.stringify({ op, id, ...fields })}\n`);
		});
	}

	/** The data of a reply that must be a success. */
	async ask(op, fields) {
		const reply = await this.reply(op, fields);
		if (reply.code !== 0) throw new Error(`${op}: ${JSON.stringify(reply)}`);
		return reply.data;
	}

	join(room) {
		return this.ask("join", { room });
	}

	say(room, text) {
		return this.ask("send", { room, text, cid: `${this.name}-${this.#next}` });
	}
}

/** A TCP proxy. `cut` resets what is connected; while `closed`, nobody comes through; while `deaf`, no answer comes back. */
export class Proxy {
	closed = false;
	deaf = false;
	/** The paths that were asked for. */
	asked = [];
	#pairs = new Set();

	static async start(port) {
		const proxy = new Proxy();
		proxy.server = net.createServer((near) => proxy.#connect(near, port));
		proxy.server.listen(0, "127.0.0.1");
		await once(proxy.server, "listening");
		closeLater(() => proxy.stop());
		proxy.url = `http://127.0.0.1:${proxy.server.address().port}/`;
		return proxy;
	}

	#connect(near, port) {
		near.on("error", () => {});
		if (this.closed) return near.resetAndDestroy();
		const far = net.connect(port, "127.0.0.1");
		far.on("error", () => near.destroy());
		near.on("data", (bytes) => {
			this.asked.push(...[...bytes.toString("latin1").matchAll(/^GET (\S+) HTTP/gm)].map(([, path]) => path));
			far.write(bytes);
		});
		far.on("data", (bytes) => this.deaf || near.write(bytes));
		near.on("close", () => far.destroy());
		far.on("close", () => near.destroy());
		const pair = [near, far];
		this.#pairs.add(pair);
		near.on("close", () => this.#pairs.delete(pair));
	}

	cut() {
		for (const [near, far] of this.#pairs) {
			near.resetAndDestroy();
			far.resetAndDestroy();
		}
	}

	stop() {
		this.cut();
		this.server.close();
	}
}
