//! A million connections without sockets: the whole server above the reactor, and the real timer
//! wheel, with transports that take everything at once.
//!
//! ```text
//! cargo bench --bench million                         four layouts, each in its own process
//! cargo bench --bench million -- connections=100000   fewer connections
//! cargo bench --bench million -- members=1000000      one room with everybody in it
//! ```
//!
//! Each connection is upgraded, says hello with a name, and joins one room of `members`; they come
//! within twenty seconds of simulated time, so that presence is told while they come. Then
//! something is said in each room, everybody is pinged and answers, everybody falls silent and is
//! closed. Time is real and covers the server and this reactor; `longest` is the longest turn.
//! Bytes are resident, and include 88 that the reactor takes for each: a cache line, as the real
//! one, and a timer.

#![expect(clippy::print_stdout, reason = "it reports on its standard output")]
#![expect(clippy::expect_used, reason = "a measurement of something that fails means nothing")]
#![expect(clippy::panic, reason = "a measurement of something that fails means nothing")]

mod reactor;

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs};

use chinwag::client::{Framing, Opening};
use chinwag::config::{self, Environment, Flags};
use chinwag::http::SUBPROTOCOL;
use chinwag::metrics::Metrics;
use chinwag::rng::Rng;
use chinwag::server::Server;
use chinwag::session::{Entropy, ListenerKind};

use reactor::{Done, Reactor};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Milliseconds in which all come.
const OPENING_MS: usize = 20_000;
/// Milliseconds in which all leave, and in which all return.
const RETURNING_MS: usize = 10_000;
/// Rooms in which something is said in one turn.
const ROOMS_PER_TURN: usize = 256;

fn main() -> Outcome<()> {
    let (mut connections, mut members) = (1_000_000, None);
    for argument in env::args().skip(1).filter(|argument| !argument.starts_with('-')) {
        match argument.split_once('=') {
            Some(("connections", value)) => connections = value.parse()?,
            Some(("members", value)) => members = Some(value.parse()?),
            _ => return Err(format!("no setting: {argument}").into()),
        }
    }
    if let Some(members) = members {
        return Crowd::new(connections, members)?.measure();
    }
    for members in [connections, 10_000, 100, 2] {
        // What one has freed would be used again by the next, and not be seen to be taken.
        let settings = [format!("connections={connections}"), format!("members={members}")];
        let status = Command::new(env::current_exe()?).args(settings).status()?;
        if !status.success() {
            return Err(format!("members={members}: {status}").into());
        }
    }
    Ok(())
}

/// All peers, and the reactor that they are connected to.
struct Crowd {
    reactor: Reactor,
    connections: usize,
    rooms: usize,
}

