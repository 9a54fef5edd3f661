//! What Chinwag says: events and replies, `chinwag.v1`.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::core::{Core, CoreEvent, HELLO, JOIN};
use super::names::index_of;
use super::peer::{OFF, Stage};
use super::room::{Ahead, Label};
use crate::ledger::Fault;
use crate::order::Verdict;
use crate::pattern::{NUMBERS, decimal};
use crate::stream::Stream;
use chinwag::chat::model::command::Op;
use chinwag::client::Framing;
use chinwag::net::Effects;
use chinwag::wire::client::{Incoming, Word};
use chinwag::ws::{Opcode, encode};

/// Messages of a room that may wait for those before them; more are not compared with what others
/// get.
const AHEAD_MAX: usize = 4096;

/// How long somebody is asked to stay away.
#[derive(Debug, Default, Deserialize)]
struct Drain {
    reconnect_after_ms: u64,
}

impl Core {
    pub(super) fn take_chat(
        &mut self,
        index: u32,
        (text, bytes): (&[u8], &[u8]),
        now_us: u64,
        effects: &mut Effects,
    ) {
        let Ok(text) = simdutf8::basic::from_utf8(text) else {
            return self.give_up(index, "a message that is not UTF-8", effects);
        };
        let incoming = match Incoming::parse(text) {
            Ok(incoming) => incoming,
            Err(error) => {
                return self.give_up(index, &format!("no JSON of the protocol: {error}"), effects);
            }
        };
        let ev = incoming.ev.as_ref().and_then(Word::as_str);
        if let Some(ev @ ("message" | "replay" | "live" | "gap")) = ev
            && !self.is_here(index, &incoming)
        {
            return self.take_elsewhere(index, ev, &incoming);
        }
        match ev {
            Some("message") => self.take_message(index, &incoming, bytes, now_us),
            Some("replay") => self.take_replay(index, &incoming, now_us),
            Some("live") => self.take_live(index, &incoming, effects),
            Some("gap") => self.take_gap(index, &incoming),
            Some("joined") => self.take_joined(index, &incoming),
            Some("left") if self.plan.is_open_house() => self.tally.others += 1,
            Some("presence" | "typing" | "receipts") => self.tally.others += 1,
            Some("drain") => {
                self.tally.others += 1;
                let told = serde_json::from_str::<Drain>(text).unwrap_or_default();
                self.events.push(CoreEvent::AskedBack(index, told.reconnect_after_ms));
            }
            Some("ping") => {
                self.tally.pings += 1;
                let mut out = Vec::new();
                self.put(Op::Ping, None, &[], &mut out);
                self.write(index, out, effects);
            }
            Some("bye") => self.on_server_close(index, text.to_owned(), effects),
            Some(_) => self.report_unexpected(index, text),
            None => self.take_reply(index, &incoming, text, effects),
        }
    }

    /// Whether an event is of the peer's own room.
    fn is_here(&self, index: u32, event: &Incoming<'_>) -> bool {
        let room = &self.rooms[self.peers[index as usize].room as usize];
        event.room.as_ref().and_then(Word::as_str) == Some(&room.name)
    }

    /// Notes something that should not have come.
    pub(super) fn report_unexpected(&mut self, index: u32, what: &str) {
        let what: String = what.chars().take(200).collect();
        let words = format!("{}: {what}", self.title(index));
        self.ledger.add(Fault::Unexpected, 1, words);
    }

    fn take_message(&mut self, index: u32, event: &Incoming<'_>, bytes: &[u8], now_us: u64) {
        let room = self.peers[index as usize].room;
        let (Some(seq), Some(label)) = (event.seq, self.label_of(room, event)) else {
            return self
                .report_unexpected(index, &format!("a message not as it was sent: {event:?}"));
        };
        let verdict = self.advance(index, seq);
        let due_us = self.due_us_of(index, (seq, label), bytes);
        if verdict != Verdict::Again {
            self.count_delivery(index, label.from, due_us, now_us);
        }
        self.align(index);
    }

    /// Whose message this is and which, if it is one of those sent to `room`, to the letter.
    fn label_of(&self, room: u32, event: &Incoming<'_>) -> Option<Label> {
        let from = index_of(&self.plan, event.from.as_ref()?.as_str()?)?;
        let sender = self.senders.get(self.peers.get(from as usize)?.sender as usize)?;
        let text = event.text.as_ref()?.as_str()?;
        let (_, shown) = self.plan.pattern.read(text.as_bytes(), "")?;
        (sender.room == room).then_some(Label { from, shown })
    }

