//! One connection of the simulated reactor: its outbound ring, and where in its life it is.

use std::collections::VecDeque;

use chinwag::net::{CloseReason, ConnId, SharedFrame};
use chinwag::time::Tick;

use crate::link::Link;

/// As in the real reactor. A connection only ever moves to a later phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    Flushing(CloseReason),
    Lingering(CloseReason),
    Discarding(CloseReason),
    Ended(CloseReason),
}

/// The result of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Emptied,
    Blocked { progress: usize },
}

#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) id: ConnId,
    /// The index of its link.
    pub(crate) link: usize,
    pub(crate) phase: Phase,
    pub(crate) deadline: Tick,
    pub(crate) stall_at: Tick,
    pub(crate) paused: bool,
    /// Paused since it sends too fast.
    pub(crate) paced: bool,
    pub(crate) finished: bool,
    pub(crate) blocked: bool,
    pub(crate) urgent: bool,
    pub(crate) bulk: bool,
    pub(crate) owes_drained: bool,
    pub(crate) wake: bool,
    pub(crate) reset: bool,
    frames: VecDeque<SharedFrame>,
    sent_of_front: usize,
    pub(crate) queued: usize,
    pub(crate) queued_max: usize,
}

impl Conn {
    pub(crate) fn new(id: ConnId, link: usize, queued_max: usize) -> Self {
        Self {
            id,
            link,
            phase: Phase::Open,
            deadline: Tick::MAX,
            stall_at: Tick::MAX,
            paused: false,
            paced: false,
            finished: false,
            blocked: false,
            urgent: false,
            bulk: false,
            owes_drained: false,
            wake: false,
            reset: false,
            frames: VecDeque::new(),
            sent_of_front: 0,
            queued: 0,
            queued_max,
        }
    }

    /// Whether what the client sends is read: handed over or discarded. After its FIN, at the rate
    /// or not.
    pub(crate) const fn takes_bytes(&self, has_fin: bool) -> bool {
        match self.phase {
            Phase::Open => (!self.paused || self.paced && has_fin) && !self.finished,
            Phase::Lingering(_) | Phase::Discarding(_) => !self.finished,
            Phase::Flushing(_) | Phase::Ended(_) => false,
        }
    }

    /// Appends a frame; `false` if it would exceed the hard limit.
    pub(crate) fn push(&mut self, frame: SharedFrame) -> bool {
        if self.queued + frame.len() > self.queued_max {
            return false;
        }
        if !frame.is_empty() {
            self.queued += frame.len();
            self.frames.push_back(frame);
        }
        true
    }

    /// Writes as much as the link takes.
    pub(crate) fn write(&mut self, link: &mut Link) -> Written {
        let mut progress = 0;
        while let Some(front) = self.frames.front() {
            let rest = &front[self.sent_of_front..];
            let room = link.down_max.saturating_sub(link.down.len());
            let count = rest.len().min(room);
            link.down.extend(&rest[..count]);
            progress += count;
            self.queued -= count;
            if count < rest.len() {
                self.sent_of_front += count;
                return Written::Blocked { progress };
            }
            self.sent_of_front = 0;
            self.frames.pop_front();
        }
        Written::Emptied
    }
}
