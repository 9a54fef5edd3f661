// A clock that moves only when told to, and a WebSocket whose server is the test.
import { readFile } from "node:fs/promises";

/** The address of a module of the page with all that it needs in itself. */
async function address(name) {
	let source = await readFile(new URL(`../../src/page/${name}`, import.meta.url), "utf8");
	for (const [, needed] of source.matchAll(/^import .* from "\/([\w-]+\.js)";$/gm)) source = source.replace(`"/${needed}"`, JSON.stringify(await address(needed)));
	return `data:text/javascript;base64,${Buffer.from(source).toString("base64")}`;
}

/** A module of the page that draws nothing, loaded as a browser loads it. */
export async function load(name) {
	globalThis.navigator ??= { language: "en" };
	globalThis.document ??= { documentElement: { dataset: {} }, querySelectorAll: () => [] };
	return import(await address(name));
}

/** The module under test. */
export const loadClient = () => load("client.js");

export class FakeClock {
	time = 1_000_000;
	#timers = new Map();
	#next = 1;

	now() {
		return this.time;
	}

	setTimeout(run, ms) {
		const id = this.#next++;
		this.#timers.set(id, { at: this.time + ms, run });
		return id;
	}

	clearTimeout(id) {
		this.#timers.delete(id);
	}

	/** Advances by `ms`, and fires the timers that are due, in their order. */
	async advance(ms) {
		const end = this.time + ms;
		for (;;) {
			await settle();
			const due = [...this.#timers].filter(([, timer]) => timer.at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
			if (!due) break;
			this.#timers.delete(due[0]);
			this.time = Math.max(this.time, due[1].at);
			due[1].run();
		}
		this.time = end;
		await settle();
	}

	/** Time passes without a timer firing, as when a machine sleeps. */
	sleep(ms) {
		this.time += ms;
	}

	get pending() {
		return this.#timers.size;
	}
}

/** Lets settled promises run their callbacks. */
export async function settle() {
	for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

/** Makes a WebSocket class whose instances are collected in `sockets`. */
export function fakeSockets() {
	const sockets = [];
	class FakeSocket {
		readyState = 0;
		sent = [];

		constructor(url, protocol) {
			Object.assign(this, { url, protocol });
			sockets.push(this);
		}

		send(text) {
			this.sent.push(JSON.parse(text));
		}

		close(code) {
			this.readyState = 3;
			this.closedWith = code;
		}

		accept() {
			this.readyState = 1;
			this.onopen?.({});
		}

		say(message) {
			this.onmessage?.({ data: typeof message === "string" ? message : JSON.stringify(message) });
		}

		/** Answers the latest unanswered request of this op. */
		async reply(op, data = {}, code = 0, message = "ok") {
			await settle();
			const at = this.sent.findIndex((request) => request.op === op);
			if (at < 0) throw new Error(`nobody asked for ${op}; asked: ${this.sent.map((request) => request.op)}`);
			const [request] = this.sent.splice(at, 1);
			this.say({ id: request.id, code, message, data });
			await settle();
			return request;
		}

		end(code = 1006) {
			this.readyState = 3;
			this.onclose?.({ code });
		}
	}
	return { sockets, FakeSocket };
}
