//! What the link says, and what is told to the others.

use super::Node;
use super::bus_text::{self, Word};
use super::engine::Engine;
use crate::chat::model::log::{LogFault, LogReply};
use crate::chat::model::other_nodes::NodeId;
use crate::cluster::link::LinkEvent;

impl<E: Engine> Node<E> {
    pub(super) fn on_event(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Answered { tag, outcome } => {
                // The writer answers in order, so that only the first one can be meant; tags of
                // both lanes are of one counter.
                if self.flights.front().is_some_and(|flight| flight.tag == tag) {
                    let Some(flight) = self.flights.pop_front() else { return };
                    self.on_written(flight.what, outcome);
                } else if let Some(reading) = self.readings.remove(&tag) {
                    self.on_read(reading, outcome);
                }
            }
            LinkEvent::Lost { tag } => {
                self.is_up = false;
                if self.flights.front().is_some_and(|flight| flight.tag == tag) {
                    let Some(flight) = self.flights.pop_front() else { return };
                    self.on_write_lost(flight.what);
                } else if let Some(reading) = self.readings.remove(&tag) {
                    self.on_read_lost(reading);
                }
            }
            LinkEvent::Up { node, is_changed, .. } => {
                (self.id, self.is_up, self.is_down) = (Some(node), true, false);
                self.ids.insert(node);
                self.people.restart();
                self.replaced.is_wanted = true;
                // With another number than before, its sessions count as ended until it says
                // otherwise.
                self.is_returning = self.ids.len() > 1;
                // Locks and turns are of connections that are gone.
                self.upkeep.give_up();
                self.outgoing.give_up();
                self.pushing.give_up();
                self.schedule_check(is_changed);
                self.replies.push_back(LogReply::Health(Ok(())));
            }
            LinkEvent::Slow => {}
            LinkEvent::Down { .. } => {
                (self.is_up, self.is_down) = (false, true);
                self.refuse_all();
                self.replies.push_back(LogReply::Health(Err(LogFault::Broken)));
            }
            LinkEvent::Grew { rooms } => {
                for row in rooms {
                    self.held.wants.extend(self.held.of_row(row));
                }
            }
            LinkEvent::Missed => self.compare_at = self.now.tick,
            LinkEvent::Bus { node, payload } => self.on_bus(node, &payload),
            LinkEvent::NodeBegun { node } => {
                self.replies.push_back(LogReply::NodeBegun { node });
            }
            LinkEvent::NodeGone { node } => self.replies.push_back(LogReply::NodeGone { node }),
        }
    }

    fn on_bus(&mut self, node: NodeId, payload: &[u8]) {
        let Ok(payload) = str::from_utf8(payload) else { return };
        for word in bus_text::decode(payload) {
            match word {
                Word::Told(told) => self.replies.push_back(LogReply::Told { node, told }),
                Word::People => self.people.is_stale = true,
                Word::Replaced(at) => self.replaced.is_wanted |= self.ids.contains(&at),
            }
        }
    }

    /// Tells the others, at the end of a turn.
    pub(super) fn tell(&mut self) {
        let words = std::mem::take(&mut self.words);
        let (surely, perhaps): (Vec<_>, Vec<_>) = words.iter().partition(|word| word.matters());
        for payload in bus_text::encode(surely) {
            self.engine.say(payload.as_bytes());
        }
        for payload in bus_text::encode(perhaps) {
            self.engine.say_in_passing(payload.as_bytes());
        }
    }
}
