//! How many drafts go along in one statement.

use super::peer::{Database, Peer};
use crate::chat::model::log::{Draft, LogId, LogReply, LogRequest, Logs as _, Ticket};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::policy::Retention;
use crate::chat::model::record::{Body, Epoch};
use crate::chat::model::reply::Durability;

fn say(peer: &mut Peer, tickets: std::ops::Range<u64>) {
    for ticket in tickets {
        let body = Body::plain("text", None);
        let draft = Draft::new(UserName::parse("ann").unwrap(), body, 300);
        peer.ask(LogRequest::Append { log: LogId::new(1, 1), ticket: Ticket(ticket), draft });
    }
    peer.flush();
}

fn batches(peer: &mut Peer) -> usize {
    peer.faults().sent.iter().filter(|name| **name == "append").count()
}

#[test]
fn a_batch_behind_one_that_is_on_its_way_is_sent_when_it_is_as_large() {
    let Some(database) = Database::new() else { return };
    let mut peer = Peer::new(&database.address, 1);
    peer.ask(LogRequest::Open {
        log: LogId::new(1, 1),
        room: RoomName::stored("tea").unwrap(),
        epoch: Epoch(5),
        durability: Durability::Disk,
        retention: Retention::default(),
        kept: None,
    });
    say(&mut peer, 0..1);
    while !matches!(peer.reply(), LogReply::Appended { .. }) {}
    let mut sent = Vec::new();
    for tickets in [1..9, 9..12, 12..17, 17..40] {
        say(&mut peer, tickets);
        sent.push(batches(&mut peer));
    }
    assert_eq!(sent, [2, 2, 3, 3], "eight, then eight more, and no third one");
    let mut answers = 0;
    while answers < 39 {
        answers += usize::from(matches!(peer.reply(), LogReply::Appended { .. }));
    }
    assert_eq!(batches(&mut peer), 4, "what was left went together");
}
