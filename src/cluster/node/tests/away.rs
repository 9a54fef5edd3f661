//! The engine is away.

use super::peer::{Database, Peer};
use crate::chat::model::log::{
    Appended, Draft, LogId, LogReply, LogRequest, Logs as _, RoomMeta, Ticket,
};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::policy::Retention;
use crate::chat::model::record::{Body, Epoch};
use crate::chat::model::reply::Durability;

#[test]
fn who_waits_for_what_is_lost_while_the_circuit_is_open_is_answered_at_once() {
    let Some(database) = Database::new() else { return };
    let mut peer = Peer::new(&database.address, 1);
    let log = LogId::new(1, 1);
    peer.ask(LogRequest::Open {
        log,
        room: RoomName::stored("tea").unwrap(),
        epoch: Epoch(5),
        durability: Durability::Disk,
        retention: Retention::default(),
        kept: None,
    });
    peer.ask(LogRequest::Sync { log, ticket: Ticket(1) });
    while !matches!(peer.reply(), LogReply::Synced { .. }) {}
    let draft = Draft::new(UserName::parse("ann").unwrap(), Body::plain("text", Some("c")), 300);
    peer.ask(LogRequest::Append { log, ticket: Ticket(2), draft });
    peer.ask(LogRequest::PutMeta { log, meta: RoomMeta::Topic("kept".into(), None) });
    peer.ask(LogRequest::Sync { log, ticket: Ticket(3) });
    peer.flush();
    peer.faults().loses = 2;
    peer.go_down();
    let (mut is_undecided, mut is_refused) = (false, false);
    while !(is_undecided && is_refused) {
        match peer.reply() {
            LogReply::Appended { ticket: Ticket(2), outcome } => {
                assert_eq!(outcome, Appended::Undecided);
                is_undecided = true;
            }
            LogReply::Synced { ticket: Ticket(3), outcome } => {
                assert!(outcome.is_err());
                is_refused = true;
            }
            _ => {}
        }
    }
    assert!(!peer.node().is_settled(), "the topic waits for the engine");
}
