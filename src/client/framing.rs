//! How messages are told apart: as WebSocket frames or as lines.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use crate::ws::{
    CloseCode, FrameHeader, MaskKey, Opcode, Role, Violation, decode_close, encode, encode_close,
};

/// What every frame of this client is masked with. Masks are to keep a browser's scripts from
/// writing bytes of their choice to a proxy (RFC 6455 section 10.3); here nobody's bytes are
/// foreign.
pub const MASK: MaskKey = [0x37, 0xfa, 0x21, 0x3d];

/// How messages are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// RFC 6455, after the upgrade; without extensions.
    WebSocket,
    /// A line each, over plain TCP.
    Lines,
    /// Server-Sent Events, after the response's head: a client says nothing.
    Events,
}

/// One whole thing that the server said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit<'a> {
    /// A text or binary message, or a line without its end.
    Message(&'a [u8]),
    /// A ping, whose payload belongs into a pong, or a comment, which needs no answer.
    Ping(&'a [u8]),
    /// A pong.
    Pong,
    /// The server's close frame.
    Close {
        /// The code, if it gave one.
        code: Option<CloseCode>,
        /// The reason in words.
        reason: &'a str,
    },
}

impl Framing {
    /// The unit at the front of `input`, and how many bytes it takes there; `None` as long as it is
    /// incomplete: the caller then retries with the same bytes and more.
    ///
    /// # Errors
    ///
    /// What is wrong with it. A message of more than `len_max` bytes is
    /// [`Violation::MessageTooLong`], one in several frames [`Violation::TooManyFragments`].
    pub fn split(
        self,
        input: &[u8],
        len_max: usize,
    ) -> Result<Option<(Unit<'_>, usize)>, Violation> {
        match self {
            Self::WebSocket => split_frame(input, len_max),
            Self::Lines => split_line(input, len_max),
            Self::Events => split_event(input, len_max),
        }
    }

    /// Appends a text message; in lines, `text` must have no line's end. Nothing where a client
    /// says nothing.
    pub fn put_message(self, text: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::WebSocket => encode(Opcode::Text, text, Some(MASK), out),
            Self::Lines => {
                out.extend_from_slice(text);
                out.push(b'\n');
            }
            Self::Events => {}
        }
    }

    /// Appends the answer to a ping; nothing in lines, where there are none.
    pub fn put_pong(self, payload: &[u8], out: &mut Vec<u8>) {
        if self == Self::WebSocket {
            encode(Opcode::Pong, payload, Some(MASK), out);
        }
    }

    /// Appends the client's last word; nothing in lines, where the end of the connection says it.
    pub fn put_close(self, code: Option<CloseCode>, out: &mut Vec<u8>) {
        if self == Self::WebSocket {
            encode_close(code, "", Some(MASK), out);
        }
    }
}

fn split_frame(input: &[u8], len_max: usize) -> Result<Option<(Unit<'_>, usize)>, Violation> {
    let Some((header, header_len)) = FrameHeader::decode(input, Role::Client, false)? else {
        return Ok(None);
    };
    if !header.fin || header.opcode == Opcode::Continuation {
        return Err(Violation::TooManyFragments { fragments_max: 1 });
    }
    let end = usize::try_from(header.payload_len).ok().filter(|&len| len <= len_max);
    let end = end.ok_or(Violation::MessageTooLong { len_max })?.saturating_add(header_len);
    let Some(payload) = input.get(header_len..end) else { return Ok(None) };
    let unit = match header.opcode {
        Opcode::Ping => Unit::Ping(payload),
        Opcode::Pong => Unit::Pong,
        Opcode::Close => {
            let (code, reason) = decode_close(payload)?;
            Unit::Close { code, reason }
        }
        Opcode::Text | Opcode::Binary | Opcode::Continuation => Unit::Message(payload),
    };
    Ok(Some((unit, end)))
}

fn split_line(input: &[u8], len_max: usize) -> Result<Option<(Unit<'_>, usize)>, Violation> {
    let end = memchr::memchr(b'\n', input);
    if end.unwrap_or(input.len()) > len_max {
        return Err(Violation::MessageTooLong { len_max });
    }
    let Some(line) = end.and_then(|end| input.get(..end)) else { return Ok(None) };
    let len = line.len().saturating_add(1);
    Ok(Some((Unit::Message(line.strip_suffix(b"\r").unwrap_or(line)), len)))
}

