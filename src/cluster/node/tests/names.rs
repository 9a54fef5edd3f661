//! Rooms that get other names at several nodes.

use super::nodes::{Actor, both, log, message, room, two, user};
use super::peer::Database;
use crate::chat::model::log::{
    Appended, Draft, LogFault, LogId, LogReply, LogRequest, RoomMeta, Ticket,
};
use crate::chat::model::policy::Retention;
use crate::chat::model::record::{Body, Epoch};
use crate::chat::model::reply::Durability;

/// A record that says another name.
fn rename(was: &str, name: &str) -> Draft {
    let body = Body::Rename { name: room(name), was: room(was) };
    let meta = vec![RoomMeta::Name(room(name), vec![room(was)])];
    Draft { meta, ..Draft::new(user("ann"), body, 300) }
}

/// What the room is called, and was, as it is loaded by this name.
fn names(node: &mut Actor, name: &str) -> Option<Vec<String>> {
    let begun = node.load(name)?;
    let former = begun.meta.iter().find_map(|meta| match meta {
        RoomMeta::Name(_, former) => Some(former.clone()),
        _ => None,
    });
    let former = former.unwrap_or_default();
    Some([begun.name].iter().chain(&former).map(ToString::to_string).collect())
}

/// How many names are those of two rooms, now or before.
const DOUBLE: &str = "SELECT count(*) FROM (SELECT name FROM (SELECT name FROM chinwag.room \
                      UNION ALL SELECT name FROM chinwag.former) n GROUP BY name \
                      HAVING count(*) > 1) d";

/// Has a log be opened by a node that knows nothing of its room.
fn open(node: &mut Actor, log: LogId, name: &str) {
    node.peer.ask(LogRequest::Open {
        log,
        room: room(name),
        epoch: Epoch(99),
        durability: Durability::Disk,
        retention: Retention::default(),
        kept: None,
    });
}

#[test]
fn a_room_is_found_by_all_its_names_at_all_nodes_and_a_name_of_before_makes_none() {
    let Some(database) = Database::new() else { return };
    let [mut one, mut two] = two(&database);
    one.append(1, rename("lobby", "lair"));
    both_at(&mut one, &mut two, 1);
    two.append(1, rename("lair", "den"));
    both_at(&mut two, &mut one, 2);
    for name in ["lobby", "lair", "den"] {
        let expect = ["den", "lobby", "lair"].map(ToString::to_string).to_vec();
        assert_eq!(names(&mut one, name), Some(expect), "{name}");
    }
    let mut three = Actor::new(&database, 3);
    three.open("lobby", 9, None);
    three.until(|seen| !seen.others.is_empty());
    let [LogReply::Renewed { begun, .. }] = &three.seen.others[..] else {
        panic!("{:?}", three.seen)
    };
    assert_eq!((begun.name.as_str(), begun.head), ("den", 2));
    assert_eq!(database.number("SELECT count(*) FROM chinwag.room"), 1);
}

/// Lets who writes go on, and then who is told.
fn both_at(one: &mut Actor, two: &mut Actor, head: u64) {
    one.until(|seen| seen.head == head);
    two.until(|seen| seen.head == head);
}

#[test]
fn who_did_not_know_the_present_name_is_told_it_before_the_refusal() {
    let Some(database) = Database::new() else { return };
    let [mut one, mut two] = two(&database);
    one.append(1, rename("lobby", "lair"));
    two.append(1, rename("lobby", "den"));
    let mut nodes = [one, two];
    both(&mut nodes, |seen| seen.head == 1 && seen.answers.len() == 1);
    let [one, two] = nodes.map(|node| node.seen.answers[&1].clone());
    let is_stored = |answer: &Appended| matches!(answer, Appended::Stored(_));
    assert!(is_stored(&one) != is_stored(&two), "{one:?} {two:?}");
    assert!(one == Appended::Stale || two == Appended::Stale, "{one:?} {two:?}");
}

#[test]
fn a_name_is_never_that_of_two_rooms_whoever_takes_it_first() {
    let Some(database) = Database::new() else { return };
    let mut nodes = [1, 2].map(|seed| Actor::new(&database, seed));
    for (node, name) in nodes.iter_mut().zip(["a0", "b0"]) {
        node.open(name, 5, None);
        assert_eq!(node.sync(), Ok(()));
    }
    let (mut was, mut taken) = (["a0".to_owned(), "b0".to_owned()], 0);
    for round in 1..=8 {
        let name = format!("c{round}");
        for (node, was) in nodes.iter_mut().zip(&was) {
            node.append(round, rename(was, &name));
        }
        both(&mut nodes, |seen| seen.answers.contains_key(&round));
        for (node, was) in nodes.iter().zip(&mut was) {
            match &node.seen.answers[&round] {
                Appended::Stored(_) => was.clone_from(&name),
                Appended::Refused(LogFault::Taken) => taken += 1,
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(taken, 8, "one of both each time");
    // Also one that the other room had before.
    let first = usize::from(was[0] != "c8");
    nodes[1 - first].append(9, rename(&was[1 - first], ["a0", "b0"][first]));
    nodes[1 - first].until(|seen| seen.answers.contains_key(&9));
    assert_eq!(nodes[1 - first].seen.answers[&9], Appended::Refused(LogFault::Taken));
    assert_eq!(database.number(DOUBLE), 0);
}

#[test]
fn a_name_that_a_room_gives_up_while_another_node_asks_for_it_makes_no_second_room() {
    let Some(database) = Database::new() else { return };
    let [mut one, mut two] = [1, 2].map(|seed| Actor::new(&database, seed));
    one.open("n0", 5, None);
    assert_eq!(one.sync(), Ok(()));
    for round in 1..=8_u64 {
        let (was, name) = (format!("n{}", round - 1), format!("n{round}"));
        one.append(round, rename(&was, &name));
        let log = LogId::new(usize::try_from(round).unwrap(), round);
        open(&mut two, log, &was);
        one.until(|seen| seen.answers.contains_key(&round));
        while two.peer.poll_reply().is_some() || !two.peer.node().is_settled() {}
        assert!(matches!(one.seen.answers[&round], Appended::Stored(_)), "{:?}", one.seen);
    }
    assert_eq!(database.number(DOUBLE), 0);
    assert_eq!(database.number("SELECT count(*) FROM chinwag.room"), 1);
}

#[test]
fn a_room_that_is_asked_for_by_a_name_of_which_its_node_was_not_told_is_none_of_its_own() {
    let Some(database) = Database::new() else { return };
    let [mut one, mut two] = two(&database);
    two.peer.faults().is_deaf = true;
    one.append(1, rename("lobby", "lair"));
    one.until(|seen| seen.head == 1);
    let second = LogId::new(2, 2);
    open(&mut two, second, "lair");
    two.until(|seen| seen.head == 1 && !seen.others.is_empty());
    assert!(matches!(two.seen.others[..], [LogReply::Gone { log, .. }] if log == second));
    two.append(2, message("bob", "by the log that it has", None));
    two.until(|seen| seen.head == 2);
    let ticket = Ticket(7);
    two.peer.ask(LogRequest::Sync { log: log(), ticket });
    assert_eq!(two.peer.reply(), LogReply::Synced { ticket, outcome: Ok(()) });
}
