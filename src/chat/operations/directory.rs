//! `directory`: the rooms that everybody may find, by name. Private ones are told to nobody here:
//! who is in one, or invited, has it in the inbox.

use std::collections::BTreeMap;

use super::{Answer, Chat, grants};
use crate::chat::keys::RoomKey;
use crate::chat::model::limits::{
    DIRECTORY_PAGE_MAX, INBOX_BYTES_MAX, LISTED_ROOM_OVERHEAD, TOPIC_LEN_MAX,
};
use crate::chat::model::listed_rooms::{DirectoryQuery, ListedRoom, StoredRoom, is_meant};
use crate::chat::model::log::Query;
use crate::chat::model::name::{NAME_LEN_MAX, RoomName, UserName};
use crate::chat::model::policy::Access;
use crate::chat::model::reply::Reply;
use crate::chat::pending::{DirectoryPage, PendingOp, Requester};

// A page fits into what the longest message holds. A byte of a topic is escaped as two at most.
const _: () = assert!(
    (DIRECTORY_PAGE_MAX as usize) * (LISTED_ROOM_OVERHEAD + NAME_LEN_MAX + 2 * TOPIC_LEN_MAX)
        <= INBOX_BYTES_MAX
);

/// Has a page of the rooms read.
pub(super) fn directory(
    chat: &mut Chat,
    by: &mut Requester,
    (text, after): (Option<&str>, Option<&str>),
    limit: Option<u32>,
) -> Answer {
    let text: Box<str> = text.unwrap_or_default().to_lowercase().into();
    let after: Box<str> = after.unwrap_or_default().into();
    let limit = limit.unwrap_or(DIRECTORY_PAGE_MAX).clamp(1, DIRECTORY_PAGE_MAX);
    let user = chat.directory[by.user].name.clone();
    read(chat, by, user, DirectoryPage { text, after, limit })
}

fn read(chat: &mut Chat, by: &mut Requester, user: UserName, page: DirectoryPage) -> Answer {
    // Who may not read all rooms may have to go a long way to the first one.
    let is_restricted = chat.directory.credentials.is_restricted(by.conn);
    let limit = if is_restricted { DIRECTORY_PAGE_MAX } else { page.limit };
    let (text, after) = (page.text.clone(), page.after.clone());
    let query = Query::Directory(DirectoryQuery { user, text, after, limit });
    chat.begin_read(PendingOp::Directory { by: by.take(), page: Box::new(page) }, query);
    Answer::Later
}

/// What the store has, up to the name at which it has ended, with the rooms that are in memory as
/// they are there: the store learns of them later, and of some never.
///
/// A page ends at a room that the connection may read, since its name is told; while there is none,
/// the next rooms are read.
pub(super) fn on_read(
    chat: &mut Chat,
    by: &mut Requester,
    page: DirectoryPage,
    (stored, next): (Vec<StoredRoom>, Option<RoomName>),
) -> Answer {
    let mut items = items(chat, &page, (stored, next.as_ref()));
    let may_read = |room: &RoomName| grants::may_read(chat, by.conn, room.as_str());
    items.retain(|row| may_read(&row.room));
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let is_cut = items.len() > limit;
    items.truncate(limit);
    let last = items.last().map(|row| row.room.clone());
    let next = match next {
        _ if is_cut => last,
        Some(next) if may_read(&next) => Some(next),
        Some(next) if last.is_none() => {
            if let Some(user) = chat.directory.user(by.user).map(|row| row.name.clone()) {
                return read(chat, by, user, DirectoryPage { after: next.as_str().into(), ..page });
            }
            None
        }
        Some(_) => last,
        None => None,
    };
    Answer::Now(Reply::Directory { items, next })
}

/// The rooms up to `next`, by name.
fn items(
    chat: &Chat,
    page: &DirectoryPage,
    (stored, next): (Vec<StoredRoom>, Option<&RoomName>),
) -> Vec<ListedRoom> {
    let is_in_page = |room: &RoomName| {
        let is_before_end = next.is_none_or(|next| room <= next);
        room.as_str() > &*page.after && is_before_end
    };
    // When something was said last: a ring may be empty of a room that has records.
    let mut last: BTreeMap<RoomName, u64> = BTreeMap::new();
    let mut items = Vec::new();
    for row in stored {
        if chat.rooms.named(row.room.as_str()).is_some() {
            last.insert(row.room, row.at);
        } else {
            items.push(listed(chat, row));
        }
    }
    for (key, room) in chat.rooms.table.iter() {
        if is_shown(chat, key)
            && is_in_page(&room.name)
            && is_meant(&page.text, &room.name, &room.topic)
        {
            let newest = room.ring.from(0).next_back().map(|record| record.at);
            let at = newest.or_else(|| last.get(&room.name).copied()).unwrap_or(0);
            items.push(ListedRoom {
                room: room.name.clone(),
                topic: room.topic.clone(),
                members: u64::try_from(room.members.len()).unwrap_or(u64::MAX),
                at,
                by_invitation: chat.lookup().is_closed(room),
            });
        }
    }
    items.sort_unstable_by(|a, b| a.room.cmp(&b.room));
    items
}

fn listed(chat: &Chat, row: StoredRoom) -> ListedRoom {
    let StoredRoom { room, topic, members, at, policy } = row;
    let policy = chat.context.limits.policies.of(&room, policy.as_deref());
    let by_invitation = policy.access != Access::Open;
    ListedRoom { room, topic, members, at, by_invitation }
}

/// Whether a room is one that everybody may find, and is not about to go.
fn is_shown(chat: &Chat, key: RoomKey) -> bool {
    let room = &chat.rooms[key];
    !room.private && !room.name.is_direct() && (room.head > 0 || !room.members.is_empty())
}
