//! The handshakes of many connections to one server: RFC 6455 section 4.1.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use crate::http::{AcceptKey, AnswerParser, Limits, Mismatch, PartialAnswer, UpgradeRequest};

/// The key of RFC 6455 section 1.3, for every connection: it is there to show that the server reads
/// WebSocket, not to be secret.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// Asks for upgrades and checks the answers.
#[derive(Debug)]
pub struct Opening {
    host: String,
    protocols: Vec<&'static str>,
    accept: Option<AcceptKey>,
    parser: AnswerParser,
    /// The last answer that was good: most servers give all connections the same.
    known: Vec<u8>,
}

impl Opening {
    /// Openings of connections to `host`, as for the `Host` field, with these subprotocols.
    #[must_use]
    pub fn new(host: String, protocols: Vec<&'static str>) -> Self {
        let (accept, parser) =
            (AcceptKey::of(KEY.as_bytes()), AnswerParser::new(Limits::default()));
        Self { host, protocols, accept, parser, known: Vec::new() }
    }

    /// The request for `path`.
    #[must_use]
    pub fn request(&self, path: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let (key, protocols) = (KEY, self.protocols.as_slice());
        let (origin, extensions) = (None, None);
        let request = UpgradeRequest { host: &self.host, path, key, origin, protocols, extensions };
        request.render(&mut out);
        out
    }

    /// Goes on with the answer; once it is complete and good, how many bytes of `input` were its.
    /// `partial` is `None` as long as nothing of it has come.
    ///
    /// # Errors
    ///
    /// What is wrong with it; the connection must be closed.
    pub fn check(
        &mut self,
        partial: &mut Option<PartialAnswer>,
        input: &[u8],
    ) -> Result<Option<usize>, Mismatch> {
        if partial.is_none() && !self.known.is_empty() && input.starts_with(&self.known) {
            return Ok(Some(self.known.len()));
        }
        let is_first = partial.is_none();
        let Some(accept) = &self.accept else { return Err(Mismatch::Accept) };
        let begun = partial.get_or_insert_default();
        let switched = self.parser.parse(begun, input, accept, &self.protocols)?;
        let Some(consumed) = switched.map(|switched| switched.consumed) else { return Ok(None) };
        *partial = None;
        if is_first {
            self.known = input.get(..consumed).unwrap_or_default().to_vec();
        }
        Ok(Some(consumed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

    #[test]
    fn a_good_answer_is_known_again_and_split_anywhere() {
        let mut opening = Opening::new("localhost".to_owned(), Vec::new());
        for end in (0..=GOOD.len()).rev() {
            let mut partial = None;
            let first = opening.check(&mut partial, &GOOD[..end]);
            if end == GOOD.len() {
                assert_eq!(first, Ok(Some(end)));
                continue;
            }
            assert_eq!(first, Ok(None), "{end} bytes");
            let rest = [&GOOD[end..], b"\x81\x00"].concat();
            assert_eq!(opening.check(&mut partial, &rest), Ok(Some(GOOD.len() - end)));
            assert!(partial.is_none());
        }
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let mut opening = Opening::new("localhost".to_owned(), Vec::new());
        assert_eq!(opening.check(&mut None, GOOD), Ok(Some(GOOD.len())));
        let wrong = String::from_utf8(GOOD.to_vec()).unwrap().replace("s3p", "t3p");
        assert_eq!(opening.check(&mut None, wrong.as_bytes()), Err(Mismatch::Accept));
        let busy = b"HTTP/1.1 503 Service Unavailable\r\n\r\n";
        assert_eq!(opening.check(&mut None, busy), Err(Mismatch::Status(503)));
    }

    #[test]
    fn the_request_names_host_and_path() {
        let request = Opening::new("h:1".to_owned(), vec!["chinwag.v1"]).request("/room/3");
        let request = String::from_utf8(request).unwrap();
        assert!(request.starts_with("GET /room/3 HTTP/1.1\r\nHost: h:1\r\n"), "{request}");
        assert!(request.contains("\r\nSec-WebSocket-Protocol: chinwag.v1\r\n"), "{request}");
    }
}
