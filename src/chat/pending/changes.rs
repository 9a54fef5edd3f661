//! Changes: the edits and deletions that logs have told while somebody's reading is under way.
//!
//! What is read of a stored log is as of some moment between question and answer. A change that was
//! told meanwhile may not be in it: it is made to what was read before that is shown, so that
//! nobody who was told of a change sees the text from before it again.
//!
//! ```text
//!  asked ── read ── change committed ── change told ── answer arrives: the change is made to it
//! ```

use std::collections::{BTreeMap, VecDeque};

use crate::chat::model::log::LogId;
use crate::chat::model::record::SharedRecord;

/// Bytes of changes that are kept at most. A reading that outlasts more than these is to be asked
/// for again.
const CHANGES_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes that a change takes besides its record.
const CHANGE_OVERHEAD: usize = 128;

/// When a reading began: how many changes there had been.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::chat) struct Mark(u64);

/// An edit or a deletion.
#[derive(Clone, Debug)]
pub(in crate::chat) struct Change {
    /// Of which log.
    pub log: LogId,
    /// The edit or deletion.
    pub record: SharedRecord,
}

/// The changes that some reading may have missed.
///
/// Invariants:
/// - `readings` has how many readings began at each mark;
/// - `list` has no change from before the first of these, and is empty if there is none;
/// - `bytes` is what the changes in `list` count for, and at most [`CHANGES_BYTES_MAX`].
#[derive(Debug, Default)]
pub(in crate::chat) struct Changes {
    readings: BTreeMap<Mark, u32>,
    list: VecDeque<Change>,
    bytes: usize,
    /// How many changes there were before the first in `list`.
    before: u64,
}

impl Changes {
    /// A reading begins.
    pub(in crate::chat) fn begin(&mut self) -> Mark {
        // A place in the endless list of changes, of which `list` is the present window.
        let mark = Mark(self.before + u64::try_from(self.list.len()).unwrap_or(0));
        *self.readings.entry(mark).or_insert(0) += 1;
        mark
    }

    /// A reading that began at `mark` ends: the changes since, in the order in which they were
    /// told. `None` if they were more than are kept.
    pub(in crate::chat) fn end(&mut self, mark: Mark) -> Option<Vec<Change>> {
        // A mark below `before` has lost changes to the bound: the reading cannot be brought up to
        // date.
        let skip = mark.0.checked_sub(self.before).and_then(|skip| usize::try_from(skip).ok());
        let since = skip.map(|skip| self.list.iter().skip(skip).cloned().collect());
        if let Some(count) = self.readings.get_mut(&mark) {
            *count -= 1;
            if *count == 0 {
                self.readings.remove(&mark);
            }
        }
        // Changes from before the oldest reading are in every answer that can still come.
        let needed = self.readings.first_key_value().map_or(u64::MAX, |(mark, _)| mark.0);
        while self.before < needed && self.forget_first() {}
        since
    }

    /// A log has told a change.
    pub(in crate::chat) fn note(&mut self, log: LogId, record: &SharedRecord) {
        // Nearly always: an edit while nobody reads costs nothing.
        if self.readings.is_empty() {
            return;
        }
        let change = Change { log, record: SharedRecord::clone(record) };
        self.bytes += change.bytes();
        self.list.push_back(change);
        // The oldest go, whoever needs them: `end` finds out by the mark, and that reading is asked
        // for again.
        while self.bytes > CHANGES_BYTES_MAX && self.forget_first() {}
    }

    /// A log is another one: whatever is being read is to be asked for again.
    pub(in crate::chat) fn outdate_all(&mut self) {
        while self.forget_first() {}
        // A mark below `before` has lost changes, here one that nobody kept.
        self.before += 1;
    }

    /// Forgets the oldest change, if there is one.
    fn forget_first(&mut self) -> bool {
        let Some(change) = self.list.pop_front() else { return false };
        self.bytes -= change.bytes();
        self.before += 1;
        true
    }

    /// Checks the invariants, with so many readings under way.
    pub(in crate::chat) fn debug_check(&self, readings: usize) {
        let counted: u32 = self.readings.values().sum();
        debug_assert_eq!(usize::try_from(counted), Ok(readings), "every reading is counted");
        debug_assert!(readings > 0 || self.list.is_empty(), "nothing is kept for nobody");
        let bytes: usize = self.list.iter().map(Change::bytes).sum();
        debug_assert_eq!(self.bytes, bytes, "the changes are within the books");
    }
}

impl Change {
    fn bytes(&self) -> usize {
        CHANGE_OVERHEAD + usize::try_from(self.record.weight).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::model::name::UserName;
    use crate::chat::model::record::{Body, Record};

    fn deletion(seq: u64, weight: u32) -> SharedRecord {
        let from = UserName::parse("ann").unwrap();
        SharedRecord::new(Record { seq, at: 0, from, body: Body::Deletion { target: 1 }, weight })
    }

    fn note(changes: &mut Changes, seq: u64) {
        changes.note(LogId::new(1, 1), &deletion(seq, 0));
    }

    #[track_caller]
    fn check(since: Option<Vec<Change>>, expect: &[u64]) {
        let seqs = since.map(|list| list.iter().map(|change| change.record.seq).collect());
        assert_eq!(seqs, Some(expect.to_vec()));
    }

    #[test]
    fn a_reading_gets_the_changes_since_it_began_and_no_other() {
        let mut changes = Changes::default();
        note(&mut changes, 1);
        let first = changes.begin();
        note(&mut changes, 2);
        let (second, third) = (changes.begin(), changes.begin());
        note(&mut changes, 3);
        check(changes.end(second), &[3]);
        changes.debug_check(2);
        check(changes.end(first), &[2, 3]);
        assert_eq!(changes.list.len(), 1, "what nobody needs is forgotten");
        check(changes.end(third), &[3]);
        changes.debug_check(0);
        let last = changes.begin();
        check(changes.end(last), &[]);
    }

    #[test]
    fn a_reading_of_a_log_that_is_another_one_now_is_asked_for_again_though_nothing_was_changed() {
        let mut changes = Changes::default();
        let first = changes.begin();
        changes.outdate_all();
        let second = changes.begin();
        assert!(changes.end(first).is_none());
        check(changes.end(second), &[]);
    }

    #[test]
    fn changes_are_bounded_and_a_reading_that_outlasts_them_knows() {
        let mut changes = Changes::default();
        let first = changes.begin();
        for seq in 1..=5 {
            changes.note(LogId::new(1, 1), &deletion(seq, 1024 * 1024));
        }
        assert!(changes.bytes <= CHANGES_BYTES_MAX);
        let second = changes.begin();
        note(&mut changes, 6);
        assert!(changes.end(first).is_none());
        check(changes.end(second), &[6]);
        changes.debug_check(0);
    }
}
