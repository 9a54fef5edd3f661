//! The memory budget: `memory` divided into parts, each with the settings that bound it.
//!
//! What a part's settings are set to by the operator holds. The rest of the budget is divided among
//! the parts that nobody has set, by their weights, and becomes the values of their settings, never
//! above the defaults. So one number makes a server for a small machine, and every bound that comes
//! of it can be seen and set.
//!
//! The chapter [memory](crate::docs::memory) has the whole account.

use std::fmt::Write as _;

use super::fault::{ConfigFault, Origin};
use super::settings::MEMORY_MIN;
use super::units::{self, BYTES};
use super::value::Value;
use super::values::Values;
use crate::auth::jwt::cache_bytes;
use crate::auth::password::Cost;
use crate::chat::model::limits::{ROOM_BYTES, USER_BYTES};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Of a limit that the system has set, how much `"auto"` takes: what a process maps, caches of the
/// file system and other processes in the same container need some, too.
const AUTO_PART: (u64, u64) = (3, 4);
/// The program and its libraries, the stacks of its threads, and scratch space that does not depend
/// on any setting.
const PROCESS: u64 = 8 * MIB;
/// What all weights add up to.
const WEIGHTS: u64 = 64;

/// An idle connection: its rows here (1 KiB with a user and a room), and the kernel's socket, file
/// and entry of the poller (3 KiB).
const CONNECTION: u64 = 4 * KIB;
/// What TLS adds to a connection: its keys and its state.
const TLS: u64 = 3 * KIB;
/// What the admin API remembers of a connection while it is there, and of each of the last 10,000
/// that have ended, the longest names included.
const ADMIN_ROW: u64 = 56;
const ADMIN_CLOSED: u64 = 10_000 * 120;
/// The smallest buffers of a socket that the kernel grants, as they are set.
const SEND_BUFFER_MIN: u64 = 4 * KIB;
const RECEIVE_BUFFER_MIN: u64 = 2 * KIB;
/// The largest that a budget gives: more helps only who is far away and reads much.
const SEND_BUFFER_MAX: u64 = 64 * KIB;
const RECEIVE_BUFFER_MAX: u64 = 16 * KIB;
/// Connections that a budget gives room to before it makes the buffers of each larger.
const CONNECTIONS_AIM: u64 = 10_000;

/// Bytes of a `cid` of a memory room that is remembered, and the list that has it.
const CID: u64 = 80;
/// Bytes of a membership.
const MEMBERSHIP: u64 = 64;
/// Bytes that the store's reader caches whatever is set.
const READER_CACHE: u64 = 2 * MIB;
/// Of the rooms' records in memory, how much pages of stored logs may take beside them.
const PAGES_PART: u64 = 8;

/// A part of the budget, as it is stated at the start and by `check`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is called in the log and by `check`, in one word.
    pub name: &'static str,
    /// Its bytes, at most.
    pub bytes: u64,
    /// What they are for, with the settings that bound them.
    pub what: String,
}

impl Part {
    /// The account: a line for each part, and their sum.
    #[must_use]
    pub fn account(parts: &[Self], memory: u64) -> String {
        let mut text = String::new();
        let mebibytes = |bytes: u64| format!("{}.{} MiB", bytes / MIB, bytes % MIB * 10 / MIB);
        for Self { name, bytes, what } in parts {
            _ = writeln!(text, "  {name:<12} {:>10}  {what}", mebibytes(*bytes));
        }
        let sum = parts.iter().map(|part| part.bytes).sum();
        let (sum, all) = (mebibytes(sum), mebibytes(memory));
        _ = writeln!(
            text,
            "  {:<12} {sum:>10}  of {all}; the allocator may add an eighth",
            "together"
        );
        text
    }
}

