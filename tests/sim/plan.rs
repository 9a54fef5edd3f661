//! What kind of world a seed makes: the server's bounds, and how good people and networks are.

use std::time::Duration;

use chinwag::chat::model::policy::{Access, Policies, Policy, Retention, Rule};
use chinwag::chat::model::reply::Durability;
use chinwag::config::Config;
use chinwag::rng::Rng;
use chinwag::time::Tick;

use crate::history::Rules;
use crate::reactor;
use crate::store::{EngineConfig, StoreConfig};

/// Rooms that anybody may join.
const ROOMS: &[&str] = &["lobby", "tea", "dev/rust", "ops"];
/// Users that clients are; some have several clients.
const USERS: &[&str] = &["ann", "bob", "cat", "dan", "eve", "fay", "gus"];
/// The room that lives in memory, also where others are stored.
const EPHEMERAL: &str = "ops";
/// The room that keeps only so many records, in some worlds.
const FORGETFUL: &str = "dev/rust";
const KEPT_RECORDS: u64 = 40;
/// The room that is made with an owner, and entered by invitation.
pub(crate) const MODERATED_ROOM: &str = "den";
/// The room that is made with an owner, and given other names.
pub(crate) const RENAMED_ROOM: &str = "wander";
/// Users that are written to, and never come.
const ABSENT: &[&str] = &["nobody-1", "nobody-2"];

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) config: Config,
    pub(crate) reactor: reactor::Config,
    pub(crate) rooms: &'static [&'static str],
    /// Bytes that lie between the server's ring and a client.
    pub(crate) down_max: usize,
    /// A client does something once in so many steps.
    pub(crate) pace: u64,
    /// A connection goes bad once in so many steps.
    pub(crate) trouble: u64,
    pub(crate) message_bytes: usize,
    pub(crate) rate_limited: bool,
    /// The clock jumps once in so many steps.
    pub(crate) jump: u64,
    /// How the store behaves, `None` if all rooms are in memory.
    pub(crate) store: Option<StoreConfig>,
    /// The process dies once in so many steps, and is started again.
    pub(crate) crash: Option<u64>,
    /// It is stopped in good order once in so many steps, and started again.
    pub(crate) restart: Option<u64>,
    /// Another process takes its place once in so many steps, without a disconnect.
    pub(crate) upgrade: Option<u64>,
    /// When the server is told to stop.
    pub(crate) drain_at: Option<Tick>,
    /// How many nodes there are, which share what is stored.
    pub(crate) nodes: usize,
}

