/** What the user of this browser prefers, kept for the next visit. */
import { remembered } from "/storage.js";

const DEFAULTS = { theme: "system", density: "roomy", hours: "system", enter: "sends", notices: "off", sound: false };
/** Rooms with a preference of their own that are kept. */
const ROOMS_MAX = 200;

/** The preferences; `rooms` has what of a room is told: `all`, `mentions` or `none`. */
export const preferences = { ...DEFAULTS, rooms: {} };

/** Takes what is kept. What another version of the page has kept and is no value any more is harmless: it means the default. */
export function loadPreferences() {
	Object.assign(preferences, remembered("preferences"));
	apply();
}

export function prefer(key, value) {
	preferences[key] = value;
	keep();
}

/** What is told of one room; without a value, as of all others. */
export function preferOf(room, value) {
	delete preferences.rooms[room];
	if (value) preferences.rooms[room] = value;
	const names = Object.keys(preferences.rooms);
	if (names.length > ROOMS_MAX) delete preferences.rooms[names[0]];
	keep();
}

function keep() {
	remembered("preferences", preferences);
	apply();
}

function apply() {
	const { dataset } = document.documentElement;
	[dataset.theme, dataset.density] = [preferences.theme, preferences.density];
}

/** What is told of a room: `all`, `mentions` or `none`. */
export const toldOf = ({ name, direct }) => preferences.rooms[name] ?? (preferences.notices === "off" ? "none" : direct ? "all" : preferences.notices);
