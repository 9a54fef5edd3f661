//! Messages of RESP2 and RESP3, as they come.
//!
//! ```text
//!  +text↵  -error↵  :7↵  _↵  #t↵  ,1.5↵  (12345↵        one line
//!  $5↵hello↵  =9↵txt:hello↵  !5↵ERR x↵  $-1↵              a length, and as many bytes
//!  *2↵… …  ~2↵… …  >2↵… …  %1↵key value                   a count, and as many elements
//! ```
//!
//! A map is a list of its keys and values in turns. Streamed elements and attributes, which no
//! server of today sends unasked, are refused.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use bytes::{Buf as _, Bytes, BytesMut};

use super::Fault;

/// Bytes of the longest message: many times those of what nodes tell each other.
pub const MESSAGE_LEN_MAX: usize = 64 << 10;

/// Elements of a message, lists among them.
pub const ELEMENTS_MAX: usize = 1_024;

/// Levels of lists in lists.
pub const DEPTH_MAX: usize = 8;

/// Bytes of a line: a number, or an error.
const LINE_LEN_MAX: usize = 4 << 10;

/// An element of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A text, or any bytes; a number with a point or one that is too long, as it is written.
    Text(Bytes),
    /// An error: a code, a space, and words.
    Error(Bytes),
    /// A whole number; a truth is 0 or 1.
    Int(i64),
    /// Nothing.
    Null,
    /// A list or a set; a map as its keys and values in turns.
    List(Vec<Self>),
    /// What was not asked for.
    Push(Vec<Self>),
}

/// A list that is not whole yet.
#[derive(Debug)]
struct Open {
    is_push: bool,
    left: usize,
    items: Vec<Value>,
}

/// What the next bytes are.
enum Element {
    Whole(Value),
    List(bool, usize),
}

/// Puts messages together from pieces.
///
/// Invariant: `open` has at most [`DEPTH_MAX`] lists, each of which lacks at least one item, and
/// `taken` bytes and `elements` are those of the message that is not whole yet.
#[derive(Debug, Default)]
pub struct Decoder {
    input: BytesMut,
    open: Vec<Open>,
    taken: usize,
    elements: usize,
}

