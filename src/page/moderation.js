/** Two dialogs: one to moderate a member of a room, one with the topic and invitations of a room. */
import { $, bdi, el, endOf } from "/dom.js";
import { keptFor } from "/kept.js";
import { ROLES, canModerate, rank, roleName } from "/roles.js";
import { t, tn } from "/words.js";

/** What holds of people in a room, by the server's words: what ends it, in ours and in the server's. */
const HELD = {
	ban: ["mod.unban", "unban"],
	mute: ["mod.unmute", "mute", { for_ms: 0 }],
	reader: ["mod.makeMember", "role", { role: "member" }],
	invitation: ["mod.withdraw"],
};

/** Bans, mutes and invitations of one page. */
const HELD_PAGE = 50;

/**
 * Connects the dialogs. `ask(op, fields)` asks the server; `act(act, room, user, more)` moderates; `setTopic(room, text)`,
 * `invite(room, user)`; `audit(room)` shows what was done there; `rename(room, name)` and
 * `close(room, {sure, reason})` do so; `confirm(title, text, label, act)` asks first; `fail(error)` reports a refusal of these. Returns the functions that open them.
 */
export function moderationDialogs({ ask, act, setTopic, rename, close, confirm, invite, audit, turn, fail }) {
	/** The person in the first dialog: `{room, user, role}`; `role` is null if not a member, undefined if not known. */
	let about = null;
	let room = null;
	/** The latest request for what holds in a room: the answer to an earlier one is ignored. */
	let latest = null;
	/** The button that waits for its second press. */
	let armed = null;
	const openAudit = el("button", { id: "about-audit", type: "button", onclick: () => ($("about").close(), audit(room.name)) }, t("audit.open"));
	const newName = el("input", { id: "about-name", autocomplete: "off", autocapitalize: "none", spellcheck: false, maxLength: 32 });
	const renameForm = el("form", { id: "about-rename" },
		el("label", { htmlFor: "about-name" }, t("about.name")), newName,
		el("p", { className: "buttons" }, el("button", null, t("about.nameGo"))));
	const why = el("input", { id: "about-why", dir: "auto", autocomplete: "off", maxLength: 256 });
	const endForm = el("form", { id: "about-end" },
		el("label", { htmlFor: "about-why" }, t("about.why")), why,
		el("p", { className: "buttons" }, el("button", null, t("about.end"))));
	$("about").append(renameForm, endForm, openAudit);

	/** Roles by name; `all` if these are all members. */
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

	/** A button for an action. With `question()` its first press asks, its second acts, unless both are one double click. */
	function button(label, what, more, question) {
		const press = ({ detail }) => {
			if (detail > 1) return;
			if (question && armed !== node) {
				disarm();
				armed = node;
				node.className = "armed";
				node.textContent = question();
				return;
			}
			$("moderation").close();
			const reason = $("mod-reason").value.trim() || undefined;
			act(what, about.room.name, about.user, { ...more(), reason }).catch(fail);
		};
		const node = el("button", { type: "button", onclick: press }, label);
		node.dataset.label = label;
		return node;
	}

	const none = () => ({});
	const time = () => $("mod-time");
	const duration = () => ({ for_ms: time().value ? Number(time().value) : undefined });
	const until = () => (time().value ? t("mod.for", { time: time().selectedOptions[0].textContent }) : t("mod.forEver"));

	/** The actions that the role `mine` may take on a person with the role `theirs`. */
	function actions(mine, theirs) {
		if (theirs && rank(theirs) >= rank(mine)) return [];
		const nodes = [button(t("mod.ban"), "ban", duration, () => t("mod.banAsk", { time: until() }))];
		if (!theirs) nodes.push(button(t("mod.unban"), "unban", none));
		if (theirs === null) return nodes;
		return [
			button(t("mod.mute"), "mute", duration, () => t("mod.muteAsk", { time: until() })),
			button(t("mod.unmute"), "mute", () => ({ for_ms: 0 })),
			button(t("mod.remove"), "kick", none, () => t("mod.removeAsk")),
			...nodes,
		];
	}

	/** The roles that `mine` may give to that person. */
	function roles(mine, theirs) {
		if (mine !== "owner" || theirs === null) return [];
		const make = (key, role) => t(key, { role: roleName(role) });
		return ROLES.filter((role) => role !== theirs).map((role) => button(make("mod.make", role), "role", () => ({ role }), () => make("mod.makeAsk", role)));
	}

	/** Opens the dialog about a person in a room; `seen` is the role in the list that led here, since a large room does not tell all. */
	async function person(where, user, seen) {
		const isDue = turn();
		let role;
		try {
			const { known, all } = await askRoles(where.name);
			role = known.get(user) ?? (all ? null : seen);
		} catch (error) {
			return fail(error);
		}
		if (!isDue()) return;
		about = { room: where, user, role };
		$("mod-form").reset();
		armed = null;
		const [acting, giving] = [actions, roles].map((offer) => offer(where.role, about.role));
		const some = acting.length + giving.length > 0;
		$("mod-title").replaceChildren(...tn("mod.in", { user: bdi(user), room: bdi(where.name) }));
		const is = role === null ? t("mod.noMember") : role ? t("mod.role", { role: roleName(role) }) : "";
		$("mod-help").textContent = some ? is : `${is} ${t("mod.mayNot")}`;
		$("mod-terms").hidden = !some;
		$("mod-actions").replaceChildren(...acting);
		$("mod-roles").replaceChildren(...giving);
		$("moderation").showModal();
	}

	/** Opens the dialog about a room. */
	async function aboutRoom(where) {
		const isDue = turn();
		// In a room without moderators every member may set the topic.
		const { known } = await askRoles(where.name).catch(() => ({ known: new Map() }));
		if (!isDue()) return;
		room = where;
		const isModerated = [...known.values()].some(canModerate);
		$("about-topic").hidden = isModerated && !canModerate(where.role);
		$("about-invite").reset();
		$("about-title").replaceChildren(bdi(where.name));
		$("about-text").value = where.topic;
		$("about-kept").textContent = keptFor(where);
		for (const owned of [openAudit, renameForm, endForm]) owned.hidden = where.role !== "owner";
		newName.value = where.name;
		why.value = "";
		$("about-held").replaceChildren();
		$("about-more").hidden = true;
		drawHeld();
		$("about").showModal();
	}

	/** Ends a room for all who are in it. The server says first what would be lost. */
	async function closeRoom(where, reason) {
		const isDue = turn();
		try {
			await close(where.name, {});
		} catch (error) {
			const { messages, members } = error.data ?? {};
			if (members === undefined) return fail(error);
			if (!isDue()) return;
			const text = `${t("ask.endMembers", { n: members })} ${t("ask.endMessages", { n: messages })}`;
			confirm(tn("ask.deleteRoom", { room: bdi(where.name) }), text, t("about.end"), () => close(where.name, { sure: true, reason }).catch(fail));
		}
	}

	/** Lists bans, mutes and invitations, for those who may end them: the first page, or the one behind the user `after`. */
	async function drawHeld(after) {
		const where = room;
		const token = (latest = {});
		const none = { items: [], more: false };
		const { items, more } = canModerate(where.role) ? await ask("restrictions", { room: where.name, limit: HELD_PAGE, after }).catch(() => none) : none;
		if (latest !== token) return;
		const nodes = items.filter(({ kind }) => kind in HELD).map((item) => held(where, item));
		if (after) $("about-held").append(...nodes);
		else $("about-held").replaceChildren(...nodes);
		$("about-more").hidden = !more;
		$("about-more").onclick = () => drawHeld(items.at(-1).user);
	}

	function held(where, { user, kind, until, by, reason }) {
		const [key, what, more] = HELD[kind];
		const label = t(key);
		const onclick = () => (what ? act(what, where.name, user, more) : ask("uninvite", { room: where.name, user })).then(() => drawHeld(), fail);
		const words = [...tn(`held.${kind}`, { user: bdi(user), until: endOf(until) }), ...(by ? tn("held.by", { by: bdi(by) }) : []), ...(reason ? tn("held.why", { reason: bdi(reason) }) : [])];
		return el("li", null, el("span", null, ...words), el("button", { type: "button", ariaLabel: `${label} ${user}`, onclick }, label));
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
	on("mod-form", "submit", () => {});
	$("mod-time").addEventListener("change", disarm);
	on("mod-close", "click", () => $("moderation").close());
	on("about-close", "click", () => $("about").close());
	submit("about-invite", "about-user", (user) => user && invite(room.name, user));
	submit("about-rename", "about-name", (name) => name && name !== room.name && rename(room.name, name).catch(fail));
	submit("about-end", "about-why", (reason) => closeRoom(room, reason || undefined));
	submit("about-topic", "about-text", (text) => text !== room.topic && setTopic(room.name, text).catch(fail));
	return { person, aboutRoom, closeRoom: (where) => closeRoom(where) };
}
