//! What is done to messages: edited, deleted, reacted to.
//!
//! Each is a record of its own that names its target. The log has the last word on whether the target may be
//! touched; what the recent ring shows is refused before the log is asked, and where the ring is all there
//! is, it decides. When the log has the record, the ring shows the target as it is from then on.

use super::changes::Changes;
use super::keys::{MembershipKey, RoomKey, UserKey};
use super::members::find_membership;
use super::model::limits::RECORD_OVERHEAD;
use super::model::log::TargetCheck;
use super::model::name::RoomName;
use super::model::record::{Body, Record, SharedRecord};
use super::model::reply::Role;
use super::pages::Pages;
use super::ring::RingBudget;
use super::room::Room;
use super::send::{Logged, check_size};
use super::standing::{self, Pending};
use super::state::State;
use super::{Code, Refusal};

/// A byte of a `cid`, rendered, at most: `\u0001`.
const CID_BYTE_WEIGHT: usize = 6;

/// Prepares a new text for the user's own message.
///
/// # Errors
///
/// Those of [`find_membership`] and [`standing::check_voice`], [`Code::TooLarge`], and those of the target:
/// [`Code::NoSuchMessage`], [`Code::Forbidden`], [`Code::EditWindowOver`].
pub(super) fn edit(
    state: &State,
    user: UserKey,
    (name, target): (&str, u64),
    text: &str,
    weight: u32,
) -> Result<Logged, Refusal> {
    let (room, _) = find_speaker(state, user, name)?;
    check_size(state, room, text.len())?;
    let window = state.limits.edit_window;
    let window = window.map(|window| u64::try_from(window.as_millis()).unwrap_or(u64::MAX));
    let not_before = window.map_or(0, |window| state.now.wall_ms.saturating_sub(window));
    let touch = TargetCheck { target, others: false, not_before };
    check_target(state, (room, user), &touch)?;
    let body = Body::Edit { target, text: Some(text.into()) };
    Ok(Logged { touch: Some(touch), ..Logged::new(room, user, body, weight) })
}

/// Prepares the deletion of the user's own message or, by a moderator, of any.
///
/// # Errors
///
/// As [`edit`], but for the window and the size.
pub(super) fn delete(
    state: &State,
    user: UserKey,
    (name, target): (&str, u64),
) -> Result<Logged, Refusal> {
    let (room, membership) = find_speaker(state, user, name)?;
    let others = state.rooms[room].owned && standing::role(state, membership) >= Role::Moderator;
    let touch = TargetCheck { target, others, not_before: 0 };
    check_target(state, (room, user), &touch)?;
    // A store does these in order; where there is none, what this turn has asked for counts.
    let pending = (!state.rooms[room].is_stored()).then_some(Pending::Deleting(target));
    let body = Body::Deletion { target };
    Ok(Logged { touch: Some(touch), pending, ..Logged::new(room, user, body, 0) })
}

/// Prepares a reaction, or that it is taken back.
///
/// # Errors
///
/// As [`delete`], but that any message will do.
pub(super) fn react(
    state: &State,
    user: UserKey,
    (name, target): (&str, u64),
    (emoji, remove): (&str, bool),
    weight: u32,
) -> Result<Logged, Refusal> {
    let (room, _) = find_speaker(state, user, name)?;
    let touch = TargetCheck { target, others: true, not_before: 0 };
    check_target(state, (room, user), &touch)?;
    let body = Body::Reaction { target, emoji: emoji.into(), remove };
    Ok(Logged { touch: Some(touch), ..Logged::new(room, user, body, weight) })
}

fn find_speaker(
    state: &State,
    user: UserKey,
    name: &str,
) -> Result<(RoomKey, MembershipKey), Refusal> {
    let (room, membership) = find_membership(state, user, name)?;
    standing::check_voice(state, membership)?;
    Ok((room, membership))
}

/// Refuses what the log would refuse, as far as that can be known here.
fn check_target(
    state: &State,
    (key, user): (RoomKey, UserKey),
    touch: &TargetCheck,
) -> Result<(), Refusal> {
    let room = &state.rooms[key];
    let Some(record) = room.ring.get(touch.target) else {
        let is_kept = (room.oldest()..=room.head).contains(&touch.target);
        return if is_kept && room.is_stored() { Ok(()) } else { Err(no_such_message()) };
    };
    if !matches!(record.body, Body::Message { .. }) || room.order.is_deleting(touch.target) {
        Err(no_such_message())
    } else if !touch.others && record.from != state.users[user].name {
        Err(not_yours())
    } else if record.at < touch.not_before {
        Err(too_old())
    } else {
        Ok(())
    }
}

