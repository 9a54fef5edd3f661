//! `block`, `unblock`, `blocked`: a user hears nothing of another one, who does not learn of it.
//!
//! | of the blocked | for who has blocked | for the blocked |
//! |---|---|---|
//! | direct messages | the conversation leaves the inbox, and no message brings it back | sent, stored and answered as always; the other one seems to be off |
//! | messages in common rooms | stay; the list lets a client mark them | as always |
//! | invitations | are neither told nor listed | as always |
//! | typing, receipts, presence in common rooms | left out | as always |
//!
//! So a conversation with somebody by whom one is blocked is as one that the other has left. Who
//! has blocked somebody writes to them only after `unblock`; what was written meanwhile is then in
//! the conversation, which the next message brings back.

use std::collections::BTreeSet;

use super::membership::end_membership;
use super::{Answer, Chat};
use crate::chat::keys::{MembershipKey, RoomKey, UserKey};
use crate::chat::model::code::Code;
use crate::chat::model::event::LeftReason;
use crate::chat::model::limits::GUEST_PREFIX;
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::people::{Block, PeopleChange};
use crate::chat::model::reply::{Refusal, Reply};
use crate::chat::pending::{PeopleOp, Requester};

/// Begins or ends a block. What is so already is answered as done.
///
/// # Errors
///
/// [`Code::BadField`] for what is no name, or the user's own, and [`Code::TooLarge`] for more than
/// there may be. Whether there is a user of this name is not told.
pub(super) fn block(
    chat: &mut Chat,
    by: &mut Requester,
    (name, on): (&str, bool),
) -> Result<Answer, Refusal> {
    let blocked = chat.lookup().user_name(("user", name), None)?;
    let row = &chat.directory[by.user];
    let (user, is_kept) = (row.name.clone(), !row.is_guest());
    if blocked == user {
        let refusal = Refusal::new(Code::BadField, "this is your own name");
        return Err(refusal.field("user", "the name of another user"));
    }
    let blocks = &chat.directory.blocks;
    if blocks.has(&user, &blocked) == on {
        return Ok(Answer::Now(Reply::Done));
    }
    if on && let Some(limit) = blocks.limit_for(&user) {
        let message = "no more users can be blocked; unblock ends one";
        return Err(Refusal::new(Code::TooLarge, message).limit(limit));
    }
    let block = Block { user, blocked, at: chat.context.now.wall_ms };
    let change = if on {
        PeopleChange::Block(block.clone())
    } else {
        PeopleChange::Unblock(block.user.clone(), block.blocked.clone())
    };
    // A guest is forgotten with all that is its own.
    if is_kept {
        chat.change_people(PeopleOp::Block { by: by.take(), block, on }, vec![change]);
    } else {
        on_written(chat, by.take(), (block, on), Ok(()));
    }
    Ok(Answer::Later)
}

/// A block is written, or could not be.
pub(super) fn on_written(
    chat: &mut Chat,
    by: Requester,
    (block, on): (Block, bool),
    outcome: Result<(), Refusal>,
) {
    let Block { user, blocked, at } = block;
    let is_done = outcome.is_ok();
    if is_done && on {
        chat.directory.blocks.insert(user.clone(), blocked.clone(), at);
    } else if is_done {
        chat.directory.blocks.remove(&user, &blocked);
    }
    chat.answer(by, outcome.map(|()| Answer::Now(Reply::Done)));
    if is_done {
        if on {
            end_conversation(chat, &user, &blocked, Some(LeftReason::Left));
        }
        tell_common_rooms_anew(chat, &user, &blocked);
    }
}

/// Whom the user has blocked.
pub(super) fn blocked(chat: &Chat, user: UserKey) -> Answer {
    let list = chat.directory.blocks.of(&chat.directory[user].name);
    let users = list.map(|(name, at)| (name.clone(), at)).collect();
    Answer::Now(Reply::Blocked { users })
}

