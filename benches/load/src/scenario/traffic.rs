//! Messages to rooms: a window of them under way from each sender, or so many a second.

use super::schedule::Schedule;
use crate::engine::{Core, NEVER, Scenario, Window};
use crate::plan::{Layout, Load};
use crate::results::{Results, float};
use chinwag::net::Effects;

/// Senders at their work. Where there are pairs, who is in none is the background.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    is_running: bool,
    schedules: Vec<Schedule>,
}

impl Traffic {
    /// Senders of the load proper, and those of the background.
    fn enlist(core: &mut Core) -> (Vec<u32>, Vec<u32>) {
        let (mut load, mut background) = (Vec::new(), Vec::new());
        for peer in 0..core.plan.connections {
            let alone = matches!(core.plan.layout, Layout::Pairs(pairs) if peer >= 2 * pairs);
            core.peers[peer as usize].class = u8::from(alone);
            if core.plan.sends(peer) {
                let sender = core.add_sender(peer);
                if alone { background.push(sender) } else { load.push(sender) }
            }
        }
        (load, background)
    }
}

impl Scenario for Traffic {
    fn begin(&mut self, core: &mut Core, now_us: u64, effects: &mut Effects) {
        let (load, background) = Self::enlist(core);
        self.is_running = true;
        self.schedules.push(Schedule::new(core.plan.background_per_s, background, now_us));
        match core.plan.load {
            Load::Rate(per_s) => self.schedules.push(Schedule::new(per_s, load, now_us)),
            Load::Window(window) => {
                for sender in load {
                    core.send(sender, window, now_us, effects);
                }
            }
        }
    }

    fn on_own_messages(
        &mut self,
        core: &mut Core,
        at: (u32, u64),
        count: u64,
        effects: &mut Effects,
    ) {
        let peer = &core.peers[at.0 as usize];
        if self.is_running && peer.class == 0 && matches!(core.plan.load, Load::Window(_)) {
            core.send(peer.sender, count, at.1, effects);
        }
    }

    fn turn(&mut self, core: &mut Core, now_us: u64, effects: &mut Effects) -> Result<u64, String> {
        if !self.is_running {
            return Ok(NEVER);
        }
        let next = self.schedules.iter_mut().map(|schedule| schedule.poll(core, now_us, effects));
        Ok(next.min().unwrap_or(NEVER))
    }

    fn stop(&mut self, _core: &mut Core, _effects: &mut Effects) {
        self.is_running = false;
    }

    fn finish(&mut self, core: &mut Core, windows: &[Window], results: &mut Results) {
        if core.tally.told_gone > 0 {
            // Nothing was lost in silence, but somebody could not follow.
            results.add("messages told to be gone", float(core.tally.told_gone), "");
        }
        let Some(window) = windows.last().filter(|_| core.plan.background_per_s > 0.0) else {
            return;
        };
        let [direct, background] = &window.latency;
        results.add("direct messages", float(direct.count()), "");
        results.add("background deliveries", float(background.count()), "");
        for (name, quantile) in [("background p50", 0.5), ("background p99", 0.99)] {
            if let Some(us) = background.quantile(quantile) {
                results.add(name, float(us), "us");
            }
        }
    }
}
