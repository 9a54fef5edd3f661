//! What is written: from the queue into statements, and what becomes of them.

use std::collections::BTreeSet;

use super::Node;
use super::append::{Append, BATCH_BYTES_MAX, BATCH_DRAFTS_MAX, Batch, Facts, Outcome, is_fit, with_forms};
use super::engine::Engine;
use super::held::Held;
use super::queue::{FactsOf, Op, WAIT_MAX};
use super::statements;
use super::people;
use crate::chat::model::log::{Appended, LogFault, LogId, LogReply, Ticket};
use crate::chat::model::name::other_form;
use crate::cluster::link::Lane;
use crate::pg::{EngineError, Param, Row};

/// Batches that are on their way at once: while one is written, the next one waits at the engine.
const BATCHES_MAX: usize = 2;
/// Statements that are on their way at once.
const FLIGHTS_MAX: usize = 32;
/// Facts of one statement.
const FACTS_MAX: usize = 512;

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
    /// Nothing: everything before it has its answer when it is the first.
    Sync(LogId, u32, Ticket),
    People(Ticket),
    /// A log gets a new epoch.
    Renew(LogId),
    Prune(LogId),
    Sweep,
}

impl<E: Engine> Node<E> {
    /// Sends what can be sent.
    pub(super) fn pump(&mut self) {
        while self.is_up && self.flights.len() < FLIGHTS_MAX {
            let Some(next) = self.queue.peek() else { break };
            if matches!(next, Op::Append(_)) && self.batches() >= BATCHES_MAX {
                break;
            }
            if self.waits_for_row(next) {
                break;
            }
            let Some(op) = self.queue.pop() else { break };
            self.send(op);
        }
        self.settle();
    }

    fn batches(&self) -> usize {
        self.flights.iter().filter(|flight| matches!(flight.what, What::Append(_))).count()
    }

    /// Whether it is about a log whose row is being found.
    fn waits_for_row(&self, op: &Op) -> bool {
        let log = match op {
            Op::Append(append) => append.log,
            Op::Facts(log, ..) | Op::Drop(log) => *log,
            Op::Open(_) | Op::Sync(..) | Op::People(..) => return false,
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
            Op::Drop(id) => self.send_drop(id),
            Op::People(ticket, changes) => {
                let tag = self.next_tag();
                let columns = people::Acts::of(&changes);
                let asked = columns.with_params(|params| {
                    self.engine.ask(self.now, (Lane::Writer, tag), statements::PEOPLE, params)
                });
                match asked {
                    Ok(()) => self.flights.push_back(Flight { tag, what: What::People(ticket) }),
                    Err(_) => self.hold(Op::People(ticket, changes)),
                }
            }
        }
    }

    /// Puts something back: the engine takes nothing now.
    fn hold(&mut self, op: Op) {
        self.queue.put_back(op);
        self.is_up = false;
    }

    fn send_open(&mut self, id: LogId) {
        let Some(log) = self.held.get(id).filter(|log| !log.is_renewing) else { return };
        let (name, epoch) = (log.name.clone(), log.epoch);
        let form = if name.is_direct() { None } else { other_form(name.as_str()) };
        let params = [
            Param::Text(name.as_str()),
            Param::Int(epoch.0.cast_signed()),
            form.as_deref().map_or(Param::Null, Param::Text),
        ];
        let tag = self.next_tag();
        match self.engine.ask(self.now, (Lane::Writer, tag), statements::OPEN, &params) {
            Ok(()) => self.flights.push_back(Flight { tag, what: What::Open(id) }),
            Err(_) => self.hold(Op::Open(id)),
        }
    }

