//! A record as a row of `record`, with a sum that tells when the row is not what was written.

use std::fmt;

use flate2::Crc;
use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};

use crate::chat::model::name::UserName;
use crate::chat::model::record::{Act, Body, Record};
use crate::chat::model::reply::Role;

/// The columns of `record` but `id`, in the order of [`Columns::values`] and for [`decode`].
pub(in crate::store) const COLUMNS: &str = "room, seq, at, sender, kind, target, who, number, text, \
                                            data, cid, reply_to, thread, edited, weight, sum";

/// Puts a record there; takes [`Columns::values`].
pub(in crate::store) const INSERT: &str = "INSERT INTO record (room, seq, at, sender, kind, target, who, number, text, data, cid, \
     reply_to, thread, edited, weight, sum) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";

/// Replaces the record of the same room and seq; takes [`Columns::values`].
pub(in crate::store) const UPDATE: &str = "UPDATE record SET at = ?3, sender = ?4, kind = ?5, target = ?6, who = ?7, number = ?8, \
     text = ?9, data = ?10, cid = ?11, reply_to = ?12, thread = ?13, edited = ?14, weight = ?15, \
     sum = ?16 WHERE room = ?1 AND seq = ?2";

/// How many [`COLUMNS`] there are.
const COUNT: usize = 16;
/// The column of the sum, behind all that it is over.
const SUM: usize = COUNT - 1;

/// The values of `kind`.
pub(in crate::store) mod kind {
    /// A message.
    pub(in crate::store) const MESSAGE: i64 = 0;
    /// A deleted message.
    pub(in crate::store) const DELETED: i64 = 1;
    /// An edit.
    pub(in crate::store) const EDIT: i64 = 2;
    /// A deletion.
    pub(in crate::store) const DELETION: i64 = 3;
    /// A reaction.
    pub(in crate::store) const REACTION: i64 = 4;
    /// A topic.
    pub(in crate::store) const TOPIC: i64 = 5;
    /// The acts of moderation, from here on.
    pub(in crate::store) const KICK: i64 = 6;
    pub(super) const BAN: i64 = 7;
    pub(super) const UNBAN: i64 = 8;
    pub(super) const MUTE: i64 = 9;
    pub(super) const UNMUTE: i64 = 10;
    pub(super) const ROLE: i64 = 11;
}

/// Why a row is not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum RowFault {
    /// The sum is not that of the row.
    Sum,
    /// The row is as it was written, and this column of it is not what a record has there.
    Column(&'static str),
}

impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sum => f.write_str("its checksum does not match"),
            Self::Column(name) => write!(f, "its column {name} makes no sense"),
        }
    }
}

/// A record's columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Columns<'a> {
    room: i64,
    seq: i64,
    at: i64,
    sender: &'a str,
    kind: i64,
    target: Option<i64>,
    who: Option<&'a str>,
    number: Option<i64>,
    text: Option<&'a str>,
    data: Option<&'a str>,
    cid: Option<&'a str>,
    reply_to: Option<i64>,
    thread: Option<i64>,
    edited: Option<i64>,
    weight: i64,
}

impl<'a> Columns<'a> {
    /// The columns of a record in the room with this row id.
    pub(in crate::store) fn of(room: i64, record: &'a Record) -> Self {
        let plain = Self {
            room,
            seq: signed(record.seq),
            at: signed(record.at),
            sender: record.from.as_str(),
            weight: i64::from(record.weight),
            ..Self::default()
        };
        match &record.body {
            Body::Message { text, data, cid, reply_to, thread, edited } => Self {
                kind: kind::MESSAGE,
                text: Some(text),
                data: data.as_deref(),
                cid: cid.as_deref(),
                reply_to: reply_to.map(signed),
                thread: thread.map(signed),
                edited: edited.map(signed),
                ..plain
            },
            Body::Deleted => Self { kind: kind::DELETED, ..plain },
            Body::Edit { target, text } => Self {
                kind: kind::EDIT,
                target: Some(signed(*target)),
                text: text.as_deref(),
                ..plain
            },
            Body::Deletion { target } => {
                Self { kind: kind::DELETION, target: Some(signed(*target)), ..plain }
            }
            Body::Reaction { target, emoji, remove } => Self {
                kind: kind::REACTION,
                target: Some(signed(*target)),
                text: Some(emoji),
                number: Some(i64::from(*remove)),
                ..plain
            },
            Body::Topic { text } => Self { kind: kind::TOPIC, text: Some(text), ..plain },
            Body::Moderation { act, target, reason } => {
                let (kind, number) = act_columns(*act);
                let who = Some(target.as_str());
                Self { kind, who, number, text: Some(reason), ..plain }
            }
        }
    }

