//! Writes JSON piece by piece into a buffer, without a value in between and without an allocation
//! of its own. The output is always on one line, since on plain connections a line ends a message.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

/// Appends a piece of JSON that is valid as it is.
pub(super) fn put(out: &mut Vec<u8>, piece: &str) {
    out.extend_from_slice(piece.as_bytes());
}

/// Appends `true` or `false`.
pub(super) fn boolean(out: &mut Vec<u8>, value: bool) {
    put(out, if value { "true" } else { "false" });
}

/// Appends a number.
pub(super) fn number(out: &mut Vec<u8>, value: u64) {
    put(out, itoa::Buffer::new().format(value));
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
    escaped(out, text, escape);
}

/// Appends what a person has written in quotes, escaped. Control characters for which JSON has no
/// short form are shown as `?`: only what was stored by older versions has any.
pub(super) fn prose(out: &mut Vec<u8>, text: &str) {
    escaped(
        out,
        text,
        |out, byte| {
            if has_short_escape(byte) { escape(out, byte) } else { out.push(b'?') }
        },
    );
}

fn escaped(out: &mut Vec<u8>, text: &str, escape: impl Fn(&mut Vec<u8>, u8)) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        // Whole runs are copied: nearly every text is one.
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

/// Appends JSON that a client wrote. A line end between its parts becomes a space.
pub(super) fn raw(out: &mut Vec<u8>, json: &str) {
    let mut rest = json.as_bytes();
    // Only between its parts: within a string JSON has no line end.
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
        // `\n` for one byte, `\u0001` for another.
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

/// The number of bytes before the first one that needs an escape. The first word is checked where
/// this is called, since names end within it; longer texts are in blocks.
#[inline]
pub(super) fn clean_len(text: &[u8]) -> usize {
    let first = text.first_chunk().and_then(|word| clean_in_word(*word));
    first.unwrap_or_else(|| clean_blocks(text))
}

#[inline(never)]
fn clean_blocks(text: &[u8]) -> usize {
    let clean = clean_in_blocks::<64>(text);
    let rest = text.get(clean..).unwrap_or_default();
    let more = clean_in_blocks::<32>(rest);
    clean + more + clean_words(rest.get(more..).unwrap_or_default())
}

/// The bytes of the blocks that `text` begins with in which no byte needs an escape.
#[inline]
fn clean_in_blocks<const LEN: usize>(text: &[u8]) -> usize {
    // One of these three is zero for a byte that needs an escape. The least of a block and no early
    // exit within it, so that the compiler vectorizes the loop.
    let least = |byte: u8| byte.saturating_sub(0x1f).min(byte ^ b'"').min(byte ^ b'\\');
    let is_clean =
        |block: &&[u8; LEN]| block.iter().fold(u8::MAX, |all, &byte| all.min(least(byte))) > 0;
    let (blocks, _) = text.as_chunks::<LEN>();
    LEN * blocks.iter().take_while(is_clean).count()
}

fn clean_words(text: &[u8]) -> usize {
    let (words, tail) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        if let Some(clean) = clean_in_word(*word) {
            return 8 * index + clean;
        }
    }
    let in_tail = tail.iter().position(|&byte| needs_escape(byte)).unwrap_or(tail.len());
    8 * words.len() + in_tail
}

/// The number of bytes before the first one of a word that needs an escape, if one does.
#[inline]
fn clean_in_word(word: [u8; 8]) -> Option<usize> {
    let found = mark_escapes(u64::from_le_bytes(word));
    // Only the lowest mark is exact, and it is the first byte that matters.
    (found != 0).then(|| usize::try_from(found.trailing_zeros() / 8).unwrap_or(0))
}

/// The high bit of each byte that needs an escape. Above the lowest of them there may be false
/// ones, since a subtraction borrows from the next byte.
const fn mark_escapes(word: u64) -> u64 {
    // The lowest and the highest bit of each byte.
    const LOW: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = LOW << 7;
    // The XOR makes a zero of the byte that is looked for. Taking 1 from a zero sets its highest
    // bit, as it leaves that of a byte of 0x81 and more, which `!` takes out again.
    let quote = word ^ (LOW * 0x22);
    let backslash = word ^ (LOW * 0x5c);
    let below_space = word.wrapping_sub(LOW * 0x20) & !word;
    let is_quote = quote.wrapping_sub(LOW) & !quote;
    let is_backslash = backslash.wrapping_sub(LOW) & !backslash;
    (below_space | is_quote | is_backslash) & HIGH
}

/// The byte of `text` at which `error` was found.
pub(super) fn offset_of(text: &str, error: &serde_json::Error) -> usize {
    let before = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len);
    // The column counts the byte itself, but for a control character, which is not taken.
    let taken = usize::from(!error.to_string().starts_with("control character"));
    (before.sum::<usize>() + error.column().saturating_sub(taken)).min(text.len())
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
    fn what_a_person_has_written_takes_two_bytes_for_one_at_most() {
        for code in 0..0x300 {
            let c = char::from_u32(code).unwrap();
            let text = format!("a{c}").repeat(20);
            let mut out = Vec::new();
            prose(&mut out, &text);
            assert!(out.len() <= 2 * text.len() + 2, "{c:?}");
            let shown: String = serde_json::from_slice(&out).unwrap();
            let is_shown = c >= ' ' || has_short_escape(u8::try_from(code).unwrap());
            assert_eq!(shown, if is_shown { text } else { text.replace(c, "?") });
        }
    }

    #[test]
    fn others_json_comes_out_on_one_line() {
        let mut out = Vec::new();
        raw(&mut out, "{\r\n\"a\":\n1}\n");
        assert_eq!(out, b"{  \"a\": 1} ");
    }

    proptest! {
        #[test]
        fn any_text_is_escaped_as_the_library_does(text in "[\\x00-\\x7f\u{80}-\u{ff}\u{2028}]{0,40}") {
            check(&text);
        }
    }
}
