//! The commands about keys for programs and incoming hooks: what they print, and how they went. The
//! work is done in [`crate::store::tools::people`].

use std::io::Write;
use std::path::Path;

use clap::Subcommand;

use super::names::{parse_new_user, parse_room, parse_time, parse_user};
use super::people::{Failure, on_page, random, stored};
use crate::auth::secret;
use crate::chat::model::account::{
    KEY_ROOM_LEN_MAX, KEY_ROOMS_MAX, Key, is_key_room, may_be_hook_of,
};
use crate::chat::model::identity::{Grant, Rights};
use crate::chat::model::name::{RoomName, UserName};
use crate::config::Config;
use crate::log::Timestamp;
use crate::store::tools::people;

/// The commands about keys.
#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make a key for a program, and print it once
    ///
    /// The program is a user of this name, and nobody else is given it: it needs no membership, is
    /// in no list of people, and may do in the rooms what the key says. It brings the key as
    /// "token" of hello, or as Authorization: Bearer over HTTP.
    Add {
        /// Name of the program
        #[arg(value_parser = parse_new_user)]
        name: UserName,
        /// Rooms, in which * stands for any text, such as 'alerts/*'; may be given several times
        #[arg(long = "rooms", value_name = "ROOMS", required = true, value_parser = parse_rooms)]
        rooms: Vec<Box<str>>,
        /// What it may do there: send, read, or both: read,send
        #[arg(long, value_name = "send|read|read,send", default_value = "send",
              value_parser = parse_can)]
        can: Rights,
        /// How long it is good: a number with s, m, h, d, w or y, such as 90d; until it is ended if
        /// nothing is said
        #[arg(long = "for", value_name = "TIME", value_parser = parse_time)]
        lasts: Option<u64>,
    },
    /// List the keys: names, rooms, rights, and until when
    List,
    /// End a key for good; its connections are closed
    End {
        /// Name of the program
        #[arg(value_parser = parse_user)]
        name: UserName,
    },
}

/// The commands about incoming hooks.
#[derive(Debug, Subcommand)]
pub(super) enum HookCommand {
    /// Make the address of a hook, and print it once
    ///
    /// What Slack's and Mattermost's incoming webhooks take can be posted there, and alerts of
    /// Alertmanager and Grafana: it is said in the room, under the name of the hook.
    Add {
        /// Room in which it speaks
        #[arg(value_parser = parse_room)]
        room: RoomName,
        /// Name under which it speaks [default: the room's, and -hook]
        #[arg(long, value_parser = parse_new_user)]
        name: Option<UserName>,
        /// How long it is good: a number with s, m, h, d, w or y, such as 90d; until it is ended if
        /// nothing is said
        #[arg(long = "for", value_name = "TIME", value_parser = parse_time)]
        lasts: Option<u64>,
    },
    /// List the hooks: names, rooms, and until when
    List,
    /// End a hook for good
    End {
        /// Name of the hook
        #[arg(value_parser = parse_user)]
        name: UserName,
    },
}

/// Runs a command about incoming hooks.
pub(super) fn run_hooks(
    command: &HookCommand,
    config: &Config,
    out: &mut dyn Write,
    wall_ms: u64,
) -> Result<(), Failure> {
    let data = &*config.data;
    match command {
        HookCommand::Add { room, name, lasts } => {
            let name = match name {
                Some(name) => name.clone(),
                // Rooms have levels, which the names of users do not.
                None => UserName::parse(&format!("{}-hook", room.as_str().replace('/', "-")))
                    .map_err(|_error| "give the hook a --name: the room's is none for it")?,
            };
            if !may_be_hook_of(room, &name) {
                return Err("in a conversation only its two speak: take the --name of one".into());
            }
            let made = secret::make(secret::HOOK, random()?);
            let rights = Rights { read: false, send: true };
            let grants = vec![Grant { rooms: room.as_str().into(), rights }];
            let until = lasts.map(|lasts| wall_ms.saturating_add(lasts));
            let hash = made.hash();
            let key = Key { name, hash, grants, until, at: wall_ms, is_hook: true };
            let line = describe(&key, wall_ms);
            let applied = stored(add(config, key))?;
            let (address, hint) = on_page(config, &format!("/hooks/{}", made.text()));
            writeln!(out, "{address}")?;
            writeln!(out, "{hint}{line}; it is not shown again")?;
            applied?;
        }
        HookCommand::List => list(data, out, (true, wall_ms))?,
        HookCommand::End { name } => {
            people::end_key(data, (name, true), wall_ms)??;
            writeln!(out, "the hook {name} is ended")?;
        }
    }
    Ok(())
}

