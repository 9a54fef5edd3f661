//! An engine that several nodes share, without a disk or a network: what all of them have written,
//! what waits for a standby, and what each is still to be told.
//!
//! ```text
//!  request ─▶ intake ─ take ─▶ batch, waits for the standby ─ commit ─▶ shared ─▶ answers ─▶ poll
//!                                        └─ promote: written or not, nobody knows ─▶ Undecided
//!  commit ─▶ wake of each node that holds the room, late or lost ─▶ Grown
//! ```
//!
//! A node is told all that others have put into a room before its own next answer about it, so that
//! the order of each log is dense. When each step happens the seed decides.

use std::cell::{Ref, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use chinwag::chat::Epoch;
use chinwag::chat::model::load::{Begun, Found, Wanted};
use chinwag::chat::model::log::{
    Answer, Appended, Elsewhere, LogFault, LogId, LogReply, LogRequest, Logs, Query, RoomMeta,
    Snapshot, Ticket,
};
use chinwag::chat::model::name::RoomName;
use chinwag::chat::model::others::NodeId;
use chinwag::chat::model::policy::Retention;
use chinwag::chat::model::record::{Body, SharedRecord};
use chinwag::chat::model::reply::Durability;
use chinwag::rng::Rng;
use chinwag::time::clock::Now;

use super::durable::{Durable, FactKey};
use super::engine_fault::EngineFault;
use super::reader::{self, OpenLogs};
use super::store_fault::StoreFault;

/// Turns after which the heads of all rooms that are held are compared, whatever was told.
const COMPARE_EVERY: u64 = 40;
/// Turns within which a node is noticed to be gone.
const GONE_AFTER: u64 = 10;

/// How an engine and its network behave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EngineConfig {
    /// Turns at most until a batch is taken, until it is committed, and until it is answered.
    pub(crate) delays: [u64; 3],
    /// Turns at most until a read is answered, and a wake-up or a word of another node heard.
    pub(crate) read_delay: u64,
    pub(crate) wake_delay: u64,
    /// One wake-up in so many is lost.
    pub(crate) lost_wake: u64,
    /// Once in so many turns a node hears nothing of the others for a while.
    pub(crate) deaf: u64,
    /// Once in so many turns the engine is away.
    pub(crate) away: u64,
    /// Once in so many turns a standby takes its place.
    pub(crate) promote: u64,
}

/// How often each thing happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EngineCounts {
    pub(crate) commits: u64,
    pub(crate) grown: u64,
    pub(crate) renewed: u64,
    pub(crate) gone: u64,
    pub(crate) stale: u64,
    pub(crate) undecided: u64,
    pub(crate) told: u64,
    pub(crate) lost_wakes: u64,
    pub(crate) deaf: u64,
    pub(crate) away: u64,
    pub(crate) promotions: u64,
    pub(crate) cut: u64,
}

impl EngineCounts {
    fn all_mut(&mut self) -> [&mut u64; 12] {
        let Self { commits, grown, renewed, gone, stale, undecided, .. } = self;
        let rest = [&mut self.told, &mut self.lost_wakes, &mut self.deaf];
        let [told, lost, deaf] = rest;
        let ends = [&mut self.away, &mut self.promotions, &mut self.cut];
        let [away, promotions, cut] = ends;
        [commits, grown, renewed, gone, stale, undecided, told, lost, deaf, away, promotions, cut]
    }

    /// Adds those of another run.
    pub(crate) fn add(&mut self, mut other: Self) {
        for (sum, more) in self.all_mut().into_iter().zip(other.all_mut()) {
            *sum += *more;
        }
    }

    /// The least of all, but for rooms that are dropped, of which there are few.
    pub(crate) fn least(mut self) -> u64 {
        self.gone = u64::MAX;
        self.all_mut().into_iter().map(|count| *count).min().unwrap_or(0)
    }
}

/// The engine, which survives the nodes.
#[derive(Clone, Debug)]
pub(crate) struct SimEngine(Rc<RefCell<Engine>>);

/// The engine as one node has it.
#[derive(Clone, Debug)]
pub(crate) struct NodeLogs {
    engine: Rc<RefCell<Engine>>,
    place: usize,
}

/// What a node knows of a log: the epoch, and how many acts of other nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Known {
    epoch: Epoch0,
    acts: u64,
}

