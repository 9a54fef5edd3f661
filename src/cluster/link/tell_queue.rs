//! What waits to be told to the other nodes: gathered, since each telling takes a lock that all
//! nodes share.
//!
//! ```text
//!  tell ──────────────────────────────▶ told ─────▶ take ─▶ NOTIFY
//!  mention ─┬─ no bus that all hear ──▶
//!           └─ one ───────────────────▶ mentioned ▶ take_mentioned ─▶ the bus
//!  grew ────┬─ none ──────────────────▶ grown ────▶ take
//!           └─ one ▶ later ─ answered ▶ ripe ─────▶ take_mentioned
//! ```

use std::collections::{BTreeSet, VecDeque};

use super::bounds::{
    BUS_IN_FLIGHT_MAX, BUS_PAUSE, FRAMES_MAX, GROWN_MAX, PUBLISH_PAUSE, TOLD_BYTES_MAX,
    TOLD_LEN_MAX,
};
use super::frame::{FrameWriter, ITEM_HEAD_LEN_MAX};
use crate::chat::model::other_nodes::NodeId;
use crate::time::Tick;

/// What waits to be told.
///
/// Invariants:
/// - `told` and `mentioned` have `told_bytes`, at most [`TOLD_BYTES_MAX`], each at most
///   [`TOLD_LEN_MAX`].
/// - `later`, `ripe` and `mentioned` are empty unless a bus carries what is mentioned.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each says another thing")]
pub(super) struct TellQueue {
    has_beat: bool,
    has_hello: bool,
    /// Whether this node hears its bus; `None` if it has none.
    state: Option<bool>,
    is_carried: bool,
    grown: BTreeSet<i64>,
    told: VecDeque<Box<[u8]>>,
    /// For the bus: rooms that have grown when so many requests of the writer are answered, those
    /// of which the append is answered, and messages.
    later: VecDeque<(u64, i64)>,
    ripe: BTreeSet<i64>,
    mentioned: VecDeque<Box<[u8]>>,
    told_bytes: usize,
    /// Of the last frame: it rises over all connections.
    counter: u64,
    /// When the last transaction was sent, and the last publication.
    sent_at: Option<Tick>,
    published_at: Option<Tick>,
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

/// What one frame says, besides who is there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Publication {
    pub(super) rooms: Vec<i64>,
    pub(super) messages: Vec<Box<[u8]>>,
}

impl TellQueue {
    /// Says that this node is there.
    pub(super) const fn beat(&mut self) {
        self.has_beat = true;
    }

    /// Says that this node begins to listen.
    pub(super) const fn hello(&mut self) {
        self.has_hello = true;
    }

    /// With each beat it is said whether this node hears its bus; soon, if that is new.
    pub(super) fn set_state(&mut self, is_heard: bool) {
        self.has_beat |= self.state != Some(is_heard);
        self.state = Some(is_heard);
    }

    /// From now on a bus carries what is mentioned, or none. So many requests of the writer were
    /// sent.
    pub(super) fn set_carried(&mut self, is_carried: bool, question: u64) {
        self.is_carried = is_carried;
        if is_carried {
            self.later.extend(std::mem::take(&mut self.grown).into_iter().map(|it| (question, it)));
        } else {
            self.grown.append(&mut self.ripe);
            self.grown.extend(self.later.drain(..).map(|(_, room)| room));
            self.told.append(&mut self.mentioned);
        }
    }

    /// Rooms have grown, or will have when so many requests of the writer are answered.
    pub(super) fn grew(&mut self, rooms: impl IntoIterator<Item = i64>, question: u64) {
        for room in rooms {
            let is_known =
                self.grown.contains(&room) || self.later.back() == Some(&(question, room));
            if is_known {
                continue;
            }
            if self.grown.len() + self.later.len() + self.ripe.len() >= GROWN_MAX {
                self.dropped += 1;
            } else if self.is_carried {
                // Over the bus it could arrive before the append is committed: it waits for the
                // answer to that.
                self.later.push_back((question, room));
            } else {
                self.grown.insert(room);
            }
        }
    }