    /// The value of each of [`COLUMNS`], the sum included.
    pub(in crate::store) fn values(&self) -> [ToSqlOutput<'a>; COUNT] {
        let values = [
            ValueRef::Integer(self.room),
            ValueRef::Integer(self.seq),
            ValueRef::Integer(self.at),
            text(Some(self.sender)),
            ValueRef::Integer(self.kind),
            integer(self.target),
            text(self.who),
            integer(self.number),
            text(self.text),
            text(self.data),
            text(self.cid),
            integer(self.reply_to),
            integer(self.thread),
            integer(self.edited),
            ValueRef::Integer(self.weight),
        ];
        let mut sum = Sum::default();
        for value in values {
            sum.push(value);
        }
        let mut all = [const { ToSqlOutput::Owned(Value::Null) }; COUNT];
        for (to, from) in all.iter_mut().zip(values) {
            *to = ToSqlOutput::Borrowed(from);
        }
        all[SUM] = ToSqlOutput::Owned(Value::Integer(sum.finish()));
        all
    }

    /// Bytes of text and data: what `room.bytes` counts.
    pub(in crate::store) fn bytes(&self) -> u64 {
        let len = |text: Option<&str>| u64::try_from(text.map_or(0, str::len)).unwrap_or(u64::MAX);
        len(self.text).saturating_add(len(self.data))
    }
}

/// Writes a record by a statement of [`INSERT`] or [`UPDATE`]: how many rows it changed.
pub(in crate::store) fn write(
    statement: &mut rusqlite::Statement<'_>,
    room: i64,
    record: &Record,
) -> rusqlite::Result<usize> {
    let values = Columns::of(room, record).values();
    statement.execute(values.each_ref().map(|value| value as &dyn ToSql))
}

/// The record of a row whose first columns are [`COLUMNS`].
///
/// # Errors
///
/// [`RowFault`] if that is not, byte by byte, what was written.
pub(in crate::store) fn decode(row: &rusqlite::Row<'_>) -> Result<Record, RowFault> {
    check_sum(row)?;
    let row = Reader(row);
    Ok(Record {
        seq: row.number(1, "seq")?,
        at: row.number(2, "at")?,
        from: row.user(3, "sender")?,
        body: body(&row)?,
        weight: u32::try_from(row.number(14, "weight")?).or(Err(RowFault::Column("weight")))?,
    })
}

fn check_sum(row: &rusqlite::Row<'_>) -> Result<(), RowFault> {
    let mut sum = Sum::default();
    for index in 0..SUM {
        sum.push(row.get_ref(index).or(Err(RowFault::Sum))?);
    }
    let matches = row.get_ref(SUM) == Ok(ValueRef::Integer(sum.finish()));
    if matches { Ok(()) } else { Err(RowFault::Sum) }
}

fn body(row: &Reader<'_, '_>) -> Result<Body, RowFault> {
    let text = || row.text(8, "text")?.ok_or(RowFault::Column("text"));
    let target = || row.number(5, "target");
    Ok(match row.integer(4, "kind")? {
        Some(kind::MESSAGE) => Body::Message {
            text: text()?,
            data: row.text(9, "data")?,
            cid: row.text(10, "cid")?,
            reply_to: row.optional(11, "reply_to")?,
            thread: row.optional(12, "thread")?,
            edited: row.optional(13, "edited")?,
        },
        Some(kind::DELETED) => Body::Deleted,
        Some(kind::EDIT) => Body::Edit { target: target()?, text: row.text(8, "text")? },
        Some(kind::DELETION) => Body::Deletion { target: target()? },
        Some(kind::REACTION) => {
            let remove = row.number(7, "number")? != 0;
            Body::Reaction { target: target()?, emoji: text()?, remove }
        }
        Some(kind::TOPIC) => Body::Topic { text: text()? },
        Some(kind) => Body::Moderation {
            act: act(kind, row.optional(7, "number")?)?,
            target: row.user(6, "who")?,
            reason: text()?,
        },
        None => return Err(RowFault::Column("kind")),
    })
}

fn act_columns(act: Act) -> (i64, Option<i64>) {
    match act {
        Act::Kick => (kind::KICK, None),
        Act::Ban { until } => (kind::BAN, until.map(signed)),
        Act::Unban => (kind::UNBAN, None),
        Act::Mute { until } => (kind::MUTE, until.map(signed)),
        Act::Unmute => (kind::UNMUTE, None),
        Act::Role(role) => (kind::ROLE, Some(role_number(role))),
    }
}

