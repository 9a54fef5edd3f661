//! How far others have read.

use std::mem;

use super::EphemeralMut;
use crate::chat::keys::{MembershipKey, RoomKey, UserKey};
use crate::chat::model::event::Event;
use crate::chat::model::limits::RECEIPTS_MEMBERS_MAX;
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
            || mem::replace(&mut self.rooms[key].has_receipt, true)
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
            row.has_receipt = false;
            readers.push((row.user, row.read));
        }
        let names = readers.len();
        let event = self.receipts_event(key, &readers, None);
        self.tell_room(key, (event, names), |user| {
            readers.iter().any(|&(reader, _)| reader == user)
        });
        for &(user, _) in readers.iter().filter(|_| names > 1) {
            let event = self.receipts_event(key, &readers, Some(user));
            self.tell_user(key, user, (event, names));
        }
    }

    /// How far each member but `except` has read, where receipts are told.
    pub(super) fn receipts_state(&self, key: RoomKey, except: UserKey) -> Option<Event> {
        if self.rooms[key].members.len() > RECEIPTS_MEMBERS_MAX {
            return None;
        }
        let readers: Vec<_> = self.rooms.members(key).map(|row| (row.user, row.read)).collect();
        Some(self.receipts_event(key, &readers, Some(except)))
    }

    fn receipts_event(
        &self,
        key: RoomKey,
        readers: &[(UserKey, u64)],
        except: Option<UserKey>,
    ) -> Event {
        let readers = readers.iter().filter(|&&(user, _)| Some(user) != except);
        let mut read: Vec<_> =
            readers.map(|&(user, read)| (self.directory[user].name.clone(), read)).collect();
        read.sort_unstable();
        Event::Receipts { room: self.rooms[key].name.clone(), read }
    }
}
