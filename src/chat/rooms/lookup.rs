//! Questions about rooms that change nothing: which room a user means, and what the user may do
//! there.
//!
//! An act of moderation that the log has not answered yet counts already where it takes a right
//! away.

use std::mem;

use super::restrictions::refusal_until;
use super::{Room, Rooms};
use crate::chat::context::Context;
use crate::chat::directory::{Directory, User};
use crate::chat::keys::{MembershipKey, RoomKey, UserKey};
use crate::chat::model::code::Code;
use crate::chat::model::identity::Source;
use crate::chat::model::log::{Expiry, Restriction, RestrictionMeta};
use crate::chat::model::name::{NAME_LEN_MAX, RoomName, UserName};
use crate::chat::model::policy::{Access, Policy};
use crate::chat::model::record::Act;
use crate::chat::model::reply::{Refusal, Role};

/// When a user may come back to a room from which it is being removed: the log answers within this
/// time as a rule.
const REMOVAL_RETRY_MS: u64 = 1_000;

/// Rooms up to which a user's own are looked through.
const FEW_ROOMS: usize = 4;

/// Rooms and users as they are now, to be asked.
#[derive(Clone, Copy, Debug)]
pub(in crate::chat) struct Lookup<'a> {
    pub context: &'a Context,
    pub directory: &'a Directory,
    pub rooms: &'a Rooms,
}

impl<'a> Lookup<'a> {
    /// The room `name`, if it exists, `user` may know of it and is not banned from it.
    ///
    /// # Errors
    ///
    /// [`Code::BadField`] if this is no room's name, otherwise [`Code::NoSuchRoom`], the same
    /// whether there is none or it is hidden, and [`Code::Banned`].
    pub(in crate::chat) fn find_room(self, user: UserKey, name: &str) -> Result<RoomKey, Refusal> {
        match self.rooms.named(name) {
            // Visibility comes before the ban: a stranger must not learn that a hidden room bans
            // it.
            Some(key) if self.is_visible(user, key) => {
                self.check_banned(key, user)?;
                Ok(key)
            }
            _ => {
                // Parsed only now: a name that is found is a name, and nearly all are found.
                parse_room(name)?;
                Err(no_such_room())
            }
        }
    }

    /// As [`Self::find_room`], with the user's membership in it.
    ///
    /// # Errors
    ///
    /// Those of [`Self::find_room`], and [`Code::NotMember`].
    pub(in crate::chat) fn find_membership(
        self,
        user: UserKey,
        name: &str,
    ) -> Result<(RoomKey, MembershipKey), Refusal> {
        let (room, membership) = if let Some((room, membership)) = self.own_room(user, name) {
            self.check_banned(room, user)?;
            (room, Some(membership))
        } else {
            let room = self.find_room(user, name)?;
            (room, self.directory[user].membership(room))
        };
        match membership {
            Some(membership) if !self.is_being_removed(room, user) => Ok((room, membership)),
            // Who is being removed from a private room is told what everybody outside is told.
            Some(_) if self.rooms[room].private => Err(no_such_room()),
            Some(_) | None => Err(not_member()),
        }
    }

    /// The room of this name among those of a user who is in few: to compare their names is less
    /// than to look one up among all.
    fn own_room(self, user: UserKey, name: &str) -> Option<(RoomKey, MembershipKey)> {
        let memberships = &self.directory[user].memberships;
        // By its present name only; one of before is found in the index, by the caller.
        if memberships.len() > FEW_ROOMS {
            return None;
        }
        memberships.iter().find(|&&(room, _)| self.rooms[room].name.as_str() == name).copied()
    }

    /// As [`Self::find_membership`], for a user who wants to say or change something.
    ///
    /// # Errors
    ///
    /// Those of [`Self::find_membership`] and [`Self::check_voice`].
    pub(in crate::chat) fn find_speaker(
        self,
        user: UserKey,
        name: &str,
    ) -> Result<(RoomKey, MembershipKey), Refusal> {
        // Nearly always: an own room, in which nothing holds of anybody and none of the checks
        // below would look at a name.
        if let Some((room, membership)) = self.own_room(user, name)
            && self.rooms[room].moderation.is_empty()
            && self.rooms[membership].role > Role::Reader
        {
            return Ok((room, membership));
        }
        let (room, membership) = self.find_membership(user, name)?;
        self.check_voice(membership)?;
        Ok((room, membership))
    }

