//! Events: what a client is told without asking.

use super::name::{RoomName, UserName};
use super::profile::PublicProfile;
use super::record::{Epoch, SharedRecord};
use super::reply::{GapWhy, Presence};
pub use super::role::LeftReason;

/// An event for one connection or for many. Records that are committed travel as a
/// [`Fanout`](super::output::Fanout) instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A part of the log, for a cursor that lags.
    Replay {
        /// The room.
        room: RoomName,
        /// The records, ascending, dense.
        items: Vec<SharedRecord>,
        /// The seq of the last.
        to: u64,
    },
    /// The cursor has caught up; what follows is live.
    Live {
        /// The room.
        room: RoomName,
        /// The cursor's position.
        seq: u64,
    },
    /// Records that the cursor should have brought are not there any more.
    Gap {
        /// The room.
        room: RoomName,
        /// The first seq that is missing.
        from: u64,
        /// The last.
        to: u64,
        /// Why.
        why: GapWhy,
    },
    /// The connection was subscribed without asking: another session joined, or somebody wrote.
    Joined {
        /// The room.
        room: RoomName,
        /// Its log's epoch.
        epoch: Epoch,
        /// The cursor's position.
        seq: u64,
    },
    /// The user may enter a room that others may not.
    Invited {
        /// The room.
        room: RoomName,
        /// Who invites.
        from: UserName,
        /// Why, empty if no reason was given.
        reason: Box<str>,
    },
    /// The membership ended; nothing of the room follows.
    Left {
        /// The room.
        room: RoomName,
        /// Why.
        reason: LeftReason,
    },
    /// The room has another name: whatever is told of it from here on names it so.
    Renamed {
        /// The name that it had.
        room: RoomName,
        /// The name that it has now.
        name: RoomName,
    },
    /// Somebody has ended the room. That nobody is a member any more is told as ever, after this.
    Gone {
        /// The room.
        room: RoomName,
        /// Who.
        from: UserName,
        /// Why, empty if no reason was given.
        reason: Box<str>,
    },
    /// Who came and went since version `v - 1`, or everybody who is there.
    Presence {
        /// The room.
        room: RoomName,
        /// The version after this event.
        v: u64,
        /// How many users are online or away.
        count: u64,
        /// What is told besides the count.
        change: PresenceChange,
    },
    /// Who is typing now; all who are not named have stopped.
    Typing {
        /// The room.
        room: RoomName,
        /// They, by name.
        users: Vec<UserName>,
    },
    /// How far others have read.
    Receipts {
        /// The room.
        room: RoomName,
        /// Who has read up to which seq.
        read: Vec<(UserName, u64)>,
    },
    /// How far the user has read on another connection.
    ReadElsewhere {
        /// The room.
        room: RoomName,
        /// The user.
        user: UserName,
        /// Up to which seq.
        read: u64,
    },
    /// What the user's mark of a thread has become by another of its connections.
    Thread {
        /// The room.
        room: RoomName,
        /// The seq of the thread's first message.
        thread: u64,
        /// Whether it is followed, and up to which seq it is read now, if that is what has changed.
        following: bool,
        /// Likewise.
        read: Option<u64>,
    },
    /// Members have another display name, status text or colour.
    Profiles {
        /// The room.
        room: RoomName,
        /// They, by name, with all that they say of themselves now.
        users: Vec<(UserName, PublicProfile)>,
    },
    /// Somebody has reported something that the user may settle: `reports` lists it.
    Reported {
        /// Where, if in a room.
        room: Option<RoomName>,
    },
    /// What the connection has proved ends soon: another token renews it.
    Expires {
        /// In how many milliseconds.
        in_ms: u64,
    },
    /// The server is stopping.
    Drain {
        /// When this client should come back, from now.
        reconnect_after_ms: u64,
        /// The time over which all clients are spread.
        window_ms: u64,
        /// Why it stops.
        reason: &'static str,
    },
}

/// What a presence event tells besides the count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PresenceChange {
    /// The users whose presence is now another than at version `v - 1`.
    Delta {
        /// Now online.
        on: Vec<UserName>,
        /// Now away.
        away: Vec<UserName>,
        /// Now off.
        off: Vec<UserName>,
    },
    /// Everyone who is there: said once to a connection that missed deltas.
    State(Vec<(UserName, Presence)>),
    /// Nothing: the room is so large that only counts are told.
    CountOnly,
}
