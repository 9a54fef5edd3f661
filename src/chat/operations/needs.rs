//! Which rooms and users an operation needs, that are not in memory.
//!
//! | what is asked | what is needed |
//! |---|---|
//! | a `hello` | the user with all rooms of which it is a member, or into which it is invited; the rooms of its positions; with other nodes all of these as they are now, and the former session |
//! | a command about a room | that room; if it may be made, those whose names look like it |
//! | another name for a room | that room, the one of the other name, and those whose names look like it |
//! | a message to a user | the conversation of both, and whether there is such a user |
//! | an invitation | the rooms into which the invited one is invited already: their number is bounded |
//! | a report of a message, or of a user in a room | that room |
//! | `rooms` by a key | the rooms that it names; those that match a pattern are not looked for |
//! | a stream of events | its rooms, as if they were joined |
//! | a registration, a new key, a display name | whether somebody has the name, or one that looks like it |
//!
//! Who has a session has all of its rooms in memory, so that nearly every command finds its room.

use super::{Chat, claims};
use crate::chat::keys::UserKey;
use crate::chat::model::command::{Command, Reported, Target};
use crate::chat::model::hello::Hello;
use crate::chat::model::identity::Source;
use crate::chat::model::load::{Depth, Wanted};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::profile::names_like;
use crate::chat::model::watch::Watch;
use crate::net::ConnId;

/// What a command needs; `None`: it can be done.
#[expect(clippy::too_many_lines, reason = "a line for each command")]
pub(super) fn of_command(
    chat: &mut Chat,
    (conn, user): (ConnId, UserKey),
    command: &Command<'_>,
) -> Option<Wanted> {
    if !chat.pending.loads.on_demand {
        return None;
    }
    let mut wanted = Wanted::default();
    match command {
        Command::Send(send) => match &send.target {
            Target::Room(name) => {
                // By a first message over HTTP a room is made.
                room(chat, name, true, &mut wanted);
                other_end(chat, user, name, &mut wanted);
            }
            Target::User(name) => conversation(chat, user, name, &mut wanted),
        },
        Command::Join { room: name, after, .. } => {
            room(chat, name, true, &mut wanted);
            if chat.context.node.is_some() {
                reached(chat, name, after.unwrap_or(0), &mut wanted);
            }
        }
        Command::Create { room: name, .. } => room(chat, name, true, &mut wanted),
        Command::Rename { room: name, name: new } => {
            room(chat, name, false, &mut wanted);
            room(chat, new, true, &mut wanted);
        }
        Command::Invite { room: name, user: invited, .. } => {
            room(chat, name, false, &mut wanted);
            invitations_of(chat, invited, &mut wanted);
        }
        Command::Edit { room: name, .. }
        | Command::Delete { room: name, .. }
        | Command::React { room: name, .. }
        | Command::Topic { room: name, .. }
        | Command::Moderate { room: name, .. }
        | Command::Uninvite { room: name, .. }
        | Command::Leave { room: name }
        | Command::LeaveAndClose { room: name }
        | Command::Close { room: name, .. }
        | Command::Ack { room: name, .. }
        | Command::Typing { room: name }
        | Command::History { room: name, .. }
        | Command::Thread { room: name, .. }
        | Command::Threads { room: Some(name) }
        | Command::MarkThread { room: name, .. }
        | Command::Presence { room: name }
        | Command::Members { room: name, .. }
        | Command::Restrictions { room: name, .. }
        | Command::Report {
            about: Reported::Message(name, _) | Reported::User(_, Some(name)),
            ..
        }
        | Command::Reports { room: Some(name), .. }
        | Command::Audit { room: Some(name), .. }
        | Command::Search { room: Some(name), .. } => room(chat, name, false, &mut wanted),
        Command::Rooms { .. } => named_by_key(chat, (conn, user), &mut wanted),
        Command::Profile { display: Some(display), .. } => {
            for name in names_like(display) {
                known(chat, &name, &mut wanted);
            }
        }
        // The user's own rooms are in memory, and nothing else is asked for. That holds for visits,
        // too: rooms are not forgotten whose members are here in any way.
        Command::Report { about: Reported::User(_, None), .. }
        | Command::Reports { room: None, .. }
        | Command::Settle { .. }
        | Command::Audit { room: None, .. }
        | Command::Export { .. }
        | Command::Directory { .. }
        | Command::Search { room: None, .. }
        | Command::Threads { room: None }
        | Command::Status { .. }
        | Command::Block { .. }
        | Command::Blocked
        | Command::Profile { display: None, .. }
        | Command::Whois { .. }
        | Command::PushSubscribe { .. }
        | Command::PushUnsubscribe { .. }
        | Command::PushSubscriptions
        | Command::Password { .. }
        | Command::Logins
        | Command::EndLogin { .. }
        | Command::InviteLink { .. }
        | Command::Accept { .. }
        | Command::Hello { .. }
        | Command::Refresh { .. }
        | Command::Register { .. }
        | Command::Login { .. }
        | Command::Ping
        | Command::Unsupported(_) => {}
    }
    (!wanted.is_empty()).then_some(wanted)
}

