//! Reads a flat JSON object into its fields, in one pass.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::fields::Fields;
use super::value::Value;
use super::{Fault, quick};
use crate::chat::model::code::Code;
use crate::chat::model::reply::Refusal;
use crate::wire::field_key::Key;
use crate::wire::json::offset_of;

/// Reads `text` into `fields`. What was read up to a fault stays readable.
///
/// # Errors
///
/// 1001 with the offset if `text` is not one JSON object; 1003 if a string or a number in it cannot
/// be held, or a field is there twice.
pub(super) fn read<'a>(text: &'a str, fields: &mut Fields<'a>) -> Result<(), Fault> {
    // What it cannot read is not wrong: the library decides, from the beginning.
    if quick::read(text, fields) == Some("") {
        return fields.check();
    }
    read_slowly(text, fields)
}

/// The same, with the library.
pub(super) fn read_slowly<'a>(text: &'a str, fields: &mut Fields<'a>) -> Result<(), Fault> {
    *fields = Fields::default();
    let Err(error) = fill(fields, text, false) else {
        return fields.check();
    };
    // Half of a surrogate pair and 1e999 follow JSON's grammar, but no value holds them. A second,
    // careful pass finds the field, so that the refusal can name it.
    let mut careful = Fields::default();
    if error.is_syntax() && fill(&mut careful, text, true).is_ok() {
        *fields = careful;
        fields.check()?;
    }
    Err(Box::new(bad_json(text, &error)))
}

pub(super) fn fill<'a>(
    fields: &mut Fields<'a>,
    text: &'a str,
    careful: bool,
) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Reader { fields, careful }.deserialize(&mut deserializer)?;
    // Nothing but blanks may follow the object: two in one line would be one request and a lost
    // one.
    deserializer.end()
}

/// The refusal of what is not JSON, or not an object.
#[cold]
fn bad_json(text: &str, error: &serde_json::Error) -> Refusal {
    let (message, offset) = match error.classify() {
        Category::Data => {
            ("the request is not a JSON object", text.len() - text.trim_start().len())
        }
        Category::Eof => ("the JSON is incomplete", text.len()),
        Category::Syntax | Category::Io => ("the request is not JSON", offset_of(text, error)),
    };
    let mut refusal = Refusal::new(Code::BadJson, message);
    refusal.offset = u64::try_from(offset).ok();
    refusal
}

/// Reads an object into fields.
struct Reader<'f, 'a> {
    fields: &'f mut Fields<'a>,
    /// Find the field that cannot be held, instead of giving up at it.
    careful: bool,
}

impl<'a> Reader<'_, 'a> {
    fn value<A: MapAccess<'a>>(&mut self, map: &mut A, key: Key) -> Result<Value<'a>, A::Error> {
        if !key.is_raw() && !self.careful {
            return map.next_value();
        }
        let raw = map.next_value::<&'a RawValue>()?.get();
        if key.is_raw() {
            return Ok(if raw == "null" { Value::Null } else { Value::Raw(raw) });
        }
        Ok(serde_json::from_str(raw).unwrap_or_else(|error: serde_json::Error| {
            let (what, expected) = if raw.starts_with('"') {
                ("half of a surrogate pair", "whole characters")
            } else {
                ("a number out of range", key.expected())
            };
            let found = format!("not valid: {what} before byte {}", error.column());
            self.fields.fault(key, &found, expected);
            Value::Null
        }))
    }
}

impl<'a> DeserializeSeed<'a> for Reader<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Reader<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key()? {
            if key == Key::Unknown {
                // Clients of later versions may send fields that this one does not know.
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = self.value(&mut map, key)?;
            self.fields.insert(key, value);
        }
        Ok(())
    }
}

impl<'a> Deserialize<'a> for Key {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl Visitor<'_> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a field")
            }

            fn visit_str<E>(self, name: &str) -> Result<Key, E> {
                Ok(Key::from(name))
            }
        }

        deserializer.deserialize_str(KeyVisitor)
    }
}
