//! What is configured for rooms, in the domain's words.

use crate::chat::model::name::UserName;
use crate::chat::model::policy::{self, Policies, Policy, Rule};
use crate::chat::model::reply;
use crate::config::{Access, Config, Creators, Durability, PresenceMode, Retention, RoomPolicy};

/// The policies of all rooms.
pub(super) fn policies(config: &Config) -> Policies {
    let direct = Policy {
        durability: durability(config.durability),
        retention: retention(config.rooms.retention),
        ..Policy::default()
    };
    let otherwise = Policy { create: creators(&config.rooms.create), ..direct };
    let rules = config.room_policies.iter().map(|given| rule(config, given)).collect();
    Policies { rules, otherwise, direct }
}

/// Whether there are rooms whose records outlive the process.
pub(super) fn stores(config: &Config) -> bool {
    let mut levels = config.room_policies.iter().map(|given| given.durability);
    config.durability != Durability::Memory || levels.any(|level| level != Durability::Memory)
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::chat::model::name::RoomName;
    use crate::config::{self, Environment, Flags};

    fn load(toml: &str) -> Result<Config, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), toml).unwrap();
        let flags = Flags { config: Some(file.path().to_owned()), settings: Vec::new() };
        let loaded = config::load(&flags, &Environment::default());
        loaded.map(|loaded| loaded.config).map_err(|faults| faults.to_string())
    }

    #[test]
    fn what_is_configured_holds_for_the_rooms_that_it_names() {
        let config = load(
            "durability = \"os\"\n\
             [rooms]\nkeep_for = \"1d\"\ncreate = \"nobody\"\n\
             [[room_policy]]\nmatch = \"tmp/*\"\ndurability = \"memory\"\nmessage_bytes = 100\n\
             create = [\"ann\"]\nkeep_bytes = 1000\nkeep_records = 9\npresence = \"off\"\n\
             [[room_policy]]\nname = \"secret\"\naccess = \"private\"\ncreate = \"anyone\"\n",
        );
        let policies = policies(&config.unwrap());
        let room = |name: &str| RoomName::parse(name).unwrap();
        let day = policy::Retention { age: Some(Duration::from_hours(24)), ..Default::default() };
        let direct = Policy {
            durability: reply::Durability::Os,
            retention: day,
            create: policy::Creators::Anyone,
            access: policy::Access::Open,
            message_bytes: None,
            presence: policy::PresenceMode::Names,
        };
        let lobby = Policy { create: policy::Creators::Only(Vec::new()), ..direct };
        let ann = UserName::parse("ann").unwrap();
        let tmp = Policy {
            durability: reply::Durability::Memory,
            retention: policy::Retention { records: Some(9), bytes: Some(1000), ..day },
            create: policy::Creators::Only(vec![ann]),
            message_bytes: Some(100),
            presence: policy::PresenceMode::Off,
            ..direct
        };
        let secret = Policy { access: policy::Access::Private, ..direct.clone() };
        assert_eq!(*policies.of(&room("lobby"), None), lobby);
        assert_eq!(*policies.of(&room("tmp/a"), None), tmp);
        assert_eq!(*policies.of(&room("tmp/a"), Some("secret")), secret);
        assert_eq!(*policies.of(&room("@ann:bob"), None), direct);
    }

    proptest! {
        #[test]
        fn a_name_is_one_for_the_configuration_if_it_is_one_for_the_domain(
            name in "[a-zA-Z0-9._/ äÄßé\u{301}ﬁ名*@-]{0,4}|a{30,34}|\\PC{0,3}",
        ) {
            let quoted = toml::Value::from(name.as_str()).to_string();
            let config = load(&format!("[rooms]\ncreate = [{quoted}]"));
            prop_assert_eq!(config.is_ok(), UserName::parse(&name).is_ok(), "{}", name);
            let config = load(&format!("[[room_policy]]\nmatch = {quoted}"));
            let room = !name.starts_with('@') && RoomName::parse(&name).is_ok();
            prop_assert_eq!(config.is_ok(), room || is_starred(&name), "{}", name);
            if let Ok(config) = config {
                let matches = |rule: &Rule| rule.matches(&name.replace('*', "x"));
                prop_assert!(policies(&config).rules.iter().any(matches), "{}", name);
            }
        }
    }

    /// Whether this is a room's name with stars for some of it.
    fn is_starred(name: &str) -> bool {
        name.contains('*') && RoomName::parse(&name.replace('*', "x")).is_ok()
    }
}
