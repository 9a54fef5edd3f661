//! What the domain wants said, into the effects that say it.
//!
//! Everything is rendered into one buffer, from which it is sent: what many get once for each
//! encoding, what a sender gets around its own messages in one piece.

use super::closing;
use super::context::SessionContext;
use super::encode::Format;
use super::errors_in_a_row::Answered;
use super::outgoing::Outgoing;
use super::proof;
use super::state::{Protocol, SessionState, find};
use super::text_client::Aside;
use super::{Turn, visits};
use crate::chat::model::account::Hidden;
use crate::chat::model::output::{Encoding, Fanout, Output, Part, Request};
use crate::chat::model::reply::{Refusal, Reply};
use crate::chat::{Code, Command, Event, Hello, Record, UserName};
use crate::collections::Slots;
use crate::net::{CloseReason, ConnId, Effect};
use crate::wire::text::{self, Shown, note};
use crate::wire::{Context, events, render};

/// Bytes of records up to which they are copied for a sender, so that they leave in one piece with
/// the answers around them. More are shared with the other recipients.
const COPIED_MAX: usize = 512;

/// The way from the domain to the connections.
pub(super) struct Delivery<'a, 't> {
    /// The state of the connection whose input is being handled: it is not in the table meanwhile.
    pub active: Option<&'a mut SessionState>,
    pub states: &'a mut Slots<SessionState>,
    pub context: &'a mut SessionContext,
    pub turn: &'a mut Turn<'t>,
}

impl Delivery<'_, '_> {
    /// Delivers everything that the domain has to say, and then ends the connections that are to be
    /// ended.
    #[inline]
    pub(super) fn flush_outputs(&mut self) {
        // It is called after each input, and mostly there is nothing.
        let SessionContext { asides, outgoing, closing, .. } = &*self.context;
        let is_silent = self.turn.chat.outputs() == 0 && outgoing.is_empty();
        if !(is_silent && asides.is_empty() && closing.is_empty()) {
            self.flush_all();
        }
    }

    #[inline(never)]
    fn flush_all(&mut self) {
        loop {
            self.stage_outputs();
            if self.ask_asides() || self.ask_for_visits() {
                continue;
            }
            self.context.outgoing.seal(self.turn.effects);
            // Behind the effects that send: a farewell must not overtake the answer that explains
            // it.
            let Some((conn, reason)) = self.context.closing.pop() else { return };
            self.end(conn, reason);
        }
    }

    /// Renders everything that the domain has to say. It is handed over by the next
    /// [`Delivery::flush_outputs`], or at once if it is much.
    pub(super) fn stage_outputs(&mut self) {
        while let Some(output) = self.turn.chat.poll_output() {
            self.deliver(output);
            if self.context.outgoing.is_full() {
                self.context.outgoing.seal(self.turn.effects);
            }
        }
    }

    /// Asks the domain what people at terminals are told unasked. `false` if that was nothing.
    fn ask_asides(&mut self) -> bool {
        if self.context.asides.is_empty() {
            return false;
        }
        for (conn, aside) in std::mem::take(&mut self.context.asides) {
            let (request, command) = aside.request();
            // The domain would answer that hello has to come first: this is the hello.
            if let Command::Hello { token, .. } = &command {
                self.let_in(conn, request, token.as_ref());
                continue;
            }
            self.turn.chat.handle_command(self.turn.now, conn, request, command);
        }
        true
    }

    /// Asks the domain what programs have asked for. `false` if that was nothing.
    fn ask_for_visits(&mut self) -> bool {
        if self.context.visits.is_empty() {
            return false;
        }
        for conn in std::mem::take(&mut self.context.visits) {
            let is_active = self.active.as_ref().is_some_and(|state| state.conn == conn);
            let Some(state) = state_of(&mut self.active, self.states, conn) else { continue };
            let held = state.held();
            if let Some(plan) = visits::take_stream(state) {
                visits::begin_stream(state, self.context, self.turn, plan);
                // What the active one holds is booked when its input is handled.
                if !is_active {
                    self.context.inbound.change(held, state.held());
                }
                continue;
            }
            if visits::begin_transfer(state, self.context, self.turn) {
                continue;
            }
            for (index, text) in visits::take_requests(state).iter().enumerate() {
                let refused = visits::ask(self.context, self.turn, (conn, index), text);
                if let Some((request, refusal)) = refused {
                    self.reply(conn, &request, &Err(refusal));
                }
            }
        }
        true
    }

    /// Says hello for a person who has logged in.
    fn let_in(&mut self, conn: ConnId, request: Request, token: Option<&Hidden>) {
        let wall_ms = self.turn.now.wall_ms;
        let login = token.map(|token| proof::identity(self.turn.chat, token.reveal(), wall_ms));
        let identity = login.transpose();
        let secret = self.context.entropy.secret();
        let (Ok(identity), Some(secret)) = (identity, secret) else { return };
        let encoding = Format::Text.encoding();
        let hello = Hello { name: None, resume: None, secret, encoding, identity, is_visit: false };
        self.turn.chat.handle_hello(self.turn.now, conn, request, hello);
    }

