//! The link of a node to its engine: two connections, found, checked, watched, and made anew.
//!
//! Sans-io: the driver of the connections hands in what comes and does what [`Link::poll_effect`]
//! says; the node asks, and polls [`LinkEvent`]s. Time and randomness are arguments.
//!
//! ```text
//!  Resting ─▶ Searching ────────────────────▶ Paired
//!     ▲       all hosts at once: log in,      the reader: LISTEN, the same engine?
//!     │       check; of those that would      the writer: a beat, waited for (the barrier)
//!     │       do, the latest timeline         a hello to all nodes, which has to come back ─▶ Up
//!     │           │                               │
//!     └───────────┴── nobody, or lost: Lost ──────┘
//! ```
//!
//! # Rules
//!
//! - **Nothing is cancelled or ended in the engine.** A wait for a standby that is cancelled makes
//!   visible what a failover loses. What is not answered in time is [`LinkEvent::Lost`], on a
//!   connection that is closed: whoever asked finds out by the `cid`.
//! - **Nothing that is read is handed up before a barrier**: a write that was waited for on the
//!   writer, at each new pair of connections, and after each warning of the engine's. Standbys have
//!   then what was read.
//! - **Nothing is taken from an engine that does not keep what is asked**
//!   ([`check`](crate::cluster::check), [`LinkOptions::level`]), or is on an earlier timeline than
//!   was seen.
//! - **Each attempt leaves no more behind than may be**: while sessions of ours wait for a standby
//!   in the engine, or no standby is there, no write is begun.
//!
//! # Times
//!
//! | after | without an answer |
//! |---|---|
//! | [`SLOW_AFTER`](bounds::SLOW_AFTER) | [`LinkEvent::Slow`] |
//! | [`DOWN_AFTER`](bounds::DOWN_AFTER) | [`LinkEvent::Down`] |
//! | [`WRITE_DEADLINE`](bounds::WRITE_DEADLINE), [`READ_DEADLINE`](bounds::READ_DEADLINE) | both connections are given up, and made anew |

mod base;
mod boundary;
pub mod bounds;
mod circuit;
mod connection;
mod examine;
mod find_primary;
mod frame;
mod health;
mod nodes;
mod over_bus;
mod pair;
mod peers;
mod pubsub;
mod statements;
mod tell_queue;

pub use self::boundary::{
    BusHealth, Health, Hop, Lane, LinkEffect, LinkEvent, LinkInput, LinkOptions, LinkState,
    NodeRow, NotAsked,
};

use self::base::Base;
use self::bounds::{
    BACKOFF_MAX, BACKOFF_MIN, BACKOFF_PART, FIRST_TRY_MAX, PAUSE_MIN, STEADY_AFTER,
};
use self::connection::Connection;
use self::examine::Identity;
use self::find_primary::{Choice, Search};
use self::pair::Pair;
use self::pubsub::PubSub;
use super::SETTINGS;
use crate::pg::{Address, Login, Param, Statement};
use crate::resp;
use crate::rng::Rng;
use crate::time::Tick;
use crate::time::clock::Now;

/// What a link is about.
#[derive(Debug)]
enum Phase {
    /// It waits, until then, before it tries the hosts.
    Resting(Tick),
    /// It tries the hosts.
    Searching(Search),
    /// It has an engine.
    Paired(Box<Pair>),
}

/// The link of a node to its engine.
///
/// Invariant: `state` is [`LinkState::Up`] only if `phase` is `Paired` and that pair is up and was
/// reported.
#[derive(Debug)]
pub struct Link {
    address: Address,
    base: Base,
    phase: Phase,
    state: LinkState,
    now: Tick,
    rng: Rng,
    /// Since when the engine owes something: an answer, or connections.
    trouble_since: Tick,
    /// Since when it has been away, as far as pauses are concerned.
    away_since: Tick,
    /// The engine that was up last.
    known: Option<Identity>,
    /// Why there is no engine.
    faults: Vec<String>,
    losses: u64,
}

impl Link {
    /// A link that begins to look for the engine at once.
    #[must_use]
    pub fn new(address: Address, options: LinkOptions, now: Now) -> Self {
        let now = now.tick;
        let mut rng = Rng::new(options.seed);
        let nonce = rng.bits().cast_signed();
        let mut link = Self {
            address,
            base: Base::new(options, nonce),
            phase: Phase::Resting(now),
            state: LinkState::Slow,
            now,
            rng,
            trouble_since: now,
            away_since: now,
            known: None,
            faults: Vec::new(),
            losses: 0,
        };
        link.expire();
        link
    }

