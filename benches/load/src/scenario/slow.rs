//! Some readers crawl, or do not read at all: what do the others notice?
//!
//! Two windows are measured: in the first one everybody reads, in the second the slow ones do not.
//! At the end the slow ones read again, and then they, too, must have everything, or have been told
//! what is gone.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::traffic::Traffic;
use crate::engine::{Core, Scenario, Stage, Window};
use crate::results::{Results, float};
use chinwag::net::{Effect, Effects, Pause};

/// Bytes that a crawling reader takes at a time, roughly: its socket's buffer.
const GULP: u64 = 4096;

/// Traffic, and some who are slow.
#[derive(Debug, Default)]
pub(crate) struct Slow {
    traffic: Traffic,
    is_slow: bool,
    /// When who reads on.
    resumes: BinaryHeap<Reverse<(u64, u32)>>,
    cuts: u64,
    returns: u64,
}

impl Slow {
    /// The slow ones: the last ones, who do not send.
    fn readers(core: &Core) -> std::ops::Range<u32> {
        core.plan.connections.saturating_sub(core.plan.slow)..core.plan.connections
    }

    fn pause(&mut self, core: &Core, (peer, now_us): (u32, u64), len: u64, effects: &mut Effects) {
        let conn = core.peers[peer as usize].conn;
        effects.push(Effect::Pause { conn, pause: Pause::Answers });
        let crawls = core.plan.connections - peer <= core.plan.crawlers;
        let wait_us = (len * 1_000_000).checked_div(core.plan.crawl_per_s);
        if let Some(wait_us) = wait_us.filter(|_| crawls) {
            self.resumes.push(Reverse((now_us + wait_us, peer)));
        }
    }
}

impl Scenario for Slow {
    fn start(&mut self, core: &mut Core, effects: &mut Effects) {
        for peer in Self::readers(core) {
            core.peers[peer as usize].extra().is_slow = true;
            core.peers[peer as usize].class = 1;
        }
        core.open(0..core.plan.connections, effects);
    }

    fn begin(&mut self, core: &mut Core, now_us: u64, effects: &mut Effects) {
        self.traffic.begin(core, now_us, effects);
        for peer in Self::readers(core) {
            core.peers[peer as usize].class = 1;
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

    fn on_joined(&mut self, _core: &mut Core, _peer: u32, _effects: &mut Effects) {
        self.returns += u64::from(self.is_slow);
    }

    fn next_window(&mut self, core: &mut Core, effects: &mut Effects) -> bool {
        if self.is_slow || core.plan.slow == 0 {
            return false;
        }
        self.is_slow = true;
        let now_us = core.clock.micros();
        for peer in Self::readers(core) {
            self.pause(core, (peer, now_us), GULP, effects);
        }
        true
    }

    fn on_message(&mut self, core: &mut Core, at: (u32, u64), len: usize, effects: &mut Effects) {
        if self.is_slow {
            self.pause(core, at, len as u64, effects);
        }
    }

    fn on_closed(&mut self, core: &mut Core, peer: u32, _why: &str, effects: &mut Effects) -> bool {
        let was_slow = self.is_slow && core.peers[peer as usize].is_slow();
        if was_slow {
            // It returns where it was, and reads from now on.
            self.cuts += 1;
            core.peers[peer as usize].extra().is_slow = false;
            core.open([peer], effects);
        }
        was_slow
    }

    fn turn(&mut self, core: &mut Core, now_us: u64, effects: &mut Effects) -> Result<u64, String> {
        let mut next = self.traffic.turn(core, now_us, effects)?;
        while let Some(&Reverse((at, peer))) = self.resumes.peek() {
            if at > now_us {
                next = next.min(at);
                break;
            }
            self.resumes.pop();
            effects.push(Effect::Resume { conn: core.peers[peer as usize].conn });
        }
        Ok(next)
    }

    fn stop(&mut self, core: &mut Core, effects: &mut Effects) {
        self.traffic.stop(core, effects);
        self.is_slow = false;
        self.resumes.clear();
        for peer in Self::readers(core) {
            let peer = &mut core.peers[peer as usize];
            if let Some(extra) = &mut peer.extra {
                extra.is_slow = false;
            }
            if peer.stage == Stage::Ready {
                effects.push(Effect::Resume { conn: peer.conn });
            }
        }
    }

    fn is_drained(&self, core: &Core) -> bool {
        core.is_settled() && core.has_all()
    }

    fn finish(&mut self, core: &mut Core, windows: &[Window], results: &mut Results) {
        let [without, with] = windows else { return };
        for (name, quantile) in
            [("p50 without slow readers", 0.5), ("p99 without slow readers", 0.99)]
        {
            if let Some(us) = without.latency[0].quantile(quantile) {
                results.add(name, float(us), "us");
            }
        }
        let servers = without.after.server.zip(with.after.server);
        if let Some((before, after)) = servers {
            let grown = after.anonymous.saturating_sub(before.anonymous);
            results.add("user memory of slow readers", float(grown), "bytes");
        }
        if let Some((before, after)) = without.after.kernel.zip(with.after.kernel) {
            let grown = after.tcp_bytes.saturating_sub(before.tcp_bytes);
            results.add("kernel memory of slow readers", float(grown), "bytes");
        }
        results.add("messages told to be gone", float(core.tally.told_gone), "");
        results.add("messages replayed", float(core.tally.replayed), "");
        results.add("slow readers cut", float(self.cuts), "");
        results.add("slow readers returned", float(self.returns), "");
        results.add("sessions resumed", float(core.returns.resumed), "");
    }
}
