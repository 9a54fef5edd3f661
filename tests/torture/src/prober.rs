//! One client that asks one thing after the other.

use std::net::{SocketAddr, TcpStream};

use chinwag::client::Framing;
use serde_json::{Value, json};

use crate::Outcome;
use crate::blocking::Blocking;

/// A client of plain lines.
pub(crate) struct Prober {
    connection: Blocking,
    next_id: u64,
}

impl Prober {
    /// Connects and says hello.
    pub(crate) fn connect(address: SocketAddr, name: &str) -> Outcome<Self> {
        Self::connect_as(address, &json!({"op": "hello", "name": name}))
    }

    /// Connects and says this hello.
    pub(crate) fn connect_as(address: SocketAddr, hello: &Value) -> Outcome<Self> {
        let mut prober = Self::over(TcpStream::connect(address)?)?;
        prober.ask(hello)?;
        Ok(prober)
    }

    /// On a socket that is connected, without a hello.
    pub(crate) fn over(stream: TcpStream) -> Outcome<Self> {
        Ok(Self { connection: Blocking::open(stream, Framing::Lines)?, next_id: 1 })
    }

    /// Asks and returns the whole reply; events before it are left out.
    pub(crate) fn request(&mut self, request: &Value) -> Outcome<Value> {
        let mut request = request.clone();
        request["id"] = json!(self.next_id);
        self.next_id += 1;
        self.connection.send(&request.to_string())?;
        loop {
            let message: Value = serde_json::from_str(&self.connection.receive()?)?;
            if message["id"] == request["id"] {
                return Ok(message);
            }
        }
    }

    /// Asks what must succeed and returns the reply's data.
    pub(crate) fn ask(&mut self, request: &Value) -> Outcome<Value> {
        let mut reply = self.request(request)?;
        if reply["code"] != 0 {
            return Err(format!("{request} was answered with {reply}").into());
        }
        Ok(reply["data"].take())
    }

    /// All items of a room's log, page by page.
    pub(crate) fn log(&mut self, room: &str) -> Outcome<Vec<Value>> {
        let (mut items, mut after) = (Vec::new(), 0);
        loop {
            let page =
                self.ask(&json!({"op": "history", "room": room, "after": after, "limit": 200}))?;
            let Some(Value::Array(found)) = page.get("items") else {
                return Err("no items".into());
            };
            items.extend(found.iter().cloned());
            let last = found.last().and_then(|item| item["seq"].as_u64());
            after = last.unwrap_or(after);
            if page["more"] != true || last.is_none() {
                return Ok(items);
            }
        }
    }
}
