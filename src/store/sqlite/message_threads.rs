//! Threads: the index `thread`, which finds the messages of one, and the table `follow`, which has
//! who follows which, and how far who has read it.
//!
//! A message of a thread changes `follow` in the transaction of its record ([`note`]); all else is
//! asked for ([`put`]).

use rusqlite::{Connection, OptionalExtension as _, params};

use super::integers::{signed, unsigned};
use super::read_transaction::{QueryFault, ReadTransaction};
use super::record_row::{COLUMNS, kind};
use super::room_names::ID_OF;
use crate::chat::model::limits::{PAGE_BYTES_MAX, THREAD_UNREAD_MAX, THREADS_OF_USER_MAX};
use crate::chat::model::log::LogId;
use crate::chat::model::name::UserName;
use crate::chat::model::record::{Body, Record, SharedRecord};
use crate::chat::model::thread::{
    FollowedThread, KeptMark, ThreadChange, ThreadMark, ThreadPage, ThreadQuery,
};

/// Notes what follows from a record: its author follows the thread that it belongs to, and has read
/// it; so does who has begun it, unless that was ended by choice, or by its leaving the room.
///
/// # Errors
///
/// What the database says.
pub(super) fn note(db: &Connection, room: i64, record: &Record) -> rusqlite::Result<()> {
    let Body::Message { thread: Some(thread), .. } = &record.body else { return Ok(()) };
    let (thread, seq, at) = (signed(*thread), signed(record.seq), signed(record.at));
    let sql = "INSERT INTO follow (room, thread, user, read, at, off) VALUES (?1, ?2, ?3, ?4, ?5, 0) \
               ON CONFLICT DO UPDATE SET read = max(read, excluded.read), at = excluded.at, off = 0";
    db.prepare_cached(sql)?.execute(params![room, thread, record.from.as_str(), seq, at])?;
    // Bounded where it grows, so that no sweep is needed.
    trim(db, record.from.as_str())?;
    let sql = "INSERT INTO follow (room, thread, user, read, at, off) \
               SELECT room, seq, sender, seq, ?3, 0 FROM record WHERE room = ?1 AND seq = ?2 \
               AND EXISTS (SELECT 1 FROM member WHERE room = ?1 AND user = sender) \
               ON CONFLICT DO NOTHING RETURNING user";
    let begun: Option<String> =
        (db.prepare_cached(sql)?).query_row((room, thread, at), |row| row.get(0)).optional()?;
    begun.map_or(Ok(()), |user| trim(db, &user))
}

/// Drops the marks of a user that were changed longest ago, if there are too many.
fn trim(db: &Connection, user: &str) -> rusqlite::Result<()> {
    let sql = "DELETE FROM follow WHERE user = ?1 AND (room, thread) IN (SELECT room, thread \
               FROM follow WHERE user = ?1 ORDER BY at DESC, room, thread LIMIT -1 OFFSET ?2)";
    let most = i64::try_from(THREADS_OF_USER_MAX).unwrap_or(i64::MAX);
    db.prepare_cached(sql)?.execute((user, most)).map(drop)
}

/// Makes a change that was asked for; `false` if there is no message with which the thread begins,
/// or that is inside another one, or no mark that moves.
pub(super) fn put(db: &Connection, mark: &ThreadMark) -> rusqlite::Result<bool> {
    let ThreadMark { user, room, thread, change, at } = mark;
    // The room may have got another name since this was asked for.
    let sql = format!(
        "SELECT room FROM record WHERE room = {ID_OF} AND seq = ?2 AND kind IN (0, 1) \
         AND (thread IS NULL OR NOT ?3)"
    );
    let begins = matches!(change, ThreadChange::Follow(_));
    let room: Option<i64> = (db.prepare_cached(&sql)?)
        .query_row((room.as_str(), signed(*thread), begins), |row| row.get(0))
        .optional()?;
    let Some(room) = room else { return Ok(false) };
    let (user, thread, at) = (user.as_str(), signed(*thread), signed(*at));
    let (read, off) = match change {
        ThreadChange::Follow(head) => (*head, 0),
        ThreadChange::Unfollow(head) => (*head, 1),
        ThreadChange::Read(seq) => {
            let sql = "UPDATE follow SET read = ?4, at = ?5 \
                       WHERE room = ?1 AND thread = ?2 AND user = ?3 AND read < ?4 AND off = 0";
            let params = params![room, thread, user, signed(*seq), at];
            return Ok(db.prepare_cached(sql)?.execute(params)? == 1);
        }
    };
    // Who follows again has not read what was said meanwhile.
    let sql = "INSERT INTO follow (room, thread, user, read, at, off) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
               ON CONFLICT DO UPDATE SET at = excluded.at, off = excluded.off";
    db.prepare_cached(sql)?.execute(params![room, thread, user, signed(read), at, off])?;
    trim(db, user)?;
    Ok(true)
}

