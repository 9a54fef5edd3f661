//! Webhooks and their dead letters as rows: `webhook`, `dead_letter`.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::accounts::read;
use super::super::integers::{signed, unsigned};
use super::{DeadLetter, Position, StoredWebhook};
use crate::chat::model::account::Hidden;
use crate::chat::model::name::UserName;
use crate::chat::model::webhook::{EventSet, Interest, Webhook};

/// Reads all webhooks, by name.
///
/// # Errors
///
/// What the database says; a row that was not written so is damage.
pub(in crate::store) fn load(db: &Connection) -> rusqlite::Result<Vec<StoredWebhook>> {
    let sql = "SELECT name, url, rooms, events, \"except\", signs, former, former_until, at, record, \
               notice, to_record, to_notice, attempts, next_at, ended, revived, \
               (SELECT count(*) FROM dead_letter WHERE webhook = name) FROM webhook ORDER BY name";
    let mut webhooks = read(db, "webhook", sql, |row| stored(row).map(Some))?;
    for known in &mut webhooks {
        known.again = dead_letters(db, &known.webhook.name, "AND again = 1")?;
    }
    Ok(webhooks)
}

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredWebhook> {
    let optional =
        |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(unsigned));
    let rooms = row.get_ref(2)?.as_str()?.split(' ').map(Into::into).collect();
    let events = EventSet::from_bits(u16::try_from(row.get::<_, i64>(3)?).unwrap_or(0));
    let except = row.get_ref(4)?.as_str_or_null()?.and_then(UserName::stored);
    let former: Option<String> = row.get(6)?;
    let webhook = Webhook {
        name: row.get(0)?,
        url: row.get(1)?,
        interest: Interest { events, rooms, except },
        secret: Hidden::new(row.get::<_, String>(5)?),
        former: former.map(Hidden::new).zip(optional(7)?),
        at: unsigned(row.get(8)?),
    };
    let position = Position { record: unsigned(row.get(9)?), notice: unsigned(row.get(10)?) };
    let batch_end = optional(11)?.zip(optional(12)?);
    Ok(StoredWebhook {
        webhook,
        position,
        batch_end: batch_end.map(|(record, notice)| Position { record, notice }),
        attempts: u32::try_from(row.get::<_, i64>(13)?).unwrap_or(0),
        next_at: unsigned(row.get(14)?),
        ended: row.get(15)?,
        revived: unsigned(row.get(16)?),
        again: Vec::new(),
        dead: unsigned(row.get(17)?),
    })
}

/// The dead letters of a webhook, oldest first; `also` restricts them.
fn dead_letters(db: &Connection, name: &str, also: &str) -> rusqlite::Result<Vec<DeadLetter>> {
    let sql = format!(
        "SELECT id, webhook, at, record, notice, to_record, to_notice, events, why \
         FROM dead_letter WHERE webhook = ?1 {also} ORDER BY id"
    );
    let mut statement = db.prepare(&sql)?;
    let rows = statement.query_map([name], |row| {
        let number = |column| Ok::<_, rusqlite::Error>(unsigned(row.get(column)?));
        Ok(DeadLetter {
            id: number(0)?,
            webhook: row.get(1)?,
            at: number(2)?,
            from: Position { record: number(3)?, notice: number(4)? },
            to: Position { record: number(5)?, notice: number(6)? },
            events: number(7)?,
            why: row.get(8)?,
        })
    })?;
    rows.collect()
}

/// All dead letters of a webhook, oldest first; `None` if there is no such webhook.
pub(in crate::store) fn find_dead(
    db: &Connection,
    name: &str,
) -> rusqlite::Result<Option<Vec<DeadLetter>>> {
    let sql = "SELECT 1 FROM webhook WHERE name = ?1";
    match db.query_one(sql, [name], |_| Ok(())).optional()? {
        Some(()) => dead_letters(db, name, "").map(Some),
        None => Ok(None),
    }
}

/// Where a webhook begins that is made now: it is told of nothing that was before it.
pub(in crate::store) fn position_of_new(db: &Connection) -> rusqlite::Result<Position> {
    let record = db.query_one("SELECT max(id) FROM record", [], |row| row.get(0))?;
    let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'notice'";
    let notice = db.query_one(sql, [], |row| row.get(0)).optional()?;
    // Notices go when all were told, and their highest number with them: SQLite remembers that.
    let number = |found: Option<i64>| unsigned(found.unwrap_or(0));
    Ok(Position { record: number(record), notice: number(notice) })
}

/// There is such a webhook; `false` if there is one of its name.
pub(in crate::store) fn insert(
    db: &Connection,
    webhook: &Webhook,
    position: Position,
) -> rusqlite::Result<bool> {
    let Webhook { name, url, interest, secret, at, .. } = webhook;
    let Interest { events, rooms, except } = interest;
    let except = except.as_ref().map(UserName::as_str);
    let (record, notice) = (signed(position.record), signed(position.notice));
    let sql = "INSERT INTO webhook (name, url, rooms, events, \"except\", signs, at, record, notice, \
               attempts, next_at, revived) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, 0, 0) \
               ON CONFLICT DO NOTHING";
    let (rooms, bits, secret) = (rooms.join(" "), events.bits(), secret.reveal());
    let row = params![name, url, rooms, bits, except, secret, signed(*at), record, notice];
    Ok(db.execute(sql, row)? == 1)
}

/// There is no such webhook any more, and nothing that waits for it; `false` if there was none.
pub(in crate::store) fn end(db: &Connection, name: &str) -> rusqlite::Result<bool> {
    db.execute("DELETE FROM dead_letter WHERE webhook = ?1", [name])?;
    Ok(db.execute("DELETE FROM webhook WHERE name = ?1", [name])? == 1)
}

/// Gives a webhook another secret; the one of before signs, too, for a while. `false` if there is
/// no such webhook.
pub(in crate::store) fn rotate(
    db: &Connection,
    name: &str,
    (secret, former_until): (&Hidden, u64),
) -> rusqlite::Result<bool> {
    let sql = "UPDATE webhook SET former = signs, former_until = ?3, signs = ?2 WHERE name = ?1";
    Ok(db.execute(sql, params![name, secret.reveal(), signed(former_until)])? == 1)
}

/// Has the dead letters of a webhook tried again, and what waits at once, also if nothing was sent
/// to it any more: how many dead letters, `None` if there is no such webhook. Those of which
/// nothing is left go.
pub(in crate::store) fn revive(db: &Connection, name: &str) -> rusqlite::Result<Option<usize>> {
    let sql = "UPDATE webhook SET ended = NULL, attempts = 0, next_at = 0, revived = revived + 1 \
               WHERE name = ?1";
    if db.execute(sql, [name])? == 0 {
        return Ok(None);
    }
    // One that ends where it begins has lost its events: nothing is left to be tried.
    let sql =
        "DELETE FROM dead_letter WHERE webhook = ?1 AND to_record = record AND to_notice = notice";
    db.execute(sql, [name])?;
    db.execute("UPDATE dead_letter SET again = 1 WHERE webhook = ?1", [name]).map(Some)
}
