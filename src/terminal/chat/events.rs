//! What the server tells, as lines above the one that is typed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::{io, iter};

use chinwag_client::model::{number, text};
use chinwag_client::{Client, Event, Item, State, TokenEnd, other_in};

use super::show;
use super::view::Shared;
use crate::chat::model::limits::PROFILES_PAGE_MAX;
use crate::time::span::in_words;

/// Users whose display names may wait to be asked for; of more it is asked when they speak again.
const AWAITED_MAX: usize = 1_000;

/// Prints what is told until the client has ended. Another thread asks what those are called who
/// speak: a message is not kept waiting for that.
pub(super) fn start(client: Arc<Client>, view: Shared) -> io::Result<JoinHandle<()>> {
    let (awaited, users) = sync_channel(AWAITED_MAX);
    let (asking, shared) = (Arc::clone(&client), view.clone());
    Builder::new()
        .name("chat-names".to_owned())
        .spawn(move || learn_names(&asking, &shared, &users))?;
    Builder::new().name("chat-events".to_owned()).spawn(move || {
        let mut told = Told { client: &client, view: &view, awaited, trouble: None };
        for event in client.events() {
            told.tell(event);
        }
    })
}

/// Asks what users are called, and says it: what they have said is on the screen without it.
fn learn_names(client: &Client, view: &Shared, users: &Receiver<String>) {
    while let Ok(first) = users.recv() {
        let more = users.try_iter().take(PROFILES_PAGE_MAX - 1);
        let unknown: BTreeSet<String> = iter::once(first).chain(more).collect();
        // As they were shown: an event may tell of them while they are asked for.
        let displays = |view: &super::view::View| {
            unknown.iter().map(|user| view.displays.beside(user)).collect()
        };
        let before: Vec<_> = displays(&view.lock());
        let mut view = view.ask(client, unknown.clone());
        for user in &unknown {
            view.displays.give_up(user);
        }
        for (user, before) in unknown.iter().zip(before) {
            let display = view.displays.beside(user);
            if !display.is_empty() && display != before {
                view.say(&format!("-- {}{display} --", show::name(user)));
            }
        }
    }
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
    /// Those whose display names are to be asked for.
    awaited: SyncSender<String>,
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
                self.tell_presence(&room, &me, &[(on, "here"), (away, "away"), (off, "gone")]);
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
            Event::Profiles { profiles, .. } => self.view.lock().note_profiles(&profiles),
            Event::Outbox { .. } | Event::Live { .. } => {}
        }
    }

    /// Which others come and go in the room that is looked at.
    fn tell_presence(&self, room: &str, me: &str, changes: &[(Vec<String>, &str); 3]) {
        let mut view = self.view.lock();
        if view.current.as_deref() != Some(room) {
            return;
        }
        for (users, what) in changes {
            let others = users.iter().filter(|user| *user != me);
            let shown: Vec<_> = others.map(|user| show::name(user)).collect();
            if shown.is_empty() {
                continue;
            }
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
            // Changes of them were not told while there was no connection.
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
        let mut view = self.view.lock();
        if view.is_held(room, item) {
            return;
        }
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
        // Asked for by another thread: this one goes on printing.
        if let Some(author) = view.wanted_author(item)
            && let Err(TrySendError::Full(author) | TrySendError::Disconnected(author)) =
                self.awaited.try_send(author)
        {
            view.displays.give_up(&author);
        }
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use chinwag_client::Options;
    use serde_json::json;

    use super::super::view::View;
    use super::*;
    use crate::terminal::Style;

    struct Printed(std::sync::mpsc::Sender<String>);

    impl rustyline::ExternalPrinter for Printed {
        fn print(&mut self, lines: String) -> rustyline::Result<()> {
            self.0.send(lines).unwrap();
            Ok(())
        }
    }

    #[test]
    fn a_message_is_shown_before_anybody_is_asked_what_its_author_is_called() {
        // Nobody answers there.
        let client = Client::start("ws://127.0.0.1:1", Options::named("me")).unwrap();
        let view = Shared::new(View::new(Style { has_colours: false }));
        let (printer, printed) = channel();
        view.lock().set_printer(Box::new(Printed(printer)));
        view.lock().focus("lobby");
        let (awaited, users) = sync_channel(1);
        let told = Told { client: &client, view: &view, awaited, trouble: None };
        let said = |from: &str, seq: u64, text: &str| {
            let item = json!({"ev": "message", "seq": seq, "at": 0, "from": from, "text": text});
            told.tell_record("lobby", item.as_object().unwrap(), "me");
        };
        said("ann", 1, "one");
        said("ann", 2, "two");
        // There is no place for a second one: it is asked for when he speaks again.
        said("bob", 3, "three");
        for text in ["ann: one", "ann: two", "bob: three"] {
            assert_eq!(printed.try_recv().unwrap(), format!("{text}\n"));
        }
        assert_eq!(users.try_iter().collect::<Vec<_>>(), ["ann"]);
        said("bob", 4, "four");
        assert_eq!(users.try_iter().collect::<Vec<_>>(), ["bob"]);
        assert_eq!(printed.try_recv().unwrap(), "bob: four\n");
        // What comes while the page of a room is asked for comes after it.
        view.lock().hold("lobby");
        said("ann", 5, "five");
        printed.try_recv().unwrap_err();
        let held: Vec<_> = view.lock().release().filter_map(|item| number(&item, "seq")).collect();
        assert_eq!(held, [5]);
        client.stop();
    }

    #[test]
    fn a_person_is_told_who_else_comes_and_nothing_of_itself() {
        let client = Client::start("ws://127.0.0.1:1", Options::named("me")).unwrap();
        let view = Shared::new(View::new(Style { has_colours: false }));
        let (printer, printed) = channel();
        view.lock().set_printer(Box::new(Printed(printer)));
        view.lock().focus("lobby");
        let (awaited, _users) = sync_channel(1);
        let told = Told { client: &client, view: &view, awaited, trouble: None };
        let users = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let change =
            [(users(&["me", "ann"]), "here"), (users(&["me"]), "away"), (users(&[]), "gone")];
        told.tell_presence("lobby", "me", &change);
        assert_eq!(printed.try_iter().collect::<Vec<_>>(), ["* ann is here\n"]);
        client.stop();
    }
}