impl Decoder {
    /// Takes what has come.
    pub fn push(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// The next message, `None` if more bytes are needed.
    ///
    /// # Errors
    ///
    /// [`Fault`] if that is no message: nothing that follows can be read.
    pub fn poll(&mut self) -> Result<Option<Value>, Fault> {
        loop {
            let before = self.input.len();
            let Some(element) = self.element()? else {
                // What is announced was looked at; what is not whole must end.
                return if self.taken.saturating_add(before) > MESSAGE_LEN_MAX + LINE_LEN_MAX {
                    Err(Fault::TooLong)
                } else {
                    Ok(None)
                };
            };
            // All of a message together: many small elements must not pass where one large one is
            // refused.
            self.taken += before - self.input.len();
            self.elements += 1;
            if self.taken > MESSAGE_LEN_MAX || self.elements > ELEMENTS_MAX {
                return Err(Fault::TooLong);
            }
            let whole = match element {
                Element::Whole(value) => value,
                Element::List(is_push, 0) => list(is_push, Vec::new()),
                Element::List(is_push, left) => {
                    if self.open.len() >= DEPTH_MAX || left > ELEMENTS_MAX {
                        return Err(Fault::TooLong);
                    }
                    self.open.push(Open { is_push, left, items: Vec::new() });
                    continue;
                }
            };
            if let Some(message) = self.close(whole) {
                (self.taken, self.elements) = (0, 0);
                return Ok(Some(message));
            }
        }
    }

    /// Puts a value where it belongs: the message, if it is whole with that.
    fn close(&mut self, mut value: Value) -> Option<Value> {
        while let Some(mut open) = self.open.pop() {
            open.items.push(value);
            open.left -= 1;
            if open.left > 0 {
                self.open.push(open);
                return None;
            }
            value = list(open.is_push, open.items);
        }
        Some(value)
    }

    /// Takes the next element out of the input, if it is there; otherwise nothing.
    fn element(&mut self) -> Result<Option<Element>, Fault> {
        let Some(end) = memchr::memchr(b'\n', &self.input) else {
            return if self.input.len() > LINE_LEN_MAX { Err(Fault::TooLong) } else { Ok(None) };
        };
        if end > LINE_LEN_MAX {
            return Err(Fault::TooLong);
        }
        let line = self.input.get(..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").ok_or(MALFORMED)?;
        let (kind, rest) = line.split_first().ok_or(MALFORMED)?;
        let element = match kind {
            b'+' | b',' | b'(' => Element::Whole(Value::Text(Bytes::copy_from_slice(rest))),
            b'-' => Element::Whole(Value::Error(Bytes::copy_from_slice(rest))),
            b':' => Element::Whole(Value::Int(number(rest)?)),
            b'_' if rest.is_empty() => Element::Whole(Value::Null),
            b'#' if rest == b"t" => Element::Whole(Value::Int(1)),
            b'#' if rest == b"f" => Element::Whole(Value::Int(0)),
            b'$' | b'=' | b'!' if rest != b"-1" => {
                let (kind, len) = (*kind, length(rest)?);
                return self.bulk(kind, end + 1, len);
            }
            b'$' | b'*' if rest == b"-1" => Element::Whole(Value::Null),
            b'*' | b'~' => Element::List(false, length(rest)?),
            // A push: it answers nothing that was asked.
            b'>' => Element::List(true, length(rest)?),
            b'%' => Element::List(false, length(rest)?.saturating_mul(2)),
            _ => return Err(MALFORMED),
        };
        self.input.advance(end + 1);
        Ok(Some(element))
    }

    /// The bytes after a length.
    fn bulk(&mut self, kind: u8, head: usize, len: usize) -> Result<Option<Element>, Fault> {
        // Refused by what it announces, before it has come.
        if self.taken.saturating_add(len) > MESSAGE_LEN_MAX {
            return Err(Fault::TooLong);
        }
        if self.input.len() < head + len + 2 {
            return Ok(None);
        }
        self.input.advance(head);
        let text = self.input.split_to(len).freeze();
        if self.input.split_to(2) != b"\r\n"[..] {
            return Err(MALFORMED);
        }
        Ok(Some(Element::Whole(match kind {
            b'!' => Value::Error(text),
            // Three letters say what kind of text it is.
            b'=' if text.get(3) == Some(&b':') => Value::Text(text.slice(4..)),
            b'=' => return Err(MALFORMED),
            _ => Value::Text(text),
        })))
    }
}

const MALFORMED: Fault = Fault::Malformed("it answers otherwise than RESP does");

const fn list(is_push: bool, items: Vec<Value>) -> Value {
    if is_push { Value::Push(items) } else { Value::List(items) }
}

fn number(text: &[u8]) -> Result<i64, Fault> {
    str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(MALFORMED)
}

fn length(text: &[u8]) -> Result<usize, Fault> {
    usize::try_from(number(text)?).map_err(|_negative| MALFORMED)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &'static str) -> Value {
        Value::Text(Bytes::from(text))
    }

    /// The messages in it when it comes whole.
    fn read(bytes: &[u8]) -> Result<Vec<Value>, Fault> {
        let mut decoder = Decoder::default();
        decoder.push(bytes);
        let mut values = Vec::new();
        while let Some(value) = decoder.poll()? {
            values.push(value);
        }
        Ok(values)
    }

    const SAMPLES: &[u8] = b"+OK\r\n-ERR no\r\n:-7\r\n_\r\n#t\r\n#f\r\n,1.5\r\n(123456789012345678901\r\n\
        $5\r\na\r\nbc\r\n$0\r\n\r\n$-1\r\n*-1\r\n=7\r\ntxt:abc\r\n!5\r\nERR x\r\n*0\r\n\
        *2\r\n:1\r\n*1\r\n~1\r\n+x\r\n%1\r\n+proto\r\n:3\r\n>3\r\n+message\r\n$1\r\nc\r\n$2\r\nhi\r\n";

    fn samples() -> Vec<Value> {
        vec![
            text("OK"),
            Value::Error(Bytes::from("ERR no")),
            Value::Int(-7),
            Value::Null,
            Value::Int(1),
            Value::Int(0),
            text("1.5"),
            text("123456789012345678901"),
            text("a\r\nbc"),
            text(""),
            Value::Null,
            Value::Null,
            text("abc"),
            Value::Error(Bytes::from("ERR x")),
            Value::List(vec![]),
            Value::List(vec![Value::Int(1), Value::List(vec![Value::List(vec![text("x")])])]),
            Value::List(vec![text("proto"), Value::Int(3)]),
            Value::Push(vec![text("message"), text("c"), text("hi")]),
        ]
    }

    #[test]
    fn all_kinds_of_messages_are_read() {
        assert_eq!(read(SAMPLES), Ok(samples()));
    }

    #[test]
    fn a_message_that_is_split_anywhere_is_the_same() {
        for at in 0..SAMPLES.len() {
            let (mut decoder, mut values) = (Decoder::default(), Vec::new());
            for piece in [&SAMPLES[..at], &SAMPLES[at..]] {
                decoder.push(piece);
                while let Some(value) = decoder.poll().unwrap() {
                    values.push(value);
                }
            }
            assert_eq!(values, samples(), "split at {at}");
        }
        let (mut decoder, mut values) = (Decoder::default(), Vec::new());
        for byte in SAMPLES {
            decoder.push(&[*byte]);
            values.extend(decoder.poll().unwrap());
        }
        assert_eq!(values, samples());
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for bytes in [
            &b"HTTP/1.1 400 Bad Request\r\n"[..],
            b"\r\n",
            b"+no carriage return\n",
            b":seven\r\n",
            b"$-2\r\n",
            b"$?\r\n",
            b"*?\r\n",
            b"|1\r\n",
            b"#x\r\n",
            b"_x\r\n",
            b"$2\r\nabc\r\n",
            b"=2\r\nab\r\n",
            b"%9223372036854775808\r\n",
        ] {
            assert_eq!(read(bytes), Err(MALFORMED), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_message_has_its_bounds_before_it_has_come() {
        let nested = b"*1\r\n".repeat(DEPTH_MAX + 1);
        let many = [&b"*1000\r\n"[..], &b"*2\r\n:1\r\n:1\r\n".repeat(400)].concat();
        for bytes in [
            &b"$65537\r\n"[..],
            b"$9223372036854775807\r\n",
            b"*1025\r\n",
            b"%9223372036854775807\r\n",
            &[b'+'; LINE_LEN_MAX + 1],
            &nested,
            &many,
        ] {
            let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
            assert_eq!(read(bytes), Err(Fault::TooLong), "{shown}");
        }
        // Parts that are each within the bounds are not, together.
        let half = [&b"$40000\r\n"[..], &b"x".repeat(40_000), b"\r\n"].concat();
        let both = [&b"*2\r\n"[..], &half, &half].concat();
        assert_eq!(read(&both), Err(Fault::TooLong));
        assert_eq!(read(&half.repeat(3)).unwrap().len(), 3);
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_none_are_kept_beyond_the_bounds(
            lines in prop::collection::vec("[-+:$*>%~=!#_,(|][0-9?t-]{0,3}(\r\n|\n)?[a-z]{0,3}(\r\n)?", 0..40),
            pieces in 1_usize..9,
        ) {
            let bytes = lines.concat().into_bytes();
            let mut decoder = Decoder::default();
            'all: for piece in bytes.chunks(pieces) {
                decoder.push(piece);
                loop {
                    match decoder.poll() {
                        Ok(Some(_)) => {}
                        Ok(None) => break,
                        Err(_) => break 'all,
                    }
                }
                prop_assert!(decoder.open.len() <= DEPTH_MAX);
                prop_assert!(decoder.input.len() <= MESSAGE_LEN_MAX + LINE_LEN_MAX);
            }
        }

        #[test]
        fn bytes_of_any_kind_do_not_panic(bytes: Vec<u8>) {
            _ = read(&bytes);
        }

        #[test]
        fn what_comes_in_pieces_is_what_comes_whole(pieces in prop::collection::vec(1_usize..40, 1..60)) {
            let (mut decoder, mut values, mut rest) = (Decoder::default(), Vec::new(), SAMPLES);
            for len in pieces.into_iter().cycle() {
                if rest.is_empty() { break; }
                let (piece, tail) = rest.split_at(len.min(rest.len()));
                decoder.push(piece);
                while let Some(value) = decoder.poll().unwrap() {
                    values.push(value);
                }
                rest = tail;
            }
            prop_assert_eq!(values, samples());
        }
    }
}
