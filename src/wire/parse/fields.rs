//! The fields of a request, and their values by type.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::borrow::Cow;

use super::Fault;
use super::value::Value;
use crate::chat::model::code::Code;
use crate::chat::model::limits::SEQ_END;
use crate::chat::model::prose;
use crate::chat::model::reply::Refusal;
use crate::wire::field_key::Key;

/// Characters of a client's word that a refusal quotes.
const QUOTED_LEN_MAX: usize = 32;

/// How many fields an object has room for without an allocation: as many as a usual one gives.
const FEW: usize = 8;

/// A value that is copied with a few moves.
pub(super) type Kept<'a> = Value<'a, KeptText<'a>>;

/// The text of a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum KeptText<'a> {
    Borrowed(&'a str),
    /// Its place among those that are not borrowed.
    Owned(usize),
}

/// The fields of one object, in the order in which they were given: few of all that there are.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    /// Which of `few` and `more` is that of a key, counted from 1; 0 if it is not given.
    places: [u8; Key::COUNT],
    given: u8,
    few: [Kept<'a>; FEW],
    /// At most one for each key.
    more: Vec<Kept<'a>>,
    /// The texts that had an escape, and so are not borrowed.
    owned: Vec<String>,
    /// The refusal of the first field that is given twice or has an invalid value.
    fault: Option<Fault>,
}

const _: () = assert!(Key::COUNT < 255, "a place fits its byte");

impl Default for Fields<'_> {
    fn default() -> Self {
        Self {
            places: [0; Key::COUNT],
            given: 0,
            few: [Value::Absent; FEW],
            more: Vec::new(),
            owned: Vec::new(),
            fault: None,
        }
    }
}

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
    fn value(&self, key: Key) -> Kept<'a> {
        let place = self.places.get(key.index()).copied().and_then(|place| place.checked_sub(1));
        let Some(place) = place.map(usize::from) else { return Value::Absent };
        // Nearly every request has fewer fields, and then nothing is allocated for them.
        let found = self.few.get(place).or_else(|| self.more.get(place - FEW));
        found.copied().unwrap_or_default()
    }

    /// Describes the value of a field for a refusal; empty if it is not given.
    pub(super) fn describe(&self, key: Key) -> &'static str {
        self.value(key).describe()
    }

    /// The text of a field, if it has one.
    pub(super) fn text(&self, key: Key) -> Option<&str> {
        match self.value(key) {
            Value::String(KeptText::Borrowed(text)) => Some(text),
            Value::String(KeptText::Owned(place)) => self.owned.get(place).map(String::as_str),
            _ => None,
        }
    }

    /// Takes a text out.
    fn take(&mut self, text: KeptText<'a>) -> Cow<'a, str> {
        match text {
            KeptText::Borrowed(text) => Cow::Borrowed(text),
            KeptText::Owned(place) => {
                Cow::Owned(self.owned.get_mut(place).map(std::mem::take).unwrap_or_default())
            }
        }
    }

    /// Takes a value. The first one of a field counts; a second one is a fault.
    pub(super) fn insert(&mut self, key: Key, value: Value<'a>) {
        // Texts that are borrowed are kept as they are; the others lie apart, so that a value is a
        // few words that can be moved.
        let value = match value {
            Value::String(Cow::Borrowed(text)) => Value::String(KeptText::Borrowed(text)),
            Value::String(Cow::Owned(text)) => {
                self.owned.push(text);
                Value::String(KeptText::Owned(self.owned.len() - 1))
            }
            Value::Absent => Value::Absent,
            Value::Null => Value::Null,
            Value::Bool(value) => Value::Bool(value),
            Value::Integer(value) => Value::Integer(value),
            Value::Raw(raw) => Value::Raw(raw),
            Value::Other(description) => Value::Other(description),
        };
        self.keep(key, value);
    }

    /// The same for one that is borrowed.
    #[inline]
    pub(super) fn keep(&mut self, key: Key, value: Kept<'a>) {
        let Some(place) = self.places.get_mut(key.index()) else { return };
        // Two readers of one request, such as a proxy and this one, could believe another of the
        // two.
        if *place != 0 {
            return self.fault(key, "given twice", "each field once");
        }
        match self.few.get_mut(usize::from(self.given)) {
            Some(next) => *next = value,
            None => self.more.push(value),
        }
        self.given += 1;
        *place = self.given;
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
    pub(super) fn raw(&self, key: Key) -> Option<&'a str> {
        match self.value(key) {
            Value::Raw(raw) => Some(raw),
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
            Value::String(text) => self.take(text),
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
            Value::String(text) => match prose::clean(self.take(text)) {
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
            // In bytes, as all bounds of the protocol are: characters have no length that all agree
            // on.
            Some(len) if len > len_max => "too long",
            Some(_) | None => return Ok(text),
        };
        let mut fault = refuse(key, found, key.expected());
        fault.limit = u64::try_from(len_max).ok();
        Err(fault)
    }

    /// An integer of 0 or more.
    pub(super) fn integer(&self, key: Key) -> Result<Option<u64>, Fault> {
        match self.value(key) {
            Value::Absent | Value::Null => Ok(None),
            Value::Integer(value) => Ok(Some(value)),
            other => Err(refuse(key, other.describe(), key.expected())),
        }
    }

    /// An integer of 0 or more and below 2^53.
    pub(super) fn seq(&self, key: Key) -> Result<Option<u64>, Fault> {
        let seq = self.integer(key)?;
        if seq.is_some_and(|seq| seq >= SEQ_END) {
            return Err(refuse(key, "too large", key.expected()));
        }
        Ok(seq)
    }

    /// The seq of a message: seqs count from 1.
    pub(super) fn message(&self, key: Key) -> Result<Option<u64>, Fault> {
        match self.seq(key)? {
            Some(0) => Err(refuse(key, "0", key.expected())),
            seq => Ok(seq),
        }
    }

    /// The `limit`. A larger number than fits is taken for the largest, since the domain has its
    /// own bound.
    pub(super) fn limit(&self) -> Result<Option<u32>, Fault> {
        match self.seq(Key::Limit)? {
            Some(0) => Err(refuse(Key::Limit, "0", Key::Limit.expected())),
            limit => Ok(limit.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX))),
        }
    }

    /// A boolean, `false` if it is not given.
    pub(super) fn flag(&self, key: Key) -> Result<bool, Fault> {
        match self.value(key) {
            Value::Absent | Value::Null => Ok(false),
            Value::Bool(value) => Ok(value),
            other => Err(refuse(key, other.describe(), key.expected())),
        }
    }
}
