//! A node with its link and its connections, for tests that wait for answers.

use std::collections::{BTreeMap, VecDeque};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::super::engine::Engine;
use super::super::{Node, PushSending, SendTerms, Tick};
use super::database::connect;
pub(crate) use super::database::{Database, Session};
use crate::chat::model::file_rows::{FileAsk, FileTold};
use crate::chat::model::log::{LogReply, LogRequest, Logs};
use crate::chat::model::outbox::{OutboxAsk, OutboxReply};
use crate::chat::model::policy::Policies;
use crate::chat::model::push::{PushOrder, PushOutcome};
use crate::cluster::check::Level;
use crate::cluster::link::{
    Health, Hop, Lane, Link, LinkEffect, LinkEvent, LinkInput, LinkOptions, NotAsked,
};
use crate::pg::{Address, Param, Statement};
use crate::time::clock::{Clock, Now};

/// Longer than anything takes on a machine that works, by its clock: how many turns a node has
/// meanwhile depends on what it waits for.
#[derive(Debug)]
pub(crate) struct Patience(Clock);

impl Patience {
    pub(crate) fn begin() -> Self {
        Self(Clock::start())
    }

    pub(crate) fn is_left(&self) -> bool {
        Duration::from_micros(self.0.micros()) < Duration::from_mins(1)
    }
}

/// A link with faults.
#[derive(Debug)]
pub(crate) struct Faulty {
    link: Link,
    /// Notifications are lost.
    pub(crate) is_deaf: bool,
    /// Answers of the writer are lost, so many of them.
    pub(crate) loses: usize,
    /// Tags of statements of the writer.
    written: VecDeque<u64>,
    /// Statements that were asked.
    pub(crate) sent: Vec<&'static str>,
}

impl Engine for Faulty {
    fn send(
        &mut self,
        now: Now,
        (lane, tag): (Lane, u64),
        statement: Statement,
        params: &[Param<'_>],
    ) -> Result<(), NotAsked> {
        self.sent.push(statement.name);
        if lane == Lane::Writer {
            self.written.push_back(tag);
        }
        self.link.ask(now, lane, tag, statement, params)
    }

    fn next_event(&mut self) -> Option<LinkEvent> {
        loop {
            match self.link.poll()? {
                LinkEvent::Grew { .. } if self.is_deaf => {}
                LinkEvent::Answered { tag, .. }
                    if self.loses > 0 && self.written.contains(&tag) =>
                {
                    self.loses -= 1;
                    return Some(LinkEvent::Lost { tag });
                }
                event => return Some(event),
            }
        }
    }

    fn say(&mut self, payload: &[u8]) {
        _ = self.link.tell(payload);
    }

    fn say_in_passing(&mut self, payload: &[u8]) {
        _ = self.link.mention(payload);
    }

    fn say_grown(&mut self, rooms: &[i64]) {
        self.link.grew(rooms.iter().copied());
    }

    fn wakes_at(&self) -> Tick {
        self.link.deadline()
    }
}

/// A node that is driven by whoever polls it.
///
/// Its time stands still while nobody does, and goes on slowly while it waits for an answer: a
/// machine may be as slow as it likes, and the engine is not away because of that.
#[derive(Debug)]
pub(crate) struct Peer {
    node: Node<Faulty>,
    address: Address,
    clock: Clock,
    /// Microseconds: of its time, and of the clock when it was driven last.
    time: u64,
    driven_at: u64,
    /// Its time goes on while it waits for an answer as at any other time.
    is_punctual: bool,
    streams: BTreeMap<Hop, TcpStream>,
    /// How many connections were made.
    connections: usize,
}

impl Peer {
    /// A node whose engine is there.
    pub(crate) fn new(address: &Address, seed: u64) -> Self {
        let clock = Clock::start();
        let options = LinkOptions {
            name: format!("node{seed}").into(),
            address: "".into(),
            version: "test".into(),
            level: Level::Nothing,
            seed: seed << 32 | u64::from(std::process::id()),
        };
        let link = Link::new(address.clone(), options, clock.now());
        let (written, sent) = (VecDeque::new(), Vec::new());
        let engine = Faulty { link, is_deaf: false, loses: 0, written, sent };
        let node = Node::new(engine, clock.now());
        let mut peer = Self {
            node,
            address: address.clone(),
            clock,
            time: 0,
            driven_at: 0,
            is_punctual: false,
            streams: BTreeMap::new(),
            connections: 0,
        };
        let patience = Patience::begin();
        while !peer.node.is_begun() {
            peer.turn();
            assert!(patience.is_left(), "{:?}", peer.node.engine().link.health());
        }
        peer
    }

