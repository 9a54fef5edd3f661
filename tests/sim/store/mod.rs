//! A store without a disk: what is durable, the batch that is being written, and what waits for it.
//!
//! ```text
//!  request ─▶ intake ─ take ─▶ batch ─ commit ─▶ durable ─▶ answers ─▶ poll
//!  Read ────▶ reads ─────────────── look ──────────▲           └── late, and reads in any order
//! ```
//!
//! A crash keeps what is durable and nothing else; a batch that is under way is then written or
//! not. When each step happens, and which batches fail, the seed decides.

#![expect(
    clippy::disallowed_types,
    reason = "the server owns its store, and the world, which outlives the server, looks into it"
)]

mod crash_plan;
mod durable;
mod engine;
mod engine_fault;
mod reader;
mod store_fault;
mod writer;

use std::cell::{Ref, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use chinwag::chat::model::load::{Found, Wanted};
use chinwag::chat::model::log::{
    Answer, CidSecret, LogFault, LogId, LogReply, LogRequest, Logs, Query, RememberedCid, Snapshot,
    Ticket,
};
use chinwag::chat::model::name::RoomName;
use chinwag::chat::model::reply::Durability;
use chinwag::rng::Rng;
use chinwag::store::MemoryStore;
use chinwag::time::clock::Now;

use crate::reactor::Answers;

pub(crate) use self::crash_plan::CrashPlan;
pub(crate) use self::durable::{Durable, FactKey};
pub(crate) use self::engine::{EngineConfig, EngineCounts, SimEngine};
pub(crate) use self::engine_fault::EngineFault;
use self::reader::OpenLogs;
pub(crate) use self::store_fault::StoreFault;
use self::writer::{Batch, Job};

/// Appends that wait at most; those beyond are refused.
const INTAKE_MAX: usize = 64;

/// How a store behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoreConfig {
    /// Turns at most until a batch is taken, until it is committed, and until it is answered.
    pub(crate) delays: [u64; 3],
    /// Turns at most until a read is answered.
    pub(crate) read_delay: u64,
    /// Trouble begins once in so many turns.
    pub(crate) trouble: u64,
    /// Turns that it lasts at most.
    pub(crate) trouble_lasts: u64,
    /// Rooms are pruned once in so many turns.
    pub(crate) prune: u64,
    /// A batch is done with as soon as it is asked for, once in so many times.
    pub(crate) at_once: u64,
    /// Facts replace those of their kind that wait.
    pub(crate) coalesces: bool,
}

/// A store that survives the server that uses it.
#[derive(Clone, Debug)]
pub(crate) struct SimStore(Rc<RefCell<Store>>);

/// What waits to be read.
#[derive(Debug)]
struct Reading {
    ticket: Ticket,
    query: Query,
    /// When the reader looks, and when it says what it has found.
    looks_at: u64,
    says_at: u64,
    found: Option<Answer>,
    /// Rooms that were dropped since it was asked.
    dropped: Vec<RoomName>,
}

#[derive(Debug)]
struct Store {
    config: StoreConfig,
    rng: Rng,
    crash_plan: CrashPlan,
    now: Now,
    turn: u64,
    durable: Durable,
    /// What was durable some time ago, for faults.
    before: Durable,
    // What follows is lost in a crash.
    memory: MemoryStore,
    /// The rooms of the logs that were asked for, `None` for those in memory.
    requested: BTreeMap<LogId, Option<(RoomName, Durability)>>,
    /// The logs that are open in what is durable.
    open: OpenLogs,
    intake: VecDeque<Job>,
    take_at: u64,
    batch: Option<Batch>,
    reads: Vec<Reading>,
    replies: VecDeque<LogReply>,
    /// Why nothing can be written, and until which turn.
    trouble: Option<(LogFault, u64)>,
    counts: Counts,
}

/// How often each thing happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) commits: u64,
    pub(crate) failures: u64,
    pub(crate) refused: u64,
    pub(crate) pages: u64,
    pub(crate) pruned: u64,
    /// Crashes while a batch was under way.
    pub(crate) torn: u64,
    /// Crashes behind a commit that was not answered.
    pub(crate) unanswered: u64,
    /// Machines that were lost, and logs of level `os` that began new epochs then.
    pub(crate) machines: u64,
    pub(crate) cut: u64,
    /// Loads of rooms and users, and rooms that were forgotten.
    pub(crate) loads: u64,
    pub(crate) forgotten: u64,
}

