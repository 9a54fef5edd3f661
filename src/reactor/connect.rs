//! Connections that this end begins: for clients that run on the reactor.
//!
//! A connection is [`Phase::Connecting`] until its first edge tells the outcome. The handler does
//! not know it until then: it is told either [`Input::Connected`](crate::net::Input::Connected) or
//! [`Input::Unreachable`](crate::net::Input::Unreachable), once, before anything else of the turn.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use mio::Interest;
use mio::event::Event;
use mio::net::TcpStream;
use rustix::io::Errno;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use super::address_limits::AddressShare;
use super::connection::{Flags, Phase};
use super::connections::Connections;
use super::work_lists::Attempt;
use crate::net::{ConnId, Connect, ConnectFault, Peer};
use crate::time::Tick;

/// Begins to connect. An attempt that cannot even begin is reported like one that fails later.
pub(super) fn begin(connections: &mut Connections, connect: &Connect) {
    if let Err(error) = start(connections, connect) {
        let attempt = Attempt { tag: connect.tag, outcome: Err(fault_of(&error)) };
        connections.shared.lists.attempts.push(attempt);
    }
}

fn start(connections: &mut Connections, connect: &Connect) -> io::Result<()> {
    let stream = open(connect, connections.send_buffer_len)?;
    let both = Interest::READABLE | Interest::WRITABLE;
    let id = connections.register(stream, AddressShare::UNCOUNTED, both)?;
    let Some(connection) = connections.slab.get_mut(id.slot()) else { return Ok(()) };
    connection.phase = Phase::Connecting;
    connection.flags.set(Flags::WATCHES_WRITE);
    connection.deadline = connect.deadline;
    connections.shared.ensure_timer(connection);
    connections.connecting.insert(id.slot(), connect.tag);
    Ok(())
}

fn open(connect: &Connect, send_buffer_len: usize) -> io::Result<TcpStream> {
    let (domain, address) = match &connect.peer {
        Peer::Tcp(address) => (Domain::for_address(*address), (*address).into()),
        Peer::Unix(path) => (Domain::UNIX, SockAddr::unix(path)?),
    };
    let socket = Socket::new(domain, Type::STREAM.nonblocking(), None)?;
    if domain != Domain::UNIX {
        socket.set_tcp_nodelay(true)?;
    }
    socket.set_send_buffer_size(send_buffer_len)?;
    if let Some(len) = connect.receive_buffer_len {
        // Before the connection begins: the window's scale is agreed upon at its start.
        socket.set_recv_buffer_size(usize::try_from(len).unwrap_or(usize::MAX))?;
    }
    if let Some(source) = connect.source {
        // Port 0: the kernel chooses one, and may choose the same again for another peer.
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    match socket.connect(&address) {
        Ok(()) => {}
        // The usual case: the first edge tells the outcome.
        Err(error) if error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => {}
        Err(error) => return Err(error),
    }
    // A socket is a socket: what is read and written is the same.
    Ok(TcpStream::from_std(socket.into()))
}

/// Opens or fails the connection of this edge, if it is connecting.
pub(super) fn on_edge(connections: &mut Connections, id: ConnId, event: &Event) {
    let Some(connection) = connections.slab.get_mut(id.slot()) else { return };
    if connection.id != id || connection.phase != Phase::Connecting {
        return;
    }
    match connection.stream.take_error() {
        // A writable edge alone may be spurious; a connected socket has a peer.
        Ok(None) if event.is_writable() && has_peer(&connection.stream) => {
            connection.phase = Phase::Open;
            connection.deadline = Tick::MAX;
            if let Some(tag) = connections.connecting.remove(&id.slot()) {
                connections.shared.lists.attempts.push(Attempt { tag, outcome: Ok(id) });
            }
        }
        Ok(None) => {}
        Ok(Some(error)) | Err(error) => fail(connections, id.slot(), fault_of(&error)),
    }
}

fn has_peer(stream: &TcpStream) -> bool {
    // The standard library knows no name of a socket in the file system.
    SockRef::from(stream).peer_addr().is_ok()
}

/// The deadline of a connection that is still connecting has passed.
pub(super) fn expire(connections: &mut Connections, slot: usize) {
    fail(connections, slot, ConnectFault::TimedOut);
}

/// Removes the connections that are still connecting, without telling the handler.
pub(super) fn abandon_all(connections: &mut Connections) {
    while let Some((slot, _)) = connections.connecting.pop_first() {
        remove(connections, slot);
    }
}

fn fail(connections: &mut Connections, slot: usize, fault: ConnectFault) {
    remove(connections, slot);
    if let Some(tag) = connections.connecting.remove(&slot) {
        connections.shared.lists.attempts.push(Attempt { tag, outcome: Err(fault) });
    }
}

/// Removes a connection at once. It need not wait for the end of the turn as others do: the handler
/// does not know it, and edges that the poller may still tell name a generation that is over.
fn remove(connections: &mut Connections, slot: usize) {
    if let Some(mut connection) = connections.slab.try_remove(slot) {
        connection.outbound.clear(&mut connections.shared.pool);
        connections.shared.wheel.cancel(connection.slot());
    }
}

fn fault_of(error: &io::Error) -> ConnectFault {
    match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => ConnectFault::Refused,
        ErrorKind::TimedOut => ConnectFault::TimedOut,
        ErrorKind::NotFound => ConnectFault::NoSocket,
        ErrorKind::AddrNotAvailable | ErrorKind::AddrInUse => ConnectFault::NoSource,
        _ => match error.raw_os_error() {
            Some(number) if number == Errno::MFILE.raw_os_error() => ConnectFault::NoDescriptor,
            Some(number) if number == Errno::NFILE.raw_os_error() => ConnectFault::NoDescriptor,
            number => ConnectFault::Other(number.unwrap_or(0)),
        },
    }
}
