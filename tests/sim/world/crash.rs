//! The process dies, or is stopped, and begins again with what the store has kept.

use std::sync::Arc;
use std::time::Duration;

use chinwag::metrics::Metrics;
use chinwag::net::StopSignal;
use chinwag::rng::Rng;
use chinwag::server::Server;
use chinwag::session::{Entropy, ListenerKind};
use chinwag::time::clock::Now;

use super::World;
use crate::disk::Disk;
use crate::hist::Check;
use crate::plan::Plan;
use crate::reactor::Reactor;

/// Boundaries that a process crosses at most between being struck and its death: some turns.
const BOUNDARIES_MAX: u64 = 80;
/// Of so many processes that die one takes its machine along.
const MACHINES: u64 = 4;
/// How long it takes at most until it runs again.
const DOWN_MS_MAX: u64 = 5_000;
/// Within this time a server that was told to stop has stopped, behind its deadline.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// A server with what the store has kept.
pub(super) fn start(plan: &Plan, disk: Option<&Disk>, seed: u64, now: Now) -> Server {
    Server::new(
        &plan.config,
        vec![ListenerKind::Http, ListenerKind::Tcp],
        (Arc::new(Metrics::default()), Entropy::Seeded(Rng::new(seed))),
        now,
        disk.map_or_else(chinwag::store::in_memory, Disk::start),
    )
    .expect("the default policies are right")
}

impl World {
    /// Lets the process be struck, or stopped, now and then.
    pub(super) fn tempt_fate(&mut self) -> Check {
        if self.plan.crash.is_some_and(|many| self.rng.once_in(many)) && !self.doom.is_struck() {
            self.doom.strike(self.rng.below(BOUNDARIES_MAX));
        }
        if self.plan.restart.is_some_and(|many| self.rng.once_in(many)) && !self.doom.is_struck() {
            return self.stop_and_go();
        }
        Ok(())
    }

    /// Nothing happens to process and store any more.
    pub(super) fn calm_process(&mut self) {
        self.doom.lift();
        if let Some(disk) = &self.disk {
            disk.calm();
        }
    }

    /// The process is dead, and another one begins.
    pub(super) fn crash(&mut self) {
        self.crashes += 1;
        self.store_stops(false);
        if self.rng.once_in(MACHINES) {
            self.lose_machine();
        }
        self.begin_again();
        self.hist.began_again(false);
    }

    /// The machine goes with the process: what was not synced is gone.
    fn lose_machine(&mut self) {
        for room in self.disk.iter().flat_map(Disk::lose_machine) {
            self.hist.cut_off(room.as_str());
        }
    }

    /// The process is stopped in good order, and another one begins.
    fn stop_and_go(&mut self) -> Check {
        self.restarts += 1;
        self.plan.drain_at = Some(self.tick);
        self.reactor.stop(StopSignal::Drain);
        let latest = self.tick.after(self.plan.config.timeouts.stop).after(STOP_GRACE);
        while !self.reactor.exited {
            self.tick = self.tick.after(Duration::from_millis(1 + self.rng.below(200)));
            self.turn()?;
            if self.tick > latest {
                return Err("the server does not stop".to_owned());
            }
        }
        self.store_stops(true);
        self.begin_again();
        self.hist.began_again(true);
        Ok(())
    }

    /// What was under way to clients arrives or not; what they have sent is lost.
    fn cut_links(&mut self) {
        for link in self.links.iter_mut().filter(|link| !link.down_fin) {
            link.up.clear();
            link.down_fin = true;
            if self.rng.once_in(2) {
                link.down.clear();
                link.down_reset = true;
            }
        }
    }

    /// The store is left with what it has written.
    fn store_stops(&mut self, in_order: bool) {
        if let Some(disk) = &self.disk {
            disk.stop(in_order);
        }
        self.cut_links();
    }

    fn begin_again(&mut self) {
        self.lagged += self.server.chat().stats().lagged;
        self.tick = self.tick.after(Duration::from_millis(1 + self.rng.below(DOWN_MS_MAX)));
        // The wall clock that a later process sees is never behind.
        let behind = (self.wall_latest + 1).saturating_sub(self.now().wall_ms);
        self.wall_off += behind;
        self.doom.lift();
        let now = self.now();
        self.wall_latest = self.wall_latest.max(now.wall_ms);
        self.server = start(&self.plan, self.disk.as_ref(), self.rng.bits(), now);
        let rng = Rng::new(self.rng.bits());
        let peak = self.reactor.queued_peak;
        let blocks = self.reactor.blocks;
        self.reactor =
            Reactor::new(self.plan.reactor.clone(), rng, self.doom.clone(), self.disk.clone());
        self.reactor.queued_peak = peak;
        self.reactor.blocks = blocks;
        let until = self.tick.after(Duration::from_millis(self.rng.below(DOWN_MS_MAX)));
        for client in &mut self.clients {
            client.may_come_back(until);
        }
    }
}
