//! A client of `chinwag.v1`, the same over each transport.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use serde_json::{Value, json};

use super::description::assert_described;
use super::json::is_subset;
use super::library::Library;
use super::{Raw, RawWs, Server};

/// What carries one JSON text at a time.
pub(crate) trait Transport {
    /// Sends one text.
    fn send_text(&mut self, text: &str);

    /// Receives the next text, or `None` when the connection has ended in good order.
    fn receive_text(&mut self) -> Option<String>;
}

/// One JSON object a line.
pub(crate) struct Lines(pub(crate) Raw);

impl Transport for Lines {
    fn send_text(&mut self, text: &str) {
        self.0.send(format!("{text}\n").as_bytes());
    }

    fn receive_text(&mut self) -> Option<String> {
        loop {
            let line = self.0.line()?;
            // On a slow machine it may have been greeted as a person before it spoke.
            if !is_greeting(line.as_bytes()) {
                return Some(line);
            }
        }
    }
}

/// Four bytes of length, then the JSON.
pub(crate) struct Framed(pub(crate) Raw);

impl Transport for Framed {
    fn send_text(&mut self, text: &str) {
        let length = u32::try_from(text.len()).expect("a short text");
        self.0.send(&[&length.to_be_bytes(), text.as_bytes()].concat());
    }

    fn receive_text(&mut self) -> Option<String> {
        if self.0.is_at_end() {
            return None;
        }
        let mut head = self.0.take(4);
        while is_greeting(&head) {
            self.0.take_until("\n");
            head = self.0.take(4);
        }
        let length = head.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        Some(String::from_utf8(self.0.take(length)).expect("UTF-8"))
    }
}

/// Whether these are the first bytes of one of the two lines with which a person is greeted.
fn is_greeting(line: &[u8]) -> bool {
    line.starts_with(b"Welc") || line.starts_with(b"Type")
}

/// A client with what it has received and nobody has asked for yet.
pub(crate) struct Client {
    transport: Box<dyn Transport>,
    waiting: VecDeque<Value>,
    next_id: u64,
    /// What was asked for, by the `id` of the request; `None` if that was more than one thing.
    asked: BTreeMap<String, Option<String>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for message in &self.waiting {
            writeln!(f, "  {message}")?;
        }
        Ok(())
    }
}

/// A way to speak to a server.
pub(crate) type Connect = fn(&Server) -> Client;

/// Every way to speak JSON to a server, for tests that must give the same over all of them.
pub(crate) const TRANSPORTS: [(&str, Connect); 4] = [
    ("WebSocket by hand", Client::ws),
    ("tungstenite", Client::library),
    ("lines", Client::lines),
    ("length-prefixed", Client::framed),
];

impl Client {
    /// Over a WebSocket made by hand.
    #[track_caller]
    pub(crate) fn ws(server: &Server) -> Self {
        Self::over(RawWs::connect(server.http, "/ws", "Sec-WebSocket-Protocol: chinwag.v1\r\n"))
    }

    /// Over a WebSocket of `tungstenite`'s.
    #[track_caller]
    pub(crate) fn library(server: &Server) -> Self {
        Self::over(Library::connect(server.http))
    }

    /// Over TCP, one object a line.
    #[track_caller]
    pub(crate) fn lines(server: &Server) -> Self {
        Self::over(Lines(Raw::connect(server.tcp)))
    }

    /// Over TCP, each object behind its length.
    #[track_caller]
    pub(crate) fn framed(server: &Server) -> Self {
        Self::over(Framed(Raw::connect(server.tcp)))
    }

    /// Over any transport.
    pub(crate) fn over(transport: impl Transport + 'static) -> Self {
        let (waiting, asked) = (VecDeque::new(), BTreeMap::new());
        Self { transport: Box::new(transport), waiting, next_id: 1, asked }
    }

