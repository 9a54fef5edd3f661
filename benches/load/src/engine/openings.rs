//! Connections: how they come, come in, and go.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::core::{Core, CoreEvent, HELLO, JOIN};
use super::names::{name_of, room_number};
use super::peer::{NOBODY, OFF, Peer, Stage};
use super::room::Room;
use crate::ledger::Fault;
use chinwag::chat::model::command::Op;
use chinwag::client::Framing;
use chinwag::net::{CloseReason, ConnId, Connect, ConnectFault, Effect, Effects, Ending};
use chinwag::time::Tick;
use chinwag::wire::client::Field;
use chinwag::ws::CloseCode;

/// How long a connection may take to be made.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
impl Core {
    /// Has connections opened, as many at a time as the plan says.
    pub(crate) fn open(&mut self, peers: impl IntoIterator<Item = u32>, effects: &mut Effects) {
        self.queue.extend(peers);
        self.open_more(effects);
    }

    /// Whether all that should be open have been opened, or failed.
    pub(crate) fn is_settled(&self) -> bool {
        self.queue.is_empty() && self.under_way == 0
    }

    /// Connections that are being opened.
    pub(crate) const fn under_way(&self) -> u32 {
        self.under_way
    }

    /// Asks for no more connections than are under way.
    pub(crate) fn stop_opening(&mut self) {
        self.queue.clear();
    }

    fn open_more(&mut self, effects: &mut Effects) {
        while self.under_way < self.plan.at_a_time {
            let Some(&index) = self.queue.front() else { return };
            // There is a room to listen to when its sender has made it.
            if self.plan.framing_of(index) == Framing::Events && self.ready < self.plan.rooms {
                return;
            }
            self.queue.pop_front();
            self.under_way += 1;
            let peer = &mut self.peers[index as usize];
            peer.stage = Stage::Connecting;
            let crawls = peer.is_slow();
            effects.push(Effect::Connect(Connect {
                peer: self.plan.addr.into(),
                source: self.source_of(index),
                receive_buffer_len: crawls.then_some(4096),
                deadline: self.now.after(CONNECT_PATIENCE),
                tag: index.into(),
            }));
        }
    }

