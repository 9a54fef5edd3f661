//! What the script of all clients leaves out: a slow program, a silent server, what is unread.

#![expect(clippy::panic, clippy::unwrap_used, reason = "what is wrong fails the test")]

use chinwag_client::engine::{Action, EVENTS_MAX, Engine, Identity};
use chinwag_client::model::{Event, Item, RoomState, State, number, text};
use serde_json::{Value, json};

/// A client of ann's that has said hello, and what it asks for.
struct Talk {
    engine: Engine,
    now: u64,
    requests: Vec<Item>,
}

impl Talk {
    fn ready() -> Self {
        let identity = Identity { name: Some("ann".to_owned()), ..Identity::default() };
        let engine = Engine::new(identity, [], Box::new(|most| most / 2));
        let mut talk = Self { engine, now: 1_000, requests: Vec::new() };
        talk.engine.start(talk.now);
        talk.settle();
        talk.engine.handle_open(talk.now, 1);
        let limits = json!({"ping_ms": 25_000});
        talk.answer("hello", &json!({"user": "ann", "session": "s1", "limits": limits}));
        talk.answer("rooms", &json!({"rooms": [], "rev": 1}));
        talk
    }

    fn in_lobby() -> Self {
        let mut talk = Self::ready();
        talk.engine.join(talk.now, "lobby", None);
        talk.answer("join", &json!({"room": "lobby", "epoch": "e1", "seq": 0, "role": "member"}));
        talk
    }

    fn settle(&mut self) {
        while let Some(action) = self.engine.poll_action() {
            if let Action::Send(message) = action {
                self.requests.push(serde_json::from_str(&message).unwrap());
            }
        }
    }

    /// The oldest request of this operation, if there is one.
    fn take(&mut self, op: &str) -> Option<Item> {
        self.settle();
        let place = self.requests.iter().position(|request| text(request, "op") == Some(op))?;
        Some(self.requests.remove(place))
    }

    fn answer(&mut self, op: &str, data: &Value) {
        let request = self.take(op).unwrap_or_else(|| panic!("nobody asked for {op}"));
        self.reply(&request, data);
    }

    fn reply(&mut self, request: &Item, data: &Value) {
        let reply = json!({"id": request["id"], "code": 0, "message": "ok", "data": data});
        self.engine.handle_message(self.now, &reply.to_string());
    }

    fn say(&mut self, event: &Value) {
        self.engine.handle_message(self.now, &event.to_string());
    }

    fn pass(&mut self, ms: u64) {
        let end = self.now + ms;
        while let Some(due) = self.engine.deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.engine.handle_timeout(self.now);
        }
        self.now = end;
    }

    fn unread(&self) -> u64 {
        self.engine.room("lobby").unwrap().unread
    }
}

fn message(seq: u64) -> Value {
    json!({"ev": "message", "room": "lobby", "seq": seq, "from": "bob", "at": seq, "text": "m"})
}

#[test]
fn a_program_that_does_not_look_misses_nothing_and_makes_nothing_grow() {
    const MESSAGES: u64 = 5_000;
    let mut talk = Talk::in_lobby();
    for seq in 1..=MESSAGES {
        talk.say(&message(seq));
    }
    let (mut told, mut waiting) = (Vec::new(), 0);
    loop {
        while let Some(event) = talk.engine.poll_event() {
            if let Event::Record { item, .. } = event {
                told.push(number(&item, "seq").unwrap());
            }
            waiting += 1;
            if talk.take("history").is_some_and(|request| {
                let after = number(&request, "after").unwrap();
                let items: Vec<_> = (after + 1..=MESSAGES.min(after + 200)).map(message).collect();
                talk.reply(&request, &json!({"items": items}));
                true
            }) {
                waiting = 0;
            }
            assert!(waiting <= 2 * EVENTS_MAX, "{waiting} events without a page between");
        }
        let Some(request) = talk.take("history") else { break };
        let after = number(&request, "after").unwrap();
        let items: Vec<_> = (after + 1..=MESSAGES.min(after + 200)).map(message).collect();
        talk.reply(&request, &json!({"items": items}));
    }
    assert_eq!(told, (1..=MESSAGES).collect::<Vec<_>>());
}

