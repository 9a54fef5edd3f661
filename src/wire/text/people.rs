//! What a person wants of, or says about, another one: profiles, blocks and reports.

use super::Line;
use super::commands::Verb;
use super::words::{number, person, split_word};
use crate::chat::model::code::Code;
use crate::chat::model::command::{Command, Op, Reported};
use crate::chat::model::limits::{REASON_LEN_MAX, SEQ_END, STATUS_MS_MAX};
use crate::chat::model::prose;
use crate::chat::model::reply::Refusal;
use crate::time::span;
use crate::wire::parse::profile_of;

/// Acts that `/audit` shows.
const AUDIT_LIMIT: u32 = 20;

/// Reads what stands after the command. `current` is the room that it may be about. `None` if it
/// needs something else.
pub(super) fn parse<'a>(
    verb: Verb,
    (rest, current): (&'a str, Option<&'a str>),
) -> Option<Line<'a>> {
    Some(match verb {
        Verb::Block => block(rest, true)?,
        Verb::Unblock => block(rest, false)?,
        Verb::Blocked => Line::Command(Op::Blocked, Command::Blocked),
        Verb::Whois => {
            let user = Some(person(rest)).filter(|user| !user.is_empty())?;
            Line::Command(Op::Whois, Command::Whois { users: vec![user.into()] })
        }
        // What is said of it would be dropped without a word.
        Verb::Away if !rest.is_empty() => {
            Line::Hint("/away has no words; /status at lunch has, and /status 1h at lunch")
        }
        Verb::Away => Line::Command(Op::Status, Command::Status { away: true }),
        Verb::Back => Line::Command(Op::Status, Command::Status { away: false }),
        Verb::Display => profile(Some(rest), None, None),
        Verb::Status => {
            // `1h at lunch`, or `at lunch`.
            let (first, behind) = split_word(rest);
            let for_ms = span::parse(first).filter(|_| !behind.is_empty());
            profile(None, Some((if for_ms.is_some() { behind } else { rest }, for_ms)), None)
        }
        Verb::Color => profile(None, None, Some(rest)),
        Verb::Report => report(rest, current)?,
        Verb::Reports => {
            let (room, limit, after) = (None, None, None);
            Line::Command(Op::Reports, Command::Reports { room, limit, after })
        }
        Verb::Settle => {
            let report = number(rest).filter(|report| *report > 0)?.min(SEQ_END - 1);
            Line::Command(Op::Settle, Command::Settle { report })
        }
        Verb::Audit => {
            // Of the room that one is in; administrators have all by `/audit all`.
            let room = match rest {
                "" => current.map(Into::into),
                "all" => None,
                _ => return None,
            };
            let (before, limit) = (None, Some(AUDIT_LIMIT));
            Line::Command(Op::Audit, Command::Audit { room, before, limit })
        }
        _ => return None,
    })
}

/// Whom to hear nothing of any more, or again.
fn block(user: &str, on: bool) -> Option<Line<'_>> {
    let user = Some(person(user)).filter(|user| !user.is_empty())?;
    let op = if on { Op::Block } else { Op::Unblock };
    Some(Line::Command(op, Command::Block { user: user.into(), on }))
}

/// What one is called, or does, or in which colour: nothing any more for `-`. Nothing is changed if
/// nothing is given.
fn profile<'a>(
    display: Option<&'a str>,
    status: Option<(&'a str, Option<u64>)>,
    color: Option<&'a str>,
) -> Line<'a> {
    let cleared = |text: &'a str| if text == "-" { "" } else { text };
    let [display, color] =
        [display, color].map(|text| text.filter(|text| !text.is_empty()).map(cleared));
    let status = status.filter(|(text, _)| !text.is_empty());
    let status = status.map(|(text, for_ms)| (cleared(text), for_ms));
    let (text, for_ms) =
        (status.map(|(text, _)| text.into()), status.and_then(|(_, for_ms)| for_ms));
    if for_ms.is_some_and(|for_ms| !(1..=STATUS_MS_MAX).contains(&for_ms)) {
        let refusal = Refusal::new(Code::BadField, "a status lasts for up to a year");
        let expected = "a time such as that of /status 30d at sea";
        return Line::Refused(Box::new(refusal.field("for_ms", expected)));
    }
    match profile_of(
        display.map(Into::into),
        (text, for_ms),
        color.map(|color| color.to_ascii_lowercase().into()),
    ) {
        Ok(command) => Line::Command(Op::Profile, command),
        Err(mut refusal) => {
            // A program is told the name of the field.
            for (field, words) in
                [("display", "the display name"), ("text", "the status"), ("color", "the colour")]
            {
                if let Some(rest) = refusal.message.strip_prefix(field) {
                    refusal.message = format!("{words}{rest}").into();
                    break;
                }
            }
            Line::Refused(refusal)
        }
    }
}

