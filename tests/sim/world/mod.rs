//! The world of one seed: a server, its reactor, its clients, and the clock.

mod close_reasons;
mod crash;
mod outcome;
mod quiesce;
mod shutdown;
mod upgrade;

use chinwag::rng::Rng;
use chinwag::server::Server;
use chinwag::time::Tick;
use chinwag::time::clock::Now;

pub(crate) use self::outcome::Outcome;
pub(crate) use self::quiesce::Comparison;
use crate::client::{Client, Context};
use crate::codec::{Kind, Scratch};
use crate::history::{Check, History};
use crate::link::Link;
use crate::plan::Plan;
use crate::reactor::Reactor;
use crate::store::{CrashPlan, SimStore, StoreFault};
use crate::tamper::{NetworkFault, Tamper};
use crate::trace::Trace;

/// The wall time at the beginning, in milliseconds since 1970.
pub(crate) const BEGINNING_MS: u64 = 1_763_700_000_000;

/// How the clients speak, one after the other.
/// Who reads streams of events, is a member of nothing, and is told of to nobody.
const SCREEN: &str = "screen";
const KINDS: &[Kind] = &[Kind::Ws, Kind::Lines, Kind::Deflate, Kind::Ws, Kind::Lengths, Kind::Ws];

/// The world of one seed.
pub(crate) struct World {
    rng: Rng,
    tick: Tick,
    /// How far the wall clock is off, in milliseconds.
    wall_off: u64,
    /// When the clock last jumped.
    jumped: Tick,
    step: u64,
    /// The latest that the wall clock has ever been, in milliseconds since 1970.
    wall_latest: u64,
    server: Server,
    store: Option<SimStore>,
    crash_plan: CrashPlan,
    reactor: Reactor,
    links: Vec<Link>,
    clients: Vec<Client>,
    history: History,
    scratch: Scratch,
    tamper: Tamper,
    trace: Trace,
    plan: Plan,
    /// How many times the process has died, and was stopped.
    crashes: u64,
    restarts: u64,
    /// How many times another process has taken its place.
    upgrades: u64,
    /// Cursors that fell behind in processes that are gone.
    lagged: u64,
}

/// What is broken on purpose.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Planted {
    /// Between server and clients.
    pub(crate) fault: Option<NetworkFault>,
    /// In the store.
    pub(crate) store_fault: Option<StoreFault>,
}

/// Lives through `steps` steps of the world of `seed`, and its end.
pub(crate) fn run(seed: u64, steps: u64, planted: Planted) -> Outcome {
    let mut world = World::new(seed, planted);
    let lived = world.live(steps).and_then(|()| world.end(seed));
    let stats = world.server.chat().stats();
    Outcome {
        fault: lived.err().map(|fault| format!("step {}, {:?}: {fault}", world.step, world.tick)),
        trace: world.trace.hash(),
        steps: world.step,
        told: world.trace.told,
        records: world.history.len(),
        lagged: world.lagged + stats.lagged,
        crashes: world.crashes,
        restarts: world.restarts,
        upgrades: world.upgrades,
        store: world.store.as_ref().map(SimStore::counts).unwrap_or_default(),
        blocks: world.reactor.blocks,
        queued_peak: world.reactor.queued_peak,
        tampered: world.tamper.done + world.store.as_ref().map_or(0, SimStore::faults_done),
    }
}

impl World {
    fn new(seed: u64, Planted { fault, store_fault }: Planted) -> Self {
        let mut rng = Rng::new(seed);
        let plan = Plan::new(&mut rng);
        let now = Now { tick: Tick::ZERO, wall_ms: BEGINNING_MS };
        let crash_plan = CrashPlan::default();
        let seed = rng.bits();
        let store = plan
            .store
            .map(|config| SimStore::new(config, store_fault, seed, now, crash_plan.clone()));
        let server = crash::start(&plan, store.as_ref(), rng.bits(), now);
        let count = 6 + rng.index(8);
        let clients = (0..count).map(|id| {
            let kind = if id == 5 { Kind::Text } else { KINDS[id % KINDS.len()] };
            Client::new(id, Plan::user(id), kind, rng.bits())
        });
        let mut clients: Vec<Client> = clients.collect();
        clients.push(Client::new(count, SCREEN.to_owned(), Kind::Events, rng.bits()));
        Self {
            tick: now.tick,
            wall_off: 0,
            jumped: Tick::ZERO,
            wall_latest: now.wall_ms,
            step: 0,
            server,
            reactor: Reactor::new(
                plan.reactor.clone(),
                Rng::new(rng.bits()),
                crash_plan.clone(),
                crash::answers(store.as_ref()),
            ),
            store,
            crash_plan,
            links: Vec::new(),
            clients,
            history: History::new(plan.rules()),
            scratch: Scratch::new(),
            tamper: Tamper::new(fault, rng.bits()),
            trace: Trace::default(),
            plan,
            rng,
            crashes: 0,
            restarts: 0,
            upgrades: 0,
            lagged: 0,
        }
    }

    fn live(&mut self, steps: u64) -> Check {
        for _ in 0..steps {
            self.pass_time();
            self.inject_faults()?;
            self.turn()?;
        }
        Ok(())
    }

    /// Time goes on, and jumps now and then.
    fn pass_time(&mut self) {
        let pause = Plan::pause(&mut self.rng);
        self.tick = self.tick.after(pause);
        if self.rng.once_in(self.plan.jump) {
            // The process was stopped for a while; what the wall clock says meanwhile is another
            // matter.
            let slept = *self.rng.pick(&[1_000, 30_000, 700_000]);
            self.tick = self.tick.after(std::time::Duration::from_millis(slept));
            self.jumped = self.tick;
        }
        if self.rng.once_in(self.plan.jump) {
            self.wall_off = self.rng.below(7_200_000);
        }
    }

    const fn now(&self) -> Now {
        Now { tick: self.tick, wall_ms: BEGINNING_MS + self.tick.as_millis() + self.wall_off }
    }

    /// One step: every client, then a turn of the reactor.
    fn turn(&mut self) -> Check {
        self.step += 1;
        self.each_client(Client::step)?;
        let now = self.now();
        self.wall_latest = self.wall_latest.max(now.wall_ms);
        if let Some(store) = &self.store {
            store.step(now);
        }
        self.reactor.turn(now, &mut self.server, &mut self.links);
        if self.crash_plan.is_dead() {
            self.crash();
            return Ok(());
        }
        #[cfg(debug_assertions)]
        self.server.chat().debug_check();
        self.explain()
    }

    /// Lets every client do something in turn.
    fn each_client(
        &mut self,
        mut each: impl FnMut(&mut Client, &mut Context<'_>) -> Check,
    ) -> Check {
        let Self { tick, history, links, reactor, scratch, tamper, trace, plan, .. } = self;
        let now = *tick;
        for client in &mut self.clients {
            let reactors = std::slice::from_mut(reactor);
            let mut context =
                Context { now, history, links, reactors, scratch, tamper, trace, plan };
            each(client, &mut context)?;
        }
        Ok(())
    }
}
