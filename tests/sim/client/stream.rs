//! A client that reads rooms by Server-Sent Events, as `EventSource` does: it comes back with the
//! id of the last event, and is told everything once.

use serde_json::Value;

use super::{Client, Connection, Context};
use crate::history::{Check, People, View, number, text};

impl Client {
    /// Asks for the stream of one room or of all, with what it has of them.
    pub(super) fn ask_for_stream(&mut self, conn: &mut Connection, context: &mut Context<'_>) {
        conn.said_hello = true;
        let rooms = context.plan.rooms;
        conn.streamed = if self.rng.once_in(2) {
            rooms.iter().map(|&room| room.to_owned()).collect()
        } else {
            vec![(*self.rng.pick(rooms)).to_owned()]
        };
        let target = match &*conn.streamed {
            [room] => format!("/rooms/{room}/events?as={}", self.name),
            rooms => format!("/events?room={}&as={}", rooms.join("&room="), self.name),
        };
        let mut ids = Vec::new();
        for room in &conn.streamed {
            let Some((epoch, seq)) = self.positions.get(room) else {
                ids.push("-".to_owned());
                continue;
            };
            ids.push(format!("{epoch}:{seq}"));
            context.trace.told.returned += 1;
            let log = context.history.log(room, epoch);
            conn.views.insert(room.clone(), View::new(log, seq + 1, true));
        }
        let id = ids.join(",");
        let head =
            format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nLast-Event-ID: {id}\r\n\r\n");
        conn.out.extend_from_slice(head.as_bytes());
    }

    /// The stream begins, or does not: nobody has made a room yet, say.
    pub(super) fn on_stream_head(
        &mut self,
        conn: &mut Connection,
        context: &mut Context<'_>,
        status: u16,
    ) -> Check {
        match status {
            200 => {
                conn.greeted = true;
                context.links[conn.link].story.greeted = true;
                Ok(())
            }
            404 | 408 | 409 | 503 => {
                conn.views.clear();
                self.say_bye(conn, context);
                Ok(())
            }
            _ => Err(format!("a stream was answered with {status}")),
        }
    }

    /// Hears one event.
    pub(super) fn on_stream_event(
        &mut self,
        conn: &mut Connection,
        context: &mut Context<'_>,
        (id, said): (&str, &str),
    ) -> Check {
        let result = serde_json::from_str(said)
            .map_err(|error| error.to_string())
            .and_then(|value| self.stream_event(conn, context, id, &value));
        result.map_err(|fault| format!("{fault}; client {} heard {said:.400}", self.id))
    }

    fn stream_event(
        &mut self,
        conn: &mut Connection,
        context: &mut Context<'_>,
        id: &str,
        value: &Value,
    ) -> Check {
        match text(value, "ev")? {
            "drain" => {
                conn.drain = Some(number(value, "reconnect_after_ms")?);
                return Ok(());
            }
            "bye" => {
                conn.told = u16::try_from(number(value, "close")?).ok();
                self.say_bye(conn, context);
                return Ok(());
            }
            _ => {}
        }
        let room = People::room(value)?;
        let view = conn.views.get_mut(room);
        match (text(value, "ev")?, view) {
            ("refused" | "left", _) => _ = conn.views.remove(room),
            ("reset", Some(view)) => {
                let log = context.history.log(room, text(value, "epoch")?);
                *view = View::new(log, number(value, "seq")? + 1, true);
            }
            // It began at the head.
            ("live", None) => {
                let place = conn.streamed.iter().position(|streamed| streamed == room);
                let epoch = place.and_then(|place| id.split(',').nth(place)?.split_once(':'));
                let (epoch, _) = epoch.ok_or_else(|| format!("no position of {room} in {id}"))?;
                let log = context.history.log(room, epoch);
                conn.views
                    .insert(room.to_owned(), View::new(log, number(value, "seq")? + 1, false));
            }
            ("live", Some(view)) => {
                // It is not told that it was behind, since it gets the same as who was not.
                view.behind = true;
                view.live(context.history, value)?;
            }
            ("gap", Some(view)) => {
                context.trace.told.gaps += 1;
                view.gap(value)?;
            }
            (_, Some(view)) => {
                context.trace.told.streamed += 1;
                view.streamed_record(context.history, value, &self.name, context.now)?;
            }
            (_, None) => return Err(format!("an event of {room}, which is not read")),
        }
        Ok(())
    }
}
