//! Connections that come and go.

use crate::engine::{Core, Scenario, Window};
use crate::results::{Results, float};
use chinwag::chat::model::command::Op;
use chinwag::net::Effects;
use chinwag::wire::client::Field;

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

    fn on_upgraded(&mut self, core: &mut Core, peer: u32, effects: &mut Effects) {
        core.leave(peer, false, effects);
    }

    fn on_left(&mut self, core: &mut Core, peer: u32, effects: &mut Effects) {
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

/// The `id` of the request to leave a room.
const LEAVE: u64 = 4;

/// Whole lives: connect, say hello, join, send, leave, close; and again.
#[derive(Debug, Default)]
pub(crate) struct Churn {
    is_running: bool,
    /// When each life began, and how many have ended.
    began: Vec<u64>,
    lives: u64,
    lives_before: u64,
    lives_measured: u64,
}

impl Scenario for Churn {
    fn start(&mut self, _core: &mut Core, _effects: &mut Effects) {}

    fn begin(&mut self, core: &mut Core, now_us: u64, effects: &mut Effects) {
        self.is_running = true;
        self.began = vec![now_us; core.peers.len()];
        for peer in 0..core.plan.connections {
            core.add_sender(peer);
        }
        core.open(0..core.plan.connections, effects);
    }

    fn on_joined(&mut self, core: &mut Core, peer: u32, effects: &mut Effects) {
        let (sender, now_us) = (core.peers[peer as usize].sender, core.clock.micros());
        core.send(sender, 1, now_us, effects);
    }

    /// Its message was answered.
    fn on_own_messages(
        &mut self,
        core: &mut Core,
        at: (u32, u64),
        _count: u64,
        effects: &mut Effects,
    ) {
        let room = &core.rooms[core.peers[at.0 as usize].room as usize];
        let mut out = Vec::new();
        core.put(Op::Leave, Some(LEAVE), &[("room", Field::Text(&room.name))], &mut out);
        core.write(at.0, out, effects);
    }

    fn on_reply(
        &mut self,
        core: &mut Core,
        (peer, now_us): (u32, u64),
        (_, answer): (u64, Result<String, String>),
        effects: &mut Effects,
    ) {
        match answer {
            Ok(_) => {
                self.lives += 1;
                core.record(self.began[peer as usize], now_us);
            }
            Err(text) => core.note_unexpected(peer, &text),
        }
        core.leave(peer, true, effects);
    }

    fn on_left(&mut self, core: &mut Core, peer: u32, effects: &mut Effects) {
        if self.is_running {
            self.began[peer as usize] = core.clock.micros();
            core.open([peer], effects);
        }
    }

    fn on_window(
        &mut self,
        _core: &mut Core,
        _now_us: u64,
        _effects: &mut Effects,
    ) -> Result<(), String> {
        self.lives_before = self.lives;
        Ok(())
    }

    fn stop(&mut self, core: &mut Core, _effects: &mut Effects) {
        self.is_running = false;
        self.lives_measured = self.lives - self.lives_before;
        core.stop_opening();
    }

    fn is_drained(&self, core: &Core) -> bool {
        core.is_settled() && core.ready == 0
    }

    fn finish(&mut self, _core: &mut Core, windows: &[Window], results: &mut Results) {
        let Some(window) = windows.last() else { return };
        results.opened(window.tally.handshakes, &window.before, &window.after);
        let us = window.after.at_us.saturating_sub(window.before.at_us).max(1);
        results.add("lives", float(self.lives_measured) * 1e6 / float(us), "/s");
        if let Some((before, after)) = window.before.server.zip(window.after.server) {
            let spent = float(after.cpu_us.saturating_sub(before.cpu_us));
            results.add("server CPU of a life", spent / float(self.lives_measured.max(1)), "us");
        }
    }
}
