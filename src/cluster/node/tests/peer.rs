//! A node with its link and its connections, for tests that wait for answers.

use std::collections::{BTreeMap, VecDeque};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::super::engine::Engine;
use super::super::webhooks::Ask;
use super::super::{Node, PushSending, SendTerms, Tick};
use crate::chat::model::file_rows::{FileAsk, FileTold};
use crate::chat::model::log::{LogReply, LogRequest, Logs};
use crate::chat::model::outbox::{OutboxAsk, OutboxReply};
use crate::chat::model::policy::Policies;
use crate::chat::model::push::{PushOrder, PushOutcome};
use crate::cluster::check::Level;
use crate::cluster::link::{
    Health, Hop, Lane, Link, LinkEffect, LinkEvent, LinkInput, LinkOptions, NotAsked,
};
use crate::cluster::{SCHEMA, SETTINGS};
use crate::pg::{Address, Client, Host, Login, Param, Reply, Row, Statement, WrongType};
use crate::time::clock::{Clock, Now};

/// Longer than anything takes on a machine that works.
const PATIENCE: Duration = Duration::from_mins(1);

/// A database of its own, removed at the end.
#[derive(Debug)]
pub(crate) struct Database {
    admin: Address,
    /// Where it is.
    pub(crate) address: Address,
}

