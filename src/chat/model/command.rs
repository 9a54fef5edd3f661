//! Commands: what a client asks for.

use std::borrow::Cow;

use compact_str::CompactString;

use super::account::Hidden;
use super::color::Color;
pub use super::op::Op;
use super::push::{DEVICE_KEY_LEN, DEVICE_SECRET_LEN};
use super::reply::Role;
pub use super::resume::{Position, Resume};

/// The client's own name for a request, echoed verbatim and never interpreted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(pub CompactString);

/// Whom a message is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// A room, by name.
    Room(Cow<'a, str>),
    /// A user, by name: the direct conversation with that user.
    User(Cow<'a, str>),
}

/// Which device is not to be told any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushTarget<'a> {
    /// That of this id.
    Id(u64),
    /// That of this address.
    Endpoint(Cow<'a, str>),
}

/// What a report is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reported<'a> {
    /// A message: its room and its seq.
    Message(Cow<'a, str>, u64),
    /// A user, and the room in which it has misbehaved, if it was in one.
    User(Cow<'a, str>, Option<Cow<'a, str>>),
}

/// A message to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Send<'a> {
    /// Whom it is for.
    pub target: Target<'a>,
    /// The text; at most `message_bytes` together with `data`, which the parser has checked.
    pub text: Cow<'a, str>,
    /// The client's own id of the message, at most 64 bytes.
    pub cid: Option<Cow<'a, str>>,
    /// The seq of the message that this one answers.
    pub reply_to: Option<u64>,
    /// The seq of the message whose thread this one belongs to.
    pub thread: Option<u64>,
    /// Opaque JSON, as it was sent.
    pub data: Option<Cow<'a, str>>,
    /// Whether the sending connection wants the event before the reply.
    pub echo: bool,
    /// Bytes that `text`, its mentions, `data` and `cid` take when rendered, at most.
    pub weight: u32,
}

/// Which part of a log is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// The last records.
    Latest,
    /// The last records below this seq.
    Before(u64),
    /// The first records above this seq.
    After(u64),
    /// As many below as above this seq.
    Around(u64),
}

/// What a user wants of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadWish {
    /// To follow it.
    Follow,
    /// Not to follow it.
    Unfollow,
    /// That it is read up to this seq.
    Read(u64),
}

/// An act of moderation that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModerationCommand {
    /// Give a member this role.
    Role(Role),
    /// End the membership.
    Kick,
    /// Take the voice for so many milliseconds, for good without a number; 0 gives it back.
    Mute(Option<u64>),
    /// Keep out for so many milliseconds, for good without a number.
    Ban(Option<u64>),
    /// End a ban.
    Unban,
}

