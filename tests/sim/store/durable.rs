//! What survives: rooms with their logs, `cid`s and facts, and what a transaction does to them.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use chinwag::chat::model::load::{Begun, Depth, Found, KnownUser, Wanted};
use chinwag::chat::model::log::{
    Appended, Draft, Elsewhere, LogFault, Restriction, RoomMeta, Snapshot, TargetCheck,
};
use chinwag::chat::model::name::{RoomName, UserName, skeleton};
use chinwag::chat::model::policy::Retention;
use chinwag::chat::model::record::{Body, Epoch, Record, SharedRecord};
use chinwag::chat::model::reply::Durability;
use chinwag::rng::Rng;

use super::store_fault::StoreFault;

/// Records at most that a log of level `os` loses with the machine.
const LOST_MAX: u64 = 8;

/// All that survives a crash.
#[derive(Clone, Debug, Default)]
pub(crate) struct Durable {
    /// By the names by which they were made.
    pub(crate) rooms: BTreeMap<RoomName, Room>,
    /// Which of them the names lead to that they were given since.
    pub(super) renamed: BTreeMap<RoomName, RoomName>,
    /// Which records there are, in the order in which they were written: the order of search.
    pub(super) order: BTreeMap<u64, (RoomName, u64)>,
    pub(super) written: u64,
    /// A promise that is broken on purpose.
    pub(super) store_fault: Option<StoreFault>,
    /// How many times it was.
    pub(super) faults_done: u64,
}

/// One room and its log.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    pub(crate) epoch: Epoch,
    pub(crate) durability: Durability,
    pub(crate) retention: Retention,
    pub(crate) head: u64,
    pub(crate) oldest: u64,
    at: u64,
    pub(crate) records: BTreeMap<u64, SharedRecord>,
    pub(super) cids: BTreeMap<(String, String), Sent>,
    pub(crate) meta: BTreeMap<FactKey, RoomMeta>,
    /// The name that it was given last.
    name: Option<RoomName>,
}

/// What is remembered of a message with a `cid`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    seq: u64,
    at: u64,
    said: u64,
}

/// Facts of the same key replace one another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FactKey {
    Access,
    Topic,
    Name,
    Member(String),
    Restriction(String, Restriction),
}

impl FactKey {
    pub(super) fn of(meta: &RoomMeta) -> Self {
        match meta {
            RoomMeta::Access { .. } => Self::Access,
            RoomMeta::Topic(..) => Self::Topic,
            RoomMeta::Name(..) => Self::Name,
            RoomMeta::Member(user, _) => Self::Member(user.as_str().to_owned()),
            RoomMeta::Restriction(user, standing, _) => {
                Self::Restriction(user.as_str().to_owned(), *standing)
            }
        }
    }
}

impl Durable {
    /// What a server that starts is told of: all rooms if they are at most so many, or none.
    pub(crate) fn kept(&self, preload: usize) -> Snapshot {
        let mut wanted = Wanted::default();
        if self.rooms.len() <= preload {
            self.rooms.keys().for_each(|name| wanted.add_room(name.clone(), false));
        }
        let rooms = self.load(&wanted).rooms;
        let elsewhere = Elsewhere {
            on_demand: true,
            rooms: self.rooms.len() - rooms.len(),
            newest: self.rooms.values().map(|room| room.epoch).max(),
            names: Vec::new(),
        };
        Snapshot { rooms, elsewhere, ..Snapshot::default() }
    }

