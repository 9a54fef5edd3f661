//! What becomes of what was written.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Node;
use super::append::{Append, Batch, Outcome};
use super::engine::Engine;
use super::open_logs::OpenLogs;
use super::queue::{FactsOf, Op, WAIT_MAX};
use super::writer::{Flight, What};
use crate::chat::model::log::{Appended, LogFault, LogId, LogReply};
use crate::chat::model::record::Record;
use crate::pg::{EngineError, Row, WrongType};

impl<E: Engine> Node<E> {
    /// Says of what everything before has its answer.
    pub(super) fn answer_syncs(&mut self) {
        // It is the first of those that wait when all before it has its answer.
        while let Some(Flight { what: What::Sync(id, era, ticket), .. }) =
            self.flights.pop_front_if(|flight| matches!(flight.what, What::Sync(..)))
        {
            let outcome = match self.held.get_mut(id) {
                Some(log) if log.era != era => Err(LogFault::Taken),
                // Taken, so that one fault fails one sync: the next one is about what was written
                // later.
                Some(log) => log.fault.take().map_or(Ok(()), Err),
                None => Ok(()),
            };
            self.held.say(id, LogReply::Synced { ticket, outcome });
        }
    }

    /// A statement of the writer was done or refused.
    pub(super) fn on_written(&mut self, what: What, outcome: Result<Vec<Row>, EngineError>) {
        match what {
            What::Append(batch) => self.on_appended(batch, &outcome),
            What::Facts(all) => self.on_facts_written(all, &outcome),
            What::Open(id) => self.on_opened(id, &outcome),
            What::Drop(id) => {
                let is_gone = match outcome {
                    Ok(rows) => rows.first().is_none_or(|row| row.int(0) != Ok(0)),
                    Err(error) => {
                        self.refusals.say(self.now.tick, "a room cannot be removed", &error);
                        false
                    }
                };
                let row = self.held.remove(id).and_then(|log| log.row);
                // Others are in the room, or it is not known whether it went: it may be found
                // again.
                if let Some(row) = row.filter(|_| !is_gone) {
                    self.held.keep_row(row);
                }
            }
            What::End(ending) => self.on_end_written(ending, outcome),
            What::People(ticket) => self.on_people_written(ticket, &outcome),
            What::Mark(ticket) => self.on_mark_written(ticket, &outcome),
            What::Sessions(ops) => self.on_sessions_written(ops, &outcome),
            What::Return => self.on_returned(&outcome),
            What::Renew(id) => {
                if let Err(error) = outcome {
                    let what = "a log cannot be given another epoch";
                    self.refusals.say(self.now.tick, what, &error);
                }
                self.held.renew(id);
            }
            What::Prune(id) => self.on_pruned(id, &outcome),
            What::PruneRow(row) => self.on_row_pruned(row, &outcome),
            What::Index => self.on_indexed(Some(&outcome)),
            What::Seen(seen) => self.on_seen(seen, &outcome),
            What::File(op) => self.on_file(&op, &outcome),
            What::Sync(..) | What::Sweep => {}
        }
        self.answer_syncs();
    }

