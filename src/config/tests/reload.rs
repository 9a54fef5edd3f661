//! A file that is read again while the server runs on another.

use super::*;
use crate::config::reload::LIVE;
use crate::config::settings::settings;

/// What differs, a line each; those that need a restart end with `(restart)`.
#[track_caller]
fn check(before: &str, now: &str, expect: &[&str]) -> Config {
    let (before, now) = (file(before).unwrap(), file(now).unwrap());
    let Reloaded { loaded, differences } = before.reload(&now).unwrap();
    let shown = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let line = |Difference { name, from, to, is_live }| {
        let when = if is_live { "" } else { " (restart)" };
        format!("{name}: {} to {}{when}", shown(from), shown(to))
    };
    let lines: Vec<_> = differences.into_iter().map(line).collect();
    assert_eq!(lines, expect);
    // What took effect is no difference the next time, and what needs a restart still is.
    let again = loaded.reload(&now).unwrap().differences;
    assert!(again.iter().all(|difference| !difference.is_live), "{again:?}");
    assert_eq!(again.len(), expect.iter().filter(|line| line.ends_with("(restart)")).count());
    loaded.config
}

#[test]
fn what_takes_effect_does_and_the_rest_stays_as_it_was() {
    let config = check(
        "[limits]\nrate_per_s = 5",
        "tcp = \"off\"\nlog_level = \"warn\"\n[http]\nhosts = [\"chat.example.org\"]\n\
         [limits]\nmessage_bytes = \"4KiB\"",
        &[
            "tcp: \"127.0.0.1:9000\" to \"off\" (restart)",
            "log_level: \"info\" to \"warn\"",
            "http.hosts: [] to [\"chat.example.org\"]",
            "limits.message_bytes: \"16KiB\" to \"4KiB\" (restart)",
            "limits.rate_per_s: 5 to 20",
        ],
    );
    assert_eq!((config.tcp.len(), config.limits.message_bytes), (1, 16 << 10));
    assert_eq!(config.limits.rate_per_s, Some(20));
    assert_eq!(config.http.hosts, ["chat.example.org"]);
    check("", "", &[]);
}

#[test]
fn policies_take_effect_unless_rooms_that_are_there_would_have_to_change() {
    let tmp = "[[room_policy]]\nmatch = \"tmp/*\"\n";
    let config = check(
        tmp,
        &format!("{tmp}create = \"nobody\"\nmessage_bytes = 100"),
        &["room_policy 1: create: - to \"nobody\"", "room_policy 1: message_bytes: - to 100"],
    );
    assert_eq!(config.policies.rules[0].policy.message_bytes, Some(100));
    for (line, shown) in [
        ("durability = \"memory\"", "durability: - to \"memory\""),
        ("keep_for = \"1d\"", "keep_for: - to \"1d\""),
        ("presence = \"off\"", "presence: - to \"off\""),
    ] {
        let config =
            check(tmp, &format!("{tmp}{line}"), &[&format!("room_policy 1: {shown} (restart)")]);
        assert_eq!(config.policies, file(tmp).unwrap().config.policies);
    }
    check(tmp, "", &["room_policy 1: match: \"tmp/*\" to - (restart)"]);
    check("[rooms]\nkeep_for = \"1d\"", "", &["rooms.keep_for: \"1d\" to \"off\" (restart)"]);
}

#[test]
fn keys_of_tokens_are_named_and_not_shown() {
    let with = |secret: &str| {
        format!(
            "auth = \"jwt\"\n[jwt]\naudience = [\"chat\"]\n[[jwt.key]]\nissuer = \"a\"\n\
             algorithm = \"HS256\"\nsecret = \"{}\"",
            secret.repeat(32)
        )
    };
    check(&with("a"), &with("b"), &["jwt.key: - to - (restart)"]);
}

#[test]
fn what_does_not_fit_what_stays_is_refused_as_a_whole() {
    // The stall stays, and would be shorter than the new pong.
    let before = file("[timeouts]\nstall = \"20s\"").unwrap();
    let now = file("[timeouts]\nstall = \"2m\"\nping_after = \"1m\"\npong = \"30s\"").unwrap();
    let faults = before.reload(&now).unwrap_err().0;
    let words: Vec<_> = faults.iter().map(|fault| fault.what.as_str()).collect();
    assert!(words[0].contains("timeouts.stall = \"20s\" must be at least"), "{words:?}");
    assert!(words[1].contains("restart it"), "{words:?}");
}

#[test]
fn what_follows_from_another_budget_waits_for_the_restart_with_it() {
    let now = "memory = \"64MB\"\n[limits]\nusers = 7";
    let expect = ["memory: \"auto\" to \"64MB\" (restart)", "limits.users: 100000 to 7"];
    let config = check("", now, &expect);
    assert_eq!((config.limits.users, config.limits.rooms_total), (7, 100_000));
}

#[test]
fn each_setting_that_takes_effect_exists_once() {
    for name in LIVE {
        assert_eq!(settings().filter(|(known, _)| known == name).count(), 1, "{name}");
        assert_eq!(LIVE.iter().filter(|other| *other == name).count(), 1, "{name}");
    }
}

#[test]
fn the_documentation_lists_what_takes_effect() {
    let text = include_str!("../../docs/configuration.md");
    let (_, after) = text.split_once("## Reading it again").expect("a section");
    let section = after.split("\n## ").next().unwrap_or_default();
    for name in LIVE {
        let (table, key) = name.split_once('.').unwrap_or(("", name));
        let place = if table.is_empty() {
            section
        } else {
            let row = section.lines().find(|line| line.starts_with(&format!("| `[{table}]`")));
            row.unwrap_or_else(|| panic!("no row for [{table}]"))
        };
        assert!(place.contains(&format!("`{key}`")), "{name}");
    }
}
