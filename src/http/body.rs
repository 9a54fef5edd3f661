//! Request bodies: RFC 9112 sections 6 and 7, of a stated length or in chunks, as the bytes come.
//!
//! ```text
//!  Content-Length ─▶ Data ──────────────────────────────────────▶ Done
//!  chunked ─▶ Size ─▶ (Extension) ─▶ Data ─▶ DataEnd ─▶ Size …
//!                └─ 0 ─▶ Trailer ─────────────────────────────────▶ Done
//! ```
//!
//! However the bytes are split, the outcome is the same. What a lenient reader could take for
//! another end of the body is refused: line ends of LF alone, signs, `0x`, white space around a
//! size, folded trailers and such without a colon.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use super::name::Name;
use super::octets::{is_field_value, is_token};
use super::{Head, Refusal, Version, list};

/// Bytes of the line of a chunk's size: 16 digits, and extensions, which nobody needs.
const SIZE_LINE_MAX: u16 = 256;
/// Bytes of the trailers of a body in chunks: they are read over.
const TRAILERS_MAX: u16 = 4 * 1024;

/// How far a body has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    state: State,
    /// Bytes of data that may still come.
    left: u64,
    /// The bound of the whole.
    len_max: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// So many bytes of the one piece that there is.
    Whole(u64),
    /// The digits of a chunk's size: its value so far, and how many there are.
    Size { size: u64, digits: u16 },
    /// What follows the size in its line, up to the CR.
    Extension { size: u64, len: u16 },
    /// The LF of that line.
    SizeEnd { size: u64 },
    /// So many bytes of a chunk.
    Chunk(u64),
    /// The CR LF after a chunk; whether CR has come.
    ChunkEnd { has_cr: bool },
    /// The trailers: how many bytes of all, how far their line is, and whether CR has come.
    Trailer { all: u16, line: Line, has_cr: bool },
    /// It has ended.
    Done,
}

/// How far a trailer's line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// Nothing of it has come.
    Empty,
    /// Some of the name.
    Name,
    /// The name and the colon.
    Value,
}

/// What one call has found.
#[derive(Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// How many bytes of the input are the body's.
    pub consumed: usize,
    /// The next piece of the body, perhaps empty.
    pub data: &'a [u8],
}

impl Body {
    /// The body that `head` announces, of at most `len_max` bytes.
    ///
    /// # Errors
    ///
    /// [`Refusal::LengthMissing`], [`Refusal::BodyTooLarge`] for a length beyond the bound,
    /// [`Refusal::ContentCoding`], and [`Refusal::Expectation`] for another one than
    /// `100-continue`.
    pub fn of(head: &Head<'_>, len_max: u64) -> Result<Self, Refusal> {
        // A few bytes could be unpacked into a body beyond any bound.
        if head.value(Name::ContentEncoding).is_some() {
            return Err(Refusal::ContentCoding);
        }
        let is_continue = |value: &[u8]| value.eq_ignore_ascii_case(b"100-continue");
        if !head.values(Name::Expect).all(is_continue) {
            return Err(Refusal::Expectation);
        }
        Self::framed(head, len_max)
    }

    /// The same of one that is read over, whatever it is: only where it ends is asked for.
    ///
    /// # Errors
    ///
    /// [`Refusal::LengthMissing`], and [`Refusal::BodyTooLarge`] for a length beyond the bound.
    pub fn framed(head: &Head<'_>, len_max: u64) -> Result<Self, Refusal> {
        // That the head says it in one way only was checked with the head.
        if head.value(Name::TransferEncoding).is_some() {
            return Ok(Self::in_chunks(len_max));
        }
        let Some(length) = head.value(Name::ContentLength) else {
            return Err(Refusal::LengthMissing);
        };
        let length = super::octets::ascii(length).and_then(|length| length.parse().ok());
        match length.filter(|length| *length <= len_max) {
            Some(length) => Ok(Self::of_length(length)),
            None => Err(Refusal::BodyTooLarge { max: len_max }),
        }
    }

    /// A body in chunks.
    #[must_use]
    pub const fn in_chunks(len_max: u64) -> Self {
        Self { state: State::Size { size: 0, digits: 0 }, left: len_max, len_max }
    }

    /// A body of so many bytes.
    #[must_use]
    pub const fn of_length(length: u64) -> Self {
        let state = if length == 0 { State::Done } else { State::Whole(length) };
        Self { state, left: length, len_max: length }
    }

