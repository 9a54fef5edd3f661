//! The chat's commands, by WebSocket message, line, length or a person's hand.

use super::deliver::{find, send};
use super::human::{Person, is_http_request};
use super::row::Stage;
use super::{Sessions, Turn};
use crate::chat::model::output::{Class, Request};
use crate::chat::{Code, Command, Hello, Op, Refusal, RequestId};
use crate::line::{self, Framing};
use crate::net::{CloseReason, ConnId, Effect};
use crate::wire::human::{self, Human};
use crate::wire::{self, Parsed, Refused, render};
use crate::ws::{self, Item, Opcode, encode};

/// Bytes that the answer to a `send` or the like takes, at most; booked when it is asked for, since it comes later.
const SENT_REPLY_BYTES: usize = 320;

impl Sessions {
    /// Takes one message off the front of a chat WebSocket's `input`. `false` if there is no whole one, or
    /// the connection ends.
    pub(super) fn ws_step(
        &mut self,
        conn: ConnId,
        input: &mut &mut [u8],
        turn: &mut Turn<'_>,
    ) -> bool {
        let Some(row) = find(&mut self.rows, conn) else { return false };
        let Stage::Ws { decoder, greeted, .. } = &mut row.stage else { return false };
        let edge = &mut self.edge;
        let settings = if *greeted { &edge.settings } else { &edge.hello_settings };
        // The text is lent from the scratch space, which nothing else needs meanwhile.
        let mut shared = std::mem::take(&mut edge.shared);
        let item = decoder.decode(input, settings, &mut shared);
        let goes_on = match item {
            Ok(None) => false,
            Ok(Some(Item::Text(text))) => {
                let left = self.requests(conn, text, turn);
                self.keep_text(conn, left);
                true
            }
            Ok(Some(Item::Ping(payload))) => self.pong(conn, payload, turn),
            Ok(Some(Item::Pong(_))) => {
                edge.metrics.http.pongs.add(1);
                self.control(conn, turn)
            }
            // Refused by the settings.
            Ok(Some(Item::Binary(_))) => self.control(conn, turn),
            Ok(Some(Item::Close { code, .. })) => {
                self.answer_close(conn, code, turn);
                turn.chat.handle_closed(turn.now, conn);
                false
            }
            Err(violation) => {
                self.violated(conn, violation, turn);
                turn.chat.handle_closed(turn.now, conn);
                false
            }
        };
        self.edge.shared = shared;
        self.say(turn);
        goes_on
    }

    /// Does the requests of one message, as long as the answers do not pile up; returns those that are
    /// left.
    fn requests<'t>(&mut self, conn: ConnId, text: &'t str, turn: &mut Turn<'_>) -> &'t str {
        let mut rest = text;
        while !rest.is_empty() {
            if self.is_pressed(conn, turn.chat) {
                return rest;
            }
            let line_end = memchr::memchr(b'\n', rest.as_bytes());
            let cut = line_end.and_then(|end| rest.get(..end).zip(rest.get(end + 1..)));
            let (request, behind) = cut.unwrap_or((rest, ""));
            rest = behind;
            if !request.trim_ascii().is_empty() {
                let parsed = wire::parse(request, &self.edge.limits);
                self.request(conn, parsed, turn);
            }
        }
        rest
    }

    /// Keeps requests that could not be looked at yet, as the frame that they could have come in.
    fn keep_text(&mut self, conn: ConnId, left: &str) {
        let Some(row) = find(&mut self.rows, conn).filter(|_| !left.is_empty()) else { return };
        let backlog = row.backlog.get_or_insert_default();
        encode(Opcode::Text, left.as_bytes(), Some([0; 4]), &mut backlog.bytes);
    }

    /// Answers a ping. `false` if the connection ends, since there are too many.
    fn pong(&mut self, conn: ConnId, payload: &[u8], turn: &mut Turn<'_>) -> bool {
        if !self.control(conn, turn) {
            return false;
        }
        let Some(row) = find(&mut self.rows, conn) else { return false };
        let mut out = Vec::with_capacity(payload.len() + 2);
        encode(Opcode::Pong, payload, None, &mut out);
        send(row, self.edge.turn, out, turn);
        true
    }

