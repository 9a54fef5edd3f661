//! The script of all clients, `clients/vectors.json`, played by the whole server: what the script
//! has a server say, this one says, to what the project's client asks.
//!
//! The client in Rust is held against the script in the same run. Each of its requests goes to the
//! server, too, whose answer has to be the script's; and what the script has the server tell by
//! itself is brought about by others, and has to be told so, in that order. Names that a server
//! chooses (sessions, epochs, how durable a room is) stand for others throughout a case.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chinwag::chat::model::policy::{Policies, Policy, Retention};
use chinwag::chat::model::reply::Durability;
use chinwag::config::Config;
use serde_json::{Map, Value, json};

use crate::player::{Other, play_all};
use crate::stage::{Speaker, Stage};

/// Cases in which the script's server does what this one cannot be brought to do, or not here.
const SCRIPT_ALONE: &[(&str, &str)] = &[
    ("a refused hello", "tests/it/identity.rs has names that are somebody's"),
    ("an event of a kind that the client does not know is a record", "a later server"),
    ("a slow reader lags", "a reader is slow on its own; the worlds have such"),
    ("a record that is missing is fetched", "nothing is lost between"),
    ("what the history does not have either", "nothing is lost between"),
    ("a connection that is lost while fetching", "nothing is lost between"),
    ("a position that the log never reached", "a log that was restored from a copy"),
    ("a message that was not answered is sent again", "a repetition older than the position"),
    ("a refused message has failed", "who is muted is told so by a record first"),
    ("a connection that has stalled", "a matter of the network"),
    ("a token that has expired", "tests/it/tokens.rs has tokens"),
    ("a token that expires on a living connection", "tests/it/tokens.rs has tokens"),
    ("a token that the server does not believe", "tests/it/tokens.rs has tokens"),
];
/// What the script leaves to the server, besides times.
const OPEN: &[&str] =
    &["at", "rev", "message", "retry_after_ms", "reconnect_after_ms", "window_ms"];
/// What each server names as it likes.
const NAMES: &[&str] = &["epoch", "session", "durable"];
/// Events that the script has in their place.
const FACTS: &[&str] = &[
    "message",
    "topic",
    "rename",
    "moderation",
    "gap",
    "live",
    "joined",
    "renamed",
    "left",
    "drain",
    "bye",
];

/// The server in one case, or nobody.
struct Case(Option<World>);

struct World {
    stage: Stage,
    ann: Option<Speaker>,
    /// The owner of the rooms, who does what others do.
    bob: Speaker,
    name: String,
    /// The script's names and the server's, both ways.
    names: BTreeMap<String, String>,
    real: BTreeMap<String, String>,
    rooms: BTreeSet<String>,
    /// Records that were told, since the script repeats some.
    told: BTreeSet<(String, u64)>,
    heard: VecDeque<Value>,
    /// What comes with the next answer.
    awaited: Vec<Value>,
}

fn config(case: &str) -> Config {
    let mut config = Config::default();
    config.limits.rate_per_s = None;
    if case.starts_with("a server that is busy") {
        (config.limits.hellos_per_s, config.limits.hellos_burst) = (Some(1), 1);
        config.limits.per_address_loopback = true;
    }
    if case.starts_with("a message over the rate") {
        (config.limits.rate_per_s, config.limits.burst) = (Some(1_000), 1_000);
        (config.limits.user_per_s, config.limits.user_burst) = (Some(1), 1);
    }
    let records = case.starts_with("a gap is told once").then_some(1);
    let durability =
        if case.starts_with("a reset") { Durability::Memory } else { Durability::Disk };
    let retention = Retention { records, ..Retention::default() };
    config.policies = Policies::uniform(Policy { durability, retention, ..Policy::default() });
    config
}

impl Case {
    fn new(name: &str) -> Self {
        if SCRIPT_ALONE.iter().any(|(alone, _)| name.starts_with(alone)) {
            return Self(None);
        }
        let mut stage = Stage::new(7, config(name));
        let mut bob = stage.speaker();
        stage.ask(&mut bob, json!({"op": "hello", "name": "bob"}));
        Self(Some(World {
            stage,
            ann: None,
            bob,
            name: name.to_owned(),
            names: BTreeMap::new(),
            real: BTreeMap::new(),
            rooms: BTreeSet::new(),
            told: BTreeSet::new(),
            heard: VecDeque::new(),
            awaited: Vec::new(),
        }))
    }
}