/// An epoch that may be none.
type Epoch0 = Option<Epoch>;

/// How far a node was told of a log.
#[derive(Clone, Debug)]
struct Held {
    room: RoomName,
    head: u64,
    facts: u64,
    known: Known,
}

/// What the nodes have changed in a room, beside its records.
#[derive(Clone, Debug, Default)]
struct Changes {
    count: u64,
    facts: BTreeMap<FactKey, (u64, usize, RoomMeta)>,
    /// How many acts of moderation each node has put there.
    acts: BTreeMap<usize, u64>,
}

impl Changes {
    fn acts_of_others(&self, place: usize) -> u64 {
        self.acts.iter().filter(|(node, _)| **node != place).map(|(_, count)| count).sum()
    }
}

#[derive(Clone, Debug)]
struct Job {
    log: LogId,
    room: RoomName,
    durability: Durability,
    known: Known,
    request: LogRequest,
}

#[derive(Debug)]
struct Reading {
    ticket: Ticket,
    query: Query,
    due: u64,
}

/// Something that a node is told in a later turn.
#[derive(Debug)]
struct Word {
    due: u64,
    reply: LogReply,
    /// What it knows of a log from then on.
    known: Option<(LogId, Known)>,
}

#[derive(Debug, Default)]
struct Node {
    id: Option<NodeId>,
    /// As it was told, and as it has heard it.
    held: BTreeMap<LogId, Held>,
    known: BTreeMap<LogId, Known>,
    durability: BTreeMap<LogId, (RoomName, Durability)>,
    /// Rooms as they were read last.
    loaded: BTreeMap<RoomName, Held>,
    intake: VecDeque<Job>,
    take_at: u64,
    batch: Vec<Job>,
    commit_at: u64,
    reads: Vec<Reading>,
    words: VecDeque<Word>,
    /// When each room that has grown is looked at.
    wakes: BTreeMap<RoomName, u64>,
    deaf_until: u64,
    compare_at: u64,
}

#[derive(Debug)]
struct Engine {
    config: EngineConfig,
    fault: Option<EngineFault>,
    faults_done: u64,
    rng: Rng,
    now: Now,
    turn: u64,
    durable: Durable,
    changes: BTreeMap<RoomName, Changes>,
    nodes: Vec<Node>,
    next_id: u64,
    away_until: u64,
    counts: EngineCounts,
}

impl SimEngine {
    pub(crate) fn new(
        config: EngineConfig,
        fault: Option<EngineFault>,
        (seed, now, nodes): (u64, Now, usize),
    ) -> Self {
        let mut config = config;
        if fault == Some(EngineFault::StaleRights) {
            // So that nodes know of an act long after it was done.
            config.lost_wake = 1;
        }
        let store_fault =
            (fault == Some(EngineFault::EpochKept)).then_some(StoreFault::MachineEpochKept);
        Self(Rc::new(RefCell::new(Engine {
            config,
            fault,
            faults_done: 0,
            rng: Rng::new(seed),
            now,
            turn: 0,
            durable: Durable { store_fault, ..Durable::default() },
            changes: BTreeMap::new(),
            nodes: (0..nodes).map(|_| Node::default()).collect(),
            next_id: 1,
            away_until: 0,
            counts: EngineCounts::default(),
        })))
    }

    /// For a node that starts in this place: its logs, and what it is told first.
    pub(crate) fn start(&self, place: usize) -> (Box<dyn Logs>, Snapshot) {
        let logs = NodeLogs { engine: Rc::clone(&self.0), place };
        let snapshot = self.0.borrow_mut().begin(place);
        (Box::new(logs), snapshot)
    }

    /// The node in this place is dead.
    pub(crate) fn stop(&self, place: usize) {
        self.0.borrow_mut().end(place);
    }

