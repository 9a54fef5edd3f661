//! The thread that writes: it owns the file, its lock and the [`Engine`], and does what is due by
//! the clock.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError::Disconnected;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use super::data_dir::file_len;
use super::engine::Engine;
use super::full_check::{CheckOutcome, FullCheck};
use super::reply_channel::ReplySender;
use super::write_op::Op;
use super::write_queue::{Batch, Gathering, WriteQueue};
use crate::chat::model::log::{Appended, LogFault, LogReply};
use crate::metrics::StoreMetrics;
use crate::time::Tick;
use crate::time::clock::{Clock, Now};

/// How long metadata without a record waits for more of its kind.
const META_DELAY: Duration = Duration::from_millis(100);
/// How long a power loss may cost rooms of level `os` their records.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// How often the writer looks whether a command has changed something: it waits for that, and an
/// operator for the command.
const COMMANDS_EVERY: Duration = Duration::from_millis(100);
/// The same while the loop handles a change.
const CONFIRM_EVERY: Duration = Duration::from_millis(5);
/// From a batch to the next measurement of the files' lengths.
const MEASURE_EVERY: Duration = Duration::from_secs(5);
/// How often the writer asks whether the check of the whole file has ended.
const CHECK_POLL: Duration = Duration::from_millis(250);
/// Without a batch for so long, maintenance goes on without pauses.
const CALM: Duration = Duration::from_millis(20);
/// While batches come, each step of maintenance is followed by a pause of so many times its length,
/// so that it takes a twentieth of the time ...
const STEP_PAUSE: u64 = 19;
/// ... and of no less than so many microseconds, so that the next step finds some work.
const STEP_PAUSE_MIN: u64 = 10_000;

/// The thread, as its owner sees it. It ends when the queue is closed.
#[derive(Debug)]
pub(super) struct WriterHandle {
    ended: Receiver<()>,
}

impl WriterHandle {
    /// Starts the thread.
    pub(super) fn start(
        engine: Engine,
        (queue, replies): (Arc<WriteQueue>, ReplySender),
        (clock, metrics): (Clock, Arc<StoreMetrics>),
    ) -> io::Result<Self> {
        // A thread cannot be joined with a timeout; the end of a channel can be waited for.
        let (end, ended) = sync_channel(0);
        let guard = PanicGuard {
            queue: Arc::clone(&queue),
            replies: replies.clone(),
            metrics: Arc::clone(&metrics),
            // One that could not be started has not died.
            is_finished: true,
        };
        let writer = Writer {
            engine,
            queue,
            replies,
            clock,
            metrics,
            meta_due: Tick::MAX,
            sync_due: Tick::MAX,
            measure_due: Tick::ZERO,
            commands_due: Tick::ZERO,
            step_due: Some(0),
            batch_at: Tick::ZERO,
            gathering: Gathering::default(),
            check: None,
            _end: end,
        };
        writer.tell([]);
        thread::Builder::new().name("store".to_owned()).spawn(move || {
            let mut guard = guard;
            guard.is_finished = false;
            writer.run();
            guard.is_finished = true;
        })?;
        Ok(Self { ended })
    }

    /// Waits for the thread's end, for no longer than `timeout`: whether it came.
    pub(super) fn wait(&self, timeout: Duration) -> bool {
        // Nothing is ever sent: the other end is dropped with the thread.
        self.ended.recv_timeout(timeout) == Err(Disconnected)
    }
}

/// Answers everything that was asked if the thread panics.
struct PanicGuard {
    queue: Arc<WriteQueue>,
    replies: ReplySender,
    metrics: Arc<StoreMetrics>,
    is_finished: bool,
}

impl Drop for PanicGuard {
    fn drop(&mut self) {
        let refused = self.queue.die();
        if self.is_finished {
            return;
        }
        log::error!(
            "the thread that writes the store has died: nothing is stored until the server is restarted"
        );
        self.metrics.trouble.set(1);
        self.replies.send_all(refused.into_iter().chain([LogReply::Health(Err(LogFault::Broken))]));
    }
}

struct Writer {
    engine: Engine,
    queue: Arc<WriteQueue>,
    replies: ReplySender,
    clock: Clock,
    metrics: Arc<StoreMetrics>,
    /// When unwritten metadata is written without a record.
    meta_due: Tick,
    /// When commits that were not synced are.
    sync_due: Tick,
    measure_due: Tick,
    /// When to look whether a command has changed something.
    commands_due: Tick,
    /// When the next step of maintenance may be done, in microseconds; `None` if nothing is left to
    /// do.
    step_due: Option<u64>,
    /// When the last batch came.
    batch_at: Tick,
    /// What the next batch waits for.
    gathering: Gathering,
    /// The check of the whole file, while it lasts.
    check: Option<FullCheck>,
    /// Tells the handle of the thread's end by being dropped.
    _end: SyncSender<()>,
}

