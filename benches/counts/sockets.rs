//! The whole server with its reactor, over real sockets. The clients act between the server's
//! turns, in the same thread, so that each turn finds all that they have sent; they are not
//! counted. They read what a turn has flushed in the next one, which they wake the server for: each
//! round has one idle turn more.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use chinwag::net::{Effect, Effects, Handler, Input, ListenerId};
use chinwag::reactor::{ListenerConfig, Reactor, ReactorConfig, Waker};
use chinwag::rng::Rng;
use chinwag::server::Server;
use chinwag::session::{Entropy, ListenerKind};
use chinwag::time::Tick;
use chinwag::time::clock::{Clock, Now};
use chinwag::ws::{FrameHeader, Opcode, Role, encode};

use crate::Outcome;
use crate::mark::{Counter, aside, boundary};
use crate::server::{HEAD, MASK, config};
use crate::world::{hello, join, send};

/// Rounds of each workload, of which the first half warms up.
const ROUNDS: usize = 32;

/// What the clients do in one round.
#[derive(Clone, Copy, Debug)]
enum Round {
    /// So many connect anew and upgrade; those of before close.
    Connect(usize),
    Hello,
    /// Everybody joins one of so many rooms.
    Join(usize),
    /// Everybody sends to the one of so many rooms that it is in.
    AllSend(usize),
    /// One of everybody in one room sends.
    OneSends,
    /// Everybody pings.
    Ping,
    /// Nobody does anything.
    Nothing,
    /// The count begins.
    Begin,
    /// The count ends: so many operations of this name.
    End(&'static str, usize),
}

struct Client {
    stream: TcpStream,
    /// An incomplete frame.
    partial: Vec<u8>,
    is_open: bool,
    /// Answers and messages that it waits for.
    awaited: usize,
}

/// The clients, and what they are yet to do.
struct Script {
    addr: SocketAddr,
    clients: Vec<Client>,
    rounds: std::vec::IntoIter<Round>,
}

/// The server, with the script beside it.
struct Driver {
    server: Server,
    script: Script,
    waker: Waker,
    failure: Option<String>,
}

impl Handler for Driver {
    fn handle(&mut self, now: Now, input: Input<'_>, effects: &mut Effects) {
        let is_end = matches!(input, Input::TurnEnd);
        self.server.handle(now, input, effects);
        if !is_end {
            return;
        }
        aside(|| {
            let woken = self.waker.wake().map_err(Into::into);
            let goes_on = self.script.step().and_then(|goes_on| woken.map(|()| goes_on));
            if let Err(failure) = &goes_on {
                self.failure = Some(failure.to_string());
            }
            if !matches!(goes_on, Ok(true)) {
                effects.push(Effect::Exit { deadline: Tick::ZERO });
            }
        });
    }
}

impl Script {
    /// Takes in what has come and begins the next round if everybody has got what it waits for.
    /// `false` when all is done.
    fn step(&mut self) -> Outcome<bool> {
        for client in &mut self.clients {
            client.read()?;
        }
        if self.clients.iter().any(|client| client.awaited > 0) {
            return Ok(true);
        }
        for round in self.rounds.by_ref() {
            match round {
                Round::Begin => boundary(),
                Round::End(name, operations) => {
                    boundary();
                    Counter::announce(name, operations);
                }
                Round::Connect(count) => {
                    self.clients.clear();
                    for _ in 0..count {
                        self.clients.push(Client::connect(self.addr)?);
                    }
                    return Ok(true);
                }
                Round::Hello => return self.everybody(|nth| (hello(nth), 1)),
                Round::Join(rooms) => return self.everybody(|nth| (join(nth % rooms), 1)),
                Round::AllSend(rooms) => {
                    let members = self.clients.len() / rooms;
                    return self.everybody(|nth| (send(nth % rooms), members));
                }
                Round::OneSends => {
                    return self.everybody(|nth| (if nth == 0 { send(0) } else { Vec::new() }, 1));
                }
                Round::Nothing => return Ok(true),
                Round::Ping => {
                    let mut ping = Vec::new();
                    encode(Opcode::Ping, b"12345678", Some(MASK), &mut ping);
                    return self.everybody(|_| (ping.clone(), 1));
                }
            }
        }
        Ok(false)
    }

