//! A client's side of the negotiation: RFC 7692 section 7.1.

use std::fmt;

use super::list::{Extension, parse_extensions};
use super::{Deflate, PERMESSAGE_DEFLATE, WindowBits, parse_window_bits};

/// A client's offer of permessage-deflate. Its `Display` is the value of the request's
/// `Sec-WebSocket-Extensions`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// The largest window that the server shall use; `None` leaves it free.
    pub server_max_window_bits: Option<WindowBits>,
    /// Whether the server may bound the client's window.
    pub client_max_window_bits: bool,
}

/// The server's answer is not one to the offer: the client must fail the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadResponse;

impl fmt::Display for BadResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server's Sec-WebSocket-Extensions does not answer what was offered")
    }
}

impl std::error::Error for BadResponse {}

/// Without context takeover in either direction: demanded of the server, announced by the client.
impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PERMESSAGE_DEFLATE}; server_no_context_takeover; client_no_context_takeover")?;
        if let Some(bits) = self.server_max_window_bits {
            write!(f, "; server_max_window_bits={}", bits.as_u8())?;
        }
        if self.client_max_window_bits {
            f.write_str("; client_max_window_bits")?;
        }
        Ok(())
    }
}

impl Offer {
    /// Reads the lines of the response's `Sec-WebSocket-Extensions`: `None` if the server declined.
    ///
    /// # Errors
    ///
    /// [`BadResponse`] unless there is one extension, the one offered, with parameters that answer
    /// the offer's. A client's window of 8 bits is refused, too: zlib cannot keep it.
    pub fn confirm<'a>(
        self,
        lines: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Option<Deflate>, BadResponse> {
        match parse_extensions(lines).as_deref() {
            Ok([]) => Ok(None),
            Ok([only]) if only.name == PERMESSAGE_DEFLATE => {
                self.confirm_params(only).map(Some).ok_or(BadResponse)
            }
            _ => Err(BadResponse),
        }
    }

    fn confirm_params(self, response: &Extension<'_>) -> Option<Deflate> {
        let mut server_keeps_no_context = false;
        let mut server_bits = 15;
        let mut window_bits = WindowBits::default();
        for (i, (name, value)) in response.params.iter().enumerate() {
            // A quadratic search in a list that its parser has bounded to 64.
            if response.params.iter().take(i).any(|(earlier, _)| earlier == name) {
                return None;
            }
            match (*name, value.as_deref()) {
                ("server_no_context_takeover", None) => server_keeps_no_context = true,
                ("client_no_context_takeover", None) => {}
                ("server_max_window_bits", Some(value)) => server_bits = parse_window_bits(value)?,
                ("client_max_window_bits", Some(value)) if self.client_max_window_bits => {
                    window_bits = WindowBits::new(parse_window_bits(value)?)?;
                }
                _ => return None,
            }
        }
        // The inflater has the largest window, so that a server which says nothing is right, too.
        let server_bits_max = self.server_max_window_bits.unwrap_or_default().as_u8();
        (server_keeps_no_context && server_bits <= server_bits_max)
            .then_some(Deflate { window_bits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::extension::negotiate;

    #[track_caller]
    fn check(offer: Offer, response: &str, expect: Result<Option<u8>, BadResponse>) {
        let found = offer.confirm([response.as_bytes()]);
        let found = found.map(|deflate| deflate.map(|deflate| deflate.window_bits.as_u8()));
        assert_eq!(found, expect, "{offer}: {response}");
    }

    const FREE: Offer = Offer { server_max_window_bits: None, client_max_window_bits: true };
    const BOUND: Offer =
        Offer { server_max_window_bits: Some(WindowBits::Ten), client_max_window_bits: false };
    const NO_CONTEXT: &str = "permessage-deflate; server_no_context_takeover";

    #[test]
    fn our_own_server_takes_every_offer_and_its_answer_is_confirmed() {
        for bits in WindowBits::ALL.into_iter().map(Some).chain([None]) {
            for client_max_window_bits in [false, true] {
                let offer = Offer { server_max_window_bits: bits, client_max_window_bits };
                let accepted = negotiate([offer.to_string().as_bytes()]).unwrap().unwrap();
                assert_eq!(accepted.deflate().window_bits, bits.unwrap_or_default());
                check(offer, &accepted.to_string(), Ok(Some(15)));
            }
        }
    }

    #[test]
    fn the_servers_bounds_are_heeded() {
        check(FREE, NO_CONTEXT, Ok(Some(15)));
        check(FREE, &format!("{NO_CONTEXT}; client_max_window_bits=9"), Ok(Some(9)));
        check(FREE, &format!("{NO_CONTEXT}; server_max_window_bits=8"), Ok(Some(15)));
        check(BOUND, &format!("{NO_CONTEXT}; server_max_window_bits=10"), Ok(Some(15)));
        check(BOUND, &format!("{NO_CONTEXT}; server_max_window_bits=9"), Ok(Some(15)));
    }

    #[test]
    fn an_answer_to_another_question_is_refused() {
        for (offer, response) in [
            (FREE, "permessage-deflate".to_owned()),
            (FREE, "foo".to_owned()),
            (FREE, format!("{NO_CONTEXT}, {NO_CONTEXT}")),
            (FREE, format!("{NO_CONTEXT}, foo")),
            (FREE, format!("{NO_CONTEXT}; server_no_context_takeover")),
            (FREE, format!("{NO_CONTEXT}; client_max_window_bits")),
            (FREE, format!("{NO_CONTEXT}; client_max_window_bits=8")),
            (FREE, format!("{NO_CONTEXT}; client_max_window_bits=010")),
            (FREE, format!("{NO_CONTEXT}; unknown")),
            (FREE, format!("{NO_CONTEXT}; server_max_window_bits=16")),
            (BOUND, NO_CONTEXT.to_owned()),
            (BOUND, format!("{NO_CONTEXT}; server_max_window_bits=11")),
            (BOUND, format!("{NO_CONTEXT}; server_max_window_bits=10; client_max_window_bits=10")),
        ] {
            check(offer, &response, Err(BadResponse));
        }
    }

    #[test]
    fn no_answer_is_no_compression() {
        assert_eq!(FREE.confirm([]), Ok(None));
        assert_eq!(FREE.confirm([&b""[..]]), Ok(None));
    }
}
