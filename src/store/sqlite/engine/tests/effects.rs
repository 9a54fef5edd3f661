//! Records without an effect, and messages that refer to what is no message.

use super::*;
use crate::chat::model::thread::{ThreadChange, ThreadMark};
use crate::store::sqlite::message_threads;

fn reaction(target: u64, emoji: &str, remove: bool) -> Draft {
    let others = TargetCheck { target, others: true, not_before: 0, data_max: usize::MAX };
    let body = Body::Reaction { target, emoji: emoji.into(), remove };
    Draft { check: Some(others), ..touching(target, body) }
}

fn topic(text: &str) -> Draft {
    let (body, meta) = (Body::Topic { text: text.into() }, RoomMeta::Topic(text.into(), None));
    Draft { body, meta: vec![meta], ..said("", None) }
}

/// What the log answers: a new seq, or that of the record since which it is so already.
fn outcome(harness: &mut Harness, log: LogId, draft: Draft) -> Result<u64, u64> {
    match harness.append(log, draft) {
        Appended::Stored(record) => Ok(record.seq),
        Appended::Duplicate { seq, at } => {
            assert!(at <= harness.now.wall_ms);
            Err(seq)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_so_already_is_no_record_and_answered_with_the_seq_since_which_it_is() {
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Disk);
    check_stored(&harness.append(log, said("one", None)), 1);
    let bobs = |draft| Draft { from: user("bob"), ..draft };
    for (draft, expect) in [
        (reaction(1, "+1", true), Err(1)),
        (reaction(1, "+1", false), Ok(2)),
        (reaction(1, "+1", false), Err(2)),
        (bobs(reaction(1, "+1", false)), Ok(3)),
        (reaction(1, "-1", false), Ok(4)),
        (reaction(1, "+1", true), Ok(5)),
        (reaction(1, "+1", true), Err(5)),
        (reaction(1, "+1", false), Ok(6)),
        (edit(1, "one"), Err(1)),
        (edit(1, "two"), Ok(7)),
        (edit(1, "two"), Err(7)),
        (edit(1, "one"), Ok(8)),
        (topic(""), Err(8)),
        (topic("tea"), Ok(9)),
        (bobs(topic("tea")), Err(9)),
        (topic("rum"), Ok(10)),
        (topic("tea"), Ok(11)),
    ] {
        let shown = format!("{draft:?}");
        assert_eq!(outcome(&mut harness, log, draft), expect, "{shown}");
    }
    // In one batch each sees what was before it.
    let batch = [reaction(1, "x", false), reaction(1, "x", false), reaction(1, "x", true)];
    let replies = harness.batch(log, batch);
    assert_eq!(replies.iter().filter(|reply| matches!(reply, Appended::Stored(_))).count(), 2);
    heads::book(&harness.engine.db).unwrap();
    assert_eq!(harness.number("SELECT head FROM room"), 13);
}

#[test]
fn a_message_refers_to_messages_that_are_there() {
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Disk);
    let referring = |reply_to, thread| {
        let mut draft = said("re", Some("c"));
        if let Body::Message { reply_to: to, thread: of, .. } = &mut draft.body {
            (*to, *of) = (reply_to, thread);
        }
        draft
    };
    check_stored(&harness.append(log, said("one", None)), 1);
    check_stored(&harness.append(log, said("gone", None)), 2);
    check_stored(&harness.append(log, deletion(2)), 3);
    check_stored(&harness.append(log, reaction(1, "+1", false)), 4);
    for seq in [2, 3, 4, 5] {
        let refused = |field| Appended::NoSuchReference(field);
        assert_eq!(harness.append(log, referring(Some(seq), None)), refused("reply_to"), "{seq}");
        assert_eq!(harness.append(log, referring(Some(1), Some(seq))), refused("thread"), "{seq}");
    }
    // The cid of what was refused is free, and a retry is known whatever has happened since.
    check_stored(&harness.append(log, referring(Some(1), Some(1))), 5);
    check_stored(&harness.append(log, deletion(1)), 6);
    let again = harness.append(log, referring(Some(1), Some(1)));
    assert!(matches!(again, Appended::Duplicate { seq: 5, .. }), "{again:?}");
}

#[test]
fn an_edit_is_measured_with_the_data_that_it_keeps() {
    let mut harness = Harness::new();
    let log = harness.room(1, "lobby", Durability::Disk);
    for (data, expect) in [("123456789", None), ("1234567890", Some(10))] {
        let mut draft = said("one", None);
        if let Body::Message { data: kept, .. } = &mut draft.body {
            *kept = Some(data.into());
        }
        let Appended::Stored(record) = harness.append(log, draft) else { panic!("{data}") };
        let edited = harness.append(log, edit(record.seq, "two"));
        match expect {
            None => assert!(matches!(edited, Appended::Stored(_)), "{edited:?}"),
            Some(bytes) => assert_eq!(edited, Appended::TooLarge(bytes)),
        }
    }
}

#[test]
fn the_text_of_an_edit_goes_with_its_message_when_that_is_pruned() {
    let mut harness = Harness::new();
    let retention = Retention { records: Some(3), ..Retention::default() };
    let log = harness.room_with(1, "lobby", Durability::Disk, retention);
    harness.batch(log, [said("one", None), said("two", None), edit(1, "uno"), edit(2, "due")]);
    assert_eq!(harness.text(3).as_deref(), Some("uno"));
    assert_eq!(harness.maintain(), [LogReply::Pruned { log, oldest: 2 }]);
    assert_eq!(harness.text(3), None);
    assert_eq!((harness.text(2), harness.text(4)), (Some("due".into()), Some("due".into())));
    assert_eq!(harness.number("SELECT bytes FROM room"), 6);
}

fn renamed(name: &str, former: &[&str]) -> Draft {
    let room = |name: &str| RoomName::parse(name).unwrap();
    let body = Body::Rename { name: room(name), was: room(former.last().unwrap()) };
    let former = former.iter().map(|name| room(name)).collect();
    Draft { body, meta: vec![RoomMeta::Name(room(name), former)], ..said("", None) }
}

#[test]
fn a_room_with_another_name_is_found_by_each_that_it_had_until_it_ends() {
    let mut harness = Harness::new();
    let log = harness.room(1, "bi11", Durability::Disk);
    check_stored(&harness.append(log, said("one", None)), 1);
    check_stored(&harness.append(log, renamed("lair", &["bi11"])), 2);
    check_stored(&harness.append(log, renamed("den", &["bi11", "lair"])), 3);
    // It goes back to one that it had.
    check_stored(&harness.append(log, renamed("lair", &["bi11", "den"])), 4);
    let mut harness = harness.restart();
    let named = |names: &[&str], with_lookalikes| {
        let mut wanted = Wanted::default();
        for name in names {
            wanted.add_room(RoomName::parse(name).unwrap(), with_lookalikes);
        }
        wanted
    };
    let all = ["bi11", "den", "lair"];
    let wanted = all.map(|name| named(&[name], false)).into_iter();
    for wanted in wanted.chain([named(&all, false), named(&["bill"], true)]) {
        let found = load(&harness.engine.db, &wanted).unwrap().rooms;
        let [room] = found.as_slice() else { panic!("{wanted:?} {found:?}") };
        assert_eq!((room.name.as_str(), room.head), ("lair", 4));
        let names = room.meta.iter().find_map(|meta| match meta {
            RoomMeta::Name(name, former) => Some(format!("{name} {former:?}")),
            _ => None,
        });
        assert_eq!(names.as_deref(), Some(r#"lair ["bi11", "den"]"#));
    }
    // Asked for before it got another name, and done behind that.
    for name in all {
        let (room, change) = (RoomName::parse(name).unwrap(), ThreadChange::Follow(4));
        let mark = ThreadMark { user: user("ann"), room, thread: 1, change, at: 1 };
        assert_eq!(message_threads::put(&harness.engine.db, &mark), Ok(true), "{name}");
    }
    let log = harness.room(1, "lair", Durability::Disk);
    harness.engine.commit(harness.now, vec![Op::Drop(log)]);
    let found = load(&harness.engine.db, &named(&["bi11", "den", "lair", "bill"], true)).unwrap();
    assert_eq!(found.rooms, []);
    assert_eq!(harness.number("SELECT count(*) FROM former_name"), 0);
    assert_eq!(harness.number("SELECT count(*) FROM lookalike"), 0);
}
