//! What a person does with an account: logs in, and looks after passwords, devices and invitations.
//!
//! A terminal shows what is typed, and without TLS everybody on the way can read it. That is said
//! where people are told of these commands; a secret that was typed is never written back.

use std::fmt;

use super::commands::{Meaning, Verb, meaning};
use super::safe::put;
use super::words::{count, named, person, split_word};
use crate::chat::model::account::{
    Hidden, INVITE_MS, INVITE_MS_MAX, INVITES_MAX, PASSWORD_LEN_MAX, PASSWORD_LEN_MIN,
};
use crate::chat::model::code::Code;
use crate::chat::model::command::{Command, Op};
use crate::chat::model::reply::Refusal;
use crate::time::span::{self, in_words};

/// What the login of a person at a terminal is listed as.
const AGENT: &str = "terminal";
/// How the secret of an invitation, and that of the first administrator's link, begin.
const INVITES: [&str; 2] = ["cwi_", "cwa_"];

/// A command about an account.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum AccountLine<'a> {
    /// Make an account, perhaps with the secret of an invitation.
    Register {
        /// The name that it is to have.
        name: &'a str,
        /// Its password.
        password: &'a str,
        /// The secret of the invitation.
        invite: Option<&'a str>,
    },
    /// Come in as the account of this name.
    Login {
        /// Its name.
        name: &'a str,
        /// Its password.
        password: &'a str,
    },
    /// Change the password.
    Password {
        /// The one there is.
        old: &'a str,
        /// The one there is to be.
        new: &'a str,
    },
    /// List the devices that are logged in.
    Logins,
    /// End the login of this number, `others` or `all`.
    EndLogin(&'a str),
    /// Make an invite link.
    InviteLink {
        /// The room whose members they become who use it.
        room: Option<&'a str>,
        /// How many may use it.
        uses: Option<u32>,
        /// For how long, in milliseconds.
        for_ms: Option<u64>,
    },
    /// Join the rooms of an invitation.
    Accept(&'a str),
}

impl fmt::Debug for AccountLine<'_> {
    /// Without any secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Register { .. } => "Register",
            Self::Login { .. } => "Login",
            Self::Password { .. } => "Password",
            Self::Logins => "Logins",
            Self::EndLogin(_) => "EndLogin",
            Self::InviteLink { .. } => "InviteLink",
            Self::Accept(_) => "Accept",
        })
    }
}

impl<'a> AccountLine<'a> {
    /// What the domain is asked.
    ///
    /// # Errors
    ///
    /// [`Code::BadField`] if a password is too short or too long, or a link is for too many or for
    /// too long.
    pub fn command(self) -> Result<(Op, Command<'a>), Refusal> {
        let agent = Some(AGENT.into());
        Ok(match self {
            Self::Register { name, password, invite } => {
                let (name, password) = (name.into(), new_password(password)?);
                let invite = invite.map(Hidden::new);
                (Op::Register, Command::Register { name, password, invite, agent })
            }
            Self::Login { name, password } => {
                let (name, password) = (name.into(), some_password(password)?);
                (Op::Login, Command::Login { name, password, agent })
            }
            Self::Password { old, new } => {
                let (old, new) = (some_password(old)?, new_password(new)?);
                (Op::Password, Command::Password { old, new })
            }
            Self::Logins => (Op::Logins, Command::Logins),
            Self::EndLogin(which) => (Op::EndLogin, Command::EndLogin { which: which.into() }),
            Self::InviteLink { room, uses, for_ms } => {
                let rooms = room.map(Into::into).into_iter().collect();
                let (uses, for_ms) = (uses.unwrap_or(1), for_ms.unwrap_or(INVITE_MS));
                if usize::try_from(uses).is_ok_and(|uses| uses > INVITES_MAX) {
                    let message = format!("a link is for up to {INVITES_MAX} people");
                    return Err(Refusal::new(Code::BadField, message));
                }
                if for_ms > INVITE_MS_MAX {
                    let message = format!("a link is good for up to {}", in_words(INVITE_MS_MAX));
                    return Err(Refusal::new(Code::BadField, message));
                }
                (Op::InviteLink, Command::InviteLink { uses, for_ms, rooms })
            }
            Self::Accept(invite) => (Op::Accept, Command::Accept { invite: Hidden::new(invite) }),
        })
    }

    /// Whether it says who somebody is, and so comes before all else.
    #[must_use]
    pub const fn is_entrance(&self) -> bool {
        matches!(self, Self::Register { .. } | Self::Login { .. })
    }
}

fn some_password(text: &str) -> Result<Hidden, Refusal> {
    if text.len() <= PASSWORD_LEN_MAX { Ok(Hidden::new(text)) } else { Err(no_password()) }
}

fn new_password(text: &str) -> Result<Hidden, Refusal> {
    if text.len() < PASSWORD_LEN_MIN { Err(no_password()) } else { some_password(text) }
}

