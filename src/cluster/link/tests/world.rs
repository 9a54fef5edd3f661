//! A link, its engines, and a clock that is moved by hand.

use std::collections::BTreeMap;

use super::super::{Hop, Lane, Link, LinkEffect, LinkEvent, LinkInput, LinkOptions, NotAsked};
use super::bus::Bus;
use super::engine::Engine;
use crate::cluster::check::Level;
use crate::pg::{Param, Statement};
use crate::rng::Rng;
use crate::time::Tick;
use crate::time::clock::Now;

/// More steps than anything takes that ends.
const STEPS_MAX: usize = 100_000;

#[derive(Debug)]
pub(super) struct World {
    pub(super) link: Link,
    pub(super) engines: Vec<Engine>,
    /// The host of each connection that is open.
    hops: BTreeMap<Hop, usize>,
    pub(super) now: u64,
    /// Bytes come in pieces of such lengths; whole if there is none.
    pieces: Option<Rng>,
    /// Each attempt to connect: when, and where.
    pub(super) attempts: Vec<(u64, usize)>,
    /// What was sent, by host.
    pub(super) sent: usize,
    pub(super) bus: Bus,
    /// When the bus was tried.
    pub(super) bus_attempts: Vec<u64>,
}

fn at(millis: u64) -> Now {
    Now { tick: Tick::from_millis(millis), wall_ms: 0 }
}

impl World {
    pub(super) fn new(engines: Vec<Engine>) -> Self {
        Self::with(engines, Level::Replicated, None)
    }

    pub(super) fn with_bus(engines: Vec<Engine>) -> Self {
        Self::start(engines, (Level::Replicated, true), None)
    }

    pub(super) fn with(engines: Vec<Engine>, level: Level, pieces: Option<Rng>) -> Self {
        Self::start(engines, (level, false), pieces)
    }

    fn start(engines: Vec<Engine>, (level, has_bus): (Level, bool), pieces: Option<Rng>) -> Self {
        let hosts = (0..engines.len()).map(|nth| format!("db{nth}")).collect::<Vec<_>>();
        let address = format!("postgres://chat@{}/chat?sslmode=disable", hosts.join(","));
        let options = LinkOptions {
            name: "one".into(),
            address: "10.0.0.1".into(),
            version: "0.1.0".into(),
            level,
            seed: 5,
        };
        let mut link = Link::new(address.parse().unwrap(), options, at(0));
        if has_bus {
            link = link.with_bus("redis://bus".parse().unwrap());
        }
        let mut world = Self {
            link,
            engines,
            hops: BTreeMap::new(),
            now: 0,
            pieces,
            attempts: Vec::new(),
            sent: 0,
            bus: Bus::default(),
            bus_attempts: Vec::new(),
        };
        world.run();
        world
    }

    fn handle(&mut self, input: LinkInput<'_>) {
        self.link.handle(at(self.now), input);
    }

