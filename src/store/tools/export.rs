//! Export: all records of a room, in order, or all that is kept of a user; in bounded memory.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _};

use super::{ToolError, open};
use crate::chat::model::columns::Code as _;
use crate::chat::model::export::{ExportPart, KeptMembership, Profile};
use crate::chat::model::identity::Source;
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::people::People;
use crate::chat::model::record::{Epoch, Record};
use crate::chat::model::reply::Role;
use crate::store::sqlite::integers::{signed, unsigned};
use crate::store::sqlite::people;
use crate::store::sqlite::read_transaction::ReadTransaction;
use crate::store::sqlite::record_row::{self, COLUMNS, RowFault};
use crate::store::sqlite::room_names::ID_OF;
use crate::store::sqlite::schema;
use crate::store::sqlite::written_by::{self, WrittenQuery};

/// Records that are read at once. No transaction is open between two pages, which would keep the
/// WAL from being truncated while a slow consumer takes its time.
const PAGE: u32 = 500;

/// One step of an export.
#[derive(Debug)]
pub enum Exported<'a> {
    /// A record.
    Record(&'a Record),
    /// A record that cannot be read, and why.
    Bad(u64, String),
}

/// The export of one room.
#[derive(Debug)]
pub struct Export {
    db: Connection,
    id: i64,
    epoch: Epoch,
}

impl Export {
    /// The room's records in the database in `data`.
    ///
    /// # Errors
    ///
    /// [`ToolError`]: [`ToolError::NoRoom`] if there is none of this name.
    pub fn open(data: &Path, room: &RoomName) -> Result<Self, ToolError> {
        let path = open::path(data);
        let db = open::read(&path)?;
        // An older version knows no names of before.
        let is_current = schema::check_current(&db).is_ok();
        let id = if is_current { ID_OF } else { "(SELECT id FROM room WHERE name = ?1)" };
        let sql = format!("SELECT id, epoch FROM room WHERE id = {id}");
        let found = db.query_row(&sql, [room.as_str()], |row| Ok((row.get(0)?, row.get(1)?)));
        let found = found.optional().map_err(ToolError::database(&path))?;
        let (id, epoch): (i64, i64) =
            found.ok_or_else(|| ToolError::NoRoom(room.as_str().to_owned()))?;
        Ok(Self { db, id, epoch: Epoch(epoch.cast_unsigned()) })
    }

    /// The room's epoch.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Calls `each` with each record, until it fails.
    ///
    /// # Errors
    ///
    /// What the database says, or what `each` does.
    pub fn run<E: From<rusqlite::Error>>(
        &self,
        mut each: impl FnMut(Exported<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut last = 0;
        while let page @ [.., (seq, _)] = self.page(last)?.as_slice() {
            last = *seq;
            for (seq, record) in page {
                each(match record {
                    Ok(record) => Exported::Record(record),
                    Err(fault) => Exported::Bad(*seq, fault.to_string()),
                })?;
            }
        }
        Ok(())
    }

    /// The next records above a seq.
    fn page(&self, above: u64) -> rusqlite::Result<Vec<(u64, Result<Record, RowFault>)>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM record WHERE room = ?1 AND seq > ?2 ORDER BY seq LIMIT {PAGE}"
        );
        let mut statement = self.db.prepare_cached(&sql)?;
        let rows = statement.query_map((self.id, signed(above)), |row| {
            let seq: i64 = row.get("seq")?;
            Ok((unsigned(seq), record_row::decode(row)))
        })?;
        rows.collect()
    }
}

