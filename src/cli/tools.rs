//! The commands about the database: what they say, and how they went. The work is in [`crate::store::tools`].

use std::fmt;
use std::io::{self, BufRead as _, BufWriter, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Subcommand, ValueEnum};

use crate::chat::model::limits::REASON_LEN_MAX;
use crate::chat::model::log::Expiry;
use crate::chat::model::name::{NameError, RoomName, UserName};
use crate::log::Timestamp;
use crate::store::tools::erase::{Erasure, Traces};
use crate::store::tools::export::{Export, Exported};
use crate::store::tools::suspend::Target;
use crate::store::tools::{ToolError, backup, restore, suspend, verify};
use crate::time::clock::Clock;
use crate::wire::render;

/// The commands about what is stored.
#[derive(Debug, Subcommand)]
pub(super) enum Tool {
    /// Copy all that is stored to FILE, also while the server runs
    ///
    /// The copy is the database as it is at one moment. It is written as FILE.part and gets its name when it is
    /// whole. Nothing is overwritten.
    Backup {
        /// The new file
        file: PathBuf,
    },
    /// Put a backup in the place of the database; the server must be stopped
    ///
    /// The backup is verified first. The database of before is kept beside it, under a name with the date.
    /// Every room begins a new epoch, so that clients learn that what they have seen since the backup is gone.
    Restore {
        /// The backup
        file: PathBuf,
    },
    /// Print all records of a room, one JSON object a line, also while the server runs
    Export {
        /// The room, or the direct conversation as @ann:bob
        #[arg(long, value_parser = room)]
        room: RoomName,
    },
    /// Take away all that a user has said, and the name with it; the server must be stopped
    ///
    /// The texts go for good; the places of the messages stay, as those of deleted ones. The user's
    /// memberships end. Other records, such as reactions, get a made-up name: erased-…
    EraseUser {
        /// The user
        #[arg(value_parser = user)]
        name: UserName,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Look whether all that is stored is whole, also while the server runs
    ///
    /// Each fault is a line on standard output; with any, the exit code is 1. Nothing is changed.
    Verify,
    /// Keep a user or an address off the server; a running one notices within two seconds
    Ban {
        /// What WHO is
        kind: Kind,
        /// The user's name, or the IP address
        who: String,
        /// For how long, such as 30m, 12h, 1d or 2w; without it until unban
        #[arg(long = "for", value_name = "TIME", value_parser = span)]
        lasts: Option<Duration>,
        /// What they are told
        #[arg(long, value_name = "TEXT", default_value = "", value_parser = reason)]
        reason: String,
    },
    /// Let a banned user or address in again
    Unban {
        /// What WHO is
        kind: Kind,
        /// The user's name, or the IP address
        who: String,
    },
    /// List who is banned, until when and why
    Bans,
}

/// What is banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// A name
    User,
    /// An IP address
    Address,
}

/// Why a command was not done.
enum Failed {
    Tool(ToolError),
    /// Standard output, or the question.
    Io(io::Error),
    /// The words for it.
    Said(String),
}

impl From<ToolError> for Failed {
    fn from(error: ToolError) -> Self {
        Self::Tool(error)
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Said(format!("the database cannot be read on: {error}"))
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tool(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
            Self::Said(words) => f.write_str(words),
        }
    }
}

