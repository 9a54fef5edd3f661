//! What the outbox has to write with the next batch: notices, and what became of what was sent.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::super::column_code::ColumnCode as _;
use super::super::integers::{signed, unsigned};
use super::{DeadLetter, Update};
use crate::chat::model::event::LeftReason;
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::webhook::{Notice, NoticeKind};

/// Notices that are kept, some 10 MB; at more, the oldest go, and each webhook that was not past
/// them has a dead letter that says how many.
pub(super) const NOTICES_MAX: u64 = if cfg!(test) { 100 } else { 100_000 };
/// Notices that wait to be written while the disk fails; at more, the oldest go, and a line says
/// so.
pub(in crate::store::sqlite) const NOTICES_WAITING_MAX: usize = 10_000;
/// Dead letters of one webhook; at more, the oldest go.
const DEAD_LETTERS_MAX: i64 = 1_000;

/// What is to be written.
#[derive(Debug, Default)]
pub(in crate::store::sqlite) struct UnwrittenOutbox {
    notices: Vec<Notice>,
    /// The last of each webhook.
    progress: BTreeMap<Box<str>, Update>,
    letters: Vec<Update>,
}

impl UnwrittenOutbox {
    pub(in crate::store::sqlite) fn is_empty(&self) -> bool {
        self.notices.is_empty() && self.progress.is_empty() && self.letters.is_empty()
    }

    /// The notice is to be written.
    pub(in crate::store::sqlite) fn put_notice(&mut self, notice: Notice) {
        self.notices.push(notice);
        self.bound();
    }

    /// The update is to be written.
    pub(in crate::store::sqlite) fn put(&mut self, update: Update) {
        match &update {
            Update::Progress { webhook: (name, _), .. } => {
                self.progress.insert(name.clone(), update);
            }
            Update::Dead(_) | Update::Delivered(_) | Update::StillDead(..) => {
                self.letters.push(update);
            }
        }
    }

    /// Adds what was to be written earlier.
    pub(in crate::store::sqlite) fn add_earlier(&mut self, earlier: Self) {
        let Self { notices, progress, letters } = earlier;
        self.notices.splice(0..0, notices);
        self.letters.splice(0..0, letters);
        for (name, update) in progress {
            self.progress.entry(name).or_insert(update);
        }
        self.bound();
    }

    fn bound(&mut self) {
        let surplus = self.notices.len().saturating_sub(NOTICES_WAITING_MAX);
        // Half of them at a time: one line for thousands.
        if surplus > 0 {
            let lost = NOTICES_WAITING_MAX / 2;
            self.notices.drain(..lost);
            log::error!(lost; "webhooks are not told of joins, leaves and connections: they cannot be written");
        }
    }

    /// Writes everything.
    pub(in crate::store::sqlite) fn write(&self, db: &Connection) -> rusqlite::Result<()> {
        for notice in &self.notices {
            put_notice(db, notice)?;
        }
        for update in self.progress.values().chain(&self.letters) {
            write_update(db, update)?;
        }
        if self.is_empty() { Ok(()) } else { trim(db) }
    }
}

const fn reason_code(reason: Option<LeftReason>) -> i64 {
    match reason {
        None => 0,
        Some(LeftReason::Left) => 1,
        Some(LeftReason::Kicked) => 2,
        Some(LeftReason::Banned) => 3,
        Some(LeftReason::Closed) => 4,
    }
}

/// Writes a notice: it comes after all records that are there.
pub(in crate::store::sqlite) fn put_notice(
    db: &Connection,
    notice: &Notice,
) -> rusqlite::Result<()> {
    let Notice { at, room, user, what, .. } = notice;
    let (kind, number) = match *what {
        NoticeKind::Joined(role) => (0, role.code()),
        NoticeKind::Left(reason) => (1, reason_code(reason)),
        NoticeKind::Made => (2, 0),
        NoticeKind::Unseen(seq) => (3, signed(seq)),
        NoticeKind::Connection { opened, left } => (4, signed(left) * 2 + i64::from(opened)),
    };
    let (room, user) = (room.as_ref().map(RoomName::as_str), user.as_ref().map(UserName::as_str));
    let sql = "INSERT INTO notice (record, at, kind, room, user, number) \
               VALUES ((SELECT coalesce(max(id), 0) FROM record), ?1, ?2, ?3, ?4, ?5)";
    db.prepare_cached(sql)?.execute(params![signed(*at), kind, room, user, number]).map(drop)
}

