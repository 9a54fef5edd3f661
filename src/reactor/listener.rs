//! Opening a listening socket.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use mio::net::{TcpListener, TcpStream, UnixListener};
use mio::{Interest, Registry, Token};
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};

use super::config::{
    Endpoint, KEEP_ALIVE_INTERVAL, KEEP_ALIVE_RETRIES, KEEP_ALIVE_TIME, ListenerConfig,
    ReactorConfig,
};
use super::unix_socket::{self, SocketFile};

/// Connections that the kernel holds until they are accepted: what `net.core.somaxconn` allows by
/// default.
const BACKLOG: i32 = 4096;

/// A listening socket.
pub(super) enum ListeningSocket {
    Tcp(TcpListener),
    /// In the file system, with the send buffer that its connections get.
    Unix {
        socket: UnixListener,
        send_buffer_len: usize,
        file: SocketFile,
    },
}

impl ListeningSocket {
    /// Opens it. What is accepted at TCP's inherits the options that are set here, so that no
    /// connection costs a call for them.
    ///
    /// # Errors
    ///
    /// The text says what was tried, what failed and what to do.
    pub(super) fn open(config: &ReactorConfig, listener: &ListenerConfig) -> io::Result<Self> {
        match &listener.endpoint {
            Endpoint::Ip(addr) => {
                Ok(Self::Tcp(TcpListener::from_std(open(config, listener, *addr)?)))
            }
            Endpoint::Unix(path, mode) => {
                let (socket, file) = unix_socket::open(path, *mode)?;
                Ok(Self::unix(config, UnixListener::from_std(socket), file))
            }
            Endpoint::Inherited(socket) => {
                Self::inherit(config, listener, (socket.try_clone()?, SocketFile::of_others()))
            }
            Endpoint::TakenOver(socket, path) => {
                let file = path.clone().map_or_else(SocketFile::of_others, SocketFile::at);
                Self::inherit(config, listener, (socket.try_clone()?, file))
            }
        }
    }

    const fn unix(config: &ReactorConfig, socket: UnixListener, file: SocketFile) -> Self {
        Self::Unix { socket, send_buffer_len: config.send_buffer_len, file }
    }

    fn inherit(
        config: &ReactorConfig,
        listener: &ListenerConfig,
        (socket, file): (OwnedFd, SocketFile),
    ) -> io::Result<Self> {
        let socket = Socket::from(socket);
        socket.set_nonblocking(true)?;
        if socket.domain()? == Domain::UNIX {
            let socket = UnixListener::from_std(OwnedFd::from(socket).into());
            return Ok(Self::unix(config, socket, file));
        }
        prepare(config, listener, &socket)?;
        Ok(Self::Tcp(TcpListener::from_std(socket.into())))
    }

    /// The next connection. Who connects through the file system is on this machine.
    pub(super) fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match self {
            Self::Tcp(socket) => socket.accept(),
            Self::Unix { socket, send_buffer_len, .. } => {
                let (stream, _) = socket.accept()?;
                let stream = std::os::unix::net::UnixStream::from(stream);
                // Best effort: otherwise the kernel's own choice holds.
                let _set = SockRef::from(&stream).set_send_buffer_size(*send_buffer_len);
                // A socket is a socket: what is read and written is the same.
                let stream = std::net::TcpStream::from(OwnedFd::from(stream));
                Ok((TcpStream::from_std(stream), (Ipv4Addr::LOCALHOST, 0).into()))
            }
        }
    }

    /// It, for another process.
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(socket) => socket.as_fd(),
            Self::Unix { socket, .. } => socket.as_fd(),
        }
    }

    /// Another process has it from now on: the poller would go on telling of it.
    pub(super) fn release(&mut self, registry: &Registry) {
        let gone = match self {
            Self::Tcp(socket) => registry.deregister(socket),
            Self::Unix { socket, file, .. } => {
                file.release();
                registry.deregister(socket)
            }
        };
        if let Err(error) = gone {
            log::warn!(error:%; "the poller does not let go of a listener");
        }
    }

    /// Has the poller watch it.
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => registry.register(socket, token, Interest::READABLE),
            Self::Unix { socket, .. } => registry.register(socket, token, Interest::READABLE),
        }
    }

    /// Its address, with the port that the kernel chose; `None` in the file system.
    pub(super) fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(socket) => socket.local_addr().ok(),
            Self::Unix { .. } => None,
        }
    }

    /// Where it listens, for people.
    pub(super) fn name(&self) -> String {
        let Self::Unix { socket, .. } = self else {
            return self.local_addr().map_or_else(String::new, |addr| addr.to_string());
        };
        let addr = socket.local_addr().ok();
        let path = addr.as_ref().and_then(|addr| addr.as_pathname());
        path.map_or_else(|| "unix:".to_owned(), |path| format!("unix:{}", path.display()))
    }
}

fn open(
    config: &ReactorConfig,
    listener: &ListenerConfig,
    addr: SocketAddr,
) -> io::Result<std::net::TcpListener> {
    bind(config, listener, addr).map_err(|error| explain(addr, &error))
}

