//! Policies: what holds for rooms by their names, as it is configured.

use std::time::Duration;

use super::name::{RoomName, UserName};
use super::reply::Durability;

/// What holds for a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What its records survive.
    pub durability: Durability,
    /// For how long they are kept.
    pub retention: Retention,
    /// Who may make such a room.
    pub create: Creators,
    /// Who may find and enter it.
    pub access: Access,
    /// Bytes of a message's text and data together, if fewer than everywhere.
    pub message_bytes: Option<usize>,
    /// How presence is told.
    pub presence: PresenceMode,
    /// Who may name all of the room by `@room`.
    pub mention_room: RoomCallers,
}

/// For how long records are kept; a log that exceeds any of these loses its oldest records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// How old a record may be.
    pub age: Option<Duration>,
    /// How many there may be.
    pub records: Option<u64>,
    /// How many bytes of text and data there may be.
    pub bytes: Option<u64>,
}

/// Who may make a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Creators {
    /// Everybody.
    Anyone,
    /// Only these; nobody if there are none.
    Only(Vec<UserName>),
}

/// Who may find and enter a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Open,
    /// Everybody may find it; who is invited may enter (3008 for others).
    Invite,
    /// Only its members, and who is invited, know of it (3001 for others).
    Private,
}

/// Who may name all of a room by `@room`. In a conversation of two both may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoomCallers {
    /// Everybody in rooms of at most
    /// [`CALLED_BY_ALL_MAX`](super::limits::CALLED_BY_ALL_MAX) members; in larger ones the owner
    /// and moderators.
    BySize,
    /// Everybody who may speak.
    Anyone,
    /// The owner and moderators.
    Moderators,
    /// Nobody.
    Nobody,
}

/// How presence is told in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresenceMode {
    /// By name, in rooms of up to [`PRESENCE_NAMES_MAX`](super::limits::PRESENCE_NAMES_MAX)
    /// members.
    Names,
    /// As a count.
    Count,
    /// Not at all.
    Off,
}

/// All policies: the first rule that a room's name matches, otherwise the one for all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policies {
    /// The rules, in the order in which they are tried.
    pub rules: Vec<Rule>,
    /// For rooms that match none.
    pub otherwise: Policy,
    /// For direct conversations.
    pub direct: Policy,
}

/// A policy for the rooms whose names match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// By which `create` may choose it, whatever the room's name; no two rules have the same.
    pub name: Option<Box<str>>,
    /// A room's name in which each `*` stands for any text, none included. `None`: matches no name,
    /// and is there to be chosen.
    pub pattern: Option<Box<str>>,
    /// What holds.
    pub policy: Policy,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            durability: Durability::Memory,
            retention: Retention::default(),
            create: Creators::Anyone,
            access: Access::Open,
            message_bytes: None,
            presence: PresenceMode::Names,
            mention_room: RoomCallers::BySize,
        }
    }
}

impl Policies {
    /// The same for all rooms, direct conversations included.
    #[must_use]
    pub fn uniform(policy: Policy) -> Self {
        Self { rules: Vec::new(), direct: policy.clone(), otherwise: policy }
    }

    /// The policy of a room: the one that was `chosen` by name if there still is one, otherwise by
    /// its name.
    #[must_use]
    pub fn of(&self, room: &RoomName, chosen: Option<&str>) -> &Policy {
        if room.is_direct() {
            return &self.direct;
        }
        let named = chosen.and_then(|name| self.named(name));
        let matching = || self.rules.iter().find(|rule| rule.matches(room.as_str()));
        named.or_else(matching).map_or(&self.otherwise, |rule| &rule.policy)
    }

    /// Whether any room's records are not kept for ever.
    #[must_use]
    pub fn forget(&self) -> bool {
        let rules = self.rules.iter().map(|rule| &rule.policy);
        let mut all = rules.chain([&self.otherwise, &self.direct]);
        all.any(|policy| policy.retention != Retention::default())
    }

    /// The rule that may be chosen by this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.name.as_deref() == Some(name))
    }
}

impl Rule {
    /// Whether a room's name matches.
    #[must_use]
    pub fn matches(&self, room: &str) -> bool {
        self.pattern.as_ref().is_some_and(|pattern| pattern_matches(pattern, room))
    }
}

/// Whether `text` is `pattern` with something for each `*`. Linear in their product: both are
/// short.
#[must_use]
pub fn pattern_matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    let mut rest = rest;
    while let Some((middle, behind)) = rest.split_once('*') {
        let Some((_, after)) = text.split_once(middle) else { return false };
        text = after;
        rest = behind;
    }
    text.ends_with(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, room, expect) in [
            ("lobby", "lobby", true),
            ("lobby", "lobby2", false),
            ("tmp/*", "tmp/", true),
            ("tmp/*", "tmp/a/b", true),
            ("tmp/*", "tmp", false),
            ("*", "", true),
            ("*-log", "a-log", true),
            ("*-log", "a-logs", false),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(pattern_matches(pattern, room), expect, "{pattern} {room}");
        }
    }
}