/// The bytes of the budget: `memory`, or of `limit`, which the system has set, if it says `"auto"`.
pub(super) fn resolve(values: &mut Values, limit: Option<u64>) {
    let Some(memory) = values.get_mut("memory") else { return };
    if memory.value == Value::Absent("auto")
        && let Some(limit) = limit
    {
        let (part, of) = AUTO_PART;
        memory.value = Value::Bytes((limit / of * part).max(MEMORY_MIN));
    }
}

/// Gives the settings that bound memory and were not set their part of the budget; returns the
/// account, which is empty without a budget.
///
/// # Errors
///
/// If what was set does not fit the budget.
pub(super) fn divide(values: &mut Values) -> Result<Vec<Part>, ConfigFault> {
    let Some(Value::Bytes(memory)) = values.get("memory").map(|assigned| assigned.value.clone())
    else {
        return Ok(Vec::new());
    };
    let logins = logins(values, memory);
    let has_tokens = super::auth::has_source(values, "jwt");
    let tokens = if has_tokens { cache_bytes(Some(memory)) } else { 0 };
    let closed = if has_admin_api(values) { ADMIN_CLOSED } else { 0 };
    let free = memory.saturating_sub(PROCESS);
    // What these take is taken from the others rather than from the connections: they have a third
    // of all, and some of them a least.
    let held = (logins + tokens + closed) * 4;
    let mut budget = Budget { values, free: free.saturating_sub(held), weights: WEIGHTS };
    // Connections last: their buffers can follow what the others leave.
    for fund in FUNDS.iter().rev() {
        budget.reserve(fund);
    }
    // Small ones first: who needs more than its share leaves less to the others.
    for fund in FUNDS.iter().rev() {
        if fund.name == CONNECTIONS_FUND {
            let others = FUNDS.iter().filter(|other| other.name != CONNECTIONS_FUND);
            let spent = others.fold(logins + tokens + closed, |sum, other| {
                sum.saturating_add((other.cost)(budget.values))
            });
            budget.free = free.saturating_sub(spent);
        }
        budget.give(fund);
    }
    let mut parts = vec![Part {
        name: "process",
        bytes: PROCESS,
        what: "the program, its threads, scratch space".to_owned(),
    }];
    if logins > 0 {
        let what = "the hash of one password at a time (auth)".to_owned();
        parts.push(Part { name: "logins", bytes: logins, what });
    }
    if tokens > 0 {
        let what = "verified tokens that are remembered (auth)".to_owned();
        parts.push(Part { name: "tokens", bytes: tokens, what });
    }
    if closed > 0 {
        let what = "the last 10,000 connections that have ended (admin_token, admin_token_file)"
            .to_owned();
        parts.push(Part { name: "closed", bytes: closed, what });
    }
    parts.extend(FUNDS.iter().map(|fund| fund.part(values)));
    let sum: u64 = parts.iter().map(|part| part.bytes).sum();
    if sum > memory { Err(overdrawn(values, memory)) } else { Ok(parts) }
}

/// What the hash of a password takes where people log in with one.
fn logins(values: &Values, memory: u64) -> u64 {
    let has_accounts = super::auth::has_source(values, "accounts");
    if has_accounts { Cost::within(Some(memory)).memory() } else { 0 }
}

/// Whether there is an admin API, which remembers who connections are.
fn has_admin_api(values: &Values) -> bool {
    let is_set =
        |name| values.get(name).is_some_and(|token| !matches!(token.value, Value::Absent(_)));
    is_set("admin_token") || is_set("admin_token_file")
}

/// Some settings that bound one kind of memory together.
struct Fund {
    name: &'static str,
    /// The part of the budget that it gets if nothing of it is set.
    weight: u64,
    /// The bytes that it gets at least.
    least: u64,
    /// The settings; the fund counts as set if the first one is.
    settings: &'static [&'static str],
    /// Gives those that are not set what fits so many bytes.
    give: fn(&mut Values, u64),
    /// The bytes that its settings allow.
    cost: fn(&Values) -> u64,
    what: &'static str,
}

