//! A complete request head, borrowed from the bytes that it came in.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use super::assemble::{Assembler, Complete, Part};
use super::list;
use super::name::Name;
use super::octets::{Span, ascii};
use super::request::RequestLine;
use super::scan::{Field, Scan};
use super::{Authority, Limits, Method, Refusal, Version};

/// Parses request heads, of any number of connections: what a connection must remember between two
/// reads is in its [`PartialHead`].
#[derive(Debug)]
pub struct HeadParser(Assembler<RequestLine>);

/// The head that a connection has begun to send. Empty, and then one pointer wide, as long as it
/// has not.
#[derive(Clone, Debug, Default)]
pub struct PartialHead(Option<Box<Part<RequestLine>>>);

/// What a read has brought.
#[derive(Debug)]
pub enum Parsed<'a> {
    /// All of it belongs to a head that has not ended; it was kept, and the next call goes on.
    Incomplete,
    /// A head has ended.
    Head {
        /// The head.
        head: Head<'a>,
        /// Bytes of the input that belong to it; the rest belong to the WebSocket or to the next
        /// request.
        consumed: usize,
    },
}

impl HeadParser {
    /// A parser that holds heads to `limits`.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self(Assembler::new(limits))
    }

    /// Continues a head whose first bytes are in `partial`, if there are any.
    ///
    /// A head that is whole in `input` is borrowed from it, without an allocation. Afterwards
    /// `partial` is empty except for [`Parsed::Incomplete`].
    ///
    /// # Errors
    ///
    /// The first fault: lines are parsed in order, each as soon as it is complete, then the fields
    /// that frame the message, then `Host`. However the bytes are split over calls, the outcome is
    /// the same. The connection must end: what follows cannot be trusted to be a request.
    pub fn parse<'a>(
        &'a mut self,
        partial: &mut PartialHead,
        input: &'a [u8],
    ) -> Result<Parsed<'a>, Refusal> {
        // Faults are found line by line as they come: whoever sends garbage is not waited for.
        let Some(complete) = self.0.advance(&mut partial.0, input)? else {
            return Ok(Parsed::Incomplete);
        };
        let Complete { bytes, scan, consumed } = complete;
        let Some(line) = scan.start_line else {
            return Ok(Parsed::Incomplete);
        };
        let mut head = Head { bytes, line, scan, authority: None };
        // First of all checks: where it is not certain where the request ends, nothing after it
        // can be trusted (RFC 9112 section 11.2).
        head.check_framing()?;
        head.authority = head.parse_authority()?;
        Ok(Parsed::Head { head, consumed })
    }

    /// How many bytes are kept of the head that was completed last, if it came in parts.
    #[cfg(test)]
    pub(super) fn joined_len(&self) -> usize {
        self.0.joined_len()
    }

    /// How many bytes were looked at for the head that was completed last, each as often as it was.
    #[cfg(test)]
    pub(super) fn examined(&self) -> usize {
        self.0.examined()
    }
}

impl PartialHead {
    /// Whether nothing of a head has come: the connection is idle between two requests.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The bytes of the head that have come.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |part| part.bytes())
    }

    /// HEAD, if what has come says so together with `input`, and otherwise GET, which stands for
    /// all others: the answer to a HEAD has no body, however wrong the rest of it is (RFC 9112
    /// section 6.3).
    #[must_use]
    pub fn method_so_far(&self, input: &[u8]) -> Method {
        let bytes = self.bytes().iter().chain(input);
        // Empty lines may stand before it.
        let line = bytes.skip_while(|byte| matches!(byte, b'\r' | b'\n'));
        if line.take(5).eq(b"HEAD ") { Method::Head } else { Method::Get }
    }

    /// Bytes of memory it occupies besides itself.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.0.as_ref().map_or(0, |part| part.memory())
    }
}

/// A request head that is well-formed and names one host if it is of HTTP/1.1. Where its body ends
/// is beyond doubt.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    bytes: &'a [u8],
    line: RequestLine,
    scan: &'a Scan<RequestLine>,
    authority: Option<Authority<'a>>,
}

