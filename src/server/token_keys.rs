//! The keys that tokens must be signed with: read from the configuration and its files, and again
//! when these change.
//!
//! A thread of its own looks at the files every two seconds, since a disk may be slow. What it has
//! read and found good takes the place of what was there; what it cannot read changes nothing, and
//! is said once.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use crate::auth::jwt::{ClaimPolicy, Verifier};
use crate::auth::keys::{Key, KeyError, KeyTable, parse_jwks};
use crate::config::{Config, KeyMaterial, TokenKey, named_file};

/// How often the files' times are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The most bytes of a file: a set of keys has a few of at most 1 KiB each.
const FILE_LEN_MAX: u64 = 256 << 10;

/// Why keys cannot be used: the table, its file if it has one, and what is wrong.
#[derive(Debug)]
pub struct TokenKeyError {
    /// The label of the table; `None` if it is not about one alone.
    pub table: Option<String>,
    what: String,
}

impl fmt::Display for TokenKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for TokenKeyError {}

/// The keys of the configuration.
///
/// # Errors
///
/// [`TokenKeyError`] if a file cannot be read or a key cannot be used.
pub fn load(tables: &[TokenKey]) -> Result<KeyTable, TokenKeyError> {
    let mut keys = Vec::new();
    for table in tables {
        keys.extend(keys_of(table)?);
    }
    let failed = |error| TokenKeyError { table: None, what: format!("[[jwt.key]]: {error}") };
    KeyTable::new(keys).map_err(failed)
}

/// The secret of a table for HS256, as it signs.
///
/// # Errors
///
/// [`TokenKeyError`] if its file cannot be read.
pub fn secret_of(table: &TokenKey) -> Result<Option<Vec<u8>>, TokenKeyError> {
    match &table.material {
        KeyMaterial::Secret(secret) => Ok(Some(secret.reveal().as_bytes().to_vec())),
        KeyMaterial::SecretFile(path) => read_secret(table, path).map(Some),
        KeyMaterial::PublicKeyFile(_) | KeyMaterial::JwksFile(_) => Ok(None),
    }
}

fn keys_of(table: &TokenKey) -> Result<Vec<Key>, TokenKeyError> {
    let TokenKey { issuer, kid, algorithm, material, .. } = table;
    let kid = kid.as_deref();
    let one = |key: Result<Key, KeyError>| key.map(|key| vec![key]);
    let keys = match (material, algorithm) {
        (KeyMaterial::Secret(secret), _) => {
            one(Key::from_secret(issuer, kid, secret.reveal().as_bytes()))
        }
        (KeyMaterial::SecretFile(path), _) => {
            one(Key::from_secret(issuer, kid, &read_secret(table, path)?))
        }
        (KeyMaterial::PublicKeyFile(path), Some(algorithm)) => {
            one(Key::from_pem(issuer, kid, *algorithm, &read(table, path)?))
        }
        (KeyMaterial::PublicKeyFile(_), None) => Ok(Vec::new()),
        (KeyMaterial::JwksFile(path), only) => match String::from_utf8(read(table, path)?) {
            Ok(text) => parse_jwks(issuer, &text, *only),
            Err(_) => Err(KeyError::NotJwks),
        },
    };
    keys.map_err(|error| failed(table, &error))
}

fn failed(table: &TokenKey, why: &dyn fmt::Display) -> TokenKeyError {
    let label = &table.label;
    let what = match table.material.file() {
        Some(path) => format!("{label}: {}: {why}", path.display()),
        None => format!("{label}: {why}"),
    };
    TokenKeyError { table: Some(label.clone()), what }
}

/// A secret without the newline that an editor puts at its end.
fn read_secret(table: &TokenKey, path: &Path) -> Result<Vec<u8>, TokenKeyError> {
    let mut secret = read(table, path)?;
    for end in [b'\n', b'\r'] {
        secret.pop_if(|last| *last == end);
    }
    Ok(secret)
}

fn read(table: &TokenKey, path: &Path) -> Result<Vec<u8>, TokenKeyError> {
    named_file::read(path, FILE_LEN_MAX).map_err(|error| failed(table, &error))
}

/// Which claims are read.
#[must_use]
pub fn claim_policy(config: &Config) -> ClaimPolicy {
    let jwt = &config.jwt;
    ClaimPolicy {
        audience: jwt.audience.clone(),
        nbf_optional: jwt.nbf == "optional",
        name: jwt.name_claim.clone(),
        display: jwt.display_claim.clone(),
        admin: jwt.admin_claim.clone(),
        rooms: jwt.rooms_claim.clone(),
    }
}

/// A verifier by the configured keys; `None` if there are none.
///
/// # Errors
///
/// As [`load`].
pub fn verifier(config: &Config) -> Result<Option<Verifier>, TokenKeyError> {
    if !config.auth_policy().tokens {
        return Ok(None);
    }
    let keys = load(&config.token_keys)?;
    Ok(Some(Verifier::new(keys, claim_policy(config)).within(config.memory)))
}

