//! `chinwag import`: everything of a database into the engine of a cluster, and back.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::connect::Session;
use super::{EngineFailure, look};
use crate::chat::model::load::Begun;
use crate::cluster::SCHEMA_LOCK;
use crate::cluster::check::Fault;
use crate::cluster::node::transfer::{self, Ask, Contents};
use crate::cluster::node::webhooks;
use crate::pg::{Address, Param, Row, Statement};
use crate::store::tools::moving::{LeftBehind, Moving, changes_of};
use crate::store::tools::{Moved, Phase};
use crate::time::clock::Clock;

/// Where something moves from or to.
#[derive(Clone, Debug)]
pub(in crate::cli) enum Place {
    /// A server's directory.
    Data(PathBuf),
    /// The engine of a cluster.
    Engine(Address),
}

/// Reads a place as it is typed.
pub(in crate::cli) fn parse_place(text: &str) -> Result<Place, String> {
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return super::parse_address(text).map(Place::Engine);
    }
    Ok(Place::Data(text.into()))
}

type Failure = Box<dyn std::error::Error>;

/// How much was moved.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    rooms: u64,
    records: u64,
}

/// What is locked in an engine that is written to, so that no node begins meanwhile. Between two
/// statements a file is read, for which an engine may have no patience of its own; that is set here
/// and not at the login, where a pooler refuses what it does not know.
const BEGIN: &str = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0; \
                     LOCK TABLE chinwag.room, chinwag.people, chinwag.record \
                     IN SHARE ROW EXCLUSIVE MODE";
/// All that is read is of one moment.
const BEGIN_READING: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
                             SET LOCAL idle_in_transaction_session_timeout = 0";

impl Ask for Session {
    type Error = EngineFailure;