    /// Its faults.
    pub(crate) const fn faults(&mut self) -> &mut Faulty {
        self.node.engine()
    }

    /// The node, to look at.
    pub(crate) const fn node(&self) -> &Node<Faulty> {
        &self.node
    }

    /// Has its time go on while it waits for an answer as at any other time.
    pub(crate) const fn be_punctual(&mut self) {
        self.is_punctual = true;
    }

    /// The present moment of its time.
    fn now(&self) -> Now {
        Now { tick: Tick::from_millis(self.time / 1_000), ..self.clock.now() }
    }

    fn advance(&mut self) {
        let now = self.clock.micros();
        let step = now - self.driven_at;
        let waits = !self.node.flights.is_empty() || !self.node.readings.is_empty();
        let slowly = waits && !self.is_punctual;
        self.time += if slowly { (step / 4).min(5_000) } else { step.min(100_000) };
        self.driven_at = now;
    }

    /// What an operator is told.
    pub(crate) fn health(&mut self) -> Health {
        self.node.engine().link.health()
    }

    /// How many connections it has made.
    pub(crate) const fn connections(&self) -> usize {
        self.connections
    }

    /// The engine is found again after answers were lost.
    pub(crate) fn come_back(&mut self) {
        let node = self.node.id().unwrap();
        let up = LinkEvent::Up { node, level: Level::Disk, is_changed: false };
        self.node.on_event(up);
    }

    /// The engine is away.
    pub(crate) fn go_down(&mut self) {
        self.node.on_event(LinkEvent::Down { why: String::new() });
    }

    /// The engine may be another one.
    pub(crate) fn change(&mut self) {
        let node = self.node.id().unwrap();
        let up = LinkEvent::Up { node, level: Level::Disk, is_changed: true };
        self.node.on_event(up);
    }

    /// For how long rooms keep their records.
    pub(crate) fn retain(&mut self, policies: Policies) {
        self.node.retain(policies);
    }

    /// Lets it send to webhooks.
    pub(crate) fn send_webhooks(&mut self, terms: SendTerms) {
        self.node.send_webhooks(terms);
    }

    /// The node stops.
    pub(crate) fn stop_sending(&mut self) {
        self.node.stop_sending(self.now());
    }

    /// What the thread that sends asks.
    pub(crate) fn ask_outbox(&mut self, ask: OutboxAsk) {
        self.node.read_or_put(self.now(), ask);
    }

    /// What that thread is told.
    pub(crate) fn poll_outbox(&mut self) -> Option<OutboxReply> {
        self.node.poll_outgoing()
    }

    /// Whether all that has become of what was sent is written.
    pub(crate) fn has_sent(&self) -> bool {
        self.node.outgoing.has_written()
    }

    /// Lets it tell devices.
    pub(crate) fn send_pushes(&mut self, terms: PushSending) {
        self.node.send_pushes(terms);
    }

    /// It is about to stop.
    pub(crate) fn stop_pushing(&mut self) {
        self.node.stop_pushing(self.now());
    }

    /// What the thread that tells devices is to do.
    pub(crate) fn poll_push(&mut self) -> Option<PushOrder> {
        self.node.poll_push()
    }

