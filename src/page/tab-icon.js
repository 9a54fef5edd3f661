/** The icon of the tab, once something is new. */
import { $ } from "/dom.js";
import { count } from "/lists.js";

/** Has the icon of the tab say how much is new: at its size there is place for nothing else. */
export function drawIcon(unread, mentions) {
	const n = count(mentions || unread);
	const size = [0, 48, 40, 30][n.length];
	const picture = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" rx="16" fill="${mentions ? "#b45309" : "#0d9488"}"/><text x="32" y="${32 + 0.36 * size}" font-family="sans-serif" font-size="${size}" font-weight="700" text-anchor="middle" fill="#fff">${n}</text></svg>`;
	const href = n ? `data:image/svg+xml,${encodeURIComponent(picture)}` : "/favicon.svg";
	if ($("icon").getAttribute("href") !== href) $("icon").href = href;
}
