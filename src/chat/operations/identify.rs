//! Who somebody is: from what a `hello` proves to the user that it is here, and the rule that a
//! name belongs to one source.
//!
//! ```text
//!  identity ──▶ its name is stored ─────────────────▶ that user
//!           └─▶ it is new ──▶ free? ──▶ stored first ─▶ that user
//!  nothing  ──▶ `none`: the name is the user, unless it is somebody's
//!           └─▶ guests: a new name of their own
//!           └─▶ 2001
//! ```

use super::absence::{busy, check_lookalike};
use super::{Chat, claims, credentials, suspensions};
use crate::chat::directory::{Secret, User};
use crate::chat::keys::UserKey;
use crate::chat::model::code::Code;
use crate::chat::model::hello::Hello;
use crate::chat::model::identity::{AuthPolicy, Bound, Identity, Source};
use crate::chat::model::limits::GUEST_PREFIX;
use crate::chat::model::name::UserName;
use crate::chat::model::record::Epoch;
use crate::chat::model::reply::Refusal;

/// How names begin that the server gives to whom a source knows by something else.
const MADE_PREFIX: &str = "user-";

/// The user that a `hello` is of.
pub(super) enum Who {
    /// The one of a session that it returns to.
    Former(Secret, UserKey),
    /// The one of this name.
    Named(UserName, Source),
    /// The one of this name, which is to be stored before anybody is told.
    New(Bound),
    /// The one of this name, which is being stored.
    Unwritten(UserName),
}

/// Who says hello.
///
/// # Errors
///
/// [`Code::Unauthorized`] if nothing was proved where that is needed, or no longer holds;
/// [`Code::NameTaken`] for a name that is somebody else's; [`Code::BadField`] for what is no name,
/// or not that of the identity; [`Code::Suspended`].
pub(super) fn who(chat: &Chat, hello: &Hello<'_>) -> Result<Who, Refusal> {
    let who = match &hello.identity {
        Some(identity) => of_identity(chat, hello, identity)?,
        None => of_nobody(chat, hello)?,
    };
    let name = match &who {
        Who::Former(_, user) => &chat.directory[*user].name,
        Who::Named(name, _) | Who::Unwritten(name) => name,
        Who::New(bound) => &bound.name,
    };
    // Here, after all ways of finding out who it is, so that none of them can forget it.
    suspensions::check(chat, name)?;
    match &hello.identity {
        Some(identity) if chat.directory.suspended.has_revoked(identity, name) => {
            Err(credentials::revocation())
        }
        Some(_) | None => Ok(who),
    }
}

