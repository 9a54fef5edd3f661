//! The commands about the shared log of a cluster.

pub(super) mod bus;
mod connect;
pub(super) mod erase;
mod folder;
pub(super) mod import;
pub(super) mod nodes;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::Subcommand;

pub(super) use self::connect::{EngineFailure, Session};
pub(super) use self::import::primary;
use crate::cluster::check::{Engine, Fault, LOOK, Level};
use crate::cluster::{
    ADDITIONS, ADDITIONS_BEHIND, ADDITIONS_BESIDE, BROKEN_INDEXES, PROBE, READ_VERSION, SCHEMA,
    SCHEMA_LOCK, SCHEMA_VERSION,
};
use crate::pg::{Address, AddressFault, Host, Statement};
use crate::time::clock::Clock;

/// How long an index over all records may take.
const INDEX_TIMEOUT: Duration = Duration::from_hours(12);

/// The code of a request that was given up, since others waited for it and it for them.
const DEADLOCK: &str = "40P01";
/// The code of a request that has waited for a lock as long as it may.
const LOCK_NOT_AVAILABLE: &str = "55P03";
/// How long what all nodes need may be waited for at once: they wait behind it meanwhile.
const SHORT_WAITS: &str = "SET LOCAL lock_timeout = '2s'";
/// For how long the nodes go on before that is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// How often a schema is made anew whose making was in the way of others.
const TRIES_MAX: usize = 5;

/// Writes that are measured: enough for a mean, which is of use.
const PROBES: u32 = 20;

/// The nodes that send to webhooks, if not all of them have the same settings.
const DIFFERENT_SENDERS: Statement = Statement {
    name: "different_senders",
    sql: "SELECT string_agg(x.name, ', ' ORDER BY x.name) FROM chinwag.sender_settings x \
          JOIN chinwag.node n ON n.id = x.node HAVING count(DISTINCT x.settings) > 1",
};

/// Names that several nodes have which were heard of lately.
const SHARED_NAMES: Statement = Statement {
    name: "shared_names",
    sql: "SELECT string_agg(x.name, ', ' ORDER BY x.name) FROM (SELECT name FROM chinwag.node \
          WHERE beat > (extract(epoch FROM clock_timestamp()) * 1000)::bigint - 10000 \
          GROUP BY name HAVING count(*) > 1) x",
};

/// Where an engine is, in one line.
pub(super) const ADDRESS_HELP: &str =
    "Where the database is: postgres://USER:PASSWORD@HOST,HOST/DATABASE";

/// The commands about the shared log.
#[derive(Debug, Subcommand)]
pub(super) enum ClusterCommand {
    /// Make what a cluster needs in a PostgreSQL database, once
    ///
    /// Does nothing if it is there already. The database must exist, and the user must be allowed
    /// to make a schema in it.
    Init {
        #[arg(value_name = "ADDRESS", value_parser = parse_address, help = ADDRESS_HELP)]
        engine: Address,
    },
    /// Say of each host of the engine what it is and what it keeps, and what to change
    ///
    /// Fails if none of them can be written to, something would lose messages, or a node has
    /// another folder of files than the others. A write is measured, too.
    Check {
        #[arg(value_name = "ADDRESS", value_parser = parse_address, help = ADDRESS_HELP)]
        engine: Address,
        /// Also try whether this is the folder of files that the nodes share ([files] dir)
        #[arg(long, value_name = "DIR")]
        files: Option<PathBuf>,
    },
}

pub(super) fn parse_address(text: &str) -> Result<Address, String> {
    text.parse().map_err(|fault: AddressFault| format!("the address {fault}"))
}

/// Does what is asked.
pub(super) fn run(command: &ClusterCommand) -> ExitCode {
    match command {
        ClusterCommand::Init { engine } => init(engine),
        ClusterCommand::Check { engine, files } => check(engine, files.as_deref()),
    }
}

