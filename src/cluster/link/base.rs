//! What a link keeps whatever connections it has.

use std::collections::VecDeque;
use std::time::Duration;

use super::boundary::{Hop, Lane, LinkEffect, LinkEvent, LinkOptions};
use super::bounds::CLOCK_OFF_MAX;
use super::nodes::Nodes;
use super::peers::Peers;
use super::pubsub::PubSub;
use super::tell_queue::TellQueue;
use crate::cluster::check::Level;
use crate::time::Tick;

/// What a link keeps whatever connections it has.
#[derive(Debug)]
pub(super) struct Base {
    pub(super) options: LinkOptions,
    /// Tells this process from others that have its number.
    pub(super) nonce: i64,
    pub(super) nodes: Nodes,
    pub(super) tells: TellQueue,
    pub(super) pubsub: Option<PubSub>,
    pub(super) peers: Peers,
    pub(super) events: VecDeque<LinkEvent>,
    pub(super) effects: VecDeque<LinkEffect>,
    pub(super) beat_ms: Option<u64>,
    /// The time of this node, in milliseconds since 1970.
    pub(super) wall_ms: u64,
    /// How far the engine is ahead of it, 0 if that is not much.
    clock_off_ms: i64,
    /// Which nodes had no bus, or another one, when it was looked last.
    apart: Vec<String>,
    lives: u32,
}

impl Base {
    pub(super) fn new(options: LinkOptions, nonce: i64) -> Self {
        Self {
            options,
            nonce,
            nodes: Nodes::default(),
            tells: TellQueue::default(),
            pubsub: None,
            peers: Peers::default(),
            events: VecDeque::new(),
            effects: VecDeque::new(),
            beat_ms: None,
            wall_ms: 0,
            clock_off_ms: 0,
            apart: Vec::new(),
            lives: 0,
        }
    }

    /// The engine has said what time it is, at some moment of the time that its answer took.
    pub(super) fn compare_clocks(&mut self, engine_ms: i64, took: Duration) {
        let off_ms = engine_ms.saturating_sub_unsigned(self.wall_ms);
        let was_off = self.clock_off_ms != 0;
        // It is over at half the bound, so that a clock that stands at it is said once.
        let bound = if was_off { CLOCK_OFF_MAX / 2 } else { CLOCK_OFF_MAX + took };
        let is_off = u128::from(off_ms.unsigned_abs()) > bound.as_millis();
        self.clock_off_ms = if is_off { off_ms } else { 0 };
        if let Some(why) = self.clock_fault().filter(|_| !was_off) {
            log::warn!(why; "a clock is wrong");
        }
    }

    /// In a sentence, that this node has another time than the engine.
    pub(super) fn clock_fault(&self) -> Option<String> {
        let seconds = self.clock_off_ms.unsigned_abs() / 1_000;
        let how = if self.clock_off_ms > 0 { "behind" } else { "ahead of" };
        (self.clock_off_ms != 0).then(|| {
            format!(
                "this node's clock is {seconds} s {how} that of the engine, so that mutes, bans and \
                 status texts that are given here end at another time at other nodes: set it, for \
                 example by NTP"
            )
        })
    }

    /// A name that no connection had.
    pub(super) const fn hop(&mut self, lane: Lane) -> Hop {
        self.lives += 1;
        Hop { lane, life: self.lives }
    }

    /// In sentences, which nodes have no bus, or another one.
    pub(super) fn apart(&self, now: Tick) -> Vec<String> {
        self.peers.apart(now, self.pubsub.as_ref().map(PubSub::is_up), self.nodes.rows())
    }

    /// Logs what is new of that.
    pub(super) fn look_apart(&mut self, now: Tick) {
        let apart = self.apart(now);
        for sentence in apart.iter().filter(|it| !self.apart.contains(it)) {
            log::warn!(why = sentence; "a node does not hear the bus");
        }
        self.apart = apart;
    }

    /// Reports that statements are taken.
    pub(super) fn push_up(&mut self, level: Level, is_changed: bool) {
        if let Some(node) = self.nodes.own() {
            self.events.push_back(LinkEvent::Up { node, level, is_changed });
        }
    }

    /// Reports all other nodes, which may not have heard us.
    pub(super) fn push_others(&mut self) {
        let begun = self.nodes.others().map(|node| LinkEvent::NodeBegun { node });
        self.events.extend(begun);
    }
}
