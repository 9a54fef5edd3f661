//! Rooms that one node ends for all who are in them.

use super::nodes::{Actor, log, member, message, two, user};
use super::peer::Database;
use crate::chat::model::log::{Appended, Draft, Farewell, LogFault, LogReply, LogRequest, Ticket};
use crate::chat::model::record::{Act, Body};
use crate::chat::model::reply::Role;
use crate::cluster::node::erasure;

const ENDS: Ticket = Ticket(77);

fn farewell() -> Farewell {
    Farewell { from: user("ann"), reason: "moved".into() }
}

fn end(node: &mut Actor) {
    let farewell = Box::new(farewell());
    node.peer.ask(LogRequest::End { log: log(), ticket: ENDS, farewell });
}

#[track_caller]
fn ended(node: &mut Actor) -> Result<(), LogFault> {
    loop {
        match node.peer.reply() {
            LogReply::Synced { ticket: ENDS, outcome } => return outcome,
            reply => node.seen.take(reply),
        }
    }
}

/// Two nodes with a room of ann's in which something was said.
fn with_members(database: &Database) -> [Actor; 2] {
    let [mut one, mut two] = two(database);
    one.put(member("ann", Role::Owner, 0));
    one.put(member("bob", Role::Member, 0));
    one.append(1, message("ann", "hi", Some("c1")));
    one.until(|seen| seen.head == 1);
    two.until(|seen| seen.head == 1 && seen.facts.len() >= 2);
    [one, two]
}

/// What is left of rooms that are no more.
const LEFT: &str = "SELECT (SELECT count(*) FROM chinwag.member) \
                    + (SELECT count(*) FROM chinwag.change) \
                    + (SELECT count(*) FROM chinwag.record) + (SELECT count(*) FROM chinwag.sent) \
                    + (SELECT count(*) FROM chinwag.gone)";

#[test]
fn a_room_that_one_node_ends_is_gone_at_all_and_they_are_told_by_whom_and_why() {
    let Some(database) = Database::new() else { return };
    let [mut one, mut two] = with_members(&database);
    end(&mut one);
    assert_eq!(ended(&mut one), Ok(()));
    two.until(|seen| !seen.others.is_empty());
    let told = LogReply::Gone { log: log(), farewell: Some(Box::new(farewell())) };
    assert_eq!(two.seen.others, [told]);
    for node in [&mut one, &mut two] {
        assert_eq!(node.load("lobby"), None);
    }
    assert_eq!(one.seen.others, [], "who has ended it is answered, and not told");
    // Its name is free before its records are gone.
    let mut three = Actor::new(&database, 3);
    three.open("lobby", 9, None);
    assert_eq!(three.sync(), Ok(()));
    assert!(three.seen.others.is_empty(), "{:?}", three.seen);
}

#[test]
fn a_node_that_has_heard_nothing_learns_who_has_ended_a_room_when_it_looks() {
    let Some(database) = Database::new() else { return };
    let [mut one, mut two] = with_members(&database);
    two.peer.faults().is_deaf = true;
    end(&mut one);
    assert_eq!(ended(&mut one), Ok(()));
    two.append(5, message("bob", "too late", None));
    two.until(|seen| !seen.others.is_empty() && !seen.answers.is_empty());
    assert!(!matches!(two.seen.answers[&5], Appended::Stored(_)), "{:?}", two.seen);
    let told = LogReply::Gone { log: log(), farewell: Some(Box::new(farewell())) };
    assert_eq!(two.seen.others, [told]);
}

#[test]
fn a_room_that_is_made_anew_is_not_the_one_that_has_ended_for_who_has_heard_of_neither() {
    let Some(database) = Database::new() else { return };
    let [mut one, mut two] = with_members(&database);
    two.peer.faults().is_deaf = true;
    end(&mut one);
    assert_eq!(ended(&mut one), Ok(()));
    let mut three = Actor::new(&database, 3);
    three.open("lobby", 9, None);
    assert_eq!(three.sync(), Ok(()));
    two.until(|seen| !seen.others.is_empty());
    let told = LogReply::Gone { log: log(), farewell: Some(Box::new(farewell())) };
    assert_eq!(two.seen.others, [told]);
}

