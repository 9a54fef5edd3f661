//! Rows of the answers about rooms: all of them have the columns of [`mod@column`], and `part` says
//! what they are.

use std::sync::Arc;

use crate::chat::model::columns::{Code as _, kind, signed, to_act, unsigned};
use crate::chat::model::log::{Expiry, MemberMeta, Restriction, RestrictionMeta, RoomMeta};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::record::{Body, Epoch, Record, SharedRecord};
use crate::chat::model::reply::Role;
use crate::pg::{Row, WrongType};

// What is kept of a room beside its records is called a fact in the engine.
pub(super) use crate::chat::model::log::MetaKey as FactKey;

/// What a row is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A room, by the number of its row; `None` if it is no more.
    Room(i64, Option<Box<RoomRow>>),
    /// A record of a room.
    Record(i64, SharedRecord),
    /// A fact about a room, and the room's counter when it changed last.
    Meta(i64, RoomMeta, u64),
    /// A user: whether it is a member of any room, and whether it has come.
    User(UserName, bool, bool),
    /// A room of a user.
    RoomOf(UserName, RoomName),
    /// The place of a row of an inbox, from 1, how many messages are unread there and how many of
    /// these belong to threads, and the beginnings of those with an `@`, [`BETWEEN`] each two.
    Unread(u64, (u64, u64), Box<str>),
    /// Two numbers about a room: how far something has come.
    Place(i64, u64, u64),
    /// A session that can be resumed: the hash of its secret, its user, and whether it is a guest.
    Session(Box<str>, UserName, bool),
    /// The mark of a thread of a room.
    Mark(i64, MarkRow),
}

/// How far a user has read a thread that it follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MarkRow {
    /// The seqs of its first and of its last message.
    pub(super) thread: u64,
    pub(super) last: u64,
    pub(super) read: u64,
    pub(super) unread: u64,
    /// When that was changed last.
    pub(super) at: u64,
}

/// What stands between two texts of [`Part::Unread`]: no message has it.
pub(super) const BETWEEN: char = '\u{1e}';

/// What the engine has of a room itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RoomRow {
    pub(super) epoch: Epoch,
    pub(super) head: u64,
    pub(super) oldest: u64,
    pub(super) version: i64,
    pub(super) facts: u64,
    pub(super) at: u64,
    pub(super) bytes: u64,
    /// Its name, access and topic, where they were asked for.
    pub(super) about: Option<(RoomName, Vec<RoomMeta>)>,
}

/// Indexes of the columns: `part`, `room`, nine numbers, five texts.
mod column {
    pub(super) const PART: usize = 0;
    pub(super) const ROOM: usize = 1;
    pub(super) const N: usize = 2;
    pub(super) const T: usize = 11;
}

/// What a fact's row says it is: the numbers of `chinwag.fact_1`.
mod fact {
    pub(super) const ACCESS: i64 = 0;
    pub(super) const TOPIC: i64 = 1;
    pub(super) const MEMBER: i64 = 2;
    pub(super) const NO_MEMBER: i64 = 3;
    pub(super) const RESTRICTION: i64 = 4;
    pub(super) const NO_RESTRICTION: i64 = 5;
    pub(super) const NAME: i64 = 6;
}

/// A row as one part.
struct Reader<'a>(&'a Row);

impl Reader<'_> {
    fn number(&self, nth: usize) -> Result<u64, WrongType> {
        self.0.int(column::N + nth).map(unsigned)
    }

    fn int(&self, nth: usize) -> Result<i64, WrongType> {
        self.0.int(column::N + nth)
    }

    fn number_or_null(&self, nth: usize) -> Result<Option<u64>, WrongType> {
        Ok(self.int_or_null(nth)?.map(unsigned))
    }

    fn int_or_null(&self, nth: usize) -> Result<Option<i64>, WrongType> {
        self.0.int_or_null(column::N + nth)
    }

    fn text(&self, nth: usize) -> Result<&str, WrongType> {
        self.0.text(column::T + nth)
    }

    fn text_or_null(&self, nth: usize) -> Result<Option<&str>, WrongType> {
        self.0.text_or_null(column::T + nth)
    }

    fn user(&self, nth: usize) -> Result<UserName, WrongType> {
        let wrong = WrongType { column: column::T + nth };
        UserName::stored(self.text(nth)?).ok_or(wrong)
    }

    fn user_or_null(&self, nth: usize) -> Result<Option<UserName>, WrongType> {
        Ok(self.text_or_null(nth)?.and_then(UserName::stored))
    }

    fn room(&self, nth: usize) -> Result<RoomName, WrongType> {
        let wrong = WrongType { column: column::T + nth };
        RoomName::stored(self.text(nth)?).ok_or(wrong)
    }
}

