//! JSON, written piece by piece into a buffer: no value in between, no allocation but the buffer's.
//!
//! What is written is always on one line.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

/// Appends a piece of JSON that is right as it stands.
pub(super) fn put(out: &mut Vec<u8>, piece: &str) {
    out.extend_from_slice(piece.as_bytes());
}

/// Appends `true` or `false`.
pub(super) fn boolean(out: &mut Vec<u8>, value: bool) {
    put(out, if value { "true" } else { "false" });
}

/// Appends a number.
pub(super) fn number(out: &mut Vec<u8>, value: u64) {
    let mut pairs = [[b'0'; 2]; 10];
    let mut rest = value;
    let mut unused = pairs.len();
    for pair in pairs.iter_mut().rev() {
        let low = usize::try_from(rest % 100).unwrap_or(0);
        *pair = PAIRS.get(low).copied().unwrap_or_default();
        rest /= 100;
        unused -= 1;
        if rest == 0 {
            break;
        }
    }
    let digits = pairs.get(unused..).unwrap_or(&[]).as_flattened();
    let zero = usize::from(digits.starts_with(b"0"));
    out.extend_from_slice(digits.get(zero..).unwrap_or(&[]));
}

/// The digits of the numbers below 100.
const PAIRS: [[u8; 2]; 100] = pairs();

#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "evaluated when compiling, over exactly the numbers below 100"
)]
const fn pairs() -> [[u8; 2]; 100] {
    let mut pairs = [[b'0'; 2]; 100];
    let mut value = 0;
    while value < pairs.len() {
        pairs[value] = [b'0' + (value / 10) as u8, b'0' + (value % 10) as u8];
        value += 1;
    }
    pairs
}

/// Appends a number, or `null`.
pub(super) fn number_or_null(out: &mut Vec<u8>, value: Option<u64>) {
    match value {
        Some(value) => number(out, value),
        None => put(out, "null"),
    }
}

/// Appends a string that needs no escapes, such as a name, in quotes.
pub(super) fn name(out: &mut Vec<u8>, name: &str) {
    debug_assert_eq!(clean_len(name.as_bytes()), name.len(), "{name:?} needs escapes");
    out.push(b'"');
    put(out, name);
    out.push(b'"');
}

/// Appends a string in quotes, escaped.
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (clean, tail) = rest.split_at_checked(clean_len(rest)).unwrap_or((rest, &[]));
        out.extend_from_slice(clean);
        let Some((&byte, behind)) = tail.split_first() else {
            break;
        };
        escape(out, byte);
        rest = behind;
    }
    out.push(b'"');
}

/// Appends JSON that somebody else wrote. A line end, which may stand between its parts, becomes a space.
pub(super) fn foreign(out: &mut Vec<u8>, json: &str) {
    let mut rest = json.as_bytes();
    while let Some(end) = memchr::memchr2(b'\n', b'\r', rest) {
        let (line, tail) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        out.extend_from_slice(line);
        out.push(b' ');
        rest = tail.get(1..).unwrap_or(&[]);
    }
    out.extend_from_slice(rest);
}

/// Appends the items in brackets, each written by `write`.
pub(super) fn array<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'[');
    let mut is_first = true;
    for item in items {
        if !is_first {
            out.push(b',');
        }
        is_first = false;
        write(out, item);
    }
    out.push(b']');
}

/// Bytes of `text` between its quotes once it is escaped.
pub(super) fn escaped_len(text: &str) -> usize {
    escaped_len_and_lines(text).0
}

/// The same, and how many line ends there are.
pub(super) fn escaped_len_and_lines(text: &str) -> (usize, usize) {
    let mut rest = text.as_bytes();
    let (mut len, mut lines) = (rest.len(), 0);
    while let Some((&byte, behind)) = rest.get(clean_len(rest)..).and_then(<[u8]>::split_first) {
        len += if has_short_escape(byte) { 1 } else { 5 };
        lines += usize::from(byte == b'\n');
        rest = behind;
    }
    (len, lines)
}

