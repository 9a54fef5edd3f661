//! What somebody else has locked, asked when a statement has waited for it for too long.

use super::super::connection::{Connection, Question};
use crate::cluster::check::{Engine, Fault, LOOK};
use crate::pg::{Busy, EngineError, Row};
use crate::time::Tick;

/// The code of a statement that has waited for a lock for as long as it may.
const LOCKED: &str = "55P03";

/// What is known of it.
#[derive(Debug, Default)]
pub(super) struct Holders {
    is_wanted: bool,
    is_asked: bool,
    /// In a sentence, what is locked and by whom.
    fault: Option<String>,
}

impl Holders {
    /// In a sentence, what is locked and by whom.
    pub(super) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// A statement was done, or refused.
    pub(super) fn on_outcome(&mut self, outcome: &Result<Vec<Row>, EngineError>) {
        self.is_wanted |= outcome.as_ref().is_err_and(|error| &*error.code == LOCKED);
    }

    /// Some time has passed: what is locked is looked at until it is not.
    pub(super) const fn on_beat(&mut self) {
        self.is_wanted |= self.fault.is_some();
    }

    /// Asks, if that is wanted.
    pub(super) fn ask(&mut self, now: Tick, reader: &mut Connection) -> Result<(), Busy> {
        if !self.is_wanted || self.is_asked {
            return Ok(());
        }
        (self.is_wanted, self.is_asked) = (false, true);
        reader.ask(now, Question::Holders, LOOK, &[])
    }

    /// It is answered; an error is why the engine cannot be used.
    pub(super) fn on_answer(
        &mut self,
        outcome: Result<Vec<Row>, EngineError>,
    ) -> Result<(), String> {
        self.is_asked = false;
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
