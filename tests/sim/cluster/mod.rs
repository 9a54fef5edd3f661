//! Two or three whole nodes that share an engine, and clients that move between them.
//!
//! The same clients and the same checker as of one node: all that all of them see is one order,
//! dense, with nothing lost, doubled or taken back, and in the end all nodes say the same. What is
//! told at one node may be known at another a while later; only a client that has moved is shown
//! nothing from before what it has seen.

mod outcome;

use std::sync::Arc;
use std::time::Duration;

use chinwag::chat::model::name::RoomName;
use chinwag::metrics::Metrics;
use chinwag::rng::Rng;
use chinwag::server::Server;
use chinwag::session::{Entropy, ListenerKind};
use chinwag::time::Tick;
use chinwag::time::clock::Now;

pub(crate) use self::outcome::Outcome;
use crate::client::{Behaviour, Client, Context, Target};
use crate::codec::{Kind, Scratch};
use crate::history::{Check, History};
use crate::link::Link;
use crate::plan::{Plan, RENAMED_ROOM};
use crate::reactor::{Answers, Reactor};
use crate::store::{CrashPlan, EngineFault, SimEngine};
use crate::tamper::Tamper;
use crate::trace::Trace;
use crate::world::{BEGINNING_MS, Comparison};

/// How the clients speak, one after the other.
const KINDS: &[Kind] = &[Kind::Ws, Kind::Lines, Kind::Deflate, Kind::Lengths];
/// Steps within which all must have come to rest.
const STEPS_MAX: u64 = 4_000;
/// Milliseconds at most for which a node that has died is down.
const DOWN_MS_MAX: u64 = 20_000;

/// What tells a node's reactor of the engine's answers.
#[derive(Debug)]
struct AnswersOf(SimEngine, usize);

impl Answers for AnswersOf {
    fn has_replies(&self) -> bool {
        self.0.has_replies(self.1)
    }
}

struct Cluster {
    rng: Rng,
    tick: Tick,
    step: u64,
    engine: SimEngine,
    servers: Vec<Server>,
    reactors: Vec<Reactor>,
    /// Until when a node is down.
    down: Vec<Option<Tick>>,
    links: Vec<Link>,
    clients: Vec<Client>,
    history: History,
    scratch: Scratch,
    tamper: Tamper,
    trace: Trace,
    plan: Plan,
    crashes: u64,
}

/// Lives through `steps` steps of the nodes of `seed`, and their end.
pub(crate) fn run(seed: u64, steps: u64, fault: Option<EngineFault>) -> Outcome {
    let mut cluster = Cluster::new(seed, fault);
    let lived = cluster.live(steps).and_then(|()| cluster.quiesce());
    let words = |fault| format!("step {}, {:?}: {fault}", cluster.step, cluster.tick);
    Outcome {
        fault: lived.err().map(words),
        trace: cluster.trace.hash(),
        told: cluster.trace.told,
        records: cluster.history.len(),
        crashes: cluster.crashes,
        engine: cluster.engine.counts(),
        tampered: cluster.engine.faults_done(),
    }
}

impl Cluster {
    fn new(seed: u64, fault: Option<EngineFault>) -> Self {
        let mut rng = Rng::new(seed ^ 0x00c1_0571_e500);
        let mut plan = Plan::of_nodes(&mut rng);
        if fault.is_some() {
            // More happens, so that more of it can go wrong.
            plan.pace = 1;
        }
        let now = Now { tick: Tick::ZERO, wall_ms: BEGINNING_MS };
        let engine = Plan::some_engine(&mut rng);
        let engine = SimEngine::new(engine, fault, (rng.bits(), now, plan.nodes));
        let count = 6 + rng.index(6);
        let clients = (0..count)
            .map(|id| Client::new(id, Plan::user(id), KINDS[id % KINDS.len()], rng.bits()));
        let clients = clients.collect();
        let mut cluster = Self {
            tick: now.tick,
            step: 0,
            servers: Vec::new(),
            reactors: Vec::new(),
            down: vec![None; plan.nodes],
            links: Vec::new(),
            clients,
            history: History::new(plan.rules()),
            scratch: Scratch::new(),
            tamper: Tamper::new(None, rng.bits()),
            trace: Trace::default(),
            plan,
            rng,
            engine,
            crashes: 0,
        };
        for place in 0..cluster.plan.nodes {
            let (server, reactor) = cluster.start(place);
            cluster.servers.push(server);
            cluster.reactors.push(reactor);
        }
        cluster
    }

    fn start(&mut self, place: usize) -> (Server, Reactor) {
        let entropy = Entropy::Seeded(Rng::new(self.rng.bits()));
        let server = Server::new(
            &self.plan.config,
            vec![ListenerKind::Http, ListenerKind::Tcp],
            (Arc::new(Metrics::default()), entropy),
            self.now(),
            self.engine.start(place),
        );
        let answers: Box<dyn Answers> = Box::new(AnswersOf(self.engine.clone(), place));
        let rng = Rng::new(self.rng.bits());
        let plan = self.plan.reactor.clone();
        let reactor = Reactor::new(plan, rng, CrashPlan::default(), Some(answers));
        (server.expect("the default policies are right"), reactor)
    }

    fn live(&mut self, steps: u64) -> Check {
        for _ in 0..steps {
            self.tick = self.tick.after(Plan::pause(&mut self.rng));
            self.kill_and_start();
            self.turn()?;
        }
        Ok(())
    }

    const fn now(&self) -> Now {
        Now { tick: self.tick, wall_ms: BEGINNING_MS + self.tick.as_millis() }
    }

