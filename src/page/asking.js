/** Asks before what the user could not take back: leaving a room that does not let everybody in, unsent messages. */
import { $, bdi } from "/dom.js";
import { t, tn } from "/words.js";

let confirmed = () => {};

/** Asks; the button named `label` does `act()`. */
export function ask(title, text, label, act) {
	$("asking-title").replaceChildren(...title);
	$("asking-text").textContent = text;
	$("asking-go").textContent = label;
	confirmed = act;
	$("asking").showModal();
}

$("asking-form").addEventListener("submit", (event) => {
	event.preventDefault();
	$("asking").close();
	confirmed();
});
$("asking-cancel").addEventListener("click", () => $("asking").close());

/** The refusal to leave messages behind that nobody could read any more names their number. */
const messagesIn = ({ code, data }) => (code === 3004 ? (data.messages ?? 0) : 0);

/**
 * Returns the function that leaves a room. `members(room)` asks the server for `{users, more}`, `leave(room, isDue, more)` leaves, `me()`
 * is the user, `fail(error)` reports a refusal; `turn()` and `isDue()` are those of the page, `late()` says that nothing was asked.
 */
export function leaving({ members, leave, turn, late, me, fail }) {
	async function go(room, isDue, more) {
		try {
			await leave(room, isDue, more);
		} catch (error) {
			const messages = messagesIn(error);
			if (more || !messages) return fail(error);
			if (!isDue()) return late();
			ask(tn("ask.deleteRoom", { room: bdi(room.name) }), t("ask.last", { n: messages }), t("ask.leaveDelete"), () => go(room, turn(), { close: true }));
		}
	}

	return async (room, isDue) => {
		// A room with an owner may be one that others open; from others one can come back by oneself.
		const { users, more } = room.direct ? { users: [] } : await members(room).catch(() => ({ users: [], more: true }));
		const isOwned = more || users.some(([, role]) => role === "owner");
		const isAlone = !more && users.every(([name]) => name === me());
		if (!isOwned || isAlone) return go(room, isDue);
		if (!isDue()) return late();
		ask(tn("ask.leave", { room: bdi(room.name) }), t("ask.leaveText"), t("ask.leaveGo"), () => go(room, turn()));
	};
}
