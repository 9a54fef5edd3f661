/** Short messages over the page, which disappear by themselves. */
import { $, el } from "/dom.js";
import { t } from "/words.js";

const TOAST_MS = 7_000;

/** Shows a text, once: the same text again only stays longer. With something to `run`, called `label`, it stays until that is done, or it is dismissed. */
export function toast(text, { label, run } = {}) {
	[...$("toasts").children].find((box) => box.firstChild.textContent === text)?.remove();
	const remove = () => box.remove();
	const close = el("button", { className: "plain", ariaLabel: t("toast.dismiss"), onclick: remove }, "×");
	const box = el("div", { className: "toast" }, el("p", null, text), ...(run ? [el("button", { onclick: run }, label)] : []), close);
	if (!run) setTimeout(remove, TOAST_MS);
	$("toasts").append(box);
}

const holdsFiles = (transfer) => [...(transfer?.types ?? [])].includes("Files");
const takesText = (node) => node.matches?.("textarea, input");

/** Keeps the browser from leaving the page for what is dropped on it, and hands files that are dropped or pasted to `take`. */
export function catchFiles(take) {
	const caught = (event) => {
		event.preventDefault();
		if (event.type !== "dragover") take([...(event.dataTransfer ?? event.clipboardData).files]);
	};
	for (const type of ["dragover", "drop"]) {
		addEventListener(type, (event) => {
			if (holdsFiles(event.dataTransfer)) caught(event);
			else if (!takesText(event.target)) event.preventDefault();
		});
	}
	// A copied table comes as text and as a picture of it.
	addEventListener("paste", (event) => {
		const { clipboardData: copied } = event;
		if (holdsFiles(copied) && !copied.types.includes("text/plain")) caught(event);
	});
}
