//! A session's one deadline, and what is due when it has passed.

use std::time::Duration;

use super::closing::ping;
use super::context::SessionContext;
use super::input::Session;
use super::state::{Flag, PlainTcp, Protocol, SessionState};
use crate::http::Refusal;
use crate::line::Framing;
use crate::net::{CloseReason, Effect, Ending};
use crate::time::Tick;

/// From the beginning of a plain connection on which nothing comes to the greeting of a person: a
/// program speaks at once.
const GREETING_AFTER: Duration = Duration::from_secs(1);

/// Pings are due at multiples of this, a little early, so that those of thousands of silent
/// connections leave in few turns, and their pongs come in few: while the server sends hundreds,
/// the first pongs gather, and one wake takes them all. Beginnings of slots of the timer wheel.
const PING_STEP_MS: u64 = 256;
/// Shorter timeouts are kept to the millisecond.
const PINGS_IN_STEP_FROM: Duration = Duration::from_secs(10);

/// The time of a person to find a password and to type it.
const LOGIN_WITHIN: Duration = Duration::from_mins(5);

/// What is due when a session's deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// A request head is not complete.
    Head,
    /// Nothing more of a file has come.
    Upload,
    /// The connection has been idle between two requests.
    KeepAlive,
    /// Nothing has come that tells a person from a program.
    Greeting,
    /// Hello has not been said.
    Hello,
    /// A person has not said who they are.
    Login,
    /// Nothing has come for a while: ping, or give up.
    Silence,
    /// A stream has to show that it is there.
    Comment,
    /// What the peer asked for before its last word has not been answered.
    Answers,
}

impl SessionState {
    /// What its deadline is for, `None` if it has none.
    pub(super) fn due(&self) -> Option<Due> {
        // While a file is sent, the reactor ends a socket that takes nothing: it may take all day.
        if self.is_sending_file() {
            return None;
        }
        // Before what the protocol says: a peer that has said its last word owes neither pong nor
        // hello.
        if self.is_leaving() && !self.is_closing() {
            return Some(Due::Answers);
        }
        match &self.protocol {
            Protocol::Http { exchange: Some(exchange) } if exchange.is_upload() => {
                (!exchange.is_answering()).then_some(Due::Upload)
            }
            Protocol::Http { exchange: Some(exchange) } => {
                (!exchange.is_answering()).then_some(Due::Head)
            }
            Protocol::Http { .. } if self.flags.has(Flag::Idle) => Some(Due::KeepAlive),
            Protocol::Http { .. } => Some(Due::Head),
            Protocol::WebSocket { .. } if !self.flags.has(Flag::Greeted) => Some(Due::Hello),
            Protocol::Tcp(plain) => plain.due(),
            Protocol::WebSocket { .. } | Protocol::Echo { .. } => Some(Due::Silence),
            Protocol::Events(_) => Some(Due::Comment),
            Protocol::Closing => None,
        }
    }

    /// When its deadline is, or when input may go on that waits for its turn at the rate.
    pub(super) fn deadline(&self, now: Tick, context: &SessionContext) -> Tick {
        self.deadline_of(self.due(), now, context)
    }

    /// The same, where it is known what is due.
    fn deadline_of(&self, due: Option<Due>, now: Tick, context: &SessionContext) -> Tick {
        // A moment that has passed would be armed again and again, since the input then waits for
        // something else.
        let ready_at = self.is_waiting().then(|| self.ready_at(context)).filter(|&at| at > now);
        let timeouts = &context.timeouts;
        // One deadline for each connection: what is due is asked of its state and not kept beside
        // it.
        let due_at = match due {
            None => Tick::MAX,
            Some(Due::Head) => self.since().after(timeouts.head),
            Some(Due::Upload) => self.since().after(timeouts.stall),
            Some(Due::KeepAlive) => self.since().after(timeouts.keep_alive),
            Some(Due::Greeting) => self.since().after(GREETING_AFTER),
            Some(Due::Hello) => self.since().after(timeouts.hello),
            Some(Due::Login) => self.since().after(LOGIN_WITHIN),
            Some(Due::Silence) if self.flags.has(Flag::Pinged) => self.pong_by(context),
            Some(Due::Silence | Due::Comment) => ping_at(self.since(), timeouts.ping_after),
            Some(Due::Answers) => self.since().after(timeouts.close),
        };
        due_at.min(ready_at.unwrap_or(Tick::MAX))
    }