    fn on_appended(&mut self, batch: Batch, outcome: &Result<Vec<Row>, EngineError>) {
        self.outgoing.note_news(self.now.tick);
        let outcomes = match outcome {
            Ok(rows) => {
                self.refusals.end();
                batch.outcomes(rows)
            }
            Err(error) => return self.on_batch_refused(batch, error),
        };
        let Ok(outcomes) = outcomes else {
            log::error!("the engine answers otherwise than it should to an append");
            // They may be stored: what is fetched next will say.
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
        // Class 53: insufficient resources, of which a full disk is one.
        let fault = if error.code.starts_with("53") { LogFault::Full } else { LogFault::Broken };
        if !is_again {
            self.refusals.say(self.now.tick, "records cannot be written", error);
            if is_of_engine(error) {
                self.refusals.begin(self.now.tick, error);
            }
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
                // It was not done in this life of the log, and is not sent in the next one.
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
    pub(super) fn undecided(&mut self, append: &Append) {
        if let Some(log) = self.held.get_mut(append.log)
            && log.era == append.era
        {
            // If it was stored after all, its facts carry this node's number, by which a fetch
            // would leave them out.
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
                    let what = "facts about a room cannot be written";
                    self.refusals.say(self.now.tick, what, error);
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
                self.refusals.say(self.now.tick, "a room cannot be opened", error);
                None
            }
        };
        let read = |row: &Row| {
            let epoch = row.int(1)?.cast_unsigned();
            Ok::<_, WrongType>((row.int(0)?, epoch, row.int(4)?))
        };
        let Some((row, epoch, head)) = row.and_then(|row| read(row).ok()) else {
            // Tried again when the engine is there again, or with the next thing that is asked.
            return self.queue.repeat(Op::Open(id));
        };
        if !self.held.take_row(id, row) {
            // The other log is to learn of the name by which this one was asked for.
            self.held.wants.extend(self.held.of_row(row));
            return self.held.end(id, LogReply::Gone { log: id, farewell: None });
        }
        let Some(log) = self.held.get(id) else { return };
        // A room that was made now has the epoch that was proposed, and nothing in it.
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
                    // With a `cid` it is there once however often it is sent, and a question stores
                    // nothing.
                    if append.cid().is_some() || append.draft.is_question {
                        let append = Append { is_lost: true, ..append };
                        self.queue.repeat(Op::Append(Box::new(append)));
                    } else {
                        self.undecided(&append);
                    }
                }
            }
            // A fact is a state and no difference: writing it twice does no harm.
            What::Facts(all) => {
                for (log, era, facts) in all {
                    self.queue.repeat(Op::Facts(log, era, facts));
                }
            }
            What::Open(id) => self.queue.repeat(Op::Open(id)),
            What::Drop(id) => self.queue.repeat(Op::Drop(id)),
            What::People(ticket) => {
                // Done or not: what is read next says, and whoever has asked may ask again.
                self.people.is_stale = true;
                self.people.unwritten = self.people.unwritten.saturating_sub(1);
                let outcome = Err(LogFault::Broken);
                self.replies.push_back(LogReply::Synced { ticket, outcome });
            }
            What::Mark(ticket) => {
                let outcome = Err(LogFault::Broken);
                self.replies.push_back(LogReply::Synced { ticket, outcome });
            }
            What::Sessions(ops) => self.on_sessions_lost(ops),
            What::Renew(id) => {
                if let Some(log) = self.held.get_mut(id) {
                    log.is_doubtful = true;
                    self.held.wants.insert(id);
                }
            }
            What::Sync(log, era, ticket) => self.queue.repeat(Op::Sync(log, era, ticket)),
            What::End(ending) => self.queue.repeat(Op::End(ending)),
            What::Index => self.on_indexed(None),
            What::Seen(seen) => self.queue.repeat(Op::Seen(seen)),
            What::File(op) => self.tell_file_lost(&op),
            What::Prune(_) | What::PruneRow(_) | What::Sweep | What::Return => {}
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
pub(super) fn is_transient(error: &EngineError) -> bool {
    // Deadlocks and the like; the session is ended; the engine goes down, or is a standby by now.
    ["40", "57P", "08", "25006", "55P03"].iter().any(|class| error.code.starts_with(class))
}

/// Whether the engine could write nothing else either: it is full, damaged, or takes no writes from
/// this account.
fn is_of_engine(error: &EngineError) -> bool {
    ["53", "58", "XX", "42501", "25"].iter().any(|class| error.code.starts_with(class))
}

/// A draft has an outcome.
fn on_outcome(held: &mut OpenLogs, append: &Append, outcome: Outcome) {
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
                log.on_told(std::slice::from_ref(&record));
                log.order.on_stored(ticket, record);
            }
        }
        // It is there, and was not told: ours, whose answer was lost with a connection. What a user
        // repeats from another node is that node's record, and told before the answer.
        Outcome::Answer(Appended::Duplicate { seq, at })
            if append.is_lost
                && seq > log.order.told()
                && append.cid().is_some()
                && !append.draft.is_question =>
        {
            let (from, body) = (append.draft.from.clone(), append.draft.body.clone());
            let weight = append.draft.weight;
            let record = Record { seq, at, from, body, weight };
            log.order.on_stored(ticket, Arc::new(record));
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
