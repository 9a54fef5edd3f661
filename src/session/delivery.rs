//! What the domain wants said, into the effects that say it.
//!
//! Everything is rendered into one buffer, from which it is sent: what many get once for each
//! encoding, what a sender gets around its own messages in one piece.

use super::closing;
use super::context::SessionContext;
use super::encode::Format;
use super::errors_in_a_row::Answered;
use super::proof;
use super::state::{Flag, Protocol, SessionState, find};
use super::text_client::Aside;
use super::{Turn, visits};
use crate::chat::model::account::Hidden;
use crate::chat::model::event::PresenceChange;
use crate::chat::model::output::{Output, Request};
use crate::chat::model::reply::{Refusal, Reply};
use crate::chat::{Code, Command, Event, Hello, UserName};
use crate::collections::Slots;
use crate::net::{CloseReason, ConnId, Effect};
use crate::wire::text::{self, Shown, note};
use crate::wire::{Context, events, render};

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
            // Both ask the domain, which has something to say again then.
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
        // In their order, whomever they are for: what one connection is told stays in order with
        // what its rooms are.
        let mut polled = self.turn.chat.poll_output();
        // In one place, since an output is large.
        while let Some(output) = &mut polled {
            self.deliver(output);
            if self.context.outgoing.is_full() {
                self.context.outgoing.seal(self.turn.effects);
            }
            polled = self.turn.chat.poll_output();
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
        let mut visits = std::mem::take(&mut self.context.visits);
        for conn in visits.drain(..) {
            self.ask_for_visit(conn);
        }
        // The list keeps its memory, unless another was begun meanwhile.
        if self.context.visits.is_empty() {
            self.context.visits = visits;
        }
        true
    }

    /// Asks the domain what a program has asked for: a stream, a file or the protocol's requests.
    fn ask_for_visit(&mut self, conn: ConnId) {
        let requests = self.with_state(conn, |state, context, turn| {
            if let Some(plan) = visits::take_stream(state) {
                visits::begin_stream(state, context, turn, plan);
                return Vec::new();
            }
            if visits::begin_transfer(state, context, turn) {
                return Vec::new();
            }
            visits::take_requests(state)
        });
        for (index, text) in requests.iter().flatten() {
            let refused = visits::ask(self.context, self.turn, (conn, *index), text);
            if let Some((request, refusal)) = refused {
                self.reply(conn, &request, &Err(refusal));
            }
        }
        if let Some(requests) = requests.filter(|requests| requests.len() > 1) {
            self.with_state(conn, |state, _, _| visits::give_back(state, requests));
        }
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
        let found = self.with_state(conn, |state, context, turn| {
            closing::end(state, context, reason, turn);
        });
        if found.is_some() {
            self.turn.chat.handle_closed(self.turn.now, conn);
        }
    }

    /// Has something done with a connection's state, and books how much that holds then.
    fn with_state<T>(
        &mut self,
        conn: ConnId,
        act: impl FnOnce(&mut SessionState, &mut SessionContext, &mut Turn<'_>) -> T,
    ) -> Option<T> {
        let Self { active, states, context, turn } = self;
        // What the active one holds is booked when its input is handled.
        if let Some(state) = active.as_deref_mut().filter(|state| state.conn == conn) {
            return Some(act(state, context, turn));
        }
        let state = find(states, conn)?;
        let held = state.held();
        let done = act(state, context, turn);
        context.inbound.change(held, state.held());
        Some(done)
    }

    /// By reference, since an output is large.
    fn deliver(&mut self, output: &mut Output) {
        match output {
            Output::Reply { to, request, result } => self.reply(*to, request, result),
            Output::Event { to, event } => self.event(*to, event),
            Output::Shared { to, event } => {
                for (encoding, to) in std::mem::take(to).into_lists() {
                    self.share((Format::of(encoding), event), to);
                }
            }
            Output::Fanout(fanout) => self.fan_out(fanout),
            Output::Wake { conn } => self.turn.effects.push(Effect::Wake { conn: *conn }),
            Output::Close { conn, reason } => self.context.closing.push((*conn, *reason)),
        }
    }

    /// Stages an event that is the same for all, but that people are told nothing of themselves.
    fn share(&mut self, (format, event): (Format, &Event), mut to: Vec<ConnId>) {
        let Self { context, turn, .. } = self;
        let SessionContext { encoder, outgoing, .. } = &mut **context;
        let mut stage = |to, viewer| {
            let start = outgoing.bytes.len();
            encoder.message(format, &mut outgoing.bytes, |out| {
                render_event(out, format, event, viewer);
            });
            outgoing.stage_for_all(to, start..outgoing.bytes.len());
        };
        if format == Format::Text {
            let myself = |conn: &ConnId| turn.chat.user(*conn).filter(|user| is_about(event, user));
            let (meant, others): (Vec<_>, _) = to.into_iter().partition(|to| myself(to).is_some());
            for conn in meant {
                stage(vec![conn], myself(&conn));
            }
            to = others;
        }
        if !to.is_empty() {
            stage(to, None);
        }
    }

    pub(super) fn reply(&mut self, to: ConnId, request: &Request, result: &Result<Reply, Refusal>) {
        let Self { active, states, context, turn } = self;
        let is_active = active.as_ref().is_some_and(|state| state.conn == to);
        // An answer to another connection than the one whose input this is has waited.
        let answered = if is_active { Answered::AtOnce } else { Answered::Later };
        let Some(state) = state_of(active, states, to) else { return };
        if matches!(state.protocol, Protocol::Http { .. }) {
            self.with_state(to, |state, context, turn| {
                visits::on_reply(state, context, turn, (request, result));
            });
            return;
        }
        if let Err(refusal) = result
            && !is_unasked(state, request)
        {
            let others_wait = turn.chat.pending_of(to) > 0;
            count_error(state, context, refusal.code, (answered, others_wait));
        }
        if let Ok(reply @ (Reply::Welcome { .. } | Reply::LoggedIn { .. })) = result {
            on_proved(state, context, turn, reply);
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
        // Rendered where it is sent from, at the end of the buffer: what goes to one connection is
        // a slice of it.
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
}

/// Whether an event says that this user has come, is away, or has gone.
fn is_about(event: &Event, user: &UserName) -> bool {
    match event {
        Event::Presence { change: PresenceChange::Delta { on, away, off }, .. } => {
            [on, away, off].into_iter().any(|users| users.contains(user))
        }
        _ => false,
    }
}

/// The state of a connection, which is the active one or in the table.
pub(super) fn state_of<'s>(
    active: &'s mut Option<&mut SessionState>,
    states: &'s mut Slots<SessionState>,
    conn: ConnId,
) -> Option<&'s mut SessionState> {
    match active {
        Some(state) if state.conn == conn => Some(state),
        _ => find(states, conn),
    }
}

