//! Who connections are to an operator: kept beside the sessions where the admin API is on, which
//! alone asks for it.

use std::collections::VecDeque;

use super::ListenerKind;
use crate::chat::UserName;
use crate::collections::Slots;
use crate::net::{CloseReason, ConnId, IpAddr};

/// Connections that have ended and are remembered: 720 KB, and the names of more than 22 bytes.
pub(super) const CLOSED_MAX: usize = 10_000;

/// All connections, and those that have ended last.
#[derive(Debug, Default)]
pub(super) struct Peers {
    /// By connection slot.
    rows: Slots<Peer>,
    /// Oldest first, at most [`CLOSED_MAX`]: beyond that the oldest is forgotten.
    closed: VecDeque<Closed>,
}

/// One connection. There is one for each that is open, so its numbers are as short as may be.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub conn: ConnId,
    /// From where it comes, as an address of IPv6.
    address: [u8; 16],
    since: WallTime,
    /// By which listener.
    pub kind: ListenerKind,
    /// Whose it is, once it has said hello: the domain forgets it before the connection has ended.
    pub user: Option<UserName>,
}

/// Milliseconds since 1970, of which there are enough for ten thousand years.
#[derive(Clone, Copy, Debug)]
struct WallTime([u8; 6]);

impl WallTime {
    fn of(wall_ms: u64) -> Self {
        let [kept @ .., _, _] = wall_ms.min((1 << 48) - 1).to_le_bytes();
        Self(kept)
    }

    fn wall_ms(self) -> u64 {
        self.0.iter().rev().fold(0, |higher, byte| higher << 8 | u64::from(*byte))
    }
}

impl Peer {
    /// A connection of nobody yet, which has come from there at that time.
    pub(super) fn new(conn: ConnId, kind: ListenerKind, (address, wall_ms): (IpAddr, u64)) -> Self {
        let (address, since) = (octets(address), WallTime::of(wall_ms));
        Self { conn, address, since, kind, user: None }
    }

    /// From where it comes: the client's address, also where a proxy is in between.
    pub(super) fn address(&self) -> IpAddr {
        IpAddr::from(self.address).to_canonical()
    }

    /// Since when: milliseconds since 1970.
    pub(super) fn since(&self) -> u64 {
        self.since.wall_ms()
    }
}

const fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// A connection that has ended.
#[derive(Clone, Debug)]
pub(super) struct Closed {
    pub peer: Peer,
    /// When: milliseconds since 1970.
    pub until: u64,
    pub reason: CloseReason,
}

// The documentation of the admin API states these sizes.
const _: () = assert!(size_of::<Closed>() <= 72 && size_of::<Option<Peer>>() <= 56);

impl Peers {
    /// Bytes for each connection.
    pub(super) const ROW_BYTES: usize = size_of::<Option<Peer>>();

    /// A connection was accepted.
    pub(super) fn opened(&mut self, peer: Peer) {
        self.rows.insert(peer.conn.slot(), peer);
    }

    /// The connection, if it is there.
    pub(super) fn get(&self, conn: ConnId) -> Option<&Peer> {
        self.rows.get(conn.slot()).filter(|peer| peer.conn == conn)
    }

    fn get_mut(&mut self, conn: ConnId) -> Option<&mut Peer> {
        self.rows.get_mut(conn.slot()).filter(|peer| peer.conn == conn)
    }

    /// The connection in a slot.
    pub(super) fn at(&self, slot: usize) -> Option<&Peer> {
        self.rows.get(slot)
    }

    /// Slots that may have a connection: those below.
    pub(super) fn places(&self) -> usize {
        self.rows.places()
    }

    /// How many connections there are.
    pub(super) const fn len(&self) -> usize {
        self.rows.len()
    }

    /// A proxy has said for whom the connection speaks.
    pub(super) fn set_address(&mut self, conn: ConnId, address: IpAddr) {
        if let Some(peer) = self.get_mut(conn) {
            peer.address = octets(address);
        }
    }

    /// The connection has said hello.
    pub(super) fn set_user(&mut self, conn: ConnId, user: &UserName) {
        if let Some(peer) = self.get_mut(conn) {
            peer.user = Some(user.clone());
        }
    }

    /// The connection has ended.
    pub(super) fn closed(&mut self, conn: ConnId, reason: CloseReason, wall_ms: u64) {
        if self.get(conn).is_none() {
            return;
        }
        let Some(peer) = self.rows.remove(conn.slot()) else { return };
        if self.closed.is_empty() {
            // Exactly, since it would double otherwise, beyond what the memory budget counts.
            self.closed.reserve_exact(CLOSED_MAX);
        }
        if self.closed.len() >= CLOSED_MAX {
            self.closed.pop_front();
        }
        self.closed.push_back(Closed { peer, until: wall_ms, reason });
    }

    /// Those that have ended, the last one first.
    pub(super) fn latest_closed(&self) -> impl Iterator<Item = &Closed> {
        self.closed.iter().rev()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(slot: usize, generation: u64) -> Peer {
        let conn = ConnId::new(slot, generation).unwrap();
        Peer::new(conn, ListenerKind::Http, ("10.0.0.1".parse().unwrap(), 1))
    }

    #[test]
    fn the_last_that_have_ended_are_remembered_and_no_more() {
        let mut peers = Peers::default();
        for generation in 0..=u64::try_from(CLOSED_MAX).unwrap() {
            let peer = peer(3, generation);
            let conn = peer.conn;
            peers.opened(peer);
            peers.set_user(conn, &UserName::parse("ann").unwrap());
            peers.closed(conn, CloseReason::Bye, 7);
        }
        assert_eq!((peers.len(), peers.closed.len()), (0, CLOSED_MAX));
        assert_eq!(peers.closed.capacity(), CLOSED_MAX, "more than the memory budget counts");
        let generations: Vec<u64> =
            peers.latest_closed().map(|row| row.peer.conn.generation()).collect();
        assert_eq!((generations[0], generations[CLOSED_MAX - 1]), (10_000, 1));
        assert!(peers.latest_closed().all(|row| row.peer.user.is_some() && row.until == 7));
    }

    #[test]
    fn an_address_and_a_time_are_told_as_they_were_noted() {
        let conn = peer(0, 1).conn;
        for (address, told) in [
            ("10.0.0.1", "10.0.0.1"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("::1", "::1"),
        ] {
            for (wall_ms, since) in [(0, 0), (1_790_000_000_123, 1_790_000_000_123)] {
                let peer = Peer::new(conn, ListenerKind::Tcp, (address.parse().unwrap(), wall_ms));
                assert_eq!((peer.address().to_string(), peer.since()), (told.to_owned(), since));
            }
        }
        let latest = Peer::new(conn, ListenerKind::Tcp, ("::1".parse().unwrap(), u64::MAX));
        assert_eq!(latest.since(), (1 << 48) - 1);
    }

    #[test]
    fn a_connection_of_before_is_not_taken_for_the_one_in_its_slot() {
        let mut peers = Peers::default();
        let former = peer(0, 1).conn;
        peers.opened(peer(0, 2));
        peers.set_user(former, &UserName::parse("ann").unwrap());
        peers.closed(former, CloseReason::Bye, 7);
        assert_eq!((peers.len(), peers.closed.len()), (1, 0));
        assert!(peers.at(0).is_some_and(|peer| peer.user.is_none()));
    }
}
