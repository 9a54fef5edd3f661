//! The writer: the thread that owns the file, its lock, and the engine.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use crate::chat::model::log::{Appended, LogFault, LogReply};
use crate::metrics::StoreMetrics;
use crate::time::Tick;
use crate::time::clock::{Clock, Now};

use super::check::{Check, Found};
use super::engine::Engine;
use super::intake::{Intake, Taken};
use super::op::Op;
use super::replies::Replies;

/// How long facts that nobody waits for are gathered.
const FACTS_GATHER: Duration = Duration::from_millis(100);
/// How long the disk may not have what rooms of level `os` hold.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// From a batch to the next look at the sizes of the files.
const MEASURE_EVERY: Duration = Duration::from_secs(5);

/// From one question whether the look at the whole file has ended to the next.
const CHECK_POLL: Duration = Duration::from_millis(250);

/// When nobody has sent anything for so long, what can wait is done without rest.
const CALM: Duration = Duration::from_millis(20);
/// Otherwise after each of its steps comes a rest of so many times its length, and of no less than so many
/// microseconds, in which something comes together for the next.
const STEP_REST: u64 = 19;
const STEP_REST_MIN: u64 = 10_000;

/// The thread, as whoever started it sees it. It ends when the intake is closed.
#[derive(Debug)]
pub(super) struct Writer {
    ended: Receiver<()>,
}

impl Writer {
    /// Starts the thread, which holds `lock` to its end.
    pub(super) fn start(
        engine: Engine,
        lock: File,
        (intake, replies): (Arc<Intake>, Replies),
        (clock, metrics): (Clock, Arc<StoreMetrics>),
    ) -> io::Result<Self> {
        let (end, ended) = sync_channel(0);
        let alive =
            Alive { intake: Arc::clone(&intake), replies: replies.clone(), finished: false };
        let work = Work {
            engine,
            intake,
            replies,
            clock,
            metrics,
            facts_due: Tick::MAX,
            sync_due: Tick::MAX,
            measure_due: Tick::ZERO,
            step_due: Some(0),
            batch_at: Tick::ZERO,
            check: None,
            _lock: lock,
            _end: end,
        };
        thread::Builder::new().name("store".to_owned()).spawn(move || {
            let mut alive = alive;
            work.run();
            alive.finished = true;
        })?;
        Ok(Self { ended })
    }

    /// Waits for the thread's end, for no longer than `patience`: whether it came.
    pub(super) fn wait(&self, patience: Duration) -> bool {
        // Nothing is ever sent: the other end goes with the thread.
        use std::sync::mpsc::RecvTimeoutError::Disconnected;
        self.ended.recv_timeout(patience) == Err(Disconnected)
    }
}

/// Answers all that was asked when the thread dies of a panic.
struct Alive {
    intake: Arc<Intake>,
    replies: Replies,
    finished: bool,
}

impl Drop for Alive {
    fn drop(&mut self) {
        let refused = self.intake.die();
        if self.finished {
            return;
        }
        log::error!(
            "the thread that writes the store has died: nothing is stored until the server is restarted"
        );
        self.replies.send_all(refused.into_iter().chain([LogReply::Health(Err(LogFault::Broken))]));
    }
}

struct Work {
    engine: Engine,
    intake: Arc<Intake>,
    replies: Replies,
    clock: Clock,
    metrics: Arc<StoreMetrics>,
    /// When what is pending is written though nobody waits for it.
    facts_due: Tick,
    /// When what the disk may not have is synced.
    sync_due: Tick,
    measure_due: Tick,
    /// When the next step of what can wait may be done, in microseconds; `None` if nothing of it is left.
    step_due: Option<u64>,
    /// When the last batch came.
    batch_at: Tick,
    /// The look at the whole file, while it lasts.
    check: Option<Check>,
    /// Nobody else may serve the directory.
    _lock: File,
    /// Tells of the thread's end by its own.
    _end: SyncSender<()>,
}

impl Work {
    fn run(mut self) {
        loop {
            let Taken { ops, is_last } = self.intake.take(self.patience());
            if !ops.is_empty() {
                self.batch(ops);
            }
            self.tend();
            self.step();
            if is_last {
                break;
            }
        }
        self.stop_check();
        self.engine.close(self.clock.now());
    }

    /// How long nothing is to be done unless something is asked.
    fn patience(&self) -> Duration {
        let due = self.facts_due.min(self.sync_due).min(self.measure_due).min(self.check_due());
        let due = due.min(self.engine.probe_at().unwrap_or(Tick::MAX));
        if self.engine.rests() {
            return due.since(self.clock.now().tick);
        }
        let due = match self.step_due {
            Some(_) => due,
            None => due.min(self.engine.round_at()),
        };
        let patience = due.since(self.clock.now().tick);
        let step = self.step_due.map(|at| at.saturating_sub(self.clock.micros()));
        step.map_or(patience, |micros| patience.min(Duration::from_micros(micros)))
    }

    /// Does a step of what can wait, if it is time to.
    fn step(&mut self) {
        let (now, began) = (self.clock.now(), self.clock.micros());
        let is_due = match self.step_due {
            Some(at) => at <= began,
            None => self.engine.round_at() <= now.tick,
        };
        if !is_due || self.engine.rests() {
            return;
        }
        let is_calm = now.tick.since(self.batch_at) >= CALM;
        let step = self.engine.step(now, is_calm);
        self.metrics.pruned.add(step.pruned);
        self.replies.send_all(step.replies);
        let ended = self.clock.micros();
        let rest = (STEP_REST * ended.saturating_sub(began)).max(STEP_REST_MIN);
        let rest = if is_calm { 0 } else { rest };
        self.step_due = step.more.then_some(ended.saturating_add(rest));
    }

