/** What the user of this browser prefers, kept for the next visit. */
import { remembered } from "/storage.js";

const DEFAULTS = { theme: "system", density: "roomy", hours: "system", order: "unread", language: "system", enter: "sends", notices: "off", sound: false };
/** Rooms with a preference of their own that are kept. */
const ROOMS_MAX = 200;

/**
 * The preferences; `rooms` has what of a room is told: `all`, `mentions` or `none`; `marked` the messages from which on rooms are marked as unread;
 * `pinned` and `archived` the names of conversations. */
export const preferences = { ...DEFAULTS, rooms: {}, marked: {}, pinned: [], archived: [] };

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

/** Whether a conversation stands above the others. */
export const isPinned = ({ name }) => preferences.pinned.includes(name);
/** Whether it is out of the list until there is something new. */
export const isArchived = ({ name }) => preferences.archived.includes(name);

/** Puts a conversation on the list `pinned` or `archived`, or takes it off. */
export function setListed(list, { name }, on) {
	const others = preferences[list].filter((each) => each !== name);
	preferences[list] = on ? [...others, name].slice(-ROOMS_MAX) : others;
	keep();
}

/** Whether a room is marked as unread. */
export const isMarked = ({ name }) => name in preferences.marked;

/** Marks a room as unread from a message on: on this device, since what others are told of one's reading cannot be taken back. */
export function markUnread({ name }, seq) {
	preferences.marked[name] = seq;
	const names = Object.keys(preferences.marked);
	if (names.length > ROOMS_MAX) delete preferences.marked[names[0]];
	keep();
}

/** Takes the mark off: the seq of the message, or 0. */
export function takeMark({ name }) {
	const seq = preferences.marked[name] ?? 0;
	if (!seq) return 0;
	delete preferences.marked[name];
	keep();
	return seq;
}

/** A room has another name: what is preferred of it goes along. */
export function renamePreferences(was, name) {
	for (const kept of [preferences.rooms, preferences.marked]) {
		if (!(was in kept)) continue;
		kept[name] = kept[was];
		delete kept[was];
	}
	for (const list of ["pinned", "archived"]) preferences[list] = preferences[list].map((each) => (each === was ? name : each));
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
