//! The tables of the file that say what holds for some rooms.

use std::collections::BTreeMap;

use super::Config;
use super::fault::{Fault, Origin};
use super::load::{Entry, unknown};
use super::rooms::{Access, PresenceMode, RoomPolicy};
use super::setting::{Each, Key, Section};

/// What the tables are called.
pub(super) const SECTION: &str = "room_policy";
/// The most tables: a room's policy is looked for in their order.
const TABLES_MAX: usize = 1_000;
/// Characters of a pattern or a name that a complaint shows.
const SHOWN_CHARS: usize = 40;

/// One `[[room_policy]]` of the file.
#[derive(Debug)]
pub(super) struct Table {
    /// Its place among them, from 1.
    pub(super) number: usize,
    /// Its first line.
    pub(super) origin: Origin,
    /// What stands in it.
    pub(super) entries: Vec<Entry>,
}

impl Table {
    /// The policy, where `config` says what holds for all other rooms. Notes who set what, and what is wrong.
    pub(super) fn read(
        &self,
        config: &Config,
        origins: &mut BTreeMap<Key, Origin>,
        faults: &mut Vec<Fault>,
    ) -> RoomPolicy {
        let mut policy = as_everywhere(config);
        for entry in &self.entries {
            let mut fault = Some(unknown(&entry.name, SECTION, &keys(config)));
            let mut origin = &entry.name_origin;
            policy.visit(Section::of_table(SECTION, self.number, &mut |key, setting| {
                if key.name != entry.name {
                    return;
                }
                origin = &entry.value_origin;
                fault = setting.set(&entry.given).err();
                match &mut fault {
                    Some(what) => *what = format!("{} = {}: {what}", key.name, entry.given),
                    None => _ = origins.insert(key, origin.clone()),
                }
            }));
            faults.extend(fault.map(|what| self.fault(&what, origin)));
        }
        policy
    }

    /// What is wrong with the table as a whole.
    pub(super) fn whole(&self) -> Option<Fault> {
        if self.number > TABLES_MAX {
            let what = format!("there may be {TABLES_MAX} of them");
            // One complaint is enough for all that are too many.
            return (self.number == TABLES_MAX + 1).then(|| self.fault(&what, &self.origin));
        }
        let has = |name: &str| self.entries.iter().any(|entry| entry.name == name);
        let what = "has neither match nor name, so that no room could have it";
        (!has("match") && !has("name")).then(|| self.fault(what, &self.origin))
    }

    fn fault(&self, what: &str, origin: &Origin) -> Fault {
        let text = |name: &str| {
            let entry = self.entries.iter().find(|entry| entry.name == name)?;
            entry.given.text()
        };
        let label = label(self.number, text("match"), text("name"));
        Fault { what: format!("{label}: {what}"), origin: Some(origin.clone()) }
    }
}

/// How a policy is called in complaints.
pub(super) fn label(number: usize, pattern: Option<&str>, name: Option<&str>) -> String {
    let shown = |key: &str, text: &str| {
        let text: String = text.chars().take(SHOWN_CHARS).collect();
        format!("{SECTION} {number} ({key} = {text:?})")
    };
    match (pattern, name) {
        (Some(pattern), _) => shown("match", pattern),
        (None, Some(name)) => shown("name", name),
        (None, None) => format!("{SECTION} {number}"),
    }
}

/// What holds for rooms that no policy matches, as a policy.
fn as_everywhere(config: &Config) -> RoomPolicy {
    RoomPolicy {
        pattern: None,
        name: None,
        durability: config.durability,
        retention: config.rooms.retention,
        create: config.rooms.create.clone(),
        access: Access::Open,
        message_bytes: config.limits.message_bytes,
        presence: PresenceMode::Names,
    }
}

/// Every key of every source: those of the tables last.
pub(super) fn keys(config: &Config) -> Vec<Key> {
    let mut list: Vec<_> = config.settings().into_iter().map(|(key, _)| key).collect();
    as_everywhere(config)
        .visit(Section::of_table(SECTION, 1, &mut |key, _| list.push(Key { table: None, ..key })));
    list
}

/// Hands every setting of the policies to `each`, whether it was set or not.
pub(super) fn visit(policies: &mut [RoomPolicy], each: &mut Each<'_>) {
    for (number, policy) in (1..).zip(policies) {
        policy.visit(Section::of_table(SECTION, number, each));
    }
}
