//! Positions: each record of a room is told once and in order, and what is missing is fetched.

use serde_json::Value;

use super::Engine;
use super::requests::{Then, Ticket};
use super::tracked::{Fetch, Tracked};
use crate::model::{Event, Item, RoomState, fields, number, text};

/// Records held back while others are fetched; those beyond it are fetched, too.
const HELD_MAX: usize = 1_000;

impl Engine {
    /// A page of a log: `wanted` has `before`, `after` or `around` with a seq, and a `limit`; the
    /// answer is `{"items", "more", …}`.
    pub fn history(&mut self, now: u64, name: &str, mut wanted: Item) -> Ticket {
        self.now = now;
        wanted.insert("room".to_owned(), name.into());
        if let Some(epoch) = self.rooms.get(name).and_then(|tracked| tracked.room.epoch.clone()) {
            wanted.entry("epoch").or_insert_with(|| epoch.into());
        }
        self.request_then("history", wanted, Then::History(name.to_owned()))
    }

    /// Records up to `seq` follow. The outbox waits: its messages may be among them.
    pub(super) fn catch_up(&mut self, name: &str, seq: u64) {
        let Some(tracked) = self.rooms.get_mut(name) else { return };
        tracked.catch_up = seq;
        tracked.room.state = RoomState::Lagging;
        if tracked.room.seq >= seq {
            self.become_live(name, seq);
        } else {
            self.emit_changed(name);
        }
    }

    pub(super) fn become_live(&mut self, name: &str, seq: u64) {
        let Some(tracked) = self.rooms.get_mut(name) else { return };
        let is_missing = seq > tracked.room.seq.max(tracked.behind) && tracked.fetch.is_none();
        tracked.room.state = RoomState::Live;
        let has_news = tracked.room.read > tracked.acked.max(tracked.acking);
        if is_missing {
            self.fetch_missing(name, seq, Vec::new());
        }
        if has_news {
            self.arm_ack(name);
        }
        self.emit(Event::Live { room: name.to_owned() });
        self.send_next(name);
    }

    pub(super) fn record(&mut self, name: &str, item: Item) {
        let is_full = self.is_full();
        let Some(tracked) = self.rooms.get_mut(name) else { return };
        let Some(seq) = number(&item, "seq").filter(|seq| *seq > tracked.room.seq) else { return };
        if let Some(fetch) = &mut tracked.fetch {
            if fetch.held.len() < HELD_MAX {
                fetch.held.push(item);
            } else {
                tracked.behind = tracked.behind.max(seq);
            }
        } else if is_full || tracked.behind > tracked.room.seq {
            // The program is slow: what it has no space for is fetched once it has.
            tracked.behind = tracked.behind.max(seq);
            self.resolve_by(name, &item);
        } else if seq > tracked.room.seq + 1 {
            self.fetch_missing(name, seq - 1, vec![item]);
        } else {
            self.deliver(name, item);
        }
    }

    fn deliver(&mut self, name: &str, item: Item) {
        self.resolve_by(name, &item);
        let me = self.user.clone().unwrap_or_default();
        let Some(tracked) = self.rooms.get_mut(name) else { return };
        let room = &mut tracked.room;
        room.seq = number(&item, "seq").unwrap_or(room.seq);
        match text(&item, "ev").unwrap_or_default() {
            "topic" => text(&item, "text").unwrap_or_default().clone_into(&mut room.topic),
            "message" => tracked.count_message(&item, &me),
            "edit" => {
                let is_unknown = tracked.count_edit(&item, &me);
                if is_unknown {
                    self.recount(name);
                }
            }
            "deletion" => {
                let target = number(&item, "target").unwrap_or_default();
                if tracked.uncount_deleted(target) {
                    self.recount(name);
                }
            }
            "moderation"
                if text(&item, "act") == Some("role") && text(&item, "target") == Some(&me) =>
            {
                text(&item, "role").unwrap_or(&room.role.clone()).clone_into(&mut room.role);
            }
            _ => {}
        }
        self.emit(Event::Record { room: name.to_owned(), item });
    }

    /// Fetches missing records up to `last`; newer ones are held back.
    pub(super) fn fetch_missing(&mut self, name: &str, last: u64, held: Vec<Item>) {
        let Some(tracked) = self.rooms.get_mut(name) else { return };
        tracked.behind = 0;
        tracked.fetch = Some(Fetch { last, held, id: 0, begin: 0 });
        self.fetch_more(name);
    }

