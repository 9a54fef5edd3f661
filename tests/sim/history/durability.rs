//! What must outlive a process: records, memberships, and how far users have read.
//!
//! Marks are told when they are kept: what was answered is never taken back, as records are not.

use std::collections::BTreeMap;

use chinwag::chat::model::name::RoomName;
use chinwag::chat::model::record::{Body, Record};

use super::{Check, Entry, History, LogKey};
use crate::plan::MODERATED_ROOM;
use crate::store::Durable;

/// What was so when a request was made, and must still be so in its answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    rooms: Vec<String>,
    /// How often the user had begun or ended to leave a room.
    leaves: u64,
    /// In which process it asked: what an earlier one has said may come late.
    life: u64,
    reads: BTreeMap<LogKey, u64>,
    /// The highest seq of each log that anybody had seen.
    pub(crate) heads: BTreeMap<LogKey, u64>,
}

impl History {
    /// A new process has begun.
    pub(crate) fn on_restart(&mut self) {
        self.lives += 1;
        let stored: Vec<bool> = self.logs.iter().map(|log| log.is_stored).collect();
        self.reads.retain(|(key, _), _| stored[key.0]);
        let rules = self.rules.clone();
        self.members.retain(|(room, _)| rules.is_stored(room));
    }

    /// A machine was lost that had not synced the end of a room's log: what was read there is to be
    /// read again.
    pub(crate) fn cut_off(&mut self, room: &str) {
        self.cut.insert(room.to_owned());
        let logs = &self.logs;
        self.reads.retain(|(key, _), _| logs[key.0].room != room);
    }

    /// Whether the room's log has lost its end at some time.
    pub(crate) fn is_cut(&self, room: &str) -> bool {
        self.cut.contains(room)
    }

    /// A user asks to leave a room: whether it is in it is open until that is answered.
    pub(crate) fn leaving(&mut self, room: &str, user: &str) {
        *self.leaving.entry((room.to_owned(), user.to_owned())).or_default() += 1;
        self.ended(room, user);
    }

    /// That was answered.
    pub(crate) fn left(&mut self, room: &str, user: &str) {
        if let Some(requested) = self.leaving.get_mut(&(room.to_owned(), user.to_owned())) {
            *requested = requested.saturating_sub(1);
        }
        self.ended(room, user);
    }

    /// The user hears that it is in the room no more.
    pub(crate) fn ended(&mut self, room: &str, user: &str) {
        *self.leaves.entry(user.to_owned()).or_default() += 1;
        self.members.remove(&(room.to_owned(), user.to_owned()));
    }

    fn is_leaving(&self, room: &str, user: &str) -> bool {
        self.leaving
            .get(&(room.to_owned(), user.to_owned()))
            .is_some_and(|&requested| requested > 0)
    }

    /// The user was answered that it is in the room.
    pub(crate) fn entered(&mut self, room: &str, user: &str, known: &Known) {
        // Out of the room with an owner one can be put at any time.
        if self.is_settled(room, user, known) && !room.starts_with('@') && room != MODERATED_ROOM {
            self.members.insert((room.to_owned(), user.to_owned()));
        }
    }

    /// Whether the user has not left meanwhile, by another connection, nor is about to.
    pub(crate) fn is_settled(&self, room: &str, user: &str, known: &Known) -> bool {
        let leaves = self.leaves.get(user).copied().unwrap_or(0);
        leaves == known.leaves && known.life == self.lives && !self.is_leaving(room, user)
    }

    /// Whether the user was in the room when it asked for something, and is in it still.
    pub(crate) fn is_surely_in(&self, room: &str, user: &str, known: &Known) -> bool {
        let is_member = self.members.contains(&(room.to_owned(), user.to_owned()));
        is_member
            && known.rooms.iter().any(|known| known == room)
            && self.is_settled(room, user, known)
    }

