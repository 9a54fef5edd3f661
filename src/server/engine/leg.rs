//! One connection to a host of the engine, from its name to the first byte that is the engine's.

use std::collections::VecDeque;

use crate::cluster::link::{Hop, Lane};
use crate::net::{ConnId, Peer};
use crate::time::Tick;
use crate::tls::ClientConnection;

/// How far a connection is.
#[derive(Debug)]
pub(super) enum Stage {
    /// The addresses of the host's name are asked for.
    Resolving,
    /// One of its addresses is being connected to.
    Connecting,
    /// It is asked whether it speaks TLS.
    TlsRequested,
    /// Hands are shaken.
    Handshaking(Box<ClientConnection>),
    /// Bytes go both ways as they are.
    Plain,
    /// Bytes go both ways, sealed.
    Sealed(Box<ClientConnection>),
}

/// A connection that the link has asked for.
///
/// Invariants:
/// - `conn` is there from [`Stage::TlsRequested`] on, or [`Stage::Plain`], whichever comes first.
/// - `deadline` is [`Tick::MAX`] once the link knows the connection.
#[derive(Debug)]
pub(super) struct Leg {
    /// What the link calls it.
    pub(super) hop: Hop,
    /// Which host of the address.
    pub(super) host: usize,
    /// What the reactor and the resolver call it until it is there.
    pub(super) tag: u64,
    /// What the reactor calls it then.
    pub(super) conn: Option<ConnId>,
    pub(super) stage: Stage,
    /// Addresses that were not tried yet.
    pub(super) addresses: VecDeque<Peer>,
    /// When the link has to know whether it is there.
    pub(super) deadline: Tick,
}

impl Leg {
    /// What it is given up for when its deadline has passed.
    pub(super) const fn why_late(&self) -> &'static str {
        match self.stage {
            Stage::Resolving => "the name server does not answer in time",
            Stage::Connecting => "no answer in time",
            _ if matches!(self.hop.lane, Lane::Bus) => {
                "no answer to the TLS handshake in time: is TLS spoken at that port?"
            }
            Stage::TlsRequested | Stage::Handshaking(_) | Stage::Plain | Stage::Sealed(_) => {
                "no answer to the TLS handshake in time: is that a PostgreSQL server?"
            }
        }
    }

    /// Whether the link knows that it is there.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Plain | Stage::Sealed(_))
    }
}
