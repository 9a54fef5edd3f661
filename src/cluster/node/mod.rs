//! A node of a cluster: the boundary of the logs over an engine that other nodes use, too.
//!
//! ```text
//!  LogRequest ─▶ queue ─▶ statements ─▶ the writer's lane ─▶ answers ──┐
//!  Query, wake-ups, every 2 s ───────▶ the reader's lane ─▶ fetched ──┴▶ order ─▶ LogReply
//!  Tell ─▶ bus ─▶ the other nodes ─▶ bus ─▶ Told
//! ```
//!
//! Sans-io: whoever has the sockets drives the [`Link`] that the node has
//! ([`Node::engine`]), then lets the node have its [`turn`](Node::turn), and polls its replies.
//!
//! # What is where
//!
//! | file | has |
//! |---|---|
//! | `queue` | what waits to be written, in order, and its bounds |
//! | `writer`, `append`, `writer_replies` | batches, what becomes of them, what is repeated |
//! | `order` | the dense order of others' records and of answers to one's own |
//! | `open_logs` | the logs that are open |
//! | `closing` | rooms that end for all |
//! | `reader`, `queries`, `loading`, `room_pages`, `rooms_read` | what others have changed, and the answers to queries |
//! | `search`, `written_by` | what is asked for by words, and by who has written it |
//! | `threads` | the messages of threads, and who follows which |
//! | `files`, `file_ops` | what is asked about files |
//! | `upkeep`, `indexing` | what one node does for all |
//! | `outgoing`, `outbox_entries`, `outbox_ops`, `webhooks` | what webhooks are told, and which node tells them |
//! | `pushing`, `devices` | what devices are told, and which node tells them |
//! | `people`, `people_read`, `people_pages`, `people_watch` | accounts and the like, as rows |
//! | `sessions`, `session_ops` | who goes on as whom, at whichever node |
//! | `events`, `bus_text` | what the link says, and what nodes tell each other |
//! | `engine` | what is needed of the link; tests put another one in its place |
//! | `statements`, `rows`, `table` | what is asked, and how values stand in columns |
//! | `refusals` | what the engine refuses, said in the log and to who sends |
//! | `transfer`, `transfer_statements` | everything, moved into an engine and back |
//! | `erasure` | what a user has written goes, while nodes go on |
//!
//! # What is told when
//!
//! - A record is told when the engine has it, at its level, and everything below it was told.
//! - Another node's record is fetched when that node says so, when one's own answer shows a gap,
//!   and every [`reader::COMPARE_EVERY`] for whatever was not heard.
//! - Facts that others have changed come behind the records before them. One that this node is
//!   about to replace is passed over, and looked at again when its own is written.
//! - A batch without an answer is repeated where it has `cid`s; the rest of it is
//!   [`Appended::Undecided`].
//! - While the engine is away, what is asked to be written is refused ([`LogFault::Broken`], in the
//!   protocol 5004 with `retry_after_ms`); facts are kept, and written when it is back.
//!
//! # What a cluster does not do
//!
//! - Rooms of durability `memory` are in the engine like all others.
//! - A text with U+0000, for which the engine has no place and which the protocol refuses, is
//!   refused here, too.
//!
//! [`Link`]: crate::cluster::link::Link
//! [`Appended::Undecided`]: crate::chat::model::log::Appended::Undecided

mod append;
pub mod bus_text;
mod closing;
mod devices;
mod engine;
pub mod erasure;
mod events;
pub mod file_ops;
mod files;
mod indexing;
mod loading;
mod open_logs;
mod order;
mod outbox_entries;
mod outbox_ops;
mod outgoing;
mod people;
mod people_pages;
mod people_read;
mod people_watch;
mod pushing;
pub mod queries;
mod queue;
mod reader;
mod refusals;
mod room_pages;
mod rooms_read;
mod rows;
mod search;
mod session_ops;
mod sessions;
mod statements;
mod table;
#[cfg(test)]
pub(crate) mod tests;
mod threads;
pub mod transfer;
mod transfer_statements;
mod upkeep;
pub mod webhooks;
mod writer;
mod writer_replies;
mod written_by;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

pub use self::engine::Engine;
pub use self::outgoing::SendTerms;
pub use self::pushing::PushSending;

