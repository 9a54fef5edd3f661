//! What Chinwag says: events and replies, `chinwag.v1`.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::core::{Core, HELLO, Happening, JOIN, index_of};
use super::peer::Stage;
use super::verify::Said;
use crate::bench::ledger::Fault;
use crate::bench::order::Verdict;
use crate::bench::pattern::{NUMBER_WIDTH, decimal};
use crate::bench::stream::Stream;
use crate::chat::Op;
use crate::client::Framing;
use crate::net::Effects;
use crate::wire::client::{Incoming, Word};
use crate::ws::{Opcode, encode};

/// Digits of the `id` of a send.
const NUMBER_DIGITS: u32 = NUMBER_WIDTH as u32;

/// What the reply to `hello` says of who returns.
#[derive(Debug, Deserialize)]
struct Returned<'a> {
    #[serde(default)]
    resumed: bool,
    #[serde(borrow, default)]
    rooms: Option<&'a RawValue>,
}

impl Core {
    pub(super) fn take_chat(
        &mut self,
        index: u32,
        text: &[u8],
        bytes: &[u8],
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
        match incoming.ev.as_ref().and_then(Word::as_str) {
            Some("message") => self.take_message(index, &incoming, bytes, now_us),
            Some("replay") => self.take_replay(index, &incoming, now_us),
            Some("live") => self.take_live(index, &incoming),
            Some("gap") => self.take_gap(index, &incoming),
            Some("joined") => self.take_joined(index, &incoming),
            Some("presence" | "typing" | "receipts" | "drain") => self.tally.others += 1,
            Some("ping") => {
                self.tally.pings += 1;
                let mut out = Vec::new();
                self.put(Op::Ping, None, &[], &mut out);
                self.write(index, out, effects);
            }
            Some("bye") => self.dismissed(index, text.to_owned(), effects),
            Some(_) => self.unexpected(index, text),
            None => self.take_reply(index, &incoming, text, effects),
        }
    }

    /// Notes something that should not have come.
    pub(super) fn unexpected(&mut self, index: u32, what: &str) {
        let what: String = what.chars().take(200).collect();
        let words = format!("{}: {what}", self.title(index));
        self.ledger.add(Fault::Unexpected, 1, words);
    }

    fn take_message(&mut self, index: u32, event: &Incoming<'_>, bytes: &[u8], now_us: u64) {
        let room = self.peers[index as usize].room;
        let (Some(seq), Some(said)) = (event.seq, self.said(room, event)) else {
            return self.unexpected(index, &format!("a message not as it was sent: {event:?}"));
        };
        let verdict = self.advance(index, seq);
        let due_us = self.due_us_of(index, (seq, said), bytes);
        if verdict != Verdict::Again {
            self.delivered(index, said.from, due_us, now_us);
        }
        self.align(index);
    }

    /// Whose message this is and which, if it is one of those sent to `room`, to the letter.
    fn said(&self, room: u32, event: &Incoming<'_>) -> Option<Said> {
        let name = event.room.as_ref().map(Word::as_str);
        let from = index_of(event.from.as_ref()?.as_str()?)?;
        let sender = self.senders.get(self.peers.get(from as usize)?.sender as usize)?;
        let text = event.text.as_ref()?.as_str()?;
        let (_, shown) = self.plan.pattern.read(text.as_bytes(), "")?;
        let here = name.is_none_or(|name| name == Some(&self.rooms[room as usize].name));
        (here && sender.room == room).then_some(Said { from, shown })
    }

    /// When a message was due. What nobody has seen before is appended to the stream, and what somebody
    /// has must be the same.
    fn due_us_of(&mut self, index: u32, (seq, said): (u64, Said), bytes: &[u8]) -> Option<u64> {
        let place = self.peers[index as usize].room;
        let room = &mut self.rooms[place as usize];
        room.seen_to = room.seen_to.max(seq + 1);
        if room.is_solo || seq == room.stream.next() {
            let solo = room.is_solo;
            let (due_us, _) = self.first_seen(index, said);
            if !solo {
                self.append(place, bytes, due_us.unwrap_or(0), said.from);
            }
            return due_us;
        }
        let Some(&frame) = room.stream.frame(seq) else {
            return self.due_of(said);
        };
        let known = room.stream.start_of(seq).map(|start| {
            room.stream.slice(start, usize::try_from(frame.end - start).unwrap_or(usize::MAX))
        });
        if frame.sender != said.from || known.is_some_and(|known| known != bytes) {
            self.unexpected(index, &format!("message {seq} is another one than others got"));
        }
        Some(frame.due_us)
    }

