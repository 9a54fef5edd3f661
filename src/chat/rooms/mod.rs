//! Rooms: each one's log head and recent ring, its members and their roles, and its restrictions.
//!
//! ```text
//!   User ──< Membership >── Room ── Ring            the log's recent end
//!                             └──── ModerationState  bans, mutes, invitations, acts under way
//! ```
//!
//! It looks down on `directory` and knows neither connections nor cursors. Questions that change
//! nothing are asked of a [`Lookup`].

mod departed;
mod edits;
mod handover;
mod invitation_index;
mod lookup;
mod marks;
mod membership;
mod names;
mod removals;
mod restrictions;
mod ring;
mod room;
mod sweep;
pub(super) mod unread;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;
use std::ops::{Index, IndexMut};

pub(super) use edits::{apply_changes, apply_pruning};
pub(super) use lookup::{Lookup, no_such_room, not_member, parse_room, parse_room_in};
pub(super) use marks::{AckKind, Marks, WaitingAck};
pub(super) use membership::{MemberFlag, Membership};
pub(super) use names::former_after;
pub(super) use restrictions::{PendingAct, refusal_until};
pub(super) use ring::RingBudget;
pub(super) use room::{Audited, Idle, Room};

use self::departed::Departed;
use self::invitation_index::InvitationIndex;
use self::marks::UnkeptMarks;
use self::removals::Removals;
pub(super) use self::sweep::Sweep;
use super::context::Context;
use super::directory::Directory;
use super::keys::{MembershipKey, RoomKey, UserKey};
use super::model::log::{LogId, Restriction, RestrictionMeta, RoomMeta};
use super::model::name::{Names, RoomName, UserName};
use super::model::policy::Policy;
use super::model::record::{Body, Epoch, SharedRecord};
use super::model::reply::Presence;
use crate::collections::{Key as _, Table, push_tightly};

/// Rooms that are tried for one that can be dropped, when there are as many as there may be: one
/// `join` must not walk all of them.
const SILENT_TRIES: usize = 256;
/// Members that a room may have which is dropped in this way, for the same reason.
const SILENT_MEMBERS_MAX: usize = 64;
/// Stale entries that the list of empty rooms may have beside one for each room.
const EMPTY_STALE_MAX: usize = 1024;

/// Epochs that one start gives out, at most: those of rooms that were in memory are not known any
/// more.
const EPOCHS_OF_A_START: u64 = 1 << 32;

/// All rooms and memberships.
///
/// Invariants:
/// - every room is found by each of its names, and every member names its room, with the index;
/// - the bytes of `rings` are those of all rooms' rings.
#[derive(Debug)]
pub(super) struct Rooms {
    pub table: Table<RoomKey, Room>,
    /// By their names, and by what these look like.
    by_name: Names<RoomKey>,
    /// Names that rooms are about to get.
    promised: BTreeMap<RoomName, RoomKey>,
    pub memberships: Table<MembershipKey, Membership>,
    pub rings: RingBudget,
    /// How far users have read, as long as that is not kept.
    pub unkept: UnkeptMarks,
    invited: InvitationIndex,
    /// Rooms without a member, longest empty first; may hold rooms that have members or are gone.
    empty: VecDeque<RoomKey>,
    /// The place of the room that is tried next for whether it can be dropped.
    silent_from: usize,
    /// How many rooms there are that are not in memory.
    pub elsewhere: usize,
    /// Where the next look is for rooms that are not in use.
    pub sweep: Sweep,
    /// Which memberships have ended.
    pub removals: Removals,
    /// Who has left memory rooms, or was removed.
    pub departed: Departed,
    /// The number of the last log, and the last epoch that was given out.
    logs: u64,
    pub epoch: Epoch,
    /// The epochs that this start gives out are above this one.
    epoch_before: Epoch,
    /// Where the name of a room is spelled that is looked for, so that a send allocates nothing for
    /// it.
    spelling: String,
}

impl Index<RoomKey> for Rooms {
    type Output = Room;

    fn index(&self, key: RoomKey) -> &Room {
        &self.table[key]
    }
}

impl IndexMut<RoomKey> for Rooms {
    fn index_mut(&mut self, key: RoomKey) -> &mut Room {
        &mut self.table[key]
    }
}

impl Index<MembershipKey> for Rooms {
    type Output = Membership;

    fn index(&self, key: MembershipKey) -> &Membership {
        &self.memberships[key]
    }
}

impl IndexMut<MembershipKey> for Rooms {
    fn index_mut(&mut self, key: MembershipKey) -> &mut Membership {
        &mut self.memberships[key]
    }
}

