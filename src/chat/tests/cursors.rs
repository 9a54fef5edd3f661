//! Cursors: live, behind, and how they come back.

use super::*;
use crate::chat::model::limits::PAGE_BYTES_MAX;

/// Limits with credit for so many empty messages of `u0` at once.
fn credit_for(messages: usize) -> Limits {
    Limits { outbound_soft: messages * weight(0), ..Limits::default() }
}

#[test]
fn a_sender_gets_its_replies_in_the_places_of_its_records() {
    let mut harness = Harness::with_lobby(Limits::default(), 3);
    harness.say(0, "a");
    harness.say(1, "b");
    harness.say(0, "c");
    harness.say(1, "d");
    let said = harness.end_turn();
    assert_eq!(sent_to(&said, 0), ["sent 1", "#2", "sent 3", "#4"]);
    assert_eq!(sent_to(&said, 1), ["#1", "sent 2", "#3", "sent 4"]);
    assert_eq!(sent_to(&said, 2), ["#1", "#2", "#3", "#4"]);
}

#[test]
fn of_many_that_speak_in_one_turn_each_gets_its_reply_and_the_records_of_the_others() {
    const SENDERS: usize = 12;
    let mut harness = Harness::with_lobby(Limits::default(), SENDERS);
    for number in (0..SENDERS).rev() {
        harness.say(number, "");
    }
    let said = harness.end_turn();
    for number in 0..SENDERS {
        let own = SENDERS - number;
        let line = |seq| if seq == own { format!("sent {seq}") } else { format!("#{seq}") };
        assert_eq!(sent_to(&said, number), (1..=SENDERS).map(line).collect::<Vec<_>>());
    }
}

#[test]
fn what_was_said_is_answered_before_what_was_to_be_read_behind_it() {
    let mut harness = Harness::with_lobby(Limits::default(), 2);
    harness.say(1, "a");
    let room = "lobby".into();
    let page = model::command::Page::Latest;
    // Together, so that the reading waits for the log's answer to the message.
    for command in [
        message(Target::Room("lobby".into()), "b", None),
        Command::History { room, page, limit: None, epoch: None },
    ] {
        harness.chat.handle_command(harness.now, conn(0), request(Op::Ping), command);
    }
    let mut said = sent_to(&harness.end_turn(), 0);
    said.retain(|line| line != "wake");
    assert_eq!(said[..2], ["#1", "sent 2"], "{said:?}");
    assert!(said[2].starts_with("History"), "{said:?}");
}

#[test]
fn a_sender_that_wants_the_echo_gets_the_event_and_then_the_reply() {
    let mut harness = Harness::with_lobby(Limits::default(), 2);
    let mut command = message(Target::Room("lobby".into()), "a", None);
    if let Command::Send(send) = &mut command {
        send.echo = true;
    }
    let said = harness.run(0, command);
    assert_eq!(sent_to(&said, 0), ["#1", "sent 1"]);
    assert_eq!(sent_to(&said, 1), ["#1"]);
}

#[test]
fn who_joins_in_the_middle_of_a_turn_sees_only_what_follows() {
    let mut harness = Harness::with_lobby(Limits::default(), 1);
    harness.hello(5, "late");
    harness.say(0, "before");
    harness.ask(5, Command::Join { room: "lobby".into(), after: None, epoch: None });
    harness.say(0, "after");
    let said = harness.end_turn();
    assert_eq!(sent_to(&said, 5), ["joined at 1 from 1", "#2"]);
    assert_eq!(sent_to(&said, 0), ["sent 1", "sent 2"]);
}

#[test]
fn who_leaves_in_the_middle_of_a_turn_is_still_answered() {
    let mut harness = Harness::with_lobby(Limits::default(), 2);
    harness.say(1, "last words");
    harness.ask(1, Command::Leave { room: "lobby".into() });
    harness.say(0, "gone");
    let said = harness.end_turn();
    assert_eq!(sent_to(&said, 1), ["sent 1", "Left { room: \"lobby\" }", "left left"]);
    assert_eq!(sent_to(&said, 0), ["#1", "sent 2"]);
}

