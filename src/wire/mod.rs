//! The chat protocol, `chinwag.v1`: parses JSON requests into commands, and renders replies and
//! events as JSON or, for a person at a terminal, as lines of text. [`chat`](crate::chat) knows
//! what they mean, [`ws`](crate::ws) and [`line`](crate::line) how they travel.
//!
//! # Requests
//!
//! A request is one flat JSON object: `op` (one of [`Op`](crate::chat::Op)), an optional `id`, and
//! the fields of the operation. A WebSocket message may hold several, one a line ([`requests`]).
//! These are the operations, as `{"op":"help","id":1}` lists them:
//!
#![doc = include_str!("operations.md")]
//!
//!
//! ```text
//! > {"op":"send","id":3,"room":"lobby","cid":"c-7781","text":"hi"}
//! < {"id":3,"code":0,"message":"ok",
//!    "data":{"room":"lobby","seq":122,"at":1763700001456,"durable":"memory"}}
//! ```
//!
//! - `id`: a string or an integer of at most 64 bytes, echoed as it was written. Without it a
//!   success is not answered; a refusal always is, with `"id":null,"op":…`.
//! - Fields that no operation has are ignored. `null` counts as a missing field. A field that is
//!   given twice is refused, and so is a string with a NUL or half of a surrogate pair.
//! - A seq is an integer of 0 or more and below 2^53; `1.0`, `-1` and `"1"` are refused. The seq of
//!   a message is 1 or more.
//! - `data` is passed on as it was written, except for line ends, so it must be JSON that every
//!   parser can read: at most [`DATA_DEPTH_MAX`](parse::DATA_DEPTH_MAX) levels, no half of a
//!   surrogate pair, no number beyond a double.
//! - What people write (`text`, `topic`, `reason`, `emoji`): CR LF is taken as LF; other control
//!   characters (C0, DEL, C1) but tab and newline are refused with the `offset` in the text, and so
//!   is what nobody would see: a text of blanks alone. Messages that older versions took are shown
//!   with `?` for such characters.
//! - `text` and `data` together are at most `message_bytes` (4001).
//!
//! # Replies
//!
//! `{"id":…,"code":0,"message":"ok","data":{…}}`, or with another [`Code`](crate::chat::Code) a
//! refusal:
//!
//! ```text
//! > {"op":"jion","room":"lobby","id":"a"}
//! < {"id":"a","code":1002,"message":"there is no operation \"jion\"",
//!    "data":{"error":"unknown_op","field":"op","expected":"one of hello, …","hint":"join",
//!    "ops":["hello",…]}}
//! ```
//!
//! `data.error` is the code's stable slug. The others are there where they help: `field`,
//! `expected` (a valid value in words), `hint` (a value that would be accepted), `limit` (the limit
//! that was exceeded), `offset` (the byte at which the JSON is invalid), `epoch` (the present one),
//! and `retry_after_ms` exactly when the same request can succeed later by itself.
//!
//! # Events
//!
//! An object with `ev`. A record of a room's log has `room`, `seq`, `from` and `at`; as an item of
//! a `replay` or of `history` it has no `room`, and one's own has its `cid`. A message that was
//! edited shows its present text and `"edited":at`; of one that was deleted, and of its edits,
//! `"deleted":true` is left. A reaction that is taken back has `"remove":true`. The `act` of
//! moderation is `kick`, `ban`, `unban`, `mute`, `unmute` or `role` (with the `role`); bans and
//! mutes without `until` last until they are taken back.
//!
//! ```text
//! < {"ev":"message","room":"lobby","seq":123,"from":"bob","at":1763700002001,"text":"yo"}
//! < {"ev":"topic","room":"lobby","seq":124,"from":"bob","at":1763700002002,"text":"tea"}
//! < {"ev":"edit","room":"lobby","seq":125,"from":"bob","at":1763700002003,"target":123,
//!    "text":"yo!"}
//! < {"ev":"reaction","room":"lobby","seq":126,"from":"ann","at":1763700002004,"target":123,
//!    "emoji":"+1"}
//! < {"ev":"deletion","room":"lobby","seq":127,"from":"bob","at":1763700002005,"target":123}
//! < {"ev":"moderation","room":"lobby","seq":128,"from":"ann","at":1763700002006,"act":"mute",
//!    "target":"bob","until":1763700062006,"reason":"spam"}
//! < {"ev":"invited","room":"attic","from":"ann"}
//! < {"ev":"replay","room":"lobby","items":[{"ev":"message","seq":1,…},…],"to":140}
//! < {"ev":"live","room":"lobby","seq":140}
//! < {"ev":"gap","room":"lobby","from":1,"to":12,"why":"pruned"}
//! < {"ev":"joined","room":"@ann:bob","epoch":"z1","seq":0}
//! < {"ev":"left","room":"lobby","reason":"kicked"}
//! < {"ev":"renamed","room":"lobby","name":"hall"}
//! < {"ev":"rename","room":"hall","seq":129,"from":"ann","at":1763700002007,"name":"hall",
//!    "was":"lobby"}
//! < {"ev":"gone","room":"hall","from":"ann","reason":"we have moved"}
//! < {"ev":"presence","room":"lobby","v":42,"on":["dan"],"away":[],"off":["eve"],"count":37}
//! < {"ev":"presence","room":"lobby","v":43,"users":[["ann","online"],["bob","away"]],"count":2}
//! < {"ev":"typing","room":"lobby","users":["bob"]}
//! < {"ev":"receipts","room":"lobby","read":{"bob":122,"eve":123}}
//! < {"ev":"receipts","room":"lobby","read":{"ann":123},"own":true}
//! < {"ev":"drain","reconnect_after_ms":7350,"window_ms":20000,"reason":"restart"}
//! < {"ev":"ping"}
//! < {"ev":"bye","close":4101,"reason":"you did not read for too long"}
//! ```
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

pub use close::{close_code, close_words};
pub use encoded_len::encoded_len_max;
pub use frame_len::frame_len_max;
pub use help::{EVENTS, Operation, operations};
pub use parse::{Parsed, Refused, parse, parse_bytes, request_len_max, requests, too_long};
pub use render::Context;
