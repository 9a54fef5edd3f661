//! Delivery: how records reach those who are live, and those who lag.
//!
//! Records that a turn has added to a room wait in its [`Feed`] until the turn ends, or until
//! something happens to which their order matters; [`DeliveryMut::fan_out`] then hands them to all
//! live cursors at once. A cursor whose connection has no send credit for them falls behind: it
//! holds a number instead of bytes, and [`DeliveryMut::catch_up`] brings it up again from the ring
//! or, where that does not reach, from [`Pages`] of the store, at the pace at which its socket
//! drains. The states of a cursor are drawn in `cursor.rs`.
//!
//! It looks down on `rooms` and changes nothing there.

mod catch_up;
mod cursor;
mod fan_out;
mod handover;
mod list_pool;
mod pages;
mod reader;
mod subscriptions;

pub(super) use cursor::{Feed, Sender};
pub(super) use pages::{PageId, Pages};
pub(super) use reader::Reader;

use self::cursor::{Lagging, Lags, Subscription};
use self::list_pool::ListPool;
use self::reader::SubscriptionRef;
use super::context::Context;
use super::keys::RoomKey;
use super::model::output::Fanout;
use super::rooms::Rooms;
use crate::collections::{Key as _, Slots};
use crate::net::ConnId;

/// The part of the budget of all rings that the pages of stored logs may take, beside them.
const PAGES_PART: usize = 8;
/// Answers that a connection waits for at which more is read from it again: so few that the next
/// ones fit, and so many that it is not woken for each.
const OWED_ENOUGH: u32 = 32;

/// All readers and cursors, and the pages that lagging ones read.
///
/// Invariant: every subscription of a room has a reader that names it, with its index there.
#[derive(Debug)]
pub(super) struct Delivery {
    /// By connection slot.
    readers: Slots<Reader>,
    /// By the room's place.
    feeds: Slots<Feed>,
    /// Rooms with records that have not been fanned out.
    pub dirty: Vec<RoomKey>,
    pub pages: Pages,
    /// Connections whose cursors wait to have a page read that could not be.
    pub stuck: Vec<ConnId>,
    spare: ListPool,
}

impl Delivery {
    /// Nobody reads anything. `ring_bytes_max` is the budget of all rings.
    pub(super) fn new(ring_bytes_max: usize) -> Self {
        Self {
            readers: Slots::new(),
            feeds: Slots::new(),
            dirty: Vec::new(),
            pages: Pages::new(ring_bytes_max / PAGES_PART),
            stuck: Vec::new(),
            spare: ListPool::default(),
        }
    }

    /// The reader of a connection, if it has said hello.
    pub(super) fn reader(&self, conn: ConnId) -> Option<&Reader> {
        // A slot is used again by later connections: the generation within the `ConnId` tells them
        // apart.
        self.readers.get(conn.slot()).filter(|reader| reader.conn == conn)
    }

    /// The reader of a connection, to be changed.
    pub(super) fn reader_mut(&mut self, conn: ConnId) -> Option<&mut Reader> {
        find_reader(&mut self.readers, conn)
    }

    /// A connection's reader and its cursor over a room, both to be changed, and the cursors there
    /// that lag.
    fn cursor_mut(
        &mut self,
        conn: ConnId,
        key: RoomKey,
    ) -> Option<(&mut Reader, &mut Subscription, &mut Lags)> {
        let reader = find_reader(&mut self.readers, conn)?;
        let feed = self.feeds.get_mut(key.index())?;
        let row = feed.subscriptions.get_mut(reader.index_in(key)?)?;
        Some((reader, row, &mut feed.lagging))
    }

    /// The subscription that a reader names, and where it is if it lags.
    pub(super) fn subscription(
        &self,
        found: &SubscriptionRef,
    ) -> Option<(Subscription, Option<&Lagging>)> {
        let index = usize::try_from(found.index).ok()?;
        let feed = self.feed(found.room)?;
        let row = *feed.subscriptions.get(index)?;
        Some((row, feed.lagging.get(row)))
    }

    fn reader_of(&self, row: Subscription) -> Option<&Reader> {
        self.readers.get(row.slot())
    }

    /// Adds the reader of a connection that has said hello.
    pub(super) fn add_reader(&mut self, reader: Reader) {
        self.readers.insert(reader.conn.slot(), reader);
    }

    /// Removes a reader without subscriptions.
    pub(super) fn remove_reader(&mut self, conn: ConnId) {
        if let Some(reader) = self.reader(conn) {
            // A row left in a feed would name this slot, and later somebody else's connection.
            debug_assert!(reader.subscriptions.is_empty(), "its cursors go first");
            self.readers.remove(conn.slot());
        }
    }

    /// Every reader.
    pub(super) fn readers(&self) -> impl Iterator<Item = &Reader> {
        self.readers.iter()
    }

    /// The readers and pending records of a room.
    pub(super) fn feed(&self, key: RoomKey) -> Option<&Feed> {
        self.feeds.get(key.index())
    }

