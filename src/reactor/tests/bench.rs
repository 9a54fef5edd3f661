//! A reactor on the bench: a handler that records and does as scripted, blocking clients with a read
//! deadline, and a clock that moves when it is told to.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use socket2::SockRef;

use crate::net::{
    CloseReason, ConnId, Effect, Effects, Ending, Handler, Input, ListenerId, SharedFrame,
    StopSignal,
};
use crate::reactor::{ListenerConfig, Reactor, ReactorConfig};
use crate::time::Tick;
use crate::time::clock::Now;

/// How long anything real may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// An input without its borrow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::reactor) enum Seen {
    Opened(ConnId, ListenerId),
    Received(ConnId, Vec<u8>),
    Finished(ConnId),
    Blocked(ConnId, usize),
    Drained(ConnId),
    Expired(ConnId),
    Closed(ConnId, CloseReason),
    Alarm,
    Stop(StopSignal),
}

/// Records every input, and answers each by a function.
pub(in crate::reactor) struct Scripted {
    pub(in crate::reactor) seen: Vec<Seen>,
    pub(in crate::reactor) turns: usize,
    answer: fn(&Seen, Now, &mut Effects),
    /// Effects to be given at the next input.
    pub(in crate::reactor) next: Effects,
}

impl Handler for Scripted {
    fn handle(&mut self, now: Now, input: Input<'_>, effects: &mut Effects) {
        effects.append(&mut self.next);
        let seen = match input {
            Input::Opened { conn, listener, .. } => Seen::Opened(conn, listener),
            Input::Received { conn, bytes } => Seen::Received(conn, bytes.to_vec()),
            Input::Finished { conn } => Seen::Finished(conn),
            Input::Blocked { conn, queued } => Seen::Blocked(conn, queued),
            Input::Drained { conn } => Seen::Drained(conn),
            Input::Expired { conn } => Seen::Expired(conn),
            Input::Closed { conn, reason } => Seen::Closed(conn, reason),
            Input::Alarm => Seen::Alarm,
            Input::Stop(signal) => Seen::Stop(signal),
            Input::TurnEnd => {
                self.turns += 1;
                return;
            }
        };
        (self.answer)(&seen, now, effects);
        self.seen.push(seen);
    }
}

/// Answers nothing.
pub(in crate::reactor) fn silence(_: &Seen, _: Now, _: &mut Effects) {}

/// Sends back what came, and FIN for FIN.
pub(in crate::reactor) fn echo(seen: &Seen, _: Now, effects: &mut Effects) {
    match seen {
        Seen::Received(conn, bytes) => {
            effects.push(Effect::Send { conn: *conn, frame: bytes.clone().into() });
        }
        Seen::Finished(conn) => effects.push(Effect::Close {
            conn: *conn,
            reason: CloseReason::Bye,
            ending: Ending::Flush,
        }),
        _ => {}
    }
}

/// The reactor, its handler and its clock.
pub(in crate::reactor) struct Bench {
    pub(in crate::reactor) reactor: Reactor,
    pub(in crate::reactor) handler: Scripted,
    pub(in crate::reactor) now: u64,
}

impl Bench {
    pub(in crate::reactor) fn new(
        answer: fn(&Seen, Now, &mut Effects),
        adjust: impl FnOnce(&mut ReactorConfig),
    ) -> Self {
        let mut config = ReactorConfig { signals: false, ..ReactorConfig::default() };
        config.listeners.push(ListenerConfig::new(([127, 0, 0, 1], 0).into()));
        adjust(&mut config);
        let reactor = Reactor::bind(&config).unwrap();
        let handler = Scripted { seen: Vec::new(), turns: 0, answer, next: Effects::new() };
        Self { reactor, handler, now: 0 }
    }

    /// One turn at the present tick, after a wait of at most `wait`.
    pub(in crate::reactor) fn turn_after(&mut self, wait: Duration) -> bool {
        let now = Now { tick: Tick::from_millis(self.now), wall_ms: 0 };
        let has_work = self.reactor.time_to_wait(now.tick) == Some(Duration::ZERO);
        self.reactor.wait(Some(if has_work { Duration::ZERO } else { wait })).unwrap();
        self.reactor.turn(now, &mut self.handler).unwrap().is_break()
    }