    /// What is committed.
    pub(crate) fn durable(&self) -> Ref<'_, Durable> {
        Ref::map(self.0.borrow(), |engine| &engine.durable)
    }

    pub(crate) fn counts(&self) -> EngineCounts {
        self.0.borrow().counts
    }

    /// How many times a promise was broken.
    pub(crate) fn faults_done(&self) -> u64 {
        let engine = self.0.borrow();
        engine.faults_done + engine.durable.faults_done
    }

    pub(crate) fn has_replies(&self, place: usize) -> bool {
        self.0.borrow().has_word(place)
    }

    /// A turn has passed. Returns the rooms whose logs have lost their ends.
    pub(crate) fn step(&self, now: Now) -> Vec<RoomName> {
        self.0.borrow_mut().step(now)
    }

    /// From now on nothing fails.
    pub(crate) fn stop_faults(&self) {
        let engine = &mut *self.0.borrow_mut();
        let config = &mut engine.config;
        (config.lost_wake, config.deaf) = (u64::MAX, u64::MAX);
        (config.away, config.promote) = (u64::MAX, u64::MAX);
        engine.away_until = 0;
    }
}

impl Logs for NodeLogs {
    fn request(&mut self, now: Now, request: LogRequest) {
        let engine = &mut *self.engine.borrow_mut();
        engine.now = now;
        engine.request(self.place, request);
    }

    fn flush(&mut self) {}

    fn poll(&mut self) -> Option<LogReply> {
        self.engine.borrow_mut().poll(self.place)
    }

    fn load(&mut self, wanted: &Wanted) -> Result<Found, String> {
        Ok(self.engine.borrow().durable.load(wanted))
    }
}

impl Engine {
    fn begin(&mut self, place: usize) -> Snapshot {
        let id = NodeId(self.next_id);
        self.next_id += 1;
        self.nodes[place] = Node { id: Some(id), ..Node::default() };
        for other in self.others(place) {
            self.say(other, LogReply::NodeBegun { node: id }, None);
        }
        let elsewhere = Elsewhere {
            on_demand: true,
            rooms: self.durable.rooms.len(),
            newest: self.durable.rooms.values().map(|room| room.epoch).max(),
            names: Vec::new(),
        };
        Snapshot { node: Some(id), elsewhere, ..Snapshot::default() }
    }

    fn end(&mut self, place: usize) {
        let Some(id) = self.nodes[place].id else { return };
        // What is with the standby already may be written all the same.
        if self.rng.once_in(2) {
            let jobs = std::mem::take(&mut self.nodes[place].batch);
            for job in jobs {
                self.apply(place, job, false);
            }
        }
        self.nodes[place] = Node::default();
        for other in self.others(place) {
            self.nodes[other].words.push_back(Word {
                due: self.turn + GONE_AFTER,
                reply: LogReply::NodeGone { node: id },
                known: None,
            });
        }
    }

    fn others(&self, place: usize) -> Vec<usize> {
        (0..self.nodes.len()).filter(|&at| at != place && self.nodes[at].id.is_some()).collect()
    }

    /// Has a node be told something, behind all that it is told already.
    fn say(&mut self, place: usize, reply: LogReply, known: Option<(LogId, Known)>) {
        let last = self.nodes[place].words.back().map_or(0, |word| word.due);
        let due = last.max(self.turn + self.rng.below(self.config.delays[2] + 1));
        self.nodes[place].words.push_back(Word { due, reply, known });
    }

    fn has_word(&self, place: usize) -> bool {
        self.nodes[place].words.front().is_some_and(|word| word.due <= self.turn)
    }

    fn poll(&mut self, place: usize) -> Option<LogReply> {
        if !self.has_word(place) {
            return None;
        }
        let Word { reply, known, .. } = self.nodes[place].words.pop_front()?;
        if let Some((log, known)) = known {
            self.nodes[place].known.insert(log, known);
        }
        Some(reply)
    }

    fn is_away(&self) -> bool {
        self.turn < self.away_until
    }

