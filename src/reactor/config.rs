//! The settings of a reactor.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::budget::{FLUSHES_MAX, READ_BYTES_MAX};
use super::stop::EarlySignals;

use crate::net::Network;
use crate::time::clock::Now;
use crate::time::rate::Rate;
use crate::tls::ServerConfig;

/// Silence after which the kernel asks a peer whether it is still there.
pub(super) const KEEP_ALIVE_TIME: Duration = Duration::from_mins(1);
/// Until it asks again.
pub(super) const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// How often it asks.
pub(super) const KEEP_ALIVE_RETRIES: u32 = 3;

/// The reactor's bounds and places. Each has a default; see [`ReactorConfig::default`].
#[derive(Clone, Debug)]
pub struct ReactorConfig {
    /// Where to listen. A [`ListenerId`](crate::net::ListenerId) is an index into this list; at
    /// most 256.
    pub listeners: Vec<ListenerConfig>,
    /// Connections at a time, of the listeners that count; the next one is told
    /// [`ListenerConfig::refusal`] and closed. At most
    /// [`ConnId::SLOTS_MAX`](crate::net::ConnId::SLOTS_MAX).
    pub connections_max: usize,
    /// Connections at a time from one IPv4 address or one IPv6 /64, likewise.
    pub connections_per_address_max: u32,
    /// Those of them that have not said who they are, likewise: [`Effect::Settled`] tells of each
    /// that has.
    ///
    /// [`Effect::Settled`]: crate::net::Effect::Settled
    pub half_open_per_address_max: u32,
    /// How fast one address may connect; `None`: as it likes. What loopback addresses do is counted
    /// only if the next says so.
    pub connects: Option<Rate>,
    /// Whether [`ReactorConfig::connections_per_address_max`] counts connections from this machine.
    pub loopback_counts: bool,
    /// New connections in one turn; the next ones wait for the next turn.
    pub accepts_per_turn_max: usize,
    /// Bytes read from one connection in one turn, 256 at least: what a loud one costs the others.
    pub read_len_max: usize,
    /// Bytes read in one turn from all connections, give or take one read; the rest waits for the
    /// next.
    pub read_per_turn_max: usize,
    /// Small writes that a turn makes in all, besides one portion for large broadcasts. A write
    /// that moves many bytes counts for several.
    pub flushes_per_turn_max: usize,
    /// The same for large broadcasts. The rest waits for later turns, so that it does not delay
    /// what is sent to single connections.
    pub bulk_flushes_per_turn_max: usize,
    /// The hard limit of a new connection's outbound ring, in bytes.
    pub outbound_bytes_max: usize,
    /// Bytes that may wait for all connections together, `None` for no bound. At seven eighths of
    /// it new connections are told [`ListenerConfig::refusal`]; the handler, who knows what
    /// waits by [`Input::Waiting`](crate::net::Input::Waiting), keeps to the rest.
    pub outbound_total_max: Option<usize>,
    /// Bytes of one write, each of which is then a segment of its own, so that the kernel keeps to
    /// `send_buffer_len`. `None`: one segment may take up to 64 KiB, however small the buffer.
    pub segment_len_max: Option<usize>,
    /// The kernel's send buffer of each connection in bytes (`SO_SNDBUF`; the kernel doubles it for
    /// its own bookkeeping). A few readers that do not read cost that much each.
    pub send_buffer_len: usize,
    /// The kernel's receive buffer (`SO_RCVBUF`), `None` for the kernel's own choice.
    pub receive_buffer_len: Option<usize>,
    /// How long a socket may take no byte of what waits for it before it is closed
    /// ([`CloseReason::Stalled`](crate::net::CloseReason::Stalled)). A write is tried first; what
    /// the socket takes then counts as progress, so that the verdict can fall one timeout later.
    pub stall_timeout: Duration,
    /// How long a TLS handshake may take, from the connection on.
    pub handshake_timeout: Duration,
    /// TLS handshakes at a time of which something has come; the next ones wait, unread, for one of
    /// them to end. Each holds some 10 KiB.
    pub handshakes_max: usize,
    /// How long a closing connection may take for its last bytes and the peer's FIN.
    pub close_timeout: Duration,
    /// Whether SIGTERM and SIGINT become [`Input::Stop`](crate::net::Input::Stop). Off in tests,
    /// since signals are the process's.
    pub signals: bool,
    /// What signals have asked for before.
    pub early_signals: EarlySignals,
}

impl ReactorConfig {
    /// Bytes that wait for all connections at which no more are accepted.
    pub(super) fn waiting_max(&self) -> u64 {
        let total = self.outbound_total_max.map_or(u64::MAX, |max| max as u64);
        // Divided first, so that the greatest total does not overflow.
        total / 8 * 7
    }

