//! TLS from outside: a certificate made for the run, and the client's end of a connection.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::Outcome;

/// The host that the certificate is for.
const HOST: &str = "localhost";

/// A certificate with its key in files, and what trusts it.
pub(crate) struct Trust {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    config: Arc<ClientConfig>,
}

impl Trust {
    /// Makes one in `folder`.
    pub(crate) fn new(folder: &Path) -> Outcome<Self> {
        fs::create_dir_all(folder)?;
        let made = rcgen::generate_simple_self_signed([HOST.to_owned()])?;
        let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
        fs::write(&certificate, made.cert.pem())?;
        fs::write(&key, made.signing_key.serialize_pem())?;
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone())?;
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { certificate, key, config: Arc::new(config) })
    }

    /// A client that trusts it. The next one may resume its session.
    pub(crate) fn client(&self) -> Outcome<ClientConnection> {
        Ok(ClientConnection::new(Arc::clone(&self.config), ServerName::try_from(HOST)?)?)
    }

    /// The same for clients that resume nothing, as those who come for the first time.
    pub(crate) fn without_resumption(&self) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        config.resumption = rustls::client::Resumption::disabled();
        let (certificate, key) = (self.certificate.clone(), self.key.clone());
        Self { certificate, key, config: Arc::new(config) }
    }
}
