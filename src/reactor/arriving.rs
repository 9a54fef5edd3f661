//! Connections that the handler does not know yet: first a PROXY header, then TLS, if their
//! listener has them.

use std::collections::BTreeMap;
use std::io;
use std::mem;
use std::sync::Arc;

use mio::Interest;
use mio::net::TcpStream;

use super::address_limits::AddressShare;
use super::connection::{Connection, Flags, Phase};
use super::connections::Connections;
use super::proxy_header::{self, ProxyHeader};
use super::shared::Shared;
use super::step::Step;
use super::tls::{Arrival, Ciphers};
use crate::net::{CloseReason, ConnId, Ending, IpAddr, SharedFrame};
use crate::time::Tick;
use crate::time::clock::Now;
use crate::tls;

impl Connections {
    /// Names a socket of a listener whose connections begin with a PROXY header or with TLS. The
    /// handler learns of it when that is done.
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
        has_header: bool,
    ) -> io::Result<ConnId> {
        let id = self.register(stream, share, Interest::READABLE | Interest::PRIORITY)?;
        let Self { slab, shared, .. } = self;
        let Some(connection) = slab.get_mut(id.slot()) else { return Ok(id) };
        connection.phase = Phase::Arriving;
        // One deadline for header and handshake together: a peer that dawdles at both gets no
        // second one.
        connection.deadline = now.tick.after(self.handshake_timeout);
        shared.ensure_timer(connection);
        if !has_header && begin_tls(shared, connection, &arrival).is_none() {
            shared.lists.end(connection, CloseReason::Internal, Flags::default());
        }
        self.arrivals.insert(id.slot(), arrival);
        Ok(id)
    }

    /// What the connection counts for.
    pub(super) fn share(&mut self, id: ConnId) -> Option<AddressShare> {
        self.find(id).map(|(connection, _)| connection.share)
    }

    /// The connection counts for this from now on.
    pub(super) fn set_share(&mut self, id: ConnId, share: AddressShare) {
        if let Some((connection, _)) = self.find(id) {
            connection.share = share;
        }
    }

    /// The connection speaks for `client`, and counts for that.
    pub(super) fn set_client(&mut self, id: ConnId, client: IpAddr, share: AddressShare) {
        if let Some((connection, _)) = self.find(id) {
            connection.share = share;
            self.clients.insert(id.slot(), client);
        }
    }

    /// The PROXY header is over: TLS follows, or the handler should learn of the connection.
    pub(super) fn on_announced(&mut self, id: ConnId) -> Option<Arrival> {
        let (connection, shared) = self.find(id)?;
        if connection.phase != Phase::Arriving {
            return None;
        }
        if connection.is_tls {
            connection.flags.set(Flags::QUEUED);
            shared.tls.put_aside(connection.slot());
            return None;
        }
        connection.phase = Phase::Open;
        connection.deadline = Tick::MAX;
        self.arrivals.remove(&id.slot())
    }

    /// Tells a peer that is over a limit, or does not speak TLS, what it should do, and ends the
    /// connection.
    pub(super) fn reject_arriving(
        &mut self,
        now: Now,
        id: ConnId,
        (answer, reason): (SharedFrame, CloseReason),
    ) {
        let Some((connection, shared)) = self.find(id) else { return };
        // The answer goes out in clear: a peer that spoke no TLS could not read it otherwise.
        shared.tls.remove(connection);
        connection.is_tls = false;
        connection.outbound.prepend(&mut shared.pool, answer);
        self.close(now.tick, id, reason, Ending::Linger);
    }
}

/// The connection speaks TLS from now on; `None` if it cannot.
fn begin_tls(shared: &mut Shared, connection: &mut Connection, arrival: &Arrival) -> Option<()> {
    let tls = tls::Connection::new(Arc::clone(arrival.tls.as_ref()?)).ok()?;
    connection.is_tls = true;
    let ciphers = Ciphers { tls, sealed: 0, has_received: false, is_counted: false };
    shared.tls.ciphers.insert(connection.id.slot(), Box::new(ciphers));
    Some(())
}

/// Bytes of a PROXY header have come, or of what follows it.
pub(super) fn take_header(
    shared: &mut Shared,
    connection: &mut Connection,
    arrivals: &mut BTreeMap<usize, Arrival>,
    bytes: &[u8],
) -> Step {
    let (id, slot) = (connection.id, connection.id.slot());
    let Some(arrival) = arrivals.get_mut(&slot) else {
        return Step::Broken(id, CloseReason::Internal);
    };
    // Nearly always the whole header comes in one piece; only a proxy in pieces pays for the copy.
    arrival.head.extend_from_slice(bytes);
    match proxy_header::parse(&arrival.head) {
        ProxyHeader::Incomplete => Step::Discarded(bytes.len()),
        ProxyHeader::Malformed => {
            log::debug!(conn:% = id, peer:% = arrival.peer; "no PROXY header");
            Step::Broken(id, CloseReason::Violation)
        }
        ProxyHeader::Of(len, client) => {
            arrival.head.drain(..len);
            arrival.peer = client.unwrap_or(arrival.peer);
            if arrival.tls.is_some() && begin_tls(shared, connection, arrival).is_none() {
                return Step::Broken(id, CloseReason::Internal);
            }
            Step::Announced(id, client.map(|client| client.ip()))
        }
    }
}

/// What came after a PROXY header, to be read before the socket is.
pub(super) fn take_rest(
    connection: &Connection,
    arrivals: &mut BTreeMap<usize, Arrival>,
) -> Option<Vec<u8>> {
    let arrival = arrivals.get_mut(&connection.id.slot())?;
    Some(mem::take(&mut arrival.head)).filter(|rest| !rest.is_empty())
}
