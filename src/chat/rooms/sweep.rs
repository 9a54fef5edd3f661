//! Which rooms are not in use: the hand of a clock goes round over all of them.
//!
//! A room that is not in use when the hand comes by, and was not at the round before, may be
//! forgotten.

use std::time::Duration;

use super::{MemberFlag, Rooms};
use crate::chat::context::{Context, Timer};
use crate::chat::keys::{MembershipKey, RoomKey};
use crate::chat::model::name::UserName;

/// How often some of the rooms are looked at.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Places that one look takes: a sixteenth of all ...
const PART: usize = 16;
/// ... and no fewer than these, nor more: some 0.3 ms.
const PLACES_MIN: usize = 64;
const PLACES_MAX: usize = 2_048;

/// The hand, and what it has counted.
#[expect(clippy::struct_excessive_bools, reason = "each says something of its own")]
#[derive(Debug, Default)]
pub(in crate::chat) struct Sweep {
    place: usize,
    /// Rooms that were not in use, in this round and in the last one.
    counted: usize,
    pub idle: usize,
    /// There is something to be done in the next round.
    pub goes_on: bool,
    /// The next look is arranged.
    pub is_armed: bool,
    /// Rooms may be forgotten at all.
    pub is_on: bool,
}

impl Rooms {
    /// Somebody is gone, or something was loaded: there may be rooms that nobody uses.
    pub(in crate::chat) fn arm_sweep(&mut self, context: &mut Context) {
        self.sweep.goes_on = true;
        self.arm_next_sweep(context);
    }

    /// Has the hand go on in a while.
    pub(in crate::chat) fn arm_next_sweep(&mut self, context: &mut Context) {
        if self.sweep.is_on && !self.sweep.is_armed {
            self.sweep.is_armed = true;
            context.wheel.arm(context.now.tick.after(SWEEP_EVERY), Timer::SweepRooms);
        }
    }

    /// How many places the next look takes.
    pub(in crate::chat) fn places_to_sweep(&self) -> usize {
        // Of places and not of rooms: the table is walked by place, empty ones included.
        let places = self.table.places();
        (places / PART).clamp(PLACES_MIN, PLACES_MAX).min(places)
    }

    /// Whether the hand has come round; then it begins anew.
    pub(in crate::chat) fn ends_round(&mut self) -> bool {
        let Sweep { place, counted, .. } = self.sweep;
        let is_round = place >= self.table.places();
        if is_round {
            let Sweep { is_armed, is_on, .. } = self.sweep;
            self.sweep = Sweep { idle: counted, is_armed, is_on, ..Sweep::default() };
        }
        is_round
    }

    /// The room at the next place, if there is one.
    pub(in crate::chat) fn next_to_sweep(&mut self) -> Option<RoomKey> {
        let place = self.sweep.place;
        self.sweep.place += 1;
        self.table.at(place).map(|(key, _)| key)
    }

    /// The room at this place is not in use. If there are more of these than may be, the hand goes
    /// round once more.
    pub(in crate::chat) const fn count_idle(&mut self, idle_max: usize) {
        // Counted in one round and used in the next: only a whole round says how many there are.
        self.sweep.counted += 1;
        if self.sweep.counted > idle_max {
            self.sweep.goes_on = true;
        }
    }

    /// Whether the room's state is nothing but what the store has: no member's marks are on their
    /// way, and nothing is gathered for anybody.
    pub(in crate::chat) fn is_settled(&self, key: RoomKey) -> bool {
        let room = &self.table[key];
        let is_kept = |&member: &MembershipKey| {
            let row = &self.memberships[member];
            row.is_confirmed
                && !row.has(MemberFlag::PresenceChanged)
                && !row.has(MemberFlag::HasReceipt)
        };
        room.is_stored()
            && room.pending_ops == 0
            && room.timer.is_none()
            && room.members.iter().all(is_kept)
            && (self.unkept.is_empty() || !self.unkept.has_any(&room.members))
    }

    /// Who is invited into the room.
    pub(in crate::chat) fn invited_into(&self, key: RoomKey) -> impl Iterator<Item = &UserName> {
        self.table[key].moderation.invited()
    }
}
