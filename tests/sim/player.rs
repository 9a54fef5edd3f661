//! Plays `clients/vectors.json` with the client in Rust: its own page says what the steps mean.

use std::collections::BTreeMap;

use chinwag_client::engine::{Action, Engine, Identity};
use chinwag_client::model::{Event, Item, Room, RoomState, State, TokenEnd, number, text};
use serde_json::{Value, json};

const VECTORS: &str = include_str!("../../clients/vectors.json");

/// An event as the script has it.
fn line(event: &Event) -> Option<String> {
    Some(match event {
        Event::Record { room, item } => {
            let what = text(item, "text").or_else(|| text(item, "ev"))?;
            format!("{room} {} {what}", number(item, "seq")?)
        }
        Event::Gap { room, from, to, why } => format!("{room} gap {from}-{to} {why}"),
        Event::Reset { room, seq } => format!("{room} reset {seq}"),
        Event::Renamed { room, was } => format!("{was} renamed {room}"),
        Event::Left { room, reason, .. } => format!("{room} left {reason}"),
        Event::Outbox { entry, outcome: Ok(_) } => format!("{} sent", entry.text),
        Event::Outbox { entry, outcome: Err(_) } => format!("{} failed", entry.text),
        Event::Problem(error) => format!("problem {}", error.code),
        _ => return None,
    })
}

/// Who follows the script beside the client: a server that has to say the same.
///
/// `ahead` are the steps that follow the present one.
pub(crate) trait Other {
    /// The connection that the client opens stands.
    fn on_accept(&mut self, ahead: &[Value]);
    /// It has ended with this code.
    fn on_end(&mut self, code: u16, ahead: &[Value]);
    /// So much time has passed.
    fn on_time(&mut self, ms: u64);
    /// The server says this.
    fn on_said(&mut self, event: &Value, ahead: &[Value]);
    /// The client has asked this, and is answered with `code` and `data` of the step.
    fn on_answer(&mut self, request: &Item, step: &Item, ahead: &[Value]);
    /// Nothing follows.
    fn on_done(&mut self);
}

/// Plays each case, with the other that `other` gives for its name.
pub(crate) fn play_all<O: Other>(mut other: impl FnMut(&str) -> O) {
    let vectors: Item = serde_json::from_str(VECTORS).unwrap();
    let begins = vectors["begins"].as_object().unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert!(cases.len() > 25, "{}", cases.len());
    for case in cases {
        let case = case.as_object().unwrap();
        let mut player = Player::new(case, begins, other(text(case, "name").unwrap()));
        player.play(case["steps"].as_array().unwrap(), &[]);
        player.other.on_done();
        player.engine.stop(player.now);
        player.settle();
        assert!(player.engine.state().is_over(), "{}", player.name);
    }
}

/// Plays one case: the script is the server, and the clock.
struct Player<O> {
    name: String,
    begins: Item,
    engine: Engine,
    now: u64,
    connection: u64,
    requests: Vec<Item>,
    told: Vec<String>,
    known: BTreeMap<String, Value>,
    other: O,
}

impl<O: Other> Player<O> {
    fn new(case: &Item, begins: &Item, other: O) -> Self {
        let options = case.get("options").and_then(Value::as_object);
        let token = options.and_then(|options| text(options, "token"));
        let identity = Identity {
            name: Some("ann".to_owned()),
            token: token.map(str::to_owned),
            agent: "test".to_owned(),
            session: None,
        };
        Self {
            name: text(case, "name").unwrap().to_owned(),
            begins: begins.clone(),
            engine: Engine::new(identity, [], Box::new(|most| most / 2)),
            now: 1_000_000,
            connection: 0,
            requests: Vec::new(),
            told: Vec::new(),
            known: BTreeMap::new(),
            other,
        }
    }

    /// Plays these steps, behind which `then` follow.
    fn play(&mut self, steps: &[Value], then: &[Value]) {
        for (place, step) in steps.iter().enumerate() {
            let ahead = [&steps[place + 1..], then].concat();
            self.step(step.as_object().unwrap(), &ahead);
            self.settle();
        }
    }

