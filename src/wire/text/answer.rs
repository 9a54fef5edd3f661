//! `/reply bob yes`, `/reply "see you" yes`: an answer to a message that is named by its author, or
//! by some of its words. `/thread` says something in the thread of such a message.

use super::Line;
use super::words::{person, split_word};
use crate::chat::model::command::{Command, Send};
use crate::chat::model::meant_message::Meant;

/// The line of an answer, which `line` makes of the message that `say` makes; `None` if there is no
/// message named, or nothing said.
pub(super) fn parse<'a>(
    rest: &'a str,
    say: impl FnOnce(&'a str) -> Line<'a>,
    line: impl FnOnce(Meant<'a>, Send<'a>) -> Line<'a>,
) -> Option<Line<'a>> {
    let (of, text) = parts(rest)?;
    Some(match say(text) {
        Line::Command(_, Command::Send(send)) => line(of, send),
        other => other,
    })
}

/// Which message is meant, and what is said.
pub(super) fn parts(rest: &str) -> Option<(Meant<'_>, &str)> {
    let rest = rest.trim();
    // Keyboards and what people copy from have other quotation marks.
    let quoted = rest.strip_prefix(['"', '\u{201c}', '\u{201d}', '\u{201e}']);
    let (of, text) = if let Some(quoted) = quoted {
        let (words, text) = quoted.split_once(['"', '\u{201c}', '\u{201d}'])?;
        (Meant::Words(words.trim()), text.trim())
    } else {
        let (user, text) = split_word(rest);
        (Meant::From(person(user).trim_end_matches([':', ','])), text)
    };
    let is_named = !matches!(of, Meant::From("") | Meant::Words(""));
    (is_named && !text.is_empty()).then_some((of, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_meant_by_its_author_or_its_words() {
        let from = |user, text| Some((Meant::From(user), text));
        let words = |words, text| Some((Meant::Words(words), text));
        for (typed, expect) in [
            ("bob yes", from("bob", "yes")),
            ("@bob: yes, please", from("bob", "yes, please")),
            ("\"see you\" yes", words("see you", "yes")),
            ("\u{201e}see you\u{201c} yes", words("see you", "yes")),
            ("\u{201c}see you\u{201d}  yes ", words("see you", "yes")),
            ("bob", None),
            ("", None),
            ("\"see you\"", None),
            ("\"see you", None),
            ("\"\" yes", None),
        ] {
            assert_eq!(parts(typed), expect, "{typed:?}");
        }
        assert!(Meant::Words("SEE you").is("bob", "I'll see You soon"));
        assert!(!Meant::Words("see me").is("bob", "see you"));
        assert!(Meant::From("bob").is("bob", "") && !Meant::From("bo").is("bob", "bo"));
    }
}