const fn has_short_escape(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 8 | 12)
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    const HEX: [u8; 16] = *b"0123456789abcdef";
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        8 => b'b',
        12 => b'f',
        _ => {
            let digit = |value: u8| HEX.get(usize::from(value)).copied().unwrap_or(b'0');
            return out.extend([b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
        }
    };
    out.extend([b'\\', short]);
}

const fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// How many bytes stand before the first one that needs an escape: the first few words one by one, since names
/// end in them, what is longer in blocks.
pub(super) fn clean_len(text: &[u8]) -> usize {
    const FIRST: usize = 24;
    let (first, _) = text.split_at_checked(FIRST).unwrap_or((text, &[]));
    let clean = clean_words(first);
    if clean < FIRST {
        return clean;
    }
    FIRST + clean_blocks(text.get(FIRST..).unwrap_or_default())
}

fn clean_blocks(text: &[u8]) -> usize {
    // Without an early exit within a block, so that the compiler looks at all of it at once.
    let is_clean = |block: &&[u8; 32]| !block.iter().fold(false, |any, &b| any | needs_escape(b));
    let (blocks, _) = text.as_chunks::<32>();
    let clean = 32 * blocks.iter().take_while(is_clean).count();
    clean + clean_words(text.get(clean..).unwrap_or_default())
}

#[inline]
fn clean_words(text: &[u8]) -> usize {
    let (words, tail) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let found = mark_escapes(u64::from_le_bytes(*word));
        if found != 0 {
            return 8 * index + usize::try_from(found.trailing_zeros() / 8).unwrap_or(0);
        }
    }
    let in_tail = tail.iter().position(|&byte| needs_escape(byte)).unwrap_or(tail.len());
    8 * words.len() + in_tail
}

/// The high bit of each byte that needs an escape. Above the lowest of them there may be false ones,
/// since a subtraction borrows from the next byte.
const fn mark_escapes(word: u64) -> u64 {
    const LOW: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = LOW << 7;
    let quote = word ^ (LOW * 0x22);
    let backslash = word ^ (LOW * 0x5c);
    let below_space = word.wrapping_sub(LOW * 0x20) & !word;
    let is_quote = quote.wrapping_sub(LOW) & !quote;
    let is_backslash = backslash.wrapping_sub(LOW) & !backslash;
    (below_space | is_quote | is_backslash) & HIGH
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str) {
        let mut out = Vec::new();
        string(&mut out, text);
        let shown = String::from_utf8(out).unwrap();
        assert_eq!(shown, serde_json::to_string(text).unwrap());
        assert_eq!(escaped_len(text), shown.len() - 2, "{text:?}");
    }

    #[test]
    fn every_character_is_escaped_as_the_library_does_at_every_offset() {
        for code in 0..0x300 {
            let c = char::from_u32(code).unwrap();
            for offset in (0..9).chain(23..34).chain(55..66) {
                check(&format!("{}{c}{}", "x".repeat(offset), "\u{7f}y\"".repeat(offset)));
            }
        }
    }

    #[test]
    fn numbers_are_written_as_the_library_does() {
        let tens = (0..20).map(|exponent| 10u64.pow(exponent));
        for value in tens.flat_map(|ten| [ten - 1, ten, ten + 1]).chain([u64::MAX, 12_345]) {
            let mut out = Vec::new();
            number(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        }
    }

    #[test]
    fn others_json_comes_out_on_one_line() {
        let mut out = Vec::new();
        foreign(&mut out, "{\r\n\"a\":\n1}\n");
        assert_eq!(out, b"{  \"a\": 1} ");
    }

    proptest! {
        #[test]
        fn any_text_is_escaped_as_the_library_does(text in "[\\x00-\\x7f\u{80}-\u{ff}\u{2028}]{0,40}") {
            check(&text);
        }
    }
}
