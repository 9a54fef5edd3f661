//! What one node does for all: words go into the index, and rooms that nobody has open are pruned.
//!
//! Which one it is, the engine says: the *keeper* is the node whose reader has an advisory lock. It
//! is given up with the connection, and the engine notices within half a minute that a machine is
//! gone. Should two nodes take themselves for the keeper for a moment, the work is done twice and
//! nothing is wrong: what is indexed is compared with what was read, and pruning goes by what there
//! is.

use std::collections::VecDeque;
use std::time::Duration;

use super::Node;
use super::engine::Engine;
use super::indexing::Blocks;
use super::open_logs::Log;
use super::reader::Reading;
use super::writer::What;
use super::{PRUNE_RECORDS, statements};
use crate::chat::model::columns::{signed, unsigned};
use crate::chat::model::name::RoomName;
use crate::chat::model::policy::{Policies, Policy, Retention};
use crate::pg::{EngineError, Param, Row, Statement, WrongType};
use crate::time::{Tick, millis};

/// How often it is looked whether there is something to do.
const LOOK_EVERY: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 1_000 });
/// The pause between two steps while there is: readers and writers come in between.
const STEP_PAUSE: Duration = Duration::from_millis(20);
/// Rooms that are looked at for words.
const WORDS_ROOMS: i64 = 4_096;
/// Blocks that are indexed at once: a quarter of a thousand records.
const WORDS_BLOCKS: i64 = 4;
/// Rooms that are looked at for records that are not to be kept.
const OVERDUE_ROOMS: i64 = 512;
/// Rooms that are pruned at once.
const OVERDUE_MAX: usize = 8;

/// Makes this node the keeper, if there is none. A machine that is gone is noticed by the engine
/// after 25 s without a sign of it, so that another one is the keeper then.
const KEEPER: Statement = Statement {
    name: "keeper",
    sql: "SELECT pg_try_advisory_lock(7163384699739271427) \
          FROM set_config('tcp_keepalives_idle', '10', false) AS idle, \
          set_config('tcp_keepalives_interval', '5', false) AS pause, \
          set_config('tcp_keepalives_count', '3', false) AS count",
};

/// Who the keeper is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeper {
    /// Another node, or none.
    Other,
    /// This is being asked.
    Asked,
    /// This node.
    Own,
}

/// What one node does for all, and how far it is.
#[derive(Debug)]
pub(super) struct Upkeep {
    keeper: Keeper,
    /// When something is to be done.
    pub(super) at: Tick,
    /// Words are being read or written.
    is_indexing: bool,
    /// The room up to which all are indexed.
    indexed: i64,
    /// The room up to which it was looked for overdue records; those are being looked for.
    pruned: i64,
    is_pruning: bool,
    /// Which rooms keep their records for how long; `None`: all of them for ever.
    policies: Option<Policies>,
}

impl Default for Upkeep {
    fn default() -> Self {
        Self {
            keeper: Keeper::Other,
            at: Tick::ZERO,
            is_indexing: false,
            indexed: 0,
            pruned: 0,
            is_pruning: false,
            policies: None,
        }
    }
}

impl Upkeep {
    /// The connection that has the lock is another one, or there is none.
    pub(super) const fn give_up(&mut self) {
        self.keeper = Keeper::Other;
        (self.is_indexing, self.is_pruning) = (false, false);
        self.at = Tick::ZERO;
    }

    /// For how long rooms keep their records.
    pub(super) fn retain(&mut self, policies: Policies) {
        let Policies { rules, otherwise, direct } = &policies;
        let ends = |policy: &Policy| policy.retention != Retention::default();
        let is_any = rules.iter().any(|rule| ends(&rule.policy)) || ends(otherwise) || ends(direct);
        self.policies = is_any.then_some(policies);
    }
}

impl<E: Engine> Node<E> {
    /// For how long rooms keep their records, also those that nobody has open.
    pub fn retain(&mut self, policies: Policies) {
        self.upkeep.retain(policies);
    }

    /// Does what is due.
    pub(super) fn keep_up(&mut self) {
        self.upkeep.at = self.now.tick.after(LOOK_EVERY);
        match self.upkeep.keeper {
            Keeper::Own => {}
            Keeper::Asked => return,
            Keeper::Other => {
                if self.ask_reader(Reading::Keeper, KEEPER, &[]).is_ok() {
                    self.upkeep.keeper = Keeper::Asked;
                }
                return;
            }
        }
        if !self.upkeep.is_indexing {
            let params = [self.upkeep.indexed, WORDS_ROOMS, WORDS_BLOCKS].map(Param::Int);
            let sent = self.ask_reader(Reading::Words, statements::UNINDEXED, &params);
            self.upkeep.is_indexing = sent.is_ok();
        }
        if !self.upkeep.is_pruning && self.upkeep.policies.is_some() {
            let params = [self.upkeep.pruned, OVERDUE_ROOMS].map(Param::Int);
            let sent = self.ask_reader(Reading::Overdue, statements::OVERDUE, &params);
            self.upkeep.is_pruning = sent.is_ok();
        }
    }

    /// Whether this node is the keeper.
    pub(super) fn on_keeper(&mut self, rows: &[Row]) -> Result<(), WrongType> {
        self.upkeep.keeper = Keeper::Other;
        let row = rows.first().ok_or(WrongType { column: 0 })?;
        if row.bool(0)? {
            self.upkeep.keeper = Keeper::Own;
            self.upkeep.at = self.now.tick;
        }
        Ok(())
    }

