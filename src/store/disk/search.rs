//! Full text: the words of messages, put into `word` from behind, and found there.
//!
//! What is typed is taken apart into words, and each is quoted: nothing of it is read as syntax.
//!
//! ```text
//! he said "NEAR(me*"  ─▶  {text} : ("he" AND "said" AND "NEAR" AND "me" *) AND {place} : ("r1" OR "r7")
//! ```
//!
//! Chinese, Japanese, Thai and their like are written without a space between words. Of these each character is put
//! into `word` as a word of its own, and what is typed without a space is looked for as a phrase: any two characters
//! that stand beside each other are found.
//!
//! ```text
//! 你好 ok  ─▶  {text} : ("你 好" AND "ok" *)
//! ```

use std::borrow::Cow;
use std::fmt::Write as _;

use rusqlite::{Connection, OptionalExtension as _};

use super::read::{Fault, Reading};
use super::row::{COLUMNS, kind, signed};
use crate::chat::model::limits::PAGE_BYTES_MAX;
use crate::chat::model::log::{Answer, LogId};
use crate::chat::model::words::{is_unspaced, words};

/// How texts are put into `word`: a file in which it was done otherwise is searched anew. Snapshot in `meta`.
const WAY: i64 = 2;

/// Where and what to look for.
#[derive(Debug)]
pub(super) struct Job {
    /// The row ids of the rooms, and their logs.
    pub(super) rooms: Vec<(i64, LogId)>,
    /// Words, as they were typed; the last one may be the beginning of a word.
    pub(super) text: Box<str>,
    /// Only what is behind this place.
    pub(super) before: Option<u64>,
    /// How many.
    pub(super) limit: u32,
}

/// The latest messages that contain all the words: none behind the one with which they are more than
/// [`PAGE_BYTES_MAX`].
pub(super) fn find(reading: &mut Reading<'_>, job: &Job) -> Result<Answer, Fault> {
    let (mut items, mut next) = (Vec::new(), None);
    let Some(expression) = expression(job) else { return Ok(Answer::Found { items, next }) };
    let limit = usize::try_from(job.limit).unwrap_or(usize::MAX);
    let db = reading.db;
    let mut statement = db.prepare_cached(
        "SELECT rowid FROM word WHERE word MATCH ?1 AND rowid < ?2 ORDER BY rowid DESC",
    )?;
    let sql = format!("SELECT {COLUMNS} FROM record WHERE id = ?1 AND kind = ?2");
    let mut record = db.prepare_cached(&sql)?;
    let mut rows = statement.query((expression, signed(job.before.unwrap_or(u64::MAX))))?;
    let (mut place, mut bytes) = (0, 0_usize);
    while let Some(row) = rows.next()? {
        if items.len() >= limit || bytes > PAGE_BYTES_MAX {
            next = Some(place);
            break;
        }
        let id: i64 = row.get(0)?;
        place = u64::try_from(id).unwrap_or(0);
        let mut found = record.query((id, kind::MESSAGE))?;
        let Some(row) = found.next()? else { continue };
        let room: i64 = row.get("room")?;
        let log = job.rooms.iter().find(|(id, _)| *id == room);
        let item = log.and_then(|(_, log)| Some((*log, reading.decode(row, room)?)));
        let weight = item.as_ref().map_or(0, |(_, record)| record.weight);
        bytes = bytes.saturating_add(usize::try_from(weight).unwrap_or(usize::MAX));
        items.extend(item);
    }
    Ok(Answer::Found { items, next })
}

/// What is to be matched, `None` if that is nothing at all. A single letter stands for itself: too much
/// begins with it.
fn expression(job: &Job) -> Option<String> {
    let words: Vec<&str> = words(&job.text).collect();
    let mut expression = String::new();
    for word in &words {
        let before = if expression.is_empty() { "{text} : (" } else { " AND " };
        _ = write!(expression, "{before}\"{}\"", spaced(word));
    }
    let beginning = words.last().is_some_and(|word| word.len() > 1);
    expression.push_str(if beginning { " *) AND {place} : (" } else { ") AND {place} : (" });
    let mut before = "";
    for (room, _) in &job.rooms {
        _ = write!(expression, "{before}\"r{room}\"");
        before = " OR ";
    }
    expression.push(')');
    (!words.is_empty() && !job.rooms.is_empty()).then_some(expression)
}

/// The text with a space before and behind each character that is a word of its own.
fn spaced(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || !text.chars().any(is_unspaced) {
        return Cow::Borrowed(text);
    }
    let mut spaced = String::with_capacity(text.len() * 2);
    for c in text.chars() {
        if is_unspaced(c) {
            spaced.extend([' ', c, ' ']);
        } else {
            spaced.push(c);
        }
    }
    Cow::Owned(spaced)
}

/// The text of a message has changed, or it is gone (`None`): so do its words, if they were put into `word`
/// already. To be called for every row of `record` that is deleted, in the same transaction: its id may be
/// given again.
///
/// # Errors
///
/// What the database says.
pub(in crate::store) fn changed(
    db: &Connection,
    record_id: i64,
    room_id: i64,
    text: Option<&str>,
) -> rusqlite::Result<()> {
    let searched = searched(db)?;
    if record_id > searched {
        return Ok(());
    }
    if let Some(text) = text {
        return put(db, record_id, room_id, text);
    }
    db.prepare_cached("DELETE FROM word WHERE rowid = ?1")?.execute([record_id])?;
    let sql = "SELECT coalesce(max(id), 0) FROM record WHERE id < ?1 OR id > ?1";
    let highest: i64 = db.prepare_cached(sql)?.query_row([record_id], |row| row.get(0))?;
    // Ids above the highest that is left are given again.
    if highest < searched { set_searched(db, highest) } else { Ok(()) }
}

