/** Files of messages: those that are about to be sent, and those that are shown. Names reach the document as text only. */
import { $, bdi, el, setText } from "/dom.js";
import { prepared } from "/pictures.js";
import { fetchFile, sendFile } from "/transfer.js";
import { t } from "/words.js";

/** Files of one message; each may have a thumbnail, which is a file, too. */
const FILES_MAX = 10;
const NAME_MAX = 200;
/** The box in which a picture is shown. */
const BOX = { w: 320, h: 240 };
/** Pictures that are kept after they were fetched; those shown longest ago go first. */
const KEPT_MAX = 100;
/** The kinds that are shown as pictures. Of any other only the bytes are kept: what is in them must not run as a part of this page. */
const SHOWN = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);
const isId = (id) => typeof id === "string" && /^cwf_[a-z2-7]{32}$/.test(id);

document.head.append(el("link", { rel: "stylesheet", href: "/files.css" }));
const trayList = el("ul", { id: "tray", ariaLabel: t("file.tray"), hidden: true });
const chooser = el("input", { type: "file", multiple: true, hidden: true, id: "attach-files" });
$("composer").before(trayList, chooser);

/** The dialog that shows a picture large. */
const large = {
	image: el("img", { id: "picture-image", alt: "" }),
	name: el("p", { id: "picture-name" }),
	save: el("button", { id: "picture-save" }, t("file.save")),
	close: el("button", { id: "picture-close", autofocus: true }, t("close")),
};
large.dialog = el("dialog", { id: "picture" }, large.image, large.name, el("p", { className: "buttons" }, large.save, " ", large.close));
large.dialog.setAttribute("aria-labelledby", "picture-name");
document.body.append(large.dialog);
large.close.addEventListener("click", () => large.dialog.close());
large.dialog.addEventListener("click", ({ target }) => target === large.dialog && large.dialog.close());

export const sizeOf = (bytes) => {
	const step = bytes < 1024 ? 0 : bytes < 1024 ** 2 ? 1 : 2;
	return `${(bytes / 1024 ** step).toFixed(step && bytes / 1024 ** step < 10 ? 1 : 0)} ${[t("file.bytes"), "KB", "MB"][step]}`;
};
const whole = (value) => (Number.isSafeInteger(value) && value > 0 ? value : 0);

/** The files that a message tells of; what it says of them is anybody's word. */
function filesOf({ data }) {
	const listed = Array.isArray(data?.files) ? data.files.slice(0, FILES_MAX) : [];
	return listed.filter((file) => isId(file?.id)).map(({ id, name, type, size, w, h, thumb }) => ({
		id,
		name: typeof name === "string" && name.trim() ? name.slice(0, NAME_MAX) : t("file.name"),
		isPicture: SHOWN.has(type) && whole(w) > 0 && whole(h) > 0,
		size: whole(size),
		w: whole(w),
		h: whole(h),
		thumb: isId(thumb?.id) ? thumb.id : id,
	}));
}

/**
 * What shows the files of messages, and the tray of those that are about to be sent. `auth()` is who asks, `limits()` are those of the
 * server, `send(room, text, more)` sends a message, `fail(words)` says what went wrong.
 */
