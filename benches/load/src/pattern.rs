//! What a message says: a text with places for its sender, its number, its room and something to
//! fill it up.

use chinwag::client::{Framing, Part, Template};

/// Digits of a message's number.
pub(crate) const NUMBER_WIDTH: usize = 10;
/// How many numbers they can tell apart.
pub(crate) const NUMBERS: u64 = 10_000_000_000;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    From,
    Number(usize),
    Room,
    Fill,
}

/// A message as it is written on the command line, with the sizes that it is to have.
///
/// `{from}` is `u` and the sender's number, with zeros before it so that all are of one length,
/// `{n}` the message's own number in ten digits, `{room}` the room's number and `{fill}` as many
/// letters as are missing. Everything else stands for itself.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    pieces: Vec<Piece>,
    text_len: usize,
    /// Digits of a sender's number.
    from_width: usize,
}

impl Pattern {
    /// The pattern of `text`, for messages of `text_len` bytes from less than `senders` senders.
    pub(crate) fn parse(text: &str, text_len: usize, senders: u32) -> Self {
        let mut pieces = Vec::new();
        let mut rest = text;
        let mut plain = String::new();
        while let Some(next) = rest.chars().next() {
            let known = [
                ("{from}", Piece::From),
                ("{n}", Piece::Number(NUMBER_WIDTH)),
                ("{room}", Piece::Room),
                ("{fill}", Piece::Fill),
            ];
            let known =
                known.into_iter().find_map(|(name, piece)| Some((rest.strip_prefix(name)?, piece)));
            if let Some((behind, piece)) = known {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
                pieces.push(piece);
                rest = behind;
            } else {
                plain.push(next);
                rest = rest.get(next.len_utf8()..).unwrap_or_default();
            }
        }
        pieces.push(Piece::Text(plain));
        pieces.retain(|piece| *piece != Piece::Text(String::new()));
        let from_width = senders.saturating_sub(1).to_string().len();
        Self { pieces, text_len, from_width }
    }

    /// The text of a message in the chat protocol: its number, and then letters. A shorter text has
    /// fewer digits.
    pub(crate) fn numbered(text_len: usize) -> Self {
        let pieces = vec![Piece::Number(text_len.min(NUMBER_WIDTH)), Piece::Fill];
        Self { pieces, text_len, from_width: 0 }
    }

    /// Bytes of a message.
    pub(crate) const fn text_len(&self) -> usize {
        self.text_len
    }