fn list(data: &Path, out: &mut dyn Write, (hooks, wall_ms): (bool, u64)) -> Result<(), Failure> {
    let mut keys = people::load(data)?.keys;
    keys.retain(|key| key.is_hook == hooks);
    if keys.is_empty() {
        writeln!(out, "there is no {} yet", if hooks { "hook" } else { "key" })?;
    }
    for key in &keys {
        writeln!(out, "{}", describe(key, wall_ms))?;
    }
    Ok(())
}

/// Runs a command about keys.
pub(super) fn run(
    command: &KeyCommand,
    config: &Config,
    out: &mut dyn Write,
    wall_ms: u64,
) -> Result<(), Failure> {
    let data = &*config.data;
    match command {
        KeyCommand::Add { name, rooms, can, lasts } => {
            if rooms.len() > KEY_ROOMS_MAX {
                return Err(format!("a key has at most {KEY_ROOMS_MAX} --rooms").into());
            }
            let made = secret::make(secret::KEY, random()?);
            let grants = rooms.iter().map(|rooms| Grant { rooms: rooms.clone(), rights: *can });
            let (name, hash, grants) = (name.clone(), made.hash(), grants.collect());
            let until = lasts.map(|lasts| wall_ms.saturating_add(lasts));
            let key = Key { name, hash, grants, until, at: wall_ms, is_hook: false };
            let line = describe(&key, wall_ms);
            let applied = stored(add(config, key))?;
            writeln!(out, "{}", made.text())?;
            writeln!(out, "{line}; it is not shown again")?;
            applied?;
        }
        KeyCommand::List => list(data, out, (false, wall_ms))?,
        KeyCommand::End { name } => {
            people::end_key(data, (name, false), wall_ms)??;
            writeln!(out, "{name} has no key now")?;
        }
    }
    Ok(())
}

/// Adds a key, whose name is not the one under which the admin API speaks.
fn add(config: &Config, key: Key) -> Result<(), Failure> {
    let has_api = config.admin_token.is_some() || config.admin_token_file.is_some();
    if has_api && key.name == config.admin_name {
        return Err("this is admin_name, which is nobody else's: choose another name".into());
    }
    Ok(people::add_key(&config.data, key)??)
}

/// A key on one line, without its secret.
fn describe(key: &Key, wall_ms: u64) -> String {
    let rooms: Vec<&str> = key.grants.iter().map(|grant| &*grant.rooms).collect();
    let can = match key.grants.first().map(|grant| grant.rights) {
        Some(Rights { read: true, send: true }) => "read,send",
        Some(Rights { send: true, .. }) => "send",
        Some(_) | None => "read",
    };
    let until = match key.until {
        Some(until) if until <= wall_ms => format!(", expired {}", Timestamp(until)),
        Some(until) => format!(", until {}", Timestamp(until)),
        None => String::new(),
    };
    format!("{} may {can} in {}{until}", key.name, rooms.join(" "))
}

pub(super) fn parse_rooms(text: &str) -> Result<Box<str>, String> {
    if !is_key_room(text) {
        let most = KEY_ROOM_LEN_MAX;
        return Err(format!(
            "must be the name of a room, in which * stands for any text: up to {most} bytes in \
             lower case; for several rooms give --rooms several times"
        ));
    }
    Ok(text.into())
}

fn parse_can(text: &str) -> Result<Rights, String> {
    let mut rights = Rights::default();
    for word in text.split(',') {
        match word.trim() {
            "read" => rights.read = true,
            "send" => rights.send = true,
            _ => return Err("must be send, read, or read,send".to_owned()),
        }
    }
    Ok(rights)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_key_may_do_is_said_in_words() {
        let rights = |read, send| Ok(Rights { read, send });
        for (text, expect) in [
            ("send", rights(false, true)),
            ("read", rights(true, false)),
            ("read,send", rights(true, true)),
            ("send, read", rights(true, true)),
        ] {
            assert_eq!(parse_can(text), expect, "{text}");
        }
        for text in ["", "write", "send,", "rw"] {
            assert!(parse_can(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rooms_are_names_with_stars() {
        let most = "x".repeat(32);
        for text in [
            "lobby", "alerts/*", "*", "**", "a*s", "@*", "@ann:*", "@zoe:*", "@a:b", "\u{431}*",
            &most,
        ] {
            assert_eq!(parse_rooms(text).as_deref(), Ok(text));
        }
        // Of these no room can have the name, whatever stands for a star.
        let (over, long) = ("x".repeat(33), "*".repeat(65));
        for text in [
            "", "a b", "Alerts", "a\n", "tea,den", "?ea", "tea/", "/*", "@ann", "@b:a", "@a:b:*",
            &over, &long,
        ] {
            assert!(parse_rooms(text).is_err(), "{text:?}");
        }
    }
}
