//! What a new name may be: an identifier of UTS 39, spelled in one way.
//!
//! | rule | why |
//! |---|---|
//! | NFKC, lower case | one name has one spelling |
//! | letters, digits and marks whose status in UTS 39 is *allowed*, and `.` `_` `-`; in rooms also `/` inside | nothing that is out of use, a symbol, or shows nothing (default-ignorable) |
//! | a mark follows a letter, a digit or a mark | it would be drawn over a `.` |
//! | no part of a room's name is `.` or `..` | addresses leave these out (RFC 3986, 5.2.4), so that nothing over HTTP would reach the room |
//! | scripts: *moderately restrictive* (UTS 39, 5.2), in each part of a room's name | Latin and one other script are written together, but not with Cyrillic or Greek, whose letters look like Latin ones |
//!
//! Moderately and not highly restrictive, since people write Latin together with Devanagari, Arabic
//! or Thai. What is of one script and looks like another name is seen by its
//! [`skeleton`](super::skeleton()).

use unicode_normalization::char::is_combining_mark;
use unicode_normalization::{UnicodeNormalization, is_nfkc};
use unicode_security::{GeneralSecurityProfile, RestrictionLevel, RestrictionLevelDetection as _};

use super::{NAME_LEN_MAX, NameError};

/// Whose name it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    User,
    Room,
}

impl Kind {
    /// The rule, as a client that breaks it is told.
    const fn rule(self) -> &'static str {
        match self {
            Self::User => "1 to 32 bytes of lower-case letters, digits, '.', '_' or '-'",
            Self::Room => {
                "1 to 32 bytes of lower-case letters, digits, '.', '_', '-', or '/' inside"
            }
        }
    }

    const fn is_punctuation(self, c: char) -> bool {
        matches!(c, '.' | '_' | '-') || (matches!(self, Self::Room) && c == '/')
    }
}

/// What is told of a name whose scripts do not go together.
const RULE_SCRIPTS: &str = "letters of one script, or of Latin and another but Cyrillic and Greek";

/// What is told of a room's name that no address could hold.
const RULE_DOTS: &str = "a name of which no part is . or .., which addresses leave out";

/// Checks a new name.
///
/// # Errors
///
/// [`NameError`] with the right spelling, if there is one near.
pub(super) fn check(text: &str, kind: Kind) -> Result<(), NameError> {
    if is_right(text, kind) {
        return Ok(());
    }
    let expected = match is_spelled(text, kind, is_allowed) {
        true if has_dots(text, kind) => RULE_DOTS,
        true if !has_one_script(text) => RULE_SCRIPTS,
        // Marks that follow nothing are told the general rule.
        true | false => kind.rule(),
    };
    Err(NameError { expected, hint: right_spelling(text, kind) })
}

/// Whether this is a name, or was one by the rules of the first version: any letter or digit.
pub(super) fn is_stored(text: &str, kind: Kind) -> bool {
    is_right(text, kind) || is_spelled(text, kind, char::is_alphanumeric)
}

fn is_right(text: &str, kind: Kind) -> bool {
    is_spelled(text, kind, is_allowed)
        && !has_dots(text, kind)
        && (text.is_ascii() || (has_marks_in_place(text) && has_one_script(text)))
}

/// Whether the text is in its one spelling, of letters and the like that are allowed.
fn is_spelled(text: &str, kind: Kind, allowed: impl Fn(char) -> bool) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if !(1..=NAME_LEN_MAX).contains(&text.len()) {
        return false;
    }
    // Nearly every name is plain, which is cheaper to see.
    if text.bytes().all(plain) {
        return true;
    }
    // Not `is_lowercase`: scripts without case have letters that are neither.
    let is_lower = |c: char| c.to_lowercase().eq([c]);
    let is_right = |c| kind.is_punctuation(c) || (is_lower(c) && allowed(c));
    text.chars().all(is_right) && is_nfkc(text) && !text.split('/').any(str::is_empty)
}

fn is_allowed(c: char) -> bool {
    GeneralSecurityProfile::identifier_allowed(c) && (c.is_alphanumeric() || is_combining_mark(c))
}

fn has_marks_in_place(text: &str) -> bool {
    let mut may_follow = false;
    text.chars().all(|c| {
        let is_mark = is_combining_mark(c);
        let is_right = may_follow || !is_mark;
        may_follow = is_mark || c.is_alphanumeric();
        is_right
    })
}

/// Whether a part of a room's name is one that the path of an address cannot have.
fn has_dots(text: &str, kind: Kind) -> bool {
    kind == Kind::Room && text.split('/').any(|part| matches!(part, "." | ".."))
}

fn has_one_script(text: &str) -> bool {
    let level = RestrictionLevel::ModeratelyRestrictive;
    // What stands in a folder need not be of its script.
    text.split('/').all(|part| part.check_restriction_level(level))
}

