//! What the API is asked for: the parameters of a query, or the members of a body.

use serde_json::value::RawValue;

use super::shape::{NUMBER_MAX, Several, Whole, shapes, words};

/// How many rows of a list.
pub type Limit = Whole<1, 1_000>;
/// A length of time in milliseconds.
pub type Millis = Whole<1, NUMBER_MAX>;

/// How many rows of a list there are if nothing is said of it.
pub const LIMIT_DEFAULT: usize = 100;

words! {
    /// In which order connections are listed.
    ConnectionSort {
        /// Those first that lag most.
        Lag => "lag",
        /// Those first for which most bytes wait.
        Bytes => "bytes",
        /// Those first that were silent for longest.
        Idle => "idle",
        /// Those first that came last.
        Since => "since",
    }

    /// In which order rooms are listed.
    RoomSort {
        /// By name.
        Name => "name",
        /// The largest first.
        Members => "members",
        /// Those first that most connections are subscribed to.
        Subscribers => "subscribers",
        /// Those first with the longest log.
        Seq => "seq",
    }

    /// What a key lets a program do in its rooms.
    Can {
        /// Say something.
        Send => "send",
        /// Join, read, be told.
        Read => "read",
        /// Both.
        Both => "read,send",
    }
}

shapes! {
    /// Nothing.
    request Nothing {}

    /// Which connections.
    request ConnectionsQuery {
        /// Which first: those that lag most, for which most bytes wait, that were silent for
        /// longest, or that came last. "since" without it.
        sort: Option<ConnectionSort>,
        /// How many, 100 without it.
        limit: Option<Limit>,
        /// Only those of this user.
        user: Option<String>,
    }

    /// Which connections that have ended.
    request ClosedQuery {
        /// How many, 100 without it.
        limit: Option<Limit>,
        /// Only those of this user.
        user: Option<String>,
        /// Only those that have ended for this reason.
        reason: Option<String>,
    }

    /// Which rooms.
    request RoomsQuery {
        /// In which order: by name, or those with most members, subscribers or records first.
        /// "name" without it.
        sort: Option<RoomSort>,
        /// How many, 100 without it.
        limit: Option<Limit>,
        /// Only those after this place: the `next` of the page before.
        after: Option<String>,
    }

    /// Which members.
    request MembersQuery {
        /// Of which room.
        room: String,
        /// How many, 100 without it.
        limit: Option<Limit>,
        /// Only those after this place: the `next` of the page before.
        after: Option<String>,
    }

    /// Which part of a list.
    request PageQuery {
        /// How many, 100 without it.
        limit: Option<Limit>,
        /// Only those after this place: the `next` of the page before.
        after: Option<String>,
    }

    /// Whose sessions.
    request SessionsQuery {
        /// The user's name.
        user: String,
    }

    /// A message.
    request Publish {
        /// In which room it is said. An open room that does not exist is made.
        room: String,
        /// What is said.
        text: String,
        /// What goes with it for programs.
        data: Option<Box<RawValue>>,
    }

    /// A message in several rooms.
    request Broadcast {
        /// In which rooms it is said.
        rooms: Several<1, 64>,
        /// What is said.
        text: String,
        /// What goes with it for programs.
        data: Option<Box<RawValue>>,
    }

    /// Whom to remove from a room.
    request Kick {
        /// The room.
        room: String,
        /// The member.
        user: String,
        /// Why, for all to read.
        reason: Option<String>,
    }

    /// Whom to keep out of a room.
    request RoomBan {
        /// The room.
        room: String,
        /// The user.
        user: String,
        /// For how many milliseconds; without it, until it is ended.
        for_ms: Option<Millis>,
        /// Why, for all to read.
        reason: Option<String>,
    }

    /// Who may enter a room again.
    request RoomUnban {
        /// The room.
        room: String,
        /// The user.
        user: String,
    }

    /// Who may not use the server at all: either a user or an address.
    request Ban {
        /// The user.
        user: Option<String>,
        /// The IP address, or a network such as 10.0.0.0/8.
        address: Option<String>,
        /// For how many milliseconds; without it, until it is ended.
        for_ms: Option<Millis>,
        /// Why; who is banned is shown it.
        reason: Option<String>,
    }

    /// Who may use the server again: either a user or an address.
    request Unban {
        /// The user.
        user: Option<String>,
        /// The IP address, or the network, as it was banned.
        address: Option<String>,
    }

    /// Which connections are to be closed: either one, or all of a user.
    request Disconnect {
        /// The `id` of a connection.
        connection: Option<String>,
        /// The user.
        user: Option<String>,
    }

    /// Whose sessions are to end.
    request EndSessions {
        /// The user.
        user: String,
    }

    /// A key for a program.
    request AddKey {
        /// The name of the program, which nobody else is given.
        name: String,
        /// Its rooms, in which `*` stands for any text.
        rooms: Several<1, 16>,
        /// What it may do there, "send" without it.
        can: Option<Can>,
        /// For how many milliseconds it is good; without it, until it is ended.
        for_ms: Option<Millis>,
    }

    /// An incoming hook.
    request AddHook {
        /// The room in which it speaks.
        room: String,
        /// The name under which it speaks; without it, the room's followed by "-hook".
        name: Option<String>,
        /// For how many milliseconds it is good; without it, until it is ended.
        for_ms: Option<Millis>,
    }

    /// Which key or hook is to end.
    request EndKey {
        /// Its name.
        name: String,
    }

    /// What is logged.
    request SetLogLevel {
        /// "off", "error", "warn", "info", "debug" or "trace", also by module, such as
        /// "info,session=debug".
        level: String,
    }
}
