//! Tests of erasures.

use tempfile::TempDir;

use super::*;
use crate::chat::model::record::{Act, Body};
use crate::store::sqlite::testing::{database, message, room, say, user};
use crate::store::tools::verify;

/// `bob` has said, changed, done and been done to.
fn stored() -> (TempDir, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let db = database(&folder);
    room(&db, 1, "lobby");
    room(&db, 2, "@ann:bob");
    room(&db, 3, "@ann:bobby");
    say(&db, 1, "bob", message("secret one"));
    say(&db, 1, "ann", message("hello bob"));
    let edit = Body::Edit { target: 1, text: Some("secret two".into()) };
    say(&db, 1, "bob", edit);
    let reaction = Body::Reaction { target: 2, emoji: "+1".into(), remove: false };
    say(&db, 1, "bob", reaction);
    let kick = Body::Moderation { act: Act::Kick, target: user("bob"), reason: "spam".into() };
    say(&db, 1, "ann", kick);
    say(&db, 2, "bob", message("secret three"));
    say(&db, 2, "ann", message("mine"));
    say(&db, 3, "bobby", message("not his"));
    say(&db, 2, "bob", Body::Topic { text: "secret topic".into() });
    say(&db, 3, "bobby", Body::Topic { text: "tea".into() });
    let kick = Body::Moderation { act: Act::Kick, target: user("ann"), reason: "secret".into() };
    say(&db, 2, "bob", kick);
    db.execute_batch("UPDATE room SET topic = 'secret topic' WHERE id = 2").unwrap();
    db.execute_batch("UPDATE room SET topic = 'tea' WHERE id = 3").unwrap();
    while index::fill(&db, 100).unwrap() {}
    db.execute_batch(
        "INSERT INTO member VALUES (1, 'bob', 1, 0, 0, 1), (1, 'ann', 1, 0, 0, 2);
         INSERT INTO restriction VALUES (1, 'bob', 1, NULL, '', NULL, NULL),
           (1, 'eve', 0, NULL, 'secret', 'bob', 5);
         INSERT INTO sent VALUES (1, 1, 'bob', 'c1', 1, 0, 0);
         INSERT INTO suspension VALUES ('user bob', NULL, '');",
    )
    .unwrap();
    (folder, db)
}

fn records(db: &Connection, room: i64) -> Vec<Record> {
    let sql = format!("SELECT {COLUMNS} FROM record WHERE room = ?1 ORDER BY seq");
    let mut statement = db.prepare(&sql).unwrap();
    let rows = statement.query_map([room], |row| Ok(record_row::decode(row).unwrap())).unwrap();
    rows.collect::<rusqlite::Result<_>>().unwrap()
}

fn erase(folder: &TempDir) -> (Traces, Erased) {
    let mut erasure = Erasure::open(folder.path(), &user("bob")).unwrap();
    (erasure.traces().unwrap(), erasure.run(0).unwrap())
}

#[test]
fn what_was_said_goes_and_its_places_stay() {
    let (folder, db) = stored();
    let (traces, erased) = erase(&folder);
    let expected = Traces {
        messages: 2,
        records: 7,
        memberships: 1,
        restrictions: 1,
        conversations: 1,
        is_bound: false,
        is_unfinished: false,
    };
    assert_eq!(traces, expected);
    assert!(erased.unswept.is_none(), "{erased:?}");
    let lobby = records(&db, 1);
    let names: Vec<_> = lobby.iter().map(|record| &record.from).collect();
    let (gone, ann) = (&erased.placeholder, &user("ann"));
    assert_eq!(names, [gone, ann, gone, gone, ann]);
    assert_eq!(lobby[0].body, Body::Deleted);
    assert_eq!(lobby[2].body, Body::Edit { target: 1, text: None });
    assert!(matches!(&lobby[4].body, Body::Moderation { target, .. } if target == gone));
    verify::run(folder.path(), &mut |fault| panic!("{fault}")).unwrap();
}

#[test]
fn nothing_of_it_is_left_in_any_file() {
    let (folder, db) = stored();
    drop(db);
    erase(&folder);
    let mut looked_at = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        looked_at += bytes.len();
        for word in [&b"secret"[..], b"three"] {
            let found = bytes.windows(word.len()).any(|part| part == word);
            assert!(!found, "{}", path.display());
        }
    }
    assert!(looked_at > 10_000);
}

#[test]
fn memberships_and_cids_go_and_the_ban_from_the_server_stays() {
    let (folder, db) = stored();
    erase(&folder);
    let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM member"), 1);
    assert_eq!(count("SELECT count(*) FROM restriction WHERE user = 'bob'"), 0);
    let nobody = "\"by\" IS NULL AND reason = ''";
    assert_eq!(count(&format!("SELECT count(*) FROM restriction WHERE {nobody}")), 1);
    assert_eq!(count("SELECT count(*) FROM sent"), 0);
    assert_eq!(count("SELECT count(*) FROM suspension"), 1);
    let words = "SELECT count(*) FROM word WHERE word MATCH ";
    assert_eq!(count(&format!("{words} 'secret'")), 0);
    assert_eq!(count(&format!("{words} 'mine'")), 1);
}

