//! `soak`: clients that connect, say hello, join, leave and close, again and again, each with a
//! name and a room that nobody had before, while the server's memory is measured. Half of them come
//! over WebSocket, half over TCP; or all over TLS with a token, by names that come again, half of
//! them with a handshake in full, half with one that resumes a session.
//!
//! It fails if the server's resident memory rises by more than `slope_max` bytes a cycle over the
//! last four fifths of the cycles, or if in the end it holds more descriptors or connections than
//! in the beginning.

mod cycle;
mod slope;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use chinwag::client::Framing;

use crate::Outcome;
use crate::server::{Server, Setup, get};
use crate::tls::Trust;
use crate::tokens::Tokens;
use cycle::{USERS, Way};
use slope::slope;

/// The server's configuration.
const SOAK: &str = "tests/torture/soak.toml";
/// Clients at a time.
const WORKERS: u32 = 8;
/// Cycles after which a worker reports.
const STEP: u32 = 50;
/// Cycles before anything is measured: they fill what remembers a number of things for good, of
/// which the list of ended memberships is the longest, with 16,384.
const WARM_UP: u32 = 43 * WORKERS * STEP;
// Each user has come by then, and none is there twice at a time.
const _: () = assert!(USERS <= WARM_UP && USERS.is_multiple_of(WORKERS) && WARM_UP > 16_384);
/// How long the server may take to let go of everything, the leave grace included.
const SETTLED_AFTER: Duration = Duration::from_secs(20);

/// Runs so many cycles, during which memory may rise by `slope_max` bytes each.
pub(crate) fn run(
    binary: &str,
    folder: &Path,
    cycles: u32,
    slope_max: f64,
    is_sealed: bool,
) -> Outcome<()> {
    let (setup, proof) = setup(binary, folder, is_sealed)?;
    let started = setup.start_unasked()?;
    let mut server = started.ok_or("the server ended at once")?;
    let at = Arc::new(At { addresses: [server.http, server.tcp, server.https], proof });
    let at = &at;
    // The descriptors, too, are those of a server that has served.
    repeat(at, 0, WARM_UP, |_| Ok(()))?;
    await_idle(&server)?;
    let base = server.descriptors()?;

    let began = Instant::now();
    let mut samples = Vec::new();
    repeat(at, WARM_UP, cycles, |done| {
        let kib = u32::try_from(server.resident_bytes()? / 1024)?;
        samples.push((f64::from(done), f64::from(kib) * 1024.0));
        Ok(())
    })?;
    let seconds = began.elapsed().as_secs_f64();
    await_idle(&server)?;
    let left = await_descriptors(&server, base)?;

    let tail = samples.split_off(samples.len() / 5);
    let rise = slope(&tail).ok_or("too few cycles to measure anything")?;
    let last = tail.last().map_or(0.0, |(_, bytes)| bytes / 1024.0);
    println!("  {cycles} cycles in {seconds:.1} s, {:.0} a second", f64::from(cycles) / seconds);
    println!(
        "  resident memory {last:.0} KiB, rising {rise:.3} bytes a cycle (at most {slope_max})"
    );
    println!("  descriptors {base} before, {left} after");
    if rise > slope_max {
        return Err(format!("memory rises by {rise:.3} bytes a cycle").into());
    }
    if left > base {
        return Err(format!("{} descriptors were not given back", left - base).into());
    }
    server.stop()?;
    setup.assert_no_panic()
}

/// Where clients go, and what they come with.
struct At {
    /// By HTTP, TCP and HTTPS.
    addresses: [SocketAddr; 3],
    proof: Option<Proof>,
}

/// What TLS and tokens need.
struct Proof {
    trust: [Trust; 2],
    tokens: Tokens,
}

impl At {
    /// How a worker's clients come, and where to.
    fn way(&self, worker: u32) -> (Way<'_>, SocketAddr) {
        let ([http, tcp, https], is_even) = (self.addresses, worker.is_multiple_of(2));
        match &self.proof {
            Some(Proof { trust: [whole, resumed], tokens }) => {
                (Way::Sealed(if is_even { whole } else { resumed }, tokens), https)
            }
            None if is_even => (Way::Clear(Framing::WebSocket), http),
            None => (Way::Clear(Framing::Lines), tcp),
        }
    }
}

/// The server, and what its clients need.
fn setup(binary: &str, folder: &Path, is_sealed: bool) -> Outcome<(Setup, Option<Proof>)> {
    if !is_sealed {
        return Ok((Setup::new(folder, binary, SOAK)?, None));
    }
    let (trust, tokens) = (Trust::new(folder)?, Tokens::of_secret()?);
    let config = folder.join("soak.toml");
    let rest = fs::read_to_string(SOAK)?;
    fs::write(&config, format!("auth = \"jwt\"\n{rest}\n{}", tokens.config()))?;
    let config = config.to_str().ok_or("a folder that is no text")?;
    let setup = Setup::new(folder, binary, config)?.sealed(&trust);
    let trust = [trust.without_resumption(), trust];
    Ok((setup, Some(Proof { trust, tokens })))
}

/// Runs cycles `first` to `first + count` on all workers and tells `progress` how many are done.
fn repeat(
    at: &Arc<At>,
    first: u32,
    count: u32,
    mut progress: impl FnMut(u32) -> Outcome<()>,
) -> Outcome<()> {
    let (sender, receiver) = mpsc::channel();
    let mut workers = Vec::new();
    for worker in 0..WORKERS {
        let (sender, at) = (sender.clone(), Arc::clone(at));
        workers.push(thread::spawn(move || -> Outcome<()> {
            let (way, at) = at.way(worker);
            let share = (first + worker..first + count).step_by(WORKERS as usize);
            for (done, number) in share.enumerate() {
                cycle::run(way, at, worker, number)?;
                if done % STEP as usize == 0 {
                    sender.send(())?;
                }
            }
            Ok(())
        }));
    }
    drop(sender);
    for (done, ()) in (1..).zip(&receiver) {
        progress(done * STEP)?;
    }
    for worker in workers {
        worker.join().map_err(|_panic| "a worker panicked")??;
    }
    Ok(())
}

/// Waits until the server has let go of every client.
fn await_idle(server: &Server) -> Outcome<()> {
    let deadline = Instant::now() + SETTLED_AFTER;
    loop {
        let left = left(server)?;
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("still there: {left:?}").into());
        }
    }
}

/// How many descriptors it has when they are `base` again, or at the latest after a while.
fn await_descriptors(server: &Server, base: usize) -> Outcome<usize> {
    let deadline = Instant::now() + SETTLED_AFTER;
    loop {
        let left = server.descriptors()?;
        if left <= base || Instant::now() > deadline {
            return Ok(left);
        }
    }
}

/// The gauges that are not back at nothing.
fn left(server: &Server) -> Outcome<Vec<String>> {
    let page = get(server.admin, "/metrics")?;
    let gauges = ["chinwag_sessions ", "chinwag_users ", "chinwag_rooms ", "chinwag_memberships "];
    let is_left =
        |line: &&str| gauges.iter().any(|gauge| line.starts_with(gauge)) && !line.ends_with(" 0");
    Ok(page.lines().filter(is_left).map(str::to_owned).collect())
}
