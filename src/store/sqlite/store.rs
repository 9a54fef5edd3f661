//! The store as the loop sees it: it passes each request to the memory store, the writer or the
//! reader.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::commands::{CommandWatch, Progress};
use super::connection::Level;
use super::dropped_rooms::Dropped;
use super::engine::Engine;
use super::load_rooms::Loaded;
use super::open::{Opened, open};
use super::open_error::OpenError;
use super::options::Options;
use super::outbox;
use super::preload::{Preload, preload};
use super::reader_thread::ReaderHandle;
use super::reply_channel::{ReplySender, Wake};
use super::room_row::{RoomCounters, RoomRow};
use super::shared_outbox::{self, Outbox};
use super::shared_reader::SharedReader;
use super::suspensions;
use super::write_op::{Append, Op, Opening};
use super::write_queue::WriteQueue;
use super::writer_thread::WriterHandle;
use crate::chat::model::load::{Found, Wanted};
use crate::chat::model::log::{
    Answer, CidSecret, LogId, LogReply, LogRequest, Logs, Query, RememberedCid, Snapshot, Ticket,
};
use crate::chat::model::name::RoomName;
use crate::chat::model::record::{Body, Epoch};
use crate::chat::model::reply::Durability;
use crate::chat::model::webhook::{self, Notice, WebhookEvent};
use crate::collections::Slots;
use crate::metrics::StoreMetrics;
use crate::store::memory::MemoryStore;
use crate::time::Tick;
use crate::time::clock::{Clock, Now};

/// How long closing waits for the writer, which goes on for as long as the process lives: half of
/// what Docker leaves a process that was told to end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The same at the end of a stop, whatever has taken its time before.
const CLOSE_TIMEOUT_MIN: Duration = Duration::from_millis(500);

