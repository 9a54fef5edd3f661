//! The commands about outgoing webhooks: what they print, and how they went. The work is done in
//! [`crate::store::tools::webhooks`], or in a cluster in [`crate::cluster::node::webhooks`].

use std::fmt::Write as _;
use std::io::Write;

use clap::Subcommand;

use super::keys::parse_rooms;
use super::names::parse_user;
use super::people::{Failure, random, stored};
use super::webhook_place::WebhookPlace;
use crate::chat::model::name::UserName;
use crate::chat::model::webhook::{EventKind, EventSet, Interest, WEBHOOK_NAME_LEN_MAX, Webhook};
use crate::config::{self, Config};
use crate::log::Timestamp;
use crate::store::tools::webhooks::{FORMER_MS, NO_WEBHOOK};
use crate::store::{DeadLetter, StoredWebhook};
use crate::time::clock::Now;
use crate::webhooks::client::{Client, Outcome, check_url};
use crate::webhooks::{self as sending, sign};

/// The commands about webhooks.
#[derive(Debug, Subcommand)]
pub(super) enum WebhookCommand {
    /// Tell another server what happens, and print the secret by which it knows that, once
    Add {
        /// Name of the webhook
        #[arg(value_parser = parse_name)]
        name: Box<str>,
        /// Where what happens is sent: https://…
        #[arg(long, value_name = "URL")]
        url: String,
        /// Rooms, in which * stands for any text, such as 'alerts/*'; may be given several times.
        /// Direct conversations are in none of them
        #[arg(long = "rooms", value_name = "ROOMS", default_value = "*", value_parser = parse_rooms)]
        rooms: Vec<Box<str>>,
        /// What is told, separated by commas: message, edit, deletion, reaction, topic, rename,
        /// moderation, join, leave, room (one was made), direct (a message to somebody who is not
        /// connected), connection (one began or ended)
        #[arg(long, value_name = "EVENTS", default_value = "message,edit,deletion",
              value_parser = parse_events)]
        events: EventSet,
        /// User whose doings are not told: the one as whom the receiver answers, so that it does
        /// not talk to itself
        #[arg(long, value_name = "NAME", value_parser = parse_user)]
        except: Option<UserName>,
    },
    /// List the webhooks: names, addresses, what they are told, and how they fare
    List,
    /// End a webhook for good
    End {
        /// Name of the webhook
        #[arg(value_parser = parse_name)]
        name: Box<str>,
    },
    /// Give a webhook another secret; the former one signs, too, for a day
    Rotate {
        /// Name of the webhook
        #[arg(value_parser = parse_name)]
        name: Box<str>,
    },
    /// Send a webhook a request without events, and say what its receiver answers
    Test {
        /// Name of the webhook
        #[arg(value_parser = parse_name)]
        name: Box<str>,
    },
    /// List what could not be delivered to a webhook
    Dead {
        /// Name of the webhook
        #[arg(value_parser = parse_name)]
        name: Box<str>,
    },
    /// Have what could not be delivered to a webhook tried again, and what waits at once
    Retry {
        /// Name of the webhook
        #[arg(value_parser = parse_name)]
        name: Box<str>,
    },
}

/// Runs a command about webhooks.
pub(super) fn run(
    command: &WebhookCommand,
    config: &Config,
    out: &mut dyn Write,
    now: Now,
) -> Result<(), Failure> {
    let (wall_ms, settings) = (now.wall_ms, &config.webhooks);
    let mut webhooks = WebhookPlace::of(config)?;
    match command {
        WebhookCommand::Add { name, url, rooms, events, except } => {
            check_url(url, &settings.hosts)?;
            let interest =
                Interest { events: *events, rooms: rooms.clone(), except: except.clone() };
            let (name, url, secret) = (name.clone(), url.as_str().into(), sign::make(random()?));
            let webhook = Webhook { name, url, interest, secret, former: None, at: wall_ms };
            let applied = stored(webhooks.add(&webhook))?;
            writeln!(out, "{}", webhook.secret.reveal())?;
            writeln!(out, "{}; it is not shown again", describe(&webhook))?;
            applied?;
        }
        WebhookCommand::List => {
            let all = webhooks.load()?;
            if all.is_empty() {
                writeln!(out, "there is no webhook yet")?;
            }
            for known in &all {
                writeln!(out, "{}{}", describe(&known.webhook), state(known, wall_ms))?;
            }
        }
        WebhookCommand::End { name } => {
            webhooks.end(name, wall_ms)?;
            writeln!(out, "{name} is told nothing any more")?;
        }
        WebhookCommand::Rotate { name } => {
            let secret = sign::make(random()?);
            let applied = stored(webhooks.rotate(name, &secret, wall_ms))?;
            let until = Timestamp(wall_ms.saturating_add(FORMER_MS));
            writeln!(out, "{}", secret.reveal())?;
            writeln!(out, "the secret of before signs, too, until {until}; it is not shown again")?;
            applied?;
        }
        WebhookCommand::Test { name } => test(&webhooks.load()?, settings, name, (out, now))?,
        WebhookCommand::Dead { name } => {
            let letters = webhooks.dead(name)?;
            if letters.is_empty() {
                writeln!(out, "everything was delivered, or waits to be")?;
            }
            for letter in &letters {
                writeln!(out, "{}", describe_dead(letter))?;
            }
        }
        WebhookCommand::Retry { name } => {
            let letters = webhooks.retry(name)?;
            writeln!(out, "{name}: {letters} dead letters are tried again, by a server that runs")?;
        }
    }
    Ok(())
}

