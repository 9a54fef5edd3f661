//! `chinwag chat` and `chinwag top`, for people at a terminal. Without the feature `terminal` both
//! are there, and say how they are built.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

#[cfg(feature = "terminal")]
use crate::config::named_file;
use crate::config::{Config, Environment};

/// The most bytes of a file with a secret: a signed token has at most 8 KiB.
#[cfg(feature = "terminal")]
const SECRET_LEN_MAX: u64 = 64 << 10;

/// The commands for people at a terminal.
#[derive(Debug, Subcommand)]
pub(super) enum Terminal {
    /// Chat at this terminal; what is piped in is sent, a message for each line
    ///
    /// At the terminal /help lists the commands, Tab completes them and names, and Ctrl-D leaves.
    /// A pipe ends with 0 once the server has answered every message, and with 1 if it refused one.
    #[command(after_help = "\
Examples:
  chinwag chat --as ann --room lobby                     with the server on this machine
  chinwag chat https://chat.example.org --as ann         asks for ann's password, if need be
  echo 'disk full' | chinwag chat --as ci --room alerts  sends a message")]
    Chat(Chat),
    /// Watch a running server: its load, its rooms, and the connections that are loud or lag
    ///
    /// Shows the numbers of /metrics, and with the token of the admin API also rooms and
    /// connections. By default it watches the server that this configuration is of.
    Top(Top),
}

#[derive(Args, Debug)]
pub(super) struct Chat {
    /// Address of the server, as for a browser
    #[arg(default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Name to have there; without it the server gives one
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
    /// Room to enter, or @USER; may be given several times
    #[arg(long = "room", value_name = "ROOM")]
    rooms: Vec<String>,
    /// Token or key that says who one is, or @FILE with it, which other users cannot see
    #[arg(long, value_name = "TOKEN|@FILE")]
    token: Option<String>,
    /// Trust the certificates in this file instead of those that the system trusts
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct Top {
    /// Address of the server's admin listener [default: that of the configuration]
    url: Option<String>,
    /// Token of the admin API, or @FILE with it [default: that of the configuration]
    #[arg(long, value_name = "TOKEN|@FILE")]
    token: Option<String>,
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = clap::value_parser!(u16).range(1..=60))]
    every: u16,
}

/// Chats. Needs no configuration, which is the server's.
#[cfg(feature = "terminal")]
pub(super) fn chat(chat: Chat, environment: &Environment) -> ExitCode {
    use crate::terminal::{Style, chat as terminal};
    use std::io::IsTerminal as _;

    let token = match chat.token.as_deref().map(secret).transpose() {
        Ok(token) => token,
        Err(why) => return wrong(&why),
    };
    let has_colours = environment.wants_colours() && std::io::stdout().is_terminal();
    let options = terminal::Chat {
        url: chat.url,
        name: chat.name,
        token,
        rooms: chat.rooms,
        trusted: chat.trust,
        style: Style { has_colours },
    };
    match terminal::run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => failed(&why),
    }
}

/// Watches a server.
#[cfg(feature = "terminal")]
pub(super) fn top(top: &Top, config: &Config, environment: &Environment) -> ExitCode {
    use std::time::Duration;

    use crate::terminal::{Style, top as terminal};

    let given = top.token.as_deref().map(secret).transpose();
    let token =
        match given.and_then(|given| given.map_or_else(|| own_token(config), |it| Ok(Some(it)))) {
            Ok(token) => token,
            Err(why) => return wrong(&why),
        };
    let own = config.admin.iter().find_map(|listen| Some(listen.ip()?.to_string()));
    let Some(url) = top.url.clone().or(own) else {
        return wrong("say where the admin listener is: chinwag top http://127.0.0.1:9091");
    };
    let every = Duration::from_secs(top.every.into());
    let style = Style { has_colours: environment.wants_colours() };
    match terminal::run(&terminal::Top { url, token, every, style }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => failed(&why),
    }
}

/// The token of the configuration. Only who may read its file is given it.
#[cfg(feature = "terminal")]
fn own_token(config: &Config) -> Result<Option<String>, String> {
    match (&config.admin_token, &config.admin_token_file) {
        (Some(token), _) => Ok(Some(token.reveal().to_owned())),
        (None, Some(file)) => secret(&format!("@{}", file.display())).map(Some),
        (None, None) => Ok(None),
    }
}

/// A secret, or the contents of the file that is named after an `@`.
#[cfg(feature = "terminal")]
fn secret(written: &str) -> Result<String, String> {
    let Some(file) = written.strip_prefix('@') else { return Ok(written.to_owned()) };
    let bytes = named_file::read(file.as_ref(), SECRET_LEN_MAX);
    let bytes = bytes.map_err(|error| format!("{file}: {error}"))?;
    let text = String::from_utf8(bytes).map_err(|_error| format!("{file}: it is not UTF-8"))?;
    Ok(text.trim().to_owned())
}

/// Says how to get what is missing.
#[cfg(not(feature = "terminal"))]
pub(super) fn chat(_: Chat, _: &Environment) -> ExitCode {
    not_built("chat")
}

/// Says how to get what is missing.
#[cfg(not(feature = "terminal"))]
pub(super) fn top(_: &Top, _: &Config, _: &Environment) -> ExitCode {
    not_built("top")
}

#[cfg(not(feature = "terminal"))]
fn not_built(command: &str) -> ExitCode {
    wrong(&format!(
        "this chinwag was built without {command}; build one with it: cargo build --release --features terminal"
    ))
}

fn wrong(why: &str) -> ExitCode {
    _ = super::complain(why);
    ExitCode::from(super::WRONG)
}

#[cfg(feature = "terminal")]
fn failed(why: &str) -> ExitCode {
    _ = super::complain(why);
    ExitCode::FAILURE
}
