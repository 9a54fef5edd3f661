//! What a user has written, over all rooms, and the conversations of the user.
//!
//! No index finds the records of a sender: it would cost each message. So they are looked through,
//! some of them for each page, which says where the next one goes on.

use std::fmt::Write as _;

use super::integers::{signed, unsigned};
use super::read_transaction::ReadTransaction;
use super::record_row::COLUMNS;
use crate::chat::model::limits::PAGE_BYTES_MAX;
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::record::SharedRecord;

/// Records that one page looks at: some ten milliseconds, if they are on the disk.
const LOOK_RECORDS_MAX: u64 = 20_000;

/// What is asked for.
#[derive(Debug)]
pub(in crate::store) struct WrittenQuery {
    /// Who.
    pub(in crate::store) user: UserName,
    /// The row ids of the conversations.
    pub(in crate::store) rooms: Vec<i64>,
    /// The id after which to go on.
    pub(in crate::store) above: u64,
    /// How many.
    pub(in crate::store) limit: u32,
}

/// A page of records with the names of their rooms, and the id after which to go on.
pub(in crate::store) type WrittenPage = (Vec<(RoomName, SharedRecord)>, Option<u64>);

/// The next page. What cannot be read is left out, and noted as damaged.
///
/// # Errors
///
/// What the database says.
pub(in crate::store) fn find(
    reading: &mut ReadTransaction<'_>,
    query: &WrittenQuery,
) -> rusqlite::Result<WrittenPage> {
    let WrittenQuery { user, rooms, above, limit } = query;
    let last: i64 =
        reading.db.query_one("SELECT ifnull(max(id), 0) FROM record", [], |row| row.get(0))?;
    let last = unsigned(last);
    let to = above.saturating_add(LOOK_RECORDS_MAX).min(last);
    // Numbers of our own, so that nothing needs to be escaped.
    let mut list = String::new();
    for room in rooms {
        _ = write!(list, "{}{room}", if list.is_empty() { "" } else { "," });
    }
    let mut statement = reading.db.prepare(&format!(
        "SELECT {COLUMNS}, id FROM record WHERE id > ?1 AND id <= ?2 \
         AND (sender = ?3 OR room IN ({list})) \
         AND seq >= ifnull((SELECT oldest FROM room WHERE room.id = record.room), seq + 1) \
         ORDER BY id LIMIT ?4"
    ))?;
    let mut names = reading.db.prepare_cached("SELECT name FROM room WHERE id = ?1")?;
    let mut rows = statement.query((signed(*above), signed(to), user.as_str(), limit))?;
    let (mut items, mut bytes, mut place, mut count) = (Vec::new(), 0_usize, to, 0);
    while let Some(row) = rows.next()? {
        let (id, room): (i64, i64) = (row.get("id")?, row.get("room")?);
        count += 1;
        // As many as asked for may be all of them, or not: the next page says so.
        place = if count == *limit { unsigned(id) } else { to };
        let Some(record) = reading.decode(row, room) else { continue };
        bytes = bytes.saturating_add(usize::try_from(record.weight).unwrap_or(usize::MAX));
        if bytes > PAGE_BYTES_MAX && !items.is_empty() {
            return Ok((items, Some(unsigned(id).saturating_sub(1))));
        }
        let name: String = names.query_row([room], |row| row.get(0))?;
        items.extend(RoomName::stored(&name).map(|name| (name, record)));
    }
    Ok((items, (place < last).then_some(place)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::testing::{database, message, room, say, user};

    /// All pages: the rooms and seqs of what was found, and how many pages it took.
    fn all(db: &rusqlite::Connection, limit: u32) -> (Vec<(String, u64)>, usize) {
        let (mut above, mut found, mut pages) = (0, Vec::new(), 0);
        loop {
            let query = WrittenQuery { user: user("ann"), rooms: vec![3], above, limit };
            let (items, next) = find(&mut ReadTransaction::new(db), &query).unwrap();
            assert!(items.len() <= usize::try_from(limit).unwrap());
            pages += 1;
            found.extend(items.iter().map(|(room, record)| (room.to_string(), record.seq)));
            let Some(next) = next else { return (found, pages) };
            assert!(next > above, "no page is asked for twice");
            above = next;
        }
    }

    #[test]
    fn what_a_user_has_written_is_found_page_by_page_and_nothing_of_others() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        for (id, name) in [(1, "lobby"), (2, "den"), (3, "@ann:bob")] {
            room(&db, id, name);
        }
        for _ in 0..3 {
            say(&db, 1, "bob", message("theirs"));
            say(&db, 1, "ann", message("mine"));
            say(&db, 2, "ann", message("mine, too"));
            say(&db, 3, "bob", message("to ann"));
        }
        db.execute("UPDATE room SET oldest = 3 WHERE id = 2", []).unwrap();
        let mut expect = Vec::new();
        for nth in 1..=3 {
            expect.push(("lobby".to_owned(), 2 * nth));
            expect.extend((nth >= 3).then(|| ("den".to_owned(), nth)));
            expect.push(("@ann:bob".to_owned(), nth));
        }
        for limit in [1, 2, 3, 100] {
            assert_eq!(all(&db, limit).0, expect, "{limit}");
        }
        assert_eq!(all(&db, 100).1, 1);
        db.execute("UPDATE record SET text = 'forged' WHERE room = 1 AND seq = 4", []).unwrap();
        expect.retain(|(room, seq)| (room.as_str(), *seq) != ("lobby", 4));
        assert_eq!(all(&db, 2).0, expect, "what is damaged is left out");
    }

    #[test]
    fn a_page_looks_at_so_many_records_and_goes_on_behind_them() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        room(&db, 1, "lobby");
        say(&db, 1, "ann", message("first"));
        let far = signed(3 * LOOK_RECORDS_MAX);
        db.execute("UPDATE record SET id = ?1", [far]).unwrap();
        let (found, pages) = all(&db, 100);
        assert_eq!((found, pages), (vec![("lobby".to_owned(), 1)], 3));
    }
}