    /// Whether all of it has come.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Takes some of `input`, which must be called again with what it leaves, until it takes
    /// nothing or [`Body::is_done`].
    ///
    /// # Errors
    ///
    /// [`Refusal::ChunkForm`], [`Refusal::TrailersTooLarge`] and [`Refusal::BodyTooLarge`]: what
    /// follows cannot be trusted, so the connection must end.
    pub fn advance<'a>(&mut self, input: &'a [u8]) -> Result<Progress<'a>, Refusal> {
        let mut consumed = 0;
        while let Some(&byte) = input.get(consumed) {
            match self.state {
                State::Done => break,
                State::Whole(left) | State::Chunk(left) => {
                    return Ok(self.take(left, input, consumed));
                }
                State::Size { .. }
                | State::Extension { .. }
                | State::SizeEnd { .. }
                | State::ChunkEnd { .. }
                | State::Trailer { .. } => {
                    self.state = self.step(byte)?;
                    consumed += 1;
                }
            }
        }
        Ok(Progress { consumed, data: &[] })
    }

    /// Takes data.
    fn take<'a>(&mut self, left: u64, input: &'a [u8], start: usize) -> Progress<'a> {
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        let rest = input.get(start..).unwrap_or_default();
        let data = rest.get(..most).unwrap_or(rest);
        let taken = u64::try_from(data.len()).unwrap_or(u64::MAX);
        let left = left.saturating_sub(taken);
        self.state = match (self.state, left) {
            (State::Whole(_), 0) => State::Done,
            (State::Whole(_), left) => State::Whole(left),
            (_, 0) => State::ChunkEnd { has_cr: false },
            (_, left) => State::Chunk(left),
        };
        Progress { consumed: start + data.len(), data }
    }

    /// The state after a byte that is not data.
    fn step(&mut self, byte: u8) -> Result<State, Refusal> {
        match (self.state, byte) {
            (State::Size { size, digits }, byte) => self.size(byte, size, digits),
            (State::Extension { size, .. }, b'\r') => Ok(State::SizeEnd { size }),
            (State::Extension { size, len }, byte)
                if is_field_value(byte) && len < SIZE_LINE_MAX =>
            {
                Ok(State::Extension { size, len: len + 1 })
            }
            (State::SizeEnd { size: 0 }, b'\n') => {
                Ok(State::Trailer { all: 0, line: Line::Empty, has_cr: false })
            }
            (State::SizeEnd { size }, b'\n') => {
                let too_large = Refusal::BodyTooLarge { max: self.len_max };
                // When the size is known and before the data comes: nothing of a chunk that does
                // not fit is taken.
                self.left = self.left.checked_sub(size).ok_or(too_large)?;
                Ok(State::Chunk(size))
            }
            (State::ChunkEnd { has_cr: false }, b'\r') => Ok(State::ChunkEnd { has_cr: true }),
            (State::ChunkEnd { has_cr: true }, b'\n') => Ok(State::Size { size: 0, digits: 0 }),
            // Trailers are read over, never used: what counts is in the head, where it was checked.
            (State::Trailer { all: TRAILERS_MAX, .. }, _) => Err(Refusal::TrailersTooLarge),
            (State::Trailer { line: Line::Empty, has_cr: true, .. }, b'\n') => Ok(State::Done),
            (State::Trailer { all, has_cr: true, .. }, b'\n') => {
                Ok(State::Trailer { all: all + 1, line: Line::Empty, has_cr: false })
            }
            (
                State::Trailer { all, line: line @ (Line::Empty | Line::Value), has_cr: false },
                b'\r',
            ) => Ok(State::Trailer { all: all + 1, line, has_cr: true }),
            (State::Trailer { all, line, has_cr: false }, byte) => {
                let line = line.after(byte).ok_or(Refusal::ChunkForm)?;
                Ok(State::Trailer { all: all + 1, line, has_cr: false })
            }
            _ => Err(Refusal::ChunkForm),
        }
    }

    /// The state after a byte of a chunk's size, or after the byte that ends it.
    fn size(&self, byte: u8, size: u64, digits: u16) -> Result<State, Refusal> {
        let digit = char::from(byte).to_digit(16).map(u64::from);
        match (byte, digit) {
            (_, Some(digit)) if digits < 16 => {
                let size = size.checked_mul(16).and_then(|size| size.checked_add(digit));
                let size = size.filter(|size| *size <= self.len_max);
                let size = size.ok_or(Refusal::BodyTooLarge { max: self.len_max })?;
                Ok(State::Size { size, digits: digits + 1 })
            }
            // A size of no digits is no zero: read as one, the body would end where another parser
            // goes on.
            (b'\r', None) if digits > 0 => Ok(State::SizeEnd { size }),
            (b';', None) if digits > 0 => Ok(State::Extension { size, len: digits }),
            _ => Err(Refusal::ChunkForm),
        }
    }
}

impl Line {
    /// The line after another byte; `None` if that may not stand there: a line that begins with
    /// white space would be folded into the one before it, and one without a colon is no field.
    fn after(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Name, b':') => Some(Self::Value),
            (Self::Empty | Self::Name, byte) if is_token(byte) => Some(Self::Name),
            (Self::Value, byte) if is_field_value(byte) => Some(Self::Value),
            _ => None,
        }
    }
}

