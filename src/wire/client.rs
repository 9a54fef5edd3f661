//! The client's side of the protocol: renders requests and parses what the server sends. For
//! clients in this repository, such as the load generator and the tests.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use serde_json::value::RawValue;

use super::json::{boolean, name, number, put, raw, string};
use crate::chat::model::command::Op;

/// The value of a request's field.
#[derive(Clone, Copy, Debug)]
pub enum Field<'a> {
    /// A string.
    Text(&'a str),
    /// A number.
    Number(u64),
    /// A boolean.
    Flag(bool),
    /// JSON that is valid as it is.
    Json(&'a str),
}

/// Appends a request on one line, without the line's end.
///
/// ```
/// use chinwag::chat::Op;
/// use chinwag::wire::client::{Field, request};
///
/// let mut out = Vec::new();
/// let fields = [("room", Field::Text("lobby")), ("after", Field::Number(0))];
/// request(&mut out, Op::Join, Some(2), &fields);
/// assert_eq!(out, br#"{"op":"join","id":2,"room":"lobby","after":0}"#);
/// ```
pub fn request(out: &mut Vec<u8>, op: Op, id: Option<u64>, fields: &[(&str, Field<'_>)]) {
    put(out, r#"{"op":"#);
    name(out, op.name());
    if let Some(id) = id {
        put(out, r#","id":"#);
        number(out, id);
    }
    for (key, field) in fields {
        put(out, ",");
        string(out, key);
        put(out, ":");
        match *field {
            Field::Text(text) => string(out, text),
            Field::Number(value) => number(out, value),
            Field::Flag(value) => boolean(out, value),
            Field::Json(json) => raw(out, json),
        }
    }
    put(out, "}");
}

/// A string, borrowed if it has no escapes, or a number: `from` is a user in a message and a seq in
/// a gap, and an `id` can be either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word<'a> {
    /// A string.
    Text(Cow<'a, str>),
    /// An integer of 0 or more.
    Number(u64),
}

impl Word<'_> {
    /// The string, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(_) => None,
        }
    }

    /// The number, if it is one.
    #[must_use]
    pub const fn as_number(&self) -> Option<u64> {
        match self {
            Self::Text(_) => None,
            Self::Number(value) => Some(*value),
        }
    }
}

/// A message of the server: an event if it has `ev`, a reply if it has `code`. These are the fields
/// that most clients use; missing ones are `None`, and others are ignored.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Incoming<'a> {
    /// The kind of event.
    #[serde(borrow)]
    pub ev: Option<Word<'a>>,
    /// Which request is answered.
    #[serde(borrow)]
    pub id: Option<Word<'a>>,
    /// How it was answered: 0 for success.
    pub code: Option<u16>,
    /// The answer's words.
    #[serde(borrow)]
    pub message: Option<Word<'a>>,
    /// The answer's data, to be read by [`Incoming::parse`] again; or the opaque data of a message.
    #[serde(borrow)]
    pub data: Option<&'a RawValue>,
    /// Which room it is about.
    #[serde(borrow)]
    pub room: Option<Word<'a>>,
    /// Of which life of the room's log the seqs are.
    #[serde(borrow)]
    pub epoch: Option<Word<'a>>,
    /// Of a record; in a reply to `join`, the head of the log.
    pub seq: Option<u64>,
    /// Who said it; in a gap, the first seq that is missing.
    #[serde(borrow)]
    pub from: Option<Word<'a>>,
    /// The last seq of a replay or a gap.
    pub to: Option<u64>,
    /// When the log took it, in milliseconds since 1970.
    pub at: Option<u64>,
    /// What was said.
    #[serde(borrow)]
    pub text: Option<Word<'a>>,
    /// The client's id of the message.
    #[serde(borrow)]
    pub cid: Option<Word<'a>>,
    /// Whether the message had been sent before.
    pub dup: bool,
    /// The items of a replay or page, to be read by [`Incoming::parse_items`].
    #[serde(borrow)]
    pub items: Option<&'a RawValue>,
    /// The user that one is.
    #[serde(borrow)]
    pub user: Option<Word<'a>>,
    /// The session's secret.
    #[serde(borrow)]
    pub session: Option<Word<'a>>,
}

impl<'a> Incoming<'a> {
    /// Reads one object: what the server said, the data of a reply, or an item.
    ///
    /// # Errors
    ///
    /// If it is not a JSON object with parts of these types.
    pub fn parse(text: &'a str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    /// Parses the items of a replay or page; an empty list without `items`.
    ///
    /// # Errors
    ///
    /// If they are not an array of objects.
    pub fn parse_items(&self) -> serde_json::Result<Vec<Self>> {
        self.items.map_or(Ok(Vec::new()), |items| serde_json::from_str(items.get()))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Word<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordVisitor;

        impl<'a> Visitor<'a> for WordVisitor {
            type Value = Word<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an integer of 0 or more")
            }

            fn visit_borrowed_str<E>(self, text: &'a str) -> Result<Word<'a>, E> {
                Ok(Word::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Word<'a>, E> {
                Ok(Word::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Word<'a>, E> {
                Ok(Word::Number(value))
            }
        }

        deserializer.deserialize_any(WordVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::model::command::{Command, Send, Target};
    use crate::chat::model::limits::Limits;
    use crate::wire::{Parsed, parse};

    #[test]
    fn the_server_reads_what_a_client_writes() {
        let mut out = Vec::new();
        let fields = [
            ("room", Field::Text("lobby")),
            ("text", Field::Text("a\"\n")),
            ("reply_to", Field::Number(7)),
            ("echo", Field::Flag(true)),
            ("data", Field::Json("[\n1]")),
        ];
        request(&mut out, Op::Send, None, &fields);
        let text = String::from_utf8(out).unwrap();
        assert!(!text.contains('\n'));
        let expect = Send {
            target: Target::Room("lobby".into()),
            text: "a\"\n".into(),
            cid: None,
            reply_to: Some(7),
            thread: None,
            data: Some("[ 1]".into()),
            echo: true,
            weight: 5 + 1 + 4,
        };
        let (_, parsed) = parse(&text, &Limits::default()).unwrap();
        assert_eq!(parsed, Parsed::Command(Command::Send(expect)));
    }

    #[test]
    fn a_client_reads_what_the_server_writes() {
        let text =
            r#"{"ev":"message","room":"lobby","seq":9,"from":"bob","at":5,"text":"a\n","x":[]}"#;
        let event = Incoming::parse(text).unwrap();
        assert_eq!(event.ev.unwrap().as_str(), Some("message"));
        assert_eq!((event.seq, event.at, event.code), (Some(9), Some(5), None));
        assert_eq!(event.from, Some(Word::Text("bob".into())));
        assert_eq!(event.text.unwrap().as_str(), Some("a\n"));
        let text = r#"{"id":3,"code":0,"message":"ok","data":{"room":"lobby","seq":1,"dup":true}}"#;
        let reply = Incoming::parse(text).unwrap();
        assert_eq!((reply.id, reply.code), (Some(Word::Number(3)), Some(0)));
        let data = Incoming::parse(reply.data.unwrap().get()).unwrap();
        assert_eq!((data.seq, data.dup), (Some(1), true));
        let text =
            r#"{"ev":"replay","room":"lobby","items":[{"ev":"message","seq":1},{"seq":2}],"to":2}"#;
        let replay = Incoming::parse(text).unwrap();
        let seqs: Vec<_> = replay.parse_items().unwrap().iter().map(|item| item.seq).collect();
        assert_eq!((seqs, replay.to), (vec![Some(1), Some(2)], Some(2)));
        let gap = Incoming::parse(r#"{"ev":"gap","room":"lobby","from":1,"to":9}"#).unwrap();
        assert_eq!(gap.from.and_then(|from| from.as_number()), Some(1));
    }
}