    /// Ends a connection; the domain forgets it at once.
    pub(super) fn end(&mut self, conn: ConnId, reason: CloseReason) {
        let Self { active, states, context, turn } = self;
        let is_active = active.as_ref().is_some_and(|state| state.conn == conn);
        let Some(state) = state_of(active, states, conn) else { return };
        // What the active one holds is booked when its input is handled.
        if !is_active {
            context.inbound.change(state.held(), 0);
        }
        closing::end(state, context, reason, turn);
        turn.chat.handle_closed(turn.now, conn);
    }

    fn deliver(&mut self, output: Output) {
        match output {
            Output::Reply { to, request, result } => self.reply(to, &request, &result),
            Output::Event { to, event } => self.event(to, &event),
            Output::Shared { to, event } => {
                let SessionContext { encoder, outgoing, .. } = &mut *self.context;
                for (encoding, to) in to.into_lists() {
                    let (format, start) = (Format::of(encoding), outgoing.bytes.len());
                    encoder.message(format, &mut outgoing.bytes, |out| {
                        render_event(out, format, &event, None);
                    });
                    outgoing.stage_for_all(to, start..outgoing.bytes.len());
                }
            }
            Output::Fanout(fanout) => self.fan_out(fanout),
            Output::Wake { conn } => self.turn.effects.push(Effect::Wake { conn }),
            Output::Close { conn, reason } => self.context.closing.push((conn, reason)),
        }
    }

    fn reply(&mut self, to: ConnId, request: &Request, result: &Result<Reply, Refusal>) {
        let Self { active, states, context, turn } = self;
        let is_active = active.as_ref().is_some_and(|state| state.conn == to);
        let answered = if is_active { Answered::AtOnce } else { Answered::Later };
        let Some(state) = state_of(active, states, to) else { return };
        if matches!(state.protocol, Protocol::Http { .. }) {
            let held = state.held();
            visits::on_reply(state, context, turn, (request, result));
            // What the active one holds is booked when its input is handled.
            if !is_active {
                context.inbound.change(held, state.held());
            }
            return;
        }
        if let Err(refusal) = result
            && !is_unasked(state, request)
        {
            let others_wait = turn.chat.pending_of(to) > 0;
            count_error(state, context, refusal.code, (answered, others_wait));
        }
        // These show records, of which one's own carry their `cid`, or name the other one of a
        // conversation.
        let viewer = match result {
            Ok(Reply::History { .. } | Reply::Inbox { .. } | Reply::Welcome { .. }) => {
                turn.chat.user(to)
            }
            Ok(Reply::Joined { room, .. }) if room.is_direct() => turn.chat.user(to),
            _ => None,
        };
        if matches!(result, Ok(Reply::Welcome { .. } | Reply::LoggedIn { .. })) {
            state.since = turn.now.tick;
            if let Ok(Reply::Welcome { user, .. }) = result {
                state.on_greeted(turn.now.tick);
                if let Some(peers) = &mut context.peers {
                    peers.set_user(to, user);
                }
                if state.is_counted {
                    context.hellos.take(turn.now.tick);
                }
                turn.effects.push(Effect::Settled { conn: to });
                context.addresses.remove(&to);
            }
            let deadline = state.deadline(turn.now.tick, context);
            turn.effects.push(Effect::Arm { conn: to, deadline });
        }
        answer(state, context, viewer, (request, result), answered);
    }

    fn event(&mut self, to: ConnId, event: &Event) {
        let Self { active, states, context, turn } = self;
        let Some(state) = state_of(active, states, to) else { return };
        let Some(format) = state.format() else { return };
        let viewer = match event {
            Event::Replay { .. } => turn.chat.user(to),
            _ => None,
        };
        let SessionContext { encoder, outgoing, closing, .. } = &mut **context;
        let start = outgoing.bytes.len();
        if let Protocol::Events(stream) = &mut state.protocol {
            if stream.on_event(&mut outgoing.bytes, event) {
                closing.push((to, CloseReason::HttpDone));
            }
            return outgoing.stage(to, start);
        }
        // The domain books what it replays, and does not let it pile up.
        encoder.message(format, &mut outgoing.bytes, |out| {
            render_event(out, format, event, viewer);
        });
        if format == Format::Text
            && let Some(client) = state.text_client()
        {
            if client.on_event(event) {
                let out = &mut outgoing.bytes;
                match &client.room {
                    Some(room) => text::focus(out, room, turn.chat.user(to)),
                    None => text::no_focus(out, client.another_room()),
                }
            }
            if let Event::Replay { room, to: seq, .. } = event {
                context.asides.push((to, Aside::Shown(room.clone(), *seq)));
            }
        }
        context.outgoing.stage(to, start);
    }

