// The dashboard: asks the admin API with the operator's token, and draws what it answers. The token is kept for this tab
// only, and is sent in a header: there is no cookie that another page could use.
import { Chart, fill } from "/admin/chart.js";

/** Milliseconds between two samples of the charts, and between two looks at the lists. */
const SAMPLE_MS = 2_000, LISTS_MS = 6_000;
const KEY = "chinwag-admin-token";
const $ = (id) => document.getElementById(id);

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 1, notation: "compact" });
const count = (value) => number.format(value);
const bytes = (value) => {
	const units = ["B", "kB", "MB", "GB", "TB"];
	const at = value < 1_000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(value) / 3));
	return `${(value / 1_000 ** at).toFixed(at && value / 1_000 ** at < 100 ? 1 : 0)} ${units[at]}`;
};
const duration = (ms) => {
	const s = ms / 1_000;
	if (s < 1) return `${ms < 10 ? Number(ms.toFixed(2)) : Math.round(ms)} ms`;
	if (s < 120) return `${s.toFixed(s < 10 ? 1 : 0)} s`;
	if (s < 7_200) return `${Math.round(s / 60)} min`;
	return s < 172_800 ? `${Math.round(s / 3_600)} h` : `${Math.round(s / 86_400)} d`;
};
const time = (ms) => new Date(ms).toLocaleTimeString();

/** The time that so much of what came between two histograms took at most, in milliseconds. */
export function quantile(before, now, part) {
	const counts = now.counts.map((total, at) => total - (before.counts[at] ?? 0));
	const all = counts.reduce((sum, one) => sum + one, 0);
	if (all <= 0) return null;
	let sum = 0;
	const at = counts.findIndex((one) => (sum += one) >= all * part);
	return (now.bounds_us[at] ?? now.bounds_us.at(-1)) / 1_000;
}

/** What each chart shows of two looks at the server, and the seconds between them. */
const rate = (name) => (before, now, s) => Math.max(0, now[name] - before[name]) / s;
const now = (name) => (_, stats) => stats[name];
const late = (name, part) => (before, stats) => quantile(before[name], stats[name], part);
const CHARTS = [
	["Connections", count, ["all", now("connections")], ["sessions", now("sessions")]],
	["Messages a second", count, ["", rate("records")]],
	["Deliveries a second", count, ["", rate("deliveries")]],
	["Lagging", count, ["subscriptions", now("lagging")]],
	["Turns of the loop", duration, ["half", late("turns", 0.5)], ["99 %", late("turns", 0.99)]],
	["Syncs of the store", duration, ["half", late("commits", 0.5)], ["99 %", late("commits", 0.99)]],
	["Bytes a second", bytes, ["in", rate("received_bytes")], ["out", rate("sent_bytes")]],
	["Waiting for sockets", bytes, ["", now("queued_bytes")]],
	["New connections a second", count, ["in", rate("accepted")], ["away", rate("refused")]],
];

let charts = [];
let before = null;
/** Rises when the token is forgotten: what was asked before is not drawn any more. */
let life = 0;

class Refused extends Error {
	constructor(status, message) {
		super(message);
		this.status = status;
	}
}

async function ask(path) {
	const headers = { Authorization: `Bearer ${sessionStorage.getItem(KEY)}` };
	const response = await fetch(`/api/v1/${path}`, { headers, cache: "no-store", credentials: "omit" });
	const answer = await response.json();
	if (!response.ok) throw new Refused(response.status, answer.message);
	return answer;
}

function state(text, isBad) {
	if ($("state").textContent !== text) $("state").textContent = text;
	$("state").classList.toggle("bad", isBad);
}

function draw(stats) {
	state(stats.ready === "ok" ? "Ready" : `Not ready: ${stats.ready}`, stats.ready !== "ok");
	$("about").textContent = `${stats.version}, up ${duration(stats.uptime_ms)}, users: ${count(stats.users)}, rooms: ${count(stats.rooms)}`;
	// After a restart the numbers count from nothing again.
	const isLater = before && stats.uptime_ms > before.uptime_ms;
	if (isLater) {
		const seconds = (stats.uptime_ms - before.uptime_ms) / 1_000;
		for (const [at, [, , ...lines]] of CHARTS.entries()) charts[at].add(lines.map(([, value]) => value(before, stats, seconds)));
	}
	before = stats;
	const ends = stats.closes.filter((row) => row.count).sort((a, b) => b.count - a.count);
	fill($("closes"), [["Reason", (row) => row.reason.replaceAll("_", " ")], ["Since the start", (row) => count(row.count), true]], ends, "No connection has ended yet.");
}

async function lists() {
	const [lag, ended, rooms] = await Promise.all([ask("connections?sort=lag&limit=10"), ask("connections/closed?limit=10"), ask("rooms?sort=subscribers&limit=10")]);
	const who = [["User", (row) => row.user], ["Address", (row) => row.address]];
	const behind = lag.connections.filter((row) => row.lag || row.queued_bytes);
	fill($("lagging"), [...who, ["Speaks", (row) => row.protocol], ["Records behind", (row) => count(row.lag), true], ["Waiting", (row) => bytes(row.queued_bytes), true], ["Silent for", (row) => duration(row.idle_ms), true], ["Name", (row) => row.id]], behind, "Nobody lags.");
	// The page's own requests would be all that is seen.
	const of = ended.connections.filter((row) => row.listener !== "admin");
	fill($("ended"), [...who, ["Reason", (row) => row.reason.replaceAll("_", " ")], ["At", (row) => time(row.until), true], ["Lasted", (row) => duration(row.until - row.since), true]], of, "None.");
	fill($("rooms"), [["Room", (row) => row.room], ["Listeners", (row) => count(row.subscribers), true], ["Members", (row) => count(row.members), true], ["Last seq", (row) => count(row.seq), true], ["Kept", (row) => row.durability]], rooms.rooms, "There is no room.");
}

/** Asks again and again until the token is forgotten. An answer that does not come is asked for again. */
async function repeat(every, look) {
	const mine = life;
	while (mine === life) {
		try {
			if (!document.hidden) await look(() => mine === life);
		} catch (error) {
			if (mine !== life) return;
			if (error instanceof Refused && (error.status === 401 || error.status === 403)) return close(error.message);
			state(error instanceof Refused ? error.message : "The server does not answer.", true);
		}
		await new Promise((done) => setTimeout(done, every));
	}
}

function open() {
	life += 1;
	before = null;
	charts = CHARTS.map(([title, format, ...lines]) => new Chart(title, lines.map(([name]) => name), format));
	$("charts").replaceChildren(...charts.map((chart) => chart.element));
	[$("door").hidden, $("board").hidden] = [true, false];
	repeat(SAMPLE_MS, async (isMine) => {
		const stats = await ask("stats");
		if (isMine()) draw(stats);
	});
	repeat(LISTS_MS, lists);
}

function close(message = "") {
	life += 1;
	sessionStorage.removeItem(KEY);
	[$("door").hidden, $("board").hidden] = [false, true];
	$("token-error").textContent = message;
	$("token").focus();
}

$("forget").addEventListener("click", () => close());
$("token-form").addEventListener("submit", async (event) => {
	event.preventDefault();
	sessionStorage.setItem(KEY, $("token").value.trim());
	$("token").value = "";
	try {
		await ask("stats");
		$("token-error").textContent = "";
		open();
	} catch (error) {
		close(error instanceof Refused ? error.message : "The server does not answer.");
	}
});
if (sessionStorage.getItem(KEY)) open();
else close();
