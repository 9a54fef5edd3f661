//! How rooms end, and how those stop to read them who are no members.

use std::time::Duration;

use super::Chat;
use crate::chat::context::Timer;
use crate::chat::delivery::Reader;
use crate::chat::keys::{RoomKey, UserKey};
use crate::chat::model::event::{Event, LeftReason};
use crate::chat::model::log::LogRequest;
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::people::{AuditedAct, PeopleChange, ROOM_CLOSED};
use crate::chat::pending::PeopleOp;
use crate::chat::rooms::{Audited, Room};
use crate::net::ConnId;

/// After how long a room that was closed is tried to be dropped again, if the log owes an answer
/// about it.
const CLOSE_RETRY: Duration = Duration::from_secs(1);

/// Forgets a room without members, and its log.
pub(super) fn drop_room(chat: &mut Chat, key: RoomKey) {
    // Senders that wait for the turn's end are answered, although nobody reads the room any more.
    chat.delivery_mut().fan_out(key);
    for conn in chat.delivery.subscribed(key) {
        end_watch(chat, (conn, key), LeftReason::Left);
    }
    if chat.rooms.table.get(key).is_some_and(|room| may_be_audited(chat, room)) {
        note_end(chat, key, None);
    }
    let Some(room) = chat.rooms.remove(key) else { return };
    if let Some(timer) = room.timer {
        chat.context.wheel.cancel(timer);
    }
    chat.delivery.remove_feed(key);
    // The slot of the log is used again: pages of the old one would otherwise stay until they are
    // the oldest.
    chat.delivery.pages.prune(room.log, u64::MAX);
    chat.ephemeral.remove_room(key);
    if !chat.context.follows {
        release_reports(chat, &room);
        chat.context.requests.push_back(LogRequest::Drop { log: room.log });
    }
}

/// A room is gone, and its names are free: what was reported there is for administrators from now
/// on, and not for whoever makes a room of one of these names.
fn release_reports(chat: &mut Chat, room: &Room) {
    let taken = chat.directory.reports.take_out_of(|name| room.is_named(name.as_str()));
    if !taken.is_empty() {
        let ids = taken.iter().map(|report| report.id).collect();
        let changes = taken.into_iter().map(PeopleChange::Report).collect();
        chat.change_people(PeopleOp::TakenOut(ids), changes);
    }
}

/// Whether the audit may have acts of a room, without its end after them. What other nodes have
/// noted is not known.
fn may_be_audited(chat: &Chat, room: &Room) -> bool {
    let is_noted = room.audited == Audited::Acts || (chat.context.node.is_some() && room.head > 0);
    is_noted && !chat.context.follows && !room.name.is_direct()
}

/// That a room ends is noted for the operator, since its own log goes with it; by each of its
/// names, which are free: who makes a room of one is not shown what was noted of this one. `from`
/// is who has ended it; `None` if nobody has, as it was empty.
pub(super) fn note_end(chat: &mut Chat, key: RoomKey, from: Option<&UserName>) {
    let at = chat.context.now.wall_ms;
    let act = |room: &RoomName| {
        let (by, room) = (from.cloned(), Some(room.clone()));
        PeopleChange::Audit(AuditedAct { by, act: ROOM_CLOSED.into(), whom: "".into(), room, at })
    };
    let acts = chat.rooms[key].names().map(act).collect();
    chat.rooms[key].audited = Audited::Nothing;
    chat.change_people(PeopleOp::Noted, acts);
}