    /// Hands a room's new records to all who get them.
    fn fan_out(&mut self, mut fanout: Fanout) {
        // Senders before all others: their records are rendered for everybody by it, and their
        // answers leave with the same piece.
        for parts in fanout.partial.chunk_by(|(one, _), (next, _)| one == next) {
            self.parts(&fanout, parts);
        }
        for (encoding, to) in std::mem::take(&mut fanout.whole).into_lists() {
            render_records(self.context, encoding, &fanout);
            if encoding == Encoding::ManyEvents {
                self.fan_out_to_many(&fanout, to);
                continue;
            }
            if encoding == Encoding::Text {
                for &conn in &to {
                    note_shown(self.context, conn, &fanout);
                }
            }
            let outgoing = &mut self.context.outgoing;
            let all = outgoing.batches[encoding.index()].whole();
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

    /// Whether the connection asks over HTTP.
    fn is_visit(&mut self, conn: ConnId) -> bool {
        let state = state_of(&mut self.active, self.states, conn);
        state.is_some_and(|state| matches!(state.protocol, Protocol::Http { .. }))
    }

    /// Delivers what one sender gets: records, and answers in place of its own ones.
    fn parts(&mut self, fanout: &Fanout, parts: &[(ConnId, Part)]) {
        let Some(&(conn, _)) = parts.first() else { return };
        if self.is_visit(conn) {
            for (_, part) in parts {
                if let Part::Sent(request, index, not_members) = part
                    && let Some(reply) = fanout.sent(*index, not_members)
                {
                    self.reply(conn, request, &Ok(reply));
                }
            }
            return;
        }
        let Self { active, states, context, .. } = self;
        let Some(state) = state_of(active, states, conn) else { return };
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
}

/// The state of a connection, which is the active one or in the table.
fn state_of<'s>(
    active: &'s mut Option<&mut SessionState>,
    states: &'s mut Slots<SessionState>,
    conn: ConnId,
) -> Option<&'s mut SessionState> {
    match active {
        Some(state) if state.conn == conn => Some(state),
        _ => find(states, conn),
    }
}

/// Counts a refusal, and has the connection ended if there were too many errors in a row. What the
/// server cannot do now, or only later, is no error of the client's.
pub(super) fn count_error(
    state: &mut SessionState,
    context: &mut SessionContext,
    code: Code,
    (answered, others_wait): (Answered, bool),
) {
    let is_error =
        !matches!(code, Code::RateLimited | Code::Busy | Code::StorageFull | Code::ShuttingDown);
    if is_error && state.errors.on_error(answered, others_wait, context.errors_max) {
        context.closing.push((state.conn, CloseReason::Flooding));
    }
}

/// Stages the answer to a request.
pub(super) fn answer(
    state: &mut SessionState,
    context: &mut SessionContext,
    viewer: Option<&UserName>,
    (request, result): (&Request, &Result<Reply, Refusal>),
    answered: Answered,
) {
    let start = context.outgoing.bytes.len();
    put_answer(state, context, viewer, (request, result), answered);
    context.outgoing.stage(state.conn, start);
}

/// Whether this was asked by the server for a person at a terminal: nobody waits for a refusal.
fn is_unasked(state: &SessionState, request: &Request) -> bool {
    state.format() == Some(Format::Text) && note::is_aside(request)
}

/// Renders the answer to a request, if one is wanted, and books it.
fn put_answer(
    state: &mut SessionState,
    context: &mut SessionContext,
    viewer: Option<&UserName>,
    (request, result): (&Request, &Result<Reply, Refusal>),
    answered: Answered,
) {
    let Some(format) = state.format() else { return };
    let is_unasked = is_unasked(state, request);
    if result.is_err() && is_unasked {
        return;
    }
    let SessionContext { metrics, encoder, outgoing, limits, asides, .. } = context;
    metrics.chat.replies.count(result.as_ref().map_or_else(|no| no.code.number(), |_| 0));
    if let Ok(reply) = result {
        if !is_unasked {
            state.errors.on_success(answered);
        }
        if format == Format::Text
            && let Some(client) = state.text_client()
        {
            asides.extend(client.on_reply(reply).map(|aside| (state.conn, aside)));
        }
    }
    let before = outgoing.bytes.len();
    let shown = Context { viewer, limits, server: context.server };
    encoder.message(format, &mut outgoing.bytes, |out| match (format, result) {
        (Format::Text, Ok(reply)) => {
            text::reply(out, reply, &Shown { request, server: shown.server, viewer });
        }
        (Format::Text, Err(refusal)) => text::refused(out, refusal, request),
        // Nothing is rendered where the request has no id.
        // It has asked for nothing more: this is why it ends.
        (Format::Events | Format::ManyEvents, Err(refusal)) => events::refused(out, None, refusal),
        (_, Ok(reply)) => _ = render::reply(out, request, reply, &shown),
        (_, Err(refusal)) => render::refusal(out, request, refusal),
    });
    state.answers.give(context.turn, outgoing.bytes.len() - before);
}

fn render_event(out: &mut Vec<u8>, format: Format, event: &Event, viewer: Option<&UserName>) {
    match format {
        Format::Text => text::event(out, event),
        // Those of a stream are put in the order of its own.
        _ => render::event(out, event, viewer),
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
