//! What an edit, a deletion and an erasure do to the records of a log.
//!
//! The domain (for its rings and for pages that were read before a change), the SQLite store and
//! its tools all call these functions, so that a change looks the same wherever it is seen.
//!
//! | a change | of the message | of its earlier edits |
//! |---|---|---|
//! | an edit ([`apply`]) | has the new text and the time of the edit | lose their texts |
//! | a deletion ([`apply`]) | becomes [`Body::Deleted`] | lose their texts |
//! | its log is pruned ([`prune`]) | is gone | lose their texts |
//! | its author is erased ([`erase`]) | becomes [`Body::Deleted`], under another name | lose their texts |
//!
//! Topics and reasons of an erased author lose their texts too, and reactions become ones that were
//! taken back.

use super::limits::RECORD_OVERHEAD;
use super::log::{Appended, TargetCheck};
use super::name::{DIRECT_LEN_MAX, UserName};
use super::record::{Body, Record};

/// Bytes that one byte of a `cid` takes in JSON at most: a control character is written as
/// `\u0001`.
const CID_BYTE_LEN_MAX: usize = 6;

/// Why a record must not be edited, deleted or reacted to by `by`; `None` if it may.
///
/// Whether the user has a role that allows to change the messages of others is in `check`.
#[must_use]
pub fn refusal(target: &Record, by: &UserName, check: &TargetCheck) -> Option<Appended> {
    if !matches!(target.body, Body::Message { .. }) {
        Some(Appended::NoSuchMessage)
    } else if !check.others && target.from != *by {
        Some(Appended::NotYours)
    } else if target.at < check.not_before {
        Some(Appended::TooOld)
    } else {
        let Body::Message { data, .. } = &target.body else { return None };
        let data = data.as_ref().map_or(0, |data| data.len());
        (data > check.data_max).then_some(Appended::TooLarge(data))
    }
}

/// Whether `earlier` says already what a record of `from` with this body would say, so that this
/// would have no effect; `Some(false)` if it says something else of the same matter, `None` if it
/// is about another.
///
/// The last record of a log that is about the matter decides:
///
/// | a record | says already |
/// |---|---|
/// | a reaction | the same reaction of the same user; that it is taken back is said by the message itself |
/// | an edit | the edit or the message that has the same text |
/// | a topic | the topic of the same text |
#[must_use]
pub fn repeats(earlier: &Record, from: &UserName, body: &Body) -> Option<bool> {
    match (&earlier.body, body) {
        (
            Body::Reaction { target, emoji, remove },
            Body::Reaction { target: of, emoji: with, remove: removes },
        ) => (target == of && emoji == with && earlier.from == *from).then_some(remove == removes),
        // The search has come to the message without a reaction of the user's: taking one back has
        // no effect.
        (Body::Message { .. }, Body::Reaction { target, remove, .. }) => {
            (earlier.seq == *target).then_some(*remove)
        }
        (Body::Edit { target, text: Some(text) }, Body::Edit { target: of, text: new }) => {
            (target == of).then_some(Some(text) == new.as_ref())
        }
        (Body::Message { text, .. }, Body::Edit { target, text: new }) => {
            (earlier.seq == *target).then_some(Some(text) == new.as_ref())
        }
        (Body::Topic { text }, Body::Topic { text: new }) => Some(text == new),
        _ => None,
    }
}

/// The record as it is once `change`, a later record of the same log, has happened; `None` if that
/// does not change it.
#[must_use]
pub fn apply(record: &Record, change: &Record) -> Option<Record> {
    match (&change.body, &record.body) {
        (Body::Edit { target, text: Some(text) }, Body::Message { .. })
            if *target == record.seq =>
        {
            Some(edited(record, text, change))
        }
        // Of the texts that a message had, only the last one is kept.
        (Body::Edit { target, text: Some(_) }, Body::Edit { .. }) if record.seq < change.seq => {
            without_text(record, *target)
        }
        (Body::Deletion { target }, _) => without_text(record, *target),
        _ => None,
    }
}