impl Part {
    /// Reads a row.
    ///
    /// # Errors
    ///
    /// [`WrongType`] if it is none of these, or not as it was written.
    pub(super) fn read(row: &Row) -> Result<Self, WrongType> {
        let reader = Reader(row);
        let room = row.int_or_null(column::ROOM)?.unwrap_or(0);
        Ok(match row.int(column::PART)? {
            0 => Self::Room(room, read_room(&reader)?.map(Box::new)),
            1 => Self::Record(room, Arc::new(read_record(&reader)?)),
            2 => {
                let (meta, facts) = read_fact(&reader)?;
                Self::Meta(room, meta, facts)
            }
            3 => Self::User(reader.user(0)?, reader.int(0)? != 0, reader.int(1)? != 0),
            4 => Self::RoomOf(reader.user(0)?, reader.room(1)?),
            5 => {
                let texts = reader.text_or_null(0)?.unwrap_or_default().into();
                Self::Unread(reader.number(0)?, (reader.number(1)?, reader.number(2)?), texts)
            }
            6 => Self::Place(room, reader.number(0)?, reader.number(1)?),
            7 => Self::Session(reader.text(1)?.into(), reader.user(0)?, reader.int(0)? != 0),
            8 => {
                let (thread, last) = (reader.number(0)?, reader.number(1)?);
                let (read, unread) = (reader.number(2)?, reader.number(3)?);
                let at = reader.number(4)?;
                Self::Mark(room, MarkRow { thread, last, read, unread, at })
            }
            _ => return Err(WrongType { column: column::PART }),
        })
    }

    /// Reads all rows.
    ///
    /// # Errors
    ///
    /// As [`Part::read`].
    pub(super) fn read_all(rows: &[Row]) -> Result<Vec<Self>, WrongType> {
        rows.iter().map(Self::read).collect()
    }
}

fn read_room(row: &Reader<'_>) -> Result<Option<RoomRow>, WrongType> {
    let Some(epoch) = row.int_or_null(0)? else { return Ok(None) };
    let mut about = None;
    if row.text_or_null(0)?.is_some() {
        // All rows have the same columns: the statement puts both into one number.
        let (private, owned) = (row.int(7)? & 1 != 0, row.int(7)? & 2 != 0);
        let policy = row.text_or_null(1)?.map(Into::into);
        let mut meta = vec![RoomMeta::Access { private, owned, policy }];
        let topic = row.text(2)?;
        if !topic.is_empty() {
            meta.push(RoomMeta::Topic(topic.into(), row.user_or_null(3)?));
        }
        about = Some((row.room(0)?, meta));
    }
    Ok(Some(RoomRow {
        epoch: Epoch(epoch.cast_unsigned()),
        head: row.number(1)?,
        oldest: row.number(2)?,
        version: row.int(3)?,
        facts: row.number(4)?,
        at: row.number(5)?,
        bytes: row.number(6)?,
        about,
    }))
}

fn read_record(row: &Reader<'_>) -> Result<Record, WrongType> {
    let wrong = |nth| WrongType { column: column::N + nth };
    let target = || row.number_or_null(4)?.ok_or_else(|| wrong(4));
    let text = || row.text(2).map(Into::into);
    let optional = |nth| Ok::<_, WrongType>(row.text_or_null(nth)?.map(Into::into));
    let number = row.int_or_null(5)?;
    let body = match row.int(3)? {
        kind::MESSAGE => Body::Message {
            text: text()?,
            data: optional(3)?,
            cid: optional(4)?,
            reply_to: row.number_or_null(6)?,
            thread: row.number_or_null(7)?,
            edited: row.number_or_null(8)?,
        },
        kind::DELETED => Body::Deleted,
        kind::EDIT => Body::Edit { target: target()?, text: optional(2)? },
        kind::DELETION => Body::Deletion { target: target()? },
        kind::REACTION => {
            let remove = number.ok_or_else(|| wrong(5))? != 0;
            Body::Reaction { target: target()?, emoji: text()?, remove }
        }
        kind::TOPIC => Body::Topic { text: text()? },
        kind::RENAME => Body::Rename { name: row.room(2)?, was: row.room(3)? },
        other => Body::Moderation {
            act: to_act(other, number).ok_or_else(|| wrong(3))?,
            target: row.user(1)?,
            reason: text()?,
        },
    };
    let weight = u32::try_from(row.int(2)?).map_err(|_error| wrong(2))?;
    Ok(Record { seq: row.number(0)?, at: row.number(1)?, from: row.user(0)?, body, weight })
}