    /// What is there of what is wanted.
    pub(super) fn load(&self, wanted: &Wanted) -> Found {
        let mut found = Found::default();
        for (name, with_lookalikes) in &wanted.rooms {
            let key = self.key(name);
            let is_meant = |other: &RoomName| {
                *other == key
                    || *with_lookalikes
                        && !name.is_direct()
                        && skeleton(other.as_str()) == skeleton(name.as_str())
            };
            for (name, room) in self.rooms.iter().filter(|(name, _)| is_meant(name)) {
                found.rooms.push(Begun {
                    name: room.name_or(name),
                    epoch: room.epoch,
                    durability: room.durability,
                    head: room.head,
                    oldest: room.oldest,
                    meta: room.meta.values().cloned().collect(),
                    kept: None,
                });
                if let Some((a, b)) = name.pair() {
                    let ends = [a, b].into_iter().filter_map(UserName::stored);
                    found.users.extend(ends.map(|end| self.user(&end, Depth::Known)));
                }
            }
        }
        for (name, depth) in &wanted.users {
            let user = self.user(name, *depth);
            if !user.is_member {
                found.users.extend(self.lookalikes(name));
            }
            found.users.push(user);
        }
        found
    }

    fn lookalikes(&self, name: &UserName) -> Vec<KnownUser> {
        let keys = self.rooms.values().flat_map(|room| room.meta.keys());
        let names = keys.filter_map(|key| match key {
            FactKey::Member(other) if skeleton(other) == skeleton(name.as_str()) => Some(other),
            _ => None,
        });
        let others = names.filter(|other| **other != name.as_str());
        others
            .filter_map(|other| Some(self.user(&UserName::stored(other)?, Depth::Known)))
            .collect()
    }

    fn user(&self, name: &UserName, depth: Depth) -> KnownUser {
        let mut user =
            KnownUser { name: name.clone(), is_member: false, has_come: false, rooms: Vec::new() };
        let member = FactKey::Member(name.as_str().to_owned());
        let invited = FactKey::Restriction(name.as_str().to_owned(), Restriction::Invited);
        for (room_name, room) in &self.rooms {
            if let Some(RoomMeta::Member(_, Some(member))) = room.meta.get(&member) {
                user.is_member = true;
                user.has_come |= !room_name.is_direct() || member.recv > 0 || member.read > 0;
                if depth == Depth::Rooms {
                    user.rooms.push(room.name_or(room_name));
                }
            }
            if depth >= Depth::Invited && room.meta.contains_key(&invited) {
                user.rooms.push(room.name_or(room_name));
            }
        }
        user
    }

    /// By which name a room was made that has this one, or had it.
    pub(super) fn key(&self, name: &RoomName) -> RoomName {
        self.renamed.get(name).unwrap_or(name).clone()
    }

    /// The name that a room has.
    pub(crate) fn name(&self, key: &RoomName) -> RoomName {
        self.rooms.get(key).map_or_else(|| key.clone(), |room| room.name_or(key))
    }

    /// The name leads to no room any more, if it is not the one by which one was made.
    pub(super) fn free_name(&mut self, name: &RoomName) -> bool {
        self.renamed.remove(name).is_some()
    }

    /// Whether a name is, or was, that of another room.
    pub(super) fn is_anothers(&self, name: &RoomName, room: &RoomName) -> bool {
        let key = self.key(name);
        key != *room && self.rooms.contains_key(&key)
    }

    /// A log begins, or goes on.
    pub(super) fn open(
        &mut self,
        name: &RoomName,
        epoch: Epoch,
        (durability, retention): (Durability, Retention),
    ) {
        let room = self.rooms.entry(name.clone()).or_insert_with(|| Room {
            epoch,
            durability,
            retention,
            head: 0,
            oldest: 1,
            at: 0,
            records: BTreeMap::new(),
            cids: BTreeMap::new(),
            meta: BTreeMap::new(),
            name: None,
        });
        (room.durability, room.retention) = (durability, retention);
    }

    /// The room is gone.
    pub(super) fn remove(&mut self, name: &RoomName) {
        self.rooms.remove(name);
        self.renamed.retain(|_, room| room != name);
        self.order.retain(|_, (room, _)| room != name);
    }

    /// Writes a fact.
    pub(super) fn keep(&mut self, name: &RoomName, meta: RoomMeta) {
        if let Some(room) = self.rooms.get_mut(name) {
            room.keep(meta);
        }
    }

