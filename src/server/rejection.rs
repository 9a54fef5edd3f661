//! What a connection over a limit is told before it is closed.

use bytes::Bytes;

use crate::http::{HttpDate, Method, Refusal, Response};
use crate::net::CloseReason;
use crate::reactor::Excess;
use crate::session::ListenerKind;
use crate::time::clock::Now;
use crate::wire::{close_code, close_words, render};

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
        ListenerKind::Http => http,
        ListenerKind::Tcp => tcp,
        ListenerKind::Admin => |_, _| Bytes::new(),
    }
}

fn http(excess: Excess, now: Now) -> Bytes {
    let retry_after_s = retry_after_s(now);
    let refusal = match excess {
        Excess::Connections => Refusal::Overloaded { retry_after_s },
        Excess::Connects => Refusal::AddressFast { retry_after_s },
        Excess::Memory => Refusal::Memory { retry_after_s },
        Excess::PerAddress => Refusal::AddressFull { retry_after_s },
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
        Excess::Connects => "your address connects too often ([limits] connects_per_s)",
        Excess::Memory => "too much waits for slow readers (memory): try again in some seconds",
        Excess::PerAddress => "too many connections from your address ([limits] per_address)",
    };
    let mut out = Vec::new();
    render::bye(&mut out, close_code(reason), words);
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
            (Excess::Connects, "429", "[limits] connects_per_s"),
        ] {
            let text = String::from_utf8(http(excess, at(1)).to_vec()).unwrap();
            assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
            assert!(text.contains("\r\nRetry-After: ") && text.contains(words), "{text}");
            let line = String::from_utf8(tcp(excess, at(1)).to_vec()).unwrap();
            assert!(line.starts_with("{\"ev\":\"bye\",\"close\":4104,"), "{line}");
            assert!(line.ends_with("}\n") && line.lines().count() == 1, "{line}");
        }
    }

    #[test]
    fn those_who_are_turned_away_together_do_not_come_back_together() {
        let waits: BTreeSet<u32> =
            (0..100).map(|ms| retry_after_s(at(1_763_700_000_000 + ms))).collect();
        assert_eq!(waits, (5..=15).collect());
    }
}
