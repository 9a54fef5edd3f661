//! Presence, typing, receipts and profiles told to others: gathered, versioned, and droppable.
//!
//! None of it is in the log, and all of it may be left out for a slow reader, who is told the
//! present state once when it is in step again. Each kind is told at most once per interval and
//! room, so that neither ten thousand joins nor a reconnect storm goes quadratic; in rooms of more
//! than [`PRESENCE_NAMES_MAX`] members only counts are told, and less often the more connections
//! there are to tell. A room's policy may have counts told only, or no presence at all: then there
//! is no version and nobody counts as present.

mod handover;
mod presence;
mod profiles;
mod receipts;
mod typing;

use std::time::Duration;

use self::presence::RoomPresence;
use self::profiles::RoomProfiles;
use self::receipts::RoomReceipts;
use self::typing::{RoomTyping, TYPING_NAMES_MAX};
use super::context::{Context, Timer};
use super::delivery::{Delivery, Reader, reader_of};
use super::directory::Directory;
use super::keys::{MembershipKey, RoomKey, UserKey};
use super::model::event::Event;
use super::model::limits::{PRESENCE_NAMES_MAX, RECEIPTS_MEMBERS_MAX};
use super::model::output::{Audience, Encoding, Output};
use super::model::reply::Presence;
use super::rooms::{MemberFlag, Rooms};
use crate::collections::{Key as _, Slots};
use crate::net::ConnId;
use crate::time::Tick;

/// How long the first change is held back, so that those that come with it are told together.
const GATHER_MIN: Duration = Duration::from_millis(50);
/// Bytes that one name takes in an event, at most.
const NAME_BYTES: usize = 64;
/// Names that an event's other fields take the place of.
const EVENT_OVERHEAD_NAMES: usize = 2;

/// What all rooms have gathered.
#[derive(Debug, Default)]
pub(super) struct Ephemeral {
    /// By the room's place; none for rooms in which nothing of it has happened.
    gathered: Slots<Gathered>,
}

/// What one room has gathered and not told yet.
#[derive(Debug, Default)]
struct Gathered {
    presence: RoomPresence,
    typing: RoomTyping,
    receipts: RoomReceipts,
    profiles: RoomProfiles,
}

impl Gathered {
    /// When the room has something to tell, `None` if it has not.
    fn due(&self) -> Option<Tick> {
        let (presence, typing) = (self.presence.due(), self.typing.due());
        let dues = [presence, typing, self.receipts.due(), self.profiles.due()];
        dues.into_iter().flatten().min()
    }
}

impl Ephemeral {
    /// The version of a room's presence that was told last, and how many members were told to be
    /// present.
    pub(super) fn presence_version(&self, key: RoomKey) -> (u64, u64) {
        let presence = self.gathered.get(key.index()).map(|gathered| &gathered.presence);
        presence.map_or((0, 0), |presence| (presence.v, presence.count))
    }

    /// How many changes a room's presence has listed.
    #[cfg(test)]
    pub(super) fn changes(&self, key: RoomKey) -> usize {
        self.gathered.get(key.index()).map_or(0, |gathered| gathered.presence.changes.len())
    }

    /// Drops what a room has gathered that is gone.
    pub(super) fn remove_room(&mut self, key: RoomKey) {
        self.gathered.remove(key.index());
    }

    fn room(&mut self, key: RoomKey) -> &mut Gathered {
        self.gathered.get_or_default(key.index())
    }

    /// Checks that presence is counted, and that changed members are listed.
    pub(super) fn debug_check(&self, rooms: &Rooms) {
        for (key, _) in rooms.table.iter() {
            let published = u64::try_from(rooms.published(key)).unwrap_or(u64::MAX);
            debug_assert_eq!(self.presence_version(key).1, published, "presence is counted");
            let mut changed = rooms.table[key]
                .members
                .iter()
                .filter(|&&member| rooms[member].has(MemberFlag::PresenceChanged));
            let listed = self.gathered.get(key.index()).map(|gathered| &gathered.presence.changes);
            let is_listed = |key: &MembershipKey| listed.is_some_and(|listed| listed.contains(key));
            debug_assert!(changed.all(is_listed), "a changed presence is told of");
        }
    }
}

/// Presence, typing and receipts with what they need from outside: all of their operations are
/// here.
#[derive(Debug)]
pub(super) struct EphemeralMut<'a> {
    pub context: &'a mut Context,
    pub directory: &'a Directory,
    pub rooms: &'a mut Rooms,
    pub delivery: &'a mut Delivery,
    pub ephemeral: &'a mut Ephemeral,
}

