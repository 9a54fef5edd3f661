//! What the server tells, as lines above the one that is typed.

use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use chinwag_client::model::{number, text};
use chinwag_client::{Client, Event, Item, State, TokenEnd, other_in};

use super::show;
use super::view::Shared;
use crate::time::span::in_words;

/// Prints what is told until the client has ended.
pub(super) fn start(client: Arc<Client>, view: Shared) -> io::Result<JoinHandle<()>> {
    Builder::new().name("chat-events".to_owned()).spawn(move || {
        let mut told = Told { client: &client, view: &view, trouble: None };
        for event in client.events() {
            told.tell(event);
        }
    })
}

/// Why a client has ended.
pub(super) fn ended(state: &State) -> String {
    match state {
        State::Refused { token: Some(TokenEnd::Expired), .. } => "the token has expired".to_owned(),
        State::Refused { token: Some(TokenEnd::Ended), .. } => "this login was ended".to_owned(),
        State::Refused { error: Some(error), .. } => error.to_string(),
        State::Refused { close: Some(4010), .. } => "this session goes on elsewhere".to_owned(),
        State::Refused { close: Some(close), .. } => {
            format!("the server has closed the connection with {close}")
        }
        _ => "the conversation is over".to_owned(),
    }
}

struct Told<'a> {
    client: &'a Client,
    view: &'a Shared,
    /// What was said last about a connection that is lost.
    trouble: Option<String>,
}