/// The record as it is once everything below `oldest` is gone from its log; `None` if that does not
/// change it: the text of an edit does not outlive its message.
#[must_use]
pub fn prune(record: &Record, oldest: u64) -> Option<Record> {
    match record.body {
        Body::Edit { target, text: Some(_) } if target < oldest => without_text(record, target),
        _ => None,
    }
}

/// The record without anything that `user` has written, and with `placeholder` for the name; `None`
/// if the user has no part in it.
///
/// What others have written about the user is theirs and stays.
#[must_use]
pub fn erase(record: &Record, user: &UserName, placeholder: &UserName) -> Option<Record> {
    let is_author = record.from == *user;
    let is_target = matches!(&record.body, Body::Moderation { target, .. } if target == user);
    if !is_author && !is_target {
        return None;
    }
    let mut erased = record.clone();
    if is_author {
        // Only the author of a message can have edited it: the edits are found by their own names.
        let of = match record.body {
            Body::Edit { target, .. } => target,
            _ => record.seq,
        };
        erased = without_text(record, of).unwrap_or(erased);
        erased.from = placeholder.clone();
        match &mut erased.body {
            Body::Topic { text } => *text = "".into(),
            Body::Moderation { reason, .. } => *reason = "".into(),
            // Nobody has reacted: whoever counts has nothing to count.
            Body::Reaction { emoji, remove, .. } => (*emoji, *remove) = ("".into(), true),
            Body::Message { .. }
            | Body::Deleted
            | Body::Edit { .. }
            | Body::Deletion { .. }
            // The name of a room is everybody's.
            | Body::Rename { .. } => {}
        }
    }
    if let Body::Moderation { target, .. } = &mut erased.body
        && target == user
    {
        *target = placeholder.clone();
    }
    // The weight is an upper bound of what is rendered, so it has to grow with the name.
    let longer = placeholder.as_str().len().saturating_sub(user.as_str().len());
    erased.weight = add(erased.weight, NAMES_MAX * longer);
    Some(erased)
}

/// How often one user's name stands in a rendered record at most: as the author, as the target, and
/// twice in the name of a conversation with oneself.
const NAMES_MAX: usize = 4;

/// The message with the text of its edit.
fn edited(message: &Record, text: &str, edit: &Record) -> Record {
    let mut edited = message.clone();
    if let Body::Message { text: old, data, cid, edited: at, .. } = &mut edited.body {
        *old = text.into();
        *at = Some(edit.at);
        // The edit has the same author, room and text, and so weighs what these take; what the
        // message has besides is added.
        let data_len = data.as_ref().map_or(0, |data| data.len());
        let cid_len = cid.as_ref().map_or(0, |cid| cid.len() * CID_BYTE_LEN_MAX);
        edited.weight = add(edit.weight, data_len + cid_len);
    }
    edited
}

/// The message `target`, or an edit of it, without its text; `None` for any other record.
fn without_text(record: &Record, target: u64) -> Option<Record> {
    let body = match &record.body {
        Body::Message { .. } if record.seq == target => Body::Deleted,
        Body::Edit { target: of, text: Some(_) } if *of == target => {
            Body::Edit { target, text: None }
        }
        _ => return None,
    };
    // A store knows rooms by number: the longest name of one is an upper bound.
    let bare = RECORD_OVERHEAD + DIRECT_LEN_MAX + record.from.as_str().len();
    // Never more than before: what is already booked for the record stays an upper bound.
    let weight = record.weight.min(add(0, bare));
    Some(Record { body, weight, from: record.from.clone(), ..*record })
}