    fn request(&mut self, place: usize, request: LogRequest) {
        match request {
            LogRequest::Read { ticket, query } => {
                let due = self.turn + self.rng.below(self.config.read_delay + 1);
                self.nodes[place].reads.push(Reading { ticket, query, due });
            }
            LogRequest::People { ticket, .. } => {
                self.say(place, LogReply::Synced { ticket, outcome: Ok(()) }, None);
            }
            LogRequest::Notice(_) | LogRequest::Adopt { .. } => {}
            LogRequest::Tell(told) => {
                let Some(node) = self.nodes[place].id else { return };
                for other in self.others(place) {
                    if self.turn >= self.nodes[other].deaf_until {
                        self.counts.told += 1;
                        self.say(other, LogReply::Told { node, told: told.clone() }, None);
                    }
                }
            }
            LogRequest::Close { log } => {
                let node = &mut self.nodes[place];
                node.held.remove(&log);
                node.known.remove(&log);
                node.durability.remove(&log);
            }
            LogRequest::Open { log, ref room, epoch, durability, .. } => {
                let (room, known) = (room.clone(), Known { epoch: Some(epoch), acts: 0 });
                self.hold_loaded(place, log, (&room, epoch));
                let node = &mut self.nodes[place];
                node.durability.insert(log, (room.clone(), durability));
                let known = *node.known.entry(log).or_insert(known);
                self.admit(place, Job { log, room, durability, known, request });
            }
            LogRequest::Append { log, .. }
            | LogRequest::PutMeta { log, .. }
            | LogRequest::Sync { log, .. }
            | LogRequest::Settle { log, .. }
            | LogRequest::Drop { log } => {
                let node = &mut self.nodes[place];
                let Some((room, durability)) = node.durability.get(&log).cloned() else { return };
                let known = node.known.get(&log).copied().unwrap_or_default();
                if let LogRequest::Append { ticket, .. } = request
                    && self.is_away()
                {
                    let outcome = Appended::Refused(LogFault::Broken);
                    return self.say(place, LogReply::Appended { ticket, outcome }, None);
                }
                self.admit(place, Job { log, room, durability, known, request });
            }
        }
    }

    fn admit(&mut self, place: usize, job: Job) {
        let delay = self.rng.below(self.config.delays[0] + 1);
        let node = &mut self.nodes[place];
        if node.intake.is_empty() && node.batch.is_empty() {
            node.take_at = self.turn + delay;
        }
        node.intake.push_back(job);
    }

    /// A room that was loaded is held from what was read on.
    fn hold_loaded(&mut self, place: usize, log: LogId, (room, epoch): (&RoomName, Epoch)) {
        let node = &mut self.nodes[place];
        let loaded = node.loaded.get(room).filter(|held| held.known.epoch == Some(epoch)).cloned();
        if let Some(held) = loaded {
            node.known.insert(log, held.known);
            node.held.insert(log, held);
            self.catch_up(place, log);
        }
    }

    fn step(&mut self, now: Now) -> Vec<RoomName> {
        self.now = now;
        self.turn += 1;
        let mut cut = Vec::new();
        if !self.is_away() && self.rng.once_in(self.config.away) {
            self.counts.away += 1;
            self.away_until = self.turn + 1 + self.rng.below(40);
        }
        if self.rng.once_in(self.config.promote) {
            cut = self.promote();
        }
        for place in 0..self.nodes.len() {
            if self.nodes[place].id.is_some() {
                self.step_node(place);
            }
        }
        cut
    }

    fn step_node(&mut self, place: usize) {
        if self.nodes[place].deaf_until == self.turn {
            self.listen_again(place);
        } else if self.turn > self.nodes[place].deaf_until && self.rng.once_in(self.config.deaf) {
            self.counts.deaf += 1;
            self.nodes[place].deaf_until = self.turn + 1 + self.rng.below(60);
        }
        if self.is_away() {
            return;
        }
        self.write(place);
        self.wake(place);
        self.read(place);
    }

    /// The node has heard nothing for a while: it begins anew to listen.
    fn listen_again(&mut self, place: usize) {
        let Some(me) = self.nodes[place].id else { return };
        if self.fault == Some(EngineFault::NeverToldAgain) {
            self.faults_done += 1;
            return;
        }
        for other in self.others(place) {
            if let Some(node) = self.nodes[other].id {
                self.say(place, LogReply::NodeGone { node }, None);
                self.say(other, LogReply::NodeBegun { node: me }, None);
            }
        }
    }

    fn write(&mut self, place: usize) {
        let delay = self.rng.below(self.config.delays[1] + 1);
        let node = &mut self.nodes[place];
        if node.batch.is_empty() {
            if !node.intake.is_empty() && node.take_at <= self.turn {
                node.batch = node.intake.drain(..).collect();
                node.commit_at = self.turn + delay;
            }
        } else if node.commit_at <= self.turn {
            self.counts.commits += 1;
            for job in std::mem::take(&mut self.nodes[place].batch) {
                self.apply(place, job, true);
            }
        }
    }

