//! Bytes into items.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use memchr::memchr;

use super::telnet::{IAC, Telnet};

/// How a connection marks where its items end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// JSON texts, one a line.
    Lines,
    /// JSON texts behind their lengths.
    Lengths,
    /// A person's lines.
    Human,
}

impl Framing {
    /// The framing of a connection whose first byte is `first`.
    #[must_use]
    pub const fn of(first: u8) -> Self {
        match first {
            b'{' => Self::Lines,
            0 => Self::Lengths,
            _ => Self::Human,
        }
    }
}

/// One thing that a connection said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A whole item without its framing: at least one byte, at most the limit.
    Message(&'a [u8]),
    /// An item that is longer than the limit: said once, and the rest of it is skipped.
    TooLong {
        /// The limit that it exceeds, in bytes.
        limit: usize,
    },
    /// A length that cannot be one. Nothing more will be decoded; the connection has to end.
    Malformed,
}

/// Takes the bytes of one connection apart. A few bytes in size; it owns memory only while an item is
/// partly there.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The bytes of an item that is partly there, or that was whole at the last call.
    partial: Option<Box<Partial>>,
    framing: Option<Framing>,
    phase: Phase,
    telnet: Telnet,
}

#[derive(Debug, Default)]
struct Partial {
    bytes: Vec<u8>,
    /// It was handed out; the next call drops it.
    taken: bool,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// An item of unknown length.
    #[default]
    Line,
    /// A line that is too long: skipped up to its end.
    SkipLine,
    /// A length of which `have` bytes are read.
    Header { have: u8, value: u32 },
    /// An item of which this many bytes are missing.
    Body { missing: u32 },
    /// An item that is too long and of which this many bytes are still to be skipped.
    SkipBody { missing: u32 },
    /// Behind a malformed length.
    Malformed,
}

impl Decoder {
    /// The framing, as soon as there was a byte to tell it by.
    #[must_use]
    pub const fn framing(&self) -> Option<Framing> {
        self.framing
    }