export function filesView({ auth, limits, send, toast, sentence }) {
	const kept = new Map();
	const urls = new Map();
	const seen = new IntersectionObserver((entries) => entries.filter((entry) => entry.isIntersecting).forEach(({ target }) => {
		seen.unobserve(target);
		loaders.get(target)?.();
	}), { rootMargin: "300px" });
	const loaders = new WeakMap();

	/** The address of a file in this page, fetched once. */
	function urlOf(place) {
		const { id } = place;
		const found = kept.get(id);
		if (found) {
			kept.delete(id);
			kept.set(id, found);
			return found;
		}
		const made = fetchFile(place, auth()).then((blob) => {
			// Anything else would be a document of this origin, if it were opened.
			const type = SHOWN.has(blob.type) ? blob.type : "application/octet-stream";
			const url = URL.createObjectURL(new Blob([blob], { type }));
			urls.set(id, url);
			return url;
		});
		kept.set(id, made);
		made.catch(() => kept.delete(id));
		if (kept.size > KEPT_MAX) {
			const [oldest] = kept.keys();
			kept.delete(oldest);
			URL.revokeObjectURL(urls.get(oldest));
			urls.delete(oldest);
		}
		return made;
	}

	async function save(place, name) {
		try {
			el("a", { href: await urlOf(place), download: name }).click();
		} catch (error) {
			toast(t("file.fetchFailed", { name, why: sentence(error) }));
		}
	}

	async function enlarge(place, { name, w, h }) {
		const { dialog, image } = large;
		image.removeAttribute("src");
		Object.assign(image, { alt: name, width: w, height: h });
		setText(large.name, name);
		large.save.onclick = () => save(place, name);
		dialog.showModal();
		try {
			const url = await urlOf(place);
			if (dialog.open) image.src = url;
		} catch (error) {
			dialog.close();
			toast(t("file.fetchFailed", { name, why: sentence(error) }));
		}
	}

	function picture(file, place) {
		const scale = Math.min(1, BOX.w / file.w, BOX.h / file.h);
		const [width, height] = [file.w, file.h].map((side) => Math.max(1, Math.round(side * scale)));
		const image = el("img", { alt: file.name, width, height });
		const button = el("button", { type: "button", className: "picture plain", title: t("file.show", { name: file.name }), onclick: () => enlarge(place, file) }, image);
		loaders.set(image, () => urlOf({ ...place, id: file.thumb }).then((url) => (image.src = url), () => button.classList.add("missing")));
		seen.observe(image);
		return button;
	}

	function link(file, place) {
		const label = file.size ? ` (${sizeOf(file.size)})` : "";
		return el("button", { type: "button", className: "file plain", title: t("file.saveThis"), onclick: () => save(place, file.name) }, "↓ ", bdi(file.name), label);
	}

	/** Shows the files of a message in `box`. */
	function show(box, item, room) {
		const nodes = filesOf(item).map((file) => {
			const place = { room, seq: item.seq, id: file.id };
			return file.isPicture ? picture(file, place) : link(file, place);
		});
		box.replaceChildren(...nodes);
	}

	// --- The tray

	/** What is about to be sent, and in which room. */
	let tray = [];
	let trayRoom = null;

	function drawTray(shownRoom) {
		trayList.hidden = !tray.length || (shownRoom !== undefined && shownRoom !== trayRoom);
		trayList.replaceChildren(...tray.map(({ node }) => node));
	}

	function drop(entry) {
		entry.stop.abort();
		tray = tray.filter((each) => each !== entry);
		drawTray();
	}

	/** Begins to send files, which a message of this room is to refer to. */
	function add(files, room) {
		if (!limits().file_bytes) return toast(t("file.none"));
		if (trayRoom !== room) tray.splice(0).forEach((entry) => entry.stop.abort());
		trayRoom = room;
		for (const file of files) {
			if (tray.length >= FILES_MAX) return toast(t("file.most", { n: FILES_MAX }));
			begin(file);
		}
		drawTray();
	}

	function begin(file) {
		const name = (file.name || t("file.name")).slice(0, NAME_MAX);
		const bar = el("progress", { max: 1, value: 0, ariaLabel: t("file.sending", { name }) });
		const state = el("small", { role: "status" });
		const entry = { stop: new AbortController(), name };
		const cancel = el("button", { type: "button", className: "plain", ariaLabel: t("file.stop", { name }), onclick: () => drop(entry) }, "×");
		entry.node = el("li", null, bdi(name), bar, state, cancel);
		entry.done = run(file, entry, { bar, state });
		entry.done.catch((error) => {
			if (entry.stop.signal.aborted) return;
			toast(t("file.failed", { name, why: sentence(error) }));
			drop(entry);
		});
		tray.push(entry);
	}

	async function run(file, entry, { bar, state }) {
		const { blob, name, thumb } = await prepared(file);
		const most = limits().file_bytes;
		if (blob.size > most) throw Object.assign(new Error(t("file.large", { size: sizeOf(blob.size), most: sizeOf(most) })), { isOurs: true });
		const { signal } = entry.stop;
		const waiting = (is) => setText(state, is ? t("file.waiting") : "");
		const put = (what, progress) => sendFile(what, { auth, progress, waiting, signal });
		const stored = await put(blob, (part) => (bar.value = part));
		const small = thumb && thumb.size < blob.size ? await put(thumb, () => {}) : null;
		bar.value = 1;
		setText(state, t("file.ready"));
		return { ...stored, name: name || entry.name, ...(small && { thumb: { id: small.id, w: small.w, h: small.h } }) };
	}

	/** Lets the user choose files, which `take` gets. */
	function choose(take) {
		chooser.onchange = () => {
			take([...chooser.files]);
			chooser.value = "";
		};
		chooser.click();
	}

	/** Whether something is about to be sent in this room. */
	const holds = (room) => tray.length > 0 && trayRoom === room;

	/** Sends a message with what is in the tray, once all of it is there. */
	async function sendTray(text, more) {
		const room = trayRoom;
		const entries = tray;
		const sent = await Promise.allSettled(entries.map((entry) => entry.done));
		// What was taken out meanwhile, or could not be sent, stays out.
		const files = sent.filter(({ status }, at) => status === "fulfilled" && tray.includes(entries[at])).map(({ value }) => value);
		tray = tray.filter((entry) => !entries.includes(entry));
		drawTray();
		if (!files.length && !text) return;
		const words = text || files.map(({ name }) => name).join(", ");
		send(room, words, files.length ? { ...more, data: { files } } : more);
	}

	return { show, add, choose, holds, sendTray, drawTray, clear: () => tray.slice().forEach(drop) };
}