    /// When a message was due. What nobody has seen before is kept, and what somebody has must be
    /// the same.
    fn due_us_of(&mut self, index: u32, (seq, label): (u64, Label), bytes: &[u8]) -> Option<u64> {
        let place = self.peers[index as usize].room;
        let room = &mut self.rooms[place as usize];
        room.seen_to = room.seen_to.max(seq + 1);
        if room.is_solo {
            return self.first_seen(index, label).0;
        }
        if seq == room.stream.next() {
            let (due_us, _) = self.first_seen(index, label);
            self.append(place, bytes, due_us.unwrap_or(0), label.from);
            self.append_ahead(index);
            return due_us;
        }
        let (due_us, same) = if let Some(&frame) = room.stream.frame(seq) {
            let known = room.stream.start_of(seq).map(|start| {
                room.stream.slice(start, usize::try_from(frame.end - start).unwrap_or(usize::MAX))
            });
            let same = known.is_none_or(|known| known == bytes);
            (Some(frame.due_us), same && frame.sender == label.from)
        } else if let Some(ahead) = room.ahead.get(&seq) {
            let same = *ahead.bytes == *bytes;
            (self.due_of(label), same)
        } else {
            let due_us = self.due_of(label);
            let room = &mut self.rooms[place as usize];
            if seq > room.stream.next() && room.ahead.len() < AHEAD_MAX {
                room.ahead.insert(seq, Ahead { label, bytes: bytes.into() });
                if room.is_lenient {
                    self.catch_up(index);
                }
            }
            (due_us, true)
        };
        if !same {
            self.report_unexpected(index, &format!("message {seq} is another one than others got"));
        }
        due_us
    }

    /// Appends what has waited for the message that has just come.
    fn append_ahead(&mut self, index: u32) {
        let place = self.peers[index as usize].room;
        loop {
            let room = &mut self.rooms[place as usize];
            let next = room.stream.next();
            let Some(Ahead { label, bytes }) = room.ahead.remove(&next) else { return };
            let (due_us, _) = self.first_seen(index, label);
            self.append(place, &bytes, due_us.unwrap_or(0), label.from);
        }
    }

