/** What a message answers: the message of that seq, from the window, or asked for once. */
import { present } from "/client.js";

/** Messages that were asked for, kept of each room. */
const KEPT_MAX = 200;

/** `history(name, where)` asks the server, `draw()` is called when an answer has come. */
export function quoteFinder({ history, draw }) {
	const rooms = new WeakMap();

	async function ask(room, seq, kept) {
		kept.set(seq, null);
		if (kept.size > KEPT_MAX) kept.delete(kept.keys().next().value);
		try {
			const { items } = await history(room.name, { around: seq, limit: 1 });
			kept.set(seq, present(items).find(({ item }) => item.seq === seq) ?? { isGone: true });
		} catch (error) {
			// Of a connection that ended nothing is known: it is asked for when the message is shown again.
			if (error.code) kept.set(seq, { isGone: true });
			else kept.delete(seq);
		}
		draw();
	}

	/** The state of the message `seq`, among `states` or kept; `{isGone}` if there is none any more, null if it is not known yet. */
	return (room, seq, states) => {
		const shown = states.get(seq);
		if (shown) return shown;
		if (!rooms.has(room)) rooms.set(room, new Map());
		const kept = rooms.get(room);
		if (!kept.has(seq)) ask(room, seq, kept);
		return kept.get(seq);
	};
}