    fn send_drop(&mut self, id: LogId) {
        let Some(place) = self.held.get(id).and_then(|log| log.place()) else {
            self.held.remove(id);
            return;
        };
        let tag = self.next_tag();
        let params = [Param::Int(place.row), Param::Int(place.epoch)];
        match self.engine.ask(self.now, (Lane::Writer, tag), statements::DROP, &params) {
            Ok(()) => {
                self.engine.grew(&[place.row]);
                self.flights.push_back(Flight { tag, what: What::Drop(id) });
            }
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
            let cid = append.cid().map(|cid| (place.row, append.draft.from.clone(), cid.to_owned()));
            let is_too_much = bytes > BATCH_BYTES_MAX && !drafts.is_empty();
            if append.is_plain() != is_plain
                || is_too_much
                || cid.is_some_and(|cid| !cids.insert(cid))
            {
                self.queue.put_back(Op::Append(Box::new(append)));
                break;
            }
            drafts.push((append, place));
        }
        if drafts.is_empty() {
            return;
        }
        let batch = Batch::new(drafts);
        let tag = self.next_tag();
        let asked = batch.with_params(self.node_number(), |params| {
            self.engine.ask(self.now, (Lane::Writer, tag), statements::APPEND, params)
        });
        if asked.is_err() {
            let drafts: Vec<Append> = batch.into_drafts().collect();
            for append in drafts.into_iter().rev() {
                self.hold(Op::Append(Box::new(append)));
            }
            return;
        }
        for append in batch.drafts().filter(|append| !append.is_lost) {
            if let Some(log) = self.held.get_mut(append.log) {
                log.order.on_sent(1);
            }
        }
        self.engine.grew(&batch.rows());
        self.flights.push_back(Flight { tag, what: What::Append(batch) });
    }

    /// The next draft, if one is next and can be sent.
    fn next_draft(&mut self) -> Option<Append> {
        let is_next =
            |op: &Op| matches!(op, Op::Append(_)) && !self.waits_for_row(op);
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
            && self.queue.peek().is_some_and(|op| matches!(op, Op::Facts(..)) && !self.waits_for_row(op))
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
            let Some(place) = self.held.get(*id).and_then(|log| log.place()) else { continue };
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
        if self.engine.ask(self.now, (Lane::Writer, tag), statements::FACTS, &params).is_err() {
            for (log, era, facts) in all.into_iter().rev() {
                self.hold(Op::Facts(log, era, facts));
            }
            return;
        }
        let mut grown: Vec<i64> = rooms.into_iter().flatten().collect();
        grown.dedup();
        self.engine.grew(&grown);
        self.flights.push_back(Flight { tag, what: What::Facts(all) });
    }

    /// Says of what everything before has its answer.
    fn settle(&mut self) {
        while let Some(Flight { what: What::Sync(id, era, ticket), .. }) =
            self.flights.pop_front_if(|flight| matches!(flight.what, What::Sync(..)))
        {
            let outcome = match self.held.get_mut(id) {
                Some(log) if log.era != era => Err(LogFault::Taken),
                Some(log) => log.fault.take().map_or(Ok(()), Err),
                None => Ok(()),
            };
            self.held.say(id, LogReply::Synced { ticket, outcome });
        }
    }

    /// A statement of the writer was done or refused.
    pub(super) fn on_written(&mut self, what: What, outcome: Result<Vec<Row>, EngineError>) {
        match what {
            What::Append(batch) => self.on_appended(batch, outcome),
            What::Facts(all) => self.on_facts_written(all, &outcome),
            What::Open(id) => self.on_opened(id, &outcome),
            What::Drop(id) => {
                if let Err(error) = outcome {
                    log::error!(error:%; "a room cannot be removed");
                }
                self.held.remove(id);
            }
            What::People(ticket) => self.on_people_written(ticket, &outcome),
            What::Renew(id) => {
                if let Err(error) = outcome {
                    log::error!(error:%; "a log cannot be given another epoch");
                }
                self.held.renew(id);
            }
            What::Prune(id) => self.on_pruned(id, &outcome),
            What::Sync(..) | What::Sweep => {}
        }
        self.settle();
    }

