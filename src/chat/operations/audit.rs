//! What owners, moderators and administrators do is noted for the operator, also when the room's
//! log has lost it: see `chinwag audit`.

use super::Chat;
use crate::chat::keys::RoomKey;
use crate::chat::model::name::UserName;
use crate::chat::model::people::{AuditedAct, PeopleChange};
use crate::chat::model::record::{Act, Body, Record, SharedRecord};
use crate::chat::model::reply::Role;
use crate::chat::pending::PeopleOp;

/// The log has a record: if it is an act over others, it is noted. `target` is the message that it
/// is about, if memory has it. Nothing else than such an act costs anything.
pub(super) fn note(
    chat: &mut Chat,
    key: RoomKey,
    (record, target): (&Record, Option<&SharedRecord>),
) {
    let (act, whom) = match &record.body {
        Body::Moderation { act, target, .. } => (name(*act), target.as_str()),
        Body::Deletion { .. } => match target {
            Some(target) if target.from != record.from => ("delete", target.from.as_str()),
            // Whose it was is known to the store only.
            None if is_moderator(chat, key, &record.from) => ("delete", ""),
            Some(_) | None => return,
        },
        _ => return,
    };
    let (by, room) = (Some(record.from.clone()), Some(chat.rooms[key].name.clone()));
    let act = AuditedAct { by, act, whom: whom.into(), room, at: record.at };
    chat.change_people(PeopleOp::Noted, vec![PeopleChange::Audit(act)]);
}

fn is_moderator(chat: &Chat, key: RoomKey, name: &UserName) -> bool {
    let member = chat.lookup().member_named(key, name);
    member.is_some_and(|member| chat.rooms[member].role >= Role::Moderator)
}

const fn name(act: Act) -> &'static str {
    match act {
        Act::Role(Role::Reader) => "role reader",
        Act::Role(Role::Member) => "role member",
        Act::Role(Role::Moderator) => "role moderator",
        Act::Role(Role::Owner) => "role owner",
        Act::Kick | Act::Ban { .. } | Act::Unban | Act::Mute { .. } | Act::Unmute => act.name(),
    }
}
