//! The commands about users and invite links: what they print, and how they went. The work is done
//! in [`crate::store::tools::people`].

use std::error::Error;
use std::io::{self, BufRead as _, IsTerminal as _, Write};
use std::path::Path;

use clap::Subcommand;

use super::names::{parse_new_user, parse_room, parse_time, parse_user};
use crate::auth::password::{Cost, Hasher};
use crate::auth::secret;
use crate::chat::model::account::{Hidden, INVITES_MAX, PASSWORD_LEN_MAX, PASSWORD_LEN_MIN};
use crate::chat::model::identity::{Bound, Source};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::people::{ROOM_CLOSED, Report};
use crate::config::Config;
use crate::log::Timestamp;
use crate::store::tools::{ToolError, people};

/// The commands about people.
#[derive(Debug, Subcommand)]
pub(super) enum People {
    /// Add users and change them; done when a running server has applied it
    #[command(subcommand)]
    User(User),
    /// Make a link by which others can register; a running server takes it at once
    Invite {
        /// How often it can be used
        #[arg(long, value_name = "N", default_value = "1", value_parser = parse_uses)]
        uses: u32,
        /// How long: a number with s, m, h, d, w or y, such as 7d
        #[arg(long = "for", value_name = "TIME", default_value = "7d", value_parser = parse_time)]
        lasts: u64,
        /// Room that it leads into; may be given several times
        #[arg(long = "room", value_name = "ROOM", value_parser = parse_room)]
        rooms: Vec<RoomName>,
    },
    /// List what owners, moderators, administrators and the operator have done
    Audit {
        /// Only in this room
        #[arg(long, value_name = "ROOM", value_parser = parse_room)]
        room: Option<RoomName>,
        /// Only by this user
        #[arg(long, value_name = "NAME", value_parser = parse_user)]
        by: Option<UserName>,
        /// Only so long ago at most: a number with s, m, h, d, w or y, such as 7d
        #[arg(long, value_name = "TIME", value_parser = parse_time)]
        since: Option<u64>,
    },
    /// List what users have reported, or settle a report
    ///
    /// Owners and moderators settle what was reported in their rooms, administrators all of it, on
    /// the page or with /reports. Here the operator does.
    Reports {
        /// Only in this room
        #[arg(long, value_name = "ROOM", value_parser = parse_room, conflicts_with = "report")]
        room: Option<RoomName>,
        /// End the report of this number; what it says is removed
        #[arg(long = "settle", value_name = "NUMBER")]
        report: Option<u64>,
    },
}

/// The commands about users.
#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// List the names that belong to somebody, and to whom
    List,
    /// Add an account; the password is read from standard input, or made
    Add {
        /// Name of the user
        #[arg(value_parser = parse_new_user)]
        name: UserName,
    },
    /// Give an account another password, and end its logins
    Passwd {
        /// Name of the user
        #[arg(value_parser = parse_user)]
        name: UserName,
    },
    /// Give a name from before there were accounts a password
    Claim {
        /// Name of the user
        #[arg(value_parser = parse_user)]
        name: UserName,
    },
    /// Make a user an administrator, or no longer
    Admin {
        /// Name of the user
        #[arg(value_parser = parse_user)]
        name: UserName,
        /// No longer
        #[arg(long)]
        off: bool,
    },
    /// End an account for good; its name is not given again
    Retire {
        /// Name of the user
        #[arg(value_parser = parse_user)]
        name: UserName,
    },
}

/// Why a command was not done: it is only printed.
pub(super) type Failure = Box<dyn Error>;

/// What a change has come to that has a secret which is shown once: one that is stored is there,
/// also if the server has not applied it in time, so that the secret is shown before that is said.
///
/// # Errors
///
/// Why nothing was changed.
pub(super) fn stored(done: Result<(), Failure>) -> Result<Result<(), Failure>, Failure> {
    let is_stored =
        |why: &Failure| matches!(why.downcast_ref::<ToolError>(), Some(ToolError::Unconfirmed(_)));
    match done {
        Err(why) if !is_stored(&why) => Err(why),
        done => Ok(done),
    }
}

