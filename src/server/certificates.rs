//! The certificates that the listeners with TLS have: read from files, and again when these change.
//!
//! A thread of its own looks at the files, since a disk may be slow: at SIGHUP, and every two
//! seconds by their times. What it has read and found good takes the place of what was there, for
//! the next handshake; what it cannot read changes nothing, and is said once.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use super::ServeError;
use crate::config::{Tls, named_file};
use crate::time::clock::Clock;
use crate::time::date::{DAY_MS, civil};
use crate::tls::{Certificates, CertifiedKey, ClientHello, FindCertificate, Part};

/// How often the files' times are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The most bytes of a file: a chain has a few certificates of some 2 KiB.
const FILE_LEN_MAX: u64 = 1 << 20;

/// Days before the end of a certificate's validity from which on it is warned of.
const WARN_DAYS: u64 = 14;

/// The certificates that are in use.
#[derive(Debug)]
pub(super) struct InUse(RwLock<Arc<Certificates>>);

impl InUse {
    fn get(&self) -> Arc<Certificates> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, certificates: Certificates) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certificates);
    }
}

impl FindCertificate for InUse {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.get().choose(hello.server_name())
    }
}

/// What is wrong with the files, as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateError {
    /// The setting that names the file.
    pub setting: &'static str,
    what: String,
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.what)
    }
}

impl std::error::Error for CertificateError {}

/// Whether the files are as they should be, if there are any.
///
/// # Errors
///
/// If one is not.
pub(super) fn check(files: &Tls) -> Result<(), CertificateError> {
    if files.certificate.is_empty() { Ok(()) } else { read(files).map(drop) }
}

/// Until when each certificate is good, a line for each; those that need attention begin with
/// `warning: `.
///
/// # Errors
///
/// If a file is not as it should be.
pub fn inspect(files: &Tls, now_ms: u64) -> Result<Vec<String>, CertificateError> {
    if files.certificate.is_empty() {
        return Ok(Vec::new());
    }
    let certificates = read(files)?;
    let lines = certificates.expire().zip(&files.certificate).map(|(at, path)| {
        let Expiry { date, days } = Expiry::new(at, now_ms);
        let path = path.display();
        match days {
            None => format!("warning: certificate {path} has expired on {date}: renew it"),
            Some(days @ 0..WARN_DAYS) => {
                format!("warning: certificate {path} expires on {date}, in {days} days: renew it")
            }
            Some(days) => format!("certificate {path} is good until {date}, for {days} days"),
        }
    });
    Ok(lines.collect())
}

/// The day on which a certificate expires, and how many days that is from now; `None` if it has.
struct Expiry {
    date: String,
    days: Option<u64>,
}

impl Expiry {
    fn new(at_s: u64, now_ms: u64) -> Self {
        let at_ms = at_s.saturating_mul(1_000);
        let (year, month, day) = civil(at_ms / DAY_MS);
        let days = at_ms.checked_sub(now_ms).map(|left| left / DAY_MS);
        Self { date: format!("{year:04}-{month:02}-{day:02}"), days }
    }
}

/// Looks after the certificates until it is dropped.
#[derive(Debug)]
pub(super) struct CertificateWatch {
    pub(super) in_use: Arc<InUse>,
    wake: SyncSender<()>,
}

