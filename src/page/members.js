/** The dialog with all members of a room and their roles, in pages. */
import { $, avatar, bdi, el, setText } from "/dom.js";

/** Members of one page. */
const PAGE = 50;

/**
 * Connects the dialog. `members(room, page)` asks the server; `writeTo(name)` begins a conversation; `mayModerate(name)` and
 * `moderate(name)` are about the button beside a name; `roleName(role)` is a role in words; `sentence(error)` puts a refusal into
 * words. Returns the function that opens it for a room.
 */
export function membersDialog({ me, members, writeTo, mayModerate, moderate, roleName, sentence }) {
	const [dialog, list] = [$("members"), $("members-list")];
	let room = null;

	function button(label, name, run) {
		const onclick = () => {
			dialog.close();
			run(name);
		};
		return el("button", { type: "button", ariaLabel: `${label} ${name}`, onclick }, label);
	}

	function node([name, role]) {
		const about = el("span", null, bdi(name), el("small", null, name === me() ? `${roleName(role)}, you` : roleName(role)));
		const buttons = name === me() ? [] : [button("Message", name, writeTo), ...(mayModerate(name) ? [button("Moderate", name, moderate)] : [])];
		return el("li", null, avatar(name), about, ...buttons);
	}

	/** Draws the page behind the name `after`. */
	async function page(after) {
		const asked = room;
		$("members-more").hidden = true;
		setText($("members-status"), "Loading…");
		try {
			const { count, users, more } = await members(room, { limit: PAGE, after });
			if (room !== asked) return;
			list.append(...users.map(node));
			const shown = list.childElementCount;
			setText($("members-status"), more ? `${shown} of ${count.toLocaleString("en")}` : count === 1 ? "1 member" : `${count.toLocaleString("en")} members`);
			$("members-more").hidden = !more;
			$("members-more").onclick = () => page(users.at(-1)[0]);
		} catch (error) {
			if (room === asked) setText($("members-status"), sentence(error));
		}
	}

	$("members-close").addEventListener("click", () => dialog.close());
	return (where) => {
		room = where.name;
		$("members-title").replaceChildren("Members of ", bdi(room));
		list.replaceChildren();
		dialog.showModal();
		page();
	};
}
