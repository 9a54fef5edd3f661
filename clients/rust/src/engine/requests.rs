//! Requests and their answers, and what else the server says.

use std::collections::BTreeSet;

use super::{Action, Engine, Timer};
use crate::model::{Error, Event, Item, array, number, object, text};

/// The longest `retry_after_ms` that is waited for.
pub(super) const RETRY_WAIT_MAX_MS: u64 = 30_000;
/// Who guesses a password has to wait, and is told so.
const NEVER_REPEATED: &str = "password";

/// A request whose answer [`Engine::poll_answer`] has, some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// What an answer is for, besides those who wait for it.
#[derive(Clone, Debug, Default)]
pub(super) enum Then {
    #[default]
    Nothing,
    Hello,
    /// The rooms that we were in when we asked, and those listed up to now.
    Rooms(Vec<String>, BTreeSet<String>),
    Join(String),
    Create,
    Leave(String),
    /// The room and the `cid` of a message.
    Send(String, String),
    /// A page with records that are missing.
    Fetch(String),
    History(String),
    Presence(String),
    /// What we have said to have read.
    Ack(String, u64),
    /// A record of ours, but for its place.
    Record(String, Item),
}

/// A request without an answer.
#[derive(Debug)]
pub(super) struct PendingRequest {
    op: String,
    fields: Item,
    then: Then,
    pub tickets: Vec<Ticket>,
}

impl Then {
    /// A room has another name.
    fn rename(&mut self, was: &str, name: &str) {
        match self {
            Self::Join(room)
            | Self::Leave(room)
            | Self::Send(room, _)
            | Self::Fetch(room)
            | Self::History(room)
            | Self::Presence(room)
            | Self::Ack(room, _)
            | Self::Record(room, _)
                if room == was =>
            {
                name.clone_into(room);
            }
            Self::Rooms(had, _) => {
                had.iter_mut().filter(|room| *room == was).for_each(|room| name.clone_into(room));
            }
            _ => {}
        }
    }
}

impl PendingRequest {
    /// A room has another name: the answer is about that.
    pub(super) fn rename(&mut self, was: &str, name: &str) {
        self.then.rename(was, name);
    }
}

impl Engine {
    /// Any request. It is repeated when the server asks for that soon; without a connection the
    /// answer is an error with code 0.
    pub fn request(&mut self, now: u64, op: &str, fields: Item) -> Ticket {
        self.now = now;
        self.request_then(op, fields, Then::Nothing)
    }

    pub(super) fn request_then(&mut self, op: &str, fields: Item, then: Then) -> Ticket {
        let ticket = self.new_ticket();
        if self.is_ready() {
            let id = self.ask(op, fields, then);
            self.add_ticket(id, ticket);
        } else {
            self.answers.push_back((ticket, Err(Error::offline())));
        }
        ticket
    }

    pub(super) fn new_ticket(&mut self) -> Ticket {
        self.next_id += 1;
        Ticket(self.next_id)
    }

    pub(super) fn add_ticket(&mut self, id: u64, ticket: Ticket) {
        if let Some(request) = self.pending.get_mut(&id) {
            request.tickets.push(ticket);
        }
    }

    pub(super) fn ask(&mut self, op: &str, fields: Item, then: Then) -> u64 {
        self.next_id += 1;
        let id = self.next_id;
        self.transmit(op, Some(id), &fields);
        let tickets = Vec::new();
        self.pending.insert(id, PendingRequest { op: op.to_owned(), fields, then, tickets });
        id
    }

    pub(super) fn ask_again(&mut self, id: u64) {
        let request =
            self.pending.get(&id).map(|request| (request.op.clone(), request.fields.clone()));
        if let Some((op, fields)) = request {
            self.transmit(&op, Some(id), &fields);
        }
    }

    pub(super) fn transmit(&mut self, op: &str, id: Option<u64>, fields: &Item) {
        if self.is_connected {
            let mut message = fields.clone();
            message.insert("op".to_owned(), op.into());
            if let Some(id) = id {
                message.insert("id".to_owned(), id.into());
            }
            self.actions.push_back(Action::Send(serde_json::Value::Object(message).to_string()));
        }
    }

    pub(super) fn answer_tickets(&mut self, tickets: &[Ticket], answer: &Result<Item, Error>) {
        self.answers.extend(tickets.iter().map(|ticket| (*ticket, answer.clone())));
    }

