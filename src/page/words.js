/**
 * The words of the page in the language that was chosen: each language has a file of its own, and that of another than English is loaded
 * only if it was chosen. A text is named by its key; `{name}` in it is the place of a value, and a list has the forms for one and for more.
 */
import { texts as english } from "/en.js";
import { loadPreferences, preferences } from "/preferences.js";

/** Languages by the beginning of their tags: the tag for numbers and days, and the one of the document. */
const LANGUAGES = { en: ["en", "en"], zh: ["zh-CN", "zh-Hans"] };

loadPreferences();
const wished = preferences.language === "system" ? navigator.language.slice(0, 2).toLowerCase() : preferences.language;
const language = Object.hasOwn(LANGUAGES, wished) ? wished : "en";
const [locale, tag] = LANGUAGES[language];
const texts = language === "en" ? english : await import(`/${language}.js`).then((file) => file.texts, () => english);
/** Made when it is wanted: that takes its time. */
let plural = null;
export { locale };

/** The text of this key, for so many. */
function textOf(key, n) {
	const text = texts[key] ?? english[key] ?? "";
	return typeof text === "string" ? text : text[(plural ??= new Intl.PluralRules(locale)).select(n) === "one" ? 0 : text.length - 1];
}

/** Whether there is a text of this key. */
export const has = (key) => Object.hasOwn(english, key);

/** The text of this key as nodes: each of `values` in its place, as it is. */
export const tn = (key, values = {}) => textOf(key, values.n).split(/\{(\w+)\}/).map((part, at) => (at % 2 ? values[part] : part)).filter((part) => part !== "");

/** The text of this key, with `values` in their places; `n` is the number by which the form is chosen. */
export const t = (key, values) => tn(key, values).map((part) => (typeof part === "number" ? part.toLocaleString(locale) : part)).join("");

/** Fills what is marked in the document `root`: `data-t` is the key of a node's text, `data-t-NAME` that of an attribute. */
export function fill(root) {
	for (const node of root.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
	for (const name of ["aria-label", "title", "placeholder", "data-none"]) {
		for (const node of root.querySelectorAll(`[data-t-${name}]`)) node.setAttribute(name, t(node.getAttribute(`data-t-${name}`)));
	}
}

document.documentElement.lang = tag;
fill(document);
