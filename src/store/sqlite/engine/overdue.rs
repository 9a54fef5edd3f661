//! Rooms that are not open, and have records which are not to be kept.

use std::time::Duration;

use super::super::integers::unsigned;
use super::Engine;
use super::maintenance::{STEP_ROOMS, Step, is_old};
use crate::chat::model::log::LogReply;
use crate::chat::model::name::RoomName;
use crate::time::clock::Now;

/// The pause after some that are to be loaded, so that they never are many at a time.
const WALK_PAUSE: Duration = Duration::from_secs(2);

impl Engine {
    /// Finds rooms that are not open and have records which are not to be kept: the domain loads
    /// them, so that they are pruned as all others are.
    pub(super) fn find_overdue(&mut self, now: Now, step: &mut Step) -> rusqlite::Result<bool> {
        let (Some(after), Some(policies)) = (self.maintenance.walk.after, &self.policies) else {
            return Ok(false);
        };
        if now.tick < self.maintenance.walk.at {
            return Ok(false);
        }
        let ages = self.for_ages(now);
        let sql = "SELECT id, name, policy, head, oldest, bytes, \
                   (SELECT at FROM record WHERE room = room.id ORDER BY seq LIMIT 1) \
                   FROM room WHERE id > ?1 ORDER BY id LIMIT ?2";
        let mut statement = self.db.prepare_cached(sql)?;
        let limit = i64::try_from(STEP_ROOMS / 2).unwrap_or(i64::MAX);
        let mut rows = statement.query([after, limit])?;
        let (mut last, mut overdue) = (None, Vec::new());
        while let Some(row) = rows.next()? {
            last = Some(row.get(0)?);
            let Some(name) = RoomName::stored(row.get_ref(1)?.as_str()?) else { continue };
            let policy: Option<String> = row.get(2)?;
            let retention = policies.of(&name, policy.as_deref()).retention;
            let [head, oldest, bytes] = [3, 4, 5].map(|column| row.get(column).map(unsigned));
            let count = (head? + 1).saturating_sub(oldest?);
            let (bytes, at) = (bytes?, row.get::<_, Option<i64>>(6)?.map(unsigned));
            if retention.records.is_some_and(|max| count > max)
                || retention.bytes.is_some_and(|max| bytes > max)
                || at.is_some_and(|at| is_old(retention, at, ages))
            {
                // Loaded and not pruned here: the domain must know of everything that goes from a
                // log.
                overdue.push(name);
            }
        }
        drop(rows);
        drop(statement);
        self.maintenance.walk.after = last;
        if !overdue.is_empty() {
            self.maintenance.walk.at = now.tick.after(WALK_PAUSE);
            step.replies.push(LogReply::Overdue(overdue));
        }
        Ok(true)
    }
}
