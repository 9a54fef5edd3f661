//! `profile` and `whois`: what a user is called and does, by its own words.
//!
//! ```text
//!  profile ─▶ no other user's name ─▶ written ─▶ told, gathered, in its rooms of few members
//!  a user comes whose name a display name of another looks like ─▶ that display name goes
//! ```
//!
//! A profile is shown to its user, and to whoever is in a room, or in a conversation, with it.
//! A guest's is in memory, and goes with the guest.

use std::collections::{BTreeMap, BTreeSet};

use super::{Answer, Chat};
use crate::chat::keys::UserKey;
use crate::chat::model::code::Code;
use crate::chat::model::limits::GUEST_PREFIX;
use crate::chat::model::name::UserName;
use crate::chat::model::people::PeopleChange;
use crate::chat::model::profile::{PublicProfile, is_display, names_like};
use crate::chat::model::reply::{Refusal, Reply};
use crate::chat::pending::{PeopleOp, Requester};
use crate::net::ConnId;

/// A status text, and for how many milliseconds.
type Status<'a> = (&'a str, Option<u64>);

/// Changes what is given, and answers with all of it.
///
/// # Errors
///
/// [`Code::NameTaken`] for a display name that looks like the name of another user, and
/// [`Code::TooLarge`] if as many users as may have a profile have one.
pub(super) fn profile(
    chat: &mut Chat,
    by: &mut Requester,
    (display, status): (Option<&str>, Option<Status<'_>>),
) -> Result<Answer, Refusal> {
    let row = &chat.directory[by.user];
    let (user, is_kept) = (row.name.clone(), !row.is_guest());
    let now = chat.context.now.wall_ms;
    let known = chat.directory.profiles.of(&user).cloned().unwrap_or_default();
    let mut profile = known.at(now);
    if let Some(display) = display {
        check_display(chat, &user, display)?;
        profile.display = display.into();
    }
    if let Some((text, for_ms)) = status {
        profile.text = text.into();
        profile.until = for_ms.filter(|_| !text.is_empty()).map(|ms| now.saturating_add(ms));
    }
    if profile == known {
        return Ok(Answer::Now(reply(user, profile)));
    }
    if let Some(limit) = chat.directory.profiles.limit_for(&user).filter(|_| !profile.is_empty()) {
        let message = "as many users as may have a display name or a status text have one";
        return Err(Refusal::new(Code::TooLarge, message).limit(limit));
    }
    if is_kept {
        let change = PeopleChange::Profile(user.clone(), profile.clone());
        chat.change_people(PeopleOp::Profile { by: by.take(), user, profile }, vec![change]);
    } else {
        on_written(chat, by.take(), (user, profile), Ok(()));
    }
    Ok(Answer::Later)
}

/// A profile is written, or could not be.
pub(super) fn on_written(
    chat: &mut Chat,
    by: Requester,
    (user, profile): (UserName, PublicProfile),
    outcome: Result<(), Refusal>,
) {
    let is_done = outcome.is_ok();
    if is_done {
        chat.directory.profiles.set(user.clone(), profile.clone());
    }
    chat.answer(by, outcome.map(|()| Answer::Now(reply(user.clone(), profile))));
    if is_done {
        tell_rooms(chat, &user);
    }
}

fn reply(user: UserName, profile: PublicProfile) -> Reply {
    Reply::Profiles { users: vec![(user, profile)] }
}

/// What those of `names` say of themselves with whom the user is in a room that the connection may
/// read; the others are left out, so that nobody learns whether there are such users.
pub(super) fn whois(chat: &Chat, viewer: (ConnId, UserKey), names: &[Box<str>]) -> Answer {
    let names: BTreeSet<&str> = names.iter().map(|name| &**name).collect();
    let shown = names.into_iter().filter_map(|name| shown_to(chat, viewer, name));
    Answer::Now(Reply::Profiles { users: shown.collect() })
}

fn shown_to(
    chat: &Chat,
    (conn, viewer): (ConnId, UserKey),
    name: &str,
) -> Option<(UserName, PublicProfile)> {
    let user = chat.directory.user_named(name)?;
    if user != viewer {
        let (rooms, other) = (&chat.directory[viewer].memberships, &chat.directory[user]);
        let is_common = |room| {
            other.membership(room).is_some() && chat.rooms[room].may_be_read(&chat.directory, conn)
        };
        rooms.iter().find(|(room, _)| is_common(*room))?;
        if chat.directory.has_blocked(viewer, user) {
            return None;
        }
    }
    let name = &chat.directory[user].name;
    let profile = chat.directory.profiles.of(name).map(|it| it.at(chat.context.now.wall_ms));
    Some((name.clone(), profile.unwrap_or_default()))
}

/// Refuses a display name that is, or looks like, the name of another user.
fn check_display(chat: &Chat, user: &UserName, display: &str) -> Result<(), Refusal> {
    let other = |name: &String| {
        let known = chat.directory.user_named(name).filter(|&key| chat.directory[key].has_come());
        let known = known.or_else(|| chat.directory.lookalike(name));
        let known = known.map(|key| &chat.directory[key].name);
        let identities = &chat.directory.identities;
        let bound = || identities.of_name(name).map(|bound| &bound.name);
        let bound = || bound().or_else(|| identities.lookalike(name));
        known.or_else(bound).filter(|name| *name != user).cloned()
    };
    let Some(other) = names_like(display).iter().find_map(other) else { return Ok(()) };
    let message = format!("this display name looks like the name of another user, {other}");
    Err(Refusal::new(Code::NameTaken, message).field("display", "another display name"))
}

/// Somebody of this name is here: no other user is called so any more.
pub(super) fn yield_name(chat: &mut Chat, name: &UserName) {
    for user in chat.directory.profiles.looking_like(name) {
        let known = chat.directory.profiles.of(&user).cloned().unwrap_or_default();
        let profile = PublicProfile { display: "".into(), ..known };
        chat.directory.profiles.set(user.clone(), profile.clone());
        tell_rooms(chat, &user);
        if !is_guest(&user) {
            chat.change_people(PeopleOp::Noted, vec![PeopleChange::Profile(user, profile)]);
        }
    }
}

fn is_guest(user: &UserName) -> bool {
    user.as_str().starts_with(GUEST_PREFIX)
}

/// Who has said nothing of itself is called what its token says, if it may be.
pub(super) fn seed(chat: &mut Chat, user: UserKey, display: &str) {
    let name = chat.directory[user].name.clone();
    let profiles = &chat.directory.profiles;
    if profiles.of(&name).is_none()
        && profiles.limit_for(&name).is_none()
        && is_display(display)
        && check_display(chat, &name, display).is_ok()
    {
        let profile = PublicProfile { display: display.into(), ..PublicProfile::default() };
        chat.directory.profiles.set(name.clone(), profile.clone());
        chat.change_people(PeopleOp::Noted, vec![PeopleChange::Profile(name, profile)]);
        chat.ephemeral_mut().profile_changed(user);
    }
}

/// Takes up what is kept, before anybody comes.
pub(super) fn restore(chat: &mut Chat, kept: Vec<(UserName, PublicProfile)>) {
    for (user, profile) in kept {
        chat.directory.profiles.set(user, profile);
    }
}

/// Takes up what is kept in place of what was known: another node, or a command, has changed it.
/// Those of guests are kept by nobody.
pub(super) fn replace(chat: &mut Chat, kept: Vec<(UserName, PublicProfile)>) {
    let mut kept: BTreeMap<_, _> = kept.into_iter().collect();
    let known = chat.directory.profiles.all().filter(|(user, _)| !is_guest(user));
    let other = |(user, profile): &(&UserName, &PublicProfile)| kept.get(user) != Some(profile);
    let gone = known.filter(other).map(|(user, _)| user.clone());
    let mut changed: BTreeSet<UserName> = gone.collect();
    kept.retain(|user, profile| chat.directory.profiles.of(user) != Some(profile));
    for user in &changed {
        chat.directory.profiles.set(user.clone(), PublicProfile::default());
    }
    for (user, profile) in kept {
        chat.directory.profiles.set(user.clone(), profile);
        changed.insert(user);
    }
    for user in changed {
        tell_rooms(chat, &user);
    }
}

/// A guest is forgotten with what it has said of itself.
pub(super) fn forget(chat: &mut Chat, guest: &UserName) {
    chat.directory.profiles.set(guest.clone(), PublicProfile::default());
}

fn tell_rooms(chat: &mut Chat, user: &UserName) {
    if let Some(user) = chat.directory.user_named(user.as_str()) {
        chat.ephemeral_mut().profile_changed(user);
    }
}
