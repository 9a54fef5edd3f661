//! The commands about programs and other servers: keys, incoming hooks, webhooks.

use std::io::Write;

use clap::Subcommand;

use super::people::Failure;
use super::{keys, webhooks};
use crate::config::Config;
use crate::time::clock::Now;

/// The commands about programs.
#[derive(Debug, Subcommand)]
pub(super) enum Programs {
    /// Make keys for programs and end them; done when a running server has applied it
    #[command(subcommand)]
    Key(keys::KeyCommand),
    /// Make addresses to which monitors and others post what is then said in a room
    #[command(subcommand)]
    Hook(keys::HookCommand),
    /// Tell other servers what happens in rooms, by webhooks
    #[command(subcommand)]
    Webhook(webhooks::WebhookCommand),
}

/// Runs a command about programs.
pub(super) fn run(
    command: &Programs,
    config: &Config,
    out: &mut dyn Write,
    now: Now,
) -> Result<(), Failure> {
    match command {
        Programs::Hook(command) => keys::run_hooks(command, config, out, now.wall_ms),
        Programs::Key(command) => keys::run(command, config, out, now.wall_ms),
        Programs::Webhook(command) => webhooks::run(command, config, out, now),
    }
}
