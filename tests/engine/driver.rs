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
use chinwag::time::clock::Clock;

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long one socket is waited for: all are looked at in turns.
const TURN: Duration = Duration::from_millis(1);

/// A node without a chat.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) link: Link,
    clock: Clock,
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
        Self { link, clock, address, streams: BTreeMap::new(), events: Vec::new() }
    }

    pub(crate) fn ask(
        &mut self,
        lane: Lane,
        tag: u64,
        statement: Statement,
        params: &[Param<'_>],
    ) -> Result<(), NotAsked> {
        self.link.ask(self.clock.now(), lane, tag, statement, params)
    }

    pub(crate) fn leave(&mut self) {
        self.link.leave(self.clock.now());
    }

    fn handle(&mut self, input: LinkInput<'_>) {
        self.link.handle(self.clock.now(), input);
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

    /// Does what is due, and looks at each socket once.
    pub(crate) fn turn(&mut self) {
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
        if self.link.deadline() <= self.clock.now().tick {
            self.handle(LinkInput::Expired);
        }
        self.events.extend(std::iter::from_fn(|| self.link.poll()));
    }

    pub(crate) fn now(&self) -> Tick {
        self.clock.now().tick
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
