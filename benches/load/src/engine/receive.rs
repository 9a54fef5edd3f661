//! What arrives: compared with the room's stream where that is possible, and read where it is not.
//!
//! ```text
//!            agrees with the stream               the stream ends, or differs
//!  bytes ──▶ follow: count the frames passed ──┬─▶ read one unit ──▶ chat | plain ──┐
//!    ▲                                         │                                    │
//!    └─────────────────────────────────────────┴────────────────────────────────────┘
//! ```

use super::core::Core;
use super::peer::{OFF, Peer, Stage};
use crate::stream::Stream;
use chinwag::client::{Framing, Unit};
use chinwag::net::Effects;

impl Core {
    /// Takes what a connection received. Returns how many of its own messages have come back.
    pub(crate) fn receive(
        &mut self,
        index: u32,
        input: &[u8],
        now_us: u64,
        effects: &mut Effects,
    ) -> u64 {
        self.own = 0;
        self.tally.bytes += input.len() as u64;
        let peer = &mut self.peers[index as usize];
        match peer.stage {
            Stage::Away | Stage::Connecting | Stage::Leaving => {}
            Stage::Upgrading => self.take_answer(index, input, now_us, effects),
            Stage::Entering | Stage::Ready => match &mut peer.extra {
                Some(extra) if !extra.partial.is_empty() => {
                    let mut whole = std::mem::take(&mut extra.partial);
                    whole.extend_from_slice(input);
                    self.take(index, &whole, now_us, effects);
                }
                _ => self.take(index, input, now_us, effects),
            },
        }
        self.own
    }

    fn take_answer(&mut self, index: u32, input: &[u8], now_us: u64, effects: &mut Effects) {
        if self.plan.framing_of(index) == Framing::Events {
            return self.take_head(index, input, now_us, effects);
        }
        let peer = &mut self.peers[index as usize];
        let mut answer = peer.extra.as_mut().and_then(|extra| extra.answer.take());
        match self.opening.check(&mut answer, input) {
            Ok(Some(consumed)) => {
                peer.tidy();
                self.on_upgraded(index);
                let rest = input.get(consumed..).unwrap_or_default();
                if !rest.is_empty() {
                    self.take(index, rest, now_us, effects);
                }
            }
            Ok(None) => peer.extra().answer = answer,
            Err(mismatch) => self.give_up(index, &mismatch.to_string(), effects),
        }
    }