#[test]
fn a_slow_reader_falls_behind_and_catches_up_in_order() {
    let mut harness = Harness::with_lobby(credit_for(2), 2);
    harness.chat.handle_blocked(conn(1), weight(0));
    harness.say(0, "");
    assert_eq!(sent_to(&harness.end_turn(), 1), ["#1"]);
    harness.chat.handle_blocked(conn(1), 2 * weight(0));
    for _ in 0..3 {
        harness.say(0, "");
        assert_eq!(sent_to(&harness.end_turn(), 1), [""; 0]);
    }
    assert_eq!(harness.chat.stats().behind, 1);
    harness.chat.handle_drained(harness.now, conn(1));
    let said = harness.end_turn();
    assert_eq!(sent_to(&said, 1), ["replay 2..=3", "wake"]);
    harness.chat.handle_drained(harness.now, conn(1));
    let said = harness.end_turn();
    assert_eq!(sent_to(&said, 1), ["replay 4..=4", "live 4"]);
    harness.say(0, "");
    assert_eq!(sent_to(&harness.end_turn(), 1), ["#5"]);
    assert_eq!(harness.chat.stats().behind, 0);
}

#[test]
fn the_answers_of_a_sender_that_is_behind_wait_for_their_places() {
    let mut harness = Harness::with_lobby(credit_for(2), 2);
    harness.chat.handle_blocked(conn(1), 2 * weight(0));
    harness.say(0, "");
    harness.say(1, "");
    harness.say(0, "");
    let said = harness.end_turn();
    assert_eq!(sent_to(&said, 1), [""; 0]);
    assert_eq!(harness.chat.owed(conn(1)), 1);
    harness.chat.handle_drained(harness.now, conn(1));
    let said = harness.end_turn();
    assert_eq!(sent_to(&said, 1), ["replay 1..=1", "sent 2", "replay 3..=3", "live 3"]);
    assert_eq!(harness.chat.owed(conn(1)), 0);
}

#[test]
fn answers_that_wait_at_the_same_place_come_in_the_order_of_their_requests() {
    let mut harness = Harness::with_lobby(credit_for(2), 2);
    harness.chat.handle_blocked(conn(1), 2 * weight(0));
    harness.say(0, "");
    for _ in 0..2 {
        harness.ask(1, message(Target::Room("lobby".into()), "", Some("c")));
        assert_eq!(sent_to(&harness.end_turn(), 1), [""; 0]);
    }
    harness.chat.handle_drained(harness.now, conn(1));
    let said = harness.end_turn();
    assert_eq!(sent_to(&said, 1), ["replay 1..=1", "sent 2", "dup 2", "live 2"]);
}

#[test]
fn a_cursor_that_falls_out_of_the_ring_is_told_the_gap() {
    let limits = Limits { ring_records: 2, ..credit_for(3) };
    let mut harness = Harness::with_lobby(limits, 2);
    harness.chat.handle_blocked(conn(1), 3 * weight(0));
    for _ in 0..5 {
        harness.say(0, "");
        harness.end_turn();
    }
    harness.chat.handle_drained(harness.now, conn(1));
    let said = harness.end_turn();
    assert_eq!(sent_to(&said, 1), ["gap 1..=3 pruned", "replay 4..=5", "live 5"]);
}

#[test]
fn a_reply_inside_a_gap_divides_it() {
    let mut harness = Harness::with_lobby(Limits { ring_records: 2, ..credit_for(10) }, 2);
    harness.chat.handle_blocked(conn(1), 10 * weight(0));
    for number in [0, 1, 0, 0, 0, 0, 0] {
        harness.say(number, "");
        harness.end_turn();
    }
    harness.chat.handle_drained(harness.now, conn(1));
    let expect = ["gap 1..=1 pruned", "sent 2", "gap 3..=5 pruned", "replay 6..=7", "live 7"];
    assert_eq!(sent_to(&harness.end_turn(), 1), expect);
}

