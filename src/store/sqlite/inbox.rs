//! What the inbox shows of rooms that are not in memory as far as it needs.

use super::integers::{signed, unsigned};
use super::read_transaction::{QueryFault, ReadTransaction};
use super::record_row::{COLUMNS, kind};
use crate::chat::model::limits::{MENTIONING_MAX, UNREAD_MAX};
use crate::chat::model::log::{InboxFound, InboxQuery};
use crate::chat::model::mentions::names;
use crate::chat::model::name::UserName;
use crate::chat::model::record::SharedRecord;

/// Records that one inbox reads to count unread messages, in all its rooms; those that it does not
/// read count as unread.
const INBOX_RECORDS_MAX: u64 = 100_000;
/// Records that it reads in one room: twice what is counted, for a user who wrote half of them.
const INBOX_ROOM_RECORDS_MAX: u64 = 2 * UNREAD_MAX;
/// Records that it looks at in one room to find the last message: reactions and the like after it.
/// SQLite passes over so many in about a millisecond.
const LAST_RECORDS_MAX: u64 = 4_096;

/// Messages with an `@` that one inbox looks at, in all its rooms.
const INBOX_TEXTS_MAX: u64 = 20 * MENTIONING_MAX;

// One full room must not use up the budget of all others.
const _: () = assert!(INBOX_RECORDS_MAX >= 4 * INBOX_ROOM_RECORDS_MAX);

/// What there is of each room.
pub(super) fn inbox(
    reading: &mut ReadTransaction<'_>,
    user: &UserName,
    rows: &[(Option<i64>, InboxQuery)],
) -> Result<Vec<InboxFound>, QueryFault> {
    let (mut budget, mut texts) = (INBOX_RECORDS_MAX, INBOX_TEXTS_MAX);
    let mut answers = Vec::with_capacity(rows.len());
    for (room, row) in rows {
        let Some(room) = *room else {
            answers.push(InboxFound::default());
            continue;
        };
        let (unread, in_threads) = unread(reading, user, room, row, &mut budget)?;
        let last = if row.last { last_message(reading, room, row.head)? } else { None };
        let mentions =
            if unread == 0 { 0 } else { mentions(reading, user, room, row, &mut texts)? };
        answers.push(InboxFound { unread, mentions, in_threads, last });
    }
    Ok(answers)
}

/// How many messages above `read` are not the user's, and how many of these belong to a thread;
/// only the latest ones that `budget` allows are read.
fn unread(
    reading: &ReadTransaction<'_>,
    user: &UserName,
    room: i64,
    row: &InboxQuery,
    budget: &mut u64,
) -> rusqlite::Result<(u64, u64)> {
    let stored = reading.extent(Some(room))?;
    let above = row.read.max(stored.start().saturating_sub(1));
    let last = row.head.min(*stored.end());
    let all = last.saturating_sub(above);
    if all == 0 {
        return Ok((0, 0));
    }
    // The rest counts as unread without being looked at: too many are told rather than too few.
    let read = all.min(INBOX_ROOM_RECORDS_MAX).min(*budget);
    *budget -= read;
    let sql = "SELECT count(*), count(thread) FROM record WHERE room = ?1 AND seq > ?2 AND seq <= ?3 \
               AND kind = ?4 AND sender <> ?5";
    let mut statement = reading.db.prepare_cached(sql)?;
    let params = (room, signed(last - read), signed(last), kind::MESSAGE, user.as_str());
    let (unread, in_threads): (i64, i64) =
        statement.query_row(params, |row| Ok((row.get(0)?, row.get(1)?)))?;
    let unread = unsigned(unread).saturating_add(all - read).min(UNREAD_MAX);
    Ok((unread, unsigned(in_threads).min(unread)))
}

