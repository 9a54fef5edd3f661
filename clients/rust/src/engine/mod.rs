//! The protocol without a socket and without a clock: messages and time in, messages and events
//! out.
//!
//! [`Client`](crate::Client) is this with a thread of its own. Who has a loop already drives it
//! directly: hand in what happens by `handle_*`, do what [`poll_action`](Engine::poll_action) asks
//! for, read [`poll_event`](Engine::poll_event) and [`poll_answer`](Engine::poll_answer), and call
//! [`handle_timeout`](Engine::handle_timeout) when [`deadline`](Engine::deadline) has come. `now`
//! is a number of milliseconds that only rises, counted from anywhere.

mod connection;
mod inbox;
mod marks;
mod outbox;
mod positions;
mod requests;
mod rooms;
mod tracked;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use self::outbox::Queued;
use self::requests::PendingRequest;
pub use self::requests::Ticket;
use self::tracked::Tracked;
use crate::model::{Entry, Error, Event, Item, Room, State};

/// Events that wait for the program. Beyond it records are fetched later, once there is space.
pub const EVENTS_MAX: usize = 1_000;
/// Events that wait at most: beyond it those are dropped that can be asked for.
const EVENTS_LIMIT: usize = 2 * EVENTS_MAX;

/// What the owner of the socket is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Connect, and then call `handle_open` or `handle_closed` with this number.
    Connect(u64),
    /// Send a message on the connection that there is.
    Send(String),
    /// Close the connection that there is, with this code, and forget it.
    Close(u16),
}

/// Who a client is.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// The name that it wants; without one the server gives it one.
    pub name: Option<String>,
    /// What proves who it is; then the name is the token's.
    pub token: Option<String>,
    /// The program, for people who look at their logins.
    pub agent: String,
    /// The session of an earlier client, to go on where it ended.
    pub session: Option<String>,
}

/// A number from 0 to its argument, by chance.
pub type Random = Box<dyn FnMut(u64) -> u64 + Send>;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The time to connect again.
    Retry,
    /// Whether the connection still lives.
    Watch,
    /// The time to send what waits for a room.
    Send(String),
    /// The time to say what was read.
    Ack(String),
    /// The time when nobody is shown as typing any more.
    Typing(String),
    /// The time to ask how much is unread.
    Recount,
    /// The time to ask once more.
    Again(u64),
}

/// One client's side of the protocol.
pub struct Engine {
    identity: Identity,
    random: Random,
    now: u64,
    user: Option<String>,
    limits: Item,
    state: State,
    rooms: BTreeMap<String, Tracked>,
    queues: BTreeMap<String, VecDeque<Queued>>,
    invited: BTreeSet<String>,
    pending: BTreeMap<u64, PendingRequest>,
    next_id: u64,
    timers: BTreeMap<Timer, u64>,
    actions: VecDeque<Action>,
    events: VecDeque<Event>,
    answers: VecDeque<(Ticket, Result<Item, Error>)>,
    connection: u64,
    is_connected: bool,
    attempt: u32,
    ready_at: Option<u64>,
    seen_at: u64,
    ping_at: Option<u64>,
    come_back_at: Option<u64>,
    send_after: u64,
    rev: Option<u64>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rooms: Vec<_> = self.rooms.keys().collect();
        f.debug_struct("Engine")
            .field("user", &self.user)
            .field("state", &self.state)
            .field("rooms", &rooms)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// A client that is stopped. `outbox` is what an earlier one had not sent yet.
    #[must_use]
    pub fn new(
        identity: Identity,
        outbox: impl IntoIterator<Item = Entry>,
        random: Random,
    ) -> Self {
        let mut queues: BTreeMap<String, VecDeque<Queued>> = BTreeMap::new();
        for entry in outbox {
            queues.entry(entry.room.clone()).or_default().push_back(Queued::new(entry));
        }
        Self {
            identity,
            random,
            now: 0,
            user: None,
            limits: Item::new(),
            state: State::Stopped,
            rooms: BTreeMap::new(),
            queues,
            invited: BTreeSet::new(),
            pending: BTreeMap::new(),
            next_id: 1,
            timers: BTreeMap::new(),
            actions: VecDeque::new(),
            events: VecDeque::new(),
            answers: VecDeque::new(),
            connection: 0,
            is_connected: false,
            attempt: 0,
            ready_at: None,
            seen_at: 0,
            ping_at: None,
            come_back_at: None,
            send_after: 0,
            rev: None,
        }
    }

