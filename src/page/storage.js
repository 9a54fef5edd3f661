/** Values kept by the browser, where it allows that. */

function value(storage, key, wanted) {
	try {
		if (wanted === null) storage().removeItem(key);
		else if (wanted !== undefined) storage().setItem(key, JSON.stringify(wanted));
		return JSON.parse(storage().getItem(key));
	} catch {
		return null;
	}
}

/** A value that survives a reload of this tab: among them the first words of the next connection, with the token of a login. */
export const stored = (key, wanted) => value(() => sessionStorage, key, wanted);

/**
 * A value for the next visit. The token of a login is kept here: only scripts of this origin can read it, and the page's policy lets
 * none run but its own. No request carries it by itself, as it would a cookie, so that a page elsewhere cannot act with it.
 */
export const remembered = (key, wanted) => value(() => localStorage, key, wanted);