    fn on_appended(&mut self, batch: Batch, outcome: Result<Vec<Row>, EngineError>) {
        let outcomes = match &outcome {
            Ok(rows) => batch.outcomes(rows),
            Err(error) => return self.on_batch_refused(batch, error),
        };
        let Ok(outcomes) = outcomes else {
            log::error!("the engine answers otherwise than it should to an append");
            for append in batch.into_drafts() {
                self.undecided(&append);
            }
            return;
        };
        let mut logs = BTreeSet::new();
        for (append, outcome) in batch.into_drafts().zip(outcomes) {
            logs.insert(append.log);
            on_outcome(&mut self.held, &append, outcome);
        }
        for id in logs {
            self.held.advance(id);
        }
    }

    /// The engine has refused a batch as a whole: nothing of it was done.
    fn on_batch_refused(&mut self, batch: Batch, error: &EngineError) {
        let is_again = is_transient(error);
        let fault = if error.code.starts_with("53") { LogFault::Full } else { LogFault::Broken };
        if !is_again {
            log::error!(error:%; "records cannot be written");
        }
        let drafts: Vec<Append> = batch.into_drafts().collect();
        for append in drafts {
            if is_again && self.now.tick < append.since.after(WAIT_MAX) {
                // As if its answer were lost: it was not done, so that it is done by this.
                self.queue.repeat(Op::Append(Box::new(Append { is_lost: true, ..append })));
                continue;
            }
            let Some(log) = self.held.get_mut(append.log).filter(|log| log.era == append.era)
            else {
                let lost = Append { is_lost: false, ..append };
                self.refuse(&lost, Appended::Refused(fault));
                continue;
            };
            let outcome =
                if append.is_lost { Appended::Undecided } else { Appended::Refused(fault) };
            log.order.on_refused(append.ticket, outcome, false);
            self.held.advance(append.log);
        }
    }

    /// Nobody knows what became of a draft, and it is not asked again.
    fn undecided(&mut self, append: &Append) {
        if let Some(log) = self.held.get_mut(append.log)
            && log.era == append.era
        {
            log.is_unsure = true;
            log.order.on_refused(append.ticket, Appended::Undecided, false);
            self.held.wants.insert(append.log);
            self.held.advance(append.log);
        } else {
            let (ticket, outcome) = (append.ticket, Appended::Undecided);
            self.held.say(append.log, LogReply::Appended { ticket, outcome });
        }
    }

    fn on_facts_written(
        &mut self,
        all: Vec<(LogId, u32, FactsOf)>,
        outcome: &Result<Vec<Row>, EngineError>,
    ) {
        for (id, era, facts) in all {
            let Some(log) = self.held.get_mut(id).filter(|log| log.era == era) else { continue };
            match outcome {
                Ok(_) => {
                    let mut is_passed_over = false;
                    for key in facts.keys() {
                        is_passed_over |= log.on_fact_written(key);
                    }
                    if is_passed_over {
                        self.held.wants.insert(id);
                    }
                }
                Err(error) if is_transient(error) => self.queue.repeat(Op::Facts(id, era, facts)),
                Err(error) => {
                    log::error!(error:%; "facts about a room cannot be written");
                    log.fault = Some(LogFault::Broken);
                    for key in facts.keys() {
                        log.on_fact_written(key);
                    }
                }
            }
        }
    }

    fn on_opened(&mut self, id: LogId, outcome: &Result<Vec<Row>, EngineError>) {
        let row = match outcome {
            Ok(rows) => rows.first(),
            Err(error) => {
                log::error!(error:%; "a room cannot be opened");
                None
            }
        };
        let read = |row: &Row| {
            let epoch = row.int(1)?.cast_unsigned();
            Ok::<_, crate::pg::WrongType>((row.int(0)?, epoch, row.int(4)?))
        };
        let Some((row, epoch, head)) = row.and_then(|row| read(row).ok()) else {
            // Tried again when the engine is there again, or with the next thing that is asked.
            return self.queue.repeat(Op::Open(id));
        };
        self.held.set_row(id, row);
        let Some(log) = self.held.get(id) else { return };
        if (epoch, head) != (log.epoch.0, 0) {
            // Somebody else was first.
            self.held.renew(id);
        }
    }