fn room(chat: &Chat, name: &str, with_lookalikes: bool, wanted: &mut Wanted) {
    // What is no name is refused, and costs the store nothing.
    if chat.rooms.named(name).is_none()
        && let Some(name) = RoomName::stored(name)
    {
        wanted.add_room(name, with_lookalikes);
    }
}

/// A client that has more of a room than this node knows of has it from another one.
fn reached(chat: &Chat, name: &str, seq: u64, wanted: &mut Wanted) {
    if let Some(key) = chat.rooms.named(name)
        && chat.rooms[key].head < seq
    {
        wanted.add_room(chat.rooms[key].name.clone(), false);
    }
}

/// A program is a member of nothing: the rooms that its key names, if it may read there.
fn named_by_key(chat: &Chat, (conn, user): (ConnId, UserKey), wanted: &mut Wanted) {
    if chat.directory[user].source != Source::Key {
        return;
    }
    let grants = chat.directory.credentials.get(conn).map_or(&[][..], |row| &row.grants);
    for grant in grants.iter().filter(|grant| grant.rights.read && !grant.rooms.contains('*')) {
        room(chat, &grant.rooms, false, wanted);
    }
}

/// What a stream of these rooms needs. One that has gone with an earlier start is made again.
pub(super) fn of_watch(chat: &Chat, rooms: &[Watch<'_>]) -> Wanted {
    let mut wanted = Wanted::default();
    if chat.pending.loads.on_demand {
        for watch in rooms {
            room(chat, watch.room, true, &mut wanted);
        }
    }
    wanted
}

/// What a list of a room's members needs.
pub(super) fn of_room(chat: &Chat, name: &str) -> Wanted {
    let mut wanted = Wanted::default();
    if chat.pending.loads.on_demand {
        room(chat, name, false, &mut wanted);
    }
    wanted
}

/// A message into a conversation that the other one has left brings that one back.
fn other_end(chat: &Chat, user: UserKey, name: &str, wanted: &mut Wanted) {
    let Some(name) = name.starts_with('@').then(|| RoomName::stored(name)).flatten() else {
        return;
    };
    if let Some(other) = name.other_than(&chat.directory[user].name) {
        known(chat, other, wanted);
    }
}

fn conversation(chat: &mut Chat, user: UserKey, other: &str, wanted: &mut Wanted) {
    let from = &chat.directory[user];
    if chat.rooms.conversation(from, other).is_some() {
        return;
    }
    let me = &from.name;
    let Some(name) = UserName::stored(other) else { return };
    let direct = RoomName::direct(me, &name);
    room(chat, direct.as_str(), false, wanted);
    known(chat, other, wanted);
}

fn known(chat: &Chat, name: &str, wanted: &mut Wanted) {
    if chat.directory.user_named(name).is_none()
        && let Some(name) = UserName::stored(name)
    {
        wanted.add_user(name, Depth::Known);
    }
}

fn invitations_of(chat: &Chat, name: &str, wanted: &mut Wanted) {
    let user = chat.directory.user_named(name);
    if user.is_none_or(|user| !chat.directory[user].is_whole)
        && let Some(name) = UserName::stored(name)
    {
        wanted.add_user(name, Depth::Invited);
    }
}

/// What a `hello` needs that may be of one of these users, and which of them must be whole for it.
pub(super) fn of_hello(
    chat: &Chat,
    hello: &Hello<'_>,
    mut names: Vec<UserName>,
) -> (Wanted, Vec<UserName>) {
    let mut wanted = Wanted::default();
    if !chat.pending.loads.on_demand {
        return (wanted, Vec::new());
    }
    // What other nodes have done with them before this `hello` is to be known here, too: the client
    // may have seen it there.
    let is_shared = chat.context.node.is_some();
    names.retain(|name| {
        let user = chat.directory.user_named(name.as_str());
        is_shared || user.is_none_or(|user| !chat.directory[user].is_whole)
    });
    for name in &names {
        wanted.add_user(name.clone(), Depth::Rooms);
    }
    wanted.sessions.extend(claims::unknown_former(chat, hello));
    for position in hello.resume.iter().flat_map(|resume| &resume.positions) {
        // A memory room that went with an earlier start is made again.
        room(chat, &position.room, true, &mut wanted);
        if is_shared {
            reached(chat, &position.room, position.seq, &mut wanted);
        }
    }
    (wanted, names)
}

/// What giving a name to an account or a program needs.
pub(super) fn of_registration(chat: &Chat, name: &str) -> Wanted {
    let mut wanted = Wanted::default();
    if chat.pending.loads.on_demand {
        known(chat, name, &mut wanted);
    }
    wanted
}
