//! Requests of plain HTTP and their responses.

use std::net::SocketAddr;

use super::Raw;

/// A response, as it came.
#[derive(Debug)]
pub(crate) struct Response {
    /// The status code.
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    /// The body, by its `Content-Length`.
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// The only header of this name, in whatever case.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        let first = values.next();
        assert!(values.next().is_none(), "{name} twice: {self:?}");
        first.map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[track_caller]
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("UTF-8")
    }
}

/// A `GET` on a connection of its own.
#[track_caller]
pub(crate) fn get(address: SocketAddr, target: &str) -> Response {
    let head = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let mut raw = Raw::connect(address);
    raw.send(head.as_bytes());
    let response = read(&mut raw, true);
    raw.assert_ended();
    response
}

/// Sends `head` as it stands on a connection of its own and returns what is answered.
#[track_caller]
pub(crate) fn request(address: SocketAddr, head: &[u8]) -> Response {
    let mut raw = Raw::connect(address);
    raw.send(head);
    read(&mut raw, !head.starts_with(b"HEAD "))
}

/// Reads one response; `has_body` is false for the answer to a `HEAD`.
#[track_caller]
pub(crate) fn read(raw: &mut Raw, has_body: bool) -> Response {
    let mut response = read_head(raw);
    let status = response.status;
    let length = response.header("Content-Length").map(|text| text.parse().expect("a length"));
    // RFC 9110, section 8.6: these have no body, whatever the length says.
    if has_body && status != 101 && status != 204 && status != 304 {
        response.body = raw.take(length.expect("a Content-Length"));
    }
    response
}

/// Reads the head of a response.
#[track_caller]
pub(crate) fn read_head(raw: &mut Raw) -> Response {
    let head = String::from_utf8(raw.take_until("\r\n\r\n")).expect("a head in UTF-8");
    let mut lines = head.trim_end_matches("\r\n").split("\r\n");
    let start = lines.next().unwrap_or_default();
    let status = start.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    let status = status.unwrap_or_else(|| panic!("no status line: {start:?}"));
    let header = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("no header: {line:?}"));
        (name.to_owned(), value.to_owned())
    };
    Response { status, headers: lines.map(header).collect(), body: Vec::new() }
}
