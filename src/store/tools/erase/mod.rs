//! Erasing a user: what the user has written, and the name.
//!
//! - [`edits::erase`] says what goes from each record: the texts of messages and of their edits,
//!   topics, reasons, reactions. Seq and time stay, so that no position moves.
//! - So do the topics of rooms and the reasons of restrictions, whose records may be pruned.
//! - The files that the user has sent are removed, from the folder too.
//! - Memberships, restrictions in rooms and `cid`s are removed.
//! - In the records that stay (reactions, topics, moderation, the empty messages) the name becomes
//!   a random `erased-…`. It becomes another one in each direct conversation, whose name contains
//!   it: a user who knows the one of the public rooms cannot take it as a name and so become the
//!   other party of a conversation.
//! - A ban from the server stays, since it works by the name.
//! - A room whose only owner the user was gets another one: see [`owner`].
//!
//! What other people have written about the user is theirs and stays.
//!
//! It is done in lots, each a transaction: a user may have written more than fits into memory. Once
//! the first is committed, a row of `meta` says so until all is done: an erasure that was cut off
//! goes on when the command is given again, with the same placeholder, and the server that is
//! started on its file says that it was.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, TransactionBehavior};

use super::owner::{self, Succession};
use super::{ToolError, files, open, rewrite};
use crate::chat::model::columns::Code as _;
use crate::chat::model::edits;
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::record::{Body, Epoch, Record};
use crate::chat::model::reply::Role;
use crate::chat::model::traces::Traces;
use crate::store::Folder;
use crate::store::sqlite::cids::CidSecret;
use crate::store::sqlite::disk_reserve::DiskReserve;
use crate::store::sqlite::heads;
use crate::store::sqlite::integers::signed;
use crate::store::sqlite::integrity::remove_checksum;
use crate::store::sqlite::log_fault::damaged;
use crate::store::sqlite::meta_table::{self, ERASURE};
use crate::store::sqlite::record_row::{self, COLUMNS, kind};
use crate::store::sqlite::search::index::{self, Indexed};

/// Records that one transaction changes, so that memory and the WAL stay small.
const LOT: u32 = 1_000;

/// Counts what is kept against a user, or by one against others.
const RESTRICTIONS: &str = "SELECT (SELECT count(*) FROM restriction WHERE user = ?1) \
                            + (SELECT count(*) FROM block WHERE user = ?1 OR blocked = ?1) \
                            + (SELECT count(*) FROM push WHERE user = ?1) \
                            + (SELECT count(*) FROM report WHERE \"by\" = ?1 OR whom = ?1)";

/// Counts what binds a name to somebody: who registered and never said anything is somebody, too,
/// and who has said something of itself.
/// An erased name, which stays taken, is nobody's.
const BOUND: &str = "SELECT (SELECT count(*) FROM identity WHERE name = ?1 AND source <> 6) \
                     + (SELECT count(*) FROM account WHERE name = ?1) \
                     + (SELECT count(*) FROM profile WHERE user = ?1)";

/// What was done.
#[derive(Debug)]
pub struct Erased {
    /// What stands for the user in records outside direct conversations.
    pub placeholder: UserName,
    /// What became of the rooms whose only owner the user was.
    pub succession: Succession,
    /// Why the file could not be rewritten, so that it may still contain bytes of what was erased.
    pub unswept: Option<ToolError>,
}

/// The erasure of one user, in a database that no server uses meanwhile.
#[derive(Debug)]
pub struct Erasure {
    db: Connection,
    path: PathBuf,
    user: UserName,
    /// All records of the user's can be read.
    is_checked: bool,
    _lock: File,
}

impl Erasure {
    /// Opens the database and keeps servers from starting.
    ///
    /// # Errors
    ///
    /// [`ToolError`], if a server runs or there is no database.
    pub fn open(data: &Path, user: &UserName) -> Result<Self, ToolError> {
        let lock = open::lock(data)?;
        // An erasure has to write first, even on a full disk. The server acquires the reserve
        // again.
        DiskReserve::of(data).release();
        let path = open::path(data);
        let db = open::write(&path)?;
        open::require_current(&db, &path)?;
        Ok(Self { db, path, user: user.clone(), is_checked: false, _lock: lock })
    }

