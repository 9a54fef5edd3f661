//! What is kept of people: taken up at the start, and written before anybody is told.

use std::collections::BTreeSet;

use super::{Chat, session_lifecycle};
use crate::chat::model::identity::{Bound, Identity};
use crate::chat::model::limits::GUEST_PREFIX;
use crate::chat::model::log::{RoomMeta, RoomSnapshot};
use crate::chat::model::name::UserName;
use crate::chat::model::people::{People, PeopleChange};
use crate::chat::model::reply::Refusal;
use crate::chat::pending::PeopleOp;

/// A change of what is kept of people is written, or could not be.
pub(super) fn on_written(chat: &mut Chat, op: PeopleOp, outcome: Result<(), Refusal>) {
    match op {
        PeopleOp::Noted => {}
        PeopleOp::Hello { conn, request, hello, name } => {
            let identities = &mut chat.directory.identities;
            if identities.unwritten.remove(&name) && outcome.is_err() {
                identities.release(name.as_str());
            }
            // The connection may be gone.
            if !chat.pending.held.remove(&conn) {
                return;
            }
            match outcome {
                Ok(()) => session_lifecycle::hello(chat, conn, request, hello.lend()),
                Err(refusal) => chat.context.reply(conn, request, Err(refusal)),
            }
            chat.context.wake(conn);
        }
    }
}

/// Takes up whose the names are. Where names were all that there was until now, the names of the
/// `rooms` are kept as those of users that nobody has proved to be: no other source takes them.
pub(super) fn restore(chat: &mut Chat, people: People, rooms: &[RoomSnapshot]) {
    let People { bound, proved } = people;
    let identities = &mut chat.directory.identities;
    for bound in bound {
        identities.bind(bound);
    }
    let is_only_names = chat.context.limits.auth.is_only_names();
    let mut changes = Vec::new();
    if !proved && !is_only_names {
        for name in names_in(rooms) {
            if identities.of_name(name.as_str()).is_some() {
                continue;
            }
            let none = Identity::default();
            let Identity { source, issuer, subject, display, .. } = none;
            let at = chat.context.now.wall_ms;
            let bound = Bound { name: name.clone(), source, issuer, subject, display, at };
            identities.bind(bound.clone());
            changes.push(PeopleChange::Bind(bound));
        }
    }
    if proved == is_only_names {
        changes.push(PeopleChange::Proved(!is_only_names));
        chat.change_people(PeopleOp::Noted, changes);
    }
}

/// The names of the rooms' members, and of those on whom a restriction is; without guests.
fn names_in(rooms: &[RoomSnapshot]) -> BTreeSet<&UserName> {
    let meta = rooms.iter().flat_map(|room| &room.meta);
    let names = meta.filter_map(|meta| match meta {
        RoomMeta::Member(name, _) | RoomMeta::Restriction(name, ..) => Some(name),
        RoomMeta::Access { .. } | RoomMeta::Topic(..) => None,
    });
    names.filter(|name| !name.as_str().starts_with(GUEST_PREFIX)).collect()
}