/// Whether the client waits for `100 Continue` before it sends the body. One of HTTP/1.0 does not
/// know it, and would take it for the answer (RFC 9110 section 10.1.1).
#[must_use]
pub fn expects_continue(head: &Head<'_>) -> bool {
    head.version() == Version::Http11
        && head.values(Name::Expect).flat_map(list::elements).next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What is found in the pieces: the body, the bytes after it, or why it is refused.
    fn feed<'a>(
        mut body: Body,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(Vec<u8>, Vec<u8>, bool), Refusal> {
        let (mut data, mut rest) = (Vec::new(), Vec::new());
        for mut piece in pieces {
            while !piece.is_empty() && !body.is_done() {
                let progress = body.advance(piece)?;
                // Otherwise this would not end.
                debug_assert_ne!(progress.consumed, 0, "it goes on");
                data.extend_from_slice(progress.data);
                piece = &piece[progress.consumed..];
            }
            rest.extend_from_slice(piece);
        }
        Ok((data, rest, body.is_done()))
    }

    #[track_caller]
    fn check(input: &str, expect: Result<&str, Refusal>) {
        let input = input.as_bytes();
        let whole = feed(Body::in_chunks(1_000), [input]);
        let bytewise = feed(Body::in_chunks(1_000), input.chunks(1));
        assert_eq!(whole, bytewise, "{input:?}");
        let expect = expect.map(|text| (text.as_bytes().to_vec(), b"GET".to_vec(), true));
        assert_eq!(whole, expect, "{}", String::from_utf8_lossy(input));
    }

    #[test]
    fn a_body_in_chunks_is_their_data() {
        check("0\r\n\r\nGET", Ok(""));
        check("5\r\nhello\r\n0\r\n\r\nGET", Ok("hello"));
        check("005\r\nhello\r\n1;a=\"b\"\r\n!\r\n000\r\nA: b\r\nC: d\r\n\r\nGET", Ok("hello!"));
        check("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\nGET", Ok("01234567890123456789"));
    }

    #[test]
    fn what_another_reader_could_end_elsewhere_is_refused() {
        for input in [
            "\r\n",
            "+5\r\n",
            "-1\r\n",
            "0x5\r\n",
            " 5\r\n",
            "5 \r\n",
            "5\n",
            "5\r\r",
            "g\r\n",
            ";\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "5\r\nhello!",
            "5\r\nhello\r!",
            "0\r\n\n",
            "0\r\nA: b\n\r\n",
            "0\r\n folded\r\n\r\n",
            "0\r\nA: b\r\n c\r\n\r\n",
            "0\r\nA b\r\n\r\n",
            "0\r\nA\r\n\r\n",
            "0\r\nA : b\r\n\r\n",
            "0\r\n: b\r\n\r\n",
            "0\r\nA: b\r\r\n\r\n",
            "5;\0\r\n",
            "0\r\nA\0\r\n",
            "0\r\n\rA",
            "00000000000000001\r\n",
        ] {
            check(input, Err(Refusal::ChunkForm));
        }
        let too_large = Err(Refusal::BodyTooLarge { max: 1_000 });
        check("3e9\r\n", too_large);
        check("ffffffffffffffff\r\n", too_large);
        let chunk = format!("1f4\r\n{}\r\n", "x".repeat(500));
        check(&format!("{chunk}{chunk}1\r\n"), too_large);
        check(&format!("5;{}\r\n", "x".repeat(300)), Err(Refusal::ChunkForm));
        check(&format!("0\r\n{}", "A: b\r\n".repeat(1_000)), Err(Refusal::TrailersTooLarge));
    }

    #[test]
    fn a_body_of_a_length_has_that_length() {
        for length in [0, 1, 5] {
            let (data, rest, is_done) =
                feed(Body::of_length(length), b"helloGET".chunks(3)).unwrap();
            let length = usize::try_from(length).unwrap();
            assert_eq!((&*data, &*rest), b"helloGET".split_at(length));
            assert!(is_done);
        }
        assert!(!feed(Body::of_length(9), [&b"hello"[..]]).unwrap().2);
    }

    proptest! {
        #[test]
        fn any_split_of_the_bytes_gives_the_same(
            input in "([0-9a-f]{1,3}|[\r\n; :+a-z]|\r\n|[a-c0-9]{5}\r\n){0,24}",
            cuts in proptest::collection::vec(1_usize..9, 1..64),
        ) {
            let bytes = input.as_bytes();
            let mut pieces = Vec::new();
            let mut rest = bytes;
            for cut in cuts {
                let (piece, behind) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = behind;
            }
            pieces.push(rest);
            let whole = feed(Body::in_chunks(4_000), [bytes]);
            prop_assert_eq!(whole, feed(Body::in_chunks(4_000), pieces));
        }
    }
}