    /// No answer comes to what was read.
    pub(super) const fn on_upkeep_lost(&mut self, reading: &Reading) {
        match reading {
            Reading::Keeper => self.upkeep.keeper = Keeper::Other,
            Reading::Words => self.upkeep.is_indexing = false,
            Reading::Overdue => self.upkeep.is_pruning = false,
            _ => {}
        }
    }

    /// Blocks that are not indexed were read.
    pub(super) fn on_words(&mut self, rows: &[Row]) -> Result<(), WrongType> {
        self.upkeep.is_indexing = false;
        let blocks = Blocks::read(rows)?;
        let is_whole = blocks.ahead < WORDS_BLOCKS;
        // Fewer than were asked for: all rooms of this step are indexed to their heads.
        self.upkeep.indexed = if is_whole {
            // Then from the beginning.
            blocks.last_room.unwrap_or(0)
        } else {
            blocks.last_ahead.saturating_sub(1)
        };
        if blocks.is_empty() {
            return Ok(());
        }
        let sent =
            blocks.with_params(|params| self.ask_writer(What::Index, statements::INDEX, params));
        self.upkeep.is_indexing = sent.is_ok();
        Ok(())
    }

    /// Blocks were indexed, or not.
    pub(super) fn on_indexed(&mut self, outcome: Option<&Result<Vec<Row>, EngineError>>) {
        self.upkeep.is_indexing = false;
        match outcome {
            Some(Ok(_)) => self.upkeep.at = self.now.tick.after(STEP_PAUSE),
            Some(Err(error)) => {
                self.refusals.say(self.now.tick, "words cannot be indexed", error);
            }
            None => {}
        }
    }

    /// Rooms were looked at: those that nobody has open here, and have records which are not to be
    /// kept, are pruned.
    pub(super) fn on_overdue(&mut self, rows: &[Row]) -> Result<(), WrongType> {
        self.upkeep.is_pruning = false;
        let Some(policies) = &self.upkeep.policies else { return Ok(()) };
        let mut overdue = VecDeque::new();
        // Then from the beginning.
        let mut last = 0;
        for row in rows {
            let Some(name) = RoomName::stored(row.text(1)?) else { continue };
            let retention = policies.of(&name, row.text_or_null(2)?).retention;
            let id = row.int(0)?;
            if overdue.len() >= OVERDUE_MAX {
                break;
            }
            last = id;
            if self.held.of_row(id).is_none() && is_overdue(row, retention, self.now.wall_ms)? {
                overdue.push_back((id, retention));
            }
        }
        self.upkeep.pruned = last;
        for (row, retention) in overdue {
            self.send_prune(row, retention, What::PruneRow(row));
        }
        Ok(())
    }

    /// Has the oldest records of the next room go, if they are not to be kept; and those of rooms
    /// that were dropped.
    pub(super) fn prune(&mut self) {
        let is_pruned = |log: &Log| log.retention != Retention::default() && log.is_followed();
        let all = || self.held.iter().filter(|(_, log)| is_pruned(log));
        let next = all().find(|(id, _)| Some(*id) > self.pruned).or_else(|| all().next());
        if let Some((id, log)) = next {
            let (row, retention) = (log.row.unwrap_or(0), log.retention);
            self.pruned = Some(id);
            self.send_prune(row, retention, What::Prune(id));
        }
        // What cannot be sent now is due again a second later.
        _ = self.ask_writer(What::Sweep, statements::SWEEP, &[Param::Int(PRUNE_RECORDS)]);
    }

    /// Has the oldest records of a room go.
    pub(super) fn send_prune(&mut self, row: i64, retention: Retention, what: What) {
        let number =
            |number: Option<u64>| number.map_or(Param::Null, |number| Param::Int(signed(number)));
        let params = [
            Param::Int(row),
            number(oldest_kept(retention, self.now.wall_ms)),
            number(retention.records),
            number(retention.bytes),
            Param::Int(PRUNE_RECORDS),
        ];
        _ = self.ask_writer(what, statements::PRUNE, &params);
    }

    /// A room that is not open here was pruned: those that have it open learn it.
    pub(super) fn on_row_pruned(&mut self, row: i64, outcome: &Result<Vec<Row>, EngineError>) {
        match outcome {
            Ok(_) => self.engine.say_grown(&[row]),
            Err(error) => self.refusals.say(self.now.tick, "a log cannot be pruned", error),
        }
    }
}

/// The time of the oldest record that is kept: milliseconds since 1970.
fn oldest_kept(retention: Retention, wall_ms: u64) -> Option<u64> {
    let age = retention.age?;
    Some(wall_ms.saturating_sub(millis(age)))
}

/// Whether a room has records that are not to be kept.
fn is_overdue(row: &Row, retention: Retention, wall_ms: u64) -> Result<bool, WrongType> {
    let [head, oldest, bytes] = [3, 4, 5].map(|column| row.int(column).map(unsigned));
    let count = (head? + 1).saturating_sub(oldest?);
    let (bytes, at) = (bytes?, row.int_or_null(6)?.map(unsigned));
    Ok(retention.records.is_some_and(|max| count > max)
        || (count > 0 && retention.bytes.is_some_and(|max| bytes > max))
        || at.is_some_and(|at| oldest_kept(retention, wall_ms).is_some_and(|kept| at < kept)))
}