/// Runs a command about people.
pub(super) fn run(
    people: &People,
    config: &Config,
    out: &mut dyn Write,
    (wall_ms, cost): (u64, Cost),
) -> Result<(), Failure> {
    let data = &*config.data;
    match people {
        People::User(user) => run_user(user, data, out, (wall_ms, cost)),
        People::Invite { uses, lasts, rooms } => {
            invite(config, out, (*uses, *lasts), (rooms, wall_ms))
        }
        People::Audit { room, by, since } => {
            let since = since.map_or(0, |ago| wall_ms.saturating_sub(ago));
            audit(data, out, (room.as_ref(), by.as_ref(), since))
        }
        People::Reports { report: Some(id), .. } => {
            people::settle_report(data, *id, wall_ms)??;
            writeln!(out, "report {id} is settled")?;
            Ok(())
        }
        People::Reports { room, report: None } => reports(data, out, room.as_ref()),
    }
}

/// Runs a command about users.
fn run_user(
    user: &User,
    data: &Path,
    out: &mut dyn Write,
    (wall_ms, cost): (u64, Cost),
) -> Result<(), Failure> {
    match user {
        User::List => return list(data, out),
        User::Add { name } => add(data, out, (name, false), (wall_ms, cost))?,
        User::Claim { name } => add(data, out, (name, true), (wall_ms, cost))?,
        User::Passwd { name } => {
            let (hash, made) = new_password(cost)?;
            people::set_password(data, name, &hash, wall_ms)??;
            say_password(out, name, made.as_ref())?;
        }
        User::Admin { name, off } => {
            people::set_admin(data, (name, !off), wall_ms)??;
            let what = if *off { "is no administrator now" } else { "is an administrator" };
            writeln!(out, "{name} {what}")?;
        }
        User::Retire { name } => {
            people::retire(data, name, wall_ms)??;
            writeln!(out, "{name} has no account now, and the name is not given again")?;
        }
    }
    Ok(())
}

fn add(
    data: &Path,
    out: &mut dyn Write,
    (name, claims): (&UserName, bool),
    (wall_ms, cost): (u64, Cost),
) -> Result<(), Failure> {
    let (hash, made) = new_password(cost)?;
    people::add(data, (name, hash), claims, wall_ms)??;
    say_password(out, name, made.as_ref())
}

fn say_password(
    out: &mut dyn Write,
    name: &UserName,
    made: Option<&Hidden>,
) -> Result<(), Failure> {
    match made {
        Some(made) => writeln!(out, "{name} has the password {}", made.reveal())?,
        None => writeln!(out, "{name} has the password that you gave")?,
    }
    Ok(())
}

/// The hash of a password from standard input, or of one that is made, which comes along.
fn new_password(cost: Cost) -> Result<(Hidden, Option<Hidden>), Failure> {
    let mut line = String::new();
    // From a pipe only: at a terminal it would be shown while it is typed, so that one is made.
    if !io::stdin().is_terminal() {
        io::stdin().lock().read_line(&mut line)?;
    }
    let given = line.trim_end_matches(['\n', '\r']);
    let made = given.is_empty().then(|| random().map(secret::password)).transpose()?;
    let text = made.as_ref().map_or(given, Hidden::reveal);
    if !(PASSWORD_LEN_MIN..=PASSWORD_LEN_MAX).contains(&text.len()) {
        return Err("a password has 8 to 256 bytes".into());
    }
    let salt: [u8; 16] = random()?.first_chunk().copied().ok_or("no random numbers")?;
    let hash = Hasher::new(cost).hash(text, salt).ok_or("there is no memory to hash a password")?;
    Ok((Hidden::new(hash), made))
}

pub(super) fn random() -> Result<[u8; 32], Failure> {
    let mut bits = [0; 32];
    getrandom::fill(&mut bits).map_err(|error| error.to_string())?;
    Ok(bits)
}