/// One event, whose data is on one line; or a line before it, which says nothing of it.
fn split_event(input: &[u8], len_max: usize) -> Result<Option<(Unit<'_>, usize)>, Violation> {
    if [&b":"[..], b"retry:"].iter().any(|start| input.starts_with(start)) {
        let end = memchr::memchr(b'\n', input);
        return Ok(end.map(|end| (Unit::Ping(b""), end.saturating_add(1))));
    }
    let end = memchr::memmem::find(input, b"\n\n");
    if end.unwrap_or(input.len()) > len_max {
        return Err(Violation::MessageTooLong { len_max });
    }
    let Some(event) = end.and_then(|end| input.get(..end)) else { return Ok(None) };
    let mut lines = event.split(|&byte| byte == b'\n');
    let data = lines.find_map(|line| line.strip_prefix(b"data: "));
    Ok(Some((data.map_or(Unit::Ping(b""), Unit::Message), event.len().saturating_add(2))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEN_MAX: usize = 300;

    #[track_caller]
    fn check(framing: Framing, whole: &[u8], expect: Unit<'_>) {
        for end in 0..whole.len() {
            assert_eq!(framing.split(&whole[..end], LEN_MAX), Ok(None), "{end} bytes");
        }
        for behind in [&b""[..], b"\x81", b"behind\n"] {
            let input = [whole, behind].concat();
            assert_eq!(framing.split(&input, LEN_MAX), Ok(Some((expect, whole.len()))));
        }
    }

    #[test]
    fn a_unit_is_taken_when_it_is_whole_and_not_before() {
        check(Framing::WebSocket, b"\x81\x02hi", Unit::Message(b"hi"));
        check(Framing::WebSocket, b"\x82\x00", Unit::Message(b""));
        check(Framing::WebSocket, b"\x89\x01?", Unit::Ping(b"?"));
        check(Framing::WebSocket, b"\x8a\x01?", Unit::Pong);
        let code = Some(CloseCode::GOING_AWAY);
        check(Framing::WebSocket, b"\x88\x05\x03\xe9bye", Unit::Close { code, reason: "bye" });
        let long = [b"\x81\x7e\x01\x2c", &[b'x'; 300][..]].concat();
        check(Framing::WebSocket, &long, Unit::Message(&[b'x'; 300]));
        check(Framing::Lines, b"hi\n", Unit::Message(b"hi"));
        check(Framing::Lines, b"hi\r\n", Unit::Message(b"hi"));
        check(Framing::Lines, b"\n", Unit::Message(b""));
        check(Framing::Events, b":\n", Unit::Ping(b""));
        check(Framing::Events, b"retry: 7\n", Unit::Ping(b""));
        check(Framing::Events, b"id: a:1\nevent: x\ndata: hi\n\n", Unit::Message(b"hi"));
    }

    #[test]
    fn what_is_too_long_or_in_pieces_is_refused_at_once() {
        let too_long = Err(Violation::MessageTooLong { len_max: LEN_MAX });
        assert_eq!(Framing::WebSocket.split(b"\x81\x7e\x01\x2d", LEN_MAX), too_long);
        assert_eq!(Framing::Lines.split(&[b'x'; 301], LEN_MAX), too_long);
        let in_pieces = Err(Violation::TooManyFragments { fragments_max: 1 });
        assert_eq!(Framing::WebSocket.split(b"\x01\x01x", LEN_MAX), in_pieces);
        assert_eq!(Framing::WebSocket.split(b"\x80\x01x", LEN_MAX), in_pieces);
        let masked = Err(Violation::MaskedFrame);
        assert_eq!(Framing::WebSocket.split(b"\x81\x81", LEN_MAX), masked);
    }

    #[test]
    fn what_is_put_is_what_a_server_reads() {
        let mut out = Vec::new();
        Framing::WebSocket.put_message(b"Hello", &mut out);
        assert_eq!(out, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
        out.clear();
        Framing::WebSocket.put_pong(b"", &mut out);
        Framing::WebSocket.put_close(None, &mut out);
        assert_eq!(out, b"\x8a\x80\x37\xfa\x21\x3d\x88\x80\x37\xfa\x21\x3d");
        out.clear();
        Framing::Lines.put_message(b"Hello", &mut out);
        Framing::Lines.put_pong(b"", &mut out);
        Framing::Lines.put_close(None, &mut out);
        assert_eq!(out, b"Hello\n");
    }
}
