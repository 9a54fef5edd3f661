/** What the commands that are typed into the message field do. */
import { otherIn } from "/client.js";
import { helpText } from "/commands.js";
import { $, isolated } from "/dom.js";
import { crowd } from "/lists.js";
import { roleName } from "/roles.js";
import { t } from "/words.js";

/**
 * Returns the function that carries out a command as `readTyped` reads it, and says whether it could. `chat()` is the client, `here()` the open room;
 * `note(room, text)` answers in the log, `toast(text)` over the page; the others do what they are called.
 */
export function commandRunner({ chat, here, note, toast, fail, say, show, join, create, leave, closeRoom, invite, search, rename, account, inviteLink, signOut, setAway, readAll, answer, block, report, audit }) {
	const tell = (text) => note(here(), text);
	const moderate = (act) => ({ user, time, text }) => chat().moderate(act, here().name, user, { for_ms: time, reason: text });
	const titleOf = (room) => isolated(room.direct ? otherIn(room.name, chat().user) : room.name);

	const listed = (what, names) => (names.length ? t("run.listed", { what, names: names.sort().join(", ") }) : what);

	async function who(room) {
		const at = here();
		const presence = room ? await chat().request("presence", { room }) : here().presence;
		const users = [...(presence?.users ?? [])].map(([name, status]) => (status === "away" ? t("run.isAway", { name: isolated(name) }) : isolated(name)));
		note(at, listed(crowd(presence), users));
	}

	async function members() {
		const at = here();
		const { users, more } = await chat().request("members", { room: at.name, limit: 100 });
		const names = users.map(([name, role]) => (role === "member" ? isolated(name) : t("run.withRole", { name: isolated(name), role: roleName(role) })));
		note(at, listed(t(more ? "run.firstMembers" : "run.members", { n: names.length }), names));
	}

	const run = {
		msg: ({ user, text }) => {
			const room = chat().open(user);
			if (!text) return show(room);
			chat().send(room.name, text);
			tell(t("run.to", { user: isolated(user), text }));
		},
		reply: ({ meant, text }) => answer(meant, text),
		thread: ({ meant, text }) => answer(meant, text, true),
		join: ({ room }) => join(room),
		leave: ({ room: name = here().name }) => {
			const room = chat().rooms.get(name);
			return room ? leave(room) : toast(t("run.notIn", { room: name }));
		},
		me: ({ text }) => say(`*${text}*`),
		create: ({ word, text }) => create(word, text?.toLowerCase() === "private"),
		who: ({ room }) => who(room),
		members,
		whois: async ({ user }) => {
			const { display, text } = (await chat().whois([user]))[user] ?? {};
			const who = display ? `${isolated(display)} (${isolated(user)})` : isolated(user);
			const is = t({ online: "run.here", away: "run.hereAway" }[here().presence?.users?.get(user)] ?? "run.notOnline", { user: who });
			tell(text ? `${is} ${isolated(text)}` : is);
		},
		display: ({ text }) => (text ? chat().profile({ display: text === "-" ? "" : text }).then(() => toast(t("profile.saved"))) : $("open-settings").click()),
		status: ({ span: time, text }) => (text ? chat().profile({ text: text === "-" ? "" : text, for_ms: time && text !== "-" ? time : undefined }).then(() => toast(t("profile.saved"))) : $("open-settings").click()),
		rooms: () => tell(listed(t("run.conversations"), [...chat().rooms.values()].map(titleOf))),
		search: ({ text }) => search(text),
		history: () => {
			$("log").focus();
			$("log").scrollTop = 0;
		},
		topic: ({ text }) => (text ? chat().topic(here().name, text === "-" ? "" : text) : tell(here().topic ? t("run.topic", { text: here().topic }) : t("run.noTopic"))),
		rename: ({ room }) => chat().rename(here().name, room),
		end: () => closeRoom(here()),
		invite: ({ user }) => invite(here().name, user),
		uninvite: ({ user }) => chat().request("uninvite", { room: here().name, user }).then(() => toast(t("run.uninvited", { user }))),
		kick: moderate("kick"),
		mute: moderate("mute"),
		unmute: ({ user }) => moderate("mute")({ user, time: 0 }),
		ban: moderate("ban"),
		unban: moderate("unban"),
		bans: () => $("about-open").click(),
		role: ({ user, text }) => chat().moderate("role", here().name, user, { role: text.toLowerCase() }),
		block: ({ user }) => block(user, true),
		unblock: ({ user }) => block(user, false),
		blocked: () => tell(listed(t("run.blocked"), chat().blocked.size ? [...chat().blocked].map(isolated) : [t("run.nobody")])),
		report: ({ user, text }) => report({ name: user, reason: text }),
		reports: () => $("reports-open").click(),
		settle: ({ word }) => chat().settle(Number(word)).then(() => toast(t("run.settled"))),
		audit: ({ word }) => audit(word === "all" ? null : here().name),
		nick: ({ name }) => rename(name),
		account: () => account(),
		"invite-link": () => inviteLink(here()),
		away: () => setAway(true),
		back: () => setAway(false),
		help: () => tell(helpText()),
		read: readAll,
		quit: () => signOut(),
	};

	return async ({ command, ...more }) => {
		try {
			await run[command](more);
			return true;
		} catch (error) {
			fail(error);
			return false;
		}
	};
}
