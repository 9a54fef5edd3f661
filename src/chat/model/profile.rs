//! What users say of themselves: a display name beside the name, a status text, and a colour.
//!
//! | rule | why |
//! |---|---|
//! | one line, no control characters, no white space but single spaces | it stands in the line of a message, and nothing in it can be told apart from the rest by width |
//! | at most four marks on a letter | a pile of them covers the lines around it |
//! | nothing that turns the direction of text (UAX 9), or shows nothing, but what emoji and some scripts are joined by | the text around it stays as it is |
//! | a display name has a letter or a digit | it is read out and looked for |
//! | a display name does not look like the name of another user, nor does a part of it between signs, as in `Bob (bob)` | it would be taken for that one |
//!
//! Two users may have the same display name, as people do: the name says who is who, and clients
//! show it beside the other one or a step away from it.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::color::Color;
use super::name::NAME_LEN_MAX;
use super::prose::is_ignorable;

/// Bytes of the longest display name.
pub const DISPLAY_LEN_MAX: usize = 64;
/// Bytes of the longest status text.
pub const STATUS_LEN_MAX: usize = 160;

/// What a user says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublicProfile {
    /// What it is called, beside its name; empty if it has no display name.
    pub display: Box<str>,
    /// What it does; empty if it has no status text.
    pub text: Box<str>,
    /// When the status text ends: milliseconds since 1970; `None`: when it is changed.
    pub until: Option<u64>,
    /// In which colour its name is shown.
    pub color: Color,
}

/// A change of it: what is not given stays, also if another node has changed that meanwhile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// The new display name.
    pub display: Option<Box<str>>,
    /// The new status text, and when it ends.
    pub status: Option<(Box<str>, Option<u64>)>,
    /// The new colour.
    pub color: Option<Color>,
    /// When it is made: a status text that has ended by then goes.
    pub at: u64,
    /// Whether it is kept, too, that the user says nothing: who wants to be called nothing where a
    /// token would say otherwise.
    pub keeps_empty: bool,
}

impl ProfileChange {
    /// That it becomes this, whatever it was.
    #[must_use]
    pub fn whole(profile: PublicProfile) -> Self {
        let PublicProfile { display, text, until, color } = profile;
        let (display, status, color) = (Some(display), Some((text, until)), Some(color));
        Self { display, status, color, at: 0, keeps_empty: true }
    }
}

impl PublicProfile {
    /// Bytes that a profile takes at most when it is rendered, without its texts: two braces, four
    /// keys, a time, a colour, a name and its quotes.
    const OVERHEAD: usize = 84 + NAME_LEN_MAX;

    /// Bytes that the longest profile takes when it is rendered: each byte of a text is escaped as
    /// two at most.
    pub const RENDERED_LEN_MAX: usize = Self::OVERHEAD + 2 * (DISPLAY_LEN_MAX + STATUS_LEN_MAX);

    /// Bytes that it takes at most when it is rendered.
    #[must_use]
    pub fn rendered_len_max(&self) -> usize {
        Self::OVERHEAD + 2 * (self.display.len() + self.text.len())
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.display.is_empty() && self.text.is_empty() && self.color == Color::Unchosen
    }

    /// What of it holds at this time: milliseconds since 1970.
    #[must_use]
    pub fn at(&self, wall_ms: u64) -> Self {
        if self.until.is_none_or(|until| until > wall_ms) {
            return self.clone();
        }
        Self { display: self.display.clone(), color: self.color, ..Self::default() }
    }
}

/// A text of one line without what [`Fault`] says, and with single spaces only; it has none around
/// it.
///
/// # Errors
///
/// [`Fault`], the first character that cannot be taken.
pub fn check_line(text: &str) -> Result<(), Fault> {
    let (mut former, mut marks) = ('\0', 0);
    for (at, character) in text.char_indices() {
        marks = if is_combining_mark(character) { marks + 1 } else { 0 };
        let is_joining = matches!(character, '\u{200c}' | '\u{200d}' | '\u{fe0e}' | '\u{fe0f}');
        let is_single_space = character == ' ' && former != ' ';
        if character.is_control()
            || (character.is_whitespace() && !is_single_space)
            || character == BLANK_BRAILLE
            || marks > MARKS_MAX
            || (is_ignorable(character) && !is_joining)
        {
            return Err(Fault { character, at });
        }
        former = character;
    }
    Ok(())
}

