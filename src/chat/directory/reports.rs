//! What was reported and is not settled.

use std::collections::{BTreeMap, BTreeSet};

use crate::chat::context::Context;
use crate::chat::model::limits::{
    GUEST_PREFIX, REPORT_LASTS, REPORTS_MAX, REPORTS_OF_GUESTS_MAX, REPORTS_OF_USER_MAX,
};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::people::Report;
use crate::time::millis;

/// All open reports, by id: a later one has a higher id.
///
/// Bound: [`REPORTS_MAX`], [`REPORTS_OF_USER_MAX`] of one user and [`REPORTS_OF_GUESTS_MAX`] of all
/// guests. They are so few that they are counted by a walk.
#[derive(Debug, Default)]
pub(in crate::chat) struct Reports {
    rows: BTreeMap<u64, Report>,
    last_id: u64,
    /// Those that were taken out of their rooms, which is not written yet.
    taken_out: BTreeSet<u64>,
}

/// Which bound another report would exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::chat) enum Full {
    /// That of the user.
    OfUser,
    /// Another.
    OfAll,
}

impl Reports {
    /// Takes up those that are kept, instead of those that were known.
    pub(in crate::chat) fn restore(&mut self, reports: Vec<Report>) {
        self.rows = reports.into_iter().map(|report| (report.id, report)).collect();
        // What was read is from before that.
        for id in &self.taken_out {
            if let Some(row) = self.rows.get_mut(id) {
                row.room = None;
            }
        }
        let last = self.rows.last_key_value().map_or(0, |(&id, _)| id);
        self.last_id = self.last_id.max(last);
    }

    /// The id of a new one.
    pub(in crate::chat) fn next_id(&mut self, context: &Context) -> u64 {
        self.last_id = context.id_above(self.last_id);
        self.last_id
    }

    /// Adds one.
    pub(in crate::chat) fn insert(&mut self, report: Report) {
        self.rows.insert(report.id, report);
    }

    /// Ends one.
    pub(in crate::chat) fn remove(&mut self, id: u64) {
        self.rows.remove(&id);
    }

    /// The report of this id.
    pub(in crate::chat) fn get(&self, id: u64) -> Option<&Report> {
        self.rows.get(&id)
    }

    /// Those after an id, oldest first.
    pub(in crate::chat) fn above(&self, id: u64) -> impl Iterator<Item = &Report> {
        self.rows.range(id.saturating_add(1)..).map(|(_, report)| report)
    }

    /// Whether the same user has reported the same before.
    pub(in crate::chat) fn has(&self, report: &Report) -> bool {
        let same = |other: &Report| {
            (&other.by, &other.whom, &other.room, other.seq)
                == (&report.by, &report.whom, &report.room, report.seq)
        };
        self.rows.values().any(same)
    }

    /// The bound that another report by this user would exceed.
    pub(in crate::chat) fn full_for(&self, user: &UserName) -> Option<Full> {
        let is_guest = |name: &UserName| name.as_str().starts_with(GUEST_PREFIX);
        let count = |picks: &dyn Fn(&UserName) -> bool| {
            self.rows.values().filter(|report| picks(&report.by)).count()
        };
        if count(&|name| name == user) >= REPORTS_OF_USER_MAX {
            return Some(Full::OfUser);
        }
        let is_over = self.rows.len() >= REPORTS_MAX
            || (is_guest(user) && count(&is_guest) >= REPORTS_OF_GUESTS_MAX);
        is_over.then_some(Full::OfAll)
    }

    /// Takes what is about a room of such a name out of it, and returns how it is now.
    pub(in crate::chat) fn take_out_of(
        &mut self,
        is_it: impl Fn(&RoomName) -> bool,
    ) -> Vec<Report> {
        let found = self.rows.values_mut().filter(|row| row.room.as_ref().is_some_and(&is_it));
        let taken = found.map(|row| {
            row.room = None;
            row.clone()
        });
        let taken: Vec<Report> = taken.collect();
        self.taken_out.extend(taken.iter().map(|row| row.id));
        taken
    }

    /// That these reports are taken out is written, or cannot be.
    pub(in crate::chat) fn end_taking_out(&mut self, ids: &[u64]) {
        for id in ids {
            self.taken_out.remove(id);
        }
    }

    /// Those that nobody has settled in time.
    pub(in crate::chat) fn expired(&self, wall_ms: u64) -> Vec<u64> {
        let lasts = millis(REPORT_LASTS);
        let is_over = |report: &&Report| report.at.saturating_add(lasts) <= wall_ms;
        self.rows.values().filter(is_over).map(|report| report.id).collect()
    }

    /// Whether there is none.
    pub(in crate::chat) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_before_it_was_taken_out_does_not_bring_it_back() {
        let name = |name: &str| UserName::parse(name).unwrap();
        let report = Report {
            id: 3,
            by: name("ann"),
            whom: name("bob"),
            room: Some(RoomName::parse("lobby").unwrap()),
            seq: None,
            text: "".into(),
            reason: "".into(),
            at: 1,
        };
        let mut reports = Reports::default();
        reports.insert(report.clone());
        assert_eq!(reports.take_out_of(|_| true).len(), 1);
        reports.restore(vec![report.clone()]);
        assert_eq!(reports.get(3).unwrap().room, None);
        reports.end_taking_out(&[3]);
        reports.restore(vec![report.clone()]);
        assert_eq!(reports.get(3), Some(&report), "what comes later is how it is");
    }
}