    /// How much there is of the user.
    ///
    /// # Errors
    ///
    /// [`ToolError`]. A record of the user's that cannot be read is one.
    pub fn traces(&mut self) -> Result<Traces, ToolError> {
        let count = |sql: &str| -> rusqlite::Result<u64> {
            let count: i64 = self.db.query_row(sql, [self.user.as_str()], |row| row.get(0))?;
            Ok(u64::try_from(count).unwrap_or(0))
        };
        let traces = || {
            let (messages, records) = count_records(&self.db, &self.user)?;
            Ok(Traces {
                messages,
                records,
                memberships: count("SELECT count(*) FROM member WHERE user = ?1")?,
                restrictions: count(RESTRICTIONS)?,
                conversations: u64::try_from(conversations(&self.db, &self.user)?.len())
                    .unwrap_or(u64::MAX),
                is_bound: count(BOUND)? > 0,
                is_unfinished: unfinished(&self.db, &self.user)?.is_some(),
            })
        };
        let traces = traces().map_err(ToolError::database(&self.path))?;
        self.is_checked = true;
        Ok(traces)
    }

    /// Erases everything, and then rewrites the file, so that nothing is left in its unused parts.
    ///
    /// # Errors
    ///
    /// [`ToolError`]. Nothing has changed then, unless it is [`ToolError::HalfErased`]: doing it
    /// again finishes it.
    pub fn run(mut self, wall_ms: u64) -> Result<Erased, ToolError> {
        // What cannot be read cannot be erased: that must come out before the first lot.
        if !self.is_checked {
            self.traces()?;
        }
        let Self { mut db, path, user, _lock, .. } = self;
        let placeholder = begin(&mut db, &user).map_err(|error| error.into_tool_error(&path))?;
        let mut rest = || {
            let mut above = i64::MIN;
            while erase_lot(&mut db, &user, &placeholder, &mut above)? {}
            while forget_cids(&db, &user)? {}
            finish(&mut db, &user, wall_ms)
        };
        let succession = rest().map_err(|error| {
            ToolError::HalfErased(Box::new(ToolError::Database(path.clone(), error)))
        })?;
        let data = path.parent().unwrap_or_else(|| Path::new("."));
        let unremoved = files::remove_unknown((&db, &path), &Folder::of(data)).err();
        let unswept = rewrite::rewrite(db, &path, |new| forget(new, &user)).err().or(unremoved);
        Ok(Erased { placeholder, succession, unswept })
    }
}

/// Why an erasure could not begin.
enum BeginError {
    Entropy,
    Database(rusqlite::Error),
}

impl BeginError {
    fn into_tool_error(self, path: &Path) -> ToolError {
        match self {
            Self::Entropy => ToolError::Entropy,
            Self::Database(error) => ToolError::Database(path.to_owned(), error),
        }
    }
}

impl From<rusqlite::Error> for BeginError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

/// The key of `meta` with what stands for a user whose erasure has begun.
fn key(user: &UserName) -> String {
    format!("{ERASURE}{user}")
}

/// Likewise, in one of the user's direct conversations.
fn key_in_room(user: &UserName, room: i64) -> String {
    format!("{ERASURE}{user} {room}")
}

/// What stands for the user, if an erasure of the user has begun and was not finished.
fn unfinished(db: &Connection, user: &UserName) -> rusqlite::Result<Option<UserName>> {
    let name: Option<String> = meta_table::get(db, &key(user))?;
    Ok(name.as_deref().and_then(UserName::stored))
}

/// Removes the marks of an erasure that is finished.
fn forget(db: &Connection, user: &UserName) -> rusqlite::Result<()> {
    let sql = "DELETE FROM meta WHERE key = ?1 OR key GLOB ?1 || ' *'";
    db.execute(sql, [key(user)]).map(drop)
}

/// How many messages that are not deleted, and how many records, the user has a part in. All of
/// them are read, since nothing may be erased if one of them is damaged.
fn count_records(db: &Connection, user: &UserName) -> rusqlite::Result<(u64, u64)> {
    let sql = format!("SELECT {COLUMNS} FROM record WHERE sender = ?1 OR who = ?1");
    let mut statement = db.prepare(&sql)?;
    let mut rows = statement.query([user.as_str()])?;
    let (mut messages, mut records) = (0, 0);
    while let Some(row) = rows.next()? {
        let record = decode(row)?;
        records += 1;
        messages += u64::from(matches!(record.body, Body::Message { .. }));
    }
    Ok((messages, records))
}

fn decode(row: &rusqlite::Row<'_>) -> rusqlite::Result<Record> {
    let (room, seq): (i64, i64) = (row.get("room")?, row.get("seq")?);
    record_row::decode(row).map_err(|fault| {
        damaged(format!("record {seq} of room {room}: {fault}; nothing was changed"))
    })
}

