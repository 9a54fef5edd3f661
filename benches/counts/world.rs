//! The whole server above the reactor, fed with what sockets would bring.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::{iter, mem};

use chinwag::config::{self, Config, Environment, Flags};
use chinwag::metrics::Metrics;
use chinwag::net::{ConnId, Effect, Effects, Handler as _, Input, ListenerId};
use chinwag::rng::Rng;
use chinwag::server::Server;
use chinwag::session::{Entropy, ListenerKind};
use chinwag::time::Tick;
use chinwag::time::clock::Now;
use chinwag::ws::{MaskKey, Opcode, encode};

use crate::Outcome;
use crate::mark::Counter;

pub(crate) const MASK: MaskKey = [0x37, 0xfa, 0x21, 0x3d];
/// What Chromium sends.
pub(crate) const HEAD: &str = "GET /ws HTTP/1.1\r\n\
Host: localhost:8080\r\n\
Connection: Upgrade\r\n\
Pragma: no-cache\r\n\
Cache-Control: no-cache\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36\r\n\
Upgrade: websocket\r\n\
Origin: http://localhost:8080\r\n\
Sec-WebSocket-Version: 13\r\n\
Accept-Encoding: gzip, deflate, br, zstd\r\n\
Accept-Language: en-GB,en;q=0.9\r\n\
Cookie: theme=dark; _ga=GA1.1.1234567890.1234567890\r\n\
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
Sec-WebSocket-Protocol: chinwag.v1\r\n\r\n";

/// Messages of one run, each in a turn of its own.
const SENDS: usize = 16;

/// Longer than anybody may be silent.
const SILENCE_MS: u64 = 60_000;

/// The configuration for load tests, without events that come by the clock.
pub(crate) fn config() -> Outcome<Config> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/load.toml");
    let settings = vec![("durability", "memory".to_owned())];
    let flags = Flags { config: Some(path), settings };
    let loaded = config::load(&flags, &Environment::default());
    Ok(loaded.map_err(|faults| faults.to_string())?.config)
}

/// A masked text frame.
pub(crate) fn frame(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    encode(Opcode::Text, text.as_bytes(), Some(MASK), &mut out);
    out
}