#[test]
fn a_server_that_says_nothing_is_asked_and_then_given_up() {
    let mut talk = Talk::in_lobby();
    talk.pass(24_999);
    assert!(talk.take("ping").is_none());
    talk.pass(1);
    talk.answer("ping", &json!({"time": 5}));
    talk.pass(20_000);
    // A ping of WebSocket says as much.
    talk.engine.handle_activity(talk.now);
    talk.pass(24_999);
    assert!(talk.take("ping").is_none());
    talk.pass(1);
    assert!(talk.take("ping").is_some());
    talk.pass(9_999);
    assert_eq!(*talk.engine.state(), State::Ready);
    talk.pass(1);
    let state = talk.engine.state();
    assert!(matches!(state, State::Waiting { close: 1006, retry_ms: 250, .. }), "{state:?}");
}

#[test]
fn what_is_unread_is_counted_and_what_was_read_is_told_once_for_many() {
    let mut talk = Talk::in_lobby();
    for seq in 1..=3 {
        talk.say(&message(seq));
    }
    talk.say(
        &json!({"ev": "message", "room": "lobby", "seq": 4, "from": "ann", "at": 4, "text": "m"}),
    );
    assert_eq!(talk.unread(), 3);
    talk.say(
        &json!({"ev": "deletion", "room": "lobby", "seq": 5, "from": "bob", "at": 5, "target": 3}),
    );
    assert_eq!(talk.unread(), 2);
    talk.engine.read(talk.now, "lobby", 1);
    talk.engine.read(talk.now, "lobby", 2);
    assert_eq!(talk.unread(), 0);
    talk.pass(300);
    let acked = talk.take("ack").unwrap();
    assert_eq!(number(&acked, "read"), Some(2));
    assert!(talk.take("ack").is_none());

    talk.say(&message(6));
    assert_eq!(talk.unread(), 1);
    // Read on another device.
    talk.say(&json!({"ev": "receipts", "room": "lobby", "read": {"ann": 6}, "own": true}));
    assert_eq!(talk.unread(), 0);
}

#[test]
fn messages_that_name_us_are_counted_apart_as_they_are_now() {
    let mut talk = Talk::in_lobby();
    let counts = |talk: &Talk| {
        let room = talk.engine.room("lobby").unwrap();
        (room.unread, room.mentions)
    };
    let naming = |seq: u64, ev: &str, target: u64, names: Value| {
        json!({"ev": ev, "room": "lobby", "seq": seq, "from": "bob", "at": seq, "text": "m",
               "target": target, "mentions": names})
    };
    talk.say(&naming(1, "message", 0, json!(["ann", "eve"])));
    talk.say(&naming(2, "message", 0, json!(["eve"])));
    talk.say(&naming(3, "message", 0, json!(["@room"])));
    assert_eq!(counts(&talk), (3, 2));
    talk.say(&naming(4, "edit", 1, json!([])));
    assert_eq!(counts(&talk), (3, 1));
    talk.say(&naming(5, "edit", 2, json!(["ann"])));
    assert_eq!(counts(&talk), (3, 2));
    talk.engine.read(talk.now, "lobby", 2);
    assert_eq!(counts(&talk), (1, 1));
    talk.engine.read(talk.now, "lobby", 5);
    assert_eq!(counts(&talk), (0, 0));
}

