//! A reactor on the harness: a handler that records and does as scripted, blocking clients with a
//! read deadline, and a clock that moves when it is told to.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::ops::ControlFlow;
use std::process::Command;
use std::time::Duration;

use socket2::SockRef;

use crate::net::{
    CloseReason, ConnId, ConnectFault, Effect, Effects, Ending, Handler, Input, ListenerId,
    SharedFrame, StopSignal,
};
use crate::reactor::{ListenerConfig, Reactor, ReactorConfig};
use crate::time::Tick;
use crate::time::clock::Now;

/// How long anything real may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(5);

/// An input without its borrow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Opened(ConnId, ListenerId),
    Connected(ConnId, u64),
    Unreachable(u64, ConnectFault),
    Received(ConnId, Vec<u8>),
    Finished(ConnId),
    Blocked(ConnId, usize),
    Drained(ConnId),
    Expired(ConnId),
    Closed(ConnId, CloseReason),
    AddressFound(ConnId),
    Alarm,
    StoreReady,
    Stop(StopSignal),
    Reload,
    AddressFull(ConnId),
}

/// Records every input, and answers each by a function.
pub(super) struct Scripted {
    pub(super) seen: Vec<Seen>,
    pub(super) turns: usize,
    answer: fn(&Seen, Now, &mut Effects),
    /// Effects to be given at the next input.
    pub(super) next: Effects,
}