impl<'a> Head<'a> {
    /// What is to be done with the target.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.line.method
    }

    /// The version of HTTP that the client speaks: it decides what follows of `Connection`.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.line.version
    }

    /// The path as it came, without the query: nothing is decoded and no dots are resolved, so a
    /// path in another spelling than the server's own finds nothing. `*` for `OPTIONS *`.
    #[must_use]
    pub fn path(&self) -> &'a str {
        // The absolute form may leave out the path (RFC 9112 section 3.2.1).
        let path = self.text(self.line.target.path);
        if path.is_empty() { "/" } else { path }
    }

    /// The query, without the question mark.
    #[must_use]
    pub fn query(&self) -> Option<&'a str> {
        self.line.target.query.map(|query| self.text(query))
    }

    /// The host that was asked for: of an absolute target if there is one (RFC 9112 section 3.2.2),
    /// else of the `Host` field. `None` only in HTTP/1.0.
    #[must_use]
    pub const fn authority(&self) -> Option<Authority<'a>> {
        self.authority
    }

    /// The values of all fields called `name`, in their order.
    pub fn values(&self, name: Name) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (bytes, scan) = (self.bytes, self.scan);
        // The set answers for absent fields without a search, and most lookups are for absent
        // fields.
        let fields = if scan.seen.contains(name) { scan.fields.as_slice() } else { &[] };
        let named = fields.iter().filter(move |field| field.name == name);
        named.map(move |field| field.value.of(bytes))
    }

    /// The value of the first field called `name`.
    #[must_use]
    pub fn value(&self, name: Name) -> Option<&'a [u8]> {
        self.values(name).next()
    }

    /// Whether there is a field called `name`.
    #[must_use]
    pub const fn has(&self, name: Name) -> bool {
        self.scan.seen.contains(name)
    }

    /// Whether there is more than one field called `name`.
    #[must_use]
    pub const fn is_repeated(&self, name: Name) -> bool {
        self.scan.repeated.contains(name)
    }

    /// All fields in their order: name as it came, and value.
    pub fn fields(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + use<'a> {
        let bytes = self.bytes;
        self.scan.fields.iter().map(move |&Field { name_text, value, .. }| {
            (ascii(name_text.of(bytes)).unwrap_or_default(), value.of(bytes))
        })
    }

    /// Whether another request may follow on this connection (RFC 9112 section 9.3): in HTTP/1.1,
    /// unless the client says `Connection: close` or asks for any upgrade, since after an upgrade
    /// that did not happen a proxy on the way may take what follows for something else. A body has
    /// to be read before.
    #[must_use]
    pub fn keep_alive(&self) -> bool {
        self.line.version == Version::Http11
            && !self.scan.seen.contains(Name::Upgrade)
            && !self.values(Name::Connection).any(|value| list::names(value, "close"))
    }

    /// Whether the client asks to change to a WebSocket.
    #[must_use]
    pub fn asks_for_websocket(&self) -> bool {
        self.values(Name::Upgrade).any(|value| list::names(value, "websocket"))
    }

    /// Refuses what leaves open where the request ends (RFC 9112 section 6), whatever the method.
    fn check_framing(&self) -> Result<(), Refusal> {
        if self.scan.seen.contains(Name::TransferEncoding) {
            self.check_coding()?;
        }
        // Also two equal ones: whoever is in front may have taken the other.
        if self.is_repeated(Name::ContentLength) {
            return Err(Refusal::LengthRepeated);
        }
        match self.value(Name::ContentLength) {
            Some(length) if !is_length(length) => Err(Refusal::LengthForm),
            Some(_) | None => Ok(()),
        }
    }

    /// Refuses a body, in any of the ways in which one can be announced, of a method to which it
    /// means nothing (RFC 9110 section 9.3).
    pub(super) fn check_body(&self) -> Result<(), Refusal> {
        // Of another method it is answered that the path does not have it.
        if matches!(self.method(), Method::Post | Method::Put | Method::Other) {
            return Ok(());
        }
        let seen = self.scan.seen;
        if seen.contains(Name::ContentEncoding) {
            return Err(Refusal::ContentCoding);
        }
        let has_length = self.value(Name::ContentLength).is_some_and(|length| length != b"0");
        if has_length || seen.contains(Name::TransferEncoding) {
            return Err(Refusal::Body);
        }
        // Expectations came with HTTP/1.1 and mean nothing before (RFC 9110 section 10.1.1).
        if seen.contains(Name::Expect) && self.line.version == Version::Http11 {
            return Err(Refusal::Expectation);
        }
        Ok(())
    }

    /// Refuses every `Transfer-Encoding` but a plain `chunked`.
    fn check_coding(&self) -> Result<(), Refusal> {
        if self.scan.seen.contains(Name::ContentLength) {
            return Err(Refusal::LengthAndCoding);
        }
        let chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
        // Over all fields of the name: a list may be split over several (RFC 9110 section 5.3).
        let codings = || self.values(Name::TransferEncoding).flat_map(list::elements);
        let ends_well = codings().last().is_some_and(chunked);
        let once = codings().filter(|coding| chunked(coding)).count() == 1;
        if self.line.version == Version::Http10 || !ends_well || !once {
            return Err(Refusal::CodingForm);
        }
        if codings().count() > 1 { Err(Refusal::CodingUnknown) } else { Ok(()) }
    }

    /// The host that was asked for. Requires one valid `Host` in HTTP/1.1, at most one in HTTP/1.0,
    /// even where an absolute target overrules it (RFC 9112 section 3.2).
    fn parse_authority(&self) -> Result<Option<Authority<'a>>, Refusal> {
        let parse = |text: &'a [u8]| Authority::parse(text).ok_or(Refusal::HostForm);
        if self.is_repeated(Name::Host) {
            return Err(Refusal::HostRepeated);
        }
        // Parsed even where the target overrules it: a proxy may have gone by it.
        let host = self.value(Name::Host).map(parse).transpose()?;
        if host.is_none() && self.line.version == Version::Http11 {
            return Err(Refusal::HostMissing);
        }
        let target = self.line.target.authority.map(|span| parse(span.of(self.bytes)));
        target.transpose().map(|target| target.or(host))
    }

    fn text(&self, span: Span) -> &'a str {
        ascii(span.of(self.bytes)).unwrap_or_default()
    }
}

/// Whether `value` is a plain number: anything else may be an attempt at request smuggling.
fn is_length(value: &[u8]) -> bool {
    matches!(value, [b'0'] | [b'1'..=b'9', ..]) && value.iter().all(u8::is_ascii_digit)
}
