/** The windows on the logs of rooms: which entries are there to be shown, and how others are fetched. */
import { cached } from "/dom.js";
import { t } from "/words.js";

/** Entries with a place in the log kept of the open room; others are fetched again. Each one takes its time in each frame in which the log grows. */
const SHOWN_MAX = 160;
/** So many times as many with their edits and reactions, of which one message may have hundreds. */
const CHANGES = 4;
/** After a refusal nothing is fetched for so long. */
const PAUSE_MS = 2_000;
/** Entries in one fetch, and kept of each other room. */
const PAGE = 40;
/** Entries of a page that are drawn in one frame, beside others that are shown: more would take too long. */
const PART = 10;
/** Entries in the first fetch of a room: what is in view, so that it is there soon. */
export const FIRST_PAGE = 30;

/** A window on the log of a room. `more`: there are older entries; `atHead`: it reaches to the newest. */
export class View {
	entries = [];
	/** Edits, deletions and reactions that came after the end of the window. */
	later = [];
	more = true;
	atHead = true;
	loading = null;
	newFrom = 0;
	/** What ended our membership, if anything did. */
	ended = null;

	/** Whether at its end it has all that it may have. */
	isFull() {
		return placesIn(this.entries).length >= SHOWN_MAX || this.entries.length >= CHANGES * SHOWN_MAX;
	}
}

/** Where entries stand that have a place in the log: others change one of these. */
const placesIn = (entries) => entries.flatMap(({ ev }, at) => (["edit", "deletion", "reaction"].includes(ev) ? [] : [at]));

/** A page in parts, the one first that comes next to what is shown. */
function partsOf(items, isUpwards) {
	const count = Math.max(1, Math.ceil(items.length / PART));
	const begin = (at) => (isUpwards ? items.length - at * PART : at * PART);
	return Array.from({ length: count }, (_, at) => (isUpwards ? items.slice(Math.max(0, begin(at + 1)), begin(at)) : items.slice(begin(at), begin(at + 1))));
}

/** A hidden tab has none. */
const nextFrame = () => new Promise((resolve) => (document.hidden ? resolve() : requestAnimationFrame(resolve)));

/**
 * Keeps the windows. `history(name, where)` asks the server, `me()` is the user; `isOpen(room)`, `isFollowing()` and `isWatched()`
 * say what the user looks at; `draw()` is called after each change, `drawEntries()` after one by which nothing is new, `fail(error)` after a refusal.
 */
