//! So many messages a second, whatever becomes of them.

use crate::engine::{Core, NEVER};
use chinwag::net::Effects;

/// When each message is due. A late one keeps its time, so that a server that stalls is charged for
/// all that had to wait, and not only for what it was asked next.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    per_s: f64,
    /// The senders who take turns.
    senders: Vec<u32>,
    began_us: u64,
    sent: u64,
}

impl Schedule {
    /// Messages from `senders` in turn, from `now_us` on.
    pub(crate) const fn new(per_s: f64, senders: Vec<u32>, now_us: u64) -> Self {
        Self { per_s, senders, began_us: now_us, sent: 0 }
    }

    /// Sends what is due. Returns when the next one is.
    pub(crate) fn poll(&mut self, core: &mut Core, now_us: u64, effects: &mut Effects) -> u64 {
        let senders = self.senders.len() as u64;
        if senders == 0 || self.per_s <= 0.0 {
            return NEVER;
        }
        loop {
            let due_us = self.due_us();
            if due_us > now_us {
                return due_us;
            }
            let turn = usize::try_from(self.sent % senders).unwrap_or(0);
            if let Some(&sender) = self.senders.get(turn) {
                core.send(sender, 1, due_us, effects);
            }
            self.sent += 1;
        }
    }

    fn due_us(&self) -> u64 {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "microseconds of years are exact in a float, and positive"
        )]
        let after = (self.sent as f64 * 1e6 / self.per_s) as u64;
        self.began_us.saturating_add(after)
    }
}