    /// The same client after `hello` as `name` and, if given, `join`.
    #[track_caller]
    pub(crate) fn named(mut self, name: &str, room: Option<&str>) -> Self {
        self.ask(&json!({"op": "hello", "name": name}));
        if let Some(room) = room {
            self.ask(&json!({"op": "join", "room": room}));
        }
        self
    }

    /// Sends a request as it stands.
    pub(crate) fn say(&mut self, request: &Value) {
        self.note(request);
        self.transport.send_text(&request.to_string());
    }

    /// Notes what is asked for, so that the answer can be held against its description.
    fn note(&mut self, request: &Value) {
        if let (Some(id), Some(op)) = (request.get("id"), request["op"].as_str()) {
            let asked = self.asked.entry(id.to_string()).or_insert_with(|| Some(op.to_owned()));
            if asked.as_deref() != Some(op) {
                *asked = None;
            }
        }
    }

    /// Sends any text.
    pub(crate) fn say_text(&mut self, text: &str) {
        for request in text.lines().filter_map(|line| serde_json::from_str(line).ok()) {
            self.note(&request);
        }
        self.transport.send_text(text);
    }

    /// Sends a request with an `id` of its own and returns the reply, whatever its code.
    #[track_caller]
    pub(crate) fn request(&mut self, request: &Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        let mut request = request.clone();
        request["id"] = json!(id);
        self.say(&request);
        self.expect(&json!({"id": id}))
    }

    /// Sends a request that must succeed and returns the reply's data.
    #[track_caller]
    pub(crate) fn ask(&mut self, request: &Value) -> Value {
        let mut reply = self.request(request);
        assert_eq!(reply["code"], 0, "{request} was answered with {reply}");
        reply["data"].take()
    }

    /// Sends a request that must be refused with `code` and returns the reply.
    #[track_caller]
    pub(crate) fn refused(&mut self, request: &Value, code: u16) -> Value {
        let reply = self.request(request);
        assert_eq!(reply["code"], code, "{request} was answered with {reply}");
        reply
    }

    /// The next message: the oldest that waits, or else one that is received. `None` at the end.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Option<Value> {
        self.waiting.pop_front().or_else(|| self.receive())
    }

    /// Takes the first message that contains `expected`, and leaves those before it waiting.
    #[track_caller]
    pub(crate) fn expect(&mut self, expected: &Value) -> Value {
        if let Some(at) = self.waiting.iter().position(|message| is_subset(expected, message)) {
            return self.waiting.remove(at).unwrap_or_default();
        }
        loop {
            let message = self.receive();
            let message =
                message.unwrap_or_else(|| panic!("the end, not {expected}; was told:\n{self:?}"));
            if is_subset(expected, &message) {
                return message;
            }
            self.waiting.push_back(message);
        }
    }

    /// The next message must contain `expected`.
    #[track_caller]
    pub(crate) fn expect_next(&mut self, expected: &Value) -> Value {
        let message = self.next().unwrap_or_else(|| panic!("the end instead of {expected}"));
        super::assert_subset(&message, expected);
        message
    }

    /// Asks for a `ping` and fails if a message that contains `unexpected` came before its answer.
    ///
    /// Only for what the server would have said at once: a ping overtakes nothing that was decided
    /// before it.
    #[track_caller]
    pub(crate) fn assert_not_told(&mut self, unexpected: &Value) {
        self.ask(&json!({"op": "ping"}));
        let told = self.waiting.iter().find(|message| is_subset(unexpected, message));
        assert!(told.is_none(), "was told {told:?}");
    }

    /// Drops the messages that were received and not yet asked for.
    pub(crate) fn forget(&mut self) {
        self.waiting.clear();
    }

    #[track_caller]
    fn receive(&mut self) -> Option<Value> {
        let text = self.transport.receive_text()?;
        let message = serde_json::from_str(&text);
        let message: Value = message.unwrap_or_else(|error| panic!("{error} in {text}"));
        let op = self.asked.get(&message["id"].to_string()).cloned().flatten();
        assert_described(&message, op.as_deref());
        Some(message)
    }
}
