//! Black-box tests: what a client sees on the wire of the built server, hostile bytes included.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests may wait, start threads, fail and print"
)]

mod accounts;
mod admin_acts;
mod admin_api;
mod arrivals;
mod audits;
mod blocks;
mod catch_up;
mod clients_rely_on;
mod close_codes;
mod command_line;
mod compression;
mod configuration;
mod conversation;
mod database_commands;
mod direct_messages;
mod documentation;
mod events;
mod exhaustion;
mod exports;
mod file_contents;
mod files;
mod history;
mod hostile;
mod http;
mod http_api;
mod http_bearers;
mod http_statuses;
mod identity;
mod keys;
mod limits;
mod live_upgrade;
mod log_pipe;
mod memory;
mod mentions;
mod not_in_memory;
mod offline;
mod on_demand;
mod other_hands;
mod permissions;
mod presence;
mod profiles;
mod protocol_example;
mod proxies;
mod push;
mod refusals;
mod reload;
mod reply_codes;
mod reports;
mod requests;
mod restart;
mod resume;
mod retention;
mod room_names;
mod rooms;
mod rust_client;
mod sends;
mod slow;
mod stop;
mod storm;
mod supervisor;
mod support;
mod tcp_framing;
mod terminals;
mod text_accounts;
mod text_client;
mod text_commands;
mod threads;
mod tls;
mod tokens;
mod upgrade;
mod upgrade_command;
mod webhook_secrets;
mod webhooks;
mod websocket_frames;
