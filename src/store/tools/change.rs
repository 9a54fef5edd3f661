//! A change beside a server that may be running: it is done when that has applied it.

use std::convert::Infallible;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};

use super::{ToolError, open};
use crate::store::sqlite::{commands, data_dir};
use crate::time::clock::Clock;

/// How long a command waits for the server, which looks ten times a second.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at what the server has applied.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Does all of it in one transaction, or nothing if the inner outcome is an error. A server that
/// runs has applied it when this returns.
///
/// # Errors
///
/// [`ToolError`]. Nothing has changed then, unless it is [`ToolError::Unconfirmed`].
pub(super) fn change<T, E>(
    data: &Path,
    change: impl FnOnce(&Connection) -> rusqlite::Result<Result<T, E>>,
) -> Result<Result<T, E>, ToolError> {
    let path = open::path(data);
    let failed = ToolError::database(&path);
    let place = open::Place::of(&path);
    let mut db = open::write(&path)?;
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate);
    let transaction = transaction.map_err(&failed)?;
    let outcome = change(&transaction).map_err(&failed)?;
    if outcome.is_ok() {
        let number = commands::number(&transaction).map_err(&failed)?;
        place.check()?;
        transaction.commit().map_err(&failed)?;
        await_server(data, || commands::applied(&db).map_err(&failed), number)?;
    }
    Ok(outcome)
}

/// The same where nothing is refused.
pub(super) fn change_always<T>(
    data: &Path,
    always: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<T, ToolError> {
    let Ok(done) = change(data, |db| always(db).map(Ok::<_, Infallible>))?;
    Ok(done)
}

/// Waits until the server, if one runs, has applied the change of this number.
fn await_server(
    data: &Path,
    applied: impl Fn() -> Result<u64, ToolError>,
    number: u64,
) -> Result<(), ToolError> {
    let clock = Clock::start();
    let deadline = clock.now().tick.after(PATIENCE);
    while applied()? < number {
        // Asked each time: another process may take over, or none.
        let server = data_dir::owner(data).map_err(ToolError::file(data))?;
        let Some(process) = server else { break };
        if clock.now().tick >= deadline {
            return Err(ToolError::Unconfirmed(process));
        }
        // A command has nothing else to do meanwhile.
        thread::park_timeout(LOOK_EVERY);
    }
    Ok(())
}
