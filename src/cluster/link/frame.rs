//! What nodes tell each other: a frame is the payload of one notification, in base64.
//!
//! ```text
//!  version 1 │ node │ counter │ item …      numbers are LEB128, as everywhere in a frame
//!
//!  item = kind │ length │ body
//!         0  a beat       nothing
//!         1  a hello      nothing: the node has begun to listen
//!         2  rooms grew   the first id, then the difference to the next …
//!         3  a message    its bytes
//!         4  a proof      a number, by which a node knows its own greeting of a bus
//!         5  a bus        1: this node hears its bus, 0: it does not
//! ```
//!
//! On a bus, a frame is the payload of a publication as it is.
//!
//! Kinds that are not known are passed over, so that nodes of two versions hear each other.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{Buf as _, Bytes};

use super::bounds::{FRAME_LEN_MAX, PAYLOAD_LEN_MAX};
use crate::chat::model::other_nodes::NodeId;

const VERSION: u8 = 1;
const BEAT: u8 = 0;
const HELLO: u8 = 1;
const GREW: u8 = 2;
const MESSAGE: u8 = 3;
const PROOF: u8 = 4;
const BUS: u8 = 5;

/// The longest number.
const NUMBER_LEN_MAX: usize = 10;

/// Bytes of the kind and the length of an item.
pub(super) const ITEM_HEAD_LEN_MAX: usize = 1 + NUMBER_LEN_MAX;

/// What a node tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// It is there.
    Beat,
    /// It begins to listen.
    Hello,
    /// These rooms have grown, ascending.
    Grew(Vec<i64>),
    /// Something.
    Message(Bytes),
    /// A greeting of a bus has this number.
    Proof(u64),
    /// Whether the node hears its bus; one that has none does not say so.
    Bus(bool),
}

/// What came in one notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Who tells.
    pub(super) node: NodeId,
    /// It rises with each frame of a node.
    pub(super) counter: u64,
    /// What.
    pub(super) items: Vec<Item>,
}

/// A frame that is being written.
#[derive(Debug)]
pub(super) struct FrameWriter {
    bytes: Vec<u8>,
}

impl FrameWriter {
    pub(super) fn new(node: NodeId, counter: u64) -> Self {
        let mut bytes = vec![VERSION];
        put_number(&mut bytes, node.0);
        put_number(&mut bytes, counter);
        Self { bytes }
    }

    /// Bytes that are left for another item, its head included.
    pub(super) fn room(&self) -> usize {
        FRAME_LEN_MAX.saturating_sub(self.bytes.len())
    }

    pub(super) fn beat(&mut self) {
        self.bytes.extend([BEAT, 0]);
    }

    pub(super) fn hello(&mut self) {
        self.bytes.extend([HELLO, 0]);
    }

    pub(super) fn proof(&mut self, number: u64) {
        let mut body = Vec::new();
        put_number(&mut body, number);
        self.item(PROOF, &body);
    }

    pub(super) fn bus(&mut self, is_heard: bool) {
        self.bytes.extend([BUS, 1, u8::from(is_heard)]);
    }

    /// A message, for which there is room.
    pub(super) fn message(&mut self, message: &[u8]) {
        self.item(MESSAGE, message);
    }

    /// As many of these rooms, ascending, as there is room for; how many.
    pub(super) fn grew(&mut self, rooms: impl Iterator<Item = i64>) -> usize {
        let room = self.room().saturating_sub(ITEM_HEAD_LEN_MAX + NUMBER_LEN_MAX);
        let (mut body, mut count, mut last) = (Vec::new(), 0, 0_i64);
        for id in rooms {
            if body.len() > room {
                break;
            }
            // Differences of ascending ids are short: hundreds of rooms fit one notification.
            put_number(&mut body, id.wrapping_sub(last).cast_unsigned());
            (last, count) = (id, count + 1);
        }
        self.item(GREW, &body);
        count
    }

    fn item(&mut self, kind: u8, body: &[u8]) {
        self.bytes.push(kind);
        put_number(&mut self.bytes, u64::try_from(body.len()).unwrap_or(u64::MAX));
        self.bytes.extend_from_slice(body);
    }

    pub(super) fn payload(self) -> String {
        STANDARD_NO_PAD.encode(self.into_bytes())
    }

    /// As it is, for a bus.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        debug_assert!(self.bytes.len() <= FRAME_LEN_MAX, "{} bytes", self.bytes.len());
        self.bytes
    }
}

/// Reads a payload; `None` if no node of ours can have written it.
pub(super) fn read(payload: &str) -> Option<Frame> {
    if payload.len() > PAYLOAD_LEN_MAX {
        return None;
    }
    read_bytes(STANDARD_NO_PAD.decode(payload).ok()?.into())
}