/// What was found at one host.
pub(super) struct Found {
    session: Session,
    pub(super) engine: Engine,
    pub(super) faults: Vec<Fault>,
}

/// Looks at one host.
pub(super) fn look(address: &Address, host: &Host) -> Result<Found, EngineFailure> {
    let mut session = Session::open(address, host)?;
    let rows = session.ask(LOOK)?;
    let engine = Engine::read(rows.first().ok_or(EngineFailure::Answer)?)?;
    let is_readable = engine.has_meta && engine.locked.is_none();
    let schema = if is_readable { session.ask(READ_VERSION)? } else { Vec::new() };
    let schema = schema.first().map(|row| row.text(0)).transpose()?;
    let faults = engine.faults(session.process(), schema);
    Ok(Found { session, engine, faults })
}

fn check(address: &Address, files: Option<&Path>) -> ExitCode {
    let (mut text, mut primaries, mut is_bad) = (String::new(), 0, false);
    for host in &address.hosts {
        match look(address, host) {
            Ok(mut found) => {
                describe(&mut text, host, &found);
                let is_usable = found.faults.iter().all(Fault::is_warning);
                if is_usable {
                    primaries += 1;
                    is_bad |= !measure(&mut text, &mut found.session);
                    compare_nodes(&mut text, &mut found.session);
                    is_bad |= !folder::describe(&mut text, &mut found.session, files);
                }
                is_bad |= !is_usable && found.faults != [Fault::Standby];
            }
            Err(trouble) => {
                _ = writeln!(text, "{host}: {trouble}");
                is_bad = true;
            }
        }
    }
    if primaries == 0 && !is_bad {
        text.push_str("none of these is a primary: nothing can be written\n");
    }
    if primaries > 1 {
        text.push_str("more than one of these takes writes: each would have messages of its own\n");
    }
    let printed = super::print(&text);
    if is_bad || primaries != 1 { ExitCode::FAILURE } else { printed }
}

fn describe(text: &mut String, host: &Host, found: &Found) {
    let Found { session, engine, faults } = found;
    let kind = if engine.is_standby { "a standby" } else { "a primary" };
    _ = write!(text, "{host}: PostgreSQL {}, {kind}", session.version());
    if let Some(timeline) = &engine.timeline {
        let timeline = timeline.trim_start_matches('0');
        _ = write!(text, ", timeline {timeline}");
    }
    if !session.is_encrypted() && !host.is_local() {
        text.push_str(", not encrypted");
    }
    text.push('\n');
    if !engine.is_standby {
        let means = match engine.level() {
            Level::Nothing => "what it confirms may be gone after a crash",
            Level::Disk => "what it confirms survives a crash, not the loss of its disk",
            Level::Replicated => "what it confirms survives the loss of the primary",
        };
        _ = writeln!(text, "  level {}: {means}", engine.level().name());
    }
    for fault in faults {
        let word = if fault.is_warning() || *fault == Fault::Standby { "note" } else { "bad" };
        _ = writeln!(text, "  {word}: {fault}");
    }
}

/// Says whether nodes would send to webhooks by different settings, or have one name.
fn compare_nodes(text: &mut String, session: &mut Session) {
    for (statement, what) in [
        (DIFFERENT_SENDERS, "not all of these nodes have the same [webhooks] settings"),
        (SHARED_NAMES, "several nodes have one name ([cluster] name)"),
    ] {
        let rows = session.ask(statement).unwrap_or_default();
        if let Some(names) = rows.first().and_then(|row| row.text(0).ok()) {
            _ = writeln!(text, "  note: {what}: {names}");
        }
    }
}

/// Measures writes; whether they succeed.
fn measure(text: &mut String, session: &mut Session) -> bool {
    let clock = Clock::start();
    let begin = clock.micros();
    for _ in 0..PROBES {
        if let Err(trouble) = session.ask(PROBE) {
            _ = writeln!(text, "  bad: nothing can be written: {trouble}");
            return false;
        }
    }
    let mean = Duration::from_micros(clock.micros().saturating_sub(begin)) / PROBES;
    _ = writeln!(text, "  a write is confirmed after {:.1} ms", mean.as_secs_f64() * 1_000.0);
    true
}

