//! What owners, moderators and administrators do is noted for the operator, also when the room's
//! log has lost it; `audit` and `chinwag audit` list it.

use super::{Answer, Chat, admins};
use crate::chat::keys::RoomKey;
use crate::chat::model::code::Code;
use crate::chat::model::limits::AUDIT_PAGE_MAX;
use crate::chat::model::log::Query;
use crate::chat::model::name::UserName;
use crate::chat::model::people::{AuditedAct, PeopleChange};
use crate::chat::model::record::{Act, Body, Record, SharedRecord};
use crate::chat::model::reply::{Refusal, Role};
use crate::chat::pending::{PendingOp, PeopleOp, Requester};
use crate::chat::rooms::Audited;

/// The log has a record: if it is an act over others, it is noted. `target` is the message that it
/// is about, if memory has it. Nothing else than such an act costs anything.
pub(super) fn note(
    chat: &mut Chat,
    key: RoomKey,
    (record, target): (&Record, Option<&SharedRecord>),
) {
    let (act, whom) = match &record.body {
        Body::Moderation { act, target, .. } => (name(*act), target.as_str()),
        Body::Rename { .. } => ("rename", ""),
        Body::Deletion { .. } => match target {
            Some(target) if target.from != record.from => ("delete", target.from.as_str()),
            // Whose it was is known to the store only.
            None if is_moderator(chat, key, &record.from) => ("delete", ""),
            Some(_) | None => return,
        },
        _ => return,
    };
    chat.rooms[key].audited = Audited::Acts;
    let (by, room) = (Some(record.from.clone()), Some(chat.rooms[key].name.clone()));
    let act = AuditedAct { by, act: act.into(), whom: whom.into(), room, at: record.at };
    chat.change_people(PeopleOp::Noted, vec![PeopleChange::Audit(act)]);
}

fn is_moderator(chat: &Chat, key: RoomKey, name: &UserName) -> bool {
    let member = chat.lookup().member_named(key, name);
    member.is_some_and(|member| chat.rooms[member].role >= Role::Moderator)
        || admins::is_named(chat, name)
}

/// Has a page of what was noted read, latest first: of a room for its owners, of all for
/// administrators.
///
/// # Errors
///
/// Those of finding the room, and [`Code::Forbidden`] for everybody else.
pub(super) fn audit(
    chat: &mut Chat,
    by: &mut Requester,
    (room, before, limit): (Option<&str>, Option<u64>, Option<u32>),
) -> Result<Answer, Refusal> {
    let conn = by.conn;
    let room = match room {
        Some(room) => {
            let found = admins::authority(chat, (conn, by.user), room)?;
            let is_owner = chat.rooms[found.room].owned && found.role == Some(Role::Owner);
            if !is_owner && !found.is_admin {
                let message = "only the owners of a room see what was done there";
                return Err(Refusal::new(Code::Forbidden, message));
            }
            Some(chat.rooms[found.room].name.clone())
        }
        // Before the rank: what an administrator's token for some rooms shows is of those alone.
        None if chat.directory.credentials.is_restricted(conn) => {
            let message = "your token is good for some rooms only: name one of them";
            return Err(Refusal::new(Code::Forbidden, message).field("room", "the name of a room"));
        }
        None if !admins::is_admin(chat, (conn, by.user)) => {
            let message = "only administrators see what was done everywhere";
            return Err(Refusal::new(Code::Forbidden, message).field("room", "a room of yours"));
        }
        None => None,
    };
    let limit = limit.unwrap_or(AUDIT_PAGE_MAX).clamp(1, AUDIT_PAGE_MAX);
    let user = chat.directory[by.user].name.clone();
    chat.begin_read(PendingOp::Audit { by: by.take() }, Query::Audit { user, room, before, limit });
    Ok(Answer::Later)
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
