//! Users and addresses that may not use the server: the table `suspension`, which another process
//! changes.

use rusqlite::Connection;

use super::integers::{signed, unsigned};
use crate::chat::model::log::{Expiry, Suspensions};
use crate::chat::model::name::UserName;
use crate::chat::model::suspensions::Revocation;
pub use crate::chat::model::suspensions::Suspended;
use crate::time::wall_watch::shifted;

impl Suspended {
    /// The key in the table.
    pub(in crate::store) fn key(&self) -> String {
        match self {
            Self::User(name) => format!("user {name}"),
            Self::Address(network) => format!("address {network}"),
        }
    }

    /// The inverse of [`Suspended::key`].
    fn of(key: &str) -> Option<Self> {
        Some(match key.split_once(' ')? {
            ("user", name) => Self::User(UserName::stored(name)?),
            ("address", address) => Self::Address(address.parse().ok()?),
            _ => return None,
        })
    }
}

/// All suspensions, expired ones included, by kind and name. A row that makes no sense is left out.
///
/// # Errors
///
/// What the database says.
pub(in crate::store) fn load(db: &Connection) -> rusqlite::Result<Suspensions> {
    let mut statement =
        db.prepare_cached("SELECT who, until, reason FROM suspension ORDER BY who")?;
    let mut rows = statement.query([])?;
    let mut all = Suspensions::default();
    while let Some(row) = rows.next()? {
        let until = row.get::<_, Option<i64>>(1)?.map(unsigned);
        let expiry = Expiry { until, reason: row.get(2)? };
        match Suspended::of(row.get_ref(0)?.as_str()?) {
            Some(Suspended::User(name)) => all.users.push((name, expiry)),
            Some(Suspended::Address(address)) => all.addresses.push((address, expiry)),
            None => {}
        }
    }
    drop(rows);
    all.revoked = revoked(db)?;
    Ok(all)
}

/// Tokens that are not taken any more.
fn revoked(db: &Connection) -> rusqlite::Result<Vec<Revocation>> {
    let sql = "SELECT what, at, until FROM revocation ORDER BY what";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        let (at, until) = (unsigned(row.get(1)?), unsigned(row.get(2)?));
        Ok(Revocation { what: row.get(0)?, at, until })
    })?;
    rows.collect()
}

/// Somebody may not use the server, in place of what was said of the same before.
///
/// # Errors
///
/// What the database says.
pub(in crate::store) fn put(
    db: &Connection,
    who: &Suspended,
    expiry: &Expiry,
) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO suspension (who, until, reason) VALUES (?1, ?2, ?3)";
    db.execute(sql, (who.key(), expiry.until.map(signed), &*expiry.reason)).map(drop)
}

/// Somebody may use the server again: whether there was a row.
///
/// # Errors
///
/// What the database says.
pub(in crate::store) fn end(db: &Connection, who: &Suspended) -> rusqlite::Result<bool> {
    Ok(db.execute("DELETE FROM suspension WHERE who = ?1", [who.key()])? > 0)
}

/// Moves the ends of all suspensions by as much as the wall clock was set, so that each lasts as
/// long as it was to last.
///
/// # Errors
///
/// What the database says.
pub(super) fn shift(db: &Connection, step_ms: i64) -> rusqlite::Result<()> {
    let mut find = db.prepare("SELECT who, until FROM suspension WHERE until IS NOT NULL")?;
    let found = find.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
    // Collected before the first is changed: a row that is changed under the statement that reads
    // it may come again.
    for (who, until) in found.collect::<rusqlite::Result<Vec<_>>>()? {
        let until = signed(shifted(unsigned(until), step_ms));
        let sql = "UPDATE suspension SET until = ?2 WHERE who = ?1";
        db.prepare_cached(sql)?.execute((who, until))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::testing::database;

    fn suspend(db: &Connection, who: &str, until: Option<i64>) {
        let sql = "INSERT INTO suspension (who, until, reason) VALUES (?1, ?2, 'spam')";
        db.execute(sql, (who, until)).unwrap();
    }

    #[test]
    fn users_and_addresses_are_told_apart_and_nonsense_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        let term = |until| Expiry { until, reason: "spam".into() };
        for who in ["user ann", "user Ann", "ann", "address ::1", "address home", "group x", ""] {
            suspend(&db, who, None);
        }
        suspend(&db, "address 10.0.0.1", Some(5));
        let expected = Suspensions {
            users: vec![(UserName::parse("ann").unwrap(), term(None))],
            revoked: Vec::new(),
            addresses: vec![
                ("10.0.0.1".parse().unwrap(), term(Some(5))),
                ("::1".parse().unwrap(), term(None)),
            ],
        };
        assert_eq!(load(&db), Ok(expected));
    }

    #[test]
    fn a_key_is_read_as_it_was_written() {
        for key in ["user jürgen", "address 10.0.0.1", "address 10.0.0.0/8", "address 2001:db8::1"]
        {
            assert_eq!(Suspended::of(key).unwrap().key(), key);
        }
    }
}
