//! Answers to lines that are not for the domain: help, and what a mistyped command should be.

use super::Human;
use super::greeting::bye;
use super::render::refusal;
use super::safe::{self, put};

/// The commands, for `/help` and for suggestions after an unknown one.
const COMMANDS: [(&str, &str, &str); 10] = [
    ("nick", "/nick ann", "takes a name"),
    ("join", "/join lobby", "joins a room, and creates it if needed"),
    ("msg", "/msg bob hi", "sends a message to bob alone"),
    ("who", "/who", "lists who is online in the room"),
    ("rooms", "/rooms", "lists your rooms"),
    ("history", "/history 20", "shows the latest messages"),
    ("topic", "/topic tea", "sets the topic; without a text shows it"),
    ("leave", "/leave", "leaves the room"),
    ("help", "/help", "shows this"),
    ("quit", "/quit", "ends the connection"),
];

/// Appends the answer to a line that is not for the domain. Nothing if the line needs no answer or
/// another part of the server gives it.
pub fn answer(out: &mut Vec<u8>, human: &Human<'_>) {
    match human {
        Human::Nothing | Human::Nick(_) | Human::Command(..) => {}
        Human::NoRoom => put(out, &["! you are not in a room; join one with /join lobby\n"]),
        Human::Help => help(out),
        Human::Quit => bye(out, ""),
        Human::Unknown(word) => unknown(out, word),
        Human::Usage(form) => put(out, &["! this command needs more, for example: ", form, "\n"]),
        Human::Refused(why) => refusal(out, why),
    }
}

fn help(out: &mut Vec<u8>) {
    for (_, form, about) in COMMANDS {
        let blanks = " ".repeat(13usize.saturating_sub(form.len()));
        put(out, &["  ", form, &blanks, about, "\n"]);
    }
    put(out, &["Any other line is sent to the room you joined last.\n"]);
}

fn unknown(out: &mut Vec<u8>, word: &str) {
    const WORD_LEN_MAX: usize = 32;
    put(out, &["! there is no /"]);
    // The word is echoed, so that a typing mistake can be seen, but not at any length.
    let shown: String = word.chars().take(WORD_LEN_MAX).collect();
    safe::line(out, &shown);
    let distances = COMMANDS.map(|(name, ..)| (strsim::damerau_levenshtein(name, &shown), name));
    if let Some((1..=2, near)) = distances.into_iter().min() {
        put(out, &["; did you mean /", near]);
    }
    put(out, &["; /help lists the commands\n"]);
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
    fn what_is_no_command_is_answered_with_what_would_be_one() {
        check(&Human::NoRoom, "! you are not in a room; join one with /join lobby\n");
        check(
            &Human::Usage("/msg bob hi"),
            "! this command needs more, for example: /msg bob hi\n",
        );
        check(
            &Human::Unknown("jion"),
            "! there is no /jion; did you mean /join; /help lists the commands\n",
        );
        check(&Human::Unknown("\u{1b}c"), "! there is no /?c; /help lists the commands\n");
        check(&Human::Quit, "-- goodbye --\n");
        check(&Human::Nothing, "");
        let refusal = Refusal::new(Code::TooLarge, "the text is longer than 10 bytes");
        check(&Human::Refused(Box::new(refusal)), "! the text is longer than 10 bytes\n");
    }

    #[test]
    fn help_names_each_command_on_a_line() {
        let mut out = Vec::new();
        answer(&mut out, &Human::Help);
        let shown = String::from_utf8(out).unwrap();
        assert_eq!(shown.lines().count(), COMMANDS.len() + 1);
        assert!(shown.contains("  /join lobby  joins a room"), "{shown}");
    }
}
