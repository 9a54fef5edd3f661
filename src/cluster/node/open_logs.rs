//! The logs that a node holds.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::append::Place;
use super::order::{Order, Out};
use super::rows::FactKey;
use crate::chat::model::log::{LogFault, LogId, LogReply, RoomMeta};
use crate::chat::model::name::RoomName;
use crate::chat::model::policy::Retention;
use crate::chat::model::record::{Body, Epoch, SharedRecord};

/// One log that is open.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each says what is still to be found out")]
pub(super) struct Log {
    pub(super) name: RoomName,
    pub(super) retention: Retention,
    pub(super) epoch: Epoch,
    /// The number of its row, once it is known.
    pub(super) row: Option<i64>,
    pub(super) order: Order,
    pub(super) oldest: u64,
    /// How often its facts had changed when they were read last.
    pub(super) facts: u64,
    /// Up to which version whoever asks knows the rights.
    pub(super) version: i64,
    /// Which life of the log it is, and which one was told.
    pub(super) era: u32,
    pub(super) era_told: u32,
    /// It is read anew, and nothing is said of it before that.
    pub(super) is_renewing: bool,
    /// The engine may have forgotten what was told.
    pub(super) is_doubtful: bool,
    /// Facts of our own may be in the engine, of which whoever asked does not know.
    pub(super) is_unsure: bool,
    /// Own facts that are not written yet, by how many there are of each.
    pub(super) unwritten: BTreeMap<FactKey, u32>,
    /// What others have said of these meanwhile, by the counter since before it.
    pub(super) passed_over: BTreeMap<FactKey, u64>,
    /// Facts could not be written.
    pub(super) fault: Option<LogFault>,
    /// The room is dropped, and nothing is said of it any more.
    pub(super) is_dropped: bool,
    /// It is to end, and whoever has asked for that is told whether it has.
    pub(super) is_ending: bool,
}

impl Log {
    /// A log whose row is not known.
    pub(super) fn new(name: RoomName, epoch: Epoch, retention: Retention) -> Self {
        Self {
            name,
            retention,
            epoch,
            row: None,
            order: Order::new(0),
            oldest: 1,
            facts: 0,
            version: 0,
            era: 0,
            era_told: 0,
            is_renewing: false,
            is_doubtful: false,
            is_unsure: false,
            unwritten: BTreeMap::new(),
            passed_over: BTreeMap::new(),
            fault: None,
            is_dropped: false,
            is_ending: false,
        }
    }

    /// Where it is in the engine, if that is known.
    pub(super) fn place(&self) -> Option<Place> {
        Some(Place { row: self.row?, epoch: self.epoch.0.cast_signed() })
    }

    /// Whether records and facts of it can be taken.
    pub(super) const fn is_followed(&self) -> bool {
        self.row.is_some() && !self.is_renewing && !self.is_dropped
    }

    /// Who asks for the log knows these records, and with them the name that the room has.
    pub(super) fn on_told(&mut self, records: &[SharedRecord]) {
        for record in records {
            if let Body::Rename { name, .. } = &record.body {
                self.name = name.clone();
            }
        }
    }

    /// A fact of our own is to be written.
    pub(super) fn on_fact(&mut self, meta: &RoomMeta) {
        // Counted, since a fact may change again before its first change is written.
        *self.unwritten.entry(FactKey::of(meta)).or_default() += 1;
    }

    /// It is: whether what others have said of it has to be read now.
    pub(super) fn on_fact_written(&mut self, key: &FactKey) -> bool {
        let Some(count) = self.unwritten.get_mut(key) else { return false };
        *count = count.saturating_sub(1);
        if *count > 0 {
            return false;
        }
        self.unwritten.remove(key);
        let Some(before) = self.passed_over.remove(key) else { return false };
        // The next fetch reads from there again, and so finds what was passed over.
        self.facts = self.facts.min(before);
        true
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct OpenLogs {
    logs: BTreeMap<LogId, Log>,
    by_row: BTreeMap<i64, LogId>,
    /// Those of which something is to be fetched.
    pub(super) wants: BTreeSet<LogId>,
    /// Those that are to be read anew.
    pub(super) renewals: BTreeSet<LogId>,
    /// Those of which this made no sense: once more when heads are compared.
    pub(super) unreadable: BTreeSet<LogId>,
    /// What is to be said.
    pub(super) out: VecDeque<Out>,
    /// Rows of rooms that were dropped here, which whoever reads may still find.
    dropped: VecDeque<i64>,
}

/// Rows that are remembered of rooms that were dropped: many more than are dropped while one
/// answer is on its way.
const DROPPED_MAX: usize = 4_096;

impl OpenLogs {
    /// Holds a log.
    pub(super) fn insert(&mut self, id: LogId, log: Log) {
        if let Some(row) = log.row {
            self.by_row.insert(row, id);
            // What came between loading and now.
            self.wants.insert(id);
        }
        self.logs.insert(id, log);
    }

    /// The log of this name.
    pub(super) fn get(&self, id: LogId) -> Option<&Log> {
        self.logs.get(&id)
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, id: LogId) -> Option<&mut Log> {
        self.logs.get_mut(&id)
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.logs.is_empty()
    }

    /// The log of the row of this number.
    pub(super) fn of_row(&self, row: i64) -> Option<LogId> {
        self.by_row.get(&row).copied()
    }

    /// All with their names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (LogId, &Log)> {
        self.logs.iter().map(|(id, log)| (*id, log))
    }

    /// The same, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (LogId, &mut Log)> {
        self.logs.iter_mut().map(|(id, log)| (*id, log))
    }

