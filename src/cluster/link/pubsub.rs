//! The bus, if there is one: a Valkey or Redis that carries what may be lost.
//!
//! ```text
//!  Resting ─▶ Connecting ─▶ Open: HELLO, SUBSCRIBE ─▶ a greeting, which has to come back ─▶ up
//!     ▲                      │                                                              │
//!     └──────────────────────┴── lost: what has not come back is told by the engine ────────┘
//! ```
//!
//! It is of use only while all nodes hear it ([`Peers`](super::peers::Peers)): what is published is
//! not told by the engine. A node that loses it says so by the engine at once, and greets the
//! others anew, who tell it again what is so there.
//!
//! All that is published comes back to us. If it does not within [`ECHO_MAX`], the bus is lost: its
//! server hangs, or we are deaf.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::api::{BusHealth, Hop, Lane, LinkEffect, LinkEvent, LinkInput};
use super::base::Base;
use super::bounds::{
    BACKOFF_MAX, BACKOFF_MIN, BEAT_EVERY, ECHO_MAX, FIRST_TRY_MAX, RETELL_AFTER, ROUND_MAX,
    STEADY_AFTER, UNHEARD_MAX,
};
use super::bus::Said;
use super::frame::{self, FrameWriter, Item};
use crate::chat::model::others::NodeId;
use crate::resp::{Address, Client, Login, Reply};
use crate::rng::Rng;
use crate::time::Tick;

/// What was published, and has not come back.
#[derive(Debug)]
struct Unheard {
    node: NodeId,
    counter: u64,
    at: Tick,
    said: Said,
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The login, and the subscription.
    LoggingIn,
    /// A greeting with this number has to come back.
    Proving(u64),
    /// It came back, then.
    Up(Tick),
}

/// A connection that was made.
#[derive(Debug)]
struct Session {
    hop: Hop,
    client: Client,
    step: Step,
    since: Tick,
    beat_at: Tick,
    /// Oldest first, at most [`UNHEARD_MAX`] and greetings.
    unheard: VecDeque<Unheard>,
}

/// What is done about it.
#[derive(Debug)]
enum Phase {
    /// It waits until then.
    Resting(Tick),
    /// A connection is being made, since then.
    Connecting(Hop, Tick),
    /// There is one.
    Open(Box<Session>),
}

/// The bus.
#[derive(Debug)]
pub(super) struct PubSub {
    address: Address,
    rng: Rng,
    /// That of this chat, once it is known which engine has it.
    channel: Option<Box<str>>,
    phase: Phase,
    /// The last pause between two tries.
    pause: Duration,
    /// What is mentioned goes over it.
    is_used: bool,
    /// When all is told once more, since it went another way than before.
    retell_at: Tick,
    server: Box<str>,
    fault: Option<String>,
    losses: u64,
}

impl PubSub {
    pub(super) fn new(address: Address, rng: Rng) -> Self {
        Self {
            address,
            rng,
            channel: None,
            phase: Phase::Resting(Tick::ZERO),
            pause: Duration::ZERO,
            is_used: false,
            retell_at: Tick::MAX,
            server: Box::default(),
            fault: None,
            losses: 0,
        }
    }

    pub(super) const fn is_up(&self) -> bool {
        matches!(&self.phase, Phase::Open(session) if matches!(session.step, Step::Up(_)))
    }

    pub(super) fn health(&self) -> BusHealth {
        BusHealth {
            is_up: self.is_up(),
            is_used: self.is_used,
            host: self.address.to_string(),
            server: self.server.clone(),
            fault: self.fault.clone(),
            losses: self.losses,
        }
    }

    fn session(&mut self, hop: Hop) -> Option<&mut Session> {
        match &mut self.phase {
            Phase::Open(session) if session.hop == hop => Some(session),
            _ => None,
        }
    }

    fn is_about(&self, hop: Hop) -> bool {
        match &self.phase {
            Phase::Resting(_) => false,
            Phase::Connecting(own, _) => *own == hop,
            Phase::Open(session) => session.hop == hop,
        }
    }

