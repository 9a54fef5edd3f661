//! Connections that this end begins: for clients that run on the reactor.
//!
//! A connection is [`Phase::Connecting`] until its first edge says how it went. The handler has not heard
//! of it until then: it is told either [`Input::Connected`](crate::net::Input::Connected) or
//! [`Input::Unreachable`](crate::net::Input::Unreachable), once, before anything else of the turn.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use mio::Interest;
use mio::event::Event;
use mio::net::TcpStream;
use rustix::io::Errno;
use socket2::{Domain, Socket, Type};

use super::addresses::Place;
use super::connection::{Marks, Phase};
use super::connections::{Connections, ensure_timer};
use crate::net::{ConnId, Connect, ConnectFault};
use crate::time::Tick;

/// What became of one [`Connect`].
#[derive(Debug)]
pub(super) struct Attempt {
    /// The handler's name for it.
    pub(super) tag: u64,
    pub(super) outcome: Result<ConnId, ConnectFault>,
}

/// Begins to connect; what cannot even begin is reported like what fails.
pub(super) fn begin(connections: &mut Connections, connect: Connect) {
    if let Err(error) = start(connections, connect) {
        connections
            .lists
            .attempts
            .push(Attempt { tag: connect.tag, outcome: Err(fault_of(&error)) });
    }
}

fn start(connections: &mut Connections, connect: Connect) -> io::Result<()> {
    let stream = open(connect, connections.send_buffer_len)?;
    let both = Interest::READABLE | Interest::WRITABLE;
    let id = connections.register(stream, Place::FREE, both)?;
    let Some(connection) = connections.slab.get_mut(id.slot()) else { return Ok(()) };
    connection.phase = Phase::Connecting;
    connection.marks.set(Marks::WATCHES_WRITE);
    connection.deadline = connect.deadline;
    ensure_timer(&mut connections.wheel, connection);
    connections.connecting.insert(id.slot(), connect.tag);
    Ok(())
}

fn open(connect: Connect, send_buffer_len: usize) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(connect.peer), Type::STREAM.nonblocking(), None)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_send_buffer_size(send_buffer_len)?;
    if let Some(len) = connect.receive_buffer_len {
        // Before the connection begins: the window's scale is agreed upon at its start.
        socket.set_recv_buffer_size(usize::try_from(len).unwrap_or(usize::MAX))?;
    }
    if let Some(source) = connect.source {
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    match socket.connect(&connect.peer.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => {}
        Err(error) => return Err(error),
    }
    Ok(TcpStream::from_std(socket.into()))
}

/// Sees how a connection went that the edge belongs to, and opens it if it went well. Nothing for those that
/// are not connecting.
pub(super) fn note_edge(connections: &mut Connections, id: ConnId, event: &Event) {
    let Some(connection) = connections.slab.get_mut(id.slot()) else { return };
    if connection.id != id || connection.phase != Phase::Connecting {
        return;
    }
    match connection.stream.take_error() {
        Ok(None) if event.is_writable() && connection.stream.peer_addr().is_ok() => {
            connection.phase = Phase::Open;
            connection.deadline = Tick::MAX;
            if let Some(tag) = connections.connecting.remove(&id.slot()) {
                connections.lists.attempts.push(Attempt { tag, outcome: Ok(id) });
            }
        }
        Ok(None) => {}
        Ok(Some(error)) | Err(error) => fail(connections, id.slot(), fault_of(&error)),
    }
}

/// The deadline of a connection that is still connecting has passed.
pub(super) fn expire(connections: &mut Connections, slot: usize) {
    fail(connections, slot, ConnectFault::TimedOut);
}

/// Gives up those that are still connecting, untold.
pub(super) fn abandon_all(connections: &mut Connections) {
    while let Some((slot, _)) = connections.connecting.pop_first() {
        remove(connections, slot);
    }
}

fn fail(connections: &mut Connections, slot: usize, fault: ConnectFault) {
    remove(connections, slot);
    if let Some(tag) = connections.connecting.remove(&slot) {
        connections.lists.attempts.push(Attempt { tag, outcome: Err(fault) });
    }
}

/// The handler does not know it, and what the poller may still say about it names a generation that is
/// over: so nothing needs to wait for the end of the turn.
fn remove(connections: &mut Connections, slot: usize) {
    if let Some(mut connection) = connections.slab.try_remove(slot) {
        connection.outbound.clear(&mut connections.pool);
        connection.timer.and_then(|timer| connections.wheel.cancel(timer));
    }
}

fn fault_of(error: &io::Error) -> ConnectFault {
    match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => ConnectFault::Refused,
        ErrorKind::TimedOut => ConnectFault::TimedOut,
        ErrorKind::AddrNotAvailable | ErrorKind::AddrInUse => ConnectFault::NoSource,
        _ => match error.raw_os_error() {
            Some(number) if number == Errno::MFILE.raw_os_error() => ConnectFault::NoDescriptor,
            Some(number) if number == Errno::NFILE.raw_os_error() => ConnectFault::NoDescriptor,
            number => ConnectFault::Other(number.unwrap_or(0)),
        },
    }
}
