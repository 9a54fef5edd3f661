/** Two dialogs: about a person, for who keeps order in a room, and about the room itself. */
import { $, bdi, el } from "/dom.js";

const ROLES = ["reader", "member", "moderator", "owner"];
const rank = (role) => ROLES.indexOf(role);

/** Whether members of this role keep order. */
export const keepsOrder = (role) => rank(role) >= rank("moderator");

const withArticle = (role) => `${role === "owner" ? "an" : "a"} ${role}`;

/**
 * Makes the dialogs work: `ask(op, fields)` asks the server, `act(act, room, user, more)` keeps order, `setTopic(room, text)` and
 * `invite(room, user)` do so. What they reject with is told by `fail(error)`.
 */
export function serve({ ask, act, setTopic, invite, fail }) {
	/** Whom the first dialog is about: `{room, user, role}`; `role` is theirs, null if not a member, undefined if not known. */
	let about = null;
	let room = null;
	/** The button whose second press does it. */
	let armed = null;

	/** The roles of members, as far as one answer has them: `{known, all}`. */
	async function askRoles(name) {
		const { users, more } = await ask("members", { room: name });
		return { known: new Map(users), all: !more };
	}

	function disarm() {
		if (armed) {
			armed.textContent = armed.dataset.label;
			armed.className = "";
		}
		armed = null;
	}

	/** A button that does something at once, or, if `sure()` gives a question, when that is answered by a second press. */
	function button(label, what, more, sure) {
		const press = () => {
			if (sure && armed !== node) {
				disarm();
				armed = node;
				node.className = "sure";
				node.textContent = sure();
				return;
			}
			$("order").close();
			const reason = $("order-reason").value.trim() || undefined;
			act(what, about.room.name, about.user, { ...more(), reason }).catch(fail);
		};
		const node = el("button", { type: "button", onclick: press }, label);
		node.dataset.label = label;
		return node;
	}

	const none = () => ({});
	const time = () => $("order-time");
	const term = () => ({ for_ms: time().value ? Number(time().value) : undefined });
	const during = () => time().selectedOptions[0].textContent;

	/** What may be done, in a room where we are `mine`, to somebody who is `theirs`. */
	function acts(mine, theirs) {
		if (theirs && rank(theirs) >= rank(mine)) return [];
		const nodes = [button("Ban", "ban", term, () => `Ban for ${during()}?`)];
		if (!theirs) nodes.push(button("Unban", "unban", none));
		if (theirs === null) return nodes;
		return [
			button("Mute", "mute", term, () => `Mute for ${during()}?`),
			button("Unmute", "mute", () => ({ for_ms: 0 })),
			button("Remove", "kick", none, () => "Remove from the room?"),
			...nodes,
		];
	}

	/** Which roles may be given there. */
	function roles(mine, theirs) {
		if (mine !== "owner" || theirs === null) return [];
		const make = (role) => `Make ${withArticle(role)}`;
		return ROLES.filter((role) => role !== theirs).map((role) => button(make(role), "role", () => ({ role }), () => `${make(role)}?`));
	}

	/** Opens the dialog about a person in a room. */
	async function person(where, user) {
		try {
			const { known, all } = await askRoles(where.name);
			about = { room: where, user, role: known.get(user) ?? (all ? null : undefined) };
		} catch (error) {
			return fail(error);
		}
		$("order-form").reset();
		armed = null;
		const [judging, giving] = [acts, roles].map((make) => make(where.role, about.role));
		const some = judging.length + giving.length > 0;
		$("order-title").replaceChildren(bdi(user), " in ", bdi(where.name));
		const standing = about.role === null ? "Not a member here" : about.role ? `Here as ${withArticle(about.role)}` : "";
		$("order-help").textContent = standing && `${standing}${some ? "." : ": nothing that you may change."}`;
		$("order-terms").hidden = !some;
		$("order-acts").replaceChildren(...judging);
		$("order-roles").replaceChildren(...giving);
		$("order").showModal();
	}

	/** Opens the dialog about a room. */
	async function aboutRoom(where) {
		room = where;
		// Only where somebody keeps order is the topic not everybody's.
		const { known } = await askRoles(where.name).catch(() => ({ known: new Map() }));
		const isKept = [...known.values()].some(keepsOrder);
		$("about-topic").hidden = isKept && !keepsOrder(where.role);
		$("about-invite").reset();
		$("about-title").replaceChildren(bdi(where.name));
		$("about-text").value = where.topic;
		$("about").showModal();
	}

	const on = (id, type, run) =>
		$(id).addEventListener(type, (event) => {
			event.preventDefault();
			run();
		});
	const submit = (id, field, run) =>
		on(id, "submit", () => {
			const text = $(field).value.trim();
			$("about").close();
			run(text);
		});
	on("order-form", "submit", () => {});
	$("order-time").addEventListener("change", disarm);
	on("order-close", "click", () => $("order").close());
	on("about-close", "click", () => $("about").close());
	submit("about-invite", "about-user", (user) => user && invite(room.name, user));
	submit("about-topic", "about-text", (text) => text !== room.topic && setTopic(room.name, text).catch(fail));
	return { person, aboutRoom };
}
