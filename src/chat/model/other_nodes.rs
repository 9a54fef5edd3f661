//! The boundary to the other nodes for what is in no log: presence, typing, receipts, invitations,
//! marks of threads.
//!
//! A node owns the users that are connected to it, and tells the others where they are. All of it
//! may be lost, and is told again as a whole when a node begins to listen
//! ([`LogReply::NodeBegun`](super::log::LogReply::NodeBegun)).

use super::name::{RoomName, UserName};
use super::reply::Presence;
use super::thread::MarkNews;

/// A life of a node, as the engine numbers them: never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u64);

/// What a node tells the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A user is connected to this node, is away there, or is no more; in all its rooms.
    Present {
        /// Who.
        user: UserName,
        /// How, by all its sessions at this node together.
        presence: Presence,
    },
    /// All who are connected to this node follow, one by one.
    RollBegins,
    /// These were all: whoever was not named is not there.
    RollEnds {
        /// How many were named: if fewer were heard, the roll is of no use.
        users: u64,
    },
    /// A member is typing, or has stopped.
    Typing {
        /// In which room.
        room: RoomName,
        /// Who.
        user: UserName,
        /// Whether it is.
        on: bool,
    },
    /// How far a member has received and read; the facts say so as well, later.
    Marks {
        /// In which room.
        room: RoomName,
        /// Who.
        user: UserName,
        /// Received up to this seq.
        recv: u64,
        /// Read up to this seq.
        read: u64,
    },
    /// Something concerns a user in a room that its node may not have in memory: a direct
    /// message, an invitation, or a membership that another has changed.
    Look {
        /// The room.
        room: RoomName,
        /// Whom.
        user: UserName,
    },
    /// A user has changed its mark of a thread.
    Mark(MarkNews),
}