use self::append::Append;
use self::bus_text::Word;
use self::open_logs::{Log, OpenLogs};
use self::order::Order;
use self::outgoing::Outgoing;
use self::people_watch::PeopleWatch;
use self::pushing::Pushing;
use self::queue::{Op, Queue, WAIT_MAX};
use self::reader::{COMPARE_EVERY, Reading};
use self::refusals::Refusals;
use self::sessions::{Replaced, SWEEP_EVERY};
use self::upkeep::Upkeep;
use self::writer::{Flight, What};
use crate::chat::model::columns::signed;
use crate::chat::model::file_rows::FileTold;
use crate::chat::model::log::{
    Appended, Draft, Elsewhere, LogFault, LogId, LogReply, LogRequest, Logs, RoomMeta, Snapshot,
    Ticket,
};
use crate::chat::model::other_nodes::NodeId;
use crate::time::Tick;
use crate::time::clock::Now;

/// How often the oldest records of one room are looked at.
const PRUNE_EVERY: Duration = Duration::from_secs(1);
/// Records that go at once.
const PRUNE_RECORDS: i64 = 1_000;

/// A node, whose engine is `E`: a [`Link`](super::link::Link), but in tests.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "the link has the states, these follow it")]
pub struct Node<E> {
    engine: E,
    now: Now,
    id: Option<NodeId>,
    /// All numbers that it has had.
    ids: BTreeSet<NodeId>,
    /// Statements are taken.
    is_up: bool,
    /// What is asked to be written is refused.
    is_down: bool,
    /// All that is needed from the start was read.
    is_begun: bool,
    held: OpenLogs,
    queue: Queue,
    flights: VecDeque<Flight>,
    readings: BTreeMap<u64, Reading>,
    is_fetching: bool,
    /// It was thought to be gone, and may have sessions that count as ended.
    is_returning: bool,
    people: PeopleWatch,
    replaced: Replaced,
    /// What is told to the others at the end of a turn.
    words: Vec<Word>,
    /// Replies that are about no log.
    replies: VecDeque<LogReply>,
    /// Answers about files.
    files_told: VecDeque<(u64, Result<FileTold, String>)>,
    next_tag: u64,
    compare_at: Tick,
    prune_at: Tick,
    sweep_at: Tick,
    /// The log whose records were looked at last.
    pruned: Option<LogId>,
    upkeep: Upkeep,
    refusals: Refusals,
    outgoing: Outgoing,
    pushing: Pushing,
}

impl<E: Engine> Node<E> {
    /// A node that holds nothing.
    #[must_use]
    pub fn new(engine: E, now: Now) -> Self {
        Self {
            engine,
            now,
            id: None,
            ids: BTreeSet::new(),
            is_up: false,
            is_down: false,
            is_begun: false,
            held: OpenLogs::default(),
            queue: Queue::default(),
            flights: VecDeque::new(),
            readings: BTreeMap::new(),
            is_fetching: false,
            is_returning: false,
            people: PeopleWatch::default(),
            replaced: Replaced::default(),
            words: Vec::new(),
            replies: VecDeque::new(),
            files_told: VecDeque::new(),
            next_tag: 1,
            compare_at: Tick::ZERO,
            prune_at: Tick::ZERO,
            sweep_at: Tick::ZERO,
            pruned: None,
            upkeep: Upkeep::default(),
            refusals: Refusals::default(),
            outgoing: Outgoing::default(),
            pushing: Pushing::default(),
        }
    }

    /// Its engine, to be driven.
    pub const fn engine(&mut self) -> &mut E {
        &mut self.engine
    }

    /// The number of this node, once it has one.
    #[must_use]
    pub const fn id(&self) -> Option<NodeId> {
        self.id
    }

    /// Whether people were read, by [`LogReply::People`] and [`LogReply::Suspended`] if there are
    /// any: before that, whoever comes may be somebody who must not.
    #[must_use]
    pub const fn is_begun(&self) -> bool {
        self.is_begun
    }

    /// Why the engine has refused records a moment ago, though it answers; `None` if it has not.
    #[must_use]
    pub fn why_refused(&self, now: Tick) -> Option<&str> {
        self.refusals.why(now)
    }

