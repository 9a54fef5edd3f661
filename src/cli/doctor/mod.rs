//! `chinwag doctor`: whether this host can carry the server as it is configured, a line for each
//! thing that was looked at, with what to do where it is not as it should be.

mod bus;
mod engine;
mod host;

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

use self::host::Host;
use super::disk;
use super::webhook_place::WebhookPlace;
use crate::config::{Config, ListenAddress, Place};
use crate::reactor::descriptors::Descriptors;
use crate::server::{self, token_keys};
use crate::store::StoredWebhook;
use crate::store::tools::measure;
use crate::time::clock::Clock;

/// Bytes that an idle connection takes in this process and in the kernel together, roughly.
const CONNECTION_BYTES: u64 = 4 * 1024;
/// What a server should be able to hold at least; below, the system's default was left as it is.
const CONNECTIONS_FEW: u64 = 4_000;
/// Connections that may wait to be accepted, as the server asks for.
const BACKLOG: u64 = 4_096;
/// From here on an idle connection is silent for longer than nginx, haproxy's examples and most
/// balancers wait.
const PROXY_TIMEOUT_MS: u128 = 60_000;
/// How long systemd waits for a service to stop, unless its unit says so.
const SYSTEMD_STOP_S: u64 = 90;
/// 2026-01-01: an earlier time is that of a clock that was never set.
const EARLIEST_WALL_MS: u64 = 1_767_225_600_000;
/// Bytes on the disk of the data below which it is about to be full.
const DISK_FREE_MIN: u64 = 256 << 20;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Ok,
    /// It works, and may surprise.
    Warn,
    /// It will not work, or not for long.
    Bad,
}

/// What was found of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    level: Level,
    what: &'static str,
    text: String,
    /// What to do about it.
    advice: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Bad => "bad",
        };
        write!(f, "{level:<5} {:<12} {}", self.what, self.text)?;
        match &self.advice {
            Some(advice) => write!(f, "\n{:19}do: {advice}", ""),
            None => Ok(()),
        }
    }
}

fn ok(what: &'static str, text: impl Into<String>) -> Finding {
    Finding { level: Level::Ok, what, text: text.into(), advice: None }
}

