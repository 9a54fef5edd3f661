/** The bar that says what becomes of the connection. */
import { $, setText } from "/dom.js";

const STOPPED = { 4005: "You are banned from this server.", 4010: "This session continues in another tab." };
let retryTimer;

/** Draws a client's `State`; `sentence(error)` puts a refusal into words. */
export function drawConnection({ state, retryAt, announced, close, error }, sentence) {
	clearInterval(retryTimer);
	const why = announced ? "The server is restarting." : error ? sentence(error) : "Connection lost.";
	const stopped = error ? sentence(error) : (STOPPED[close] ?? "The server closed this session.");
	$("app").dataset.connection = state;
	setText($("me-status"), state === "ready" ? "Connected" : "Offline");
	$("connection-button").hidden = state === "connecting";
	setText($("connection-button"), close === 4010 ? "Use this tab" : "Retry now");
	setText($("connection-text"), { connecting: "Connecting…", waiting: `${why} Reconnecting`, stopped }[state] ?? "");
	const tick = () => {
		const seconds = Math.ceil((retryAt - Date.now()) / 1000);
		setText($("connection-count"), retryAt ? (seconds > 0 ? `in ${seconds} s` : "now") : "");
	};
	tick();
	if (retryAt) retryTimer = setInterval(tick, 250);
}
