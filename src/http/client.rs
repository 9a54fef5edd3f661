//! The opening handshake, the client's side: RFC 6455 section 4.1.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::borrow::Cow;
use std::fmt;

use super::accept::AcceptKey;
use super::assemble::{Assembler, Complete, Part};
use super::name::Name;
use super::octets::ascii;
use super::request::Version;
use super::scan::{Scan, StartLine};
use super::upgrade::{NotAscii, join};
use super::{HeadPosition, Limits, Refusal, list};

/// What a client asks for. The texts must be fit for a request head; they are the client's own.
#[derive(Clone, Copy, Debug)]
pub struct UpgradeRequest<'a> {
    /// Host and port as for the `Host` field.
    pub host: &'a str,
    /// The path, with a query if need be.
    pub path: &'a str,
    /// The key, as made by [`encode_key`](super::encode_key).
    pub key: &'a str,
    /// The origin of a page; `None` for a client that is no browser.
    pub origin: Option<&'a str>,
    /// The subprotocols by preference; none offers none.
    pub protocols: &'a [&'a str],
    /// The value of `Sec-WebSocket-Extensions`.
    pub extensions: Option<&'a str>,
}

impl UpgradeRequest<'_> {
    /// Appends the request head to `out`.
    pub fn render(&self, out: &mut Vec<u8>) {
        let protocols = self.protocols.join(", ");
        let protocols = Some(protocols.as_str()).filter(|protocols| !protocols.is_empty());
        out.extend_from_slice(b"GET ");
        out.extend_from_slice(self.path.as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\n");
        for (name, value) in [
            (Name::Host, Some(self.host)),
            (Name::Upgrade, Some("websocket")),
            (Name::Connection, Some("Upgrade")),
            (Name::WebSocketVersion, Some("13")),
            (Name::WebSocketKey, Some(self.key)),
            (Name::Origin, self.origin),
            (Name::WebSocketProtocol, protocols),
            (Name::WebSocketExtensions, self.extensions),
        ] {
            let Some(value) = value else { continue };
            out.extend_from_slice(name.text().as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// The status line of a response (RFC 9112 section 4).
#[derive(Clone, Copy, Debug)]
struct StatusLine {
    version: Version,
    code: u16,
}

impl StartLine for StatusLine {
    fn check_first(byte: u8, at: HeadPosition) -> Result<(), Refusal> {
        match byte {
            b'H' | b'\r' | b'\n' => Ok(()),
            _ => Err(Refusal::StatusLine { at }),
        }
    }

    fn parse(text: &[u8], _start: usize, line: u16) -> Result<Self, Refusal> {
        let malformed = Refusal::StatusLine { at: HeadPosition::new(line, 0) };
        let (version, rest) = text.split_at_checked(8).ok_or(malformed)?;
        let version = Version::parse(version, line, 0)?;
        // The blank after the code is there also where the reason is empty (RFC 9112 section 4).
        let [b' ', digits @ .., b' '] = rest.get(..5).ok_or(malformed)? else {
            return Err(malformed);
        };
        let plain = digits.iter().all(u8::is_ascii_digit);
        let code = ascii(digits).filter(|_| plain).and_then(|digits| digits.parse().ok());
        Ok(Self { version, code: code.ok_or(malformed)? })
    }
}

/// Why a server's answer is no WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The head is malformed.
    Malformed(Refusal),
    /// The status is another one than 101.
    Status(u16),
    /// The version is not HTTP/1.1.
    Version,
    /// `Upgrade` is not `websocket`, or `Connection` does not name it.
    Upgrade,
    /// The accept value is missing, repeated or not the answer to the key.
    Accept,
    /// The subprotocol was not offered.
    Protocol,
    /// The extensions are not ASCII.
    Extensions,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(refusal) => write!(f, "malformed answer: {refusal}"),
            Self::Status(code) => write!(f, "the server answered {code} instead of 101"),
            Self::Version => f.write_str("the server answered in HTTP/1.0"),
            Self::Upgrade => f.write_str("the answer does not change to websocket"),
            Self::Accept => f.write_str("the answer does not prove that the server read the key"),
            Self::Protocol => f.write_str("the server chose a subprotocol that was not offered"),
            Self::Extensions => f.write_str("the extensions in the answer are not ASCII"),
        }
    }
}

impl std::error::Error for Mismatch {}

/// What server and client have agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switched<'a> {
    /// Bytes of the input that belong to the answer; the rest are frames.
    pub consumed: usize,
    /// The subprotocol.
    pub protocol: Option<&'a str>,
    /// The extensions as they came, several fields joined by commas.
    pub extensions: Option<Cow<'a, str>>,
}

