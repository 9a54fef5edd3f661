//! A node of a cluster, as the server drives it.

use super::{Driven, SharedLogs};
use crate::chat::model::log::Snapshot;
use crate::cluster::link::{Health, Link, LinkEffect, LinkInput};
use crate::cluster::node::Node;
use crate::time::Tick;
use crate::time::clock::Now;

impl Driven for Node<Link> {
    fn handle(&mut self, now: Now, input: LinkInput<'_>) {
        self.engine().handle(now, input);
    }

    fn go_on(&mut self, now: Now) {
        self.turn(now);
    }

    fn poll_effect(&mut self) -> Option<LinkEffect> {
        self.engine().poll_effect()
    }
}

impl SharedLogs for Node<Link> {
    fn due_at(&self) -> Tick {
        self.deadline()
    }

    fn begun(&self) -> Option<Snapshot> {
        self.is_begun().then(|| self.snapshot())
    }

    fn health(&mut self) -> Health {
        self.engine().health()
    }

    fn refused(&self, now: Now) -> Option<&str> {
        self.why_refused(now.tick)
    }

    fn leave(&mut self, now: Now) {
        self.engine().leave(now);
    }
}
