//! The store as the loop sees it: it passes each request to the memory store, the writer or the
//! reader.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::connection::{CACHE_BYTES, Level};
use super::dropped::Dropped;
use super::engine::Engine;
use super::load_rooms::Loaded;
use super::open::{Opened, open};
use super::open_error::OpenError;
use super::reader_thread::ReaderHandle;
use super::reply_channel::{ReplySender, Wake};
use super::room_row::{RoomCounters, RoomRow};
use super::shared_reader::SharedReader;
use super::suspensions;
use super::write_op::{Append, Op, Opening};
use super::write_queue::{QUEUE_BYTES, WriteQueue};
use super::writer_thread::WriterHandle;
use crate::chat::model::log::{LogId, LogReply, LogRequest, Logs, Query, Snapshot, Ticket};
use crate::chat::model::policy::{Policies, Policy};
use crate::chat::model::reply::Durability;
use crate::collections::Slots;
use crate::metrics::StoreMetrics;
use crate::store::memory::{CIDS_MAX, MemoryStore};
use crate::time::Tick;
use crate::time::clock::{Clock, Now};

/// How long closing waits for the writer, which goes on for as long as the process lives: half of
/// what Docker leaves a process that was told to end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the store is, and where it counts.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory of its files.
    pub data: PathBuf,
    /// Bytes of pages of the file that its writer keeps in memory.
    pub cache_bytes: usize,
    /// Bytes of records that may wait for the disk.
    pub queue_bytes: usize,
    /// `cid`s of memory rooms that are remembered.
    pub cids: usize,
    /// Whether users prove their names: the first time they do, those of all members are read.
    pub proves_names: bool,
    /// For how long rooms are kept, also those that nobody uses.
    pub policies: Policies,
    /// Its counters.
    pub metrics: Arc<StoreMetrics>,
}

impl Options {
    /// The files in `data`, with as much memory as is taken where nothing is said about it.
    #[must_use]
    pub fn new(data: PathBuf, metrics: Arc<StoreMetrics>) -> Self {
        let (proves_names, policies) = (false, Policies::uniform(Policy::default()));
        let (cache_bytes, queue_bytes, cids) = (CACHE_BYTES, QUEUE_BYTES, CIDS_MAX);
        Self { data, cache_bytes, queue_bytes, cids, proves_names, policies, metrics }
    }
}

/// The logs of all rooms: those of memory rooms, and those in the file.
///
/// Dropping it closes the file: it waits at most five seconds for what is queued to be written.
#[derive(Debug)]
pub struct SqliteStore {
    memory: MemoryStore,
    /// By slot.
    logs: Slots<OpenLog>,
    /// Rooms that were dropped, which the reader may still find.
    dropped: Dropped,
    next_row: i64,
    /// What is passed to the writer at the next flush.
    batch: Vec<Op>,
    /// Replies that neither thread has made.
    own_replies: VecDeque<LogReply>,
    queue: Arc<WriteQueue>,
    replies: Receiver<LogReply>,
    reader: ReaderHandle,
    writer: WriterHandle,
    metrics: Arc<StoreMetrics>,
    /// When the last request came.
    now: Tick,
    /// It was logged that the disk does not answer.
    is_hang_said: bool,
}

/// An open log.
#[derive(Clone, Copy, Debug)]
struct OpenLog {
    id: LogId,
    location: Location,
}

/// Where a log is.
#[derive(Clone, Copy, Debug)]
enum Location {
    Memory,
    /// In the file, under this row id.
    File(i64, Level),
}

impl SqliteStore {
    /// Opens the file, or makes it, and starts the threads. Any thread may call `wake` when there
    /// is something to poll.
    ///
    /// # Errors
    ///
    /// [`OpenError`], which says what to do.
    pub fn open(
        options: &Options,
        clock: Clock,
        wake: Wake,
    ) -> Result<(Self, Snapshot), OpenError> {
        let Opened { mut db, lock, loaded, is_clean, reserve, write_error } =
            open(&options.data, &clock, options.proves_names)?;
        let path = db.path().to_owned();
        db.keep(options.cache_bytes).map_err(|error| OpenError::Failed(path.clone(), error))?;
        let suspended =
            suspensions::load(&db).map_err(|error| OpenError::Failed(path.clone(), error))?;
        let suspended = Arc::new(suspended);
        let Loaded { elsewhere, next_id: next_row, people } = loaded;
        let (sender, replies) = ReplySender::new(wake);
        let metrics = Arc::clone(&options.metrics);
        let queue = Arc::new(WriteQueue::new(Arc::clone(&metrics), options.queue_bytes));
        let connection = SharedReader::default();
        let mut engine = Engine::new(db, reserve, clock.now());
        engine.share_reader(connection.clone());
        engine.retain(options.policies.clone());
        // Also where names are all that there is a command may add a key.
        engine.watch_people();
        if !is_clean {
            engine.schedule_check(clock.now().tick);
        }
        if let Some(error) = write_error {
            engine.enter_degraded(clock.now(), &error);
        }
        let ways = (Arc::clone(&queue), sender.clone());
        let writer = WriterHandle::start(engine, lock, ways, (clock, Arc::clone(&metrics)))
            .map_err(OpenError::Thread)?;
        let store = Self {
            memory: MemoryStore::with_cids_max(options.cids),
            logs: Slots::new(),
            dropped: Dropped::default(),
            next_row,
            batch: Vec::new(),
            own_replies: VecDeque::new(),
            queue,
            replies,
            reader: ReaderHandle::start(path, connection, Arc::clone(&suspended), sender),
            writer,
            metrics,
            now: Tick::ZERO,
            is_hang_said: false,
        };
        Ok((store, Snapshot { rooms: Vec::new(), elsewhere, suspended, people }))
    }

