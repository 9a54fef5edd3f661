//! When people have changed, and who is told.

use std::sync::Arc;

use super::Node;
use super::bus_text::Word;
use super::engine::Engine;
use super::people::Acts;
use super::people_pages::{Changed, PEOPLE_PAGE, PeoplePages};
use super::queue::Op;
use super::reader::Reading;
use crate::chat::model::log::{LogFault, LogReply, Ticket};
use crate::chat::model::people::PeopleChange;
use crate::cluster::link::Lane;
use crate::pg::{EngineError, Row, WrongType};

/// What is known of people.
#[derive(Debug)]
pub(super) struct PeopleWatch {
    /// What was read.
    pub(super) pages: PeoplePages,
    /// More has to be read.
    pub(super) is_stale: bool,
    /// The page that is being read.
    pub(super) page: Option<PageRead>,
    /// Changes of our own that are not written.
    pub(super) unwritten: usize,
    /// All that were ever asked for.
    own: u64,
}

impl Default for PeopleWatch {
    fn default() -> Self {
        let pages = PeoplePages::default();
        Self { pages, is_stale: true, page: None, unwritten: 0, own: 0 }
    }
}

impl PeopleWatch {
    /// The engine may be another one, or one that has forgotten something.
    pub(super) fn restart(&mut self) {
        self.pages.restart();
        self.is_stale = true;
        self.page = self.page.map(|_| PageRead::Void);
    }
}

/// A page that is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageRead {
    /// It was asked for when there had been so many changes of our own.
    After(u64),
    /// It is of no use: the engine may be another one by now.
    Void,
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
            self.people.own += 1;
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
            Ok(Some(version)) if version == self.people.pages.all.version => Ok(()),
            Ok(Some(_)) => {
                // It is read as what others change.
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

    /// Asks for the next page, if more has to be read.
    pub(super) fn ask_people(&mut self) {
        if !self.people.is_stale || self.people.page.is_some() || self.people.unwritten > 0 {
            return;
        }
        let tag = self.next_tag();
        let (engine, now) = (&mut self.engine, self.now);
        let sent = self
            .people
            .pages
            .with_params(|params| engine.send(now, (Lane::Reader, tag), PEOPLE_PAGE, params));
        if sent.is_ok() {
            self.readings.insert(tag, Reading::People);
            self.people.page = Some(PageRead::After(self.people.own));
        }
    }

    /// A page was read.
    pub(super) fn on_people(&mut self, rows: &[Row]) -> Result<(), WrongType> {
        let watch = &mut self.people;
        let page = watch.page.take();
        if page == Some(PageRead::Void) {
            return Ok(());
        }
        // The last page may be from before a change that is told to be so already: what is behind
        // it is read, too, before anything is told.
        if !watch.pages.take(rows)? || page != Some(PageRead::After(watch.own)) {
            return Ok(());
        }
        watch.is_stale = false;
        let Changed { people, suspended } = watch.pages.changed();
        if people {
            self.replies.push_back(LogReply::People(Box::new(watch.pages.all.people.clone())));
        }
        if suspended {
            let suspended = Arc::new(watch.pages.all.suspended.clone());
            self.replies.push_back(LogReply::Suspended(suspended));
        }
        self.pushing.keep(&watch.pages.all.people.pushes);
        self.is_begun = true;
        Ok(())
    }

    /// How often it has changed.
    pub(super) fn on_people_version(&mut self, rows: &[Row]) -> Result<(), WrongType> {
        if let Some(row) = rows.first() {
            self.people.is_stale |= row.int(0)? != self.people.pages.all.version;
        }
        Ok(())
    }
}
