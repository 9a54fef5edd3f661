//! The fields of a form of several parts: `multipart/form-data`, RFC 7578 and RFC 2046 section 5.1.
//!
//! Of a body that is whole already. What readers take in different ways is refused: text before the
//! first boundary, lines that end with LF alone, a boundary that continues, a part without a name.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use memchr::memmem;

/// Bytes of a boundary (RFC 2046 section 5.1.1).
const BOUNDARY_LEN_MAX: usize = 70;
/// Parts of a form.
const PARTS_MAX: usize = 64;

/// The boundary that a `Content-Type` names; `None` if it is of another type, or names none that is
/// one.
#[must_use]
pub fn boundary(content_type: &[u8]) -> Option<&str> {
    // None of the characters of a boundary is a semicolon.
    let mut parts = str::from_utf8(content_type).ok()?.split(';').map(str::trim_ascii);
    if !parts.next()?.eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let named = parts.filter_map(|part| part.split_once('='));
    let mut named = named.filter(|(name, _)| name.eq_ignore_ascii_case("boundary"));
    let (_, value) = named.next()?;
    let is_quoted = value.starts_with('"');
    let value = if is_quoted { value.strip_prefix('"')?.strip_suffix('"')? } else { value };
    let is_one = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    let is_good = (1..=BOUNDARY_LEN_MAX).contains(&value.len())
        && value.bytes().all(is_one)
        && !value.ends_with(' ');
    (is_good && named.next().is_none()).then_some(value)
}

/// The fields of the form in their order, without files; `None` if it is malformed, has more than
/// 64 parts, or a field that is not UTF-8.
#[must_use]
pub fn fields<'a>(body: &'a [u8], boundary: &str) -> Option<Vec<(&'a str, &'a str)>> {
    let delimiter = format!("\r\n--{boundary}");
    let finder = memmem::Finder::new(&delimiter);
    // Before the first one there is no line that could end.
    let mut rest = body.strip_prefix(delimiter.as_bytes().get(2..)?)?;
    let mut fields = Vec::new();
    for _ in 0..=PARTS_MAX {
        // What follows the last one is no part of the form.
        if rest.starts_with(b"--") {
            return Some(fields);
        }
        rest = rest.strip_prefix(b"\r\n")?;
        let (part, behind) = rest.split_at_checked(finder.find(rest)?)?;
        rest = behind.get(delimiter.len()..)?;
        let (name, is_file, value) = field_of(part)?;
        if !is_file {
            fields.push((name, str::from_utf8(value).ok()?));
        }
    }
    None
}

/// The name of a part, whether it is a file, and what is in it.
fn field_of(part: &[u8]) -> Option<(&str, bool, &[u8])> {
    let end = memmem::find(part, b"\r\n\r\n")?;
    let (head, value) = part.split_at_checked(end)?;
    let mut found = None;
    for line in str::from_utf8(head).ok()?.split("\r\n") {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("Content-Disposition") && found.replace(value).is_some() {
            return None;
        }
    }
    let (name, is_file) = disposition(found?)?;
    Some((name, is_file, value.get(4..)?))
}

/// The name in a `Content-Disposition`, and whether it is that of a file.
fn disposition(value: &str) -> Option<(&str, bool)> {
    let (kind, rest) = value.split_once(';')?;
    if !kind.trim_ascii().eq_ignore_ascii_case("form-data") {
        return None;
    }
    let (mut name, mut is_file, mut rest) = (None, false, rest);
    loop {
        let (key, behind) = rest.split_once('=')?;
        let (text, behind) = match behind.strip_prefix('"') {
            Some(quoted) => quoted.split_at_checked(closing(quoted)?)?,
            None => behind.split_at_checked(behind.find(';').unwrap_or(behind.len()))?,
        };
        let key = key.trim_ascii();
        if key.eq_ignore_ascii_case("name") && name.replace(text).is_some() {
            return None;
        }
        is_file |= key.eq_ignore_ascii_case("filename") || key.eq_ignore_ascii_case("filename*");
        let behind = behind.strip_prefix('"').unwrap_or(behind).trim_ascii();
        match behind.strip_prefix(';') {
            Some(more) => rest = more,
            None if behind.is_empty() => return Some((name?, is_file)),
            None => return None,
        }
    }
}

