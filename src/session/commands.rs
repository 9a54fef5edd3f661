//! Requests into the domain's commands, within the rate of their connection.

use super::encode::Format;
use super::input::Session;
use crate::chat::model::output::{Encoding, Request};
use crate::chat::{Code, Command, Hello, Limits, Op, Refusal};
use crate::net::{CloseReason, Effect};
use crate::time::Tick;
use crate::wire::{Parsed, Refused, human, render};

/// Bytes that the answer to a `send` or the like takes, at most. They are booked when it is asked
/// for, since the answer comes later, and a reader that does not read must not ask for ever more.
const SENT_REPLY_BYTES: usize = 320;

impl Session<'_, '_> {
    /// Does one request.
    pub(super) fn request(&mut self, parsed: Result<(Request, Parsed<'_>), Box<Refused>>) {
        let (now, conn) = (self.turn.now, self.state.conn);
        let waits = self.state.commands.take(now.tick, self.context.command_rate);
        let (request, parsed) = match (parsed, waits) {
            (Ok(parsed), Ok(())) => parsed,
            (Ok((request, _)), Err(retry_after_ms)) => {
                let refusal = rate_limited(&self.context.limits, retry_after_ms);
                return self.answer(&request, &Err(refusal));
            }
            (Err(refused), _) => return self.refuse(&refused),
        };
        log::debug!(conn:% = conn, req:% = id_of(&request), op = request.op.name(); "request");
        match parsed {
            Parsed::Help { of } => self.help(&request, of),
            Parsed::Command(Command::Hello { name, resume }) => {
                self.hello(request, Hello { resume, ..hello_as(name.as_deref()) });
            }
            Parsed::Command(command) => {
                if command.is_logged() {
                    self.state.answers.give(self.context.turn, SENT_REPLY_BYTES);
                }
                self.turn.chat.handle_command(now, conn, request, command);
            }
        }
    }

    /// Says hello to the domain for the connection.
    pub(super) fn hello(&mut self, request: Request, hello: Hello<'_>) {
        let (now, conn) = (self.turn.now, self.state.conn);
        let secret = self.context.entropy.secret();
        let Some((format, secret)) = self.state.format().zip(secret) else {
            let refusal = Refusal::new(Code::Internal, "the system has no random numbers to give");
            return self.answer(&request, &Err(refusal));
        };
        let hello = Hello { secret, encoding: format.encoding(), ..hello };
        self.turn.chat.handle_hello(now, conn, request, hello);
        if self.turn.chat.user(conn).is_none() {
            return;
        }
        self.state.on_greeted(now.tick);
        let deadline = match format {
            Format::Text => Tick::MAX,
            _ => now.tick.after(self.context.timeouts.ping_after),
        };
        self.turn.effects.push(Effect::Arm { conn, deadline });
    }

    fn help(&mut self, request: &Request, of: Option<Op>) {
        let Some(format) = self.state.format() else { return };
        self.state.errors = 0;
        let mut out = Vec::new();
        // Nothing is rendered where the request has no id.
        self.context.encoder.message(format, &mut out, |out| _ = render::help(out, request, of));
        self.send(out);
    }

    /// Answers what never became a command.
    pub(super) fn refuse(&mut self, refused: &Refused) {
        let Some(format) = self.state.format() else { return };
        self.context.metrics.chat.replies.count(refused.refusal.code.number());
        let mut out = Vec::new();
        self.context.encoder.message(format, &mut out, |out| match format {
            Format::Text => human::refusal(out, &refused.refusal),
            _ => render::refused(out, refused),
        });
        self.send(out);
        self.count_error();
    }

    /// Counts an error of the client's. After too many in a row the connection ends.
    pub(super) fn count_error(&mut self) {
        if self.state.on_error(self.context.errors_max) {
            self.close_after_outputs(CloseReason::Flooding);
        }
    }

    /// Has the connection ended as soon as what the domain has said to it is on its way.
    pub(super) fn close_after_outputs(&mut self, reason: CloseReason) {
        self.context.closing.push((self.state.conn, reason));
    }
}

/// A hello without a position to return to.
pub(super) fn hello_as(name: Option<&str>) -> Hello<'_> {
    Hello { name, resume: None, secret: 0, encoding: Encoding::default() }
}

/// The refusal of what came too fast.
pub(super) fn rate_limited(limits: &Limits, retry_after_ms: u64) -> Refusal {
    let refusal = Refusal::new(Code::RateLimited, "too many commands; slow down");
    let limit = limits.rate_per_s.and_then(|rate| usize::try_from(rate).ok());
    refusal.limit(limit.unwrap_or(0)).retry_after_ms(retry_after_ms)
}

fn id_of(request: &Request) -> &str {
    request.id.as_ref().map_or("-", |id| id.0.as_str())
}