/// Marks on one letter (UTS 39, section 5.4): more pile up over the lines around it.
const MARKS_MAX: u32 = 4;

/// A letter of braille without dots, which is as wide as another one and shows nothing.
const BLANK_BRAILLE: char = '\u{2800}';

/// A character that cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The first one of the text.
    pub character: char,
    /// The byte of the text at which it stands.
    pub at: usize,
}

/// Whether a text may be a display name: not too long, one line, and with something that is read.
#[must_use]
pub fn is_display(text: &str) -> bool {
    text.len() <= DISPLAY_LEN_MAX && check_line(text).is_ok() && has_letters(text)
}

/// Whether a display name has something that is read: a letter or a digit.
#[must_use]
pub fn has_letters(display: &str) -> bool {
    display.chars().any(char::is_alphanumeric)
}

/// What a display name and a name have in common if one is taken for the other: what their letters
/// and digits look like, whatever their case and what stands between them.
#[must_use]
pub fn looks(text: &str) -> BTreeSet<String> {
    let letters = |text: &str| -> String { words(text).concat() };
    // Of a name both are the same. A display name has capitals: an I looks like an l.
    let spellings = |part: String| [letters(&part), letters(&part.to_lowercase())];
    let forms = parts(text).into_iter().flat_map(spellings).map(|letters| form(&letters));
    forms.filter(|form| !form.is_empty()).collect()
}

/// Names that a display name is taken for, if users have them: its words put together as names are.
#[must_use]
pub fn names_like(display: &str) -> BTreeSet<String> {
    let spellings = |part: String| {
        let shown: Vec<String> = words(&part).iter().map(|word| form(word)).collect();
        [words(&part.to_lowercase()), shown]
    };
    let spellings = parts(display).into_iter().flat_map(spellings);
    let joined = spellings.flat_map(|words| ["", ".", "_", "-"].map(|by| words.join(by)));
    joined.filter(|name| (1..=NAME_LEN_MAX).contains(&name.len())).collect()
}

/// What a text looks like (UTS 39, section 4), in lower case.
fn form(text: &str) -> String {
    unicode_security::skeleton(text).collect::<String>().to_lowercase()
}

/// A text, and what is read in it for itself: what stands between signs that no name has. A sign
/// that looks like a letter is read as one, too.
fn parts(text: &str) -> BTreeSet<String> {
    let text: String = text.nfkc().filter(|&c| !is_ignorable(c)).collect();
    let mut parts = parts_between_signs(&text);
    parts.extend(parts_between_signs(&text.chars().map(letter_like).collect::<String>()));
    parts
}

/// The letter that a sign looks like, such as l for a vertical line.
fn letter_like(c: char) -> char {
    let mut bytes = [0; 4];
    let mut looks = unicode_security::skeleton(c.encode_utf8(&mut bytes));
    match (looks.next(), looks.next()) {
        (Some(letter), None) if !is_of_word(c) && letter.is_alphanumeric() => letter,
        _ => c,
    }
}

fn parts_between_signs(text: &str) -> BTreeSet<String> {
    let of_part = |c: char| is_of_word(c) || matches!(c, ' ' | '.' | '_' | '-' | '\'' | '\u{2019}');
    let parts = text.split(|c| !of_part(c)).map(|part| part.trim().to_owned());
    let mut parts: BTreeSet<String> = parts.collect();
    parts.insert(text.to_owned());
    parts
}

