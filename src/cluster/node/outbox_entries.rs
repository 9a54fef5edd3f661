//! Entries of the outbox: what a node puts in that is in no log, and what is read as events.

use super::rows::Part;
use super::webhooks::position;
use crate::chat::model::columns::{of_notice, to_notice, unsigned};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::outbox::{BATCH_BYTES_MAX, Batch, Position};
use crate::chat::model::record::{Body, Epoch};
use crate::chat::model::webhook::{self, Interest, Notice, NoticeKind, WebhookEvent};
use crate::pg::{Param, Row, Statement, WrongType};

/// Entries that one reading looks at.
pub(super) const SCAN_MAX: i64 = 256;

/// What the records of one reading may weigh before the last one: far less than an answer may have,
/// and more than any message.
pub(super) const SCAN_WEIGHT: i64 = 8 << 20;

/// Entries of this order, with the records and rooms that they are about, and how many there are
/// together with those for which the records weigh too much.
///
/// `$1` and `$2` the places between which they are, `$3` how many, `$4` what the records of those
/// before the last one may weigh.
pub(super) const ENTRIES: Statement = Statement {
    name: "entries",
    sql: "WITH w AS MATERIALIZED (SELECT f.place, coalesce(x.weight, 0) AS weight FROM (\
          SELECT o.place, o.room, o.seq FROM chinwag.outgoing o \
          WHERE o.place > $1::bigint AND o.place <= $2::bigint ORDER BY o.place LIMIT $3::bigint) f \
          LEFT JOIN chinwag.record x ON x.room = f.room AND x.seq = f.seq), \
          s AS MATERIALIZED (SELECT w.place, count(*) OVER () AS looked, \
          sum(w.weight) OVER (ORDER BY w.place) - w.weight AS before FROM w) \
          SELECT 1::smallint, o.room, x.seq, x.at, x.weight::bigint, x.kind::bigint, x.target, \
          x.number, x.reply_to, x.thread, x.edited, x.sender, x.who, x.text, x.data, x.cid, \
          o.place, o.id, o.kind::bigint, o.at, coalesce(o.name, r.name), o.who, o.number, r.epoch, \
          s.looked, (SELECT string_agg(f.name, ' ') FROM chinwag.former f WHERE f.room = coalesce(\
          r.id, (SELECT n.id FROM chinwag.room n WHERE n.name = o.name))) \
          FROM s JOIN chinwag.outgoing o ON o.place = s.place \
          LEFT JOIN chinwag.record x ON x.room = o.room AND x.seq = o.seq \
          LEFT JOIN chinwag.room r ON r.id = o.room \
          WHERE s.before <= $4::bigint AND o.place IS NOT NULL ORDER BY o.place",
};

/// Puts in what is in no log.
pub(super) const ENTER: Statement = Statement {
    name: "enter",
    sql: "SELECT chinwag.enter_1($1::bigint[], $2::text[], $3::text[], $4::bigint[], \
          $5::bigint[], $6::bigint)",
};

/// Columns of [`ENTRIES`] behind those of a record.
mod column {
    pub(super) const SEQ: usize = 2;
    pub(super) const PLACE: usize = 16;
    pub(super) const ID: usize = 17;
    pub(super) const KIND: usize = 18;
    pub(super) const AT: usize = 19;
    pub(super) const NAME: usize = 20;
    pub(super) const WHO: usize = 21;
    pub(super) const NUMBER: usize = 22;
    pub(super) const EPOCH: usize = 23;
    pub(super) const LOOKED: usize = 24;
    pub(super) const FORMER: usize = 25;
}

/// The kind of an entry that is a record; all others are those of [`of_notice`].
const RECORD: i64 = -1;

/// Something that this node has seen, and its number among these.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    kind: i64,
    room: Option<RoomName>,
    user: Option<UserName>,
    number: i64,
    nth: i64,
}

impl Seen {
    /// `None` if the engine sees that by itself: that a room was made, or a message not seen.
    pub(super) fn of(notice: Notice, nth: i64) -> Option<Self> {
        let Notice { room, user, what, .. } = notice;
        if matches!(what, NoticeKind::Made | NoticeKind::Unseen(_)) {
            return None;
        }
        let (kind, number) = of_notice(what);
        Some(Self { kind, room, user, number, nth })
    }
}