impl Counts {
    /// Adds those of another run.
    pub(crate) const fn add(&mut self, other: Self) {
        self.commits += other.commits;
        self.failures += other.failures;
        self.refused += other.refused;
        self.pages += other.pages;
        self.pruned += other.pruned;
        self.torn += other.torn;
        self.unanswered += other.unanswered;
        self.machines += other.machines;
        self.cut += other.cut;
        self.loads += other.loads;
        self.forgotten += other.forgotten;
    }
}

impl SimStore {
    pub(crate) fn new(
        config: StoreConfig,
        store_fault: Option<StoreFault>,
        seed: u64,
        now: Now,
        crash_plan: CrashPlan,
    ) -> Self {
        let durable = Durable { store_fault, ..Durable::default() };
        Self(Rc::new(RefCell::new(Store {
            config,
            rng: Rng::new(seed),
            crash_plan,
            now,
            turn: 0,
            before: durable.clone(),
            durable,
            memory: MemoryStore::new(),
            requested: BTreeMap::new(),
            open: OpenLogs::new(),
            intake: VecDeque::new(),
            take_at: 0,
            batch: None,
            reads: Vec::new(),
            replies: VecDeque::new(),
            trouble: None,
            counts: Counts::default(),
        })))
    }

    /// For a server that starts: the store, and what was kept.
    pub(crate) fn start(&self, preload: usize) -> (Box<dyn Logs>, Snapshot) {
        let kept = self.0.borrow().durable.kept(preload);
        (Box::new(self.clone()), kept)
    }

    /// What is durable.
    pub(crate) fn durable(&self) -> Ref<'_, Durable> {
        Ref::map(self.0.borrow(), |store| &store.durable)
    }

    pub(crate) fn counts(&self) -> Counts {
        self.0.borrow().counts
    }

    /// How many times a promise was broken.
    pub(crate) fn faults_done(&self) -> u64 {
        self.0.borrow().durable.faults_done
    }

    /// A turn has passed: the writer and the reader go on.
    pub(crate) fn step(&self, now: Now) {
        let store = &mut *self.0.borrow_mut();
        store.now = now;
        store.turn += 1;
        if store.turn.is_multiple_of(100) {
            store.before = store.durable.clone();
        }
        store.pass_trouble();
        store.write();
        store.prune();
        store.read();
    }

    /// No trouble begins any more, and none goes on.
    pub(crate) fn stop_faults(&self) {
        let store = &mut *self.0.borrow_mut();
        store.config.trouble = u64::MAX;
        store.config.trouble_lasts = 0;
        store.recover();
    }

    /// The process is gone. All that it was told to write is written before, if it `ended` in good
    /// order.
    pub(crate) fn stop(&self, ended: bool) {
        let store = &mut *self.0.borrow_mut();
        if ended {
            store.recover();
            store.finish();
        } else {
            store.tear();
        }
        store.memory = MemoryStore::new();
        store.requested.clear();
        store.open.clear();
        store.intake.clear();
        store.batch = None;
        store.reads.clear();
        store.replies.clear();
        store.trouble = None;
        if !ended {
            store.break_at_crash();
        }
    }

    /// The machine is gone with the process: the rooms whose logs have lost something.
    pub(crate) fn lose_machine(&self) -> Vec<RoomName> {
        let store = &mut *self.0.borrow_mut();
        let lost = store.durable.lose_machine(&mut store.rng);
        store.counts.machines += 1;
        store.counts.cut += lost.len() as u64;
        lost
    }
}

impl Answers for SimStore {
    /// Whether there are answers that the server has not taken.
    fn has_replies(&self) -> bool {
        !self.0.borrow().replies.is_empty()
    }
}

impl Logs for SimStore {
    fn request(&mut self, now: Now, request: LogRequest) {
        let store = &mut *self.0.borrow_mut();
        if store.crash_plan.cross() {
            store.now = now;
            store.request(request);
        }
    }

    fn flush(&mut self) {
        let store = &mut *self.0.borrow_mut();
        let at_once = store.config.at_once;
        if store.crash_plan.cross() && store.trouble.is_none() && store.rng.once_in(at_once) {
            store.finish();
        }
    }

