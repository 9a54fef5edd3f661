//! The queue of the writer: bounded, in order, and answered whatever becomes of the writer.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, MutexGuard, PoisonError};
use std::time::Duration;

use super::outbox::NOTICES_WAITING_MAX;
use super::write_op::{Op, Unanswered};
use crate::chat::model::log::{LogFault, LogId, LogReply, MetaKey};
use crate::metrics::StoreMetrics;

#[expect(
    clippy::disallowed_types,
    reason = "a queue between two threads, in which later metadata replaces earlier"
)]
type Mutex<T> = std::sync::Mutex<T>;

/// Appends that may be queued or under way; the next is refused as busy. At the rate of the writer
/// it is less than a second of work.
const APPENDS_MAX: usize = 8192;
/// Their weight together, in bytes, above which the next is refused as busy.
pub(super) const QUEUE_BYTES: usize = 16 * 1024 * 1024;
/// Records of one batch: they bound how long a commit takes, and with it everybody's answer.
pub(super) const BATCH_RECORDS_MAX: usize = 512;
/// Their weight together, in bytes, after which a batch is closed.
const BATCH_WEIGHT: usize = 1024 * 1024;
/// All requests of a batch, metadata and rooms included.
const BATCH_OPS_MAX: usize = 4096;

// A writer that has finished one batch must find the next ones waiting.
const _: () = assert!(APPENDS_MAX >= 4 * BATCH_RECORDS_MAX && QUEUE_BYTES >= 4 * BATCH_WEIGHT);
const _: () = assert!(BATCH_OPS_MAX > BATCH_RECORDS_MAX);

/// The queue between the loop's thread and the writer's.
///
/// It is bounded: appends by number and weight, metadata by its keys (later metadata replaces what
/// waits), everything else by the rooms that come and go.
#[derive(Debug, Default)]
pub(super) struct WriteQueue {
    state: Mutex<State>,
    condvar: Condvar,
    metrics: Arc<StoreMetrics>,
}

#[derive(Debug, Default)]
struct State {
    queued: VecDeque<Op>,
    /// The number of the first that is queued; they are numbered as they come.
    first: u64,
    /// The number of the queued metadata with each key, unless an append after it changes the same
    /// key.
    meta: BTreeMap<(LogId, MetaKey), u64>,
    /// What of the batch under way has to be answered.
    under_way: Vec<Unanswered>,
    /// Appends that are queued or under way, and their weight.
    appends: usize,
    weight: usize,
    /// Notices for webhooks that are queued, and those that were not since so many are.
    notices: usize,
    lost_notices: u64,
    bytes_max: BytesMax,
    end: Option<End>,
}

/// The most weight of appends that are queued or under way.
#[derive(Debug)]
struct BytesMax(usize);

impl Default for BytesMax {
    fn default() -> Self {
        Self(QUEUE_BYTES)
    }
}

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Nothing more comes.
    Closed,
    /// The writer is dead: nothing is taken.
    Dead,
}

/// What the writer is to do next.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) ops: Vec<Op>,
    /// Nothing is queued and nothing more comes.
    pub(super) is_last: bool,
}

/// How much is waited for before a batch is closed.
///
/// Whoever was answered by the last batch sends the next at the same moment as all others. On a
/// disk that takes long to sync, the first of them would be a batch alone, and all others would
/// wait for that one and then for theirs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Gathering {
    appends: usize,
    time: Duration,
}

impl Gathering {
    /// A commit that is shorter is not worth waiting.
    const COMMIT_MIN: Duration = Duration::from_millis(20);
    /// The part of a commit that may be waited, and the most of it.
    const PART: u32 = 50;
    const TIME_MAX: Duration = Duration::from_millis(10);

    /// What is waited for after a batch of so many appends whose commit took so long.
    pub(super) fn after(appends: usize, commit: Duration) -> Self {
        if commit < Self::COMMIT_MIN {
            return Self::default();
        }
        Self { appends, time: (commit / Self::PART).min(Self::TIME_MAX) }
    }
}

impl WriteQueue {
    /// An empty queue for at most so many bytes of records. `metrics` has how many appends are
    /// queued or under way.
    pub(super) fn new(metrics: Arc<StoreMetrics>, bytes_max: usize) -> Self {
        let state = State { bytes_max: BytesMax(bytes_max), ..State::default() };
        Self { state: Mutex::new(state), metrics, ..Self::default() }
    }

    /// Queues requests: the answers to those that do not fit, or to all if the writer is dead.
    /// While the disk `hangs` no append fits.
    pub(super) fn push(&self, ops: impl Iterator<Item = Op>, hangs: bool) -> Vec<LogReply> {
        let mut state = self.lock();
        let refused = ops.filter_map(|op| state.push(op, hangs)).collect();
        self.count(&state);
        drop(state);
        self.condvar.notify_one();
        refused
    }

