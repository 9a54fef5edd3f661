//! The composition root: wires the reactor, the sessions, the domain and the logs, and owns nothing
//! else.
//!
//! # What a connection costs
//!
//! An idle WebSocket connection with a name and a room owns no buffer and, while its lists have one
//! element and its name has at most 22 bytes, no allocation of its own. Its rows lie in pages of 16
//! KiB that are never copied:
//!
//! | bytes | what | where |
//! |---:|---|---|
//! | 64 | the socket with its outbound ring, a cache line | [`reactor`](crate::reactor) |
//! | 16 | its timer | [`time::wheel`](crate::time::wheel) |
//! | 64 | its protocol stack | [`session`](crate::session) |
//! | 64 | the domain's reader, with its place in one room | [`chat`](crate::chat) |
//! | 80 | the user, with name, session and place in one room | [`chat`](crate::chat) |
//! | 52 | the membership | [`chat`](crate::chat) |
//! | 11 | the cursor, and the member's place: arrays | [`chat`](crate::chat) |
//! | 8 | the entry under its name | [`collections`](crate::collections) |
//!
//! That is 359 bytes, and 8 for a name beyond ASCII that looks like another text. Measured over
//! sockets are some 100 more: with 19,000, some 74 each are pages of the program that were touched
//! for the first time, and 27 are on the heap beside the rows (`chinwag-bench idle --connections
//! 19000`, [`docs::measurements`](crate::docs::measurements)).
//!
//! | bytes | for each |
//! |---:|---|
//! | 144 | connection before hello, instead of all the above |
//! | 64 | connection over plain TCP, more |
//! | 88 | further room, and 128 once, for lists of more than one |
//! | 288 | further session of a user |
//! | 16, and its length | name of more than 22 bytes |
//! | 216 | user who is remembered without a connection |
//! | 656 | room, without its recent records |
//! | 56 | connection, where the admin API is on; and 72 for each of the last 10,000 that ended |
//!
//! What moves is bounded: for a connection that does not read, `limits.outbound_hard_bytes`, and 40
//! for each of at most 1,024 frames; for what waits for its turn at the rate, `limits.read_ahead`;
//! for what is incomplete, one message; for the rooms together, `limits.ring_total_bytes`, and an
//! eighth of it for pages of stored logs that cursors read; for all `cid`s of memory rooms that are
//! remembered, 20 MB; for what waits for the disk, 16 MiB of records.
//!
//! Rooms and memberships that are stored are in memory while somebody uses them, and as many rooms
//! beyond those as `limits.idle_rooms`: by the table above, 656 bytes a room, 216 a user and 52 for
//! each further membership. SQLite's caches take up to `store.cache_bytes` for the writer and 2 MiB
//! for the reader.
//!
//! With a budget (`memory`) all of these follow from it: see [`docs::memory`](crate::docs::memory).

mod admin_token;
mod bounds;
mod certificates;
mod clustering;
mod config_watch;
mod engine;
mod files;
mod handover;
mod hashing;
mod inherited;
mod listening;
mod named_files;
mod rejection;
mod reloading;
mod requests;
mod startup;
mod supervisor;
#[cfg(test)]
mod tests;
pub mod token_keys;
pub mod upgrade;
mod upgrade_progress;
mod webhook_start;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

pub use self::admin_token::AdminTokenError;
use self::bounds::{drain_window_ms, limits};
use self::certificates::CertificateWatch;
pub use self::certificates::{CertificateError, inspect as inspect_certificates};
use self::clustering::Beginning;
use self::config_watch::ConfigWatch;
pub use self::config_watch::Sources;
use self::engine::Engine;
pub use self::engine::{
    EngineError, address as engine_address, bus_address, level as engine_level,
};
use self::files::{FileDesk, FileStart};
pub use self::hashing::Hashing;
pub use self::named_files::refused_files;
pub use self::startup::{ServeError, serve};
use self::supervisor::Supervisor;
use self::upgrade_progress::Upgrading;
use self::webhook_start::WebhookStart;

use crate::chat::model::account::NewSecret;
use crate::chat::model::log::{Logs, Snapshot};
use crate::chat::{Chat, UserName};
use crate::config::Config;
use crate::http::PolicyError;
use crate::metrics::Metrics;
use crate::net::{
    CloseReason, ConnId, Effect, Effects, Handler, Input, IpAddr, Network, StopSignal,
};
use crate::session::{Entropy, ListenerKind, OperatorWish, Sessions, Turn};
use crate::time::Tick;
use crate::time::clock::Now;

