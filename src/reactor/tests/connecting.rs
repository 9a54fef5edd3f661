//! Connections that this end begins.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

use super::harness::{Harness, Seen, echo, silence};
use crate::net::{Connect, ConnectFault, Effect, Peer};
use crate::time::Tick;

const DEADLINE: Tick = Tick::from_millis(5_000);

fn connect(peer: SocketAddr, tag: u64) -> Effect {
    let (source, receive_buffer_len) = (Some([127, 0, 0, 9].into()), Some(4096));
    let peer = peer.into();
    Effect::Connect(Connect { peer, source, receive_buffer_len, deadline: DEADLINE, tag })
}

fn connected(seen: &Seen) -> Option<u64> {
    match seen {
        Seen::Connected(_, tag) => Some(*tag),
        _ => None,
    }
}

/// The peer greets the connection with tag 7, before that knows that it is there, and is answered.
#[track_caller]
fn assert_talks(harness: &mut Harness, peer: &mut (impl Read + Write)) {
    peer.write_all(b"hello").unwrap();
    while harness.handler.seen.len() < 2 {
        harness.until_edge();
    }
    let Some(Seen::Connected(conn, 7)) = harness.handler.seen.first().cloned() else {
        panic!("{:?}", harness.handler.seen);
    };
    assert_eq!(harness.handler.seen[1], Seen::Received(conn, b"hello".to_vec()));
    let mut back = [0; 5];
    peer.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"hello");
}

#[test]
fn a_connection_is_made_from_its_source_and_talks_both_ways() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut harness = Harness::new(echo, |_| {});
    harness.ask([connect(listener.local_addr().unwrap(), 7)]);
    let (mut peer, addr) = listener.accept().unwrap();
    assert_eq!(addr.ip().to_string(), "127.0.0.9");
    assert_talks(&mut harness, &mut peer);
}

#[test]
fn a_socket_of_the_file_system_is_connected_to_as_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let mut harness = Harness::new(echo, |_| {});
    let to = |path: &std::path::Path, tag| {
        let (peer, deadline) = (Peer::Unix(path.to_owned()), DEADLINE);
        let (source, receive_buffer_len) = (None, None);
        Effect::Connect(Connect { peer, source, receive_buffer_len, deadline, tag })
    };
    harness.ask([to(&path, 7)]);
    let (mut peer, _) = listener.accept().unwrap();
    assert_talks(&mut harness, &mut peer);
    drop(listener);
    harness.ask([to(&path, 8)]);
    harness.until_seen(&Seen::Unreachable(8, ConnectFault::Refused));
    harness.ask([to(&folder.path().join("none"), 9)]);
    harness.until_seen(&Seen::Unreachable(9, ConnectFault::NoSocket));
}

#[test]
fn where_nobody_listens_it_is_unreachable_and_nothing_is_left() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut harness = Harness::new(silence, |_| {});
    harness.ask([connect(gone, 1)]);
    harness.until_seen(&Seen::Unreachable(1, ConnectFault::Refused));
    let elsewhere = Connect {
        peer: gone.into(),
        // Not an address of this machine.
        source: Some([192, 0, 2, 1].into()),
        receive_buffer_len: None,
        deadline: DEADLINE,
        tag: 2,
    };
    harness.ask([Effect::Connect(elsewhere)]);
    harness.until_seen(&Seen::Unreachable(2, ConnectFault::NoSource));
    assert_eq!(harness.handler.seen.iter().find_map(connected), None);
    harness.assert_nothing_left();
}

#[test]
fn who_does_not_answer_is_unreachable_at_the_deadline() {
    // The queue of this listener is full, so that the kernel drops what would come next.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let peer = socket.local_addr().unwrap().as_socket().unwrap();
    let mut harness = Harness::new(silence, |_| {});
    harness.ask([connect(peer, 1), connect(peer, 2), connect(peer, 3)]);
    harness.turn();
    harness.now = DEADLINE.as_millis();
    harness.until_seen(&Seen::Unreachable(3, ConnectFault::TimedOut));
}