const FUNDS: [Fund; 8] = [
    Fund {
        name: CONNECTIONS_FUND,
        weight: CONNECTIONS_WEIGHT,
        least: 16 * CONNECTION,
        settings: &[CONNECTIONS, SEND_BUFFER, RECEIVE_BUFFER],
        give: give_connections,
        cost: |values| number(values, CONNECTIONS).saturating_mul(connection_cost(values)),
        what: "sockets with their buffers in the kernel, sessions and users",
    },
    Fund {
        name: "outbound",
        weight: 6,
        least: MIB,
        settings: &[OUTBOUND],
        give: |values, bytes| set_bytes(values, OUTBOUND, bytes),
        cost: |values| number(values, OUTBOUND),
        what: "what waits for slow readers",
    },
    Fund {
        name: "inbound",
        weight: 3,
        least: MIB / 2,
        settings: &[INBOUND],
        give: give_inbound,
        cost: |values| number(values, INBOUND),
        what: "what has come in part, or waits for its turn",
    },
    Fund {
        name: "rings",
        weight: 3,
        least: 256 * KIB,
        settings: &[RINGS],
        give: |values, bytes| {
            let bytes = bytes * PAGES_PART / (PAGES_PART + 1);
            // One room alone must fit.
            lower_bytes(values, RINGS, bytes.max(number(values, "limits.ring_bytes")));
        },
        cost: |values| number(values, RINGS).saturating_mul(PAGES_PART + 1) / PAGES_PART,
        what: "recent messages of rooms, and pages that are read again",
    },
    Fund {
        name: "people",
        weight: 3,
        least: 256 * KIB,
        settings: &[USERS, ROOMS, MEMBERSHIPS],
        give: give_people,
        cost: |values| {
            let each = [(USERS, USER_BYTES), (ROOMS, ROOM_BYTES), (MEMBERSHIPS, MEMBERSHIP)];
            let cost = each.map(|(name, bytes)| number(values, name).saturating_mul(bytes));
            cost.into_iter().fold(0, u64::saturating_add)
        },
        what: "users, rooms, memberships, there or remembered",
    },
    Fund {
        name: "disk cache",
        weight: 3,
        least: READER_CACHE + 512 * KIB,
        settings: &[CACHE],
        give: |values, bytes| lower_bytes(values, CACHE, bytes.saturating_sub(READER_CACHE)),
        cost: |values| number(values, CACHE).saturating_add(READER_CACHE),
        what: "pages of the database, of its writer and its reader",
    },
    Fund {
        name: "disk queue",
        weight: 2,
        least: MIB,
        settings: &[QUEUE],
        give: |values, bytes| lower_bytes(values, QUEUE, bytes),
        cost: |values| number(values, QUEUE),
        what: "messages that wait for the disk",
    },
    Fund {
        name: "cids",
        weight: 1,
        least: 64 * KIB,
        settings: &[CIDS],
        give: |values, bytes| {
            let count = (bytes / CID).min(number(values, CIDS));
            set(values, CIDS, Value::Number(count));
        },
        cost: |values| number(values, CIDS).saturating_mul(CID),
        what: "messages of memory rooms that are known if they are repeated",
    },
];

const CONNECTIONS_FUND: &str = "connections";
const CONNECTIONS_WEIGHT: u64 = 43;

const CONNECTIONS: &str = "limits.connections";
const SEND_BUFFER: &str = "limits.send_buffer_bytes";
const RECEIVE_BUFFER: &str = "limits.receive_buffer_bytes";
const OUTBOUND: &str = "limits.outbound_total_bytes";
const INBOUND: &str = "limits.inbound_total_bytes";
const READ_AHEAD: &str = "limits.read_ahead";
const RINGS: &str = "limits.ring_total_bytes";
const USERS: &str = "limits.users";
const ROOMS: &str = "limits.rooms_total";
const MEMBERSHIPS: &str = "limits.memberships";
const CACHE: &str = "store.cache_bytes";
const QUEUE: &str = "store.queue_bytes";
const CIDS: &str = "store.cids";