    fn on_connected(&mut self, now: Tick, hop: Hop) {
        let Phase::Connecting(own, since) = self.phase else { return };
        let Some(channel) = self.channel.clone().filter(|_| own == hop) else { return };
        let Address { user, password, .. } = &self.address;
        let login = Login { user: user.clone(), password: password.clone(), channel };
        self.phase = Phase::Open(Box::new(Session {
            hop,
            client: Client::new(login),
            step: Step::LoggingIn,
            since,
            beat_at: now.after(BEAT_EVERY),
            unheard: VecDeque::new(),
        }));
    }

    /// What is to be sent.
    pub(super) fn poll_effect(&mut self) -> Option<LinkEffect> {
        let Phase::Open(session) = &mut self.phase else { return None };
        let outgoing = session.client.outgoing();
        let hop = session.hop;
        let send = !outgoing.is_empty();
        send.then(|| LinkEffect::Send { hop, bytes: outgoing.split().freeze() })
    }

    /// When it has to go on if nothing comes; `due`: something is to be published then.
    pub(super) fn deadline(&self, due: Option<Tick>) -> Tick {
        let own = match &self.phase {
            Phase::Resting(_) if self.channel.is_none() => Tick::MAX,
            Phase::Resting(until) => *until,
            Phase::Connecting(_, since) => since.after(ROUND_MAX),
            Phase::Open(session) => session.deadline(due.filter(|_| self.is_used)),
        };
        own.min(self.retell_at)
    }

    /// The pause before the next try: longer each time until it was up for a while.
    fn rest(&mut self, now: Tick, was_steady: bool) {
        let pause = if was_steady {
            self.pause = Duration::ZERO;
            self.jitter(FIRST_TRY_MAX)
        } else {
            self.pause = (self.pause * 2).clamp(BACKOFF_MIN, BACKOFF_MAX);
            self.pause.saturating_sub(self.jitter(self.pause / 4))
        };
        self.phase = Phase::Resting(now.after(pause));
    }

    fn jitter(&mut self, max: Duration) -> Duration {
        let max = u64::try_from(max.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.rng.below(max.saturating_add(1)))
    }
}

impl Session {
    fn deadline(&self, due: Option<Tick>) -> Tick {
        if self.step == Step::LoggingIn {
            return self.since.after(ROUND_MAX);
        }
        let echo = self.unheard.front().map_or(Tick::MAX, |it| it.at.after(ECHO_MAX));
        let due = due.filter(|_| self.unheard.len() < UNHEARD_MAX).unwrap_or(Tick::MAX);
        echo.min(self.beat_at).min(due)
    }

    /// Why it is of no use any more.
    fn fault(&self, now: Tick) -> Option<String> {
        if self.step == Step::LoggingIn {
            let is_late = self.since.after(ROUND_MAX) <= now;
            return is_late.then(|| "it does not answer the login".to_owned());
        }
        let oldest = self.unheard.front()?;
        let is_late = oldest.at.after(ECHO_MAX) <= now;
        is_late.then(|| {
            let millis = ECHO_MAX.as_millis();
            format!("what was published is not heard within {millis} ms: does its server hang?")
        })
    }

    fn publish(
        &mut self,
        now: Tick,
        node: NodeId,
        (counter, frame): (u64, FrameWriter),
        said: Said,
    ) {
        // There is always room: the bounds say so.
        _ = self.client.publish(&frame.into_bytes());
        self.unheard.push_back(Unheard { node, counter, at: now, said });
        self.beat_at = now.after(BEAT_EVERY);
    }

    /// Something of ours has come back.
    fn on_echo(&mut self, now: Tick, counter: u64, items: &[Item]) -> bool {
        while self.unheard.pop_front_if(|it| it.counter <= counter).is_some() {}
        let is_proof = matches!(self.step, Step::Proving(it) if items.contains(&Item::Proof(it)));
        if is_proof {
            self.step = Step::Up(now);
        }
        is_proof
    }
}