    /// The row of a log is known.
    pub(super) fn set_row(&mut self, id: LogId, row: i64) {
        let Some(log) = self.logs.get_mut(&id) else { return };
        let before = log.row.replace(row);
        self.forget_row(id, before);
        self.by_row.insert(row, id);
    }

    /// A room is dropped: it is not found any more.
    pub(super) fn drop_row(&mut self, row: i64) {
        if self.dropped.len() >= DROPPED_MAX {
            self.dropped.pop_front();
        }
        self.dropped.push_back(row);
    }

    /// The room of this row was not dropped after all: others have it.
    pub(super) fn keep_row(&mut self, row: i64) {
        self.dropped.retain(|dropped| *dropped != row);
    }

    /// Whether the room of this row was dropped here.
    pub(super) fn is_dropped(&self, row: i64) -> bool {
        self.dropped.contains(&row)
    }

    /// A log is held no more.
    pub(super) fn remove(&mut self, id: LogId) -> Option<Log> {
        let log = self.logs.remove(&id)?;
        self.forget_row(id, log.row);
        self.wants.remove(&id);
        self.renewals.remove(&id);
        self.unreadable.remove(&id);
        Some(log)
    }

    fn forget_row(&mut self, id: LogId, row: Option<i64>) {
        let Some(row) = row else { return };
        // Another life of the room may have it by now.
        if self.by_row.get(&row) == Some(&id) {
            self.by_row.remove(&row);
        }
    }

    /// The log has this row; `false` if another log has it already: a room was asked for by a name
    /// that it has, before this node was told of that.
    pub(super) fn take_row(&mut self, id: LogId, row: i64) -> bool {
        if self.of_row(row).is_some_and(|other| other != id) {
            return false;
        }
        self.set_row(id, row);
        true
    }

    /// The room of a log is no more, which is told; the log is not held any more.
    pub(super) fn end(&mut self, id: LogId, reply: LogReply) {
        self.out.push_back((reply, None));
        let Some(log) = self.logs.get_mut(&id) else { return };
        // Everybody who still waits for this log is answered, behind that reply.
        log.order.renew(0);
        log.is_renewing = false;
        self.advance(id);
        self.remove(id);
    }

    /// A log is another than was told: whatever was asked of it is over, and it is read anew.
    pub(super) fn renew(&mut self, id: LogId) {
        let Some(log) = self.logs.get_mut(&id) else { return };
        // One that is ending is looked at when that has its answer (`refuse_end`).
        if !log.is_renewing && !log.is_dropped && !log.is_ending {
            log.is_renewing = true;
            log.era = log.era.wrapping_add(1);
            // Answers to facts of the former life count nothing down any more: `on_facts_written`
            // compares the era.
            log.unwritten.clear();
            log.passed_over.clear();
            self.renewals.insert(id);
        }
    }

    /// Says what can be said of a log, and has fetched what is missing for more.
    pub(super) fn advance(&mut self, id: LogId) {
        let Some(log) = self.logs.get_mut(&id) else { return };
        if !log.is_renewing && log.order.advance(id, &mut self.out) && log.is_followed() {
            self.wants.insert(id);
        }
    }

    /// Says something about a log, behind what was answered before.
    pub(super) fn say(&mut self, id: LogId, reply: LogReply) {
        match self.logs.get_mut(&id) {
            Some(log) => log.order.push(reply),
            None => self.out.push_back((reply, None)),
        }
        self.advance(id);
    }

    /// The next reply. Who has it knows what it says.
    pub(super) fn poll(&mut self) -> Option<LogReply> {
        loop {
            let (reply, version) = self.out.pop_front()?;
            let log = |id: &LogId| self.logs.get(id);
            let is_dropped = match &reply {
                LogReply::Grown { log: id, .. }
                | LogReply::Pruned { log: id, .. }
                | LogReply::Renewed { log: id, .. } => log(id).is_none_or(|log| log.is_dropped),
                _ => false,
            };
            if is_dropped {
                continue;
            }
            // Not before it is handed out: what is asked until then was judged without it.
            if let Some((id, version)) = version
                && let Some(log) = self.logs.get_mut(&id)
            {
                log.version = log.version.max(version);
            }
            match &reply {
                LogReply::Renewed { log: id, .. } => {
                    if let Some(log) = self.logs.get_mut(id) {
                        log.era_told = log.era;
                    }
                }
                // It was there for the version only, which is noted above.
                LogReply::Grown { records, meta, .. } if records.is_empty() && meta.is_empty() => {
                    continue;
                }
                LogReply::Grown { log: id, records, .. } => {
                    if let Some(log) = self.logs.get_mut(id) {
                        log.on_told(records);
                    }
                }
                _ => {}
            }
            return Some(reply);
        }
    }
}
