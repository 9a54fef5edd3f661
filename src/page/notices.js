/** Notices of messages that come while the user looks elsewhere: of the desktop, and a sound. */
import { preferences, toldOf } from "/preferences.js";
import { t } from "/words.js";

/** Characters of a message that are shown. */
const SHOWN_MAX = 140;
/** Between two sounds: a busy room is no alarm. */
const SOUND_MS = 2_000;

/** A short tone, made here, so that no file is needed. */
function beep(context) {
	const [tone, volume] = [context.createOscillator(), context.createGain()];
	tone.frequency.value = 660;
	volume.gain.setValueAtTime(0.08, context.currentTime);
	volume.gain.exponentialRampToValueAtTime(0.0001, context.currentTime + 0.25);
	tone.connect(volume).connect(context.destination);
	tone.start();
	tone.stop(context.currentTime + 0.25);
}

/** Tells of a record, if it is to be told of. `isNamed(item, room)` is whether it names the user, or is of a thread that the user follows; `label(room)` what the room is called, `go(room)` shows it. */
export function notices({ isNamed, label, go }) {
	let context = null;
	let soundAt = 0;

	function sound() {
		if (!preferences.sound || Date.now() - soundAt < SOUND_MS) return;
		soundAt = Date.now();
		context ??= new AudioContext();
		beep(context);
	}

	return ({ room, item }) => {
		const told = toldOf(room);
		if (told === "none" || (told === "mentions" && !isNamed(item, room))) return;
		sound();
		if (globalThis.Notification?.permission !== "granted") return;
		const title = room.direct ? item.from : t("notice.in", { from: item.from, room: label(room) });
		// One a room: the last message takes the place of the one before.
		const options = { body: (item.text ?? "").slice(0, SHOWN_MAX), tag: room.name, icon: "/favicon.svg" };
		try {
			const notice = new Notification(title, options);
			notice.onclick = () => {
				focus();
				notice.close();
				go(room);
			};
		} catch {
			// Android has notices of service workers only.
			const data = { room: room.name, seq: item.seq };
			navigator.serviceWorker?.ready.then((worker) => worker.showNotification(title, { ...options, data }));
		}
	};
}

/** Asks the browser for leave to show notices; resolves to whether it gives it. */
export async function mayNotify() {
	if (!globalThis.Notification) return false;
	return (Notification.permission === "default" ? await Notification.requestPermission() : Notification.permission) === "granted";
}
