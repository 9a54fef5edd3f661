//! Which messages a `cid` stands for, so that one that is sent again is not stored again.
//!
//! ```text
//!  a message as it was sent ── answers for its own cid, and is found by the table `cid`
//!  edited, deleted, pruned  ── its cid is kept in the table `sent`, a week from when it was sent
//! ```
//!
//! The table `cid` holds a hash and the record's id and no more: it is half of what the `cid`s take
//! of the file. Whether a record found by it is the one that is meant, the record itself says, so
//! that an entry too many is harmless. The first bits of the hash are those of room and sender,
//! whose entries are then on few pages; the others are keyed with a secret of the file, so that
//! nobody can choose `cid`s that collide.

use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Statement, params};

use super::checksum::Checksum;
use super::integers::{signed, unsigned};
use super::meta_table::{self, CID_SECRET};
use super::record_row::{self, COLUMNS};
use crate::chat::model::cids::KeptCid;
use crate::chat::model::log::{Appended, LogFault};
use crate::chat::model::record::{Body, Record};
use crate::time::millis;

/// How long the `cid` of a message is remembered, however short its record is kept: PROTOCOL
/// promises a week.
pub(super) const CID_LASTS: Duration = Duration::from_hours(7 * 24);
/// In place of a hash of what was sent with a `cid`, where nobody knows any more: whatever is sent
/// with it again is taken for the same.
const ANY_CONTENT: i64 = -1;
/// Bits of the hash that are those of room and sender, and bits that are those of the `cid`: six
/// bytes together, with the sign that SQLite gives them.
const SENDER_BITS: u32 = 23;
const CID_BITS: u32 = 24;
/// In `sent` there may be so many ids for each millisecond.
const IDS_PER_MS_BITS: u32 = 20;

/// The key of the hashes, which each file has its own of. Not printed.
#[derive(Clone, Copy)]
pub(in crate::store) struct CidSecret([u8; 16]);

impl std::fmt::Debug for CidSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CidSecret")
    }
}

/// The `cid` of a message of a sender in a room, hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CidKey {
    /// The hash by which the table finds it; different `cid`s may share one.
    pub(super) hash: i64,
    /// A hash so wide that no two `cid`s share it.
    pub(super) whole: u128,
}

/// What is known of a message by its `cid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KnownCid {
    pub(super) seq: u64,
    pub(super) at: u64,
    /// A hash of what was sent with it, see [`content_hash`].
    pub(super) content: i64,
}

impl KnownCid {
    /// What is known of a message that has a `cid`.
    pub(super) fn of(record: &Record) -> Self {
        Self { seq: record.seq, at: record.at, content: content_hash(&record.body) }
    }

    /// The answer to a message with the same `cid`.
    pub(super) fn answer_to(self, record: &Record) -> Appended {
        let Self { seq, at, content } = self;
        if content == ANY_CONTENT || content == content_hash(&record.body) {
            Appended::Duplicate { seq, at }
        } else {
            Appended::Conflict { seq }
        }
    }
}

impl CidSecret {
    /// The one of this file.
    ///
    /// # Errors
    ///
    /// What the database says.
    pub(in crate::store) fn load(db: &Connection) -> rusqlite::Result<Self> {
        // Without one no entry can be found, so that any other will do as well.
        Ok(Self(meta_table::get(db, CID_SECRET)?.unwrap_or_default()))
    }

    /// Gives a file that has none its secret.
    pub(super) fn ensure(db: &Connection) -> rusqlite::Result<()> {
        let sql = "INSERT OR IGNORE INTO meta VALUES (?1, randomblob(16))";
        db.execute(sql, [CID_SECRET]).map(drop)
    }

    /// The key of a record's `cid`, if it has one.
    pub(super) fn key(&self, room: i64, record: &Record) -> Option<CidKey> {
        let Body::Message { cid: Some(cid), .. } = &record.body else { return None };
        let sender = record.from.as_str();
        let mut hash = sha1_smol::Sha1::new();
        hash.update(&self.0);
        hash.update(&room.to_le_bytes());
        // A name has no such character: it keeps the two texts apart.
        for part in [sender.as_bytes(), b"\0", cid.as_bytes()] {
            hash.update(part);
        }
        let digest = hash.digest().bytes();
        let whole = digest.first_chunk().copied().map_or(0, u128::from_le_bytes);
        let mut who = Checksum::default();
        who.push(ValueRef::Integer(room));
        who.push(ValueRef::Text(sender.as_bytes()));
        // Without the secret: that two senders share pages harms nobody.
        let who = who.finish() & ((1 << SENDER_BITS) - 1);
        let last = digest.last_chunk().copied().map_or(0, i32::from_le_bytes);
        let cid = i64::from(last) & ((1 << CID_BITS) - 1);
        Some(CidKey { hash: (who << CID_BITS) | cid, whole })
    }

