//! What an operator is told of a link.

use super::pubsub::PubSub;
use super::{Health, Link, LinkState, Phase};

impl Link {
    /// Whether statements are taken.
    #[must_use]
    pub const fn state(&self) -> LinkState {
        self.state
    }

    /// What an operator is told of the engine, the bus and the other nodes.
    #[must_use]
    pub fn health(&self) -> Health {
        let pair = match &self.phase {
            Phase::Paired(pair) if pair.up_at().is_some() => Some(pair),
            _ => None,
        };
        let mut faults = pair.map_or_else(|| self.faults.clone(), |it| it.examined().warnings());
        if let Some(pair) = pair {
            let clock = self.base.clock_fault();
            faults.extend(clock.map(|fault| self.at(pair.host(), &fault)));
        }
        if let Some(pair) = pair
            && self.state != LinkState::Up
        {
            faults.push(self.silence(pair));
        }
        Health {
            state: self.state,
            level: pair.map(|pair| pair.examined().engine.level()),
            host: pair.map(|pair| pair.host()),
            version: pair.map(|pair| pair.examined().version.clone()).unwrap_or_default(),
            faults,
            node: self.base.nodes.own(),
            nodes: self.base.nodes.rows().to_vec(),
            beat_ms: self.base.beat_ms,
            waiting: pair.map_or(0, |pair| pair.waiting()),
            losses: self.losses,
            dropped: self.base.tells.dropped(),
            bus: self.base.pubsub.as_ref().map(PubSub::health),
            apart: self.base.apart(self.now),
        }
    }
}