/// Does it, with the database in `data`.
pub(super) fn run(tool: &Tool, data: &Path) -> ExitCode {
    let mut out = BufWriter::new(io::stdout().lock());
    let outcome = perform(tool, data, &mut out).and_then(|code| {
        out.flush()?;
        Ok(code)
    });
    match outcome {
        Ok(code) => code,
        // A reader that has seen enough is no failure.
        Err(Failed::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            _ = out.flush();
            _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn perform(tool: &Tool, data: &Path, out: &mut dyn io::Write) -> Result<ExitCode, Failed> {
    let wall_ms = Clock::start().now().wall_ms;
    match tool {
        Tool::Backup { file } => {
            let backup::Copied { rooms, records, bytes } = backup::run(data, file)?;
            let file = file.display();
            writeln!(out, "{file}: {rooms} rooms, {records} records, {bytes} bytes")?;
        }
        Tool::Restore { file } => restored(out, file, &restore::run(data, file, wall_ms)?)?,
        Tool::Export { room } => return export(out, data, room),
        Tool::EraseUser { name, yes } => return erase(out, data, name, *yes),
        Tool::Verify => return verified(out, data),
        Tool::Ban { kind, who, lasts, reason } => {
            let who = target(*kind, who)?;
            let until = lasts.map(|lasts| wall_ms.saturating_add(millis(lasts)));
            let term = Expiry { until, reason: reason.as_str().into() };
            suspend::ban(data, &who, &term, wall_ms)?;
            writeln!(out, "banned {}", Ban(&who, &term))?;
        }
        Tool::Unban { kind, who } => {
            let target = target(*kind, who)?;
            if !suspend::unban(data, &target)? {
                return Err(Failed::Said(format!("{who} was not banned; see chinwag bans")));
            }
            writeln!(out, "{who} may use the server again")?;
        }
        Tool::Bans => bans(out, data, wall_ms)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn restored(out: &mut dyn io::Write, file: &Path, restored: &restore::Restored) -> io::Result<()> {
    let restore::Restored { copied, kept } = restored;
    let backup::Copied { rooms, records, .. } = copied;
    writeln!(out, "restored {}: {rooms} rooms, {records} records", file.display())?;
    writeln!(out, "each room has a new epoch: clients are told that what came after is gone")?;
    match kept {
        Some(kept) => writeln!(out, "the database of before is {}", kept.display()),
        None => writeln!(out, "there was no database before"),
    }
}

fn export(out: &mut dyn io::Write, data: &Path, room: &RoomName) -> Result<ExitCode, Failed> {
    let export = Export::open(data, room)?;
    // Neither a room's name nor an epoch has anything to escape.
    let head = format!(r#"{{"room":"{room}","epoch":"{}","#, export.epoch());
    let (mut item, mut bad) = (Vec::new(), 0_u64);
    export.run(|step| {
        match step {
            Exported::Record(record) => {
                item.clear();
                render::item(&mut item, record, Some(&record.from));
                out.write_all(head.as_bytes())?;
                out.write_all(item.strip_prefix(b"{").unwrap_or(&item))?;
                out.write_all(b"\n")?;
            }
            Exported::Bad(seq, why) => {
                bad += 1;
                writeln!(io::stderr(), "error: record {seq} cannot be read: {why}")?;
            }
        }
        Ok::<_, Failed>(())
    })?;
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn erase(
    out: &mut dyn io::Write,
    data: &Path,
    name: &UserName,
    yes: bool,
) -> Result<ExitCode, Failed> {
    let erasure = Erasure::open(data, name)?;
    let traces = erasure.traces()?;
    if traces == Traces::default() {
        return Err(Failed::Said(format!("there is nothing of {name} here; nothing was changed")));
    }
    writeln!(out, "{name}: {} messages, {} records", traces.messages, traces.records)?;
    writeln!(
        out,
        "{} memberships, {} bans, mutes and invitations in rooms, {} direct conversations",
        traces.memberships, traces.standings, traces.conversations
    )?;
    if !yes && !agreed(out, name)? {
        writeln!(out, "nothing was changed")?;
        return Ok(ExitCode::FAILURE);
    }
    let erased = erasure.run()?;
    writeln!(out, "erased; in what is left of the records {name} is {}", erased.placeholder)?;
    if let Some(error) = erased.unswept {
        let why = "erased, but unused parts of the file may still hold it";
        return Err(Failed::Said(format!(
            "{why}: {error}; make room on the disk and run this again"
        )));
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether whoever runs this types the name again.
fn agreed(out: &mut dyn io::Write, name: &UserName) -> io::Result<bool> {
    write!(out, "This cannot be undone. Type the name to erase it: ")?;
    out.flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim() == name.as_str())
}

fn verified(out: &mut dyn io::Write, data: &Path) -> Result<ExitCode, Failed> {
    let mut printed = Ok(());
    let found = verify::run(data, &mut |fault| {
        if printed.is_ok() {
            printed = writeln!(out, "{fault}");
        }
    })?;
    printed?;
    let verify::Verified { rooms, records, faults } = found;
    writeln!(out, "{rooms} rooms, {records} records, {faults} faults")?;
    if faults == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(
        out,
        "the server does not hand out what is damaged; chinwag restore takes up a backup"
    )?;
    Ok(ExitCode::FAILURE)
}

fn bans(out: &mut dyn io::Write, data: &Path, wall_ms: u64) -> Result<(), Failed> {
    let all = suspend::bans(data, wall_ms)?;
    let users = all.users.into_iter().map(|(name, term)| (Target::User(name), term));
    let addresses =
        all.addresses.into_iter().map(|(address, term)| (Target::Address(address), term));
    for (who, term) in users.chain(addresses) {
        writeln!(out, "{}", Ban(&who, &term))?;
    }
    Ok(())
}

/// A ban as a line: `user ann until 2026-11-21T07:45:00.123Z: spam`.
struct Ban<'a>(&'a Target, &'a Expiry);

impl fmt::Display for Ban<'_> {
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
        // A terminal believes what it reads.
        let shown = reason.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
        if reason.is_empty() { Ok(()) } else { write!(f, ": {}", shown.collect::<String>()) }
    }
}

fn target(kind: Kind, who: &str) -> Result<Target, Failed> {
    match kind {
        Kind::User => user(who).map(Target::User).map_err(Failed::Said),
        Kind::Address => match who.parse::<IpAddr>() {
            Ok(address) => Ok(Target::Address(address.to_canonical())),
            Err(_) => Err(Failed::Said(format!("{who} is no IP address, such as 203.0.113.7"))),
        },
    }
}

fn user(text: &str) -> Result<UserName, String> {
    UserName::parse(text).map_err(|error| wrong_name(&error))
}

fn room(text: &str) -> Result<RoomName, String> {
    RoomName::parse(text).map_err(|error| wrong_name(&error))
}

fn wrong_name(error: &NameError) -> String {
    match &error.hint {
        Some(hint) => format!("a name is {}; did you mean {hint}?", error.expected),
        None => format!("a name is {}", error.expected),
    }
}

fn reason(text: &str) -> Result<String, String> {
    if text.len() > REASON_LEN_MAX {
        return Err(format!("at most {REASON_LEN_MAX} bytes"));
    }
    Ok(text.to_owned())
}

/// A time such as `30m`.
fn span(text: &str) -> Result<Duration, String> {
    let wrong = || "a whole number with a unit (s, m, h, d, w), such as 30m or 1d".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return Err(wrong()),
    };
    let count = text.strip_suffix(unit).and_then(|count| count.parse::<u32>().ok());
    let count = count.filter(|count| *count > 0).ok_or_else(wrong)?;
    Ok(Duration::from_secs(u64::from(count) * seconds))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_with_a_unit() {
        for (text, seconds) in
            [("1s", 1), ("30m", 1_800), ("12h", 43_200), ("1d", 86_400), ("2w", 1_209_600)]
        {
            assert_eq!(span(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "d", "1", "1.5d", "-1d", "1 d", "0d", "1y", "9999999999d", "1é"] {
            span(text).unwrap_err();
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
            assert_eq!(Ban(&ann, &term).to_string(), expect);
        }
    }

    #[test]
    fn a_name_that_is_none_is_refused_with_the_right_one() {
        assert!(user("Ann").unwrap_err().ends_with("did you mean ann?"));
        assert!(room("a//b").unwrap_err().ends_with("did you mean a/b?"));
        assert!(reason(&"x".repeat(257)).is_err() && reason("x").is_ok());
        assert!(matches!(target(Kind::Address, "home"), Err(Failed::Said(_))));
        let mapped = target(Kind::Address, "::ffff:10.0.0.1");
        assert!(matches!(mapped, Ok(Target::Address(IpAddr::V4(_)))));
    }
}