impl Writer {
    fn run(mut self) {
        loop {
            let Batch { ops, is_last } = self.queue.take(self.timeout(), self.gathering);
            // First: what is asked for now goes by the clock as it is now.
            let replies = self.engine.look_at_clock(self.clock.now());
            self.tell(replies);
            if ops.iter().any(Op::is_awaited) {
                self.commit(ops);
            } else if !ops.is_empty() {
                // Nobody waits for metadata: it is written with the next record, or when it is due.
                self.engine.queue_meta(ops);
                // A room that was opened may have more than is to be kept.
                self.step_due.get_or_insert(0);
            }
            self.run_timers();
            self.step();
            let replies = self.engine.poll_shifted();
            self.tell(replies);
            if is_last {
                break;
            }
        }
        // It reads by a connection of its own, which would keep the file open beyond the end.
        self.stop_check();
        self.engine.close(self.clock.now());
    }

    /// How long there is nothing to do unless a request comes.
    fn timeout(&self) -> Duration {
        // Everything that is done by the clock has its moment here: what is left out would wait for
        // the next message.
        let due = self.meta_due.min(self.sync_due).min(self.measure_due).min(self.check_due());
        let due = due.min(self.engine.probe_at().unwrap_or(Tick::MAX)).min(self.commands_due);
        let now = self.clock.now().tick;
        match self.step_due {
            _ if self.engine.is_suspended() => due.since(now),
            None => due.min(self.engine.round_at()).since(now),
            Some(at) => {
                let step = Duration::from_micros(at.saturating_sub(self.clock.micros()));
                due.since(now).min(step)
            }
        }
    }

    /// Does a step of maintenance, if it is due.
    fn step(&mut self) {
        let (now, began) = (self.clock.now(), self.clock.micros());
        let is_due = match self.step_due {
            Some(at) => at <= began,
            None => self.engine.round_at() <= now.tick,
        };
        if !is_due || self.engine.is_suspended() {
            return;
        }
        // Senders in a burst are milliseconds apart: a pause of twenty is the end of it.
        // Decided for each step anew: a burst may begin at any moment.
        let is_calm = now.tick.since(self.batch_at) >= CALM;
        let step = self.engine.step(now, is_calm);
        self.metrics.pruned.add(step.pruned);
        self.tell(step.replies);
        let ended = self.clock.micros();
        // In proportion to the step: on a slow disk, where steps are long, senders get the same
        // share.
        let pause = (STEP_PAUSE * ended.saturating_sub(began)).max(STEP_PAUSE_MIN);
        let pause = if is_calm { 0 } else { pause };
        self.step_due = step.has_more.then_some(ended.saturating_add(pause));
    }

    fn commit(&mut self, ops: Vec<Op>) {
        let began = self.clock.micros();
        let now = self.clock.now();
        self.metrics.begin_batch(now.tick.as_millis());
        // All that waits for the disk happens in here; the metrics say since when, so that a disk
        // that hangs is noticed from outside.
        let replies = self.engine.commit(now, ops);
        self.metrics.end_batch();
        let micros = self.clock.micros().saturating_sub(began);
        self.gathering = Gathering::after(replies.len(), Duration::from_micros(micros));
        let (mut stored, mut refused) = (0, 0);
        for reply in &replies {
            if let LogReply::Appended { outcome, .. } = reply {
                stored += u64::from(matches!(outcome, Appended::Stored(_)));
                refused += u64::from(matches!(outcome, Appended::Refused(_)));
            }
        }
        self.metrics.refused.add(refused);
        self.metrics.count_batch(stored, micros);
        self.batch_at = self.clock.now().tick;
        self.measure_due = self.measure_due.min(self.batch_at.after(MEASURE_EVERY));
        // New records are to be indexed, and may put a room over its limit.
        self.step_due.get_or_insert(0);
        // Before the replies are sent, so that a client that reads one can send the next.
        self.queue.finish();
        self.tell(replies);
        // After the answers: nobody waits for it, and the next batch gathers meanwhile.
        let kept_up = self.engine.keep_up(now, stored);
        self.metrics.pruned.add(kept_up.pruned);
        self.tell(kept_up.replies);
        if stored > 0 {
            self.engine.bound_wal(now, stored);
        }
    }

    /// Sends replies, after the metric: whoever was refused finds the server not ready.
    fn tell(&self, replies: impl IntoIterator<Item = LogReply>) {
        self.metrics.trouble.set(u64::from(self.engine.fault().is_some()));
        self.replies.send_all(replies);
    }

