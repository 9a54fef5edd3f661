//! Taking away what a user has said, and the user's name with it.
//!
//! - The texts of the user's messages go as by a deletion: seq and time stay, so that no position moves; the
//!   texts of all edits of them go, and their words.
//! - Memberships and what held of the user in rooms go, and so do the `cid`s.
//! - In the records that stay (reactions, topics, acts of moderation, the empty messages) the name becomes
//!   a fresh `erased-…`. It becomes another one in each direct conversation, whose name has it: who knows the
//!   one of the public rooms cannot take it as a name and so come to be the other party of a conversation.
//! - A ban from the server stays, since it works by the name.
//!
//! What other people have written about the user is theirs and stays.

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Transaction};

use super::{ToolError, open};
use crate::chat::limits::RECORD_OVERHEAD;
use crate::chat::name::{DIRECT_LEN_MAX, RoomName, UserName};
use crate::chat::record::{Body, Epoch, Record};
use crate::store::disk::row::{self, COLUMNS, kind, signed};
use crate::store::disk::search;

/// Rows that are looked up at once.
const PAGE: u32 = 1_000;

/// How much there is of a user, or was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// Messages that are not deleted.
    pub messages: u64,
    /// Records in which the name stands, these messages among them.
    pub records: u64,
    /// Memberships.
    pub memberships: u64,
    /// Bans, mutes and invitations in rooms.
    pub standings: u64,
    /// Direct conversations.
    pub conversations: u64,
}

/// What was done.
#[derive(Debug)]
pub struct Erased {
    /// What stands for the user in records outside direct conversations.
    pub placeholder: UserName,
    /// Why the file could not be written anew, so that it may still hold bytes of what was erased.
    pub unswept: Option<rusqlite::Error>,
}

/// A user of whom nothing is to be left, in a database that no server uses meanwhile.
#[derive(Debug)]
pub struct Erasure {
    db: Connection,
    path: PathBuf,
    user: UserName,
    _lock: File,
}

impl Erasure {
    /// Takes the place of the server.
    ///
    /// # Errors
    ///
    /// [`ToolError`], if it runs or there is nothing to erase from.
    pub fn open(data: &Path, user: &UserName) -> Result<Self, ToolError> {
        let lock = open::lock(data)?;
        let path = open::path(data);
        let db = open::write(&path)?;
        Ok(Self { db, path, user: user.clone(), _lock: lock })
    }

    /// How much there is of the user.
    ///
    /// # Errors
    ///
    /// [`ToolError`].
    pub fn traces(&self) -> Result<Traces, ToolError> {
        let count = |sql: &str| -> rusqlite::Result<u64> {
            let count: i64 = self.db.query_row(sql, [self.user.as_str()], |row| row.get(0))?;
            Ok(u64::try_from(count).unwrap_or(0))
        };
        let traces = || {
            Ok(Traces {
                messages: count("SELECT count(*) FROM record WHERE sender = ?1 AND kind = 0")?,
                records: count("SELECT count(*) FROM record WHERE sender = ?1 OR who = ?1")?,
                memberships: count("SELECT count(*) FROM member WHERE user = ?1")?,
                standings: count("SELECT count(*) FROM standing WHERE user = ?1")?,
                conversations: u64::try_from(conversations(&self.db, &self.user)?.len())
                    .unwrap_or(u64::MAX),
            })
        };
        traces().map_err(ToolError::database(&self.path))
    }

    /// Erases it all in one transaction, and then writes the file anew, so that nothing of it is left in
    /// unused parts of it.
    ///
    /// # Errors
    ///
    /// [`ToolError`]; nothing has changed then. A record of the user's that cannot be read is one.
    pub fn run(mut self) -> Result<Erased, ToolError> {
        let path = self.path.clone();
        let failed = ToolError::database(&path);
        let placeholder = placeholder()?;
        self.db.pragma_update(None, "secure_delete", true).map_err(&failed)?;
        let transaction = self.db.transaction().map_err(&failed)?;
        let mut erase = Erase {
            db: &transaction,
            user: &self.user,
            placeholder: &placeholder,
            direct: Vec::new(),
        };
        erase.rename_conversations().map_err(Failed::into_tool(&path))?;
        erase.records().map_err(Failed::into_tool(&path))?;
        erase.state().map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        let unswept = sweep(&self.db).err();
        Ok(Erased { placeholder, unswept })
    }
}

/// A name that nobody has or guesses.
fn placeholder() -> Result<UserName, ToolError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).or(Err(ToolError::Entropy))?;
    let name = format!("erased-{}", Epoch(u64::from_ne_bytes(bytes)));
    UserName::parse(&name).or(Err(ToolError::Entropy))
}

