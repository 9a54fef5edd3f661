//! Somebody else holds what statements of a node need: a migration, `VACUUM FULL`, a transaction
//! that was forgotten.

use std::time::Duration;

use super::peer::{Database, Peer, Session};
use crate::chat::model::log::{Appended, Draft, LogId, LogReply, LogRequest, RoomMeta, Ticket};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::policy::Retention;
use crate::chat::model::record::{Body, Epoch};
use crate::chat::model::reply::Durability;
use crate::time::clock::Clock;

/// Longer than anything takes on a machine that works.
const PATIENCE: Duration = Duration::from_mins(1);
/// Examinations of the engine that have to come to the same while it is locked.
const TRIES: usize = 4;

fn log(nth: usize) -> LogId {
    LogId::new(nth, 1)
}

fn open(peer: &mut Peer, nth: usize) {
    peer.ask(LogRequest::Open {
        log: log(nth),
        room: RoomName::stored(&format!("room{nth}")).unwrap(),
        epoch: Epoch(5),
        durability: Durability::Disk,
        retention: Retention::default(),
        kept: None,
    });
}

fn say_in(peer: &mut Peer, room: usize, nth: u64) {
    let body = Body::plain(&format!("text {nth}"), Some(&format!("c{nth}")));
    let draft = Draft::new(UserName::parse("ann").unwrap(), body, 300);
    peer.ask(LogRequest::Append { log: log(room), ticket: Ticket(nth), draft });
}

fn say(peer: &mut Peer, nth: u64) {
    say_in(peer, 1, nth);
}

/// What becomes of the message of this number.
#[track_caller]
fn outcome(peer: &mut Peer, nth: u64) -> Appended {
    loop {
        match peer.reply() {
            LogReply::Appended { ticket, outcome } if ticket == Ticket(nth) => return outcome,
            _ => {}
        }
    }
}

/// Somebody who holds something until it is given up.
fn hold(database: &Database, lock: &str) -> Session {
    let mut holder = database.session();
    holder.run(&format!("SET application_name = 'somebody'; BEGIN; {lock}"));
    holder
}

/// Until a message is stored; those that are refused meanwhile are said again.
#[track_caller]
fn stored(peer: &mut Peer, nth: u64) {
    stored_in(peer, 1, nth);
}