fn test(
    all: &[StoredWebhook],
    settings: &config::Webhooks,
    name: &str,
    (out, now): (&mut dyn Write, Now),
) -> Result<(), Failure> {
    let known = all.iter().find(|known| &*known.webhook.name == name);
    let webhook = &known.ok_or(NO_WEBHOOK)?.webhook;
    let client = Client::new(settings);
    match sending::test(&client, webhook, now) {
        Outcome::Delivered(status) => writeln!(out, "{name} has answered {status}")?,
        Outcome::Gone => return Err("the receiver has answered 410: it wants nothing".into()),
        Outcome::Failed { why, .. } => return Err(why.into()),
    }
    Ok(())
}

/// A webhook on one line, without its secret.
fn describe(webhook: &Webhook) -> String {
    let Webhook { name, url, interest, .. } = webhook;
    let kinds: Vec<_> = interest.events.kinds().map(EventKind::name).collect();
    let (kinds, rooms) = (kinds.join(","), interest.rooms.join(" "));
    let except = interest.except.as_ref().map(|user| format!(", except of {user}"));
    format!("{name} is told {kinds} of {rooms} at {url}{}", except.unwrap_or_default())
}

/// How a webhook fares.
fn state(known: &StoredWebhook, wall_ms: u64) -> String {
    let mut text = match &known.ended {
        Some(why) => format!("; ended: {why}"),
        None if known.attempts > 0 => {
            let next = Timestamp(known.next_at.max(wall_ms));
            format!("; failed {} times, next try {next}", known.attempts)
        }
        None => String::new(),
    };
    if known.dead > 0 {
        _ = write!(text, "; {} dead letters", known.dead);
    }
    text
}

fn describe_dead(letter: &DeadLetter) -> String {
    let DeadLetter { at, events, why, from, to, .. } = letter;
    let is_left = if from == to { ", which are gone" } else { "" };
    format!("{} {events} events{is_left}: {why}", Timestamp(*at))
}

fn parse_name(text: &str) -> Result<Box<str>, String> {
    let is_fit = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.')
    };
    if text.is_empty() || text.len() > WEBHOOK_NAME_LEN_MAX || !text.bytes().all(is_fit) {
        let most = WEBHOOK_NAME_LEN_MAX;
        return Err(format!("must be 1 to {most} of a-z, 0-9, '-', '_' and '.'"));
    }
    Ok(text.into())
}

fn parse_events(text: &str) -> Result<EventSet, String> {
    let mut events = EventSet::NONE;
    for word in text.split(',').map(str::trim) {
        let Some(kind) = EventKind::ALL.into_iter().find(|kind| kind.name() == word) else {
            let all: Vec<_> = EventKind::ALL.into_iter().map(EventKind::name).collect();
            return Err(format!("{word:?} is none of {}", all.join(", ")));
        };
        events = events.with(kind);
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_named_by_words() {
        let set = parse_events("message, join").unwrap();
        assert_eq!(set.kinds().collect::<Vec<_>>(), [EventKind::Message, EventKind::Join]);
        for text in ["", "messages", "message,", "all"] {
            assert!(parse_events(text).unwrap_err().contains("is none of message, edit"), "{text}");
        }
    }

    #[test]
    fn a_name_is_plain() {
        for (text, expect) in [
            ("ci-1", true),
            ("a.b_c", true),
            ("", false),
            ("A", false),
            ("a b", false),
            ("\"", false),
        ] {
            assert_eq!(parse_name(text).is_ok(), expect, "{text}");
        }
        parse_name(&"x".repeat(65)).unwrap_err();
    }
}
