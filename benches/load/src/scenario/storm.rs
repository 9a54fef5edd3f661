//! The server goes away under its clients; everybody returns by itself and goes on where it was.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use super::traffic::Traffic;
use crate::engine::{Core, NEVER, Scenario, Window};
use crate::latency::Latency;
use crate::measure::{Meter, Process};
use crate::results::{Results, float};
use crate::spawn::Server;
use chinwag::net::{ConnectFault, Effects};
use chinwag::rng::Rng;

/// The first pause before a client tries again, and the longest, in µs.
const BACKOFF_US: u64 = 500_000;
const BACKOFF_US_MAX: u64 = 20_000_000;
/// How long the server stays away.
const DOWN_US: u64 = 200_000;
/// How long a server that was asked to stop may take.
const STOP_US: u64 = 10_000_000;

/// How the server is made to go away.
#[derive(Debug)]
pub(crate) enum Outage {
    /// Our own server is killed, and started again.
    Kill(Server),
    /// Our own server is asked to stop, and started again.
    Stop(Server),
    /// Somebody else's server is restarted by a command.
    Command(String),
}

/// Where the storm is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Calm,
    /// The server is away since then.
    Down(u64),
    /// It is back; those who return are on their way.
    Up(u64),
}

/// Traffic, and an outage.
#[derive(Debug)]
pub(crate) struct Storm {
    traffic: Traffic,
    outage: Outage,
    state: State,
    rng: Rng,
    /// When who tries again.
    tries: BinaryHeap<Reverse<(u64, u32)>>,
    /// How often each has tried, and how long the server asked it to wait, in µs.
    peers: Vec<(u8, u64)>,
    attempts: u64,
    away: u64,
    back_after: Latency,
    last_back_us: u64,
    meter: Option<Meter>,
}

impl Storm {
    pub(crate) fn new(outage: Outage, seed: u64) -> Self {
        Self {
            traffic: Traffic::default(),
            outage,
            state: State::Calm,
            rng: Rng::new(seed),
            tries: BinaryHeap::new(),
            peers: Vec::new(),
            attempts: 0,
            away: 0,
            back_after: Latency::new(),
            last_back_us: 0,
            meter: None,
        }
    }

    /// Full jitter: anywhere between now and a limit that doubles with each try; or what the server
    /// asked for.
    fn schedule(&mut self, peer: u32, now_us: u64) {
        let (tries, asked_us) = &mut self.peers[peer as usize];
        let most = (BACKOFF_US << u32::from(*tries).min(20)).min(BACKOFF_US_MAX);
        let wait_us = match std::mem::take(asked_us) {
            0 => self.rng.below(most),
            wait => wait,
        };
        *tries = tries.saturating_add(1);
        self.tries.push(Reverse((now_us + wait_us, peer)));
    }

    /// Starts the server again, once it is time. Returns when to look again.
    fn restart(&mut self, core: &Core, since: u64, now_us: u64) -> Result<u64, String> {
        let (server, due) = match &mut self.outage {
            Outage::Command(_) => return Ok(NEVER),
            Outage::Kill(server) => (server, since + DOWN_US),
            // All have gone, or it does not stop.
            Outage::Stop(server) if core.ready > 0 => (server, since + STOP_US),
            Outage::Stop(server) => (server, now_us),
        };
        if now_us < due {
            return Ok(due.min(now_us + 10_000));
        }
        server.restart().map_err(|error| error.to_string())?;
        let process = server.pid().ok().and_then(|pid| Process::of(pid).ok());
        self.meter = Meter::new(process).ok();
        self.state = State::Up(since);
        Ok(NEVER)
    }
}

impl Scenario for Storm {
    fn start(&mut self, core: &mut Core, effects: &mut Effects) {
        self.peers = vec![(0, 0); core.peers.len()];
        core.open(0..core.plan.connections, effects);
    }

    fn begin(&mut self, core: &mut Core, now_us: u64, effects: &mut Effects) {
        self.traffic.begin(core, now_us, effects);
    }

