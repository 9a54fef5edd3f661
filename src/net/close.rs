//! Why and how a connection ends.

/// What becomes of the bytes that wait when a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Flush, then close the socket: for a peer that has said its last word.
    Flush,
    /// Flush, then send FIN and discard what the peer still sends until its FIN or the close
    /// deadline, so that a reset does not destroy what it has yet to read: for refusals and
    /// violations.
    Linger,
    /// Drop what waits and reset the connection: for a peer that does not read.
    Abort,
}

macro_rules! close_reasons {
    ($($(#[$doc:meta])* $variant:ident => $label:literal,)+) => {
        /// Why a connection ended: one value, counted in the metrics under [`CloseReason::label`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum CloseReason {
            $($(#[$doc])* $variant,)+
        }

        impl CloseReason {
            /// Every reason, in the order of the metrics page.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The reason as a metrics label and as the word in the log.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)+ }
            }
        }
    };
}

close_reasons! {
    /// The peer ended it in good order: a WebSocket close handshake, or FIN between two messages.
    Bye => "bye",
    /// The peer sent FIN without a WebSocket close frame, or in the middle of something.
    PeerGone => "peer_gone",
    /// The peer reset the connection.
    Reset => "reset",
    /// The operating system reported another error on the socket.
    SocketError => "socket_error",
    /// An HTTP response was the last one of its connection.
    HttpDone => "http_done",
    /// A request was refused before the upgrade, or its HTTP was malformed.
    HttpRefused => "http_refused",
    /// The request head was not complete within its deadline.
    HeadTimeout => "head_timeout",
    /// A kept-alive HTTP connection stayed idle.
    KeepAliveTimeout => "keep_alive_timeout",
    /// No `hello` within its deadline (4008).
    HelloTimeout => "hello_timeout",
    /// No pong within its deadline (4103), or the kernel has given the peer up.
    NoPong => "no_pong",
    /// The socket took no byte for the stall deadline (4101).
    Stalled => "stalled",
    /// The peer did not answer the close frame, or did not take the last bytes, within the close
    /// deadline.
    CloseTimeout => "close_timeout",
    /// The peer violated WebSocket, UTF-8 or a framing (1002, 1003, 1007).
    Violation => "violation",
    /// A message was larger than its limit (1009).
    TooBig => "too_big",
    /// Too many errors (4102).
    Flooding => "flooding",
    /// The peer sent FIN after more than is kept for its turn at the rate (4102).
    Unread => "unread",
    /// A token is not good (4000, 1008).
    BadToken => "bad_token",
    /// The user is banned (4005).
    Banned => "banned",
    /// The login was ended (4006).
    LoginEnded => "login_ended",
    /// The same session returned on another connection (4010).
    Replaced => "replaced",
    /// The server holds as many connections as it can, or as one address may (503, 4104).
    Overloaded => "overloaded",
    /// The server is stopping (4201).
    Shutdown => "shutdown",
    /// The server moves its clients elsewhere (4202).
    Rebalance => "rebalance",
    /// The server failed.
    Internal => "internal",
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_reasons_share_a_label() {
        let labels: BTreeSet<_> = CloseReason::ALL.iter().map(|reason| reason.label()).collect();
        assert_eq!(labels.len(), CloseReason::ALL.len());
    }
}
