//! The logs as the server has them: its own, or those that it shares with other nodes. Then their
//! engine is spoken to over connections of the reactor, which are none of the chat's.
//!
//! ```text
//!  Server ─▶ Engine ─ Local ──▶ the store, on threads of its own
//!                   └ Shared ─▶ the node ─ LinkEffect ─▶ driver ─▶ Effect ─▶ reactor
//!                               the node ◀─ LinkInput ── driver ◀─ Input ◀── reactor
//! ```

mod driver;
mod leg;
mod node;
mod open;
mod outbox;
mod resolver;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(super) use self::driver::Driven;
use self::driver::Driver;
pub use self::open::{EngineError, address, bus_address, level};
pub(super) use self::open::{check_authorities, open};
use self::outbox::Desk;
use crate::chat::model::file_rows::{FileAsk, FileTold};
use crate::chat::model::load::{Found, Wanted};
use crate::chat::model::log::{
    CidSecret, LogId, LogReply, LogRequest, Logs, RememberedCid, Snapshot,
};
use crate::chat::model::outbox::{OutboxAsk, OutboxReply};
use crate::chat::model::push::{PushOrder, PushOutcome};
use crate::cluster::link::bounds::WRITE_DEADLINE;
use crate::cluster::link::{Health, LinkInput, LinkState};
use crate::cluster::node::PushSending;
use crate::net::{Effects, Input};
use crate::store::SharedOutbox;
use crate::time::Tick;
use crate::time::clock::Now;

/// How old what is told of the engine may be: looking at it copies the list of the nodes.
const LOOK_PAUSE: Duration = Duration::from_millis(250);

/// Logs that are shared: the node's part of a cluster.
pub(super) trait SharedLogs: Logs + Driven {
    /// When [`LinkInput::Expired`] is to be said, [`Tick::MAX`] if never.
    fn due_at(&self) -> Tick;

    /// What the engine has for a start, once that is known: before, nobody can be let in.
    fn begun(&self) -> Option<Snapshot>;

    /// How the engine is.
    fn health(&mut self) -> Health;

    /// Why the engine, which answers, has refused records a moment ago.
    fn refused(&self, now: Now) -> Option<&str>;

    /// What readiness depends on: whether statements are taken, and records refused.
    fn link_state(&mut self, now: Now) -> (LinkState, bool);

    /// The node stops.
    fn leave(&mut self, now: Now);

    /// Whether that is not confirmed yet.
    fn is_leaving(&mut self) -> bool;

    /// What the thread that sends to webhooks asks for.
    fn ask_outbox(&mut self, now: Now, ask: OutboxAsk);

    /// What that thread is told next.
    fn poll_outbox(&mut self) -> Option<OutboxReply>;

    /// Lets this node tell devices, too.
    fn begin_pushes(&mut self, terms: PushSending);

    /// The next thing that the thread which sends pushes is to do.
    fn next_push(&mut self) -> Option<PushOrder>;

    /// What has become of a push.
    fn take_push_outcome(&mut self, outcome: PushOutcome);

    /// Asks about files.
    fn take_file_ask(&mut self, now: Now, ticket: u64, ask: &FileAsk);

    /// The next answer about files, and to which question.
    fn next_file_told(&mut self) -> Option<(u64, Result<FileTold, String>)>;
}

/// The logs.
#[derive(Debug)]
pub(super) enum Engine {
    /// Of this server alone.
    Local(Box<dyn Logs>),
    /// Shared with other nodes.
    Shared(Box<Shared>),
}

/// Shared logs, with the connections to their engine.
#[derive(Debug)]
pub(super) struct Shared {
    driver: Driver,
    node: Box<dyn SharedLogs>,
    /// What is sent to webhooks.
    desk: Desk,
    /// The node has said what the engine has for a start.
    has_begun: bool,
    /// When its health is looked at again.
    next_health_at: Tick,
    /// What readiness depended on when that was looked at last.
    link_state: Option<(LinkState, bool)>,
    /// When it was asked to be taken off the registry.
    left_at: Option<Tick>,
}

impl Shared {
    const fn new(driver: Driver, node: Box<dyn SharedLogs>, desk: Desk) -> Self {
        let (next_health_at, link_state) = (Tick::ZERO, None);
        Self { driver, node, desk, has_begun: false, next_health_at, link_state, left_at: None }
    }

    /// The outbox of the webhooks.
    pub(super) fn outbox(&self) -> SharedOutbox {
        self.desk.outbox()
    }

    /// Takes an input of the reactor that is about a connection to the engine. `false` if it is
    /// not, and nothing was taken.
    pub(super) fn take(&mut self, now: Now, input: &mut Input<'_>, effects: &mut Effects) -> bool {
        let Self { driver, node, .. } = self;
        match input {
            Input::Received { conn, bytes } if driver.owns(*conn) => {
                driver.on_received(now, (*conn, bytes), &mut **node, effects);
            }
            Input::Finished { conn } | Input::Closed { conn, .. } if driver.owns(*conn) => {
                driver.on_ended(now, *conn, &mut **node, effects);
            }
            // What waits for it is bounded by its ring and the link's deadlines.
            Input::Blocked { conn, .. }
            | Input::Drained { conn }
            | Input::AddressFound { conn }
                if driver.owns(*conn) => {}
            Input::Connected { conn, tag } => {
                driver.on_connected(now, (*conn, *tag), &mut **node, effects);
            }
            Input::Unreachable { tag, fault } => {
                let why = format!("no connection: {fault}");
                driver.on_unreachable(now, (*tag, why), &mut **node, effects);
            }
            _ => return false,
        }
        self.drive(now, effects);
        true
    }

