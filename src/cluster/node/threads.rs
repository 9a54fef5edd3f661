//! Threads: the messages of one, who follows which, and how far who has read it (`threads.sql`).
//!
//! A message of a thread changes marks in the append of its record. What a user wants of a thread
//! is a statement of its own, which nodes need not learn of: nothing of it is in memory.

use super::Node;
use super::engine::Engine;
use super::outbox_entries::SCAN_WEIGHT;
use super::queue::Op;
use super::rows::{MarkRow, Part};
use super::statements::{mark_row, record_row};
use super::table::{Ask, Table};
use super::writer::What;
use crate::chat::model::columns::{signed, unsigned};
use crate::chat::model::limits::{LAST_LEN_MAX, PAGE_BYTES_MAX, THREAD_UNREAD_MAX};
use crate::chat::model::log::{Answer, LogFault, LogId, LogReply, Ticket};
use crate::chat::model::name::UserName;
use crate::chat::model::record::SharedRecord;
use crate::chat::model::thread::{
    FollowedThread, KeptMark, ThreadChange, ThreadMark, ThreadPage, ThreadQuery,
};
use crate::pg::{EngineError, Param, Row, Statement, WrongType};

/// What a user wants of a thread: see `threads.sql`.
const MARK: Statement = Statement {
    name: "mark_thread",
    sql: "SELECT chinwag.follow_1($1::text, $2::text, $3::bigint, $4::bigint, $5::bigint, \
          $6::bigint)",
};

/// The last messages of a thread, its first one, and the mark of a user.
///
/// `$1` the room, `$2` the thread, `$3` the seq below which messages are wanted, `$4` how many,
/// `$5` who, `$6` unread messages that are counted, `$7` what the messages after the earliest one
/// may weigh: far less than an answer may have, and more than a page holds.
pub(super) const PAGE: Statement = Statement {
    name: "thread",
    sql: concat!(
        "WITH r AS (SELECT * FROM chinwag.room WHERE id = $1::bigint), ",
        "w AS MATERIALIZED (SELECT x.seq, x.weight FROM chinwag.record x ",
        "WHERE x.room = $1::bigint AND x.thread = $2::bigint ",
        "AND x.seq < $3::bigint AND x.seq >= (SELECT oldest FROM r) ",
        "ORDER BY x.seq DESC LIMIT $4::bigint), ",
        "s AS MATERIALIZED (SELECT w.seq, ",
        "sum(w.weight) OVER (ORDER BY w.seq DESC) - w.weight AS before FROM w) ",
        record_row!(),
        "FROM s CROSS JOIN LATERAL (SELECT * FROM chinwag.record y ",
        "WHERE y.room = $1::bigint AND y.seq = s.seq OFFSET 0) x WHERE s.before <= $7::bigint UNION ALL ",
        record_row!(),
        "FROM chinwag.record x WHERE x.room = $1::bigint AND x.seq = $2::bigint ",
        "AND x.seq < $3::bigint AND x.seq >= (SELECT oldest FROM r) AND x.kind IN (0, 1) UNION ALL ",
        mark_row!("f.thread"),
        "FROM chinwag.follow f CROSS JOIN LATERAL (SELECT count(*) AS count FROM (",
        "SELECT FROM chinwag.record x WHERE x.room = f.room AND x.thread = f.thread ",
        "AND x.seq > f.read AND x.kind = 0 AND x.sender <> $5::text LIMIT $6::bigint) u) c ",
        "WHERE f.room = $1::bigint AND f.thread = $2::bigint AND f.name = $5::text AND NOT f.off"
    ),
};

