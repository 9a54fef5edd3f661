//! Records and answers as lines. What others have written is made safe for a terminal: see
//! [`text::safe_text`](crate::wire::text::safe_text).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chinwag_client::model::{array, flag, number, object, text};
use chinwag_client::{Item, other_in};
use serde_json::Value;

use super::display_names::Displays;
use crate::chat::model::meant_message::Meant;
use crate::terminal::Style;
use crate::time::date::{DAY_MS, civil, weekday};
use crate::time::span::in_words;
use crate::wire::posted;
use crate::wire::text::{in_persons_words, safe_line, safe_name, safe_text};

/// Letters of a message that are quoted, at most.
const QUOTE_LEN_MAX: usize = 32;

/// Files of a message that are shown.
const FILES_MAX: usize = 10;

/// A text of others on one line.
pub(super) fn line(text: &str) -> String {
    safe_line(text)
}

/// A name of others.
pub(super) fn name(name: &str) -> String {
    safe_name(&safe_line(name))
}

/// A message that can be quoted.
#[derive(Clone, Debug)]
pub(super) struct Quotable {
    from: String,
    text: String,
    /// The seq of the first message of its thread, if it is in one.
    pub(super) thread: Option<u64>,
}

impl Quotable {
    pub(super) fn of(item: &Item) -> Option<Self> {
        let from = text(item, "from")?.to_owned();
        let text = text(item, "text").filter(|_| text(item, "ev") == Some("message"))?.to_owned();
        Some(Self { from, text, thread: number(item, "thread") })
    }

    /// The message was edited.
    pub(super) fn reword(&mut self, edit: &Item) {
        if let Some(text) = text(edit, "text") {
            text.clone_into(&mut self.text);
        }
    }

    pub(super) fn is(&self, of: Meant<'_>) -> bool {
        of.is(&self.from, &self.text)
    }
}

/// To whom records are shown, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look<'a> {
    pub style: Style,
    pub me: &'a str,
    pub displays: &'a Displays,
}

/// A record, without its room.
pub(super) fn record(
    item: &Item,
    quotable: &BTreeMap<u64, Quotable>,
    Look { style, me, displays }: Look<'_>,
) -> String {
    let from = text(item, "from").unwrap_or_default();
    let words = text(item, "text").unwrap_or_default();
    let who = name(from);
    let quote = || quote(number(item, "target").and_then(|seq| quotable.get(&seq)), from);
    let what = match text(item, "ev").unwrap_or_default() {
        "message" if flag(item, "deleted") => format!("* a message of {who} was deleted"),
        "message" => {
            let shown = if from == me { style.paint(&who, "1") } else { style.name(&who, from) };
            let beside = displays.beside(from);
            let shown = if beside.is_empty() { shown } else { shown + &style.faint(&beside) };
            let edited = if item.contains_key("edited") { " (edited)" } else { "" };
            let words = if words.is_empty() { "(data)".to_owned() } else { safe_text(words) };
            let to = answered(item, quotable, from);
            let to = to.map(|to| style.faint(&to)).unwrap_or_default();
            let mark = if names(item, me) { style.paint(NAMED, "1") } else { String::new() };
            return format!("{mark}{shown}{edited}{to}: {words}{}", files(item));
        }
        "edit" => format!("* {who} changed {} to: {}", quote(), safe_line(words)),
        "deletion" => format!("* {who} deleted {}", quote()),
        "reaction" => {
            let emoji = line(text(item, "emoji").unwrap_or_default());
            if flag(item, "remove") {
                format!("* {who} took back a reaction to {}: {emoji}", quote())
            } else {
                format!("* {who} reacted to {} with {emoji}", quote())
            }
        }
        "topic" if words.is_empty() => format!("* {who} removed the topic"),
        "topic" => format!("* {who} changed the topic: {}", line(words)),
        "rename" => {
            let was = text(item, "was").unwrap_or_default();
            format!("* {who} renamed the room, which was {}", name(was))
        }
        "moderation" => moderation(item, &who),
        other => format!("* {who}: {}", line(other)),
    };
    style.faint(&what)
}

