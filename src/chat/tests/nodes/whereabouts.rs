//! Who is where, types, and has read what; and what comes to users at other nodes.

use super::super::super::model::command::ThreadWish;
use super::super::super::model::reply::Presence;
use super::super::super::model::watch::Watch;
use super::*;

#[test]
fn who_is_at_another_node_is_told_to_be_there_and_goes_with_it() {
    let mut pair = Pair::in_lobby();
    let count = |pair: &Pair| {
        let chat = &pair.nodes[0].chat;
        chat.rooms.published(chat.rooms.named("lobby").unwrap())
    };
    assert_eq!(count(&pair), 2);
    pair.run(1, 1, Command::Status { away: true });
    let said = pair.wait(5_000);
    let told = lines_of(&said[0], 0, "presence").pop().unwrap();
    assert!(told.contains("away: [\"bob\"]"), "{told}");
    // Gone with its node, after the grace.
    pair.reply(0, LogReply::NodeGone { node: node_id(1) });
    assert_eq!(count(&pair), 2);
    pair.wait(30_000);
    assert_eq!(count(&pair), 1);
    // It was only not heard for a while.
    pair.reply(1, LogReply::NodeBegun { node: node_id(0) });
    pair.wait(5_000);
    assert_eq!(count(&pair), 2);
}

#[test]
fn who_has_left_while_its_node_was_not_heard_is_gone_when_that_names_who_is_there() {
    let mut pair = Pair::in_lobby();
    let is_there = |pair: &Pair| {
        let chat = &pair.nodes[0].chat;
        chat.directory[chat.directory.user_named("bob").unwrap()].presence != Presence::Off
    };
    pair.shared.borrow_mut().deaf = true;
    pair.go(1, 1);
    pair.wait(60_000);
    assert!(is_there(&pair), "it was not heard");
    pair.shared.borrow_mut().deaf = false;
    pair.reply(1, LogReply::NodeBegun { node: node_id(0) });
    pair.wait(60_000);
    assert!(!is_there(&pair));
}

#[test]
fn a_user_at_two_nodes_is_there_until_it_has_left_both() {
    let mut pair = Pair::in_lobby();
    pair.come(0, 2, "bob");
    let is_there = |pair: &Pair, node: usize| {
        let chat = &pair.nodes[node].chat;
        let bob = chat.directory.user_named("bob").unwrap();
        chat.directory[bob].presence
    };
    pair.go(1, 1);
    pair.wait(60_000);
    assert_eq!([0, 1].map(|node| is_there(&pair, node)), [Presence::Online; 2]);
    pair.go(0, 2);
    pair.wait(60_000);
    assert_eq!([0, 1].map(|node| is_there(&pair, node)), [Presence::Off; 2]);
}

#[test]
fn who_types_at_another_node_is_shown_until_it_has_said_it() {
    let mut pair = Pair::in_lobby();
    pair.run(1, 1, Command::Typing { room: "lobby".into() });
    let said = pair.wait(3_000);
    assert_eq!(lines_of(&said[0], 0, "typing"), ["typing [\"bob\"]"]);
    pair.run(1, 1, say("lobby", "x"));
    let said = pair.wait(3_000);
    assert_eq!(lines_of(&said[0], 0, "typing"), ["typing []"]);
}

#[test]
fn what_was_read_at_one_node_is_told_to_own_devices_and_others_at_another() {
    let mut pair = Pair::in_lobby();
    pair.come(0, 2, "bob");
    pair.run(0, 2, join("lobby"));
    pair.run(0, 0, say("lobby", "x"));
    pair.run(1, 1, Command::Ack { room: "lobby".into(), recv: None, read: Some(1), epoch: None });
    let said = pair.wait(3_000);
    assert_eq!(lines_of(&said[0], 2, "own"), ["own receipt 1"]);
    assert_eq!(lines_of(&said[0], 0, "receipts"), ["receipts [(\"bob\", 1)]"]);
    // A mark may come before the record that it is about: what is not there yet was not read here.
    let (room, user) = (RoomName::parse("lobby").unwrap(), UserName::parse("bob").unwrap());
    let told = Told::Marks { room, user, recv: 9, read: 9 };
    pair.reply(0, LogReply::Told { node: node_id(1), told });
    let chat = &pair.nodes[0].chat;
    let room = chat.rooms.named("lobby").unwrap();
    assert!(chat.rooms.members(room).all(|row| row.marks().recv <= 1 && row.marks().read <= 1));
}

#[test]
fn a_direct_message_to_somebody_at_another_node_arrives_at_once() {
    let mut pair = Pair::in_lobby();
    let said = pair.run(0, 0, message(Target::User("bob".into()), "x", None));
    assert_eq!(lines(&said[0], 0), ["subscribed @ann:bob at 0", "sent 1"]);
    assert_eq!(lines(&said[1], 1), ["subscribed @ann:bob at 0", "replay 1..=1", "live 1"]);
    let said = pair.run(1, 1, message(Target::User("ann".into()), "y", None));
    assert_eq!(
        (lines(&said[0], 0), lines(&said[1], 1)),
        (vec!["#2".into()], vec!["sent 2".into()])
    );
}

