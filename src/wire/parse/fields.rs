//! The fields of a request: their names, and what may stand in them.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::borrow::Cow;

use super::Fault;
use super::value::Value;
use crate::chat::model::code::Code;
use crate::chat::model::limits::SEQ_END;
use crate::chat::model::reply::Refusal;

macro_rules! fields {
    ($($key:ident $member:ident $name:literal $expected:literal,)+) => {
        /// A field's name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Key {
            $($key,)+
            /// Any other: ignored.
            Unknown,
        }

        impl From<&str> for Key {
            fn from(name: &str) -> Self {
                match name { $($name => Self::$key,)+ _ => Self::Unknown }
            }
        }

        /// A field's name, and what is expected in it unless the operation says otherwise.
        const fn words(key: Key) -> (&'static str, &'static str) {
            match key { $(Key::$key => ($name, $expected),)+ Key::Unknown => ("", "") }
        }

        /// The fields of one object.
        #[derive(Debug, Default)]
        pub(super) struct Fields<'a> {
            $($member: Value<'a>,)+
            unknown: Value<'a>,
            /// What is wrong with the first field that is there twice or cannot be held.
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

fields! {
    Op op "op" "the name of an operation",
    Id id "id" "a string or an integer, of at most 64 bytes",
    Room room "room" "the name of a room",
    To to "to" "the name of a user",
    Text text "text" "a string",
    Cid cid "cid" "a string of 1 to 64 bytes",
    ReplyTo reply_to "reply_to" "the seq of a message, an integer of 1 or more and below 2^53",
    Thread thread "thread" "the seq of a message, an integer of 1 or more and below 2^53",
    Data data "data" "any JSON",
    Echo echo "echo" "true or false",
    After after "after" "a seq, an integer of 0 or more and below 2^53",
    Before before "before" "a seq (for search, the before of an answer), an integer of 0 or more and below 2^53",
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
    Policy policy "policy" "the name of a policy",
    Of of "of" "the name of an operation",
    Target target "target" "the seq of a message, an integer of 1 or more and below 2^53",
    Emoji emoji "emoji" "a string of 1 to 64 bytes without control characters",
    Remove remove "remove" "true or false",
    User user "user" "the name of a user",
    Role role "role" "\"owner\", \"moderator\", \"member\" or \"reader\"",
    ForMs for_ms "for_ms" "milliseconds, an integer of 0 or more and below 2^53",
    Reason reason "reason" "a string",
}

impl Key {
    /// As it stands in the object.
    pub(super) const fn name(self) -> &'static str {
        words(self).0
    }

    /// What would be right, unless the operation says otherwise.
    pub(super) const fn expected(self) -> &'static str {
        words(self).1
    }

    /// Whether the value is kept as it was written, whatever it is.
    pub(super) const fn is_raw(self) -> bool {
        matches!(self, Self::Id | Self::Data | Self::Resume)
    }

    /// The refusal of a field in which something else was `found`; nothing, if that is empty.
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
            self.fault(key, "there twice", "each field once");
        }
    }

    /// Notes a fault for [`Fields::check`], unless there is one already.
    #[cold]
    pub(super) fn fault(&mut self, key: Key, found: &str, expected: &'static str) {
        self.fault.get_or_insert_with(|| key.refuse(found, expected));
    }

    /// The first fault that was noted.
    pub(super) fn check(&mut self) -> Result<(), Fault> {
        self.fault.take().map_or(Ok(()), Err)
    }

    /// What was written, of a field that is kept so.
    pub(super) const fn raw(&mut self, key: Key) -> Option<&'a str> {
        match self.value(key) {
            Value::Raw(raw) => Some(*raw),
            _ => None,
        }
    }

    /// A string that has to be there.
    pub(super) fn required(&mut self, key: Key) -> Result<Cow<'a, str>, Fault> {
        self.string(key)?.ok_or_else(|| key.refuse("", key.expected()))
    }

    /// A string. Names are not looked into.
    pub(super) fn string(&mut self, key: Key) -> Result<Option<Cow<'a, str>>, Fault> {
        self.string_as(key, key.expected())
    }

    /// A string of another meaning than usual.
    pub(super) fn string_as(
        &mut self,
        key: Key,
        expected: &'static str,
    ) -> Result<Option<Cow<'a, str>>, Fault> {
        let text = match self.value(key) {
            Value::Absent | Value::Null => return Ok(None),
            Value::String(text) => std::mem::take(text),
            other => return Err(key.refuse(other.words(), expected)),
        };
        // A NUL can only come by an escape, and a text with an escape is never borrowed.
        if let Cow::Owned(text) = &text
            && let Some(at) = memchr::memchr(0, text.as_bytes())
        {
            return Err(key.refuse(&format!("not text: there is a NUL at byte {at}"), "no NUL"));
        }
        Ok(Some(text))
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
        let mut fault = key.refuse(found, key.expected());
        fault.limit = u64::try_from(len_max).ok();
        Err(fault)
    }

    /// An integer of 0 or more.
    pub(super) fn integer(&mut self, key: Key) -> Result<Option<u64>, Fault> {
        match self.value(key) {
            Value::Absent | Value::Null => Ok(None),
            Value::Integer(value) => Ok(Some(*value)),
            other => Err(key.refuse(other.words(), key.expected())),
        }
    }

    /// An integer of 0 or more and below 2^53.
    pub(super) fn seq(&mut self, key: Key) -> Result<Option<u64>, Fault> {
        let seq = self.integer(key)?;
        if seq.is_some_and(|seq| seq >= SEQ_END) {
            return Err(key.refuse("too large", key.expected()));
        }
        Ok(seq)
    }

    /// The seq of a message: seqs count from 1.
    pub(super) fn message(&mut self, key: Key) -> Result<Option<u64>, Fault> {
        match self.seq(key)? {
            Some(0) => Err(key.refuse("too small", key.expected())),
            seq => Ok(seq),
        }
    }

    /// How many of something. More than an `u32` is as good as its largest.
    pub(super) fn limit(&mut self) -> Result<Option<u32>, Fault> {
        match self.seq(Key::Limit)? {
            Some(0) => Err(Key::Limit.refuse("too small", Key::Limit.expected())),
            limit => Ok(limit.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX))),
        }
    }

    /// A switch, off if it is not there.
    pub(super) fn flag(&mut self, key: Key) -> Result<bool, Fault> {
        match self.value(key) {
            Value::Absent | Value::Null => Ok(false),
            Value::Bool(value) => Ok(*value),
            other => Err(key.refuse(other.words(), key.expected())),
        }
    }
}
