//! A room that one node drops and another has.

use super::peer::{Database, Peer};
use crate::chat::model::load::{Begun, Wanted};
use crate::chat::model::log::{
    Answer, LogId, LogReply, LogRequest, MemberMeta, Query, RoomMeta, Ticket,
};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::policy::Retention;
use crate::chat::model::record::Epoch;
use crate::chat::model::reply::{Durability, Role};
use crate::cluster::{ADDITIONS, ADDITIONS_BEHIND};

fn log() -> LogId {
    LogId::new(1, 1)
}

fn lobby() -> RoomName {
    RoomName::parse("lobby").unwrap()
}

fn open(peer: &mut Peer) {
    peer.ask(LogRequest::Open {
        log: log(),
        room: lobby(),
        epoch: Epoch(5),
        durability: Durability::Disk,
        retention: Retention::default(),
        kept: None,
    });
}

/// Waits until everything before is written.
fn sync(peer: &mut Peer) {
    peer.ask(LogRequest::Sync { log: log(), ticket: Ticket(9) });
    while !matches!(peer.reply(), LogReply::Synced { .. }) {}
}

fn load(peer: &mut Peer) -> Option<Begun> {
    let mut wanted = Wanted::default();
    wanted.add_room(lobby(), false);
    let query = Query::Load(Box::new(wanted));
    peer.ask(LogRequest::Read { ticket: Ticket(8), query });
    loop {
        if let LogReply::Answer { outcome, .. } = peer.reply() {
            let Ok(Answer::Loaded(mut found)) = outcome else { panic!("{outcome:?}") };
            return found.rooms.pop();
        }
    }
}

#[test]
fn a_node_whose_drop_was_refused_finds_the_room_again() {
    let Some(database) = Database::new() else { return };
    let [mut one, mut two] = [1, 2].map(|seed| Peer::new(&database.address, seed));
    for node in [&mut one, &mut two] {
        open(node);
        sync(node);
    }
    let member = MemberMeta { role: Role::Member, recv: 0, read: 0, joined: 7 };
    let bob = UserName::parse("bob").unwrap();
    two.ask(LogRequest::PutMeta { log: log(), meta: RoomMeta::Member(bob, Some(member)) });
    sync(&mut two);
    // It has not heard of bob, or it would not drop the room.
    one.ask(LogRequest::Drop { log: log() });
    while !one.node().is_settled() {
        one.poll_reply();
    }
    let found = load(&mut one).expect("the room is there still");
    assert!(found.meta.iter().any(|meta| matches!(meta, RoomMeta::Member(..))), "{found:?}");
}

#[test]
fn a_node_does_not_find_the_room_that_it_has_dropped() {
    let Some(database) = Database::new() else { return };
    let mut one = Peer::new(&database.address, 1);
    open(&mut one);
    sync(&mut one);
    one.ask(LogRequest::Drop { log: log() });
    assert_eq!(load(&mut one), None, "neither before it is written");
    while !one.node().is_settled() {
        one.poll_reply();
    }
    assert_eq!(load(&mut one), None, "nor then");
}

#[test]
fn an_engine_whose_schema_was_made_by_an_earlier_program_is_given_what_a_drop_needs() {
    let Some(database) = Database::new() else { return };
    let older = "CREATE FUNCTION chinwag.drop_1(room_id bigint, room_epoch bigint, node bigint, \
                 known bigint) RETURNS void LANGUAGE sql AS ''";
    database.run(&[
        "DROP FUNCTION chinwag.drop_1, chinwag.drop_2, chinwag.append_1, chinwag.people_1",
        "DROP TABLE chinwag.session, chinwag.word, chinwag.search",
        "DROP TABLE chinwag.file, chinwag.file_sum, chinwag.file_use, chinwag.file_check",
        "DROP FUNCTION chinwag.file_used_1, chinwag.file_unused_1 CASCADE",
        "DELETE FROM chinwag.meta WHERE key = 'additions'",
        older,
        ADDITIONS,
        ADDITIONS_BEHIND,
    ]);
    let mut one = Peer::new(&database.address, 1);
    open(&mut one);
    sync(&mut one);
    assert_eq!(database.number("SELECT count(*) FROM chinwag.room"), 1);
    one.ask(LogRequest::Drop { log: log() });
    while !one.node().is_settled() {
        one.poll_reply();
    }
    assert_eq!(database.number("SELECT count(*) FROM chinwag.room"), 0);
    let made = "SELECT count(*) FROM pg_proc WHERE proname IN ('append_1', 'people_1')";
    assert_eq!(database.number(made), 2);
    // Once more does nothing.
    database.run(&[ADDITIONS, ADDITIONS_BEHIND]);
}
