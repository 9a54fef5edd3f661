//! Two nodes that share their logs: what one does, the other follows.

#![expect(clippy::disallowed_types, reason = "two harnesses own one log, and tests look into it")]

mod closing;
mod names;
mod pushes;
mod records;
mod rooms;
mod sessions;
mod whereabouts;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use super::super::model::load::{Begun, Depth, Found, Kept, KnownUser, Wanted};
use super::super::model::log::{
    Answer, Appended, Draft, Elsewhere, Farewell, InboxFound, LogFault, LogId, LogReply,
    LogRequest, Restriction, RoomMeta,
};
use super::super::model::other_nodes::{NodeId, Told};
use super::super::model::policy::{Policies, Policy};
use super::super::model::record::Record;
use super::super::model::reply::Durability;
use super::super::model::sessions::{
    Claimed, FormerSession, SessionChange, SessionClaim, SessionSecret,
};
use super::*;

/// A room that all nodes share.
#[derive(Debug)]
struct SharedRoom {
    epoch: Epoch,
    records: Vec<SharedRecord>,
    meta: Vec<RoomMeta>,
}

/// What all nodes share, and what each is still to be told.
#[derive(Debug, Default)]
struct Shared {
    rooms: BTreeMap<RoomName, SharedRoom>,
    nodes: [NodeQueue; 2],
    /// What the next appends are answered with, in place of what is so. The record of one that is
    /// undecided is in the log.
    answers: VecDeque<Appended>,
    /// How many facts each node has written.
    facts: [usize; 2],
    /// What is told behind the answer under way, and to which node.
    late: VecDeque<(usize, LogReply)>,
    /// All that was told from node to node.
    told: Vec<Told>,
    /// Nothing is told from node to node.
    deaf: bool,
    /// What others have put into logs is not told yet.
    grown_later: Option<Vec<(usize, LogReply)>>,
    sessions: BTreeMap<SessionSecret, SharedSession>,
    /// What the next claims are answered with, in place of what is so.
    claims: VecDeque<Result<Claimed, LogFault>>,
}

/// A session that can be resumed.
#[derive(Debug)]
struct SharedSession {
    claim: SessionClaim,
    /// Where it is live.
    node: Option<usize>,
    away: bool,
}

#[derive(Debug, Default)]
struct NodeQueue {
    open: BTreeMap<LogId, RoomName>,
    replies: VecDeque<LogReply>,
}

/// The logs as one node has them.
#[derive(Clone, Debug)]
struct SharedLogs {
    shared: Rc<RefCell<Shared>>,
    node: usize,
}

impl Logs for SharedLogs {
    fn request(&mut self, now: Now, request: LogRequest) {
        self.shared.borrow_mut().request(self.node, now, request);
    }

    fn flush(&mut self) {}

    fn poll(&mut self) -> Option<LogReply> {
        self.shared.borrow_mut().nodes[self.node].replies.pop_front()
    }
}

const fn node_id(node: usize) -> NodeId {
    NodeId(if node == 0 { 10 } else { 11 })
}

fn is_same_fact(a: &RoomMeta, b: &RoomMeta) -> bool {
    match (a, b) {
        (RoomMeta::Access { .. }, RoomMeta::Access { .. })
        | (RoomMeta::Topic(..), RoomMeta::Topic(..))
        | (RoomMeta::Name(..), RoomMeta::Name(..)) => true,
        (RoomMeta::Member(a, _), RoomMeta::Member(b, _)) => a == b,
        (RoomMeta::Restriction(a, kind, _), RoomMeta::Restriction(b, other, _)) => {
            a == b && kind == other
        }
        _ => false,
    }
}

impl SharedRoom {
    fn begun(&self, name: &RoomName) -> Begun {
        let head = u64::try_from(self.records.len()).unwrap();
        let durability = Durability::Disk;
        let kept = Kept {
            row: 1,
            epoch: self.epoch,
            durability,
            seqs: (1, head),
            at: 0,
            bytes: 0,
            changes: (0, 0),
        };
        Begun {
            name: name.clone(),
            epoch: self.epoch,
            durability,
            head,
            oldest: 1,
            meta: self.meta.clone(),
            kept: Some(kept),
        }
    }

