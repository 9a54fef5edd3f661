//! What the domain wants said, into the effects that say it.

use bytes::Bytes;

use super::batch::{Batch, Batches, SCRATCH_KEPT};
use super::edge::{Edge, frame};
use super::format::Format;
use super::human;
use super::row::{Row, Stage};
use super::{Sessions, Turn};
use crate::chat::model::output::{Fanout, Output, Part, Request};
use crate::chat::model::reply::{Refusal, Reply};
use crate::chat::{Code, Event, UserName};
use crate::collections::Slots;
use crate::net::{CloseReason, ConnId, Effect};
use crate::wire::{self, Context, render};

impl Sessions {
    /// Says everything that the domain has to say.
    pub fn say(&mut self, turn: &mut Turn<'_>) {
        loop {
            while let Some(said) = turn.chat.poll_output() {
                self.say_one(said, turn);
            }
            let Some((conn, reason)) = self.doomed.pop() else { return };
            self.end(conn, reason, turn);
        }
    }

    fn say_one(&mut self, said: Output, turn: &mut Turn<'_>) {
        match said {
            Output::Reply { to, request, result } => {
                self.say_reply(to, &request, &result, turn);
            }
            Output::Event { to, event } => self.say_event(to, &event, turn),
            Output::Shared { to, event } => {
                for (encoding, to) in to.into_lists() {
                    let frame = self.edge.render_event(Format::of(encoding), &event);
                    turn.effects.push(Effect::Broadcast { to, frame });
                }
            }
            Output::Fanout(fanout) => self.say_fanout(fanout, turn),
            Output::Wake { conn } => turn.effects.push(Effect::Wake { conn }),
            Output::Close { conn, reason } => self.doomed.push((conn, reason)),
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
        let mut out = std::mem::take(&mut edge.own);
        if !edge.put_answer(row, turn.chat.user(to), (request, result), &mut out) {
            doomed.push((to, CloseReason::Flooding));
        }
        if !out.is_empty() {
            turn.effects.push(Effect::Send { conn: to, frame: Bytes::copy_from_slice(&out) });
        }
        edge.keep_own(out);
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
        let mut batches = std::mem::take(&mut self.edge.batches);
        self.say_parts(&fanout, &mut batches, turn);
        let Fanout { room, records, whole, .. } = fanout;
        for (encoding, to) in whole.into_lists() {
            let batch = &mut batches[encoding.index()];
            self.edge.render_records(batch, Format::of(encoding), (&room, &records));
            let frame = batch.take_shared(to.len());
            turn.effects.push(Effect::Broadcast { to, frame });
        }
        batches.iter_mut().for_each(Batch::clear);
        self.edge.batches = batches;
    }

    /// Says to those who have sent what they get: records and answers, laid end to end as far as it is
    /// little, otherwise shared.
    fn say_parts(&mut self, fanout: &Fanout, batches: &mut Batches, turn: &mut Turn<'_>) {
        let Self { rows, edge, .. } = self;
        let mut own = std::mem::take(&mut edge.own);
        let mut parts = fanout.partial.iter().peekable();
        while let Some((conn, part)) = parts.next() {
            let row = find(rows, *conn);
            let Some((row, format)) = row.and_then(|row| row.format().map(|of| (row, of))) else {
                continue;
            };
            let encoding = format.encoding();
            let batch = &mut batches[encoding.index()];
            edge.render_records(batch, Format::of(encoding), (&fanout.room, &fanout.records));
            match part {
                Part::Records(range) => {
                    let range = batch.bytes_of(range);
                    if range.len() > COPIED_MAX {
                        send_own(*conn, &mut own, turn);
                        let frame = batch.shared().slice(range);
                        turn.effects.push(Effect::Send { conn: *conn, frame });
                    } else {
                        own.extend_from_slice(batch.bytes.get(range).unwrap_or_default());
                    }
                }
                Part::Sent(request, index) => {
                    if let Some(reply) = fanout.sent(*index) {
                        // What is answered to a `send` does not depend on who sees it.
                        edge.put_answer(row, None, (request, &Ok(reply)), &mut own);
                    }
                }
            }
            if parts.peek().is_none_or(|(next, _)| next != conn) {
                send_own(*conn, &mut own, turn);
            }
        }
        edge.keep_own(own);
    }
}

/// Sends what was gathered for a connection, if anything was.
fn send_own(conn: ConnId, own: &mut Vec<u8>, turn: &mut Turn<'_>) {
    if !own.is_empty() {
        turn.effects.push(Effect::Send { conn, frame: Bytes::copy_from_slice(own) });
        own.clear();
    }
}

/// Bytes of records up to which they are copied for one connection, so that they leave in one piece with
/// what is around them; more are shared with the others.
const COPIED_MAX: usize = 512;

impl Edge {
    /// Keeps the scratch space for the next one.
    fn keep_own(&mut self, mut own: Vec<u8>) {
        own.clear();
        if own.capacity() <= SCRATCH_KEPT {
            self.own = own;
        }
    }

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

    /// Appends the answer to a request, if one is wanted, and books it. `false` if there were too many
    /// errors in a row.
    fn put_answer(
        &mut self,
        row: &mut Row,
        viewer: Option<&UserName>,
        (request, result): (&Request, &Result<Reply, Refusal>),
        out: &mut Vec<u8>,
    ) -> bool {
        let Some(format) = row.format() else { return true };
        self.metrics.chat.replies.count(result.as_ref().map_or_else(|no| no.code.number(), |_| 0));
        let mut goes_on = true;
        match result {
            Ok(reply) => {
                row.errors = 0;
                human::follow(row, reply);
            }
            // What the server cannot do now is no fault of the client's.
            Err(no) if matches!(no.code, Code::Busy | Code::StorageFull | Code::ShuttingDown) => {}
            Err(_) => goes_on = !row.err(self.errors_max),
        }
        let before = out.len();
        self.put_reply(format, viewer, (request, result), out);
        row.ledger.give(self.turn, out.len() - before);
        goes_on
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
