//! `kills`: the server is killed again and again under load, and nothing that it has promised is
//! lost. `limits stops`: the same where it is asked to stop, which it must do in good order.

use std::path::Path;
use std::time::{Duration, Instant};

use chinwag::rng::Rng;

use crate::client::{Behaviour, Client};
use crate::clients::{Clients, Size};
use crate::final_checks::{BACK_WITHIN, check_memberships, judge, read_back, wait_until_settled};
use crate::server::Setup;
use crate::{CONFIG, Outcome};

/// Two devices for six of the users, half of the clients over WebSocket, the others over plain TCP.
const SIZE: Size = Size { clients: 24, users: 18, rooms: 6, rooms_each: 2 };
const BEHAVIOUR: Behaviour = Behaviour { window: 8, text_bytes: 120, change_once_in: 50 };
/// How long a named point may let itself be waited for.
const POINT_WITHIN: Duration = Duration::from_secs(5);
/// Ready again within this time after a kill.
const READY_WITHIN: Duration = Duration::from_secs(1);
/// Ended within this time after it was asked to stop: `timeouts.stop` and some.
const STOPPED_WITHIN: Duration = Duration::from_secs(10);

/// The system calls before which the server is killed, and the highest number of such calls that it
/// may make first. Everything before the call has then been done, the call itself has not.
const POINTS: [(&str, u64); 8] = [
    // Before a sync.
    ("fdatasync,fsync", 60),
    ("fdatasync,fsync", 12),
    // In the middle of a batch: some pages of the WAL are written.
    ("pwrite64", 400),
    ("pwrite64", 60),
    // After a sync, before the reactor is woken to answer the clients.
    ("write", 60),
    // Some clients have been answered, others have not.
    ("sendmsg", 500),
    // While the database is opened or recovered, or the WAL starts again.
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
    let setup = Setup::new(folder, binary, CONFIG)?;
    let mut clients = Clients::new(SIZE, BEHAVIOUR, seed)?;
    let mut rng = Rng::new(seed ^ 0x6b69_6c6c);
    let mut tally = Tally::default();
    println!("  seed {seed}");
    for kill in 0..kills {
        round(&setup, &mut clients, &mut rng, &mut tally, kill)?;
    }
    let mut server = setup.start_well()?;
    tally.ready.push(server.ready_after);
    wait_until_settled(&mut clients, &server)?;
    read_back(&mut clients, &server)?;
    check_memberships(&mut clients, &server)?;
    clients.disconnect_all()?;
    server.stop()?;
    setup.assert_no_panic()?;
    report(&clients, &tally)?;
    judge(&clients, planted)?;
    setup.verify()
}

/// Asks it to stop so often, each time under load: it must leave with 0, and nothing that was
/// answered may be lost.
pub(crate) fn run_stops(binary: &str, folder: &Path, stops: u64, seed: u64) -> Outcome<()> {
    let setup = Setup::new(folder, binary, CONFIG)?;
    let mut clients = Clients::new(SIZE, BEHAVIOUR, seed)?;
    let mut rng = Rng::new(seed ^ 0x7465_726d);
    let mut slowest = Duration::ZERO;
    println!("  seed {seed}");
    for stop in 0..stops {
        let mut server = setup.start_well()?;
        clients.set_addresses(server.http, server.tcp);
        clients.until(Instant::now() + BACK_WITHIN, "back", Client::is_here)?;
        clients.run_until(Instant::now() + Duration::from_millis(rng.between(50, 500)))?;
        server.terminate()?;
        let begin = Instant::now();
        // They talk on, and come back at once, while it stops.
        while !server.has_ended()? && begin.elapsed() < STOPPED_WITHIN {
            clients.turn(Instant::now() + Duration::from_millis(5))?;
        }
        slowest = slowest.max(begin.elapsed());
        server.assert_left_well().map_err(|error| format!("stop {stop}: {error}"))?;
        clients.disconnect_all()?;
    }
    let mut server = setup.start_well()?;
    wait_until_settled(&mut clients, &server)?;
    read_back(&mut clients, &server)?;
    check_memberships(&mut clients, &server)?;
    clients.disconnect_all()?;
    server.stop()?;
    setup.assert_no_panic()?;
    let (acked, duplicates) = clients.acked();
    println!(
        "  {stops} times stopped in good order, after at most {} ms; {acked} answers to sends, {duplicates} of them to repeats",
        slowest.as_millis()
    );
    judge(&clients, None)?;
    setup.verify()
}

/// One start, some load, one kill.
fn round(
    setup: &Setup,
    clients: &mut Clients,
    rng: &mut Rng,
    tally: &mut Tally,
    kill: u64,
) -> Outcome<()> {
    // The first start makes the files; it is killed at random moments like every other.
    let point = rng.once_in(2).then(|| POINTS[rng.index(POINTS.len())]);
    let setup = match point {
        None => setup.clone(),
        Some((calls, most)) => setup.under(&strace(calls, 1 + rng.below(most))),
    };
    let Some(mut server) = setup.start()? else {
        tally.before_ready += 1;
        return Ok(());
    };
    if point.is_none() {
        tally.ready.push(server.ready_after);
    }
    clients.set_addresses(server.http, server.tcp);
    if point.is_none() {
        clients.until(Instant::now() + BACK_WITHIN, "back", Client::is_here)?;
        let place = rng.index(clients.clients.len());
        if let Some(client) = clients.clients.get_mut(place) {
            client.join_club(kill, &mut clients.context);
        }
        clients.run_until(Instant::now() + Duration::from_millis(rng.between(50, 1500)))?;
        tally.at_random += 1;
    } else {
        let deadline = Instant::now() + POINT_WITHIN;
        while !server.has_ended()? && Instant::now() < deadline {
            clients.turn((Instant::now() + Duration::from_millis(20)).min(deadline))?;
        }
        if server.has_ended()? { tally.at_points += 1 } else { tally.not_reached += 1 }
    }
    server.kill()?;
    clients.disconnect_all()
}

/// `strace` that kills the server when it is about to make the n-th of these calls. It runs beside
/// the server instead of above it, and looks at nothing else.
fn strace(calls: &str, n: u64) -> Vec<String> {
    let inject = format!("inject={calls}:signal=KILL:when={n}");
    let trace = format!("trace={calls}");
    let words = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
    words.map(str::to_owned).to_vec()
}

fn report(clients: &Clients, tally: &Tally) -> Outcome<()> {
    let (acked, duplicates) = clients.acked();
    let observed = &clients.context.observed;
    let records: usize = observed.logs.iter().map(Vec::len).sum();
    let seen: usize = observed.streams.iter().map(|stream| stream.seen.len()).sum();
    println!(
        "  killed {} times at a random moment, {} times at a system call, {} times before it was ready; {} points were not reached",
        tally.at_random, tally.at_points, tally.before_ready, tally.not_reached
    );
    println!(
        "  {acked} sends acknowledged, {duplicates} of them by a repetition; {records} records, seen {seen} times by {} clients",
        clients.clients.len()
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
