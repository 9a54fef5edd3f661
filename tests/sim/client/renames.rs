//! A room that is given other names, by any of which clients speak of it; and what users say of
//! themselves.
//!
//! For all else the room is the one of its first name: names are put in place of it when something
//! is asked, and it in place of them when something is heard.

use chinwag::chat::Op;
use chinwag::wire::client::Field;
use serde_json::Value;

use super::replies::{answer_of, place};
use super::{Client, Connection, Context, Pending};
use crate::history::{Check, History, text};
use crate::plan::{Plan, RENAMED_ROOM};

const ROOM_EXISTS: u64 = 3002;
const FORBIDDEN: u64 = 3004;
const TOO_LARGE: u64 = 4001;

/// What the room is called, in turn: more than it may have had.
const NAMES: &[&str] = &[
    "wander-oak",
    "wander-elm",
    "wander-fir",
    "wander-yew",
    "wander-ash",
    "wander-fig",
    "wander-pine",
    "wander-rowan",
    "wander-maple",
    "wander-hazel",
];

impl Client {
    /// Makes the room, goes in, or gives it another name.
    pub(super) fn rename(&mut self, conn: &mut Connection, context: &mut Context<'_>) {
        if conn.pending.values().any(|pending| pending.room() == Some(RENAMED_ROOM)) {
            return;
        }
        if !context.history.names.is_made {
            context.history.names.ask_to_make(&self.name);
            let known = context.history.known(&self.name);
            let fields = [("room", Field::Text(RENAMED_ROOM))];
            return self.ask(conn, context, (Op::Create, &fields), Pending::CreateNamed { known });
        }
        if !conn.views.contains_key(RENAMED_ROOM) {
            return self.join_room(conn, context, RENAMED_ROOM);
        }
        // Others try it now and then.
        if !context.history.names.may_own(&self.name) && !self.rng.once_in(8) {
            return;
        }
        let given = context.history.names.given();
        let name = if self.rng.once_in(3) {
            self.rng.pick(given).clone()
        } else {
            (*self.rng.pick(NAMES)).to_owned()
        };
        context.history.names.ask(&name, &self.name);
        let fields = [("room", Field::Text(RENAMED_ROOM)), ("name", Field::Text(&name))];
        let pending = Pending::Rename { name: name.clone() };
        self.ask(conn, context, (Op::Rename, &fields), pending);
    }

    /// Whether the room may be refused to be made, or another name, with this code.
    pub(super) fn may_be_unnamed(history: &mut History, code: u64, pending: &Pending) -> bool {
        match pending {
            Pending::CreateNamed { .. } if code == ROOM_EXISTS => {
                history.names.on_made();
                true
            }
            Pending::Rename { .. } => {
                // Only one of those who have asked to make it owns it.
                matches!(code, TOO_LARGE | FORBIDDEN)
            }
            _ => false,
        }
    }

