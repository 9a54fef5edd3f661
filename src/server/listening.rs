//! Where the server listens, for what, and what it says of that.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

use super::certificates::InUse;
use super::inherited::Inherited;
use super::rejection;
use super::upgrade::Predecessor;
use crate::config::{Config, ListenAddress, Place};
use crate::net::{ListenerId, Network};
use crate::reactor::{Endpoint, ListenerConfig, Reactor, ReactorConfig, TlsListener};
use crate::session::ListenerKind;
use crate::time::rate::Rate;
use crate::tls;

/// Bytes read from one connection in one turn: a hundred short messages, so that a client that
/// floods costs the others some 0.2 ms a turn.
const READ_LEN_MAX: usize = 16 * 1024;

/// What clients that offer protocols (ALPN) must offer on listeners of HTTP.
const HTTP_PROTOCOL: &[u8] = b"http/1.1";
/// The same on listeners of plain TCP: a browser that was sent there is refused.
const TCP_PROTOCOL: &[u8] = b"chinwag";

/// The reactor's configuration, and what each listener is for.
pub(super) fn listeners(
    config: &Config,
    connections_max: usize,
    find: Option<&Arc<InUse>>,
    predecessor: &mut Option<Predecessor>,
) -> io::Result<(ReactorConfig, Vec<ListenerKind>, Vec<String>)> {
    let mut listeners = Vec::new();
    let (mut kinds, mut names) = (Vec::new(), Vec::new());
    let mut inherited = Inherited::default();
    let proxies: Arc<[Network]> = config.proxies.as_slice().into();
    let ticketer = find.map(|_| tls::ticketer()).transpose().map_err(io::Error::other)?;
    let tls_with = |protocol: &[u8]| {
        let (find, ticketer) = find.cloned().zip(ticketer.clone())?;
        Some(tls::server_config(find, ticketer, protocol))
    };
    let http_tls = tls_with(HTTP_PROTOCOL).transpose().map_err(io::Error::other)?;
    let tcp_tls = tls_with(TCP_PROTOCOL).transpose().map_err(io::Error::other)?;
    for (kind, address) in addresses(config) {
        let name = name_of(&(kind, address));
        let taken_over = predecessor.as_mut().and_then(|other| other.listener(&name));
        names.push(name);
        let endpoint = match &address.place {
            Place::Unix(path) if let Some(socket) = taken_over => {
                Endpoint::TakenOver(Arc::new(socket), Some(path.clone()))
            }
            _ if let Some(socket) = taken_over => Endpoint::TakenOver(Arc::new(socket), None),
            Place::Ip(addr) => Endpoint::Ip(*addr),
            Place::Unix(path) => Endpoint::Unix(path.clone(), config.socket_mode),
            Place::Systemd => Endpoint::Inherited(inherited.next()?),
        };
        let server_config = if kind == ListenerKind::Tcp { &tcp_tls } else { &http_tls };
        let server_config = server_config.clone().filter(|_| address.is_tls);
        let tls = server_config
            .map(|config| TlsListener { config, otherwise: rejection::without_tls(kind) });
        listeners.push(ListenerConfig {
            keep_alive: kind == ListenerKind::Tcp,
            refusal: if address.is_tls { |_, _| Bytes::new() } else { rejection::of(kind) },
            limited: kind != ListenerKind::Admin,
            tls,
            proxies: address.has_proxy_header.then(|| Arc::clone(&proxies)),
            // Only a request can say whom it is for.
            trusted: if kind == ListenerKind::Tcp { Arc::from([]) } else { Arc::clone(&proxies) },
            endpoint,
        });
        kinds.push(kind);
    }
    inherited.warn_of_others();
    let limits = &config.limits;
    let reactor = ReactorConfig {
        listeners,
        connections_max,
        connections_per_address_max: limits.per_address.unwrap_or(u32::MAX),
        half_open_per_address_max: limits.half_open_per_address.unwrap_or(u32::MAX),
        connects: Rate::new(limits.connects_per_s, limits.connects_burst),
        loopback_counts: limits.per_address_loopback,
        read_len_max: READ_LEN_MAX.min(limits.read_ahead),
        outbound_bytes_max: limits.outbound_hard_bytes,
        outbound_total_max: limits.outbound_total_bytes,
        segment_len_max: config.memory.map(|_| limits.send_buffer_bytes),
        receive_buffer_len: limits.receive_buffer_bytes,
        send_buffer_len: limits.send_buffer_bytes,
        stall_timeout: config.timeouts.stall,
        handshake_timeout: config.timeouts.handshake,
        handshakes_max: config.tls.handshakes,
        close_timeout: config.timeouts.close,
        ..ReactorConfig::default()
    };
    Ok((reactor, kinds, names))
}

