//! How cursors begin and end.

use super::cursor::{DeferredReply, Lagging, Subscription};
use super::reader::SubscriptionRef;
use super::{DeliveryMut, find_reader, reader_of};
use crate::chat::keys::RoomKey;
use crate::collections::{Key as _, push_tightly};
use crate::net::ConnId;

impl DeliveryMut<'_> {
    /// Adds a cursor of `conn` to the room: live at the head, or lagging, with `next` to be sent
    /// first. Waiting records are fanned out before, so that the cursor does not see what was
    /// before it.
    pub(in crate::chat) fn subscribe(&mut self, conn: ConnId, key: RoomKey, next: Option<u64>) {
        self.fan_out(key);
        // A second `join` of the same connection asks for another position: the old cursor must not
        // go on beside the new one, or records would come twice.
        self.unsubscribe(conn, key);
        let delivery = &mut *self.delivery;
        let feed = delivery.feeds.get_or_default(key.index());
        let Some(reader) = find_reader(&mut delivery.readers, conn) else { return };
        let Err(place) = reader.find(key) else { return };
        let rows = &mut feed.subscriptions;
        // Both sides of the invariant are written here: the row in the room, and its place in the
        // reader.
        let index = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        reader.subscriptions.insert(place, SubscriptionRef { room: key, index });
        let mut row = Subscription::live(conn.slot());
        if let Some(next) = next {
            // After a position it lags, even if nothing is missing: `catch_up` finds that out, and
            // says `live`.
            feed.lagging.insert(&mut row, Lagging::at(next));
            reader.lagging += 1;
        }
        push_tightly(rows, row);
        self.context.stats.subs += 1;
    }

    /// The connection has missed the present state of the room, and is told it when it is in step.
    pub(in crate::chat) fn mark_stale(&mut self, conn: ConnId, key: RoomKey) {
        if let Some((_, row, _)) = self.delivery.cursor_mut(conn, key) {
            row.set_stale(true);
        }
    }

    /// Takes the cursor of `conn` away, if it has one; replies that waited for it are sent.
    pub(in crate::chat) fn unsubscribe(&mut self, conn: ConnId, key: RoomKey) {
        if self.delivery.reader(conn).is_none_or(|reader| !reader.is_subscribed(key)) {
            return;
        }
        self.fan_out(key);
        let Self { context, delivery, .. } = self;
        let Some((readers, feed)) = delivery.parts(key) else { return };
        let Some(reader) = find_reader(readers, conn) else { return };
        let Ok(place) = reader.find(key) else { return };
        let Some(removed) = reader.subscriptions.remove(place) else { return };
        let index = usize::try_from(removed.index).unwrap_or(usize::MAX);
        let rows = &mut feed.subscriptions;
        // Readers name their place, so the last one may take it; order among readers means nothing.
        let mut row = rows.swap_remove(index);
        context.stats.subs -= 1;
        if let Some(lagging) = feed.lagging.remove(&mut row) {
            reader.lagging -= 1;
            for DeferredReply { request, reply, .. } in lagging.replies {
                // The record is stored whether or not its sender still reads the room, and a `send`
                // without an answer would be repeated.
                reader.deferred_replies = reader.deferred_replies.saturating_sub(1);
                context.reply(conn, request, Ok(reply));
            }
        }
        // At a quarter, not a half: a room whose size swings a little would be copied each time.
        if rows.len() < rows.capacity() / 4 {
            rows.shrink_to(rows.len() * 2);
        }
        // The last one has taken its index.
        let Some(moved) = rows.get(index) else { return };
        let Some(reader) = reader_of(readers, *moved) else { return };
        let place = reader.find(key).unwrap_or(usize::MAX);
        if let Some(found) = reader.subscriptions.get_mut(place) {
            found.index = removed.index;
        }
    }
}