    /// Does what a job asks for. Where it `is_answered`, its node learns what became of it; else
    /// only that nobody knows.
    fn apply(&mut self, place: usize, job: Job, is_answered: bool) {
        let Job { log, room, durability, known, request } = job;
        match request {
            LogRequest::Open { epoch, retention, .. } => {
                self.open(place, log, (&room, epoch, durability, retention));
            }
            LogRequest::Append { ticket, draft, .. } => {
                self.catch_up(place, log);
                let outcome = self.append(place, (log, &room, known), draft, is_answered);
                self.say(place, LogReply::Appended { ticket, outcome }, None);
            }
            LogRequest::PutMeta { meta, .. } => {
                let is_there = self.durable.rooms.get(&room);
                if is_there.is_some_and(|room| known.epoch == Some(room.epoch)) {
                    self.keep(place, &room, meta);
                    self.wake_others(place, &room);
                }
            }
            LogRequest::Sync { ticket, .. } | LogRequest::Settle { ticket, .. } => {
                self.say(place, LogReply::Synced { ticket, outcome: Ok(()) }, None);
            }
            LogRequest::Drop { .. } => self.drop_room(place, (log, &room)),
            _ => {}
        }
    }

    fn open(
        &mut self,
        place: usize,
        log: LogId,
        (room, epoch, durability, retention): (&RoomName, Epoch, Durability, Retention),
    ) {
        if !self.nodes[place].durability.contains_key(&log) {
            return;
        }
        self.durable.open(room, epoch, (durability, retention));
        let present = self.durable.rooms[room].epoch;
        if self.nodes[place].held.contains_key(&log) {
            return;
        }
        let known = Known { epoch: Some(epoch), acts: 0 };
        let held = Held { room: room.clone(), head: 0, facts: 0, known };
        self.nodes[place].held.insert(log, held);
        if present == epoch {
            let changes = self.changes.entry(room.clone()).or_default();
            let held = self.nodes[place].held.get_mut(&log).expect("just put there");
            held.facts = changes.count;
        } else {
            self.catch_up(place, log);
        }
    }

    fn append(
        &mut self,
        place: usize,
        (log, room, known): (LogId, &RoomName, Known),
        draft: chinwag::chat::model::log::Draft,
        is_answered: bool,
    ) -> Appended {
        let Some(there) = self.durable.rooms.get(room) else {
            return Appended::Refused(LogFault::Broken);
        };
        let acts = self.changes.get(room).map_or(0, |changes| changes.acts_of_others(place));
        let is_stale = known.epoch != Some(there.epoch) || known.acts != acts;
        if is_stale && !draft.is_question {
            if self.fault == Some(EngineFault::StaleRights) && known.epoch == Some(there.epoch) {
                self.faults_done += 1;
            } else {
                self.counts.stale += 1;
                return Appended::Stale;
            }
        }
        let meta = draft.meta.clone();
        let outcome = self.durable.append(room, draft, self.now.wall_ms);
        if let Appended::Stored(record) = &outcome {
            if matches!(record.body, Body::Moderation { .. }) {
                let changes = self.changes.entry(room.clone()).or_default();
                *changes.acts.entry(place).or_default() += 1;
            }
            for meta in meta {
                self.note_fact(place, room, meta);
            }
            if is_answered && let Some(held) = self.nodes[place].held.get_mut(&log) {
                held.head = record.seq;
            }
            self.wake_others(place, room);
        }
        self.break_outcome(is_answered, outcome)
    }

    fn break_outcome(&mut self, is_answered: bool, outcome: Appended) -> Appended {
        if !is_answered {
            self.counts.undecided += 1;
            return Appended::Undecided;
        }
        match outcome {
            Appended::Duplicate { seq, at }
                if self.fault == Some(EngineFault::OtherDuplicate) && seq > 1 =>
            {
                self.faults_done += 1;
                Appended::Duplicate { seq: seq - 1, at }
            }
            outcome => outcome,
        }
    }

    /// Writes a fact: marks do not go back, and roles are changed by records only.
    fn keep(&mut self, place: usize, room: &RoomName, meta: RoomMeta) {
        let key = FactKey::of(&meta);
        let there = self.durable.rooms.get(room).and_then(|room| room.meta.get(&key)).cloned();
        let meta = match (there, meta) {
            (Some(RoomMeta::Member(_, Some(had))), RoomMeta::Member(user, Some(mut member))) => {
                member.role = had.role;
                (member.recv, member.read) = (member.recv.max(had.recv), member.read.max(had.read));
                RoomMeta::Member(user, Some(member))
            }
            (_, meta) => meta,
        };
        self.durable.keep(room, meta.clone());
        self.note_fact(place, room, meta);
    }