impl Rooms {
    /// No rooms. Epochs of different starts differ by the wall time and random bits, those of
    /// one start by a counter.
    pub(super) fn new(ring_bytes_max: usize, wall_ms: u64, rev: u64) -> Self {
        Self {
            table: Table::new(),
            by_name: Names::default(),
            promised: BTreeMap::new(),
            memberships: Table::new(),
            rings: RingBudget::new(ring_bytes_max),
            unkept: UnkeptMarks::default(),
            invited: InvitationIndex::default(),
            empty: VecDeque::new(),
            silent_from: 0,
            elsewhere: 0,
            sweep: Sweep::default(),
            removals: Removals::new(rev),
            departed: Departed::default(),
            logs: 0,
            epoch: Epoch::at(wall_ms),
            epoch_before: Epoch::at(wall_ms),
            spelling: String::new(),
        }
    }

    /// The wall clock was set: terms that were set before end when they were to end, by the time
    /// that has passed.
    pub(super) fn shift_terms(&mut self, context: &mut Context, step_ms: i64) {
        let keys: Vec<_> = self.table.iter().map(|(key, _)| key).collect();
        for key in keys {
            let Some(room) = self.table.get_mut(key) else { continue };
            if room.moderation.is_empty() {
                continue;
            }
            // Taken out, since telling the store borrows the room.
            let mut moderation = mem::take(&mut room.moderation);
            for (user, kind, meta) in moderation.shift_terms(step_ms) {
                let meta = RoomMeta::Restriction(user.clone(), *kind, Some(meta.clone()));
                room.put_meta(context, meta);
            }
            room.moderation = moderation;
        }
    }

    /// Gives the epochs of this start other low bits, before one is given out. The inboxes' `rev`
    /// begins at this one.
    pub(super) fn vary_epochs(&mut self, random: u128, rev: u64) {
        self.removals = Removals::new(rev);
        self.epoch = self.epoch.varied(random);
        self.epoch_before = self.epoch;
    }

    /// Has all epochs of this start be above `last`, which an earlier one has given out.
    pub(super) fn begin_epochs_above(&mut self, last: Epoch) {
        if last >= self.epoch {
            // Memory rooms of that start may have been given higher ones, which nobody has kept:
            // none of them may come again.
            self.epoch = Epoch(last.0.saturating_add(EPOCHS_OF_A_START));
            self.epoch_before = self.epoch;
        }
    }

    /// Whether this start has given out the epoch.
    pub(super) fn is_of_this_start(&self, epoch: Epoch) -> bool {
        epoch > self.epoch_before && epoch <= self.epoch
    }

    /// The room of this log, if it is still there.
    pub(super) fn of_log(&self, log: LogId) -> Option<RoomKey> {
        self.table.at(log.slot()).filter(|(_, room)| room.log == log).map(|(key, _)| key)
    }

    /// Adds a room with a log that was never there before. `chosen` is the policy that was chosen
    /// by name.
    pub(super) fn add(&mut self, name: RoomName, policy: &Policy, chosen: Option<&str>) -> RoomKey {
        self.logs += 1;
        self.epoch = Epoch(self.epoch.0.wrapping_add(1));
        let room = Room::new(name, LogId::new(0, self.logs), self.epoch, policy);
        let key = self.table.insert(room);
        let room = &mut self.table[key];
        // The log takes the room's place for its slot.
        room.log = LogId::new(key.index(), self.logs);
        room.moderation.choose_policy(chosen);
        self.by_name.insert(room.name.as_str(), key);
        key
    }

    /// How many rooms there are, in memory or not.
    pub(super) fn len(&self) -> usize {
        self.table.len() + self.elsewhere
    }

    /// Removes a room without members.
    pub(super) fn remove(&mut self, key: RoomKey) -> Option<Room> {
        let room = self.table.remove(key)?;
        debug_assert!(room.members.is_empty(), "only empty rooms are dropped");
        self.rings.forget(&room.ring);
        for user in room.moderation.invited() {
            self.invited.remove(user, key);
        }
        self.departed.remove_room(key);
        for name in room.names() {
            self.by_name.remove(name.as_str(), key);
        }
        Some(room)
    }

