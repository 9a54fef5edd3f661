/** The way in: by a name alone, with an account, or with a new one, whatever the server offers. */
import { fold } from "/commands.js";
import { $, setText } from "/dom.js";
import { t } from "/words.js";

/** Each way: the fields that it has, how a browser fills them, and the keys of the help for these. */
const WAYS = {
	login: { text: "login", go: "loginGo", to: "loginTo", fields: ["name", "password"], autocomplete: ["username", "current-password"] },
	register: { text: "register", go: "registerGo", to: "registerTo", fields: ["name", "password"], autocomplete: ["username", "new-password"], help: { name: ["nameHelp", "seen"], password: ["passwordHelp"] } },
	name: { text: "text", go: "go", to: "nameTo", fields: ["name"], autocomplete: ["nickname"], help: { name: ["nameHelp", "guestHelp"] } },
	guests: { text: "text", go: "guest", to: "guest", fields: ["name"], autocomplete: ["nickname"], help: { name: ["nameHelp", "guestSeen"] } },
	header: { text: "header", go: "headerGo", to: "headerTo", fields: [] },
	none: { text: "none", fields: [] },
};
const door = (key) => t(`door.${key}`);
/** What stands above the form, by the kind of secret that the link has. */
const SECRETS = { invite: "invited", admin: "admin" };
const SECRET = /cw[ia]_[\w-]+/;

/** The invitation, or the first administrator's link, that the address holds: `{kind, secret}`. */
export function secretInAddress() {
	const secret = new URLSearchParams(location.hash.slice(1)).get("invite")?.match(SECRET)?.[0];
	return secret && { kind: secret.startsWith("cwa_") ? "admin" : "invite", secret };
}

/** The ways in that a server has, the first of which is shown. */
function waysOf({ auth, registration }, given) {
	const has = (name) => auth.includes(name);
	const ways = [];
	if (has("accounts")) ways.push("login");
	if (has("accounts") && (given || registration !== "closed")) ways[given ? "unshift" : "push"]("register");
	for (const [source, way] of [["header", "header"], ["none", "name"], ["guests", "guests"]]) if (has(source) && !(way === "guests" && has("none"))) ways.push(way);
	return ways.length ? ways : ["none"];
}

/**
 * Connects the form. `offers()` asks the server; `enter(way, {name, password, invite})` goes in, and may reject; `sentence(error)` puts
 * a refusal into words. Returns the function that shows the form, with a reason if there is one.
 */
export function signInView({ offers, enter, sentence }) {
	let offered = null;
	let way = null;
	/** The question what it offers, until it is answered. */
	let asking = null;
	const FIELDS = ["name", "password", "invite"];
	const isShown = (field) => !$(`${field}-part`).hidden;

	/** Says what is wrong, at its field. */
	function complain(field, text) {
		for (const each of FIELDS) {
			setText($(`${each}-error`), each === field ? text : "");
			$(each).ariaInvalid = each === field && text ? "true" : null;
		}
		if (text && isShown(field)) $(field).focus();
	}

	function draw() {
		const given = secretInAddress();
		const ways = waysOf(offered, given);
		if (!ways.includes(way)) [way] = ways;
		const { text, go, fields, autocomplete, help = {} } = WAYS[way];
		const needsInvite = way === "register" && !given && offered.registration === "invite";
		setText($("door-text"), door((way === "register" && given && SECRETS[given.kind]) || text));
		for (const field of FIELDS) {
			$(`${field}-part`).hidden = field === "invite" ? !needsInvite : !fields.includes(field);
			if (field !== "invite") setText($(`${field}-help`), (help[field] ?? []).map(door).join(" "));
		}
		$("name").autocomplete = autocomplete?.[0] ?? "off";
		$("password").autocomplete = autocomplete?.[1] ?? "off";
		setText($("door-go"), go ? door(go) : "");
		$("door-go").hidden = !go;
		const others = ways.filter((each) => each !== way).map((each) => {
			const label = each === "register" && offered.registration === "invite" && !given ? door("haveInvite") : door(WAYS[each].to);
			const button = Object.assign(document.createElement("button"), { type: "button", className: "plain", textContent: label });
			button.addEventListener("click", () => turn(each));
			return button;
		});
		$("door-ways").replaceChildren(...others);
		$("sign-in").classList.remove("asking");
	}

	/** The first field that is still to be filled. */
	const focus = () => (FIELDS.find((field) => isShown(field) && !$(field).value) ? $(FIELDS.find((field) => isShown(field) && !$(field).value)) : $("door-go")).focus();

	function turn(to) {
		way = to;
		complain();
		draw();
		focus();
	}

	/** Learns how people come in: by one question, however often that is wanted before its answer. */
	function learn() {
		asking ??= offers().finally(() => (asking = null));
		return asking.then((answer) => {
			offered = answer;
			draw();
		});
	}

	async function submit() {
		$("door-go").disabled = true;
		complain();
		try {
			if (!offered) await learn();
			const invite = isShown("invite") ? ($("invite").value.match(SECRET)?.[0] ?? "") : secretInAddress()?.secret;
			const name = fold($("name").value);
			const password = $("password").value;
			const isAccount = way === "login" || way === "register";
			if (isAccount && !name) return complain("name", door("needName"));
			if (isAccount && !password) return complain("password", door("needPassword"));
			if (invite === "") return complain("invite", door("needInvite"));
			await enter(way, { name, password, invite });
		} catch (error) {
			complain(fieldOf(error), told(error));
		} finally {
			$("door-go").disabled = false;
		}
	}

	/** The field that a refusal is about. */
	function fieldOf({ code, data }) {
		if (FIELDS.includes(data.field) && isShown(data.field)) return data.field;
		if (code === 2001 && way === "register") return isShown("invite") ? "invite" : "name";
		return code === 2001 || code === 5001 ? "password" : "name";
	}

	function told(error) {
		if (error.code === 2001 && way === "login") return door("wrong");
		const seconds = Math.ceil(error.retryAfterMs / 1000);
		return seconds > 0 ? t("again", { text: sentence(error), s: seconds }) : sentence(error);
	}

	$("sign-in").addEventListener("submit", (event) => {
		event.preventDefault();
		submit();
	});
	$("password-show").addEventListener("change", ({ target }) => ($("password").type = target.checked ? "text" : "password"));

	return (why = "") => {
		way = null;
		$("sign-in").classList.add("asking");
		for (const field of ["password", "invite"]) $(field).value = "";
		$("password-show").checked = false;
		$("password").type = "password";
		for (const field of FIELDS) setText($(`${field}-error`), "");
		setText($("name-error"), why);
		$("name").focus();
		// The name is asked for in most ways; who has typed it before the answer goes on with the password.
		const before = $("name").value;
		offered = null;
		learn().then(() => document.activeElement === $("name") && $("name").value === before && focus(), () => $("sign-in").classList.remove("asking"));
	};
}