export function logWindows({ history, me, isOpen, isFollowing, isWatched, draw, drawEntries, fail }) {
	const views = new WeakMap();
	const view = (room) => cached(views, room, () => new View());

	function note(room, text, ev = "note") {
		view(room).entries.push({ ev, text, at: Date.now(), epoch: room.epoch });
		draw();
	}

	/** Cuts one end off a window that has grown too large. */
	function trim(room, end) {
		const shown = view(room);
		const { entries } = shown;
		const most = isOpen(room) ? SHOWN_MAX : PAGE;
		const places = placesIn(entries);
		if (end === "newest") {
			if (entries.splice(Math.min(places[most] ?? entries.length, CHANGES * most)).length) shown.atHead = false;
		} else if (entries.splice(0, Math.max(places.length > most ? places[places.length - most] : 0, entries.length - CHANGES * most)).length) {
			shown.more = entries[0].epoch === room.epoch;
		}
	}

	function record({ room, item }) {
		const shown = view(room);
		const away = !isOpen(room) || !isFollowing();
		// The window of a reader far above stays; newer entries are fetched on the way down.
		if (isOpen(room) && away && shown.isFull()) shown.atHead = false;
		if (shown.atHead) {
			shown.entries.push({ ...item, epoch: room.epoch });
			trim(room, "oldest");
		} else if (item.ev !== "message" && item.target) {
			shown.later.push(item);
			if (shown.later.length > CHANGES * SHOWN_MAX) shown.later.shift();
		}
		if (!shown.newFrom && item.ev === "message" && item.from !== me() && (away || !isWatched())) shown.newFrom = item.seq;
		draw();
	}

	function gap({ room, from, to, why }) {
		// Too many for a replay: the window restarts here.
		if (why === "limit") return restart(room);
		const seqs = { from: String(from), to: String(to), n: to - from + 1 };
		note(room, t(why === "pruned" ? "log.pruned" : "log.missing", seqs));
	}

	function reset({ room, seq }) {
		Object.assign(view(room), { later: [], newFrom: 0, more: false, atHead: true, loading: null });
		note(room, t(room.durable === "memory" ? "log.restarted" : "log.wentBack"), "reset");
		if (seq > 0) older(room, seq + 1);
	}

	/** Shows the page that reaches to the end of a room which is not joined yet. */
	const begin = (room, { items, more, epoch }) => Object.assign(view(room), { entries: items.map((item) => ({ ...item, epoch })), more });

	const restart = (room) => Object.assign(view(room), new View());

	/** We are no longer in the room. Of its window there remains what says so, and what could not be sent. */
	function end(room, how) {
		const shown = view(room);
		const act = [...shown.entries, ...shown.later].findLast(({ act, target }) => target === me() && (act === "kick" || act === "ban"));
		const notes = shown.entries.filter(({ ev }) => ev === "unsent");
		const ended = { ...act, ev: "ended", room: room.name, at: act?.at ?? Date.now(), epoch: room.epoch, ...how };
		Object.assign(shown, new View(), { entries: [...notes, ended], more: false, ended });
		draw();
		return ended;
	}

	/** Fetches the page before the window, after a reset the newest one. */
	function older(room, before) {
		const shown = view(room);
		if (room.epoch === null || (before === undefined && !shown.more)) return;
		const first = shown.entries.find((entry) => entry.seq && entry.epoch === room.epoch)?.seq;
		load(room, { before: before ?? first ?? room.seq + 1 }, (items, more) => {
			const line = shown.entries.findLastIndex((entry) => entry.ev === "reset" && entry.epoch === room.epoch);
			// If the new log does not fit, its entries replace those from before the reset.
			if (more) shown.entries.splice(0, line);
			shown.entries.splice(more ? Math.min(line + 1, 1) : line + 1, 0, ...items);
			shown.more = more;
			trim(room, isFollowing() ? "oldest" : "newest");
		});
	}

	function newer(room) {
		const shown = view(room);
		const last = shown.entries.findLast((entry) => entry.seq)?.seq ?? room.seq;
		load(room, { after: last }, (items) => {
			shown.entries.push(...items);
			shown.atHead = (items.at(-1)?.seq ?? last) >= room.seq;
			if (shown.atHead) shown.later = [];
			trim(room, "oldest");
		});
	}

	/** Moves the window to a record, if that is not in it. */
	async function around(room, seq) {
		const shown = view(room);
		if (shown.entries.some((entry) => entry.seq === seq && entry.epoch === room.epoch)) return;
		shown.loading = null;
		await load(room, { around: seq }, (items, _more, oldest) => {
			const atHead = (items.at(-1)?.seq ?? 0) >= room.seq;
			Object.assign(shown, { entries: items, later: [], more: items[0]?.seq > oldest, atHead });
		});
	}

	async function load(room, where, apply) {
		const shown = view(room);
		if (shown.loading || shown.ended) return;
		const { epoch } = room;
		const token = (shown.loading = {});
		const isWanted = () => shown.loading === token && room.epoch === epoch;
		const end = () => {
			if (shown.loading === token) shown.loading = null;
			drawEntries();
		};
		try {
			const isFirst = !shown.entries.length;
			const { items, more, oldest } = await history(room.name, { ...where, limit: isFirst ? FIRST_PAGE : PAGE });
			const all = items.map((item) => ({ ...item, epoch }));
			const isWhole = isFirst || where.around || shown.entries.some(({ ev }) => ev === "reset");
			const parts = isWhole ? [all] : partsOf(all, where.before !== undefined);
			for (const part of parts) {
				if (part !== parts[0]) await nextFrame();
				if (!isWanted()) break;
				apply(part, more || part !== parts.at(-1), oldest);
				drawEntries();
			}
		} catch (error) {
			if (isWanted() && error.code && error.code !== 4004) {
				fail(error);
				return void setTimeout(end, PAUSE_MS);
			}
		}
		end();
	}

	return { view, note, record, gap, reset, begin, restart, end, trim, older, newer, around };
}
