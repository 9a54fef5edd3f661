/** What members of a room may do. */

export const ROLES = ["reader", "member", "moderator", "owner"];
export const rank = (role) => ROLES.indexOf(role);

/** A role in words. */
export const roleName = (role) => (role === "reader" ? "read-only" : role);

/** Whether members of this role may moderate. */
export const canModerate = (role) => rank(role) >= rank("moderator");