/// Answers of the logs that one turn takes up, by weight: with what they make, 2 ms.
const REPLIES_MAX: usize = 1024;

/// Everything above the reactor.
#[derive(Debug)]
pub struct Server {
    /// If there may be webhooks. Before the logs, which then close with what it has told them.
    webhooks: Option<WebhookStart>,
    /// If files are taken in a folder that nodes share: before the thread that it answers.
    file_desk: Option<FileDesk>,
    /// If files are taken. Likewise.
    files: Option<FileStart>,
    chat: Chat,
    logs: Engine,
    /// What is done once it is known what a shared log has.
    beginning: Option<Beginning>,
    sessions: Sessions,
    listeners: Vec<ListenerKind>,
    /// When the alarm is set for.
    alarm: Tick,
    /// The weight of answers that this turn may still take up.
    replies_left: usize,
    /// The last turn has left answers for this one.
    has_replies: bool,
    /// Addresses from which nobody may use the server any more, to be looked for.
    banned: Vec<Network>,
    /// With whom no hands are to be shaken from now on, and until when.
    barred: Option<Vec<(Network, Option<u64>)>>,
    /// Until when answers of the logs are waited for before the clients are sent away, if the
    /// server is stopping.
    stopping: Option<Tick>,
    /// Reads the configuration again.
    config_watch: Option<ConfigWatch>,
    /// Who is told what came of each time that it does, in their order.
    reloads: VecDeque<Option<ConnId>>,
    /// Looks at the files of tokens' keys.
    key_watch: Option<token_keys::KeyWatch>,
    /// Where passwords are hashed; `None` where there are none.
    hashing: Option<Hashing>,
    drain_window_ms: u64,
    stop_timeout: Duration,
    /// If a listener speaks TLS.
    certificates: Option<CertificateWatch>,
    /// If systemd wants to hear from this process.
    supervisor: Option<Supervisor>,
    upgrading: Upgrading,
    /// What the process before this one remembers of messages means something here.
    remembers: bool,
    metrics: Arc<Metrics>,
}

impl Server {
    /// A server without connections. `listeners` says what each listener is for, `logs` keeps the
    /// rooms, and `kept` is what was kept of them.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] if a configured host or origin is malformed.
    pub fn new(
        config: &Config,
        listeners: Vec<ListenerKind>,
        (metrics, mut entropy): (Arc<Metrics>, Entropy),
        now: Now,
        (logs, kept): (Box<dyn Logs>, Snapshot),
    ) -> Result<Self, PolicyError> {
        let limits = limits(config);
        let mut chat = Chat::new(limits.clone(), now);
        // Without random numbers no session begins either: that is refused where it is asked for.
        chat.vary_epochs(entropy.secret().unwrap_or_default());
        chat.restore(now, kept);
        Ok(Self {
            webhooks: None,
            file_desk: None,
            files: None,
            chat,
            logs: Engine::Local(logs),
            beginning: None,
            sessions: Sessions::new(config, limits, Arc::clone(&metrics), entropy)?,
            listeners,
            alarm: Tick::MAX,
            replies_left: REPLIES_MAX,
            has_replies: false,
            banned: Vec::new(),
            barred: None,
            stopping: None,
            config_watch: None,
            reloads: VecDeque::new(),
            key_watch: None,
            hashing: None,
            drain_window_ms: drain_window_ms(config),
            stop_timeout: config.timeouts.stop,
            certificates: None,
            supervisor: None,
            upgrading: Upgrading::new(config.timeouts.upgrade),
            remembers: false,
            metrics,
        })
    }

    /// The domain, for tests and measurements.
    #[must_use]
    pub const fn chat(&self) -> &Chat {
        &self.chat
    }

