//! Connections that come and go.

use crate::bench::engine::{Core, Scenario, Window};
use crate::bench::results::Results;
use crate::net::Effects;

/// Connect, upgrade, close; and again.
#[derive(Debug, Default)]
pub(crate) struct Handshakes {
    is_running: bool,
}

impl Scenario for Handshakes {
    fn start(&mut self, _core: &mut Core, _effects: &mut Effects) {}

    fn begin(&mut self, core: &mut Core, _now_us: u64, effects: &mut Effects) {
        self.is_running = true;
        core.open(0..core.plan.connections, effects);
    }

    fn upgraded(&mut self, core: &mut Core, peer: u32, effects: &mut Effects) {
        core.leave(peer, false, effects);
    }

    fn left(&mut self, core: &mut Core, peer: u32, effects: &mut Effects) {
        if self.is_running {
            core.open([peer], effects);
        }
    }

    fn stop(&mut self, core: &mut Core, _effects: &mut Effects) {
        self.is_running = false;
        core.stop_opening();
    }

    fn is_drained(&self, core: &Core) -> bool {
        core.is_settled()
    }

    fn finish(&mut self, _core: &mut Core, windows: &[Window], results: &mut Results) {
        if let Some(window) = windows.last() {
            results.opened(window.tally.handshakes, &window.before, &window.after);
        }
    }
}