    /// When the answer to a ping is overdue, [`Tick::MAX`] if none is awaited.
    pub(super) fn pong_by(&self, context: &SessionContext) -> Tick {
        if !self.flags.has(Flag::Pinged) {
            return Tick::MAX;
        }
        let pong_by = self.since().after(context.timeouts.pong);
        self.slow_at().map_or(pong_by, |at| pong_by.max(at.after(context.timeouts.stall)))
    }

    /// Bytes have come. The deadline that is armed stays: it is compared with this when it has
    /// passed, so that a read costs no work on timers. Returns whether they answer a ping, so that
    /// the deadline is another one.
    pub(super) fn on_bytes(&mut self, now: Tick) -> bool {
        // Any bytes are a sign of life, a part of a frame as well as a pong.
        let is_awaited = self.due() == Some(Due::Silence);
        let was_pinged = is_awaited && self.flags.has(Flag::Pinged);
        if is_awaited {
            self.set_since(now);
            self.flags.set(Flag::Pinged, false);
        }
        was_pinged
    }

    /// A flush has left `queued` bytes waiting.
    pub(super) fn on_blocked(&mut self, now: Tick, queued: usize) {
        // Both sides count what waits: this one to stop reading, the domain to let cursors lag.
        self.answers.set_queued(queued);
        self.set_slow_at(now);
    }
}

/// When a connection that was last heard of at `since` is pinged.
fn ping_at(since: Tick, ping_after: Duration) -> Tick {
    let exact = since.after(ping_after);
    if ping_after < PINGS_IN_STEP_FROM {
        return exact;
    }
    Tick::from_millis(exact.as_millis() / PING_STEP_MS * PING_STEP_MS)
}

impl PlainTcp {
    fn due(&self) -> Option<Due> {
        match self.framing {
            None | Some(Framing::Text) if self.text.is_none() => Some(Due::Greeting),
            None | Some(Framing::Text) => (!self.is_greeted).then_some(Due::Login),
            Some(Framing::Lines | Framing::Lengths) if !self.is_greeted => Some(Due::Hello),
            // Whether it is there is found out by the kernel, unless it wants to be asked.
            Some(Framing::Lines | Framing::Lengths) => self.wants_pings.then_some(Due::Silence),
        }
    }
}

impl Due {
    /// Why a connection ends whose deadline for this has passed.
    pub(super) const fn reason(self) -> CloseReason {
        match self {
            Self::Head | Self::Upload => CloseReason::HeadTimeout,
            Self::KeepAlive => CloseReason::KeepAliveTimeout,
            Self::Greeting | Self::Hello | Self::Login => CloseReason::HelloTimeout,
            Self::Silence | Self::Comment => CloseReason::NoPong,
            Self::Answers => CloseReason::CloseTimeout,
        }
    }

    /// Whether it rests while the server itself does not read what the peer sends.
    const fn is_suspended(self) -> bool {
        match self {
            Self::Head | Self::Upload | Self::KeepAlive | Self::Silence => true,
            Self::Greeting | Self::Hello | Self::Login | Self::Comment | Self::Answers => false,
        }
    }
}

