//! What commands beside the server have changed: told to the domain, and confirmed to them.

use std::sync::Arc;

use super::super::commands::{CommandWatch, Progress};
use super::super::connection::is_busy;
use super::super::integers::signed;
use super::super::meta_table::{self, APPLIED};
use super::Engine;
use crate::chat::model::log::LogReply;
use crate::time::clock::Now;

impl Engine {
    /// Learns from the loop how far that is with what commands have changed.
    pub(in crate::store::sqlite) fn share_progress(&mut self, progress: Arc<Progress>) {
        self.progress = progress;
    }

    /// What the domain knows is what there was when this began.
    pub(in crate::store::sqlite) fn watch_commands(&mut self, commands: CommandWatch) {
        self.commands = commands;
    }

    /// What is kept of people and suspensions, and what webhooks are told, if another process may
    /// have changed it. It comes between the answers to what this one has changed before and after.
    pub(in crate::store::sqlite) fn poll_commands(&mut self, now: Now) -> Vec<LogReply> {
        if self.db.is_closed() {
            return Vec::new();
        }
        let changed = match self.commands.poll(&self.db) {
            Ok(Some(changed)) => changed,
            Ok(None) => return Vec::new(),
            // What cannot be read now is tried again.
            Err(error) => {
                if !is_busy(&error)
                    && let Some(suppressed) = self.lines.admit(now.tick)
                {
                    log::error!(
                        suppressed, error:% = error;
                        "what a command has changed in the file cannot be read, and is not in force until it can"
                    );
                }
                return Vec::new();
            }
        };
        let people = LogReply::People(Box::new(changed.people));
        let suspended = LogReply::Suspended(Arc::new(changed.suspended));
        let outbox = self.outbox.as_ref().filter(|outbox| {
            // Nobody has to be told that there is still none.
            !changed.webhooks.is_empty() || outbox.is_used()
        });
        let webhooks = outbox.map(|outbox| outbox.set_webhooks(changed.webhooks));
        [people, suspended].into_iter().chain(webhooks.map(LogReply::Webhooks)).collect()
    }

    /// The replies of [`Engine::poll_commands`] are in the channel: whether the loop is to be woken
    /// for that.
    pub(in crate::store::sqlite) fn note_told(&self) -> bool {
        self.progress.tell(self.commands.last)
    }

    /// Notes in the file what the loop has handled, for the commands that wait for it. Whether
    /// there is more to note soon.
    pub(in crate::store::sqlite) fn confirm_commands(&mut self, now: Now) -> bool {
        if self.fault().is_some() {
            return false;
        }
        let handled = self.progress.handled();
        if handled > self.commands.applied {
            match self.unsynced(|db| meta_table::put(db, APPLIED, signed(handled))) {
                Ok(()) => self.commands.applied = handled,
                Err(error) if is_busy(&error) => {}
                Err(error) => _ = self.enter_degraded(now, &error),
            }
        }
        self.commands.applied < self.commands.last
    }
}
