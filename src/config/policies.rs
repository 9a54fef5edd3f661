//! The `[[room_policy]]` tables of the file, and the domain's policies that they become.

use std::time::Duration;

use super::fault::{ConfigFault, Origin};
use super::file::Entry;
use super::settings::{POLICY_SECTION, POLICY_SETTINGS};
use super::unknown;
use super::value::Value;
use super::values::{Assigned, Values, assign};
use crate::chat::model::name::UserName;
use crate::chat::model::policy::{
    Access, Creators, Policies, Policy, PresenceMode, Retention, RoomCallers, Rule,
};
use crate::chat::model::reply::Durability;

/// The most tables: a room's policy is looked for in their order.
const TABLES_MAX: usize = 1_000;
/// Characters of a pattern or a name that a complaint shows.
const SHOWN_CHARS: usize = 40;

/// The keys that a policy has from elsewhere if it does not set them.
const INHERITED: [(&str, &str); 7] = [
    ("durability", "durability"),
    ("keep_for", "rooms.keep_for"),
    ("keep_records", "rooms.keep_records"),
    ("keep_bytes", "rooms.keep_bytes"),
    ("create", "rooms.create"),
    ("mention_room", "rooms.mention_room"),
    ("message_bytes", "limits.message_bytes"),
];

/// One `[[room_policy]]` of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PolicyTable {
    /// Its name in complaints.
    pub(super) label: String,
    /// The settings that the table has.
    pub(super) values: Values,
}

impl PolicyTable {
    /// Reads the `number`th table, from 1. Adds to `faults` what is wrong with it.
    pub(super) fn read(
        number: usize,
        (origin, entries): &(Origin, Vec<Entry<'_>>),
        faults: &mut Vec<ConfigFault>,
    ) -> Self {
        let mut table = Self { label: label(number, entries), values: Values::new() };
        let has = |name: &str| entries.iter().any(|entry| entry.name == name);
        // All tables after the last that is allowed are too many; one complaint is enough.
        if number == TABLES_MAX + 1 {
            let what = format!("there may be {TABLES_MAX} of them");
            faults.push(table.fault(&what, Some(origin)));
        } else if number <= TABLES_MAX && !has("match") && !has("name") {
            let what = "has neither match nor name, so that no room could have it";
            faults.push(table.fault(what, Some(origin)));
        }
        for entry in entries {
            let unknown = |entry: &Entry<'_>| unknown::key(&entry.name, POLICY_SECTION);
            if let Err(fault) = assign(&mut table.values, POLICY_SETTINGS.iter(), entry, unknown) {
                faults.push(table.fault(&fault.what, fault.origin.as_ref()));
            }
        }
        table
    }

    /// What holds for its rooms: what it sets, and otherwise what holds `everywhere`.
    pub(super) fn effective(&self, everywhere: &Values) -> Values {
        let mut values = inherited(everywhere);
        values.extend(self.values.clone());
        values
    }

    pub(super) fn fault(&self, what: &str, origin: Option<&Origin>) -> ConfigFault {
        ConfigFault::new(format!("{}: {what}", self.label), origin)
    }
}

fn inherited(everywhere: &Values) -> Values {
    let assigned = |(key, from): (&'static str, &str)| Some((key, everywhere.get(from)?.clone()));
    INHERITED.into_iter().filter_map(assigned).collect()
}

/// The name of the `number`th table in complaints.
fn label(number: usize, entries: &[Entry<'_>]) -> String {
    let shown = |key: &str| {
        let text = entries.iter().find(|entry| entry.name == key)?.raw.text()?;
        // The label stands in front of every complaint: a long name would hide what follows.
        let text: String = text.chars().take(SHOWN_CHARS).collect();
        Some(format!(" ({key} = {text:?})"))
    };
    let what = shown("match").or_else(|| shown("name")).unwrap_or_default();
    format!("{POLICY_SECTION} {number}{what}")
}

/// The policies of all rooms.
pub(super) fn policies(everywhere: &Values, tables: &[PolicyTable]) -> Policies {
    let Policy { message_bytes: limit, .. } = policy(&inherited(everywhere));
    // The domain wants a bound only where it is lower than that of all rooms.
    let lower = |values: &Values| {
        let policy = policy(values);
        let message_bytes = policy.message_bytes.filter(|_| policy.message_bytes < limit);
        Policy { message_bytes, ..policy }
    };
    let rule = |table: &PolicyTable| {
        let name = |key| table.values.get(key)?.value.text().map(Into::into);
        let policy = lower(&table.effective(everywhere));
        Rule { name: name("name"), pattern: name("match"), policy }
    };
    let otherwise = lower(&inherited(everywhere));
    // Direct conversations are created by their first message, which `create` does not forbid.
    let direct = Policy { create: Creators::Anyone, ..otherwise };
    Policies { rules: tables.iter().map(rule).collect(), otherwise, direct }
}

/// The policy of these values, which were checked: the last arms stand for the words not named.
fn policy(values: &Values) -> Policy {
    let value = |key: &str| values.get(key).map(|Assigned { value, .. }| value);
    let word = |key| value(key).and_then(Value::text);
    let number = |key| value(key).and_then(Value::number);
    Policy {
        durability: match word("durability") {
            Some("disk") => Durability::Disk,
            Some("os") => Durability::Os,
            _ => Durability::Memory,
        },
        retention: Retention {
            age: number("keep_for").map(Duration::from_millis),
            records: number("keep_records"),
            bytes: number("keep_bytes"),
        },
        create: match value("create") {
            Some(Value::List(names)) => {
                Creators::Only(names.iter().filter_map(|name| UserName::parse(name).ok()).collect())
            }
            Some(Value::Text(word)) if word == "nobody" => Creators::Only(Vec::new()),
            _ => Creators::Anyone,
        },
        access: match word("access") {
            Some("invite") => Access::Invite,
            Some("private") => Access::Private,
            _ => Access::Open,
        },
        message_bytes: number("message_bytes").and_then(|bytes| usize::try_from(bytes).ok()),
        presence: match word("presence") {
            Some("count") => PresenceMode::Count,
            Some("off") => PresenceMode::Off,
            _ => PresenceMode::Names,
        },
        mention_room: match word("mention_room") {
            Some("anyone") => RoomCallers::Anyone,
            Some("moderators") => RoomCallers::Moderators,
            Some("nobody") => RoomCallers::Nobody,
            _ => RoomCallers::BySize,
        },
    }
}
