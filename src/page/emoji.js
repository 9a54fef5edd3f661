/** The emoji that are offered, each with its names, and the dialog that offers them. */
import { $, el } from "/dom.js";

export const EMOJI = [
	["👍", "like thumbsup yes +1"], ["👎", "dislike thumbsdown no -1"], ["❤️", "love heart"], ["😂", "laugh joy lol"], ["🎉", "celebrate tada party"],
	["🙂", "smile slight_smile"], ["😀", "grin happy"], ["😉", "wink"], ["😊", "blush"], ["😍", "heart_eyes"], ["😘", "kiss"], ["😎", "cool sunglasses"],
	["🤔", "thinking hmm"], ["😐", "neutral"], ["🙄", "eyeroll roll_eyes"], ["😏", "smirk"], ["😢", "cry sad"], ["😭", "sob"], ["😡", "angry rage"],
	["😱", "scream"], ["😅", "sweat_smile"], ["😴", "sleeping zzz"], ["🤯", "mind_blown exploding"], ["🥳", "partying"], ["🤗", "hug"], ["🤷", "shrug"],
	["🤦", "facepalm"], ["🙈", "see_no_evil monkey"], ["👏", "clap"], ["🙏", "thanks pray please"], ["👋", "wave hello bye"], ["💪", "strong muscle"],
	["👀", "eyes look"], ["🤝", "handshake deal"], ["✌️", "peace victory"], ["🤞", "fingers_crossed luck"], ["👌", "ok_hand fine"], ["🫡", "salute"],
	["🔥", "fire hot"], ["✨", "sparkles"], ["⭐", "star"], ["💯", "hundred 100"], ["✅", "check done"], ["❌", "cross wrong"], ["⚠️", "warning"],
	["❓", "question"], ["❗", "exclamation"], ["💡", "idea bulb"], ["🚀", "rocket ship_it"], ["🐛", "bug"], ["🔧", "wrench fix"], ["📌", "pin"],
	["📎", "paperclip"], ["📅", "calendar date"], ["⏰", "alarm clock"], ["☕", "coffee"], ["🍵", "tea"], ["🍺", "beer"], ["🍰", "cake"], ["🍕", "pizza"],
	["🎂", "birthday"], ["🎁", "gift present"], ["🎵", "music note"], ["☀️", "sun"], ["🌧️", "rain"], ["❄️", "snow"], ["🌈", "rainbow"], ["🐱", "cat"],
	["🐶", "dog"], ["🦊", "fox"], ["🌍", "earth world"], ["💔", "broken_heart"],
];

/** Returns the function that opens the dialog, and hands the emoji that is chosen to `take`. */
export function emojiDialog() {
	const dialog = $("emoji");
	let taker = null;
	const names = (words) => words.replaceAll("_", " ");

	function draw() {
		const wanted = $("emoji-find").value.trim().toLowerCase().replace(/[:\s]+/g, "_").replace(/^_|_$/g, "");
		const found = EMOJI.filter(([, words]) => words.includes(wanted));
		$("emoji-list").replaceChildren(...found.map(([emoji, words]) => {
			const onclick = () => {
				dialog.close();
				taker?.(emoji);
			};
			return el("button", { type: "button", title: names(words.split(" ")[0]), ariaLabel: names(words), onclick }, emoji);
		}));
		$("emoji-none").hidden = found.length > 0;
	}

	$("emoji-find").addEventListener("input", draw);
	$("emoji-form").addEventListener("submit", (event) => {
		event.preventDefault();
		$("emoji-list").firstElementChild?.click();
	});
	$("emoji-close").addEventListener("click", () => dialog.close());
	return (take) => {
		taker = take;
		$("emoji-form").reset();
		draw();
		dialog.showModal();
	};
}
