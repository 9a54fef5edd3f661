//! Rooms that are others than was told: begun by another node first, begun anew with another epoch,
//! or gone.
//!
//! ```text
//!  Renewed ─▶ head, members, restrictions as they are now; `joined` with the new epoch to readers
//!  Gone ────▶ `left` to all, and by whom it was ended; nothing is asked of the log any more
//! ```
//!
//! What waits for an answer about the room stays, and is answered: see
//! [`join::on_join_synced`](super::join) and [`ack::on_synced`](super::ack).

use std::collections::BTreeSet;

use super::log_grown::on_fact;
use super::membership::{end_membership, put_member};
use super::moderation::restrict;
use super::rename::take_names;
use super::room_end::{end_watch, retire_room};
use super::{Chat, ack, close};
use crate::chat::keys::{MembershipKey, RoomKey};
use crate::chat::model::event::{Event, LeftReason};
use crate::chat::model::load::Begun;
use crate::chat::model::log::{Farewell, LogId, RoomMeta};
use crate::chat::model::name::UserName;
use crate::chat::rooms::Marks;

/// A log is another than was told.
pub(super) fn on_renewed(chat: &mut Chat, log: LogId, begun: Begun) {
    let Some(key) = chat.rooms.of_log(log) else { return };
    // What was told of the log before goes out under its epoch.
    chat.delivery_mut().fan_out(key);
    forget_records(chat, key);
    let Begun { name, epoch, head, oldest, meta, .. } = begun;
    let former = meta.iter().find_map(|meta| match meta {
        RoomMeta::Name(_, former) => Some(former.clone()),
        _ => None,
    });
    take_names(chat, key, (&name, former.unwrap_or_default()));
    if !chat.rooms.is_of_this_start(epoch) {
        chat.rooms.begin_epochs_above(epoch);
    }
    let rev = chat.context.next_rev();
    let room = &mut chat.rooms[key];
    (room.epoch, room.head, room.oldest, room.rev) = (epoch, head, oldest, rev);
    (room.private, room.owned, room.topic) = (false, false, "".into());
    let refusal = room.epoch_changed();
    let acks = ack::take_gathered(chat, key);
    // First, since what follows is told about the new log.
    begin_cursors(chat, key);
    chat.context.follows = true;
    let kept = end_old_members(chat, key, &meta);
    for (user, kind) in chat.rooms[key].moderation.all() {
        restrict(chat, (key, &user), kind, None);
    }
    for meta in meta {
        on_fact(chat, key, meta);
    }
    chat.context.follows = false;
    for membership in kept {
        put_member(chat, membership);
    }
    retire_room(chat, key);
    // After all that the room is now: an inbox may have waited for them.
    ack::refuse(chat, acks, &refusal);
}

/// Nothing that was read of the log, or is being read, is of the new one.
fn forget_records(chat: &mut Chat, key: RoomKey) {
    let log = chat.rooms[key].log;
    chat.rooms.forget_ring(key);
    chat.delivery.pages.on_changed_from(log, 0);
    chat.pending.changes.outdate_all();
}

/// Each cursor begins at the head of the new log.
fn begin_cursors(chat: &mut Chat, key: RoomKey) {
    for conn in chat.delivery.subscribed(key) {
        chat.delivery_mut().subscribe(conn, key, None);
        let room = &chat.rooms[key];
        let (room, epoch, seq) = (room.name.clone(), room.epoch, room.head);
        chat.context.tell(conn, Event::Joined { room, epoch, seq });
        chat.delivery_mut().mark_stale(conn, key);
        chat.context.wake(conn);
    }
}

/// Ends the memberships that are not among these facts, and lets the marks of the others begin
/// anew. Those of a conversation that is on its way into the log stay, and are to be put there.
fn end_old_members(chat: &mut Chat, key: RoomKey, meta: &[RoomMeta]) -> Vec<MembershipKey> {
    let is_member = |meta: &RoomMeta| match meta {
        RoomMeta::Member(user, Some(_)) => Some(user.clone()),
        _ => None,
    };
    let members: BTreeSet<UserName> = meta.iter().filter_map(is_member).collect();
    let room = &chat.rooms[key];
    let is_begun = room.name.is_direct() && room.pending_ops > 0;
    let mut kept = Vec::new();
    for membership in room.members.clone() {
        let row = &chat.rooms[membership];
        let (is_confirmed, name) = (row.is_confirmed, &chat.directory[row.user].name);
        if members.contains(name) {
            let row = &mut chat.rooms[membership];
            row.set_marks(Marks::default());
        } else if is_begun {
            let row = &mut chat.rooms[membership];
            row.set_marks(Marks::default());
            kept.push(membership);
        } else {
            // A `join` that was not answered yet is done once more on the new log, if it may be.
            end_membership(chat, membership, is_confirmed.then_some(LeftReason::Left));
        }
    }
    kept
}

/// Another node has dropped the room, or ended it for all.
pub(super) fn on_gone(chat: &mut Chat, log: LogId, farewell: Option<&Farewell>) {
    let Some(key) = chat.rooms.of_log(log) else { return };
    chat.context.follows = true;
    if let Some(farewell) = farewell {
        close::on_ended(chat, key, farewell);
        chat.context.follows = false;
        return;
    }
    for membership in chat.rooms[key].members.clone() {
        let is_confirmed = chat.rooms[membership].is_confirmed;
        end_membership(chat, membership, is_confirmed.then_some(LeftReason::Left));
    }
    for conn in chat.delivery.subscribed(key) {
        end_watch(chat, (conn, key), LeftReason::Left);
    }
    // It stays hidden for as long as answers are owed about it.
    chat.rooms[key].close_for_good(true);
    retire_room(chat, key);
    chat.context.follows = false;
}
