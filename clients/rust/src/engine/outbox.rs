//! The outbox: each message is kept until the server has answered, and sent again with its `cid`.

use std::collections::VecDeque;

use super::requests::{RETRY_WAIT_MAX_MS, Then, Ticket};
use super::{Engine, Timer};
use crate::model::{
    Entry, Error, Event, Item, RoomState, Sent, fields, flag, number, other_in, text,
};

const TOO_LARGE: u16 = 4001;

/// A message that waits for its answer.
#[derive(Debug)]
pub(super) struct Queued {
    pub entry: Entry,
    pub is_in_flight: bool,
    /// What is answered when it is; nothing for one of an earlier client.
    pub ticket: Option<Ticket>,
}

impl Queued {
    pub(super) const fn new(entry: Entry) -> Self {
        Self { entry, is_in_flight: false, ticket: None }
    }
}

impl Engine {
    /// Sends a message to a room, or to a user by the room from [`open`](Self::open). It is
    /// repeated after each lost connection until the server has answered; messages of one room go
    /// one after another. `more` has further fields, such as `reply_to`, or the `cid` of a message
    /// that has failed. The ticket is answered when the message is, with `room`, `seq` and `at`.
    ///
    /// # Errors
    ///
    /// 4001 if it is too long; then it is not kept.
    pub fn send(
        &mut self,
        now: u64,
        room: &str,
        text: &str,
        mut more: Item,
    ) -> Result<(Entry, Ticket), Error> {
        self.now = now;
        let data_len = more.get("data").map_or(0, |data| data.to_string().len());
        let max = number(&self.limits, "message_bytes").and_then(|max| usize::try_from(max).ok());
        let over = max.map_or(0, |max| text.len().saturating_add(data_len).saturating_sub(max));
        if over > 0 {
            let data = fields([("error", "too_large".into())]);
            let message = format!("too long by {over} bytes");
            return Err(Error { code: TOO_LARGE, message, data });
        }
        self.next_id += 1;
        let given = more.remove("cid").and_then(|cid| cid.as_str().map(str::to_owned));
        let cid = given.unwrap_or_else(|| {
            let chance = (self.random)(u64::MAX);
            format!("{chance:x}-{:x}", self.next_id)
        });
        let entry = Entry { room: room.to_owned(), text: text.to_owned(), cid, more };
        let ticket = self.new_ticket();
        let queued = Queued { ticket: Some(ticket), ..Queued::new(entry.clone()) };
        self.queues.entry(room.to_owned()).or_default().push_back(queued);
        if let Some(tracked) = self.rooms.get_mut(room) {
            tracked.typing_sent_at = None;
        }
        self.send_next(room);
        Ok((entry, ticket))
    }

    /// Changes the log of a room by `edit`, `delete`, `react`, `topic`, `rename` or an act of
    /// moderation. Unlike a message it is not repeated after a lost connection.
    pub fn change(&mut self, now: u64, op: &str, room: &str, mut fields: Item) -> Ticket {
        self.now = now;
        let mut item = fields.clone();
        let ev = match op {
            "edit" | "topic" | "rename" => op,
            "delete" => "deletion",
            "react" => "reaction",
            _ => "moderation",
        };
        item.insert("ev".to_owned(), ev.into());
        if ev == "rename" {
            item.insert("was".to_owned(), room.into());
        }
        if ev == "moderation" {
            let is_unmute = op == "mute" && number(&fields, "for_ms") == Some(0);
            item.insert("act".to_owned(), if is_unmute { "unmute" } else { op }.into());
            let target = item.remove("user").unwrap_or_default();
            item.insert("target".to_owned(), target);
        }
        fields.insert("room".to_owned(), room.into());
        self.request_then(op, fields, Then::Record(room.to_owned(), item))
    }

    /// Our change has its place: this connection gets the answer instead of the record.
    pub(super) fn on_changed(&mut self, room: &str, mut item: Item, data: &Item) {
        let (Some(seq), Some(at)) = (number(data, "seq"), number(data, "at")) else { return };
        if flag(data, "dup") || !self.rooms.contains_key(room) {
            return;
        }
        if let Some(for_ms) = item.remove("for_ms").and_then(|value| value.as_u64())
            && for_ms > 0
        {
            item.insert("until".to_owned(), at.saturating_add(for_ms).into());
        }
        self.record_ours(room, item, (seq, at));
    }

    fn record_ours(&mut self, room: &str, mut item: Item, (seq, at): (u64, u64)) {
        item.insert("seq".to_owned(), seq.into());
        item.insert("at".to_owned(), at.into());
        item.insert("from".to_owned(), self.user.clone().into());
        self.record(room, item);
    }

