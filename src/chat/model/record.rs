//! A log's entries.

use std::fmt;
use std::sync::Arc;

use super::name::{RoomName, UserName};
use super::role::Role;

/// The name of one life of a log: it changes when the log was lost or restored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The bits below those of the wall time, which are random at first and then count.
    const LOW_BITS: u32 = 20;

    /// The first epoch of something that begins at this time.
    #[must_use]
    pub const fn at(wall_ms: u64) -> Self {
        Self(wall_ms.wrapping_shl(Self::LOW_BITS))
    }

    /// The same moment with random low bits: two logs that begin in one millisecond differ.
    #[must_use]
    pub fn varied(self, random: u128) -> Self {
        let low = u64::try_from(random % (1 << Self::LOW_BITS)).unwrap_or(0);
        Self(self.0 >> Self::LOW_BITS << Self::LOW_BITS | low)
    }

    /// An epoch for a log that goes on with other records than this one had: above it, whatever the
    /// clock says, and another than anybody else would choose.
    #[must_use]
    pub fn next(self, wall_ms: u64, random: u128) -> Self {
        // The wall clock may have been set back since: an epoch that was used before would splice
        // two logs into one.
        Self::at(wall_ms).max(Self(self.0.saturating_add(1 << Self::LOW_BITS))).varied(random)
    }

    /// Characters of the longest rendered epoch.
    pub const LEN_MAX: usize = 13;

    /// Reads what [`fmt::Display`] wrote; `None` for anything else, which is no epoch of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let lower = text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
        let epoch = Self(u64::from_str_radix(text, 36).ok().filter(|_| lower)?);
        // One spelling only: `from_str_radix` also takes a sign and leading zeros.
        (epoch.to_string() == text).then_some(epoch)
    }
}

impl Epoch {
    /// It as text, which is written into `digits`: in base 36, as it stands in the protocol.
    pub fn text(self, digits: &mut [u8; Self::LEN_MAX]) -> &str {
        let mut rest = self.0;
        let mut start = Self::LEN_MAX;
        for (index, digit) in digits.iter_mut().enumerate().rev() {
            let value = u8::try_from(rest % 36).unwrap_or(0);
            *digit = if value < 10 { b'0' + value } else { b'a' + value - 10 };
            rest /= 36;
            start = index;
            if rest == 0 {
                break;
            }
        }
        digits.get(start..).and_then(|shown| str::from_utf8(shown).ok()).unwrap_or("0")
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text(&mut [0; Self::LEN_MAX]))
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    /// Somebody said something.
    Message {
        /// The text, at most `message_bytes` together with `data`.
        text: Box<str>,
        /// Opaque JSON of the client's, if any, as it was sent.
        data: Option<Box<str>>,
        /// The client's own id of the message.
        cid: Option<Box<str>>,
        /// The seq of the message that this one answers.
        reply_to: Option<u64>,
        /// The seq of the message whose thread this one belongs to.
        thread: Option<u64>,
        /// When it was changed last, if it was: then `text` is the present one. Milliseconds since
        /// 1970.
        edited: Option<u64>,
    },
    /// A message that was deleted: nothing but its seq, author and time is left.
    Deleted,
    /// Somebody changed the text of a message.
    Edit {
        /// The message's seq.
        target: u64,
        /// Its new text; `None` if the message was edited again since, deleted or pruned.
        text: Option<Box<str>>,
    },
    /// Somebody deleted a message.
    Deletion {
        /// The message's seq.
        target: u64,
    },
    /// Somebody reacted to a message.
    Reaction {
        /// The message's seq.
        target: u64,
        /// With what.
        emoji: Box<str>,
        /// The reaction is taken back.
        remove: bool,
    },
    /// Somebody changed the topic.
    Topic {
        /// The new topic, empty if it was taken away.
        text: Box<str>,
    },
    /// Somebody gave the room another name.
    Rename {
        /// The new one.
        name: RoomName,
        /// The one of before, which leads to the room still.
        was: RoomName,
    },
    /// Somebody was kicked, banned, muted or given a role, or that has ended.
    Moderation {
        /// What was done.
        act: Act,
        /// To whom.
        target: UserName,
        /// Why, empty if no reason was given.
        reason: Box<str>,
    },
}

