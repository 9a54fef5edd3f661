//! Reading the sources again while the server runs: whole or not at all.

use super::fault::{ConfigError, ConfigFault};
use super::load::{Change, Loaded, changes, config_of};
use super::policies::policies;
use super::settings::{KEY_SECTION, settings};
use super::values::{Assigned, Values};
use crate::chat::model::policy::{Policies, Policy, Rule};

/// The settings that take effect while the server runs; the others need a restart. Those of the
/// room policies do if no room's durability, retention or presence changes by it.
pub(super) const LIVE: &[&str] = &[
    "echo",
    "log_level",
    "accounts.registration",
    "accounts.guests",
    "accounts.invites",
    "http.hosts",
    "http.origins",
    "http.require_origin",
    "http.docs",
    "limits.rate_per_s",
    "limits.burst",
    "limits.user_per_s",
    "limits.user_burst",
    "limits.joins_per_s",
    "limits.joins_burst",
    "limits.pages_per_s",
    "limits.pages_burst",
    "limits.hellos_per_s",
    "limits.hellos_burst",
    "limits.control_per_s",
    "limits.control_burst",
    "limits.errors_in_a_row",
    "limits.rooms",
    "limits.sessions_per_user",
    "limits.users",
    "limits.rooms_total",
    "limits.idle_rooms",
    "limits.memberships",
    "limits.room_members",
    "limits.history_page",
    "limits.replay",
    "timeouts.head",
    "timeouts.hello",
    "timeouts.ping_after",
    "timeouts.pong",
    "timeouts.keep_alive",
    "timeouts.leave_grace",
    "timeouts.guest_membership",
    "timeouts.drain_window",
    "timeouts.stop",
    "timeouts.upgrade",
    "timeouts.presence_interval",
    "timeouts.receipts_interval",
    "rooms.open_join_creates",
    "rooms.edit_window",
    "rooms.create",
    "rooms.mention_room",
];

/// A setting that is another than the server runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its name: `section.key`, the bare key, `room_policy 1: key`, or `jwt.key` for the keys of
    /// tokens together, which are not shown.
    pub name: String,
    /// Its value so far, in TOML; `None`: there was none.
    pub from: Option<String>,
    /// Its value now, likewise.
    pub to: Option<String>,
    /// Whether it takes effect while the server runs.
    pub is_live: bool,
}

/// What was read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// What the server runs on from now: what takes effect is new, the rest as before.
    pub loaded: Loaded,
    /// What differs from what the server ran on, in the order of the default file.
    pub differences: Vec<Difference>,
}

impl Loaded {
    /// What becomes of a server that runs on this when its sources are read again and say what
    /// `fresh` does.
    ///
    /// # Errors
    ///
    /// If what takes effect at once would not fit what stays as it was. Nothing is to be changed
    /// then.
    pub fn reload(&self, fresh: &Self) -> Result<Reloaded, ConfigError> {
        let values = self.with_live(fresh);
        let would_be = policies(&values, &fresh.tables);
        let tables_are_live = keep_for_life(&would_be) == keep_for_life(&self.config.policies);
        let mut differences: Vec<_> = settings()
            .filter_map(|(name, _)| self.difference(name, &fresh.values, &values))
            .collect();
        differences.extend(of_tables(&self.policy_changes, &fresh.policy_changes, tables_are_live));
        if self.config.token_keys != fresh.config.token_keys {
            let (from, to) = (None, None);
            let name = KEY_SECTION.to_owned();
            differences.push(Difference { name, from, to, is_live: false });
        }
        let tables = if tables_are_live { fresh } else { self };
        let (tables, policy_changes) = (tables.tables.clone(), tables.policy_changes.clone());
        let kept = (self.config.token_keys.clone(), self.config.account.clone());
        // Judged as a whole again: settings that take effect now may conflict with some that wait
        // for a restart.
        let config = config_of(&values, &tables, kept).map_err(needs_restart)?;
        let changes = changes(settings(), &values, String::new()).collect();
        let loaded = Self { config, changes, policy_changes, values, tables, ..self.clone() };
        Ok(Reloaded { loaded, differences })
    }

    /// How a setting differs, if somebody has set it before or now: what only follows from others
    /// is not told beside these.
    fn difference(&self, name: &str, fresh: &Values, values: &Values) -> Option<Difference> {
        let (before, now) = (self.values.get(name)?, fresh.get(name)?);
        let is_another = before.value != now.value;
        (is_another && (before.origin.is_some() || now.origin.is_some())).then(|| Difference {
            name: name.to_owned(),
            from: Some(before.value.to_string()),
            to: Some(now.value.to_string()),
            is_live: values.get(name).is_some_and(|kept| kept.value == now.value),
        })
    }

    /// The values so far, with those of `fresh` that take effect while the server runs.
    fn with_live(&self, fresh: &Self) -> Values {
        let budget = |values: &Values| Some(values.get("memory")?.value.clone());
        let has_same_budget = budget(&self.values) == budget(&fresh.values);
        // What follows from another budget follows it at the restart.
        let takes_effect = |name: &str, assigned: &Assigned| {
            LIVE.contains(&name) && (has_same_budget || assigned.origin.is_some())
        };
        let mut values = self.values.clone();
        let live = fresh.values.iter().filter(|(name, assigned)| takes_effect(name, assigned));
        values.extend(live.map(|(name, assigned)| (*name, assigned.clone())));
        values
    }
}

/// What an existing room has from its policy for as long as the server runs.
fn keep_for_life(policies: &Policies) -> Vec<(Option<&str>, Option<&str>, Policy)> {
    let kept = |policy: &Policy| Policy {
        durability: policy.durability,
        retention: policy.retention,
        presence: policy.presence,
        // The rest of a policy is asked for each time, so that it may change while the server runs.
        ..Policy::default()
    };
    let rules = policies
        .rules
        .iter()
        .map(|Rule { name, pattern, policy }| (name.as_deref(), pattern.as_deref(), kept(policy)));
    let others = [&policies.otherwise, &policies.direct];
    rules.chain(others.map(|policy| (None, None, kept(policy)))).collect()
}

/// How what the room policies set differs.
fn of_tables(before: &[Change], now: &[Change], is_live: bool) -> Vec<Difference> {
    let value = |changes: &[Change], name: &str| {
        Some(changes.iter().find(|change| change.name == name)?.value.clone())
    };
    let gone = before.iter().filter(|change| value(now, &change.name).is_none());
    let names = now.iter().chain(gone).map(|change| change.name.clone());
    let differences = names.filter_map(|name| {
        let (from, to) = (value(before, &name), value(now, &name));
        (from != to).then_some(Difference { name, from, to, is_live })
    });
    differences.collect()
}

/// Two right configurations whose parts do not fit together.
fn needs_restart(ConfigError(mut faults): ConfigError) -> ConfigError {
    let what = "the file is right by itself, but some of it needs a restart, and the rest does not \
                fit what the server runs on: restart it";
    faults.push(ConfigFault::new(what, None));
    ConfigError(faults)
}
