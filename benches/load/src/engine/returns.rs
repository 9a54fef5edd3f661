//! Who comes, and who comes back: the answers to `hello`, and rooms besides a peer's own.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::core::Core;
use super::peer::Stage;
use chinwag::net::Effects;
use chinwag::wire::client::{Incoming, Word};

/// What the reply to `hello` says of who returns.
#[derive(Debug, Deserialize)]
struct Returned<'a> {
    #[serde(default)]
    resumed: bool,
    #[serde(borrow, default)]
    rooms: Option<&'a RawValue>,
}

impl Core {
    pub(super) fn take_welcome(
        &mut self,
        index: u32,
        reply: &Incoming<'_>,
        data: &Incoming<'_>,
        effects: &mut Effects,
    ) {
        let returns =
            self.peers[index as usize].extra.as_ref().is_some_and(|it| it.session.is_some());
        if self.plan.keeps_sessions()
            && let Some(session) = data.session.as_ref().and_then(Word::as_str)
        {
            self.peers[index as usize].extra().session = Some(session.into());
        }
        if !returns {
            if self.plan.pair(self.peers[index as usize].room).is_some() {
                self.on_joined(index, effects);
            }
            return;
        }
        let returned = reply.data.and_then(|data| serde_json::from_str(data.get()).ok());
        let Some(Returned { resumed, rooms }) = returned else {
            return self.give_up(index, "not the answer to a hello", effects);
        };
        let room = &self.rooms[self.peers[index as usize].room as usize];
        let rooms: Value =
            rooms.and_then(|rooms| serde_json::from_str(rooms.get()).ok()).unwrap_or_default();
        let answer = rooms.get(&*room.name).cloned().unwrap_or_default();
        self.take_return(index, resumed, &answer);
        self.take_return_elsewhere(index, &rooms);
        if self.peers[index as usize].stage == Stage::Entering {
            self.on_joined(index, effects);
        }
    }

    /// How its room goes on for who has returned.
    fn take_return(&mut self, index: u32, resumed: bool, answer: &Value) {
        let number = |key: &str| answer.get(key).and_then(Value::as_u64);
        self.returns.resumed += u64::from(resumed);
        if answer.get("reset").is_some() {
            self.returns.resets += 1;
            let epoch = answer.get("epoch").and_then(Value::as_str);
            match epoch.zip(number("seq")) {
                Some((epoch, seq)) => self.set_cursor(index, epoch, seq),
                None => self.report_unexpected(index, &answer.to_string()),
            }
            return;
        }
        if let Some(gap) = answer.get("gap") {
            let end = gap.get(1).and_then(Value::as_u64);
            let peer = &mut self.peers[index as usize];
            let begin = gap.get(0).and_then(Value::as_u64);
            match begin.zip(end).filter(|range| range.0 == peer.next) {
                Some((from, to)) => {
                    peer.next = to + 1;
                    let room = peer.room;
                    self.rooms[room as usize].is_lenient = true;
                    self.tally.told_gone += to - from + 1;
                }
                None => self.report_unexpected(index, &answer.to_string()),
            }
        }
        let next = self.peers[index as usize].next;
        if number("from") != Some(next) {
            self.report_unexpected(index, &format!("returns to {next}: {answer}"));
        }
        self.align(index);
    }

    /// How the other rooms go on for who has returned.
    fn take_return_elsewhere(&mut self, index: u32, rooms: &Value) {
        let Some(extra) = &mut self.peers[index as usize].extra else { return };
        for (name, (epoch, next)) in &mut extra.others {
            let Some(answer) = rooms.get(&**name) else { continue };
            let number = |value: Option<&Value>| value.and_then(Value::as_u64);
            if let Some(seq) = number(answer.get("seq"))
                && let Some(fresh) = answer.get("epoch").and_then(Value::as_str)
            {
                (*epoch, *next) = (fresh.into(), seq + 1);
            } else if let Some(end) = number(answer.get("gap").and_then(|gap| gap.get(1))) {
                *next = end + 1;
            }
        }
    }

    /// An event of another room than the peer's own: only its number is held against what is due.
    pub(super) fn take_elsewhere(&mut self, index: u32, ev: &str, event: &Incoming<'_>) {
        let name = event.room.as_ref().and_then(Word::as_str).unwrap_or_default();
        let seqs = match ev {
            "message" => event.seq.into_iter().collect(),
            "replay" => {
                let items = event.parse_items().unwrap_or_default();
                items.iter().filter_map(|item| item.seq).collect()
            }
            _ => Vec::new(),
        };
        let gone = (ev == "gap").then_some(event.to).flatten();
        for seq in seqs {
            self.take_own_elsewhere(index, name, Some(seq));
            self.tally.deliveries += 1;
        }
        let extra = self.peers[index as usize].extra.as_mut();
        if let Some(other) = extra.and_then(|extra| extra.others.get_mut(name))
            && let Some(to) = gone
        {
            self.tally.told_gone += (to + 1).saturating_sub(other.1);
            other.1 = to + 1;
        }
    }

    /// A message of another room, or the answer that stands in its place.
    pub(crate) fn take_own_elsewhere(&mut self, index: u32, room: &str, seq: Option<u64>) {
        let extra = self.peers[index as usize].extra.as_mut();
        let due = extra.and_then(|extra| extra.others.get_mut(room)).map(|other| &mut other.1);
        match (seq, due) {
            (Some(seq), Some(due)) if seq == *due => *due += 1,
            (_, due) => {
                let due = due.copied();
                self.report_unexpected(index, &format!("{seq:?} in {room}, where {due:?} is due"));
            }
        }
    }
}