#[test]
fn what_is_said_while_a_cursor_catches_up_reaches_it_once() {
    let mut harness = Harness::with_lobby(credit_for(2), 2);
    harness.chat.handle_blocked(conn(1), 2 * weight(0));
    harness.say(0, "");
    harness.end_turn();
    harness.say(0, "");
    harness.chat.handle_drained(harness.now, conn(1));
    assert_eq!(sent_to(&harness.end_turn(), 1), ["replay 1..=2", "live 2"]);
}

#[test]
fn who_has_waited_for_many_answers_is_woken_when_it_has_caught_up() {
    // From the ring, and from a page of the store that comes later.
    let (stored, shelf) = stored::harness(2);
    for mut harness in [Harness::new(Limits::default()), stored] {
        harness.enter(["u0", "u1"]);
        harness.wait(10_000);
        harness.chat.handle_blocked(conn(1), Limits::default().outbound_soft);
        for _ in 0..40 {
            harness.say(1, "");
        }
        harness.end_turn();
        assert_eq!(harness.chat.owed(conn(1)), 40);
        shelf.0.borrow_mut().reads_wait = true;
        harness.chat.handle_drained(harness.now, conn(1));
        let at_once = sent_to(&harness.end_turn(), 1);
        shelf.0.borrow_mut().reads_wait = false;
        let later = sent_to(&harness.end_turn(), 1);
        let is_last = |lines: &&Vec<String>| lines.contains(&"sent 40".to_owned());
        let last = [&at_once, &later].into_iter().find(is_last).unwrap();
        assert!(last.contains(&"wake".to_owned()), "{at_once:?} {later:?}");
    }
}

#[test]
fn each_event_of_a_cursor_that_catches_up_counts_against_its_credit() {
    let limits = Limits { ring_records: 2, outbound_total: Some(1 << 20), ..Limits::default() };
    let mut harness = Harness::with_lobby(limits, 2);
    for _ in 0..3 {
        harness.say(0, "");
    }
    harness.end_turn();
    // What is given to a socket that is blocked stays: it counts for all connections, too.
    harness.chat.handle_blocked(conn(1), 1);
    let used = |harness: &Harness| {
        let reader = harness.chat.delivery.reader(conn(1)).unwrap();
        let context = &harness.chat.context;
        (reader.credit.owed(context.turn), context.pressure.used())
    };
    let before = used(&harness);
    let join = Command::Join { room: "lobby".into(), after: Some(0), epoch: None };
    harness.ask(1, join);
    let after = used(&harness);
    let records = 2 * weight(0);
    assert!(after.1 >= before.1 + records, "{before:?} {after:?}");
    // `gap` and `live` besides.
    let framing = 2 * Encoding::default().framing_max();
    assert!(after.0 > before.0 + records + framing, "{before:?} {after:?}");
}

#[test]
fn the_last_record_stays_in_its_ring_however_large_it_is() {
    let mut harness = Harness::with_lobby(Limits { ring_bytes: 10, ..Limits::default() }, 1);
    for _ in 0..2 {
        harness.say(0, &"x".repeat(1_000));
        harness.end_turn();
    }
    harness.hello(1, "u1");
    let join = Command::Join { room: "lobby".into(), after: Some(1), epoch: None };
    let said = sent_to(&harness.run(1, join), 1);
    assert_eq!(said[1..], ["replay 2..=2", "live 2"], "{said:?}");
}

#[test]
fn a_record_larger_than_all_credit_reaches_who_has_nothing_waiting() {
    let mut harness = Harness::with_lobby(credit_for(1), 2);
    harness.say(0, &"x".repeat(10_000));
    let said = harness.end_turn();
    assert_eq!(sent_to(&said, 1), ["#1"]);
}

#[test]
fn the_framing_of_each_encoding_counts_against_the_credit() {
    for encoding in Encoding::ALL {
        let len = weight(0) + encoding.framing_max();
        let limits = Limits { outbound_soft: 5 * len, ..Limits::default() };
        for (queued, is_live) in [(4 * len, true), (4 * len + 1, false)] {
            let mut harness = Harness::with_lobby(limits.clone(), 2);
            harness.chat.delivery.reader_mut(conn(1)).unwrap().encoding = encoding;
            harness.chat.handle_blocked(conn(1), queued);
            harness.say(0, "");
            let said = sent_to(&harness.end_turn(), 1);
            assert_eq!(said == ["#1"], is_live, "{encoding:?}: {said:?}");
            if is_live {
                continue;
            }
            for _ in 0..7 {
                harness.say(0, "");
            }
            harness.end_turn();
            // Of what it catches up with, likewise.
            harness.chat.handle_drained(harness.now, conn(1));
            let said = sent_to(&harness.end_turn(), 1);
            assert_eq!(said, ["replay 1..=5", "wake"], "{encoding:?}");
        }
    }
}

