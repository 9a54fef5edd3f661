//! The snapshot of the rooms that the store has, taken up at the start.

use super::absence::{arm_absence, senders_to};
use super::membership::end_membership;
use super::moderation::restrict;
use super::room_begin::open_log;
use super::room_end::retire_room;
use super::{Chat, blocks, people as kept_people, suspensions};
use crate::chat::keys::{MembershipKey, RoomKey, UserKey};
use crate::chat::model::identity::Source;
use crate::chat::model::limits::{GUEST_PREFIX, INVITATION_LASTS};
use crate::chat::model::load::Begun;
use crate::chat::model::log::{
    Elsewhere, MemberMeta, Restriction, RestrictionMeta, RoomMeta, Snapshot,
};
use crate::chat::model::name::UserName;
use crate::chat::model::reply::{Durability, Presence};
use crate::chat::rooms::{Audited, Marks, Membership};
use crate::time::millis;

/// Takes up a snapshot, before anybody comes. It is taken whole, even if there is more of it than
/// the limits would let in: nothing is forgotten because a limit was lowered.
pub(in crate::chat) fn restore(chat: &mut Chat, snapshot: Snapshot) {
    let Snapshot { rooms, elsewhere, suspended, people, webhooks, node, wall } = snapshot;
    chat.context.node = node;
    chat.context.wall = wall.unwrap_or(chat.context.wall);
    chat.context.webhooks = webhooks;
    let Elsewhere { on_demand, rooms: count, newest, names } = elsewhere;
    // First, and before the users: they come up suspended and not for a moment free.
    suspensions::set(chat, &suspended);
    kept_people::restore(chat, people, (&rooms, names));
    // Epochs of this start are above all others, also if the wall clock has gone back.
    if let Some(newest) = rooms.iter().map(|room| room.epoch).chain(newest).max() {
        chat.rooms.begin_epochs_above(newest);
    }
    for room in rooms {
        restore_room(chat, room);
    }
    blocks::end_conversations(chat);
    find_awaited(chat);
    chat.rooms.elsewhere = count;
    chat.pending.loads.on_demand = on_demand;
    chat.rooms.sweep.is_on = on_demand;
}

/// Whoever is in nothing but conversations, and has received nothing there, counts as never come:
/// whether somebody was here and took nothing is not kept.
fn find_awaited(chat: &mut Chat) {
    let has_nothing = |&(room, membership): &(RoomKey, MembershipKey)| {
        let marks = chat.rooms[membership].marks();
        chat.rooms[room].name.is_direct() && marks == Marks::default()
    };
    let users = chat.directory.users();
    let awaited = users.filter(|(_, user)| user.memberships.iter().all(has_nothing));
    let awaited: Vec<UserKey> = awaited.map(|(key, _)| key).collect();
    for user in awaited {
        chat.directory.set_awaited(user, true);
        for sender in senders_to(chat, user) {
            chat.directory.awaited.begin(&sender);
        }
    }
}

/// Takes up a room that is not in memory.
pub(super) fn restore_room(chat: &mut Chat, begun: Begun) {
    let Begun { name, epoch, durability, head, oldest, meta, kept } = begun;
    let chosen = meta.iter().find_map(|meta| match meta {
        RoomMeta::Access { policy, .. } => policy.clone(),
        _ => None,
    });
    let policy = chat.context.limits.policies.of(&name, chosen.as_deref());
    // A stored room stays stored: a policy that wants less holds for rooms that are made under it.
    let durability =
        if policy.durability == Durability::Memory { durability } else { policy.durability };
    // The room brings its own epoch along, so none is used up for it.
    let last = chat.rooms.epoch;
    let key = chat.rooms.add(name, policy, chosen.as_deref());
    chat.rooms.epoch = last;
    // Each room has its own, so that an inbox can be told in parts.
    let rev = chat.context.next_rev();
    let room = &mut chat.rooms[key];
    (room.epoch, room.durability, room.head, room.oldest) = (epoch, durability, head, oldest);
    room.rev = rev;
    // What was noted of it before is not looked up.
    room.audited = Audited::Acts;
    open_log(chat, key, chosen.as_deref(), kept);
    for meta in meta {
        restore_meta(chat, key, meta);
    }
    end_closed(chat, key);
    retire_room(chat, key);
}