    /// Takes what the engine wants done and told.
    fn settle(&mut self) {
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Connect(connection) => {
                    self.connection = connection;
                    self.requests.clear();
                }
                Action::Send(message) => {
                    self.requests.push(serde_json::from_str(&message).unwrap());
                }
                Action::Close(_) => self.requests.clear(),
            }
        }
        while let Some(event) = self.engine.poll_event() {
            self.told.extend(line(&event));
        }
        while self.engine.poll_answer().is_some() {}
    }

    fn step(&mut self, step: &Item, ahead: &[Value]) {
        let now = self.now;
        let argument = |key: &str| step.get(key).cloned();
        if let Some(begin) = text(step, "begin") {
            let steps = self.begins[begin].clone();
            self.play(steps.as_array().unwrap(), ahead);
        } else if let Some(call) = argument("call") {
            let words: Vec<_> =
                call.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
            match *words {
                ["start"] => self.engine.start(now),
                ["join", room] => {
                    self.engine.join(now, room, None);
                }
                ["send", room, text] => {
                    self.engine.send(now, room, text, Item::new()).unwrap();
                }
                _ => panic!("{words:?}"),
            }
        } else if step.contains_key("accept") {
            self.engine.handle_open(now, self.connection);
            self.other.on_accept(ahead);
        } else if let Some(code) = number(step, "end") {
            let code = u16::try_from(code).unwrap();
            self.engine.handle_closed(now, self.connection, code, None);
            self.other.on_end(code, ahead);
        } else if let Some(ms) = number(step, "ms") {
            self.advance(ms);
            self.other.on_time(ms);
        } else if let Some(said) = argument("say") {
            let said = self.given(said);
            self.engine.handle_message(now, &said.to_string());
            self.other.on_said(&said, ahead);
        } else if let Some(op) = text(step, "answer") {
            self.answer(op, step, ahead);
        } else {
            self.expect(step);
        }
    }

    fn advance(&mut self, ms: u64) {
        let end = self.now + ms;
        while let Some(due) = self.engine.deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.engine.handle_timeout(self.now);
            self.settle();
        }
        self.now = end;
    }

    fn answer(&mut self, op: &str, step: &Item, ahead: &[Value]) {
        let place = self.requests.iter().position(|request| text(request, "op") == Some(op));
        let Some(place) = place else {
            panic!("{}: nobody asked for {op}, but {:?}", self.name, self.requests)
        };
        let request = self.requests.remove(place);
        for (field, expected) in step.get("asked").and_then(Value::as_object).into_iter().flatten()
        {
            let found = request.get(field).cloned().unwrap_or_default();
            let expected = match expected.as_str() {
                Some(name) if name.starts_with('$') => {
                    self.known.entry(name.to_owned()).or_insert_with(|| found.clone()).clone()
                }
                _ => expected.clone(),
            };
            assert_eq!(found, expected, "{}: {field} of {op}", self.name);
        }
        self.other.on_answer(&request, step, ahead);
        if step.contains_key("lost") {
            return;
        }
        let data = self.given(step.get("data").cloned().unwrap_or_default());
        let (code, message) = (number(step, "code").unwrap_or(0), text(step, "message"));
        let reply = json!({"id": request["id"], "code": code, "message": message, "data": data});
        self.engine.handle_message(self.now, &reply.to_string());
    }

    /// What the script says, with the values that `$` stands for.
    fn given(&self, value: Value) -> Value {
        match value {
            Value::String(text) => self.known.get(&text).cloned().unwrap_or(Value::String(text)),
            Value::Array(all) => all.into_iter().map(|value| self.given(value)).collect(),
            Value::Object(all) => {
                all.into_iter().map(|(key, value)| (key, self.given(value))).collect()
            }
            other => other,
        }
    }

    fn expect(&mut self, step: &Item) {
        let case = self.name.clone();
        if let Some(told) = step.get("told") {
            assert_eq!(json!(std::mem::take(&mut self.told)), *told, "{case}");
        } else if let Some(ops) = step.get("silent") {
            let ops = ops.as_array().unwrap();
            let request = |request: &&Item| ops.contains(&request["op"]);
            assert_eq!(self.requests.iter().find(request), None, "{case}");
        } else if let Some(outbox) = step.get("outbox") {
            let texts: Vec<_> = self.engine.outbox().map(|entry| &entry.text).collect();
            assert_eq!(json!(texts), *outbox, "{case}");
        } else if let Some(name) = text(step, "room") {
            let room = self.engine.room(name);
            match step["is"].as_object() {
                None => assert_eq!(room, None, "{case}"),
                Some(fields) => {
                    let room = shown(room.unwrap_or_else(|| panic!("{case}: no {name}")));
                    for (field, expected) in fields {
                        assert_eq!(room[field], *expected, "{case}: {field} of {name}");
                    }
                }
            }
        } else {
            self.expect_state(step);
        }
    }

    fn expect_state(&self, step: &Item) {
        let state = self.engine.state();
        let (name, token) = match state {
            State::Stopped => ("stopped", None),
            State::Refused { token, .. } => ("stopped", *token),
            State::Connecting => ("connecting", None),
            State::Ready => ("ready", None),
            State::Waiting { .. } => ("waiting", None),
        };
        assert_eq!(Some(name), text(step, "state"), "{}: {state:?}", self.name);
        if let Some(retry_ms) = number(step, "retry_ms") {
            let State::Waiting { retry_at, .. } = state else { panic!("{state:?}") };
            assert_eq!(retry_at - self.now, retry_ms, "{}", self.name);
        }
        if let Some(expected) = text(step, "token") {
            let token = token.map(|token| match token {
                TokenEnd::Refused => "refused",
                TokenEnd::Expired => "expired",
                TokenEnd::Ended => "ended",
            });
            assert_eq!(token, Some(expected), "{}", self.name);
        }
    }
}

fn shown(room: &Room) -> Value {
    let state = match room.state {
        RoomState::Wanted => "wanted",
        RoomState::Lagging => "lagging",
        RoomState::Live => "live",
    };
    json!({
        "epoch": room.epoch, "seq": room.seq, "state": state, "durable": room.durable,
        "role": room.role, "topic": room.topic,
    })
}