#[track_caller]
fn stored_in(peer: &mut Peer, room: usize, nth: u64) {
    loop {
        if let LogReply::Appended { outcome, .. } = peer.reply() {
            match outcome {
                Appended::Stored(_) | Appended::Duplicate { .. } => return,
                Appended::Refused(_) | Appended::Undecided => {
                    peer.turn();
                    say_in(peer, room, nth);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[track_caller]
fn turn_until(peer: &mut Peer, mut is_so: impl FnMut(&mut Peer) -> bool) {
    // While no host is tried, a turn takes no time.
    let clock = Clock::start();
    while !is_so(peer) {
        peer.turn();
        let waited = Duration::from_micros(clock.micros());
        assert!(waited < PATIENCE, "it never is so: {:?}", peer.health());
    }
}

#[test]
fn what_somebody_has_locked_is_named_once_and_service_returns_when_it_is_free() {
    let Some(database) = Database::new() else { return };
    let mut peer = Peer::new(&database.address, 1);
    open(&mut peer, 1);
    say(&mut peer, 0);
    stored(&mut peer, 0);
    let cases = [
        ("LOCK TABLE chinwag.room", "chinwag.room is locked by session"),
        ("LOCK TABLE chinwag.record IN SHARE MODE", "chinwag.record is locked by session"),
        // What an examination needs, and no message.
        ("LOCK TABLE chinwag.meta", "chinwag.meta is locked by session"),
        // What the beat needs, and no message.
        ("LOCK TABLE chinwag.node", "chinwag.node is locked by session"),
        ("UPDATE chinwag.node SET name = ''", "rows of chinwag.node are locked by session"),
    ];
    for (nth, (lock, words)) in (1..).zip(cases) {
        let losses = peer.health().losses;
        let mut holder = hold(&database, lock);
        say(&mut peer, nth);
        let is_named = |peer: &mut Peer| peer.health().faults.iter().any(|it| it.contains(words));
        turn_until(&mut peer, is_named);
        let faults = peer.health().faults;
        assert!(faults[0].contains(", somebody, and everything waits"), "{faults:?}");
        let tried = peer.connections();
        turn_until(&mut peer, |peer| peer.connections() >= tried + TRIES);
        assert_eq!(peer.health().faults, faults, "it is said in other words: {lock}");
        assert_eq!(peer.health().losses, losses + 1, "up and down: {lock}");
        let left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'chinwag' \
                    AND datname = current_database() AND wait_event_type = 'Lock'";
        assert!(database.number(left) <= 2, "each attempt leaves a session behind: {lock}");
        holder.run("COMMIT");
        stored(&mut peer, nth);
        turn_until(&mut peer, |peer| peer.health().faults.is_empty());
    }
    assert_eq!(database.number("SELECT count(*) FROM chinwag.record"), 6, "each is there once");
}

#[test]
fn a_room_whose_row_somebody_holds_is_refused_and_kept_while_all_others_go_on() {
    let Some(database) = Database::new() else { return };
    let mut peer = Peer::new(&database.address, 1);
    for room in 1..=2 {
        open(&mut peer, room);
        say_in(&mut peer, room, room as u64);
        assert!(matches!(outcome(&mut peer, room as u64), Appended::Stored(_)));
    }
    let losses = peer.health().losses;
    let mut holder = hold(&database, "UPDATE chinwag.room SET topic = '' WHERE name = 'room1'");
    // Both in one batch: the one that has nothing to do with it is stored all the same.
    say_in(&mut peer, 1, 10);
    say_in(&mut peer, 2, 11);
    let mut outcomes = Vec::new();
    while outcomes.len() < 2 {
        if let LogReply::Appended { ticket, outcome } = peer.reply() {
            outcomes.push((ticket, matches!(outcome, Appended::Stored(_))));
        }
    }
    outcomes.sort_unstable();
    assert_eq!(outcomes, [(Ticket(10), false), (Ticket(11), true)]);
    let words = "rows of chinwag.room are locked by session";
    turn_until(&mut peer, |peer| peer.health().faults.iter().any(|it| it.contains(words)));
    let faults = peer.health().faults;
    assert!(faults[0].contains(", somebody, and what needs that is refused"), "{faults:?}");
    // What has no answer waits, and who asks for more is refused at once.
    let topic = |text: &str| RoomMeta::Topic(text.into(), None);
    peer.ask(LogRequest::PutMeta { log: log(1), meta: topic("kept") });
    peer.ask(LogRequest::Sync { log: log(1), ticket: Ticket(20) });
    loop {
        if let LogReply::Synced { ticket: Ticket(20), outcome } = peer.reply() {
            assert!(outcome.is_err(), "it is not written");
            break;
        }
    }
    for nth in 30..60 {
        say_in(&mut peer, 2, nth);
        assert!(matches!(outcome(&mut peer, nth), Appended::Stored(_)), "{nth}");
    }
    // Nor does it keep another node from coming up.
    let mut other = Peer::new(&database.address, 2);
    open(&mut other, 3);
    say_in(&mut other, 3, 70);
    assert!(matches!(outcome(&mut other, 70), Appended::Stored(_)));
    holder.run("COMMIT");
    say_in(&mut peer, 1, 10);
    stored_in(&mut peer, 1, 10);
    turn_until(&mut peer, |peer| peer.health().faults.is_empty());
    assert_eq!(peer.health().losses, losses, "the engine was given up");
    let topics = "SELECT count(*) FROM chinwag.room WHERE topic = 'kept'";
    turn_until(&mut peer, |_| database.number(topics) == 1);
    assert_eq!(database.number("SELECT count(*) FROM chinwag.record"), 35, "each is there once");
}

#[test]
fn what_a_connection_sends_stays_in_order_while_another_room_is_held() {
    let Some(database) = Database::new() else { return };
    let mut peer = Peer::new(&database.address, 1);
    for room in 1..=2 {
        open(&mut peer, room);
        say_in(&mut peer, room, room as u64);
        assert!(matches!(outcome(&mut peer, room as u64), Appended::Stored(_)));
    }
    let mut holder = hold(&database, "SELECT FROM chinwag.room WHERE name = 'room1' FOR UPDATE");
    let mut stored = Vec::new();
    for nth in 10..200 {
        say_in(&mut peer, 1 + usize::from(nth != 10), nth);
        // In many batches, of which the first waits in vain.
        if let Some(LogReply::Appended { outcome: Appended::Stored(record), ticket }) =
            peer.poll_reply()
        {
            stored.push((record.seq, ticket));
        }
    }
    turn_until(&mut peer, |peer| {
        if let Some(LogReply::Appended { outcome: Appended::Stored(record), ticket }) =
            peer.poll_reply()
        {
            stored.push((record.seq, ticket));
        }
        stored.last().is_some_and(|(_, ticket)| *ticket == Ticket(199))
    });
    assert!(stored.len() > 100, "{stored:?}");
    assert!(stored.is_sorted_by_key(|(_, ticket)| *ticket), "{stored:?}");
    assert!(stored.is_sorted(), "{stored:?}");
    holder.run("COMMIT");
}

#[test]
fn a_keeper_whose_index_of_words_is_locked_goes_on_with_everything_else() {
    let Some(database) = Database::new() else { return };
    let mut peer = Peer::new(&database.address, 1);
    open(&mut peer, 1);
    say(&mut peer, 0);
    stored(&mut peer, 0);
    turn_until(&mut peer, |_| database.unindexed() == 0);
    for lock in ["LOCK TABLE chinwag.word", "SELECT FROM chinwag.word FOR UPDATE"] {
        let losses = peer.health().losses;
        let mut holder = hold(&database, lock);
        let before = database.number("SELECT count(*) FROM chinwag.record").unsigned_abs();
        say(&mut peer, before);
        stored(&mut peer, before);
        let is_named =
            |peer: &mut Peer| peer.health().faults.iter().any(|it| it.contains("chinwag.word "));
        turn_until(&mut peer, is_named);
        for nth in before + 1..before + 30 {
            say(&mut peer, nth);
            assert!(matches!(outcome(&mut peer, nth), Appended::Stored(_)), "{nth}");
        }
        assert_eq!(peer.health().losses, losses, "{lock}");
        holder.run("COMMIT");
        turn_until(&mut peer, |_| database.unindexed() == 0);
        turn_until(&mut peer, |peer| peer.health().faults.is_empty());
    }
}