    fn poll(&mut self) -> Option<LogReply> {
        let store = &mut *self.0.borrow_mut();
        if !store.crash_plan.cross() {
            return None;
        }
        store.memory.poll().or_else(|| store.replies.pop_front())
    }

    fn load(&mut self, wanted: &Wanted) -> Result<Found, String> {
        Ok(self.0.borrow().durable.load(wanted))
    }

    fn cid_secret(&self) -> CidSecret {
        self.0.borrow().memory.cid_secret()
    }

    fn remembered(&self, log: LogId) -> Vec<RememberedCid> {
        self.0.borrow().memory.remembered(log)
    }

    fn adopt_cid_secret(&mut self, secret: CidSecret) -> bool {
        self.0.borrow_mut().memory.adopt_cid_secret(secret)
    }
}

impl Store {
    fn request(&mut self, request: LogRequest) {
        if let LogRequest::Read { ticket, query } = request {
            return self.ask(ticket, query);
        }
        // Names are not proved in the simulation: there is nothing to keep.
        if matches!(request, LogRequest::People { .. } | LogRequest::Notice(_)) {
            return self.memory.request(self.now, request);
        }
        if let LogRequest::Open { log, room, durability, .. } = &request {
            let is_kept = *durability != Durability::Memory;
            let kept = is_kept.then(|| (room.clone(), *durability));
            if is_kept && self.is_readable(room) {
                self.open.insert(*log, room.clone());
            }
            self.requested.insert(*log, kept);
        }
        let log = log_of(&request);
        if matches!(request, LogRequest::Close { .. }) {
            return self.close(log);
        }
        let Some(Some((room, durability))) = self.requested.get(&log).cloned() else {
            if matches!(request, LogRequest::Drop { .. }) {
                self.requested.remove(&log);
            }
            return self.memory.request(self.now, request);
        };
        if matches!(request, LogRequest::Drop { .. }) {
            for reading in &mut self.reads {
                reading.dropped.push(room.clone());
            }
        }
        if let LogRequest::Append { ticket, .. } = request
            && self.is_full()
        {
            self.counts.refused += 1;
            self.replies.push_back(writer::refused(ticket, LogFault::Busy));
            return;
        }
        self.admit(Job { log, room, durability, request });
    }

    /// A room is forgotten: everything of it must be written.
    fn close(&mut self, log: LogId) {
        let batch = self.batch.iter().flat_map(|batch| &batch.jobs);
        let waiting = self.intake.iter().chain(batch).any(|job| job.log == log);
        assert!(!waiting, "a room is forgotten of which something is not written");
        assert!(self.open.remove(&log).is_some(), "a room that is forgotten is there");
        self.requested.remove(&log);
        self.counts.forgotten += 1;
    }

    /// Whether a room's log is there, and not about to be dropped.
    fn is_readable(&self, name: &RoomName) -> bool {
        let batch = self.batch.iter().flat_map(|batch| &batch.jobs);
        let mut jobs = self.intake.iter().chain(batch).filter(|job| job.room == *name);
        let is_dropped = jobs.any(|job| matches!(job.request, LogRequest::Drop { .. }));
        self.durable.rooms.contains_key(name) && !is_dropped
    }

    fn is_full(&self) -> bool {
        let is_append = |job: &&Job| matches!(job.request, LogRequest::Append { .. });
        self.intake.iter().filter(is_append).count() >= INTAKE_MAX
    }

    /// Has a job wait, in the place of what it replaces if there is something.
    fn admit(&mut self, job: Job) {
        if let LogRequest::PutMeta { log, meta } = &job.request
            && self.config.coalesces
        {
            let key = FactKey::of(meta);
            let replaces = |waiting: &&mut Job| {
                matches!(&waiting.request, LogRequest::PutMeta { log: of, meta }
                    if of == log && FactKey::of(meta) == key)
            };
            if let Some(waiting) = self.intake.iter_mut().rev().find(replaces) {
                waiting.request = job.request;
                return;
            }
        }
        if self.intake.is_empty() && self.batch.is_none() {
            self.take_at = self.turn + self.delay(0);
        }
        self.intake.push_back(job);
    }

