//! Queries as statements, and rows as their answers.

use std::collections::BTreeMap;

use super::loading::Names;
use super::rows::{BETWEEN, Part};
use super::search::Search;
use super::written_by::WrittenBy;
use super::{statements, threads};
use crate::chat::model::columns::{signed, unsigned};
use crate::chat::model::limits::PAGE_BYTES_MAX;
use crate::chat::model::listed_rooms::{DirectoryQuery, StoredRoom};
use crate::chat::model::load::Wanted;
use crate::chat::model::log::{Answer, InboxFound, InboxQuery, LogFault, LogId, Query};
use crate::chat::model::mentions::names;
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::people::AuditedAct;
use crate::chat::model::record::SharedRecord;
use crate::chat::model::thread::{ThreadPage, ThreadQuery};
use crate::pg::{Param, Row, Statement, WrongType};

/// Unread messages of one room that are counted: the inbox of a cluster says "more than 99".
pub const UNREAD_COUNTED_MAX: u64 = 100;
/// Records that are looked at in one room to find the last message.
const LAST_RECORDS_MAX: i64 = 4_096;

/// A query about rooms by the numbers of their rows.
#[derive(Debug)]
pub(super) enum RowQuery {
    Page { row: i64, seqs: (u64, u64), limit: u32 },
    Below { row: i64, seq: u64, limit: u32 },
    Inbox { user: UserName, rows: Vec<(Option<i64>, InboxQuery)> },
    Load(Box<Wanted>),
    Audit { room: Option<RoomName>, before: Option<u64>, limit: u32 },
    Directory(DirectoryQuery),
    Search(Box<Search>),
    Written(WrittenBy),
    Thread { row: i64, query: ThreadQuery },
    Threads { user: UserName, rows: Vec<(i64, LogId)> },
}

impl RowQuery {
    /// The same as `query`, where `row` gives the number of a log's row; or its answer, if the
    /// engine need not be asked.
    pub(super) fn of(
        query: Query,
        row: impl Fn(LogId) -> Option<i64>,
    ) -> Result<Self, Result<Answer, LogFault>> {
        Ok(match query {
            Query::Page { log, from, to, limit } => {
                Self::Page { row: row(log).ok_or(Ok(nothing()))?, seqs: (from, to), limit }
            }
            Query::Below { log, seq, limit } => {
                Self::Below { row: row(log).ok_or(Ok(nothing()))?, seq, limit }
            }
            Query::Inbox { user, rows } => {
                let rows = rows.into_iter().map(|one| (row(one.log), one)).collect();
                Self::Inbox { user, rows }
            }
            Query::Load(wanted) => Self::Load(wanted),
            Query::Audit { room, before, limit, .. } => Self::Audit { room, before, limit },
            Query::Directory(query) => Self::Directory(query),
            Query::Thread(query) => {
                let none = || Ok(Answer::Thread(ThreadPage::default()));
                Self::Thread { row: row(query.log).ok_or_else(none)?, query }
            }
            Query::Threads { user, logs } => {
                let rows = logs.into_iter().filter_map(|log| Some((row(log)?, log))).collect();
                Self::Threads { user, rows }
            }
            Query::Search { logs, text, before, limit, .. } => {
                let rooms = logs.into_iter().filter_map(|log| Some((row(log)?, log))).collect();
                let none = || Ok(Answer::Found { items: Vec::new(), next: None });
                let search = Search::new(rooms, &text, before, limit).ok_or_else(none)?;
                Self::Search(Box::new(search))
            }
            Query::Written { user, logs, above, limit } => {
                let rooms = logs.into_iter().filter_map(row).collect();
                Self::Written(WrittenBy { user, rooms, above, limit })
            }
        })
    }