    /// Has everybody send something and wait for so many answers and messages.
    fn everybody(&mut self, what: impl Fn(usize) -> (Vec<u8>, usize)) -> Outcome<bool> {
        for (nth, client) in self.clients.iter_mut().enumerate() {
            let (bytes, awaited) = what(nth);
            client.stream.write_all(&bytes)?;
            client.awaited = awaited;
        }
        Ok(true)
    }
}

impl Client {
    fn connect(addr: SocketAddr) -> Outcome<Self> {
        let mut stream = TcpStream::connect(addr)?;
        stream.write_all(HEAD.as_bytes())?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, partial: Vec::new(), is_open: false, awaited: 1 })
    }

    fn read(&mut self) -> Outcome<()> {
        let mut scratch = [0; 4096];
        loop {
            match self.stream.read(&mut scratch) {
                Ok(0) => return Err("the server has closed a connection".into()),
                Ok(len) => self.partial.extend_from_slice(scratch.get(..len).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return self.take(),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes whole frames, and the answer to the upgrade before them.
    fn take(&mut self) -> Outcome<()> {
        let mut rest = &*self.partial;
        if !self.is_open {
            let end = rest.windows(4).position(|four| four == b"\r\n\r\n");
            let Some(behind) = end.and_then(|end| rest.get(end + 4..)) else { return Ok(()) };
            (self.is_open, self.awaited, rest) = (true, 0, behind);
        }
        while let Some((header, len)) = FrameHeader::decode(rest, Role::Client, false)? {
            let end = len + usize::try_from(header.payload_len)?;
            let Some(payload) = rest.get(len..end) else { break };
            let is_awaited = match header.opcode {
                Opcode::Text => {
                    payload.starts_with(br#"{"id""#) || payload.starts_with(br#"{"ev":"message""#)
                }
                Opcode::Pong => true,
                _ => return Err(format!("{:?}", header.opcode).into()),
            };
            if is_awaited {
                self.awaited = self.awaited.checked_sub(1).ok_or("more than was asked for")?;
            }
            rest = rest.get(end..).unwrap_or_default();
        }
        let used = self.partial.len() - rest.len();
        self.partial.drain(..used);
        Ok(())
    }
}

/// Runs one server from the first round to the last.
fn run(rounds: Vec<Round>) -> Outcome<()> {
    let listener = ListenerConfig::new(SocketAddr::from(([127, 0, 0, 1], 0)));
    let reactor = ReactorConfig {
        listeners: vec![listener],
        connections_max: 512,
        ..ReactorConfig::default()
    };
    let mut reactor = Reactor::bind(&reactor)?;
    let metrics = std::sync::Arc::new(chinwag::metrics::Metrics {
        reactor: reactor.metrics(),
        ..chinwag::metrics::Metrics::default()
    });
    let clock = Clock::start();
    let mut config = config()?;
    // Nothing is to come by the clock, which runs as it likes.
    config.timeouts.presence_interval = std::time::Duration::from_hours(1);
    let server = Server::new(
        &config,
        vec![ListenerKind::Http],
        (metrics, Entropy::Seeded(Rng::new(1))),
        clock.now(),
        chinwag::store::in_memory(),
    )
    .map_err(|error| error.to_string())?;
    let addr = reactor.local_addr(ListenerId(0)).ok_or("no address")?;
    let mut script = Script { addr, clients: Vec::new(), rounds: rounds.into_iter() };
    script.step()?;
    let mut driver = Driver { server, script, waker: reactor.waker(), failure: None };
    reactor.run(&clock, &mut driver)?;
    driver.failure.map_or(Ok(()), |failure| Err(failure.into()))
}

/// Half of the rounds to warm up, half of them counted.
fn workload(name: &'static str, prepare: &[Round], round: Round, operations: usize) -> Vec<Round> {
    let half = ROUNDS / 2;
    let mut rounds = prepare.to_vec();
    rounds.extend(std::iter::repeat_n(round, half));
    rounds.push(Round::Begin);
    rounds.extend(std::iter::repeat_n(round, half));
    rounds.push(Round::End(name, half * operations));
    rounds
}

pub(crate) fn count(counter: &Counter) -> Outcome<()> {
    const COUNT: usize = 64;
    let enter = |count, rooms| [Round::Connect(count), Round::Hello, Round::Join(rooms)];
    let workloads = [
        ("sockets: connect, upgrade, close", &[][..], Round::Connect(COUNT), COUNT),
        ("sockets: a turn in which nothing happens", &[], Round::Nothing, 1),
        ("sockets: a ping and its pong", &enter(COUNT, 1), Round::Ping, COUNT),
        (
            "sockets: a send, everybody in rooms of 2",
            &enter(COUNT, COUNT / 2),
            Round::AllSend(COUNT / 2),
            COUNT,
        ),
        ("sockets: a send to a room of 64", &enter(COUNT, 1), Round::OneSends, 1),
        ("sockets: a send to a room of 200", &enter(200, 1), Round::OneSends, 1),
        ("sockets: a send, everybody in a room of 64", &enter(COUNT, 1), Round::AllSend(1), COUNT),
    ];
    for (name, prepare, round, operations) in workloads {
        if counter.wants(name) {
            run(workload(name, prepare, round, operations))
                .map_err(|error| format!("{name}: {error}"))?;
        }
    }
    Ok(())
}