    fn delay(&mut self, stage: usize) -> u64 {
        let most = self.config.delays[stage];
        self.rng.below(most + 1)
    }

    fn ask(&mut self, ticket: Ticket, query: Query) {
        let looks_at = self.turn + self.rng.below(self.config.read_delay + 1);
        let says_at = looks_at + self.rng.below(self.config.read_delay + 1);
        if matches!(query, Query::Load(_)) {
            let is_load = |reading: &Reading| matches!(reading.query, Query::Load(_));
            assert!(!self.reads.iter().any(is_load), "one load at a time");
            self.counts.loads += 1;
        }
        // What waits to be dropped is still there for the reader.
        let waiting = self.batch.iter().flat_map(|batch| &batch.jobs).chain(&self.intake);
        let dropped = waiting.filter(|job| matches!(job.request, LogRequest::Drop { .. }));
        let dropped = dropped.map(|job| job.room.clone()).collect();
        self.reads.push(Reading { ticket, query, looks_at, says_at, found: None, dropped });
    }

    /// The reader looks and answers, in any order.
    fn read(&mut self) {
        for place in 0..self.reads.len() {
            if self.reads[place].found.is_none() && self.reads[place].looks_at <= self.turn {
                let found = self.look(place);
                self.reads[place].found = Some(found);
            }
        }
        let count = self.reads.len();
        if count > 0 {
            self.reads.rotate_left(self.rng.index(count));
        }
        let mut waiting = Vec::new();
        for reading in std::mem::take(&mut self.reads) {
            match reading.found {
                Some(mut answer) if reading.says_at <= self.turn => {
                    if let Answer::Loaded(found) = &mut answer {
                        found.rooms.retain(|room| !reading.dropped.contains(&room.name));
                    }
                    let (ticket, outcome) = (reading.ticket, Ok(answer));
                    self.replies.push_back(LogReply::Answer { ticket, outcome });
                }
                found => waiting.push(Reading { found, ..reading }),
            }
        }
        self.reads = waiting;
    }

    fn look(&mut self, place: usize) -> Answer {
        self.counts.pages += 1;
        let query = &self.reads[place].query;
        let answer = reader::answer(&self.durable, &self.open, query);
        let old = reader::answer(&self.before, &self.open, query);
        self.break_read(answer, old)
    }

    fn pass_trouble(&mut self) {
        match self.trouble {
            Some((_, until)) if until <= self.turn => self.recover(),
            None if self.rng.once_in(self.config.trouble) => {
                let fault = *self.rng.pick(&[LogFault::Full, LogFault::Broken]);
                let lasts = 1 + self.rng.below(self.config.trouble_lasts.max(1));
                self.trouble = Some((fault, self.turn + lasts));
                self.replies.push_back(LogReply::Health(Err(fault)));
            }
            _ => {}
        }
    }

    fn recover(&mut self) {
        if self.trouble.take().is_some() {
            self.replies.push_back(LogReply::Health(Ok(())));
        }
    }

    /// Prunes the rooms, now and then: between two batches, when the first is answered.
    fn prune(&mut self) {
        if self.batch.is_some() || self.trouble.is_some() || !self.rng.once_in(self.config.prune) {
            return;
        }
        for (&log, name) in &self.open {
            if let Some(oldest) = self.durable.prune(name, self.now.wall_ms) {
                self.counts.pruned += 1;
                self.replies.push_back(LogReply::Pruned { log, oldest });
            }
        }
    }
}

/// The log that a request is about; reads are about several, and do not come here.
const fn log_of(request: &LogRequest) -> LogId {
    match request {
        LogRequest::Open { log, .. }
        | LogRequest::Adopt { log, .. }
        | LogRequest::Append { log, .. }
        | LogRequest::PutMeta { log, .. }
        | LogRequest::Sync { log, .. }
        | LogRequest::Settle { log, .. }
        | LogRequest::Close { log }
        | LogRequest::Drop { log } => *log,
        LogRequest::Read { .. }
        | LogRequest::People { .. }
        | LogRequest::Notice(_)
        | LogRequest::Tell(_)
        | LogRequest::Claim(..)
        | LogRequest::Session(_)
        | LogRequest::End { .. } => unreachable!(),
    }
}
