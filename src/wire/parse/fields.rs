//! A flat JSON object into its fields, in one pass.
//!
//! Every field takes any type here: what is wrong for it is said later, by name, when the rest of the
//! object has been read as well and the answer can carry its `id`.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::Fault;
use crate::chat::code::Code;
use crate::chat::reply::Refusal;

macro_rules! fields {
    ($($key:ident $member:ident $name:literal $expected:literal,)+) => {
        /// A field's name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Key {
            $($key,)+
            /// Any other: ignored.
            Unknown,
        }

        impl Key {
            fn parse(name: &str) -> Self {
                match name { $($name => Self::$key,)+ _ => Self::Unknown }
            }

            /// As it stands in the object.
            pub(super) const fn name(self) -> &'static str {
                match self { $(Self::$key => $name,)+ Self::Unknown => "" }
            }

            /// What would be right, unless the operation says otherwise.
            pub(super) const fn expected(self) -> &'static str {
                match self { $(Self::$key => $expected,)+ Self::Unknown => "" }
            }
        }

        /// The fields of one object.
        #[derive(Debug, Default)]
        pub(super) struct Fields<'a> {
            $($member: Value<'a>,)+
            unknown: Value<'a>,
            /// The first field that was there twice.
            duplicate: Option<Key>,
            /// The refusal of the first field whose string or number cannot be held.
            unreadable: Option<Fault>,
        }

        impl<'a> Fields<'a> {
            /// The value of a field.
            pub(super) const fn value(&mut self, key: Key) -> &mut Value<'a> {
                match key { $(Key::$key => &mut self.$member,)+ Key::Unknown => &mut self.unknown }
            }
        }
    };
}

fields! {
    Op op "op" "the name of an operation",
    Id id "id" "a string or an integer, of at most 64 bytes",
    Room room "room" "the name of a room",
    To to "to" "the name of a user",
    Text text "text" "a string",
    Cid cid "cid" "a string of 1 to 64 bytes",
    ReplyTo reply_to "reply_to" "the seq of a message, an integer of 0 or more and below 2^53",
    Thread thread "thread" "the seq of a message, an integer of 0 or more and below 2^53",
    Data data "data" "any JSON",
    Echo echo "echo" "true or false",
    After after "after" "a seq, an integer of 0 or more and below 2^53",
    Before before "before" "a seq, an integer of 0 or more and below 2^53",
    Around around "around" "a seq, an integer of 0 or more and below 2^53",
    Limit limit "limit" "an integer of 1 or more and below 2^53",
    Epoch epoch "epoch" "a string of 1 to 64 bytes",
    Recv recv "recv" "a seq, an integer of 0 or more and below 2^53",
    Read read "read" "a seq, an integer of 0 or more and below 2^53",
    Status status "status" "\"online\" or \"away\"",
    Name name "name" "the name of a user",
    Token token "token" "a string",
    Agent agent "agent" "a string of at most 128 bytes",
    Version version "version" "1",
    Resume resume "resume" "{\"session\":…,\"rooms\":{room:[epoch,seq],…}}",
    Since since "since" "the rev of an earlier answer, an integer of 0 or more and below 2^53",
    Topic topic "topic" "a string",
    Private private "private" "true or false",
    Policy policy "policy" "nothing: policies are not supported",
    Of of "of" "the name of an operation",
}

impl Key {
    /// Whether the value is kept as it was written, whatever it is.
    const fn is_raw(self) -> bool {
        matches!(self, Self::Id | Self::Data | Self::Resume | Self::Policy)
    }

    /// The refusal of a field in which something else was `found`.
    #[cold]
    pub(super) fn refuse(self, found: &str, expected: impl Into<Cow<'static, str>>) -> Fault {
        let name = self.name();
        let message = match found {
            "" => format!("{name} is missing"),
            found => format!("{name} is {found}"),
        };
        Box::new(Refusal::new(Code::BadField, message).field(name, expected))
    }
}

