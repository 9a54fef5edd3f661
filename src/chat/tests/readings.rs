//! Readings of stored rooms: what is changed meanwhile, and what their own connection has said
//! before.

use super::super::model::command::Page;
use super::super::model::policy::{Policies, Policy, Rule};
use super::super::model::reply::Durability;
use super::stored::{answer, harness, harness_of, lines_to, say_many};
use super::*;

/// What is read, and changed before the answer comes: the texts of seq 1 that are shown.
#[track_caller]
fn shown_after(change: Command<'_>, read: Command<'_>) -> Vec<String> {
    let (mut harness, shelf) = harness(2);
    harness.enter(["ann", "bob"]);
    harness.say(0, "secret");
    harness.end_turn();
    for number in 2..=9 {
        harness.run(
            1,
            Command::React {
                room: "lobby".into(),
                target: 1,
                emoji: number.to_string().into(),
                remove: false,
                weight: 0,
            },
        );
    }
    shelf.0.borrow_mut().reads_wait = true;
    harness.run(1, read);
    // What is read in parts is read on while the changes come.
    harness.run(0, edit(1, "first"));
    let said = lines_to(&harness.run(0, change), 1);
    assert_eq!(said, ["#11"], "the change is told");
    shelf.0.borrow_mut().reads_wait = false;
    let said = harness.end_turn();
    let items: Vec<SharedRecord> = match answer(&said) {
        Some(Output::Reply { result: Ok(Reply::History { items, .. }), .. }) => items.clone(),
        Some(Output::Reply { result: Ok(Reply::Found { items, .. }), .. }) => {
            items.iter().map(|(_, record)| SharedRecord::clone(record)).collect()
        }
        Some(Output::Reply { result: Ok(Reply::Inbox { rooms, .. }), .. }) => {
            rooms.iter().filter_map(|row| row.last.clone()).collect()
        }
        other => panic!("{other:?}"),
    };
    let bodies = items.iter().filter(|record| record.seq == 1).map(|record| &record.body);
    let texts = bodies.map(|body| match body {
        Body::Message { text, edited, .. } => format!("{text} {}", edited.is_some()),
        other => format!("{other:?}"),
    });
    texts.collect()
}

#[test]
fn what_was_changed_while_it_was_read_is_shown_as_it_is() {
    let history = |page| Command::History { room: "lobby".into(), page, limit: None, epoch: None };
    let search = Command::Search { room: None, text: "secret".into(), before: None, limit: None };
    let inbox = Command::Rooms { since: None };
    let delete = Command::Delete { room: "lobby".into(), target: 1 };
    let edit = Command::Edit { room: "lobby".into(), target: 1, text: "second".into(), weight: 6 };
    let pages = [Page::Latest, Page::Before(5), Page::After(0), Page::Around(5)].map(history);
    for read in pages {
        assert_eq!(shown_after(delete.clone(), read.clone()), ["Deleted"], "{read:?}");
        assert_eq!(shown_after(edit.clone(), read.clone()), ["second true"], "{read:?}");
    }
    for read in [search, inbox] {
        assert_eq!(shown_after(delete.clone(), read.clone()), [""; 0], "{read:?}");
        assert_eq!(shown_after(edit.clone(), read.clone()), ["second true"], "{read:?}");
    }
}

#[test]
fn an_edit_that_was_read_loses_its_text_with_its_message() {
    let (mut harness, shelf) = harness(2);
    harness.hello(0, "ann");
    harness.join(0, "lobby");
    harness.say(0, "secret");
    harness.end_turn();
    harness.run(0, edit(1, "still"));
    say_many(&mut harness, 0, 5);
    shelf.0.borrow_mut().reads_wait = true;
    let page = Page::After(0);
    harness.run(0, Command::History { room: "lobby".into(), page, limit: Some(3), epoch: None });
    harness.run(0, Command::Delete { room: "lobby".into(), target: 1 });
    shelf.0.borrow_mut().reads_wait = false;
    let said = harness.end_turn();
    let Some(Output::Reply { result: Ok(Reply::History { items, .. }), .. }) = answer(&said) else {
        panic!("{said:?}");
    };
    let bodies: Vec<&Body> = items.iter().take(2).map(|record| &record.body).collect();
    assert_eq!(bodies, [&Body::Deleted, &Body::Edit { target: 1, text: None }]);
}

