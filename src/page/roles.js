/** What members of a room may do. */
import { t } from "/words.js";

export const ROLES = ["reader", "member", "moderator", "owner"];
export const rank = (role) => ROLES.indexOf(role);

/** A role in words. */
export const roleName = (role) => t(`role.${role}`);

/** Whether members of this role may moderate. */
export const canModerate = (role) => rank(role) >= rank("moderator");
