//! Catch-up: lagging cursors are brought up to their rooms' heads, as far as the send credit goes.

use super::cursor::{DeferredReply, Lagging, Lags, ReplyPosition, Subscription};
use super::fan_out::encoded_len;
use super::reader::Reader;
use super::{DeliveryMut, Pages, find_reader};
use crate::chat::context::Context;
use crate::chat::keys::RoomKey;
use crate::chat::model::event::Event;
use crate::chat::model::limits::PAGE_BYTES_MAX;
use crate::chat::model::record::SharedRecord;
use crate::chat::model::reply::GapWhy;
use crate::chat::model::send_credit::SendCredit;
use crate::chat::rooms::Room;
use crate::collections::Key as _;
use crate::net::ConnId;

/// Bytes that a small event takes, at most.
const SMALL_EVENT_BYTES: usize = 192;

/// 2^32 over the golden ratio, made odd: its multiples are spread over the upper bits.
const TURN_MIX: u32 = 0x9e37_79b1;

/// How far a cursor was brought up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CatchUp {
    /// It is live.
    Live,
    /// It waits for a page of the store.
    NeedsPage,
    /// The send credit has run out before.
    NoCredit,
}

impl DeliveryMut<'_> {
    /// Brings the lagging cursors of a connection as far up as its send credit allows. Pages that
    /// they need are then wanted: see [`Pages::next_to_read`].
    pub(in crate::chat) fn catch_up(&mut self, conn: ConnId) {
        let Some(reader) = self.delivery.reader(conn).filter(|reader| reader.lagging > 0) else {
            return;
        };
        // Taken before the steps below: each deferred reply that they send lowers it, and only the
        // passage below the bound wakes the session.
        let owed = reader.owed();
        let mut rooms: Vec<RoomKey> = reader.subscriptions.iter().map(|row| row.room).collect();
        // Another room comes first each time, so that a busy one does not take all the credit for
        // ever. The turn's number is mixed: a socket may drain in every second turn.
        let mixed = self.context.turn.wrapping_mul(TURN_MIX) >> 16;
        let first = usize::try_from(mixed).unwrap_or(0) % rooms.len().max(1);
        rooms.rotate_left(first);
        for key in rooms {
            // With the last one that lags nothing is left to be done.
            if self.delivery.reader(conn).is_none_or(|reader| reader.lagging == 0)
                || !self.try_catch_up(conn, key)
            {
                break;
            }
        }
        self.note_relief(conn, owed);
    }

    /// The same for its cursor of one room, whose page has come. Its others want nothing that they
    /// have not wanted before.
    pub(in crate::chat) fn catch_up_room(&mut self, conn: ConnId, key: RoomKey) {
        let Some(reader) = self.delivery.reader(conn).filter(|reader| reader.lagging > 0) else {
            return;
        };
        let owed = reader.owed();
        self.try_catch_up(conn, key);
        self.note_relief(conn, owed);
    }

    /// Brings one cursor up as far as it goes now: `false` if the credit has run out before, and
    /// it is to be gone on with later.
    fn try_catch_up(&mut self, conn: ConnId, key: RoomKey) -> bool {
        // Records that wait for the turn's end would otherwise be sent twice: replayed, then live.
        self.fan_out(key);
        if self.catch_up_in(conn, key) != CatchUp::NoCredit {
            return true;
        }
        // A socket that is not blocked never reports that it has drained, so the rest of the work
        // would wait for ever without this.
        if self.delivery.reader(conn).is_some_and(|reader| !reader.credit.is_blocked()) {
            self.context.wake(conn);
        }
        false
    }

    /// Brings the connection's cursor of one room up.
    fn catch_up_in(&mut self, conn: ConnId, key: RoomKey) -> CatchUp {
        let Self { context, rooms, delivery } = self;
        let Some(feed) = delivery.feeds.get_mut(key.index()) else { return CatchUp::Live };
        let Some(reader) = find_reader(&mut delivery.readers, conn) else { return CatchUp::Live };
        // Reader, cursor and page lie in three tables, which are borrowed apart here, since a step
        // changes all of them.
        let row = reader.index_in(key).and_then(|index| feed.subscriptions.get_mut(index));
        let Some(row) = row else { return CatchUp::Live };
        let (room, lags, pages) = (&rooms[key], &mut feed.lagging, &mut delivery.pages);
        let mut step = Step { context, room, reader, row, lags, pages };
        loop {
            // It ends: each step takes a reply off, or moves `next` towards the head.
            if let Some(done) = step.next(key) {
                return done;
            }
        }
    }
}

/// One cursor that is being brought up.
struct Step<'a> {
    context: &'a mut Context,
    room: &'a Room,
    reader: &'a mut Reader,
    row: &'a mut Subscription,
    lags: &'a mut Lags,
    pages: &'a mut Pages,
}

