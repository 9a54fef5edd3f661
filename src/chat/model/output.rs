//! Outputs: what one step of the domain wants sent, and to whom.

use std::ops::Range;

use super::command::{Op, RequestId};
use super::event::Event;
use super::limits::{EVENT_FRAMING, POSITION_LEN_MAX, STREAM_ROOMS_MAX};
use super::name::{RoomName, UserName};
use super::record::{Epoch, Record, SharedRecord};
use super::reply::{Durability, Refusal, Reply};
use crate::net::{CloseReason, ConnId};

/// How a session's events are put on the wire. The domain only keeps the recipients of one encoding
/// together, so that an event is encoded once for all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// A WebSocket text message.
    #[default]
    WebSocket,
    /// A WebSocket text message, compressed with the largest window where that pays.
    Deflate,
    /// A JSON text on a line of its own.
    Lines,
    /// A JSON text after its length.
    Lengths,
    /// Text for a person.
    Text,
    /// Server-Sent Events of one room.
    Events,
    /// Server-Sent Events of several rooms: each has the positions of its own connection.
    ManyEvents,
}

impl Encoding {
    /// All of them, in the order of their values.
    pub const ALL: [Self; 7] = [
        Self::WebSocket,
        Self::Deflate,
        Self::Lines,
        Self::Lengths,
        Self::Text,
        Self::Events,
        Self::ManyEvents,
    ];

    /// The place in [`Encoding::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::WebSocket => 0,
            Self::Deflate => 1,
            Self::Lines => 2,
            Self::Lengths => 3,
            Self::Text => 4,
            Self::Events => 5,
            Self::ManyEvents => 6,
        }
    }

    /// Bytes that a record takes besides its weight, at most.
    #[must_use]
    pub const fn framing_max(self) -> usize {
        match self {
            Self::WebSocket | Self::Deflate | Self::Lines | Self::Lengths | Self::Text => 0,
            Self::Events => EVENT_FRAMING,
            Self::ManyEvents => EVENT_FRAMING + STREAM_ROOMS_MAX * POSITION_LEN_MAX,
        }
    }

    /// Whether it is of a stream, which is read without a session.
    #[must_use]
    pub const fn is_stream(self) -> bool {
        matches!(self, Self::Events | Self::ManyEvents)
    }
}

/// Recipients, kept apart by encoding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audience {
    /// The encoding of nearly all of them.
    encoding: Encoding,
    first: Vec<ConnId>,
    others: Vec<(Encoding, Vec<ConnId>)>,
}

impl Audience {
    /// Nobody, with room for so many of this encoding in a list that was used before.
    #[must_use]
    pub fn expecting(mut list: Vec<ConnId>, count: usize, encoding: Encoding) -> Self {
        list.clear();
        list.reserve_exact(count);
        Self { encoding, first: list, others: Vec::new() }
    }

    /// Takes a list back that is to be used again.
    pub fn give_back(&mut self, list: Vec<ConnId>) {
        self.first = list;
    }

    /// Adds a recipient.
    #[inline]
    pub fn push(&mut self, encoding: Encoding, conn: ConnId) {
        if encoding == self.encoding {
            self.first.push(conn);
        } else {
            self.push_other(encoding, conn);
        }
    }

    fn push_other(&mut self, encoding: Encoding, conn: ConnId) {
        match self.others.iter_mut().find(|(other, _)| *other == encoding) {
            Some((_, list)) => list.push(conn),
            None => self.others.push((encoding, vec![conn])),
        }
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.is_empty() && self.others.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.first.len() + self.others.iter().map(|(_, list)| list.len()).sum::<usize>()
    }

    /// The list that was given back, if one was.
    #[must_use]
    pub fn into_list(self) -> Vec<ConnId> {
        self.first
    }

    /// The recipients of each encoding that has any, in the order in which they were added.
    pub fn into_lists(self) -> impl Iterator<Item = (Encoding, Vec<ConnId>)> {
        let first = (!self.first.is_empty()).then_some((self.encoding, self.first));
        first.into_iter().chain(self.others)
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
    /// The answer to the `send` of the record of this index, which names these who are no members:
    /// [`Fanout::sent`].
    Sent(Request, usize, Box<[UserName]>),
}

/// The records that one turn has added to one room, and who gets what of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fanout {
    /// Where they are: the name that the room has after them.
    pub room: RoomName,
    /// Its log's epoch.
    pub epoch: Epoch,
    /// What its records survive.
    pub durable: Durability,
    /// The records, ascending, dense.
    pub records: Vec<SharedRecord>,
    /// The messages that records are about or answer, as they were before, where they are recent: a
    /// person is told which by their words. In the order of the records.
    pub targets: Vec<SharedRecord>,
    /// Those who get all of them.
    pub whole: Audience,
    /// Those who get parts, each one's together and in order.
    pub partial: Vec<(ConnId, Part)>,
}

impl Fanout {
    /// The records, each with the message that it is about, as it was before.
    pub fn with_targets(&self) -> impl Iterator<Item = (&Record, Option<&Record>)> {
        let mut targets = self.targets.iter().peekable();
        self.records.iter().map(move |record| {
            let seq = record.body.refers_to();
            let target = seq.and_then(|seq| targets.next_if(|target| target.seq == seq));
            (&**record, target.map(|target| &**target))
        })
    }

    /// The answer to the `send` of the record of this index, which names these who are no members.
    #[must_use]
    pub fn sent(&self, index: usize, not_members: &[UserName]) -> Option<Reply> {
        let record = self.records.get(index)?;
        let (seq, at, durable) = (record.seq, record.at, self.durable);
        let (room, not_members) = (self.room.clone(), not_members.into());
        Some(Reply::Sent { room, seq, at, durable, dup: false, not_members })
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
