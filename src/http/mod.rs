//! HTTP/1.1 without sockets: bytes in, values out.
//!
//! Only what a WebSocket server needs, but that strictly (RFC 9110, RFC 9112, RFC 6455 section 4):
//! where a lenient reading and a strict one differ, a proxy and this server could disagree about
//! where a request ends, so the strict one it is. Only a POST or PUT has a body; any other is read
//! over.
//!
//! ```text
//!  bytes ─▶ HeadParser ─▶ Head ─▶ Admission ─▶ Admitted ─▶ Response::render
//!               │                     │             └────▶ upgrade::render_switching
//!               └──────────┬──────────┘
//!                       Refusal ─▶ Response::from
//! ```
//!
//! | file | what it is about |
//! |---|---|
//! | `scan`, `assemble` | finding lines and fields, whole or in parts, each byte once |
//! | `request`, `head` | what a request line and a head mean, and what may not stand in them |
//! | [`authority`](Authority), [`host`](HostPolicy), [`origin`](OriginPolicy) | the host asked for, and the page |
//! | `admit` | the order of the checks |
//! | `body`, `percent`, `multipart` | what comes after a head, and what stands in paths and forms |
//! | [`forwarded`](forwarded_client) | whom a proxy speaks for |
//! | [`range`](Range), `coding` | a part of a file, and how what is answered is coded |
//! | `name`, `list`, `octets`, `limits` | names of fields, lists, classes of bytes, bounds |
//! | `upgrade`, `accept`, `client` | the opening handshake, from both sides |
//! | `response`, `status`, `etag`, `date`, `refusal` | what is said in return |

mod accept;
mod admit;
mod assemble;
mod authority;
mod body;
mod client;
pub mod coding;
mod date;
mod etag;
mod forwarded;
mod head;
mod host;
mod limits;
mod list;
pub mod multipart;
mod name;
mod octets;
mod origin;
pub mod percent;
mod range;
mod refusal;
mod request;
mod response;
mod scan;
mod status;
mod upgrade;

#[cfg(test)]
mod tests;

pub use accept::{AcceptKey, encode_key};
pub use admit::{Admission, Admitted, Route};
pub use authority::{Authority, Host};
pub use body::{Body, Progress, expects_continue};
pub use client::{AnswerParser, Mismatch, PartialAnswer, Switched, UpgradeRequest};
pub use date::{DateClock, HttpDate};
pub use etag::{Condition, ETag};
pub use forwarded::client as forwarded_client;
pub use head::{Head, HeadParser, Parsed, PartialHead};
pub use host::{HostPolicy, PolicyError};
pub use limits::Limits;
pub use name::Name;
pub use origin::{OriginPolicy, Scheme, is_anybodys};
pub use range::Range;
pub use refusal::{Foreign, HeadPosition, Methods, Refusal};
pub use request::{Method, Version};
pub use response::{Response, TEXT};
pub use status::Status;
pub use upgrade::{SUBPROTOCOL, Upgrade, bearer, render_switching};