impl Handler for Scripted {
    fn handle(&mut self, now: Now, input: Input<'_>, effects: &mut Effects) {
        effects.append(&mut self.next);
        let seen = match input {
            Input::Opened { conn, listener, .. } => Seen::Opened(conn, listener),
            Input::Connected { conn, tag } => Seen::Connected(conn, tag),
            Input::Unreachable { tag, fault } => Seen::Unreachable(tag, fault),
            Input::Received { conn, bytes } => Seen::Received(conn, bytes.to_vec()),
            Input::Finished { conn } => Seen::Finished(conn),
            Input::Blocked { conn, queued } => Seen::Blocked(conn, queued),
            Input::Drained { conn } => Seen::Drained(conn),
            Input::Expired { conn } => Seen::Expired(conn),
            Input::Closed { conn, reason } => Seen::Closed(conn, reason),
            Input::AddressFound { conn } => Seen::AddressFound(conn),
            Input::AddressFull { conn } => Seen::AddressFull(conn),
            Input::Alarm => Seen::Alarm,
            Input::Waiting { .. } | Input::Upgrade => return,
            Input::Stop(signal) => Seen::Stop(signal),
            Input::Reload => Seen::Reload,
            Input::StoreReady => Seen::StoreReady,
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
pub(super) fn silence(_: &Seen, _: Now, _: &mut Effects) {}

/// Sends back what came, and FIN for FIN.
pub(super) fn echo(seen: &Seen, _: Now, effects: &mut Effects) {
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
pub(super) struct Harness {
    pub(super) reactor: Reactor,
    pub(super) handler: Scripted,
    pub(super) now: u64,
}

impl Harness {
    pub(super) fn new(
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

    fn tick(&self) -> Tick {
        Tick::from_millis(self.now)
    }

    /// One turn at the present tick, after a wait of at most `wait`.
    pub(super) fn turn_after(&mut self, wait: Duration) -> ControlFlow<()> {
        let has_work = self.reactor.time_to_wait(self.tick()) == Some(Duration::ZERO);
        self.reactor.wait(Some(if has_work { Duration::ZERO } else { wait })).unwrap();
        self.turn_unseeing()
    }

    /// One turn without asking the poller.
    pub(super) fn turn_unseeing(&mut self) -> ControlFlow<()> {
        let now = Now { tick: self.tick(), wall_ms: 0 };
        self.reactor.turn(now, &mut self.handler).unwrap()
    }

    /// One turn with what is there already.
    pub(super) fn turn_now(&mut self) -> ControlFlow<()> {
        self.turn_after(Duration::ZERO)
    }

    /// The same, where the loop cannot end.
    #[track_caller]
    pub(super) fn turn(&mut self) {
        assert_eq!(self.turn_now(), ControlFlow::Continue(()));
    }

    /// Turns once, after the next edge if there is nothing else to do.
    #[track_caller]
    pub(super) fn until_edge(&mut self) {
        let has_work = self.reactor.time_to_wait(self.tick()) == Some(Duration::ZERO);
        assert_eq!(self.turn_after(PATIENCE), ControlFlow::Continue(()));
        let is_edge = !self.reactor.events.is_empty();
        assert!(has_work || is_edge, "no edge came; seen: {:?}", self.handler.seen);
    }

    /// Turns until nothing is left to be done.
    pub(super) fn until_idle(&mut self) {
        self.until_edge();
        while self.reactor.time_to_wait(self.tick()) == Some(Duration::ZERO) {
            self.turn();
        }
    }

    /// Turns until the kernel has moved all that it can move.
    pub(super) fn until_quiet(&mut self) {
        loop {
            assert_eq!(self.turn_after(Duration::from_millis(20)), ControlFlow::Continue(()));
            if self.reactor.events.is_empty() && !self.reactor.connections.shared.lists.has_work() {
                return;
            }
        }
    }

    /// Turns until the handler has seen what `wanted` finds, and returns what it makes of it.
    #[track_caller]
    pub(super) fn until<T>(&mut self, wanted: impl Fn(&[Seen]) -> Option<T>) -> T {
        for _ in 0..10_000 {
            if let Some(found) = wanted(&self.handler.seen) {
                return found;
            }
            self.until_edge();
        }
        panic!("it did not come; seen: {:?}", self.handler.seen);
    }

    /// Turns until the handler has seen exactly this.
    #[track_caller]
    pub(super) fn until_seen(&mut self, expect: &Seen) {
        self.until(|seen| seen.contains(expect).then_some(()));
    }

    /// Turns until so many bytes have come from the connection.
    #[track_caller]
    pub(super) fn until_received(&mut self, from: ConnId, len: usize) {
        self.until(|seen| (bytes_of(seen, from).len() >= len).then_some(()));
    }

    /// How often the handler has seen this.
    pub(super) fn count(&self, wanted: &Seen) -> usize {
        self.handler.seen.iter().filter(|seen| *seen == wanted).count()
    }

    /// Turns, reads and writes so far.
    pub(super) fn calls(&self) -> (usize, u64, u64) {
        let metrics = &self.reactor.metrics;
        (self.handler.turns, metrics.reads.value(), metrics.writes.value())
    }

    /// A new client, accepted.
    #[track_caller]
    pub(super) fn connect(&mut self) -> (Client, ConnId) {
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
    pub(super) fn client(&self) -> Client {
        let addr = self.reactor.local_addr(ListenerId(0)).unwrap();
        Client::connect(addr)
    }

    /// Applies effects in a turn of their own.
    pub(super) fn ask(&mut self, effects: impl IntoIterator<Item = Effect>) {
        self.handler.next.extend(effects);
        self.turn();
    }

    /// Lets time pass, and turns.
    pub(super) fn pass(&mut self, millis: u64) {
        self.now += millis;
        self.turn();
    }

    /// All bytes that came from the connection.
    pub(super) fn received(&self, from: ConnId) -> Vec<u8> {
        bytes_of(&self.handler.seen, from)
    }

    /// Fails unless everything has been given back.
    #[track_caller]
    pub(super) fn assert_nothing_left(&self) {
        let connections = &self.reactor.connections;
        assert_eq!(connections.slab.len(), 0, "connections");
        assert_eq!(connections.shared.pool.in_use(), 0, "frames");
        assert_eq!(connections.shared.pool.queued_bytes(), 0, "bytes");
        assert_eq!(connections.shared.wheel.len(), 0, "timers");
        assert!(!connections.shared.lists.has_work(), "work");
    }
}

fn bytes_of(seen: &[Seen], from: ConnId) -> Vec<u8> {
    let bytes = |seen: &Seen| match seen {
        Seen::Received(conn, bytes) if *conn == from => bytes.clone(),
        _ => Vec::new(),
    };
    seen.iter().flat_map(bytes).collect()
}

/// The other end.
pub(super) struct Client {
    stream: TcpStream,
}

impl Client {
    pub(super) fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream }
    }

    #[track_caller]
    pub(super) fn say(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends bytes, the last of them urgent.
    pub(super) fn urge(&mut self, bytes: &[u8]) {
        let sent = SockRef::from(&self.stream).send_out_of_band(bytes);
        assert_eq!(sent.unwrap(), bytes.len());
    }

    /// Says as much as the kernel takes, and returns the rest.
    pub(super) fn offer<'a>(&mut self, mut bytes: &'a [u8]) -> &'a [u8] {
        self.stream.set_nonblocking(true).unwrap();
        while let Ok(len @ 1..) = self.stream.write(bytes) {
            bytes = &bytes[len..];
        }
        self.stream.set_nonblocking(false).unwrap();
        bytes
    }

    /// Reads exactly as much as is expected.
    #[track_caller]
    pub(super) fn expect(&mut self, expect: &[u8]) {
        let mut bytes = vec![0; expect.len()];
        self.stream.read_exact(&mut bytes).unwrap();
        assert_eq!(bytes, expect);
    }

    /// Reads to the FIN.
    #[track_caller]
    pub(super) fn expect_end(&mut self, expect: &[u8]) {
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, expect);
    }

    /// Reads to a reset, with whatever comes before it.
    #[track_caller]
    pub(super) fn expect_reset_in_the_end(&mut self) {
        let error = self.stream.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    /// Reads what has arrived, and no more.
    pub(super) fn drain_kernel(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.stream.set_nonblocking(true).unwrap();
        let _drained = self.stream.read_to_end(&mut bytes);
        self.stream.set_nonblocking(false).unwrap();
        bytes
    }

    /// Reads at least `len` bytes while the reactor turns.
    #[track_caller]
    pub(super) fn take(&mut self, harness: &mut Harness, len: usize) -> Vec<u8> {
        let mut bytes = self.drain_kernel();
        for _ in 0..100_000 {
            if bytes.len() >= len {
                return bytes;
            }
            harness.turn_after(Duration::from_millis(1)).is_break().then(|| panic!("it left"));
            bytes.extend(self.drain_kernel());
        }
        panic!("{} of {len} bytes came", bytes.len());
    }

    pub(super) fn finish(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    pub(super) fn reset(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// A frame of its own.
pub(super) fn frame(bytes: &[u8]) -> SharedFrame {
    SharedFrame::copy_from_slice(bytes)
}

/// The effect that sends these bytes.
pub(super) fn send(conn: ConnId, bytes: &[u8]) -> Effect {
    Effect::Send { conn, frame: frame(bytes) }
}

/// Runs an ignored test in a process of its own.
#[track_caller]
pub(super) fn run_alone(test: &str) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", test])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}
