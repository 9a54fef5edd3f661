//! The chat protocol, `chinwag.v1`: JSON texts into commands, replies and events into JSON or, for a
//! person at a terminal, into readable lines.

pub mod client;
mod close;
mod help;
pub mod human;
mod json;
pub mod parse;
pub mod render;

pub use close::{close_code, close_words};
pub use parse::{Parsed, Refused, parse, parse_bytes, request_len_max, requests, too_long};
pub use render::{Context, weight};
