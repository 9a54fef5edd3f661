//! What other nodes have put into a log: it takes effect as if it had been done here, but that
//! nothing of it is written again.
//!
//! ```text
//!  records, in order ─▶ ring, fan-out, edits, acts of moderation
//!  facts, after them ─▶ members, roles, marks, restrictions, who may enter, the topic
//! ```

use super::invitations::tell_invited;
use super::membership::end_membership;
use super::moderation::restrict;
use super::record_stored::on_stored;
use super::restore::restore_member;
use super::{Chat, outsiders};
use crate::chat::keys::{MembershipKey, RoomKey};
use crate::chat::model::event::LeftReason;
use crate::chat::model::log::{LogId, MemberMeta, Restriction, RestrictionMeta, RoomMeta};
use crate::chat::model::name::UserName;
use crate::chat::model::record::{Act, Body, Record, SharedRecord};
use crate::chat::rooms::Marks;

/// A log has these records of other nodes; then these facts hold.
pub(super) fn on_grown(
    chat: &mut Chat,
    log: LogId,
    (records, meta): (Vec<SharedRecord>, Vec<RoomMeta>),
) {
    let Some(key) = chat.rooms.of_log(log) else { return };
    chat.context.follows = true;
    if chat.rooms[key].name.is_direct() {
        begin_conversation(chat, key, &meta);
    }
    let mut put_out = Vec::new();
    for record in records {
        let head = chat.rooms[key].head;
        debug_assert_eq!(record.seq, head + 1, "what others have written is told in order, once");
        if record.seq != head + 1 {
            let room = &chat.rooms[key].name;
            ::log::error!(room:% = room, head, seq = record.seq; "the log is told out of order");
            continue;
        }
        put_out.extend(put_out_here(chat, key, &record));
        stop_typing(chat, key, &record);
        on_stored(chat, key, record, None);
    }
    for meta in meta {
        on_fact(chat, key, meta);
    }
    chat.context.follows = false;
    // It may have entered by this node while it was being put out by another one: the membership
    // must not outlive that.
    for user in put_out {
        if chat.lookup().member_named(key, &user).is_none() {
            chat.rooms[key].put_meta(&mut chat.context, RoomMeta::Member(user, None));
        }
    }
}

/// The members of a conversation are there before its first message, which is told to both.
fn begin_conversation(chat: &mut Chat, key: RoomKey, meta: &[RoomMeta]) {
    for meta in meta {
        if let RoomMeta::Member(user, Some(member)) = meta
            && chat.lookup().member_named(key, user).is_none()
        {
            begin_member(chat, key, (user, *member));
        }
    }
}

/// Who is put out by a record and has a session at this node.
fn put_out_here(chat: &Chat, key: RoomKey, record: &Record) -> Option<UserName> {
    let Body::Moderation { act: Act::Kick | Act::Ban { .. }, target, .. } = &record.body else {
        return None;
    };
    let member = chat.lookup().member_named(key, target)?;
    let is_here = !chat.directory[chat.rooms[member].user].sessions.is_empty();
    is_here.then(|| target.clone())
}

/// Who has said something there does not type here.
fn stop_typing(chat: &mut Chat, key: RoomKey, record: &Record) {
    if chat.rooms[key].typists > 0
        && matches!(record.body, Body::Message { .. })
        && let Some(user) = chat.directory.user_named(record.from.as_str())
    {
        chat.ephemeral_mut().stop_typing(key, user);
    }
}