/// The refusal of a target that is no message, or is one no more.
pub(super) fn no_such_message() -> Refusal {
    let refusal = Refusal::new(Code::NoSuchMessage, "there is no message of this seq");
    refusal.field("target", "the seq of a message")
}

/// The refusal of another user's message.
pub(super) fn not_yours() -> Refusal {
    Refusal::new(Code::Forbidden, "the message is another user's")
}

/// The refusal of a message that was said too long ago.
pub(super) fn too_old() -> Refusal {
    Refusal::new(Code::EditWindowOver, "the message is too old to be edited")
}

/// The log has a record: what it touches is shown as it is from now on.
pub(super) fn stored(
    (rings, pages): (&mut RingBudget, &mut Pages),
    changes: &mut Changes,
    room: &mut Room,
    record: &SharedRecord,
) {
    match &record.body {
        Body::Edit { target, text: Some(text) } => {
            pages.changed(room.log, *target);
            changes.note(room.log, record);
            if let Some(edited) = room.ring.get(*target).and_then(|old| edited(old, text, record)) {
                rings.replace(&mut room.ring, edited);
            }
        }
        Body::Deletion { target } => {
            pages.changed_from(room.log, *target);
            changes.note(room.log, record);
            erase(rings, room, *target);
        }
        Body::Message { .. }
        | Body::Deleted
        | Body::Edit { text: None, .. }
        | Body::Reaction { .. }
        | Body::Topic { .. }
        | Body::Moderation { .. } => {}
    }
}

/// Makes changes of their log to records of `room` that were read before them.
pub(super) fn make<'a>(
    records: impl IntoIterator<Item = &'a mut SharedRecord>,
    room: &RoomName,
    changes: &[&Record],
) {
    if changes.is_empty() {
        return;
    }
    for record in records {
        for change in changes {
            let made = match &change.body {
                Body::Edit { target, text: Some(text) } if *target == record.seq => {
                    edited(record, text, change)
                }
                Body::Deletion { target } => erased(record, *target, room),
                _ => None,
            };
            if let Some(made) = made {
                *record = made;
            }
        }
    }
}

/// The message with the text of its `edit`.
fn edited(old: &Record, text: &str, edit: &Record) -> Option<SharedRecord> {
    let Body::Message { data, cid, reply_to, thread, .. } = &old.body else { return None };
    let data_bytes = data.as_ref().map_or(0, |data| data.len());
    let cid_bytes = cid.as_ref().map_or(0, |cid| cid.len() * CID_BYTE_WEIGHT);
    // What only the author may do has the weight of the author's name and of the text already.
    let weight = edit.weight.saturating_add(u32::try_from(data_bytes + cid_bytes).ok()?);
    let body = Body::Message {
        text: text.into(),
        data: data.clone(),
        cid: cid.clone(),
        reply_to: *reply_to,
        thread: *thread,
        edited: Some(edit.at),
    };
    Some(SharedRecord::new(Record { body, weight, from: old.from.clone(), ..*old }))
}

/// Takes the text out of a message and of all its edits.
fn erase(rings: &mut RingBudget, room: &mut Room, target: u64) {
    let found = room.ring.from(target).filter_map(|record| erased(record, target, &room.name));
    let found: Vec<SharedRecord> = found.collect();
    for erased in found {
        rings.replace(&mut room.ring, erased);
    }
}

/// The message `target`, or an edit of it, without its text; `None` for any other record.
fn erased(old: &Record, target: u64, room: &RoomName) -> Option<SharedRecord> {
    let body = match &old.body {
        Body::Message { .. } if old.seq == target => Body::Deleted,
        Body::Edit { target: of, text: Some(_) } if *of == target => {
            Body::Edit { target, text: None }
        }
        _ => return None,
    };
    let names = RECORD_OVERHEAD + room.as_str().len() + old.from.as_str().len();
    let weight = u32::try_from(names).unwrap_or(u32::MAX);
    Some(SharedRecord::new(Record { body, weight, from: old.from.clone(), ..*old }))
}
