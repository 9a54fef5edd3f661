//! Percent-encoding (RFC 3986 section 2.1) in paths, queries and forms.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

/// The text that `text` encodes; `None` if a percent sign encodes nothing, or the bytes are not
/// UTF-8.
#[must_use]
pub fn decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            16 * digit(rest.next())? + digit(rest.next())?
        } else {
            byte
        });
    }
    String::from_utf8(bytes).ok()
}

/// `text` with everything encoded but letters, digits and the signs that a parameter of a field may
/// have (RFC 8187 section 3.2.1).
#[must_use]
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                let digit = char::from_digit(u32::from(digit), 16).unwrap_or('0');
                out.push(digit.to_ascii_uppercase());
            }
        }
    }
    out
}

/// As [`decode`], of a form or a query, where a plus sign is a space.
#[must_use]
pub fn decode_form(text: &str) -> Option<String> {
    if text.contains('+') { decode(&text.replace('+', " ")) } else { decode(text) }
}

/// The value of the first field called `name` of a form or a query, as it stands there.
#[must_use]
pub fn form_field<'a>(form: &'a str, name: &str) -> Option<&'a str> {
    form_fields(form, name).next()
}

/// The values of all fields called `name`, in their order.
pub fn form_fields<'a>(form: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let fields = form.split('&').map(|field| field.split_once('=').unwrap_or((field, "")));
    fields.filter(move |(key, _)| *key == name).map(|(_, value)| value)
}

fn digit(byte: Option<u8>) -> Option<u8> {
    u8::try_from(char::from(byte?).to_digit(16)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_and_nothing_else_is() {
        for (text, expect) in [
            ("lobby", Some("lobby")),
            ("alerts%2Fdisk", Some("alerts/disk")),
            ("%F0%9f%98%80", Some("😀")),
            ("a+b", Some("a+b")),
            ("%", None),
            ("%4", None),
            ("%zz", None),
            ("%ff", None),
        ] {
            assert_eq!(decode(text).as_deref(), expect, "{text}");
        }
        assert_eq!(decode_form("a+b%2B").as_deref(), Some("a b+"));
        assert_eq!(form_field("a=1&payload=%7B&b", "payload"), Some("%7B"));
        assert_eq!((form_field("b", "b"), form_field("b", "c")), (Some(""), None));
    }
}