fn act(kind: i64, number: Option<u64>) -> Result<Act, RowFault> {
    Ok(match kind {
        kind::KICK => Act::Kick,
        kind::BAN => Act::Ban { until: number },
        kind::UNBAN => Act::Unban,
        kind::MUTE => Act::Mute { until: number },
        kind::UNMUTE => Act::Unmute,
        kind::ROLE => {
            let number = number.and_then(|number| i64::try_from(number).ok());
            Act::Role(number.and_then(role_of).ok_or(RowFault::Column("number"))?)
        }
        _ => return Err(RowFault::Column("kind")),
    })
}

/// What stands for a role in the columns `number` and `member.role`.
pub(in crate::store) const fn role_number(role: Role) -> i64 {
    match role {
        Role::Reader => 0,
        Role::Member => 1,
        Role::Moderator => 2,
        Role::Owner => 3,
    }
}

/// The inverse of [`role_number`].
pub(in crate::store) const fn role_of(number: i64) -> Option<Role> {
    Some(match number {
        0 => Role::Reader,
        1 => Role::Member,
        2 => Role::Moderator,
        3 => Role::Owner,
        _ => return None,
    })
}

/// Seqs and times are far below; what a client made up beyond is as good as the highest.
pub(in crate::store) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn text(text: Option<&str>) -> ValueRef<'_> {
    text.map_or(ValueRef::Null, |text| ValueRef::Text(text.as_bytes()))
}

fn integer(number: Option<i64>) -> ValueRef<'static> {
    number.map_or(ValueRef::Null, ValueRef::Integer)
}

/// CRC-32 over values, each with its kind and length in front, so that no two rows look alike to it.
#[derive(Default)]
pub(super) struct Sum(Crc);

impl Sum {
    /// Takes one more value.
    pub(super) fn push(&mut self, value: ValueRef<'_>) {
        match value {
            ValueRef::Null => self.0.update(&[0]),
            ValueRef::Integer(number) => {
                self.0.update(&[1]);
                self.0.update(&number.to_le_bytes());
            }
            ValueRef::Text(bytes) => self.push_bytes(2, bytes),
            ValueRef::Blob(bytes) => self.push_bytes(3, bytes),
            ValueRef::Real(number) => {
                self.0.update(&[4]);
                self.0.update(&number.to_le_bytes());
            }
        }
    }

    fn push_bytes(&mut self, kind: u8, bytes: &[u8]) {
        self.0.update(&[kind]);
        self.0.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
        self.0.update(bytes);
    }

    /// The sum over all values.
    pub(super) fn finish(&self) -> i64 {
        i64::from(self.0.sum())
    }
}

/// Takes columns off a row as what they must be.
struct Reader<'a, 'stmt>(&'a rusqlite::Row<'stmt>);

impl Reader<'_, '_> {
    fn integer(&self, index: usize, name: &'static str) -> Result<Option<i64>, RowFault> {
        let value = self.0.get_ref(index).ok().and_then(|value| value.as_i64_or_null().ok());
        value.ok_or(RowFault::Column(name))
    }

    fn optional(&self, index: usize, name: &'static str) -> Result<Option<u64>, RowFault> {
        let number = self.integer(index, name)?.map(u64::try_from).transpose();
        number.or(Err(RowFault::Column(name)))
    }

    fn number(&self, index: usize, name: &'static str) -> Result<u64, RowFault> {
        self.optional(index, name)?.ok_or(RowFault::Column(name))
    }

    fn text(&self, index: usize, name: &'static str) -> Result<Option<Box<str>>, RowFault> {
        let value = self.0.get_ref(index).ok().and_then(|value| value.as_str_or_null().ok());
        Ok(value.ok_or(RowFault::Column(name))?.map(Into::into))
    }

    fn user(&self, index: usize, name: &'static str) -> Result<UserName, RowFault> {
        let text = self.text(index, name)?.ok_or(RowFault::Column(name))?;
        UserName::parse(&text).or(Err(RowFault::Column(name)))
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    fn user(name: &str) -> UserName {
        UserName::parse(name).unwrap()
    }

    fn message(text: &str) -> Body {
        Body::Message {
            text: text.into(),
            data: None,
            cid: None,
            reply_to: None,
            thread: None,
            edited: None,
        }
    }

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
            assert_eq!(read, Err(RowFault::Sum), "{column}");
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
            assert_eq!(take(&db, 1), Err(RowFault::Sum), "{change}");
            db.execute_batch("ROLLBACK TO s; RELEASE s").unwrap();
        }
    }
}
