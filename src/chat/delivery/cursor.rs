//! Cursors over a room's log, and what one turn has added for them.
//!
//! ```text
//!            join without a position                 no send credit left
//!   (none) ──────────────────────────▶ live ──────────────────────────────▶ lagging
//!      │                                ▲ ◀──────────────────────────────      ▲
//!      │                                │        caught up: `live` is said     │
//!      └────────────────────────────────┴── join or resume with a position ────┘
//! ```

use std::collections::BTreeMap;
use std::mem;

use crate::chat::model::command::RequestId;
use crate::chat::model::name::UserName;
use crate::chat::model::output::Request;
use crate::chat::model::record::{Record, SharedRecord};
use crate::chat::model::reply::Reply;
use crate::chat::rooms::Room;
use crate::net::ConnId;

/// The readers of one room, and the records that wait for the turn's end.
#[derive(Debug, Default)]
pub(in crate::chat) struct Feed {
    pub subscriptions: Vec<Subscription>,
    /// Where the cursors are that are not live, by the slots of their connections.
    pub lagging: Lags,
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

/// A connection's subscription: a cursor over the room's log, in four bytes, since a room has one
/// for each reader and a fan-out visits them all. Its reader, which is there as long as it is, has
/// the rest; where it is, if it is not live, is in [`Feed::lagging`].
///
/// ```text
///  31     30     29 ..... 24  23 .................. 0
/// +------+------+------------+----------------------+
/// | lags | stale|     0      |  slot of connection  |
/// +------+------+------------+----------------------+
/// ```
#[derive(Clone, Copy, Debug)]
pub(in crate::chat) struct Subscription(u32);

impl Subscription {
    const LAGS: u32 = 1 << 31;
    const STALE: u32 = 1 << 30;
    const SLOT: u32 = (1 << 24) - 1;

    /// A live cursor of the connection in this slot.
    pub(super) fn live(slot: usize) -> Self {
        debug_assert!(slot < ConnId::SLOTS_MAX, "a slot is the slot of a connection");
        Self(u32::try_from(slot).unwrap_or(Self::SLOT) & Self::SLOT)
    }

    /// The slot of its connection.
    #[inline]
    pub(super) const fn slot(self) -> usize {
        (self.0 & Self::SLOT) as usize
    }

    /// Whether it is not live: there is an entry of it in [`Feed::lagging`].
    #[inline]
    pub(super) const fn lags(self) -> bool {
        self.0 & Self::LAGS != 0
    }

    /// Whether presence, typing or receipts were left out and are owed as a whole.
    pub(in crate::chat) const fn is_stale(self) -> bool {
        self.0 & Self::STALE != 0
    }

    pub(in crate::chat) const fn set_stale(&mut self, is_stale: bool) {
        self.0 = if is_stale { self.0 | Self::STALE } else { self.0 & !Self::STALE };
    }
}

const _: () = assert!(ConnId::SLOTS_MAX <= 1 << 24, "a slot fits the bits that it has");

/// The cursors of one room that lag. Nearly always there is none.
#[derive(Debug, Default)]
#[expect(clippy::box_collection, reason = "the rare case must not make every room larger")]
pub(in crate::chat) struct Lags(Option<Box<BTreeMap<u32, Lagging>>>);

impl Lags {
    /// Where a cursor is; `None` if it is live.
    pub(in crate::chat) fn get(&self, row: Subscription) -> Option<&Lagging> {
        if !row.lags() {
            return None;
        }
        self.0.as_ref()?.get(&Self::place(row))
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, row: Subscription) -> Option<&mut Lagging> {
        if !row.lags() {
            return None;
        }
        self.0.as_mut()?.get_mut(&Self::place(row))
    }

    /// The cursor lags from now on.
    pub(super) fn insert(&mut self, row: &mut Subscription, lagging: Lagging) -> &mut Lagging {
        // The mark and the entry change together: who reads the mark alone, as a fan-out does for
        // nearly all, must not miss a cursor that lags.
        row.0 |= Subscription::LAGS;
        let lags = self.0.get_or_insert_default().entry(Self::place(*row));
        lags.insert_entry(lagging).into_mut()
    }

    /// The cursor is live from now on, or ends; returns where it was, if it lagged.
    pub(super) fn remove(&mut self, row: &mut Subscription) -> Option<Lagging> {
        if !row.lags() {
            return None;
        }
        row.0 &= !Subscription::LAGS;
        let lags = self.0.as_mut()?;
        let removed = lags.remove(&Self::place(*row));
        // Given back at once: most rooms in which somebody has lagged once never see it again.
        if lags.is_empty() {
            self.0 = None;
        }
        removed
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |lags| lags.len())
    }

    const fn place(row: Subscription) -> u32 {
        // By the slot of the connection, and not by the place among the subscriptions, which
        // changes when another one ends.
        row.0 & Subscription::SLOT
    }
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
        // With `echo` the client sees its record as all others do, and then the answer.
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
const _: () = assert!(size_of::<Subscription>() <= 4);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_is_its_slot_with_two_marks_that_do_not_touch_each_other() {
        for slot in [0, 1, ConnId::SLOTS_MAX - 1] {
            let (mut row, mut lags) = (Subscription::live(slot), Lags::default());
            let seen = |row: Subscription| (row.slot(), row.lags(), row.is_stale());
            assert_eq!(seen(row), (slot, false, false));
            row.set_stale(true);
            lags.insert(&mut row, Lagging::at(7));
            assert_eq!(seen(row), (slot, true, true));
            row.set_stale(false);
            assert_eq!(seen(row), (slot, true, false));
            assert_eq!(lags.get(row).map(|lagging| lagging.next), Some(7));
            assert_eq!(lags.remove(&mut row).map(|lagging| lagging.next), Some(7));
            assert_eq!(seen(row), (slot, false, false));
            assert!(lags.get(row).is_none() && lags.remove(&mut row).is_none());
        }
    }

    #[test]
    fn a_room_in_which_nobody_lags_any_more_owns_no_memory_for_it() {
        let mut lags = Lags::default();
        let mut rows: Vec<_> = (0..100).map(Subscription::live).collect();
        for (nth, row) in (0..).zip(&mut rows) {
            lags.insert(row, Lagging::at(nth));
        }
        assert_eq!(lags.len(), 100);
        for (nth, row) in (0..).zip(&mut rows) {
            lags.get_mut(*row).unwrap().next += 1;
            assert_eq!(lags.remove(row).map(|lagging| lagging.next), Some(nth + 1));
        }
        assert!(lags.0.is_none());
    }
}
