//! What a policy says of the rooms that it is for.

use super::super::model::policy::{Access, Creators, Policies, Policy, PresenceMode, Rule};
use super::moderation::{answer_to, name, refusal};
use super::*;

/// A harness under these policies, by pattern; those without a star are only to be chosen.
fn under(rules: &[(&str, Policy)]) -> Harness {
    let rules = rules.iter().map(|(key, policy)| Rule {
        name: (!key.contains('*')).then(|| (*key).into()),
        pattern: key.contains('*').then(|| (*key).into()),
        policy: policy.clone(),
    });
    let policies = Policies { rules: rules.collect(), ..Policies::uniform(Policy::default()) };
    let mut harness = Harness::new(Limits { policies, ..Limits::default() });
    for (number, user) in ["ann", "bob"].into_iter().enumerate() {
        harness.hello(number, user);
    }
    harness
}

fn create<'a>(room: &'a str, policy: Option<&'a str>) -> Command<'a> {
    let policy = policy.map(Into::into);
    Command::Create { room: room.into(), topic: None, private: false, policy }
}

#[test]
fn a_policy_says_who_may_make_a_room_and_who_may_enter() {
    let invited = Policy { access: Access::Invite, ..Policy::default() };
    let mut harness = under(&[
        ("staff/*", Policy { create: Creators::Only(vec![name("ann")]), ..Policy::default() }),
        ("club/*", invited.clone()),
        ("secret/*", Policy { access: Access::Private, ..Policy::default() }),
        ("members", invited),
    ]);
    assert_eq!(sent_to(&harness.run(1, create("staff/a", None)), 1), ["no 3004"]);
    assert_eq!(sent_to(&harness.join(1, "staff/a"), 1), ["no 3001"]);
    assert!(sent_to(&harness.join(0, "staff/a"), 0)[0].starts_with("joined"));
    assert!(sent_to(&harness.join(1, "staff/a"), 1)[0].starts_with("joined"));
    assert_eq!(sent_to(&harness.join(0, "club/a"), 0), ["no 3001"], "nobody could invite");
    for (room, policy, refused) in [
        ("club/a", None, "no 3008"),
        ("secret/a", None, "no 3001"),
        ("mine", Some("members"), "no 3008"),
    ] {
        assert!(sent_to(&harness.run(0, create(room, policy)), 0)[0].starts_with("joined"));
        assert_eq!(sent_to(&harness.join(1, room), 1), [refused], "{room}");
        let invite = Command::Invite { room: room.into(), user: "bob".into(), reason: "".into() };
        assert_eq!(sent_to(&harness.run(0, invite), 1), [format!("invited to {room} by ann")]);
        assert!(sent_to(&harness.join(1, room), 1)[0].starts_with("joined"), "{room}");
    }
    let refusal = refusal(&mut harness, 0, create("b", Some("memberz")));
    assert_eq!((refusal.code, refusal.field), (Code::BadField, Some("policy")));
    assert_eq!(refusal.expected.as_deref(), Some("one of members"));
}

#[test]
fn a_policy_may_take_less_at_once() {
    let mut harness = under(&[("*", Policy { message_bytes: Some(4), ..Policy::default() })]);
    harness.join(0, "lobby");
    assert_eq!(
        answer_to(&mut harness, 0, message(Target::Room("lobby".into()), "four", None)),
        "sent 1"
    );
    let five = message(Target::Room("lobby".into()), "five!", None);
    let five = refusal(&mut harness, 0, five);
    assert_eq!((five.code, five.limit), (Code::TooLarge, Some(4)));
    assert_eq!(refusal(&mut harness, 0, edit(1, "five!")).code, Code::TooLarge);
}

#[test]
fn a_policy_says_how_presence_is_told() {
    let told = |presence| {
        let mut harness = under(&[("*", Policy { presence, ..Policy::default() })]);
        harness.join(0, "lobby");
        harness.join(1, "lobby");
        let mut lines = sent_to(&harness.wait(100), 0);
        harness.run(1, Command::Leave { room: "lobby".into() });
        lines.extend(sent_to(&harness.wait(2_000), 0));
        lines.extend(sent_to(&harness.run(0, Command::Presence { room: "lobby".into() }), 0));
        lines
    };
    let count = ["presence 1 2 CountOnly", "presence 2 1 CountOnly"];
    let count = [count[0], count[1], "Presence { v: 2, count: 1, users: None }"];
    assert_eq!(told(PresenceMode::Count), count);
    assert_eq!(told(PresenceMode::Off), ["Presence { v: 0, count: 0, users: None }"]);
    assert_eq!(told(PresenceMode::Names).len(), 3);
}