    /// What must be so in the answer to what `user` asks for.
    pub(crate) fn known(&self, user: &str) -> Known {
        let rooms = self.members.iter().filter(|(_, member)| member == user);
        let reads = self.reads.iter().filter(|((_, reader), _)| reader == user);
        Known {
            rooms: rooms.map(|(room, _)| room.clone()).collect(),
            heads: self.heads(),
            life: self.lives,
            leaves: self.leaves.get(user).copied().unwrap_or(0),
            reads: reads.map(|((key, _), read)| (*key, *read)).collect(),
        }
    }

    /// Whether an inbox has all rooms that it must have.
    pub(crate) fn check_rooms(&self, user: &str, known: &Known, listed: &[String]) -> Check {
        for room in &known.rooms {
            if self.is_surely_in(room, user, known) && !listed.contains(room) {
                return Err(format!("{user} is in {room}, which is not listed"));
            }
        }
        Ok(())
    }

    /// Whether a mark is not behind what was answered before it was asked for.
    pub(crate) fn check_read(
        &self,
        (key, user): (LogKey, &str),
        known: &Known,
        read: u64,
    ) -> Check {
        if !self.is_settled(&self.logs[key.0].room, user, known) {
            return Ok(());
        }
        let present = self.reads.get(&(key, user.to_owned())).copied().unwrap_or(0);
        let least = known.reads.get(&key).copied().unwrap_or(0).min(present);
        if read < least {
            let room = &self.logs[key.0].room;
            return Err(format!("{user} had read {least} of {room}, and has read {read}"));
        }
        Ok(())
    }

    /// Whether so much is unread for `user` between what it has read and `head`. What nobody has
    /// seen and what may have been pruned is not counted here.
    pub(crate) fn check_unread(
        &self,
        (key, user): (LogKey, &str),
        (read, head): (u64, u64),
        unread: u64,
    ) -> Check {
        let log = &self.logs[key.0];
        let forgets = self.rules.forgetful.is_some_and(|(room, _)| room == log.room);
        if !log.is_stored || forgets || read >= head {
            return Ok(());
        }
        let seen = log.records.range(read + 1..=head);
        if seen.clone().count() as u64 != head - read {
            return Ok(());
        }
        let is_unread = |(_, entry): &(&u64, &Entry)| entry.kind == "message" && entry.from != user;
        let most = seen.clone().filter(is_unread).count() as u64;
        // Some may have been deleted meanwhile.
        let room = &log.room;
        let stays = |(seq, _): &(&u64, &Entry)| !self.is_to_be_deleted(room, **seq);
        let least = seen.filter(is_unread).filter(stays).count() as u64;
        let count = if least == most { most.to_string() } else { format!("{least}..={most}") };
        if (least..=most).contains(&unread) {
            return Ok(());
        }
        Err(format!("{user} has {count} unread in {}, told {unread}", log.room))
    }

    /// Whether everything that was seen is in the store.
    pub(crate) fn check_kept(&self, durable: &Durable) -> Check {
        for log in self.logs.iter().filter(|log| log.is_stored) {
            let name =
                RoomName::parse(&log.room).map_err(|error| format!("{}: {error:?}", log.room))?;
            let Some(room) = durable.rooms.get(&name) else {
                // Dropped when its last member had left.
                continue;
            };
            if room.epoch.to_string() != log.epoch {
                continue;
            }
            for (&seq, entry) in log.records.range(room.oldest..) {
                let Some(kept) = room.records.get(&seq) else {
                    return Err(format!("{} has lost seq {seq}: {entry:?}", log.room));
                };
                log.changes
                    .check_kept(seq, kept)
                    .map_err(|fault| format!("{}: {fault}", log.room))?;
                if !is_same(entry, kept) {
                    return Err(format!("{} has {kept:?} at {seq}, not {entry:?}", log.room));
                }
            }
        }
        Ok(())
    }
}

/// Whether a record is what was seen, but for its text if that was changed since.
fn is_same(seen: &Entry, kept: &Record) -> bool {
    let text = match &kept.body {
        Body::Message { text, edited: None, .. } | Body::Topic { text } => Some(text),
        _ => None,
    };
    let is_text = text.is_none_or(|text| **text == *seen.text);
    is_text && kept.at == seen.at && kept.from.as_str() == seen.from
}