/// Calls `ask` with the parameters of [`ENTER`].
pub(super) fn with_params<T>(all: &[Seen], node: i64, ask: impl FnOnce(&[Param<'_>]) -> T) -> T {
    let ints = |of: fn(&Seen) -> i64| all.iter().map(|seen| Some(of(seen))).collect::<Vec<_>>();
    let (kinds, numbers, nths) =
        (ints(|seen| seen.kind), ints(|seen| seen.number), ints(|seen| seen.nth));
    let rooms: Vec<_> = all.iter().map(|seen| seen.room.as_ref().map(RoomName::as_str)).collect();
    let users: Vec<_> = all.iter().map(|seen| seen.user.as_ref().map(UserName::as_str)).collect();
    ask(&[
        Param::Ints(&kinds),
        Param::Texts(&rooms),
        Param::Texts(&users),
        Param::Ints(&numbers),
        Param::Ints(&nths),
        Param::Int(node),
    ])
}

/// Makes a batch of what was read above `from`, up to `events_max` events of this interest. Entries
/// up to the place `gone` are there no more.
pub(super) fn batch(
    rows: &[Row],
    interest: &Interest,
    (from, gone): (Position, u64),
    events_max: usize,
) -> Result<Batch, WrongType> {
    let lost = gone.saturating_sub(from.record);
    let end = position(from.record.max(gone));
    let mut batch = Batch { end, lost, ..Batch::default() };
    let mut bytes = 0;
    for row in rows {
        if batch.events.len() >= events_max || bytes >= BATCH_BYTES_MAX {
            batch.has_more = true;
            return Ok(batch);
        }
        batch.end = position(row.int(column::PLACE).map(unsigned)?);
        if let Some(event) = event(row, interest)? {
            bytes += event.weight();
            batch.events.push(event);
        }
    }
    let looked = rows.first().map_or(Ok(0), |row| row.int(column::LOOKED))?;
    // The engine has looked at as many as it may, or its answer had no room for all that it found.
    let is_cut = i64::try_from(rows.len()).is_ok_and(|count| count < looked);
    batch.has_more = looked >= SCAN_MAX || is_cut;
    Ok(batch)
}

/// The event that an entry is; `None` if it is of no interest, or what it is about is gone.
fn event(row: &Row, interest: &Interest) -> Result<Option<WebhookEvent>, WrongType> {
    let id = row.int(column::ID).map(unsigned)?;
    let room = row.text_or_null(column::NAME)?.and_then(RoomName::stored);
    let user = row.text_or_null(column::WHO)?.and_then(UserName::stored);
    // By any name that it has or had: who is told of a room goes on to be.
    let former = row.text_or_null(column::FORMER)?.unwrap_or_default().split(' ');
    let meant = former.filter_map(RoomName::stored).find(|name| interest.has_room(name));
    let (at, number) = (row.int(column::AT).map(unsigned)?, row.int(column::NUMBER)?);
    let kind = row.int(column::KIND)?;
    let what = to_notice(kind, number);
    if what.is_none() && kind != RECORD {
        // A newer program has put it in.
        return Ok(None);
    }
    if let Some(what) = what.filter(|what| !matches!(what, NoticeKind::Unseen(_))) {
        let is_told = interest.wants(what.kind(), meant.as_ref().or(room.as_ref()), user.as_ref());
        let notice = Notice { at, room, is_in_memory: false, user, what };
        return Ok(is_told.then_some(WebhookEvent::Notice { id, notice, message: None }));
    }
    // Pruned meanwhile, or its room is no more.
    let (Some(room), Some(epoch)) = (room, row.int_or_null(column::EPOCH)?) else {
        return Ok(None);
    };
    if row.int_or_null(column::SEQ)?.is_none() {
        return Ok(None);
    }
    let Part::Record(_, record) = Part::read(row)? else { return Ok(None) };
    let (epoch, record) = (Epoch(epoch.cast_unsigned()), (*record).clone());
    if kind == RECORD {
        let kind = webhook::kind_of(&record.body);
        let is_told = interest.wants(kind, meant.as_ref().or(Some(&room)), Some(&record.from));
        return Ok(is_told.then_some(WebhookEvent::Record { id, room, epoch, record }));
    }
    let what = NoticeKind::Unseen(record.seq);
    let is_told = matches!(record.body, Body::Message { .. })
        && interest.wants(what.kind(), Some(&room), Some(&record.from));
    let notice = Notice { at, room: Some(room), is_in_memory: false, user, what };
    Ok(is_told.then_some(WebhookEvent::Notice { id, notice, message: Some((epoch, record)) }))
}