    fn keep(&mut self, meta: &RoomMeta) {
        self.meta.retain(|known| !is_same_fact(known, meta));
        if !matches!(meta, RoomMeta::Member(_, None) | RoomMeta::Restriction(_, _, None)) {
            self.meta.push(meta.clone());
        }
    }

    fn append(&mut self, now: Now, draft: Draft) -> Appended {
        let cid = |body: &Body| match body {
            Body::Message { cid, .. } => cid.clone(),
            _ => None,
        };
        if let Some(wanted) = cid(&draft.body)
            && let Some(known) = self.records.iter().find(|known| {
                known.from == draft.from && cid(&known.body).as_ref() == Some(&wanted)
            })
        {
            return Appended::Duplicate { seq: known.seq, at: known.at };
        }
        if draft.is_question {
            return Appended::Unknown;
        }
        let Draft { from, body, weight, meta, .. } = draft;
        let seq = u64::try_from(self.records.len()).unwrap() + 1;
        let record = SharedRecord::new(Record { seq, at: now.wall_ms, from, body, weight });
        self.records.push(SharedRecord::clone(&record));
        for meta in &meta {
            self.keep(meta);
        }
        Appended::Stored(record)
    }
}

impl Shared {
    fn request(&mut self, node: usize, now: Now, request: LogRequest) {
        let reply = match request {
            LogRequest::Open { log, room, epoch, kept, .. } => {
                let room = self.present_name(&room).unwrap_or(room);
                self.nodes[node].open.insert(log, room.clone());
                let is_there = self.rooms.contains_key(&room);
                let shared = self.rooms.entry(room.clone()).or_insert_with(|| SharedRoom {
                    epoch,
                    records: Vec::new(),
                    meta: Vec::new(),
                });
                if !is_there || kept.is_some() {
                    return;
                }
                LogReply::Renewed { log, begun: Box::new(shared.begun(&room)) }
            }
            LogRequest::Append { log, ticket, draft } => {
                let outcome = self.append(node, now, (log, draft));
                LogReply::Appended { ticket, outcome }
            }
            LogRequest::PutMeta { log, meta } => {
                self.facts[node] += 1;
                let Some(room) = self.nodes[node].open.get(&log).cloned() else { return };
                if let Some(shared) = self.rooms.get_mut(&room) {
                    shared.keep(&meta);
                    self.grow(node, &room, (Vec::new(), vec![meta]));
                }
                return;
            }
            LogRequest::Sync { ticket, .. }
            | LogRequest::Settle { ticket, .. }
            | LogRequest::People { ticket, .. } => LogReply::Synced { ticket, outcome: Ok(()) },
            LogRequest::Read { ticket, query } => {
                LogReply::Answer { ticket, outcome: Ok(self.read(node, query)) }
            }
            LogRequest::Tell(told) => {
                self.told.push(told.clone());
                if !self.deaf {
                    let told = LogReply::Told { node: node_id(node), told };
                    self.nodes[1 - node].replies.push_back(told);
                }
                return;
            }
            LogRequest::Claim(ticket, claim) => {
                let outcome = match self.claims.pop_front() {
                    Some(planned) => planned,
                    None => Ok(self.claim(node, claim)),
                };
                LogReply::Claimed(ticket, outcome)
            }
            LogRequest::Session(change) => return self.change_session(&change),
            LogRequest::Drop { log } => return self.drop_room(node, log, None),
            LogRequest::End { log, ticket, farewell } => {
                let outcome = self.end_room(node, log, farewell);
                LogReply::Synced { ticket, outcome }
            }
            LogRequest::Close { log } => {
                self.nodes[node].open.remove(&log);
                return;
            }
            LogRequest::Adopt { .. } | LogRequest::Notice(_) => return,
        };
        self.nodes[node].replies.push_back(reply);
        for (node, grown) in std::mem::take(&mut self.late) {
            self.nodes[node].replies.push_back(grown);
        }
    }

