//! A way to the server that stays where it is when the server is started again elsewhere.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;

/// A relay on a port of its own. It ends with the process.
#[derive(Debug)]
pub(crate) struct Relay {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The port of the server, which is on this machine.
    target: Arc<AtomicU16>,
}

impl Relay {
    /// A relay to `target`.
    pub(crate) fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let target = Arc::new(AtomicU16::new(target.port()));
        let at = Arc::clone(&target);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let target = (Ipv4Addr::LOCALHOST, at.load(Ordering::SeqCst));
                // A server that is not there ends the connection, as its own end would.
                if let Ok(server) = TcpStream::connect(target) {
                    pass(&client, &server);
                    pass(&server, &client);
                }
            }
        });
        Self { address, target }
    }

    /// Leads new connections to another place.
    pub(crate) fn turn_to(&self, target: SocketAddr) {
        self.target.store(target.port(), Ordering::SeqCst);
    }
}

/// Passes on what comes, to its end.
fn pass(from: &TcpStream, to: &TcpStream) {
    let clone = |stream: &TcpStream| stream.try_clone().expect("a free descriptor");
    let (mut from, mut to) = (clone(from), clone(to));
    thread::spawn(move || {
        _ = io::copy(&mut from, &mut to);
        _ = to.shutdown(Shutdown::Write);
    });
}
