//! Words: what of a text is one, and which texts have those that are looked for.

use std::borrow::Cow;
use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::{decompose_canonical, is_combining_mark};

/// The words of a text: letters and digits with their marks.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    let of_word = |c: char| c.is_alphanumeric() || is_combining_mark(c);
    let words = text.split(move |c| !of_word(c));
    words.filter(|word| word.chars().any(char::is_alphanumeric))
}

/// The text without what is written or left out at will: accents of Latin and Greek letters, Hebrew
/// points, Arabic vowel marks and tatweel, joiners. Marks that make another letter of one, such as
/// the vowel signs of Indic scripts, stay.
#[must_use]
pub fn bare(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut bare = String::with_capacity(text.len());
    let is_accent = |c: char| ('\u{300}'..='\u{36f}').contains(&c);
    let mut takes_accents = false;
    for c in text.nfc() {
        if is_optional(c) || (takes_accents && is_accent(c)) {
            continue;
        }
        takes_accents = is_latin_or_greek(c);
        match c {
            // The same letter at the end of a word.
            '\u{3c2}' => bare.push('\u{3c3}'),
            // A letter that is composed with its accent is taken apart first.
            _ if takes_accents => {
                decompose_canonical(c, |part| bare.extend(Some(part).filter(|c| !is_accent(*c))));
            }
            _ => bare.push(c),
        }
    }
    Cow::Owned(bare)
}

const fn is_latin_or_greek(c: char) -> bool {
    matches!(c, 'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' | '\u{370}'..='\u{3ff}' | '\u{1e00}'..='\u{1fff}')
}

/// Whether a character may be left out of a word without making another of it.
const fn is_optional(c: char) -> bool {
    matches!(
        c,
        // Hebrew points and accents, but not the punctuation among them.
        '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}'..='\u{5c2}' | '\u{5c4}'..='\u{5c5}' | '\u{5c7}'
            // Arabic marks and tatweel.
            | '\u{610}'..='\u{61a}' | '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}'
            | '\u{6d6}'..='\u{6dc}' | '\u{6df}'..='\u{6e4}' | '\u{6e7}'..='\u{6e8}' | '\u{6ea}'..='\u{6ed}'
            // Soft hyphen, joiners.
            | '\u{ad}' | '\u{200c}' | '\u{200d}'
    )
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
pub struct Wanted(Vec<String>);

impl Wanted {
    /// The words of a text as it was typed.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(words(&folded(text)).map(str::to_owned).collect())
    }

    /// Whether a text has all of them; none, if there are none.
    #[must_use]
    pub fn are_in(&self, text: &str) -> bool {
        let text = folded(text);
        let is_there = |(index, word): (usize, &String)| {
            if word.chars().any(is_unspaced) {
                // Without spaces nobody can say where a word ends.
                return text.contains(&**word);
            }
            let is_beginning = index + 1 == self.0.len() && word.len() > 1;
            words(&text)
                .flat_map(|run| run.split(is_unspaced))
                .any(|other| other == word || (is_beginning && other.starts_with(&**word)))
        };
        !self.0.is_empty() && self.0.iter().enumerate().all(is_there)
    }

    /// The [`terms`] that each text has which has all of these words, and whether it may have a
    /// longer one that begins so: other texts may have them, too.
    #[must_use]
    pub fn terms(&self) -> Vec<(String, bool)> {
        let mut terms = Vec::new();
        for (index, word) in self.0.iter().enumerate() {
            if word.chars().any(is_unspaced) {
                // What stands around these characters may be part of a longer word.
                terms.extend(word.chars().filter(|c| is_unspaced(*c)).map(|c| (c.into(), false)));
            } else {
                let is_beginning = index + 1 == self.0.len() && word.len() > 1;
                // The index knows only the beginnings of long words; `are_in` compares them whole.
                terms.push((beginning(word).to_owned(), is_beginning));
            }
        }
        terms
    }
}

/// Bytes of a term at most: of a longer word it is the beginning.
pub const TERM_LEN_MAX: usize = 64;

/// What an index has of a text: its words, and each character that is looked for by itself.
/// [`Wanted::terms`] says what of it is looked for; [`Wanted::are_in`] decides.
#[must_use]
pub fn terms(text: &str) -> BTreeSet<String> {
    let mut terms = BTreeSet::new();
    for run in words(&folded(text)) {
        terms.extend(run.chars().filter(|c| is_unspaced(*c)).map(String::from));
        let others = run.split(is_unspaced).filter(|word| !word.is_empty());
        terms.extend(others.map(|word| beginning(word).to_owned()));
    }
    terms
}

/// What of a word is a term.
fn beginning(word: &str) -> &str {
    let mut end = word.len().min(TERM_LEN_MAX);
    while !word.is_char_boundary(end) {
        end -= 1;
    }
    word.get(..end).unwrap_or(word)
}