    fn ask_for(
        &mut self,
        statement: Statement,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, EngineFailure> {
        self.ask_with(statement, params)
    }
}

/// Moves everything.
pub(in crate::cli) fn run(from: &Place, to: &Place) -> ExitCode {
    let done = match (from, to) {
        (Place::Data(data), Place::Engine(address)) => into_engine(data, address),
        (Place::Engine(address), Place::Data(data)) => into_data(address, data),
        _ => {
            Err("one of the two is a server's directory, the other one the address of an engine, \
                  postgres://USER:PASSWORD@HOST,HOST/DATABASE"
                .into())
        }
    };
    match done {
        Ok(text) => super::super::print(&text),
        Err(reason) => {
            _ = super::super::complain(&reason.to_string());
            ExitCode::FAILURE
        }
    }
}

/// A session with the primary.
pub(in crate::cli) fn primary(address: &Address) -> Result<Session, Failure> {
    let mut reasons = String::new();
    for host in &address.hosts {
        match look(address, host) {
            Ok(found) => match found.faults.iter().find(|fault| !fault.is_warning()) {
                None => return Ok(found.session),
                Some(Fault::NoSchema) => {
                    return Err(format!("{host}: {}", Fault::NoSchema).into());
                }
                Some(fault) => _ = write!(reasons, "{host}: {fault}; "),
            },
            Err(trouble) => _ = write!(reasons, "{host}: {trouble}; "),
        }
    }
    Err(format!("no host can be used: {}", reasons.trim_end_matches("; ")).into())
}

fn into_engine(data: &Path, address: &Address) -> Result<String, Failure> {
    if !crate::store::is_there(data) {
        let data = data.display();
        return Err(format!(
            "there is no database in {data}: name the directory of the server that moves"
        )
        .into());
    }
    let source = Moving::open(data, Clock::start())?;
    let place = address.to_string();
    let mut session = primary(address)?;
    let found = transfer::contents(&mut session)?;
    let state = source.state()?;
    match &state {
        Some(Moved { phase: Phase::Arriving, place, .. }) => {
            return Err(format!(
                "{} has nothing yet: an import from {place} into it was cut off; run that again, \
                 or name another directory",
                data.display()
            )
            .into());
        }
        Some(Moved { phase: Phase::Left, place, .. }) => {
            return Err(format!("{} has moved to {place} already", data.display()).into());
        }
        // It may be there, and would live twice.
        Some(moved) if *moved.place != *place => {
            return Err(format!(
                "{} is moving to {}, and that was cut off: go on with that one",
                data.display(),
                moved.place
            )
            .into());
        }
        Some(_) => {}
        None => check_empty(&found)?,
    }
    let is_new = state.is_none();
    let moved = state.map_or_else(|| source.begin_leaving(&place), Ok)?;
    let arrived = begin(&mut session, &moved);
    if arrived.is_err() && is_new {
        // With the session ends what it has not committed. One before it may be on its way still.
        source.stay()?;
    }
    if arrived? {
        source.end_leaving(moved)?;
        return Ok(format!("{} has moved to {place}\n", data.display()));
    }
    let filled = fill(&mut session, &source, &moved);
    if filled.is_err() {
        // Behind the locks nothing of an earlier run is on its way, and nothing was there.
        source.stay()?;
    }
    let counts = filled?;
    session.run("COMMIT").map_err(|trouble| {
        format!(
            "{trouble}; nobody knows whether everything is in {place} now: run the same command \
             again"
        )
    })?;
    let left = source.left_behind()?;
    source.end_leaving(moved)?;
    Ok(format!("{}{}", told(counts, &place), told_of(left)))
}

fn check_empty(found: &Contents) -> Result<(), Failure> {
    let Contents { rooms, people, nodes, .. } = found;
    if *nodes > 0 {
        return Err(format!("{nodes} nodes use the engine: stop them first").into());
    }
    if rooms + people > 0 {
        return Err(format!(
            "the engine is in use already, with {rooms} rooms and {people} names, accounts and the \
             like: an import needs one without anything, so make another database and run chinwag \
             cluster init on it; nothing was changed"
        )
        .into());
    }
    Ok(())
}

/// Begins to write, behind whoever was on the way: somebody else, or an earlier run of this.
/// Returns whether that run has written everything.
fn begin(session: &mut Session, moved: &Moved) -> Result<bool, Failure> {
    session.run(BEGIN)?;
    session.run(&format!("SELECT pg_advisory_xact_lock({SCHEMA_LOCK})"))?;
    Ok(transfer::contents(session)?.came_by.as_ref() == Some(&moved.nonce))
}

/// Writes everything, in a transaction that is not committed yet.
fn fill(session: &mut Session, source: &Moving, moved: &Moved) -> Result<Counts, Failure> {
    check_empty(&transfer::contents(session)?)?;
    // In the transaction of all the rest: by it the next run finds whether this one has ended.
    transfer::put_nonce(session, &moved.nonce)?;
    let mut counts = Counts::default();
    let mut above = i64::MIN;
    loop {
        let rooms = source.rooms(above)?;
        let Some(last) = rooms.iter().filter_map(row).max() else { break };
        above = last;
        transfer::put_rooms(session, &rooms)?;
        for (room, id) in rooms.iter().filter_map(|room| Some((room, row(room)?))) {
            counts.rooms += 1;
            let mut head = 0;
            while let records @ [.., last] = source.records(id, head)?.as_slice() {
                head = last.seq;
                if let Some(seq) = transfer::unfit(records) {
                    let name = room.name.as_str();
                    return Err(format!(
                        "record {seq} of the room {name} has a NUL in its text, which PostgreSQL \
                         cannot keep: delete that message first"
                    )
                    .into());
                }
                transfer::put_records(session, id, records)?;
                counts.records += u64::try_from(records.len()).unwrap_or(0);
            }
        }
    }
    transfer::end_rooms(session)?;
    let mut above = i64::MIN;
    loop {
        let (cids, last) = source.cids(above)?;
        if cids.is_empty() {
            break;
        }
        above = last;
        transfer::put_cids(session, &cids)?;
    }
    let mut behind = None;
    loop {
        let marks = source.marks(behind.as_ref())?;
        if marks.is_empty() {
            break;
        }
        transfer::put_marks(session, &marks)?;
        behind = marks.into_iter().next_back();
    }
    let (people, suspended) = source.people()?;
    let changes = changes_of(people, &suspended, source.acts()?);
    if !transfer::put_people(session, &changes, &suspended.revoked)? {
        return Err("what is kept of people contradicts itself: chinwag verify says what".into());
    }
    Ok(counts)
}

fn row(room: &Begun) -> Option<i64> {
    room.kept.map(|kept| kept.row)
}

fn into_data(address: &Address, data: &Path) -> Result<String, Failure> {
    let mut session = primary(address)?;
    let place = address.to_string();
    session.run(BEGIN_READING)?;
    let Contents { nodes, .. } = transfer::contents(&mut session)?;
    if nodes > 0 {
        return Err(format!(
            "{nodes} nodes use the engine: stop them first, and wait for ten seconds after one that \
             was killed"
        )
        .into());
    }
    // One transaction: whatever fails before its end leaves nothing but the mark of `make`, with
    // which the same command begins anew.
    let mut target = Moving::make(data, Clock::start(), &place)?;
    let arrival = target.arrive()?;
    let mut counts = Counts::default();
    let mut above = i64::MIN;
    loop {
        let rooms = transfer::rooms(&mut session, above)?;
        let Some(last) = rooms.iter().filter_map(row).max() else { break };
        above = last;
        for (room, id) in rooms.iter().filter_map(|room| Some((room, row(room)?))) {
            counts.rooms += 1;
            arrival.room(room)?;
            let mut head = 0;
            while let records @ [.., last] = transfer::records(&mut session, id, head)?.as_slice() {
                head = last.seq;
                arrival.records(id, records.iter().map(|record| &**record))?;
                counts.records += u64::try_from(records.len()).unwrap_or(0);
            }
        }
    }
    let mut behind = None;
    loop {
        let cids = transfer::cids(&mut session, behind.as_ref())?;
        if cids.is_empty() {
            break;
        }
        arrival.cids(&cids)?;
        behind = cids.into_iter().next_back();
    }
    let mut behind = None;
    loop {
        let marks = transfer::marks(&mut session, behind.as_ref())?;
        if marks.is_empty() {
            break;
        }
        arrival.marks(&marks)?;
        behind = marks.into_iter().next_back();
    }
    let (people, suspended) = transfer::people(&mut session)?;
    let (mut acts, mut above) = (Vec::new(), 0);
    loop {
        let (more, last) = transfer::acts(&mut session, above)?;
        if more.is_empty() {
            break;
        }
        acts.extend(more);
        above = last;
    }
    arrival.people(&changes_of(people, &suspended, acts), &suspended.revoked)?;
    arrival.commit()?;
    let webhooks = u64::try_from(webhooks::load(&mut session)?.len()).unwrap_or(u64::MAX);
    let left = told_of(LeftBehind { webhooks, ..LeftBehind::default() });
    let told = told(counts, &data.display().to_string());
    Ok(format!("{told}{left}the engine keeps all of it: start no node on it any more\n"))
}

fn told(Counts { rooms, records }: Counts, place: &str) -> String {
    format!("{rooms} rooms with {records} records, and all people, are in {place} now\n")
}

/// What is not moved.
fn told_of(LeftBehind { webhooks, files }: LeftBehind) -> String {
    let mut text = String::new();
    for (count, what) in [(webhooks, "outgoing webhooks"), (files, "files")] {
        if count > 0 {
            _ = writeln!(text, "not moved: {count} {what}");
        }
    }
    text
}
