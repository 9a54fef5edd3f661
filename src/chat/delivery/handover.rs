//! A connection's cursors, for the next process.

use super::cursor::{DeferredReply, ReplyPosition};
use super::{Delivery, DeliveryMut};
use crate::chat::keys::RoomKey;
use crate::chat::model::handover::{CursorState, ReplyState};
use crate::chat::model::output::Request;
use crate::chat::model::reply::Reply;
use crate::chat::rooms::Rooms;
use crate::net::ConnId;

impl Delivery {
    /// The cursors of a connection.
    pub(in crate::chat) fn cursors(&self, rooms: &Rooms, conn: ConnId) -> Vec<CursorState> {
        let Some(reader) = self.reader(conn) else { return Vec::new() };
        let mut cursors = Vec::with_capacity(reader.subscriptions.len());
        for found in &reader.subscriptions {
            let Some((row, lagging)) = self.subscription(found) else { continue };
            // A live cursor owes no reply: its sends are answered with the fan-out, and none is
            // left when a turn has ended.
            let replies = lagging.map_or(&[][..], |lagging| &lagging.replies);
            cursors.push(CursorState {
                room: rooms[found.room].name.clone(),
                next: lagging.map(|lagging| lagging.next),
                stale: row.is_stale(),
                replies: replies.iter().filter_map(reply_state).collect(),
            });
        }
        cursors
    }
}

fn reply_state(row: &DeferredReply) -> Option<ReplyState> {
    // Only what was put at the end of a log waits for a cursor.
    let Reply::Sent { seq, at, dup, .. } = row.reply else { return None };
    let place = match row.position {
        ReplyPosition::InsteadOf(seq) => (false, seq),
        ReplyPosition::After(seq) => (true, seq),
    };
    let Request { id, op } = row.request.clone();
    Some(ReplyState { place, request: (id, op), sent: (seq, at, dup) })
}

impl DeliveryMut<'_> {
    /// Goes on with a cursor of another process.
    pub(in crate::chat) fn adopt(&mut self, conn: ConnId, key: RoomKey, state: CursorState) {
        self.subscribe(conn, key, state.next);
        let room = &self.rooms[key];
        let Some((reader, row, lags)) = self.delivery.cursor_mut(conn, key) else { return };
        // What was left out cannot be handed over, since it was never made: only that it is owed.
        row.set_stale(state.stale);
        let Some(lagging) = lags.get_mut(*row) else { return };
        for ReplyState { place: (is_after, place), request: (id, op), sent } in state.replies {
            let (seq, at, dup) = sent;
            let position = ReplyPosition::new(place, is_after);
            let (request, reply) = (Request { id, op }, room.sent(seq, at, dup));
            // They come in the order in which they were kept, by position.
            lagging.replies.push(DeferredReply { position, request, reply });
            reader.deferred_replies = reader.deferred_replies.saturating_add(1);
        }
    }

    /// Has the connection told what it has missed, once its socket takes more.
    pub(in crate::chat) fn resume_reading(&mut self, conn: ConnId) {
        let Some(reader) = self.delivery.reader(conn) else { return };
        let mut rows =
            reader.subscriptions.iter().filter_map(|row| self.delivery.subscription(row));
        if reader.lagging > 0 || rows.any(|(row, _)| row.is_stale()) {
            self.context.wake(conn);
        }
    }
}