/// How many of the unread messages name the user: only the latest ones that `budget` allows are
/// looked at.
///
/// The index has the messages with an `@` and no others, so that it follows every change of them by
/// itself.
fn mentions(
    reading: &ReadTransaction<'_>,
    user: &UserName,
    room: i64,
    row: &InboxQuery,
    budget: &mut u64,
) -> rusqlite::Result<u64> {
    // By number and word, as the index says it: SQLite takes it for nothing else.
    let sql = "SELECT text FROM record INDEXED BY mention WHERE room = ?1 AND seq > ?2 AND seq <= ?3 \
               AND kind = 0 AND instr(text, '@') > 0 AND sender <> ?4 ORDER BY seq DESC LIMIT ?5";
    let mut statement = reading.db.prepare_cached(sql)?;
    let limit = (*budget).min(MENTIONING_MAX);
    // What retention has dropped may still be in the file.
    let oldest = *reading.extent(Some(room))?.start();
    let mut rows = statement.query((
        room,
        signed(row.read.max(oldest.saturating_sub(1))),
        signed(row.head),
        user.as_str(),
        signed(limit),
    ))?;
    let mut found = 0;
    while let Some(row) = rows.next()? {
        *budget = budget.saturating_sub(1);
        // Who damages a row does not get it shown, and it names nobody.
        let text = row.get_ref(0)?.as_str_or_null().unwrap_or_default();
        found += u64::from(text.is_some_and(|text| names(text, user)));
    }
    Ok(found)
}