    /// With a bus, for what may be lost.
    #[must_use]
    pub fn with_bus(mut self, address: resp::Address) -> Self {
        let rng = Rng::new(self.rng.bits());
        self.base.pubsub = Some(PubSub::new(address, rng));
        self
    }

    /// Takes what the driver reports.
    pub fn handle(&mut self, now: Now, input: LinkInput<'_>) {
        (self.now, self.base.wall_ms) = (now.tick, now.wall_ms);
        let is_up = self.is_paired_up();
        match input {
            input if input.is_of(Lane::Bus) => self.base.on_bus(self.now, input, is_up),
            LinkInput::Connected { hop, is_private } => self.on_connected(hop, is_private),
            LinkInput::Failed { hop, why } => self.on_closed(hop, why),
            LinkInput::Received { hop, bytes } => self.on_received(hop, bytes),
            LinkInput::Closed { hop } => {
                self.on_closed(hop, "it has closed the connection".to_owned());
            }
            LinkInput::Expired => return self.expire(),
        }
        self.advance();
    }

    /// What the driver has to do next.
    pub fn poll_effect(&mut self) -> Option<LinkEffect> {
        // Here and not in `handle`: what the node has said in this turn is in it by now.
        self.base.tick_bus(self.now, self.writer_counts());
        if let Phase::Paired(pair) = &mut self.phase
            && let Err(why) = pair.tell(self.now, &mut self.base)
        {
            self.lose(None, &why);
        }
        if let Some(effect) = self.base.effects.pop_front() {
            return Some(effect);
        }
        let effect = match &mut self.phase {
            Phase::Resting(_) => None,
            Phase::Searching(search) => search.connections().find_map(Connection::poll_effect),
            Phase::Paired(pair) => pair.poll_effect(),
        };
        effect.or_else(|| self.base.pubsub.as_mut().and_then(PubSub::poll_effect))
    }

    /// When [`LinkInput::Expired`] is wanted, if nothing else comes before.
    #[must_use]
    pub fn deadline(&self) -> Tick {
        let (phase, waits_since) = match &self.phase {
            Phase::Resting(until) => (*until, None),
            Phase::Searching(search) => (search.deadline(), None),
            Phase::Paired(pair) => (pair.deadline(&self.base), pair.waits_since()),
        };
        let since = if self.is_paired_up() { waits_since } else { Some(self.trouble_since) };
        let circuit = self.circuit_deadline(since);
        let due = self.base.tells.publication_due();
        let bus = self.base.pubsub.as_ref().map_or(Tick::MAX, |bus| bus.deadline(due));
        phase.min(circuit).min(bus)
    }