    /// A message is about to change or to go, and its `cid` is kept apart from it, unless it was
    /// sent so long before `now` (milliseconds since 1970) that it need not be.
    pub(super) fn keep_apart(
        &self,
        db: &Connection,
        (room, id): (i64, i64),
        record: &Record,
        now_ms: u64,
    ) -> rusqlite::Result<()> {
        let Body::Message { cid: Some(cid), edited: None, .. } = &record.body else {
            return Ok(());
        };
        // Also of those that are too old to be kept apart: the record will not answer for its own
        // any more.
        self.forget(db, (room, id), record)?;
        if record.at < now_ms.saturating_sub(millis(CID_LASTS)) {
            return Ok(());
        }
        let who = (room, record.from.as_str(), &**cid);
        insert_apart(db, who, &KnownCid::of(record))
    }

    /// Removes the entry of a record's `cid` from the table `cid`.
    ///
    /// # Errors
    ///
    /// What the database says.
    pub(in crate::store) fn forget(
        &self,
        db: &Connection,
        (room, id): (i64, i64),
        record: &Record,
    ) -> rusqlite::Result<()> {
        let Some(CidKey { hash, .. }) = self.key(room, record) else { return Ok(()) };
        let sql = "DELETE FROM cid WHERE hash = ?1 AND record = ?2";
        db.prepare_cached(sql)?.execute([hash, id]).map(drop)
    }
}

fn insert_apart(
    db: &Connection,
    (room, sender, cid): (i64, &str, &str),
    known: &KnownCid,
) -> rusqlite::Result<()> {
    let KnownCid { seq, at, content } = *known;
    // Rising with the time, so that those that are old come first.
    let first = (at & ((1 << (63 - IDS_PER_MS_BITS)) - 1)) << IDS_PER_MS_BITS;
    let last = first | ((1 << IDS_PER_MS_BITS) - 1);
    let sql = "INSERT INTO sent (id, room, sender, cid, seq, at, hash) \
               SELECT coalesce(max(id) + 1, ?1), ?3, ?4, ?5, ?6, ?7, ?8 FROM sent \
               WHERE id BETWEEN ?1 AND ?2 ON CONFLICT DO NOTHING";
    let (first, last, seq, at) = (signed(first), signed(last), signed(seq), signed(at));
    let row = params![first, last, room, sender, cid, seq, at, content];
    db.prepare_cached(sql)?.execute(row).map(drop)
}

/// Keeps a `cid` that another store has kept apart.
///
/// # Errors
///
/// What the database says.
pub(in crate::store) fn put_apart(db: &Connection, kept: &KeptCid) -> rusqlite::Result<()> {
    let KeptCid { room, sender, cid, seq, at } = kept;
    let known = KnownCid { seq: *seq, at: *at, content: ANY_CONTENT };
    insert_apart(db, (*room, sender, cid), &known)
}

/// Puts entries, hashes and ids, into the table `cid`.
pub(super) fn put(db: &Connection, entries: &[(i64, i64)]) -> rusqlite::Result<()> {
    // A lot that is written again after a failure finds some of its entries there.
    let sql = "INSERT OR IGNORE INTO cid (hash, record) VALUES (?1, ?2)";
    let mut statement = db.prepare_cached(sql)?;
    entries.iter().try_for_each(|(hash, id)| statement.execute([hash, id]).map(drop))
}

/// What is asked for each `cid`.
pub(super) struct Statements<'db> {
    entries: CachedStatement<'db>,
    apart: CachedStatement<'db>,
}

impl<'db> Statements<'db> {
    pub(super) fn prepare(db: &'db Connection) -> rusqlite::Result<Self> {
        let entries = db.prepare_cached("SELECT record FROM cid WHERE hash = ?1")?;
        let apart = "SELECT seq, at, hash FROM sent WHERE room = ?1 AND sender = ?2 AND cid = ?3";
        Ok(Self { entries, apart: db.prepare_cached(apart)? })
    }
}

