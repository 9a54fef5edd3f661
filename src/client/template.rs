//! A message that is encoded once and sent many times.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use super::{Framing, MASK};

/// A part of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// Text that stays as it is.
    Text(&'a str),
    /// The number of the message in so many digits, the lowest ones of it, with zeros before.
    Number(usize),
}

/// An encoded message with places for its number.
#[derive(Clone, Debug)]
pub struct Template {
    bytes: Box<[u8]>,
    /// Where the digits of each number lie, and where the first of them lies in the mask.
    places: Box<[(usize, usize, usize)]>,
    framing: Framing,
}

impl Template {
    /// The message made of `parts`.
    #[must_use]
    pub fn new(framing: Framing, parts: &[Part<'_>]) -> Self {
        let mut text = Vec::new();
        let mut places = Vec::new();
        for part in parts {
            match *part {
                Part::Text(part) => text.extend_from_slice(part.as_bytes()),
                Part::Number(width) => {
                    places.push((text.len(), width, text.len() % MASK.len()));
                    text.resize(text.len().saturating_add(width), b'0');
                }
            }
        }
        let mut bytes = Vec::new();
        framing.put_message(&text, &mut bytes);
        let ending = usize::from(framing == Framing::Lines);
        let header_len = bytes.len().saturating_sub(text.len()).saturating_sub(ending);
        for (at, ..) in &mut places {
            *at = at.saturating_add(header_len);
        }
        Self { bytes: bytes.into(), places: places.into(), framing }
    }

    /// Bytes of each message as it is sent.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends the message with this number.
    pub fn put(&self, number: u64, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        for &(at, width, offset) in &self.places {
            let begin = start.saturating_add(at);
            let digits = out.get_mut(begin..begin.saturating_add(width)).unwrap_or_default();
            let mut left = number;
            for (nth, digit) in digits.iter_mut().enumerate().rev() {
                let value = b'0' | u8::try_from(left % 10).unwrap_or_default();
                let mask = MASK.get((offset.wrapping_add(nth)) % MASK.len());
                let masked = self.framing == Framing::WebSocket;
                *digit = value ^ mask.copied().filter(|_| masked).unwrap_or_default();
                left /= 10;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of a message, put together part by part.
    fn plain(parts: &[Part<'_>], number: u64) -> String {
        let digits = format!("{number:020}");
        parts.iter().fold(String::new(), |text, part| {
            text + match *part {
                Part::Text(text) => text,
                Part::Number(width) => digits.get(20 - width..).unwrap(),
            }
        })
    }

    fn check(framing: Framing, parts: &[Part<'_>]) {
        let template = Template::new(framing, parts);
        let (mut found, mut expect) = (Vec::new(), Vec::new());
        for number in [0, 7, 1_234_567, 99_999_999_999_999] {
            template.put(number, &mut found);
            framing.put_message(plain(parts, number).as_bytes(), &mut expect);
        }
        assert_eq!(found, expect, "{framing:?} {parts:?}");
        assert_eq!(template.encoded_len() * 4, found.len());
    }

    #[test]
    fn a_template_is_the_message_with_its_number_at_any_place_and_length() {
        let long = "x".repeat(130);
        for (before, width) in ["", "a", "ab", "abc", "abcd", &long]
            .into_iter()
            .flat_map(|it| (0..=12).map(move |n| (it, n)))
        {
            let number = Part::Number(width);
            let parts = [number, Part::Text(before), number, Part::Text("end")];
            check(Framing::WebSocket, &parts);
            check(Framing::Lines, &parts);
        }
    }
}