    /// Does what is due by the clock, without a request.
    fn run_timers(&mut self) {
        let now = self.clock.now();
        if let Some(probe_at) = self.engine.probe_at() {
            if probe_at <= now.tick {
                // The check would keep the WAL from being truncated.
                self.stop_check();
            }
            let replies = self.engine.probe(now);
            self.tell(replies);
            // The probe writes and syncs everything when it succeeds.
            self.meta_due = Tick::MAX;
            self.sync_due = Tick::MAX;
        } else {
            if self.meta_due <= now.tick && self.engine.has_unwritten_meta() {
                self.commit(Vec::new());
            }
            if self.sync_due <= now.tick && self.engine.has_unsynced() {
                let replies = self.engine.sync(now);
                self.tell(replies);
            }
            let due = |is_due, at: Tick, within| {
                if is_due { at.min(now.tick.after(within)) } else { Tick::MAX }
            };
            self.meta_due = due(self.engine.has_unwritten_meta(), self.meta_due, META_DELAY);
            self.sync_due = due(self.engine.has_unsynced(), self.sync_due, SYNC_EVERY);
        }
        if self.commands_due <= now.tick {
            let replies = self.engine.poll_commands(now);
            self.tell(replies);
            // After the replies: the loop then looks once more, and finds no further one.
            if self.engine.note_told() {
                self.replies.wake();
            }
            let is_awaited = self.engine.confirm_commands(now);
            let pause = if is_awaited { CONFIRM_EVERY } else { COMMANDS_EVERY };
            self.commands_due = now.tick.after(pause);
        }
        self.check(now);
        self.metrics.lock_waits.add(self.engine.take_lock_waits());
        if self.measure_due <= now.tick {
            self.measure_due = Tick::MAX;
            self.metrics.file_bytes.set(file_len(self.engine.path()));
            self.metrics.log_bytes.set(file_len(self.engine.wal_path()));
        }
    }

    /// When there is something to do for the check of the whole file.
    fn check_due(&self) -> Tick {
        match &self.check {
            Some(_) => self.clock.now().tick.after(CHECK_POLL),
            None if self.engine.fault().is_some() => Tick::MAX,
            None => self.engine.check_at(),
        }
    }

    /// Starts the check of the whole file, if it is due, or handles its outcome.
    fn check(&mut self, now: Now) {
        if let Some(outcome) = self.check.as_ref().and_then(FullCheck::outcome) {
            self.check = None;
            match &outcome {
                CheckOutcome::Sound => self.metrics.checks_sound.add(1),
                CheckOutcome::Damaged(_) => self.metrics.checks_damaged.add(1),
                CheckOutcome::Aborted(_) => self.metrics.checks_broken_off.add(1),
            }
            let replies = self.engine.on_check(now, &outcome);
            self.tell(replies);
        }
        let is_due = self.engine.check_at() <= now.tick && self.engine.fault().is_none();
        if is_due && self.check.is_none() {
            // Scheduled again only by its outcome, or by a later failure.
            self.engine.schedule_check(Tick::MAX);
            match FullCheck::start(self.engine.path()) {
                Ok(check) => self.check = Some(check),
                Err(error) => {
                    let outcome = CheckOutcome::Aborted(error.to_string());
                    let replies = self.engine.on_check(now, &outcome);
                    self.tell(replies);
                }
            }
        }
    }

    fn stop_check(&mut self) {
        if let Some(check) = self.check.take() {
            check.stop();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::chat::model::log::Ticket;
    use crate::store::sqlite::connection::Level;

    #[test]
    fn after_a_panic_all_requests_are_refused_those_of_before_included() {
        let (replies, told) = ReplySender::new(Arc::new(|| {}));
        let queue = Arc::new(WriteQueue::default());
        let sync = |ticket| [Op::Sync(Ticket(ticket), Level::Disk)].into_iter();
        let refused = |ticket| {
            let outcome = Err(LogFault::Broken);
            LogReply::Synced { ticket: Ticket(ticket), outcome }
        };
        queue.push(sync(1).chain(sync(2)), false);
        let (way, metrics) = (Arc::clone(&queue), Arc::<StoreMetrics>::default());
        let of_thread = Arc::clone(&metrics);
        catch_unwind(AssertUnwindSafe(move || {
            let guard = PanicGuard { queue: way, replies, metrics: of_thread, is_finished: false };
            assert_eq!(guard.queue.take(Duration::ZERO, Gathering::default()).ops.len(), 2);
            panic!("planted");
        }))
        .unwrap_err();
        let told: Vec<_> = told.try_iter().collect();
        assert_eq!(told, [refused(1), refused(2), LogReply::Health(Err(LogFault::Broken))]);
        assert_eq!(queue.push(sync(3), false), [refused(3)]);
        assert_eq!(metrics.trouble.value(), 1, "a server that stores nothing is not ready");
    }
}
