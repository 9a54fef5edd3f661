//! The sections of the file: each setting's meaning, type and bounds. Serde fills them.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::value_type::Setting;
use super::value_type::ValueType::{
    self, Bytes, Count, FieldName, File, Hosts, OptionalOr, Origins, Paths, Secret, Switch, Text,
    Texts, Time, Word,
};
use crate::chat::model::identity::{Inviters, Registration};
use crate::pg::Address;
use crate::resp;

/// The most of anything that is counted: far above what one machine holds.
const COUNT: ValueType = Count(1, 1 << 24);
/// The highest rate that is told apart from none.
const RATE: ValueType = Count(1, 1_000_000);
/// The most bytes that one budget may be: more than one machine has for it.
const BUDGET: ValueType = Bytes(1 << 10, 64 << 30);
/// The bytes of one message.
pub(super) const MESSAGE_BYTES: ValueType = Bytes(1, 1 << 20);
/// Below 10 ms a busy machine would cut healthy peers; above a day, a unit was mistyped.
const DEADLINE: ValueType = Time(10, 86_400_000);
/// The name of a claim.
const CLAIM: ValueType = OptionalOr("off", &Text(64));
/// How old something may become: 1 s to 100 years.
pub(super) const AGE: ValueType = OptionalOr("off", &Time(1_000, 100 * 365 * 86_400_000));