/// The answer to a message whose `cid` the file has, if it has.
pub(super) fn stored(
    (db, statements): (&Connection, &mut Statements<'_>),
    (room, key): (i64, CidKey),
    record: &Record,
) -> rusqlite::Result<Option<Appended>> {
    // Nearly all are new: what is asked for each is as little as can be.
    let mut ids = statements.entries.query([key.hash])?;
    while let Some(id) = ids.next()? {
        if let Some(answer) = answer_of(db, id.get(0)?, room, record)? {
            return Ok(Some(answer));
        }
    }
    drop(ids);
    apart(&mut statements.apart, room, record)
}

/// The answer to a message, if the record with this id is of the same room, sender and `cid`.
fn answer_of(
    db: &Connection,
    id: i64,
    room: i64,
    record: &Record,
) -> rusqlite::Result<Option<Appended>> {
    let sql = format!("SELECT {COLUMNS} FROM record WHERE id = ?1");
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    // Once edited, a record does not say any more what was sent: the table `sent` does.
    if row.get_ref("edited")? != ValueRef::Null || !is_by(row, room, record)? {
        return Ok(None);
    }
    Ok(Some(match record_row::decode(row) {
        Ok(found) => KnownCid::of(&found).answer_to(record),
        Err(fault) => {
            let seq: i64 = row.get("seq")?;
            log::error!(room, seq, fault:% = fault; "a stored record is damaged");
            Appended::Refused(LogFault::Corrupt)
        }
    }))
}

/// Whether the message of a row is of the same room, sender and `cid` as `record`.
fn is_by(row: &rusqlite::Row<'_>, room: i64, record: &Record) -> rusqlite::Result<bool> {
    let Body::Message { cid: Some(cid), .. } = &record.body else { return Ok(false) };
    let (of, sender) = (row.get_ref("room")?.as_i64()?, row.get_ref("sender")?.as_str()?);
    let same_cid = row.get_ref("cid")?.as_str_or_null()? == Some(&**cid);
    Ok(of == room && sender == record.from.as_str() && same_cid)
}

/// The same, of a `cid` that is kept apart from its message.
fn apart(
    statement: &mut Statement<'_>,
    room: i64,
    record: &Record,
) -> rusqlite::Result<Option<Appended>> {
    let Body::Message { cid: Some(cid), .. } = &record.body else { return Ok(None) };
    let key = params![room, record.from.as_str(), &**cid];
    let known = statement.query_one(key, |row| {
        let (seq, at) = (unsigned(row.get(0)?), unsigned(row.get(1)?));
        Ok(KnownCid { seq, at, content: row.get(2)? })
    });
    Ok(known.optional()?.map(|known| known.answer_to(record)))
}

/// A hash of what is sent with a `cid`. It is stored: the function never changes.
fn content_hash(body: &Body) -> i64 {
    let Body::Message { text, data, cid: Some(_), reply_to, thread, .. } = body else { return 0 };
    let mut hash = sha1_smol::Sha1::new();
    // The length before each part keeps apart texts that are divided differently.
    for part in [Some(&**text), data.as_deref()] {
        let len = part.map_or(u64::MAX, |part| u64::try_from(part.len()).unwrap_or(u64::MAX));
        hash.update(&len.to_le_bytes());
        hash.update(part.unwrap_or_default().as_bytes());
    }
    for seq in [reply_to, thread] {
        // No message has that seq, so that it stands for none.
        hash.update(&seq.unwrap_or(u64::MAX).to_le_bytes());
    }
    let digest = hash.digest().bytes();
    let first = digest.first_chunk::<8>().copied().unwrap_or_default();
    // Without the sign, so that no content has the hash `ANY_CONTENT`.
    i64::from_le_bytes(first) & i64::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str, data: Option<&str>, reply_to: Option<u64>, thread: Option<u64>) -> Body {
        let data = data.map(Into::into);
        Body::Message {
            text: text.into(),
            data,
            cid: Some("c".into()),
            reply_to,
            thread,
            edited: None,
        }
    }

    #[test]
    fn the_hash_tells_every_part_apart_and_stays_as_it_is() {
        let bodies = [
            message("a", None, None, None),
            message("a", Some(""), None, None),
            message("", Some("a"), None, None),
            message("a", None, Some(1), None),
            message("a", None, None, Some(1)),
            message("b", None, None, None),
        ];
        let hashes: std::collections::BTreeSet<_> = bodies.iter().map(content_hash).collect();
        assert_eq!(hashes.len(), bodies.len());
        // It is stored: a change of the function would take every retry for another message.
        assert_eq!(content_hash(&bodies[0]), 5_546_327_993_877_899_962);
    }
}