    /// How many connections have a session.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.sessions.len()
    }

    /// Has a link made for the first administrator; `false` if there is one already.
    pub fn invite_admin(&mut self, now: Now, secret: &NewSecret) -> bool {
        let is_new = self.chat.invite_admin(now, secret);
        self.pass_requests(now);
        is_new
    }

    /// Lets webhooks be told what happens, once there are any.
    fn set_webhooks(&mut self, mut webhooks: WebhookStart) {
        webhooks.look();
        self.webhooks = Some(webhooks);
    }

    /// Where there is an admin API, keeps the name under which it speaks from everybody else.
    fn reserve_operator(&mut self, now: Now, name: &UserName) {
        if !self.sessions.has_admin_token() {
            return;
        }
        let wanted = self.chat.needs_of_name(name);
        if let Err(error) = self.load(now, &wanted) {
            log::error!(error; "it cannot be read whether admin_name is somebody's");
        }
        if !self.chat.reserve_operator(now, name) {
            log::warn!(
                name:% = name;
                "admin_name is somebody's: the admin API cannot speak or act in rooms"
            );
        }
        self.pass_requests(now);
    }

    /// Lets passwords be hashed.
    pub fn set_hashing(&mut self, hashing: Hashing) {
        self.hashing = Some(hashing);
    }

    /// Does what the operator has asked for by the admin API.
    fn take_wishes(&mut self, now: Now, effects: &mut Effects) {
        for wish in self.sessions.take_wishes() {
            match wish {
                OperatorWish::Drain if self.stopping.is_some() => {}
                OperatorWish::Drain => self.stop(now, StopSignal::Drain, effects),
                OperatorWish::Reload(conn) => self.reload("the admin API", Some(conn)),
            }
        }
        if let Some(suspensions) = self.chat.poll_suspended() {
            self.banned = suspensions.addresses_at(now.wall_ms);
            self.barred = Some(suspensions.addresses_until());
        }
    }

    fn turn_end(&mut self, now: Now, effects: &mut Effects) {
        self.pass_requests(now);
        self.drive_engine(now, effects);
        // What is left may be told by no wake any more: the next turn begins at once.
        self.has_replies = std::mem::replace(&mut self.replies_left, REPLIES_MAX) == 0;
        if self.sessions.has_wishes() || self.chat.has_suspended() {
            self.take_wishes(now, effects);
        }
        if !self.banned.is_empty() {
            effects.push(Effect::FindByAddress { addresses: std::mem::take(&mut self.banned) });
        }
        if let Some(addresses) = self.barred.take() {
            effects.push(Effect::Bar { addresses });
        }
        let turn = &mut Turn { now, chat: &mut self.chat, effects };
        self.sessions.handle_turn_end(turn);
        self.pass_files(now, effects);
        let Some(deadline) = self.stopping else {
            if self.upgrading.is_frozen() {
                return self.await_quiet(now, effects);
            }
            return self.arm_alarm(now, effects);
        };
        // What was accepted is answered first, if the logs do in time.
        if self.chat.pending() > 0 && now.tick < deadline {
            let deadline =
                if self.has_replies { now.tick } else { deadline.min(self.logs.deadline()) };
            return effects.push(Effect::Alarm { deadline });
        }
        let turn = &mut Turn { now, chat: &mut self.chat, effects };
        let is_more = self.sessions.drain(self.drain_window_ms, turn);
        let leaves_at = self.leave_engine(now, effects);
        let deadline = if is_more { now.tick } else { self.supervise(now).min(leaves_at) };
        if deadline != Tick::MAX {
            effects.push(Effect::Alarm { deadline });
        }
    }

    /// Tells systemd that the loop turns, if it is time; and when it is next.
    fn supervise(&mut self, now: Now) -> Tick {
        self.supervisor.as_mut().map_or(Tick::MAX, |supervisor| supervisor.turn(now.tick))
    }

    /// Has the reactor wake the domain when it next has something to do.
    fn arm_alarm(&mut self, now: Now, effects: &mut Effects) {
        let due = self.supervise(now).min(self.logs.deadline());
        let deadline = if self.has_replies { now.tick } else { self.chat.next_deadline().min(due) };
        if deadline != self.alarm {
            self.alarm = deadline;
            effects.push(Effect::Alarm { deadline });
        }
    }

    fn stop(&mut self, now: Now, signal: StopSignal, effects: &mut Effects) {
        self.supervisor.iter_mut().for_each(Supervisor::stopping);
        self.end_upgrade("the server is stopping", effects);
        self.upgrading.leave();
        effects.push(Effect::StopAccepting);
        let deadline = match signal {
            StopSignal::Now => now.tick,
            StopSignal::Drain => {
                log::info!(connections = self.sessions.len(); "stopping");
                self.chat.stop(now);
                self.pass_requests(now);
                self.sessions.handle_stop(&mut Turn { now, chat: &mut self.chat, effects });
                self.stopping = Some(now.tick.after(self.stop_timeout / 4));
                self.logs.close_by(now.tick.after(self.stop_timeout));
                let commit = self.metrics.store.mean_commit();
                now.tick
                    .after(self.stop_timeout.saturating_sub(time_of_end(self.stop_timeout, commit)))
            }
        };
        effects.push(Effect::Exit { deadline });
    }

    /// The domain's time has come, or the engine's.
    fn on_alarm(&mut self, now: Now, effects: &mut Effects) {
        self.alarm = Tick::MAX;
        // While it is handed over, what is due is left to the process that goes on.
        if !self.upgrading.is_frozen() {
            self.chat.handle_timers(now);
            self.sessions.flush_outputs(&mut Turn { now, chat: &mut self.chat, effects });
        }
        self.expire_engine(now, effects);
        if self.has_replies {
            self.take_replies(now);
        }
    }

    /// Another thread has woken the loop: takes what all of them report, since the waker does not
    /// say which it was.
    fn take_reports(&mut self, now: Now, effects: &mut Effects) {
        self.take_config(now, effects);
        self.take_keys();
        self.take_hashes(now);
        self.take_push_outcomes(now);
        self.take_files(now, effects);
        self.take_replies(now);
    }
}