    /// The part of a ring of `outbound_bytes_max` that may wait for a later turn without being
    /// counted: the handler learns of waiting bytes after a flush, or when there are more than
    /// these.
    #[must_use]
    pub const fn unflushed_max(outbound_bytes_max: usize) -> usize {
        outbound_bytes_max / 16
    }

    /// How long sent bytes may stay without an acknowledgement, or the peer's window closed, before
    /// the kernel ends the connection (`TCP_USER_TIMEOUT`): a peer that is gone is found in a busy
    /// room as in a silent one.
    ///
    /// A reader that does not read keeps its window closed, although it is there, and the kernel
    /// does not tell the two apart. So this is longer than the stall timeout, and the verdict on
    /// such a reader is this program's. Nor is it shorter than keep-alive's patience, which it
    /// replaces where both are set.
    #[must_use]
    pub fn user_timeout(&self) -> Duration {
        const KEEP_ALIVE: Duration =
            KEEP_ALIVE_TIME.saturating_add(KEEP_ALIVE_INTERVAL.saturating_mul(KEEP_ALIVE_RETRIES));
        (self.stall_timeout + self.stall_timeout / 4).max(KEEP_ALIVE)
    }
}

impl Default for ReactorConfig {
    fn default() -> Self {
        Self {
            listeners: Vec::new(),
            connections_max: 10_000,
            connections_per_address_max: 1_000,
            half_open_per_address_max: u32::MAX,
            connects: None,
            loopback_counts: false,
            accepts_per_turn_max: 32,
            read_len_max: 64 * 1024,
            read_per_turn_max: READ_BYTES_MAX,
            flushes_per_turn_max: FLUSHES_MAX,
            bulk_flushes_per_turn_max: 128,
            outbound_bytes_max: 256 * 1024,
            outbound_total_max: None,
            segment_len_max: None,
            send_buffer_len: 64 * 1024,
            receive_buffer_len: None,
            stall_timeout: Duration::from_mins(2),
            handshake_timeout: Duration::from_secs(5),
            handshakes_max: 512,
            close_timeout: Duration::from_secs(5),
            signals: true,
            early_signals: EarlySignals::default(),
        }
    }
}

/// The limit that a new connection exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// That of all connections, or of the process's descriptors.
    Connections,
    /// That of one address.
    PerAddress,
    /// That of those from one address that have not shown who they are.
    HalfOpen,
    /// That of how fast one address may connect.
    Connects,
    /// That of all bytes that wait for slow readers.
    Memory,
}

/// What a listening socket is bound to.
#[derive(Clone, Debug)]
pub enum Endpoint {
    /// An address; port 0 lets the kernel choose one.
    Ip(SocketAddr),
    /// A socket in the file system, and its mode. It is removed when it is closed.
    Unix(PathBuf, u32),
    /// A socket that another process has opened: of TCP, or in the file system.
    Inherited(Arc<OwnedFd>),
    /// One that a process of the server hands to the next, and its file, if it is in the file
    /// system: that is removed when it is closed.
    TakenOver(Arc<OwnedFd>, Option<PathBuf>),
}

/// One listening socket.
#[derive(Clone, Debug)]
pub struct ListenerConfig {
    /// Where it listens.
    pub endpoint: Endpoint,
    /// Whether the kernel asks silent peers whether they are still there: after a minute, every 15
    /// s, three times. For protocols without a ping of their own.
    pub keep_alive: bool,
    /// What a connection over a limit is told before it is closed; may be empty.
    pub refusal: fn(Excess, Now) -> Bytes,
    /// Whether its connections count for the limits and are refused by them. Not for an admin
    /// listener, so that one can look into a server that is full.
    pub limited: bool,
    /// What its connections speak TLS with, if they do. The handler then sees plaintext, and learns
    /// of a connection when its handshake is complete.
    pub tls: Option<TlsListener>,
    /// From whom connections are taken, if each begins with a PROXY header, before TLS; from anyone
    /// else they are closed.
    pub proxies: Option<Arc<[Network]>>,
    /// Proxies that say later whom they speak for ([`Effect::Client`]): they count for no address
    /// of their own.
    ///
    /// [`Effect::Client`]: crate::net::Effect::Client
    pub trusted: Arc<[Network]>,
}

/// What a listener needs whose connections begin with TLS.
#[derive(Clone, Debug)]
pub struct TlsListener {
    /// Certificates, versions, tickets.
    pub config: Arc<ServerConfig>,
    /// What a connection is told, in clear, whose first bytes are these and are no TLS; may be
    /// empty.
    pub otherwise: fn(&[u8], Now) -> Bytes,
}

impl ListenerConfig {
    /// A listener on `addr` without keep-alive and refusal text, whose connections are limited.
    #[must_use]
    pub fn new(addr: SocketAddr) -> Self {
        Self {
            endpoint: Endpoint::Ip(addr),
            keep_alive: false,
            refusal: |_, _| Bytes::new(),
            limited: true,
            tls: None,
            proxies: None,
            trusted: Arc::from([]),
        }
    }
}
