//! Rooms as they are read: with the first of their members, and then the others, a page at a time.
//!
//! What changes between two pages is told like all that changes after a room was loaded: its
//! counter of facts is that of the first page.

use std::collections::BTreeMap;

use super::rows::Part;
use crate::chat::model::load::Wanted;
use crate::chat::model::log::{LogId, RoomMeta, Ticket};
use crate::chat::model::name::UserName;
use crate::pg::{Param, Row, WrongType};

/// Members that are read at once, of all rooms together: some 8 MiB of the 32 that an answer has
/// at most.
const MEMBERS_MAX: usize = if cfg!(test) { 12 } else { 16_384 };

/// How many members of each of so many rooms a page has.
pub(super) fn members_of_each(rooms: usize) -> usize {
    (MEMBERS_MAX / rooms.max(1)).max(1)
}

/// What rooms are read for.
#[derive(Debug)]
pub(super) enum ReadFor {
    /// An answer.
    Query(Ticket, Box<Wanted>),
    /// A log, anew.
    Renewal(LogId),
}

/// What was read of some rooms.
#[derive(Debug)]
pub(super) struct RoomPages {
    parts: Vec<Part>,
    /// The last member that was read of each room that may have more.
    behind: BTreeMap<i64, UserName>,
    each_max: usize,
}

impl RoomPages {
    /// Nothing yet of so many rooms.
    pub(super) fn new(rooms: usize) -> Self {
        let each_max = members_of_each(rooms);
        Self { parts: Vec::new(), behind: BTreeMap::new(), each_max }
    }

    /// Takes a page. Returns whether it was the last one.
    ///
    /// # Errors
    ///
    /// [`WrongType`] if it is another answer.
    pub(super) fn take(&mut self, rows: &[Row]) -> Result<bool, WrongType> {
        let parts = Part::read_all(rows)?;
        let mut last_of: BTreeMap<i64, (usize, &UserName)> = BTreeMap::new();
        for part in &parts {
            if let Part::Meta(room, RoomMeta::Member(name, Some(_)), _) = part {
                let (count, last) = last_of.entry(*room).or_insert((0, name));
                *count += 1;
                *last = (*last).max(name);
            }
        }
        // Fewer than were asked for: that room has no more.
        last_of.retain(|_, (count, _)| *count >= self.each_max);
        self.behind = last_of.into_iter().map(|(room, (_, last))| (room, last.clone())).collect();
        self.each_max = members_of_each(self.behind.len());
        self.parts.extend(parts);
        Ok(self.behind.is_empty())
    }

    /// Calls `ask` with the parameters of [`MEMBERS`](super::statements::MEMBERS).
    pub(super) fn with_params<T>(&self, ask: impl FnOnce(&[Param<'_>]) -> T) -> T {
        let rooms: Vec<Option<i64>> = self.behind.keys().copied().map(Some).collect();
        let behind: Vec<Option<&str>> =
            self.behind.values().map(|name| Some(name.as_str())).collect();
        let each_max = i64::try_from(self.each_max).unwrap_or(i64::MAX);
        ask(&[Param::Ints(&rooms), Param::Texts(&behind), Param::Int(each_max)])
    }

    /// All that was read.
    pub(super) fn into_parts(self) -> Vec<Part> {
        self.parts
    }
}
