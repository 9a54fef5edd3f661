/** The bar that says what becomes of the connection. */
import { $, setText } from "/dom.js";
import { t } from "/words.js";

const STOPPED = { 4005: "conn.banned", 4010: "conn.otherTab" };
let retryTimer;

/** Draws a client's `State`; `sentence(error)` puts a refusal into words. */
export function drawConnection({ state, retryAt, announced, close, error }, sentence) {
	clearInterval(retryTimer);
	const why = announced ? t("conn.restarts") : error ? sentence(error) : t("conn.lost");
	const stopped = error ? sentence(error) : t(STOPPED[close] ?? "conn.closed");
	$("app").dataset.connection = state;
	setText($("me-status"), t(state === "ready" ? "conn.connected" : "conn.offline"));
	$("connection-button").hidden = state === "connecting";
	setText($("connection-button"), t(close === 4010 ? "conn.useThis" : "conn.retry"));
	setText($("connection-text"), { connecting: t("conn.connecting"), waiting: t("conn.again", { why }), stopped }[state] ?? "");
	const tick = () => {
		const seconds = Math.ceil((retryAt - Date.now()) / 1000);
		setText($("connection-count"), retryAt ? (seconds > 0 ? t("conn.in", { s: seconds }) : t("conn.now")) : "");
	};
	tick();
	if (retryAt) retryTimer = setInterval(tick, 250);
}
