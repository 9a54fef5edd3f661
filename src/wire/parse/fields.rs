//! The fields of a request, and their values by type.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::borrow::Cow;

use super::Fault;
use super::value::Value;
use crate::chat::model::code::Code;
use crate::chat::model::limits::SEQ_END;
use crate::chat::model::prose;
use crate::chat::model::reply::Refusal;
use crate::wire::key::{Key, for_each_key};

/// Characters of a client's word that a refusal quotes.
const QUOTED_LEN_MAX: usize = 32;

macro_rules! define_fields {
    ($($key:ident $member:ident $name:literal $expected:literal,)+) => {
        /// The fields of one object.
        #[derive(Debug, Default)]
        pub(super) struct Fields<'a> {
            $($member: Value<'a>,)+
            unknown: Value<'a>,
            /// The refusal of the first field that is given twice or has an invalid value.
            fault: Option<Fault>,
        }

        const fn slot<'f, 'a>(fields: &'f mut Fields<'a>, key: Key) -> &'f mut Value<'a> {
            match key {
                $(Key::$key => &mut fields.$member,)+
                Key::Unknown => &mut fields.unknown,
            }
        }
    };
}

for_each_key!(define_fields);

/// The refusal of a field whose value was `found`, such as "a number"; of a missing one if `found`
/// is empty.
#[cold]
pub(super) fn refuse(key: Key, found: &str, expected: impl Into<Cow<'static, str>>) -> Fault {
    let name = key.name();
    let message = match found {
        "" => format!("{name} is missing"),
        found => format!("{name} is {found}"),
    };
    Box::new(Refusal::new(Code::BadField, message).field(name, expected))
}

/// The refusal of a field whose value is none of the words that it may be.
#[cold]
pub(super) fn refuse_unknown(key: Key, word: &str) -> Fault {
    let quoted: String = word.chars().take(QUOTED_LEN_MAX).collect();
    refuse(key, &format!("unknown: {quoted:?}"), key.expected())
}

/// The refusal of a text that is longer than its `limit` in bytes.
#[cold]
pub(super) fn too_large(key: Key, message: String, limit: usize) -> Fault {
    let expected = format!("at most {limit} bytes");
    Box::new(Refusal::new(Code::TooLarge, message).field(key.name(), expected).limit(limit))
}

/// The refusal of a text with a control character, which it names, with its place in the text.
#[cold]
fn control_character(key: Key, prose::Control { character, at }: prose::Control) -> Fault {
    let found = format!("not valid: control character U+{:04X} at byte {at}", u32::from(character));
    let mut fault = refuse(key, &found, prose::EXPECTED);
    fault.offset = u64::try_from(at).ok();
    fault
}

/// The refusal of a text of which nobody would see anything.
#[cold]
pub(super) fn refuse_blank(key: Key, expected: &'static str) -> Fault {
    refuse(key, "blank: it has no character that is shown", expected)
}

