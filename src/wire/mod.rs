//! The chat protocol, `chinwag.v1`: parses JSON requests into commands, and renders replies and
//! events as JSON or, for a person at a terminal, as lines of text. [`chat`](crate::chat) knows
//! what they mean, [`ws`](crate::ws) and [`line`](crate::line) how they travel.
//!
//! All messages, each with its fields, are in [a chapter of the book](crate::docs::messages), which
//! is made of the tables of `help` and of [`told`].
//!
//! # From one end to the other
//!
//! ```
//! use chinwag::chat::{Limits, Reply};
//! use chinwag::wire::{self, Context, render};
//!
//! let limits = Limits::default();
//! let (request, _command) = wire::parse(r#"{"op":"ping","id":"p"}"#, &limits).unwrap();
//! let (limits, stated) = (&limits, &*render::stated_limits(&limits));
//! let context = Context { viewer: None, limits, stated, server: "chinwag 0.1.0" };
//! let mut out = Vec::new();
//! render::reply(&mut out, &request, &Reply::Pong { time: 7 }, &context);
//! assert_eq!(out, br#"{"id":"p","code":0,"message":"ok","data":{"time":7}}"#);
//! ```

pub mod client;
mod close;
mod encoded_len;
pub mod events;
mod field_key;
mod frame_len;
mod help;
mod json;
pub mod parse;
pub mod posted;
pub mod render;
pub mod text;
pub mod told;

pub use close::{close_code, close_words};
pub use encoded_len::encoded_len_max;
pub use frame_len::frame_len_max;
pub use help::{Operation, operations};
pub use parse::{
    Parsed, Refused, parse, parse_bytes, parse_next, request_len_max, requests, too_long,
};
pub use render::Context;
