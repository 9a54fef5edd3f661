//! A room's new records, to all who get them: rendered once in each encoding.

use super::context::SessionContext;
use super::delivery::{Delivery, put_answer, state_of};
use super::encode::Format;
use super::errors_in_a_row::Answered;
use super::outgoing::Outgoing;
use super::state::Protocol;
use super::text_client::Aside;
use crate::chat::Record;
use crate::chat::model::output::{Encoding, Fanout, Part};
use crate::net::ConnId;
use crate::wire::{events, render, text};

/// Bytes of records up to which they are copied for a sender, so that they leave in one piece with
/// the answers around them. More are shared with the other recipients.
const COPIED_MAX: usize = 512;

impl Delivery<'_, '_> {
    /// Hands a room's new records to all who get them.
    pub(super) fn fan_out(&mut self, fanout: &mut Fanout) {
        // Senders before all others: their records are rendered for everybody by it, and their
        // answers leave with the same piece.
        for parts in fanout.partial.chunk_by(|(one, _), (next, _)| one == next) {
            self.parts(fanout, parts);
        }
        for (encoding, to) in std::mem::take(&mut fanout.whole).into_lists() {
            render_records(self.context, encoding, fanout);
            if encoding == Encoding::ManyEvents {
                self.fan_out_to_many(fanout, to);
                continue;
            }
            if encoding == Encoding::Text {
                for &conn in &to {
                    note_shown(self.context, conn, fanout);
                }
            }
            let outgoing = &mut self.context.outgoing;
            let all = outgoing.batches[encoding.index()].whole();
            if let [conn] = *to {
                outgoing.stage_part(conn, all);
                fanout.whole.give_back(to);
                continue;
            }
            // One slice for all of an encoding: each of them costs a count.
            outgoing.stage_for_all(to, all);
        }
        for batch in &mut self.context.outgoing.batches {
            // The ranges are of this fan-out only; the lists keep their memory.
            batch.clear();
        }
        self.turn.chat.recycle(fanout);
    }

    /// Hands records, which are rendered, to streams of several rooms: each has its own positions.
    fn fan_out_to_many(&mut self, fanout: &Fanout, to: Vec<ConnId>) {
        for conn in to {
            let state = state_of(&mut self.active, self.states, conn);
            if let Some(Protocol::Events(stream)) = state.map(|state| &mut state.protocol) {
                stream.stage(conn, &mut self.context.outgoing, fanout);
            }
        }
    }

    /// Delivers what one sender gets: records, and answers in place of its own ones.
    fn parts(&mut self, fanout: &Fanout, parts: &[(ConnId, Part)]) {
        let Some(&(conn, _)) = parts.first() else { return };
        let Self { active, states, context, .. } = self;
        let Some(state) = state_of(active, states, conn) else { return };
        if matches!(state.protocol, Protocol::Http { .. }) {
            return self.answer_visit(fanout, parts);
        }
        // None while it closes: it is told nothing more.
        let Some(format) = state.format() else { return };
        let encoding = format.encoding();
        // Before the piece begins: the records of a fan-out lie end to end.
        render_records(context, encoding, fanout);
        if encoding == Encoding::Text {
            note_shown(context, conn, fanout);
        }
        let mut start = context.outgoing.bytes.len();
        for (_, part) in parts {
            match part {
                Part::Records(range) => {
                    let Outgoing { bytes, batches, .. } = &mut context.outgoing;
                    let range = batches[encoding.index()].part(range);
                    if range.len() <= COPIED_MAX {
                        bytes.extend_from_within(range);
                    } else {
                        context.outgoing.stage(conn, start);
                        context.outgoing.stage_part(conn, range);
                        start = context.outgoing.bytes.len();
                    }
                }
                Part::Sent(request, index, not_members) => {
                    if let Some(reply) = fanout.sent(*index, not_members) {
                        put_answer(state, context, None, (request, &Ok(reply)), Answered::Later);
                    }
                    if encoding == Encoding::Text
                        && let Some((record, target)) = fanout.with_targets().nth(*index)
                    {
                        let before = context.outgoing.bytes.len();
                        text::sent(&mut context.outgoing.bytes, &fanout.room, record, target);
                        let len = context.outgoing.bytes.len() - before;
                        state.answers.give(context.turn, len);
                    }
                }
            }
        }
        context.outgoing.stage(conn, start);
    }

    /// Answers what was asked over HTTP, where no records are told.
    fn answer_visit(&mut self, fanout: &Fanout, parts: &[(ConnId, Part)]) {
        for (conn, part) in parts {
            if let Part::Sent(request, index, not_members) = part
                && let Some(reply) = fanout.sent(*index, not_members)
            {
                self.reply(*conn, request, &Ok(reply));
            }
        }
    }
}

/// Renders the records of a fan-out in one encoding, unless they are rendered already.
fn render_records(context: &mut SessionContext, encoding: Encoding, fanout: &Fanout) {
    let SessionContext { encoder, outgoing, .. } = context;
    let Outgoing { bytes, batches, .. } = outgoing;
    let batch = &mut batches[encoding.index()];
    if !batch.is_empty() {
        return;
    }
    let format = Format::of(encoding);
    batch.begin(bytes.len());
    for (record, target) in fanout.with_targets() {
        encoder.message(format, bytes, |out| match format {
            Format::Text => text::record_event(out, &fanout.room, record, target),
            Format::Events => {
                events::id(out, |out| events::position(out, fanout.epoch, record.seq));
                events::record(out, &fanout.room, record);
            }
            Format::ManyEvents => events::record(out, &fanout.room, record),
            Format::WebSocket | Format::Deflate(_) | Format::Lines | Format::Lengths => {
                render::record_event(out, &fanout.room, record);
            }
        });
        debug_assert!(
            bytes.len() - batch.end() <= booked(record, encoding),
            "a record takes no more than its weight"
        );
        batch.push(bytes.len());
    }
}

/// The bytes that a record takes at most.
fn booked(record: &Record, encoding: Encoding) -> usize {
    let weight = usize::try_from(record.weight).unwrap_or(0);
    // A stream escapes what no other encoding does: who is sent much of that takes three times what
    // was booked, and is ended sooner instead of lagging.
    let weight = if encoding.is_stream() { 3 * weight } else { weight };
    weight + encoding.framing_max()
}

/// A person was shown the records of a fan-out.
fn note_shown(context: &mut SessionContext, conn: ConnId, fanout: &Fanout) {
    if let Some(last) = fanout.records.last() {
        context.asides.push((conn, Aside::Shown(fanout.room.clone(), last.seq)));
    }
}