#[test]
fn who_comes_while_it_is_written_to_elsewhere_is_told_a_while_later() {
    let mut pair = Pair::new();
    pair.come(0, 0, "ann");
    pair.come(1, 1, "bob");
    pair.shared.borrow_mut().deaf = true;
    pair.run(0, 0, message(Target::User("bob".into()), "x", None));
    let said = pair.wait(3_000);
    assert_eq!(lines(&said[1], 1), ["subscribed @ann:bob at 0", "replay 1..=1", "live 1"]);
}

#[test]
fn an_invitation_and_its_end_reach_another_node() {
    let mut pair = Pair::in_lobby();
    pair.run(0, 0, create("den", true));
    let invite = |user: &'static str| Command::Invite {
        room: "den".into(),
        user: user.into(),
        reason: "".into(),
    };
    let said = pair.run(0, 0, invite("bob"));
    assert_eq!(lines(&said[1], 1), ["invited to den by ann"]);
    assert_eq!(lines(&pair.run(1, 1, join("den"))[1], 1), ["joined at 0 from 1"]);
    // The room is there by now, and another user of that node is told by the log.
    pair.come(1, 3, "cyd");
    assert_eq!(lines(&pair.run(0, 0, invite("cyd"))[1], 3), ["invited to den by ann"]);
    // Who is invited may read there without entering, for as long as it is.
    let node = &mut pair.nodes[1];
    let (name, encoding) = (Some("cyd".into()), Encoding::Events);
    let hello = Hello { name, encoding, is_visit: true, ..node.hello_of(None) };
    node.say_hello(4, hello);
    let begun = node.chat.handle_watch(node.now, conn(4), &[Watch { room: "den", after: None }]);
    begun.unwrap().remove(0).unwrap();
    let said = pair.run(0, 0, Command::Uninvite { room: "den".into(), user: "cyd".into() });
    assert!(lines(&said[1], 4).contains(&"left left".to_owned()), "{said:?}");
    assert_eq!(lines(&pair.run(1, 3, join("den"))[1], 3), ["no 3001"]);
}

#[test]
fn who_leaves_at_one_node_has_left_at_the_other() {
    let mut pair = Pair::in_lobby();
    pair.come(0, 2, "bob");
    let said = pair.run(0, 2, Command::Leave { room: "lobby".into() });
    assert_eq!(lines(&said[1], 1), ["left left"]);
    assert_eq!(lines(&pair.run(1, 1, say("lobby", "x"))[1], 1), ["no 3003"]);
}

#[test]
fn a_single_node_tells_nobody_anything() {
    let mut pair = Pair::new();
    pair.nodes[0].chat.context.node = None;
    pair.come(0, 0, "ann");
    pair.run(0, 0, join("lobby"));
    pair.run(0, 0, say("lobby", "x"));
    pair.run(0, 0, message(Target::User("bob".into()), "x", None));
    pair.run(0, 0, Command::Typing { room: "lobby".into() });
    pair.run(0, 0, Command::Ack { room: "lobby".into(), recv: None, read: Some(1), epoch: None });
    pair.go(0, 0);
    pair.wait(60_000);
    assert_eq!(pair.take_told(), []);
}

#[test]
fn rooms_whose_members_are_at_other_nodes_only_are_forgotten_here() {
    let mut pair = Pair::in_lobby();
    pair.nodes[0].chat.context.limits.idle_rooms = 0;
    pair.nodes[0].chat.rooms.sweep.is_on = true;
    pair.go(0, 0);
    pair.wait(60_000);
    assert!(pair.nodes[0].chat.rooms.named("lobby").is_none());
    assert!(pair.nodes[1].chat.rooms.named("lobby").is_some());
}

#[test]
fn a_mark_of_a_thread_is_told_to_the_users_sessions_at_other_nodes_and_to_nobody_else() {
    let mut pair = Pair::in_lobby();
    pair.come(1, 2, "ann");
    pair.run(1, 2, join("lobby"));
    pair.run(0, 0, say("lobby", "root"));
    pair.wait(20_000);
    for (wish, expect) in [
        (ThreadWish::Follow, "thread 1 true 0"),
        (ThreadWish::Read(1), "thread 1 true 1"),
        (ThreadWish::Unfollow, "thread 1 false 0"),
    ] {
        let room = "lobby".into();
        let said = pair.run(0, 0, Command::MarkThread { room, thread: 1, wish, epoch: None });
        assert_eq!(lines_of(&said[1], 2, "thread"), [expect]);
        assert_eq!(lines_of(&said[1], 1, "thread"), [""; 0]);
        assert_eq!(lines_of(&said[0], 0, "thread"), [""; 0]);
    }
    // Where the user is no more, nothing is told.
    pair.go(1, 2);
    pair.wait(60_000);
    pair.take_told();
    let (room, wish) = ("lobby".into(), ThreadWish::Follow);
    pair.run(0, 0, Command::MarkThread { room, thread: 1, wish, epoch: None });
    assert_eq!(pair.take_told(), []);
}
