//! The index and what is found in it.

use rusqlite::Connection;
use tempfile::TempDir;

use super::index::{Indexed, fill, remove, update};
use super::*;
use crate::chat::model::record::Body;
use crate::chat::model::words::{SPELLINGS, WORD_PAIRS};
use crate::store::sqlite::testing::{database, message, room, say, say_heavy, user};

/// Two rooms, `r1` with these messages and `r2` with one of the same words.
fn stored(texts: &[&str]) -> (TempDir, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let db = database(&folder);
    room(&db, 1, "lobby");
    room(&db, 2, "other");
    for text in texts {
        say(&db, 1, "ann", message(text));
    }
    say(&db, 2, "bob", message(&texts.join(" ")));
    while fill(&db, 2).unwrap() {}
    (folder, db)
}

fn logs(rooms: &[i64]) -> Vec<(i64, LogId)> {
    rooms.iter().map(|id| (*id, LogId::new(usize::try_from(*id).unwrap(), 1))).collect()
}

/// The seqs that are found in the rooms, and the next place.
#[track_caller]
fn page(
    db: &Connection,
    rooms: &[i64],
    text: &str,
    before: Option<u64>,
) -> (Vec<u64>, Option<u64>) {
    let search =
        StoredSearch { user: user("ann"), rooms: logs(rooms), text: text.into(), before, limit: 2 };
    let mut reading = ReadTransaction::new(db);
    match find(&mut reading, &search) {
        Ok(Answer::Found { items, next }) => {
            (items.into_iter().map(|(_, record)| record.seq).collect(), next)
        }
        other => panic!("{text:?}: {other:?}"),
    }
}

#[track_caller]
fn check(db: &Connection, text: &str, expect: &[u64]) {
    assert_eq!(page(db, &[1], text, None).0, expect, "{text:?}");
}

#[test]
fn all_words_are_found_the_last_one_by_its_beginning() {
    let (_folder, db) =
        stored(&["Hello there, J\u{fc}rgen", "hello world", "x-ray: 7.5 caf\u{e9}s"]);
    check(&db, "hello", &[2, 1]);
    check(&db, "HELLO wor", &[2]);
    check(&db, "wor hello", &[]);
    check(&db, "there hello", &[1]);
    check(&db, "jurgen", &[1]);
    check(&db, "cafe\u{301}", &[3]);
    check(&db, "ray 7", &[3]);
    check(&db, "r", &[]);
    check(&db, "r1", &[]);
}

#[test]
fn what_is_written_without_spaces_is_found_by_any_part_of_it() {
    let (_folder, db) = stored(&[
        "今天天气很好。",
        "東京タワーへ行きます",
        "สวัสดีครับ",
        "我用 Rust写服务器",
        "天 今 好",
    ]);
    check(&db, "天气", &[1]);
    check(&db, "天气很好", &[1]);
    check(&db, "气天", &[]);
    check(&db, "天", &[5, 1]);
    check(&db, "天 今", &[5, 1]);
    check(&db, "タワー", &[2]);
    check(&db, "行き", &[2]);
    check(&db, "東京 行き", &[2]);
    check(&db, "วัส", &[3]);
    check(&db, "ครับ", &[3]);
    check(&db, "rust写服务", &[4]);
    check(&db, "rus 服务", &[]);
    check(&db, "服务 rust", &[4]);
    check(&db, "rust 服务器", &[4]);
}

#[test]
fn an_index_of_another_version_is_filled_again() {
    let (_folder, db) = stored(&["one", "天气很好", "three"]);
    db.execute("DELETE FROM meta WHERE key = 'words'", []).unwrap();
    let put = "INSERT INTO word (word, rowid, place, text) VALUES ('delete', 2, 'r1', ' 天  气  很  好 '); \
               INSERT INTO word (rowid, place, text) VALUES (2, 'r1', '天气很好')";
    db.execute_batch(put).unwrap();
    // What is not filled yet is looked at itself.
    for filled in [0, 2] {
        check(&db, "天气", &[2]);
        check(&db, "three", &[3]);
        assert_eq!(count(&db, "three"), 2 - filled, "{filled} are filled");
        assert_eq!(fill(&db, 2), Ok(true));
    }
    while fill(&db, 2).unwrap() {}
    for (word, expect) in [("one", 2), ("three", 2), ("天气很好", 0)] {
        assert_eq!(count(&db, word), expect, "{word}");
    }
}

