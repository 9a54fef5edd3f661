//! Sockets from many addresses of loopback, so that what is bounded for each address, and the ports
//! of the kernel, are not what is measured.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use socket2::{Domain, Socket, Type};

use crate::Outcome;

/// A connection from the `number`-th address.
pub(super) fn connect(number: u32, to: SocketAddr) -> Outcome<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((address(number), 0)).into())?;
    socket.connect(&to.into())?;
    Ok(socket.into())
}

/// The same without waiting for the other side.
pub(super) fn begin(number: u32, to: SocketAddr) -> Outcome<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((address(number), 0)).into())?;
    socket.set_nonblocking(true)?;
    match socket.connect(&to.into()) {
        Err(error)
            if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) =>
        {
            Err(error.into())
        }
        _ => Ok(socket.into()),
    }
}

/// One of 127.1.0.1 and so on.
fn address(number: u32) -> Ipv4Addr {
    // From 127.1.0.1 on: 254 in each of as many networks as are needed.
    let [_, _, high, middle] = (number / 254).to_be_bytes();
    Ipv4Addr::new(
        127,
        high.wrapping_add(1).max(1),
        middle,
        u8::try_from(number % 254).unwrap_or(0) + 1,
    )
}