/// The first transaction: what is found by the names in records goes before these, and the direct
/// conversations get their names.
fn begin(db: &mut Connection, user: &UserName) -> Result<UserName, BeginError> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let placeholder = match unfinished(&transaction, user)? {
        Some(placeholder) => placeholder,
        None => placeholder()?,
    };
    meta_table::put(&transaction, &key(user), placeholder.as_str())?;
    remove_checksum(&transaction)?;
    // A server that was killed has not done so.
    heads::book_all(&transaction)?;
    rename_conversations(&transaction, user)?;
    clear_topics(&transaction, user)?;
    clear_reasons(&transaction, user)?;
    transaction.commit()?;
    Ok(placeholder)
}

/// A name that nobody has or can guess.
fn placeholder() -> Result<UserName, BeginError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).or(Err(BeginError::Entropy))?;
    let name = format!("erased-{}", Epoch(u64::from_ne_bytes(bytes)));
    UserName::parse(&name).or(Err(BeginError::Entropy))
}

/// The row ids and names of a user's direct conversations.
fn conversations(db: &Connection, user: &UserName) -> rusqlite::Result<Vec<(i64, RoomName)>> {
    let mut statement = db.prepare("SELECT id, name FROM room WHERE name LIKE '@%'")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
    let mut found = Vec::new();
    for row in rows {
        let (id, name) = row?;
        let name = RoomName::stored(&name);
        let of_user = |name: &RoomName| {
            name.pair().is_some_and(|(a, b)| a == user.as_str() || b == user.as_str())
        };
        found.extend(name.filter(of_user).map(|name| (id, name)));
    }
    Ok(found)
}

fn rename_conversations(db: &Connection, user: &UserName) -> Result<(), BeginError> {
    for (id, name) in conversations(db, user)? {
        let placeholder = placeholder()?;
        let (a, b) = name.pair().unwrap_or_default();
        let other = if a == user.as_str() { b } else { a };
        let other = UserName::stored(other).filter(|other| other != user);
        let renamed = RoomName::direct(&placeholder, other.as_ref().unwrap_or(&placeholder));
        db.execute("UPDATE room SET name = ?2 WHERE id = ?1", (id, renamed.as_str()))?;
        meta_table::put(db, &key_in_room(user, id), placeholder.as_str())?;
    }
    Ok(())
}

/// Clears the topics that the user has set. Where it is not known who has, since the file is of an
/// earlier version, the last record that set one says so, or else the owner has.
fn clear_topics(db: &Connection, user: &UserName) -> rusqlite::Result<()> {
    let sql = "UPDATE room SET topic = '', topic_by = NULL WHERE topic <> '' AND ?1 = coalesce(\
               topic_by, (SELECT sender FROM record WHERE record.room = room.id AND kind = ?2 \
               ORDER BY seq DESC LIMIT 1), (SELECT user FROM member \
               WHERE member.room = room.id AND user = ?1 AND role = ?3))";
    db.execute(sql, (user.as_str(), kind::TOPIC, Role::Owner.code())).map(drop)
}

/// Clears the reasons that the user has given for restrictions. Where it is not known who has, the
/// last record about it says so, or else whoever may order one has.
fn clear_reasons(db: &Connection, user: &UserName) -> rusqlite::Result<()> {
    let sql = "UPDATE restriction SET reason = '', \"by\" = NULL WHERE ?1 = coalesce(\"by\", \
               (SELECT sender FROM record WHERE record.room = restriction.room \
               AND who = restriction.user AND record.kind = iif(restriction.kind = 0, ?2, ?3) \
               ORDER BY seq DESC LIMIT 1), \
               (SELECT user FROM member WHERE member.room = restriction.room \
               AND member.user = ?1 AND role >= ?4))";
    let params = (user.as_str(), kind::BAN, kind::MUTE, Role::Moderator.code());
    db.execute(sql, params).map(drop)
}

/// Erases the next records, in one transaction: whether there may be more. Those that are erased
/// do not have the name any more.
fn erase_lot(
    db: &mut Connection,
    user: &UserName,
    placeholder: &UserName,
    above: &mut i64,
) -> rusqlite::Result<bool> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let sql = "SELECT id FROM record WHERE id > ?1 AND (sender = ?2 OR who = ?2) \
               ORDER BY id LIMIT ?3";
    let ids: Vec<i64> = transaction
        .prepare_cached(sql)?
        .query_map((*above, user.as_str(), LOT), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let cids = CidSecret::load(&transaction)?;
    for id in &ids {
        erase_record(&transaction, (*id, cids), (user, placeholder))?;
    }
    transaction.commit()?;
    *above = ids.last().copied().unwrap_or(*above);
    Ok(!ids.is_empty())
}

