//! Hosts that were made bad on purpose.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::*;

/// Plants files below a root of their own.
fn host(files: &[(&str, &str)]) -> (TempDir, Host) {
    let root = TempDir::new().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let host = Host::at(root.path());
    (root, host)
}

const LIMITS: (&str, &str) = ("proc/self/limits", "Max open files  1024  65536  files\n");
const MEMORY: (&str, &str) = ("proc/meminfo", "MemTotal: 1 kB\nMemAvailable:  4000000 kB\n");
const WALL_MS: u64 = EARLIEST_WALL_MS + 1;

/// What is not well, as `level what`.
#[track_caller]
fn check(config: &Config, files: &[(&str, &str)], wall_ms: u64, expect: &[&str]) {
    let (_root, host) = host(files);
    let findings = examine(config, &host, wall_ms);
    let found = findings.iter().filter(|finding| finding.level != Level::Ok);
    let shown: Vec<_> = found.map(|f| format!("{:?} {}", f.level, f.what)).collect();
    assert_eq!(shown, expect, "{findings:?}");
    // What is not well says what to do, and what is well does not.
    assert!(findings.iter().all(|f| f.advice.is_some() == (f.level != Level::Ok)));
}

#[test]
fn a_host_with_everything_in_order_has_nothing_to_be_done() {
    let files = [
        LIMITS,
        MEMORY,
        ("proc/sys/net/core/somaxconn", "4096\n"),
        ("proc/sys/net/ipv4/tcp_syncookies", "1\n"),
        ("proc/sys/net/ipv4/tcp_mem", "95013\t126684\t190026\n"),
        ("proc/sys/net/netfilter/nf_conntrack_max", "262144\n"),
        ("run/systemd/timesync/synchronized", ""),
        ("etc/systemd/system/chinwag.service", "[Service]\nTimeoutStopSec=30s\n"),
    ];
    check(&Config::default(), &files, WALL_MS, &[]);
}

#[test]
fn each_thing_that_is_wrong_is_found() {
    let config = Config::default();
    let few = ("proc/self/limits", "Max open files  1024  1024  files\n");
    check(&config, &[few, MEMORY], WALL_MS, &["Warn descriptors"]);
    let little = ("proc/meminfo", "MemAvailable: 20000 kB\n");
    check(&config, &[LIMITS, little], WALL_MS, &["Warn memory"]);
    check(&config, &[LIMITS], WALL_MS, &["Warn memory"]);
    for (path, text, expect) in [
        ("proc/sys/net/core/somaxconn", "128", "Warn backlog"),
        ("proc/sys/net/ipv4/tcp_syncookies", "0", "Warn syncookies"),
        ("proc/sys/net/ipv4/tcp_mem", "1 2 300", "Warn sockets"),
        ("proc/sys/net/netfilter/nf_conntrack_max", "8192", "Warn firewall"),
        ("run/systemd/system/x", "", "Warn clock"),
        ("etc/systemd/system/chinwag.service", "TimeoutStopSec=2s", "Bad stop"),
    ] {
        check(&config, &[LIMITS, MEMORY, (path, text)], WALL_MS, &[expect]);
    }
    check(&config, &[LIMITS, MEMORY], 0, &["Bad clock"]);
}

#[test]
fn settings_that_the_host_cannot_keep_are_found() {
    let mut config = Config::default();
    config.limits.connections = Some(100_000);
    config.memory = Some(8 << 30);
    config.timeouts.ping_after = Duration::from_secs(90);
    config.timeouts.stop = Duration::from_secs(100);
    config.tls.certificate = vec!["/no/such/file".into()];
    config.tls.key = vec!["/no/such/file".into()];
    let expect = ["Bad descriptors", "Bad memory", "Warn pings", "Bad stop", "Bad certificate"];
    check(&config, &[LIMITS, MEMORY], WALL_MS, &expect);
}

#[test]
fn a_disk_that_cannot_be_written_and_an_address_that_is_not_ours_are_found() {
    let mut config = Config { data: Path::new("/proc/nowhere").into(), ..Config::default() };
    config.listen = vec!["192.0.2.1:8080".parse().unwrap()];
    config.tcp = Vec::new();
    config.admin = Vec::new();
    let levels = |findings: Vec<Finding>| findings.iter().map(|f| f.level).collect::<Vec<_>>();
    assert_eq!(levels(storage(&config)), [Level::Bad]);
    assert_eq!(levels(listeners(&config)), [Level::Bad]);
}

#[test]
fn a_line_says_how_bad_it_is_what_it_is_and_what_to_do() {
    let finding = warn("backlog", "somaxconn = 128", "raise it");
    let expect = "warn  backlog      somaxconn = 128\n                   do: raise it";
    assert_eq!(finding.to_string(), expect);
}
