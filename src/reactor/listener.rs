//! Opening a listening socket.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Socket, TcpKeepalive, Type};

use super::config::{
    KEEP_ALIVE_INTERVAL, KEEP_ALIVE_RETRIES, KEEP_ALIVE_TIME, ListenerConfig, ReactorConfig,
};

/// Connections that the kernel holds until they are accepted: what `net.core.somaxconn` allows by
/// default.
const BACKLOG: i32 = 4096;

/// Opens a listening socket. Accepted sockets inherit the options that are set here, so that no
/// connection costs a call for them.
///
/// # Errors
///
/// The text says what was tried, what failed and what to do.
pub(super) fn open(config: &ReactorConfig, listener: &ListenerConfig) -> io::Result<TcpListener> {
    prepare(config, listener).map_err(|error| explain(listener.addr, &error))
}

fn prepare(config: &ReactorConfig, listener: &ListenerConfig) -> io::Result<TcpListener> {
    let addr = listener.addr;
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM.nonblocking(), None)?;
    // The address can be taken again although old connections linger in TIME-WAIT.
    socket.set_reuse_address(true)?;
    // `[::]` would take the IPv4 connections too, for which another listener is there.
    let is_twin = |other: &ListenerConfig| other.addr.is_ipv4() && other.addr.port() == addr.port();
    if addr.is_ipv6() && addr.port() != 0 && config.listeners.iter().any(is_twin) {
        socket.set_only_v6(true)?;
    }
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
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn explain(addr: SocketAddr, error: &io::Error) -> io::Error {
    let remedy = match error.kind() {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[track_caller]
    fn check_refused(addr: SocketAddr, expect: &str) {
        let error = open(&ReactorConfig::default(), &ListenerConfig::new(addr)).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with(&format!("cannot listen on {addr}: ")), "{text}");
        assert!(text.contains(expect), "{text}");
    }

    #[test]
    fn an_address_that_cannot_be_had_is_named_with_its_remedy() {
        let any = ListenerConfig::new(([127, 0, 0, 1], 0).into());
        let taken = open(&ReactorConfig::default(), &any).unwrap();
        check_refused(taken.local_addr().unwrap(), "another process listens there");
        check_refused(([192, 0, 2, 1], 0).into(), "no interface of this machine");
    }

    #[test]
    fn accepted_sockets_have_what_their_listener_has() {
        let config = ReactorConfig { send_buffer_len: 50_000, ..ReactorConfig::default() };
        for keep_alive in [false, true] {
            let any =
                ListenerConfig { keep_alive, ..ListenerConfig::new(([127, 0, 0, 1], 0).into()) };
            let listener = open(&config, &any).unwrap();
            let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            listener.set_nonblocking(false).unwrap();
            let (accepted, _) = listener.accept().unwrap();
            let accepted = socket2::SockRef::from(&accepted);
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
        let loopback = ListenerConfig::new(([127, 0, 0, 1], 0).into());
        // Somebody else may take the port that was just free.
        let are_opened = (0..9).any(|_| {
            let free = open(&ReactorConfig::default(), &loopback).unwrap().local_addr().unwrap();
            let all = ["0.0.0.0", "[::]"].map(|ip| format!("{ip}:{}", free.port()));
            let listeners = all.map(|addr| ListenerConfig::new(addr.parse().unwrap())).to_vec();
            let config = ReactorConfig { listeners, ..ReactorConfig::default() };
            let opened: Vec<_> = config.listeners.iter().map(|own| open(&config, own)).collect();
            opened.iter().all(Result::is_ok)
        });
        assert!(are_opened);
    }
}
