//! Rooms that get other names: at one node, at both at once, and where the other one has not heard.

use super::super::super::model::reply::Role;
use super::*;

impl SharedRoom {
    /// Whether it had this name before.
    fn was(&self, name: &RoomName) -> bool {
        let had =
            |meta: &RoomMeta| matches!(meta, RoomMeta::Name(_, former) if former.contains(name));
        self.meta.iter().any(had)
    }
}

impl Shared {
    /// The present name of the room that has this name, or had it.
    pub(super) fn present_name(&self, name: &RoomName) -> Option<RoomName> {
        let has_it =
            |(present, room): &(&RoomName, &SharedRoom)| *present == name || room.was(name);
        self.rooms.iter().find(has_it).map(|(present, _)| present.clone())
    }

    /// What a record is answered that says another name, where the room cannot have it.
    pub(super) fn refuse_name(&self, room: &RoomName, body: &Body) -> Option<Appended> {
        let Body::Rename { name, was } = body else { return None };
        if was != room {
            return Some(Appended::Stale);
        }
        let is_taken = self.present_name(name).is_some_and(|other| other != *room);
        is_taken.then_some(Appended::Refused(LogFault::Taken))
    }

    /// A record is stored: the room has the name that it says, if it says one.
    pub(super) fn take_name(&mut self, was: &RoomName, body: &Body) {
        let Body::Rename { name, .. } = body else { return };
        let room = self.rooms.remove(was).unwrap();
        self.rooms.insert(name.clone(), room);
        for open in self.nodes.iter_mut().flat_map(|node| node.open.values_mut()) {
            if open == was {
                *open = name.clone();
            }
        }
    }
}

fn rename<'a>(room: &'a str, name: &'a str) -> Command<'a> {
    Command::Rename { room: room.into(), name: name.into() }
}

/// `ann` at the first node owns `den`, in which `bob` at the second is.
pub(super) fn den() -> Pair {
    let mut pair = Pair::in_lobby();
    pair.run(0, 0, create("den", false));
    pair.run(1, 1, join("den"));
    pair.wait(20_000);
    pair
}

