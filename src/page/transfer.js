/**
 * Files over HTTP, without the page: sending one, going on after a lost connection, and fetching one.
 *
 * `auth()` is `{token}` or, where a name is all that there is, `{as: name}`.
 */

/** What is sent at most without a word from the server, before a connection is held lost. */
const SILENCE_MS = 60_000;
const WAIT_MS_MAX = 20_000;
/** How often a file is fetched again. */
const FETCHES_MAX = 4;
/** Refusals after which the same can succeed. */
const PASSING = new Set([408, 429, 502, 503, 504]);

/** A refusal by the server, with its words. */
export class TransferError extends Error {
	constructor(status, reply) {
		super(reply?.message ?? (status ? `the server answers ${status}` : "the connection is lost"));
		Object.assign(this, { name: "TransferError", status, code: reply?.code ?? 0, data: reply?.data ?? {} });
	}
}

function target(path, auth, more = {}) {
	const fields = new URLSearchParams(more);
	if (!auth.token && auth.as) fields.set("as", auth.as);
	const query = String(fields);
	return query ? `${path}?${query}` : path;
}

const fields = ({ token }) => (token ? { Authorization: `Bearer ${token}` } : {});

function read(text) {
	try {
		return JSON.parse(text);
	} catch {
		return null;
	}
}

/** A name under which a file can be gone on with. */
function newKey() {
	return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Sends the rest of a file; a status of 0 is a lost connection. */
function attempt(blob, { key, offset, auth, progress, signal }) {
	return new Promise((resolve) => {
		const request = new XMLHttpRequest();
		let timer;
		const end = (status, text) => {
			clearTimeout(timer);
			signal.removeEventListener("abort", abort);
			resolve({ status, reply: read(text) });
		};
		const abort = () => request.abort();
		const alive = () => {
			clearTimeout(timer);
			timer = setTimeout(abort, SILENCE_MS);
		};
		request.open("POST", target("/files", auth, { upload: key, offset, size: blob.size }));
		for (const [name, value] of Object.entries(fields(auth))) request.setRequestHeader(name, value);
		request.upload.onprogress = ({ loaded }) => {
			alive();
			progress((offset + loaded) / blob.size);
		};
		request.onload = () => end(request.status, request.responseText);
		request.onerror = request.onabort = () => end(0, "");
		signal.addEventListener("abort", abort);
		alive();
		request.send(offset ? blob.slice(offset) : blob);
	});
}

/** Waits, but not if the connection comes back. */
function pause(ms, signal) {
	return new Promise((resolve) => {
		const done = () => {
			clearTimeout(timer);
			removeEventListener("online", done);
			signal.removeEventListener("abort", done);
			resolve();
		};
		const timer = setTimeout(done, ms);
		addEventListener("online", done);
		signal.addEventListener("abort", done);
	});
}

/**
 * Sends a file, and resolves to what the server says of it: `{id, type, size, w, h}`. A lost connection is waited for, and what has
 * come is not sent again. `progress(part)` is told from 0 to 1, `waiting(is)` whether the connection is lost. Rejects with a
 * {@link TransferError}, or when `signal` is aborted.
 */
export async function sendFile(blob, { auth, progress = () => {}, waiting = () => {}, signal = new AbortController().signal }) {
	const key = newKey();
	let offset = 0;
	for (let tries = 0; ; tries += 1) {
		const { status, reply } = await attempt(blob, { key, offset, auth: auth(), progress, signal });
		signal.throwIfAborted();
		if (status === 201) return reply;
		const had = status === 409 && Number(reply?.data?.expected);
		if (Number.isSafeInteger(had) && had !== offset && had <= blob.size) {
			offset = had;
			continue;
		}
		if (status && !PASSING.has(status)) throw new TransferError(status, reply);
		waiting(true);
		await pause(Math.random() * Math.min(WAIT_MS_MAX, 1000 * 2 ** tries), signal);
		signal.throwIfAborted();
		offset = await askProgress(key, auth()).catch(() => offset);
		waiting(false);
	}
}

async function askProgress(key, auth) {
	const answer = await fetch(target("/files", auth, { upload: key }), { headers: fields(auth), cache: "no-store" });
	const { offset } = await answer.json();
	return Number.isSafeInteger(offset) ? offset : 0;
}

/** Fetches a file of a message, as who may read that. A lost connection or a busy server is waited for a few times. */
export async function fetchFile({ room, seq, id }, auth) {
	const path = `/rooms/${encodeURIComponent(room)}/messages/${Number(seq)}/files/${encodeURIComponent(id)}`;
	for (let tries = 0; ; tries += 1) {
		const answer = await fetch(target(path, auth), { headers: fields(auth) }).catch(() => null);
		const blob = answer?.ok && (await answer.blob().catch(() => null));
		if (blob) return blob;
		const status = answer && !answer.ok ? answer.status : 0;
		if (tries >= FETCHES_MAX || (status && !PASSING.has(status))) throw new TransferError(status, answer && read(await answer.text().catch(() => "")));
		const seconds = Number(answer?.headers.get("Retry-After")) || 1;
		await pause((1 + Math.random()) * 1000 * seconds, new AbortController().signal);
	}
}
