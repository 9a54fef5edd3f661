//! Names as the settings hold them: the domain's rules, which the composition root's tests hold them to.

use unicode_normalization::is_nfkc;

use super::kind::{Kind, quote};
use super::setting::Given;

/// Bytes of the longest name of a user or a room.
const NAME_LEN_MAX: usize = 32;

/// The name of a user, in its one right spelling.
pub(super) struct UserName;

impl Kind<String> for UserName {
    fn parse(&self, given: &Given) -> Result<String, String> {
        let name = given.text().filter(|text| is_name(text));
        name.map(str::to_owned).ok_or_else(|| {
            "is not a user's name: 1 to 32 bytes of lower-case letters, digits, '.', '_' or '-'"
                .to_owned()
        })
    }

    fn render(&self, value: &String) -> String {
        quote(value)
    }
}

/// The name of a policy, spelled as a user's.
pub(super) struct PolicyName;

impl Kind<Option<String>> for PolicyName {
    fn parse(&self, given: &Given) -> Result<Option<String>, String> {
        let name = given.text().filter(|text| is_name(text));
        name.map(|name| Some(name.to_owned())).ok_or_else(|| {
            "must be 1 to 32 bytes of lower-case letters, digits, '.', '_' or '-'".to_owned()
        })
    }

    fn render(&self, value: &Option<String>) -> String {
        value.as_ref().map_or_else(String::new, |name| quote(name))
    }
}

/// The name of a room in which each `*` stands for any text.
pub(super) struct Pattern;

impl Kind<Option<String>> for Pattern {
    fn parse(&self, given: &Given) -> Result<Option<String>, String> {
        let Some(text) = given.text() else {
            return Err(r#"must be a room's name, such as "tmp/*""#.to_owned());
        };
        if text.starts_with('@') {
            return Err("must be a room's name: direct conversations follow durability and \
                        [rooms], whatever their names"
                .to_owned());
        }
        if !is_pattern(text) {
            return Err(r#"can match no room: write a room's name, such as "tmp/*", where * stands for any text and the rest is at most 32 bytes of lower-case letters, digits, '.', '_', '-', or '/' inside"#
                .to_owned());
        }
        Ok(Some(text.to_owned()))
    }

    fn render(&self, value: &Option<String>) -> String {
        value.as_ref().map_or_else(String::new, |pattern| quote(pattern))
    }
}

fn is_name(text: &str) -> bool {
    (1..=NAME_LEN_MAX).contains(&text.len()) && text.chars().all(is_name_char) && is_nfkc(text)
}

fn is_name_char(c: char) -> bool {
    let letter_or_digit = c.is_alphanumeric() && c.to_lowercase().eq([c]);
    letter_or_digit || matches!(c, '.' | '_' | '-')
}

/// Whether there can be a room that the pattern matches.
fn is_pattern(text: &str) -> bool {
    let stars = text.bytes().filter(|byte| *byte == b'*').count();
    let is_char = |c| is_name_char(c) || matches!(c, '*' | '/');
    !text.is_empty()
        && text.len() - stars <= NAME_LEN_MAX
        && stars <= NAME_LEN_MAX
        && text.chars().all(is_char)
        && is_nfkc(text)
        && text.split('/').all(|part| !part.is_empty())
}

/// Whether every room that `later` matches is matched by `earlier`: a star of the later one can only be
/// matched by a star of the earlier one, since nothing else of a pattern is a star.
pub(super) fn covers(earlier: &str, later: &str) -> bool {
    let Some((start, rest)) = earlier.split_once('*') else {
        return earlier == later;
    };
    let Some(mut text) = later.strip_prefix(start) else { return false };
    let mut rest = rest;
    while let Some((middle, behind)) = rest.split_once('*') {
        let Some((_, after)) = text.split_once(middle) else { return false };
        text = after;
        rest = behind;
    }
    text.ends_with(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_what_some_room_may_be_called() {
        for good in
            ["lobby", "tmp/*", "*", "*-log", "a*b*c", "*/log", "a/*/b", "bücher", &"x".repeat(32)]
        {
            assert!(is_pattern(good), "{good}");
        }
        for bad in [
            "",
            "/",
            "/a*",
            "a*/",
            "a//b",
            "Tmp/*",
            "a b",
            "tmp/\u{202e}*",
            "e\u{301}",
            "a?",
            &"x".repeat(33),
        ] {
            assert!(!is_pattern(bad), "{bad}");
        }
    }

    #[test]
    fn a_pattern_covers_another_if_it_takes_all_its_rooms() {
        for (earlier, later, expect) in [
            ("*", "a", true),
            ("*", "a*b", true),
            ("a*", "a", true),
            ("a*", "ab*", true),
            ("a*b", "a*b*b", true),
            ("a*", "*", false),
            ("ab*", "a*", false),
            ("a", "a*", false),
            ("a", "a", true),
            ("a*b*c", "a*c", false),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(covers(earlier, later), expect, "{earlier} {later}");
        }
    }
}
