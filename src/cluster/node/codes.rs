//! The numbers that stand for enums in columns: the same as in the embedded store
//! (`src/store/sqlite/column_code.rs`, `record_row.rs`). They are stored: none is ever given
//! another meaning.

use crate::chat::model::identity::Source;
use crate::chat::model::log::Restriction;
use crate::chat::model::record::{Act, Body};
use crate::chat::model::reply::Role;

/// Something that is stored as a small number.
pub(super) trait Code: Sized + Copy + PartialEq + 'static {
    /// All values with their numbers.
    const ALL: &'static [(Self, i64)];

    /// The number.
    fn code(self) -> i64 {
        Self::ALL.iter().find(|(value, _)| *value == self).map_or(-1, |(_, code)| *code)
    }

    /// The inverse of [`Code::code`]; `None` for any other number.
    fn from_code(code: i64) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == code).map(|(value, _)| *value)
    }
}

impl Code for Role {
    const ALL: &'static [(Self, i64)] =
        &[(Self::Reader, 0), (Self::Member, 1), (Self::Moderator, 2), (Self::Owner, 3)];
}

impl Code for Restriction {
    const ALL: &'static [(Self, i64)] = &[
        (Self::Banned, 0),
        (Self::Muted, 1),
        (Self::Invited, 2),
        (Self::Reader, 3),
        (Self::MayReturn, 4),
    ];
}

impl Code for Source {
    const ALL: &'static [(Self, i64)] = &[
        (Self::None, 0),
        (Self::Guest, 1),
        (Self::Account, 2),
        (Self::Token, 3),
        (Self::Header, 4),
        (Self::Key, 5),
        (Self::Retired, 6),
    ];
}

/// The values of `record.kind`.
pub(super) mod kind {
    pub(in crate::cluster::node) const MESSAGE: i64 = 0;
    pub(in crate::cluster::node) const DELETED: i64 = 1;
    pub(in crate::cluster::node) const EDIT: i64 = 2;
    pub(in crate::cluster::node) const DELETION: i64 = 3;
    pub(in crate::cluster::node) const REACTION: i64 = 4;
    pub(in crate::cluster::node) const TOPIC: i64 = 5;
    const KICK: i64 = 6;
    const BAN: i64 = 7;
    const UNBAN: i64 = 8;
    const MUTE: i64 = 9;
    const UNMUTE: i64 = 10;
    const ROLE: i64 = 11;
    pub(in crate::cluster::node) const RENAME: i64 = 12;

    use super::{Act, Code as _, Role, signed};

    /// Kind and number of an act.
    pub(in crate::cluster::node) fn of_act(act: Act) -> (i64, Option<i64>) {
        match act {
            Act::Kick => (KICK, None),
            Act::Ban { until } => (BAN, until.map(signed)),
            Act::Unban => (UNBAN, None),
            Act::Mute { until } => (MUTE, until.map(signed)),
            Act::Unmute => (UNMUTE, None),
            Act::Role(role) => (ROLE, Some(role.code())),
        }
    }

    /// The inverse.
    pub(in crate::cluster::node) fn to_act(kind: i64, number: Option<i64>) -> Option<Act> {
        let until = number.map(i64::cast_unsigned);
        Some(match kind {
            KICK => Act::Kick,
            BAN => Act::Ban { until },
            UNBAN => Act::Unban,
            MUTE => Act::Mute { until },
            UNMUTE => Act::Unmute,
            ROLE => Act::Role(Role::from_code(number?)?),
            _ => return None,
        })
    }
}

/// The columns of a body.
#[derive(Debug, Default)]
pub(super) struct Columns<'a> {
    pub(super) kind: i64,
    pub(super) target: Option<i64>,
    pub(super) who: Option<&'a str>,
    pub(super) number: Option<i64>,
    pub(super) text: Option<&'a str>,
    pub(super) data: Option<&'a str>,
    pub(super) cid: Option<&'a str>,
    pub(super) reply_to: Option<i64>,
    pub(super) thread: Option<i64>,
}

impl<'a> Columns<'a> {
    /// Those of a body that is about to be stored.
    pub(super) fn of(body: &'a Body) -> Self {
        match body {
            Body::Message { text, data, cid, reply_to, thread, .. } => Self {
                kind: kind::MESSAGE,
                text: Some(text),
                data: data.as_deref(),
                cid: cid.as_deref(),
                reply_to: reply_to.map(signed),
                thread: thread.map(signed),
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
                let (kind, number) = kind::of_act(*act);
                let (who, text) = (Some(target.as_str()), Some(&**reason));
                Self { kind, who, number, text, ..Self::default() }
            }
        }
    }

    /// Bytes of text and data.
    pub(super) fn text_bytes(&self) -> usize {
        self.text.map_or(0, str::len) + self.data.map_or(0, str::len)
    }

    /// Whether the engine can keep these texts: it has no place for a NUL.
    pub(super) fn is_fit(&self) -> bool {
        [self.text, self.data, self.cid].iter().flatten().all(|text| !text.contains('\0'))
    }
}

/// A number of ours as the engine has it; none of ours is so large.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The inverse.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
