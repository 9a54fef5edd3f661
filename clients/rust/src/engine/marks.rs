//! State without records: what is read, who is typing, who is there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::requests::{Then, Ticket};
use super::tracked::Tracked;
use super::{Engine, Timer};
use crate::model::{Event, Item, Presence, RoomState, array, fields, flag, number, object, text};

const ACK_GATHER_MS: u64 = 300;
const TYPING_SHOWN_MS: u64 = 6_000;
const TYPING_SENT_MS: u64 = 3_000;
/// Before the server is asked to count again.
const RECOUNT_MS: u64 = 100;

impl Tracked {
    /// Counts what is unread: what the server has counted, and what came later.
    pub(super) fn count(&mut self) {
        let from = self.room.read.max(self.counted);
        self.unread_since.retain(|seq| *seq > from);
        let at_most = self.counted.saturating_sub(self.room.read);
        self.unread_before = self.unread_before.min(at_most);
        let since = u64::try_from(self.unread_since.len()).unwrap_or(u64::MAX);
        self.room.unread = self.unread_before.saturating_add(since);
        let unread = &self.unread_since;
        self.mentions_since.retain(|seq| unread.contains(seq));
        self.mentions_before = self.mentions_before.min(self.unread_before);
        let since = u64::try_from(self.mentions_since.len()).unwrap_or(u64::MAX);
        self.room.mentions = self.mentions_before.saturating_add(since);
    }

    pub(super) fn count_message(&mut self, item: &Item, me: &str) {
        let from = text(item, "from").unwrap_or_default();
        self.room.typing.remove(from);
        let seq = number(item, "seq").unwrap_or_default();
        let is_news = from != me && !flag(item, "deleted");
        if is_news && seq > self.room.read.max(self.counted) {
            self.unread_since.push(seq);
            self.count_mention(seq, names_us(item, me));
        }
    }

    /// Whether only the server can tell how many name us now: what it said before is not known.
    pub(super) fn count_edit(&mut self, item: &Item, me: &str) -> bool {
        let target = number(item, "target").unwrap_or_default();
        if target <= self.room.read || text(item, "from") == Some(me) {
            return false;
        }
        if target > self.counted {
            self.count_mention(target, names_us(item, me));
        }
        target <= self.counted
    }

    fn count_mention(&mut self, seq: u64, is_named: bool) {
        self.mentions_since.retain(|each| *each != seq);
        if is_named {
            self.mentions_since.push(seq);
        }
        self.count();
    }

    /// Whether only the server can tell how much is unread now: whose it was is not known.
    pub(super) fn uncount_deleted(&mut self, target: u64) -> bool {
        if target <= self.room.read {
            return false;
        }
        self.unread_since.retain(|seq| *seq != target);
        self.count();
        target <= self.counted
    }
}

/// Whether a record names us, or the room in which we are.
fn names_us(item: &Item, me: &str) -> bool {
    let mut named = array(item, "mentions").iter().filter_map(Value::as_str);
    named.any(|name| name == me || name == "@room")
}

impl Engine {
    /// Reports that all up to `seq` has been read.
    pub fn read(&mut self, now: u64, name: &str, seq: u64) {
        self.now = now;
        if self.rooms.get(name).is_some_and(|tracked| seq > tracked.room.read) {
            self.read_up_to(name, seq);
            self.arm_ack(name);
        }
    }

    /// Reports typing; to be called at each key.
    pub fn typing(&mut self, now: u64, name: &str) {
        self.now = now;
        let is_ready = self.is_ready();
        let Some(tracked) = self.rooms.get_mut(name) else { return };
        let is_told =
            tracked.typing_sent_at.is_some_and(|at| now.saturating_sub(at) < TYPING_SENT_MS);
        if is_ready && tracked.room.state == RoomState::Live && !is_told {
            tracked.typing_sent_at = Some(now);
            self.transmit("typing", None, &fields([("room", name.into())]));
        }
    }

    /// Keeps a room's `presence` up to date from now on.
    pub fn watch(&mut self, now: u64, name: &str) {
        self.now = now;
        self.track(name).is_watched = true;
        self.ask_who_is_there(name);
    }

    /// Replaces the token by a newer one of the same user, without a new connection.
    pub fn refresh(&mut self, now: u64, token: &str) -> Ticket {
        self.identity.token = Some(token.to_owned());
        self.request(now, "refresh", fields([("token", token.into())]))
    }

    /// All up to `seq` has been read, here or on another device.
    fn read_up_to(&mut self, name: &str, seq: u64) {
        let Some(tracked) = self.rooms.get_mut(name) else { return };
        if seq <= tracked.room.read {
            return;
        }
        tracked.room.read = seq;
        tracked.count();
        if tracked.unread_before > 0 {
            self.recount(name);
        }
        self.emit_changed(name);
    }

    pub(super) fn arm_ack(&mut self, name: &str) {
        let timer = Timer::Ack(name.to_owned());
        let is_live = |tracked: &Tracked| tracked.room.state == RoomState::Live;
        if self.rooms.get(name).is_some_and(is_live) && !self.timers.contains_key(&timer) {
            self.arm(timer, ACK_GATHER_MS);
        }
    }

