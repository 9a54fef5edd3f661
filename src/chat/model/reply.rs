//! Replies and refusals: what a client is answered.

use std::sync::Arc;

use super::account::{Hidden, Login};
use super::export::ExportPart;
pub use super::inbox::InboxRow;
use super::listed_rooms::ListedRoom;
use super::meta::{Restriction, RestrictionMeta};
use super::name::{RoomName, UserName};
use super::people::{AuditedAct, Report};
use super::policy::Retention;
use super::profile::PublicProfile;
use super::push::PushSubscription;
use super::record::{Epoch, SharedRecord};
pub use super::refusal::{Lost, Refusal};
pub use super::resumption::{GapWhy, ReadMarks, ResumedRoom, Resumption};
pub use super::role::Role;
use super::thread::{ThreadPage, ThreadRow};

/// What a room's records survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// The process: nothing; a new epoch at each start.
    Memory,
    /// SIGKILL: committed, synced soon.
    Os,
    /// Power loss: committed and synced.
    Disk,
    /// The loss of the machine: on another one, too.
    Replicated,
}

impl Durability {
    /// The word that stands in the protocol.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Os => "os",
            Self::Disk => "disk",
            Self::Replicated => "replicated",
        }
    }
}

/// Whether a user is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Presence {
    /// No session, and the leave grace is over.
    Off,
    /// There, but every session reported itself idle.
    Away,
    /// There.
    Online,
}

impl Presence {
    /// The word that stands in the protocol.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Away => "away",
            Self::Online => "online",
        }
    }
}

/// What few rooms have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rare {
    /// For how long the records are kept.
    pub retention: Retention,
    /// The names of before, oldest first.
    pub former: Box<[RoomName]>,
}

/// An open invitation, as the invited user is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Which room the user may enter.
    pub room: RoomName,
    /// Who invites, if that is known.
    pub by: Option<UserName>,
    /// Since when: milliseconds since 1970, if that is known.
    pub at: Option<u64>,
    /// Why, empty if no reason was given.
    pub reason: Box<str>,
}