    /// What is asked of the engine.
    pub(super) fn statement(&self) -> (Statement, Params<'_>) {
        match self {
            Self::Page { row, seqs, limit } => {
                let (from, to) = (signed(seqs.0), signed(seqs.1));
                (statements::PAGE, Params::Ints(vec![*row, from, to, i64::from(*limit)]))
            }
            Self::Below { row, seq, limit } => {
                (statements::BELOW, Params::Ints(vec![*row, signed(*seq), i64::from(*limit)]))
            }
            Self::Inbox { user, rows } => (statements::INBOX, Params::Inbox(user, rows)),
            Self::Load(wanted) => (statements::LOAD, Params::Load(Box::new(Names::of(wanted)))),
            Self::Audit { room, before, limit } => {
                let before = before.map_or(i64::MAX, signed);
                let room = room.as_ref().map(RoomName::as_str);
                // One more, which says whether there are more.
                (AUDIT, Params::Audit(before, room, i64::from(*limit) + 1))
            }
            Self::Directory(DirectoryQuery { text, after, limit, .. }) => {
                (statements::DIRECTORY, Params::Directory(after, text, i64::from(*limit) + 1))
            }
            Self::Search(search) => (statements::SEARCH, Params::Search(search)),
            Self::Written(written) => (statements::WRITTEN, Params::Written(written)),
            Self::Thread { row, query } => (threads::PAGE, Params::Thread(*row, query)),
            Self::Threads { user, rows } => (threads::FOLLOWED, Params::Threads(user, rows)),
        }
    }

    /// The answer that these rows are.
    ///
    /// # Errors
    ///
    /// [`WrongType`] if they are none.
    pub(super) fn answer(&self, rows: &[Row]) -> Result<Answer, WrongType> {
        if let Self::Audit { limit, .. } = self {
            return acts(rows, *limit);
        }
        if let Self::Directory(query) = self {
            return listed(rows, query.limit);
        }
        let parts = Part::read_all(rows)?;
        Ok(match self {
            Self::Page { .. } => page(parts, false),
            Self::Below { .. } => page(parts, true),
            Self::Inbox { user, rows } => inbox(user, rows, parts),
            Self::Search(search) => search.answer(parts),
            Self::Written(written) => written.answer(parts),
            Self::Thread { query, .. } => threads::page(query, parts),
            Self::Threads { rows, .. } => threads::followed(rows, parts),
            // It takes more than these rows: see `room_pages`.
            Self::Load(_) | Self::Audit { .. } | Self::Directory(_) => nothing(),
        })
    }
}

