//! What systemd hears of the server.

use std::os::unix::net::UnixDatagram;

use rustix::process::Signal;

use crate::support::{PATIENCE, Server, Setup};

/// A server that is supervised at a socket in `folder`, and the socket.
fn supervised(folder: &tempfile::TempDir, setup: Setup) -> (UnixDatagram, Server) {
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    let server = setup.environment("NOTIFY_SOCKET", path.to_str().expect("a path")).start();
    (socket, server)
}

#[track_caller]
fn next(socket: &UnixDatagram) -> String {
    let mut words = [0; 512];
    let len = socket.recv(&mut words).expect("a word for systemd");
    let words = String::from_utf8_lossy(&words[..len]).into_owned();
    words.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn systemd_hears_that_it_is_ready_that_its_loop_turns_and_that_it_stops() {
    let folder = tempfile::tempdir().expect("a folder");
    let setup = Setup::default().environment("WATCHDOG_USEC", "100000");
    let (socket, mut server) = supervised(&folder, setup);
    let heard: [String; 4] = std::array::from_fn(|_| next(&socket));
    assert_eq!(heard, ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"]);
    server.signal(Signal::TERM);
    while next(&socket) != "STOPPING=1" {}
    server.assert_left_in_order();
}

#[test]
fn a_stop_that_waits_for_a_client_goes_on_telling_that_the_loop_turns() {
    let folder = tempfile::tempdir().expect("a folder");
    let setup = Setup::default().environment("WATCHDOG_USEC", "100000");
    let (socket, mut server) = supervised(&folder, setup.set("timeouts.stop", "3s"));
    let silent = crate::support::RawWs::connect(server.http, "/ws", "");
    server.signal(Signal::TERM);
    while next(&socket) != "STOPPING=1" {}
    assert_eq!([next(&socket), next(&socket)], ["WATCHDOG=1", "WATCHDOG=1"]);
    drop(silent);
    server.assert_left_in_order();
}

#[test]
fn without_a_watchdog_it_says_only_that_it_is_ready_and_that_it_stops() {
    let folder = tempfile::tempdir().expect("a folder");
    let (socket, mut server) = supervised(&folder, Setup::default());
    server.signal(Signal::TERM);
    assert_eq!([next(&socket), next(&socket)], ["READY=1", "STOPPING=1"]);
    server.assert_left_in_order();
}

#[test]
fn a_supervisor_that_is_gone_does_not_keep_it_from_starting() {
    let mut server = Setup::default().environment("NOTIFY_SOCKET", "/nowhere/notify").start();
    server.signal(Signal::TERM);
    server.assert_left_in_order();
}
