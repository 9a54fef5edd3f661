/**
 * The text of a message as a tree: a small part of Markdown. What shows it never makes HTML of it.
 *
 * | written | shown |
 * |---|---|
 * | ``` on a line of its own, until the next | a block of code, with a button that copies it |
 * | `> ` at the beginning of lines | a quotation |
 * | `- `, `* `, `1. ` at the beginning of lines | a list |
 * | `code` between backquotes, **bold**, *italic* or _italic_, ~~struck~~ | so |
 * | http and https addresses | links, with the brackets that are theirs |
 * | @name | a mention, if `people` knows the name |
 *
 * A mark that is not closed stays as it is, and so does all of a text with too many of them.
 */
/** Marked pieces of one message: a text of marks alone is no reason for ten thousand nodes. */
export const PIECES_MAX = 500;
/** Marks inside marks. */
const DEPTH_MAX = 4;
/** Characters before a mark in which an address may have begun. */
const ADDRESS_MAX = 300;

const FENCE = /^```[ \t]*([\w+#.-]*)[ \t]*$/;
const ITEM = /^(?:[-*•]|(\d{1,9})[.)]) +(.*)$/;
/** A piece of a line: code, a mark with its content, or a mention. The lengths keep it from reading a line again for each letter. */
const PIECE = /(`{1,3})([^`](?:.{0,500}?[^`])?)\1(?!`)|(\*\*|~~|\*|_)(?=\S)(.{0,500}?\S)\3|@([\p{L}\p{M}\p{N}_.-]{1,64})/gu;
const TAGS = { "**": "strong", "~~": "s", "*": "em", _: "em" };
const WORD = /[\p{L}\p{N}]/u;

/** The blocks of a text: `{kind, …}`. Exported for the tests, as {@link inline}. */
export function blocks(text) {
	const found = [];
	const lines = text.split("\n");
	for (let at = 0; at < lines.length; at += 1) {
		const line = lines[at];
		const fence = line.match(FENCE);
		const end = fence ? lines.findIndex((each, index) => index > at && /^```\s*$/.test(each)) : -1;
		if (end > at) {
			found.push({ kind: "code", language: fence[1], text: lines.slice(at + 1, end).join("\n") });
			at = end;
			continue;
		}
		const [, number, content] = line.match(ITEM) ?? [];
		const quoted = line.match(/^>(?: |$)(.*)/)?.[1];
		const kind = quoted !== undefined ? "quote" : content === undefined ? "text" : number ? "numbers" : "points";
		const last = found.at(-1);
		const part = quoted ?? content ?? line;
		if (last?.kind === kind) last.lines.push(part);
		else found.push({ kind, lines: [part], start: Number(number ?? 0) });
	}
	return found;
}

/** The pieces of a line: texts, `{tag, of}`, `{code}`, `{mention}`. `left` counts those that may still come. */
export function inline(text, people, left = { pieces: PIECES_MAX }, depth = 0) {
	const found = [];
	let from = 0;
	const search = new RegExp(PIECE);
	for (let match = search.exec(text); match && left.pieces > 0; match = search.exec(text)) {
		const piece = read(match, text, people, left, depth);
		if (!piece) {
			// What looked like a mark may hide one that is.
			search.lastIndex = match.index + 1;
			continue;
		}
		left.pieces -= 1;
		if (match.index > from) found.push(text.slice(from, match.index));
		found.push(piece);
		from = match.index + (piece.mention ? piece.mention.length + 1 : match[0].length);
		search.lastIndex = from;
	}
	if (from < text.length) found.push(text.slice(from));
	return found;
}

function read({ 0: whole, 2: code, 3: mark, 4: content, 5: name, index }, text, people, left, depth) {
	const before = text[index - 1] ?? " ";
	if (code !== undefined) return { code };
	// An address keeps what looks like a mark or a mention in it.
	if (WORD.test(before) || /https?:\/\/\S*$/i.test(text.slice(Math.max(0, index - ADDRESS_MAX), index))) return null;
	if (mark) {
		const isOpen = depth >= DEPTH_MAX || WORD.test(text[index + whole.length] ?? " ");
		return isOpen ? null : { tag: TAGS[mark], of: inline(content, people, left, depth + 1) };
	}
	// The full stop of a sentence is not part of a name, unless there is such a name.
	const known = [name, name.replace(/[.-]+$/, "")].find((each) => people(each.toLowerCase()));
	return known ? { mention: known } : null;
}
