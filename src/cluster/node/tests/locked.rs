//! Somebody else holds what statements of a node need: a migration, `VACUUM FULL`, a transaction
//! that was forgotten.

use super::peer::{Database, Patience, Peer};
use crate::chat::model::log::{Appended, Draft, LogId, LogReply, LogRequest, Ticket};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::policy::Retention;
use crate::chat::model::record::{Body, Epoch};
use crate::chat::model::reply::Durability;

/// Examinations of the engine that have to come to the same while it is locked.
const TRIES: usize = 4;

fn say(peer: &mut Peer, nth: u64) {
    let body = Body::plain(&format!("text {nth}"), Some(&format!("c{nth}")));
    let draft = Draft::new(UserName::parse("ann").unwrap(), body, 300);
    peer.ask(LogRequest::Append { log: LogId::new(1, 1), ticket: Ticket(nth), draft });
}

/// Until a message is stored; those that are refused meanwhile are said again.
#[track_caller]
fn stored(peer: &mut Peer, nth: u64) {
    loop {
        if let LogReply::Appended { outcome, .. } = peer.reply() {
            match outcome {
                Appended::Stored(_) | Appended::Duplicate { .. } => return,
                Appended::Refused(_) | Appended::Undecided => say(peer, nth),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[track_caller]
fn turn_until(peer: &mut Peer, mut is_so: impl FnMut(&mut Peer) -> bool) {
    let patience = Patience::begin();
    while !is_so(peer) {
        peer.turn();
        assert!(patience.is_left(), "it never is so: {:?}", peer.health());
    }
}

#[test]
fn what_somebody_has_locked_is_named_once_and_service_returns_when_it_is_free() {
    let Some(database) = Database::new() else { return };
    let mut peer = Peer::new(&database.address, 1);
    peer.be_punctual();
    peer.ask(LogRequest::Open {
        log: LogId::new(1, 1),
        room: RoomName::stored("tea").unwrap(),
        epoch: Epoch(5),
        durability: Durability::Disk,
        retention: Retention::default(),
        kept: None,
    });
    say(&mut peer, 0);
    stored(&mut peer, 0);
    let cases = [
        ("LOCK TABLE chinwag.room", "chinwag.room is locked by session"),
        ("LOCK TABLE chinwag.record IN SHARE MODE", "chinwag.record is locked by session"),
        // What an examination needs, and no message.
        ("LOCK TABLE chinwag.meta", "chinwag.meta is locked by session"),
        // What the beat needs, and no message.
        ("LOCK TABLE chinwag.node", "chinwag.node is locked by session"),
        ("UPDATE chinwag.room SET topic = ''", "a row is locked by session"),
    ];
    for (nth, (lock, words)) in (1..).zip(cases) {
        let losses = peer.health().losses;
        let mut holder = database.session();
        holder.run(&format!("SET application_name = 'somebody'; BEGIN; {lock}"));
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
