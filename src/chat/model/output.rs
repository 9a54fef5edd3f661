//! What one domain step wants said, and to whom.

use std::ops::Range;

use super::command::{Op, RequestId};
use super::event::Event;
use super::name::RoomName;
use super::record::SharedRecord;
use super::reply::{Durability, Refusal, Reply};
use crate::net::{CloseReason, ConnId};

/// Which rendering of events a session takes; opaque to the domain, which only keeps those of one
/// class together, so that each event is rendered once a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class(pub u8);

impl Class {
    /// How many classes there may be.
    pub const COUNT: usize = 5;
}

/// Recipients, kept apart by class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audience {
    by_class: [Vec<ConnId>; Class::COUNT],
}

impl Audience {
    /// Nobody, with room for so many of this class.
    #[must_use]
    pub fn expecting(count: usize, class: Class) -> Self {
        let mut audience = Self::default();
        if let Some(list) = audience.by_class.get_mut(usize::from(class.0)) {
            list.reserve_exact(count);
        }
        audience
    }

    /// Adds a recipient. A class out of range is the last one.
    pub fn push(&mut self, class: Class, conn: ConnId) {
        let index = usize::from(class.0).min(Class::COUNT - 1);
        if let Some(list) = self.by_class.get_mut(index) {
            list.push(conn);
        }
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_class.iter().all(Vec::is_empty)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_class.iter().map(Vec::len).sum()
    }

    /// The recipients of each class that has any, in the order in which they were added.
    pub fn into_classes(self) -> impl Iterator<Item = (Class, Vec<ConnId>)> {
        let classes = self.by_class.into_iter().zip(0u8..);
        classes.filter(|(list, _)| !list.is_empty()).map(|(list, class)| (Class(class), list))
    }
}

/// The request that a reply answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The client's name for it; without one a success is not answered.
    pub id: Option<RequestId>,
    /// What it asked for.
    pub op: Op,
}

/// A piece of what a sender gets of a fan-out in which its own messages are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// These of the fan-out's records, as events.
    Records(Range<usize>),
    /// The answer to the `send` of the record of this index: [`Fanout::sent`].
    Sent(Request, usize),
}

/// The records that one turn has added to one room, and who gets what of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fanout {
    /// The room.
    pub room: RoomName,
    /// What its records survive.
    pub durable: Durability,
    /// The records, ascending, dense.
    pub records: Vec<SharedRecord>,
    /// Those who get all of them.
    pub whole: Audience,
    /// Those who get parts, each one's together and in order.
    pub partial: Vec<(ConnId, Part)>,
}

impl Fanout {
    /// The answer to the `send` of the record of this index.
    #[must_use]
    pub fn sent(&self, index: usize) -> Option<Reply> {
        let record = self.records.get(index)?;
        let (seq, at, durable) = (record.seq, record.at, self.durable);
        Some(Reply::Sent { room: self.room.clone(), seq, at, durable, dup: false })
    }
}

/// One thing that the domain wants said or done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// The answer to a request.
    Reply {
        /// To whom.
        to: ConnId,
        /// What it answers.
        request: Request,
        /// The answer.
        result: Result<Reply, Refusal>,
    },
    /// An event for one connection.
    Event {
        /// To whom.
        to: ConnId,
        /// What.
        event: Event,
    },
    /// An event for many connections.
    Shared {
        /// To whom.
        to: Audience,
        /// What.
        event: Event,
    },
    /// New records of a room.
    Fanout(Fanout),
    /// Tell the domain by `drained` when the connection can take more.
    Wake {
        /// Which.
        conn: ConnId,
    },
    /// End a connection.
    Close {
        /// Which.
        conn: ConnId,
        /// Why.
        reason: CloseReason,
    },
}
