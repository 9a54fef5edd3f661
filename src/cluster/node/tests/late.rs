//! What a node gives up since it takes too long, and what it does not. No engine is needed: what it
//! says is said here.

use std::collections::VecDeque;

use super::super::{Engine, Node};
use crate::chat::model::load::Kept;
use crate::chat::model::log::{Appended, Draft, LogId, LogReply, LogRequest, Logs as _, Ticket};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::other_nodes::NodeId;
use crate::chat::model::policy::Retention;
use crate::chat::model::record::{Body, Epoch};
use crate::chat::model::reply::Durability;
use crate::cluster::check::Level;
use crate::cluster::link::{Lane, LinkEvent, NotAsked};
use crate::pg::{EngineError, Param, Statement};
use crate::time::Tick;
use crate::time::clock::Now;

/// An engine that takes everything, and says what it is told to.
#[derive(Debug, Default)]
struct Said {
    events: VecDeque<LinkEvent>,
    /// The tags of the appends that were not answered.
    asked: VecDeque<u64>,
}

impl Engine for Said {
    fn send(
        &mut self,
        _: Now,
        (lane, tag): (Lane, u64),
        statement: Statement,
        _: &[Param<'_>],
    ) -> Result<(), NotAsked> {
        if lane == Lane::Writer && statement.name == "append" {
            self.asked.push_back(tag);
        }
        Ok(())
    }

    fn next_event(&mut self) -> Option<LinkEvent> {
        self.events.pop_front()
    }

    fn say(&mut self, _: &[u8]) {}

    fn say_in_passing(&mut self, _: &[u8]) {}

    fn say_grown(&mut self, _: &[i64]) {}

    fn wakes_at(&self) -> Tick {
        Tick::MAX
    }
}

fn at(millis: u64) -> Now {
    Now { tick: Tick::from_millis(millis), wall_ms: 0 }
}

/// A node that is up, with a room whose messages of these numbers are on their way: each in a batch
/// of its own, as far as there may be so many.
fn up(messages: u64) -> Node<Said> {
    let mut node = Node::new(Said::default(), at(0));
    let event = LinkEvent::Up { node: NodeId(1), level: Level::Disk, is_changed: false };
    node.engine().events.push_back(event);
    node.turn(at(0));
    // What the node does by itself has no answer here, and must not come before the appends.
    node.flights.clear();
    let kept = Kept {
        row: 1,
        epoch: Epoch(5),
        durability: Durability::Disk,
        seqs: (1, 0),
        at: 0,
        bytes: 0,
        changes: (0, 0),
    };
    node.request(
        at(0),
        LogRequest::Open {
            log: LogId::new(1, 1),
            room: RoomName::stored("tea").unwrap(),
            epoch: Epoch(5),
            durability: Durability::Disk,
            retention: Retention::default(),
            kept: Some(kept),
        },
    );
    for nth in 0..messages {
        let body = Body::plain("text", None);
        let draft = Draft::new(UserName::parse("ann").unwrap(), body, 300);
        node.request(
            at(0),
            LogRequest::Append { log: LogId::new(1, 1), ticket: Ticket(nth), draft },
        );
        node.flush();
    }
    node
}

/// An answer that refuses a batch for good.
fn full() -> EngineError {
    EngineError { code: "53100".into(), message: "it is full".into(), detail: Box::default() }
}

/// What is answered, a word each.
fn replies(node: &mut Node<Said>) -> Vec<String> {
    let replies = std::iter::from_fn(|| node.poll());
    let words = replies.filter_map(|reply| match reply {
        LogReply::Appended { ticket, outcome: Appended::Refused(fault) } => {
            Some(format!("{} {fault:?}", ticket.0))
        }
        LogReply::Synced { ticket, outcome } => Some(format!("{} {outcome:?}", ticket.0)),
        _ => None,
    });
    words.collect()
}

#[test]
fn a_message_is_too_old_only_when_all_that_has_come_was_handed_in() {
    // Two batches at once: the third waits here.
    let mut node = up(3);
    assert_eq!(node.engine().asked.len(), 2);
    // After a pause of this process the reader's bytes are there first.
    node.turn(at(60_000));
    assert_eq!(replies(&mut node), [""; 0]);
    // Then the writer's, which make room for it.
    let tag = node.engine().asked.pop_front().unwrap();
    node.engine().events.push_back(LinkEvent::Answered { tag, outcome: Err(full()) });
    node.turn(at(60_000));
    node.expire(at(60_000));
    node.turn(at(60_000));
    assert_eq!(replies(&mut node), ["0 Full"]);
    assert_eq!(node.engine().asked.len(), 2);
}

#[test]
fn a_message_that_waits_for_five_seconds_is_refused() {
    let mut node = up(3);
    node.expire(at(4_999));
    assert_eq!(replies(&mut node), [""; 0]);
    node.expire(at(5_000));
    assert_eq!(replies(&mut node), ["2 Busy"]);
}

#[test]
fn whoever_waits_for_all_before_is_refused_when_the_circuit_opens() {
    let mut node = up(1);
    node.request(at(0), LogRequest::Sync { log: LogId::new(1, 1), ticket: Ticket(10) });
    node.flush();
    let message = Body::plain("behind it", None);
    let draft = Draft::new(UserName::parse("ann").unwrap(), message, 300);
    node.request(at(0), LogRequest::Append { log: LogId::new(1, 1), ticket: Ticket(1), draft });
    node.request(at(0), LogRequest::Sync { log: LogId::new(1, 1), ticket: Ticket(11) });
    node.flush();
    node.engine().events.push_back(LinkEvent::Down { why: String::new() });
    node.turn(at(1_000));
    // The messages are on their way: the engine may have them.
    assert_eq!(replies(&mut node), ["10 Err(Broken)", "11 Err(Broken)"]);
    // An answer that comes after all is that of the first message.
    let tag = node.engine().asked.pop_front().unwrap();
    node.engine().events.push_back(LinkEvent::Answered { tag, outcome: Err(full()) });
    node.turn(at(1_200));
    assert_eq!(replies(&mut node), ["0 Full"]);
}