/// The threads that a user follows, with the beginnings of their first messages: more than is shown
/// of them, without their data. One whose first message was pruned is over.
///
/// `$1` who, `$2` in which rooms, `$3` unread messages that are counted.
pub(super) const FOLLOWED: Statement = Statement {
    name: "threads",
    sql: concat!(
        "WITH w AS MATERIALIZED (SELECT f.* FROM chinwag.follow f ",
        "JOIN chinwag.room r ON r.id = f.room AND f.thread >= r.oldest ",
        "WHERE f.name = $1::text AND NOT f.off AND f.room = ANY ($2::bigint[])) ",
        "SELECT 1::smallint, x.room, x.seq, x.at, x.weight::bigint, x.kind::bigint, x.target, ",
        "x.number, x.reply_to, x.thread, x.edited, x.sender, x.who, left(x.text, 256), NULL::text, ",
        "x.cid FROM w JOIN chinwag.record x ON x.room = w.room AND x.seq = w.thread ",
        "WHERE x.kind IN (0, 1) UNION ALL ",
        mark_row!("coalesce(l.seq, f.thread)"),
        "FROM w f LEFT JOIN LATERAL (SELECT x.seq FROM chinwag.record x WHERE x.room = f.room ",
        "AND x.thread = f.thread ORDER BY x.seq DESC LIMIT 1) l ON true ",
        "CROSS JOIN LATERAL (SELECT count(*) AS count FROM (",
        "SELECT FROM chinwag.record x WHERE x.room = f.room AND x.thread = f.thread ",
        "AND x.seq > f.read AND x.kind = 0 AND x.sender <> $1::text LIMIT $3::bigint) u) c"
    ),
};

/// What is shown of a first message is among what is read of it.
const _: () = assert!(LAST_LEN_MAX < 256);

/// Marks that are asked at once.
const KEPT_MAX: i64 = 500;

const PUT_KEPT: Statement = Statement {
    name: "put_marks",
    sql: "INSERT INTO chinwag.follow (room, thread, name, read, at, off) \
          SELECT room, thread, name, read, at, off <> 0 FROM unnest($1::bigint[], $2::bigint[], \
          $3::text[], $4::bigint[], $5::bigint[], $6::bigint[]) \
          AS u(room, thread, name, read, at, off)",
};

const KEPT: Statement = Statement {
    name: "kept_marks",
    sql: "SELECT f.room, f.thread, f.name, f.read, f.at, f.off::integer::bigint \
          FROM chinwag.follow f WHERE (f.room, f.thread, f.name) > ($1::bigint, $2::bigint, \
          $3::text) ORDER BY f.room, f.thread, f.name LIMIT $4::bigint",
};

/// Writes marks of threads, where there are none.
///
/// # Errors
///
/// Those of asking.
pub fn put_marks<A: Ask>(engine: &mut A, marks: &[KeptMark]) -> Result<(), A::Error> {
    let mut table = Table::default();
    for KeptMark { room, thread, user, read, at, off } in marks {
        table.int(0, *room);
        table.int(1, signed(*thread));
        table.text(2, &**user);
        table.int(3, signed(*read));
        table.int(4, signed(*at));
        table.int(5, i64::from(*off));
    }
    table.put(engine, PUT_KEPT, None)
}