    /// So many requests of the writer are answered.
    pub(super) fn on_answered(&mut self, answered: u64) {
        while let Some((_, room)) = self.later.pop_front_if(|(question, _)| *question <= answered) {
            self.ripe.insert(room);
        }
    }

    /// Whether the message is going to be told.
    pub(super) fn tell(&mut self, payload: &[u8]) -> bool {
        let fits = self.fits(payload);
        if fits {
            self.told.push_back(payload.into());
        }
        fits
    }

    /// The same, over the bus if there is one that all hear.
    pub(super) fn mention(&mut self, payload: &[u8]) -> bool {
        if !self.is_carried {
            return self.tell(payload);
        }
        let fits = self.fits(payload);
        if fits {
            self.mentioned.push_back(payload.into());
        }
        fits
    }

    fn fits(&mut self, payload: &[u8]) -> bool {
        let fits = payload.len() <= TOLD_LEN_MAX
            && self.told_bytes + payload.len() <= TOLD_BYTES_MAX
            // An empty message takes memory, too.
            && self.told.len() + self.mentioned.len() < TOLD_BYTES_MAX / 16;
        if fits {
            self.told_bytes += payload.len();
        } else {
            self.dropped += 1;
        }
        fits
    }

    /// What was published may not have been heard: the engine tells it.
    pub(super) fn tell_again(&mut self, said: Publication) {
        self.grown.extend(said.rooms);
        for message in said.messages {
            self.tell(&message);
        }
    }

    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }

    fn waits(&self) -> bool {
        self.has_beat || self.has_hello || !self.grown.is_empty() || !self.told.is_empty()
    }

    /// When something is to be told; `None` if nothing waits, or what was told before is to be
    /// answered first.
    pub(super) fn due(&self) -> Option<Tick> {
        let may = self.waits() && self.in_flight < BUS_IN_FLIGHT_MAX;
        may.then(|| self.sent_at.map_or(Tick::ZERO, |at| at.after(BUS_PAUSE)))
    }

    /// When something is to be published; `None` if nothing waits.
    pub(super) fn publication_due(&self) -> Option<Tick> {
        let waits = !self.ripe.is_empty() || !self.mentioned.is_empty();
        waits.then(|| self.published_at.map_or(Tick::ZERO, |at| at.after(PUBLISH_PAUSE)))
    }

    /// What is to be told now, if it is due.
    pub(super) fn take(&mut self, now: Tick, node: NodeId) -> Option<Telling> {
        if self.due()? > now {
            return None;
        }
        let is_checked = self.has_beat || self.has_hello;
        let counter = self.counter + 1;
        let mut payloads = Vec::new();
        while payloads.len() < FRAMES_MAX && self.waits() {
            payloads.push(self.frame(node));
        }
        self.sent_at = Some(now);
        self.in_flight += 1;
        Some(Telling { payloads, counter, is_checked })
    }

    /// A frame of this node, with its counter.
    pub(super) fn begin_frame(&mut self, node: NodeId) -> (u64, FrameWriter) {
        self.counter += 1;
        (self.counter, FrameWriter::new(node, self.counter))
    }

    fn frame(&mut self, node: NodeId) -> String {
        let (_, mut frame) = self.begin_frame(node);
        let has_beat = std::mem::take(&mut self.has_beat);
        if has_beat {
            frame.beat();
        }
        let has_hello = std::mem::take(&mut self.has_hello);
        if has_hello {
            frame.hello();
        }
        if let Some(is_heard) = self.state
            && (has_beat || has_hello)
        {
            frame.bus(is_heard);
        }
        fill(&mut frame, &mut self.grown, &mut self.told, &mut self.told_bytes);
        frame.payload()
    }

    /// Puts what is to be published into a frame.
    pub(super) fn fill_publication(&mut self, now: Tick, frame: &mut FrameWriter) -> Publication {
        self.published_at = Some(now);
        fill(frame, &mut self.ripe, &mut self.mentioned, &mut self.told_bytes)
    }

    /// A transaction is answered.
    pub(super) const fn on_told(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// The connection is gone: what waits is of no use any more, since all is told again when the
    /// next one is there.
    pub(super) fn reset(&mut self) {
        // The counter goes on, so that no frame of the former connection can be taken for one of
        // this one.
        let Self { counter, dropped, state, is_carried, .. } = *self;
        *self = Self { state, is_carried, counter, dropped, ..Self::default() };
    }
}