/// What a row says; `None` if it was not written so.
pub(super) fn kind_of(kind: i64, number: i64) -> Option<NoticeKind> {
    use crate::chat::model::reply::Role;
    Some(match kind {
        0 => NoticeKind::Joined(Role::from_code(number)?),
        1 => {
            let reasons = [
                None,
                Some(LeftReason::Left),
                Some(LeftReason::Kicked),
                Some(LeftReason::Banned),
                Some(LeftReason::Closed),
            ];
            NoticeKind::Left(reasons.into_iter().find(|reason| reason_code(*reason) == number)?)
        }
        2 => NoticeKind::Made,
        3 => NoticeKind::Unseen(unsigned(number)),
        4 => NoticeKind::Connection { opened: number % 2 == 1, left: unsigned(number / 2) },
        _ => return None,
    })
}

fn write_update(db: &Connection, update: &Update) -> rusqlite::Result<()> {
    match update {
        Update::Progress { webhook: (name, at), position, batch_end, attempts, next_at, ended } => {
            let sql = "UPDATE webhook SET record = ?3, notice = ?4, to_record = ?5, to_notice = ?6, \
                       attempts = ?7, next_at = ?8, ended = ?9 WHERE name = ?1 AND at = ?2";
            let (record, notice) = (signed(position.record), signed(position.notice));
            let to_record = batch_end.map(|end| signed(end.record));
            let to_notice = batch_end.map(|end| signed(end.notice));
            let next_at = signed(*next_at);
            let row = params![
                name,
                signed(*at),
                record,
                notice,
                to_record,
                to_notice,
                attempts,
                next_at,
                ended
            ];
            db.prepare_cached(sql)?.execute(row).map(drop)
        }
        Update::Dead(DeadLetter { webhook, at, from, to, events, why, .. }) => {
            let sql = "INSERT INTO dead_letter (webhook, at, record, notice, to_record, to_notice, \
                       events, why, again) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0 \
                       WHERE EXISTS (SELECT 1 FROM webhook WHERE name = ?1)";
            let (record, notice) = (signed(from.record), signed(from.notice));
            let (to_record, to_notice) = (signed(to.record), signed(to.notice));
            let (at, events) = (signed(*at), signed(*events));
            let row = params![webhook, at, record, notice, to_record, to_notice, events, why];
            db.prepare_cached(sql)?.execute(row)?;
            let sql = "DELETE FROM dead_letter WHERE webhook = ?1 AND id <= (SELECT id FROM \
                       dead_letter WHERE webhook = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)";
            db.prepare_cached(sql)?.execute(params![webhook, DEAD_LETTERS_MAX]).map(drop)
        }
        Update::Delivered(id) => {
            let sql = "DELETE FROM dead_letter WHERE id = ?1";
            db.prepare_cached(sql)?.execute([signed(*id)]).map(drop)
        }
        Update::StillDead(id, why) => {
            let sql = "UPDATE dead_letter SET again = 0, why = ?2 WHERE id = ?1";
            db.prepare_cached(sql)?.execute(params![signed(*id), why]).map(drop)
        }
    }
}

/// Removes the notices that every webhook is past, and those that are too many.
fn trim(db: &Connection) -> rusqlite::Result<()> {
    let sql = "DELETE FROM notice WHERE id <= (SELECT coalesce(min(notice), 9223372036854775807) FROM \
               (SELECT notice FROM webhook WHERE ended IS NULL UNION ALL SELECT notice FROM dead_letter))";
    db.prepare_cached(sql)?.execute([])?;
    let sql = "DELETE FROM notice WHERE id <= (SELECT max(id) FROM notice) - ?1";
    db.prepare_cached(sql)?.execute([signed(NOTICES_MAX)]).map(drop)
}

/// The highest id of a record that a webhook is past: no record is given it again.
pub(in crate::store::sqlite) fn highest_record(db: &Connection) -> rusqlite::Result<i64> {
    let sql = "SELECT max(max(record, coalesce(to_record, 0))) FROM webhook";
    Ok(db.query_one(sql, [], |row| row.get::<_, Option<i64>>(0))?.unwrap_or(0))
}