impl Told<'_> {
    fn tell(&mut self, event: Event) {
        let me = self.client.user().unwrap_or_default();
        match event {
            Event::State(state) => self.tell_state(&state),
            Event::Record { room, item } => self.tell_record(&room, &item, &me),
            Event::Gap { room, from, to, why } => {
                let what = match (why.as_str(), to.saturating_sub(from) + 1) {
                    ("pruned", 1) => "1 older message is no longer kept".to_owned(),
                    ("pruned", count) => format!("{count} older messages are no longer kept"),
                    (_, count) => format!("{count} messages are left out"),
                };
                self.view.lock().say(&format!("-- {what} ({}) --", show::name(&room)));
            }
            Event::Reset { room, .. } => {
                let mut view = self.view.lock();
                view.forget(&room);
                view.say(&format!(
                    "-- {} begins again: its log is a new one --",
                    show::name(&room)
                ));
            }
            Event::Presence { room, on, away, off } => {
                self.tell_presence(&room, &[(on, "here"), (away, "away"), (off, "gone")]);
            }
            Event::Renamed { room, was } => {
                let mut view = self.view.lock();
                view.rename(&was, &room);
                view.say(&format!(
                    "-- {} is called {} now --",
                    show::name(&was),
                    show::name(&room)
                ));
            }
            Event::Gone { room, by, reason } => {
                let why = if reason.is_empty() {
                    String::new()
                } else {
                    format!(": {}", show::line(&reason))
                };
                let (by, room) = (show::name(&by), show::name(&room));
                self.view.lock().say(&format!("-- {by} has closed {room}{why} --"));
            }
            Event::Left { room, reason, error } => self.tell_left(&room, &reason, error.as_ref()),
            Event::Invited { room, by, reason } => {
                self.view.lock().say(&show::invited(&room, by.as_deref(), &reason));
            }
            Event::Reported { room } => {
                let place =
                    room.map_or_else(String::new, |room| format!(" in {}", show::name(&room)));
                self.view.lock().say(&format!("-- something was reported{place}: /reports --"));
            }
            Event::Outbox { entry, outcome: Err(error) } => {
                let text = show::line(&entry.text);
                let mut view = self.view.lock();
                view.typed.remove(&entry.cid);
                view.complain(&format!("not sent: {text} ({})", show::refusal(&error)));
            }
            Event::Problem(error) => self.view.lock().complain(&show::refusal(&error)),
            Event::Changed { room } => {
                if self.client.room(&room).is_some_and(|room| room.unread == 0) {
                    self.view.lock().note_read(&room);
                }
            }
            Event::Profiles { profiles, .. } => self.view.lock().displays.note(&profiles),
            Event::Outbox { .. } | Event::Live { .. } => {}
        }
    }

    /// Who comes and goes in the room that is looked at.
    fn tell_presence(&self, room: &str, changes: &[(Vec<String>, &str); 3]) {
        let mut view = self.view.lock();
        if view.current.as_deref() != Some(room) {
            return;
        }
        for (users, what) in changes.iter().filter(|(users, _)| !users.is_empty()) {
            let shown: Vec<_> = users.iter().map(|user| show::name(user)).collect();
            let verb = if shown.len() == 1 { "is" } else { "are" };
            view.say(&format!("* {} {verb} {what}", shown.join(", ")));
        }
    }

    /// A connection that is lost is told once, however many tries it takes.
    fn tell_state(&mut self, state: &State) {
        if self.view.lock().is_leaving {
            return;
        }
        if *state == State::Ready {
            self.view.lock().displays.forget();
        }
        let remark = match state {
            State::Ready => self.trouble.take().map(|_| "-- connected again --".to_owned()),
            State::Connecting | State::Stopped => None,
            State::Waiting { announced: true, retry_ms, .. } => {
                let remark = format!("-- the server restarts; back in {} --", in_words(*retry_ms));
                self.trouble = Some(remark.clone());
                Some(remark)
            }
            State::Waiting { .. } if self.trouble.is_some() => None,
            State::Waiting { .. } => {
                let remark = "-- the connection is lost; trying again --".to_owned();
                self.trouble = Some(remark.clone());
                Some(remark)
            }
            State::Refused { .. } => {
                let what = format!("{}; press Enter to leave", ended(state));
                return self.view.lock().complain(&what);
            }
        };
        if let Some(remark) = remark {
            self.view.lock().say(&remark);
        }
    }

    fn tell_record(&self, room: &str, item: &Item, me: &str) {
        // Asked before it is looked where one is: one may go elsewhere meanwhile.
        if room.starts_with('@') || self.view.lock().current.as_deref() == Some(room) {
            self.view.learn(self.client, &[item.clone().into()]);
        }
        let mut view = self.view.lock();
        let is_current = view.current.as_deref() == Some(room);
        if !is_current && !room.starts_with('@') {
            let is_news = self.client.room(room).is_some_and(|room| room.unread > 0);
            if is_news && show::names(item, me) {
                view.is_first_unread(room);
                let room = show::name(room);
                let who = show::name(text(item, "from").unwrap_or_default());
                view.say(&format!("-- {who} names you in {room}: /join {room} --"));
            } else if is_news && view.is_first_unread(room) {
                let room = show::name(room);
                view.say(&format!("-- something is unread in {room}: /join {room} --"));
            }
            return;
        }
        let Some(shown) = view.render(room, item, me) else { return };
        if is_current {
            view.print(&shown);
            drop(view);
            if let Some(seq) = number(item, "seq") {
                self.client.read(room, seq);
            }
        } else {
            let other = show::name(other_in(room, me).unwrap_or_default());
            let remark = view.style.faint(&format!("[@{other}]"));
            view.print(&format!("{remark} {shown}"));
        }
    }

    fn tell_left(&self, room: &str, reason: &str, error: Option<&chinwag_client::Error>) {
        let mut view = self.view.lock();
        view.forget(room);
        if view.current.as_deref() == Some(room) {
            view.current = None;
        }
        let me = self.client.user().unwrap_or_default();
        let room = other_in(room, &me).map_or_else(
            || show::name(room),
            |other| format!("the conversation with {}", show::name(other)),
        );
        match (reason, error) {
            ("kicked", _) => view.say(&format!("-- you were removed from {room} --")),
            // Who has closed it, and why, was said before.
            ("closed", _) => {}
            ("banned", _) => view.say(&format!("-- you are banned from {room} --")),
            (_, Some(error)) => view.complain(&format!("{room}: {}", show::refusal(error))),
            _ => view.say(&format!("-- you have left {room} --")),
        }
    }
}
