//! Erasing a user: what the user has written, and the name.
//!
//! - [`edits::erase`] says what goes from each record: the texts of messages and of their edits,
//!   topics, reasons, reactions. Seq and time stay, so that no position moves.
//! - So do the topics of rooms and the reasons of restrictions, whose records may be pruned.
//! - Memberships, restrictions in rooms and `cid`s are removed.
//! - In the records that stay (reactions, topics, moderation, the empty messages) the name becomes
//!   a random `erased-…`. It becomes another one in each direct conversation, whose name contains
//!   it: a user who knows the one of the public rooms cannot take it as a name and so become the
//!   other party of a conversation.
//! - A ban from the server stays, since it works by the name.
//! - A room whose only owner the user was gets another one: see [`owner`].
//!
//! What other people have written about the user is theirs and stays.

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Transaction};

use super::owner::{self, Succession};
use super::{ToolError, open};
use crate::chat::model::edits;
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::record::{Epoch, Record};
use crate::chat::model::reply::Role;
use crate::store::sqlite::cids::CidSecret;
use crate::store::sqlite::column_code::ColumnCode as _;
use crate::store::sqlite::disk_reserve::DiskReserve;
use crate::store::sqlite::heads;
use crate::store::sqlite::integrity::remove_checksum;
use crate::store::sqlite::log_fault::damaged;
use crate::store::sqlite::record_row::{self, COLUMNS, kind};
use crate::store::sqlite::search::index::{self, Indexed};

/// Rows that are read at once, so that memory stays bounded.
const PAGE: u32 = 100;

/// How much there is of a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// Messages that are not deleted.
    pub messages: u64,
    /// Records that contain the name, these messages included.
    pub records: u64,
    /// Memberships.
    pub memberships: u64,
    /// Bans, mutes and invitations in rooms.
    pub restrictions: u64,
    /// Direct conversations.
    pub conversations: u64,
}

/// What was done.
#[derive(Debug)]
pub struct Erased {
    /// What stands for the user in records outside direct conversations.
    pub placeholder: UserName,
    /// What became of the rooms whose only owner the user was.
    pub succession: Succession,
    /// Why the file could not be rewritten, so that it may still contain bytes of what was erased.
    pub unswept: Option<rusqlite::Error>,
}

/// The erasure of one user, in a database that no server uses meanwhile.
#[derive(Debug)]
pub struct Erasure {
    db: Connection,
    path: PathBuf,
    user: UserName,
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
                restrictions: count("SELECT count(*) FROM restriction WHERE user = ?1")?,
                conversations: u64::try_from(conversations(&self.db, &self.user)?.len())
                    .unwrap_or(u64::MAX),
            })
        };
        traces().map_err(ToolError::database(&self.path))
    }

    /// Erases everything in one transaction, and then rewrites the file, so that nothing is left in
    /// its unused parts.
    ///
    /// # Errors
    ///
    /// [`ToolError`]; nothing has changed then. A record of the user's that cannot be read is one.
    pub fn run(mut self, wall_ms: u64) -> Result<Erased, ToolError> {
        let path = self.path.clone();
        let failed = ToolError::database(&path);
        let placeholder = placeholder()?;
        let transaction = self.db.transaction().map_err(&failed)?;
        remove_checksum(&transaction).map_err(&failed)?;
        // A server that was killed has not done so.
        heads::book_all(&transaction).map_err(&failed)?;
        let cids = CidSecret::load(&transaction).map_err(&failed)?;
        let mut erase = Erase {
            db: &transaction,
            cids,
            user: &self.user,
            placeholder: &placeholder,
            direct: Vec::new(),
        };
        erase.rename_conversations(&failed)?;
        // Before the records lose the name by which it finds them.
        erase.topics().map_err(&failed)?;
        erase.reasons().map_err(&failed)?;
        erase.records().map_err(&failed)?;
        // Before the membership goes by which it finds the rooms.
        let succession = owner::succeed(&transaction, &self.user, wall_ms).map_err(&failed)?;
        erase.state().map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        let unswept = sweep(&self.db).err();
        Ok(Erased { placeholder, succession, unswept })
    }
}

/// A name that nobody has or can guess.
fn placeholder() -> Result<UserName, ToolError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).or(Err(ToolError::Entropy))?;
    let name = format!("erased-{}", Epoch(u64::from_ne_bytes(bytes)));
    UserName::parse(&name).or(Err(ToolError::Entropy))
}

