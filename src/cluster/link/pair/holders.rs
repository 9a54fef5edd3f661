//! What somebody else has locked, asked when a statement has waited for it for too long.

use super::super::bounds::LOCK_WAIT_MS;
use super::super::connection::{Connection, Question};
use super::super::statements::LOCK_WAIT;
use crate::cluster::check::{Engine, Fault, LOOK};
use crate::pg::{Busy, EngineError, Param, Row};
use crate::time::Tick;

/// The code of a statement that has waited for a lock for as long as it may.
const LOCKED: &str = "55P03";

/// Whether it is asked who holds what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Look {
    #[default]
    No,
    Wanted,
    Asked,
}

/// What is known of it.
#[derive(Debug, Default)]
pub(super) struct Holders {
    has_begun: bool,
    look: Look,
    /// In a sentence, what is locked and by whom.
    fault: Option<String>,
}

impl Holders {
    /// In a sentence, what is locked and by whom.
    pub(super) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// The node is up: from now on nothing waits for long.
    pub(super) fn begin(&mut self, now: Tick, both: [&mut Connection; 2]) -> Result<(), Busy> {
        if std::mem::replace(&mut self.has_begun, true) {
            return Ok(());
        }
        let params = [Param::Text(LOCK_WAIT_MS)];
        both.into_iter().try_for_each(|it| it.ask(now, Question::LockWait, LOCK_WAIT, &params))
    }

    /// A statement was done, or refused.
    pub(super) fn on_outcome(&mut self, outcome: &Result<Vec<Row>, EngineError>) {
        if self.look == Look::No && outcome.as_ref().is_err_and(|error| &*error.code == LOCKED) {
            self.look = Look::Wanted;
        }
    }

    /// Some time has passed: what is locked is looked at until it is not.
    pub(super) fn on_beat(&mut self) {
        if self.look == Look::No && self.fault.is_some() {
            self.look = Look::Wanted;
        }
    }

    /// Asks, if that is wanted.
    pub(super) fn ask(&mut self, now: Tick, reader: &mut Connection) -> Result<(), Busy> {
        if self.look != Look::Wanted {
            return Ok(());
        }
        self.look = Look::Asked;
        reader.ask(now, Question::Holders, LOOK, &[])
    }

    /// It is answered; an error is why the engine cannot be used.
    pub(super) fn on_answer(
        &mut self,
        outcome: Result<Vec<Row>, EngineError>,
    ) -> Result<(), String> {
        self.look = Look::No;
        let rows = outcome.map_err(|error| error.to_string())?;
        let engine = rows.first().map(Engine::read).and_then(Result::ok);
        let Some(Engine { locked, held, .. }) = engine else { return Ok(()) };
        if let Some(locked) = locked {
            return Err(Fault::Locked(locked).to_string());
        }
        let fault = held.map(|held| Fault::Held(held).to_string());
        if let Some(why) = fault.as_deref().filter(|fault| self.fault.as_deref() != Some(*fault)) {
            log::warn!(why; "something is locked");
        }
        self.fault = fault;
        Ok(())
    }
}
