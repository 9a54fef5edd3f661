//! Enums and bodies of records as the stores keep them, in numbers and columns. They are stored, in
//! files and in engines: no number is ever given another meaning.

use super::color::Color;
use super::identity::Source;
use super::log::Restriction;
use super::notice::NoticeKind;
use super::record::{Act, Body};
use super::reply::Durability;
use super::role::{LeftReason, Role};

/// Something that is stored as a small number.
pub trait Code: Sized {
    /// The number.
    fn code(self) -> i64;
    /// The inverse of [`Code::code`]; `None` for any other number.
    fn from_code(code: i64) -> Option<Self>;
}

macro_rules! codes {
    ($($type:ident { $($variant:ident = $code:literal),+ })+) => {
        $(impl Code for $type {
            fn code(self) -> i64 {
                match self { $(Self::$variant => $code),+ }
            }

            fn from_code(code: i64) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }
        })+
    };
}

codes! {
    Role { Reader = 0, Member = 1, Moderator = 2, Owner = 3 }
    Restriction { Banned = 0, Muted = 1, Invited = 2, Reader = 3, MayReturn = 4 }
    Source { None = 0, Guest = 1, Account = 2, Token = 3, Header = 4, Key = 5, Retired = 6 }
    Durability { Memory = 0, Os = 1, Disk = 2, Replicated = 3 }
    Color {
        Unchosen = 0, Red = 1, Orange = 2, Yellow = 3, Green = 4, Teal = 5, Blue = 6, Purple = 7,
        Pink = 8
    }
}

/// The kinds of records. Statements of the stores and functions of the engine name them, too.
#[expect(missing_docs, reason = "each is a variant of `Body` or `Act`")]
pub mod kind {
    pub const MESSAGE: i64 = 0;
    pub const DELETED: i64 = 1;
    pub const EDIT: i64 = 2;
    pub const DELETION: i64 = 3;
    pub const REACTION: i64 = 4;
    pub const TOPIC: i64 = 5;
    pub const KICK: i64 = 6;
    pub const BAN: i64 = 7;
    pub const UNBAN: i64 = 8;
    pub const MUTE: i64 = 9;
    pub const UNMUTE: i64 = 10;
    pub const ROLE: i64 = 11;
    pub const RENAME: i64 = 12;
}

/// The kind of an act of moderation, and its number: until when, or which role.
#[must_use]
pub fn of_act(act: Act) -> (i64, Option<i64>) {
    match act {
        Act::Kick => (kind::KICK, None),
        Act::Ban { until } => (kind::BAN, until.map(signed)),
        Act::Unban => (kind::UNBAN, None),
        Act::Mute { until } => (kind::MUTE, until.map(signed)),
        Act::Unmute => (kind::UNMUTE, None),
        Act::Role(role) => (kind::ROLE, Some(role.code())),
    }
}

/// The inverse of [`of_act`]; `None` for what is no act.
#[must_use]
pub fn to_act(kind: i64, number: Option<i64>) -> Option<Act> {
    let until = number.map(unsigned);
    Some(match kind {
        kind::KICK => Act::Kick,
        kind::BAN => Act::Ban { until },
        kind::UNBAN => Act::Unban,
        kind::MUTE => Act::Mute { until },
        kind::UNMUTE => Act::Unmute,
        kind::ROLE => Act::Role(Role::from_code(number?)?),
        _ => return None,
    })
}

/// `None`: nobody has ended the membership.
impl Code for Option<LeftReason> {
    fn code(self) -> i64 {
        match self {
            None => 0,
            Some(LeftReason::Left) => 1,
            Some(LeftReason::Kicked) => 2,
            Some(LeftReason::Banned) => 3,
            Some(LeftReason::Closed) => 4,
        }
    }

    fn from_code(code: i64) -> Option<Self> {
        Some(match code {
            0 => None,
            1 => Some(LeftReason::Left),
            2 => Some(LeftReason::Kicked),
            3 => Some(LeftReason::Banned),
            4 => Some(LeftReason::Closed),
            _ => return None,
        })
    }
}

