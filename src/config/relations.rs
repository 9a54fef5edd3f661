//! What must hold between settings that are each right by themselves.

use std::net::SocketAddr;

use super::Config;
use super::kind::render_span;
use super::names::covers;
use super::policies::{SECTION, label};
use super::rooms::RoomPolicy;
use super::setting::Key;

/// Two or more settings that do not fit together.
pub(super) struct Conflict {
    /// The settings, the first of them being the one to change.
    pub(super) keys: Vec<Key>,
    /// A sentence that names them, their values and what must hold.
    pub(super) what: String,
}

/// Everything that does not fit together.
pub(super) fn conflicts(config: &Config) -> Vec<Conflict> {
    let mut list = Vec::new();
    listeners(config, &mut list);
    bytes(config, &mut list);
    counts(config, &mut list);
    times(config, &mut list);
    kept(config, &mut list);
    for (at, policy) in config.room_policies.iter().enumerate() {
        let earlier = config.room_policies.get(..at).unwrap_or_default();
        room_policy(config, earlier, policy, &mut list);
    }
    list
}

fn listeners(config: &Config, list: &mut Vec<Conflict>) {
    let all = [("listen", Some(config.listen)), ("tcp", config.tcp), ("admin", config.admin)];
    for (at, (name, address)) in all.iter().enumerate() {
        for (earlier, other) in all.iter().take(at) {
            let (Some(address), Some(other)) = (address, other) else { continue };
            if collide(*address, *other) {
                let keys = vec![key("", name), key("", earlier)];
                let what = format!(
                    "{earlier} = \"{other}\" and {name} = \"{address}\" would listen on the same \
                     port: give one of them another"
                );
                list.push(Conflict { keys, what });
            }
        }
    }
}

/// Whether the system would refuse to bind both. Port 0 is a different one each time.
fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    let same_host = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() != 0 && a.port() == b.port() && same_host
}

fn bytes(config: &Config, list: &mut Vec<Conflict>) {
    let limits = &config.limits;
    let message = ("message_bytes", limits.message_bytes);
    let ring = ("ring_bytes", limits.ring_bytes);
    let ring_total = ("ring_total_bytes", limits.ring_total_bytes);
    at_least(list, ring, 2, message, "a room must be able to keep its last message");
    at_least(list, ring_total, 1, ring, "one room alone must fit");
    // Records and answers each have books of their own up to the soft limit, which one whole event may
    // overshoot; and a sixteenth of the ring may wait for its portion of a flush.
    let both = limits.outbound_soft_bytes.saturating_mul(2);
    let booked = both.saturating_add(limits.event_bytes_max());
    let needed = booked.saturating_add(booked.div_ceil(15));
    if limits.outbound_hard_bytes < needed {
        let names = ["outbound_hard_bytes", "outbound_soft_bytes", "message_bytes"];
        let what = format!(
            "limits.outbound_hard_bytes = {} must be at least {needed}: twice the {} of \
             limits.outbound_soft_bytes, one event with a message of limits.message_bytes = {}, \
             escaped, and a sixteenth to spare",
            limits.outbound_hard_bytes, limits.outbound_soft_bytes, limits.message_bytes
        );
        list.push(Conflict { keys: names.map(|name| key("limits", name)).to_vec(), what });
    }
}

fn counts(config: &Config, list: &mut Vec<Conflict>) {
    let limits = &config.limits;
    let wide = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    at_least(
        list,
        ("replay", limits.replay),
        1,
        ("history_page", limits.history_page),
        "a return must not be told less than one page",
    );
    at_least(
        list,
        ("rooms_total", limits.rooms_total),
        1,
        ("rooms", limits.rooms),
        "one user's rooms are part of all rooms",
    );
    let rates = [
        (("burst", limits.burst), ("rate_per_s", limits.rate_per_s)),
        (("control_burst", limits.control_burst), ("control_per_s", limits.control_per_s)),
    ];
    for ((burst_name, burst), (rate_name, rate)) in rates {
        let Some(rate) = rate else { continue };
        let (burst, rate) = ((burst_name, wide(burst)), (rate_name, wide(rate)));
        at_least(list, burst, 1, rate, "a second's allowance must be usable at once");
    }
}

