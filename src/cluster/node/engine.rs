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
    fn ask(
        &mut self,
        now: Now,
        to: (Lane, u64),
        statement: Statement,
        params: &[Param<'_>],
    ) -> Result<(), NotAsked>;

    /// See [`Link::poll`].
    fn poll(&mut self) -> Option<LinkEvent>;

    /// See [`Link::tell`].
    fn tell(&mut self, payload: &[u8]);

    /// See [`Link::grew`].
    fn grew(&mut self, rooms: &[i64]);

    /// When it has to be looked at again though nothing has come.
    fn deadline(&self) -> Tick;
}

impl Engine for Link {
    fn ask(
        &mut self,
        now: Now,
        (lane, tag): (Lane, u64),
        statement: Statement,
        params: &[Param<'_>],
    ) -> Result<(), NotAsked> {
        Self::ask(self, now, lane, tag, statement, params)
    }

    fn poll(&mut self) -> Option<LinkEvent> {
        Self::poll(self)
    }

    fn tell(&mut self, payload: &[u8]) {
        // Whether it goes out is counted by the link.
        _ = Self::tell(self, payload);
    }

    fn grew(&mut self, rooms: &[i64]) {
        Self::grew(self, rooms.iter().copied());
    }

    fn deadline(&self) -> Tick {
        Self::deadline(self)
    }
}