/// Takes up what is kept, before anybody comes. A kill may have come between a block and the end of
/// the conversation.
pub(super) fn restore(chat: &mut Chat, blocks: Vec<Block>) {
    for Block { user, blocked, at } in blocks {
        chat.directory.blocks.insert(user, blocked, at);
    }
}

/// Takes up what is kept in place of what was known: another node, or a command, has changed it.
/// The end of a conversation comes by its log. What guests have blocked is kept by nobody.
pub(super) fn replace(chat: &mut Chat, kept: Vec<Block>) {
    let pair = |block: &Block| (block.user.clone(), block.blocked.clone());
    let now: BTreeSet<_> = kept.iter().map(pair).collect();
    let is_guest = |user: &UserName| user.as_str().starts_with(GUEST_PREFIX);
    let known = chat.directory.blocks.all().filter(|(user, _)| !is_guest(user));
    let known: BTreeSet<_> = known.map(|(user, other)| (user.clone(), other.clone())).collect();
    for (user, blocked) in known.difference(&now) {
        chat.directory.blocks.remove(user, blocked);
    }
    for Block { user, blocked, at } in kept {
        chat.directory.blocks.insert(user, blocked, at);
    }
    for (user, blocked) in known.symmetric_difference(&now) {
        tell_common_rooms_anew(chat, user, blocked);
    }
}

/// Ends what conversations are left with somebody who is blocked, when all rooms are there.
pub(super) fn end_conversations(chat: &mut Chat) {
    let all = chat.directory.blocks.all();
    let all: Vec<_> = all.map(|(user, other)| (user.clone(), other.clone())).collect();
    for (user, other) in all {
        end_conversation(chat, &user, &other, None);
    }
}

/// Ends what is left of the conversation of two, if one has blocked the other.
pub(super) fn end_blocked_conversation(chat: &mut Chat, one: &UserName, other: &UserName) {
    for (user, other) in [(one, other), (other, one)] {
        if chat.directory.blocks.has(user, other) {
            end_conversation(chat, user, other, None);
        }
    }
}

fn end_conversation(
    chat: &mut Chat,
    user: &UserName,
    other: &UserName,
    reason: Option<LeftReason>,
) {
    if let Some((_, membership)) = membership_in(chat, user, RoomName::direct(user, other).as_str())
    {
        end_membership(chat, membership, reason);
    }
}

fn membership_in(chat: &Chat, user: &UserName, room: &str) -> Option<(RoomKey, MembershipKey)> {
    let key = chat.rooms.named(room)?;
    let user = chat.directory.user_named(user.as_str())?;
    Some((key, chat.directory[user].membership(key)?))
}

/// What a user's connections know of the other one in common rooms is not so any more: they are
/// told presence, typing and receipts again, as somebody who has missed some.
fn tell_common_rooms_anew(chat: &mut Chat, user: &UserName, other: &UserName) {
    let users =
        (chat.directory.user_named(user.as_str())).zip(chat.directory.user_named(other.as_str()));
    let Some((user, other)) = users else { return };
    let rooms = chat.directory[user].memberships.iter().map(|&(room, _)| room);
    let common = rooms.filter(|&room| chat.directory[other].membership(room).is_some());
    let common: Vec<RoomKey> = common.collect();
    if common.is_empty() {
        return;
    }
    for &conn in &chat.directory[user].connections() {
        for &room in &common {
            chat.delivery_mut().mark_stale(conn, room);
        }
        chat.context.wake(conn);
    }
}

/// # Errors
///
/// [`Code::Forbidden`] for a message to somebody whom the sender has blocked, since the answer to
/// it would never come, and for looking into the conversation again.
pub(super) fn check_may_write(chat: &Chat, from: &UserName, to: &UserName) -> Result<(), Refusal> {
    if chat.directory.blocks.has(from, to) {
        let message = format!("you have blocked {to}; unblock ends that");
        return Err(Refusal::new(Code::Forbidden, message));
    }
    Ok(())
}
