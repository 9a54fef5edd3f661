//! Who has come and gone.

use std::mem;

use super::EphemeralMut;
use crate::chat::keys::{MembershipKey, RoomKey, UserKey};
use crate::chat::model::event::{Event, PresenceChange};
use crate::chat::model::limits::PRESENCE_NAMES_MAX;
use crate::chat::model::name::UserName;
use crate::chat::model::policy::PresenceMode;
use crate::chat::model::reply::{Presence, Reply};
use crate::chat::rooms::{MemberFlag, Room, Rooms};
use crate::time::Tick;

/// Connections for each of which a room's presence interval is a full one longer.
const SUBSCRIBERS_PER_INTERVAL: usize = 1_000;
/// Stale keys that a room's changes may hold, beside two for each member.
const CHANGES_STALE_MAX: usize = 64;

/// Who has come and gone in one room.
#[derive(Debug, Default)]
pub(super) struct RoomPresence {
    /// The version that was told last.
    pub(super) v: u64,
    /// How many members were told to be online or away.
    pub(super) count: u64,
    /// Only counts were told last.
    counts_only: bool,
    /// Members whose presence may have changed; may hold keys of former members.
    pub(super) changes: Vec<MembershipKey>,
    /// Users that are members no more and were told to be present.
    gone: Vec<UserName>,
    /// The next event tells everything instead of the changes.
    pub(super) whole: bool,
    /// The earliest next event.
    at: Tick,
}

/// The changes of a room's members, by name unless only counts are told.
#[derive(Debug, Default)]
struct Delta {
    on: Vec<UserName>,
    away: Vec<UserName>,
    off: Vec<UserName>,
    is_changed: bool,
}

impl RoomPresence {
    /// When there is something to tell.
    pub(super) fn due(&self) -> Option<Tick> {
        // `at` alone says nothing: it is when the room may speak again, not that it has something
        // to say.
        let is_due = self.whole || !self.changes.is_empty() || !self.gone.is_empty();
        is_due.then_some(self.at)
    }

    /// Whether only counts were told last, who has gone, and when it may be told next.
    pub(super) fn parts(&self) -> (bool, &[UserName], Tick) {
        (self.counts_only, &self.gone, self.at)
    }

    /// Restores what was told last, with which count, and what is still to be told.
    pub(super) fn set(
        &mut self,
        (v, count): (u64, u64),
        (counts_only, whole): (bool, bool),
        gone: Vec<UserName>,
    ) {
        *self = Self { v, count, counts_only, gone, whole, ..Self::default() };
    }

    /// When it may be told next.
    pub(super) const fn set_at(&mut self, at: Tick) {
        self.at = at;
    }

    /// A member that was told to be present is none any more. In `changes` its key stays: in a
    /// large room that many leave at once, taking them out one by one would be quadratic.
    pub(super) fn forget(&mut self, name: &UserName) {
        self.count -= 1;
        if self.gone.len() < PRESENCE_NAMES_MAX {
            self.gone.push(name.clone());
        } else {
            self.whole = true;
        }
    }
}

