//! The request line: RFC 9112 section 3.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use memchr::memchr;

use super::octets::{Span, is_target, is_token, token_len};
use super::scan::StartLine;
use super::{Authority, Foreign, HeadPosition, Refusal};

/// A request's method, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// HEAD.
    Head,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// OPTIONS.
    Options,
    /// Any other.
    Other,
}

impl Method {
    /// The method as a word from a fixed set, fit for a metrics label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Options => "OPTIONS",
            Self::Other => "other",
        }
    }

    fn of(text: &[u8]) -> Self {
        match text {
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"POST" => Self::Post,
            b"PUT" => Self::Put,
            b"OPTIONS" => Self::Options,
            _ => Self::Other,
        }
    }
}

/// A request's version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0: no upgrade, no connection that is kept.
    Http10,
    /// HTTP/1.1.
    Http11,
}

impl Version {
    /// Parses the last word of a request line, the first of a status line.
    pub(super) fn parse(text: &[u8], line: u16, offset: usize) -> Result<Self, Refusal> {
        match text {
            b"HTTP/1.1" => return Ok(Self::Http11),
            b"HTTP/1.0" => return Ok(Self::Http10),
            [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
                return Err(Refusal::Version);
            }
            _ => {}
        }
        let (index, byte) = text
            .iter()
            .copied()
            .enumerate()
            .find(|&(_, byte)| !byte.is_ascii_graphic())
            .unwrap_or((0, b'H'));
        let at = HeadPosition::new(line, offset + index);
        let otherwise =
            if byte == b' ' { Refusal::RequestLine { at } } else { Refusal::VersionForm { at } };
        Err(Refusal::of_byte(byte, at, otherwise))
    }
}

/// A parsed request line.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestLine {
    pub(super) method: Method,
    pub(super) version: Version,
    pub(super) target: Target,
}

/// The target of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// The host of the absolute form.
    pub(super) authority: Option<Span>,
    /// Up to the question mark; empty in an absolute form without a path.
    pub(super) path: Span,
    /// After the question mark.
    pub(super) query: Option<Span>,
}

impl StartLine for RequestLine {
    // The first byte of a TLS handshake or of a JSON line shows that the client has the wrong port.
    fn check_first(byte: u8, at: HeadPosition) -> Result<(), Refusal> {
        match byte {
            0x16 => Err(Refusal::NotHttp { foreign: Foreign::Tls }),
            b'{' => Err(Refusal::NotHttp { foreign: Foreign::Json }),
            b'\r' | b'\n' => Ok(()),
            byte if is_token(byte) => Ok(()),
            byte => Err(Refusal::of_byte(byte, at, Refusal::Method { at })),
        }
    }

    fn parse(text: &[u8], start: usize, line: u16) -> Result<Self, Refusal> {
        check_foreign(text)?;
        let method_len = token_len(text);
        let (method, rest) = text.split_at_checked(method_len).unwrap_or_default();
        let at = HeadPosition::new(line, method_len);
        let rest = match rest.split_first() {
            Some((b' ', rest)) if method_len > 0 => rest,
            Some((&byte, _)) => return Err(Refusal::of_byte(byte, at, Refusal::Method { at })),
            None => return Err(Refusal::RequestLine { at }),
        };
        let target_at = method_len + 1;
        let target_len = memchr(b' ', rest).unwrap_or(rest.len());
        let (target, rest) = rest.split_at_checked(target_len).unwrap_or_default();
        let at = HeadPosition::new(line, target_at + target_len);
        let Some((b' ', version)) = rest.split_first().filter(|_| target_len > 0) else {
            check_bytes(target, line, target_at)?;
            return Err(Refusal::RequestLine { at });
        };
        let version = Version::parse(version, line, target_at + target_len + 1)?;
        // CONNECT has a target form of its own, which would otherwise be reported as malformed.
        if method == b"CONNECT" {
            return Err(Refusal::Connect);
        }
        let method = Method::of(method);
        let place = HeadPosition::new(line, target_at);
        let target = Target::parse(target, method, start + target_at, place)?;
        Ok(Self { method, version, target })
    }
}

impl Target {
    /// Parses `text`, which begins at `start` of the head and at `at` for people.
    fn parse(text: &[u8], method: Method, start: usize, at: HeadPosition) -> Result<Self, Refusal> {
        let offset = at.byte.saturating_sub(1);
        if text.starts_with(b"/") {
            check_bytes(text, at.line, offset)?;
            return Ok(Self::path_and_query(text, start, None));
        }
        if text == b"*" && method == Method::Options {
            return Ok(Self { authority: None, path: Span::new(start, 1), query: None });
        }
        let scheme_len = scheme_len(text).ok_or(Refusal::TargetForm { at })?;
        let (_, rest) = text.split_at_checked(scheme_len).unwrap_or_default();
        let host_len = rest.iter().take_while(|&&byte| !matches!(byte, b'/' | b'?')).count();
        let (host, rest) = rest.split_at_checked(host_len).unwrap_or_default();
        Authority::parse(host).ok_or(Refusal::HostForm)?;
        check_bytes(rest, at.line, offset + scheme_len + host_len)?;
        let host = Span::new(start + scheme_len, host_len);
        Ok(Self::path_and_query(rest, start + scheme_len + host_len, Some(host)))
    }

    fn path_and_query(text: &[u8], start: usize, authority: Option<Span>) -> Self {
        let path_len = memchr(b'?', text).unwrap_or(text.len());
        let query = text.get(path_len + 1..);
        Self {
            authority,
            path: Span::new(start, path_len),
            query: query.map(|query| Span::new(start + path_len + 1, query.len())),
        }
    }
}

/// The length of `http://` or `https://` at the beginning, in any case.
fn scheme_len(text: &[u8]) -> Option<usize> {
    let begins = |scheme: &&[u8]| {
        text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    [&b"http://"[..], b"https://"].into_iter().find(begins).map(<[u8]>::len)
}

/// Refuses bytes that must be percent-encoded and percent signs that encode nothing.
fn check_bytes(text: &[u8], line: u16, offset: usize) -> Result<(), Refusal> {
    // Without an early exit, so that it is done for many bytes at once; nearly all are right.
    if text.iter().fold(true, |right, &byte| right & (is_target(byte) && byte != b'%')) {
        return Ok(());
    }
    for (index, &byte) in text.iter().enumerate() {
        let at = HeadPosition::new(line, offset + index);
        if !is_target(byte) {
            return Err(Refusal::of_byte(byte, at, Refusal::TargetByte { at }));
        }
        let is_encoded = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
        // A lone percent sign is decoded in different ways, so it could name two paths.
        if byte == b'%' && !text.get(index + 1..index + 3).is_some_and(is_encoded) {
            return Err(Refusal::TargetByte { at });
        }
    }
    Ok(())
}

/// Recognises other protocols by their first line.
fn check_foreign(text: &[u8]) -> Result<(), Refusal> {
    let foreign = match text {
        b"PRI * HTTP/2.0" => Foreign::Http2,
        [b'S', b'S', b'H', b'-', ..] => Foreign::Ssh,
        [b'P', b'R', b'O', b'X', b'Y', b' ', ..] => Foreign::Proxy,
        _ => return Ok(()),
    };
    Err(Refusal::NotHttp { foreign })
}