    /// Until nothing more happens at this time.
    pub(super) fn run(&mut self) {
        for _ in 0..STEPS_MAX {
            if let Some(effect) = self.link.poll_effect() {
                self.apply(effect);
                continue;
            }
            let said = self.engines.iter_mut().find_map(Engine::poll).or_else(|| self.bus.poll());
            let Some((hop, bytes)) = said else { return };
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let len = self.pieces.as_mut().map_or(rest.len(), |rng| 1 + rng.index(rest.len()));
                let (piece, tail) = rest.split_at(len);
                self.handle(LinkInput::Received { hop, bytes: piece });
                rest = tail;
            }
        }
        panic!("it does not come to rest");
    }

    fn apply(&mut self, effect: LinkEffect) {
        match effect {
            LinkEffect::Connect { hop, .. } if hop.lane == Lane::Bus => {
                self.bus_attempts.push(self.now);
                if self.bus.refuses {
                    self.handle(LinkInput::Failed { hop, why: "connection refused".into() });
                } else {
                    self.bus.connect(hop);
                    self.handle(LinkInput::Connected { hop, is_private: false });
                }
            }
            LinkEffect::Send { hop, bytes } if hop.lane == Lane::Bus => {
                self.bus.receive(hop, &bytes);
            }
            LinkEffect::Close { hop } if hop.lane == Lane::Bus => self.bus.close(hop),
            LinkEffect::Connect { hop, host, .. } => {
                self.attempts.push((self.now, host));
                if self.engines[host].refuses {
                    self.handle(LinkInput::Failed { hop, why: "connection refused".into() });
                } else {
                    self.engines[host].connect(hop);
                    self.hops.insert(hop, host);
                    self.handle(LinkInput::Connected { hop, is_private: false });
                }
            }
            LinkEffect::Send { hop, bytes } => {
                self.sent += 1;
                if let Some(host) = self.hops.get(&hop) {
                    self.engines[*host].receive(hop, &bytes);
                }
            }
            LinkEffect::Close { hop } => {
                if let Some(host) = self.hops.remove(&hop) {
                    self.engines[host].close(hop);
                }
            }
        }
    }

    /// Time passes, and all that is due is done.
    pub(super) fn wait(&mut self, millis: u64) {
        let end = self.now + millis;
        for _ in 0..STEPS_MAX {
            self.run();
            let due = self.link.deadline().as_millis();
            assert!(due >= self.now || due == 0, "{due} has passed at {}", self.now);
            if due > end {
                self.now = end;
                self.handle(LinkInput::Expired);
                return self.run();
            }
            self.now = due.max(self.now);
            self.handle(LinkInput::Expired);
        }
        panic!("time stands still at {}", self.now);
    }

    /// What is to be sent is; nothing comes back yet.
    pub(super) fn send(&mut self) {
        while let Some(effect) = self.link.poll_effect() {
            self.apply(effect);
        }
    }

    /// This process stands still for so long, perhaps before it sends what it was asked for.
    pub(super) fn stand_still(&mut self, millis: u64) {
        self.now += millis;
        self.handle(LinkInput::Expired);
        self.run();
    }

    /// This process stands still for so long. What has come meanwhile is handed in then, that of
    /// `last` behind the others, and what time it is is said last, as by the reactor.
    pub(super) fn pause(&mut self, millis: u64, last: Lane) {
        self.send();
        let engines = self.engines.iter_mut();
        let mut said = engines.flat_map(|it| std::iter::from_fn(|| it.poll())).collect::<Vec<_>>();
        said.extend(std::iter::from_fn(|| self.bus.poll()));
        said.sort_by_key(|(hop, _)| hop.lane == last);
        self.now += millis;
        for (hop, bytes) in said {
            self.handle(LinkInput::Received { hop, bytes: &bytes });
            self.send();
        }
        self.handle(LinkInput::Expired);
        self.run();
    }

    /// The engine of this host ends all its connections.
    pub(super) fn break_all(&mut self, host: usize) {
        for hop in self.engines[host].break_all() {
            self.hops.remove(&hop);
            self.handle(LinkInput::Closed { hop });
        }
    }

    /// The bus ends its connections.
    pub(super) fn break_bus(&mut self) {
        for hop in self.bus.open() {
            self.bus.close(hop);
            self.handle(LinkInput::Closed { hop });
        }
        self.run();
    }

    pub(super) fn ask(&mut self, lane: Lane, tag: u64, name: &'static str) -> Result<(), NotAsked> {
        let statement = Statement { name, sql: "…" };
        self.link.ask(at(self.now), lane, tag, statement, &[Param::Int(5)])
    }

    pub(super) fn leave(&mut self) {
        self.link.leave(at(self.now));
    }

    /// What the link has reported, a line each.
    pub(super) fn events(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.link.poll()).map(|event| line(&event)).collect()
    }

    pub(super) fn open(&self) -> usize {
        self.hops.len()
    }
}

fn line(event: &LinkEvent) -> String {
    match event {
        LinkEvent::Answered { tag, outcome: Ok(rows) } => format!("{tag}: {} rows", rows.len()),
        LinkEvent::Answered { tag, outcome: Err(error) } => format!("{tag}: {}", error.code),
        LinkEvent::Lost { tag } => format!("{tag}: lost"),
        LinkEvent::Up { node, level, is_changed } => {
            let changed = if *is_changed { ", changed" } else { "" };
            format!("up as {} at {}{changed}", node.0, level.name())
        }
        LinkEvent::Slow => "slow".to_owned(),
        LinkEvent::Down { why } => format!("down: {why}"),
        LinkEvent::Grew { rooms } => format!("grew {rooms:?}"),
        LinkEvent::Bus { node, payload } => format!("{} tells {payload:?}", node.0),
        LinkEvent::Missed => "missed".to_owned(),
        LinkEvent::NodeBegun { node } => format!("{} begins", node.0),
        LinkEvent::NodeGone { node } => format!("{} is gone", node.0),
    }
}