/// The data of a reply with code 0, by operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To `hello`.
    Welcome {
        /// Who the client is.
        user: UserName,
        /// The session's secret, with which it can return.
        session: Box<str>,
        /// The server's wall time in milliseconds since 1970.
        time: u64,
        /// Whether the former session was known.
        resumed: bool,
        /// How each room of the resume goes on, in the order in which they were named.
        rooms: Vec<ResumedRoom>,
        /// Whether the user may make invite links.
        may_invite: bool,
        /// Whether the user is an administrator.
        is_admin: bool,
        /// The user's open invitations, by room, as far as the welcome has room for them.
        invitations: Vec<Invitation>,
        /// There are more of them, which `rooms` lists.
        more_invitations: bool,
    },
    /// To `ping`.
    Pong {
        /// The server's wall time in milliseconds since 1970.
        time: u64,
    },
    /// To `rooms`.
    Inbox {
        /// Names this state of the inbox, for `since`.
        rev: u64,
        /// The rooms, by name: those that have changed least lately, if they are too many for one
        /// answer.
        rooms: Vec<InboxRow>,
        /// There are more: the client gets them when it asks again with this `rev`.
        more: bool,
        /// Rooms in which the user is no more, since the `rev` that was given, by name.
        gone: Vec<RoomName>,
        /// Together with the answers before it that had `more`, it has all rooms: the user is in no
        /// other.
        full: bool,
        /// The user's open invitations, by room.
        invitations: Vec<Invitation>,
    },
    /// To `join` and `create`.
    Joined {
        /// The room.
        room: RoomName,
        /// Its log's epoch.
        epoch: Epoch,
        /// The head of its log.
        seq: u64,
        /// The first seq that the log still has, `seq + 1` if it is empty.
        oldest: u64,
        /// How durable it is.
        durable: Durability,
        /// The user's role.
        role: Role,
        /// Up to which seq the user has read.
        read: u64,
        /// Up to which seq the user's clients have received.
        recv: u64,
        /// How many members it has.
        members: u64,
        /// The version of its presence.
        v: u64,
        /// The topic, empty if there is none.
        topic: Box<str>,
        /// Whether strangers do not learn that it exists.
        private: bool,
        /// What few rooms have. Boxed, so that other replies are small.
        rare: Box<Rare>,
        /// The client's position belongs to another epoch; the cursor starts at the head.
        reset: bool,
        /// How far others have read, where that is told.
        marks: ReadMarks,
    },
    /// To `leave` and `close`.
    Left {
        /// The room.
        room: RoomName,
    },
    /// To everything that makes a record: `send`, `edit`, `delete`, `react`, `topic` with a text,
    /// `rename`, `role`, `kick`, `mute`, `ban` and `unban`.
    Sent {
        /// The room.
        room: RoomName,
        /// The record's seq.
        seq: u64,
        /// When the log took it.
        at: u64,
        /// How durable it is.
        durable: Durability,
        /// The message had been sent before, with this `cid`.
        dup: bool,
        /// Whom it names who is no member of the room, and so does not see it.
        not_members: Box<[UserName]>,
    },
    /// To `ack`: the state after it.
    Acked {
        /// The room.
        room: RoomName,
        /// Up to which seq the user's clients have received.
        recv: u64,
        /// Up to which seq the user has read.
        read: u64,
    },
    /// To `typing`, `status`, `invite`, `uninvite`, `block`, `unblock`, `push_unsubscribe`,
    /// `report`, `settle`, `follow`, `unfollow`, and `ack` of a thread.
    Done,
    /// To `thread`.
    Thread {
        /// The room.
        room: RoomName,
        /// Its log's epoch.
        epoch: Epoch,
        /// The seq of the thread's first message.
        thread: u64,
        /// Its messages, and the user's mark.
        page: ThreadPage,
    },
    /// To `threads`: those first whose marks were changed last.
    Threads {
        /// The threads.
        items: Vec<ThreadRow>,
    },
    /// To `history`.
    History {
        /// The room.
        room: RoomName,
        /// Its log's epoch.
        epoch: Epoch,
        /// The records, ascending.
        items: Vec<SharedRecord>,
        /// The first seq that the log still has, head + 1 if it is empty.
        oldest: u64,
        /// Whether there are more records in the direction of the page.
        more: bool,
    },
    /// To `search`.
    Found {
        /// The messages and their rooms, latest first.
        items: Vec<(RoomName, SharedRecord)>,
        /// The place to give as `before` for more, `None` if that was all.
        next: Option<u64>,
    },
    /// To `presence`.
    Presence {
        /// The version that the deltas count on from.
        v: u64,
        /// How many users are online or away.
        count: u64,
        /// They, by name; `None` in rooms so large that only counts are told.
        users: Option<Vec<(UserName, Presence)>>,
    },
    /// To `members`.
    Members {
        /// How many members there are.
        count: u64,
        /// A page of them, by name.
        users: Vec<(UserName, Role)>,
        /// Whether there are more after this page.
        more: bool,
    },
    /// To `restrictions`.
    Restrictions {
        /// The room.
        room: RoomName,
        /// What holds of whom, by user.
        items: Vec<(UserName, Restriction, RestrictionMeta)>,
        /// Whether there is more after the last user.
        more: bool,
    },
    /// To `register` and `login`.
    LoggedIn {
        /// The name of the account.
        user: UserName,
        /// The secret of the login, for `hello`.
        token: Hidden,
        /// The rooms that the invite link leads into.
        rooms: Vec<RoomName>,
    },
    /// To `logins`.
    Logins {
        /// The account's logins, oldest first.
        logins: Vec<Login>,
        /// Which of them this connection is of.
        current: Option<u64>,
    },
    /// To `invite_link`.
    InviteLink {
        /// Its secret.
        invite: Hidden,
        /// How often it can be used.
        uses: u32,
        /// Until when: milliseconds since 1970.
        until: u64,
    },
    /// To `accept`.
    Accepted {
        /// The rooms that the link leads into.
        rooms: Vec<RoomName>,
    },
    /// To `blocked`.
    Blocked {
        /// Whom the user has blocked, by name, and since when: milliseconds since 1970.
        users: Vec<(UserName, u64)>,
    },
    /// To `profile` and `whois`.
    Profiles {
        /// What these users say of themselves, by name.
        users: Vec<(UserName, PublicProfile)>,
    },
    /// To `push_subscribe`.
    PushSubscribed {
        /// Names the device to its user.
        id: u64,
    },
    /// To `push_subscriptions`.
    PushSubscriptions {
        /// The key that a browser subscribes with.
        key: Box<str>,
        /// The user's devices, oldest first.
        items: Vec<Arc<PushSubscription>>,
        /// The login of this connection.
        current: Option<u64>,
    },
    /// To `reports`.
    Reports {
        /// Those that the user may settle, oldest first.
        items: Vec<Report>,
        /// Whether there are more after the last.
        more: bool,
    },
    /// To `audit`.
    Audit {
        /// The acts with their ids, latest first.
        items: Vec<(u64, AuditedAct)>,
        /// Whether there are more before the last.
        more: bool,
    },
    /// To `directory`.
    Directory {
        /// Rooms, by name.
        items: Vec<ListedRoom>,
        /// The name to give as `after` for more, `None` if that was all.
        next: Option<RoomName>,
    },
    /// To `export`.
    Export {
        /// Whose.
        user: UserName,
        /// A part of it.
        part: ExportPart,
        /// The place to give as `after` for the next part, `None` if that was all.
        next: Option<u64>,
    },
    /// To `topic` without a text.
    Topic {
        /// The room.
        room: RoomName,
        /// The topic, empty if there is none.
        text: Box<str>,
    },
}