impl Fund {
    /// Whether the operator has set how much it takes.
    fn is_set(&self, values: &Values) -> bool {
        self.settings.first().is_some_and(|name| is_set(values, name))
    }

    fn part(&self, values: &Values) -> Part {
        let mut what = self.what.to_owned();
        for (at, name) in self.settings.iter().enumerate() {
            let value = values.get(name).map_or_else(String::new, |row| row.value.to_string());
            let before = if at == 0 { " (" } else { ", " };
            _ = write!(what, "{before}{name} = {value}");
        }
        what.push(')');
        Part { name: self.name, bytes: (self.cost)(values), what }
    }
}

/// A budget that is being divided.
struct Budget<'v> {
    values: &'v mut Values,
    free: u64,
    weights: u64,
}

impl Budget<'_> {
    /// Takes the cost of a fund off the budget, if the fund is set.
    fn reserve(&mut self, fund: &Fund) {
        if !fund.is_set(self.values) {
            return;
        }
        // Those of its settings that are not set follow the budget.
        let share = self.free / self.weights.max(1) * fund.weight;
        self.weights = self.weights.saturating_sub(fund.weight);
        if fund.name == CONNECTIONS_FUND {
            give_buffers(self.values, share / number(self.values, CONNECTIONS).max(1));
        } else {
            (fund.give)(self.values, share);
        }
        self.free = self.free.saturating_sub((fund.cost)(self.values));
    }

    /// Gives a fund that is not set its share of what is left.
    fn give(&mut self, fund: &Fund) {
        if fund.is_set(self.values) {
            return;
        }
        let share = self.free / self.weights.max(1) * fund.weight;
        self.weights = self.weights.saturating_sub(fund.weight);
        (fund.give)(self.values, share.max(fund.least));
        self.free = self.free.saturating_sub((fund.cost)(self.values));
    }
}

/// What one connection takes at most, in this process and in the kernel: the kernel doubles both
/// sizes, and a send buffer may be exceeded by one write.
fn connection_cost(values: &Values) -> u64 {
    let send = number(values, SEND_BUFFER);
    base(values) + send * 5 / 2 + number(values, RECEIVE_BUFFER) * 2
}

/// An idle connection, with TLS where any listener speaks it, and what the admin API remembers.
fn base(values: &Values) -> u64 {
    let is_tls = |name: &str| match values.get(name).map(|assigned| &assigned.value) {
        Some(Value::Addresses(addresses)) => addresses.iter().any(|address| address.is_tls),
        _ => false,
    };
    let tls = if is_tls("listen") || is_tls("tcp") { TLS } else { 0 };
    let admin = if has_admin_api(values) { ADMIN_ROW } else { 0 };
    CONNECTION + tls + admin
}

fn give_connections(values: &mut Values, bytes: u64) {
    let least = cost_with(values, SEND_BUFFER_MIN, RECEIVE_BUFFER_MIN);
    let most = cost_with(values, SEND_BUFFER_MAX, RECEIVE_BUFFER_MAX);
    let count = CONNECTIONS_AIM.clamp(bytes / most, (bytes / least).max(bytes / most)).max(1);
    give_buffers(values, bytes / count);
    set(values, CONNECTIONS, Value::Number(count.min(1 << 24)));
}

/// What a connection costs with these buffers, where they are not set.
fn cost_with(values: &Values, send: u64, receive: u64) -> u64 {
    let given = |name, other| if is_set(values, name) { number(values, name) } else { other };
    base(values) + given(SEND_BUFFER, send) * 5 / 2 + given(RECEIVE_BUFFER, receive) * 2
}