impl Crowd {
    fn new(connections: usize, members: usize) -> Outcome<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/load.toml");
        let settings = vec![("durability", "memory".to_owned())];
        let flags = Flags { config: Some(path), settings };
        let mut config = config::load(&flags, &Environment::default())
            .map_err(|faults| format!("{faults:?}"))?
            .config;
        config.limits.users = config.limits.users.max(connections);
        config.limits.room_members = config.limits.room_members.max(connections);
        let (doors, metrics) = (vec![ListenerKind::Http], Arc::new(Metrics::default()));
        let server = Server::new(
            &config,
            doors,
            (metrics, Entropy::Seeded(Rng::new(1))),
            Reactor::began(),
            chinwag::store::in_memory(),
        )?;
        let rooms = connections.div_ceil(members.max(1));
        println!("{connections} connections, {rooms} rooms of {members}");
        Ok(Self { reactor: Reactor::new(server, connections), connections, rooms })
    }

    fn measure(&mut self) -> Outcome<()> {
        let before = resident()?;
        self.come();
        self.report("open", "upgrade, hello, join");
        println!("  {:<9}{:>8} bytes each", "memory", self.each(resident()?, before));
        self.speak();
        self.report("fan out", "one message in each room");
        self.ping();
        self.report("ping", "ping and pong");
        self.leave_and_return();
        self.report("return", "everybody leaves and joins again");
        self.fall_silent();
        self.report("expire", "ping, close");
        self.pass(20_000, 10);
        self.report("be off", "the leave grace ends, presence is told");
        println!("  {:<9}{:>8} bytes each", "memory", self.each(resident()?, before));
        Ok(())
    }

    /// Everybody connects, says hello and joins, each in three turns one after the other.
    fn come(&mut self) {
        let batch = self.connections.div_ceil(OPENING_MS);
        let (count, rooms) = (self.connections, self.rooms);
        let head = upgrade();
        let batch_of = |nth: Option<usize>| {
            let first = nth.map_or(count, |nth| (nth * batch).min(count));
            first..nth.map_or(count, |_| (first + batch).min(count))
        };
        for nth in 0..count.div_ceil(batch) + 2 {
            self.reactor.turn(|reactor| {
                for slot in batch_of(Some(nth)) {
                    reactor.open();
                    reactor.receive(slot, &head);
                }
                for slot in batch_of(nth.checked_sub(1)) {
                    let hello = format!(r#"{{"op":"hello","id":1,"name":"u{slot}"}}"#);
                    reactor.receive(slot, &frame(&hello));
                }
                for slot in batch_of(nth.checked_sub(2)) {
                    let join = format!(r#"{{"op":"join","id":2,"room":"r{}"}}"#, slot % rooms);
                    reactor.receive(slot, &frame(&join));
                }
            });
            self.reactor.advance(1);
        }
        self.pass(2_000, 10);
    }

    /// The first member of each room says something of 64 bytes, which everybody gets.
    fn speak(&mut self) {
        let text = "x".repeat(64);
        for first in (0..self.rooms).step_by(ROOMS_PER_TURN) {
            let rooms = first..self.rooms.min(first + ROOMS_PER_TURN);
            self.reactor.turn(|reactor| {
                for room in rooms {
                    let send = r#""op":"send","echo":true"#;
                    let message = format!(r#"{{{send},"room":"r{room}","text":"{text}"}}"#);
                    reactor.receive(room, &frame(&message));
                }
            });
            self.reactor.advance(1);
        }
    }

    /// Time passes until everybody has been pinged, and has answered.
    fn ping(&mut self) {
        let mut pong = Vec::new();
        Framing::WebSocket.put_pong(&[], &mut pong);
        let mut answered = 0;
        while answered < self.connections {
            self.reactor.advance(10);
            let pinged = std::mem::take(&mut self.reactor.pinged);
            answered += pinged.len();
            self.reactor.turn(|reactor| {
                for slot in pinged {
                    reactor.receive(slot as usize, &pong);
                }
            });
        }
    }

    /// Everybody leaves within ten seconds, and comes back within ten more.
    fn leave_and_return(&mut self) {
        self.everybody("leave");
        self.everybody("join");
    }

    /// Everybody asks the same of their room, within ten seconds.
    fn everybody(&mut self, op: &str) {
        let batch = self.connections.div_ceil(RETURNING_MS);
        let rooms = self.rooms;
        for first in (0..self.connections).step_by(batch) {
            let slots = first..self.connections.min(first + batch);
            self.reactor.turn(|reactor| {
                for slot in slots {
                    let room = slot % rooms;
                    let request = format!(r#"{{"op":"{op}","id":3,"room":"r{room}"}}"#);
                    reactor.receive(slot, &frame(&request));
                }
            });
            self.reactor.advance(1);
        }
    }

    /// Time passes until everybody was closed for not answering.
    fn fall_silent(&mut self) {
        let mut closed = 0;
        while closed < self.connections {
            self.reactor.advance(10);
            let before = self.reactor.closed();
            self.reactor.turn(|_| ());
            closed += self.reactor.closed() - before;
        }
    }

    /// Time passes in steps.
    fn pass(&mut self, millis: u64, step: u64) {
        let end = self.reactor.millis() + millis;
        while self.reactor.millis() < end {
            self.reactor.advance(step);
            self.reactor.turn(|_| ());
        }
    }

    fn report(&mut self, name: &str, what: &str) {
        let Done { frames, bytes, turns, us, longest_us } = self.reactor.take_done();
        let (time, longest) = (Duration::from_micros(us), Duration::from_micros(longest_us));
        let each = Duration::from_nanos(1_000 * us / u64::try_from(self.connections).unwrap_or(1));
        let size = bytes / frames.max(1);
        println!(
            "  {name:<9}{time:>10.2?} {each:>10.2?} each, longest of {turns} turns {longest:.1?}, \
             {frames} frames of {size} bytes: {what}",
        );
    }

    fn each(&self, after: u64, before: u64) -> u64 {
        after.saturating_sub(before) / u64::try_from(self.connections).unwrap_or(1).max(1)
    }
}

/// The request that each connection begins with.
fn upgrade() -> Vec<u8> {
    Opening::new("127.0.0.1".to_owned(), vec![SUBPROTOCOL]).request("/ws")
}

/// A masked text frame.
fn frame(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    Framing::WebSocket.put_message(text.as_bytes(), &mut out);
    out
}

/// Bytes of this process's own that are resident.
fn resident() -> Outcome<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.ok_or("no RssAnon")?.trim().trim_end_matches(" kB");
    Ok(kib.parse::<u64>()? * 1024)
}
