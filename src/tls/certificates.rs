//! Certificates and keys: from PEM text, chosen by name.

use std::fmt;
use std::sync::Arc;

use rustls::client::verify_server_name;
use rustls::crypto::ring;
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use super::der;

/// A certificate with its chain and its key, and when it expires.
#[derive(Debug)]
struct Certificate {
    key: Arc<CertifiedKey>,
    expires_s: u64,
}

/// The certificates of a server: at least one.
#[derive(Debug)]
pub struct Certificates {
    list: Vec<Certificate>,
}

/// Which of two files is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The file of the certificate and its chain.
    Certificate,
    /// The file of the key.
    Key,
}

/// What is wrong with a pair of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFault {
    /// Which pair, from 0.
    pub index: usize,
    /// Which of its files.
    pub part: Part,
    /// What is wrong with it, as the end of a sentence, and what would be right.
    pub what: String,
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for CertificateFault {}

impl Certificates {
    /// Parses pairs of PEM texts: a certificate with its chain, and its key.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong. A certificate that has expired is none.
    pub fn parse<'a>(
        pairs: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Result<Self, CertificateFault> {
        let parse = |(index, (chain, key))| {
            parse(chain, key).map_err(|(part, what)| CertificateFault { index, part, what })
        };
        let list: Vec<_> = pairs.into_iter().enumerate().map(parse).collect::<Result<_, _>>()?;
        if list.is_empty() {
            let what = "there is none".to_owned();
            return Err(CertificateFault { index: 0, part: Part::Certificate, what });
        }
        Ok(Self { list })
    }

    /// The first certificate that is good for `name`, otherwise the first of all.
    #[must_use]
    pub fn choose(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let (first, others) = self.list.split_first()?;
        // With one certificate there is nothing to choose, and nothing to parse in each handshake.
        let name = name.filter(|_| !others.is_empty());
        let name = name.and_then(|name| ServerName::try_from(name).ok());
        let found = name.and_then(|name| self.list.iter().find(|one| one.is_good_for(&name)));
        Some(Arc::clone(&found.unwrap_or(first).key))
    }

    /// When each of them expires, in seconds since 1970.
    pub fn expire(&self) -> impl Iterator<Item = u64> {
        self.list.iter().map(|one| one.expires_s)
    }
}

impl Certificate {
    fn is_good_for(&self, name: &ServerName<'_>) -> bool {
        let parsed = self.key.end_entity_cert().and_then(ParsedCertificate::try_from);
        parsed.is_ok_and(|parsed| verify_server_name(&parsed, name).is_ok())
    }
}

fn parse(chain: &[u8], key: &[u8]) -> Result<Certificate, (Part, String)> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<_, _>>()
        .map_err(|error| (Part::Certificate, format!("is no PEM: {error}")))?;
    let Some(expires_s) = chain.first().map(|first| der::not_after(first)) else {
        let what = "has no certificate (\"-----BEGIN CERTIFICATE-----\") in it";
        return Err((Part::Certificate, what.to_owned()));
    };
    let key =
        PrivateKeyDer::from_pem_slice(key).map_err(|error| (Part::Key, explain(&error, key)))?;
    let certified = CertifiedKey::from_der(chain, key, &ring::default_provider());
    let certified = certified.map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            (Part::Key, "is not the key of the certificate".to_owned())
        }
        Error::InvalidCertificate(_) => {
            (Part::Certificate, format!("has a certificate that cannot be read: {error}"))
        }
        other => (Part::Key, format!("has a key that cannot be used: {other}")),
    })?;
    // Behind the key: rustls says more of a certificate that is no certificate at all.
    let expires_s = expires_s.ok_or_else(|| {
        (
            Part::Certificate,
            "has a certificate that cannot be read: no end of its validity".to_owned(),
        )
    })?;
    Ok(Certificate { key: Arc::new(certified), expires_s })
}

/// What is wrong with the PEM text of a key.
fn explain(error: &pem::Error, key: &[u8]) -> String {
    let is_encrypted = key.windows(9).any(|window| window == b"ENCRYPTED");
    match error {
        pem::Error::NoItemsFound if is_encrypted => {
            "is encrypted with a password, which nobody could type at a start: decrypt it with \
             openssl pkey"
                .to_owned()
        }
        pem::Error::NoItemsFound => "has no key (\"-----BEGIN PRIVATE KEY-----\") in it".to_owned(),
        other => format!("is no PEM: {other}"),
    }
}