    /// What there is when the server starts: everything is loaded when it is needed.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let elsewhere = Elsewhere { on_demand: true, ..Elsewhere::default() };
        Snapshot { elsewhere, node: self.id, ..Snapshot::default() }
    }

    /// Takes what the engine has said, and does what time has made due.
    pub fn turn(&mut self, now: Now) {
        self.now = now;
        // First of all: what the engine has said decides what may be sent below.
        while let Some(event) = self.engine.next_event() {
            self.on_event(event);
        }
        if self.is_up && self.compare_at <= now.tick {
            self.compare_at = now.tick.after(COMPARE_EVERY);
            self.compare();
        }
        if self.is_up && self.prune_at <= now.tick {
            self.prune_at = now.tick.after(PRUNE_EVERY);
            self.prune();
        }
        if self.is_up && self.sweep_at <= now.tick {
            self.sweep_at = now.tick.after(SWEEP_EVERY);
            self.sweep_sessions();
        }
        if self.is_up && self.upkeep.at <= now.tick {
            self.keep_up();
        }
        self.keep_sending();
        self.keep_pushing();
        if self.is_up && self.is_returning {
            self.return_sessions();
        }
        // Last, so that what this turn has put into the queue leaves with it, in one batch.
        self.send_queued();
        self.send_reads();
        self.tell();
    }

    /// Refuses what has waited for too long. To be called before a [`turn`](Node::turn), once
    /// everything received was handed in: after a pause of this process, the answers that make room
    /// in the queue may be among it.
    pub fn expire(&mut self, now: Now) {
        self.now = now;
        if self.queue.oldest().is_some_and(|since| since.after(WAIT_MAX) <= now.tick) {
            self.refuse_old();
        }
    }

    /// When [`expire`](Node::expire) and a turn are due though nothing has come.
    #[must_use]
    pub fn deadline(&self) -> Tick {
        let waits = self.queue.oldest().map_or(Tick::MAX, |since| since.after(WAIT_MAX));
        let own = self.compare_at.min(self.prune_at).min(self.upkeep.at);
        let own = own.min(self.outgoing.due_at()).min(self.pushing.due_at());
        // While the engine is away none of this can be done: what is due would only spin the loop.
        let own = if self.is_up { own } else { Tick::MAX };
        self.engine.wakes_at().min(waits).min(own)
    }

    /// Whether everything that was sent is answered.
    #[cfg(test)]
    pub(crate) fn is_settled(&self) -> bool {
        self.flights.is_empty() && self.queue.peek().is_none()
    }

    fn next_tag(&mut self) -> u64 {
        self.next_tag += 1;
        self.next_tag
    }

    fn node_number(&self) -> i64 {
        self.id.map_or(0, |id| signed(id.0))
    }

    /// Refuses whoever would have to wait for the engine.
    fn refuse_all(&mut self) {
        // A sync among the flights only waits for the answers before it: it has sent nothing.
        let flights = std::mem::take(&mut self.flights).into_iter();
        let (syncs, flights) =
            flights.partition::<VecDeque<_>, _>(|flight| matches!(flight.what, What::Sync(..)));
        self.flights = flights;
        for flight in syncs {
            if let What::Sync(id, era, ticket) = flight.what {
                self.refuse_op(Op::Sync(id, era, ticket), LogFault::Broken);
            }
        }
        let is_waiting = |op: &Op| {
            let has_ticket = matches!(
                op,
                Op::Append(_) | Op::Sync(..) | Op::People(..) | Op::Mark(..) | Op::End(_)
            );
            has_ticket || op.is_claim()
        };
        for op in self.queue.take(is_waiting) {
            self.refuse_op(op, LogFault::Broken);
        }
    }

    /// Refuses whoever has waited for too long.
    fn refuse_old(&mut self) {
        let now = self.now.tick;
        let is_old = |op: &Op| op.since().is_some_and(|since| since.after(WAIT_MAX) <= now);
        for op in self.queue.take(is_old) {
            self.refuse_op(op, LogFault::Busy);
        }
    }

    fn refuse_op(&mut self, op: Op, fault: LogFault) {
        match op {
            Op::Append(append) => self.refuse(&append, Appended::Refused(fault)),
            Op::Sync(id, _, ticket) => {
                self.held.say(id, LogReply::Synced { ticket, outcome: Err(fault) });
            }
            Op::People(ticket, _) => {
                self.people.unwritten = self.people.unwritten.saturating_sub(1);
                self.replies.push_back(LogReply::Synced { ticket, outcome: Err(fault) });
            }
            Op::Mark(ticket, _) => {
                self.replies.push_back(LogReply::Synced { ticket, outcome: Err(fault) });
            }
            Op::Session(op) => self.refuse_session(*op, fault),
            Op::End(ending) => self.refuse_end(&ending, fault),
            // Nobody waits for an answer to these: they stay in the queue until the engine is back.
            Op::Open(_) | Op::Facts(..) | Op::Drop(_) | Op::Seen(_) => {}
        }
    }

    fn open(&mut self, id: LogId, mut log: Log, kept: Option<crate::chat::model::load::Kept>) {
        if let Some(kept) = kept {
            log.row = Some(kept.row);
            log.epoch = kept.epoch;
            (log.oldest, log.order) = (kept.seqs.0, Order::new(kept.seqs.1));
            // As it was when it was loaded: what came since is fetched at once (`insert`).
            (log.facts, log.version) = (kept.changes.0, kept.changes.1.cast_signed());
        } else {
            self.queue.push(Op::Open(id));
        }
        self.held.insert(id, log);
    }

    fn append(&mut self, id: LogId, ticket: Ticket, draft: Draft) {
        let (version, era) = match self.held.get(id) {
            Some(log) if log.is_dropped => {
                let outcome = Appended::Refused(LogFault::Broken);
                return self.held.say(id, LogReply::Appended { ticket, outcome });
            }
            // What the domain has been told of, and not what this node knows already: by that it
            // has judged.
            Some(log) => (log.version, log.era_told),
            None => {
                let outcome = Appended::Refused(LogFault::Broken);
                return self.replies.push_back(LogReply::Appended { ticket, outcome });
            }
        };
        let since = self.now.tick;
        let append = Append { log: id, ticket, draft, version, era, since, is_lost: false };
        if self.is_down {
            return self.refuse(&append, Appended::Refused(LogFault::Broken));
        }
        if !self.queue.has_room(append.bytes()) {
            return self.refuse(&append, Appended::Refused(LogFault::Busy));
        }
        self.queue.push(Op::Append(Box::new(append)));
    }

    fn put_meta(&mut self, id: LogId, meta: &RoomMeta) {
        let Some(log) = self.held.get_mut(id).filter(|log| !log.is_dropped) else { return };
        if log.era != log.era_told {
            // It was said of another log.
            return;
        }
        let fact = (meta.clone(), log.version);
        match self.queue.push_fact((id, log.era), fact) {
            Some(true) => log.on_fact(meta),
            Some(false) => {}
            None => {
                log.fault = Some(LogFault::Busy);
                log::error!(room = log.name.as_str(); "too many facts wait for the engine");
            }
        }
    }

    fn sync(&mut self, id: LogId, ticket: Ticket) {
        let era = self.held.get(id).map_or(0, |log| log.era_told);
        if self.is_down {
            let outcome = Err(LogFault::Broken);
            return self.held.say(id, LogReply::Synced { ticket, outcome });
        }
        self.queue.push(Op::Sync(id, era, ticket));
    }
}

