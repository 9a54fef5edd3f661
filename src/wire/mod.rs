//! The chat protocol, `chinwag.v1`: JSON texts into commands, replies and events into JSON or, for a
//! person at a terminal, into readable lines.

mod close;
mod help;
mod json;
pub mod parse;
pub mod render;

pub use close::{close_code, close_words};
pub use parse::{Parsed, Refused, parse, parse_bytes, request_len_max, requests};
pub use render::{Context, weight};
