//! Several nodes over one engine: what each learns of the others.

use std::collections::BTreeMap;

use super::peer::{Database, Patience, Peer};
use crate::chat::model::load::{Begun, Wanted};
use crate::chat::model::log::{
    Answer, Appended, Draft, LogFault, LogId, LogReply, LogRequest, MemberMeta, Query, RoomMeta,
    Ticket,
};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::other_nodes::Told;
use crate::chat::model::policy::Retention;
use crate::chat::model::record::{Body, Epoch};
use crate::chat::model::reply::{Durability, Presence, Role};

/// The log of each node.
pub(super) fn log() -> LogId {
    LogId::new(1, 1)
}

pub(super) fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

pub(super) fn room(name: &str) -> RoomName {
    RoomName::stored(name).unwrap()
}

pub(super) fn message(from: &str, text: &str, cid: Option<&str>) -> Draft {
    Draft::new(user(from), Body::plain(text, cid), 300)
}

pub(super) fn member(name: &str, role: Role, read: u64) -> RoomMeta {
    RoomMeta::Member(user(name), Some(MemberMeta { role, recv: read, read, joined: 7 }))
}

/// What one node was told of one log.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) head: u64,
    pub(super) texts: BTreeMap<u64, String>,
    pub(super) facts: Vec<RoomMeta>,
    pub(super) answers: BTreeMap<u64, Appended>,
    pub(super) others: Vec<LogReply>,
}

impl Seen {
    /// Takes a reply: records must come dense and in order.
    #[track_caller]
    pub(super) fn take(&mut self, reply: LogReply) {
        match reply {
            LogReply::Grown { records, meta, .. } => {
                for record in records {
                    self.put(record.seq, record.body.text().unwrap_or_default());
                }
                self.facts.extend(meta);
            }
            LogReply::Appended { ticket, outcome } => {
                if let Appended::Stored(record) = &outcome {
                    self.put(record.seq, record.body.text().unwrap_or_default());
                }
                self.answers.insert(ticket.0, outcome);
            }
            reply => self.others.push(reply),
        }
    }

    #[track_caller]
    fn put(&mut self, seq: u64, text: &str) {
        assert_eq!(seq, self.head + 1, "dense and in order: {:?}", self.others);
        self.head = seq;
        self.texts.insert(seq, text.to_owned());
    }
}

/// A node and what it was told.
pub(super) struct Actor {
    pub(super) peer: Peer,
    pub(super) seen: Seen,
}

impl Actor {
    pub(super) fn new(database: &Database, seed: u64) -> Self {
        Self { peer: Peer::new(&database.address, seed), seen: Seen::default() }
    }

    pub(super) fn open(&mut self, name: &str, epoch: u64, kept: Option<&Begun>) {
        self.seen.head = kept.map_or(0, |begun| begun.head);
        self.peer.ask(LogRequest::Open {
            log: log(),
            room: room(name),
            epoch: kept.map_or(Epoch(epoch), |begun| begun.epoch),
            durability: Durability::Disk,
            retention: Retention::default(),
            kept: kept.and_then(|begun| begun.kept),
        });
    }

    pub(super) fn append(&mut self, ticket: u64, draft: Draft) {
        self.peer.ask(LogRequest::Append { log: log(), ticket: Ticket(ticket), draft });
    }

    pub(super) fn put(&mut self, meta: RoomMeta) {
        self.peer.ask(LogRequest::PutMeta { log: log(), meta });
    }

    /// Waits until all that was asked is written.
    #[track_caller]
    pub(super) fn sync(&mut self) -> Result<(), LogFault> {
        let ticket = Ticket(u64::MAX);
        self.peer.ask(LogRequest::Sync { log: log(), ticket });
        loop {
            match self.peer.reply() {
                LogReply::Synced { ticket: of, outcome } if of == ticket => return outcome,
                reply => self.seen.take(reply),
            }
        }
    }