    /// Counts a control frame. `false` if the connection ends, since there are too many.
    fn control(&mut self, conn: ConnId, turn: &Turn<'_>) -> bool {
        let rate = self.edge.controls;
        let Some(row) = find(&mut self.rows, conn) else { return false };
        if row.controls.take(turn.now.tick, rate).is_ok() {
            return true;
        }
        self.doomed.push((conn, CloseReason::Flooding));
        false
    }

    /// Takes one item off the front of a plain connection's `input`. `false` if there is no whole one, or
    /// the connection ends.
    pub(super) fn tcp_step(
        &mut self,
        conn: ConnId,
        input: &mut &[u8],
        turn: &mut Turn<'_>,
    ) -> bool {
        let Some(row) = find(&mut self.rows, conn) else { return false };
        let Stage::Tcp(plain) = &mut row.stage else { return false };
        let edge = &self.edge;
        let len_max = if plain.greeted { edge.request_len_max } else { edge.hello_len_max };
        let told = || input.first().map(|&first| Framing::of(first));
        let Some(known) = plain.framing.or_else(told) else { return false };
        plain.framing = Some(known);
        // The item is lent from the decoder, which nothing else needs meanwhile.
        let mut taken = std::mem::take(&mut plain.decoder);
        let item = taken.decode(input, len_max);
        let is_some = item.is_some();
        if let Some(item) = item {
            self.item(conn, (known, item), turn);
        }
        self.put_back(conn, taken);
        self.say(turn);
        is_some
    }

    /// The last line of a plain connection, which ended without its line end.
    pub(super) fn tcp_finish(&mut self, conn: ConnId, turn: &mut Turn<'_>) {
        let Some(row) = find(&mut self.rows, conn) else { return };
        let Stage::Tcp(plain) = &mut row.stage else { return };
        let Some(framing) = plain.framing else { return };
        let mut taken = std::mem::take(&mut plain.decoder);
        if let Some(item) = taken.finish() {
            self.item(conn, (framing, item), turn);
        }
        self.put_back(conn, taken);
        self.say(turn);
    }

    fn put_back(&mut self, conn: ConnId, taken: line::Decoder) {
        let row = find(&mut self.rows, conn);
        if let Some(Stage::Tcp(plain)) = row.map(|row| &mut row.stage) {
            plain.decoder = taken;
        }
    }