impl<E: Engine> Logs for Node<E> {
    fn request(&mut self, now: Now, request: LogRequest) {
        self.now = now;
        match request {
            LogRequest::Open { log, room, epoch, retention, kept, .. } => {
                self.open(log, Log::new(room, epoch, retention), kept);
            }
            LogRequest::Append { log, ticket, draft } => self.append(log, ticket, draft),
            LogRequest::PutMeta { log, meta } => self.put_meta(log, &meta),
            LogRequest::Sync { log, ticket } | LogRequest::Settle { log, ticket } => {
                self.sync(log, ticket);
            }
            LogRequest::Close { log } => _ = self.held.remove(log),
            LogRequest::End { log, ticket, farewell } => self.end_room(log, ticket, *farewell),
            LogRequest::Read { ticket, query } => self.read(ticket, query),
            LogRequest::People { ticket, changes } => self.change_people(ticket, changes),
            // Nothing of a cluster is in a process's memory only.
            LogRequest::Adopt { .. } => {}
            LogRequest::Notice(notice) => self.enter(notice),
            LogRequest::Tell(told) => self.words.push(Word::Told(told)),
            LogRequest::Claim(ticket, claim) => self.claim(ticket, claim),
            LogRequest::Session(change) => self.change_session(change),
            LogRequest::Drop { log: id } => {
                if let Some(log) = self.held.get_mut(id) {
                    log.is_dropped = true;
                    // Until the engine has dropped it, whoever loads rooms may still read its row.
                    if let Some(row) = log.row {
                        self.held.drop_row(row);
                    }
                    self.queue.push(Op::Drop(id));
                }
            }
        }
    }

    fn flush(&mut self) {
        self.send_queued();
        self.send_reads();
        self.tell();
    }

    fn poll(&mut self) -> Option<LogReply> {
        self.replies.pop_front().or_else(|| self.held.poll())
    }
}
