//! Classes of bytes (RFC 9110 section 5.6, RFC 3986 section 3) and positions within a head.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

/// Whether `byte` may stand in a token: a method, a field name, a protocol's name.
pub(super) fn is_token(byte: u8) -> bool {
    TOKEN.get(usize::from(byte)).copied().unwrap_or(false)
}

/// How many bytes of a token `bytes` begin with.
pub(super) fn token_len(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| !is_token(byte)).unwrap_or(bytes.len())
}

/// Whether `bytes` is a token: not empty, and token characters only.
pub(super) fn is_token_text(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_token)
}

/// Whether `byte` may stand in a field value: visible, space, tab, or opaque beyond ASCII.
pub(super) const fn is_field_value(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

/// Whether `byte` may stand in a path or query as it is (`pchar`, `/` and `?`), the percent sign
/// included.
pub(super) const fn is_target(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~'
        | b'!' | b'$' | b'&'..=b',' | b';' | b'=' | b':' | b'@' | b'/' | b'?' | b'%')
}

/// `bytes` without optional white space (SP, HTAB) at either end.
pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    let (mut rest, is_blank) = (bytes, |byte: u8| matches!(byte, b' ' | b'\t'));
    while let Some((_, behind)) = rest.split_first().filter(|&(&byte, _)| is_blank(byte)) {
        rest = behind;
    }
    while let Some((_, before)) = rest.split_last().filter(|&(&byte, _)| is_blank(byte)) {
        rest = before;
    }
    rest
}

/// A stretch of a head. Heads are shorter than 4 GiB ([`Limits`](super::Limits)), so two small
/// numbers name it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// The `len` bytes from `start` on.
    pub(super) fn new(start: usize, len: usize) -> Self {
        let clamp = |position: usize| u32::try_from(position).unwrap_or(u32::MAX);
        Self { start: clamp(start), end: clamp(start.saturating_add(len)) }
    }

    /// What it covers of `head`; nothing, if it is of another one.
    pub(super) fn of(self, head: &[u8]) -> &[u8] {
        let position = |position: u32| usize::try_from(position).unwrap_or(usize::MAX);
        head.get(position(self.start)..position(self.end)).unwrap_or_default()
    }
}

/// `bytes` as text if it is ASCII.
pub(super) fn ascii(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| text.is_ascii())
}

/// [`is_token`] for every byte: looked up, since it is asked for each byte of each name.
const TOKEN: [bool; 256] = token_table();

#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "evaluated when compiling, over exactly the 256 bytes"
)]
const fn token_table() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = matches!(byte as u8, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.'
            | b'0'..=b'9' | b'A'..=b'Z' | b'^'..=b'z' | b'|' | b'~');
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_made_of_the_77_bytes_of_the_rfc() {
        let expected: Vec<u8> = (0..=u8::MAX)
            .filter(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
            .collect();
        let found: Vec<u8> = (0..=u8::MAX).filter(|&byte| is_token(byte)).collect();
        assert_eq!(found, expected);
        assert_eq!(found.len(), 77);
    }

    #[test]
    fn a_target_is_made_of_the_bytes_of_rfc_3986() {
        let expected: Vec<u8> = (0..=u8::MAX)
            .filter(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(byte))
            .collect();
        let found: Vec<u8> = (0..=u8::MAX).filter(|&byte| is_target(byte)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn white_space_is_cut_at_the_ends_only() {
        for (text, expect) in
            [("", ""), (" \t", ""), ("a", "a"), ("\t a b \t", "a b"), ("a\t", "a")]
        {
            assert_eq!(trim(text.as_bytes()), expect.as_bytes(), "{text:?}");
        }
    }
}