/// Does two things at once: neither node is told of the other's before it has asked.
pub(super) fn at_once(pair: &mut Pair, commands: [Command<'_>; 2]) -> [Vec<Output>; 2] {
    for (node, command) in commands.into_iter().enumerate() {
        pair.nodes[node].ask(node, command);
    }
    pair.end_turns()
}

/// What both connections hear of what was asked.
pub(super) fn heard(said: &[Vec<Output>; 2]) -> [Vec<String>; 2] {
    [lines(&said[0], 0), lines(&said[1], 1)]
}

fn names(pair: &Pair, node: usize, room: &str) -> Vec<String> {
    let chat = &pair.nodes[node].chat;
    let room = &chat.rooms[chat.rooms.named(room).unwrap()];
    room.names().map(ToString::to_string).collect()
}

#[test]
fn readers_at_all_nodes_are_told_the_new_name_before_its_record_and_the_old_one_leads_on() {
    let mut pair = den();
    let said = pair.run(0, 0, rename("den", "lair"));
    assert_eq!(heard(&said), [vec!["den is lair", "sent 1"], vec!["den is lair", "#1"]]);
    for (seq, name) in [(2, "den"), (3, "lair")] {
        let said = pair.run(1, 1, say(name, "hi"));
        assert_eq!(heard(&said), [[format!("#{seq}")], [format!("sent {seq}")]], "{name}");
    }
    let said = pair.run(0, 0, rename("lair", "den"));
    assert_eq!(heard(&said), [vec!["lair is den", "sent 4"], vec!["lair is den", "#4"]]);
    assert_eq!([0, 1].map(|node| names(&pair, node, "lair")), [["den", "lair"], ["den", "lair"]]);
}

#[test]
fn a_room_is_loaded_by_a_name_that_it_had_and_its_positions_go_on() {
    let mut pair = Pair::in_lobby();
    pair.run(0, 0, create("den", false));
    pair.run(0, 0, say("den", "one"));
    let epoch = pair.shared.borrow().rooms[&RoomName::parse("den").unwrap()].epoch;
    pair.run(0, 0, rename("den", "lair"));
    let said = pair.run(1, 1, join("den"));
    assert_eq!(lines(&said[1], 1), ["joined at 2 from 1"]);
    assert_eq!(names(&pair, 1, "lair"), ["lair", "den"]);
    pair.come(0, 2, "cyd");
    pair.run(0, 2, join("den"));
    pair.go(0, 2);
    let said = pair.nodes[1].hello_with(3, Some("cyd"), Some(("gone", &[("den", epoch, 1)])));
    assert!(lines(&said, 3)[0].contains("den is lair: From { from: 2, to: 2 }"), "{said:?}");
}

#[test]
fn of_two_rooms_that_get_one_name_at_once_one_has_it() {
    let mut pair = den();
    pair.run(1, 1, create("hut", false));
    pair.run(0, 0, join("hut"));
    pair.wait(20_000);
    let said = at_once(&mut pair, [rename("den", "lair"), rename("hut", "lair")]);
    assert_eq!(heard(&said), [vec!["den is lair", "sent 1"], vec!["den is lair", "no 3002", "#1"]]);
    let said = pair.run(1, 1, rename("hut", "cave"));
    assert_eq!(heard(&said), [vec!["hut is cave", "#1"], vec!["hut is cave", "sent 1"]]);
}

#[test]
fn a_room_that_gets_two_names_at_once_has_one_after_the_other_at_both_nodes() {
    let mut pair = den();
    pair.run(0, 0, moderate("den", "bob", ModerationCommand::Role(Role::Owner)));
    let said = at_once(&mut pair, [rename("den", "lair"), rename("den", "cave")]);
    let is = |said: &[String]| {
        said.iter().filter(|line| line.contains(" is ")).cloned().collect::<Vec<_>>()
    };
    assert_eq!(heard(&said).map(|said| is(&said)), [["den is lair", "lair is cave"]; 2]);
    for node in [0, 1] {
        assert_eq!(names(&pair, node, "cave"), ["cave", "den", "lair"]);
    }
}

#[test]
fn who_asks_for_a_name_of_which_its_node_was_not_told_waits_or_is_told_to_come_again() {
    let mut pair = den();
    pair.come(1, 3, "cyd");
    pair.shared.borrow_mut().grown_later = Some(Vec::new());
    pair.run(0, 0, rename("den", "lair"));
    let said = pair.run(1, 3, join("lair"));
    assert_eq!(lines(&said[1], 3), ["no 5004"], "it is not made a second time");
    let later = pair.shared.borrow_mut().grown_later.take().unwrap();
    for (node, grown) in later {
        pair.reply(node, grown);
    }
    let said = pair.run(1, 3, join("lair"));
    assert_eq!(lines(&said[1], 3), ["joined at 1 from 1"]);
    assert_eq!(pair.shared.borrow().rooms.len(), 2);
}

#[test]
fn a_log_that_begins_anew_says_what_the_room_is_called_now() {
    let mut pair = den();
    pair.run(0, 0, rename("den", "lair"));
    let begun = {
        let mut shared = pair.shared.borrow_mut();
        let room = shared.rooms.get_mut(&RoomName::parse("lair").unwrap()).unwrap();
        room.records.clear();
        room.meta.retain(|meta| !matches!(meta, RoomMeta::Name(..)));
        room.epoch = Epoch(room.epoch.0 + 77);
        room.begun(&RoomName::parse("den").unwrap())
    };
    let log = pair.log(1, "lair");
    let said = pair.reply(1, LogReply::Renewed { log, begun: Box::new(begun) });
    assert_eq!(lines(&said[1], 1), ["lair is den", "subscribed den at 0"]);
    assert_eq!(names(&pair, 1, "den"), ["den"]);
}
