//! The connection: hello, what follows the end of one, and whether it still lives.

use serde_json::{Value, json};

use super::requests::Then;
use super::tracked::Tracked;
use super::{Action, Engine, Timer};
use crate::model::{Error, Item, RoomState, State, TokenEnd, fields, flag, number, object, text};

/// The wait for the first attempt, at most; it doubles with each.
const BACKOFF_BASE_MS: u64 = 500;
const BACKOFF_MAX_MS: u64 = 20_000;
/// Attempts after which the wait does not grow: beyond [`BACKOFF_MAX_MS`], and far from overflow.
const BACKOFF_DOUBLINGS_MAX: u32 = 16;
/// A connection that stood for so long begins the waits again.
const HEALTHY_MS: u64 = 30_000;
/// From the beginning of a connection to the welcome.
const HELLO_MS: u64 = 15_000;
/// Silence after which we ask whether the server is there, where it does not say.
const PING_MS_DEFAULT: u64 = 25_000;
const PONG_MS: u64 = 10_000;
/// The code of a connection that ended without one (RFC 6455 section 7.4.1).
const ABNORMAL: u16 = 1006;
const POLICY: u16 = 1008;
const NO_PROTOCOL: u16 = 1007;
const NORMAL: u16 = 1000;

impl Engine {
    /// Connects, and reconnects until `stop` or until the server refuses for good. Ends a wait.
    pub fn start(&mut self, now: u64) {
        self.now = now;
        if self.state.is_over() || matches!(self.state, State::Waiting { .. }) {
            self.connect();
        }
    }

    /// Closes the connection; `start` goes on from here.
    pub fn stop(&mut self, now: u64) {
        self.now = now;
        self.drop_connection();
        if !self.state.is_over() {
            self.set_state(State::Stopped);
        }
    }

    /// The token for the next connection, and the name that goes without one.
    pub fn set_identity(&mut self, token: Option<String>, name: Option<String>) {
        self.identity.token = token;
        if name.is_some() {
            self.identity.name = name;
            self.user = None;
            self.identity.session = None;
        }
    }

    /// The connection of this number stands.
    pub fn handle_open(&mut self, now: u64, connection: u64) {
        self.now = now;
        if connection != self.connection || !self.is_connected {
            return;
        }
        let identity = self.identity.clone();
        let joined = self.rooms.values().filter(|tracked| tracked.room.state != RoomState::Wanted);
        let rooms: Item = joined
            .map(|tracked| &tracked.room)
            .map(|room| (room.name.clone(), json!([room.epoch, room.seq])))
            .collect();
        let resume = identity
            .session
            .map_or(Value::Null, |session| json!({"session": session, "rooms": rooms}));
        let name = self.user.clone().or(identity.name).filter(|_| identity.token.is_none());
        let hello = fields([
            ("name", name.into()),
            ("token", identity.token.into()),
            ("agent", identity.agent.into()),
            ("resume", resume),
        ]);
        self.ask("hello", hello, Then::Hello);
    }

    /// The connection of this number has ended, or could not be made; 1006 without a close code.
    pub fn handle_closed(&mut self, now: u64, connection: u64, code: u16, error: Option<Error>) {
        self.now = now;
        if connection == self.connection && self.is_connected {
            self.on_closed(code, error);
        }
    }

    /// That the server is no longer tried, and why: its address cannot be one of a server.
    pub fn handle_hopeless(&mut self, now: u64, connection: u64, error: Error) {
        self.now = now;
        if connection == self.connection && self.is_connected {
            self.drop_connection();
            self.set_state(State::Refused { error: Some(error), close: None, token: None });
        }
    }

    /// Something has come that is no message, such as a WebSocket ping: the connection lives.
    pub fn handle_activity(&mut self, now: u64) {
        self.now = now;
        self.seen_at = now;
        self.ping_at = None;
    }

    /// A message of the server.
    pub fn handle_message(&mut self, now: u64, message: &str) {
        if !self.is_connected {
            return;
        }
        self.handle_activity(now);
        match serde_json::from_str(message) {
            Ok(Value::Object(message)) => self.receive(message),
            _ => self.on_closed(NO_PROTOCOL, None),
        }
    }

    pub(super) fn connect(&mut self) {
        self.drop_connection();
        self.come_back_at = None;
        self.connection += 1;
        self.is_connected = true;
        self.set_state(State::Connecting);
        self.actions.push_back(Action::Connect(self.connection));
        self.arm(Timer::Watch, HELLO_MS);
    }

    pub(super) fn on_welcome(&mut self, data: &Item) {
        self.user = text(data, "user").map(str::to_owned);
        self.leave_conversations_of_others();
        self.identity.session = text(data, "session").map(str::to_owned);
        self.limits = object(data, "limits");
        self.ready_at = Some(self.now);
        if !flag(data, "resumed") {
            self.rev = None;
        }
        self.set_state(State::Ready);
        self.watch_connection();
        // Of more than it has room for, `rooms` has all.
        if data.contains_key("invitations") && !flag(data, "more_invitations") {
            self.list_invitations(data);
        }
        let answers = object(data, "rooms");
        let names: Vec<_> = self.rooms.keys().cloned().collect();
        for name in &names {
            self.enter(name, &object(&answers, name));
        }
        let waiting: Vec<_> = self.queues.keys().cloned().collect();
        for name in waiting {
            self.send_next(&name);
        }
        self.sync();
    }

