//! What a person wants of, or says about, another one: blocks and reports.

use super::Line;
use super::commands::Verb;
use super::words::{person, split_word};
use crate::chat::model::code::Code;
use crate::chat::model::command::{Command, Op, Reported};
use crate::chat::model::limits::REASON_LEN_MAX;
use crate::chat::model::prose;
use crate::chat::model::reply::Refusal;

/// Acts that `/audit` shows.
const AUDIT_LIMIT: u32 = 20;

/// Reads what stands behind the command. `current` is the room that it may be about. `None` if it
/// needs something else.
pub(super) fn parse<'a>(
    verb: Verb,
    (rest, current): (&'a str, Option<&'a str>),
) -> Option<Line<'a>> {
    Some(match verb {
        Verb::Block => block(rest, true)?,
        Verb::Unblock => block(rest, false)?,
        Verb::Blocked => Line::Command(Op::Blocked, Command::Blocked),
        Verb::Report => report(rest, current)?,
        Verb::Reports => {
            let (room, limit, after) = (None, None, None);
            Line::Command(Op::Reports, Command::Reports { room, limit, after })
        }
        Verb::Settle => {
            let report = rest.parse().ok().filter(|report| *report > 0)?;
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
        let asked = |room: Option<&'static str>| {
            let (room, before, limit) = (room.map(Into::into), None, Some(AUDIT_LIMIT));
            Some(Line::Command(Op::Audit, Command::Audit { room, before, limit }))
        };
        for (rest, current, expect) in [
            ("", Some("lobby"), asked(Some("lobby"))),
            ("", None, asked(None)),
            ("all", Some("lobby"), asked(None)),
            ("bob", Some("lobby"), None),
        ] {
            assert_eq!(parse(Verb::Audit, (rest, current)), expect, "{rest} {current:?}");
        }
    }

    #[test]
    fn a_report_is_settled_by_its_number() {
        for (rest, expect) in [("3", Some(3)), ("0", None), ("x", None), ("", None)] {
            let expect = expect.map(|report| Line::Command(Op::Settle, Command::Settle { report }));
            assert_eq!(parse(Verb::Settle, (rest, None)), expect, "{rest}");
        }
    }
}