/// Reads what was published on a bus, in the same way.
pub(super) fn read_bytes(mut rest: Bytes) -> Option<Frame> {
    if rest.len() > FRAME_LEN_MAX {
        return None;
    }
    if take(&mut rest)? != VERSION {
        return None;
    }
    let node = NodeId(number(&mut rest)?);
    let counter = number(&mut rest)?;
    let mut items = Vec::new();
    while !rest.is_empty() {
        let kind = take(&mut rest)?;
        let len = usize::try_from(number(&mut rest)?).ok()?;
        // Before it is split off: `split_to` panics beyond the end.
        if len > rest.len() {
            return None;
        }
        let body = rest.split_to(len);
        items.extend(match kind {
            BEAT => Some(Item::Beat),
            HELLO => Some(Item::Hello),
            GREW => Some(Item::Grew(rooms(body)?)),
            MESSAGE => Some(Item::Message(body)),
            PROOF => Some(Item::Proof(number(&mut body.clone())?)),
            BUS => Some(Item::Bus(take(&mut body.clone())? != 0)),
            _ => None,
        });
    }
    Some(Frame { node, counter, items })
}

fn rooms(mut body: Bytes) -> Option<Vec<i64>> {
    let (mut rooms, mut last) = (Vec::new(), 0_i64);
    while !body.is_empty() {
        last = last.wrapping_add(number(&mut body)?.cast_signed());
        rooms.push(last);
    }
    Some(rooms)
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        // The lowest seven bits, which a byte holds.
        out.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap_or(0));
}

fn number(rest: &mut Bytes) -> Option<u64> {
    let mut number = 0_u64;
    for at in 0..NUMBER_LEN_MAX {
        let byte = take(rest)?;
        let bits = u64::from(byte & 0x7f);
        let shifted = bits << (7 * at);
        // Bits beyond the sixty-fourth: no number that was written here has any.
        if shifted >> (7 * at) != bits {
            return None;
        }
        number |= shifted;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn take(rest: &mut Bytes) -> Option<u8> {
    rest.try_get_u8().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_payload_of_somebody_else_is_none() {
        let encode = |bytes: &[u8]| STANDARD_NO_PAD.encode(bytes);
        for payload in [
            String::new(),
            "room 7 grew".to_owned(),
            encode(&[]),
            encode(&[2, 1, 1]),
            encode(&[1]),
            encode(&[1, 1]),
            encode(&[1, 0x80]),
            encode(&[1, 1, 1, MESSAGE, 2, b'a']),
            encode(&[1, 1, 1, GREW, 1, 0x80]),
            // A number of more than 64 bits.
            encode(&[&[1_u8][..], &[0xff; 9], &[2, 1]].concat()),
            "A".repeat(PAYLOAD_LEN_MAX + 1),
        ] {
            assert_eq!(read(&payload), None, "{payload}");
        }
    }

    #[test]
    fn an_item_of_a_newer_version_is_passed_over() {
        let payload = STANDARD_NO_PAD.encode([1, 7, 9, 99, 2, b'x', b'y', BEAT, 0]);
        let expect = Frame { node: NodeId(7), counter: 9, items: vec![Item::Beat] };
        assert_eq!(read(&payload), Some(expect));
    }

    #[test]
    fn a_frame_takes_as_many_rooms_as_a_payload_holds() {
        for step in [1, 1_000, i64::MAX / 2_000] {
            let rooms = (0..2_000).map(|nth| nth * step).collect::<Vec<_>>();
            let mut writer = FrameWriter::new(NodeId(u64::MAX), u64::MAX);
            let count = writer.grew(rooms.iter().copied());
            let payload = writer.payload();
            assert!(payload.len() <= PAYLOAD_LEN_MAX, "{}", payload.len());
            assert!(count >= 550, "{count}");
            let items = read(&payload).unwrap().items;
            assert_eq!(items, [Item::Grew(rooms[..count].to_vec())]);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            node: u64,
            counter: u64,
            rooms: std::collections::BTreeSet<i64>,
            messages: Vec<Vec<u8>>,
        ) {
            let mut writer = FrameWriter::new(NodeId(node), counter);
            writer.beat();
            writer.hello();
            writer.proof(counter);
            writer.bus(node % 2 == 0);
            writer.grew(rooms.iter().copied());
            let mut items = vec![
                Item::Beat,
                Item::Hello,
                Item::Proof(counter),
                Item::Bus(node % 2 == 0),
                Item::Grew(rooms.into_iter().collect()),
            ];
            for message in messages {
                if message.len() + ITEM_HEAD_LEN_MAX <= writer.room() {
                    writer.message(&message);
                    items.push(Item::Message(message.into()));
                }
            }
            let payload = writer.payload();
            prop_assert!(payload.len() <= PAYLOAD_LEN_MAX);
            prop_assert_eq!(read(&payload), Some(Frame { node: NodeId(node), counter, items }));
        }

        #[test]
        fn no_payload_panics(bytes: Vec<u8>, text: String) {
            read(&STANDARD_NO_PAD.encode([&[VERSION][..], &bytes].concat()));
            read(&text);
        }
    }
}
