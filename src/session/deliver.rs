//! What the domain wants said, into the effects that say it.

use std::ops::Range;

use bytes::Bytes;

use super::edge::{Edge, frame};
use super::format::Format;
use super::human;
use super::row::{Row, Stage};
use super::{Sessions, Turn};
use crate::chat::outbox::{Class, Fanout, Part, Request, Said};
use crate::chat::reply::{Refusal, Reply};
use crate::chat::{Event, UserName};
use crate::collections::Slots;
use crate::net::{CloseReason, ConnId, Effect};
use crate::wire::{self, Context, render};

impl Sessions {
    /// Says everything that the domain has to say.
    pub fn say(&mut self, turn: &mut Turn<'_>) {
        loop {
            while let Some(said) = turn.chat.poll_said() {
                self.say_one(said, turn);
            }
            let Some((conn, reason)) = self.doomed.pop() else { return };
            self.end(conn, reason, turn);
        }
    }

    fn say_one(&mut self, said: Said, turn: &mut Turn<'_>) {
        match said {
            Said::Reply { to, request, result } => {
                self.say_reply(to, &request, &result, turn);
            }
            Said::Event { to, event } => self.say_event(to, &event, turn),
            Said::Shared { to, event } => {
                for (class, to) in to.into_classes() {
                    let frame = self.edge.render_event(Format::of(class), &event);
                    turn.effects.push(Effect::Broadcast { to, frame });
                }
            }
            Said::Fanout(fanout) => self.say_fanout(fanout, turn),
            Said::Wake { conn } => turn.effects.push(Effect::Wake { conn }),
            Said::Close { conn, reason } => self.doomed.push((conn, reason)),
        }
    }

    /// Answers a request.
    pub(super) fn say_reply(
        &mut self,
        to: ConnId,
        request: &Request,
        result: &Result<Reply, Refusal>,
        turn: &mut Turn<'_>,
    ) {
        let Self { rows, edge, doomed, .. } = self;
        let Some(row) = find(rows, to) else { return };
        let Some(format) = row.format() else { return };
        edge.metrics.chat.replies.count(result.as_ref().map_or_else(|no| no.code.number(), |_| 0));
        if let Ok(reply) = result {
            row.errors = 0;
            human::follow(row, reply);
        } else if row.err(edge.errors_max) {
            doomed.push((to, CloseReason::Flooding));
        }
        let mut out = Vec::new();
        edge.put_reply(format, turn.chat.user(to), (request, result), &mut out);
        send(row, edge.turn, out, turn);
    }

    fn say_event(&mut self, to: ConnId, event: &Event, turn: &mut Turn<'_>) {
        let Self { rows, edge, .. } = self;
        let Some(row) = find(rows, to) else { return };
        let Some(format) = row.format() else { return };
        let mut text = std::mem::take(&mut edge.text);
        text.clear();
        match format {
            Format::Human => wire::human::event(&mut text, event),
            _ => render::event(&mut text, event, turn.chat.user(to)),
        }
        let mut out = Vec::new();
        edge.put(format, &text, &mut out);
        edge.text = text;
        // A replay is on the domain's books, which do not let it pile up.
        if !out.is_empty() {
            turn.effects.push(Effect::Send { conn: row.conn, frame: frame(out) });
        }
    }

    fn say_fanout(&mut self, fanout: Fanout, turn: &mut Turn<'_>) {
        let Fanout { room, records, whole, partial } = fanout;
        let mut rendered: [Option<Rendered>; Class::COUNT] = Default::default();
        for (class, to) in whole.into_classes() {
            let all = self.edge.render_records(Format::of(class), &room, &records);
            turn.effects.push(Effect::Broadcast { to, frame: all.frame.clone() });
            if let Some(slot) = rendered.get_mut(usize::from(class.0)) {
                *slot = Some(all);
            }
        }
        for (conn, parts) in partial {
            let format = find(&mut self.rows, conn).and_then(|row| row.format());
            let Some(class) = format.map(Format::class) else { continue };
            let Some(slot) = rendered.get_mut(usize::from(class.0)) else { continue };
            let all = slot.get_or_insert_with(|| {
                self.edge.render_records(Format::of(class), &room, &records)
            });
            for part in parts {
                match part {
                    Part::Records(range) => {
                        let frame = all.slice(range);
                        turn.effects.push(Effect::Send { conn, frame });
                    }
                    Part::Reply(request, reply) => {
                        self.say_reply(conn, &request, &Ok(reply), turn);
                    }
                }
            }
        }
    }
}

