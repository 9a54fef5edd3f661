//! The bounds of the layers below, as they are configured.

use super::engine;
use crate::chat::Limits;
use crate::chat::model::limits::UserRates;
use crate::chat::model::policy::Policies;
use crate::chat::model::reply::Durability;
use crate::cluster::check::Level;
use crate::config::Config;
use crate::store::Preload;
use crate::time::millis;
use crate::time::rate::Rate;

/// Whoever turns the rate of a connection off wants none for users either.
fn user_rates(limits: &crate::config::Limits) -> UserRates {
    let rate = |per_s: Option<u32>, burst| Rate::new(limits.rate_per_s.and(per_s), burst);
    UserRates {
        messages: rate(limits.user_per_s, limits.user_burst),
        joins: rate(limits.joins_per_s, limits.joins_burst),
        readings: rate(limits.pages_per_s, limits.pages_burst),
    }
}

pub(super) fn drain_window_ms(config: &Config) -> u64 {
    millis(config.timeouts.drain_window)
}

/// What is in memory from the start: as many rooms as stay there though nobody uses them, and so
/// many of their users and memberships that as many others fit. With a budget of memory these
/// bounds follow from it.
pub(super) const fn preload(config: &Config) -> Preload {
    let limits = &config.limits;
    Preload { rooms: limits.idle_rooms, users: limits.users / 2, members: limits.memberships / 2 }
}

/// Whether there may be rooms whose records outlive the process.
pub(super) fn has_stored_rooms(config: &Config) -> bool {
    let Policies { rules, otherwise, direct } = &config.policies;
    let rules = rules.iter().map(|rule| &rule.policy);
    rules.chain([otherwise, direct]).any(|policy| policy.durability != Durability::Memory)
}

/// Whether there is a place for files: beside the database of this server's own, or in a folder
/// that nodes share.
fn keeps_files(config: &Config) -> bool {
    if config.cluster.engine.is_some() {
        return config.files.dir.is_some();
    }
    has_stored_rooms(config)
}

/// The policies of rooms. What nodes share is kept as the engine keeps it, whatever the room.
fn policies(config: &Config) -> Policies {
    let mut policies = config.policies.clone();
    if config.cluster.engine.is_some() {
        let is_replicated = engine::level(config) == Level::Replicated;
        let durability = if is_replicated { Durability::Replicated } else { Durability::Disk };
        let rules = policies.rules.iter_mut().map(|rule| &mut rule.policy);
        for policy in rules.chain([&mut policies.otherwise, &mut policies.direct]) {
            policy.durability = durability;
        }
    }
    policies
}

/// The domain's bounds as they are configured.
pub(super) fn limits(config: &Config) -> Limits {
    let limits = &config.limits;
    let timeouts = &config.timeouts;
    Limits {
        message_bytes: limits.message_bytes,
        rooms_per_user: limits.rooms,
        sessions_per_user: limits.sessions_per_user,
        members_per_room: limits.room_members,
        users: limits.users,
        rooms: limits.rooms_total,
        idle_rooms: limits.idle_rooms,
        memberships: limits.memberships,
        history_page: limits.history_page,
        replay: u64::try_from(limits.replay).unwrap_or(u64::MAX),
        ring_records: limits.ring_records,
        ring_bytes: limits.ring_bytes,
        ring_total_bytes: limits.ring_total_bytes,
        outbound_soft: limits.outbound_soft_bytes,
        outbound_total: limits.outbound_total_bytes,
        user_rates: user_rates(limits),
        rate_per_s: limits.rate_per_s,
        burst: limits.burst,
        read_ahead: limits.read_ahead,
        ping_after: timeouts.ping_after,
        leave_grace: timeouts.leave_grace,
        guest_membership: timeouts.guest_membership,
        presence_interval: timeouts.presence_interval,
        receipts_interval: timeouts.receipts_interval,
        open_join_creates: config.rooms.open_join_creates,
        edit_window: config.rooms.edit_window,
        policies: policies(config),
        // Where nothing is stored, nothing could refer to one for long.
        file_bytes: (config.files.enabled && keeps_files(config)).then_some(config.files.bytes),
        auth: config.auth_policy(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::model::policy::{Policies, Policy};

    #[test]
    fn what_nodes_share_is_said_to_be_as_durable_as_its_engine_has_to_make_it() {
        let mut config = Config::default();
        let memory = Policy { durability: Durability::Memory, ..Policy::default() };
        config.policies = Policies::uniform(memory);
        assert_eq!(limits(&config).policies.otherwise.durability.name(), "memory");
        config.cluster.engine = Some("postgres://chat@db1/chat".parse().unwrap());
        for (level, expect) in [("replicated", "replicated"), ("disk", "disk")] {
            config.cluster.level = level.into();
            let Policies { otherwise, direct, .. } = limits(&config).policies;
            assert_eq!([otherwise, direct].map(|policy| policy.durability.name()), [expect; 2]);
        }
    }
}
