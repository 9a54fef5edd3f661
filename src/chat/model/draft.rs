//! Records on their way into a log.

use super::meta::RoomMeta;
use super::name::UserName;
use super::record::Body;

/// A record that is not in the log yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Who says or does it.
    pub from: UserName,
    /// What is said or done.
    pub body: Body,
    /// See [`Record::weight`](super::record::Record::weight).
    pub weight: u32,
    /// For an edit, a deletion or a reaction: what must hold of its target.
    pub check: Option<TargetCheck>,
    /// Where the log has no records to look into, as in memory: seq and time of the record since
    /// which it is so already what this one says. Boxed, since nearly no draft has it.
    pub since: Option<Box<(u64, u64)>>,
    /// What changes with the record: both are written, or none is.
    pub meta: Vec<RoomMeta>,
    /// Nothing is to be written: the log says whether it has this message already.
    pub is_question: bool,
    /// It is a direct message whose recipient is not connected, and webhooks are told of such.
    pub is_unseen: bool,
}

impl Draft {
    /// A draft of which nothing special is to be known.
    #[must_use]
    pub const fn new(from: UserName, body: Body, weight: u32) -> Self {
        Self {
            from,
            body,
            weight,
            check: None,
            since: None,
            meta: Vec::new(),
            is_question: false,
            is_unseen: false,
        }
    }
}

/// What must hold of the message that an edit, a deletion or a reaction is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetCheck {
    /// Its seq: there must be a message, not deleted.
    pub target: u64,
    /// It may be another user's.
    pub others: bool,
    /// It must not be older: milliseconds since 1970.
    pub not_before: u64,
    /// Bytes that its data may take: an edit keeps them beside its own text.
    pub data_max: usize,
}
