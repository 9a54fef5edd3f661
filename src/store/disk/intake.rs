//! What waits for the writer: bounded, in order, and answered whatever becomes of the writer.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, MutexGuard, PoisonError};
use std::time::Duration;

use crate::chat::log::{LogFault, LogId, LogReply};

use super::op::{Matter, Op, Waiting};

#[expect(
    clippy::disallowed_types,
    reason = "a queue between two threads, of which later facts replace earlier"
)]
type Mutex<T> = std::sync::Mutex<T>;

/// Appends that may wait or be under way; the next is refused as busy.
const APPENDS_MAX: usize = 8192;
/// Their weight together, in bytes, above which the next is refused as busy.
const WEIGHT_MAX: usize = 16 * 1024 * 1024;
/// Records of one batch.
const BATCH_RECORDS_MAX: usize = 512;
/// Their weight together, in bytes, after which a batch is closed.
const BATCH_WEIGHT: usize = 1024 * 1024;
/// What a batch may hold in all, facts and rooms included.
const BATCH_OPS_MAX: usize = 4096;

// A writer that is busy with one batch must find others waiting.
const _: () = assert!(APPENDS_MAX >= 4 * BATCH_RECORDS_MAX && WEIGHT_MAX >= 4 * BATCH_WEIGHT);

/// The way to the writer.
///
/// What waits is bounded: appends by number and weight, facts by what they are about (a later one takes the
/// place of one that waits), everything else by the rooms that come and go.
#[derive(Debug, Default)]
pub(super) struct Intake {
    state: Mutex<State>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Op>,
    /// The number of the first that waits; they are numbered as they come.
    first: u64,
    /// The fact that waits about each matter, if none of the appends behind it has one about the same.
    facts: BTreeMap<(LogId, Matter), u64>,
    /// Who waits for an answer to what the writer has taken.
    taken: Vec<Waiting>,
    /// Appends that wait or were taken, and their weight.
    appends: usize,
    weight: usize,
    end: Option<End>,
}

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Nothing more comes.
    Closed,
    /// The writer is dead: nobody takes anything.
    Dead,
}

/// What the writer is to do next.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) ops: Vec<Op>,
    /// Nothing waits and nothing more comes.
    pub(super) is_last: bool,
}

impl Intake {
    /// Hands over requests. What there is no room for is refused, and so is everything if the writer is dead.
    pub(super) fn push(&self, ops: impl Iterator<Item = Op>) -> Vec<LogReply> {
        let mut state = self.lock();
        let refused = ops.filter_map(|op| state.push(op)).collect();
        drop(state);
        self.bell.notify_one();
        refused
    }

    /// Takes the next batch; waits for one no longer than `patience`.
    pub(super) fn take(&self, patience: Option<Duration>) -> Taken {
        let mut state = self.lock();
        let idle = |state: &mut State| state.waiting.is_empty() && state.end.is_none();
        state = match patience {
            None => self.bell.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner),
            Some(patience) => {
                let waited = self.bell.wait_timeout_while(state, patience, idle);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        let ops = state.take();
        Taken { ops, is_last: state.waiting.is_empty() && state.end.is_some() }
    }

    /// What was taken is answered.
    pub(super) fn done(&self) {
        let mut state = self.lock();
        for who in std::mem::take(&mut state.taken) {
            if let Waiting::Append(_, weight) = who {
                state.appends -= 1;
                state.weight -= weight;
            }
        }
    }

    /// Nothing more comes.
    pub(super) fn close(&self) {
        self.lock().end.get_or_insert(End::Closed);
        self.bell.notify_one();
    }

    /// The writer is dead: the answers to all that was asked of it.
    pub(super) fn die(&self) -> Vec<LogReply> {
        let mut state = self.lock();
        state.end = Some(End::Dead);
        state.facts.clear();
        let waiting = std::mem::take(&mut state.waiting);
        let waiting: Vec<_> = waiting.iter().filter_map(Waiting::of).collect();
        let taken = std::mem::take(&mut state.taken).into_iter();
        taken.chain(waiting).map(|who| who.refused(LogFault::Broken)).collect()
    }

    /// How many appends wait or are under way.
    pub(super) fn appends(&self) -> usize {
        self.lock().appends
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes a request, or answers it with a refusal.
    fn push(&mut self, op: Op) -> Option<LogReply> {
        if self.end == Some(End::Dead) {
            return Waiting::of(&op).map(|who| who.refused(LogFault::Broken));
        }
        match &op {
            Op::Append(append) => {
                let weight = append.weight();
                if self.appends >= APPENDS_MAX || self.weight + weight > WEIGHT_MAX {
                    return Waiting::of(&op).map(|who| who.refused(LogFault::Busy));
                }
                self.appends += 1;
                self.weight += weight;
                for fact in &append.draft.facts {
                    self.facts.remove(&(append.log, Matter::of(fact)));
                }
            }
            Op::Keep(log, fact) => {
                let number = self.first + u64::try_from(self.waiting.len()).unwrap_or(u64::MAX);
                let number = *self.facts.entry((*log, Matter::of(fact))).or_insert(number);
                let place = usize::try_from(number - self.first).unwrap_or(usize::MAX);
                if let Some(earlier) = self.waiting.get_mut(place) {
                    *earlier = op;
                    return None;
                }
            }
            Op::Open(..) | Op::Sync(..) | Op::Drop(_) => {}
        }
        self.waiting.push_back(op);
        None
    }

    fn take(&mut self) -> Vec<Op> {
        let mut ops = Vec::new();
        let (mut records, mut bytes, mut level) = (0, 0, None);
        while ops.len() < BATCH_OPS_MAX && records < BATCH_RECORDS_MAX && bytes < BATCH_WEIGHT {
            let next = match self.waiting.front() {
                Some(Op::Append(append)) => Some((append.level, append.weight())),
                Some(_) => None,
                None => break,
            };
            if let Some((next, weight)) = next {
                if *level.get_or_insert(next) != next {
                    break;
                }
                records += 1;
                bytes += weight;
            }
            ops.extend(self.pop());
        }
        ops
    }

    fn pop(&mut self) -> Option<Op> {
        let op = self.waiting.pop_front()?;
        if let Op::Keep(log, fact) = &op {
            let matter = (*log, Matter::of(fact));
            if self.facts.get(&matter) == Some(&self.first) {
                self.facts.remove(&matter);
            }
        }
        self.first += 1;
        self.taken.extend(Waiting::of(&op));
        Some(op)
    }
}
