//! Rooms: joining, leaving, and what a resumed connection finds.

use std::collections::BTreeSet;

use serde_json::Value;

use super::requests::{Then, Ticket};
use super::tracked::Tracked;
use super::{Engine, Timer};
use crate::model::{Error, Event, Item, RoomState, array, direct_room, fields, flag, number, text};

/// Codes of a room in which we are not: no such room, not a member, banned, by invitation.
const NOT_OURS: [u16; 4] = [3001, 3003, 3005, 3008];
const NOT_A_MEMBER: u16 = 3003;

impl Engine {
    /// Joins a room and stays in it over reconnections; without a connection, once there is one.
    /// With `after`, the records after that seq are told too (0: all that are stored).
    pub fn join(&mut self, now: u64, name: &str, after: Option<u64>) -> Ticket {
        self.now = now;
        let is_new = self.track(name).room.state == RoomState::Wanted;
        let ticket = self.new_ticket();
        if is_new {
            self.track(name).after = after;
        }
        if is_new && self.is_ready() {
            let id = self.ask_to_join(name);
            self.add_ticket(id, ticket);
        } else {
            self.answers.push_back((ticket, Ok(Item::new())));
        }
        ticket
    }

    /// Leaves a room for good. `close` deletes a private room with all its messages, of which we
    /// are the last member.
    pub fn leave(&mut self, now: u64, name: &str, close: bool) -> Ticket {
        self.now = now;
        let joined = self.rooms.get(name).map(|tracked| tracked.room.state != RoomState::Wanted);
        if joined == Some(false) {
            self.remove(name, "left", None);
            let ticket = self.new_ticket();
            self.answers.push_back((ticket, Ok(Item::new())));
            return ticket;
        }
        let close = if close { Value::Bool(true) } else { Value::Null };
        let wanted = fields([("room", name.into()), ("close", close)]);
        self.request_then("leave", wanted, Then::Leave(name.to_owned()))
    }

    /// Creates a room with us as its owner: `more` may have a `topic`, and `private`.
    pub fn create(&mut self, now: u64, name: &str, mut more: Item) -> Ticket {
        self.now = now;
        more.insert("room".to_owned(), name.into());
        self.request_then("create", more, Then::Create)
    }

    /// The direct conversation with a user. The server makes it at its first message.
    pub fn open(&mut self, user: &str) -> String {
        let name = direct_room(self.user.as_deref().unwrap_or_default(), user);
        self.track(&name);
        name
    }

    pub(super) fn track(&mut self, name: &str) -> &mut Tracked {
        self.rooms.entry(name.to_owned()).or_insert_with(|| Tracked::new(name))
    }

    pub(super) fn ask_to_join(&mut self, name: &str) -> u64 {
        let tracked = self.track(name);
        if let Some(id) = tracked.joining {
            return id;
        }
        let epoch = tracked.room.epoch.clone();
        let after = if epoch.is_some() { Some(tracked.room.seq) } else { tracked.after };
        let wanted =
            fields([("room", name.into()), ("after", after.into()), ("epoch", epoch.into())]);
        let id = self.ask("join", wanted, Then::Join(name.to_owned()));
        self.track(name).joining = Some(id);
        id
    }

    /// A room has another name, and keeps everything else: its place, and what waits to be said
    /// there.
    pub(super) fn on_renamed(&mut self, was: &str, name: &str) {
        if was == name {
            return;
        }
        let Some(mut tracked) = self.rooms.remove(was) else { return };
        for timer in [Timer::Send, Timer::Ack, Timer::Typing] {
            if let Some(due) = self.timers.remove(&timer(was.to_owned())) {
                self.timers.insert(timer(name.to_owned()), due);
            }
        }
        for request in self.pending.values_mut() {
            request.rename(was, name);
        }
        let mut waiting = self.queues.remove(was).unwrap_or_default();
        waiting.extend(self.queues.remove(name).into_iter().flatten());
        for queued in &mut waiting {
            name.clone_into(&mut queued.entry.room);
        }
        if !waiting.is_empty() {
            self.queues.insert(name.to_owned(), waiting);
        }
        // If it was entered by its new name, too, that one has the place already.
        if self.rooms.get(name).is_none_or(|other| other.room.epoch.is_none()) {
            name.clone_into(&mut tracked.room.name);
            tracked.is_changed = false;
            self.rooms.insert(name.to_owned(), tracked);
        }
        self.emit(Event::Renamed { room: name.to_owned(), was: was.to_owned() });
        self.send_next(name);
    }

