//! What a node needs of its link to the engine; tests put another one in its place.

use std::fmt;

use crate::cluster::link::{Lane, Link, LinkEvent, NotAsked};
use crate::pg::{Param, Statement};
use crate::time::Tick;
use crate::time::clock::Now;

/// The engine as a node sees it: what [`Link`] does.
pub trait Engine: fmt::Debug {
    /// See [`Link::ask`].
    ///
    /// # Errors
    ///
    /// [`NotAsked`] if it is not sent.
    fn send(
        &mut self,
        now: Now,
        to: (Lane, u64),
        statement: Statement,
        params: &[Param<'_>],
    ) -> Result<(), NotAsked>;

    /// See [`Link::poll`].
    fn next_event(&mut self) -> Option<LinkEvent>;

    /// See [`Link::tell`].
    fn say(&mut self, payload: &[u8]);

    /// See [`Link::mention`].
    fn say_in_passing(&mut self, payload: &[u8]);

    /// See [`Link::grew`].
    fn say_grown(&mut self, rooms: &[i64]);

    /// When it has to be looked at again though nothing has come.
    fn wakes_at(&self) -> Tick;
}

impl Engine for Link {
    fn send(
        &mut self,
        now: Now,
        (lane, tag): (Lane, u64),
        statement: Statement,
        params: &[Param<'_>],
    ) -> Result<(), NotAsked> {
        Self::ask(self, now, lane, tag, statement, params)
    }

    fn next_event(&mut self) -> Option<LinkEvent> {
        Self::poll(self)
    }

    fn say(&mut self, payload: &[u8]) {
        // Whether it goes out is counted by the link.
        _ = Self::tell(self, payload);
    }

    fn say_in_passing(&mut self, payload: &[u8]) {
        _ = Self::mention(self, payload);
    }

    fn say_grown(&mut self, rooms: &[i64]) {
        Self::grew(self, rooms.iter().copied());
    }

    fn wakes_at(&self) -> Tick {
        Self::deadline(self)
    }
}