/// A page of a thread.
pub(super) fn page(
    reading: &mut ReadTransaction<'_>,
    room: Option<i64>,
    query: &ThreadQuery,
) -> Result<ThreadPage, QueryFault> {
    let Some(room) = room else { return Ok(ThreadPage::default()) };
    let ThreadQuery { user, thread, below, limit, .. } = query;
    let stored = reading.extent(Some(room))?;
    let mut statement = reading.db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM record WHERE room = ?1 AND thread = ?2 AND seq < ?3 AND seq >= ?4 \
         ORDER BY seq DESC LIMIT ?5"
    ))?;
    // One more than is shown says whether there are more.
    let params =
        (room, signed(*thread), signed(*below), signed(*stored.start()), i64::from(*limit) + 1);
    let mut rows = statement.query(params)?;
    let mut page = ThreadPage::default();
    let mut bytes = 0_usize;
    let mut push = |page: &mut ThreadPage, record: SharedRecord| {
        bytes = bytes.saturating_add(usize::try_from(record.weight).unwrap_or(usize::MAX));
        let is_full = page.records.len() >= usize::try_from(*limit).unwrap_or(usize::MAX);
        page.more = is_full || (bytes > PAGE_BYTES_MAX && !page.records.is_empty());
        if !page.more {
            page.records.push(record);
        }
        page.more
    };
    while let Some(row) = rows.next()? {
        if let Some(record) = reading.decode(row, room)
            && push(&mut page, record)
        {
            break;
        }
    }
    if !page.more
        && thread < below
        && let Some(root) = root(reading, room, *thread)?
    {
        push(&mut page, root);
    }
    page.records.reverse();
    let sql = "SELECT read FROM follow WHERE room = ?1 AND thread = ?2 AND user = ?3 AND off = 0";
    let read: Option<i64> = (reading.db.prepare_cached(sql)?)
        .query_row((room, signed(*thread), user.as_str()), |row| row.get(0))
        .optional()?;
    if let Some(read) = read.map(unsigned) {
        page.mark = Some((read, unread(reading.db, (room, *thread), (user, read))?));
    }
    Ok(page)
}

/// The message with which a thread began, if that is there and can be read.
fn root(
    reading: &mut ReadTransaction<'_>,
    room: i64,
    thread: u64,
) -> rusqlite::Result<Option<SharedRecord>> {
    if thread < *reading.extent(Some(room))?.start() {
        return Ok(None);
    }
    let mut statement = reading.db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM record WHERE room = ?1 AND seq = ?2 AND kind IN (0, 1)"
    ))?;
    let mut rows = statement.query((room, signed(thread)))?;
    Ok(rows.next()?.and_then(|row| reading.decode(row, room)))
}

/// How many messages of others above `read` there are in a thread.
fn unread(
    db: &Connection,
    (room, thread): (i64, u64),
    (user, read): (&UserName, u64),
) -> rusqlite::Result<u64> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM record WHERE room = ?1 AND thread = ?2 \
               AND seq > ?3 AND kind = ?4 AND sender <> ?5 LIMIT ?6)";
    let (read, most) = (signed(read), signed(THREAD_UNREAD_MAX));
    let params = (room, signed(thread), read, kind::MESSAGE, user.as_str(), most);
    db.prepare_cached(sql)?.query_row(params, |row| row.get(0)).map(unsigned)
}

