//! What is configured for rooms, in the domain's words.

use crate::chat::name::UserName;
use crate::chat::policy::{self, Policies, Policy, Rule};
use crate::chat::reply;
use crate::config::{Access, Config, Creators, Durability, PresenceMode, Retention, RoomPolicy};

/// The policies of all rooms.
pub(super) fn policies(config: &Config) -> Policies {
    let direct = Policy {
        durability: durability(config.durability),
        retention: retention(config.rooms.retention),
        ..Policy::default()
    };
    let otherwise = Policy { create: creators(&config.rooms.create), ..direct.clone() };
    let rules = config.room_policies.iter().map(|given| rule(config, given)).collect();
    Policies { rules, otherwise, direct }
}

fn rule(config: &Config, given: &RoomPolicy) -> Rule {
    let fewer = given.message_bytes < config.limits.message_bytes;
    Rule {
        name: given.name.as_deref().map(Into::into),
        pattern: given.pattern.as_deref().map(Into::into),
        policy: Policy {
            durability: durability(given.durability),
            retention: retention(given.retention),
            create: creators(&given.create),
            access: match given.access {
                Access::Open => policy::Access::Open,
                Access::Invite => policy::Access::Invite,
                Access::Private => policy::Access::Private,
            },
            message_bytes: fewer.then_some(given.message_bytes),
            presence: match given.presence {
                PresenceMode::Names => policy::PresenceMode::Names,
                PresenceMode::Count => policy::PresenceMode::Count,
                PresenceMode::Off => policy::PresenceMode::Off,
            },
        },
    }
}

const fn durability(given: Durability) -> reply::Durability {
    match given {
        Durability::Disk => reply::Durability::Disk,
        Durability::Os => reply::Durability::Os,
        Durability::Memory => reply::Durability::Memory,
    }
}

fn retention(given: Retention) -> policy::Retention {
    let Retention { age, records, bytes } = given;
    let bytes = bytes.map(|bytes| u64::try_from(bytes).unwrap_or(u64::MAX));
    policy::Retention { age, records, bytes }
}

fn creators(given: &Creators) -> policy::Creators {
    match given {
        Creators::Anyone => policy::Creators::Anyone,
        // The configuration has taken only what the domain takes; what it would not is nobody.
        Creators::Only(names) => policy::Creators::Only(
            names.iter().filter_map(|name| UserName::parse(name).ok()).collect(),
        ),
    }
}
