//! `profile` and `whois`: what a user is called and does, by its own words, and in which colour.
//!
//! ```text
//!  profile ─▶ no other user's name ─▶ written ─▶ still none ─▶ told, gathered, in its rooms of few
//!  a user comes whose name a display name of another looks like ─▶ that display name goes
//! ```
//!
//! A profile is shown to its user, and to whoever is in a room, or in a conversation, with it.
//! A guest's is in memory, and goes with the guest; that of a user whom nobody has proved goes when
//! the user is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use super::{Answer, Chat};
use crate::chat::keys::UserKey;
use crate::chat::model::code::Code;
use crate::chat::model::color::Color;
use crate::chat::model::identity::Source;
use crate::chat::model::limits::GUEST_PREFIX;
use crate::chat::model::name::UserName;
use crate::chat::model::people::PeopleChange;
use crate::chat::model::profile::{ProfileChange, PublicProfile, is_display, names_like};
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
    (display, status, color): (Option<&str>, Option<Status<'_>>, Option<Color>),
) -> Result<Answer, Refusal> {
    let row = &chat.directory[by.user];
    let (user, is_kept) = (row.name.clone(), !row.is_guest());
    let now = chat.context.now.wall_ms;
    let profiles = &chat.directory.profiles;
    if display.is_none() && status.is_none() && color.is_none() {
        let profile = profiles.of(&user).map(|known| known.at(now));
        return Ok(Answer::Now(reply(user, profile.unwrap_or_default())));
    }
    // On what is being written, so that nothing of it is lost.
    let known = profiles.latest(&user).cloned();
    let mut profile = known.as_ref().map(|known| known.at(now)).unwrap_or_default();
    if let Some(display) = display {
        check_display(chat, &user, display)?;
        profile.display = display.into();
    }
    if let Some((text, for_ms)) = status {
        profile.text = text.into();
        profile.until = for_ms.filter(|_| !text.is_empty()).map(|ms| now.saturating_add(ms));
    }
    profile.color = color.unwrap_or(profile.color);
    let profiles = &chat.directory.profiles;
    let is_row = is_row(chat, &user, &profile);
    let is_same = known.map_or(!is_row, |known| known == profile);
    if is_same && !profiles.is_unwritten(&user) {
        return Ok(Answer::Now(reply(user, profile)));
    }
    if let Some(limit) = profiles.limit_for(&user).filter(|_| is_row) {
        let message =
            "as many users as may have a display name, a status text or a colour have one";
        return Err(Refusal::new(Code::TooLarge, message).limit(limit));
    }
    if is_kept {
        let display = display.map(Into::into);
        let status = status.map(|(text, _)| (text.into(), profile.until));
        let given = ProfileChange { display, status, color, ..ProfileChange::default() };
        write(chat, Some(by.take()), (user, profile), given);
    } else {
        on_written(chat, Some(by.take()), (user, profile), Ok(()));
    }
    Ok(Answer::Later)
}

/// Whether there is a row of such a profile. An empty one says that its user wants to be called
/// nothing, where a token would say otherwise.
fn is_row(chat: &Chat, user: &UserName, profile: &PublicProfile) -> bool {
    let bound = chat.directory.identities.of_name(user.as_str());
    !profile.is_empty() || bound.is_some_and(|bound| bound.source == Source::Token)
}

/// Writes what is given, as of now. The profile is what becomes of it here: what another node has
/// changed meanwhile stays, and is read.
fn write(
    chat: &mut Chat,
    by: Option<Requester>,
    (user, profile): (UserName, PublicProfile),
    given: ProfileChange,
) {
    chat.directory.profiles.begin_write(user.clone(), profile.clone());
    let at = chat.context.now.wall_ms;
    let keeps_empty = is_row(chat, &user, &PublicProfile::default());
    let change = ProfileChange { at, keeps_empty, ..given };
    let change = PeopleChange::Profile(user.clone(), change);
    chat.change_people(PeopleOp::Profile { by, user, profile }, vec![change]);
}

/// No display name any more.
fn without_display() -> ProfileChange {
    ProfileChange { display: Some("".into()), ..ProfileChange::default() }
}

