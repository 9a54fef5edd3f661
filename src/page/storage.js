/** Values kept by the browser, where it allows that. */

function value(storage, key, wanted) {
	try {
		if (wanted !== undefined) storage().setItem(key, JSON.stringify(wanted));
		return JSON.parse(storage().getItem(key));
	} catch {
		return null;
	}
}

/** A value that survives a reload of this tab. */
export const stored = (key, wanted) => value(() => sessionStorage, key, wanted);

/** A value for the next visit; no secret belongs here. */
export const remembered = (key, wanted) => value(() => localStorage, key, wanted);
