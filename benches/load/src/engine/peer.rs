//! One of the generator's connections.

use std::collections::BTreeMap;

use crate::order::Missing;
use chinwag::http::PartialAnswer;
use chinwag::net::ConnId;

/// No sender, or no connection.
pub(crate) const NOBODY: u32 = u32::MAX;
/// The position of who does not follow the room's stream.
pub(crate) const OFF: u64 = u64::MAX;

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stage {
    /// There is none.
    #[default]
    Away,
    /// It was asked for.
    Connecting,
    /// The upgrade was asked for.
    Upgrading,
    /// Hello was said, and a room asked for.
    Entering,
    /// It is in its room.
    Ready,
    /// We have ended it and wait for its end.
    Leaving,
}

/// One of the generator's connections, or its place while there is none.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) conn: ConnId,
    /// The number of the next frame of its room: its `seq`, or a count where there are none.
    pub(crate) next: u64,
    /// How far in its room's stream it is, [`OFF`] if it does not follow it.
    pub(crate) position: u64,
    pub(crate) room: u32,
    /// Its index among the senders, or [`NOBODY`].
    pub(crate) sender: u32,
    pub(crate) stage: Stage,
    /// Which of the latencies its deliveries count for.
    pub(crate) class: u8,
    /// What few connections need at a time.
    pub(crate) extra: Option<Box<Extra>>,
}

/// What few connections need at a time.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    /// A unit that is incomplete.
    pub(crate) partial: Vec<u8>,
    /// An answer to the upgrade that is incomplete.
    pub(crate) answer: Option<PartialAnswer>,
    /// What its room has skipped.
    pub(crate) missing: Missing,
    /// Without `seq`: the next number of each of its room's senders, and what was skipped.
    pub(crate) by_sender: Vec<(u64, Missing)>,
    /// Rooms besides its own, by name: the epoch, and the number that is due next.
    pub(crate) others: BTreeMap<Box<str>, (Box<str>, u64)>,
    /// The session's secret, for who returns.
    pub(crate) session: Option<Box<str>>,
    /// The log that its numbers belong to, for who returns: the room's may have begun again
    /// meanwhile.
    pub(crate) epoch: Option<Box<str>>,
    /// It is not expected to have everything at the end: it reads too slowly.
    pub(crate) is_slow: bool,
}

impl Peer {
    pub(crate) fn new(room: u32) -> Self {
        Self {
            conn: ConnId::from_u64(u64::MAX),
            next: 0,
            position: OFF,
            room,
            sender: NOBODY,
            stage: Stage::Away,
            class: 0,
            extra: None,
        }
    }

    pub(crate) fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// Whether it is not expected to have everything.
    pub(crate) fn is_slow(&self) -> bool {
        self.extra.as_ref().is_some_and(|extra| extra.is_slow)
    }

    /// Gives back what is not needed any more.
    pub(crate) fn tidy(&mut self) {
        let needed = self.extra.as_ref().is_some_and(|extra| {
            !extra.partial.is_empty()
                || extra.answer.is_some()
                || !extra.missing.is_empty()
                || !extra.by_sender.is_empty()
                || !extra.others.is_empty()
                || extra.session.is_some()
                || extra.is_slow
        });
        if !needed {
            self.extra = None;
        }
    }
}