    /// Lists a room among those without a member.
    pub(super) fn list_empty(&mut self, key: RoomKey) {
        // As for absent users: swept when the stale ones outnumber the rooms. Each room stays once,
        // by when it became empty last, or one that is joined and left for ever would fill the
        // list.
        if self.empty.len() > 2 * self.table.len() + EMPTY_STALE_MAX {
            let is_empty = |room: &Room| room.members.is_empty();
            let mut seen = BTreeSet::new();
            let last = self.empty.iter().rev().copied();
            let last = last.filter(|&key| self.table.get(key).is_some_and(is_empty));
            self.empty = last.filter(|&key| seen.insert(key)).collect();
            self.empty.make_contiguous().reverse();
        }
        self.empty.push_back(key);
    }

    /// How many entries the list of empty rooms has.
    #[cfg(test)]
    pub(super) fn empty_len(&self) -> usize {
        self.empty.len()
    }

    /// Takes the room off the list that was empty for longest, and can be dropped.
    pub(super) fn pop_empty(&mut self) -> Option<RoomKey> {
        while let Some(key) = self.empty.pop_front() {
            let room = self.table.get(key);
            if room.is_some_and(|room| room.members.is_empty() && room.pending_ops == 0) {
                return Some(key);
            }
        }
        None
    }

    /// A room in which nothing was ever said and whose members are all off: nobody loses anything
    /// if it is dropped. Clients that only join make such rooms by the thousand. Tries some, from
    /// where the last search ended.
    pub(super) fn next_silent(&mut self, directory: &Directory) -> Option<RoomKey> {
        for _ in 0..SILENT_TRIES {
            let place = self.silent_from;
            self.silent_from = (place + 1) % self.table.places().max(1);
            let Some((key, room)) = self.table.at(place) else { continue };
            let is_small = room.members.len() <= SILENT_MEMBERS_MAX;
            let is_off = |&key: &MembershipKey| directory[self.memberships[key].user].is_off();
            if room.head == 0
                && room.pending_ops == 0
                && is_small
                && room.members.iter().all(is_off)
            {
                return Some(key);
            }
        }
        None
    }

    /// Adds a membership of a user that is no member yet.
    pub(super) fn add_member(
        &mut self,
        directory: &mut Directory,
        mut member: Membership,
    ) -> Option<MembershipKey> {
        let (user, room) = (member.user, member.room);
        let place = directory[user].find_membership(room).err()?;
        self.departed.remove(room, &directory[user].name);
        let row = &mut self.table[room];
        member.index = u32::try_from(row.members.len()).unwrap_or(u32::MAX);
        let key = self.memberships.insert(member);
        push_tightly(&mut row.members, key);
        directory[user].memberships.insert(place, (room, key));
        Some(key)
    }

    /// How many of these memberships count against their user's bound: on rooms, or on direct
    /// conversations that it has begun.
    pub(super) fn counted(&self, memberships: &[(RoomKey, MembershipKey)], direct: bool) -> usize {
        let counts = |&&(room, key): &&(RoomKey, MembershipKey)| {
            self.memberships[key].is_counted() && self.table[room].name.is_direct() == direct
        };
        memberships.iter().filter(counts).count()
    }

    /// Removes a membership.
    pub(super) fn remove_member(
        &mut self,
        directory: &mut Directory,
        key: MembershipKey,
    ) -> Option<Membership> {
        let removed = self.memberships.remove(key)?;
        self.unkept.forget(key);
        let user = &mut directory[removed.user];
        if let Ok(place) = user.find_membership(removed.room) {
            user.memberships.remove(place);
        }
        let room = &mut self.table[removed.room];
        let index = usize::try_from(removed.index).unwrap_or(usize::MAX);
        // Members name their place, so the last one may take it.
        room.members.swap_remove(index);
        if room.members.len() < room.members.capacity() / 4 {
            room.members.shrink_to(room.members.len() * 2);
        }
        if let Some(&moved) = room.members.get(index) {
            self.memberships[moved].index = removed.index;
        }
        Some(removed)
    }

    /// Sets what holds of the user in the room, `None` if it does not any more. Returns what has
    /// run out and is forgotten.
    pub(super) fn restrict(
        &mut self,
        (key, user): (RoomKey, &UserName),
        kind: Restriction,
        meta: Option<RestrictionMeta>,
        wall_ms: u64,
    ) -> Vec<(UserName, Restriction)> {
        match (kind, &meta) {
            (Restriction::Invited, Some(_)) => self.invited.add(user, key),
            (Restriction::Invited, None) => self.invited.remove(user, key),
            _ => {}
        }
        let over = self.table[key].moderation.set(user, kind, meta, wall_ms);
        for (user, _) in over.iter().filter(|(_, kind)| *kind == Restriction::Invited) {
            self.invited.remove(user, key);
        }
        over
    }