#[test]
fn a_join_with_a_position_brings_what_is_behind_it() {
    let mut harness = Harness::with_lobby(Limits { ring_records: 3, ..Limits::default() }, 1);
    for _ in 0..5 {
        harness.say(0, "");
    }
    harness.end_turn();
    harness.hello(1, "late");
    let join = |after| Command::Join { room: "lobby".into(), after: Some(after), epoch: None };
    let said = harness.run(1, join(0));
    let expect = ["joined at 5 from 3", "gap 1..=2 pruned", "replay 3..=5", "live 5"];
    assert_eq!(sent_to(&said, 1), expect);
    assert_eq!(
        sent_to(&harness.run(1, join(4)), 1),
        ["joined at 5 from 3", "replay 5..=5", "live 5"]
    );
    assert_eq!(sent_to(&harness.run(1, join(5)), 1), ["joined at 5 from 3", "live 5"]);
    assert_eq!(sent_to(&harness.run(1, join(6)), 1), ["no 4003"]);
    harness.hello(2, "eager");
    assert_eq!(sent_to(&harness.run(2, join(6)), 2), ["no 4003"]);
    assert_eq!(harness.chat.sizes()[..3], [3, 1, 2], "who was refused is no member");
    let fresh = Command::Join { room: "fresh".into(), after: Some(1), epoch: None };
    assert_eq!(sent_to(&harness.run(2, fresh), 2), ["no 4003"]);
    assert_eq!(harness.chat.sizes()[..3], [3, 1, 2], "and no room was made");
    let stale = Command::Join { room: "lobby".into(), after: Some(2), epoch: Some("k3f9".into()) };
    assert_eq!(sent_to(&harness.run(1, stale), 1), ["joined at 5 from 3 reset"]);
}

#[test]
fn a_join_that_asks_for_more_than_the_limit_is_told_to_page() {
    let mut harness = Harness::with_lobby(Limits { replay: 2, ..Limits::default() }, 1);
    for _ in 0..5 {
        harness.say(0, "");
    }
    harness.end_turn();
    harness.hello(1, "late");
    let join = Command::Join { room: "lobby".into(), after: Some(0), epoch: None };
    let said = harness.run(1, join);
    let expect = ["joined at 5 from 1", "gap 1..=3 limit", "replay 4..=5", "live 5"];
    assert_eq!(sent_to(&said, 1), expect);
}

#[test]
fn a_repeated_cid_is_answered_with_the_first_seq() {
    let mut harness = Harness::with_lobby(Limits::default(), 2);
    let send = |text| message(Target::Room("lobby".into()), text, Some("c"));
    harness.ask(0, send("a"));
    harness.ask(0, send("a"));
    harness.ask(0, send("b"));
    let said = harness.end_turn();
    assert_eq!(sent_to(&said, 0), ["sent 1", "dup 1", "no 4005"]);
    assert_eq!(sent_to(&said, 1), ["#1"]);
    assert_eq!(harness.chat.stats().duplicates, 1);
}

