//! The circuit: whether statements wait, or are refused at once, while the engine owes answers.

use super::bounds::{DOWN_AFTER, SLOW_AFTER};
use super::{Link, LinkEvent, LinkState, Phase};
use crate::time::Tick;

impl Link {
    /// When the circuit opens further, if the engine owes something since then.
    pub(super) fn circuit_deadline(&self, since: Option<Tick>) -> Tick {
        match (self.state, since) {
            (LinkState::Up, Some(since)) => since.after(SLOW_AFTER),
            (LinkState::Slow, Some(since)) => since.after(DOWN_AFTER),
            (LinkState::Down, _) | (_, None) => Tick::MAX,
        }
    }

    /// Since when the engine owes too much for the circuit to be closed; `None` if it does not.
    pub(super) fn trouble(&self) -> Option<Tick> {
        match &self.phase {
            Phase::Paired(pair) if pair.up_at().is_some() => {
                pair.waits_since().filter(|since| since.after(SLOW_AFTER) <= self.now)
            }
            _ => Some(self.trouble_since),
        }
    }

    pub(super) fn close_circuit(&mut self) {
        // That it has its time once more is no answer.
        let is_owed = matches!(&self.phase, Phase::Paired(pair) if pair.has_restarted());
        if self.state != LinkState::Up && !is_owed && self.trouble().is_none() {
            self.on_up();
        }
    }

    pub(super) fn open_circuit(&mut self) {
        let Some(since) = self.trouble() else { return };
        if self.state == LinkState::Up {
            self.state = LinkState::Slow;
            self.base.events.push_back(LinkEvent::Slow);
        }
        if self.state == LinkState::Slow && since.after(DOWN_AFTER) <= self.now {
            self.state = LinkState::Down;
            let why = match &self.phase {
                Phase::Paired(pair) if pair.up_at().is_some() => self.silence(pair),
                _ if self.faults.is_empty() => "the engine has not answered yet".to_owned(),
                _ => self.faults.join("; "),
            };
            self.base.events.push_back(LinkEvent::Down { why });
        }
    }
}
