//! What the operator does.

use super::{Answer, json, query, respond};
use crate::admin::requests::{
    AddHook, AddKey, Ban, Broadcast, Can, Disconnect, EndKey, EndSessions, Kick, Millis, Nothing,
    Publish, RoomBan, RoomUnban, SetLogLevel, Unban,
};
use crate::admin::responses;
use crate::admin::routes::{Call, Route};
use crate::admin::shape::NUMBER_MAX;
use crate::auth::secret;
use crate::chat::model::account::{Key, NewSecret, is_key_room, may_be_hook_of};
use crate::chat::model::identity::{Grant, Rights};
use crate::chat::model::operator::OperatorAct;
use crate::chat::model::suspensions::{Expiry, Suspended};
use crate::chat::{Code, Op, Refusal, RoomName, UserName};
use crate::http::{Response, Status};
use crate::log::Filter;
use crate::net::{CloseReason, ConnId};
use crate::session::exchange::{JSON, OperatorWish};
use crate::session::input::Session;
use crate::wire::client::{Field, request};

/// When clients that are disconnected should come back.
const RETURN_AFTER_MS: u64 = 1_000;
/// Bytes of the reason of a ban from the server.
const REASON_LEN_MAX: usize = 256;

impl Session<'_, '_> {
    /// Does what a POST asks for.
    pub(super) fn act(
        &mut self,
        route: &Route,
        body: &[u8],
        cid: Option<&str>,
    ) -> Result<Answer, Refusal> {
        match route.call {
            Call::Publish => {
                let Publish { room, text, data } = query::body(body)?;
                let data = data.as_ref().map(|data| data.get());
                Ok(Answer::Ask(vec![said(0, (&room, &text), data, cid)], false))
            }
            Call::Broadcast => {
                let Broadcast { rooms, text, data } = query::body(body)?;
                let data = data.as_ref().map(|data| data.get());
                let rooms = (0..).zip(&rooms.0);
                let requests = rooms.map(|(at, room)| said(at, (room, &text), data, cid));
                Ok(Answer::Ask(requests.collect(), true))
            }
            Call::Kick => {
                let Kick { room, user, reason } = query::body(body)?;
                Ok(moderate(Op::Kick, (&room, &user), None, reason.as_deref()))
            }
            Call::RoomBan => {
                let RoomBan { room, user, for_ms, reason } = query::body(body)?;
                Ok(moderate(Op::Ban, (&room, &user), for_ms, reason.as_deref()))
            }
            Call::RoomUnban => {
                let RoomUnban { room, user } = query::body(body)?;
                Ok(moderate(Op::Unban, (&room, &user), None, None))
            }
            Call::Disconnect => self.disconnect(&query::body(body)?),
            Call::SetLogLevel => self.set_log_level(&query::body(body)?),
            Call::Reload => {
                let Nothing {} = query::body(body)?;
                self.note("reload", "");
                self.context.wishes.push(OperatorWish::Reload(self.state.conn));
                Ok(Answer::Reload)
            }
            Call::Drain => {
                let Nothing {} = query::body(body)?;
                self.note("drain", "");
                self.context.wishes.push(OperatorWish::Drain);
                Ok(Answer::Now(done()))
            }
            _ => self.act_over_people(route.call, body),
        }
    }

    /// The same, of what is kept of people.
    fn act_over_people(&mut self, call: Call, body: &[u8]) -> Result<Answer, Refusal> {
        let act = match call {
            Call::AddKey => return self.add_key(&query::body(body)?),
            Call::AddHook => return self.add_hook(&query::body(body)?),
            Call::Ban => {
                let Ban { user, address, for_ms, reason } = query::body(body)?;
                let reason = reason.unwrap_or_default();
                if reason.len() > REASON_LEN_MAX || reason.chars().any(char::is_control) {
                    let refusal = Refusal::new(Code::BadField, "this is no reason");
                    let expected = "at most 256 bytes, without control characters";
                    return Err(refusal.field("reason", expected));
                }
                let whom = suspended(user.as_deref(), address.as_deref())?;
                let expiry = Expiry { until: self.until(for_ms), reason: reason.into() };
                OperatorAct::Suspend(whom, expiry)
            }
            Call::Unban => {
                let Unban { user, address } = query::body(body)?;
                OperatorAct::Unsuspend(suspended(user.as_deref(), address.as_deref())?)
            }
            Call::EndSessions => {
                let EndSessions { user } = query::body(body)?;
                OperatorAct::EndSessions(user_name("user", &user)?)
            }
            Call::EndKey | Call::EndHook => {
                let EndKey { name } = query::body(body)?;
                let (name, is_hook) = (user_name("name", &name)?, call == Call::EndHook);
                OperatorAct::EndKey { name, is_hook }
            }
            _ => return Err(Refusal::new(Code::Internal, "nothing is done here")),
        };
        Ok(Answer::Act(act, done()))
    }