/// Checks the answers to upgrade requests, of any number of connections.
#[derive(Debug)]
pub struct AnswerParser(Assembler<StatusLine>);

/// The answer that has begun to come on one connection.
#[derive(Debug, Default)]
pub struct PartialAnswer(Option<Box<Part<StatusLine>>>);

impl AnswerParser {
    /// A parser that holds heads to `limits`.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self(Assembler::new(limits))
    }

    /// Goes on with the answer to a request with the key that `accept` belongs to and the
    /// `protocols`; `None` as long as it is incomplete.
    ///
    /// # Errors
    ///
    /// The first fault of the answer (section 4.1); the client must close the connection.
    pub fn parse<'a>(
        &'a mut self,
        partial: &mut PartialAnswer,
        input: &'a [u8],
        accept: &AcceptKey,
        protocols: &[&str],
    ) -> Result<Option<Switched<'a>>, Mismatch> {
        let complete = self.0.advance(&mut partial.0, input).map_err(Mismatch::Malformed)?;
        let Some(Complete { bytes, scan, consumed }) = complete else {
            return Ok(None);
        };
        let answer = Answer { bytes, scan };
        answer.check(accept)?;
        let protocol = answer.protocol(protocols)?;
        let extensions = join(answer.values(Name::WebSocketExtensions))
            .map_err(|NotAscii| Mismatch::Extensions)?;
        Ok(Some(Switched { consumed, protocol, extensions }))
    }
}

/// A complete answer.
struct Answer<'a> {
    bytes: &'a [u8],
    scan: &'a Scan<StatusLine>,
}

