//! Black-box tests: what a client sees on the wire of the built server, hostile bytes included.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests may wait, start threads, fail and print"
)]

mod accounts;
mod catch_up;
mod clients_rely_on;
mod close_codes;
mod command_line;
mod compression;
mod configuration;
mod conversation;
mod database_commands;
mod direct_messages;
mod history;
mod hostile;
mod http;
mod identity;
mod limits;
mod offline;
mod permissions;
mod presence;
mod protocol_example;
mod refusals;
mod reply_codes;
mod requests;
mod restart;
mod resume;
mod retention;
mod rooms;
mod sends;
mod slow;
mod stop;
mod support;
mod tcp_framing;
mod terminals;
mod text_accounts;
mod text_client;
mod upgrade;
mod websocket_frames;