    /// Lets it go on until something is so.
    #[track_caller]
    pub(super) fn until(&mut self, is_so: impl Fn(&Seen) -> bool) {
        while !is_so(&self.seen) {
            let reply = self.peer.reply();
            self.seen.take(reply);
        }
    }

    pub(super) fn poll(&mut self) {
        while let Some(reply) = self.peer.poll_reply() {
            self.seen.take(reply);
        }
    }

    /// Lets it go on until everything that it has sent is answered.
    pub(super) fn run_until_idle(&mut self) {
        self.poll();
        while !self.peer.node().is_settled() {
            self.poll();
        }
    }

    #[track_caller]
    pub(super) fn load(&mut self, name: &str) -> Option<Begun> {
        let mut wanted = Wanted::default();
        wanted.add_room(room(name), false);
        let query = Query::Load(Box::new(wanted));
        self.peer.ask(LogRequest::Read { ticket: Ticket(0), query });
        loop {
            match self.peer.reply() {
                LogReply::Answer { outcome: Ok(Answer::Loaded(mut found)), .. } => {
                    return found.rooms.pop();
                }
                LogReply::Answer { outcome, .. } => panic!("{outcome:?}"),
                reply => self.seen.take(reply),
            }
        }
    }
}

/// Lets both go on until something is so of each.
#[track_caller]
pub(super) fn both(nodes: &mut [Actor; 2], is_so: impl Fn(&Seen) -> bool) {
    let patience = Patience::begin();
    while !nodes.iter().all(|node| is_so(&node.seen)) {
        for node in &mut *nodes {
            node.poll();
        }
        assert!(patience.is_left(), "{:?} {:?}", nodes[0].seen, nodes[1].seen);
    }
}

/// Two nodes with one room.
pub(super) fn two(database: &Database) -> [Actor; 2] {
    let [mut one, mut two] = [1, 2].map(|seed| Actor::new(database, seed));
    one.open("lobby", 5, None);
    assert_eq!(one.sync(), Ok(()));
    let begun = two.load("lobby").unwrap();
    two.open("lobby", 6, Some(&begun));
    [one, two]
}

#[test]
fn two_nodes_see_each_others_records_dense_and_in_order() {
    let Some(database) = Database::new() else { return };
    let mut nodes = two(&database);
    for round in 0..200 {
        for (nth, node) in nodes.iter_mut().enumerate() {
            for more in 0..3 {
                let cid = format!("{round}-{more}");
                let name = ["ann", "bob"][nth];
                node.append(round * 3 + more, message(name, &format!("{name} {cid}"), Some(&cid)));
            }
            node.poll();
        }
    }
    both(&mut nodes, |seen| seen.head == 1_200 && seen.answers.len() == 600);
    for node in &nodes {
        assert_eq!(node.seen.answers.len(), 600);
        assert!(node.seen.answers.values().all(|it| matches!(it, Appended::Stored(_))));
    }
    let [one, two] = nodes;
    assert_eq!(one.seen.texts, two.seen.texts);
}

#[test]
fn what_was_not_heard_is_found_all_the_same() {
    let Some(database) = Database::new() else { return };
    let [mut one, mut two] = two(&database);
    two.peer.faults().is_deaf = true;
    one.append(1, message("ann", "unheard", Some("c")));
    one.until(|seen| seen.head == 1);
    two.until(|seen| seen.head == 1);
    // Its own answer shows the gap at once.
    for nth in 2..5 {
        one.append(nth, message("ann", "more", None));
    }
    one.until(|seen| seen.head == 4);
    two.append(1, message("bob", "mine", None));
    two.until(|seen| seen.head == 5);
    assert_eq!(two.seen.texts[&5], "mine");
}