impl Base {
    /// It is known which engine has the chat: the bus's channel is of that one.
    pub(super) fn hear_bus(&mut self, now: Tick, channel: &str) {
        let Some(pubsub) = &mut self.pubsub else { return };
        if pubsub.channel.as_deref() == Some(channel) {
            return;
        }
        let is_first = pubsub.channel.replace(channel.into()).is_none();
        if is_first {
            pubsub.phase = Phase::Resting(now);
            self.bus.set_state(false);
        } else {
            self.lose_bus(now, None, "another engine has another channel".to_owned());
        }
    }

    /// The driver reports something of the bus's connection.
    pub(super) fn on_bus(&mut self, now: Tick, input: LinkInput<'_>, is_up: bool) {
        let Some(pubsub) = &mut self.pubsub else { return };
        match input {
            LinkInput::Connected { hop, .. } => pubsub.on_connected(now, hop),
            LinkInput::Failed { hop, why } if pubsub.is_about(hop) => {
                self.lose_bus(now, Some(hop), why);
            }
            LinkInput::Closed { hop } if pubsub.is_about(hop) => {
                self.lose_bus(now, Some(hop), "it has closed the connection".to_owned());
            }
            LinkInput::Received { hop, bytes } => {
                let Some(session) = pubsub.session(hop) else { return };
                let fault = session.client.receive(bytes).err();
                let replies = std::iter::from_fn(|| session.client.poll()).collect::<Vec<_>>();
                for reply in replies {
                    match reply {
                        Reply::Ready { server } => self.greet(now, server),
                        Reply::Message(payload) => self.on_published(now, payload, is_up),
                    }
                }
                if let Some(fault) = fault {
                    self.lose_bus(now, None, fault.to_string());
                }
            }
            LinkInput::Failed { .. } | LinkInput::Closed { .. } | LinkInput::Expired => {}
        }
    }

    /// The channel is heard: a greeting proves it.
    fn greet(&mut self, now: Tick, server: Box<str>) {
        let Some(node) = self.nodes.own() else { return };
        let Some(pubsub) = &mut self.pubsub else { return };
        pubsub.server = server;
        let proof = pubsub.rng.bits();
        let Phase::Open(session) = &mut pubsub.phase else { return };
        session.step = Step::Proving(proof);
        let (counter, mut frame) = self.bus.begin_frame(node);
        frame.hello();
        frame.proof(proof);
        session.publish(now, node, (counter, frame), Said::default());
    }

    /// Somebody has published something.
    fn on_published(&mut self, now: Tick, payload: Bytes, is_up: bool) {
        let Some(frame) = frame::read_bytes(payload) else {
            log::debug!("what came over the bus is not of this program's");
            return;
        };
        let Self { pubsub: Some(pubsub), bus, nodes, peers, events, .. } = self else { return };
        let Phase::Open(session) = &mut pubsub.phase else { return };
        let is_ours = session.unheard.iter().any(|it| it.node == frame.node)
            || nodes.own() == Some(frame.node);
        if is_ours {
            if session.on_echo(now, frame.counter, &frame.items) {
                log::info!(bus:% = pubsub.address, server = pubsub.server; "the bus is up");
                pubsub.fault = None;
                bus.set_state(true);
            }
            return;
        }
        let counts = nodes.on_heard(now, frame.node, false, |event| {
            if is_up {
                events.push_back(event);
            }
        });
        if !counts {
            return;
        }
        peers.on_heard(now, frame.node);
        for item in frame.items {
            match item {
                // Who begins to listen has to hear who is there already.
                Item::Hello => session.beat_at = session.beat_at.min(now),
                Item::Grew(rooms) if is_up => events.push_back(LinkEvent::Grew { rooms }),
                Item::Message(payload) if is_up => {
                    events.push_back(LinkEvent::Bus { node: frame.node, payload });
                }
                Item::Beat | Item::Proof(_) | Item::Bus(_) | Item::Grew(_) | Item::Message(_) => {}
            }
        }
    }

