//! Listening sockets that systemd has opened for this process.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;

/// The sockets that were handed over, in their order.
#[derive(Default)]
pub(super) struct Inherited {
    sockets: Option<ListenFd>,
    taken: usize,
}

impl Inherited {
    /// The next socket that the environment hands over.
    ///
    /// # Errors
    ///
    /// If there is no other, or it does not listen.
    pub(super) fn next(&mut self) -> io::Result<Arc<OwnedFd>> {
        let sockets = self.sockets.get_or_insert_with(ListenFd::from_env);
        let nth = self.taken;
        // In the order of the settings, as systemd hands them over in that of the unit.
        self.taken += 1;
        let tcp = sockets.take_tcp_listener(nth).map(|found| found.map(OwnedFd::from));
        // One of another kind is still there.
        let found = tcp.or_else(|_other| {
            sockets.take_unix_listener(nth).map(|found| found.map(OwnedFd::from))
        });
        let refused = |why: String| {
            let number = nth + 1;
            io::Error::other(format!(
                "socket {number} of those that systemd has opened is none that connections come by: \
                 use ListenStream, and Accept=no, in its unit ({why})"
            ))
        };
        match found {
            // With Accept=yes it would be a connection.
            Ok(Some(socket)) if !socket_acceptconn(&socket)? => {
                Err(refused("it does not listen".to_owned()))
            }
            Ok(Some(socket)) => Ok(Arc::new(socket)),
            Ok(None) => Err(io::Error::other(format!(
                "systemd has opened {nth} sockets for this process, and the settings name more: \
                 start it by a socket unit with a ListenStream for each \"systemd\""
            ))),
            Err(error) => Err(refused(error.to_string())),
        }
    }

    /// Says that there are more than were asked for: whoever connects to these waits for ever.
    pub(super) fn warn_of_others(&mut self) {
        let sockets = self.sockets.get_or_insert_with(ListenFd::from_env).len();
        let named = self.taken;
        if sockets > named {
            log::warn!(
                sockets, named;
                "systemd has opened more sockets than settings name by \"systemd\": nobody is served at \
                 the others"
            );
        }
    }
}