    /// Puts a record at a log's end, with what changes with it, or neither.
    pub(super) fn append(&mut self, name: &RoomName, draft: Draft, wall_ms: u64) -> Appended {
        let Some(room) = self.rooms.get_mut(name) else {
            return Appended::Refused(LogFault::Broken);
        };
        let cid = cid_of(&draft);
        if let Some(sent) = cid.as_ref().and_then(|(key, _)| room.cids.get(key)) {
            let same = cid.as_ref().is_some_and(|(_, said)| *said == sent.said);
            let (seq, at) = (sent.seq, sent.at);
            return if same { Appended::Duplicate { seq, at } } else { Appended::Conflict { seq } };
        }
        if draft.is_question {
            return Appended::Unknown;
        }
        if let Some(refusal) = draft.check.and_then(|check| room.refuse(check, &draft)) {
            return refusal;
        }
        room.head += 1;
        room.at = room.at.max(wall_ms);
        let (seq, at) = (room.head, room.at);
        if let Some((key, said)) = cid {
            room.cids.insert(key, Sent { seq, at, said });
        }
        let Draft { from, body, weight, meta, .. } = draft;
        let record = SharedRecord::new(Record { seq, at, from, body, weight });
        if room.change(&record, self.store_fault) {
            self.faults_done += 1;
        }
        room.records.insert(seq, SharedRecord::clone(&record));
        for meta in meta {
            room.keep(meta);
        }
        if let Body::Rename { name: given, .. } = &record.body {
            room.name = Some(given.clone());
            if given != name {
                self.renamed.insert(given.clone(), name.clone());
            }
        }
        self.written += 1;
        self.order.insert(self.written, (name.clone(), seq));
        Appended::Stored(record)
    }

    /// The machine is lost, with what it had not synced: the logs of level `os` lose their ends and
    /// begin new epochs. The rooms that are not what they were.
    pub(super) fn lose_machine(&mut self, rng: &mut Rng) -> Vec<RoomName> {
        let newest = self.rooms.values().map(|room| room.epoch.0).max().unwrap_or(0);
        let epoch = Epoch(newest + 1);
        let mut lost = Vec::new();
        for (name, room) in &mut self.rooms {
            if room.durability != Durability::Os {
                continue;
            }
            let there = room.head + 1 - room.oldest;
            let head = room.head - rng.below(there.min(LOST_MAX) + 1);
            let is_cut = head < room.head;
            room.records.split_off(&(head + 1));
            room.cids.retain(|_, sent| sent.seq <= head);
            room.head = head;
            self.order.retain(|_, (of, seq)| of != name || *seq <= head);
            if self.store_fault == Some(StoreFault::MachineEpochKept) {
                self.faults_done += u64::from(is_cut);
                continue;
            }
            room.epoch = epoch;
            lost.push(name.clone());
        }
        lost
    }

    /// Drops the records that a room's retention does not keep; the new oldest, if there is one.
    pub(super) fn prune(&mut self, name: &RoomName, wall_ms: u64) -> Option<u64> {
        let room = self.rooms.get_mut(name)?;
        let oldest = room.oldest_kept(wall_ms);
        if oldest <= room.oldest {
            return None;
        }
        room.oldest = oldest;
        room.records = room.records.split_off(&oldest);
        room.clear_edits(|target| target < oldest);
        self.order.retain(|_, (of, seq)| of != name || *seq >= oldest);
        Some(oldest)
    }
}

impl Room {
    fn name_or(&self, made: &RoomName) -> RoomName {
        self.name.clone().unwrap_or_else(|| made.clone())
    }

    fn keep(&mut self, meta: RoomMeta) {
        let key = FactKey::of(&meta);
        match meta {
            RoomMeta::Member(_, None) | RoomMeta::Restriction(_, _, None) => {
                self.meta.remove(&key);
            }
            meta => {
                self.meta.insert(key, meta);
            }
        }
    }

