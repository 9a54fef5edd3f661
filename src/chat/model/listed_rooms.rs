//! The list of the rooms that everybody may find.

use super::name::{RoomName, UserName};

/// What [`Query::Directory`](super::log::Query::Directory) asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryQuery {
    /// Who asks.
    pub user: UserName,
    /// Only rooms that are [meant](is_meant) by this.
    pub text: Box<str>,
    /// Only what is after this name.
    pub after: Box<str>,
    /// The most rooms of the page: 1 to
    /// [`DIRECTORY_PAGE_MAX`](super::limits::DIRECTORY_PAGE_MAX).
    pub limit: u32,
}

/// A room as the store has it, for [`Query::Directory`](super::log::Query::Directory).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRoom {
    /// Its name.
    pub room: RoomName,
    /// Its topic, empty if there is none.
    pub topic: Box<str>,
    /// How many members it has.
    pub members: u64,
    /// When the last record was put there, 0 if none was.
    pub at: u64,
    /// The policy that was chosen for it by name, if one was.
    pub policy: Option<Box<str>>,
}

/// A room as a user is told of it, who may not be a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRoom {
    /// Its name.
    pub room: RoomName,
    /// Its topic, empty if there is none.
    pub topic: Box<str>,
    /// How many members it has.
    pub members: u64,
    /// When the last record was put there, 0 if none was.
    pub at: u64,
    /// Whether only those who are invited may enter.
    pub by_invitation: bool,
}

/// Whether a room of this name and topic is meant by `text`, which is in lower case: everything is
/// by an empty one.
#[must_use]
pub fn is_meant(text: &str, room: &RoomName, topic: &str) -> bool {
    room.as_str().contains(text) || topic.to_lowercase().contains(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_meant_by_a_part_of_its_name_or_topic() {
        let room = RoomName::parse("garden").unwrap();
        for (text, expect) in [
            ("", true),
            ("gard", true),
            ("den", true),
            ("roses", true),
            ("ÄRGER", false),
            ("tea", false),
        ] {
            assert_eq!(is_meant(text, &room, "Roses, and no ärger"), expect, "{text}");
        }
    }
}
