//! The order of what is sent, its bounds, and what is kept of it.

use rusqlite::Connection;
use tempfile::TempDir;

use super::super::testing::{database, message, room, say, user};
use super::unwritten::NOTICES_MAX;
use super::*;
use crate::chat::model::account::Hidden;
use crate::chat::model::name::RoomName;
use crate::chat::model::reply::Role;
use crate::chat::model::webhook::{
    EventKind, EventSet, Interest, Notice, NoticeKind, Webhook, WebhookEvent,
};

fn interest(rooms: &str, kinds: &[EventKind]) -> Interest {
    let events = kinds.iter().fold(EventSet::NONE, |set, kind| set.with(*kind));
    Interest { events, rooms: vec![rooms.into()], except: None }
}

fn webhook(name: &str) -> Webhook {
    Webhook {
        name: name.into(),
        url: "https://example.org/".into(),
        interest: interest("*", &EventKind::ALL),
        secret: Hidden::new("whsec_AA=="),
        former: None,
        at: 7,
    }
}

fn notice(room: &str, what: NoticeKind) -> Notice {
    let room = RoomName::stored(room);
    Notice { at: 5, room, is_in_memory: false, user: Some(user("ann")), what }
}

fn joined(room: &str) -> Notice {
    notice(room, NoticeKind::Joined(Role::Member))
}

/// Rooms 1 (a) and 2 (b), and what a webhook is told of them from the beginning.
fn stored() -> (TempDir, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let db = database(&folder);
    room(&db, 1, "a");
    room(&db, 2, "b");
    (folder, db)
}

/// The events as words: the seq in its room, or what happened.
fn words(batch: &Batch) -> Vec<String> {
    let word = |event: &WebhookEvent| match event {
        WebhookEvent::Record { room, record, .. } => format!("{room}{}", record.seq),
        WebhookEvent::Notice { notice, .. } => {
            let room = notice.room.as_ref().map_or("", RoomName::as_str);
            format!("{} {room}", notice.what.kind().name())
        }
    };
    batch.events.iter().map(word).collect()
}

fn read_all(db: &mut Connection, interest: &Interest, most: usize) -> (Vec<String>, Position) {
    let (mut all, mut from) = (Vec::new(), Position::default());
    loop {
        let batch = batch(db, interest, (from, None), most).unwrap();
        all.extend(words(&batch));
        from = batch.end;
        if !batch.has_more {
            return (all, from);
        }
    }
}

fn read_from(db: &Connection, from: Position, to: Option<Position>) -> Batch {
    let mut db = Connection::open(db.path().unwrap()).unwrap();
    batch(&mut db, &interest("*", &EventKind::ALL), (from, to), 100).unwrap()
}

#[test]
fn records_and_notices_come_in_the_order_in_which_they_happened() {
    let (_folder, mut db) = stored();
    put_notice(&db, &joined("a")).unwrap();
    say(&db, 1, "ann", message("one"));
    say(&db, 2, "bob", message("two"));
    put_notice(&db, &notice("b", NoticeKind::Left(None))).unwrap();
    put_notice(&db, &joined("b")).unwrap();
    say(&db, 1, "ann", message("three"));
    put_notice(&db, &notice("", NoticeKind::Connection { opened: true, left: 1 })).unwrap();
    let every = ["join a", "a1", "b1", "leave b", "join b", "a2", "connection "];
    for most in [1, 2, 3, 100] {
        let all = interest("*", &EventKind::ALL);
        assert_eq!(read_all(&mut db, &all, most).0, every, "{most} at a time");
        let of_a = interest("a", &[EventKind::Message, EventKind::Join]);
        assert_eq!(read_all(&mut db, &of_a, most).0, ["join a", "a1", "a2"]);
    }
    let end = Position { record: 2, notice: 2 };
    let batch = read_from(&db, Position { record: 1, notice: 1 }, Some(end));
    assert_eq!(
        (words(&batch), batch.end, batch.has_more),
        (vec!["b1".into(), "leave b".into()], end, false)
    );
}

#[test]
fn a_direct_message_that_is_gone_is_not_told() {
    let (_folder, mut db) = stored();
    room(&db, 3, "@ann:bob");
    say(&db, 3, "bob", message("one"));
    put_notice(&db, &notice("@ann:bob", NoticeKind::Unseen(1))).unwrap();
    put_notice(&db, &notice("@ann:bob", NoticeKind::Unseen(2))).unwrap();
    let all = interest("*", &EventKind::ALL);
    assert_eq!(read_all(&mut db, &all, 9).0, ["direct @ann:bob"], "and no message of the room");
}