    /// Notes what was done in the log and for the audit.
    fn note(&mut self, act: &'static str, whom: &str) {
        log::info!(act, whom; "by the admin API");
        let (now, by) = (self.turn.now, &self.context.operator);
        self.turn.chat.note_operator(now, by, (act, whom));
    }

    /// Until when something holds: below 2^53, as every number that is told.
    fn until(&self, for_ms: Option<Millis>) -> Option<u64> {
        let until = |for_ms: Millis| self.turn.now.wall_ms.saturating_add(for_ms.0);
        for_ms.map(until).map(|until| until.min(NUMBER_MAX))
    }

    fn set_log_level(&mut self, request: &SetLogLevel) -> Result<Answer, Refusal> {
        let filter: Filter = request.level.parse().map_err(|_bad| {
            let refusal = Refusal::new(Code::BadField, "this is no filter of the log");
            refusal.field("level", "off, error, warn, info, debug or trace, also by module")
        })?;
        let level = filter.to_string();
        self.note("log level", &level);
        crate::log::set_filter(&filter);
        let answer = respond(&responses::LogLevel { level: &level });
        self.context.log_level = level;
        Ok(Answer::Now(answer))
    }

    fn disconnect(&mut self, request: &Disconnect) -> Result<Answer, Refusal> {
        let (conns, whom): (Vec<ConnId>, &str) = match (&request.connection, &request.user) {
            (Some(id), None) => {
                let conn = conn_of(id).filter(|conn| {
                    let state = self.others.get(conn.slot());
                    // The place may be another connection's by now, which is not the one that was
                    // listed.
                    state.is_some_and(|state| state.conn == *conn && !state.is_closing())
                });
                let conn = conn.ok_or_else(|| {
                    let refusal = Refusal::new(Code::NoSuchUser, "there is no such connection");
                    refusal.field("connection", "the id of one that is listed")
                })?;
                (vec![conn], id)
            }
            (None, Some(user)) => {
                let conns = self.turn.chat.connections_of(user).ok_or_else(|| {
                    let refusal = Refusal::new(Code::NoSuchUser, "there is no such user");
                    refusal.field("user", "one that is listed")
                })?;
                (conns, user)
            }
            _ => return Err(either("connection", "user")),
        };
        for conn in &conns {
            // Its client is told when to come back, so that it does not do so at once.
            self.turn.chat.drain(*conn, (RETURN_AFTER_MS, RETURN_AFTER_MS));
            self.context.closing.push((*conn, CloseReason::Rebalance));
        }
        self.note("disconnect", whom);
        let closed = u64::try_from(conns.len()).unwrap_or(u64::MAX);
        Ok(Answer::Now(respond(&responses::Disconnected { closed })))
    }

    fn add_key(&mut self, request: &AddKey) -> Result<Answer, Refusal> {
        if request.rooms.0.iter().any(|room| !is_key_room(room)) {
            let refusal = Refusal::new(Code::BadField, "this is no name of rooms");
            let expected = "names that rooms can have, in which * stands for any text";
            return Err(refusal.field("rooms", expected));
        }
        let rights = match request.can.unwrap_or(Can::Send) {
            Can::Send => Rights { read: false, send: true },
            Can::Read => Rights { read: true, send: false },
            Can::Both => Rights { read: true, send: true },
        };
        let rooms = request.rooms.0.iter();
        let grants = rooms.map(|room| Grant { rooms: room.as_str().into(), rights }).collect();
        let made = self.new_secret(secret::KEY)?;
        let key = self.key((user_name("name", &request.name)?, grants), (&made, request.for_ms));
        let response = responses::NewKey { name: key.name.as_str(), secret: made.text() };
        let done = created(json(&response));
        Ok(Answer::Act(OperatorAct::AddKey(key), done))
    }