    fn note_fact(&mut self, place: usize, room: &RoomName, meta: RoomMeta) {
        let changes = self.changes.entry(room.clone()).or_default();
        changes.count += 1;
        changes.facts.insert(FactKey::of(&meta), (changes.count, place, meta));
    }

    /// Drops a room, unless somebody has entered it or spoken there.
    fn drop_room(&mut self, place: usize, (log, room): (LogId, &RoomName)) {
        let node = &mut self.nodes[place];
        let held = node.held.remove(&log);
        node.known.remove(&log);
        node.durability.remove(&log);
        let (Some(held), Some(there)) = (held, self.durable.rooms.get(room)) else { return };
        let has_members = there.meta.keys().any(|key| matches!(key, FactKey::Member(_)));
        if has_members || held.head != there.head || held.known.epoch != Some(there.epoch) {
            return;
        }
        self.durable.remove(room);
        self.changes.remove(room);
        for other in self.others(place) {
            let logs = self.nodes[other].held.iter();
            let log = logs.filter(|(_, held)| held.room == *room).map(|(log, _)| *log).next();
            if let Some(log) = log {
                self.counts.gone += 1;
                self.nodes[other].held.remove(&log);
                self.say(other, LogReply::Gone { log }, None);
            }
        }
    }

    /// The nodes that hold the room hear that it has grown, late or not at all.
    fn wake_others(&mut self, place: usize, room: &RoomName) {
        let mut others = self.others(place);
        // Also the one that has written it, if it did not learn of that.
        others.push(place);
        for other in others {
            let is_deaf = self.turn < self.nodes[other].deaf_until;
            let is_lost = is_deaf || self.rng.once_in(self.config.lost_wake);
            let due = self.turn + self.rng.below(self.config.wake_delay + 1);
            if is_lost {
                self.counts.lost_wakes += 1;
            } else {
                self.nodes[other].wakes.entry(room.clone()).or_insert(due);
            }
        }
    }

    fn wake(&mut self, place: usize) {
        if self.fault == Some(EngineFault::StuckListener) && place == 0 {
            self.faults_done += 1;
            return;
        }
        let is_due = self.nodes[place].compare_at <= self.turn;
        if is_due {
            self.nodes[place].compare_at = self.turn + COMPARE_EVERY;
        }
        let turn = self.turn;
        let node = &mut self.nodes[place];
        let woken: Vec<RoomName> =
            node.wakes.extract_if(.., |_, due| *due <= turn).map(|(room, _)| room).collect();
        let logs = node.held.iter();
        let logs = logs.filter(|(_, held)| is_due || woken.contains(&held.room));
        let logs: Vec<LogId> = logs.map(|(log, _)| *log).collect();
        for log in logs {
            self.catch_up(place, log);
        }
    }

    /// Tells a node what it was not told of a log: all of it.
    fn catch_up(&mut self, place: usize, log: LogId) {
        let Some(held) = self.nodes[place].held.get(&log).cloned() else { return };
        let Some(room) = self.durable.rooms.get(&held.room) else { return };
        let changes = self.changes.entry(held.room.clone()).or_default();
        let acts = changes.acts_of_others(place);
        let known = Known { epoch: Some(room.epoch), acts };
        let now = Held { room: held.room.clone(), head: room.head, facts: changes.count, known };
        let reply = if Some(room.epoch) != held.known.epoch {
            if self.fault == Some(EngineFault::MissedEpoch) && held.head > 0 {
                self.faults_done += 1;
                return;
            }
            self.counts.renewed += 1;
            let begun = Box::new(begun(&held.room, room));
            LogReply::Renewed { log, begun }
        } else {
            let records: Vec<SharedRecord> =
                room.records.range(held.head + 1..).map(|(_, record)| record.clone()).collect();
            let facts = changes.facts.values();
            let mut facts: Vec<_> =
                facts.filter(|(count, by, _)| *count > held.facts && *by != place).collect();
            facts.sort_by_key(|(count, ..)| *count);
            let meta: Vec<RoomMeta> = facts.into_iter().map(|(.., meta)| meta.clone()).collect();
            if records.is_empty() && meta.is_empty() {
                return;
            }
            self.counts.grown += 1;
            LogReply::Grown { log, records: self.break_records(records), meta }
        };
        self.nodes[place].held.insert(log, now);
        self.say(place, reply, Some((log, known)));
    }