/// What a listener is for, as another process knows it by.
pub(super) fn name_of((kind, address): &(ListenerKind, &ListenAddress)) -> String {
    match &address.place {
        Place::Ip(addr) => format!("{kind:?} {addr}"),
        Place::Unix(path) => format!("{kind:?} unix:{}", path.display()),
        Place::Systemd => format!("{kind:?} systemd"),
    }
}

/// Where to listen, and for what, in the order of the listeners.
pub(super) fn addresses(config: &Config) -> impl Iterator<Item = (ListenerKind, &ListenAddress)> {
    let http = config.listen.iter().map(|address| {
        (if address.is_tls { ListenerKind::Https } else { ListenerKind::Http }, address)
    });
    let tcp = config.tcp.iter().map(|address| (ListenerKind::Tcp, address));
    let admin = config.admin.iter().map(|address| (ListenerKind::Admin, address));
    http.chain(tcp).chain(admin)
}

/// Says on standard output where the server listens, a line for each listener.
pub(super) fn announce(
    reactor: &Reactor,
    config: &Config,
    kinds: &[ListenerKind],
) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let are_tls = addresses(config).map(|(_, address)| address.is_tls);
    for ((kind, is_tls), id) in kinds.iter().zip(are_tls).zip(0u8..) {
        let Some(addr) = reactor.listener_name(ListenerId(id)) else { continue };
        match kind {
            ListenerKind::Http => writeln!(out, "listening http://{addr} (WebSocket at /ws)")?,
            ListenerKind::Https => writeln!(out, "listening https://{addr} (WebSocket at /ws)")?,
            ListenerKind::Tcp if is_tls => writeln!(out, "listening tls://{addr}")?,
            ListenerKind::Tcp => writeln!(out, "listening tcp://{addr}")?,
            ListenerKind::Admin if is_tls => writeln!(out, "listening admin https://{addr}")?,
            ListenerKind::Admin => writeln!(out, "listening admin http://{addr}")?,
        }
    }
    out.flush()
}

/// Where the page is, if only the listeners say so and as far as one has an address of IP: empty if
/// none has. Where a listener takes all addresses, this machine is one that has it.
pub(super) fn page_place(
    kinds: &[ListenerKind],
    addr: impl Fn(ListenerId) -> Option<SocketAddr>,
) -> String {
    let place = kinds.iter().zip(0u8..).find_map(|(kind, id)| {
        let scheme = match kind {
            ListenerKind::Http => "http",
            ListenerKind::Https => "https",
            ListenerKind::Tcp | ListenerKind::Admin => return None,
        };
        addr(ListenerId(id)).map(|addr| {
            if addr.ip().is_unspecified() {
                format!("{scheme}://localhost:{}", addr.port())
            } else {
                format!("{scheme}://{addr}")
            }
        })
    });
    place.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::ListenerKind::{Admin, Http, Https, Tcp};
    use super::*;

    #[track_caller]
    fn check(kinds: &[ListenerKind], expect: &str) {
        // The first listener is in the file system, where no browser can go.
        let addr = |ListenerId(id)| (id > 0).then(|| SocketAddr::from(([127, 0, 0, 1], id.into())));
        assert_eq!(page_place(kinds, addr), expect);
    }

    #[test]
    fn the_first_administrator_is_sent_to_where_the_page_is() {
        check(&[Http, Tcp, Http], "http://127.0.0.1:2");
        check(&[Tcp, Admin, Https, Http], "https://127.0.0.1:2");
        check(&[Http, Tcp, Admin], "");
        let everywhere = |_| Some(SocketAddr::from(([0; 4], 8080)));
        assert_eq!(page_place(&[Http], everywhere), "http://localhost:8080");
    }
}
