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

mod counts;
mod people;
mod sessions;
mod tells;
mod writes;

use std::cell::{Ref, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use chinwag::chat::Epoch;
use chinwag::chat::model::load::{Found, Wanted};
use chinwag::chat::model::log::{
    Appended, Elsewhere, LogFault, LogId, LogReply, LogRequest, Logs, Query, RoomMeta, Snapshot,
    Ticket,
};
use chinwag::chat::model::name::RoomName;
use chinwag::chat::model::other_nodes::NodeId;
use chinwag::chat::model::people::People;
use chinwag::chat::model::profile::PublicProfile;
use chinwag::chat::model::reply::Durability;
use chinwag::rng::Rng;
use chinwag::time::clock::Now;

pub(crate) use self::counts::EngineCounts;
use self::sessions::Sessions;
use super::durable::{Durable, FactKey};
use super::engine_fault::EngineFault;
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
    /// What it was told of people.
    people_version: u64,
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
    people: People,
    /// How often what is kept of people was changed.
    people_version: u64,
    changes: BTreeMap<RoomName, Changes>,
    nodes: Vec<Node>,
    next_id: u64,
    away_until: u64,
    sessions: Sessions,
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
            people: People::default(),
            people_version: 0,
            changes: BTreeMap::new(),
            nodes: (0..nodes).map(|_| Node::default()).collect(),
            next_id: 1,
            away_until: 0,
            sessions: Sessions::default(),
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

    /// What users say of themselves: display name and status text.
    pub(crate) fn profiles(&self) -> BTreeMap<String, [String; 2]> {
        let engine = self.0.borrow();
        let profiles = engine.people.profiles.iter();
        let said =
            |profile: &PublicProfile| [&profile.display, &profile.text].map(ToString::to_string);
        profiles.map(|(user, profile)| (user.to_string(), said(profile))).collect()
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
        let people_version = self.people_version;
        self.nodes[place] = Node { id: Some(id), people_version, ..Node::default() };
        for other in self.others(place) {
            self.say(other, LogReply::NodeBegun { node: id }, None);
        }
        let elsewhere = Elsewhere {
            on_demand: true,
            rooms: self.durable.rooms.len(),
            newest: self.durable.rooms.values().map(|room| room.epoch).max(),
            names: Vec::new(),
        };
        Snapshot { node: Some(id), elsewhere, people: self.people.clone(), ..Snapshot::default() }
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
            LogRequest::People { ticket, changes } => self.change_people(place, ticket, &changes),
            LogRequest::Claim(ticket, claim) => self.claim(place, ticket, claim),
            LogRequest::Session(change) => self.sessions.change(&change),
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
                let room = self.durable.key(room);
                let known = Known { epoch: Some(epoch), acts: 0 };
                let is_loaded = self.hold_loaded(place, log, (&room, epoch));
                let node = &mut self.nodes[place];
                node.durability.insert(log, (room.clone(), durability));
                let known = *node.known.entry(log).or_insert(known);
                // One that was found is not made anew, though it be gone by now.
                if !is_loaded {
                    self.admit(place, Job { log, room, durability, known, request });
                }
            }
            LogRequest::Append { log, .. }
            | LogRequest::PutMeta { log, .. }
            | LogRequest::Sync { log, .. }
            | LogRequest::Settle { log, .. }
            | LogRequest::End { log, .. }
            | LogRequest::Drop { log } => {
                let node = &mut self.nodes[place];
                let Some((room, durability)) = node.durability.get(&log).cloned() else {
                    return self.answer_about_nothing(place, &request);
                };
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

    /// The log has gone, which who asks was not told yet.
    fn answer_about_nothing(&mut self, place: usize, request: &LogRequest) {
        let reply = match *request {
            LogRequest::Append { ticket, .. } => {
                let outcome = Appended::Refused(LogFault::Broken);
                LogReply::Appended { ticket, outcome }
            }
            LogRequest::Sync { ticket, .. } | LogRequest::Settle { ticket, .. } => {
                LogReply::Synced { ticket, outcome: Ok(()) }
            }
            LogRequest::End { ticket, .. } => {
                LogReply::Synced { ticket, outcome: Err(LogFault::Taken) }
            }
            _ => return,
        };
        self.say(place, reply, None);
    }

    fn admit(&mut self, place: usize, job: Job) {
        let delay = self.rng.below(self.config.delays[0] + 1);
        let node = &mut self.nodes[place];
        if node.intake.is_empty() && node.batch.is_empty() {
            node.take_at = self.turn + delay;
        }
        node.intake.push_back(job);
    }

    /// A room that was loaded is held from what was read on; whether it was.
    fn hold_loaded(&mut self, place: usize, log: LogId, (room, epoch): (&RoomName, Epoch)) -> bool {
        let node = &mut self.nodes[place];
        let loaded = node.loaded.get(room).filter(|held| held.known.epoch == Some(epoch)).cloned();
        let Some(held) = loaded else { return false };
        node.known.insert(log, held.known);
        node.held.insert(log, held);
        self.catch_up(place, log);
        true
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
}