fn no_password() -> Refusal {
    let message = format!("a password has {PASSWORD_LEN_MIN} to {PASSWORD_LEN_MAX} bytes");
    Refusal::new(Code::BadField, message)
}

/// Reads what stands after the command. `None` if it needs something else.
pub(super) fn parse(verb: Verb, rest: &str) -> Option<AccountLine<'_>> {
    let (first, behind) = split_word(rest);
    Some(match verb {
        Verb::Register => {
            let (password, invite) = split_invite(behind);
            AccountLine::Register { name: some(person(first))?, password: some(password)?, invite }
        }
        Verb::Login => AccountLine::Login { name: some(person(first))?, password: some(behind)? },
        Verb::Password => {
            let (old, behind) = word_or_quoted(rest)?;
            let (new, behind) = word_or_quoted(behind)?;
            // A password with blanks that nobody has put in quotes would be cut off.
            some(behind).is_none().then_some(AccountLine::Password { old, new })?
        }
        Verb::Logins => AccountLine::Logins,
        Verb::EndLogin => {
            let is_one = matches!(rest, "others" | "all") || rest.parse::<u64>().is_ok();
            AccountLine::EndLogin(is_one.then_some(rest)?)
        }
        Verb::InviteLink => invite_link(rest)?,
        Verb::Accept => AccountLine::Accept(invite_in(rest)?),
        _ => return None,
    })
}

/// Whether a line that begins with blanks and a slash is a command all the same, so that a slip
/// does not tell a room a password.
#[must_use]
pub fn is_secret(line: &str) -> bool {
    let command = line.trim_start().strip_prefix(['/', '\u{ff0f}']);
    let word = command.map(|command| split_word(command).0);
    let verb = word.map(meaning);
    matches!(
        verb,
        Some(Meaning::Command(Verb::Register | Verb::Login | Verb::Password | Verb::Accept, _))
    )
}

/// A password, and the secret of an invitation as the last word after it.
fn split_invite(text: &str) -> (&str, Option<&str>) {
    let (password, last) = text.rsplit_once(char::is_whitespace).unwrap_or((text, ""));
    match invite_in(last) {
        Some(invite) => (password.trim_end(), Some(invite)),
        None => (text, None),
    }
}

/// The secret of an invitation, which may stand in its link.
fn invite_in(text: &str) -> Option<&str> {
    let at = INVITES.iter().filter_map(|prefix| text.find(prefix)).min()?;
    text.get(at..).filter(|invite| !invite.contains(char::is_whitespace))
}

/// `tea`, `5`, `7d` or several of them in this order.
fn invite_link(rest: &str) -> Option<AccountLine<'_>> {
    let (mut room, mut uses, mut for_ms) = (None, None, None);
    for word in rest.split_whitespace() {
        let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
        let is_time = !is_number && word.starts_with(|c: char| c.is_ascii_digit());
        if is_number && uses.is_none() {
            uses = Some(count(word).filter(|uses| *uses > 0)?);
        } else if is_time && for_ms.is_none() {
            for_ms = Some(span::parse(word).filter(|for_ms| *for_ms > 0)?);
        } else if room.is_none() && !is_number && !is_time {
            room = Some(named(word)?);
        } else {
            return None;
        }
    }
    Some(AccountLine::InviteLink { room, uses, for_ms })
}