/// The text [`bare`] and in lower case.
fn folded(text: &str) -> String {
    // Letter by letter. The dot over a capital I becomes a mark of its own.
    bare(text).chars().flat_map(char::to_lowercase).filter(|c| *c != '\u{307}').collect()
}

/// For each script two words, of which only the one that is asked for is to be found.
#[cfg(test)]
pub(crate) const WORD_PAIRS: &[(&str, &str)] = &[
    ("किताब", "कीताब"),   // Devanagari: vowel signs
    ("कर्म", "करम"),       // and a virama
    ("বল", "বেল"),        // Bengali
    ("கல்", "கால்"),         // Tamil
    ("ਪੰਜਾਬੀ", "ਪੰਜਾਬ"),    // Gurmukhi
    ("తల", "తెల"),         // Telugu
    ("മല", "മാല"),         // Malayalam
    ("ที่นี่", "ที่นั่น"),        // Thai
    ("ພາສາ", "ພສາ"),      // Lao
    ("မြန်မာ", "မန်မာ"),    // Myanmar
    ("ភាសា", "ភសា"),      // Khmer
    ("שלום", "שלם"),      // Hebrew
    ("كتاب", "كتب"),      // Arabic
    ("کار", "کارد"),      // Persian
    ("λόγος", "λόφος"),   // Greek
    ("мой", "мои"),       // Cyrillic
    ("ışık", "isim"),     // Turkish
    ("đường", "dưới"),    // Vietnamese
    ("天气", "气天"),     // Han
    ("さくら", "さらく"), // Hiragana
    ("ガス", "カス"),     // Katakana: voiced
    ("한국", "한구"),     // Hangul
    ("ქალი", "ქალაქი"),   // Georgian
    ("հայ", "հայր"),      // Armenian
];

/// Two spellings of one word: each finds the other.
#[cfg(test)]
pub(crate) const SPELLINGS: &[(&str, &str)] = &[
    ("שָׁלוֹם", "שלום"),
    ("كِتَابٌ", "كتاب"),
    ("كتـــاب", "كتاب"),
    ("می\u{200c}خواهم", "میخواهم"),
    ("λόγος", "ΛΟΓΟΣ"),
    ("J\u{fc}rgen", "jurgen"),
    ("cafe\u{301}", "CAF\u{c9}"),
    ("İSTANBUL", "istanbul"),
    ("ЁЛКА", "ёлка"),
    ("е\u{308}лка", "ёлка"),
    ("क\u{93c}लम", "\u{958}लम"),
    ("한국", "\u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_every_script_a_word_is_found_and_not_another() {
        for (one, other) in WORD_PAIRS {
            // The last word may be a beginning: another one after it makes it whole.
            let (wanted, text) = (Wanted::of(&format!("{one} x")), |word| format!("a {word}, x."));
            assert!(wanted.are_in(&text(one)), "{one}");
            assert!(!wanted.are_in(&text(other)), "{one} in {other}");
        }
        for (one, other) in SPELLINGS {
            assert!(Wanted::of(one).are_in(other), "{one} in {other}");
            assert!(Wanted::of(other).are_in(one), "{other} in {one}");
        }
    }

    #[test]
    fn a_text_that_has_all_words_has_all_their_terms() {
        let has = |text: &str, (term, is_beginning): &(String, bool)| {
            let terms = terms(text);
            terms.iter().any(|it| it == term || (*is_beginning && it.starts_with(&**term)))
        };
        let long = "x".repeat(3 * TERM_LEN_MAX);
        let longer = format!("{long}y");
        let texts = CASES.iter().map(|(wanted, text, _)| (*wanted, *text));
        let pairs = WORD_PAIRS.iter().chain(SPELLINGS).copied();
        let long = [(&*long, &*longer), (&*longer, &*long), ("\u{301}x", "\u{301}X")];
        let mut found = 0;
        for (wanted, text) in texts.chain(pairs).chain(long) {
            let wanted = Wanted::of(wanted);
            if wanted.are_in(text) {
                found += 1;
                for term in wanted.terms() {
                    assert!(term.0.len() <= TERM_LEN_MAX && has(text, &term), "{term:?} in {text}");
                }
            }
        }
        assert!(found > SPELLINGS.len());
    }

    /// What is looked for, a text, and whether it is found there.
    const CASES: &[(&str, &str, bool)] = &[
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
    ];

    #[test]
    fn a_text_has_what_is_looked_for() {
        for (wanted, text, expect) in CASES {
            assert_eq!(Wanted::of(wanted).are_in(text), *expect, "{wanted:?} in {text:?}");
        }
    }
}
