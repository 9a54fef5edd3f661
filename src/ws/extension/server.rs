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
    let mut lines = lines.into_iter().peekable();
    if lines.peek().is_none() {
        return Ok(None);
    }
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
            ("client_max_window_bits", Some(value)) => drop(parse_window_bits(value)?),
            ("server_max_window_bits", Some(value)) => {
                server_max_window_bits = Some(WindowBits::new(parse_window_bits(value)?)?);
            }
            _ => return None,
        }
    }
    Some(Accepted { server_max_window_bits })
}