/// A word, or what stands in quotes, and the rest.
fn word_or_quoted(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    match text.strip_prefix('"').and_then(|quoted| quoted.split_once('"')) {
        Some((inside, behind)) if behind.is_empty() || behind.starts_with(char::is_whitespace) => {
            Some((some(inside)?, behind.trim()))
        }
        _ => {
            let (word, behind) = split_word(text);
            Some((some(word)?, behind))
        }
    }
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// Appends all commands about accounts, and what to know before a password is typed.
pub(super) fn help(out: &mut Vec<u8>) {
    for (form, about) in [
        ("/register ann PASSWORD CODE", "makes an account; CODE is that of an invitation"),
        ("/login ann PASSWORD", "comes in as ann"),
        ("/password OLD NEW", "changes it; in \"quotes\" if it has blanks"),
        ("/logins", "lists your devices; /endlogin 3 ends one, others"),
        ("", "or all instead of the number several"),
        ("/invite-link tea 5 7d", "makes a link for 5 people, for a week, into tea"),
        ("/accept CODE", "joins the rooms of an invitation"),
    ] {
        let blanks = " ".repeat(29usize.saturating_sub(form.len()));
        put(out, &["  ", form, &blanks, about, "\n"]);
    }
    put(out, &[WARNING]);
}

/// What to know before a password is typed.
pub(super) const WARNING: &str =
    "Passwords stay on this screen, and without TLS can be read on the way.\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_needs_a_name_and_a_password() {
        let register = |password, invite| AccountLine::Register { name: "ann", password, invite };
        for (rest, expect) in [
            ("ann secret", Some(register("secret", None))),
            ("ann two words", Some(register("two words", None))),
            ("@ann secret cwi_x", Some(register("secret", Some("cwi_x")))),
            ("ann a b https://x.example/#invite=cwi_x", Some(register("a b", Some("cwi_x")))),
            ("ann secret cwa_x", Some(register("secret", Some("cwa_x")))),
            ("ann cwi_x", Some(register("cwi_x", None))),
            ("ann", None),
            ("", None),
        ] {
            assert_eq!(parse(Verb::Register, rest), expect, "{rest}");
        }
        let login = AccountLine::Login { name: "ann", password: "two  words" };
        assert_eq!(parse(Verb::Login, "ann two  words"), Some(login));
        assert_eq!(parse(Verb::Login, "ann"), None);
    }

    #[test]
    fn two_passwords_are_told_apart() {
        for (rest, expect) in [
            ("old new", Some(("old", "new"))),
            ("\"old one\"  \"new one\"", Some(("old one", "new one"))),
            ("\"old one\" new", Some(("old one", "new"))),
            ("o\"ld \"new", Some(("o\"ld", "\"new"))),
            ("old new one", None),
            ("old", None),
            ("\"\" new", None),
            ("", None),
        ] {
            let expect = expect.map(|(old, new)| AccountLine::Password { old, new });
            assert_eq!(parse(Verb::Password, rest), expect, "{rest}");
        }
    }

    #[test]
    fn an_invite_link_has_a_room_a_number_and_a_time() {
        let link = |room, uses, for_ms| Some(AccountLine::InviteLink { room, uses, for_ms });
        for (rest, expect) in [
            ("", link(None, None, None)),
            ("#tea", link(Some("tea"), None, None)),
            ("tea 5 7d", link(Some("tea"), Some(5), Some(604_800_000))),
            ("5 tea", link(Some("tea"), Some(5), None)),
            ("7d", link(None, None, Some(604_800_000))),
            ("0", None),
            ("7x", None),
            ("tea den", None),
            ("99999999999", link(None, Some(u32::MAX), None)),
        ] {
            assert_eq!(parse(Verb::InviteLink, rest), expect, "{rest}");
        }
    }

    #[test]
    fn a_password_that_cannot_be_one_is_refused_before_anybody_is_asked() {
        let (short, long) = ("x".repeat(7), "x".repeat(257));
        for line in [
            AccountLine::Register { name: "ann", password: &short, invite: None },
            AccountLine::Register { name: "ann", password: &long, invite: None },
            AccountLine::Login { name: "ann", password: &long },
            AccountLine::Password { old: "old", new: &short },
        ] {
            assert_eq!(line.command(), Err(no_password()), "{line:?}");
        }
        // What was a password once may be shorter than those that are made.
        AccountLine::Login { name: "ann", password: "old" }.command().unwrap();
    }

    #[test]
    fn a_link_for_too_many_or_for_too_long_is_refused_in_words() {
        let most = u32::try_from(INVITES_MAX).unwrap();
        for (uses, for_ms, expect) in [
            (most, INVITE_MS_MAX, None),
            (most + 1, INVITE_MS_MAX, Some("a link is for up to 10000 people")),
            (most, INVITE_MS_MAX + 1, Some("a link is good for up to 1 year")),
        ] {
            let (room, uses, for_ms) = (None, Some(uses), Some(for_ms));
            let refused = AccountLine::InviteLink { room, uses, for_ms }.command().err();
            assert_eq!(refused.as_ref().map(|refusal| &*refusal.message), expect);
        }
    }

    #[test]
    fn a_login_is_ended_by_its_number_or_with_others() {
        for (rest, expect) in [
            ("3", Some("3")),
            ("others", Some("others")),
            ("all", Some("all")),
            ("", None),
            ("three", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(parse(Verb::EndLogin, rest), expect.map(AccountLine::EndLogin), "{rest}");
        }
    }

    #[test]
    fn no_secret_is_shown_by_debug() {
        for line in [
            AccountLine::Register { name: "ann", password: "secret", invite: Some("cwi_secret") },
            AccountLine::Login { name: "ann", password: "secret" },
            AccountLine::Password { old: "secret", new: "secret" },
            AccountLine::Accept("cwi_secret"),
        ] {
            assert!(!format!("{line:?} {:?}", line.command()).contains("secret"));
        }
    }

    #[test]
    fn blanks_before_a_password_do_not_make_it_a_message() {
        for (line, expect) in [
            (" /login ann secret", true),
            ("\t/PASSWORD a b", true),
            ("/register ann secret", true),
            (" /etc/passwd", false),
            ("login", false),
            (" /join lobby", false),
        ] {
            assert_eq!(is_secret(line), expect, "{line:?}");
        }
    }

    #[test]
    fn help_fits_a_terminal() {
        let mut out = Vec::new();
        help(&mut out);
        let shown = String::from_utf8(out).unwrap();
        assert!(shown.lines().all(|line| line.len() < 80), "{shown}");
    }
}