/// The thread of a message, and what it answers, as it stands after the name of its author.
fn answered(item: &Item, quotable: &BTreeMap<u64, Quotable>, from: &str) -> Option<String> {
    let (to, thread) = (number(item, "reply_to"), number(item, "thread"));
    let quote = |seq: u64| quote(quotable.get(&seq), from);
    // That which answers the first message of its thread says so by being there.
    match (to.filter(|_| to != thread), thread) {
        (None, None) => None,
        (Some(to), None) => Some(format!(" to {}", quote(to))),
        (None, Some(thread)) => Some(format!(" in the thread of {}", quote(thread))),
        (Some(to), Some(thread)) => {
            Some(format!(" in the thread of {}, to {}", quote(thread), quote(to)))
        }
    }
}

/// Stands before a message that names whoever looks at it: no name begins so.
const NAMED: &str = ">> ";

/// Whether a record names us, or the room in which we are.
pub(super) fn names(item: &Item, me: &str) -> bool {
    let mut named = array(item, "mentions").iter().filter_map(Value::as_str);
    text(item, "from") != Some(me) && named.any(|name| name == me || name == "@room")
}

/// The files of a message, and where each is read by HTTP, below the path of the room.
fn files(item: &Item) -> String {
    let data = item.get("data").map(Value::to_string).unwrap_or_default();
    let seq = number(item, "seq").unwrap_or_default();
    let shown = posted::files(&data).into_iter().take(FILES_MAX).map(|file| {
        let name: String = file.name.chars().take(QUOTE_LEN_MAX).collect();
        format!(" [{} messages/{seq}/files/{}]", line(&name), file.id)
    });
    shown.collect()
}

fn moderation(item: &Item, who: &str) -> String {
    let target = name(text(item, "target").unwrap_or_default());
    let at = number(item, "at").unwrap_or_default();
    let lasts = number(item, "until").map(|until| in_words(until.saturating_sub(at)));
    let lasts = lasts.map(|lasts| format!(" for {lasts}")).unwrap_or_default();
    let what = match text(item, "act").unwrap_or_default() {
        "kick" => "was removed".to_owned(),
        "ban" => format!("was banned{lasts}"),
        "unban" => "may come back: the ban was ended".to_owned(),
        "mute" => format!("was muted{lasts}"),
        "unmute" => "may speak again: the mute was ended".to_owned(),
        "role" => format!("has the role {} now", line(text(item, "role").unwrap_or_default())),
        other => line(other),
    };
    let why = text(item, "reason").filter(|why| !why.is_empty());
    let why = why.map(|why| format!(": {}", line(why))).unwrap_or_default();
    format!("* {target} {what} by {who}{why}")
}

pub(super) fn quote(message: Option<&Quotable>, by: &str) -> String {
    let Some(Quotable { from, text, .. }) = message else { return "an earlier message".to_owned() };
    let mut shown: String = text.trim().chars().take(QUOTE_LEN_MAX).collect();
    if shown.len() < text.trim().len() {
        shown.push('…');
    }
    // Or the quote could end early, and its rest pass for what was done.
    let shown = line(&shown.replace('"', "'"));
    if from == by { format!("\"{shown}\"") } else { format!("{}'s \"{shown}\"", name(from)) }
}

/// The day and the time of a record, in UTC.
pub(super) fn time(at: u64) -> (String, String) {
    let (year, month, day) = civil(at / DAY_MS);
    let minute = at / 60_000 % (24 * 60);
    let date = format!("{} {year:04}-{month:02}-{day:02}", weekday(at / DAY_MS));
    (date, format!("{:02}:{:02}", minute / 60, minute % 60))
}

