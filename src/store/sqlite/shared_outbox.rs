//! The outbox as the loop, the writer and the thread that serves the webhooks share it.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use super::connection::open_read_only;
use super::outbox::{self, Batch, Position, StoredWebhook, Update};
use super::reader_thread::LOCK_TIMEOUT;
use super::shared_reader::SharedReader;
use super::write_op::Op;
use super::write_queue::WriteQueue;
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::webhook::{EventKind, EventSet, Interest, Notice, WebhookEvent};

#[expect(
    clippy::disallowed_types,
    reason = "what the loop, the writer and the worker tell each other"
)]
type Mutex<T> = std::sync::Mutex<T>;

/// Bytes of events of memory rooms that wait for the worker; at more, the oldest go, and are
/// counted.
pub const FEED_BYTES_MAX: usize = 1 << 20;

/// What the worker is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signals {
    /// Rises with each commit, and with each event of a memory room.
    pub news: u64,
    /// Rises when a command has changed the webhooks.
    pub version: u64,
    /// Rises when a push is to be sent.
    pub pushes: u64,
    /// The server stops.
    pub is_closed: bool,
}

/// The outbox as the loop, the writer and the worker share it. None of them waits for another for
/// longer than a batch takes to be read.
#[derive(Debug)]
pub struct Outbox {
    state: Mutex<State>,
    condvar: Condvar,
    /// Whether there is any webhook: all that a commit looks at where there is none.
    is_used: AtomicBool,
    path: PathBuf,
    ways: Mutex<Ways>,
}

/// By which way the outbox is read and written.
#[derive(Clone, Debug)]
enum Ways {
    /// The threads of the store that is open.
    Store(SharedReader, Arc<WriteQueue>),
    /// It is elsewhere.
    Remote(Arc<dyn RemoteOutbox>),
}

/// An outbox that is not in the database of this process.
pub trait RemoteOutbox: std::fmt::Debug + Send + Sync {
    /// As [`Outbox::read`].
    ///
    /// # Errors
    ///
    /// Why it cannot be read, as a sentence.
    fn read(
        &self,
        interest: &Interest,
        range: (Position, Option<Position>),
        events_max: usize,
    ) -> Result<Batch, String>;

    /// As [`Outbox::put`].
    fn put(&self, updates: Vec<Update>);
}

#[derive(Debug)]
struct State {
    webhooks: Arc<[StoredWebhook]>,
    signals: Signals,
    feed: VecDeque<WebhookEvent>,
    feed_bytes: usize,
    lost: u64,
}

impl Outbox {
    pub(super) fn new(path: PathBuf, reader: SharedReader, queue: Arc<WriteQueue>) -> Self {
        Self::by(path, Ways::Store(reader, queue))
    }

    /// One that is elsewhere. It has no webhooks until it is [told](Outbox::set_webhooks) some.
    #[must_use]
    pub fn remote(way: Arc<dyn RemoteOutbox>) -> Self {
        Self::by(PathBuf::new(), Ways::Remote(way))
    }

    fn by(path: PathBuf, ways: Ways) -> Self {
        let signals = Signals { news: 0, version: 0, pushes: 0, is_closed: false };
        let webhooks = Arc::from([]);
        let state = State { webhooks, signals, feed: VecDeque::new(), feed_bytes: 0, lost: 0 };
        let (state, condvar, is_used) = (Mutex::new(state), Condvar::new(), AtomicBool::new(false));
        Self { state, condvar, is_used, path, ways: Mutex::new(ways) }
    }

    /// The store was closed, and is open again by these.
    pub(super) fn reconnect(&self, reader: SharedReader, queue: Arc<WriteQueue>) {
        *self.ways.lock().unwrap_or_else(PoisonError::into_inner) = Ways::Store(reader, queue);
        self.lock().signals.is_closed = false;
    }

    /// Where the database is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Asks the writer to change what is known of files.
    pub(super) fn push_file(&self, op: Op) {
        if let Ways::Store(_, queue) = self.ways() {
            // Such a request is never refused but by a writer that is dead, which answers nothing.
            _ = queue.push(std::iter::once(op), false);
        }
    }