    /// One turn with what is there already.
    pub(in crate::reactor) fn turn(&mut self) {
        self.turn_after(Duration::ZERO);
    }

    /// Turns until the handler has seen what `wanted` finds, and returns what it makes of it.
    #[track_caller]
    pub(in crate::reactor) fn until<T>(&mut self, wanted: impl Fn(&[Seen]) -> Option<T>) -> T {
        // Each turn waits for an edge, so the patience is only used up if none comes.
        for _ in 0..10_000 {
            if let Some(found) = wanted(&self.handler.seen) {
                return found;
            }
            let turns = self.handler.turns;
            self.turn_after(PATIENCE);
            assert!(self.handler.turns > turns);
        }
        panic!("it did not come; seen: {:?}", self.handler.seen);
    }

    /// Turns until the handler has seen exactly this.
    #[track_caller]
    pub(in crate::reactor) fn until_seen(&mut self, expect: &Seen) {
        self.until(|seen| seen.contains(expect).then_some(()));
    }

    /// A new client, accepted.
    #[track_caller]
    pub(in crate::reactor) fn connect(&mut self) -> (Client, ConnId) {
        let opened = |seen: &[Seen]| -> Vec<ConnId> {
            let id = |seen: &Seen| match seen {
                Seen::Opened(conn, _) => Some(*conn),
                _ => None,
            };
            seen.iter().filter_map(id).collect()
        };
        let before = opened(&self.handler.seen).len();
        let client = self.client();
        (client, self.until(|seen| opened(seen).get(before).copied()))
    }

    /// A new client, still in the kernel's queue.
    pub(in crate::reactor) fn client(&self) -> Client {
        let addr = self.reactor.local_addr(ListenerId(0)).unwrap();
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client { stream }
    }

    /// Applies effects in a turn of their own.
    pub(in crate::reactor) fn ask(&mut self, effects: impl IntoIterator<Item = Effect>) {
        self.handler.next.extend(effects);
        self.turn();
    }

    /// Lets time pass, and turns.
    pub(in crate::reactor) fn pass(&mut self, millis: u64) {
        self.now += millis;
        self.turn();
    }

    /// All bytes that came from the connection.
    pub(in crate::reactor) fn received(&self, from: ConnId) -> Vec<u8> {
        let bytes = |seen: &Seen| match seen {
            Seen::Received(conn, bytes) if *conn == from => bytes.clone(),
            _ => Vec::new(),
        };
        self.handler.seen.iter().flat_map(bytes).collect()
    }

    /// Fails unless everything has been given back.
    #[track_caller]
    pub(in crate::reactor) fn assert_nothing_left(&self) {
        let connections = &self.reactor.connections;
        assert_eq!(connections.slab.len(), 0, "connections");
        assert_eq!(connections.pool.in_use(), 0, "frames");
        assert_eq!(connections.pool.queued_bytes(), 0, "bytes");
        assert_eq!(connections.wheel.len(), 0, "timers");
        assert!(!connections.lists.has_work(), "work");
    }
}

/// The other end.
pub(in crate::reactor) struct Client {
    pub(in crate::reactor) stream: TcpStream,
}

impl Client {
    #[track_caller]
    pub(in crate::reactor) fn say(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Reads exactly as much as is expected.
    #[track_caller]
    pub(in crate::reactor) fn expect(&mut self, expect: &[u8]) {
        let mut bytes = vec![0; expect.len()];
        self.stream.read_exact(&mut bytes).unwrap();
        assert_eq!(bytes, expect);
    }

    /// Reads to the FIN.
    #[track_caller]
    pub(in crate::reactor) fn expect_end(&mut self, expect: &[u8]) {
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, expect);
    }

    #[track_caller]
    pub(in crate::reactor) fn expect_reset(&mut self) {
        let error = self.stream.read(&mut [0; 64 * 1024]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    pub(in crate::reactor) fn finish(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    pub(in crate::reactor) fn reset(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// A frame of its own.
pub(in crate::reactor) fn frame(bytes: &[u8]) -> SharedFrame {
    SharedFrame::copy_from_slice(bytes)
}