pub(crate) fn hello(number: usize) -> Vec<u8> {
    frame(&format!(r#"{{"op":"hello","id":1,"name":"user{number}"}}"#))
}

pub(crate) fn join(room: usize) -> Vec<u8> {
    frame(&format!(r#"{{"op":"join","id":2,"room":"room{room}"}}"#))
}

/// A message of 64 bytes, which is answered.
pub(crate) fn send(room: usize) -> Vec<u8> {
    let text = "x".repeat(64);
    frame(&format!(r#"{{"op":"send","id":3,"room":"room{room}","text":"{text}"}}"#))
}

/// The server above the reactor, and what a reactor would keep for it.
struct World {
    server: Server,
    conns: Vec<ConnId>,
    effects: Effects,
    scratch: Vec<u8>,
    millis: u64,
}

impl World {
    fn new() -> Outcome<Self> {
        let config = config()?;
        let metrics = Arc::new(Metrics::default());
        let now = Now { tick: Tick::ZERO, wall_ms: 1_763_700_000_000 };
        let server = Server::new(
            &config,
            vec![ListenerKind::Http],
            (metrics, Entropy::Seeded(Rng::new(1))),
            now,
            chinwag::store::in_memory(),
        )
        .map_err(|error| error.to_string())?;
        let (conns, effects, scratch) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { server, conns, effects, scratch, millis: 0 })
    }

    fn handle(&mut self, input: Input<'_>) {
        let wall_ms = 1_763_700_000_000 + self.millis;
        let now = Now { tick: Tick::from_millis(self.millis), wall_ms };
        self.server.handle(now, input, &mut self.effects);
    }

    /// Ends the turn, and returns how many frames were given to connections.
    fn end_turn(&mut self) -> usize {
        self.handle(Input::TurnEnd);
        self.millis += 1;
        let frames = self.effects.drain(..).map(|effect| match effect {
            Effect::Broadcast { to, .. } => to.len(),
            Effect::Send { .. } => 1,
            _ => 0,
        });
        frames.sum()
    }

    fn receive(&mut self, conn: ConnId, bytes: &[u8]) {
        let mut scratch = mem::take(&mut self.scratch);
        scratch.clear();
        scratch.extend_from_slice(bytes);
        self.handle(Input::Received { conn, bytes: &mut scratch });
        self.scratch = scratch;
    }

    /// Opens `count` more connections that have switched to WebSocket.
    fn connect(&mut self, count: usize) {
        let peer = SocketAddr::from(([127, 0, 0, 1], 50_000));
        for _ in 0..count {
            let slot = self.conns.len();
            let generation = u64::try_from(slot).unwrap_or(0) + 1;
            let Some(conn) = ConnId::new(slot, generation) else { continue };
            self.conns.push(conn);
            self.handle(Input::Opened { conn, listener: ListenerId(0), peer });
            self.receive(conn, HEAD.as_bytes());
            assert_eq!(self.end_turn(), 1, "the upgrade is answered");
        }
    }

    /// Has a connection say hello and join a room, a turn each.
    fn enter(&mut self, number: usize, (hello, join): (&[u8], &[u8])) {
        for request in [hello, join] {
            self.receive(self.conns[number], request);
            assert_eq!(self.end_turn(), 1, "it is answered");
        }
    }

    /// Everybody in one of `rooms`, and told so.
    fn populated(count: usize, rooms: usize) -> Outcome<Self> {
        let mut world = Self::new()?;
        world.connect(count);
        for number in 0..count {
            world.enter(number, (&hello(number), &join(number % rooms)));
        }
        world.wait(10_000);
        Ok(world)
    }

    /// Lets time pass, up to which the domain tells what it has gathered.
    fn wait(&mut self, millis: u64) -> usize {
        self.millis += millis;
        self.handle(Input::Alarm);
        self.end_turn()
    }
}

pub(crate) fn count(counter: &Counter) -> Outcome<()> {
    opening(counter)?;
    rooms(counter)?;
    pairs(counter)?;
    pings(counter)?;
    presence(counter)
}

fn opening(counter: &Counter) -> Outcome<()> {
    const COUNT: usize = 128;
    let mut world = World::new()?;
    counter.count("server: open and upgrade", COUNT, || world.connect(COUNT));
    let mut world = World::new()?;
    world.connect(2 * COUNT);
    let requests: Vec<_> =
        (0..2 * COUNT).map(|number| (hello(number), join(number / 64))).collect();
    let mut next = 0;
    counter.count("server: hello and join", COUNT, || {
        for (hello, join) in requests.iter().skip(next).take(COUNT) {
            world.enter(next, (hello, join));
            next += 1;
        }
    });
    Ok(())
}

/// One sends, a turn each, and is answered; the others get it.
fn rooms(counter: &Counter) -> Outcome<()> {
    for members in [2, 100, 1_000] {
        let name = format!("server: a send to a room of {members}");
        if !counter.wants(&name) {
            continue;
        }
        let mut world = World::populated(members, 1)?;
        let (sender, message) = (world.conns[0], send(0));
        counter.count(&name, SENDS, || {
            for _ in 0..SENDS {
                world.receive(sender, &message);
                assert_eq!(world.end_turn(), members, "everybody gets it");
            }
        });
    }
    Ok(())
}

/// Everybody sends in the same turn.
fn pairs(counter: &Counter) -> Outcome<()> {
    const ROOMS: usize = 64;
    let mut world = World::populated(2 * ROOMS, ROOMS)?;
    let messages: Vec<_> = (0..ROOMS).map(send).collect();
    counter.count("server: a send, everybody in rooms of 2", 2 * ROOMS, || {
        for (&conn, message) in world.conns.clone().iter().zip(messages.iter().cycle()) {
            world.receive(conn, message);
        }
        assert_eq!(world.end_turn(), 2 * ROOMS, "a reply and an event for each, in one piece");
    });
    let names: Vec<_> =
        (0..2 * ROOMS).map(|number| (number, (number + ROOMS) % (2 * ROOMS))).collect();
    let text = "x".repeat(64);
    let direct =
        |to: usize| frame(&format!(r#"{{"op":"send","id":4,"to":"user{to}","text":"{text}"}}"#));
    let messages: Vec<_> = names.iter().map(|&(from, to)| (from, direct(to))).collect();
    counter.count("server: a send, everybody to one other", 2 * ROOMS, || {
        for (from, message) in &messages {
            world.receive(world.conns[*from], message);
        }
        assert!(world.end_turn() >= 2 * ROOMS, "a reply and an event for each");
    });
    Ok(())
}

/// The server asks who is still there, and is answered.
fn pings(counter: &Counter) -> Outcome<()> {
    const COUNT: usize = 128;
    let mut world = World::populated(COUNT, 1)?;
    let mut pong = Vec::new();
    encode(Opcode::Pong, &[], Some(MASK), &mut pong);
    counter.count("server: a ping and its pong", COUNT, || {
        world.millis += SILENCE_MS;
        for conn in world.conns.clone() {
            world.handle(Input::Expired { conn });
            assert_eq!(world.end_turn(), 1, "the ping");
            world.receive(conn, &pong);
            assert_eq!(world.end_turn(), 0, "nothing more is said");
        }
    });
    Ok(())
}

/// One of a room goes away or comes back, and all are told.
fn presence(counter: &Counter) -> Outcome<()> {
    let mut world = World::populated(100, 1)?;
    let conn = world.conns[0];
    let status = |status| frame(&format!(r#"{{"op":"status","status":"{status}"}}"#));
    let mut each = iter::repeat([status("away"), status("online")]).flatten();
    counter.count("server: a change of presence to a room of 100", SENDS, || {
        for status in each.by_ref().take(SENDS) {
            world.receive(conn, &status);
            world.end_turn();
            assert_eq!(world.wait(2_000), 100, "everybody is told");
        }
    });
    Ok(())
}