/// The value of one field.
#[derive(Debug, Default)]
pub(super) enum Value<'a> {
    /// Not there.
    #[default]
    Absent,
    /// `null`, which counts as not there.
    Null,
    Bool(bool),
    Integer(u64),
    String(Cow<'a, str>),
    /// As it was written, of those fields that are kept so.
    Raw(&'a str),
    /// Anything that no field takes, in words.
    Other(&'static str),
}

impl Value<'_> {
    /// What is there, in words; empty if nothing is.
    pub(super) const fn words(&self) -> &'static str {
        match self {
            Self::Absent | Self::Null => "",
            Self::Bool(_) => "true or false",
            Self::Integer(_) => "a number",
            Self::String(_) => "a string",
            Self::Raw(_) => "there",
            Self::Other(words) => words,
        }
    }
}

impl<'a> Fields<'a> {
    /// Reads `text`. What was read up to a fault stays readable.
    ///
    /// # Errors
    ///
    /// 1001 with the offset if `text` is not one JSON object; 1003 if a string or a number in it
    /// cannot be held, or a field is there twice.
    pub(super) fn read(&mut self, text: &'a str) -> Result<(), Fault> {
        let Err(error) = self.fill(text, false) else {
            return self.check_keys();
        };
        // Half a surrogate pair and 1e999 are JSON, but not values: look for them one by one.
        let mut fields = Self::default();
        if error.is_syntax() && fields.fill(text, true).is_ok() {
            *self = fields;
            self.check_keys()?;
        }
        Err(Box::new(bad_json(text, &error)))
    }

    fn fill(&mut self, text: &'a str, careful: bool) -> Result<(), serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        Reader { fields: self, careful }.deserialize(&mut deserializer)?;
        deserializer.end()
    }

    fn check_keys(&mut self) -> Result<(), Fault> {
        if let Some(fault) = self.unreadable.take() {
            return Err(fault);
        }
        match self.duplicate {
            Some(key) => Err(key.refuse("there twice", "each field once")),
            None => Ok(()),
        }
    }

    fn insert(&mut self, key: Key, value: Value<'a>) {
        let slot = self.value(key);
        if matches!(slot, Value::Absent) {
            *slot = value;
        } else {
            self.duplicate = self.duplicate.or(Some(key));
        }
    }
}

/// The refusal of what is not JSON, or not an object.
#[cold]
fn bad_json(text: &str, error: &serde_json::Error) -> Refusal {
    let (message, offset) = match error.classify() {
        Category::Data => ("not a JSON object", text.len() - text.trim_start().len()),
        Category::Eof => ("the JSON is not complete", text.len()),
        Category::Syntax | Category::Io => ("not JSON", offset_of(text, error)),
    };
    let mut refusal = Refusal::new(Code::BadJson, message);
    refusal.offset = u64::try_from(offset).ok();
    refusal
}

/// The byte of `text` at which `error` was found.
fn offset_of(text: &str, error: &serde_json::Error) -> usize {
    let before = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len);
    // The column counts the byte itself, but for a control character, which is not taken.
    let taken = usize::from(!error.to_string().starts_with("control character"));
    (before.sum::<usize>() + error.column().saturating_sub(taken)).min(text.len())
}

/// Reads an object into fields.
struct Reader<'f, 'a> {
    fields: &'f mut Fields<'a>,
    /// Find out which field it is that cannot be read.
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
            let (what, expected) = match raw.starts_with('"') {
                true => ("half a surrogate pair", "whole characters"),
                false => ("too large a number", key.expected()),
            };
            let found = format!("not readable: {what} before byte {}", error.column());
            self.fields.unreadable.get_or_insert_with(|| key.refuse(&found, expected));
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
                Ok(Key::parse(name))
            }
        }

        deserializer.deserialize_str(KeyVisitor)
    }
}

impl<'a> Deserialize<'a> for Value<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

/// Takes whatever is there.
struct ValueVisitor;

impl<'a> Visitor<'a> for ValueVisitor {
    type Value = Value<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value<'a>, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value<'a>, E> {
        Ok(Value::Integer(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value<'a>, E> {
        Ok(Value::Other("a negative number"))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value<'a>, E> {
        Ok(Value::Other("a number, but not an integer that can be held"))
    }

    fn visit_borrowed_str<E>(self, value: &'a str) -> Result<Value<'a>, E> {
        Ok(Value::String(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value<'a>, E> {
        Ok(Value::String(Cow::Owned(value.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Value<'a>, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut items: A) -> Result<Value<'a>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Other("an array"))
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Value<'a>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Other("an object"))
    }
}