impl EphemeralMut<'_> {
    /// A membership is about to end: nothing that was gathered names it any more.
    pub(in crate::chat) fn forget_member(&mut self, key: MembershipKey) {
        let row = &self.rooms[key];
        let (user, room, published) = (row.user, row.room, row.published);
        let has_receipt = row.has(MemberFlag::HasReceipt);
        let gathered = self.ephemeral.room(room);
        if has_receipt {
            gathered.receipts.readers.retain(|&other| other != key);
        }
        gathered.typing.remove(user);
        if published != Presence::Off {
            gathered.presence.forget(&self.directory[user].name);
        }
        if self.rooms[room].members.len() == PRESENCE_NAMES_MAX + 1 {
            // Names are told again from here on.
            gathered.presence.whole = true;
        }
        self.arm(room);
    }

    /// Sees to it that what a room has gathered is told in time.
    fn arm(&mut self, key: RoomKey) {
        let soonest = self.context.now.tick.after(GATHER_MIN);
        let room = &mut self.rooms[key];
        let due = self.ephemeral.gathered.get(key.index()).and_then(Gathered::due);
        // A room that is empty has nobody to tell; without this its timer would come back until it
        // is dropped.
        let Some(due) = due.filter(|_| !room.members.is_empty()) else { return };
        // An earlier timer stays: it fires, finds nothing due, and arms the next.
        let due = due.max(soonest);
        if let Some(timer) = room.timer {
            if self.context.wheel.deadline(timer).is_some_and(|armed| armed <= due) {
                return;
            }
            // The timer of the room is moved, not joined by another: two for one room would tell it
            // twice as often as the interval says.
            self.context.wheel.cancel(timer);
        }
        room.timer = Some(self.context.wheel.arm(due, Timer::EphemeralDue(key)));
    }

    /// The room's timer has gone off: tells what is due.
    pub(in crate::chat) fn on_timer(&mut self, key: RoomKey) {
        let now = self.context.now.tick;
        let Some(room) = self.rooms.table.get_mut(key) else { return };
        room.timer = None;
        // First, since those whose time is over make a change that is due now.
        self.ephemeral.room(key).typing.expire(now);
        self.tell_due_presence(key);
        let gathered = self.ephemeral.room(key);
        let typing_is_due = gathered.typing.changed && gathered.typing.at <= now;
        let receipts_are_due = gathered.receipts.at <= now;
        let profiles_are_due = gathered.profiles.due().is_some_and(|at| at <= now);
        if typing_is_due {
            self.tell_typing(key);
        }
        if receipts_are_due {
            self.tell_receipts(key);
        }
        if profiles_are_due {
            self.tell_profiles(key);
        }
        self.arm(key);
    }

    /// Tells an event with `names` names to all who are subscribed, but for the sessions of users
    /// that `except` picks and those that are slow.
    fn tell_room(
        &mut self,
        key: RoomKey,
        (event, names): (Event, usize),
        except: impl Fn(UserKey) -> bool,
    ) {
        let indices = 0..self.delivery.subscribers(key);
        self.tell_subscribers(key, (event, names), indices, except);
    }

    /// The same to those sessions of one user that are subscribed.
    fn tell_user(&mut self, key: RoomKey, user: UserKey, event: (Event, usize)) {
        let connections = self.directory[user].connections();
        let readers = connections.iter().filter_map(|&conn| self.delivery.reader(conn));
        let indices: Vec<usize> = readers.filter_map(|reader| reader.index_in(key)).collect();
        self.tell_subscribers(key, event, indices, |_| false);
    }

    fn tell_subscribers(
        &mut self,
        key: RoomKey,
        (event, names): (Event, usize),
        indices: impl IntoIterator<Item = usize>,
        except: impl Fn(UserKey) -> bool,
    ) {
        let Self { context, delivery, .. } = self;
        let Some((readers, feed)) = delivery.parts(key) else { return };
        let indices = indices.into_iter();
        // Sized once, as for a fan-out.
        let mut to = Audience::expecting(Vec::new(), indices.size_hint().0, Encoding::default());
        let bytes = (EVENT_OVERHEAD_NAMES + names) * NAME_BYTES;
        let limit = context.outbound_limit() / 2;
        for index in indices {
            let Some(row) = feed.subscriptions.get_mut(index) else { continue };
            // Before the question whether it is slow, so that a sender is not marked as owing news
            // of itself.
            // A stream is told records only.
            let is_told = |reader: &&mut Reader| !reader.is_visit && !except(reader.user);
            let reader = reader_of(readers, *row).filter(is_told);
            let Some(reader) = reader else { continue };
            // Half the limit: ephemeral events must never be what makes a cursor lag.
            let is_slow = reader.lagging > 0 || reader.credit.owed(context.turn) > limit;
            if is_slow || row.is_stale() {
                // A reader that neither lags nor is blocked would never be told that it has
                // drained.
                if !row.is_stale() && !reader.credit.is_blocked() {
                    context.outputs.push_back(Output::Wake { conn: reader.conn });
                }
                row.set_stale(true);
                context.stats.ephemeral_dropped += 1;
                continue;
            }
            reader.credit.give(context.turn, bytes);
            context.stats.ephemeral += 1;
            to.push(reader.encoding, reader.conn);
        }
        if !to.is_empty() {
            context.outputs.push_back(Output::Shared { to, event });
        }
    }

    /// The connection is in step again: what was left out is made up for by the present state,
    /// once.
    pub(in crate::chat) fn refresh(&mut self, conn: ConnId) {
        let reader = self.delivery.reader(conn).filter(|reader| reader.lagging == 0);
        let Some(reader) = reader else { return };
        let user = reader.user;
        for place in 0..reader.subscriptions.len() {
            // Looked up again for each room: telling one may have emptied the credit for the next.
            let reader = self.delivery.reader(conn);
            let found = reader.and_then(|reader| reader.subscriptions.get(place).copied());
            let Some(found) = found else { return };
            let index = usize::try_from(found.index).unwrap_or(usize::MAX);
            let Some((readers, feed)) = self.delivery.parts(found.room) else { continue };
            let row = feed.subscriptions.get_mut(index).filter(|row| row.is_stale());
            let Some((row, reader)) = row.zip(readers.get_mut(conn.slot())) else { continue };
            let turn = self.context.turn;
            if reader.credit.owed(turn) > self.context.outbound_limit() / 2 {
                if !reader.credit.is_blocked() {
                    self.context.wake(conn);
                }
                return;
            }
            // Before the state is told and not after: what changes from here on comes as an event
            // of its own.
            row.set_stale(false);
            let named = self.rooms[found.room].members.len().min(PRESENCE_NAMES_MAX);
            let names = named + TYPING_NAMES_MAX + RECEIPTS_MEMBERS_MAX.min(named);
            // Booked at the most that the four events can take, since they are rendered later.
            reader.credit.give(turn, (names + 1 + 4 * EVENT_OVERHEAD_NAMES) * NAME_BYTES);
            self.tell_state(conn, found.room, user);
            self.tell_profiles_state(conn, found.room, user);
        }
    }

    /// Whether a viewer is told of another user: not of itself, nor of who is blocked. No viewer
    /// stands for everybody else.
    fn is_shown(&self, viewer: Option<UserKey>, user: UserKey) -> bool {
        viewer.is_none_or(|viewer| viewer != user && !self.directory.has_blocked(viewer, user))
    }

    /// Users of the room who have blocked one of these: what they are told is another thing.
    fn blockers_of(&self, key: RoomKey, users: &[UserKey]) -> Vec<UserKey> {
        if self.directory.blocks.is_empty() {
            return Vec::new();
        }
        let members = self.rooms.members(key).map(|row| row.user);
        let has_blocked =
            |&member: &UserKey| users.iter().any(|&user| self.directory.has_blocked(member, user));
        members.filter(has_blocked).collect()
    }

    /// Tells one connection a room's presence, typing and receipts as they are.
    fn tell_state(&mut self, to: ConnId, key: RoomKey, user: UserKey) {
        let presence = self.presence_state(key, user);
        let typing = self.typing_event(key, Some(user));
        let receipts = self.receipts_state(key, user);
        let own = self.directory[user].membership(key).map(|member| self.own_receipt(member));
        let events = presence.into_iter().chain([typing]).chain(receipts).chain(own);
        self.context.outputs.extend(events.map(|event| Output::Event { to, event }));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::chat::model::command::{Command, Op};
    use crate::chat::model::output::Request;
    use crate::chat::{Chat, Hello, Limits};
    use crate::time::clock::Now;

    fn at(millis: u64) -> Now {
        Now { tick: Tick::from_millis(millis), wall_ms: millis }
    }

    /// Adds the rooms whose presence was told, and returns whether the domain wants to be told of a
    /// drain.
    fn poll(chat: &mut Chat, told: &mut BTreeSet<String>) -> bool {
        let mut wakes = false;
        while let Some(output) = chat.poll_output() {
            match output {
                Output::Shared { event: Event::Presence { room, .. }, .. }
                | Output::Event { event: Event::Presence { room, .. }, .. } => {
                    told.insert(room.as_str().to_owned());
                }
                Output::Wake { .. } => wakes = true,
                _ => {}
            }
        }
        wakes
    }

    #[test]
    fn a_reader_that_missed_presence_without_being_blocked_is_told_when_it_is_in_step() {
        let limits = Limits { outbound_soft: 100, ..Limits::default() };
        let mut chat = Chat::new(limits, at(0));
        let conn = ConnId::new(0, 1).unwrap();
        let request = |op| Request { id: None, op };
        let hello = Hello {
            name: Some("ann".into()),
            resume: None,
            secret: 1,
            encoding: Encoding::default(),
            identity: None,
            is_visit: false,
        };
        chat.handle_hello(at(0), conn, request(Op::Hello), hello);
        for room in ["a", "b", "c"] {
            let join = Command::Join { room: room.into(), after: None, epoch: None };
            chat.handle_command(at(0), conn, request(Op::Join), join);
        }
        chat.end_turn(at(0));
        chat.handle_timers(at(1_000));
        let mut told = BTreeSet::new();
        while poll(&mut chat, &mut told) {
            chat.end_turn(at(1_000));
            chat.handle_drained(at(1_000), conn);
        }
        assert_eq!(told.len(), 3, "{told:?}");
    }
}
