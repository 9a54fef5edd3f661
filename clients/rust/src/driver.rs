//! The thread of a client: its socket on one side, the engine on the other.

use std::io;
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error as Failed, Message, Utf8Bytes};

use crate::engine::Action;
use crate::model::Error;
use crate::options::FetchToken;
use crate::shared::Shared;
use crate::socket::{Connector, Failure, Socket};

pub(crate) const WAKE: Token = Token(0);
const SOCKET: Token = Token(1);
/// The code of a connection that ended without one, and of one whose close frame had none (RFC 6455
/// section 7.4.1).
const ABNORMAL: u16 = 1006;
const NO_CODE: u16 = 1005;

/// A number from 0 to `most` by the dice of the system.
pub(crate) fn random(most: u64) -> u64 {
    let chance = getrandom::u64().unwrap_or_default();
    most.checked_add(1).map_or(chance, |count| chance % count)
}

/// The connection that there is.
struct Connection {
    number: u64,
    socket: Socket,
}

/// Serves a client until it is dropped.
pub(crate) fn run(
    shared: &Shared,
    mut poll: Poll,
    mut connector: Connector,
    mut fetch: Option<FetchToken>,
) {
    let mut connection = None;
    let mut events = Events::with_capacity(8);
    loop {
        let is_over = act(shared, &poll, &mut connection, (&mut connector, &mut fetch));
        if is_over {
            break;
        }
        receive(shared, &mut connection);
        // What was received may have left something to be done.
        let is_over = act(shared, &poll, &mut connection, (&mut connector, &mut fetch));
        flush(shared, &mut connection);
        if is_over {
            break;
        }
        let deadline = shared.lock().engine.deadline();
        let wait = deadline.map(|due| Duration::from_millis(due.saturating_sub(shared.now())));
        if let Err(error) = poll.poll(&mut events, wait)
            && error.kind() != io::ErrorKind::Interrupted
        {
            break;
        }
        let mut inner = shared.lock();
        inner.engine.handle_timeout(shared.now());
        shared.notify(&mut inner);
    }
    let mut inner = shared.lock();
    inner.engine.stop(shared.now());
    inner.has_ended = true;
    shared.notify(&mut inner);
}

/// Does what the engine asks for. Whether the client was dropped, and all is done.
fn act(
    shared: &Shared,
    poll: &Poll,
    connection: &mut Option<Connection>,
    (connector, fetch): (&mut Connector, &mut Option<FetchToken>),
) -> bool {
    loop {
        let mut inner = shared.lock();
        let Some(action) = inner.engine.poll_action() else { return inner.is_dropped };
        let is_dropped = inner.is_dropped;
        drop(inner);
        match action {
            Action::Connect(_) if is_dropped => {}
            Action::Connect(number) => {
                *connection = connect(shared, poll, number, (&mut *connector, &mut *fetch));
            }
            Action::Send(message) => {
                if let Some(Connection { socket, .. }) = connection {
                    // What is wrong with the connection, reading tells too.
                    _ = socket.write(Message::text(message));
                }
            }
            Action::Close(code) => {
                if let Some(Connection { mut socket, .. }) = connection.take() {
                    let reason = Utf8Bytes::default();
                    _ = socket.close(Some(CloseFrame { code: CloseCode::from(code), reason }));
                    _ = socket.flush();
                }
            }
        }
    }
}

fn connect(
    shared: &Shared,
    poll: &Poll,
    number: u64,
    (connector, fetch): (&mut Connector, &mut Option<FetchToken>),
) -> Option<Connection> {
    let opened = fetch_token(shared, fetch).and_then(|()| connector.open()).and_then(|socket| {
        watch(poll, &socket)
            .map(|()| socket)
            .map_err(|error| Failure::Passing(Error::local(error.to_string())))
    });
    let mut inner = shared.lock();
    let (now, engine) = (shared.now(), &mut inner.engine);
    let socket = match opened {
        Ok(socket) => {
            engine.handle_open(now, number);
            Some(socket)
        }
        Err(Failure::Passing(error)) => {
            engine.handle_closed(now, number, ABNORMAL, Some(error));
            None
        }
        Err(Failure::Lasting(error)) => {
            engine.handle_hopeless(now, number, error);
            None
        }
    };
    shared.notify(&mut inner);
    socket.map(|socket| Connection { number, socket })
}

/// Whoever gives tokens is asked again, as a server is that does not answer.
fn fetch_token(shared: &Shared, fetch: &mut Option<FetchToken>) -> Result<(), Failure> {
    let Some(fetch) = fetch else { return Ok(()) };
    let token = fetch().map_err(Failure::Passing)?;
    shared.lock().engine.set_identity(Some(token), None);
    Ok(())
}

/// From here on nothing waits for the socket but the poll.
fn watch(poll: &Poll, socket: &Socket) -> io::Result<()> {
    let tcp = socket.get_ref().tcp();
    tcp.set_nonblocking(true)?;
    let interest = Interest::READABLE | Interest::WRITABLE;
    poll.registry().register(&mut SourceFd(&tcp.as_raw_fd()), SOCKET, interest)
}

/// Reads all there is.
fn receive(shared: &Shared, connection: &mut Option<Connection>) {
    loop {
        let Some(Connection { number, socket }) = connection else { return };
        let number = *number;
        let read = socket.read();
        let mut inner = shared.lock();
        let (now, engine) = (shared.now(), &mut inner.engine);
        let close = match read {
            Ok(Message::Text(text)) => {
                engine.handle_message(now, &text);
                None
            }
            Ok(Message::Close(frame)) => {
                // The answer that WebSocket asks for is written by the flush.
                _ = socket.flush();
                Some((frame.map_or(NO_CODE, |frame| u16::from(frame.code)), None))
            }
            Ok(_) => {
                engine.handle_activity(now);
                None
            }
            Err(Failed::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(Failed::Io(error)) if error.kind() == io::ErrorKind::Interrupted => None,
            Err(error) => Some((ABNORMAL, Some(lost(&error)))),
        };
        if let Some((code, error)) = close {
            *connection = None;
            engine.handle_closed(now, number, code, error);
        }
        shared.notify(&mut inner);
    }
}

/// Writes what there is. What the socket does not take now, it takes when it says that it can.
fn flush(shared: &Shared, connection: &mut Option<Connection>) {
    let Some(Connection { number, socket }) = connection else { return };
    match socket.flush() {
        Ok(()) => {}
        Err(Failed::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
        Err(error) => {
            let (number, error) = (*number, lost(&error));
            *connection = None;
            let mut inner = shared.lock();
            inner.engine.handle_closed(shared.now(), number, ABNORMAL, Some(error));
            shared.notify(&mut inner);
        }
    }
}

fn lost(error: &Failed) -> Error {
    Error::local(format!("the connection was lost: {error}"))
}
