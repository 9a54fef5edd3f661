//! One connection over which one thing after the other is asked.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use crate::Outcome;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client of plain lines.
pub(crate) struct Asker {
    reader: BufReader<TcpStream>,
    next_id: u64,
}

impl Asker {
    /// Connects and says hello.
    pub(crate) fn connect(address: SocketAddr, name: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut asker = Self { reader: BufReader::new(stream), next_id: 1 };
        asker.ask(&json!({"op": "hello", "name": name}))?;
        Ok(asker)
    }

    /// Asks and returns the whole reply; events before it are left out.
    pub(crate) fn request(&mut self, request: &Value) -> Outcome<Value> {
        let mut request = request.clone();
        request["id"] = json!(self.next_id);
        self.next_id += 1;
        self.reader.get_mut().write_all(format!("{request}\n").as_bytes())?;
        let mut line = String::new();
        loop {
            line.clear();
            if self.reader.read_line(&mut line)? == 0 {
                return Err("the server closed the connection".into());
            }
            let said: Value = serde_json::from_str(&line)?;
            if said["id"] == request["id"] {
                return Ok(said);
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
