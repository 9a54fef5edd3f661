//! The names of the room that gets others: which it was given for sure, and which it may have.

use std::collections::{BTreeMap, BTreeSet};

use chinwag::chat::model::record::Body;
use serde_json::Value;

use super::{Check, History, text};
use crate::plan::RENAMED_ROOM;
use crate::store::Durable;

/// What is known of the room's names.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// The room is there.
    pub(crate) is_made: bool,
    /// Who has asked to make it, and may own it.
    makers: BTreeSet<String>,
    /// What it was asked to be called, by whom.
    asked: BTreeSet<(String, String)>,
    /// Names that it has or had, as somebody was told.
    given: Vec<String>,
}

impl Names {
    /// Somebody asks to make it.
    pub(crate) fn ask_to_make(&mut self, user: &str) {
        self.makers.insert(user.to_owned());
    }

    /// It is there.
    pub(crate) fn on_made(&mut self) {
        self.is_made = true;
        self.give(RENAMED_ROOM);
    }

    pub(crate) fn may_own(&self, user: &str) -> bool {
        self.makers.contains(user)
    }

    /// Somebody asks to call it so.
    pub(crate) fn ask(&mut self, name: &str, user: &str) {
        self.asked.insert((name.to_owned(), user.to_owned()));
    }

    /// Somebody was told that it is called so.
    pub(crate) fn give(&mut self, name: &str) {
        if !self.given.iter().any(|given| given == name) {
            self.given.push(name.to_owned());
        }
    }

    /// Names that lead to it.
    pub(crate) fn given(&self) -> &[String] {
        &self.given
    }

    /// Whether this is a name that it may have.
    pub(crate) fn is_one(&self, name: &str) -> bool {
        name == RENAMED_ROOM || self.asked.iter().any(|(asked, _)| asked == name)
    }

    /// Somebody is shown the record of another name.
    pub(super) fn check_record(&mut self, item: &Value) -> Check {
        let (name, from) = (text(item, "name")?, text(item, "from")?);
        let is_back = name == RENAMED_ROOM && self.may_own(from);
        if !is_back && !self.asked.contains(&(name.to_owned(), from.to_owned())) {
            return Err(format!("{from} has not asked for the name {name}"));
        }
        self.give(name);
        Ok(())
    }
}

impl History {
    /// It is one room by all its names, and each was the name behind the one before.
    pub(crate) fn check_names(&self, durable: &Durable) -> Check {
        let epochs = self.by_name.get(RENAMED_ROOM).map_or(0, BTreeMap::len);
        if epochs > 1 {
            return Err(format!("{RENAMED_ROOM} is {epochs} rooms"));
        }
        let mut rooms = durable.rooms.iter();
        let Some((key, room)) = rooms.find(|(key, _)| key.as_str() == RENAMED_ROOM) else {
            return Ok(());
        };
        let mut present = key.clone();
        for record in room.records.values() {
            if let Body::Rename { name, was } = &record.body {
                if *was != present {
                    return Err(format!("{} was called {present}, and not {was}", record.seq));
                }
                present = name.clone();
            }
        }
        let name = durable.name(key);
        (present == name).then_some(()).ok_or_else(|| format!("it is {name}, and not {present}"))
    }
}