fn init(address: &Address) -> ExitCode {
    let mut reasons = String::new();
    for host in &address.hosts {
        match init_patiently(address, host) {
            Ok(text) => return super::print(&format!("{host}: {text}\n")),
            Err(reason) => _ = writeln!(reasons, "error: {host}: {reason}"),
        }
    }
    _ = write!(io::stderr(), "{reasons}");
    ExitCode::FAILURE
}

/// Nodes and this may wait for each other, or this for somebody who reads for long, behind whom all
/// nodes would wait: nothing was changed then, and all is done once more.
fn init_patiently(address: &Address, host: &Host) -> Result<String, Box<dyn std::error::Error>> {
    for _ in 0..TRIES_MAX {
        match init_at(address, host) {
            Err(reason) if is_refused(&*reason, DEADLOCK) => {}
            Err(reason) if is_refused(&*reason, LOCK_NOT_AVAILABLE) => {
                thread::park_timeout(PAUSE);
            }
            done => return done,
        }
    }
    init_at(address, host).map_err(|reason| {
        if !is_refused(&*reason, LOCK_NOT_AVAILABLE) {
            return reason;
        }
        "somebody has read or written the records for long, such as pg_dump or an open transaction: \
         run it again when that has ended (see pg_stat_activity)"
            .into()
    })
}

fn is_refused(reason: &(dyn std::error::Error + 'static), code: &str) -> bool {
    let failure = reason.downcast_ref::<EngineFailure>();
    matches!(failure, Some(EngineFailure::Refused(error)) if &*error.code == code)
}

fn init_at(address: &Address, host: &Host) -> Result<String, Box<dyn std::error::Error>> {
    let mut found = look(address, host)?;
    let is_missing = |fault: &Fault| matches!(fault, Fault::NoSchema | Fault::OlderSchema);
    if let Some(fault) = found.faults.iter().find(|fault| !fault.is_warning() && !is_missing(fault))
    {
        return Err(fault.to_string().into());
    }
    let session = &mut found.session;
    if found.faults.contains(&Fault::OlderSchema) {
        session.be_patient(INDEX_TIMEOUT)?;
        for row in session.ask(BROKEN_INDEXES)? {
            session.run(&format!("DROP INDEX CONCURRENTLY IF EXISTS {}", row.text(0)?))?;
        }
        for index in ADDITIONS_BESIDE {
            session.run(index)?;
        }
    }
    // Whoever is second waits for the first, and finds the schema.
    session.run(&format!("BEGIN; SELECT pg_advisory_xact_lock({SCHEMA_LOCK})"))?;
    let rows = session.ask(LOOK)?;
    let engine = Engine::read(rows.first().ok_or(EngineFailure::Answer)?)?;
    if engine.has_schema {
        let rows = session.ask(READ_VERSION)?;
        let schema = rows.first().map(|row| row.text(0)).transpose()?;
        if engine.faults(session.process(), schema).contains(&Fault::OlderSchema) {
            session.run(&format!("{SHORT_WAITS}; {ADDITIONS}; COMMIT"))?;
            session.run(&format!("BEGIN; {SHORT_WAITS}; {ADDITIONS_BEHIND}; COMMIT"))?;
            return Ok("what this program needs was added to the schema".to_owned());
        }
        session.run("ROLLBACK")?;
        return Ok(format!("the schema is there already, in version {SCHEMA_VERSION}"));
    }
    session.run(&format!("{SCHEMA}; COMMIT"))?;
    let level = found.engine.level().name();
    Ok(format!(
        "the schema was made, in version {SCHEMA_VERSION}; what is written has level {level}"
    ))
}