/// No ticket of the domain's.
const LOAD_TICKET: Ticket = Ticket(u64::MAX - 1);
/// How long it is waited for rooms, where that is waited for.
const LOAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The logs of all rooms: those of memory rooms, and those in the file.
///
/// Dropping it closes the file: it waits until the moment of [`Logs::close_by`], or at most five
/// seconds, for what is queued to be written.
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
    /// How far the loop is with what commands have changed.
    progress: Arc<Progress>,
    replies: Receiver<LogReply>,
    reader: ReaderHandle,
    writer: WriterHandle,
    metrics: Arc<StoreMetrics>,
    /// How it was opened.
    opened_by: (Options, Clock, Wake),
    /// When the last request came.
    now: Tick,
    /// It was logged that the disk does not answer.
    is_hang_said: bool,
    outbox: Arc<Outbox>,
    /// The rooms in memory, as webhooks are told of them.
    memory_rooms: BTreeMap<LogId, (RoomName, Epoch)>,
    /// Until when closing is waited for.
    close_by: Option<Tick>,
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
        Self::open_with(options, (clock, wake), None)
    }

    /// The same, with the outbox of the store that was open before.
    fn open_with(
        options: &Options,
        (clock, wake): (Clock, Wake),
        outbox: Option<Arc<Outbox>>,
    ) -> Result<(Self, Snapshot), OpenError> {
        let Opened { mut db, loaded, is_clean, reserve, write_error } = open(options, &clock)?;
        let path = db.path().to_owned();
        let failed = |error| OpenError::Failed(path.clone(), error);
        db.keep(options.cache_bytes).map_err(failed)?;
        let suspended = suspensions::load(&db).map_err(failed)?;
        let webhooks = outbox::load(&db).map_err(failed)?;
        db.write_owner();
        let Loaded { mut elsewhere, next_id: next_row, people, commands } = loaded;
        let rooms = preload(&db, elsewhere.rooms, options.preload);
        elsewhere.rooms = elsewhere.rooms.saturating_sub(rooms.len());
        let (sender, replies) = ReplySender::new(Arc::clone(&wake));
        let metrics = Arc::clone(&options.metrics);
        let queue = Arc::new(WriteQueue::new(Arc::clone(&metrics), options.queue_bytes));
        let connection = SharedReader::default();
        let ways = (connection.clone(), Arc::clone(&queue));
        // Of a store that is opened again the domain takes up nothing of what was loaded.
        let commands = if outbox.is_some() { CommandWatch::default() } else { commands };
        let outbox = match outbox {
            Some(outbox) => {
                outbox.reconnect(ways.0, ways.1);
                outbox
            }
            None => Arc::new(Outbox::new(path.clone(), ways.0, ways.1)),
        };
        let webhooks = outbox.set_webhooks(webhooks);
        let mut engine = Engine::new(db, reserve, clock.now());
        engine.share_reader(connection.clone());
        engine.retain(options.policies.clone());
        engine.share_outbox(Arc::clone(&outbox));
        let progress = Arc::new(Progress::default());
        engine.share_progress(Arc::clone(&progress));
        engine.watch_commands(commands);
        // After a kill or a loss of power the whole file is read, in the background.
        if !is_clean {
            engine.schedule_check(clock.now().tick);
        }
        // It can be read and not be written: it begins as after a commit that has failed.
        if let Some(error) = write_error {
            engine.enter_degraded(clock.now(), &error);
        }
        let (wall, node) = (Some(engine.wall()), None);
        let ways = (Arc::clone(&queue), sender.clone());
        let writer = WriterHandle::start(engine, ways, (clock, Arc::clone(&metrics)))
            .map_err(OpenError::Thread)?;
        let store = Self {
            memory: MemoryStore::with_cids_max(options.cids),
            logs: Slots::new(),
            dropped: Dropped::default(),
            next_row,
            batch: Vec::new(),
            own_replies: VecDeque::new(),
            queue,
            progress,
            replies,
            reader: ReaderHandle::start(path, connection, sender),
            writer,
            metrics,
            opened_by: (options.clone(), clock, wake),
            now: Tick::ZERO,
            is_hang_said: false,
            outbox,
            memory_rooms: BTreeMap::new(),
            close_by: None,
        };
        let suspended = Arc::new(suspended);
        Ok((store, Snapshot { rooms, elsewhere, suspended, people, webhooks, node, wall }))
    }

    fn open_log(&mut self, now: Now, request: LogRequest) {
        let LogRequest::Open { log: id, ref room, epoch, durability, retention, kept } = request
        else {
            return;
        };
        // A row that the file has of it stays: the configuration may make it durable again.
        if durability == Durability::Memory {
            self.logs.insert(id.slot(), OpenLog { id, location: Location::Memory });
            self.memory_rooms.insert(id, (room.clone(), epoch));
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
        // In the order of the requests with all else: what is asked of the room comes after it.
        self.batch.push(Op::Open(id, Box::new(opening)));
    }

    fn read(&mut self, ticket: Ticket, query: Query) {
        self.metrics.reads.add(1);
        // The reader may still find a room that was dropped and whose drop is not written yet.
        if matches!(query, Query::Load(_)) {
            self.dropped.begin_load();
        }
        let Self { reader, logs, .. } = self;
        let rooms = |id: LogId| match location(logs, id)? {
            Location::File(row, _) => Some(row),
            Location::Memory => None,
        };
        if let Err(fault) = reader.query(ticket, query, rooms) {
            self.own_replies.push_back(LogReply::Answer { ticket, outcome: Err(fault) });
        }
    }

    /// Tells the webhooks of something that is in no log, if one wants to know.
    fn notice(&mut self, notice: Notice) {
        let (kind, room, user) = (notice.what.kind(), notice.room.as_ref(), notice.user.as_ref());
        // A room of the file may be meant by a name of before: who reads the notices finds out.
        let room = room.filter(|_| notice.is_in_memory);
        if !self.outbox.wants(kind, room, user) {
            return;
        }
        if notice.is_in_memory {
            // A room in memory is in no file: its events go by memory, and are lost with it.
            self.outbox.offer(shared_outbox::event_of(notice));
        } else {
            self.batch.push(Op::Notice(Box::new(notice)));
        }
    }

    /// Tells the webhooks of the record that a memory room has just got, if it has.
    fn offer(&mut self, log: LogId, is_unseen: bool) {
        let Some(record) = self.memory.last_stored() else { return };
        let Some((room, epoch)) = self.memory_rooms.get_mut(&log) else { return };
        if let Body::Rename { name, .. } = &record.body {
            *room = name.clone();
        }
        if !self.outbox.is_used() {
            return;
        }
        let (room, epoch, record) = (room.clone(), *epoch, (**record).clone());
        let kind = webhook::kind_of(&record.body);
        if self.outbox.wants(kind, Some(&room), Some(&record.from)) {
            return self.outbox.offer(WebhookEvent::Record { id: 0, room, epoch, record });
        }
        if is_unseen {
            let notice = webhook::unseen(room, &record, true);
            let message = Some((epoch, record));
            self.outbox.offer(WebhookEvent::Notice { id: 0, notice, message });
        }
    }

    /// What the webhooks are told of.
    #[must_use]
    pub fn outbox(&self) -> Arc<Outbox> {
        Arc::clone(&self.outbox)
    }

    /// Passes a request about an open log to where the log is.
    fn route(&mut self, now: Now, id: LogId, request: LogRequest) {
        // The memory store also refuses what is asked of a log that is not open.
        let Some(Location::File(row, level)) = location(&self.logs, id) else {
            let is_unseen = matches!(&request, LogRequest::Append { draft, .. } if draft.is_unseen);
            self.memory.request(now, request);
            return self.offer(id, is_unseen);
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
            LogRequest::Open { .. }
            | LogRequest::Adopt { .. }
            | LogRequest::Read { .. }
            | LogRequest::People { .. }
            | LogRequest::Notice(_)
            | LogRequest::Tell(_)
            | LogRequest::Claim(..)
            | LogRequest::Session(_)
            | LogRequest::End { .. } => return,
        };
        self.batch.push(op);
    }
}