/// The connection has said hello, or has logged in and may say it now.
fn on_proved(
    state: &mut SessionState,
    context: &mut SessionContext,
    turn: &mut Turn<'_>,
    reply: &Reply,
) {
    let (conn, now) = (state.conn, turn.now.tick);
    state.set_since(now);
    if let Reply::Welcome { user, .. } = reply {
        state.on_greeted(now);
        if let Some(peers) = &mut context.peers {
            peers.set_user(conn, user);
        }
        if state.flags.has(Flag::Counted) {
            context.hellos.take(now);
        }
        turn.effects.push(Effect::Settled { conn });
        context.addresses.remove(&conn);
    }
    let deadline = state.deadline(now, context);
    turn.effects.push(Effect::Arm { conn, deadline });
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
    if !is_error {
        return;
    }
    let mut errors = state.errors();
    if errors.on_error(answered, others_wait, context.errors_max) {
        context.closing.push((state.conn, CloseReason::Flooding));
    }
    state.set_errors(errors);
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
pub(super) fn put_answer(
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
            state.on_success(answered);
        }
        if format == Format::Text
            && let Some(client) = state.text_client()
        {
            asides.extend(client.on_reply(reply).map(|aside| (state.conn, aside)));
        }
    }
    let before = outgoing.bytes.len();
    let stated = &*context.stated_limits;
    let shown = Context { viewer, limits, stated, server: context.server };
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
        Format::Text => text::event(out, event, viewer),
        // Those of a stream are put in the order of its own.
        _ => render::event(out, event, viewer),
    }
}