/// What an entry of the outbox that is in no log says: its kind and its number.
#[must_use]
pub fn of_notice(what: NoticeKind) -> (i64, i64) {
    match what {
        NoticeKind::Joined(role) => (0, role.code()),
        NoticeKind::Left(reason) => (1, reason.code()),
        NoticeKind::Made => (2, 0),
        NoticeKind::Unseen(seq) => (3, signed(seq)),
        NoticeKind::Connection { opened, left } => {
            (4, signed(left).saturating_mul(2) | i64::from(opened))
        }
    }
}

/// The inverse of [`of_notice`]; `None` for what was not written so.
#[must_use]
pub fn to_notice(kind: i64, number: i64) -> Option<NoticeKind> {
    Some(match kind {
        0 => NoticeKind::Joined(Role::from_code(number)?),
        1 => NoticeKind::Left(Code::from_code(number)?),
        2 => NoticeKind::Made,
        3 => NoticeKind::Unseen(unsigned(number)),
        4 => NoticeKind::Connection { opened: number & 1 == 1, left: unsigned(number / 2) },
        _ => return None,
    })
}

/// The columns of a record's body; what a body does not have is empty.
#[derive(Debug, Default)]
pub struct Columns<'a> {
    /// One of [`kind`].
    pub kind: i64,
    /// The seq that it is about.
    pub target: Option<i64>,
    /// The user that it is about: an erasure looks here for names.
    pub who: Option<&'a str>,
    /// Whether a reaction is taken back; the number of [`of_act`].
    pub number: Option<i64>,
    /// What was said; an emoji, a topic, a reason; of a rename, the new name.
    pub text: Option<&'a str>,
    /// What a message carries; of a rename, the name before.
    pub data: Option<&'a str>,
    /// The client's own id of a message.
    pub cid: Option<&'a str>,
    /// The seq that a message answers.
    pub reply_to: Option<i64>,
    /// The seq of the message that began its thread.
    pub thread: Option<i64>,
    /// When a message was edited last.
    pub edited: Option<i64>,
}

impl<'a> Columns<'a> {
    /// Those of a body. Nothing is copied: a message goes into a store from where it came.
    #[must_use]
    pub fn of(body: &'a Body) -> Self {
        match body {
            Body::Message { text, data, cid, reply_to, thread, edited } => Self {
                kind: kind::MESSAGE,
                text: Some(text),
                data: data.as_deref(),
                cid: cid.as_deref(),
                reply_to: reply_to.map(signed),
                thread: thread.map(signed),
                edited: edited.map(signed),
                ..Self::default()
            },
            Body::Deleted => Self { kind: kind::DELETED, ..Self::default() },
            Body::Edit { target, text } => {
                let (target, text) = (Some(signed(*target)), text.as_deref());
                Self { kind: kind::EDIT, target, text, ..Self::default() }
            }
            Body::Deletion { target } => {
                Self { kind: kind::DELETION, target: Some(signed(*target)), ..Self::default() }
            }
            Body::Reaction { target, emoji, remove } => Self {
                kind: kind::REACTION,
                target: Some(signed(*target)),
                text: Some(emoji),
                number: Some(i64::from(*remove)),
                ..Self::default()
            },
            Body::Topic { text } => Self { kind: kind::TOPIC, text: Some(text), ..Self::default() },
            Body::Rename { name, was } => {
                let (data, text) = (Some(was.as_str()), Some(name.as_str()));
                Self { kind: kind::RENAME, data, text, ..Self::default() }
            }
            Body::Moderation { act, target, reason } => {
                let (kind, number) = of_act(*act);
                let (who, text) = (Some(target.as_str()), Some(&**reason));
                Self { kind, who, number, text, ..Self::default() }
            }
        }
    }

    /// Bytes of text and data: what the bytes of a room count.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.text.map_or(0, str::len) + self.data.map_or(0, str::len)
    }

    /// Whether an engine can keep these texts: PostgreSQL has no place for a NUL.
    #[must_use]
    pub fn is_fit(&self) -> bool {
        [self.text, self.data, self.cid].iter().flatten().all(|text| !text.contains('\0'))
    }
}

/// A number of ours for a column, which is signed. Seqs and times are far below the limit; what a
/// client made up beyond it is as good as the highest.
#[must_use]
pub fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The number of a column. None of ours is negative; what a damaged file says is 0.
#[must_use]
pub fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