#[test]
fn a_page_of_heavy_messages_is_short_and_the_next_goes_on() {
    let (_folder, db) = stored(&[]);
    let weight = u32::try_from(SEARCH_BYTES_MAX / 4).unwrap();
    for text in ["a word", "a word", "a word", "a word", "a word", "a word"] {
        say_heavy(&db, 1, "ann", message(text), weight);
    }
    while fill(&db, 2).unwrap() {}
    let ten = |before| {
        let search = StoredSearch {
            user: user("ann"),
            rooms: logs(&[1]),
            text: "word".into(),
            before,
            limit: 10,
        };
        match find(&mut ReadTransaction::new(&db), &search) {
            Ok(Answer::Found { items, next }) => (items.len(), next),
            other => panic!("{other:?}"),
        }
    };
    let (count, next) = ten(None);
    assert_eq!((count, next.is_some()), (4, true));
    assert_eq!(ten(next), (2, None));
}

#[test]
fn nothing_that_is_typed_is_syntax() {
    let (_folder, db) = stored(&["say near and or not hello", "text place r2"]);
    for text in [
        "\"say\" hello",
        "say* hello*",
        "NEAR(say hello",
        "say-hello",
        "say:hello",
        "say\0hello\0",
        "^say + hello",
        "{say} hello",
        "'say' ; hello --",
        "(((say hello",
        "say AND OR NOT hello",
    ] {
        check(&db, text, &[1]);
    }
    check(&db, "place:r2", &[2]);
    check(&db, "hello) OR {place} : (\"r2", &[]);
}

#[test]
fn no_word_and_no_room_find_nothing() {
    let (_folder, db) = stored(&["hello"]);
    for text in ["", " ", "\"", "*", "-:()", "\0", "\u{1f44d}", "\u{301}"] {
        check(&db, text, &[]);
    }
    assert_eq!(page(&db, &[], "hello", None), (Vec::new(), None));
    assert_eq!(page(&db, &[3], "hello", None), (Vec::new(), None));
}

#[test]
fn only_the_rooms_asked_for_are_searched_also_if_they_are_many() {
    let (_folder, db) = stored(&["hello"]);
    assert_eq!(page(&db, &[2], "hello", None), (vec![1], None));
    let many: Vec<i64> = (1..=1_000).collect();
    assert_eq!(page(&db, &many, "hello", None), (vec![1, 1], None));
}

#[test]
fn pages_follow_each_other_without_a_gap() {
    let (_folder, db) = stored(&["hi 1", "hi 2", "hi 3", "hi 4", "hi 5"]);
    let (first, next) = page(&db, &[1], "hi", None);
    assert_eq!(first, [5, 4]);
    let (second, next) = page(&db, &[1], "hi", next);
    assert_eq!(second, [3, 2]);
    assert_eq!(page(&db, &[1], "hi", next), (vec![1], None));
}

fn set(db: &Connection, id: i64, text: Option<&str>) {
    update(db, Indexed { id, room: 1, text: &text_of(db, id) }, text).unwrap();
    // What the writer does, as far as search sees it.
    let sql = "UPDATE record SET text = ?2, kind = ?2 IS NULL WHERE id = ?1";
    db.execute(sql, (id, text)).unwrap();
}

fn text_of(db: &Connection, id: i64) -> String {
    db.query_row("SELECT text FROM record WHERE id = ?1", [id], |row| row.get(0)).unwrap()
}

fn count(db: &Connection, text: &str) -> i64 {
    let sql = "SELECT count(*) FROM word WHERE word MATCH ?1";
    db.query_row(sql, [text], |row| row.get(0)).unwrap()
}

#[test]
fn an_edit_changes_the_words_and_a_deletion_takes_them() {
    let (_folder, db) = stored(&["before", "secret"]);
    set(&db, 1, Some("after"));
    set(&db, 2, None);
    assert_eq!((count(&db, "before"), count(&db, "after"), count(&db, "secret")), (1, 1, 1));
    // Room 2 says all of it in one message.
    assert_eq!(page(&db, &[2], "secret before", None).0, [1]);
}

#[test]
fn words_that_are_not_there_yet_are_put_there_as_they_are_by_then() {
    let folder = tempfile::tempdir().unwrap();
    let db = database(&folder);
    room(&db, 1, "lobby");
    for text in ["one", "two", "three"] {
        say(&db, 1, "ann", message(text));
    }
    say(&db, 1, "ann", Body::Topic { text: "topic".into() });
    assert_eq!(fill(&db, 1), Ok(true));
    set(&db, 2, Some("edited"));
    assert_eq!((count(&db, "one"), count(&db, "edited")), (1, 0));
    assert_eq!(fill(&db, 2), Ok(true));
    assert_eq!((fill(&db, 2), fill(&db, 2)), (Ok(false), Ok(false)));
    for (word, expect) in [("one", 1), ("two", 0), ("edited", 1), ("three", 1), ("topic", 0)] {
        assert_eq!(count(&db, word), expect, "{word}");
    }
}