impl Other for Case {
    fn on_accept(&mut self, _: &[Value]) {
        let Some(world) = &mut self.0 else { return };
        world.ann = Some(world.stage.speaker());
        world.heard.clear();
    }

    fn on_end(&mut self, code: u16, ahead: &[Value]) {
        if let Some(world) = &mut self.0 {
            world.end(code, ahead);
        }
    }

    fn on_time(&mut self, ms: u64) {
        if let Some(world) = &mut self.0 {
            world.stage.turn(ms);
        }
    }

    fn on_said(&mut self, event: &Value, ahead: &[Value]) {
        let Some(world) = &mut self.0 else { return };
        // No server has it yet.
        if event["ev"] == "weather" {
            return;
        }
        for fact in facts(event) {
            world.expect(&fact, ahead);
        }
    }

    fn on_answer(
        &mut self,
        request: &Map<String, Value>,
        step: &Map<String, Value>,
        ahead: &[Value],
    ) {
        if let Some(world) = &mut self.0 {
            world.answer(request, step, ahead);
        }
    }

    fn on_done(&mut self) {
        let Some(world) = &mut self.0 else { return };
        world.listen();
        assert!(world.heard.is_empty(), "{}: told besides: {:?}", world.name, world.heard);
    }
}

impl World {
    /// What the script has happen before the server answers, happens.
    fn prepare(&mut self, step: &Map<String, Value>, ahead: &[Value]) {
        let data = &step.get("data").cloned().unwrap_or_default();
        match step["answer"].as_str() {
            Some("join") => {
                let room = data["room"].as_str().expect("a room");
                let asked = data["former"][0].as_str();
                self.fill(asked.unwrap_or(room), number(&data["seq"]) - u64::from(asked.is_some()));
                if let Some(asked) = asked {
                    self.rename(asked, room);
                }
            }
            Some("hello") => {
                for (room, how) in data["rooms"].as_object().into_iter().flatten() {
                    self.go_on(room, how, ahead);
                }
                let lists = ahead.iter().filter(|step| step["answer"] == "rooms");
                for row in
                    lists.flat_map(|step| step["data"]["rooms"].as_array().into_iter().flatten())
                {
                    self.enter_elsewhere(row);
                }
            }
            _ if step.get("code") == Some(&json!(5001)) => {
                let mut other = self.stage.speaker();
                self.stage.ask(&mut other, json!({"op": "hello", "name": "ann"}));
                self.stage.ask(&mut other, json!({"op": "join", "room": "elsewhere"}));
                let send = json!({"op": "send", "room": "elsewhere", "text": "hi"});
                self.stage.ask(&mut other, send);
            }
            _ => {}
        }
    }

    /// What has happened in a room before the client comes back to it.
    fn go_on(&mut self, room: &str, how: &Value, ahead: &[Value]) {
        if how["code"] == 3003 {
            self.stage.ask(&mut self.bob, json!({"op": "kick", "room": room, "user": "ann"}));
            return;
        }
        let renamed = how["room"].as_str();
        let head = how["to"].as_u64().or_else(|| how["seq"].as_u64()).expect("where it goes on");
        let own = ahead.iter().flat_map(|step| facts(&step["say"])).any(|it| it["from"] == "ann");
        if own {
            return;
        }
        self.fill(room, head - u64::from(renamed.is_some()));
        if let Some(name) = renamed {
            self.rename(room, name);
        }
    }

    /// The user reads a room by another device.
    fn enter_elsewhere(&mut self, row: &Value) {
        let room = row["room"].as_str().expect("a room");
        self.fill(room, number(&row["seq"]));
        let mut other = self.stage.speaker();
        self.stage.ask(&mut other, json!({"op": "hello", "name": "ann"}));
        self.stage.ask(&mut other, json!({"op": "join", "room": room}));
        self.stage.ask(&mut other, json!({"op": "ack", "room": room, "read": row["read"]}));
        self.stage.reset(&other);
    }

