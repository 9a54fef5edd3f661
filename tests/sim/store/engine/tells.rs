//! What nodes are told of each other's doings, and what they read.

use chinwag::chat::model::load::{Begun, Wanted};
use chinwag::chat::model::log::{Answer, LogId, LogReply, Query, RoomMeta};
use chinwag::chat::model::name::RoomName;
use chinwag::chat::model::record::SharedRecord;

use super::super::durable::Room;
use super::super::engine_fault::EngineFault;
use super::super::reader::{self, OpenLogs};
use super::{COMPARE_EVERY, Engine, Held, Known, Reading};

impl Engine {
    /// The nodes that hold the room hear that it has grown, late or not at all.
    pub(super) fn wake_others(&mut self, place: usize, room: &RoomName) {
        let mut others = self.others(place);
        // Also the one that has written it, if it did not learn of that.
        others.push(place);
        for other in others {
            let is_deaf = self.turn < self.nodes[other].deaf_until;
            let is_lost = is_deaf || self.rng.once_in(self.config.lost_wake);
            let due = self.turn + self.rng.below(self.config.wake_delay + 1);
            if is_lost {
                self.counts.lost_wakes += 1;
            } else {
                self.nodes[other].wakes.entry(room.clone()).or_insert(due);
            }
        }
    }

    pub(super) fn wake(&mut self, place: usize) {
        if self.fault == Some(EngineFault::StuckListener) && place == 0 {
            self.faults_done += 1;
            return;
        }
        let is_due = self.nodes[place].compare_at <= self.turn;
        if is_due {
            self.nodes[place].compare_at = self.turn + COMPARE_EVERY;
        }
        let turn = self.turn;
        let node = &mut self.nodes[place];
        let woken: Vec<RoomName> =
            node.wakes.extract_if(.., |_, due| *due <= turn).map(|(room, _)| room).collect();
        let logs = node.held.iter();
        let logs = logs.filter(|(_, held)| is_due || woken.contains(&held.room));
        let logs: Vec<LogId> = logs.map(|(log, _)| *log).collect();
        for log in logs {
            self.catch_up(place, log);
        }
        if is_due {
            self.tell_people(place);
        }
    }

    /// Tells a node what it was not told of a log: all of it.
    pub(super) fn catch_up(&mut self, place: usize, log: LogId) {
        let Some(held) = self.nodes[place].held.get(&log).cloned() else { return };
        let Some(room) = self.durable.rooms.get(&held.room) else {
            // It was closed between being found and being held.
            self.nodes[place].held.remove(&log);
            return self.say(place, LogReply::Gone { log, farewell: None }, None);
        };
        let changes = self.changes.entry(held.room.clone()).or_default();
        let acts = changes.acts_of_others(place);
        let known = Known { epoch: Some(room.epoch), acts };
        let now = Held { room: held.room.clone(), head: room.head, facts: changes.count, known };
        let reply = if Some(room.epoch) == held.known.epoch {
            let records: Vec<SharedRecord> = room
                .records
                .range(held.head + 1..)
                .map(|(_, record)| SharedRecord::clone(record))
                .collect();
            let facts = changes.facts.values();
            let mut facts: Vec<_> =
                facts.filter(|(count, by, _)| *count > held.facts && *by != place).collect();
            facts.sort_by_key(|(count, ..)| *count);
            let meta: Vec<RoomMeta> = facts.into_iter().map(|(.., meta)| meta.clone()).collect();
            if records.is_empty() && meta.is_empty() {
                return;
            }
            self.counts.grown += 1;
            LogReply::Grown { log, records: self.break_records(records), meta }
        } else {
            if self.fault == Some(EngineFault::MissedEpoch) && held.head > 0 {
                self.faults_done += 1;
                return;
            }
            self.counts.renewed += 1;
            let begun = Box::new(begun(self.durable.name(&held.room), room));
            LogReply::Renewed { log, begun }
        };
        self.nodes[place].held.insert(log, now);
        self.say(place, reply, Some((log, known)));
    }

    pub(super) fn break_records(&mut self, mut records: Vec<SharedRecord>) -> Vec<SharedRecord> {
        let Some(fault) = self.fault.filter(|_| !records.is_empty()) else { return records };
        match fault {
            EngineFault::GrownDoubled if self.rng.once_in(4) => {
                let first = SharedRecord::clone(&records[0]);
                records.insert(0, first);
            }
            EngineFault::GrownSwapped if records.len() > 1 => records.swap(0, 1),
            EngineFault::RecordLost if self.rng.once_in(4) => drop(records.remove(0)),
            _ => return records,
        }
        self.faults_done += 1;
        records
    }

    pub(super) fn read(&mut self, place: usize) {
        let turn = self.turn;
        let due: Vec<Reading> =
            self.nodes[place].reads.extract_if(.., |reading| reading.due <= turn).collect();
        for Reading { ticket, query, .. } in due {
            if let Query::Load(wanted) = &query {
                self.load(place, wanted);
            }
            let node = &self.nodes[place];
            let open: OpenLogs =
                node.held.iter().map(|(log, held)| (*log, held.room.clone())).collect();
            let outcome = Ok(match &query {
                // Of what is held it was told just before.
                Query::Load(wanted) => {
                    let mut found = self.durable.load(wanted);
                    found.sessions = self.sessions.find(&wanted.sessions);
                    let is_open =
                        |name: &RoomName| open.values().any(|open| *open == self.durable.key(name));
                    found.rooms.retain(|room| !is_open(&room.name));
                    Answer::Loaded(found)
                }
                query => reader::answer(&self.durable, &open, query),
            });
            self.say(place, LogReply::Answer { ticket, outcome }, None);
        }
    }

    /// What is read of rooms that are not held is what the node knows when it opens them.
    pub(super) fn load(&mut self, place: usize, wanted: &Wanted) {
        for found in self.durable.load(wanted).rooms {
            let name = self.durable.key(&found.name);
            let held = self.nodes[place].held.iter().find(|(_, held)| held.room == name);
            if let Some((&log, _)) = held {
                self.catch_up(place, log);
                continue;
            }
            let room = &self.durable.rooms[&name];
            let changes = self.changes.entry(name.clone()).or_default();
            let acts = changes.acts_of_others(place);
            let known = Known { epoch: Some(room.epoch), acts };
            let held = Held { room: name.clone(), head: room.head, facts: changes.count, known };
            self.nodes[place].loaded.insert(name, held);
        }
    }
}

fn begun(name: RoomName, room: &Room) -> Begun {
    Begun {
        name,
        epoch: room.epoch,
        durability: room.durability,
        head: room.head,
        oldest: room.oldest,
        meta: room.meta.values().cloned().collect(),
        kept: None,
    }
}