fn warn(what: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Finding {
    Finding { level: Level::Warn, what, text: text.into(), advice: Some(advice.into()) }
}

fn bad(what: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Finding {
    Finding { level: Level::Bad, ..warn(what, text, advice) }
}

/// Looks at everything and prints it; fails if something is bad.
pub(super) fn run(config: &Config) -> ExitCode {
    let host = Host::this();
    let mut findings = examine(config, &host, Clock::start().now().wall_ms);
    findings.extend(config.warnings().into_iter().map(|text| {
        let advice = "see chinwag check, and the chapters on identity and TLS";
        warn("exposure", text, advice)
    }));
    findings.extend(listeners(config));
    findings.extend(storage(config));
    findings.extend(engine::examine(config));
    findings.extend(bus::examine(config));
    findings.extend(of_webhooks(config));
    let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
    let printed = super::print(&(lines.join("\n") + "\n"));
    if findings.iter().any(|finding| finding.level == Level::Bad) {
        return ExitCode::FAILURE;
    }
    printed
}

/// What the files of the host and the configuration say.
fn examine(config: &Config, host: &Host, wall_ms: u64) -> Vec<Finding> {
    let descriptors = host.descriptors();
    let connections = connections(config, descriptors);
    let mut findings = vec![of_descriptors(config, descriptors)];
    findings.push(memory(config, host, connections));
    findings.extend(kernel(host, connections));
    findings.push(clock(host, wall_ms));
    findings.push(pings(config));
    findings.push(stopping(config, host));
    findings.extend(certificates(config, wall_ms));
    findings.extend(tokens(config));
    findings
}

/// How many connections there may be.
fn connections(config: &Config, descriptors: Descriptors) -> u64 {
    // The server raises its own limit to the hard one at its start.
    let fit = Descriptors { limit: descriptors.ceiling, ..descriptors }.connections_max();
    config.limits.connections.map_or(fit, |wanted| (wanted as u64).min(fit))
}

fn of_descriptors(config: &Config, descriptors: Descriptors) -> Finding {
    const WHAT: &str = "descriptors";
    let Descriptors { ceiling, .. } = descriptors;
    // As if no number were configured: that number is what is judged here.
    let fit = connections(&Config { limits: unlimited(config), ..config.clone() }, descriptors);
    let text = format!("at most {ceiling} (hard limit): {fit} connections");
    let raise = "LimitNOFILE=65536 in the unit, or ulimit -Hn, or /etc/security/limits.conf";
    match config.limits.connections {
        Some(wanted) if wanted as u64 > fit => {
            bad(WHAT, format!("{text}, and limits.connections = {wanted}"), raise)
        }
        None if fit < CONNECTIONS_FEW => warn(WHAT, text, raise),
        Some(_) | None => ok(WHAT, text),
    }
}

fn unlimited(config: &Config) -> crate::config::Limits {
    crate::config::Limits { connections: None, ..config.limits.clone() }
}

fn memory(config: &Config, host: &Host, connections: u64) -> Finding {
    const WHAT: &str = "memory";
    let Some(available) = host.memory_available() else {
        return warn(WHAT, "how much is available is not known", "look at /proc/meminfo");
    };
    let mib = |bytes: u64| bytes >> 20;
    if let Some(budget) = config.memory {
        let text = format!("memory = {} MiB, {} MiB are available", mib(budget), mib(available));
        return if budget > available {
            bad(WHAT, text, "lower memory, or free some")
        } else {
            ok(WHAT, text)
        };
    }
    let needed = connections.saturating_mul(CONNECTION_BYTES);
    let text = format!(
        "{} MiB are available; {connections} idle connections take some {} MiB with the kernel's part",
        mib(available),
        mib(needed)
    );
    if needed > available {
        let advice = format!("memory = \"{}MB\" derives bounds that fit", mib(available) * 3 / 4);
        warn(WHAT, text, advice)
    } else {
        ok(WHAT, text)
    }
}

/// What the kernel lets happen.
fn kernel(host: &Host, connections: u64) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(waiting) = host.number("proc/sys/net/core/somaxconn") {
        let text = format!("net.core.somaxconn = {waiting}: so many may wait to be accepted");
        let advice =
            format!("sysctl -w net.core.somaxconn={BACKLOG}: a crowd that comes at once waits");
        let is_enough = waiting >= BACKLOG;
        findings.push(if is_enough { ok("backlog", text) } else { warn("backlog", text, advice) });
    }
    if let Some(0) = host.number("proc/sys/net/ipv4/tcp_syncookies") {
        let text = "net.ipv4.tcp_syncookies = 0: a flood of half-open connections keeps others out";
        findings.push(warn("syncookies", text, "sysctl -w net.ipv4.tcp_syncookies=1"));
    }
    // Pages of 4 KiB: minimum, pressure, maximum.
    let pages = host.numbers("proc/sys/net/ipv4/tcp_mem").and_then(|all| all.get(2).copied());
    if let Some(bytes) = pages.map(|pages| pages.saturating_mul(4_096)) {
        let each = bytes / connections.max(1);
        let text = format!(
            "net.ipv4.tcp_mem allows {} MiB for all sockets, {each} bytes each",
            bytes >> 20
        );
        let advice = "raise net.ipv4.tcp_mem, or lower limits.connections: at its end the kernel \
                      drops what comes";
        findings.push(if each < 2_048 {
            warn("sockets", text, advice)
        } else {
            ok("sockets", text)
        });
    }
    if let Some(most) = host.number("proc/sys/net/netfilter/nf_conntrack_max") {
        let text =
            format!("net.netfilter.nf_conntrack_max = {most}, for {connections} connections");
        let advice = "raise it: a firewall whose table is full drops connections without a word";
        let fits = most > connections;
        findings.push(if fits { ok("firewall", text) } else { warn("firewall", text, advice) });
    }
    findings
}

fn clock(host: &Host, wall_ms: u64) -> Finding {
    const WHAT: &str = "clock";
    if wall_ms < EARLIEST_WALL_MS {
        return bad(WHAT, "it is before 2026: the clock is not set", "start a time service (NTP)");
    }
    match host.is_clock_synchronized() {
        Some(false) => {
            let text = "no time service has set it since the machine started";
            warn(
                WHAT,
                text,
                "enable systemd-timesyncd or chrony: bans, tokens and retention go by it",
            )
        }
        Some(true) => ok(WHAT, "set by a time service"),
        None => ok(WHAT, "it says a plausible time"),
    }
}

fn pings(config: &Config) -> Finding {
    const WHAT: &str = "pings";
    let after = config.timeouts.ping_after;
    let text = format!("an idle connection is pinged after {} s", after.as_secs_f32());
    if after.as_millis() >= PROXY_TIMEOUT_MS {
        let advice = "lower timeouts.ping_after below 60 s, after which most proxies end an idle \
                      connection, or raise theirs (proxy_read_timeout, timeout tunnel)";
        return warn(WHAT, text, advice);
    }
    ok(WHAT, text)
}

/// Whether systemd waits for as long as a stop may take.
fn stopping(config: &Config, host: &Host) -> Finding {
    const WHAT: &str = "stop";
    let stop = config.timeouts.stop;
    let (waits, from) = host.stop_timeout().map_or((SYSTEMD_STOP_S, "by default"), |seconds| {
        (seconds, "by the unit (TimeoutStopSec)")
    });
    let text = format!("takes up to {} s; systemd waits {waits} s {from}", stop.as_secs_f32());
    if stop.as_secs() >= waits {
        let advice = "set TimeoutStopSec above timeouts.stop: otherwise it ends by SIGKILL, which \
                      loses nothing that was answered but tells nobody when to come back";
        return bad(WHAT, text, advice);
    }
    ok(WHAT, text)
}

fn certificates(config: &Config, wall_ms: u64) -> Vec<Finding> {
    const WHAT: &str = "certificate";
    match server::inspect_certificates(&config.tls, wall_ms) {
        Ok(lines) => lines
            .into_iter()
            .map(|line| match line.strip_prefix("warning: ") {
                Some(text) => {
                    warn(WHAT, text, "renew it: a renewed file is taken up without a restart")
                }
                None => ok(WHAT, line),
            })
            .collect(),
        Err(error) => vec![bad(WHAT, error.to_string(), "mend [tls] certificate and key")],
    }
}

fn tokens(config: &Config) -> Option<Finding> {
    const WHAT: &str = "tokens";
    if config.token_keys.is_empty() {
        return None;
    }
    Some(match token_keys::load(&config.token_keys) {
        Ok(table) => ok(WHAT, format!("{} keys can be used", table.iter().count())),
        Err(error) => {
            bad(WHAT, error.to_string(), "mend the [[jwt.key]]; chinwag token inspect says more")
        }
    })
}

/// Whether the addresses can be listened at.
fn listeners(config: &Config) -> Vec<Finding> {
    const WHAT: &str = "listen";
    let all = [("listen", &config.listen), ("tcp", &config.tcp), ("admin", &config.admin)];
    let addresses = all.into_iter().flat_map(|(name, listed)| {
        listed.iter().map(move |address: &ListenAddress| (name, address))
    });
    let findings = addresses.filter_map(|(name, address)| {
        let Place::Ip(addr) = &address.place else { return None };
        // Tried and let go at once; another process may still take it before the server starts.
        Some(match TcpListener::bind(addr) {
            Ok(_) => ok(WHAT, format!("{name} = \"{address}\" is free")),
            Err(error) => refused(name, *addr, &error),
        })
    });
    findings.collect()
}

fn refused(name: &str, addr: SocketAddr, error: &std::io::Error) -> Finding {
    const WHAT: &str = "listen";
    let text = format!("{name} = \"{addr}\": {error}");
    match error.kind() {
        std::io::ErrorKind::AddrInUse => warn(
            WHAT,
            text,
            "all is well if that is the server itself; otherwise choose another port",
        ),
        std::io::ErrorKind::PermissionDenied => bad(
            WHAT,
            text,
            "AmbientCapabilities=CAP_NET_BIND_SERVICE in the unit, a socket of systemd, or a port \
             above 1023",
        ),
        _ => bad(WHAT, text, "choose an address of this machine"),
    }
}

/// The disk of the data: how much is left, and how fast it is.
fn storage(config: &Config) -> Vec<Finding> {
    const WHAT: &str = "disk";
    let mut findings = Vec::new();
    let measured = match measure::run(&config.data) {
        Ok(measured) => measured,
        Err(error) => {
            let advice = "data must be a directory that the server's user may write to";
            return vec![bad(WHAT, error.to_string(), advice)];
        }
    };
    if let Some(free) = host::free_bytes(&measured.directory) {
        let text = format!("{} MiB are free under {}", free >> 20, measured.directory.display());
        let advice = "free some, or set rooms.keep_for, keep_records or keep_bytes: a full disk \
                      refuses messages (5005)";
        findings.push(if free < DISK_FREE_MIN { warn(WHAT, text, advice) } else { ok(WHAT, text) });
    }
    let (text, advice) = disk::in_short(config, &measured);
    findings.push(match advice {
        Some(advice) => warn(WHAT, text, advice),
        None => ok(WHAT, text),
    });
    findings
}

/// Webhooks that do not fare well.
fn of_webhooks(config: &Config) -> Option<Finding> {
    const WHAT: &str = "webhooks";
    let mut place = WebhookPlace::of(config).ok()?;
    let all = place.load().ok().filter(|all| !all.is_empty())?;
    let fares_ill =
        |known: &&StoredWebhook| known.ended.is_some() || known.attempts > 0 || known.dead > 0;
    let ill: Vec<_> = all.iter().filter(fares_ill).map(|known| &*known.webhook.name).collect();
    let (count, names) = (all.len(), ill.join(", "));
    if ill.is_empty() {
        return Some(ok(WHAT, format!("{count}, and all of them work")));
    }
    let text = format!("{count}, of which these fail, are ended or have dead letters: {names}");
    Some(warn(WHAT, text, "chinwag webhook list says how each fares"))
}

#[cfg(test)]
mod tests;
