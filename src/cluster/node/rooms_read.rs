//! Rooms that are loaded, or read anew, page by page.

use super::Node;
use super::engine::Engine;
use super::loading;
use super::reader::Reading;
use super::room_pages::{ReadFor, RoomPages};
use super::statements::MEMBERS;
use crate::chat::model::log::{Answer, LogFault, LogReply};
use crate::cluster::link::Lane;
use crate::pg::Row;

impl<E: Engine> Node<E> {
    /// A page of rooms was read.
    pub(super) fn on_rooms(&mut self, what: ReadFor, mut pages: RoomPages, rows: &[Row]) {
        let outcome = match pages.take(rows) {
            Ok(true) => Ok(pages.into_parts()),
            Ok(false) => return self.ask_members(what, pages),
            Err(wrong) => {
                log::error!(wrong:%; "the engine has what was not written so");
                Err(LogFault::Corrupt)
            }
        };
        match what {
            ReadFor::Renewal(id) => match outcome {
                Ok(parts) => self.on_renewed(id, &parts),
                Err(_) => _ = self.held.unreadable.insert(id),
            },
            ReadFor::Query(ticket, wanted) => {
                let outcome = outcome.map(|parts| {
                    let mut found = loading::found(&wanted, &parts);
                    // The answer may be from before this node has dropped a room.
                    found.rooms.retain(|room| {
                        room.kept.is_none_or(|kept| !self.held.is_dropped(kept.row))
                    });
                    self.follow_found(&found.rooms);
                    Answer::Loaded(found)
                });
                self.replies.push_back(LogReply::Answer { ticket, outcome });
            }
        }
    }

    fn ask_members(&mut self, what: ReadFor, pages: RoomPages) {
        let tag = self.next_tag();
        let (engine, now) = (&mut self.engine, self.now);
        let sent =
            pages.with_params(|params| engine.send(now, (Lane::Reader, tag), MEMBERS, params));
        let reading = Reading::Rooms(what, pages);
        match sent {
            Ok(()) => _ = self.readings.insert(tag, reading),
            Err(_) => self.on_read_lost(reading),
        }
    }
}