    /// The address that a connection comes from.
    fn source_of(&self, index: u32) -> Option<IpAddr> {
        let loopback = self.plan.addr.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST);
        if self.plan.sources < 2 || !loopback {
            return None;
        }
        let nth = (self.plan.first_peer + index) % self.plan.sources + 1;
        let [_, high, middle, low] = nth.to_be_bytes();
        Some(Ipv4Addr::new(127, high, middle, low).into())
    }

    pub(super) fn tick(&mut self, now: Tick) {
        self.now = now;
    }

    /// A connection is there: asks for the upgrade, or goes on without one.
    pub(super) fn on_connected(&mut self, conn: ConnId, index: u32, effects: &mut Effects) {
        let slot = conn.slot();
        if self.by_slot.len() <= slot {
            self.by_slot.resize(slot + 1, NOBODY);
        }
        self.by_slot[slot] = index;
        let peer = &mut self.peers[index as usize];
        peer.conn = conn;
        match self.plan.framing_of(index) {
            Framing::Events => {
                peer.stage = Stage::Upgrading;
                let room = &self.rooms[peer.room as usize].name;
                let (name, host) = (name_of(&self.plan, index), &self.plan.host);
                let head =
                    format!("GET /rooms/{room}/events?as={name} HTTP/1.1\r\nHost: {host}\r\n\r\n");
                self.write(index, head.into_bytes(), effects);
            }
            Framing::WebSocket => {
                peer.stage = Stage::Upgrading;
                let room = room_number(&self.plan, peer.room).to_string();
                let path = self.plan.path.replace("{room}", &room);
                self.write(index, self.opening.request(&path), effects);
            }
            Framing::Lines => self.on_upgraded(index),
        }
    }

    /// It is open, for whatever the scenario has in mind.
    pub(super) fn on_upgraded(&mut self, index: u32) {
        self.peers[index as usize].stage = Stage::Entering;
        self.tally.handshakes += 1;
        self.events.push(CoreEvent::Upgraded(index));
    }

    pub(super) fn on_unreachable(
        &mut self,
        index: u32,
        fault: ConnectFault,
        effects: &mut Effects,
    ) {
        self.peers[index as usize].stage = Stage::Away;
        self.under_way -= 1;
        self.events.push(CoreEvent::Unreachable(index, fault));
        self.open_more(effects);
    }

    /// Says hello and joins its room; where there is no such thing, it is in at once.
    pub(crate) fn enter(&mut self, index: u32, effects: &mut Effects) {
        if self.plan.framing_of(index) == Framing::Events {
            // It is in with the first event.
            return;
        }
        if !self.plan.is_chinwag() {
            if let Some(greeting) = &self.plan.greeting {
                let room = room_number(&self.plan, self.peers[index as usize].room).to_string();
                let name = name_of(&self.plan, index);
                let text = greeting.replace("{room}", &room).replace("{from}", &name);
                let mut out = Vec::new();
                self.plan.framing.put_message(text.as_bytes(), &mut out);
                self.write(index, out, effects);
            }
            let room = &self.rooms[self.peers[index as usize].room as usize];
            let (next, end) = (room.stream.next(), room.stream.end());
            let peer = &mut self.peers[index as usize];
            peer.next = next;
            peer.position = if room.is_solo { OFF } else { end };
            self.on_joined(index, effects);
            return;
        }
        let name = name_of(&self.plan, index);
        let peer = &self.peers[index as usize];
        let room_number = peer.room;
        let room = &self.rooms[room_number as usize];
        let mut out = Vec::new();
        if let Some(session) = peer.extra.as_ref().and_then(|extra| extra.session.as_deref()) {
            let resume = resume(session, room, peer);
            let hello = [("name", Field::Text(&name)), ("resume", Field::Json(&resume))];
            self.put(Op::Hello, Some(HELLO), &hello, &mut out);
            return self.write(index, out, effects);
        }
        let hello = [("name", Field::Text(&name))];
        let join = [("room", Field::Text(&room.name))];
        self.put(Op::Hello, Some(HELLO), &hello, &mut out);
        if self.plan.pair(room_number).is_none() {
            self.put(Op::Join, Some(JOIN), &join, &mut out);
        }
        self.write(index, out, effects);
    }

    /// It is in its room.
    pub(super) fn on_joined(&mut self, index: u32, effects: &mut Effects) {
        self.peers[index as usize].stage = Stage::Ready;
        self.ready += 1;
        self.under_way -= 1;
        self.events.push(CoreEvent::Entered(index));
        self.open_more(effects);
    }

    /// Ends a connection in good order, or without a word.
    pub(crate) fn leave(&mut self, index: u32, in_order: bool, effects: &mut Effects) {
        let framing = self.plan.framing_of(index);
        let peer = &mut self.peers[index as usize];
        let conn = peer.conn;
        match peer.stage {
            Stage::Away | Stage::Connecting | Stage::Leaving => return,
            Stage::Ready => self.ready -= 1,
            Stage::Upgrading | Stage::Entering => self.under_way -= 1,
        }
        peer.stage = Stage::Leaving;
        if in_order {
            let mut out = Vec::new();
            framing.put_close(Some(CloseCode::NORMAL), &mut out);
            if !out.is_empty() {
                self.write(index, out, effects);
            }
        }
        let (reason, ending) = (CloseReason::Bye, Ending::Flush);
        effects.push(Effect::Close { conn, reason, ending });
    }

    /// The server has said its last word.
    pub(super) fn on_server_close(&mut self, index: u32, words: String, effects: &mut Effects) {
        let conn = self.peers[index as usize].conn;
        self.last_words.insert(index, words);
        let mut out = Vec::new();
        self.plan.framing_of(index).put_close(None, &mut out);
        if !out.is_empty() {
            self.write(index, out, effects);
        }
        let (reason, ending) = (CloseReason::Bye, Ending::Flush);
        effects.push(Effect::Close { conn, reason, ending });
    }

    /// Ends a connection whose peer has said something that cannot be understood.
    pub(super) fn give_up(&mut self, index: u32, what: &str, effects: &mut Effects) {
        let words = format!("{}: {what}", self.title(index));
        self.ledger.add(Fault::Unexpected, 1, words);
        self.leave(index, false, effects);
    }

    /// A connection has ended.
    pub(super) fn on_closed(&mut self, index: u32, reason: CloseReason, effects: &mut Effects) {
        let words = self.last_words.remove(&index);
        self.harvest(index);
        let peer = &mut self.peers[index as usize];
        peer.conn = ConnId::from_u64(u64::MAX);
        peer.position = OFF;
        let was = std::mem::take(&mut peer.stage);
        match was {
            Stage::Away | Stage::Connecting | Stage::Leaving => {}
            Stage::Ready => self.ready -= 1,
            Stage::Upgrading | Stage::Entering => self.under_way -= 1,
        }
        self.events.push(if was == Stage::Leaving {
            CoreEvent::Left(index)
        } else {
            CoreEvent::Gone(index, words.unwrap_or_else(|| reason.label().to_owned()))
        });
        self.open_more(effects);
    }
}

/// Where somebody was who returns.
fn resume(session: &str, room: &Room, peer: &Peer) -> String {
    let epoch = peer.extra.as_ref().and_then(|extra| extra.epoch.as_deref()).unwrap_or_default();
    let had = peer.next.saturating_sub(1);
    let mut rooms = format!(r#""{}":["{epoch}",{had}]"#, room.name);
    for (name, (epoch, next)) in peer.extra.iter().flat_map(|extra| &extra.others) {
        // A string takes whatever is written to it.
        _ = write!(rooms, r#","{name}":["{epoch}",{}]"#, next.saturating_sub(1));
    }
    format!(r#"{{"session":"{session}","rooms":{{{rooms}}}}}"#)
}