    /// Sends a statement, pipelined behind those before on its lane, as a transaction of its own.
    /// [`LinkEvent::Answered`] or [`LinkEvent::Lost`] comes for its tag, exactly once.
    ///
    /// # Errors
    ///
    /// [`NotAsked`] if it is not sent.
    #[expect(
        clippy::too_many_arguments,
        reason = "each says another thing, and callers have them apart"
    )]
    pub fn ask(
        &mut self,
        now: Now,
        lane: Lane,
        tag: u64,
        statement: Statement,
        params: &[Param<'_>],
    ) -> Result<(), NotAsked> {
        self.now = now.tick;
        match &mut self.phase {
            Phase::Paired(pair) if self.state != LinkState::Down => {
                pair.ask(self.now, lane, (tag, statement), params)
            }
            _ => Err(NotAsked::Down),
        }
    }

    /// The next event.
    pub fn poll(&mut self) -> Option<LinkEvent> {
        self.base.events.pop_front()
    }

    /// Tells all other nodes something, soon, at most [`bounds::TOLD_LEN_MAX`] bytes. Whether it is
    /// going to be told: it may still be lost with the connection, after which all nodes are
    /// reported by [`LinkEvent::NodeBegun`].
    pub fn tell(&mut self, payload: &[u8]) -> bool {
        self.is_paired_up() && self.base.tells.tell(payload)
    }

    /// The same for what may be lost, such as that somebody types: it goes over the bus while all
    /// nodes hear one, and is lost if the bus is lost.
    pub fn mention(&mut self, payload: &[u8]) -> bool {
        self.is_paired_up() && self.base.tells.mention(payload)
    }

    /// Tells all other nodes that these rooms have grown, or that facts of them have changed: to
    /// be said right behind the append, whose answer need not be there. It goes out on the same
    /// lane, so that the append is done before.
    pub fn grew(&mut self, rooms: impl IntoIterator<Item = i64>) {
        if let Some((question, _)) = self.writer_counts() {
            self.base.tells.grew(rooms, question);
        }
    }

    /// The node stops: it is removed from the registry, so that the others need not wait until it
    /// counts as gone. Nothing is to be asked any more.
    pub fn leave(&mut self, now: Now) {
        self.now = now.tick;
        if let Phase::Paired(pair) = &mut self.phase
            && pair.up_at().is_some()
        {
            // If it cannot be said, it shows.
            _ = pair.leave(self.now, &self.base);
        }
    }

    /// Whether [`leave`](Self::leave) is not done yet: the connections are needed until then. What
    /// a closed socket has not read is answered by a reset, by which the engine may lose what it
    /// has not read itself.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        match &self.phase {
            Phase::Paired(pair) => self.state == LinkState::Up && pair.is_leaving(),
            Phase::Resting(_) | Phase::Searching(_) => false,
        }
    }

    /// How many requests of the writer were sent, and answered, if the link is up.
    fn writer_counts(&self) -> Option<(u64, u64)> {
        match &self.phase {
            Phase::Paired(pair) if pair.up_at().is_some() => Some(pair.writer_counts()),
            _ => None,
        }
    }

    const fn is_paired_up(&self) -> bool {
        match &self.phase {
            Phase::Paired(pair) => pair.up_at().is_some(),
            Phase::Resting(_) | Phase::Searching(_) => false,
        }
    }

    fn silence(&self, pair: &Pair) -> String {
        let since = pair.waits_since().unwrap_or(self.now);
        let millis = self.now.since(since).as_millis();
        self.at(pair.host(), &format!("no answer to a write for {millis} ms"))
    }

    /// Something about a host.
    fn at(&self, host: usize, what: &str) -> String {
        match self.address.hosts.get(host) {
            Some(host) => format!("{host}: {what}"),
            None => what.to_owned(),
        }
    }

    fn on_connected(&mut self, hop: Hop, is_private: bool) {
        let connection = match &mut self.phase {
            Phase::Resting(_) => None,
            Phase::Searching(search) => search.connections().find(|it| it.hop == hop),
            Phase::Paired(pair) => pair.connection(hop),
        };
        let Some(connection) = connection else { return };
        let Address { user, password, database, .. } = &self.address;
        let login = Login {
            user: user.clone(),
            password: password.clone(),
            database: database.clone(),
            is_private,
        };
        connection.begin(login, SETTINGS);
    }

    fn on_received(&mut self, hop: Hop, bytes: &[u8]) {
        match &mut self.phase {
            Phase::Resting(_) => {}
            Phase::Searching(search) => {
                search.on_received(self.now, hop, bytes, &mut self.base.effects);
            }
            Phase::Paired(pair) => {
                if let Err(why) = pair.on_received(self.now, hop, bytes, &mut self.base) {
                    self.lose(None, &why);
                }
            }
        }
    }

    fn on_closed(&mut self, hop: Hop, why: String) {
        match &mut self.phase {
            Phase::Resting(_) => {}
            Phase::Searching(search) => search.on_lost(self.now, hop, why),
            Phase::Paired(pair) => {
                if pair.connection(hop).is_some() {
                    self.lose(Some(hop), &why);
                }
            }
        }
    }

    /// Does what follows from an input. No deadline is checked here: after a pause of this process
    /// there may be answers in several sockets, and one of them is handed in first.
    fn advance(&mut self) {
        if let Phase::Searching(search) = &mut self.phase
            && let Some(choice) = search.poll(&mut self.base)
        {
            self.on_choice(choice);
        }
        self.close_circuit();
    }

    /// Does what time has made due, once everything received was handed in.
    fn expire(&mut self) {
        self.base.expire_bus(self.now);
        let circuit = match &self.phase {
            Phase::Paired(pair) => self.circuit_deadline(pair.waits_since()),
            Phase::Resting(_) | Phase::Searching(_) => Tick::MAX,
        };
        if let Phase::Paired(pair) = &mut self.phase
            && circuit.min(pair.owed_deadline()).after(PAUSE_MIN) <= self.now
        {
            pair.restart_clocks(self.now);
        }
        match &mut self.phase {
            Phase::Resting(until) if *until <= self.now => self.search(),
            Phase::Resting(_) => {}
            Phase::Searching(search) => {
                if let Some(choice) = search.expire(self.now, &mut self.base) {
                    self.on_choice(choice);
                }
            }
            Phase::Paired(pair) => {
                if let Err(why) = pair.tick(self.now, &mut self.base) {
                    self.lose(None, &why);
                }
            }
        }
        // Opened alone: it is closed by an answer.
        self.open_circuit();
    }

    fn search(&mut self) {
        let hosts = self.address.hosts.len();
        let search = Search::begin(self.now, hosts, self.known, &mut self.base);
        self.phase = Phase::Searching(search);
    }

    fn on_choice(&mut self, choice: Choice) {
        match choice {
            Choice::Found(found) => {
                let pair = Pair::begin(self.now, *found, &mut self.base);
                self.phase = Phase::Paired(Box::new(pair));
            }
            Choice::None(whys) => {
                let faults = whys.into_iter().map(|(host, why)| self.at(host, &why));
                let faults = faults.collect::<Vec<_>>();
                if faults != self.faults {
                    log::warn!(why = faults.join("; "); "no host of the engine can be used");
                    self.faults = faults;
                }
                self.rest();
            }
        }
    }

    /// Waits before the hosts are tried again.
    fn rest(&mut self) {
        let away = self.now.since(self.away_since);
        // In proportion to how long it is away: a short failover is found to be over soon.
        let pause = (away / BACKOFF_PART).clamp(BACKOFF_MIN, BACKOFF_MAX);
        self.phase =
            Phase::Resting(self.now.after(pause.saturating_sub(self.rng.up_to(pause / 4))));
    }

    /// The engine is lost; `closed` is a connection that is closed already.
    fn lose(&mut self, closed: Option<Hop>, why: &str) {
        let until = self.now.after(self.rng.up_to(FIRST_TRY_MAX));
        // Taken out, since it is ended below; who has no pair keeps what it was about.
        let phase = std::mem::replace(&mut self.phase, Phase::Resting(until));
        let Phase::Paired(pair) = phase else { return self.phase = phase };
        let why = self.at(pair.host(), why);
        let was_up = pair.up_at();
        // What is so at each attempt is said once.
        if was_up.is_some() || self.faults != [&*why] {
            log::warn!(why; "the engine is lost");
        }
        self.faults = vec![why];
        if was_up.is_some() {
            self.losses += 1;
            // Since the oldest unanswered question, not since now: the circuit counts the silence
            // before the loss as well.
            self.trouble_since = pair.waits_since().unwrap_or(self.now);
        }
        if self.state == LinkState::Up {
            self.state = LinkState::Slow;
            self.base.events.push_back(LinkEvent::Slow);
        }
        pair.end(closed, &mut self.base);
        // One that fails as soon as it is up is paused for as if it had not been up.
        if was_up.is_some_and(|at| self.now.since(at) >= STEADY_AFTER) {
            self.away_since = self.now;
        } else {
            self.rest();
        }
    }

    fn on_up(&mut self) {
        let Phase::Paired(pair) = &mut self.phase else { return };
        self.state = LinkState::Up;
        let identity = pair.examined().identity;
        let channel = format!("chinwag:1:{}:{}", identity.system, self.address.database);
        self.base.hear_bus(self.now, &channel);
        let level = pair.examined().engine.level();
        self.base.push_up(level, self.known.is_some_and(|known| known != identity));
        self.known = Some(identity);
        self.faults.clear();
        // Only if the pair is new were nodes not heard.
        if pair.report() {
            let host = self.address.hosts.get(pair.host()).map(ToString::to_string);
            log::info!(host = host.unwrap_or_default(), level = level.name(); "the engine is up");
            self.base.push_others();
        }
    }
}

#[cfg(test)]
mod tests;
