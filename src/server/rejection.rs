//! What a connection over a limit is told before it is closed.

use bytes::Bytes;

use crate::http::{Authority, HttpDate, Method, Refusal, Response, Status};
use crate::net::CloseReason;
use crate::reactor::Excess;
use crate::session::ListenerKind;
use crate::time::clock::Now;
use crate::wire::{close_code, render};

/// How long a client that was rejected should wait at least, and how many seconds more the last of
/// them, so that those who come together do not come back together.
const RETRY_S: u32 = 5;
const RETRY_SPREAD_S: u64 = 11;

/// Connections that are rejected come a fraction of a millisecond or some after another, so that
/// the clock's last digits spread them as dice would.
fn retry_after_s(now: Now) -> u32 {
    let spread = now.wall_ms.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    RETRY_S + u32::try_from(spread % RETRY_SPREAD_S).unwrap_or(0)
}

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

/// What a connection is told that comes before anybody can be let in.
pub(super) fn early(kind: ListenerKind, now: Now) -> Bytes {
    match kind {
        ListenerKind::Tcp => line(NOT_REACHED_LINE),
        ListenerKind::Http | ListenerKind::Https | ListenerKind::Admin => {
            let refusal = Refusal::NotReached { retry_after_s: retry_after_s(now) };
            let mut out = Vec::new();
            let response = Response::from(refusal).date(HttpDate::at(now.wall_ms));
            response.render(&mut out, Method::Get, false);
            out.into()
        }
    }
}

/// What a connection to a listener of this kind is told that does not speak TLS there.
pub(super) const fn without_tls(kind: ListenerKind) -> fn(&[u8], Now) -> Bytes {
    match kind {
        ListenerKind::Tcp => |_, _| line(NO_TLS_LINE),
        ListenerKind::Http | ListenerKind::Https | ListenerKind::Admin => http_without_tls,
    }
}

const NOT_REACHED_LINE: &str =
    "the log that this node shares with others is not reached yet: try again in some seconds";
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
    let retry_after_s = retry_after_s(now);
    let refusal = match excess {
        Excess::Connections => Refusal::Overloaded { retry_after_s },
        Excess::Connects => Refusal::AddressFast { retry_after_s },
        Excess::Memory => Refusal::Memory { retry_after_s },
        Excess::PerAddress => Refusal::AddressFull { retry_after_s },
        Excess::HalfOpen => Refusal::AddressHalfOpen { retry_after_s },
    };
    let mut out = Vec::new();
    let response = Response::from(refusal).date(HttpDate::at(now.wall_ms));
    response.render(&mut out, Method::Get, false);
    out.into()
}

/// Nothing has come yet that says what the client speaks, but a line of JSON can be read by all.
fn tcp(excess: Excess, _: Now) -> Bytes {
    let words = match excess {
        Excess::Connections => {
            "the server is full ([limits] connections): try again in some seconds"
        }
        Excess::Connects => "your address connects too often ([limits] connects_per_s)",
        Excess::Memory => "too much waits for slow readers (memory): try again in some seconds",
        Excess::HalfOpen => {
            "too many connections from your address have not said hello ([limits] half_open_per_address)"
        }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::time::Tick;

    fn at(wall_ms: u64) -> Now {
        Now { tick: Tick::ZERO, wall_ms }
    }

    #[test]
    fn each_refusal_says_what_is_full_and_when_to_come_back() {
        for (excess, status, words) in [
            (Excess::Connections, "503", "[limits] connections"),
            (Excess::Memory, "503", "slow readers (memory)"),
            (Excess::PerAddress, "429", "[limits] per_address"),
            (Excess::HalfOpen, "429", "[limits] half_open_per_address"),
            (Excess::Connects, "429", "[limits] connects_per_s"),
        ] {
            let text = String::from_utf8(http(excess, at(1)).to_vec()).unwrap();
            assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
            assert!(text.contains("\r\nRetry-After: ") && text.contains(words), "{text}");
            let line = String::from_utf8(tcp(excess, at(1)).to_vec()).unwrap();
            assert!(line.starts_with("{\"ev\":\"bye\",\"close\":4104,"), "{line}");
            assert!(line.ends_with("}\n") && line.lines().count() == 1, "{line}");
            assert!(line.contains(words), "{line}");
        }
    }

    #[test]
    fn those_who_are_turned_away_together_do_not_come_back_together() {
        let waits: BTreeSet<u32> =
            (0..100).map(|ms| retry_after_s(at(1_763_700_000_000 + ms))).collect();
        assert_eq!(waits, (5..=15).collect());
    }
}
