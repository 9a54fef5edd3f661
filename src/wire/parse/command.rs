//! Fields into commands, operation by operation.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::borrow::Cow;

use super::fields::{Fields, Key, Value};
use super::{AGENT_LEN_MAX, Fault, Parsed, SECRET_LEN_MAX, data, help, resume};
use crate::chat::code::Code;
use crate::chat::command::{Command, Op, Page, Send, Target};
use crate::chat::limits::{CID_LEN_MAX, Limits, SEQ_END, TOPIC_LEN_MAX};
use crate::chat::reply::Refusal;
use crate::wire::weight;

/// The version of the protocol that is spoken here.
const VERSION: u64 = 1;

/// The command of `op`, or what is wrong with its `fields`.
pub(super) fn parse<'a>(
    op: Op,
    fields: &mut Fields<'a>,
    limits: &Limits,
) -> Result<Parsed<'a>, Fault> {
    let command = match op {
        Op::Hello => fields.hello(limits)?,
        Op::Ping => Command::Ping,
        Op::Rooms => Command::Rooms { since: fields.seq(Key::Since)? },
        Op::Create => fields.create()?,
        Op::Join => Command::Join {
            room: fields.room()?,
            after: fields.seq(Key::After)?,
            epoch: fields.bounded(Key::Epoch, SECRET_LEN_MAX)?,
        },
        Op::Leave => Command::Leave { room: fields.room()? },
        Op::Send => Command::Send(fields.send(limits)?),
        Op::Ack => fields.ack()?,
        Op::Typing => Command::Typing { room: fields.room()? },
        Op::Status => fields.status()?,
        Op::History => fields.history()?,
        Op::Presence => Command::Presence { room: fields.room()? },
        Op::Members => Command::Members {
            room: fields.room()?,
            limit: fields.limit()?,
            after: fields.string_as(Key::After, "the name of a user")?,
        },
        Op::Topic => fields.topic()?,
        Op::Help => return fields.help(),
        Op::Refresh
        | Op::Edit
        | Op::Delete
        | Op::React
        | Op::Search
        | Op::Invite
        | Op::Role
        | Op::Kick
        | Op::Mute
        | Op::Ban
        | Op::Unban => Command::Unsupported(op),
    };
    Ok(Parsed::Command(command))
}

/// The operations that have more than a field or two.
impl<'a> Fields<'a> {
    fn hello(&mut self, limits: &Limits) -> Result<Command<'a>, Fault> {
        match self.integer(Key::Version)? {
            None | Some(VERSION) => {}
            Some(_) => {
                let refusal = Refusal::new(Code::UnsupportedVersion, "version is not spoken here");
                return Err(Box::new(refusal.field("version", Key::Version.expected())));
            }
        }
        self.string(Key::Token)?;
        self.bounded(Key::Agent, AGENT_LEN_MAX)?;
        let name = self.string(Key::Name)?;
        let resume = match self.value(Key::Resume) {
            Value::Raw(raw) => Some(resume::parse(raw, limits)?),
            _ => None,
        };
        Ok(Command::Hello { name, resume })
    }

    fn create(&mut self) -> Result<Command<'a>, Fault> {
        if matches!(self.value(Key::Policy), Value::Raw(_)) {
            let refusal = Refusal::new(Code::NotSupported, "policies are not supported");
            return Err(Box::new(refusal.field("policy", "no policy")));
        }
        Ok(Command::Create {
            room: self.room()?,
            topic: self.topic_text(Key::Topic)?,
            private: self.flag(Key::Private)?,
        })
    }

    fn send(&mut self, limits: &Limits) -> Result<Send<'a>, Fault> {
        let target = match (self.string(Key::Room)?, self.string(Key::To)?) {
            (Some(room), None) => Target::Room(room),
            (None, Some(user)) => Target::User(user),
            (None, None) => return Err(Key::Room.refuse("", "a room, or a user in \"to\"")),
            (Some(_), Some(_)) => {
                return Err(Key::To.refuse("there as well as room", "either room or to"));
            }
        };
        let text = self.string(Key::Text)?.unwrap_or_default();
        let data = match self.value(Key::Data) {
            Value::Raw(raw) => Some(*raw),
            _ => None,
        };
        let bytes = text.len() + data.map_or(0, str::len);
        if bytes > limits.message_bytes {
            let message = format!("text and data take {bytes} bytes");
            return Err(too_large(Key::Text, message, limits.message_bytes));
        }
        if bytes == 0 {
            return Err(Key::Text.refuse("empty", "a text of at least one byte, or data"));
        }
        if let Some(data) = data {
            data::check(data)?;
        }
        let cid = self.bounded(Key::Cid, CID_LEN_MAX)?;
        let weight = weight(&text, data, cid.as_deref());
        Ok(Send {
            target,
            text,
            cid,
            reply_to: self.seq(Key::ReplyTo)?,
            thread: self.seq(Key::Thread)?,
            data,
            echo: self.flag(Key::Echo)?,
            weight,
        })
    }

    fn ack(&mut self) -> Result<Command<'a>, Fault> {
        let room = self.room()?;
        let (recv, read) = (self.seq(Key::Recv)?, self.seq(Key::Read)?);
        if recv.or(read).is_none() {
            return Err(Key::Read.refuse("", "recv, read or both"));
        }
        Ok(Command::Ack { room, recv, read, epoch: self.bounded(Key::Epoch, SECRET_LEN_MAX)? })
    }

    fn status(&mut self) -> Result<Command<'a>, Fault> {
        match self.string(Key::Status)?.as_deref() {
            Some("online") => Ok(Command::Status { away: false }),
            Some("away") => Ok(Command::Status { away: true }),
            Some(_) => Err(Key::Status.refuse("another word", Key::Status.expected())),
            None => Err(Key::Status.refuse("", Key::Status.expected())),
        }
    }

    fn history(&mut self) -> Result<Command<'a>, Fault> {
        let room = self.room()?;
        let pages = [
            (Key::Before, self.seq(Key::Before)?.map(Page::Before)),
            (Key::After, self.seq(Key::After)?.map(Page::After)),
            (Key::Around, self.seq(Key::Around)?.map(Page::Around)),
        ];
        let mut given = pages.into_iter().filter_map(|(key, page)| Some((key, page?)));
        let page = given.next().map_or(Page::Latest, |(_, page)| page);
        if let Some((key, _)) = given.next() {
            return Err(key.refuse("one too many", "at most one of before, after and around"));
        }
        let epoch = self.bounded(Key::Epoch, SECRET_LEN_MAX)?;
        Ok(Command::History { room, page, limit: self.limit()?, epoch })
    }

    fn topic(&mut self) -> Result<Command<'a>, Fault> {
        let room = self.room()?;
        let text = self.topic_text(Key::Text)?;
        if text.is_none() && !self.value(Key::Topic).words().is_empty() {
            // Ignored, it would turn a wish to write into one to read.
            return Err(Key::Topic.refuse("not a field of topic", "the new topic in \"text\""));
        }
        let weight = weight(text.as_deref().unwrap_or_default(), None, None);
        Ok(Command::Topic { room, text, weight })
    }

    fn help(&mut self) -> Result<Parsed<'a>, Fault> {
        let Some(name) = self.string(Key::Of)? else {
            return Ok(Parsed::Help { of: None });
        };
        let of = Op::parse(&name).ok_or_else(|| {
            let mut fault = Key::Of.refuse("no operation", help::ops());
            fault.hint = help::nearest(&name).map(|op| op.name().into());
            fault
        })?;
        Ok(Parsed::Help { of: Some(of) })
    }
}

