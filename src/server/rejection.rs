//! What a connection over a limit is told before it is closed.

use bytes::Bytes;

use crate::http::{HttpDate, Method, Refusal, Response};
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
        ListenerKind::Http => http,
        ListenerKind::Tcp => tcp,
        ListenerKind::Admin => |_, _| Bytes::new(),
    }
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
    let mut out = Vec::new();
    render::bye(&mut out, close_code(reason), words);
    out.push(b'\n');
    out.into()
}
