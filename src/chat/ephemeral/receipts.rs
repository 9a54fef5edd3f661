//! How far others have read.

use std::mem;

use super::{EVENT_OVERHEAD_NAMES, EphemeralMut, NAME_BYTES};
use crate::chat::keys::{MembershipKey, RoomKey, UserKey};
use crate::chat::model::event::Event;
use crate::chat::model::limits::RECEIPTS_MEMBERS_MAX;
use crate::chat::model::reply::ReadMarks;
use crate::chat::rooms::MemberFlag;
use crate::net::ConnId;
use crate::time::Tick;

/// Who has read on in one room.
#[derive(Debug, Default)]
pub(super) struct RoomReceipts {
    /// The members that have read on since this was last told.
    pub(super) readers: Vec<MembershipKey>,
    /// The earliest next event.
    pub(super) at: Tick,
}

impl RoomReceipts {
    /// When there is something to tell.
    pub(super) fn due(&self) -> Option<Tick> {
        (!self.readers.is_empty()).then_some(self.at)
    }
}

impl EphemeralMut<'_> {
    /// A member has read on.
    pub(in crate::chat) fn read_on(&mut self, key: MembershipKey) {
        let room = self.rooms[key].room;
        if self.rooms[room].members.len() > RECEIPTS_MEMBERS_MAX
            // The flag in the row makes this constant: a search in the list would be quadratic when
            // all members of a room read at once.
            || self.rooms[key].set(MemberFlag::HasReceipt, true)
        {
            return;
        }
        self.ephemeral.room(room).receipts.readers.push(key);
        self.arm(room);
    }

    /// Tells who has read how far; each reader is told of the others.
    pub(super) fn tell_receipts(&mut self, key: RoomKey) {
        let at = self.context.now.tick.after(self.context.limits.receipts_interval);
        let receipts = &mut self.ephemeral.room(key).receipts;
        if receipts.readers.is_empty() {
            return;
        }
        receipts.at = at;
        let members = mem::take(&mut receipts.readers);
        let mut readers = Vec::with_capacity(members.len());
        for member in members {
            let row = &mut self.rooms[member];
            row.set(MemberFlag::HasReceipt, false);
            readers.push((row.user, row.marks().read));
        }
        // One event for all who have not read on, and one for each who has, without its own mark:
        // as many renderings as readers, in place of as many as members.
        let names = readers.len();
        let event = self.receipts_event(key, &readers, None);
        let users: Vec<UserKey> = readers.iter().map(|&(user, _)| user).collect();
        let mut apart = self.blockers_of(key, &users);
        apart.retain(|user| !users.contains(user));
        self.tell_room(key, (event, names), |user| users.contains(&user) || apart.contains(&user));
        for user in users.into_iter().filter(|_| names > 1).chain(apart) {
            let event = self.receipts_event(key, &readers, Some(user));
            if !matches!(&event, Event::Receipts { read, .. } if read.is_empty()) {
                self.tell_user(key, user, (event, names));
            }
        }
    }

    /// Tells the user's other connections at once how far it has read, in rooms of any size: all
    /// but those that `except` picks.
    pub(in crate::chat) fn tell_own(
        &mut self,
        membership: MembershipKey,
        except: impl Fn(ConnId) -> bool,
    ) {
        let row = &self.rooms[membership];
        let (user, room) = (row.user, row.room);
        let event = self.own_receipt(membership);
        for &to in self.directory[user].connections().iter().filter(|&&conn| !except(conn)) {
            // A token that is good for other rooms is told nothing of this one.
            if !self.rooms[room].may_be_read(self.directory, to) {
                continue;
            }
            let Some(reader) = self.delivery.reader_mut(to) else { continue };
            if let Some(index) = reader.index_in(room) {
                self.tell_subscribers(room, (event.clone(), 1), [index], |_| false);
                continue;
            }
            // It knows of the room by its inbox, which shows the mark when it asks again.
            let (turn, limit) = (self.context.turn, self.context.outbound_limit() / 2);
            if reader.credit.owed(turn) <= limit {
                reader.credit.give(turn, (EVENT_OVERHEAD_NAMES + 1) * NAME_BYTES);
                self.context.tell(to, event.clone());
            }
        }
    }

    /// How far a member has read, for its own connections.
    pub(super) fn own_receipt(&self, membership: MembershipKey) -> Event {
        let row = &self.rooms[membership];
        let (room, user) = (&self.rooms[row.room].name, &self.directory[row.user].name);
        Event::ReadElsewhere { room: room.clone(), user: user.clone(), read: row.marks().read }
    }

    /// How far each member but `except` has read, where receipts are told.
    pub(super) fn receipts_state(&self, key: RoomKey, except: UserKey) -> Option<Event> {
        if self.rooms[key].members.len() > RECEIPTS_MEMBERS_MAX {
            return None;
        }
        let readers: Vec<_> =
            self.rooms.members(key).map(|row| (row.user, row.marks().read)).collect();
        Some(self.receipts_event(key, &readers, Some(except)))
    }

    /// How far each member but `except` and whom it has blocked has read, for one that comes or
    /// comes back; empty where receipts are not told.
    pub(in crate::chat) fn read_marks(&self, key: RoomKey, except: UserKey) -> ReadMarks {
        let room = &self.rooms[key];
        // Nobody has read what was never said.
        if room.head == 0 || room.members.len() > RECEIPTS_MEMBERS_MAX {
            return Vec::new();
        }
        let others = self.rooms.members(key).filter(|row| self.is_shown(Some(except), row.user));
        let read = others.map(|row| (row.user, row.marks().read));
        self.marks(read.filter(|&(_, read)| read > 0))
    }

    /// How far these have read, by name.
    fn marks(&self, readers: impl Iterator<Item = (UserKey, u64)>) -> ReadMarks {
        let named = |(user, read)| (self.directory[user].name.clone(), read);
        let mut marks: Vec<_> = readers.map(named).collect();
        marks.sort_unstable();
        marks
    }

    fn receipts_event(
        &self,
        key: RoomKey,
        readers: &[(UserKey, u64)],
        viewer: Option<UserKey>,
    ) -> Event {
        let readers = readers.iter().filter(|&&(user, _)| self.is_shown(viewer, user));
        let read = self.marks(readers.copied());
        Event::Receipts { room: self.rooms[key].name.clone(), read }
    }
}