impl Plan {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        let mut config = Config::default();
        let limits = &mut config.limits;
        let rate_limited = rng.once_in(4);
        if !rate_limited {
            limits.rate_per_s = None;
        }
        // Small bounds, which are met often, or those that run when nothing is set.
        if !rng.once_in(4) {
            limits.message_bytes = 1_024;
            limits.ring_records = *rng.pick(&[8, 64, 256]);
            limits.ring_bytes = *rng.pick(&[4 << 10, 64 << 10]);
            limits.outbound_soft_bytes = *rng.pick(&[4 << 10, 16 << 10]);
            limits.outbound_hard_bytes = 2 * limits.outbound_soft_bytes + (64 << 10);
            limits.replay = *rng.pick(&[20, 10_000]);
            limits.history_page = 20;
        }
        if rng.once_in(3) {
            limits.outbound_total_bytes = Some(*rng.pick(&[16 << 10, 64 << 10]));
            limits.inbound_total_bytes = Some(1 << 20);
        }
        let reactor = reactor::Config {
            tells_waiting: limits.outbound_total_bytes.is_some(),
            outbound_max: limits.outbound_hard_bytes,
            stall: config.timeouts.stall,
            close: config.timeouts.close,
            bulk_min: *rng.pick(&[3, 65]),
            bulk_per_turn: 2 + rng.index(6),
        };
        let store = (!rng.once_in(4)).then(|| Self::some_store(rng));
        // Rooms that nobody uses are forgotten at once, or nearly never.
        config.limits.idle_rooms = *rng.pick(&[0, 0, 1, 1_000]);
        let crash = *rng.pick(&[None, Some(150), Some(400), Some(400)]);
        let restart = *rng.pick(&[None, None, Some(700)]);
        let upgrade = *rng.pick(&[None, Some(40), Some(300)]);
        set_policies(&mut config, store.is_some(), rng);
        Self {
            reactor,
            rooms: ROOMS,
            down_max: *rng.pick(&[1 << 10, 8 << 10, 64 << 10]),
            pace: 1 + rng.below(12),
            trouble: *rng.pick(&[100, 400, 2_000]),
            message_bytes: config.limits.message_bytes,
            rate_limited,
            jump: 600,
            store,
            crash,
            restart,
            upgrade,
            drain_at: None,
            nodes: 1,
            config,
        }
    }

    /// A world of several nodes.
    pub(crate) fn of_nodes(rng: &mut Rng) -> Self {
        let mut plan = Self::new(rng);
        plan.nodes = 2 + rng.index(2);
        plan.store.get_or_insert_with(|| Self::some_store(rng));
        let os = *rng.pick(&[Durability::Disk, Durability::Os]);
        let policy = |durability, access| Policy { durability, access, ..Policy::default() };
        plan.config.policies = Policies::uniform(policy(Durability::Disk, Access::Open));
        for (room, durability, access) in [
            (MODERATED_ROOM, Durability::Disk, Access::Private),
            ("tea", os, Access::Open),
            (EPHEMERAL, Durability::Memory, Access::Open),
        ] {
            let policy = policy(durability, access);
            let rule = Rule { pattern: Some(room.into()), name: None, policy };
            plan.config.policies.rules.push(rule);
        }
        (plan.crash, plan.restart, plan.upgrade) = (rng.once_in(2).then_some(300), None, None);
        plan
    }

    /// An engine that several nodes share.
    pub(crate) fn some_engine(rng: &mut Rng) -> EngineConfig {
        EngineConfig {
            delays: *rng.pick(&[[0, 0, 0], [0, 2, 1], [2, 6, 3]]),
            read_delay: *rng.pick(&[0, 2, 8]),
            wake_delay: *rng.pick(&[0, 2, 12]),
            lost_wake: *rng.pick(&[u64::MAX, 3, 20]),
            deaf: *rng.pick(&[u64::MAX, 400]),
            away: *rng.pick(&[u64::MAX, 300]),
            promote: *rng.pick(&[u64::MAX, 200, 400]),
        }
    }

    /// A store that is fast or slow, and sometimes in trouble.
    fn some_store(rng: &mut Rng) -> StoreConfig {
        let delays = *rng.pick(&[[0, 0, 0], [0, 2, 1], [3, 6, 3], [1, 20, 10]]);
        StoreConfig {
            delays,
            read_delay: *rng.pick(&[0, 2, 12]),
            trouble: *rng.pick(&[u64::MAX, 300, 1_000]),
            trouble_lasts: *rng.pick(&[5, 60]),
            prune: *rng.pick(&[10, 100]),
            at_once: *rng.pick(&[1, 2, 20, u64::MAX]),
            coalesces: rng.once_in(2),
        }
    }

    /// The bounds by which the checker judges.
    pub(crate) fn rules(&self) -> Rules {
        let wide = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let limits = &self.config.limits;
        let forgetful = self.config.policies.rules.iter().find_map(|rule| {
            let kept = rule.policy.retention.records?;
            (rule.pattern.as_deref() == Some(FORGETFUL)).then_some((FORGETFUL, kept))
        });
        Rules {
            ring_records: wide(limits.ring_records),
            ring_bytes: wide(limits.ring_bytes),
            // What is in the memory of one node the others would not have.
            ephemeral: self.store.map(|_| if self.nodes == 1 { EPHEMERAL } else { "" }),
            forgetful,
        }
    }

    /// The name of a client.
    pub(crate) fn user(nth: usize) -> String {
        USERS[nth % USERS.len()].to_owned()
    }

    /// The names of all clients.
    pub(crate) const fn users() -> &'static [&'static str] {
        USERS
    }

    /// Somebody to write to.
    pub(crate) fn some_user(rng: &mut Rng) -> String {
        let all = if rng.once_in(12) { ABSENT } else { USERS };
        (*rng.pick(all)).to_owned()
    }

    /// Whether the server was told to stop.
    pub(crate) fn drains(&self, now: Tick) -> bool {
        self.drain_at.is_some_and(|at| at <= now)
    }

    /// Whether a request may be refused with this code, and is right later.
    pub(crate) fn may_refuse(&self, code: u64, now: Tick) -> bool {
        match code {
            // A long answer, while the budget for what waits is used up.
            5004 if self.reactor.tells_waiting => true,
            5004 | 5005 => self.store.is_some(),
            5006 => self.drains(now),
            _ => false,
        }
    }

    /// How long a step takes.
    pub(crate) fn pause(rng: &mut Rng) -> Duration {
        let span = *rng.pick(&[2, 20, 200]);
        Duration::from_millis(1 + rng.below(span))
    }
}

/// What the rooms outlive: nothing, if there is no store; otherwise some do not, and one forgets
/// early. One has an owner, and is entered by invitation.
fn set_policies(config: &mut Config, is_stored: bool, rng: &mut Rng) {
    let durability = if is_stored {
        *rng.pick(&[Durability::Disk, Durability::Disk, Durability::Os])
    } else {
        Durability::Memory
    };
    config.policies = Policies::uniform(Policy { durability, ..Policy::default() });
    let mut policy = |room: &str, durability, records, access| {
        let retention = Retention { records, ..Retention::default() };
        let policy = Policy { durability, retention, access, ..Policy::default() };
        config.policies.rules.push(Rule { pattern: Some(room.into()), name: None, policy });
    };
    policy(MODERATED_ROOM, durability, None, Access::Private);
    if is_stored {
        policy(EPHEMERAL, Durability::Memory, None, Access::Open);
        if rng.once_in(2) {
            policy(FORGETFUL, Durability::Os, Some(KEPT_RECORDS), Access::Open);
        }
    }
}
