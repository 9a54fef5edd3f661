//! Rooms with more members than are read at once.

use super::peer::{Database, Peer};
use crate::chat::model::load::{Begun, Wanted};
use crate::chat::model::log::{Answer, LogId, LogReply, LogRequest, Query, RoomMeta, Ticket};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::policy::Retention;
use crate::chat::model::reply::Durability;
use crate::cluster::node::transfer;

/// Rooms of 50, 12, 3 and no members: a page has 12.
const ROOMS: &[&str] = &[
    "INSERT INTO chinwag.room (name, epoch) VALUES ('big', 1), ('full', 1), ('few', 1), ('none', 1)",
    "INSERT INTO chinwag.member (room, name, role, recv, read, joined) \
     SELECT r.id, 'user' || lpad(n::text, 3, '0'), 1, n, n, 7 FROM chinwag.room r, \
     generate_series(1, CASE r.name WHEN 'big' THEN 50 WHEN 'full' THEN 12 WHEN 'few' THEN 3 \
     ELSE 0 END) AS n",
];

fn room(name: &str) -> RoomName {
    RoomName::stored(name).unwrap()
}

fn ask(peer: &mut Peer, names: &[&str]) {
    let mut wanted = Wanted::default();
    for name in names {
        wanted.add_room(room(name), false);
    }
    let query = Query::Load(Box::new(wanted));
    peer.ask(LogRequest::Read { ticket: Ticket(3), query });
}

#[track_caller]
fn loaded(peer: &mut Peer) -> Vec<Begun> {
    loop {
        if let LogReply::Answer { outcome, .. } = peer.reply() {
            let Ok(Answer::Loaded(found)) = outcome else { panic!("{outcome:?}") };
            return found.rooms;
        }
    }
}

/// The names of the members, and how far each has read.
fn members(meta: &[RoomMeta]) -> Vec<(String, u64)> {
    let member = |meta: &RoomMeta| match meta {
        RoomMeta::Member(name, Some(member)) => Some((name.to_string(), member.read)),
        _ => None,
    };
    let mut members: Vec<_> = meta.iter().filter_map(member).collect();
    members.sort();
    members
}

fn first(count: u64) -> Vec<(String, u64)> {
    (1..=count).map(|n| (format!("user{n:03}"), n)).collect()
}

#[track_caller]
fn check(rooms: &[Begun], count: usize) {
    assert_eq!(rooms.len(), count);
    for begun in rooms {
        let expect = match begun.name.as_str() {
            "big" => 50,
            "full" => 12,
            "few" => 3,
            _ => 0,
        };
        assert_eq!(members(&begun.meta), first(expect), "{}", begun.name);
    }
}

#[test]
fn rooms_of_more_members_than_a_page_has_are_read_whole_alone_and_together() {
    let Some(database) = Database::new() else { return };
    database.run(ROOMS);
    let mut peer = Peer::new(&database.address, 1);
    for names in [&["big"][..], &["full"], &["few"], &["none"], &["none", "big", "few", "full"]] {
        ask(&mut peer, names);
        check(&loaded(&mut peer), names.len());
    }
    check(&transfer::rooms(&mut database.session(), 0).unwrap(), 4);
}

/// Opens the room with what was loaded.
fn open(peer: &mut Peer, begun: &Begun) {
    peer.ask(LogRequest::Open {
        log: LogId::new(1, 1),
        room: begun.name.clone(),
        epoch: begun.epoch,
        durability: Durability::Disk,
        retention: Retention::default(),
        kept: begun.kept,
    });
}

#[test]
fn who_comes_and_goes_between_two_pages_is_told_when_the_room_is_there() {
    let Some(database) = Database::new() else { return };
    database.run(ROOMS);
    let mut peer = Peer::new(&database.address, 1);
    ask(&mut peer, &["big"]);
    while !peer.faults().sent.contains(&"members") {
        assert!(!matches!(peer.poll_reply(), Some(LogReply::Answer { .. })), "in one page");
    }
    let none = "ARRAY[NULL, NULL, NULL]::text[], 0, NULL)";
    database.run(&[
        &format!("SELECT chinwag.fact_1(1, 2, 'adam', ARRAY[1, 0, 0, 9]::bigint[], {none}"),
        &format!(
            "SELECT chinwag.fact_1(1, 3, 'user001', ARRAY[NULL, NULL, NULL, NULL]::bigint[], {none}"
        ),
    ]);
    let rooms = loaded(&mut peer);
    check(&rooms, 1);
    open(&mut peer, &rooms[0]);
    let mut told = Vec::new();
    while told.len() < 2 {
        if let LogReply::Grown { meta, .. } = peer.reply() {
            told.extend(meta);
        }
    }
    let user = |name| UserName::parse(name).unwrap();
    assert!(told.contains(&RoomMeta::Member(user("user001"), None)), "{told:?}");
    assert!(
        told.iter()
            .any(|meta| matches!(meta, RoomMeta::Member(name, Some(_)) if *name == user("adam"))),
        "{told:?}"
    );
}

#[test]
fn a_room_of_many_members_that_begins_anew_is_told_with_all_of_them() {
    let Some(database) = Database::new() else { return };
    database.run(ROOMS);
    let mut peer = Peer::new(&database.address, 1);
    ask(&mut peer, &["big"]);
    let rooms = loaded(&mut peer);
    open(&mut peer, &rooms[0]);
    database.run(&["UPDATE chinwag.room SET epoch = 2, version = version + 1 WHERE id = 1"]);
    loop {
        if let LogReply::Renewed { begun, .. } = peer.reply() {
            break check(&[*begun], 1);
        }
    }
}
