//! The front: takes requests in the loop's thread, and sends each to where it belongs.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use crate::chat::model::log::{LogId, LogReply, LogRequest, Logs, Query, Snapshot, Ticket};
use crate::chat::model::name::RoomName;
use crate::chat::model::reply::Durability;
use crate::collections::{KeyedMap, Slots};
use crate::metrics::StoreMetrics;
use crate::store::MemoryStore;
use crate::time::clock::{Clock, Now};

use super::database::Level;
use super::engine::Engine;
use super::intake::Intake;
use super::load::Loaded;
use super::op::{Append, Op, Opening, RoomRow, Tail};
use super::open::{OpenError, Opened, open};
use super::reader::Reader;
use super::replies::{Replies, Wake};
use super::suspend;
use super::writer::Writer;

/// How long closing waits for the writer. What it has not written by then it goes on to write for as long as
/// the process lives.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// What the store is to be told.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory of its files.
    pub data: PathBuf,
    /// Where it counts.
    pub metrics: Arc<StoreMetrics>,
}

/// The logs of all rooms: those of memory rooms, and those in the file.
///
/// Dropping it closes the file: what waits is written, for at most five seconds.
#[derive(Debug)]
pub struct Store {
    memory: MemoryStore,
    /// By slot.
    logs: Slots<Log>,
    /// The rows of rooms that are stored and not open.
    rows: KeyedMap<RoomName, RoomRow>,
    next_row: i64,
    /// What is handed over at the next flush.
    gathered: Vec<Op>,
    /// Replies that came about here.
    answered: VecDeque<LogReply>,
    intake: Arc<Intake>,
    replies: Receiver<LogReply>,
    reader: Reader,
    writer: Writer,
    metrics: Arc<StoreMetrics>,
}

/// An open log.
#[derive(Clone, Copy, Debug)]
struct Log {
    id: LogId,
    place: Place,
}

/// Where a log is.
#[derive(Clone, Copy, Debug)]
enum Place {
    Memory,
    /// In the file, under this row id.
    File(i64, Level),
}

impl Store {
    /// Opens the file, or makes it, and starts the threads. `wake` is called, in any thread, when there is
    /// something to poll.
    ///
    /// # Errors
    ///
    /// [`OpenError`], which says what to do.
    pub fn open(
        options: &Options,
        clock: Clock,
        wake: Wake,
    ) -> Result<(Self, Snapshot), OpenError> {
        let Opened { db, lock, loaded, is_clean, reserve, trouble } = open(&options.data, &clock)?;
        let path = db.path().to_owned();
        let suspended =
            suspend::load(&db).map_err(|error| OpenError::Failed(path.clone(), error))?;
        let suspended = Arc::new(suspended);
        let Loaded { rooms, rows, next_id: next_row, .. } = loaded;
        let (replies, end) = Replies::new(wake);
        let metrics = Arc::clone(&options.metrics);
        let intake = Arc::new(Intake::new(Arc::clone(&metrics)));
        let way = (Arc::clone(&intake), replies.clone());
        let mut engine = Engine::new(db, reserve);
        if !is_clean {
            engine.doubt(clock.now().tick);
        }
        if let Some(error) = trouble {
            engine.begin_trouble(clock.now(), &error);
        }
        let writer = Writer::start(engine, lock, way, (clock, Arc::clone(&metrics)))
            .map_err(|error| OpenError::Directory(options.data.clone(), error))?;
        let store = Self {
            memory: MemoryStore::new(),
            logs: Slots::new(),
            rows,
            next_row,
            gathered: Vec::new(),
            answered: VecDeque::new(),
            intake,
            replies: end,
            reader: Reader::start(path, Arc::clone(&suspended), replies),
            writer,
            metrics,
        };
        Ok((store, Snapshot { rooms, suspended }))
    }

    fn place(&self, id: LogId) -> Option<Place> {
        self.logs.get(id.slot()).filter(|log| log.id == id).map(|log| log.place)
    }

    fn open_log(&mut self, now: Now, request: LogRequest) {
        let LogRequest::Open { log: id, room, epoch, durability, retention } = request else {
            return;
        };
        if durability == Durability::Memory {
            self.logs.insert(id.slot(), Log { id, place: Place::Memory });
            let request = LogRequest::Open { log: id, room, epoch, durability, retention };
            return self.memory.request(now, request);
        }
        let kept = self.rows.remove(&room);
        let stored = kept.is_some();
        let row = kept.unwrap_or_else(|| {
            let tail = Tail { oldest: 1, ..Tail::default() };
            RoomRow { id: self.next_row, epoch, durability, tail }
        });
        self.next_row = self.next_row.max(row.id + 1);
        let place = Place::File(row.id, Level::of(durability));
        self.logs.insert(id.slot(), Log { id, place });
        let opening = Opening { name: room, durability, retention, row, stored };
        self.gathered.push(Op::Open(id, Box::new(opening)));
    }

    fn ask(&mut self, ticket: Ticket, query: Query) {
        self.metrics.reads.add(1);
        let Self { reader, logs, .. } = self;
        let rooms = |id: LogId| match logs.get(id.slot()).filter(|log| log.id == id)?.place {
            Place::File(row, _) => Some(row),
            Place::Memory => None,
        };
        if let Err(fault) = reader.ask(ticket, query, rooms) {
            self.answered.push_back(LogReply::Answer { ticket, outcome: Err(fault) });
        }
    }

    /// Hands a request about an open log to where the log is.
    fn route(&mut self, now: Now, id: LogId, request: LogRequest) {
        let place = self.place(id);
        let Some(Place::File(_, level)) = place else {
            return self.memory.request(now, request);
        };
        let op = match request {
            LogRequest::Append { log, ticket, draft } => {
                Op::Append(Append { log, ticket, level, wall_ms: now.wall_ms, draft })
            }
            LogRequest::PutMeta { log, meta } => Op::PutMeta(log, meta),
            LogRequest::Sync { ticket, .. } => Op::Sync(ticket, level),
            LogRequest::Drop { log } => Op::Drop(log),
            LogRequest::Open { .. } | LogRequest::Read { .. } => return,
        };
        self.gathered.push(op);
    }
}

impl Logs for Store {
    fn request(&mut self, now: Now, request: LogRequest) {
        match request {
            LogRequest::Open { .. } => self.open_log(now, request),
            LogRequest::Read { ticket, query } => self.ask(ticket, query),
            LogRequest::Append { log, .. }
            | LogRequest::PutMeta { log, .. }
            | LogRequest::Sync { log, .. } => self.route(now, log, request),
            LogRequest::Drop { log } => {
                self.route(now, log, request);
                if self.place(log).is_some() {
                    self.logs.remove(log.slot());
                }
            }
        }
    }

    fn flush(&mut self) {
        if self.gathered.is_empty() {
            return;
        }
        let refused = self.intake.push(self.gathered.drain(..));
        self.metrics.busy.add(u64::try_from(refused.len()).unwrap_or(u64::MAX));
        self.answered.extend(refused);
    }

    fn poll(&mut self) -> Option<LogReply> {
        let reply = self.answered.pop_front().or_else(|| self.replies.try_recv().ok());
        reply.or_else(|| self.memory.poll())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.flush();
        self.intake.close();
        if !self.writer.wait(CLOSE_PATIENCE) {
            log::error!(
                "the store could not be closed in time: what was not answered may not be stored"
            );
        }
    }
}
