//! What one node does for all, and who does it when that one is gone.

use super::peer::{Database, Patience, Peer};
use crate::chat::model::log::{Draft, LogId, LogReply, LogRequest, Ticket};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::policy::{Policies, Policy, Retention};
use crate::chat::model::record::{Body, Epoch};
use crate::chat::model::reply::Durability;

/// What the keeper asks, and nobody else.
const KEEPS: &str = "unindexed";

fn log(nth: usize) -> LogId {
    LogId::new(nth, 1)
}

/// A room with so many messages, all of them stored.
fn fill(peer: &mut Peer, nth: usize, messages: u64) {
    peer.ask(LogRequest::Open {
        log: log(nth),
        room: RoomName::stored(&format!("room{nth}")).unwrap(),
        epoch: Epoch(5),
        durability: Durability::Disk,
        retention: Retention::default(),
        kept: None,
    });
    say(peer, nth, messages);
}

fn say(peer: &mut Peer, nth: usize, messages: u64) {
    for ticket in 0..messages {
        let body = Body::plain(&format!("word{ticket}"), None);
        let draft = Draft::new(UserName::parse("ann").unwrap(), body, 300);
        peer.ask(LogRequest::Append { log: log(nth), ticket: Ticket(ticket), draft });
    }
    let mut answers = 0;
    while answers < messages {
        answers += u64::from(matches!(peer.reply(), LogReply::Appended { .. }));
    }
}

/// Lets nodes go on until something is so.
#[track_caller]
fn until(peers: &mut [&mut Peer], mut is_so: impl FnMut(&mut [&mut Peer]) -> bool) {
    let patience = Patience::begin();
    while !is_so(peers) {
        for peer in &mut *peers {
            while peer.poll_reply().is_some() {}
        }
        assert!(patience.is_left(), "it never is so");
    }
}

fn keeps(peer: &mut Peer) -> bool {
    peer.faults().sent.contains(&KEEPS)
}

#[test]
fn one_node_keeps_up_what_is_everybodys_and_another_one_when_it_is_gone() {
    let Some(database) = Database::new() else { return };
    let mut one = Peer::new(&database.address, 1);
    until(&mut [&mut one], |peers| keeps(peers[0]));
    let mut two = Peer::new(&database.address, 2);
    fill(&mut two, 1, 200);
    until(&mut [&mut one, &mut two], |_| database.unindexed() == 0);
    assert!(!keeps(&mut two), "it is not the keeper");
    drop(one);
    say(&mut two, 1, 30);
    until(&mut [&mut two], |peers| keeps(peers[0]) && database.unindexed() == 0);
    let blocks = "SELECT count(*) FROM chinwag.word WHERE words @@ '''word29'''";
    assert_eq!(database.number(blocks), 2);
}

#[test]
fn sessions_that_are_over_go_while_there_is_a_keeper() {
    let Some(database) = Database::new() else { return };
    let mut one = Peer::new(&database.address, 1);
    until(&mut [&mut one], |peers| keeps(peers[0]));
    let mut two = Peer::new(&database.address, 2);
    // Of a node that is gone, and one that ended long ago.
    database.run(&["INSERT INTO chinwag.session (hash, name, node, conn, away, resumed, ended) \
         VALUES ('a', 'ann', 99, 1, false, false, NULL), ('b', 'bob', 99, 1, false, false, 1)"]);
    for peer in [&mut one, &mut two] {
        peer.sweep_sessions();
    }
    let ended = "SELECT count(*) FROM chinwag.session WHERE hash = 'a' AND ended > 1";
    assert_eq!(database.number(ended), 1);
    assert_eq!(database.number("SELECT count(*) FROM chinwag.session"), 1);
}

#[test]
fn rooms_that_nobody_has_open_are_pruned_and_so_are_their_words() {
    let Some(database) = Database::new() else { return };
    let mut one = Peer::new(&database.address, 1);
    for nth in 1..=20 {
        fill(&mut one, nth, 70);
        one.ask(LogRequest::Close { log: log(nth) });
    }
    // Somebody has this one open, at another node.
    let mut two = Peer::new(&database.address, 2);
    fill(&mut two, 21, 70);
    until(&mut [&mut one, &mut two], |_| database.unindexed() == 0);
    let rooms = "SELECT count(*) FROM chinwag.room WHERE head = 70 AND oldest = 1";
    assert_eq!(database.number(rooms), 21, "they are kept for ever");
    let retention = Retention { records: Some(2), ..Retention::default() };
    let policies = Policies::uniform(Policy { retention, ..Policy::default() });
    one.retain(policies.clone());
    two.retain(policies);
    let pruned = "SELECT count(*) FROM chinwag.room WHERE head = 70 AND oldest = 69";
    until(&mut [&mut one, &mut two], |_| database.number(pruned) == 21);
    let records = "SELECT count(*) FROM chinwag.record";
    assert_eq!(database.number(records), 42);
    until(&mut [&mut one, &mut two], |_| database.unindexed() == 0);
    let gone = "SELECT count(*) FROM chinwag.word WHERE words @@ '''word0'' | ''word67'''";
    assert_eq!(database.number(gone), 0);
    let kept = "SELECT count(*) FROM chinwag.word WHERE words @@ '''word68'' & ''word69'''";
    assert_eq!(
        (database.number(kept), database.number("SELECT count(*) FROM chinwag.word")),
        (21, 21)
    );
}

