//! The process that takes the place of this one, as this one sees it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use super::PREPARE_FACTOR;
use super::answer::{Answer, answer_file};
use super::channel::{Channel, DESCRIPTORS_MAX, Frame, Kind};
use super::format::{ConnectionState, FORMAT, Hello, Part};
use rustix::process::{Pid, Signal, kill_process};

use crate::config::Environment;
use crate::net::ConnId;
use crate::pack::packed;
use crate::reactor::{Reactor, Waker};
use crate::server::Server;
use crate::store;
use crate::time::Tick;
use crate::time::clock::Clock;

/// Connections of one piece: few enough that their descriptors are one message.
const CONNECTIONS_MAX: usize = 200;
/// Bytes of connections at which a piece is sent.
const PIECE_LEN: usize = 128 * 1024;

const _: () = assert!(CONNECTIONS_MAX <= DESCRIPTORS_MAX);

/// How another process is started.
#[derive(Debug)]
pub(in crate::server) struct Successor {
    program: Vec<OsString>,
    /// Where the answer goes.
    data: PathBuf,
    /// The listening sockets, and what each is for.
    listeners: Arc<[(String, OwnedFd)]>,
    waker: Waker,
    clock: Clock,
    candidates: (Sender<Outcome>, Receiver<Outcome>),
    is_preparing: bool,
}

/// What became of a process that was started.
type Outcome = Result<Candidate, String>;

/// A process that is ready to take the place of this one.
#[derive(Debug)]
pub(in crate::server) struct Candidate {
    child: Child,
    channel: Channel,
    pub(in crate::server) version: String,
}

impl Successor {
    pub(in crate::server) fn new(
        (program, data): (Vec<OsString>, PathBuf),
        names: Vec<String>,
        (reactor, clock): (&Reactor, Clock),
    ) -> io::Result<Self> {
        let sockets: Vec<OwnedFd> = reactor
            .listening()
            .map(|socket| socket.try_clone_to_owned())
            .collect::<io::Result<_>>()?;
        let listeners = names.into_iter().zip(sockets).collect();
        let (waker, candidates) = (reactor.waker(), channel());
        Ok(Self { program, data, listeners, waker, clock, candidates, is_preparing: false })
    }

    /// Starts a process, which has six times as long as this to be ready, and says so by a wake.
    ///
    /// # Errors
    ///
    /// Why none can be started.
    pub(in crate::server) fn begin(&mut self, timeout: Duration) -> Result<(), String> {
        if self.is_preparing {
            return Err("an upgrade is under way".to_owned());
        }
        if std::process::id() == 1 {
            return Err("this is process 1, with whose end the others end: start it again instead"
                .to_owned());
        }
        let (program, listeners) = (self.program.clone(), Arc::clone(&self.listeners));
        let (outcomes, waker, clock) = (self.candidates.0.clone(), self.waker.clone(), self.clock);
        // On a thread: the program is read from the disk and the process reads its configuration,
        // while the loop here serves.
        let prepare = move || {
            let outcome = start(&program, &listeners, (clock, timeout * PREPARE_FACTOR));
            // The listening sockets are not to stay open for this.
            drop(listeners);
            _ = outcomes.send(outcome);
            _ = waker.wake();
        };
        let thread = thread::Builder::new().name("upgrade".to_owned()).spawn(prepare);
        // Set only when the thread is there: nothing else would ever clear it.
        thread.map_err(|error| format!("no thread can be started: {error}"))?;
        self.is_preparing = true;
        Ok(())
    }

    /// What became of the process that was started, once that is known.
    pub(in crate::server) fn poll(&mut self) -> Option<Outcome> {
        let outcome = self.candidates.1.try_recv().ok()?;
        self.is_preparing = false;
        Some(outcome)
    }

    /// Says what became of the upgrade, to whoever has asked for it.
    pub(in crate::server) fn answer(&self, answer: &Answer) {
        match answer {
            Answer::Requested => {}
            Answer::Done(text) => log::info!("{text}"),
            Answer::Failed(why) => log::error!(why:%; "not upgraded: this process goes on"),
        }
        let path = answer_file(&self.data);
        // Nobody has asked who waits for a file.
        if matches!(Answer::read(&path), Ok(Answer::Requested))
            && let Err(error) = answer.write(&path)
        {
            let path = path.display();
            log::warn!(path:%, error:%; "the answer to the upgrade cannot be written");
        }
    }
}

/// Starts a process and waits until it is ready, no longer than `timeout`.
fn start(
    program: &[OsString],
    listeners: &[(String, OwnedFd)],
    (clock, timeout): (Clock, Duration),
) -> Outcome {
    let (name, arguments) = program.split_first().ok_or("this process has no name")?;
    let (ours, theirs) = UnixStream::pair().map_err(|error| error.to_string())?;
    let mut command = Command::new(name);
    Environment::hand_on(&mut command);
    // Standard input: the one descriptor whose number both know without a word about it.
    let child = command.args(arguments).stdin(Stdio::from(OwnedFd::from(theirs))).spawn();
    // It holds the other end: while that is open here, the end of the process is not heard.
    drop(command);
    let child = child.map_err(|error| format!("{} cannot be started: {error}", name.display()))?;
    let mut candidate = Candidate { child, channel: Channel::new(ours), version: String::new() };
    match candidate.prepare(listeners, (clock, clock.now().tick.after(timeout))) {
        Ok(version) => {
            candidate.version = version;
            Ok(candidate)
        }
        Err(error) => Err(candidate.give_up(&error)),
    }
}