    /// Whether messages have numbers.
    pub(crate) fn has_number(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Number(_)))
    }

    /// Whether messages say whose they are.
    pub(crate) fn has_from(&self) -> bool {
        self.pieces.contains(&Piece::From)
    }

    /// How much longer than they should be messages to `room` would be.
    pub(crate) fn excess(&self, room: &str) -> usize {
        self.fixed_len(room).saturating_sub(self.text_len)
    }

    fn fixed_len(&self, room: &str) -> usize {
        let len = |piece: &Piece| match piece {
            Piece::Text(text) => text.len(),
            Piece::From => 1 + self.from_width,
            Piece::Number(width) => *width,
            Piece::Room => room.len(),
            Piece::Fill => 0,
        };
        self.pieces.iter().map(len).sum()
    }

    /// Appends the parts of a template of the sender's messages, with what stays the same as text.
    pub(crate) fn template(
        &self,
        framing: Framing,
        (before, behind): (&[Part<'_>], &str),
        (from, room): (u32, &str),
    ) -> Template {
        let from = format!("u{from:0width$}", width = self.from_width);
        let fill = "x".repeat(self.fill_len(room));
        let mut parts = before.to_vec();
        parts.extend(self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => Part::Text(text),
            Piece::From => Part::Text(&from),
            Piece::Number(width) => Part::Number(*width),
            Piece::Room => Part::Text(room),
            Piece::Fill => Part::Text(&fill),
        }));
        parts.push(Part::Text(behind));
        Template::new(framing, &parts)
    }

    fn fill_len(&self, room: &str) -> usize {
        let fills = self.pieces.iter().filter(|piece| **piece == Piece::Fill).count();
        self.text_len.saturating_sub(self.fixed_len(room)).checked_div(fills).unwrap_or(0)
    }

    /// Reads a message to `room`: who sent it, if it says so, and its number, if it has one. `None`
    /// if a single byte is not as this pattern has it.
    pub(crate) fn read(&self, text: &[u8], room: &str) -> Option<(Option<u32>, Option<u64>)> {
        let (mut from, mut number) = (None, None);
        let mut rest = text;
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => rest = rest.strip_prefix(text.as_bytes())?,
                Piece::Room => rest = rest.strip_prefix(room.as_bytes())?,
                Piece::From => {
                    let digits = rest.strip_prefix(b"u")?.split_at_checked(self.from_width)?;
                    from = Some(u32::try_from(decimal(digits.0)?).ok()?);
                    rest = digits.1;
                }
                Piece::Number(width) => {
                    let digits = rest.split_at_checked(*width)?;
                    number = Some(decimal(digits.0)?);
                    rest = digits.1;
                }
                Piece::Fill => {
                    let fill = rest.split_at_checked(self.fill_len(room))?;
                    if fill.0.iter().any(|&byte| byte != b'x') {
                        return None;
                    }
                    rest = fill.1;
                }
            }
        }
        rest.is_empty().then_some((from, number))
    }

    /// The number that a message of this `number` shows: its lowest digits.
    pub(crate) fn shown(&self, number: u64) -> u64 {
        number % self.modulus()
    }

    /// 10 to the power of the digits that a message shows of its number.
    pub(crate) fn modulus(&self) -> u64 {
        let width = self.pieces.iter().find_map(|piece| match piece {
            Piece::Number(width) => u32::try_from(*width).ok(),
            _ => None,
        });
        10_u64.pow(width.unwrap_or(0))
    }
}

/// The value of decimal digits.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |value, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        value.checked_mul(10)?.checked_add(digit.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &Pattern, room: &str, sender: u32, number: u64, text: &str) {
        let mut line = Vec::new();
        pattern.template(Framing::Lines, (&[], ""), (sender, room)).put(number, &mut line);
        assert_eq!(String::from_utf8_lossy(&line), format!("{text}\n"));
        let from = pattern.has_from().then_some(sender);
        let shown = pattern.has_number().then(|| pattern.shown(number));
        assert_eq!(pattern.read(text.as_bytes(), room), Some((from, shown)));
        for nth in 0..text.len() {
            let mut altered = text.as_bytes().to_vec();
            altered[nth] ^= 0x40;
            assert_eq!(pattern.read(&altered, room), None, "byte {nth} of {text}");
            assert_eq!(pattern.read(&text.as_bytes()[..nth], room), None);
        }
    }

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let pattern = Pattern::parse("{from} {fill}", 12, 1000);
        check(&pattern, "7", 42, 5, "u042 xxxxxxx");
        let pattern = Pattern::parse(r#"{"to":"{room}","n":{n},"by":"{from}","{fill}"}"#, 50, 10);
        check(&pattern, "3", 9, 77, r#"{"to":"3","n":0000000077,"by":"u9","xxxxxxxxxxxx"}"#);
        check(&Pattern::numbered(14), "r", 0, 1_234_567_890_123, "4567890123xxxx");
        check(&Pattern::numbered(3), "r", 0, 1_234, "234");
        check(&Pattern::numbered(0), "r", 0, 0, "");
    }

    #[test]
    fn what_does_not_fit_is_told() {
        assert_eq!(Pattern::parse("{from} {n}{fill}", 10, 100).excess("0"), 4);
        assert_eq!(Pattern::parse("{from} {n}{fill}", 14, 100).excess("0"), 0);
    }
}