    /// The bus is lost; `closed`: its connection is closed already.
    fn lose_bus(&mut self, now: Tick, closed: Option<Hop>, why: String) {
        let Some(pubsub) = &mut self.pubsub else { return };
        let phase = std::mem::replace(&mut pubsub.phase, Phase::Resting(now));
        let (hop, step, unheard) = match phase {
            Phase::Resting(until) => {
                pubsub.phase = Phase::Resting(until);
                return;
            }
            Phase::Connecting(hop, _) => (hop, Step::LoggingIn, VecDeque::new()),
            Phase::Open(session) => (session.hop, session.step, session.unheard),
        };
        if closed != Some(hop) {
            self.effects.push_back(LinkEffect::Close { hop });
        }
        let up_at = if let Step::Up(at) = step { Some(at) } else { None };
        pubsub.rest(now, up_at.is_some_and(|at| now.since(at) >= STEADY_AFTER));
        if pubsub.fault.as_ref() != Some(&why) {
            log::warn!(bus:% = pubsub.address, why; "the bus is away: the engine carries everything");
        }
        pubsub.fault = Some(why);
        self.peers.forget_heard();
        self.bus.set_state(false);
        if up_at.is_none() {
            return;
        }
        pubsub.losses += 1;
        for it in unheard {
            self.bus.tell_again(it.said);
        }
        // What the others have published meanwhile was not heard, nor perhaps what we have.
        self.bus.hello();
        self.events.push_back(LinkEvent::Missed);
        self.push_others();
    }

    /// Does what time has made due of the bus. `asked` and `answered`: requests of the writer;
    /// `None` if the link is not up.
    pub(super) fn tick_bus(&mut self, now: Tick, writer: Option<(u64, u64)>) {
        let Some(pubsub) = &mut self.pubsub else { return };
        let fault = match &pubsub.phase {
            Phase::Resting(until) => {
                if *until <= now && pubsub.channel.is_some() {
                    self.connect_bus(now);
                }
                None
            }
            Phase::Connecting(_, since) => {
                let is_late = since.after(ROUND_MAX) <= now;
                is_late.then(|| "it cannot be reached in time".to_owned())
            }
            Phase::Open(session) => session.fault(now),
        };
        if let Some(why) = fault {
            self.lose_bus(now, None, why);
        }
        self.publish(now, writer);
        self.retell(now, writer.is_some());
    }

    /// Tells all once more, if it went another way than before: one may have overtaken the other.
    fn retell(&mut self, now: Tick, is_up: bool) {
        let Some(pubsub) = self.pubsub.as_mut().filter(|it| it.retell_at <= now) else { return };
        pubsub.retell_at = Tick::MAX;
        if is_up {
            self.push_others();
        }
    }

    fn connect_bus(&mut self, now: Tick) {
        let hop = self.hop(Lane::Bus);
        let Some(pubsub) = &mut self.pubsub else { return };
        pubsub.phase = Phase::Connecting(hop, now);
        let deadline = now.after(ROUND_MAX);
        self.effects.push_back(LinkEffect::Connect { hop, host: 0, deadline });
    }

    /// Publishes what is due, and says that we are there.
    fn publish(&mut self, now: Tick, writer: Option<(u64, u64)>) {
        let Self { pubsub: Some(pubsub), bus, nodes, peers, .. } = self else { return };
        let is_used = writer.is_some() && pubsub.is_up() && peers.all_hear(now, nodes.others());
        if is_used != pubsub.is_used {
            pubsub.is_used = is_used;
            bus.set_carried(is_used, writer.map_or(0, |(question, _)| question));
            pubsub.retell_at = now.after(RETELL_AFTER);
        }
        if let Some((_, answered)) = writer {
            bus.on_answered(answered);
        }
        let (Some(node), Phase::Open(session)) = (nodes.own(), &mut pubsub.phase) else { return };
        if session.step == Step::LoggingIn {
            return;
        }
        if session.beat_at <= now {
            let (counter, mut frame) = bus.begin_frame(node);
            frame.beat();
            session.publish(now, node, (counter, frame), Said::default());
        }
        while is_used
            && session.unheard.len() < UNHEARD_MAX
            && bus.publication_due().is_some_and(|due| due <= now)
        {
            let (counter, mut frame) = bus.begin_frame(node);
            let said = bus.fill_publication(now, &mut frame);
            session.publish(now, node, (counter, frame), said);
        }
    }
}