fn read_fact(row: &Reader<'_>) -> Result<(RoomMeta, u64), WrongType> {
    let wrong = |nth| WrongType { column: column::N + nth };
    let restriction = || Restriction::from_code(row.int(1)?).ok_or_else(|| wrong(1));
    let meta = match row.int(0)? {
        fact::ACCESS => RoomMeta::Access {
            private: row.int(1)? != 0,
            owned: row.int(2)? != 0,
            policy: row.text_or_null(1)?.map(Into::into),
        },
        fact::TOPIC => RoomMeta::Topic(row.text(1)?.into(), row.user_or_null(2)?),
        fact::MEMBER => {
            let role = Role::from_code(row.int(1)?).ok_or_else(|| wrong(1))?;
            let (recv, read, joined) = (row.number(2)?, row.number(3)?, row.number(4)?);
            RoomMeta::Member(row.user(0)?, Some(MemberMeta { role, recv, read, joined }))
        }
        fact::NO_MEMBER => RoomMeta::Member(row.user(0)?, None),
        fact::RESTRICTION => {
            let expiry = Expiry { until: row.number_or_null(2)?, reason: row.text(1)?.into() };
            let meta =
                RestrictionMeta { by: row.user_or_null(2)?, at: row.number_or_null(3)?, expiry };
            RoomMeta::Restriction(row.user(0)?, restriction()?, Some(meta))
        }
        fact::NO_RESTRICTION => RoomMeta::Restriction(row.user(0)?, restriction()?, None),
        fact::NAME => {
            let former = row.text(1)?.split(' ').filter_map(RoomName::stored).collect();
            RoomMeta::Name(row.room(0)?, former)
        }
        _ => return Err(wrong(0)),
    };
    Ok((meta, row.number_or_null(8)?.unwrap_or(0)))
}

/// A fact as `chinwag.fact_1` takes it.
#[derive(Debug)]
pub(super) struct FactColumns<'a> {
    pub(super) kind: i64,
    pub(super) name: &'a str,
    pub(super) numbers: [Option<i64>; 4],
    pub(super) texts: [Option<&'a str>; 3],
}

impl<'a> FactColumns<'a> {
    /// Those of `meta`, where `form` is what the name of a member, or of the room, looks like.
    pub(super) fn of(meta: &'a RoomMeta, form: Option<&'a str>) -> Self {
        let number = |value: u64| Some(signed(value));
        let (mut name, mut numbers, mut texts) = ("", [None; 4], [None; 3]);
        let kind = match meta {
            RoomMeta::Access { private, owned, policy } => {
                numbers = [Some(i64::from(*private)), Some(i64::from(*owned)), None, None];
                texts[0] = policy.as_deref();
                fact::ACCESS
            }
            RoomMeta::Topic(topic, by) => {
                texts = [Some(topic), by.as_ref().map(UserName::as_str), None];
                fact::TOPIC
            }
            // It comes with the record that says the same; those of before are the engine's.
            RoomMeta::Name(room, _) => {
                name = room.as_str();
                texts[2] = form;
                fact::NAME
            }
            RoomMeta::Member(user, Some(MemberMeta { role, recv, read, joined })) => {
                name = user.as_str();
                numbers = [Some(role.code()), number(*recv), number(*read), number(*joined)];
                texts[2] = form;
                fact::MEMBER
            }
            RoomMeta::Member(user, None) => {
                name = user.as_str();
                fact::NO_MEMBER
            }
            RoomMeta::Restriction(user, kind, meta) => {
                name = user.as_str();
                numbers[0] = Some(kind.code());
                if let Some(RestrictionMeta { by, at, expiry }) = meta {
                    let until = expiry.until.map(signed);
                    (numbers[1], numbers[2]) = (until, at.map(signed));
                    texts = [Some(&expiry.reason), by.as_ref().map(UserName::as_str), None];
                    fact::RESTRICTION
                } else {
                    fact::NO_RESTRICTION
                }
            }
        };
        Self { kind, name, numbers, texts }
    }
}
