//! The first and the last lines of a connection.

use super::safe::{self, put};
use crate::chat::model::identity::{AuthPolicy, Registration};
use crate::chat::model::limits::GUEST_PREFIX;
use crate::chat::model::name::UserName;

/// Appends the two lines of the greeting.
pub fn welcome(out: &mut Vec<u8>, server: &str, user: &UserName) {
    let user = user.as_str();
    let hint = if user.starts_with(GUEST_PREFIX) { "; choose a name with /nick ann" } else { "" };
    put(out, &["Welcome to ", server, ". You are ", user, hint, ".\n"]);
    put(out, &["Type /join lobby to join a room, /help for all commands.\n"]);
}

/// Appends the greeting of a server that wants to know first who somebody is.
pub fn who_are_you(out: &mut Vec<u8>, server: &str, auth: &AuthPolicy) {
    put(out, &["Welcome to ", server, ". "]);
    if !auth.accounts {
        return put(out, &["People come in from another application here, not at a terminal.\n"]);
    }
    put(out, &["Log in with /login NAME PASSWORD.\n"]);
    match auth.registration {
        Registration::Closed => {}
        Registration::Invite => {
            put(out, &["With an invitation: /register NAME PASSWORD CODE.\n"]);
        }
        Registration::Open => put(out, &["New here: /register NAME PASSWORD.\n"]),
    }
    put(out, &[super::account::WARNING]);
}

/// Appends the name of somebody who was greeted before, under another.
pub(super) fn renamed(out: &mut Vec<u8>, user: &UserName) {
    put(out, &["-- you are ", user.as_str(), " now --\n"]);
}

/// Appends the last line, with the reason if there is one.
pub fn bye(out: &mut Vec<u8>, reason: &str) {
    put(out, &["-- goodbye", if reason.is_empty() { "" } else { ": " }]);
    safe::line(out, reason);
    put(out, &[" --\n"]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_to_log_in_is_told_how_and_who_can_read_it() {
        for (accounts, registration, expect) in [
            (true, Registration::Closed, "Log in with /login NAME PASSWORD.\n"),
            (
                true,
                Registration::Invite,
                "Log in with /login NAME PASSWORD.\n\
                 With an invitation: /register NAME PASSWORD CODE.\n",
            ),
            (
                true,
                Registration::Open,
                "Log in with /login NAME PASSWORD.\nNew here: /register NAME PASSWORD.\n",
            ),
            (
                false,
                Registration::Open,
                "People come in from another application here, not at a terminal.\n",
            ),
        ] {
            let auth = AuthPolicy { none: false, accounts, registration, ..AuthPolicy::default() };
            let mut out = Vec::new();
            who_are_you(&mut out, "chinwag 0.1.0", &auth);
            let warning = if accounts { super::super::account::WARNING } else { "" };
            let expect = format!("Welcome to chinwag 0.1.0. {expect}{warning}");
            assert_eq!(String::from_utf8(out).unwrap(), expect);
        }
    }

    #[test]
    fn the_greeting_is_two_lines() {
        let mut out = Vec::new();
        welcome(&mut out, "chinwag 0.1.0", &UserName::parse("guest-7").unwrap());
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "Welcome to chinwag 0.1.0. You are guest-7; choose a name with /nick ann.\n\
             Type /join lobby to join a room, /help for all commands.\n"
        );
    }
}
