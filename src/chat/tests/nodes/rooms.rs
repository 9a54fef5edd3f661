//! Rooms that another node has begun first, begun anew, or dropped.

use super::super::super::model::reply::Durability;
use super::*;

/// The log of `lobby` is lost, and begins again at another epoch with these records.
fn renew(pair: &mut Pair, head: u64) -> [Vec<Output>; 2] {
    let room = RoomName::parse("lobby").unwrap();
    let begun = {
        let mut shared = pair.shared.borrow_mut();
        let shared = shared.rooms.get_mut(&room).unwrap();
        shared.records.truncate(usize::try_from(head).unwrap());
        shared.epoch = Epoch(shared.epoch.0 + 77);
        shared.begun(&room)
    };
    for node in [0, 1] {
        let log = pair.log(node, "lobby");
        let renewed = LogReply::Renewed { log, begun: Box::new(begun.clone()) };
        pair.shared.borrow_mut().nodes[node].replies.push_back(renewed);
    }
    pair.end_turns()
}

#[test]
fn a_room_that_two_nodes_begin_at_once_is_one() {
    let mut pair = Pair::new();
    pair.come(0, 0, "ann");
    pair.come(1, 1, "bob");
    // Neither knows yet of the other's.
    for (node, number) in [(0, 0), (1, 1)] {
        let now = pair.nodes[node].now;
        let chat = &mut pair.nodes[node].chat;
        chat.handle_command(now, conn(number), request(Op::Join), join("tea"));
    }
    let said = pair.end_turns();
    assert_eq!(lines(&said[0], 0), ["joined at 0 from 1"]);
    assert_eq!(lines(&said[1], 1), ["joined at 0 from 1"]);
    let epochs = pair.nodes.each_ref().map(|node| {
        let room = &node.chat.rooms[node.chat.rooms.named("tea").unwrap()];
        (room.epoch, room.members.len())
    });
    assert_eq!(epochs[0], epochs[1]);
    assert_eq!(epochs[0].1, 2);
    let said = pair.run(1, 1, say("tea", "x"));
    assert_eq!(
        (lines(&said[0], 0), lines(&said[1], 1)),
        (vec!["#1".into()], vec!["sent 1".into()])
    );
}

#[test]
fn of_two_who_create_one_room_at_once_one_is_refused() {
    let mut pair = Pair::new();
    pair.come(0, 0, "ann");
    pair.come(1, 1, "bob");
    // Both are told by their nodes that there is no such room; the log decides.
    for node in [0, 1] {
        pair.nodes[node].chat.pending.loads.on_demand = false;
        let now = pair.nodes[node].now;
        pair.nodes[node].chat.handle_command(
            now,
            conn(node),
            request(Op::Create),
            create("den", true),
        );
    }
    let said = pair.end_turns();
    let answers = [lines(&said[0], 0), lines(&said[1], 1)];
    assert_eq!(answers, [vec!["joined at 0 from 1".to_owned()], vec!["no 3002".to_owned()]]);
    let said = pair.run(1, 1, say("den", "x"));
    assert_eq!(lines(&said[1], 1), ["no 3001"], "it is ann's, and private");
}

#[test]
fn two_who_write_to_each_other_at_once_have_one_conversation() {
    let mut pair = Pair::in_lobby();
    for (node, other) in [(0, "bob"), (1, "ann")] {
        let now = pair.nodes[node].now;
        let send = message(Target::User(other.into()), "x", None);
        pair.nodes[node].chat.handle_command(now, conn(node), request(Op::Send), send);
    }
    pair.end_turns();
    pair.wait(3_000);
    for (node, other) in [(0, "bob"), (1, "ann")] {
        let before =
            pair.shared.borrow().rooms[&RoomName::parse("@ann:bob").unwrap()].records.len();
        let said = pair.run(node, node, message(Target::User(other.into()), "y", None));
        assert_eq!(lines(&said[node], node), [format!("sent {}", before + 1)]);
        assert_eq!(lines(&said[1 - node], 1 - node), [format!("#{}", before + 1)]);
    }
}

#[test]
fn who_enters_stays_in_though_another_node_tells_of_an_earlier_leave() {
    let mut pair = Pair::in_lobby();
    pair.run(1, 1, Command::Leave { room: "lobby".into() });
    let (log, user) = (pair.log(1, "lobby"), UserName::parse("bob").unwrap());
    let node = &mut pair.nodes[1];
    node.chat.handle_command(node.now, conn(1), request(Op::Join), join("lobby"));
    let meta = vec![RoomMeta::Member(user, None)];
    node.chat.on_log_reply(node.now, LogReply::Grown { log, records: Vec::new(), meta });
    let said = pair.end_turns();
    assert_eq!(lines(&said[1], 1), ["joined at 0 from 1"]);
    assert_eq!(lines(&pair.run(1, 1, say("lobby", "x"))[1], 1), ["sent 1"]);
}

