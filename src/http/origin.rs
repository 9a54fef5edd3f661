//! Which pages may use this server: the `Origin` of a request (RFC 6454, the Fetch standard).
//!
//! A browser lets any page open a WebSocket to any server, and says in `Origin` which page it was.
//! A page may use this server if its origin is
//!
//! - **the server's own**: the scheme is `http` or `https` (or `ws` or `wss`, which some libraries
//!   write), and host and port are those of the request's `Host`, where an absent port stands for
//!   the scheme's default. A connection over TLS has `https` pages alone, since a page that came in
//!   clear may be anybody's; without TLS the scheme is not compared: behind a proxy that ends TLS
//!   the page's is `https` and the connection's is not;
//! - or **configured**: of a web page, with the same scheme, host and port; of anything else, such
//!   as `capacitor://localhost` or `chrome-extension://ID`, byte for byte.
//!
//! Origins are compared as browsers write them: in lower case, without a path, without a trailing
//! dot that the `Host` does not have. `null` and `file://`, which sandboxed frames and local files
//! have, match only if they are configured: any page can make itself such an origin. A client
//! without `Origin` is not a browser and passes unless configured otherwise, since it could send
//! any origin anyway.

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
    /// What no client sends as an origin: without a scheme, with a wildcard, with a slash at its
    /// end, or with a capital letter in the scheme or the host.
    pub fn new<O: AsRef<str>>(
        allowed: impl IntoIterator<Item = O>,
        is_required: bool,
    ) -> Result<Self, PolicyError> {
        let allowed = allowed.into_iter().map(|origin| {
            let origin = origin.as_ref();
            is_origin(origin).then(|| origin.into()).ok_or_else(|| PolicyError {
                value: origin.to_owned(),
                expected: "an origin as clients send it, as in https://chat.example.org",
            })
        });
        Ok(Self { allowed: allowed.collect::<Result<_, _>>()?, is_required })
    }

    /// Refuses a request from a page that may not make it.
    pub(super) fn check(&self, head: &Head<'_>, scheme: Scheme) -> Result<(), Refusal> {
        if head.is_repeated(Name::Origin) {
            return Err(Refusal::OriginRepeated);
        }
        match head.value(Name::Origin) {
            None if self.is_required && head.asks_for_websocket() => Err(Refusal::OriginMissing),
            None => Ok(()),
            Some(origin) if self.allows(origin, head.authority(), scheme) => Ok(()),
            Some(_) => Err(Refusal::OriginForeign),
        }
    }

    /// The origin of the page of another server that asks, which was let in before.
    #[must_use]
    pub fn other<'a>(head: &Head<'a>) -> Option<&'a str> {
        let text = head.value(Name::Origin)?;
        let is_own = |host| WebOrigin::parse(text).is_some_and(|origin| origin.is_of(host));
        if head.authority().is_some_and(is_own) {
            return None;
        }
        // Nothing that could end a line: it is said again.
        super::octets::ascii(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()))
    }

    /// Whether a page of `origin` may use the server that was asked for as `host` over `scheme`.
    fn allows(&self, origin: &[u8], host: Option<Authority<'_>>, scheme: Scheme) -> bool {
        // The configured origins come first, since they seldom need parsing.
        if self.allowed.iter().any(|allowed| allowed.as_bytes() == origin) {
            return true;
        }
        let Some(origin) = WebOrigin::parse(origin) else { return false };
        let allowed = self.allowed.iter().filter_map(|text| WebOrigin::parse(text.as_bytes()));
        // The page that this server gives out needs no configuration, whatever name it was asked
        // by: `Host` was checked before.
        let is_own = |host| scheme.is_of(origin.scheme) && origin.is_of(host);
        host.is_some_and(is_own)
            || allowed
                .into_iter()
                .any(|allowed| origin.scheme == allowed.scheme && origin.is_of(allowed.authority))
    }
}

/// What a request came over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// TLS, of which this server is the end.
    Https,
    /// A connection in clear, perhaps from a proxy that ends TLS.
    Any,
}

impl Scheme {
    /// Whether the server's own page has an origin of scheme `page`.
    fn is_of(self, page: &str) -> bool {
        self == Self::Any || matches!(page, "https" | "wss")
    }
}

/// The origin of a web page, or of a library that puts the WebSocket's own URL in its place.
#[derive(Clone, Copy, Debug)]
struct WebOrigin<'a> {
    scheme: &'a str,
    authority: Authority<'a>,
    default_port: u16,
}

impl<'a> WebOrigin<'a> {
    /// Parses an origin as a browser writes it.
    fn parse(text: &'a [u8]) -> Option<Self> {
        let text = super::octets::ascii(text)?;
        // A search for all three at once would cost more than the rest of it.
        let (scheme, rest) = text.split_at_checked(text.bytes().position(|byte| byte == b':')?)?;
        let rest = rest.strip_prefix("://")?;
        // Browsers write origins in lower case; anything else was not written by one.
        if rest.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        let default_port = default_port(scheme)?;
        Some(Self { scheme, authority: Authority::parse(rest.as_bytes())?, default_port })
    }

    /// Whether it is the origin of the page at `host`.
    fn is_of(&self, host: Authority<'_>) -> bool {
        let port = |authority: Authority<'_>| authority.port.unwrap_or(self.default_port);
        self.authority.host == host.host && port(self.authority) == port(host)
    }
}