/// What tells that a file is another one.
type Stamp = Option<(i64, i64, u64, u64)>;

fn stamps(tables: &[TokenKey]) -> Vec<Stamp> {
    let files = tables.iter().filter_map(|table| table.material.file());
    let stamp = |path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.mtime(), metadata.mtime_nsec(), metadata.len(), metadata.ino()))
    };
    files.map(stamp).collect()
}

/// Looks at the files of the keys while it is there.
#[derive(Debug)]
pub struct KeyWatch {
    tables: Receiver<KeyTable>,
    /// Has them read at once; its end ends the thread.
    look: Sender<()>,
}

impl KeyWatch {
    /// Begins to look; `wake` is called when other keys are there. `None` if no key is in a file.
    ///
    /// # Errors
    ///
    /// If the system has no thread to give.
    pub fn start(
        tables: &[TokenKey],
        wake: impl Fn() + Send + 'static,
    ) -> io::Result<Option<Self>> {
        if tables.iter().all(|table| table.material.file().is_none()) {
            return Ok(None);
        }
        let (look, requests) = mpsc::channel();
        let (found, taken) = mpsc::sync_channel(1);
        let tables = tables.to_vec();
        let mut seen = stamps(&tables);
        let watch = move || {
            while let Some(is_asked) = wait(&requests) {
                // Before the files are read: one that changes meanwhile is then read once more, and
                // not missed.
                let present = stamps(&tables);
                if (is_asked || present != seen)
                    && let Some(table) = read_again(&tables)
                {
                    // Nobody takes it once the server is gone.
                    _ = found.send(table);
                    wake();
                }
                // Also if they could not be read: what was half written is another file when it is
                // whole.
                seen = present;
            }
        };
        thread::Builder::new().name("token-keys".to_owned()).spawn(watch)?;
        Ok(Some(Self { tables: taken, look }))
    }

    /// Has the files read now, as SIGHUP asks for.
    pub fn look_now(&self) {
        _ = self.look.send(());
    }

    /// Other keys, if there are.
    #[must_use]
    pub fn poll(&self) -> Option<KeyTable> {
        self.tables.try_iter().last()
    }
}

/// Waits until it is time to look: whether somebody has asked for it, or `None` if nobody will.
fn wait(requests: &Receiver<()>) -> Option<bool> {
    match requests.recv_timeout(LOOK_EVERY) {
        Ok(()) => Some(true),
        Err(RecvTimeoutError::Timeout) => Some(false),
        Err(RecvTimeoutError::Disconnected) => None,
    }
}

fn read_again(tables: &[TokenKey]) -> Option<KeyTable> {
    match load(tables) {
        Ok(table) => Some(table),
        Err(error) => {
            log::error!(error:%; "the keys of tokens cannot be read: the former ones stay in use");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::keys::Algorithm;

    fn table(material: KeyMaterial) -> TokenKey {
        TokenKey {
            label: "jwt.key 1".to_owned(),
            issuer: "a".to_owned(),
            kid: None,
            algorithm: Some(Algorithm::Hs256),
            material,
        }
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named_with_its_table() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let refused = |tables: &[TokenKey]| load(tables).unwrap_err().to_string();
        let tables = [table(KeyMaterial::SecretFile(path.clone()))];
        assert!(refused(&tables).starts_with(&format!("jwt.key 1: {}: No such", path.display())));
        fs::write(&path, "short\n").unwrap();
        assert!(refused(&tables).contains("the secret has 5 bytes"), "{}", refused(&tables));
        fs::write(&path, "x".repeat(300_000)).unwrap();
        assert!(refused(&tables).contains("larger than"));
        fs::write(&path, format!("{}\r\n", "x".repeat(32))).unwrap();
        assert_eq!(load(&tables).unwrap().iter().count(), 1);
        assert_eq!(secret_of(&tables[0]).unwrap().map(|secret| secret.len()), Some(32));
    }

    #[test]
    fn another_file_is_read_when_that_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, "x".repeat(32)).unwrap();
        let tables = [table(KeyMaterial::SecretFile(path.clone()))];
        let (told, woken) = mpsc::channel();
        let watch = KeyWatch::start(&tables, move || _ = told.send(())).unwrap().unwrap();
        fs::write(&path, "short").unwrap();
        assert!(read_again(&tables).is_none());
        fs::write(&path, "y".repeat(40)).unwrap();
        watch.look_now();
        woken.recv_timeout(Duration::from_secs(20)).expect("other keys");
        let table = watch.poll().expect("other keys");
        let key = table.find("a", None).expect("a key");
        assert_eq!(key.algorithm(), Algorithm::Hs256);
    }
}