    pub(super) fn send_next(&mut self, name: &str) {
        let Some(first) = self.queues.get(name).and_then(VecDeque::front) else { return };
        let other = other_in(name, self.user.as_deref().unwrap_or_default());
        if first.is_in_flight || !self.is_ready() {
            return;
        }
        match self.rooms.get(name) {
            None if other.is_none() => return,
            Some(tracked) if other.is_none() && tracked.room.state == RoomState::Wanted => return,
            Some(tracked) if tracked.room.seq.max(tracked.behind) < tracked.catch_up => return,
            _ => {}
        }
        if self.send_after > self.now {
            return self.arm(Timer::Send(name.to_owned()), self.send_after - self.now);
        }
        let Entry { text, cid, more, .. } = &first.entry;
        let mut wanted = more.clone();
        match other {
            Some(other) => wanted.insert("to".to_owned(), other.into()),
            None => wanted.insert("room".to_owned(), name.into()),
        };
        wanted.insert("text".to_owned(), text.as_str().into());
        wanted.insert("cid".to_owned(), cid.as_str().into());
        let then = Then::Send(name.to_owned(), cid.clone());
        if let Some(first) = self.queues.get_mut(name).and_then(VecDeque::front_mut) {
            first.is_in_flight = true;
        }
        self.ask("send", wanted, then);
    }

    pub(super) fn on_sent(&mut self, queue: &str, cid: &str, data: &Item) {
        let is_here = self.rooms.contains_key(queue);
        let room = text(data, "room").filter(|_| !is_here).unwrap_or(queue).to_owned();
        let (seq, at) = (number(data, "seq"), number(data, "at"));
        let (seq, at) = (seq.unwrap_or_default(), at.unwrap_or_default());
        let sent = Sent { room: room.clone(), seq, at, dup: flag(data, "dup") };
        let is_new = !sent.dup;
        let entry = self.resolve(queue, cid, Ok(sent));
        self.track(&room);
        // The record of a repetition comes, or came, with the replay.
        if let Some(Entry { text, cid, more, .. }) = entry.filter(|_| is_new) {
            let mut item = more;
            item.insert("ev".to_owned(), "message".into());
            item.insert("text".to_owned(), text.into());
            item.insert("cid".to_owned(), cid.into());
            self.record_ours(&room, item, (seq, at));
        }
        self.send_next(queue);
    }

    pub(super) fn on_send_failed(&mut self, queue: &str, cid: &str, error: Error) {
        match error.retry_after_ms().filter(|wait| *wait <= RETRY_WAIT_MAX_MS) {
            Some(wait) => {
                self.send_after = self.now.saturating_add(wait);
                if let Some(first) = self.queues.get_mut(queue).and_then(VecDeque::front_mut) {
                    first.is_in_flight = false;
                }
            }
            None => {
                self.resolve(queue, cid, Err(error));
            }
        }
        self.send_next(queue);
    }

    /// A record of ours answers the message that waits for its answer.
    pub(super) fn resolve_by(&mut self, name: &str, item: &Item) {
        let Some(cid) = text(item, "cid").filter(|_| text(item, "from") == self.user()) else {
            return;
        };
        let number = |key| number(item, key).unwrap_or_default();
        let room = name.to_owned();
        let sent = Sent { room, seq: number("seq"), at: number("at"), dup: false };
        self.resolve(name, cid, Ok(sent));
    }

    fn resolve(&mut self, name: &str, cid: &str, outcome: Result<Sent, Error>) -> Option<Entry> {
        let queue = self.queues.get_mut(name)?;
        let place = queue.iter().position(|queued| queued.entry.cid == cid)?;
        let queued = queue.remove(place)?;
        if queue.is_empty() {
            self.queues.remove(name);
        }
        let entry = queued.entry.clone();
        self.finish(queued, outcome);
        Some(entry)
    }

    /// Tells what has become of a message.
    pub(super) fn finish(&mut self, queued: Queued, outcome: Result<Sent, Error>) {
        if let Some(ticket) = queued.ticket {
            let data = outcome.as_ref().map(|sent| {
                let (room, seq) = (sent.room.as_str().into(), sent.seq.into());
                fields([
                    ("room", room),
                    ("seq", seq),
                    ("at", sent.at.into()),
                    ("dup", sent.dup.into()),
                ])
            });
            self.answer_tickets(&[ticket], &data.map_err(Clone::clone));
        }
        self.emit(Event::Outbox { entry: queued.entry, outcome });
    }
}