    fn add_hook(&mut self, request: &AddHook) -> Result<Answer, Refusal> {
        let room = RoomName::parse(&request.room).map_err(|error| Refusal::name("room", error))?;
        let name = match &request.name {
            Some(name) => user_name("name", name)?,
            None => user_name("name", &format!("{}-hook", room.as_str().replace('/', "-")))?,
        };
        if !may_be_hook_of(&room, &name) {
            let refusal = Refusal::new(Code::BadField, "in a conversation only its two speak");
            return Err(refusal.field("name", "the name of one of the two"));
        }
        let rights = Rights { read: false, send: true };
        let grants = vec![Grant { rooms: room.as_str().into(), rights }];
        let made = self.new_secret(secret::HOOK)?;
        let key = Key { is_hook: true, ..self.key((name, grants), (&made, request.for_ms)) };
        let path = format!("/hooks/{}", made.text());
        let done = created(json(&responses::NewHook { name: key.name.as_str(), path }));
        Ok(Answer::Act(OperatorAct::AddKey(key), done))
    }

    fn key(
        &self,
        (name, grants): (UserName, Vec<Grant>),
        (made, for_ms): (&NewSecret, Option<Millis>),
    ) -> Key {
        let (hash, until, at) = (made.hash(), self.until(for_ms), self.turn.now.wall_ms);
        Key { name, hash, grants, until, at, is_hook: false }
    }

    fn new_secret(&mut self, word: &str) -> Result<NewSecret, Refusal> {
        let bits = self.context.entropy.bits().ok_or_else(|| {
            Refusal::new(Code::Internal, "the system has no random numbers to give")
        })?;
        Ok(secret::make(word, bits))
    }
}

/// A message as a request of the protocol, with its index as `id`.
fn said(at: u64, (room, text): (&str, &str), data: Option<&str>, cid: Option<&str>) -> String {
    let mut fields = vec![("room", Field::Text(room)), ("text", Field::Text(text))];
    fields.extend(data.map(|data| ("data", Field::Json(data))));
    fields.extend(cid.map(|cid| ("cid", Field::Text(cid))));
    ask(Op::Send, at, &fields)
}

fn moderate(
    op: Op,
    (room, user): (&str, &str),
    for_ms: Option<Millis>,
    reason: Option<&str>,
) -> Answer {
    let mut fields = vec![("room", Field::Text(room)), ("user", Field::Text(user))];
    fields.extend(for_ms.map(|for_ms| ("for_ms", Field::Number(for_ms.0))));
    fields.extend(reason.map(|reason| ("reason", Field::Text(reason))));
    Answer::Ask(vec![ask(op, 0, &fields)], false)
}

fn ask(op: Op, at: u64, fields: &[(&str, Field<'_>)]) -> String {
    let mut out = Vec::new();
    request(&mut out, op, Some(at), fields);
    String::from_utf8(out).unwrap_or_default()
}

fn suspended(user: Option<&str>, address: Option<&str>) -> Result<Suspended, Refusal> {
    match (user, address) {
        (Some(user), None) => user_name("user", user).map(Suspended::User),
        (None, Some(address)) => address.parse().map(Suspended::Address).map_err(|_bad| {
            let refusal = Refusal::new(Code::BadField, "this is no address");
            refusal.field("address", "an IP address, or a network such as 10.0.0.0/8")
        }),
        _ => Err(either("user", "address")),
    }
}

fn either(one: &'static str, other: &str) -> Refusal {
    let refusal = Refusal::new(Code::BadField, format!("give either {one} or {other}"));
    refusal.field(one, "one of the two")
}

fn user_name(field: &'static str, name: &str) -> Result<UserName, Refusal> {
    UserName::parse(name).map_err(|error| Refusal::name(field, error))
}

/// The connection of this name, whether it is there or not.
fn conn_of(id: &str) -> Option<ConnId> {
    let (generation, slot) = id.strip_prefix('c')?.split_once('@')?;
    ConnId::new(slot.parse().ok()?, generation.parse().ok()?)
}

fn done() -> Response {
    respond(&responses::Done { done: true })
}

fn created(body: Vec<u8>) -> Response {
    Response::new(Status::Created).field("Cache-Control", "no-store").body(JSON, body)
}
