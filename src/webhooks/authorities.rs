//! The authorities that receivers may have their certificates from.

use std::fmt;
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

/// Why a file that is named cannot be used.
#[derive(Debug)]
pub struct AuthoritiesError(PathBuf, String);

impl fmt::Display for AuthoritiesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[webhooks] authorities: {}: {}", self.0.display(), self.1)
    }
}

impl std::error::Error for AuthoritiesError {}

/// Looks whether each of these files has certificates; not into what can be read once only, such as
/// a pipe.
///
/// # Errors
///
/// [`AuthoritiesError`] for the first one that has none.
pub fn check(files: &[PathBuf]) -> Result<(), AuthoritiesError> {
    let refused = |path: &PathBuf| Some(AuthoritiesError(path.clone(), read(path).err()?));
    let is_there_again = |path: &&PathBuf| path.metadata().map_or(true, |it| it.is_file());
    files.iter().filter(is_there_again).find_map(refused).map_or(Ok(()), Err)
}

/// The certificates of these files; without any, those that the system trusts.
pub(super) fn authorities(files: &[PathBuf]) -> Vec<Certificate<'static>> {
    let system = || AUTHORITIES.iter().map(Path::new).find(|path| path.exists());
    let mut found = Vec::new();
    for path in files.iter().map(|path| &**path).chain(system().filter(|_| files.is_empty())) {
        match read(path) {
            Ok(certificates) => found.extend(certificates),
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

/// The certificates of a file, at least one.
fn read(path: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let pem = named_file::read(path, FILE_LEN_MAX).map_err(|error| error.to_string())?;
    let certificates = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok);
    let found: Vec<_> = certificates.map(|der| Certificate::from_der(&der).to_owned()).collect();
    if found.is_empty() {
        return Err("it has no certificate (\"-----BEGIN CERTIFICATE-----\") in it".to_owned());
    }
    Ok(found)
}