/// Single fields.
impl<'a> Fields<'a> {
    fn room(&mut self) -> Result<Cow<'a, str>, Fault> {
        self.string(Key::Room)?.ok_or_else(|| Key::Room.refuse("", Key::Room.expected()))
    }

    fn string(&mut self, key: Key) -> Result<Option<Cow<'a, str>>, Fault> {
        self.string_as(key, key.expected())
    }

    fn string_as(
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
    fn bounded(&mut self, key: Key, len_max: usize) -> Result<Option<Cow<'a, str>>, Fault> {
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

    fn topic_text(&mut self, key: Key) -> Result<Option<Cow<'a, str>>, Fault> {
        let text = self.string(key)?;
        let len = text.as_ref().map_or(0, |text| text.len());
        if len > TOPIC_LEN_MAX {
            return Err(too_large(key, format!("the topic takes {len} bytes"), TOPIC_LEN_MAX));
        }
        Ok(text)
    }

    fn integer(&mut self, key: Key) -> Result<Option<u64>, Fault> {
        match self.value(key) {
            Value::Absent | Value::Null => Ok(None),
            Value::Integer(value) => Ok(Some(*value)),
            other => Err(key.refuse(other.words(), key.expected())),
        }
    }

    fn seq(&mut self, key: Key) -> Result<Option<u64>, Fault> {
        let seq = self.integer(key)?;
        if seq.is_some_and(|seq| seq >= SEQ_END) {
            return Err(key.refuse("too large", key.expected()));
        }
        Ok(seq)
    }

    /// How many of something. More than an `u32` is as good as its largest.
    fn limit(&mut self) -> Result<Option<u32>, Fault> {
        match self.seq(Key::Limit)? {
            Some(0) => Err(Key::Limit.refuse("too small", Key::Limit.expected())),
            limit => Ok(limit.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX))),
        }
    }

    fn flag(&mut self, key: Key) -> Result<bool, Fault> {
        match self.value(key) {
            Value::Absent | Value::Null => Ok(false),
            Value::Bool(value) => Ok(*value),
            other => Err(key.refuse(other.words(), key.expected())),
        }
    }
}

#[cold]
fn too_large(key: Key, message: String, limit: usize) -> Fault {
    let expected = format!("at most {limit} bytes");
    Box::new(Refusal::new(Code::TooLarge, message).field(key.name(), expected).limit(limit))
}
