//! Words: what of a text is one, and which texts have those that are looked for.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// The words of a text: letters and digits with their marks.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    let of_word = |c: char| c.is_alphanumeric() || is_combining_mark(c);
    let words = text.split(move |c| !of_word(c));
    words.filter(|word| word.chars().any(char::is_alphanumeric))
}

/// Whether a character is of a script that has no space between words: there any part of a text is
/// looked for.
#[must_use]
pub const fn is_unspaced(c: char) -> bool {
    matches!(
        c,
        // Thai and Lao, Myanmar, Khmer.
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
            // Hiragana, katakana, and what repeats a character.
            | '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}'
            | '\u{ff66}'..='\u{ff9f}'
            // Han.
            | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
            | '\u{20000}'..='\u{3ffff}'
    )
}

/// Words that are looked for, whatever their case and marks; the last one may be the beginning of a
/// word, if it is more than a letter.
#[derive(Debug)]
pub(in crate::chat) struct Wanted(Vec<String>);

impl Wanted {
    /// The words of a text as it was typed.
    pub(in crate::chat) fn of(text: &str) -> Self {
        Self(words(text).map(|word| folded(word).into_owned()).collect())
    }

    /// Whether a text has all of them; none, if there are none.
    pub(in crate::chat) fn are_in(&self, text: &str) -> bool {
        let text = folded(text);
        let is_there = |(index, word): (usize, &String)| {
            if word.chars().any(is_unspaced) {
                return text.contains(&**word);
            }
            let is_beginning = index + 1 == self.0.len() && word.len() > 1;
            words(&text)
                .flat_map(|run| run.split(is_unspaced))
                .any(|other| other == word || (is_beginning && other.starts_with(&**word)))
        };
        !self.0.is_empty() && self.0.iter().enumerate().all(is_there)
    }
}

/// The text in lower case and without marks.
fn folded(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Owned(text.to_ascii_lowercase());
    }
    let plain = text.nfd().filter(|&c| !is_combining_mark(c));
    Cow::Owned(plain.flat_map(char::to_lowercase).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_what_is_looked_for() {
        for (wanted, text, expect) in [
            ("hello", "Hello there, J\u{fc}rgen", true),
            ("jurgen HELLO", "Hello there, J\u{fc}rgen", true),
            ("the hello", "Hello there", false),
            ("hello the", "Hello there", true),
            ("hello x", "hello xray", false),
            ("hello xr", "hello x-ray xray", true),
            ("cafe\u{301}", "caf\u{e9}s", true),
            ("ray 7", "x-ray: 7.5", true),
            ("\u{5929}\u{6c14}", "\u{4eca}\u{5929}\u{5929}\u{6c14}\u{5f88}\u{597d}", true),
            ("\u{6c14}\u{5929}", "\u{4eca}\u{5929}\u{5929}\u{6c14}", false),
            ("rust", "\u{6211}\u{7528}Rust\u{5199}", true),
            ("\u{0e27}\u{0e31}\u{0e2a}", "\u{0e2a}\u{0e27}\u{0e31}\u{0e2a}\u{0e14}\u{0e35}", true),
            ("", "hello", false),
            ("-", "hello -", false),
        ] {
            assert_eq!(Wanted::of(wanted).are_in(text), expect, "{wanted:?} in {text:?}");
        }
    }
}