/// Has it in memory, and tells it if it is another one.
fn keep(chat: &mut Chat, user: &UserName, profile: PublicProfile) {
    let known = chat.directory.profiles.of(user);
    let is_told = known.map_or(!profile.is_empty(), |known| *known != profile);
    if is_row(chat, user, &profile) {
        chat.directory.profiles.set(user.clone(), profile);
    } else {
        chat.directory.profiles.remove(user);
    }
    if is_told {
        tell_rooms(chat, user);
    }
}

/// As [`keep`], but for a display name that somebody has come by while it was on its way here: that
/// goes, also where it is kept, unless more is on its way there.
fn take_up(chat: &mut Chat, user: &UserName, mut profile: PublicProfile) -> PublicProfile {
    let is_wrong = check_display(chat, user, &profile.display).is_err();
    if is_wrong {
        profile.display = "".into();
    }
    keep(chat, user, profile.clone());
    if is_wrong && !is_guest(user) && !chat.directory.profiles.is_unwritten(user) {
        write(chat, None, (user.clone(), profile.clone()), without_display());
    }
    profile
}

/// A profile is written, or could not be.
pub(super) fn on_written(
    chat: &mut Chat,
    by: Option<Requester>,
    (user, profile): (UserName, PublicProfile),
    outcome: Result<(), Refusal>,
) {
    chat.directory.profiles.end_write(&user);
    let outcome = outcome.map(|()| take_up(chat, &user, profile));
    if let Some(by) = by {
        chat.answer(by, outcome.map(|profile| Answer::Now(reply(user, profile))));
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
        keep(chat, &user, profile.clone());
        // What is on its way is looked at again when it is written.
        if !is_guest(&user) && !chat.directory.profiles.is_unwritten(&user) {
            write(chat, None, (user, profile), without_display());
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
    if profiles.latest(&name).is_none()
        && profiles.limit_for(&name).is_none()
        && is_display(display)
        && check_display(chat, &name, display).is_ok()
    {
        let profile = PublicProfile { display: display.into(), ..PublicProfile::default() };
        keep(chat, &name, profile.clone());
        write(
            chat,
            None,
            (name, profile),
            ProfileChange { display: Some(display.into()), ..ProfileChange::default() },
        );
    }
}

/// Takes up what is kept, before anybody comes.
pub(super) fn restore(chat: &mut Chat, kept: Vec<(UserName, PublicProfile)>) {
    for (user, profile) in kept {
        chat.directory.profiles.set(user, profile);
    }
}

/// Takes up what is kept in place of what was known: another node, or a command, has changed it.
/// Those of guests are kept by nobody, and what is being written here comes after what was read.
pub(super) fn replace(chat: &mut Chat, kept: Vec<(UserName, PublicProfile)>) {
    let mut kept: BTreeMap<_, _> = kept.into_iter().collect();
    let profiles = &chat.directory.profiles;
    let known = profiles.all().map(|(user, _)| user);
    let gone = known.filter(|user| {
        !is_guest(user) && !profiles.is_unwritten(user) && !kept.contains_key(*user)
    });
    let gone: Vec<UserName> = gone.cloned().collect();
    kept.retain(|user, profile| {
        !profiles.is_unwritten(user) && profiles.of(user) != Some(&*profile)
    });
    for user in gone {
        chat.directory.profiles.remove(&user);
        tell_rooms(chat, &user);
    }
    for (user, profile) in kept {
        take_up(chat, &user, profile);
    }
}

/// A guest is forgotten with what it has said of itself.
pub(super) fn forget(chat: &mut Chat, guest: &UserName) {
    chat.directory.profiles.remove(guest);
}

/// The same of a user whom nobody has proved, and who is in no room any more: otherwise one client
/// with ever new names would leave no place to anybody.
pub(super) fn end(chat: &mut Chat, user: UserName) {
    if chat.directory.profiles.latest(&user).is_some() {
        chat.directory.profiles.remove(&user);
        let nothing = PublicProfile::default();
        write(chat, None, (user, nothing.clone()), ProfileChange::whole(nothing));
    }
}

fn tell_rooms(chat: &mut Chat, user: &UserName) {
    if let Some(user) = chat.directory.user_named(user.as_str()) {
        chat.ephemeral_mut().profile_changed(user);
    }
}
