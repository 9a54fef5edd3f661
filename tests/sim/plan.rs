//! What kind of world a seed makes: the server's bounds, and how good people and networks are.

use std::time::Duration;

use chinwag::config::{Config, Durability};
use chinwag::time::Tick;

use crate::hist::Rules;
use crate::reactor;
use crate::rng::Rng;

/// Rooms that anybody may join.
const ROOMS: &[&str] = &["lobby", "tea", "dev/rust", "ops"];
/// Users that clients are; some have several clients.
const USERS: &[&str] = &["ann", "bob", "cat", "dan", "eve", "fay", "gus"];
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
    /// When the server is told to stop.
    pub(crate) drain_at: Option<Tick>,
}

impl Plan {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        let mut config = Config { durability: Durability::Memory, ..Config::default() };
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
        let reactor = reactor::Config {
            outbound_max: limits.outbound_hard_bytes,
            stall: config.timeouts.stall,
            close: config.timeouts.close,
            bulk_min: *rng.pick(&[3, 65]),
            bulk_per_turn: 2 + rng.index(6),
        };
        Self {
            reactor,
            rooms: ROOMS,
            down_max: *rng.pick(&[1 << 10, 8 << 10, 64 << 10]),
            pace: 1 + rng.below(12),
            trouble: *rng.pick(&[100, 400, 2_000]),
            message_bytes: config.limits.message_bytes,
            rate_limited,
            jump: 600,
            drain_at: None,
            config,
        }
    }

    /// The bounds by which the checker judges.
    pub(crate) fn rules(&self) -> Rules {
        let wide = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let limits = &self.config.limits;
        Rules { ring_records: wide(limits.ring_records), ring_bytes: wide(limits.ring_bytes) }
    }

    /// The name of a client.
    pub(crate) fn user(nth: usize) -> String {
        USERS[nth % USERS.len()].to_owned()
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

    /// How long a step takes.
    pub(crate) fn pause(rng: &mut Rng) -> Duration {
        let span = *rng.pick(&[2, 20, 200]);
        Duration::from_millis(1 + rng.below(span))
    }
}