    /// Whether an item is partly there: the end of the connection now would cut it.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        let whole = matches!(self.phase, Phase::Line | Phase::Malformed)
            || self.phase == Phase::Header { have: 0, value: 0 };
        !whole || self.partial.as_ref().is_some_and(|partial| !partial.taken)
    }

    /// Takes the next item off the front of `input`. `None` once all of `input` is consumed: call it
    /// until then, with the same limit of `len_max` bytes an item.
    ///
    /// An item that is wholly in `input` is lent from there; no byte is looked at twice.
    pub fn decode<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
        len_max: usize,
    ) -> Option<Item<'a>> {
        if self.partial.as_ref().is_some_and(|partial| partial.taken) {
            self.partial = None;
        }
        let framing = self.framing.or_else(|| {
            self.framing = input.first().map(|&first| Framing::of(first));
            if self.framing == Some(Framing::Lengths) {
                self.phase = Phase::Header { have: 0, value: 0 };
            }
            self.framing
        })?;
        let found = match framing {
            Framing::Lines => self.decode_line(input, len_max),
            Framing::Lengths => self.decode_length(input, len_max),
            Framing::Human => self.decode_text(input, len_max),
        }?;
        Some(match found {
            Found::Lent(item) => Item::Message(item),
            Found::Kept { len } => Item::Message(self.lend(len)),
            Found::TooLong => Item::TooLong { limit: len_max },
            Found::Malformed => Item::Malformed,
        })
    }

    /// The last line, if the connection has ended without the `\n` that was due. Nothing of an
    /// unfinished item of the length framing, and nothing of one that is too long.
    pub fn finish(&mut self) -> Option<Item<'_>> {
        let line = self.framing? != Framing::Lengths && self.phase == Phase::Line;
        let partial = self.partial.as_ref().filter(|partial| line && !partial.taken)?;
        let len = trimmed(&partial.bytes).len();
        (len > 0).then(|| Item::Message(self.lend(len)))
    }

    fn decode_line<'i>(&mut self, input: &mut &'i [u8], len_max: usize) -> Option<Found<'i>> {
        while !input.is_empty() {
            let (piece, ended) = split_line(input);
            if let Some(found) = self.push_line(piece, ended, len_max) {
                return Some(found);
            }
        }
        None
    }

    /// A person's lines: as others', but where there is a telnet command, byte by byte.
    fn decode_text<'i>(&mut self, input: &mut &'i [u8], len_max: usize) -> Option<Found<'i>> {
        while !input.is_empty() {
            let (piece, ended) = if self.telnet == Telnet::Text {
                let clean = memchr(IAC, input).unwrap_or(input.len());
                let (mut piece, rest) = input.split_at_checked(clean).unwrap_or((input, &[]));
                let (line, ended) = split_line(&mut piece);
                *input = input.get(input.len() - piece.len() - rest.len()..).unwrap_or(&[]);
                (line, ended)
            } else {
                (&[][..], false)
            };
            if let Some(found) = self.push_line(piece, ended, len_max) {
                return Some(found);
            }
            if !ended {
                self.skip_telnet(input);
            }
        }
        None
    }

    /// Takes a telnet command, or as much of one as there is, off the front of `input`.
    fn skip_telnet(&mut self, input: &mut &[u8]) {
        while let Some((&byte, rest)) = input.split_first() {
            let (next, is_text) = self.telnet.advance(byte);
            if is_text {
                return;
            }
            self.telnet = next;
            *input = rest;
        }
    }

    /// Adds a piece of a line, which ends with it if `ended`.
    fn push_line<'i>(&mut self, piece: &'i [u8], ended: bool, len_max: usize) -> Option<Found<'i>> {
        if self.phase == Phase::SkipLine {
            self.phase = if ended { Phase::Line } else { Phase::SkipLine };
            return None;
        }
        let before = self.partial.as_ref().map_or(0, |partial| partial.bytes.len());
        let last = piece.last().or_else(|| self.partial.as_ref()?.bytes.last()).copied();
        // A `\r` just above the limit may still turn out to belong to the end of the line.
        let len = before + piece.len() - usize::from(last == Some(b'\r'));
        if len > len_max {
            self.partial = None;
            self.phase = if ended { Phase::Line } else { Phase::SkipLine };
            return Some(Found::TooLong);
        }
        if ended && before == 0 {
            let line = trimmed(piece);
            return (!line.is_empty()).then_some(Found::Lent(line));
        }
        if !piece.is_empty() {
            self.partial.get_or_insert_default().bytes.extend_from_slice(piece);
        }
        if !ended {
            return None;
        }
        if len == 0 {
            self.partial = None;
            return None;
        }
        Some(Found::Kept { len })
    }

    fn decode_length<'i>(&mut self, input: &mut &'i [u8], len_max: usize) -> Option<Found<'i>> {
        while !input.is_empty() {
            match self.phase {
                Phase::Header { have, value } => {
                    let found = self.push_header(have, value, input, len_max);
                    if found.is_some() {
                        return found;
                    }
                }
                Phase::Body { missing } => {
                    let piece = take(input, missing);
                    let rest = missing.saturating_sub(count(piece));
                    if let Some(found) = self.push_body(piece, rest) {
                        return Some(found);
                    }
                }
                Phase::SkipBody { missing } => {
                    let rest = missing.saturating_sub(count(take(input, missing)));
                    self.phase = after_body(rest, Phase::SkipBody { missing: rest });
                }
                Phase::Line | Phase::SkipLine | Phase::Malformed => *input = &[],
            }
        }
        None
    }

    fn push_header<'i>(
        &mut self,
        have: u8,
        value: u32,
        input: &mut &'i [u8],
        len_max: usize,
    ) -> Option<Found<'i>> {
        let (&byte, rest) = input.split_first()?;
        *input = rest;
        if have == 0 && byte != 0 {
            self.phase = Phase::Malformed;
            return Some(Found::Malformed);
        }
        let value = value << 8 | u32::from(byte);
        if have < 3 {
            self.phase = Phase::Header { have: have + 1, value };
            return None;
        }
        if usize::try_from(value).is_ok_and(|len| len <= len_max) {
            self.phase = after_body(value, Phase::Body { missing: value });
            return None;
        }
        self.phase = after_body(value, Phase::SkipBody { missing: value });
        Some(Found::TooLong)
    }

    /// Adds a piece of an item of which `missing` bytes are missing behind it.
    fn push_body<'i>(&mut self, piece: &'i [u8], missing: u32) -> Option<Found<'i>> {
        self.phase = after_body(missing, Phase::Body { missing });
        if missing == 0 && self.partial.is_none() {
            return Some(Found::Lent(piece));
        }
        let partial = self.partial.get_or_insert_default();
        partial.bytes.extend_from_slice(piece);
        let len = partial.bytes.len();
        (missing == 0).then_some(Found::Kept { len })
    }

    /// Lends the first `len` kept bytes, which the next call drops.
    fn lend(&mut self, len: usize) -> &[u8] {
        let partial = self.partial.get_or_insert_default();
        partial.taken = true;
        partial.bytes.get(..len).unwrap_or(&[])
    }
}

