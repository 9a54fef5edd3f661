//! What a link keeps whatever connections it has.

use std::collections::VecDeque;

use super::boundary::{Hop, Lane, LinkEffect, LinkEvent, LinkOptions};
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
            apart: Vec::new(),
            lives: 0,
        }
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
