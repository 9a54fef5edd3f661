/** A record of a room's log: a message, an edit, a deletion, a reaction, a topic, another name or an act of moderation. */
export interface Item {
	ev: string;
	seq: number;
	at: number;
	from: string;
	text?: string;
	/** The users whom the text names, and `@room`. */
	mentions?: string[];
	cid?: string;
	data?: unknown;
	reply_to?: number;
	thread?: number;
	edited?: number;
	deleted?: boolean;
	/** The seq or the user that it is about. */
	target?: number | string;
	emoji?: string;
	remove?: boolean;
	act?: string;
	role?: string;
	reason?: string;
	until?: number;
	/** Of a `rename`: the name that the room got, and the one that it had. */
	name?: string;
	was?: string;
}

/** A refusal by the server, or `offline` with code 0. */
export class ChinwagError extends Error {
	constructor(reply: { code?: number; message?: string; op?: string; data?: Record<string, unknown>; retry_after_ms?: number });
	code: number;
	slug: string;
	data: Record<string, any>;
	op?: string;
	retryAfterMs?: number;
}

export interface Presence {
	v: number;
	count: number;
	/** Null in a room too large for names. */
	users: Map<string, string> | null;
}

export class Room {
	constructor(name: string);
	readonly name: string;
	readonly direct: boolean;
	epoch: string | null;
	seq: number;
	oldest: number;
	state: "wanted" | "lagging" | "live";
	role: string;
	durable: string;
	topic: string;
	/** Whether strangers do not learn that it exists. */
	private: boolean;
	/** Names that it had before, which lead to it still. */
	former: string[];
	/** For how long what is said is kept; what is missing is no bound. */
	kept: { ms?: number; records?: number; bytes?: number };
	read: number;
	unread: number;
	/** How many of the unread messages name us, or the room. */
	mentions: number;
	/** How many of them belong to threads. */
	inThreads: number;
	presence: Presence | null;
	typing: string[];
	receipts: Map<string, number>;
}

/** A room that everybody may find. */
export interface ListedRoom {
	room: string;
	members: number;
	/** When something was said last. */
	at?: number;
	topic?: string;
	by_invitation?: boolean;
}

/** The state of the connection. */
export interface State {
	state: "stopped" | "connecting" | "ready" | "waiting";
	retryAt?: number;
	announced?: boolean;
	close?: number;
	error?: ChinwagError;
	token?: "refused" | "expired" | "ended";
}

/** A message that the server has not answered yet. */
export interface Entry {
	room: string;
	text: string;
	cid: string;
	at: number;
	more: Record<string, unknown>;
}

export interface Invitation {
	room: string;
	by: string;
	at: number;
	reason?: string;
}

export interface Login {
	id: string;
	agent: string;
	at: number;
	used: number;
	current: boolean;
}

export interface Restriction {
	user: string;
	kind: string;
	until?: number;
	by?: string;
	at?: number;
	reason?: string;
}

/** What an owner, a moderator, an administrator or the operator (`by` is null) has done; `close` with `by` null: an empty room has ended. */
export interface Act {
	id: number;
	at: number;
	by: string | null;
	act: string;
	user?: string;
	room?: string;
}

/** A device that is told of direct messages while its user is away. */
export interface PushDevice {
	id: number;
	/** The host of its push service. */
	service: string;
	agent: string;
	at: number;
	/** It is of the login of this connection. */
	current: boolean;
}

/** What somebody has reported. */
export interface Report {
	id: number;
	by: string;
	user: string;
	room?: string;
	/** The seq of the message, and what it said. */
	target?: number;
	text?: string;
	reason: string;
	at: number;
}

/** A thread that we follow, as `request("threads")` lists it. */
export interface Thread {
	room: string;
	/** The seq of its first message, who has written it, and the beginning of its text. */
	thread: number;
	from: string;
	text: string;
	/** The seq of its last message. */
	seq: number;
	read: number;
	/** Messages of others above `read`; 100 means that there are as many or more. */
	unread: number;
}

/** A page of a thread, as `request("thread", {room, thread, before, limit})` resolves to it. */
export interface ThreadPage {
	room: string;
	epoch: string;
	thread: number;
	/** Its messages, ascending; before all others the one with which it began. */
	items: Item[];
	more: boolean;
	following: boolean;
	read?: number;
	unread?: number;
}

/** What our mark of a thread has become by another of our clients. */
export interface ThreadMark {
	room: string;
	thread: number;
	following: boolean;
	read?: number;
}

export interface Limits {
	message_bytes?: number;
	frame_bytes?: number;
	rooms?: number;
	rate_per_s?: number;
	burst?: number;
	history_page?: number;
	ping_ms?: number;
	replay?: number;
	/** Bytes of one file; `null`: none are taken. */
	file_bytes?: number | null;
	[name: string]: unknown;
}

