//! What people write to each other: messages, topics, reasons. Which characters may stand in it,
//! and what of it can be seen.
//!
//! A line ends with LF; CR LF, as some systems write it, is taken for that. Other control
//! characters do nothing good on the reader's side, and take six bytes each in JSON.

use std::borrow::Cow;

/// A control character that cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Control {
    /// The first one of the text.
    pub character: char,
    /// The byte of the text at which it stands.
    pub at: usize,
}

/// What would be right instead of a [`Control`].
pub const EXPECTED: &str = "text without control characters other than tab and newline";

/// Takes a text with LF for each CR LF. A text without CR is not copied.
///
/// # Errors
///
/// [`Control`], the first control character (C0, DEL, C1) other than tab and newline.
pub fn clean(text: Cow<'_, str>) -> Result<Cow<'_, str>, Control> {
    if !has_suspects(text.as_bytes()) {
        return Ok(text);
    }
    let mut line_ends = false;
    for (at, character) in text.char_indices().filter(|&(_, c)| c.is_control()) {
        match character {
            '\n' | '\t' => {}
            '\r' if text.as_bytes().get(at + 1) == Some(&b'\n') => line_ends = true,
            _ => return Err(Control { character, at }),
        }
    }
    // Each CR that was let through stands before a LF.
    Ok(if line_ends { text.replace('\r', "").into() } else { text })
}

/// Whether there may be a control character or a line end in the text. Without an early exit within
/// a block, so that the compiler vectorizes the loop.
fn has_suspects(text: &[u8]) -> bool {
    // DEL, and the first byte of C1, which also begins some letters.
    let is_suspect = |byte: u8| matches!(byte, ..0x20 | 0x7f | 0xc2);
    text.chunks(64).any(|block| block.iter().fold(false, |any, &byte| any | is_suspect(byte)))
}

/// Whether a reader would see nothing of this text: it is empty, or of blanks and characters that
/// are not shown.
#[must_use]
pub fn is_blank(text: &str) -> bool {
    // Nearly every text begins with a letter of ASCII or has one soon.
    if text.bytes().any(|byte| byte.is_ascii_graphic()) {
        return false;
    }
    text.chars().all(|c| c.is_whitespace() || c.is_control() || is_ignorable(c))
}

/// Whether a character is not shown where it is not supported: Unicode's
/// `Default_Ignorable_Code_Point`, and three that look like a blank without being one.
pub(super) const fn is_ignorable(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
            // The empty cell of Braille, the end of a line for annotations, a note without a head.
            | '\u{2800}' | '\u{fff9}'..='\u{fffb}' | '\u{1d159}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(clean(text.into()).as_deref(), Ok(expect), "{text:?}");
    }

    #[track_caller]
    fn check_refused(text: &str, character: char, at: usize) {
        assert_eq!(clean(text.into()), Err(Control { character, at }), "{text:?}");
    }

    #[test]
    fn a_line_end_of_two_characters_is_one() {
        check("a\r\nb\r\n\r\n", "a\nb\n\n");
        check("\r\n", "\n");
        check("a\n\tb", "a\n\tb");
        check("\u{ab}\u{e9}\u{bb} \u{a0}\u{b7}", "\u{ab}\u{e9}\u{bb} \u{a0}\u{b7}");
        check("\u{202e}\u{200d}\u{2028}", "\u{202e}\u{200d}\u{2028}");
        assert!(matches!(clean("a\nb\u{b7}".into()), Ok(Cow::Borrowed(_))));
    }

    #[test]
    fn each_other_control_character_is_found_at_its_place() {
        let controls = (0..=0x9f).filter_map(char::from_u32).filter(|c| c.is_control());
        for c in controls.filter(|c| !matches!(c, '\n' | '\t')) {
            for before in ["", "hello", &"\u{e9}".repeat(50), &"x".repeat(64), &"x\r\n".repeat(3)] {
                check_refused(&format!("{before}{c}after\u{1}"), c, before.len());
                check_refused(&format!("{before}{c}"), c, before.len());
            }
        }
        check_refused("a\r\rb", '\r', 1);
        check_refused("a\r\r\nb", '\r', 1);
    }

    #[test]
    fn what_nobody_can_see_is_blank() {
        for text in [
            "",
            " \t\n",
            "\u{a0}\u{2003}\u{3000}\u{2028}\u{85}",
            "\u{200b}\u{200d}\u{2060}\u{feff}\u{ad}",
            "\u{3164}\u{1160}\u{115f}\u{ffa0}\u{2800}",
            "\u{fe0f}\u{e0020}\u{e01ef}\u{202e}",
        ] {
            assert!(is_blank(text), "{text:?}");
        }
        for text in
            [".", " \u{e9}", "\u{200b}x", "\u{1f469}\u{200d}\u{1f52c}", "\u{627}", "\u{301}"]
        {
            assert!(!is_blank(text), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_is_what_the_rule_says(text in "[\\x00-\\xff\r\n\t]{0,70}|(\r\n|\\PC){0,70}") {
            let plain = text.replace("\r\n", "\n");
            let is_right = !plain.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t'));
            prop_assert_eq!(clean(text.as_str().into()).ok(), is_right.then(|| plain.into()));
        }
    }
}
