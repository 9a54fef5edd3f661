//! Bans of users and addresses from the whole server.

use std::path::Path;

use super::change::change_always;
use super::{ToolError, open};
use crate::chat::model::log::{Expiry, Suspensions};
pub use crate::store::sqlite::Suspended as Target;
use crate::store::sqlite::integers::signed;
use crate::store::sqlite::suspensions;

/// Bans a user or an address, instead of an earlier ban of the same. Bans that have expired by
/// `wall_ms` are removed on the way.
///
/// # Errors
///
/// [`ToolError`]; nothing has changed then.
pub fn ban(data: &Path, who: &Target, expiry: &Expiry, wall_ms: u64) -> Result<(), ToolError> {
    open::release_reserve_if_full(data);
    change_always(data, |db| {
        // Nothing else removes them: the server only ignores what has expired.
        db.execute("DELETE FROM suspension WHERE until <= ?1", [signed(wall_ms)])?;
        suspensions::put(db, who, expiry)
    })
}

/// Ends a ban: whether there was one.
///
/// # Errors
///
/// [`ToolError`]; nothing has changed then.
pub fn unban(data: &Path, who: &Target) -> Result<bool, ToolError> {
    change_always(data, |db| suspensions::end(db, who))
}

/// All bans that have not expired by `wall_ms`.
///
/// # Errors
///
/// [`ToolError`].
pub fn bans(data: &Path, wall_ms: u64) -> Result<Suspensions, ToolError> {
    let path = open::path(data);
    let db = open::read(&path)?;
    let mut all = suspensions::load(&db).map_err(ToolError::database(&path))?;
    all.users.retain(|(_, expiry)| !expiry.is_over(wall_ms));
    all.addresses.retain(|(_, expiry)| !expiry.is_over(wall_ms));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::testing::{database, user};

    #[test]
    fn a_ban_holds_until_it_is_over_or_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        drop(database(&folder));
        let data = folder.path();
        let term = |until, reason: &str| Expiry { until, reason: reason.into() };
        let (ann, bob) = (Target::User(user("ann")), Target::User(user("bob")));
        let address = Target::Address("::ffff:10.0.0.1".parse().unwrap());
        ban(data, &ann, &term(None, "spam"), 1_000).unwrap();
        ban(data, &bob, &term(Some(3_000), ""), 1_000).unwrap();
        ban(data, &address, &term(Some(9_000), ""), 1_000).unwrap();
        ban(data, &ann, &term(None, "more spam"), 1_000).unwrap();
        let all = bans(data, 2_999).unwrap();
        assert_eq!(
            all.users,
            [(user("ann"), term(None, "more spam")), (user("bob"), term(Some(3_000), ""))]
        );
        assert_eq!(all.addresses, [("10.0.0.1".parse().unwrap(), term(Some(9_000), ""))]);
        assert_eq!(bans(data, 3_000).unwrap().users.len(), 1);
        assert!(unban(data, &ann).unwrap() && !unban(data, &ann).unwrap());
        assert!(unban(data, &address).unwrap());
        assert_eq!(bans(data, 3_000).unwrap(), Suspensions::default());
    }

    #[test]
    fn without_a_database_nobody_is_banned() {
        let folder = tempfile::tempdir().unwrap();
        let term = Expiry { until: None, reason: "".into() };
        let refused = ban(folder.path(), &Target::User(user("ann")), &term, 0).unwrap_err();
        assert!(matches!(refused, ToolError::Missing(_)), "{refused}");
        assert!(!open::path(folder.path()).exists());
    }
}
