//! What is written: from the queue into statements, and what becomes of them.

use std::collections::BTreeSet;

use super::Node;
use super::append::{Append, BATCH_BYTES_MAX, BATCH_DRAFTS_MAX, Batch, Facts, is_fit, with_forms};
use super::engine::Engine;
use super::open_logs::Log;
use super::outbox_entries::Seen;
use super::people;
use super::queue::{Ending, FactsOf, Op};
use super::session_ops::SessionOp;
use super::statements;
use crate::chat::model::log::{Appended, LogFault, LogId, LogReply, Ticket};
use crate::chat::model::name::other_form;
use crate::cluster::link::bounds::ASKS_MAX;
use crate::cluster::link::{Lane, NotAsked};
use crate::pg::{Param, Statement};

/// Batches that are on their way at once: while one is written, the next one waits at the engine.
/// More would gain nothing: the engine takes them one after the other on this one connection, and a
// draft that still waits here can join a larger batch.
const BATCHES_MAX: usize = 2;
/// Statements that are on their way at once.
const FLIGHTS_MAX: usize = 32;
/// Facts of one statement.
const FACTS_MAX: usize = 512;

// None of these is refused by the link for being one too many.
const _: () = assert!(FLIGHTS_MAX < ASKS_MAX);

/// What was sent, and has no answer.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) tag: u64,
    pub(super) what: What,
}

/// What it was.
#[derive(Debug)]
pub(super) enum What {
    Append(Batch),
    Facts(Vec<(LogId, u32, FactsOf)>),
    Open(LogId),
    Drop(LogId),
    End(Box<Ending>),
    /// Nothing: everything before it has its answer when it is the first.
    Sync(LogId, u32, Ticket),
    People(Ticket),
    Mark(Ticket),
    Sessions(Vec<SessionOp>),
    /// Sessions of this node are live again.
    Return,
    /// A log gets a new epoch.
    Renew(LogId),
    Prune(LogId),
    /// A room that is not open here.
    PruneRow(i64),
    Sweep,
    /// Words go into the index.
    Index,
    /// What webhooks are told, and is in no log.
    Seen(Vec<Seen>),
    /// Something about files.
    File(super::file_ops::FileOp),
}

impl<E: Engine> Node<E> {
    /// Sends what can be sent.
    pub(super) fn send_queued(&mut self) {
        while self.is_up && self.flights.len() < FLIGHTS_MAX {
            let Some(next) = self.queue.peek() else { break };
            if matches!(next, Op::Append(_)) && self.batches() >= BATCHES_MAX {
                break;
            }
            // What stands behind it waits, too: a sync must not overtake what it is about.
            if self.waits_for_row(next) {
                break;
            }
            let Some(op) = self.queue.pop() else { break };
            self.send(op);
        }
        self.answer_syncs();
    }

