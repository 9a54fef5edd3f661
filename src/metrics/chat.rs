//! What the domain counts.

use super::{Counter, Gauge};

/// The cells of rooms, users and messages.
#[derive(Debug, Default)]
pub struct ChatMetrics {
    /// Users that are known, those without a session included.
    pub users: Gauge,
    /// Sessions that have said `hello`.
    pub sessions: Gauge,
    /// Streams of events that are open.
    pub streams: Gauge,
    /// Rooms, direct conversations included.
    pub rooms: Gauge,
    /// Rooms that are in the store only.
    pub rooms_elsewhere: Gauge,
    /// Rooms that were loaded.
    pub rooms_loaded: Counter,
    /// Rooms that were forgotten.
    pub rooms_forgotten: Counter,
    /// Requests that had to wait for what was not in memory.
    pub load_waits: Counter,
    /// Those that wait now.
    pub load_waiting: Gauge,
    /// Memberships of users in rooms.
    pub memberships: Gauge,
    /// Subscriptions of connections to rooms.
    pub subscriptions: Gauge,
    /// Cursors that are behind.
    pub cursors_lagging: Gauge,
    /// Records that a log has taken.
    pub records: Counter,
    /// Events handed to connections, one for each recipient.
    pub deliveries: Counter,
    /// Records handed to connections in replays.
    pub replayed: Counter,
    /// Gaps that clients were told of.
    pub gaps: Counter,
    /// Presence events, one for each room and moment.
    pub presence_events: Counter,
    /// Typing, presence and receipts that were dropped under pressure.
    pub ephemeral_dropped: Counter,
    /// Replies by code.
    pub replies: Replies,
}

macro_rules! codes {
    ($($code:literal)+) => {
        /// The codes that a reply can carry, in ascending order, with their label.
        const CODES: [(u16, &str); [$($code),+].len()] = [$(($code, stringify!($code))),+];
    };
}

codes! {
    0
    1001 1002 1003 1004 1005
    2001 2002 2003 2004 2005
    3001 3002 3003 3004 3005 3006 3007 3008 3009 3010 3011 3012
    4001 4002 4003 4004 4005 4006
    5001 5004 5005 5006
    9001 9002
}

const _: () = assert!(CODES[0].0 == 0, "the code of a success is the first");

/// A counter for each code of the protocol, and one for any other.
#[derive(Debug)]
pub struct Replies {
    known: [Counter; CODES.len()],
    other: Counter,
}

impl Default for Replies {
    fn default() -> Self {
        Self { known: std::array::from_fn(|_| Counter::default()), other: Counter::default() }
    }
}

impl Replies {
    /// Counts a reply with `code`.
    pub fn count(&self, code: u16) {
        // Nearly every reply is a success, whose code is the first.
        let position = match code {
            0 => Ok(0),
            code => CODES.binary_search_by_key(&code, |(known, _)| *known),
        };
        let cell = position.ok().and_then(|at| self.known.get(at));
        cell.unwrap_or(&self.other).add(1);
    }

    /// Every label with its count, the same labels in the same order each time.
    pub(super) fn labelled(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let known = CODES.iter().zip(&self.known).map(|((_, label), cell)| (*label, cell.value()));
        known.chain([("other", self.other.value())])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_in_order_and_labelled_with_themselves() {
        assert!(CODES.is_sorted_by(|(a, _), (b, _)| a < b));
        assert!(CODES.iter().all(|(code, label)| code.to_string() == *label));
    }

    #[test]
    fn a_reply_is_counted_under_its_code() {
        let replies = Replies::default();
        for code in [0, 5001, 5001, 7, u16::MAX] {
            replies.count(code);
        }
        let counted: Vec<_> = replies.labelled().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [("0", 1), ("5001", 2), ("other", 2)]);
    }
}
