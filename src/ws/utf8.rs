//! UTF-8 that arrives in pieces and is refused at its first bad byte: RFC 6455 section 8.1.

use simdutf8::{basic, compat};

use super::Violation;

/// The whole of `bytes` as text.
///
/// # Errors
///
/// [`Violation::InvalidUtf8`].
pub(super) fn decode_utf8(bytes: &[u8]) -> Result<&str, Violation> {
    // The faster of the two checks: it does not say where the fault is, and RFC 6455 asks only that
    // there is one.
    let Ok(text) = basic::from_utf8(bytes) else {
        return Err(Violation::InvalidUtf8);
    };
    Ok(text)
}

/// Text that is gathered from pieces, which may end inside a character.
///
/// Invariant: `cut` holds the first bytes of a character that can still become valid, at most 3, so
/// a byte that no continuation could mend is refused with the piece that brings it.
#[derive(Debug, Default)]
pub(super) struct TextBuffer {
    text: String,
    cut: [u8; 3],
    cut_len: u8,
}

impl TextBuffer {
    /// Bytes received so far, those of an incomplete character included.
    pub(super) fn len(&self) -> usize {
        self.text.len() + usize::from(self.cut_len)
    }

    /// Bytes reserved.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.text.capacity()
    }

    /// Makes room for `additional` bytes exactly.
    pub(super) fn reserve_exact(&mut self, additional: usize) {
        self.text.reserve_exact(additional);
    }

    /// Free room in bytes.
    pub(super) fn spare(&self) -> usize {
        self.text.capacity() - self.text.len()
    }

    /// Appends the next piece.
    ///
    /// # Errors
    ///
    /// [`Violation::InvalidUtf8`] if no continuation can make it valid.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), Violation> {
        // The character that the last piece has cut comes first.
        let rest = self.mend_cut(piece)?;
        // The check that tells a fault from a character that is merely cut.
        let valid = match compat::from_utf8(rest) {
            Ok(text) => text,
            Err(error) if error.error_len().is_some() => return Err(Violation::InvalidUtf8),
            Err(error) => {
                let (valid, cut) = rest.split_at_checked(error.valid_up_to()).unwrap_or_default();
                self.keep_cut(cut);
                decode_utf8(valid)?
            }
        };
        self.text.push_str(valid);
        Ok(())
    }

    /// The text, if it does not end inside a character.
    ///
    /// # Errors
    ///
    /// [`Violation::InvalidUtf8`].
    pub(super) fn finish(self) -> Result<String, Violation> {
        if self.cut_len == 0 { Ok(self.text) } else { Err(Violation::InvalidUtf8) }
    }

    /// Completes the character that the last piece began, and returns what follows it.
    fn mend_cut<'a>(&mut self, mut piece: &'a [u8]) -> Result<&'a [u8], Violation> {
        while self.cut_len != 0 {
            let Some((&next, rest)) = piece.split_first() else {
                return Ok(piece);
            };
            piece = rest;
            let mut character = [0; 4];
            let len = usize::from(self.cut_len);
            for (to, from) in character.iter_mut().zip(self.cut.iter().take(len).chain([&next])) {
                *to = *from;
            }
            let character = character.get(..=len).unwrap_or_default();
            match std::str::from_utf8(character) {
                Ok(text) => {
                    self.text.push_str(text);
                    self.cut_len = 0;
                }
                Err(error) if error.error_len().is_some() => return Err(Violation::InvalidUtf8),
                // Still cut, now with one byte more: three bytes of four may come one by one.
                Err(_) => self.keep_cut(character),
            }
        }
        Ok(piece)
    }

    fn keep_cut(&mut self, cut: &[u8]) {
        self.cut_len = 0;
        for (to, from) in self.cut.iter_mut().zip(cut) {
            *to = *from;
            self.cut_len += 1;
        }
        debug_assert_eq!(usize::from(self.cut_len), cut.len(), "a cut has at most three bytes");
    }
}

crate::pack::pack_struct!(TextBuffer { text: String, cut: [u8; 3], cut_len: u8 });

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Pushes `bytes` cut at `cuts` and says how many bytes had been pushed when it was refused.
    fn push_all(bytes: &[u8], piece_len: usize) -> Result<String, usize> {
        let mut buffer = TextBuffer::default();
        let mut pushed = 0;
        for piece in bytes.chunks(piece_len) {
            pushed += piece.len();
            buffer.push(piece).or(Err(pushed))?;
        }
        buffer.finish().or(Err(pushed))
    }

    #[track_caller]
    fn check(bytes: &[u8]) {
        for piece_len in 1..=bytes.len().max(1) {
            let found = push_all(bytes, piece_len).ok();
            let expect = std::str::from_utf8(bytes).ok().map(ToOwned::to_owned);
            assert_eq!(found, expect, "{bytes:x?} in pieces of {piece_len}");
        }
    }

    #[test]
    fn every_length_of_character_is_taken_cut_anywhere() {
        check("a\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}z".as_bytes());
        check(b"");
    }

    #[test]
    fn what_is_not_utf8_is_refused_cut_anywhere() {
        for bytes in [
            &b"\x80"[..],
            b"\xc0\x80",
            b"\xc3",
            b"\xe0\x80\x80",
            b"\xed\xa0\x80",
            b"\xf4\x90\x80\x80",
            b"\xf5\x80\x80\x80",
            b"ok\xf0\x9f\x98",
            b"ok\xf0\x9f\x98x",
            b"\xff",
        ] {
            check(bytes);
        }
    }

    #[test]
    fn a_bad_byte_is_refused_when_it_arrives() {
        for (bytes, at) in [
            (&b"\xce\xba\xf4\x90\x80\x80ed"[..], 4),
            (b"ab\xed\xa0\x80", 4),
            (b"\xe2\x82x...", 3),
            (b"\xf8.......", 1),
        ] {
            assert_eq!(push_all(bytes, 1), Err(at), "{bytes:x?}");
        }
    }

    proptest! {
        #[test]
        fn pieces_agree_with_the_standard_library(
            bytes in prop::collection::vec(
                prop_oneof![Just(0xe2), Just(0x82), Just(0xac), Just(0xf0), Just(0x9f), any::<u8>(), b'a'..b'd'],
                0..40,
            ),
        ) {
            check(&bytes);
        }
    }
}
