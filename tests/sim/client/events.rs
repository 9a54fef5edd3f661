//! What a client makes of events.

use chinwag::chat::Op;
use serde_json::Value;

use super::renames::unname;
use super::{Client, Connection, Context};
use crate::codec::Kind;
use crate::history::{Check, Known, People, View, number, people, text};
use crate::plan::MODERATED_ROOM;

impl Client {
    /// Hears one text of the server's.
    pub(super) fn on_text(
        &mut self,
        conn: &mut Connection,
        context: &mut Context<'_>,
        said: &str,
    ) -> Check {
        if self.kind == Kind::Text {
            conn.greeted = true;
            context.links[conn.link].story.greeted = true;
            return Ok(());
        }
        let mut value: Value =
            serde_json::from_str(said).map_err(|error| format!("{error}: {said}"))?;
        let result = self.take(conn, context, &mut value);
        result.map_err(|fault| {
            format!("{fault}; client {} ({}) heard {said:.400}", self.id, self.name)
        })
    }

    fn take(
        &mut self,
        conn: &mut Connection,
        context: &mut Context<'_>,
        value: &mut Value,
    ) -> Check {
        let event = value.get("ev").and_then(Value::as_str).map(str::to_owned);
        if event.as_deref() == Some("renamed") {
            return Self::told_renamed(conn, context.history, value);
        }
        if context.plan.nodes > 1 {
            unname(conn, context.history, value)?;
        }
        match (event, value.get("code")) {
            (Some(event), None) => self.event(conn, context, &event, value),
            (None, Some(_)) => self.reply(conn, context, value),
            _ => Err("neither an event nor a reply, or both".to_owned()),
        }
    }

    fn event(
        &mut self,
        conn: &mut Connection,
        context: &mut Context<'_>,
        event: &str,
        value: &Value,
    ) -> Check {
        match event {
            "message" | "topic" | "edit" | "deletion" | "moderation" | "rename" => {
                let view = find(conn, value)?;
                view.live_record(context.history, value, &self.name, context.now)
            }
            "replay" => find(conn, value)?.replay(context.history, value, &self.name, context.now),
            "gap" => {
                context.trace.told.gaps += 1;
                find(conn, value)?.gap(value)
            }
            "live" => find(conn, value)?.live(context.history, value),
            "profiles" => {
                find(conn, value)?;
                Self::told_profiles(conn, context.history, value)
            }
            "presence" => find(conn, value)?.people.presence(value),
            "typing" => find(conn, value)?.people.typing(value, &self.name),
            "receipts" => self.receipts(conn, context, value),
            "joined" => self.told_joined(conn, context, value),
            "gone" => {
                let by = text(value, "from")?;
                let is_asked = context.history.is_act_asked(Op::Close.name(), by)
                    && People::room(value)? == MODERATED_ROOM;
                is_asked.then_some(()).ok_or_else(|| format!("{by} has not asked for that"))
            }
            "left" => self.told_left(conn, context, value),
            "invited" => {
                if People::room(value)? != MODERATED_ROOM {
                    return Err("invited to another room".to_owned());
                }
                context.history.check_invited(&self.name)?;
                if !conn.views.contains_key(MODERATED_ROOM) && !conn.closing {
                    self.enter_moderated_room(conn, context);
                }
                Ok(())
            }
            "drain" => {
                let (after, window) =
                    (number(value, "reconnect_after_ms")?, number(value, "window_ms")?);
                if after > window || !context.plan.drains(context.now) {
                    return Err("a drain that was not due".to_owned());
                }
                conn.drain = Some(after);
                Ok(())
            }
            "ping" => {
                self.put(conn, context, r#"{"op":"ping"}"#);
                Ok(())
            }
            "bye" => {
                conn.told = u16::try_from(number(value, "close")?).ok();
                self.say_bye(conn, context);
                Ok(())
            }
            _ => Err(format!("an unknown event {event}")),
        }
    }

    fn told_left(
        &mut self,
        conn: &mut Connection,
        context: &mut Context<'_>,
        value: &Value,
    ) -> Check {
        let room = People::room(value)?;
        context.trace.told.ended += usize::from(text(value, "reason")? == "closed");
        let is_put_out = matches!(text(value, "reason")?, "kicked" | "banned");
        context.trace.told.put_out += usize::from(is_put_out);
        context.history.ended(room, &self.name);
        let view = conn.views.remove(room);
        self.positions.remove(room);
        conn.acked.remove(room);
        conn.own.remove(room);
        conn.pending.values_mut().for_each(|pending| pending.note_left(room));
        if let Some(view) = view {
            context.history.forget_read(view.log, &self.name);
        }
        Ok(())
    }

    /// What it has received and read is so, by the answer.
    pub(super) fn acked(
        &self,
        (conn, context): (&mut Connection, &mut Context<'_>),
        (room, read, before): (String, u64, &Known),
        data: &Value,
    ) -> Check {
        let (recv, had) = (number(data, "recv")?, number(data, "read")?);
        let known = conn.acked.insert(room.clone(), (recv, had)).unwrap_or_default();
        if had < read || recv < known.0 || had < known.1 {
            return Err(format!("the marks went back from {known:?}, {read} was read"));
        }
        let Some(view) = conn.views.get(&room) else { return Ok(()) };
        if context.plan.nodes == 1 {
            context.history.check_read((view.log, &self.name), before, had)?;
        }
        if !context.history.is_settled(&room, &self.name, before) {
            return Ok(());
        }
        context.history.acked(view.log, &self.name, (recv, had))
    }

    /// At this device by another one, or again, since the log of the room has begun anew.
    fn told_joined(
        &mut self,
        conn: &mut Connection,
        context: &mut Context<'_>,
        value: &Value,
    ) -> Check {
        let room = People::room(value)?;
        let log = context.history.log(room, text(value, "epoch")?);
        let mut view = View::new(log, number(value, "seq")? + 1, false);
        if let Some(before) = conn.views.remove(room) {
            if before.log == log || context.plan.nodes == 1 {
                return Err(format!("joined to {room} again"));
            }
            // Its log has begun anew.
            view.people = before.people;
            view.people.receipts.clear();
            conn.acked.remove(room);
            conn.own.remove(room);
        }
        conn.views.insert(room.to_owned(), view);
        self.look_around(conn, context, room);
        Ok(())
    }

    /// The user's own marks are told in all of its rooms, subscribed or not.
    fn receipts(&self, conn: &mut Connection, context: &Context<'_>, value: &Value) -> Check {
        if value.get("own").is_some() {
            let room = People::room(value)?;
            // Who does not read the room is not told that its log has begun anew.
            if context.history.is_cut(room) && !conn.views.contains_key(room) {
                conn.own.remove(room);
            }
            return people::rise(&mut conn.own, value, &self.name);
        }
        find(conn, value)?.people.receipts(value, &self.name)
    }

    /// Asks who is there, as a client does that has just come.
    pub(super) fn look_around(
        &mut self,
        conn: &mut Connection,
        context: &mut Context<'_>,
        room: &str,
    ) {
        if conn.closing {
            return;
        }
        let field = [("room", chinwag::wire::client::Field::Text(room))];
        let pending = super::Pending::Presence { room: room.to_owned() };
        self.ask(conn, context, (Op::Presence, &field), pending);
    }
}

/// The view that an event is about; nobody is told of rooms that it has not subscribed to.
fn find<'t>(conn: &'t mut Connection, value: &Value) -> Check<&'t mut View> {
    let room = People::room(value)?;
    conn.views.get_mut(room).ok_or_else(|| format!("an event of {room}, which is not subscribed"))
}
