//! All connections of the client, on one poller.

use std::time::Duration;

use chinwag::time::clock::Clock;
use mio::{Events, Interest, Poll, Token};

use crate::Outcome;
use crate::peer::{Peer, Seen};

/// Nothing for this long, and what was under way has arrived: presence is told once a second.
const QUIET: Duration = Duration::from_millis(1_500);
/// How long anything may take.
const PATIENCE_US: u64 = 30_000_000;

/// All connections.
pub(crate) struct Crowd {
    poll: Poll,
    events: Events,
    scratch: Vec<u8>,
    pub(crate) peers: Vec<Peer>,
}

impl Crowd {
    pub(crate) fn new() -> Outcome<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            scratch: vec![0; 64 * 1024],
            peers: Vec::new(),
        })
    }

    /// Adds a connection.
    pub(crate) fn add(&mut self, mut peer: Peer) -> Outcome<()> {
        let token = Token(self.peers.len());
        self.poll.registry().register(&mut peer.stream, token, Interest::READABLE)?;
        self.peers.push(peer);
        Ok(())
    }

    /// Puts a new connection in the place of one, which is closed.
    pub(crate) fn replace(&mut self, index: usize, mut peer: Peer) -> Outcome<()> {
        let token = Token(index);
        self.poll.registry().register(&mut peer.stream, token, Interest::READABLE)?;
        *self.peers.get_mut(index).ok_or("no such connection")? = peer;
        Ok(())
    }

    /// Waits at most `timeout`, reads whatever has come, and tells `each` about it. Returns the sum.
    pub(crate) fn turn(
        &mut self,
        timeout: Duration,
        mut each: impl FnMut(usize, &mut Peer, Seen) -> Outcome<()>,
    ) -> Outcome<Seen> {
        self.poll.poll(&mut self.events, Some(timeout))?;
        let mut sum = Seen::default();
        for event in &self.events {
            let index = event.token().0;
            let Some(peer) = self.peers.get_mut(index) else { continue };
            let seen = peer.read(&mut self.scratch)?;
            sum.replies += seen.replies;
            sum.messages += seen.messages;
            sum.own += seen.own;
            sum.pings += seen.pings;
            sum.others += seen.others;
            each(index, peer, seen)?;
        }
        Ok(sum)
    }

    /// Turns until `done` says so of what has come altogether, with a deadline.
    pub(crate) fn until(
        &mut self,
        clock: &Clock,
        mut each: impl FnMut(usize, &mut Peer, Seen) -> Outcome<bool>,
    ) -> Outcome<()> {
        let deadline = clock.micros() + PATIENCE_US;
        let mut done = false;
        while !done {
            self.turn(Duration::from_millis(100), |index, peer, seen| {
                done |= each(index, peer, seen)?;
                Ok(())
            })?;
            if clock.micros() > deadline {
                return Err("the server does not answer".into());
            }
        }
        Ok(())
    }

    /// Turns until nothing comes any more.
    pub(crate) fn settle(&mut self, clock: &Clock) -> Outcome<()> {
        let deadline = clock.micros() + PATIENCE_US;
        loop {
            self.turn(QUIET, |_, _, _| Ok(()))?;
            if self.events.is_empty() {
                return Ok(());
            }
            if clock.micros() > deadline {
                return Err("it never becomes quiet".into());
            }
        }
    }

    /// Checks that everybody has seen everything that was sent in their room.
    pub(crate) fn check(&self, room_of: impl Fn(usize) -> usize) -> Outcome<()> {
        let mut sent = vec![0; self.peers.len()];
        for (index, peer) in self.peers.iter().enumerate() {
            *sent.get_mut(room_of(index)).ok_or("more rooms than members")? += peer.sent;
        }
        for (index, peer) in self.peers.iter().enumerate() {
            let expect = sent.get(room_of(index)).copied().unwrap_or_default();
            if peer.seq != expect {
                return Err(format!("{index} has seen {} of {expect} messages", peer.seq).into());
            }
        }
        Ok(())
    }
}