fn erase_record(
    db: &Connection,
    (id, cids): (i64, CidSecret),
    (user, placeholder): (&UserName, &UserName),
) -> rusqlite::Result<()> {
    let sql = format!("SELECT {COLUMNS} FROM record WHERE id = ?1");
    let mut statement = db.prepare_cached(&sql)?;
    let (room, record): (i64, _) =
        statement.query_row([id], |row| Ok((row.get("room")?, decode(row)?)))?;
    let direct: Option<String> = meta_table::get(db, &key_in_room(user, room))?;
    let direct = direct.as_deref().and_then(UserName::stored);
    // In a conversation another one, which nobody who knows the public one can take as a name.
    let placeholder = direct.as_ref().unwrap_or(placeholder);
    let Some(erased) = edits::erase(&record, user, placeholder) else { return Ok(()) };
    // It is the client's own text, and would tell by whom the record was.
    cids.forget(db, (room, id), &record)?;
    if let (Some(text), None) = (record.body.text(), erased.body.text()) {
        index::update(db, Indexed { id, room, text }, None)?;
    }
    record_row::write(&mut *db.prepare_cached(record_row::UPDATE)?, room, &erased)?;
    let bytes = |record| signed(record_row::text_bytes(record));
    // Records that are not booked yet are not in the room's count, which must not go below zero.
    let sql = "UPDATE room SET bytes = max(0, bytes - ?2) WHERE id = ?1";
    let taken = bytes(&record).saturating_sub(bytes(&erased));
    db.prepare_cached(sql)?.execute([room, taken]).map(drop)
}

/// Removes the next of the user's `cid`s: whether there may be more.
fn forget_cids(db: &Connection, user: &UserName) -> rusqlite::Result<bool> {
    let sql = "DELETE FROM sent WHERE id IN (SELECT id FROM sent WHERE sender = ?1 LIMIT ?2)";
    Ok(db.execute(sql, (user.as_str(), LOT))? > 0)
}

/// The last transaction: what the user was in rooms.
fn finish(db: &mut Connection, user: &UserName, wall_ms: u64) -> rusqlite::Result<Succession> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Before the membership goes by which it finds the rooms.
    let succession = owner::succeed(&transaction, user, wall_ms)?;
    for sql in [
        "DELETE FROM file_use WHERE file IN (SELECT id FROM file WHERE owner = ?1)",
        "DELETE FROM file WHERE owner = ?1",
        "DELETE FROM member WHERE user = ?1",
        "DELETE FROM follow WHERE user = ?1",
        "DELETE FROM restriction WHERE user = ?1",
        "DELETE FROM lookalike WHERE kind = 0 AND name = ?1",
        "DELETE FROM account WHERE name = ?1",
        "DELETE FROM login WHERE name = ?1",
        "DELETE FROM push WHERE user = ?1",
        "DELETE FROM profile WHERE user = ?1",
        "DELETE FROM program WHERE name = ?1",
        "UPDATE audit SET \"by\" = 'erased' WHERE \"by\" = ?1",
        "UPDATE audit SET whom = 'erased' WHERE whom = ?1",
        "DELETE FROM block WHERE user = ?1 OR blocked = ?1",
        // With what the message said, if the user has written it, and the reason otherwise.
        "DELETE FROM report WHERE \"by\" = ?1 OR whom = ?1",
        "UPDATE invite SET \"by\" = NULL WHERE \"by\" = ?1",
        "UPDATE webhook SET \"except\" = NULL WHERE \"except\" = ?1",
        // Those of direct conversations have the name in that of their room.
        "DELETE FROM notice WHERE user = ?1 OR room GLOB '@' || ?1 || ':*' OR room GLOB '@*:' || ?1",
        // The name stays taken: whoever got it would be taken for the one who is gone.
        "UPDATE identity SET source = 6, issuer = '', subject = '', display = NULL WHERE name = ?1",
        "UPDATE restriction SET reason = '', \"by\" = NULL WHERE \"by\" = ?1",
    ] {
        transaction.execute(sql, [user.as_str()])?;
    }
    transaction.commit()?;
    Ok(succession)
}