    pub(super) fn receive(&mut self, message: Item) {
        if text(&message, "ev").is_some() {
            return self.on_event(message);
        }
        let code = number(&message, "code").unwrap_or_default();
        let id = number(&message, "id").unwrap_or_default();
        let Some(mut request) = self.pending.remove(&id) else {
            if code != 0 {
                self.emit(Event::Problem(Error::of(&message)));
            }
            return;
        };
        let tickets = std::mem::take(&mut request.tickets);
        if code == 0 {
            let data = object(&message, "data");
            self.on_success(id, request.then, &data);
            return self.answer_tickets(&tickets, &Ok(data));
        }
        let error = Error::of(&message);
        let wait = error.retry_after_ms().filter(|wait| *wait <= RETRY_WAIT_MAX_MS);
        let is_repeated =
            !matches!(request.then, Then::Hello | Then::Send(..)) && request.op != NEVER_REPEATED;
        if let Some(wait) = wait.filter(|_| is_repeated) {
            request.tickets = tickets;
            self.pending.insert(id, request);
            return self.arm(Timer::Again(id), wait);
        }
        self.on_failure(id, request.then, &error);
        self.answer_tickets(&tickets, &Err(error));
    }

    fn on_success(&mut self, id: u64, then: Then, data: &Item) {
        match then {
            Then::Nothing | Then::History(_) => {}
            Then::Hello => self.on_welcome(data),
            Then::Rooms(had, listed) => self.on_inbox(data, had, listed),
            Then::Join(room) => self.on_joined(&room, data),
            Then::Create => {
                if let Some(room) = text(data, "room") {
                    let room = room.to_owned();
                    self.track(&room);
                    self.on_joined(&room, data);
                }
            }
            Then::Leave(room) => self.remove(&room, "left", None),
            Then::Send(room, cid) => self.on_sent(&room, &cid, data),
            Then::Fetch(room) => self.on_page(id, &room, array(data, "items")),
            Then::Presence(room) => self.set_presence(&room, data),
            Then::Ack(room, read) => self.on_acked(&room, number(data, "read").unwrap_or(read)),
            Then::Record(room, item) => self.on_changed(&room, item, data),
        }
    }

    fn on_failure(&mut self, id: u64, then: Then, error: &Error) {
        /// The log is another one: the answer to a join with the old position is a reset.
        const EPOCH_CHANGED: u16 = 4004;
        let is_other_log = error.code == EPOCH_CHANGED;
        match then {
            Then::Hello => self.on_hello_refused(error.clone()),
            Then::Join(room) => self.on_join_refused(&room, error),
            Then::Send(room, cid) => self.on_send_failed(&room, &cid, error.clone()),
            Then::Fetch(room) => {
                if is_other_log {
                    self.ask_to_join(&room);
                }
                self.on_page(id, &room, &[]);
            }
            Then::History(room) if is_other_log && self.rooms.contains_key(&room) => {
                self.ask_to_join(&room);
            }
            Then::Presence(room) => {
                if let Some(tracked) = self.rooms.get_mut(&room) {
                    tracked.is_asking = false;
                }
            }
            Then::Nothing
            | Then::History(_)
            | Then::Rooms(..)
            | Then::Create
            | Then::Leave(_)
            | Then::Ack(..)
            | Then::Record(..) => {}
        }
    }

    fn on_event(&mut self, mut event: Item) {
        let ev = text(&event, "ev").unwrap_or_default().to_owned();
        let room = text(&event, "room").unwrap_or_default().to_owned();
        let name = room.as_str();
        match ev.as_str() {
            "drain" => {
                let wait = number(&event, "reconnect_after_ms").unwrap_or_default();
                self.come_back_at = Some(self.now.saturating_add(wait));
            }
            "joined" => {
                self.track(name);
                self.on_joined(name, &event);
            }
            "invited" => self.on_invited(&event, "from"),
            "renamed" => self.on_renamed(name, text(&event, "name").unwrap_or(name)),
            "gone" => {
                let words = |key| text(&event, key).unwrap_or_default().to_owned();
                let (by, reason) = (words("from"), words("reason"));
                self.emit(Event::Gone { room, by, reason });
            }
            "profiles" => {
                let profiles = object(&event, "profiles");
                self.emit(Event::Profiles { room, profiles });
            }
            "reported" => {
                let room = text(&event, "room").map(str::to_owned);
                self.emit(Event::Reported { room });
            }
            _ if !self.rooms.contains_key(name) => {}
            "replay" => {
                for item in array(&event, "items") {
                    if let Some(item) = item.as_object() {
                        self.record(name, item.clone());
                    }
                }
                self.send_next(name);
            }
            "live" => self.become_live(name, number(&event, "seq").unwrap_or_default()),
            "gap" => {
                let bound = |key| number(&event, key).unwrap_or_default();
                self.gap(name, (bound("from"), bound("to")), text(&event, "why").unwrap_or("lost"));
            }
            "left" => self.remove(name, text(&event, "reason").unwrap_or("left"), None),
            "presence" => self.merge_presence(name, &event),
            "typing" => {
                let users = array(&event, "users").iter().filter_map(serde_json::Value::as_str);
                let users = users.filter(|user| Some(*user) != self.user()).map(str::to_owned);
                let users = users.collect();
                self.show_typing(name, users);
            }
            "receipts" => self.merge_receipts(name, &event),
            _ if event.contains_key("seq") => {
                event.remove("room");
                self.record(name, event);
            }
            _ => {}
        }
    }
}
