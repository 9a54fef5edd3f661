//! The plain data that every layer above speaks: names, records, events, commands, replies, codes,
//! limits and policies, and the boundary to the log. It has no state and calls nobody.

pub mod account;
pub mod cids;
pub mod code;
pub mod command;
pub mod edits;
pub mod event;
pub mod export;
pub mod figures;
pub mod handover;
pub(in crate::chat) mod held;
pub mod hello;
pub mod identity;
pub mod limits;
pub mod load;
pub mod log;
pub mod meta;
pub mod name;
pub mod notice;
pub mod op;
pub mod operator;
pub mod others;
pub mod output;
pub mod people;
pub mod policy;
pub mod pressure;
pub mod prose;
pub mod record;
pub mod reply;
pub mod resume;
pub mod role;
pub mod stats;
pub mod suspensions;
pub mod watch;
pub mod webhook;
pub mod words;
