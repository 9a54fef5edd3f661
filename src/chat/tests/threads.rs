//! Threads: what of them the domain decides; what is kept of them is for the store.

use super::super::model::command::ThreadWish;
use super::super::model::log::LogFault;
use super::super::model::thread::ThreadPage;
use super::stored::{harness as stored, lines_to, say_many};
use super::*;

fn of_lobby(thread: u64, wish: ThreadWish) -> Command<'static> {
    Command::MarkThread { room: "lobby".into(), thread, wish, epoch: None }
}

fn page(thread: u64, before: Option<u64>, limit: u32) -> Command<'static> {
    Command::Thread { room: "lobby".into(), thread, before, limit: Some(limit) }
}

fn say_in(harness: &mut Harness, number: usize, thread: u64) {
    let Command::Send(send) = message(Target::Room("lobby".into()), "x", None) else { return };
    harness.run(number, Command::Send(Send { thread: Some(thread), ..send }));
}

/// The seqs of a page, whether there is more, and the mark.
#[track_caller]
fn shown(said: &[Output]) -> (Vec<u64>, bool, Option<(u64, u64)>) {
    let page = said.iter().find_map(|said| match said {
        Output::Reply { result: Ok(Reply::Thread { page, .. }), .. } => Some(page),
        _ => None,
    });
    let Some(ThreadPage { records, more, mark }) = page else { panic!("{said:?}") };
    (records.iter().map(|record| record.seq).collect(), *more, *mark)
}

#[test]
fn a_thread_of_a_room_in_memory_is_read_from_the_ring_and_has_no_marks() {
    let mut harness = Harness::with_lobby(Limits::default(), 2);
    say_many(&mut harness, 0, 2);
    for _ in 0..3 {
        say_in(&mut harness, 1, 1);
    }
    assert_eq!(shown(&harness.run(0, page(1, None, 9))), (vec![1, 3, 4, 5], false, None));
    assert_eq!(shown(&harness.run(0, page(1, None, 2))), (vec![4, 5], true, None));
    assert_eq!(shown(&harness.run(0, page(1, Some(4), 9))), (vec![1, 3], false, None));
    assert_eq!(shown(&harness.run(0, page(2, None, 9))), (vec![2], false, None));
    for wish in [ThreadWish::Follow, ThreadWish::Unfollow, ThreadWish::Read(1)] {
        assert_eq!(lines_to(&harness.run(0, of_lobby(1, wish)), 0), ["no 9002"]);
    }
    let list = Command::Threads { room: None };
    assert_eq!(lines_to(&harness.run(0, list), 0), ["Threads { items: [] }"]);
}

#[test]
fn a_seq_that_the_log_has_not_begins_no_thread() {
    let (mut harness, _shelf) = stored(8);
    harness.hello(0, "ann");
    harness.join(0, "lobby");
    say_many(&mut harness, 0, 2);
    for command in
        [page(3, None, 1), of_lobby(3, ThreadWish::Follow), of_lobby(9, ThreadWish::Read(1))]
    {
        assert_eq!(lines_to(&harness.run(0, command), 0), ["no 4002"]);
    }
    let ahead = of_lobby(1, ThreadWish::Read(3));
    assert_eq!(lines_to(&harness.run(0, ahead), 0), ["no 4003"]);
}

#[test]
fn a_message_inside_a_thread_begins_none_and_the_refusal_names_the_first() {
    let (mut harness, _shelf) = stored(8);
    harness.hello(0, "ann");
    harness.join(0, "lobby");
    say_many(&mut harness, 0, 1);
    say_in(&mut harness, 0, 1);
    let Command::Send(send) = message(Target::Room("lobby".into()), "x", None) else { panic!() };
    let send = Command::Send(Send { thread: Some(2), ..send });
    for command in [send, of_lobby(2, ThreadWish::Follow)] {
        let said = harness.run(0, command);
        let refusal = said.iter().find_map(|said| match said {
            Output::Reply { result: Err(refusal), .. } => Some(refusal),
            _ => None,
        });
        let refusal = refusal.expect("a refusal");
        assert_eq!((refusal.code, refusal.expected.as_deref()), (Code::NoSuchMessage, Some("1")));
    }
    // Nothing is refused that ends something.
    assert_eq!(lines_to(&harness.run(0, of_lobby(2, ThreadWish::Unfollow)), 0), ["Done"]);
}

#[test]
fn a_thread_is_not_read_by_the_seqs_of_another_epoch() {
    let (mut harness, _shelf) = stored(8);
    harness.hello(0, "ann");
    harness.join(0, "lobby");
    say_many(&mut harness, 0, 2);
    let epoch = harness.chat.rooms.named("lobby").map(|key| harness.chat.rooms[key].epoch);
    let mut read_in = |epoch: String| {
        let (room, wish) = ("lobby".into(), ThreadWish::Read(2));
        let command = Command::MarkThread { room, thread: 1, wish, epoch: Some(epoch.into()) };
        lines_to(&harness.run(0, command), 0)
    };
    assert_eq!(read_in("another".into()), ["no 4004"]);
    assert_eq!(read_in(epoch.unwrap().to_string()), ["Done"]);
}

#[test]
fn the_users_other_connections_are_told_of_a_mark_when_it_is_written_and_nobody_else_is() {
    let (mut harness, shelf) = stored(8);
    harness.enter(["ann", "ann", "bob"]);
    say_many(&mut harness, 0, 2);
    harness.wait(10_000);
    for (wish, expect) in [
        (ThreadWish::Follow, "thread 1 true 0"),
        (ThreadWish::Read(2), "thread 1 true 2"),
        (ThreadWish::Unfollow, "thread 1 false 0"),
    ] {
        shelf.0.borrow_mut().slow = true;
        let said = harness.run(0, of_lobby(1, wish));
        assert_eq!((lines_to(&said, 0), lines_to(&said, 1)), (vec![], vec![]), "not before");
        shelf.0.borrow_mut().slow = false;
        let said = harness.end_turn();
        assert_eq!(lines_to(&said, 0), ["Done"]);
        assert_eq!(lines_to(&said, 1), [expect]);
        assert_eq!(lines_to(&said, 2), [""; 0]);
    }
    shelf.0.borrow_mut().fault = Some(LogFault::Broken);
    let said = harness.run(0, of_lobby(1, ThreadWish::Follow));
    assert_eq!((lines_to(&said, 0), lines_to(&said, 1)), (vec!["no 5004".to_owned()], vec![]));
    // The store has found no message there.
    shelf.0.borrow_mut().fault = Some(LogFault::Taken);
    assert_eq!(lines_to(&harness.run(0, of_lobby(1, ThreadWish::Follow)), 0), ["no 4002"]);
    // Or no mark that moves, as of a thread that is not followed.
    let said = harness.run(0, of_lobby(1, ThreadWish::Read(1)));
    assert_eq!((lines_to(&said, 0), lines_to(&said, 1)), (vec!["Done".to_owned()], vec![]));
}