    /// Takes the next batch; waits for one no longer than `timeout`.
    pub(super) fn take(&self, timeout: Duration, gathering: Gathering) -> Batch {
        let idle = |state: &mut State| state.queued.is_empty() && state.end.is_none();
        let waited = self.condvar.wait_timeout_while(self.lock(), timeout, idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        if !state.queued.is_empty() && !gathering.time.is_zero() {
            let few = |state: &mut State| state.appends < gathering.appends && state.end.is_none();
            let waited = self.condvar.wait_timeout_while(state, gathering.time, few);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        // All that has come is taken together: the more is waiting, the more share one sync.
        let ops = state.take();
        // Said once for all that were lost since the last batch, and outside of the push, which the
        // loop's thread makes.
        let lost = std::mem::take(&mut state.lost_notices);
        if lost > 0 {
            log::error!(lost; "webhooks are not told of joins, leaves and connections: the disk is too slow");
        }
        Batch { ops, is_last: state.queued.is_empty() && state.end.is_some() }
    }

    /// The batches that were taken are answered.
    pub(super) fn finish(&self) {
        let mut state = self.lock();
        for answered in std::mem::take(&mut state.under_way) {
            if let Unanswered::Append(_, weight) = answered {
                state.appends -= 1;
                state.weight -= weight;
            }
        }
        self.count(&state);
    }

    /// Nothing more comes.
    pub(super) fn close(&self) {
        self.lock().end.get_or_insert(End::Closed);
        self.condvar.notify_one();
    }

    /// The writer is dead: the answers to everything that was asked of it.
    pub(super) fn die(&self) -> Vec<LogReply> {
        let mut state = self.lock();
        state.end = Some(End::Dead);
        state.meta.clear();
        (state.appends, state.weight) = (0, 0);
        self.count(&state);
        let queued = std::mem::take(&mut state.queued);
        let under_way = std::mem::take(&mut state.under_way).into_iter();
        let unanswered = under_way.chain(queued.iter().filter_map(Unanswered::of));
        unanswered.map(|unanswered| unanswered.refused(LogFault::Broken)).collect()
    }

    fn count(&self, state: &State) {
        self.metrics.intake.set(u64::try_from(state.appends).unwrap_or(u64::MAX));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held, so that a poisoned one is sound.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Queues a request, or answers it with a refusal.
    fn push(&mut self, op: Op, hangs: bool) -> Option<LogReply> {
        if self.end == Some(End::Dead) {
            return Unanswered::of(&op).map(|unanswered| unanswered.refused(LogFault::Broken));
        }
        match &op {
            Op::Append(append) => {
                let weight = append.weight();
                // Refused and not dropped: each append is answered, and its sender tries again.
                if hangs || self.appends >= APPENDS_MAX || self.weight + weight > self.bytes_max.0 {
                    return Unanswered::of(&op)
                        .map(|unanswered| unanswered.refused(LogFault::Busy));
                }
                self.appends += 1;
                self.weight += weight;
                // Later metadata must not overtake what this record brings.
                for meta in &append.draft.meta {
                    self.meta.remove(&(append.log, MetaKey::of(meta)));
                }
            }
            Op::PutMeta(log, meta) => {
                // Numbers and not places: the places move whenever a batch is taken.
                let number = self.first + u64::try_from(self.queued.len()).unwrap_or(u64::MAX);
                // In the place of the earlier one: a member whose marks move a hundred times within
                // a batch is written once.
                let number = *self.meta.entry((*log, MetaKey::of(meta))).or_insert(number);
                let place = usize::try_from(number - self.first).unwrap_or(usize::MAX);
                if let Some(earlier) = self.queued.get_mut(place) {
                    *earlier = op;
                    return None;
                }
            }
            // Those who come and go while the disk hangs are more than can be told of.
            Op::Notice(_) if self.notices >= NOTICES_WAITING_MAX => {
                self.lost_notices += 1;
                return None;
            }
            Op::Notice(_) => self.notices += 1,
            // Each connection waits for one change of people at most, and the thread of files
            // for one of its own.
            Op::Open(..)
            | Op::Sync(..)
            | Op::Drop(_)
            | Op::Close(_)
            | Op::People(..)
            | Op::File(..)
            | Op::Outbox(_) => {}
        }
        self.queued.push_back(op);
        None
    }

    /// The next batch: appends of one level, since a commit has only one.
    fn take(&mut self) -> Vec<Op> {
        let mut ops = Vec::new();
        let (mut records, mut bytes, mut level) = (0, 0, None);
        while ops.len() < BATCH_OPS_MAX && records < BATCH_RECORDS_MAX && bytes < BATCH_WEIGHT {
            let next = match self.queued.front() {
                Some(Op::Append(append)) => Some((append.level, append.weight())),
                Some(_) => None,
                None => break,
            };
            if let Some((next, weight)) = next {
                // The first of another level ends the batch; it begins the next one, so that the
                // order of the queue holds.
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
        let op = self.queued.pop_front()?;
        if let Op::PutMeta(log, meta) = &op {
            let key = (*log, MetaKey::of(meta));
            // Unless a record took the key out: then the number is that of later metadata, which
            // still waits.
            if self.meta.get(&key) == Some(&self.first) {
                self.meta.remove(&key);
            }
        }
        if matches!(op, Op::Notice(_)) {
            self.notices -= 1;
        }
        self.first += 1;
        // From here on the writer has it, and only this says who is to be answered if its thread
        // dies.
        self.under_way.extend(Unanswered::of(&op));
        Some(op)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::model::log::{Appended, Draft, RoomMeta, Ticket};
    use crate::store::sqlite::connection::Level;
    use crate::store::sqlite::testing::{message, user};
    use crate::store::sqlite::write_op::Append;

    const LOG: u64 = 1;

    fn append(ticket: usize, level: Level, weight: u32, meta: Vec<RoomMeta>) -> Op {
        let draft = Draft { meta, ..Draft::new(user("ann"), message("x"), weight) };
        let (log, ticket) = (LogId::new(1, LOG), Ticket(u64::try_from(ticket).unwrap()));
        Op::Append(Append { log, ticket, level, wall_ms: 0, draft })
    }

    fn push(queue: &WriteQueue, ops: impl Iterator<Item = Op>) -> Vec<LogReply> {
        queue.push(ops, false)
    }

    fn topic(text: &str) -> RoomMeta {
        RoomMeta::Topic(text.into(), None)
    }

    fn put_meta(text: &str) -> Op {
        Op::PutMeta(LogId::new(1, LOG), topic(text))
    }

    /// What is taken next, in short.
    #[test]
    fn after_a_slow_batch_those_who_were_answered_share_the_next_one() {
        let queue = WriteQueue::default();
        let wanted = |count| Gathering { appends: count, time: PATIENCE };
        queue.push([append(1, Level::Disk, 1, vec![])].into_iter(), false);
        assert_eq!(
            queue.take(Duration::ZERO, wanted(1)).ops.len(),
            1,
            "one alone waits for nobody"
        );
        queue.finish();
        queue.push([append(2, Level::Disk, 1, vec![])].into_iter(), false);
        std::thread::scope(|scope| {
            let taken = scope.spawn(|| queue.take(Duration::ZERO, wanted(3)).ops.len());
            queue.push(
                [3, 4].map(|ticket| append(ticket, Level::Disk, 1, vec![])).into_iter(),
                false,
            );
            assert_eq!(taken.join().unwrap(), 3);
        });
        let millis = Duration::from_millis;
        assert_eq!(Gathering::after(9, millis(19)), Gathering::default());
        assert_eq!(Gathering::after(9, millis(100)), Gathering { appends: 9, time: millis(2) });
        assert_eq!(Gathering::after(9, millis(5_000)).time, Gathering::TIME_MAX);
    }

    /// How long a test waits for what must come.
    const PATIENCE: Duration = Duration::from_secs(20);

    fn take(queue: &WriteQueue) -> String {
        let Batch { ops, .. } = queue.take(Duration::ZERO, Gathering::default());
        let short = |op: &Op| match op {
            Op::Append(append) => append.ticket.0.to_string(),
            Op::PutMeta(_, RoomMeta::Topic(text, _)) => text.to_string(),
            other => format!("{other:?}"),
        };
        ops.iter().map(short).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_batch_is_of_one_level() {
        let queue = WriteQueue::default();
        let levels = [Level::Disk, Level::Disk, Level::Os, Level::Disk];
        let ops =
            levels.into_iter().zip(1..).map(|(level, ticket)| append(ticket, level, 1, vec![]));
        assert_eq!(push(&queue, ops.chain([put_meta("a")])), []);
        assert_eq!([(); 4].map(|()| take(&queue)), ["1 2", "3", "4 a", ""]);
    }

    #[test]
    fn a_batch_is_closed_by_its_records_or_its_weight() {
        let queue = WriteQueue::default();
        push(&queue, (0..600).map(|ticket| append(ticket, Level::Disk, 1, vec![])));
        assert_eq!(queue.take(Duration::ZERO, Gathering::default()).ops.len(), BATCH_RECORDS_MAX);
        assert_eq!(
            queue.take(Duration::ZERO, Gathering::default()).ops.len(),
            600 - BATCH_RECORDS_MAX
        );
        push(&queue, (0..5).map(|ticket| append(ticket, Level::Disk, 400_000, vec![])));
        assert_eq!(take(&queue), "0 1 2");
    }

    #[test]
    fn metadata_replaces_earlier_unless_a_record_between_them_changes_the_same() {
        let queue = WriteQueue::default();
        let plain = || append(1, Level::Disk, 1, vec![]);
        let changing = || append(2, Level::Disk, 1, vec![topic("x")]);
        for (ops, expect) in [
            (vec![put_meta("a"), put_meta("b")], "b"),
            (vec![put_meta("a"), plain(), put_meta("b")], "b 1"),
            (vec![put_meta("a"), changing(), put_meta("b"), put_meta("c")], "a 2 c"),
            (vec![changing(), put_meta("b")], "2 b"),
        ] {
            push(&queue, ops.into_iter());
            assert_eq!(take(&queue), expect);
            // What was taken is not replaced.
            push(&queue, [put_meta("z")].into_iter());
            assert_eq!(take(&queue), "z");
            queue.finish();
        }
    }

    #[test]
    fn too_many_appends_are_refused_and_metadata_never_is() {
        for (appends, weight) in [(APPENDS_MAX, 1), (16, 1 << 20)] {
            let queue = WriteQueue::default();
            let append = |ticket| append(ticket, Level::Disk, weight, vec![]);
            assert_eq!(push(&queue, (0..appends).map(append)), []);
            let outcome = Appended::Refused(LogFault::Busy);
            let busy = LogReply::Appended { ticket: Ticket(7), outcome };
            assert_eq!(
                push(&queue, [append(7), put_meta("a")].into_iter()),
                std::slice::from_ref(&busy)
            );
            // What was taken counts until it is answered.
            while !queue.take(Duration::ZERO, Gathering::default()).ops.is_empty() {}
            assert_eq!(push(&queue, [append(7)].into_iter()), [busy]);
            queue.finish();
            assert_eq!(push(&queue, [append(7)].into_iter()), []);
        }
    }

    #[test]
    fn while_the_disk_hangs_appends_are_refused_and_metadata_is_not() {
        let queue = WriteQueue::default();
        let outcome = Appended::Refused(LogFault::Busy);
        let busy = LogReply::Appended { ticket: Ticket(1), outcome };
        let ops = [append(1, Level::Disk, 1, vec![]), put_meta("a")];
        assert_eq!(queue.push(ops.into_iter(), true), [busy]);
        assert_eq!(take(&queue), "a");
    }

    #[test]
    fn the_metric_counts_appends_that_wait_or_are_under_way() {
        let metrics = Arc::new(StoreMetrics::default());
        let queue = WriteQueue::new(Arc::clone(&metrics), QUEUE_BYTES);
        let push = |tickets: std::ops::Range<usize>| {
            let appends = tickets.map(|ticket| append(ticket, Level::Disk, 1, vec![]));
            assert_eq!(push(&queue, appends.chain([put_meta("a")])), []);
        };
        push(0..3);
        assert_eq!(metrics.intake.value(), 3);
        assert_eq!(take(&queue), "0 1 2 a");
        push(3..5);
        assert_eq!(metrics.intake.value(), 5, "a batch under way still counts");
        queue.finish();
        assert_eq!(metrics.intake.value(), 2);
        take(&queue);
        queue.finish();
        assert_eq!(metrics.intake.value(), 0);
        push(5..6);
        queue.die();
        assert_eq!(metrics.intake.value(), 0, "a dead writer has no queue");
    }

    #[test]
    fn when_the_writer_dies_everything_is_answered_then_and_later() {
        let queue = WriteQueue::default();
        let ops = [append(1, Level::Disk, 1, vec![]), append(2, Level::Os, 1, vec![])];
        push(&queue, ops.into_iter().chain([Op::Sync(Ticket(3), Level::Os)]));
        assert_eq!(take(&queue), "1");
        let outcome = Appended::Refused(LogFault::Broken);
        let dead = |ticket| LogReply::Appended { ticket: Ticket(ticket), outcome: outcome.clone() };
        let sync = LogReply::Synced { ticket: Ticket(3), outcome: Err(LogFault::Broken) };
        assert_eq!(queue.die(), [dead(1), dead(2), sync]);
        assert_eq!(push(&queue, [append(4, Level::Disk, 1, vec![])].into_iter()), [dead(4)]);
        assert!(queue.take(Duration::from_mins(1), Gathering::default()).is_last);
    }
}
