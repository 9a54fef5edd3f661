//! What a connection over a limit is told before it is closed.

use bytes::Bytes;

use crate::http::{Authority, HttpDate, Method, Refusal, Response, Status};
use crate::net::CloseReason;
use crate::reactor::Excess;
use crate::session::ListenerKind;
use crate::time::clock::Now;
use crate::wire::{close_code, close_words, render};

/// How long a client that was rejected should wait.
const RETRY_S: u32 = 10;

/// What listeners of this kind say. Nobody is rejected at an admin listener.
pub(super) const fn of(kind: ListenerKind) -> fn(Excess, Now) -> Bytes {
    match kind {
        // Without a handshake there is nothing that could be said over TLS.
        ListenerKind::Https => |_, _| Bytes::new(),
        ListenerKind::Http => http,
        ListenerKind::Tcp => tcp,
        ListenerKind::Admin => |_, _| Bytes::new(),
    }
}

/// What a connection to a listener of this kind is told that does not speak TLS there.
pub(super) const fn without_tls(kind: ListenerKind) -> fn(&[u8], Now) -> Bytes {
    match kind {
        ListenerKind::Tcp => |_, _| line(NO_TLS_LINE),
        ListenerKind::Http | ListenerKind::Https | ListenerKind::Admin => http_without_tls,
    }
}

const NO_TLS_LINE: &str = "this port speaks TLS: connect with it, as by openssl s_client";

fn http_without_tls(bytes: &[u8], now: Now) -> Bytes {
    let text = match host_of(bytes) {
        Some(host) => format!("This port speaks HTTPS. Use https://{host}/\n"),
        None => "This port speaks HTTPS. Use an address that begins with https://\n".to_owned(),
    };
    let mut out = Vec::new();
    let response = Response::text(Status::BadRequest, text).date(HttpDate::at(now.wall_ms));
    response.render(&mut out, Method::Get, false);
    out.into()
}

/// The host that the beginning of a request names, if it does.
fn host_of(bytes: &[u8]) -> Option<&str> {
    let mut lines = std::str::from_utf8(bytes).ok()?.split("\r\n").skip(1);
    let host = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then_some(value.trim())
    })?;
    Authority::parse(host.as_bytes()).map(|_| host)
}

fn http(excess: Excess, now: Now) -> Bytes {
    let refusal = match excess {
        Excess::Connections => Refusal::Overloaded { retry_after_s: RETRY_S },
        Excess::PerAddress => Refusal::AddressFull { retry_after_s: RETRY_S },
    };
    let mut out = Vec::new();
    let response = Response::from(refusal).date(HttpDate::at(now.wall_ms));
    response.render(&mut out, Method::Get, false);
    out.into()
}

/// Nothing has come yet that says what the client speaks, but a line of JSON can be read by all.
fn tcp(excess: Excess, _: Now) -> Bytes {
    let reason = CloseReason::Overloaded;
    let words = match excess {
        Excess::Connections => close_words(reason),
        Excess::PerAddress => "too many connections from your address ([limits] per_address)",
    };
    line(words)
}

/// The last line that a connection gets.
fn line(words: &str) -> Bytes {
    let mut out = Vec::new();
    render::bye(&mut out, close_code(CloseReason::Overloaded), words);
    out.push(b'\n');
    out.into()
}
