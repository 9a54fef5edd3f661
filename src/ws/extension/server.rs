//! The server's side of the negotiation: RFC 7692 section 7.1.

use std::fmt;

use super::list::{Extension, parse_extensions};
use super::{Deflate, MalformedExtensions, PERMESSAGE_DEFLATE, WindowBits, parse_window_bits};

/// An offer that the server takes. Its `Display` is the value of the response's
/// `Sec-WebSocket-Extensions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The bound on the server's window that the client asked for.
    server_max_window_bits: Option<WindowBits>,
}

impl Accepted {
    /// What the connection goes by from here on.
    #[must_use]
    pub fn deflate(self) -> Deflate {
        Deflate { window_bits: self.server_max_window_bits.unwrap_or_default() }
    }
}

/// Without context takeover in either direction, which a server may say unasked.
impl fmt::Display for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PERMESSAGE_DEFLATE}; server_no_context_takeover; client_no_context_takeover")?;
        match self.server_max_window_bits {
            None => Ok(()),
            Some(bits) => write!(f, "; server_max_window_bits={}", bits.as_u8()),
        }
    }
}

/// Chooses among what the lines of a request's `Sec-WebSocket-Extensions` offer: the first offer of
/// permessage-deflate that can be kept, or `None`.
///
/// Unknown extensions are skipped. An offer with a parameter that is unknown, repeated or has a bad
/// value is declined, as section 7 demands, and so is one that demands a window of 8 bits; the
/// connection then goes on without it.
///
/// # Errors
///
/// [`MalformedExtensions`] if the header breaks its grammar: refuse the upgrade with 400.
pub fn negotiate<'a>(
    lines: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Option<Accepted>, MalformedExtensions> {
    Ok(parse_extensions(lines)?.iter().find_map(accept))
}

fn accept(offer: &Extension<'_>) -> Option<Accepted> {
    if offer.name != PERMESSAGE_DEFLATE {
        return None;
    }
    let mut server_max_window_bits = None;
    for (i, (name, value)) in offer.params.iter().enumerate() {
        if offer.params.iter().take(i).any(|(earlier, _)| earlier == name) {
            return None;
        }
        match (*name, value.as_deref()) {
            // No context is kept, asked for or not; and the inflater has the largest window.
            (
                "server_no_context_takeover"
                | "client_no_context_takeover"
                | "client_max_window_bits",
                None,
            ) => {}
            ("client_max_window_bits", Some(value)) => {
                parse_window_bits(value)?;
            }
            ("server_max_window_bits", Some(value)) => {
                server_max_window_bits = Some(WindowBits::new(parse_window_bits(value)?)?);
            }
            _ => return None,
        }
    }
    Some(Accepted { server_max_window_bits })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str =
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

    /// `expect` is what the answer has beyond [`PLAIN`], `None` if the extension is declined.
    #[track_caller]
    fn check(offer: &str, expect: Option<&str>) {
        let found = negotiate([offer.as_bytes()]).map(|found| found.map(|found| found.to_string()));
        assert_eq!(found, Ok(expect.map(|expect| format!("{PLAIN}{expect}"))), "{offer}");
    }

    #[test]
    fn the_offers_of_browsers_and_of_the_rfc_are_taken() {
        for offer in [
            "permessage-deflate",
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; client_max_window_bits=8",
            "permessage-deflate; client_max_window_bits=15; server_no_context_takeover",
            "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
            "permessage-deflate; client_max_window_bits=\"10\"",
            "x-webkit-deflate-frame, permessage-deflate; client_max_window_bits",
        ] {
            check(offer, Some(""));
        }
    }

    #[test]
    fn the_servers_window_is_kept_from_9_to_15_bits() {
        for bits in 0..=20 {
            let offer = format!("permessage-deflate; server_max_window_bits={bits}");
            let answer = format!("; server_max_window_bits={bits}");
            check(&offer, (9..=15).contains(&bits).then_some(&answer));
            let deflate = negotiate([offer.as_bytes()]).unwrap().map(Accepted::deflate);
            let expect = WindowBits::new(bits).map(|window_bits| Deflate { window_bits });
            assert_eq!(deflate, expect);
        }
        let unbounded = negotiate([&b"permessage-deflate"[..]]).unwrap().unwrap().deflate();
        assert_eq!(unbounded.window_bits, WindowBits::Fifteen);
    }

    #[test]
    fn a_bad_offer_is_declined_and_not_an_error() {
        for params in [
            "server_max_window_bits",
            "server_max_window_bits=010",
            "server_max_window_bits=+9",
            "server_max_window_bits=x",
            "server_max_window_bits=9.0",
            "server_max_window_bits=100",
            "client_max_window_bits=7",
            "client_max_window_bits=16",
            "client_max_window_bits=08",
            "client_max_window_bits=0",
            "server_no_context_takeover=1",
            "client_no_context_takeover=true",
            "unknown",
            "unknown=1",
            "server_max_window_bits=10; server_max_window_bits=10",
            "client_max_window_bits; client_max_window_bits=10",
            "server_no_context_takeover; server_no_context_takeover",
            "Server_No_Context_Takeover",
        ] {
            check(&format!("permessage-deflate; {params}"), None);
        }
        for other in ["permessage-bzip2", "Permessage-Deflate", "permessage-deflate2", "foo, bar"] {
            check(other, None);
        }
    }

    #[test]
    fn the_first_offer_that_can_be_kept_is_taken() {
        check(
            "permessage-deflate; server_max_window_bits=8, permessage-deflate; nonsense, \
             permessage-deflate; server_max_window_bits=12, permessage-deflate",
            Some("; server_max_window_bits=12"),
        );
        let lines = ["foo", "permessage-deflate; server_max_window_bits=9"].map(str::as_bytes);
        assert_eq!(negotiate(lines).unwrap().unwrap().deflate().window_bits, WindowBits::Nine);
    }

    #[test]
    fn no_header_and_an_empty_one_are_no_offer_and_a_malformed_one_a_bad_request() {
        assert_eq!(negotiate([]), Ok(None));
        assert_eq!(negotiate([&b""[..]]), Ok(None));
        for line in ["permessage-deflate; server_max_window_bits=", "permessage-deflate;"] {
            assert_eq!(negotiate([line.as_bytes()]), Err(MalformedExtensions::Grammar), "{line}");
        }
    }
}