    fn item(
        &mut self,
        conn: ConnId,
        (framing, item): (Framing, line::Item<'_>),
        turn: &mut Turn<'_>,
    ) {
        match item {
            // A request line that is too long to be looked at is one all the same.
            line::Item::TooLong { limit }
                if framing == Framing::Human && self.is_stranger(conn) =>
            {
                self.refuse(conn, &wire::too_long(limit), turn);
                self.doomed.push((conn, CloseReason::Violation));
            }
            line::Item::Message(bytes)
                if framing == Framing::Human
                    && self.is_stranger(conn)
                    && is_http_request(bytes) =>
            {
                let message = "this port takes lines, not HTTP; the page is on the HTTP port";
                let refusal = Refusal::new(Code::BadField, message);
                self.refuse(conn, &Refused { id: None, op: None, refusal }, turn);
                self.doomed.push((conn, CloseReason::Violation));
            }
            line::Item::Message(bytes) if framing == Framing::Human => {
                self.line(conn, bytes, turn);
            }
            line::Item::Message(bytes) => {
                let parsed = wire::parse_bytes(bytes, &self.edge.limits);
                self.request(conn, parsed, turn);
            }
            line::Item::TooLong { limit } => {
                self.refuse(conn, &wire::too_long(limit), turn);
            }
            line::Item::Malformed => self.doomed.push((conn, CloseReason::Violation)),
        }
    }

    /// Whether nothing has come from a plain connection yet that made a person of its peer.
    fn is_stranger(&mut self, conn: ConnId) -> bool {
        let row = find(&mut self.rows, conn);
        matches!(row.map(|row| &row.stage), Some(Stage::Tcp(plain)) if plain.person.is_none())
    }

    /// Does one request.
    fn request(
        &mut self,
        conn: ConnId,
        parsed: Result<(Request, Parsed<'_>), Box<Refused>>,
        turn: &mut Turn<'_>,
    ) {
        let rate = self.edge.commands;
        let number = self.edge.turn;
        let Some(row) = find(&mut self.rows, conn) else { return };
        let waits = row.commands.take(turn.now.tick, rate);
        let (request, parsed) = match (parsed, waits) {
            (Ok(parsed), Ok(())) => parsed,
            (Ok((request, _)), Err(retry_after_ms)) => {
                let refusal = rate_limited(&self.edge.limits, retry_after_ms);
                self.say_reply(conn, &request, &Err(refusal), turn);
                return;
            }
            (Err(refused), _) => return self.refuse(conn, &refused, turn),
        };
        log::debug!(conn:% = conn, req:% = shown(&request), op = request.op.name(); "request");
        match parsed {
            Parsed::Help { of } => self.help(conn, &request, of, turn),
            Parsed::Command(Command::Hello { name, resume }) => {
                let resume_from =
                    Hello { name: name.as_deref(), resume, secret: 0, class: Class(0) };
                self.hello(conn, request, resume_from, turn);
            }
            Parsed::Command(command) => {
                if command.is_logged() {
                    row.ledger.give(number, SENT_REPLY_BYTES);
                }
                turn.chat.handle_command(turn.now, conn, request, command);
            }
        }
        self.say(turn);
    }

    /// Says hello to the domain for a connection.
    fn hello(&mut self, conn: ConnId, request: Request, hello: Hello<'_>, turn: &mut Turn<'_>) {
        let secret = self.entropy.secret();
        let Some(row) = find(&mut self.rows, conn) else { return };
        let Some((format, secret)) = row.format().zip(secret) else {
            let refusal = Refusal::new(Code::Internal, "the system has no random numbers to give");
            return self.say_reply(conn, &request, &Err(refusal), turn);
        };
        turn.chat.handle_hello(
            turn.now,
            conn,
            request,
            Hello { secret, class: format.class(), ..hello },
        );
        if turn.chat.user(conn).is_none() {
            return;
        }
        let deadline = match &mut row.stage {
            Stage::Ws { greeted, .. } => {
                *greeted = true;
                turn.now.tick.after(self.edge.deadlines.ping_after)
            }
            Stage::Tcp(plain) => {
                plain.greeted = true;
                let ping_at = turn.now.tick.after(self.edge.deadlines.ping_after);
                if plain.person.is_some() { crate::time::Tick::MAX } else { ping_at }
            }
            Stage::Http { .. } | Stage::Echo { .. } | Stage::Ending => return,
        };
        row.since = turn.now.tick;
        turn.effects.push(Effect::Arm { conn, deadline });
    }

    fn help(&mut self, conn: ConnId, request: &Request, of: Option<Op>, turn: &mut Turn<'_>) {
        let Self { rows, edge, .. } = self;
        let Some(row) = find(rows, conn) else { return };
        let Some(format) = row.format() else { return };
        row.errors = 0;
        let mut text = Vec::new();
        if render::help(&mut text, request, of) {
            let mut out = Vec::new();
            edge.put(format, &text, &mut out);
            send(row, edge.turn, out, turn);
        }
    }

    /// Answers what never became a command.
    fn refuse(&mut self, conn: ConnId, refused: &Refused, turn: &mut Turn<'_>) {
        let Self { rows, edge, doomed, .. } = self;
        let Some(row) = find(rows, conn) else { return };
        let Some(format) = row.format() else { return };
        edge.metrics.chat.replies.count(refused.refusal.code.number());
        let mut text = Vec::new();
        match format {
            super::format::Format::Human => human::refusal(&mut text, &refused.refusal),
            _ => render::refused(&mut text, refused),
        }
        let mut out = Vec::new();
        edge.put(format, &text, &mut out);
        send(row, edge.turn, out, turn);
        if row.err(edge.errors_max) {
            doomed.push((conn, CloseReason::Flooding));
        }
    }

    /// Does what a person has typed.
    fn line(&mut self, conn: ConnId, line: &[u8], turn: &mut Turn<'_>) {
        let Some(row) = find(&mut self.rows, conn) else { return };
        let Stage::Tcp(plain) = &mut row.stage else { return };
        let person = plain.person.get_or_insert_with(Box::<Person>::default);
        let room = person.room.clone();
        let spoken = person.spoken;
        let human = human::parse_line(line, room.as_deref(), &self.edge.limits);
        // What becomes a command is rated there. A name costs the server a user, and an answer bytes.
        let is_rated =
            !matches!(human, Human::Nothing | Human::Quit | Human::Command(..) | Human::Refused(_));
        let rate = self.edge.commands.filter(|_| is_rated);
        if let Err(retry_after_ms) = row.commands.take(turn.now.tick, rate) {
            let refusal = rate_limited(&self.edge.limits, retry_after_ms);
            return self.refuse(conn, &Refused { id: None, op: None, refusal }, turn);
        }
        let nick = match &human {
            Human::Nick(name) => Some(*name),
            _ => None,
        };
        if turn.chat.user(conn).is_none() {
            self.introduce(conn, nick, turn);
        } else if nick.is_some() && !spoken {
            turn.chat.handle_closed(turn.now, conn);
            self.introduce(conn, nick, turn);
        } else if nick.is_some() {
            let refusal = Refusal::new(Code::NameTaken, "you have spoken under your name");
            let refusal = refusal.field("nick", "a name before you join a room");
            let refused = Refused { id: None, op: None, refusal };
            return self.refuse(conn, &refused, turn);
        }
        match human {
            Human::Nothing | Human::Nick(_) => {}
            Human::Quit => self.doomed.push((conn, CloseReason::Bye)),
            Human::Command(op, command) => {
                let stage = find(&mut self.rows, conn).map(|row| &mut row.stage);
                if let Some(Stage::Tcp(plain)) = stage
                    && let Some(person) = &mut plain.person
                {
                    person.spoken |= matches!(op, Op::Join | Op::Send);
                }
                let parsed = Ok((person_request(op), Parsed::Command(command)));
                self.request(conn, parsed, turn);
            }
            Human::NoRoom
            | Human::Help
            | Human::Unknown(_)
            | Human::Usage(_)
            | Human::Refused(_) => self.answer_person(conn, &human, turn),
        }
    }

    /// Answers what a person has typed that is no command for the domain.
    fn answer_person(&mut self, conn: ConnId, human: &Human<'_>, turn: &mut Turn<'_>) {
        let Self { rows, edge, doomed, .. } = self;
        let Some(row) = find(rows, conn) else { return };
        let mut out = Vec::new();
        human::answer(&mut out, human);
        send(row, edge.turn, out, turn);
        if matches!(human, Human::Help) {
            row.errors = 0;
        } else if row.err(edge.errors_max) {
            doomed.push((conn, CloseReason::Flooding));
        }
    }

    /// Says hello for a person.
    fn introduce(&mut self, conn: ConnId, name: Option<&str>, turn: &mut Turn<'_>) {
        let hello = Hello { name, resume: None, secret: 0, class: Class(0) };
        self.hello(conn, person_request(Op::Hello), hello, turn);
        self.say(turn);
    }

    /// Answers the peer's close frame, and closes.
    pub(super) fn answer_close(
        &mut self,
        conn: ConnId,
        code: Option<ws::CloseCode>,
        turn: &mut Turn<'_>,
    ) {
        let Some(row) = find(&mut self.rows, conn) else { return };
        let mut out = Vec::new();
        ws::encode_close(code, "", None, &mut out);
        super::end::close(row, out, (CloseReason::Bye, crate::net::Ending::Flush), turn);
    }

    /// Fails a WebSocket (RFC 6455 section 7.1.7).
    pub(super) fn violated(&mut self, conn: ConnId, violation: ws::Violation, turn: &mut Turn<'_>) {
        let Self { rows, edge, .. } = self;
        let Some(row) = find(rows, conn) else { return };
        if let Some(suppressed) = edge.throttle.admit(turn.now.tick) {
            log::info!(conn:% = conn, violation:% = violation, suppressed; "violation");
        }
        let code = violation.close_code();
        let mut out = Vec::new();
        ws::encode_close(Some(code), &violation.to_string(), None, &mut out);
        let reason = match code.as_u16() {
            1009 => CloseReason::TooBig,
            _ => CloseReason::Violation,
        };
        super::end::close(row, out, (reason, crate::net::Ending::Linger), turn);
    }
}

fn rate_limited(limits: &crate::chat::Limits, retry_after_ms: u64) -> Refusal {
    let refusal = Refusal::new(Code::RateLimited, "too many commands; slow down");
    let limit = limits.rate_per_s.and_then(|rate| usize::try_from(rate).ok());
    refusal.limit(limit.unwrap_or(0)).retry_after_ms(retry_after_ms)
}

/// A person's requests are always answered.
fn person_request(op: Op) -> Request {
    Request { id: Some(RequestId("0".into())), op }
}

fn shown(request: &Request) -> &str {
    request.id.as_ref().map_or("-", |id| &id.0)
}