#[test]
fn a_room_that_two_nodes_make_at_once_is_one() {
    let Some(database) = Database::new() else { return };
    let [mut one, mut two] = [1, 2].map(|seed| Actor::new(&database, seed));
    one.open("lobby", 5, None);
    one.put(member("ann", Role::Owner, 0));
    assert_eq!(one.sync(), Ok(()));
    two.open("lobby", 6, None);
    two.put(member("bob", Role::Owner, 0));
    two.append(1, message("bob", "mine", None));
    assert_eq!(two.sync(), Err(LogFault::Taken));
    let [LogReply::Renewed { begun, .. }] = &two.seen.others[..] else { panic!("{:?}", two.seen) };
    assert_eq!((begun.epoch, begun.head), (Epoch(5), 0));
    assert_eq!(begun.meta[1..], [member("ann", Role::Owner, 0)], "and not bob");
    assert_eq!(two.seen.answers[&1], Appended::Stale);
    two.append(2, message("bob", "again", None));
    two.until(|seen| seen.head == 1);
    one.until(|seen| seen.head == 1);
}

#[test]
fn an_answer_that_was_lost_is_asked_again_by_the_cid_and_stored_once() {
    let Some(database) = Database::new() else { return };
    let [mut one, mut two] = two(&database);
    one.peer.faults().loses = 1;
    one.append(1, message("ann", "once", Some("c1")));
    while one.peer.faults().loses > 0 {
        one.poll();
    }
    two.append(1, message("bob", "between", None));
    two.until(|seen| seen.head == 2);
    assert!(one.seen.answers.is_empty());
    one.peer.come_back();
    one.until(|seen| seen.head == 2);
    assert!(matches!(&one.seen.answers[&1], Appended::Stored(record) if record.seq == 1));
    assert_eq!(one.seen.texts, two.seen.texts);
}

#[test]
fn without_a_cid_a_lost_answer_is_undecided_and_the_log_tells() {
    let Some(database) = Database::new() else { return };
    let [mut one, _two] = two(&database);
    one.peer.faults().loses = 1;
    let meta = vec![RoomMeta::Topic("tea".into(), Some(user("ann")))];
    let body = Body::Topic { text: "tea".into() };
    one.append(1, Draft { body, meta: meta.clone(), ..message("ann", "", None) });
    one.until(|seen| seen.answers.contains_key(&1));
    assert_eq!(one.seen.answers[&1], Appended::Undecided);
    one.peer.come_back();
    one.until(|seen| seen.head == 1 && !seen.facts.is_empty());
    assert_eq!(one.seen.facts, meta, "its own one, of which it does not know");
}

#[test]
fn facts_of_others_are_told_and_ones_own_are_not() {
    let Some(database) = Database::new() else { return };
    let [mut one, mut two] = two(&database);
    one.put(member("ann", Role::Owner, 0));
    one.put(RoomMeta::Topic("tea".into(), Some(user("ann"))));
    assert_eq!(one.sync(), Ok(()));
    two.until(|seen| seen.facts.len() == 2);
    one.put(RoomMeta::Member(user("ann"), None));
    assert_eq!(one.sync(), Ok(()));
    two.until(|seen| seen.facts.len() == 3);
    assert_eq!(two.seen.facts[2], RoomMeta::Member(user("ann"), None));
    one.append(1, message("ann", "hi", None));
    one.until(|seen| seen.head == 1);
    assert_eq!(one.seen.facts, []);
}

#[test]
fn who_has_lost_a_right_at_another_node_is_stale_and_learns_it_before() {
    let Some(database) = Database::new() else { return };
    let [mut one, mut two] = two(&database);
    one.put(member("ann", Role::Owner, 0));
    one.put(member("bob", Role::Member, 0));
    assert_eq!(one.sync(), Ok(()));
    two.until(|seen| seen.facts.len() == 2);
    two.peer.faults().is_deaf = true;
    one.put(member("bob", Role::Reader, 0));
    assert_eq!(one.sync(), Ok(()));
    // Before it could hear of it.
    two.append(1, message("bob", "not any more", None));
    two.append(2, message("ann", "mine is untouched", None));
    two.until(|seen| seen.answers.len() == 2);
    assert_eq!(two.seen.answers[&1], Appended::Stale);
    assert!(matches!(two.seen.answers[&2], Appended::Stored(_)), "{:?}", two.seen);
    assert_eq!(two.seen.facts[2], member("bob", Role::Reader, 0), "told before");
    // Who has learnt it is believed.
    two.append(3, message("bob", "authorised anew", None));
    two.until(|seen| seen.answers.len() == 3);
    assert!(matches!(two.seen.answers[&3], Appended::Stored(_)), "{:?}", two.seen);
}

