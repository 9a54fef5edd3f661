//! Web Push: who is told by its devices, of what, and when.

use std::borrow::Cow;

use super::*;
use crate::chat::model::command::PushTarget;
use crate::chat::model::push::{PUSHES_OF_USER_MAX, PushOrder, PushReason, PushTerms};

const ANN: usize = 0;
const BOB: usize = 1;

fn terms(texts: bool) -> PushTerms {
    PushTerms { key: "BKey".into(), hosts: Vec::new(), texts }
}

fn subscribe(endpoint: &str) -> Command<'static> {
    let endpoint = format!("https://push.example/{endpoint}").into();
    let (key, secret) = (Box::new([4; 65]), [7; 16]);
    Command::PushSubscribe { endpoint, key, secret, agent: Some("a phone".into()) }
}

fn away(away: bool) -> Command<'static> {
    Command::Status { away }
}

fn read(seq: u64) -> Command<'static> {
    Command::Ack { room: "@ann:bob".into(), recv: None, read: Some(seq), epoch: None }
}

/// `ann` has two devices, `bob` none.
fn harness(terms: Option<PushTerms>) -> Harness {
    let mut harness = Harness::new(Limits::default());
    harness.hello(ANN, "ann");
    harness.hello(BOB, "bob");
    if let Some(terms) = terms {
        harness.chat.begin_pushes(harness.now, terms, None);
        harness.run(ANN, subscribe("1"));
        harness.run(ANN, subscribe("2"));
    }
    harness
}

fn write(harness: &mut Harness, text: &'static str) {
    harness.run(BOB, message(Target::User("ann".into()), text, None));
}

/// What the sending thread is asked, in a line for each order.
fn orders(harness: &mut Harness) -> Vec<String> {
    let orders = std::iter::from_fn(|| harness.chat.poll_push());
    let line = |order| match order {
        PushOrder::Send(push) => {
            let is_direct = push.room.as_str().starts_with('@');
            let why = if is_direct { PushReason::Direct } else { PushReason::Mention };
            assert_eq!((push.from.as_str(), push.why), ("bob", why));
            let (room, text) = (push.room.as_str(), push.text.as_deref().unwrap_or("-"));
            let read: Vec<_> =
                push.read.iter().map(|(room, seq)| format!(" {room}≤{seq}")).collect();
            format!(
                "{}: {room} {} of {} {text}{}",
                push.to.id,
                push.seq,
                push.unread,
                read.concat()
            )
        }
        PushOrder::Read(user, room, seq) => format!("{user} has read {room} {seq}"),
        PushOrder::End(id) => format!("end {id}"),
        PushOrder::Forget => "forget".to_owned(),
    };
    orders.map(line).collect()
}

#[test]
fn somebody_who_is_away_is_told_at_once_on_each_device() {
    let mut harness = harness(Some(terms(false)));
    harness.run(ANN, away(true));
    write(&mut harness, "one");
    write(&mut harness, "two");
    let expect = [
        "1: @ann:bob 1 of 1 -",
        "2: @ann:bob 1 of 1 -",
        "1: @ann:bob 2 of 2 -",
        "2: @ann:bob 2 of 2 -",
    ];
    assert_eq!(orders(&mut harness), expect);
    harness.run(ANN, message(Target::User("bob".into()), "own", None));
    assert!(orders(&mut harness).is_empty(), "nobody is told of what is their own");
}

#[test]
fn somebody_who_is_there_is_told_of_what_is_unread_on_going() {
    for leave in [
        (|harness: &mut Harness| _ = harness.run(ANN, away(true))) as fn(&mut Harness),
        |harness| {
            harness.chat.handle_closed(harness.now, conn(ANN));
            assert!(orders(harness).is_empty(), "a page may be loaded again");
            harness.wait(20_000);
        },
    ] {
        let mut harness = harness(Some(terms(true)));
        write(&mut harness, "one");
        harness.run(ANN, read(1));
        write(&mut harness, "two");
        harness.run(ANN, message(Target::User("bob".into()), "own", None));
        write(&mut harness, "three");
        assert!(orders(&mut harness).is_empty());
        leave(&mut harness);
        let expect = ["1: @ann:bob 4 of 2 three", "2: @ann:bob 4 of 2 three"];
        assert_eq!(orders(&mut harness), expect);
        harness.wait(60_000);
        assert!(orders(&mut harness).is_empty(), "once");
    }
}

#[test]
fn who_is_named_in_a_room_is_told_and_nobody_else() {
    let mut harness = harness(Some(terms(false)));
    harness.join(BOB, "lobby");
    harness.run(ANN, away(true));
    let say = |text| message(Target::Room("lobby".into()), text, None);
    harness.run(BOB, say("@ann, are you there?"));
    assert!(orders(&mut harness).is_empty(), "she is no member");
    harness.join(ANN, "lobby");
    for (text, told) in [
        ("hello", false),
        ("@bob and `@ann`", false),
        ("@ann: tea", true),
        ("tea for @room", true),
        ("@ann and @room, @ann", true),
    ] {
        harness.run(BOB, say(text));
        let orders = orders(&mut harness);
        assert_eq!(orders.len(), if told { 2 } else { 0 }, "{text}: {orders:?}");
    }
}

#[test]
fn who_has_nobody_connected_is_told_at_once() {
    let mut harness = harness(Some(terms(false)));
    harness.chat.handle_closed(harness.now, conn(ANN));
    write(&mut harness, "one");
    assert_eq!(orders(&mut harness), ["1: @ann:bob 1 of 1 -", "2: @ann:bob 1 of 1 -"]);
    harness.wait(60_000);
    assert!(orders(&mut harness).is_empty(), "once");
}