/// The port of a scheme of the web.
fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

/// Whether any page can give itself this origin, by a sandboxed frame or as a local file.
#[must_use]
pub fn is_anybodys(origin: &str) -> bool {
    origin == "null" || origin.starts_with("file:")
}

/// Whether a client may send `text` as its origin: `null`, or a scheme, a host and perhaps a port.
/// Some libraries send a whole URL, but nobody one that ends with a slash.
fn is_origin(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return text == "null" };
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte)
        });
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let is_host = !host.bytes().any(|byte| byte.is_ascii_uppercase())
        && (default_port(scheme).is_none() || Authority::parse(host.as_bytes()).is_some());
    let is_visible = |byte: u8| byte.is_ascii_graphic() && !b"*,\"<>\\".contains(&byte);
    let has_end = !rest.ends_with(['/', '?', ':']) || scheme == "file";
    is_scheme && is_host && has_end && rest.bytes().all(is_visible)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(origin: &str, host: &str, expect: bool) {
        let policy = OriginPolicy::new(["https://app.example.org", "http://dev.test:3000"], false);
        let host = Authority::parse(host.as_bytes()).unwrap();
        let found = policy.unwrap().allows(origin.as_bytes(), Some(host), Scheme::Any);
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
    fn over_tls_the_servers_own_page_has_come_over_tls() {
        let policy = OriginPolicy::new(["http://dev.test:3000"], false).unwrap();
        let host = Authority::parse(b"chat.example.org").unwrap();
        for (origin, expect) in [
            ("https://chat.example.org", true),
            ("wss://chat.example.org", true),
            ("http://chat.example.org", false),
            ("ws://chat.example.org", false),
            ("http://chat.example.org:443", false),
            // Whoever configures a page in clear means it.
            ("http://dev.test:3000", true),
        ] {
            let found = policy.allows(origin.as_bytes(), Some(host), Scheme::Https);
            assert_eq!(found, expect, "{origin}");
        }
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
    fn the_default_port_may_stand_on_either_side_alone() {
        check("https://app.example.org:443", "localhost:8080", true);
        check("https://chat.example.org:443", "chat.example.org", true);
        check("http://chat.example.org:80", "chat.example.org", true);
        check("wss://chat.example.org", "chat.example.org:443", true);
        check("ws://chat.example.org:80", "chat.example.org", true);
        check("https://app.example.org:80", "localhost:8080", false);
    }

    #[test]
    fn the_servers_own_address_may_be_written_as_that_of_a_websocket() {
        check("ws://localhost:8080", "localhost:8080", true);
        check("wss://chat.example.org", "chat.example.org", true);
        check("ws://evil.example:8080", "localhost:8080", false);
        check("wss://app.example.org", "localhost:8080", false);
    }

    #[test]
    fn an_origin_of_any_scheme_may_be_configured_and_then_passes_as_it_stands() {
        let host = Authority::parse(b"localhost:8080").unwrap();
        for origin in [
            "capacitor://localhost",
            "ionic://localhost",
            "tauri://localhost",
            "app://obsidian.md",
            "app://",
            "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
            "moz-extension://5a3f0d3e-6a2b-4c3d-9e1f-0123456789ab",
            "file://",
            "null",
            "ws://127.0.0.1:8080",
            "wss://example.org",
            "http://192.0.2.7/Ws",
            "https://example.org:443",
            "http://example.org:80",
        ] {
            let policy = OriginPolicy::new([origin], false).unwrap();
            assert!(policy.allows(origin.as_bytes(), Some(host), Scheme::Any), "{origin}");
            let default = OriginPolicy::default();
            assert!(!default.allows(origin.as_bytes(), Some(host), Scheme::Any), "{origin}");
            for other in ["https://evil.example", "capacitor://evil", "file:///x", "nul"] {
                let is_let_in = policy.allows(other.as_bytes(), Some(host), Scheme::Any);
                assert!(!is_let_in, "{other} by {origin}");
            }
        }
    }

    #[test]
    fn an_origin_that_any_page_can_have_is_known_as_such() {
        for (origin, expect) in
            [("null", true), ("file://", true), ("https://null", false), ("app://file:", false)]
        {
            assert_eq!(is_anybodys(origin), expect, "{origin}");
        }
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
            "ws://localhost:8081",
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
            "http://l\u{f6}calhost:8080",
            "https://app.example.org.",
            "https://app.example.org:444",
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
        assert!(policy.allows(b"https://app.example.org", None, Scheme::Any));
        assert!(!policy.allows(b"http://localhost", None, Scheme::Any));
    }

    #[test]
    fn what_nobody_sends_cannot_be_configured() {
        for origin in [
            "",
            "*",
            "example.org",
            "://example.org",
            "HTTPS://example.org",
            "https://Example.org",
            "https://example.org/",
            "https://example.org/a/",
            "https://example.org:",
            "https://*.example.org",
            "https://a@example.org",
            "https://",
            "capacitor://localhost/",
            "capacitor://local host",
            "*://localhost",
        ] {
            let error = OriginPolicy::new([origin], false).unwrap_err();
            assert_eq!(error.value, origin);
        }
    }
}