#[test]
fn a_log_that_cannot_be_read_anew_is_read_when_it_can() {
    let Some(database) = Database::new() else { return };
    let [_one, mut two] = with_members(&database);
    let reads =
        |two: &mut Actor| two.peer.faults().sent.iter().filter(|name| **name == "load").count();
    let before = reads(&mut two);
    database
        .run(&["UPDATE chinwag.member SET role = 99", "UPDATE chinwag.room SET epoch = epoch + 1"]);
    while reads(&mut two) < before + 2 {
        two.poll();
    }
    assert_eq!(two.seen.others, []);
    database.run(&["UPDATE chinwag.member SET role = 1"]);
    two.until(|seen| matches!(&seen.others[..], [LogReply::Renewed { .. }]));
}

#[test]
fn an_end_whose_answer_was_lost_is_answered_as_it_was_done() {
    let Some(database) = Database::new() else { return };
    let [mut one, _two] = with_members(&database);
    one.run_until_idle();
    one.peer.faults().loses = 1;
    end(&mut one);
    while one.peer.faults().loses > 0 {
        one.poll();
    }
    one.peer.come_back();
    assert_eq!(ended(&mut one), Ok(()));
    assert_eq!(one.seen.others, []);
    assert_eq!(database.number("SELECT count(*) FROM chinwag.room"), 0);
}

#[test]
fn who_has_lost_the_right_at_another_node_does_not_end_the_room() {
    let Some(database) = Database::new() else { return };
    let [mut one, mut two] = with_members(&database);
    one.peer.faults().is_deaf = true;
    let act = Act::Role(Role::Member);
    let body = Body::Moderation { act, target: user("ann"), reason: "".into() };
    let meta = vec![member("ann", Role::Member, 0)];
    two.append(2, Draft { meta, ..Draft::new(user("bob"), body, 300) });
    two.until(|seen| seen.head == 2);
    end(&mut one);
    assert_eq!(ended(&mut one), Err(LogFault::Taken));
    one.until(|seen| seen.facts.contains(&member("ann", Role::Member, 0)));
    assert!(two.load("lobby").is_some());
    // By whoever may, it ends.
    end(&mut one);
    assert_eq!(ended(&mut one), Ok(()), "the engine goes by what its node knows");
}

#[test]
fn a_record_and_the_end_of_its_room_at_once_have_one_order() {
    let Some(database) = Database::new() else { return };
    let [mut one, mut two] = with_members(&database);
    for nth in 10..14 {
        two.append(nth, message("bob", "x", None));
    }
    end(&mut one);
    assert_eq!(ended(&mut one), Ok(()));
    two.until(|seen| !seen.others.is_empty() && seen.answers.len() == 4);
    let is_stored = |nth: &u64| matches!(two.seen.answers[nth], Appended::Stored(_));
    let stored = (10..14).take_while(is_stored).count();
    assert!((10..14).skip(stored).all(|nth| !is_stored(&nth)), "{:?}", two.seen.answers);
}

#[test]
fn what_a_large_room_leaves_goes_in_lots() {
    let Some(database) = Database::new() else { return };
    let [mut one, _two] = with_members(&database);
    for nth in 0..40 {
        one.put(member(&format!("u{nth}"), Role::Member, 0));
    }
    assert_eq!(one.sync(), Ok(()));
    end(&mut one);
    assert_eq!(ended(&mut one), Ok(()));
    assert!(database.number(LEFT) > 80);
    let mut lots = 0;
    while database.number("SELECT chinwag.sweep_1(10)") > 0 {
        lots += 1;
    }
    assert!(lots >= 9, "{lots}");
    assert_eq!(database.number(LEFT), 0);
}

#[test]
fn who_was_in_a_room_that_has_ended_is_erased_though_nothing_of_it_is_swept() {
    let Some(database) = Database::new() else { return };
    let [mut one, _two] = with_members(&database);
    end(&mut one);
    assert_eq!(ended(&mut one), Ok(()));
    assert_eq!(database.number("SELECT count(*) FROM chinwag.member WHERE name = 'bob'"), 1);
    let mut draw = || Some(user("erased-1"));
    for name in ["ann", "bob"] {
        let erased = erasure::run(&mut database.session(), &user(name), 1, &mut draw);
        assert!(erased.is_ok(), "{erased:?}");
    }
    let names = "SELECT (SELECT count(*) FROM chinwag.member) + (SELECT count(*) FROM chinwag.closed) \
                 + (SELECT count(*) FROM chinwag.record WHERE sender = 'ann')";
    assert_eq!(database.number(names), 0);
}