/// Where a quoted text ends: some write a quote in it as `\"`, others as `%22`.
fn closing(quoted: &str) -> Option<usize> {
    let mut is_escaped = false;
    quoted.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_boundary_is_what_the_type_names_if_it_can_be_one() {
        let long = "x".repeat(70);
        for (value, expect) in [
            ("multipart/form-data; boundary=abc", Some("abc")),
            ("Multipart/Form-Data;charset=utf-8; BOUNDARY=\"a b:c\"", Some("a b:c")),
            (&*format!("multipart/form-data; boundary={long}"), Some(&*long)),
            (&*format!("multipart/form-data; boundary={long}x"), None),
            ("multipart/form-data; boundary=", None),
            ("multipart/form-data; boundary=\"\"", None),
            ("multipart/form-data; boundary=\"a", None),
            ("multipart/form-data; boundary=\"a \"", None),
            ("multipart/form-data; boundary=a\"b", None),
            ("multipart/form-data; boundary=a; boundary=b", None),
            ("multipart/form-data; boundary=ä", None),
            ("multipart/form-data", None),
            ("multipart/mixed; boundary=a", None),
            ("application/json", None),
        ] {
            assert_eq!(boundary(value.as_bytes()), expect, "{value}");
        }
    }

    #[test]
    fn a_form_has_its_fields_and_files_are_left_out() {
        let part = |head: &str, value: &str| {
            format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n")
        };
        let form = part("name=\"data\"", "{\r\n}")
            + &part("name=plain", "")
            + &part("name=\"file\"; filename=\"a; name=x\"", "\u{1}")
            + &part("name=\"other\"; filename*=utf-8''a", "x")
            + &part("name=\"a \\\" b\"\r\nContent-Type: text/plain", "x--b")
            + "--b--\r\n";
        let expect = vec![("data", "{\r\n}"), ("plain", ""), ("a \\\" b", "x--b")];
        assert_eq!(fields(form.as_bytes(), "b"), Some(expect));
        assert_eq!(fields(b"--b--", "b"), Some(Vec::new()));
        let mut with_file = part("name=f; filename=f", "").into_bytes();
        with_file.splice(with_file.len() - 2.., *b"\xff\x00\r\n--b--");
        assert_eq!(fields(&with_file, "b"), Some(Vec::new()), "a file may have any bytes");
    }

    #[test]
    fn what_is_malformed_or_too_much_is_refused() {
        let good = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--b--";
        assert!(fields(good.as_bytes(), "b").is_some());
        for (from, to) in [
            ("--b\r\nC", "text\r\n--b\r\nC"),
            ("--b\r\nC", "--b\nC"),
            ("--b\r\nC", "--bc\r\nC"),
            ("--b--", "--b-"),
            ("--b--", "--bc--"),
            ("\r\n--b--", ""),
            ("\r\n--b--", "--b--"),
            ("\r\n\r\nx", "\r\nx"),
            ("form-data", "attachment"),
            ("; name=\"a\"", ""),
            ("name=\"a\"", "name=\"a"),
            ("name=\"a\"", "name=\"a\" b"),
            ("name=\"a\"", "name=\"a\"; name=\"b\""),
            ("name=\"a\"", "name=\"a\"\r\nContent-Disposition: form-data; name=\"b\""),
            ("name=\"a\"", "name=\"a\"\r\nnothing"),
            ("Content-Disposition", "X"),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_eq!(fields(bad.as_bytes(), "b"), None, "{bad:?}");
        }
        let (part, end) = good.split_at(good.len() - 5);
        assert!(fields((part.repeat(PARTS_MAX) + end).as_bytes(), "b").is_some());
        assert_eq!(fields((part.repeat(PARTS_MAX + 1) + end).as_bytes(), "b"), None);
        let bytes = [part.strip_suffix("x\r\n").unwrap().as_bytes(), b"\xff\r\n--b--"].concat();
        assert_eq!(fields(&bytes, "b"), None, "not UTF-8");
    }

    proptest! {
        #[test]
        fn whatever_does_not_have_the_boundary_comes_back_as_it_was(
            values in proptest::collection::vec("[ -~\r\n\u{e4}]{0,20}", 0..9),
        ) {
            let part = |value: &String| {
                format!("--~\u{0}\r\nContent-Disposition: form-data; name=n\r\n\r\n{value}\r\n")
            };
            let form: String = values.iter().map(part).collect();
            let form = form + "--~\u{0}--";
            let expect: Vec<_> = values.iter().map(|value| ("n", &**value)).collect();
            prop_assert_eq!(fields(form.as_bytes(), "~\u{0}"), Some(expect));
        }

        #[test]
        fn any_bytes_are_taken_or_refused(
            body in "(--b|\r\n|Content-Disposition: form-data|; ?name=|\"|[a;=:\\\\-]){0,24}",
        ) {
            let found = fields(body.as_bytes(), "b").unwrap_or_default();
            prop_assert!(found.iter().all(|(name, value)| body.contains(name) && body.contains(value)));
        }
    }
}
