//! The whole server, measured from outside over real sockets: memory, idling, handshakes, fan-out.
//!
//! ```text
//! cargo bench --bench server                          everything
//! cargo bench --bench server -- only=room,b idle=60   two scenarios, and a longer idle
//! ```
//!
//! | setting | default | is |
//! |---|---|---|
//! | `only` | `room,b1,b,b32,d,e` | the scenarios |
//! | `connections` | 10000 | of `room` and `d`; both processes need as many descriptors, and some more |
//! | `idle` | 30 | seconds of idling in `room` |
//! | `seconds` | 4 | that each workload lasts |
//! | `text` | 128 in `room`, otherwise 64 | bytes of a message's text |
//! | `pin` | `yes` | server on core 0, this process on core 1, by `taskset` |
//! | `program` | the one built with this | another build of the server, to be compared |
//!
//! `room`: everybody in one room: handshakes, memory, idling, single messages, then workload C. `b`, `b1`,
//! `b32`: 10 rooms of 100, one sender each with 8, 1 or 32 messages in flight. `d`: rooms of 2 where both
//! send. `e`: connect, upgrade, close.
//!
//! A window counts what has come back to its sender, which may be ahead of the others: the server flushes
//! large broadcasts in portions. So what a delivery costs is to be read beside how many of them left in one
//! write call.
//!
//! The server is the release binary with `benches/load.toml`, in a process of its own; this process is its
//! single-threaded client. Every delivery is checked: each member of a room must see each `seq` once
//! and in order. The server's times are what the scheduler has given to its threads.

#![expect(clippy::print_stdout, reason = "it reports on its standard output")]

mod crowd;
mod handshake;
mod load;
mod peer;
mod process;
mod report;
mod room;

use std::error::Error;

use chinwag::reactor::descriptors;
use chinwag::time::clock::Clock;

use load::Load;
use process::Server;
use report::Report;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What is to be measured.
struct Plan {
    only: String,
    connections: usize,
    idle_s: u64,
    seconds: u64,
    text_len: Option<usize>,
    pin: bool,
    program: String,
}

impl Plan {
    /// Reads `key=value` arguments; what Cargo adds begins with dashes.
    fn parse(arguments: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut plan = Self {
            only: "room,b1,b,b32,d,e".to_owned(),
            connections: 10_000,
            idle_s: 30,
            seconds: 4,
            text_len: None,
            pin: true,
            program: process::PROGRAM.to_owned(),
        };
        for argument in arguments.filter(|argument| !argument.starts_with('-')) {
            match argument.split_once('=') {
                Some(("only", value)) => value.clone_into(&mut plan.only),
                Some(("connections", value)) => plan.connections = value.parse()?,
                Some(("idle", value)) => plan.idle_s = value.parse()?,
                Some(("seconds", value)) => plan.seconds = value.parse()?,
                Some(("text", value)) => plan.text_len = Some(value.parse()?),
                Some(("pin", value)) => plan.pin = value == "yes",
                Some(("program", value)) => value.clone_into(&mut plan.program),
                _ => return Err(format!("no setting: {argument}").into()),
            }
        }
        Ok(plan)
    }
}

fn main() -> Outcome<()> {
    let plan = Plan::parse(std::env::args().skip(1))?;
    let fit = usize::try_from(descriptors::raise()?.connections_max())?;
    if plan.connections > fit {
        return Err(format!("this process has descriptors for {fit} connections").into());
    }
    let clock = Clock::start();
    let pinned = plan.pin && process::pin_this()?;
    let mut report = Report::default();
    for scenario in plan.only.split(',') {
        let server = Server::start(&plan.program, pinned)?;
        println!("{scenario}: server {}{}", server.id(), if pinned { ", pinned" } else { "" });
        let bench = Bench { clock, server, seconds: plan.seconds };
        let text_len = plan.text_len.unwrap_or(64);
        let small = Load { rooms: 10, members: 100, all_send: false, window: 8, text_len };
        let outcome = match scenario {
            "room" => room::measure(&bench, &plan, &mut report),
            "b" => bench.load("B", small, &mut report),
            "b1" => bench.load("B1", Load { window: 1, ..small }, &mut report),
            "b32" => bench.load("B32", Load { window: 32, ..small }, &mut report),
            "d" => {
                let rooms = plan.connections / 2;
                let pairs = Load { rooms, members: 2, all_send: true, window: 1, text_len };
                bench.load("D", pairs, &mut report)
            }
            "e" => handshake::churn(&bench, &mut report),
            _ => Err(format!("no scenario: {scenario}").into()),
        };
        outcome.map_err(|error| format!("{scenario}: {error}"))?;
    }
    println!("{}", report.to_json());
    Ok(())
}

/// A server of one's own to measure.
struct Bench {
    clock: Clock,
    server: Server,
    seconds: u64,
}

/// A moment, or the time between two.
#[derive(Clone, Copy)]
struct Spent {
    us: u64,
    /// The server's time on a core.
    cpu_ns: u64,
}

impl Bench {
    fn now(&self) -> Outcome<Spent> {
        Ok(Spent { us: self.clock.micros(), cpu_ns: self.server.cpu_ns()? })
    }

    fn since(&self, began: Spent) -> Outcome<Spent> {
        let now = self.now()?;
        Ok(Spent { us: now.us - began.us, cpu_ns: now.cpu_ns - began.cpu_ns })
    }

    /// Fills the rooms of a load and runs it.
    fn load(&self, name: &str, load: Load, report: &mut Report) -> Outcome<()> {
        let mut crowd = handshake::connect(self, load.rooms * load.members, None)?;
        handshake::join(self, &mut crowd, load, None)?;
        crowd.settle(&self.clock)?;
        load::run(self, &mut crowd, (name, load), report)?;
        crowd.check(|index| load.room_of(index))
    }
}
