//! A node of a cluster, as the server drives it.

use super::{Driven, SharedLogs};
use crate::chat::model::file_rows::{FileAsk, FileTold};
use crate::chat::model::log::Snapshot;
use crate::chat::model::outbox::{OutboxAsk, OutboxReply};
use crate::chat::model::push::{PushOrder, PushOutcome};
use crate::cluster::link::{Health, Link, LinkEffect, LinkInput, LinkState};
use crate::cluster::node::{Node, PushSending};
use crate::time::Tick;
use crate::time::clock::Now;

impl Driven for Node<Link> {
    fn handle(&mut self, now: Now, input: LinkInput<'_>) {
        let is_time = matches!(input, LinkInput::Expired);
        self.engine().handle(now, input);
        if is_time {
            self.expire(now);
        }
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

    fn link_state(&mut self, now: Now) -> (LinkState, bool) {
        (self.engine().state(), self.why_refused(now.tick).is_some())
    }

    fn leave(&mut self, now: Now) {
        self.stop_sending(now);
        self.stop_pushing(now);
        self.engine().leave(now);
    }

    fn is_leaving(&mut self) -> bool {
        self.engine().is_leaving()
    }

    fn ask_outbox(&mut self, now: Now, ask: OutboxAsk) {
        self.read_or_put(now, ask);
    }

    fn poll_outbox(&mut self) -> Option<OutboxReply> {
        self.poll_outgoing()
    }

    fn begin_pushes(&mut self, terms: PushSending) {
        self.send_pushes(terms);
    }

    fn next_push(&mut self) -> Option<PushOrder> {
        self.poll_push()
    }

    fn take_push_outcome(&mut self, outcome: PushOutcome) {
        self.on_pushed(outcome);
    }

    fn take_file_ask(&mut self, now: Now, ticket: u64, ask: &FileAsk) {
        self.ask_file(now, ticket, ask);
    }

    fn next_file_told(&mut self) -> Option<(u64, Result<FileTold, String>)> {
        self.poll_file()
    }
}
