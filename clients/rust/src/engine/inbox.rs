//! The inbox: a membership is the user's and outlives every connection, and so do invitations.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Engine;
use super::requests::Then;
use crate::model::{Event, Item, RoomState, array, fields, flag, number, text};

impl Engine {
    /// Asks for our rooms and their unread counts, as after each welcome.
    pub(super) fn sync(&mut self) {
        let had = self.joined_names().cloned().collect();
        self.ask_for_rooms(had, BTreeSet::new());
    }

    fn ask_for_rooms(&mut self, had: Vec<String>, listed: BTreeSet<String>) {
        if self.is_ready() {
            let since = fields([("since", self.rev.into())]);
            self.ask("rooms", since, Then::Rooms(had, listed));
        }
    }

    pub(super) fn on_inbox(&mut self, data: &Item, had: Vec<String>, mut listed: BTreeSet<String>) {
        self.rev = number(data, "rev");
        for gone in array(data, "gone").iter().filter_map(Value::as_str) {
            if had.iter().any(|name| name == gone) {
                self.remove_gone(gone);
            }
        }
        if data.contains_key("invitations") {
            self.list_invitations(data);
        }
        for row in array(data, "rooms").iter().filter_map(Value::as_object) {
            if let Some(name) = text(row, "room") {
                for was in array(row, "former").iter().filter_map(Value::as_str) {
                    self.on_renamed(was, name);
                }
                listed.insert(name.to_owned());
                self.take_row(name, row);
            }
        }
        if flag(data, "more") {
            return self.ask_for_rooms(had, listed);
        }
        // The whole was told: we are in no other room.
        if flag(data, "full") {
            for name in had.iter().filter(|name| !listed.contains(*name)) {
                self.remove_gone(name);
            }
        }
    }

    fn take_row(&mut self, name: &str, row: &Item) {
        let tracked = self.track(name);
        let room = &mut tracked.room;
        // Another epoch: its `reset` is on the way.
        if room.epoch.is_some() && text(row, "epoch") != room.epoch.as_deref() {
            return;
        }
        let (read, seq) = (number(row, "read"), number(row, "seq"));
        let (read, seq) = (read.unwrap_or_default(), seq.unwrap_or_default());
        tracked.acked = read;
        if read < room.read {
            tracked.is_recounting = true;
            self.arm_ack(name);
        } else if seq >= tracked.counted {
            room.read = read;
            tracked.counted = seq;
            tracked.unread_before = number(row, "unread").unwrap_or_default();
            tracked.mentions_before = number(row, "mentions").unwrap_or_default();
            tracked.is_recounting = false;
            tracked.count();
        }
        if self.track(name).room.state == RoomState::Wanted {
            self.ask_to_join(name);
        }
        self.emit_changed(name);
    }

    /// The invitations that are open now: told once each.
    pub(super) fn list_invitations(&mut self, data: &Item) {
        let before = std::mem::take(&mut self.invited);
        for invitation in array(data, "invitations").iter().filter_map(Value::as_object) {
            let room = text(invitation, "room").unwrap_or_default().to_owned();
            if before.contains(&room) {
                self.invited.insert(room);
            } else {
                self.on_invited(invitation, "by");
            }
        }
    }

    /// An invitation, with who has made it in this field.
    pub(super) fn on_invited(&mut self, invitation: &Item, who: &str) {
        let words = |key| text(invitation, key).map(str::to_owned);
        let room = words("room").unwrap_or_default();
        self.invited.insert(room.clone());
        let reason = words("reason").unwrap_or_default();
        self.emit(Event::Invited { room, by: words(who), reason });
    }
}