/// The last message, if it is among the latest records and can be read.
fn last_message(
    reading: &mut ReadTransaction<'_>,
    room: i64,
    head: u64,
) -> rusqlite::Result<Option<SharedRecord>> {
    let mut statement = reading.db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM record WHERE room = ?1 AND seq > ?2 AND seq <= ?3 AND kind = ?4 \
         ORDER BY seq DESC LIMIT 1"
    ))?;
    let above = head.saturating_sub(LAST_RECORDS_MAX);
    let mut rows = statement.query((room, signed(above), signed(head), kind::MESSAGE))?;
    Ok(rows.next()?.and_then(|row| reading.decode(row, room)))
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;
    use tempfile::TempDir;

    use super::*;
    use crate::chat::model::log::LogId;
    use crate::chat::model::record::Body;
    use crate::store::sqlite::testing::{database, message, room, say, user};

    /// Room 1 with so many messages of ann's.
    fn stored(messages: u64) -> (TempDir, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        room(&db, 1, "lobby");
        for seq in 1..=messages {
            say(&db, 1, "ann", message(&seq.to_string()));
        }
        (folder, db)
    }

    #[track_caller]
    fn counted(db: &Connection, read: u64, head: u64) -> (u64, Option<u64>) {
        let row = InboxQuery { log: LogId::new(1, 1), read, head, last: true };
        let rows = [(Some(1), row), (None, row)];
        let mut found = inbox(&mut ReadTransaction::new(db), &user("ann"), &rows).unwrap();
        let nothing = found.pop().unwrap();
        assert_eq!(nothing, InboxFound::default(), "a room of which nothing is stored");
        let found = found.pop().unwrap();
        (found.unread, found.last.map(|record| record.seq))
    }

    #[test]
    fn the_messages_of_others_are_unread() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        room(&db, 1, "lobby");
        say(&db, 1, "bob", message("one"));
        say(&db, 1, "ann", message("mine"));
        say(&db, 1, "bob", Body::Deleted);
        say(&db, 1, "bob", message("two"));
        say(&db, 1, "bob", Body::Topic { text: "topic".into() });
        assert_eq!(counted(&db, 0, 5), (2, Some(4)));
        assert_eq!(counted(&db, 1, 5), (1, Some(4)));
        assert_eq!(counted(&db, 4, 5), (0, Some(4)));
        assert_eq!(counted(&db, 9, 5), (0, Some(4)));
        assert_eq!(counted(&db, 0, 3), (1, Some(2)));
        assert_eq!(counted(&db, 0, 0), (0, None));
        db.execute("UPDATE room SET oldest = 2", []).unwrap();
        db.execute("DELETE FROM record WHERE seq < 2", []).unwrap();
        assert_eq!(counted(&db, 0, 5), (1, Some(4)));
    }

    #[test]
    fn the_last_message_is_not_searched_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        room(&db, 1, "lobby");
        say(&db, 1, "bob", message("one"));
        for _ in 1..LAST_RECORDS_MAX {
            say(&db, 1, "bob", Body::Deleted);
        }
        assert_eq!(counted(&db, 0, LAST_RECORDS_MAX), (1, Some(1)));
        say(&db, 1, "bob", Body::Deleted);
        assert_eq!(counted(&db, 0, LAST_RECORDS_MAX + 1), (1, None));
    }

    #[test]
    fn a_damaged_last_message_is_not_shown_and_the_inbox_is() {
        let (_folder, db) = stored(3);
        db.execute("UPDATE record SET text = 'forged' WHERE seq = 3", []).unwrap();
        assert_eq!(counted(&db, 0, 3), (0, None));
    }

    #[test]
    fn what_is_not_read_counts_as_unread() {
        let (_folder, db) = stored(20);
        let row = InboxQuery { log: LogId::new(1, 1), read: 0, head: 20, last: false };
        let reading = ReadTransaction::new(&db);
        let mut budget = 30;
        assert_eq!(unread(&reading, &user("ann"), 1, &row, &mut budget), Ok((0, 0)));
        assert_eq!(unread(&reading, &user("ann"), 1, &row, &mut budget), Ok((10, 0)));
        assert_eq!(unread(&reading, &user("ann"), 1, &row, &mut budget), Ok((20, 0)));
        assert_eq!(budget, 0);
    }

    /// How many unread messages name ann.
    #[track_caller]
    fn mentioned(db: &Connection, (read, head): (u64, u64), expect: u64) {
        let row = InboxQuery { log: LogId::new(1, 1), read, head, last: false };
        let mut budget = INBOX_TEXTS_MAX;
        let reading = ReadTransaction::new(db);
        assert_eq!(mentions(&reading, &user("ann"), 1, &row, &mut budget), Ok(expect));
    }

    #[test]
    fn messages_that_name_the_user_or_the_room_are_counted_apart() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        room(&db, 1, "lobby");
        room(&db, 2, "other");
        for text in ["hi @ann", "hi @bob", "`@ann`", "lunch, @room?", "nothing", "ann@example.org"]
        {
            say(&db, 1, "bob", message(text));
        }
        say(&db, 1, "ann", message("I am @ann"));
        say(&db, 2, "bob", message("@ann elsewhere"));
        mentioned(&db, (0, 7), 2);
        mentioned(&db, (1, 7), 1);
        mentioned(&db, (4, 7), 0);
        mentioned(&db, (0, 3), 1);
        // What is done to the text is done to the mention.
        db.execute("UPDATE record SET text = 'never mind' WHERE room = 1 AND seq = 1", []).unwrap();
        mentioned(&db, (0, 7), 1);
        db.execute("UPDATE record SET text = 'for @ann' WHERE room = 1 AND seq = 5", []).unwrap();
        mentioned(&db, (0, 7), 2);
        db.execute("UPDATE record SET kind = 1, text = NULL WHERE room = 1 AND seq = 4", [])
            .unwrap();
        mentioned(&db, (0, 7), 1);
        db.execute("UPDATE room SET oldest = 6", []).unwrap();
        mentioned(&db, (0, 7), 0);
    }

    #[test]
    fn mentions_are_counted_in_the_latest_messages_only_and_without_reading_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        room(&db, 1, "lobby");
        say(&db, 1, "bob", message("@ann, first"));
        for _ in 0..MENTIONING_MAX {
            say(&db, 1, "bob", message("@cat"));
        }
        mentioned(&db, (0, MENTIONING_MAX), 1);
        mentioned(&db, (0, MENTIONING_MAX + 1), 0);
        let plan = "EXPLAIN QUERY PLAN SELECT text FROM record INDEXED BY mention WHERE room = 1 \
                    AND seq > 0 AND seq <= 9 AND kind = 0 AND instr(text, '@') > 0 \
                    AND sender <> 'ann' ORDER BY seq DESC LIMIT 9";
        let plan: String = db.query_one(plan, [], |row| row.get(3)).unwrap();
        assert!(plan.contains("USING INDEX mention (room=? AND seq>? AND seq<?)"), "{plan}");
    }
}
