//! TLS, sans-io: ciphertext in, plaintext out, and back.
//!
//! ```text
//!  socket ─▶ reactor ─▶ Connection::receive ─▶ plaintext ─▶ handler
//!  socket ◀─ reactor ◀─ Connection::seal ◀──── plaintext ◀─ outbound ring
//! ```
//!
//! A [`Connection`] is a server's end of TLS 1.2 or 1.3 on rustls' unbuffered interface, a
//! [`ClientConnection`] a client's: it owns no socket, no clock and, between records, no buffer.
//! [`Certificates`] are parsed from PEM text, which someone else has read, and choose one for each
//! handshake by the name that the client asks for. [`server_config`] has what holds for all
//! connections of a listener.
//!
//! Nothing is resumed from memory: a ticket carries all that a resumption needs, sealed with a key
//! that this process makes and changes every six hours. There is no early data, since it could be
//! replayed.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

mod certificates;
mod connection;
mod der;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::{NoServerSessionStorage, ResolvesServerCert};
use rustls::version::{TLS12, TLS13};

pub use self::certificates::{CertificateFault, Certificates, Part};
pub use self::connection::{
    ClientConnection, Connection, End, INCOMING_LEN_MAX, Progress, RECORD_LEN_MAX, TlsFault,
};
/// What holds for all TLS connections to a server.
pub use rustls::ClientConfig;
/// What holds for all TLS connections of a listener.
pub use rustls::ServerConfig;
/// What finds the certificate for a handshake.
pub use rustls::server::{ClientHello, ResolvesServerCert as FindCertificate};
/// A certificate with its chain and its key.
pub use rustls::sign::CertifiedKey;

/// Seals tickets, for all listeners alike.
pub type Ticketer = Arc<dyn rustls::server::ProducesTickets>;

/// The first byte of every TLS connection: a handshake record.
pub const FIRST_BYTE: u8 = 0x16;

/// What seals tickets, with keys that exist in this process alone.
///
/// # Errors
///
/// If the system has no random numbers.
pub fn ticketer() -> Result<Ticketer, TlsFault> {
    ring::Ticketer::new().map_err(TlsFault)
}

/// TLS 1.3 and 1.2 with the certificates that `find` finds. A client that offers application
/// protocols (ALPN, RFC 7301) must offer `protocol`, so that no other server's traffic is taken for
/// this one's.
///
/// # Errors
///
/// If the library has been built without what this needs.
pub fn server_config(
    find: Arc<dyn ResolvesServerCert>,
    ticketer: Ticketer,
    protocol: &[u8],
) -> Result<Arc<ServerConfig>, TlsFault> {
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_protocol_versions(&[&TLS13, &TLS12]).map_err(TlsFault)?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(find);
    config.alpn_protocols = vec![protocol.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = ticketer;
    Ok(Arc::new(config))
}

/// TLS 1.3 and 1.2 to servers whose certificates come from one of those in `roots`, in PEM.
///
/// # Errors
///
/// If there is no certificate in it, or the library has been built without what this needs.
pub fn client_config(roots: &[u8]) -> Result<Arc<ClientConfig>, TlsFault> {
    let mut store = RootCertStore::empty();
    let certificates = CertificateDer::pem_slice_iter(roots).filter_map(Result::ok);
    if store.add_parsable_certificates(certificates).0 == 0 {
        return Err(TlsFault(rustls::Error::General("it has no certificate".to_owned())));
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_protocol_versions(&[&TLS13, &TLS12]).map_err(TlsFault)?;
    Ok(Arc::new(builder.with_root_certificates(store).with_no_client_auth()))
}
