//! `kills`: the server is killed again and again under load, and nothing that it has promised is lost.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::chance::Chance;
use crate::device::{Device, Manner};
use crate::finish::{BACK_WITHIN, check_memberships, judge, read_back, settle};
use crate::fleet::{Fleet, Size};
use crate::server::Setup;

/// Two devices for six of the users, half of the clients over WebSocket, the others over plain TCP.
const SIZE: Size = Size { devices: 24, users: 18, rooms: 6, rooms_each: 2 };
const MANNER: Manner = Manner { window: 8, text_bytes: 120, change_once_in: 50 };
/// How long a named point may let itself be waited for.
const POINT_WITHIN: Duration = Duration::from_secs(5);
/// Ready again within this time after a kill.
const READY_WITHIN: Duration = Duration::from_secs(1);

/// System calls at whose beginning the server is killed, so that what is before them is done and they are not, and up
/// to how many of them happen before it is.
const POINTS: [(&str, u64); 8] = [
    // Before a sync.
    ("fdatasync,fsync", 60),
    ("fdatasync,fsync", 12),
    // In the middle of a batch: some of the log's pages are written.
    ("pwrite64", 400),
    ("pwrite64", 60),
    // Behind a sync, when the reactor is to be woken with the news.
    ("write", 60),
    // When the news are on their way to some clients and not to others.
    ("sendmsg", 500),
    // While it is opened, recovered, or the log begins anew.
    ("ftruncate,unlink,rename,openat", 40),
    ("mmap,pread64", 200),
];

/// What happened on the way.
#[derive(Default)]
struct Tally {
    at_random: u64,
    at_points: u64,
    before_ready: u64,
    not_reached: u64,
    ready: Vec<Duration>,
}

/// Kills it so often, checks, and tampers with what was seen if asked to.
pub(crate) fn run(
    binary: &str,
    folder: &Path,
    kills: u64,
    seed: u64,
    planted: Option<&str>,
) -> Outcome<()> {
    let setup = Setup::new(folder, binary, "scripts/crash.d/server.toml")?;
    let mut fleet = Fleet::new(SIZE, MANNER, seed)?;
    let mut chance = Chance::new(seed ^ 0x6b69_6c6c);
    let mut tally = Tally::default();
    println!("  seed {seed}");
    for kill in 0..kills {
        round(&setup, &mut fleet, &mut chance, &mut tally, kill)?;
    }
    let mut server = setup.start_well()?;
    tally.ready.push(server.ready_after);
    settle(&mut fleet, &server)?;
    read_back(&mut fleet, &server)?;
    check_memberships(&mut fleet, &server)?;
    fleet.lose_all()?;
    server.stop()?;
    setup.assert_no_panic()?;
    report(&fleet, &tally)?;
    judge(&fleet, planted)?;
    setup.verify()
}

/// One start, some load, one kill.
fn round(
    setup: &Setup,
    fleet: &mut Fleet,
    chance: &mut Chance,
    tally: &mut Tally,
    kill: u64,
) -> Outcome<()> {
    // The first start makes the files; it is killed at random moments like every other.
    let point = chance.once_in(2).then(|| POINTS[chance.place(POINTS.len())]);
    let setup = match point {
        None => setup.clone(),
        Some((calls, most)) => setup.under(&strace(calls, 1 + chance.below(most))),
    };
    let Some(mut server) = setup.start()? else {
        tally.before_ready += 1;
        return Ok(());
    };
    if point.is_none() {
        tally.ready.push(server.ready_after);
    }
    fleet.go_to(server.http, server.tcp);
    if point.is_none() {
        fleet.until(Instant::now() + BACK_WITHIN, "back", Device::is_here)?;
        let place = chance.place(fleet.devices.len());
        if let Some(device) = fleet.devices.get_mut(place) {
            device.join_club(kill, &mut fleet.stage);
        }
        fleet.run_until(Instant::now() + chance.time(50, 1500))?;
        tally.at_random += 1;
    } else {
        let deadline = Instant::now() + POINT_WITHIN;
        while !server.has_ended()? && Instant::now() < deadline {
            fleet.turn((Instant::now() + Duration::from_millis(20)).min(deadline))?;
        }
        if server.has_ended()? { tally.at_points += 1 } else { tally.not_reached += 1 }
    }
    server.kill()?;
    fleet.lose_all()
}

/// `strace` that kills the server when it is about to make the n-th of these calls. It runs beside the server
/// instead of above it, and looks at nothing else.
fn strace(calls: &str, n: u64) -> Vec<String> {
    let inject = format!("inject={calls}:signal=KILL:when={n}");
    let trace = format!("trace={calls}");
    let words = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
    words.map(str::to_owned).to_vec()
}

fn report(fleet: &Fleet, tally: &Tally) -> Outcome<()> {
    let (acked, duplicates) = fleet.acked();
    let observed = &fleet.stage.observed;
    let records: usize = observed.logs.iter().map(Vec::len).sum();
    let seen: usize = observed.streams.iter().map(|stream| stream.seen.len()).sum();
    println!(
        "  killed {} times at a random moment, {} times at a system call, {} times before it was ready; {} points were not reached",
        tally.at_random, tally.at_points, tally.before_ready, tally.not_reached
    );
    println!(
        "  {acked} sends acknowledged, {duplicates} of them by a repetition; {records} records, seen {seen} times by {} clients",
        fleet.devices.len()
    );
    let slowest = tally.ready.iter().max().copied().unwrap_or_default();
    println!(
        "  ready again after at most {} ms ({} starts)",
        slowest.as_millis(),
        tally.ready.len()
    );
    if acked == 0 || records == 0 {
        return Err("nothing was said".into());
    }
    if slowest > READY_WITHIN {
        return Err("it was not ready again within a second".into());
    }
    Ok(())
}