/// Overwrites what the file does not use any more.
fn sweep(db: &Connection) -> rusqlite::Result<()> {
    db.execute("INSERT INTO word (word) VALUES ('optimize')", [])?;
    db.execute("VACUUM", [])?;
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// The row ids and names of a user's direct conversations.
fn conversations(db: &Connection, user: &UserName) -> rusqlite::Result<Vec<(i64, RoomName)>> {
    let mut statement = db.prepare("SELECT id, name FROM room WHERE name LIKE '@%'")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
    let mut found = Vec::new();
    for row in rows {
        let (id, name) = row?;
        let name = RoomName::parse(&name).ok();
        let of_user = |name: &RoomName| {
            name.pair().is_some_and(|(a, b)| a == user.as_str() || b == user.as_str())
        };
        found.extend(name.filter(of_user).map(|name| (id, name)));
    }
    Ok(found)
}

/// Why the transaction is taken back.
enum Failed {
    Database(rusqlite::Error),
    Entropy,
    /// A record cannot be read.
    Bad(String),
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl Failed {
    fn into_tool(path: &Path) -> impl Fn(Self) -> ToolError {
        |failed| match failed {
            Self::Database(error) => ToolError::Database(path.to_owned(), error),
            Self::Entropy => ToolError::Entropy,
            Self::Bad(what) => ToolError::Faulty(path.to_owned(), what, 1),
        }
    }
}

struct Erase<'a> {
    db: &'a Transaction<'a>,
    user: &'a UserName,
    placeholder: &'a UserName,
    /// The user's direct conversations, with what stands for the user in each.
    direct: Vec<(i64, UserName)>,
}

impl Erase<'_> {
    fn rename_conversations(&mut self) -> Result<(), Failed> {
        for (id, name) in conversations(self.db, self.user)? {
            let stand_in = placeholder().or(Err(Failed::Entropy))?;
            let (a, b) = name.pair().unwrap_or_default();
            let other = if a == self.user.as_str() { b } else { a };
            let other = UserName::parse(other).ok().filter(|other| other != self.user);
            let renamed = RoomName::direct(&stand_in, other.as_ref().unwrap_or(&stand_in));
            let sql = "UPDATE room SET name = ?2 WHERE id = ?1";
            self.db.execute(sql, (id, renamed.as_str()))?;
            self.direct.push((id, stand_in));
        }
        Ok(())
    }

    fn records(&self) -> Result<(), Failed> {
        let sql = format!(
            "SELECT id, room FROM record WHERE id > ?1 AND (sender = ?2 OR who = ?2) \
             ORDER BY id LIMIT {PAGE}"
        );
        let mut page = self.db.prepare(&sql)?;
        let mut last = i64::MIN;
        loop {
            let ids = page.query_map((last, self.user.as_str()), |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
            })?;
            let ids: Vec<_> = ids.collect::<rusqlite::Result<_>>()?;
            let Some((highest, _)) = ids.last() else { break };
            last = *highest;
            for (id, room) in ids {
                self.record(id, room)?;
            }
        }
        let sql = "UPDATE room SET bytes = (SELECT coalesce(sum(coalesce(octet_length(text), 0) + \
                   coalesce(octet_length(data), 0)), 0) FROM record WHERE record.room = room.id)";
        self.db.execute(sql, [])?;
        Ok(())
    }

    fn record(&self, id: i64, room: i64) -> Result<(), Failed> {
        let mut record = self.read(id)?;
        let direct = self.direct.iter().find(|(of, _)| *of == room);
        let stand_in = direct.map_or(self.placeholder, |(_, stand_in)| stand_in);
        if record.from == *self.user {
            if matches!(record.body, Body::Message { .. }) {
                record.body = Body::Deleted;
                record.weight = record.weight.min(BARE_WEIGHT);
                search::changed(self.db, id, room, None)?;
                self.edits_of(room, record.seq)?;
            }
            record.from = stand_in.clone();
        }
        if let Body::Moderation { target, .. } = &mut record.body
            && target == self.user
        {
            *target = stand_in.clone();
        }
        let longer = stand_in.as_str().len().saturating_sub(self.user.as_str().len());
        let longer = u32::try_from(2 * longer).unwrap_or(u32::MAX);
        record.weight = record.weight.saturating_add(longer);
        self.write(room, &record)
    }

    /// Takes the texts out of all edits of a message.
    fn edits_of(&self, room: i64, target: u64) -> Result<(), Failed> {
        let sql = "SELECT id FROM record WHERE room = ?1 AND target = ?2 AND kind = 2";
        debug_assert_eq!(kind::EDIT, 2, "as it stands in the statement, for its index");
        let mut statement = self.db.prepare_cached(sql)?;
        let ids = statement.query_map((room, signed(target)), |row| row.get(0))?;
        for id in ids.collect::<rusqlite::Result<Vec<i64>>>()? {
            let mut record = self.read(id)?;
            record.body = Body::Edit { target, text: None };
            self.write(room, &record)?;
        }
        Ok(())
    }

    fn read(&self, id: i64) -> Result<Record, Failed> {
        let sql = format!("SELECT {COLUMNS} FROM record WHERE id = ?1");
        let mut statement = self.db.prepare_cached(&sql)?;
        statement.query_row([id], |row| {
            let place = || -> rusqlite::Result<_> { Ok((row.get("room")?, row.get("seq")?)) };
            Ok(row::decode(row).map_err(|fault| match place() {
                Ok((room, seq)) => {
                    let (room, seq): (i64, i64) = (room, seq);
                    Failed::Bad(format!("record {seq} of room {room}: {fault}"))
                }
                Err(error) => Failed::Database(error),
            }))
        })?
    }

    fn write(&self, room: i64, record: &Record) -> Result<(), Failed> {
        let mut statement = self.db.prepare_cached(row::UPDATE)?;
        row::write(&mut statement, room, record)?;
        Ok(())
    }

    fn state(&self) -> rusqlite::Result<()> {
        for sql in [
            "DELETE FROM sent WHERE sender = ?1",
            "DELETE FROM member WHERE user = ?1",
            "DELETE FROM standing WHERE user = ?1",
        ] {
            self.db.execute(sql, [self.user.as_str()])?;
        }
        Ok(())
    }
}

/// What a record without any text takes, at most, with the longest names.
const BARE_WEIGHT: u32 = 512;

const _: () = assert!(RECORD_OVERHEAD + 2 * DIRECT_LEN_MAX <= 512);
