/** Short messages over the page, which disappear by themselves. */
import { $, el } from "/dom.js";

const TOAST_MS = 7_000;

/** Shows a text, once: the same text again only stays longer. */
export function toast(text) {
	[...$("toasts").children].find((box) => box.firstChild.textContent === text)?.remove();
	const remove = () => box.remove();
	const close = el("button", { className: "plain", ariaLabel: "Dismiss", onclick: remove }, "×");
	const box = el("div", { className: "toast" }, el("p", null, text), close);
	setTimeout(remove, TOAST_MS);
	$("toasts").append(box);
}

const holdsFiles = (transfer) => [...(transfer?.types ?? [])].includes("Files");
const takesText = (node) => node.matches?.("textarea, input");

/** Keeps the browser from leaving the page for what is dropped on it, and says that files are not taken. */
export function catchFiles() {
	const refuse = (event) => {
		event.preventDefault();
		if (event.type !== "dragover") toast("Files cannot be sent here, only text.");
	};
	for (const type of ["dragover", "drop"]) {
		addEventListener(type, (event) => {
			if (holdsFiles(event.dataTransfer)) refuse(event);
			else if (!takesText(event.target)) event.preventDefault();
		});
	}
	// A copied table comes as text and as a picture of it.
	addEventListener("paste", (event) => {
		const { clipboardData: copied } = event;
		if (holdsFiles(copied) && !copied.types.includes("text/plain")) refuse(event);
	});
}
