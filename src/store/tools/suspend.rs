//! Who may not use the server at all, as an operator says it. A running server notices within two seconds.

use std::net::IpAddr;
use std::path::Path;

use rusqlite::Connection;

use super::{ToolError, open};
use crate::chat::model::log::{Expiry, Suspensions};
use crate::chat::model::name::UserName;
use crate::store::disk::row::signed;
use crate::store::disk::suspend::{self, Who};

/// Who is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A user.
    User(UserName),
    /// An IP address.
    Address(IpAddr),
}

impl Target {
    fn key(&self) -> String {
        match self {
            Self::User(name) => Who::User(name.clone()).key(),
            Self::Address(address) => Who::Address(address.to_canonical()).key(),
        }
    }
}

/// Keeps somebody off the server; an earlier ban of the same is replaced. Bans that are over by `wall_ms` are
/// forgotten on the way.
///
/// # Errors
///
/// [`ToolError`]; nothing has changed then.
pub fn ban(data: &Path, who: &Target, term: &Expiry, wall_ms: u64) -> Result<(), ToolError> {
    change(data, |db| {
        db.execute("DELETE FROM suspension WHERE until <= ?1", [signed(wall_ms)])?;
        let sql = "INSERT OR REPLACE INTO suspension (who, until, reason) VALUES (?1, ?2, ?3)";
        db.execute(sql, (who.key(), term.until.map(signed), &*term.reason)).map(drop)
    })
}

/// Lets somebody in again: whether there was a ban.
///
/// # Errors
///
/// [`ToolError`]; nothing has changed then.
pub fn unban(data: &Path, who: &Target) -> Result<bool, ToolError> {
    change(data, |db| Ok(db.execute("DELETE FROM suspension WHERE who = ?1", [who.key()])? > 0))
}

/// All bans that are not over by `wall_ms`.
///
/// # Errors
///
/// [`ToolError`].
pub fn bans(data: &Path, wall_ms: u64) -> Result<Suspensions, ToolError> {
    let path = open::path(data);
    let db = open::read(&path)?;
    let mut all = suspend::load(&db).map_err(ToolError::database(&path))?;
    let holds = |term: &Expiry| term.until.is_none_or(|until| until > wall_ms);
    all.users.retain(|(_, term)| holds(term));
    all.addresses.retain(|(_, term)| holds(term));
    Ok(all)
}

fn change<T>(
    data: &Path,
    change: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<T, ToolError> {
    let path = open::path(data);
    let mut db = open::write(&path)?;
    let in_transaction = || {
        let transaction = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let outcome = change(&transaction)?;
        transaction.commit()?;
        Ok(outcome)
    };
    in_transaction().map_err(ToolError::database(&path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::disk::testing::{database, user};

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
