//! Requests into the domain's commands, each for a token of its connection's rate.

use super::context::SessionContext;
use super::encode::Format;
use super::errors_in_a_row::Answered;
use super::input::Session;
use super::state::{Flag, Protocol};
use super::{proof, tokens};
use crate::auth::jwt::Unfit;
use crate::chat::model::account::Hidden;
use crate::chat::model::identity::Identity;
use crate::chat::model::output::{Encoding, Request};
use crate::chat::{Code, Command, Hello, Op, Refusal};
use crate::net::{CloseReason, Effect};
use crate::time::millis;
use crate::wire::{Parsed, Refused, render, text};

/// Bytes that the answer to a `send` or the like takes, at most. They are booked when it is asked
/// for, since the answer comes later, and a reader that does not read must not ask for ever more.
const SENT_REPLY_BYTES: usize = 320;

/// When a token may be brought again that could not be verified in its turn.
const REFRESH_AGAIN_MS: u64 = 1_000;

impl Session<'_, '_> {
    /// Does one request.
    pub(super) fn request(&mut self, parsed: Result<(Request, Parsed<'_>), Box<Refused>>) {
        let (now, conn) = (self.turn.now, self.state.conn);
        if let Ok((request, _)) = &parsed {
            // Without its fields: what people say does not belong into a log.
            log::debug!(conn:% = conn, req:% = id_of(request), op = request.op.name(); "request");
        }
        // Taken apart where it is: a command is large, and would be copied.
        match parsed {
            Err(refused) => self.refuse(&refused),
            Ok((request, Parsed::Help { of })) => self.help(&request, of),
            Ok((request, Parsed::Command(Command::Hello { name, resume, ping, token }))) => {
                // Before the token is verified, which is what costs.
                if let Err(refusal) = self.check_hello_rate() {
                    return self.answer(&request, &Err(refusal));
                }
                let identity = match self.identity(token.as_ref()) {
                    Ok(identity) => identity,
                    Err(refusal) => return self.answer(&request, &Err(refusal)),
                };
                if let Protocol::Tcp(plain) = &mut self.state.protocol {
                    plain.wants_pings = ping;
                }
                // Who it is was proved here; where it was is for the domain to find.
                self.hello(request, Hello { resume, identity, ..hello_as(name.as_deref()) });
            }
            Ok((request, Parsed::Command(Command::Refresh { token }))) => {
                self.refresh(&request, token.reveal());
            }
            Ok((
                request,
                Parsed::Command(
                    command @ (Command::Register { .. }
                    | Command::Login { .. }
                    | Command::InviteLink { .. }
                    | Command::Accept { .. }),
                ),
            )) => self.account_request(request, command),
            Ok((request, Parsed::Command(command))) => {
                if command.is_logged() {
                    self.state.answers.give(self.context.turn, SENT_REPLY_BYTES);
                }
                if self.turn.chat.handle_command(now, conn, request, command) {
                    // Whether the errors before it and those after it are in a row is known by its
                    // answer.
                    self.state.on_waiting();
                }
            }
        }
    }

    /// Whether a hello can be taken now, beside all others.
    fn check_hello_rate(&mut self) -> Result<(), Refusal> {
        if !self.state.flags.has(Flag::Counted) || !self.state.brings_token() {
            return Ok(());
        }
        let now = self.turn.now.tick;
        let Err(wait) = self.context.hellos.check(now) else { return Ok(()) };
        // The time for its hello begins when it is its turn.
        self.state.set_since(now.after(wait));
        let deadline = self.state.deadline(now, self.context);
        self.turn.effects.push(Effect::Arm { conn: self.state.conn, deadline });
        let millis = millis(wait).max(1);
        let message =
            "many come at once ([limits] hellos_per_s): say hello again when it is your turn";
        Err(Refusal::new(Code::Busy, message).retry_after_ms(millis))
    }

    /// Who the connection is: by the token that it brings, or by its upgrade.
    fn identity(&mut self, token: Option<&Hidden>) -> Result<Option<Identity>, Refusal> {
        let (conn, now) = (self.state.conn, self.turn.now);
        let Some(token) = token.map(Hidden::reveal) else {
            return Ok(self.context.tokens.proven(conn).cloned());
        };
        // Where nobody has to prove anything, there is nothing that another token could prove.
        // A client that has a token from elsewhere still comes in by its name.
        if self.context.limits.auth.is_only_names() && !proof::is_key(token) {
            return Ok(None);
        }
        if self.context.tokens.is_on() && !proof::is_ours(token) {
            let verified = self.context.tokens.verify(token, now);
            return verified.map(Some).map_err(|unfit| self.refusal_of(unfit));
        }
        proof::identity(self.turn.chat, token, now.wall_ms).map(Some)
    }

    /// What a client is told of a token that is not taken; the log says more.
    fn refusal_of(&mut self, unfit: Unfit) -> Refusal {
        let conn = self.state.conn;
        if let Some(suppressed) = self.context.throttle.admit(self.turn.now.tick) {
            log::info!(conn:% = conn, why:% = unfit, suppressed; "a token is refused");
        }
        tokens::refusal(unfit)
    }

    /// Renews what the connection has proved.
    fn refresh(&mut self, request: &Request, token: &str) {
        let (now, conn) = (self.turn.now, self.state.conn);
        // A refresh renews what a `hello` has proved, and proves nothing by itself.
        if self.turn.chat.user(conn).is_none() {
            let refusal = Refusal::new(Code::HelloFirst, "say hello first").field("op", "hello");
            return self.answer(request, &Err(refusal));
        }
        if self.context.tokens.is_used_up() {
            let refusal = Refusal::new(Code::Busy, "too many tokens are being verified");
            return self.answer(request, &Err(refusal.retry_after_ms(REFRESH_AGAIN_MS)));
        }
        let result = match self.context.tokens.verify(token, now) {
            Ok(identity) => self.turn.chat.handle_refresh(now, conn, identity),
            Err(unfit) => Err(self.refusal_of(unfit)),
        };
        self.answer(request, &result);
    }

    /// Takes the token of one request, or of what stands where one could. There is one: otherwise
    /// it would wait.
    pub(super) fn take_token(&mut self) {
        self.state.commands.take(self.turn.now.tick, self.context.command_rate);
    }

    /// Says hello to the domain for the connection.
    pub(super) fn hello(&mut self, request: Request, hello: Hello<'_>) {
        let (now, conn) = (self.turn.now, self.state.conn);
        // Drawn here, since the domain has no randomness: the same inputs must give the same
        // outputs.
        let secret = self.context.entropy.secret();
        let Some((format, secret)) = self.state.format().zip(secret) else {
            let refusal = Refusal::new(Code::Internal, "the system has no random numbers to give");
            return self.answer(&request, &Err(refusal));
        };
        let hello = Hello { secret, encoding: format.encoding(), ..hello };
        self.turn.chat.handle_hello(now, conn, request, hello);
    }

    fn help(&mut self, request: &Request, of: Option<Op>) {
        let Some(format) = self.state.format() else { return };
        self.state.on_success(Answered::AtOnce);
        let mut out = Vec::new();
        // Nothing is rendered where the request has no id.
        let SessionContext { encoder, limits, .. } = &mut *self.context;
        encoder.message(format, &mut out, |out| _ = render::help(out, request, of, &limits.auth));
        self.send(out);
    }

    /// Answers what never became a command.
    pub(super) fn refuse(&mut self, refused: &Refused) {
        let Some(format) = self.state.format() else { return };
        self.context.metrics.chat.replies.count(refused.refusal.code.number());
        let mut out = Vec::new();
        self.context.encoder.message(format, &mut out, |out| match format {
            Format::Text => text::refusal(out, &refused.refusal),
            _ => render::refused(out, refused),
        });
        self.send(out);
        self.count_error(refused.refusal.code);
    }

    /// Has the connection ended as soon as what the domain has said to it is on its way.
    pub(super) fn close_after_outputs(&mut self, reason: CloseReason) {
        // Not at once: the refusal that explains it is still in the domain's outputs.
        self.context.closing.push((self.state.conn, reason));
    }
}

/// A hello without a position to return to.
pub(super) fn hello_as(name: Option<&str>) -> Hello<'_> {
    Hello {
        name: name.map(Into::into),
        resume: None,
        secret: 0,
        encoding: Encoding::default(),
        identity: None,
        is_visit: false,
    }
}

fn id_of(request: &Request) -> &str {
    request.id.as_ref().map_or("-", |id| id.0.as_str())
}