    fn break_records(&mut self, mut records: Vec<SharedRecord>) -> Vec<SharedRecord> {
        let Some(fault) = self.fault.filter(|_| !records.is_empty()) else { return records };
        match fault {
            EngineFault::GrownDoubled if self.rng.once_in(4) => {
                let first = records[0].clone();
                records.insert(0, first);
            }
            EngineFault::GrownSwapped if records.len() > 1 => records.swap(0, 1),
            EngineFault::RecordLost if self.rng.once_in(4) => drop(records.remove(0)),
            _ => return records,
        }
        self.faults_done += 1;
        records
    }

    fn read(&mut self, place: usize) {
        let turn = self.turn;
        let due: Vec<Reading> =
            self.nodes[place].reads.extract_if(.., |reading| reading.due <= turn).collect();
        for Reading { ticket, query, .. } in due {
            if let Query::Load(wanted) = &query {
                self.load(place, wanted);
            }
            let node = &self.nodes[place];
            let open: OpenLogs =
                node.held.iter().map(|(log, held)| (*log, held.room.clone())).collect();
            let outcome = Ok(match &query {
                // Of what is held it was told just before.
                Query::Load(wanted) => {
                    let mut found = self.durable.load(wanted);
                    found.rooms.retain(|room| !open.values().any(|open| *open == room.name));
                    Answer::Loaded(found)
                }
                query => reader::answer(&self.durable, &open, query),
            });
            self.say(place, LogReply::Answer { ticket, outcome }, None);
        }
    }

    /// What is read of rooms that are not held is what the node knows when it opens them.
    fn load(&mut self, place: usize, wanted: &Wanted) {
        for name in self.durable.load(wanted).rooms.into_iter().map(|room| room.name) {
            let held = self.nodes[place].held.iter().find(|(_, held)| held.room == name);
            if let Some((&log, _)) = held {
                self.catch_up(place, log);
                continue;
            }
            let room = &self.durable.rooms[&name];
            let changes = self.changes.entry(name.clone()).or_default();
            let acts = changes.acts_of_others(place);
            let known = Known { epoch: Some(room.epoch), acts };
            let held = Held { room: name.clone(), head: room.head, facts: changes.count, known };
            self.nodes[place].loaded.insert(name, held);
        }
    }

    /// A standby takes the place of the primary. What waited for it is there or not, and nobody is
    /// told which; where it was not synchronous, logs have lost their ends and begin anew.
    fn promote(&mut self) -> Vec<RoomName> {
        self.counts.promotions += 1;
        for place in 0..self.nodes.len() {
            let is_there = self.rng.once_in(2);
            let jobs = std::mem::take(&mut self.nodes[place].batch);
            let mut again = Vec::new();
            for job in jobs {
                match &job.request {
                    _ if is_there => self.apply(place, job, false),
                    LogRequest::Append { ticket, .. } => {
                        self.counts.undecided += 1;
                        let (ticket, outcome) = (*ticket, Appended::Undecided);
                        self.say(place, LogReply::Appended { ticket, outcome }, None);
                    }
                    _ => again.push(job),
                }
            }
            for job in again.into_iter().rev() {
                self.nodes[place].intake.push_front(job);
            }
        }
        let cut =
            if self.rng.once_in(2) { self.durable.lose_machine(&mut self.rng) } else { Vec::new() };
        self.counts.cut += cut.len() as u64;
        self.away_until = self.turn + 1 + self.rng.below(20);
        for place in 0..self.nodes.len() {
            let logs: Vec<LogId> = self.nodes[place].held.keys().copied().collect();
            for log in logs {
                self.catch_up(place, log);
            }
        }
        cut
    }
}

fn begun(name: &RoomName, room: &super::durable::Room) -> Begun {
    Begun {
        name: name.clone(),
        epoch: room.epoch,
        durability: room.durability,
        head: room.head,
        oldest: room.oldest,
        meta: room.meta.values().cloned().collect(),
        kept: None,
    }
}
