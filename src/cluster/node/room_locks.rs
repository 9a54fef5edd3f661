//! Rooms that somebody else has locked, such as a transaction that was forgotten: what is about
//! them waits or is refused, and everything else goes on.
//!
//! ```text
//!  a statement has waited in vain ─▶ doubtful: parked ─▶ is the row free? ─┬─ yes: sent once more
//!                                                          ▲               ▼ no
//!                                                          └─ held: who waits is refused, facts stay
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Node;
use super::append::{Append, Batch};
use super::engine::Engine;
use super::queue::{Ending, FactsOf, Op, WAIT_MAX};
use super::rows::FactKey;
use super::session_ops::SessionOp;
use super::statements;
use super::writer::{Flight, What};
use crate::chat::model::log::{LogFault, LogId};
use crate::pg::{EngineError, Param, Row};
use crate::time::Tick;

/// The pause between two looks at rows that were locked.
const PROBE_EVERY: Duration = Duration::from_millis(250);
/// The pause before something is tried again of which no row can be looked at.
const TRY_PAUSE: Duration = Duration::from_secs(2);

/// A statement has waited for a lock for as long as it may, and nothing of it was done.
pub(super) fn is_held_up(error: &EngineError) -> bool {
    &*error.code == "55P03"
}

/// What is known of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A statement has waited in vain, perhaps for another room.
    Doubtful,
    /// Its row is locked.
    Held,
    /// It has no row yet: it is tried again then.
    Unmade(Tick),
}

/// What somebody else has locked.
#[derive(Debug, Default)]
pub(super) struct RoomLocks {
    rooms: BTreeMap<LogId, State>,
    is_asked: bool,
    probe_at: Tick,
    /// Sessions are parked until then.
    sessions_until: Option<Tick>,
}

impl RoomLocks {
    /// When it has to be looked at.
    pub(super) fn due_at(&self) -> Tick {
        let is_due = !self.rooms.is_empty() && !self.is_asked;
        let probe = if is_due { self.probe_at } else { Tick::MAX };
        probe.min(self.sessions_until.unwrap_or(Tick::MAX))
    }

    fn doubt(&mut self, log: LogId) {
        self.rooms.entry(log).or_insert(State::Doubtful);
        self.probe_at = Tick::ZERO;
    }

    fn is_held(&self, op: &Op) -> bool {
        op.log().is_some_and(|log| self.rooms.get(&log) == Some(&State::Held))
    }
}

impl<E: Engine> Node<E> {
    /// Whether something is not sent now, since somebody else has locked what it needs.
    pub(super) fn is_locked(&self, op: &Op) -> bool {
        match op {
            Op::Session(_) => self.locks.sessions_until.is_some(),
            op => op.log().is_some_and(|log| self.locks.rooms.contains_key(&log)),
        }
    }

    /// Puts the next one aside, for which that is so; whoever would wait for long is refused.
    pub(super) fn park(&mut self) {
        let is_over = |op: &Op| self.locks.is_held(op) && is_waited_for(op);
        if !self.queue.peek().is_some_and(is_over) {
            return self.queue.park_next();
        }
        if let Some(op) = self.queue.pop() {
            self.refuse_op(op, LogFault::Broken);
        }
    }

    /// A batch has waited in vain. What somebody else has locked may be one of its rooms, or
    /// something that only one of its drafts needs.
    pub(super) fn on_batch_held_up(&mut self, batch: Batch) {
        let mut again = Vec::new();
        for append in batch.into_drafts() {
            self.locks.doubt(append.log);
            let is_old = append.since.after(WAIT_MAX) <= self.now.tick;
            // Nor may it come behind what was sent behind it.
            if append.is_held_up || is_old || self.is_on_its_way(append.log) {
                self.refuse_sent(append, LogFault::Broken);
            } else {
                let append = Append { is_lost: true, is_held_up: true, ..append };
                again.push(Op::Append(Box::new(append)));
            }
        }
        self.queue.park_sent(again);
    }

    /// The same of facts: those of which newer ones are on their way are not written any more.
    pub(super) fn on_facts_held_up(&mut self, all: Vec<(LogId, u32, FactsOf)>) {
        let mut again = Vec::new();
        for (id, era, mut facts) in all {
            let newer = self.facts_on_their_way(id);
            let Some(log) = self.held.get_mut(id).filter(|log| log.era == era) else { continue };
            let mut is_passed_over = false;
            facts.retain(|key, _| {
                let is_newest = !newer.contains(key);
                is_passed_over |= !is_newest && log.on_fact_written(key);
                is_newest
            });
            if is_passed_over {
                self.held.wants.insert(id);
            }
            self.locks.doubt(id);
            again.push(Op::Facts(id, era, facts));
            // Who waits for them still does.
            self.flights.retain(|flight| match flight.what {
                What::Sync(log, era, ticket) if log == id => {
                    again.push(Op::Sync(log, era, ticket));
                    false
                }
                _ => true,
            });
        }
        self.queue.park_sent(again);
    }

