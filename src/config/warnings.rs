//! What is allowed, and yet may not be what the operator wants.

use super::listen_address::Place;
use super::{Config, ListenAddress};
use crate::http::is_anybodys;

impl Config {
    /// What the operator should know before strangers come: a sentence each, with the setting, its
    /// value, what follows from it and what to do.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let believes_names = self.auth.iter().any(|source| source == "none");
        // Behind a proxy it is the proxy that speaks TLS.
        let is_proxied = |name: &str, addr: &ListenAddress| {
            !self.proxies.is_empty() && (name == "listen" || addr.has_proxy_header)
        };
        // Where a socket of systemd's listens is not known.
        let is_in_clear = |name: &str, addr: &ListenAddress| {
            !addr.is_tls && addr.place != Place::Systemd && !is_proxied(name, addr)
        };
        for (name, addresses) in [("listen", &self.listen), ("tcp", &self.tcp)] {
            for addr in addresses.iter().filter(|addr| addr.is_exposed()) {
                if believes_names {
                    warnings.push(format!(
                        "{name} = \"{addr}\": everybody who can connect there can be anybody, since a \
                         name is all that a client gives and nobody proves it. Listen on 127.0.0.1 and \
                         let only people whom you trust reach it (a VPN, an SSH tunnel, a proxy that \
                         asks for a password)"
                    ));
                } else if is_in_clear(name, addr) {
                    warnings.push(format!(
                        "{name} = \"{addr}\": passwords, tokens and messages can be read on the way, \
                         since nothing is encrypted there. Write \"tls:{addr}\" and set [tls], or put a \
                         proxy in front that speaks TLS and name it in proxies"
                    ));
                }
            }
        }
        warnings.extend(self.admin.iter().filter(|addr| addr.is_exposed()).map(|addr| {
            format!(
                "admin = \"{addr}\": everybody who can connect there can read the metrics. Listen on \
                 127.0.0.1, or keep strangers out by a firewall"
            )
        }));
        warnings.extend(self.http.origins.iter().filter(|origin| is_anybodys(origin)).map(|origin| {
            format!(
                "[http] origins has \"{origin}\": any page can give itself that origin, so any page \
                 that a user visits can use this server in the user's name. Remove it, unless no \
                 browser can reach the server"
            )
        }));
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_in_clear_for_strangers_is_told_that_others_can_read_it() {
        let warnings = |listen: &str, proxies: &[&str]| {
            let mut config = Config { auth: vec!["accounts".into()], ..Config::default() };
            config.listen = vec![listen.parse().unwrap()];
            config.proxies = proxies.iter().map(|text| text.parse().unwrap()).collect();
            config.warnings()
        };
        let warned = warnings("0.0.0.0:80", &[]);
        assert!(
            warned[0].contains("can be read on the way")
                && warned[0].contains("\"tls:0.0.0.0:80\"")
        );
        assert_eq!(warned.len(), 1);
        for (listen, proxies) in
            [("tls:0.0.0.0:80", &[][..]), ("127.0.0.1:80", &[]), ("0.0.0.0:80", &["10.0.0.0/8"])]
        {
            assert_eq!(warnings(listen, proxies), [""; 0]);
        }
        assert_eq!(warnings("systemd", &[]), [""; 0], "where it listens is not known");
        // A proxy that speaks HTTP is not in front of lines.
        let mut config = Config { auth: vec!["accounts".into()], ..Config::default() };
        config.proxies = vec!["10.0.0.0/8".parse().unwrap()];
        for (tcp, count) in [("0.0.0.0:7000", 1), ("proxy:0.0.0.0:7000", 0)] {
            config.tcp = vec![tcp.parse().unwrap()];
            assert_eq!(config.warnings().len(), count, "{tcp}");
        }
    }

    /// How the warnings begin about a configuration in which these listen.
    #[track_caller]
    fn check(listen: &[&str], tcp: &[&str], admin: &[&str], origins: &[&str], expect: &[&str]) {
        let parse =
            |addresses: &[&str]| addresses.iter().map(|addr| addr.parse().unwrap()).collect();
        let mut config = Config { listen: parse(listen), tcp: parse(tcp), ..Config::default() };
        config.admin = parse(admin);
        config.http.origins = origins.iter().map(ToString::to_string).collect();
        let warnings = config.warnings();
        assert_eq!(warnings.len(), expect.len(), "{warnings:?}");
        for (warning, expect) in warnings.iter().zip(expect) {
            assert!(warning.starts_with(expect), "{warning:?} instead of {expect:?}");
        }
    }

    #[test]
    fn who_is_open_to_strangers_is_told_so_by_each_setting_that_opens_it() {
        check(&["127.0.0.1:1", "[::1]:1", "127.9.9.9:1"], &["[::ffff:127.0.0.1]:2"], &[], &[], &[]);
        check(
            &["127.0.0.1:1", "0.0.0.0:1"],
            &["[::]:2"],
            &["192.0.2.1:3"],
            &["https://a.example", "null", "file://"],
            &[
                "listen = \"0.0.0.0:1\": ",
                "tcp = \"[::]:2\": ",
                "admin = \"192.0.2.1:3\": ",
                "[http] origins has \"null\": ",
                "[http] origins has \"file://\": ",
            ],
        );
    }
}