/// What [`Decoder`] found, before it is lent to the caller.
enum Found<'i> {
    /// An item within the input.
    Lent(&'i [u8]),
    /// The first bytes of what is kept.
    Kept {
        len: usize,
    },
    TooLong,
    Malformed,
}

/// Takes a piece off the front of `input`, up to and without the next `\n`, and says whether one was
/// there.
fn split_line<'i>(input: &mut &'i [u8]) -> (&'i [u8], bool) {
    let all = *input;
    let Some(end) = memchr(b'\n', all) else {
        *input = &[];
        return (all, false);
    };
    let (piece, rest) = all.split_at_checked(end).unwrap_or((all, &[]));
    *input = rest.get(1..).unwrap_or(&[]);
    (piece, true)
}

/// Takes at most `len` bytes off the front of `input`.
fn take<'i>(input: &mut &'i [u8], len: u32) -> &'i [u8] {
    let len = usize::try_from(len).unwrap_or(usize::MAX).min(input.len());
    let (piece, rest) = input.split_at_checked(len).unwrap_or((input, &[]));
    *input = rest;
    piece
}

fn count(piece: &[u8]) -> u32 {
    u32::try_from(piece.len()).unwrap_or(u32::MAX)
}

/// The phase behind a piece of an item: `then`, or the next header if nothing of it is missing.
fn after_body(missing: u32, then: Phase) -> Phase {
    if missing == 0 { Phase::Header { have: 0, value: 0 } } else { then }
}