    fn on_window(
        &mut self,
        core: &mut Core,
        now_us: u64,
        _effects: &mut Effects,
    ) -> Result<(), String> {
        self.away = core.ready.into();
        self.state = State::Down(now_us);
        match &mut self.outage {
            Outage::Kill(server) => server.kill(),
            Outage::Stop(server) => {
                let pid = server.pid().ok().and_then(|pid| i32::try_from(pid).ok());
                let pid = pid.and_then(Pid::from_raw).ok_or("the server does not run")?;
                kill_process(pid, Signal::TERM).map_err(|error| error.to_string())?;
            }
            Outage::Command(command) => {
                let status = Command::new("sh").arg("-c").arg(&*command).status();
                let status = status.map_err(|error| format!("{command}: {error}"))?;
                if !status.success() {
                    return Err(format!("{command}: {status}"));
                }
                self.state = State::Up(now_us);
            }
        }
        Ok(())
    }

    fn on_drain(&mut self, peer: u32, after_ms: u64) {
        self.peers[peer as usize].1 = after_ms.max(1) * 1_000;
    }

    fn on_closed(
        &mut self,
        core: &mut Core,
        peer: u32,
        _why: &str,
        _effects: &mut Effects,
    ) -> bool {
        let is_storm = self.state != State::Calm;
        if is_storm {
            self.schedule(peer, core.clock.micros());
        }
        is_storm
    }

    fn on_unreachable(
        &mut self,
        core: &mut Core,
        peer: u32,
        fault: ConnectFault,
        _effects: &mut Effects,
    ) -> Result<(), String> {
        if self.state == State::Calm {
            return Err(format!("cannot connect: {fault}"));
        }
        self.schedule(peer, core.clock.micros());
        Ok(())
    }

    fn on_joined(&mut self, core: &mut Core, peer: u32, _effects: &mut Effects) {
        if let State::Up(since) | State::Down(since) = self.state {
            let after_us = core.clock.micros().saturating_sub(since);
            self.back_after.record(after_us);
            self.last_back_us = self.last_back_us.max(after_us);
            self.peers[peer as usize].0 = 0;
        }
    }

    fn on_own_messages(
        &mut self,
        core: &mut Core,
        at: (u32, u64),
        count: u64,
        effects: &mut Effects,
    ) {
        self.traffic.on_own_messages(core, at, count, effects);
    }

    fn turn(&mut self, core: &mut Core, now_us: u64, effects: &mut Effects) -> Result<u64, String> {
        let mut next = self.traffic.turn(core, now_us, effects)?;
        if let State::Down(since) = self.state {
            next = next.min(self.restart(core, since, now_us)?);
        }
        while let Some(&Reverse((at, peer))) = self.tries.peek() {
            if at > now_us {
                next = next.min(at);
                break;
            }
            self.tries.pop();
            self.attempts += 1;
            core.open([peer], effects);
        }
        Ok(next)
    }

    fn stop(&mut self, core: &mut Core, effects: &mut Effects) {
        self.traffic.stop(core, effects);
    }

    fn is_drained(&self, core: &Core) -> bool {
        core.ready == core.plan.connections && core.has_all()
    }

    fn finish(&mut self, core: &mut Core, _windows: &[Window], results: &mut Results) {
        // Of two processes: their difference means nothing.
        let server = &mut results.server;
        (server.cpu_us, server.cpu_us_per_delivery, server.busy) = (None, None, None);
        let back = self.back_after.count();
        if back < self.away {
            results.fail(format!("{} of {} did not return", self.away - back, self.away));
        }
        results.add("returned", float(back), "");
        results.add("all back after", float(self.last_back_us) / 1e3, "ms");
        if let (Some(p50), Some(p99)) =
            (self.back_after.quantile(0.5), self.back_after.quantile(0.99))
        {
            results.add("back after, p50", float(p50) / 1e3, "ms");
            results.add("back after, p99", float(p99) / 1e3, "ms");
        }
        results.add("attempts", float(self.attempts), "");
        results.add("sessions resumed", float(core.returns.resumed), "");
        results.add("rooms begun again", float(core.returns.resets), "");
        results.add("messages replayed", float(core.tally.replayed), "");
        results.add("messages told to be gone", float(core.tally.told_gone), "");
        results.add("messages under way when it went", float(core.returns.forgotten), "");
    }

    fn new_meter(&mut self) -> Option<Meter> {
        self.meter.take()
    }
}