    /// What has become of a push.
    pub(crate) fn push_became(&mut self, outcome: PushOutcome) {
        self.node.on_pushed(outcome);
    }

    /// Looks for sessions that are over, and waits until that is done.
    pub(crate) fn sweep_sessions(&mut self) {
        self.node.sweep_sessions();
        while !self.node.is_settled() {
            self.turn();
        }
    }

    /// Asks for something.
    pub(crate) fn ask(&mut self, request: LogRequest) {
        let now = self.now();
        self.node.request(now, request);
    }

    /// Asks about files, and waits for the answer.
    pub(crate) fn ask_file(&mut self, ask: &FileAsk) -> Result<FileTold, String> {
        let patience = Patience::begin();
        self.node.ask_file(self.now(), 1, ask);
        loop {
            if let Some((_, told)) = self.node.poll_file() {
                return told;
            }
            self.turn();
            assert!(patience.is_left(), "no answer: {:?}", self.node);
        }
    }

    /// Carries what is to be sent and what has come, and waits a millisecond for the latter.
    pub(crate) fn turn(&mut self) {
        self.advance();
        self.effects();
        let mut came = Vec::new();
        for (hop, stream) in &mut self.streams {
            let mut bytes = vec![0; 64 << 10];
            match stream.read(&mut bytes) {
                Ok(0) => came.push((*hop, None)),
                Ok(count) => {
                    bytes.truncate(count);
                    came.push((*hop, Some(bytes)));
                }
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => came.push((*hop, None)),
            }
        }
        for (hop, bytes) in came {
            let now = self.now();
            let link = &mut self.node.engine().link;
            match bytes {
                Some(bytes) => link.handle(now, LinkInput::Received { hop, bytes: &bytes }),
                None => link.handle(now, LinkInput::Closed { hop }),
            }
        }
        let now = self.now();
        self.node.engine().link.handle(now, LinkInput::Expired);
        self.node.turn(now);
        self.effects();
    }

    fn effects(&mut self) {
        while let Some(effect) = self.node.engine().link.poll_effect() {
            match effect {
                LinkEffect::Connect { hop, host, .. } => {
                    let stream = connect(&self.address, host);
                    stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
                    self.streams.insert(hop, stream);
                    self.connections += 1;
                    let input = LinkInput::Connected { hop, is_private: true };
                    let now = self.now();
                    self.node.engine().link.handle(now, input);
                }
                LinkEffect::Send { hop, bytes } => {
                    if let Some(stream) = self.streams.get_mut(&hop) {
                        _ = stream.write_all(&bytes);
                    }
                }
                LinkEffect::Close { hop } => _ = self.streams.remove(&hop),
            }
        }
    }

    /// The next reply that is about something that was asked or is shared; `None` if there is none
    /// after a turn.
    pub(crate) fn poll_reply(&mut self) -> Option<LogReply> {
        self.node.flush();
        loop {
            match self.node.poll() {
                Some(LogReply::Health(_) | LogReply::NodeBegun { .. }) => {}
                Some(reply) => return Some(reply),
                None => break,
            }
        }
        self.turn();
        None
    }

    /// The next reply.
    #[track_caller]
    pub(crate) fn reply(&mut self) -> LogReply {
        let patience = Patience::begin();
        loop {
            if let Some(reply) = self.poll_reply() {
                return reply;
            }
            assert!(patience.is_left(), "no reply: {:?}", self.node);
        }
    }
}

impl Logs for Peer {
    /// By its own clock: whoever asks counts from another moment, and what is dated by that has
    /// waited too long already.
    fn request(&mut self, _now: Now, request: LogRequest) {
        self.ask(request);
    }

    fn flush(&mut self) {
        self.node.flush();
    }

    fn poll(&mut self) -> Option<LogReply> {
        self.poll_reply()
    }
}
