//! Responses, and the fields that all of them have.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::borrow::Cow;
use std::io::Write as _;

use super::{ETag, HttpDate, Method, Methods, Refusal, Status, percent};

/// Sent with every response.
///
/// - The page's own files are all that it may load, and its own server all that it may connect to;
///   `'self'` covers the WebSocket of the same host and port (CSP 3, as in Chrome since 71, Firefox
///   since 2018, Safari since 16; an older Safari would need `wss:` and the host name here). Icons
///   may be inline, and pictures of messages are what the page itself has fetched (`blob:`).
/// - Strings do not become markup or code (Trusted Types): the one policy that a script may make is
///   that of `device.js`, which gives out the address of the page's worker and no other. Nobody may
///   frame the page.
/// - Other sites may neither embed the files nor keep a handle on the page's window, and learn
///   nothing from links followed.
const SECURITY_FIELDS: &str = "\
Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
img-src 'self' data: blob:; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
require-trusted-types-for 'script'; trusted-types chinwag-worker\r\n\
X-Content-Type-Options: nosniff\r\n\
Referrer-Policy: no-referrer\r\n\
Cross-Origin-Opener-Policy: same-origin\r\n\
Cross-Origin-Resource-Policy: same-origin\r\n\
Permissions-Policy: camera=(), geolocation=(), microphone=(), payment=(), usb=()\r\n";

/// The same for what somebody else has sent: nothing in it runs, loads or connects, and it has no
/// origin, whatever it is taken for (`sandbox`).
const SANDBOX_FIELDS: &str = "\
Content-Security-Policy: default-src 'none'; frame-ancestors 'none'; sandbox\r\n\
X-Content-Type-Options: nosniff\r\n\
Referrer-Policy: no-referrer\r\n\
Cross-Origin-Opener-Policy: same-origin\r\n\
Cross-Origin-Resource-Policy: same-origin\r\n";

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
    Disposition { is_inline: bool, name: Box<str> },
    Part { from: u64, end: u64, len: u64 },
    NoPart { len: u64 },
}