impl Database {
    /// A new one with our schema, if there is an engine.
    pub(crate) fn new() -> Option<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let named = std::env::var_os("CHINWAG_TEST_ENGINE")?;
        let admin: Address = named.to_str().unwrap().parse().unwrap();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("chinwag_test_{}_{count}", std::process::id());
        // One that has our schema already, and tables of which the engine knows something else.
        let template = std::env::var_os("CHINWAG_TEST_TEMPLATE");
        let template = template.map(|name| name.into_string().unwrap());
        let from = template.as_deref().unwrap_or("template0");
        run(&admin, &[&format!("CREATE DATABASE {name} TEMPLATE {from} ENCODING 'UTF8'")]);
        let address = Address { database: name.into(), ..admin.clone() };
        if template.is_none() {
            run(&address, &[SCHEMA]);
        }
        Some(Self { admin, address })
    }

    /// Has statements done.
    pub(crate) fn run(&self, statements: &[&str]) {
        run(&self.address, statements);
    }

    /// A connection of its own.
    pub(crate) fn session(&self) -> Session {
        Session::open(&self.address)
    }

    /// Asks for one number.
    pub(crate) fn number(&self, sql: &'static str) -> i64 {
        let mut session = Session::open(&self.address);
        session.client.request(Statement { name: "number", sql }, &[] as &[Param<'_>]).unwrap();
        match session.wait() {
            Reply::Rows(rows) => rows[0].int(0).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// How much of the logs is not in the index of words.
    pub(crate) fn unindexed(&self) -> i64 {
        self.number(
            "SELECT (SELECT count(*) FROM chinwag.room r LEFT JOIN chinwag.search s ON s.room = r.id \
             WHERE r.head > coalesce(s.upto, 0) AND r.oldest <= r.head) \
             + (SELECT count(*) FROM chinwag.word w WHERE w.words IS NULL)",
        )
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        run(&self.admin, &[&format!("DROP DATABASE {} WITH (FORCE)", self.address.database)]);
    }
}

fn connect(address: &Address, host: usize) -> TcpStream {
    let Host::Tcp(name, port) = &address.hosts[host] else { panic!("no TCP address") };
    let stream = TcpStream::connect((&**name, *port)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Has statements done, each by itself.
fn run(address: &Address, statements: &[&str]) {
    let mut session = Session::open(address);
    for statement in statements {
        session.run(statement);
    }
}

/// A connection to the engine that waits for each answer.
pub(crate) struct Session {
    stream: TcpStream,
    client: Client,
}

impl Session {
    fn open(address: &Address) -> Self {
        let stream = connect(address, 0);
        let (user, password) = (address.user.clone(), address.password.clone());
        let login = Login { user, password, database: address.database.clone(), is_private: true };
        let mut session = Self { stream, client: Client::new(login, SETTINGS) };
        session.wait();
        session
    }

    /// Has a statement done, or several.
    pub(crate) fn run(&mut self, statements: &str) {
        self.client.script(statements).unwrap();
        self.wait();
    }

    fn wait(&mut self) -> Reply {
        loop {
            let out = self.client.outgoing().split();
            self.stream.write_all(&out).unwrap();
            match self.client.poll() {
                Some(Reply::Noticed(_) | Reply::Notified { .. }) => {}
                Some(Reply::Failed(error)) => panic!("{error}"),
                Some(reply) => return reply,
                None => {
                    let mut bytes = [0; 16 << 10];
                    let count = self.stream.read(&mut bytes).unwrap();
                    assert!(count > 0, "the engine has closed the connection");
                    self.client.receive(&bytes[..count]).unwrap();
                }
            }
        }
    }
}

impl Ask for Session {
    type Error = WrongType;

    fn ask_for(
        &mut self,
        statement: Statement,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, WrongType> {
        self.client.request(statement, params).unwrap();
        match self.wait() {
            Reply::Rows(rows) => Ok(rows),
            other => panic!("{other:?}"),
        }
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
#[derive(Debug)]
pub(crate) struct Peer {
    node: Node<Faulty>,
    address: Address,
    clock: Clock,
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
        let (address, streams) = (address.clone(), BTreeMap::new());
        let mut peer = Self { node, address, clock, streams, connections: 0 };
        let since = clock.micros();
        while !peer.node.is_begun() {
            peer.turn();
            let waited = Duration::from_micros(clock.micros() - since);
            assert!(waited < PATIENCE, "{:?}", peer.node.engine().link.health());
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
        self.node.stop_sending(self.clock.now());
    }

    /// What the thread that sends asks.
    pub(crate) fn ask_outbox(&mut self, ask: OutboxAsk) {
        self.node.read_or_put(self.clock.now(), ask);
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
        self.node.stop_pushing(self.clock.now());
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
        // What is asked is dated by the node's clock, which stands since its last turn: an old date
        // would be a question that has waited too long already.
        self.turn();
        self.node.sweep_sessions();
        while !self.node.is_settled() {
            self.turn();
        }
    }

    /// Asks for something.
    pub(crate) fn ask(&mut self, request: LogRequest) {
        let now = self.clock.now();
        self.node.request(now, request);
    }

    /// Asks about files, and waits for the answer.
    pub(crate) fn ask_file(&mut self, ask: &FileAsk) -> Result<FileTold, String> {
        let since = self.clock.micros();
        self.node.ask_file(self.clock.now(), 1, ask);
        loop {
            if let Some((_, told)) = self.node.poll_file() {
                return told;
            }
            self.turn();
            let waited = Duration::from_micros(self.clock.micros() - since);
            assert!(waited < PATIENCE, "no answer: {:?}", self.node);
        }
    }

    /// Carries what is to be sent and what has come, and waits a millisecond for the latter.
    pub(crate) fn turn(&mut self) {
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
            let now = self.clock.now();
            let link = &mut self.node.engine().link;
            match bytes {
                Some(bytes) => link.handle(now, LinkInput::Received { hop, bytes: &bytes }),
                None => link.handle(now, LinkInput::Closed { hop }),
            }
        }
        let now = self.clock.now();
        self.node.engine().link.handle(now, LinkInput::Expired);
        self.node.expire(now);
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
                    self.node.engine().link.handle(self.clock.now(), input);
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
        let since = self.clock.micros();
        loop {
            if let Some(reply) = self.poll_reply() {
                return reply;
            }
            let waited = Duration::from_micros(self.clock.micros() - since);
            assert!(waited < PATIENCE, "no reply: {:?}", self.node);
        }
    }
}

impl Logs for Peer {
    fn request(&mut self, now: Now, request: LogRequest) {
        self.node.request(now, request);
    }

    fn flush(&mut self) {
        self.node.flush();
    }

    fn poll(&mut self) -> Option<LogReply> {
        self.poll_reply()
    }
}
