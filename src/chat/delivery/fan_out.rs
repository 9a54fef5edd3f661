//! Fan-out: the records that a turn has added to a room go to all live cursors at once.

use std::mem;

use super::cursor::{DeferredReply, Feed, Lagging, ReplyPosition, Sender};
use super::reader::Reader;
use super::{Delivery, DeliveryMut, reader_of};
use crate::chat::context::Context;
use crate::chat::keys::RoomKey;
use crate::chat::model::command::Op;
use crate::chat::model::limits::PAGE_BYTES_MAX;
use crate::chat::model::output::{Audience, Encoding, Fanout, Output, Part};
use crate::chat::model::pressure::Pressure;
use crate::chat::model::record::SharedRecord;
use crate::chat::rooms::Room;
use crate::collections::Key as _;
use crate::net::ConnId;

/// Bytes of records at which a room does not wait for the turn's end: a batch must fit the send
/// credit.
const BATCH_BYTES_MAX: usize = PAGE_BYTES_MAX;
/// Senders up to which comparing with each is faster than sorting.
const FEW_SENDERS: usize = 8;

impl DeliveryMut<'_> {
    /// Has a record that was just committed fanned out when the turn ends, and its sender answered
    /// then, unless that is another node's. `target` is the message that it is about, as it was
    /// before. Returns whether so much waits that it should be fanned out at once.
    pub(in crate::chat) fn enqueue(
        &mut self,
        key: RoomKey,
        (record, target): (SharedRecord, Option<SharedRecord>),
        sender: Option<Sender>,
    ) -> bool {
        let Some(feed) = self.delivery.feeds.get_mut(key.index()) else {
            // Nobody reads this room: the sender is answered, and that is all.
            if let Some(mut sender) = sender {
                let reply = sender.take_reply(&self.rooms[key], &record);
                self.context.reply(sender.conn, sender.request, Ok(reply));
            }
            return false;
        };
        // A room that was fanned out within the turn comes onto the list a second time, where
        // nothing is found then: cheaper than to look for it.
        if feed.records.is_empty() {
            self.delivery.dirty.push(key);
            feed.records = self.delivery.spare.records.take();
            feed.senders = self.delivery.spare.senders.take();
        }
        feed.bytes += encoded_len(&record);
        // Who wants the event and no answer needs no part of its own, and shares what all get.
        if let Some(sender) = sender.filter(|sender| !sender.is_like_others()) {
            feed.senders.push((feed.records.len(), sender));
        }
        feed.records.push(record);
        feed.targets.extend(target);
        feed.bytes >= BATCH_BYTES_MAX
    }

    /// Answers what a connection has sent in this turn, before something that it asked for later.
    pub(in crate::chat) fn fan_out_sends_of(&mut self, conn: ConnId) {
        // Nearly always nothing waits.
        // By place, since `fan_out` borrows all of delivery. It leaves the list as it is.
        for at in 0..self.delivery.dirty.len() {
            let Some(&key) = self.delivery.dirty.get(at) else { return };
            let feed = self.delivery.feed(key);
            if feed.is_some_and(|feed| feed.senders.iter().any(|(_, sender)| sender.conn == conn)) {
                self.fan_out(key);
            }
        }
    }

    /// Hands a room's waiting records to all live cursors, and their senders' replies with them.
    pub(in crate::chat) fn fan_out(&mut self, key: RoomKey) {
        let Self { context, rooms, delivery } = self;
        let Delivery { readers, feeds, spare, .. } = &mut **delivery;
        let Some(feed) = feeds.get_mut(key.index()).filter(|feed| !feed.records.is_empty()) else {
            return;
        };
        let room = &rooms[key];
        let mut batch = Batch::take(feed);
        let targets = mem::take(&mut feed.targets);
        // Nearly always all are of one encoding, so that one list is made for them.
        let first = feed.subscriptions.first().and_then(|&row| reader_of(readers, row));
        let encoding = first.map_or_else(Encoding::default, |reader| reader.encoding);
        // Sized once, since a list that grows while ten thousand readers are visited is copied a
        // dozen times.
        let others = feed.subscriptions.len().saturating_sub(batch.senders.len());
        // A longer list goes along with the bytes, and does not come back.
        let list = if others == 1 { spare.recipients.take() } else { Vec::new() };
        let mut whole = Audience::expecting(list, others, encoding);
        let mut partial = spare.parts.take();
        let mut live = 0;
        let (turn, mut limit) = (context.turn, context.outbound_limit());
        // When little is left, a batch that is more than a few messages goes by pages, which are as
        // small as need be.
        let is_too_much = context.pressure.is_high() && batch.bytes > limit.max(Pressure::LEAST);
        for row in &mut feed.subscriptions {
            let Some(reader) = reader_of(readers, *row) else {
                debug_assert!(false, "a subscription has a reader");
                continue;
            };
            if row.lags() {
                // Looked up only for who has sent one of these, which few do.
                if batch.is_from(reader.conn)
                    && let Some(lagging) = feed.lagging.get_mut(*row)
                {
                    batch.defer_replies(room, reader, &mut lagging.replies);
                }
                continue;
            }
            // Booked here, once a batch: a slow reader costs one comparison, whatever it is owed.
            let mut bytes = batch.bytes;
            if reader.encoding.is_stream() {
                bytes += batch.records.len() * reader.encoding.framing_max();
            }
            if is_too_much || !reader.credit.take(turn, limit, bytes) {
                // The whole batch or nothing: what does not fit comes by pages, which are cut to
                // any size.
                fall_behind(context, reader);
                let lagging = feed.lagging.insert(row, Lagging::at(batch.first));
                batch.defer_replies(room, reader, &mut lagging.replies);
                continue;
            }
            if reader.credit.is_blocked() {
                context.pressure.change(0, bytes);
                // The budget of all connections shrinks while it is handed out: readers further
                // down the list must see what those before them were given.
                limit = context.outbound_limit();
            }
            live += 1;
            if batch.is_from(reader.conn) {
                batch.add_parts(reader.conn, &mut partial);
            } else {
                whole.push(reader.encoding, reader.conn);
            }
        }
        // Their answers leave before the fan-out, which nothing depends on: without a cursor they
        // are shown none of its records.
        batch.answer_the_rest(context, room);
        let Batch { records, senders, .. } = batch;
        spare.senders.put_back(senders);
        // Where nobody is live the records are dropped here: ring and store have them for who lags.
        if live > 0 {
            context.stats.deliveries += u64::try_from(records.len() * live).unwrap_or(u64::MAX);
            let (epoch, durable) = (room.epoch, room.durability);
            let room = room.name.clone();
            log::debug!(room:% = room, seqs = records.len(), live; "fanned out");
            let fanout = Fanout { room, epoch, durable, records, targets, whole, partial };
            context.outputs.push_back(Output::Fanout(fanout));
        }
    }

    /// Answers a `send` whose record is at `seq`, when the cursor of its connection is there.
    pub(in crate::chat) fn answer_at(&mut self, key: RoomKey, sender: Sender, seq: u64, at: u64) {
        self.fan_out(key);
        // The first answer may have been lost with a connection, so the place counts again.
        let reply = self.rooms[key].sent(seq, at, true);
        // A live cursor is past `seq` by the `fan_out` above, and a lagging one that needs a later
        // record has seen it: only a cursor still before it must wait with the answer.
        let found = self.delivery.cursor_mut(sender.conn, key).and_then(|(reader, row, lags)| {
            Some((reader, lags.get_mut(*row).filter(|lagging| lagging.next <= seq)?))
        });
        match found {
            Some((reader, lagging)) if sender.id().is_some() => {
                // A change without effect names a record of others, perhaps: that is shown first.
                let is_shown = sender.echo || sender.request.op != Op::Send;
                let position = ReplyPosition::new(seq, is_shown);
                let index = lagging.replies.partition_point(|row| row.position.next() <= seq);
                let row = DeferredReply { position, request: sender.request, reply };
                lagging.replies.insert(index, row);
                reader.deferred_replies = reader.deferred_replies.saturating_add(1);
            }
            _ => self.context.reply(sender.conn, sender.request, Ok(reply)),
        }
    }
}

