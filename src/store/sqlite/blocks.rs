//! Who wants to hear nothing of whom: the table `block`.

use rusqlite::{Connection, params};

use super::integers::{signed, unsigned};
use super::log_fault::damaged;
use crate::chat::model::name::UserName;
use crate::chat::model::people::Block;

/// Reads all of it.
///
/// # Errors
///
/// What the database says; a row that was not written so is damage.
pub(super) fn load(db: &Connection) -> rusqlite::Result<Vec<Block>> {
    let mut statement = db.prepare("SELECT user, blocked, at FROM block")?;
    let mut rows = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let name = |index| row.get_ref(index).map(|text| UserName::stored(text.as_str().ok()?));
        let (user, blocked, at) = (name(0)?, name(1)?, unsigned(row.get(2)?));
        let block = user.zip(blocked).map(|(user, blocked)| Block { user, blocked, at });
        all.push(block.ok_or_else(|| damaged("a row of table block makes no sense".to_owned()))?);
    }
    Ok(all)
}

/// Begins one.
pub(super) fn put(db: &Connection, block: &Block) -> rusqlite::Result<bool> {
    let Block { user, blocked, at } = block;
    let sql = "INSERT OR REPLACE INTO block (user, blocked, at) VALUES (?1, ?2, ?3)";
    db.prepare_cached(sql)?.execute(params![user.as_str(), blocked.as_str(), signed(*at)])?;
    Ok(true)
}

/// Ends one.
pub(super) fn end(db: &Connection, user: &UserName, blocked: &UserName) -> rusqlite::Result<bool> {
    let sql = "DELETE FROM block WHERE user = ?1 AND blocked = ?2";
    db.prepare_cached(sql)?.execute([user.as_str(), blocked.as_str()])?;
    Ok(true)
}
