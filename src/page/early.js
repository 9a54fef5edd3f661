/**
 * Opens the connection of who comes back while the rest of the page is loaded, on which nothing here waits, and says there what the page
 * has left to be said first: the `hello` of its client, and the question for the page of the room that was open. No module: those are run when all are there.
 */
{
	let early = null;
	/** What was said, and what has come for the client. */
	let [said, came] = [null, []];
	/** Whether there is an answer to be waited for, to the question for the page. */
	let isAsked = false;
	let answered;
	let page = new Promise((resolve) => (answered = resolve));
	try {
		const { me = "null", first = "[]" } = sessionStorage;
		const [known, texts, login] = [JSON.parse(me), JSON.parse(first), JSON.parse(localStorage.login ?? "null")];
		// Another tab may have signed in as somebody else.
		const isSame = texts.length && JSON.parse(texts[0]).token === login?.token;
		// Else the door is shown.
		if (login || known?.account === false) begin(known, isSame ? texts : []);
	} catch {
		// A browser that keeps nothing: nobody comes back.
	}

	function begin(me, texts) {
		early = new WebSocket(`${location.origin.replace("http", "ws")}/ws`, "chinwag.v1");
		early.onopen = () => {
			if (!texts[0]) return;
			[said] = texts;
			early.send(said);
		};
		early.addEventListener("close", () => answered(null));
		early.addEventListener("message", (event) => {
			if (!early && !isAsked) return;
			const { id, code, data } = JSON.parse(event.data);
			if (id === "page") {
				// Not the client's.
				event.stopImmediatePropagation();
				isAsked = false;
				answered(code === 0 ? data : null);
			} else if (early) {
				came.push(event);
				if (id === 1 && code === 0) onWelcome(data);
			}
		});

		/** The next question ends the session by which we have come: before it the new one is kept, by which the client goes on, too. */
		function onWelcome({ session }) {
			said = JSON.stringify({ ...JSON.parse(said), resume: { session, rooms: {} } });
			sessionStorage.me = JSON.stringify({ ...me, session });
			sessionStorage.first = JSON.stringify([said, ...texts.slice(1)]);
			isAsked = texts.length > 1;
			if (isAsked) early.send(texts[1]);
		}
	}

	/** The answer to that question, once; null if there is none. */
	function takePage() {
		const first = page;
		page = null;
		return first;
	}

	/** The server closes a connection that says nothing for 10 s: one that is older than this is not begun with. */
	const OLD_MS = 5_000;
	const since = performance.now();

	/** A `WebSocket` to the server of the page: the first one may be open already, and then says so to whoever takes it. */
	function Socket(url, protocol) {
		const socket = early;
		early = null;
		const isGood = socket?.readyState < 2 && (said || performance.now() - since < OLD_MS);
		if (!isGood || !isAsked) answered(null);
		if (!isGood) {
			socket?.close();
			return new WebSocket(url, protocol);
		}
		if (socket.readyState === 1) queueMicrotask(() => socket.onopen?.());
		if (said) {
			socket.send = (text) => {
				delete socket.send;
				// Where the client says something else, it begins anew.
				if (text === said) came.forEach((event) => socket.onmessage(event));
				else socket.close();
			};
		}
		return socket;
	}

	globalThis.early = { Socket, takePage };
}