/// The records of one fan-out, and the senders among whose records they are.
struct Batch {
    records: Vec<SharedRecord>,
    senders: Vec<(usize, Sender)>,
    bytes: usize,
    /// The seq of the first record.
    first: u64,
    /// The connections of many senders, sorted, so that each reader is not compared with all of
    /// them.
    sorted: Vec<ConnId>,
}

impl Batch {
    fn take(feed: &mut Feed) -> Self {
        let records = mem::take(&mut feed.records);
        let first = records.first().map_or(0, |record| record.seq);
        let senders = mem::take(&mut feed.senders);
        let mut sorted = Vec::new();
        // Without this a room in which everybody speaks in one turn costs readers times senders.
        if senders.len() > FEW_SENDERS {
            sorted.extend(senders.iter().map(|(_, sender)| sender.conn));
            sorted.sort_unstable();
        }
        Self { records, senders, bytes: mem::take(&mut feed.bytes), first, sorted }
    }

    /// Whether the connection has sent one of the records and is to be answered.
    fn is_from(&self, conn: ConnId) -> bool {
        if !self.sorted.is_empty() {
            return self.sorted.binary_search(&conn).is_ok();
        }
        self.senders.iter().any(|(_, sender)| sender.conn == conn)
    }

    /// Adds what the connection of a sender gets: the records, with its replies in place of its own
    /// ones.
    fn add_parts(&mut self, conn: ConnId, partial: &mut Vec<(ConnId, Part)>) {
        let mut start = 0;
        self.senders.retain_mut(|(index, sender)| {
            if sender.conn != conn {
                return true;
            }
            // Its own record ends the run of those before it, or is left out of it.
            let end = if sender.echo { *index + 1 } else { *index };
            if start < end {
                partial.push((conn, Part::Records(start..end)));
            }
            if sender.id().is_some() {
                // By index and not by seq: the session renders the answer beside the record, which
                // it has there.
                let (request, named) = (sender.take_request(), mem::take(&mut sender.not_members));
                partial.push((conn, Part::Sent(request, *index, named)));
            }
            start = *index + 1;
            false
        });
        if start < self.records.len() {
            partial.push((conn, Part::Records(start..self.records.len())));
        }
    }

