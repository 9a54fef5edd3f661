//! `edit`, `delete` and `react`.
//!
//! Each is a record of its own that names its target. The log has the last word on whether the
//! target may be changed; what the recent ring shows is refused before the log is asked, and where
//! the ring is all there is, it decides.

use super::send::{NewRecord, append, check_size, in_thread, no_such_reference, size_max};
use super::{Answer, Chat, admins, mentions, outsiders};
use crate::chat::keys::{RoomKey, UserKey};
use crate::chat::model::log::{Appended, TargetCheck};
use crate::chat::model::mentions::mentions;
use crate::chat::model::record::Body;
use crate::chat::model::reply::Refusal;
use crate::chat::model::{self, code::Code};
use crate::chat::pending::Requester;
use crate::chat::rooms::PendingAct;
use crate::time::millis;

/// Gives the user's own message a new text.
///
/// # Errors
///
/// Those of finding the room and of having no voice there, [`Code::TooLarge`], and those of the
/// target: [`Code::NoSuchMessage`], [`Code::Forbidden`], [`Code::EditWindowOver`].
pub(super) fn edit(
    chat: &mut Chat,
    by: &mut Requester,
    (name, target): (&str, u64),
    (text, weight): (&str, u32),
) -> Result<Answer, Refusal> {
    let (room, _) = outsiders::speaks(chat, (by.conn, by.user), name)?;
    check_size(chat, room, text.len())?;
    mentions::check(chat, (by.user, room), &mentions(text))?;
    let window = chat.context.limits.edit_window;
    let window = window.map(millis);
    let not_before = window.map_or(0, |window| chat.context.now.wall_ms.saturating_sub(window));
    // The data stay with the message when its text changes, so that the new text must fit beside
    // them; only the log may know how long they are.
    let data_max = size_max(chat, room).saturating_sub(text.len());
    let check = TargetCheck { target, others: false, not_before, data_max };
    check_target(chat, (room, by.user), &check)?;
    let body = Body::Edit { target, text: Some(text.into()) };
    append(chat, by, NewRecord { check: Some(check), ..NewRecord::new(room, body, weight) })
}

/// Deletes the user's own message or, for a moderator or an administrator, any.
///
/// # Errors
///
/// As [`edit`], but for the window and the size.
pub(super) fn delete(
    chat: &mut Chat,
    by: &mut Requester,
    (name, target): (&str, u64),
) -> Result<Answer, Refusal> {
    let spoken = outsiders::speaks(chat, (by.conn, by.user), name);
    let (room, others) = match admins::authority(chat, (by.conn, by.user), name) {
        Ok(found) if found.is_admin => (found.room, true),
        Ok(found) => {
            let (room, _) = spoken?;
            (room, chat.rooms[room].owned && found.may_moderate())
        }
        // Who needs no membership to speak.
        Err(_) => (spoken?.0, false),
    };
    let check = TargetCheck { target, others, not_before: 0, data_max: usize::MAX };
    check_target(chat, (room, by.user), &check)?;
    // A store does these in order; where there is none, what this turn has asked for counts.
    let act = (!chat.rooms[room].is_stored()).then_some(PendingAct::Deletion(target));
    let body = Body::Deletion { target };
    append(chat, by, NewRecord { check: Some(check), act, ..NewRecord::new(room, body, 0) })
}

/// Reacts to a message, or takes the reaction back.
///
/// # Errors
///
/// As [`delete`], but that any message will do.
pub(super) fn react(
    chat: &mut Chat,
    by: &mut Requester,
    (name, target): (&str, u64),
    (emoji, remove, weight): (&str, bool, u32),
) -> Result<Answer, Refusal> {
    let (room, _) = outsiders::speaks(chat, (by.conn, by.user), name)?;
    let check = TargetCheck { target, others: true, not_before: 0, data_max: usize::MAX };
    check_target(chat, (room, by.user), &check)?;
    let body = Body::Reaction { target, emoji: emoji.into(), remove };
    append(chat, by, NewRecord { check: Some(check), ..NewRecord::new(room, body, weight) })
}

/// Refuses what the log would refuse, as far as that can be known here.
fn check_target(
    chat: &Chat,
    (key, user): (RoomKey, UserKey),
    check: &TargetCheck,
) -> Result<(), Refusal> {
    let room = &chat.rooms[key];
    let Some(record) = room.ring.get(check.target) else {
        // What the ring does not hold only a stored log can judge; beyond its ends nobody needs to
        // be asked.
        let is_kept = (room.oldest()..=room.head).contains(&check.target);
        return if is_kept && room.is_stored() { Ok(()) } else { Err(no_such_message()) };
    };
    if room.moderation.is_deleting(check.target) {
        return Err(no_such_message());
    }
    match model::edits::refusal(record, &chat.directory[user].name, check) {
        Some(refused) => Err(refusal_of(chat, key, &refused)),
        None => Ok(()),
    }
}

/// The refusal of a change that its target does not allow.
pub(super) fn refusal_of(chat: &Chat, key: RoomKey, refused: &Appended) -> Refusal {
    match refused {
        Appended::TooLarge(data) => {
            let message = format!("the message keeps {data} bytes of data beside the new text");
            let (limit, refusal) = (size_max(chat, key), Refusal::new(Code::TooLarge, message));
            let text_max = limit.saturating_sub(*data);
            refusal.field("text", format!("at most {text_max} bytes")).limit(limit)
        }
        Appended::NoSuchReference(field) => no_such_reference(field),
        Appended::InThread(root) => in_thread(*root),
        Appended::NotYours => Refusal::new(Code::Forbidden, "the message is another user's"),
        Appended::TooOld => {
            Refusal::new(Code::EditWindowOver, "the message is too old to be edited")
        }
        _ => no_such_message(),
    }
}

/// The refusal of a target that is no message, or is none any more.
pub(super) fn no_such_message() -> Refusal {
    let refusal = Refusal::new(Code::NoSuchMessage, "there is no message of this seq");
    refusal.field("target", "the seq of a message")
}