#[test]
fn what_was_read_is_taken_back_and_told_with_the_next_push() {
    let mut harness = harness(Some(terms(false)));
    harness.run(ANN, away(true));
    write(&mut harness, "one");
    assert_eq!(orders(&mut harness).len(), 2);
    harness.run(ANN, read(1));
    harness.wait(1_000);
    assert_eq!(orders(&mut harness), ["ann has read @ann:bob 1"]);
    harness.hello(2, "cat");
    harness.run(2, message(Target::User("bob".into()), "to bob, who has no device", None));
    assert!(orders(&mut harness).is_empty());
    write(&mut harness, "two");
    // Of the room itself there is something new: nothing is to be closed there.
    assert_eq!(orders(&mut harness), ["1: @ann:bob 2 of 1 -", "2: @ann:bob 2 of 1 -"]);
}

#[test]
fn somebody_who_is_blocked_reaches_no_device() {
    let mut harness = harness(Some(terms(false)));
    write(&mut harness, "one");
    harness.run(ANN, Command::Block { user: "bob".into(), on: true });
    write(&mut harness, "two");
    harness.run(ANN, away(true));
    assert!(!orders(&mut harness).iter().any(|order| order.contains(" 2 of ")));
}

#[test]
fn what_was_deleted_and_where_one_is_no_more_is_told_by_no_device() {
    let mut harness = harness(Some(terms(true)));
    harness.run(BOB, create("den", false));
    harness.join(ANN, "den");
    let den = || -> Cow<'static, str> { "den".into() };
    harness.run(BOB, message(Target::Room(den()), "@ann, a secret", None));
    harness.run(BOB, Command::Delete { room: den(), target: 1 });
    harness.run(ANN, away(true));
    assert!(orders(&mut harness).is_empty());
    harness.run(BOB, message(Target::Room(den()), "@ann, are you there?", None));
    assert_eq!(orders(&mut harness).len(), 2);
    harness.run(BOB, Command::Rename { room: den(), name: "lair".into() });
    harness.run(ANN, Command::Leave { room: den() });
    assert_eq!(orders(&mut harness), ["ann has read den 3"], "as it is called on the device");
}

#[test]
fn what_waits_is_told_under_the_name_that_the_room_has_by_then() {
    let mut harness = harness(Some(terms(false)));
    harness.run(BOB, create("den", false));
    harness.join(ANN, "den");
    harness.run(BOB, message(Target::Room("den".into()), "@ann", None));
    harness.run(BOB, Command::Rename { room: "den".into(), name: "lair".into() });
    assert!(orders(&mut harness).is_empty());
    harness.run(ANN, away(true));
    assert_eq!(orders(&mut harness), ["1: lair 1 of 1 -", "2: lair 1 of 1 -"]);
}

#[test]
fn devices_are_bounded_listed_and_ended() {
    let mut harness = harness(Some(terms(false)));
    let said = harness.run(ANN, subscribe("1"));
    assert_eq!(sent_to(&said, ANN), ["PushSubscribed { id: 1 }"], "it is there already");
    for more in 3..=PUSHES_OF_USER_MAX + 1 {
        harness.run(ANN, subscribe(&more.to_string()));
    }
    assert_eq!(orders(&mut harness), ["end 1"]);
    let said = harness.run(ANN, Command::PushUnsubscribe { which: PushTarget::Id(1) });
    assert!(format!("{said:?}").contains("you have no such device"), "{said:?}");
    let said = harness.run(BOB, Command::PushUnsubscribe { which: PushTarget::Id(2) });
    assert!(format!("{said:?}").contains("you have no such device"), "{said:?}");
    harness.run(ANN, Command::PushUnsubscribe { which: PushTarget::Id(2) });
    let endpoint = PushTarget::Endpoint("https://push.example/3".into());
    harness.run(ANN, Command::PushUnsubscribe { which: endpoint });
    assert_eq!(orders(&mut harness), ["end 2", "end 3"]);
    // Another user has the browser now.
    harness.run(BOB, subscribe("4"));
    assert_eq!(orders(&mut harness), ["end 4"]);
    harness.chat.on_push_ended(harness.now, 5);
    harness.end_turn();
    let said = harness.run(ANN, Command::PushSubscriptions);
    let Some(Output::Reply { result: Ok(Reply::PushSubscriptions { key, items, .. }), .. }) =
        said.into_iter().next()
    else {
        panic!("no list");
    };
    assert_eq!(&*key, "BKey");
    let ids: Vec<u64> = items.iter().map(|device| device.id).collect();
    assert_eq!(ids, (6..=17).collect::<Vec<_>>());
}

#[test]
fn nothing_is_pushed_where_that_is_off_and_nothing_to_guests() {
    let mut off = harness(None);
    for command in [subscribe("1"), Command::PushSubscriptions] {
        let said = off.run(ANN, command);
        assert!(format!("{said:?}").contains("does not push"), "{said:?}");
    }
    let mut on = harness(Some(terms(false)));
    on.hello_with(3, None, None);
    let said = on.run(3, subscribe("1"));
    assert!(format!("{said:?}").contains("guests"), "{said:?}");
    for endpoint in ["http://push.example/", "https://", "https://a@push.example/", "x"] {
        let Command::PushSubscribe { key, secret, agent, .. } = subscribe("") else { panic!() };
        let command = Command::PushSubscribe { endpoint: endpoint.into(), key, secret, agent };
        let said = on.run(ANN, command);
        assert!(format!("{said:?}").contains("endpoint"), "{endpoint}: {said:?}");
    }
}
