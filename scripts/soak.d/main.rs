//! The generator of `scripts/soak`: clients that connect, say hello, join, leave and close, again and again,
//! each with a name and a room that nobody had before, while the server's memory is measured.
//!
//! usage: `soak PID HTTP TCP ADMIN CYCLES SLOPE_MAX`. It fails if the server's resident memory rises by more
//! than `SLOPE_MAX` bytes a cycle over the last four fifths of the cycles, or if in the end it holds more
//! descriptors or connections than in the beginning.

#![expect(clippy::print_stdout, reason = "it reports on its standard output")]
#![expect(clippy::disallowed_methods, reason = "it is a client: it may wait and start threads")]

mod cycle;
mod slope;

use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use cycle::Target;
use slope::slope;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Clients at a time, half of them over WebSocket and half over TCP.
const WORKERS: u32 = 8;
/// Cycles after which a worker reports.
const STEP: u32 = 50;
/// How long the server may take to let go of everything, the leave grace included.
const SETTLED_AFTER: Duration = Duration::from_secs(20);

fn main() -> Outcome<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [pid, http, tcp, admin, cycles, slope_max] = arguments.as_slice() else {
        return Err("usage: soak PID HTTP TCP ADMIN CYCLES SLOPE_MAX".into());
    };
    let (http, tcp): (SocketAddr, SocketAddr) = (http.parse()?, tcp.parse()?);
    let (cycles, slope_max): (u32, f64) = (cycles.parse()?, slope_max.parse()?);
    let server = Observed { pid: pid.clone(), admin: admin.parse()? };

    // The first ones grow what stays for good: the descriptors and the memory of a server that has served.
    soak(http, tcp, 0, WORKERS * STEP, |_| Ok(()))?;
    server.await_idle()?;
    let base = server.descriptors()?;

    let began = Instant::now();
    let mut samples = Vec::new();
    soak(http, tcp, WORKERS * STEP, cycles, |done| {
        samples.push((f64::from(done), server.resident_bytes()?));
        Ok(())
    })?;
    let seconds = began.elapsed().as_secs_f64();
    server.await_idle()?;
    let left = server.await_descriptors(base)?;

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
    Ok(())
}

/// Runs cycles `first` to `first + count` on all workers and tells `progress` how many are done.
fn soak(
    http: SocketAddr,
    tcp: SocketAddr,
    first: u32,
    count: u32,
    mut progress: impl FnMut(u32) -> Outcome<()>,
) -> Outcome<()> {
    let (sender, receiver) = mpsc::channel();
    let mut workers = Vec::new();
    for worker in 0..WORKERS {
        let sender = sender.clone();
        workers.push(thread::spawn(move || -> Outcome<()> {
            let target = if worker % 2 == 0 { Target::WebSocket(http) } else { Target::Lines(tcp) };
            let share = (first + worker..first + count).step_by(WORKERS as usize);
            for (done, number) in share.enumerate() {
                cycle::run(target, worker, number)?;
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

/// The server, seen from outside.
struct Observed {
    pid: String,
    admin: SocketAddr,
}

impl Observed {
    fn resident_bytes(&self) -> Outcome<f64> {
        // `status` has it, too, but as a sum that lags by up to 256 KiB.
        let maps = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid))?;
        let line = maps.lines().find_map(|line| line.strip_prefix("Rss:")).ok_or("no Rss")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib * 1024.0)
    }

    fn descriptors(&self) -> Outcome<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.pid))?.count())
    }

    /// Waits until the server has let go of every client.
    fn await_idle(&self) -> Outcome<()> {
        let deadline = Instant::now() + SETTLED_AFTER;
        loop {
            let left = self.left()?;
            if left.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("still there: {left:?}").into());
            }
        }
    }

    /// How many descriptors it has when they are `base` again, or at the latest after a while.
    fn await_descriptors(&self, base: usize) -> Outcome<usize> {
        let deadline = Instant::now() + SETTLED_AFTER;
        loop {
            let left = self.descriptors()?;
            if left <= base || Instant::now() > deadline {
                return Ok(left);
            }
        }
    }

    /// The gauges that are not back at nothing.
    fn left(&self) -> Outcome<Vec<String>> {
        let mut stream = TcpStream::connect(self.admin)?;
        let host = self.admin;
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
        let mut page = String::new();
        stream.read_to_string(&mut page)?;
        let gauges =
            ["chinwag_sessions ", "chinwag_users ", "chinwag_rooms ", "chinwag_memberships "];
        let is_left = |line: &&str| {
            gauges.iter().any(|gauge| line.starts_with(gauge)) && !line.ends_with(" 0")
        };
        Ok(page.lines().filter(is_left).map(str::to_owned).collect())
    }
}