/// The threads that a user follows in these rooms, those first whose marks were changed last. One
/// whose first message was pruned is over.
pub(super) fn followed(
    reading: &mut ReadTransaction<'_>,
    user: &UserName,
    rooms: &[(i64, LogId)],
) -> Result<Vec<FollowedThread>, QueryFault> {
    let sql = "SELECT room, thread, read FROM follow WHERE user = ?1 AND off = 0 \
               ORDER BY at DESC, room, thread";
    let mut statement = reading.db.prepare_cached(sql)?;
    let mut rows = statement.query([user.as_str()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (room, thread, read): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (thread, read) = (unsigned(thread), unsigned(read));
        let Some((_, log)) = rooms.iter().find(|(id, _)| *id == room) else { continue };
        let Some(root) = root(reading, room, thread)? else { continue };
        let sql = "SELECT max(seq) FROM record WHERE room = ?1 AND thread = ?2";
        let last: Option<i64> = (reading.db.prepare_cached(sql)?)
            .query_row((room, signed(thread)), |row| row.get(0))?;
        let unread = unread(reading.db, (room, thread), (user, read))?;
        let last = last.map_or(thread, unsigned);
        found.push(FollowedThread { log: *log, root, last, read, unread });
    }
    Ok(found)
}

/// The next marks after this one, at most so many, as they are kept.
///
/// # Errors
///
/// What the database says.
pub(in crate::store) fn kept(
    db: &Connection,
    behind: Option<&KeptMark>,
    most: u32,
) -> rusqlite::Result<Vec<KeptMark>> {
    let sql = "SELECT room, thread, user, read, at, off FROM follow \
               WHERE (room, thread, user) > (?1, ?2, ?3) ORDER BY room, thread, user LIMIT ?4";
    let mut statement = db.prepare_cached(sql)?;
    let (room, thread, user) =
        behind.map_or((i64::MIN, 0, ""), |mark| (mark.room, signed(mark.thread), &*mark.user));
    let rows = statement.query_map(params![room, thread, user, most], |row| {
        Ok(KeptMark {
            room: row.get(0)?,
            thread: unsigned(row.get(1)?),
            user: row.get(2)?,
            read: unsigned(row.get(3)?),
            at: unsigned(row.get(4)?),
            off: row.get(5)?,
        })
    })?;
    rows.collect()
}

/// Writes a mark as it is kept, where there is none.
///
/// # Errors
///
/// What the database says.
pub(in crate::store) fn put_kept(db: &Connection, mark: &KeptMark) -> rusqlite::Result<()> {
    let KeptMark { room, thread, user, read, at, off } = mark;
    let sql = "INSERT INTO follow (room, thread, user, read, at, off) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let (thread, read, at) = (signed(*thread), signed(*read), signed(*at));
    db.prepare_cached(sql)?.execute(params![room, thread, user, read, at, off]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::model::name::RoomName;
    use crate::store::sqlite::testing::{database, message, room, say, user};

    fn of_thread(thread: u64) -> Body {
        match message("x") {
            Body::Message { text, data, cid, reply_to, edited, .. } => {
                Body::Message { text, data, cid, reply_to, thread: Some(thread), edited }
            }
            other => other,
        }
    }

    fn followed_by(db: &Connection, name: &str) -> Vec<u64> {
        let rooms = [(1, LogId::new(1, 1))];
        let found = followed(&mut ReadTransaction::new(db), &user(name), &rooms).unwrap();
        found.iter().map(|thread| thread.root.seq).collect()
    }

    #[test]
    fn the_marks_that_were_changed_longest_ago_go_first() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        room(&db, 1, "lobby");
        let most = u64::try_from(THREADS_OF_USER_MAX).unwrap();
        for _ in 0..most + 2 {
            say(&db, 1, "ann", message("root"));
        }
        for thread in 1..=most + 2 {
            let change =
                if thread == 2 { ThreadChange::Unfollow(0) } else { ThreadChange::Follow(0) };
            let room = RoomName::stored("lobby").unwrap();
            let mark = ThreadMark { user: user("eve"), room, thread, change, at: thread };
            assert_eq!(put(&db, &mark), Ok(true));
        }
        // The first, and the one that is not to be followed, were changed longest ago.
        let kept: Vec<u64> = (3..=most + 2).rev().collect();
        assert_eq!(followed_by(&db, "eve"), kept);
        let rows: i64 = db.query_one("SELECT count(*) FROM follow", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, i64::try_from(THREADS_OF_USER_MAX).unwrap());
    }

    #[test]
    fn a_thread_ends_when_its_first_message_is_pruned() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        room(&db, 1, "lobby");
        let sql = "INSERT INTO member (room, user, role, recv, read) VALUES (1, 'ann', 1, 0, 0)";
        db.execute(sql, []).unwrap();
        say(&db, 1, "ann", message("root"));
        let seq = say(&db, 1, "bob", of_thread(1));
        let record = Record { seq, at: 5, from: user("bob"), body: of_thread(1), weight: 300 };
        note(&db, 1, &record).unwrap();
        assert_eq!((followed_by(&db, "ann"), followed_by(&db, "bob")), (vec![1], vec![1]));
        db.execute("UPDATE room SET oldest = 2", []).unwrap();
        db.execute("DELETE FROM record WHERE seq < 2", []).unwrap();
        assert_eq!((followed_by(&db, "ann"), followed_by(&db, "bob")), (vec![], vec![]));
    }

    #[test]
    fn no_more_messages_are_counted_than_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        room(&db, 1, "lobby");
        say(&db, 1, "ann", message("root"));
        for _ in 0..THREAD_UNREAD_MAX + 5 {
            say(&db, 1, "bob", of_thread(1));
        }
        assert_eq!(unread(&db, (1, 1), (&user("ann"), 0)), Ok(THREAD_UNREAD_MAX));
        assert_eq!(unread(&db, (1, 1), (&user("ann"), THREAD_UNREAD_MAX)), Ok(6));
        assert_eq!(unread(&db, (1, 1), (&user("bob"), 0)), Ok(0));
    }

    #[test]
    fn the_messages_of_a_thread_are_found_without_looking_at_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        let plan = "EXPLAIN QUERY PLAN SELECT 1 FROM record WHERE room = 1 AND thread = 1 \
                    AND seq > 0 AND kind = 0 AND sender <> 'ann' LIMIT 9";
        let plan: String = db.query_one(plan, [], |row| row.get(3)).unwrap();
        let expect = "USING INDEX thread (room=? AND thread=? AND seq>?)";
        assert!(plan.contains(expect), "{plan}");
    }
}
