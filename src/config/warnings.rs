//! What is allowed, and yet may not be what the operator wants.

use super::Config;
use super::auth::is_exposed;
use crate::http::is_anybodys;

impl Config {
    /// What the operator should know before strangers come: a sentence each, with the setting, its
    /// value, what follows from it and what to do.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let believes_names = self.auth.iter().any(|source| source == "none");
        let listeners = [("listen", &self.listen), ("tcp", &self.tcp)];
        for (name, addresses) in listeners.into_iter().filter(|_| believes_names) {
            warnings.extend(addresses.iter().filter(|addr| is_exposed(addr)).map(|addr| {
                format!(
                    "{name} = \"{addr}\": everybody who can connect there can be anybody, since a \
                     name is all that a client gives and nobody proves it. Listen on 127.0.0.1 and \
                     let only people whom you trust reach it (a VPN, an SSH tunnel, a proxy that \
                     asks for a password)"
                )
            }));
        }
        warnings.extend(self.admin.iter().filter(|addr| is_exposed(addr)).map(|addr| {
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
