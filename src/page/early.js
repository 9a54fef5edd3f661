/** Opens the connection of who comes back while the rest of the page is loaded, on which nothing here waits. */
let early = null;
try {
	if (localStorage.login || sessionStorage.me) early = new WebSocket(`${location.origin.replace("http", "ws")}/ws`, "chinwag.v1");
} catch {
	// A browser that keeps nothing: nobody comes back.
}

/** The server closes a connection that says nothing for 10 s: one that is older than this is not begun with. */
const OLD_MS = 5_000;
const since = performance.now();

/** A `WebSocket` to the server of the page: the first one may be open already, and then says so to whoever takes it. */
export function Socket(url, protocol) {
	const socket = early;
	early = null;
	const isOld = performance.now() - since > OLD_MS;
	if (isOld) socket?.close();
	if (!socket || isOld || socket.readyState > 1) return new WebSocket(url, protocol);
	if (socket.readyState === 1) queueMicrotask(() => socket.onopen?.());
	return socket;
}
