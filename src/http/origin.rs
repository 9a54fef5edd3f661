//! Which pages may use this server: the `Origin` of a request (RFC 6454, the Fetch standard).
//!
//! A browser lets any page open a WebSocket to any server, and says in `Origin` which page it was.
//! A page may use this server if its origin is
//!
//! - **the server's own**: the scheme is `http` or `https`, and host and port are those of the
//!   request's `Host`, where an absent port stands for the scheme's default. The scheme is not
//!   compared with the connection's: behind a proxy that ends TLS the page's is `https` and the
//!   connection's is not;
//! - or **configured**, as it stands, byte for byte.
//!
//! Origins are compared as browsers write them: in lower case, without a path, without a trailing
//! dot that the `Host` does not have. `null`, which sandboxed frames and local files have, matches
//! no page and cannot be configured. A client without `Origin` is not a browser and passes unless
//! configured otherwise, since it could send any origin anyway.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use super::host::PolicyError;
use super::name::Name;
use super::{Authority, Head, Refusal};

/// The pages that may use the server besides its own, and whether clients must be pages.
#[derive(Clone, Debug, Default)]
pub struct OriginPolicy {
    allowed: Vec<Box<str>>,
    is_required: bool,
}

impl OriginPolicy {
    /// Lets pages of the origins `allowed` in too; if `is_required`, a WebSocket without an
    /// `Origin` is refused.
    ///
    /// # Errors
    ///
    /// An origin that no browser would send: with a path, a capital letter, a default port, or
    /// without a scheme.
    pub fn new<O: AsRef<str>>(
        allowed: impl IntoIterator<Item = O>,
        is_required: bool,
    ) -> Result<Self, PolicyError> {
        let allowed = allowed.into_iter().map(|origin| {
            let origin = origin.as_ref();
            let is_default = |origin: &Origin<'_>| {
                origin.authority.port == Some(origin.default_port) || origin.text.ends_with(':')
            };
            let parsed = Origin::parse(origin.as_bytes()).filter(|origin| !is_default(origin));
            parsed.map(|_| origin.into()).ok_or_else(|| PolicyError {
                value: origin.to_owned(),
                expected: "an origin as browsers send it, as in https://chat.example.org",
            })
        });
        Ok(Self { allowed: allowed.collect::<Result<_, _>>()?, is_required })
    }

    /// Refuses a request from a page that may not make it.
    pub(super) fn check(&self, head: &Head<'_>) -> Result<(), Refusal> {
        if head.is_repeated(Name::Origin) {
            return Err(Refusal::OriginRepeated);
        }
        match head.value(Name::Origin) {
            None if self.is_required && head.asks_for_websocket() => Err(Refusal::OriginMissing),
            None => Ok(()),
            Some(origin) if self.allows(origin, head.authority()) => Ok(()),
            Some(_) => Err(Refusal::OriginForeign),
        }
    }

    /// Whether a page of `origin` may use the server that was asked for as `host`.
    fn allows(&self, origin: &[u8], host: Option<Authority<'_>>) -> bool {
        let is_own = || {
            let origin = Origin::parse(origin);
            origin.zip(host).is_some_and(|(origin, host)| origin.is_of(host))
        };
        // The configured origins come first, since they need no parsing.
        self.allowed.iter().any(|allowed| allowed.as_bytes() == origin) || is_own()
    }
}

/// An origin of a web page.
#[derive(Clone, Copy, Debug)]
struct Origin<'a> {
    text: &'a str,
    authority: Authority<'a>,
    default_port: u16,
}

impl<'a> Origin<'a> {
    /// Parses an origin as a browser writes it.
    fn parse(text: &'a [u8]) -> Option<Self> {
        let text = super::octets::ascii(text)?;
        let (rest, default_port) = match text.strip_prefix("http://") {
            Some(rest) => (rest, 80),
            None => (text.strip_prefix("https://")?, 443),
        };
        // Browsers write origins in lower case; anything else was not written by one.
        if rest.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        Some(Self { text, authority: Authority::parse(rest.as_bytes())?, default_port })
    }