/// Drops a room that has no member: at once if nothing was ever said there or its last member has
/// closed it, otherwise after a while, or, if it is stored, when there are as many rooms as there
/// may be. An open room has no owner any more. Nothing happens if the room is gone already.
pub(super) fn retire_room(chat: &mut Chat, key: RoomKey) {
    let Some(room) = chat.rooms.table.get_mut(key) else { return };
    if !room.members.is_empty() {
        return;
    }
    let is_closed = room.is_closed_for_good();
    // In a cluster the node decides at which the last member has left.
    if chat.context.follows && !is_closed {
        return chat.rooms.list_empty(key);
    }
    // An answer that is still owed finds its room by the key, and would be lost with it.
    if (room.head == 0 || is_closed) && room.pending_ops == 0 {
        drop_room(chat, key);
        return;
    }
    let is_kept = room.is_stored() && room.head > 0 && !is_closed;
    if let Some(timer) = room.timer.take() {
        chat.context.wheel.cancel(timer);
    }
    // A stored room costs its row only, and its log may be wanted; a memory room holds records.
    if !is_kept {
        let lasts = if is_closed { CLOSE_RETRY } else { chat.context.limits.guest_membership };
        let deadline = chat.context.now.tick.after(lasts);
        room.timer = Some(chat.context.wheel.arm(deadline, Timer::RoomEmpty(key)));
    }
    chat.rooms.list_empty(key);
    if chat.rooms[key].owned && !chat.lookup().is_closed(&chat.rooms[key]) {
        // Whoever comes next has no right to moderate, and nobody is left who has.
        chat.rooms[key].owned = false;
        chat.rooms[key].put_access(&mut chat.context);
    }
}

/// A room has had no member for long enough: drops it, unless the log still owes an answer about
/// it.
pub(in crate::chat) fn on_room_empty(chat: &mut Chat, key: RoomKey) {
    let Some(room) = chat.rooms.table.get_mut(key) else { return };
    room.timer = None;
    // Programs read it that are no members.
    let is_read = chat.delivery.subscribers(key) > 0;
    if room.pending_ops == 0 && !is_read {
        drop_room(chat, key);
    } else {
        retire_room(chat, key);
    }
}

/// The log has answered what was sent to a room without members: it stays for as long as after the
/// last one has left.
pub(super) fn on_answered_outside(chat: &mut Chat, key: RoomKey) {
    let Some(room) = chat.rooms.table.get_mut(key) else { return };
    if !room.members.is_empty() {
        return;
    }
    if room.head <= 1 || room.is_closed_for_good() {
        return retire_room(chat, key);
    }
    // It is on the list of empty rooms already.
    if let Some(timer) = room.timer.take() {
        chat.context.wheel.cancel(timer);
        let deadline = chat.context.now.tick.after(chat.context.limits.guest_membership);
        room.timer = Some(chat.context.wheel.arm(deadline, Timer::RoomEmpty(key)));
    }
}

/// Who is no member reads the room no more, and is told.
pub(super) fn end_watch(chat: &mut Chat, (conn, key): (ConnId, RoomKey), reason: LeftReason) {
    chat.delivery_mut().unsubscribe(conn, key);
    let room = chat.rooms[key].name.clone();
    chat.context.tell(conn, Event::Left { room, reason });
}

/// The membership of a user in a room has ended, which ends its streams of it.
pub(super) fn end_watches(chat: &mut Chat, (user, key): (UserKey, RoomKey), reason: LeftReason) {
    for conn in streams_of(chat, user) {
        if chat.delivery.reader(conn).is_some_and(|reader| reader.is_subscribed(key)) {
            end_watch(chat, (conn, key), reason);
        }
    }
}

/// The connections of a user's visits: nearly nobody has any, and then nothing is searched.
pub(super) fn streams_of(chat: &Chat, user: UserKey) -> Vec<ConnId> {
    if chat.directory[user].visits() == 0 {
        return Vec::new();
    }
    let is_one = |reader: &&Reader| reader.user == user && reader.is_visit;
    chat.delivery.readers().filter(is_one).map(|reader| reader.conn).collect()
}

/// A stream of a room has ended: one that was made for it, and in which nothing was said, goes.
pub(super) fn let_go(chat: &mut Chat, key: RoomKey) {
    let room = chat.rooms.table.get(key);
    let is_idle = room.is_some_and(|room| room.head == 0 && room.members.is_empty());
    if is_idle && chat.delivery.subscribers(key) == 0 {
        retire_room(chat, key);
    }
}
