//! Search: messages by their words, in the rooms of which the user is a member.

use super::asked::Asking;
use super::changes::Change;
use super::keys::{RoomKey, UserKey};
use super::log::{LogId, Query};
use super::members::find_membership;
use super::record::{Body, Record, SharedRecord};
use super::reply::Reply;
use super::room::Room;
use super::state::State;
use super::touch;
use super::{Done, Refusal, Then};
use crate::collections::Key as _;

/// Messages that a search returns if the client does not say how many.
const SEARCH_LIMIT: u32 = 20;

/// Searches the user's stored rooms, or one of them.
///
/// # Errors
///
/// Those of [`find_membership`].
pub(super) fn search(
    state: &State,
    user: UserKey,
    (name, text): (Option<&str>, &str),
    before: Option<u64>,
    limit: Option<u32>,
) -> Result<Done, Refusal> {
    let rooms = match name {
        Some(name) => vec![find_membership(state, user, name)?.0],
        None => state.users[user].memberships.iter().map(|&(room, _)| room).collect(),
    };
    let rooms = rooms.into_iter().map(|key| &state.rooms[key]).filter(|room| room.is_stored());
    let logs: Vec<LogId> = rooms.map(|room| room.log).collect();
    if logs.is_empty() {
        return Ok(Done::Answered(Reply::Found { items: Vec::new(), next: None }, Then::Nothing));
    }
    let limit = limit.unwrap_or(SEARCH_LIMIT).clamp(1, state.limits.history_page);
    let query = Query::Search { logs, text: text.into(), before, limit };
    Ok(Done::Asked(user, Asking::Search(query)))
}

/// What a search has found, in rooms of which the user still is a member, with the changes that were told since it
/// was asked for.
pub(super) fn found(
    state: &State,
    user: UserKey,
    (items, next): (Vec<(LogId, SharedRecord)>, Option<u64>),
    changes: &[Change],
) -> Reply {
    let room_of = |log: LogId| {
        let room = room_of(state, log)?;
        state.users.get(user)?.membership(RoomKey::from_index(log.slot()))?;
        Some(room.name.clone())
    };
    let items = items.into_iter().filter_map(|(log, mut record)| {
        let room = room_of(log)?;
        let told = changes.iter().filter(|change| change.log == log);
        let told: Vec<&Record> = told.map(|change| &*change.record).collect();
        touch::make([&mut record], &room, &told);
        matches!(record.body, Body::Message { .. }).then_some((room, record))
    });
    Reply::Found { items: items.collect(), next }
}

/// The room of this log, if it is there still.
pub(super) fn room_of(state: &State, log: LogId) -> Option<&Room> {
    state.rooms.get(RoomKey::from_index(log.slot())).filter(|room| room.log == log)
}
