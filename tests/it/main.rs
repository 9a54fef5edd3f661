//! Black-box tests: what a client sees on the wire of the built server, hostile bytes included.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests may wait, start threads, fail and print"
)]

mod authority;
mod catch_up;
mod codes;
mod command_line;
mod compression;
mod configuration;
mod conversation;
mod direct;
mod frames;
mod framing;
mod history;
mod hostile;
mod http;
mod limits;
mod offline;
mod people;
mod presence;
mod protocol;
mod requests;
mod restart;
mod resume;
mod rooms;
mod sends;
mod slow;
mod stop;
mod support;
mod tools;
mod upgrade;
