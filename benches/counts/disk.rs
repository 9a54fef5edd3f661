//! What a message at `disk` takes of the disk: bytes that are written and syncs, of fixed batches,
//! as the system calls of a process of its own say. It does not depend on the disk.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::{fs, path::Path};

use chinwag::chat::model::log::{Appended, Draft, LogId, LogReply, LogRequest, Logs, Ticket};
use chinwag::chat::model::name::{RoomName, UserName};
use chinwag::chat::model::policy::Retention;
use chinwag::chat::model::record::{Body, Epoch};
use chinwag::chat::model::reply::Durability;
use chinwag::store::{self, Options};
use chinwag::time::clock::Clock;

use crate::Outcome;
use crate::figures::{DiskCounts, DiskFigure};

/// What is counted: a name, batches, and messages of each, which are of as many rooms.
const WORKLOADS: [(&str, usize, usize); 3] = [
    ("store: a lone message of 100 B at disk", 300, 1),
    ("store: 64 messages of as many rooms at once", 100, 64),
    ("store: 512 messages of as many rooms at once", 100, 512),
];
/// Batches before those that are counted.
const WARM_UP: usize = 4;

/// Counts every workload that has `only` in its name.
pub(crate) fn measure(only: Option<&str>) -> Outcome<Vec<DiskFigure>> {
    let wanted = |name: &str| only.is_none_or(|only| name.contains(only));
    let mut figures = Vec::new();
    for (nth, (name, batches, messages)) in WORKLOADS.into_iter().enumerate() {
        if !wanted(name) {
            continue;
        }
        let (before, after) = (traced(nth, WARM_UP)?, traced(nth, WARM_UP + batches)?);
        let (batches, messages) = (u32::try_from(batches)?, u32::try_from(messages)?);
        let each = |before: u32, after: u32, by| f64::from(after.saturating_sub(before)) / by;
        let bytes = each(before.0, after.0, f64::from(batches) * f64::from(messages));
        let counts = DiskCounts { bytes, syncs: each(before.1, after.1, f64::from(batches)) };
        figures.push(DiskFigure { name: name.to_owned(), counts });
    }
    Ok(figures)
}

/// Bytes that so many batches write, and how often they sync, with all that is before them.
fn traced(workload: usize, batches: usize) -> Outcome<(u32, u32)> {
    let folder = tempfile::tempdir()?;
    let trace = folder.path().join("trace");
    let status = Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=write,pwrite64,fsync,fdatasync", "-o"])
        .arg(&trace)
        .arg(std::env::current_exe()?)
        .args(["store", &workload.to_string(), &batches.to_string()])
        .arg(folder.path().join("data"))
        .stdout(Stdio::null())
        .status()
        .map_err(|error| format!("strace: {error}"))?;
    if !status.success() {
        return Err(format!("the counted program has failed: {status}").into());
    }
    let (mut bytes, mut syncs) = (0, 0);
    for line in fs::read_to_string(trace)?.lines() {
        // A call that another thread has interrupted ends on a line of its own.
        let result = line.rsplit_once(" = ").map_or("", |(_, result)| result);
        if line.contains("pwrite64") {
            bytes += result.trim().parse::<u32>().unwrap_or(0);
        } else if line.contains("sync") && !result.is_empty() {
            syncs += 1;
        }
    }
    Ok((bytes, syncs))
}

/// What strace runs: so many batches of one of the workloads. It ends as a kill would end it.
pub(crate) fn run(workload: &str, batches: &str, data: &Path) -> Outcome<()> {
    let (_, _, messages) = WORKLOADS.get(workload.parse::<usize>()?).ok_or("no such workload")?;
    let options = Options::new(data.to_owned(), Arc::default());
    let (sender, woken) = channel();
    let wake = Arc::new(move || _ = sender.send(()));
    let clock = Clock::start();
    let (mut logs, _) = store::open(&options, clock, wake)?;
    for room in 0..*messages {
        logs.request(
            clock.now(),
            LogRequest::Open {
                log: LogId::new(room, 1),
                room: RoomName::parse(&format!("room{room}"))
                    .map_err(|error| format!("{error:?}"))?,
                epoch: Epoch(1),
                durability: Durability::Disk,
                retention: Retention::default(),
                kept: None,
            },
        );
    }
    for batch in 0..batches.parse::<usize>()? {
        for room in 0..*messages {
            let draft = draft(room, batch)?;
            let ticket = Ticket(u64::try_from(room)?);
            logs.request(
                clock.now(),
                LogRequest::Append { log: LogId::new(room, 1), ticket, draft },
            );
        }
        logs.flush();
        answers(&mut *logs, &woken, *messages)?;
    }
    // Closing it would book and move everything.
    Box::leak(logs);
    Ok(())
}

fn draft(room: usize, batch: usize) -> Outcome<Draft> {
    let text = format!("{batch:04} {}", "word ".repeat(19));
    let body = Body::plain(&text, Some(&format!("c{room}-{batch}")));
    let from = UserName::parse(&format!("user{room}")).map_err(|error| format!("{error:?}"))?;
    Ok(Draft::new(from, body, 300))
}

/// Waits until so many messages are stored.
fn answers(logs: &mut dyn Logs, woken: &Receiver<()>, messages: usize) -> Outcome<()> {
    let mut stored = 0;
    while stored < messages {
        match logs.poll() {
            Some(LogReply::Appended { outcome: Appended::Stored(_), .. }) => stored += 1,
            Some(other) => return Err(format!("{other:?}").into()),
            None => woken.recv()?,
        }
    }
    Ok(())
}