    fn take_replay(&mut self, index: u32, event: &Incoming<'_>, now_us: u64) {
        let items = event.items.map(|items| serde_json::from_str::<Vec<&RawValue>>(items.get()));
        let Some(Ok(items)) = items else {
            return self.unexpected(index, "a replay without items");
        };
        let room = &self.rooms[self.peers[index as usize].room as usize];
        let begin = format!(r#"{{"ev":"message","room":"{}""#, room.name);
        for item in items {
            let Some(rest) = item.get().strip_prefix(r#"{"ev":"message""#) else {
                self.unexpected(index, item.get());
                continue;
            };
            // As it was, or would have been, sent live.
            let text = format!("{begin}{rest}");
            let mut bytes = Vec::new();
            match self.plan.framing {
                Framing::WebSocket => encode(Opcode::Text, text.as_bytes(), None, &mut bytes),
                Framing::Lines => self.plan.framing.put_message(text.as_bytes(), &mut bytes),
            }
            match Incoming::parse(&text) {
                Ok(message) => self.take_message(index, &message, &bytes, now_us),
                Err(error) => self.unexpected(index, &error.to_string()),
            }
            self.tally.replayed += 1;
        }
        let next = self.peers[index as usize].next;
        if event.to.is_some_and(|to| to + 1 < next) {
            self.unexpected(index, &format!("a replay beyond its own end: {:?}", event.to));
        }
    }

    fn take_live(&mut self, index: u32, event: &Incoming<'_>) {
        let next = self.peers[index as usize].next;
        if event.seq.is_none_or(|seq| seq + 1 != next) {
            self.unexpected(index, &format!("live at {:?} where {next} is due", event.seq));
        }
    }

    fn take_gap(&mut self, index: u32, event: &Incoming<'_>) {
        let peer = &mut self.peers[index as usize];
        let range = event.from.as_ref().and_then(Word::as_number).zip(event.to);
        match range.filter(|range| range.0 == peer.next && range.1 >= range.0) {
            Some((from, to)) => {
                peer.next = to + 1;
                self.tally.told_gone += to - from + 1;
                self.align(index);
            }
            None => self.unexpected(index, &format!("a gap where none is: {event:?}")),
        }
    }

    fn take_joined(&mut self, index: u32, event: &Incoming<'_>) {
        let room = &self.rooms[self.peers[index as usize].room as usize];
        let here = event.room.as_ref().and_then(Word::as_str) == Some(&room.name);
        match (&event.epoch, event.seq) {
            (Some(Word::Text(epoch)), Some(seq)) if here => self.set_cursor(index, epoch, seq),
            _ => self.tally.others += 1,
        }
    }

    fn take_reply(&mut self, index: u32, reply: &Incoming<'_>, text: &str, effects: &mut Effects) {
        let (Some(id), Some(code)) = (&reply.id, reply.code) else {
            return self.unexpected(index, text);
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
                    self.entered(index, effects);
                }
                _ => self.give_up(index, &format!("not the answer to a join: {text}"), effects),
            },
            (Word::Number(id), 0) => {
                let data = reply.data.map_or("", RawValue::get).to_owned();
                self.happenings.push(Happening::Replied(index, *id, Ok(data)));
            }
            (Word::Number(id), _) => {
                self.happenings.push(Happening::Replied(index, *id, Err(text.to_owned())));
            }
            (Word::Text(id), 0) if self.is_awaited(index, id) => {
                self.take_receipt(index, &data, text);
            }
            (Word::Text(_), _) => self.unexpected(index, text),
        }
    }

    /// Whether this is the `id` of the send that is to be answered next.
    fn is_awaited(&mut self, index: u32, id: &str) -> bool {
        let sender = self.peers[index as usize].sender as usize;
        let Some(sender) = self.senders.get_mut(sender) else { return false };
        let awaited = sender.answered % 10_u64.pow(NUMBER_DIGITS);
        let is_awaited = decimal(id.as_bytes()) == Some(awaited) && sender.answered < sender.sent;
        sender.answered += u64::from(is_awaited);
        is_awaited
    }

    /// The answer to a send: it stands in the place of the message.
    fn take_receipt(&mut self, index: u32, data: &Incoming<'_>, text: &str) {
        let place = self.peers[index as usize].room;
        let Some(seq) = data.seq else { return self.unexpected(index, text) };
        self.tally.replies += 1;
        self.own += 1;
        let room = &mut self.rooms[place as usize];
        room.seen_to = room.seen_to.max(seq + 1);
        self.advance(index, seq);
        self.align(index);
    }

    fn take_welcome(
        &mut self,
        index: u32,
        reply: &Incoming<'_>,
        data: &Incoming<'_>,
        effects: &mut Effects,
    ) {
        let returns =
            self.peers[index as usize].extra.as_ref().is_some_and(|it| it.session.is_some());
        if self.plan.keeps_sessions
            && let Some(session) = data.session.as_ref().and_then(Word::as_str)
        {
            self.peers[index as usize].extra().session = Some(session.into());
        }
        if !returns {
            if !self.plan.joins {
                self.entered(index, effects);
            }
            return;
        }
        let returned = reply.data.and_then(|data| serde_json::from_str(data.get()).ok());
        let Some(Returned { resumed, rooms }) = returned else {
            return self.give_up(index, "not the answer to a hello", effects);
        };
        let room = &self.rooms[self.peers[index as usize].room as usize];
        let rooms: serde_json::Value =
            rooms.and_then(|rooms| serde_json::from_str(rooms.get()).ok()).unwrap_or_default();
        let answer = rooms.get(&*room.name).cloned().unwrap_or_default();
        self.take_return(index, resumed, &answer);
        if self.peers[index as usize].stage == Stage::Entering {
            self.entered(index, effects);
        }
    }

    /// How its room goes on for who has returned.
    fn take_return(&mut self, index: u32, resumed: bool, answer: &serde_json::Value) {
        let number = |key: &str| answer.get(key).and_then(serde_json::Value::as_u64);
        self.returns.resumed += u64::from(resumed);
        if answer.get("reset").is_some() {
            self.returns.resets += 1;
            let epoch = answer.get("epoch").and_then(serde_json::Value::as_str);
            match epoch.zip(number("seq")) {
                Some((epoch, seq)) => self.set_cursor(index, epoch, seq),
                None => self.unexpected(index, &answer.to_string()),
            }
            return;
        }
        if let Some(gap) = answer.get("gap") {
            let end = gap.get(1).and_then(serde_json::Value::as_u64);
            let peer = &mut self.peers[index as usize];
            let begin = gap.get(0).and_then(serde_json::Value::as_u64);
            match begin.zip(end).filter(|range| range.0 == peer.next) {
                Some((from, to)) => {
                    peer.next = to + 1;
                    self.tally.told_gone += to - from + 1;
                }
                None => self.unexpected(index, &answer.to_string()),
            }
        }
        let next = self.peers[index as usize].next;
        if number("from") != Some(next) {
            self.unexpected(index, &format!("returns to {next}: {answer}"));
        }
        self.align(index);
    }

    /// Where a peer is in its room.
    fn set_cursor(&mut self, index: u32, epoch: &str, seq: u64) {
        let place = self.peers[index as usize].room;
        let room = &mut self.rooms[place as usize];
        if room.epoch.as_deref() != Some(epoch) {
            // The first to come; or the log has begun again, and nothing of the old one comes any more.
            room.epoch = Some(epoch.into());
            room.stream = Stream::new(seq + 1, room.stream.bytes_max());
            room.seen_to = seq + 1;
            let members = std::mem::take(&mut room.members);
            for &member in &members {
                self.peers[member as usize].position = super::peer::OFF;
            }
            self.rooms[place as usize].members = members;
        }
        self.peers[index as usize].next = seq + 1;
        self.align(index);
    }
}