/// A line without the `\r` of a line end.
fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LEN_MAX: usize = 8;

    /// What came out of a decoder, owned.
    #[derive(Clone, Debug, PartialEq, Eq)]
    enum Out {
        Message(Vec<u8>),
        TooLong,
        Malformed,
        /// What [`Decoder::finish`] gave.
        Last(Vec<u8>),
    }

    fn owned(item: Item<'_>) -> Out {
        match item {
            Item::Message(bytes) => Out::Message(bytes.to_vec()),
            Item::TooLong { limit } => {
                assert_eq!(limit, LEN_MAX);
                Out::TooLong
            }
            Item::Malformed => Out::Malformed,
        }
    }

    fn decode_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Out> {
        let mut decoder = Decoder::default();
        let mut out = Vec::new();
        for mut piece in pieces {
            while let Some(item) = decoder.decode(&mut piece, LEN_MAX) {
                out.push(owned(item));
            }
            assert!(piece.is_empty(), "not all was consumed");
            let kept = decoder.partial.as_ref().map_or(0, |partial| partial.bytes.len());
            assert!(kept <= LEN_MAX + 1, "{kept} bytes are kept");
        }
        if let Some(Item::Message(line)) = decoder.finish() {
            out.push(Out::Last(line.to_vec()));
        }
        out
    }

    /// `expect`: `Ok` for a message, `Err` for the words "too long", "malformed" and "last …".
    #[track_caller]
    fn check(input: &[u8], expect: &[Result<&str, &str>]) {
        let expect: Vec<Out> = expect
            .iter()
            .map(|item| match *item {
                Ok(text) => Out::Message(text.into()),
                Err("too long") => Out::TooLong,
                Err("malformed") => Out::Malformed,
                Err(last) => Out::Last(last.strip_prefix("last ").unwrap().into()),
            })
            .collect();
        assert_eq!(decode_pieces([input]), expect, "whole: {input:?}");
        assert_eq!(decode_pieces(input.chunks(1)), expect, "byte by byte: {input:?}");
        for at in 0..input.len() {
            let (one, other) = input.split_at(at);
            assert_eq!(decode_pieces([one, other]), expect, "split at {at}: {input:?}");
        }
    }

    #[test]
    fn lines_end_with_a_line_feed_and_empty_ones_are_ignored() {
        check(b"{1}\n{2}\r\n\n\r\n{3}\n", &[Ok("{1}"), Ok("{2}"), Ok("{3}")]);
        check(b"{a\rb\n\r\r\n", &[Ok("{a\rb"), Ok("\r")]);
    }

    #[test]
    fn a_line_of_the_limit_is_taken_and_one_above_it_said_once() {
        check(b"{234567}\n{}\n", &[Ok("{234567}"), Ok("{}")]);
        check(b"{234567}\r\n{}\n", &[Ok("{234567}"), Ok("{}")]);
        check(b"{2345678}\n{}\n", &[Err("too long"), Ok("{}")]);
        check(b"{2345678}\r\n{}\n", &[Err("too long"), Ok("{}")]);
        check(b"{234567}\r\r\n{}\n", &[Err("too long"), Ok("{}")]);
        check(b"{234567}\rx\n{}\n", &[Err("too long"), Ok("{}")]);
        check(b"{23456789 and much more than that", &[Err("too long")]);
    }

    #[test]
    fn a_last_line_without_its_end_is_kept_for_the_end_of_the_connection() {
        check(b"{1}\n{2}", &[Ok("{1}"), Err("last {2}")]);
        check(b"hi\r", &[Err("last hi")]);
        check(b"{1}\n\r", &[Ok("{1}")]);
        check(b"{\r\r", &[Err("last {\r")]);
    }

    #[test]
    fn lengths_stand_before_their_items_and_empty_ones_are_ignored() {
        check(b"\0\0\0\x02{}\0\0\0\0\0\0\0\x03{1}", &[Ok("{}"), Ok("{1}")]);
        check(b"\0\0\0\x08{\n4567}\0\0\0\0\x01x", &[Ok("{\n4567}\0"), Ok("x")]);
        check(b"\0\0\0\x05{1}", &[]);
        check(b"\0\0", &[]);
    }

    #[test]
    fn an_item_above_the_limit_is_skipped_by_its_length() {
        check(b"\0\0\0\x09123456789\0\0\0\x02{}", &[Err("too long"), Ok("{}")]);
        check(b"\0\xff\xff\xff123456789\0\0\0\x02{}", &[Err("too long")]);
    }

    #[test]
    fn a_length_of_more_than_three_bytes_ends_it() {
        check(b"\0\0\0\x02{}\x01\0\0\0more", &[Ok("{}"), Err("malformed")]);
        check(b"\0\0\0\x02{}{\"op\"", &[Ok("{}"), Err("malformed")]);
    }

    #[test]
    fn a_person_is_read_by_lines_without_telnet_commands() {
        check(b"hi\r\n\r\n{}\n", &[Ok("hi"), Ok("{}")]);
        check(b"\xff\xfd\x03hi\xff\xf4\n\xff\xfayo\n\xff\xf0yo\n", &[Ok("hi"), Ok("yo")]);
        check(b"\xff\xfd\nhi\xff\xff\n", &[Ok("hi")]);
        check(b"h\xff\xf6\r\xff\xf6\nyo", &[Ok("h"), Err("last yo")]);
        check(b"12345678\xff\xf69\nyo\n", &[Err("too long"), Ok("yo")]);
    }

    #[test]
    fn the_first_byte_tells_the_framing() {
        for (first, framing) in [
            (b"{", Framing::Lines),
            (b"\0", Framing::Lengths),
            (b"/", Framing::Human),
            (b"\n", Framing::Human),
            (b"[", Framing::Human),
            (b"\xff", Framing::Human),
        ] {
            let mut decoder = Decoder::default();
            assert!(decoder.decode(&mut &[][..], LEN_MAX).is_none());
            assert_eq!(decoder.framing(), None);
            assert!(decoder.decode(&mut &first[..], LEN_MAX).is_none());
            assert_eq!(decoder.framing(), Some(framing), "{first:?}");
        }
    }

    #[test]
    fn what_is_whole_is_lent_and_nothing_is_owned_between_items() {
        let mut decoder = Decoder::default();
        let input = b"{1}\n{2}\n".to_vec();
        let mut rest = &input[..];
        let Some(Item::Message(first)) = decoder.decode(&mut rest, LEN_MAX) else { panic!() };
        assert_eq!(first.as_ptr(), input.as_ptr(), "copied");
        assert!(decoder.partial.is_none());
        let mut rest = &b"{1"[..];
        assert_eq!(decoder.decode(&mut rest, LEN_MAX), None);
        assert!(decoder.is_partial());
        let mut rest = &b"}\n"[..];
        assert_eq!(decoder.decode(&mut rest, LEN_MAX), Some(Item::Message(b"{1}")));
        assert!(!decoder.is_partial());
        assert_eq!(decoder.decode(&mut rest, LEN_MAX), None);
        assert!(decoder.partial.is_none());
    }

    #[test]
    fn an_idle_decoder_is_small() {
        assert!(size_of::<Decoder>() <= 24, "{} bytes", size_of::<Decoder>());
    }

    #[test]
    fn an_announced_length_allocates_nothing() {
        let mut decoder = Decoder::default();
        let mut input = &b"\0\xff\xff\xff{"[..];
        assert_eq!(decoder.decode(&mut input, super::super::LENGTH_MAX), None);
        assert!(decoder.partial.is_some_and(|partial| partial.bytes.capacity() <= 64));
    }

    /// The one-line definition that the incremental decoder has to agree with.
    fn plain_lines(input: &[u8]) -> Vec<Out> {
        let mut lines: Vec<&[u8]> = input.split(|&byte| byte == b'\n').collect();
        let last = lines.pop().unwrap_or_default();
        let item = |line: &[u8]| match trimmed(line) {
            long if long.len() > LEN_MAX => Out::TooLong,
            line => Out::Message(line.to_vec()),
        };
        let mut out: Vec<Out> = lines.iter().map(|line| item(line)).collect();
        match item(last) {
            Out::Message(last) => out.push(Out::Last(last)),
            too_long => out.push(too_long),
        }
        let empty = [Out::Message(Vec::new()), Out::Last(Vec::new())];
        out.retain(|item| !empty.contains(item));
        out
    }

    proptest! {
        #[test]
        fn however_it_is_split_the_items_are_the_same(
            first in prop::sample::select(vec![b'{', 0, b'a', 0xff]),
            rest in prop::collection::vec(
                prop::sample::select(vec![0, 1, 2, 9, b'\n', b'\r', b'{', b'a', 0xf0, 0xfa, 0xff]),
                0..60,
            ),
            cuts in prop::collection::vec(1usize..7, 60),
        ) {
            let input: Vec<u8> = std::iter::once(first).chain(rest).collect();
            let whole = decode_pieces([&input[..]]);
            if first == b'{' {
                prop_assert_eq!(&whole, &plain_lines(&input));
            }
            let mut left = &input[..];
            let pieces = cuts.into_iter().map_while(|cut| {
                let (piece, rest) = left.split_at(cut.min(left.len()));
                left = rest;
                (!piece.is_empty()).then_some(piece)
            });
            prop_assert_eq!(decode_pieces(pieces), whole);
        }
    }
}