/// Defines sections: for each a struct, which serde fills, and the list of its settings.
macro_rules! sections {
    ($(
        $(#[$doc:meta])*
        $name:ident in $section:literal {
            $($(#[$key_doc:meta])* $key:ident: $type:ty = $what:expr,)*
        }
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
        pub struct $name {
            $($(#[$key_doc])* pub $key: $type,)*
        }

        impl $name {
            pub(super) const SETTINGS: &'static [Setting] =
                &[$((concat!($section, ".", stringify!($key)), $what)),*];
        }
    )*};
}

sections! {
    /// Tokens that somebody else has signed. The keys are tables of their own.
    Jwt in "jwt" {
        /// The names of this service, one of which the `aud` of a token must have.
        audience: Vec<String> = Texts,
        /// Whether a token must say from when on it is valid: "required" or "optional".
        nbf: String = Word(&["required", "optional"]),
        /// The claim with the user's name; `None`: `sub`.
        name_claim: Option<String> = CLAIM,
        /// The claim with what people call the user.
        display_claim: Option<String> = CLAIM,
        /// The claim that makes an administrator.
        admin_claim: Option<String> = CLAIM,
        /// The claim with the only rooms of a token.
        rooms_claim: Option<String> = CLAIM,
    }

    /// Identity by a trusted proxy.
    Header in "header" {
        /// The field of a request with the user's name.
        name: String = FieldName,
    }

    /// The certificates of the listeners with TLS.
    Tls in "tls" {
        /// Files of certificates with their chains, in PEM; the first is for clients that ask for
        /// no name or for one that none of them has.
        certificate: Vec<PathBuf> = Paths,
        /// The file of each one's key, in PEM.
        key: Vec<PathBuf> = Paths,
        /// Handshakes at a time of which something has come; the next ones wait.
        handshakes: usize = COUNT,
    }

    /// Who may connect by HTTP, and how large a request head may be.
    Http in "http" {
        /// Host names, lower-case and without a port, that requests may name besides loopback and
        /// IP literals.
        hosts: Vec<String> = Hosts,
        /// Origins, lower-case `scheme://host[:port]`, whose pages may connect besides the server's
        /// own.
        origins: Vec<String> = Origins,
        /// Whether an upgrade without an `Origin`, which no browser sends, is refused (403).
        require_origin: bool = Switch,
        /// Whether the documentation is served at `/docs` to everybody, and not only on the admin
        /// listener.
        docs: bool = Switch,
        /// Bytes of a request head (431 above).
        head_bytes: usize = Bytes(1 << 10, 1 << 20),
        /// Fields of a request head (431 above).
        fields: usize = Count(16, 1_000),
    }

    /// Accounts.
    Accounts in "accounts" {
        /// Who may make an account.
        #[serde(deserialize_with = "super::words::registration")]
        registration: Registration = Word(&["closed", "invite", "open"]),
        /// Whether who proves nothing may be a guest.
        guests: bool = Switch,
        /// Who may make invite links.
        #[serde(deserialize_with = "super::words::inviters")]
        invites: Inviters = Word(&["admins", "anyone"]),
    }

    /// Every bound on what clients can make the server hold or do, and what happens at each.
    Limits in "limits" {
        /// Connections at a time, on all listeners together; `None`: as many as the process may
        /// have descriptors. The next one is refused with 503, or closed.
        connections: Option<usize> = OptionalOr("auto", &COUNT),
        /// Connections at a time from one IP address; `None`: no bound. The next one is refused as
        /// above.
        per_address: Option<u32> = OptionalOr("off", &COUNT),
        /// Those of them that have neither said hello nor been answered by HTTP, handshakes
        /// included; `None`: no bound of their own. The next one is refused with 429, or closed.
        half_open_per_address: Option<u32> = OptionalOr("off", &COUNT),
        /// Whether `per_address` holds for loopback addresses too.
        per_address_loopback: bool = Switch,
        /// Bytes of one message's text and data together (4001 above), and the base of the bound on
        /// a frame's size (1009 above).
        message_bytes: usize = MESSAGE_BYTES,
        /// Fragments of one WebSocket message (1009 above).
        fragments: u32 = COUNT,
        /// Requests a second on one connection, as the refill of a token bucket of `burst`; `None`:
        /// no bound. Who sends faster is read at this rate. Lines and messages without anything
        /// count like requests.
        rate_per_s: Option<u32> = OptionalOr("off", &RATE),
        /// Requests at once on one connection. Without meaning if `rate_per_s` is `None`.
        burst: u32 = RATE,
        /// Messages a second of one user over all connections together (5001 above), as the refill
        /// of a bucket of `user_burst`; `None`, or if `rate_per_s` is: no bound. One connection
        /// alone is never refused.
        user_per_s: Option<u32> = OptionalOr("off", &RATE),
        /// Messages of one user at once.
        user_burst: u32 = RATE,
        /// Rooms that one user may enter, make or invite to a second, likewise.
        joins_per_s: Option<u32> = OptionalOr("off", &RATE),
        /// Rooms at once: a client that comes back to all of its rooms joins each.
        joins_burst: u32 = RATE,
        /// Pages of history that one user may ask for a second, likewise; a search counts like
        /// five.
        pages_per_s: Option<u32> = OptionalOr("off", &RATE),
        /// Pages at once: a client that comes back reads one of each room.
        pages_burst: u32 = RATE,
        /// Connections a second from one address, likewise; the next one is refused with 429, or
        /// closed. Not from loopback, unless `per_address_loopback`.
        connects_per_s: Option<u32> = OptionalOr("off", &RATE),
        /// Connections from one address at once.
        connects_burst: u32 = RATE,
        /// Hellos a second of all clients together (5004 above, with a time to come back for each),
        /// as the refill of a bucket of `hellos_burst`; `None`: no bound. Not from loopback, unless
        /// `per_address_loopback`.
        hellos_per_s: Option<u32> = OptionalOr("off", &RATE),
        /// Hellos at once.
        hellos_burst: u32 = RATE,
        /// WebSocket control frames a second on one connection, likewise.
        control_per_s: Option<u32> = OptionalOr("off", &RATE),
        /// WebSocket control frames at once. Without meaning if `control_per_s` is `None`.
        control_burst: u32 = RATE,
        /// Bytes of one connection that were read and wait for their turn at the rate. Of what was
        /// sent before a FIN, this much is done (4102 if there was more).
        read_ahead: usize = Bytes(1 << 10, 1 << 30),
        /// Errors in a row, with no success between them, until a connection is closed (4102).
        errors_in_a_row: u16 = Count(1, 65_535),
        /// Rooms that one user may be a member of (3011 above).
        rooms: usize = Count(1, 65_536),
        /// Sessions of one user at a time (3012 above).
        sessions_per_user: usize = Count(1, 65_536),
        /// Users that are known at a time; above, the longest absent makes room (5004 if nobody is
        /// off).
        users: usize = COUNT,
        /// Rooms at a time, direct conversations included (5004 above).
        rooms_total: usize = COUNT,
        /// Rooms in memory that nobody uses; those beyond are forgotten until somebody does.
        idle_rooms: usize = Count(0, 16_777_216),
        /// Memberships of all users in all rooms together (5004 above).
        memberships: usize = COUNT,
        /// Members of one room (3009 above).
        room_members: usize = COUNT,
        /// Items in one answer to `history`; a higher `limit` is lowered to this.
        history_page: u32 = Count(1, 10_000),
        /// Records that a `join` or a resume may ask for at once; earlier ones are told as a gap.
        replay: usize = COUNT,
        /// Records that a room keeps in memory; the oldest goes first.
        ring_records: usize = COUNT,
        /// Bytes of records that a room keeps in memory; the oldest goes first.
        ring_bytes: usize = BUDGET,
        /// Bytes of records that all rooms together keep in memory; the oldest of all go first.
        ring_total_bytes: usize = BUDGET,
        /// Bytes that wait for one connection's socket before its cursors lag.
        outbound_soft_bytes: usize = Bytes(1 << 10, 1 << 30),
        /// Bytes that may wait for one connection's socket at all. The books keep it from being
        /// reached; a connection that exceeds it is closed (4104).
        outbound_hard_bytes: usize = Bytes(4 << 10, 1 << 30),
        /// Bytes that wait for all sockets together; `None`: no bound. The nearer it is, the sooner
        /// a slow reader's cursors lag, those with the largest queues first; at seven eighths new
        /// connections are refused (503), at the bound long answers are, too (5004).
        outbound_total_bytes: Option<usize> = OptionalOr("off", &BUDGET),
        /// Bytes of all connections together that have come in part or wait for their turn; `None`:
        /// no bound. The nearer it is, the less one connection may have; one that has more is
        /// closed (4104).
        inbound_total_bytes: Option<usize> = OptionalOr("off", &BUDGET),
        /// The kernel's send buffer of one connection (`SO_SNDBUF`).
        send_buffer_bytes: usize = Bytes(4 << 10, 64 << 20),
        /// The kernel's receive buffer of one connection (`SO_RCVBUF`); `None`: as it sees fit.
        receive_buffer_bytes: Option<usize> = OptionalOr("auto", &Bytes(2 << 10, 64 << 20)),
    }

    /// Deadlines for peers, and the pace of what the server says by itself.
    Timeouts in "timeouts" {
        /// From the connection, or the end of the last response, to a whole HTTP request head
        /// (408).
        head: Duration = DEADLINE,
        /// From the connection to the end of the TLS handshake.
        handshake: Duration = DEADLINE,
        /// From the connection to a `hello` (4008).
        hello: Duration = DEADLINE,
        /// Of silence until the server pings; also `limits.ping_ms` of the welcome.
        ping_after: Duration = DEADLINE,
        /// From a ping to anything from the peer (4103).
        pong: Duration = DEADLINE,
        /// Without the peer's socket taking a byte while some wait (4101).
        stall: Duration = DEADLINE,
        /// For the close handshake and the last bytes.
        close: Duration = DEADLINE,
        /// Of idleness of a kept-alive HTTP connection.
        keep_alive: Duration = DEADLINE,
        /// From a user's last session to being shown as gone.
        leave_grace: Duration = DEADLINE,
        /// From the last session to the end of a guest's membership in a memory room.
        guest_membership: Duration = DEADLINE,
        /// Over which clients are asked to spread their return when the server stops.
        drain_window: Duration = DEADLINE,
        /// From the signal to the end of the process.
        stop: Duration = DEADLINE,
        /// For which an upgrade may keep the clients waiting, before the old process goes on.
        upgrade: Duration = DEADLINE,
        /// Between two presence events of one room.
        presence_interval: Duration = DEADLINE,
        /// Between two receipts events of one room.
        receipts_interval: Duration = DEADLINE,
    }

    /// What holds for all rooms, besides their policies.
    Rooms in "rooms" {
        /// Whether `join` makes an open room that does not exist; otherwise it is 3001.
        open_join_creates: bool = Switch,
        /// How long after it was sent a message may be edited by its author (4006 later); `None`:
        /// for ever.
        edit_window: Option<Duration> = AGE,
    }

    /// What the store keeps in memory.
    Store in "store" {
        /// Bytes of pages of the database that its writer keeps.
        cache_bytes: usize = Bytes(512 << 10, 64 << 30),
        /// Bytes of messages that wait for the disk (5004 above).
        queue_bytes: usize = Bytes(1 << 20, 1 << 30),
        /// `cid`s of memory rooms that are remembered; above, the oldest is forgotten early.
        cids: usize = COUNT,
    }

    /// The log that several nodes share.
    Cluster in "cluster" {
        /// The PostgreSQL that has it; `None`: this server is alone, and has its own.
        #[serde(skip)]
        engine: Option<Address> = OptionalOr("off", &Secret),
        /// The file with the password for it, if that does not stand in its address.
        password_file: Option<PathBuf> = OptionalOr("off", &File),
        /// The Valkey or Redis that carries what may be lost; `None`: the engine carries that, too.
        #[serde(skip)]
        bus: Option<resp::Address> = OptionalOr("off", &Secret),
        /// The file with the password for it, if that does not stand in its address.
        bus_password_file: Option<PathBuf> = OptionalOr("off", &File),
        /// What this node is called among the others; `None`: as its machine.
        name: Option<String> = OptionalOr("auto", &Text(64)),
        /// The address of this node, as people and clients are told it; `None`: it is not told.
        address: Option<String> = OptionalOr("off", &Text(255)),
        /// What a message must survive: "disk" (a crash of the engine) or "replicated" (the loss of
        /// its primary). An engine that keeps less is not used.
        level: String = Word(&["disk", "replicated"]),
    }

    /// Files and pictures that people send.
    Files in "files" {
        /// Whether any are taken.
        enabled: bool = Switch,
        /// The folder that all nodes of a cluster share; `None`: a cluster takes none.
        dir: Option<PathBuf> = OptionalOr("off", &File),
        /// Bytes of one file (413 above).
        bytes: u64 = Bytes(1, 1 << 30),
        /// Bytes of the files of one user (507 above).
        per_user: u64 = Bytes(1, 1 << 44),
        /// Bytes of all files (507 above).
        total: u64 = Bytes(1, 1 << 44),
        /// What is taken: "all" or "pictures".
        kinds: String = Word(&["all", "pictures"]),
    }

    /// Outgoing webhooks.
    Webhooks in "webhooks" {
        /// Hosts that are reached by `http`, too, and at addresses that are not public.
        hosts: Vec<String> = Hosts,
        /// Files with the certificates of the authorities that receivers have theirs from, in PEM;
        /// empty: those that the system trusts.
        authorities: Vec<PathBuf> = Paths,
        /// How long one request may take.
        timeout: Duration = Time(100, 60_000),
        /// How old an event becomes before it is given up.
        give_up: Duration = Time(1_000, 30 * 86_400_000),
    }

    /// Web Push: devices of users are told of messages.
    Push in "push" {
        /// Whether they are.
        enabled: bool = Switch,
        /// Whom a push service can ask about what this server sends, as `mailto:` or `https:`.
        contact: Option<String> = OptionalOr("off", &Text(256)),
        /// Whether a push shows the beginning of the message.
        texts: bool = Switch,
        /// Hosts of push services that are reached by `http`, too, and at addresses that are not
        /// public.
        hosts: Vec<String> = Hosts,
    }

    /// WebSocket compression: RFC 7692, always without context takeover.
    Compression in "compression" {
        /// Whether permessage-deflate is accepted when a client offers it.
        enabled: bool = Switch,
        /// Bytes from which on a message is compressed; below, it costs more than it saves.
        threshold_bytes: usize = Bytes(0, 1 << 20),
    }
}
