//! Comma-separated lists: RFC 9110 section 5.6.1.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use super::octets::trim;

/// The elements of a list without quoted strings, in their order, without the white space around
/// them and without the empty ones, which the RFC allows.
///
/// Each byte is read once, so that a hostile list costs linear time.
pub(super) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(trim).filter(|element| !element.is_empty())
}

/// Whether the list names `word`, in any case.
pub(super) fn names(value: &[u8], word: &str) -> bool {
    elements(value).any(|element| element.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expect: &[&str]) {
        let found: Vec<_> = elements(value.as_bytes()).map(String::from_utf8_lossy).collect();
        assert_eq!(found, expect, "{value:?}");
    }

    #[test]
    fn elements_come_in_order_without_what_surrounds_them() {
        check("", &[]);
        check(" , ,\t,", &[]);
        check("a", &["a"]);
        check("keep-alive, Upgrade", &["keep-alive", "Upgrade"]);
        check(",a ,\tb\t,, c d ,", &["a", "b", "c d"]);
    }

    #[test]
    fn elements_are_pieces_of_the_list_that_do_not_overlap() {
        for value in [format!("b{}x", " ".repeat(8_000)), ", a ,".repeat(1_000), ",".repeat(8_000)]
        {
            let mut rest = value.as_bytes();
            for element in elements(value.as_bytes()) {
                let start = element.as_ptr().addr() - rest.as_ptr().addr();
                rest = &rest[start + element.len()..];
            }
        }
    }

    #[test]
    fn a_word_is_found_whole_and_in_any_case() {
        assert!(names(b"keep-alive, UPGRADE", "upgrade"));
        assert!(!names(b"upgrades, up grade, xupgrade", "upgrade"));
    }
}
