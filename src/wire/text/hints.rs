//! Hints: what is said to lines that are not for the domain: help, and what was probably meant.

use super::commands::{COMMANDS, Meaning, Verb, meaning, nearest};
use super::greeting::bye;
use super::render::refusal;
use super::safe::{self, put};
use super::{Line, account};

/// Characters of a mistyped word that are shown, so that the mistake can be seen.
const WORD_LEN_MAX: usize = 32;
/// Said of accounts where there are none.
const NO_ACCOUNTS: &str = "there are no passwords here; /nick ann takes a name";

/// Appends the answer to a line that is not for the domain. Nothing if the line needs no answer or
/// another part of the server gives it. `has_accounts` tells whether the server has any.
pub fn answer(out: &mut Vec<u8>, line: &Line<'_>, has_accounts: bool) {
    match line {
        Line::Account(_) if !has_accounts => put(out, &["! ", NO_ACCOUNTS, "\n"]),
        Line::Nothing
        | Line::Nick(_)
        | Line::Command(..)
        | Line::Answer(..)
        | Line::InThread(..)
        | Line::Change(..)
        | Line::Talk(_)
        | Line::Account(_) => {}
        Line::NoRoom(word) => no_room(out, word),
        Line::Help(word) => help(out, word, has_accounts),
        Line::Quit => bye(out, ""),
        Line::Unknown(word) => unknown(out, word),
        Line::Hint(hint) => put(out, &["! ", hint, "\n"]),
        Line::Usage(form) => put(out, &["! it is written like this, for example: ", form, "\n"]),
        Line::Refused(why) => refusal(out, why),
    }
}

/// Explains the command called `word`, or all of them if that is none.
fn help(out: &mut Vec<u8>, word: &str, has_accounts: bool) {
    let word = word.strip_prefix('/').unwrap_or(word);
    let one = match meaning(word) {
        Meaning::Hint(hint) => return put(out, &["! ", hint, "\n"]),
        Meaning::Command(verb, _) if verb.is_of_accounts() && !has_accounts => {
            return put(out, &["! ", NO_ACCOUNTS, "\n"]);
        }
        Meaning::Command(verb, _) if verb.is_of_accounts() => return account::help(out),
        Meaning::Command(verb, _) => Some(verb).filter(|verb| is_explained(*verb)),
        Meaning::Unknown => None,
    };
    for entry in COMMANDS.iter().filter(|entry| is_explained(entry.verb)) {
        let is_other = one.is_some_and(|one| one != entry.verb);
        if is_other || (entry.verb.is_of_accounts() && !has_accounts) {
            continue;
        }
        let blanks = " ".repeat(20usize.saturating_sub(entry.form.len()));
        put(out, &["  ", entry.form, &blanks, entry.about, "\n"]);
    }
    if one.is_some() {
        return;
    }
    put(out, &["Any other line is said in the room you joined last; // says a slash.\n"]);
    put(out, &["Times are 30s, 10m, 2h, 1d, 1w or 1y.\n"]);
}

/// Whether a command has a line of its own.
fn is_explained(verb: Verb) -> bool {
    COMMANDS.iter().any(|entry| entry.verb == verb && !entry.about.is_empty())
}

/// Who types a command without its slash where nothing can be said has not said anything.
fn no_room(out: &mut Vec<u8>, word: &str) {
    put(out, &["! you are not in a room; join one with /join lobby"]);
    if matches!(meaning(word), Meaning::Command(..)) {
        put(out, &[", or did you mean /"]);
        safe::line(out, word);
    }
    put(out, &["\n"]);
}

fn unknown(out: &mut Vec<u8>, word: &str) {
    put(out, &["! there is no /"]);
    let shown: String = word.chars().take(WORD_LEN_MAX).collect();
    safe::line(out, &shown);
    if let Some(near) = nearest(&shown.to_lowercase()) {
        put(out, &["; did you mean /", near]);
    }
    put(out, &["; /help lists the commands\n"]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::model::code::Code;
    use crate::chat::model::reply::Refusal;
    use crate::wire::text::AccountLine;

    #[track_caller]
    fn check(line: &Line<'_>, expect: &str) {
        let mut out = Vec::new();
        answer(&mut out, line, true);
        assert_eq!(String::from_utf8(out).unwrap(), expect);
    }

    #[test]
    fn what_is_no_command_is_answered_with_what_would_be_one() {
        let no_room = "! you are not in a room; join one with /join lobby";
        check(&Line::NoRoom("hello"), &format!("{no_room}\n"));
        check(&Line::NoRoom("quit"), &format!("{no_room}, or did you mean /quit\n"));
        check(&Line::Usage("/msg bob hi"), "! it is written like this, for example: /msg bob hi\n");
        check(
            &Line::Unknown("jion"),
            "! there is no /jion; did you mean /join; /help lists the commands\n",
        );
        check(&Line::Unknown("\u{1b}c"), "! there is no /?c; /help lists the commands\n");
        check(&Line::Quit, "-- goodbye --\n");
        check(&Line::Nothing, "");
        let refusal = Refusal::new(Code::TooLarge, "the text is longer than 10 bytes");
        check(&Line::Refused(Box::new(refusal)), "! the text is longer than 10 bytes\n");
    }

    #[test]
    fn help_of_one_command_is_its_line() {
        let ban = "  /ban bob 1d spam    keeps bob out; /unban ends it, /bans lists all\n";
        check(&Line::Help("ban"), ban);
        check(&Line::Help("/BAN"), ban);
        check(&Line::Help("op"), "! roles are given with /role bob moderator\n");
    }

    #[test]
    fn of_accounts_only_a_server_that_has_them_speaks() {
        let login = AccountLine::Login { name: "ann", password: "secret" };
        for line in [Line::Account(login), Line::Help("login"), Line::Help("register")] {
            let mut out = Vec::new();
            answer(&mut out, &line, false);
            let none = "! there are no passwords here; /nick ann takes a name\n";
            assert_eq!(String::from_utf8(out).unwrap(), none);
        }
        let mut out = Vec::new();
        answer(&mut out, &Line::Help(""), false);
        assert!(!String::from_utf8(out).unwrap().contains("/login"));
    }

    #[test]
    fn help_fits_a_terminal_and_names_each_command() {
        let mut out = Vec::new();
        answer(&mut out, &Line::Help(""), true);
        let shown = String::from_utf8(out.clone()).unwrap();
        assert!(shown.lines().count() <= 23, "{shown}");
        assert!(shown.lines().all(|line| line.len() < 80), "{shown}");
        answer(&mut out, &Line::Help("login"), true);
        let shown = String::from_utf8(out).unwrap();
        for entry in COMMANDS.iter().filter(|entry| entry.verb != Verb::Say) {
            let name = entry.names.first().unwrap();
            assert!(shown.contains(&format!("/{name}")), "{name} in {shown}");
        }
    }
}
