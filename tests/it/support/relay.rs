//! A way to the server that stays where it is when the server is started again elsewhere.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A relay on a port of its own. It ends with the process.
#[derive(Debug)]
pub(crate) struct Relay {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    target: Arc<Mutex<SocketAddr>>,
}

impl Relay {
    /// A relay to `target`.
    pub(crate) fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let target = Arc::new(Mutex::new(target));
        let at = Arc::clone(&target);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let target = *at.lock().expect("no thread has panicked");
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
        *self.target.lock().expect("no thread has panicked") = target;
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