/// The runs of letters, digits and marks of a text, as names have them.
fn words(text: &str) -> Vec<String> {
    let text: String = text.nfkc().filter(|&c| !is_ignorable(c)).collect();
    let words = text.split(|c| !is_of_word(c)).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::model::name::skeleton;

    #[test]
    fn a_line_has_no_character_that_controls_or_turns_or_hides() {
        let marks = "e\u{301}\u{302}\u{303}\u{304}e\u{301}";
        for text in
            [marks, "", "Ann Smith", "J\u{fc}rgen \u{540d}\u{524d}", "\u{1f3d6}\u{fe0f} away"]
        {
            assert_eq!(check_line(text), Ok(()), "{text:?}");
        }
        let family = "\u{1f468}\u{200d}\u{1f469}";
        assert_eq!(check_line(family), Ok(()));
        for (text, character, at) in [
            ("a\nb", '\n', 1),
            ("a\tb", '\t', 1),
            ("ab\u{7f}", '\u{7f}', 2),
            ("\u{202e}nna", '\u{202e}', 0),
            ("a\u{2067}b", '\u{2067}', 1),
            ("a\u{200f}b", '\u{200f}', 1),
            ("a\u{200b}b", '\u{200b}', 1),
            ("a\u{2028}b", '\u{2028}', 1),
            ("a\u{3164}b", '\u{3164}', 1),
            ("a\u{2003}b", '\u{2003}', 1),
            ("a\u{3000}b", '\u{3000}', 1),
            ("a\u{a0}b", '\u{a0}', 1),
            ("a\u{2800}b", '\u{2800}', 1),
            ("a b  c", ' ', 4),
            ("a\u{e0041}", '\u{e0041}', 1),
            ("Z\u{301}\u{302}\u{303}\u{304}\u{305}", '\u{305}', 9),
        ] {
            assert_eq!(check_line(text), Err(Fault { character, at }), "{text:?}");
        }
    }

    #[test]
    fn a_display_name_is_found_by_the_names_that_it_is_taken_for() {
        for (display, name) in [
            ("Bob", "bob"),
            ("B\u{200d}ob", "bob"),
            ("Bob \u{1f389}", "bob"),
            ("Bob Smith", "bob.smith"),
            ("Bob Smith", "bob-smith"),
            ("BOB SMITH", "bobsmith"),
            ("\u{ff22}ob", "bob"),
            ("BiII", "bill"),
            ("\u{412}ob", "bob"),
            ("Bob (bob)", "bob"),
            ("Robert (Bob)", "bob"),
            ("Bob, of the staff", "bob"),
            ("@Bob \u{ff3b}admin\u{ff3d}", "bob"),
            ("|an", "lan"),
            ("B\u{ff5c}|| (away)", "blll"),
            ("\u{212e}ve", "eve"),
            ("ann|eve", "eve"),
        ] {
            let like = names_like(display);
            let is_taken_for = |other: &String| skeleton(other) == skeleton(name);
            assert!(like.iter().any(is_taken_for), "{display} {name} {like:?}");
            assert!(!looks(display).is_disjoint(&looks(name)), "{display} {name}");
        }
        for (display, name) in [("Bob Smith", "bob"), ("Robert", "bob"), ("Bob-Ann (x)", "bob")] {
            assert!(looks(display).is_disjoint(&looks(name)), "{display} {name}");
        }
        assert!(names_like("\u{1f389}").is_empty() && !has_letters("\u{1f389} !"));
    }

    #[test]
    fn a_status_text_holds_until_its_end() {
        let rest =
            PublicProfile { display: "Ann".into(), color: Color::Teal, ..Default::default() };
        let profile = PublicProfile { text: "lunch".into(), until: Some(100), ..rest.clone() };
        assert_eq!(profile.at(99), profile);
        assert_eq!(profile.at(100), rest);
        let said = |display: &str, color| {
            !PublicProfile { display: display.into(), color, ..profile.clone() }.at(100).is_empty()
        };
        assert!(!said("", Color::Unchosen) && said("", Color::Red) && said("A", Color::Unchosen));
    }
}