    fn ways(&self) -> Ways {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether there is any webhook.
    #[must_use]
    pub fn is_used(&self) -> bool {
        self.is_used.load(Ordering::Relaxed)
    }

    /// The webhooks as they were read last.
    #[must_use]
    pub fn webhooks(&self) -> Arc<[StoredWebhook]> {
        Arc::clone(&self.lock().webhooks)
    }

    /// The webhooks are others now: what they are told, all of them together.
    pub fn set_webhooks(&self, webhooks: Vec<StoredWebhook>) -> EventSet {
        let wanted = wanted(&webhooks);
        // Relaxed is enough: a commit that just misses this is in the log, which the risen version
        // below has the worker read.
        self.is_used.store(!webhooks.is_empty(), Ordering::Relaxed);
        let mut state = self.lock();
        state.webhooks = webhooks.into();
        state.signals.version += 1;
        drop(state);
        self.condvar.notify_all();
        wanted
    }

    /// Whether one of them is told of this.
    pub(super) fn wants(
        &self,
        kind: EventKind,
        room: Option<&RoomName>,
        by: Option<&UserName>,
    ) -> bool {
        self.is_used()
            && self
                .lock()
                .webhooks
                .iter()
                .any(|known| known.ended.is_none() && known.webhook.interest.wants(kind, room, by))
    }

    /// Something was committed.
    pub fn note_news(&self) {
        if self.is_used() {
            self.lock().signals.news += 1;
            self.condvar.notify_all();
        }
    }

    /// There is something for a device.
    pub fn note_push(&self) {
        self.lock().signals.pushes += 1;
        self.condvar.notify_all();
    }

    /// Something happened in a memory room. Of more than [`FEED_BYTES_MAX`] the
    /// oldest go.
    pub(super) fn offer(&self, event: WebhookEvent) {
        let mut state = self.lock();
        state.feed_bytes += event.weight();
        while state.feed_bytes > FEED_BYTES_MAX
            && let Some(oldest) = state.feed.pop_front()
        {
            state.feed_bytes -= oldest.weight();
            state.lost += 1;
        }
        state.feed.push_back(event);
        state.signals.news += 1;
        drop(state);
        self.condvar.notify_all();
    }

    /// What has happened in memory rooms since the last call, and how much of it is lost.
    #[must_use]
    pub fn take_feed(&self) -> (VecDeque<WebhookEvent>, u64) {
        let mut state = self.lock();
        let State { feed, feed_bytes, lost, .. } = &mut *state;
        *feed_bytes = 0;
        (std::mem::take(feed), std::mem::take(lost))
    }

    /// Waits until the signals are others than these, for no longer than `timeout`.
    #[must_use]
    pub fn wait(&self, seen: Signals, timeout: Duration) -> Signals {
        let same = |state: &mut State| state.signals == seen;
        let waited = self.condvar.wait_timeout_while(self.lock(), timeout, same);
        waited.unwrap_or_else(PoisonError::into_inner).0.signals
    }

    /// The signals as they are.
    #[must_use]
    pub fn signals(&self) -> Signals {
        self.lock().signals
    }

    /// The server stops.
    pub fn close(&self) {
        self.lock().signals.is_closed = true;
        self.condvar.notify_all();
    }

    /// Reads what is to be sent next: what of the records and notices above `from`, and up to `to`
    /// if that is given, is of this interest, at most so many events, and no more bytes than
    /// [`outbox::BATCH_BYTES_MAX`] but for the last of them.
    ///
    /// # Errors
    ///
    /// What the database says, as a sentence.
    pub fn read(
        &self,
        interest: &Interest,
        (from, to): (Position, Option<Position>),
        events_max: usize,
    ) -> Result<Batch, String> {
        let reader = match self.ways() {
            Ways::Store(reader, _) => reader,
            Ways::Remote(way) => return way.read(interest, (from, to), events_max),
        };
        // Held while it reads: the writer takes the connection away to let the WAL begin anew.
        let mut held = reader.hold_outbox();
        let db: &mut Connection = match &mut *held {
            Some(db) => db,
            empty => {
                let opened = open_read_only(&self.path, LOCK_TIMEOUT);
                empty.insert(opened.map_err(|error| error.to_string())?)
            }
        };
        let batch = outbox::batch(db, interest, (from, to), events_max);
        batch.map_err(|error| {
            // The next one opens another.
            *held = None;
            error.to_string()
        })
    }

    /// Has the writer keep what has become of something that was sent. Nothing is answered: what is
    /// not kept when the process ends is sent again.
    pub fn put(&self, updates: Vec<Update>) {
        match self.ways() {
            // Such a request is never refused but by a writer that is dead.
            Ways::Store(_, queue) => {
                _ = queue.push(updates.into_iter().map(Op::Outbox), false);
            }
            Ways::Remote(way) => way.put(updates),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held, so that a poisoned one is sound.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What these are told, all of them together.
fn wanted(webhooks: &[StoredWebhook]) -> EventSet {
    let live = webhooks.iter().filter(|known| known.ended.is_none());
    live.fold(EventSet::NONE, |all, known| all.union(known.webhook.interest.events))
}

/// The notice as an event of a memory room.
pub(super) fn event_of(notice: Notice) -> WebhookEvent {
    WebhookEvent::Notice { id: 0, notice, message: None }
}
