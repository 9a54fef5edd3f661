//! What nodes tell each other of that which is in no log: who is where, who types, how far who has
//! read, and in which rooms something concerns a user at another node.
//!
//! ```text
//!  here ─▶ Tell ─▶ another node: Told ─▶ presence, typing, marks, as if it had happened there
//!                                └─ Look ─▶ the room is loaded, and its user told what is new
//! ```
//!
//! A node has the rooms of all who are connected to it in memory, and learns by their logs what
//! happens there. A `Look` is for rooms into which a user is brought at another node. It may be
//! lost, or come while the user is on its way in: so each is looked after once more, a while after
//! it has come. With one node nothing of this is asked for.

use super::absence::{arm_absence, senders_to, update_presence};
use super::log_grown::raise_marks;
use super::{Chat, invitations, load, threads};
use crate::chat::keys::{MembershipKey, RoomKey, UserKey};
use crate::chat::model::event::Event;
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::other_nodes::{NodeId, Told};
use crate::chat::model::reply::Presence;
use crate::chat::rooms::Marks;

/// Another node tells something.
pub(super) fn on_told(chat: &mut Chat, node: NodeId, told: Told) {
    // What this one has told itself.
    if chat.context.node == Some(node) {
        return;
    }
    match told {
        Told::Present { user, presence } => {
            if chat.directory.elsewhere.set(node, &user, presence) {
                on_moved(chat, &user);
            }
        }
        Told::RollBegins => chat.directory.elsewhere.begin_roll(node),
        Told::RollEnds { users } => {
            for user in chat.directory.elsewhere.end_roll(node, users) {
                on_moved(chat, &user);
            }
        }
        Told::Typing { room, user, on } => {
            let Some((key, membership)) = member(chat, &room, &user) else { return };
            let user = chat.rooms[membership].user;
            if on {
                chat.ephemeral_mut().typing(key, user);
            } else {
                chat.ephemeral_mut().stop_typing(key, user);
            }
        }
        Told::Marks { room, user, recv, read } => {
            if let Some((key, membership)) = member(chat, &room, &user) {
                raise_marks(chat, key, membership, Marks { recv, read });
            }
        }
        Told::Look { room, user } => {
            let is_known = chat.rooms.named(room.as_str()).is_some();
            if !is_known && is_awaited_here(chat, &user) {
                load::wait_look(chat, Some(room), &user);
            }
        }
        Told::Mark(news) => threads::tell_sessions(chat, None, &news),
    }
}

fn member(chat: &Chat, room: &RoomName, user: &UserName) -> Option<(RoomKey, MembershipKey)> {
    let key = chat.rooms.named(room.as_str())?;
    Some((key, chat.lookup().member_named(key, user)?))
}

/// Whether the user is connected to this node, or about to be.
fn is_awaited_here(chat: &Chat, user: &UserName) -> bool {
    let known = chat.directory.user_named(user.as_str());
    known.is_some_and(|user| !chat.directory[user].sessions.is_empty())
        || chat.pending.loads.is_pinned(user)
}

/// A node is heard no more: who was there is not, unless it comes back within the leave grace.
pub(super) fn on_node_gone(chat: &mut Chat, node: NodeId) {
    for user in chat.directory.elsewhere.end(node) {
        on_moved(chat, &user);
    }
}

/// A user has come to another node, or gone from it.
fn on_moved(chat: &mut Chat, name: &UserName) {
    let Some(user) = chat.directory.user_named(name.as_str()) else { return };
    if chat.directory.presence_of_sessions(user).is_none() {
        if chat.directory[user].presence != Presence::Off {
            arm_absence(chat, user);
        }
        return;
    }
    if chat.directory[user].is_awaited {
        // The name has come, at another node.
        for sender in senders_to(chat, user) {
            chat.directory.awaited.end(&sender);
        }
        chat.directory.set_awaited(user, false);
    }
    update_presence(chat, user);
}

/// The time to look again has come: asks the store what other nodes have done about the user.
pub(in crate::chat) fn look_again(chat: &mut Chat, user: UserKey) {
    let is_here =
        |chat: &Chat| chat.directory.user(user).is_some_and(|user| !user.sessions.is_empty());
    if chat.pending.loads.on_demand && is_here(chat) {
        let name = chat.directory[user].name.clone();
        load::wait_look(chat, None, &name);
    }
}

/// Rooms were loaded in which another node has done something that concerns a user who is here:
/// it is told what is new.
pub(super) fn on_looked(chat: &mut Chat, rooms: impl Iterator<Item = RoomName>, name: &UserName) {
    let Some(user) = chat.directory.user_named(name.as_str()) else { return };
    for room in rooms {
        let Some(key) = chat.rooms.named(room.as_str()) else { continue };
        let membership = chat.directory[user].membership(key);
        match membership {
            Some(membership) if room.is_direct() => {
                subscribe_missing(chat, (key, membership), user);
            }
            // It has entered by another node: its inbox shows that.
            Some(_) => {}
            None => invitations::tell_invited(chat, key, name),
        }
    }
}

/// The sessions of a user are told of a conversation: what was said in it since it was brought
/// there follows.
fn subscribe_missing(chat: &mut Chat, (key, membership): (RoomKey, MembershipKey), user: UserKey) {
    let (room, row) = (&chat.rooms[key], &chat.rooms[membership]);
    let next = (row.marks().recv + 1).max(room.oldest());
    let lagging = (next <= room.head).then_some(next);
    for &conn in &chat.directory[user].connections() {
        let room = &chat.rooms[key];
        let is_missing =
            chat.delivery.reader(conn).is_some_and(|reader| !reader.is_subscribed(key))
                && room.may_be_read(&chat.directory, conn);
        if is_missing {
            let (room, epoch) = (room.name.clone(), room.epoch);
            chat.delivery_mut().subscribe(conn, key, lagging);
            chat.context.tell(conn, Event::Joined { room, epoch, seq: next - 1 });
            chat.catch_up(conn);
        }
    }
}
