//! Streams of events: what a program or a page reads over HTTP for as long as it stays.
//!
//! ```text
//!  Exchange ─▶ visit ─▶ handle_watch ─┬─ no room may be read ──▶ response, as to any request
//!                                     └─ head, events … ──▶ last event, end of the body
//! ```
//!
//! The body ends with the connection: some clients take the sizes of chunks for text. A record is
//! put on the wire once for all who read one room; who reads several gets each record after the
//! positions of its own.

use super::encode::Format;
use super::exchange::StreamPlan;
use super::outgoing::Outgoing;
use crate::chat::model::output::{Encoding, Fanout};
use crate::chat::model::watch::Watched;
use crate::chat::{Epoch, Event, Refusal, RoomName};
use crate::net::{CloseReason, ConnId};
use crate::wire::{close_code, close_words, events};

/// When a client comes back that has lost the stream, at the earliest: a server that was killed is
/// up again.
const RETRY_MS: u64 = 1_000;
/// Over how long all are spread that come back then.
const RETRY_SPREAD_MS: u64 = 2_000;

/// A stream.
#[derive(Debug)]
pub(super) struct Stream {
    /// As they were asked for: the positions of an event's id are in this order.
    rooms: Box<[Option<Place>]>,
}

/// Where the stream is in a room.
#[derive(Debug)]
struct Place {
    room: RoomName,
    epoch: Epoch,
    /// Of several rooms: the last seq that was sent. One room's events say it themselves.
    seq: u64,
}

/// The encoding of a stream.
pub(super) const fn encoding(plan: &StreamPlan) -> Encoding {
    if plan.len() == 1 { Encoding::Events } else { Encoding::ManyEvents }
}

impl Stream {
    /// Appends what is said at the beginning of a stream.
    pub(super) fn begin(
        out: &mut Vec<u8>,
        conn: ConnId,
        (plan, rooms): (&StreamPlan, &[Result<Watched, Refusal>]),
    ) -> Self {
        // By slot, so that thousands of streams that break at once do not come back at once; 37
        // shares no divisor with round numbers.
        let spread_ms = u64::try_from(conn.slot()).unwrap_or(0).wrapping_mul(37) % RETRY_SPREAD_MS;
        events::retry(out, RETRY_MS + spread_ms);
        let place = |room: &Result<Watched, Refusal>| {
            let Watched { room, epoch, seq, .. } = room.as_ref().ok()?.clone();
            Some(Place { room, epoch, seq })
        };
        let stream = Self { rooms: rooms.iter().map(place).collect() };
        // A comment at once: some clients say that they are connected with the first bytes only.
        out.extend_from_slice(events::COMMENT);
        for (watch, room) in plan.watches().iter().zip(rooms) {
            match room {
                Ok(Watched { room, epoch, seq, is_reset: true }) => {
                    stream.put_id(out, (room, *seq));
                    events::reset(out, room, *epoch, *seq);
                }
                Ok(_) => {}
                Err(refusal) => events::refused(out, Some(watch.room), refusal),
            }
        }
        stream
    }

    pub(super) const fn format(&self) -> Format {
        if self.rooms.len() == 1 { Format::Events } else { Format::ManyEvents }
    }

    /// Bytes that it takes.
    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.rooms)
    }

    /// Appends the line of the position that is reached with `seq` of `room`.
    fn put_id(&self, out: &mut Vec<u8>, (room, seq): (&RoomName, u64)) {
        events::id(out, |out| {
            for (index, place) in self.rooms.iter().enumerate() {
                out.extend_from_slice(if index == 0 { b"" } else { b"," });
                match place {
                    Some(place) if place.room == *room => events::position(out, place.epoch, seq),
                    Some(place) => events::position(out, place.epoch, place.seq),
                    None => out.push(b'-'),
                }
            }
        });
    }

    /// Appends the line of a position, and keeps it.
    fn advance(&mut self, out: &mut Vec<u8>, (room, seq): (&RoomName, u64)) {
        let place = self.rooms.iter_mut().flatten().find(|place| place.room == *room);
        if let Some(place) = place {
            place.seq = seq;
        }
        // The positions of all rooms in each `id`: a browser keeps the last one only, and brings it
        // back as `Last-Event-ID`.
        self.put_id(out, (room, seq));
    }

    /// Stages the records of a fan-out, which are rendered in the batch of
    /// [`Encoding::ManyEvents`], after the positions of this stream.
    pub(super) fn stage(&mut self, conn: ConnId, outgoing: &mut Outgoing, fanout: &Fanout) {
        let start = outgoing.bytes.len();
        for (index, record) in fanout.records.iter().enumerate() {
            let part = outgoing.batches[Encoding::ManyEvents.index()].part(&(index..index + 1));
            self.advance(&mut outgoing.bytes, (&fanout.room, record.seq));
            outgoing.bytes.extend_from_within(part);
        }
        outgoing.stage(conn, start);
    }

    /// Appends what the domain tells this stream alone. Whether there is nothing more to be read.
    pub(super) fn on_event(&mut self, out: &mut Vec<u8>, event: &Event) -> bool {
        match event {
            // As they come live: who reads a stream need not know which were missed.
            Event::Replay { room, items, .. } => {
                for item in items {
                    self.advance(out, (room, item.seq));
                    events::record(out, room, item);
                }
            }
            Event::Live { room, seq } => {
                self.advance(out, (room, *seq));
                events::event(out, "live", event);
            }
            Event::Gap { room, to, .. } => {
                self.advance(out, (room, *to));
                events::event(out, "gap", event);
            }
            Event::Left { room, .. } => {
                let is_it =
                    |place: &Option<Place>| place.as_ref().is_some_and(|it| it.room == *room);
                self.rooms.iter_mut().filter(|place| is_it(place)).for_each(|place| *place = None);
                events::event(out, "left", event);
                return self.rooms.iter().all(Option::is_none);
            }
            Event::Renamed { room, name } => {
                let places = self.rooms.iter_mut().flatten();
                places.filter(|it| it.room == *room).for_each(|it| it.room.clone_from(name));
                events::event(out, "renamed", event);
            }
            Event::Gone { .. } => events::event(out, "gone", event),
            Event::Expires { .. } => events::event(out, "expires", event),
            Event::Drain { reconnect_after_ms, .. } => {
                events::retry(out, *reconnect_after_ms);
                events::event(out, "drain", event);
            }
            Event::Joined { room, epoch, seq } => {
                let places = self.rooms.iter_mut().flatten();
                places.filter(|it| it.room == *room).for_each(|it| it.epoch = *epoch);
                self.advance(out, (room, *seq));
                events::reset(out, room, *epoch, *seq);
            }
            // Nobody tells these to who has no session.
            Event::Invited { .. }
            | Event::Presence { .. }
            | Event::Typing { .. }
            | Event::Receipts { .. }
            | Event::ReadElsewhere { .. }
            | Event::Thread { .. }
            | Event::Profiles { .. }
            | Event::Reported { .. } => {}
        }
        false
    }
}

/// The last event of a stream that ends from this side.
pub(super) fn goodbye(out: &mut Vec<u8>, reason: CloseReason) {
    // When its rooms have ended, nothing is left to say but the body's end.
    if reason != CloseReason::HttpDone {
        events::bye(out, close_code(reason), close_words(reason));
    }
}