    /// Answers the senders without a cursor: they have left meanwhile, or are gone.
    fn answer_the_rest(&mut self, context: &mut Context, room: &Room) {
        for (index, mut sender) in self.senders.drain(..) {
            if sender.id().is_some()
                && let Some(record) = self.records.get(index)
            {
                let reply = sender.take_reply(room, record);
                context.reply(sender.conn, sender.take_request(), Ok(reply));
            }
        }
    }

    /// Keeps the replies to the reader's own sends until its cursor is there.
    fn defer_replies(
        &mut self,
        room: &Room,
        reader: &mut Reader,
        replies: &mut Vec<DeferredReply>,
    ) {
        if !self.is_from(reader.conn) {
            return;
        }
        let Self { records, senders, .. } = self;
        senders.retain_mut(|(index, sender)| {
            // In the order of the records, so that `replies` stays sorted by position without a
            // search.
            if sender.conn != reader.conn {
                return true;
            }
            if let Some(record) = records.get(*index).filter(|_| sender.id().is_some()) {
                let position = ReplyPosition::new(record.seq, sender.echo);
                let reply = sender.take_reply(room, record);
                replies.push(DeferredReply { position, request: sender.take_request(), reply });
                reader.deferred_replies = reader.deferred_replies.saturating_add(1);
            }
            false
        });
    }
}

/// A cursor of the reader falls behind.
fn fall_behind(context: &mut Context, reader: &mut Reader) {
    reader.lagging += 1;
    context.stats.lagged += 1;
    // A blocked socket says when it has drained, and the cursor goes on. Of one that is not, nobody
    // would ever say so.
    if !reader.credit.is_blocked() {
        context.outputs.push_back(Output::Wake { conn: reader.conn });
    }
}

/// The rendered length of a record, at most.
pub(super) fn encoded_len(record: &SharedRecord) -> usize {
    usize::try_from(record.weight).unwrap_or(usize::MAX)
}
