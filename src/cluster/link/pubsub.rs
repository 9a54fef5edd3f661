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
use std::mem;
use std::time::Duration;

use super::boundary::{BusHealth, Hop, LinkEffect};
use super::bounds::{
    BACKOFF_MAX, BACKOFF_MIN, BEAT_EVERY, ECHO_MAX, FIRST_TRY_MAX, PAUSE_MIN, ROUND_MAX,
    UNHEARD_MAX,
};
use super::frame::{FrameWriter, Item};
use super::tell_queue::Publication;
use crate::chat::model::other_nodes::NodeId;
use crate::resp::{Address, Client, Login};
use crate::rng::Rng;
use crate::time::Tick;

/// What was published, and has not come back.
#[derive(Debug)]
pub(super) struct Unheard {
    pub(super) node: NodeId,
    pub(super) counter: u64,
    pub(super) at: Tick,
    pub(super) said: Publication,
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The login, and the subscription.
    LoggingIn,
    /// A greeting with this number has to come back.
    Proving(u64),
    /// It came back, then.
    Up(Tick),
}

/// A connection that was made.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) hop: Hop,
    pub(super) client: Client,
    pub(super) step: Step,
    pub(super) since: Tick,
    pub(super) beat_at: Tick,
    /// Oldest first, at most [`UNHEARD_MAX`] and greetings.
    pub(super) unheard: VecDeque<Unheard>,
    /// What is unheard has had its time once more, and no echo came since.
    has_restarted: bool,
}

/// What is done about it.
#[derive(Debug)]
pub(super) enum Phase {
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
    pub(super) address: Address,
    pub(super) rng: Rng,
    /// That of this chat, once it is known which engine has it.
    pub(super) channel: Option<Box<str>>,
    pub(super) phase: Phase,
    /// The last pause between two tries.
    pub(super) pause: Duration,
    /// What is mentioned goes over it.
    pub(super) is_used: bool,
    /// When all is told once more, since it went another way than before.
    pub(super) retell_at: Tick,
    pub(super) server: Box<str>,
    pub(super) fault: Option<String>,
    pub(super) losses: u64,
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

    pub(super) fn session(&mut self, hop: Hop) -> Option<&mut Session> {
        match &mut self.phase {
            Phase::Open(session) if session.hop == hop => Some(session),
            _ => None,
        }
    }

    pub(super) fn is_about(&self, hop: Hop) -> bool {
        match &self.phase {
            Phase::Resting(_) => false,
            Phase::Connecting(own, _) => *own == hop,
            Phase::Open(session) => session.hop == hop,
        }
    }

    pub(super) fn on_connected(&mut self, now: Tick, hop: Hop) {
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
            has_restarted: false,
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
    pub(super) fn rest(&mut self, now: Tick, was_steady: bool) {
        let pause = if was_steady {
            self.pause = Duration::ZERO;
            self.rng.up_to(FIRST_TRY_MAX)
        } else {
            self.pause = (self.pause * 2).clamp(BACKOFF_MIN, BACKOFF_MAX);
            self.pause.saturating_sub(self.rng.up_to(self.pause / 4))
        };
        self.phase = Phase::Resting(now.after(pause));
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

    /// If this process stood still, what was published may have left only now. Once, until an echo
    /// comes.
    pub(super) fn restart_late_clock(&mut self, now: Tick) {
        let late = |it: &Unheard| it.at.after(ECHO_MAX).after(PAUSE_MIN) <= now;
        if self.unheard.front().is_some_and(late) && !mem::replace(&mut self.has_restarted, true) {
            self.unheard.iter_mut().for_each(|it| it.at = now);
        }
    }

    /// Why it is of no use any more.
    pub(super) fn fault(&self, now: Tick) -> Option<String> {
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

    pub(super) fn publish(
        &mut self,
        now: Tick,
        node: NodeId,
        (counter, frame): (u64, FrameWriter),
        said: Publication,
    ) {
        // There is always room: the bounds say so.
        _ = self.client.publish(&frame.into_bytes());
        self.unheard.push_back(Unheard { node, counter, at: now, said });
        self.beat_at = now.after(BEAT_EVERY);
    }

    /// Something of ours has come back.
    pub(super) fn on_echo(&mut self, now: Tick, counter: u64, items: &[Item]) -> bool {
        // Publications of one connection come back in order, so that this answers for all before
        // it.
        while self.unheard.pop_front_if(|it| it.counter <= counter).is_some() {
            self.has_restarted = false;
        }
        let is_proof = matches!(self.step, Step::Proving(it) if items.contains(&Item::Proof(it)));
        if is_proof {
            self.step = Step::Up(now);
        }
        is_proof
    }
}
