//! What a read came to.

use crate::net::{CloseReason, ConnId, IpAddr};

/// The outcome of one read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// So many bytes in the scratch buffer, for the handler.
    Received(ConnId, usize),
    /// The peer's FIN, for the handler.
    Finished(ConnId),
    /// So many bytes that the handler does not get.
    Discarded(usize),
    /// So many bytes of ciphertext; what they have become is in [`TlsTable`](super::tls::TlsTable).
    Opened(ConnId, usize),
    /// So many bytes in the scratch buffer, which should have been TLS.
    NotTls(ConnId, usize),
    /// A PROXY header has come: whom it speaks for, unless it is the proxy itself.
    Announced(ConnId, Option<IpAddr>),
    /// The connection is of no more use, and why.
    Broken(ConnId, CloseReason),
}
