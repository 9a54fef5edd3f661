//! A link with sockets: small, blocking, for a test.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use chinwag::cluster::check::Level;
use chinwag::cluster::link::{
    Hop, Lane, Link, LinkEffect, LinkEvent, LinkInput, LinkOptions, NotAsked,
};
use chinwag::pg::{Address, Host, Param, Statement};
use chinwag::time::Tick;
use chinwag::time::clock::{Clock, Now};

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How long one socket is waited for: all are looked at in turns.
const TURN: Duration = Duration::from_millis(1);

/// How much of a node's time a turn takes at most.
const STEP_MAX: Duration = Duration::from_millis(100);

/// A node without a chat.
///
/// Its time stands still while a test does something else: what it has asked before does not wait
/// for an answer meanwhile.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) link: Link,
    clock: Clock,
    /// Microseconds: of its time, and of the clock when it was driven last.
    time: u64,
    driven_at: u64,
    address: Address,
    streams: BTreeMap<Hop, TcpStream>,
    events: Vec<LinkEvent>,
}

impl Driver {
    pub(crate) fn new(address: &str, name: &str, seed: u64) -> Self {
        let (clock, address) = (Clock::start(), address.parse::<Address>().unwrap());
        let options = LinkOptions {
            name: name.into(),
            address: "127.0.0.1".into(),
            version: "0".into(),
            level: Level::Replicated,
            seed,
        };
        let link = Link::new(address.clone(), options, clock.now());
        let (streams, events, driven_at) = (BTreeMap::new(), Vec::new(), clock.micros());
        Self { link, clock, time: driven_at, driven_at, address, streams, events }
    }

    pub(crate) fn ask(
        &mut self,
        lane: Lane,
        tag: u64,
        statement: Statement,
        params: &[Param<'_>],
    ) -> Result<(), NotAsked> {
        self.link.ask(self.present(), lane, tag, statement, params)
    }

    pub(crate) fn leave(&mut self) {
        self.link.leave(self.present());
    }

    fn handle(&mut self, input: LinkInput<'_>) {
        self.link.handle(self.present(), input);
    }

    fn connect(&mut self, hop: Hop, host: usize) {
        let Host::Tcp(name, port) = &self.address.hosts[host] else { panic!("a socket's path") };
        let addr = SocketAddr::new(name.parse().unwrap(), *port);
        let stream = TcpStream::connect_timeout(&addr, Duration::from_millis(500));
        match stream {
            Ok(stream) => {
                stream.set_nodelay(true).unwrap();
                stream.set_read_timeout(Some(TURN)).unwrap();
                self.streams.insert(hop, stream);
                self.handle(LinkInput::Connected { hop, is_private: true });
            }
            Err(error) => self.handle(LinkInput::Failed { hop, why: error.to_string() }),
        }
    }

    fn present(&self) -> Now {
        Now { tick: self.now(), ..self.clock.now() }
    }

    /// Does what is due, and looks at each socket once.
    pub(crate) fn turn(&mut self) {
        let now = self.clock.micros();
        let step = Duration::from_micros(now - self.driven_at).min(STEP_MAX);
        self.time += u64::try_from(step.as_micros()).unwrap();
        self.driven_at = now;
        while let Some(effect) = self.link.poll_effect() {
            match effect {
                LinkEffect::Connect { hop, host, .. } => self.connect(hop, host),
                LinkEffect::Send { hop, bytes } => {
                    let sent = self.streams.get_mut(&hop).map(|stream| stream.write_all(&bytes));
                    if sent.is_some_and(|sent| sent.is_err()) {
                        self.streams.remove(&hop);
                        self.handle(LinkInput::Closed { hop });
                    }
                }
                LinkEffect::Close { hop } => drop(self.streams.remove(&hop)),
            }
        }
        let mut buffer = [0; 64 * 1024];
        for hop in self.streams.keys().copied().collect::<Vec<_>>() {
            let Some(stream) = self.streams.get_mut(&hop) else { continue };
            match stream.read(&mut buffer) {
                Ok(len) if len > 0 => {
                    self.handle(LinkInput::Received { hop, bytes: &buffer[..len] });
                }
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Ok(_) | Err(_) => {
                    self.streams.remove(&hop);
                    self.handle(LinkInput::Closed { hop });
                }
            }
        }
        if self.link.deadline() <= self.now() {
            self.handle(LinkInput::Expired);
        }
        self.events.extend(std::iter::from_fn(|| self.link.poll()));
    }

    pub(crate) fn now(&self) -> Tick {
        Tick::from_millis(self.time / 1_000)
    }

    /// What was reported since this was asked before.
    pub(crate) fn events(&mut self) -> Vec<LinkEvent> {
        std::mem::take(&mut self.events)
    }

    /// Goes on for so long.
    pub(crate) fn go_on(&mut self, millis: u64) {
        let end = self.now().after(Duration::from_millis(millis));
        while self.now() < end {
            self.turn();
        }
    }

    /// Goes on until an operator is told of this.
    #[track_caller]
    pub(crate) fn until_told(&mut self, words: &str) {
        let end = self.now().after(PATIENCE);
        while !self.link.health().faults.iter().any(|fault| fault.contains(words)) {
            assert!(self.now() < end, "{words:?} is not told: {:?}", self.link.health());
            self.turn();
        }
    }

    /// Goes on until an event comes of which something is wanted; all that came before it.
    #[track_caller]
    pub(crate) fn until(
        &mut self,
        what: &str,
        is_it: impl Fn(&LinkEvent) -> bool,
    ) -> Vec<LinkEvent> {
        let end = self.now().after(PATIENCE);
        loop {
            if let Some(at) = self.events.iter().position(&is_it) {
                let rest = self.events.split_off(at + 1);
                return std::mem::replace(&mut self.events, rest);
            }
            let (events, health) = (&self.events, self.link.health());
            assert!(self.now() < end, "no {what} in {events:?}: {health:?}");
            self.turn();
        }
    }

    /// Until statements are taken; whether something may have changed.
    #[track_caller]
    pub(crate) fn until_up(&mut self) -> bool {
        let events = self.until("up", |event| matches!(event, LinkEvent::Up { .. }));
        match events.last() {
            Some(LinkEvent::Up { level: Level::Replicated, is_changed, .. }) => *is_changed,
            other => panic!("{other:?}"),
        }
    }
}
