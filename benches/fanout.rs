//! Fan-out without sockets: from a member's frame to the effects of the turn's end, and the memory
//! that sessions take above the reactor.
//!
//! The whole server above the reactor is fed with what sockets would bring. A turn is one `send` to
//! a room with everybody in it, or one from everybody in rooms of two; throughput is in deliveries.

#![expect(clippy::print_stdout, reason = "memory is reported beside what criterion reports")]
#![expect(clippy::unwrap_used, reason = "a measurement of something that fails means nothing")]

/// What is counted by `counts`, too.
mod counts {
    pub(crate) mod server;
}

use std::fs;

use criterion::{BenchmarkId, Criterion, Throughput};

use counts::server::{World, frame};

/// Sessions whose memory is measured, and members of each of their rooms.
const SESSIONS: usize = 100_000;
const MEMBERS: usize = 100;

impl World {
    fn hello(&mut self) {
        for (number, conn) in self.conns.clone().into_iter().enumerate() {
            self.receive(conn, &frame(&format!(r#"{{"op":"hello","id":1,"name":"u{number}"}}"#)));
            assert_eq!(self.end_turn(), 1, "hello is answered");
        }
    }

    /// Has everybody join the next of `rooms`.
    fn join(&mut self, rooms: usize) {
        for (number, conn) in self.conns.clone().into_iter().enumerate() {
            let room = number % rooms;
            self.receive(conn, &frame(&format!(r#"{{"op":"join","id":2,"room":"r{room}"}}"#)));
            assert_eq!(self.end_turn(), 1, "join is answered");
        }
    }

    fn populated(count: usize, rooms: usize) -> Self {
        let mut world = Self::new().unwrap();
        world.connect(count);
        world.hello();
        world.join(rooms);
        world
    }
}

/// A message of 64 bytes to a room, which its sender gets too.
fn message(room: usize) -> Vec<u8> {
    let text = "x".repeat(64);
    frame(&format!(r#"{{"op":"send","room":"r{room}","text":"{text}","echo":true}}"#))
}

fn one_room(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fanout/one sends to all");
    for members in [100, 1_000, 10_000] {
        let mut world = World::populated(members, 1);
        let (sender, message) = (world.conns[0], message(0));
        group.throughput(Throughput::Elements(u64::try_from(members).unwrap()));
        group.bench_function(BenchmarkId::from_parameter(members), |bencher| {
            bencher.iter(|| {
                world.receive(sender, &message);
                assert_eq!(world.end_turn(), members, "everybody gets it");
            });
        });
    }
    group.finish();
}

fn pairs(criterion: &mut Criterion) {
    const ROOMS: usize = 5_000;
    let mut group = criterion.benchmark_group("fanout/everybody sends to one other");
    let mut world = World::populated(2 * ROOMS, ROOMS);
    let messages: Vec<_> = (0..ROOMS).map(message).collect();
    group.throughput(Throughput::Elements(4 * 5_000));
    group.bench_function(BenchmarkId::from_parameter(2 * ROOMS), |bencher| {
        bencher.iter(|| {
            for number in 0..2 * ROOMS {
                world.receive(world.conns[number], &messages[number % ROOMS]);
            }
            world.end_turn()
        });
    });
    group.finish();
}

/// Resident bytes of this process.
fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// Memory above the reactor, step by step.
fn memory() {
    let mut world = World::new().unwrap();
    let mut before = resident();
    let start = before;
    let mut step = |what: &str| {
        let after = resident();
        println!("memory/{what:<40} {:>6} bytes a session", (after - before) / SESSIONS);
        before = after;
    };
    world.connect(SESSIONS);
    step("connected and upgraded");
    world.hello();
    step("named");
    world.join(SESSIONS / MEMBERS);
    step("in a room of 100");
    println!("memory/{:<40} {:>6} bytes a session", "in all", (resident() - start) / SESSIONS);
}

fn main() {
    // First, while nothing has been freed that could be used again.
    memory();
    let mut criterion = Criterion::default().configure_from_args();
    one_room(&mut criterion);
    pairs(&mut criterion);
    criterion.final_summary();
}
