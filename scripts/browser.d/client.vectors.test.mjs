// The script that every client passes, clients/vectors.json: its own page says what the steps mean.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { bench } from "./bench.mjs";
import { settle } from "./fakes.mjs";

const { begins, cases } = JSON.parse(await readFile(new URL("../../clients/vectors.json", import.meta.url), "utf8"));

class Player {
	#known = new Map();

	constructor(options) {
		this.it = bench(options);
	}

	async play(steps) {
		for (const step of steps) {
			const [kind] = Object.keys(step);
			await this[kind](step);
			await settle();
		}
	}

	begin({ begin }) {
		return this.play(begins[begin]);
	}

	call({ call: [method, ...rest] }) {
		this.it.client[method](...rest)?.catch?.(() => {});
	}

	accept() {
		this.it.socket.accept();
	}

	end({ end }) {
		this.it.socket.end(end);
	}

	ms({ ms }) {
		return this.it.clock.advance(ms);
	}

	say({ say }) {
		this.it.socket.say(this.#given(say));
	}

	async answer({ answer: op, asked = {}, lost, data, code, message }) {
		if (!lost) return this.#hold(await this.it.socket.reply(op, data, code, message), asked);
		await settle();
		const at = this.it.socket.sent.findIndex((request) => request.op === op);
		assert.ok(at >= 0, `nobody asked for ${op}`);
		this.#hold(this.it.socket.sent.splice(at, 1)[0], asked);
	}

	#hold(request, asked) {
		for (const [field, expected] of Object.entries(asked)) {
			const found = request[field] ?? null;
			if (typeof expected !== "string" || !expected.startsWith("$")) assert.deepEqual(found, expected, field);
			else if (this.#known.has(expected)) assert.equal(found, this.#known.get(expected), field);
			else this.#known.set(expected, found);
		}
	}

	#given(value) {
		return JSON.parse(JSON.stringify(value), (_, inner) => this.#known.get(inner) ?? inner);
	}

	silent({ silent }) {
		assert.deepEqual(this.it.socket.sent.filter(({ op }) => silent.includes(op)), []);
	}

	told({ told }) {
		assert.deepEqual(this.it.told(), told);
	}

	room({ room: name, is }) {
		const room = this.it.client.rooms.get(name);
		if (is === null) return assert.equal(room, undefined);
		assert.deepEqual(Object.fromEntries(Object.keys(is).map((key) => [key, room[key]])), is);
	}

	outbox({ outbox }) {
		assert.deepEqual(this.it.client.outbox.map(({ text }) => text), outbox);
	}

	state({ state, retry_ms: ms, token }) {
		assert.equal(this.it.client.state.state, state);
		if (ms !== undefined) assert.equal(this.it.client.state.retryAt - this.it.clock.now(), ms);
		if (token !== undefined) assert.equal(this.it.client.state.token, token);
	}
}

for (const { name, options, steps } of cases) {
	test(name, () => new Player(options).play(steps));
}
