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
use crate::history::Check;
use crate::plan::Plan;
use crate::reactor::{Answers, Reactor};
use crate::store::SimStore;

/// Calls across the boundary at most between the decision that a process crashes and the crash.
const BOUNDARIES_MAX: u64 = 80;
/// One crash in so many takes the whole machine down, with what was not synced.
const MACHINES: u64 = 4;
/// Milliseconds at most until the next process runs.
const DOWN_MS_MAX: u64 = 5_000;
/// How much later than its own deadline a server that was told to stop may stop.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// A server with what the store has kept.
pub(super) fn start(plan: &Plan, store: Option<&SimStore>, seed: u64, now: Now) -> Server {
    Server::new(
        &plan.config,
        vec![ListenerKind::Http, ListenerKind::Tcp],
        (Arc::new(Metrics::default()), Entropy::Seeded(Rng::new(seed))),
        now,
        store.map_or_else(chinwag::store::in_memory, |store| {
            store.start(plan.config.limits.idle_rooms)
        }),
    )
    .expect("the default policies are right")
}

/// What tells the reactor of the store's answers.
pub(super) fn answers(store: Option<&SimStore>) -> Option<Box<dyn Answers>> {
    let store = store.cloned()?;
    Some(Box::new(store))
}

impl World {
    /// Decides now and then that the process crashes, or is stopped.
    pub(super) fn inject_faults(&mut self) -> Check {
        if self.plan.crash.is_some_and(|many| self.rng.once_in(many))
            && !self.crash_plan.is_scheduled()
        {
            self.crash_plan.crash_after(self.rng.below(BOUNDARIES_MAX));
        }
        if self.plan.restart.is_some_and(|many| self.rng.once_in(many))
            && !self.crash_plan.is_scheduled()
        {
            return self.restart();
        }
        if self.plan.upgrade.is_some_and(|many| self.rng.once_in(many))
            && !self.crash_plan.is_scheduled()
        {
            return self.upgrade();
        }
        Ok(())
    }

    /// From now on neither the process nor the store fails.
    pub(super) fn stop_faults(&mut self) {
        self.crash_plan.cancel();
        if let Some(store) = &self.store {
            store.stop_faults();
        }
    }

    /// The process is dead, and another one begins.
    pub(super) fn crash(&mut self) {
        self.crashes += 1;
        self.stop_store(false);
        if self.rng.once_in(MACHINES) {
            self.lose_machine();
        }
        self.start_next_process();
        self.history.on_restart();
    }

    /// The machine is lost with the process: what was not synced is gone.
    fn lose_machine(&mut self) {
        for room in self.store.iter().flat_map(SimStore::lose_machine) {
            self.history.cut_off(room.as_str());
        }
    }

    /// The process is stopped in good order, and another one begins.
    fn restart(&mut self) -> Check {
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
        self.stop_store(true);
        self.start_next_process();
        self.history.on_restart();
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
    fn stop_store(&mut self, in_order: bool) {
        if let Some(store) = &self.store {
            store.stop(in_order);
        }
        self.cut_links();
    }

    fn start_next_process(&mut self) {
        self.lagged += self.server.chat().stats().lagged;
        self.tick = self.tick.after(Duration::from_millis(1 + self.rng.below(DOWN_MS_MAX)));
        // A later process never sees an earlier wall clock.
        let behind = (self.wall_latest + 1).saturating_sub(self.now().wall_ms);
        self.wall_off += behind;
        self.crash_plan.cancel();
        let now = self.now();
        self.wall_latest = self.wall_latest.max(now.wall_ms);
        self.server = start(&self.plan, self.store.as_ref(), self.rng.bits(), now);
        let rng = Rng::new(self.rng.bits());
        let peak = self.reactor.queued_peak;
        let blocks = self.reactor.blocks;
        self.reactor = Reactor::new(
            self.plan.reactor.clone(),
            rng,
            self.crash_plan.clone(),
            answers(self.store.as_ref()),
        );
        self.reactor.queued_peak = peak;
        self.reactor.blocks = blocks;
        let until = self.tick.after(Duration::from_millis(self.rng.below(DOWN_MS_MAX)));
        for client in &mut self.clients {
            client.may_come_back(until);
        }
    }
}