/// Rewrites the file without its unused parts.
fn sweep(db: &Connection) -> rusqlite::Result<()> {
    // The index keeps deleted words until its segments are merged.
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
        let name = RoomName::stored(&name);
        let of_user = |name: &RoomName| {
            name.pair().is_some_and(|(a, b)| a == user.as_str() || b == user.as_str())
        };
        found.extend(name.filter(of_user).map(|name| (id, name)));
    }
    Ok(found)
}

struct Erase<'a> {
    db: &'a Transaction<'a>,
    cids: CidSecret,
    user: &'a UserName,
    placeholder: &'a UserName,
    /// The user's direct conversations, with the placeholder in each.
    direct: Vec<(i64, UserName)>,
}

impl Erase<'_> {
    fn rename_conversations(
        &mut self,
        failed: &impl Fn(rusqlite::Error) -> ToolError,
    ) -> Result<(), ToolError> {
        for (id, name) in conversations(self.db, self.user).map_err(failed)? {
            let placeholder = placeholder()?;
            let (a, b) = name.pair().unwrap_or_default();
            let other = if a == self.user.as_str() { b } else { a };
            let other = UserName::stored(other).filter(|other| other != self.user);
            let renamed = RoomName::direct(&placeholder, other.as_ref().unwrap_or(&placeholder));
            let sql = "UPDATE room SET name = ?2 WHERE id = ?1";
            self.db.execute(sql, (id, renamed.as_str())).map_err(failed)?;
            self.direct.push((id, placeholder));
        }
        Ok(())
    }

    /// Clears the topics that the user has set. Where it is not known who has, since the file is of
    /// an earlier version, the last record that set one says so, or else the owner has.
    fn topics(&self) -> rusqlite::Result<()> {
        let sql = "UPDATE room SET topic = '', topic_by = NULL WHERE topic <> '' AND ?1 = coalesce(\
                   topic_by, (SELECT sender FROM record WHERE record.room = room.id AND kind = ?2 \
                   ORDER BY seq DESC LIMIT 1), (SELECT user FROM member \
                   WHERE member.room = room.id AND user = ?1 AND role = ?3))";
        self.db.execute(sql, (self.user.as_str(), kind::TOPIC, Role::Owner.code())).map(drop)
    }

    /// Clears the reasons that the user has given for restrictions. Where it is not known who has,
    /// the last record about it says so, or else whoever may order one has.
    fn reasons(&self) -> rusqlite::Result<()> {
        let sql = "UPDATE restriction SET reason = '', \"by\" = NULL WHERE ?1 = coalesce(\"by\", \
                   (SELECT sender FROM record WHERE record.room = restriction.room \
                   AND who = restriction.user AND record.kind = iif(restriction.kind = 0, ?2, ?3) ORDER BY seq DESC LIMIT 1), \
                   (SELECT user FROM member WHERE member.room = restriction.room \
                   AND member.user = ?1 AND role >= ?4))";
        let params = (self.user.as_str(), kind::BAN, kind::MUTE, Role::Moderator.code());
        self.db.execute(sql, params).map(drop)
    }

    fn records(&self) -> rusqlite::Result<()> {
        let mut last = i64::MIN;
        while let page @ [.., (highest, ..)] = self.page(last)?.as_slice() {
            last = *highest;
            for (id, room, record) in page {
                self.record(*id, *room, record)?;
            }
        }
        let sql = "UPDATE room SET bytes = (SELECT coalesce(sum(coalesce(octet_length(text), 0) + \
                   coalesce(octet_length(data), 0)), 0) FROM record WHERE record.room = room.id)";
        self.db.execute(sql, []).map(drop)
    }

    /// The next records above an id in which the user has a part, each with its id and room.
    fn page(&self, above: i64) -> rusqlite::Result<Vec<(i64, i64, Record)>> {
        let sql = format!(
            "SELECT {COLUMNS}, id FROM record WHERE id > ?1 AND (sender = ?2 OR who = ?2) \
             ORDER BY id LIMIT {PAGE}"
        );
        let mut statement = self.db.prepare_cached(&sql)?;
        let rows = statement.query_map((above, self.user.as_str()), |row| {
            let (room, seq): (i64, i64) = (row.get("room")?, row.get("seq")?);
            let record = record_row::decode(row).map_err(|fault| {
                damaged(format!("record {seq} of room {room}: {fault}; nothing was changed"))
            })?;
            Ok((row.get("id")?, room, record))
        })?;
        rows.collect()
    }

    fn record(&self, id: i64, room: i64, record: &Record) -> rusqlite::Result<()> {
        let direct = self.direct.iter().find(|(of, _)| *of == room);
        let placeholder = direct.map_or(self.placeholder, |(_, placeholder)| placeholder);
        let Some(erased) = edits::erase(record, self.user, placeholder) else { return Ok(()) };
        self.cids.forget(self.db, (room, id), record)?;
        if let (Some(text), None) = (record.body.text(), erased.body.text()) {
            index::update(self.db, Indexed { id, room, text }, None)?;
        }
        record_row::write(&mut *self.db.prepare_cached(record_row::UPDATE)?, room, &erased)
            .map(drop)
    }

    fn state(&self) -> rusqlite::Result<()> {
        for sql in [
            "DELETE FROM sent WHERE sender = ?1",
            "DELETE FROM account WHERE name = ?1",
            "DELETE FROM login WHERE name = ?1",
            "UPDATE invite SET \"by\" = NULL WHERE \"by\" = ?1",
            // The name stays taken: whoever got it would be taken for the one who is gone.
            "UPDATE identity SET source = 6, issuer = '', subject = '', display = NULL WHERE name = ?1",
            "DELETE FROM member WHERE user = ?1",
            "DELETE FROM restriction WHERE user = ?1",
            "UPDATE restriction SET reason = '', \"by\" = NULL WHERE \"by\" = ?1",
        ] {
            self.db.execute(sql, [self.user.as_str()])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::chat::model::record::{Act, Body};
    use crate::store::sqlite::testing::{database, message, room, say, user};
    use crate::store::tools::verify;

    /// `bob` has said, changed, done and been done to.
    fn stored() -> (TempDir, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        room(&db, 1, "lobby");
        room(&db, 2, "@ann:bob");
        room(&db, 3, "@ann:bobby");
        say(&db, 1, "bob", message("secret one"));
        say(&db, 1, "ann", message("hello bob"));
        let edit = Body::Edit { target: 1, text: Some("secret two".into()) };
        say(&db, 1, "bob", edit);
        let reaction = Body::Reaction { target: 2, emoji: "+1".into(), remove: false };
        say(&db, 1, "bob", reaction);
        let kick = Body::Moderation { act: Act::Kick, target: user("bob"), reason: "spam".into() };
        say(&db, 1, "ann", kick);
        say(&db, 2, "bob", message("secret three"));
        say(&db, 2, "ann", message("mine"));
        say(&db, 3, "bobby", message("not his"));
        say(&db, 2, "bob", Body::Topic { text: "secret topic".into() });
        say(&db, 3, "bobby", Body::Topic { text: "tea".into() });
        let kick =
            Body::Moderation { act: Act::Kick, target: user("ann"), reason: "secret".into() };
        say(&db, 2, "bob", kick);
        db.execute_batch("UPDATE room SET topic = 'secret topic' WHERE id = 2").unwrap();
        db.execute_batch("UPDATE room SET topic = 'tea' WHERE id = 3").unwrap();
        while index::fill(&db, 100).unwrap() {}
        db.execute_batch(
            "INSERT INTO member VALUES (1, 'bob', 1, 0, 0, 1), (1, 'ann', 1, 0, 0, 2);
             INSERT INTO restriction VALUES (1, 'bob', 1, NULL, '', NULL, NULL),
               (1, 'eve', 0, NULL, 'secret', 'bob', 5);
             INSERT INTO sent VALUES (1, 1, 'bob', 'c1', 1, 0, 0);
             INSERT INTO suspension VALUES ('user bob', NULL, '');",
        )
        .unwrap();
        (folder, db)
    }

    fn records(db: &Connection, room: i64) -> Vec<Record> {
        let sql = format!("SELECT {COLUMNS} FROM record WHERE room = ?1 ORDER BY seq");
        let mut statement = db.prepare(&sql).unwrap();
        let rows = statement.query_map([room], |row| Ok(record_row::decode(row).unwrap())).unwrap();
        rows.collect::<rusqlite::Result<_>>().unwrap()
    }

    fn erase(folder: &TempDir) -> (Traces, Erased) {
        let erasure = Erasure::open(folder.path(), &user("bob")).unwrap();
        (erasure.traces().unwrap(), erasure.run(0).unwrap())
    }

    #[test]
    fn what_was_said_goes_and_its_places_stay() {
        let (folder, db) = stored();
        let (traces, erased) = erase(&folder);
        let expected =
            Traces { messages: 2, records: 7, memberships: 1, restrictions: 1, conversations: 1 };
        assert_eq!(traces, expected);
        assert!(erased.unswept.is_none(), "{erased:?}");
        let lobby = records(&db, 1);
        let names: Vec<_> = lobby.iter().map(|record| &record.from).collect();
        let (gone, ann) = (&erased.placeholder, &user("ann"));
        assert_eq!(names, [gone, ann, gone, gone, ann]);
        assert_eq!(lobby[0].body, Body::Deleted);
        assert_eq!(lobby[2].body, Body::Edit { target: 1, text: None });
        assert!(matches!(&lobby[4].body, Body::Moderation { target, .. } if target == gone));
        verify::run(folder.path(), &mut |fault| panic!("{fault}")).unwrap();
    }

    #[test]
    fn nothing_of_it_is_left_in_any_file() {
        let (folder, db) = stored();
        drop(db);
        erase(&folder);
        let mut looked_at = 0;
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            looked_at += bytes.len();
            for word in [&b"secret"[..], b"three"] {
                let found = bytes.windows(word.len()).any(|part| part == word);
                assert!(!found, "{}", path.display());
            }
        }
        assert!(looked_at > 10_000);
    }

    #[test]
    fn memberships_and_cids_go_and_the_ban_from_the_server_stays() {
        let (folder, db) = stored();
        erase(&folder);
        let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(count("SELECT count(*) FROM member"), 1);
        assert_eq!(count("SELECT count(*) FROM restriction WHERE user = 'bob'"), 0);
        let nobody = "\"by\" IS NULL AND reason = ''";
        assert_eq!(count(&format!("SELECT count(*) FROM restriction WHERE {nobody}")), 1);
        assert_eq!(count("SELECT count(*) FROM sent"), 0);
        assert_eq!(count("SELECT count(*) FROM suspension"), 1);
        let words = "SELECT count(*) FROM word WHERE word MATCH ";
        assert_eq!(count(&format!("{words} 'secret'")), 0);
        assert_eq!(count(&format!("{words} 'mine'")), 1);
    }

    #[test]
    fn a_conversation_gets_a_name_that_no_public_record_tells() {
        let (folder, db) = stored();
        let (_, erased) = erase(&folder);
        let name = |id: i64| -> String {
            db.query_row("SELECT name FROM room WHERE id = ?1", [id], |row| row.get(0)).unwrap()
        };
        let stand_in = records(&db, 2).swap_remove(0).from;
        assert_ne!(stand_in, erased.placeholder);
        assert_eq!(name(2), RoomName::direct(&user("ann"), &stand_in).as_str());
        assert_eq!(name(3), "@ann:bobby");
        let topic = |id: i64| -> String {
            db.query_row("SELECT topic FROM room WHERE id = ?1", [id], |row| row.get(0)).unwrap()
        };
        assert_eq!((topic(2).as_str(), topic(3).as_str()), ("", "tea"));
        assert_eq!(records(&db, 2)[2].body, Body::Topic { text: "".into() });
        assert_eq!(records(&db, 3)[0].body, message("not his"));
    }

    #[test]
    fn a_record_that_cannot_be_read_or_a_running_server_changes_nothing() {
        let (folder, db) = stored();
        let lock = open::lock(folder.path()).unwrap();
        assert!(matches!(Erasure::open(folder.path(), &user("bob")), Err(ToolError::Unfit(_))));
        drop(lock);
        db.execute("UPDATE record SET at = 7 WHERE room = 2 AND seq = 1", []).unwrap();
        let erasure = Erasure::open(folder.path(), &user("bob")).unwrap();
        let refused = erasure.run(0).unwrap_err();
        assert!(matches!(refused, ToolError::Database(..)), "{refused}");
        let why = "record 1 of room 2: its checksum does not match; nothing was changed";
        assert!(refused.to_string().contains(why), "{refused}");
        assert_eq!(records(&db, 1)[0].body, message("secret one"));
    }

    #[test]
    fn nobody_leaves_no_trace() {
        let (folder, db) = stored();
        let erasure = Erasure::open(folder.path(), &user("carl")).unwrap();
        assert_eq!(erasure.traces().unwrap(), Traces::default());
        erasure.run(0).unwrap();
        assert_eq!(records(&db, 1)[0].body, message("secret one"));
    }
}
