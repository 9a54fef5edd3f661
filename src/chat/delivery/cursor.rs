//! Cursors over a room's log, and what one turn has added for them.
//!
//! ```text
//!            join without a position                 no send credit left
//!   (none) ──────────────────────────▶ live ──────────────────────────────▶ lagging
//!      │                                ▲ ◀──────────────────────────────      ▲
//!      │                                │        caught up: `live` is said     │
//!      └────────────────────────────────┴── join or resume with a position ────┘
//! ```

use std::mem;

use crate::chat::model::command::RequestId;
use crate::chat::model::name::UserName;
use crate::chat::model::output::{Encoding, Request};
use crate::chat::model::record::{Record, SharedRecord};
use crate::chat::model::reply::Reply;
use crate::chat::rooms::Room;
use crate::net::ConnId;

/// The readers of one room, and the records that wait for the turn's end.
#[derive(Debug, Default)]
pub(in crate::chat) struct Feed {
    pub subscriptions: Vec<Subscription>,
    /// Records that were committed in this turn and not fanned out yet.
    pub records: Vec<SharedRecord>,
    /// The messages that `records` are about, as they were before, as far as the ring had them.
    pub targets: Vec<SharedRecord>,
    /// The senders that are answered in the place of one of `records`, or do not get it: with its
    /// index, ascending.
    pub senders: Vec<(usize, Sender)>,
    /// The rendered length of `records`, at most.
    pub bytes: usize,
}

/// A connection's subscription: a cursor over the room's log. Its reader, which is there as long as
/// it is, has the rest.
#[derive(Debug)]
pub(in crate::chat) struct Subscription {
    /// The slot of the connection.
    pub slot: u32,
    /// Where the cursor is, if it is not live.
    pub lagging: Option<Box<Lagging>>,
    pub encoding: Encoding,
    /// Presence, typing or receipts were left out and are owed as a whole.
    pub stale: bool,
}

/// A cursor that lags.
#[derive(Debug)]
pub(in crate::chat) struct Lagging {
    /// The next seq that it needs.
    pub next: u64,
    /// Answers to its own sends, by position.
    pub replies: Vec<DeferredReply>,
}

impl Lagging {
    /// A cursor that needs the record `next` first.
    pub(super) const fn at(next: u64) -> Self {
        Self { next, replies: Vec::new() }
    }
}

/// The answer to a `send`, kept until the cursor is at its position.
#[derive(Debug)]
pub(in crate::chat) struct DeferredReply {
    pub position: ReplyPosition,
    pub request: Request,
    pub reply: Reply,
}

/// Where among a room's records the answer to a `send` stands.
#[derive(Clone, Copy, Debug)]
pub(in crate::chat) enum ReplyPosition {
    /// In place of the record.
    InsteadOf(u64),
    /// After the record, which the sender wants to see.
    After(u64),
}

impl ReplyPosition {
    /// The position of the answer to a send whose record is at `seq`.
    pub(super) const fn new(seq: u64, echo: bool) -> Self {
        if echo { Self::After(seq) } else { Self::InsteadOf(seq) }
    }

    /// The seq that the cursor needs next when the answer is due.
    pub(super) const fn next(self) -> u64 {
        match self {
            Self::InsteadOf(seq) => seq,
            Self::After(seq) => seq + 1,
        }
    }
}

/// The sender of a record, as long as it has not been answered.
#[derive(Clone, Debug)]
pub(in crate::chat) struct Sender {
    /// The connection by which it was sent.
    pub conn: ConnId,
    /// The request to answer.
    pub request: Request,
    /// Whether the sender gets the event too.
    pub echo: bool,
    /// Whom the message names who is no member: for the answer.
    pub not_members: Box<[UserName]>,
}

impl Sender {
    /// The request's id, if its answer is wanted.
    pub(in crate::chat) const fn id(&self) -> Option<&RequestId> {
        self.request.id.as_ref()
    }

    /// The request, to be answered now.
    pub(super) fn take_request(&mut self) -> Request {
        Request { id: self.request.id.take(), op: self.request.op }
    }

    /// The answer to the `send`, whose record is in the log: taken, since there is one.
    pub(super) fn take_reply(&mut self, room: &Room, record: &Record) -> Reply {
        let mut reply = room.sent(record.seq, record.at, false);
        if let Reply::Sent { not_members, .. } = &mut reply {
            *not_members = mem::take(&mut self.not_members);
        }
        reply
    }

    /// Whether it gets what everybody gets: its own event, and no answer.
    pub(super) const fn is_like_others(&self) -> bool {
        self.echo && self.request.id.is_none()
    }
}

// The documentation of `server` states what a connection, a user and a room take. This is a part
// of it.
const _: () = assert!(size_of::<Subscription>() <= 16);