    fn batch(&mut self, ops: Vec<Op>) {
        let is_awaited = ops.iter().any(|op| matches!(op, Op::Append(_) | Op::Sync(..)));
        if !is_awaited {
            self.engine.take_up_all(ops);
            return;
        }
        self.commit(ops);
    }

    fn commit(&mut self, ops: Vec<Op>) {
        let began = self.clock.micros();
        let replies = self.engine.commit(self.clock.now(), ops);
        let micros = self.clock.micros().saturating_sub(began);
        let count = |wanted: fn(&Appended) -> bool| {
            let is_wanted = |reply: &&LogReply| matches!(reply, LogReply::Appended { outcome, .. } if wanted(outcome));
            u64::try_from(replies.iter().filter(is_wanted).count()).unwrap_or(u64::MAX)
        };
        let records = count(|outcome| matches!(outcome, Appended::Stored(_)));
        self.metrics.refused.add(count(|outcome| matches!(outcome, Appended::Refused(_))));
        self.metrics.count_batch(records, micros);
        self.batch_at = self.clock.now().tick;
        self.measure_due = self.measure_due.min(self.batch_at.after(MEASURE_EVERY));
        self.step_due.get_or_insert(0);
        self.intake.done();
        self.replies.send_all(replies);
    }

    /// What is due though nobody has asked.
    fn tend(&mut self) {
        let now = self.clock.now();
        if let Some(probe_at) = self.engine.probe_at() {
            if probe_at <= now.tick {
                // It would hold the log, which is to be emptied.
                self.stop_check();
            }
            self.replies.send_all(self.engine.probe(now));
            self.facts_due = Tick::MAX;
            self.sync_due = Tick::MAX;
        } else {
            if self.facts_due <= now.tick && self.engine.has_pending() {
                self.commit(Vec::new());
            }
            if self.sync_due <= now.tick && self.engine.has_unsynced() {
                self.replies.send_all(self.engine.sync(now));
            }
            let due = |is_due, at: Tick, within| {
                if is_due { at.min(now.tick.after(within)) } else { Tick::MAX }
            };
            self.facts_due = due(self.engine.has_pending(), self.facts_due, FACTS_GATHER);
            self.sync_due = due(self.engine.has_unsynced(), self.sync_due, SYNC_EVERY);
        }
        self.check(now);
        self.metrics.trouble.set(u64::from(self.engine.fault().is_some()));
        if self.measure_due <= now.tick {
            self.measure_due = Tick::MAX;
            self.measure();
        }
    }

    /// When there is something to do about the look at the whole file.
    fn check_due(&self) -> Tick {
        match &self.check {
            Some(_) => self.clock.now().tick.after(CHECK_POLL),
            None if self.engine.fault().is_some() => Tick::MAX,
            None => self.engine.look_at(),
        }
    }

    /// Begins to look at the whole file, if it is time to, or takes up what that has come to.
    fn check(&mut self, now: Now) {
        if let Some(found) = self.check.as_ref().and_then(Check::found) {
            self.check = None;
            match &found {
                Found::Sound => self.metrics.checks_sound.add(1),
                Found::Damaged(_) => self.metrics.checks_damaged.add(1),
                Found::BrokenOff(_) => self.metrics.checks_broken_off.add(1),
            }
            self.replies.send_all(self.engine.looked(now, &found));
        }
        let is_due = self.engine.look_at() <= now.tick && self.engine.fault().is_none();
        if is_due && self.check.is_none() {
            self.engine.doubt(Tick::MAX);
            match Check::start(self.engine.path()) {
                Ok(check) => self.check = Some(check),
                Err(error) => {
                    let found = Found::BrokenOff(error.to_string());
                    self.replies.send_all(self.engine.looked(now, &found));
                }
            }
        }
    }

    fn stop_check(&mut self) {
        if let Some(check) = self.check.take() {
            check.stop();
        }
    }

    fn measure(&self) {
        let file = self.engine.path();
        let mut log = file.as_os_str().to_owned();
        log.push("-wal");
        let len = |path: PathBuf| fs::metadata(path).map_or(0, |found| found.len());
        self.metrics.file_bytes.set(len(file.to_owned()));
        self.metrics.log_bytes.set(len(log.into()));
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::chat::model::log::Ticket;
    use crate::store::disk::database::Level;

    #[test]
    fn when_the_thread_panics_whoever_waits_is_told_and_so_is_whoever_asks_later() {
        let (replies, told) = Replies::new(Arc::new(|| {}));
        let intake = Arc::new(Intake::default());
        let sync = |ticket| [Op::Sync(Ticket(ticket), Level::Disk)].into_iter();
        let refused = |ticket| {
            let outcome = Err(LogFault::Broken);
            LogReply::Synced { ticket: Ticket(ticket), outcome }
        };
        intake.push(sync(1).chain(sync(2)));
        let way = Arc::clone(&intake);
        catch_unwind(AssertUnwindSafe(move || {
            let alive = Alive { intake: way, replies, finished: false };
            assert_eq!(alive.intake.take(Duration::ZERO).ops.len(), 2);
            panic!("planted");
        }))
        .unwrap_err();
        let told: Vec<_> = told.try_iter().collect();
        assert_eq!(told, [refused(1), refused(2), LogReply::Health(Err(LogFault::Broken))]);
        assert_eq!(intake.push(sync(3)), [refused(3)]);
    }
}
