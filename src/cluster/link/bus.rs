//! What waits to be told to the other nodes: gathered, since each telling takes a lock that all
//! nodes share.

use std::collections::{BTreeSet, VecDeque};

use super::bounds::{
    BUS_IN_FLIGHT_MAX, BUS_PAUSE, FRAMES_MAX, GROWN_MAX, TOLD_BYTES_MAX, TOLD_LEN_MAX,
};
use super::frame::{FrameWriter, ITEM_HEAD_LEN_MAX};
use crate::chat::model::others::NodeId;
use crate::time::Tick;

/// What waits to be told.
///
/// Invariant: `told` has `told_bytes`, at most [`TOLD_BYTES_MAX`], each at most [`TOLD_LEN_MAX`].
#[derive(Debug, Default)]
pub(super) struct Bus {
    has_beat: bool,
    has_hello: bool,
    grown: BTreeSet<i64>,
    told: VecDeque<Box<[u8]>>,
    told_bytes: usize,
    /// Of the last frame: it rises over all connections.
    counter: u64,
    /// When the last transaction was sent.
    sent_at: Option<Tick>,
    in_flight: usize,
    dropped: u64,
}

/// One transaction.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Telling {
    pub(super) payloads: Vec<String>,
    /// Of the first frame.
    pub(super) counter: u64,
    /// It has a beat or a hello, which must come back to us.
    pub(super) is_checked: bool,
}

impl Bus {
    /// Says that this node is there.
    pub(super) const fn beat(&mut self) {
        self.has_beat = true;
    }

    /// Says that this node begins to listen.
    pub(super) const fn hello(&mut self) {
        self.has_hello = true;
    }

    pub(super) fn grew(&mut self, rooms: impl IntoIterator<Item = i64>) {
        for room in rooms {
            if self.grown.len() < GROWN_MAX || self.grown.contains(&room) {
                self.grown.insert(room);
            } else {
                self.dropped += 1;
            }
        }
    }

    /// Whether the message is going to be told.
    pub(super) fn tell(&mut self, payload: &[u8]) -> bool {
        let fits = payload.len() <= TOLD_LEN_MAX
            && self.told_bytes + payload.len() <= TOLD_BYTES_MAX
            // An empty message takes memory, too.
            && self.told.len() < TOLD_BYTES_MAX / 16;
        if fits {
            self.told_bytes += payload.len();
            self.told.push_back(payload.into());
        } else {
            self.dropped += 1;
        }
        fits
    }

    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// When something is to be told; `None` if nothing waits, or what was told before is to be
    /// answered first.
    pub(super) fn due(&self) -> Option<Tick> {
        let waits =
            self.has_beat || self.has_hello || !self.grown.is_empty() || !self.told.is_empty();
        let may = waits && self.in_flight < BUS_IN_FLIGHT_MAX;
        may.then(|| self.sent_at.map_or(Tick::ZERO, |at| at.after(BUS_PAUSE)))
    }

    /// What is to be told now, if it is due.
    pub(super) fn take(&mut self, now: Tick, node: NodeId) -> Option<Telling> {
        if self.due()? > now {
            return None;
        }
        let is_checked = self.has_beat || self.has_hello;
        let counter = self.counter + 1;
        let mut payloads = Vec::new();
        while payloads.len() < FRAMES_MAX
            && (self.has_beat || self.has_hello || !self.grown.is_empty() || !self.told.is_empty())
        {
            payloads.push(self.frame(node));
        }
        self.sent_at = Some(now);
        self.in_flight += 1;
        Some(Telling { payloads, counter, is_checked })
    }

    fn frame(&mut self, node: NodeId) -> String {
        self.counter += 1;
        let mut frame = FrameWriter::new(node, self.counter);
        if std::mem::take(&mut self.has_beat) {
            frame.beat();
        }
        if std::mem::take(&mut self.has_hello) {
            frame.hello();
        }
        if !self.grown.is_empty() {
            let count = frame.grew(self.grown.iter().copied());
            match self.grown.iter().nth(count).copied() {
                Some(next) => self.grown = self.grown.split_off(&next),
                None => self.grown.clear(),
            }
        }
        while let Some(message) = self.told.front() {
            if message.len() + ITEM_HEAD_LEN_MAX > frame.room() {
                break;
            }
            frame.message(message);
            self.told_bytes -= message.len();
            self.told.pop_front();
        }
        frame.payload()
    }