    fn take_replay(&mut self, index: u32, event: &Incoming<'_>, now_us: u64) {
        let items = event.items.map(|items| serde_json::from_str::<Vec<&RawValue>>(items.get()));
        let Some(Ok(items)) = items else {
            return self.report_unexpected(index, "a replay without items");
        };
        let room = &self.rooms[self.peers[index as usize].room as usize];
        let begin = format!(r#"{{"ev":"message","room":"{}""#, room.name);
        for item in items {
            let Some(rest) = item.get().strip_prefix(r#"{"ev":"message""#) else {
                self.report_unexpected(index, item.get());
                continue;
            };
            // As it was, or would have been, sent live.
            let text = format!("{begin}{rest}");
            let mut bytes = Vec::new();
            match self.plan.framing {
                Framing::WebSocket => encode(Opcode::Text, text.as_bytes(), None, &mut bytes),
                Framing::Lines | Framing::Events => {
                    self.plan.framing.put_message(text.as_bytes(), &mut bytes);
                }
            }
            match Incoming::parse(&text) {
                Ok(message) => self.take_message(index, &message, &bytes, now_us),
                Err(error) => self.report_unexpected(index, &error.to_string()),
            }
            self.tally.replayed += 1;
        }
        let next = self.peers[index as usize].next;
        if event.to.is_some_and(|to| to + 1 < next) {
            self.report_unexpected(index, &format!("a replay beyond its own end: {:?}", event.to));
        }
    }

    fn take_live(&mut self, index: u32, event: &Incoming<'_>, effects: &mut Effects) {
        if let Some(seq) = event.seq
            && self.peers[index as usize].stage == Stage::Entering
            && self.plan.framing_of(index) == Framing::Events
        {
            // Its sender has been told the epoch.
            let room = &self.rooms[self.peers[index as usize].room as usize];
            let epoch = room.epoch.clone().unwrap_or_default();
            self.set_cursor(index, &epoch, seq);
            return self.on_joined(index, effects);
        }
        let next = self.peers[index as usize].next;
        if event.seq.is_none_or(|seq| seq + 1 != next) {
            self.report_unexpected(index, &format!("live at {:?} where {next} is due", event.seq));
        }
    }

    fn take_gap(&mut self, index: u32, event: &Incoming<'_>) {
        let peer = &mut self.peers[index as usize];
        let range = event.from.as_ref().and_then(Word::as_number).zip(event.to);
        match range.filter(|range| range.0 == peer.next && range.1 >= range.0) {
            Some((from, to)) => {
                peer.next = to + 1;
                let room = peer.room;
                self.rooms[room as usize].is_lenient = true;
                self.tally.told_gone += to - from + 1;
                self.catch_up(index);
                self.align(index);
            }
            None => self.report_unexpected(index, &format!("a gap where none is: {event:?}")),
        }
    }

    fn take_joined(&mut self, index: u32, event: &Incoming<'_>) {
        let (Some(name), Some(Word::Text(epoch)), Some(seq)) =
            (event.room.as_ref().and_then(Word::as_str), &event.epoch, event.seq)
        else {
            return self.report_unexpected(index, &format!("{event:?}"));
        };
        let peer = &mut self.peers[index as usize];
        if *self.rooms[peer.room as usize].name == *name {
            return self.set_cursor(index, epoch, seq);
        }
        peer.extra().others.insert(name.into(), ((&**epoch).into(), seq + 1));
    }

    fn take_reply(&mut self, index: u32, reply: &Incoming<'_>, text: &str, effects: &mut Effects) {
        let (Some(id), Some(code)) = (&reply.id, reply.code) else {
            return self.report_unexpected(index, text);
        };
        let data = reply.data.and_then(|data| Incoming::parse(data.get()).ok()).unwrap_or_default();
        match (id, code) {
            (Word::Number(HELLO | JOIN), 1..) => {
                self.give_up(index, &format!("cannot enter: {text}"), effects);
            }
            (Word::Number(HELLO), _) => self.take_welcome(index, reply, &data, effects),
            (Word::Number(JOIN), _) => match (&data.epoch, data.seq) {
                (Some(Word::Text(epoch)), Some(seq)) => {
                    self.set_cursor(index, epoch, seq);
                    self.on_joined(index, effects);
                }
                _ => self.give_up(index, &format!("not the answer to a join: {text}"), effects),
            },
            (Word::Number(id), 0) => {
                if let (Some(Word::Text(room)), Some(seq)) = (&data.room, data.seq) {
                    // A message of its own to another room: at once, since more of that room may
                    // follow.
                    self.take_own_elsewhere(index, room, Some(seq));
                }
                let data = reply.data.map_or("", RawValue::get).to_owned();
                self.events.push(CoreEvent::Replied(index, *id, Ok(data)));
            }
            (Word::Number(id), _) => {
                self.events.push(CoreEvent::Replied(index, *id, Err(text.to_owned())));
            }
            (Word::Text(id), 0) if self.is_awaited(index, id) => {
                self.take_receipt(index, &data, text);
            }
            (Word::Text(_), _) => self.report_unexpected(index, text),
        }
    }

    /// Whether this is the `id` of the send that is to be answered next.
    fn is_awaited(&mut self, index: u32, id: &str) -> bool {
        let sender = self.peers[index as usize].sender as usize;
        let Some(sender) = self.senders.get_mut(sender) else { return false };
        let awaited = sender.answered % NUMBERS;
        let is_awaited = decimal(id.as_bytes()) == Some(awaited) && sender.answered < sender.sent;
        sender.answered += u64::from(is_awaited);
        is_awaited
    }

    /// The answer to a send: it stands in the place of the message.
    fn take_receipt(&mut self, index: u32, data: &Incoming<'_>, text: &str) {
        let place = self.peers[index as usize].room;
        let Some(seq) = data.seq else { return self.report_unexpected(index, text) };
        self.tally.replies += 1;
        self.own += 1;
        let room = &mut self.rooms[place as usize];
        room.seen_to = room.seen_to.max(seq + 1);
        self.advance(index, seq);
        self.align(index);
    }

    /// Where a peer is in its room.
    pub(super) fn set_cursor(&mut self, index: u32, epoch: &str, seq: u64) {
        let place = self.peers[index as usize].room;
        let room = &mut self.rooms[place as usize];
        if room.epoch.as_deref() != Some(epoch) {
            let has_begun_again = room.epoch.replace(epoch.into()).is_some();
            room.seen_to = 0;
            self.restart_stream(place, seq + 1);
            if has_begun_again {
                // Nothing of the old log comes any more.
                for sender in self.senders.iter_mut().filter(|sender| sender.room == place) {
                    self.returns.forgotten += sender.forget();
                }
            }
        }
        let peer = &mut self.peers[index as usize];
        peer.next = seq + 1;
        if self.plan.keeps_sessions() {
            peer.extra().epoch = Some(epoch.into());
        }
        self.align(index);
    }

    /// Has the stream go on after what will come to nobody any more: what all have been told is
    /// gone, or what only its sender was there to hear of.
    fn catch_up(&mut self, index: u32) {
        let place = self.peers[index as usize].room;
        let room = &self.rooms[place as usize];
        let members = room.members.iter().map(|&member| &self.peers[member as usize]);
        let here = members.filter(|peer| peer.stage == Stage::Ready).map(|peer| peer.next);
        // Whoever is ahead has just said so with the message that waits.
        let lowest = here.chain(room.ahead.keys().next().copied()).min();
        if let Some(lowest) = lowest.filter(|lowest| *lowest > room.stream.next()) {
            let waiting = self.rooms[place as usize].ahead.split_off(&lowest);
            self.restart_stream(place, lowest);
            self.rooms[place as usize].ahead = waiting;
            self.append_ahead(index);
        }
    }

    /// Begins a room's stream again at the number `next`; nobody follows it for now.
    fn restart_stream(&mut self, place: u32, next: u64) {
        let Self { rooms, peers, .. } = self;
        let room = &mut rooms[place as usize];
        room.stream = Stream::new(next, room.stream.bytes_max());
        room.seen_to = room.seen_to.max(next);
        room.ahead.clear();
        for &member in &room.members {
            peers[member as usize].position = OFF;
        }
    }
}
