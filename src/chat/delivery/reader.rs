//! The receiving side of a connection: what it may still be sent, and what it waits for.

use crate::chat::keys::{RoomKey, UserKey};
use crate::chat::model::output::Encoding;
use crate::chat::model::send_credit::SendCredit;
use crate::collections::Few;
use crate::net::ConnId;

/// Where a connection's subscription stands in its room.
#[derive(Clone, Copy, Debug)]
pub(in crate::chat) struct SubscriptionRef {
    pub room: RoomKey,
    /// The index in the room's subscriptions.
    pub index: u32,
}

/// A connection that has said hello, as delivery sees it: in one cache line, since a fan-out visits
/// many.
#[derive(Debug)]
// Without it a reader straddles two lines as often as not, and the fan-out loads both.
#[repr(align(64))]
pub(in crate::chat) struct Reader {
    pub conn: ConnId,
    pub user: UserKey,
    /// Decides whether its cursors are live.
    pub credit: SendCredit,
    /// By room.
    pub subscriptions: Few<SubscriptionRef>,
    /// How many of the subscriptions lag.
    pub lagging: u32,
    pub encoding: Encoding,
    /// Replies that wait for a lagging cursor.
    pub deferred_replies: u8,
    /// Requests that wait for the logs, by weight; see `pending`.
    pub pending_weight: u8,
    /// Whether it is here for one request, without a session: nobody is told that it is here.
    pub is_visit: bool,
}

impl Reader {
    /// A reader without cursors, which waits for nothing.
    pub(in crate::chat) const fn new(conn: ConnId, user: UserKey, encoding: Encoding) -> Self {
        Self {
            conn,
            user,
            credit: SendCredit::new(),
            subscriptions: Few::new(),
            lagging: 0,
            encoding,
            deferred_replies: 0,
            pending_weight: 0,
            is_visit: false,
        }
    }

    /// How many answers it waits for.
    pub(in crate::chat) fn owed(&self) -> u32 {
        u32::from(self.deferred_replies) + u32::from(self.pending_weight)
    }

    /// The place of the subscription to `room`: its index in `subscriptions`, or where it would be.
    pub(in crate::chat) fn find(&self, room: RoomKey) -> Result<usize, usize> {
        // Most connections are in a few rooms, some in thousands: sorted, both are found without a
        // table of their own.
        self.subscriptions.binary_search_by_key(&room, |subscription| subscription.room)
    }

    /// Whether it is subscribed to `room`.
    pub(in crate::chat) fn is_subscribed(&self, room: RoomKey) -> bool {
        self.find(room).is_ok()
    }

    /// The index in the subscriptions of `room`.
    pub(in crate::chat) fn index_in(&self, room: RoomKey) -> Option<usize> {
        let found = self.subscriptions.get(self.find(room).ok()?)?;
        usize::try_from(found.index).ok()
    }
}

// One cache line: every fan-out visits the readers of a room.
const _: () = assert!(size_of::<Option<Reader>>() <= 64);