#[test]
fn a_returning_client_gets_what_it_missed_once() {
    let mut harness = Harness::with_lobby(Limits::default(), 1);
    let secret = harness.hello(1, "ann");
    harness.join(1, "lobby");
    harness.say(0, "");
    harness.end_turn();
    let epoch = match harness
        .run(
            1,
            Command::History {
                room: "lobby".into(),
                page: model::command::Page::Latest,
                limit: None,
                epoch: None,
            },
        )
        .as_slice()
    {
        [Output::Reply { result: Ok(Reply::History { epoch, .. }), .. }] => *epoch,
        other => panic!("{other:?}"),
    };
    harness.chat.handle_closed(harness.now, conn(1));
    harness.say(0, "");
    harness.say(0, "");
    harness.end_turn();
    let said = harness.hello_with(2, None, Some((&secret, &[("lobby", epoch, 1)])));
    let expect = ["welcome ann true lobby: From { from: 2, to: 3 }", "replay 2..=3", "live 3"];
    assert_eq!(sent_to(&said, 2), expect);
    let said = harness.hello_with(3, Some("ann"), Some(("s?", &[("lobby", Epoch(7), 3)])));
    let reset = format!("welcome ann false lobby: Reset {{ epoch: {epoch}, seq: 3 }}");
    assert_eq!(sent_to(&said, 3), [reset]);
}

#[test]
fn all_rings_together_stay_within_their_budget() {
    let limits = Limits { ring_total_bytes: 4 * weight(100), ..Limits::default() };
    let mut harness = Harness::new(limits);
    harness.hello(0, "u0");
    for room in ["a", "b", "c"] {
        harness.join(0, room);
        for _ in 0..3 {
            let text = "x".repeat(100);
            harness.run(0, message(Target::Room(room.into()), &text, None));
        }
        let [_, _, _, rings] = harness.chat.sizes();
        assert!(rings <= 4 * weight(100), "{rings}");
    }
    assert!(harness.chat.sizes()[3] > 2 * weight(100));
}

#[test]
fn nothing_of_a_room_comes_between_the_answer_to_leave_and_the_end() {
    let mut harness = Harness::with_lobby(Limits::default(), 2);
    harness.say(0, "just before");
    let left = "Left { room: \"lobby\" }";
    let said = harness.run(1, Command::Leave { room: "lobby".into() });
    assert_eq!(sent_to(&said, 1), ["#1", left, "left left"]);
    harness.join(1, "lobby");
    // A lagging one gets the answers to what it has said, and then no more.
    harness.chat.handle_blocked(conn(1), Limits::default().outbound_soft);
    harness.say(0, "just before");
    harness.say(1, "mine");
    let said = harness.run(1, Command::Leave { room: "lobby".into() });
    let mut heard = sent_to(&said, 1);
    heard.retain(|line| line != "wake");
    assert_eq!(heard, ["sent 3", left, "left left"]);
}

#[test]
fn a_record_larger_than_a_page_reaches_a_cursor_that_lags() {
    let limits = Limits { message_bytes: 64 * 1024, ..credit_for(2) };
    let mut harness = Harness::with_lobby(limits, 2);
    harness.chat.handle_blocked(conn(1), 2 * weight(0));
    harness.say(0, &"x".repeat(PAGE_BYTES_MAX + 1));
    assert_eq!(sent_to(&harness.end_turn(), 1), [""; 0]);
    harness.chat.handle_drained(harness.now, conn(1));
    assert_eq!(sent_to(&harness.end_turn(), 1), ["replay 1..=1", "live 1"]);
}

#[test]
fn a_busy_room_does_not_keep_the_cursor_of_another_one_from_catching_up() {
    for (busy, quiet) in [("lobby", "den"), ("den", "lobby")] {
        let mut harness = Harness::with_lobby(credit_for(2), 2);
        for number in 0..2 {
            harness.join(number, "den");
        }
        harness.wait(10_000);
        harness.chat.handle_blocked(conn(1), 2 * weight(0));
        harness.ask(0, message(Target::Room(quiet.into()), "", None));
        let mut replayed = Vec::new();
        // Every second turn: a rhythm must not favour one of them.
        for _ in 0..16 {
            // More than what one drain gives credit for.
            for _ in 0..3 {
                harness.ask(0, message(Target::Room(busy.into()), "", None));
            }
            harness.end_turn();
            harness.chat.handle_drained(harness.now, conn(1));
            for said in harness.end_turn() {
                if let Output::Event { event: Event::Replay { room, .. }, .. } = said {
                    replayed.push(room.to_string());
                }
            }
        }
        assert!(replayed.iter().any(|room| room == quiet), "{quiet}: {replayed:?}");
    }
}
