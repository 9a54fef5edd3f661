//! All connections and rooms, and what has been counted: what every scenario works on.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::names::{name_of, room_name};
use super::peer::{NOBODY, Peer, Stage};
use super::room::{Room, Sender};
use crate::latency::Latency;
use crate::ledger::Ledger;
use crate::pattern::NUMBER_WIDTH;
use crate::plan::Plan;
use crate::stream::Stream;
use chinwag::chat::model::command::Op;
use chinwag::client::{Opening, Part};
use chinwag::http::SUBPROTOCOL;
use chinwag::net::{ConnId, ConnectFault, Effect, Effects};
use chinwag::time::Tick;
use chinwag::time::clock::Clock;
use chinwag::wire::client::{Field, request};

/// Bytes of recent messages that all rooms together keep to compare with.
const STREAMS_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of one room's, at most.
const STREAM_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The `id` of the request that says hello, and of the one that joins. Those of sends are strings.
pub(crate) const HELLO: u64 = 1;
pub(crate) const JOIN: u64 = 2;

/// Something that happens seldom enough to be told one by one.
#[derive(Debug)]
pub(crate) enum CoreEvent {
    /// A connection is there and upgraded.
    Upgraded(u32),
    /// It is in its room.
    Entered(u32),
    /// It could not be made.
    Unreachable(u32, ConnectFault),
    /// It ended as we asked.
    Left(u32),
    /// The server ended it, and why.
    Gone(u32, String),
    /// A request that is neither hello, nor join, nor a send was answered: with success, or why
    /// not.
    Replied(u32, u64, Result<String, String>),
    /// The server asks it to come back after so many milliseconds.
    AskedBack(u32, u64),
}

/// What has been counted since the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) handshakes: u64,
    pub(crate) deliveries: u64,
    pub(crate) sends: u64,
    /// Sends that were answered.
    pub(crate) replies: u64,
    /// Presence, typing, receipts and the like.
    pub(crate) others: u64,
    /// Messages that came in replays, among the deliveries.
    pub(crate) replayed: u64,
    /// Messages that the server said are no longer there.
    pub(crate) told_gone: u64,
    pub(crate) pings: u64,
    pub(crate) bytes: u64,
}

/// How those who returned were received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Returns {
    /// Sessions that were still known.
    pub(crate) resumed: u64,
    /// Rooms whose log has begun again.
    pub(crate) resets: u64,
    /// Messages under way when their log was lost.
    pub(crate) forgotten: u64,
}

/// All connections and rooms.
pub(crate) struct Core {
    pub(crate) plan: Plan,
    pub(crate) clock: Clock,
    pub(crate) peers: Vec<Peer>,
    pub(crate) rooms: Vec<Room>,
    pub(crate) senders: Vec<Sender>,
    pub(super) by_slot: Vec<u32>,
    pub(super) opening: Opening,
    /// Those that wait for their turn to be opened.
    pub(super) queue: VecDeque<u32>,
    pub(super) under_way: u32,
    /// Connections that are open and in their room.
    pub(crate) ready: u32,
    pub(crate) tally: Tally,
    pub(crate) returns: Returns,
    /// The latencies since the last sample, by class of room.
    pub(crate) recent: [Latency; 2],
    /// From when on, and how long, what is due counts for the latencies.
    pub(crate) window: (u64, u64),
    pub(crate) ledger: Ledger,
    pub(crate) events: Vec<CoreEvent>,
    /// Own messages that have come back with the bytes at hand.
    pub(super) own: u64,
    /// What servers said with their close frames.
    pub(super) last_words: BTreeMap<u32, String>,
    pub(super) now: Tick,
}

impl Tally {
    /// What was counted since an `earlier` one.
    pub(crate) const fn since(&self, earlier: &Self) -> Self {
        Self {
            handshakes: self.handshakes - earlier.handshakes,
            deliveries: self.deliveries - earlier.deliveries,
            sends: self.sends - earlier.sends,
            replies: self.replies - earlier.replies,
            others: self.others - earlier.others,
            replayed: self.replayed - earlier.replayed,
            told_gone: self.told_gone - earlier.told_gone,
            pings: self.pings - earlier.pings,
            bytes: self.bytes - earlier.bytes,
        }
    }
}

impl Core {
    pub(crate) fn new(plan: Plan, clock: Clock) -> Self {
        let protocols = if plan.is_chinwag() { vec![SUBPROTOCOL] } else { Vec::new() };
        let opening = Opening::new(plan.host.clone(), protocols);
        let rooms = (0..plan.rooms).map(|room| new_room(&plan, room)).collect();
        let peers = (0..plan.connections).map(|peer| Peer::new(plan.room_of(peer))).collect();
        let mut core = Self {
            clock,
            peers,
            rooms,
            senders: Vec::new(),
            by_slot: Vec::new(),
            opening,
            queue: VecDeque::new(),
            under_way: 0,
            ready: 0,
            tally: Tally::default(),
            returns: Returns::default(),
            recent: [Latency::new(), Latency::new()],
            window: (0, 0),
            ledger: Ledger::default(),
            events: Vec::new(),
            own: 0,
            last_words: BTreeMap::new(),
            now: Tick::ZERO,
            plan,
        };
        for peer in 0..core.plan.connections {
            let room = core.plan.room_of(peer) as usize;
            core.rooms[room].members.push(peer);
        }
        for room in &mut core.rooms {
            room.is_solo = room.members.len() < 2;
        }
        core
    }