/// Puts the words of the next `budget` records into `word`, in the caller's transaction or, without one, in
/// one of its own: whether there may be more.
///
/// # Errors
///
/// What the database says; `word` has not changed then.
pub(in crate::store) fn fill(db: &Connection, budget: usize) -> rusqlite::Result<bool> {
    db.execute_batch("SAVEPOINT fill")?;
    match fill_inside(db, budget) {
        Ok(more) => db.execute_batch("RELEASE fill").map(|()| more),
        Err(error) => {
            // A failure can have ended the whole transaction, and the savepoint with it.
            if !db.is_autocommit() {
                db.execute_batch("ROLLBACK TO fill; RELEASE fill")?;
            }
            Err(error)
        }
    }
}

fn fill_inside(db: &Connection, budget: usize) -> rusqlite::Result<bool> {
    if number(db, "words")? != Some(WAY) {
        db.execute("INSERT INTO word (word) VALUES ('delete-all')", [])?;
        set_searched(db, 0)?;
        set_number(db, "words", WAY)?;
    }
    let before = searched(db)?;
    let sql = "SELECT id, room, kind, text FROM record WHERE id > ?1 ORDER BY id LIMIT ?2";
    let mut statement = db.prepare_cached(sql)?;
    let budget = i64::try_from(budget).unwrap_or(i64::MAX);
    let mut rows = statement.query((before, budget))?;
    let (mut last, mut count) = (before, 0);
    while let Some(row) = rows.next()? {
        last = row.get(0)?;
        count += 1;
        // A row that is no record any more is the reader's to report.
        let text = row.get_ref(3)?.as_str().ok();
        if let (kind::MESSAGE, Some(text)) = (row.get(2)?, text) {
            put(db, last, row.get(1)?, text)?;
        }
    }
    if last != before {
        set_searched(db, last)?;
    }
    Ok(count == budget)
}

fn put(db: &Connection, id: i64, room: i64, text: &str) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO word (rowid, place, text) VALUES (?1, 'r' || ?2, ?3)";
    db.prepare_cached(sql)?.execute((id, room, spaced(text))).map(drop)
}

/// The id of the last record whose words are in `word`.
fn searched(db: &Connection) -> rusqlite::Result<i64> {
    Ok(number(db, "searched")?.unwrap_or(0))
}

fn set_searched(db: &Connection, id: i64) -> rusqlite::Result<()> {
    set_number(db, "searched", id)
}

fn number(db: &Connection, key: &str) -> rusqlite::Result<Option<i64>> {
    let mut statement = db.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
    statement.query_row([key], |row| row.get(0)).optional()
}

fn set_number(db: &Connection, key: &str, value: i64) -> rusqlite::Result<()> {
    let sql = "INSERT INTO meta (key, value) VALUES (?1, ?2) \
               ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    db.prepare_cached(sql)?.execute((key, value)).map(drop)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::chat::model::record::Body;
    use crate::store::disk::testing::{database, message, room, say, say_heavy};

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
        let job = Job { rooms: logs(rooms), text: text.into(), before, limit: 2 };
        let mut reading = Reading::new(db);
        match find(&mut reading, &job) {
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
    fn what_was_put_there_in_another_way_is_put_there_anew() {
        let (_folder, db) = stored(&["one", "天气很好", "three"]);
        db.execute("DELETE FROM meta WHERE key = 'words'", []).unwrap();
        db.execute("UPDATE word SET place = 'r1', text = '天气很好' WHERE rowid = 2", []).unwrap();
        check(&db, "天气", &[]);
        assert_eq!(fill(&db, 2), Ok(true));
        check(&db, "天气", &[2]);
        check(&db, "three", &[]);
        while fill(&db, 2).unwrap() {}
        for (word, expect) in [("one", 2), ("three", 2), ("天气很好", 0)] {
            assert_eq!(count(&db, word), expect, "{word}");
        }
    }

    #[test]
    fn a_page_of_heavy_messages_is_short_and_the_next_goes_on() {
        let (_folder, db) = stored(&[]);
        let weight = u32::try_from(PAGE_BYTES_MAX / 3).unwrap();
        for text in ["a word", "a word", "a word", "a word", "a word", "a word"] {
            say_heavy(&db, 1, "ann", message(text), weight);
        }
        while fill(&db, 2).unwrap() {}
        let ten = |before| {
            let job = Job { rooms: logs(&[1]), text: "word".into(), before, limit: 10 };
            match find(&mut Reading::new(&db), &job) {
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
        changed(db, id, 1, text).unwrap();
        // What the writer does, as far as search sees it.
        let sql = "UPDATE record SET text = ?2, kind = ?2 IS NULL WHERE id = ?1";
        db.execute(sql, (id, text)).unwrap();
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
                changed(&db, id, 1, None).unwrap();
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
    fn a_fill_that_is_taken_back_is_done_again() {
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
        let job = Job { rooms: logs(&[1]), text: "one".into(), before: None, limit: 2 };
        let mut reading = Reading::new(&db);
        let answer = find(&mut reading, &job).unwrap();
        assert!(matches!(&answer, Answer::Found { items, .. } if items.len() == 1), "{answer:?}");
        assert_eq!(reading.bad.iter().map(|bad| bad.seq).collect::<Vec<_>>(), [2]);
    }
}