/// The seqs that an answer to `history` shows.
#[track_caller]
fn history_seqs(said: &[Output]) -> Vec<u64> {
    match answer(said) {
        Some(Output::Reply { result: Ok(Reply::History { items, .. }), .. }) => {
            items.iter().map(|record| record.seq).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_says_something_and_reads_at_once_finds_it_there() {
    let (mut harness, shelf) = harness(8);
    harness.enter(["ann", "bob"]);
    shelf.0.borrow_mut().slow = true;
    let history =
        || Command::History { room: "lobby".into(), page: Page::Latest, limit: None, epoch: None };
    let inbox = Command::Rooms { since: None };
    for text in ["one", "two"] {
        harness.say(0, text);
    }
    assert_eq!(sent_to(&harness.run(0, history()), 0), [""; 0], "not before it is stored");
    assert!(harness.chat.owed(conn(0)) > 64, "and nothing more is read meanwhile");
    assert_eq!(history_seqs(&harness.run(1, history())), [0; 0], "others do not wait");
    shelf.0.borrow_mut().slow = false;
    let said = harness.end_turn();
    let own: Vec<Output> = said
        .into_iter()
        .filter(|said| matches!(said, Output::Reply { to, .. } if *to == conn(0)))
        .collect();
    assert_eq!(history_seqs(&own), [1, 2]);
    assert_eq!(harness.chat.owed(conn(0)), 0);
    // Nothing waits for what was never answered.
    shelf.0.borrow_mut().slow = true;
    harness.say(0, "three");
    harness.run(0, inbox);
    harness.chat.handle_closed(harness.now, conn(0));
    shelf.0.borrow_mut().slow = false;
    harness.end_turn();
    assert_eq!(harness.chat.pending(), 0);
}

#[test]
fn rooms_in_memory_are_searched_as_far_as_they_are_there() {
    let rule = Rule {
        pattern: Some("kept/*".into()),
        name: None,
        policy: Policy { durability: Durability::Disk, ..Policy::default() },
    };
    let policies = Policies { rules: vec![rule], ..Policies::uniform(Policy::default()) };
    let (mut harness, _shelf) =
        harness_of(Limits { ring_records: 4, policies, ..Limits::default() });
    for (number, name) in [(0, "ann"), (1, "bob")] {
        harness.hello(number, name);
        harness.join(number, "tmp");
    }
    harness.join(0, "kept/tea");
    let said = [
        ("tmp", "tea one"),
        ("tmp", "Tea two"),
        ("kept/tea", "tea three"),
        ("tmp", "tea four"),
        ("tmp", "rum"),
        ("tmp", "tea five"),
    ];
    for (room, text) in said {
        harness.now.wall_ms += 10;
        harness.run(0, message(Target::Room(room.into()), text, None));
    }
    let search = |room: Option<&'static str>, before, limit| Command::Search {
        room: room.map(Into::into),
        text: "tea".into(),
        before,
        limit,
    };
    for (number, command, expect) in [
        (0, search(None, None, None), (vec!["tea five", "tea four", "tea three", "Tea two"], None)),
        (0, search(Some("tmp"), None, Some(2)), (vec!["tea five", "tea four"], None)),
        (0, search(None, None, Some(2)), (vec!["tea five", "tea four"], Some((1 << 53) - 1))),
        (0, search(None, Some((1 << 53) - 1), None), (vec!["tea three"], None)),
        (1, search(None, None, None), (vec!["tea five", "tea four", "Tea two"], None)),
    ] {
        let shown = format!("{command:?}");
        let said = harness.run(number, command);
        let Some(Output::Reply { result: Ok(Reply::Found { items, next }), .. }) = answer(&said)
        else {
            panic!("{shown}: {said:?}");
        };
        let texts = items.iter().map(|(_, record)| match &record.body {
            Body::Message { text, .. } => &**text,
            other => panic!("{other:?}"),
        });
        assert_eq!((texts.collect::<Vec<_>>(), *next), expect, "{shown}");
    }
}

#[test]
fn who_is_put_out_while_a_page_is_read_is_shown_nothing_of_it() {
    let (mut harness, shelf) = harness(2);
    harness.enter_owned();
    say_many(&mut harness, 0, 9);
    shelf.0.borrow_mut().reads_wait = true;
    let page = Page::After(0);
    harness.run(1, Command::History { room: "lobby".into(), page, limit: None, epoch: None });
    harness.run(0, moderate("lobby", "bob", ModerationCommand::Kick));
    shelf.0.borrow_mut().reads_wait = false;
    assert_eq!(lines_to(&harness.end_turn(), 1), ["no 3003"]);
}

#[test]
fn what_is_pruned_while_a_page_is_read_is_not_shown_nor_is_its_text_in_an_edit() {
    let (mut harness, shelf) = harness(2);
    harness.hello(0, "ann");
    harness.join(0, "lobby");
    harness.say(0, "secret");
    harness.end_turn();
    harness.run(0, edit(1, "still"));
    say_many(&mut harness, 0, 7);
    shelf.0.borrow_mut().reads_wait = true;
    let page = Page::After(0);
    harness.run(0, Command::History { room: "lobby".into(), page, limit: Some(3), epoch: None });
    let log = harness.chat.rooms.table.iter().next().unwrap().1.log;
    shelf.0.borrow_mut().prune(log, 2);
    harness.end_turn();
    shelf.0.borrow_mut().reads_wait = false;
    let said = harness.end_turn();
    assert_eq!(history_seqs(&said), [2, 3]);
    let Some(Output::Reply { result: Ok(Reply::History { items, .. }), .. }) = answer(&said) else {
        panic!("{said:?}");
    };
    assert_eq!(items[0].body, Body::Edit { target: 1, text: None });
}

#[test]
fn the_half_of_a_page_that_is_there_shows_what_changes_while_the_other_is_read() {
    let (mut harness, shelf) = harness(2);
    harness.hello(0, "ann");
    harness.join(0, "lobby");
    say_many(&mut harness, 0, 9);
    shelf.0.borrow_mut().reads_wait = true;
    let page = Page::Around(5);
    harness.run(0, Command::History { room: "lobby".into(), page, limit: None, epoch: None });
    shelf.0.borrow_mut().reads_wait = false;
    let lower = harness.store.poll().expect("the lower half");
    shelf.0.borrow_mut().reads_wait = true;
    harness.chat.on_log_reply(harness.now, lower);
    harness.run(0, Command::Delete { room: "lobby".into(), target: 1 });
    shelf.0.borrow_mut().reads_wait = false;
    let said = harness.end_turn();
    let Some(Output::Reply { result: Ok(Reply::History { items, .. }), .. }) = answer(&said) else {
        panic!("{said:?}");
    };
    assert_eq!((items[0].seq, &items[0].body), (1, &Body::Deleted));
}

#[test]
fn a_page_is_read_anew_when_one_of_its_messages_was_changed() {
    let (mut harness, shelf) = harness(2);
    harness.hello(0, "ann");
    harness.join(0, "lobby");
    say_many(&mut harness, 0, 20);
    let reads = |number: usize, harness: &mut Harness| {
        harness.hello(number, &format!("u{number}"));
        let before = shelf.0.borrow().reads;
        let join = Command::Join { room: "lobby".into(), after: Some(0), epoch: None };
        let said = lines_to(&harness.run(number, join), number);
        assert!(said.iter().any(|line| line.starts_with("replay 1..=")), "{said:?}");
        shelf.0.borrow().reads - before
    };
    assert_eq!((reads(1, &mut harness), reads(2, &mut harness)), (1, 0));
    harness.run(0, edit(1, "later"));
    assert_eq!(reads(3, &mut harness), 1);
}

#[test]
fn nobody_replies_to_a_message_whose_deletion_is_under_way() {
    let mut harness = Harness::with_lobby(Limits::default(), 1);
    harness.say(0, "hi");
    harness.end_turn();
    let mut reply = message(Target::Room("lobby".into()), "to that", None);
    if let Command::Send(send) = &mut reply {
        send.reply_to = Some(1);
    }
    // Together, so that the log has not answered in between.
    for command in [Command::Delete { room: "lobby".into(), target: 1 }, reply] {
        harness.chat.handle_command(harness.now, conn(0), request(Op::Ping), command);
    }
    let said = sent_to(&harness.end_turn(), 0);
    assert!(said.contains(&"no 4002".to_owned()), "{said:?}");
}
