//! What operators, and the node itself, are told of a link.

use super::pair::Pair;
use super::pubsub::PubSub;
use super::{Health, Link, LinkState, Phase};

impl Link {
    /// What an operator is told of the engine, the bus and the other nodes.
    #[must_use]
    pub fn health(&self) -> Health {
        let pair = match &self.phase {
            Phase::Paired(pair) if pair.up_at().is_some() => Some(pair),
            _ => None,
        };
        let mut faults = pair.map_or_else(|| self.faults.clone(), |it| it.examined().warnings());
        if let Some(pair) = pair {
            let locked = pair.locked().map(str::to_owned);
            let all = self.base.clock_fault().into_iter().chain(locked);
            faults.extend(all.map(|fault| self.at(pair.host(), &fault)));
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

    /// Whether statements are taken.
    #[must_use]
    pub const fn state(&self) -> LinkState {
        self.state
    }

    /// Whether somebody else has locked one of these tables, or rows of it, for which a statement
    /// has waited in vain.
    #[must_use]
    pub fn is_locked(&self, tables: &[&str]) -> bool {
        let Phase::Paired(pair) = &self.phase else { return false };
        let has = |locked: &str| tables.iter().any(|table| locked.contains(table));
        pair.locked().is_some_and(has)
    }

    pub(super) fn silence(&self, pair: &Pair) -> String {
        let since = pair.waits_since().unwrap_or(self.now);
        let millis = self.now.since(since).as_millis();
        self.at(pair.host(), &format!("no answer to a write for {millis} ms"))
    }

    /// Something about a host.
    pub(super) fn at(&self, host: usize, what: &str) -> String {
        match self.address.hosts.get(host) {
            Some(host) => format!("{host}: {what}"),
            None => what.to_owned(),
        }
    }
}