impl CertificateWatch {
    /// Reads the files and begins to look after them.
    ///
    /// # Errors
    ///
    /// If a file is not as it should be, or there can be no thread.
    pub(super) fn start(files: &Tls, clock: Clock) -> Result<Self, ServeError> {
        let stamps = stamps(files);
        let certificates = read(files)?;
        let in_use = Arc::new(InUse(RwLock::new(Arc::new(certificates))));
        let (wake, woken) = mpsc::sync_channel(1);
        let mut files = Files {
            files: files.clone(),
            stamps,
            refused: None,
            in_use: Arc::clone(&in_use),
            clock,
            warned_on: 0,
        };
        files.warn();
        thread::Builder::new().name("certificates".to_owned()).spawn(move || {
            loop {
                match woken.recv_timeout(LOOK_EVERY) {
                    Ok(()) => files.read_again(),
                    Err(RecvTimeoutError::Timeout) => files.look(),
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        })?;
        Ok(Self { in_use, wake })
    }

    /// Has the files read again, changed or not.
    pub(super) fn reload(&self) {
        // If the queue is full, a reading is asked for already, and one is enough.
        let _queued = self.wake.try_send(());
    }
}

/// When a file was written and which one it is; `None` if it is not there.
type Stamp = Option<(i64, i64, u64, u64)>;

struct Files {
    files: Tls,
    /// Those of the files as they were read last.
    stamps: Vec<Stamp>,
    /// Those of files that could not be used, which may be half written.
    refused: Option<Vec<Stamp>>,
    in_use: Arc<InUse>,
    clock: Clock,
    /// The day since 1970 of the last warning.
    warned_on: u64,
}

impl Files {
    fn look(&mut self) {
        self.warn();
        let stamps = stamps(&self.files);
        if stamps == self.stamps {
            return;
        }
        match read(&self.files) {
            Ok(certificates) => self.take(certificates, stamps),
            // Two files do not change at once: only what stays as it is is bad.
            Err(error) if self.refused.as_ref() == Some(&stamps) => self.refuse(&error, stamps),
            Err(_) => self.refused = Some(stamps),
        }
    }

    fn read_again(&mut self) {
        let stamps = stamps(&self.files);
        match read(&self.files) {
            Ok(certificates) => self.take(certificates, stamps),
            Err(error) => self.refuse(&error, stamps),
        }
    }

    fn take(&mut self, certificates: Certificates, stamps: Vec<Stamp>) {
        let first = certificates.expire().min().unwrap_or(0);
        let until = Expiry::new(first, self.clock.now().wall_ms).date;
        self.in_use.replace(certificates);
        log::info!(until; "the certificates were read again");
        // With the day forgotten: the new ones may be about to expire as well.
        (self.stamps, self.refused, self.warned_on) = (stamps, None, 0);
        self.warn();
    }

    fn refuse(&mut self, error: &CertificateError, stamps: Vec<Stamp>) {
        log::warn!("{error}: the certificates from before stay in use");
        (self.stamps, self.refused) = (stamps, None);
    }

    /// Says once a day which certificates are about to expire.
    fn warn(&mut self) {
        let now_ms = self.clock.now().wall_ms;
        if now_ms / DAY_MS == self.warned_on {
            return;
        }
        self.warned_on = now_ms / DAY_MS;
        for (at, path) in self.in_use.get().expire().zip(&self.files.certificate) {
            let (Expiry { date, days }, path) = (Expiry::new(at, now_ms), path.display());
            match days {
                None => log::warn!("certificate {path} has expired on {date}: renew it"),
                Some(days) if days < WARN_DAYS => {
                    log::warn!("certificate {path} expires on {date}, in {days} days: renew it");
                }
                Some(_) => {}
            }
        }
    }
}

fn stamps(files: &Tls) -> Vec<Stamp> {
    let stamp = |path: &PathBuf| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.mtime(), metadata.mtime_nsec(), metadata.len(), metadata.ino()))
    };
    files.certificate.iter().chain(&files.key).map(stamp).collect()
}

/// Reads the files.
fn read(files: &Tls) -> Result<Certificates, CertificateError> {
    let texts = |paths: &[PathBuf], part| -> Result<Vec<Vec<u8>>, CertificateError> {
        paths.iter().map(|path| read_file(path).map_err(|what| fault(part, &what))).collect()
    };
    let chains = texts(&files.certificate, Part::Certificate)?;
    let keys = texts(&files.key, Part::Key)?;
    let pairs = chains.iter().zip(&keys).map(|(chain, key)| (chain.as_slice(), key.as_slice()));
    Certificates::parse(pairs).map_err(|wrong| {
        let paths = match wrong.part {
            Part::Certificate => &files.certificate,
            Part::Key => &files.key,
        };
        let path = paths.get(wrong.index).map_or_else(|| Path::new(""), PathBuf::as_path);
        fault(wrong.part, &format!("{} {wrong}", path.display()))
    })
}

/// What is wrong with a file, and by which setting it is named.
fn fault(part: Part, what: &str) -> CertificateError {
    let setting = match part {
        Part::Certificate => "tls.certificate",
        Part::Key => "tls.key",
    };
    CertificateError { setting, what: what.to_owned() }
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    named_file::read(path, FILE_LEN_MAX).map_err(|error| {
        let remedy = match error.kind() {
            io::ErrorKind::PermissionDenied => ": let the user that runs the server read it",
            io::ErrorKind::NotFound => ": name one that is there",
            _ => "",
        };
        format!("cannot read {}: {error}{remedy}", path.display())
    })
}
