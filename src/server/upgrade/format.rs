//! The form of what one process tells the next.
//!
//! Whatever the fields of these types are, [`FORMAT`] follows from them: two versions of the server
//! that differ in one of them refuse each other's state instead of misreading it.

use std::os::fd::OwnedFd;

use crate::chat::model::color::Color;
use crate::chat::model::command::{Op, RequestId};
use crate::chat::model::handover::{
    CursorState, GatheredState, HeadState, MemberState, MemoryRoomState, ReaderState, ReplyState,
    RoomState, UserState,
};
use crate::chat::model::identity::{Grant, Identity, Rights, Source};
use crate::chat::model::log::{CidSecret, Expiry, RememberedCid, Restriction, RestrictionMeta};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::output::Encoding;
use crate::chat::model::profile::PublicProfile;
use crate::chat::model::record::{Act, Body, Epoch, Record, SharedRecord};
use crate::chat::model::reply::{Presence, Role};
use crate::pack::{Pack, join, mix, pack_enum, pack_struct};
use crate::time::Tick;
use crate::{reactor, session};

/// The form of the conversation itself, to be raised when that changes.
const CONVERSATION: u64 = 1;

/// The form of everything that two processes say to each other, as one number to compare.
pub(super) const FORMAT: u64 = join(join(Hello::SHAPE, Part::SHAPE), CONVERSATION);

/// What the process that ends says first, with the listening sockets.
#[derive(Debug)]
pub(super) struct Hello {
    /// What its clock counts at this moment.
    pub(super) micros: u64,
    /// The form of its database.
    pub(super) schema: u64,
    /// What each socket listens for.
    pub(super) listeners: Vec<Box<str>>,
}