/// The nearest name to `text`: normalised, in lower case, spaces as `-`, the rest left out.
fn right_spelling(text: &str, kind: Kind) -> Option<String> {
    let mut spelling = String::new();
    // Only as much is looked at as could ever become a name.
    let shown = text.chars().take(4 * NAME_LEN_MAX).nfkc().flat_map(char::to_lowercase);
    // Once more, since a letter in lower case need not be in its normal form.
    for c in shown.nfkc() {
        let c = if c == ' ' { '-' } else { c };
        if spelling.len() + c.len_utf8() > NAME_LEN_MAX {
            break;
        }
        if kind.is_punctuation(c) || is_allowed(c) {
            spelling.push(c);
        }
    }
    let parts: Vec<&str> = spelling.split('/').filter(|part| !part.is_empty()).collect();
    Some(parts.join("/")).filter(|spelling| is_right(spelling, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shows_nothing_is_in_no_name_and_in_no_hint() {
        let ignorable = [
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{1160}',
            '\u{17b4}',
            '\u{180b}',
            '\u{180e}',
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{200f}',
            '\u{202e}',
            '\u{2060}',
            '\u{2064}',
            '\u{2800}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{1bca0}',
            '\u{1d173}',
            '\u{e0001}',
            '\u{e0041}',
            '\u{e01ef}',
        ];
        for c in ignorable {
            for text in [c.to_string(), format!("ann{c}"), format!("a{c}nn"), format!("{c}{c}")] {
                for kind in [Kind::User, Kind::Room] {
                    let hint = check(&text, kind).unwrap_err().hint;
                    assert!(hint.is_none_or(|hint| hint == "ann"), "{}", text.escape_unicode());
                }
            }
        }
    }

    #[test]
    fn scripts_that_are_written_together_may_stand_together() {
        for (text, expect) in [
            ("\u{430}nn", false),
            ("ann\u{3b1}", false),
            ("\u{430}\u{3b1}", false),
            ("\u{915}\u{627}", false),
            ("\u{430}\u{43d}\u{43d}\u{430}", true),
            ("tokyo\u{6771}\u{4eac}\u{304b}\u{30ca}", true),
            ("seoul\u{d55c}\u{6f22}", true),
            ("ram-\u{930}\u{93e}\u{92e}", true),
            ("dana-\u{5d3}\u{5e0}\u{5d4}", true),
            ("j\u{fc}rgen7", true),
        ] {
            assert_eq!(check(text, Kind::User).is_ok(), expect, "{text}");
        }
        let mixed = check("\u{430}nn", Kind::User).unwrap_err();
        assert_eq!((mixed.expected, mixed.hint), (RULE_SCRIPTS, None));
        check("dev/\u{43c}\u{438}\u{440}", Kind::Room).unwrap();
        check("dev/\u{43c}ir", Kind::Room).unwrap_err();
    }

    #[test]
    fn no_part_of_a_rooms_name_is_left_out_of_an_address() {
        for text in [".", "..", "a/..", "../a", "a/./b"] {
            let refused = check(text, Kind::Room).unwrap_err();
            assert_eq!((refused.expected, refused.hint), (RULE_DOTS, None), "{text}");
            assert!(is_stored(text, Kind::Room), "{text}");
        }
        for text in ["...", ".a", "a.", "a/.b", "a..b"] {
            check(text, Kind::Room).unwrap();
        }
        check("..", Kind::User).unwrap();
    }

    #[test]
    fn a_mark_belongs_to_a_letter() {
        // Krishna and Thai "friend": vowel signs and a virama are marks.
        for text in
            ["\u{915}\u{943}\u{937}\u{94d}\u{923}", "\u{e40}\u{e1e}\u{e37}\u{e48}\u{e2d}\u{e19}"]
        {
            check(text, Kind::User).unwrap();
        }
        for text in ["\u{94d}\u{915}", "\u{915}.\u{94d}", "a/\u{94d}\u{915}"] {
            check(text, Kind::Room).unwrap_err();
        }
    }

    #[test]
    fn what_identifiers_do_not_have_is_refused_for_new_names_and_kept_in_stored_ones() {
        for text in ["\u{1160}", "ann\u{1160}", "\u{430}nn", "\u{16a0}\u{16b1}", "\u{10330}"] {
            check(text, Kind::User).unwrap_err();
            assert!(is_stored(text, Kind::User), "{text}");
        }
        for text in ["", "Ann", "a b", "a\u{202e}b", "a/b", "e\u{301}"] {
            assert!(!is_stored(text, Kind::User), "{text}");
        }
        for text in ["/a", "a//b", "@a:b"] {
            assert!(!is_stored(text, Kind::Room), "{text}");
        }
    }
}