    fn append(&mut self, node: usize, now: Now, (log, draft): (LogId, Draft)) -> Appended {
        let room = self.nodes[node].open[&log].clone();
        let planned = self.answers.pop_front();
        let is_undecided = planned == Some(Appended::Undecided);
        if let Some(answer) = planned.filter(|_| !is_undecided) {
            return answer;
        }
        if let Some(refused) = self.refuse_name(&room, &draft.body) {
            return refused;
        }
        let shared = self.rooms.get_mut(&room).unwrap();
        // The record says the name.
        let is_told = |meta: &&RoomMeta| !matches!(meta, RoomMeta::Name(..));
        let meta: Vec<RoomMeta> = draft.meta.iter().filter(is_told).cloned().collect();
        let outcome = shared.append(now, draft);
        let Appended::Stored(record) = &outcome else { return outcome };
        self.grow(node, &room, (vec![SharedRecord::clone(record)], meta.clone()));
        self.take_name(&room, &record.body);
        if is_undecided {
            // Behind the answer, as of another node.
            let grown = LogReply::Grown { log, records: vec![SharedRecord::clone(record)], meta };
            self.late.push_back((node, grown));
            return Appended::Undecided;
        }
        outcome
    }

    /// Tells the other node, if it has the room.
    fn grow(&mut self, node: usize, room: &RoomName, grown: (Vec<SharedRecord>, Vec<RoomMeta>)) {
        let other = &mut self.nodes[1 - node];
        let found = other.open.iter().find(|(_, name)| *name == room);
        if let Some((&log, _)) = found {
            let (records, meta) = grown;
            let grown = LogReply::Grown { log, records, meta };
            match &mut self.grown_later {
                Some(later) => later.push((1 - node, grown)),
                None => other.replies.push_back(grown),
            }
        }
    }

    fn read(&self, node: usize, query: Query) -> Answer {
        let records = |log: LogId| &self.rooms[&self.nodes[node].open[&log]].records;
        match query {
            Query::Load(wanted) => Answer::Loaded(self.load(&wanted)),
            Query::Page { log, from, to, .. } => {
                let found = records(log).iter().filter(|record| (from..=to).contains(&record.seq));
                Answer::Records { records: found.cloned().collect(), as_of: 0 }
            }
            Query::Inbox { rows, .. } => {
                Answer::Inbox(rows.iter().map(|_| InboxFound::default()).collect())
            }
            other => panic!("{other:?}"),
        }
    }

    fn load(&self, wanted: &Wanted) -> Found {
        let mut found = Found::default();
        let names: BTreeSet<RoomName> =
            wanted.rooms.keys().filter_map(|name| self.present_name(name)).collect();
        for name in &names {
            if let Some(room) = self.rooms.get(name) {
                found.rooms.push(room.begun(name));
                let ends = name.pair().into_iter().flat_map(|(a, b)| [a, b]);
                let ends = ends.filter_map(UserName::stored);
                found.users.extend(ends.map(|end| self.known(&end, Depth::Known)));
            }
        }
        for secret in &wanted.sessions {
            if let Some(SharedSession { claim, .. }) = self.session_by(*secret) {
                let (user, is_guest) = (claim.user.clone(), claim.is_guest);
                found.sessions.insert(*secret, FormerSession { user, is_guest });
            }
        }
        found.users.extend(wanted.users.iter().map(|(name, depth)| self.known(name, *depth)));
        found
    }

    fn known(&self, name: &UserName, depth: Depth) -> KnownUser {
        let is_in = |room: &SharedRoom| {
            room.meta.iter().any(|meta| match meta {
                RoomMeta::Member(user, _)
                | RoomMeta::Restriction(user, Restriction::Invited, _) => user == name,
                _ => false,
            })
        };
        let rooms = self.rooms.iter().filter(|(_, room)| is_in(room)).map(|(name, _)| name.clone());
        let rooms: Vec<RoomName> = rooms.collect();
        let is_member = !rooms.is_empty();
        let rooms = if depth == Depth::Known { Vec::new() } else { rooms };
        KnownUser { name: name.clone(), is_member, has_come: true, rooms }
    }
}

/// Two nodes. Connections have a number at both together.
struct Pair {
    nodes: [Harness; 2],
    shared: Rc<RefCell<Shared>>,
}

