//! The authorities that receivers may have their certificates from.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use ureq::tls::Certificate;

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
        match read(path) {
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

/// Bounded, since a device has no end.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let len = File::open(path)?.take(FILE_LEN_MAX + 1).read_to_end(&mut bytes)?;
    if u64::try_from(len).is_ok_and(|len| len <= FILE_LEN_MAX) {
        return Ok(bytes);
    }
    Err(io::Error::other("it is larger than 16 MiB, and no list of certificates in PEM"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_an_end_is_not_read_to_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(FILE_LEN_MAX).unwrap();
        assert!(!read(file.path()).unwrap().is_empty());
        file.as_file().set_len(FILE_LEN_MAX + 1).unwrap();
        for path in [file.path(), Path::new("/dev/zero")] {
            let refused = read(path).unwrap_err().to_string();
            assert!(refused.contains("larger than"), "{refused}");
        }
    }
}