    /// The members of a room.
    pub(super) fn members(&self, key: RoomKey) -> impl Iterator<Item = &Membership> {
        self.table[key].members.iter().map(|&member| &self.memberships[member])
    }

    /// The users that are members of a room.
    pub(super) fn users(&self, key: RoomKey) -> impl Iterator<Item = UserKey> {
        self.members(key).map(|member| member.user)
    }

    /// The log has a record: the room's head, topic and ring show it, and its target as it is from
    /// now on. The oldest records of all rooms make place for it.
    pub(super) fn commit(
        &mut self,
        key: RoomKey,
        record: &SharedRecord,
        rev: u64,
        bounds: (usize, usize),
    ) {
        let room = &mut self.table[key];
        room.head = record.seq;
        room.rev = rev;
        if let Body::Topic { text } = &record.body {
            room.topic.clone_from(text);
        }
        edits::apply_to_ring(&mut self.rings, room, record);
        push_record(&mut self.rings, (key, room), SharedRecord::clone(record), bounds);
        self.make_place();
    }

    /// The log begins at `oldest` from now on: head, inboxes and ring show nothing from before.
    pub(super) fn prune(&mut self, key: RoomKey, oldest: u64, rev: u64) {
        let room = &mut self.table[key];
        if oldest > room.oldest {
            (room.oldest, room.rev) = (oldest, rev);
            edits::prune_ring(&mut self.rings, room, oldest);
        }
    }

    /// Drops records until the budget of all rings is kept.
    fn make_place(&mut self) {
        // The oldest of all go first, wherever they are: a busy room must not starve quiet ones.
        while let Some((key, seq)) = self.rings.excess() {
            let room = self.table.get_mut(key).filter(|room| room.ring.first() == Some(seq));
            if let Some(room) = room {
                evict(&mut self.rings, room);
            }
        }
        if self.rings.is_stale() {
            let table = &self.table;
            self.rings.retain(|key, seq| {
                let first = table.get(key).and_then(|room| room.ring.first());
                first.is_some_and(|first| first <= seq)
            });
        }
    }

    /// Checks the invariants. Returns how many members have published a presence, by room.
    #[expect(clippy::cognitive_complexity, reason = "one check after the other")]
    pub(super) fn debug_check(&self, directory: &Directory) {
        let bytes: usize = self.table.iter().map(|(_, room)| room.ring.bytes()).sum();
        debug_assert_eq!(self.rings.bytes(), bytes, "the budget counts every ring");
        let mut members = 0;
        for (key, room) in self.table.iter() {
            room.ring.debug_check();
            for name in room.names() {
                debug_assert_eq!(self.named(name.as_str()), Some(key), "a room is found");
            }
            for (member, index) in room.members.iter().zip(0..) {
                let row = &self.memberships[*member];
                debug_assert_eq!((row.room, row.index), (key, index), "a member is where it says");
            }
            members += room.members.len();
        }
        debug_assert_eq!(self.memberships.len(), members, "every membership has a room");
        self.debug_check_invitations();
        for (key, user) in directory.users() {
            debug_assert!(user.sessions.is_empty() || user.is_whole, "who is here has its rooms");
            for &(room, member) in &user.memberships {
                let row = &self.memberships[member];
                debug_assert_eq!((row.user, row.room), (key, room), "a membership is the user's");
            }
        }
    }

    fn debug_check_invitations(&self) {
        for (key, room) in self.table.iter() {
            for user in room.moderation.invited() {
                let rooms = self.invited.rooms_of(user);
                debug_assert!(rooms.contains(&key), "an invitation is found by its user");
            }
        }
    }

    /// How many members of a room have published a presence other than off.
    pub(super) fn published(&self, key: RoomKey) -> usize {
        self.members(key).filter(|row| row.published != Presence::Off).count()
    }
}

/// Adds the next record to a room's ring, of which the oldest make place for it.
fn push_record(
    rings: &mut RingBudget,
    (key, room): (RoomKey, &mut Room),
    record: SharedRecord,
    bounds: (usize, usize),
) {
    rings.push(&mut room.ring, key, record);
    while room.ring.is_over(bounds) {
        evict(rings, room);
    }
}

/// Drops the oldest record of a room's ring. Where the ring is all there is, this prunes the log.
fn evict(rings: &mut RingBudget, room: &mut Room) {
    let dropped = rings.pop(&mut room.ring);
    let was_edited =
        |record: &SharedRecord| matches!(record.body, Body::Message { edited: Some(_), .. });
    if !room.is_stored() && dropped.as_ref().is_some_and(was_edited) {
        edits::prune_ring(rings, room, room.oldest());
    }
}