#[test]
fn who_is_there_is_known_where_it_was_asked_for_and_a_change_that_was_missed_is_asked_for() {
    let mut talk = Talk::in_lobby();
    talk.engine.watch(talk.now, "lobby");
    talk.answer("presence", &json!({"v": 3, "count": 1, "users": [["ann", "online"]]}));
    let change = |v: u64| {
        json!({"ev": "presence", "room": "lobby", "v": v, "on": ["bob"], "away": [],
        "off": [], "count": 2})
    };
    talk.say(&change(4));
    let users = |talk: &Talk| {
        let presence = talk.engine.room("lobby").unwrap().presence.clone().unwrap();
        presence.users.unwrap().into_keys().collect::<Vec<_>>()
    };
    assert_eq!(users(&talk), ["ann", "bob"]);
    talk.say(&change(4));
    assert!(talk.take("presence").is_none());
    talk.say(&change(7));
    talk.answer("presence", &json!({"v": 7, "count": 1, "users": [["eve", "away"]]}));
    assert_eq!(users(&talk), ["eve"]);
}

#[test]
fn a_request_is_repeated_when_the_server_asks_for_that_soon_and_fails_without_a_connection() {
    let mut talk = Talk::in_lobby();
    let ticket = talk.engine.request(talk.now, "topic", Item::new());
    let request = talk.take("topic").unwrap();
    let busy = json!({"id": request["id"], "code": 5001, "message": "wait",
        "data": {"error": "rate_limited", "retry_after_ms": 2_000}});
    talk.say(&busy);
    assert_eq!(talk.engine.poll_answer().filter(|(of, _)| *of == ticket), None);
    talk.pass(1_999);
    assert!(talk.take("topic").is_none());
    talk.pass(1);
    talk.answer("topic", &json!({"text": "tea"}));
    let answers: Vec<_> = std::iter::from_fn(|| talk.engine.poll_answer()).collect();
    let (_, answer) = answers.into_iter().find(|(of, _)| *of == ticket).unwrap();
    assert_eq!(text(&answer.unwrap(), "text"), Some("tea"));

    let ticket = talk.engine.request(talk.now, "topic", Item::new());
    talk.engine.handle_closed(talk.now, 1, 1006, None);
    let (of, answer) = talk.engine.poll_answer().unwrap();
    assert_eq!((of, answer.unwrap_err().slug()), (ticket, "offline"));
    assert_eq!(talk.engine.room("lobby").unwrap().state, RoomState::Live);
}

#[test]
fn what_members_say_of_themselves_is_told() {
    let mut talk = Talk::in_lobby();
    while talk.engine.poll_event().is_some() {}
    let profiles = json!({"bob": {"display": "Bob S", "text": "tea", "color": "teal"}, "eve": {}});
    talk.say(&json!({"ev": "profiles", "room": "lobby", "profiles": profiles}));
    let told = Event::Profiles {
        room: "lobby".to_owned(),
        profiles: profiles.as_object().unwrap().clone(),
    };
    assert_eq!(talk.engine.poll_event(), Some(told));
}

#[test]
fn who_comes_back_as_another_user_is_in_no_conversation_of_the_former_one() {
    let mut talk = Talk::in_lobby();
    talk.say(&json!({"ev": "joined", "room": "@ann:bob", "epoch": "e2", "seq": 0}));
    assert!(talk.engine.room("@ann:bob").is_some());
    talk.engine.stop(talk.now);
    talk.engine.send(talk.now, "@ann:bob", "for bob alone", Item::new()).expect("a place");
    talk.engine.set_identity(None, Some("zoe".to_owned()));
    talk.engine.start(talk.now);
    talk.settle();
    talk.engine.handle_open(talk.now, 2);
    talk.answer("hello", &json!({"user": "zoe", "session": "s2", "limits": {}}));
    assert!(talk.engine.room("@ann:bob").is_none());
    let joined: Vec<_> = std::iter::from_fn(|| talk.take("join")).collect();
    let rooms: Vec<_> = joined.iter().filter_map(|request| text(request, "room")).collect();
    assert_eq!(rooms, ["lobby"]);
    assert!(talk.take("send").is_none(), "what the former user has said is not said by another");
}
