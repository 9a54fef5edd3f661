//! What one process of the server hands to the next that this one cannot read in the store: memory
//! rooms, who is there, and how far each connection has read.
//!
//! Everything is named as people and rooms are, never by keys, which are another process's. Ticks
//! are those of a time line that both share.

use super::command::{Op, RequestId};
use super::identity::{Identity, Source};
use super::log::{RememberedCid, Restriction, RestrictionMeta};
use super::name::{RoomName, UserName};
use super::output::Encoding;
use super::profile::PublicProfile;
use super::record::{Epoch, SharedRecord};
use super::reply::{Presence, Role};
use crate::time::Tick;

/// What holds for all rooms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadState {
    /// The inboxes' `rev`, and the one of the start.
    pub rev: (u64, u64),
    /// The last epoch that was given out, and the one below the first.
    pub epochs: (Epoch, Epoch),
    /// More have left memory rooms than are remembered.
    pub is_departed_full: bool,
    /// Who wants to hear nothing of whom, and since when: for a server without a store.
    pub blocks: Vec<(UserName, UserName, u64)>,
    /// What users say of themselves: of guests, and for a server without a store.
    pub profiles: Vec<(UserName, PublicProfile)>,
}

/// What is not stored of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomState {
    /// Which.
    pub name: RoomName,
    /// The room itself, if it is in memory.
    pub memory: Option<MemoryRoomState>,
    /// What its readers were told, and will be.
    pub gathered: GatheredState,
}

/// A room of level `memory`, which is nowhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryRoomState {
    /// Its log's epoch and head.
    pub log: (Epoch, u64),
    /// The policy that was chosen by name.
    pub policy: Option<Box<str>>,
    /// Whether it is private, and whether it has owners.
    pub access: (bool, bool),
    /// Its topic; empty if it has none.
    pub topic: Box<str>,
    /// The names that it had before, oldest first.
    pub former: Vec<RoomName>,
    /// Its recent records.
    pub records: Vec<SharedRecord>,
    /// The messages that its log does not take again.
    pub cids: Vec<RememberedCid>,
    /// Who belongs to it, connected or not.
    pub members: Vec<MemberState>,
    /// What holds of users in it.
    pub restrictions: Vec<(UserName, Restriction, RestrictionMeta)>,
    /// Who has left it, or was removed.
    pub departed: Vec<UserName>,
}

/// A membership of a room that is in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberState {
    /// Who, and who says so.
    pub user: (UserName, Source),
    /// Nobody has come by the name yet.
    pub is_awaited: bool,
    /// What the user may do there.
    pub role: Role,
    /// It counts against the user's own bound.
    pub counted: bool,
    /// Up to which seq the user has received and read.
    pub marks: (u64, u64),
    /// When it began.
    pub joined: u64,
}

/// Presence, typing and receipts of a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GatheredState {
    /// The version of the presence that was told last.
    pub v: u64,
    /// Only counts were told last; the next event tells everything.
    pub counts_only: (bool, bool),
    /// Who was told to be there.
    pub published: Vec<(UserName, Presence)>,
    /// Who is no member any more and was told to be there.
    pub gone: Vec<UserName>,
    /// When presence may be told next.
    pub presence_at: Tick,
    /// Who is typing, and until when.
    pub typists: Vec<(UserName, Tick)>,
    /// That has changed since it was told, of how many, and when it may be told next.
    pub typing: (bool, u64, Tick),
    /// Who has read on since that was told, and when it may be told next.
    pub receipts: (Vec<UserName>, Tick),
    /// Whose profiles have changed since that was told, and when it may be told next.
    pub profiles: (Vec<UserName>, Tick),
}

/// A user that is there, or was lately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserState {
    /// The name, and who says so.
    pub user: (UserName, Source),
    /// As others are told.
    pub presence: Presence,
    /// Since when no session is there.
    pub absent_since: Option<Tick>,
    /// The secrets of sessions that may be resumed, and whether they had reported themselves idle.
    pub resumable: Vec<(Box<str>, bool)>,
    /// Secrets of sessions, each with that of before, which is good until it is used itself.
    pub formers: Vec<(Box<str>, Box<str>)>,
    /// All of its rooms are in memory.
    pub is_whole: bool,
}

/// A connection that has said hello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReaderState {
    /// Whose.
    pub user: UserName,
    /// The session's secret.
    pub secret: Box<str>,
    /// The client reported itself idle.
    pub away: bool,
    /// How events are put on the wire for it.
    pub encoding: Encoding,
    /// What it has proved that ends or is restricted, and whether it was told of the end.
    pub credential: Option<(Identity, bool)>,
    /// By which login or key.
    pub login: Option<u64>,
    /// One for each room that it reads.
    pub cursors: Vec<CursorState>,
}

/// A connection's cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CursorState {
    /// In which room.
    pub room: RoomName,
    /// The seq that it needs next, if it lags.
    pub next: Option<u64>,
    /// Presence, typing or receipts were left out.
    pub stale: bool,
    /// Answers to its own sends that wait for their place.
    pub replies: Vec<ReplyState>,
}

/// The answer to a `send` that waits for the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyState {
    /// After which seq, or in the place of which.
    pub place: (bool, u64),
    /// To which request.
    pub request: (Option<RequestId>, Op),
    /// Seq and time of the record, and whether it was there before.
    pub sent: (u64, u64, bool),
}
