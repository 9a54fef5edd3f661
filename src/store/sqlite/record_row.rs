//! A record as a row of the table `record`, with a checksum over the row.

use std::fmt;

use rusqlite::types::{ToSqlOutput, ValueRef};

use super::checksum::Checksum;
use super::integers::signed;
pub(in crate::store) use crate::chat::model::columns::kind;
use crate::chat::model::columns::{Code as _, Columns};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::record::{Act, Body, Record};
use crate::chat::model::reply::Role;

/// The columns of `record` but `id`, in the order of [`decode`]; the checksum is over all before
/// it.
pub(in crate::store) const COLUMNS: &str = "room, seq, at, sender, kind, target, who, number, text, \
                                            data, cid, reply_to, thread, edited, weight, sum";

/// Inserts the record that [`write()`] is given. Its id, the last parameter, rises by itself if it
/// is not set.
pub(in crate::store) const INSERT: &str = "INSERT INTO record (room, seq, at, sender, kind, target, who, number, text, data, cid, \
     reply_to, thread, edited, weight, sum, id) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";

/// Replaces the record of the same room and seq by the one that [`write()`] is given.
pub(in crate::store) const UPDATE: &str = "UPDATE record SET at = ?3, sender = ?4, kind = ?5, target = ?6, who = ?7, number = ?8, \
     text = ?9, data = ?10, cid = ?11, reply_to = ?12, thread = ?13, edited = ?14, weight = ?15, \
     sum = ?16 WHERE room = ?1 AND seq = ?2";

/// Indexes into [`COLUMNS`].
mod column {
    pub(super) const ROOM: usize = 0;
    pub(super) const SEQ: usize = 1;
    pub(super) const AT: usize = 2;
    pub(super) const SENDER: usize = 3;
    pub(super) const KIND: usize = 4;
    pub(super) const TARGET: usize = 5;
    pub(super) const WHO: usize = 6;
    pub(super) const NUMBER: usize = 7;
    pub(super) const TEXT: usize = 8;
    pub(super) const DATA: usize = 9;
    pub(super) const CID: usize = 10;
    pub(super) const REPLY_TO: usize = 11;
    pub(super) const THREAD: usize = 12;
    pub(super) const EDITED: usize = 13;
    pub(super) const WEIGHT: usize = 14;
    pub(super) const SUM: usize = 15;
}

/// Why a row is not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum RowFault {
    /// The checksum does not match.
    Checksum,
    /// The checksum matches, and this column has a value that no record has there.
    Column(&'static str),
}

impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checksum => f.write_str("its checksum does not match"),
            Self::Column(name) => write!(f, "its column {name} has an impossible value"),
        }
    }
}

/// Writes a record by a statement of [`INSERT`] or [`UPDATE`]: how many rows it changed.
pub(in crate::store) fn write(
    statement: &mut rusqlite::Statement<'_>,
    room: i64,
    record: &Record,
) -> rusqlite::Result<usize> {
    bind(statement, room, record)?;
    statement.raw_execute()
}

/// Inserts a record of this room, with this id, by the statement of [`INSERT`].
pub(super) fn insert(
    statement: &mut rusqlite::Statement<'_>,
    (room, id): (i64, i64),
    record: &Record,
) -> rusqlite::Result<()> {
    bind(statement, room, record)?;
    statement.raw_bind_parameter(column::SUM + 2, id)?;
    statement.raw_execute().map(drop)
}

fn bind(
    statement: &mut rusqlite::Statement<'_>,
    room: i64,
    record: &Record,
) -> rusqlite::Result<()> {
    // Borrowed from the record: a message is not copied on its way into the file.
    let values = values(room, record);
    let mut sum = Checksum::default();
    for value in values {
        sum.push(value);
    }
    for (value, parameter) in values.into_iter().zip(1..) {
        statement.raw_bind_parameter(parameter, ToSqlOutput::Borrowed(value))?;
    }
    statement.raw_bind_parameter(column::SUM + 1, sum.finish())
}

/// Bytes of text and data: what `room.bytes` counts.
pub(in crate::store) fn text_bytes(record: &Record) -> u64 {
    u64::try_from(Columns::of(&record.body).text_bytes()).unwrap_or(u64::MAX)
}

/// The values of all columns but the checksum.
fn values(room: i64, record: &Record) -> [ValueRef<'_>; column::SUM] {
    let Record { seq, at, from, body, weight } = record;
    let Columns { kind, target, who, number, text, data, cid, reply_to, thread, edited } =
        Columns::of(body);
    let integer = |value: Option<i64>| value.map_or(ValueRef::Null, ValueRef::Integer);
    let mut values = [ValueRef::Null; column::SUM];
    values[column::ROOM] = ValueRef::Integer(room);
    values[column::SEQ] = ValueRef::Integer(signed(*seq));
    values[column::AT] = ValueRef::Integer(signed(*at));
    values[column::SENDER] = ValueRef::Text(from.as_str().as_bytes());
    values[column::KIND] = ValueRef::Integer(kind);
    values[column::TARGET] = integer(target);
    values[column::WHO] = nullable(who);
    values[column::NUMBER] = integer(number);
    values[column::TEXT] = nullable(text);
    values[column::DATA] = nullable(data);
    values[column::CID] = nullable(cid);
    values[column::REPLY_TO] = integer(reply_to);
    values[column::THREAD] = integer(thread);
    values[column::EDITED] = integer(edited);
    values[column::WEIGHT] = ValueRef::Integer(i64::from(*weight));
    values
}

