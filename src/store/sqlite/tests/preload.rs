//! What is read when the file is opened.

use super::*;

const PLENTY: usize = 1_000;

fn member(name: &str) -> RoomMeta {
    let member = MemberMeta { role: Role::Member, recv: 0, read: 0, joined: 1 };
    RoomMeta::Member(user(name), Some(member))
}

/// Two rooms with three users, of whom one is in both.
fn fill(data: &Path) {
    let mut harness = Harness::open(data);
    for (life, name, members) in [(1, "lobby", &["ann", "bob"][..]), (2, "den", &["ann", "cyd"])] {
        let log = harness.open_room(life, name, Durability::Disk);
        for name in members {
            harness.request(LogRequest::PutMeta { log, meta: member(name) });
        }
        check_stored(&harness.append(log, message("hi", None)), 1);
        assert_eq!(harness.sync(log), Ok(()));
    }
}

#[track_caller]
fn check(data: &Path, [rooms, users, members]: [usize; 3], expect: &[&str]) {
    let harness = Harness::open_with(data, Preload { rooms, users, members }).unwrap();
    let Snapshot { rooms: read, elsewhere, .. } = &harness.snapshot;
    let names: Vec<_> = read.iter().map(|room| room.name.as_str()).collect();
    assert_eq!(names, expect);
    assert!(elsewhere.on_demand && elsewhere.newest.is_some());
    let all = harness.rooms.as_ref().unwrap();
    assert_eq!(elsewhere.rooms, all.len() - expect.len());
    // As they are found when somebody needs them.
    assert_eq!(*read, all[..expect.len()]);
}

#[test]
fn all_rooms_are_read_when_the_file_is_opened_if_they_are_few_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    fill(data);
    check(data, [2, 3, 4], &["lobby", "den"]);
    check(data, [PLENTY; 3], &["lobby", "den"]);
    check(data, [1, PLENTY, PLENTY], &[]);
    check(data, [0, PLENTY, PLENTY], &[]);
    check(data, [PLENTY, 2, PLENTY], &[]);
    check(data, [PLENTY, PLENTY, 3], &[]);
}

#[test]
fn a_room_that_cannot_be_read_keeps_no_server_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    fill(data);
    let db = rusqlite::Connection::open(data.join(data_dir::DATABASE)).unwrap();
    assert_eq!(db.execute("UPDATE member SET role = 77 WHERE user = 'cyd'", []), Ok(1));
    drop(db);
    let harness =
        Harness::open_with(data, Preload { rooms: PLENTY, users: PLENTY, members: PLENTY })
            .unwrap();
    assert_eq!((&harness.snapshot.rooms[..], harness.snapshot.elsewhere.rooms), (&[][..], 2));
}
