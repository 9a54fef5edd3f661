//! Responses, and the fields that all of them have.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::borrow::Cow;
use std::io::Write as _;

use super::{ETag, HttpDate, Method, Methods, Refusal, Status};

/// Sent with every response.
///
/// - The page's own files are all that it may load, and its own server all that it may connect to;
///   `'self'` covers the WebSocket of the same host and port (CSP 3, as in Chrome since 71, Firefox
///   since 2018, Safari since 16; an older Safari would need `wss:` and the host name here). Icons
///   may be inline.
/// - Strings do not become markup or code (Trusted Types), and nobody may frame the page.
/// - Other sites may neither embed the files nor keep a handle on the page's window, and learn
///   nothing from links followed.
const SECURITY_FIELDS: &str = "\
Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
require-trusted-types-for 'script'; trusted-types 'none'\r\n\
X-Content-Type-Options: nosniff\r\n\
Referrer-Policy: no-referrer\r\n\
Cross-Origin-Opener-Policy: same-origin\r\n\
Cross-Origin-Resource-Policy: same-origin\r\n\
Permissions-Policy: camera=(), geolocation=(), microphone=(), payment=(), usb=()\r\n";

/// The type of plain texts.
pub const TEXT: &str = "text/plain; charset=utf-8";

/// The value of a field: never a text from outside, so that no response can be split, but for the
/// origin of a page that was let in.
#[derive(Clone, Debug)]
enum Value {
    Text(&'static str),
    Origin(Box<str>),
    Number(u32),
    ETag(ETag),
    Date(HttpDate),
}

/// A response: status, fields, body.
#[derive(Clone, Debug)]
pub struct Response {
    status: Status,
    fields: Vec<(&'static str, Value)>,
    body: Cow<'static, [u8]>,
    offers_websocket: bool,
    /// The body ends with the connection.
    is_endless: bool,
}

impl Response {
    /// A response without fields of its own and without a body.
    #[must_use]
    pub const fn new(status: Status) -> Self {
        Self {
            status,
            fields: Vec::new(),
            body: Cow::Borrowed(&[]),
            offers_websocket: false,
            is_endless: false,
        }
    }

    /// A response with a plain text, which is not to be stored.
    #[must_use]
    pub fn text(status: Status, text: impl Into<Cow<'static, str>>) -> Self {
        let bytes = match text.into() {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        Self::new(status).field("Cache-Control", "no-store").body(TEXT, bytes)
    }

    /// Adds a field.
    #[must_use]
    pub fn field(mut self, name: &'static str, value: &'static str) -> Self {
        self.fields.push((name, Value::Text(value)));
        self
    }

    /// Adds a field with a number.
    #[must_use]
    pub fn number(mut self, name: &'static str, value: u32) -> Self {
        self.fields.push((name, Value::Number(value)));
        self
    }

    /// Lets a page of this origin read it, which must be of visible ASCII.
    #[must_use]
    pub fn allow_origin(mut self, origin: Box<str>) -> Self {
        debug_assert!(origin.bytes().all(|byte| byte.is_ascii_graphic()), "{origin:?}");
        self.fields.push(("Access-Control-Allow-Origin", Value::Origin(origin)));
        self
    }

    /// The body follows later, and ends with the connection (RFC 9112 section 6.3).
    #[must_use]
    pub const fn endless(mut self) -> Self {
        self.is_endless = true;
        self
    }

    /// Whether the body ends with the connection.
    #[must_use]
    pub const fn is_endless(&self) -> bool {
        self.is_endless
    }

    /// Adds the entity tag.
    #[must_use]
    pub fn etag(mut self, tag: ETag) -> Self {
        self.fields.push(("ETag", Value::ETag(tag)));
        self
    }

    /// Adds the date, as every answer must have one.
    #[must_use]
    pub fn date(mut self, date: HttpDate) -> Self {
        self.fields.push(("Date", Value::Date(date)));
        self
    }

    /// Sets the body and its type.
    #[must_use]
    pub fn body(self, content_type: &'static str, body: impl Into<Cow<'static, [u8]>>) -> Self {
        Self { body: body.into(), ..self.field("Content-Type", content_type) }
    }

    /// Says that the connection could become a WebSocket, as status 426 must.
    #[must_use]
    pub fn offer_websocket(self) -> Self {
        Self { offers_websocket: true, ..self.field("Upgrade", "websocket") }
    }

    /// The status.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.status
    }

    /// Appends the response to a request of `method` to `out`: the answer to HEAD has the length of
    /// its body, but not the body. `keep_alive` is what the response says about the connection.
    pub fn render(&self, out: &mut Vec<u8>, method: Method, keep_alive: bool) {
        out.reserve(SECURITY_FIELDS.len() + 256 + self.body.len());
        push(out, &["HTTP/1.1 ", self.status.line(), "\r\n"]);
        for (name, value) in &self.fields {
            push(out, &[name, ": "]);
            match value {
                Value::Text(text) => push(out, &[text]),
                Value::Origin(origin) => push(out, &[origin]),
                Value::Number(number) => push_number(out, u64::from(*number)),
                Value::ETag(tag) => push(out, &[tag.as_str()]),
                Value::Date(date) => push(out, &[date.as_str()]),
            }
            push(out, &["\r\n"]);
        }
        if !self.status.is_bodiless() && !self.is_endless {
            push(out, &["Content-Length: "]);
            push_number(out, u64::try_from(self.body.len()).unwrap_or(u64::MAX));
            push(out, &["\r\n"]);
        }
        push(out, &[self.connection(keep_alive), SECURITY_FIELDS, "\r\n"]);
        if !self.status.is_bodiless() && method != Method::Head {
            out.extend_from_slice(&self.body);
        }
    }