    /// Has messages said in a room until its log is so long.
    fn fill(&mut self, room: &str, head: u64) {
        if self.rooms.insert(room.to_owned()) {
            self.stage.ask(&mut self.bob, json!({"op": "create", "room": room}));
        }
        let page = self.stage.ask(&mut self.bob, json!({"op": "history", "room": room}));
        for seq in page["last"].as_u64().unwrap_or(0) + 1..=head {
            let send = json!({"op": "send", "room": room, "text": format!("m{seq}")});
            assert_eq!(self.stage.ask(&mut self.bob, send)["seq"], seq, "{}", self.name);
        }
        // Until old ones are removed, where they are.
        (0..200).for_each(|_| self.stage.turn(1));
    }

    fn rename(&mut self, room: &str, name: &str) {
        self.stage.ask(&mut self.bob, json!({"op": "rename", "room": room, "name": name}));
        self.rooms.insert(name.to_owned());
    }

    /// The script has the server answer.
    fn answer(&mut self, request: &Map<String, Value>, step: &Map<String, Value>, ahead: &[Value]) {
        self.prepare(step, ahead);
        let request = translate(&Value::Object(request.clone()), &self.names);
        let ann = self.ann.as_mut().expect("a connection");
        let answer = self.stage.request(ann, request.clone());
        if step.contains_key("lost") {
            return;
        }
        self.listen();
        let code = step.get("code").cloned().unwrap_or_else(|| json!(0));
        assert_eq!(answer["code"], code, "{}: {request}: {answer}", self.name);
        self.compare(&step["data"], &answer["data"], &mut vec!["data".to_owned()]);
        for fact in std::mem::take(&mut self.awaited) {
            self.expect(&fact, &[]);
        }
        for (room, how) in step["data"]["rooms"].as_object().into_iter().flatten() {
            self.told.extend(how["gap"][0].as_u64().map(|first| (room.clone(), first)));
        }
        if let Some(seq) = step["data"]["seq"].as_u64().filter(|_| request["op"] == "send") {
            let room = step["data"]["room"].as_str().expect("a room").to_owned();
            self.told.insert((room, seq));
        }
    }

    /// The script's server tells this.
    fn expect(&mut self, fact: &Value, ahead: &[Value]) {
        // A gap is told by the resume, and has the place of its first record.
        let is_gap = fact["ev"] == "gap";
        let seq = fact[if is_gap { "from" } else { "seq" }].as_u64();
        let is_record = fact["from"].is_string() || is_gap;
        if let Some((seq, room)) = seq.zip(fact["room"].as_str()).filter(|_| is_record)
            && !self.told.insert((room.to_owned(), seq))
        {
            return;
        }
        self.listen();
        if self.heard.is_empty() && ahead.first().is_some_and(|next| next["answer"] == "send") {
            return self.awaited.push(fact.clone());
        }
        if self.heard.is_empty() {
            self.cause(fact, ahead);
            self.listen();
        }
        let Some(heard) = self.heard.pop_front() else {
            panic!("{}: {fact} is not told", self.name)
        };
        self.compare(fact, &heard, &mut vec![heard.to_string()]);
    }

    /// Has somebody do what the client is told.
    fn cause(&mut self, fact: &Value, ahead: &[Value]) {
        let room = &fact["room"];
        let request = match fact["ev"].as_str().expect("an event") {
            "message" => json!({"op": "send", "room": room, "text": fact["text"]}),
            "topic" => json!({"op": "topic", "room": room, "text": fact["text"]}),
            "joined" => json!({"op": "send", "to": "ann", "text": ahead[0]["say"]["text"]}),
            "renamed" => {
                return self.rename(
                    room.as_str().expect("a room"),
                    fact["name"].as_str().expect("a name"),
                );
            }
            "moderation" => json!({"op": "kick", "room": room, "user": "ann"}),
            "drain" => {
                self.stage.drain();
                return self.stage.turn(1);
            }
            _ => return,
        };
        self.stage.ask(&mut self.bob, request);
    }

    /// Hears what the server has told the client.
    fn listen(&mut self) {
        let Some(ann) = &mut self.ann else { return };
        for _ in 0..100 {
            self.stage.turn(0);
            self.stage.read(ann);
        }
        let told = ann.told.drain(..).flat_map(|told| facts(&told));
        let is_fact = |it: &Value| it["ev"].as_str().is_some_and(|ev| FACTS.contains(&ev));
        self.heard.extend(told.filter(is_fact));
    }

