//! What a client makes of events.

use chinwag::chat::Op;
use serde_json::Value;

use super::{Around, Client, Talk};
use crate::codec::Kind;
use crate::hist::{Check, People, View, number, text};
use crate::plan::DEN;

impl Client {
    /// Hears one text of the server's.
    pub(super) fn hear(&mut self, talk: &mut Talk, around: &mut Around<'_>, said: &str) -> Check {
        if self.kind == Kind::Person {
            talk.greeted = true;
            around.links[talk.link].story.greeted = true;
            return Ok(());
        }
        let value: Value =
            serde_json::from_str(said).map_err(|error| format!("{error}: {said}"))?;
        let result = match (value.get("ev").and_then(Value::as_str), value.get("code")) {
            (Some(event), None) => self.event(talk, around, event, &value),
            (None, Some(_)) => self.reply(talk, around, &value),
            _ => Err("neither an event nor a reply, or both".to_owned()),
        };
        result.map_err(|fault| {
            format!("{fault}; client {} ({}) heard {said:.400}", self.id, self.name)
        })
    }

    fn event(
        &mut self,
        talk: &mut Talk,
        around: &mut Around<'_>,
        event: &str,
        value: &Value,
    ) -> Check {
        match event {
            "message" | "topic" | "edit" | "deletion" | "moderation" => {
                let view = find(talk, value)?;
                view.live_record(around.hist, value, &self.name, around.now)
            }
            "replay" => find(talk, value)?.replay(around.hist, value, &self.name, around.now),
            "gap" => {
                around.trace.gaps += 1;
                find(talk, value)?.gap(value)
            }
            "live" => find(talk, value)?.live(around.hist, value),
            "presence" => find(talk, value)?.people.presence(value),
            "typing" => find(talk, value)?.people.typing(value, &self.name),
            "receipts" => find(talk, value)?.people.receipts(value, &self.name),
            "joined" => {
                let room = People::room(value)?;
                if talk.views.contains_key(room) {
                    return Err(format!("joined to {room} again"));
                }
                let log = around.hist.log(room, text(value, "epoch")?);
                let view = View::new(log, number(value, "seq")? + 1, false);
                talk.views.insert(room.to_owned(), view);
                self.look_around(talk, around, room);
                Ok(())
            }
            "left" => {
                let room = People::room(value)?;
                let is_put_out = matches!(text(value, "reason")?, "kicked" | "banned");
                around.trace.put_out += usize::from(is_put_out);
                around.hist.ended(room, &self.name);
                let view = talk.views.remove(room);
                self.positions.remove(room);
                talk.acked.remove(room);
                if let Some(view) = view {
                    around.hist.forget_read(view.log, &self.name);
                }
                Ok(())
            }
            "invited" => {
                let is_den = People::room(value)? == DEN;
                is_den.then_some(()).ok_or_else(|| "invited to another room".to_owned())?;
                around.hist.check_invited(&self.name)?;
                if !talk.views.contains_key(DEN) && !talk.closing {
                    self.enter_den(talk, around);
                }
                Ok(())
            }
            "drain" => {
                let (after, window) =
                    (number(value, "reconnect_after_ms")?, number(value, "window_ms")?);
                if after > window || !around.plan.drains(around.now) {
                    return Err("a drain that was not due".to_owned());
                }
                talk.drain = Some(after);
                Ok(())
            }
            "ping" => {
                self.put(talk, around, r#"{"op":"ping"}"#);
                Ok(())
            }
            "bye" => {
                talk.told = u16::try_from(number(value, "close")?).ok();
                self.say_bye(talk, around);
                Ok(())
            }
            _ => Err(format!("an unknown event {event}")),
        }
    }

    /// Asks who is there, as a client does that has just come.
    pub(super) fn look_around(&mut self, talk: &mut Talk, around: &mut Around<'_>, room: &str) {
        if talk.closing {
            return;
        }
        let field = [("room", chinwag::wire::client::Field::Text(room))];
        let asked = super::Asked::Presence { room: room.to_owned() };
        self.ask(talk, around, (Op::Presence, &field), asked);
    }
}

/// The view that an event is about; nobody is told of rooms that it has not subscribed to.
fn find<'t>(talk: &'t mut Talk, value: &Value) -> Check<&'t mut View> {
    let room = People::room(value)?;
    talk.views.get_mut(room).ok_or_else(|| format!("an event of {room}, which is not subscribed"))
}