/// A crash has come between the end of a room and that of its memberships.
fn end_closed(chat: &mut Chat, key: RoomKey) {
    let room = &chat.rooms[key];
    let is_alone = chat.context.node.is_none();
    if is_alone && room.is_closed_for_good() && !room.name.is_direct() {
        for membership in room.members.clone() {
            end_membership(chat, membership, None);
        }
    }
}

fn restore_meta(chat: &mut Chat, key: RoomKey, meta: RoomMeta) {
    let room = &mut chat.rooms[key];
    match meta {
        RoomMeta::Access { private, owned, .. } => (room.private, room.owned) = (private, owned),
        RoomMeta::Topic(text, _) => room.topic = text,
        RoomMeta::Name(name, former) => chat.rooms.set_names(key, name, former),
        RoomMeta::Member(user, Some(member)) => restore_member(chat, key, &user, member),
        RoomMeta::Restriction(user, kind, meta) => {
            restore_restriction(chat, (key, &user), kind, meta);
        }
        RoomMeta::Member(_, None) => {}
    }
}

fn restore_restriction(
    chat: &mut Chat,
    (key, user): (RoomKey, &UserName),
    kind: Restriction,
    meta: Option<RestrictionMeta>,
) {
    let mut meta = meta;
    if let Some(meta) = meta.as_mut().filter(|_| kind == Restriction::Invited) {
        // One of before invitations ran out is open for as long as one that is given now.
        let lasts = millis(INVITATION_LASTS);
        let until = chat.context.now.wall_ms.saturating_add(lasts);
        if meta.expiry.until.is_none() {
            meta.expiry.until = Some(until);
            let kept = RoomMeta::Restriction(user.clone(), kind, Some(meta.clone()));
            chat.rooms[key].put_meta(&mut chat.context, kept);
        }
    }
    restrict(chat, (key, user), kind, meta);
}

/// Takes up a user that is not in memory.
pub(super) fn restore_user(chat: &mut Chat, name: &UserName) -> UserKey {
    let is_guest = name.as_str().starts_with(GUEST_PREFIX);
    let otherwise = if is_guest { Source::Guest } else { Source::None };
    let source = chat.directory.identities.source_of(name.as_str(), otherwise);
    let user = chat.directory.add_user(name, source);
    arm_absence(chat, user);
    user
}

pub(super) fn restore_member(chat: &mut Chat, room: RoomKey, name: &UserName, member: MemberMeta) {
    let known = chat.directory.user_named(name.as_str());
    let user = known.unwrap_or_else(|| restore_user(chat, name));
    if known.is_none() {
        // It may be in other rooms, too.
        chat.directory[user].is_whole = !chat.pending.loads.on_demand;
    }
    let row = &chat.rooms[room];
    // Who has begun a conversation is not kept; counting none is the side on which nobody is locked
    // out.
    let counted = !row.name.is_direct();
    let (recv, read) = (member.recv.min(row.head), member.read.min(row.head));
    let new = Membership::new(user, room, member.role, row.head);
    // Memberships of this start begin later, also if the wall clock has gone back.
    let joined = member.joined;
    chat.context.joined = chat.context.joined.max(joined);
    let mut member = new.since((chat.context.rev, joined), counted);
    member.set_marks(Marks { recv, read });
    let added = chat.rooms.add_member(&mut chat.directory, member);
    // It may be at another node.
    if let Some(membership) = added.filter(|_| chat.directory[user].presence != Presence::Off) {
        chat.ephemeral_mut().presence_changed(membership);
    }
}
