/** The dialog with all members of a room and their roles, in pages. */
import { $, avatar, bdi, drawName, el, says, setText } from "/dom.js";
import { t, tn } from "/words.js";

/** Members of one page. */
const PAGE = 50;

/**
 * Connects the dialog. `members(room, page)` asks the server; `writeTo(name)` begins a conversation; `mayModerate(name)` and
 * `moderate(name, role)` are about the button beside a name; `roleName(role)` is a role in words; `sentence(error)` puts a refusal into
 * words; `profileOf(name)` is what one says of oneself, and `onProfiles(run)` has `run` called as that changes. Returns the function that opens it for a room.
 */
export function membersDialog({ me, members, writeTo, mayModerate, moderate, roleName, sentence, profileOf, onProfiles }) {
	const [dialog, list] = [$("members"), $("members-list")];
	let room = null;
	/** The latest request: the answer to an earlier one is ignored. */
	let latest = null;
	/** Draws what those who are shown say of themselves. */
	const draws = [];
	onProfiles(() => dialog.open && draws.forEach((draw) => draw()));

	function button(label, name, title, run) {
		const onclick = () => {
			dialog.close();
			run(name);
		};
		return el("button", { type: "button", ariaLabel: title, onclick }, label);
	}

	function node([name, role]) {
		const [who, words] = [el("span"), says()];
		const draw = () => {
			const profile = profileOf(name);
			drawName(who, name, profile);
			setText(words, profile?.text ?? "");
		};
		draws.push(draw);
		const roleText = name === me() ? t("and.you", { role: roleName(role) }) : roleName(role);
		const about = el("span", null, who, el("small", null, roleText), words);
		const buttons = name === me() ? [] : [button(t("members.write"), name, t("members.writeTo", { name }), writeTo), ...(mayModerate(name) ? [button(t("members.moderate"), name, t("members.moderateWho", { name }), () => moderate(name, role))] : [])];
		const made = el("li", null, avatar(name), about, ...buttons);
		draw();
		return made;
	}

	/** Draws the page behind the name `after`. */
	async function page(after) {
		const token = (latest = {});
		// Who has pressed it keeps the focus.
		if (!after) $("members-more").hidden = true;
		setText($("members-status"), t("loading"));
		try {
			const { count, users, more } = await members(room, { limit: PAGE, after });
			if (latest !== token) return;
			list.append(...users.map(node));
			const shown = list.childElementCount;
			setText($("members-status"), more ? t("members.some", { shown, all: count }) : t("dir.members", { n: count }));
			$("members-more").hidden = !more;
			$("members-more").onclick = () => page(users.at(-1)[0]);
		} catch (error) {
			if (latest === token) setText($("members-status"), sentence(error));
		}
	}

	$("members-close").addEventListener("click", () => dialog.close());
	return (where) => {
		room = where.name;
		$("members-title").replaceChildren(...tn("members.title", { room: bdi(room) }));
		list.replaceChildren();
		draws.length = 0;
		dialog.showModal();
		page();
	};
}
