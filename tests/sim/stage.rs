//! One server with a store, and connections to it of which the test says everything: for what must
//! happen in a certain order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use chinwag::config::Config;
use chinwag::metrics::Metrics;
use chinwag::net::{ListenerId, StopSignal};
use chinwag::rng::Rng;
use chinwag::server::Server;
use chinwag::session::{Entropy, ListenerKind};
use chinwag::time::Tick;
use chinwag::time::clock::Now;
use serde_json::{Value, json};

use crate::link::Link;
use crate::reactor::{self, Reactor};
use crate::store::{CrashPlan, SimStore, StoreConfig};
use crate::world::BEGINNING_MS;

/// Turns within which an answer has to come.
const TURNS_MAX: u32 = 2_000;
const HTTP: ListenerId = ListenerId(0);
const TCP: ListenerId = ListenerId(1);

pub(crate) struct Stage {
    pub(crate) rng: Rng,
    pub(crate) crash_plan: CrashPlan,
    config: Config,
    tick: Tick,
    store: SimStore,
    server: Server,
    reactor: Reactor,
    links: Vec<Link>,
}

/// A client that speaks JSON lines, and what it was told that nobody has asked for.
#[derive(Debug)]
pub(crate) struct Speaker {
    link: usize,
    bytes: Vec<u8>,
    pub(crate) told: VecDeque<Value>,
    next_id: u64,
}

impl Stage {
    pub(crate) fn new(seed: u64, config: Config) -> Self {
        let mut rng = Rng::new(seed);
        let now = Now { tick: Tick::ZERO, wall_ms: BEGINNING_MS };
        let crash_plan = CrashPlan::default();
        let store = StoreConfig {
            delays: *rng.pick(&[[0, 0, 0], [0, 2, 1], [3, 6, 3]]),
            read_delay: *rng.pick(&[0, 2, 12]),
            trouble: u64::MAX,
            trouble_lasts: 1,
            prune: 10,
            at_once: *rng.pick(&[1, 2, u64::MAX]),
            coalesces: rng.once_in(2),
        };
        let store = SimStore::new(store, None, rng.bits(), now, crash_plan.clone());
        let (server, reactor) = start(&config, &store, &crash_plan, (&mut rng, now));
        let links = Vec::new();
        Self { rng, crash_plan, config, tick: now.tick, store, server, reactor, links }
    }

    /// The process ends, and another one begins with what the store has kept.
    pub(crate) fn restart(&mut self, in_order: bool) {
        self.store.stop(in_order);
        for link in &mut self.links {
            link.up.clear();
            (link.down_fin, link.down_reset) = (true, true);
        }
        self.tick = self.tick.after(Duration::from_millis(1 + self.rng.below(500)));
        self.crash_plan.cancel();
        let from = (&mut self.rng, now(self.tick));
        (self.server, self.reactor) = start(&self.config, &self.store, &self.crash_plan, from);
    }

    /// The server is told to stop.
    pub(crate) fn drain(&mut self) {
        self.reactor.stop(StopSignal::Drain);
    }

    pub(crate) fn turn(&mut self, ms: u64) {
        self.tick = self.tick.after(Duration::from_millis(ms));
        let now = now(self.tick);
        self.store.step(now);
        self.reactor.turn(now, &mut self.server, &mut self.links);
    }

    fn connect(&mut self, listener: ListenerId) -> usize {
        let link = self.links.len();
        assert!(self.reactor.connect(link), "a server that listens");
        self.links.push(Link::new(0, listener, 64 << 10, self.tick));
        link
    }

    /// A client has come.
    pub(crate) fn speaker(&mut self) -> Speaker {
        let link = self.connect(TCP);
        Speaker { link, bytes: Vec::new(), told: VecDeque::new(), next_id: 0 }
    }

    /// Its connection is lost.
    pub(crate) fn reset(&mut self, speaker: &Speaker) {
        self.links[speaker.link].reset();
        self.turn(1);
    }

    /// Reads what has come.
    pub(crate) fn read(&mut self, speaker: &mut Speaker) {
        let now = self.tick;
        speaker.bytes.extend(self.links[speaker.link].take(usize::MAX, now));
        while let Some(end) = speaker.bytes.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = speaker.bytes.drain(..=end).collect();
            speaker.told.push_back(serde_json::from_slice(&line).expect("JSON"));
        }
    }

    /// Sends a request, and returns the answer to it.
    pub(crate) fn request(&mut self, speaker: &mut Speaker, mut request: Value) -> Value {
        speaker.next_id += 1;
        request["id"] = json!(speaker.next_id);
        self.links[speaker.link].up.extend(format!("{request}\n").bytes());
        for _ in 0..TURNS_MAX {
            self.turn(1);
            self.read(speaker);
            let is_answer = |told: &Value| told["id"] == request["id"] && told.get("ev").is_none();
            if let Some(place) = speaker.told.iter().position(is_answer) {
                return speaker.told.remove(place).expect("it was found");
            }
        }
        panic!("{request} is not answered; told: {:?}", speaker.told)
    }

    /// Sends a request that succeeds, and returns its data.
    pub(crate) fn ask(&mut self, speaker: &mut Speaker, request: Value) -> Value {
        let asked = request.to_string();
        let mut answer = self.request(speaker, request);
        assert_eq!(answer["code"], 0, "{asked}: {answer}");
        answer["data"].take()
    }

    /// One request over HTTP, on a connection of its own: the status, the head and the body.
    /// `None` if the process has died meanwhile.
    pub(crate) fn http(&mut self, request: &str) -> Option<(u16, String, String)> {
        let link = self.connect(HTTP);
        self.links[link].up.extend(request.bytes());
        self.links[link].up_fin = true;
        for _ in 0..TURNS_MAX {
            self.turn(1);
            if self.crash_plan.is_dead() {
                return None;
            }
            if self.links[link].down_fin {
                let all = self.links[link].take(usize::MAX, self.tick);
                let all = String::from_utf8(all).expect("UTF-8");
                let (head, body) = all.split_once("\r\n\r\n").expect("a whole response");
                let status = head.get(9..12).and_then(|digits| digits.parse().ok());
                return Some((status.expect("a status"), head.to_owned(), body.to_owned()));
            }
        }
        panic!("not answered: {request}")
    }
}

const fn now(tick: Tick) -> Now {
    Now { tick, wall_ms: BEGINNING_MS + tick.as_millis() }
}

fn start(
    config: &Config,
    store: &SimStore,
    crash_plan: &CrashPlan,
    (rng, now): (&mut Rng, Now),
) -> (Server, Reactor) {
    let server = Server::new(
        config,
        vec![ListenerKind::Http, ListenerKind::Tcp],
        (Arc::new(Metrics::default()), Entropy::Seeded(Rng::new(rng.bits()))),
        now,
        store.start(config.limits.idle_rooms),
    );
    let reactor = reactor::Config {
        tells_waiting: false,
        outbound_max: config.limits.outbound_hard_bytes,
        stall: config.timeouts.stall,
        close: config.timeouts.close,
        bulk_min: 65,
        bulk_per_turn: 8,
    };
    let disk = Some(Box::new(store.clone()) as Box<dyn reactor::Answers>);
    let reactor = Reactor::new(reactor, Rng::new(rng.bits()), crash_plan.clone(), disk);
    (server.expect("the policies are right"), reactor)
}