    /// Who comes back as another user is in none of the former one's direct conversations.
    fn leave_conversations_of_others(&mut self) {
        let user = self.user.clone().unwrap_or_default();
        let is_anothers = |name: &&String| {
            name.strip_prefix('@').is_some_and(|two| two.split(':').all(|one| one != user))
        };
        let mut names: Vec<_> = self.rooms.keys().filter(is_anothers).cloned().collect();
        names.extend(self.queues.keys().filter(is_anothers).cloned());
        for name in names {
            self.remove(&name, "left", None);
        }
    }

    pub(super) fn on_hello_refused(&mut self, error: Error) {
        self.drop_connection();
        match error.retry_after_ms() {
            None => {
                let token = self.token_end(error.code);
                self.set_state(State::Refused { error: Some(error), close: None, token });
            }
            Some(wait) => {
                let wait = wait.saturating_add(self.backoff());
                self.wait(wait, false, ABNORMAL, Some(error));
            }
        }
    }

    fn on_closed(&mut self, code: u16, error: Option<Error>) {
        self.drop_connection();
        if self.ready_at.take().is_some_and(|since| self.now.saturating_sub(since) >= HEALTHY_MS) {
            self.attempt = 0;
        }
        if (4000..4100).contains(&code) || code == POLICY {
            let token = self.token_end(code);
            return self.set_state(State::Refused { error, close: Some(code), token });
        }
        if let Some(at) = self.come_back_at {
            return self.wait(at.saturating_sub(self.now), true, code, error);
        }
        let wait = self.backoff();
        self.wait(wait, false, code, error);
    }

    fn wait(&mut self, retry_ms: u64, announced: bool, close: u16, error: Option<Error>) {
        let retry_at = self.now.saturating_add(retry_ms);
        self.set_state(State::Waiting { retry_at, retry_ms, announced, close, error });
        self.arm(Timer::Retry, retry_ms);
    }

    /// What has become of our token, by the code of a refusal or of a close.
    const fn token_end(&self, code: u16) -> Option<TokenEnd> {
        match code {
            _ if self.identity.token.is_none() => None,
            2001 | 2003 | 4000 => Some(TokenEnd::Refused),
            2002 | POLICY => Some(TokenEnd::Expired),
            4006 => Some(TokenEnd::Ended),
            _ => None,
        }
    }

    /// Full jitter, so that not all clients come back at once.
    fn backoff(&mut self) -> u64 {
        let doublings = self.attempt.min(BACKOFF_DOUBLINGS_MAX);
        self.attempt = self.attempt.saturating_add(1);
        (self.random)((BACKOFF_BASE_MS << doublings).min(BACKOFF_MAX_MS))
    }

    /// Abandons the connection; messages stay in the outbox, positions in the rooms.
    fn drop_connection(&mut self) {
        if self.is_connected {
            self.is_connected = false;
            self.actions.retain(|action| !matches!(action, Action::Send(_)));
            self.actions.push_back(Action::Close(NORMAL));
        }
        self.timers.clear();
        self.ping_at = None;
        for queued in self.queues.values_mut().flatten() {
            queued.is_in_flight = false;
        }
        self.rooms.values_mut().for_each(Tracked::forget_connection);
        for (_, request) in std::mem::take(&mut self.pending) {
            self.answer_tickets(&request.tickets, &Err(Error::offline()));
        }
    }

    /// Asks a quiet server whether it is there; only a question without an answer says that it is
    /// not, since silence may come from a machine's sleep.
    pub(super) fn watch_connection(&mut self) {
        if !self.is_ready() {
            return self.on_closed(ABNORMAL, Some(Error::local("the server does not answer")));
        }
        let ping_ms = number(&self.limits, "ping_ms").unwrap_or(PING_MS_DEFAULT);
        let quiet_at = self.seen_at.saturating_add(ping_ms);
        let due = match self.ping_at {
            Some(at) if self.now >= at.saturating_add(PONG_MS) => {
                return self.on_closed(ABNORMAL, Some(Error::local("the server does not answer")));
            }
            Some(at) => at.saturating_add(PONG_MS),
            None if self.now >= quiet_at => {
                self.ping_at = Some(self.now);
                self.ask("ping", Item::new(), Then::Nothing);
                self.now.saturating_add(PONG_MS)
            }
            None => quiet_at,
        };
        self.arm(Timer::Watch, due.saturating_sub(self.now));
    }

    /// For when the network or the machine is back: tests the connection, or ends a wait unless the
    /// server has set it.
    pub fn wake(&mut self, now: u64) {
        self.now = now;
        match self.state {
            State::Waiting { announced: false, .. } => self.connect(),
            State::Ready if self.ping_at.is_none() => {
                self.ping_at = Some(now);
                self.ask("ping", Item::new(), Then::Nothing);
                self.watch_connection();
            }
            _ => {}
        }
    }
}