    /// The `Connection` field, empty where there is nothing to say.
    const fn connection(&self, keep_alive: bool) -> &'static str {
        match (keep_alive, self.offers_websocket) {
            (true, false) => "",
            (true, true) => "Connection: Upgrade\r\n",
            (false, false) => "Connection: close\r\n",
            (false, true) => "Connection: close, Upgrade\r\n",
        }
    }
}

/// The answer to a refused request: the status, what it must come with, and the words.
impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Self {
        let status = refusal.status();
        let response = Self::text(status, format!("{}: {refusal}\n", status.line()));
        match refusal {
            Refusal::MethodNotAllowed { allowed } => response.field("Allow", allowed.allow()),
            Refusal::Connect => response.field("Allow", Methods::GetAndHead.allow()),
            Refusal::Overloaded { retry_after_s }
            | Refusal::NotReached { retry_after_s }
            | Refusal::Memory { retry_after_s }
            | Refusal::AddressFast { retry_after_s }
            | Refusal::AddressHalfOpen { retry_after_s }
            | Refusal::AddressFull { retry_after_s } => {
                response.number("Retry-After", retry_after_s)
            }
            Refusal::UpgradeRequired | Refusal::UpgradeTaken | Refusal::WebSocketVersion => {
                response.offer_websocket().field("Sec-WebSocket-Version", "13")
            }
            _ => response,
        }
    }
}

fn push(out: &mut Vec<u8>, texts: &[&str]) {
    for text in texts {
        out.extend_from_slice(text.as_bytes());
    }
}

fn push_number(out: &mut Vec<u8>, number: u64) {
    // Writing to a vector cannot fail.
    let _infallible = write!(out, "{number}");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The response's head without the fields that all have, and its body.
    fn render(response: &Response, method: Method, keep_alive: bool) -> (String, String) {
        let mut out = Vec::new();
        response.render(&mut out, method, keep_alive);
        let text = String::from_utf8(out).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let head = format!("{head}\r\n");
        assert_eq!(head.matches(SECURITY_FIELDS).count(), 1, "{head}");
        assert!(!head.replace("\r\n", "").contains(['\r', '\n']), "{head}");
        (head.replace(SECURITY_FIELDS, ""), body.to_owned())
    }

    #[track_caller]
    fn check(refusal: Refusal, status: &str, required: &str, connection: &str) {
        let (head, body) = render(&refusal.into(), Method::Get, false);
        let len = body.len();
        let expect = format!(
            "HTTP/1.1 {status}\r\nCache-Control: no-store\r\nContent-Type: {TEXT}\r\n\
             {required}Content-Length: {len}\r\nConnection: {connection}\r\n"
        );
        assert_eq!(head, expect);
        assert_eq!(body, format!("{status}: {refusal}\n"));
    }

    #[test]
    fn a_response_has_its_length_its_fields_and_its_body() {
        let response =
            Response::new(Status::Ok).field("A", "b").number("C", 7).body(TEXT, b"hello");
        let head = format!(
            "HTTP/1.1 200 OK\r\nA: b\r\nC: 7\r\nContent-Type: {TEXT}\r\nContent-Length: 5\r\n"
        );
        assert_eq!(render(&response, Method::Get, true), (head.clone(), "hello".to_owned()));
        assert_eq!(render(&response, Method::Head, true), (head.clone(), String::new()));
        let closing = format!("{head}Connection: close\r\n");
        assert_eq!(render(&response, Method::Get, false), (closing, "hello".to_owned()));
    }

    #[test]
    fn a_response_that_has_no_body_has_no_length() {
        for status in [Status::NotModified, Status::NoContent] {
            let response = Response::new(status).body(TEXT, b"not sent");
            let (head, body) = render(&response, Method::Get, true);
            assert_eq!(body, "");
            assert!(!head.contains("Content-Length"), "{head}");
        }
    }

    #[test]
    fn refusals_come_with_what_their_status_requires() {
        let version = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
        let (files, socket) = (Methods::GetAndHead, Methods::Get);
        for (refusal, status, required, connection) in [
            (Refusal::NotFound, "404 Not Found", "", "close"),
            (Refusal::OriginForeign, "403 Forbidden", "", "close"),
            (Refusal::HostUnknown, "421 Misdirected Request", "", "close"),
            (Refusal::HeadTimeout, "408 Request Timeout", "", "close"),
            (
                Refusal::MethodNotAllowed { allowed: files },
                "405 Method Not Allowed",
                "Allow: GET, HEAD\r\n",
                "close",
            ),
            (
                Refusal::MethodNotAllowed { allowed: socket },
                "405 Method Not Allowed",
                "Allow: GET\r\n",
                "close",
            ),
            (Refusal::Connect, "405 Method Not Allowed", "Allow: GET, HEAD\r\n", "close"),
            (Refusal::UpgradeRequired, "426 Upgrade Required", version, "close, Upgrade"),
            (Refusal::WebSocketVersion, "426 Upgrade Required", version, "close, Upgrade"),
            (
                Refusal::Overloaded { retry_after_s: 5 },
                "503 Service Unavailable",
                "Retry-After: 5\r\n",
                "close",
            ),
        ] {
            check(refusal, status, required, connection);
        }
    }
}