#[test]
fn a_mark_does_not_give_back_a_right_that_another_node_has_taken() {
    let Some(database) = Database::new() else { return };
    let [mut one, mut two] = two(&database);
    one.put(member("bob", Role::Moderator, 0));
    assert_eq!(one.sync(), Ok(()));
    two.until(|seen| seen.facts.len() == 1);
    two.peer.faults().is_deaf = true;
    one.put(member("bob", Role::Member, 0));
    assert_eq!(one.sync(), Ok(()));
    two.put(member("bob", Role::Moderator, 9));
    assert_eq!(two.sync(), Ok(()));
    let begun = two.load("lobby").unwrap();
    assert_eq!(begun.meta[1..], [member("bob", Role::Member, 9)]);
    one.put(RoomMeta::Member(user("bob"), None));
    assert_eq!(one.sync(), Ok(()));
    two.put(member("bob", Role::Moderator, 10));
    assert_eq!(two.sync(), Ok(()));
    assert_eq!(two.load("lobby").unwrap().meta.len(), 1, "who was removed does not come back");
}

#[test]
fn a_room_that_another_node_has_dropped_is_gone() {
    let Some(database) = Database::new() else { return };
    let [mut one, mut two] = two(&database);
    one.append(1, message("ann", "hi", None));
    one.until(|seen| seen.head == 1);
    two.until(|seen| seen.head == 1);
    one.peer.ask(LogRequest::Drop { log: log() });
    one.run_until_idle();
    two.until(|seen| !seen.others.is_empty());
    assert_eq!(two.seen.others, [LogReply::Gone { log: log(), farewell: None }]);
    assert_eq!(two.load("lobby"), None);
}

#[test]
fn a_room_that_another_node_has_begun_too_is_not_dropped() {
    let Some(database) = Database::new() else { return };
    let [mut one, mut two, mut three] = [1, 2, 3].map(|seed| Actor::new(&database, seed));
    one.open("den", 7, None);
    assert_eq!(one.sync(), Ok(()));
    two.open("den", 8, None);
    two.until(|seen| !seen.others.is_empty());
    two.peer.ask(LogRequest::Drop { log: log() });
    two.run_until_idle();
    one.put(member("ann", Role::Member, 0));
    assert_eq!((one.sync(), one.seen.others), (Ok(()), vec![]));
    assert!(three.load("den").unwrap().meta.contains(&member("ann", Role::Member, 0)));
}

#[test]
fn a_log_that_is_shorter_than_was_told_gets_a_new_epoch() {
    let Some(database) = Database::new() else { return };
    let [mut one, mut two] = two(&database);
    for nth in 1..=3 {
        one.append(nth, message("ann", &nth.to_string(), None));
    }
    one.until(|seen| seen.head == 3);
    two.until(|seen| seen.head == 3);
    // As after a failover to a standby that was behind.
    database.run(&["DELETE FROM chinwag.record WHERE seq = 3", "UPDATE chinwag.room SET head = 2"]);
    for node in [&mut one, &mut two] {
        node.peer.change();
        node.until(|seen| !seen.others.is_empty());
        let [LogReply::Renewed { begun, .. }] = &node.seen.others[..] else {
            panic!("{:?}", node.seen)
        };
        assert_eq!(begun.head, 2);
        assert!(begun.epoch > Epoch(5));
        node.seen.head = 2;
    }
    one.append(4, message("ann", "on it goes", None));
    one.until(|seen| seen.head == 3);
    two.until(|seen| seen.head == 3);
    assert_eq!(two.seen.texts[&3], "on it goes");
}