/// Whom to report, and why.
fn report<'a>(rest: &'a str, current: Option<&'a str>) -> Option<Line<'a>> {
    let (user, reason) = split_word(rest);
    let user = Some(person(user)).filter(|user| !user.is_empty())?;
    if reason.len() > REASON_LEN_MAX {
        let message = format!("the reason is longer than {REASON_LEN_MAX} bytes");
        return Some(Line::Refused(Box::new(Refusal::new(Code::TooLarge, message))));
    }
    let Ok(reason) = prose::clean(reason.into()) else {
        let refusal = Refusal::new(Code::BadField, "the reason has a control character");
        return Some(Line::Refused(Box::new(refusal.field("reason", prose::EXPECTED))));
    };
    let about = Reported::User(user.into(), current.map(Into::into));
    Some(Line::Command(Op::Report, Command::Report { about, reason }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::model::color::Color;

    #[test]
    fn a_report_names_a_person_and_perhaps_says_why() {
        for (rest, expect) in [
            ("bob", Some(("bob", ""))),
            ("@bob he  shouts", Some(("bob", "he  shouts"))),
            ("", None),
        ] {
            let parsed = parse(Verb::Report, (rest, Some("lobby")));
            let expect = expect.map(|(user, reason): (&str, &str)| {
                let about = Reported::User(user.into(), Some("lobby".into()));
                Line::Command(Op::Report, Command::Report { about, reason: reason.into() })
            });
            assert_eq!(parsed, expect, "{rest}");
        }
        let long = format!("bob {}", "x".repeat(REASON_LEN_MAX + 1));
        let refused = parse(Verb::Report, (&long, None));
        assert!(matches!(refused, Some(Line::Refused(refusal)) if refusal.code == Code::TooLarge));
    }

    #[test]
    fn what_was_done_is_asked_for_of_the_room_or_of_all() {
        let audit = |room: Option<&'static str>| {
            let (room, before, limit) = (room.map(Into::into), None, Some(AUDIT_LIMIT));
            Some(Line::Command(Op::Audit, Command::Audit { room, before, limit }))
        };
        for (rest, current, expect) in [
            ("", Some("lobby"), audit(Some("lobby"))),
            ("", None, audit(None)),
            ("all", Some("lobby"), audit(None)),
            ("bob", Some("lobby"), None),
        ] {
            assert_eq!(parse(Verb::Audit, (rest, current)), expect, "{rest} {current:?}");
        }
    }

    #[test]
    fn a_report_is_settled_by_its_number() {
        let last = Some(SEQ_END - 1);
        let far = "99999999999999999999";
        for (rest, expect) in [("3", Some(3)), (far, last), ("0", None), ("x", None), ("", None)] {
            let expect = expect.map(|report| Line::Command(Op::Settle, Command::Settle { report }));
            assert_eq!(parse(Verb::Settle, (rest, None)), expect, "{rest}");
        }
    }

    #[test]
    fn a_profile_is_what_is_typed_and_a_dash_takes_it_away() {
        let profile = |display: Option<&'static str>, status: Option<(&'static str, _)>| {
            let status = status.map(|(text, for_ms)| (text.into(), for_ms));
            Line::Command(
                Op::Profile,
                Command::Profile { display: display.map(Into::into), status, color: None },
            )
        };
        let color = |color| {
            let command = Command::Profile { display: None, status: None, color: Some(color) };
            Line::Command(Op::Profile, command)
        };
        for (verb, rest, expect) in [
            (Verb::Display, "Ann Smith", profile(Some("Ann Smith"), None)),
            (Verb::Display, "-", profile(Some(""), None)),
            (Verb::Display, "", profile(None, None)),
            (Verb::Status, "at lunch", profile(None, Some(("at lunch", None)))),
            (Verb::Status, "1h at lunch", profile(None, Some(("at lunch", Some(3_600_000))))),
            (Verb::Status, "1h", profile(None, Some(("1h", None)))),
            (Verb::Status, "3 things", profile(None, Some(("3 things", None)))),
            (Verb::Status, "-", profile(None, Some(("", None)))),
            (Verb::Color, "teal", color(Color::Teal)),
            (Verb::Color, "-", color(Color::Unchosen)),
            (Verb::Color, "", profile(None, None)),
            (
                Verb::Whois,
                "@bob",
                Line::Command(Op::Whois, Command::Whois { users: vec!["bob".into()] }),
            ),
        ] {
            assert_eq!(parse(verb, (rest, None)), Some(expect), "{verb:?} {rest}");
        }
        let (long, longest) = ("x".repeat(161), "x".repeat(65));
        for (verb, rest, code) in [
            (Verb::Display, "...", Code::BadField),
            (Verb::Display, &longest, Code::TooLarge),
            (Verb::Status, "a\u{202e}b", Code::BadField),
            (Verb::Status, "\u{200d}", Code::BadField),
            (Verb::Status, "2y at sea", Code::BadField),
            (Verb::Status, "0s at sea", Code::BadField),
            (Verb::Status, &long, Code::TooLarge),
            (Verb::Color, "mauve", Code::BadField),
        ] {
            let refused = parse(verb, (rest, None));
            assert!(matches!(refused, Some(Line::Refused(why)) if why.code == code), "{rest}");
        }
    }
}