/// Where a log is, if it is open.
fn location(logs: &Slots<OpenLog>, id: LogId) -> Option<Location> {
    logs.get(id.slot()).filter(|log| log.id == id).map(|log| log.location)
}

impl Logs for SqliteStore {
    fn request(&mut self, now: Now, request: LogRequest) {
        self.now = now.tick;
        match request {
            LogRequest::Open { .. } => self.open_log(now, request),
            LogRequest::Read { ticket, query } => self.read(ticket, query),
            LogRequest::People { ticket, changes } => self.batch.push(Op::People(ticket, changes)),
            LogRequest::Notice(notice) => self.notice(notice),
            // Nobody else has this file.
            LogRequest::Tell(_)
            | LogRequest::Claim(..)
            | LogRequest::Session(_)
            | LogRequest::End { .. } => {}
            LogRequest::Adopt { log, .. }
            | LogRequest::Append { log, .. }
            | LogRequest::PutMeta { log, .. }
            | LogRequest::Settle { log, .. }
            | LogRequest::Sync { log, .. } => self.route(now, log, request),
            LogRequest::Close { log } | LogRequest::Drop { log } => {
                self.route(now, log, request);
                if location(&self.logs, log).is_some() {
                    self.logs.remove(log.slot());
                    self.memory_rooms.remove(&log);
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
        let told = self.progress.told();
        loop {
            // Own replies first: mostly refusals, for which nobody should wait behind a commit.
            let reply = self.own_replies.pop_front().or_else(|| self.replies.try_recv().ok());
            let Some(reply) = reply else {
                self.progress.handle(told);
                return self.memory.poll();
            };
            if let Some(reply) = self.dropped.take_out(reply) {
                return Some(reply);
            }
        }
    }

    fn load(&mut self, wanted: &Wanted) -> Result<Found, String> {
        let query = Query::Load(Box::new(wanted.clone()));
        let queued = self.reader.query(LOAD_TICKET, query, |_| None);
        queued.map_err(|fault| format!("rooms cannot be read: {fault:?}"))?;
        loop {
            let reply = self.replies.recv_timeout(LOAD_TIMEOUT);
            match reply.map_err(|_late| "the disk does not answer".to_owned())? {
                LogReply::Answer { ticket: LOAD_TICKET, outcome } => match outcome {
                    Ok(Answer::Loaded(found)) => return Ok(found),
                    Ok(_) => return Err("something else was read".to_owned()),
                    Err(fault) => return Err(format!("rooms cannot be read: {fault:?}")),
                },
                reply => self.own_replies.push_back(reply),
            }
        }
    }

    fn cid_secret(&self) -> CidSecret {
        self.memory.cid_secret()
    }

    fn remembered(&self, log: LogId) -> Vec<RememberedCid> {
        self.memory.remembered(log)
    }

    fn adopt_cid_secret(&mut self, secret: CidSecret) -> bool {
        self.memory.adopt_cid_secret(secret)
    }

    fn close_by(&mut self, deadline: Tick) {
        self.close_by = Some(deadline);
    }

    fn suspend(&mut self) {
        self.flush();
        self.queue.close();
    }

    fn await_suspended(&self, patience: Duration) -> bool {
        self.writer.wait(patience)
    }

    fn resume(&mut self) -> Result<(), String> {
        if !self.writer.wait(CLOSE_TIMEOUT) {
            return Err("the disk does not answer: restart the server".to_owned());
        }
        let (options, clock, wake) = &self.opened_by;
        let outbox = Some(Arc::clone(&self.outbox));
        // What is in memory stays there.
        let preload = Preload::default();
        let options = &Options { ends_memory_rooms: false, preload, ..options.clone() };
        let (mut fresh, _) = Self::open_with(options, (*clock, Arc::clone(wake)), outbox)
            .map_err(|error| error.to_string())?;
        // Whatever is in memory stays; the threads that have ended go with the other one.
        // All that was dropped is gone from the file.
        self.dropped = Dropped::default();
        std::mem::swap(&mut self.queue, &mut fresh.queue);
        std::mem::swap(&mut self.progress, &mut fresh.progress);
        std::mem::swap(&mut self.replies, &mut fresh.replies);
        std::mem::swap(&mut self.reader, &mut fresh.reader);
        std::mem::swap(&mut self.writer, &mut fresh.writer);
        self.next_row = fresh.next_row;
        Ok(())
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("logs", &self.logs).finish_non_exhaustive()
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.flush();
        self.queue.close();
        let (_, clock, _) = &self.opened_by;
        let left = |by: Tick| by.since(clock.now().tick).max(CLOSE_TIMEOUT_MIN);
        if !self.writer.wait(self.close_by.map_or(CLOSE_TIMEOUT, left)) {
            log::error!(
                "the store could not be closed in time: messages that were not answered may not be stored"
            );
        }
    }
}
