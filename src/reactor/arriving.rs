//! Connections that the handler does not know yet.

use std::io;
use std::sync::Arc;

use mio::Interest;
use mio::net::TcpStream;

use super::addresses::AddressShare;
use super::config::TlsListener;
use super::connection::Phase;
use super::connections::Connections;
use super::tls::{Arrival, Ciphers};
use crate::net::{CloseReason, ConnId, Ending, SharedFrame};
use crate::time::clock::Now;
use crate::tls;

impl Connections {
    /// Names a socket of a listener with TLS. The handler learns of it when the handshake is
    /// complete.
    ///
    /// # Errors
    ///
    /// If the poller takes no more, there are as many connections as can be named, or the listener
    /// cannot speak TLS.
    pub(super) fn insert_arriving(
        &mut self,
        now: Now,
        (stream, share): (TcpStream, AddressShare),
        arrival: Arrival,
        listener: &TlsListener,
    ) -> io::Result<ConnId> {
        let tls = tls::Connection::new(Arc::clone(&listener.config)).map_err(io::Error::other)?;
        let id = self.register(stream, share, Interest::READABLE | Interest::PRIORITY)?;
        let Some(connection) = self.slab.get_mut(id.slot()) else { return Ok(id) };
        connection.is_tls = true;
        connection.phase = Phase::Arriving;
        connection.deadline = now.tick.after(self.handshake_timeout);
        self.shared.ensure_timer(connection);
        let ciphers = Ciphers { tls, sealed: 0, has_received: false, is_counted: false };
        self.shared.tls.ciphers.insert(id.slot(), Box::new(ciphers));
        self.arrivals.insert(id.slot(), arrival);
        Ok(id)
    }

    /// Tells a peer in clear, which does not speak TLS, what it should do.
    pub(super) fn answer_in_clear(&mut self, now: Now, id: ConnId, answer: SharedFrame) {
        let Self { slab, shared, .. } = self;
        let Some(connection) = slab.get_mut(id.slot()).filter(|found| found.id == id) else {
            return;
        };
        shared.tls.remove(connection);
        connection.is_tls = false;
        connection.outbound.prepend(&mut shared.pool, answer);
        self.close(now.tick, id, CloseReason::TlsBroken, Ending::Linger);
    }
}