/// Another node has written a fact, and it holds from now on.
pub(super) fn on_fact(chat: &mut Chat, key: RoomKey, meta: RoomMeta) {
    match meta {
        RoomMeta::Access { private, owned, policy } => {
            let room = &mut chat.rooms[key];
            (room.private, room.owned) = (private, owned);
            room.moderation.choose_policy(policy.as_deref());
        }
        RoomMeta::Topic(text, _) => chat.rooms[key].topic = text,
        RoomMeta::Name(name, former) => chat.rooms.set_names(key, name, former),
        RoomMeta::Member(user, Some(member)) => {
            let known = chat.directory.user_named(user.as_str());
            match known.and_then(|known| chat.directory[known].membership(key)) {
                Some(membership) => change_member(chat, key, (membership, member)),
                None => begin_member(chat, key, (&user, member)),
            }
        }
        RoomMeta::Member(user, None) => end_member(chat, key, &user),
        RoomMeta::Restriction(user, kind, meta) => on_restriction(chat, (key, &user), kind, meta),
    }
}

fn begin_member(chat: &mut Chat, key: RoomKey, (user, member): (&UserName, MemberMeta)) {
    restore_member(chat, key, user, member);
    let known = chat.directory.user_named(user.as_str());
    let Some(membership) = known.and_then(|known| chat.directory[known].membership(key)) else {
        return;
    };
    let rev = chat.context.next_rev();
    chat.rooms[membership].set_rev(rev);
    let room = &mut chat.rooms[key];
    if let Some(timer) = room.timer.take_if(|_| room.members.len() == 1) {
        // The room was to be dropped.
        chat.context.wheel.cancel(timer);
    }
    let user = chat.rooms[membership].user;
    if chat.directory[user].is_awaited
        && let Some(other) = chat.rooms[key].name.other_than(&chat.directory[user].name)
    {
        chat.directory.awaited.begin(other);
    }
    chat.ephemeral_mut().presence_changed(membership);
    chat.ephemeral_mut().profile_joined(membership);
}

fn change_member(chat: &mut Chat, key: RoomKey, (membership, member): (MembershipKey, MemberMeta)) {
    let role = std::mem::replace(&mut chat.rooms[membership].role, member.role);
    chat.context.joined = chat.context.joined.max(member.joined);
    chat.rooms[membership].set_joined(member.joined);
    chat.rooms[membership].is_confirmed = true;
    if role != member.role {
        let rev = chat.context.next_rev();
        chat.rooms[membership].set_rev(rev);
    }
    raise_marks(chat, key, membership, Marks { recv: member.recv, read: member.read });
}

/// A member has received and read so much at another node: its own connections here are told.
pub(super) fn raise_marks(chat: &mut Chat, key: RoomKey, membership: MembershipKey, marks: Marks) {
    let head = chat.rooms[key].head;
    let had = chat.rooms[membership].marks();
    // What this node has not been told of yet, it cannot have shown.
    let marks = had.max(Marks { recv: marks.recv.min(head), read: marks.read.min(head) });
    if marks == had {
        return;
    }
    let rev = chat.context.next_rev();
    let row = &mut chat.rooms[membership];
    row.set_marks(marks);
    row.set_rev(rev);
    if marks.read != had.read {
        chat.ephemeral_mut().read_on(membership);
        chat.ephemeral_mut().tell_own(membership, |_| false);
    }
}

fn end_member(chat: &mut Chat, key: RoomKey, user: &UserName) {
    let known = chat.directory.user_named(user.as_str());
    let membership = known.and_then(|known| chat.directory[known].membership(key));
    // One that is on its way into the log was asked for later than what is told here.
    let Some(membership) = membership.filter(|&found| chat.rooms[found].is_confirmed) else {
        return;
    };
    end_membership(chat, membership, Some(LeftReason::Left));
}

fn on_restriction(
    chat: &mut Chat,
    (key, user): (RoomKey, &UserName),
    kind: Restriction,
    meta: Option<RestrictionMeta>,
) {
    let is_invited = |chat: &Chat| {
        kind == Restriction::Invited && chat.lookup().restriction(key, user, kind).is_some()
    };
    let was_invited = is_invited(chat);
    restrict(chat, (key, user), kind, meta);
    if is_invited(chat) && !was_invited && chat.lookup().member_named(key, user).is_none() {
        tell_invited(chat, key, user);
    }
    if was_invited && !is_invited(chat) {
        outsiders::recheck_user(chat, user);
    }
}
