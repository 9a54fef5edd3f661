//! Edits and deletions: what a message must look like to whoever has, or could have, seen that it
//! was changed.

use std::collections::{BTreeMap, BTreeSet};

use chinwag::chat::model::record::{Body, Record};
use serde_json::Value;

use super::{Check, History, LogKey, number, text};

/// What was asked to be changed, by room and target, in whatever epoch.
#[derive(Debug, Default)]
pub(super) struct Requested {
    edits: BTreeMap<(String, u64), BTreeSet<String>>,
    deletions: BTreeSet<(String, u64)>,
}

/// What was seen to be changed in a log, by target.
#[derive(Debug, Default)]
pub(super) struct Changes {
    edits: BTreeMap<u64, BTreeMap<u64, String>>,
    deletions: BTreeMap<u64, u64>,
}

/// The words that stand for a deletion: each is there once.
pub(crate) fn deletion(room: &str, target: u64) -> String {
    format!("deletion of {target} in {room}")
}

impl History {
    /// A client is about to change its message, or to delete it.
    pub(crate) fn ask_change(&mut self, room: &str, target: u64, new: Option<&str>) {
        let named = (room.to_owned(), target);
        match new {
            Some(new) => _ = self.requested.edits.entry(named).or_default().insert(new.to_owned()),
            None => _ = self.requested.deletions.insert(named),
        }
    }

    /// Somebody sees a change, or is answered that it was made.
    pub(crate) fn note_change(&mut self, key: LogKey, seq: u64, target: u64, new: Option<&str>) {
        let changes = &mut self.logs[key.0].changes;
        match new {
            Some(new) => {
                _ = changes.edits.entry(target).or_default().insert(seq, new.to_owned());
            }
            None => _ = changes.deletions.insert(target, seq),
        }
    }

    /// Whether `item` is an edited or deleted form, and then one that is right for a reader who
    /// could know all up to `upto`. `false` if it is the original text.
    pub(super) fn check_form(&self, key: LogKey, item: &Value, upto: u64) -> Check<bool> {
        let log = &self.logs[key.0];
        let (kind, seq) = (text(item, "ev")?, number(item, "seq")?);
        let about = match kind {
            "message" => seq,
            "edit" => number(item, "target")?,
            _ => return Ok(false),
        };
        if item.get("deleted").is_some() {
            let named = (log.room.clone(), about);
            let edits = self.requested.edits.get(&named).map_or(0, BTreeSet::len);
            let forgets = self.rules.forgetful.is_some_and(|(room, _)| room == log.room);
            // The text of an edit goes with the next edit, and with the message.
            let has_gone = kind == "edit" && (edits > 1 || forgets || !log.is_stored);
            let is_asked = has_gone || self.requested.deletions.contains(&named);
            let is_empty = item.get("text").is_none() && item.get("cid").is_none();
            return (is_asked && is_empty).then_some(true).ok_or_else(|| {
                format!("{item} is deleted, which nobody has asked for, or not erased")
            });
        }
        if log.changes.deletions.get(&about).is_some_and(|&at| at <= upto) {
            return Err(format!("{item} is shown, though it was deleted at or before {upto}"));
        }
        if kind == "edit" {
            let edits = log.changes.edits.get(&about);
            let next = edits.and_then(|edits| edits.range(seq + 1..).next());
            return match next.filter(|(at, _)| **at <= upto) {
                Some((at, _)) => Err(format!("{item} has a text, though {at} has replaced it")),
                None => Ok(false),
            };
        }
        self.check_edited(key, item, (seq, upto))
    }

    fn check_edited(&self, key: LogKey, item: &Value, (seq, upto): (u64, u64)) -> Check<bool> {
        let log = &self.logs[key.0];
        let none = BTreeMap::new();
        let edits = log.changes.edits.get(&seq).unwrap_or(&none);
        let due = edits.range(..=upto).next_back();
        if item.get("edited").is_none() {
            return match due {
                Some((at, _)) => Err(format!("{item} is shown as it was before the edit {at}")),
                None => Ok(false),
            };
        }
        let shown = text(item, "text")?;
        let requested = self.requested.edits.get(&(log.room.clone(), seq));
        if !requested.is_some_and(|requested| requested.contains(shown)) {
            return Err(format!("{item} shows what it was never changed to"));
        }
        let known = edits.iter().find(|(_, new)| *new == shown).map(|(at, _)| *at);
        match (due, known) {
            (Some((due, _)), Some(known)) if known < *due => {
                Err(format!("{item} is the edit {known}, not {due}"))
            }
            _ => Ok(true),
        }
    }

    /// Whether somebody has asked for the deletion of a message.
    pub(super) fn is_to_be_deleted(&self, room: &str, seq: u64) -> bool {
        self.requested.deletions.contains(&(room.to_owned(), seq))
    }

    /// The highest seq that anybody has seen of each log.
    pub(super) fn heads(&self) -> BTreeMap<LogKey, u64> {
        let heads = self.logs.iter().enumerate();
        let head = |(place, log): (usize, &super::Log)| {
            Some((LogKey(place), *log.records.last_key_value()?.0))
        };
        heads.filter_map(head).collect()
    }
}

impl Changes {
    /// Whether the record that is kept at `seq` shows the changes that were seen.
    pub(super) fn check_kept(&self, seq: u64, kept: &Record) -> Check {
        let is_right = match &kept.body {
            Body::Message { edited, .. } => {
                !self.deletions.contains_key(&seq)
                    && edited.is_some() >= self.edits.contains_key(&seq)
            }
            Body::Edit { target, text } => text.is_none() >= self.deletions.contains_key(target),
            _ => true,
        };
        is_right.then_some(()).ok_or_else(|| format!("{kept:?} was changed, and is not"))
    }
}
