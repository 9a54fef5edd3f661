//! What the domain tells an operator of one connection, one room, one user.

use super::identity::Source;
use super::name::{RoomName, UserName};
use super::reply::{Durability, Presence, Role};

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
    /// What it is called now.
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

/// One user.
#[derive(Clone, Copy, Debug)]
pub struct UserFigures<'a> {
    /// Whose figures these are.
    pub name: &'a UserName,
    /// Who says who it is.
    pub source: Source,
    /// As others are told.
    pub presence: Presence,
    /// How many sessions it has at this node.
    pub sessions: usize,
    /// The rooms of which it is a member.
    pub rooms: usize,
}

/// One member of a room.
#[derive(Clone, Copy, Debug)]
pub struct MemberFigures<'a> {
    /// Who.
    pub name: &'a UserName,
    /// In which role.
    pub role: Role,
    /// As others are told.
    pub presence: Presence,
    /// Up to which seq it has read.
    pub read: u64,
}