export interface Welcome {
	user: string;
	session: string;
	server?: string;
	time?: number;
	resumed: boolean;
	limits: Limits;
	invitations?: Invitation[];
	/** There are more invitations than are listed here: `rooms` has all of them. */
	more_invitations?: boolean;
	may_invite?: boolean;
	/** Whether we are an administrator. */
	admin?: boolean;
	[name: string]: unknown;
}

/** What a user says of itself. */
export interface Profile {
	/** The display name, which stands beside the name and is not one. */
	display?: string;
	/** The status text, and until when it holds: milliseconds since 1970. */
	text?: string;
	until?: number;
	/** The colour of the name, chosen among eight. */
	color?: Color;
}

export type Color = "red" | "orange" | "yellow" | "green" | "teal" | "blue" | "purple" | "pink";

/** The detail of each event of a {@link Client}. */
export interface ClientEvents {
	state: State;
	welcome: Welcome;
	record: { room: Room; item: Item };
	gap: { room: Room; from: number; to: number; why: "pruned" | "limit" | "lost" | (string & {}) };
	reset: { room: Room; seq: number };
	live: { room: Room };
	room: { room: Room };
	/** The room has another name: what is kept by the name `was` belongs to `room.name`. */
	renamed: { room: Room; was: string };
	/** Somebody has closed the room of this name; `left` follows. */
	gone: { room: string; from: string; reason?: string };
	left: { room: Room; reason: string; error?: ChinwagError };
	invited: { room: string; from: string; reason?: string };
	invitations: { invitations: Invitation[] };
	blocked: { users: Set<string> };
	/** Names of users whose `profiles` have changed. */
	profiles: { users: string[] };
	reported: { room?: string };
	thread: ThreadMark;
	/** Our token ends soon. */
	expires: { in_ms: number };
	outbox: { entry: Entry; status: "pending" | "sent" | "failed"; error?: ChinwagError; /** Whom the message names who is no member. */ notMembers?: string[] };
	problem: ChinwagError;
}

/** What of a WebSocket is used: that of browsers, Node 22, npm's `ws`. */
export interface WebSocketLike {
	readonly readyState: number;
	onopen: any;
	onmessage: any;
	onclose: any;
	send(text: string): void;
	close(code?: number): void;
}

export interface Clock {
	now(): number;
	setTimeout(run: () => void, ms: number): unknown;
	clearTimeout(timer: any): void;
}

export interface ClientOptions {
	/** Without it the server gives one. */
	name?: string;
	/** This program. */
	agent?: string;
	/** Who we are, or what fetches it: for each connection, and a minute before that of a living one ends. */
	token?: string | (() => string | null | undefined | Promise<string | null | undefined>);
	/** Of an earlier client, to go on where it ended. */
	session?: string | null;
	outbox?: Entry[];
	/** Rejects while the server cannot be reached: where a WebSocket has failed, called before each further one. */
	reachable?: () => unknown;
	WebSocket?: new (url: any, protocol?: string) => WebSocketLike;
	clock?: Clock;
	random?: () => number;
}

/** The place of a page of history: `before`, `after` or `around` a seq. */
export interface Where {
	before?: number;
	after?: number;
	around?: number;
	limit?: number;
}

export interface Page {
	items: Item[];
	more: boolean;
	epoch?: string;
	first?: number;
	last?: number;
	oldest?: number;
}

export interface SearchPage {
	items: (Item & { room: string })[];
	more?: boolean;
	before?: unknown;
}

/** What a change of a log is answered with. */
export interface Changed {
	room: string;
	seq: number;
	at: number;
	dup?: boolean;
	/** Whom the message names who is no member of the room. */
	not_members?: string[];
}

export interface SendMore {
	cid?: string;
	reply_to?: number;
	thread?: number;
	data?: unknown;
}

export class Client extends EventTarget {
	constructor(url: string | URL, options?: ClientOptions);
	user: string | null;
	session: string | null;
	limits: Limits;
	rooms: Map<string, Room>;
	state: State;
	readonly outbox: Entry[];
	/** The text that a client will send first which goes on by our name, or token, and session; for where no function gives tokens. */
	readonly firstWords: string;