    /// Readers and subscriptions of a room together, both to be changed.
    pub(super) fn parts(&mut self, key: RoomKey) -> Option<(&mut Slots<Reader>, &mut Feed)> {
        Some((&mut self.readers, self.feeds.get_mut(key.index())?))
    }

    /// How many subscriptions a room has.
    pub(super) fn subscribers(&self, key: RoomKey) -> usize {
        self.feed(key).map_or(0, |feed| feed.subscriptions.len())
    }

    /// The connections that are subscribed to a room.
    pub(super) fn subscribed(&self, key: RoomKey) -> Vec<ConnId> {
        let rows = self.feed(key).map_or(&[][..], |feed| &feed.subscriptions);
        rows.iter().filter_map(|&row| self.reader_of(row)).map(|reader| reader.conn).collect()
    }

    /// Drops the feed of a room that is gone.
    pub(super) fn remove_feed(&mut self, key: RoomKey) {
        let feed = self.feeds.remove(key.index());
        debug_assert!(feed.is_none_or(|feed| feed.subscriptions.is_empty()), "nobody reads it");
    }

    /// Keeps the lists of a fan-out that was sent, for the next one.
    pub(super) fn recycle(&mut self, fanout: &mut Fanout) {
        self.spare.records.put_back(std::mem::take(&mut fanout.records));
        self.spare.parts.put_back(std::mem::take(&mut fanout.partial));
        self.spare.recipients.put_back(std::mem::take(&mut fanout.whole).into_list());
    }

    /// Checks the invariant.
    pub(super) fn debug_check(&self, rooms: &Rooms) {
        // Counted three ways: a row that only one side knows shows as a difference.
        let in_rooms: usize = rooms.table.iter().map(|(key, _)| self.subscribers(key)).sum();
        let in_feeds: usize = self.feeds.iter().map(|feed| feed.subscriptions.len()).sum();
        let of_readers: usize = self.readers.iter().map(|reader| self.check_reader(reader)).sum();
        let lagging: usize = self.feeds.iter().map(|feed| feed.lagging.len()).sum();
        let lags: usize = self.readers.iter().map(|reader| reader.lagging as usize).sum();
        debug_assert_eq!(lagging, lags, "a cursor that is live is nowhere");
        debug_assert_eq!(
            (of_readers, in_feeds),
            (in_rooms, in_rooms),
            "a subscription has a reader"
        );
        self.pages.debug_check();
    }

    /// Returns how many subscriptions the reader has.
    fn check_reader(&self, reader: &Reader) -> usize {
        let (mut lagging, mut deferred) = (0, 0);
        for found in &reader.subscriptions {
            let row = self.subscription(found);
            let slot = row.map(|(row, _)| row.slot());
            debug_assert_eq!(slot, Some(reader.conn.slot()), "it is where its reader says");
            let lags = row.is_some_and(|(row, _)| row.lags());
            let lag = row.and_then(|(_, lagging)| lagging);
            debug_assert_eq!(lag.is_some(), lags, "a cursor that lags is somewhere");
            lagging += u32::from(lag.is_some());
            deferred += lag.map_or(0, |lag| lag.replies.len());
        }
        debug_assert_eq!(reader.lagging, lagging, "a reader knows how many cursors lag");
        debug_assert_eq!(usize::from(reader.deferred_replies), deferred, "and its replies");
        reader.subscriptions.len()
    }
}

/// Delivery with what it needs from outside: all of its own operations are here.
#[derive(Debug)]
pub(super) struct DeliveryMut<'a> {
    pub context: &'a mut Context,
    pub rooms: &'a Rooms,
    pub delivery: &'a mut Delivery,
}

impl DeliveryMut<'_> {
    /// Changes how much a connection waits for. Once that has become little, the session that has
    /// stopped reading from it is told.
    pub(super) fn relieve(&mut self, conn: ConnId, change: impl FnOnce(&mut Reader)) {
        let Some(reader) = self.delivery.reader_mut(conn) else { return };
        let before = reader.owed();
        change(reader);
        // Only on the way down past the bound, so that a connection is woken once.
        if before > OWED_ENOUGH && reader.owed() <= OWED_ENOUGH {
            self.context.wake(conn);
        }
    }

    /// As [`Self::relieve`], for a connection that waited for so many answers before.
    fn note_relief(&mut self, conn: ConnId, before: u32) {
        let owed = self.delivery.reader(conn).map_or(0, Reader::owed);
        if before > OWED_ENOUGH && owed <= OWED_ENOUGH {
            self.context.wake(conn);
        }
    }
}

/// The reader of a subscription.
#[inline]
pub(super) fn reader_of(readers: &mut Slots<Reader>, row: Subscription) -> Option<&mut Reader> {
    readers.get_mut(row.slot())
}

/// The reader of a connection among all of them.
fn find_reader(readers: &mut Slots<Reader>, conn: ConnId) -> Option<&mut Reader> {
    readers.get_mut(conn.slot()).filter(|reader| reader.conn == conn)
}