    fn fetch_more(&mut self, name: &str) {
        let is_full = self.is_full();
        let Some(tracked) = self.rooms.get_mut(name) else { return };
        let Some(fetch) = &mut tracked.fetch else { return };
        let begin = tracked.room.seq;
        if begin >= fetch.last {
            return self.end_fetch(name);
        }
        if is_full {
            let held = fetch.held.iter().filter_map(|item| number(item, "seq")).max();
            let behind = fetch.last.max(held.unwrap_or_default());
            tracked.behind = tracked.behind.max(behind);
            tracked.fetch = None;
            return;
        }
        let epoch = tracked.room.epoch.clone();
        let wanted =
            fields([("room", name.into()), ("after", begin.into()), ("epoch", epoch.into())]);
        let id = self.ask("history", wanted, Then::Fetch(name.to_owned()));
        let fetch = self.rooms.get_mut(name).and_then(|tracked| tracked.fetch.as_mut());
        if let Some(fetch) = fetch {
            (fetch.id, fetch.begin) = (id, begin);
        }
    }

    /// A page of what is missing; empty if it cannot be had.
    pub(super) fn on_page(&mut self, id: u64, name: &str, items: &[Value]) {
        let current = |tracked: &Tracked| {
            tracked.fetch.as_ref().filter(|fetch| fetch.id == id).map(|fetch| fetch.begin)
        };
        let Some(begin) = self.rooms.get(name).and_then(current) else { return };
        for item in items.iter().filter_map(Value::as_object) {
            let known = self.rooms.get(name).map_or(0, |tracked| tracked.room.seq);
            let Some(seq) = number(item, "seq").filter(|seq| *seq > known) else { continue };
            self.gap(name, (known + 1, seq - 1), "lost");
            self.deliver(name, item.clone());
        }
        if self.rooms.get(name).is_some_and(|tracked| tracked.room.seq == begin) {
            self.end_fetch(name);
        } else {
            self.fetch_more(name);
        }
    }

    /// What the history does not have is lost; what was held back follows.
    fn end_fetch(&mut self, name: &str) {
        let fetch = self.rooms.get_mut(name).and_then(|tracked| tracked.fetch.take());
        let Some(fetch) = fetch else { return };
        let known = self.rooms.get(name).map_or(0, |tracked| tracked.room.seq);
        self.gap(name, (known + 1, fetch.last), "lost");
        for item in fetch.held {
            self.record(name, item);
        }
        self.send_next(name);
    }

    /// Fetches what there was no space for.
    pub(super) fn fetch_behind(&mut self) {
        let is_behind =
            |tracked: &Tracked| tracked.behind > tracked.room.seq && tracked.fetch.is_none();
        if !self.is_ready() {
            return;
        }
        let behind = self.rooms.iter().filter(|(_, tracked)| is_behind(tracked));
        let behind: Vec<_> = behind.map(|(name, tracked)| (name.clone(), tracked.behind)).collect();
        for (name, last) in behind {
            self.fetch_missing(&name, last, Vec::new());
        }
    }

    pub(super) fn gap(&mut self, name: &str, (from, to): (u64, u64), why: &str) {
        let Some(tracked) = self.rooms.get_mut(name) else { return };
        let next = tracked.room.seq + 1;
        if to < next {
            return;
        }
        let from = if tracked.behind > 0 { next } else { from.max(next) };
        tracked.room.seq = to;
        if to > tracked.counted {
            self.recount(name);
        }
        self.emit(Event::Gap { room: name.to_owned(), from, to, why: why.to_owned() });
    }

    /// The room begins again at `seq` of another log, or, without an epoch, with its first message.
    pub(super) fn reset(&mut self, name: &str, epoch: Option<String>, seq: u64) {
        let Some(tracked) = self.rooms.get_mut(name) else { return };
        let room = &mut tracked.room;
        let is_new = epoch.is_none();
        (room.epoch, room.seq, room.oldest) = (epoch, seq, 1);
        (room.read, room.unread, room.presence) = (0, 0, None);
        room.receipts.clear();
        (tracked.behind, tracked.fetch) = (0, None);
        (tracked.acked, tracked.counted, tracked.unread_before) = (0, 0, 0);
        tracked.unread_since.clear();
        (tracked.mentions_before, tracked.room.mentions) = (0, 0);
        tracked.mentions_since.clear();
        self.emit(Event::Reset { room: name.to_owned(), seq });
        self.ask_who_is_there(name);
        if is_new {
            self.track(name).room.state = RoomState::Wanted;
        } else {
            self.catch_up(name, seq);
        }
    }
}
