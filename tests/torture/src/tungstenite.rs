//! `tungstenite`: one participant of `scripts/clients`, with a client that nobody here wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead};
use std::net::TcpStream;

use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest;
use tungstenite::http::HeaderValue;
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket};

use crate::Outcome;

/// What one participant has seen so far.
struct Participant {
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    heard: BTreeMap<String, u64>,
    present: BTreeSet<String>,
    typing: BTreeSet<String>,
    last_seq: u64,
    replies: u64,
}

impl Participant {
    fn say(&mut self, request: &Value) -> Outcome<()> {
        Ok(self.socket.send(Message::text(request.to_string()))?)
    }

    /// Rule 7 of the protocol: the seqs of events and replies together only rise; here, one by one.
    fn advance(&mut self, seq: &Value) -> Outcome<()> {
        let expected = self.last_seq + 1;
        if seq != expected {
            return Err(format!("seq {seq} where {expected} was due").into());
        }
        self.last_seq = expected;
        Ok(())
    }

    /// Receives one message, whatever it is, and notes what it says.
    fn receive(&mut self) -> Outcome<Value> {
        let text = loop {
            match self.socket.read()? {
                Message::Text(text) => break text,
                Message::Ping(_) | Message::Pong(_) => {}
                other => return Err(format!("not a text message: {other}").into()),
            }
        };
        let message: Value = serde_json::from_str(&text)?;
        match (message.get("ev").and_then(Value::as_str), message.get("code")) {
            (None, Some(code)) if code == 0 => {
                if message["data"].get("at").is_some() {
                    self.advance(&message["data"]["seq"])?;
                    self.replies += 1;
                }
            }
            (Some("message"), None) => self.hear(&message)?,
            // We send faster than we read, so we may be caught up: the same messages, several in
            // one.
            (Some("replay"), None) => {
                for item in message["items"].as_array().ok_or("a replay of nothing")? {
                    self.hear(item)?;
                }
            }
            (Some("gap" | "reset"), None) => {
                return Err(format!("something was lost: {text}").into());
            }
            (Some("presence"), None) => {
                // A change, or the whole state after a time of lagging.
                note(&mut self.present, &message["on"]);
                note(&mut self.present, &message["users"]);
            }
            (Some("typing"), None) => note(&mut self.typing, &message["users"]),
            (Some(_), None) => {}
            _ => return Err(format!("refused, or neither event nor reply: {text}").into()),
        }
        Ok(message)
    }

    /// Notes a message `<from> says <n>`, which must be the next one of its sender.
    fn hear(&mut self, message: &Value) -> Outcome<()> {
        self.advance(&message["seq"])?;
        let from = message["from"].as_str().ok_or("a message from nobody")?;
        let heard = self.heard.get_mut(from).ok_or("a message from a stranger")?;
        let text = message["text"].as_str().ok_or("a message without a text")?;
        let mut words = text.split(' ');
        let opening = [words.next(), words.next(), words.next()];
        if opening != [Some(from), Some("says"), Some(heard.to_string().as_str())] {
            return Err(format!("{from} said {opening:?} after {heard} messages").into());
        }
        *heard += 1;
        Ok(())
    }

    /// Receives until the reply to `id`, and returns its data.
    fn reply(&mut self, id: u64) -> Outcome<Value> {
        loop {
            let mut message = self.receive()?;
            if message["id"] == id {
                return Ok(message["data"].take());
            }
        }
    }
}

/// Adds the names in `list`, plain or as the first of a pair.
fn note(names: &mut BTreeSet<String>, list: &Value) {
    let entries = list.as_array().into_iter().flatten();
    let name = |entry: &Value| entry.as_str().or_else(|| entry[0].as_str()).map(str::to_owned);
    names.extend(entries.filter_map(name));
}

/// Waits for run.py to say `expected`.
fn command(expected: &str) -> Outcome<()> {
    let told = io::stdin().lock().lines().next().ok_or("standard input ended")??;
    if told == expected { Ok(()) } else { Err(format!("told {told} instead of {expected}").into()) }
}

/// Takes part: see `run.py` for what it is told and what it prints.
pub(crate) fn run(url: &str, room: &str, name: &str, count: u64, peers: &str) -> Outcome<()> {
    let peers: Vec<_> = peers.split(',').collect();

    let mut request = url.into_client_request()?;
    let subprotocol = HeaderValue::from_static("chinwag.v1");
    request.headers_mut().insert("Sec-WebSocket-Protocol", subprotocol.clone());
    let (socket, response) = tungstenite::connect(request)?;
    if response.headers().get("Sec-WebSocket-Protocol") != Some(&subprotocol) {
        return Err("the subprotocol was not chosen".into());
    }
    let mut me = Participant {
        socket,
        heard: peers.iter().map(|peer| ((*peer).to_owned(), 0)).collect(),
        present: BTreeSet::new(),
        typing: BTreeSet::new(),
        last_seq: 0,
        replies: 0,
    };
    me.say(&json!({"op": "hello", "id": 1, "name": name, "agent": "tungstenite"}))?;
    me.reply(1)?;
    me.say(&json!({"op": "join", "id": 2, "room": room}))?;
    me.last_seq = me.reply(2)?["seq"].as_u64().ok_or("a join without a seq")?;
    println!("joined");

    command("type")?;
    me.say(&json!({"op": "presence", "id": 3, "room": room}))?;
    let presence = me.reply(3)?;
    note(&mut me.present, &presence["users"]);
    me.say(&json!({"op": "typing", "room": room}))?;
    let seen = |me: &Participant, peer: &str| {
        me.present.contains(peer) && (peer == "nc" || me.typing.contains(peer))
    };
    while !peers.iter().all(|peer| seen(&me, peer)) {
        me.receive()?;
    }
    println!("typed");

    command("go")?;
    for n in 0..count {
        // Each tenth is long enough for the server to compress it for those who can read that.
        let padding = " so".repeat(if n % 10 == 0 { 700 } else { 0 });
        let text = format!("{name} says {n}{padding}");
        let cid = format!("{name}-{n}");
        me.say(&json!({"op": "send", "id": 1000 + n, "room": room, "cid": cid, "text": text}))?;
    }
    while me.replies < count || me.heard.values().any(|heard| *heard < count) {
        me.receive()?;
    }
    let report = json!({
        "library": "Rust tungstenite", "sent": count, "heard": me.heard, "compressed": false,
        "present": me.present.len(), "typing": me.typing.len(), "subprotocol": "chinwag.v1",
    });
    println!("{report}");
    command("end")?;

    me.socket.close(None)?;
    loop {
        match me.socket.read() {
            Ok(_) => {}
            Err(tungstenite::Error::ConnectionClosed) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}
