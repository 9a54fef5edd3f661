//! A reader of Server-Sent Events that takes nothing for granted.

use std::net::SocketAddr;

use serde_json::Value;

use super::http::{self, Response};
use super::json::is_subset;
use super::{Raw, SMALL_BUFFER};

/// An event as it came.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    /// The position that came with it.
    pub(crate) id: Option<String>,
    /// Its type, `message` if none was said.
    pub(crate) name: String,
    /// Its data.
    pub(crate) data: Value,
}

/// A stream that has begun.
#[derive(Debug)]
pub(crate) struct Stream {
    /// The connection below.
    pub(crate) raw: Raw,
    /// The head of the response.
    pub(crate) head: Response,
    /// The id of the last event that had one.
    pub(crate) last_id: String,
    /// What was said last of when to come back.
    pub(crate) retry_ms: Option<u64>,
}

impl Stream {
    /// Asks for the stream at `target` with `fields`, each ended by CRLF; it must begin.
    #[track_caller]
    pub(crate) fn open(address: SocketAddr, target: &str, fields: &str) -> Self {
        Self::over(Raw::connect(address), address, target, fields)
    }

    /// The same with little room for what was not read.
    #[track_caller]
    pub(crate) fn open_slow(address: SocketAddr, target: &str) -> Self {
        Self::over(Raw::connect_small(address, SMALL_BUFFER), address, target, "")
    }

    #[track_caller]
    fn over(mut raw: Raw, address: SocketAddr, target: &str, fields: &str) -> Self {
        raw.send(head(address, target, fields).as_bytes());
        let head = http::read_head(&mut raw);
        assert_eq!(head.status, 200, "{target}");
        Self { raw, head, last_id: String::new(), retry_ms: None }
    }

    /// The next event, `None` at the end of the stream. Comments are passed over.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Option<Event> {
        let (mut id, mut name, mut data) = (None, "message".to_owned(), None);
        while let Some(line) = self.raw.line() {
            if line.is_empty() {
                if let Some(data) = data.take() {
                    return Some(Event { id, name, data });
                }
                continue;
            }
            match line.split_once(": ") {
                _ if line.starts_with(':') => {}
                Some(("id", value)) => {
                    value.clone_into(&mut self.last_id);
                    id = Some(value.to_owned());
                }
                Some(("event", value)) => value.clone_into(&mut name),
                Some(("data", value)) => {
                    assert!(data.is_none(), "two lines of data: {line}");
                    assert!(!value.contains(['\u{85}', '\u{2028}', '\u{2029}']), "{value:?}");
                    data = Some(serde_json::from_str(value).expect("JSON"));
                }
                Some(("retry", value)) => self.retry_ms = value.parse().ok(),
                _ => panic!("no line of a stream: {line:?}"),
            }
        }
        assert!(data.is_none(), "an event without its end");
        None
    }

    /// The next event, whose data must contain `expected`.
    #[track_caller]
    pub(crate) fn expect_next(&mut self, expected: &Value) -> Event {
        let event = self.next().unwrap_or_else(|| panic!("the end instead of {expected}"));
        super::assert_subset(&event.data, expected);
        assert_eq!(event.data["ev"], *event.name, "its type is its ev");
        event
    }

    /// Passes over events until one whose data contains `expected`.
    #[track_caller]
    pub(crate) fn expect(&mut self, expected: &Value) -> Event {
        loop {
            let event = self.next().unwrap_or_else(|| panic!("the end instead of {expected}"));
            if is_subset(expected, &event.data) {
                return event;
            }
        }
    }

    /// The stream must end, after these events.
    #[track_caller]
    pub(crate) fn expect_end(&mut self, last: &[Value]) {
        for expected in last {
            self.expect_next(expected);
        }
        assert_eq!(self.next(), None);
        assert!(self.raw.is_at_end(), "the connection goes on");
    }
}

/// The head of a request for a stream.
pub(crate) fn head(address: SocketAddr, target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n{fields}\r\n")
}
