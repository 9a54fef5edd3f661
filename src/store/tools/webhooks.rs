//! Webhooks, from outside.

use std::path::Path;

use rusqlite::Connection;

use super::change::change;
use super::people::{Refused, audited};
use super::{ToolError, open};
use crate::chat::model::account::Hidden;
use crate::chat::model::people::PeopleChange;
use crate::chat::model::webhook::{WEBHOOKS_MAX, Webhook};
use crate::store::sqlite::outbox::{self, DeadLetter, StoredWebhook};
use crate::store::sqlite::people;

/// For how long the secret of before signs, too: a day.
pub const FORMER_MS: u64 = 86_400_000;

/// Why nothing was done: there is no webhook of this name.
pub const NO_WEBHOOK: Refused = "there is no webhook of this name; chinwag webhook list lists them";
/// Likewise: there is one.
pub const TAKEN: Refused = "there is a webhook of this name: end it first, or choose another name";
/// Likewise: there are as many as there may be.
pub const TOO_MANY: Refused = "there are as many webhooks as there may be: end some first";

/// All webhooks, by name.
///
/// # Errors
///
/// [`ToolError`].
pub fn load(data: &Path) -> Result<Vec<StoredWebhook>, ToolError> {
    let path = open::path(data);
    let db = open::read(&path)?;
    open::require_current(&db, &path)?;
    outbox::load(&db).map_err(ToolError::database(&path))
}

/// Adds a webhook, which is told what happens from now on.
///
/// # Errors
///
/// [`ToolError`]; nothing has changed then. The inner error says why there can be no such webhook.
pub fn add(data: &Path, webhook: &Webhook) -> Result<Result<(), Refused>, ToolError> {
    change(data, |db| {
        let count: i64 = db.query_one("SELECT count(*) FROM webhook", [], |row| row.get(0))?;
        if usize::try_from(count).is_ok_and(|count| count >= WEBHOOKS_MAX) {
            return Ok(Err(TOO_MANY));
        }
        let position = outbox::position_of_new(db)?;
        if !outbox::insert(db, webhook, position)? {
            return Ok(Err(TAKEN));
        }
        note(db, audited("webhook", webhook.name.clone(), webhook.at))
    })
}

/// Ends a webhook: nothing more is sent to it, and what waits for it is forgotten.
///
/// # Errors
///
/// [`ToolError`]; nothing has changed then. The inner error says that there is no such webhook.
pub fn end(data: &Path, name: &str, wall_ms: u64) -> Result<Result<(), Refused>, ToolError> {
    change(data, |db| {
        if !outbox::end(db, name)? {
            return Ok(Err(NO_WEBHOOK));
        }
        note(db, audited("end webhook", name.into(), wall_ms))
    })
}

/// Gives a webhook another secret. The one of before signs, too, for [`FORMER_MS`].
///
/// # Errors
///
/// As [`end`].
pub fn rotate(
    data: &Path,
    (name, secret): (&str, &Hidden),
    wall_ms: u64,
) -> Result<Result<(), Refused>, ToolError> {
    change(data, |db| {
        if !outbox::rotate(db, name, (secret, wall_ms.saturating_add(FORMER_MS)))? {
            return Ok(Err(NO_WEBHOOK));
        }
        note(db, audited("webhook secret", name.into(), wall_ms))
    })
}

/// What could not be delivered to a webhook, oldest first.
///
/// # Errors
///
/// [`ToolError`]. The inner error says that there is no such webhook.
pub fn dead(data: &Path, name: &str) -> Result<Result<Vec<DeadLetter>, Refused>, ToolError> {
    let path = open::path(data);
    let db = open::read(&path)?;
    open::require_current(&db, &path)?;
    let found = outbox::find_dead(&db, name).map_err(ToolError::database(&path))?;
    Ok(found.ok_or(NO_WEBHOOK))
}

/// Has what could not be delivered to a webhook tried again, and what waits for it at once: how
/// many dead letters.
///
/// # Errors
///
/// As [`end`].
pub fn retry(data: &Path, name: &str) -> Result<Result<usize, Refused>, ToolError> {
    change(data, |db| Ok(outbox::revive(db, name)?.ok_or(NO_WEBHOOK)))
}

fn note(db: &Connection, act: PeopleChange) -> rusqlite::Result<Result<(), Refused>> {
    Ok(people::write(db, &[act])?.map_err(|_taken| "it could not be noted"))
}
