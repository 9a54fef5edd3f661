//! The client with a thread of its own.

use std::sync::{Arc, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::{Poll, Waker};

use crate::driver;
use crate::engine::{Engine, Identity, Ticket};
use crate::model::{Entry, Error, Event, Item, Room, Sent, State, fields, flag, number, text};
use crate::options::{Options, Token};
use crate::shared::{Inner, Shared};
use crate::socket::{Address, Connector};

/// How long a client that is dropped waits for what it has still to say.
const FAREWELL: Duration = Duration::from_secs(1);

/// A client. It connects, comes back after each lost connection, and ends when it is dropped.
///
/// Each record of a joined room is told once and in the order of `seq`, also over lost connections;
/// a [`Event::Gap`] or [`Event::Reset`] stands for missing ones. Each message is stored once. All
/// methods may be called from several threads; those that ask the server block until it has
/// answered.
#[derive(Debug)]
pub struct Client {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// Connects to a server, and waits until it has accepted us, however long that takes.
    ///
    /// # Errors
    ///
    /// If `url` is no address, or the server has refused for good.
    pub fn connect(url: &str, options: Options) -> Result<Self, Error> {
        let client = Self::start(url, options)?;
        client.wait_ready(None)?;
        Ok(client)
    }

    /// Begins to connect, and returns at once.
    ///
    /// # Errors
    ///
    /// If `url` is no address, or this process cannot have another thread.
    pub fn start(url: &str, options: Options) -> Result<Self, Error> {
        let failed = |error: std::io::Error| Error::local(error.to_string());
        let connector = Connector::new(Address::parse(url)?, options.roots);
        let poll = Poll::new().map_err(failed)?;
        let waker = Waker::new(poll.registry(), driver::WAKE).map_err(failed)?;
        let (token, fetch) = match options.token {
            Token::None => (None, None),
            Token::Fixed(token) => (Some(token), None),
            Token::Fetch(fetch) => (None, Some(fetch)),
        };
        let agent = options.agent.unwrap_or_else(|| "chinwag-client".to_owned());
        let identity = Identity { name: options.name, token, agent, session: options.session };
        let mut engine = Engine::new(identity, options.outbox, Box::new(driver::random));
        engine.start(0);
        let shared = Arc::new(Shared::new(engine, waker));
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("chinwag-client".to_owned());
        let thread = thread.spawn(move || driver::run(&of_thread, poll, connector, fetch));
        let thread = Some(thread.map_err(failed)?);
        Ok(Self { shared, thread })
    }

    /// Waits until the server has accepted us, for so long at most.
    ///
    /// # Errors
    ///
    /// If the server has refused for good, or the time is over.
    pub fn wait_ready(&self, timeout: Option<Duration>) -> Result<(), Error> {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        let mut inner = self.shared.lock();
        loop {
            match inner.engine.state() {
                State::Ready => return Ok(()),
                state if state.is_over() => return Err(ended(state)),
                State::Waiting { error: Some(error), .. } if deadline.is_some() => {
                    let error = error.clone();
                    inner = self.shared.wait(inner, deadline).ok_or(error)?;
                }
                _ => inner = self.shared.wait(inner, deadline).ok_or_else(Error::offline)?,
            }
        }
    }

    /// The next event; `None` once the client has ended and all were told.
    pub fn next_event(&self) -> Option<Event> {
        self.event_before(None)
    }

    /// The next event, if there is one within this time.
    pub fn next_event_within(&self, timeout: Duration) -> Option<Event> {
        self.event_before(Some(Instant::now() + timeout))
    }

    /// All events, until the client has ended.
    pub fn events(&self) -> impl Iterator<Item = Event> {
        std::iter::from_fn(|| self.next_event())
    }

    fn event_before(&self, deadline: Option<Instant>) -> Option<Event> {
        let mut inner = self.shared.lock();
        loop {
            if let Some(event) = inner.engine.poll_event() {
                // It may have made space for records that are to be fetched.
                drop(inner);
                self.wake_thread();
                return Some(event);
            }
            if inner.engine.state().is_over() {
                return None;
            }
            inner = self.shared.wait(inner, deadline)?;
        }
    }

    /// The connection.
    pub fn state(&self) -> State {
        self.shared.lock().engine.state().clone()
    }

    /// Our name, once accepted.
    pub fn user(&self) -> Option<String> {
        self.shared.lock().engine.user().map(str::to_owned)
    }

    /// The session, for a later client.
    pub fn session(&self) -> Option<String> {
        self.shared.lock().engine.session().map(str::to_owned)
    }

    /// The server's limits, as its welcome had them.
    pub fn limits(&self) -> Item {
        self.shared.lock().engine.limits().clone()
    }

    /// What is known of a room that we are in or want to be in.
    pub fn room(&self, name: &str) -> Option<Room> {
        self.shared.lock().engine.room(name).cloned()
    }

    /// All of those, by their names.
    pub fn rooms(&self) -> Vec<Room> {
        self.shared.lock().engine.rooms().cloned().collect()
    }

    /// Messages that the server has not answered yet.
    pub fn outbox(&self) -> Vec<Entry> {
        self.shared.lock().engine.outbox().cloned().collect()
    }

    /// Joins a room, making it if there is none, and stays in it over reconnections; without a
    /// connection, once there is one.
    ///
    /// # Errors
    ///
    /// The server's refusal.
    pub fn join(&self, room: &str) -> Result<(), Error> {
        self.ask(|engine, now| engine.join(now, room, None)).map(drop)
    }

    /// The same, and the records after that seq are told, too (0: all that are stored).
    ///
    /// # Errors
    ///
    /// The server's refusal.
    pub fn join_after(&self, room: &str, seq: u64) -> Result<(), Error> {
        self.ask(|engine, now| engine.join(now, room, Some(seq))).map(drop)
    }

    /// Leaves a room for good. `close` deletes a private one of which we are the last member.
    ///
    /// # Errors
    ///
    /// The server's refusal, or code 0 without a connection.
    pub fn leave(&self, room: &str, close: bool) -> Result<(), Error> {
        self.ask(|engine, now| engine.leave(now, room, close)).map(drop)
    }

    /// Creates a room with us as its owner: `more` may have a `topic`, and `private`.
    ///
    /// # Errors
    ///
    /// The server's refusal, or code 0 without a connection.
    pub fn create(&self, room: &str, more: Item) -> Result<Item, Error> {
        self.ask(|engine, now| engine.create(now, room, more))
    }

    /// The room of the direct conversation with a user, for [`send`](Self::send).
    pub fn open(&self, user: &str) -> String {
        self.shared.lock().engine.open(user)
    }

    /// Sends a message and waits for the server's answer, over lost connections, too.
    ///
    /// # Errors
    ///
    /// The server's refusal; code 0 if the client ends before there is an answer.
    pub fn send(&self, room: &str, text: &str) -> Result<Sent, Error> {
        self.send_with(room, text, Item::new())
    }

    /// The same with further fields, such as `reply_to` or a `cid`.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    pub fn send_with(&self, room: &str, text: &str, more: Item) -> Result<Sent, Error> {
        let mut inner = self.shared.lock();
        let (_, ticket) = inner.engine.send(self.shared.now(), room, text, more)?;
        self.wake_thread();
        self.wait_for(inner, ticket).map(|data| sent(&data))
    }

    /// Sends without waiting: the entry is kept until the server has answered, which
    /// [`Event::Outbox`] tells.
    ///
    /// # Errors
    ///
    /// 4001 if it is too long.
    pub fn post(&self, room: &str, text: &str) -> Result<Entry, Error> {
        self.post_with(room, text, Item::new())
    }

    /// The same with further fields, such as `reply_to`.
    ///
    /// # Errors
    ///
    /// As [`Self::post`].
    pub fn post_with(&self, room: &str, text: &str, more: Item) -> Result<Entry, Error> {
        let mut inner = self.shared.lock();
        let (entry, ticket) = inner.engine.send(self.shared.now(), room, text, more)?;
        inner.abandoned.insert(ticket);
        self.shared.notify(&mut inner);
        self.wake_thread();
        Ok(entry)
    }

    /// Changes the log of a room by `edit`, `delete`, `react`, `topic` or an act of moderation.
    /// Unlike a message it is not repeated after a lost connection.
    ///
    /// # Errors
    ///
    /// The server's refusal, or code 0 without a connection.
    pub fn change(&self, op: &str, room: &str, fields: Item) -> Result<Item, Error> {
        self.ask(|engine, now| engine.change(now, op, room, fields))
    }

    /// Any request of the protocol; the answer is the reply's `data`. Repeated when the server asks
    /// for that within half a minute.
    ///
    /// # Errors
    ///
    /// The server's refusal, or code 0 without a connection.
    pub fn request(&self, op: &str, fields: Item) -> Result<Item, Error> {
        self.ask(|engine, now| engine.request(now, op, fields))
    }

    /// The last messages of a room, `limit` at most; the answer is `{"items", "more", …}`. For
    /// another page give `request` the operation `history`.
    ///
    /// # Errors
    ///
    /// The server's refusal, or code 0 without a connection.
    pub fn history(&self, room: &str, limit: u64) -> Result<Item, Error> {
        let wanted = fields([("limit", limit.into())]);
        self.ask(|engine, now| engine.history(now, room, wanted))
    }

    /// Reports that all up to `seq` has been read.
    pub fn read(&self, room: &str, seq: u64) {
        self.tell(|engine, now| engine.read(now, room, seq));
    }

    /// Reports typing; to be called at each key.
    pub fn typing(&self, room: &str) {
        self.tell(|engine, now| engine.typing(now, room));
    }

    /// Keeps a room's `presence` up to date from now on.
    pub fn watch(&self, room: &str) {
        self.tell(|engine, now| engine.watch(now, room));
    }

    /// For when the network or the machine is back: tests the connection, or ends a wait.
    pub fn wake(&self) {
        self.tell(Engine::wake);
    }

    /// Who one is from now on: closes the connection, and makes one with this token or name.
    pub fn become_another(&self, token: Option<String>, name: Option<String>) {
        self.tell(|engine, now| {
            engine.stop(now);
            engine.set_identity(token, name);
            engine.start(now);
        });
    }

    /// Closes the connection; [`restart`](Self::restart) goes on from here.
    pub fn stop(&self) {
        self.tell(Engine::stop);
    }

    /// Connects again after `stop`, after a refusal, or before a wait is over.
    pub fn restart(&self) {
        self.tell(Engine::start);
    }

    fn tell(&self, say: impl FnOnce(&mut Engine, u64)) {
        let mut inner = self.shared.lock();
        say(&mut inner.engine, self.shared.now());
        self.shared.notify(&mut inner);
        self.wake_thread();
    }

    fn ask(&self, ask: impl FnOnce(&mut Engine, u64) -> Ticket) -> Result<Item, Error> {
        let mut inner = self.shared.lock();
        let ticket = ask(&mut inner.engine, self.shared.now());
        self.wake_thread();
        self.wait_for(inner, ticket)
    }

    fn wait_for(&self, mut inner: MutexGuard<'_, Inner>, ticket: Ticket) -> Result<Item, Error> {
        self.shared.notify(&mut inner);
        loop {
            if let Some(answer) = inner.answers.remove(&ticket) {
                return answer;
            }
            if inner.engine.state().is_over() {
                inner.abandoned.insert(ticket);
                return Err(ended(inner.engine.state()));
            }
            inner = self.shared.wait(inner, None).ok_or_else(Error::offline)?;
        }
    }

    fn wake_thread(&self) {
        // It fails only where the thread has ended, and then nobody is to be woken.
        _ = self.shared.waker.wake();
    }
}

