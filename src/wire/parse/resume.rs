//! The `resume` of a `hello`: `{"session":"s9f…","rooms":{"lobby":["k3f9",123],…}}`.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::fields::refuse;
use super::value::Value;
use super::{Fault, SECRET_LEN_MAX};
use crate::chat::model::command::{Position, Resume};
use crate::chat::model::limits::{Limits, SEQ_END};
use crate::chat::model::name::DIRECT_LEN_MAX;
use crate::wire::field_key::Key;
use crate::wire::json::escaped_len;

/// Reads `raw`, with at most as many rooms as a user may have.
///
/// # Errors
///
/// 1003 with what is wrong.
pub(super) fn parse<'a>(raw: &'a str, limits: &Limits) -> Result<Resume<'a>, Fault> {
    let mut deserializer = serde_json::Deserializer::from_str(raw);
    let whole = Whole { rooms_max: limits.rooms_per_user };
    let resume = whole.deserialize(&mut deserializer).map_err(|error| {
        let error = error.to_string();
        // The reader quotes what it found, which may be long.
        let shown: String = error.chars().take(120).collect();
        refuse(Key::Resume, &format!("not valid: {shown}"), Key::Resume.expected())
    })?;
    let mut rooms: Vec<&str> = resume.positions.iter().map(|position| &*position.room).collect();
    // Sorted instead of a set: the list is short and a hash of clients' names would have to be
    // keyed.
    rooms.sort_unstable();
    // Two positions in one room could not both hold, and each would begin a cursor.
    if rooms.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err(refuse(Key::Resume, "not valid: a room is given twice", "each room once"));
    }
    Ok(resume)
}

struct Whole {
    rooms_max: usize,
}

impl<'a> DeserializeSeed<'a> for Whole {
    type Value = Resume<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Resume<'a>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Whole {
    type Value = Resume<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a session and rooms")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Resume<'a>, A::Error> {
        let (mut session, mut positions) = (None, None);
        while let Some(Text(key)) = map.next_key()? {
            match &*key {
                "session" if session.is_none() => session = Some(bounded(map.next_value()?)?),
                "rooms" if positions.is_none() => {
                    positions = Some(map.next_value_seed(Rooms { rooms_max: self.rooms_max })?);
                }
                "session" | "rooms" => return Err(A::Error::custom("a field is given twice")),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let session = session.ok_or_else(|| A::Error::custom("session is missing"))?;
        Ok(Resume { session, positions: positions.unwrap_or_default(), former: None })
    }
}

struct Rooms {
    rooms_max: usize,
}

impl<'a> DeserializeSeed<'a> for Rooms {
    type Value = Vec<Position<'a>>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Rooms {
    type Value = Vec<Position<'a>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of rooms")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut positions = Vec::new();
        while let Some(Text(room)) = map.next_key()? {
            if positions.len() == self.rooms_max {
                return Err(A::Error::custom(format!("more than {} rooms", self.rooms_max)));
            }
            // The welcome names each room again.
            if room.len() > DIRECT_LEN_MAX || escaped_len(&room) > room.len() {
                return Err(A::Error::custom("what is not the name of a room"));
            }
            let (epoch, seq) = map.next_value_seed(Place(&room))?;
            positions.push(Position { room, epoch, seq });
        }
        Ok(positions)
    }
}

/// The position in a room of this name.
struct Place<'r>(&'r str);

impl<'a> DeserializeSeed<'a> for Place<'_> {
    type Value = (Cow<'a, str>, u64);

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'a> Visitor<'a> for Place<'_> {
    type Value = (Cow<'a, str>, u64);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[epoch, seq] of {:?}", self.0)
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let room = self.0;
        let wrong = |what: &str, found: Option<Value<'_>>| {
            let found = found.as_ref().map_or("missing", |value| match value.describe() {
                "" => "null",
                found => found,
            });
            A::Error::custom(format!("the {what} of {room:?} is {found}"))
        };
        let epoch = match items.next_element()? {
            Some(Value::String(text)) => bounded(Text(text))?,
            found => return Err(wrong("epoch", found)),
        };
        let seq = match items.next_element()? {
            Some(Value::Integer(seq)) if seq < SEQ_END => seq,
            Some(Value::Integer(_)) => return Err(wrong("seq", Some(Value::Other("too large")))),
            found => return Err(wrong("seq", found)),
        };
        if items.next_element::<IgnoredAny>()?.is_some() {
            return Err(A::Error::custom(format!("there is more than [epoch, seq] of {room:?}")));
        }
        Ok((epoch, seq))
    }
}

/// A string of 1 to [`SECRET_LEN_MAX`] bytes.
fn bounded<E: Error>(Text(text): Text<'_>) -> Result<Cow<'_, str>, E> {
    if (1..=SECRET_LEN_MAX).contains(&text.len()) {
        return Ok(text);
    }
    Err(E::custom("a session or an epoch is empty or too long"))
}

/// A string that is borrowed where it can be.
struct Text<'a>(Cow<'a, str>);

impl<'a> Deserialize<'a> for Text<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            _ => Err(D::Error::custom("a string was expected")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_position_is_named_with_its_room() {
        for (rooms, words) in [
            (r#"{"a":["e",-1]}"#, "the seq of \"a\" is a negative number"),
            (r#"{"a":["e",1],"b":["e",1.5]}"#, "the seq of \"b\" is not an integer in range"),
            (r#"{"a":["e","5"]}"#, "the seq of \"a\" is a string"),
            (r#"{"a":["e",9007199254740992]}"#, "the seq of \"a\" is too large"),
            (r#"{"a":["e"]}"#, "the seq of \"a\" is missing"),
            (r#"{"a":[null,5]}"#, "the epoch of \"a\" is null"),
            (r#"{"a":[]}"#, "the epoch of \"a\" is missing"),
            (r#"{"a":["e",1,2]}"#, "there is more than [epoch, seq] of \"a\""),
            (r#"{"a":5}"#, "expected [epoch, seq] of \"a\""),
            (r#"{"a":null}"#, "expected [epoch, seq] of \"a\""),
        ] {
            let raw = format!(r#"{{"session":"s","rooms":{rooms}}}"#);
            let fault = parse(&raw, &Limits::default()).unwrap_err();
            assert!(fault.message.contains(words), "{rooms}: {}", fault.message);
        }
    }
}