fn nullable(value: Option<&str>) -> ValueRef<'_> {
    value.map_or(ValueRef::Null, |text| ValueRef::Text(text.as_bytes()))
}

/// The record of a row whose first columns are [`COLUMNS`].
///
/// # Errors
///
/// [`RowFault`] if that is not, byte by byte, what was written.
pub(in crate::store) fn decode(row: &rusqlite::Row<'_>) -> Result<Record, RowFault> {
    // First, so that a damaged row is called so, whatever its columns say.
    check_sum(row)?;
    let row = RowReader(row);
    Ok(Record {
        seq: row.number(column::SEQ)?,
        at: row.number(column::AT)?,
        from: row.user(column::SENDER)?,
        body: body(&row)?,
        weight: u32::try_from(row.number(column::WEIGHT)?)
            .ok()
            .ok_or_else(|| fault(column::WEIGHT))?,
    })
}

fn check_sum(row: &rusqlite::Row<'_>) -> Result<(), RowFault> {
    let mut sum = Checksum::default();
    for index in 0..column::SUM {
        sum.push(row.get_ref(index).or(Err(RowFault::Checksum))?);
    }
    let matches = row.get_ref(column::SUM) == Ok(ValueRef::Integer(sum.finish()));
    if matches { Ok(()) } else { Err(RowFault::Checksum) }
}

fn body(row: &RowReader<'_, '_>) -> Result<Body, RowFault> {
    let text = || row.text(column::TEXT)?.ok_or_else(|| fault(column::TEXT));
    let target = || row.number(column::TARGET);
    Ok(match row.integer(column::KIND)? {
        Some(kind::MESSAGE) => Body::Message {
            text: text()?,
            data: row.text(column::DATA)?,
            cid: row.text(column::CID)?,
            reply_to: row.optional(column::REPLY_TO)?,
            thread: row.optional(column::THREAD)?,
            edited: row.optional(column::EDITED)?,
        },
        Some(kind::DELETED) => Body::Deleted,
        Some(kind::EDIT) => Body::Edit { target: target()?, text: row.text(column::TEXT)? },
        Some(kind::DELETION) => Body::Deletion { target: target()? },
        Some(kind::REACTION) => {
            let remove = row.number(column::NUMBER)? != 0;
            Body::Reaction { target: target()?, emoji: text()?, remove }
        }
        Some(kind::TOPIC) => Body::Topic { text: text()? },
        Some(kind::RENAME) => {
            Body::Rename { name: row.room(column::TEXT)?, was: row.room(column::DATA)? }
        }
        // Every other number is that of an act, or damage, which `act` tells apart.
        Some(kind) => Body::Moderation {
            act: act(kind, row.optional(column::NUMBER)?)?,
            target: row.user(column::WHO)?,
            reason: text()?,
        },
        None => return Err(fault(column::KIND)),
    })
}

fn act(kind: i64, argument: Option<u64>) -> Result<Act, RowFault> {
    Ok(match kind {
        kind::KICK => Act::Kick,
        kind::BAN => Act::Ban { until: argument },
        kind::UNBAN => Act::Unban,
        kind::MUTE => Act::Mute { until: argument },
        kind::UNMUTE => Act::Unmute,
        kind::ROLE => {
            let role = argument.and_then(|code| Role::from_code(signed(code)));
            Act::Role(role.ok_or_else(|| fault(column::NUMBER))?)
        }
        _ => return Err(fault(column::KIND)),
    })
}

fn fault(column: usize) -> RowFault {
    RowFault::Column(COLUMNS.split(", ").nth(column).unwrap_or_default())
}

/// Reads columns as the types that they must have.
struct RowReader<'a, 'stmt>(&'a rusqlite::Row<'stmt>);

impl RowReader<'_, '_> {
    fn integer(&self, column: usize) -> Result<Option<i64>, RowFault> {
        let value = self.0.get_ref(column).ok().and_then(|value| value.as_i64_or_null().ok());
        value.ok_or_else(|| fault(column))
    }

    fn optional(&self, column: usize) -> Result<Option<u64>, RowFault> {
        let number = self.integer(column)?.map(u64::try_from).transpose();
        number.ok().ok_or_else(|| fault(column))
    }

    fn number(&self, column: usize) -> Result<u64, RowFault> {
        self.optional(column)?.ok_or_else(|| fault(column))
    }