impl EphemeralMut<'_> {
    /// A member's presence may be another than was told.
    pub(in crate::chat) fn presence_changed(&mut self, key: MembershipKey) {
        let room = self.rooms[key].room;
        // The flag is not set in such a room, so that nothing is owed should its policy change.
        if self.rooms[room].presence == PresenceMode::Off
            || self.rooms[key].set(MemberFlag::PresenceChanged, true)
        {
            return;
        }
        let changes = &mut self.ephemeral.room(room).presence.changes;
        changes.push(key);
        if changes.len() > 2 * self.rooms[room].members.len() + CHANGES_STALE_MAX {
            // Each at most once is no more than the members: this is paid for by as many that came.
            // Keys of former members stay in the list when these leave, and a member that comes
            // back gets a new key: without a bound, one user who joins and leaves in a loop would
            // fill it.
            changes.retain(|&key| is_change(self.rooms, key));
            changes.sort_unstable();
            changes.dedup();
        }
        self.arm(room);
    }

    /// A user's presence has changed: all its rooms are told in time.
    pub(in crate::chat) fn user_changed(&mut self, user: UserKey) {
        let directory = self.directory;
        for &(_, key) in &directory[user].memberships {
            self.presence_changed(key);
        }
    }

    /// Tells who has come and gone, if that is due, before somebody who asks is told less.
    pub(in crate::chat) fn tell_due_presence(&mut self, key: RoomKey) {
        if self.ephemeral.room(key).presence.at <= self.context.now.tick {
            self.tell_presence(key);
        }
    }

    fn tell_presence(&mut self, key: RoomKey) {
        let counts_only = is_counted(&self.rooms[key]);
        let delta = self.take_delta(key, counts_only);
        let subscribers = self.delivery.subscribers(key);
        let room = &self.rooms[key];
        let presence = &mut self.ephemeral.room(key).presence;
        let whole = mem::take(&mut presence.whole) || (presence.counts_only && !counts_only);
        presence.counts_only = counts_only;
        if !(delta.is_changed || whole) || room.presence == PresenceMode::Off {
            return;
        }
        // The version rises only with an event, so that a client sees a gap when it missed one.
        presence.v += 1;
        let intervals = u32::try_from(1 + subscribers / SUBSCRIBERS_PER_INTERVAL);
        let intervals = intervals.unwrap_or(u32::MAX);
        let interval = self.context.limits.presence_interval.saturating_mul(intervals);
        presence.at = self.context.now.tick.after(interval);
        let (v, count) = (presence.v, presence.count);
        let name = room.name.clone();
        let (change, names) = if counts_only {
            (PresenceChange::CountOnly, 0)
        } else if whole {
            let present = self.present(key, None);
            let names = present.len();
            (PresenceChange::State(present), names)
        } else {
            let Delta { on, away, off, .. } = delta;
            let names = on.len() + away.len() + off.len();
            (PresenceChange::Delta { on, away, off }, names)
        };
        let apart = self.who_has_blocked(key, &change);
        let event = |count, change| Event::Presence { room: name.clone(), v, count, change };
        for &viewer in &apart {
            let count = count - self.hidden_from(key, viewer);
            let change = self.veiled(&change, viewer);
            self.tell_user(key, viewer, (event(count, change), names));
        }
        let event = event(count, change);
        self.tell_room(key, (event, names), |user| apart.contains(&user));
    }

    /// The members who have blocked another member, or one who is none any more and whom the change
    /// tells to be off.
    fn who_has_blocked(&self, key: RoomKey, change: &PresenceChange) -> Vec<UserKey> {
        let off = match change {
            PresenceChange::Delta { off, .. } => off.as_slice(),
            PresenceChange::State(_) => &[],
            PresenceChange::CountOnly => return Vec::new(),
        };
        if self.directory.blocks.is_empty() {
            return Vec::new();
        }
        let is_member = |name: &UserName| {
            let user = self.directory.user_named(name.as_str());
            off.contains(name)
                || user.is_some_and(|user| self.directory[user].membership(key).is_some())
        };
        let viewers = self.rooms.members(key).map(|row| row.user).filter(|&viewer| {
            let mut blocked = self.directory.blocks.of(&self.directory[viewer].name);
            blocked.any(|(name, _)| is_member(name))
        });
        viewers.collect()
    }

    /// How many members that were told to be present a viewer is not told of.
    fn hidden_from(&self, key: RoomKey, viewer: UserKey) -> u64 {
        if self.directory.blocks.is_empty() {
            return 0;
        }
        let present = self.rooms.members(key).filter(|row| row.published != Presence::Off);
        let hidden = present.filter(|row| self.directory.has_blocked(viewer, row.user));
        u64::try_from(hidden.count()).unwrap_or(u64::MAX)
    }

    /// A change without those whom the viewer has blocked.
    fn veiled(&self, change: &PresenceChange, viewer: UserKey) -> PresenceChange {
        let viewer = &self.directory[viewer].name;
        let is_shown = |name: &UserName| !self.directory.blocks.has(viewer, name);
        let shown = |names: &[UserName]| {
            names.iter().filter(|&name| is_shown(name)).cloned().collect::<Vec<_>>()
        };
        match change {
            PresenceChange::Delta { on, away, off } => {
                PresenceChange::Delta { on: shown(on), away: shown(away), off: shown(off) }
            }
            PresenceChange::State(users) => {
                let users = users.iter().filter(|(name, _)| is_shown(name));
                PresenceChange::State(users.cloned().collect())
            }
            PresenceChange::CountOnly => PresenceChange::CountOnly,
        }
    }

    /// Takes the changes of a room, which count as told from now on.
    fn take_delta(&mut self, key: RoomKey, counts_only: bool) -> Delta {
        let presence = &mut self.ephemeral.room(key).presence;
        let mut delta = Delta::default();
        for member in mem::take(&mut presence.changes) {
            if !is_change(self.rooms, member) {
                continue;
            }
            let row = &mut self.rooms[member];
            row.set(MemberFlag::PresenceChanged, false);
            let user = &self.directory[row.user];
            let is = user.presence;
            let was = mem::replace(&mut row.published, is);
            // Away for a moment and back within the interval: nobody was told of it, and nobody
            // needs to be.
            if was == is {
                continue;
            }
            delta.is_changed = true;
            presence.count += u64::from(was == Presence::Off);
            presence.count -= u64::from(is == Presence::Off);
            if !counts_only {
                delta.list_mut(is).push(user.name.clone());
            }
        }
        if !counts_only {
            // A user that has left and come back within the interval is not off.
            let is_back = |name: &UserName| delta.on.contains(name) || delta.away.contains(name);
            presence.gone.retain(|name| !is_back(name));
        }
        delta.is_changed |= !presence.gone.is_empty();
        // Emptied also where only counts are told: a name left here would be a change for ever.
        delta.off.append(&mut presence.gone);
        for list in [&mut delta.on, &mut delta.away, &mut delta.off] {
            // Names and not the order of events, so that the same state gives the same bytes on
            // every run.
            list.sort_unstable();
        }
        delta
    }

    /// The answer to `presence`: as it was told last; a count only where that is told, and 0 where
    /// nothing is.
    pub(in crate::chat) fn presence_reply(&mut self, key: RoomKey, viewer: UserKey) -> Reply {
        self.tell_due_presence(key);
        let (v, count) = self.ephemeral.presence_version(key);
        let users = (!is_counted(&self.rooms[key])).then(|| self.present(key, Some(viewer)));
        let hidden = if users.is_some() { self.hidden_from(key, viewer) } else { 0 };
        let count = count - hidden;
        Reply::Presence { v, count, users }
    }

    /// A room's presence as it was told last, if any is told.
    pub(super) fn presence_state(&mut self, key: RoomKey, viewer: UserKey) -> Option<Event> {
        let room = &self.rooms[key];
        if room.presence == PresenceMode::Off {
            return None;
        }
        let names = room.presence == PresenceMode::Names;
        let (name, presence) = (room.name.clone(), &self.ephemeral.room(key).presence);
        let (v, count, counts_only) = (presence.v, presence.count, presence.counts_only);
        let (change, count) = if counts_only || !names {
            (PresenceChange::CountOnly, count)
        } else {
            let present = self.present(key, Some(viewer));
            (PresenceChange::State(present), count - self.hidden_from(key, viewer))
        };
        Some(Event::Presence { room: name, v, count, change })
    }

    /// The members that were told to be present, by name, but for those that the viewer blocks.
    fn present(&self, key: RoomKey, viewer: Option<UserKey>) -> Vec<(UserName, Presence)> {
        let is_hidden =
            |user| viewer.is_some_and(|viewer| self.directory.has_blocked(viewer, user));
        let present = self.rooms.members(key).filter(|row| row.published != Presence::Off);
        let present = present.filter(|row| !is_hidden(row.user));
        let mut users: Vec<_> =
            present.map(|row| (self.directory[row.user].name.clone(), row.published)).collect();
        users.sort_unstable();
        users
    }
}

impl Delta {
    const fn list_mut(&mut self, presence: Presence) -> &mut Vec<UserName> {
        match presence {
            Presence::Online => &mut self.on,
            Presence::Away => &mut self.away,
            Presence::Off => &mut self.off,
        }
    }
}

/// Whether this member's presence may be another than was told; not if it is a member no more.
fn is_change(rooms: &Rooms, key: MembershipKey) -> bool {
    rooms.memberships.get(key).is_some_and(|row| row.has(MemberFlag::PresenceChanged))
}

/// Whether presence is told in this room without names.
fn is_counted(room: &Room) -> bool {
    room.presence != PresenceMode::Names || room.members.len() > PRESENCE_NAMES_MAX
}
