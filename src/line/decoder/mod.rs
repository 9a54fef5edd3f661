//! Decodes bytes into items.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

mod text;

use memchr::memchr;

use super::item::{Framing, Item};
use super::telnet::{Telnet, TelnetAnswer};

/// Splits the bytes of one connection into items. A few bytes in size; it owns memory only while an
/// item is incomplete.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The bytes of an incomplete item, or of the one that the last call returned.
    partial: Option<Box<Partial>>,
    framing: Option<Framing>,
    phase: Phase,
    telnet: Telnet,
    /// The last byte of the text was a `\r`, to whose line end a `\n` or a NUL belongs.
    is_after_cr: bool,
    /// Bytes of a text that said nothing, modulo some of them.
    silent: u8,
    /// Bytes of [`BYTE_ORDER_MARK`] that have come before the first byte.
    mark_len: u8,
}

/// Some programs put it before a text in UTF-8.
const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

#[derive(Debug, Default)]
struct Partial {
    bytes: Vec<u8>,
    /// The item was returned; the next call drops it.
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
    /// A length; `have` of its bytes have come.
    Header { have: u8, value: u32 },
    /// An item; this many of its bytes are missing.
    Body { missing: u32 },
    /// An item that is too long; this many of its bytes are still to be skipped.
    SkipBody { missing: u32 },
    /// After a malformed length.
    Malformed,
}

impl Decoder {
    /// The framing, once the first byte has come.
    #[must_use]
    pub const fn framing(&self) -> Option<Framing> {
        self.framing
    }

    /// Whether an item is incomplete: if the connection ended now, it would be lost.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        let whole = matches!(self.phase, Phase::Line | Phase::Malformed)
            || self.phase == Phase::Header { have: 0, value: 0 };
        !whole || self.partial.as_ref().is_some_and(|partial| !partial.taken)
    }

    /// Bytes of the item that is incomplete, or was returned last.
    #[must_use]
    pub fn gathered_len(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| partial.bytes.len())
    }

    /// The framing, as [`Decoder::framing`], by the first byte of `input` if nothing has come
    /// before. A mark of the byte order before it is taken off.
    pub fn recognise(&mut self, input: &mut &[u8]) -> Option<Framing> {
        while self.framing.is_none() {
            let (&byte, rest) = input.split_first()?;
            let mark_len = usize::from(self.mark_len);
            if BYTE_ORDER_MARK.get(mark_len) == Some(&byte) {
                self.mark_len += 1;
                *input = rest;
                continue;
            }
            let framing = match Framing::of(byte) {
                Framing::Lengths if mark_len > 0 => Framing::Text,
                framing if mark_len == 0 || mark_len == BYTE_ORDER_MARK.len() => framing,
                // It was none, but the beginning of a text.
                _ => Framing::Text,
            };
            if (1..BYTE_ORDER_MARK.len()).contains(&mark_len) {
                let begun = BYTE_ORDER_MARK.get(..mark_len).unwrap_or_default();
                self.partial.get_or_insert_default().bytes.extend_from_slice(begun);
            }
            if framing == Framing::Lengths {
                self.phase = Phase::Header { have: 0, value: 0 };
            }
            self.framing = Some(framing);
        }
        self.framing
    }

    /// Takes the next item off the front of `input`. `None` once all of `input` is consumed: call
    /// it until then, with the same limit of `len_max` bytes an item.
    ///
    /// An item that is whole in `input` is borrowed from it. Each byte is read once.
    pub fn decode<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
        len_max: usize,
    ) -> Option<Item<'a>> {
        if self.partial.as_ref().is_some_and(|partial| partial.taken) {
            self.partial = None;
        }
        let framing = self.recognise(input)?;
        let found = match framing {
            Framing::Lines => self.decode_line(input, len_max),
            Framing::Lengths => self.decode_length(input, len_max),
            Framing::Text => self.decode_text(input, len_max),
        }?;
        Some(match found {
            Found::Lent(item) => Item::Message(item),
            Found::Kept { len } => Item::Message(self.lend(len)),
            Found::Empty => Item::Empty,
            Found::Answer(answer) => Item::Answer(answer),
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

    /// Adds a piece of a line, which ends with it if `ended`.
    fn push_line<'i>(&mut self, piece: &'i [u8], ended: bool, len_max: usize) -> Option<Found<'i>> {
        // The rest of a line that was reported already.
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
        // A line that is whole in the input is borrowed, without a copy.
        if ended && before == 0 {
            let line = trimmed(piece);
            return Some(if line.is_empty() { Found::Empty } else { Found::Lent(line) });
        }
        if !piece.is_empty() {
            self.partial.get_or_insert_default().bytes.extend_from_slice(piece);
        }
        if !ended {
            return None;
        }
        // An empty line, of which only a `\r` had come.
        if len == 0 {
            self.partial = None;
            return Some(Found::Empty);
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
        // The two ends disagree on where an item begins; nothing after this can be trusted.
        if have == 0 && byte != 0 {
            self.phase = Phase::Malformed;
            return Some(Found::Malformed);
        }
        let value = value << 8 | u32::from(byte);
        if have < 3 {
            self.phase = Phase::Header { have: have + 1, value };
            return None;
        }
        if value == 0 {
            self.phase = Phase::Header { have: 0, value: 0 };
            return Some(Found::Empty);
        }
        // The announced length is judged at once; memory is taken only as the bytes come.
        if usize::try_from(value).is_ok_and(|len| len <= len_max) {
            self.phase = after_body(value, Phase::Body { missing: value });
            return None;
        }
        self.phase = after_body(value, Phase::SkipBody { missing: value });
        Some(Found::TooLong)
    }

    /// Adds a piece of an item; `missing` bytes of it follow.
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
    /// The first bytes that are kept.
    Kept {
        len: usize,
    },
    Empty,
    Answer(TelnetAnswer),
    TooLong,
    Malformed,
}

/// Takes a piece off the front of `input`, up to and without the next `\n`, and says whether one
/// was there.
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

/// The phase after a piece of an item: `then`, or the next header if the item is complete.
fn after_body(missing: u32, then: Phase) -> Phase {
    if missing == 0 { Phase::Header { have: 0, value: 0 } } else { then }
}

/// A line without the `\r` of a line end.
fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

crate::pack::pack_struct!(Decoder {
    partial: Option<Box<Partial>>,
    framing: Option<Framing>,
    phase: Phase,
    telnet: Telnet,
    is_after_cr: bool,
    silent: u8,
    mark_len: u8,
});
crate::pack::pack_struct!(Partial { bytes: Vec<u8>, taken: bool });
crate::pack::pack_enum!(Phase {
    0: Line,
    1: SkipLine,
    2: Header { have: u8, value: u32 },
    3: Body { missing: u32 },
    4: SkipBody { missing: u32 },
    5: Malformed,
});

#[cfg(test)]
mod tests;
