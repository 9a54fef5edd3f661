//! What the domain tells an operator of one connection, one room, one user.

use super::name::{RoomName, UserName};
use super::reply::Durability;

/// One connection that has said hello.
#[derive(Clone, Copy, Debug)]
pub struct ReaderFigures<'a> {
    /// Whose it is.
    pub user: &'a UserName,
    /// Rooms that it is subscribed to.
    pub rooms: usize,
    /// Those of them of which it lags behind.
    pub lagging: u32,
    /// Records that it has yet to be sent, over all of these.
    pub lag: u64,
}

/// One room.
#[derive(Clone, Copy, Debug)]
pub struct RoomFigures<'a> {
    /// Its name.
    pub name: &'a RoomName,
    /// How many members it has.
    pub members: usize,
    /// How many connections are subscribed to it.
    pub subscribers: usize,
    /// The last seq of its log.
    pub seq: u64,
    /// The first seq that is still there.
    pub oldest: u64,
    /// What its records survive.
    pub durability: Durability,
    /// Whether strangers learn that it exists.
    pub private: bool,
    /// Bytes of its recent records.
    pub ring_bytes: usize,
}
