/** Opens the connection of who comes back while the rest of the page is loaded, on which nothing here waits. */

/** Whether the browser keeps something by this key, where it allows that. */
function keeps(storage, key) {
	try {
		return storage().getItem(key) !== null;
	} catch {
		return false;
	}
}

const isExpected = keeps(() => localStorage, "login") || keeps(() => sessionStorage, "me");
let early = isExpected ? new WebSocket(`${location.origin.replace("http", "ws")}/ws`, "chinwag.v1") : null;

/** A `WebSocket` to the server of the page: the first one may be open already, and then says so to whoever takes it. */
export function Socket(url, protocol) {
	const socket = early;
	early = null;
	if (!socket || socket.readyState > WebSocket.OPEN) return new WebSocket(url, protocol);
	if (socket.readyState === WebSocket.OPEN) queueMicrotask(() => socket.onopen?.(new Event("open")));
	return socket;
}