#[test]
fn ids_that_are_given_again_are_searched_again() {
    for ids in [[2, 3, 4], [4, 3, 2]] {
        let (_folder, db) = stored(&["one", "two", "three"]);
        for id in ids {
            remove(&db, (id, 1), Some(&text_of(&db, id))).unwrap();
            db.execute("DELETE FROM record WHERE id = ?1", [id]).unwrap();
        }
        for text in ["four", "five"] {
            say(&db, 1, "ann", message(text));
        }
        while fill(&db, 100).unwrap() {}
        for (word, expect) in [("one", 1), ("two", 0), ("four", 1), ("five", 1)] {
            assert_eq!(count(&db, word), expect, "{word} after {ids:?}");
        }
    }
}

#[test]
fn a_fill_that_is_rolled_back_is_done_again() {
    let folder = tempfile::tempdir().unwrap();
    let db = database(&folder);
    room(&db, 1, "lobby");
    say(&db, 1, "ann", message("one"));
    db.execute_batch("BEGIN").unwrap();
    assert_eq!((fill(&db, 9), count(&db, "one")), (Ok(false), 1));
    db.execute_batch("ROLLBACK").unwrap();
    assert_eq!(count(&db, "one"), 0);
    assert_eq!((fill(&db, 9), count(&db, "one")), (Ok(false), 1));
}

#[test]
fn a_message_that_cannot_be_read_is_not_shown() {
    let (_folder, db) = stored(&["one", "one"]);
    db.execute("UPDATE record SET text = 'forged' WHERE id = 2", []).unwrap();
    let search = StoredSearch {
        user: user("ann"),
        rooms: logs(&[1]),
        text: "one".into(),
        before: None,
        limit: 2,
    };
    let mut reading = ReadTransaction::new(&db);
    let answer = find(&mut reading, &search).unwrap();
    assert!(matches!(&answer, Answer::Found { items, .. } if items.len() == 1), "{answer:?}");
    assert_eq!(reading.damaged.iter().map(|damaged| damaged.seq).collect::<Vec<_>>(), [2]);
}

#[test]
fn in_every_script_a_word_is_found_and_not_another() {
    for (one, other) in WORD_PAIRS {
        let (_folder, db) = stored(&[&format!("a {one}, x."), &format!("a {other}, x.")]);
        // The last word may be a beginning: another one behind it makes it whole.
        check(&db, &format!("{one} x"), &[1]);
        check(&db, &format!("{other} x"), &[2]);
    }
    for (one, other) in SPELLINGS {
        let (_folder, db) = stored(&[one, other]);
        check(&db, one, &[2, 1]);
        check(&db, other, &[2, 1]);
    }
}

#[test]
fn what_is_not_in_the_index_yet_is_found_and_nothing_twice() {
    let (_folder, db) = stored(&["hi 1", "hi 2"]);
    for text in ["hi 3", "ho", "hi 5"] {
        say(&db, 1, "ann", message(text));
    }
    let (first, next) = page(&db, &[1], "hi", None);
    assert_eq!(first, [5, 3]);
    assert_eq!(page(&db, &[1], "hi", next), (vec![2, 1], None));
    // The index is of another version, and to be filled again.
    db.execute("UPDATE meta SET value = 0 WHERE key = 'words'", []).unwrap();
    for fills in 0..3 {
        let (first, next) = page(&db, &[1], "hi", None);
        assert_eq!(first, [5, 3], "after {fills}");
        assert_eq!(page(&db, &[1], "hi", next), (vec![2, 1], None), "after {fills}");
        fill(&db, 2).unwrap();
    }
}

#[test]
fn a_search_looks_at_a_bounded_number_of_records_and_goes_on_behind_them() {
    let folder = tempfile::tempdir().unwrap();
    let db = database(&folder);
    room(&db, 1, "lobby");
    say(&db, 1, "ann", message("needle"));
    db.execute_batch("BEGIN").unwrap();
    for _ in 0..LOOK_RECORDS_MAX {
        say(&db, 1, "ann", message("hay"));
    }
    db.execute_batch("COMMIT").unwrap();
    let (found, next) = page(&db, &[1], "needle", None);
    assert_eq!((found, next.is_some()), (Vec::new(), true));
    assert_eq!(page(&db, &[1], "needle", next), (vec![1], None));
}
