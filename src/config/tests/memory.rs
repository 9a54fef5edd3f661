//! The memory budget: what follows from it, and what does not fit it.

use super::*;

const MIB: u64 = 1 << 20;

#[track_caller]
fn with(text: &str) -> Config {
    file(text).unwrap().config
}

#[test]
fn whatever_the_budget_its_parts_fit_it_and_nothing_is_above_the_defaults() {
    let usual = with("memory = \"off\"");
    assert_eq!((usual.memory, usual.account.len()), (None, 0));
    for auth in ["none", "accounts"] {
        for admin in ["", "admin_token_file = \"token\"\n"] {
            fits_every_budget(&usual, (auth, admin));
        }
    }
}

#[track_caller]
fn fits_every_budget(usual: &Config, (auth, admin): (&str, &str)) {
    let mut connections = 0;
    for mebibytes in (24..200).chain([256, 512, 1_024, 4_096, 65_536, 1 << 20]) {
        let config = with(&format!("memory = \"{mebibytes}MiB\"\nauth = \"{auth}\"\n{admin}"));
        let sum: u64 = config.account.iter().map(|part| part.bytes).sum();
        let all = mebibytes * MIB;
        assert!(sum <= all, "{mebibytes} MiB: {sum} of {all}: {:#?}", config.account);
        assert!(sum * 10 >= all * 8 || all > 512 * MIB, "{mebibytes} MiB: only {sum} are used");
        let (limits, usual) = (&config.limits, &usual.limits);
        assert!(limits.ring_total_bytes <= usual.ring_total_bytes);
        assert!(limits.users <= usual.users && limits.rooms_total <= usual.rooms_total);
        assert!(limits.send_buffer_bytes <= usual.send_buffer_bytes);
        assert!(limits.read_ahead <= usual.read_ahead);
        let more = limits.connections.unwrap();
        assert!(more >= connections, "{mebibytes} MiB have fewer connections than less");
        connections = more;
    }
}

#[test]
fn sixty_four_megabytes_are_two_thousand_connections() {
    let config = with("memory = \"64MB\"");
    assert_eq!(config.memory, Some(64_000_000));
    assert!(config.limits.connections.unwrap() >= 2_000, "{:?}", config.limits.connections);
    let account = Part::account(&config.account, 64_000_000);
    for part in ["process", "connections", "limits.connections = 20", "of 61.0 MiB"] {
        assert!(account.contains(part), "{part} in {account}");
    }
}

#[test]
fn what_is_set_holds_and_the_rest_is_divided() {
    let config = with("memory = \"64MB\"\n[limits]\nconnections = 500\nusers = 50000\n");
    let limits = &config.limits;
    assert_eq!((limits.connections, limits.users), (Some(500), 50_000));
    assert!(limits.send_buffer_bytes > 8 << 10, "fewer connections have larger buffers");
    let config = with("memory = \"64MB\"\n[limits]\nsend_buffer_bytes = \"64KiB\"\n");
    assert!(config.limits.connections.unwrap() < 300, "larger buffers leave fewer connections");
    let config = with("memory = \"1GiB\"\n[store]\ncache_bytes = \"256MiB\"\n");
    assert_eq!(config.store.cache_bytes, 256 << 20);
    let accounts = with("memory = \"64MB\"\nauth = \"accounts\"\n");
    assert!(accounts.limits.connections.unwrap() >= 2_000, "{:#?}", accounts.account);
    assert!(accounts.account.iter().any(|part| part.name == "logins" && part.bytes == 7 << 20));
    let accounts =
        with("memory = \"256MiB\"\nauth = [\"accounts\", \"header\"]\nproxies = [\"127.0.0.1\"]\n");
    assert!(accounts.account.iter().any(|part| part.name == "logins" && part.bytes == 19 << 20));
    let tokens = with(
        "memory = \"64MB\"\nauth = \"jwt\"\n[jwt]\naudience = [\"chat\"]\n[[jwt.key]]\n\
         issuer = \"app\"\nalgorithm = \"HS256\"\nsecret = \"a secret of at least 32 bytes, they say\"\n",
    );
    assert!(tokens.account.iter().any(|part| part.name == "tokens" && part.bytes == 2_000_000));
    let admin = with("memory = \"64MB\"\nauth = \"accounts\"\nadmin_token_file = \"token\"\n");
    assert!(admin.limits.connections.unwrap() >= 2_000, "{:#?}", admin.account);
    assert!(admin.account.iter().any(|part| part.name == "closed" && part.bytes == 1_200_000));
    let tls = "memory = \"64MB\"\nlisten = \"tls:127.0.0.1:8443\"\n[tls]\ncertificate = \"a\"\nkey = \"b\"\n";
    let with_tls = with(tls).limits.connections.unwrap();
    assert!((1_500..2_000).contains(&with_tls), "{with_tls}: TLS takes 3 KiB of each");
}

#[test]
fn what_does_not_fit_is_told_with_both_settings_and_its_place() {
    let text = "memory = \"64MB\"\n[limits]\nring_total_bytes = \"64MiB\"\n";
    check(
        file(text),
        &[
            "memory = \"64MB\" is not enough for limits.ring_total_bytes = \"64MiB\", which may take \
           72MiB: give memory more, or lower it",
        ],
    );
    assert_eq!(position(file(text)), (3, 20));
    let most = "memory = \"32MiB\"\n[limits]\nconnections = 100000\n";
    check(
        file(most),
        &["memory = \"32MiB\" is not enough for limits.connections = 100000, which may take \
           1758MiB: give memory more, or lower it"],
    );
}

#[test]
fn auto_takes_three_quarters_of_what_the_system_allows_if_it_says_so() {
    let load = |limit| {
        let mut loader = Loader::defaults();
        loader.memory_limit = limit;
        loader.finish().unwrap().config.memory
    };
    assert_eq!((load(None), load(Some(256 * MIB))), (None, Some(192 * MIB)));
    assert_eq!(load(Some(MIB)), Some(24 * MIB));
}
