//! Programs and requests over HTTP: no members, no presence, and nothing that stays behind.

use super::super::model::command::Page;
use super::super::model::identity::Source;
use super::*;

/// Says hello for one request, as a program that may do everything everywhere.
fn visit(harness: &mut Harness, number: usize) -> Vec<Output> {
    let rights = Rights { read: true, send: true };
    let identity = harness.program("*", rights);
    let hello = Hello { is_visit: true, ..harness.hello_of(Some(identity)) };
    harness.say_hello(number, hello)
}

#[test]
fn a_visit_is_told_to_nobody_and_leaves_nobody_behind() {
    let mut harness = Harness::with_lobby(Limits::default(), 1);
    harness.wait(2_000);
    for _ in 0..3 {
        let said = visit(&mut harness, 9);
        assert!(matches!(said[..], [Output::Reply { result: Ok(Reply::Done), .. }]), "{said:?}");
        let said = harness.run(9, message(Target::Room("lobby".into()), "hi", None));
        assert_eq!(sent_to(&said, 0).len(), 1, "the message alone: {said:?}");
        // It is not forgotten while it asks, however long that takes.
        assert_eq!(sent_to(&harness.wait(120_000), 0), [""; 0]);
        assert!(harness.chat.directory.user_named("prog").is_some());
        harness.chat.handle_closed(harness.now, conn(9));
        assert_eq!(sent_to(&harness.wait(120_000), 0), [""; 0]);
        assert!(harness.chat.directory.user_named("prog").is_none());
    }
}

#[test]
fn nobody_reads_the_conversations_of_others_whatever_the_key_says() {
    let mut harness = Harness::new(Limits::default());
    harness.hello(0, "ann");
    harness.hello(1, "bob");
    harness.run(0, message(Target::User("bob".into()), "psst", None));
    visit(&mut harness, 9);
    for command in [
        Command::History { room: "@ann:bob".into(), page: Page::Latest, limit: None, epoch: None },
        Command::Join { room: "@ann:bob".into(), after: Some(0), epoch: None },
        message(Target::Room("@ann:bob".into()), "hi", None),
    ] {
        let said = harness.run(9, command);
        let refused = said.iter().any(|said| {
            matches!(said, Output::Reply { result: Err(refusal), .. } if refusal.code == Code::NoSuchRoom)
        });
        assert!(refused, "{said:?}");
    }
}

#[test]
fn a_name_that_is_being_written_stays_somebodys_whatever_a_command_writes_meanwhile() {
    let mut harness = Harness::new(Limits::default());
    let operator = UserName::parse("operator").unwrap();
    assert!(harness.chat.reserve_operator(harness.now, &operator));
    // As a command beside the server leaves it that has read the file a moment before.
    harness.chat.on_log_reply(harness.now, LogReply::People(Box::default()));
    let is_kept = |harness: &Harness| {
        let bound = harness.chat.directory.identities.of_name("operator");
        bound.is_some_and(|bound| bound.source == Source::Key)
    };
    assert!(is_kept(&harness));
    harness.end_turn();
    assert!(is_kept(&harness) && !harness.chat.directory.identities.is_unwritten(&operator));
    // Once it is written, what the file has counts.
    harness.chat.on_log_reply(harness.now, LogReply::People(Box::default()));
    assert!(!is_kept(&harness));
}