/// Puts as much as there is room for into a frame; what that is.
fn fill(
    frame: &mut FrameWriter,
    rooms: &mut BTreeSet<i64>,
    messages: &mut VecDeque<Box<[u8]>>,
    bytes: &mut usize,
) -> Publication {
    let mut said = Publication::default();
    if !rooms.is_empty() {
        let count = frame.grew(rooms.iter().copied());
        // Ascending, so that what did not fit is the part from the first one on that is missing.
        let rest = match rooms.iter().nth(count).copied() {
            Some(next) => rooms.split_off(&next),
            None => BTreeSet::new(),
        };
        said.rooms = std::mem::replace(rooms, rest).into_iter().collect();
    }
    let fits = |frame: &FrameWriter, len: usize| len + ITEM_HEAD_LEN_MAX <= frame.room();
    while let Some(message) = messages.pop_front_if(|message| fits(frame, message.len())) {
        frame.message(&message);
        *bytes -= message.len();
        said.messages.push(message);
    }
    said
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
        let mut tells = TellQueue::default();
        assert_eq!((tells.due(), tells.take(at(1), NODE)), (None, None));
        tells.grew([3], 0);
        let first = tells.take(at(10), NODE).unwrap();
        assert_eq!((items(&first), first.is_checked), (vec![Item::Grew(vec![3])], false));
        tells.grew([9, 4], 0);
        assert!(tells.tell(b"hi"));
        tells.grew([4], 0);
        tells.beat();
        assert_eq!((tells.due(), tells.take(at(14), NODE)), (Some(at(15)), None));
        let second = tells.take(at(15), NODE).unwrap();
        let expect = [Item::Beat, Item::Grew(vec![4, 9]), Item::Message(b"hi"[..].into())];
        assert_eq!((items(&second), second.is_checked), (expect.into(), true));
        assert_eq!((first.counter, second.counter, tells.due()), (1, 2, None));
    }

    #[test]
    fn what_is_too_much_for_one_transaction_follows_in_order() {
        let mut tells = TellQueue::default();
        let message = |nth: u32| {
            let mut message = vec![b'x'; 1_000];
            message[..4].copy_from_slice(&nth.to_be_bytes());
            message
        };
        for nth in 0..250 {
            assert!(tells.tell(&message(nth)));
        }
        tells.grew(0..60_000, 0);
        let (mut got, mut rooms, mut now) = (Vec::new(), Vec::new(), 0);
        while let Some(telling) = tells.take(at(now), NODE) {
            assert!(telling.payloads.len() <= FRAMES_MAX);
            for item in items(&telling) {
                match item {
                    Item::Message(bytes) => got.push(bytes.to_vec()),
                    Item::Grew(some) => rooms.extend(some),
                    other => panic!("{other:?}"),
                }
            }
            tells.on_told();
            now += 5;
        }
        assert_eq!(got, (0..250).map(message).collect::<Vec<_>>());
        assert_eq!(rooms, (0..60_000).collect::<Vec<_>>());
        assert!(now > 5, "one transaction held it all");
        assert_eq!((tells.told_bytes, tells.dropped()), (0, 0));
    }

    #[test]
    fn no_more_is_kept_than_may_be_and_no_more_is_told_than_is_answered() {
        let mut tells = TellQueue::default();
        assert!(!tells.tell(&[0; TOLD_LEN_MAX + 1]));
        let fit = TOLD_BYTES_MAX / TOLD_LEN_MAX;
        for nth in 0..fit + 3 {
            assert_eq!(tells.tell(&[0; TOLD_LEN_MAX]), nth < fit, "{nth}");
        }
        tells.grew(0..i64::try_from(GROWN_MAX).unwrap() + 5, 0);
        tells.grew([0], 0);
        assert_eq!(tells.dropped(), 9);
        tells.reset();
        assert_eq!((tells.due(), tells.dropped(), tells.told_bytes), (None, 9, 0));
        for nth in 0..BUS_IN_FLIGHT_MAX {
            tells.beat();
            let now = at(u64::try_from(nth * 5).unwrap());
            assert!(tells.take(now, NODE).is_some());
        }
        tells.beat();
        assert_eq!(tells.due(), None);
        tells.on_told();
        assert_eq!(tells.due(), Some(at(20)));
    }

    /// What is published now.
    fn published(tells: &mut TellQueue, now: Tick) -> Publication {
        let (_, mut frame) = tells.begin_frame(NODE);
        tells.fill_publication(now, &mut frame)
    }

    fn said(rooms: &[i64], messages: &[&[u8]]) -> Publication {
        Publication {
            rooms: rooms.into(),
            messages: messages.iter().map(|it| (*it).into()).collect(),
        }
    }

    #[test]
    fn a_bus_carries_what_may_be_lost_and_rooms_once_their_appends_are_answered() {
        let mut tells = TellQueue::default();
        tells.set_carried(true, 0);
        tells.grew([3, 4], 7);
        tells.grew([3], 8);
        assert!(tells.mention(b"lost at worst") && tells.tell(b"must not be"));
        let told = tells.take(at(0), NODE).unwrap();
        assert_eq!(items(&told), [Item::Message(b"must not be"[..].into())]);
        tells.on_answered(6);
        assert_eq!(published(&mut tells, at(5)), said(&[], &[b"lost at worst"]));
        assert_eq!(tells.publication_due(), None);
        tells.on_answered(7);
        assert_eq!(tells.publication_due(), Some(at(6)));
        assert_eq!(published(&mut tells, at(6)), said(&[3, 4], &[]));
        // It has grown once more since.
        tells.on_answered(8);
        assert_eq!(published(&mut tells, at(7)), said(&[3], &[]));
        assert_eq!((tells.publication_due(), tells.told_bytes), (None, 0));
    }

    #[test]
    fn what_waits_goes_by_the_engine_when_the_bus_is_gone_and_what_was_not_heard_again() {
        let mut tells = TellQueue::default();
        tells.grew([1], 4);
        tells.set_carried(true, 5);
        tells.on_answered(4);
        assert_eq!(tells.publication_due(), None, "it is not answered yet");
        tells.grew([2], 6);
        tells.mention(b"a");
        tells.on_answered(5);
        let unheard = published(&mut tells, at(0));
        assert_eq!(unheard, said(&[1], &[b"a"]));
        tells.mention(b"b");
        tells.tell_again(unheard);
        tells.set_carried(false, 6);
        tells.mention(b"c");
        let told = tells.take(at(0), NODE).unwrap();
        let messages = [&b"a"[..], b"b", b"c"].map(|it| Item::Message(it.into()));
        assert_eq!(items(&told), [&[Item::Grew(vec![1, 2])][..], &messages].concat());
        assert_eq!((tells.publication_due(), tells.told_bytes), (None, 0));
    }

    #[test]
    fn beats_say_whether_the_bus_is_heard_and_a_change_does_at_once() {
        let mut tells = TellQueue::default();
        tells.set_state(false);
        let told = tells.take(at(0), NODE).unwrap();
        assert_eq!(items(&told), [Item::Beat, Item::Bus(false)]);
        tells.set_state(false);
        assert_eq!(tells.due(), None);
        tells.set_state(true);
        tells.hello();
        let told = tells.take(at(9), NODE).unwrap();
        assert_eq!(items(&told), [Item::Beat, Item::Hello, Item::Bus(true)]);
    }
}