impl Pair {
    fn new() -> Self {
        let shared = Rc::new(RefCell::new(Shared::default()));
        let nodes = [0, 1].map(|node| {
            let policy = Policy { durability: Durability::Disk, ..Policy::default() };
            let policies = Policies::uniform(policy);
            let mut harness = Harness::new(Limits { policies, ..Limits::default() });
            harness.store = Box::new(SharedLogs { shared: Rc::clone(&shared), node });
            let elsewhere = Elsewhere { on_demand: true, ..Elsewhere::default() };
            // As two processes have other dice.
            harness.secrets = u128::try_from(node).unwrap() << 40;
            let node = Some(node_id(node));
            // Each start has epochs of its own.
            harness.chat.vary_epochs(u128::from(node.map_or(0, |node| node.0)));
            let snapshot = Snapshot { elsewhere, node, ..Snapshot::default() };
            harness.chat.restore(harness.now, snapshot);
            harness
        });
        Self { nodes, shared }
    }

    /// `ann` at the first node by connection 0, `bob` at the second by connection 1, both in
    /// `lobby`, with nothing left to be said.
    fn in_lobby() -> Self {
        let mut pair = Self::new();
        pair.come(0, 0, "ann");
        pair.come(1, 1, "bob");
        for (node, number) in [(0, 0), (1, 1)] {
            pair.run(node, number, join("lobby"));
        }
        pair.wait(20_000);
        pair
    }

    fn come(&mut self, node: usize, number: usize, name: &str) -> String {
        let session = self.nodes[node].hello(number, name);
        self.end_turns();
        session
    }

    fn go(&mut self, node: usize, number: usize) -> [Vec<Output>; 2] {
        let now = self.nodes[node].now;
        self.nodes[node].chat.handle_closed(now, conn(number));
        self.end_turns()
    }

    /// One command, and what both nodes say until all is answered.
    fn run(&mut self, node: usize, number: usize, command: Command<'_>) -> [Vec<Output>; 2] {
        self.nodes[node].ask(number, command);
        self.end_turns()
    }

    /// The log says something to a node.
    fn reply(&mut self, node: usize, reply: LogReply) -> [Vec<Output>; 2] {
        self.shared.borrow_mut().nodes[node].replies.push_back(reply);
        self.end_turns()
    }

    fn end_turns(&mut self) -> [Vec<Output>; 2] {
        let mut said = [Vec::new(), Vec::new()];
        // As often as a word goes to and fro.
        for _ in 0..4 {
            for (node, said) in self.nodes.iter_mut().zip(&mut said) {
                said.extend(node.end_turn());
            }
        }
        said
    }

    fn wait(&mut self, millis: u64) -> [Vec<Output>; 2] {
        let mut said = [Vec::new(), Vec::new()];
        for _ in 0..millis.div_ceil(100) {
            for (node, said) in self.nodes.iter_mut().zip(&mut said) {
                said.extend(node.wait(100));
            }
            for (said, more) in said.iter_mut().zip(self.end_turns()) {
                said.extend(more);
            }
        }
        said
    }

    fn log(&self, node: usize, room: &str) -> LogId {
        let chat = &self.nodes[node].chat;
        chat.rooms[chat.rooms.named(room).unwrap()].log
    }

    /// What the next append is answered with.
    fn plan(&self, answer: Appended) {
        self.shared.borrow_mut().answers.push_back(answer);
    }

    fn take_told(&self) -> Vec<Told> {
        std::mem::take(&mut self.shared.borrow_mut().told)
    }
}

fn join(room: &str) -> Command<'_> {
    Command::Join { room: room.into(), after: None, epoch: None }
}

fn say<'a>(room: &'a str, text: &'a str) -> Command<'a> {
    message(Target::Room(room.into()), text, None)
}

/// What a connection hears, but for who is there and that it is woken.
fn lines(said: &[Output], number: usize) -> Vec<String> {
    let mut lines = sent_to(said, number);
    lines.retain(|line| {
        let is_of_people = ["presence", "receipts", "own receipt"];
        line != "wake" && !is_of_people.iter().any(|kind| line.starts_with(kind))
    });
    lines
}

/// What a connection hears of this kind.
fn lines_of(said: &[Output], number: usize, kind: &str) -> Vec<String> {
    let mut lines = sent_to(said, number);
    lines.retain(|line| line.starts_with(kind));
    lines
}
