//! The commands about the database: what they print, and how they went. The work is done in
//! [`crate::store::tools`].

use std::error::Error;
use std::fmt;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgGroup, Subcommand};

use super::names::{parse_room, parse_time, parse_user};
use super::stdout::Stdout;
use super::{cluster, erasing, exports, people, programs};
use crate::auth::password::Cost;
use crate::chat::model::limits::REASON_LEN_MAX;
use crate::chat::model::log::{Expiry, Network};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::prose;
use crate::chat::model::traces::Traces;
use crate::config::Config;
use crate::log::Timestamp;
use crate::pg::Address;
use crate::store::tools::compact::{Compaction, Rewritten, Space};
use crate::store::tools::erase::Erasure;
use crate::store::tools::suspend::Target;
use crate::store::tools::{Mebibytes, backup, owner, restore, suspend, verify};
use crate::time::clock::Clock;

/// The commands about the database.
#[derive(Debug, Subcommand)]
pub(super) enum Tool {
    /// Copy the database to FILE, also while the server runs
    ///
    /// The copy shows the database at one moment. It is written to FILE.part and renamed when it is
    /// complete. An existing file is not overwritten. Files that people have sent are copied to the
    /// folder FILE.files beside it: keep both.
    Backup {
        /// File to create
        file: PathBuf,
    },
    /// Replace the database with a backup; stop the server first
    ///
    /// The backup is verified first. The previous database is kept in the same directory, under a
    /// name with the date. Files that people have sent are taken from the folder FILE.files. Every
    /// room gets a new epoch, so that clients learn that messages they received since the backup
    /// are gone.
    Restore {
        /// Backup to restore
        file: PathBuf,
    },
    /// Print a room's records, or what is kept of a user (--user), also while the server runs
    ///
    /// One JSON object a line.
    #[command(group = ArgGroup::new("what").required(true).args(["room", "flag", "user"]))]
    Export {
        /// Name of the room; a direct conversation is @ann:bob
        #[arg(value_name = "ROOM", value_parser = parse_room)]
        room: Option<RoomName>,
        /// The same as ROOM
        #[arg(id = "flag", long = "room", value_name = "ROOM", value_parser = parse_room)]
        flag: Option<RoomName>,
        /// Instead, what is kept of this user: who it is, its memberships with receipts, reports,
        /// all that it has written, and its direct conversations
        #[arg(long, value_name = "NAME", value_parser = parse_user)]
        user: Option<UserName>,
    },
    /// Erase a user's messages and name; stop the server first (a cluster's nodes may run)
    ///
    /// The texts are erased for good, and the messages are shown as deleted. The user's memberships
    /// end. Other records of the user, such as reactions, get an invented name: erased-…
    ///
    /// Then the file is rewritten, which takes as much disk space again while it lasts. In a
    /// cluster the user's sessions end, and its rooms get new epochs. If it is cut off, the same
    /// command goes on from there.
    EraseUser {
        /// Name of the user
        #[arg(value_parser = parse_user)]
        name: UserName,
        /// Database of a cluster [default: [cluster] engine, or else the one in --data]
        #[arg(value_name = "ADDRESS", value_parser = cluster::parse_address)]
        engine: Option<Address>,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
    /// Give unused parts of the database file back to the file system; stop the server first
    ///
    /// The file does not become smaller by itself when messages are deleted or pruned: what is
    /// unused is used for later messages. This rewrites it without these parts, in a file beside
    /// it that takes its place when it is complete. If it is cut off, the database is as it was.
    Compact,
    /// Make a user an owner of a room; stop the server first
    ///
    /// For a room whose only owner was erased and in which nobody could follow. The user need not
    /// be a member; what the user was forbidden in the room ends.
    Owner {
        /// Name of the room
        #[arg(value_parser = parse_room)]
        room: RoomName,
        /// Name of the user
        #[arg(value_parser = parse_user)]
        user: UserName,
    },
    /// Check the database for damage, also while the server runs
    ///
    /// Prints a line for each fault; the exit code is 1 if there are any. Nothing is changed.
    Verify {
        /// Database to check, such as a backup [default: the one in --data]
        file: Option<PathBuf>,
    },
    /// Ban a user or an IP address; done when a running server has applied it
    ///
    /// A banned user or address cannot connect any more, and open connections are closed. Bans of a
    /// user from one room are made in the chat, by the owner and the moderators of the room.
    #[command(after_help = BAN_EXAMPLES)]
    Ban {
        /// Whether WHO is a user or an address
        #[arg(value_name = "user|address", value_parser = parse_kind)]
        kind: BanKind,
        /// Name of the user, or the IP address
        who: String,
        /// How long: a number with s, m, h, d, w or y, such as 30m or 1d [default: until unban]
        #[arg(long = "for", value_name = "TIME", value_parser = parse_time)]
        lasts: Option<u64>,
        /// Reason that the banned user is shown
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        #[arg(value_parser = parse_reason)]
        reason: String,
    },
    /// Lift the ban of a user or an IP address
    Unban {
        /// Whether WHO is a user or an address
        #[arg(value_name = "user|address", value_parser = parse_kind)]
        kind: BanKind,
        /// Name of the user, or the IP address
        who: String,
    },
    /// List the bans that hold, with their ends and reasons
    Bans,
    #[command(flatten)]
    People(people::People),
    #[command(flatten)]
    Programs(programs::Programs),
}

const BAN_EXAMPLES: &str = "\
Examples:
  chinwag ban user bob --for 1d --reason spam
  chinwag ban address 203.0.113.7               or a network: 10.0.0.0/8
  chinwag bans                                  lists them
  chinwag unban user bob                        ends one";

/// What is banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BanKind {
    /// The name of a user
    User,
    /// An IP address or a network
    Address,
}