    /// The same of a room that is to end.
    pub(super) fn on_end_held_up(&mut self, ending: Box<Ending>) {
        self.locks.doubt(ending.log);
        self.queue.park_sent(vec![Op::End(ending)]);
    }

    /// The same of a room that is to be found or made.
    pub(super) fn on_open_held_up(&mut self, id: LogId) {
        let at = self.now.tick.after(TRY_PAUSE);
        self.locks.rooms.insert(id, State::Unmade(at));
        self.locks.probe_at = self.locks.probe_at.max(self.now.tick).min(at);
        self.queue.park_sent(vec![Op::Open(id)]);
    }

    /// The same of sessions.
    pub(super) fn on_sessions_held_up(&mut self, ops: Vec<SessionOp>) {
        self.locks.sessions_until = Some(self.now.tick.after(TRY_PAUSE));
        self.queue.park_sent(ops.into_iter().map(|op| Op::Session(Box::new(op))).collect());
    }

    /// Whether a draft of this log was sent and has no answer.
    fn is_on_its_way(&self, log: LogId) -> bool {
        self.flights.iter().any(|flight| {
            matches!(&flight.what, What::Append(batch) if batch.drafts().any(|it| it.log == log))
        })
    }

    /// The facts of a log that were sent and have no answer.
    fn facts_on_their_way(&self, log: LogId) -> BTreeSet<FactKey> {
        let mut keys = BTreeSet::new();
        for Flight { what, .. } in &self.flights {
            match what {
                What::Facts(all) => {
                    let own = all.iter().filter(|(id, ..)| *id == log);
                    keys.extend(own.flat_map(|(_, _, facts)| facts.keys().cloned()));
                }
                What::Append(batch) => {
                    let own = batch.drafts().filter(|append| append.log == log);
                    keys.extend(own.flat_map(|append| append.draft.meta.iter().map(FactKey::of)));
                }
                _ => {}
            }
        }
        keys
    }

    /// Looks whether what was locked is free.
    pub(super) fn look_at_locks(&mut self) {
        let now = self.now.tick;
        if self.locks.sessions_until.is_some_and(|until| until <= now) {
            self.locks.sessions_until = None;
            self.queue.unpark(|op| matches!(op, Op::Session(_)));
        }
        if self.locks.is_asked || self.locks.rooms.is_empty() || now < self.locks.probe_at {
            return;
        }
        self.locks.probe_at = now.after(PROBE_EVERY);
        self.locks.rooms.retain(|_, state| !matches!(state, State::Unmade(at) if *at <= now));
        let unmade = |state: &State| matches!(state, State::Unmade(_));
        let row = |id: LogId| (id, self.held.get(id).and_then(|log| log.row));
        let rooms = self.locks.rooms.iter().filter(|(_, state)| !unmade(state));
        let rooms = rooms.map(|(id, _)| row(*id)).collect::<Vec<_>>();
        let rows = rooms.iter().filter_map(|(_, row)| row.map(Some)).collect::<Vec<_>>();
        if !rooms.is_empty() {
            let params = [Param::Ints(&rows)];
            let sent = self.ask_writer(What::Probe(rooms), statements::PROBE_ROOMS, &params);
            self.locks.is_asked = sent.is_ok();
        }
        self.unpark();
    }

    /// Which rows are free is known, or no answer comes.
    pub(super) fn on_probed(
        &mut self,
        rooms: Vec<(LogId, Option<i64>)>,
        outcome: Option<&Result<Vec<Row>, EngineError>>,
    ) {
        self.locks.is_asked = false;
        let Some(Ok(rows)) = outcome else { return };
        let free = rows.iter().filter_map(|row| row.int(0).ok()).collect::<BTreeSet<_>>();
        for (id, row) in rooms {
            if row.is_none_or(|row| free.contains(&row)) {
                self.locks.rooms.remove(&id);
            } else {
                self.locks.rooms.insert(id, State::Held);
            }
        }
        self.unpark();
        let locks = &self.locks;
        for op in self.queue.take(|op| locks.is_held(op) && is_waited_for(op)) {
            self.refuse_op(op, LogFault::Broken);
        }
    }

    /// What is about rooms that are not locked any more comes next.
    fn unpark(&mut self) {
        let rooms = &self.locks.rooms;
        self.queue.unpark(|op| op.log().is_some_and(|log| !rooms.contains_key(&log)));
    }
}

/// Whether somebody is told what became of it.
const fn is_waited_for(op: &Op) -> bool {
    matches!(op, Op::Append(_) | Op::Sync(..) | Op::End(_))
}
