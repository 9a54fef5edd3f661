//! What must hold between settings that are each right by themselves.

use std::fmt::Display;
use std::net::SocketAddr;
use std::str::FromStr;

use super::auth;
use super::fault::{ConfigFault, Origin};
use super::listen_address::ListenAddress;
use super::policies::PolicyTable;
use super::value::Value;
use super::values::{Assigned, Values};
use crate::chat::model::policy::{Policy, Rule};
use crate::pg::Address;
use crate::resp;

/// Room for everything in an event besides the message: names, positions and brackets.
const ENVELOPE_BYTES: u64 = 4096;
/// A byte of a message that has to be escaped becomes at most six.
const ESCAPED_BYTES: u64 = 6;

/// The first setting must be at least so many times the other, unless one of them is off, and why.
type AtLeast = (&'static str, u64, &'static str, &'static str);

const LAST_MESSAGE: &str = "a room must be able to keep its last message";
const ONE_PAGE: &str = "a return must not be told less than one page";
const PART: &str = "one user's rooms are part of all rooms";
const BURST: &str = "a second's allowance must be usable at once";
const STALL: &str = "a slow reader must be found slow before it is found dead";
const PONG: &str = "a ping must be answered, or the peer held dead, before the next ping is due";
const GUEST: &str = "a guest must be shown as gone before the membership ends";

const FILES: &str = "one user's files are part of all files";
const FILE: &str = "one file must fit";

const AT_LEAST: [AtLeast; 17] = [
    ("limits.ring_bytes", 2, "limits.message_bytes", LAST_MESSAGE),
    ("limits.ring_total_bytes", 1, "limits.ring_bytes", "one room alone must fit"),
    ("limits.replay", 1, "limits.history_page", ONE_PAGE),
    ("limits.rooms_total", 1, "limits.rooms", PART),
    ("limits.burst", 1, "limits.rate_per_s", BURST),
    ("limits.control_burst", 1, "limits.control_per_s", BURST),
    ("limits.user_burst", 1, "limits.user_per_s", BURST),
    ("limits.joins_burst", 1, "limits.joins_per_s", BURST),
    ("limits.pages_burst", 1, "limits.pages_per_s", BURST),
    ("limits.hellos_burst", 1, "limits.hellos_per_s", BURST),
    ("limits.connects_burst", 1, "limits.connects_per_s", BURST),
    ("timeouts.stall", 1, "timeouts.pong", STALL),
    ("timeouts.ping_after", 1, "timeouts.pong", PONG),
    ("timeouts.guest_membership", 1, "timeouts.leave_grace", GUEST),
    ("rooms.keep_bytes", 1, "limits.message_bytes", LAST_MESSAGE),
    ("files.per_user", 1, "files.bytes", FILE),
    ("files.total", 1, "files.per_user", FILES),
];

/// What a token of the admin API must have.
pub(super) const ADMIN_TOKEN: &str = "at least 16 characters, of letters, digits and -._~+/ \
                                      alone: openssl rand -hex 32 prints one";

/// Whether this can be the token of the admin API: a bearer token (RFC 6750) that is not guessed.
pub(super) fn is_admin_token(text: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    (16..=512).contains(&text.len()) && text.bytes().all(is_fit)
}

/// Everything that does not fit together, each blamed on the first of its settings that was set.
pub(super) fn find(values: &Values, tables: &[PolicyTable]) -> Vec<ConfigFault> {
    let mut faults = listeners(values);
    faults.extend(auth::exposed(values));
    faults.extend(outbound(values));
    faults.extend(certificates(values));
    faults.extend(proxies(values));
    faults.extend(admin_token(values));
    faults.extend(push_contact(values));
    faults.extend(engine(values));
    faults.extend(bus(values));
    faults.extend(shared_folder(values));
    for rule in AT_LEAST {
        let fault = at_least(values, rule);
        faults.extend(fault.map(|(what, origin)| ConfigFault::new(what, origin)));
    }
    for (at, table) in tables.iter().enumerate() {
        let earlier = tables.get(..at).unwrap_or_default();
        policy(values, earlier, table, &mut |what, origin| faults.push(table.fault(what, origin)));
    }
    faults
}

/// The complaint and its origin, if the rule is broken.
fn at_least(values: &Values, rule: AtLeast) -> Option<(String, Option<&Origin>)> {
    let (greater, times, lesser, why) = rule;
    let (value, other) = (values.get(greater)?, values.get(lesser)?);
    if value.value.number()? >= other.value.number()?.saturating_mul(times) {
        return None;
    }
    let factor = if times == 1 { String::new() } else { format!("{times} times ") };
    let needed = format!("{factor}{lesser} = {}", other.value);
    let what = format!("{greater} = {} must be at least {needed}: {why}", value.value);
    Some((what, value.origin.as_ref().or(other.origin.as_ref())))
}

fn listeners(values: &Values) -> Vec<ConfigFault> {
    let mut faults = Vec::new();
    let mut before: Vec<(&str, SocketAddr, Option<&Origin>)> = Vec::new();
    for name in ["listen", "tcp", "admin"] {
        let Some(Assigned { value: Value::Addresses(addresses), origin }) = values.get(name) else {
            continue;
        };
        for own in addresses.iter().filter_map(ListenAddress::ip) {
            let other = before.iter().find(|(earlier, other, _)| {
                // One setting's listeners of both families share a port: they are kept apart.
                collide(own, *other) && (*earlier != name || own.is_ipv4() == other.is_ipv4())
            });
            if let Some((earlier, other, at_other)) = other {
                let what = format!(
                    "{earlier} = \"{other}\" and {name} = \"{own}\" would listen on the same port: \
                     give one of them another"
                );
                faults.push(ConfigFault::new(what, origin.as_ref().or(*at_other)));
            }
            before.push((name, own, origin.as_ref()));
        }
    }
    faults
}

/// The token of the admin API stands in one place, and cannot be guessed.
fn admin_token(values: &Values) -> Option<ConfigFault> {
    let Assigned { value, origin } = values.get("admin_token")?;
    let secret = value.secret()?;
    let what = if values.get("admin_token_file").is_some_and(|row| row.value.text().is_some()) {
        "admin_token and admin_token_file are both set: keep one of them".to_owned()
    } else if !is_admin_token(secret.reveal()) {
        format!("admin_token must have {ADMIN_TOKEN}")
    } else {
        return None;
    };
    // A fault shows the line of the file, and this one has the secret in it.
    let origin = origin.as_ref().map(Origin::without_text);
    Some(ConfigFault::new(what, origin.as_ref()))
}

/// A push service takes addresses of these two kinds (RFC 8292 section 2.1).
fn push_contact(values: &Values) -> Option<ConfigFault> {
    let Assigned { value, origin } = values.get("push.contact")?;
    let contact = value.text()?;
    if ["mailto:", "https://"].iter().any(|start| contact.starts_with(start)) {
        return None;
    }
    let what = format!(
        "push.contact = \"{contact}\" must begin with mailto: or https://, such as \
         \"mailto:admin@example.org\""
    );
    Some(ConfigFault::new(what, origin.as_ref()))
}

/// Where a shared log is.
pub(super) const ENGINE: &str = "cluster.engine";
/// Where the bus is.
pub(super) const BUS: &str = "cluster.bus";

/// A setting whose address may have a password in it, the setting of a file with that, and what an
/// address looks like.
type Endpoint = (&'static str, &'static str, &'static str);

const ENGINE_AT: Endpoint =
    (ENGINE, "cluster.password_file", "\"postgres://chat@db1.internal,db2.internal/chat\"");
const BUS_AT: Endpoint = (BUS, "cluster.bus_password_file", "\"redis://bus.internal:6379\"");

/// The endpoint has an address, with one password at the most, and nothing else is `wrong` with it;
/// that is told whether the password is in a file.
fn endpoint<A: FromStr<Err: Display>>(
    values: &Values,
    (name, password_file, example): Endpoint,
    has_password: impl FnOnce(&A) -> bool,
    wrong: impl FnOnce(&A, bool) -> Option<String>,
) -> Option<ConfigFault> {
    let Assigned { value, origin } = values.get(name)?;
    let file = values.get(password_file)?;
    let in_file = file.value.text().is_some();
    let Some(secret) = value.secret() else {
        let what =
            format!("{password_file} is set, but {name} is not: nobody is asked for a password");
        return in_file.then(|| ConfigFault::new(what, file.origin.as_ref()));
    };
    let what = match secret.reveal().parse() {
        Ok(address) if in_file && has_password(&address) => {
            format!("{name} has a password, and {password_file} is set: keep one of them")
        }
        Ok(address) => wrong(&address, in_file)?,
        Err(fault) => format!("{name} {fault}: such as {example}, or \"off\""),
    };
    let origin = origin.as_ref().map(Origin::without_text);
    Some(ConfigFault::new(what, origin.as_ref()))
}

/// The engine has an address, with one password at the most.
fn engine(values: &Values) -> Option<ConfigFault> {
    let has_password = |address: &Address| address.password.is_some();
    endpoint(values, ENGINE_AT, has_password, |_, _| None)
}

/// The bus has an address, with one password at the most, and an engine beside it.
fn bus(values: &Values) -> Option<ConfigFault> {
    let has_engine = values.get(ENGINE)?.value.secret().is_some();
    let has_password = |address: &resp::Address| address.password.is_some();
    endpoint(values, BUS_AT, has_password, |address, in_file| match address {
        resp::Address { user: Some(user), password: None, .. } if !in_file => Some(format!(
            "{BUS} has the user {user:?} without a password: write redis://USER:PASSWORD@…, or set \
             cluster.bus_password_file"
        )),
        _ if !has_engine => {
            Some(format!("{BUS} is set, but {ENGINE} is not: a server that is alone needs no bus"))
        }
        _ => None,
    })
}

/// A folder that nodes share where there is one server only, or one that is another everywhere.
fn shared_folder(values: &Values) -> Option<ConfigFault> {
    let Assigned { value, origin } = values.get("files.dir")?;
    let dir = value.text()?;
    let has_engine = values.get(ENGINE)?.value.secret().is_some();
    let what = if !has_engine {
        "files.dir is set, but cluster.engine is not: a server that is alone keeps files beside its \
         database"
            .to_owned()
    } else if !dir.starts_with('/') {
        format!(
            "files.dir = \"{dir}\" has to be an absolute path: it is the same share on every node"
        )
    } else {
        return None;
    };
    Some(ConfigFault::new(what, origin.as_ref()))
}

/// A listener for proxies needs some.
fn proxies(values: &Values) -> Option<ConfigFault> {
    let has_proxies =
        matches!(values.get("proxies")?.value, Value::List(ref listed) if !listed.is_empty());
    let (name, address, origin) = first_listener(values, |address| address.has_proxy_header)?;
    let what = format!(
        "{name} = \"{address}\" takes connections from proxies alone: name them in proxies, such as \
         [\"127.0.0.1\"]"
    );
    (!has_proxies).then(|| ConfigFault::new(what, origin))
}

/// The first listener that is like this, with the setting's name and origin.
fn first_listener(
    values: &Values,
    is_it: impl Fn(&ListenAddress) -> bool,
) -> Option<(&'static str, &ListenAddress, Option<&Origin>)> {
    ["listen", "tcp", "admin"].into_iter().find_map(|name| {
        let Assigned { value: Value::Addresses(addresses), origin } = values.get(name)? else {
            return None;
        };
        Some((name, addresses.iter().find(|address| is_it(address))?, origin.as_ref()))
    })
}

/// TLS needs certificates, and each of them its key.
fn certificates(values: &Values) -> Option<ConfigFault> {
    let list = |name: &str| match values.get(name) {
        Some(Assigned { value: Value::List(files), origin }) => (files.len(), origin.as_ref()),
        _ => (0, None),
    };
    let ((certificates, origin), (keys, key_origin)) = (list("tls.certificate"), list("tls.key"));
    if certificates != keys {
        let what: String = match (certificates, keys) {
            (_, 0) => {
                "tls.certificate is set and tls.key is not: each certificate needs its key".into()
            }
            (0, _) => {
                "tls.key is set and tls.certificate is not: each key is a certificate's".into()
            }
            _ => format!(
                "tls.certificate names {certificates} files and tls.key {keys}: each certificate needs \
                 its key, in the same order"
            ),
        };
        return Some(ConfigFault::new(what, origin.or(key_origin)));
    }
    let (name, address, origin) = first_listener(values, |address| address.is_tls)?;
    if certificates > 0 {
        return None;
    }
    let what = format!(
        "{name} = \"{address}\" needs a certificate and its key: set certificate and key in [tls]"
    );
    Some(ConfigFault::new(what, origin))
}

/// Whether the system would refuse to bind both.
fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    let same_host = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    // Port 0 is another one for each: the system chooses.
    a.port() != 0 && a.port() == b.port() && same_host
}

fn outbound(values: &Values) -> Option<ConfigFault> {
    const NAMES: [&str; 3] =
        ["limits.outbound_hard_bytes", "limits.outbound_soft_bytes", "limits.message_bytes"];
    let assigned = NAMES.map(|name| values.get(name));
    let [hard, soft, message] = assigned.map(|assigned| assigned?.value.number());
    // Records and answers each have books of their own up to the soft limit, which one whole event
    // may overshoot; and a sixteenth of the ring may wait for its portion of a flush.
    let event = message?.saturating_mul(ESCAPED_BYTES).saturating_add(ENVELOPE_BYTES);
    let booked = soft?.saturating_mul(2).saturating_add(event);
    // A fifteenth of what is booked is a sixteenth of the whole.
    let needed = booked.saturating_add(booked.div_ceil(15));
    if hard? >= needed {
        return None;
    }
    let [hard, soft, message] =
        NAMES.map(|name| Some(format!("{name} = {}", values.get(name)?.value)));
    let what = format!(
        "{} must be at least {needed}: twice {}, one event with a message of {}, escaped, and a \
         sixteenth to spare",
        hard?, soft?, message?
    );
    let origin = assigned.into_iter().flatten().find_map(|assigned| assigned.origin.as_ref());
    Some(ConfigFault::new(what, origin))
}

/// What must hold for a policy beside the `earlier` ones.
fn policy(
    everywhere: &Values,
    earlier: &[PolicyTable],
    table: &PolicyTable,
    report: &mut dyn FnMut(&str, Option<&Origin>),
) {
    let values = table.effective(everywhere);
    let limit = everywhere.get("limits.message_bytes").map(|limit| &limit.value);
    let own = table.values.get("message_bytes");
    if let Some((Assigned { value, origin }, limit)) = own.zip(limit)
        && value > limit
    {
        let what =
            format!("message_bytes = {value} must be at most limits.message_bytes = {limit}");
        report(&what, origin.as_ref());
    } else if let Some((what, origin)) =
        at_least(&values, ("keep_bytes", 1, "message_bytes", LAST_MESSAGE))
    {
        report(&what, origin);
    }
    for PolicyTable { label, values: theirs } in earlier {
        let both = |key: &str| Some((theirs.get(key)?, table.values.get(key)?));
        if let Some((theirs, ours)) = both("name")
            && theirs.value == ours.value
        {
            report(&format!("{label} has the same name"), ours.origin.as_ref());
        }
        if let Some((theirs, ours)) = both("match")
            && covers(&theirs.value, &ours.value)
        {
            let what = format!(
                "{label} stands before it and matches all of its rooms: put this one first"
            );
            report(&what, ours.origin.as_ref());
        }
    }
}

/// Whether every room that the pattern `later` matches is matched by `earlier`: as if `later` were
/// a room, since only a star of the earlier one can match a star of the later one.
fn covers(earlier: &Value, later: &Value) -> bool {
    let pattern = earlier.text().map(Into::into);
    let rule = Rule { name: None, pattern, policy: Policy::default() };
    later.text().is_some_and(|later| rule.matches(later))
}