/// A response: status, fields, body.
#[derive(Clone, Debug)]
pub struct Response {
    status: Status,
    fields: Vec<(&'static str, Value)>,
    body: Cow<'static, [u8]>,
    offers_websocket: bool,
    length: Length,
    /// It is what somebody else has sent.
    is_sandboxed: bool,
}

/// How long the body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    /// As long as the body that is here.
    Whole,
    /// So many bytes, which follow later.
    Following(u64),
    /// It ends with the connection.
    Endless,
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
            length: Length::Whole,
            is_sandboxed: false,
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
        // It comes from outside: with a line end in it, it would begin another field.
        debug_assert!(origin.bytes().all(|byte| byte.is_ascii_graphic()), "{origin:?}");
        self.fields.push(("Access-Control-Allow-Origin", Value::Origin(origin)));
        self
    }

    /// The body follows later, and ends with the connection (RFC 9112 section 6.3).
    #[must_use]
    pub const fn endless(mut self) -> Self {
        self.length = Length::Endless;
        self
    }

    /// Whether the body ends with the connection.
    #[must_use]
    pub const fn is_endless(&self) -> bool {
        matches!(self.length, Length::Endless)
    }

    /// It is what somebody else has sent: with a policy of its own, by which nothing in it runs.
    #[must_use]
    pub const fn sandboxed(mut self) -> Self {
        self.is_sandboxed = true;
        self
    }

    /// So many bytes of the body follow later.
    #[must_use]
    pub const fn following(mut self, len: u64) -> Self {
        self.length = Length::Following(len);
        self
    }

    /// Says whether it is shown or saved, and under which name (RFC 6266): any text, of which
    /// nothing but letters, digits and a few signs is sent as it is.
    #[must_use]
    pub fn disposition(mut self, is_inline: bool, name: &str) -> Self {
        let name = percent::encode(name).into();
        self.fields.push(("Content-Disposition", Value::Disposition { is_inline, name }));
        self
    }

    /// It is the part from this byte up to that one, of so many.
    #[must_use]
    pub fn part(mut self, (from, end): (u64, u64), len: u64) -> Self {
        self.fields.push(("Content-Range", Value::Part { from, end, len }));
        self
    }

    /// There are only so many bytes.
    #[must_use]
    pub fn no_part(mut self, len: u64) -> Self {
        self.fields.push(("Content-Range", Value::NoPart { len }));
        self
    }

    /// Adds the entity tag.
    #[must_use]
    pub fn etag(mut self, tag: ETag) -> Self {
        self.fields.push(("ETag", Value::ETag(tag)));
        self
    }

    /// Adds the version of the page that a file of it belongs to.
    #[must_use]
    pub fn page_version(mut self, version: ETag) -> Self {
        self.fields.push(("Page-Version", Value::ETag(version)));
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

    /// What its status line says.
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
                Value::Disposition { is_inline, name } => {
                    let how = if *is_inline { "inline" } else { "attachment" };
                    push(out, &[how]);
                    if !name.is_empty() {
                        // The form for any letters (RFC 8187), which every browser in use reads.
                        push(out, &["; filename*=UTF-8''", name]);
                    }
                }
                Value::Part { from, end, len } => {
                    let _infallible = write!(out, "bytes {from}-{}/{len}", end.saturating_sub(1));
                }
                Value::NoPart { len } => {
                    let _infallible = write!(out, "bytes */{len}");
                }
            }
            push(out, &["\r\n"]);
        }
        // RFC 9110 section 8.6: a status without a body has no length, and an endless body has none
        // that could be said.
        if !self.status.is_bodiless() && !self.is_endless() {
            push(out, &["Content-Length: "]);
            let len = u64::try_from(self.body.len()).unwrap_or(u64::MAX);
            push_number(out, if let Length::Following(len) = self.length { len } else { len });
            push(out, &["\r\n"]);
        }
        let security = if self.is_sandboxed { SANDBOX_FIELDS } else { SECURITY_FIELDS };
        push(out, &[self.connection(keep_alive), security, "\r\n"]);
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
        // 405 says what is allowed (RFC 9110 section 15.5.6), 426 what to upgrade to (15.5.22).
        match refusal {
            Refusal::MethodNotAllowed { allowed } | Refusal::MethodNotAllowedThere { allowed } => {
                response.field("Allow", allowed.allow())
            }
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
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
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
    fn what_somebody_has_sent_comes_with_a_policy_by_which_nothing_runs() {
        let response = Response::new(Status::PartialContent)
            .sandboxed()
            .disposition(false, "a\r\nb\"é/<x>.html")
            .part((2, 5), 9)
            .following(3);
        let mut out = Vec::new();
        response.render(&mut out, Method::Get, true);
        let text = String::from_utf8(out).unwrap();
        let expect = "HTTP/1.1 206 Partial Content\r\n\
            Content-Disposition: attachment; filename*=UTF-8''a%0D%0Ab%22%C3%A9%2F%3Cx%3E.html\r\n\
            Content-Range: bytes 2-4/9\r\nContent-Length: 3\r\n";
        assert_eq!(text, format!("{expect}{SANDBOX_FIELDS}\r\n"));
        assert!(!text.contains("script-src"));
    }

    #[test]
    fn a_file_that_has_no_name_is_given_none() {
        for (is_inline, expected) in [(false, "attachment"), (true, "inline")] {
            let response = Response::new(Status::Ok).disposition(is_inline, "");
            let (head, _) = render(&response.following(0), Method::Get, true);
            assert!(head.contains(&format!("Content-Disposition: {expected}\r\n")), "{head}");
        }
    }

    #[test]
    fn a_response_that_has_no_body_has_no_length() {
        let response = Response::new(Status::NotModified).body(TEXT, b"not sent");
        let (head, body) = render(&response, Method::Get, true);
        assert_eq!(body, "");
        assert!(!head.contains("Content-Length"), "{head}");
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