    /// The room `name` for somebody who needs no membership: for a program whichever its key
    /// covers, which was seen before; for others one that everybody may enter. Conversations of two
    /// are not among them.
    ///
    /// # Errors
    ///
    /// Those of [`Self::find_room`], [`Code::InviteOnly`], and [`Code::Busy`] for who is being
    /// removed.
    pub(in crate::chat) fn find_outside(
        self,
        user: UserKey,
        name: &str,
    ) -> Result<RoomKey, Refusal> {
        // A conversation is of two, whatever a key says.
        let is_meant = |room: &Room| !room.name.is_direct() && !room.has_ended();
        let named = self.rooms.named(name).filter(|&key| is_meant(&self.rooms[key]));
        let is_program = self.directory[user].source == Source::Key;
        let Some(key) = named.filter(|&key| is_program || self.is_visible(user, key)) else {
            parse_room(name)?;
            return Err(no_such_room());
        };
        self.check_banned(key, user)?;
        self.check_not_being_removed(key, user)?;
        if !is_program && self.is_closed(&self.rooms[key]) && !self.is_invited(key, user) {
            return Err(Refusal::new(Code::InviteOnly, "this room is joined by invitation"));
        }
        Ok(key)
    }

    /// As [`Self::check_voice`], for who is no member: what was said of it by name holds.
    ///
    /// # Errors
    ///
    /// [`Code::ReadOnly`] and [`Code::Muted`].
    pub(in crate::chat) fn check_voice_outside(
        self,
        key: RoomKey,
        user: UserKey,
    ) -> Result<(), Refusal> {
        let name = &self.directory[user].name;
        if self.restriction(key, name, Restriction::Reader).is_some() {
            return Err(Refusal::new(Code::ReadOnly, "you may only read in this room"));
        }
        self.check_unmuted(key, user)
    }

    /// Whether the user may know of the room.
    pub(in crate::chat) fn is_visible(self, user: UserKey, key: RoomKey) -> bool {
        let room = &self.rooms[key];
        !(room.private || room.name.is_direct())
            || self.directory[user].membership(key).is_some()
            || self.is_invited(key, user)
    }