/// Begins the session of a connection, unless its address is banned.
fn open_session(
    sessions: &mut Sessions,
    conn: ConnId,
    (kind, address): (ListenerKind, IpAddr),
    turn: &mut Turn<'_>,
) {
    sessions.handle_opened(conn, (kind, address), turn);
    sessions.set_address(conn, address);
    let expiry = turn.chat.suspended().address(address, turn.now.wall_ms);
    if let Some(expiry) = expiry.filter(|_| kind != ListenerKind::Admin) {
        let why = expiry.reason.clone();
        sessions.refuse_banned(conn, &why, turn);
    }
}

/// The part of `timeouts.stop` that is kept for what comes after the last connection: closing
/// thousands of full sockets, and the store, which asks the disk four times at the most.
fn time_of_end(stop: Duration, commit: Duration) -> Duration {
    (commit * 4).clamp(stop / 5, stop / 2)
}

impl Handler for Server {
    fn handle(&mut self, now: Now, mut input: Input<'_>, effects: &mut Effects) {
        if let Engine::Shared(_) = self.logs
            && self.take_engine_input(now, &mut input, effects)
        {
            return;
        }
        let Self { chat, sessions, listeners, .. } = self;
        let turn = &mut Turn { now, chat, effects };
        match input {
            Input::Opened { conn, listener, peer } => {
                let kind =
                    listeners.get(usize::from(listener.0)).copied().unwrap_or(ListenerKind::Http);
                log::debug!(conn:% = conn, peer:% = peer; "opened");
                open_session(sessions, conn, (kind, peer.ip()), turn);
            }
            // A server that is alone connects to nobody.
            Input::Connected { .. } | Input::Unreachable { .. } => {}
            Input::Received { conn, bytes } => {
                sessions.handle_received(conn, bytes, turn);
                self.pass_requests(now);
            }
            Input::Finished { conn } => {
                sessions.handle_finished(conn, turn);
                self.pass_requests(now);
            }
            Input::Waiting { bytes } => turn.chat.handle_waiting(bytes),
            Input::Blocked { conn, queued } => sessions.handle_blocked(conn, queued, turn),
            Input::Drained { conn } => {
                sessions.handle_drained(conn, turn);
                self.pass_requests(now);
            }
            Input::Expired { conn } => {
                sessions.handle_expired(conn, turn);
                self.pass_requests(now);
            }
            Input::AddressFound { conn } => sessions.end_banned(conn, turn),
            Input::AddressFull { conn } => sessions.end(conn, CloseReason::Overloaded, turn),
            Input::Closed { conn, reason } => {
                sessions.handle_closed(conn, reason, turn);
                // This comes after the turn's end, and perhaps nothing for a long time after it.
                self.leave_engine(now, effects);
                self.arm_alarm(now, effects);
            }
            Input::StoreReady => {
                self.take_reports(now, effects);
                self.pass_requests(now);
                self.take_candidate(now, effects);
            }
            Input::Alarm => self.on_alarm(now, effects),
            Input::Stop(signal) => self.stop(now, signal, effects),
            Input::Reload => self.reload("SIGHUP", None),
            Input::Upgrade => self.begin_upgrade(),
            Input::TurnEnd => self.turn_end(now, effects),
        }
    }
}