fn list(data: &Path, out: &mut dyn Write) -> Result<(), Failure> {
    let all = people::load(data)?;
    let is_person = |bound: &&Bound| bound.source != Source::Key;
    if !all.bound.iter().any(|bound| is_person(&bound)) {
        writeln!(out, "no name belongs to anybody yet")?;
    }
    for bound in all.bound.iter().filter(is_person) {
        let account = all.accounts.iter().find(|account| account.name == bound.name);
        let admin =
            if account.is_some_and(|account| account.is_admin) { " administrator" } else { "" };
        let used = all.logins.iter().filter(|login| login.name == bound.name);
        write!(out, "{} {}{admin}", bound.name, bound.source.name())?;
        match used.map(|login| login.used).max() {
            Some(used) => writeln!(out, " used {}", Timestamp(used))?,
            None => writeln!(out)?,
        }
    }
    Ok(())
}

/// The address of `path` on the page, or, where nobody has said what the page is called, the path
/// and what to do with it.
pub(super) fn on_page(config: &Config, path: &str) -> (String, &'static str) {
    match config.page_url() {
        Some(page) => (page + path, ""),
        None => (path.to_owned(), "write the address of the page in front of it; "),
    }
}

/// Makes an invite link and prints it.
fn invite(
    config: &Config,
    out: &mut dyn Write,
    (uses, for_ms): (u32, u64),
    (rooms, wall_ms): (&[RoomName], u64),
) -> Result<(), Failure> {
    let made = secret::make(secret::INVITE, random()?);
    let until = wall_ms.saturating_add(for_ms);
    let invited = people::invite(&config.data, (made.hash(), uses, until), rooms, wall_ms);
    let applied = stored(invited.map_err(Into::into))?;
    let (link, hint) = on_page(config, &format!("/#invite={}", made.text()));
    writeln!(out, "{link}")?;
    writeln!(out, "{hint}{uses} uses, until {}", Timestamp(until))?;
    applied
}

/// Prints what owners, moderators and administrators have done.
fn audit(
    data: &Path,
    out: &mut dyn Write,
    (room, by, since): (Option<&RoomName>, Option<&UserName>, u64),
) -> Result<(), Failure> {
    for (at, who, act, whom, place) in people::acts(data)? {
        let is_by = by.is_none_or(|by| who.as_deref() == Some(by.as_str()));
        let is_there = room.is_none_or(|room| place.as_deref() == Some(room.as_str()));
        if at < since || !is_by || !is_there {
            continue;
        }
        // A room without members ends without anybody's doing.
        let nobody = if act == ROOM_CLOSED { "nobody" } else { "operator" };
        let who = who.unwrap_or_else(|| nobody.to_owned());
        write!(out, "{} {who} {act}", Timestamp(at))?;
        if !whom.is_empty() {
            write!(out, " {whom}")?;
        }
        match place {
            Some(place) => writeln!(out, " in {place}")?,
            None => writeln!(out)?,
        }
    }
    Ok(())
}

/// Prints what was reported and is not settled.
fn reports(data: &Path, out: &mut dyn Write, room: Option<&RoomName>) -> Result<(), Failure> {
    let all = people::reports(data)?;
    let is_there = |report: &&Report| room.is_none() || report.room.as_ref() == room;
    let mut shown = all.iter().filter(is_there).peekable();
    if shown.peek().is_none() {
        writeln!(out, "nothing is reported")?;
    }
    for Report { id, by, whom, room, seq, text, reason, at } in shown {
        write!(out, "{id} {} {by} reports {whom}", Timestamp(*at))?;
        if let Some(room) = room {
            write!(out, " in {room}")?;
        }
        if let Some(seq) = seq {
            write!(out, " message {seq}: {}", shown_text(text))?;
        }
        if !reason.is_empty() {
            write!(out, "; reason: {}", shown_text(reason))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// A text of somebody else for one line of a terminal.
fn shown_text(text: &str) -> String {
    format!("{text:?}")
}

/// Reads how often a link can be used.
fn parse_uses(text: &str) -> Result<u32, String> {
    let most = u32::try_from(INVITES_MAX).unwrap_or(u32::MAX);
    let uses = text.parse().ok().filter(|uses| (1..=most).contains(uses));
    uses.ok_or_else(|| format!("must be a number from 1 to {most}"))
}