/// The names of which one is that of who says hello, as far as can be told before its user is in
/// memory.
pub(super) fn names(chat: &Chat, hello: &Hello<'_>) -> Vec<UserName> {
    let auth = &chat.context.limits.auth;
    let mut names = Vec::new();
    if !chat.pending.loads.on_demand {
        return names;
    }
    if let Some((_, user)) = former(chat, hello) {
        names.push(chat.directory[user].name.clone());
    }
    names.extend(claims::former(hello).map(|former| former.user.clone()));
    match (&hello.identity, hello.name.as_deref()) {
        (Some(identity), _) => {
            let bound = chat.directory.identities.of(identity).map(|bound| bound.name.clone());
            let made = || made_name(chat, MADE_PREFIX, hello.secret);
            names.push(bound.or_else(|| own_name(identity).cloned()).unwrap_or_else(made));
        }
        (None, Some(name)) if auth.none => names.extend(UserName::stored(name)),
        (None, Some(name)) => {
            let name = name.strip_prefix(GUEST_PREFIX).unwrap_or(name);
            names.extend(UserName::stored(&format!("{GUEST_PREFIX}{name}")));
        }
        // Who comes back to a session needs no other name.
        (None, None) if names.is_empty() => {
            names.push(made_name(chat, GUEST_PREFIX, hello.secret));
        }
        (None, None) => {}
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// Who has proved who it is.
fn of_identity(chat: &Chat, hello: &Hello<'_>, identity: &Identity) -> Result<Who, Refusal> {
    let identities = &chat.directory.identities;
    let who = match identities.of(identity) {
        Some(bound) if identities.is_unwritten(&bound.name) => Who::Unwritten(bound.name.clone()),
        Some(bound) if is_anothers(chat, bound) => return Err(taken()),
        Some(bound) => Who::Named(bound.name.clone(), bound.source),
        None if identity.is_operator() => return Err(taken()),
        None if matches!(identity.source, Source::Account | Source::Key) => {
            return Err(Refusal::new(Code::Unauthorized, "there is no such account any more"));
        }
        None => Who::New(new_name(chat, hello, identity)?),
    };
    let (Who::Named(name, _) | Who::Unwritten(name) | Who::New(Bound { name, .. })) = &who else {
        return Ok(who);
    };
    if let Some(wanted) = hello.name.as_deref().filter(|wanted| *wanted != name.as_str()) {
        let message = format!("you are {name} here, and not {wanted}");
        let expected = "no name, or the one that you have";
        return Err(Refusal::new(Code::BadField, message).field("name", expected));
    }
    // Whose secret it is counts, not only that it is one.
    match former(chat, hello) {
        Some((secret, user)) if chat.directory[user].name == *name => Ok(Who::Former(secret, user)),
        Some(_) | None => Ok(who),
    }
}

/// Whether a person has the name of this program still, from a time before the key.
fn is_anothers(chat: &Chat, bound: &Bound) -> bool {
    let user = chat.directory.user_named(bound.name.as_str()).map(|user| &chat.directory[user]);
    let has_sessions = |user: &User| user.source != Source::Key && !user.sessions.is_empty();
    bound.source == Source::Key && user.is_some_and(has_sessions)
}

/// Who has proved nothing.
fn of_nobody(chat: &Chat, hello: &Hello<'_>) -> Result<Who, Refusal> {
    let auth = &chat.context.limits.auth;
    let may_return = |user: UserKey| match chat.directory[user].source {
        Source::None => auth.none,
        Source::Guest => auth.none || auth.guests,
        // The secret of a session proves which session it was, not that what its user has proved
        // still holds: these bring their proof again.
        Source::Account | Source::Token | Source::Header | Source::Key | Source::Retired => false,
    };
    if let Some((secret, user)) = former(chat, hello).filter(|&(_, user)| may_return(user)) {
        return Ok(Who::Former(secret, user));
    }
    if let Some(former) = claims::former(hello) {
        let source = if former.is_guest { Source::Guest } else { Source::None };
        let bound = chat.directory.identities.of_name(former.user.as_str());
        let is_unproved = bound.is_none_or(|bound| bound.source == Source::None);
        if is_unproved && (auth.none || auth.guests && former.is_guest) {
            return Ok(Who::Named(former.user.clone(), source));
        }
    }
    match hello.name.as_deref() {
        Some(name) if auth.none => of_name(chat, name),
        Some(name) if auth.guests => guest_named(chat, name),
        None if auth.none || auth.guests => {
            Ok(Who::Named(made_name(chat, GUEST_PREFIX, hello.secret), Source::Guest))
        }
        Some(_) | None => Err(unproved(auth)),
    }
}

/// The user of a name that nobody has to prove, unless it is somebody else's.
fn of_name(chat: &Chat, name: &str) -> Result<Who, Refusal> {
    let name = chat.lookup().user_name(("name", name), None)?;
    let identities = &chat.directory.identities;
    match identities.of_name(name.as_str()) {
        Some(bound) if bound.source != Source::None => Err(taken()),
        // Not `Named`: if the write fails, this one would be in by a name that nobody stored.
        Some(_) if identities.is_unwritten(&name) => Ok(Who::Unwritten(name)),
        Some(_) => Ok(Who::Named(name, Source::None)),
        // Where names are all that there is, nothing is kept of them.
        None if chat.context.limits.auth.is_only_names() => Ok(Who::Named(name, Source::None)),
        None => {
            check_free(chat, &name)?;
            Ok(Who::New(bound(chat, name, &Identity::default())))
        }
    }
}

/// A guest that wants to be called something: the prefix says what it is.
fn guest_named(chat: &Chat, wanted: &str) -> Result<Who, Refusal> {
    let wanted = wanted.strip_prefix(GUEST_PREFIX).unwrap_or(wanted);
    let name = format!("{GUEST_PREFIX}{wanted}");
    let name = chat.lookup().user_name(("name", &name), None)?;
    let identities = &chat.directory.identities;
    // A guest proves nothing, so that a guest's name in use, or left a moment ago, is not to be had
    // by asking for it.
    if chat.directory.user_named(name.as_str()).is_some()
        || identities.of_name(name.as_str()).is_some()
    {
        return Err(taken());
    }
    check_lookalike(chat, &name)?;
    Ok(Who::Named(name, Source::Guest))
}

/// The session that a `hello` returns to, where this node knows all of them.
fn former(chat: &Chat, hello: &Hello<'_>) -> Option<(Secret, UserKey)> {
    if claims::is_shared(chat) {
        return None;
    }
    let secret = Secret::parse(&hello.resume.as_ref()?.session)?;
    let user = chat.directory.user_of_secret(secret)?;
    let name = chat.directory[user].name.as_str();
    hello.name.as_deref().is_none_or(|wanted| wanted == name).then_some((secret, user))
}

/// The name of an identity that comes for the first time.
fn new_name(chat: &Chat, hello: &Hello<'_>, identity: &Identity) -> Result<Bound, Refusal> {
    let made = || made_name(chat, MADE_PREFIX, hello.secret);
    let name = own_name(identity).cloned().unwrap_or_else(made);
    check_free(chat, &name)?;
    Ok(bound(chat, name, identity))
}

/// The name that an identity brings. One that is for guests would never be given to it, so that it
/// gets one like an identity whose subject is no name.
fn own_name(identity: &Identity) -> Option<&UserName> {
    identity.name.as_ref().filter(|name| !name.as_str().starts_with(GUEST_PREFIX))
}

/// # Errors
///
/// [`Code::NameTaken`] if the name is somebody's, or looks like it, or is for guests;
/// [`Code::Busy`] if as many names are as there may be.
pub(super) fn check_free(chat: &Chat, name: &UserName) -> Result<(), Refusal> {
    let identities = &chat.directory.identities;
    if name.as_str().starts_with(GUEST_PREFIX) {
        let message = format!("names that begin with {GUEST_PREFIX} are for guests");
        return Err(Refusal::new(Code::NameTaken, message).field("name", "another name"));
    }
    let is_guest = |user: UserKey| chat.directory[user].is_guest();
    if identities.of_name(name.as_str()).is_some()
        || chat.directory.user_named(name.as_str()).is_some_and(is_guest)
    {
        return Err(taken());
    }
    check_lookalike(chat, name)?;
    let names_max = chat.context.limits.users;
    if identities.len() >= names_max {
        return Err(busy("as many names are taken as there may be", names_max));
    }
    Ok(())
}

fn bound(chat: &Chat, name: UserName, identity: &Identity) -> Bound {
    let Identity { source, issuer, subject, display, .. } = identity.clone();
    Bound { name, source, issuer, subject, display, at: chat.context.now.wall_ms }
}

/// A name that nobody has.
fn made_name(chat: &Chat, prefix: &str, secret: u128) -> UserName {
    // The secret is mixed so that the name tells nothing of it.
    let mut seed = u64::try_from(secret >> 64).unwrap_or(0) ^ 0x9e37_79b9_7f4a_7c15;
    loop {
        seed = (seed ^ (seed >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let name = format!("{prefix}{}", Epoch(seed % 36_u64.pow(5)));
        let is_free = |name: &UserName| {
            chat.directory.user_named(name.as_str()).is_none()
                && chat.directory.identities.of_name(name.as_str()).is_none()
                && check_lookalike(chat, name).is_ok()
        };
        if let Some(name) = UserName::parse(&name).ok().filter(is_free) {
            return name;
        }
        seed = seed.wrapping_add(1);
    }
}

pub(super) fn taken() -> Refusal {
    let message =
        "this name is somebody else's, who proves it: choose another, or prove that it is yours";
    Refusal::new(Code::NameTaken, message)
}

/// The refusal of who has to prove who it is, and has not.
fn unproved(auth: &AuthPolicy) -> Refusal {
    let expected = match (auth.accounts, auth.tokens, auth.header) {
        (true, false, _) => "the token that login or register has given",
        (true, true, _) => "a signed token, or the one that login or register has given",
        (false, true, _) => "a signed token",
        (false, false, true) => "to come by the proxy that knows who you are",
        (false, false, false) => "a name",
    };
    Refusal::new(Code::Unauthorized, "say who you are").field("token", expected)
}