impl Body {
    /// A message of nothing but text, and the client's id of it.
    #[must_use]
    pub fn plain(text: &str, cid: Option<&str>) -> Self {
        let (text, cid) = (text.into(), cid.map(Into::into));
        Self::Message { text, data: None, cid, reply_to: None, thread: None, edited: None }
    }

    /// The seq of the message that it is about, if it is about one.
    #[must_use]
    pub const fn target(&self) -> Option<u64> {
        match self {
            Self::Edit { target, .. }
            | Self::Deletion { target }
            | Self::Reaction { target, .. } => Some(*target),
            Self::Message { .. }
            | Self::Deleted
            | Self::Topic { .. }
            | Self::Rename { .. }
            | Self::Moderation { .. } => None,
        }
    }

    /// The seq of the message that it is about or answers, or of the first one of its thread.
    #[must_use]
    pub const fn refers_to(&self) -> Option<u64> {
        match self {
            Self::Message { thread: Some(thread), .. } => Some(*thread),
            Self::Message { reply_to, .. } => *reply_to,
            _ => self.target(),
        }
    }

    /// The text of a message.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Message { text, .. } => Some(text),
            _ => None,
        }
    }
}

/// How far the time of a record may be ahead of the wall clock, in milliseconds.
const AHEAD_MAX_MS: u64 = 5_000;

/// The time of a record after one of `last_at`: not before that, so that a room's times rise
/// though the wall clock is adjusted; unless the last one is so far ahead that the clock must have
/// been wrong.
#[must_use]
pub const fn stamp(last_at: u64, wall_ms: u64) -> u64 {
    if last_at > wall_ms && last_at - wall_ms <= AHEAD_MAX_MS { last_at } else { wall_ms }
}

/// An act of moderation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// The membership is ended.
    Kick,
    /// The user may not enter.
    Ban {
        /// Until when (milliseconds since 1970); `None`: until it is taken back.
        until: Option<u64>,
    },
    /// The user may enter again.
    Unban,
    /// The user may not speak.
    Mute {
        /// Until when (milliseconds since 1970); `None`: until it is taken back.
        until: Option<u64>,
    },
    /// The user may speak again.
    Unmute,
    /// The member has another role.
    Role(Role),
}

impl Act {
    /// The word that stands in the protocol.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kick => "kick",
            Self::Ban { .. } => "ban",
            Self::Unban => "unban",
            Self::Mute { .. } => "mute",
            Self::Unmute => "unmute",
            Self::Role(_) => "role",
        }
    }
}

/// One entry of a room's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its position in the log's epoch, from 1, dense.
    pub seq: u64,
    /// When the log took it: milliseconds since 1970, for display only.
    pub at: u64,
    /// Who said or did it.
    pub from: UserName,
    /// What.
    pub body: Body,
    /// Bytes that it takes when rendered, at most: what the books of rings and slow readers count.
    pub weight: u32,
}

/// A record as it is shared by rings, replays and fan-outs.
pub type SharedRecord = Arc<Record>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_reads_as_it_was_written() {
        for value in [0, 1, 35, 36, 1_763_700_000_123, u64::MAX] {
            let text = Epoch(value).to_string();
            assert_eq!(Epoch::parse(&text), Some(Epoch(value)), "{text}");
        }
        assert_eq!(Epoch(u64::MAX).to_string().len(), Epoch::LEN_MAX);
    }

    #[test]
    fn what_is_no_epoch_is_none() {
        for text in ["", "K3", "+1", "-", "01", "3w5e11264sgsg", " 1", "é"] {
            assert_eq!(Epoch::parse(text), None, "{text:?}");
        }
    }
}
