//! What the server says to a person of its own accord.

use super::Human;
use super::render::refusal;
use super::safe;
use crate::chat::model::name::UserName;

/// The commands, as `/help` shows them and as unknown words are compared with.
const COMMANDS: [(&str, &str, &str); 10] = [
    ("nick", "/nick ann", "takes a name"),
    ("join", "/join lobby", "enters a room, and makes it if there is none"),
    ("msg", "/msg bob hi", "says something to bob alone"),
    ("who", "/who", "says who is here"),
    ("rooms", "/rooms", "lists your rooms"),
    ("history", "/history 20", "shows what was said last"),
    ("topic", "/topic tea", "changes the topic; shows it without one"),
    ("leave", "/leave", "leaves the room"),
    ("help", "/help", "shows this"),
    ("quit", "/quit", "ends the connection"),
];

/// Appends the two lines with which a person is received.
pub fn welcome(out: &mut Vec<u8>, server: &str, user: &UserName) {
    let user = user.as_str();
    let hint = if user.starts_with("guest-") { "; /nick ann gives you a name" } else { "" };
    put(out, &["Welcome to ", server, ". You are ", user, hint, ".\n"]);
    put(out, &["Type /join lobby to enter a room, /help for the rest.\n"]);
}

/// Appends the answer to a line that is no command for the domain. Nothing, if there is nothing to say
/// or somebody else has to say it.
pub fn answer(out: &mut Vec<u8>, human: &Human<'_>) {
    match human {
        Human::Nothing | Human::Nick(_) | Human::Command(..) => {}
        Human::NoRoom => put(out, &["! you are in no room; /join lobby enters one\n"]),
        Human::Help => help(out),
        Human::Quit => bye(out, ""),
        Human::Unknown(word) => unknown(out, word),
        Human::Usage(form) => put(out, &["! this needs more, as in ", form, "\n"]),
        Human::Refused(why) => refusal(out, why),
    }
}

/// Appends the last line, with the reason if there is one.
pub fn bye(out: &mut Vec<u8>, reason: &str) {
    put(out, &["-- goodbye", if reason.is_empty() { "" } else { ": " }]);
    safe::line(out, reason);
    put(out, &[" --\n"]);
}

fn help(out: &mut Vec<u8>) {
    for (_, form, about) in COMMANDS {
        let blanks = " ".repeat(13usize.saturating_sub(form.len()));
        put(out, &["  ", form, &blanks, about, "\n"]);
    }
    put(out, &["Anything else is said in the room you joined last.\n"]);
}

fn unknown(out: &mut Vec<u8>, word: &str) {
    const WORD_LEN_MAX: usize = 32;
    put(out, &["! there is no /"]);
    let shown: String = word.chars().take(WORD_LEN_MAX).collect();
    safe::line(out, &shown);
    let distances = COMMANDS.map(|(name, ..)| (strsim::damerau_levenshtein(name, &shown), name));
    if let Some((1..=2, near)) = distances.into_iter().min() {
        put(out, &["; perhaps /", near]);
    }
    put(out, &["; /help lists what there is\n"]);
}

/// Appends pieces that are harmless as they stand.
pub(super) fn put(out: &mut Vec<u8>, pieces: &[&str]) {
    for piece in pieces {
        out.extend_from_slice(piece.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::model::code::Code;
    use crate::chat::model::reply::Refusal;

    #[track_caller]
    fn check(human: &Human<'_>, expect: &str) {
        let mut out = Vec::new();
        answer(&mut out, human);
        assert_eq!(String::from_utf8(out).unwrap(), expect);
    }

    #[test]
    fn a_person_is_received_in_two_lines() {
        let mut out = Vec::new();
        welcome(&mut out, "chinwag 0.1.0", &UserName::parse("guest-7").unwrap());
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "Welcome to chinwag 0.1.0. You are guest-7; /nick ann gives you a name.\n\
             Type /join lobby to enter a room, /help for the rest.\n"
        );
    }

    #[test]
    fn what_is_no_command_is_answered_with_what_would_be_one() {
        check(&Human::NoRoom, "! you are in no room; /join lobby enters one\n");
        check(&Human::Usage("/msg bob hi"), "! this needs more, as in /msg bob hi\n");
        check(
            &Human::Unknown("jion"),
            "! there is no /jion; perhaps /join; /help lists what there is\n",
        );
        check(&Human::Unknown("\u{1b}c"), "! there is no /?c; /help lists what there is\n");
        check(&Human::Quit, "-- goodbye --\n");
        check(&Human::Nothing, "");
        let refusal = Refusal::new(Code::TooLarge, "this is longer than 10 bytes");
        check(&Human::Refused(Box::new(refusal)), "! this is longer than 10 bytes\n");
    }

    #[test]
    fn help_names_each_command_on_a_line() {
        let mut out = Vec::new();
        answer(&mut out, &Human::Help);
        let shown = String::from_utf8(out).unwrap();
        assert_eq!(shown.lines().count(), COMMANDS.len() + 1);
        assert!(shown.contains("  /join lobby  enters a room"), "{shown}");
    }
}