#[test]
fn what_is_too_much_goes_and_is_counted() {
    let (_folder, db) = stored();
    assert!(insert(&db, &webhook("ci"), position_of_new(&db).unwrap()).unwrap());
    let mut unwritten = UnwrittenOutbox::default();
    for _ in 0..NOTICES_MAX + 30 {
        unwritten.put_notice(joined("a"));
    }
    unwritten.write(&db).unwrap();
    let batch = read_from(&db, Position::default(), None);
    assert_eq!((batch.lost, batch.events.len()), (30, 100));
    let rest = read_from(&db, batch.end, None);
    assert_eq!((rest.lost, rest.events.len()), (0, 0));
    // What every webhook is past goes, and is not missed.
    let progress = Update::Progress {
        webhook: ("ci".into(), 7),
        position: batch.end,
        batch_end: None,
        attempts: 0,
        next_at: 0,
        ended: None,
    };
    let mut unwritten = UnwrittenOutbox::default();
    unwritten.put(progress);
    unwritten.write(&db).unwrap();
    let left: i64 = db.query_one("SELECT count(*) FROM notice", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
    assert_eq!(read_from(&db, batch.end, None).lost, 0);
    assert_eq!(position_of_new(&db).unwrap(), batch.end);
}

fn write(db: &Connection, updates: impl IntoIterator<Item = Update>) {
    let mut unwritten = UnwrittenOutbox::default();
    updates.into_iter().for_each(|update| unwritten.put(update));
    unwritten.write(db).unwrap();
}

const FROM: Position = Position { record: 3, notice: 4 };
const TO: Position = Position { record: 5, notice: 6 };

#[test]
fn the_state_of_a_webhook_is_kept() {
    let (_folder, db) = stored();
    let first = webhook("ci");
    assert!(insert(&db, &first, Position::default()).unwrap());
    assert!(!insert(&db, &first, Position::default()).unwrap());
    let progress = |at| Update::Progress {
        webhook: ("ci".into(), at),
        position: FROM,
        batch_end: Some(TO),
        attempts: 3,
        next_at: 99,
        ended: Some("HTTP 410".into()),
    };
    // Another one of the same name, which is there no more, changes nothing.
    write(&db, [progress(6)]);
    assert_eq!(load(&db).unwrap()[0].attempts, 0);
    write(&db, [progress(7)]);
    let known = load(&db).unwrap().remove(0);
    assert_eq!(known.webhook, first);
    assert_eq!((known.position, known.batch_end, known.attempts), (FROM, Some(TO), 3));
    assert_eq!((known.next_at, known.ended.as_deref()), (99, Some("HTTP 410")));
    assert_eq!(revive(&db, "ci").unwrap(), Some(0));
    let known = load(&db).unwrap().remove(0);
    assert_eq!((known.ended, known.attempts, known.revived), (None, 0, 1));
    assert!(rotate(&db, "ci", (&Hidden::new("whsec_BB=="), 5)).unwrap());
    let known = load(&db).unwrap().remove(0);
    assert_eq!(known.webhook.former, Some((first.secret, 5)));
    assert!(end(&db, "ci").unwrap() && !end(&db, "ci").unwrap());
    assert_eq!((revive(&db, "ci").unwrap(), find_dead(&db, "ci").unwrap()), (None, None));
}

#[test]
fn a_dead_letter_is_kept_until_it_was_delivered() {
    let (_folder, db) = stored();
    assert!(insert(&db, &webhook("ci"), Position::default()).unwrap());
    let letter = |from| {
        let (webhook, why) = ("ci".into(), "HTTP 500".into());
        Update::Dead(DeadLetter { id: 0, webhook, at: 9, from, to: TO, events: 2, why })
    };
    write(&db, [letter(FROM), letter(TO)]);
    let known = load(&db).unwrap().remove(0);
    assert_eq!((known.dead, known.again), (2, Vec::new()));
    // Of the second one nothing is left that could be sent.
    assert_eq!(revive(&db, "ci").unwrap(), Some(1));
    let known = load(&db).unwrap().remove(0);
    assert_eq!((known.dead, known.again[0].to), (1, TO));
    let id = known.again[0].id;
    write(&db, [Update::StillDead(id, "HTTP 404".into())]);
    assert_eq!(load(&db).unwrap()[0].again, Vec::new());
    assert_eq!(&*find_dead(&db, "ci").unwrap().unwrap()[0].why, "HTTP 404");
    write(&db, [Update::Delivered(id)]);
    assert_eq!(find_dead(&db, "ci").unwrap(), Some(Vec::new()));
}

#[test]
fn no_record_is_given_an_id_that_a_webhook_is_past() {
    let (_folder, db) = stored();
    say(&db, 1, "ann", message("one"));
    assert!(insert(&db, &webhook("ci"), Position { record: 41, notice: 0 }).unwrap());
    assert_eq!(highest_record(&db).unwrap(), 41);
}

#[test]
fn what_waits_while_nothing_can_be_written_is_written_once_in_its_order_and_bounded() {
    let (_folder, db) = stored();
    let mut failed = UnwrittenOutbox::default();
    failed.put_notice(joined("a"));
    let mut later = UnwrittenOutbox::default();
    later.put_notice(joined("b"));
    later.add_earlier(failed);
    later.write(&db).unwrap();
    let rooms = || -> Option<String> {
        let sql = "SELECT group_concat(room, '') FROM notice";
        db.query_one(sql, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(rooms(), None, "no webhook is there to be told");
    assert!(insert(&db, &webhook("ci"), position_of_new(&db).unwrap()).unwrap());
    later.write(&db).unwrap();
    assert_eq!(rooms().as_deref(), Some("ab"));
    for _ in 0..=NOTICES_WAITING_MAX {
        later.put_notice(joined("a"));
    }
    assert!(!later.is_empty());
}

#[test]
fn a_webhook_is_told_of_a_room_by_any_name_that_it_has_or_had() {
    let (_folder, mut db) = stored();
    say(&db, 1, "ann", message("x"));
    put_notice(&db, &joined("a")).unwrap();
    db.execute_batch(
        "UPDATE room SET name = 'c' WHERE id = 1; INSERT INTO former_name VALUES ('a', 1, 0)",
    )
    .unwrap();
    put_notice(&db, &joined("c")).unwrap();
    let kinds = [EventKind::Message, EventKind::Join];
    for rooms in ["a", "c"] {
        let (told, _) = read_all(&mut db, &interest(rooms, &kinds), 100);
        assert_eq!(told, ["c1", "join a", "join c"], "{rooms}");
    }
    assert_eq!(read_all(&mut db, &interest("b", &kinds), 100).0, Vec::<String>::new());
}