    /// The policy of a room: the one that was chosen when it was made, or else the one for its
    /// name.
    pub(in crate::chat) fn policy(self, room: &Room) -> &'a Policy {
        self.context.limits.policies.of(&room.name, room.moderation.policy())
    }

    /// Whether only invited users may enter.
    pub(in crate::chat) fn is_closed(self, room: &Room) -> bool {
        room.private || self.policy(room).access != Access::Open
    }

    /// The restriction of this kind on a user of this name, if there is one.
    pub(in crate::chat) fn restriction(
        self,
        key: RoomKey,
        user: &UserName,
        kind: Restriction,
    ) -> Option<&'a Expiry> {
        self.rooms[key].moderation.expiry(user, kind, self.context.now.wall_ms)
    }

    /// Whether the user may enter a room that others may not: by an invitation, or as a member of
    /// before a ban.
    pub(in crate::chat) fn is_invited(self, key: RoomKey, user: UserKey) -> bool {
        if self.rooms[key].moderation.is_empty() {
            return false;
        }
        let name = &self.directory[user].name;
        let mut kinds = [Restriction::Invited, Restriction::MayReturn].into_iter();
        kinds.any(|kind| self.restriction(key, name, kind).is_some())
    }

    /// The rooms into which a user of this name is invited, and how.
    pub(in crate::chat) fn invitations(
        self,
        user: &UserName,
    ) -> impl Iterator<Item = (RoomKey, &'a RestrictionMeta)> {
        let wall_ms = self.context.now.wall_ms;
        self.rooms.invited.rooms_of(user).iter().filter_map(move |&key| {
            let state = &self.rooms[key].moderation;
            state.find(user, Restriction::Invited, wall_ms).map(|meta| (key, meta))
        })
    }

    /// Whether the user is banned, or about to be.
    pub(in crate::chat) fn is_banned(self, key: RoomKey, user: &UserName) -> bool {
        let mut acts = self.rooms[key].moderation.pending_acts(user);
        self.restriction(key, user, Restriction::Banned).is_some()
            || acts.any(|act| matches!(act, Act::Ban { .. }))
    }

    /// # Errors
    ///
    /// [`Code::Banned`] with the reason, and when the ban ends if it does.
    fn check_banned(self, key: RoomKey, user: UserKey) -> Result<(), Refusal> {
        let pending = |act| match act {
            Act::Ban { until } => Some(until),
            Act::Kick | Act::Unban | Act::Mute { .. } | Act::Unmute | Act::Role(_) => None,
        };
        let refused = (Code::Banned, "you are banned from this room");
        self.check_unrestricted((key, user), Restriction::Banned, pending, refused)
    }

    /// # Errors
    ///
    /// [`Code::ReadOnly`] for readers, and [`Code::Muted`] for muted users, with when that ends if
    /// it does.
    pub(in crate::chat) fn check_voice(self, membership: MembershipKey) -> Result<(), Refusal> {
        let row = &self.rooms[membership];
        // Nearly always: no name is compared on the way of a message.
        if self.rooms[row.room].moderation.is_empty() && row.role > Role::Reader {
            return Ok(());
        }
        if self.role(membership) == Role::Reader {
            return Err(Refusal::new(Code::ReadOnly, "you may only read in this room"));
        }
        self.check_unmuted(row.room, row.user)
    }

    /// # Errors
    ///
    /// [`Code::Muted`], with when that ends if it does.
    fn check_unmuted(self, key: RoomKey, user: UserKey) -> Result<(), Refusal> {
        let pending = |act| match act {
            Act::Mute { until } => Some(until),
            Act::Kick | Act::Ban { .. } | Act::Unban | Act::Unmute | Act::Role(_) => None,
        };
        let refused = (Code::Muted, "you are muted in this room");
        self.check_unrestricted((key, user), Restriction::Muted, pending, refused)
    }

    /// Refuses a user on whom a restriction is, or about to be as one of the `pending` acts says.
    fn check_unrestricted(
        self,
        (key, user): (RoomKey, UserKey),
        kind: Restriction,
        pending: impl Fn(Act) -> Option<Option<u64>>,
        (code, message): (Code, &'static str),
    ) -> Result<(), Refusal> {
        let state = &self.rooms[key].moderation;
        // Nearly every room: no name is compared on the way of a message.
        if state.is_empty() {
            return Ok(());
        }
        let name = &self.directory[user].name;
        // An act under way counts first, since the log may still hold an older, milder restriction.
        let pending = state.pending_acts(name).find_map(pending);
        // The reason is in the record that the log is about to number: it is told with that.
        let pending = pending.map(|until| Expiry { until, reason: "".into() });
        match pending.as_ref().or_else(|| self.restriction(key, name, kind)) {
            Some(expiry) => Err(refusal_until(code, message, expiry, self.context.now.wall_ms)),
            None => Ok(()),
        }
    }

    /// # Errors
    ///
    /// [`Code::Busy`] for a member who is being removed, and would be at once if it entered.
    pub(in crate::chat) fn check_not_being_removed(
        self,
        key: RoomKey,
        user: UserKey,
    ) -> Result<(), Refusal> {
        if self.is_being_removed(key, user) {
            let refusal = Refusal::new(Code::Busy, "you are being removed from this room");
            return Err(refusal.retry_after_ms(REMOVAL_RETRY_MS));
        }
        Ok(())
    }

    /// Whether the user is about to be removed, and so counts as no member any more.
    pub(in crate::chat) fn is_being_removed(self, key: RoomKey, user: UserKey) -> bool {
        let state = &self.rooms[key].moderation;
        if state.is_empty() {
            return false;
        }
        let mut acts = state.pending_acts(&self.directory[user].name);
        acts.any(|act| matches!(act, Act::Kick | Act::Ban { .. }))
    }

    /// The name of a user that stands in `field`: that of somebody who is known, or restricted in
    /// this room, or else one by the rules for new names.
    ///
    /// # Errors
    ///
    /// [`Code::BadField`] with the right spelling.
    pub(in crate::chat) fn user_name(
        self,
        (field, name): (&'static str, &str),
        room: Option<RoomKey>,
    ) -> Result<UserName, Refusal> {
        // Before the rules: names that were given under older rules must still be named.
        if let Some(user) = self.directory.user_named(name) {
            return Ok(self.directory[user].name.clone());
        }
        let is_restricted =
            |name: &UserName| room.is_some_and(|room| self.rooms[room].moderation.is_about(name));
        UserName::parse(name).or_else(|error| {
            let stored = UserName::stored(name).filter(is_restricted);
            stored.ok_or_else(|| Refusal::name(field, error))
        })
    }

    /// The membership of the user of this name, unless it is about to end.
    pub(in crate::chat) fn member_named(
        self,
        key: RoomKey,
        name: &UserName,
    ) -> Option<MembershipKey> {
        let user = self.directory.user_named(name.as_str())?;
        let membership = self.directory[user].membership(key)?;
        (!self.is_being_removed(key, user)).then_some(membership)
    }

    /// The role that a member has. A role that is about to be lower is so already, and a member
    /// that is about to leave does not moderate.
    pub(in crate::chat) fn role(self, membership: MembershipKey) -> Role {
        let row = &self.rooms[membership];
        let state = &self.rooms[row.room].moderation;
        if state.is_empty() {
            return row.role;
        }
        let name = &self.directory[row.user].name;
        let is_departing = || state.is_departing(name) || self.is_being_removed(row.room, row.user);
        if row.role > Role::Member && is_departing() {
            return Role::Member;
        }
        let pending = state.pending_acts(name).filter_map(|act| match act {
            Act::Role(role) => Some(role),
            Act::Kick | Act::Ban { .. } | Act::Unban | Act::Mute { .. } | Act::Unmute => None,
        });
        // The lower of the two: a right that is being given counts when the log has it, one that is
        // being taken counts at once.
        pending.min().map_or(row.role, |role| role.min(row.role))
    }
}

impl Rooms {
    /// The conversation of a user with the one of this name, if there is one that neither has left.
    pub(in crate::chat) fn conversation(&mut self, from: &User, to: &str) -> Option<RoomKey> {
        let (me, is_of_two) = (from.name.as_str(), |room: &Room| room.members.len() == 2);
        // Where both are in it, it is among the user's own.
        if from.memberships.len() <= FEW_ROOMS {
            let mut own = from.memberships.iter().map(|&(key, _)| key);
            return own.find(|&key| is_of_two(&self[key]) && self[key].name.is_of(me, to));
        }
        // A long text that is no name would stay in the buffer for ever.
        if to.len() > NAME_LEN_MAX {
            return None;
        }
        let mut spelling = mem::take(&mut self.spelling);
        RoomName::spell_direct(&mut spelling, me, to);
        let found = self.named(&spelling);
        self.spelling = spelling;
        found.filter(|&key| is_of_two(&self[key]))
    }
}

/// The refusal of users that are not members.
pub(in crate::chat) fn not_member() -> Refusal {
    Refusal::new(Code::NotMember, "you are not a member of this room; join first")
}

/// The refusal of rooms that do not exist, or of which the user may not know.
pub(in crate::chat) fn no_such_room() -> Refusal {
    Refusal::new(Code::NoSuchRoom, "there is no such room")
}

/// Reads a room's name.
///
/// # Errors
///
/// [`Code::BadField`] with the right spelling.
pub(in crate::chat) fn parse_room(name: &str) -> Result<RoomName, Refusal> {
    parse_room_in("room", name)
}

/// Reads a room's name that stands in `field`.
///
/// # Errors
///
/// [`Code::BadField`] with the right spelling.
pub(in crate::chat) fn parse_room_in(field: &'static str, name: &str) -> Result<RoomName, Refusal> {
    RoomName::parse(name).map_err(|error| Refusal::name(field, error))
}
