//! JSON objects in which each name stands once.
//!
//! A parser that takes the last of two equal names, where another takes the first, lets one token
//! mean two things (RFC 7515 section 4, RFC 8725 section 2.4).

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an object in their order, each with its text.
#[derive(Debug)]
pub(super) struct Object<'a> {
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Object<'a> {
    /// The object that is all of `text`; `None` if that is none, or has a name twice.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The text of a member.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.members.iter().find(|(known, _)| known == name)?;
        Some(value.get())
    }

    /// All members.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.members.iter().map(|(name, value)| (name.as_ref(), value.get()))
    }

    /// A member of a type, or that it is missing.
    ///
    /// # Errors
    ///
    /// [`WrongType`] if it is of another one: that is not the same as missing.
    pub(super) fn typed<T: Deserialize<'a>>(&self, name: &str) -> Result<Option<T>, WrongType> {
        self.get(name)
            .map(|text| serde_json::from_str(text).map_err(|_error| WrongType))
            .transpose()
    }
}

/// A member has another type than it must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WrongType;

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

/// A name that is lent from the text where it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Object<'de>, M::Error> {
        let mut members: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
        while let Some((Name(name), value)) = map.next_entry()? {
            // A token has few members, and the size of all of them is bounded.
            if members.iter().any(|(known, _)| *known == name) {
                return Err(M::Error::custom("a name stands twice"));
            }
            members.push((name, value));
        }
        Ok(Object { members })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_stands_twice_is_refused_however_it_is_written() {
        assert!(Object::parse(r#"{"a":1,"b":{"a":2}}"#).is_some());
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, r#"{"a":1"#, "[]", "1", "", "{}x"]
        {
            assert!(Object::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_wrong_type_is_not_the_same_as_missing() {
        let object = Object::parse(r#"{"n":1,"s":"x","f":1.0,"z":null}"#).unwrap();
        assert_eq!(object.typed::<u64>("n"), Ok(Some(1)));
        assert_eq!(object.typed::<u64>("m"), Ok(None));
        for name in ["s", "f", "z"] {
            assert_eq!(object.typed::<u64>(name), Err(WrongType), "{name}");
        }
    }
}
