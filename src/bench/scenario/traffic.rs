//! Messages to rooms: a window of them under way from each sender, or so many a second.

use crate::bench::engine::{Core, NEVER, Scenario};
use crate::bench::plan::Load;
use crate::net::Effects;

/// Senders at their work.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    is_running: bool,
    /// When the schedule began, and how many messages of it were sent.
    began_us: u64,
    sent: u64,
}

impl Traffic {
    /// When the message of this number is due.
    fn due_us(&self, per_s: f64, number: u64) -> u64 {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a time of day in microseconds is exact in a float, and positive"
        )]
        let after = (number as f64 * 1e6 / per_s) as u64;
        self.began_us + after
    }

    /// Sends what is due; a late one keeps its time.
    fn send_due(&mut self, core: &mut Core, per_s: f64, now_us: u64, effects: &mut Effects) -> u64 {
        let senders = core.senders.len() as u64;
        if senders == 0 {
            return NEVER;
        }
        loop {
            let due_us = self.due_us(per_s, self.sent);
            if due_us > now_us {
                return due_us;
            }
            let sender = u32::try_from(self.sent % senders).unwrap_or(0);
            core.send(sender, 1, due_us, effects);
            self.sent += 1;
        }
    }
}

impl Scenario for Traffic {
    fn begin(&mut self, core: &mut Core, now_us: u64, effects: &mut Effects) {
        for peer in 0..core.plan.connections {
            if core.plan.sends(peer) {
                core.add_sender(peer);
            }
        }
        self.is_running = true;
        self.began_us = now_us;
        if let Load::Window(window) = core.plan.load {
            for sender in 0..core.senders.len() {
                core.send(u32::try_from(sender).unwrap_or(0), window, now_us, effects);
            }
        }
    }

    fn returned(&mut self, core: &mut Core, at: (u32, u64), count: u64, effects: &mut Effects) {
        if self.is_running && matches!(core.plan.load, Load::Window(_)) {
            let sender = core.peers[at.0 as usize].sender;
            core.send(sender, count, at.1, effects);
        }
    }

    fn turn(&mut self, core: &mut Core, now_us: u64, effects: &mut Effects) -> Result<u64, String> {
        match core.plan.load {
            Load::Rate(per_s) if self.is_running => Ok(self.send_due(core, per_s, now_us, effects)),
            _ => Ok(NEVER),
        }
    }

    fn stop(&mut self, _core: &mut Core, _effects: &mut Effects) {
        self.is_running = false;
    }
}