#[test]
fn another_record_in_the_place_of_the_last_one_is_noticed() {
    let Some(database) = Database::new() else { return };
    let [mut one, _two] = two(&database);
    one.append(1, message("ann", "hi", None));
    one.until(|seen| seen.head == 1);
    database.run(&["UPDATE chinwag.record SET sender = 'eve'"]);
    one.peer.change();
    one.until(|seen| !seen.others.is_empty());
    assert!(matches!(&one.seen.others[..], [LogReply::Renewed { .. }]), "{:?}", one.seen);
}

#[test]
fn while_the_engine_is_away_all_is_refused_at_once_and_facts_wait() {
    let Some(database) = Database::new() else { return };
    let [mut one, _two] = two(&database);
    one.peer.go_down();
    one.put(RoomMeta::Topic("tea".into(), None));
    one.append(1, message("ann", "hi", Some("c")));
    one.until(|seen| seen.answers.len() == 1);
    assert_eq!(one.seen.answers[&1], Appended::Refused(LogFault::Broken));
    one.peer.ask(LogRequest::Sync { log: log(), ticket: Ticket(9) });
    one.until(|seen| !seen.others.is_empty());
    let refused = LogReply::Synced { ticket: Ticket(9), outcome: Err(LogFault::Broken) };
    assert_eq!(one.seen.others, [refused]);
    one.peer.come_back();
    assert_eq!(one.sync(), Ok(()));
    let begun = one.load("lobby").unwrap();
    assert_eq!(begun.meta[1..], [RoomMeta::Topic("tea".into(), None)]);
}

#[test]
fn what_is_told_on_the_bus_is_heard_by_the_other_node_only() {
    let Some(database) = Database::new() else { return };
    let [mut one, mut two] = two(&database);
    let told = Told::Present { user: user("ann"), presence: Presence::Online };
    one.peer.ask(LogRequest::Tell(told.clone()));
    while two.seen.others.is_empty() {
        one.poll();
        two.poll();
    }
    let node = one.peer.node().id().unwrap();
    assert_eq!(two.seen.others, [LogReply::Told { node, told }]);
    one.append(1, message("ann", "hi", None));
    one.until(|seen| seen.head == 1);
    assert_eq!(one.seen.others, []);
}

#[test]
fn what_one_node_prunes_is_told_at_both() {
    let Some(database) = Database::new() else { return };
    let mut nodes = two(&database);
    let [one, _] = &mut nodes;
    for nth in 1..=5 {
        let draft = message("ann", &nth.to_string(), Some(&nth.to_string()));
        one.append(nth, draft);
    }
    both(&mut nodes, |seen| seen.head == 5);
    // The same room, whose records are not kept for ever.
    let [mut one, two] = nodes;
    let begun = one.load("lobby").unwrap();
    one.peer.ask(LogRequest::Close { log: log() });
    one.peer.ask(LogRequest::Open {
        log: log(),
        room: room("lobby"),
        epoch: begun.epoch,
        durability: Durability::Disk,
        retention: Retention { records: Some(2), ..Retention::default() },
        kept: begun.kept,
    });
    let pruned = [LogReply::Pruned { log: log(), oldest: 4 }];
    one.until(|seen| seen.others == pruned);
    one.append(1, message("ann", "1", Some("1")));
    one.until(|seen| matches!(seen.answers[&1], Appended::Duplicate { seq: 1, .. }));
    let mut nodes = [one, two];
    both(&mut nodes, |seen| seen.others == pruned);
    assert_eq!(nodes[1].load("lobby").unwrap().oldest, 4);
}

#[test]
fn one_cid_at_two_nodes_at_once_is_one_record() {
    let Some(database) = Database::new() else { return };
    let mut nodes = two(&database);
    for round in 1..=50 {
        for node in &mut nodes {
            let cid = round.to_string();
            node.append(round, message("ann", "same", Some(&cid)));
            node.poll();
        }
    }
    both(&mut nodes, |seen| seen.answers.len() == 50 && seen.head == 50);
    assert_eq!(nodes[0].seen.texts, nodes[1].seen.texts);
}