    /// Makes a connection one that sends, and returns its index among the senders.
    pub(crate) fn add_sender(&mut self, peer: u32) -> u32 {
        let room = self.peers[peer as usize].room;
        let name = &self.rooms[room as usize].name;
        let begin = match self.plan.pair(room) {
            Some((one, other)) => {
                let partner = name_of(&self.plan, if one == peer { other } else { one });
                format!(r#""to":"{partner}","text":""#)
            }
            None => format!(r#""room":"{name}","text":""#),
        };
        let op = Part::Text(r#"{"op":"send","#);
        // The answer tells where the sender's own message stands, so it must be asked for.
        let id = [Part::Text(r#""id":""#), Part::Number(NUMBER_WIDTH), Part::Text(r#"","#)];
        let begin = Part::Text(&begin);
        let (before, behind) = match (self.plan.is_chinwag(), self.plan.echo) {
            (false, _) => (Vec::new(), ""),
            (true, true) => (vec![op, begin], r#"","echo":true}"#),
            (true, false) => ([&[op], &id[..], &[begin]].concat(), r#""}"#),
        };
        let (framing, place) = (self.plan.framing, (self.plan.first_peer + peer, &**name));
        let template = self.plan.pattern.template(framing, (&before, behind), place);
        let index = u32::try_from(self.senders.len()).unwrap_or(NOBODY);
        self.peers[peer as usize].sender = index;
        self.senders.push(Sender::new(peer, room, template));
        index
    }

    /// Whether all that a connection has sent was answered.
    pub(crate) fn is_answered(&self, peer: u32) -> bool {
        let sender = self.senders.get(self.peers[peer as usize].sender as usize);
        sender.is_none_or(|sender| sender.answered == sender.sent)
    }

    /// Counts something that was begun, and has come to its end now.
    pub(crate) fn record(&mut self, began_us: u64, now_us: u64) {
        if began_us.wrapping_sub(self.window.0) < self.window.1 {
            self.recent[0].record(now_us.saturating_sub(began_us));
        }
    }

    /// The connection of that name, unless it has ended meanwhile.
    pub(crate) fn find(&self, conn: ConnId) -> Option<u32> {
        let index = *self.by_slot.get(conn.slot())?;
        let peer = self.peers.get(index as usize)?;
        (peer.conn == conn).then_some(index)
    }

    /// Appends a request.
    pub(crate) fn put(
        &self,
        op: Op,
        id: Option<u64>,
        fields: &[(&str, Field<'_>)],
        out: &mut Vec<u8>,
    ) {
        let mut text = Vec::new();
        request(&mut text, op, id, fields);
        self.plan.framing.put_message(&text, out);
    }

    /// Sends bytes.
    pub(crate) fn write(&self, index: u32, bytes: Vec<u8>, effects: &mut Effects) {
        let conn = self.peers[index as usize].conn;
        effects.push(Effect::Send { conn, frame: Bytes::from(bytes) });
    }

    /// Has a sender send `count` messages that are due at one moment, in one write.
    pub(crate) fn send(&mut self, sender: u32, count: u64, due_us: u64, effects: &mut Effects) {
        let sender = &mut self.senders[sender as usize];
        let peer = &self.peers[sender.peer as usize];
        if peer.stage != Stage::Ready || count == 0 {
            return;
        }
        let len = usize::try_from(count).unwrap_or(1).saturating_mul(sender.template.encoded_len());
        let mut out = Vec::with_capacity(len);
        sender.put(count, due_us, &mut out);
        self.rooms[sender.room as usize].sent += count;
        self.tally.sends += count;
        effects.push(Effect::Send { conn: peer.conn, frame: Bytes::from(out) });
    }

    /// What a connection is called in messages.
    pub(crate) fn title(&self, index: u32) -> String {
        let room = &self.rooms[self.peers[index as usize].room as usize];
        format!("{} in {}", name_of(&self.plan, index), room.name)
    }
}

fn new_room(plan: &Plan, room: u32) -> Room {
    let bytes_max = STREAMS_BYTES / (plan.rooms as usize).max(1);
    Room {
        name: room_name(plan, room).into(),
        epoch: None,
        stream: Stream::new(0, bytes_max.min(STREAM_BYTES_MAX)),
        ahead: BTreeMap::new(),
        members: Vec::new(),
        sent: 0,
        seen_to: 0,
        is_lenient: plan.is_open_house(),
        is_solo: false,
    }
}