/// The first of two limits must be at least `times` the second.
fn at_least(
    list: &mut Vec<Conflict>,
    (greater, value): (&'static str, usize),
    times: usize,
    (lesser, other): (&'static str, usize),
    why: &str,
) {
    if value >= other.saturating_mul(times) {
        return;
    }
    let factor = if times == 1 { String::new() } else { format!("{times} times ") };
    let what = format!(
        "limits.{greater} = {value} must be at least {factor}limits.{lesser} = {other}: {why}"
    );
    list.push(Conflict { keys: vec![key("limits", greater), key("limits", lesser)], what });
}

fn times(config: &Config, list: &mut Vec<Conflict>) {
    let timeouts = &config.timeouts;
    let pairs = [
        (
            ("stall", timeouts.stall),
            ("pong", timeouts.pong),
            "a slow reader must be found slow before it is found dead",
        ),
        (
            ("ping_after", timeouts.ping_after),
            ("pong", timeouts.pong),
            "a ping must be answered, or the peer held dead, before the next ping is due",
        ),
        (
            ("guest_membership", timeouts.guest_membership),
            ("leave_grace", timeouts.leave_grace),
            "a guest must be shown as gone before the membership ends",
        ),
    ];
    for ((greater, value), (lesser, other), why) in pairs {
        if value < other {
            let what = format!(
                "timeouts.{greater} = \"{}\" must be at least timeouts.{lesser} = \"{}\": {why}",
                render_span(value),
                render_span(other)
            );
            list.push(Conflict {
                keys: vec![key("timeouts", greater), key("timeouts", lesser)],
                what,
            });
        }
    }
}

fn kept(config: &Config, list: &mut Vec<Conflict>) {
    let message_bytes = config.limits.message_bytes;
    let Some(bytes) = config.rooms.retention.bytes.filter(|bytes| *bytes < message_bytes) else {
        return;
    };
    let what = format!(
        "rooms.keep_bytes = {bytes} must be at least limits.message_bytes = {message_bytes}: \
         {LAST_MESSAGE}"
    );
    list.push(Conflict {
        keys: vec![key("rooms", "keep_bytes"), key("limits", "message_bytes")],
        what,
    });
}

/// What `keep_bytes` is bounded for.
const LAST_MESSAGE: &str = "a room must be able to keep its last message";

/// What must hold for a policy beside the `earlier` ones.
fn room_policy(
    config: &Config,
    earlier: &[RoomPolicy],
    policy: &RoomPolicy,
    list: &mut Vec<Conflict>,
) {
    let number = earlier.len() + 1;
    let own = |name| Key { section: SECTION, name, table: Some(number) };
    let mut conflict = |keys, what: String| {
        let label = label(number, policy.pattern.as_deref(), policy.name.as_deref());
        list.push(Conflict { keys, what: format!("{label}: {what}") });
    };
    let (bytes, most) = (policy.message_bytes, config.limits.message_bytes);
    if bytes > most {
        let what = format!("message_bytes = {bytes} must be at most limits.message_bytes = {most}");
        conflict(vec![own("message_bytes")], what);
    }
    if let Some(kept) = policy.retention.bytes.filter(|kept| *kept < bytes.min(most)) {
        let what =
            format!("keep_bytes = {kept} must be at least message_bytes = {bytes}: {LAST_MESSAGE}");
        conflict(vec![own("keep_bytes"), key("rooms", "keep_bytes")], what);
    }
    for (number, other) in (1..).zip(earlier) {
        let before = label(number, other.pattern.as_deref(), other.name.as_deref());
        if policy.name.is_some() && policy.name == other.name {
            conflict(vec![own("name")], format!("{before} has the same name"));
        }
        let both = other.pattern.as_ref().zip(policy.pattern.as_ref());
        if both.is_some_and(|(earlier, later)| covers(earlier, later)) {
            let what = format!(
                "{before} stands before it and matches all of its rooms: put this one first"
            );
            conflict(vec![own("match")], what);
        }
    }
}

const fn key(section: &'static str, name: &'static str) -> Key {
    Key { section, name, table: None }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[track_caller]
    fn check(change: impl FnOnce(&mut Config), expect: &[&str]) {
        let mut config = Config::default();
        change(&mut config);
        let found: Vec<_> = conflicts(&config)
            .iter()
            .map(|conflict| conflict.keys.first().map(ToString::to_string).unwrap_or_default())
            .collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn the_defaults_fit_together() {
        check(|_| {}, &[]);
    }

    #[test]
    fn two_listeners_need_two_ports() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        check(|c| c.tcp = Some(c.listen), &["tcp"]);
        check(|c| c.admin = Some(address("0.0.0.0:8080")), &["admin"]);
        check(|c| c.admin = Some(address("127.0.0.2:8080")), &[]);
        check(
            |c| {
                c.listen = address("127.0.0.1:0");
                c.tcp = Some(c.listen);
            },
            &[],
        );
        check(|c| c.tcp = None, &[]);
    }

    #[test]
    fn budgets_hold_what_they_are_for() {
        check(|c| c.limits.outbound_soft_bytes = 70 << 10, &[]);
        check(|c| c.limits.outbound_soft_bytes = (70 << 10) + 1, &["limits.outbound_hard_bytes"]);
        let hard_of_32_kib = 353_895;
        let message_of_32_kib = |c: &mut Config, hard_bytes| {
            c.limits.message_bytes = 32 << 10;
            c.limits.outbound_hard_bytes = hard_bytes;
        };
        check(|c| message_of_32_kib(c, hard_of_32_kib), &[]);
        check(|c| message_of_32_kib(c, hard_of_32_kib - 1), &["limits.outbound_hard_bytes"]);
        check(|c| c.limits.ring_bytes = 32 << 10, &[]);
        check(|c| c.limits.ring_bytes = (32 << 10) - 1, &["limits.ring_bytes"]);
        check(|c| c.limits.ring_total_bytes = 64 << 10, &[]);
        check(|c| c.limits.ring_total_bytes = (64 << 10) - 1, &["limits.ring_total_bytes"]);
        check(|c| c.limits.history_page = 10_001, &["limits.replay"]);
        check(|c| c.limits.rooms_total = 255, &["limits.rooms_total"]);
    }

    #[test]
    fn a_burst_is_at_least_a_second_of_its_rate_unless_that_is_off() {
        check(|c| c.limits.burst = 20, &[]);
        check(|c| c.limits.burst = 19, &["limits.burst"]);
        check(|c| c.limits.control_burst = 9, &["limits.control_burst"]);
        check(
            |c| {
                c.limits.burst = 1;
                c.limits.rate_per_s = None;
            },
            &[],
        );
    }

    #[test]
    fn deadlines_come_in_their_order() {
        check(|c| c.timeouts.stall = c.timeouts.pong, &[]);
        check(|c| c.timeouts.stall = Duration::from_secs(9), &["timeouts.stall"]);
        check(|c| c.timeouts.ping_after = c.timeouts.pong, &[]);
        check(|c| c.timeouts.ping_after = Duration::from_millis(9_999), &["timeouts.ping_after"]);
        check(
            |c| c.timeouts.leave_grace = Duration::from_secs(601),
            &["timeouts.guest_membership"],
        );
    }
}