    /// The head of a stream of events, which must be one.
    fn take_head(&mut self, index: u32, input: &[u8], now_us: u64, effects: &mut Effects) {
        let peer = &mut self.peers[index as usize];
        let mut head = std::mem::take(&mut peer.extra().partial);
        head.extend_from_slice(input);
        let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") else {
            peer.extra().partial = head;
            return;
        };
        peer.tidy();
        if !head.starts_with(b"HTTP/1.1 200 ") {
            let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
            return self.give_up(index, &String::from_utf8_lossy(line), effects);
        }
        self.on_upgraded(index);
        if let Some(rest) = head.get(end + 4..).filter(|rest| !rest.is_empty()) {
            self.take(index, rest, now_us, effects);
        }
    }

    /// Takes all of `input`; what is incomplete at its end is kept.
    fn take(&mut self, index: u32, input: &[u8], now_us: u64, effects: &mut Effects) {
        self.take_from(index, (input, true), now_us, effects);
        if let Some(extra) = &self.peers[index as usize].extra
            && extra.partial.is_empty()
        {
            self.peers[index as usize].tidy();
        }
    }

    /// As [`Core::take`]; unless it `may_follow`, the first unit is read, whatever the stream says.
    fn take_from(
        &mut self,
        index: u32,
        (input, mut may_follow): (&[u8], bool),
        now_us: u64,
        effects: &mut Effects,
    ) {
        let mut at = 0;
        while at < input.len() {
            if std::mem::replace(&mut may_follow, true)
                && self.peers[index as usize].position != OFF
            {
                at += self.follow(index, &input[at..], now_us);
                if at == input.len() {
                    return;
                }
                let begun = self.step_back(index);
                if begun > at {
                    // What differs began in an earlier read, and looked like the stream until now.
                    let peer = &self.peers[index as usize];
                    let stream = &self.rooms[peer.room as usize].stream;
                    let whole = [stream.slice(peer.position, begun), &input[at..]].concat();
                    return self.take_from(index, (&whole, false), now_us, effects);
                }
                at -= begun;
            }
            let rest = &input[at..];
            match self.plan.framing_of(index).split(rest, self.plan.message_len_max) {
                Ok(Some((unit, len))) => {
                    self.take_unit(index, (unit, &rest[..len]), now_us, effects);
                    at += len;
                }
                Ok(None) => {
                    self.peers[index as usize].extra().partial = rest.to_vec();
                    return;
                }
                Err(violation) => {
                    return self.give_up(index, &violation.to_string(), effects);
                }
            }
            if !matches!(self.peers[index as usize].stage, Stage::Entering | Stage::Ready) {
                return;
            }
        }
    }

    /// Goes along the stream as far as `input` agrees with it, counts the frames passed, and
    /// returns how many bytes that were.
    fn follow(&mut self, index: u32, input: &[u8], now_us: u64) -> usize {
        let peer = &mut self.peers[index as usize];
        let room = &self.rooms[peer.room as usize];
        let len = room.stream.agreement(peer.position, input);
        if len == 0 {
            return 0;
        }
        peer.position += len as u64;
        let (start, window) = self.window;
        let recent = &mut self.recent[usize::from(peer.class)];
        let (mut passed, mut own) = (0, 0);
        for frame in room.stream.frames_from(peer.next) {
            if frame.end > peer.position {
                break;
            }
            passed += 1;
            own += u64::from(frame.sender == index);
            if frame.due_us.wrapping_sub(start) < window {
                recent.record(now_us.saturating_sub(frame.due_us));
            }
        }
        peer.next += passed;
        self.tally.deliveries += passed;
        self.own += own;
        len
    }

    /// Goes back to the beginning of the frame in whose middle the peer is. Returns how many bytes
    /// that were.
    fn step_back(&mut self, index: u32) -> usize {
        let peer = &mut self.peers[index as usize];
        let stream = &self.rooms[peer.room as usize].stream;
        let start = stream.start_of(peer.next).unwrap_or(peer.position);
        let begun = peer.position.saturating_sub(start);
        peer.position = start;
        usize::try_from(begun).unwrap_or(usize::MAX)
    }

    fn take_unit(
        &mut self,
        index: u32,
        (unit, bytes): (Unit<'_>, &[u8]),
        now_us: u64,
        effects: &mut Effects,
    ) {
        match unit {
            Unit::Message(text) if self.plan.is_chinwag() => {
                self.take_chat(index, (text, bytes), now_us, effects);
            }
            Unit::Message(text) => self.take_plain(index, text, bytes, now_us),
            Unit::Ping(payload) => {
                self.tally.pings += 1;
                let mut out = Vec::new();
                self.plan.framing_of(index).put_pong(payload, &mut out);
                if !out.is_empty() {
                    self.write(index, out, effects);
                }
            }
            Unit::Pong => self.tally.others += 1,
            Unit::Close { code, reason } => {
                let code = code.map_or(1005, chinwag::ws::CloseCode::as_u16);
                self.on_server_close(index, format!("closed with {code} {reason}"), effects);
            }
        }
    }

    /// Puts a peer back on its room's stream if what it is due next is there.
    pub(super) fn align(&mut self, index: u32) {
        let peer = &mut self.peers[index as usize];
        let room = &self.rooms[peer.room as usize];
        peer.position =
            if room.is_solo { OFF } else { room.stream.start_of(peer.next).unwrap_or(OFF) };
    }

    /// Appends a frame to a room's stream, and lets go of what everybody has.
    pub(super) fn append(&mut self, room: u32, bytes: &[u8], due_us: u64, sender: u32) {
        let Self { rooms, peers, .. } = self;
        let room = &mut rooms[room as usize];
        if room.stream.is_full() {
            let positions = room.members.iter().map(|&member| peers[member as usize].position);
            let slowest = positions.filter(|position| *position != OFF).min();
            let from = room.stream.keep_from(slowest.unwrap_or_else(|| room.stream.end()));
            for &member in &room.members {
                let peer = &mut peers[member as usize];
                if peer.position < from {
                    go_alone(peer, &room.stream);
                }
            }
            room.stream.trim(from, room.members.len());
        }
        room.stream.append(bytes, due_us, sender);
    }
}

/// Takes a peer off the stream, with the part of a frame that it has.
fn go_alone(peer: &mut Peer, stream: &Stream) {
    let start = stream.start_of(peer.next).unwrap_or(peer.position);
    let begun = usize::try_from(peer.position.saturating_sub(start)).unwrap_or(usize::MAX);
    peer.position = OFF;
    if begun > 0 {
        peer.extra().partial = stream.slice(start, begun).to_vec();
    }
}