    /// Nodes die now and then, and begin again, but not all at once.
    fn kill_and_start(&mut self) {
        let is_alone = self.down.iter().filter(|down| down.is_none()).count() < 2;
        if !is_alone && self.plan.crash.is_some_and(|many| self.rng.once_in(many)) {
            let place = self.rng.index(self.plan.nodes);
            if self.down[place].is_none() {
                self.kill(place);
            }
        }
        for place in 0..self.plan.nodes {
            if self.down[place].is_some_and(|until| until <= self.tick) {
                self.begin_again(place);
            }
        }
    }

    fn kill(&mut self, place: usize) {
        self.crashes += 1;
        self.engine.stop(place);
        self.reactors[place].die();
        let until = self.tick.after(Duration::from_millis(self.rng.below(DOWN_MS_MAX)));
        self.down[place] = Some(until);
        let links = self.links.iter_mut().filter(|link| link.node == place && !link.down_fin);
        for link in links {
            link.up.clear();
            link.down_fin = true;
            if self.rng.once_in(2) {
                link.down.clear();
                link.down_reset = true;
            }
        }
        self.history.on_restart();
    }

    fn begin_again(&mut self, place: usize) {
        self.down[place] = None;
        let (server, reactor) = self.start(place);
        self.servers[place] = server;
        self.reactors[place] = reactor;
    }

    fn turn(&mut self) -> Check {
        self.step += 1;
        self.each_client(Client::step)?;
        let now = self.now();
        for room in self.engine.step(now) {
            self.history.cut_off(room.as_str());
        }
        for place in 0..self.plan.nodes {
            if self.down[place].is_some() {
                continue;
            }
            let (reactor, server) = (&mut self.reactors[place], &mut self.servers[place]);
            reactor.turn(now, server, &mut self.links);
            #[cfg(debug_assertions)]
            server.chat().debug_check();
        }
        Ok(())
    }

    fn each_client(
        &mut self,
        mut each: impl FnMut(&mut Client, &mut Context<'_>) -> Check,
    ) -> Check {
        let Self { tick, history, links, reactors, scratch, tamper, trace, plan, .. } = self;
        let now = *tick;
        for client in &mut self.clients {
            let mut context =
                Context { now, history, links, reactors, scratch, tamper, trace, plan };
            each(client, &mut context)?;
        }
        Ok(())
    }

    /// Everyone comes back, everything is answered, and all are told the same, at whichever node.
    fn quiesce(&mut self) -> Check {
        for client in &mut self.clients {
            client.behaviour = Behaviour::Quiet;
        }
        self.engine.stop_faults();
        for place in 0..self.plan.nodes {
            if self.down[place].is_some() {
                self.begin_again(place);
            }
        }
        // Longer than any connection without a client lives, and any stall.
        self.rest(Duration::from_secs(200), 6_000)?;
        self.run_until_settled()?;
        self.each_client(|client, context| {
            let rooms: Vec<String> =
                client.greeted().into_iter().flat_map(|conn| conn.views.keys().cloned()).collect();
            for room in rooms {
                client.say(Target::Room(room), context);
            }
            Ok(())
        })?;
        self.run_until_settled()?;
        // Until all nodes know.
        self.rest(Duration::from_secs(30), 500)?;
        self.run_until_settled()?;
        self.each_client(|client, context| {
            client.read_all(context);
            Ok(())
        })?;
        self.run_until_settled()?;
        // Leave grace, typing and the gathering of presence and receipts run out.
        self.rest(Duration::from_mins(1), 500)?;
        self.run_until_settled()?;
        self.each_client(|client, context| {
            client.ask_rooms(context);
            Ok(())
        })?;
        self.run_until_settled()?;
        self.each_client(|client, context| {
            client.ask_whois(context);
            Ok(())
        })?;
        self.run_until_settled()?;
        self.history.check_kept(&self.engine.durable())?;
        self.history.check_names(&self.engine.durable())?;
        self.check_told()?;
        self.history.check_order()?;
        Comparison { clients: &self.clients, history: &self.history }.compare()
    }

    /// What each client is told of the renamed room's name and of profiles is what the engine has.
    fn check_told(&self) -> Check {
        let (profiles, durable) = (self.engine.profiles(), self.engine.durable());
        let name = RoomName::stored(RENAMED_ROOM).map(|key| durable.name(&key).to_string());
        for (client, conn) in self.clients.iter().filter_map(|it| Some((it, it.greeted()?))) {
            let known = conn.called.as_ref();
            if conn.views.contains_key(RENAMED_ROOM) && known.is_some() && known != name.as_ref() {
                return Err(format!("client {} is told {known:?}, not {name:?}", client.id));
            }
            for (user, said) in &conn.profiles {
                let there = profiles.get(user).cloned().unwrap_or_default();
                if *said != there {
                    return Err(format!(
                        "client {} is told that {user} says {said:?} of itself, not {there:?}",
                        client.id
                    ));
                }
            }
        }
        Ok(())
    }

    fn rest(&mut self, span: Duration, pause_ms: u64) -> Check {
        let until = self.tick.after(span);
        while self.tick < until {
            let pause = Duration::from_millis(100 + self.rng.below(pause_ms));
            self.tick = self.tick.after(pause);
            self.turn()?;
        }
        Ok(())
    }

    fn run_until_settled(&mut self) -> Check {
        for _ in 0..STEPS_MAX {
            self.tick = self.tick.after(Duration::from_millis(20));
            self.turn()?;
            if self.clients.iter().all(Client::is_settled) {
                return Ok(());
            }
        }
        let open = self.clients.iter().find(|client| !client.is_settled());
        Err(format!("not all was answered: {:?}", open.map(Client::describe_pending)))
    }
}
