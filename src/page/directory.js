/** The directory: the rooms that everybody may find, and the people of one's own rooms. */
import { $, avatar, bdi, dayName, dayOf, drawName, el, hourOf, setText } from "/dom.js";
import { t, tn } from "/words.js";

/** Rooms whose members are asked for, and members of each. */
const PEOPLE_ROOMS_MAX = 30;
const PEOPLE_PAGE = 200;
/** People shown at once. */
const SHOWN_MAX = 200;
/** After the last key, before the server is asked. */
const TYPED_MS = 250;

const HELP = { rooms: "dir.roomsHelp", people: "dir.peopleHelp" };
const FIND = { rooms: "dir.findRooms", people: "dir.findPeople" };

/**
 * Connects the dialog. `chat()` is the client; `label(room)` names a room, `go(name)` opens one, or by `@name` a conversation;
 * `sentence(error)` puts a refusal into words; `profileOf(name)` is what a person says of itself, `onProfiles(run)` follows each change of that.
 * Returns the function that opens it.
 */
export function directoryDialog({ chat, label, go, sentence, profileOf, onProfiles }) {
	const [dialog, field, list] = [$("directory"), $("directory-find"), $("directory-list")];
	/** The latest request: the answer to an earlier one is ignored. */
	let latest = null;
	let timer = null;
	/** The text for which the rooms in the list were found. */
	let foundFor = null;
	/** Names with the rooms that they are in, once they are known. */
	let people = null;

	const what = () => dialog.querySelector("[name=directory-what]:checked").value;
	const status = (text) => setText($("directory-status"), text);

	function choice(name, mark, about, more) {
		const onclick = () => {
			dialog.close();
			go(name);
		};
		return el("li", null, el("button", { type: "button", onclick }, mark, el("span", null, ...about), more));
	}

	function roomNode({ room, topic, members, at, by_invitation: isClosed }) {
		const word = at ? t("dir.last", { when: dayOf(at) === dayOf(Date.now()) ? hourOf(at) : dayName(at) }) : "";
		const facts = t("dir.members", { n: members }) + word + (isClosed ? t("dir.closed") : "");
		const lines = [bdi(room), el("small", null, facts), ...(topic ? [el("small", { dir: "auto" }, topic)] : [])];
		const mark = el("span", { className: "hash", ariaHidden: "true" }, "#");
		return choice(room, mark, lines, el("small", null, t(chat().rooms.has(room) ? "dir.isIn" : "door.go")));
	}

	/** Asks for the first page, or for the one behind `after`. */
	async function rooms(after) {
		const token = (latest = {});
		const typed = field.value;
		$("directory-more").hidden = true;
		status(after ? "" : t("loading"));
		try {
			const text = typed.trim().replace(/^#/, "");
			const { items, more, after: next } = await chat().directory({ text: text || undefined, after });
			if (latest !== token) return;
			if (!after) {
				list.replaceChildren();
				foundFor = typed;
			}
			list.append(...items.map(roomNode));
			$("directory-more").hidden = !more;
			$("directory-more").onclick = () => rooms(next);
			const n = list.childElementCount;
			status(more ? t("found.first", { n }) : n ? t("found", { n }) : t("dir.noRoom"));
		} catch (error) {
			if (latest === token) status(sentence(error));
		}
	}

	/** Everybody of our rooms, by name; of very large rooms the first ones. */
	async function gather() {
		const found = new Map();
		const add = (name, room) => name !== chat().user && (found.get(name) ?? found.set(name, []).get(name)).push(...(room ? [room] : []));
		const ours = [...chat().rooms.values()];
		for (const room of ours.filter(({ direct }) => direct)) add(label(room));
		const asked = ours.filter(({ direct, state }) => !direct && state !== "wanted").slice(0, PEOPLE_ROOMS_MAX);
		for (const room of asked) {
			const { users } = await chat().members(room.name, { limit: PEOPLE_PAGE });
			for (const [name] of users) add(name, room.name);
		}
		return found;
	}

	function statusOf(name) {
		const seen = [...chat().rooms.values()].map(({ presence }) => presence?.users?.get(name)).find(Boolean);
		return seen ? t(seen) : "";
	}

	function drawPeople() {
		const wanted = field.value.trim().toLowerCase().replace(/^@/, "");
		const isMeant = ([name]) => name.includes(wanted) || chat().profiles.get(name)?.display?.toLowerCase().includes(wanted);
		const found = [...people].filter(isMeant).sort(([a], [b]) => a.localeCompare(b));
		list.replaceChildren(...found.slice(0, SHOWN_MAX).map(([name, names]) => {
			const some = names.slice(0, 3).join(", ");
			const shown = names.length > 3 ? t("dir.andMore", { names: some, n: names.length - 3 }) : some;
			const called = el("span");
			const lines = [called, ...(shown ? [el("small", null, ...tn("dir.in", { rooms: bdi(shown) }))] : [])];
			const made = choice(`@${name}`, avatar(name), lines, el("small", null, statusOf(name)));
			drawName(called, name, profileOf(name));
			return made;
		}));
		status(found.length > SHOWN_MAX ? t("dir.manyPeople", { n: found.length - SHOWN_MAX }) : found.length ? t("found", { n: found.length }) : t("dir.nobody"));
	}

	async function persons() {
		const token = (latest = {});
		$("directory-more").hidden = true;
		if (people) return drawPeople();
		status(t("loading"));
		try {
			const found = await gather();
			if (latest !== token) return;
			people = found;
			drawPeople();
		} catch (error) {
			if (latest === token) status(sentence(error));
		}
	}

	/** Draws the list anew, for what is chosen now. */
	function draw() {
		clearTimeout(timer);
		foundFor = null;
		list.replaceChildren();
		field.ariaLabel = field.placeholder = t(FIND[what()]);
		list.ariaLabel = t(what() === "rooms" ? "nav.rooms" : "dir.people");
		setText($("directory-help"), t(HELP[what()]));
		if (what() === "rooms") rooms();
		else persons();
	}

	field.addEventListener("input", () => {
		clearTimeout(timer);
		if (what() === "people") return persons();
		timer = setTimeout(() => dialog.open && rooms(), TYPED_MS);
	});
	// Of those who have not been shown before it comes behind.
	onProfiles(() => dialog.open && people && what() === "people" && !list.contains(document.activeElement) && drawPeople());
	for (const radio of dialog.querySelectorAll("[name=directory-what]")) radio.addEventListener("change", draw);
	// The first that is found is opened; what was typed last may not have been asked for yet.
	$("directory-form").addEventListener("submit", async (event) => {
		event.preventDefault();
		if (what() === "rooms" && foundFor !== field.value) {
			clearTimeout(timer);
			await rooms();
			if (!dialog.open || foundFor !== field.value) return;
		}
		list.querySelector("button")?.click();
	});
	$("directory-close").addEventListener("click", () => dialog.close());
	return (text = "") => {
		people = null;
		$("directory-form").reset();
		field.value = text;
		dialog.showModal();
		field.focus();
		draw();
	};
}