impl Drop for Client {
    /// Says goodbye, unless the server is just being looked for.
    fn drop(&mut self) {
        let mut inner = self.shared.lock();
        let is_connecting = *inner.engine.state() == State::Connecting;
        inner.engine.stop(self.shared.now());
        inner.is_dropped = true;
        self.wake_thread();
        let deadline = Instant::now() + FAREWELL;
        while !inner.has_ended && !is_connecting {
            match self.shared.wait(inner, Some(deadline)) {
                Some(again) => inner = again,
                None => return,
            }
        }
        drop(inner);
        if let Some(thread) = self.thread.take().filter(|_| !is_connecting) {
            _ = thread.join();
        }
    }
}

/// Why a client has ended.
fn ended(state: &State) -> Error {
    match state {
        State::Refused { error: Some(error), .. } => error.clone(),
        State::Refused { close: Some(close), .. } => {
            let message = format!("the server has closed the connection with {close}");
            Error { code: *close, ..Error::local(message) }
        }
        _ => Error::local("the client was stopped"),
    }
}

fn sent(data: &Item) -> Sent {
    let number = |key| number(data, key).unwrap_or_default();
    Sent {
        room: text(data, "room").unwrap_or_default().to_owned(),
        seq: number("seq"),
        at: number("at"),
        dup: flag(data, "dup"),
    }
}
