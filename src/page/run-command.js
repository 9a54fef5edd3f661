/** What the commands that are typed into the message field do. */
import { otherIn, present } from "/client.js";
import { helpText } from "/commands.js";
import { $, isolated } from "/dom.js";
import { crowd } from "/lists.js";
import { roleName } from "/roles.js";
import { t } from "/words.js";

/**
 * Returns the function that carries out a command as `readTyped` reads it, in the room in which it was typed, and says whether it could: whatever is
 * open by then. `isDue()` is whether the user has not gone on since: else what takes the focus, or another room in place of the open one, is left.
 * `chat()` is the client; `note(room, text)` answers in the log, `shown(room)` are the records that are shown of a room, `toast(text)` over the page; the others do what they are called.
 */
export function commandRunner({ chat, note, toast, fail, say, arrive, join, create, leave, closeRoom, invite, search, directory, settings, about, reports, rename, account, inviteLink, signOut, setAway, readAll, sayWhy, shown, block, report, audit }) {
	const titleOf = (room) => isolated(room.direct ? otherIn(room.name, chat().user) : room.name);

	const listed = (what, names) => (names.length ? t("run.listed", { what, names: names.sort().join(", ") }) : what);

	async function who(at, room) {
		const presence = room ? await chat().request("presence", { room }) : at.presence;
		const users = [...(presence?.users ?? [])].map(([name, status]) => (status === "away" ? t("run.isAway", { name: isolated(name) }) : isolated(name)));
		note(at, listed(crowd(presence), users));
	}

	async function members(at) {
		const { users, more } = await chat().request("members", { room: at.name, limit: 100 });
		const names = users.map(([name, role]) => (role === "member" ? isolated(name) : t("run.withRole", { name: isolated(name), role: roleName(role) })));
		note(at, listed(t(more ? "run.firstMembers" : "run.members", { n: names.length }), names));
	}

	const saved = (changes) => chat().profile(changes).then(() => toast(t("profile.saved")));

	/** Answers the last message of somebody, or with some words, of those that are shown in a room, or writes in its thread. */
	function answer(room, { user, words = "" }, text, isInThread) {
		const isMeant = ({ item, deleted, text: said }) => item.ev === "message" && !deleted && (user ? item.from === user : said.toLowerCase().includes(words.toLowerCase()));
		const found = present(shown(room)).findLast(isMeant);
		const { seq, thread = seq } = found?.item ?? {};
		if (found) say(room, text, isInThread ? { thread } : { reply_to: seq });
		else sayWhy(room, t("said.noMessage"));
	}

	/** The commands, of the room `at`. */
	function commands(at, isDue) {
		const tell = (text) => note(at, text);
		const moderate = (act) => ({ user, time, text }) => chat().moderate(act, at.name, user, { for_ms: time, reason: text });
		/** What takes the focus. */
		const opening = (run) => (given) => (isDue() ? run(given) : toast(t("said.late")));
		return {
			msg: ({ user, text }) => {
				const room = chat().open(user);
				if (!text) return arrive(room, isDue);
				chat().send(room.name, text);
				tell(t("run.to", { user: isolated(user), text }));
			},
			reply: ({ meant, text }) => answer(at, meant, text),
			thread: ({ meant, text }) => answer(at, meant, text, true),
			join: ({ room }) => join(room, isDue),
			leave: ({ room: name = at.name }) => {
				const room = chat().rooms.get(name);
				return room ? leave(room, isDue) : toast(t("run.notIn", { room: name }));
			},
			me: ({ text }) => say(at, `*${text}*`),
			create: ({ word, text }) => create(word, text?.toLowerCase() === "private", isDue),
			who: ({ room }) => who(at, room),
			members: () => members(at),
			whois: async ({ user }) => {
				const { display, text } = (await chat().whois([user]))[user] ?? {};
				const who = display ? `${isolated(display)} (${isolated(user)})` : isolated(user);
				const is = t({ online: "run.here", away: "run.hereAway" }[at.presence?.users?.get(user)] ?? "run.notOnline", { user: who });
				tell(text ? `${is} ${isolated(text)}` : is);
			},
			display: ({ text }) => (text ? saved({ display: text === "-" ? "" : text }) : opening(settings)(at)),
			status: ({ span: time, text }) => (text ? saved({ text: text === "-" ? "" : text, for_ms: time && text !== "-" ? time : undefined }) : opening(settings)(at)),
			color: ({ word }) => (word ? saved({ color: word === "-" ? "" : word.toLowerCase() }) : opening(settings)(at)),
			rooms: () => tell(listed(t("run.conversations"), [...chat().rooms.values()].map(titleOf))),
			list: opening(({ text }) => directory(text)),
			search: opening(({ text }) => search(at, text)),
			history: opening(() => {
				$("log").focus();
				$("log").scrollTop = 0;
			}),
			topic: ({ text }) => (text ? chat().topic(at.name, text === "-" ? "" : text) : tell(at.topic ? t("run.topic", { text: at.topic }) : t("run.noTopic"))),
			rename: ({ room }) => chat().rename(at.name, room),
			end: opening(() => closeRoom(at)),
			invite: ({ user }) => invite(at.name, user),
			uninvite: ({ user }) => chat().request("uninvite", { room: at.name, user }).then(() => toast(t("run.uninvited", { user }))),
			kick: moderate("kick"),
			mute: moderate("mute"),
			unmute: ({ user }) => moderate("mute")({ user, time: 0 }),
			ban: moderate("ban"),
			unban: moderate("unban"),
			bans: opening(() => about(at)),
			role: ({ user, text }) => chat().moderate("role", at.name, user, { role: text.toLowerCase() }),
			block: ({ user }) => block(user, true),
			unblock: ({ user }) => block(user, false),
			blocked: () => tell(listed(t("run.blocked"), chat().blocked.size ? [...chat().blocked].map(isolated) : [t("run.nobody")])),
			report: ({ user, text }) => report({ name: user, reason: text }, at),
			reports: opening(() => reports()),
			settle: ({ word }) => chat().settle(Number(word)).then(() => toast(t("run.settled"))),
			audit: opening(({ word }) => audit(word === "all" ? null : at.name)),
			nick: opening(({ name }) => rename(name)),
			account: opening(() => account()),
			"invite-link": opening(() => inviteLink(at)),
			away: () => setAway(true),
			back: () => setAway(false),
			help: () => tell(helpText()),
			read: readAll,
			quit: opening(() => signOut()),
		};
	}

	return async ({ command, ...more }, at, isDue) => {
		try {
			await commands(at, isDue)[command](more);
			return true;
		} catch (error) {
			fail(error);
			return false;
		}
	};
}
