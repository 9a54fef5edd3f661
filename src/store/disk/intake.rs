//! What waits for the writer: bounded, in order, and answered whatever becomes of the writer.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, MutexGuard, PoisonError};
use std::time::Duration;

use crate::chat::model::log::{LogFault, LogId, LogReply};

use super::op::{Matter, Op, Waiting};
use crate::metrics::StoreMetrics;

#[expect(
    clippy::disallowed_types,
    reason = "a queue between two threads, of which later meta replace earlier"
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
    metrics: Arc<StoreMetrics>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Op>,
    /// The number of the first that waits; they are numbered as they come.
    first: u64,
    /// The fact that waits about each matter, if none of the appends behind it has one about the same.
    meta: BTreeMap<(LogId, Matter), u64>,
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
    /// Nothing waits. How many appends do is told to `metrics`.
    pub(super) fn new(metrics: Arc<StoreMetrics>) -> Self {
        Self { metrics, ..Self::default() }
    }

    /// Hands over requests. What there is no room for is refused, and so is everything if the writer is dead.
    pub(super) fn push(&self, ops: impl Iterator<Item = Op>) -> Vec<LogReply> {
        let mut state = self.lock();
        let refused = ops.filter_map(|op| state.push(op)).collect();
        self.count(&state);
        drop(state);
        self.bell.notify_one();
        refused
    }

    /// Takes the next batch; waits for one no longer than `patience`.
    pub(super) fn take(&self, patience: Duration) -> Taken {
        let idle = |state: &mut State| state.waiting.is_empty() && state.end.is_none();
        let waited = self.bell.wait_timeout_while(self.lock(), patience, idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
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
        self.count(&state);
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
        state.meta.clear();
        (state.appends, state.weight) = (0, 0);
        self.count(&state);
        let waiting = std::mem::take(&mut state.waiting);
        let waiting: Vec<_> = waiting.iter().filter_map(Waiting::of).collect();
        let taken = std::mem::take(&mut state.taken).into_iter();
        taken.chain(waiting).map(|who| who.refused(LogFault::Broken)).collect()
    }

    /// Tells how many appends wait or are under way.
    fn count(&self, state: &State) {
        self.metrics.intake.set(u64::try_from(state.appends).unwrap_or(u64::MAX));
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
                for meta in &append.draft.meta {
                    self.meta.remove(&(append.log, Matter::of(meta)));
                }
            }
            Op::PutMeta(log, meta) => {
                let number = self.first + u64::try_from(self.waiting.len()).unwrap_or(u64::MAX);
                let number = *self.meta.entry((*log, Matter::of(meta))).or_insert(number);
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
        if let Op::PutMeta(log, meta) = &op {
            let matter = (*log, Matter::of(meta));
            if self.meta.get(&matter) == Some(&self.first) {
                self.meta.remove(&matter);
            }
        }
        self.first += 1;
        self.taken.extend(Waiting::of(&op));
        Some(op)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::model::log::{Appended, Draft, RoomMeta, Ticket};
    use crate::store::disk::database::Level;
    use crate::store::disk::op::Append;
    use crate::store::disk::testing::{message, user};

    const LOG: u64 = 1;

    fn append(ticket: usize, level: Level, weight: u32, meta: Vec<RoomMeta>) -> Op {
        let draft = Draft { from: user("ann"), body: message("x"), weight, touch: None, meta };
        let (log, ticket) = (LogId::new(1, LOG), Ticket(u64::try_from(ticket).unwrap()));
        Op::Append(Append { log, ticket, level, wall_ms: 0, draft })
    }

    fn topic(text: &str) -> RoomMeta {
        RoomMeta::Topic(text.into())
    }

    fn keep(text: &str) -> Op {
        Op::PutMeta(LogId::new(1, LOG), topic(text))
    }

    /// What is taken next, in short.
    fn take(intake: &Intake) -> String {
        let Taken { ops, .. } = intake.take(Duration::ZERO);
        let short = |op: &Op| match op {
            Op::Append(append) => append.ticket.0.to_string(),
            Op::PutMeta(_, RoomMeta::Topic(text)) => text.to_string(),
            other => format!("{other:?}"),
        };
        ops.iter().map(short).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_batch_is_of_one_level() {
        let intake = Intake::default();
        let levels = [Level::Disk, Level::Disk, Level::Os, Level::Disk];
        let ops =
            levels.into_iter().zip(1..).map(|(level, ticket)| append(ticket, level, 1, vec![]));
        assert_eq!(intake.push(ops.chain([keep("a")])), []);
        assert_eq!([(); 4].map(|()| take(&intake)), ["1 2", "3", "4 a", ""]);
    }

    #[test]
    fn a_batch_is_closed_by_its_records_or_its_weight() {
        let intake = Intake::default();
        intake.push((0..600).map(|ticket| append(ticket, Level::Disk, 1, vec![])));
        assert_eq!(intake.take(Duration::ZERO).ops.len(), BATCH_RECORDS_MAX);
        assert_eq!(intake.take(Duration::ZERO).ops.len(), 600 - BATCH_RECORDS_MAX);
        intake.push((0..5).map(|ticket| append(ticket, Level::Disk, 400_000, vec![])));
        assert_eq!(take(&intake), "0 1 2");
    }

    #[test]
    fn a_fact_takes_the_place_of_an_earlier_one_unless_a_record_lies_between_that_changes_the_same()
    {
        let intake = Intake::default();
        let plain = || append(1, Level::Disk, 1, vec![]);
        let changing = || append(2, Level::Disk, 1, vec![topic("x")]);
        for (ops, expect) in [
            (vec![keep("a"), keep("b")], "b"),
            (vec![keep("a"), plain(), keep("b")], "b 1"),
            (vec![keep("a"), changing(), keep("b"), keep("c")], "a 2 c"),
            (vec![changing(), keep("b")], "2 b"),
        ] {
            intake.push(ops.into_iter());
            assert_eq!(take(&intake), expect);
            // What was taken is not replaced.
            intake.push([keep("z")].into_iter());
            assert_eq!(take(&intake), "z");
            intake.done();
        }
    }

    #[test]
    fn what_is_too_much_is_refused_and_facts_never_are() {
        for (appends, weight) in [(APPENDS_MAX, 1), (16, 1 << 20)] {
            let intake = Intake::default();
            let append = |ticket| append(ticket, Level::Disk, weight, vec![]);
            assert_eq!(intake.push((0..appends).map(append)), []);
            let outcome = Appended::Refused(LogFault::Busy);
            let busy = LogReply::Appended { ticket: Ticket(7), outcome };
            assert_eq!(
                intake.push([append(7), keep("a")].into_iter()),
                std::slice::from_ref(&busy)
            );
            // What was taken counts until it is answered.
            while !intake.take(Duration::ZERO).ops.is_empty() {}
            assert_eq!(intake.push([append(7)].into_iter()), [busy]);
            intake.done();
            assert_eq!(intake.push([append(7)].into_iter()), []);
        }
    }

    #[test]
    fn how_many_appends_wait_or_are_under_way_is_told_also_when_none_are() {
        let metrics = Arc::new(StoreMetrics::default());
        let intake = Intake::new(Arc::clone(&metrics));
        let push = |tickets: std::ops::Range<usize>| {
            let appends = tickets.map(|ticket| append(ticket, Level::Disk, 1, vec![]));
            assert_eq!(intake.push(appends.chain([keep("a")])), []);
        };
        push(0..3);
        assert_eq!(metrics.intake.value(), 3);
        assert_eq!(take(&intake), "0 1 2 a");
        push(3..5);
        assert_eq!(metrics.intake.value(), 5, "what was taken is under way");
        intake.done();
        assert_eq!(metrics.intake.value(), 2);
        take(&intake);
        intake.done();
        assert_eq!(metrics.intake.value(), 0);
        push(5..6);
        intake.die();
        assert_eq!(metrics.intake.value(), 0, "nobody waits for the dead");
    }

    #[test]
    fn when_the_writer_dies_everything_is_answered_then_and_later() {
        let intake = Intake::default();
        let ops = [append(1, Level::Disk, 1, vec![]), append(2, Level::Os, 1, vec![])];
        intake.push(ops.into_iter().chain([Op::Sync(Ticket(3), Level::Os)]));
        assert_eq!(take(&intake), "1");
        let outcome = Appended::Refused(LogFault::Broken);
        let dead = |ticket| LogReply::Appended { ticket: Ticket(ticket), outcome: outcome.clone() };
        let sync = LogReply::Synced { ticket: Ticket(3), outcome: Err(LogFault::Broken) };
        assert_eq!(intake.die(), [dead(1), dead(2), sync]);
        assert_eq!(intake.push([append(4, Level::Disk, 1, vec![])].into_iter()), [dead(4)]);
        assert!(intake.take(Duration::from_mins(1)).is_last);
    }
}
