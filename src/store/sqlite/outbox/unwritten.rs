//! What the outbox has to write with the next batch: notices, and what became of what was sent.

use rusqlite::{Connection, params};

use super::super::integers::signed;
use super::{DeadLetter, Update};
use crate::chat::model::columns::of_notice;
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::outbox::UnwrittenUpdates;
use crate::chat::model::webhook::Notice;

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
    updates: UnwrittenUpdates,
}

impl UnwrittenOutbox {
    pub(in crate::store::sqlite) fn is_empty(&self) -> bool {
        self.notices.is_empty() && self.updates.is_empty()
    }

    /// The notice is to be written.
    pub(in crate::store::sqlite) fn put_notice(&mut self, notice: Notice) {
        self.notices.push(notice);
        self.bound();
    }

    /// The update is to be written.
    pub(in crate::store::sqlite) fn put(&mut self, update: Update) {
        self.updates.put(update);
    }

    /// Adds what was to be written earlier.
    pub(in crate::store::sqlite) fn add_earlier(&mut self, earlier: Self) {
        // In front, since the order of the rows is the order in which webhooks are told.
        self.notices.splice(0..0, earlier.notices);
        self.updates.add_earlier(earlier.updates);
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
        for update in self.updates.progress().chain(self.updates.letters()) {
            write_update(db, update)?;
        }
        if self.is_empty() { Ok(()) } else { trim(db) }
    }
}

/// Writes a notice: it comes after all records that are there.
pub(in crate::store::sqlite) fn put_notice(
    db: &Connection,
    notice: &Notice,
) -> rusqlite::Result<()> {
    let Notice { at, room, user, what, .. } = notice;
    let (kind, number) = of_notice(*what);
    let (room, user) = (room.as_ref().map(RoomName::as_str), user.as_ref().map(UserName::as_str));
    let sql = "INSERT INTO notice (record, at, kind, room, user, number) \
               VALUES ((SELECT coalesce(max(id), 0) FROM record), ?1, ?2, ?3, ?4, ?5)";
    db.prepare_cached(sql)?.execute(params![signed(*at), kind, room, user, number]).map(drop)
}

fn write_update(db: &Connection, update: &Update) -> rusqlite::Result<()> {
    match update {
        Update::Progress { webhook: (name, at), position, batch_end, attempts, next_at, ended } => {
            // By the time of its making, too: a webhook of the same name may have replaced this
            // one.
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