/// The next marks of threads behind this one.
///
/// # Errors
///
/// Those of asking.
pub fn marks<A: Ask>(engine: &mut A, behind: Option<&KeptMark>) -> Result<Vec<KeptMark>, A::Error> {
    let params = [
        Param::Int(behind.map_or(i64::MIN, |mark| mark.room)),
        Param::Int(behind.map_or(0, |mark| signed(mark.thread))),
        Param::Text(behind.map_or("", |mark| &mark.user)),
        Param::Int(KEPT_MAX),
    ];
    let rows = engine.ask_for(KEPT, &params)?;
    let read = |row: &Row| {
        Ok::<_, WrongType>(KeptMark {
            room: row.int(0)?,
            thread: unsigned(row.int(1)?),
            user: row.text(2)?.into(),
            read: unsigned(row.int(3)?),
            at: unsigned(row.int(4)?),
            off: row.int(5)? != 0,
        })
    };
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

/// Calls `ask` with the parameters of [`PAGE`].
pub(super) fn with_page<T>(
    row: i64,
    query: &ThreadQuery,
    ask: impl FnOnce(&[Param<'_>]) -> T,
) -> T {
    let ThreadQuery { user, thread, below, limit, .. } = query;
    ask(&[
        Param::Int(row),
        Param::Int(signed(*thread)),
        Param::Int(signed(*below)),
        // One more than is shown says whether there are more.
        Param::Int(i64::from(*limit) + 1),
        Param::Text(user.as_str()),
        Param::Int(signed(THREAD_UNREAD_MAX)),
        Param::Int(SCAN_WEIGHT),
    ])
}

/// Calls `ask` with the parameters of [`FOLLOWED`].
pub(super) fn with_followed<T>(
    user: &UserName,
    rows: &[(i64, LogId)],
    ask: impl FnOnce(&[Param<'_>]) -> T,
) -> T {
    let rooms: Vec<Option<i64>> = rows.iter().map(|(row, _)| Some(*row)).collect();
    let most = Param::Int(signed(THREAD_UNREAD_MAX));
    ask(&[Param::Text(user.as_str()), Param::Ints(&rooms), most])
}

/// As much of a thread as a page holds.
pub(super) fn page(query: &ThreadQuery, parts: Vec<Part>) -> Answer {
    let (mut root, mut messages, mut mark) = (None, Vec::new(), None);
    for part in parts {
        match part {
            Part::Record(_, record) if record.seq == query.thread => root = Some(record),
            Part::Record(_, record) => messages.push(record),
            Part::Mark(_, MarkRow { read, unread, .. }) => mark = Some((read, unread)),
            _ => {}
        }
    }
    messages.sort_by_key(|record| std::cmp::Reverse(record.seq));
    let mut page = ThreadPage { mark, ..ThreadPage::default() };
    let mut bytes = 0_usize;
    // Latest first, and the first message behind all others, until the page is full.
    for record in messages.into_iter().chain(root) {
        bytes = bytes.saturating_add(usize::try_from(record.weight).unwrap_or(usize::MAX));
        let is_full = page.records.len() >= usize::try_from(query.limit).unwrap_or(usize::MAX);
        page.more = is_full || (bytes > PAGE_BYTES_MAX && !page.records.is_empty());
        if page.more {
            break;
        }
        page.records.push(record);
    }
    page.records.reverse();
    Answer::Thread(page)
}

/// The threads that a user follows, those first whose marks were changed last.
pub(super) fn followed(rows: &[(i64, LogId)], parts: Vec<Part>) -> Answer {
    let (mut roots, mut marks): (Vec<(i64, SharedRecord)>, _) = (Vec::new(), Vec::new());
    for part in parts {
        match part {
            Part::Record(room, root) => roots.push((room, root)),
            Part::Mark(room, mark) => marks.push((room, mark)),
            _ => {}
        }
    }
    marks.sort_by_key(|(room, mark)| (std::cmp::Reverse(mark.at), *room, mark.thread));
    let thread = |(room, mark): (i64, MarkRow)| {
        let (_, log) = rows.iter().find(|(row, _)| *row == room)?;
        let (_, root) = roots.iter().find(|(of, root)| (*of, root.seq) == (room, mark.thread))?;
        let MarkRow { last, read, unread, .. } = mark;
        Some(FollowedThread { log: *log, root: SharedRecord::clone(root), last, read, unread })
    };
    Answer::Threads(marks.into_iter().filter_map(thread).collect())
}

impl<E: Engine> Node<E> {
    /// Sends what a user wants of a thread.
    pub(super) fn send_mark(&mut self, ticket: Ticket, mark: Box<ThreadMark>) {
        let (change, seq) = match mark.change {
            ThreadChange::Follow(head) => (0, head),
            ThreadChange::Unfollow(head) => (1, head),
            ThreadChange::Read(seq) => (2, seq),
        };
        let params = [
            Param::Text(mark.user.as_str()),
            Param::Text(mark.room.as_str()),
            Param::Int(signed(mark.thread)),
            Param::Int(change),
            Param::Int(signed(seq)),
            Param::Int(signed(mark.at)),
        ];
        if self.ask_writer(What::Mark(ticket), MARK, &params).is_err() {
            self.hold(Op::Mark(ticket, mark));
        }
    }

    /// It was written, or not.
    pub(super) fn on_mark_written(
        &mut self,
        ticket: Ticket,
        outcome: &Result<Vec<Row>, EngineError>,
    ) {
        let outcome = match outcome {
            Ok(rows) if rows.first().is_some_and(|row| row.int(0) == Ok(1)) => Ok(()),
            Ok(_) => Err(LogFault::Taken),
            Err(error) => {
                log::error!(error:%; "a mark of a thread cannot be written");
                Err(LogFault::Broken)
            }
        };
        self.replies.push_back(LogReply::Synced { ticket, outcome });
    }
}
