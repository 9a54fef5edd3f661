/** What members of a room may do. */

export const ROLES = ["reader", "member", "moderator", "owner"];
export const rank = (role) => ROLES.indexOf(role);

/** Whether members of this role may moderate. */
export const canModerate = (role) => rank(role) >= rank("moderator");