#[test]
fn a_log_that_begins_anew_is_told_to_all_who_read_it() {
    let mut pair = Pair::in_lobby();
    for text in ["a", "b", "c"] {
        pair.run(0, 0, say("lobby", text));
    }
    let epoch = pair.shared.borrow().rooms[&RoomName::parse("lobby").unwrap()].epoch;
    let said = renew(&mut pair, 1);
    for node in [0, 1] {
        assert_eq!(lines(&said[node], node), ["subscribed lobby at 1"]);
    }
    let said = pair.run(1, 1, say("lobby", "d"));
    assert_eq!(
        (lines(&said[0], 0), lines(&said[1], 1)),
        (vec!["#2".into()], vec!["sent 2".into()])
    );
    // Positions of the old log lead to the new one.
    let (room, epoch) = ("lobby".into(), Some(epoch.to_string().into()));
    let said = pair.run(0, 0, Command::Join { room, after: Some(3), epoch });
    assert_eq!(lines(&said[0], 0), ["joined at 2 from 1 reset"]);
}

#[test]
fn marks_of_a_log_that_is_lost_are_not_those_of_the_new_one() {
    let mut pair = Pair::in_lobby();
    for text in ["a", "b", "c"] {
        pair.run(0, 0, say("lobby", text));
    }
    let ack = || Command::Ack { room: "lobby".into(), recv: None, read: Some(3), epoch: None };
    pair.run(1, 1, ack());
    // It is gathered when the log is lost.
    let said = renew(&mut pair, 1);
    assert_eq!(
        lines(&said[1], 1),
        ["subscribed lobby at 1", "no 4004"],
        "after what the room is now"
    );
    pair.wait(2_000);
    let chat = &pair.nodes[1].chat;
    let room = chat.rooms.named("lobby").unwrap();
    assert!(chat.rooms.members(room).all(|row| row.marks().read <= 1 && row.marks().recv <= 1));
    assert_eq!(lines(&pair.run(1, 1, ack())[1], 1), ["no 4003"]);
}

#[test]
fn a_room_that_another_node_has_dropped_is_left() {
    let mut pair = Pair::in_lobby();
    let log = pair.log(1, "lobby");
    pair.shared.borrow_mut().rooms.clear();
    let said = pair.reply(1, LogReply::Gone { log, farewell: None });
    assert_eq!(lines(&said[1], 1), ["left left"]);
    assert!(pair.nodes[1].chat.rooms.named("lobby").is_none());
    let said = pair.run(1, 1, join("lobby"));
    assert_eq!(lines(&said[1], 1), ["joined at 0 from 1"], "it is made anew");
}

#[test]
fn rooms_that_live_in_memory_are_stored_where_there_are_other_nodes() {
    let mut pair = Pair::new();
    let limits = Limits::default();
    pair.nodes[0].chat.set_limits(limits);
    pair.come(0, 0, "ann");
    pair.run(0, 0, join("lobby"));
    let chat = &pair.nodes[0].chat;
    let room = &chat.rooms[chat.rooms.named("lobby").unwrap()];
    assert_eq!((room.durability, room.is_stored()), (Durability::Os, true));
}

#[test]
fn who_has_seen_more_at_another_node_comes_in_when_this_one_knows() {
    let mut pair = Pair::in_lobby();
    pair.come(0, 2, "cyd");
    pair.run(0, 2, join("lobby"));
    pair.shared.borrow_mut().grown_later = Some(Vec::new());
    pair.run(0, 0, say("lobby", "x"));
    pair.go(0, 2);
    let epoch = pair.shared.borrow().rooms[&RoomName::parse("lobby").unwrap()].epoch;
    let positions: Positions<'_> = &[("lobby", epoch, 1)];
    let said = pair.nodes[1].hello_with(3, Some("cyd"), Some(("gone", positions)));
    assert_eq!(lines(&said, 3), ["no 5004"]);
    let later = pair.shared.borrow_mut().grown_later.take().unwrap();
    for (node, grown) in later {
        pair.reply(node, grown);
    }
    let said = pair.nodes[1].hello_with(3, Some("cyd"), Some(("gone", positions)));
    let welcome = "welcome cyd false lobby: From { from: 2, to: 1 }";
    assert_eq!(lines(&said, 3).first().map(String::as_str), Some(welcome));
    // What nobody has seen is no reason to wait.
    let positions: Positions<'_> = &[("lobby", epoch, 9)];
    let said = pair.nodes[1].hello_with(4, Some("dan"), Some(("gone", positions)));
    assert!(lines(&said, 4)[0].starts_with("welcome dan"), "{:?}", lines(&said, 4));
}
