//! What waits to be written, in order.
//!
//! ```text
//!  repeats ─ sent once, nobody knows what became of it ─┐
//!  waiting ─ not sent yet ──────────────────────────────┴─▶ next
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::append::Append;
use super::outbox_entries::Seen;
use super::rows::FactKey;
use super::session_ops::SessionOp;
use crate::chat::model::log::{Farewell, LogId, RoomMeta, Ticket};
use crate::chat::model::people::PeopleChange;
use crate::chat::model::thread::ThreadMark;
use crate::time::Tick;

/// Drafts that may wait; more are refused.
pub(super) const DRAFTS_MAX: usize = 4_096;
/// Bytes that they may take together.
pub(super) const BYTES_MAX: usize = 8 << 20;
/// How long each may wait.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(5);
/// Facts that may wait; more are refused, and said in the log.
pub(super) const FACTS_MAX: usize = 65_536;

/// What was seen that is entered by one statement.
const SEEN_MAX: usize = 512;

/// Facts about one log: each with the version of the rights that was known, by what it is about.
pub(super) type FactsOf = BTreeMap<FactKey, (RoomMeta, i64)>;

/// A room that is to end.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) log: LogId,
    pub(super) ticket: Ticket,
    pub(super) farewell: Farewell,
    /// Of which life of the log it is.
    pub(super) era: u32,
    /// Up to which version the rights were known when it was asked for.
    pub(super) version: i64,
    /// Since when it waits.
    pub(super) since: Tick,
}

/// Something to be written.
#[derive(Debug)]
pub(super) enum Op {
    /// The row of a room is found, or made.
    Open(LogId),
    /// A draft.
    Append(Box<Append>),
    /// Facts of one life of a log.
    Facts(LogId, u32, FactsOf),
    /// All before is written.
    Sync(LogId, u32, Ticket),
    /// A room is no more.
    Drop(LogId),
    /// A room ends for all who are in it.
    End(Box<Ending>),
    /// People change.
    People(Ticket, Vec<PeopleChange>),
    /// What a user wants of a thread.
    Mark(Ticket, Box<ThreadMark>),
    /// Something about a session.
    Session(Box<SessionOp>),
    /// What webhooks are told, and is in no log.
    Seen(Vec<Seen>),
}

impl Op {
    /// Since when somebody waits for it, for as long as [`WAIT_MAX`].
    pub(super) fn since(&self) -> Option<Tick> {
        match self {
            Self::Append(append) => Some(append.since),
            Self::End(ending) => Some(ending.since),
            Self::Session(op) => match **op {
                SessionOp::Claim { since, .. } => Some(since),
                SessionOp::Change(_) | SessionOp::Told(..) => None,
            },
            Self::Open(_)
            | Self::Facts(..)
            | Self::Sync(..)
            | Self::Drop(_)
            | Self::People(..)
            | Self::Mark(..)
            | Self::Seen(_) => None,
        }
    }

    /// What it counts for: drafts and their bytes, facts, and what is about sessions.
    fn counts(&self) -> (usize, usize, usize, usize) {
        match self {
            Self::Append(append) => (1, append.bytes(), 0, 0),
            Self::Facts(_, _, facts) => (0, 0, facts.len(), 0),
            Self::Session(_) => (0, 0, 0, 1),
            Self::Open(_)
            | Self::Sync(..)
            | Self::Drop(_)
            | Self::End(_)
            | Self::People(..)
            | Self::Mark(..)
            | Self::Seen(_) => (0, 0, 0, 0),
        }
    }

    /// Whether it is a session that is to begin.
    pub(super) fn is_claim(&self) -> bool {
        matches!(self, Self::Session(op) if matches!(**op, SessionOp::Claim { .. }))
    }
}

/// The queue.
///
/// Invariant: `drafts` and `bytes` are those of all drafts in it, `facts` all facts, `sessions`
/// what is about sessions.
#[derive(Debug, Default)]
pub(super) struct Queue {
    repeats: VecDeque<Op>,
    waiting: VecDeque<Op>,
    drafts: usize,
    bytes: usize,
    facts: usize,
    sessions: usize,
}

