//! When people have changed, and who is told.

use std::sync::Arc;

use super::Node;
use super::bus::Word;
use super::engine::Engine;
use super::people::{Acts, AllPeople};
use super::queue::Op;
use crate::chat::model::log::{LogFault, LogReply, Ticket};
use crate::chat::model::people::PeopleChange;
use crate::pg::{EngineError, Row, WrongType};

/// What is known of people.
#[derive(Debug)]
pub(super) struct PeopleWatch {
    /// What was told last.
    pub(super) known: AllPeople,
    /// It has to be read.
    pub(super) is_stale: bool,
    /// It is being read.
    pub(super) is_asked: bool,
    /// Changes of our own that are not written.
    pub(super) unwritten: usize,
}

impl Default for PeopleWatch {
    fn default() -> Self {
        Self { known: AllPeople::default(), is_stale: true, is_asked: false, unwritten: 0 }
    }
}

impl<E: Engine> Node<E> {
    /// Changes are asked for: all of them or none.
    pub(super) fn change_people(&mut self, ticket: Ticket, changes: Vec<PeopleChange>) {
        let is_of_thread = |change: &PeopleChange| matches!(change, PeopleChange::Thread(_));
        let fault = if self.is_down {
            LogFault::Broken
        } else if let [PeopleChange::Thread(mark)] = &*changes {
            // No node has any of it in memory.
            return self.queue.push(Op::Mark(ticket, Box::new(mark.clone())));
        } else if changes.iter().any(is_of_thread) || !Acts::of(&changes).is_fit() {
            LogFault::Corrupt
        } else {
            self.people.unwritten += 1;
            return self.queue.push(Op::People(ticket, changes));
        };
        self.replies.push_back(LogReply::Synced { ticket, outcome: Err(fault) });
    }

    /// Own changes were written, or not.
    pub(super) fn on_people_written(
        &mut self,
        ticket: Ticket,
        outcome: &Result<Vec<Row>, EngineError>,
    ) {
        let version = match outcome {
            Ok(rows) => Ok(rows.first().and_then(|row| row.int_or_null(0).ok().flatten())),
            Err(error) => {
                let what = "what is kept of people cannot be written";
                self.refusals.say(self.now.tick, what, error);
                Err(LogFault::Broken)
            }
        };
        self.people.unwritten = self.people.unwritten.saturating_sub(1);
        let outcome = match version {
            Ok(Some(version)) if version == self.people.known.version => Ok(()),
            Ok(Some(_)) => {
                // All of it is read again: others may have changed something, too.
                self.people.is_stale = true;
                self.words.push(Word::People);
                Ok(())
            }
            Ok(None) => {
                self.people.is_stale = true;
                Err(LogFault::Taken)
            }
            Err(fault) => Err(fault),
        };
        self.replies.push_back(LogReply::Synced { ticket, outcome });
    }

    /// All of it was read.
    pub(super) fn on_people(&mut self, rows: &[Row]) -> Result<(), WrongType> {
        self.people.is_asked = false;
        if self.people.unwritten > 0 {
            // It may be from before a change that is told to be so already: read behind that.
            return Ok(());
        }
        let all = AllPeople::read(rows)?;
        self.people.is_stale = false;
        if all.people != self.people.known.people {
            self.replies.push_back(LogReply::People(Box::new(all.people.clone())));
        }
        if all.suspended != self.people.known.suspended {
            self.replies.push_back(LogReply::Suspended(Arc::new(all.suspended.clone())));
        }
        self.outgoing.pushing.keep(&all.people.pushes);
        self.people.known = all;
        self.is_begun = true;
        Ok(())
    }

    /// How often it has changed.
    pub(super) fn on_people_version(&mut self, rows: &[Row]) -> Result<(), WrongType> {
        if let Some(row) = rows.first() {
            self.people.is_stale |= row.int(0)? != self.people.known.version;
        }
        Ok(())
    }
}