	addEventListener<T extends keyof ClientEvents>(type: T, run: (event: CustomEvent<ClientEvents[T]>) => void, options?: boolean | AddEventListenerOptions): void;
	addEventListener(type: string, run: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
	removeEventListener<T extends keyof ClientEvents>(type: T, run: (event: CustomEvent<ClientEvents[T]>) => void, options?: boolean | EventListenerOptions): void;
	removeEventListener(type: string, run: EventListenerOrEventListenerObject | null, options?: boolean | EventListenerOptions): void;

	/** Connects, and reconnects until `stop` or until the server refuses for good. */
	start(): void;
	stop(): void;
	/** For when the network or the machine is back. */
	wake(): void;
	/** Whether a record names us, or the room in which we are. */
	namesUs(item: Item): boolean;

	offers(): Promise<{ auth: string[]; registration: string }>;
	login(name: string, password: string): Promise<{ user: string; token: string }>;
	register(name: string, password: string, options?: { invite?: string }): Promise<{ user: string; token: string }>;
	logout(): Promise<void>;
	password(old: string, password: string): Promise<void>;
	logins(): Promise<Login[]>;
	endLogin(login: string): Promise<void>;
	inviteLink(options?: { uses?: number; for_ms?: number; rooms?: string[] }): Promise<{ invite: string; path: string; uses: number; until: number }>;
	accept(invite: string): Promise<Record<string, any>>;
	refresh(token: string): Promise<void>;

	/** Whom we have blocked, as far as it is known: `listBlocked` asks. */
	readonly blocked: Set<string>;
	block(user: string): Promise<void>;
	unblock(user: string): Promise<void>;
	listBlocked(): Promise<void>;

	/** What users say of themselves, as far as it was asked for or told. */
	readonly profiles: Map<string, Profile>;
	/** What is not given stays; an empty text goes. */
	profile(changes?: { display?: string; text?: string; for_ms?: number; color?: Color | "" }): Promise<Profile>;
	/** Of up to 50 users; those with whom we share no room are left out. */
	whois(users: string[]): Promise<Record<string, Profile>>;

	/** Our devices that are told of direct messages while we are away, and the `applicationServerKey` that another one needs. */
	pushSubscriptions(): Promise<{ key: string; items: PushDevice[] }>;
	pushSubscribe(subscription: PushSubscriptionJSON | { toJSON(): PushSubscriptionJSON }): Promise<{ id: number }>;
	/** By the endpoint, or by the id. */
	pushUnsubscribe(which: string | number): Promise<void>;

	/** Tells the moderators or administrators of a message or a user. */
	report(about: { room?: string; target?: number; user?: string; reason?: string }): Promise<void>;
	reports(page?: { room?: string; limit?: number; after?: number }): Promise<{ items: Report[]; more: boolean }>;
	settle(report: number): Promise<void>;
	/** What was done over others: in a room of ours, or, to administrators, everywhere. */
	audit(page?: { room?: string; before?: number; limit?: number }): Promise<{ items: Act[]; more: boolean }>;
	/** What is kept of us, part by part. */
	export(): AsyncGenerator<{ user: string; part: "profile" | "rooms" | "reports" | "records" | (string & {}); [name: string]: unknown }>;

	/** Any request of the protocol; resolves to the reply's `data`. */
	request(op: string, fields?: Record<string, unknown>): Promise<any>;

	join(name: string, options?: { after?: number }): Promise<Room>;
	leave(name: string, options?: { close?: boolean }): Promise<void>;
	create(name: string, more?: { topic?: string; private?: boolean; policy?: unknown }): Promise<Room>;
	/** Gives a room that we own another name; the one of before leads to it still. */
	rename(was: string, name: string): Promise<Changed>;
	/** Ends a room that we own for all who are in it. Without `sure` it rejects, with the numbers of `messages` and `members` in `data`. */
	close(name: string, options?: { sure?: boolean; reason?: string }): Promise<{ room: string }>;
	/** A room in which we are, as a page of `history` says that reaches to its end: it is joined from there on with the next `sync`. */
	goOn(name: string, page: { epoch: string; last: number }): Room;
	/** The direct conversation with a user. */
	open(user: string): Room;
	sync(): Promise<void>;
	uninvite(name: string, user: string): Promise<void>;
	restrictions(name: string, page?: { limit?: number; after?: string }): Promise<{ items: Restriction[]; more: boolean }>;
	/** A page of the rooms that everybody may find, by name. */
	directory(page?: { text?: string; after?: string; limit?: number }): Promise<{ items: ListedRoom[]; after?: string; more: boolean }>;
	/** A page of a room's members with their roles, by name. */
	members(name: string, page?: { limit?: number; after?: string }): Promise<{ count: number; users: [string, string][]; more: boolean }>;
	history(name: string, where?: Where): Promise<Page>;
	search(text: string, where?: { room?: string; limit?: number; before?: unknown }): Promise<SearchPage>;

	/** Kept, and repeated until the server has answered. */
	send(name: string, text: string, more?: SendMore): Entry;
	edit(name: string, target: number, text: string): Promise<Changed>;
	delete(name: string, target: number): Promise<Changed>;
	react(name: string, target: number, emoji: string, remove?: boolean): Promise<Changed>;
	topic(name: string, text: string): Promise<Changed>;
	moderate(act: "kick" | "mute" | "ban" | "unban" | "role", name: string, user: string, more?: { for_ms?: number; reason?: string; role?: string }): Promise<Changed>;

	read(name: string, seq: number): void;
	typing(name: string): void;
	status(status: "online" | "away"): void;
	watch(name: string): void;
}

/** The room of two users. */
export function directRoom(a: string, b: string): string;
/** The other user of a direct conversation. */
export function otherIn(room: string, user: string): string;

export interface Shown {
	item: Item;
	text?: string;
	edited?: number;
	deleted?: boolean;
	reactions?: Map<string, Set<string>>;
}

/** Applies edits, deletions and reactions to records of one log in their order. */
export function present(items: readonly Item[]): Shown[];
