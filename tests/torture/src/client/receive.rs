//! What a client does with each message of the server.

use std::time::Duration;

use chinwag::wire::client::Word;
use serde_json::Value;

use super::{Client, Context, Request};
use crate::Outcome;
use crate::observed::{Ack, Mark, ServerMessage, Sighting, What};

/// Own messages that are remembered, to be changed.
const OWN_MAX: usize = 32;
/// Messages that are remembered, and characters of each.
const RECENT_MAX: usize = 12;
const RECENT_CHARS: usize = 160;
/// Codes that say by `retry_after_ms` to come again.
const LATER: [u16; 4] = [5001, 5004, 5005, 5006];

impl Client {
    /// Takes one message of the server's.
    pub(crate) fn receive(&mut self, text: &str, context: &mut Context) -> Outcome<()> {
        if self.recent.len() == RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(text.chars().take(RECENT_CHARS).collect());
        let message = ServerMessage::parse(text)?;
        if let (Some(code), Some(id)) = (message.code, message.id) {
            let request = self.pending.remove(&id).ok_or_else(|| format!("unasked: {text}"))?;
            let data = message.data.map(|data| ServerMessage::parse(data.get())).transpose()?;
            if code != 0 {
                self.refused(request, code, &data.unwrap_or_default(), context);
                return Ok(());
            }
            return match request {
                Request::Hello => self.welcomed(text, context),
                _ => self.answered(request, &data.unwrap_or_default(), context),
            };
        }
        let room = message.room.as_ref().and_then(Word::as_str);
        let place = room.and_then(room_number).and_then(|room| self.place(room));
        match (message.kind(), place) {
            (Some("ping"), _) => {
                if let Some(connection) = self.connection {
                    context.connections.send(connection, r#"{"op":"ping"}"#);
                }
            }
            (Some("replay"), Some(place)) => {
                for item in message.items()? {
                    let sighting = item.sighting()?.ok_or("an item that is no record")?;
                    self.see(place, sighting, context);
                }
            }
            (Some("live"), Some(place)) => {
                let seq = self.places.get(place).map(|place| place.seq);
                if message.seq != seq {
                    let recent = &self.recent;
                    context
                        .fault(format!("d{}: not at {seq:?} but live: {recent:#?}", self.number));
                }
            }
            (Some("message" | "edit" | "deletion"), Some(place)) => {
                self.see(place, message.sighting()?.ok_or("no record")?, context);
            }
            (Some("presence" | "typing" | "receipts" | "joined" | "drain" | "bye" | "live"), _) => {
            }
            _ => context.fault(format!("d{} was told {text}", self.number)),
        }
        Ok(())
    }

    fn place(&self, room: usize) -> Option<usize> {
        self.places.iter().position(|place| place.room == room)
    }

    /// Notes a record and that it has come so far.
    fn see(&mut self, place: usize, sighting: Sighting, context: &mut Context) {
        let Some(place) = self.places.get_mut(place) else { return };
        place.seq = place.seq.max(sighting.seq);
        if let Some(stream) = context.observed.streams.get_mut(place.stream) {
            stream.seen.push(sighting);
        }
    }

    fn welcomed(&mut self, text: &str, context: &mut Context) -> Outcome<()> {
        let reply: Value = serde_json::from_str(text)?;
        let data = &reply["data"];
        self.session = data["session"].as_str().map(str::to_owned);
        self.is_here = true;
        let had: Vec<_> = self
            .places
            .iter()
            .map(|place| (place.room, place.seq, place.epoch.is_some()))
            .collect();
        for (room, seq, was_in) in had {
            let name = super::room_name(room);
            if !was_in {
                self.join(room, context);
                continue;
            }
            let said = &data["rooms"][&name];
            if said["from"].as_u64() != Some(seq + 1) || !said["gap"].is_null() {
                context.fault(format!("d{} came back to {name} at {seq}: {said}", self.number));
            }
        }
        // What was asked and not answered may not have happened.
        let clubs: Vec<_> =
            self.clubs.iter().filter(|(_, done)| !**done).map(|(c, _)| *c).collect();
        for club in clubs {
            self.join_club(club, context);
        }
        Ok(())
    }

    fn join(&mut self, room: usize, context: &mut Context) {
        let Some(connection) = self.connection else { return };
        let id = self.id_of(Request::Join(room));
        let room = super::room_name(room);
        context
            .connections
            .send(connection, &format!("{{\"op\":\"join\",\"id\":{id},\"room\":\"{room}\"}}"));
    }

    fn answered(
        &mut self,
        request: Request,
        data: &ServerMessage<'_>,
        context: &mut Context,
    ) -> Outcome<()> {
        match request {
            Request::Hello => {}
            Request::Club(club) => {
                self.clubs.insert(club, true);
            }
            Request::Join(room) => {
                let seq = data.seq.ok_or("no head")?;
                let epoch = data.epoch.as_ref().and_then(Word::as_str).ok_or("no epoch")?;
                let place = self.place(room).and_then(|place| self.places.get_mut(place));
                let place = place.ok_or("a room that nobody asked for")?;
                (place.seq, place.epoch) = (seq, Some(epoch.to_owned()));
                if let Some(stream) = context.observed.streams.get_mut(place.stream) {
                    stream.start = seq;
                }
            }
            Request::Send(number) => self.acknowledged(number, data, context)?,
            Request::Change { room, target, is_edit } => {
                let (Some(seq), Some(at)) = (data.seq, data.at) else {
                    return Err("a change without seq and at".into());
                };
                let what = if is_edit { What::Edit(target) } else { What::Deletion(target) };
                if let Some(place) = self.place(room) {
                    self.see(place, Sighting { seq, at, from: self.user, what }, context);
                }
            }
        }
        Ok(())
    }

    fn acknowledged(
        &mut self,
        number: u64,
        data: &ServerMessage<'_>,
        context: &mut Context,
    ) -> Outcome<()> {
        let (Some(seq), Some(at)) = (data.seq, data.at) else {
            return Err("an acknowledgement without seq and at".into());
        };
        let place = self.outbox.iter().position(|pending| pending.number == number);
        let pending = place.and_then(|place| self.outbox.remove(place)).ok_or("said twice")?;
        let mark = Mark { client: self.number, number };
        let (room, from, stamp) = (pending.room, self.user, context.stamp);
        context.observed.acks.push(Ack { room, mark, seq, from, stamp });
        self.acked += 1;
        self.duplicates += u64::from(data.dup);
        // The reply stands for the event; that to a repetition, too, if the event has not come yet.
        let what = What::Message(mark);
        if let Some(place) = self.place(pending.room)
            && (!data.dup || self.places.get(place).is_some_and(|place| seq == place.seq + 1))
        {
            self.see(place, Sighting { seq, at, from: self.user, what }, context);
        }
        self.own.push_back((pending.room, seq, mark));
        if self.own.len() > OWN_MAX {
            self.own.pop_front();
        }
        Ok(())
    }

    fn refused(
        &mut self,
        request: Request,
        code: u16,
        data: &ServerMessage<'_>,
        context: &mut Context,
    ) {
        let later = data.retry_after_ms.filter(|_| LATER.contains(&code));
        match (request, later) {
            (Request::Send(number), Some(wait)) => {
                *self.refusals.entry(code).or_default() += 1;
                context.observed.refused.push(Mark { client: self.number, number });
                let pending = self.outbox.iter_mut().find(|pending| pending.number == number);
                if let Some(pending) = pending {
                    pending.is_sent = false;
                    pending.not_before = Some(context.now + Duration::from_millis(wait));
                }
            }
            // The message was deleted meanwhile, or the store had no place for a change.
            (Request::Change { .. }, _) if code == 4002 || later.is_some() => {}
            (Request::Club(club), Some(_)) => {
                self.clubs.remove(&club);
            }
            (Request::Join(room), Some(_)) => self.join(room, context),
            (Request::Hello, Some(wait)) => {
                *self.refusals.entry(code).or_default() += 1;
                if let Some(connection) = self.connection {
                    context.connections.cut(connection);
                }
                self.on_disconnect(context);
                self.return_at = context.now + Duration::from_millis(wait);
            }
            _ => context.fault(format!("d{}: {request:?} was refused with {code}", self.number)),
        }
    }
}

impl Context {
    fn fault(&mut self, what: String) {
        self.observed.faults.push(what);
    }
}

/// The number of a room by its name.
fn room_number(name: &str) -> Option<usize> {
    name.strip_prefix("room")?.parse().ok()
}