/// A list of people from pairs of a name and a note, such as a role; the `usual` note is left out.
pub(super) fn people(before: &str, data: &Item, usual: &str) -> String {
    let pairs = array(data, "users").iter().filter_map(Value::as_array);
    let shown = pairs.filter_map(|pair| {
        let [user, note] = pair.as_slice() else { return None };
        let (user, note) = (user.as_str()?, note.as_str()?);
        Some(if note == usual { name(user) } else { format!("{} ({note})", name(user)) })
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    let colon = if shown.is_empty() { "" } else { ": " };
    let more = if flag(data, "more") { ", and more" } else { "" };
    let count = number(data, "count").unwrap_or_default();
    format!("-- {count} {before}{colon}{shown}{more} --")
}

/// The rooms that everybody may find.
pub(super) fn directory(data: &Item) -> String {
    let rows = array(data, "items").iter().filter_map(Value::as_object);
    let mut lines: Vec<_> = rows
        .filter_map(|row| {
            let (room, members) = (name(text(row, "room")?), number(row, "members")?);
            let members = if members == 1 { "1 member" } else { &format!("{members} members") };
            let how = if flag(row, "by_invitation") { ", by invitation" } else { "" };
            let topic = text(row, "topic").map(|topic| format!(": {}", line(topic)));
            Some(format!("-- {room}, {members}{how}{} --", topic.unwrap_or_default()))
        })
        .collect();
    if flag(data, "more") {
        lines.push("-- there are more; /list tea finds those of tea --".to_owned());
    } else if lines.is_empty() {
        lines.push("-- no room was found --".to_owned());
    }
    lines.join("\n")
}

/// One's rooms with what is unread there, and invitations.
pub(super) fn inbox(data: &Item, me: &str) -> String {
    let rows = array(data, "rooms").iter().filter_map(Value::as_object);
    let shown = rows.filter_map(|row| {
        let room = text(row, "room")?;
        let shown =
            other_in(room, me).map_or_else(|| name(room), |other| format!("@{}", name(other)));
        let unread = number(row, "unread").unwrap_or_default();
        let named = match number(row, "mentions").unwrap_or_default() {
            0 => String::new(),
            more => format!(", {more} for you"),
        };
        Some(if unread == 0 { shown } else { format!("{shown} ({unread} unread{named})") })
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    let mut out = if shown.is_empty() {
        "-- you are not in a room; join one with /join lobby --".to_owned()
    } else {
        format!("-- your rooms: {shown} --")
    };
    for row in array(data, "invitations").iter().filter_map(Value::as_object) {
        let room = text(row, "room").unwrap_or_default();
        let why = text(row, "reason").unwrap_or_default();
        out.push('\n');
        out.push_str(&invited(room, text(row, "by"), why));
    }
    out
}

/// An invitation, and how to accept it.
pub(super) fn invited(room: &str, by: Option<&str>, why: &str) -> String {
    let who =
        by.map_or_else(|| "you are invited".to_owned(), |by| format!("{} invites you", name(by)));
    let why = if why.is_empty() { String::new() } else { format!(" ({})", line(why)) };
    format!("-- {who}: /join {}{why} --", name(room))
}

/// Bans, mutes, readers and invitations.
pub(super) fn restrictions(data: &Item) -> String {
    let rows = array(data, "items").iter().filter_map(Value::as_object);
    let shown = rows.map(|row| {
        let kind = text(row, "kind").unwrap_or_default();
        format!("{} ({kind})", name(text(row, "user").unwrap_or_default()))
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    format!("-- restrictions: {} --", if shown.is_empty() { "none" } else { &shown })
}

/// Where one is logged in.
pub(super) fn logins(data: &Item) -> String {
    let mut out = "-- your logins --".to_owned();
    for row in array(data, "logins").iter().filter_map(Value::as_object) {
        let agent = line(text(row, "agent").unwrap_or_default());
        let here = if flag(row, "current") { ", here" } else { "" };
        _ = write!(out, "\n  {}  {agent}{here}", number(row, "id").unwrap_or_default());
    }
    out
}

/// What was reported, and how it is settled.
pub(super) fn reports(data: &Item) -> String {
    let rows = array(data, "items").iter().filter_map(Value::as_object);
    let mut out = String::new();
    for row in rows {
        let word = |field| name(text(row, field).unwrap_or_default());
        let id = number(row, "id").unwrap_or_default();
        _ = write!(out, "  {id}  {} reports {}", word("by"), word("user"));
        if text(row, "room").is_some() {
            _ = write!(out, " in {}", word("room"));
        }
        let parts = ["text", "reason"].iter().filter_map(|field| text(row, field));
        for part in parts.filter(|part| !part.is_empty()) {
            _ = write!(out, ": {}", line(part));
        }
        out.push('\n');
    }
    if out.is_empty() {
        return "-- nothing is reported --".to_owned();
    }
    let more = if flag(data, "more") { "there are more; " } else { "" };
    format!("{out}-- {more}/settle and the number ends one --")
}

/// What was done over others, the latest last.
pub(super) fn audit(data: &Item) -> String {
    let rows = array(data, "items").iter().rev().filter_map(Value::as_object);
    let lines: Vec<_> = rows.map(act).collect();
    if lines.is_empty() {
        return "-- nothing was done over others --".to_owned();
    }
    let more = if flag(data, "more") { "-- there is more before that --\n" } else { "" };
    format!("{more}{}", lines.join("\n"))
}

fn act(row: &Item) -> String {
    let (day, time) = time(number(row, "at").unwrap_or_default());
    let day = day.rsplit(' ').next().unwrap_or_default();
    let act = text(row, "act").unwrap_or_default();
    // A room without members ends without anybody's doing.
    let nobody = if act == "close" { "nobody" } else { "the operator" };
    let by = text(row, "by").map_or_else(|| nobody.to_owned(), name);
    let mut out = format!("  {day} {time}  {by}: {}", line(act));
    if let Some(user) = text(row, "user") {
        _ = write!(out, " {}", name(user));
    }
    if let Some(room) = text(row, "room") {
        _ = write!(out, " in {}", name(room));
    }
    out
}

/// Whom one has blocked.
pub(super) fn blocked(users: &std::collections::BTreeSet<String>) -> String {
    let shown: Vec<_> = users.iter().map(|user| name(user)).collect();
    format!(
        "-- blocked: {} --",
        if shown.is_empty() { "nobody".to_owned() } else { shown.join(", ") }
    )
}

/// Messages that a search has found.
pub(super) fn found(data: &Item, look: Look<'_>) -> String {
    let none = BTreeMap::new();
    let lines = array(data, "items").iter().rev().filter_map(Value::as_object).map(|item| {
        let room = text(item, "room").unwrap_or_default();
        let room =
            other_in(room, look.me).map_or_else(|| name(room), |other| format!("@{}", name(other)));
        let (day, time) = time(number(item, "at").unwrap_or_default());
        let day = day.rsplit(' ').next().unwrap_or_default();
        let place = look.style.faint(&format!("{day} {time} [{room}]"));
        format!("{place} {}", record(item, &none, look))
    });
    let lines: Vec<_> = lines.collect();
    if lines.is_empty() { "-- nothing was found --".to_owned() } else { lines.join("\n") }
}

/// A refusal, with what helps.
pub(super) fn refusal(error: &chinwag_client::Error) -> String {
    let data = &error.data;
    let field = text(data, "field").unwrap_or_default();
    let (message, expected) = in_persons_words(field, (&error.message, text(data, "expected")));
    let mut out = message.to_owned();
    if let Some(expected) = expected {
        _ = write!(out, "; expected: {expected}");
    }
    if let Some(hint) = text(data, "hint") {
        _ = write!(out, "; did you mean {hint}");
    }
    if let Some(wait) = error.retry_after_ms() {
        _ = write!(out, "; try again in {}", in_words(wait));
    }
    if object(data, "messages").is_empty() && data.contains_key("messages") {
        let way = if data.contains_key("members") { "/end sure" } else { "/close" };
        _ = write!(out, "; {way} does so");
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::time::Tick;

    const PLAIN: Style = Style { has_colours: false };

    fn item(value: Value) -> Item {
        let Value::Object(item) = value else { panic!("{value}") };
        item
    }

    #[track_caller]
    fn check(record: Value, expect: &str) {
        let message = json!({"ev": "message", "seq": 1, "from": "bob", "text": "say \"tea\""});
        let quotable = BTreeMap::from([(1, Quotable::of(&item(message)).unwrap())]);
        let mut displays = Displays::default();
        displays.note(&item(json!({"kit": {"display": "Kit of the Bay"}})), Tick::ZERO);
        let look = Look { style: PLAIN, me: "ann", displays: &displays };
        assert_eq!(super::record(&item(record), &quotable, look), expect);
    }

    #[test]
    fn rooms_that_everybody_may_find_are_a_line_each() {
        let rows = json!([
            {"room": "den", "members": 1, "by_invitation": true},
            {"room": "tea", "members": 2, "topic": "five\no'clock"},
        ]);
        let shown = "-- den, 1 member, by invitation --\n-- tea, 2 members: five o'clock --";
        assert_eq!(directory(&item(json!({"items": rows, "more": false}))), shown);
        let more = directory(&item(json!({"items": rows, "more": true})));
        assert_eq!(more, format!("{shown}\n-- there are more; /list tea finds those of tea --"));
        assert_eq!(directory(&item(json!({"items": []}))), "-- no room was found --");
    }

    #[test]
    fn a_record_is_a_line_in_which_nothing_can_pass_for_another() {
        check(json!({"ev": "message", "from": "bob", "text": "hi"}), "bob: hi");
        check(json!({"ev": "message", "from": "kit", "text": "hi"}), "kit ~Kit of the Bay: hi");
        let forged = json!({"ev": "message", "from": "bob", "text": "hi\nann: \u{1b}[2Jbye"});
        check(forged, "bob: hi\n| ann: ?[2Jbye");
        check(json!({"ev": "message", "from": "bob", "text": "x", "edited": 5}), "bob (edited): x");
        check(
            json!({"ev": "message", "from": "bob", "deleted": true}),
            "* a message of bob was deleted",
        );
        check(
            json!({"ev": "reaction", "from": "eve", "target": 1, "emoji": "+1"}),
            "* eve reacted to bob's \"say 'tea'\" with +1",
        );
        check(
            json!({"ev": "deletion", "from": "bob", "target": 9}),
            "* bob deleted an earlier message",
        );
        check(json!({"ev": "topic", "from": "bob", "text": ""}), "* bob removed the topic");
        check(
            json!({"ev": "rename", "from": "bob", "name": "den", "was": "lair"}),
            "* bob renamed the room, which was lair",
        );
        check(
            json!({"ev": "message", "from": "ann", "text": "yes", "reply_to": 1}),
            "ann to bob's \"say 'tea'\": yes",
        );
        check(
            json!({"ev": "message", "from": "bob", "text": "yes", "reply_to": 9}),
            "bob to an earlier message: yes",
        );
        check(
            json!({"ev": "message", "from": "ann", "text": "yes", "thread": 1}),
            "ann in the thread of bob's \"say 'tea'\": yes",
        );
        check(
            json!({"ev": "message", "from": "ann", "text": "yes", "thread": 1, "reply_to": 1}),
            "ann in the thread of bob's \"say 'tea'\": yes",
        );
        check(
            json!({"ev": "message", "from": "ann", "text": "yes", "thread": 9, "reply_to": 1}),
            "ann in the thread of an earlier message, to bob's \"say 'tea'\": yes",
        );
        for (named, expect) in [
            (json!(["ann"]), ">> bob: hm"),
            (json!(["@room"]), ">> bob: hm"),
            (json!(["eve"]), "bob: hm"),
        ] {
            check(json!({"ev": "message", "from": "bob", "text": "hm", "mentions": named}), expect);
        }
        let mute = json!({"ev": "moderation", "act": "mute", "from": "bob", "target": "eve",
            "at": 0, "until": 600_000, "reason": "spam"});
        check(mute, "* eve was muted for 10 minutes by bob: spam");
        check(json!({"ev": "poll", "from": "bob"}), "* bob: poll");
    }

    #[test]
    fn people_rooms_and_invitations_are_listed() {
        let there = json!({"count": 2, "users": [["ann", "online"], ["bob", "away"]]});
        assert_eq!(people("here", &item(there), "online"), "-- 2 here: ann, bob (away) --");
        let many = item(json!({"count": 700}));
        assert_eq!(people("here", &many, "online"), "-- 700 here --");
        let rooms = json!({"rooms": [{"room": "lobby", "unread": 0}, {"room": "@ann:bob", "unread": 3},
            {"room": "tea", "unread": 2, "mentions": 1}],
            "invitations": [{"room": "den", "by": "eve", "reason": "come"}]});
        assert_eq!(
            inbox(&item(rooms), "ann"),
            "-- your rooms: lobby, @bob (3 unread), tea (2 unread, 1 for you) --\n-- eve invites you: /join den (come) --"
        );
        assert_eq!(time(1_763_700_001_456), ("Friday 2025-11-21".to_owned(), "04:40".to_owned()));
    }
}