    /// What was asked about names is so.
    pub(super) fn succeeded_in_naming(
        &mut self,
        (conn, context): (&mut Connection, &mut Context<'_>),
        pending: Pending,
        data: &Value,
    ) -> Check {
        match pending {
            Pending::CreateNamed { known } => {
                context.history.names.on_made();
                context.history.entered(RENAMED_ROOM, &self.name, &known);
                self.joined(conn, context, (RENAMED_ROOM.to_owned(), None), data)
            }
            Pending::Rename { name } => {
                context.history.names.give(&name);
                let answer = answer_of(data, false)?;
                let said = crate::history::renaming(answer.seq, &name);
                place(conn, context, (RENAMED_ROOM, answer), ("rename", &self.name, &said), data)
            }
            _ => {
                if matches!(pending, Pending::Profiles { all: true }) {
                    conn.profiles.clear();
                }
                Self::told_profiles(conn, context.history, data)
            }
        }
    }

    /// One of the names by which the room can be spoken of.
    pub(super) fn some_name(&mut self, history: &History) -> String {
        match history.names.given() {
            [.., last] if self.rng.once_in(2) => last.clone(),
            [] => RENAMED_ROOM.to_owned(),
            given => self.rng.pick(given).clone(),
        }
    }

    /// Says something else of itself.
    pub(super) fn change_profile(&mut self, conn: &mut Connection, context: &mut Context<'_>) {
        self.said += 1;
        let text = format!("busy {}-{}", self.id, self.said);
        let display = format!("Number {}-{}", self.id, self.said);
        for said in [&text, &display] {
            context.history.say_of_oneself(&self.name, said);
        }
        let fields = [("text", Field::Text(&text)), ("display", Field::Text(&display))];
        let fields = match self.rng.below(3) {
            0 => &fields[..1],
            1 => &fields[1..],
            _ => &fields[..],
        };
        self.ask(conn, context, (Op::Profile, fields), Pending::Profiles { all: false });
    }

    /// Asks what all others say of themselves.
    pub(crate) fn ask_profiles(&mut self, conn: &mut Connection, context: &mut Context<'_>) {
        let names = format!("{:?}", Plan::users());
        let fields = [("users", Field::Json(&names))];
        self.ask(conn, context, (Op::Whois, &fields), Pending::Profiles { all: true });
    }

    /// Is told what some say of themselves.
    pub(super) fn told_profiles(conn: &mut Connection, history: &History, value: &Value) -> Check {
        let profiles = value.get("profiles").and_then(Value::as_object);
        for (user, profile) in profiles.ok_or("no profiles")? {
            let said = ["display", "text"].map(|key| profile.get(key).and_then(Value::as_str));
            let said = said.map(|said| said.unwrap_or_default().to_owned());
            if let Some(other) = said.iter().find(|said| !history.is_said_of(user, said)) {
                return Err(format!("{user} does not say {other:?} of itself"));
            }
            conn.profiles.insert(user.clone(), said);
        }
        Ok(())
    }

    /// The room has another name from now on.
    pub(super) fn told_renamed(
        conn: &mut Connection,
        history: &mut History,
        value: &Value,
    ) -> Check {
        let (was, name) = (text(value, "room")?, text(value, "name")?);
        if !history.names.is_one(was) || !history.names.is_one(name) || was == name {
            return Err("a name that nobody has asked for".to_owned());
        }
        if !conn.views.contains_key(RENAMED_ROOM) {
            return Err("it does not read the room that is renamed".to_owned());
        }
        if conn.called.as_deref().is_some_and(|called| called != was) {
            return Err(format!("it was called {:?}", conn.called));
        }
        history.names.give(name);
        conn.called = Some(name.to_owned());
        Ok(())
    }
}

/// Puts the room's first name in place of all others; an event that names it has to have the one
/// that was told last.
pub(super) fn unname(conn: &mut Connection, history: &History, value: &mut Value) -> Check {
    let called = value.get("room").and_then(Value::as_str).filter(|it| history.names.is_one(it));
    if value.get("ev").is_some()
        && let Some(called) = called
        && conn.views.contains_key(RENAMED_ROOM)
    {
        match &conn.called {
            Some(known) if known != called => {
                return Err(format!("it is called {called}, and was told to be {known}"));
            }
            _ => conn.called = Some(called.to_owned()),
        }
    }
    unname_in(history, value);
    Ok(())
}

fn unname_in(history: &History, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(room)) = fields.get_mut("room")
                && history.names.is_one(room)
            {
                RENAMED_ROOM.clone_into(room);
            }
            if let Some(Value::Object(rooms)) = fields.get_mut("rooms") {
                let named = rooms.keys().find(|room| history.names.is_one(room)).cloned();
                if let Some(how) = named.and_then(|named| rooms.remove(&named)) {
                    rooms.insert(RENAMED_ROOM.to_owned(), how);
                }
            }
            fields.values_mut().for_each(|value| unname_in(history, value));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| unname_in(history, value)),
        _ => {}
    }
}