    /// Why a record that is about another one cannot be taken.
    fn refuse(&self, check: TargetCheck, draft: &Draft) -> Option<Appended> {
        let target = self.records.get(&check.target);
        let Some(target) = target.filter(|target| matches!(target.body, Body::Message { .. }))
        else {
            return Some(Appended::NoSuchMessage);
        };
        if !check.others && target.from != draft.from {
            return Some(Appended::NotYours);
        }
        (target.at < check.not_before).then_some(Appended::TooOld)
    }

    /// Changes what `record` is about; whether that was left out on purpose.
    fn change(&mut self, record: &Record, store_fault: Option<StoreFault>) -> bool {
        match &record.body {
            Body::Edit { target, text: Some(text) } => {
                if store_fault == Some(StoreFault::EditNotApplied) {
                    return true;
                }
                self.edit(*target, text, record);
            }
            Body::Deletion { target } => {
                if store_fault == Some(StoreFault::DeletionNotErased) {
                    return true;
                }
                self.erase(*target);
            }
            _ => {}
        }
        false
    }

    fn edit(&mut self, target: u64, new: &str, edit: &Record) {
        let Some(target) = self.records.get_mut(&target) else { return };
        let mut changed = Record::clone(target);
        if let Body::Message { text, edited, .. } = &mut changed.body {
            *text = new.into();
            *edited = Some(edit.at);
            changed.weight = changed.weight.max(edit.weight);
        }
        let seq = target.seq;
        *target = SharedRecord::new(changed);
        self.clear_edits(|target| target == seq);
    }

    /// Takes the texts of the edits of these messages.
    fn clear_edits(&mut self, is_of: impl Fn(u64) -> bool) {
        for record in self.records.values_mut() {
            if let Body::Edit { target, text: Some(_) } = record.body
                && is_of(target)
            {
                let body = Body::Edit { target, text: None };
                *record = SharedRecord::new(Record { body, ..Record::clone(record) });
            }
        }
    }

    fn erase(&mut self, erased: u64) {
        for (seq, record) in &mut self.records {
            let body = match &record.body {
                Body::Message { .. } if *seq == erased => Body::Deleted,
                Body::Edit { target, .. } if *target == erased => {
                    Body::Edit { target: *target, text: None }
                }
                _ => continue,
            };
            *record = SharedRecord::new(Record { body, from: record.from.clone(), ..**record });
        }
    }

    fn oldest_kept(&self, wall_ms: u64) -> u64 {
        let Retention { age, records, bytes } = self.retention;
        let by_count = records.map_or(0, |most| (self.head + 1).saturating_sub(most));
        let born = age.map_or(0, |age| {
            wall_ms.saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
        });
        let by_age = self.records.iter().find(|(_, record)| record.at >= born);
        let by_age = by_age.map_or(self.head + 1, |(seq, _)| *seq);
        let mut held = 0;
        let mut by_bytes = self.oldest;
        for (seq, record) in self.records.iter().rev() {
            held += size(&record.body);
            if bytes.is_some_and(|most| held > most) {
                by_bytes = seq + 1;
                break;
            }
        }
        self.oldest.max(by_count).max(by_age).max(by_bytes)
    }
}

/// Bytes of text and data.
fn size(body: &Body) -> u64 {
    let len = match body {
        Body::Message { text, data, .. } => text.len() + data.as_ref().map_or(0, |data| data.len()),
        Body::Edit { text: Some(text), .. } | Body::Topic { text } => text.len(),
        _ => 0,
    };
    len as u64
}

/// A message's `cid` with its user, and a hash of what is said with it.
fn cid_of(draft: &Draft) -> Option<((String, String), u64)> {
    let Body::Message { cid: Some(cid), .. } = &draft.body else { return None };
    let mut hasher = DefaultHasher::new();
    draft.body.hash(&mut hasher);
    Some(((draft.from.as_str().to_owned(), cid.to_string()), hasher.finish()))
}
