//! Connections whose token is good for some rooms only, beside others of the same user: what those
//! do elsewhere, these do not learn.

use super::super::model::identity::{AuthPolicy, Grant, Identity, Rights, Source};
use super::super::model::reply::Resumption;
use super::*;

const WHOLE: usize = 0;
const NARROW: usize = 1;
const OTHER: usize = 2;

/// `ann` by two connections, of which one may only read in `lobby`, and `bob`, in `tea`.
fn harness() -> Harness {
    let mut harness = Harness::new(Limits::default());
    for (number, name) in [(WHOLE, "ann"), (NARROW, "ann"), (OTHER, "bob")] {
        harness.hello(number, name);
    }
    let rights = Rights { read: true, send: false };
    let grants = vec![Grant { rooms: "lobby".into(), rights }];
    let identity = Identity { grants, ..Identity::default() };
    harness.chat.directory.credentials.insert(conn(NARROW), identity);
    for number in [WHOLE, OTHER] {
        harness.join(number, "tea");
    }
    harness.wait(10_000);
    harness
}

/// What the narrow connection gets while the other one does this, and for ten seconds after.
fn narrow_hears(harness: &mut Harness, by: usize, command: Command<'_>) -> Vec<String> {
    let mut said = harness.run(by, command);
    said.extend(harness.wait(10_000));
    sent_to(&said, NARROW).into_iter().filter(|line| line != "wake").collect()
}

#[test]
fn nothing_of_a_hidden_room_is_told_by_the_users_own_doings() {
    let mut harness = harness();
    let room = || "tea".into();
    let say = || message(Target::Room("tea".into()), "psst", None);
    let ack = Command::Ack { room: room(), recv: None, read: Some(1), epoch: None };
    let to_bob = message(Target::User("bob".into()), "psst", None);
    let block = Command::Block { user: "bob".into(), on: true };
    for (by, command) in [
        (OTHER, say()),
        (WHOLE, ack),
        (WHOLE, to_bob),
        (WHOLE, block),
        (WHOLE, Command::Leave { room: room() }),
        (WHOLE, Command::Join { room: room(), after: None, epoch: None }),
        (WHOLE, Command::Typing { room: room() }),
    ] {
        let what = format!("{command:?}");
        assert_eq!(narrow_hears(&mut harness, by, command), Vec::<String>::new(), "{what}");
    }
}

#[test]
fn what_it_may_know_of_is_told_as_ever() {
    let mut harness = harness();
    let room = || "lobby".into();
    for number in [WHOLE, NARROW] {
        harness.join(number, "lobby");
    }
    harness.join(OTHER, "lobby");
    harness.run(OTHER, message(Target::Room("lobby".into()), "hi", None));
    let ack = Command::Ack { room: room(), recv: None, read: Some(1), epoch: None };
    let lines = narrow_hears(&mut harness, WHOLE, ack);
    assert!(lines.contains(&"own receipt 1".to_owned()), "{lines:?}");
    let left = narrow_hears(&mut harness, WHOLE, Command::Leave { room: room() });
    assert!(left.contains(&"left left".to_owned()), "{left:?}");
}

#[test]
fn nobody_of_a_hidden_room_is_known_by_a_profile() {
    let mut harness = harness();
    for (number, is_known) in [(WHOLE, true), (NARROW, false)] {
        let said = harness.run(number, Command::Whois { users: vec!["bob".into()] });
        let lines = sent_to(&said, number).concat();
        assert_eq!(
            (lines.contains("Profiles"), lines.contains("bob")),
            (true, is_known),
            "{lines}"
        );
    }
}

#[test]
fn a_resume_by_such_a_token_brings_nothing_of_a_hidden_room() {
    let auth = AuthPolicy { none: true, tokens: true, ..AuthPolicy::default() };
    let mut harness = Harness::new(Limits { auth, ..Limits::default() });
    let ann = |rooms: &[&str]| {
        let rights = Rights { read: true, send: false };
        let grant = |rooms: &&str| Grant { rooms: (*rooms).into(), rights };
        Identity {
            source: Source::Token,
            issuer: "app".into(),
            subject: "ann".into(),
            name: UserName::parse("ann").ok(),
            grants: rooms.iter().map(grant).collect(),
            ..Identity::default()
        }
    };
    let hello = harness.hello_of(Some(ann(&[])));
    harness.say_hello(WHOLE, hello);
    for room in ["tea", "lobby"] {
        harness.join(WHOLE, room);
    }
    let positions = ["tea", "lobby"].map(|room| {
        let epoch = harness.chat.rooms[harness.chat.rooms.named(room).unwrap()].epoch;
        Position { room: room.into(), epoch: epoch.to_string().into(), seq: 0 }
    });
    let resume = Resume { session: "".into(), positions: positions.into(), former: None };
    let hello = Hello { resume: Some(resume), ..harness.hello_of(Some(ann(&["lobby"]))) };
    let said = harness.say_hello(NARROW, hello);
    let Some(Output::Reply { result: Ok(Reply::Welcome { rooms, .. }), .. }) = said.first() else {
        panic!("{said:?}");
    };
    let [tea, lobby] = [0, 1].map(|at| &rooms[at].resumption);
    assert!(matches!(tea, Resumption::Refused(refusal) if refusal.code == Code::NoSuchRoom));
    assert!(matches!(lobby, Resumption::From { .. }), "{lobby:?}");
}