    /// Sends a statement of the writer, whose outcome comes as `what`.
    pub(super) fn ask_writer(
        &mut self,
        what: What,
        statement: Statement,
        params: &[Param<'_>],
    ) -> Result<(), NotAsked> {
        let tag = self.next_tag();
        self.engine.send(self.now, (Lane::Writer, tag), statement, params)?;
        self.flights.push_back(Flight { tag, what });
        Ok(())
    }

    fn batches(&self) -> usize {
        self.flights.iter().filter(|flight| matches!(flight.what, What::Append(_))).count()
    }

    /// Whether it is about a log whose row is being found.
    fn waits_for_row(&self, op: &Op) -> bool {
        let log = match op {
            Op::Append(append) => append.log,
            Op::Facts(log, ..) | Op::Drop(log) => *log,
            Op::End(ending) => ending.log,
            Op::Open(_)
            | Op::Sync(..)
            | Op::People(..)
            | Op::Mark(..)
            | Op::Session(_)
            | Op::Seen(_) => return false,
        };
        self.held.get(log).is_some_and(|log| log.row.is_none() && !log.is_renewing)
    }

    fn send(&mut self, op: Op) {
        match op {
            Op::Append(append) => self.send_batch(*append),
            Op::Facts(log, era, facts) => self.send_facts((log, era, facts)),
            Op::Sync(log, era, ticket) => {
                self.flights.push_back(Flight { tag: 0, what: What::Sync(log, era, ticket) });
            }
            Op::Open(id) => self.send_open(id),
            Op::Session(op) => self.send_sessions(*op),
            Op::Drop(id) => self.send_drop(id),
            Op::End(ending) => self.send_end(*ending),
            Op::Mark(ticket, mark) => self.send_mark(ticket, mark),
            Op::Seen(seen) => self.send_seen(seen),
            Op::People(ticket, changes) => {
                let sent = people::Acts::of(&changes).with_params(|params| {
                    self.ask_writer(What::People(ticket), statements::PEOPLE, params)
                });
                if sent.is_err() {
                    self.hold(Op::People(ticket, changes));
                }
            }
        }
    }

    /// Puts something back: the engine takes nothing now.
    pub(super) fn hold(&mut self, op: Op) {
        // At the front, where it was: the order of the requests is the order of the log.
        self.queue.put_back(op);
        self.is_up = false;
    }

    fn send_open(&mut self, id: LogId) {
        let Some(log) = self.held.get(id).filter(|log| !log.is_renewing) else { return };
        let (name, epoch) = (log.name.clone(), log.epoch);
        // The name of a direct conversation consists of its users' names, which were compared when
        // they came.
        let form = if name.is_direct() { None } else { other_form(name.as_str()) };
        let params = [
            Param::Text(name.as_str()),
            Param::Int(epoch.0.cast_signed()),
            form.as_deref().map_or(Param::Null, Param::Text),
            Param::Int(self.node_number()),
        ];
        if self.ask_writer(What::Open(id), statements::OPEN, &params).is_err() {
            self.hold(Op::Open(id));
        }
    }

    fn send_drop(&mut self, id: LogId) {
        // Without a row the engine knows nothing of it that would have to be removed.
        let Some(place) = self.held.get(id).and_then(Log::place) else {
            self.held.remove(id);
            return;
        };
        let known = self.held.get(id).map_or(0, |log| log.facts);
        let params = [
            Param::Int(place.row),
            Param::Int(place.epoch),
            Param::Int(self.node_number()),
            Param::Int(known.cast_signed()),
        ];
        match self.ask_writer(What::Drop(id), statements::DROP, &params) {
            Ok(()) => self.engine.say_grown(&[place.row]),
            Err(_) => self.hold(Op::Drop(id)),
        }
    }

    /// Sends a draft with those behind it that can go along.
    fn send_batch(&mut self, first: Append) {
        let is_plain = first.is_plain();
        let (mut drafts, mut bytes, mut cids) = (Vec::new(), 0, BTreeSet::new());
        let mut next = Some(first);
        while drafts.len() < BATCH_DRAFTS_MAX {
            let Some(append) = next.take().or_else(|| self.next_draft()) else { break };
            let Some(place) = self.place(&append) else { continue };
            bytes += append.bytes();
            let cid =
                // A `cid` belongs to one user in one room: the same one of two users is no
                // repetition.
                append.cid().map(|cid| (place.row, append.draft.from.clone(), cid.to_owned()));
            let is_too_much = bytes > BATCH_BYTES_MAX && !drafts.is_empty();
            // One draft that is not plain would send all of them the long way; and of two with one
            // `cid` the second is answered by what the first has become.
            if append.is_plain() != is_plain
                || is_too_much
                || cid.is_some_and(|cid| !cids.insert(cid))
            {
                self.queue.put_back(Op::Append(Box::new(append)));
                break;
            }
            // In the order of the queue, so that what a connection sends to a room is logged as it
            // came.
            drafts.push((append, place));
        }
        if drafts.is_empty() {
            return;
        }
        let batch = Batch::new(drafts);
        let tag = self.next_tag();
        let sent = batch.with_params(self.node_number(), |params| {
            self.engine.send(self.now, (Lane::Writer, tag), statements::APPEND, params)
        });
        if sent.is_err() {
            let drafts: Vec<Append> = batch.into_drafts().collect();
            // From the last one, since each is put before the others.
            for append in drafts.into_iter().rev() {
                self.hold(Op::Append(Box::new(append)));
            }
            return;
        }
        // Those that are sent once more were counted the first time, and have had no answer.
        for append in batch.drafts().filter(|append| !append.is_lost) {
            if let Some(log) = self.held.get_mut(append.log) {
                log.order.on_sent(1);
            }
        }
        // Now, and not with the answer: it goes out behind the append, on the same connection.
        self.engine.say_grown(&batch.rows());
        self.flights.push_back(Flight { tag, what: What::Append(batch) });
    }

    /// The next draft, if one is next and can be sent.
    fn next_draft(&mut self) -> Option<Append> {
        let is_next = |op: &Op| matches!(op, Op::Append(_)) && !self.waits_for_row(op);
        if !self.queue.peek().is_some_and(is_next) {
            return None;
        }
        match self.queue.pop() {
            Some(Op::Append(append)) => Some(*append),
            _ => None,
        }
    }

    /// Where a draft goes; `None` if it was answered otherwise.
    fn place(&mut self, append: &Append) -> Option<super::append::Place> {
        let Some(log) = self.held.get(append.log).filter(|log| !log.is_dropped) else {
            self.refuse(append, Appended::Refused(LogFault::Broken));
            return None;
        };
        // It was judged by the rights and seqs of a log that has been replaced since: whoever asked
        // has to be judged anew.
        if log.era != append.era || log.is_renewing {
            self.refuse(append, Appended::Stale);
            return None;
        }
        if !append.is_fit() {
            self.refuse(append, Appended::Refused(LogFault::Corrupt));
            return None;
        }
        log.place()
    }

    /// Answers a draft that is not sent, or not once more.
    pub(super) fn refuse(&mut self, append: &Append, outcome: Appended) {
        if append.is_lost {
            return self.undecided(append);
        }
        let ticket = append.ticket;
        self.held.say(append.log, LogReply::Appended { ticket, outcome });
    }

    fn send_facts(&mut self, first: (LogId, u32, FactsOf)) {
        let mut all = vec![first];
        let mut count = all[0].2.len();
        while count < FACTS_MAX
            && self
                .queue
                .peek()
                .is_some_and(|op| matches!(op, Op::Facts(..)) && !self.waits_for_row(op))
        {
            let Some(Op::Facts(log, era, facts)) = self.queue.pop() else { break };
            count += facts.len();
            all.push((log, era, facts));
        }
        // What was asked of a log that is another one by now is over.
        all.retain(|(id, era, _)| {
            self.held.get(*id).is_some_and(|log| log.era == *era && log.is_followed())
        });
        let tag = self.next_tag();
        let (mut rooms, mut epochs, mut knowns) = (Vec::new(), Vec::new(), Vec::new());
        let mut columns = Facts::default();
        for (id, _, facts) in &all {
            let Some(place) = self.held.get(*id).and_then(Log::place) else { continue };
            for (meta, known) in facts.values() {
                if !is_fit(meta) {
                    log::warn!(room = place.row; "a fact with a NUL in it cannot be kept");
                    continue;
                }
                rooms.push(Some(place.row));
                epochs.push(Some(place.epoch));
                knowns.push(Some(*known));
                columns.push(None, meta);
            }
        }
        if rooms.is_empty() {
            return;
        }
        let texts = with_forms(&columns.texts, &columns.forms);
        let params = [
            Param::Ints(&rooms),
            Param::Ints(&epochs),
            Param::Ints(&knowns),
            Param::Ints(&columns.kinds),
            Param::Texts(&columns.names),
            Param::Ints(&columns.numbers),
            Param::Texts(&texts),
            Param::Int(self.node_number()),
        ];
        if self.engine.send(self.now, (Lane::Writer, tag), statements::FACTS, &params).is_err() {
            for (log, era, facts) in all.into_iter().rev() {
                self.hold(Op::Facts(log, era, facts));
            }
            return;
        }
        let mut grown: Vec<i64> = rooms.into_iter().flatten().collect();
        // Facts of one room stand next to each other, which is all that `dedup` needs.
        grown.dedup();
        self.engine.say_grown(&grown);
        self.flights.push_back(Flight { tag, what: What::Facts(all) });
    }
}