/// Buffers with which one connection takes so many bytes.
fn give_buffers(values: &mut Values, each: u64) {
    let buffers = each.saturating_sub(base(values));
    let round = |bytes: u64| bytes / KIB * KIB;
    // Two thirds are for what is sent, unless one of the two is set.
    let for_sending = if is_set(values, RECEIVE_BUFFER) {
        buffers.saturating_sub(number(values, RECEIVE_BUFFER).saturating_mul(2))
    } else {
        buffers * 2 / 3
    };
    let send = round(for_sending * 2 / 5).clamp(SEND_BUFFER_MIN, SEND_BUFFER_MAX);
    set_bytes(values, SEND_BUFFER, send);
    let sending = number(values, SEND_BUFFER).saturating_mul(5) / 2;
    let receive = round(buffers.saturating_sub(sending) / 2);
    set_bytes(values, RECEIVE_BUFFER, receive.clamp(RECEIVE_BUFFER_MIN, RECEIVE_BUFFER_MAX));
}

fn give_inbound(values: &mut Values, bytes: u64) {
    set_bytes(values, INBOUND, bytes);
    lower_bytes(values, READ_AHEAD, (bytes / 256).max(4 * KIB));
}

fn give_people(values: &mut Values, bytes: u64) {
    for (name, part, each) in
        [(USERS, 2, USER_BYTES), (ROOMS, 4, ROOM_BYTES), (MEMBERSHIPS, 4, MEMBERSHIP)]
    {
        let count = (bytes / part / each).max(1);
        if !is_set(values, name) && number(values, name) > count {
            set(values, name, Value::Number(count));
        }
    }
    // One user's rooms are part of all rooms.
    let rooms = number(values, ROOMS);
    if !is_set(values, "limits.rooms") && number(values, "limits.rooms") > rooms {
        set(values, "limits.rooms", Value::Number(rooms));
    }
}

fn is_set(values: &Values, name: &str) -> bool {
    values.get(name).is_some_and(|assigned| assigned.origin.is_some())
}

/// The value of a setting; what has no bound is more than every budget.
fn number(values: &Values, name: &str) -> u64 {
    values.get(name).and_then(|assigned| assigned.value.number()).unwrap_or(u64::MAX / WEIGHTS)
}

fn set(values: &mut Values, name: &str, value: Value) {
    if let Some(assigned) = values.get_mut(name).filter(|assigned| assigned.origin.is_none()) {
        assigned.value = value;
    }
}

fn set_bytes(values: &mut Values, name: &str, bytes: u64) {
    set(values, name, Value::Bytes(bytes / KIB * KIB));
}

/// Sets so many bytes, but never more than the default.
fn lower_bytes(values: &mut Values, name: &str, bytes: u64) {
    let bytes = bytes.min(number(values, name));
    set_bytes(values, name, bytes);
}

/// The complaint about settings that do not fit the budget: it names the one that takes most of
/// those that were set.
fn overdrawn(values: &Values, memory: u64) -> ConfigFault {
    let is_cause = |fund: &&Fund| fund.settings.iter().any(|name| is_set(values, name));
    let cause = FUNDS.iter().filter(is_cause).max_by_key(|fund| (fund.cost)(values));
    let shown = Value::Bytes(memory);
    let Some(fund) = cause else {
        let what = format!("memory = {shown} is not enough: give it more");
        return ConfigFault::new(what, origin(values, &["memory"]));
    };
    let set: Vec<_> = fund.settings.iter().filter(|name| is_set(values, name)).collect();
    let named: Vec<_> = set
        .iter()
        .filter_map(|name| Some(format!("{name} = {}", values.get(**name)?.value)))
        .collect();
    let cost = units::render((fund.cost)(values).div_ceil(MIB) * MIB, BYTES);
    let what = format!(
        "memory = {shown} is not enough for {}, which may take {cost}: give memory more, or lower it",
        named.join(" and ")
    );
    let names: Vec<&str> = set.into_iter().copied().collect();
    ConfigFault::new(what, origin(values, &names))
}

fn origin<'v>(values: &'v Values, names: &[&str]) -> Option<&'v Origin> {
    names.iter().find_map(|name| values.get(*name)?.origin.as_ref())
}