/// One command, with its fields checked for type and range but not against the state of anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// See [`Op::Hello`].
    Hello {
        /// The wanted name; the server gives one if there is none.
        name: Option<Cow<'a, str>>,
        /// The client's former session.
        resume: Option<Resume<'a>>,
        /// Whether it wants to be pinged over a transport that has no pings of its own.
        ping: bool,
        /// What proves who it is.
        token: Option<Hidden>,
    },
    /// See [`Op::Refresh`].
    Refresh {
        /// The new token.
        token: Hidden,
    },
    /// See [`Op::Register`].
    Register {
        /// The name of the account.
        name: Cow<'a, str>,
        /// Its password, of a length that is allowed.
        password: Hidden,
        /// The secret of an invite link.
        invite: Option<Hidden>,
        /// What the client calls itself.
        agent: Option<Cow<'a, str>>,
    },
    /// See [`Op::Login`].
    Login {
        /// The name of the account.
        name: Cow<'a, str>,
        /// Its password.
        password: Hidden,
        /// What the client calls itself.
        agent: Option<Cow<'a, str>>,
    },
    /// See [`Op::Password`].
    Password {
        /// The password that there is.
        old: Hidden,
        /// The password that there is to be, of a length that is allowed.
        new: Hidden,
    },
    /// See [`Op::Logins`].
    Logins,
    /// See [`Op::EndLogin`].
    EndLogin {
        /// The number of one, or `others` or `all`.
        which: Cow<'a, str>,
    },
    /// See [`Op::InviteLink`].
    InviteLink {
        /// How often it can be used.
        uses: u32,
        /// For how many milliseconds.
        for_ms: u64,
        /// Which rooms it leads into, by name.
        rooms: Vec<Box<str>>,
    },
    /// See [`Op::Accept`].
    Accept {
        /// The secret of the link.
        invite: Hidden,
    },
    /// [`Op::Block`] and [`Op::Unblock`].
    Block {
        /// Whom.
        user: Cow<'a, str>,
        /// Whether it begins, instead of ending.
        on: bool,
    },
    /// See [`Op::Blocked`].
    Blocked,
    /// See [`Op::Profile`]. What is not given stays as it is; an empty text goes.
    Profile {
        /// What the user is called; a text of one line, trimmed.
        display: Option<Cow<'a, str>>,
        /// What it does, and for how many milliseconds, if not until that is changed.
        status: Option<(Cow<'a, str>, Option<u64>)>,
        /// In which colour its name is shown.
        color: Option<Color>,
    },
    /// See [`Op::Whois`].
    Whois {
        /// Of whom, by name; at most
        /// [`PROFILES_PAGE_MAX`](super::limits::PROFILES_PAGE_MAX).
        users: Vec<Box<str>>,
    },
    /// See [`Op::PushSubscribe`].
    PushSubscribe {
        /// The address of the device at its push service.
        endpoint: Cow<'a, str>,
        /// Its public key.
        key: Box<[u8; DEVICE_KEY_LEN]>,
        /// What it shares with this server.
        secret: [u8; DEVICE_SECRET_LEN],
        /// What the client calls itself.
        agent: Option<Cow<'a, str>>,
    },
    /// See [`Op::PushUnsubscribe`].
    PushUnsubscribe {
        /// Which device.
        which: PushTarget<'a>,
    },
    /// See [`Op::PushSubscriptions`].
    PushSubscriptions,
    /// See [`Op::Report`].
    Report {
        /// What.
        about: Reported<'a>,
        /// Why, empty if no reason is given; at most
        /// [`REASON_LEN_MAX`](super::limits::REASON_LEN_MAX) bytes.
        reason: Cow<'a, str>,
    },
    /// See [`Op::Reports`].
    Reports {
        /// Only of this room.
        room: Option<Cow<'a, str>>,
        /// How many at most.
        limit: Option<u32>,
        /// The id of the report after which to begin.
        after: Option<u64>,
    },
    /// See [`Op::Settle`].
    Settle {
        /// The report's id.
        report: u64,
    },
    /// See [`Op::Audit`].
    Audit {
        /// Only in this room.
        room: Option<Cow<'a, str>>,
        /// Only what was done before the act of this id.
        before: Option<u64>,
        /// How many at most.
        limit: Option<u32>,
    },
    /// See [`Op::Export`].
    Export {
        /// The place after which to go on, from an earlier answer.
        after: Option<u64>,
    },
    /// See [`Op::Ping`].
    Ping,
    /// See [`Op::Rooms`].
    Rooms {
        /// The `rev` of an earlier answer: only rooms that have changed since are listed.
        since: Option<u64>,
    },
    /// See [`Op::Directory`].
    Directory {
        /// Only rooms with this in their name or topic; all of them without.
        text: Option<Cow<'a, str>>,
        /// The name of the room after which to begin.
        after: Option<Cow<'a, str>>,
        /// How many at most.
        limit: Option<u32>,
    },
    /// See [`Op::Create`].
    Create {
        /// The room's name.
        room: Cow<'a, str>,
        /// Its first topic.
        topic: Option<Cow<'a, str>>,
        /// Whether it is hidden from strangers.
        private: bool,
        /// The name of the policy that it is to have, instead of the one that its name matches.
        policy: Option<Cow<'a, str>>,
    },
    /// See [`Op::Join`].
    Join {
        /// The room's name.
        room: Cow<'a, str>,
        /// The last seq that the client has; the cursor starts after it. At the head if there is
        /// none.
        after: Option<u64>,
        /// The epoch in which `after` counts.
        epoch: Option<Cow<'a, str>>,
    },
    /// See [`Op::Leave`].
    Leave {
        /// The room's name.
        room: Cow<'a, str>,
    },
    /// As [`Self::Leave`], by the last member of a private room, which ends with its log.
    LeaveAndClose {
        /// The room's name.
        room: Cow<'a, str>,
    },
    /// See [`Op::Close`].
    Close {
        /// The room's name.
        room: Cow<'a, str>,
        /// Why, empty if no reason is given; at most
        /// [`REASON_LEN_MAX`](super::limits::REASON_LEN_MAX) bytes.
        reason: Cow<'a, str>,
        /// Whether what is lost is known: without it the answer says that, and nothing happens.
        sure: bool,
    },
    /// See [`Op::Rename`].
    Rename {
        /// The room's name.
        room: Cow<'a, str>,
        /// The name that it is to have.
        name: Cow<'a, str>,
    },
    /// See [`Op::Send`].
    Send(Send<'a>),
    /// See [`Op::Ack`].
    Ack {
        /// The room's name.
        room: Cow<'a, str>,
        /// Up to which seq the client has received.
        recv: Option<u64>,
        /// Up to which seq the user has read; implies `recv`.
        read: Option<u64>,
        /// The epoch in which both count.
        epoch: Option<Cow<'a, str>>,
    },
    /// See [`Op::Typing`].
    Typing {
        /// The room's name.
        room: Cow<'a, str>,
    },
    /// See [`Op::Status`].
    Status {
        /// `away` rather than `online`.
        away: bool,
    },
    /// See [`Op::History`].
    History {
        /// The room's name.
        room: Cow<'a, str>,
        /// Which part.
        page: Page,
        /// How many records at most; the server's own limit if there is none.
        limit: Option<u32>,
        /// The epoch in which the page's seq counts.
        epoch: Option<Cow<'a, str>>,
    },
    /// See [`Op::Presence`].
    Presence {
        /// The room's name.
        room: Cow<'a, str>,
    },
    /// See [`Op::Members`].
    Members {
        /// The room's name.
        room: Cow<'a, str>,
        /// How many names at most.
        limit: Option<u32>,
        /// The name after which to begin.
        after: Option<Cow<'a, str>>,
    },
    /// See [`Op::Topic`].
    Topic {
        /// The room's name.
        room: Cow<'a, str>,
        /// The new topic; without one the present one is read. At most `message_bytes`.
        text: Option<Cow<'a, str>>,
        /// Bytes that `text` takes when rendered, at most.
        weight: u32,
    },
    /// See [`Op::Edit`].
    Edit {
        /// The room's name.
        room: Cow<'a, str>,
        /// The message's seq.
        target: u64,
        /// The new text, of at least one byte and at most `message_bytes`.
        text: Cow<'a, str>,
        /// Bytes that `text` takes when rendered, at most.
        weight: u32,
    },
    /// See [`Op::Delete`].
    Delete {
        /// The room's name.
        room: Cow<'a, str>,
        /// The message's seq.
        target: u64,
    },
    /// See [`Op::React`].
    React {
        /// The room's name.
        room: Cow<'a, str>,
        /// The message's seq.
        target: u64,
        /// With what: 1 to [`EMOJI_LEN_MAX`](super::limits::EMOJI_LEN_MAX) bytes, no control
        /// characters.
        emoji: Cow<'a, str>,
        /// Take the reaction back.
        remove: bool,
        /// Bytes that `emoji` takes when rendered, at most.
        weight: u32,
    },
    /// See [`Op::Search`].
    Search {
        /// Only in this room; otherwise in all of the user's.
        room: Option<Cow<'a, str>>,
        /// The words to look for.
        text: Cow<'a, str>,
        /// The place after which to go on, from an earlier answer.
        before: Option<u64>,
        /// How many messages at most; the server's own limit if there is none.
        limit: Option<u32>,
    },
    /// See [`Op::Thread`].
    Thread {
        /// The room's name.
        room: Cow<'a, str>,
        /// The seq of the thread's first message.
        thread: u64,
        /// Only messages below this seq.
        before: Option<u64>,
        /// How many at most; the server's own limit if there is none.
        limit: Option<u32>,
    },
    /// See [`Op::Threads`].
    Threads {
        /// Only in this room; otherwise in all of the user's.
        room: Option<Cow<'a, str>>,
    },
    /// [`Op::Follow`], [`Op::Unfollow`], and [`Op::Ack`] of a thread.
    MarkThread {
        /// The room's name.
        room: Cow<'a, str>,
        /// The seq of the thread's first message.
        thread: u64,
        /// What becomes of it.
        wish: ThreadWish,
        /// The epoch in which the seqs count.
        epoch: Option<Cow<'a, str>>,
    },
    /// See [`Op::Invite`].
    Invite {
        /// The room's name.
        room: Cow<'a, str>,
        /// Whom.
        user: Cow<'a, str>,
        /// Why, empty if no reason is given; at most
        /// [`REASON_LEN_MAX`](super::limits::REASON_LEN_MAX) bytes.
        reason: Cow<'a, str>,
    },
    /// See [`Op::Uninvite`].
    Uninvite {
        /// The room's name.
        room: Cow<'a, str>,
        /// Whom.
        user: Cow<'a, str>,
    },
    /// See [`Op::Restrictions`].
    Restrictions {
        /// The room's name.
        room: Cow<'a, str>,
        /// How many at most.
        limit: Option<u32>,
        /// The user after whom to begin.
        after: Option<Cow<'a, str>>,
    },
    /// [`Op::Role`], [`Op::Kick`], [`Op::Mute`], [`Op::Ban`] and [`Op::Unban`].
    Moderate {
        /// The room's name.
        room: Cow<'a, str>,
        /// To whom.
        user: Cow<'a, str>,
        /// What.
        command: ModerationCommand,
        /// Why, empty if no reason is given; at most
        /// [`REASON_LEN_MAX`](super::limits::REASON_LEN_MAX) bytes.
        reason: Cow<'a, str>,
        /// Bytes that `reason` takes when rendered, at most.
        weight: u32,
    },
    /// An operation that this server does not have yet.
    Unsupported(Op),
}

impl Command<'_> {
    /// Whether it makes a record, so that its answer comes when the log has answered.
    #[must_use]
    pub const fn is_logged(&self) -> bool {
        matches!(
            self,
            Self::Send(_)
                | Self::Edit { .. }
                | Self::Delete { .. }
                | Self::React { .. }
                | Self::Topic { text: Some(_), .. }
                | Self::Rename { .. }
                | Self::Moderate { .. }
        )
    }
}