impl Queue {
    /// Puts something behind all others.
    pub(super) fn push(&mut self, op: Op) {
        self.count(&op);
        self.waiting.push_back(op);
    }

    /// Puts back what was taken out last.
    pub(super) fn put_back(&mut self, op: Op) {
        self.count(&op);
        self.repeats.push_front(op);
    }

    /// Puts something that was sent behind what was sent before it.
    pub(super) fn repeat(&mut self, op: Op) {
        self.count(&op);
        self.repeats.push_back(op);
    }

    /// Whether one more draft of so many bytes may wait.
    pub(super) const fn has_room(&self, bytes: usize) -> bool {
        self.drafts < DRAFTS_MAX && self.bytes + bytes <= BYTES_MAX
    }

    /// How much waits that is about sessions.
    pub(super) const fn sessions(&self) -> usize {
        self.sessions
    }

    /// Adds a fact; if what stands at the end are facts of the same log, to these, in place of one
    /// about the same: whether it is one more; `None` if too many wait.
    pub(super) fn push_fact(
        &mut self,
        (log, era): (LogId, u32),
        fact: (RoomMeta, i64),
    ) -> Option<bool> {
        let key = FactKey::of(&fact.0);
        let is_full = self.facts >= FACTS_MAX;
        if let Some(Op::Facts(of, its, facts)) = self.waiting.back_mut()
            && (*of, *its) == (log, era)
        {
            let is_new = !facts.contains_key(&key);
            // In the place of another it takes none: the latest about the same always fits.
            if is_new && is_full {
                return None;
            }
            facts.insert(key, fact);
            self.facts += usize::from(is_new);
            return Some(is_new);
        }
        if is_full {
            return None;
        }
        self.push(Op::Facts(log, era, BTreeMap::from([(key, fact)])));
        Some(true)
    }

    /// Adds what was seen, to what stands at the end if that was seen, too.
    pub(super) fn push_seen(&mut self, seen: Seen) {
        if let Some(Op::Seen(all)) = self.waiting.back_mut()
            && all.len() < SEEN_MAX
        {
            return all.push(seen);
        }
        self.push(Op::Seen(vec![seen]));
    }

    /// The next one, without taking it out.
    pub(super) fn peek(&self) -> Option<&Op> {
        self.repeats.front().or_else(|| self.waiting.front())
    }

    /// Takes out the next one.
    pub(super) fn pop(&mut self) -> Option<Op> {
        let op = self.repeats.pop_front().or_else(|| self.waiting.pop_front())?;
        let (drafts, bytes, facts, sessions) = op.counts();
        self.drafts -= drafts;
        self.bytes -= bytes;
        self.facts -= facts;
        self.sessions -= sessions;
        Some(op)
    }

    /// Since when the first draft or claim waits.
    pub(super) fn oldest(&self) -> Option<Tick> {
        self.repeats.iter().chain(&self.waiting).find_map(Op::since)
    }

    /// Takes out those of which `is_over` says so.
    pub(super) fn take(&mut self, is_over: impl Fn(&Op) -> bool) -> Vec<Op> {
        let mut taken = Vec::new();
        let mut kept = Self::default();
        // Counted before: what is kept of the repeats stays before all others.
        let is_repeat = self.repeats.len();
        for nth in 0.. {
            let Some(op) = self.pop() else { break };
            if is_over(&op) {
                taken.push(op);
            } else if nth < is_repeat {
                kept.repeat(op);
            } else {
                kept.push(op);
            }
        }
        *self = kept;
        taken
    }

    fn count(&mut self, op: &Op) {
        let (drafts, bytes, facts, sessions) = op.counts();
        self.drafts += drafts;
        self.bytes += bytes;
        self.facts += facts;
        self.sessions += sessions;
    }
}