    /// Takes the answers of the resolver.
    pub(super) fn on_woken(&mut self, now: Now, effects: &mut Effects) {
        self.driver.on_resolved(now, &mut *self.node, effects);
        self.drive(now, effects);
    }

    /// Does what is due.
    pub(super) fn expire(&mut self, now: Now, effects: &mut Effects) {
        if self.left_at.is_some() {
            // Its questions have no answer any more, and their deadlines would make it reconnect.
            return;
        }
        self.driver.expire(now, &mut *self.node, effects);
        if self.node.due_at() <= now.tick {
            self.node.handle(now, LinkInput::Expired);
        }
        self.drive(now, effects);
    }

    /// Does what the node asks for.
    pub(super) fn drive(&mut self, now: Now, effects: &mut Effects) {
        self.desk.pass_asks(now, &mut *self.node);
        self.node.go_on(now);
        self.desk.take_replies(&mut *self.node);
        self.driver.drive(now, &mut *self.node, effects);
    }

    /// Takes leave, so that the other nodes need not wait until this one counts as gone, and ends
    /// the connections once that is confirmed, or the engine does not say so in time: nothing more
    /// is asked. When it is to be called again at the latest.
    pub(super) fn close(&mut self, now: Now, effects: &mut Effects) -> Tick {
        if self.left_at.is_none() {
            self.left_at = Some(now.tick);
            self.node.leave(now);
            self.drive(now, effects);
        }
        let given_up_at = self.left_at.map_or(now.tick, |at| at.after(WRITE_DEADLINE));
        if self.node.is_leaving() && now.tick < given_up_at {
            return given_up_at;
        }
        self.driver.close_all(effects);
        Tick::MAX
    }

    /// Whether it is known what the engine has, so that clients can be let in.
    pub(super) const fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// What the engine has for a start, once.
    pub(super) fn poll_begun(&mut self) -> Option<Snapshot> {
        let begun = if self.has_begun { None } else { self.node.begun() };
        self.has_begun |= begun.is_some();
        begun
    }

    /// How the engine is, if it was not asked for a while, or `at_once`, or if clients are served
    /// otherwise since: whoever is refused finds the reason in `/readyz`.
    pub(super) fn look(&mut self, now: Now, at_once: bool) -> Option<Health> {
        let link_state = Some(self.node.link_state(now));
        if !at_once && now.tick < self.next_health_at && self.link_state == link_state {
            return None;
        }
        self.link_state = link_state;
        self.next_health_at = now.tick.after(LOOK_PAUSE);
        Some(self.node.health())
    }

    /// Why the engine, which answers, has refused records a moment ago.
    pub(super) fn refused(&self, now: Now) -> Option<&str> {
        self.node.refused(now)
    }

    /// Lets this node tell devices, too.
    pub(super) fn send_pushes(&mut self, terms: PushSending) {
        self.node.begin_pushes(terms);
    }

    /// The next thing that the thread which sends pushes is to do.
    pub(super) fn poll_push(&mut self) -> Option<PushOrder> {
        self.node.next_push()
    }

    /// What has become of a push.
    pub(super) fn take_push_outcome(&mut self, outcome: PushOutcome) {
        self.node.take_push_outcome(outcome);
    }

    /// Asks about files.
    pub(super) fn ask_file(&mut self, now: Now, ticket: u64, ask: &FileAsk) {
        self.node.take_file_ask(now, ticket, ask);
    }

    /// The next answer about files, and to which question.
    pub(super) fn poll_file(&mut self) -> Option<(u64, Result<FileTold, String>)> {
        self.node.next_file_told()
    }

    /// The engine's host of this index.
    pub(super) fn host(&self, index: usize) -> Option<String> {
        self.driver.host(index)
    }
}

impl Engine {
    /// When [`Shared::expire`] has something to do.
    pub(super) fn deadline(&self) -> Tick {
        match self {
            Self::Local(_) => Tick::MAX,
            Self::Shared(shared) => shared.node.due_at().min(shared.driver.deadline()),
        }
    }

    fn logs(&self) -> &dyn Logs {
        match self {
            Self::Local(logs) => &**logs,
            Self::Shared(shared) => &*shared.node,
        }
    }

    fn logs_mut(&mut self) -> &mut dyn Logs {
        match self {
            Self::Local(logs) => &mut **logs,
            Self::Shared(shared) => &mut *shared.node,
        }
    }
}

impl Logs for Engine {
    fn request(&mut self, now: Now, request: LogRequest) {
        self.logs_mut().request(now, request);
    }

    fn flush(&mut self) {
        self.logs_mut().flush();
    }

    fn poll(&mut self) -> Option<LogReply> {
        match self {
            Self::Local(logs) => logs.poll(),
            // What is said before belongs behind what there is for a start.
            Self::Shared(shared) if shared.has_begun => shared.node.poll(),
            Self::Shared(_) => None,
        }
    }

    fn load(&mut self, wanted: &Wanted) -> Result<Found, String> {
        self.logs_mut().load(wanted)
    }

    fn cid_secret(&self) -> CidSecret {
        self.logs().cid_secret()
    }

    fn remembered(&self, log: LogId) -> Vec<RememberedCid> {
        self.logs().remembered(log)
    }

    fn adopt_cid_secret(&mut self, secret: CidSecret) -> bool {
        self.logs_mut().adopt_cid_secret(secret)
    }

    fn close_by(&mut self, deadline: Tick) {
        self.logs_mut().close_by(deadline);
    }

    fn suspend(&mut self) {
        self.logs_mut().suspend();
    }

    fn await_suspended(&self, patience: Duration) -> bool {
        self.logs().await_suspended(patience)
    }

    fn resume(&mut self) -> Result<(), String> {
        self.logs_mut().resume()
    }
}