impl Step<'_> {
    /// Where the cursor is, `None` if it is live.
    fn lagging(&mut self) -> Option<&mut Lagging> {
        self.lags.get_mut(*self.row)
    }

    /// Sends the next thing that the cursor needs; `Some` when nothing more can be sent now.
    fn next(&mut self, key: RoomKey) -> Option<CatchUp> {
        let Some(lagging) = self.lags.get(*self.row) else { return Some(CatchUp::Live) };
        let (next, head, oldest) = (lagging.next, self.room.head, self.room.oldest());
        // The order of the branches is the order on the wire: a reply before the record after it,
        // a gap before anything that would be spliced over it, and `live` only after both.
        let reply_at = lagging.replies.first().map_or(u64::MAX, |row| row.position.next());
        if reply_at <= next {
            self.send_reply();
        } else if next < oldest {
            // Said before anything after it, so that a client never splices over a hole.
            // A reply can be due inside the gap: then the gap is told in two parts, around it.
            self.tell_gap(oldest.min(reply_at) - 1);
        } else if next > head {
            self.go_live(next - 1);
            return Some(CatchUp::Live);
        } else {
            return self.replay(key, next, reply_at.min(head + 1));
        }
        None
    }

    /// The answer to one of its own sends is due.
    fn send_reply(&mut self) {
        let Some(lagging) = self.lagging() else { return };
        // They are few: the session reads no more of who is owed 64 answers.
        let DeferredReply { position, request, reply } = lagging.replies.remove(0);
        if let ReplyPosition::InsteadOf(seq) = position {
            // The answer stands for the record, which is not sent besides.
            lagging.next = lagging.next.max(seq + 1);
        }
        self.reader.deferred_replies = self.reader.deferred_replies.saturating_sub(1);
        self.context.reply(self.reader.conn, request, Ok(reply));
    }

    /// What it needs next, up to `to`, is no longer there.
    fn tell_gap(&mut self, to: u64) {
        let Some(lagging) = self.lagging() else { return };
        // The count of gaps is on the metrics page: in a stored room there is none without
        // retention.
        let from = std::mem::replace(&mut lagging.next, to + 1);
        self.context.stats.gaps += 1;
        let room = self.room.name.clone();
        self.tell_small(Event::Gap { room, from, to, why: GapWhy::Pruned });
    }

    /// It has the whole log, up to `seq`.
    fn go_live(&mut self, seq: u64) {
        self.reader.lagging -= 1;
        self.lags.remove(self.row);
        self.tell_small(Event::Live { room: self.room.name.clone(), seq });
    }

    fn tell_small(&mut self, event: Event) {
        let bytes = SMALL_EVENT_BYTES + self.reader.encoding.framing_max();
        // Booked beyond the limit if need be: these events are small, and a cursor that waited for
        // credit to be told that it is live would never leave the list of those that lag.
        self.reader.credit.give(self.context.turn, bytes);
        self.context.tell(self.reader.conn, event);
    }

    /// Sends a page of records, from `next` on and below `end`.
    fn replay(&mut self, key: RoomKey, next: u64, end: u64) -> Option<CatchUp> {
        let credit = (self.context.turn, self.context.outbound_limit());
        let is_blocked = self.reader.credit.is_blocked();
        let framing = self.reader.encoding.framing_max();
        let books = (&mut self.reader.credit, framing);
        let log = self.room.log;
        // The ring first: what is there costs no read, and is as the last edit has left it.
        let items = if self.room.ring.first().is_some_and(|first| first <= next) {
            take_page(self.room.ring.from(next), end, books, credit)
        } else if let Some(records) = self.pages.from(log, next) {
            take_page(records.iter(), end, books, credit)
        } else {
            // Nothing is booked while the page is on its way: the credit may be quite another by
            // then.
            self.pages.want((key, log), next, self.reader.conn);
            return Some(CatchUp::NeedsPage);
        };
        // Bytes for an idle socket are flushed within the turn and never count in the pressure;
        // those for a blocked one stay until it drains.
        if is_blocked {
            let bytes = items.iter().map(|record| encoded_len(record) + framing).sum();
            self.context.pressure.change(0, bytes);
        }
        // Only the credit can have stopped it: the record `next` is there, and the first one passes
        // whatever its size.
        let Some(to) = items.last().map(|record| record.seq) else {
            return Some(CatchUp::NoCredit);
        };
        if let Some(lagging) = self.lagging() {
            lagging.next = to + 1;
        }
        self.context.stats.replayed += u64::try_from(items.len()).unwrap_or(u64::MAX);
        let room = self.room.name.clone();
        self.context.tell(self.reader.conn, Event::Replay { room, items, to });
        None
    }
}

/// The `records` below `end` that fit a page and the send credit, which is booked with so much for
/// the framing of each.
fn take_page<'a>(
    records: impl Iterator<Item = &'a SharedRecord>,
    end: u64,
    (credit, framing): (&mut SendCredit, usize),
    (turn, limit): (u32, usize),
) -> Vec<SharedRecord> {
    let mut items = Vec::new();
    let mut bytes = 0;
    for record in records.take_while(|record| record.seq < end) {
        // The first record passes whatever its size, here and in `take`, since a page without any
        // would never get a cursor past a record that is larger than the page.
        bytes += encoded_len(record);
        if bytes > PAGE_BYTES_MAX && !items.is_empty() {
            break;
        }
        if !credit.take(turn, limit, encoded_len(record) + framing) {
            break;
        }
        items.push(SharedRecord::clone(record));
    }
    items
}