/// Calls `each` with each part of what is kept of a user, until it fails. The number of records
/// that could not be read.
///
/// # Errors
///
/// [`ToolError`], or what `each` does.
pub fn user<E: From<ToolError>>(
    data: &Path,
    user: &UserName,
    mut each: impl FnMut(&ExportPart) -> Result<(), E>,
) -> Result<usize, E> {
    let path = open::path(data);
    let db = open::read(&path)?;
    let failed = || ToolError::database(&path);
    let people = people::load(&db).map_err(failed())?;
    let (rooms, memberships) = memberships(&db, user).map_err(failed())?;
    each(&ExportPart::Profile(Box::new(profile(user, &people))))?;
    each(&ExportPart::Memberships(memberships))?;
    let made = people.reports.iter().filter(|report| report.by == *user);
    each(&ExportPart::Reports(made.cloned().collect()))?;
    let (mut above, mut bad) = (0, 0);
    loop {
        let query = WrittenQuery { user: user.clone(), rooms: rooms.clone(), above, limit: PAGE };
        // One for each page: a reader that stayed would keep the WAL of a running server growing.
        let mut reading = ReadTransaction::new(&db);
        let (items, next) = written_by::find(&mut reading, &query).map_err(failed())?;
        bad += reading.damaged.len();
        if !items.is_empty() {
            each(&ExportPart::Records(items))?;
        }
        let Some(next) = next else { return Ok(bad) };
        above = next;
    }
}

fn profile(user: &UserName, people: &People) -> Profile {
    let bound = people.bound.iter().find(|bound| bound.name == *user);
    let account = people.accounts.iter().find(|account| account.name == *user);
    let logins = people.logins.iter().filter(|login| login.name == *user);
    let pushes = people.pushes.iter().filter(|device| device.user == *user);
    let blocked = people.blocks.iter().filter(|block| block.user == *user);
    let public = people.profiles.iter().find(|(name, _)| name == user);
    Profile {
        source: bound.map_or(Source::None, |bound| bound.source),
        display: bound.and_then(|bound| bound.display.clone()),
        public: public.map(|(_, profile)| profile.clone()).unwrap_or_default(),
        since: bound.map(|bound| bound.at),
        is_admin: account.is_some_and(|account| account.is_admin),
        logins: logins.cloned().collect(),
        pushes: pushes.cloned().map(Arc::new).collect(),
        blocked: blocked.map(|block| (block.blocked.clone(), block.at)).collect(),
    }
}

/// The row ids of the user's direct conversations, and all memberships, by room.
fn memberships(
    db: &Connection,
    user: &UserName,
) -> rusqlite::Result<(Vec<i64>, Vec<KeptMembership>)> {
    let sql = "SELECT room.id, room.name, role, recv, read FROM member \
               JOIN room ON room.id = member.room WHERE user = ?1 ORDER BY room.name";
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([user.as_str()])?;
    let (mut direct, mut all) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let room = RoomName::stored(row.get_ref(1)?.as_str()?);
        let Some((room, role)) = room.zip(Role::from_code(row.get(2)?)) else { continue };
        if room.is_direct() {
            direct.push(row.get(0)?);
        }
        let (recv, read) = (unsigned(row.get(3)?), unsigned(row.get(4)?));
        all.push(KeptMembership { room, role, recv, read });
    }
    Ok((direct, all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::testing::{database, message, room, say};

    fn name(text: &str) -> RoomName {
        RoomName::parse(text).unwrap()
    }

    #[test]
    fn all_records_are_handed_out_in_order_and_what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        room(&db, 1, "other");
        room(&db, 2, "lobby");
        let count = 2 * u64::from(PAGE) + 3;
        for _ in 0..count {
            say(&db, 1, "bob", message("no"));
            say(&db, 2, "ann", message("hello"));
        }
        db.execute("UPDATE record SET text = 'forged' WHERE seq = 7", []).unwrap();
        let export = Export::open(folder.path(), &name("lobby")).unwrap();
        assert_eq!(export.epoch(), Epoch(1_002));
        let (mut seqs, mut bad) = (Vec::new(), Vec::new());
        export
            .run(|step| {
                match step {
                    Exported::Record(record) => seqs.push(record.seq),
                    Exported::Bad(seq, _) => bad.push(seq),
                }
                Ok::<_, rusqlite::Error>(())
            })
            .unwrap();
        assert_eq!(bad, [7]);
        assert_eq!(seqs, (1..=count).filter(|seq| *seq != 7).collect::<Vec<_>>());
    }

    #[test]
    fn a_room_or_a_database_that_is_not_there_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let missing = Export::open(folder.path(), &name("lobby")).unwrap_err();
        assert!(matches!(missing, ToolError::Missing(_)), "{missing}");
        drop(database(&folder));
        let missing = Export::open(folder.path(), &name("lobby")).unwrap_err();
        assert!(matches!(missing, ToolError::NoRoom(_)), "{missing}");
    }
}