    /// A transaction is answered.
    pub(super) const fn on_told(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// The connection is gone: what waits is of no use any more, since all is told again when the
    /// next one is there.
    pub(super) fn reset(&mut self) {
        let Self { counter, dropped, .. } = *self;
        *self = Self { counter, dropped, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{self, Item};
    use super::*;

    const NODE: NodeId = NodeId(7);

    fn at(millis: u64) -> Tick {
        Tick::from_millis(millis)
    }

    fn items(telling: &Telling) -> Vec<Item> {
        let frames = telling.payloads.iter().map(|payload| frame::read(payload).unwrap());
        frames.flat_map(|frame| frame.items).collect()
    }

    #[test]
    fn what_comes_within_five_milliseconds_is_told_together() {
        let mut bus = Bus::default();
        assert_eq!((bus.due(), bus.take(at(1), NODE)), (None, None));
        bus.grew([3]);
        let first = bus.take(at(10), NODE).unwrap();
        assert_eq!((items(&first), first.is_checked), (vec![Item::Grew(vec![3])], false));
        bus.grew([9, 4]);
        assert!(bus.tell(b"hi"));
        bus.grew([4]);
        bus.beat();
        assert_eq!((bus.due(), bus.take(at(14), NODE)), (Some(at(15)), None));
        let second = bus.take(at(15), NODE).unwrap();
        let expect = [Item::Beat, Item::Grew(vec![4, 9]), Item::Message(b"hi"[..].into())];
        assert_eq!((items(&second), second.is_checked), (expect.into(), true));
        assert_eq!((first.counter, second.counter, bus.due()), (1, 2, None));
    }

    #[test]
    fn what_is_too_much_for_one_transaction_follows_in_order() {
        let mut bus = Bus::default();
        let message = |nth: u32| {
            let mut message = vec![b'x'; 1_000];
            message[..4].copy_from_slice(&nth.to_be_bytes());
            message
        };
        for nth in 0..250 {
            assert!(bus.tell(&message(nth)));
        }
        bus.grew(0..60_000);
        let (mut got, mut rooms, mut now) = (Vec::new(), Vec::new(), 0);
        while let Some(telling) = bus.take(at(now), NODE) {
            assert!(telling.payloads.len() <= FRAMES_MAX);
            for item in items(&telling) {
                match item {
                    Item::Message(bytes) => got.push(bytes.to_vec()),
                    Item::Grew(some) => rooms.extend(some),
                    other => panic!("{other:?}"),
                }
            }
            bus.on_told();
            now += 5;
        }
        assert_eq!(got, (0..250).map(message).collect::<Vec<_>>());
        assert_eq!(rooms, (0..60_000).collect::<Vec<_>>());
        assert!(now > 5, "one transaction held it all");
        assert_eq!((bus.told_bytes, bus.dropped()), (0, 0));
    }

    #[test]
    fn no_more_is_kept_than_may_be_and_no_more_is_told_than_is_answered() {
        let mut bus = Bus::default();
        assert!(!bus.tell(&[0; TOLD_LEN_MAX + 1]));
        let fit = TOLD_BYTES_MAX / TOLD_LEN_MAX;
        for nth in 0..fit + 3 {
            assert_eq!(bus.tell(&[0; TOLD_LEN_MAX]), nth < fit, "{nth}");
        }
        bus.grew(0..i64::try_from(GROWN_MAX).unwrap() + 5);
        bus.grew([0]);
        assert_eq!(bus.dropped(), 9);
        bus.reset();
        assert_eq!((bus.due(), bus.dropped(), bus.told_bytes), (None, 9, 0));
        for nth in 0..BUS_IN_FLIGHT_MAX {
            bus.beat();
            let now = at(u64::try_from(nth * 5).unwrap());
            assert!(bus.take(now, NODE).is_some());
        }
        bus.beat();
        assert_eq!(bus.due(), None);
        bus.on_told();
        assert_eq!(bus.due(), Some(at(20)));
    }
}
