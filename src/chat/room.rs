//! Rooms and the cursors over them.

use super::keys::{MembershipKey, UserKey};
use super::model::command::RequestId;
use super::model::log::LogId;
use super::model::name::{RoomName, UserName};
use super::model::output::{Encoding, Request};
use super::model::policy::{Policy, PresenceMode};
use super::model::record::{Epoch, SharedRecord};
use super::model::reply::{Durability, Reply};
use super::ring::Ring;
use super::standing::Order;

use crate::net::ConnId;
use crate::time::Tick;
use crate::time::wheel::TimerId;

/// A room: a log's recent end, its members, and the cursors over it.
#[derive(Debug)]
pub(super) struct Room {
    pub name: RoomName,
    pub log: LogId,
    pub epoch: Epoch,
    /// What its records survive.
    pub durability: Durability,
    /// The last seq that the log has assigned, 0 if none.
    pub head: u64,
    pub topic: Box<str>,
    pub private: bool,
    pub owned: bool,
    pub presence: PresenceMode,
    pub order: Order,
    pub ring: Ring,
    pub members: Vec<MembershipKey>,
    pub subs: Vec<Sub>,
    /// Committed in this turn, but not fanned out yet.
    pub pending: Vec<SharedRecord>,
    /// Those who are to be answered in the place of one of `pending`, or do not get it: with its index,
    /// ascending.
    pub senders: Vec<(usize, Sender)>,
    /// The weight of `pending`.
    pub pending_bytes: usize,
    /// The first seq that the store still has, if the room is stored.
    pub oldest: u64,
    /// Requests to the logs, for which the room stays, that have not been answered.
    pub asked: u32,
    /// The `rev` of the last record.
    pub rev: u64,
    pub gathered: Gathered,
    /// When the gathered is due, or, without members, when the room is to be dropped.
    pub timer: Option<TimerId>,
}

/// The sender of a record, as long as it has not been answered.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    /// The connection by which it was sent.
    pub conn: ConnId,
    /// The request to answer.
    pub request: Request,
    /// Whether the sender gets the event too.
    pub echo: bool,
}

impl Sender {
    /// The request's id, if its answer is wanted.
    pub(super) fn id(&self) -> Option<&RequestId> {
        self.request.id.as_ref()
    }

    /// The request, to be answered now.
    pub(super) fn take_request(&mut self) -> Request {
        Request { id: self.request.id.take(), op: self.request.op }
    }

    /// Whether it gets what everybody gets: its own event, and no answer.
    pub(super) const fn is_as_others(&self) -> bool {
        self.echo && self.request.id.is_none()
    }
}

/// A session's subscription: a cursor over the room's log.
#[derive(Debug)]
pub(super) struct Sub {
    pub conn: ConnId,
    /// Where the cursor is, if it is not live.
    pub behind: Option<Box<Behind>>,
    pub user: UserKey,
    pub encoding: Encoding,
    /// It is among the room's `senders`.
    pub sent: bool,
    /// Presence, typing or receipts were left out and are owed as a whole.
    pub stale: bool,
}

/// A cursor that is behind.
#[derive(Debug)]
pub(super) struct Behind {
    /// The next seq that it needs.
    pub next: u64,
    /// Answers to its own sends, by place.
    pub held: Vec<Held>,
}

/// The answer to a `send`, kept until the cursor is at its place.
#[derive(Debug)]
pub(super) struct Held {
    pub place: Place,
    pub request: Request,
    pub reply: Reply,
}

/// Where among a room's records the answer to a `send` stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// In place of the record.
    Of(u64),
    /// Behind the record, which the sender wants to see.
    After(u64),
}

impl Place {
    /// The seq that the cursor needs next when the answer is due.
    pub(super) const fn next(self) -> u64 {
        match self {
            Self::Of(seq) => seq,
            Self::After(seq) => seq + 1,
        }
    }
}

/// What is gathered over a time before it is told.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub presence: GatheredPresence,
    pub typing: GatheredTyping,
    pub receipts: GatheredReceipts,
}

/// Who has come and gone.
#[derive(Debug, Default)]
pub(super) struct GatheredPresence {
    /// The version that was told last.
    pub v: u64,
    /// How many members were told to be online or away.
    pub count: u64,
    /// Only counts were told last.
    pub counts_only: bool,
    /// Members whose presence may have changed; may hold keys of those who have left.
    pub changes: Vec<MembershipKey>,
    /// Users who are members no more and were told to be there.
    pub gone: Vec<UserName>,
    /// The next event tells everything instead of what has changed.
    pub whole: bool,
    /// The earliest next event.
    pub at: Tick,
}

/// Who is typing.
#[derive(Debug, Default)]
pub(super) struct GatheredTyping {
    /// They, and until when.
    pub typists: Vec<(UserKey, Tick)>,
    /// Somebody has begun or stopped since this was last told.
    pub changed: bool,
    /// How many were told last.
    pub told: usize,
    /// The earliest next event.
    pub at: Tick,
}

/// Who has read on.
#[derive(Debug, Default)]
pub(super) struct GatheredReceipts {
    /// They.
    pub acked: Vec<MembershipKey>,
    /// The earliest next event.
    pub at: Tick,
}

impl Room {
    pub(super) fn new(name: RoomName, log: LogId, epoch: Epoch, policy: &Policy) -> Self {
        Self {
            name,
            log,
            epoch,
            head: 0,
            topic: "".into(),
            private: false,
            owned: false,
            durability: policy.durability,
            presence: policy.presence,
            order: Order::default(),
            ring: Ring::default(),
            members: Vec::new(),
            subs: Vec::new(),
            pending: Vec::new(),
            senders: Vec::new(),
            pending_bytes: 0,
            oldest: 1,
            asked: 0,
            rev: 0,
            gathered: Gathered::default(),
            timer: None,
        }
    }

    /// The first seq that is still there, `head + 1` if none is.
    pub(super) fn oldest(&self) -> u64 {
        if self.is_stored() { self.oldest } else { self.ring.first().unwrap_or(self.head + 1) }
    }

    /// Whether its records outlive the ring.
    pub(super) fn is_stored(&self) -> bool {
        self.durability != Durability::Memory
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_of_the_size_that_is_stated() {
        assert_eq!((size_of::<Sub>(), size_of::<Option<Room>>()), (24, 400));
    }
}