/// Why a command was not done: it is only printed.
type Failure = Box<dyn Error>;

/// Runs a command with the database in the directory `data`.
pub(super) fn run(tool: &Tool, config: &Config) -> ExitCode {
    let mut out = BufWriter::new(Stdout(io::stdout().lock()));
    let outcome = run_tool(tool, (config, Cost::within(config.memory)), &mut out);
    let outcome = outcome.and_then(|code| unless_closed(out.flush(), code));
    match outcome {
        Ok(code) => code,
        // It is no failure if the reader, such as head, has closed standard output.
        Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            // What was printed before the error belongs before it on a terminal, too.
            _ = out.flush();
            _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The code of what was done. That the reader has closed standard output does not change it.
fn unless_closed(printed: io::Result<()>, code: ExitCode) -> Result<ExitCode, Failure> {
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(code),
    }
}

fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn run_tool(
    tool: &Tool,
    (config, cost): (&Config, Cost),
    out: &mut dyn io::Write,
) -> Result<ExitCode, Failure> {
    let (data, now) = (&*config.data, Clock::start().now());
    let wall_ms = now.wall_ms;
    match tool {
        Tool::Backup { file } => {
            let backup::Copied { rooms, records, bytes } = backup::run(data, file)?;
            let file = file.display();
            writeln!(out, "{file}: {rooms} rooms, {records} records, {bytes} bytes")?;
        }
        Tool::Restore { file } => print_restored(out, file, &restore::run(data, file, wall_ms)?)?,
        Tool::Export { user: Some(user), .. } => return exports::print_user(out, data, user),
        Tool::Export { room, flag, user: None } => {
            return exports::print_room(out, data, (room, flag));
        }
        Tool::EraseUser { name, engine, yes } => {
            return erase_user(out, (config, engine.as_ref()), name, (*yes, wall_ms));
        }
        Tool::Compact => compact(out, data)?,
        Tool::Owner { room, user } => appoint_owner(out, data, (room, user), wall_ms)?,
        Tool::Verify { file } => return print_faults(out, data, file.as_deref()),
        Tool::Ban { kind, who, lasts, reason } => {
            let until = lasts.map(|lasts| wall_ms.saturating_add(lasts));
            let term = Expiry { until, reason: reason.as_str().into() };
            ban(out, data, &parse_target(*kind, who)?, (&term, wall_ms))?;
        }
        Tool::Unban { kind, who } => unban(out, data, *kind, who)?,
        Tool::Bans => print_bans(out, data, wall_ms)?,
        Tool::People(people) => people::run(people, config, out, (wall_ms, cost))?,
        Tool::Programs(command) => programs::run(command, config, out, now)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn ban(
    out: &mut dyn io::Write,
    data: &Path,
    who: &Target,
    (term, wall_ms): (&Expiry, u64),
) -> Result<(), Failure> {
    suspend::ban(data, who, term, wall_ms)?;
    writeln!(out, "banned {}", BanLine(who, term))?;
    Ok(())
}

fn unban(out: &mut dyn io::Write, data: &Path, kind: BanKind, who: &str) -> Result<(), Failure> {
    if !suspend::unban(data, &parse_target(kind, who)?)? {
        return Err(format!("{who} was not banned; chinwag bans lists all bans").into());
    }
    writeln!(out, "{who} is no longer banned")?;
    Ok(())
}

fn appoint_owner(
    out: &mut dyn io::Write,
    data: &Path,
    (room, user): (&RoomName, &UserName),
    wall_ms: u64,
) -> Result<(), Failure> {
    if room.is_direct() {
        return Err("a direct conversation has no owner".into());
    }
    owner::appoint(data, room, user, wall_ms)?;
    writeln!(out, "{user} is an owner of {room}")?;
    Ok(())
}

fn compact(out: &mut dyn io::Write, data: &Path) -> Result<(), Failure> {
    let compaction = Compaction::open(data)?;
    let Space { needed, free } = compaction.space();
    let needed = Mebibytes(needed);
    match free {
        Some(free) => writeln!(out, "needs {needed} of disk space, {} are free", Mebibytes(free))?,
        None => writeln!(out, "needs {needed} of disk space")?,
    }
    out.flush()?;
    let Rewritten { before, after } = compaction.run()?;
    writeln!(out, "before {}, after {}", Mebibytes(before), Mebibytes(after))?;
    Ok(())
}

fn print_restored(
    out: &mut dyn io::Write,
    file: &Path,
    restored: &restore::Restored,
) -> io::Result<()> {
    let restore::Restored { copied, kept } = restored;
    let backup::Copied { rooms, records, .. } = copied;
    writeln!(out, "restored {}: {rooms} rooms, {records} records", file.display())?;
    writeln!(out, "each room has a new epoch: clients are told that later messages are gone")?;
    match kept {
        Some(kept) => writeln!(out, "the previous database is kept as {}", kept.display()),
        None => writeln!(out, "there was no previous database"),
    }
}

fn erase_user(
    out: &mut dyn io::Write,
    (config, engine): (&Config, Option<&Address>),
    name: &UserName,
    (yes, wall_ms): (bool, u64),
) -> Result<ExitCode, Failure> {
    if let Some(engine) = cluster::erase::engine_of(engine, config)? {
        return cluster::erase::run(out, &engine, name, (yes, wall_ms));
    }
    let mut erasure = Erasure::open(&config.data, name)?;
    let traces = erasure.traces()?;
    if traces == Traces::default() {
        return Err(format!("the database has nothing of {name}; nothing was changed").into());
    }
    if !erasing::is_to_be_erased(out, name, (&traces, yes))? {
        return Ok(ExitCode::FAILURE);
    }
    let erased = erasure.run(wall_ms)?;
    let owner::Succession { heirs, ownerless } = &erased.succession;
    erasing::print_erased(out, name, (&erased.placeholder, heirs))?;
    for room in ownerless {
        writeln!(out, "{room} has no owner now; chinwag owner {room} USER makes one")?;
    }
    if let Some(error) = erased.unswept {
        let what = "erased, but unused parts of the file may still contain the texts";
        return Err(format!("{what}: {error}; free some disk space and run this again").into());
    }
    Ok(ExitCode::SUCCESS)
}

fn print_faults(
    out: &mut dyn io::Write,
    data: &Path,
    file: Option<&Path>,
) -> Result<ExitCode, Failure> {
    let mut printed = Ok(());
    // The check goes on to its end if the output is closed; the error is told afterwards.
    let mut report = |fault: &verify::StoreFault| {
        if printed.is_ok() {
            printed = writeln!(out, "{fault}");
        }
    };
    let found = match file {
        Some(file) if !file.is_dir() => verify::file(file, &mut report)?,
        Some(directory) => verify::run(&std::path::absolute(directory)?, &mut report)?,
        None => verify::run(data, &mut report)?,
    };
    let code = if found.faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    unless_closed(printed.and_then(|()| print_found(out, found)), code)
}

fn print_found(out: &mut dyn io::Write, found: verify::Verified) -> io::Result<()> {
    let verify::Verified { rooms, records, faults, names } = found;
    for name in names {
        writeln!(out, "name, which stays usable: {name}")?;
    }
    writeln!(out, "{rooms} rooms, {records} records, {faults} faults")?;
    if faults > 0 {
        let advice = "the server leaves out what is damaged; chinwag restore replaces the database \
                      with a backup";
        writeln!(out, "{advice}")?;
    }
    Ok(())
}

fn print_bans(out: &mut dyn io::Write, data: &Path, wall_ms: u64) -> Result<(), Failure> {
    let all = suspend::bans(data, wall_ms)?;
    let users = all.users.into_iter().map(|(name, term)| (Target::User(name), term));
    let addresses =
        all.addresses.into_iter().map(|(address, term)| (Target::Address(address), term));
    let mut all = users.chain(addresses).peekable();
    if all.peek().is_none() {
        writeln!(out, "nobody is banned")?;
    }
    for (who, term) in all {
        writeln!(out, "{}", BanLine(&who, &term))?;
    }
    Ok(())
}

/// A ban, shown as a line: `user ann until 2026-11-21T07:45:00.123Z: spam`.
struct BanLine<'a>(&'a Target, &'a Expiry);

impl fmt::Display for BanLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(who, Expiry { until, reason }) = self;
        match who {
            Target::User(name) => write!(f, "user {name}")?,
            Target::Address(address) => write!(f, "address {address}")?,
        }
        match until {
            Some(until) => write!(f, " until {}", Timestamp(*until))?,
            None => write!(f, " until unban")?,
        }
        // A control character could rewrite what the terminal shows.
        let shown = reason.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
        if reason.is_empty() { Ok(()) } else { write!(f, ": {}", shown.collect::<String>()) }
    }
}

fn parse_target(kind: BanKind, who: &str) -> Result<Target, Failure> {
    Ok(match (kind, who.parse::<Network>()) {
        (BanKind::User, _) => Target::User(parse_user(who)?),
        (BanKind::Address, Ok(network)) => Target::Address(network),
        (BanKind::Address, Err(expected)) => return Err(format!("{who} is {expected}").into()),
    })
}

fn parse_kind(text: &str) -> Result<BanKind, String> {
    match text {
        "user" | "name" => Ok(BanKind::User),
        "address" | "ip" => Ok(BanKind::Address),
        other => Err(format!(
            "say whether it is a user or an address, such as: user {other}, or address 203.0.113.7"
        )),
    }
}

fn parse_reason(text: &str) -> Result<String, String> {
    if text.len() > REASON_LEN_MAX {
        return Err(format!("a reason has at most {REASON_LEN_MAX} bytes"));
    }
    match prose::clean(text.into()) {
        Ok(text) => Ok(text.into_owned()),
        Err(prose::Control { at, .. }) => {
            Err(format!("a reason has no control characters, such as the one at byte {at}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_one_of_at_least_a_moment() {
        assert_eq!(parse_time("1y"), Ok(365 * 86_400_000));
        for text in ["", "1", "0d", "1.5d"] {
            assert!(parse_time(text).unwrap_err().contains("(s, m, h, d, w, y)"), "{text}");
        }
    }

    #[test]
    fn a_ban_is_one_line() {
        let term = |until, reason: &str| Expiry { until, reason: reason.into() };
        let ann = Target::User(UserName::parse("ann").unwrap());
        for (term, expect) in [
            (term(None, ""), "user ann until unban"),
            (term(Some(0), "spam"), "user ann until 1970-01-01T00:00:00.000Z: spam"),
            (term(None, "a\n\u{1b}[2J"), "user ann until unban: a\u{fffd}\u{fffd}[2J"),
        ] {
            assert_eq!(BanLine(&ann, &term).to_string(), expect);
        }
    }

    #[test]
    fn a_wrong_name_is_refused_with_the_right_spelling() {
        assert!(parse_user("Ann").unwrap_err().ends_with("did you mean ann?"));
        assert!(parse_room("a//b").unwrap_err().ends_with("did you mean a/b?"));
        assert!(parse_reason(&"x".repeat(257)).is_err() && parse_reason("x").is_ok());
        assert_eq!(parse_reason("a\r\nb").as_deref(), Ok("a\nb"));
        assert!(parse_reason("a\u{1b}b").is_err_and(|why| why.contains("byte 1")));
        parse_target(BanKind::Address, "home").unwrap_err();
        let mapped = parse_target(BanKind::Address, "::ffff:10.0.0.1");
        assert!(matches!(mapped, Ok(Target::Address(v4)) if v4.to_string() == "10.0.0.1"));
        let network = parse_target(BanKind::Address, "10.1.2.3/8");
        assert!(matches!(network, Ok(Target::Address(all)) if all.to_string() == "10.0.0.0/8"));
    }
}