#[test]
fn of_a_room_that_was_dropped_nothing_stays_in_the_index() {
    let Some(database) = Database::new() else { return };
    let mut one = Peer::new(&database.address, 1);
    fill(&mut one, 1, 70);
    until(&mut [&mut one], |_| database.unindexed() == 0);
    assert_eq!(database.number("SELECT count(*) FROM chinwag.word"), 2);
    one.ask(LogRequest::Drop { log: log(1) });
    let left = "SELECT (SELECT count(*) FROM chinwag.word) + (SELECT count(*) FROM chinwag.search)";
    until(&mut [&mut one], |_| database.number(left) == 0);
}

#[test]
fn what_was_changed_since_it_was_read_does_not_go_into_the_index() {
    let Some(database) = Database::new() else { return };
    database.run(&[
        "INSERT INTO chinwag.room (name, epoch, head) VALUES ('lobby', 1, 1)",
        "INSERT INTO chinwag.record (room, seq, at, weight, kind, sender, text) \
         SELECT id, 1, 5, 300, 0, 'ann', 'secret' FROM chinwag.room",
        // It is read here; then it is deleted.
        "UPDATE chinwag.record SET kind = 1, text = NULL",
        "SELECT chinwag.index_1(ARRAY[id], ARRAY[0], ARRAY[0], ARRAY[1], ARRAY[5], ARRAY[5], \
         ARRAY['''secret'':1']) FROM chinwag.room",
    ]);
    assert_eq!(database.number("SELECT count(*) FROM chinwag.word"), 0);
    assert_eq!(database.number("SELECT upto FROM chinwag.search"), 0);
    // Whoever has read it since puts it there, and the next change takes it.
    database.run(&[
        "SELECT chinwag.index_1(ARRAY[id], ARRAY[0], ARRAY[1], ARRAY[1], ARRAY[5], ARRAY[5], \
                    ARRAY['''secret'':1']) FROM chinwag.room",
    ]);
    assert_eq!(database.number("SELECT upto FROM chinwag.search"), 1);
    database.run(&["UPDATE chinwag.record SET kind = 0, text = 'public'"]);
    assert_eq!(database.number("SELECT count(*) FROM chinwag.word WHERE words IS NULL"), 0);
    database.run(&["DELETE FROM chinwag.record"]);
    assert_eq!(database.number("SELECT count(*) FROM chinwag.word WHERE words IS NULL"), 1);
}

#[test]
fn no_block_is_passed_over_when_whoever_changes_the_one_before_has_gone_meanwhile() {
    let Some(database) = Database::new() else { return };
    database.run(&[
        "INSERT INTO chinwag.room (name, epoch, head) VALUES ('one', 1, 100), ('two', 1, 1)",
        "INSERT INTO chinwag.search SELECT id, 0, 0 FROM chinwag.room WHERE name = 'one'",
    ]);
    // Somebody changes the first room, and has begun to index the second: there the call waits.
    let mut other = database.session();
    other.run(
        "BEGIN; SELECT 1 FROM chinwag.search FOR UPDATE; \
         INSERT INTO chinwag.search SELECT id, 0, 0 FROM chinwag.room WHERE name = 'two'",
    );
    let index = "SELECT chinwag.index_1(ARRAY[o.id, t.id, o.id], ARRAY[0, 0, 1], ARRAY[0, 0, 0], \
                 ARRAY[64, 1, 100], ARRAY[5, 5, 5], ARRAY[5, 5, 5], ARRAY['''a'':1', '''b'':1', \
                 '''c'':1']) FROM chinwag.room o, chinwag.room t \
                 WHERE o.name = 'one' AND t.name = 'two'";
    std::thread::scope(|scope| {
        let call = scope.spawn(|| database.run(&[index]));
        let waits = "SELECT count(*) FROM pg_stat_activity \
                     WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while database.number(waits) == 0 {
            assert!(!call.is_finished(), "it does not wait");
        }
        other.run("ROLLBACK");
    });
    let upto = "SELECT s.upto FROM chinwag.search s JOIN chinwag.room r ON r.id = s.room \
                WHERE r.name = 'one'";
    assert_eq!(database.number(upto), 0, "both of its blocks are to be indexed");
    let two = "SELECT count(*) FROM chinwag.word WHERE words @@ '''b'''";
    assert_eq!(database.number(two), 1);
    assert_eq!(database.number("SELECT count(*) FROM chinwag.word"), 1);
    database.run(&[index]);
    assert_eq!(database.number(upto), 100);
    assert_eq!(database.number("SELECT count(*) FROM chinwag.word"), 3);
}
