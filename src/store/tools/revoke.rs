//! Tokens that are not taken any more.

use std::path::Path;

use super::ToolError;
use super::change::change_always;
use crate::chat::model::suspensions::Revocation;
use crate::store::sqlite::integers::signed;

/// Has tokens not taken any more. What can be about no good token by `revocation.at` goes.
///
/// # Errors
///
/// [`ToolError`]; nothing has changed then.
pub fn revoke(data: &Path, revocation: &Revocation) -> Result<(), ToolError> {
    let Revocation { what, at, until } = revocation;
    change_always(data, |db| {
        if let Some(user) = what.strip_prefix("user ") {
            // What was subscribed by such a token: a login ends its devices itself.
            db.execute("DELETE FROM push WHERE user = ?1 AND login IS NULL", [user])?;
        }
        db.execute("DELETE FROM revocation WHERE until <= ?1", [signed(*at)])?;
        let sql = "INSERT OR REPLACE INTO revocation (what, at, until) VALUES (?1, ?2, ?3)";
        db.execute(sql, (what, signed(*at), signed(*until))).map(drop)
    })
}
