//! The ciphers of connections with TLS, and whose handshake's turn it is.
//!
//! A handshake costs a thousand times what a message does. So those who shake hands are read after
//! all others, [`HANDSHAKE_READS_MAX`](super::budget::HANDSHAKE_READS_MAX) in a turn, and
//! [`handshakes_max`](super::ReactorConfig::handshakes_max) at a time: the rest is not read and
//! costs nothing until there is a place, or its deadline has passed.

use std::collections::VecDeque;
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;

use super::connection::Connection;
use crate::collections::Slots;
use crate::net::ListenerId;
use crate::tls::{self, ServerConfig};

/// A connection that the handler does not know yet.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub(super) peer: SocketAddr,
    pub(super) listener: ListenerId,
    /// What follows the PROXY header, if there is one to come: without TLS, data.
    pub(super) tls: Option<Arc<ServerConfig>>,
    /// What has come of a PROXY header, and later what came after it.
    pub(super) head: Vec<u8>,
}

/// What a read has come to, besides the plaintext.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    /// The handshake is complete: the handler should learn of the connection.
    pub(super) opened: Option<Arrival>,
    /// The peer has said that nothing more comes.
    pub(super) is_finished: bool,
}

/// One connection's ciphers.
pub(super) struct Ciphers {
    pub(super) tls: tls::Connection,
    /// Bytes at the front of the ring that are sealed already; they are part of its first piece.
    pub(super) sealed: usize,
    /// Something has come.
    pub(super) has_received: bool,
    /// Its handshake counts.
    pub(super) is_counted: bool,
}

/// The ciphers of all connections that have any, and who waits for what.
pub(super) struct TlsTable {
    /// By slot. Boxed, so that a slot without TLS costs a word.
    pub(super) ciphers: Slots<Box<Ciphers>>,
    /// The plaintext of the last read.
    pub(super) plain: Vec<u8>,
    pub(super) outcome: Outcome,
    /// Ciphertext on its way.
    pub(super) sealed: Vec<u8>,
    /// Handshakes that count.
    begun: usize,
    begun_max: usize,
    /// Slots of those that shake hands and have something to be read.
    ready: VecDeque<u32>,
    /// Slots of those that wait for a place.
    waiting: VecDeque<u32>,
}

impl TlsTable {
    pub(super) const fn new(begun_max: usize) -> Self {
        Self {
            ciphers: Slots::new(),
            plain: Vec::new(),
            outcome: Outcome { opened: None, is_finished: false },
            sealed: Vec::new(),
            begun: 0,
            begun_max,
            ready: VecDeque::new(),
            waiting: VecDeque::new(),
        }
    }

    /// Handshakes that count, and those that wait for a place.
    pub(super) fn handshakes(&self) -> (usize, usize) {
        (self.begun, self.waiting.len())
    }

    /// Whether a handshake can go on.
    pub(super) fn has_work(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Something has come of a handshake: it waits for its turn, or for a place.
    pub(super) fn put_aside(&mut self, slot: u32) {
        let Some(ciphers) = self.ciphers.get_mut(slot as usize) else { return };
        if !ciphers.is_counted && self.begun >= self.begun_max {
            // It is not read: its bytes stay in the kernel, and its peer is slowed down by the
            // window.
            return self.waiting.push_back(slot);
        }
        self.begun += usize::from(!mem::replace(&mut ciphers.is_counted, true));
        self.ready.push_back(slot);
    }

    /// The next handshake to be read.
    pub(super) fn next_ready(&mut self) -> Option<u32> {
        self.ready.pop_front()
    }

    /// The connection is gone.
    pub(super) fn remove(&mut self, connection: &Connection) {
        if !connection.is_tls {
            return;
        }
        let removed = self.ciphers.remove(connection.id.slot());
        if removed.is_some_and(|ciphers| ciphers.is_counted) {
            self.release_place();
        }
    }

    /// A handshake has ended: the next ones that wait take its place. Some of those may be gone.
    pub(super) fn release_place(&mut self) {
        self.begun = self.begun.saturating_sub(1);
        while self.begun < self.begun_max
            // A slot whose connection is gone has no ciphers any more, and takes no place.
            && let Some(slot) = self.waiting.pop_front()
        {
            self.put_aside(slot);
        }
    }
}
