//! What this node tells the others of that which is in no log; with one node nothing is asked for.
//! What they tell it is in [`other_nodes`](super::other_nodes).

use std::time::Duration;

use super::Chat;
use crate::chat::context::Timer;
use crate::chat::keys::{MembershipKey, RoomKey, UserKey};
use crate::chat::model::limits::{PRESENCE_NAMES_MAX, RECEIPTS_MEMBERS_MAX};
use crate::chat::model::log::LogRequest;
use crate::chat::model::name::UserName;
use crate::chat::model::other_nodes::Told;
use crate::chat::model::reply::Presence;
use crate::chat::model::thread::MarkNews;
use crate::chat::rooms::Marks;

/// After how long it is looked again what other nodes have done for a user who has come: by then
/// they know that it is here.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

fn tell(chat: &mut Chat, told: Told) {
    chat.context.requests.push_back(LogRequest::Tell(told));
}

/// Tells the other nodes how a user is at this one, if that is another than they were told.
pub(super) fn tell_present(chat: &mut Chat, user: UserKey) {
    if chat.context.node.is_none() {
        return;
    }
    let presence = chat.directory.presence_here(user);
    let user = chat.directory[user].name.clone();
    let told = &mut chat.directory.elsewhere.told;
    let before = match presence {
        Some(presence) => told.insert(user.clone(), presence),
        None => told.remove(&user),
    };
    if before != presence {
        tell(chat, Told::Present { user, presence: presence.unwrap_or(Presence::Off) });
    }
}

/// Another node has begun: it is told who is here.
pub(super) fn tell_all(chat: &mut Chat) {
    let told = chat.directory.elsewhere.told.clone();
    let users = u64::try_from(told.len()).unwrap_or(u64::MAX);
    tell(chat, Told::RollBegins);
    for (user, presence) in told {
        tell(chat, Told::Present { user, presence });
    }
    tell(chat, Told::RollEnds { users });
}

/// Tells the other nodes that a member types, if anybody there could see it.
pub(super) fn tell_typing(chat: &mut Chat, key: RoomKey, user: UserKey) {
    if is_of_others(chat, key, PRESENCE_NAMES_MAX) {
        let (room, user) = (chat.rooms[key].name.clone(), chat.directory[user].name.clone());
        tell(chat, Told::Typing { room, user, on: true });
    }
}

/// Tells the other nodes how far a member has read, if it or another member is there.
pub(super) fn tell_marks(chat: &mut Chat, membership: MembershipKey) {
    let row = &chat.rooms[membership];
    let (key, user) = (row.room, &chat.directory[row.user].name);
    let is_wanted =
        chat.directory.elsewhere.has(user) || is_of_others(chat, key, RECEIPTS_MEMBERS_MAX);
    if is_wanted {
        let (room, user) = (chat.rooms[key].name.clone(), user.clone());
        let Marks { recv, read } = row.marks();
        tell(chat, Told::Marks { room, user, recv, read });
    }
}

/// Whether the room has at most so many members, and one of them is at another node.
fn is_of_others(chat: &Chat, key: RoomKey, members_max: usize) -> bool {
    let elsewhere = &chat.directory.elsewhere;
    !elsewhere.is_empty()
        && chat.rooms[key].members.len() <= members_max
        && chat.rooms.users(key).any(|user| elsewhere.has(&chat.directory[user].name))
}

/// Tells the other nodes at which a user is of a mark that it has changed.
pub(super) fn tell_mark(chat: &mut Chat, news: MarkNews) {
    if chat.directory.elsewhere.has(&news.user) {
        tell(chat, Told::Mark(news));
    }
}

/// Points the nodes at which a user is to a room of which it has become a member.
pub(super) fn point_to(chat: &mut Chat, key: RoomKey, user: UserKey) {
    let name = &chat.directory[user].name;
    if chat.directory.elsewhere.has(name) {
        let (room, user) = (chat.rooms[key].name.clone(), name.clone());
        tell(chat, Told::Look { room, user });
    }
}

/// Points the nodes at which a user may be to a room into which it is invited.
pub(super) fn point_name_to(chat: &mut Chat, key: RoomKey, user: &UserName) {
    if chat.context.node.is_some() {
        tell(chat, Told::Look { room: chat.rooms[key].name.clone(), user: user.clone() });
    }
}

/// Points the nodes of both users to a conversation in which something was said. Where it has just
/// begun, or one of the two was brought back, also those at which nobody is known to be.
pub(super) fn point_both_to(chat: &mut Chat, key: RoomKey) {
    if chat.context.node.is_none() {
        return;
    }
    let is_new = chat.rooms.members(key).any(|row| !row.is_confirmed);
    let users: Vec<UserKey> = chat.rooms.users(key).collect();
    for user in users {
        let user = &chat.directory[user].name;
        if is_new || chat.directory.elsewhere.has(user) {
            let (room, user) = (chat.rooms[key].name.clone(), user.clone());
            tell(chat, Told::Look { room, user });
        }
    }
}

/// A user has come: it is looked once more, when all nodes know, whether there are further rooms.
pub(super) fn look_later(chat: &mut Chat, user: UserKey) {
    if chat.context.node.is_some() {
        let deadline = chat.context.now.tick.after(LOOK_AGAIN);
        chat.context.wheel.arm(deadline, Timer::LookAgain(user));
    }
}
