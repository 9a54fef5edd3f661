//! Codings of what is answered: RFC 9110 section 12.5.3.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use super::head::Head;
use super::list::elements;
use super::octets::trim;

/// Whether the client takes an answer that is compressed by gzip, and says so by name.
#[must_use]
pub fn accepts_gzip(head: &Head<'_>) -> bool {
    let fields = head.fields().filter(|(name, _)| name.eq_ignore_ascii_case("accept-encoding"));
    fields.flat_map(|(_, value)| elements(value)).any(is_gzip)
}

/// Whether an element of the list is gzip, with a weight above zero.
fn is_gzip(element: &[u8]) -> bool {
    let mut parts = element.split(|&byte| byte == b';').map(trim);
    if !parts.next().is_some_and(|coding| coding.eq_ignore_ascii_case(b"gzip")) {
        return false;
    }
    let zero = |weight: &[u8]| weight.iter().all(|byte| matches!(byte, b'0' | b'.'));
    !parts
        .any(|part| part.strip_prefix(b"q=").or_else(|| part.strip_prefix(b"Q=")).is_some_and(zero))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_names_gzip_and_wants_it_gets_it() {
        for (element, expect) in [
            ("gzip", true),
            ("GZIP", true),
            ("gzip;q=1", true),
            ("gzip ; q=0.001", true),
            ("gzip;q=0", false),
            ("gzip; Q=0.000", false),
            ("*", false),
            ("x-gzip", false),
            ("identity", false),
        ] {
            assert_eq!(is_gzip(element.as_bytes()), expect, "{element}");
        }
    }
}