    /// Our name, once accepted.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The session, for a later client.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        self.identity.session.as_deref()
    }

    /// The server's limits, as its welcome had them.
    #[must_use]
    pub const fn limits(&self) -> &Item {
        &self.limits
    }

    /// The connection.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// What is known of a room that we are in or want to be in.
    #[must_use]
    pub fn room(&self, name: &str) -> Option<&Room> {
        self.rooms.get(name).map(|tracked| &tracked.room)
    }

    /// All of those.
    pub fn rooms(&self) -> impl Iterator<Item = &Room> {
        self.rooms.values().map(|tracked| &tracked.room)
    }

    /// Messages that the server has not answered yet.
    pub fn outbox(&self) -> impl Iterator<Item = &Entry> {
        self.queues.values().flatten().map(|queued| &queued.entry)
    }

    /// The next thing to be done.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The next thing to be told. With space for more, what had none before is fetched.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        if let Event::Changed { room } = &event
            && let Some(tracked) = self.rooms.get_mut(room)
        {
            tracked.is_changed = false;
        }
        if self.events.len() <= EVENTS_MAX / 2 {
            self.fetch_behind();
        }
        Some(event)
    }

    /// The next answer to a request, by what the request returned.
    pub fn poll_answer(&mut self) -> Option<(Ticket, Result<Item, Error>)> {
        self.answers.pop_front()
    }

    /// When `handle_timeout` must be called.
    #[must_use]
    pub fn deadline(&self) -> Option<u64> {
        self.timers.values().min().copied()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: u64) {
        self.now = now;
        // What these arm at once is for the next call, so that this one ends.
        let is_due = |&(_, due): &(&Timer, &u64)| *due <= now;
        let mut due: Vec<_> =
            self.timers.iter().filter(is_due).map(|(timer, due)| (*due, timer.clone())).collect();
        due.sort_unstable();
        for (due, timer) in due {
            // An earlier one of them may have disarmed it, or armed it for later.
            if self.timers.get(&timer) == Some(&due) {
                self.timers.remove(&timer);
                self.on_timer(timer);
            }
        }
    }

    fn on_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Retry => self.connect(),
            Timer::Watch => self.watch_connection(),
            Timer::Send(room) => self.send_next(&room),
            Timer::Ack(room) => self.acknowledge(&room),
            Timer::Typing(room) => self.show_typing(&room, BTreeSet::new()),
            Timer::Recount => self.sync(),
            Timer::Again(id) => self.ask_again(id),
        }
    }

    fn arm(&mut self, timer: Timer, in_ms: u64) {
        self.timers.insert(timer, self.now.saturating_add(in_ms));
    }

    fn set_state(&mut self, state: State) {
        self.state = state.clone();
        self.emit(Event::State(state));
    }

    fn emit(&mut self, event: Event) {
        if self.events.len() < EVENTS_LIMIT {
            self.events.push_back(event);
        }
    }

    /// Tells once that something has changed, however often it does before anybody looks.
    fn emit_changed(&mut self, name: &str) {
        if let Some(tracked) = self.rooms.get_mut(name)
            && !tracked.is_changed
            && self.events.len() < EVENTS_LIMIT
        {
            tracked.is_changed = true;
            self.events.push_back(Event::Changed { room: name.to_owned() });
        }
    }

    fn is_full(&self) -> bool {
        self.events.len() >= EVENTS_MAX
    }

    fn is_ready(&self) -> bool {
        self.state == State::Ready
    }
}