fn add(weight: u32, bytes: usize) -> u32 {
    weight.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::record::Act;
    use super::*;

    fn user(name: &str) -> UserName {
        UserName::parse(name).unwrap()
    }

    fn record(seq: u64, from: &str, body: Body, weight: u32) -> Record {
        Record { seq, at: 1_000 + seq, from: user(from), body, weight }
    }

    fn message(seq: u64, from: &str) -> Record {
        let body = Body::Message {
            text: "a long text".into(),
            data: Some("{\"a\":1}".into()),
            cid: Some("c1".into()),
            reply_to: Some(3),
            thread: Some(2),
            edited: None,
        };
        record(seq, from, body, 5_000)
    }

    fn edit(seq: u64, target: u64) -> Record {
        record(seq, "ann", Body::Edit { target, text: Some("new".into()) }, 300)
    }

    fn deletion(seq: u64, target: u64) -> Record {
        record(seq, "mod", Body::Deletion { target }, 240)
    }

    #[test]
    fn an_edit_changes_the_text_and_nothing_else_of_its_target() {
        let edited = apply(&message(7, "ann"), &edit(9, 7)).unwrap();
        let body = Body::Message {
            text: "new".into(),
            data: Some("{\"a\":1}".into()),
            cid: Some("c1".into()),
            reply_to: Some(3),
            thread: Some(2),
            edited: Some(1_009),
        };
        // The weight of the edit, seven bytes of data and two of a `cid`, six times each.
        assert_eq!(edited, Record { body, weight: 300 + 7 + 12, ..message(7, "ann") });
    }

    #[test]
    fn a_deletion_takes_the_text_of_the_message_and_of_its_edits() {
        let deleted = apply(&message(7, "ann"), &deletion(9, 7)).unwrap();
        let bare = u32::try_from(RECORD_OVERHEAD + DIRECT_LEN_MAX + 3).unwrap();
        assert_eq!(deleted, Record { body: Body::Deleted, weight: bare, ..message(7, "ann") });
        let cleared = apply(&edit(8, 7), &deletion(9, 7)).unwrap();
        assert_eq!(cleared.body, Body::Edit { target: 7, text: None });
        assert_eq!(cleared.weight, bare.min(300));
    }

    #[test]
    fn a_record_that_says_what_is_so_already_has_no_effect() {
        let reaction = |seq, from, target, emoji: &str, remove| {
            record(seq, from, Body::Reaction { target, emoji: emoji.into(), remove }, 300)
        };
        let topic = |text: &str| record(9, "bob", Body::Topic { text: text.into() }, 300);
        let added = reaction(8, "ann", 7, "+1", false);
        for (earlier, later, expect) in [
            (added.clone(), reaction(9, "ann", 7, "+1", false), Some(true)),
            (added.clone(), reaction(9, "ann", 7, "+1", true), Some(false)),
            (added.clone(), reaction(9, "bob", 7, "+1", false), None),
            (added.clone(), reaction(9, "ann", 6, "+1", false), None),
            (added, reaction(9, "ann", 7, "-1", false), None),
            (message(7, "bob"), reaction(9, "ann", 7, "+1", true), Some(true)),
            (message(7, "bob"), reaction(9, "ann", 7, "+1", false), Some(false)),
            (message(6, "bob"), reaction(9, "ann", 7, "+1", true), None),
            (edit(8, 7), edit(9, 7), Some(true)),
            (edit(8, 6), edit(9, 7), None),
            (message(7, "ann"), edit(9, 7), Some(false)),
            (topic("tea"), topic("tea"), Some(true)),
            (topic("tea"), topic("rum"), Some(false)),
            (message(7, "ann"), message(9, "ann"), None),
        ] {
            let found = repeats(&earlier, &later.from, &later.body);
            assert_eq!(found, expect, "{earlier:?} {later:?}");
        }
    }

    #[test]
    fn only_the_last_edit_of_a_message_keeps_its_text_and_none_outlives_it() {
        let cleared = Body::Edit { target: 7, text: None };
        assert_eq!(apply(&edit(8, 7), &edit(9, 7)).map(|edit| edit.body), Some(cleared.clone()));
        assert_eq!(prune(&edit(9, 7), 8).map(|edit| edit.body), Some(cleared));
        assert_eq!(prune(&edit(9, 7), 7), None);
        assert_eq!(prune(&message(7, "ann"), 8), None);
        assert_eq!(prune(&deletion(9, 7), 8), None);
    }

    #[test]
    fn what_a_change_is_not_about_stays() {
        let cleared = record(9, "ann", Body::Edit { target: 7, text: None }, 300);
        for (before, change) in [
            (message(6, "ann"), edit(9, 7)),
            (message(6, "ann"), deletion(9, 7)),
            (message(7, "ann"), cleared.clone()),
            (message(7, "ann"), message(9, "ann")),
            (edit(8, 7), edit(9, 8)),
            (edit(8, 6), edit(9, 7)),
            (edit(9, 7), edit(8, 7)),
            (edit(8, 6), deletion(9, 7)),
            (edit(8, 6), deletion(9, 8)),
            (cleared, deletion(10, 7)),
            (record(7, "ann", Body::Deleted, 300), deletion(9, 7)),
            (deletion(7, 3), deletion(9, 7)),
        ] {
            assert_eq!(apply(&before, &change), None, "{before:?} {change:?}");
        }
    }

    #[test]
    fn only_a_message_of_ones_own_that_is_not_too_old_may_be_changed() {
        let check = |others, not_before| TargetCheck { target: 7, others, not_before, data_max: 7 };
        let deleted = record(7, "ann", Body::Deleted, 300);
        for (target, by, check, expect) in [
            (message(7, "ann"), "ann", check(false, 1_007), None),
            (message(7, "ann"), "bob", check(true, 0), None),
            (message(7, "ann"), "bob", check(false, 0), Some(Appended::NotYours)),
            (message(7, "ann"), "ann", check(false, 1_008), Some(Appended::TooOld)),
            (deleted, "ann", check(false, 0), Some(Appended::NoSuchMessage)),
            (edit(7, 3), "ann", check(true, 0), Some(Appended::NoSuchMessage)),
            (
                message(7, "ann"),
                "ann",
                TargetCheck { data_max: 6, ..check(false, 0) },
                Some(Appended::TooLarge(7)),
            ),
        ] {
            assert_eq!(refusal(&target, &user(by), &check), expect, "{target:?}");
        }
    }

    #[test]
    fn an_erased_user_has_said_nothing_and_has_another_name() {
        let (ann, gone) = (user("ann"), user("erased-1"));
        let moderation = |from, target, reason: &str| {
            let (target, reason) = (user(target), reason.into());
            record(5, from, Body::Moderation { act: Act::Kick, target, reason }, 300)
        };
        let topic = |text: &str| Body::Topic { text: text.into() };
        let reaction =
            |emoji: &str, remove| Body::Reaction { target: 3, emoji: emoji.into(), remove };
        for (before, from, after) in [
            (message(7, "ann"), "erased-1", Body::Deleted),
            (edit(8, 7), "erased-1", Body::Edit { target: 7, text: None }),
            (record(5, "ann", topic("tea"), 300), "erased-1", topic("")),
            (record(5, "ann", reaction("+1", false), 300), "erased-1", reaction("", true)),
            (moderation("ann", "bob", "why"), "erased-1", moderation("x", "bob", "").body),
            (moderation("bob", "ann", "why"), "bob", moderation("x", "erased-1", "why").body),
            (moderation("ann", "ann", "why"), "erased-1", moderation("x", "erased-1", "").body),
        ] {
            let erased = erase(&before, &ann, &gone).unwrap();
            assert_eq!((&erased.from, &erased.body), (&user(from), &after), "{before:?}");
            // The new name is five bytes longer.
            assert!(erased.weight <= before.weight + 4 * 5, "{erased:?}");
        }
        let tea = record(5, "ann", topic("tea"), 300);
        assert_eq!(erase(&tea, &ann, &gone).unwrap().weight, 300 + 4 * 5);
        assert_eq!(erase(&deletion(9, 7), &ann, &gone), None);
        assert_eq!(erase(&message(7, "bob"), &ann, &gone), None);
    }
}