impl Candidate {
    fn prepare(
        &mut self,
        listeners: &[(String, OwnedFd)],
        (clock, deadline): (Clock, Tick),
    ) -> io::Result<String> {
        self.channel.set_patience(Some(deadline.since(clock.now().tick)))?;
        let hello = Hello {
            micros: clock.micros(),
            schema: u64::try_from(store::schema_version()).unwrap_or(u64::MAX),
            listeners: listeners.iter().map(|(name, _)| name.as_str().into()).collect(),
        };
        let mut payload = FORMAT.to_le_bytes().to_vec();
        payload.extend(packed(&hello));
        let sockets: Vec<BorrowedFd<'_>> =
            listeners.iter().map(|(_, socket)| socket.as_fd()).collect();
        self.channel.send(Kind::Hello, &payload, &sockets)?;
        let version = self.expect(Kind::Prepared)?;
        Ok(String::from_utf8_lossy(&version).into_owned())
    }

    /// Waits for this frame.
    fn expect(&mut self, kind: Kind) -> io::Result<Vec<u8>> {
        match self.channel.receive()? {
            Frame { kind: found, payload, .. } if found == kind => Ok(payload),
            Frame { kind: Kind::Refused, payload, .. } => {
                Err(io::Error::other(String::from_utf8_lossy(&payload).into_owned()))
            }
            _ => Err(io::Error::new(ErrorKind::InvalidData, "it is no server of this kind")),
        }
    }

    /// Ends the process, and says what was wrong with it.
    pub(in crate::server) fn give_up(mut self, error: &io::Error) -> String {
        // Asked before it is killed: how it ended by itself is what the operator wants to know.
        let ended = self.child.try_wait().ok().flatten();
        _ = self.child.kill();
        // Only now is it certain that it does not serve.
        let status = ended.or_else(|| self.child.wait().ok());
        match error.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => {
                // It may have said why while this one was still sending.
                if let Ok(Frame { kind: Kind::Refused, payload, .. }) = self.channel.receive() {
                    return format!("the new process: {}", String::from_utf8_lossy(&payload));
                }
                let status = status.map(|status| format!(" ({status})")).unwrap_or_default();
                format!("the new process has ended{status}; what it has logged says why")
            }
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                "the new process was not ready in time ([timeouts] upgrade)".to_owned()
            }
            _ => format!("the new process: {error}"),
        }
    }

    /// The number of the process.
    pub(in crate::server) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends all there is to be had of this process, but for connections that cannot go on
    /// elsewhere; returns those that can.
    ///
    /// # Errors
    ///
    /// If the other one cannot take it, or not by the deadline: nothing has changed then.
    pub(in crate::server) fn send_state(
        &mut self,
        (reactor, server): (&Reactor, &Server),
        (clock, deadline): (Clock, Tick),
    ) -> io::Result<BTreeSet<ConnId>> {
        self.channel.set_patience(Some(deadline.since(clock.now().tick)))?;
        let mut all = Vec::new();
        for (conn, bytes, socket) in reactor.carry() {
            all.extend(server.connection_state(conn, bytes).map(|state| (conn, state, socket)));
        }
        // Known before the rooms are put into words: who cannot go on elsewhere is not a member
        // there.
        let carried: BTreeSet<ConnId> = all.iter().map(|&(conn, ..)| conn).collect();
        let channel = &mut self.channel;
        server.carry_domain(&carried, |part| channel.send(Kind::State, &packed(&part), &[]))?;
        self.send_connections(all)?;
        Ok(carried)
    }

    /// Says that this was all, and that the store is closed.
    ///
    /// # Errors
    ///
    /// As above.
    pub(in crate::server) fn send_end(&mut self) -> io::Result<()> {
        self.channel.send(Kind::State, &packed(&Part::End), &[])
    }

    /// Waits until the other one could serve.
    ///
    /// # Errors
    ///
    /// As above.
    pub(in crate::server) fn await_ready(
        &mut self,
        (clock, deadline): (Clock, Tick),
    ) -> io::Result<()> {
        self.channel.set_patience(Some(deadline.since(clock.now().tick)))?;
        self.expect(Kind::Ready).map(|_| ())
    }

    fn send_connections(
        &mut self,
        all: Vec<(ConnId, ConnectionState, BorrowedFd<'_>)>,
    ) -> io::Result<()> {
        let (mut states, mut sockets, mut len) = (Vec::new(), Vec::new(), 0);
        for (_, state, socket) in all {
            len += state.bytes.queued();
            states.push(state);
            sockets.push(socket);
            if states.len() >= CONNECTIONS_MAX || len >= PIECE_LEN {
                let piece = Part::Connections(std::mem::take(&mut states));
                self.channel.send(Kind::State, &packed(&piece), &std::mem::take(&mut sockets))?;
                len = 0;
            }
        }
        if states.is_empty() {
            return Ok(());
        }
        self.channel.send(Kind::State, &packed(&Part::Connections(states)), &sockets)
    }

    /// Tells the other one to serve: this process does not any more, whatever comes of it.
    ///
    /// # Errors
    ///
    /// If it has not been told: this process may go on.
    pub(in crate::server) fn let_take(&mut self) -> io::Result<()> {
        self.channel.send(Kind::Take, &[], &[])
    }

    /// Passes on that the server is to stop.
    pub(in crate::server) fn stop(&self) {
        _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
    }

    /// Whether the other one serves.
    pub(in crate::server) fn is_serving(&mut self) -> bool {
        self.expect(Kind::Serving).is_ok()
    }
}
