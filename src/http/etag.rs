//! Entity tags and the question whether a client's copy is good: RFC 9110 sections 8.8.3 and 13.
//!
//! Nothing here has a date of its last change, so that `If-Modified-Since` and
//! `If-Unmodified-Since` are ignored, as sections 13.1.3 and 13.1.4 want.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use super::Head;
use super::name::Name;
use super::octets::trim;

/// Hexadecimal digits of the hash that a tag has: enough to tell a few versions of a file apart.
const DIGITS: usize = 16;

/// What the conditions of a request come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It is to be answered.
    Met,
    /// The client has it: `304`.
    Known,
    /// It wants another version than this: `412`.
    Failed,
}

/// A strong entity tag, made from the contents.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ETag([u8; DIGITS + 2]);

impl ETag {
    /// The tag of `contents`.
    #[must_use]
    pub fn of(contents: &[u8]) -> Self {
        let hash = sha1_smol::Sha1::from(contents).digest().to_string();
        let mut text = [b'"'; DIGITS + 2];
        for (place, digit) in text.iter_mut().skip(1).take(DIGITS).zip(hash.bytes()) {
            *place = digit;
        }
        Self(text)
    }

    /// The tag with its quotes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// What the conditions of a GET or HEAD come to of what this tag stands for, in the order of
    /// section 13.2.2. `If-Match` compares strongly and `If-None-Match` weakly; a malformed list
    /// matches at most up to where it is malformed.
    #[must_use]
    pub fn condition(&self, head: &Head<'_>) -> Condition {
        let matches = |name, is_strong| {
            head.values(name).any(|value| trim(value) == b"*" || self.is_in(value, is_strong))
        };
        if head.has(Name::IfMatch) && !matches(Name::IfMatch, true) {
            return Condition::Failed;
        }
        if matches(Name::IfNoneMatch, false) { Condition::Known } else { Condition::Met }
    }

    /// Whether the tag is in the list, and there a strong one, if `is_strong`. Tags are quoted and
    /// may contain commas, so each is taken up to its closing quote.
    fn is_in(&self, list: &[u8], is_strong: bool) -> bool {
        let mut rest = list;
        loop {
            let blanks = |byte: &&u8| matches!(byte, b' ' | b'\t' | b',');
            let skipped = rest.iter().take_while(blanks).count();
            let tag = rest.get(skipped..).unwrap_or_default();
            // A cache that has compressed the file on its way makes the tag a weak one.
            let weak = tag.strip_prefix(b"W/");
            let tag = weak.unwrap_or(tag);
            let Some(inside) = tag.strip_prefix(b"\"") else {
                return false;
            };
            let len = inside.iter().take_while(|&&byte| byte != b'"').count();
            let Some((&b'"', behind)) = inside.get(len..).and_then(<[u8]>::split_first) else {
                return false;
            };
            let is_fit = weak.is_none() || !is_strong;
            if is_fit && tag.get(..len + 2) == Some(&self.0[..]) {
                return true;
            }
            rest = behind;
        }
    }
}

impl std::fmt::Debug for ETag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(list: &str, expect: bool) {
        let tag = ETag::of(b"contents");
        let list = list.replace("TAG", tag.as_str());
        assert_eq!(tag.is_in(list.as_bytes(), false), expect, "{list:?}");
        // Of an If-Match weak ones do not count.
        let is_strong = expect && !list.ends_with(&format!("W/{}", tag.as_str()));
        assert_eq!(tag.is_in(list.as_bytes(), true), is_strong, "{list:?}");
    }

    #[test]
    fn a_tag_is_found_alone_and_in_a_list_strong_and_weak() {
        for list in [
            "TAG",
            "W/TAG",
            "\"a\", TAG",
            "\"a\",W/\"b\",W/TAG",
            "\"a,b\", TAG,",
            ", ,TAG",
            "\"\" TAG",
        ] {
            check(list, true);
        }
    }

    #[test]
    fn other_tags_and_malformed_ones_do_not_match() {
        for list in ["", "\"a\"", "w/TAG", "a, TAG", "\"TAG", "\"a", "W/", "\"a\" b TAG", "'TAG'"] {
            check(list, false);
        }
        check("\"a\"b, TAG", false);
    }

    #[test]
    fn tags_differ_where_contents_do() {
        assert_ne!(ETag::of(b"a"), ETag::of(b"b"));
        let tag = ETag::of(b"a");
        assert_eq!(tag.as_str().len(), DIGITS + 2);
        assert!(tag.as_str().starts_with('"') && tag.as_str().ends_with('"'));
    }
}