fn bind(
    config: &ReactorConfig,
    listener: &ListenerConfig,
    addr: SocketAddr,
) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM.nonblocking(), None)?;
    // The address can be taken again although old connections linger in TIME-WAIT.
    socket.set_reuse_address(true)?;
    // `[::]` would take the IPv4 connections too, for which another listener is there.
    let is_twin = |other: &ListenerConfig| matches!(other.endpoint, Endpoint::Ip(other) if other.is_ipv4() && other.port() == addr.port());
    if addr.is_ipv6() && addr.port() != 0 && config.listeners.iter().any(is_twin) {
        socket.set_only_v6(true)?;
    }
    prepare(config, listener, &socket)?;
    socket.bind(&addr.into())?;
    // Behind all options: connections that arrive from here on inherit them.
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Sets what accepted sockets inherit.
fn prepare(config: &ReactorConfig, listener: &ListenerConfig, socket: &Socket) -> io::Result<()> {
    socket.set_send_buffer_size(config.send_buffer_len)?;
    if let Some(len) = config.receive_buffer_len {
        socket.set_recv_buffer_size(len)?;
    }
    // Each turn's bytes leave in one call already; Nagle's algorithm would only delay them.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_user_timeout(Some(config.user_timeout()))?;
    // A byte that is sent as urgent stays where it is: without it the rest would mean something
    // else (RFC 6093 section 5).
    socket.set_out_of_band_inline(true)?;
    if listener.keep_alive {
        let keep_alive = TcpKeepalive::new()
            .with_time(KEEP_ALIVE_TIME)
            .with_interval(KEEP_ALIVE_INTERVAL)
            .with_retries(KEEP_ALIVE_RETRIES);
        socket.set_tcp_keepalive(&keep_alive)?;
    }
    Ok(())
}

fn explain(addr: SocketAddr, error: &io::Error) -> io::Error {
    let remedy = match error.kind() {
        ErrorKind::InvalidInput if lacks_scope(addr) => {
            "such an address needs the number of its interface, as ip link shows it: [fe80::1%2]:8080"
        }
        ErrorKind::AddrInUse => {
            "another process listens there: stop it, or choose another port (0: any free one)"
        }
        ErrorKind::AddrNotAvailable => {
            "no interface of this machine has that address: choose one that it has, or 0.0.0.0 or [::] for all"
        }
        ErrorKind::PermissionDenied => {
            "ports below 1024 need the capability CAP_NET_BIND_SERVICE: grant it, or choose a port from 1024 up"
        }
        _ => "check the address and the limits of the process",
    };
    io::Error::new(error.kind(), format!("cannot listen on {addr}: {error}; {remedy}"))
}

/// Whether an address is one of a link, and does not say of which.
fn lacks_scope(addr: SocketAddr) -> bool {
    matches!(addr, SocketAddr::V6(addr) if addr.ip().is_unicast_link_local() && addr.scope_id() == 0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[track_caller]
    fn check_refused(addr: SocketAddr, expect: &str) {
        let error = open(&ReactorConfig::default(), &ListenerConfig::new(addr), addr).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with(&format!("cannot listen on {addr}: ")), "{text}");
        assert!(text.contains(expect), "{text}");
    }

    #[test]
    fn an_address_that_cannot_be_had_is_named_with_its_remedy() {
        let any = ([127, 0, 0, 1], 0).into();
        let taken = open(&ReactorConfig::default(), &ListenerConfig::new(any), any).unwrap();
        check_refused(taken.local_addr().unwrap(), "another process listens there");
        check_refused(([192, 0, 2, 1], 0).into(), "no interface of this machine");
        check_refused("[fe80::1]:0".parse().unwrap(), "the number of its interface");
    }

    #[test]
    fn accepted_sockets_have_what_their_listener_has() {
        let config = ReactorConfig { send_buffer_len: 50_000, ..ReactorConfig::default() };
        for keep_alive in [false, true] {
            let addr = ([127, 0, 0, 1], 0).into();
            let any = ListenerConfig { keep_alive, ..ListenerConfig::new(addr) };
            let listener = open(&config, &any, addr).unwrap();
            let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            listener.set_nonblocking(false).unwrap();
            let (accepted, _) = listener.accept().unwrap();
            let accepted = SockRef::from(&accepted);
            assert_eq!(accepted.tcp_user_timeout().unwrap(), Some(config.user_timeout()));
            // Linux doubles it for its own bookkeeping.
            assert_eq!(accepted.send_buffer_size().unwrap(), 2 * config.send_buffer_len);
            assert!(accepted.out_of_band_inline().unwrap() && accepted.tcp_nodelay().unwrap());
            assert_eq!(accepted.keepalive().unwrap(), keep_alive);
            if keep_alive {
                assert_eq!(accepted.tcp_keepalive_time().unwrap(), KEEP_ALIVE_TIME);
            }
        }
    }

    #[test]
    fn a_reader_that_does_not_read_is_found_stalled_before_the_kernel_ends_it() {
        for (stall_s, expect_s) in [(1, 105), (120, 150), (3_600, 4_500)] {
            let stall_timeout = Duration::from_secs(stall_s);
            let config = ReactorConfig { stall_timeout, ..ReactorConfig::default() };
            assert_eq!(config.user_timeout(), Duration::from_secs(expect_s));
            assert!(config.user_timeout() > stall_timeout);
        }
    }

    #[test]
    fn all_addresses_of_both_families_can_share_a_port() {
        let loopback = ([127, 0, 0, 1], 0).into();
        let own = ListenerConfig::new(loopback);
        // Somebody else may take the port that was just free.
        let are_opened = (0..9).any(|_| {
            let free =
                open(&ReactorConfig::default(), &own, loopback).unwrap().local_addr().unwrap();
            let all = ["0.0.0.0", "[::]"].map(|ip| format!("{ip}:{}", free.port()));
            let listeners = all.map(|addr| ListenerConfig::new(addr.parse().unwrap())).to_vec();
            let config = ReactorConfig { listeners, ..ReactorConfig::default() };
            let opened: Vec<_> =
                config.listeners.iter().map(|own| ListeningSocket::open(&config, own)).collect();
            opened.iter().all(Result::is_ok)
        });
        assert!(are_opened);
    }
}