    /// The connection ends.
    fn end(&mut self, code: u16, ahead: &[Value]) {
        if code == 4010 {
            let session = self.names["s1"].clone();
            let resume = json!({"session": session, "rooms": {}});
            let mut other = self.stage.speaker();
            let hello = json!({"op": "hello", "name": "ann", "resume": resume});
            self.stage.ask(&mut other, hello);
        }
        if code >= 4000 {
            for _ in 0..400 {
                self.stage.turn(50);
            }
        }
        self.listen();
        let bye = self.heard.pop_back_if(|last| last["ev"] == "bye").unwrap_or_default();
        assert_eq!(bye["close"].as_u64(), (code >= 4000).then_some(code.into()), "{}", self.name);
        assert!(self.heard.is_empty(), "{}: told besides: {:?}", self.name, self.heard);
        let is_reset = |step: &Value| {
            let rooms = step["data"]["rooms"].as_object();
            rooms.is_some_and(|rooms| rooms.values().any(|how| how["reset"] == true))
        };
        if code == 4201 || ahead.iter().any(is_reset) {
            self.stage.restart(code == 4201);
            self.bob = self.stage.speaker();
            self.stage.ask(&mut self.bob, json!({"op": "hello", "name": "bob"}));
        } else if let Some(ann) = &self.ann {
            self.stage.reset(ann);
        }
        if code != 4201 && ahead.iter().any(is_reset) {
            // It was in memory.
            self.rooms.clear();
        }
    }

    /// All that the script says has to be so.
    fn compare(&mut self, script: &Value, real: &Value, path: &mut Vec<String>) {
        let field = path.last().map_or("", String::as_str);
        let at =
            || format!("{}: {}: the script has {script}, not {real}", self.name, path.join("/"));
        match (script, real) {
            _ if OPEN.contains(&field) => assert!(!real.is_null(), "{}", at()),
            (Value::Object(_), Value::Object(_)) if field == "limits" => {}
            (Value::Object(script), _) => {
                for (field, script) in script {
                    path.push(field.clone());
                    self.compare(script, &real[field], path);
                    path.pop();
                }
            }
            (Value::Array(script), Value::Array(reals)) if script.len() == reals.len() => {
                for (script, real) in script.iter().zip(reals) {
                    self.compare(script, real, path);
                }
            }
            (Value::String(name), Value::String(real)) if NAMES.contains(&field) => {
                let known = self.names.entry(name.clone()).or_insert_with(|| real.clone());
                let back = self.real.entry(real.clone()).or_insert_with(|| name.clone());
                assert_eq!((&*known, &*back), (real, name), "{}: {}", self.name, path.join("/"));
            }
            // A room that forgets has forgotten.
            _ if field == "oldest" && self.name.starts_with("a gap") => {}
            _ => assert_eq!(script, real, "{}", at()),
        }
    }
}

/// What an event says, record by record.
fn facts(event: &Value) -> Vec<Value> {
    let items = event["items"].as_array().filter(|_| event["ev"] == "replay");
    let Some(items) = items else { return vec![event.clone()] };
    let with_room = |item: &Value| {
        let mut item = item.clone();
        item["room"] = event["room"].clone();
        item
    };
    items.iter().map(with_room).collect()
}

/// The same with other names.
fn translate(value: &Value, names: &BTreeMap<String, String>) -> Value {
    match value {
        Value::String(text) => names.get(text).unwrap_or(text).clone().into(),
        Value::Array(all) => all.iter().map(|value| translate(value, names)).collect(),
        Value::Object(all) => {
            let fields = all.iter().map(|(field, value)| (field.clone(), translate(value, names)));
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

#[test]
fn the_script_of_all_clients_is_what_the_server_says() {
    let mut names = Vec::new();
    play_all(|name| {
        names.push(name.to_owned());
        Case::new(name)
    });
    for (alone, why) in SCRIPT_ALONE {
        let found = names.iter().filter(|name| name.starts_with(alone)).count();
        assert_eq!(found, 1, "{alone} ({why}) names one case");
    }
}