/// A piece of the state.
#[derive(Debug)]
pub(crate) enum Part {
    /// Stored rooms that are to be in memory. They come first.
    InUse(Vec<RoomName>),
    /// What holds for all rooms.
    Head(Box<HeadState>),
    /// The key of the hashes by which messages are remembered.
    CidSecret(CidSecret),
    /// Rooms.
    Rooms(Vec<RoomState>),
    /// Users.
    Users(Vec<UserState>),
    /// Connections, with their sockets.
    Connections(Vec<ConnectionState>),
    /// That was all, and the store is closed.
    End,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct ConnectionState {
    pub(crate) bytes: reactor::Carried,
    /// Unless the handler does not know it yet.
    pub(crate) session: Option<session::Carried>,
    /// If it has said hello.
    pub(crate) reader: Option<Box<ReaderState>>,
}

/// A connection and its socket.
pub(super) type WithSocket = (OwnedFd, ConnectionState);

pack_struct!(Hello { micros: u64, schema: u64, listeners: Vec<Box<str>> });
pack_enum!(Part {
    0: Head(head: Box<HeadState>),
    1: Rooms(rooms: Vec<RoomState>),
    2: Users(users: Vec<UserState>),
    3: Connections(connections: Vec<ConnectionState>),
    4: End,
    5: CidSecret(secret: CidSecret),
    6: InUse(rooms: Vec<RoomName>),
});
pack_struct!(CidSecret { key: u128, check: u64 });
pack_struct!(RememberedCid { key: (u64, u64), said: u64, seq: u64, at: u64, since: Tick });
pack_struct!(ConnectionState {
    bytes: reactor::Carried,
    session: Option<session::Carried>,
    reader: Option<Box<ReaderState>>,
});
pack_struct!(HeadState {
    rev: (u64, u64),
    epochs: (Epoch, Epoch),
    is_departed_full: bool,
    blocks: Vec<(UserName, UserName, u64)>,
    profiles: Vec<(UserName, PublicProfile)>,
});
pack_struct!(PublicProfile {
    display: Box<str>,
    text: Box<str>,
    until: Option<u64>,
    color: Color,
});
pack_struct!(RoomState {
    name: RoomName,
    memory: Option<MemoryRoomState>,
    gathered: GatheredState,
});
pack_struct!(MemoryRoomState {
    log: (Epoch, u64),
    policy: Option<Box<str>>,
    access: (bool, bool),
    topic: Box<str>,
    former: Vec<RoomName>,
    records: Vec<SharedRecord>,
    cids: Vec<RememberedCid>,
    members: Vec<MemberState>,
    restrictions: Vec<(UserName, Restriction, RestrictionMeta)>,
    departed: Vec<UserName>,
});
pack_struct!(MemberState {
    user: (UserName, Source),
    is_awaited: bool,
    role: Role,
    counted: bool,
    marks: (u64, u64),
    joined: u64,
});
pack_struct!(GatheredState {
    v: u64,
    counts_only: (bool, bool),
    published: Vec<(UserName, Presence)>,
    gone: Vec<UserName>,
    presence_at: Tick,
    typists: Vec<(UserName, Tick)>,
    typing: (bool, u64, Tick),
    receipts: (Vec<UserName>, Tick),
    profiles: (Vec<UserName>, Tick),
});
pack_struct!(UserState {
    user: (UserName, Source),
    presence: Presence,
    absent_since: Option<Tick>,
    resumable: Vec<(Box<str>, bool)>,
    formers: Vec<(Box<str>, Box<str>)>,
    is_whole: bool,
});
pack_struct!(ReaderState {
    user: UserName,
    secret: Box<str>,
    away: bool,
    encoding: Encoding,
    credential: Option<(Identity, bool)>,
    login: Option<u64>,
    cursors: Vec<CursorState>,
});
pack_struct!(CursorState {
    room: RoomName,
    next: Option<u64>,
    stale: bool,
    replies: Vec<ReplyState>,
});
pack_struct!(ReplyState {
    place: (bool, u64),
    request: (Option<RequestId>, Op),
    sent: (u64, u64, bool),
});
pack_struct!(Record { seq: u64, at: u64, from: UserName, body: Body, weight: u32 });
pack_enum!(Body {
    0: Message {
        text: Box<str>,
        data: Option<Box<str>>,
        cid: Option<Box<str>>,
        reply_to: Option<u64>,
        thread: Option<u64>,
        edited: Option<u64>,
    },
    1: Deleted,
    2: Edit { target: u64, text: Option<Box<str>> },
    3: Deletion { target: u64 },
    4: Reaction { target: u64, emoji: Box<str>, remove: bool },
    5: Topic { text: Box<str> },
    6: Moderation { act: Act, target: UserName, reason: Box<str> },
    7: Rename { name: RoomName, was: RoomName },
});
pack_enum!(Act {
    0: Kick,
    1: Ban { until: Option<u64> },
    2: Unban,
    3: Mute { until: Option<u64> },
    4: Unmute,
    5: Role(role: Role),
});
pack_struct!(Identity {
    source: Source,
    issuer: Box<str>,
    subject: Box<str>,
    name: Option<UserName>,
    display: Option<Box<str>>,
    is_admin: bool,
    grants: Vec<Grant>,
    expires: Option<u64>,
    issued: Option<u64>,
    token_id: Option<Box<str>>,
    login: Option<u64>,
});
pack_struct!(Grant { rooms: Box<str>, rights: Rights });
pack_struct!(Rights { read: bool, send: bool });
pack_struct!(RestrictionMeta { by: Option<UserName>, at: Option<u64>, expiry: Expiry });
pack_struct!(Expiry { until: Option<u64>, reason: Box<str> });
pack_enum!(Source { 0: None, 1: Guest, 2: Account, 3: Token, 4: Header, 5: Key, 6: Retired });
pack_enum!(Restriction { 0: Banned, 1: Muted, 2: Invited, 3: Reader, 4: MayReturn });
pack_enum!(Presence { 0: Off, 1: Away, 2: Online });
pack_enum!(Role { 0: Reader, 1: Member, 2: Moderator, 3: Owner });
pack_enum!(Encoding {
    0: WebSocket,
    1: Deflate,
    2: Lines,
    3: Lengths,
    4: Text,
    5: Events,
    6: ManyEvents,
});

macro_rules! pack_by_text {
    ($($name:ident: $text:expr, $read:expr;)*) => { $(
        impl Pack for $name {
            const SHAPE: u64 = mix(String::SHAPE, stringify!($name).as_bytes());

            fn pack(&self, out: &mut Vec<u8>) {
                let text: fn(&Self) -> &str = $text;
                let text = text(self);
                text.len().pack(out);
                out.extend_from_slice(text.as_bytes());
            }

            fn unpack(input: &mut &[u8]) -> Option<Self> {
                let read: fn(&str) -> Option<Self> = $read;
                read(&String::unpack(input)?)
            }
        }
    )* };
}

pack_by_text! {
    UserName: UserName::as_str, UserName::stored;
    RoomName: RoomName::as_str, RoomName::stored;
    RequestId: |id| id.0.as_str(), |text| Some(RequestId(text.into()));
    Op: |op| op.name(), Op::parse;
    Color: |color| color.name(), Color::parse;
}

impl Pack for Epoch {
    const SHAPE: u64 = mix(u64::SHAPE, b"Epoch");

    fn pack(&self, out: &mut Vec<u8>) {
        self.0.pack(out);
    }

    fn unpack(input: &mut &[u8]) -> Option<Self> {
        u64::unpack(input).map(Self)
    }
}