#[test]
fn a_conversation_gets_a_name_that_no_public_record_tells() {
    let (folder, db) = stored();
    let (_, erased) = erase(&folder);
    let name = |id: i64| -> String {
        db.query_row("SELECT name FROM room WHERE id = ?1", [id], |row| row.get(0)).unwrap()
    };
    let stand_in = records(&db, 2).swap_remove(0).from;
    assert_ne!(stand_in, erased.placeholder);
    assert_eq!(name(2), RoomName::direct(&user("ann"), &stand_in).as_str());
    assert_eq!(name(3), "@ann:bobby");
    let topic = |id: i64| -> String {
        db.query_row("SELECT topic FROM room WHERE id = ?1", [id], |row| row.get(0)).unwrap()
    };
    assert_eq!((topic(2).as_str(), topic(3).as_str()), ("", "tea"));
    assert_eq!(records(&db, 2)[2].body, Body::Topic { text: "".into() });
    assert_eq!(records(&db, 3)[0].body, message("not his"));
}

#[test]
fn a_record_that_cannot_be_read_or_a_running_server_changes_nothing() {
    let (folder, db) = stored();
    let lock = open::lock(folder.path()).unwrap();
    assert!(matches!(Erasure::open(folder.path(), &user("bob")), Err(ToolError::Unfit(_))));
    drop(lock);
    db.execute("UPDATE record SET at = 7 WHERE room = 2 AND seq = 1", []).unwrap();
    let erasure = Erasure::open(folder.path(), &user("bob")).unwrap();
    let refused = erasure.run(0).unwrap_err();
    assert!(matches!(refused, ToolError::Database(..)), "{refused}");
    let why = "record 1 of room 2: its checksum does not match; nothing was changed";
    assert!(refused.to_string().contains(why), "{refused}");
    assert_eq!(records(&db, 1)[0].body, message("secret one"));
}

#[test]
fn nobody_leaves_no_trace() {
    let (folder, db) = stored();
    let mut erasure = Erasure::open(folder.path(), &user("carl")).unwrap();
    assert_eq!(erasure.traces().unwrap(), Traces::default());
    erasure.run(0).unwrap();
    assert_eq!(records(&db, 1)[0].body, message("secret one"));
}

#[test]
fn an_erasure_that_was_cut_off_goes_on_with_the_same_placeholder() {
    let (folder, mut db) = stored();
    let bob = user("bob");
    let placeholder = begin(&mut db, &bob).ok().unwrap();
    // As much as a lot of one record.
    let first: i64 = db
        .query_row("SELECT min(id) FROM record WHERE sender = 'bob'", [], |row| row.get(0))
        .unwrap();
    erase_record(&db, (first, CidSecret::load(&db).unwrap()), (&bob, &placeholder)).unwrap();
    verify::run(folder.path(), &mut |fault| panic!("{fault}")).unwrap();
    let (traces, erased) = erase(&folder);
    assert!(traces.is_unfinished);
    assert_eq!((traces.messages, traces.conversations), (1, 0));
    assert_eq!(erased.placeholder, placeholder);
    assert_eq!(records(&db, 1)[0].from, placeholder);
    let in_conversation = records(&db, 2).swap_remove(0).from;
    assert_ne!(in_conversation, placeholder);
    let name = RoomName::direct(&user("ann"), &in_conversation);
    let sql = "SELECT count(*) FROM room WHERE name = ?1";
    let found: i64 = db.query_row(sql, [name.as_str()], |row| row.get(0)).unwrap();
    assert_eq!(found, 1);
    let mut again = Erasure::open(folder.path(), &bob).unwrap();
    assert_eq!(again.traces().unwrap(), Traces::default(), "nothing is left to be done");
}

#[test]
fn as_many_records_as_several_lots_are_erased_and_the_rest_stays() {
    let folder = tempfile::tempdir().unwrap();
    let db = database(&folder);
    room(&db, 1, "lobby");
    let count = 2 * u64::from(LOT) + 3;
    db.execute_batch("BEGIN").unwrap();
    for _ in 0..count {
        say(&db, 1, "bob", message("mine"));
        say(&db, 1, "ann", message("hers"));
    }
    db.execute_batch("COMMIT").unwrap();
    let (traces, _) = erase(&folder);
    assert_eq!(traces.messages, count);
    let texts: Vec<_> =
        records(&db, 1).into_iter().filter(|record| record.body.text().is_some()).collect();
    assert_eq!(u64::try_from(texts.len()), Ok(count));
    assert!(texts.iter().all(|record| record.from == user("ann")));
    verify::run(folder.path(), &mut |fault| panic!("{fault}")).unwrap();
}
