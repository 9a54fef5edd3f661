//! Rooms that are closed for all who are in them, at whichever node.

use super::super::super::model::reply::Role;
use super::names::{at_once, den, heard};
use super::*;

impl Shared {
    /// A room is no more, and the other node is told, by whom it was ended as well, if it was.
    pub(super) fn drop_room(&mut self, node: usize, log: LogId, farewell: Option<Box<Farewell>>) {
        let Some(room) = self.nodes[node].open.remove(&log) else { return };
        self.rooms.remove(&room);
        let other = &mut self.nodes[1 - node];
        let found = other.open.iter().find(|(_, name)| **name == room).map(|(log, _)| *log);
        if let Some(log) = found {
            other.replies.push_back(LogReply::Gone { log, farewell });
        }
    }

    /// A room ends, unless it has already.
    pub(super) fn end_room(
        &mut self,
        node: usize,
        log: LogId,
        farewell: Box<Farewell>,
    ) -> Result<(), LogFault> {
        let room = self.nodes[node].open.get(&log);
        if room.is_none_or(|room| !self.rooms.contains_key(room)) {
            return Err(LogFault::Taken);
        }
        self.drop_room(node, log, Some(farewell));
        Ok(())
    }
}

fn close(room: &str, sure: bool) -> Command<'_> {
    Command::Close { room: room.into(), reason: "moved".into(), sure }
}

#[test]
fn a_room_that_its_owner_closes_ends_at_all_nodes_and_its_name_is_free() {
    let mut pair = den();
    pair.run(0, 0, say("den", "x"));
    assert_eq!(heard(&pair.run(0, 0, close("den", false))), [vec!["no 3004"], vec![]]);
    let said = pair.run(0, 0, close("den", true));
    let ends = ["den was closed by ann: moved", "left closed"];
    let [ann, bob] = heard(&said);
    assert_eq!((&*ann[0], ann[1].starts_with("Left"), &*ann[2]), (ends[0], true, ends[1]));
    assert_eq!(bob, ends);
    for node in [0, 1] {
        assert!(pair.nodes[node].chat.rooms.named("den").is_none());
        pair.nodes[node].chat.debug_check();
    }
    let said = pair.run(1, 1, create("den", false));
    assert_eq!(heard(&said), [vec![], vec!["joined at 0 from 1"]]);
}

#[test]
fn of_two_who_close_a_room_at_once_one_has_and_the_other_is_told_to_come_again() {
    let mut pair = den();
    pair.run(0, 0, join("lobby"));
    let command = ModerationCommand::Role(Role::Owner);
    pair.run(0, 0, moderate("den", "bob", command));
    let said = at_once(&mut pair, [close("den", true), close("den", true)]);
    let ends = ["den was closed by ann: moved", "left closed"];
    let [ann, bob] = heard(&said);
    assert!(ann.iter().any(|line| line.starts_with("Left")), "{ann:?}");
    assert_eq!(bob, [ends[0], ends[1], "no 5004"]);
    pair.wait(2_000);
    for node in [0, 1] {
        assert!(pair.nodes[node].chat.rooms.named("den").is_none());
        pair.nodes[node].chat.debug_check();
    }
}

#[test]
fn a_room_that_is_not_closed_since_it_has_changed_elsewhere_goes_on() {
    let mut pair = den();
    let room = RoomName::parse("den").unwrap();
    // As if another node had changed it, of which this one was not told.
    let hidden = pair.shared.borrow_mut().rooms.remove(&room).unwrap();
    let said = pair.run(0, 0, close("den", true));
    assert_eq!(heard(&said), [vec!["no 5004"], vec![]]);
    pair.shared.borrow_mut().rooms.insert(room, hidden);
    let said = pair.run(0, 0, say("den", "still here"));
    assert_eq!(heard(&said), [["sent 1"], ["#1"]]);
}
