//! What the server takes above the reactor for people who come, speak and go.

use std::iter;

use chinwag::net::Input;
use chinwag::ws::{Opcode, encode};

use crate::Outcome;
use crate::mark::Counter;
use crate::server::{MASK, World, frame};

/// Messages of one run, each in a turn of its own.
const SENDS: usize = 16;

/// Longer than anybody may be silent.
const SILENCE_MS: u64 = 60_000;

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

impl World {
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
    presence(counter)?;
    posts(counter)?;
    streams(counter)
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

/// A message of 64 bytes by HTTP.
fn post(room: usize) -> String {
    let text = "x".repeat(64);
    format!(
        "POST /rooms/room{room}/messages?as=poster HTTP/1.1\r\nHost: localhost:8080\r\n\
         User-Agent: curl/8.5.0\r\nAccept: */*\r\nContent-Type: text/plain\r\n\
         Content-Length: {}\r\n\r\n{text}",
        text.len()
    )
}

/// Everybody posts in the same turn, on a connection that is kept.
fn posts(counter: &Counter) -> Outcome<()> {
    const COUNT: usize = 64;
    let mut world = World::new()?;
    (0..COUNT).for_each(|_| _ = world.open());
    let request = post(0);
    counter.count("server: a post by HTTP", COUNT, || {
        for conn in world.conns.clone() {
            world.receive(conn, request.as_bytes());
        }
        assert_eq!(world.end_turn(), COUNT, "each is answered");
    });
    Ok(())
}

/// A post, a turn each, into a room that is read as streams of events, and over WebSocket.
fn streams(counter: &Counter) -> Outcome<()> {
    const READERS: usize = 1_000;
    let request = post(0);
    for (name, is_stream) in [
        ("server: a post to 1000 streams of events", true),
        ("server: a post to 1000 WebSockets", false),
    ] {
        if !counter.wants(name) {
            continue;
        }
        let mut world = World::new()?;
        let poster = world.open().ok_or("no connection")?;
        world.receive(poster, request.as_bytes());
        world.end_turn();
        for number in 1..=READERS {
            if is_stream {
                let conn = world.open().ok_or("no connection")?;
                let head = format!("GET /rooms/room0/events?as=user{number} HTTP/1.1\r\n");
                world.receive(conn, format!("{head}Host: localhost:8080\r\n\r\n").as_bytes());
                world.end_turn();
            } else {
                world.connect(1);
                world.enter(number, (&hello(number), &join(0)));
            }
        }
        world.wait(10_000);
        counter.count(name, SENDS, || {
            for _ in 0..SENDS {
                world.receive(poster, request.as_bytes());
                assert_eq!(world.end_turn(), READERS + 1, "everybody gets it");
            }
        });
    }
    Ok(())
}