    /// We are in the room, by `join` or by another user's first direct message.
    pub(super) fn on_joined(&mut self, asked: &str, data: &Item) {
        let name = text(data, "room").unwrap_or(asked);
        self.on_renamed(asked, name);
        for was in array(data, "former").iter().filter_map(Value::as_str) {
            self.on_renamed(was, name);
        }
        let Some(tracked) = self.rooms.get_mut(name) else { return };
        let room = &mut tracked.room;
        tracked.joining = None;
        for (key, known) in
            [("role", &mut room.role), ("durable", &mut room.durable), ("topic", &mut room.topic)]
        {
            if let Some(value) = text(data, key) {
                value.clone_into(known);
            }
        }
        room.oldest = number(data, "oldest").unwrap_or(room.oldest);
        let seq = number(data, "seq").unwrap_or_default();
        let epoch = text(data, "epoch").map(str::to_owned);
        if room.epoch.is_some() && (flag(data, "reset") || epoch != room.epoch) {
            self.reset(name, epoch, seq);
            return self.merge_marks(name, data);
        }
        if room.epoch.is_none() {
            room.seq = room.seq.max(tracked.after.unwrap_or(seq));
        }
        room.epoch = epoch;
        self.merge_marks(name, data);
        self.ask_who_is_there(name);
        self.catch_up(name, seq);
    }

    pub(super) fn on_join_refused(&mut self, name: &str, error: &Error) {
        let Some(tracked) = self.rooms.get_mut(name) else { return };
        tracked.joining = None;
        if tracked.room.epoch.is_some() || !tracked.room.is_direct() {
            self.lose(name, error);
        }
    }

    /// Goes on in a room after a welcome, which had this answer for it.
    pub(super) fn enter(&mut self, asked: &str, answer: &Item) {
        let name = text(answer, "room").unwrap_or(asked);
        self.on_renamed(asked, name);
        let Some(tracked) = self.rooms.get(name) else { return };
        if tracked.room.state != RoomState::Wanted {
            self.resume(name, answer);
        }
        let Some(tracked) = self.rooms.get(name) else { return };
        if tracked.room.state != RoomState::Wanted {
            self.ask_who_is_there(name);
        } else if !tracked.room.is_direct() || tracked.room.epoch.is_some() {
            self.ask_to_join(name);
        }
    }

    fn resume(&mut self, name: &str, answer: &Item) {
        let seq = number(answer, "seq").unwrap_or_default();
        if flag(answer, "reset") {
            self.reset(name, text(answer, "epoch").map(str::to_owned), seq);
            return self.merge_marks(name, answer);
        }
        self.merge_marks(name, answer);
        let gap = array(answer, "gap");
        if let [from, to] = gap {
            let missing = (from.as_u64().unwrap_or_default(), to.as_u64().unwrap_or_default());
            self.gap(name, missing, text(answer, "why").unwrap_or("lost"));
        }
        let to = number(answer, "to");
        if !gap.is_empty() || to.is_some() {
            let known = self.rooms.get(name).map_or(0, |tracked| tracked.room.seq);
            return self.catch_up(name, to.unwrap_or(known));
        }
        if let Some(tracked) = self.rooms.get_mut(name) {
            tracked.room.state = RoomState::Wanted;
        }
        let error = Error::of(answer);
        // Never undone by a join: we have left it on another device, or were removed.
        if NOT_OURS.contains(&error.code) {
            self.lose(name, &error);
        }
    }

    /// A room is not ours any more. A direct conversation begins again with a message that waits
    /// for it.
    fn lose(&mut self, name: &str, error: &Error) {
        let waits = self.queues.get(name).is_some_and(|queue| !queue.is_empty());
        if name.starts_with('@') && waits {
            self.reset(name, None, 0);
        } else {
            self.remove(name, "refused", Some(error.clone()));
        }
    }

    pub(super) fn remove(&mut self, name: &str, reason: &str, error: Option<Error>) {
        let was_tracked = self.rooms.remove(name).is_some();
        if !was_tracked && !self.queues.contains_key(name) {
            return;
        }
        self.timers.remove(&Timer::Ack(name.to_owned()));
        let waiting: Vec<_> = self.queues.remove(name).into_iter().flatten().collect();
        let failed = error.clone().unwrap_or_else(|| Error {
            code: NOT_A_MEMBER,
            message: "no longer a member".to_owned(),
            data: Item::new(),
        });
        for queued in waiting {
            self.finish(queued, Err(failed.clone()));
        }
        if was_tracked {
            self.emit(Event::Left { room: name.to_owned(), reason: reason.to_owned(), error });
        }
    }

    pub(super) fn joined_names(&self) -> impl Iterator<Item = &String> {
        let joined = |(_, tracked): &(&String, &Tracked)| tracked.room.state != RoomState::Wanted;
        self.rooms.iter().filter(joined).map(|(name, _)| name)
    }

    /// A room that we were in when we asked, and are not in any more.
    pub(super) fn remove_gone(&mut self, name: &str) {
        if self.rooms.get(name).is_some_and(|tracked| tracked.joining.is_none()) {
            self.remove(name, "left", None);
        }
    }

    /// Who is typing in a room: nobody any more, or these.
    pub(super) fn set_typing(&mut self, name: &str, users: BTreeSet<String>) -> bool {
        let Some(tracked) = self.rooms.get_mut(name) else { return false };
        let is_other = tracked.room.typing != users;
        tracked.room.typing = users;
        is_other
    }
}