impl<'a> Answer<'a> {
    fn values(&self, name: Name) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let bytes = self.bytes;
        let named = self.scan.fields.iter().filter(move |field| field.name == name);
        named.map(move |field| field.value.of(bytes))
    }

    /// The value of a field that occurs once.
    fn single(&self, name: Name) -> Option<&'a [u8]> {
        self.values(name).next().filter(|_| !self.scan.repeated.contains(name))
    }

    fn check(&self, accept: &AcceptKey) -> Result<(), Mismatch> {
        match self.scan.start_line {
            Some(StatusLine { code: 101, version: Version::Http11 }) => {}
            Some(StatusLine { code: 101, version: Version::Http10 }) | None => {
                return Err(Mismatch::Version);
            }
            Some(StatusLine { code, .. }) => return Err(Mismatch::Status(code)),
        }
        let is_websocket = self
            .single(Name::Upgrade)
            .is_some_and(|value| value.eq_ignore_ascii_case(b"websocket"));
        let mut connection = self.values(Name::Connection);
        if !is_websocket || !connection.any(|value| list::names(value, "upgrade")) {
            return Err(Mismatch::Upgrade);
        }
        if self.single(Name::WebSocketAccept) != Some(accept.as_str().as_bytes()) {
            return Err(Mismatch::Accept);
        }
        Ok(())
    }

    /// The subprotocol, which must be one of `offered`.
    fn protocol(&self, offered: &[&str]) -> Result<Option<&'a str>, Mismatch> {
        if !self.scan.seen.contains(Name::WebSocketProtocol) {
            return Ok(None);
        }
        let chosen = self.single(Name::WebSocketProtocol).and_then(ascii);
        chosen.filter(|chosen| offered.contains(chosen)).map(Some).ok_or(Mismatch::Protocol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{HttpDate, render_switching};

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const OFFERED: [&str; 2] = ["chinwag.v2", "chinwag.v1"];
    const GOOD: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

    fn answer<'a>(
        parser: &'a mut AnswerParser,
        text: &'a str,
    ) -> Result<Option<Switched<'a>>, Mismatch> {
        let accept = AcceptKey::of(KEY.as_bytes()).unwrap();
        parser.parse(&mut PartialAnswer::default(), text.as_bytes(), &accept, &OFFERED)
    }

    #[track_caller]
    fn check(good: &str, replacement: &str, expect: Mismatch) {
        let text = format!("{GOOD}\r\n").replace(good, replacement);
        let mut parser = AnswerParser::new(Limits::DEFAULT);
        assert_eq!(answer(&mut parser, &text), Err(expect), "{replacement:?}");
    }

    #[test]
    fn what_a_client_asks_for_this_server_admits() {
        let mut out = Vec::new();
        let request = UpgradeRequest {
            host: "localhost:8080",
            path: "/ws?a=b",
            key: KEY,
            origin: Some("http://localhost:8080"),
            protocols: &OFFERED,
            extensions: Some("permessage-deflate"),
        };
        request.render(&mut out);
        let mut parser = crate::http::HeadParser::new(Limits::DEFAULT);
        let parsed = parser.parse(&mut crate::http::PartialHead::default(), &out).unwrap();
        let crate::http::Parsed::Head { head, consumed } = parsed else { panic!("incomplete") };
        assert_eq!((head.path(), head.query(), consumed), ("/ws", Some("a=b"), out.len()));
        let upgrade = crate::http::Upgrade::negotiate(&head, &["chinwag.v1"]).unwrap();
        assert_eq!(upgrade.protocol, Some("chinwag.v1"));
        assert_eq!(upgrade.extensions.as_deref(), Some("permessage-deflate"));
    }

    #[test]
    fn what_this_server_answers_a_client_takes() {
        let accept = AcceptKey::of(KEY.as_bytes()).unwrap();
        for protocol in [None, Some("chinwag.v1")] {
            for extensions in [None, Some("permessage-deflate; server_no_context_takeover")] {
                let mut out = Vec::new();
                render_switching(&mut out, HttpDate::at(0), &accept, protocol, extensions);
                let head_len = out.len();
                out.extend_from_slice(b"frames");
                let text = String::from_utf8(out).unwrap();
                let mut parser = AnswerParser::new(Limits::DEFAULT);
                let extensions = extensions.map(Cow::Borrowed);
                let expect = Switched { consumed: head_len, protocol, extensions };
                assert_eq!(answer(&mut parser, &text), Ok(Some(expect)));
            }
        }
    }

    #[test]
    fn an_answer_in_single_bytes_is_the_same() {
        let text = format!("{GOOD}Sec-WebSocket-Protocol: chinwag.v1\r\n\r\n");
        let accept = AcceptKey::of(KEY.as_bytes()).unwrap();
        let mut parser = AnswerParser::new(Limits::DEFAULT);
        let mut partial = PartialAnswer::default();
        for (index, byte) in text.as_bytes().chunks(1).enumerate() {
            let switched = parser.parse(&mut partial, byte, &accept, &OFFERED).unwrap();
            assert_eq!(switched.is_some(), index + 1 == text.len());
        }
    }

    #[test]
    fn an_answer_that_is_no_websocket_is_refused() {
        for status in ["200 OK", "301 Moved", "401 No", "426 Upgrade Required", "503 Busy"] {
            let code = status.split(' ').next().unwrap().parse().unwrap();
            check("101 Switching Protocols", status, Mismatch::Status(code));
        }
        check("HTTP/1.1 101", "HTTP/1.0 101", Mismatch::Version);
        check("Upgrade: websocket\r\n", "", Mismatch::Upgrade);
        check("Upgrade: websocket", "Upgrade: websocket, h2c", Mismatch::Upgrade);
        check("Connection: Upgrade\r\n", "", Mismatch::Upgrade);
        check("Connection: Upgrade", "Connection: keep-alive", Mismatch::Upgrade);
        check("s3pP", "S3pP", Mismatch::Accept);
        check("Sec-WebSocket-Accept", "X", Mismatch::Accept);
        let protocol = |name: &str| format!("{GOOD}Sec-WebSocket-Protocol: {name}\r\n");
        check(GOOD, &protocol("mqtt"), Mismatch::Protocol);
        check(GOOD, &protocol("chinwag.v1, chinwag.v2"), Mismatch::Protocol);
        check(GOOD, &protocol(""), Mismatch::Protocol);
        check(GOOD, &format!("{GOOD}Sec-WebSocket-Extensions: \u{e9}\r\n"), Mismatch::Extensions);
    }

    #[test]
    fn a_malformed_answer_is_refused() {
        let status =
            |byte| Mismatch::Malformed(Refusal::StatusLine { at: HeadPosition { line: 1, byte } });
        check("HTTP/1.1 101 Switching Protocols", "SSH-2.0-x", status(1));
        for line in [
            "HTTP/1.1 101",
            "HTTP/1.1  101 x",
            "HTTP/1.1 10 x",
            "HTTP/1.1 +10 x",
            "HTTP/1.1 1010 x",
        ] {
            check("HTTP/1.1 101 Switching Protocols", line, status(1));
        }
        let at = HeadPosition { line: 2, byte: 19 };
        check("websocket\r\n", "websocket\n", Mismatch::Malformed(Refusal::BareLf { at }));
    }
}
