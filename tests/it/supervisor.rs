//! What systemd hears of the server, and what it hands over.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use rustix::process::Signal;

use crate::support::process::Process;
use crate::support::raw::Patience;
use crate::support::{PATIENCE, Setup, http};

/// A setup that is supervised at a socket in `folder`, and what is heard there. It is read whatever
/// the test does meanwhile, as systemd does: the queue of the kernel holds ten words.
pub(crate) fn supervised(folder: &Path, setup: Setup) -> (Receiver<String>, Setup) {
    let path = folder.join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    let (said, heard) = channel();
    thread::spawn(move || {
        let mut words = [0; 512];
        while let Ok(len) = socket.recv(&mut words) {
            drop(said.send(String::from_utf8_lossy(&words[..len]).into_owned()));
        }
    });
    (heard, setup.environment("NOTIFY_SOCKET", path.to_str().expect("a path")))
}

/// The next word for systemd.
#[track_caller]
pub(crate) fn next(heard: &Receiver<String>) -> String {
    let words = heard.recv_timeout(PATIENCE).expect("a word for systemd");
    words.lines().next().unwrap_or_default().to_owned()
}

/// Passes over what is said until it is this.
pub(crate) fn until(heard: &Receiver<String>, wanted: &str) {
    let patience = Patience::begin();
    while next(heard) != wanted {
        assert!(patience.is_left(), "{wanted:?} is not said");
    }
}

#[test]
fn systemd_hears_that_it_is_ready_that_its_loop_turns_and_that_it_stops() {
    let folder = tempfile::tempdir().expect("a folder");
    let setup = Setup::default().environment("WATCHDOG_USEC", "100000");
    let (heard, setup) = supervised(folder.path(), setup);
    let mut server = setup.start();
    let words: [String; 4] = std::array::from_fn(|_| next(&heard));
    assert_eq!(words, ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"]);
    server.signal(Signal::TERM);
    until(&heard, "STOPPING=1");
    server.assert_left_in_order();
}

#[test]
fn a_stop_that_waits_for_a_client_goes_on_telling_that_the_loop_turns() {
    let folder = tempfile::tempdir().expect("a folder");
    let setup = Setup::default().environment("WATCHDOG_USEC", "100000");
    let (heard, setup) = supervised(folder.path(), setup.set("timeouts.stop", "3s"));
    let mut server = setup.start();
    let silent = crate::support::RawWs::connect(server.http, "/ws", "");
    server.signal(Signal::TERM);
    until(&heard, "STOPPING=1");
    assert_eq!([next(&heard), next(&heard)], ["WATCHDOG=1", "WATCHDOG=1"]);
    drop(silent);
    server.assert_left_in_order();
}

#[test]
fn without_a_watchdog_it_says_only_that_it_is_ready_and_that_it_stops() {
    let folder = tempfile::tempdir().expect("a folder");
    let (heard, setup) = supervised(folder.path(), Setup::default());
    let mut server = setup.start();
    server.signal(Signal::TERM);
    assert_eq!([next(&heard), next(&heard)], ["READY=1", "STOPPING=1"]);
    server.assert_left_in_order();
}

#[test]
fn a_supervisor_that_is_gone_does_not_keep_it_from_starting() {
    let mut server = Setup::default().environment("NOTIFY_SOCKET", "/nowhere/notify").start();
    server.signal(Signal::TERM);
    server.assert_left_in_order();
}

/// Starts the server with two sockets handed over as systemd does it, from descriptor 3 on: one for
/// HTTP and one for TCP. Its log is the file `log` of the folder.
fn activated(folder: &Path, web: OwnedFd, talk: OwnedFd) -> Process {
    let handed_over = "exec 3<&0 4<&1 </dev/null >/dev/null; export LISTEN_PID=$$ LISTEN_FDS=2; \
                       exec \"$0\" \"$@\"";
    let log = File::create(folder.join("log")).expect("a file for the log");
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", handed_over, env!("CARGO_BIN_EXE_chinwag")]);
    shell.args(["--listen", "systemd", "--tcp", "systemd", "--admin", "off", "--data"]);
    // Who has opened the sockets knows where they are, and the server does not.
    shell.arg(folder.join("data")).env_clear().env("CHINWAG_INSECURE", "true");
    Process::of(shell.stdin(web).stdout(talk).stderr(log).spawn().expect("a shell"))
}

#[test]
fn sockets_that_systemd_has_opened_are_served_in_the_order_of_the_settings() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("talk");
    let web = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let talk = UnixListener::bind(&path).expect("a socket");
    let address = web.local_addr().expect("its address");
    // Who comes before the server is there is served as well.
    let mut person = UnixStream::connect(&path).expect("a queue of the kernel's");
    person.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    person.write_all(b"{\"op\":\"hello\",\"id\":1}\n").expect("room in the queue");
    let process = activated(folder.path(), web.into(), talk.into());
    assert_eq!(http::get(address, "/healthz").status, 200);
    let mut line = String::new();
    BufReader::new(person).read_line(&mut line).expect("an answer");
    assert!(line.starts_with("{\"id\":1,\"code\":0"), "{line}");
    process.signal(Signal::TERM);
    assert!(process.end().success());
    assert!(path.exists(), "the socket stays systemd's");
}

#[test]
fn a_socket_that_systemd_has_not_opened_or_of_the_wrong_kind_ends_the_start_in_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let web = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let address = web.local_addr().expect("its address");
    // A connection is what Accept=yes hands over.
    let connection = TcpStream::connect(address).expect("a connection");
    let datagrams = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    for talk in [OwnedFd::from(datagrams), connection.into()] {
        let web = web.try_clone().expect("another descriptor");
        assert!(!activated(folder.path(), web.into(), talk).end().success());
        let log = fs::read_to_string(folder.path().join("log")).expect("what it said");
        assert!(log.contains("socket 2 of those that systemd has opened"), "{log}");
        assert!(log.contains("use ListenStream, and Accept=no, in its unit"), "{log}");
    }
    let alone = Setup::default().args(&["--listen", "systemd"]).set("insecure", "true").refused();
    assert!(alone.contains("systemd has opened 0 sockets"), "{alone}");
}
