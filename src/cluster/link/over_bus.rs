//! What the link does with its bus: what it hears there, what goes over it, and what becomes of
//! that when it is lost.

use std::collections::VecDeque;

use bytes::Bytes;

use super::base::Base;
use super::boundary::{Hop, Lane, LinkEffect, LinkEvent, LinkInput};
use super::bounds::{RETELL_AFTER, ROUND_MAX, STEADY_AFTER, UNHEARD_MAX};
use super::frame::{self, Item};
use super::pubsub::{Phase, Step};
use super::tell_queue::Publication;
use crate::resp::Reply;
use crate::time::Tick;

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
            self.tells.set_state(false);
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
        let (counter, mut frame) = self.tells.begin_frame(node);
        frame.hello();
        frame.proof(proof);
        session.publish(now, node, (counter, frame), Publication::default());
    }

    /// Somebody has published something.
    fn on_published(&mut self, now: Tick, payload: Bytes, is_up: bool) {
        let Some(frame) = frame::read_bytes(payload) else {
            log::debug!("what came over the bus is not of this program's");
            return;
        };
        let Self { pubsub: Some(pubsub), tells, nodes, peers, events, .. } = self else { return };
        let Phase::Open(session) = &mut pubsub.phase else { return };
        // By a number that this node had before, what it has published may still come back.
        let is_ours = session.unheard.iter().any(|it| it.node == frame.node)
            || nodes.own() == Some(frame.node);
        if is_ours {
            if session.on_echo(now, frame.counter, &frame.items) {
                log::info!(bus:% = pubsub.address, server = pubsub.server; "the bus is up");
                pubsub.fault = None;
                tells.set_state(true);
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
        // `rest` below says until when; of a bus that rests already nothing is lost.
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
        self.tells.set_state(false);
        if up_at.is_none() {
            return;
        }
        pubsub.losses += 1;
        for it in unheard {
            self.tells.tell_again(it.said);
        }
        // What the others have published meanwhile was not heard, nor perhaps what we have.
        self.tells.hello();
        self.events.push_back(LinkEvent::Missed);
        self.push_others();
    }

    /// Gives up a bus that is late with something, once everything received was handed in.
    pub(super) fn expire_bus(&mut self, now: Tick) {
        let Some(pubsub) = &mut self.pubsub else { return };
        let fault = match &mut pubsub.phase {
            Phase::Resting(_) => None,
            Phase::Connecting(_, since) => {
                let is_late = since.after(ROUND_MAX) <= now;
                // The system's own attempt may take minutes, in which the engine carries
                // everything.
                is_late.then(|| "it cannot be reached in time".to_owned())
            }
            Phase::Open(session) => {
                session.restart_late_clock(now);
                session.fault(now)
            }
        };
        if let Some(why) = fault {
            self.lose_bus(now, None, why);
        }
    }

    /// Connects to the bus, and publishes what is due. `writer`: how many of its requests were
    /// sent, and answered; `None` if the link is not up.
    pub(super) fn tick_bus(&mut self, now: Tick, writer: Option<(u64, u64)>) {
        let Some(pubsub) = &self.pubsub else { return };
        if let Phase::Resting(until) = pubsub.phase
            && until <= now
            && pubsub.channel.is_some()
        {
            self.connect_bus(now);
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
        let Self { pubsub: Some(pubsub), tells, nodes, peers, .. } = self else { return };
        let is_used = writer.is_some() && pubsub.is_up() && peers.all_hear(now, nodes.others());
        if is_used != pubsub.is_used {
            pubsub.is_used = is_used;
            // What waits for one way goes by the other.
            tells.set_carried(is_used, writer.map_or(0, |(question, _)| question));
            pubsub.retell_at = now.after(RETELL_AFTER);
        }
        if let Some((_, answered)) = writer {
            tells.on_answered(answered);
        }
        let (Some(node), Phase::Open(session)) = (nodes.own(), &mut pubsub.phase) else { return };
        if session.step == Step::LoggingIn {
            return;
        }
        if session.beat_at <= now {
            let (counter, mut frame) = tells.begin_frame(node);
            frame.beat();
            session.publish(now, node, (counter, frame), Publication::default());
        }
        while is_used
            && session.unheard.len() < UNHEARD_MAX
            && tells.publication_due().is_some_and(|due| due <= now)
        {
            let (counter, mut frame) = tells.begin_frame(node);
            let said = tells.fill_publication(now, &mut frame);
            session.publish(now, node, (counter, frame), said);
        }
    }
}