    /// Whether it is the origin of the page at `host`.
    fn is_of(&self, host: Authority<'_>) -> bool {
        let port = |authority: Authority<'_>| authority.port.unwrap_or(self.default_port);
        self.authority.host == host.host && port(self.authority) == port(host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(origin: &str, host: &str, expect: bool) {
        let policy = OriginPolicy::new(["https://app.example.org", "http://dev.test:3000"], false);
        let host = Authority::parse(host.as_bytes()).unwrap();
        let found = policy.unwrap().allows(origin.as_bytes(), Some(host));
        assert_eq!(found, expect, "{origin:?} at {host:?}");
    }

    #[test]
    fn the_servers_own_page_may() {
        check("http://localhost:8080", "localhost:8080", true);
        check("http://127.0.0.1:8080", "127.0.0.1:8080", true);
        check("http://[::1]:8080", "[::1]:8080", true);
        check("http://chat.example.org", "chat.example.org", true);
        check("http://chat.example.org", "CHAT.example.org", true);
        check("http://chat.example.org.", "chat.example.org.", true);
        check("http://chat.example.org", "chat.example.org:80", true);
        check("http://chat.example.org:443", "chat.example.org:443", true);
    }

    #[test]
    fn the_servers_own_page_behind_a_proxy_with_tls_may() {
        check("https://chat.example.org", "chat.example.org", true);
        check("https://chat.example.org", "chat.example.org:443", true);
        check("https://chat.example.org:8443", "chat.example.org:8443", true);
    }

    #[test]
    fn configured_pages_may() {
        check("https://app.example.org", "chat.example.org", true);
        check("http://dev.test:3000", "localhost:8080", true);
    }

    #[test]
    fn every_other_page_may_not() {
        for origin in [
            "https://evil.example",
            "null",
            "",
            "*",
            "file://",
            "chrome-extension://abcdef",
            "http://localhost",
            "http://localhost:80",
            "http://localhost:8081",
            "http://localhost:80800",
            "http://localhost:08080",
            "http://localhost:+8080",
            "https://localhost",
            "HTTP://localhost:8080",
            "http://LOCALHOST:8080",
            "http://localhost.:8080",
            "http://localhost:8080.",
            "http://localhost:8080/",
            "http://localhost:8080?",
            "http://localhost:8080#",
            "http://localhost:8080 http://evil.example",
            "http://localhost:8080, http://evil.example",
            "http://evil.example http://localhost:8080",
            "http://localhost:8080@evil.example",
            "http://evil.example@localhost:8080",
            "http://ok@localhost:8080",
            "http://localhost:8080.evil.example",
            "http://xlocalhost:8080",
            "http://x.localhost:8080",
            "http://localhost\\:8080",
            "http://localhost%3a8080",
            "http:/localhost:8080",
            "http:localhost:8080",
            "//localhost:8080",
            "localhost:8080",
            "ws://localhost:8080",
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
            "http://l\u{f6}calhost:8080",
            "https://app.example.org.",
            "https://app.example.org:443",
            "https://app.example.org/",
            "http://app.example.org",
            "https://APP.example.org",
            "https://x.app.example.org",
            "https://app.example.org.evil.example",
            "https://app.example.org@evil.example",
            "https://evil.example/https://app.example.org",
            "http://dev.test",
            "http://dev.test:30000",
        ] {
            check(origin, "localhost:8080", false);
        }
        check("http://chat.example.org", "chat.example.org:443", false);
        check("https://chat.example.org", "chat.example.org:80", false);
    }

    #[test]
    fn without_a_host_only_configured_pages_may() {
        let policy = OriginPolicy::new(["https://app.example.org"], false).unwrap();
        assert!(policy.allows(b"https://app.example.org", None));
        assert!(!policy.allows(b"http://localhost", None));
    }

    #[test]
    fn what_no_browser_sends_cannot_be_configured() {
        for origin in [
            "",
            "null",
            "*",
            "example.org",
            "https://Example.org",
            "https://example.org/",
            "https://example.org:443",
            "http://example.org:80",
            "https://example.org:",
            "https://*.example.org",
            "wss://example.org",
            "https://a@example.org",
        ] {
            let error = OriginPolicy::new([origin], false).unwrap_err();
            assert_eq!(error.value, origin);
        }
    }
}
