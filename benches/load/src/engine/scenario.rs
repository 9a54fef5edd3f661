//! What the engine asks of a scenario, and what it tells it.

use super::NEVER;
use super::core::{Core, Tally};
use crate::latency::Latency;
use crate::measure::{Mark, Meter};
use crate::results::Results;
use chinwag::net::{ConnectFault, Effects};

/// What a run does with its connections.
pub(crate) trait Scenario {
    /// The run begins: mostly, everybody is to come in.
    fn start(&mut self, core: &mut Core, effects: &mut Effects) {
        core.open(0..core.plan.connections, effects);
    }

    /// A connection is there and upgraded.
    fn on_upgraded(&mut self, core: &mut Core, peer: u32, effects: &mut Effects) {
        core.enter(peer, effects);
    }

    /// A connection is in its room.
    fn on_joined(&mut self, _core: &mut Core, _peer: u32, _effects: &mut Effects) {}

    /// Everybody is in, and it has become quiet.
    fn begin(&mut self, _core: &mut Core, _now_us: u64, _effects: &mut Effects) {}

    /// So many of a connection's own messages have come back, or were answered.
    fn on_own_messages(
        &mut self,
        _core: &mut Core,
        _at: (u32, u64),
        _count: u64,
        _effects: &mut Effects,
    ) {
    }

    /// A request of the scenario's own was answered.
    fn on_reply(
        &mut self,
        core: &mut Core,
        (peer, _now_us): (u32, u64),
        (_id, answer): (u64, Result<String, String>),
        _effects: &mut Effects,
    ) {
        if let Err(text) = answer {
            core.note_unexpected(peer, &text);
        }
    }

    /// A connection that we ended has ended.
    fn on_left(&mut self, _core: &mut Core, _peer: u32, _effects: &mut Effects) {}

    /// The server has ended a connection. Whether that was to be expected.
    fn on_closed(
        &mut self,
        _core: &mut Core,
        _peer: u32,
        _why: &str,
        _effects: &mut Effects,
    ) -> bool {
        false
    }

    /// The server asks a connection to come back after so many milliseconds.
    fn on_drain(&mut self, _peer: u32, _after_ms: u64) {}

    /// A slow reader has received so many bytes.
    fn on_message(
        &mut self,
        _core: &mut Core,
        _at: (u32, u64),
        _len: usize,
        _effects: &mut Effects,
    ) {
    }

    /// What is measured begins now.
    fn on_window(
        &mut self,
        _core: &mut Core,
        _now_us: u64,
        _effects: &mut Effects,
    ) -> Result<(), String> {
        Ok(())
    }

    /// A connection cannot be made. `Err` ends the run.
    fn on_unreachable(
        &mut self,
        core: &mut Core,
        _peer: u32,
        fault: ConnectFault,
        _effects: &mut Effects,
    ) -> Result<(), String> {
        Err(format!("cannot connect to {}: {fault}", core.plan.host))
    }

    /// A turn ends; returns when it wants to be asked again at the latest, in µs.
    fn turn(
        &mut self,
        _core: &mut Core,
        _now_us: u64,
        _effects: &mut Effects,
    ) -> Result<u64, String> {
        Ok(NEVER)
    }

    /// Whether another window is to be measured after this one; whatever is different in it begins
    /// now.
    fn next_window(&mut self, _core: &mut Core, _effects: &mut Effects) -> bool {
        false
    }

    /// Nothing more is to be sent.
    fn stop(&mut self, _core: &mut Core, _effects: &mut Effects) {}

    /// Whether all that is under way has arrived.
    fn is_drained(&self, core: &Core) -> bool {
        core.has_all()
    }

    /// Whether the server must have become quiet before it begins.
    fn waits_for_quiet(&self) -> bool {
        false
    }

    /// Adds what only this scenario knows.
    fn finish(&mut self, _core: &mut Core, _windows: &[Window], _results: &mut Results) {}

    /// The process of the server, if it has become another one.
    fn new_meter(&mut self) -> Option<Meter> {
        None
    }
}

/// What was measured in one window.
#[derive(Debug)]
pub(crate) struct Window {
    pub(crate) before: Mark,
    pub(crate) after: Mark,
    pub(crate) tally: Tally,
    /// By class of room.
    pub(crate) latency: [Latency; 2],
    /// Time that the generator has only waited in, though busily.
    pub(crate) spun_us: u64,
}