    /// No answer comes to a statement of the writer.
    pub(super) fn on_write_lost(&mut self, what: What) {
        match what {
            What::Append(batch) => {
                for append in batch.into_drafts() {
                    if append.cid().is_some() || append.draft.is_question {
                        let append = Append { is_lost: true, ..append };
                        self.queue.repeat(Op::Append(Box::new(append)));
                    } else {
                        self.undecided(&append);
                    }
                }
            }
            What::Facts(all) => {
                for (log, era, facts) in all {
                    self.queue.repeat(Op::Facts(log, era, facts));
                }
            }
            What::Open(id) => self.queue.repeat(Op::Open(id)),
            What::Drop(id) => self.queue.repeat(Op::Drop(id)),
            What::People(ticket) => {
                self.people.is_stale = true;
                self.people.unwritten = self.people.unwritten.saturating_sub(1);
                let outcome = Err(LogFault::Broken);
                self.replies.push_back(LogReply::Synced { ticket, outcome });
            }
            What::Renew(id) => {
                if let Some(log) = self.held.get_mut(id) {
                    log.is_doubtful = true;
                    self.held.wants.insert(id);
                }
            }
            What::Sync(log, era, ticket) => self.queue.repeat(Op::Sync(log, era, ticket)),
            What::Prune(_) | What::Sweep => {}
        }
        // What waited behind it for everything before still does.
        while let Some(Flight { what: What::Sync(log, era, ticket), .. }) =
            self.flights.pop_front_if(|flight| matches!(flight.what, What::Sync(..)))
        {
            self.queue.repeat(Op::Sync(log, era, ticket));
        }
    }
}

/// Whether the same may be done a moment later.
fn is_transient(error: &EngineError) -> bool {
    // Deadlocks and the like; the session is ended; the engine goes down, or is a standby by now.
    ["40", "57P", "08", "25006", "55P03"].iter().any(|class| error.code.starts_with(class))
}

/// A draft has an outcome.
fn on_outcome(held: &mut Held, append: &Append, outcome: Outcome) {
    let (id, ticket) = (append.log, append.ticket);
    let Some(log) = held.get_mut(id) else {
        let outcome = match outcome {
            Outcome::Answer(outcome) => outcome,
            Outcome::Stale | Outcome::Ended => Appended::Stale,
        };
        return held.out.push_back((LogReply::Appended { ticket, outcome }, None));
    };
    if log.era != append.era {
        let outcome = match outcome {
            Outcome::Answer(Appended::Stored(_)) => Appended::Undecided,
            Outcome::Answer(outcome) => outcome,
            Outcome::Stale | Outcome::Ended => Appended::Stale,
        };
        return log.order.push(LogReply::Appended { ticket, outcome });
    }
    match outcome {
        Outcome::Answer(Appended::Stored(record)) => {
            if !append.draft.meta.is_empty() {
                // So that the version of the rights is known again.
                held.wants.insert(id);
            }
            if let Some(log) = held.get_mut(id) {
                log.order.on_stored(ticket, record);
            }
        }
        // It is there, and was not told: a repeat of ours, or of the user's at another node.
        Outcome::Answer(Appended::Duplicate { seq, at })
            if seq > log.order.told() && append.cid().is_some() && !append.draft.is_question =>
        {
            let (from, body) = (append.draft.from.clone(), append.draft.body.clone());
            let weight = append.draft.weight;
            let record = crate::chat::model::record::Record { seq, at, from, body, weight };
            log.order.on_stored(ticket, std::sync::Arc::new(record));
        }
        Outcome::Answer(outcome) => log.order.on_refused(ticket, outcome, false),
        Outcome::Stale => {
            log.order.on_refused(ticket, Appended::Stale, true);
            held.wants.insert(id);
        }
        Outcome::Ended => {
            log.order.on_refused(ticket, Appended::Stale, false);
            held.renew(id);
        }
    }
}