    fn text(&self, column: usize) -> Result<Option<Box<str>>, RowFault> {
        let value = self.0.get_ref(column).ok().and_then(|value| value.as_str_or_null().ok());
        Ok(value.ok_or_else(|| fault(column))?.map(Into::into))
    }

    fn room(&self, column: usize) -> Result<RoomName, RowFault> {
        let text = self.text(column)?.ok_or_else(|| fault(column))?;
        RoomName::stored(&text).ok_or_else(|| fault(column))
    }

    fn user(&self, column: usize) -> Result<UserName, RowFault> {
        let text = self.text(column)?.ok_or_else(|| fault(column))?;
        UserName::stored(&text).ok_or_else(|| fault(column))
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::store::sqlite::testing::{message, user};

    fn moderation(act: Act) -> Body {
        Body::Moderation { act, target: user("jürgen"), reason: "spam".into() }
    }

    /// One of each kind, with and without what may be missing.
    fn bodies() -> Vec<Body> {
        let mut bodies = vec![
            message(""),
            message("a\0b 'quoted' \u{1f44d}"),
            Body::Message {
                text: "hi".into(),
                data: Some("{}".into()),
                cid: Some("c1".into()),
                reply_to: Some(3),
                thread: Some(2),
                edited: Some(1_763_700_000_123),
            },
            Body::Deleted,
            Body::Edit { target: 4, text: Some("ho".into()) },
            Body::Edit { target: 4, text: None },
            Body::Deletion { target: 4 },
            Body::Topic { text: "".into() },
            Body::Rename {
                name: RoomName::parse("den").unwrap(),
                was: RoomName::parse("lair").unwrap(),
            },
        ];
        let reaction = |remove| Body::Reaction { target: 4, emoji: "+1".into(), remove };
        bodies.extend([false, true].map(reaction));
        let mut acts = vec![Act::Kick, Act::Unban, Act::Unmute];
        for until in [None, Some(5)] {
            acts.extend([Act::Ban { until }, Act::Mute { until }]);
        }
        let roles = [Role::Reader, Role::Member, Role::Moderator, Role::Owner];
        acts.extend(roles.map(Act::Role));
        bodies.extend(acts.into_iter().map(moderation));
        bodies
    }

    fn database() -> Connection {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(include_str!("schema.sql")).unwrap();
        db
    }

    fn record(seq: u64, body: Body) -> Record {
        Record { seq, at: 1_763_700_000_000, from: user("ann"), body, weight: 300 }
    }

    fn put(db: &Connection, sql: &str, record: &Record) {
        let changed = write(&mut db.prepare(sql).unwrap(), 7, record).unwrap();
        assert_eq!(changed, 1, "{record:?}");
    }

    fn take(db: &Connection, seq: u64) -> Result<Record, RowFault> {
        let sql = format!("SELECT {COLUMNS} FROM record WHERE seq = {seq}");
        db.query_row(&sql, [], |row| Ok(decode(row))).unwrap()
    }

    #[test]
    fn every_record_is_read_as_it_was_written() {
        let db = database();
        for (seq, body) in (1..).zip(bodies()) {
            let written = record(seq, body);
            put(&db, INSERT, &written);
            assert_eq!(take(&db, seq), Ok(written));
        }
    }

    #[test]
    fn a_record_is_replaced_by_any_other() {
        let db = database();
        put(&db, INSERT, &record(1, message("before")));
        for body in bodies() {
            let written = record(1, body);
            put(&db, UPDATE, &written);
            assert_eq!(take(&db, 1), Ok(written));
        }
    }

    #[test]
    fn a_change_of_any_column_is_noticed() {
        for (column, value) in COLUMNS.split(", ").zip(1..) {
            let db = database();
            let body = bodies().swap_remove(2);
            put(&db, INSERT, &record(1, body));
            db.execute(&format!("UPDATE record SET {column} = 90 + {value}"), []).unwrap();
            let sql = format!("SELECT {COLUMNS} FROM record");
            let read = db.query_row(&sql, [], |row| Ok(decode(row))).unwrap();
            assert_eq!(read, Err(RowFault::Checksum), "{column}");
        }
    }

    #[test]
    fn what_moves_from_one_column_to_the_next_is_noticed() {
        let db = database();
        let body = Body::Message {
            text: "ab".into(),
            data: Some("c".into()),
            cid: None,
            reply_to: Some(4),
            thread: None,
            edited: None,
        };
        put(&db, INSERT, &record(1, body));
        for change in ["text = 'a', data = 'bc'", "reply_to = NULL, thread = 4"] {
            db.execute_batch("SAVEPOINT s").unwrap();
            db.execute(&format!("UPDATE record SET {change}"), []).unwrap();
            assert_eq!(take(&db, 1), Err(RowFault::Checksum), "{change}");
            db.execute_batch("ROLLBACK TO s; RELEASE s").unwrap();
        }
    }
}