impl Session<'_, '_> {
    /// The deadline that was armed has passed. It may have moved meanwhile, and what waits for its
    /// turn at the rate may go on.
    pub(super) fn on_expired(&mut self) {
        // First, since what goes on may be the hello whose deadline this is, and what the turn has
        // answered the answer to it.
        self.resume();
        self.flush_outputs();
        let now = self.turn.now.tick;
        let Some(due) = self.state.due() else { return };
        // Its hello or its password is here, and it is the server that has not answered; likewise
        // where tokens wait to be verified.
        let is_hello = due == Due::Hello;
        let waits_for_who = matches!(due, Due::Hello | Due::Login);
        let is_held = waits_for_who && self.turn.chat.pending_of(self.state.conn) > 0;
        let is_verified_late = is_hello && self.context.tokens.is_used_up();
        let is_waiting = self.state.is_waiting();
        // The time in which the server keeps it waiting is not the peer's.
        if is_held || (is_waiting && (due.is_suspended() || is_verified_late)) {
            self.state.set_since(now);
        }
        let deadline = self.state.deadline_of(Some(due), now, self.context);
        if now < deadline {
            return self.arm(deadline);
        }
        match due {
            Due::Silence => self.on_silence(),
            Due::Comment => self.on_comment(),
            Due::Upload => self.give_up_body(Refusal::BodyTimeout),
            Due::Head if self.state.is_in_body() => self.give_up_body(Refusal::BodyTimeout),
            Due::Head => self.http_timeout(),
            Due::KeepAlive => self.close(Vec::new(), (due.reason(), Ending::Flush)),
            Due::Greeting => self.greet(),
            Due::Hello | Due::Login => self.end(due.reason()),
            Due::Answers => self.farewell(),
        }
    }

    /// Pings a silent connection, or ends one that has not answered. One whose socket was slow of
    /// late may not have got the ping yet: it is ended for taking nothing (`stall`), not for its
    /// silence.
    fn on_silence(&mut self) {
        let now = self.turn.now.tick;
        if now >= self.state.pong_by(self.context) {
            return self.end(CloseReason::NoPong);
        }
        // A ping would wait behind the rest; whether the socket takes anything at all is watched by
        // `stall`.
        if self.state.answers.is_blocked() {
            self.state.set_since(now);
        } else if !self.state.flags.has(Flag::Pinged) {
            self.state.set_since(now);
            self.state.flags.set(Flag::Pinged, true);
            self.state.forget_slow(now, self.context.timeouts.stall);
            let ping = ping(&self.state, &mut self.context.encoder);
            self.context.metrics.http.pings.add(1);
            self.send(ping);
        }
        self.arm(self.state.deadline_of(Some(Due::Silence), now, self.context));
    }

    /// Keeps a stream and the proxies before it awake, and has the kernel find out whether the
    /// reader is there. What it may not read any more ends.
    fn on_comment(&mut self) {
        let (now, conn) = (self.turn.now, self.state.conn);
        self.turn.chat.handle_watching(now, conn);
        self.flush_outputs();
        if self.state.is_closing() {
            return;
        }
        self.state.set_since(now.tick);
        if !self.state.answers.is_blocked() {
            let comment = ping(&self.state, &mut self.context.encoder);
            self.context.metrics.http.pings.add(1);
            self.send(comment);
        }
        self.arm(self.state.deadline(now.tick, self.context));
    }

    /// Bytes have come.
    pub(super) fn note_bytes(&mut self) {
        let now = self.turn.now.tick;
        if self.state.on_bytes(now) {
            // The reactor only notes it, and finds out when the deadline of the pong has passed.
            // Otherwise it would tell that deadline, for nothing, of each connection and ping.
            self.arm(self.state.deadline_of(Some(Due::Silence), now, self.context));
        }
    }

    pub(super) fn arm(&mut self, deadline: Tick) {
        self.turn.effects.push(Effect::Arm { conn: self.state.conn, deadline });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_fell_silent_at_about_the_same_time_are_pinged_together_and_none_too_late() {
        let at = |since, after| ping_at(Tick::from_millis(since), Duration::from_millis(after));
        let pinged: std::collections::BTreeSet<_> =
            (0..2_560).map(|at_ms| at(at_ms, 25_000)).collect();
        assert!(pinged.len() <= 11, "{pinged:?}");
        for since in 0..2_560 {
            let early = since + 25_000 - at(since, 25_000).as_millis();
            assert!(early < PING_STEP_MS, "{early} ms");
        }
        assert_eq!(at(7, 100), Tick::from_millis(107));
    }
}