impl<'a> Fields<'a> {
    /// The value of a field.
    pub(super) const fn value(&mut self, key: Key) -> &mut Value<'a> {
        slot(self, key)
    }

    /// Takes a value. The first one of a field counts; a second one is a fault.
    pub(super) fn insert(&mut self, key: Key, value: Value<'a>) {
        let slot = slot(self, key);
        if matches!(slot, Value::Absent) {
            *slot = value;
        } else {
            self.fault(key, "given twice", "each field once");
        }
    }

    /// Keeps the first fault for [`Fields::check`]: a refusal must wait until the `id` has been
    /// read.
    #[cold]
    pub(super) fn fault(&mut self, key: Key, found: &str, expected: &'static str) {
        self.fault.get_or_insert_with(|| refuse(key, found, expected));
    }

    /// The first fault that was noted.
    pub(super) fn check(&mut self) -> Result<(), Fault> {
        self.fault.take().map_or(Ok(()), Err)
    }

    /// The value of a [raw](Key::is_raw) field, as it was written.
    pub(super) const fn raw(&mut self, key: Key) -> Option<&'a str> {
        match self.value(key) {
            Value::Raw(raw) => Some(*raw),
            _ => None,
        }
    }

    /// A string that must be given.
    pub(super) fn required(&mut self, key: Key) -> Result<Cow<'a, str>, Fault> {
        self.string(key)?.ok_or_else(|| refuse(key, "", key.expected()))
    }

    /// A string. Names are not checked here: the domain does that.
    pub(super) fn string(&mut self, key: Key) -> Result<Option<Cow<'a, str>>, Fault> {
        self.string_as(key, key.expected())
    }

    /// A string of another meaning than usual, such as the `after` of members.
    pub(super) fn string_as(
        &mut self,
        key: Key,
        expected: &'static str,
    ) -> Result<Option<Cow<'a, str>>, Fault> {
        let text = match self.value(key) {
            Value::Absent | Value::Null => return Ok(None),
            Value::String(text) => std::mem::take(text),
            other => return Err(refuse(key, other.describe(), expected)),
        };
        // JSON can hold a NUL only as an escape, and a text with an escape is never borrowed.
        if let Cow::Owned(text) = &text
            && let Some(at) = memchr::memchr(0, text.as_bytes())
        {
            return Err(refuse(key, &format!("not valid: NUL at byte {at}"), "text without NUL"));
        }
        Ok(Some(text))
    }

    /// What a person has written, with LF for CR LF and no other control character but tab and
    /// newline.
    pub(super) fn prose(&mut self, key: Key) -> Result<Option<Cow<'a, str>>, Fault> {
        match self.value(key) {
            Value::String(text) => match prose::clean(std::mem::take(text)) {
                Ok(text) => Ok(Some(text)),
                Err(control) => Err(control_character(key, control)),
            },
            _ => self.string(key),
        }
    }

    /// A string of 1 to `len_max` bytes.
    pub(super) fn bounded(
        &mut self,
        key: Key,
        len_max: usize,
    ) -> Result<Option<Cow<'a, str>>, Fault> {
        let text = self.string(key)?;
        let found = match text.as_ref().map(|text| text.len()) {
            Some(0) => "empty",
            Some(len) if len > len_max => "too long",
            Some(_) | None => return Ok(text),
        };
        let mut fault = refuse(key, found, key.expected());
        fault.limit = u64::try_from(len_max).ok();
        Err(fault)
    }

    /// An integer of 0 or more.
    pub(super) fn integer(&mut self, key: Key) -> Result<Option<u64>, Fault> {
        match self.value(key) {
            Value::Absent | Value::Null => Ok(None),
            Value::Integer(value) => Ok(Some(*value)),
            other => Err(refuse(key, other.describe(), key.expected())),
        }
    }

    /// An integer of 0 or more and below 2^53.
    pub(super) fn seq(&mut self, key: Key) -> Result<Option<u64>, Fault> {
        let seq = self.integer(key)?;
        if seq.is_some_and(|seq| seq >= SEQ_END) {
            return Err(refuse(key, "too large", key.expected()));
        }
        Ok(seq)
    }

    /// The seq of a message: seqs count from 1.
    pub(super) fn message(&mut self, key: Key) -> Result<Option<u64>, Fault> {
        match self.seq(key)? {
            Some(0) => Err(refuse(key, "0", key.expected())),
            seq => Ok(seq),
        }
    }

    /// The `limit`. A larger number than fits is taken for the largest, since the domain has its
    /// own bound.
    pub(super) fn limit(&mut self) -> Result<Option<u32>, Fault> {
        match self.seq(Key::Limit)? {
            Some(0) => Err(refuse(Key::Limit, "0", Key::Limit.expected())),
            limit => Ok(limit.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX))),
        }
    }

    /// A boolean, `false` if it is not given.
    pub(super) fn flag(&mut self, key: Key) -> Result<bool, Fault> {
        match self.value(key) {
            Value::Absent | Value::Null => Ok(false),
            Value::Bool(value) => Ok(*value),
            other => Err(refuse(key, other.describe(), key.expected())),
        }
    }
}