/// Parameters of a statement.
pub(super) enum Params<'a> {
    Ints(Vec<i64>),
    Inbox(&'a UserName, &'a [(Option<i64>, InboxQuery)]),
    Load(Box<Names>),
    Audit(i64, Option<&'a str>, i64),
    Directory(&'a str, &'a str, i64),
    Search(&'a Search),
    Written(&'a WrittenBy),
    Thread(i64, &'a ThreadQuery),
    Threads(&'a UserName, &'a [(i64, LogId)]),
}

impl Params<'_> {
    /// Calls `ask` with them.
    pub(super) fn with<T>(&self, ask: impl FnOnce(&[Param<'_>]) -> T) -> T {
        match self {
            Self::Ints(ints) => ask(&ints.iter().map(|int| Param::Int(*int)).collect::<Vec<_>>()),
            Self::Inbox(user, rows) => {
                let ints = |of: &dyn Fn(&InboxQuery) -> i64| -> Vec<Option<i64>> {
                    rows.iter().map(|(_, row)| Some(of(row))).collect()
                };
                let ids: Vec<Option<i64>> = rows.iter().map(|(row, _)| row.or(Some(0))).collect();
                let (read, head) = (ints(&|row| signed(row.read)), ints(&|row| signed(row.head)));
                let last = ints(&|row| i64::from(row.last));
                ask(&[
                    Param::Ints(&ids),
                    Param::Ints(&read),
                    Param::Ints(&head),
                    Param::Ints(&last),
                    Param::Text(user.as_str()),
                    Param::Int(signed(UNREAD_COUNTED_MAX)),
                    Param::Int(LAST_RECORDS_MAX),
                ])
            }
            Self::Load(names) => names.with_params(ask),
            Self::Directory(after, text, limit) => {
                ask(&[Param::Text(after), Param::Text(text), Param::Int(*limit)])
            }
            Self::Audit(before, room, limit) => ask(&[
                Param::Int(*before),
                room.map_or(Param::Null, Param::Text),
                Param::Int(*limit),
            ]),
            Self::Search(search) => search.with_params(ask),
            Self::Written(written) => written.with_params(ask),
            Self::Thread(row, query) => threads::with_page(*row, query, ask),
            Self::Threads(user, rows) => threads::with_followed(user, rows, ask),
        }
    }
}

/// As many of the records as a page holds, and at least one.
fn page(parts: Vec<Part>, is_reversed: bool) -> Answer {
    let (mut records, mut as_of, mut bytes) = (Vec::new(), 0, 0_usize);
    for part in parts {
        match part {
            Part::Room(_, Some(room)) => as_of = room.head,
            Part::Record(_, record) => {
                bytes = bytes.saturating_add(usize::try_from(record.weight).unwrap_or(bytes));
                if bytes > PAGE_BYTES_MAX && !records.is_empty() {
                    break;
                }
                records.push(record);
            }
            _ => {}
        }
    }
    if is_reversed {
        records.reverse();
    }
    Answer::Records { records, as_of }
}

/// The answer to a query about a log that is not in the engine yet.
const fn nothing() -> Answer {
    Answer::Records { records: Vec::new(), as_of: 0 }
}

fn inbox(user: &UserName, rows: &[(Option<i64>, InboxQuery)], parts: Vec<Part>) -> Answer {
    let mut unread: BTreeMap<u64, (u64, u64, u64)> = BTreeMap::new();
    let mut last: BTreeMap<i64, SharedRecord> = BTreeMap::new();
    for part in parts {
        match part {
            Part::Unread(place, (count, in_threads), texts) => {
                let naming = texts.split(BETWEEN).filter(|text| names(text, user)).count();
                let naming = u64::try_from(naming).unwrap_or(u64::MAX);
                unread.insert(place, (count, naming, in_threads));
            }
            Part::Record(row, record) => _ = last.insert(row, record),
            _ => {}
        }
    }
    let of = |(place, (row, query)): (u64, &(Option<i64>, InboxQuery))| {
        let Some(row) = row else { return InboxFound::default() };
        let last = query.last.then(|| last.get(row).cloned()).flatten();
        let (unread, mentions, in_threads) = unread.get(&place).copied().unwrap_or_default();
        InboxFound { unread, mentions, in_threads, last }
    };
    Answer::Inbox((1..).zip(rows).map(of).collect())
}

fn acts(rows: &[Row], limit: u32) -> Result<Answer, WrongType> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut acts = Vec::new();
    for row in rows.iter().take(limit) {
        let by = row.text_or_null(2)?.and_then(UserName::stored);
        let room = row.text_or_null(5)?.and_then(RoomName::stored);
        let (act, whom) = (row.text(3)?.to_owned().into(), row.text(4)?.into());
        let at = unsigned(row.int(1)?);
        acts.push((unsigned(row.int(0)?), AuditedAct { by, act, whom, room, at }));
    }
    Ok(Answer::Acts { acts, more: rows.len() > limit })
}

fn listed(rows: &[Row], limit: u32) -> Result<Answer, WrongType> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut rooms: Vec<StoredRoom> = Vec::new();
    for row in rows.iter().take(limit) {
        let room = RoomName::stored(row.text(0)?).ok_or(WrongType { column: 0 })?;
        let (topic, policy) = (row.text(1)?.into(), row.text_or_null(3)?.map(Into::into));
        let (at, members) = (unsigned(row.int(2)?), unsigned(row.int(4)?));
        rooms.push(StoredRoom { room, topic, members, at, policy });
    }
    let is_cut = rows.len() > limit;
    let next = rooms.last().filter(|_| is_cut).map(|last| last.room.clone());
    Ok(Answer::Rooms { rooms, next })
}

/// What was noted, latest first; of a room by all its names, and of each only since the last room
/// that had it has ended.
const AUDIT: Statement = Statement {
    name: "audit",
    sql: "WITH named AS MATERIALIZED (SELECT n.name, (SELECT coalesce(max(id), 0) \
          FROM chinwag.audit WHERE act = 'close' AND room = n.name) AS ended \
          FROM (SELECT $2::text AS name UNION ALL SELECT f.name FROM chinwag.former f \
          JOIN chinwag.room r ON r.id = f.room WHERE r.name = $2::text) n) \
          SELECT a.id, a.at, a.\"by\", a.act, a.whom, a.room FROM chinwag.audit a \
          WHERE a.id < $1::bigint AND ($2::text IS NULL OR EXISTS (SELECT 1 FROM named n \
          WHERE n.name = a.room AND a.id > n.ended)) ORDER BY a.id DESC LIMIT $3::bigint",
};
