//! Certificates made for a test, and a client of rustls' that trusts them.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    ALL_VERSIONS, ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion,
};
use tempfile::TempDir;

use super::Raw;

/// Certificates with their keys, in files of a folder of their own.
#[derive(Debug)]
pub(crate) struct Certificates {
    folder: TempDir,
    made: Vec<CertificateDer<'static>>,
}

impl Certificates {
    /// One for each name.
    pub(crate) fn of(names: &[&str]) -> Self {
        let folder = TempDir::new().expect("a folder for temporary files");
        let mut certificates = Self { folder, made: Vec::new() };
        for (nth, name) in names.iter().enumerate() {
            certificates.made.push(CertificateDer::from(Vec::new()));
            certificates.renew(nth, name);
        }
        certificates
    }

    /// Puts a new certificate for `name` in the place of the `nth`.
    pub(crate) fn renew(&mut self, nth: usize, name: &str) {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
        self.write(nth, &made.cert.pem(), &made.signing_key.serialize_pem());
        self.made[nth] = made.cert.der().clone();
    }

    /// Puts one for `name` in the place of the `nth` that is good until then.
    pub(crate) fn renew_until(&mut self, nth: usize, name: &str, until: SystemTime) {
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        let since = until.duration_since(SystemTime::UNIX_EPOCH).expect("a time after 1970");
        params.not_after = date_time_ymd(1970, 1, 1) + since;
        let key = KeyPair::generate().expect("a key");
        let made = params.self_signed(&key).expect("a certificate");
        self.write(nth, &made.pem(), &key.serialize_pem());
        self.made[nth] = made.der().clone();
    }

    /// Puts any texts in the place of the `nth` certificate and key, the key first.
    pub(crate) fn write(&self, nth: usize, certificate: &str, key: &str) {
        let [certificate_path, key_path] = self.paths(nth);
        for (path, text) in [(key_path, key), (certificate_path, certificate)] {
            let new = path.with_extension("new");
            fs::write(&new, text).expect("a file that can be written");
            fs::rename(&new, path).expect("a file that can be renamed");
        }
    }

    fn paths(&self, nth: usize) -> [PathBuf; 2] {
        ["cert", "key"].map(|kind| self.folder.path().join(format!("{kind}{nth}.pem")))
    }

    /// The values of `tls.certificate` and `tls.key`.
    pub(crate) fn files(&self) -> (String, String) {
        let paths = |kind: usize| {
            let paths = (0..self.made.len()).map(|nth| self.paths(nth)[kind].display().to_string());
            paths.collect::<Vec<_>>().join(",")
        };
        (paths(0), paths(1))
    }

    /// A client that trusts them.
    pub(crate) fn client(&self) -> ClientConfig {
        self.client_of(ALL_VERSIONS)
    }

    /// The same of these versions alone.
    pub(crate) fn client_of(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        for certificate in &self.made {
            roots.add(certificate.clone()).expect("a certificate");
        }
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .expect("versions that there are")
            .with_root_certificates(roots)
            .with_no_client_auth()
    }

    /// A connection to `address` with the handshake begun, as one that asks for `name`.
    #[track_caller]
    pub(crate) fn begin(&self, address: SocketAddr, name: &str) -> Raw {
        Raw::connect(address).with_tls(client(&self.client(), name))
    }

    /// The same with the handshake completed.
    #[track_caller]
    pub(crate) fn connect(&self, address: SocketAddr, name: &str) -> Raw {
        let mut raw = self.begin(address, name);
        assert!(raw.shake_hands(), "{raw:?}");
        raw
    }
}

/// A client that asks for `name`.
#[track_caller]
pub(crate) fn client(config: &ClientConfig, name: &str) -> ClientConnection {
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    ClientConnection::new(Arc::new(config.clone()), name).expect("a client")
}