    fn location(&self, id: LogId) -> Option<Location> {
        self.logs.get(id.slot()).filter(|log| log.id == id).map(|log| log.location)
    }

    fn open_log(&mut self, now: Now, request: LogRequest) {
        let LogRequest::Open { log: id, ref room, epoch, durability, retention, kept } = request
        else {
            return;
        };
        // A row that the file has of it stays: the configuration may make it durable again.
        if durability == Durability::Memory {
            self.logs.insert(id.slot(), OpenLog { id, location: Location::Memory });
            return self.memory.request(now, request);
        }
        let counters = RoomCounters::default();
        let new = RoomRow { id: self.next_row, epoch, durability, counters };
        let row = kept.as_ref().map_or(new, RoomRow::of);
        let is_stored = kept.is_some();
        // Row ids are given here, so that the writer need not be asked for one.
        self.next_row = self.next_row.max(row.id + 1);
        let location = Location::File(row.id, Level::of(durability));
        self.logs.insert(id.slot(), OpenLog { id, location });
        let name = room.clone();
        let opening = Opening { name, epoch, durability, retention, row, is_stored };
        self.batch.push(Op::Open(id, Box::new(opening)));
    }

    fn read(&mut self, ticket: Ticket, query: Query) {
        self.metrics.reads.add(1);
        if matches!(query, Query::Load(_)) {
            self.dropped.begin_load();
        }
        let Self { reader, logs, .. } = self;
        let rooms = |id: LogId| match logs.get(id.slot()).filter(|log| log.id == id)?.location {
            Location::File(row, _) => Some(row),
            Location::Memory => None,
        };
        if let Err(fault) = reader.query(ticket, query, rooms) {
            self.own_replies.push_back(LogReply::Answer { ticket, outcome: Err(fault) });
        }
    }

    /// Passes a request about an open log to where the log is.
    fn route(&mut self, now: Now, id: LogId, request: LogRequest) {
        // The memory store also refuses what is asked of a log that is not open.
        let Some(Location::File(row, level)) = self.location(id) else {
            return self.memory.request(now, request);
        };
        let op = match request {
            LogRequest::Append { log, ticket, draft } => {
                Op::Append(Append { log, ticket, level, wall_ms: now.wall_ms, draft })
            }
            LogRequest::PutMeta { log, meta } => Op::PutMeta(log, meta),
            LogRequest::Sync { ticket, .. } => Op::Sync(ticket, level),
            LogRequest::Settle { ticket, .. } => Op::Sync(ticket, Level::Disk),
            LogRequest::Close { log } => Op::Close(log),
            LogRequest::Drop { log } => {
                self.dropped.add(row);
                Op::Drop(log)
            }
            LogRequest::Open { .. } | LogRequest::Read { .. } | LogRequest::People { .. } => return,
        };
        self.batch.push(op);
    }
}

impl Logs for SqliteStore {
    fn request(&mut self, now: Now, request: LogRequest) {
        self.now = now.tick;
        match request {
            LogRequest::Open { .. } => self.open_log(now, request),
            LogRequest::Read { ticket, query } => self.read(ticket, query),
            LogRequest::People { ticket, changes } => self.batch.push(Op::People(ticket, changes)),
            LogRequest::Append { log, .. }
            | LogRequest::PutMeta { log, .. }
            | LogRequest::Settle { log, .. }
            | LogRequest::Sync { log, .. } => self.route(now, log, request),
            LogRequest::Close { log } | LogRequest::Drop { log } => {
                self.route(now, log, request);
                if self.location(log).is_some() {
                    self.logs.remove(log.slot());
                }
            }
        }
    }

    fn flush(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        // So that it is known when the reader does not find these any more.
        if let Some(ticket) = self.dropped.next_sync() {
            self.batch.push(Op::Sync(ticket, Level::Os));
        }
        let hangs = self.metrics.hangs(self.now.as_millis());
        if hangs && !self.is_hang_said {
            let seconds = self.metrics.batch_age_ms(self.now.as_millis()) / 1_000;
            log::error!(seconds; "the disk does not answer: what is sent is refused until it does");
        }
        self.is_hang_said = hangs;
        // One lock and one wake-up for all requests of the turn.
        let refused = self.queue.push(self.batch.drain(..), hangs);
        self.metrics.busy.add(u64::try_from(refused.len()).unwrap_or(u64::MAX));
        self.own_replies.extend(refused);
    }

    fn poll(&mut self) -> Option<LogReply> {
        loop {
            let reply = self.own_replies.pop_front().or_else(|| self.replies.try_recv().ok());
            let Some(reply) = reply else { return self.memory.poll() };
            if let Some(reply) = self.dropped.take_out(reply) {
                return Some(reply);
            }
        }
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.flush();
        self.queue.close();
        if !self.writer.wait(CLOSE_TIMEOUT) {
            log::error!(
                "the store could not be closed in time: messages that were not answered may not be stored"
            );
        }
    }
}
