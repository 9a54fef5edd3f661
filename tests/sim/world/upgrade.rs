//! Another process takes the place of the one that runs, without a disconnect: what it is handed
//! goes through bytes, as between two processes, and nobody may notice.

use std::sync::Arc;
use std::time::Duration;

use chinwag::metrics::Metrics;
use chinwag::net::Effects;
use chinwag::rng::Rng;
use chinwag::server::Server;
use chinwag::session::{Entropy, ListenerKind};

use super::World;
use crate::history::Check;

/// Turns within which everything that was asked for must be answered, or the upgrade is given up.
const TURNS_MAX: u32 = 100;

impl World {
    /// Freezes the process until nothing is under way, and lets another one go on.
    pub(super) fn upgrade(&mut self) -> Check {
        self.reactor.frozen = true;
        let crashes = self.crashes;
        for _ in 0..TURNS_MAX {
            self.server.flush_to_logs(self.now());
            self.turn()?;
            if self.crashes > crashes {
                return Ok(());
            }
            if self.server.is_quiet() {
                self.hand_over();
                break;
            }
            self.tick = self.tick.after(Duration::from_millis(1 + self.rng.below(5)));
        }
        self.reactor.frozen = false;
        Ok(())
    }

    fn hand_over(&mut self) {
        self.upgrades += 1;
        self.lagged += self.server.chat().stats().lagged;
        let all = self.reactor.carried();
        let (carried, left): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|&(conn, _)| self.server.carry(conn).is_some());
        let bytes = self.server.carry_all(&carried);
        if let Some(store) = &self.store {
            store.stop(true);
        }
        let now = self.now();
        let entropy = Entropy::Seeded(Rng::new(self.rng.bits()));
        self.server = Server::new(
            &self.plan.config,
            vec![ListenerKind::Http, ListenerKind::Tcp],
            (Arc::new(Metrics::default()), entropy),
            now,
            chinwag::store::in_memory(),
        )
        .expect("the default policies are right");
        let logs =
            self.store.as_ref().map_or_else(chinwag::store::in_memory, |store| store.start(0));
        self.server.set_logs(now, logs);
        let mut effects = Effects::new();
        assert!(self.server.adopt_all(now, &bytes, &mut effects), "the state can be read");
        self.reactor.go_on(now, effects);
        // The process that ends sends these away, and they come back to the other one.
        for (conn, _) in left {
            if let Some(link) = self.reactor.forget(conn) {
                self.links[link].up.clear();
                self.links[link].down_fin = true;
            }
        }
    }
}