/// A batch of records, laid end to end.
#[derive(Debug)]
struct Rendered {
    frame: Bytes,
    /// Where each record ends.
    ends: Vec<usize>,
}

impl Rendered {
    /// The records of `range`.
    fn slice(&self, range: Range<usize>) -> Bytes {
        let end_of = |index: usize| self.ends.get(index).copied();
        let start = range.start.checked_sub(1).and_then(end_of).unwrap_or(0);
        let end = range.end.checked_sub(1).and_then(end_of).unwrap_or(start);
        self.frame.slice(start.min(end)..end)
    }
}

impl Edge {
    fn render_event(&mut self, format: Format, event: &Event) -> Bytes {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        match format {
            Format::Human => wire::human::event(&mut text, event),
            _ => render::event(&mut text, event, None),
        }
        let mut out = Vec::new();
        self.put(format, &text, &mut out);
        self.text = text;
        frame(out)
    }

    fn render_records(
        &mut self,
        format: Format,
        room: &crate::chat::RoomName,
        records: &[crate::chat::SharedRecord],
    ) -> Rendered {
        let weight = records.iter().map(|record| usize::try_from(record.weight).unwrap_or(0));
        let mut out = Vec::with_capacity(weight.sum());
        let mut ends = Vec::with_capacity(records.len());
        let mut text = std::mem::take(&mut self.text);
        for record in records {
            text.clear();
            match format {
                Format::Human => wire::human::record_event(&mut text, room, record),
                _ => render::record_event(&mut text, room, record),
            }
            self.put(format, &text, &mut out);
            debug_assert!(
                out.len() - ends.last().copied().unwrap_or(0)
                    <= usize::try_from(record.weight).unwrap_or(0),
                "a record takes no more than its weight"
            );
            ends.push(out.len());
        }
        self.text = text;
        Rendered { frame: frame(out), ends }
    }

    /// Appends the answer to a request, or nothing if none is wanted.
    fn put_reply(
        &mut self,
        format: Format,
        viewer: Option<&UserName>,
        (request, result): (&Request, &Result<Reply, Refusal>),
        out: &mut Vec<u8>,
    ) {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        let context = Context { viewer, limits: &self.limits, server: self.server };
        let wanted = match (format, result) {
            (Format::Human, Ok(reply)) => {
                wire::human::reply(&mut text, reply, self.server);
                true
            }
            (Format::Human, Err(refusal)) => {
                wire::human::refusal(&mut text, refusal);
                true
            }
            (_, Ok(reply)) => render::reply(&mut text, request, reply, &context),
            (_, Err(refusal)) => {
                render::refusal(&mut text, request, refusal);
                true
            }
        };
        if wanted && !text.is_empty() {
            self.put(format, &text, out);
        }
        self.text = text;
    }
}

/// Sends bytes that answer the connection's own request, in the turn of this `number`.
pub(super) fn send(row: &mut Row, number: u32, out: Vec<u8>, turn: &mut Turn<'_>) {
    if !out.is_empty() && !matches!(row.stage, Stage::Ending) {
        row.ledger.give(number, out.len());
        turn.effects.push(Effect::Send { conn: row.conn, frame: frame(out) });
    }
}

/// The row of a connection.
pub(super) fn find(rows: &mut Slots<Row>, conn: ConnId) -> Option<&mut Row> {
    rows.get_mut(conn.slot()).filter(|row| row.conn == conn)
}
