/** The text of a message as nodes. Text is inserted as text only. */
import { el, linked } from "/dom.js";
import { blocks, inline, PIECES_MAX } from "/markdown.js";
import { t } from "/words.js";

/**
 * The nodes of a text. `people(name)` is whether there is such a person, or "me" if it is the user of this page; `copy(text)` copies a
 * block of code.
 */
export function formatted(text, { people, copy }) {
	const left = { pieces: PIECES_MAX };
	const nodesOf = (line) => inline(line, people, left).flatMap(piece);

	function piece(part) {
		if (typeof part === "string") return linked(part);
		if (part.code !== undefined) return [el("code", null, part.code)];
		if (!part.mention) return [el(part.tag, null, ...part.of.flatMap(piece))];
		const isMe = people(part.mention.toLowerCase()) === "me";
		return [el("span", { className: isMe ? "mention me" : "mention" }, `@${part.mention}`)];
	}

	/** Lines under each other, as they were written. */
	const under = (lines) => lines.flatMap((line, index) => [...(index ? ["\n"] : []), ...nodesOf(line)]);

	function block({ kind, lines, start, text: code, language }) {
		if (kind === "text") return el("span", null, ...under(lines));
		if (kind === "quote") return el("blockquote", null, ...under(lines));
		if (kind !== "code") {
			const items = lines.map((line) => el("li", null, ...nodesOf(line)));
			return kind === "points" ? el("ul", null, ...items) : el("ol", { start }, ...items);
		}
		const button = el("button", { type: "button", className: "copy plain", tabIndex: -1, onclick: () => copy(code) }, t("copy.button"));
		return el("div", { className: "code" }, el("pre", null, el("code", { className: language }, code)), button);
	}

	return blocks(text).map(block);
}
