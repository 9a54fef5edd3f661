//! What users say of themselves: the table `profile`.

use rusqlite::{Connection, params};

use super::integers::{signed, unsigned};
use super::log_fault::damaged;
use crate::chat::model::name::UserName;
use crate::chat::model::profile::PublicProfile;

/// Reads all of it.
///
/// # Errors
///
/// What the database says; a row that was not written so is damage.
pub(super) fn load(db: &Connection) -> rusqlite::Result<Vec<(UserName, PublicProfile)>> {
    let sql = "SELECT user, display, text, until FROM profile ORDER BY user";
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let user = UserName::stored(row.get_ref(0)?.as_str()?);
        let user = user.ok_or_else(|| damaged("a row of table profile makes no sense".to_owned()));
        let (display, text) = (row.get(1)?, row.get(2)?);
        let until = row.get::<_, Option<i64>>(3)?.map(unsigned);
        all.push((user?, PublicProfile { display, text, until }));
    }
    Ok(all)
}

/// A user says this of itself.
pub(super) fn put(
    db: &Connection,
    user: &UserName,
    profile: &PublicProfile,
) -> rusqlite::Result<bool> {
    let PublicProfile { display, text, until } = profile;
    let sql = "INSERT OR REPLACE INTO profile (user, display, text, until) VALUES (?1, ?2, ?3, ?4)";
    let row = params![user.as_str(), &**display, &**text, until.map(signed)];
    db.prepare_cached(sql)?.execute(row)?;
    Ok(true)
}

/// A user has said nothing of itself.
pub(super) fn end(db: &Connection, user: &UserName) -> rusqlite::Result<bool> {
    db.prepare_cached("DELETE FROM profile WHERE user = ?1")?.execute([user.as_str()])?;
    Ok(true)
}
