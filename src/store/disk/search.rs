//! Full text: the words of messages, put into `word` from behind.

use rusqlite::Connection;

/// The text of a message has changed, or is gone (`None`): so do its words, if they were put into `word`
/// already.
///
/// # Errors
///
/// What the database says.
pub(in crate::store) fn changed(
    _db: &Connection,
    _record_id: i64,
    _room_id: i64,
    _text: Option<&str>,
) -> rusqlite::Result<()> {
    Ok(())
}

/// Puts the words of the next `budget` records into `word`, in the caller's transaction or, without one, in
/// one of its own: whether there may be more.
///
/// # Errors
///
/// What the database says; nothing has changed then, if there is no transaction of the caller's.
pub(in crate::store) fn fill(_db: &Connection, _budget: usize) -> rusqlite::Result<bool> {
    Ok(false)
}
