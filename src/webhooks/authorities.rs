//! The authorities that receivers may have their certificates from.

use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use ureq::tls::Certificate;

use crate::config::named_file;

/// Where systems keep the certificates of the authorities that they trust.
const AUTHORITIES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
];
/// The most bytes of a file; those that browsers trust are a quarter of a megabyte.
const FILE_LEN_MAX: u64 = 16 << 20;

/// The certificates of these files; without any, those that the system trusts.
pub(super) fn authorities(files: &[PathBuf]) -> Vec<Certificate<'static>> {
    let system = || AUTHORITIES.iter().map(Path::new).find(|path| path.exists());
    let mut found = Vec::new();
    for path in files.iter().map(|path| &**path).chain(system().filter(|_| files.is_empty())) {
        match named_file::read(path, FILE_LEN_MAX) {
            Ok(pem) => {
                let certificates = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok);
                found.extend(certificates.map(|der| Certificate::from_der(&der).to_owned()));
            }
            Err(error) => {
                let file = path.display();
                log::error!(file:%, error:%; "webhooks: certificates of authorities cannot be read");
            }
        }
    }
    if found.is_empty() {
        log::warn!(
            "webhooks: no certificate of an authority was found: [webhooks] authorities names files with some"
        );
    }
    found
}