    pub(super) fn acknowledge(&mut self, name: &str) {
        let Some(tracked) = self.rooms.get_mut(name) else { return };
        let read = tracked.room.read;
        tracked.acking = read;
        if self.is_ready() {
            let wanted = fields([("room", name.into()), ("read", read.into())]);
            self.ask("ack", wanted, Then::Ack(name.to_owned(), read));
        }
    }

    pub(super) fn on_acked(&mut self, name: &str, read: u64) {
        let Some(tracked) = self.rooms.get_mut(name) else { return };
        tracked.acked = tracked.acked.max(read);
        if tracked.is_recounting {
            self.recount(name);
        }
    }

    /// Only the server can tell how much is unread: it is asked, once it knows what we have read.
    pub(super) fn recount(&mut self, name: &str) {
        let Some(tracked) = self.rooms.get_mut(name) else { return };
        tracked.is_recounting = true;
        if tracked.room.read <= tracked.acked {
            self.arm(Timer::Recount, RECOUNT_MS);
        }
    }

    /// The marks of others, as a join or a resumed room has them.
    pub(super) fn merge_marks(&mut self, name: &str, data: &Item) {
        if data.contains_key("marks") {
            self.merge_reads(name, &object(data, "marks"));
        }
    }

    pub(super) fn merge_receipts(&mut self, name: &str, event: &Item) {
        let read = object(event, "read");
        if !flag(event, "own") {
            return self.merge_reads(name, &read);
        }
        let me = self.user.as_deref().unwrap_or_default();
        let seq = number(&read, me).unwrap_or_default();
        if let Some(tracked) = self.rooms.get_mut(name) {
            tracked.acked = tracked.acked.max(seq);
        }
        self.read_up_to(name, seq);
    }

    fn merge_reads(&mut self, name: &str, read: &Item) {
        let Some(tracked) = self.rooms.get_mut(name) else { return };
        for (user, seq) in read {
            let known = tracked.room.receipts.entry(user.clone()).or_default();
            *known = seq.as_u64().unwrap_or_default().max(*known);
        }
        self.emit_changed(name);
    }

    pub(super) fn show_typing(&mut self, name: &str, users: BTreeSet<String>) {
        let timer = Timer::Typing(name.to_owned());
        if users.is_empty() {
            self.timers.remove(&timer);
        } else {
            self.arm(timer, TYPING_SHOWN_MS);
        }
        if self.set_typing(name, users) {
            self.emit_changed(name);
        }
    }

    pub(super) fn ask_who_is_there(&mut self, name: &str) {
        let is_ready = self.is_ready();
        let Some(tracked) = self.rooms.get_mut(name) else { return };
        let is_joined = tracked.room.epoch.is_some();
        if is_ready && is_joined && tracked.is_watched && !tracked.is_asking {
            tracked.is_asking = true;
            let wanted = fields([("room", name.into())]);
            self.ask("presence", wanted, Then::Presence(name.to_owned()));
        }
    }

    pub(super) fn set_presence(&mut self, name: &str, data: &Item) {
        let Some(tracked) = self.rooms.get_mut(name) else { return };
        tracked.is_asking = false;
        let pair = |pair: &Value| {
            let [user, status] = pair.as_array()?.as_slice() else { return None };
            Some((user.as_str()?.to_owned(), status.as_str()?.to_owned()))
        };
        let users = data.get("users").and_then(Value::as_array);
        tracked.room.presence = Some(Presence {
            v: number(data, "v").unwrap_or_default(),
            count: number(data, "count").unwrap_or_default(),
            users: users.map(|users| users.iter().filter_map(pair).collect()),
        });
        self.emit_changed(name);
    }

    /// A delta applies only to the version before it.
    pub(super) fn merge_presence(&mut self, name: &str, event: &Item) {
        if event.get("users").is_some_and(Value::is_array) {
            return self.set_presence(name, event);
        }
        let Some(tracked) = self.rooms.get_mut(name) else { return };
        let Some(known) = &mut tracked.room.presence else { return };
        let v = number(event, "v").unwrap_or_default();
        if v <= known.v {
            return;
        }
        if v != known.v + 1 {
            return self.ask_who_is_there(name);
        }
        known.v = v;
        known.count = number(event, "count").unwrap_or(known.count);
        let names = |key| -> Vec<String> {
            array(event, key).iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let (on, away, off) = (names("on"), names("away"), names("off"));
        if let Some(users) = &mut known.users {
            apply(users, &on, "online");
            apply(users, &away, "away");
            users.retain(|user, _| !off.contains(user));
        }
        self.emit_changed(name);
        if !self.is_full() {
            self.emit(Event::Presence { room: name.to_owned(), on, away, off });
        }
    }
}

fn apply(users: &mut BTreeMap<String, String>, names: &[String], status: &str) {
    users.extend(names.iter().map(|user| (user.clone(), status.to_owned())));
}
